"""The way back: it takes back what a deployment did, and nothing else."""

import json
import os
import re
import shlex
import shutil
import subprocess
import unittest

from support import PATIENCE, needs_staging
from support.record import entries, make_due
from support.world import (COMPONENTS, IN_PLACE, World, files_of,
                           listing, made_from, WorldCase)

ASKED = {"SUDO_USER": "alice"}
BACK_END = "backend-deployment.service"
NO_BACK_END = {"backend/requirements.txt": None}


class Deployed(WorldCase):
    """The first version is deployed."""

    def setUp(self):
        self.world = self.enterContext(World())
        self.deploy(0, "--force")
        self.first = self.world.commit()
        self.world.calls()

    def push_and_deploy(self, version, promised=0, **more):
        commit = self.world.push_version(version, **more)
        self.deploy(promised)
        return commit

    def kept(self, component):
        folder = (self.world.checkout / ".git/deployment-update/environments"
                  / component)
        return sorted((path / "made-from").read_text()
                      for path in folder.iterdir())

    def runs(self, unit=BACK_END):
        """The commit that a service was last restarted on."""
        return (self.world.services / unit).read_text().split()[0]

    def status(self):
        return json.loads(self.world.run("--status", "--json").stdout)

    def without_remote(self):
        self.world.origin.rename(self.world.root / "away")

    def with_remote(self):
        (self.world.root / "away").rename(self.world.origin)

    def assert_runs(self, commit, version):
        self.assertEqual(self.world.commit(), commit)
        self.assertEqual(self.world.in_use(), made_from(version))
        for name in ("frontend", "backend"):
            self.assertEqual(self.runs(f"{name}-deployment.service"), commit)

    def builds(self):
        return [call for call in self.world.calls()
                if call.startswith(("npm", "python3 -m venv"))]


