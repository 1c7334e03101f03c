"""Reads what a person is told when a run cannot go on."""

import re
import shutil
import unittest

from support import needs_staging
from support.world import IN_PLACE, World, made_from

NO_CHANGES = "No changes detected in the repository.\n"


class Failures(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(World())

    def failed(self, *more):
        """Returns what a failing run writes, all of it to standard error."""
        run = self.world.run(*more)
        self.assertEqual(run.returncode, 1, run)
        self.assertEqual(run.stdout, "")
        return run.stderr

    def assert_says(self, text, *parts):
        for part in parts:
            self.assertIn(part, text)

    def test_a_missing_checkout(self):
        shutil.rmtree(self.world.checkout)
        self.assert_says(
            self.failed(),
            f"error: the checkout {self.world.checkout} is not there\n",
            "what to do: clone the repository there, or name another folder "
            "with --repo-dir")

    def test_a_folder_that_is_no_repository(self):
        shutil.rmtree(self.world.checkout / ".git")
        self.assert_says(
            self.failed(),
            f"{self.world.checkout} is not a git checkout: there is no .git "
            "in it",
            "what to do: ", "--repo-dir")

    def test_a_repository_that_is_damaged(self):
        (self.world.checkout / ".git/HEAD").unlink()
        self.assert_says(
            self.failed(),
            "looking at branch prod of the checkout failed: git for-each-ref ",
            " exited with code 128", "not a git repository",
            f"what to do: look at the checkout: git -C {self.world.checkout} ")

    def test_a_remote_that_is_away_is_told_in_one_line(self):
        shutil.rmtree(self.world.origin)
        for url in (self.world.origin.as_uri(), "http://127.0.0.1:1/x.git"):
            self.world.git(self.world.checkout, "remote", "set-url", "origin",
                           url)
            text = self.failed()
            self.assertEqual(text.count("\n"), 1, text)
            self.assert_says(
                text, "error: asking origin for branch prod failed: git "
                "ls-remote --heads -- origin refs/heads/prod exited with code "
                "128: ",
                "nothing was changed", "ls-remote origin")

    def test_a_remote_that_answers_again_is_told_and_deployed_from(self):
        self.world.install_by_hand()
        away = self.world.root / "away"
        self.world.origin.rename(away)
        self.failed()
        away.rename(self.world.origin)
        run = self.world.run()
        self.assertEqual((run.returncode, run.stdout), (0, NO_CHANGES))
        self.assertIn("origin answers again; it was away for ", run.stderr)
        self.assertEqual(self.world.run().stderr, "")

    def test_a_remote_without_the_branch(self):
        self.assert_says(
            self.failed("--branch=other"),
            "the remote origin has no branch other",
            "what to do: push the branch, or name another one with --branch")

    def test_a_diverged_branch_names_both_commits(self):
        world = self.world
        world.git(world.checkout, "commit", "-q", "--allow-empty", "-m", "own")
        ours = world.commit()
        theirs = world.push("Second", {"README": "2\n"})
        self.assert_says(
            self.failed(), "branch prod diverged", ours, theirs,
            "nothing was changed", "what to do: ", "on-divergence = reset",
            "'planning' failed")  # not 'fetch', which was done before
        self.assertEqual(world.commit(), ours)

    def test_local_changes_are_named_file_by_file(self):
        world = self.world
        first = world.commit()
        world.push("Second", {"backend/server.py": "app = 2\n",
                              "ä b.txt": "2\n", "folder/new.txt": "2\n",
                              "README": "2\n"})
        mine = {"backend/server.py": "mine\n", "ä b.txt": "mine\n",
                "folder/new.txt": "mine\n", "unrelated": "mine\n"}
        (world.checkout / "folder").mkdir()
        for name, text in mine.items():
            (world.checkout / name).write_text(text)
        text = self.failed()
        self.assert_says(
            text, "local changes would be overwritten; nothing was changed:",
            "error: backend/server.py\n", "error: folder/new.txt\n",
            "error: ä b.txt\n", "stash push --all -- backend/server.py "
            "folder/new.txt 'ä b.txt'")
        self.assertNotIn("unrelated", text)
        self.assertNotIn("README", text)
        self.assertEqual(world.commit(), first)
        for name, text in mine.items():
            self.assertEqual((world.checkout / name).read_text(), text)

    def test_a_branch_that_is_new_at_a_known_commit(self):
        world = self.world
        world.git(world.origin, "branch", "release", "prod")
        run = world.run("--force", "--branch=release")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(world.git(world.checkout, "branch",
                                   "--show-current"), "release\n")

    def test_git_is_missing(self):
        (self.world.bin / "git").unlink()
        self.assert_says(self.failed(), "git", "command not found",
                         "what to do: install git or extend PATH, which is "
                         f"{self.world.bin}")

    def test_a_program_is_missing(self):
        for name in ("npm", "python3", "systemctl"):
            with self.subTest(name=name), World() as world:
                self.world = world
                self.world.push_version(2)
                (world.bin / name).unlink()
                self.assert_says(
                    self.failed(), f"{name}", "command not found",
                    f"what to do: install {name} or extend PATH")

    def test_a_failing_command_is_quoted_with_its_last_words(self):
        self.world.push_version(2)
        self.world.stand_in("npm", """#!/bin/sh
i=0
while [ $i -lt 40 ]; do i=$((i + 1)); echo "line $i" >&2; done
echo "npm ERR! no such package" >&2
exit 7
""")
        text = self.failed()
        self.assert_says(text,
                         "error: installing frontend failed: npm install "
                         "--no-save exited with code 7\n",
                         "error: line 40\n",
                         "error: npm ERR! no such package\n")
        self.assertNotIn("error: line 1\n", text)

    @needs_staging
    def test_a_command_that_a_signal_ended(self):
        world = self.world
        world.push_version(1, README="1\n")
        self.assertEqual(world.run("--force").returncode, 0)
        before = world.commit(), world.in_use()
        world.push_version(2)
        world.stand_in("npm", "#!/bin/sh\nkill -KILL $$\n")
        world.calls()
        self.assert_says(self.failed(),
                         "npm install --no-save was killed by signal 9 "
                         "(Killed)")
        self.assertEqual((world.commit(), world.in_use()), before)
        self.assertNotIn("systemctl", "\n".join(world.calls()))

    def test_a_failing_restart_says_where_to_look(self):
        self.world.push_version(2)
        self.world.stand_in("systemctl.real",
                            self.world.stand_in_text("systemctl"))
        self.world.stand_in("systemctl", """#!/bin/sh
[ "$1" = restart ] || exec sh "$0.real" "$@"
echo "Job failed. See journalctl -xe" >&2
exit 1
""")
        self.assert_says(
            self.failed(),
            "error: restarting frontend-deployment.service failed: systemctl "
            "restart frontend-deployment.service exited with code 1\n",
            "error: Job failed. See journalctl -xe\n",
            "what to do: look at: systemctl status "
            "frontend-deployment.service; journalctl -u "
            "frontend-deployment.service\n")

    def test_built_in_place_nothing_is_taken_back(self):
        world = self.world
        world.config(IN_PLACE)
        self.assertEqual(world.run("--force").returncode, 0)
        commit = world.push_version(2, crash="yes\n")
        text = self.failed()
        self.assert_says(text, "does not run as it should: it is failed",
                         f"the deployment of {commit[:12]} is pending")
        self.assertNotIn("rolling back", text)
        self.assertEqual(world.commit(), commit)
        self.assertEqual(world.in_use(), made_from(2))

    def test_a_failure_is_told_once_and_then_in_one_line(self):
        commit = self.world.push_version(2)
        self.world.stand_in("npm", "#!/bin/sh\nexit 1\n")
        self.failed()
        text = self.failed()
        self.assertEqual(text.count("\n"), 1, text)
        self.assertRegex(text, re.escape(f"the deployment of {commit[:12]} is "
                                         "pending: ") + r".* next try at \d")

    def test_output_of_commands_is_tagged_by_component(self):
        self.world.push_version(2)
        run = self.world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assert_says(run.stderr, "\nfrontend | added 1 package\n",
                         "\nfrontend | a warning\n",
                         "\nbackend | Successfully installed\n")

    def test_foreign_text_is_made_harmless(self):
        self.world.push("S\x1b[2J", {"frontend/package.json": "{}\n"})
        self.world.stand_in("npm", "#!/bin/sh\nprintf 'a\\033[2Jb\\rc\\n'\n")
        run = self.world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertNotIn("\x1b", run.stdout + run.stderr)
        self.assertIn("frontend | a\\x1b[2Jb\\x0dc\n", run.stderr)
        for option in ("--status", "--dry-run"):
            self.assertNotIn("\x1b", self.world.run(option).stdout)
