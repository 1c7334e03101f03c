"""The Debian package on booted hosts: installed, upgraded while a deployment
runs, taken back to an older version, removed and purged."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

from host.test_host import (NO_CHANGES, PATIENCE, TICK, Group, errors,
                            find_line, runs, texts)
from support import TOP, build_package, require
from support.host import BACK_END, CHECKOUT, UNIT, until

UNITS = "/etc/systemd/system"
TIMER = f"{UNIT}.timer"
SERVICE = f"{UNIT}.service"
SERVICES = ("frontend-deployment.service", "backend-deployment.service")
CONFIG = "/etc/deployment-update.conf"
STATE = "/var/lib/deployment-update"
OLD, NEW = "1.0.0", "1.0.1"

COMPONENTS = """settle = 1
[frontend]
type = npm
service = frontend-deployment.service
[backend]
type = python
service = backend-deployment.service
"""
GATE = "/srv/gate"  # a deployment waits for somebody to write to this pipe
GATED = f"{COMPONENTS}check = cat {GATE}\n"

# Starts the service while another run, as it seems, holds all locks.
START_WITH_LOCKS_HELD = """
import fcntl, glob, subprocess
files = [open(path, "r+") for path in glob.glob("/run/deployment-update/*")]
for file in files:
    fcntl.lockf(file, fcntl.LOCK_EX)
