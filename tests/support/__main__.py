"""Runs tests as `python3 -m unittest` does.

    python3 -m support [OPTION OF UNITTEST]... [MODULE[.CLASS[.TEST]]]...

Exits with 77 where every test was skipped. With HOST_TESTS=required in the
environment a single skipped test is a failure. A test that is interrupted by
SIGTERM fails, and no further test is begun; what the tests set up is cleaned
up first.
"""

import os
import signal
import sys
import time
import unittest

SKIPPED = 77


class Terminated(Exception):
    """SIGTERM came."""


class Result(unittest.TextTestResult):
    """Says with --verbose how long each test took."""

    passed = 0

    def startTestRun(self):
        super().startTestRun()
        signal.signal(signal.SIGTERM, self.terminate)

    def terminate(self, *_):
        self.stop()
        raise Terminated

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1

    def stopTest(self, test):
        super().stopTest(test)
        if self.showAll:
            self.stream.writeln(f"    {time.monotonic() - self.started:.1f} s")


class Runner(unittest.TextTestRunner):
    resultclass = Result


def exit_code(result):
    if not result.wasSuccessful():
        return 1
    if result.skipped and os.environ.get("HOST_TESTS") == "required":
        print(f"{len(result.skipped)} skipped, and HOST_TESTS=required",
              file=sys.stderr)
        return 1
    return SKIPPED if result.skipped and not result.passed else 0


if __name__ == "__main__":
    sys.exit(exit_code(unittest.main(module=None, testRunner=Runner,
                                     exit=False).result))
