"""The soak itself: its histories, its shrinking, and that its judge sees what
is wrong. Each tampering is what a program with a defect would leave.
"""

import ctypes
import shutil
import subprocess
import unittest

from support import needs_staging
from support.world import files_of

from soak import events
from soak.host import SoakHost
from soak.judge import Judge
from soak.soak import kind_of, shrunk

NEW_MOUNTS = 0x20000  # CLONE_NEWNS of unshare(2)


class Histories(unittest.TestCase):
    def test_seed_and_index_alone_decide(self):
        first = events.history("a", 1)
        self.assertEqual(first, events.history("a", 1))
        self.assertNotEqual(first, events.history("a", 2))
        self.assertNotEqual(first, events.history("b", 1))

    def test_every_kind_of_event_happens(self):
        seen = {event.kind for index in range(300)
                for event in events.history("a", index)}
        self.assertEqual(seen, set(events.KINDS))


class Shrinking(unittest.TestCase):
    def test_what_is_needed_stays(self):
        history = list(range(20))
        for needed in ({3}, {0, 19}, {4, 5, 6, 13}, set()):
            with self.subTest(needed=needed):
                few = shrunk(history, lambda some: needed <= set(some), 60)
                self.assertEqual(set(few), needed)

    def test_its_time_is_bounded(self):
        history = list(range(20))
        self.assertEqual(shrunk(history, lambda some: True, 0), history)

    def test_names_of_commits_make_no_other_failure(self):
        self.assertEqual(kind_of(f"{'1' * 40} has 2"),
                         kind_of(f"{'a' * 40} has 3"))
        self.assertNotEqual(kind_of("a venv"), kind_of("no venv"))


@needs_staging
class Sees(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # The mounts of a host are this process's own.
        ctypes.CDLL(None).unshare(NEW_MOUNTS)
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        cls.host = cls.enterClassContext(SoakHost())

    def setUp(self):
        self.host.begin()
        self.judge = Judge(self.host)
        self.tip = self.host.push(files_of(2), "Second")
        self.app = self.host.checkout
        self.unit = self.host.services / "backend-deployment.service"

    def assert_sees(self, text):
        run = self.host.run_of(by_timer=True)
        with self.assertRaisesRegex(AssertionError, text):
            self.judge.all_is_well_at(self.host.commit(), self.tip)
            self.judge.judge(run)

    def test_a_host_that_is_well(self):
        self.assertEqual(self.judge.judge(self.judge.calm()), "deployed")

    def test_an_environment_that_is_gone(self):
        self.judge.calm()
        shutil.rmtree(self.app / "backend/venv")
        with self.assertRaisesRegex(AssertionError, "backend has no venv"):
            self.judge.require_serves(self.tip)

    def test_an_environment_of_another_commit(self):
        self.judge.calm()
        (self.app / "backend/venv/made-from").write_text("flask==1\n")
        self.assert_sees("the venv is made from")

    def test_a_service_on_another_commit(self):
        self.judge.calm()
        _, _, environment = self.unit.read_text().partition("\n")
        self.unit.write_text(f"{self.host.first}\n{environment}")
        self.assert_sees("was restarted at")

    def test_a_service_on_another_environment(self):
        self.judge.calm()
        self.unit.write_text(f"{self.tip}\nflask==1\n")
        self.assert_sees("runs on what was made from")

    def test_a_service_that_is_down(self):
        self.judge.calm()
        self.unit.with_name(self.unit.name + ".crash").touch()
        self.assert_sees("is down")

    def test_a_commit_that_is_not_the_tip(self):
        self.judge.calm()
        self.tip = self.host.push({"README": "3\n"}, "Third")
        with self.assertRaisesRegex(AssertionError, "the tip is"):
            self.judge.all_is_well_at(self.host.commit(), self.tip)

    def test_a_push_that_is_not_deployed(self):
        self.host.fail("systemctl")
        run = self.host.run_of(by_timer=True)
        with self.assertRaisesRegex(AssertionError, "the end is 'refused'"):
            self.judge.judge(run)

    def test_a_changed_file(self):
        self.judge.calm()
        (self.app / "README").write_text("half\n")
        self.assert_sees("changed in the checkout")

    def test_a_lock_that_is_left(self):
        self.judge.calm()
        (self.app / ".git/shallow.lock").touch()
        with self.assertRaisesRegex(AssertionError, "left behind"):
            self.judge.require_nothing_is_left()

    def test_a_process_that_is_left(self):
        with subprocess.Popen(["sleep", "1000"], cwd=self.app) as process:
            try:
                with self.assertRaisesRegex(AssertionError, "processes"):
                    self.judge.require_nothing_is_left()
            finally:
                process.kill()

    def test_a_file_of_somebody_that_is_lost(self):
        (self.app / "notes").write_text("mine\n")
        self.judge.before(events.Event(1, "tick", 0))
        for text in (None, "yours\n"):
            (self.app / "notes").unlink(missing_ok=True)
            if text:
                (self.app / "notes").write_text(text)
            with self.assertRaisesRegex(AssertionError, "is lost"):
                self.judge.require_people_keep_theirs()

    def test_a_commit_of_somebody_that_is_lost(self):
        self.host.commit_here("own", "own\n")
        self.judge.before(events.Event(1, "tick", 0))
        self.host.git(self.app, "reset", "-q", "--hard", "HEAD~1")
        with self.assertRaisesRegex(AssertionError, "are lost"):
            self.judge.require_people_keep_theirs()

    def test_a_run_that_reads_and_writes(self):
        event = events.Event(1, "run --status", 0)
        self.judge.before(event)
        run = self.host.run_of("--status")
        (self.host.state / "more").touch()
        with self.assertRaisesRegex(AssertionError, "only reads"):
            self.judge.after_run(event, run)


if __name__ == "__main__":
    unittest.main()