@needs_staging
class LocalFiles(Deployed):
    """That git ignores, or does not track."""

    def ignore(self, *patterns):
        (self.world.checkout / ".git/info/exclude").write_text(
            "".join(f"{pattern}\n" for pattern in patterns))

    def write(self, name, text="mine\n"):
        path = self.world.checkout / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def assert_blocked_by(self, name, path, commit):
        text = self.deploy(1)
        self.assertIn("local changes would be overwritten; nothing was "
                      "changed:\n", text)
        self.assertIn(f"error: {name}\n", text)
        self.assertEqual(path.read_text(), "mine\n")
        self.assertEqual(self.world.commit(), self.first)
        advice = re.search("put them aside: git (.*)", text)[1]
        self.world.git(self.world.checkout, *shlex.split(advice))
        self.assertFalse(path.exists())
        self.assertEqual(self.world.in_use(), made_from(1))
        stashed = path.relative_to(self.world.checkout)
        self.assertEqual(self.world.git(self.world.checkout, "show",
                                        f"stash@{{0}}^3:{stashed}"), "mine\n")
        self.deploy(0, "--force")
        self.assertEqual(self.world.commit(), commit)

    def test_an_ignored_file_that_the_commit_tracks_blocks_it(self):
        self.ignore(".env")
        mine = self.write("backend/.env")
        commit = self.world.push("Settings", {"backend/.env": "theirs\n"})
        self.assert_blocked_by("backend/.env", mine, commit)

    def test_what_it_holds_makes_no_difference(self):
        self.ignore(".env")
        for text in ("mine\n", ""):
            with self.subTest(text=text):
                mine = self.write("backend/.env", text)
                self.world.push(f"Settings {text!r}",
                                {"backend/.env": "mine\n", "README": text})
                self.assertIn("error: backend/.env\n", self.deploy(1))
                self.assertEqual(mine.read_text(), text)

    def test_a_file_where_the_commit_has_a_folder(self):
        self.ignore("data")
        mine = self.write("data")
        commit = self.world.push("A folder", {"data/file": "theirs\n"})
        self.assert_blocked_by("data", mine, commit)

    def test_a_folder_where_the_commit_has_a_file(self):
        self.ignore("data/")
        mine = self.write("data/file")
        commit = self.world.push("A file", {"data": "theirs\n"})
        self.assert_blocked_by("data/file", mine, commit)

    def test_a_link_where_the_commit_has_a_folder(self):
        self.ignore("data")
        elsewhere = self.world.root / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "file").write_text("mine\n")
        (self.world.checkout / "data").symlink_to(elsewhere)
        self.world.push("A folder", {"data/file": "theirs\n"})
        self.assertIn("error: data\n", self.deploy(1))
        self.assertEqual((elsewhere / "file").read_text(), "mine\n")
        self.assertTrue((self.world.checkout / "data").is_symlink())

    def test_a_rollback_leaves_it_and_removes_what_the_push_laid_out(self):
        self.ignore(".env", "*.log")
        mine = self.write("backend/server.log")
        self.world.push_version(2, crash="yes\n", **{"backend/.env": "1\n"})
        self.assertIn("rolled back to", self.deploy(1))
        self.assertEqual(mine.read_text(), "mine\n")
        self.assertFalse((self.world.checkout / "backend/.env").exists())
        self.assert_runs(self.first, 1)

    def test_a_file_that_it_would_overwrite_stops_a_rollback(self):
        second = self.world.push("Ignore it", {"settings": "theirs\n"})
        self.deploy(0)
        self.world.push("Track it no longer", {"settings": None})
        self.deploy(0)
        self.ignore("settings")
        mine = self.write("settings")
        self.assertIn("error: settings\n", self.deploy(1, "--rollback"))
        self.assertEqual(mine.read_text(), "mine\n")
        mine.unlink()
        self.deploy(0, "--rollback")
        self.assertEqual(self.world.commit(), second)

    def test_a_move_of_an_ignored_file_that_was_killed_goes_on(self):
        self.ignore(".env")
        commit = self.world.push("Settings", {"backend/.env": "theirs\n"})
        git = os.readlink(self.world.bin / "git")
        (self.world.bin / "git").unlink()
        self.world.stand_in("git", f"""#!/bin/sh
case "$*" in *" merge "*) printf the >backend/.env; kill -9 $PPID;; esac
exec {git} "$@"
""")
        self.assertEqual(self.world.run().returncode, -9)
        (self.world.bin / "git").unlink()
        self.world.link_tool("git")
        text = self.deploy(0)
        self.assertIn("restore backend/.env: an earlier run was stopped "
                      "while it wrote them", text)
        self.assertEqual(self.world.commit(), commit)


@needs_staging
class Services(Deployed):
    def drop_the_back_end(self):
        commit = self.world.push("No back end", NO_BACK_END)
        self.deploy(0)
        self.world.calls()
        return commit

    def test_one_that_the_commit_before_lacks_is_restarted_there(self):
        without = self.drop_the_back_end()
        bad = self.world.push_version(2, crash="yes\n")
        text = self.deploy(1)
        self.assertIn(f"rolled back to {without[:12]}", text)
        self.assertIn(f"backend: restart {BACK_END}: what is taken back runs "
                      "in it; it is not watched", text)
        self.assertEqual(self.runs(), without)
        self.assertIn(f"{bad[:12]} is quarantined", self.deploy(1))
        # What it ran on before is in use again.
        self.assertEqual(
            (self.world.checkout / "backend/venv/made-from").read_text(),
            "flask==1\n")
        self.assertIn("flask==2\n", self.kept("backend"))

    def test_one_that_cannot_be_started_there_is_a_warning(self):
        without = self.drop_the_back_end()
        self.world.stand_in("systemctl.real",
                            self.world.stand_in_text("systemctl"))
        self.world.stand_in("systemctl", f"""#!/bin/sh
. "${{0%/*}}/variables"
case "$*" in
"restart {BACK_END}")
  if ! [ -e "$CHECKOUT/crash" ]; then
    echo "cannot start it" >&2
    exit 1
  fi ;;
esac
exec "$0.real" "$@"
""")
        self.world.push_version(2, crash="yes\n")
        text = self.deploy(1)
        self.assertIn("warning: restarting backend-deployment.service failed",
                      text)
        self.assertIn(f"rolled back to {without[:12]}", text)
        self.assertNotIn("critical", text)

    def test_by_hand_too(self):
        without = self.drop_the_back_end()
        self.push_and_deploy(2)
        self.deploy(0, "--rollback")
        self.assertEqual(self.runs(), without)

    def test_one_that_the_push_did_not_touch_is_left_alone(self):
        without = self.drop_the_back_end()
        self.world.push("Crash", {"crash": "yes\n"})
        self.deploy(1)
        self.assertEqual(self.world.commit(), without)
        self.assertNotIn(f"systemctl restart {BACK_END}", self.world.calls())


