"""A service that is up serves: it listens again where it did before, and takes
connections. Real servers, in processes and a network of
their own; the real systemd, uvicorn and vite are in host/.
"""

import os
import re
import signal
import subprocess
import unittest
from pathlib import Path

from support import needs_staging, until
from support.record import entries, make_due
from support.serving import (DIES_ELSEWHERE, LEAVES, PORT, RAISES, SERVES,
                             SERVES_ELSEWHERE, SERVES_HTTPS, SERVES_MORE,
                             WORKER, ServingWorld)
from support.world import WorldCase

DEFAULTS = ""
QUICK = "settle = 1\nhealth-timeout = 4\n"  # seconds
MISSING = (f"it does not listen on port {PORT}, as it did before; if the push "
           "moves it on purpose: deployment-update --force; if it takes "
           "longer to start: health-timeout")
SILENT = f"it takes no connection at 0.0.0.0:{PORT}: nobody accepts it"


@needs_staging
class Serving(WorldCase):
    config = QUICK
    held = False

    def setUp(self):
        self.world = self.enterContext(ServingWorld(self.config, self.held))
        self.first = self.world.push_server(SERVES)
        self.deploy(0, "--force")

    def push_and_deploy(self, promised, server):
        commit = self.world.push_server(server)
        return commit, self.deploy(promised)

    def listens(self):
        return re.findall(r"(?m)^listens = .*:(\d+)$",
                          self.world.record.read_text())

    def assert_rolled_back(self, commit, text):
        self.assertIn(f"rolled back to {self.first[:12]}", text)
        self.assertIn(f"{commit[:12]} is quarantined", text)
        self.assertEqual(self.world.commit(), self.first)
        self.assertTrue(self.world.answers())
        self.assertEqual(self.listens(), [str(PORT)])


class WithoutConfiguration(Serving):
    def test_a_server_that_cannot_be_imported(self):
        self.world.config(DEFAULTS)
        bad, text = self.push_and_deploy(1, RAISES)
        self.assertIn("backend-deployment.service was restarted and does not "
                      f"run as it should: after 30.0 s, {MISSING}", text)
        self.assert_rolled_back(bad, text)


class NeverVerified(Serving):
    """Whoever started it: an adopted host, and one that an earlier version
    deployed to."""

    def assert_seen(self):
        bad, text = self.push_and_deploy(1, RAISES)
        self.assertIn(MISSING, text)
        self.assert_rolled_back(bad, text)

    def test_an_adopted_host(self):
        self.world.record.unlink()
        self.assert_seen()

    def test_a_record_of_an_earlier_version(self):
        record = self.world.record
        record.write_text("".join(
            line for line in record.read_text().splitlines(keepends=True)
            if not line.startswith(("listens", "configured"))))
        self.assertEqual(self.listens(), [])
        self.assert_seen()

    def test_a_unit_that_was_changed_since_it_was_started(self):
        self.world.record.unlink()
        self.world.started_long_ago()
        self.world.back_end(port=PORT + 1)
        self.push_and_deploy(0, SERVES + "# there\n")
        self.assertEqual(self.listens(), [str(PORT + 1)])

    def test_a_failed_push_does_not_say_where_the_one_before_listens(self):
        self.world.record.unlink()
        self.world.run_program([self.world.bin / "systemctl", "stop",
                                "backend-deployment.service"], check=True)
        bad, text = self.push_and_deploy(1, DIES_ELSEWHERE)
        self.assertIn("does not run as it should: it is failed", text)
        self.assert_rolled_back(bad, text)


