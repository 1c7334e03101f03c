"""Checks and releases of components: what they see, what a failure leaves, and
how often they run."""

import json
import os
import shutil
import signal
import subprocess
import unittest

from support import NOBODY, PATIENCE, needs_root, needs_staging, until
from support.record import entries, make_due
from support.serving import RAISES, SERVES, ServingWorld
from support.world import World, made_from, started_by, WorldCase

IMPORTS = 'check = venv/bin/python -c "import server"\n'

# Says what it was asked, on which environment, and whether it can change that.
LOOK = """#!/bin/sh
. "${0%/*}/variables"
echo "look $* on $(cat node_modules/made-from venv/made-from 2>/dev/null)" \
  >>"$CALLS"
for place in node_modules venv; do
  if [ -d $place ] && (echo x >$place/made-by-check) 2>/dev/null; then
    echo "$place can be changed" >>"$CALLS"
  fi
done
echo x >written-by-check
[ ! -e "$FAILS" ] || { echo "$* found fault"; exit 7; }
"""

# As LOOK, and fails by itself.
MIGRATE = LOOK.replace("look", "migrate").replace("$FAILS", "$RELEASE_FAILS")

# Starts a process that will not be asked to leave, and waits for it.
HANGS = """#!/bin/sh
. "${0%/*}/variables"
(trap '' TERM HUP INT; echo up >"$AT_WORK"; cat "$NEVER"; echo late >"$LATE") &
wait
"""

# A program that pip installs with version 2, in the place of another one.
TOOL = """
case "$*" in "-m venv venv")
  cat >venv/bin/tool$(cat requirements.txt) <<'END'
#!/bin/sh
echo "tool of ${0%/bin/*}, $VIRTUAL_ENV, ${PATH%%:*}" >>"{calls}"
END
  chmod 755 venv/bin/tool*
esac
"""


def config(frontend="", backend="", more=""):
    return (f"settle = 0\n{more}"
            "[frontend]\ntype = npm\nservice = frontend-deployment.service\n"
            f"{frontend}"
            "[backend]\ntype = python\n"
            f"service = backend-deployment.service\n{backend}")