@needs_staging
class Environments(Deployed):
    def test_a_forced_deployment_of_the_same_commit_is_taken_back(self):
        (self.world.checkout / "backend/venv/old").touch()
        self.world.tell(DOWN=self.world.checkout / "backend/venv/down")
        self.world.stand_in("python3", self.world.stand_in_text("python3")
                            + ': >"$3/down"\n')
        text = self.deploy(1, "--force")
        self.assertIn(f"rolled back to {self.first[:12]}", text)
        self.assertTrue((self.world.checkout / "backend/venv/old").exists())
        self.assertEqual(len(self.builds()), 2)
        self.assertNotIn("quarantined", self.world.record.read_text())
        make_due(self.world.record)
        self.deploy(0)
        self.assertEqual(self.builds(), [])
        self.assertEqual(self.deploy(0), "")

    def test_a_forced_push_goes_back_to_the_environments_before(self):
        (self.world.checkout / "backend/venv/old").touch()
        self.world.push("Crash", {"crash": "yes\n"})
        self.deploy(1, "--force")
        self.assertTrue((self.world.checkout / "backend/venv/old").exists())
        self.assertEqual(len(self.builds()), 2)
        # The next push goes on with them.
        self.world.push("No crash", {"crash": None})
        self.deploy(0)
        self.assertTrue((self.world.checkout / "backend/venv/old").exists())
        self.assertEqual(self.builds(), [])

    def test_a_first_environment_is_taken_back_in_the_same_run(self):
        world = self.enterContext(World())
        self.world = world
        without = world.push("No back end", NO_BACK_END)
        self.deploy(0, "--force")
        world.push_version(2, crash="yes\n")
        text = self.deploy(1)
        self.assertIn("backend: put the venv aside: the commit has nothing of "
                      "it", text)
        self.assertIn(f"rolled back to {without[:12]}", text)
        self.assertEqual(world.commit(), without)
        self.assertEqual(self.runs(), without)
        self.assertFalse((world.checkout / "backend/venv").exists())
        self.assertEqual(self.kept("backend"), ["flask==2\n"])
        # It is kept for a push that mends the rest.
        world.calls()
        world.push("No crash", {"crash": None})
        self.deploy(0)
        self.assertEqual(world.in_use(), made_from(2))
        self.assertEqual(self.builds(), [])

    def test_the_first_deployment_says_that_there_is_no_way_back(self):
        self.world = self.enterContext(World())
        self.world.push_version(2, crash="yes\n")
        text = self.deploy(1)
        self.assertIn("warning: not rolled back: nothing was deployed before",
                      text)

    def test_those_of_failed_pushes_do_not_pile_up(self):
        self.push_and_deploy(2)
        for version in range(3, 8):
            self.push_and_deploy(version, 1, **{
                "backend/requirements.txt": "missing\n"})
        # The last two, and the one that a rollback would need.
        self.assertEqual(self.kept("frontend"), sorted(
            files_of(version)["frontend/package.json"]
            for version in (1, 6, 7)))
        self.world.calls()
        self.deploy(0, "--rollback")
        self.assertEqual(self.builds(), [])
        self.assert_runs(self.first, 1)


