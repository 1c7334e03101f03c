"""Runs the port through every scenario and compares with the script's trace.

    cd tests
    python3 -m faithful.test_faithful [OPTION]... [NAME]...

The port is expected to do what the trace says that `record` made of the
script, edited by the deviations of docs/differences.md (deviations.py).
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from faithful import deviations, trace_file
from faithful.programs import Port
from faithful.scenarios import SCENARIOS, named
from faithful.world import play
from support import BINARY, can_stage


def compare(name: str, port: Port, build: str) -> tuple[str, set[str], str]:
    """The differences from what is expected of a `build`, the deviations that
    this took, and what the port wrote."""
    scenario = named(name)
    expected, used = deviations.expected(scenario, trace_file.load(name),
                                         build)
    actual, said = play(scenario, port)
    if build == "staged":
        for tick in actual:
            tick["calls"] = deviations.in_concurrent_order(tick["calls"])
    return trace_file.differences(expected, actual), used, said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--list", action="store_true",
                        help="print the scenarios and run none")
    parser.add_argument("--verbose", action="store_true",
                        help="print what the port wrote, also if it passes")
    parser.add_argument("--build", choices=["in-place", "staged"],
                        default="in-place")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    if options.list:
        for scenario in SCENARIOS:
            print(f"{scenario.name:28} {scenario.about}")
        return 0
    if not BINARY.exists():
        print(f"there is no program {BINARY}", file=sys.stderr)
        return 2
    port = Port(BINARY, options.build)
    known = [scenario.name for scenario in SCENARIOS]
    if unknown := set(options.names) - set(known):
        parser.error(f"no scenario is called {' or '.join(sorted(unknown))}")
    names = options.names or known
    build = options.build
    if build == "staged" and not can_stage():
        print("there are no mount namespaces here: what is to be staged is "
              "built in place")
        build = "in-place"
    for name in list(names):
        reason = named(name).in_place_only
        if port.build == "staged" and reason:
            print(f"in place only: {name}: {reason}")
            names.remove(name)
    bad = 0
    # Processes, not threads: what one has open for writing, the programs that
    # another one starts must not inherit.
    with ProcessPoolExecutor() as pool:
        results = pool.map(partial(compare, port=port, build=build), names)
        for name, (difference, used, said) in zip(names, results):
            bad += bool(difference)
            print(f"{'NOT ok' if difference else 'ok    '} {name:28} "
                  f"{' '.join(sorted(used))}".rstrip(), flush=True)
            if difference or options.verbose:
                print(difference, said, sep="\n")
    print(f"{len(names)} scenarios, {len(names) - bad} as expected, "
          f"{bad} not")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
