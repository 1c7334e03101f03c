"""Components that a push leaves alone, and services that are reloaded."""

import json
import unittest

from support import needs_staging
from support.record import entries, make_due
from support.world import World, made_from, WorldCase

FRONTEND = "systemctl restart frontend-deployment.service"
BACKEND = "systemctl restart backend-deployment.service"
WORKER = "systemctl restart worker.service"
RELOAD = "systemctl reload backend-deployment.service"

CONFIG = """\
settle = 0
{more}
[frontend]
type = npm
service = frontend-deployment.service
paths = frontend shared
[backend]
type = python
service = backend-deployment.service
{backend}
"""


class Deployed(WorldCase):
    """The first version is deployed."""

    backend = ""  # of its section
    more = ""

    def setUp(self):
        self.world = self.enterContext(World())
        self.configure()
        self.world.push("Shared", {"shared/a": "1\n", "more/one": "1\n"})
        self.deploy(0, "--force")
        self.first = self.world.commit()
        self.world.calls()

    def configure(self, **more):
        self.world.config(CONFIG.format(
            **{"backend": self.backend, "more": self.more} | more))

    def actions(self):
        return [call for call in self.world.calls()
                if call.startswith(("systemctl restart", "systemctl reload"))]

    def push_and_deploy(self, promised, files):
        commit = self.world.push("Push", files)
        return commit, self.deploy(promised)

    def runs(self, name):
        return (self.world.services / f"{name}-deployment.service"
                ).read_text().split()[0]

    def recorded(self, name):
        status = json.loads(self.world.run("--status", "--json").stdout)
        return status["components"][name]["commit"]


@needs_staging
class Paths(Deployed):
    backend = "paths = backend \"shared\"\npaths = more/one\n"

    def test_a_push_of_documents_restarts_nothing(self):
        self.world.push("Docs", {"README": "2\n"})
        plan = self.world.run("--dry-run").stdout
        self.assertIn("frontend: skip: nothing changed in frontend, shared\n",
                      plan)
        self.assertIn("backend: skip: nothing changed in backend, shared, "
                      "more/one\n", plan)
        self.deploy(0)
        self.assertEqual(self.actions(), [])
        self.assertEqual(self.recorded("backend"), self.world.commit())
        self.assertEqual(self.deploy(0), "")

    def test_a_push_restarts_what_it_changed(self):
        for files, actions in (
                ({"backend/server.py": "app = 2\n"}, [BACKEND]),
                ({"frontend/app.js": "2\n"}, [FRONTEND]),
                ({"shared/a": "2\n"}, [FRONTEND, BACKEND]),
                ({"more/one": "2\n"}, [BACKEND]),
                ({"more/one-and-more": "2\n"}, []),
                ({"shared/a": None, "more/one": None}, [FRONTEND, BACKEND])):
            with self.subTest(files=files):
                self.push_and_deploy(0, files)
                self.assertEqual(self.actions(), actions)

    def test_another_environment_restarts_it(self):
        """Whatever the paths say: here they leave the manifest out."""
        self.configure(backend="paths = shared\n")
        self.deploy(0)
        self.world.calls()
        self.push_and_deploy(0, {"backend/server.py": "app = 2\n"})
        self.assertEqual(self.actions(), [])
        self.push_and_deploy(0, {"backend/requirements.txt": "flask==2\n"})
        self.assertEqual(self.actions(), [BACKEND])

    def test_it_is_compared_with_what_the_service_runs(self):
        """Not with the commit before, which failed or was left out."""
        self.push_and_deploy(1, {"backend/server.py": "app = 2\n",
                                 "crash": "yes\n"})
        self.world.calls()
        self.push_and_deploy(0, {"crash": None})
        self.assertEqual(self.actions(), [BACKEND])
        self.push_and_deploy(1, {"frontend/package.json": "{}\n",
                                 "backend/requirements.txt": "missing\n"})
        self.push_and_deploy(0, {"frontend/package.json": '{"version": "1"}\n',
                                 "backend/requirements.txt": "flask==1\n"})
        self.assertEqual(self.actions(), [])

    def test_a_rollback_leaves_alone_what_was_left_alone(self):
        bad, text = self.push_and_deploy(1, {"backend/server.py": "app = 2\n",
                                             "crash": "yes\n"})
        self.assertIn(f"{bad[:12]} is quarantined", text)
        self.assertEqual(self.actions(), [BACKEND, BACKEND])
        self.assertEqual(self.runs("backend"), self.first)
        self.assertEqual(self.recorded("frontend"), self.first)
        self.assertEqual(self.recorded("backend"), self.first)

    def test_force_restarts_all(self):
        self.world.push("Docs", {"README": "2\n"})
        self.deploy(0, "--force")
        self.assertEqual(self.actions(), [FRONTEND, BACKEND])

    def test_who_moved_the_checkout_has_it_restarted(self):
        second = self.push_and_deploy(0, {"frontend/app.js": "2\n"})[0]
        self.world.git(self.world.checkout, "reset", "-q", "--hard", "HEAD~1")
        self.world.calls()
        self.deploy(0)
        self.assertEqual(self.actions(), [FRONTEND, BACKEND])
        self.assertEqual(self.runs("frontend"), second)

    def test_who_moved_the_checkout_before_another_push_too(self):
        """The service may have loaded what was there then."""
        self.push_and_deploy(0, {"backend/server.py": "app = 2\n"})
        self.world.push("Docs", {"README": "2\n"})
        self.world.git(self.world.checkout, "reset", "-q", "--hard", "HEAD~1")
        self.world.calls()
        self.deploy(0)
        self.assertEqual(self.actions(), [BACKEND])

    def test_a_path_that_names_nothing_restarts_it(self):
        for paths in ("typing-error", "back*", "backend typing-error"):
            self.configure(backend=f"paths = {paths}\n")
            self.deploy(0)
            self.world.calls()
            self.push_and_deploy(0, {"README": f"{paths}\n"})
            self.assertEqual(self.actions(), [BACKEND])

    def test_other_paths_are_deployed(self):
        self.push_and_deploy(0, {"other": "2\n"})
        self.world.calls()
        self.configure(backend="paths = backend other\n")
        self.deploy(0)
        self.assertEqual(self.actions(), [BACKEND])
        self.assertEqual(self.deploy(0), "")

    def test_one_that_was_dropped_while_its_code_changed(self):
        self.configure(backend="paths = backend/server.py\n")
        self.deploy(0)
        self.push_and_deploy(0, {"backend/requirements.txt": None,
                                 "backend/server.py": "app = 2\n"})
        self.world.calls()
        self.push_and_deploy(0, {"backend/requirements.txt": "flask==1\n"})
        self.assertEqual(self.actions(), [BACKEND])

    def test_it_is_not_checked_and_not_released(self):
        self.world.stand_in("look", "#!/bin/sh\nexit 1\n")
        self.backend += "check = look\nrelease = look\n"
        self.configure()
        self.push_and_deploy(0, {"README": "2\n"})
        self.assertIn("backend: check", self.push_and_deploy(
            1, {"backend/server.py": "app = 2\n"})[1])

    def test_a_component_that_the_commit_drops_and_brings_back(self):
        self.push_and_deploy(0, {"backend/requirements.txt": None})
        self.world.calls()
        self.push_and_deploy(0, {"backend/requirements.txt": "flask==1\n"})
        self.assertEqual(self.actions(), [BACKEND])
        self.assertEqual(self.world.in_use(), made_from(1))


