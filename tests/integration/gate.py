"""A program of the host that says when a deployment may begin."""

import json
import os
import unittest

from support import NOBODY, needs_root, needs_staging
from support.record import entries, make_due
from support.world import (OF_TIMER, World, WorldCase, made_from)

# Keeps the facts that it gets, and says and answers what the test wants.
GATE = """#!/bin/sh
. "${0%/*}/variables"
cat >"$FACTS"
echo "gate $*" >>"$CALLS"
env >"$SEEN"
. "$ANSWER"
"""

# Says that it was called, and fails when it is told to.
CALLED = """#!/bin/sh
. "${0%/*}/variables"
echo "${0##*/}" >>"$CALLS"
"""

CONFIG = """settle = 0
gate = gate "a b"
[frontend]
type = npm
service = frontend-deployment.service
[backend]
type = python
service = backend-deployment.service
check = look
release = migrate
"""


class Case(WorldCase):
    config = CONFIG

    def setUp(self):
        world = self.world = self.enterContext(World(config=self.config))
        self.facts = world.root / "facts"
        self.answer = world.root / "answer"
        self.seen = world.root / "seen"
        world.tell(FACTS=self.facts, ANSWER=self.answer, SEEN=self.seen)
        world.stand_in("gate", GATE)
        world.link_tool("env")
        for name in ("look", "migrate"):
            world.stand_in(name, CALLED)
        self.first = world.commit()
        self.says("exit 0")
        self.deploy(0, "--force")
        world.calls()

    def says(self, answer):
        self.answer.write_text(answer + "\n")

    def tick(self, promised, **options):
        return self.deploy(promised, environment=OF_TIMER, **options)

    def calls_but_systemctl(self):
        return [call.split(" ")[0] for call in self.world.calls()
                if not call.startswith("systemctl")]


