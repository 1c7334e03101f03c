"""What environments are made from, beside the manifest: other files of npm,
node itself, folders behind links, submodules, files kept by LFS; and what a
sparse checkout leaves out.

Deployments are built aside, and git is the real one.
"""

import os
import re
import shutil
import subprocess

from support import needs_staging
from support.record import make_due
from support.world import World, made_from, WorldCase

ROOT = '{"workspaces": ["front*", "!frontend-old"]}\n'

# Notes what stands beside the folder that it installs in.
CURIOUS_NPM = """#!/bin/sh
mkdir -p node_modules
cat package.json >node_modules/made-from
cat {files} >node_modules/saw 2>&1
git status --porcelain >node_modules/status 2>&1
"""

# A git that kills who runs it when it is to update the checkout's submodules.
KILLS = """#!/bin/sh
case "$GIT_DIR $*" in
' '*'submodule --quiet update'*) [ -e {once} ] && rm {once} && kill -9 $PPID ;;
esac
exec {git} "$@"
"""


class Deployed(WorldCase):
    """A world whose first commit is deployed."""

    config = "settle = 0\n"

    def setUp(self):
        self.world = self.enterContext(World(config=self.config))
        self.prepare()
        self.deploy(0, "--force")
        self.first = self.world.commit()
        self.world.calls()

    def prepare(self):
        pass

    def installs(self):
        return [call for call in self.world.calls() if "install" in call]

    def read(self, path):
        return (self.world.checkout / path).read_text(encoding="utf-8")

    def assert_refused(self, text, run):
        """One line says why, and nothing has moved."""
        self.assertIn(text, run)
        self.assertEqual(self.world.commit(), self.first)
        self.assertEqual(self.world.calls(), [])

    def assert_nothing_is_left(self):
        world = self.world
        self.assertEqual(world.git(world.checkout, "status", "--porcelain"),
                         "")
        self.assertFalse(
            (world.checkout / ".git/deployment-update/stage").exists())


@needs_staging
class Npm(Deployed):
    def assert_builds(self, files, reason):
        self.world.push("Inputs", files)
        self.assertIn(reason, self.deploy(0))
        self.assertEqual(self.installs(), ["npm install --no-save"])

    def test_a_shrinkwrap_counts(self):
        self.assert_builds({"frontend/npm-shrinkwrap.json": "1\n"},
                           "npm-shrinkwrap.json is new")
        self.assert_builds({"frontend/npm-shrinkwrap.json": "2\n"},
                           "npm-shrinkwrap.json changed")

    def test_the_lock_file_of_the_workspace_counts(self):
        self.assert_builds({"package.json": ROOT, "package-lock.json": "1\n"},
                           "it is a workspace of . now")
        self.assert_builds({"package-lock.json": "2\n"},
                           ": package-lock.json changed")
        self.assert_builds({"npm-shrinkwrap.json": "3\n"},
                           ": npm-shrinkwrap.json is new")

    def test_a_folder_above_that_has_other_workspaces_does_not(self):
        self.world.push("Other", {
            "package.json": ROOT.replace("front*", "libs/*"),
            "package-lock.json": "1\n"})
        self.deploy(0)
        self.assertEqual(self.installs(), [])

    def use_node(self, answer):
        self.world.stand_in("node", f"#!/bin/sh\necho '{answer}'\n")

    def test_another_node_makes_another_environment(self):
        self.use_node("v20.11.1")
        self.assert_builds({"README": "2\n"},
                           "node was 18 and is 20")

    def test_a_node_of_the_same_kind_makes_none(self):
        self.use_node("v18.20.4")
        self.world.push("Code", {"README": "2\n"})
        self.deploy(0)
        self.assertEqual(self.installs(), [])

    def test_an_upgrade_of_the_program_builds_nothing(self):
        world = self.world
        of_node = re.compile("^(.*)18(?:, ABI 108)?  node\n", re.MULTILINE)
        for before in (r"\g<1>18, ABI 108  node\n", ""):
            for path in (world.record, world.checkout /
                         "frontend/node_modules/.deployment-update"):
                text, count = of_node.subn(before, path.read_text())
                self.assertEqual(count, 1, path)
                path.write_text(text)
            world.push("Code", {"README": f"{before}\n"})
            self.deploy(0)
            self.assertEqual(self.installs(), [])
        # A change is still seen, and told without the version.
        world.push_version(2)
        self.assertNotIn("node was", self.deploy(0))
        self.assertEqual(world.in_use(), made_from(2))

    def test_without_node_nothing_moves(self):
        self.world.push_version(2)
        (self.world.bin / "node").unlink()
        self.assert_refused("install node or extend PATH", self.deploy(1))

    def test_a_node_that_is_none_moves_nothing(self):
        self.world.push_version(2)
        self.use_node("none")
        self.assert_refused("unexpected output from node", self.deploy(1))


