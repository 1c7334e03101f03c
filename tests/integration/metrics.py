"""Metrics for Prometheus are those of the record, and harm no run."""

import re
import shutil
import subprocess
import unittest
from pathlib import Path

from support import TOP, needs_staging
from support.world import CONFIG, World, WorldCase, listing

ALERTS = TOP / "docs/examples/alerts.yml"

needs_promtool = unittest.skipUnless(
    shutil.which("promtool"), "needs promtool of Debian's package prometheus")


def promtool(*arguments, **options):
    """Runs promtool; returns what it says when it finds a fault."""
    run = subprocess.run(["promtool", *arguments], check=False, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         **options)
    return run.stdout if run.returncode != 0 else ""


class Written(WorldCase):
    def setUp(self):
        self.world = self.enterContext(World())
        self.folder = self.world.root / "collector"
        self.folder.mkdir()
        self.file = self.folder / "app.prom"
        self.world.config(f"{CONFIG}metrics = {self.file}\n")
        self.deploy(0, "--force")

    def values(self):
        """The metrics, by name and labels, with those of the commit apart."""
        text = self.file.read_text()
        found = dict(re.fullmatch(r"deployment_update_(.*) (\d+)", line)
                     .groups() for line in text.splitlines()
                     if not line.startswith("#"))
        info = next(name for name in found if name.startswith("info"))
        del found[info]
        return found | {"commit": re.search(r'commit="(.*?)"', info)[1]}

    def check(self, **values):
        found = self.values()
        self.assertEqual({name: found[name] for name in values}, values)

    def total(self, outcome):
        return int(self.values()[f'deployments_total{{outcome="{outcome}"}}'])

    @needs_promtool
    def test_a_hold_is_told_at_once(self):
        self.check(held="0")
        self.world.run("--hold", "audit")
        self.check(held="1")
        self.world.run("--release")
        self.check(held="0")

    def test_promtool_takes_them(self):
        self.assertEqual(promtool("check", "metrics",
                                  input=self.file.read_text()), "")

    def test_they_follow_deployments(self):
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o644)
        self.check(commit=self.world.commit(), pending="0", attempts="0")
        second = self.world.push_version(2)
        self.deploy(0)
        self.check(commit=second, pending="0")
        self.assertEqual(self.total("deployed"), 2)
        self.assertEqual([path.name for path in self.folder.iterdir()],
                         ["app.prom"])
        version = self.world.run("--version").stdout.split(maxsplit=1)[1]
        self.assertIn(f'version="{version.strip()}"', self.file.read_text())

    def test_they_tell_of_a_failure_and_of_its_end(self):
        self.world.push("Bad", {"backend/requirements.txt": "missing\n"})
        self.deploy(1)
        self.check(pending="1", attempts="1")
        self.assertEqual(self.total("failed"), 1)
        self.world.push_version(3)
        self.deploy(0)
        self.check(pending="0", attempts="0")
        self.assertEqual((self.total("failed"), self.total("deployed")),
                         (1, 2))

    @needs_staging
    def test_they_tell_of_a_quarantine_and_whether_it_was_asked_for(self):
        second = self.world.push_version(2)
        self.world.down.write_text(f"{second}\n")
        self.deploy(1)
        self.check(**{'quarantined{reason="failed"}': "1",
                      'quarantined{reason="asked"}': "0"})
        self.assertEqual((self.total("failed"), self.total("rolled-back")),
                         (1, 1))
        self.world.push_version(3)
        self.deploy(0)
        self.deploy(0, "--rollback")
        self.check(**{'quarantined{reason="failed"}': "0",
                      'quarantined{reason="asked"}': "1"})

    def test_they_tell_since_when_the_remote_is_away(self):
        name = "remote_away_since_timestamp_seconds"
        self.check(**{name: "0"})
        away = self.world.root / "away"
        self.world.origin.rename(away)
        self.deploy(1)
        since = self.values()[name]
        self.assertGreater(int(since), 1_700_000_000)
        self.deploy(1)
        self.check(**{name: since})
        away.rename(self.world.origin)
        self.deploy(0)
        self.check(**{name: "0"})

    def test_a_run_without_a_change_writes_nothing(self):
        for act in (lambda: None, lambda: self.world.push_version(2),
                    lambda: self.deploy(0, "--hold", "audit"),
                    lambda: self.deploy(0, "--release"),
                    lambda: self.deploy(0, "--rollback")):
            act()
            self.deploy(0)
            before = listing(self.folder)
            self.deploy(0)
            self.assertEqual(listing(self.folder), before)

    def test_a_file_beside_the_record_is_not_written_again_and_again(self):
        state = self.world.state
        self.world.config(f"{CONFIG}metrics = {state}/app.prom\n")
        self.deploy(0)
        before = listing(state)
        self.assertIn("app.prom", str(before))
        self.deploy(0)
        self.assertEqual(listing(state), before)

    def test_the_next_run_makes_up_for_what_is_missing(self):
        self.file.unlink()
        self.deploy(0)
        self.assertEqual(self.total("deployed"), 1)
        # As if a run had been killed between the record and the metrics.
        before = self.file.read_text()
        second = self.world.push_version(2)
        self.deploy(0)
        self.file.write_text(before)
        self.deploy(0)
        self.check(commit=second)
        self.deploy(0, "--hold", "audit")
        self.file.unlink()
        self.deploy(0)
        self.check(held="1")

    def test_those_that_cannot_be_written_are_one_warning(self):
        shutil.rmtree(self.folder)
        second = self.world.push_version(2)
        text = self.deploy(0)
        self.assertEqual(text.count("warning: "), 1, text)
        self.assertIn("warning: the metrics are not written: ", text)
        self.assertEqual(self.world.commit(), second)
        self.assertEqual(self.deploy(0).count("warning: "), 1)
        self.folder.mkdir()
        self.assertEqual(self.deploy(0), "")
        self.check(commit=second)

    def test_who_only_looks_writes_none(self):
        self.file.unlink()
        self.world.push_version(2)
        for option in ("--dry-run", "--status", "--history"):
            self.deploy(0, option)
        self.assertFalse(self.file.exists())


@needs_promtool
class Alerts(unittest.TestCase):
    def test_promtool_takes_the_rules(self):
        self.assertEqual(promtool("check", "rules", ALERTS), "")

    def test_they_fire_when_they_should(self):
        tests = Path(__file__).with_name("alerts_test.yml")
        self.assertEqual(promtool("test", "rules", tests), "")

    def test_there_are_three(self):
        self.assertEqual(ALERTS.read_text().count("- alert: "), 3)