class WithAWorker(Serving):
    """The back end has a second service, which listens nowhere."""

    config = QUICK + """
[backend]
type = python
service = worker.service
service = backend-deployment.service
"""

    def test_a_server_that_cannot_be_imported(self):
        bad, text = self.push_and_deploy(1, RAISES)
        self.assertIn("worker.service, backend-deployment.service were "
                      "restarted and do not run as they should: after 4.0 s, "
                      "it does not listen on port "
                      f"{PORT}, as it did before (worker.service listens "
                      "nowhere, backend-deployment.service listens nowhere); "
                      "if the push", text)
        self.assert_rolled_back(bad, text)

    def test_a_server_that_a_person_moves_is_let(self):
        self.world.started_long_ago()
        self.world.back_end(port=PORT + 1)
        self.world.run_program([self.world.bin / "systemctl", "restart",
                                "backend-deployment.service"], check=True)
        self.push_and_deploy(0, SERVES + "# there\n")
        self.assertEqual(self.listens(), [str(PORT + 1)])


# Both listen; the worker does all the time.
LISTENING_WORKER = WORKER.replace("signal.pause()", "import socket; \
  listener = socket.create_server(('0.0.0.0', 9100)); \
  [listener.accept() for _ in iter(int, 1)]")


class WithAListeningWorker(Serving):
    config = WithAWorker.config

    def setUp(self):
        super().setUp()
        world = self.world
        world.unit("worker.service", LISTENING_WORKER,
                   group=world.worker_group, folder=world.worker_folder)
        self.first = world.push_server(SERVES + "# with a worker\n")
        self.deploy(0)
        self.assertEqual(self.listens(), [str(PORT), "9100"])

    def test_a_bad_push_while_the_server_is_down(self):
        """The worker listens, and says nothing of the server's port."""
        self.world.run_program([self.world.bin / "systemctl", "stop",
                                "backend-deployment.service"], check=True)
        bad, text = self.push_and_deploy(1, RAISES)
        self.assertIn(f"port {PORT}, as it did before (worker.service listens "
                      "on 0.0.0.0:9100, backend-deployment.service listens "
                      "nowhere)", text)
        self.assertIn(f"{bad[:12]} is quarantined", text)
        self.assertEqual(self.world.commit(), self.first)
        self.assertTrue(self.world.answers())
        self.assertEqual(self.listens(), [str(PORT), "9100"])


