"""A folder with an origin, a checkout and stand-ins for what the program
calls on a host.

The program under test is the real binary, git is the real git. A program
passes few of its variables on, so the stand-ins have those of World.tell() in
a file beside them, `variables`, which each of them reads.

A deployment in a world builds aside, as on a host. One that builds in place
fails its test, unless the test asks for that: by the program's own setting or
option, or by World.in_place where something else is the reason. Users who may
make no mount namespace build in place everywhere: tests of what is built aside
are skipped then (support.needs_staging).
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import BINARY, PATIENCE, can_stage, require
from support.repositories import FIRST_FILES, Repositories

STAND_INS = Path(__file__).resolve().parent / "stand_ins"

CONFIG = "settle = 0\n"
FRONTEND_SECTION = """\
[frontend]
type = npm
service = frontend-deployment.service
"""
BACKEND_SECTION = """\
[backend]
type = python
service = backend-deployment.service
"""
COMPONENTS = CONFIG + FRONTEND_SECTION + BACKEND_SECTION

# Each process that systemd starts has it; a run without it is one by hand.
OF_TIMER = {"INVOCATION_ID": "0123456789abcdef0123456789abcdef"}
IN_PLACE = CONFIG + "build = in-place\n"

# Programs of the system that the program and the stand-ins need; no other is
# on PATH.
TOOLS = ["git", "sh", "rm", "mkdir", "cat", "chmod", "cp", "mv", "grep",
         "true"]


class World(Repositories):
    """Use as a context: the folder is gone at the end."""

    def __init__(self, checkout="app", clone_options=(), config=CONFIG):
        self._folder = tempfile.TemporaryDirectory(prefix="integration-")
        # The temporary folder's own path may hold symbolic links.
        super().__init__(Path(self._folder.name).resolve(), checkout)
        self.root.chmod(0o755)
        self.state = self.root / "state"
        self.record = self.state / "record"
        self.bin = self.root / "bin"
        self.services = self.root / "services"
        self.calls_file = self.root / "calls"
        self.down = self.root / "down"
        self.config_file = self.root / "deployment-update.conf"
        self.in_place = False
        self.environment["PATH"] = str(self.bin)
        self._make_bin()
        self._told = {}
        self.tell(BIN=self.bin, CALLS=self.calls_file, SERVICES=self.services,
                  DOWN=self.down, CHECKOUT=self.checkout)
        self.services.mkdir()
        self.calls_file.touch()
        self.calls_file.chmod(0o666)  # stand-ins may run as any user
        self.config(config)
        self.make_repositories("First", FIRST_FILES, clone_options)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._folder.cleanup()

    def _make_bin(self):
        self.bin.mkdir()
        for tool in TOOLS:
            self.link_tool(tool)
        for path in STAND_INS.iterdir():
            shutil.copy(path, self.bin)

    def tell(self, **variables):
        """Gives the stand-ins variables, beside those that they have."""
        self._told |= variables
        (self.bin / "variables").write_text("".join(
            f"{name}={shlex.quote(str(value))}\n"
            for name, value in self._told.items()), encoding="utf-8")

    def link_tool(self, name):
        """One more program of the system."""
        (self.bin / name).symlink_to(shutil.which(name))

    def stand_in(self, name, text):
        path = self.bin / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def stand_in_text(self, name):
        return (self.bin / name).read_text(encoding="utf-8")

    def give_to(self, user):
        """Checkout and origin belong to `user` from here on: git refuses to
        fetch from a repository of somebody else."""
        subprocess.run(["chown", "-R", f"{user}:{user}", self.checkout,
                        self.origin], check=True)

    def config(self, text):
        self.config_file.write_text(text, encoding="utf-8")
        self.config_file.chmod(0o644)

    def install_by_hand(self):
        """As if the environments had been there before the program."""
        (self.checkout / "frontend/node_modules").mkdir()
        interpreter = self.checkout / "backend/venv/bin/python3"
        interpreter.parent.mkdir(parents=True)
        interpreter.touch()

    def push(self, subject, files):
        """Commits `files` (path: text, None: removed) and pushes; returns the
        commit."""
        self.commit_files(subject, files)
        self.push_commits()
        return self.git(self.author, "rev-parse", "HEAD").strip()

    def push_version(self, version, **more):
        """A push that changes what both components are made from."""
        return self.push(f"Version {version}", files_of(version) | more)

    def commit(self):
        """The commit that is checked out."""
        return self.git(self.checkout, "rev-parse", "HEAD").strip()

    def lock_file(self):
        """The file that a run of this user locks here, when the checkout is
        his own, and each run of root."""
        if os.geteuid() != 0:
            return self.checkout / ".git/deployment-update/lock"
        status = self.checkout.stat()
        return Path("/run/deployment-update/"
                    f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}-"
                    f"{status.st_ino}.lock")

    def in_use(self):
        """Returns what the environments in use were made from."""
        return [(self.checkout / path / "made-from").read_text()
                for path in ("frontend/node_modules", "backend/venv")]

    def running(self):
        """Returns what the services run: the commit, and what the environment
        was made from, at their last restart."""
        return [(self.services / f"{name}-deployment.service").read_text()
                for name in ("frontend", "backend")]

    def arguments(self, *more):
        return [str(BINARY), f"--config={self.config_file}",
                f"--repo-dir={self.checkout}", f"--state-dir={self.state}",
                *map(str, more)]

    def run(self, *more, **options):
        return self.run_program(self.arguments(*more), **options)

    def run_program(self, command, environment=None, **options):
        run = subprocess.run(
            command, cwd="/", env=self.environment | (environment or {}),
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=PATIENCE, **options)
        require(not built_in_place(run) or self.may_build_in_place(command),
                f"nobody asked to build in place:\n{run.stdout}{run.stderr}")
        return run

    def may_build_in_place(self, command):
        return (self.in_place or "--build=in-place" in command
                or "build = in-place\n" in self.config_file.read_text()
                or not can_stage())

    def calls(self):
        """Returns what the stand-ins were asked since the last time."""
        lines = self.calls_file.read_text(encoding="utf-8").splitlines()
        os.truncate(self.calls_file, 0)
        return lines


class WorldCase(unittest.TestCase):
    """Tests in a world of their own."""

    world: World

    def deploy(self, promised, *more, **options):
        """Runs the program, which ends with the exit code that is promised;
        returns what it says."""
        run = self.world.run(*more, **options)
        self.assertEqual(run.returncode, promised, run.stderr)
        return run.stderr


def files_of(version):
    return {"frontend/package.json": f'{{"version": "{version}"}}\n',
            "backend/requirements.txt": f"flask=={version}\n"}


def made_from(version):
    """Returns what World.in_use() tells of a version's environments."""
    return list(files_of(version).values())


def built_in_place(run):
    """True when a run says that it builds, or plans to build, in place."""
    return ("environments are built in place: " in run.stderr
            or "\nIn place: " in run.stdout)


def built_aside(run):
    """True when a run says that it built its environments aside."""
    return " aside: " in run.stderr


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