@needs_staging
class EmptyVenv(Deployed):
    """One as python3 made it is kept, and copied for the next build."""

    makes = "python3 -m venv venv"

    def deploy_version(self, version, code=0, *options):
        self.world.push_version(version)
        return self.deploy(code, *options)

    def empty(self):
        return self.world.checkout / ".git/deployment-update/empty/backend"

    def test_the_next_venv_begins_with_a_copy(self):
        self.assertFalse((self.empty() / "made-from").exists())
        for version in (2, 3):
            self.deploy_version(version)
            self.assertEqual(self.pip_calls(), [
                "pip install --upgrade pip",
                "pip install -r requirements.txt"])
            self.assertEqual(self.world.in_use(), made_from(version))
        self.assert_nothing_is_left()

    def pip_calls(self):
        """And those that make a venv."""
        return [call for call in self.world.calls()
                if call.startswith(("pip ", "python3 "))]

    def test_force_makes_one_from_scratch(self):
        (self.empty() / "bin/pip").unlink()
        self.deploy(0, "--force")
        self.assertEqual(self.pip_calls()[0], self.makes)
        self.assertTrue((self.empty() / "bin/pip").exists())

    def test_one_that_is_damaged_is_used_once(self):
        (self.empty() / "bin/python3").unlink()
        text = self.deploy_version(2, 1)
        self.assertIn("installing backend", text)
        self.assertEqual(self.pip_calls(), [])
        make_due(self.world.record)
        self.deploy(0)
        self.assertEqual(self.pip_calls()[0], self.makes)
        self.assertEqual(self.world.in_use(), made_from(2))
        self.deploy_version(3)
        self.assertNotIn(self.makes, self.pip_calls())

    def test_one_that_cannot_be_copied_is_no_failure(self):
        (self.world.bin / "cp").unlink()
        self.world.stand_in("cp", f"""#!/bin/sh
case "$*" in
*/empty/backend' '*) exit 1 ;;
esac
exec {shutil.which("cp")} "$@"
""")
        text = self.deploy_version(2)
        self.assertIn("could not be copied; python installs from scratch",
                      text)
        self.assertEqual(self.pip_calls()[0], self.makes)
        self.assertEqual(self.world.in_use(), made_from(2))

    def test_one_that_cannot_be_kept_is_no_failure(self):
        (self.world.bin / "cp").unlink()
        self.world.stand_in("cp", f"""#!/bin/sh
case "$*" in
*/stage/empty/backend) mkdir "${{!#}}"; exit 1 ;;
esac
exec {shutil.which("cp")} "$@"
""".replace("${!#}", ".git/deployment-update/stage/empty/backend"))
        self.deploy(0, "--force")
        self.assertEqual(self.pip_calls()[0], self.makes)
        # What was kept before is.
        self.deploy_version(2)
        self.assertNotIn(self.makes, self.pip_calls())

    def test_another_python3_of_the_same_version_makes_its_own(self):
        self.world.stand_in("other", self.world.stand_in_text("python3"))
        (self.world.bin / "other").rename(self.world.bin / "python3")
        self.deploy_version(2)
        self.assertEqual(self.pip_calls()[0], self.makes)

    def test_one_of_a_component_that_is_gone_is_removed(self):
        self.world.config(self.config + "[web]\ntype = npm\n"
                          "directory = frontend\n"
                          "service = frontend-deployment.service\n")
        self.deploy(0)
        self.assertFalse(self.empty().exists())

    def test_a_checkout_that_moved_makes_one_of_its_own(self):
        world = self.world
        moved = world.root / "moved"
        world.checkout.rename(moved)
        world.checkout = moved
        shutil.rmtree(world.state)
        world.tell(CHECKOUT=moved)
        world.config(self.config + f"repo-dir = {moved}\n")
        self.deploy_version(2)
        self.assertEqual(self.pip_calls()[0], self.makes)


