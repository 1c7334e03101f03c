"""Components that npm has as workspaces of one root: one environment."""

import json
import unittest

from support import needs_staging
from support.record import entries
from support.world import World, WorldCase

RESTARTS = ["systemctl restart web.service", "systemctl restart api.service"]

CONFIG = """\
settle = 0
{more}
[web]
type = npm
directory = apps/web
service = web.service
{web}
[api]
type = npm
directory = apps/api
service = api.service
{api}
"""

# Installs in the root, like npm, when one above has the folder as a workspace.
NPM = """#!/bin/sh
. "${0%/*}/variables"
echo "npm $* in .${PWD#"$CHECKOUT"}" >>"$CALLS"
root=$PWD
if grep -q workspaces "$CHECKOUT/package.json" 2>/dev/null; then
  root=$CHECKOUT
  cd "$root" || exit 1
fi
if grep -q broken package.json; then exit 1; fi
mkdir -p node_modules/.bin
echo '#!/bin/sh
. "${0%/*}/variables"
echo "probe $*" >>"$CALLS"' >node_modules/.bin/probe
cp "${0%/*}/variables" node_modules/.bin
chmod 755 node_modules/.bin/probe
cat package.json >node_modules/made-from
if [ "$root" = "$CHECKOUT" ]; then
  cat apps/*/package.json >>node_modules/made-from
fi
"""

ROOT = {"package.json": '{"workspaces": ["apps/*"]}\n'}
NO_ROOT = {"package.json": None}
APPS = {"apps/web/package.json": '{"web": 1}\n',
        "apps/api/package.json": '{"api": 1}\n'}
WEB, API, OWN = "apps/web", "apps/api", "node_modules/made-from"


class Deployed(WorldCase):
    """The first version is deployed."""

    more = ""
    first_files = ROOT | APPS

    def setUp(self):
        self.world = self.enterContext(World())
        self.world.stand_in("npm", NPM)
        self.configure()
        self.world.push("Apps", self.first_files)
        self.deploy(0, "--force")
        self.first = self.world.commit()
        self.first_calls = self.world.calls()

    def configure(self, **more):
        self.world.config(CONFIG.format(
            **{"more": self.more, "web": "", "api": ""} | more))

    def made_from(self, folder="."):
        """What the environment of a folder was made from; None: it has
        none."""
        path = self.world.checkout / folder / OWN
        return path.read_text() if path.exists() else None

    def placed(self):
        return [self.made_from(folder) for folder in (".", WEB, API)]

    def together(self, web=1, api=1):
        """One environment, in the root, made from the three files."""
        return [ROOT["package.json"] + f'{{"api": {api}}}\n{{"web": {web}}}\n',
                None, None]

    def apart(self, web=1, api=1):
        return [None, f'{{"web": {web}}}\n', f'{{"api": {api}}}\n']

    def assert_runs(self, commit):
        """Both services do."""
        for unit in ("web.service", "api.service"):
            self.assertEqual((self.world.services / unit).read_text()
                             .split("\n")[0], commit)

    def roots(self):
        status = json.loads(self.world.run("--status", "--json").stdout)
        return {name: component["root"]
                for name, component in status["components"].items()}

    def assert_no_change(self):
        run = self.world.run()
        self.assertEqual((run.returncode, run.stdout, run.stderr), (
            0, "No changes detected in the repository.\n", ""))
        self.assertEqual(self.world.calls(), [])

    def kept(self, name):
        folder = (self.world.checkout
                  / ".git/deployment-update/environments" / name)
        return len(list(folder.iterdir())) if folder.exists() else 0


INSTALL = "npm install --no-save in ."


@needs_staging
class WithoutRecord(WorldCase):
    """As if the checkout had been there before the program."""

    def setUp(self):
        self.world = self.enterContext(World())
        self.world.stand_in("npm", NPM)
        self.world.config(CONFIG.format(more="", web="", api=""))
        self.world.push("Apps", ROOT | APPS)
        self.world.git(self.world.checkout, "pull", "-q")

    def test_what_stands_complete_is_adopted(self):
        (self.world.checkout / "node_modules").mkdir()
        run = self.world.run()
        self.assertEqual((run.returncode, run.stdout, run.stderr), (
            0, "No changes detected in the repository.\n", ""))
        self.assertEqual(self.world.calls(), [])
        self.assertFalse(self.world.record.exists())
        self.world.push("Two", {"apps/web/package.json": '{"web": 2}\n'})
        self.deploy(0)
        self.assertEqual(self.world.calls(), [INSTALL, *RESTARTS])

    def test_what_does_not_is_deployed(self):
        """Without the root it takes an environment in each folder."""
        self.assertIn("Plan: deploy", self.world.run("--dry-run").stdout)
        (self.world.checkout / "node_modules").mkdir()
        self.world.push("No workspaces", NO_ROOT)
        self.world.git(self.world.checkout, "pull", "-q")
        self.assertIn("Plan: deploy", self.world.run("--dry-run").stdout)


