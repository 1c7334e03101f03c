"""What is gone, or another one than the record speaks of, is made again, and
what the configuration names has to be there.
"""

import json
import re
import shutil

from support import needs_staging
from support.record import entries, make_due
from support.world import (COMPONENTS, CONFIG, FRONTEND_SECTION, IN_PLACE,
                           World, made_from, WorldCase)

FRONTEND = "systemctl restart frontend-deployment.service"
BACKEND = "systemctl restart backend-deployment.service"
NO_CHANGES = "No changes detected in the repository.\n"
ANOTHER_CLONE = "is another clone than the one that was deployed to"

# systemd knows the two services that are installed, and "api.service".
KNOWS_SOME = """#!/bin/sh
case "$*" in
show*typo.service) echo LoadState=not-found ;;
esac
exec "$0.real" "$@"
"""


class Observed(WorldCase):
    def setUp(self):
        self.world = self.enterContext(World())

    def restarts(self):
        return [call for call in self.world.calls()
                if call.startswith("systemctl")]

    def assert_settled(self):
        """The next run finds nothing to do, and says so."""
        self.world.calls()
        run = self.world.run()
        self.assertEqual((run.returncode, run.stdout, run.stderr),
                         (0, NO_CHANGES, ""))
        self.assertEqual(self.world.calls(), [])

    def venv(self, component="backend"):
        return self.world.checkout / component / "venv"

    def runs_on(self, unit):
        """The commit and the environment of a service."""
        commit, *made = (self.world.services / unit).read_text().split("\n")
        return commit, "\n".join(made)

    def clone_anew(self):
        shutil.rmtree(self.world.checkout)
        self.world.git(self.world.root, "clone", "-q",
                       self.world.origin.as_uri(), self.world.checkout)


class Deployed(Observed):
    def setUp(self):
        super().setUp()
        self.first = self.world.commit()
        self.deploy(0, "--force")
        self.world.calls()


