"""What the integration tests share: a folder with an origin, a checkout and
stand-ins for what the program calls on a host.

The program under test is the real binary, named by $DEPLOYMENT_UPDATE; git is
the real git.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

BINARY = os.environ["DEPLOYMENT_UPDATE"]
NOBODY = 65534  # a user and group that every system has
PATIENCE = 60  # seconds; nothing here takes that long

CONFIG = "settle = 0\n"

# What the stand-ins need of the system; no other program is on PATH.
TOOLS = ["git", "sh", "rm", "mkdir", "cat", "chmod", "cp", "mv", "echo"]

STAND_INS = {
    "npm": """#!/bin/sh
echo "npm $*" >>"$CALLS"
echo "added 1 package"
echo "a warning" >&2
""",
    "python3": """#!/bin/sh
if [ "$1" = --version ]; then
  echo "Python 3.11.2"
  exit
fi
echo "python3 $*" >>"$CALLS"
mkdir -p "$3/bin"
cat >"$3/bin/pip" <<'END'
#!/bin/sh
echo "pip $*" >>"$CALLS"
echo "Successfully installed"
END
chmod 755 "$3/bin/pip"
""",
    # Each restart is another invocation; the main process is the test itself.
    "systemctl": """#!/bin/sh
case $1 in
restart)
  echo "systemctl $*" >>"$CALLS"
  echo x >>"$INVOCATIONS"
  ;;
show)
  echo ActiveState=active
  echo SubState=running
  echo Result=success
  echo "MainPID=$LIVE_PID"
  echo NRestarts=0
  echo "InvocationID=$(cat "$INVOCATIONS" | git hash-object --stdin)"
  ;;
esac
""",
}

FIRST_FILES = {
    ".gitignore": "node_modules/\nvenv/\n",
    "frontend/package.json": '{"version": "1"}\n',
    "backend/requirements.txt": "flask==1\n",
    "backend/server.py": "app = 1\n",
}


class World:
    """Use as a context: the folder is gone at the end."""

    def __init__(self, checkout="app", clone_options=()):
        self._folder = tempfile.TemporaryDirectory(prefix="integration-")
        # The temporary folder's own path may hold symbolic links.
        self.root = Path(self._folder.name).resolve()
        self.root.chmod(0o755)
        self.origin = self.root / "origin.git"
        self.author = self.root / "author"
        self.checkout = self.root / checkout
        self.state = self.root / "state"
        self.bin = self.root / "bin"
        self.calls_file = self.root / "calls"
        self.environment = {
            "PATH": str(self.bin), "HOME": str(self.root / "home"),
            "LC_ALL": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1",
            "CALLS": str(self.calls_file), "LIVE_PID": str(os.getpid()),
            "INVOCATIONS": str(self.root / "invocations"),
            "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org",
        }
        self._build(clone_options)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._folder.cleanup()

    def _build(self, clone_options):
        (self.root / "home").mkdir()
        self.bin.mkdir()
        (self.root / "invocations").touch()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))
        for name, text in STAND_INS.items():
            self.stand_in(name, text)
        self.config(CONFIG)
        self.git(self.root, "init", "-q", "--bare", "-b", "prod", self.origin)
        self.git(self.root, "init", "-q", "-b", "prod", self.author)
        self.git(self.author, "remote", "add", "origin", self.origin)
        self.push("First", FIRST_FILES)
        self.git(self.root, "clone", "-q", *clone_options,
                 self.origin.as_uri(), self.checkout)

    def stand_in(self, name, text):
        path = self.bin / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def config(self, text):
        path = self.root / "deployment-update.conf"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)

    def git(self, folder, *arguments):
        return subprocess.run(
            ["git", *map(str, arguments)], cwd=folder, check=True,
            env=self.environment | {"GIT_OPTIONAL_LOCKS": "0"},
            capture_output=True, text=True, timeout=PATIENCE).stdout

    def push(self, subject, files):
        """Commits `files` (path: text, None: removed) and pushes."""
        for name, text in files.items():
            path = self.author / name
            if text is None:
                path.unlink()
                if not any(path.parent.iterdir()):
                    path.parent.rmdir()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        self.git(self.author, "add", "--all")
        self.git(self.author, "commit", "-q", "-m", subject)
        self.git(self.author, "push", "-q", "origin", "prod")
        return self.git(self.author, "rev-parse", "HEAD").strip()

    def commit(self):
        return self.git(self.checkout, "rev-parse", "HEAD").strip()

    def arguments(self, *more):
        return [BINARY, f"--config={self.root / 'deployment-update.conf'}",
                f"--repo-dir={self.checkout}", f"--state-dir={self.state}",
                *map(str, more)]

    def run(self, *more, **options):
        return self.run_program(self.arguments(*more), **options)

    def run_program(self, command, environment=None, **options):
        return subprocess.run(
            command, cwd="/", env=self.environment | (environment or {}),
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=PATIENCE, **options)

    def calls(self):
        """What the stand-ins were asked since the last time."""
        if not self.calls_file.exists():
            return []
        lines = self.calls_file.read_text(encoding="utf-8").splitlines()
        self.calls_file.unlink()
        return lines


def main():
    """Runs the tests of the calling file. Where HOST_TESTS=required, a test
    that is skipped is a test that fails."""
    result = unittest.main("__main__", exit=False).result
    if result.skipped and os.environ.get("HOST_TESTS") == "required":
        sys.exit(f"skipped, and HOST_TESTS=required: {result.skipped}")
    sys.exit(not result.wasSuccessful())


def wait_for(truth):
    """Looks until truth() holds; fails when that takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not truth():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE} s for {truth}")
        time.sleep(0.01)


def started_by(variable, value):
    """The processes that have variable=value in their environment."""
    entry = f"{variable}={value}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if entry in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:
            pass  # it ended meanwhile
    return found


def _describe(path):
    status = path.lstat()
    content = ""
    if path.is_symlink():
        content = os.readlink(path)
    elif path.is_file():
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    return (status.st_ino, oct(status.st_mode), status.st_uid, status.st_gid,
            status.st_size, status.st_mtime_ns, status.st_ctime_ns, content)


def listing(*folders):
    """Everything in `folders` and themselves; reading alone changes none."""
    found = {}
    for folder in folders:
        found[str(folder)] = _describe(folder) if folder.exists() else None
        for path in sorted(folder.rglob("*")):
            found[str(path)] = _describe(path)
    return found