@needs_staging
class Together(Deployed):
    def test_a_first_deployment(self):
        self.assertEqual(self.first_calls, [INSTALL, *RESTARTS])
        self.assertEqual(self.placed(), self.together())
        self.assertEqual(self.roots(), {"web": ".", "api": "."})
        self.assertIn("runs on the environment of the workspace root .\n",
                      self.world.run("--status").stdout)
        self.assert_no_change()

    def test_a_change_of_one_is_one_build_and_two_restarts(self):
        self.world.push("Two", {"apps/api/package.json": '{"api": 2}\n'})
        steps = json.loads(self.world.run("--dry-run", "--json").stdout)[
            "steps"]
        self.assertEqual([step["step"] for step in steps], [
            "fetch", "build", "fast-forward", "exchange", "restart",
            "restart", "verify"])
        self.assertIn("aside: web, api: npm install --no-save in .: "
                      "apps/api/package.json changed (",
                      steps[1]["description"])
        self.assertIn("web, api: put the new node_modules into use: ",
                      steps[3]["description"])
        self.deploy(0)
        self.assertEqual(self.world.calls(), [INSTALL, *RESTARTS])
        self.assertEqual(self.placed(), self.together(api=2))
        self.assertEqual([self.kept("web"), self.kept("api")], [1, 0])
        self.assert_no_change()

    def test_the_files_of_the_root_count(self):
        self.world.push("Lock", {"package-lock.json": "1\n"})
        self.assertIn("package-lock.json is new (", self.deploy(0))
        self.assertEqual(self.world.calls(), [INSTALL, *RESTARTS])

    def test_code_alone_builds_nothing(self):
        self.configure(web="paths = apps/web\n", api="paths = apps/api\n")
        self.deploy(0)
        self.world.calls()
        self.world.push("Code", {"apps/web/main.js": "2\n"})
        self.deploy(0)
        self.assertEqual(self.world.calls(), RESTARTS[:1])
        self.world.push("Both", {"apps/web/package.json": '{"web": 2}\n'})
        self.deploy(0)
        self.assertEqual(self.world.calls(), [INSTALL, *RESTARTS])

    def test_a_broken_push_moves_nothing(self):
        self.world.push("Broken", {
            "package.json": '{"workspaces": ["apps/*"], "broken": 1}\n'})
        self.deploy(1)
        self.assertEqual(self.world.calls(), [INSTALL])
        self.assertEqual(self.placed(), self.together())
        self.assertEqual(self.world.commit(), self.first)

    def test_one_that_dies_takes_both_back(self):
        self.world.push("Two", {"apps/api/package.json": '{"api": 2}\n',
                                "crash": "yes\n"})
        self.assertIn("is quarantined", self.deploy(1))
        self.assertEqual(self.world.calls(), [INSTALL, *2 * RESTARTS])
        self.assertEqual(self.placed(), self.together())
        self.assert_runs(self.first)
        self.world.push("Fixed", {"crash": None})
        self.deploy(0)
        self.assertEqual(self.world.calls(), RESTARTS)  # it was kept
        self.assertEqual(self.placed(), self.together(api=2))

    def test_a_rollback_by_hand_and_a_forced_run(self):
        self.world.push("Two", {"apps/api/package.json": '{"api": 2}\n'})
        self.deploy(0)
        self.world.calls()
        self.deploy(0, "--rollback")
        self.assertEqual(self.placed(), self.together())
        self.assertEqual(self.world.calls(), RESTARTS)
        self.deploy(0, "--force")
        self.assertEqual(self.placed(), self.together(api=2))
        self.assertEqual(self.world.calls(), [INSTALL, *RESTARTS])

    def test_one_that_is_gone_is_made_again_once(self):
        folder = self.world.checkout / "node_modules"
        folder.rename(folder.with_name("gone"))
        status = self.world.run("--status").stdout
        self.assertEqual(status.count(
            "its node_modules is not the one that was deployed"), 2)
        self.assertIn("its node_modules is gone", self.deploy(0))
        self.assertEqual(self.world.calls(), [INSTALL, *RESTARTS])
        self.assertEqual(self.placed(), self.together())

    def test_old_ones_are_removed(self):
        for number in range(2, 8):
            self.world.push("More", {
                "apps/api/package.json": f'{{"api": {number}}}\n'})
            self.deploy(0)
        self.assertEqual([self.kept("web"), self.kept("api")], [2, 0])

    def test_checks_run_its_programs(self):
        self.configure(api="check = probe it\n")
        self.world.push("Code", {"apps/web/main.js": "2\n"})
        self.deploy(0)
        self.assertEqual(self.world.calls(), ["probe it", *RESTARTS])

    def test_the_first_of_them_is_removed_and_taken_back(self):
        self.world.push("No web", {"apps/web/package.json": None,
                                   "crash": "yes\n"})
        self.deploy(1)
        self.assertEqual(self.world.calls(), [
            INSTALL, RESTARTS[1], *RESTARTS])  # and no build on the way back
        self.assertEqual(self.placed(), self.together())
        self.assert_runs(self.first)
        self.world.push("Still none", {"crash": None})
        self.deploy(0)
        self.assertEqual(self.placed(), [
            ROOT["package.json"] + '{"api": 1}\n', None, None])

    def test_the_root_may_be_a_component(self):
        self.world.config(
            "settle = 0\n[api]\ntype = npm\ndirectory = apps/api\n"
            "service = api.service\n[all]\ntype = npm\ndirectory = .\n"
            "service = all.service\n")
        self.world.push("Two", {"apps/api/package.json": '{"api": 2}\n'})
        self.deploy(0)
        self.assertEqual(self.world.calls(), [
            INSTALL, "systemctl restart api.service",
            "systemctl restart all.service"])
        self.assertEqual(self.placed(), self.together(api=2))
        self.assertEqual(self.roots()["all"], "")
        self.assert_no_change()