@needs_staging
class Gone(Deployed):
    def assert_made_again(self, *more):
        text = self.deploy(0, *more)
        self.assertEqual(self.world.in_use(), made_from(1))
        self.assertEqual(self.restarts(), [FRONTEND, BACKEND])
        self.assert_settled()
        return text

    def test_another_clone_at_the_same_path(self):
        self.clone_anew()
        self.assertIn("Plan: deploy", self.world.run("--dry-run").stdout)
        self.assertIn(ANOTHER_CLONE, self.assert_made_again())

    def test_another_clone_in_which_all_was_installed_by_hand(self):
        kept = self.world.root / "kept"
        for name in ("frontend/node_modules", "backend/venv"):
            shutil.copytree(self.world.checkout / name, kept / name)
        self.clone_anew()
        shutil.copytree(kept, self.world.checkout, dirs_exist_ok=True)
        # Those with a label serve, and services run in folders that are gone.
        self.assertNotIn(" aside: ", self.assert_made_again())

    def test_another_clone_at_a_commit_that_was_taken_back(self):
        bad = self.world.push_version(2, crash="yes\n")
        self.deploy(1)
        self.clone_anew()
        self.assertEqual(self.world.commit(), bad)
        self.world.calls()
        text = self.deploy(1)
        self.assertIn(f"{bad[:12]} is quarantined", text)
        self.assertEqual(self.world.commit(), self.first)
        self.assertEqual(self.world.in_use(), made_from(1))
        self.assertEqual(self.restarts(), [FRONTEND, BACKEND])

    def test_untracked_files_are_cleaned(self):
        self.world.git(self.world.checkout, "clean", "-fdxq")
        text = self.assert_made_again()
        self.assertIn("its venv is gone", text)
        self.assertIn("its node_modules is gone", text)

    def test_one_environment_is_removed(self):
        shutil.rmtree(self.venv())
        self.assertIn("its venv is gone",
                      self.world.run("--dry-run").stdout)
        self.deploy(0)
        self.assertEqual(self.restarts(), [BACKEND])
        self.assertEqual(self.world.in_use(), made_from(1))
        self.assert_settled()

    def test_one_that_a_person_made(self):
        shutil.rmtree(self.venv())
        self.venv().mkdir()
        text = self.deploy(0)
        self.assertIn("its venv is another one than was installed", text)
        self.assertEqual(self.restarts(), [BACKEND])
        self.assertEqual(self.world.in_use(), made_from(1))
        self.assert_settled()

    def empty(self, venv):
        """As rm -rf venv/* does, which leaves what begins with a dot."""
        for path in venv.glob("[!.]*"):
            self.world.run_program(["rm", "-r", path], check=True)

    def test_one_that_is_emptied(self):
        for _ in range(2):
            self.empty(self.venv())
            self.deploy(0)
            self.assertEqual(self.restarts(), [BACKEND])
            self.assertEqual(self.world.in_use(), made_from(1))
            self.assert_settled()

    def test_one_that_is_emptied_is_no_way_back(self):
        self.empty(self.venv())
        self.world.push("Crash", {"crash": "1\n"})
        self.assertIn(f"rolled back to {self.first[:12]}", self.deploy(1))
        self.assertEqual(self.world.in_use(), made_from(1))

    def test_one_that_is_emptied_and_not_needed_any_more(self):
        self.world.push("No back end", {"backend/requirements.txt": None})
        self.deploy(0)
        self.empty(self.venv())
        self.world.run()
        self.assert_settled()

    def test_one_beside_a_checkout_that_somebody_moved(self):
        """Nothing is moved from under a person."""
        bad = self.world.push_version(2, crash="yes\n")
        self.deploy(1)
        self.world.git(self.world.checkout, "pull", "-q", "origin", "prod")
        shutil.rmtree(self.venv())
        self.assertIn("somebody moved the checkout", self.deploy(1))
        self.assertEqual(self.world.commit(), bad)

    def test_a_repair_that_fails_keeps_the_quarantine(self):
        self.world.push_version(2, crash="yes\n")
        self.deploy(1)
        shutil.rmtree(self.venv())
        self.world.down.touch()
        self.deploy(1)
        self.world.down.unlink()
        make_due(self.world.record)
        self.assertIn(f"repaired {self.first[:12]}", self.deploy(1))
        self.assertIn("quarantined", entries(self.world.record))
        self.assertEqual(self.world.in_use(), made_from(1))

    def test_without_the_remote_nothing_new_is_deployed(self):
        self.world.push_version(2)
        self.world.git(self.world.checkout, "fetch", "-q", "origin")
        self.world.origin.rename(self.world.root / "away")
        shutil.rmtree(self.venv())
        text = self.deploy(1)
        self.assertIn(f"origin is away; what {self.first[:12]} runs on is "
                      "gone and made again", text)
        self.assertEqual(self.world.commit(), self.first)
        self.assertEqual(self.world.in_use(), made_from(1))

    def test_without_the_remote(self):
        away = self.world.root / "away"
        self.world.origin.rename(away)
        shutil.rmtree(self.venv())
        self.assertIn("its venv is gone", self.world.run("--dry-run").stdout)
        self.deploy(1)
        self.assertEqual(self.restarts(), [BACKEND])
        self.assertEqual(self.world.in_use(), made_from(1))
        away.rename(self.world.origin)
        self.world.run()
        self.assert_settled()

    def test_beside_a_quarantine_without_the_remote(self):
        bad = self.world.push_version(2, crash="yes\n")
        self.deploy(1)
        self.world.calls()
        away = self.world.root / "away"
        self.world.origin.rename(away)
        shutil.rmtree(self.venv())
        self.deploy(1)
        self.assertEqual(self.restarts(), [BACKEND])
        away.rename(self.world.origin)
        self.assertIn(f"{bad[:12]} is quarantined", self.deploy(1))
        self.assertEqual(self.world.in_use(), made_from(1))

    def test_a_good_push_afterwards(self):
        shutil.rmtree(self.venv())
        second = self.world.push("Code", {"backend/server.py": "app = 2\n"})
        self.deploy(0)
        self.assertEqual(self.runs_on("backend-deployment.service"),
                         (second, made_from(1)[1]))
        self.assertNotIn("quarantined", entries(self.world.record))
        self.assert_settled()

    def test_a_push_that_crashes_afterwards(self):
        for files in ({"crash": "1\n"},
                      {"crash": "2\n",
                       "backend/requirements.txt": "flask==9\n"}):
            with self.subTest(files):
                shutil.rmtree(self.venv())
                self.world.push("Crash", files)
                text = self.deploy(1)
                self.assertIn(f"rolled back to {self.first[:12]}", text)
                self.assertEqual(self.runs_on("backend-deployment.service"),
                                 (self.first, made_from(1)[1]))
                self.assertEqual(self.world.in_use(), made_from(1))

    def test_one_that_vanishes_while_it_is_verified_blames_no_commit(self):
        self.world.push("Code", {"crash": "yes\n"})
        self.world.stand_in("systemctl.real",
                            self.world.stand_in_text("systemctl"))
        self.world.tell(VENV=self.venv())
        self.world.stand_in("systemctl", """#!/bin/sh
. "${0%/*}/variables"
case $1 in
restart) [ -e "$SERVICES/once" ] || rm -rf "$VENV"; : >"$SERVICES/once" ;;
esac
exec "$0.real" "$@"
""")
        text = self.deploy(1)
        self.assertIn(f"rolled back to {self.first[:12]}", text)
        self.assertNotIn("quarantined", entries(self.world.record))
        self.assertEqual(self.world.in_use(), made_from(1))

    def test_one_beside_a_quarantine(self):
        bad = self.world.push_version(2, crash="yes\n")
        self.deploy(1)
        self.world.calls()
        shutil.rmtree(self.venv())
        self.assertIn("its venv is gone",
                      self.world.run("--dry-run").stdout)
        text = self.deploy(1)
        self.assertIn(f"{bad[:12]} is quarantined", text)
        self.assertEqual(self.world.in_use(), made_from(1))
        self.assertEqual(self.restarts(), [BACKEND])
        text = self.deploy(1)
        self.assertEqual(text.count("\n"), 1, text)

    def test_one_beside_a_push_that_waits(self):
        self.world.push("Missing", {"backend/requirements.txt": "missing\n"})
        self.deploy(1)
        self.world.calls()
        shutil.rmtree(self.venv())
        run = self.world.run("--dry-run", "--json")
        self.assertEqual(json.loads(run.stdout)["verdict"], "repair")
        text = self.deploy(1)
        self.assertIn(f"repaired {self.first[:12]}", text)
        self.assertEqual(self.world.in_use(), made_from(1))
        self.assertEqual(self.restarts(), [BACKEND])
        self.assertRegex(self.world.run("--history").stdout,
                         rf"\A\S+Z  deployed     {self.first[:12]}  First\n"
                         rf"    in .*, from {self.first[:12]}, ")
        text = self.deploy(1)
        self.assertRegex(text, r"\A.* is pending: .* \(once so far\).*\n\Z")

    def test_what_needs_none_is_settled_without(self):
        self.world.push("No back end", {"backend/requirements.txt": None})
        self.deploy(0)
        shutil.rmtree(self.venv())
        self.deploy(0)
        self.assertEqual(self.restarts(), [FRONTEND])
        self.assert_settled()