@needs_staging
class Links(Deployed):
    def link(self, target):
        """The folder of the front end becomes a link."""
        author = self.world.author
        shutil.rmtree(author / "frontend")
        (author / "frontend").symlink_to(target)

    def test_a_link_inside_the_checkout_is_followed(self):
        world = self.world
        self.link("apps/site")
        world.push("A link", {"apps/site/package.json": "{}\n",
                              ".gitignore": "node_modules\nvenv/\n"})
        # The environment of old is where git wants to put the link.
        shutil.rmtree(world.checkout / "frontend/node_modules")
        text = self.deploy(0)
        self.assertIn("npm install --no-save in apps/site", text)
        self.assertEqual(self.read("apps/site/node_modules/made-from"),
                         "{}\n")
        self.assertEqual(os.readlink(world.checkout / "frontend"),
                         "apps/site")
        self.assertNotIn("on trial", self.read(
            "apps/site/node_modules/.deployment-update"))
        tick = world.run()
        self.assertEqual((tick.returncode, tick.stdout),
                         (0, "No changes detected in the repository.\n"))
        world.push("Another", {"apps/site/package.json": "{ }\n"})
        self.deploy(0)
        self.assertEqual(self.read("frontend/node_modules/made-from"),
                         "{ }\n")

    def test_a_link_out_of_the_checkout_is_refused(self):
        self.link("../elsewhere")
        self.world.push("A link", {})
        text = "frontend is a link to ../elsewhere, outside of the checkout"
        run = self.world.run("--dry-run")
        self.assertEqual(run.returncode, 1)
        self.assertIn(text, run.stderr)
        self.assert_refused(text, self.deploy(1))

    def test_a_link_of_this_host_is_followed(self):
        world = self.world
        (world.checkout / "site").symlink_to("frontend")
        (world.checkout / ".git/info/exclude").write_text("site\n")
        world.config("settle = 0\n[site]\ntype = npm\n"
                     "service = frontend-deployment.service\n")
        world.push_version(2)
        self.assertIn("in frontend: ", self.deploy(0))
        self.assertEqual(self.read("frontend/node_modules/made-from"),
                         made_from(2)[0])


class WithSubmodule(Deployed):
    """Pushes have a submodule `lib`, in which is another, `lib/in`."""

    tools = ("sed", "basename", "uname")

    def prepare(self):
        world = self.world
        for tool in self.tools:  # git submodule is a script
            world.link_tool(tool)
        world.git(world.root, "config", "--global", "protocol.file.allow",
                  "always")
        for name in ("lib", "in"):
            world.git(world.root, "init", "-q", "-b", "main",
                      world.root / name)
            self.change(name, "1")
        self.add(world.root / "lib", "in")
        world.git(world.root / "lib", "commit", "-q", "-m", "With in")

    def change(self, name, text):
        folder = self.world.root / name
        (folder / "value").write_text(f"{name} {text}\n")
        self.world.git(folder, "add", "value")
        self.world.git(folder, "commit", "-q", "-m", text)

    def add(self, folder, name):
        self.world.git(folder, "submodule", "--quiet", "add",
                       (self.world.root / name).as_uri(), name)

    def push_with_submodule(self, more=None):
        self.add(self.world.author, "lib")
        return self.world.push("With lib", more or {})

    def push_changed(self, more=None):
        """A push with another commit of the submodule."""
        self.change("lib", "2")
        self.world.git(self.world.author / "lib", "pull", "-q")
        return self.world.push("Another lib", more or {})


@needs_staging
class Refused(WithSubmodule):
    def test_they_are_refused(self):
        self.push_with_submodule()
        commit = self.world.git(self.world.author, "rev-parse", "HEAD")
        for more in (("--dry-run",), ()):
            text = self.deploy(1, *more)
            self.assert_refused(
                f"{commit[:12]} has submodules, which are not updated, and "
                "services would run with those of another commit: lib; "
                "nothing was changed", text)
            self.assertIn("submodules = update", text)

    def test_setting_it_goes_on(self):
        commit = self.push_with_submodule()
        self.deploy(1)
        self.world.config("settle = 0\nsubmodules = update\n")
        make_due(self.world.record)
        self.deploy(0)
        self.assertEqual(self.world.commit(), commit)
        self.assertEqual(self.read("lib/in/value"), "in 1\n")

    def test_a_file_of_submodules_without_any_is_none(self):
        commit = self.world.push("None", {".gitmodules": "# none yet\n"})
        self.deploy(0)
        self.assertEqual(self.world.commit(), commit)


