"""--dry-run: writes nothing at all, and tells what a real run then does."""

import json
import re
import shutil
import tempfile
import unittest
from pathlib import Path

from support import NOBODY, needs_root, needs_staging
from support.world import CONFIG, IN_PLACE, World, listing

HOSTILE_NAME = "päth with 'blanks', \"quotes\": and 日本"


class DryRun(unittest.TestCase):
    def world(self, **options):
        return self.enterContext(World(**options))

    def dry_run(self, world, *more):
        """A dry run that is seen to leave everything as it was."""
        temporary = Path(self.enterContext(tempfile.TemporaryDirectory()))
        temporary.chmod(0o777)
        before = listing(world.root)
        run = world.run("--dry-run", *more,
                        environment={"TMPDIR": str(temporary)})
        self.assertEqual(listing(world.root), before)
        self.assertEqual(list(temporary.iterdir()), [])
        return run

    def planned(self, world):
        """The steps of a dry run, by text and as JSON."""
        text = self.dry_run(world)
        self.assertEqual((text.returncode, text.stderr), (0, ""))
        steps = re.findall(r"^  \d+\. (.*)$", text.stdout, re.MULTILINE)
        whole = self.dry_run(world, "--json")
        self.assertEqual((whole.returncode, whole.stderr), (0, ""))
        plan = json.loads(whole.stdout)
        self.assertEqual([step["description"] for step in plan["steps"]],
                         steps)
        return steps, plan

    def assert_applied_as_planned(self, world):
        steps, plan = self.planned(world)
        run = world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        lines = run.stderr.splitlines()
        self.assertEqual([line for line in lines if line in steps], steps)
        labels = [": ".join(filter(None, (step.get("component"),
                                          step["step"])))
                  for step in plan["steps"]]
        self.assertEqual(re.findall(r"^(.*): done in .*$", run.stderr,
                                    re.MULTILINE), labels)
        if plan["to"]:
            self.assertEqual(plan["to"], world.commit())
        return steps

    def test_without_change_it_says_so(self):
        world = self.world()
        world.install_by_hand()
        run = self.dry_run(world)
        self.assertEqual(run.stdout,
                         "No changes detected in the repository.\n")
        plan = json.loads(self.dry_run(world, "--json").stdout)
        self.assertEqual(plan["steps"], [])

    def test_a_push_is_planned_and_then_applied_step_by_step(self):
        for config in (CONFIG, IN_PLACE):
            with self.subTest(config=config):
                self.plan_and_apply_a_push(self.world(config=config))

    def plan_and_apply_a_push(self, world):
        first = world.commit()
        second = world.push("Say \"hi\" \\ é", {
            "frontend/package.json": '{"version": "2"}\n',
            "backend/requirements.txt": "flask==2\n"})
        run = self.dry_run(world)
        self.assertEqual(
            run.stdout.splitlines()[0],
            f"Plan: deploy {first[:12]} (First) -> {second[:12]} "
            "(Say \"hi\" \\ é)")
        steps = self.assert_applied_as_planned(world)
        self.assertTrue(steps[0].startswith(f"fetch {second[:12]}"), steps)
        self.assertIn("No changes", world.run().stdout)

    def test_each_reason_names_the_file_and_both_hashes(self):
        world = self.world()
        world.push("Second", {"frontend/package.json": "{}\n",
                              "backend/requirements.txt": "-r base.txt\n",
                              "backend/base.txt": "flask==1\n"})
        world.run()
        world.push("Third", {"frontend/package-lock.json": "{}\n",
                             "backend/base.txt": "flask==2\n"})
        steps = "\n".join(self.planned(world)[0])
        self.assertRegex(steps, r"package-lock\.json is new \([0-9a-f]{12}\)")
        self.assertRegex(
            steps, r"base\.txt changed \([0-9a-f]{12} -> [0-9a-f]{12}\)")
        self.assertNotIn("requirements.txt changed", steps)

    def test_a_docs_only_push_restarts_and_installs_nothing(self):
        world = self.world()
        world.push("Second", {"backend/requirements.txt": "flask==2\n"})
        world.run()
        world.push("Third", {"README": "hello\n"})
        self.assert_applied_as_planned(world)

    def test_force_is_planned_too(self):
        world = self.world()
        world.install_by_hand()
        steps, plan = self.planned(world)
        self.assertEqual((steps, plan["to"]), ([], ""))
        run = self.dry_run(world, "--force")
        self.assertIn("frontend: ", run.stdout)
        self.assertIn("restart backend-deployment.service", run.stdout)

    def test_another_branch_is_left_as_it_is(self):
        world = self.world()
        world.git(world.checkout, "checkout", "-q", "-b", "feature")
        world.push("Second", {"README": "2\n"})
        self.assert_applied_as_planned(world)

    def test_a_shallow_clone_stays_shallow_and_untouched(self):
        world = self.world(clone_options=("--depth=1",))
        for number in range(3):
            world.push(f"Push {number}", {"README": f"{number}\n"})
        self.assertTrue((world.checkout / ".git/shallow").exists())
        self.assert_applied_as_planned(world)

    def test_a_checkout_of_any_name_is_understood(self):
        world = self.world(checkout=HOSTILE_NAME)
        world.push("Second", {"backend/requirements.txt": "flask==2\n"})
        self.assert_applied_as_planned(world)

    def test_commits_that_only_such_a_checkout_has_are_seen(self):
        world = self.world(checkout=HOSTILE_NAME)
        world.config(CONFIG + "on-divergence = reset\n")
        world.git(world.checkout, "commit", "-q", "--allow-empty", "-m", "own")
        world.push("Second", {"README": "2\n"})
        steps = self.assert_applied_as_planned(world)
        self.assertTrue(any(step.startswith("reset ") for step in steps),
                        steps)

    def test_a_linked_work_tree_is_left_as_it_is(self):
        world = self.world()
        world.in_place = True  # its .git is a file
        main = world.checkout
        world.git(main, "checkout", "-q", "--detach")
        world.checkout = world.root / HOSTILE_NAME
        world.git(main, "worktree", "add", "-q", world.checkout, "prod")
        world.push("Second", {"frontend/package.json": "{}\n"})
        self.assert_applied_as_planned(world)

    def test_local_changes_survive(self):
        world = self.world()
        (world.checkout / "backend/server.py").write_text("mine\n")
        (world.checkout / "notes").write_text("mine\n")
        world.push("Second", {"README": "2\n"})
        self.assert_applied_as_planned(world)
        self.assertEqual((world.checkout / "notes").read_text(), "mine\n")

    def test_what_a_real_run_would_refuse_is_refused(self):
        world = self.world()
        world.push("Second", {"backend/server.py": "app = 2\n"})
        (world.checkout / "backend/server.py").write_text("mine\n")
        self.assert_nothing_is_planned(world, "backend/server.py")

    def assert_nothing_is_planned(self, world, error):
        """Without a plan there is no JSON either."""
        for more in ((), ("--json",)):
            run = self.dry_run(world, *more)
            self.assertEqual((run.returncode, run.stdout), (1, ""))
            self.assertIn(error, run.stderr)

    def test_an_unreachable_remote_leaves_no_trace(self):
        world = self.world()
        shutil.rmtree(world.origin)
        self.assert_nothing_is_planned(world, "asking origin for branch prod")

    def test_a_missing_checkout_leaves_no_trace(self):
        world = self.world()
        shutil.rmtree(world.checkout)
        self.assertEqual(self.dry_run(world).returncode, 1)

    def test_a_pending_deployment_is_told_and_left_alone(self):
        world = self.world()
        world.push("Second", {"frontend/package.json": "{}\n"})
        world.stand_in("npm", "#!/bin/sh\nexit 1\n")
        self.assertEqual(world.run().returncode, 1)
        run = self.dry_run(world)
        self.assertEqual(run.returncode, 1)
        self.assertIn("is pending", run.stderr)
        self.assert_stuck(world, "waiting")

    def assert_stuck(self, world, verdict):
        """As JSON it says why nothing is done, and fails like a real run."""
        run = self.dry_run(world, "--json")
        self.assertEqual((run.returncode, run.stderr), (1, ""))
        said = json.loads(run.stdout)
        tip = world.git(world.author, "rev-parse", "HEAD").strip()
        self.assertEqual((said["verdict"], said["steps"]), (verdict, []))
        if verdict == "waiting":
            self.assertEqual(said["pending"]["commit"], tip)
            self.assertEqual(said["pending"]["failed_step"], "build")
        else:
            self.assertEqual(said["quarantined"], tip)

    @needs_staging
    def test_a_quarantined_commit_is_told_and_left_alone(self):
        world = self.world()
        self.assertEqual(world.run("--force").returncode, 0)
        world.push_version(2, crash="yes\n")
        self.assertEqual(world.run().returncode, 1)
        run = self.dry_run(world)
        self.assertEqual(run.returncode, 1)
        self.assertIn("is quarantined", run.stderr)
        self.assert_stuck(world, "quarantined")

    @needs_root
    def test_the_checkouts_owner_looks_and_writes_nothing_either(self):
        world = self.world()
        world.push("Second", {"README": "2\n"})
        world.give_to(NOBODY)
        steps, _ = self.planned(world)
        self.assertTrue(any("fast-forward" in step for step in steps), steps)