class InPlace(Observed):
    def test_an_environment_is_labelled_too(self):
        self.world.config(IN_PLACE)
        self.deploy(0, "--force")
        self.assert_settled()
        self.world.git(self.world.checkout, "clean", "-fdxq")
        self.assertIn("its venv is gone", self.deploy(0))
        self.assertEqual(self.world.in_use(), made_from(1))
        self.assertEqual(self.restarts(), [FRONTEND, BACKEND])
        self.assert_settled()


@needs_staging
class WithoutRecord(Observed):
    def test_a_fresh_clone_gets_its_first_deployment(self):
        self.assertIn("Plan: deploy", self.world.run("--dry-run").stdout)
        self.deploy(0)
        self.assertEqual(self.restarts(), [FRONTEND, BACKEND])
        self.assertEqual(self.world.in_use(), made_from(1))
        self.assertEqual(entries(self.world.record)["deployed"],
                         self.world.commit())
        self.assert_settled()

    def test_one_without_a_component(self):
        self.world.push("No back end", {"backend/requirements.txt": None})
        self.world.git(self.world.checkout, "pull", "-q")
        self.deploy(0)
        self.assertEqual(self.restarts(), [FRONTEND])
        self.assert_settled()

    def test_what_stands_complete_is_adopted(self):
        self.world.install_by_hand()
        self.assert_settled()
        self.assertFalse(self.world.record.exists())