class Case(WorldCase):
    """A world whose first version is deployed, without a check."""

    more = ""  # of the configuration

    def setUp(self):
        world = self.world = self.enterContext(
            World(config=config(more=self.more)))
        self.fails = world.root / "fails"
        self.release_fails = world.root / "release-fails"
        self.at_work = world.root / "at-work"
        self.late = world.root / "late"
        never = world.root / "never"
        os.mkfifo(never)
        world.tell(FAILS=self.fails, RELEASE_FAILS=self.release_fails,
                   AT_WORK=self.at_work, LATE=self.late, NEVER=never)
        world.stand_in("look", LOOK)
        world.stand_in("migrate", MIGRATE)
        self.first = world.commit()
        self.deploy(0, "--force")
        world.calls()

    def configure(self, frontend="", backend=""):
        self.world.config(config(frontend, backend, self.more))

    def calls_but_installs(self):
        return [call for call in self.world.calls()
                if not call.startswith(("npm ", "python3 ", "pip "))]

    def assert_untouched(self, commit, version, calls=None):
        """Production is at that commit, and nobody asked for a restart. Who
        has read the calls passes them."""
        world = self.world
        self.assertEqual(world.commit(), commit)
        self.assertEqual(world.in_use(), made_from(version))
        calls = world.calls() if calls is None else calls
        self.assertNotIn("systemctl", "\n".join(calls))
        self.assertFalse(
            (world.checkout / ".git/deployment-update/stage").exists())
        self.assertEqual(
            world.git(world.checkout, "status", "--porcelain"), "")

    def start_and_wait_until_at_work(self):
        program = subprocess.Popen(
            self.world.arguments(), cwd="/", env=self.world.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.addCleanup(program.wait, PATIENCE)
        self.addCleanup(program.kill)
        until("a stand-in to be at work", self.at_work.exists, pause=0.01)
        return program

    def assert_nobody_is_left(self):
        until("all processes of the run to be gone",
              lambda: not started_by("DEPLOYMENT_UPDATE_CHECKOUT",
                                     self.world.checkout), 5)


@needs_staging
class Checks(Case):
    def make_real_python(self):
        """venv/bin/python is a real one, in the environment in use, too."""
        self.world.link_tool("ln")
        python = shutil.which("python3")
        self.world.stand_in("python3", self.world.stand_in_text("python3")
                            + f'ln -s {python} "$3/bin/python"\n')
        self.deploy(0, "--force")
        self.world.calls()

    def test_an_exception_at_import_is_refused(self):
        self.make_real_python()
        self.configure(backend=IMPORTS)
        second = self.world.push("Raises", {"backend/server.py": RAISES})
        running = self.world.running()
        text = self.deploy(1)
        self.assertIn("error: checking backend failed: venv/bin/python -c "
                      "'import server' exited with code 1\n", text)
        self.assertIn("backend | RuntimeError: at import\n", text)
        self.assertIn("error: RuntimeError: at import\n", text)
        self.assertIn("what to do: push a fix; or, if the cause is on this "
                      "host or in the check of [backend]", text)
        self.assertIn(f"the deployment of {second[:12]} is pending: "
                      "'backend: check' failed (once so far)", text)
        self.assertEqual(self.world.running(), running)
        self.assert_untouched(self.first, 1)
        record = entries(self.world.record)
        self.assertEqual(record["attempts"], "1")
        self.assertNotIn("reached", record)
        text = self.deploy(1)  # it waits
        self.assertEqual(text.count("\n"), 1, text)
        self.assertIn("failed at 'backend: check'\n",
                      self.world.run("--status").stdout)
        third = self.world.push("Mended", {"backend/server.py": "app = 2\n"})
        self.assertRegex(self.deploy(0), r"backend: check: done in \d")
        self.assertEqual(self.world.commit(), third)

    def test_a_new_environment_is_built_once_however_often_it_fails(self):
        self.configure(backend="check = look at it\n")
        self.fails.touch()
        second = self.world.push_version(2)
        self.assertIn("look at it exited with code 7\nerror: at it found "
                      "fault\n", self.deploy(1))
        calls = self.world.calls()
        self.assertIn("look at it on flask==2", calls)
        self.assert_untouched(self.first, 1, calls)
        make_due(self.world.record)
        self.fails.unlink()
        self.deploy(0)
        self.assertEqual(self.calls_but_installs(), [
            "look at it on flask==2",
            "systemctl restart frontend-deployment.service",
            "systemctl restart backend-deployment.service"])
        self.assertEqual(self.world.commit(), second)
        self.assertEqual(self.world.in_use(), made_from(2))

    def test_a_push_of_code_is_checked_on_the_environments_in_use(self):
        self.configure("check = look one\n", "check = look two\n")
        (self.world.checkout / "backend/.env").write_text("local\n")
        (self.world.checkout / ".git/info/exclude").write_text(".env\n")
        self.world.stand_in("look", LOOK + 'cat .env >>"$CALLS" || :\n')
        modules = self.world.checkout / "frontend/node_modules"
        venv = self.world.checkout / "backend/venv"
        before = [path.stat().st_ino for path in (modules, venv)]
        second = self.world.push("Code", {"backend/server.py": "app = 2\n"})
        text = self.deploy(0)
        self.assertIn(f"lay out {second[:12]} aside: checks and releases run "
                      "there", text)
        self.assertEqual(self.world.calls(), [
            'look one on {"version": "1"}', "look two on flask==1", "local",
            "systemctl restart frontend-deployment.service",
            "systemctl restart backend-deployment.service"])
        self.assertEqual(
            [path.stat().st_ino for path in (modules, venv)], before)
        for place in (modules / "made-by-check", venv / "made-by-check",
                      modules.with_name("written-by-check")):
            self.assertFalse(place.exists(), place)
        self.assertEqual(self.world.commit(), second)

    def test_a_kept_environment_is_checked_after_a_revert(self):
        self.world.push_version(2)
        self.deploy(0)
        self.world.calls()
        self.configure("check = look one\n", "check = look two\n")
        third = self.world.push_version(1)
        self.assertIn("backend: check with the kept venv: look two: "
                      "backend-deployment.service is to run the commit",
                      self.deploy(0))
        self.assertEqual(self.world.calls()[:2], [
            'look one on {"version": "1"}', "look two on flask==1"])
        self.assertEqual(self.world.commit(), third)
        self.assertFalse((self.world.checkout / "backend/venv/made-by-check")
                         .exists())

    def test_a_program_of_the_environment_that_will_run_comes_first(self):
        world = self.world
        world.stand_in("python3", world.stand_in_text("python3")
                       + TOOL.replace("{calls}", str(world.calls_file)))
        # It makes the tool of a version with the venv, in place of pip.
        empty = world.checkout / ".git/deployment-update/empty"
        shutil.rmtree(empty)
        world.stand_in("toolflask==2", "#!/bin/sh\nexit 9\n")
        self.configure(backend="check = toolflask==2\n")
        second = world.push_version(2)
        self.deploy(0)
        venv = world.checkout / "backend/venv"
        self.assertEqual(self.calls_but_installs()[0],
                         f"tool of {venv}, {venv}, {venv}/bin")
        # What only the environment in use has, the next one has not got.
        (world.bin / "toolflask==2").unlink()
        shutil.rmtree(empty)
        world.push_version(3)
        self.assertIn("checking backend failed: toolflask==2: command not "
                      "found\n", self.deploy(1))
        self.assert_untouched(second, 2)

    def test_a_program_of_node_modules_comes_first(self):
        world = self.world
        world.stand_in("npm", world.stand_in_text("npm") + """
mkdir node_modules/.bin
cp "${0%/*}/look" "${0%/*}/variables" node_modules/.bin
""")
        world.stand_in("look", LOOK.replace("look", "its look"))
        self.configure("check = look one\n")
        world.push_version(2)
        world.stand_in("npm", world.stand_in_text("npm") + """
echo "exit 9" >"${0%/*}/look"
""")
        self.deploy(0)
        self.assertEqual(self.calls_but_installs()[0],
                         'its look one on {"version": "2"}')

    @needs_root
    def test_they_run_as_the_owner_of_the_checkout(self):
        self.world.link_tool("id")
        self.world.trust_every_owner()
        self.world.give_to(NOBODY)
        self.configure(backend="check = id -u\nrelease = id -u\n")
        self.world.push("Code", {"backend/server.py": "app = 2\n"})
        self.assertEqual(self.deploy(0).count(f"backend | {NOBODY}\n"), 2)

    def test_what_an_install_wrote_beside_its_environment_is_there(self):
        """As it will be in production."""
        self.world.stand_in("npm", self.world.stand_in_text("npm") +
                            "echo built >dist\n")
        self.configure("check = grep -q built dist\n")
        second = self.world.push_version(2)
        self.deploy(0)
        self.assertEqual(self.world.commit(), second)

    def test_without_a_namespace_a_check_that_fails_restarts_nothing(self):
        """.git is a file, so nothing can be built aside."""
        world = self.world
        world.in_place = True
        (world.checkout / ".git").rename(world.root / "repository")
        (world.checkout / ".git").write_text(
            f"gitdir: {world.root / 'repository'}\n")
        self.configure(backend="check = look on\n")
        self.fails.touch()
        world.push("Code", {"backend/server.py": "app = 2\n"})
        text = self.deploy(1)
        self.assertIn("not rolled back: what is built in place replaces", text)
        self.assertEqual(self.calls_but_installs()[:2], [
            "systemctl restart frontend-deployment.service",
            "look on on flask==1"])
        make_due(world.record)
        self.deploy(1)
        self.assertNotIn("systemctl", "\n".join(world.calls()))

    def test_all_checks_run_in_their_order_until_one_fails(self):
        self.configure(backend="check = look one\n"
                       "check = sh -c 'echo \"two $0\" >>\"$1\"; exit 3' "
                       f"'a b' {self.world.calls_file}\n"
                       "check = look three\n")
        self.world.push("Code", {"backend/server.py": "app = 2\n"})
        self.assertIn("checking backend failed: sh -c 'echo ", self.deploy(1))
        self.assertEqual(self.world.calls(), ["look one on flask==1",
                                              "two a b"])
        self.assert_untouched(self.first, 1)

    def test_a_program_that_is_missing(self):
        self.configure(backend="check = no-such-program --all\n")
        self.world.push_version(2)
        text = self.deploy(1)
        self.assertIn("checking backend failed: no-such-program --all: "
                      "command not found\n", text)
        self.assertIn("what to do: install no-such-program or extend PATH",
                      text)
        self.assert_untouched(self.first, 1)
        self.configure(backend="check = ./no-such-program\n")
        text = self.deploy(1, "--force")
        self.assertIn("cannot run the program: No such file or directory",
                      text)
        self.assert_untouched(self.first, 1)

    def test_one_that_never_ends(self):
        self.more = "install-timeout = 2\n"
        self.configure(backend="check = hangs\n")
        self.world.stand_in("hangs", HANGS)
        self.world.push("Code", {"backend/server.py": "app = 2\n"})
        self.assertIn("checking backend failed: hangs did not end within "
                      "2.0 s and was killed", self.deploy(1))
        self.assert_nobody_is_left()
        self.assertFalse(self.late.exists())
        self.assert_untouched(self.first, 1)

    def test_a_push_that_passes_and_whose_services_die_is_rolled_back(self):
        self.configure(backend="check = look on\n")
        second = self.world.push_version(2, crash="yes\n")
        text = self.deploy(1)
        self.assertIn(f"rolled back to {self.first[:12]} (First)", text)
        self.assertIn(f"{second[:12]} is quarantined", text)
        self.assertEqual(
            [call for call in self.world.calls() if call.startswith("look")],
            ["look on on flask==2"])
        self.assertEqual(self.world.commit(), self.first)
        self.assertEqual(self.world.in_use(), made_from(1))

    def test_a_rollback_checks_and_releases_nothing(self):
        self.world.push_version(2)
        self.deploy(0)
        self.configure(backend="check = look on\nrelease = migrate\n")
        self.fails.touch()
        self.release_fails.touch()
        self.world.calls()
        self.deploy(0, "--rollback")
        self.assertEqual(self.calls_but_installs(), [
            "systemctl restart frontend-deployment.service",
            "systemctl restart backend-deployment.service"])
        self.assertEqual(self.world.commit(), self.first)

    def test_an_environment_that_is_made_again_is_checked(self):
        self.configure(backend="check = look on\n")
        shutil.rmtree(self.world.checkout / "backend/venv")
        self.deploy(0)
        self.assertEqual(self.world.in_use(), made_from(1))
        self.assertEqual(self.calls_but_installs(), [
            "look on on flask==1",
            "systemctl restart backend-deployment.service"])

    def test_what_the_host_has_lost_is_made_again_whatever_the_tip_does(self):
        self.configure(backend="check = look on\n")
        self.fails.touch()
        self.world.push_version(2)
        self.deploy(1)
        shutil.rmtree(self.world.checkout / "backend/venv")
        self.assertIn(f"repaired {self.first[:12]} (First)", self.deploy(1))
        self.assertEqual(self.world.commit(), self.first)
        self.assertEqual(self.world.in_use(), made_from(1))
        self.assertEqual(self.calls_but_installs(), [
            "look on on flask==2",
            "systemctl restart backend-deployment.service"])

    def test_a_run_that_is_killed_in_one_leaves_no_process(self):
        self.configure(backend="check = look on\n")
        self.world.stand_in("look", HANGS)
        second = self.world.push_version(2)
        program = self.start_and_wait_until_at_work()
        program.kill()
        program.wait(PATIENCE)
        self.world.stand_in("look", LOOK)
        self.assertRegex(self.deploy(0), r"ended \d+ process(es)? that a "
                         "killed run had left")
        self.assert_nobody_is_left()
        self.assertFalse(self.late.exists())
        self.assertEqual(self.world.commit(), second)
        self.assertFalse(
            (self.world.checkout / ".git/deployment-update/stage").exists())

    def test_a_run_that_is_asked_to_end_in_one(self):
        self.configure(backend="check = look on\n")
        self.world.stand_in("look", HANGS)
        second = self.world.push_version(2)
        program = self.start_and_wait_until_at_work()
        program.send_signal(signal.SIGTERM)
        self.assertEqual(program.wait(PATIENCE), 128 + signal.SIGTERM)
        self.assert_nobody_is_left()
        self.assertEqual(self.world.commit(), self.first)
        self.world.stand_in("look", LOOK)
        self.deploy(0)
        self.assertEqual(self.world.commit(), second)


@needs_staging
class Releases(Case):
    def migrations(self):
        return [call for call in self.world.calls()
                if call.startswith("migrate")]

    def test_they_come_after_all_checks_and_before_anything_moves(self):
        self.configure("check = look one\nrelease = migrate one\n",
                       "check = look two\nrelease = migrate two\n"
                       "release = migrate three\n")
        self.world.push_version(2)
        self.assertRegex(self.deploy(0), r"backend: release: done in \d")
        self.assertEqual(self.calls_but_installs(), [
            'look one on {"version": "2"}', "look two on flask==2",
            'migrate one on {"version": "2"}', "migrate two on flask==2",
            "migrate three on flask==2",
            "systemctl restart frontend-deployment.service",
            "systemctl restart backend-deployment.service"])

    def test_one_that_fails_moves_nothing_and_is_repeated(self):
        self.configure(backend="release = migrate one\n"
                       "release = migrate two\n")
        self.release_fails.touch()
        second = self.world.push_version(2)
        text = self.deploy(1)
        self.assertIn("error: releasing backend failed: migrate one exited "
                      "with code 7\nerror: one found fault\n", text)
        self.assertIn("the release of [backend]", text)
        self.assertIn("'backend: release' failed (once so far)", text)
        self.assertNotIn("released", self.world.record.read_text())
        calls = self.calls_but_installs()
        self.assertEqual(calls, ["migrate one on flask==2"])
        self.assert_untouched(self.first, 1, calls)
        make_due(self.world.record)
        self.release_fails.unlink()
        self.deploy(0)
        self.assertEqual(self.migrations(), ["migrate one on flask==2",
                                             "migrate two on flask==2"])
        self.assertEqual(self.world.commit(), second)

    def test_a_check_that_fails_stops_the_releases_of_all(self):
        self.configure("release = migrate\n", "check = look on\n")
        self.fails.touch()
        self.world.push_version(2)
        self.deploy(1)
        calls = self.calls_but_installs()
        self.assertEqual(calls, ["look on on flask==2"])
        self.assert_untouched(self.first, 1, calls)

    def test_a_retry_of_the_same_commit_does_not_repeat_it(self):
        world = self.world
        self.configure(backend="check = look on\nrelease = migrate\n")
        world.link_tool("head")
        second = world.push_version(2)
        world.down.write_text(second + "\n")
        self.assertIn("rolled back to", self.deploy(1))
        self.assertEqual(self.migrations(), ["migrate  on flask==2"])
        self.assertEqual(entries(world.record)["released"],
                         f"{second} backend")
        world.down.unlink()
        self.deploy(0, "--force")
        calls = self.calls_but_installs()
        self.assertIn("look on on flask==2", calls)
        self.assertNotIn("migrate", "\n".join(calls))
        self.assertEqual(world.commit(), second)
        status = world.run("--status")
        self.assertIn(f"released   backend for {second[:12]}\n", status.stdout)
        status = json.loads(world.run("--status", "--json").stdout)
        self.assertEqual(status["released"], {"backend": second})
        third = world.push("Code", {"backend/server.py": "app = 2\n"})
        self.deploy(0)
        self.assertEqual(self.migrations(), ["migrate  on flask==2"])
        self.assertEqual(entries(world.record)["released"], f"{third} backend")

    def test_a_new_clone_does_not_repeat_it(self):
        world = self.world
        self.configure(backend="release = migrate\n")
        second = world.push_version(2)
        self.deploy(0)
        self.assertEqual(len(self.migrations()), 1)
        shutil.rmtree(world.checkout)
        world.git(world.root, "clone", "-q", world.origin.as_uri(),
                  world.checkout)
        self.deploy(0)
        self.assertEqual(world.commit(), second)
        self.assertEqual(world.in_use(), made_from(2))
        self.assertEqual(self.migrations(), [])

    def test_a_run_that_is_killed_in_one_repeats_it(self):
        self.configure(backend="release = migrate\n")
        self.world.stand_in("migrate", HANGS)
        second = self.world.push_version(2)
        program = self.start_and_wait_until_at_work()
        program.kill()
        program.wait(PATIENCE)
        self.assertEqual(self.world.commit(), self.first)
        self.world.stand_in("migrate", MIGRATE)
        self.deploy(0)
        self.assertEqual(self.migrations(), ["migrate  on flask==2"])
        self.assertEqual(self.world.commit(), second)

    def test_a_run_that_is_killed_after_it_does_not_repeat_it(self):
        world = self.world
        self.configure(backend="release = migrate\n")
        hook = world.checkout / ".git/hooks/post-merge"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(HANGS.replace("${0%/*}", str(world.bin)))
        hook.chmod(0o755)
        second = world.push_version(2)
        program = self.start_and_wait_until_at_work()
        program.kill()
        program.wait(PATIENCE)
        hook.unlink()
        self.assertEqual(self.migrations(), ["migrate  on flask==2"])
        self.deploy(0)
        self.assertEqual(self.migrations(), [])
        self.assertEqual(world.commit(), second)
        self.assertEqual(world.in_use(), made_from(2))


class InPlace(Case):
    more = "build = in-place\n"

    def test_they_run_in_the_order_of_the_script(self):
        self.configure("check = look one\nrelease = migrate one\n",
                       "check = look two\nrelease = migrate two\n")
        self.world.push_version(2)
        self.deploy(0)
        self.assertEqual(
            [call for call in self.world.calls()
             if not call.startswith("pip")], [
                "npm install --no-save",
                'look one on {"version": "2"}', "node_modules can be changed",
                'migrate one on {"version": "2"}',
                "node_modules can be changed",
                "systemctl restart frontend-deployment.service",
                "python3 -m venv venv",
                "look two on flask==2", "venv can be changed",
                "migrate two on flask==2", "venv can be changed",
                "systemctl restart backend-deployment.service"])

    def test_one_that_fails_restarts_nothing_and_is_tried_again(self):
        self.configure("check = look one\n")
        self.fails.touch()
        self.world.push_version(2)
        self.assertIn("'frontend: check' failed (once so far)", self.deploy(1))
        self.assertEqual(self.calls_but_installs(), [
            'look one on {"version": "2"}', "node_modules can be changed"])
        make_due(self.world.record)
        self.fails.unlink()
        self.deploy(0)
        calls = self.world.calls()
        self.assertNotIn("npm install --no-save", calls)
        self.assertIn("systemctl restart frontend-deployment.service", calls)

    def test_a_release_is_not_repeated(self):
        self.configure("release = migrate\n", "check = look on\n")
        self.fails.touch()
        second = self.world.push_version(2)
        self.deploy(1)
        self.assertEqual(entries(self.world.record)["released"],
                         f"{second} frontend")
        make_due(self.world.record)
        self.fails.unlink()
        self.world.calls()
        self.deploy(0)
        self.assertNotIn("migrate", "\n".join(self.world.calls()))


@needs_staging
class DryRun(Case):
    def test_it_tells_what_runs_on_what_and_why(self):
        self.configure("release = migrate\n",
                       "check = look 'at it'\ncheck = sh -c \"a | b\"\n")
        second = self.world.push(
            "Modules", {"frontend/package.json": '{"version": "2"}\n'})
        expected = [
            ("build", None, f"build {second[:12]} aside: frontend: npm "
             "install --no-save in frontend: package.json changed"),
            ("check", "backend", "backend: check with the venv in use: look "
             "'at it'; sh -c 'a | b': backend-deployment.service is to run "
             "the commit"),
            ("release", "frontend", "frontend: release with the new "
             f"node_modules: migrate: {second[:12]} was not released yet")]
        run = self.world.run("--dry-run")
        self.assertEqual(run.returncode, 0, run.stderr)
        for _, _, line in expected:
            self.assertIn(f". {line}", run.stdout)
        steps = json.loads(self.world.run("--dry-run", "--json").stdout)[
            "steps"]
        self.assertEqual(
            [(step["step"], step.get("component")) for step in steps[1:4]],
            [(step, component) for step, component, _ in expected])
        self.assertEqual(steps[2]["description"], expected[1][2])
        self.assertEqual(self.world.calls(), [])


class Settings(Case):
    def test_a_command_that_is_none_is_told_in_one_line(self):
        for key in ("check", "release"):
            for command in ("", "'open", 'a "b', "a \\", "\"\" ''", "a && b"):
                with self.subTest(key=key, command=command):
                    self.configure(backend=f"{key} = {command}\n")
                    run = self.world.run()
                    self.assertEqual(run.returncode, 2, run.stderr)
                    self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
                    self.assertIn(f"[backend]: {key} ", run.stderr)
                    self.assertIn("it takes a program and its arguments",
                                  run.stderr)

    def test_outside_of_a_section_it_is_unknown(self):
        self.world.config("check = look\n")
        run = self.world.run()
        self.assertEqual(run.returncode, 2)
        self.assertIn("unknown key 'check'", run.stderr)


@needs_staging
class Serving(unittest.TestCase):
    def test_a_server_goes_on_while_its_successor_is_refused(self):
        world = self.enterContext(ServingWorld(config(backend=IMPORTS)))
        world.link_tool("ln")
        world.stand_in("python3", world.stand_in_text("python3")
                       + f'ln -s {shutil.which("python3")} "$3/bin/python"\n')
        first = world.push_server(SERVES)
        run = world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        state = world.units / "backend-deployment.service.state"
        started = state.read_text()
        self.assertTrue(world.answers())
        world.push_server(RAISES)
        run = world.run()
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("checking backend failed", run.stderr)
        self.assertTrue(world.answers())
        self.assertEqual(state.read_text(), started)
        self.assertEqual(world.commit(), first)