@needs_staging
class Gate(Case):
    def test_it_is_asked_after_checks_and_before_releases(self):
        second = self.world.push_version(2)
        self.tick(0)
        self.assertEqual(self.world.commit(), second)
        calls = self.calls_but_systemctl()
        self.assertLess(calls.index("pip"), calls.index("look"))
        self.assertEqual([call for call in calls
                          if call in ("look", "gate", "migrate")],
                         ["look", "gate", "migrate"])

    def test_not_now_leaves_everything_and_is_said_once(self):
        running = self.world.running()
        second = self.world.push_version(2)
        self.says("echo the window is closed; exit 75")
        said = self.tick(0)
        self.assertRegex(
            said, rf"the deployment of {second[:12]} waits since \S+: the "
                  r"gate says not now: the window is closed; each run asks "
                  r"again\n")
        self.assertEqual((self.world.commit(), self.world.running()),
                         (self.first, running))
        self.assertNotIn("migrate", self.world.calls())
        self.assertFalse((self.world.checkout /
                          ".git/deployment-update/stage").exists())
        record = self.world.record.read_text()
        self.assertIn("attempts = 0\n", record)
        self.assertNotIn("quarantined", record)
        for _ in range(3):
            self.assertEqual(self.tick(0), "")
            self.assertEqual(self.calls_but_systemctl(), ["gate"])
        self.assertEqual(self.world.record.read_text(), record)
        self.says("echo the load is high; exit 75")
        self.assertIn("the load is high", self.tick(0))
        self.assertEqual(self.tick(0), "")

    def test_what_was_built_is_used_when_it_says_yes(self):
        second = self.world.push_version(2)
        self.says("exit 75")
        self.assertIn("not now: it gives no reason;", self.tick(0))
        self.world.calls()
        self.says("exit 0")
        self.tick(0)
        self.assertEqual(self.world.commit(), second)
        self.assertEqual(self.world.in_use(), made_from(2))
        # It is asked first, and once more when the checks have been made.
        self.assertEqual(self.calls_but_systemctl()[:3],
                         ["gate", "look", "gate"])
        self.assertNotIn("deferred-since", entries(self.world.record))

    def test_what_the_host_has_lost_is_made_again_unasked(self):
        self.says("exit 75")
        venv = self.world.checkout / "backend/venv"
        venv.rename(venv.with_name("gone"))
        self.tick(0)
        self.assertTrue(venv.exists())
        self.assertNotIn("gate", self.calls_but_systemctl())

    def test_a_person_is_told_each_time(self):
        self.world.push_version(2)
        self.says("exit 75")
        self.tick(0)
        self.assertIn("the gate says not now", self.deploy(0))

    def test_the_status_says_since_when(self):
        second = self.world.push_version(2)
        self.says("echo closed; exit 75")
        self.tick(0)
        text = self.world.run("--status").stdout
        self.assertRegex(text, r"\Anot up to date: the gate says not now\n"
                               r"since      \S+Z\n"
                               r"next       each run asks again\n"
                               r"gate       closed\n")
        pending = json.loads(
            self.world.run("--status", "--json").stdout)["pending"]
        self.assertEqual((pending["commit"], pending["attempts"],
                          pending["error"]), (second, 0, "closed"))
        self.assertRegex(pending["deferred_since"], r"^\d{4}-\d\d-\d\dT")

    def test_a_dry_run_does_not_ask_it(self):
        self.world.push_version(2)
        run = self.world.run("--dry-run")
        self.assertIn("ask gate 'a b' whether to go on now\n", run.stdout)
        self.assertNotIn("gate a b", self.world.calls())
        self.says("echo closed; exit 75")
        self.tick(0)
        self.assertIn("whether to go on now; it said: closed\n",
                      self.world.run("--dry-run").stdout)

    def test_a_failure_waits_and_blames_no_commit(self):
        second = self.world.push_version(2)
        for answer, how in (("echo broken >&2; exit 1", "exited with code 1"),
                            ("kill -9 $$", "was killed by signal 9"),
                            ("exec gone", "exited with code 127")):
            with self.subTest(answer):
                self.says(answer)
                said = self.tick(1)
                self.assertIn("error: asking the gate failed: gate 'a b' "
                              + how, said)
                self.assertIn("is pending: 'gate' failed", said)
                self.assertEqual(self.world.commit(), self.first)
                self.world.calls()
                self.tick(1)  # it waits
                self.assertEqual(self.world.calls(), [])
                make_due(self.world.record)
        record = entries(self.world.record)
        self.assertEqual(record["attempts"], "3")
        self.assertNotIn("quarantined", record)
        self.says("exit 0")
        self.tick(0)
        self.assertEqual(self.world.commit(), second)

    def test_a_gate_that_is_not_there_is_a_failure(self):
        self.world.config(CONFIG.replace("gate = gate", "gate = /no/gate"))
        self.world.push_version(2)
        said = self.tick(1)
        self.assertIn("asking the gate failed: /no/gate", said)
        self.assertEqual(self.world.commit(), self.first)

    def test_force_does_not_ask(self):
        second = self.world.push_version(2)
        self.says("exit 75")
        self.tick(0)
        self.world.calls()
        self.deploy(0, "--force")
        self.assertEqual(self.world.commit(), second)
        self.assertNotIn("gate", self.calls_but_systemctl())

    def test_a_rollback_does_not_ask(self):
        self.world.push_version(2, crash="yes\n")
        self.tick(1)
        self.assertEqual(self.calls_but_systemctl().count("gate"), 1)
        self.assertEqual(self.world.commit(), self.first)
        self.world.push_version(3, crash=None)
        self.tick(0)
        self.world.calls()
        self.says("exit 75")
        self.deploy(0, "--rollback")
        self.assertNotIn("gate", self.calls_but_systemctl())

    def test_another_push_is_asked_about_anew(self):
        second = self.world.push_version(2)
        self.says("echo closed; exit 75")
        self.tick(0)
        third = self.world.push_version(3)
        self.assertIn(f"the deployment of {third[:12]} waits", self.tick(0))
        self.assertNotEqual(second, third)
        self.says("exit 0")
        self.tick(0)
        self.assertEqual(self.world.commit(), third)

    def test_what_it_is_told(self):
        second = self.world.push_version(2)
        self.tick(0)
        facts = json.loads(self.facts.read_text())
        self.assertEqual(
            {name: facts[name] for name in
             ("event", "commit", "subject", "from", "branch", "remote",
              "checkout", "instance", "attempts", "deferred_since")},
            {"event": "gate", "commit": second, "subject": "Version 2",
             "from": self.first, "branch": "prod", "remote": "origin",
             "checkout": str(self.world.checkout), "instance": "",
             "attempts": 0, "deferred_since": ""})
        author = self.world.git(self.world.author, "log", "-1",
                                "--format=%an").strip()
        self.assertEqual(facts["author"], author)
        self.assertEqual(facts["host"], os.uname().nodename)

    def test_no_secret_of_the_caller_reaches_it(self):
        self.world.push_version(2)
        self.deploy(0, environment=OF_TIMER | {"SECRET": "x", "HOME": "/x"})
        names = {line.partition("=")[0]
                 for line in self.seen.read_text().splitlines()}
        self.assertLessEqual({"PATH", "LANG"}, names)
        self.assertFalse({"SECRET", "HOME", "INVOCATION_ID"} & names)

    @needs_root
    def test_it_runs_as_root_and_not_as_the_owner(self):
        self.world.push_version(2)
        self.world.give_to(NOBODY)
        self.world.link_tool("id")
        self.says('id -u >"$SEEN"; exit 0')
        self.tick(0)
        self.assertEqual(self.seen.read_text(), "0\n")


class InPlace(Case):
    config = CONFIG.replace("[frontend]", "build = in-place\n[frontend]")

    def test_it_is_asked_before_the_checkout_moves(self):
        second = self.world.push_version(2)
        self.says("echo closed; exit 75")
        self.assertIn("the gate says not now: closed", self.tick(0))
        self.assertEqual(self.world.commit(), self.first)
        self.assertEqual(self.calls_but_systemctl()[-1], "gate")
        self.says("exit 0")
        self.tick(0)
        self.assertEqual(self.world.commit(), second)

    def test_what_has_begun_to_move_is_not_asked_about(self):
        self.world.push_version(2)
        self.world.stand_in("migrate", CALLED + "exit 1\n")
        self.tick(1)
        self.assertIn("gate", self.calls_but_systemctl())
        make_due(self.world.record)
        self.world.stand_in("migrate", CALLED)
        self.says("exit 75")
        self.tick(0)
        self.assertNotIn("gate", self.calls_but_systemctl())


class Hangs(Case):
    def test_it_is_ended_at_its_deadline(self):
        # 30 seconds of the program's own; nothing else can be waited for.
        self.world.link_tool("sleep")
        self.world.push_version(2)
        self.says("exec sleep 1000")
        self.assertIn("did not end within 30", self.tick(1))
        self.assertEqual(self.world.commit(), self.first)


if __name__ == "__main__":
    unittest.main()
