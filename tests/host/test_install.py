"""scripts/install on booted hosts: upgrades, removal, and a configuration that
names other services."""

import contextlib
import json
import re

from host.test_host import PATIENCE, TICK, Group, texts
from support import require
from support.host import BACK_END, CHECKOUT, UNIT, until

UNITS = "/etc/systemd/system"
TIMER = f"{UNIT}.timer"
SERVICE = f"{UNIT}.service"
FRONT = "frontend-deployment.service"
BACK = "backend-deployment.service"


class Installs:
    """What cases that run scripts/install share."""

    def ask(self, question, unit):
        return self.host.run("systemctl", question, unit,
                             check=False).stdout.strip()

    def states(self, *units):
        return [(self.ask("is-enabled", unit), self.ask("is-active", unit))
                for unit in units]

    def require_states(self, state, *units):
        for unit in units:
            found = self.states(unit)[0]
            require(found == state, f"{unit}: {found}")

    def invocations(self, *units):
        return [self.host.show(unit, "InvocationID") for unit in units]

    def upgrade(self):
        said = self.host.install(self.stage)
        self.wait_until_idle()
        return said

    @contextlib.contextmanager
    def newer(self, name):
        """Another version of a unit is what the installer has."""
        path = self.stage / f"{UNITS}/{name}"[1:]
        text = path.read_text()
        path.write_text(f"{text}# newer\n")
        try:
            yield
        finally:
            path.write_text(text)

    def uninstall(self, *options):
        return self.host.run("/srv/install", "--uninstall", *options).stdout

    def links(self):
        return sorted(self.host.shell(
            f"find {UNITS} -type l '(' -name '*-deployment.service' -o "
            f"-name '{UNIT}.*' ')' -printf '%f\\n'").split())