@needs_staging
class Checkouts(Deployed):
    def run_in(self, other, *more, state=None):
        state = state or self.world.state
        return self.world.run_program(
            [re.sub("^--state-dir=.*", f"--state-dir={state}",
                    re.sub("^--repo-dir=.*", f"--repo-dir={other}", argument))
             for argument in self.world.arguments(*more)])

    def test_a_second_one_needs_a_record_of_its_own(self):
        other = self.world.root / "other"
        self.world.git(self.world.root, "clone", "-q",
                       self.world.origin.as_uri(), other)
        before = self.world.record.read_text()
        for more in ((), ("--dry-run",), ("--rollback",), ("--force",)):
            with self.subTest(more):
                run = self.run_in(other, *more)
                self.assertEqual(run.returncode, 1)
                text = run.stderr
                self.assertIn(f"the record {self.world.record} belongs to "
                              f"the checkout {self.world.checkout}, not to "
                              f"{other}; nothing was changed", text)
                self.assertIn("state-dir = ", text)
                self.assertIn(f"rm {self.world.record}", text)
        self.assertEqual(self.world.record.read_text(), before)
        self.assertEqual(self.world.calls(), [])
        self.assertEqual(self.run_in(other, "--status").returncode, 0)
        own = self.world.root / "other-state"
        self.assertEqual(self.run_in(other, state=own).returncode, 0)
        self.assert_settled()

    def test_the_identifier_belongs_to_the_clone(self):
        name = f"checkout-{entries(self.world.record)['checkout-id']}"
        identifier = (self.world.checkout / ".git/deployment-update" / name)
        self.assertRegex(name, "^checkout-[0-9a-f]{32}$")
        self.assertEqual(identifier.stat().st_uid,
                         self.world.checkout.stat().st_uid)


@needs_staging
class Moved(Deployed):
    def test_a_person_had_moved_the_work_tree_back(self):
        second = self.world.push("Code", {"backend/server.py": "app = 2\n"})
        self.deploy(0)
        self.world.git(self.world.checkout, "reset", "-q", "--hard", "HEAD~1")
        self.world.calls()
        self.deploy(0)
        self.assertEqual(self.world.commit(), second)
        self.assertEqual(self.restarts(), [FRONTEND, BACKEND])
        self.assert_settled()

    def test_a_person_had_committed_on_no_branch(self):
        def git(*arguments):
            return self.world.git(self.world.checkout, *arguments)
        git("checkout", "-q", "--detach")
        self.world.commit_files("Own", {"own": "1\n"}, self.world.checkout)
        own = self.world.commit()
        self.assertIn(f"what is lost is kept as refs/deployment-update/lost/"
                      f"{own}", self.world.run("--dry-run").stdout)
        self.deploy(0)
        kept = git("rev-parse", f"refs/deployment-update/lost/{own}")
        self.assertEqual(kept.strip(), own)

    def test_a_person_had_checked_out_another_branch(self):
        self.world.push("Code", {"backend/server.py": "app = 2\n"})
        self.deploy(0)
        self.world.calls()
        git = self.world.git
        git(self.world.checkout, "checkout", "-q", "-b", "same")
        self.deploy(0)
        self.assertEqual(self.restarts(), [])
        git(self.world.checkout, "checkout", "-q", "-b", "old", "HEAD~1")
        self.deploy(0)
        self.assertEqual(self.restarts(), [FRONTEND, BACKEND])
        self.assert_settled()


