"""Two applications on one booted host, each an instance of the units."""

import json
import textwrap

from host.test_host import (NO_CHANGES, PATIENCE, TICK, Group, errors,
                            find_line, runs, texts)
from host.test_install import Installs
from support import require
from support.host import IDENTITY, UNIT, until

CONFIGURATION = """\
repo-dir = {checkout}
settle = 2

[web]
type = npm
service = {name}.service
"""

SERVICE = """\
[Unit]
Description=The application {name}

[Service]
User=ubuntu
WorkingDirectory={checkout}/web
ExecStart=/usr/bin/node server.js
Restart=always

[Install]
WantedBy=multi-user.target
"""

SERVER = """\
require('http').createServer((request, response) => response.end('{text}'))
    .listen({port});
"""


# Its text is in a file, which it reads again when it is asked to.
RELOADS = """\
const fs = require('fs');
let text = '';
const load = () => {{ text = fs.readFileSync('{text}', 'utf8'); }};
load();
process.on('SIGHUP', load);
require('http').createServer((request, response) => response.end(text))
    .listen({port});
"""
# Refuses what has a file called refuse.
RELOAD = """\
[Service]
ExecReload=/bin/sh -c 'test ! -e refuse && kill -HUP $MAINPID'
"""


class Application:
    """An origin, an author's clone, a checkout and a service of one name."""

    def __init__(self, host, name, port):
        self.host = host
        self.name = name
        self.port = port
        self.checkout = f"/home/ubuntu/{name}"
        self.author = f"/root/author-of-{name}"
        self.unit = f"{UNIT}@{name}"
        self.config = f"/etc/deployment-update/{name}.conf"
        self.record = f"/var/lib/deployment-update/{name}/record"
        self.version = 0

    def make(self):
        origin = f"/srv/git/{self.name}.git"
        run = self.host.run
        run("git", "init", "-q", "--bare", "-b", "prod", origin)
        run("git", "clone", "-q", origin, self.author)
        run("git", "-C", self.author, "checkout", "-q", "-b", "prod")
        self.push(f"{self.name} 1")
        run("git", "clone", "-q", "-b", "prod",
            f"git://127.0.0.1/{self.name}.git", self.checkout, user="ubuntu")
        self.host.write(f"/etc/systemd/system/{self.name}.service",
                        SERVICE.format(**vars(self)))
        self.host.write(self.config, CONFIGURATION.format(**vars(self)))

    def push(self, text, server=SERVER, install="true"):
        """Pushes a server of the text, which is the commit's subject, too;
        its installation runs `install`."""
        self.version += 1
        package = {"name": self.name, "version": f"1.0.{self.version}",
                   "scripts": {"postinstall": install}}
        for name, content in (
                ("package.json", json.dumps(package)),
                ("server.js", server.format(text=text, port=self.port))):
            self.host.write(f"{self.author}/web/{name}", content)
        self.host.write(f"{self.author}/.gitignore", "node_modules/\n")
        return self.commit(text)

    def commit(self, text):
        """Commits what is in the author's clone, and pushes it."""
        git = ["git", "-C", self.author, *IDENTITY]
        self.host.run(*git, "add", "-A")
        self.host.run(*git, "commit", "-q", "-m", text)
        self.host.run(*git, "push", "-q", "origin", "prod")
        return self.host.run(*git, "rev-parse", "HEAD").stdout.strip()

    def wait_for(self, text):
        until(f"{self.name} to serve '{text}'",
              lambda: self.host.fetch(self.port) == text, PATIENCE)

    def lines(self, after):
        return self.host.journal(after, self.unit)

    def wait_for_line(self, pattern, after):
        return until(f"{self.unit} to say '{pattern}'", lambda: find_line(
            self.lines(after), pattern), PATIENCE)

    def wait_until_deployed(self, commit, after):
        self.wait_for_line(f"^deployed {commit[:12]} ", after)
        self.wait_until_idle()

    def wait_until_idle(self):
        until(f"{self.unit} to be idle",
              lambda: not self.host.is_at_work(self.unit), PATIENCE)

    def status(self, *options, user="root"):
        return json.loads(self.host.run(
            UNIT, *(options or ("--instance", self.name)), "--status",
            "--json", user=user).stdout)

    def invocation(self):
        return self.host.show(f"{self.name}.service", "InvocationID")

    def start_timer(self):
        self.host.run("systemctl", "start", f"{self.unit}.timer")

    def stop_timer(self):
        self.host.run("systemctl", "stop", f"{self.unit}.timer")
        self.wait_until_idle()