class Upgraded(Installs, Group):
    """Upgrades of a host on which the administrator was at work."""

    def test_a_disabled_timer_stays_disabled(self):
        self.host.run("systemctl", "disable", "--now", TIMER)
        try:
            with self.newer(TIMER):
                said = self.upgrade()
            self.require_states(("disabled", "inactive"), TIMER)
            require(f"upgraded {UNITS}/{TIMER}" in said, said)
            require(f"left {TIMER} disabled, as it is" in said, said)
            self.require_states(("enabled", "active"), FRONT, BACK)
        finally:
            self.host.run("systemctl", "enable", "--now", TIMER)
        self.upgrade()
        self.require_states(("enabled", "active"), TIMER)

    def test_a_disabled_service_stays_down(self):
        self.host.run("systemctl", "disable", "--now", FRONT)
        before = self.invocations(BACK)
        try:
            with self.newer(SERVICE):
                self.upgrade()
            self.require_states(("disabled", "inactive"), FRONT)
            require(self.invocations(BACK) == before, "restarted")
        finally:
            self.host.run("systemctl", "enable", "--now", FRONT)

    def test_an_upgrade_lets_the_timer_go_on(self):
        before = self.invocations(FRONT, BACK)
        with self.newer(TIMER):
            said = self.upgrade()
        require(f"upgraded {UNITS}/{TIMER}" in said, said)
        self.require_states(("enabled", "active"), TIMER)
        require(self.host.show(TIMER, "NeedDaemonReload") == "no", said)
        require(self.invocations(FRONT, BACK) == before, "restarted")
        after = self.host.cursor()
        until("a run of the timer", lambda: texts(self.host.journal(after)),
              PATIENCE)

    def test_the_second_run_does_not_even_stop_the_timer(self):
        self.upgrade()
        before = self.invocations(TIMER, FRONT, BACK)
        said = self.upgrade()
        require(self.invocations(TIMER, FRONT, BACK) == before, "restarted")
        require("nothing to change: this version is installed" in said, said)

    def test_after_a_killed_upgrade_the_next_starts_the_timer(self):
        self.upgrade()
        self.host.write("/usr/local/sbin/mv", f"""#!/bin/sh
case $* in *{UNITS}/{SERVICE}.part*) kill -9 $PPID; exit ;; esac
exec /bin/mv "$@"
""", 0o755)
        with self.newer(SERVICE):
            try:
                self.host.copy(self.stage, "/srv/stage")
                killed = self.host.run("/srv/install", "--stage", "/srv/stage",
                                       check=False)
            finally:
                self.host.outside("/usr/local/sbin/mv").unlink()
            self.require_states(("enabled", "inactive"), TIMER)
            require(killed.returncode == -9, killed.stdout)
            said = self.upgrade()
        self.require_states(("enabled", "active"), TIMER)
        require(f"upgraded {UNITS}/{SERVICE}" in said, said)

    def take_suggestion(self, said, file):
        """Does what the installer says about the changed file."""
        about = said.partition(f"kept {file}, ")[2].partition("kept ")[0]
        command = re.search(r"to take ours: (mv .*)", about)
        self.host.shell(command.group(1))
        unit = re.search(r"systemctl edit (\S+)", about)
        lines = re.findall(r"^install:     (.*)$", about, re.MULTILINE)
        require(lines, said)
        self.host.write(f"{UNITS}/{unit.group(1)}.d/override.conf",
                        "\n".join(lines) + "\n")
        self.host.run("systemctl", "daemon-reload")

    def shown(self, unit, names):
        """Properties of a unit, as words in order, without what differs from
        start to start."""
        text = self.host.run("systemctl", "show", unit, *[
            f"--property={name}" for name in names.split()]).stdout
        text = re.sub(r"; (start_time|next_elapse)=.*", "", text)
        return [sorted(line.replace("=", "= ", 1).split())
                for line in text.splitlines()]

    def check_suggestion(self, file, unit, changes, names):
        path = f"{UNITS}/{file}"
        original = (self.stage / path[1:]).read_text()
        unchanged = self.shown(unit, names)
        changed = original
        for pattern, text in changes:
            changed, count = re.subn(pattern, text, changed, flags=re.M)
            require(count == 1, f"{count} times {pattern}")
        self.host.write(path, changed)
        try:
            said = self.upgrade()
            require(self.host.outside(path).read_text() == changed, said)
            wanted = self.shown(unit, names)
            self.take_suggestion(said, path)
            require(self.host.outside(path).read_text() == original, said)
            found = self.shown(unit, names)
        finally:
            self.host.outside(f"{UNITS}/{unit}.d/override.conf").unlink(
                missing_ok=True)
            self.host.write(path, original)
            self.host.run("systemctl", "daemon-reload")
        require(wanted != unchanged, "the change changes nothing")
        require(wanted == found, f"{said}\n{wanted}\n{found}")

    def test_the_drop_in_that_is_suggested_does_the_same(self):
        self.check_suggestion(
            BACK, BACK,
            [("^ExecStart=.*", "ExecStart=/bin/sleep \\\\\n  infinity"),
             ("^Restart=.*", "Restart=on-failure\nEnvironment=A=1 B=2"),
             ("^After=.*", "After=network.target origin.service")],
            "ExecStart Restart Environment After WorkingDirectory "
            "StandardOutput")
        self.check_suggestion(
            f"{SERVICE}.d/hardening.conf", SERVICE,
            [("^PrivateTmp=yes\n", ""),
             ("^CapabilityBoundingSet=CAP_DAC_OVERRIDE .*$", ""),
             ("^SystemCallFilter=@system-service .*",
              "SystemCallFilter=@system-service"),
             ("^ProtectSystem=full", "ProtectSystem=strict\n"
              "ReadWritePaths=/home"),
             ("^RestrictAddressFamilies=.*", "RestrictAddressFamilies=~AF_INET"
              )],
            "PrivateTmp CapabilityBoundingSet SystemCallFilter ProtectSystem "
            "ReadWritePaths RestrictAddressFamilies PrivateDevices")
        self.host.outside(f"{UNITS}/{TIMER}.d/zz-hurry.conf").unlink()
        try:
            for text in ("OnUnitActiveSec=5min",
                         "OnUnitActiveSec=60s\nOnCalendar=hourly",
                         "OnCalendar=hourly"):
                self.check_suggestion(
                    TIMER, TIMER, [("^OnUnitActiveSec=.*", text)],
                    "TimersMonotonic TimersCalendar AccuracyUSec")
        finally:
            self.host.hurry_timer(TICK)


