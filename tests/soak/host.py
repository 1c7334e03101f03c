"""The host of a history: an origin, its author, a checkout, services, and a
disk of its own that can be full.

What was pushed and committed is kept by commit, so that a judge needs neither
the program's record nor its words to know what must be.
"""

import os
import random
import shutil
import subprocess
from pathlib import Path
from unittest import mock

from support import PATIENCE, require, until
from support.record import make_due
from support.repositories import FIRST_FILES
from support.world import World

STRACE = shutil.which("strace")
UNSHARE = shutil.which("unshare")
DISK = 24  # MiB
RENAMED = "backend-renamed.service"

FIRST = {
    ".gitignore": "node_modules/\nvenv/\n.env\n",
    "README": "1\n",
    "docs/a": "1\n",
    "shape": "1\n",
    "frontend/package.json": '{"version": "1"}\n',
    "frontend/package-lock.json": "1\n",
    "frontend/app.js": "1\n",
    "backend/requirements.txt": "flask==1\n",
    "backend/server.py": "1\n",
}

# Of a component: its manifest, its environment, and what its service loads.
PARTS = {
    "frontend": ("package.json", "node_modules", "app.js"),
    "backend": ("requirements.txt", "venv", "server.py"),
}

# Beside what the stand-in notes at a restart: what the service loads.
SYSTEMCTL = """#!/bin/sh
# shellcheck source=/dev/null
. "${0%/*}/variables"
if [ -e "$SERVICES/systemctl.fails" ]; then
  echo "Failed to connect to bus" >&2
  exit 1
fi
"$0.real" "$@" || exit
[ "$1" = restart ] || exit 0
case $2 in
frontend*) file=frontend/app.js ;;
*) file=backend/server.py ;;
esac
cat "$CHECKOUT/$file" >"$SERVICES/$2.loaded" 2>/dev/null
exit 0
"""

# How often a staged deployment makes the calls where it is killed. (These are
# the ones that it makes itself; its commands are killed with it, or not.)
CALLS = {"close": 328, "read": 156, "openat2": 119, "ppoll": 115, "waitid": 94,
         "newfstatat": 92, "pipe2": 90, "fcntl": 51, "getdents64": 50,
         "openat": 49, "kill": 49, "vfork": 45, "write": 37, "mkdirat": 33,
         "fsync": 30, "renameat": 19, "fchmod": 15, "mkdir": 12,
         "unlinkat": 10, "renameat2": 2}
# Those that change something: seldom, and where a kill matters most.
CHANGES = ["write", "fsync", "renameat", "renameat2", "mkdirat", "vfork",
           "waitid", "unlinkat"]


# The registry may be away.
NPM = """#!/bin/sh
# shellcheck source=/dev/null
. "${0%/*}/variables"
if [ -e "$SERVICES/npm.fails" ]; then
  echo "npm error network" >&2
  exit 1
fi
exec "$0.real" "$@"
"""


# git is killed as it moves the work tree, and the program with it.
DYING_GIT = """#!/bin/sh
case " $* " in
*" merge "* | *" reset "* | *" checkout "*)
  {strace} -qq -o /dev/null -e inject={call}:signal=KILL:when={time} {git} "$@"
  status=$?
  [ $status -lt 128 ] || kill -KILL $PPID
  exit $status
  ;;
esac
exec {git} "$@"
"""
# As git makes them in a move: it removes a file, writes another one there, and
# puts its index and its branch in place.
CALLS_OF_A_MOVE = {"unlink": 4, "write": 6, "rename": 2, "close": 30}


