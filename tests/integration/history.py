"""The deployments that ended are kept and told, and harm no run."""

import json
import os
import re
import shutil

from support import BINARY, NOBODY, needs_root, needs_staging
from support.world import OF_TIMER, World, WorldCase, listing

ASKED = {"SUDO_USER": "alice"}


class Kept(WorldCase):
    def setUp(self):
        self.world = self.enterContext(World())
        self.deploy(0, "--force")
        self.file = self.world.state / "record.history"

    def history(self, *more):
        return json.loads(self.world.run("--history", *more, "--json").stdout)

    def steps(self, entry):
        return [step["step"] for step in entry["steps"]]

    def test_a_deployment_is_told_with_its_steps(self):
        first = self.world.commit()
        second = self.world.push_version(2)
        self.deploy(0, environment=OF_TIMER)
        last, before = self.history()
        self.assertEqual(
            (last["outcome"], last["from"], last["to"], last["subject"],
             last["author"], last["by"], last["attempts"]),
            ("deployed", first, second, "Version 2", "A", "", 1))
        self.assertNotEqual(before["by"], "")
        steps = self.steps(last)
        self.assertEqual(steps[0], "fetch")
        self.assertIn("frontend: restart", steps)
        self.assertEqual(steps[-1], "verify")
        self.assertLessEqual(sum(step["seconds"] for step in last["steps"]),
                             last["seconds"] + 1)
        text = self.world.run("--history").stdout
        self.assertRegex(text, rf"\A\S+Z  deployed     {second[:12]}  "
                         "Version 2\n")
        self.assertIn(f", from {first[:12]}, written by ", text)
        self.assertIn("    fetch 0.", text)
        for line in text.splitlines():
            self.assertLessEqual(len(line), 80, line)

    @needs_staging
    def test_a_failure_and_its_rollback_are_two(self):
        first = self.world.commit()
        second = self.world.push_version(2)
        self.world.down.write_text(f"{second}\n")
        self.deploy(1)
        back, failure = self.history("2")
        self.assertEqual((failure["outcome"], failure["to"]),
                         ("failed", second))
        self.assertEqual((back["outcome"], back["from"], back["to"]),
                         ("rolled-back", second, first))
        self.assertIn("build", self.steps(failure))
        self.assertEqual(self.steps(failure)[-1], "verify")
        self.assertNotIn("build", self.steps(back))
        self.assertEqual(back["subject"], "First")

    def age(self):
        """As if all had been years ago: runs of a test take less than the
        second that the record counts in."""
        for file in (self.world.record, self.file):
            file.write_text(re.sub(r"^(deployment = )20\d\d", r"\g<1>2001",
                                   file.read_text(), flags=re.M))

    def test_attempts_in_a_row_are_one(self):
        self.world.push("Bad", {"backend/requirements.txt": "missing\n"})
        for _ in range(3):
            self.age()
            self.deploy(1, "--force", environment=ASKED)
        last, before = self.history()
        self.assertEqual((last["outcome"], last["attempts"], last["by"]),
                         ("failed", 3, "alice"))
        self.assertEqual(before["outcome"], "deployed")
        self.assertIn("total = 3 failed\n", self.file.read_text())

    def test_a_run_without_a_change_does_not_read_it(self):
        self.file.write_text("damaged")
        before = listing(self.world.state)
        self.assertEqual(self.deploy(0), "")
        self.assertEqual(listing(self.world.state), before)

    def test_a_damaged_one_is_a_warning_and_begins_anew(self):
        self.file.write_text("damaged")
        shown = self.world.run("--history", "--json")
        self.assertEqual(shown.stderr.count("\n"), 1)
        self.assertIn("cannot be read", shown.stderr)
        self.assertEqual(len(json.loads(shown.stdout)), 1)
        self.world.push_version(2)
        text = self.deploy(0)
        self.assertEqual(text.count("warning: "), 1, text)
        self.assertIn("record.history.damaged\n", text)
        self.assertEqual(len(self.history()), 2)
        self.world.push_version(3)
        self.assertNotIn("warning: ", self.deploy(0))

    def test_one_that_cannot_be_written_is_a_warning(self):
        self.file.unlink()
        self.file.mkdir()
        (self.world.state / "record.history.damaged/full").mkdir(parents=True)
        self.world.push_version(2)
        self.assertIn("warning: ", self.deploy(0))
        self.assertEqual(self.deploy(0), "")

    def test_the_record_of_an_older_version_is_taken_over(self):
        self.file.unlink()
        self.world.push_version(2)
        self.deploy(0)
        last, before = self.history()
        self.assertEqual((last["subject"], before["subject"]),
                         ("Version 2", ""))
        self.assertIn("total = 2 deployed\n", self.file.read_text())

    @needs_root
    def test_any_user_may_ask(self):
        program = shutil.copy(BINARY, self.world.root)
        run = self.world.run_program(
            [program, *self.world.arguments("--history")[1:]], user=NOBODY,
            group=NOBODY, extra_groups=[])
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertIn("  deployed  ", run.stdout)


class NeverDeployed(WorldCase):
    def test_nothing_is_told_of_nothing(self):
        self.world = self.enterContext(World())
        run = self.world.run("--history")
        self.assertEqual((run.returncode, run.stdout),
                         (0, "nothing was deployed yet\n"))
        self.assertFalse(os.path.exists(self.world.state))
