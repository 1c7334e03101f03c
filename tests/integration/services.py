"""Components with several services, and with none."""

import json
import unittest

from support import needs_staging
from support.record import entries
from support.world import World, files_of, made_from, WorldCase

API = "backend-api.service"
WORKER = "backend-worker.service"
RESTARTS = [f"systemctl restart {unit}" for unit in (API, WORKER)]

CONFIG = f"""\
settle = 0
{{more}}
[frontend]
type = npm
{{frontend}}
[backend]
type = python
service = {API}
service = {WORKER}
"""
STATIC = """\
settle = 0
{more}
[frontend]
type = npm
"""


class Deployed(WorldCase):
    """The first version is deployed."""

    template = CONFIG
    more = ""

    def setUp(self):
        self.world = self.enterContext(World())
        self.configure()
        self.deploy(0, "--force")
        self.first = self.world.commit()
        self.world.calls()

    def configure(self, **more):
        self.world.config(self.template.format(
            **{"more": self.more, "frontend": ""} | more))

    def restarts(self):
        return [call for call in self.world.calls()
                if call.startswith("systemctl restart")]

    def runs(self, unit):
        """The commit and what its environment was made from."""
        commit, made = (self.world.services / unit).read_text().split("\n", 1)
        return commit, made

    def assert_both_run(self, commit, version):
        for unit in (API, WORKER):
            self.assertEqual(self.runs(unit), (commit, made_from(version)[1]))


@needs_staging
class Several(Deployed):
    def test_they_have_one_environment(self):
        second = self.world.push_version(2)
        shown = self.world.run("--dry-run").stdout
        self.assertIn(f"backend: restart {API}, {WORKER}: to run the deployed "
                      "commit\n", shown)
        self.assertIn("frontend: restart nothing: it has no service\n", shown)
        self.deploy(0)
        calls = self.world.calls()
        self.assertEqual(
            calls.count("pip install -r requirements.txt"), 1, calls)
        self.assertEqual([call for call in calls if "restart" in call],
                         RESTARTS)
        self.assert_both_run(second, 2)
        self.assertEqual(self.world.in_use(), made_from(2))
        self.assertEqual(
            (self.world.run().stdout, self.restarts()),
            ("No changes detected in the repository.\n", []))

    def test_one_that_dies_takes_both_back(self):
        world = self.world
        crash = '[ -e "$CHECKOUT/crash" ]'
        text = world.stand_in_text("systemctl")
        self.assertEqual(text.count(crash), 1)
        world.stand_in("systemctl", text.replace(
            crash, f'{{ {crash} && [ "$unit" = {WORKER} ]; }}'))
        second = world.push_version(2, crash="yes\n")
        said = self.deploy(1)
        self.assertIn(
            f"{API}, {WORKER} were restarted and do not run as they should: "
            f"{WORKER}: it is failed ", said)
        self.assertIn(f"{second[:12]} is quarantined; ", said)
        self.assertEqual(self.restarts(), 2 * RESTARTS)
        self.assert_both_run(self.first, 1)
        self.assertEqual(world.in_use(), made_from(1))

    def test_a_run_that_is_killed_between_the_restarts(self):
        world = self.world
        text = world.stand_in_text("systemctl")
        world.stand_in("systemctl.real", text)
        world.stand_in("systemctl", f"""#!/bin/sh
if [ "$*" = "restart {WORKER}" ] && [ ! -e "${{0%/*}}/killed" ]; then
  echo >"${{0%/*}}/killed"
  kill -9 $PPID
  exit 1
fi
exec "$0.real" "$@"
""")
        second = world.push_version(2)
        self.assertEqual(world.run().returncode, -9)
        self.assertEqual(self.runs(WORKER)[0], self.first)
        self.assertEqual(self.runs(API)[0], second)
        self.deploy(0)
        self.assert_both_run(second, 2)

    def test_another_service_is_started(self):
        self.configure(frontend="service = frontend-deployment.service\n")
        said = self.deploy(0)
        self.assertIn("frontend: restart frontend-deployment.service", said)
        self.assertEqual(self.restarts(),
                         ["systemctl restart frontend-deployment.service"])

    def test_two_components_with_one_environment_are_refused(self):
        self.world.config(f"[api]\ntype = python\ndirectory = backend\n"
                          f"service = {API}\n"
                          f"[worker]\ntype = python\ndirectory = ./backend\n"
                          f"service = {WORKER}\n")
        run = self.world.run()
        self.assertEqual(run.returncode, 2)
        self.assertIn("[api] and [worker] have the same venv in backend; one "
                      "component may have several services: repeat service =",
                      run.stderr)
        self.assertEqual(run.stderr.count("\n"), 1)


class SeveralInPlace(Deployed):
    more = "build = in-place\n"

    def test_the_install_comes_before_both_restarts(self):
        self.world.push_version(2)
        self.deploy(0)
        calls = [call.split()[0] for call in self.world.calls()
                 if not call.startswith("python3")]
        self.assertEqual(calls[-3:], ["pip", "systemctl", "systemctl"])
        self.assertEqual(calls[0], "npm")


@needs_staging
class Static(Deployed):
    """No service runs: systemd is not asked."""

    template = STATIC

    def setUp(self):
        super().setUp()
        self.world.stand_in("systemctl", "#!/bin/sh\n"
                            'echo systemctl "$@" >>"$CALLS"\nexit 1\n')

    def made_from(self):
        return (self.world.checkout
                / "frontend/node_modules/made-from").read_text()

    def test_a_push_is_deployed(self):
        second = self.world.push_version(2)
        plan = json.loads(self.world.run("--dry-run", "--json").stdout)
        self.assertEqual(plan["steps"][-1]["step"], "skip")
        self.deploy(0)
        self.assertEqual(self.made_from(), made_from(2)[0])
        self.assertEqual(self.world.commit(), second)
        self.assertEqual(entries(self.world.record)["deployed"], second)
        third = self.world.push("Text", {"frontend/index.html": "text\n"})
        self.deploy(0)
        self.assertEqual(self.world.commit(), third)
        run = self.world.run()
        self.assertEqual((run.returncode, run.stdout, run.stderr), (
            0, "No changes detected in the repository.\n", ""))

    def test_a_push_is_taken_back(self):
        self.world.push_version(2)
        self.deploy(0)
        self.world.calls()
        self.deploy(0, "--rollback")
        self.assertEqual(self.made_from(), made_from(1)[0])
        self.assertEqual(self.world.commit(), self.first)
        self.assertEqual(self.world.calls(), [])

    def test_a_push_that_cannot_be_checked_moves_nothing(self):
        self.world.config(STATIC.format(more="") + "check = false\n")
        self.world.link_tool("false")
        self.world.push("Bad", files_of(2))
        said = self.deploy(1)
        self.assertIn("frontend: check", said)
        self.assertEqual(self.made_from(), made_from(1)[0])
        self.assertEqual(self.world.commit(), self.first)


if __name__ == "__main__":
    unittest.main()
