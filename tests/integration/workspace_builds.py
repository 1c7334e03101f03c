"""Commands of `build` of components that are workspaces of one root."""

import unittest

from integration import workspaces
from support import needs_staging
from support.record import make_due

# Makes dist/ of what it finds, with a program of the environment.
BUILD = """#!/bin/sh
. "${0%/*}/variables"
echo "build in ${PWD##*/}" >>"$CALLS"
probe >/dev/null || exit 4
if grep -q broken page.js; then exit 3; fi
[ ! -e dist ] || echo "dist was there" >>"$CALLS"
mkdir -p dist
cat page.js >dist/page
"""
PAGES = {".gitignore": "node_modules/\ndist/\n",
         "apps/web/page.js": "web 1\n", "apps/api/page.js": "api 1\n"}
HAS_OUTPUT = {".gitignore": "node_modules/\napps/web/dist/\n",
              "apps/api/dist/page": "git's\n"}
BUILDS = ["build in web", "probe ", "build in api", "probe "]
INSTALL, RESTARTS = workspaces.INSTALL, workspaces.RESTARTS


class Built(workspaces.Deployed):
    first_files = workspaces.ROOT | workspaces.APPS | PAGES

    def setUp(self):
        super().setUp()
        self.world.stand_in("make-dist", BUILD)
        self.configure(web="build = make-dist\n", api="build = make-dist\n")
        self.text = self.deploy(0)
        self.before = self.world.calls()

    def pages(self):
        """What the outputs in use were made from; None: there is none."""
        paths = [self.world.checkout / folder / "dist/page"
                 for folder in (workspaces.WEB, workspaces.API)]
        return [path.read_text() if path.exists() else None for path in paths]

    def outputs(self):
        return [self.world.checkout / folder / "dist"
                for folder in (workspaces.WEB, workspaces.API)]


@needs_staging
class Together(Built):
    def test_new_commands_build_in_both_folders_without_an_install(self):
        self.assertIn("web, api: build with the node_modules in use: "
                      "make-dist, make-dist: build commands of api are new, "
                      "build commands of web are new, files of the folder of "
                      "api are new, files of the folder of web are new",
                      self.text)
        self.assertEqual(self.before, [*BUILDS, *RESTARTS])
        self.assertEqual(self.pages(), ["web 1\n", "api 1\n"])
        self.assert_no_change()

    def test_a_change_of_one_builds_both_and_a_rollback_takes_both_back(self):
        before = [path.stat().st_ino for path in self.outputs()]
        self.world.push("Two", {"apps/api/page.js": "api 2\n"})
        self.assertIn(": files of the folder of api changed\n",
                      self.world.run("--dry-run").stdout)
        self.deploy(0)
        self.assertEqual(self.world.calls(), [*BUILDS, *RESTARTS])
        self.assertEqual(self.pages(), ["web 1\n", "api 2\n"])
        self.assertEqual([self.kept("web"), self.kept("api")], [3, 0])
        self.assert_no_change()
        self.deploy(0, "--rollback")
        self.assertEqual(self.world.calls(), RESTARTS)
        self.assertEqual(self.pages(), ["web 1\n", "api 1\n"])
        self.assertEqual([path.stat().st_ino for path in self.outputs()],
                         before)
        self.assert_runs(self.first)

    def test_a_manifest_installs_once_and_builds_both(self):
        self.world.push("Two", {"apps/api/package.json": '{"api": 2}\n',
                                "apps/web/page.js": "web 2\n"})
        self.deploy(0)
        self.assertEqual(self.world.calls(), [INSTALL, *BUILDS, *RESTARTS])
        self.assertEqual(self.placed(), self.together(api=2))
        self.assertEqual(self.pages(), ["web 2\n", "api 1\n"])

    def test_a_service_that_dies_takes_both_back(self):
        self.world.push("Bad", {"apps/web/page.js": "web 2\n",
                                "crash": "yes\n"})
        self.assertIn("is quarantined", self.deploy(1))
        self.assertEqual(self.pages(), ["web 1\n", "api 1\n"])
        self.assert_runs(self.first)

    def test_one_that_fails_moves_nothing(self):
        self.world.push("Bad", {"apps/api/page.js": "broken\n",
                                "apps/web/page.js": "web 2\n"})
        self.assertIn("building api failed", self.deploy(1))
        self.assertEqual(self.pages(), ["web 1\n", "api 1\n"])
        self.assertEqual(self.world.commit(), self.first)
        self.world.push("Good", {"apps/api/page.js": "api 2\n"})
        make_due(self.world.record)
        self.deploy(0)
        self.assertEqual(self.pages(), ["web 2\n", "api 2\n"])

    def test_an_output_that_is_gone_is_made_again(self):
        folder = self.outputs()[1]
        folder.rename(folder.with_name("gone"))
        self.assertIn("its build made apps/api/dist, which is gone",
                      self.world.run("--status").stdout + self.deploy(0))
        self.assertEqual(self.world.calls(), [*BUILDS, *RESTARTS])
        self.assertEqual(self.pages(), ["web 1\n", "api 1\n"])

    def test_a_commit_that_has_an_output_of_one(self):
        self.world.push("Has it", HAS_OUTPUT)
        self.assertIn("its build made apps/api/dist, which the commit has",
                      self.deploy(0))
        self.assertEqual(self.pages(), ["web 1\n", "git's\n"])
        self.deploy(0, "--rollback")
        self.assertEqual(self.pages(), ["web 1\n", "api 1\n"])

    def test_what_npm_puts_into_the_folder_of_one_is_an_output(self):
        npm = self.world.stand_in_text("npm")
        self.world.stand_in("npm", npm + "mkdir -p apps/web/node_modules/x\n"
                            "cat package-lock.json "
                            ">apps/web/node_modules/x/made\n")
        made = self.world.checkout / "apps/web/node_modules/x/made"
        for lock in "12":
            self.world.push("Lock", {"package-lock.json": f"{lock}\n"})
            self.deploy(0)
            self.assertEqual(made.read_text(), f"{lock}\n")
        self.world.push("Page", {"apps/web/page.js": "web 2\n"})
        self.world.calls()
        self.deploy(0)
        self.assertEqual(self.world.calls(), [*BUILDS, *RESTARTS])
        self.assertEqual(made.read_text(), "2\n")
        self.deploy(0, "--rollback")
        self.assertEqual(made.read_text(), "2\n")
        self.world.stand_in("npm", npm)
        self.world.push("Stop", workspaces.NO_ROOT)
        self.deploy(0)
        self.assertEqual(self.placed(), self.apart())
        self.deploy(0, "--rollback")
        self.assertEqual(made.read_text(), "2\n")
        self.assertEqual(self.placed()[0], self.together()[0])