class PathsInPlace(Deployed):
    more = "build = in-place"
    backend = "paths = backend/server.py\n"

    def test_a_push_restarts_what_it_changed(self):
        self.push_and_deploy(0, {"backend/requirements.txt": "flask==2\n"})
        self.assertEqual(self.actions(), [BACKEND])
        self.push_and_deploy(0, {"README": "2\n"})
        self.assertEqual(self.actions(), [])

    def test_a_retry_restarts_what_was_installed(self):
        """Its environment is a new one, though nothing is left to install."""
        self.configure(backend=self.backend + "check = sh -c 'exit 1'\n")
        self.push_and_deploy(1, {"backend/requirements.txt": "flask==2\n"})
        self.assertEqual(self.actions(), [])
        self.configure()
        make_due(self.world.record)
        self.deploy(0)
        self.assertEqual(self.actions(), [BACKEND])


@needs_staging
class Reloaded(Deployed):
    backend = "action = reload\n"

    def test_its_process_goes_on(self):
        self.world.push("Code", {"backend/server.py": "app = 2\n"})
        self.assertIn("backend: reload backend-deployment.service: to run the "
                      "deployed commit\n", self.world.run("--dry-run").stdout)
        self.deploy(0)
        self.assertEqual(self.actions(), [RELOAD])
        self.assertEqual(self.runs("backend"), self.world.commit())
        self.assertEqual(self.deploy(0), "")

    def test_with_another_environment_it_is_restarted(self):
        self.push_and_deploy(0, {"backend/requirements.txt": "flask==2\n"})
        self.assertEqual(self.actions(), [BACKEND])

    def test_one_that_does_not_run_is_restarted(self):
        (self.world.services / "backend-deployment.service.crash").touch()
        self.push_and_deploy(0, {"backend/server.py": "app = 2\n"})
        self.assertEqual(self.actions(), [BACKEND])

    def test_one_that_does_not_stay_up_is_rolled_back_by_a_restart(self):
        bad, text = self.push_and_deploy(1, {"backend/server.py": "app = 2\n",
                                             "crash": "yes\n"})
        self.assertIn(f"{bad[:12]} is quarantined", text)
        self.assertEqual(self.actions(), [RELOAD, BACKEND])
        self.assertEqual(self.runs("backend"), self.first)

    def fail_to_reload(self, result):
        self.world.stand_in("systemctl.real",
                            self.world.stand_in_text("systemctl"))
        self.world.stand_in("systemctl", f"""#!/bin/sh
case "$*" in
reload*) exit 1 ;;
*ReloadResult*) echo ReloadResult={result} ;;
*) exec "$0.real" "$@" ;;
esac
""")

    def test_one_that_refuses_is_the_commits_fault(self):
        self.fail_to_reload("exit-code")
        bad, text = self.push_and_deploy(1, {"backend/server.py": "app = 2\n"})
        self.assertIn("systemctl reload backend-deployment.service", text)
        self.assertNotIn("frontend: restart", text)
        self.assertIn(f"{bad[:12]} is quarantined", text)
        self.assertEqual(self.runs("backend"), self.first)

    def test_a_unit_without_a_way_to_reload_moves_nothing(self):
        program = self.world.stand_in_text("systemctl")
        self.world.stand_in("systemctl", program.replace(
            "echo User=", "echo User=; echo CanReload=no"))
        text = self.push_and_deploy(1, {"backend/server.py": "app = 2\n"})[1]
        self.assertIn("backend-deployment.service cannot be reloaded: it has "
                      "no ExecReload=", text)
        self.assertEqual(self.world.commit(), self.first)
        self.assertEqual(self.actions(), [])

    def test_a_systemd_that_fails_is_not(self):
        self.fail_to_reload("success")
        self.push_and_deploy(1, {"backend/server.py": "app = 2\n"})
        self.assertNotIn("quarantined", entries(self.world.record))
        self.assertEqual(self.runs("backend"), self.first)


