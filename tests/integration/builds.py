"""Commands of `build`: where they run, when, and what becomes of what they
make."""

import json

from integration.checks import config
from support import needs_staging
from support.record import entries, make_due
from support.world import World, made_from, WorldCase

# Makes dist/ of what it finds, and tells where it ran on what.
BUILD = """#!/bin/sh
. "${0%/*}/variables"
echo "build $* in ${PWD##*/} on $(cat node_modules/made-from)" >>"$CALLS"
[ ! -e "$BUILD_FAILS" ] || { echo "no such module"; exit 3; }
[ ! -e dist ] || echo "dist was there" >>"$CALLS"
mkdir -p dist
cat page.js >dist/page
"""
FILES = {".gitignore": "node_modules/\nvenv/\ndist/\n"}


class Case(WorldCase):
    more = ""  # of the configuration

    def setUp(self):
        world = self.world = self.enterContext(World(
            config=config("build = build it 'all of it'\n", more=self.more)))
        self.build_fails = world.root / "build-fails"
        world.tell(BUILD_FAILS=self.build_fails)
        world.stand_in("build", BUILD)
        self.first = world.push(
            "Page", FILES | {"frontend/page.js": "page 1\n"})
        world.git(world.checkout, "pull", "-q")
        self.text = self.deploy(0, "--force")
        self.before = world.calls()

    def page(self):
        return (self.world.checkout / "frontend/dist/page").read_text()

    def calls(self):
        return [call for call in self.world.calls()
                if not call.startswith("systemctl")]