@needs_staging
class Configured(Observed):
    def setUp(self):
        super().setUp()
        self.world.stand_in("systemctl.real",
                            self.world.stand_in_text("systemctl"))
        self.world.stand_in("systemctl", KNOWS_SOME)
        self.world.config(COMPONENTS)
        self.first = self.world.commit()
        self.deploy(0, "--force")
        self.world.calls()

    def configure(self, before, after):
        self.world.config(COMPONENTS.replace(before, after))

    def test_another_directory(self):
        self.world.push("Two", {"api/requirements.txt": "flask==7\n"})
        self.deploy(0)
        self.world.calls()
        self.configure("[backend]\n", "[backend]\ndirectory = api\n")
        self.assertIn("api/venv", self.world.run("--dry-run").stdout)
        self.deploy(0)
        self.assertEqual((self.venv("api") / "made-from").read_text(),
                         "flask==7\n")
        self.assertEqual(self.restarts(), [BACKEND])
        self.assert_settled()

    def test_another_service(self):
        self.configure("backend-deployment.service", "api.service")
        text = self.deploy(0)
        self.assertNotIn(" aside: ", text)
        self.assertEqual(self.restarts(), ["systemctl restart api.service"])
        self.assert_settled()

    def test_another_service_while_a_push_waits(self):
        self.world.push("Missing", {"backend/requirements.txt": "missing\n"})
        self.deploy(1)
        self.world.calls()
        self.configure("backend-deployment.service", "api.service")
        text = self.deploy(1)
        self.assertIn(f"repaired {self.first[:12]}", text)
        self.assertEqual(self.restarts(), ["systemctl restart api.service"])
        text = self.deploy(1)
        self.assertRegex(text, r"\A.* is pending: .* \(once so far\).*\n\Z")

    def test_another_directory_gets_no_environment_of_the_one_before(self):
        """A venv names its folder in its programs."""
        self.deploy(0, "--force")
        self.world.push("Move", {"api/requirements.txt": "flask==1\n",
                                 "backend/requirements.txt": None})
        self.configure("[backend]\n", "[backend]\ndirectory = api\n")
        self.world.calls()
        self.deploy(0)
        self.assertIn("python3 -m venv venv", self.world.calls())
        self.assert_settled()

    def test_an_environment_that_somebody_moved_along(self):
        self.world.push("Move", {"api/requirements.txt": "flask==1\n",
                                 "backend/requirements.txt": None})
        (self.world.checkout / "api").mkdir()
        self.venv().rename(self.venv("api"))
        self.configure("[backend]\n", "[backend]\ndirectory = api\n")
        self.deploy(0)
        self.assertIn("python3 -m venv venv", self.world.calls())
        self.assert_settled()

    def test_a_component_that_left_and_returns(self):
        self.world.config(CONFIG + FRONTEND_SECTION)
        second = self.world.push("Code", {"backend/server.py": "app = 2\n"})
        self.deploy(0)
        self.assertEqual(self.restarts(), [FRONTEND])
        self.world.config(COMPONENTS)
        self.deploy(0)
        self.assertEqual(self.restarts(), [BACKEND])
        self.assertEqual(self.runs_on("backend-deployment.service")[0],
                         second)
        self.assert_settled()

    def history(self):
        return re.findall("^deployment = .*", self.world.record.read_text(),
                          re.MULTILINE)

    def assert_refused(self, before, after, text):
        """Also when something was pushed; mended, that is deployed at once."""
        for push in (False, True):
            with self.subTest(push=push):
                if push:
                    self.world.push_version(2)
                self.configure(before, after)
                history = self.history()
                for more in (("--dry-run",), (), ()):
                    said = self.deploy(1, *more)
                    self.assertIn(text, said)
                    self.assertIn("in the configuration", said)
                self.assertEqual(self.world.commit(), self.first)
                self.assertEqual(self.world.in_use(), made_from(1))
                self.assertEqual(self.world.calls(), [])
                self.assertEqual(self.history(), history)
                self.world.config(COMPONENTS)
                self.deploy(0)
        self.assertEqual(self.world.in_use(), made_from(2))
        self.assertEqual(self.restarts(), [FRONTEND, BACKEND])

    def test_a_folder_that_is_nowhere(self):
        self.assert_refused(
            "[backend]\n", "[backend]\ndirectory = bakend\n",
            "component backend: there is no folder bakend, neither in ")

    def test_a_service_that_systemd_does_not_know(self):
        self.assert_refused(
            "backend-deployment.service", "typo.service",
            "component backend: systemd does not know its service "
            "typo.service; nothing was changed")

    def test_a_service_of_a_component_that_is_skipped(self):
        self.world.push("Empty", {"api/README": "To come.\n"})
        self.world.config(COMPONENTS + "[api]\ntype = python\n"
                          "service = typo.service\n")
        for more in (("--dry-run",), ()):
            self.assertIn("systemd does not know its service typo.service",
                          self.deploy(1, *more))
        self.world.config(COMPONENTS + "[api]\ntype = python\n"
                          "service = api.service\n")
        self.assertIn("api: skip", self.deploy(0))
        self.assert_settled()


class EarlierVersion(Observed):
    """Its records name no checkout and no configuration, and what it
    installed in place has no label."""

    def test_an_upgrade_builds_and_restarts_nothing(self):
        for config in (CONFIG, IN_PLACE):
            with self.subTest(config):
                self.world.config(config)
                self.deploy(0, "--force")
                text = self.world.record.read_text()
                self.world.record.write_text(re.sub(
                    r"(?m)^(checkout|checkout-id|configured) = .*\n", "",
                    text))
                for name in ("frontend/node_modules", "backend/venv"):
                    (self.world.checkout / name
                     / ".deployment-update").unlink()
                self.assert_settled()
                self.world.push("Code", {"backend/server.py": config})
                self.deploy(0)
                self.assertEqual(self.world.calls(), [FRONTEND, BACKEND])
                self.assert_settled()
                shutil.rmtree(self.venv())
                self.assertIn("its venv is gone", self.deploy(0))
