"""Attempts, as an install script of the owner, to get at what is root's, and
prints the outcome of each as probe.py does.

It runs in frontend/ of the stage. What it leaves there is in the way of the
run that follows.
"""

import fcntl
import os
import subprocess
from pathlib import Path

SECRET = b"the secret " + b"of root"  # so that this file does not hold it
LOCKS = Path("/run/deployment-update")


def fail_unless(truth):
    if not truth:
        raise PermissionError


def holds_secret(path):
    try:
        return path.is_file() and SECRET in path.read_bytes()
    except OSError:
        return False


def read_secret():
    """Wherever it could be shown."""
    fail_unless(any(holds_secret(Path(folder, name))
                    for top in ("..", "/srv/of-root")
                    for folder, _, names in os.walk(top)
                    for name in names
                    if "node_modules" not in Path(folder).parts))


def become_root():
    shown = subprocess.run(["/usr/local/bin/id-of-root", "-u"], text=True,
                           stdout=subprocess.PIPE, check=True).stdout
    fail_unless(shown.strip() == "0")


def see_variable():
    fail_unless(any(SECRET.decode() in value
                    for value in os.environ.values()))


def see_variables_of_root():
    fail_unless(any(holds_secret(process / "environ")
                    for process in Path("/proc").glob("[0-9]*")
                    if process.stat().st_uid == 0))


def hold_lock_of_root():
    locks = list(LOCKS.iterdir())
    fail_unless(locks)
    for path in locks:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_to_git():
    for name in ("HEAD", "index", "config"):
        with open(f"../.git/{name}", "ab"):
            return


ATTEMPTS = {
    "read a file of root": read_secret,
    "become root by a setuid program": become_root,
    "see a variable of the unit": see_variable,
    "see the variables of root's processes": see_variables_of_root,
    "hold the lock of root": hold_lock_of_root,
    "write to .git": write_to_git,
}


def outcome(attempt):
    try:
        attempt()
    except (OSError, subprocess.SubprocessError):
        return "refused"
    return "allowed"


for name, attempt in ATTEMPTS.items():
    print(f"probe: {name}: {outcome(attempt)}")
for name in (".deployment-update", ".deployment-update.new"):
    Path("node_modules", name).unlink(missing_ok=True)
    os.mkfifo(f"node_modules/{name}")