@needs_staging
class Updated(WithSubmodule):
    config = "settle = 0\nsubmodules = update\n"

    def setUp(self):
        super().setUp()
        self.world.stand_in("npm", CURIOUS_NPM.format(
            files="../lib/value ../lib/in/value"))

    def values(self):
        return self.read("lib/value") + self.read("lib/in/value")

    def assert_updated(self, commit, number):
        self.assertEqual(self.world.commit(), commit)
        self.assertEqual(self.values(), f"lib {number}\nin 1\n")
        self.assert_nothing_is_left()

    def test_in_stage_and_checkout_alike(self):
        first = self.push_with_submodule({"frontend/package.json": "{}\n"})
        self.assertIn("update the submodules lib: ", self.deploy(0))
        self.assert_updated(first, 1)
        saw = [self.read("frontend/node_modules/saw"),
               self.read("frontend/node_modules/status")]
        self.assertEqual(saw, ["lib 1\nin 1\n", ""])
        second = self.push_changed({"frontend/package.json": "{ }\n"})
        self.deploy(0)
        self.assert_updated(second, 2)
        self.assertEqual(self.read("frontend/node_modules/saw"),
                         "lib 2\nin 1\n")

    def test_settings_of_the_owner_lead_no_build_to_the_checkout(self):
        first = self.push_with_submodule()
        self.deploy(0)
        world = self.world
        before = world.git(world.checkout, "submodule", "status",
                           "--recursive")
        world.git(world.checkout, "config", "submodule.recurse", "true")
        world.git(world.checkout, "config", "core.worktree", world.checkout)
        self.push_changed({"frontend/package.json": "{ }\n"})
        world.stand_in("npm", "#!/bin/sh\ncat ../lib/value >&2; exit 1\n")
        self.assertIn("lib 2", self.deploy(1))
        self.assert_updated(first, 1)
        self.assertEqual(
            world.git(world.checkout, "submodule", "status", "--recursive"),
            before)

    def test_a_push_of_nothing_else_is_deployed(self):
        self.push_with_submodule()
        self.deploy(0)
        second = self.push_changed()
        self.deploy(0)
        self.assert_updated(second, 2)

    def test_a_rollback_takes_them_back_without_their_remote(self):
        first = self.push_with_submodule()
        self.deploy(0)
        self.push_changed({"crash": "yes\n"})
        self.assertIn("rolled back to", self.deploy(1))
        self.assert_updated(first, 1)

    def test_a_rollback_by_hand_takes_them_back(self):
        first = self.push_with_submodule()
        self.deploy(0)
        self.push_changed()
        self.deploy(0)
        shutil.rmtree(self.world.root / "lib")  # their remote is away
        self.deploy(0, "--rollback")
        self.assert_updated(first, 1)

    def test_one_that_cannot_be_had_moves_nothing(self):
        self.push_with_submodule({"frontend/package.json": "{}\n"})
        (self.world.root / "lib").rename(self.world.root / "gone")
        text = self.deploy(1)
        self.assertIn("laying out the submodules failed", text)
        self.assertEqual(self.world.commit(), self.first)
        self.assertEqual(self.read("frontend/node_modules/made-from"),
                         made_from(1)[0])

    def test_one_that_goes_and_returns_is_not_in_the_way(self):
        world = self.world
        self.push_with_submodule()
        self.deploy(0)
        world.git(world.author, "rm", "-q", "lib")
        without = world.push("Without lib", {})
        self.deploy(0)
        self.assertEqual(world.commit(), without)
        world.git(world.author, "revert", "--no-edit", "HEAD")
        world.push_commits()
        self.deploy(0)
        self.assertEqual(self.values(), "lib 1\nin 1\n")

    def test_one_that_becomes_a_folder(self):
        world = self.world
        first = self.push_with_submodule()
        self.deploy(0)
        world.git(world.author, "rm", "-q", "lib")
        second = world.push("A folder", {"lib/value": "own\n",
                                         "lib/in/value": "own\n"})
        self.deploy(0)
        self.assertEqual(world.commit(), second)
        self.assertEqual(self.values(), "own\nown\n")
        self.assert_nothing_is_left()
        shutil.rmtree(world.root / "lib")  # its remote is away
        self.deploy(0, "--rollback")
        self.assert_updated(first, 1)

    def test_one_with_local_changes_is_not_removed(self):
        world = self.world
        first = self.push_with_submodule()
        self.deploy(0)
        mine = world.checkout / "lib/value"
        mine.write_text("mine\n")
        world.git(world.author, "rm", "-q", "lib")
        world.push("A folder", {"lib/value": "own\n"})
        self.assertIn("local modifications", self.deploy(1))
        self.assertEqual(world.commit(), first)
        self.assertEqual(mine.read_text(), "mine\n")

    def kill_in_the_update(self):
        world = self.world
        once = world.root / "once"
        once.touch()
        git = shutil.which("git")
        (world.bin / "git").unlink()
        world.stand_in("git", KILLS.format(once=once, git=git))
        self.assertEqual(world.run().returncode, -9)
        self.assertFalse(once.exists())

    def test_a_run_that_was_killed_before_the_update(self):
        self.push_with_submodule()
        self.deploy(0)
        second = self.push_changed()
        self.kill_in_the_update()
        self.assertEqual(self.world.commit(), second)
        self.assertEqual(self.values(), "lib 1\nin 1\n")  # of the one before
        self.deploy(0)
        self.assert_updated(second, 2)

    def test_a_run_that_was_killed_in_a_clone(self):
        # As git leaves it: a repository without a commit, and a lock.
        world = self.world
        first = self.push_with_submodule()
        self.kill_in_the_update()
        modules = world.checkout / ".git/modules"
        modules.mkdir()
        world.git(world.checkout, "init", "-q",
                  f"--separate-git-dir={modules / 'lib'}", "lib")
        world.git(world.checkout / "lib", "remote", "add", "origin",
                  (world.root / "lib").as_uri())
        (modules / "lib/index.lock").touch()
        self.deploy(0)
        self.assert_updated(first, 1)

    def test_a_component_in_one_is_refused(self):
        self.push_with_submodule()
        self.world.config(self.config + "[lib]\ntype = npm\n"
                          "service = frontend-deployment.service\n")
        self.assert_refused("lib is in the submodule lib", self.deploy(1))


