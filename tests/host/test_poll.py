"""The timer's poll on a booted host: what a person, another unit and the
kernel see of it."""

import contextlib

from host.test_host import (NO_CHANGES, PATIENCE, Group, errors, find_line,
                            texts)
from support import require
from support.host import UNIT, poll_of, until

SERVICE = f"{UNIT}.service"
POLL = f"{poll_of(UNIT)}.service"
CONFIG = "/etc/deployment-update.conf"
DROP_INS = f"/etc/systemd/system/{SERVICE}.d"
# DAC_READ_SEARCH, KILL, SETGID, SETUID of capability.h.
CAPABILITIES = sum(1 << bit for bit in (2, 5, 6, 7))
# Of the last start of a unit.
LAST = ("InvocationID", "ExecMainPID", "ExecMainStatus",
        "ExecMainExitTimestampMonotonic")


class Polled(Group):
    def polls(self, after):
        """The journal's entries of the poll, systemd's about it included."""
        return self.host.run(
            "journalctl", "-u", POLL, "-o", "cat", "--after-cursor",
            after).stdout.splitlines()

    def wait_for_polls(self, count=3):
        after = self.host.cursor()
        return until(f"{count} polls", lambda: len(
            self.polls(after)) >= count and self.polls(after), PATIENCE)

    def last_run(self):
        return [self.host.show(SERVICE, name) for name in LAST]

    @contextlib.contextmanager
    def silent_origin(self):
        """The remote takes connections and does not answer."""
        self.host.run("systemctl", "kill", "--signal=STOP", "origin.service")
        try:
            yield
        finally:
            self.host.run("systemctl", "kill", "--signal=CONT",
                          "origin.service")

    def test_a_minute_is_one_line(self):
        polls = self.wait_for_polls()
        require(set(polls) == set(NO_CHANGES), polls)

    def test_the_service_shows_the_last_run(self):
        after = self.host.cursor()
        commit = self.host.push_back_end("back end of the last run")
        self.wait_until_deployed(commit, after)
        before = self.last_run()
        self.wait_for_polls()
        require(self.last_run() == before, self.last_run())
        status = self.host.run("systemctl", "status", SERVICE, check=False)
        require("code=exited, status=0/SUCCESS" in status.stdout, status)
        require(f"deployed {commit[:12]}" in status.stdout, status)

    def test_it_has_few_rights(self):
        with self.silent_origin():
            git = until("a poll to ask the remote", lambda: self.host.run(
                "pgrep", "-u", "ubuntu", "-x", "-n", "git",
                check=False).stdout.strip(), PATIENCE)
            status, child = (
                dict(line.split(":", 1) for line in self.host.run(
                    "cat", f"/proc/{pid}/status").stdout.splitlines())
                for pid in (self.host.show(POLL, "MainPID"), git))
        for name in ("CapBnd", "CapPrm", "CapEff"):
            require(int(status[name], 16) == CAPABILITIES, status)
        require(int(status["NoNewPrivs"]) == 1, status)
        require(set(child["Uid"].split()) == {"1000"}, child)
        require(int(child["CapEff"], 16) == 0, child)
        require(int(child["NoNewPrivs"]) == 1, child)
        self.wait_for_polls()

    def test_a_failure_is_the_service_s_own(self):
        """OnFailure= of the service, its exit code and its error are as they
        are without a poll."""
        self.host.write("/etc/systemd/system/told.service",
                        "[Service]\nType=oneshot\nExecStart=/bin/sh -c "
                        "'echo $MONITOR_EXIT_STATUS >>/srv/told'\n")
        self.host.write(f"{DROP_INS}/zz-told.conf",
                        "[Unit]\nOnFailure=told.service\n")
        self.host.run("systemctl", "daemon-reload")
        after = self.host.cursor()
        self.host.run("systemctl", "stop", "origin.service")
        try:
            until("the failure to be told",
                  self.host.outside("/srv/told").exists, PATIENCE)
            require(self.host.show(SERVICE, "ExecMainStatus") == "1",
                    self.last_run())
            require(self.host.show(POLL, "Result") == "success",
                    "the poll failed, too")
            require(set(self.polls(after)) <= set(NO_CHANGES),
                    self.polls(after))
        finally:
            self.host.run("systemctl", "start", "origin.service")
            self.host.outside(f"{DROP_INS}/zz-told.conf").unlink()
            self.host.run("systemctl", "daemon-reload")
        self.wait_for_line("answers again", after)
        self.wait_for_polls()
        until("the failure to be over", lambda: self.host.show(
            SERVICE, "ActiveState") == "inactive", PATIENCE)

    def test_a_configuration_that_cannot_be_read(self):
        self.host.write(CONFIG, "nonsense\n")
        after = self.host.cursor()
        try:
            until("the service to fail", lambda: self.host.show(
                SERVICE, "ExecMainStatus") == "2", PATIENCE)
        finally:
            self.host.outside(CONFIG).unlink()
        require(find_line(self.host.journal(after), "deployment-update.conf"),
                texts(self.host.journal(after)))
        # The next poll has a run find out that the cause is gone.
        until("the service to be no failed one", lambda: self.host.show(
            SERVICE, "ActiveState") == "inactive", PATIENCE)
        self.wait_for_polls()

    def test_to_stop_a_poll_starts_nothing(self):
        before = self.last_run()
        with self.silent_origin():
            until("a poll to ask the remote", lambda: self.host.run(
                "pgrep", "-u", "ubuntu", "-x", "git", check=False).stdout,
                PATIENCE)
            self.host.run("systemctl", "stop", POLL)
            require(self.host.show(POLL, "Result") == "success",
                    self.host.show(POLL, "Result"))
        self.wait_for_polls()
        require(self.last_run() == before, self.last_run())

    def test_while_a_run_works_no_poll_does(self):
        gate = "/home/ubuntu/gate"
        self.host.run("mkfifo", gate, user="ubuntu")
        self.host.write(CONFIG, "[backend]\ntype = python\n"
                        "service = backend-deployment.service\n"
                        f"check = sh -c 'read line <{gate}'\n")
        after = self.host.cursor()
        try:
            commit = self.host.push_back_end("back end that waits")
            until("a poll to wait for the run", lambda: self.host.show(
                SERVICE, "ActiveState") == "activating" and self.host.show(
                    POLL, "Job"), PATIENCE)
            require(self.host.show(POLL, "ActiveState") == "inactive",
                    "a poll works beside it")
            self.host.shell(f"echo go >{gate}")
            self.wait_until_deployed(commit, after)
        finally:
            self.host.outside(CONFIG).unlink()
            self.host.outside(gate).unlink()
        require(not errors(self.host.journal(after)),
                errors(self.host.journal(after)))