@needs_staging
class Adopted(unittest.TestCase):
    """What was installed by hand stands complete, and is on no record."""

    def setUp(self):
        self.world = self.enterContext(World())
        self.world.install_by_hand()
        self.first = self.world.commit()
        self.assertEqual(self.world.run().returncode, 0)
        self.assertFalse(self.world.record.exists())

    def status(self):
        return json.loads(self.world.run("--status", "--json").stdout)

    def restarts(self):
        return [call for call in self.world.calls()
                if call.startswith("systemctl restart")]

    def test_a_run_goes_back_once_when_services_die_there_too(self):
        self.world.push_version(2)
        self.world.down.touch()
        run = self.world.run()
        self.assertEqual(run.returncode, 1)
        self.assertEqual(run.stderr.count("rolling back to"), 1, run.stderr)
        self.assertEqual(len(self.restarts()), 4)
        self.assertIsNone(self.status()["quarantined"])

    def test_so_does_one_after_a_forced_deployment_that_failed(self):
        self.world.down.touch()
        self.assertEqual(self.world.run("--force").returncode, 1)
        self.world.push_version(2)
        run = self.world.run()
        self.assertEqual(run.returncode, 1)
        self.assertLessEqual(run.stderr.count("rolling back to"), 1,
                             run.stderr)

    def die_after_the_first_restart(self):
        self.world.stand_in("systemctl", self.world.stand_in_text(
            "systemctl") + "[ $1 != restart ] || kill -KILL $PPID\n")
        self.world.push("Crash", {"crash": "yes\n"})
        before = self.world.stand_in_text("systemctl")
        self.assertEqual(self.world.run().returncode, -9)
        self.world.stand_in("systemctl", before.rpartition("[ $1")[0])

    def test_a_run_that_is_killed_is_taken_back_by_the_next(self):
        self.die_after_the_first_restart()
        run = self.world.run()
        self.assertEqual(run.returncode, 1)
        self.assertIn(f"rolled back to {self.first[:12]}", run.stderr)
        self.assertEqual(self.world.commit(), self.first)

    def test_by_hand_too(self):
        self.die_after_the_first_restart()
        run = self.world.run("--rollback")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.world.commit(), self.first)

    def test_built_in_place_a_person_can_go_back(self):
        self.world.config(IN_PLACE)
        self.world.push_version(2, crash="yes\n")
        self.assertEqual(self.world.run().returncode, 1)
        run = self.world.run("--rollback")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.world.commit(), self.first)
        self.assertEqual(self.world.in_use(), made_from(1))

    def test_a_commit_that_the_remote_never_had_is_not_adopted(self):
        """Else it would pass for one that the remote took away."""
        self.world.commit_files("Own", {"own": "1\n"}, self.world.checkout)
        self.world.down.touch()
        self.assertEqual(self.world.run("--force").returncode, 1)
        self.assertNotIn("deployed", entries(self.world.record))
        self.world.down.unlink()
        run = self.world.run("--force")
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_a_checkout_on_no_branch_is_only_put_on_it(self):
        self.world.git(self.world.checkout, "checkout", "-q", "--detach")
        for _ in range(2):
            self.assertEqual(self.world.run().returncode, 0)
        self.assertEqual(self.world.calls(), [])

    def test_an_obstacle_before_the_first_deployment_changes_nothing(self):
        self.world.push("Crash", {"crash": "yes\n", "README": "2\n"})
        self.world.git(self.world.checkout, "fetch", "-q")
        (self.world.checkout / "README").write_text("mine\n")
        self.assertEqual(self.world.run().returncode, 1)
        (self.world.checkout / "README").unlink()
        run = self.world.run()
        self.assertIn(f"rolled back to {self.first[:12]}", run.stderr)
        self.assertEqual(self.status()["deployed"]["commit"], self.first)

    def test_it_is_no_verified_signature(self):
        self.world.config("settle = 0\nverify-signatures = true\n")
        self.world.push_version(2)
        self.assertEqual(self.world.run().returncode, 1)
        self.world.git(self.world.author, "reset", "-q", "--hard", self.first)
        self.world.push_commits("--force")
        run = self.world.run()
        self.assertEqual(run.returncode, 1)
        self.assertIn("signature", run.stderr)
        self.assertEqual(self.restarts(), [])