@needs_staging
class Aside(Case):
    def test_it_runs_after_the_install_and_its_output_is_put_into_use(self):
        self.assertIn('build it all of it in frontend on {"version": "1"}',
                      self.before)
        self.assertEqual(self.page(), "page 1\n")
        self.assertRegex(self.text, r"frontend: build it 'all of it': done in "
                         r"\d")
        self.assertIn("npm install --no-save in frontend, then build it "
                      "'all of it': --force", self.text)

    def test_a_push_of_its_folder_builds_and_does_not_install(self):
        second = self.world.push("Two", {"frontend/page.js": "page 2\n"})
        plan = self.world.run("--dry-run")
        self.assertIn("frontend: build with the node_modules in use: build it "
                      "'all of it': files of the folder changed", plan.stdout)
        steps = json.loads(self.world.run("--dry-run", "--json").stdout)[
            "steps"]
        self.assertIn("build it 'all of it'", " ".join(
            step["description"] for step in steps))
        self.deploy(0)
        # What the build before it made is not there.
        self.assertEqual(self.calls(), [
            'build it all of it in frontend on {"version": "1"}'])
        self.assertEqual(self.page(), "page 2\n")
        self.assertEqual(self.world.commit(), second)
        self.assertEqual(self.world.in_use(), made_from(1))
        self.deploy(0, "--rollback")
        self.assertEqual(self.page(), "page 1\n")
        self.assertEqual(self.calls(), [])

    def test_a_build_sees_what_another_component_made_earlier(self):
        world = self.world
        world.stand_in("build-backend", "#!/bin/sh\n"
                       "cat ../frontend/dist/page >generated\n"
                       "! echo x >../frontend/dist/page 2>/dev/null\n")
        world.config(config("build = build it 'all of it'\n",
                            "build = build-backend\n"))
        self.deploy(0)
        world.push("Back end", {"backend/server.py": "app = 2\n"})
        self.deploy(0)
        generated = world.checkout / "backend/generated"
        self.assertEqual(generated.read_text(), "page 1\n")
        self.assertEqual(self.page(), "page 1\n")

    def test_a_push_of_another_folder_does_not_build(self):
        self.world.push("Elsewhere", {"backend/server.py": "app = 2\n"})
        self.deploy(0)
        self.assertEqual(self.calls(), [])

    def test_a_push_of_its_paths_elsewhere_builds(self):
        self.world.config(config("build = build it\n"
                                 "paths = frontend shared\n"))
        self.deploy(0)
        self.calls()
        self.world.push("Shared", {"shared/words": "1\n"})
        self.deploy(0)
        self.assertEqual(self.calls(), [
            'build it in frontend on {"version": "1"}'])
        self.world.push("Elsewhere", {"backend/server.py": "app = 2\n"})
        self.deploy(0)
        self.assertEqual(self.calls(), [])

    def test_another_manifest_installs_and_builds(self):
        self.world.push_version(2)
        self.deploy(0)
        self.assertEqual(
            [call for call in self.calls()
             if not call.startswith(("pip", "python3"))],
            ["npm install --no-save",
             'build it all of it in frontend on {"version": "2"}'])

    def test_another_command_builds_at_the_next_run(self):
        self.world.config(config("build = build that\n"))
        self.assertIn("build commands changed", self.deploy(0))
        self.assertEqual(self.calls(), [
            'build that in frontend on {"version": "1"}'])
        self.assertEqual(self.deploy(0), "")

    def test_what_it_made_and_is_gone_is_built_again(self):
        (self.world.checkout / "frontend/dist/page").unlink()
        (self.world.checkout / "frontend/dist").rmdir()
        self.assertIn("its build made frontend/dist, which is gone",
                      self.deploy(0))
        self.assertEqual(self.calls(), [
            'build it all of it in frontend on {"version": "1"}'])
        self.assertEqual(self.page(), "page 1\n")

    def test_one_that_fails_moves_nothing(self):
        self.build_fails.touch()
        second = self.world.push("Two", {"frontend/page.js": "page 2\n"})
        running = self.world.running()
        text = self.deploy(1)
        self.assertIn("error: building frontend failed: build it 'all of it' "
                      "exited with code 3", text)
        self.assertIn("frontend | no such module", text)
        self.assertEqual(self.page(), "page 1\n")
        self.assertEqual(self.world.commit(), self.first)
        self.assertEqual(self.world.running(), running)
        self.assertRegex(self.world.run("--status").stdout,
                         r"failed at 'build'\nsince .*, once\n")
        self.assertNotIn("quarantined", entries(self.world.record))
        self.build_fails.unlink()
        make_due(self.world.record)
        self.deploy(0)
        self.assertEqual(self.world.commit(), second)
        self.assertEqual(self.page(), "page 2\n")

    def test_a_push_whose_service_dies_is_taken_back(self):
        self.world.push("Crash", {"frontend/page.js": "page 2\n",
                                  "crash": "yes\n"})
        self.deploy(1)
        self.assertEqual(self.page(), "page 1\n")
        self.assertEqual(self.world.commit(), self.first)

    def test_a_later_component_sees_what_an_earlier_one_built(self):
        self.world.stand_in("collect", '#!/bin/sh\n. "${0%/*}/variables"\n'
                            'echo "collected $(cat ../frontend/dist/page)" '
                            '>>"$CALLS"\n')
        self.world.config(config("build = build it\n", "build = collect\n"))
        self.deploy(0, "--force")
        self.assertIn("collected page 1", self.world.calls())


class InPlace(Case):
    more = "build = in-place\n"

    def test_it_runs_in_the_script_s_order(self):
        calls = [call for call in self.before if not call.startswith("pip")]
        self.assertEqual(calls[:3], [
            "npm install --no-save",
            'build it all of it in frontend on {"version": "1"}',
            "systemctl restart frontend-deployment.service"])
        self.assertEqual(self.page(), "page 1\n")

    def test_a_push_of_its_folder_builds_where_it_stands(self):
        self.world.push("Two", {"frontend/page.js": "page 2\n"})
        self.deploy(0)
        self.assertEqual(self.calls(), [
            'build it all of it in frontend on {"version": "1"}',
            "dist was there"])
        self.assertEqual(self.page(), "page 2\n")
