"""What an administrator sets up once and relies on for years, on a booted
host: a gate, who is told, metrics and a hold, as the service meets them in its
confinement."""

import json

from host.test_host import TICK, Group, texts
from support import require
from support.host import UNIT, until

TIMER = f"{UNIT}.timer"
SERVICE = f"{UNIT}.service"
METRICS = "/var/lib/node-exporter/deployment-update.prom"
TOLD = "/var/lib/told"
CLOSED = "/srv/closed"  # as long as it is there, the gate says not now
GATE = f"#!/bin/sh\n[ ! -e {CLOSED} ] || {{ echo it is closed; exit 75; }}\n"
TELL = f"#!/bin/sh\ncat >>{TOLD}\n"


class Watched(Group):
    config = f"""settle = 1
gate = /usr/local/sbin/gate
notify = /usr/local/sbin/tell
metrics = {METRICS}
[frontend]
type = npm
service = frontend-deployment.service
[backend]
type = python
service = backend-deployment.service
"""

    @classmethod
    def set_up(cls):
        for name, text in (("gate", GATE), ("tell", TELL)):
            cls.host.write(f"/usr/local/sbin/{name}", text, 0o755)
        cls.host.run("mkdir", "-p", METRICS.rpartition("/")[0])
        super().set_up()

    def told(self):
        """Returns the events that were told so far."""
        file = self.host.outside(TOLD)
        return [json.loads(line)["event"]
                for line in file.read_text().splitlines()] \
            if file.exists() else []

    def metric(self, name):
        lines = self.host.outside(METRICS).read_text().splitlines()
        return next(line.rpartition(" ")[2] for line in lines
                    if line.startswith(f"deployment_update_{name} "))

    def wait_for_tick(self, after, what):
        until(f"a run that says '{what}'", lambda: any(
            what in text for text in texts(self.host.journal(after))), 30)

    def test_a_push_waits_for_the_gate_and_is_told(self):
        told = len(self.told())
        self.host.write(CLOSED, "")
        after = self.host.cursor()
        self.host.push_back_end("back end of the gate")
        self.wait_for_tick(after, "it is closed")
        until("the metrics to tell of it", lambda: self.metric(
            "deferred_since_timestamp_seconds") != "0", 10)
        require("the gate says not now"
                in self.host.run(UNIT, "--status").stdout, "no status")
        self.host.outside(CLOSED).unlink()
        self.host.wait_for_back_end("back end of the gate")
        until("it to be told", lambda: self.told()[told:] == ["deployed"], 30)
        self.wait_until_idle()
        require((self.metric("pending"),
                 self.metric("deferred_since_timestamp_seconds"))
                == ("0", "0"), "metrics")
        state = self.host.show(SERVICE, "Result")
        require(state == "success", state)

    def test_a_hold_outlives_a_reboot(self):
        told = len(self.told())
        self.host.run("env", "SUDO_USER=alice", UNIT, "--hold", "audit")
        require(self.metric("held") == "1", "metrics")
        before = self.host.head()
        self.host.reboot()
        after = self.host.cursor()
        self.host.push_back_end("back end of a hold")
        self.wait_for_tick(after, "as alice asked: audit; to go on: ")
        require(self.host.head() == before, "it was deployed")
        require("as alice asked: audit"
                in self.host.run(UNIT, "--status").stdout, "no status")
        self.host.run(UNIT, "--release")
        self.host.wait_for_back_end("back end of a hold")
        self.wait_until_idle()
        require(self.told()[told:] == ["held", "released", "deployed"],
                self.told()[told:])
        require(self.metric("held") == "0", "metrics")

    def test_a_checkout_that_is_gone_is_told_once(self):
        told = len(self.told())
        checkout = "/home/ubuntu/sinesiAI"
        after = self.host.cursor()
        self.host.run("systemctl", "stop", TIMER)
        self.wait_until_idle()
        self.host.run("mv", checkout, f"{checkout}.away")
        try:
            self.host.run("systemctl", "start", TIMER)
            until("three runs to fail", lambda: sum(
                checkout in text for text in texts(self.host.journal(after))
                ) > 2, 10 * TICK + 30)
        finally:
            self.host.run("systemctl", "stop", TIMER)
            self.wait_until_idle()
            self.host.run("mv", f"{checkout}.away", checkout)
            self.host.run("systemctl", "start", TIMER)
        until("it to be told", lambda: self.told()[told:]
              == ["failed", "recovered"], 60)