class InPlace(Deployed):
    def setUp(self):
        super().setUp()
        self.world.config(IN_PLACE)

    def test_by_hand_it_goes_to_what_was_last_good(self):
        second = self.push_and_deploy(2)
        third = self.push_and_deploy(3, 1, crash="yes\n")
        text = self.deploy(0, "--rollback", environment=ASKED)
        self.assertIn(f"rolled back to {second[:12]}", text)
        self.assert_runs(second, 2)
        last = self.status()["history"][-1]
        self.assertEqual((last["from"], last["to"]), (third, second))


@needs_staging
class ByHand(Deployed):
    def test_it_works_while_a_deployment_waits(self):
        self.push_and_deploy(2)
        third = self.push_and_deploy(3, 1, **{
            "backend/requirements.txt": "missing\n"})
        self.deploy(0, "--rollback")
        self.assert_runs(self.first, 1)
        self.assertEqual(self.status()["quarantined"], third)

    def test_it_finishes_a_rollback_that_failed(self):
        self.world.push_version(2)
        self.world.down.touch()
        text = self.deploy(1)
        self.assertIn("or now with --rollback", text)
        self.world.down.unlink()
        self.deploy(0, "--rollback", environment=ASKED)
        self.assert_runs(self.first, 1)
        # The commit was not to blame; she took it away.
        self.assertEqual(self.status()["quarantined_by"], "alice")
        self.deploy(0)

    def test_it_works_without_the_remote(self):
        second = self.push_and_deploy(2)
        self.without_remote()
        text = self.deploy(0, "--rollback", environment=ASKED)
        self.assertIn("asking origin for branch prod failed", text)
        self.assertIn("rolled back to", text)
        self.assert_runs(self.first, 1)
        self.with_remote()
        self.assertIn(f"{second[:12]} is quarantined, as alice asked",
                      self.deploy(0))
        third = self.push_and_deploy(3)
        self.assert_runs(third, 3)

    def test_there_is_a_way_forward_after_one_step_too_many(self):
        second = self.push_and_deploy(2)
        third = self.push_and_deploy(3)
        self.deploy(0, "--rollback")
        self.assert_runs(second, 2)
        self.deploy(0, "--rollback")
        self.assert_runs(self.first, 1)
        text = self.deploy(0, "--rollback", second[:7], environment=ASKED)
        self.assertIn(f"rolling back {self.first[:12]} (First) -> "
                      f"{second[:12]} (Version 2), as alice asked\n", text)
        self.assert_runs(second, 2)
        self.assertIn(f"{third[:12]} is quarantined", self.deploy(0))

    def test_to_the_tip_leaves_what_was_committed_here(self):
        self.world.commit_files("Own", {"own": "1\n"}, self.world.checkout)
        own = self.world.commit()
        self.deploy(0, "--rollback", self.first[:12])
        self.assert_runs(self.first, 1)
        self.assertIn(own, self.world.git(self.world.checkout,
                                          "for-each-ref", "refs/"))
        self.assertEqual(self.deploy(0), "")

    def test_forward_to_the_tip_is_a_deployment(self):
        second = self.push_and_deploy(2)
        self.deploy(0, "--rollback")
        self.without_remote()  # the checkout has it
        text = self.deploy(0, "--rollback", second, environment=ASKED)
        self.assertIn(f"deployed {second[:12]}", text)
        self.assert_runs(second, 2)
        self.with_remote()
        self.assertRegex(self.deploy(0), r"\Aorigin answers again; it was "
                         r"away for .*\n\Z")
        status = self.status()
        self.assertIsNone(status["quarantined"])
        last = status["history"][-1]
        self.assertEqual((last["outcome"], last["by"], last["from"]),
                         ("deployed", "alice", self.first))

    def test_one_whose_services_do_not_stay_up_is_taken_back(self):
        self.push_and_deploy(2)
        third = self.push_and_deploy(3)
        self.world.down.write_text(f"{self.first}\n")
        text = self.deploy(1, "--rollback", self.first, environment=ASKED)
        self.assertIn("does not run as it should", text)
        self.assertIn(f"rolled back to {third[:12]}", text)
        self.assert_runs(third, 3)
        status = self.status()
        self.assertEqual((status["quarantined"], status["pending"]),
                         (None, None))
        self.assertEqual(
            [(past["outcome"], past["from"], past["to"], past["by"])
             for past in status["history"][-2:]],
            [("failed", third, self.first, "alice"),
             ("rolled-back", self.first, third, "alice")])
        self.assertEqual(self.world.run().stdout,
                         "No changes detected in the repository.\n")

    def test_one_that_is_taken_back_to_a_commit_that_is_not_the_tip(self):
        second = self.push_and_deploy(2)
        third = self.push_and_deploy(3, 1, crash="yes\n")
        self.world.down.write_text(f"{self.first}\n")
        text = self.deploy(1, "--rollback", environment=ASKED)
        self.assertIn(f"rolled back to {second[:12]}", text)
        self.assert_runs(second, 2)
        self.assertIn(f"{third[:12]} is quarantined", self.deploy(1))

    def test_a_commit_that_was_never_deployed_is_refused(self):
        text = self.deploy(1, "--rollback", "deadbeef")
        self.assertIn("no commit that was deployed begins with deadbeef; the "
                      "history has: "
                      f"{self.first}", text)
        self.assertEqual(self.world.calls(), [])

    def test_a_commit_that_only_failed_is_told_as_that(self):
        bad = self.push_and_deploy(2, 1, crash="yes\n")
        text = self.deploy(1, "--rollback", bad[:12])
        self.assertIn(f"error: {bad[:12]} was never deployed: it failed\n"
                      "error: what to do: to try the remote's commit again: "
                      "deployment-update --force", text)

    def test_the_history_tells_it_as_what_it_was(self):
        second = self.push_and_deploy(2)
        third = self.push_and_deploy(3)
        self.deploy(0, "--rollback", self.first[:12], environment=ASKED)
        history = self.status()["history"]
        self.assertEqual(
            [(past["outcome"], past["from"], past["to"], past["by"])
             for past in history[1:]],
            [("deployed", self.first, second, ""),
             ("deployed", second, third, ""),
             ("rolled-back", third, self.first, "alice")])
        self.assertRegex(self.world.run("--history").stdout,
                         rf"\A\S+Z  rolled-back  {self.first[:12]}  First\n"
                         rf"    in .*, from {third[:12]}, .*as alice asked\n")

    def test_what_is_left_is_what_was_deployed(self):
        # It is not the tip, which cannot be built.
        second = self.push_and_deploy(2)
        self.push_and_deploy(3, 1, **{
            "backend/requirements.txt": "missing\n"})
        self.deploy(0, "--rollback")
        self.assertEqual(self.status()["history"][-1]["from"], second)

    def test_it_is_no_error_of_each_later_run(self):
        second = self.push_and_deploy(2)
        self.deploy(0, "--rollback", environment=ASKED)
        for _ in range(2):
            text = self.deploy(0)
            self.assertRegex(text, rf"\A{second[:12]} is quarantined, as "
                             r"alice asked; .*\n\Z")
        self.assertEqual(self.world.run("--dry-run").returncode, 0)

    def test_a_quarantine_tells_who_asked_for_it(self):
        second = self.push_and_deploy(2)
        self.deploy(0, "--rollback", environment=ASKED)
        status = self.status()
        self.assertEqual((status["quarantined"], status["quarantined_by"]),
                         (second, "alice"))
        self.assertIn(f"quarantine Version 2 ({second[:12]}), as alice asked"
                      "\n", self.world.run("--status").stdout)
        run = self.world.run("--dry-run", "--json")
        self.assertEqual(run.returncode, 0)
        plan = json.loads(run.stdout)
        self.assertEqual((plan["quarantined"], plan["quarantined_by"]),
                         (second, "alice"))

    def test_a_quarantine_ends_when_the_remote_has_left_it(self):
        bad = self.push_and_deploy(2, 1, crash="yes\n")
        self.assertEqual(self.status()["quarantined"], bad)
        world = self.world
        world.git(world.author, "reset", "-q", "--hard", self.first)
        world.push_commits("--force")
        self.assertEqual(self.deploy(0), "")
        self.assertEqual(self.status()["quarantined"], None)
        before = listing(world.state)
        self.deploy(0)
        self.assertEqual(listing(world.state), before)

    def test_a_quarantined_commit_that_somebody_checked_out(self):
        bad = self.push_and_deploy(2, 1, crash="yes\n")

        def git(*arguments):
            self.world.git(self.world.checkout, *arguments)

        git("fetch", "-q", "origin")
        for move in (["checkout", "-q", bad],
                     ["checkout", "-q", "-B", "prod", bad]):
            git(*move)
            run = self.world.run("--dry-run")
            self.assertEqual(run.returncode, 1)
            self.assertRegex(
                run.stderr, rf"\Aerror: {bad[:12]} is quarantined; "
                rf"{self.first[:12]} was deployed, but somebody moved the "
                rf"checkout to {bad[:12]}, .*: --rollback "
                rf"{self.first[:12]}; .*\n\Z")
            self.deploy(1)
        self.assertEqual(self.world.commit(), bad)
        self.deploy(0, "--rollback", self.first[:12], environment=ASKED)
        self.assert_runs(self.first, 1)
        # It is bad, whoever returned from it.
        self.assertEqual(self.status()["quarantined_by"], "")
        self.assertEqual(self.status()["history"][-1]["by"], "alice")

    def test_after_many_failures_there_is_a_way_back(self):
        self.push_and_deploy(2)
        for version in range(3, 9):
            self.push_and_deploy(version, 1, crash=f"{version}\n")
        self.world.calls()
        self.deploy(0, "--rollback")
        self.assertEqual(self.builds(), [])
        self.assert_runs(self.first, 1)

    def test_a_commit_is_not_to_blame_for_what_fails_without_it_too(self):
        second = self.world.push_version(2)
        self.world.down.touch()
        self.assertIn("critical: the rollback to", self.deploy(1))
        self.assertIsNone(self.status()["quarantined"])
        self.world.down.unlink()
        for _ in range(2):  # it is rolled back, and then tried again
            make_due(self.world.record)
            self.world.run()
        self.assert_runs(second, 2)

    def test_nor_when_the_rollback_was_killed_and_fails_in_the_next_run(self):
        self.world.push_version(2)
        self.world.down.touch()
        program = self.world.stand_in_text("systemctl")
        self.world.stand_in("systemctl", program + f"""
case $1 in restart)
  [ "$(git -C "$CHECKOUT" rev-parse HEAD)" != {self.first} ] ||
    kill -KILL $PPID
esac
""")
        run = self.world.run()
        self.assertEqual(run.returncode, -9, run.stderr)
        self.assertIsNotNone(self.status()["quarantined"])
        self.world.stand_in("systemctl", program)
        self.deploy(1)
        self.assertIsNone(self.status()["quarantined"])

    def test_a_typing_error_in_the_configuration_stops_it(self):
        self.push_and_deploy(2)
        self.world.config(COMPONENTS.replace(
            "[backend]\n", "[backend]\ndirectory = bakend\n"))
        self.world.calls()
        text = self.deploy(1, "--rollback")
        self.assertIn("component backend: there is no folder bakend", text)
        self.assertEqual(self.world.calls(), [])
        self.world.config(COMPONENTS)
        self.deploy(0, "--rollback")
        self.assert_runs(self.first, 1)

    def test_a_bad_commit_is_quarantined_by_nobody(self):
        second = self.push_and_deploy(2, 1, crash="yes\n")
        self.assertIn(f"error: {second[:12]} is quarantined; ", self.deploy(1))
        self.assertEqual(self.status()["quarantined_by"], "")
        run = self.world.run("--dry-run", "--json")
        self.assertEqual(run.returncode, 1)
        self.assertEqual(json.loads(run.stdout)["quarantined_by"], "")


