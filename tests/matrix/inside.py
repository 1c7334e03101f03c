"""Deploys the history of each row in place and aside, and compares them.

    python3 -m matrix.inside [ROW]...

It runs in a root of build-root: see __main__.py.
"""

import shutil
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from difflib import ndiff
from pathlib import Path

from matrix import npm_rows, other_rows
from matrix.row import Row
from matrix.site import Author, Production, Snapshot
from matrix.tree import differences

WORK = Path("/mnt/work")
AT_ONCE = 3  # rows
MOST_LINES = 20  # of differences, for one row
LOG_LINES = 8
# Those that take longest come first.
ROWS = {row.name: row for row in other_rows.ROWS + npm_rows.ROWS}
# Each step: its name, what is pushed or how the program is run, the exit
# code, and the version that is deployed then.
STEPS = [("fresh", "first", 0, 0), ("changed", "changed", 0, 1),
         ("broken", "broken", 1, 1), ("reverted", "reverted", 0, 0),
         ("rolled back", "--rollback", 0, 1)]


def history(folder: Path, author: Author, mode: str) -> list[Snapshot]:
    site = Production(folder, author, mode)
    snapshots = []
    for _, what, _, _ in STEPS:
        if what.startswith("--"):
            snapshots.append(site.deploy(what))
        else:
            site.push(what)
            snapshots.append(site.deploy())
    shutil.rmtree(folder)
    return snapshots


def promises(row: Row, step: int, snapshot: Snapshot) -> list[str]:
    """What a deployment does not keep of what the row promises."""
    _, _, code, version = STEPS[step]
    found = []
    if snapshot.code != code:
        found.append("\n    ".join([
            f"exit {snapshot.code}, not {code}",
            *snapshot.log.splitlines()[-LOG_LINES:]]))
    if snapshot.printed != row.prints[version]:
        found.append(f"prints {snapshot.printed!r}, "
                     f"not {row.prints[version]!r}")
    if step == 0:
        found += [f"{path} is missing" for path in row.makes
                  if path not in snapshot.tree]
    return found


def unlike(ours, theirs, what: str) -> list[str]:
    return [] if ours == theirs else [f"{what}: {ours} | {theirs}"]


def without(tree: dict[str, str], paths) -> dict[str, str]:
    return {name: found for name, found in tree.items()
            if not any(name == path or name.startswith(f"{path}/")
                       for path in paths)}


def complaints(row: Row, in_place: list[Snapshot],
               staged: list[Snapshot]) -> list[str]:
    found: list[str] = []
    for step, (name, _, code, _) in enumerate(STEPS):
        ours, theirs = staged[step], in_place[step]
        of_step = [f"aside: {line}" for line in promises(row, step, ours)]
        if code != 0:  # a build in place leaves what it leaves
            theirs = staged[step - 1]
            of_step += unlike(ours.restarts, [], "restarts")
        else:
            of_step += [f"in place: {line}"
                        for line in promises(row, step, theirs)]
            of_step += unlike(ours.restarts, theirs.restarts, "restarts")
            of_step += [f"record: {line}" for line in ndiff(
                theirs.record, ours.record) if line[0] in "+-"]
        of_step += differences(without(ours.tree, row.only_in_place),
                               without(theirs.tree, row.only_in_place))
        if found:  # it follows from an earlier step
            del of_step[1:]
        found += [f"{name}: {line}" for line in of_step]
    return found


def shortened(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_LINES
    return lines[:MOST_LINES] + ([f"and {more} more"] if more > 0 else [])


def compare(row: Row) -> list[str]:
    folder = WORK / row.name
    try:
        author = Author(folder / "author", row)
        in_place = history(folder / "in-place", author, "in-place")
        staged = history(folder / "staged", author, "staged")
        return complaints(row, in_place, staged)
    except Exception:  # the other rows go on
        return [traceback.format_exc()]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def passes(row: Row) -> bool:
    began = time.monotonic()
    found = compare(row)
    print(f"{row.name}: {'differs' if found else 'equal'} "
          f"({time.monotonic() - began:.1f} s)"
          + "".join(f"\n  {line}" for line in shortened(found)), flush=True)
    return not found


def main() -> int:
    unknown = [name for name in sys.argv[1:] if name not in ROWS]
    if unknown:
        print(f"matrix: no row {unknown[0]}; there are: {', '.join(ROWS)}")
        return 2
    rows = [ROWS[name] for name in sys.argv[1:] or ROWS]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(passes, rows))
    failed = [row.name for row, good in zip(rows, results) if not good]
    print(f"matrix: {len(rows) - len(failed)} rows passed, "
          f"{len(failed)} failed{': ' if failed else ''}{', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
