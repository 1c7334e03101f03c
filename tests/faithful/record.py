"""Records what the reference script does in every scenario, as traces/.

    cd tests
    python3 -m faithful.record [--check] [--script SCRIPT] [NAME]...

Without --script, the environment's REFERENCE_SCRIPT names the script. --check
writes nothing and fails when a trace is not what the script does.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from faithful import trace_file
from faithful.programs import Script
from faithful.scenarios import SCENARIOS, named
from faithful.world import play
from support import REFERENCE_SCRIPT


def record(name: str, script: Script) -> dict:
    scenario = named(name)
    ticks, _ = play(scenario, script)
    result = {"scenario": scenario.name, "about": scenario.about,
              "ticks": ticks}
    if scenario.has_disturbances():
        result["undisturbed"], _ = play(scenario, script, undisturbed=True)
    return result


def keep(text: str, path: Path, check: bool) -> bool:
    """Writes a trace, or checks that it is written."""
    if check:
        return path.exists() and path.read_text(encoding="utf-8") == text
    path.write_text(text, encoding="utf-8")
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--script", type=Path, default=REFERENCE_SCRIPT)
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    script = Script(options.script)
    chosen = options.names or [scenario.name for scenario in SCENARIOS]
    trace_file.FOLDER.mkdir(exist_ok=True)
    bad = 0
    # Processes, not threads: what one has open for writing, the programs that
    # another one starts must not inherit.
    with ProcessPoolExecutor() as pool:
        traces = pool.map(partial(record, script=script), chosen)
        for name, result in zip(chosen, traces):
            good = keep(trace_file.to_text(result), trace_file.path_of(name),
                        options.check)
            bad += not good
            print("ok  " if good else "NOT ", name)
    print(f"{len(chosen)} scenarios, {bad} differ from their trace"
          if options.check else f"{len(chosen)} scenarios recorded")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
