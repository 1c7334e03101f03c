"""The poll: a run without a change is left out, and every other one takes
place."""

import os
from pathlib import Path

from support import needs_root
from support.tracing import (opened_to_write, program_of, starts_process,
                             traced)
from support.world import OF_TIMER, WorldCase, World, listing

UNIT = "deployment-update.service"
POLL = ("--poll", UNIT)
NO_CHANGES = "No changes detected in the repository.\n"


class Poll(WorldCase):
    def setUp(self):
        self.world = self.enterContext(World())
        self.deploy(0, "--force")

    def poll(self):
        """Returns what it prints, and what it asked systemd; it succeeds and
        changes nothing."""
        self.world.calls()
        before = listing(self.world.checkout, self.world.state)
        run = self.world.run(*POLL, environment=OF_TIMER)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(listing(self.world.checkout, self.world.state),
                         before)
        return run.stdout, self.world.calls()

    def leaves_it_out(self, words):
        self.assertEqual(self.poll(), (words, []))
        # That is what a run would have done.
        run = self.world.run(environment=OF_TIMER)
        self.assertEqual(run.returncode, 0)
        self.assertEqual(run.stdout + run.stderr, words)

    def starts_one(self):
        self.assertEqual(self.poll(),
                         ("", [f"systemctl start --no-block {UNIT}"]))

    def test_without_a_change(self):
        self.leaves_it_out(NO_CHANGES)

    def test_it_takes_no_lock_and_asks_git_once(self):
        run, calls = traced(self.world, *POLL)
        self.assertEqual(run.stdout, NO_CHANGES)
        own = calls[program_of(calls)]
        self.assertEqual(len(list(filter(starts_process, own))), 1)
        self.assertEqual(opened_to_write({0: own}), [])

    def test_a_push(self):
        second = self.world.push_version(2)
        self.starts_one()
        self.deploy(0)
        self.assertEqual(self.world.commit(), second)
        self.leaves_it_out(NO_CHANGES)

    def test_an_environment_that_is_gone(self):
        (self.world.checkout / "backend/venv").rename(self.world.root / "gone")
        self.starts_one()

    def test_another_clone(self):
        (self.world.checkout / ".git/deployment-update").rename(
            self.world.root / "gone")
        self.starts_one()

    def test_a_checkout_that_was_never_deployed(self):
        """It stands complete, and is adopted."""
        self.world.record.unlink()
        self.leaves_it_out(NO_CHANGES)

    def test_a_remote_that_is_away_and_comes_back(self):
        self.world.origin.rename(self.world.root / "away")
        self.starts_one()
        self.deploy(1)
        (self.world.root / "away").rename(self.world.origin)
        self.starts_one()
        self.deploy(0)
        self.leaves_it_out(NO_CHANGES)

    def test_a_commit_that_was_rolled_back(self):
        """Each run says it, and fails."""
        self.world.push_version(2, crash="yes\n")
        self.deploy(1)
        self.starts_one()

    def test_a_commit_that_a_person_left(self):
        self.world.push_version(2)
        self.deploy(0)
        self.deploy(0, "--rollback")
        self.world.calls()
        words = self.deploy(0)
        self.assertIn("is quarantined", words)
        self.leaves_it_out(words)
        self.world.push_version(3)
        self.starts_one()

    def test_the_tip_is_back_at_what_is_deployed(self):
        """The run forgets the quarantine."""
        first = self.world.commit()
        self.world.push_version(2)
        self.deploy(0)
        self.deploy(0, "--rollback")
        self.world.git(self.world.author, "push", "-q", "--force", "origin",
                       f"{first}:prod")
        self.starts_one()
        self.deploy(0)
        self.leaves_it_out(NO_CHANGES)

    def test_a_deployment_that_waits_for_its_next_try(self):
        self.world.push_version(2, **{
            "backend/requirements.txt": "missing\n"})
        self.deploy(1)
        self.starts_one()

    def test_a_killed_run(self):
        record = self.world.record
        record.write_text(f"pending = {self.world.commit()}\n"
                          f"running = yes\n{record.read_text()}")
        self.starts_one()

    def test_a_hold(self):
        self.deploy(0, "--hold", "audit")
        self.world.push_version(2)
        words = self.deploy(0)
        self.assertIn(": audit; to go on: deployment-update --release", words)
        self.leaves_it_out(words)
        (self.world.state / "record.hold").write_text("nonsense\n")
        self.starts_one()

    def test_a_hold_that_nobody_was_told(self):
        told = self.tells()
        self.deploy(0, "--hold", "audit")
        self.starts_one()
        self.assertFalse(told.exists() and "audit" in told.read_text())
        self.leaves_it_out(self.deploy(0))
        self.assertIn("audit", told.read_text())

    def test_what_was_told_while_there_was_no_record(self):
        """A recovery is to be told."""
        told = self.tells()
        record = self.world.record.read_text()
        self.world.record.write_text("nonsense\n")
        self.starts_one()
        self.world.run(environment=OF_TIMER)
        self.assertIn('"event":"failed"', told.read_text())
        self.world.record.write_text(record)
        self.starts_one()
        self.world.run(environment=OF_TIMER)
        self.assertIn('"event":"recovered"', told.read_text())
        self.leaves_it_out(NO_CHANGES)

    def tells(self):
        """Lets a program be told; returns where it writes what."""
        told = self.world.root / "told"
        program = self.world.root / "tell"
        program.write_text(f"#!/bin/sh\ncat >>{told}\n")
        program.chmod(0o755)
        self.world.config(f"notify = {program}\n"
                          + self.world.config_file.read_text())
        self.deploy(0)
        return told

    def test_a_run_that_stopped_before_it_knew_what_to_deploy(self):
        """The one that finds the cause gone tells that."""
        told = self.tells()
        branch = self.world.git(self.world.origin, "rev-parse", "prod").strip()
        self.world.git(self.world.origin, "update-ref", "-d",
                       "refs/heads/prod")
        self.starts_one()
        self.world.run(environment=OF_TIMER)
        self.assertIn('"event":"failed"', told.read_text())
        self.world.git(self.world.origin, "update-ref", "refs/heads/prod",
                       branch)
        self.starts_one()
        self.world.run(environment=OF_TIMER)
        self.assertIn('"event":"recovered"', told.read_text())
        self.leaves_it_out(NO_CHANGES)

    def test_a_hold_after_such_a_run_was_told_of(self):
        self.tells()
        self.world.git(self.world.origin, "update-ref", "-d",
                       "refs/heads/prod")
        self.world.run(environment=OF_TIMER)
        self.deploy(0, "--hold", "mending")
        self.starts_one()
        self.leaves_it_out(self.deploy(0))

    @needs_root
    def test_a_run_that_failed_for_whatever_reason(self):
        """The unit notes that, and not the program, which it may not have
        started."""
        name = f"poll-{os.getpid()}"
        note = Path(f"/run/deployment-update/{name}.failed")
        note.touch()
        self.addCleanup(note.unlink)
        run = self.world.run("--poll", f"{name}.service",
                             environment=OF_TIMER)
        self.assertEqual((run.returncode, run.stdout), (0, ""))
        self.assertEqual(self.world.calls()[-1],
                         f"systemctl start --no-block {name}.service")

    def test_metrics_that_are_stale(self):
        metrics = self.world.root / "app.prom"
        self.world.config(f"metrics = {metrics}\n"
                          + self.world.config_file.read_text())
        self.starts_one()
        self.deploy(0)
        self.leaves_it_out(NO_CHANGES)
        metrics.unlink()
        self.starts_one()
        self.deploy(0)
        self.assertTrue(metrics.exists())

    def test_a_program_that_cannot_be_told_is_not_asked_each_minute(self):
        self.world.config("notify = /bin/false\n"
                          + self.world.config_file.read_text())
        self.world.push_version(2)
        self.world.run(environment=OF_TIMER)
        self.leaves_it_out(NO_CHANGES)

    def test_what_a_run_would_refuse(self):
        for name, spoil in (
                ("record", lambda: self.world.record.write_text("nonsense\n")),
                ("checkout", lambda: self.world.checkout.rename(
                    self.world.root / "gone"))):
            with self.subTest(name):
                spoil()
                self.world.calls()
                run = self.world.run(*POLL, environment=OF_TIMER)
                self.assertEqual(run.returncode, 0)
                self.assertEqual(self.world.calls(),
                                 [f"systemctl start --no-block {UNIT}"])
                self.deploy(1)

    def test_a_configuration_that_cannot_be_read_is_a_failure(self):
        """The unit of the poll starts the run then (OnFailure=)."""
        self.world.config("nonsense\n")
        self.world.calls()
        run = self.world.run(*POLL, environment=OF_TIMER)
        self.assertEqual(run.returncode, 2)
        self.assertEqual(self.world.calls(), [])

    def test_a_systemd_that_does_not_answer_is_a_failure(self):
        self.world.push_version(2)
        self.world.stand_in("systemctl", "#!/bin/sh\necho no bus >&2\nexit 1")
        run = self.world.run(*POLL, environment=OF_TIMER)
        self.assertEqual(run.returncode, 1)
        self.assertIn(f"starting {UNIT}", run.stderr)
        self.assertIn("no bus", run.stderr)