@needs_staging
class TwoReloaded(Deployed):
    """A component with two services, which are reloaded."""

    backend = "service = worker.service\naction = reload\n"

    def test_both_go_on(self):
        self.world.push("Code", {"backend/server.py": "app = 2\n"})
        self.assertIn("backend: reload backend-deployment.service, "
                      "worker.service: to run the deployed commit\n",
                      self.world.run("--dry-run").stdout)
        self.deploy(0)
        self.assertEqual(self.actions(), [RELOAD, "systemctl reload "
                                          "worker.service"])
        self.assertEqual(self.worker(), self.world.commit())
        self.assertEqual(self.deploy(0), "")

    def test_with_another_environment_both_are_restarted(self):
        self.push_and_deploy(0, {"backend/requirements.txt": "flask==2\n"})
        self.assertEqual(self.actions(), [BACKEND, WORKER])

    def test_one_that_does_not_run_is_restarted_and_the_other_goes_on(self):
        (self.world.services / "worker.service.crash").touch()
        self.push_and_deploy(0, {"backend/server.py": "app = 2\n"})
        self.assertEqual(self.actions(), [RELOAD, WORKER])

    def test_when_they_do_not_stay_up_both_are_restarted_on_the_way_back(self):
        bad, text = self.push_and_deploy(1, {"backend/server.py": "app = 2\n",
                                             "crash": "yes\n"})
        self.assertIn(f"{bad[:12]} is quarantined", text)
        self.assertEqual(self.actions(), [RELOAD, "systemctl reload "
                                          "worker.service", BACKEND, WORKER])
        self.assertEqual(self.worker(), self.first)

    def test_a_second_one_without_a_way_to_reload_moves_nothing(self):
        program = self.world.stand_in_text("systemctl")
        self.world.stand_in("systemctl", program.replace(
            "echo User=", 'echo User=; [ "$unit" != worker.service ] || '
            "echo CanReload=no"))
        text = self.push_and_deploy(1, {"backend/server.py": "app = 2\n"})[1]
        self.assertIn("worker.service cannot be reloaded", text)
        self.assertEqual(self.actions(), [])
        self.assertEqual(self.world.commit(), self.first)

    def worker(self):
        """The commit that it runs."""
        return (self.world.services / "worker.service").read_text().split()[0]


if __name__ == "__main__":
    unittest.main()