@needs_staging
class Told(Deployed):
    def test_a_service_that_a_push_has_lost_may_run_on(self):
        commit = self.world.push("Lost", {"backend/requirements.txt": None})
        text = self.deploy(0)
        line = (f"warning: backend: {BACK_END} may go on with what "
                f"{self.first[:12]} had: {commit[:12]} has nothing of it\n")
        self.assertIn(line, text)
        self.world.push("More", {"README": "more\n"})
        self.assertNotIn("may go on with", self.deploy(0))
        self.assertIn("frontend: restart", text)
        shown = self.world.run("--status").stdout
        self.assertIn(f"backend    {BACK_END} is active (running)\n"
                      "           the deployed commit has nothing of it\n",
                      shown)

    def test_status_tells_what_is_so_and_not_only_what_was(self):
        world = self.world
        second = self.push_and_deploy(2)
        world.git(world.checkout, "reset", "-q", "--hard", self.first)
        shutil.rmtree(world.checkout / "backend/venv")
        world.down.touch()
        shown = world.run("--status").stdout
        self.assertRegex(
            shown, rf"deployed   Version 2 \(\S+Z, {second[:12]}\)\n"
            rf"           First \({self.first[:12]}\) is checked out\n")
        self.assertIn(f"backend    {BACK_END} is failed (running)\n"
                      "           its venv is not the one that was deployed\n",
                      shown)
        status = self.status()
        self.assertEqual(status["checked_out"], self.first)
        self.assertEqual(status["components"]["backend"]["trouble"],
                         "its venv is not the one that was deployed")
        self.assertEqual(status["components"]["backend"]["services"],
                         {BACK_END: "failed (running)"})

    def test_each_file_in_the_way_is_told_each_time(self):
        world = self.world
        commit = world.push("Both", {"backend/server.py": "2\n",
                                     "frontend/app.js": "2\n"})
        for path in ("backend/server.py", "frontend/app.js"):
            (world.checkout / path).write_text("mine\n")
        self.deploy(1)
        self.assertIn(f"the deployment of {commit[:12]} is pending: "
                      "'planning' failed: local changes would be overwritten; "
                      "nothing was changed: backend/server.py, "
                      "frontend/app.js; each run looks again\n",
                      self.deploy(1))

    def test_each_later_line_of_a_pending_deployment_names_the_cause(self):
        self.push_and_deploy(2, 1, **{"backend/requirements.txt": "missing\n"})
        for options in ([], ["--dry-run"]):
            with self.subTest(options=options):
                self.assertRegex(
                    self.deploy(1, *options),
                    r"\Aerror: the deployment of .* is pending: 'build' "
                    r"failed \(once so far\): installing backend failed.*; "
                    r"next try ")

    def run_into_the_journal(self, **variables):
        """As systemd starts it; its output is a file in the journal's
        place."""
        with (self.world.root / "journal").open("w") as journal:
            file = os.fstat(journal.fileno())
            stream = {"JOURNAL_STREAM": f"{file.st_dev}:{file.st_ino}"}
            return subprocess.run(
                self.world.arguments(), cwd="/", stderr=journal,
                env=self.world.environment | stream | variables, check=True,
                stdin=subprocess.DEVNULL, timeout=PATIENCE)

    def test_the_history_tells_how_to_read_the_journal_of_a_run(self):
        run_id = "0123456789abcdef" * 2
        self.world.push_version(2)
        self.run_into_the_journal(INVOCATION_ID=run_id)
        self.assertEqual(
            [past["invocation_id"] for past in self.status()["history"]],
            ["", run_id])
        text = self.world.run("--history").stdout
        self.assertEqual(text.count("journalctl"), 1)
        self.assertIn(f"    journalctl _SYSTEMD_INVOCATION_ID={run_id}\n",
                      text)

    def test_a_variable_of_another_unit_is_not_believed(self):
        self.world.push_version(2)
        self.deploy(0, environment={"INVOCATION_ID": "1" * 32})
        self.assertNotIn("invocation", self.world.record.read_text())

    def test_a_name_that_is_no_word_is_not_recorded(self):
        self.push_and_deploy(2)
        self.deploy(0, "--rollback",
                    environment={"SUDO_USER": "alice invocation=1\nx = 1"})
        self.assertNotIn("alice", self.world.record.read_text())
        self.assertNotEqual(entries(self.world.record)["quarantined-by"], "")
