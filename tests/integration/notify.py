"""A program of the host that is told when the outcome changes, and once."""

import datetime
import fcntl
import json
import os
import subprocess
import unittest

from support import needs_root
from support.record import entries, let_time_pass, make_due
from support.world import CONFIG, OF_TIMER, World, WorldCase

# Keeps what it is told, one line for each call, and ends as the test wants.
TELL = """#!/bin/sh
. "${0%/*}/variables"
cat >>"$TOLD"
[ ! -e "$DEAF" ] || { echo "nobody listens" >&2; exit 3; }
"""


class Case(WorldCase):
    more = ""  # of the configuration

    def setUp(self):
        world = self.world = self.enterContext(
            World(config=CONFIG + "notify = tell\n" + self.more))
        self.told = world.root / "told"
        self.told.touch()
        self.deaf = world.root / "deaf"
        world.tell(TOLD=self.told, DEAF=self.deaf)
        world.stand_in("tell", TELL)
        self.npm = world.stand_in_text("npm")
        self.first = world.commit()
        self.deploy(0, "--force")
        self.assertEqual(self.events(), ["deployed"])

    def news(self):
        """Returns what the program was told since the last time."""
        lines = self.told.read_text().splitlines()
        os.truncate(self.told, 0)
        return [json.loads(line) for line in lines]

    def events(self):
        return [news["event"] for news in self.news()]

    def tick(self, promised, *more):
        return self.deploy(promised, *more, environment=OF_TIMER)

    def npm_fails(self, why):
        self.world.stand_in("npm", f"#!/bin/sh\necho {why} >&2\nexit 1\n")

    def npm_works(self):
        self.world.stand_in("npm", self.npm)

    def take_remote_away(self):
        self.world.origin.rename(self.world.origin.with_suffix(".away"))

    def bring_remote_back(self):
        self.world.origin.with_suffix(".away").rename(self.world.origin)


class Changes(Case):
    def test_a_run_without_a_change_tells_nothing(self):
        self.tick(0)
        record = self.world.record.read_text()
        self.tick(0)
        self.assertEqual(self.events(), [])
        self.assertEqual(self.world.record.read_text(), record)

    def test_what_was_deployed(self):
        second = self.world.push_version(2)
        self.tick(0)
        [news] = self.news()
        self.assertEqual(
            {name: news[name] for name in
             ("event", "commit", "subject", "from", "deployed", "step",
              "error", "by", "checkout", "host")},
            {"event": "deployed", "commit": second, "subject": "Version 2",
             "from": self.first, "deployed": second, "step": "", "error": "",
             "by": "", "checkout": str(self.world.checkout),
             "host": os.uname().nodename})
        self.assertEqual(
            news["text"],
            f"{os.uname().nodename}: deployed {second[:12]} (Version 2)")
        self.assertIn("seconds", news)
        self.assertIn("invocation_id", news)

    def test_a_failure_once_another_one_and_the_recovery(self):
        second = self.world.push_version(2)
        self.npm_fails("no space")
        self.tick(1)
        [news] = self.news()
        self.assertEqual((news["event"], news["commit"], news["step"],
                          news["attempts"], news["deployed"]),
                         ("failed", second, "build", 1, self.first))
        self.assertIn("no space", news["error"])
        self.assertIn(f"the deployment of {second[:12]} (Version 2) failed at "
                      "'build': ", news["text"])
        for _ in range(3):
            make_due(self.world.record)
            self.tick(1)
        self.assertEqual(self.events(), [])
        self.npm_fails("no network")
        make_due(self.world.record)
        self.tick(1)
        self.assertEqual(self.events(), ["failed-differently"])
        self.npm_works()
        make_due(self.world.record)
        self.tick(0)
        self.tick(0)
        [news] = self.news()
        self.assertEqual((news["event"], news["commit"]),
                         ("recovered", second))

    def test_a_push_that_is_rolled_back_and_says_why(self):
        second = self.world.push_version(2, crash="yes\n")
        self.tick(1)
        [news] = self.news()
        self.assertEqual((news["event"], news["commit"], news["deployed"],
                          news["step"], news["by"]),
                         ("rolled-back", second, self.first, "verify", ""))
        self.assertIn("does not run", news["error"])
        self.tick(1)
        self.assertEqual(self.events(), [])
        status = json.loads(self.world.run("--status", "--json").stdout)
        self.assertEqual(status["quarantined_step"], "verify")
        self.assertIn("failed at 'verify': ",
                      self.world.run("--status").stdout)
        self.world.push_version(3, crash=None)
        self.tick(0)
        self.assertEqual(self.events(), ["recovered"])
        status = json.loads(self.world.run("--status", "--json").stdout)
        self.assertEqual(status["quarantined_step"], "")

    def test_a_rollback_that_a_person_asks_for(self):
        second = self.world.push_version(2)
        self.tick(0)
        self.news()
        self.deploy(0, "--rollback", environment={"SUDO_USER": "ann"})
        [news] = self.news()
        self.assertEqual((news["event"], news["commit"], news["by"]),
                         ("rolled-back", second, "ann"))
        self.tick(0)
        self.deploy(0, "--force")
        self.assertEqual(self.events(), ["deployed"])

    def test_an_obstacle_is_told_once(self):
        self.world.push("Second", {"README": "pushed\n"})
        (self.world.checkout / "README").write_text("changed here\n")
        self.tick(1)
        self.tick(1)
        self.assertEqual(self.events(), ["failed"])
        (self.world.checkout / "README").unlink()
        self.tick(0)
        self.assertEqual(self.events(), ["recovered"])

    def test_a_run_that_stops_before_it_can_plan(self):
        head = self.world.checkout / ".git/HEAD"
        text = head.read_text()
        head.write_text("nonsense\n")
        self.tick(1)
        self.tick(1)
        [news] = self.news()
        self.assertEqual((news["event"], news["step"]),
                         ("failed", "planning"))
        head.write_text(text)
        self.tick(0)
        self.assertEqual(self.events(), ["recovered"])

    def test_a_hold_and_its_end(self):
        self.deploy(0, "--hold", "audit", environment={"SUDO_USER": "ann"})
        self.tick(0)
        self.tick(0)
        [news] = self.news()
        self.assertEqual((news["event"], news["by"], news["reason"]),
                         ("held", "ann", "audit"))
        self.assertIn("as ann asked: audit", news["text"])
        self.deploy(0, "--release")
        self.tick(0)
        self.tick(0)
        self.assertEqual(self.events(), ["released"])


