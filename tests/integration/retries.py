"""A deployment is done or it is pending; it is never forgotten."""

import datetime
import unittest

from support import needs_staging
from support.record import entries, make_due
from support.world import CONFIG, IN_PLACE, OF_TIMER, World


class InPlace(unittest.TestCase):
    config = IN_PLACE
    step = "backend: install"  # the one in which pip fails
    # The front end has been restarted before the back end is installed.
    restarts_of_the_retry = ["systemctl restart backend-deployment.service"]

    def setUp(self):
        self.world = self.enterContext(World(config=self.config))
        self.first = self.world.commit()

    def break_pip(self):
        stand_in = self.world.stand_in_text("pip")
        self.addCleanup(self.world.stand_in, "pip", stand_in)
        self.world.stand_in("pip", stand_in.replace(
            'echo "Successfully installed"', "exit 1"))
        return lambda: self.world.stand_in("pip", stand_in)

    def run_when_due(self, *more, **options):
        """A run, as if the wait for the next try were over."""
        make_due(self.world.record)
        return self.world.run(*more, **options)

    def entry(self, key):
        return entries(self.world.record).get(key)

    def wait_in_minutes(self, before):
        then = datetime.datetime.fromisoformat(
            self.entry("next-try").replace("Z", "+00:00"))
        return (then - before).total_seconds() / 60

    def test_the_waits_grow_to_an_hour(self):
        self.break_pip()
        self.world.push_version(2)
        self.world.run()
        waits = []
        for _ in range(8):
            before = datetime.datetime.now(datetime.timezone.utc)
            run = self.run_when_due()
            self.assertEqual(run.returncode, 1)
            waits.append(self.wait_in_minutes(before))
        for wait, promised in zip(waits, [2, 4, 8, 16, 32, 60, 60, 60]):
            # The record tells whole seconds; the run takes some.
            self.assertAlmostEqual(wait, promised, delta=0.5)
        self.assertEqual(self.entry("attempts"), "9")

    def test_between_the_tries_nothing_is_done_and_one_line_is_said(self):
        self.break_pip()
        commit = self.world.push_version(2)
        self.world.run()
        self.world.calls()
        run = self.world.run()
        self.assertEqual((run.returncode, run.stdout), (1, ""))
        self.assertRegex(
            run.stderr, rf"\Aerror: the deployment of {commit[:12]} is "
            rf"pending: '{self.step}' failed \(once so far\): installing "
            r"backend failed.*; next try at \S+Z, or now with --force\n\Z")
        self.assertEqual(self.world.calls(), [])

    def test_a_retry_goes_on_with_the_step_that_failed(self):
        mend = self.break_pip()
        commit = self.world.push_version(2)
        run = self.world.run()
        self.assertEqual(run.returncode, 1)
        first_calls = self.world.calls()
        self.assertIn("npm install --no-save", first_calls)
        mend()
        run = self.run_when_due()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn(", after it had failed once", run.stderr)
        calls = self.world.calls()
        self.assertEqual(calls[0], "python3 -m venv venv")
        self.assertNotIn("npm install --no-save", calls)
        self.assertEqual([call for call in calls if "systemctl" in call],
                         self.restarts_of_the_retry)
        self.assertEqual(self.entry("deployed"), commit)
        self.assertIsNone(self.entry("pending"))
        self.assertEqual(self.world.run().stderr, "")

    def test_a_new_commit_or_force_does_not_wait(self):
        mend = self.break_pip()
        self.world.push_version(2)
        self.world.run()
        self.run_when_due()
        self.assertEqual(self.entry("attempts"), "2")
        self.world.push_version(3)
        self.assertEqual(self.world.run().returncode, 1)
        self.assertEqual(self.entry("attempts"), "1")
        mend()
        self.assertEqual(self.world.run("--force").returncode, 0)

    def test_the_same_failure_is_told_in_full_once(self):
        self.break_pip()
        self.world.push_version(2)
        self.assertIn("what to do:", self.world.run().stderr)
        again = self.run_when_due(environment=OF_TIMER).stderr
        self.assertNotIn("what to do:", again)
        self.assertIn("failed (2 times so far)", again)
        # A person who starts a run has not seen the one of the timer.
        self.assertIn("what to do:", self.run_when_due().stderr)

    def test_status_tells_of_it(self):
        self.assertEqual(self.world.run("--force").returncode, 0)
        self.break_pip()
        commit = self.world.push_version(2)
        self.world.run()
        text = self.world.run("--status").stdout
        self.assertRegex(
            text,
            rf"\Anot up to date: the deployment failed at '{self.step}'\n"
            r"since      20\S+Z, once\n"
            r"next       again at 20\S+Z, or now: deployment-update --force\n"
            r"error      installing backend failed[^~]*\n"
            rf"pending    Version 2 \({commit[:12]}\)\n"
            rf"deployed   First \(20\S+Z, {self.first[:12]}\)\n")
        for line in text.splitlines():
            if " " in line.lstrip():  # paths stay whole
                self.assertLessEqual(len(line), 80, line)

    def test_a_remote_that_is_away_is_asked_at_every_run(self):
        away = self.world.root / "away"
        self.world.origin.rename(away)
        for _ in range(3):  # each asks: no wait grows
            run = self.world.run()
            self.assertEqual(run.returncode, 1)
            self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
            self.assertIn("asking origin for branch prod failed", run.stderr)
        self.assertIsNone(self.entry("attempts"))
        since = self.entry("remote-away-since")
        self.assertIsNotNone(since)
        away.rename(self.world.origin)
        run = self.world.run()
        self.assertIn("origin answers again; it was away for", run.stderr)
        self.assertEqual(run.returncode, 0)

    def test_a_new_interpreter_makes_a_new_venv(self):
        self.world.push_version(2)
        self.assertEqual(self.world.run().returncode, 0)
        self.world.stand_in("python3", self.world.stand_in_text(
            "python3").replace("3.11.2", "3.12.0"))
        self.world.push("Third", {"README": "3\n"})
        run = self.world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("python3 was 3.11.2 and is 3.12.0", run.stderr)
        self.assertIn("python3 -m venv venv", self.world.calls())

    def test_what_a_manifest_draws_in_counts(self):
        self.world.push("Includes", {
            "backend/requirements.txt": "-r more.txt\n",
            "backend/more.txt": "flask==1\n",
            "frontend/package-lock.json": "{}\n"})
        self.assertEqual(self.world.run().returncode, 0)
        self.world.calls()
        for name, command in (("backend/more.txt", "pip install -r"),
                              ("frontend/package-lock.json", "npm install")):
            with self.subTest(name=name):
                self.world.push(f"Change {name}", {name: "changed\n"})
                run = self.world.run()
                self.assertEqual(run.returncode, 0, run.stderr)
                calls = "\n".join(self.world.calls())
                self.assertIn(command, calls)

    def test_what_npm_rewrote_stays_unless_it_blocks(self):
        self.world.push("Lock", {"frontend/package-lock.json": "1\n"})
        self.assertEqual(self.world.run().returncode, 0)
        lock = self.world.checkout / "frontend/package-lock.json"
        lock.write_text("npm\n")
        self.world.push("Elsewhere", {"README": "1\n"})
        self.assertEqual(self.world.run().returncode, 0)
        self.assertEqual(lock.read_text(), "npm\n")
        self.world.push("Lock again", {"frontend/package-lock.json": "2\n"})
        run = self.world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("restore frontend/package-lock.json: npm rewrites it",
                      run.stderr)
        self.assertEqual(lock.read_text(), "2\n")

    def test_npm_is_kept_from_rewriting_its_lock_file(self):
        self.world.stand_in("npm", self.world.stand_in_text("npm") + (
            'case "$*" in *--no-save*) ;; '
            "*) echo npm >package-lock.json ;; esac\n"))
        self.world.push_version(2, **{"frontend/package-lock.json": "1\n"})
        self.assertEqual(self.world.run().returncode, 0)
        lock = self.world.checkout / "frontend/package-lock.json"
        self.assertEqual(lock.read_text(), "1\n")

    def test_a_diverged_branch_is_reset_when_that_is_wanted(self):
        world = self.world
        world.config(self.config + "on-divergence = reset\n")
        world.git(world.checkout, "commit", "-q", "--allow-empty", "-m", "own")
        lost = world.commit()
        commit = self.world.push_version(2)
        run = world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(world.commit(), commit)
        ref = f"refs/deployment-update/lost/{lost}"
        self.assertIn(f"what is lost is kept as {ref}", run.stderr)
        self.assertEqual(world.git(world.checkout, "rev-parse", ref).strip(),
                         lost)


@needs_staging
class Staged(InPlace):
    config = CONFIG
    step = "build"
    # Nothing is restarted before all is built.
    restarts_of_the_retry = [
        "systemctl restart frontend-deployment.service",
        "systemctl restart backend-deployment.service"]
