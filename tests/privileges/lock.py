"""Who can stop a run by its lock: its own user, and nobody else.

The checkout belongs to OWNER. Root deploys in it, he does so himself, and
READER may read all of it. Each is a real user of the host.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest
from pathlib import Path

from support import PATIENCE, needs_root, until
from support.users import OWNER, READER, Actor, OwnedWorld, become, give_to
from support.world import listing

OWN_FOLDER = ".git/deployment-update"
LOCK = f"{OWN_FOLDER}/lock"
LOCKS_OF_ROOT = "/run/deployment-update"

# Locks all that it can below the folders that are its arguments.
LOCK_ALL = """
import fcntl, json, os, sys
locked = {}
def lock(path):
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return
    for how in (fcntl.flock, fcntl.lockf):
        for kind in (fcntl.LOCK_SH, fcntl.LOCK_EX):
            try:
                how(file, kind | fcntl.LOCK_NB)
                locked[path] = file
            except OSError:
                pass
for top in sys.argv[1:]:
    for folder, _, names in os.walk(top):
        lock(folder)
        for name in names:
            lock(os.path.join(folder, name))
print(json.dumps(list(locked)), flush=True)
sys.stdin.read()
"""

# Puts another file in the place of its argument, and locks that.
EXCHANGE_AND_LOCK = """
import fcntl, os, sys
path = sys.argv[1]
os.rename(path, path + ".old")
file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("held", flush=True)
sys.stdin.read()
"""

# Exchanges a place and a trap, and the two back, over and over; the arguments
# are PLACE TRAP PLACE TRAP ...
EXCHANGE = """
import ctypes, itertools, select, sys
AT_FDCWD, RENAME_EXCHANGE = -100, 2
names = [argument.encode() for argument in sys.argv[1:]]
renameat2 = ctypes.CDLL(None).renameat2
print("armed", flush=True)
count = 0
for place, trap in itertools.cycle(list(zip(names[::2], names[1::2]))):
    for _ in range(2):  # what was not exchanged is not put back
        if renameat2(AT_FDCWD, place, AT_FDCWD, trap, RENAME_EXCHANGE) != 0:
            break
        count += 1
    if select.select([sys.stdin], [], [], 0)[0]:
        break
print(count)
"""

HANGS = """#!/bin/sh
. "${0%/*}/variables"
echo up >"$AT_WORK"
exec cat "$NEVER"
"""

ADVICE = re.compile(r"^error: what to do: remove it: (.+)$", re.MULTILINE)


@needs_root
class Locks(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(OwnedWorld())
        self.world.install_by_hand()
        give_to(OWNER, self.world.checkout)

    def run_of(self, user, code, *more):
        self.world.in_place = user != 0  # he may make no mount namespace
        if code == 0:  # a checkout has one record
            of_other = self.world.state if user else self.world.state_of_owner
            (of_other / "record").unlink(missing_ok=True)
        run = self.world.run_program(self.world.command_of(user, *more))
        self.assertEqual(run.returncode, code, run.stderr)
        return run.stderr

    def make_locks(self):
        """Returns the owner's."""
        for user in (0, OWNER):
            self.run_of(user, 0)
        return self.world.checkout / LOCK


class Reader(Locks):
    def test_who_may_only_read_stops_nobody(self):
        of_owner = self.make_locks()
        of_root = self.world.lock_file()
        git = self.world.checkout / ".git"
        with Actor(READER, LOCK_ALL, git, LOCKS_OF_ROOT) as reader:
            # First the owner: root may write to what he made.
            for version, user in enumerate((OWNER, 0), 2):
                with self.subTest(user=user):
                    commit = self.world.push_version(version)
                    self.run_of(user, 0)
                    self.assertEqual(self.world.commit(), commit)
            locked = set(map(Path, json.loads(reader.said)))
        self.assertGreaterEqual(locked, {git, git / "index", of_root.parent,
                                         of_owner.parent})
        self.assertFalse(locked & {of_owner, of_root})

    def test_a_lock_that_he_could_open_is_closed_to_him(self):
        lock = self.make_locks()
        lock.chmod(0o644)
        self.run_of(0, 0)
        with Actor(READER, LOCK_ALL, lock.parent) as reader:
            self.assertEqual(json.loads(reader.said), [str(lock.parent)])
            self.run_of(OWNER, 0)