class Instances(Installs, Group):
    """The instances shop and my-blog."""

    @classmethod
    def set_up(cls):
        cls.host.run("systemctl", "enable", "--now", "origin.service")
        cls.shop = Application(cls.host, "shop", 9001)
        cls.blog = Application(cls.host, "my-blog", 9002)
        cls.both = (cls.shop, cls.blog)
        for application in cls.both:
            application.make()
        cls.host.hurry_timer(TICK, f"{UNIT}@")
        for application in cls.both:
            said = cls.host.install(cls.stage, "--instance", application.name)
            require(f"first deployment: /usr/local/bin/{UNIT} --instance "
                    f"{application.name} --force" in said, said)
            application.wait_for(f"{application.name} 1")

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            for application in self.both:
                print(self.host.journal_text(None, application.unit, "-n",
                                             "40"))

    def timers(self):
        return [f"{application.unit}.timer" for application in self.both]

    def test_nothing_else_is_set_up(self):
        self.require_states(("enabled", "active"), *self.timers(),
                            "shop.service", "my-blog.service")
        self.require_states(("disabled", "inactive"), f"{UNIT}.timer")
        for unit in ("frontend", "backend"):
            require(self.host.show(f"{unit}-deployment.service", "LoadState")
                    == "not-found", unit)
        require(not self.host.outside("/var/lib/deployment-update/record")
                .exists(), "there is a default record")

    def test_both_deploy_their_own_pushes(self):
        for application in self.both:
            others = [other for other in self.both if other != application]
            before = [(other.invocation(), other.status()) for other in others]
            after = self.host.cursor()
            text = f"{application.name} alone"
            commit = application.push(text)
            application.wait_until_deployed(commit, after)
            application.wait_for(text)
            require(application.status()["deployed"]["commit"] == commit,
                    application.status())
            require(before == [(other.invocation(), other.status())
                               for other in others], "the other changed")
            for other in others:
                said = texts(other.lines(after))
                require(not any(commit[:12] in line for line in said), said)

    def test_both_at_once(self):
        """One waits in its installation while the other is deployed, by runs
        that are started together."""
        for application in self.both:
            application.stop_timer()
        gate = "/home/ubuntu/gate"
        self.host.run("mkfifo", gate, user="ubuntu")
        after = self.host.cursor()
        try:
            waits = self.shop.push("shop that waits", install=(
                f"echo it waits; read line <{gate}"))
            commit = self.blog.push("my-blog in between")
            self.host.run("systemctl", "start", "--no-block", *[
                f"{application.unit}.service" for application in self.both])
            self.shop.wait_for_line(r"web \| it waits$", after)
            self.blog.wait_until_deployed(commit, after)
            require(self.host.show(f"{self.shop.unit}.service", "ActiveState")
                    == "activating", "it did not wait")
            self.host.shell(f"echo go >{gate}")
            self.shop.wait_until_deployed(waits, after)
        finally:
            self.host.outside(gate).unlink()
            for application in self.both:
                application.start_timer()
        for application in self.both:
            require(not errors(application.lines(after)),
                    errors(application.lines(after)))

    def test_ticks_together(self):
        """Runs that find nothing to do, started at once."""
        for application in self.both:
            application.stop_timer()
        try:
            after = self.host.cursor()
            services = [f"{application.unit}.service"
                        for application in self.both]
            for _ in range(5):
                # Else systemd finds that it starts them too often.
                self.host.run("systemctl", "reset-failed", *services)
                self.host.run("systemctl", "start", *services)
            for application in self.both:
                said = [texts(run) for run in runs(application.lines(after))]
                require(said == 5 * [NO_CHANGES], said)
        finally:
            for application in self.both:
                application.start_timer()

    def test_one_that_fails_does_not_stop_the_other(self):
        after = self.host.cursor()
        serving = self.host.fetch(self.shop.port)
        bad = self.shop.push("shop that dies", server="process.exit(1);\n")
        self.shop.wait_for_line("^rolled back to ", after)
        self.shop.wait_for(serving)
        commit = self.blog.push("my-blog beside a failure")
        self.blog.wait_until_deployed(commit, after)
        self.blog.wait_for("my-blog beside a failure")
        require(not errors(self.blog.lines(after)),
                errors(self.blog.lines(after)))
        require(self.shop.status()["quarantined"] == bad, self.shop.status())
        require(self.blog.status()["quarantined"] is None,
                self.blog.status())
        after = self.host.cursor()
        self.shop.wait_until_deployed(self.shop.push("shop again"), after)

    def test_a_service_that_is_reloaded(self):
        shop = self.shop
        drop_in = "/etc/systemd/system/shop.service.d/reload.conf"
        config = CONFIGURATION.format(**vars(shop))
        self.host.write(drop_in, RELOAD)
        self.host.write(shop.config, config + "action = reload\n")
        self.host.run("systemctl", "daemon-reload")
        try:
            self.reload(shop)
        finally:
            self.host.outside(drop_in).unlink()
            self.host.write(shop.config, config)
            self.host.run("systemctl", "daemon-reload")

    def reload(self, shop):
        def push(subject, **files):
            for name, content in files.items():
                self.host.write(f"{shop.author}/web/{name}", content)
            return shop.commit(subject)

        after = self.host.cursor()
        self.host.write(f"{shop.author}/web/text", "one")
        shop.wait_until_deployed(shop.push("text", server=RELOADS), after)
        shop.wait_for("one")
        before = shop.invocation()
        after = self.host.cursor()
        shop.wait_until_deployed(push("Another text", text="two"), after)
        shop.wait_for("two")
        require(shop.invocation() == before, "it was restarted")
        after = self.host.cursor()
        bad = push("A text that is refused", text="three", refuse="")
        shop.wait_for_line("^rolled back to ", after)
        shop.wait_for("two")
        require(shop.status()["quarantined"] == bad, shop.status())
        after = self.host.cursor()
        self.host.outside(f"{shop.author}/web/refuse").unlink()
        shop.wait_until_deployed(push("No refusal", text="four"), after)
        shop.wait_for("four")

    def test_a_person_uses_the_record_of_the_instance(self):
        for application in self.both:
            application.wait_until_idle()
            for options in (("--instance", application.name),
                            ("--config", application.config)):
                for user in ("root", "ubuntu"):
                    status = application.status(*options, user=user)
                    require(status["record"] == application.record, status)
        before = self.shop.status()
        after = self.host.cursor()
        first = self.blog.status()["deployed"]["commit"]
        commit = self.blog.push("my-blog to be taken back")
        self.blog.wait_until_deployed(commit, after)
        self.host.run(UNIT, "--config", self.blog.config, "--rollback",
                      "--wait", "60")
        require(self.blog.status()["deployed"]["commit"] == first,
                self.blog.status())
        shown = self.host.run(UNIT, "--instance", "my-blog", "--dry-run",
                              check=False)
        require("is quarantined, as " in shown.stderr, shown.stderr)
        self.host.run(UNIT, "--instance", "my-blog", "--force", "--wait",
                      "60")
        require(self.blog.status()["deployed"]["commit"] == commit,
                self.blog.status())
        require(self.shop.status() == before, "the other record changed")
        require(not self.host.outside("/var/lib/deployment-update/record")
                .exists(), "there is a default record")
        refused = self.host.run(UNIT, "--repo-dir", self.blog.checkout,
                                "--force", "--wait", "60", check=False)
        require(f"has the record {self.blog.record}, " in refused.stderr,
                refused.stderr)

    def test_the_drop_ins_apply(self):
        for application in self.both:
            unit = f"{application.unit}.service"
            for name, value in (
                    ("NoNewPrivileges", "yes"), ("ProtectSystem", "full"),
                    ("TimeoutStartUSec", "9h"), ("KillMode", "mixed"),
                    ("StateDirectory",
                     f"deployment-update/{application.name}")):
                found = self.host.show(unit, name)
                require(found == value, f"{unit}: {name} is {found}")
            found = self.host.show(f"{application.unit}.timer",
                                   "AccuracyUSec")
            require(found == "1s", f"{application.unit}.timer: {found}")

    def test_both_run_after_a_boot(self):
        self.host.reboot()
        after = self.host.cursor()
        for application in self.both:
            commit = application.push(f"{application.name} after a boot")
            application.wait_until_deployed(commit, after)
            application.wait_for(f"{application.name} after a boot")

    def test_an_upgrade_lets_both_timers_go_on(self):
        before = self.invocations("shop.service", "my-blog.service")
        with self.newer(f"{UNIT}@.timer"):
            said = self.host.install(self.stage)
        require(f"upgraded /etc/systemd/system/{UNIT}@.timer" in said, said)
        require(f"enabled {UNIT}.timer" not in said, said)
        self.require_states(("enabled", "active"), *self.timers())
        for timer in self.timers():
            require(self.host.show(timer, "NeedDaemonReload") == "no", timer)
        require(self.invocations("shop.service", "my-blog.service") == before,
                "restarted")
        self.host.install(self.stage)
        said = self.host.install(self.stage)
        require("nothing to change: this version is installed" in said, said)

    def test_removing_one_leaves_the_other(self):
        before = self.invocations("shop.service", "my-blog.service")
        said = self.uninstall("--instance", "my-blog")
        try:
            require(self.invocations("shop.service", "my-blog.service")
                    == before, "restarted")
            self.require_states(("disabled", "inactive"),
                                f"{self.blog.unit}.timer")
            self.require_states(("enabled", "active"), "shop.service",
                                f"{self.shop.unit}.timer", "my-blog.service")
            for what in (self.blog.checkout, self.blog.record[:-7],
                         self.blog.config):
                require(f"stays: {what} (" in said, said)
            require("shop" not in said, said)
            after = self.host.cursor()
            self.blog.push("my-blog that nobody deploys")
            text = "shop after the removal"
            self.shop.wait_until_deployed(self.shop.push(text), after)
            require(not texts(self.blog.lines(after)), "it ran")
        finally:
            self.host.install(self.stage, "--instance", "my-blog")
        self.blog.wait_for("my-blog that nobody deploys")

    def test_removing_the_program_leaves_both_applications(self):
        before = self.invocations("shop.service", "my-blog.service")
        said = self.uninstall()
        try:
            require(self.invocations("shop.service", "my-blog.service")
                    == before, "restarted")
            self.require_states(("enabled", "active"), "shop.service",
                                "my-blog.service")
            for timer in self.timers():
                require(self.host.show(timer, "LoadState") == "not-found",
                        timer)
            left = self.host.shell(textwrap.dedent(f"""\
                find /usr/local -type f
                find /etc/systemd/system -name '{UNIT}*' -not -name '*.d'
                """)).splitlines()
            require(not left, left)
            for application in self.both:
                require(f"stays: {application.config} (" in said, said)
        finally:
            for application in self.both:
                self.host.install(self.stage, "--instance", application.name)
        self.require_states(("enabled", "active"), *self.timers())
