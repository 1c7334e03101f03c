"""Deployments that a person holds back: who is told, what goes on, and how it
ends."""

import json
import os
import re
import shutil
import subprocess
import unittest

from support import BINARY, NOBODY, needs_root
from support.record import entries
from support.tracing import program_of, starts_process, traced
from support.world import OF_TIMER, WorldCase, World, listing

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


class Hold(WorldCase):
    def setUp(self):
        self.world = self.enterContext(World())
        self.first = self.world.commit()
        self.deploy(0, "--force")
        self.world.calls()
        self.file = self.world.state / "record.hold"
        self.person = {"SUDO_USER": "ann"}

    def hold(self, reason="audit"):
        return self.deploy(0, "--hold", reason, environment=self.person)

    def test_a_run_says_the_reason_and_changes_nothing(self):
        self.hold("audit until Monday")
        self.world.push_version(2)
        before = listing(self.world.checkout, self.world.state)
        run = self.world.run(environment=OF_TIMER)
        self.assertEqual((run.returncode, run.stdout), (0, ""))
        self.assertRegex(
            run.stderr, rf"^held since {TIME}, as ann asked: audit until "
                        r"Monday; to go on: deployment-update --release\n$")
        self.assertEqual(listing(self.world.checkout, self.world.state),
                         before)
        self.assertEqual(self.world.calls(), [])

    def test_a_held_run_starts_no_process_and_takes_no_lock(self):
        self.hold()
        _, calls = traced(self.world)
        own = calls[program_of(calls)]
        self.assertEqual(list(filter(starts_process, own)), [])
        self.assertFalse([call for call in own if ".lock" in call[1]])

    def test_after_the_release_runs_go_on(self):
        self.hold()
        second = self.world.push_version(2)
        self.deploy(0)
        said = self.deploy(0, "--release")
        self.assertRegex(said, rf"^released; it was held since {TIME}, as ann "
                               r"asked: audit\n$")
        self.deploy(0)
        self.assertEqual(self.world.commit(), second)

    def test_to_release_what_is_not_held_is_no_failure(self):
        self.assertEqual(self.deploy(0, "--release"), "nothing is held\n")

    def test_the_newer_reason_counts(self):
        self.hold("audit")
        said = self.deploy(0, "--hold", "freeze",
                           environment={"SUDO_USER": "bob"})
        self.assertRegex(said, rf"replaces the hold since {TIME}, as ann "
                               r"asked: audit\n"
                               rf"held since {TIME}, as bob asked: freeze")
        self.assertIn("as bob asked: freeze;", self.deploy(0))

    def test_a_forced_run_passes_and_the_hold_stays(self):
        self.hold()
        second = self.world.push_version(2)
        said = self.deploy(0, "--force")
        self.assertIn("as ann asked: audit; goes on, since a person asks",
                      said)
        self.assertEqual(self.world.commit(), second)
        self.assertIn("to go on: ", self.deploy(0))

    def test_a_rollback_by_hand_passes(self):
        self.world.push_version(2)
        self.deploy(0)
        self.hold()
        self.assertIn("goes on, since a person asks",
                      self.deploy(0, "--rollback"))
        self.assertEqual(self.world.commit(), self.first)

    def test_the_status_says_it_first(self):
        self.assertIsNone(json.loads(
            self.world.run("--status", "--json").stdout)["held"])
        self.hold("two\nlines \x1b[31m")
        lines = self.world.run("--status").stdout.splitlines()
        self.assertRegex(lines[0], rf"^held       since {TIME}, as ann asked: "
                                   r"two\\x0alines \\x1b\[31m$")
        self.assertEqual(lines[1], "up to date with origin/prod")
        held = json.loads(self.world.run("--status", "--json").stdout)["held"]
        self.assertEqual((held["by"], held["reason"]),
                         ("ann", "two\nlines \x1b[31m"))
        self.assertRegex(held["since"], f"^{TIME}$")

    def test_a_dry_run_says_it_and_what_the_release_would_lead_to(self):
        self.hold()
        second = self.world.push_version(2)
        run = self.world.run("--dry-run")
        self.assertEqual(run.returncode, 0)
        self.assertIn("asked: audit; without the hold a run would do this:",
                      run.stderr)
        self.assertIn("Plan: deploy ", run.stdout)
        plan = json.loads(self.world.run("--dry-run", "--json").stdout)
        self.assertEqual((plan["held"]["by"], plan["to"]), ("ann", second))
        self.deploy(0, "--release")
        plan = json.loads(self.world.run("--dry-run", "--json").stdout)
        self.assertIsNone(plan["held"])

    def test_it_says_that_a_killed_run_is_not_continued(self):
        self.assertNotIn("in progress", self.hold())
        record = self.world.record
        record.write_text(f"pending = {self.first}\nrunning = yes\n"
                          + record.read_text())
        self.assertIn("a run is in progress, or was killed", self.hold())

    def test_a_hold_that_cannot_be_read_holds(self):
        self.file.write_text("nonsense\n")
        second = self.world.push_version(2)
        said = self.deploy(1)
        self.assertIn("error: deployments are held, but nobody can say why: ",
                      said)
        self.assertIn("what to do: to go on: deployment-update --release",
                      said)
        self.assertIn("held ", self.world.run("--status").stdout)
        self.deploy(0, "--release")
        self.deploy(0)
        self.assertEqual(self.world.commit(), second)

    def test_it_is_no_file_that_somebody_takes_for_an_instance(self):
        self.hold()
        run = self.world.run_program([BINARY, "--instance", "record.hold"])
        self.assertEqual(run.returncode, 2)
        self.assertNotIn("record.hold", entries(self.world.record))


class Rights(WorldCase):
    def setUp(self):
        self.world = self.enterContext(World())
        self.world.install_by_hand()

    @needs_root
    def test_somebody_who_may_not_deploy_may_not_hold(self):
        folder = self.world.root / "of-nobody"
        folder.mkdir()
        shutil.chown(folder, NOBODY)
        for option in (["--hold", "mine"], ["--release"]):
            run = subprocess.run(
                [BINARY, f"--config={self.world.config_file}",
                 f"--repo-dir={self.world.checkout}",
                 f"--state-dir={folder}", *option],
                user=NOBODY, group=NOBODY, extra_groups=[], cwd="/",
                env=self.world.environment, capture_output=True, text=True,
                check=False)
            self.assertEqual(run.returncode, 1, run)
            self.assertIn("belongs to another user, who deploys it",
                          run.stderr)
            self.assertEqual(os.listdir(folder), [])

    @needs_root
    def test_the_owner_may_not_where_root_deploys(self):
        world = self.world
        world.push_version(2)
        self.deploy(0)
        world.give_to(NOBODY)
        run = subprocess.run(
            world.arguments("--hold", "mine"), user=NOBODY, group=NOBODY,
            extra_groups=[], cwd="/", env=world.environment,
            capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 1, run)
        self.assertRegex(run.stderr, "root deploys ")
        self.assertFalse((world.state / "record.hold").exists())


class Words(unittest.TestCase):
    def test_what_the_options_refuse(self):
        with World() as world:
            for options, why in (
                    (["--hold", " "], "--hold takes the reason"),
                    (["--hold", "x", "--release"], "no other action"),
                    (["--hold", "x", "--force"], "no other action"),
                    (["--release", "--dry-run"], "no other action"),
                    (["--release", "--status"], "goes with --json alone|"
                                                "no other action")):
                with self.subTest(options):
                    run = world.run(*options)
                    self.assertEqual(run.returncode, 2)
                    self.assertTrue(re.search(why, run.stderr), run.stderr)
