"""Components whose installer the configuration names, and commands that take
the place of a type's own."""

import json
import unittest

from support import needs_staging
from support.world import World, WorldCase

RESTART = "systemctl restart web.service"

CONFIG = """\
settle = 0
{more}
[web]
type = generic
manifest = tool.lock
manifest = tool.json
install = tool fetch
install = tool install --into '{environment}' --text "a  b"
environment = {environment}
service = web.service
{section}
"""

# Like pnpm, uv or bundler: it notes from what it made what, and where the
# programs of it are. A lock that says broken cannot be installed, and one
# that says elsewhere goes where the configuration does not say.
TOOL = """#!/bin/sh -e
. "${0%/*}/variables"
echo "tool $*" >>"$CALLS"
if [ "$1" = fetch ]; then exit; fi
if grep -q broken tool.lock; then
  echo "tool: broken" >&2
  exit 3
fi
place=$3
if grep -q elsewhere tool.lock; then place=elsewhere; fi
mkdir -p "$place/bin"
cat tool.lock >"$place/made-from"
echo "$PWD" >"$place/made-in"
echo '#!/bin/sh
. "${0%/*}/variables"
echo "probe $*" >>"$CALLS"' >"$place/bin/probe"
cp "${0%/*}/variables" "$place/bin"
chmod 755 "$place/bin/probe"
"""

FILES = {"web/tool.lock": "1\n", "web/tool.json": "{}\n",
         ".gitignore": "node_modules/\nvenv/\n.made/\nvendor/\n"}


class Deployed(WorldCase):
    """The first version is deployed."""

    environment = ".made"
    more = ""
    section = ""

    def setUp(self):
        self.world = self.enterContext(World())
        self.world.link_tool("ls")
        self.world.stand_in("tool", TOOL)
        self.configure()
        self.world.push("Web", FILES)
        self.deploy(0, "--force")
        self.first = self.world.commit()
        self.world.calls()

    def configure(self, **more):
        self.world.config(CONFIG.format(**{
            "environment": self.environment, "more": self.more,
            "section": self.section} | more))

    def made_from(self, name="made-from"):
        return (self.world.checkout / "web" / self.environment / name
                ).read_text()

    def installs(self):
        return ["tool fetch",
                f"tool install --into {self.environment} --text a  b"]

    def steps(self):
        plan = json.loads(self.world.run("--dry-run", "--json").stdout)
        return [(step["step"], step["description"]) for step in plan["steps"]]

    def assert_no_change(self):
        run = self.world.run()
        self.assertEqual((run.returncode, run.stdout, run.stderr), (
            0, "No changes detected in the repository.\n", ""))
        self.assertEqual(self.world.calls(), [])


