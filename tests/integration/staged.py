"""Deployments that are built aside, put into use, verified, and taken back.

They need a mount namespace of their own, so root.
"""

import os
import subprocess

from support import NOBODY, PATIENCE, needs_staging, until
from support.record import entries, make_due
from support.world import World, made_from, WorldCase

# Tries what a build may not do, and tells what it saw.
CURIOUS_NPM = """#!/bin/sh
mkdir -p node_modules
git rev-parse HEAD >node_modules/head
git status --porcelain >node_modules/status
! git update-ref refs/heads/forged HEAD 2>/dev/null || exit 9
"""

# Once, after a restart, it does not reach systemd.
FAILS_ONCE = """#!/bin/sh
. "${0%/*}/variables"
case $1 in
restart) [ -e "$SERVICES/failed" ] || echo x >"$SERVICES/fails" ;;
show)
  if [ -e "$SERVICES/fails" ]; then
    mv "$SERVICES/fails" "$SERVICES/failed"
    echo "Failed to connect to bus" >&2
    exit 1
  fi ;;
esac
exec "$0.real" "$@"
"""


@needs_staging
class Staged(WorldCase):
    def setUp(self):
        self.world = self.enterContext(World())
        self.first = self.world.commit()
        self.deploy(0, "--force")
        self.world.calls()

    def kept(self, component):
        folder = (self.world.checkout / ".git/deployment-update/environments"
                  / component)
        return sorted(folder.iterdir())

    def assert_runs(self, commit, version):
        """All of the host is at the commit of that version."""
        world = self.world
        self.assertEqual(world.commit(), commit)
        self.assertEqual(world.in_use(), made_from(version))
        self.assertEqual(world.running(), [
            f"{commit}\n{text}" for text in made_from(version)])

    def assert_clean(self):
        world = self.world
        self.assertEqual(world.git(world.checkout, "status", "--porcelain"),
                         "")
        self.assertFalse(
            (world.checkout / ".git/deployment-update/stage").exists())

    def test_a_good_push_is_put_into_use(self):
        second = self.world.push_version(2)
        text = self.deploy(0)
        self.assertIn(f"build {second[:12]} aside", text)
        self.assert_runs(second, 2)
        self.assert_clean()

    def test_nothing_changes_while_a_push_is_built(self):
        world = self.world
        at_work, go_on = world.root / "at-work", world.root / "go-on"
        os.mkfifo(go_on)
        world.tell(AT_WORK=at_work, GO_ON=go_on)
        world.stand_in("pip", world.stand_in_text("pip").replace(
            "  cat requirements.txt >venv/made-from\n",
            "  cat requirements.txt >venv/made-from\n"
            '  echo up >"$AT_WORK"; cat "$GO_ON"\n'))
        second = world.push_version(2)
        program = subprocess.Popen(
            world.arguments(), cwd="/", env=world.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        self.addCleanup(program.stderr.close)
        self.addCleanup(program.kill)
        until("the venv to be made", at_work.exists, pause=0.01)
        self.assert_runs(self.first, 1)
        self.assertNotIn("systemctl", "\n".join(world.calls()))
        record = entries(world.record)
        self.assertEqual((record["pending"], record["running"]),
                         (second, "yes"))
        go_on.write_text("")
        self.assertEqual(program.wait(PATIENCE), 0)
        self.assert_runs(second, 2)

    def test_a_build_sees_the_target_commit_and_cannot_write_to_git(self):
        self.world.stand_in("npm", CURIOUS_NPM)
        second = self.world.push_version(2)
        self.deploy(0)
        modules = self.world.checkout / "frontend/node_modules"
        self.assertEqual((modules / "head").read_text().strip(), second)
        self.assertEqual((modules / "status").read_text(), "")
        refs = self.world.git(self.world.checkout, "for-each-ref")
        self.assertNotIn("forged", refs)

    def test_a_build_sees_local_files_that_git_does_not_track(self):
        world = self.world
        (world.checkout / "frontend/.npmrc").write_text("token\n")
        world.git(world.checkout, "config", "core.excludesFile", "/dev/null")
        (world.checkout / ".git/info/exclude").write_text(".npmrc\n")
        world.stand_in("npm", world.stand_in_text("npm")
                       + "cat .npmrc >node_modules/npmrc\n")
        self.world.push_version(2)
        self.deploy(0)
        self.assertEqual(
            (world.checkout / "frontend/node_modules/npmrc").read_text(),
            "token\n")

    def test_what_is_copied_beside_what_git_tracks(self):
        """What builds are known to read, and what the configuration names."""
        world = self.world
        world.config("settle = 0\ncopy = seed/*.sql key\n")
        copied = [".env", ".env.local", "backend/key", "frontend/.npmrc",
                  "key", "seed/a.sql"]
        others = ["frontend/notes", "other/.env", "seed/b.txt", "seed/c/d.sql"]
        for name in copied + others:
            path = world.checkout / name
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text("mine\n")
        world.stand_in("npm", world.stand_in_text("npm") + (
            "(cd .. && grep -rlx --exclude-dir=.git mine .) "
            ">node_modules/copied\n"))
        self.world.push_version(2)
        self.deploy(0)
        seen = (world.checkout / "frontend/node_modules/copied").read_text()
        self.assertEqual(sorted(seen.split()),
                         sorted(f"./{name}" for name in copied))

    def test_a_file_that_cannot_be_copied_is_left_out_and_named(self):
        world = self.world
        world.trust_every_owner()
        world.give_to(NOBODY)
        (world.checkout / ".env").write_text("of root\n")
        (world.checkout / ".env").chmod(0o600)
        second = world.push_version(2)
        text = self.deploy(0)
        self.assertEqual(text.count(
            "warning: not copied for the build: .env (Permission denied)\n"),
            1)
        self.assert_runs(second, 2)

    def test_an_environment_that_is_a_link_is_named_and_stays(self):
        world = self.world
        shared = world.root / "shared"
        modules = world.checkout / "frontend/node_modules"
        modules.rename(shared)
        modules.symlink_to(shared)
        before = sorted(shared.iterdir())
        second = world.push_version(2)
        for _ in range(2):
            text = self.deploy(1)
            self.assertIn("the node_modules of frontend is a link to "
                          f"{shared}, in whose place a folder would come; "
                          "nothing was changed", text)
        self.assertEqual(world.commit(), self.first)
        self.assertEqual(world.calls(), [])
        self.assertEqual(sorted(shared.iterdir()), before)
        self.assertIn("deployment-update", text)
        self.deploy(0, "--force")
        self.assert_runs(second, 2)
        self.assertTrue(modules.is_dir() and not modules.is_symlink())
        self.assertEqual(sorted(shared.iterdir()), before)

    def test_a_link_on_an_adopted_host_gives_way_to_force(self):
        world = self.world
        world.record.unlink()
        shared = world.root / "shared"
        venv = world.checkout / "backend/venv"
        venv.rename(shared)
        venv.symlink_to(shared)
        second = world.push_version(2)
        self.assertIn("the venv of backend is a link to ", self.deploy(1))
        self.deploy(0, "--force")
        self.assert_runs(second, 2)

    def test_a_folder_that_nobody_may_write_to_is_copied_from(self):
        world = self.world
        world.config("settle = 0\ncopy = keys/*\n")
        world.trust_every_owner()
        keys = world.checkout / "keys"
        keys.mkdir()
        (keys / "key").write_text("mine\n")
        world.give_to(NOBODY)
        for version, mode in ((2, 0o500), (3, 0o744)):
            if mode == 0o744:  # of root: others see the names, and no more
                os.chown(keys, 0, 0)
            keys.chmod(mode)
            commit = world.push_version(version)
            text = self.deploy(0)
            self.assertEqual("keys/key (Permission denied)" in text,
                             mode == 0o744, text)
            self.assert_runs(commit, version)
            self.assert_clean_of_stage()

    def assert_clean_of_stage(self):
        self.assertFalse((self.world.checkout
                          / ".git/deployment-update/stage").exists())

    def test_a_program_that_is_missing_is_no_reason_to_build_in_place(self):
        world = self.world
        (world.bin / "true").unlink()
        second = world.push_version(2)
        text = self.deploy(1)
        self.assertIn("trying a mount namespace failed: true: command not "
                      "found", text)
        self.assertEqual(world.commit(), self.first)
        self.assertEqual(world.calls(), [])
        world.link_tool("true")
        make_due(world.record)
        self.deploy(0)
        self.assert_runs(second, 2)

    def test_a_push_that_cannot_be_installed_moves_nothing(self):
        self.world.push_version(
            2, **{"backend/requirements.txt": "missing==1\n"})
        text = self.deploy(1)
        self.assertIn("is pending: 'build' failed (once so far)", text)
        self.assertNotIn("rolling back", text)
        self.assert_runs(self.first, 1)
        self.assertNotIn("systemctl", "\n".join(self.world.calls()))
        third = self.world.push_version(3)
        self.deploy(0)
        self.assert_runs(third, 3)

    def test_a_push_whose_services_die_is_rolled_back(self):
        second = self.world.push_version(2, crash="yes\n")
        text = self.deploy(1)
        self.assertIn("does not run as it should: it is failed", text)
        self.assertIn(f"rolled back to {self.first[:12]} (First)", text)
        self.assert_runs(self.first, 1)
        self.assert_clean()
        self.assertEqual(
            [call for call in self.world.calls() if "systemctl" in call],
            ["systemctl restart frontend-deployment.service",
             "systemctl restart backend-deployment.service"] * 2)

        text = self.deploy(1)
        self.assertEqual(text.count("\n"), 1, text)
        self.assertIn(f"{second[:12]} is quarantined",
                      text)
        self.assertEqual(self.world.calls(), [])

        third = self.world.push_version(3, crash=None)
        self.deploy(0)
        self.assertEqual(self.world.commit(), third)
        self.assertNotIn("quarantined",
                         self.world.record.read_text())

    def test_force_ends_a_quarantine(self):
        second = self.world.push_version(2, crash="yes\n")
        self.deploy(1)
        self.world.stand_in("systemctl", self.world.stand_in_text(
            "systemctl").replace("$CHECKOUT/crash", "$CHECKOUT/no"))
        self.deploy(0, "--force")
        self.assertEqual(self.world.commit(), second)

    def test_a_forced_deployment_is_rolled_back_without_a_build(self):
        self.world.push_version(2, crash="yes\n")
        text = self.deploy(1, "--force")
        self.assertIn(f"rolled back to {self.first[:12]} (First)", text)
        self.assert_runs(self.first, 1)
        self.assertEqual(
            [call for call in self.world.calls() if call.startswith("npm")],
            ["npm install --no-save"])

    def test_a_failure_of_the_host_is_taken_back_and_tried_again(self):
        self.world.stand_in("systemctl.real",
                            self.world.stand_in_text("systemctl"))
        self.world.stand_in("systemctl", FAILS_ONCE)
        second = self.world.push_version(2)
        text = self.deploy(1)
        self.assertIn("Failed to connect to bus", text)
        self.assertIn(f"rolled back to {self.first[:12]} (First)", text)
        self.assertIn(f"the deployment of {second[:12]} is pending: 'verify' "
                      "failed", text)
        self.assert_runs(self.first, 1)
        self.assertNotIn("quarantined", self.world.record.read_text())
        make_due(self.world.record)
        self.deploy(0)
        self.assertEqual(self.world.commit(), second)

    def test_a_code_only_push_is_rolled_back_too(self):
        self.world.push("Crash", {"crash": "yes\n"})
        self.deploy(1)
        self.assert_runs(self.first, 1)

    def test_an_environment_nobody_labelled_is_rolled_back_to(self):
        world = self.world
        for name in ("frontend/node_modules", "backend/venv"):
            (world.checkout / name / ".deployment-update").unlink()
        world.record.unlink()
        self.world.push_version(2, crash="yes\n")
        self.deploy(1)
        self.assert_runs(self.first, 1)

    def test_a_rollback_that_fails_says_where_everything_is(self):
        self.world.push_version(2)
        self.world.down.touch()
        text = self.deploy(1)
        self.assertIn("critical: the rollback to", text)
        self.assertIn(f"critical: the checkout is at {self.first}", text)
        for name in ("frontend", "backend"):
            self.assertIn(f"critical: {name}: {name}-deployment.service is "
                          "failed (running);", text)
        self.world.down.unlink()
        make_due(self.world.record)
        self.assertIn("rolled back to", self.deploy(1))
        self.assert_runs(self.first, 1)

    def test_a_new_push_overtakes_a_rollback_that_fails(self):
        self.world.push_version(2)
        self.world.down.touch()
        self.deploy(1)
        self.world.down.unlink()
        third = self.world.push_version(3)
        self.deploy(0)
        self.assert_runs(third, 3)

    def test_a_rollback_by_hand_builds_nothing(self):
        second = self.world.push_version(2)
        self.deploy(0)
        self.world.calls()
        text = self.deploy(0, "--rollback")
        self.assertIn(f"{second[:12]} is quarantined", text)
        self.assert_runs(self.first, 1)
        self.assertNotIn("npm", "\n".join(self.world.calls()))
        self.assertIn("is quarantined", self.deploy(0))

    def test_without_an_earlier_deployment_there_is_no_way_back(self):
        self.assertIn("there is no earlier deployment on record",
                      self.deploy(1, "--rollback"))

    def test_a_revert_builds_nothing(self):
        self.world.push_version(2)
        self.deploy(0)
        self.world.calls()
        self.world.push_version(1)
        text = self.deploy(0)
        self.assertIn("frontend: put the kept node_modules into use", text)
        self.assertEqual(self.world.in_use(), made_from(1))
        self.assertNotIn("npm", "\n".join(self.world.calls()))

    def test_the_last_two_environments_stay(self):
        for version in range(2, 6):
            self.world.push_version(version)
            self.deploy(0)
        for component in ("frontend", "backend"):
            self.assertEqual(len(self.kept(component)), 2)
        made = [(path / "made-from").read_text()
                for path in self.kept("backend")]
        self.assertEqual(made, ["flask==3\n", "flask==4\n"])

    def test_files_of_another_user_are_removed_with_the_environment(self):
        # A service that runs as root leaves its caches there.
        world = self.world
        world.trust_every_owner()
        for version in range(2, 6):
            world.give_to(NOBODY)
            cache = world.checkout / "frontend/node_modules/.vite"
            cache.mkdir(exist_ok=True)
            (cache / "root").write_text("root\n")
            os.chown(cache, 0, 0)
            self.world.push_version(version)
            self.deploy(0)
        self.assertEqual(len(self.kept("frontend")), 2)
        self.assertEqual(
            (world.checkout / "frontend/node_modules").stat().st_uid, NOBODY)

    def test_where_git_is_a_file_it_is_built_in_place(self):
        world = self.world
        world.in_place = True
        (world.checkout / ".git").rename(world.root / "moved.git")
        (world.checkout / ".git").write_text(
            f"gitdir: {world.root / 'moved.git'}\n")
        second = self.world.push_version(2)
        text = self.deploy(0)
        self.assertEqual(text.count("environments are built in place: the "
                                    "checkout's .git is not a folder"), 1)
        self.assert_runs(second, 2)

    def test_where_folders_cannot_be_exchanged_they_are_moved(self):
        # On overlayfs a folder of the lower layer cannot be renamed.
        world = self.world
        upper, work = world.root / "upper", world.root / "work"
        upper.mkdir()
        work.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "overlay", "overlay", "-o",
             f"lowerdir={world.checkout},upperdir={upper},workdir={work}",
             world.checkout], capture_output=True, text=True)
        self.assertEqual(mounted.returncode, 0, mounted.stderr)
        self.addCleanup(subprocess.run, ["umount", world.checkout],
                        check=True)
        second = self.world.push_version(2)
        text = self.deploy(0)
        self.assertIn("backend: the file system cannot exchange two folders",
                      text)
        self.assert_runs(second, 2)
