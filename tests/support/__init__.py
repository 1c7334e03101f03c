"""Holds what the tests and the scripts share.

It is found because the folder tests/ is on Python's path. Tests are modules
below that folder and run from there:

    cd tests
    python3 -m support integration.staged             # one file
    python3 -m support -v integration.units.Units.test_a_run_has_an_outer_bound
    python3 -m host Changes                           # on a booted host

`python3 -m support` is `python3 -m unittest` with other exit codes for tests
that are skipped, see __main__.py. A script that is run by its path puts
tests/ on the path itself: see scripts/bench and scripts/crash-test. Imports go
one way: scripts and tests import support, and support imports neither.

    world           an origin, a checkout and stand-ins for a run of the binary
    repositories    the part of it that is git alone
    stand_ins/      npm, node, python3 and systemctl of a world, in shell
    units_of_a_host a systemctl that knows which units a host has (--check)
    recorder        the same four, which log every call (faithful/)
    service_manager a systemctl that really starts services (scripts/demo)
    serving         a world whose back end is a real server
    record          reads the record of deployments and changes it
    attackers       what a second user does while root deploys in his folder
    exchanger       his program that exchanges names as fast as it can
    tracing, peak   system calls and memory of a run
    users           processes of other users
    servers         git over http and ssh, on loopback
    figures         refuses figures of a benchmark that cannot be true
    host            a booted systemd in a container

The environment's DEPLOYMENT_UPDATE names the program under test, and
BUILD_DIRECTORY the folder it was built in; without them it is build/.
HOST_TESTS=required makes a skipped test a failure.
"""

import functools
import os
import shutil
import subprocess
import time
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD_DIRECTORY", TOP / "build")).absolute()
BINARY = Path(os.environ.get("DEPLOYMENT_UPDATE",
                             BUILD / "deployment-update")).absolute()
# The script that the program replaces; it is no part of this repository.
REFERENCE_SCRIPT = Path(os.environ.get(
    "REFERENCE_SCRIPT",
    TOP.parent / "shared/reference/deployment-update.sh"))

NOBODY = 65534  # a user and group that every system has
PATIENCE = 60  # seconds; nothing in a world takes that long


@functools.cache
def can_stage():
    """True where this user may have a mount namespace, and so the program
    can build aside."""
    return subprocess.run(["unshare", "--mount", "true"], check=False,
                          stderr=subprocess.DEVNULL).returncode == 0


# Decorators of tests and test cases.
needs_root = unittest.skipUnless(os.geteuid() == 0, "needs root")
needs_staging = unittest.skipUnless(
    can_stage(), "needs mount namespaces to build aside, so root")


class Timeout(Exception):
    """An expected event did not come in time."""


def until(what, question, seconds=PATIENCE, pause=0.1):
    """Asks until the answer is true, and returns it; `what` is said when that
    takes too long."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Timeout(f"{what}: not within {seconds} s")
        time.sleep(pause)


def require(truth, text):
    if not truth:
        raise AssertionError(text)


def install_program(folder, build=BUILD):
    """Puts below `folder` what `cmake --install` puts on a host, with
    $HOST_PROGRAM, when it is set, as the program."""
    subprocess.run(
        ["cmake", "--install", build, "--prefix", "/usr/local"], check=True,
        env=os.environ | {"DESTDIR": str(folder)}, stdout=subprocess.DEVNULL,
        timeout=PATIENCE)
    program = os.environ.get("HOST_PROGRAM")
    if program:
        shutil.copy(program, Path(folder) / "usr/local/bin/deployment-update")


def build_package(folder, version=None):
    """Puts the Debian package into `folder`, as of `version` or the program's
    own, and returns its path."""
    folder = Path(folder) / (version or "package")
    subprocess.run(
        ["cpack", "-G", "DEB", "-B", folder, "-D",
         "CPACK_DEBIAN_COMPRESSION_TYPE=gzip",
         *(["-R", version] if version else [])],
        cwd=BUILD, check=True, stdout=subprocess.DEVNULL,
        timeout=5 * PATIENCE)
    return next(folder.glob("*.deb"))