class Stopped(Case):
    """Runs that end before they have the record, and so cannot note there what
    they told."""

    def assert_told_once(self, step, error, wait="1"):
        for _ in range(3):
            self.tick(int(wait))
        [news] = self.news()
        self.assertEqual((news["event"], news["step"], news["commit"],
                          news["checkout"]),
                         ("failed", step, "", str(self.world.checkout)))
        self.assertIn(error, news["error"])
        self.assertIn(f"the deployment of prod failed at '{step}': ",
                      news["text"])

    def assert_recovered(self):
        self.tick(0)
        self.tick(0)
        self.assertEqual(self.events(), ["recovered"])
        self.assertEqual([path.name for path in self.world.state.iterdir()
                          if path.name.startswith("record.")],
                         ["record.history"])

    def test_a_checkout_that_is_gone(self):
        away = self.world.checkout.with_suffix(".away")
        self.world.checkout.rename(away)
        self.assert_told_once("starting", str(self.world.checkout))
        away.rename(self.world.checkout)
        self.assert_recovered()

    def test_a_record_that_cannot_be_read(self):
        record = self.world.record.read_text()
        self.world.record.write_text(f"nonsense = 1\n{record}")
        self.assert_told_once("starting", "unknown key 'nonsense'")
        self.world.record.write_text("nonsense\n")
        self.tick(1)
        self.assertEqual(self.events(), ["failed-differently"])
        self.world.record.write_text(record)
        self.assert_recovered()

    def test_a_hold_that_cannot_be_read(self):
        hold = self.world.state / "record.hold"
        hold.write_text("nonsense\n")
        self.assert_told_once("starting", "nobody can say why")
        hold.unlink()
        self.assert_recovered()

    def test_a_program_that_fails_is_called_again(self):
        self.world.record.write_text("nonsense\n")
        self.deaf.touch()
        self.tick(1)
        self.tick(1)
        self.assertEqual(self.events(), ["failed"])
        told = self.world.state / "record.told"
        let_time_pass(told, datetime.timedelta(minutes=1))
        self.deaf.unlink()
        self.assert_told_once("starting", "")

    def test_a_run_that_meets_another_one_is_no_news(self):
        with self.world.lock_file().open("r+") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            self.tick(75)
        self.assertEqual(self.events(), [])

    def test_who_starts_a_run_sees_it(self):
        self.world.record.write_text("nonsense\n")
        self.deploy(1)
        self.assertEqual(self.events(), [])

    @needs_root
    def test_a_full_disk_lets_nobody_be_called_again_and_again(self):
        """What is told cannot be noted there."""
        state = self.world.state
        aside = state.rename(state.with_suffix(".aside"))
        state.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs",
                        state], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", state],
                        check=True)
        subprocess.run(["cp", "-a", "-T", aside, state], check=True)
        filler = state / "filler"
        filler.write_bytes(bytes(os.statvfs(state).f_bfree * 4096))
        self.world.push_version(2)
        for _ in range(3):
            self.assertIn("warning: ", self.tick(1))
        self.assertEqual(self.events(), [])
        filler.unlink()
        self.tick(0)
        self.assertEqual(self.events(), ["deployed"])


