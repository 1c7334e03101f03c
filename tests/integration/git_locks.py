"""Locks that a killed git left behind, and locks that somebody holds."""

import os
import subprocess
import time
import unittest

from support import until
from support.world import World

OLD = 600  # seconds; the default git-timeout is 120


class GitLocks(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(World())
        self.first = self.world.commit()
        self.second = self.world.push("Second", {"README": "2\n"})

    def leave_lock(self, name, age):
        path = self.world.checkout / ".git" / f"{name}.lock"
        path.touch()
        then = time.time() - age
        os.utime(path, (then, then))
        return path

    def test_a_leftover_goes_and_is_told(self):
        for name in ("index", "HEAD", "refs/heads/prod",
                     "refs/remotes/origin/prod"):
            with self.subTest(name=name):
                path = self.leave_lock(name, OLD)
                commit = self.world.push(name, {"README": f"{name}\n"})
                run = self.world.run()
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertIn(f"remove {path}: it is 10 m", run.stderr)
                self.assertEqual(self.world.commit(), commit)
                self.assertFalse(path.exists())

    def test_a_leftover_where_lost_commits_are_kept_goes(self):
        world = self.world
        world.config("on-divergence = reset\n")
        world.git(world.checkout, "commit", "-q", "--allow-empty", "-m", "own")
        (world.checkout / ".git/refs/deployment-update/lost").mkdir(
            parents=True)
        path = self.leave_lock(
            f"refs/deployment-update/lost/{world.commit()}", OLD)
        run = world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(world.commit(), self.second)
        self.assertFalse(path.exists())

    def test_a_leftover_in_a_shallow_clone_goes(self):
        with World(clone_options=("--depth=1",)) as world:
            self.world = world
            path = self.leave_lock("shallow", OLD)
            commit = world.push("Second", {"README": "2\n"})
            run = world.run()
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertEqual(world.commit(), commit)
            self.assertFalse(path.exists())

    def test_a_young_one_stays_and_is_explained(self):
        path = self.leave_lock("index", 1)
        run = self.world.run()
        self.assertEqual(run.returncode, 1)
        self.assertIn(f"{path} exists, but no git process is running in the "
                      "checkout", run.stderr)
        self.assertRegex(run.stderr, r"it is \d+\.\d s old, and will be "
                         "removed when it is older than 2 min")
        self.assertIn(f"or: rm {path}", run.stderr)
        self.assertTrue(path.exists())
        self.assertEqual(self.world.commit(), self.first)

    def test_a_commit_that_waits_in_an_editor_keeps_its_lock(self):
        world = self.world
        editor = world.root / "editor"
        os.mkfifo(editor)
        (world.checkout / "note").touch()
        world.git(world.checkout, "add", "note")
        person = subprocess.Popen(
            ["git", "commit", "--all"], cwd=world.checkout,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=world.environment | {
                "GIT_EDITOR": f"cat <{editor} >>", "HOME": str(world.root)})
        try:
            path = world.checkout / ".git/index.lock"
            until("git to hold its lock", path.exists, pause=0.01)
            then = time.time() - OLD
            os.utime(path, (then, then))
            run = world.run()
            self.assertEqual(run.returncode, 1)
            self.assertIn(f"{path} exists, and git (process ", run.stderr)
            self.assertIn("wait until it is done", run.stderr)
            self.assertTrue(path.exists())
        finally:
            editor.write_text("Note\n")
            self.assertEqual(person.wait(60), 0)
        self.assertIn("Note", world.git(world.checkout, "log", "-1"))

    def test_a_lock_of_this_programs_own_killed_git_goes_at_once(self):
        # The record says that a run was killed at work.
        path = self.leave_lock("index", 1)
        self.world.state.mkdir()
        self.world.record.write_text(
            f"pending = {self.second}\nrunning = yes\nattempts = 0\n"
            "since = 2026-01-01T00:00:00Z\nnext-try = 2026-01-01T00:00:00Z\n")
        run = self.world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn(f"remove {path}: a run that was killed left it",
                      run.stderr)
        self.assertEqual(self.world.commit(), self.second)
