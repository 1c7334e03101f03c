"""Runs the groups of the tests here, each on a host of its own, side by side.

    python3 -m host [GROUP[.CASE]]...

Exits with 77 where hosts cannot be booted; with HOST_TESTS=required in the
environment that is a failure.
"""

import os
import signal
import subprocess
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor

from host import (test_applications, test_held,  # noqa: F401: have groups
                  test_host, test_install, test_instances, test_now,
                  test_package, test_poll, test_years)
from support.__main__ import SKIPPED
from support.host import base_root

AT_ONCE = 3  # hosts; they mostly wait
GROUP_TIMEOUT = 900  # seconds
# The modules of the groups, by name.
GROUPS = {group.__name__: group.__module__
          for group in [*test_host.Group.__subclasses__(),
                        test_held.HeldStreaming]}


class Run:
    """The tests of one group, in a process and with mounts of its own. They
    end with this process."""

    def __init__(self, group, names):
        self.group = group
        self.process = None
        self.command = [
            "unshare", "--mount", "--propagation", "slave", "--",
            "setpriv", "--pdeathsig", "TERM", "--",
            "timeout", "--foreground", "--kill-after=60", str(GROUP_TIMEOUT),
            sys.executable, "-B", "-m", "support", "--verbose",
            *[f"{GROUPS[group]}.{name}" for name in names]]

    def passes(self):
        """Prints what the tests say, line by line."""
        with subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                errors="replace") as self.process:
            for line in self.process.stdout:
                print(f"{self.group}: {line}", end="", flush=True)
        return self.process.returncode == 0


def chosen(names):
    """The groups to run, with the names of their cases."""
    unknown = [name for name in names if name.split(".")[0] not in GROUPS]
    if unknown:
        sys.exit(f"host: no group {unknown[0]}; there are: "
                 f"{', '.join(GROUPS)}")
    return [Run(group, of) for group in GROUPS
            if (of := [name for name in names or GROUPS
                       if name.split(".")[0] == group])]


def main():
    runs = chosen(sys.argv[1:])
    try:
        base_root()
    except unittest.SkipTest as why:
        print(f"host: skipped: {why}")
        return 1 if os.environ.get("HOST_TESTS") == "required" else SKIPPED
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            passed = list(pool.map(Run.passes, runs))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for run in runs:
                if run.process and run.process.poll() is None:
                    run.process.terminate()
    failed = [run.group for run, good in zip(runs, passed) if not good]
    print(f"host: {len(runs) - len(failed)} groups passed, "
          f"{len(failed)} failed{': ' if failed else ''}{', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