class Change(Deployed):
    """A push makes workspaces of components that were none, or the other way
    around."""

    def assert_moves(self, files, before, after):
        world = self.world
        second = world.push("Bad", files | {"crash": "yes\n"})
        said = self.deploy(1)
        self.assertIn(f"{second[:12]} is quarantined", said)
        self.assertEqual(self.placed(), before)
        self.assert_runs(self.first)
        self.assertNotIn("on trial", "".join(
            path.read_text() for path in world.checkout.glob(
                "**/node_modules/.deployment-update")))
        world.push("Good", {"crash": None})
        world.calls()
        self.deploy(0)
        self.assertEqual(self.placed(), after)
        self.assertEqual(world.calls(), RESTARTS)  # what was built is kept
        self.assert_no_change()
        self.deploy(0, "--rollback")
        self.assertEqual(self.placed(), before)
        self.assertEqual(world.calls(), RESTARTS)
        self.deploy(0, "--force")
        self.assertEqual(self.placed(), after)


@needs_staging
class Becomes(Change):
    first_files = APPS

    def test_a_workspace(self):
        self.assertEqual(self.placed(), self.apart())
        self.assertEqual(self.roots(), {"web": "", "api": ""})
        self.assert_moves(ROOT, self.apart(), self.together())
        self.assertEqual(self.roots(), {"web": ".", "api": "."})

    def test_what_stood_at_the_root_comes_back(self):
        own = self.world.checkout / "node_modules/own"
        own.parent.mkdir()
        own.touch()
        self.world.push("Bad", ROOT | {"crash": "yes\n"})
        self.deploy(1)
        self.assertTrue(own.exists())
        self.assertEqual(self.placed(), self.apart())

    def test_a_workspace_by_a_plan_that_says_so(self):
        self.world.push("Two", ROOT)
        shown = self.world.run("--dry-run").stdout
        self.assertIn("web, api: npm install --no-save in .: it is a "
                      "workspace of . now", shown)
        self.assertIn("web: put the node_modules aside: web has its "
                      "environment in . now\n", shown)


@needs_staging
class Ceases(Change):
    def test_to_be_a_workspace(self):
        self.assert_moves(NO_ROOT, self.together(), self.apart())

    def test_to_be_one_alone(self):
        """The other one goes on with the environment of the root."""
        self.world.push("One", {
            "package.json": '{"workspaces": ["apps/a*"]}\n'})
        shown = self.world.run("--dry-run").stdout
        self.assertNotIn(" aside: web has", shown)
        self.assertIn("web: npm install --no-save in apps/web: it is no "
                      "workspace of . any more", shown)


class InPlace(Deployed):
    more = "build = in-place\n"

    def test_two_are_installed_in_the_root(self):
        self.assertEqual(self.first_calls, [INSTALL, *RESTARTS])
        self.world.push("Two", {"apps/api/package.json": '{"api": 2}\n'})
        self.deploy(0)
        self.assertEqual(self.world.calls(), [INSTALL, *RESTARTS])
        self.assertEqual(self.placed(), self.together(api=2))
        self.assert_no_change()

    def test_one_is_installed_from_its_folder(self):
        """As by the original script."""
        self.world.config("settle = 0\nbuild = in-place\n[web]\ntype = npm\n"
                          "directory = apps/web\nservice = web.service\n")
        self.world.push("Two", {"apps/web/package.json": '{"web": 2}\n'})
        self.deploy(0)
        self.assertEqual(self.world.calls(), [
            "npm install --no-save in ./apps/web", RESTARTS[0]])
        self.assertEqual(self.made_from(), self.together(web=2)[0])
        self.assertEqual(entries(self.world.record)["deployed"],
                         self.world.commit())
        self.assert_no_change()


if __name__ == "__main__":
    unittest.main()