class Outage(Case):
    def ticks_of_a_day(self, promised):
        """Runs each ten minutes, as far as the record knows."""
        for _ in range(6 * 24):
            let_time_pass(self.world.record, datetime.timedelta(minutes=10))
            self.tick(promised)

    def test_a_day_without_the_remote(self):
        self.take_remote_away()
        self.ticks_of_a_day(1)
        [news] = self.news()
        self.assertEqual(news["event"], "remote-away")
        self.bring_remote_back()
        self.tick(0)
        self.tick(0)
        [news] = self.news()
        self.assertEqual(news["event"], "remote-back")
        self.assertIn("origin answers again; it was away since ",
                      news["text"])

    def test_a_day_of_failures(self):
        self.world.push_version(2)
        self.npm_fails("no network")
        self.ticks_of_a_day(1)
        self.assertEqual(self.events(), ["failed"])
        self.assertGreater(int(entries(self.world.record)["attempts"]), 20)
        self.npm_works()
        make_due(self.world.record)
        self.tick(0)
        self.assertEqual(self.events(), ["recovered"])

    def test_a_short_absence_is_not_told(self):
        self.take_remote_away()
        self.tick(1)
        let_time_pass(self.world.record, datetime.timedelta(minutes=14))
        self.tick(1)
        self.bring_remote_back()
        let_time_pass(self.world.record, datetime.timedelta(minutes=14))
        self.tick(0)
        self.assertEqual(self.events(), [])


class Deaf(Case):
    def test_a_program_that_fails_fails_no_run_and_is_called_again(self):
        self.deaf.touch()
        second = self.world.push_version(2)
        said = self.tick(0)
        self.assertIn("warning: telling: deployed failed: tell exited with "
                      "code 3: nobody listens\n", said)
        self.assertEqual(self.world.commit(), second)
        self.assertEqual(self.events(), ["deployed"])
        self.tick(0)  # it waits
        self.assertEqual(self.events(), [])
        let_time_pass(self.world.record, datetime.timedelta(minutes=1))
        self.deaf.unlink()
        self.tick(0)
        self.tick(0)
        self.assertEqual(self.events(), ["deployed"])

    def test_only_the_newest_outcome_is_owed(self):
        self.deaf.touch()
        self.world.push_version(2)
        self.tick(0)
        third = self.world.push_version(3)
        self.tick(0)
        self.news()
        self.deaf.unlink()
        let_time_pass(self.world.record, datetime.timedelta(hours=1))
        self.tick(0)
        self.assertEqual([news["commit"] for news in self.news()], [third])

    def test_a_program_that_is_not_there(self):
        (self.world.bin / "tell").unlink()
        self.world.push_version(2)
        self.assertIn("warning: ", self.tick(0))


class Owed(Case):
    def test_what_a_killed_run_did_not_tell_the_next_one_tells(self):
        self.world.push_version(2)
        # As if it had been killed when the record was written.
        told = entries(self.world.record)["told"]
        self.tick(0)
        self.assertEqual(self.events(), ["deployed"])
        record = self.world.record.read_text()
        now = entries(self.world.record)["told"]
        self.world.record.write_text(record.replace(now, told))
        self.tick(0)
        self.assertEqual(self.events(), ["deployed"])
        self.assertEqual(self.world.record.read_text(), record)

    def test_who_begins_to_be_told_hears_no_old_news(self):
        with World() as world:
            world.tell(TOLD=self.told, DEAF=self.deaf)
            world.stand_in("tell", TELL)
            world.push_version(2)
            self.assertEqual(world.run().returncode, 0)
            world.config(CONFIG + "notify = tell\n")
            for _ in range(2):
                self.assertEqual(world.run().returncode, 0)
            self.assertEqual(self.events(), [])

    def test_an_interrupted_run_is_no_failure(self):
        self.world.push_version(2)
        self.world.stand_in(
            "npm", "#!/bin/sh\nkill -TERM $PPID\nexec cat \"$0.fifo\"\n")
        os.mkfifo(self.world.bin / "npm.fifo")
        run = self.world.run(environment=OF_TIMER)
        self.assertEqual(run.returncode, 143, run.stderr)
        self.npm_works()
        self.tick(0)
        self.assertEqual(self.events(), ["deployed"])


class AwaySetting(Case):
    more = "notify-away = 0\n"

    def test_the_first_absence_can_be_told(self):
        self.take_remote_away()
        self.tick(1)
        self.assertEqual(self.events(), ["remote-away"])


if __name__ == "__main__":
    unittest.main()