class RootAndOwner(Locks):
    def start(self, user):
        """Starts a run that waits for npm."""
        world = self.world
        meeting = world.root / "meeting"
        meeting.mkdir()
        meeting.chmod(0o777)
        at_work = meeting / "at-work"
        never = meeting / "never"
        os.mkfifo(never)
        world.tell(AT_WORK=at_work, NEVER=never)
        world.stand_in("npm", HANGS)
        process = subprocess.Popen(
            self.world.command_of(user), cwd="/", env=world.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.terminate)
        until("npm to be at work", at_work.exists, pause=0.01)
        return process

    def check_exclusion(self, first, second):
        self.make_locks()
        npm = self.world.stand_in_text("npm")
        commit = self.world.push_version(2)
        process = self.start(first)
        for more in ((), ("--wait=1",)):
            self.assertRegex(
                self.run_of(second, 75, *more),
                rf"another run is active in {self.world.checkout}: \S+ "
                rf"\(process {process.pid}\) since 20\S+ holds the lock\n")
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 128 + signal.SIGTERM)
        self.world.stand_in("npm", npm)
        self.run_of(second, 0)
        self.assertEqual(self.world.commit(), commit)

    def test_the_owner_is_refused_while_root_works(self):
        self.check_exclusion(0, OWNER)

    def test_root_is_refused_while_the_owner_works(self):
        self.check_exclusion(OWNER, 0)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


class Outside(Locks):
    """With files that the lock of no run is."""

    def setUp(self):
        super().setUp()
        # Who followed a link to it could make a file, lock one or give one
        # away.
        outside = self.outside = self.world.root / "outside"
        outside.mkdir()
        outside.chmod(0o777)
        for name, mode in (("of-root", 0o600), ("of-root-for-all", 0o666),
                           ("of-owner", 0o600)):
            (outside / name).write_text("outside\n")
            (outside / name).chmod(mode)
        give_to(OWNER, outside / "of-owner")

    def link_to(self, name):
        return lambda path: path.symlink_to(self.outside / name)


class Obstacles(Outside):
    """What the owner puts in the place of the lock or of its folder."""

    def copy(self, name):
        """A file of root's."""
        return lambda path: shutil.copy(self.outside / name, path)

    def check(self, place, put):
        outside = listing(self.outside)
        path = self.world.checkout / place
        for user in (0, OWNER):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            put(path)
            text = self.run_of(user, 1)
            self.assertIn(str(path), text)
            self.assertEqual(text.count("\n"), 2, text)
            self.assertEqual(listing(self.outside), outside)
            advice = ADVICE.search(text).group(1)
            subprocess.run(become(user) + ["sh", "-c", advice], check=True)
            self.run_of(user, 0)
            self.assertEqual(listing(self.outside), outside)

    def put_of_owner(self, put):
        def put_and_give(path):
            put(path)
            give_to(OWNER, path)
        return put_and_give

    def test_in_the_place_of_the_lock(self):
        self.make_locks()
        for name, put in {
                "fifo": self.put_of_owner(os.mkfifo),
                "socket": self.put_of_owner(make_socket),
                "folder": self.put_of_owner(os.mkdir),
                "link to nothing": self.link_to("new"),
                "link to a file of root": self.link_to("of-root"),
                "link to a file for all": self.link_to("of-root-for-all"),
                "link to a file of his": self.link_to("of-owner"),
                "file of root": self.copy("of-root"),
                "file of root for all": self.copy("of-root-for-all"),
                }.items():
            with self.subTest(name):
                self.check(LOCK, put)

    def test_in_the_place_of_the_folder(self):
        for name, put in {
                "fifo": self.put_of_owner(os.mkfifo),
                "file": self.put_of_owner(Path.touch),
                "link to nothing": self.link_to("new"),
                "link to a folder": self.link_to("."),
                }.items():
            with self.subTest(name):
                self.check(OWN_FOLDER, put)

    def test_a_folder_where_the_owner_may_not_write(self):
        folder = self.world.checkout / OWN_FOLDER
        for place in (folder.parent, folder):
            place.mkdir(exist_ok=True)
            os.chown(place, 0, 0)
            for user in (0, OWNER):
                self.assertRegex(
                    self.run_of(user, 1),
                    rf"^error: cannot (create|open the lock) {folder}\S*: "
                    "Permission denied\nerror: what to do: user (nobody|"
                    rf"{OWNER}) must be able to write there; .* chown -R "
                    rf"(nobody|{OWNER}) {self.world.checkout}\n$")
            give_to(OWNER, place)
            self.run_of(0, 0)
            self.run_of(OWNER, 0)
            shutil.rmtree(folder)

    def test_a_checkout_that_is_read_only(self):
        self.make_locks()
        checkout = self.world.checkout
        mount = ["mount", "--bind", "-o", "ro", checkout, checkout]
        subprocess.run(mount, check=True)
        self.addCleanup(subprocess.run, ["umount", checkout], check=True)
        for user in (0, OWNER):
            self.assertRegex(
                self.run_of(user, 1),
                rf"^error: cannot open the lock {checkout / LOCK}: Read-only "
                "file system\nerror: what to do: user .*\n$")