class Checked(Installs, Group):
    """--check on a host that runs."""

    def check(self, user="root"):
        """Returns what is in the way, and notes."""
        run = self.host.run("deployment-update", "--check", "--json",
                            check=False, user=user)
        found = json.loads(run.stdout)
        require(run.returncode == (1 if found["obstacles"] else 0), found)
        return [[(one["what"], one["remedy"]) for one in found[kind]]
                for kind in ("obstacles", "notes")]

    def require_remedy(self, what):
        """Only that is in the way, and its remedy takes it away."""
        obstacles, _ = self.check()
        require([found for found, _ in obstacles] == [what], obstacles)
        self.host.shell(obstacles[0][1].rpartition(": ")[2])
        require(self.check()[0] == [], "it is still in the way")

    def test_an_installation_ends_with_it(self):
        said = self.upgrade()
        require("install: /usr/local/bin/deployment-update --check:\n" in said,
                said)
        require("nothing is in the way\n" in said, said)
        self.host.run("systemctl", "disable", FRONT)
        try:
            said = self.upgrade()
        finally:
            self.host.run("systemctl", "enable", FRONT)
        require(f"in the way   {FRONT} is not enabled" in said, said)
        require("it is installed all the same; to look again: "
                "/usr/local/bin/deployment-update --check" in said, said)

    def test_a_good_host(self):
        for user in ("root", "ubuntu"):
            obstacles, notes = self.check(user)
            require(obstacles == [], obstacles)
            require(all("clock" in what for what, _ in notes), notes)

    def test_a_masked_unit(self):
        unit = f"{UNITS}/{FRONT}"
        self.host.shell(f"mv {unit} /root && systemctl mask {FRONT}")
        try:
            self.host.run("systemctl", "daemon-reload")
            obstacles, _ = self.check()
            whats = dict(obstacles)
            what = f"{FRONT} cannot be restarted: it is masked"
            require(what in whats, obstacles)
            self.host.shell(whats[what].rpartition(": ")[2])
        finally:
            self.host.shell(f"mv /root/{FRONT} {unit}; systemctl daemon-reload"
                            f"; systemctl enable {FRONT}")
        require(self.check()[0] == [], "it is still in the way")

    def test_a_disabled_timer(self):
        self.host.run("systemctl", "disable", "--now", TIMER)
        self.require_remedy(f"{TIMER} is not enabled: nothing is deployed "
                            "after the next boot")
        self.require_states(("enabled", "active"), TIMER)
        self.host.run("systemctl", "stop", TIMER)
        self.require_remedy(f"{TIMER} is not active: nothing is deployed")

    def test_a_changed_unit(self):
        unit = self.host.outside(f"{UNITS}/{BACK}")
        text = unit.read_text()
        self.host.write(f"{UNITS}/{BACK}", f"{text}# changed\n")
        try:
            self.require_remedy(f"a file of {BACK} was changed, and systemd "
                                "has not read it since")
        finally:
            self.host.write(f"{UNITS}/{BACK}", text)
            self.host.run("systemctl", "daemon-reload")

    def test_a_drop_in(self):
        drop_in = f"{UNITS}/{SERVICE}.d/override.conf"
        try:
            self.host.write(drop_in, "[Service]\nNoNewPrivileges=no\n")
            self.host.run("systemctl", "daemon-reload")
            obstacles, notes = self.check()
            require(obstacles == [], obstacles)
            require(f"{SERVICE} is less confined than hardening.conf has it: "
                    f"NoNewPrivileges=no from {drop_in}" in dict(notes), notes)
            self.host.write(drop_in, "[Service]\nProtectHome=yes\n"
                            "TimeoutStartSec=1min\nRestrictNamespaces=yes\n")
            self.host.run("systemctl", "daemon-reload")
            obstacles, _ = self.check()
            whats = "\n".join(what for what, _ in obstacles)
            for what in (f"ProtectHome=yes from {drop_in}: it cannot write to "
                         f"{CHECKOUT}", "TimeoutStartUSec=1min from",
                         "RestrictNamespaces=yes from"):
                require(what in whats, whats)
        finally:
            self.host.outside(drop_in).unlink()
            self.host.run("systemctl", "daemon-reload")