class Quick(Serving):
    def test_the_first_deployment_records_where_services_listen(self):
        self.assertEqual(self.listens(), [str(PORT)])
        self.assertIn(f"listened on 0.0.0.0:{PORT} when",
                      self.world.run("--status").stdout)

    def test_a_server_that_ends_while_it_is_watched(self):
        """Its supervisor, and so the kernel, holds its socket."""
        self.world.config("settle = 3\nhealth-timeout = 4\n")
        bad, text = self.push_and_deploy(1, LEAVES)
        self.assertIn(SILENT, text)
        self.assert_rolled_back(bad, text)

    def test_a_server_that_listens_on_more_ports(self):
        self.push_and_deploy(0, SERVES_MORE)
        # The one that the kernel chose will be another the next time.
        self.assertEqual(self.listens(), [str(PORT), "9100"])
        self.push_and_deploy(0, SERVES_MORE + "# again\n")
        text = self.push_and_deploy(1, SERVES)[1]
        self.assertIn("it does not listen on port 9100", text)

    def test_a_server_that_moves_is_let_by_force(self):
        bad, text = self.push_and_deploy(1, SERVES_ELSEWHERE)
        self.assertIn(MISSING, text)
        self.assert_rolled_back(bad, text)
        self.deploy(0, "--force")
        self.assertEqual(self.world.commit(), bad)
        self.assertEqual(self.listens(), ["8001"])
        self.push_and_deploy(0, SERVES_ELSEWHERE + "# stays there\n")
        # By hand it may go back to where it was, and forward again.
        tip = self.world.commit()
        self.deploy(0, "--rollback")
        self.deploy(0, "--rollback")
        self.assertEqual(self.world.commit(), self.first)
        self.assertEqual(self.listens(), [str(PORT)])
        self.deploy(0, "--rollback", tip)
        self.assertEqual(self.listens(), ["8001"])

    def test_no_force_deploys_a_server_that_does_not_listen(self):
        bad = self.world.push_server(RAISES)
        text = self.deploy(1, "--force")
        self.assertIn("it does not listen on any port", text)
        self.assert_rolled_back(bad, text)

    def test_a_server_that_a_person_moves_is_let(self):
        for number, restart in enumerate((False, True), 1):
            with self.subTest(restart=restart):
                self.world.started_long_ago()
                self.world.back_end(port=PORT + number)
                if restart:
                    self.world.run_program(
                        [self.world.bin / "systemctl", "restart",
                         "backend-deployment.service"], check=True)
                self.push_and_deploy(0, f"{SERVES}# {number}\n")
                self.assertEqual(self.listens(), [str(PORT + number)])

    def test_a_bad_push_after_a_unit_was_changed(self):
        """And not started since, as after an upgrade of its file."""
        self.world.started_long_ago()
        self.world.back_end(more="Description=changed")
        bad, text = self.push_and_deploy(1, RAISES)
        self.assertIn("warning: backend: backend-deployment.service was "
                      "changed, or started otherwise, since it listened on "
                      f"0.0.0.0:{PORT}: it may listen on another port after "
                      "its restart", text)
        self.assertIn("it does not listen on any port", text)
        self.assert_rolled_back(bad, text)

    def take_the_port_away(self):
        """From the unit, which is not started again."""
        self.world.started_long_ago()
        self.world.unit(
            "backend-deployment.service",
            WORKER.replace("[X-Show]", "[X-Show]\nFragmentPath={unit}"),
            group=self.world.group, folder=self.world.folder)

    def test_a_unit_that_a_person_changes_so_that_it_listens_nowhere(self):
        """No commit is blamed for it."""
        world = self.world
        self.take_the_port_away()
        second, text = self.push_and_deploy(1, SERVES + "# 2\n")
        self.assertIn("it does not listen on any port", text)
        self.assertIn(f"rolled back to {self.first[:12]}", text)
        self.assertNotIn("quarantined", entries(world.record))
        make_due(world.record)
        self.deploy(0)
        self.assertEqual(world.commit(), second)
        self.assertEqual(self.listens(), [])

    def test_so_does_the_run_after_one_that_was_killed(self):
        world = self.world
        self.take_the_port_away()
        second = world.push_server(SERVES + "# 2\n")
        with subprocess.Popen(
                world.inside(*world.arguments()), env=world.environment,
                stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            until("both to be restarted", lambda: world.record.read_text()
                  .count(f"restarted = {second}\n") == 2)
            children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
            os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
        text = self.deploy(1)
        self.assertIn("it does not listen on any port", text)
        self.assertIn(f"rolled back to {self.first[:12]}", text)
        make_due(world.record)
        self.deploy(0)
        self.assertEqual(world.commit(), second)

    def test_a_server_that_another_start_moved(self):
        """Its port was somebody else's, and it took another one."""
        world = self.world
        world.back_end(port=self.variables(PORT))
        self.push_and_deploy(0, SERVES + "# 2\n")
        self.variables(PORT + 1)
        world.run_program([world.bin / "systemctl", "restart",
                           "backend-deployment.service"], check=True)
        third, text = self.push_and_deploy(0, SERVES + "# 3\n")
        self.assertIn("was changed, or started otherwise, since it listened "
                      f"on 0.0.0.0:{PORT}", text)
        self.assertEqual(self.listens(), [str(PORT + 1)])
        self.variables(PORT)
        world.run_program([world.bin / "systemctl", "restart",
                           "backend-deployment.service"], check=True)
        text = self.push_and_deploy(1, RAISES)[1]
        self.assertIn("it does not listen on any port", text)
        self.assertIn(f"rolled back to {third[:12]}", text)

    def test_a_server_that_listens_late_is_told(self):
        world = self.world
        world.config("settle = 0\nhealth-timeout = 4\n")
        world.record.unlink()
        late = ("import time\ntime.sleep(1)\n" + SERVES)
        world.run_program([world.bin / "systemctl", "stop",
                           "backend-deployment.service"], check=True)
        self.push_and_deploy(0, late)
        self.assertEqual(self.listens(), [])
        until("it listens", world.answers)
        text = self.push_and_deploy(0, late + "# again\n")[1]
        self.assertIn("backend: backend-deployment.service listens, but did "
                      "not within 0.0 s after its restart: it is not expected "
                      "to listen again; set settle longer, or a health-check",
                      text)

    def variables(self, port):
        file = self.world.root / "variables"
        file.write_text(f"{port}\n")
        return file

    def test_a_server_that_is_moved_outside_of_its_unit(self):
        """No commit is blamed for it, and the next try finds it there."""
        self.world.back_end(port=self.variables(PORT))
        second = self.push_and_deploy(0, SERVES + "# 2\n")[0]
        self.variables(PORT + 1)
        third, text = self.push_and_deploy(1, SERVES + "# 3\n")
        self.assertIn(MISSING, text)
        self.assertIn("warning: backend listens elsewhere than before also on "
                      f"{second[:12]}: {third[:12]} is not blamed for it",
                      text)
        self.assertIn(f"rolled back to {second[:12]}", text)
        self.assertNotIn("quarantined", entries(self.world.record))
        make_due(self.world.record)
        self.deploy(0)
        self.assertEqual(self.world.commit(), third)
        self.assertEqual(self.listens(), [str(PORT + 1)])

    def test_one_of_two_ports_is_no_other_place(self):
        """The way back is done when both answer."""
        self.push_and_deploy(0, SERVES_MORE)
        self.assertEqual(self.listens(), [str(PORT), "9100"])
        self.world.back_end(port=self.variables(PORT))
        self.push_and_deploy(0, SERVES_MORE + "# again\n")
        self.variables(PORT + 1)
        bad, text = self.push_and_deploy(1, RAISES)
        self.assertIn("the rollback to", text)
        self.assertIn(MISSING.partition(";")[0], text)
        self.assertNotIn("listens elsewhere", text)
        self.variables(PORT)
        make_due(self.world.record)
        self.assertIn("rolled back to", self.deploy(1))
        self.assertNotEqual(self.world.commit(), bad)

    def test_a_server_whose_variables_a_person_changes(self):
        file = self.variables(PORT)
        self.world.back_end(port=file, more=f"EnvironmentFiles={file} "
                            "(ignore_errors=no)")
        self.push_and_deploy(0, SERVES + "# 2\n")
        self.world.started_long_ago()
        self.variables(PORT + 1)
        self.push_and_deploy(0, SERVES + "# 3\n")
        self.assertEqual(self.listens(), [str(PORT + 1)])

    def test_a_unit_that_was_changed_and_serves_where_it_did(self):
        self.world.back_end(more="Description=changed")
        self.world.run_program([self.world.bin / "systemctl", "restart",
                                "backend-deployment.service"], check=True)
        bad, text = self.push_and_deploy(1, RAISES)
        self.assertIn(MISSING, text)
        self.assert_rolled_back(bad, text)

    def test_a_unit_that_is_masked(self):
        self.world.back_end(more="LoadState=masked")
        commit, text = self.push_and_deploy(1, SERVES + "# later\n")
        self.assertIn("backend-deployment.service cannot be restarted: it is "
                      "masked", text)
        self.assertIn("unmask it: systemctl unmask backend-deployment.service",
                      text)
        self.assertIn("is pending: 'planning' failed (once so far)", text)
        self.assertNotIn("rolling back", text)
        self.assertEqual(self.world.commit(), self.first)
        self.assertNotIn("quarantined", entries(self.world.record))
        self.world.back_end()
        make_due(self.world.record)
        self.deploy(0)
        self.assertEqual(self.world.commit(), commit)


class Held(Serving):
    """The first process holds the port: it listens, whoever serves."""

    held = True

    def test_a_server_that_cannot_be_imported(self):
        self.assertEqual(self.listens(), [str(PORT)])
        bad, text = self.push_and_deploy(1, RAISES)
        self.assertIn(SILENT, text)
        self.assert_rolled_back(bad, text)
        self.push_and_deploy(0, SERVES + "# mended\n")


CHECKED = """\
[backend]
type = python
service = backend-deployment.service
"""


class Checked(Serving):
    """Checks that are configured."""

    config = QUICK + CHECKED

    def test_a_command_that_fails(self):
        self.world.config(self.config + "health-command = if grep -q ill "
                          "server.py; then echo it is ill; exit 1; fi\n")
        bad, text = self.push_and_deploy(1, SERVES + "# ill\n")
        self.assertIn("after 4.0 s, its health command fails: it is ill\n",
                      text)
        self.assert_rolled_back(bad, text)
        self.push_and_deploy(0, SERVES + "# well\n")

    def test_a_command_that_is_missing_is_not_the_commits_fault(self):
        self.world.config(self.config + "health-command = no-such-program\n")
        commit, text = self.push_and_deploy(1, SERVES + "# good\n")
        self.assertIn("running the health command of backend failed: sh -c "
                      "no-such-program exited with code 127", text)
        self.assertIn("is pending: 'verify' failed", text)
        self.assertNotIn("quarantined", entries(self.world.record))
        self.world.config(self.config)
        make_due(self.world.record)
        self.deploy(1)  # the rollback, which could not be verified, ends now
        make_due(self.world.record)
        self.deploy(0)
        self.assertEqual(self.world.commit(), commit)

    def make_certificate(self):
        pem = self.world.root / "localhost.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048",
             "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost", "-keyout", pem, "-out",
             f"{pem}.crt"], check=True, stderr=subprocess.DEVNULL)
        with pem.open("a", encoding="utf-8") as file:
            file.write(Path(f"{pem}.crt").read_text(encoding="utf-8"))
        return pem

    def test_an_address_of_https(self):
        world = self.world
        pem = self.make_certificate()
        trust = {"CURL_CA_BUNDLE": str(pem)}
        well, ill = (SERVES_HTTPS.format(pem=str(pem), status=status)
                     for status in (401, 500))
        self.push_and_deploy(0, well)
        world.link_tool("curl")
        world.config(f"pass-environment = CURL_CA_BUNDLE\n{self.config}"
                     f"health-check = https://localhost:{PORT}/\n"
                     "health-status = 200-299, 401\n"
                     "health-timeout = 10\n")
        # A certificate that curl does not trust says nothing of the commit.
        good, text = self.push_and_deploy(1, well + "# good\n")
        self.assertIn("is pending: 'verify' failed", text)
        self.assertNotIn("quarantined", entries(world.record), text)
        self.deploy(0, "--force", environment=trust)
        bad = world.push_server(ill)
        text = self.deploy(1, environment=trust)
        self.assertIn(f"https://localhost:{PORT}/ answers 500, and not "
                      "200-299, 401", text)
        self.assertIn(f"{bad[:12]} is quarantined", text)
        self.assertEqual(world.commit(), good)

    def test_an_address_without_curl(self):
        self.world.config(self.config
                          + f"health-check = http://127.0.0.1:{PORT}/\n")
        self.world.push_server(SERVES + "# good\n")
        for option in ("--dry-run", "--wait=0"):
            text = self.deploy(1, option)
            self.assertIn("looking for curl, which health checks need "
                          "failed: curl --version: command not found", text)
            self.assertIn("what to do: install curl or extend PATH", text)
        self.assertIn("is pending: 'planning' failed", text)
        self.assertEqual(self.world.commit(), self.first)


if __name__ == "__main__":
    unittest.main()