class Races(Outside):
    """What he exchanges while a run of root opens and locks the lock."""

    SECONDS = 10
    FEWEST_EXCHANGES = 2000
    SAID = re.compile(r"error: (cannot open the lock|cannot create|the lock)|"
                      r"\Z")
    LOCKED = re.compile(r"^fcntl\(\d+<(.*?)>(?:\(deleted\))?, F_SETLK,",
                        re.MULTILINE)

    def trap(self, name, put):
        path = self.world.checkout / ".git" / name
        put(path)
        os.chown(path, OWNER, OWNER, follow_symlinks=False)
        return path

    def pairs(self):
        traps = {"link-to-nothing": self.link_to("new"),
                 "link-to-his": self.link_to("of-owner"),
                 "link-to-root's": self.link_to("of-root-for-all"),
                 "fifo": os.mkfifo, "folder": os.mkdir, "file": Path.touch}
        for name, put in traps.items():
            yield self.world.checkout / LOCK, self.trap(name, put)
        for name, put in {"link-to-folder": self.link_to("."),
                          "fifo-2": os.mkfifo, "folder-2": os.mkdir}.items():
            yield self.world.checkout / OWN_FOLDER, self.trap(name, put)

    def locked_by(self, run):
        """Runs the program; returns the files that it locks."""
        log = self.world.root / "strace.log"
        done = self.world.run_program(
            ["/usr/bin/strace", "-qq", "-y", "-e", "trace=fcntl", "-o", log,
             *run])
        self.assertIn(done.returncode, (0, 1), done.stderr)
        self.assertRegex(done.stderr, self.SAID)
        return done.returncode, self.LOCKED.findall(log.read_text())

    def test_nothing_outside_is_made_or_locked_and_nothing_hangs(self):
        self.make_locks()
        before = listing(self.outside)
        names = [name for pair in self.pairs() for name in pair]
        codes, locked = [], set()
        with Actor(OWNER, EXCHANGE, *names) as owner:
            end = time.monotonic() + self.SECONDS
            while time.monotonic() < end:
                code, files = self.locked_by(self.world.command_of(0))
                codes.append(code)
                locked.update(files)
            exchanges = int(owner.end())
        print(f"\n    {len(codes)} runs, {codes.count(0)} of them got the "
              f"lock; {exchanges} exchanges", file=sys.stderr)
        self.assertGreaterEqual(exchanges, self.FEWEST_EXCHANGES)
        self.assertEqual({*codes}, {0, 1})
        own = (f"{self.world.checkout / '.git'}/", f"{LOCKS_OF_ROOT}/")
        self.assertEqual([file for file in locked if not file.startswith(own)],
                         [])
        self.assertTrue(any(file.startswith(own[0]) for file in locked))
        self.assertEqual(listing(self.outside), before)
        self.run_of(0, 0)

    def test_a_lock_that_is_exchanged_before_it_is_compared(self):
        lock = self.make_locks()
        log = self.world.root / "strace.log"
        # It is stopped when it has locked the owner's file.
        number = len(self.locked_by(self.world.command_of(0))[1])
        process = subprocess.Popen(
            ["/usr/bin/strace", "-D", "-qq", "-y", "-e", "trace=fcntl", "-e",
             f"inject=fcntl:signal=STOP:when={number}", "-o", log,
             *self.world.command_of(0)], cwd="/", env=self.world.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        try:
            until("the run to be stopped",
                  lambda: "stopped by SIGSTOP" in log.read_text(), pause=0.01)
            self.assertEqual(self.LOCKED.findall(log.read_text())[-1],
                             str(lock))
            with Actor(OWNER, EXCHANGE_AND_LOCK, lock) as owner:
                process.send_signal(signal.SIGCONT)
                _, text = process.communicate(timeout=PATIENCE)
                self.assertEqual(process.returncode, 75, text)
                self.assertIn(f"(process {owner.pid}) since ", text)
        finally:
            process.kill()
            process.wait(PATIENCE)