class Removed(Installs, Group):
    """Uninstalls, and installs again."""

    def test_the_application_runs_on(self):
        self.upgrade()
        before = self.invocations(FRONT, BACK)
        said = self.uninstall()
        require(self.invocations(FRONT, BACK) == before, "restarted")
        require(self.host.fetch(BACK_END) == "back end 1", "no answer")
        for unit in (TIMER, SERVICE):
            require(self.host.show(unit, "LoadState") == "not-found", unit)
        require(self.links() == [BACK, FRONT], self.links())
        for what in (f"{CHECKOUT} (", "/var/lib/deployment-update (",
                     f"{FRONT} (enabled, active)"):
            require(f"stays: {what}" in said, said)
        self.host.reboot()
        self.host.wait_for_back_end("back end 1")
        said = self.upgrade()
        require("first deployment" not in said, said)
        self.require_states(("enabled", "active"), TIMER, FRONT, BACK)

    def test_with_the_application_all_of_it_ends(self):
        self.upgrade()
        self.host.outside(f"{UNITS}/{FRONT}").unlink()
        said = self.uninstall("--with-application")
        require(f"stopped {BACK}" in said, said)
        self.require_states(("", "inactive"), FRONT, BACK)
        require(not self.links(), self.links())
        require(not self.host.fetch(BACK_END), "it answers")
        left = self.host.shell("find /usr/local -type f").splitlines()
        require(not left, left)
        said = self.upgrade()
        self.require_states(("enabled", "active"), TIMER, FRONT, BACK)
        self.host.wait_for_back_end("back end 1")


class Named(Installs, Group):
    """A configuration that names services of other names."""

    config = """\
[frontend]
type = npm
service = web.service

[backend]
type = python
service = api.service # uvicorn
"""

    @classmethod
    def install(cls):
        for name, unit in (("web", FRONT), ("api", BACK)):
            cls.host.copy(cls.stage / f"{UNITS}/{unit}"[1:],
                          f"{UNITS}/{name}.service")
        super().install()

    def test_these_services_run_and_no_others(self):
        self.require_states(("enabled", "active"), TIMER, "web.service",
                            "api.service")
        for unit in (FRONT, BACK):
            require(self.host.show(unit, "LoadState") == "not-found", unit)

    def test_a_disabled_one_stays_down(self):
        self.host.run("systemctl", "disable", "--now", "web.service")
        try:
            self.upgrade()
            self.require_states(("disabled", "inactive"), "web.service")
        finally:
            self.host.run("systemctl", "enable", "--now", "web.service")
        self.upgrade()

    def test_a_default_unit_that_runs_is_left_alone(self):
        """As an earlier version left it."""
        unit = f"{UNITS}/{FRONT}"
        text = (self.stage / unit[1:]).read_text().replace("3000", "3001")
        self.host.write(unit, text)
        self.host.shell(
            f"systemctl daemon-reload; systemctl start {FRONT}\n"
            f"sha256sum {unit} >>/usr/local/share/deployment-update/"
            "installed-files")
        said = self.upgrade()
        require(f"systemctl disable --now {FRONT}" in said, said)
        self.require_states(("disabled", "active"), FRONT)
        self.host.run("systemctl", "disable", "--now", FRONT)
        said = self.upgrade()
        require(f"removed {unit}" in said, said)