@needs_staging
class LargeFiles(Deployed):
    """git-lfs keeps the content of `large` elsewhere."""

    def prepare(self):
        world = self.world
        world.link_tool("git-lfs")
        world.git(world.root, "lfs", "install", "--skip-repo")

    def push_large(self, text):
        return self.world.push("Large", {
            ".gitattributes": "large filter=lfs diff=lfs merge=lfs -text\n",
            "frontend/package.json": f'{{"large": "{text}"}}\n',
            "large": text})

    def test_a_build_sees_their_content(self):
        self.world.stand_in("npm", CURIOUS_NPM.format(files="../large"))
        for text in ("first\n", "second\n"):
            commit = self.push_large(text)
            self.deploy(0)
            self.assertEqual(self.world.commit(), commit)
            self.assertEqual(self.read("large"), text)
            self.assertEqual(self.read("frontend/node_modules/saw"), text)
            self.assertEqual(self.read("frontend/node_modules/status"), "")
            self.assert_nothing_is_left()

    def test_content_that_cannot_be_had_moves_nothing(self):
        self.push_large("first\n")
        shutil.rmtree(self.world.origin / "lfs")
        self.assert_refused("laying out", self.deploy(1))
        self.assertIn("large", self.deploy(1, "--force"))

    def test_without_git_lfs_it_is_what_git_has(self):
        self.push_large("first\n")
        self.world.git(self.world.root, "lfs", "uninstall", "--skip-repo")
        self.deploy(0)
        self.assertIn("git-lfs.github.com/spec", self.read("large"))


@needs_staging
class Sparse(Deployed):
    def prepare(self):
        self.leave_out("docs")

    def leave_out(self, *folders):
        world = self.world
        others = {"frontend", "backend", "docs", "shared"} - set(folders)
        world.git(world.checkout, "sparse-checkout", "set", *sorted(others))

    def test_what_is_left_out_is_not_laid_out_either(self):
        world = self.world
        world.stand_in("npm", CURIOUS_NPM.format(
            files="../shared/here ../docs/page"))
        commit = world.push("More", {
            "docs/page": "page\n", "shared/here": "here\n",
            "frontend/package.json": "{}\n"})
        self.deploy(0)
        self.assertEqual(world.commit(), commit)
        saw = self.read("frontend/node_modules/saw")
        self.assertTrue(saw.startswith("here\n"), saw)
        self.assertIn("No such file", saw)
        self.assertEqual(self.read("frontend/node_modules/status"), "")
        self.assertFalse((world.checkout / "docs").exists())
        self.assert_nothing_is_left()

    def test_a_component_that_is_left_out_is_named(self):
        world = self.world
        self.leave_out("docs", "frontend")
        shutil.rmtree(world.checkout / "frontend", ignore_errors=True)
        world.push_version(2)
        text = self.deploy(1)
        self.assertIn("the checkout is sparse and leaves out frontend, the "
                      "folder of frontend; nothing was changed", text)
        self.assertIn("sparse-checkout add frontend", text)
        self.assertEqual(world.commit(), self.first)
        # The advice helps.
        subprocess.run(["git", "-C", world.checkout, "sparse-checkout", "add",
                        "frontend"], check=True, capture_output=True)
        self.deploy(0, "--force")
        self.assertEqual(world.in_use(), made_from(2))
