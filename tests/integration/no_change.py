"""A run without a change: two processes at once, and not one write."""

import re
import shutil
import subprocess
import unittest

from support.tracing import (opened_to_write, program_of, starts_process,
                             traced)
from support.world import World, listing

WAITS = {"poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait",
         "wait4", "waitid", "nanosleep", "clock_nanosleep"}
WRITES = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile",
          "splice", "copy_file_range", "fallocate", "ftruncate", "fsync",
          "fdatasync", "fchmod", "fchown"}
CHANGES = {"mkdir", "mkdirat", "mknod", "mknodat", "rmdir", "unlink",
           "unlinkat", "rename", "renameat", "renameat2", "link", "linkat",
           "symlink", "symlinkat", "truncate", "chmod", "fchmodat", "chown",
           "lchown", "fchownat", "utime", "utimes", "utimensat", "futimesat",
           "setxattr", "lsetxattr", "fsetxattr", "mount"}
# Matches what may be written to: pipes, sockets and nothing.
HARMLESS = re.compile(
    r"^\d+<(pipe:\[|socket:\[|UNIX|TCP|/dev/null|anon_inode)")


class NoChange(unittest.TestCase):
    @classmethod
    def prepare(cls):
        pass

    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World())
        world = cls.world
        # From the second deployment on there is a record to read.
        world.push("Second", {"backend/requirements.txt": "flask==2\n"})
        world.run()
        world.calls()
        cls.prepare()
        cls.before = listing(world.checkout, world.state, world.origin)
        cls.run_, cls.calls = traced(world)
        cls.after = listing(world.checkout, world.state, world.origin)
        cls.program = program_of(cls.calls)

    def all_calls(self, names):
        return [call for calls in self.calls.values() for call in calls
                if call[0] in names]

    def test_it_says_what_the_script_says(self):
        self.assertEqual(self.run_.returncode, 0, self.run_.stderr)
        self.assertEqual(self.run_.stdout,
                         "No changes detected in the repository.\n")
        self.assertEqual(self.run_.stderr, "")
        self.assertEqual(self.world.calls(), [])

    def commands(self):
        """Returns the arguments of each execve of what the program started."""
        started = [int(call[2]) for call in self.calls[self.program]
                   if starts_process(call)]
        return [arguments for pid in started
                for name, arguments, result in self.calls[pid]
                if name == "execve" and result == "0"]

    def test_it_starts_exactly_one_git(self):
        [command] = self.commands()
        self.assertIn('/git", ["git", "ls-remote",',
                      command.replace(f'["{self.world.bin}/', '["'))

    def test_only_the_lock_is_opened_to_write(self):
        opened = opened_to_write(self.calls)
        self.assertEqual(len(opened), 1, opened)
        self.assertIn(f'{self.world.lock_file().name}", ', opened[0])

    def test_nobody_writes_to_a_file(self):
        written = [arguments for _, arguments, _ in self.all_calls(WRITES)
                   if not HARMLESS.match(arguments)]
        self.assertEqual(written, [])

    def test_nobody_makes_removes_or_renames_anything(self):
        self.assertEqual(self.all_calls(CHANGES), [])

    def test_nothing_is_changed_anywhere(self):
        self.assertEqual(self.after, self.before)


class NoChangeWithPackedRefs(NoChange):
    """As git gc leaves them."""

    @classmethod
    def prepare(cls):
        cls.world.git(cls.world.checkout, "pack-refs", "--all")


class NoChangeElsewhere(NoChange):
    """Asks git for the branch, at the same time, when .git is a file."""

    @classmethod
    def prepare(cls):
        cls.world.git(cls.world.checkout, "init", "-q",
                      f"--separate-git-dir={cls.world.root / 'apart.git'}")

    def test_it_starts_exactly_one_git(self):
        commands = self.commands()
        self.assertEqual(len(commands), 2, commands)
        self.assertIn('"ls-remote",', commands[0])
        self.assertIn('"for-each-ref",', commands[1])

    def test_both_are_started_before_either_is_waited_for(self):
        order = [call for call in self.calls[self.program]
                 if starts_process(call) or call[0] in WAITS]
        self.assertTrue(all(map(starts_process, order[:2])), order)


class NoChangeInALinkedWorkTree(NoChangeElsewhere):
    @classmethod
    def prepare(cls):
        world = cls.world
        main = world.root / "main"
        world.checkout.rename(main)
        world.git(main, "checkout", "--quiet", "--detach")
        world.git(main, "worktree", "add", "--quiet", str(world.checkout),
                  "prod")
        for name in ("frontend/node_modules", "backend/venv"):
            (main / name).rename(world.checkout / name)


# Debian 12's git does not have it; on Debian 13 these tests run too.
if b"--ref-format" in subprocess.run(["git", "refs", "migrate", "-h"],
                                     capture_output=True).stdout:
    class NoChangeInReftable(NoChangeElsewhere):
        @classmethod
        def prepare(cls):
            # git 2.47 cannot migrate these.
            shutil.rmtree(cls.world.checkout / ".git/logs")
            cls.world.git(cls.world.checkout, "refs", "migrate",
                          "--ref-format=reftable")


class FirstRun(unittest.TestCase):
    def test_adopting_what_is_checked_out_leaves_a_lock_and_no_record(self):
        with World() as world:
            world.install_by_hand()
            lock = world.lock_file()
            own = {str(path) for path in (world.checkout / ".git",
                                          lock.parent, lock)}
            before = listing(world.checkout)
            self.assertEqual(world.run().returncode, 0)
            self.assertEqual(
                {name: what for name, what in listing(world.checkout).items()
                 if name not in own},
                {name: what for name, what in before.items()
                 if name not in own})
            self.assertFalse(world.state.exists())
            self.assertEqual((lock.stat().st_mode, lock.stat().st_size),
                             (0o100600, 0))
