"""Measures how long a run takes that finishes a killed move of the checkout.

    TMPDIR=/dev/shm scripts/bench recovery [--write]

git was killed when it had written all files and not yet the index: the run
takes every file back, moves again, restarts and verifies. The program is
the one that tests run; it works in a temporary folder, with stand-ins for npm,
python3 and systemctl. In memory it is the program and git that are measured:
disks take 0.1 to 2 s to make 4,000 files, which happens three times.
"""

import argparse
import statistics
import time

import common
from support import BINARY, require
from support.record import note_killed_move
from support.world import World

NUMBERS = (1000, 2000, 4000)  # files
ROUNDS = 3


def files(number, text):
    return {f"many/{i:05}": f"{text}\n" for i in range(number)}


def seconds_to_finish(number):
    """Also those that git takes to move as many files."""
    with World() as world:
        world.environment["TMPDIR"] = str(world.root)
        world.push("Before", files(number, "before"))
        require(world.run("--force").returncode == 0, "no deployment")
        commit = world.push("After", files(number, "after"))
        world.git(world.checkout, "fetch", "-q", "origin")
        world.git(world.checkout, "read-tree", "-m", "-u", "HEAD", commit)
        world.git(world.checkout, "read-tree", "HEAD")
        note_killed_move(world.record, commit, commit)
        begin = time.monotonic()
        run = world.run()
        seconds = time.monotonic() - begin
        require(run.returncode == 0, run.stderr)
        require("an earlier run was stopped" in run.stderr, run.stderr)
        require(world.commit() == commit, run.stderr)
        begin = time.monotonic()
        world.git(world.checkout, "reset", "-q", "--hard", "HEAD~1")
        return seconds, time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(prog="bench recovery")
    parser.add_argument("--write", action="store_true",
                        help="write the figures to docs/reliability.md")
    options = parser.parse_args()
    lines = [f"Median of {ROUNDS} on {common.describe_machine()}:", "",
             "| files of the move | seconds to finish it | git alone moves |",
             "| ---: | ---: | ---: |"]
    for number in NUMBERS:
        common.note(f"{BINARY}: {number} files")
        runs, moves = zip(*(seconds_to_finish(number) for _ in range(ROUNDS)))
        lines.append(f"| {number:,} | {statistics.median(runs):.2f} | "
                     f"{statistics.median(moves):.2f} |")
    print("\n".join(lines))
    if options.write:
        common.write_between("reliability.md", "recovery", lines)


if __name__ == "__main__":
    main()
