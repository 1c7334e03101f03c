"""The programs in docs/examples: each does what it says."""

import contextlib
import datetime
import email.policy
import http.server
import json
import os
import shutil
import subprocess
import threading
import unittest
from pathlib import Path

from support import NOBODY, PATIENCE, TOP, needs_root
from support.record import let_time_pass
from support.world import COMPONENTS, CONFIG, OF_TIMER, World, WorldCase

EXAMPLES = TOP / "docs/examples"
FACTS = {"event": "deployed", "text": "web1: deployed 0123 (A \u2603)",
         "host": "web1", "instance": "shop",
         "commit": "0123456789ab" + 28 * "c", "remote": "origin",
         "checkout": "/srv/shop", "error": "", "attempts": 0,
         "invocation_id": 32 * "1"}


def ask(name, *arguments, **facts):
    """Runs an example with these facts; returns exit code and output."""
    run = subprocess.run(
        [EXAMPLES / name, *map(str, arguments)],
        input=json.dumps(FACTS | facts), text=True, timeout=PATIENCE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"})
    return run.returncode, run.stdout


class Server(http.server.ThreadingHTTPServer):
    """Keeps what it is sent, and answers with `status` and `answer`."""

    def __init__(self):
        self.asked = []
        self.status, self.answer = 200, {}
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def decide(self, path, body):
        """Sets the answer to a question; here it is always the same."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(body)
        self.server.asked.append((self.path, self.headers, body))
        self.server.decide(self.path, body)
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(json.dumps(self.server.answer).encode())

    def log_message(self, *unused):  # pylint: disable=arguments-differ
        pass


@contextlib.contextmanager
def serving(kind=Server):
    with kind() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class MaintenanceWindow(unittest.TestCase):
    def is_open(self, now, *arguments):
        code, said = ask("maintenance-window", "--now", now, *arguments)
        self.assertIn(code, (0, 75), said)
        self.assertEqual("is closed" in said, code == 75)
        return code == 0

    def assert_open(self, promised, now, *arguments):
        with self.subTest(now=now, arguments=arguments):
            self.assertEqual(self.is_open(now, *arguments), promised)

    def test_hours_in_utc(self):
        for now, is_open in (("01:59:59", False), ("02:00:00", True),
                             ("03:59:59", True), ("04:00:00", False)):
            self.assert_open(is_open, f"2024-06-05T{now}+00:00",
                             "02:00-04:00")

    def test_days_and_nights(self):
        # 2024-06-05 was a Wednesday.
        for day, is_open in ((5, True), (7, True), (8, False), (9, False)):
            self.assert_open(is_open, f"2024-06-0{day}T02:30+00:00",
                             "Mon-Fri", "02:00-04:00")
        for now, is_open in (("07T21:59", False), ("07T22:00", True),
                             ("08T01:59", True), ("08T02:00", False),
                             ("08T22:00", False), ("07T01:00", False)):
            self.assert_open(is_open, f"2024-06-{now}+00:00",
                             "Fri", "22:00-02:00")
        self.assert_open(True, "2024-06-09T12:00+00:00", "Sat-Mon",
                         "12:00-13:00")
        self.assert_open(True, "2024-06-05T13:30+00:00", "02:00-04:00",
                         "Wed", "13:00-14:00")

    def test_a_zone_has_the_same_hours_all_year(self):
        berlin = ("--zone", "Europe/Berlin", "02:00-04:00")
        for now, is_open in (
                ("2024-01-15T00:59+00:00", False),
                ("2024-01-15T01:00+00:00", True),   # winter: an hour ahead
                ("2024-01-15T02:59+00:00", True),
                ("2024-07-15T00:00+00:00", True),   # summer: two hours
                ("2024-07-15T01:59+00:00", True),
                ("2024-07-15T02:00+00:00", False)):
            self.assert_open(is_open, now, *berlin)

    def test_the_days_on_which_the_clock_is_changed(self):
        hour = ("--zone", "Europe/Berlin", "02:00-03:00")
        # 02:00 to 03:00 is missing: 01:59:59 is followed by 03:00.
        for minute in ("00:59", "01:00", "01:30"):
            self.assert_open(False, f"2024-03-31T{minute}+00:00", *hour)
        # It comes twice.
        for minute, is_open in (("23:59", False),):
            self.assert_open(is_open, f"2024-10-26T{minute}+00:00", *hour)
        for minute, is_open in (("00:00", True), ("00:59", True),
                                ("01:30", True), ("02:00", False)):
            self.assert_open(is_open, f"2024-10-27T{minute}+00:00", *hour)

    def test_what_it_refuses(self):
        for words in (["noon"], ["25:00-26:00"], ["Mon"], ["Foo-Fri",
                                                           "1:00-2:00"]):
            code, _ = ask("maintenance-window", *words)
            self.assertNotIn(code, (0, 75), words)


class LoadAverage(unittest.TestCase):
    def test_the_load_of_five_minutes_decides(self):
        with World() as world:
            load = world.root / "loadavg"
            load.write_text("9.00 1.50 0.10 1/234 5678\n")
            self.assertEqual(ask("load-average", "1.5", load), (0, ""))
            self.assertEqual(ask("load-average", "1.49", load),
                             (75, "the load average is above 1.49\n"))
        self.assertEqual(ask("load-average", "100000"), (0, ""))
        self.assertNotIn(ask("load-average")[0], (0, 75))


class Approval(WorldCase):
    def setUp(self):
        self.world = self.enterContext(World())
        self.commit = self.world.commit()

    def ask(self, *arguments):
        return ask("approval", *arguments, commit=self.commit,
                   checkout=str(self.world.checkout))

    def test_a_line_of_a_file(self):
        file = self.world.root / "approved"
        for text, code in (("", 75), (self.commit[:11] + "\n", 75),
                           ("#\n" + self.commit[:12] + "\n", 0),
                           (self.commit + "\n", 0)):
            file.write_text(text)
            self.assertEqual(self.ask("--file", file)[0], code, text)
        file.unlink()
        self.assertEqual(self.ask("--file", file),
                         (75, f"{self.commit[:12]} is not approved\n"))

    def tag(self, name, *arguments):
        author = self.world.author
        self.world.git(author, "tag", name, *arguments, self.commit)
        self.world.git(author, "push", "-q", str(self.world.origin), name)

    def test_an_annotated_tag_of_the_remote(self):
        self.assertEqual(self.ask("--tag", "approved/*")[0], 75)
        self.tag("approved/light")
        self.tag("other", "-a", "-m", "yes")
        self.assertEqual(self.ask("--tag", "approved/*"),
                         (75, f"{self.commit[:12]} is not approved\n"))
        self.tag("approved/1", "-a", "-m", "yes")
        self.assertEqual(self.ask("--tag", "approved/*"), (0, ""))
        self.commit = "1" * 40
        self.assertEqual(self.ask("--tag", "approved/*")[0], 75)

    @needs_root
    def test_git_runs_as_the_owner(self):
        self.tag("approved/1", "-a", "-m", "yes")
        self.world.give_to(NOBODY)
        self.assertEqual(self.ask("--tag", "approved/*"), (0, ""))

    def test_what_somebody_puts_in_the_place_of_the_checkout(self):
        """git would run in a folder of somebody else, as that user."""
        self.tag("approved/1", "-a", "-m", "yes")
        aside = self.world.checkout.with_suffix(".aside")
        self.world.checkout.rename(aside)
        self.world.checkout.symlink_to(aside)
        self.assertNotIn(self.ask("--tag", "approved/*")[0], (0, 75))

    def test_a_remote_that_does_not_answer(self):
        shutil.rmtree(self.world.origin)
        code, said = self.ask("--tag", "approved/*")
        self.assertEqual(code, 75)
        self.assertIn("the remote does not say which commits are approved\n",
                      said)


class FleetLock(WorldCase):
    def setUp(self):
        self.server = self.enterContext(serving())

    def test_a_slot_is_taken_and_given_back(self):
        for event, path in (("gate", "pre-reboot"),
                            ("deployed", "steady-state"),
                            ("recovered", "steady-state")):
            self.assertEqual(ask("fleetlock", "--group", "web",
                                 self.server.url, event=event), (0, ""))
            [(asked, headers, body)] = self.server.asked
            self.assertEqual(asked, f"/v1/{path}")
            self.assertEqual(headers["fleet-lock-protocol"], "true")
            self.assertEqual(body, {"client_params": {"id": "web1-shop",
                                                      "group": "web"}})
            self.server.asked.clear()

    def test_a_host_that_failed_keeps_its_slot(self):
        for event in ("failed", "rolled-back", "held", "remote-away"):
            self.assertEqual(ask("fleetlock", self.server.url, event=event),
                             (0, ""))
        self.assertEqual(self.server.asked, [])

    def test_a_slot_that_is_taken_is_waited_for(self):
        self.server.status = 409
        self.server.answer = {"kind": "failed_lock",
                              "value": "all slots are taken"}
        self.assertEqual(ask("fleetlock", self.server.url, event="gate"),
                         (75, "all slots are taken\n"))
        self.server.status, self.server.answer = 500, []
        self.assertEqual(ask("fleetlock", self.server.url, event="gate"),
                         (75, "the server answers 500\n"))
        self.assertEqual(ask("fleetlock", self.server.url)[0], 1)

    def test_a_server_that_is_away(self):
        self.assertEqual(ask("fleetlock", "http://127.0.0.1:9", event="gate"),
                         (75, "the server does not answer\n"))

    def test_in_a_deployment(self):
        command = f"{EXAMPLES}/fleetlock --id web1 {self.server.url}"
        with World(config=CONFIG + f"gate = {command}\n"
                                   f"notify = {command}\n") as world:
            self.world = world
            self.deploy(0, "--force")
            self.server.asked.clear()
            world.push_version(2)
            self.server.status = 409
            self.deploy(0, environment=OF_TIMER)
            self.server.status = 200
            second = world.push_version(3)
            self.deploy(0, environment=OF_TIMER)
            self.assertEqual(world.commit(), second)
            self.assertEqual([path for path, *_ in self.server.asked],
                             ["/v1/pre-reboot", "/v1/pre-reboot",
                              "/v1/steady-state"])


class Slots(Server):
    """A lock manager with one slot."""

    def __init__(self):
        super().__init__()
        self.holder = None
        self.broken = ""  # what is asked there is not answered

    def decide(self, path, body):
        client = body["client_params"]["id"]
        takes = path == "/v1/pre-reboot"
        if path == self.broken:
            self.status, self.answer = 503, {}
        elif takes and self.holder not in (None, client):
            self.status = 409
            self.answer = {"kind": "failed_lock",
                           "value": f"{self.holder} has the slot"}
        else:
            self.status, self.answer = 200, {}
            if takes or self.holder == client:
                self.holder = client if takes else None


class FleetOfTwo(WorldCase):
    """Deployments of a host in a fleet that lets one at a time deploy."""

    def setUp(self):
        self.server = self.enterContext(serving(Slots))
        command = f"{EXAMPLES}/fleetlock --id web1 {self.server.url}"
        self.world = self.enterContext(World(
            config=f"gate = {command}\nnotify = {command}\n{COMPONENTS}"
                   "release = migrate\n"))
        self.migrate("")
        self.deploy(0, "--force")
        self.assertIsNone(self.server.holder)

    def migrate(self, text):
        """Releases run when the host has the slot, before anything moves."""
        self.world.stand_in("migrate", f"#!/bin/sh\n{text}\n")

    def tick(self, promised):
        return self.deploy(promised, environment=OF_TIMER)

    def other_may(self):
        """Returns whether another host gets the slot now; gives it back."""
        code, said = ask("fleetlock", "--id", "web2", self.server.url,
                         event="gate")
        self.assertIn(code, (0, 75), said)
        ask("fleetlock", "--id", "web2", self.server.url)
        return code == 0

    def test_a_host_that_failed_keeps_its_slot_until_it_has_recovered(self):
        bad = self.world.push_version(2, crash="yes\n")
        self.tick(1)
        self.assertNotEqual(self.world.commit(), bad)
        self.tick(1)
        self.assertFalse(self.other_may())
        third = self.world.push_version(3, crash=None)
        self.tick(0)  # it is not in its own way
        self.assertEqual(self.world.commit(), third)
        self.assertTrue(self.other_may())

    def test_a_killed_run_has_its_slot_still(self):
        second = self.world.push_version(2)
        self.migrate("kill -KILL $PPID")
        self.assertEqual(self.world.run(environment=OF_TIMER).returncode, -9)
        self.assertFalse(self.other_may())
        self.migrate("")
        self.tick(0)
        self.assertEqual(self.world.commit(), second)
        self.assertTrue(self.other_may())

    def test_another_host_is_waited_for(self):
        self.server.holder = "web2"
        second = self.world.push_version(2)
        self.assertIn("web2 has the slot", self.tick(0))
        self.assertEqual(self.tick(0), "")
        self.assertNotEqual(self.world.commit(), second)
        self.server.holder = None
        self.tick(0)
        self.assertEqual(self.world.commit(), second)
        self.assertTrue(self.other_may())

    def test_a_server_that_is_away_is_asked_again(self):
        self.server.broken = "/v1/pre-reboot"
        second = self.world.push_version(2)
        self.assertIn("the server answers 503", self.tick(0))
        self.assertNotEqual(self.world.commit(), second)
        self.server.broken = "/v1/steady-state"
        self.assertIn("warning: telling: deployed failed", self.tick(0))
        self.assertEqual(self.world.commit(), second)
        self.server.broken = ""
        self.assertFalse(self.other_may())
        let_time_pass(self.world.record, datetime.timedelta(minutes=1))
        self.tick(0)
        self.assertTrue(self.other_may())


class Mail(unittest.TestCase):
    def test_it_gives_sendmail_a_message(self):
        with World() as world:
            kept = world.root / "mail"
            world.stand_in("sendmail", f"#!/bin/sh\necho \"$*\" >{kept}\n"
                                       f"cat >>{kept}\n")
            code, said = ask("mail", "--sendmail", world.bin / "sendmail",
                             "a@example.org", "b@example.org")
            self.assertEqual((code, said), (0, ""))
            arguments, _, text = kept.read_text().partition("\n")
            self.assertEqual(arguments, "-i -t")
            message = email.message_from_string(
                text, policy=email.policy.default)
            self.assertEqual(message["To"], "a@example.org, b@example.org")
            self.assertEqual(message["Subject"], FACTS["text"])
            self.assertIn("\nevent: deployed\n", message.get_content())
            self.assertIn(f"_SYSTEMD_INVOCATION_ID={32 * '1'}\n",
                          message.get_content())
            world.stand_in("sendmail", "#!/bin/sh\nexit 75\n")
            self.assertEqual(ask("mail", "--sendmail", world.bin / "sendmail",
                                 "a@example.org")[0], 75)


class OverHttp(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(serving())
        self.world = self.enterContext(World())
        self.secret = self.world.root / "secret"

    def test_a_webhook_gets_the_text(self):
        self.secret.write_text(f"{self.server.url}/hook\n")
        self.assertEqual(ask("webhook", self.secret), (0, ""))
        [(path, _, body)] = self.server.asked
        self.assertEqual((path, body), ("/hook", {"text": FACTS["text"]}))
        self.server.status = 404
        self.assertEqual(ask("webhook", self.secret)[0], 1)

    def test_a_status_of_the_commit(self):
        self.secret.write_text("token\n")
        for event, state in (("deployed", "success"),
                             ("recovered", "success"), ("failed", "failure"),
                             ("failed-differently", "failure"),
                             ("rolled-back", "failure")):
            self.assertEqual(
                ask("github-status", "--api", self.server.url, "me/shop",
                    self.secret, event=event), (0, ""))
            [(path, headers, body)] = self.server.asked
            self.assertEqual(path,
                             f"/repos/me/shop/statuses/{FACTS['commit']}")
            self.assertEqual(headers["Authorization"], "Bearer token")
            self.assertEqual(body, {"state": state,
                                    "context": "deployment/web1/shop",
                                    "description": FACTS["text"]})
            self.server.asked.clear()
        for event in ("held", "remote-away"):
            ask("github-status", "--api", self.server.url, "me/shop",
                self.secret, event=event)
        self.assertEqual(self.server.asked, [])
        self.server.status = 401
        self.assertEqual(ask("github-status", "--api", self.server.url,
                             "me/shop", self.secret)[0], 1)

    def test_a_status_from_a_deployment(self):
        self.secret.write_text("token\n")
        self.world.config(
            CONFIG + f"notify = {EXAMPLES}/github-status --api "
                     f"{self.server.url} me/shop {self.secret}\n")
        second = self.world.push_version(2)
        run = self.world.run(environment=OF_TIMER)
        self.assertEqual(run.returncode, 0, run.stderr)
        [(path, _, body)] = self.server.asked
        self.assertEqual(path, f"/repos/me/shop/statuses/{second}")
        self.assertEqual(body["state"], "success")
        self.assertIn("(Version 2)", body["description"])


class All(unittest.TestCase):
    def test_each_one_is_executable_and_tested(self):
        text = Path(__file__).read_text(encoding="utf-8")
        programs = [path for path in EXAMPLES.iterdir()
                    if path.is_file() and not path.suffix]
        self.assertGreater(len(programs), 5)
        for path in programs:
            with self.subTest(path.name):
                self.assertTrue(os.access(path, os.X_OK))
                self.assertIn(f'ask("{path.name}", ', text)


if __name__ == "__main__":
    unittest.main()