class SoakHost(World):
    """Made once for many histories; begin() puts the state before back: one
    deployment is done."""

    _date = 0  # of the last commit, in seconds

    def __init__(self):
        super().__init__(checkout="disk/app", config="settle = 0\n")
        for name, text in (("systemctl", SYSTEMCTL), ("npm", NPM)):
            self.stand_in(f"{name}.real", self.stand_in_text(name))
            self.stand_in(name, text)
        self.state = self.disk / "state"
        self.record = self.state / "record"
        self.temporary = self.disk / "tmp"
        self.temporary.mkdir()
        self.environment["TMPDIR"] = str(self.temporary)
        self.link_tool("head")
        self.oldest = self.tip = self.commit()
        self._forget()
        self.push(FIRST)
        self.git(self.checkout, "pull", "-q")
        run = self.run("--force")
        require(run.returncode == 0, run.stderr)
        self.first = self.tip
        self.before = self.root.with_name(self.root.name + ".before")
        subprocess.run(["cp", "-a", self.root, self.before], check=True)

    def make_repositories(self, *arguments):
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}m",
                        "tmpfs", self.disk], check=True)
        with mock.patch.dict(self.environment, self._dates()):
            super().make_repositories(*arguments)

    @property
    def disk(self):
        return self.root / "disk"

    def __exit__(self, *unused):
        shutil.rmtree(self.before, ignore_errors=True)
        subprocess.run(["umount", "--lazy", self.disk], check=True)
        super().__exit__(*unused)

    def begin(self):
        """Forgets the history before."""
        # The place of the disk is busy and stays.
        subprocess.run(["sh", "-c", 'rm -rf "$1"/*; cp -a "$2/." "$1"', "sh",
                        self.root, self.before], check=True,
                       stderr=subprocess.DEVNULL)
        self._forget()
        self.tip = self.first
        self.trees[self.first] = dict(FIRST)
        self.parents[self.first] = self.oldest
        self.pushed.append(self.first)
        self.settings = {"frontend": True, "backend": True, "renamed": False,
                         "reset": False, "in-place": False}
        self.filler = None
        self.asked = None  # the commit of --rollback COMMIT
        self.told_lines = []
        self.runs = 0
        self.is_well = self.was_well = True  # as the judge saw it

    def _forget(self):
        self._date = 0
        self.trees = {self.oldest: dict(FIRST_FILES)}
        self.parents = {self.oldest: None}
        self.pushed = [self.oldest]

    # The author, who commits straight into the origin

    @property
    def origin_now(self):
        """The origin, also when it is away."""
        away = self.origin.with_name("away.git")
        return away if away.exists() else self.origin

    def _dates(self):
        """Commits of the same history have the same names each time."""
        self._date += 1
        date = f"{1_700_000_000 + self._date} +0000"
        return {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}

    def author_git(self, *arguments):
        with mock.patch.dict(self.environment, self._dates()):
            return self.git(self.author, f"--git-dir={self.origin_now}",
                            f"--work-tree={self.author}", *arguments)

    def push(self, files, subject="First"):
        """The next commit has exactly `files`, beside what it had."""
        tree = dict(self.trees[self.tip])
        for name, text in files.items():
            tree.pop(name, None)
            if text is not None:
                tree[name] = text
        return self.push_tree(tree, subject)

    def push_tree(self, tree, subject, amend=False):
        write_tree(self.author, tree)
        self.author_git("add", "--all", "--force")
        self.author_git("commit", "-q", "--allow-empty", "-m", subject,
                        *(["--amend"] if amend else []))
        commit = self.author_git("rev-parse", "HEAD").strip()
        self.parents[commit] = self.parents[self.tip] if amend else self.tip
        self.trees[commit] = tree
        self.pushed.append(commit)
        self.tip = commit
        return commit

    def rewind(self, commit):
        self.author_git("reset", "-q", "--hard", commit)
        self.tip = commit

    # The checkout

    def commit_here(self, name, text):
        """A person's commit; returns it, or None when git could not."""
        before = self.commit()
        path = self.checkout / name
        was = path.read_text() if path.exists() else None
        path.write_text(text)
        self.git(self.checkout, "add", "--", name, check=False)
        self.git(self.checkout, "commit", "-q", "-m", f"Own {name}", "--",
                 name, check=False)
        commit = self.commit()
        if commit == before:  # a killed run left a lock, for one
            self.git(self.checkout, "reset", "-q", "--", name, check=False)
            path.unlink()
            if was is not None:
                path.write_text(was)
            return None
        self.parents[commit] = before
        self.trees[commit] = self.trees[before] | {name: text}
        return commit

    def ancestors(self, commit):
        """Of a commit and itself, the nearest first."""
        found = []
        while commit:
            found.append(commit)
            commit = self.parents[commit]
        return found

    def local(self):
        """The commit of the branch here."""
        return self.git(self.checkout, "rev-parse", "refs/heads/prod").strip()

    # Settings and the machine

    def set(self, **settings):
        self.settings |= settings
        lines = ["settle = 0"]
        if settings := self.settings:
            lines += ["build = in-place"] * settings["in-place"]
            lines += ["on-divergence = reset"] * settings["reset"]
        for name in self.components():
            kind = "npm" if name == "frontend" else "python"
            lines += [f"[{name}]", f"type = {kind}",
                      f"service = {self.unit_of(name)}"]
        self.config("\n".join(lines) + "\n")

    def components(self):
        """The names of those that are configured."""
        return [name for name in PARTS if self.settings[name]]

    def unit_of(self, component):
        if component == "backend" and self.settings["renamed"]:
            return RENAMED
        return f"{component}-deployment.service"

    def is_away(self):
        return not self.origin.exists()

    def go_away(self):
        self.origin.rename(self.origin.with_name("away.git"))

    def come_back(self):
        self.origin_now.rename(self.origin)

    def fill_disk(self, leave):
        self.filler = self.disk / "filler"
        free = os.statvfs(self.disk)
        size = free.f_bavail * free.f_bsize - leave
        with self.filler.open("wb") as file:
            if size > 0:
                os.posix_fallocate(file.fileno(), 0, size)

    def free_disk(self):
        if self.filler:
            self.filler.unlink()
            self.filler = None

    def fail(self, program):
        """From now on `program` fails."""
        (self.services / f"{program}.fails").touch()

    def mend(self):
        """All is well with the machine."""
        if self.is_away():
            self.come_back()
        self.free_disk()
        for path in self.services.glob("*.fails"):
            path.unlink()
        self.down.unlink(missing_ok=True)

    # Runs

    def later(self):
        """The wait for the next try is over."""
        if self.record.exists():
            make_due(self.record)

    def run_of(self, *more, by_timer=False, strace=(), namespace=False):
        """A run of the program. systemd gives its own an id."""
        self.runs += 1
        command = [*strace, *self.arguments(*more)]
        if namespace:
            # What is left there the kernel kills with its first process.
            command = [UNSHARE, "--pid", "--fork", "--mount-proc",
                       "--kill-child", *command]
        run = self.run_program(command, environment={
            "INVOCATION_ID": f"{self.runs:032x}"} if by_timer else {})
        until("what was at work to end", lambda: not self.processes(),
              seconds=5, pause=0.01)
        self.told_lines += [f"      | {line}" for line in
                            (run.stdout + run.stderr).splitlines()]
        return run

    def stopped_run(self, chance: random.Random, signal, *more):
        """Gets `signal` as it makes one of its system calls."""
        name, time = any_call(chance)
        self.told_lines.append(f"      signal {signal} at {name}, {time}")
        return self.run_of(
            *more, by_timer=not more, namespace=chance.random() < 0.5,
            strace=[STRACE, "-o", "/dev/null", "-e",
                    f"inject={name}:signal={signal}:when={time}"])

    def run_killed_in_move(self, chance: random.Random):
        """git and the run are killed as git moves the work tree."""
        call = chance.choice(list(CALLS_OF_A_MOVE))
        time = chance.randint(1, CALLS_OF_A_MOVE[call])
        self.told_lines.append(f"      git is killed at {call}, {time}")
        path = self.bin / "git"
        git = path.readlink()
        path.unlink()
        self.stand_in("git", DYING_GIT.format(strace=STRACE, git=git,
                                              call=call, time=time))
        try:
            return self.run_of(by_timer=True)
        finally:
            path.unlink()
            path.symlink_to(git)

    def processes(self):
        """Those that work in the checkout."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(process / "cwd").startswith(str(self.root)):
                    found.append(process)
            except OSError:
                pass  # it has ended
        return found


def any_call(chance):
    """(a system call of a deployment, the how manieth of its name)"""
    if chance.random() < 0.6:
        name = chance.choice(CHANGES)
    else:
        name = chance.choices(list(CALLS), list(CALLS.values()))[0]
    return name, chance.randint(1, CALLS[name])


def write_tree(folder, tree):
    """The folder holds exactly the files of the tree."""
    for path in folder.iterdir():
        if path.name == ".git":
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for name, text in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def move_by_git(host, *arguments):
    """Of a person who moves the checkout; True when git could. Where a killed
    run left a lock, git may fail when it has written files: they are taken
    back."""
    could = call_git(host, *arguments)
    if not could and any((host.checkout / ".git").rglob("*.lock")):
        call_git(host, "read-tree", "--reset", "-u", "HEAD")
    return could


def call_git(host, *arguments):
    """Of a person at the checkout; True when git could."""
    return subprocess.run(
        ["git", *arguments], cwd=host.checkout, capture_output=True,
        check=False, timeout=PATIENCE, env=host.environment).returncode == 0
