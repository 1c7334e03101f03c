"""A test host: a booted systemd in a container with a network of its own.

It has an origin (git://127.0.0.1/app.git), an author's clone that pushes to
it, and a checkout where the original script has it. Use as a context: nothing
is left afterwards. Needs root.
"""

import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

import support
from support import TOP, can_stage

FOLDER = TOP / "tests/host"
APP = FOLDER / "app"
CHECKOUT = "/home/ubuntu/sinesiAI"
ORIGIN = "/srv/git/app.git"
AUTHOR = "/root/author"
UNIT = "deployment-update"
ERR = 3  # syslog priorities
WARNING = 4

# Matches a duration as the program tells it.
DURATION = r"\d+\.\d s|\d+ min \d+ s|\d+ h \d+ min"

FRONT_END = 3000
BACK_END = 8000

GIT_DAEMON = """[Unit]
Description=The origin

[Service]
ExecStart=/usr/bin/git daemon --reuseaddr --export-all --base-path=/srv/git

[Install]
WantedBy=multi-user.target
"""

# Each question starts processes on the host, and others may be at work beside.
until = functools.partial(support.until, pause=0.5)

IDENTITY = ["-c", "user.name=Author", "-c", "user.email=author@example.com"]


def base_root(*options):
    """Returns the path of the root that hosts are copies of, and builds it
    when need be, with options of build-root. Its release is $HOST_RELEASE, or
    this machine's own. Raises SkipTest where hosts cannot be booted."""
    if os.geteuid() != 0:
        raise unittest.SkipTest("hosts are booted by root only")
    for tool in ("systemd-nspawn", "nsenter", "unshare", "setpriv"):
        if not shutil.which(tool):
            raise unittest.SkipTest(f"{tool} is missing")
    if not can_stage():
        raise unittest.SkipTest("no mounts are allowed here")
    release = os.environ.get("HOST_RELEASE")
    built = subprocess.run(
        [FOLDER / "build-root", *options,
         *(["--release", release] if release else [])],
        stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode != 0:
        raise unittest.SkipTest("there is no root to boot, see above")
    return built.stdout.strip()


def poll_of(unit):
    """The unit that looks whether one of ours has something to do."""
    return unit.replace(UNIT, f"{UNIT}-poll", 1)


class Cgroup:
    """A group of its own in the hierarchies that systemd uses, else two
    hosts would see each other's processes."""

    def __init__(self, name):
        self._folders = [folder / name for folder in self._parents()]
        for folder in self._folders:
            folder.mkdir()

    @staticmethod
    def _parents():
        mounts = [line.split() for line in
                  Path("/proc/self/mounts").read_text().splitlines()]
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for _, target, kind, options, *_ in mounts:
                if (controllers == "" and kind == "cgroup2") or (
                        controllers == "name=systemd" and kind == "cgroup"
                        and "name=systemd" in options.split(",")):
                    yield Path(target) / path.lstrip("/")
                    break

    def enter(self):
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def _emptied(self):
        for top in self._folders:
            for folder, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:  # the kernel lags behind the processes
                    return False
        return True

    def remove(self):
        until("the container's processes to be gone", self._emptied, 10)


class Root:
    """A writable copy of the base root; /home is a plain folder, so that
    folders in it can be exchanged."""

    def __init__(self, base, folder):
        self.path = folder / "root"
        self.home = folder / "home"
        self._mounted = False
        self._lay(base, folder)
        shutil.copytree(base / "home", self.home, symlinks=True)
        for path in [self.home, *self.home.rglob("*")]:
            user = 0 if path == self.home else 1000
            os.chown(path, user, user, follow_symlinks=False)

    def _lay(self, base, folder):
        for name in ["root", "upper", "work"]:
            (folder / name).mkdir()
        options = (f"lowerdir={base},upperdir={folder / 'upper'},"
                   f"workdir={folder / 'work'}")
        overlay = subprocess.run(
            ["mount", "-t", "overlay", "overlay", "-o", options, self.path],
            stderr=subprocess.DEVNULL, check=False)
        self._mounted = overlay.returncode == 0
        if not self._mounted:
            subprocess.run(["cp", "-a", "--reflink=auto", "-T", base,
                            self.path], check=True)

    def remove(self):
        if self._mounted:
            subprocess.run(["umount", "--lazy", self.path], check=True)


class Host:
    def __init__(self, base, name="host"):
        self._base = Path(base)
        self._name = f"{name}-{os.getpid()}"
        self._nspawn = None

    def __enter__(self):
        # Not below /tmp, which may be in memory.
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self._name}-",
                                            dir="/var/tmp"))
        self._cgroup = Cgroup(self._name)
        try:
            self._root = Root(self._base, self.folder)
            self.write("/etc/systemd/system/origin.service", GIT_DAEMON)
            self.write("/etc/hostname", "testhost\n")
            self.boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._kill()
        if hasattr(self, "_root"):
            self._root.remove()
        self._cgroup.remove()
        shutil.rmtree(self.folder)

    # The machine

    def boot(self):
        self.console = self.folder / "console.log"
        with self.console.open("ab") as console:
            self._nspawn = subprocess.Popen(
                ["systemd-nspawn", f"--directory={self._root.path}",
                 f"--bind={self._root.home}:/home", f"--machine={self._name}",
                 "--register=no", "--keep-unit", "--private-network",
                 "--console=read-only", "--boot"],
                stdin=subprocess.DEVNULL, stdout=console,
                stderr=subprocess.STDOUT, preexec_fn=self._cgroup.enter)
        self._wait_for_boot()

    def _wait_for_boot(self):
        until("systemd to be up", lambda: self.first_process() and self.run(
            "systemctl", "is-system-running", check=False
        ).stdout.strip() in ("running", "degraded"), 120)

    def first_process(self):
        """The container's first process."""
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}"
                        "/children").read_text().split()
        return int(children[0]) if children else None

    def reboot(self):
        # With --keep-unit, nspawn leaves it to its caller to start it again.
        self.run("systemctl", "reboot", check=False)
        self._nspawn.wait(120)
        self.boot()

    def _kill(self):
        if self._nspawn is None or self._nspawn.poll() is not None:
            return
        init = self.first_process()
        if init:
            os.kill(init, signal.SIGKILL)
        else:
            self._nspawn.kill()
        self._nspawn.wait(30)

    # Inside

    def run(self, *command, user="root", check=True, timeout=120, **options):
        """Runs a program as `user`, in a clean environment."""
        home = "/root" if user == "root" else f"/home/{user}"
        become = [] if user == "root" else ["runuser", "-u", user, "--"]
        result = subprocess.run(
            ["nsenter", "-t", str(self.first_process()), "-m", "-u", "-i",
             "-n", "-p", "-C", "-r", "-w", "--", "/usr/bin/env", "-i",
             f"HOME={home}",
             f"USER={user}", "LANG=C.UTF-8",
             "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
             "/bin", *become, *map(str, command)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, timeout=timeout, check=False,
            **options)
        if check and result.returncode != 0:
            raise AssertionError(
                f"{' '.join(map(str, command))}: exit {result.returncode}\n"
                f"{result.stdout}{result.stderr}")
        return result

    def shell(self, script, **options):
        return self.run("/bin/bash", "-ec", script, **options).stdout

    def outside(self, path):
        """Returns the path that this process has for one of the host."""
        path = Path(path)
        if path.is_relative_to("/home"):
            return self._root.home / path.relative_to("/home")
        return self._root.path / path.relative_to("/")

    def write(self, path, text, mode=0o644):
        target = self.outside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def copy(self, source, path):
        """Copies a file or a folder into the host."""
        subprocess.run(["cp", "-a", "-T", source, self.outside(path)],
                       check=True)

    # The application

    def make_origin(self):
        """An origin with the sample application on prod."""
        self.run("systemctl", "enable", "--now", "origin.service")
        self.run("git", "init", "-q", "--bare", "-b", "prod", ORIGIN)
        self.run("git", "clone", "-q", ORIGIN, AUTHOR, timeout=30)
        self.run("git", "-C", AUTHOR, "checkout", "-q", "-b", "prod")
        files = {str(path.relative_to(APP)): path.read_text()
                 for path in APP.rglob("*") if path.is_file()
                 and path.name not in ("gitignore", "package-with-ms.json")}
        files[".gitignore"] = (APP / "gitignore").read_text()
        return self.push("The application", files)

    def clone(self, user):
        self.run("git", "clone", "-q", "-b", "prod",
                 "git://127.0.0.1/app.git", CHECKOUT, user=user)

    def push(self, subject, files):
        """Commits files and pushes; returns the commit."""
        for path, text in files.items():
            self.write(f"{AUTHOR}/{path}", text)
        if "frontend/package.json" in files:  # as its author would
            self.run("npm", "install", "--package-lock-only", "--prefix",
                     f"{AUTHOR}/frontend")
        git = ["git", "-C", AUTHOR, *IDENTITY]
        self.run(*git, "add", "-A")
        self.run(*git, "commit", "-q", "-m", subject)
        self.run(*git, "push", "-q", "origin", "prod")
        return self.run(*git, "rev-parse", "HEAD").stdout.strip()

    def install(self, stage, *options):
        """Runs scripts/install with the files of `stage`, and with that the
        first deployment; returns what it said."""
        self.copy(stage, "/srv/stage")
        self.copy(TOP / "scripts/install", "/srv/install")
        return self.run("/srv/install", "--stage", "/srv/stage", *options,
                        timeout=300).stdout

    def hurry_timer(self, seconds, unit=UNIT):
        """Lets the timer elapse more often than every minute."""
        self.write(f"/etc/systemd/system/{unit}.timer.d/zz-hurry.conf",
                   "[Timer]\nOnBootSec=\nOnBootSec=1s\n"
                   f"OnUnitActiveSec={seconds}s\n")
        self.run("systemctl", "daemon-reload")

    def push_back_end(self, text, subject=None):
        server = (APP / "backend/server.py").read_text()
        return self.push(subject or f"Serve {text}", {
            "backend/server.py": server.replace("back end 1", text)})

    def fetch(self, port, path="/"):
        """Returns what a port serves; empty when it does not."""
        return self.run("curl", "-sf", "--max-time", "5",
                        f"http://127.0.0.1:{port}{path}", check=False).stdout

    def wait_for_back_end(self, text, seconds=120):
        until(f"port {BACK_END} to serve '{text}'",
              lambda: self.fetch(BACK_END) == text, seconds)

    def wait_for_front_end(self, text, seconds=120):
        until(f"port {FRONT_END} to serve '{text}'",
              lambda: text in self.fetch(FRONT_END, "/main.js"), seconds)

    def head(self):
        return self.run("git", "-C", CHECKOUT, "-c",
                        f"safe.directory={CHECKOUT}", "rev-parse",
                        "HEAD").stdout.strip()

    def listing(self, folder=CHECKOUT):
        """Every file below a folder with its size and times, but for those
        of reading."""
        return self.run("find", folder, "-printf",
                        "%p %y %U %m %i %s %T@ %C@\\n").stdout.splitlines()

    def show(self, unit, name):
        return self.run("systemctl", "show", "--value", f"--property={name}",
                        unit).stdout.strip()

    # The journal

    def cursor(self):
        """Returns where the journal ends now."""
        self.run("journalctl", "--sync")
        shown = self.run("journalctl", "-n", "0", "--show-cursor").stdout
        return shown.split("cursor: ")[1].strip()

    def journal_text(self, after=None, unit=UNIT, *options):
        """Returns what a person sees of a unit and of its poll, from the
        cursor on."""
        self.run("journalctl", "--sync")
        # --after-cursor skips an entry that matches, wherever the cursor is.
        since = ["--cursor", after] if after else []
        return self.run("journalctl", "-u", unit, "-u", poll_of(unit),
                        "--no-pager", *since, *options).stdout

    def is_at_work(self, unit=UNIT):
        """True while a run or a poll works, or waits for its start."""
        shown = self.run("systemctl", "show", "--property=ActiveState,Job",
                         f"{poll_of(unit)}.service",
                         f"{unit}.service").stdout.split()
        idle = {"ActiveState=inactive", "ActiveState=failed", "Job="}
        return not idle >= set(shown)

    def journal(self, after=None, unit=UNIT):
        """The program's own lines under systemd, oldest first."""
        text = self.journal_text(after, unit, "-o", "json", "--all")
        entries = [json.loads(line) for line in text.splitlines()]
        return [Line(entry) for entry in entries
                if entry["_PID"] != "1" and entry["__CURSOR"] != after]


class Line:
    """One entry of the journal."""

    def __init__(self, entry):
        message = entry["MESSAGE"]
        if not isinstance(message, str):  # systemd's way with odd characters
            message = bytes(message).decode(errors="replace")
        self.text = message
        self.priority = int(entry["PRIORITY"])
        self.pid = entry["_PID"]
        self.time = int(entry["__REALTIME_TIMESTAMP"]) / 1e6  # seconds