@needs_staging
class Becomes(Built):
    first_files = workspaces.APPS | PAGES

    def test_workspaces_with_all_that_their_builds_made(self):
        self.assertEqual(self.pages(), ["web 1\n", "api 1\n"])
        before = [path.stat().st_ino for path in self.outputs()]
        self.world.push("Bad", workspaces.ROOT | {
            "apps/web/page.js": "web 2\n", "crash": "yes\n"})
        self.assertIn("is quarantined", self.deploy(1))
        self.assertEqual(self.placed(), self.apart())
        self.assertEqual(self.pages(), ["web 1\n", "api 1\n"])
        self.world.push("Good", {"crash": None})
        self.deploy(0)
        self.assertEqual(self.placed(), self.together())
        self.assertEqual(self.pages(), ["web 2\n", "api 1\n"])
        self.assert_kept_by("web", "api")
        self.deploy(0, "--rollback")
        self.assertEqual(self.placed(), self.apart())
        self.assertEqual([path.stat().st_ino for path in self.outputs()],
                         before)

    def test_workspaces_where_the_commit_has_an_output(self):
        self.world.push("Has it", workspaces.ROOT | HAS_OUTPUT)
        self.deploy(0)
        self.assertEqual(self.placed(), self.together())
        self.assertEqual(self.pages(), ["web 1\n", "git's\n"])
        self.deploy(0, "--rollback")
        self.assertEqual(self.placed(), self.apart())
        self.assertEqual(self.pages(), ["web 1\n", "api 1\n"])

    def assert_kept_by(self, *names):
        """The environments that were left have their outputs beside them."""
        for name in names:
            shelf = (self.world.checkout
                     / ".git/deployment-update/environments" / name)
            self.assertTrue(any(path.name.endswith(".outputs")
                                for path in shelf.iterdir()), name)


class InPlace(Built):
    more = "build = in-place\n"

    def test_both_are_built_after_the_one_install(self):
        self.world.push("Two", {"apps/api/page.js": "api 2\n"})
        self.world.calls()
        self.deploy(0)
        self.assertEqual(self.world.calls(), [
            "build in web", "probe ", "dist was there", "build in api",
            "probe ", "dist was there", *RESTARTS])
        self.assertEqual(self.pages(), ["web 1\n", "api 2\n"])


if __name__ == "__main__":
    unittest.main()