print(len(files))
subprocess.run(["systemctl", "start", "deployment-update.service"])
"""


class Packaged(Group):
    """Each case begins with what it needs, whatever the one before left."""

    @classmethod
    def set_up(cls):
        for version in (OLD, NEW):
            cls.host.copy(build_package(cls.stage, version),
                          f"/srv/{version}.deb")
        cls.host.make_origin()
        cls.host.clone(cls.owner)
        for name in SERVICES:
            cls.host.copy(TOP / "units" / name, f"{UNITS}/{name}")
        cls.host.hurry_timer(TICK)

    def dpkg(self, *arguments, **options):
        return self.host.run("dpkg", *arguments, **options)

    def install(self, version=OLD):
        return self.dpkg("--install", f"/srv/{version}.deb").stdout

    def deploy(self, version=OLD):
        """Has a host on which the package deploys, and is at rest."""
        self.install(version)
        self.host.write(CONFIG, COMPONENTS)
        if not (self.is_there(f"{STATE}/record")
                and self.host.fetch(BACK_END)):
            self.host.run("systemctl", "enable", *SERVICES)
            self.host.run(UNIT, "--force", "--wait", "60", timeout=300)
        self.host.run("systemctl", "enable", "--now", TIMER)
        self.wait_until_idle()

    def version(self):
        return self.host.run("dpkg-query", "--show",
                             "--showformat=${Version}", UNIT).stdout

    def is_there(self, path):
        return self.host.run("test", "-e", path, check=False).returncode == 0

    def require_timer(self, enabled, active):
        found = [self.host.run("systemctl", question, TIMER,
                               check=False).stdout.strip()
                 for question in ("is-enabled", "is-active")]
        require(found == [enabled, active], f"{TIMER}: {found}")

    @contextlib.contextmanager
    def running_deployment(self, text):
        """Pushes, and comes back when its run waits; yields the commit and
        where the journal of the run begins."""
        self.host.shell(f"rm -f {GATE}; mkfifo -m 644 {GATE}")
        self.host.write(CONFIG, GATED)
        after = self.host.cursor()
        commit = self.host.push_back_end(text)
        self.wait_for_line("^backend: check ", after)
        try:
            yield commit, after
        finally:
            self.host.write(CONFIG, COMPONENTS)

    def finish(self, commit, after, text):
        """Lets the run go on that waits; it deploys as if nothing had
        happened."""
        self.host.shell(f"echo >{GATE}", timeout=10)
        self.wait_for_line(rf"^deployed {commit[:12]} ", after)
        self.host.wait_for_back_end(text)
        lines = self.host.journal(after)
        require(not errors(lines), errors(lines))
        found = [run for run in runs(lines) if find_line(run, "^deploying ")]
        require(len(found) == 1, f"{len(found)} runs: {lines}")

    def test_installed_it_waits_until_it_is_enabled(self):
        self.dpkg("--purge", UNIT)
        self.install()
        self.require_timer("disabled", "inactive")
        self.host.run("systemctl", "preset", TIMER)
        self.require_timer("disabled", "inactive")
        require(not self.is_there(STATE), "it wrote a record")
        wrong = [line for line in self.dpkg(  # the host has no documents
            "--verify", UNIT, check=False).stdout.splitlines()
            if "/usr/share/doc/" not in line]
        require(not wrong, wrong)
        # As it is installed, the configuration says nothing.
        settings = [line for line in self.host.outside(CONFIG).read_text()
                    .splitlines() if line and not line.startswith("#")]
        require(not settings, settings)
        self.deploy()
        self.host.wait_for_front_end("front end")
        require(self.host.show(SERVICE, "FragmentPath").endswith(
            f"/lib/systemd/system/{SERVICE}"), "another unit")
        drop_ins = self.host.show(SERVICE, "DropInPaths").split()
        require([path.rsplit("/", 1)[1] for path in drop_ins] == [
            f"{name}.conf" for name in ("busy", "deadline", "failure",
                                        "hardening")], drop_ins)

    def test_an_upgrade_lets_a_deployment_run_to_its_end(self):
        self.deploy(OLD)
        # Its timer starts the service, as that of a version without a poll.
        self.host.shell("rm /usr/lib/systemd/system/deployment-update.timer.d/"
                        "zz-poll.conf; systemctl daemon-reload; "
                        f"systemctl restart {TIMER}")
        with self.running_deployment("back end of an upgrade") as (commit,
                                                                   after):
            run = self.host.show(SERVICE, "InvocationID")
            self.install(NEW)
            require(self.version() == NEW, self.version())
            require(self.host.outside(CONFIG).read_text() == GATED,
                    "another configuration")
            require(self.host.is_at_work() and run == self.host.show(
                SERVICE, "InvocationID"), "the run has ended")
            self.finish(commit, after, "back end of an upgrade")
        self.require_timer("enabled", "active")
        require(self.host.show(SERVICE, "NeedDaemonReload") == "no",
                "systemd has the units of before")
        after = self.host.cursor()
        until("a run of the new version", lambda: texts(
            self.host.journal(after)), PATIENCE)

    def test_an_older_version_reads_the_record_or_changes_nothing(self):
        self.deploy(NEW)
        said = self.dpkg("--install", f"/srv/{OLD}.deb").stderr
        require("downgrading" in said, said)
        self.require_timer("enabled", "active")
        self.host.run("systemctl", "stop", TIMER)
        self.wait_until_idle()
        require(self.host.run(UNIT).stdout.splitlines() == NO_CHANGES,
                "it does not know what is deployed")
        # A newer version may have written what this one does not know.
        record = f"{STATE}/record"
        before = self.host.outside(record).read_text()
        self.host.write(record, f"from-the-future = 1\n{before}", 0o600)
        try:
            head = self.host.head()
            self.host.push_back_end("back end of the future")
            refused = self.host.run(UNIT, check=False)
            require(refused.returncode == 1, refused)
            require("unknown key 'from-the-future'" in refused.stderr
                    and "start over: mv " in refused.stderr, refused.stderr)
            require(self.host.head() == head, "the checkout has moved")
        finally:
            self.host.write(record, before, 0o600)
            self.host.run("systemctl", "start", TIMER)
        self.host.wait_for_back_end("back end of the future")
        self.wait_until_idle()

    def test_removed_it_leaves_what_is_deployed(self):
        self.deploy()
        self.host.write(f"{UNITS}/deployment-update@shop.timer.d/never.conf",
                        "[Timer]\nOnBootSec=\nOnUnitActiveSec=\n"
                        "OnActiveSec=1d\n")
        shop = "deployment-update@shop.timer"
        self.host.run("systemctl", "daemon-reload")
        self.host.run("systemctl", "enable", "--now", shop)
        with self.running_deployment("back end that stays") as (commit, after
                                                                ), \
                ThreadPoolExecutor(1) as pool:
            removal = pool.submit(self.dpkg, "--remove", UNIT)
            until("the timer to stop", lambda: self.host.show(
                TIMER, "ActiveState") == "inactive", PATIENCE)
            require(self.host.is_at_work() and not removal.done(), "no wait")
            require(self.is_there("/usr/bin/deployment-update"), "gone")
            self.finish(commit, after, "back end that stays")
            said = removal.result().stdout
        require("waiting for the running deployment to end" in said, said)
        for unit in (TIMER, SERVICE):
            require(self.host.show(unit, "LoadState") == "not-found", unit)
        for path in (CONFIG, f"{STATE}/record"):
            require(self.is_there(path), path)
        require(self.host.fetch(BACK_END) == "back end that stays", "down")
        # It is enabled as it was, and goes on when it is installed again.
        self.install()
        self.require_timer("enabled", "active")
        require(self.host.show(shop, "ActiveState") == "active", shop)
        self.host.push_back_end("back end after a removal")
        self.host.wait_for_back_end("back end after a removal")
        self.wait_until_idle()

    def test_purged_it_leaves_the_application_alone(self):
        self.deploy()
        serving = "back end of a purge"
        self.host.push_back_end(serving)
        self.host.wait_for_back_end(serving)
        self.wait_until_idle()
        kept = f"{CHECKOUT}/.git/deployment-update"
        self.host.write("/etc/deployment-update/shop.conf", "")
        said = self.dpkg("--purge", UNIT).stdout
        for what in (kept, "/etc/deployment-update/shop.conf"):
            require(f"deployment-update: stays: {what}" in said, said)
            require(self.is_there(what), what)
        left = self.host.shell(
            "find / -xdev -name '*deployment-update*' -not -path '/srv/*' "
            "-not -path '/proc/*'").split()
        # What the tests and the administrator put there.
        require(sorted(left) == sorted([
            "/etc/deployment-update", f"{UNITS}/{TIMER}.d",
            *(path for path in left if "@shop" in path)]), left)
        require(not self.host.shell(
            f"find {UNITS} -type l -name 'deployment-update*'"), "links")
        require(self.host.fetch(BACK_END) == serving, "the back end is down")
        self.host.outside("/etc/deployment-update/shop.conf").unlink()

    def test_a_run_by_hand_is_waited_for_too(self):
        self.deploy()
        self.host.run("systemctl", "stop", TIMER)
        self.wait_until_idle()
        self.host.shell(f"rm -f {GATE}; mkfifo -m 644 {GATE}")
        self.host.write(CONFIG, GATED)
        serving = "back end of a run by hand"
        self.host.push_back_end(serving)
        after = self.host.cursor()
        with ThreadPoolExecutor(2) as pool:
            run = pool.submit(self.host.run, UNIT)
            until("the run to wait", lambda: "backend: check "
                  in self.host.run("journalctl", "-t", UNIT, "--cursor",
                                   after).stdout, PATIENCE)
            # An upgrade goes on beside it.
            self.install(NEW)
            purge = pool.submit(self.dpkg, "--purge", UNIT)
            until("the purge to begin", lambda: self.host.run(
                "pgrep", "-f", "deployment-update.prerm remove",
                check=False).returncode == 0, PATIENCE)
            require(not purge.done() and not run.done(), "no wait")
            require(self.is_there("/usr/bin/deployment-update"), "gone")
            self.host.shell(f"echo >{GATE}", timeout=10)
            said = run.result()
            require("deployed " in said.stderr, said)
            said = purge.result().stdout
        require("waiting for the running deployment to end" in said, said)
        require(not self.is_there(STATE), "it wrote a record after the purge")
        self.host.wait_for_back_end(serving)

    def test_it_is_not_installed_beside_another_one(self):
        self.dpkg("--purge", UNIT)
        self.host.write(f"{UNITS}/{SERVICE}", (
            TOP / "units" / SERVICE).read_text())
        try:
            refused = self.dpkg("--install", f"/srv/{OLD}.deb", check=False)
        finally:
            self.host.outside(f"{UNITS}/{SERVICE}").unlink()
        require(refused.returncode != 0
                and f"nothing is installed: {UNITS}/{SERVICE} starts another "
                "program" in refused.stderr, refused)
        require(not self.is_there("/usr/bin/deployment-update"), "installed")

    def test_a_run_that_meets_another_one_is_no_failed_unit(self):
        self.deploy()
        self.host.run("systemctl", "stop", TIMER)
        self.wait_until_idle()
        said = self.host.run("python3", "-c", START_WITH_LOCKS_HELD)
        require(int(said.stdout) > 0 and not said.stderr, said)
        found = [self.host.show(SERVICE, name) for name in (
            "ExecMainStatus", "ActiveState", "Result")]
        require(found == ["75", "inactive", "success"], found)
        self.host.run("systemctl", "start", TIMER)