@needs_staging
class Generic(Deployed):
    def test_a_first_deployment(self):
        self.assertEqual(self.made_from(), "1\n")
        self.assertEqual(self.made_from("made-in"),
                         f"{self.world.checkout}/web\n")
        self.assert_no_change()

    def test_a_change_is_built_aside_and_restarts(self):
        self.world.push("Two", {"web/tool.lock": "2\n"})
        steps = dict(self.steps())
        self.assertIn(
            " aside: web: tool fetch; tool install --into "
            f"{self.environment} --text 'a  b' in web: tool.lock changed (",
            steps["build"])
        self.assertIn(f"web: put the new {self.environment} into use: "
                      "tool.lock changed (", steps["exchange"])
        said = self.deploy(0)
        self.assertIn(steps["build"], said)
        self.assertEqual(self.world.calls(), [*self.installs(), RESTART])
        self.assertEqual(self.made_from(), "2\n")
        self.assertEqual(self.made_from("made-in"),
                         f"{self.world.checkout}/web\n")
        status = json.loads(self.world.run("--status", "--json").stdout)
        self.assertEqual(sorted(status["components"]["web"]["inputs"]),
                         ["install commands", "tool.json", "tool.lock"])
        self.assert_no_change()

    def test_each_manifest_counts_and_nothing_else(self):
        self.world.push("Two", {"web/tool.json": "{ }\n"})
        self.deploy(0)
        self.assertEqual(self.world.calls(), [*self.installs(), RESTART])
        self.world.push("Three", {"web/package.json": "{}\n",
                                  "web/main.js": "3\n"})
        self.deploy(0)
        self.assertEqual(self.world.calls(), [RESTART])

    def test_a_broken_install_moves_nothing(self):
        self.world.push("Broken", {"web/tool.lock": "broken\n"})
        said = self.deploy(1)
        self.assertIn("tool: broken", said)
        self.assertIn("'build' failed", said)
        self.assertEqual(self.world.calls(), self.installs())
        self.assertEqual(self.made_from(), "1\n")
        self.assertEqual(self.world.commit(), self.first)
        self.world.push("Fixed", {"web/tool.lock": "1\n"})
        self.deploy(0)
        self.assertEqual(self.world.calls(), [RESTART])

    def test_an_install_into_another_folder_moves_nothing(self):
        self.world.push("Elsewhere", {"web/tool.lock": "elsewhere\n"})
        said = self.deploy(1)
        self.assertIn(f"looking for the {self.environment} that was to be "
                      "installed", said)
        self.assertEqual(self.world.commit(), self.first)

    def test_a_service_that_dies_takes_it_back(self):
        second = self.world.push("Two", {"web/tool.lock": "2\n",
                                         "crash": "yes\n"})
        said = self.deploy(1)
        self.assertIn(f"{second[:12]} is quarantined", said)
        self.assertEqual(self.made_from(), "1\n")
        self.assertEqual(self.world.commit(), self.first)
        self.assertEqual(self.world.calls(),
                         [*self.installs(), RESTART, RESTART])

    def test_a_rollback_by_hand_and_back(self):
        self.world.push("Two", {"web/tool.lock": "2\n"})
        self.deploy(0)
        self.world.calls()
        self.deploy(0, "--rollback")
        self.assertEqual(self.made_from(), "1\n")
        self.deploy(0, "--force")
        self.assertEqual(self.made_from(), "2\n")

    def test_one_that_is_gone_is_made_again(self):
        folder = self.world.checkout / "web" / self.environment
        folder.rename(folder.with_name("gone"))
        said = self.deploy(0)
        self.assertIn(f"its {self.environment} is gone", said)
        self.assertEqual(self.made_from(), "1\n")

    def test_other_commands_are_deployed_at_once(self):
        config = self.world.config_file.read_text()
        self.world.config(config.replace("--text", "--word"))
        said = self.deploy(0)
        self.assertIn("install commands changed (", said)
        self.assertEqual(self.world.calls(), [
            "tool fetch", f"tool install --into {self.environment} "
            "--word a  b", RESTART])
        self.assert_no_change()

    def test_another_environment_is_deployed_at_once(self):
        self.environment = "vendor"
        self.configure()
        said = self.deploy(0)
        self.assertIn("its vendor is gone", said)
        self.assertEqual(self.world.calls(), [*self.installs(), RESTART])
        self.assertEqual(self.made_from(), "1\n")
        self.assert_no_change()

    def test_checks_run_its_programs(self):
        self.configure(section="check = probe it\n")
        self.world.push("Code", {"web/main.js": "2\n"})
        self.deploy(0)
        self.assertEqual(self.world.calls(), ["probe it", RESTART])

    def test_one_that_git_tracks_is_refused(self):
        path = f"web/{self.environment}/kept"
        self.world.git(self.world.author, "rm", "-q", ".gitignore")
        self.world.push("Tracked", {path: "1\n"})
        for run in (self.world.run("--dry-run"), self.world.run()):
            self.assertEqual(run.returncode, 1)
            self.assertIn(
                f"component web: its environment web/{self.environment} is "
                f"in ", run.stderr)
            self.assertIn("only what git does not track can be one; nothing "
                          "was changed", run.stderr)
        self.assertEqual(self.world.commit(), self.first)
        self.world.push("Untracked", {path: None})
        self.deploy(0)


class Nested(Generic):
    """The folder around it is made for it."""

    environment = "vendor/bundle"

    def test_another_environment_is_deployed_at_once(self):
        """As with a plain name."""

    def test_the_folder_around_it_is_gone(self):
        (self.world.checkout / "web/vendor").rename(
            self.world.checkout / "web/gone")
        self.deploy(0)
        self.assertEqual(self.made_from(), "1\n")


class InPlace(Deployed):
    more = "build = in-place\n"

    def test_a_change(self):
        self.world.push("Two", {"web/tool.lock": "2\n"})
        self.deploy(0)
        self.assertEqual(self.world.calls(), [*self.installs(), RESTART])
        self.assertEqual(self.made_from(), "2\n")
        self.assert_no_change()

    def test_a_broken_install_restarts_nothing(self):
        self.world.push("Broken", {"web/tool.lock": "broken\n"})
        self.assertIn("'web: install' failed", self.deploy(1))
        self.assertEqual(self.world.calls(), self.installs())
        self.world.push("Fixed", {"web/tool.lock": "3\n"})
        self.deploy(0)
        self.assertEqual(self.made_from(), "3\n")


@needs_staging
class Presets(WorldCase):
    """`install` takes the place of what npm and python run."""

    def setUp(self):
        self.world = self.enterContext(World())
        self.world.stand_in("tool", '#!/bin/sh\n. "${0%/*}/variables"\n'
                            'echo "tool $* $VIRTUAL_ENV" >>"$CALLS"\n')

    def configure(self, install):
        self.world.config(
            f"settle = 0\n[frontend]\ntype = npm\n{install}"
            f"[backend]\ntype = python\n{install}")

    def test_their_commands_are_replaced(self):
        self.configure("")
        self.deploy(0, "--force")
        self.world.calls()
        self.configure("install = tool ci --quick\n")
        shown = self.world.run("--dry-run").stdout
        self.assertIn("frontend: tool ci --quick in frontend: install "
                      "commands is new (", shown)
        self.assertIn("backend: rebuild backend/venv, tool ci --quick: ",
                      shown)
        self.deploy(0)
        self.assertEqual(sorted(self.world.calls()), [
            "tool ci --quick ",
            f"tool ci --quick {self.world.checkout}/backend/venv"])
        self.configure("")
        said = self.deploy(0)
        self.assertIn("frontend: put the kept node_modules into use: install "
                      "commands is gone (", said)
        self.assertEqual(self.world.calls(), [])


if __name__ == "__main__":
    unittest.main()
