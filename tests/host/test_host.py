"""The program on booted hosts with the original services.

    cd tests
    python3 -m host [GROUP[.CASE]]...          # groups side by side
    python3 -m support host.test_host.Changes  # as any other test

Each group of cases has a host of its own. It is skipped where hosts cannot be
booted (not root, packages missing); with HOST_TESTS=required in the
environment that is a failure.
"""

import contextlib
import json
import re
import subprocess
import tempfile
import textwrap
import unittest
from pathlib import Path

from support import REFERENCE_SCRIPT, TOP, install_program, require
from support.attackers import EXCHANGER, exchanger
from support.host import (APP, AUTHOR, BACK_END, CHECKOUT, DURATION, ERR,
                          FOLDER, FRONT_END, UNIT, WARNING, Host, base_root,
                          poll_of, until)

PATIENCE = 120  # seconds for what takes a few on an idle machine
TICK = 2  # seconds between the runs of a timer in a hurry
SECRET = "the secret of root"
SILENT = (r"backend-deployment\.service was restarted and does not run as it "
          rf"should: after 30\.0 s, it takes no connection at 0\.0\.0\.0:"
          rf"{BACK_END}: "
          "nobody accepts it$")
NO_CHANGES = ["No changes detected in the repository."]

# Written into the checkout by the services, which run as root.
WRITTEN_BY_SERVICES = re.compile(r"/(\.vite|\.vite-temp|__pycache__)(/| |$)")

INSTALLED = re.compile(r"/(node_modules|environments/frontend)/")


def texts(lines):
    return [line.text for line in lines]


def errors(lines):
    return [line.text for line in lines if line.priority <= ERR]


def runs(lines):
    """The lines of each run of the service."""
    found = {}
    for line in lines:
        found.setdefault(line.pid, []).append(line)
    return list(found.values())


def find_line(lines, pattern):
    for line in lines:
        if re.search(pattern, line.text):
            return line
    return None


def find_error(lines, pattern):
    return find_line([line for line in lines if line.priority <= ERR], pattern)


def requirements(*names):
    return "".join(f"{name}\n" for name in names)


def server(text, first_line=""):
    source = (APP / "backend/server.py").read_text()
    return first_line + source.replace("back end 1", text)


class Group(unittest.TestCase):
    """Cases that share a host, and no more: each can run alone. They run in
    the order of their names."""

    owner = "ubuntu"
    hurry = True
    config = ""

    @classmethod
    def setUpClass(cls):
        cls.host = cls.enterClassContext(Host(base_root(),
                                              cls.__name__.lower()))
        cls.stage = Path(cls.enterClassContext(
            tempfile.TemporaryDirectory(prefix="host-stage-")))
        install_program(cls.stage)
        cls.set_up()

    @classmethod
    def set_up(cls):
        cls.host.make_origin()
        cls.host.clone(cls.owner)
        if cls.config:
            cls.host.write("/etc/deployment-update.conf", cls.config)
        if cls.hurry:
            cls.host.hurry_timer(TICK)
        cls.install()

    @classmethod
    def install(cls):
        cls.host.install(cls.stage)
        cls.host.wait_for_back_end("back end 1")
        cls.host.wait_for_front_end("front end 1")

    def run(self, result=None):
        """Shows the end of the journal after a case that failed."""
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            try:
                print(self.host.journal_text(None, UNIT, "-n", "40"))
            except (OSError, AssertionError, subprocess.SubprocessError) as e:
                print(f"no journal: {e}")

    # Questions of several cases

    def wait_for_line(self, pattern, after, seconds=PATIENCE):
        return until(f"the journal to say '{pattern}'", lambda: find_line(
            self.host.journal(after), pattern), seconds)

    def wait_until_deployed(self, commit, after, seconds=PATIENCE):
        self.wait_for_line(rf"^deployed {commit[:12]} ", after, seconds)
        self.wait_until_idle()

    def wait_until_idle(self):
        until("the service to be idle", lambda: not self.host.is_at_work(),
              PATIENCE)

    def read_deployment(self, after, subject):
        """The lines of the run that deployed `subject`; they read well."""
        pattern = rf"^deploying .* \({subject}\)$"
        found = [run for run in runs(self.host.journal(after))
                 if find_line(run, pattern)]
        require(len(found) == 1, f"{len(found)} runs deployed {subject}")
        lines = texts(found[0])
        heading = (rf"deploying [0-9a-f]{{12}} \(.+\) -> [0-9a-f]{{12}} "
                   rf"\({subject}\)")
        closing = rf"deployed [0-9a-f]{{12}} \({subject}\) in ({DURATION})"
        require(len([line for line in lines if re.fullmatch(heading, line)])
                == 1, f"no one line with from and to:\n{lines}")
        require(re.fullmatch(closing, lines[-1]), f"closes with: {lines[-1]}")
        require(not errors(found[0]), f"errors: {errors(found[0])}")
        done = [line for line in lines if re.search(
            rf": done in ({DURATION})$", line)]
        require(done, f"no step has a duration:\n{lines}")
        for line in done:  # each was announced, with its reason
            step = re.escape(line.split(": done in ")[0].split(": ")[-1])
            require(any(re.match(rf"(\w+: )?(put|{step}) .+: .+", other)
                        for other in lines), f"no reason for '{line}'")
        return lines

    def listing(self):
        return {line for line in self.host.listing()
                if not WRITTEN_BY_SERVICES.search(line)}

    def check_unwritten(self, before):
        changed = before ^ self.listing()
        require(not changed, f"written: {sorted(changed)[:5]}")

    def check_owner(self):
        paths = self.host.run("find", CHECKOUT, "-not", "-user", self.owner
                              ).stdout.splitlines()
        # Started as root, npm keeps the owners that an archive names.
        ignored = INSTALLED if self.owner == "root" else WRITTEN_BY_SERVICES
        strangers = [path for path in paths if not ignored.search(path)]
        require(not strangers, f"not of {self.owner}: {strangers[:5]}")


class Steady(Group):
    """The units as shipped: a run each 60 seconds."""

    hurry = False

    def invocations(self):
        return [self.host.show(f"{name}-deployment.service", "InvocationID")
                for name in ("frontend", "backend")]

    def test_three_ticks_without_a_change(self):
        # A front end that is starting writes into its folder.
        self.host.wait_for_front_end("front end 1")
        before = self.listing()
        services = self.invocations()
        after = self.host.cursor()
        until("three runs", lambda: len(runs(self.host.journal(after))) >= 3,
              2 * PATIENCE)
        ticks = runs(self.host.journal(after))
        for tick in ticks:
            require(texts(tick) == NO_CHANGES, f"a tick said {texts(tick)}")
        times = [tick[0].time for tick in ticks]
        gaps = [later - earlier for earlier, later in zip(times, times[1:])]
        require(all(abs(gap - 60) <= 2 for gap in gaps), f"apart: {gaps}")
        self.check_unwritten(before)
        require(services == self.invocations(), "a service was restarted")

    def entries(self, after):
        """The journal's entries of the program, however it was started."""
        self.host.run("journalctl", "--sync")
        shown = self.host.run("journalctl", "-t", UNIT, "-o", "json",
                              "--cursor", after).stdout
        found = [json.loads(line) for line in shown.splitlines()]
        return [entry for entry in found if entry["__CURSOR"] != after]

    def test_runs_by_hand_are_in_the_journal(self):
        after = self.host.cursor()
        self.host.run(UNIT, "--status")
        self.host.run(UNIT, "--dry-run")
        self.host.run("env", "SUDO_USER=alice", UNIT, "--wait=60")
        self.host.run("systemctl", "start", UNIT)
        entries = self.entries(after)
        of_hand = [entry for entry in entries if "STARTED_BY" in entry]
        require([entry["MESSAGE"] for entry in of_hand]
                == ["started by alice: deployment-update --wait=60",
                    *NO_CHANGES], entries)
        require({(entry["STARTED_BY"], entry["PRIORITY"], entry["_UID"])
                 for entry in of_hand} == {("alice", "6", "0")}, of_hand)
        of_unit = [entry["MESSAGE"] for entry in entries
                   if entry.get("_SYSTEMD_UNIT") in (
                       f"{UNIT}.service", f"{poll_of(UNIT)}.service")]
        # Of the timer, too.
        require(of_unit and of_unit == NO_CHANGES * len(of_unit), entries)
        require(len(of_hand) + len(of_unit) == len(entries), entries)

    def test_dry_run_beside_the_timer(self):
        commit = self.host.push_back_end("back end 2", "Second")
        before = self.listing()
        plans = [self.host.run(UNIT, "--dry-run", user=user).stdout
                 for user in ("root", "ubuntu")]
        require(f"-> {commit[:12]} (Second)" in plans[0]
                and "restart backend-deployment.service" in plans[0],
                plans[0])
        require(plans[0] == plans[1], "\n".join(plans))
        if self.host.head() != commit:  # the timer's run may come in between
            self.check_unwritten(before)
        self.host.wait_for_back_end("back end 2")
        self.wait_until_idle()
        for user in ("root", "ubuntu"):
            shown = self.host.run(UNIT, "--dry-run", user=user).stdout
            require(shown.splitlines() == NO_CHANGES, f"as {user}: {shown}")
        shown = [self.host.run(UNIT, "--status", user=user).stdout
                 for user in ("root", "ubuntu")]
        require(re.match(r"up to date with origin/prod\n"
                         rf"deployed   Second \(\S+Z, {commit[:12]}\)\n",
                         shown[0]), shown[0])
        require(shown[0] == shown[1], "\n".join(shown))


class Changes(Group):
    """Deploys what people push."""

    def test_code(self):
        after = self.host.cursor()
        commit = self.host.push("Code", {
            "backend/server.py": server("back end 2"),
            "frontend/main.js": 'document.title = "front end 2";\n'})
        self.host.wait_for_back_end("back end 2")
        self.host.wait_for_front_end("front end 2")
        self.wait_until_deployed(commit, after)
        lines = self.read_deployment(after, "Code")
        require(not any("npm" in line or "pip" in line for line in lines),
                f"something was installed: {lines}")
        self.check_owner()

    def test_package_json(self):
        """A dependency comes, and the page really imports it."""
        manifest = (APP / "frontend/package-with-ms.json").read_text()
        after = self.host.cursor()
        commit = self.host.push("A dependency", {
            "frontend/package.json": manifest,
            "frontend/main.js": 'import ms from "ms";\n'
                                'document.title = "front end " + '
                                'ms(60000);\n'})
        self.host.wait_for_front_end("ms(60000)")
        self.wait_until_deployed(commit, after)
        page = until("the page to be built", lambda: self.host.fetch(
            FRONT_END, "/main.js"), PATIENCE)
        imported = re.search(r'from "(/node_modules/[^"]+)"', page)
        require(imported, f"nothing is imported:\n{page}")
        until("the dependency to be served", lambda: "milliseconds" in
              self.host.fetch(FRONT_END, imported.group(1)), PATIENCE)
        lines = self.read_deployment(after, "A dependency")
        require(any("npm install" in line for line in lines), lines)
        require(not any("pip" in line for line in lines), lines)
        self.check_owner()

    def test_requirements_txt(self):
        after = self.host.cursor()
        commit = self.host.push("A requirement", {
            "backend/requirements.txt": requirements("uvicorn", "colorama"),
            "backend/server.py": server("back end with colorama",
                                        "import colorama\n")})
        self.host.wait_for_back_end("back end with colorama")
        self.wait_until_deployed(commit, after)
        lines = self.read_deployment(after, "A requirement")
        require(any("pip install" in line for line in lines), lines)
        require(not any("npm install" in line for line in lines), lines)
        self.check_owner()

    def test_push_while_a_run_works(self):
        after = self.host.cursor()
        first = self.host.push("While one builds", {
            "backend/requirements.txt": requirements("uvicorn", "asgiref")})
        self.wait_for_line("^build ", after)
        second = self.host.push_back_end("back end in between", "In between")
        require(self.host.is_at_work() and not find_line(
            self.host.journal(after), f"^deployed {first[:12]}"),
            "the run had ended before the push")
        self.host.wait_for_back_end("back end in between")
        self.wait_until_deployed(second, after)
        require(self.host.head() == second, "the checkout is elsewhere")
        require(not errors(self.host.journal(after)),
                errors(self.host.journal(after)))

    def test_five_pushes_in_a_row(self):
        after = self.host.cursor()
        commits = [self.host.push_back_end(f"back end of push {number}")
                   for number in range(1, 6)]
        self.host.wait_for_back_end("back end of push 5")
        self.wait_until_deployed(commits[-1], after)
        require(self.host.head() == commits[-1], "the checkout is elsewhere")
        lines = self.host.journal(after)
        require(not errors(lines), errors(lines))

    def test_many_environments(self):
        """Old environments go, although the services wrote into them."""
        manifest = (APP / "frontend/package.json").read_text()
        after = self.host.cursor()
        for number in range(1, 5):
            commit = self.host.push(f"Package {number}", {
                "frontend/package.json": manifest.replace(
                    '"private"', f'"version": "1.0.{number}",\n  "private"'),
                "frontend/main.js": f'document.title = "page {number}";\n'})
            self.host.wait_for_front_end(f"page {number}")
            self.wait_until_deployed(commit, after)
        bad = [line.text for line in self.host.journal(after)
               if line.priority <= WARNING]
        require(not bad, bad)
        kept = self.host.shell(
            f"find {CHECKOUT}/.git/deployment-update -mindepth 2 -maxdepth 3 "
            "-path '*frontend*' -name '[0-9]*'").splitlines()
        require(len(kept) <= 2, f"kept: {kept}")

    def test_reboot_then_push(self):
        after = self.host.cursor()
        before = self.host.fetch(BACK_END)
        self.host.reboot()
        self.host.wait_for_back_end(before)
        commit = self.host.push_back_end("back end after the boot", "Booted")
        self.host.wait_for_back_end("back end after the boot")
        self.wait_until_deployed(commit, after)
        lines = self.read_deployment(after, "Booted")
        require(not any("pip install" in line for line in lines), lines)


class Breaking:
    """Steps of groups whose pushes cannot work, and of their repair."""

    def fix(self, text, **more):
        after = self.host.cursor()
        commit = self.host.push(f"Fix: {text}", {
            "backend/requirements.txt": requirements("uvicorn"),
            "backend/server.py": server(text)} | more)
        self.host.wait_for_back_end(text)
        self.wait_until_deployed(commit, after)
        self.read_deployment(after, f"Fix: {text}")

    def break_and_look(self, files, pattern):
        """Pushes what cannot work; the former back end serves on or again."""
        serving = self.host.fetch(BACK_END)
        head = self.host.head()
        after = self.host.cursor()
        self.host.push("It breaks", files)
        until(f"an error that says '{pattern}'", lambda: find_error(
            self.host.journal(after), pattern), PATIENCE)
        self.wait_until_idle()
        self.host.wait_for_back_end(serving)
        require(self.host.head() == head, "the checkout did not stay")
        return after

    def check_taken_back(self, files, pattern):
        """Pushes what cannot work; it is seen, taken back and quarantined."""
        after = self.break_and_look(files, pattern)
        for line in (r"^rolled back to ", r"^[0-9a-f]{12} is quarantined; "):
            require(find_line(self.host.journal(after), line),
                    f"no line '{line}'")

    def check_missing_port(self, files, port=BACK_END):
        unit = {BACK_END: "backend", FRONT_END: "frontend"}[port]
        self.check_taken_back(
            files, rf"{unit}-deployment\.service was restarted and does not "
            rf"run as it should: after 30\.0 s, it does not listen on port "
            rf"{port}, as it did before; .* deployment-update --force; .*$")

    def listens(self):
        shown = self.host.run(UNIT, "--status").stdout
        return re.findall(r"listened on \S+:(\d+) when", shown, re.M)


class Failures(Breaking, Group):
    """Pushes that cannot work, with health checks, and their repair."""

    config = """\
[frontend]
type = npm
service = frontend-deployment.service

[backend]
type = python
service = backend-deployment.service
health-check = http://127.0.0.1:8000/
"""

    def test_requirement_that_does_not_exist(self):
        self.break_and_look(
            {"backend/requirements.txt": requirements("uvicorn", "no-such-x"),
             "backend/server.py": server("back end never seen")},
            "No matching distribution found for no-such-x")
        require(self.host.show("backend-deployment.service", "NRestarts")
                == "0", "the back end was disturbed")
        self.fix("back end with its requirements")

    def test_server_that_answers_errors(self):
        """It listens: only its health check sees that it is ill."""
        self.check_taken_back(
            {"backend/server.py": server("back end that is ill").replace(
                '"status": 200', '"status": 500')},
            r"after 30\.0 s, http://127\.0\.0\.1:8000/ answers 500, and not "
            "200-399$")
        self.fix("back end that is well")

    def test_server_that_dies(self):
        self.break_and_look(
            {"backend/requirements.txt": requirements("colorama")},
            "backend-deployment.service was restarted and does not run as it "
            "should")
        self.fix("back end with uvicorn again")


class Serving(Breaking, Group):
    """Servers that do not serve, under a unit that lives on (uvicorn
    --reload), without any configuration."""

    @classmethod
    def set_up(cls):
        super().set_up()
        shown = cls.host.run(UNIT, "--status").stdout
        for port in (BACK_END, FRONT_END):
            require(f":{port} when " in shown, f"no port {port}:\n{shown}")

    def test_exception_at_import(self):
        self.check_missing_port(
            {"backend/server.py": "raise RuntimeError('at import')\n"})
        self.fix("back end that can be imported")

    def test_syntax_error(self):
        self.check_missing_port({"backend/server.py": "def (\n"})
        self.fix("back end in good syntax")

    def test_module_that_is_missing(self):
        self.check_missing_port(
            {"backend/server.py": server("never seen", "import no_such_x\n")})
        self.fix("back end with all modules")

    def test_crash_after_five_seconds(self):
        """The supervisor keeps its socket, on which nobody serves."""
        self.check_taken_back({"backend/server.py": server(
            "back end for five seconds", "import os, threading\n"
            "threading.Timer(5, os._exit, [1]).start()\n")}, SILENT)
        self.fix("back end that stays")

    def test_more_ports(self):
        """One more, and one that the kernel chooses, are no trouble now; nor
        is another one of the kernel's the next time."""
        more = textwrap.dedent("""\
            import socket, threading
            def accept(listener):
                while True:
                    listener.accept()[0].close()
            for port in (0, 9100):
                listener = socket.create_server(("", port))
                threading.Thread(target=accept, args=[listener],
                                 daemon=True).start()
            """)
        for text in ("back end with more ports", "back end with other ports"):
            after = self.host.cursor()
            commit = self.host.push(text, {
                "backend/server.py": server(text, more)})
            self.host.wait_for_back_end(text)
            self.wait_until_deployed(commit, after)
            require(not errors(self.host.journal(after)),
                    errors(self.host.journal(after)))
            require(sorted(self.listens()) == ["3000", "8000", "9100"],
                    f"listens on {self.listens()}")
        self.check_taken_back(
            {"backend/server.py": server("back end with one port")},
            "it does not listen on port 9100, as it did")
        self.host.run(UNIT, "--force", "--wait", "60")
        self.host.wait_for_back_end("back end with one port")
        require(sorted(self.listens()) == ["3000", "8000"],
                f"listens on {self.listens()}")


class ChangingUnits(Breaking):
    """Steps of groups that change units, and of their repair."""

    folder = "/etc/systemd/system"
    unit = f"{folder}/backend-deployment.service"

    @contextlib.contextmanager
    def changed_unit(self, script, *files):
        """Runs the script and lets systemd read its units; all `files`, which
        it writes, are what they were afterwards."""
        outside = [self.host.outside(file) for file in files]
        before = [file.read_text() if file.exists() else None
                  for file in outside]
        self.host.shell(f"{script}\nsystemctl daemon-reload")
        try:
            yield
        finally:
            for file, text in zip(outside, before):
                file.unlink(missing_ok=True)
                if text is not None:
                    file.write_text(text)
            self.host.run("systemctl", "daemon-reload")

    def drop_in(self, service, text):
        path = f"{self.folder}/{service}-deployment.service.d/test.conf"
        return self.changed_unit(
            f"mkdir -p {Path(path).parent}\ncat >{path} <<'END'\n{text}\nEND",
            path)

    def force(self):
        """What a person types."""
        self.host.run(UNIT, "--force", "--wait", "60")

    def fix_front_end(self, text):
        after = self.host.cursor()
        commit = self.host.push(text, {
            name: (APP / name).read_text() for name in
            ("frontend/package.json", "frontend/vite.config.js")} | {
                "frontend/main.js": f'document.title = "{text}";\n'})
        self.host.wait_for_front_end(text)
        self.wait_until_deployed(commit, after)


class Units(ChangingUnits, Group):
    """Services whose units fail or change, without any configuration."""

    def test_port_that_is_taken(self):
        """The front end wants that of the back end, and one of them fails:
        the back end still has it, or finds it taken."""
        package = json.loads((APP / "frontend/package.json").read_text())
        package["scripts"]["dev"] = (
            f"sh -c 'vite --host 0.0.0.0 --port {BACK_END} --strictPort' --")
        self.check_taken_back(
            {"frontend/package.json": json.dumps(package)},
            r"(front|back)end-deployment\.service was restarted and does not "
            "run as it should")
        self.fix_front_end("front end on its own port")

    def test_configuration_of_vite_that_throws(self):
        self.check_taken_back(
            {"frontend/vite.config.js": "throw new Error('at start');\n"},
            "frontend-deployment.service was restarted and does not run as it "
            "should")
        self.fix_front_end("front end with a configuration")

    def test_script_that_is_gone(self):
        package = json.loads((APP / "frontend/package.json").read_text())
        del package["scripts"]["dev"]
        self.check_taken_back(
            {"frontend/package.json": json.dumps(package)},
            "frontend-deployment.service was restarted and does not run as it "
            "should")
        self.fix_front_end("front end with its script")

    def test_push_that_moves_a_service(self):
        """The message says how, and that works; there and back."""
        package = json.loads((APP / "frontend/package.json").read_text())
        package["scripts"]["dev"] = (
            "sh -c 'vite --host 0.0.0.0 --port 3001 --strictPort' --")
        moved = {"frontend/package.json": json.dumps(package)}
        self.check_missing_port(moved, FRONT_END)
        self.force()
        require(self.host.fetch(3001, "/main.js"), "it does not serve there")
        require("3001" in self.listens(), f"on {self.listens()}")
        self.host.push("Back", {"frontend/package.json": (
            APP / "frontend/package.json").read_text()})
        self.force()
        require(self.host.fetch(FRONT_END, "/main.js"), "it did not move back")
        self.fix_front_end("front end where it was")

    def test_port_that_a_socket_unit_holds(self):
        """It listens, whoever serves."""
        socket = f"{self.folder}/backend-deployment.socket"
        with self.drop_in("backend", textwrap.dedent(f"""\
                [Unit]
                Requires={Path(socket).name}
                [Service]
                ExecStart=
                ExecStart={CHECKOUT}/backend/venv/bin/uvicorn server:app \
                  --fd 3 --reload""")), \
            self.changed_unit(
                "systemctl stop backend-deployment.service\n"
                f"printf '[Socket]\nListenStream=0.0.0.0:{BACK_END}\n' "
                f">{socket}\nsystemctl daemon-reload\n"
                "systemctl start backend-deployment.service", socket):
            try:
                self.fix("back end on a socket that is held")
                require(str(BACK_END) in self.listens(), self.listens())
                self.check_taken_back({
                    "backend/server.py": "raise RuntimeError('at import')\n"},
                    SILENT)
                self.fix("back end that accepts")
            finally:
                self.host.run("systemctl", "stop", Path(socket).name,
                              "backend-deployment.service")
        self.host.run("systemctl", "start", "backend-deployment.service")
        self.fix("back end on a socket of its own")

    def test_unit_that_is_moved_to_another_port(self):
        with self.changed_unit(f"sed -i s/8000/8001/ {self.unit}", self.unit):
            self.check_serves_on(8001)
        self.check_serves_on(BACK_END)

    def check_serves_on(self, port):
        after = self.host.cursor()
        commit = self.host.push_back_end(f"back end on port {port}")
        until("it to serve", lambda: self.host.fetch(port)
              == f"back end on port {port}", PATIENCE)
        self.wait_until_deployed(commit, after)
        require(not errors(self.host.journal(after)),
                errors(self.host.journal(after)))
        require(str(port) in self.listens(), f"on {self.listens()}")


class HostFailures(ChangingUnits, Group):
    """Failures of units and of systemctl that no push is blamed for, without
    any configuration; and one that it is."""

    def test_unit_that_is_masked(self):
        self.check_waits(f"ln -sf /dev/null {self.unit}", "it is masked")

    def test_unit_that_is_missing(self):
        self.check_waits(f"rm {self.unit}", "systemd calls it not-found")

    def check_waits(self, script, why):
        """That is no fault of the push, which waits until it can be made."""
        serving = self.host.fetch(BACK_END)
        head = self.host.head()
        after = self.host.cursor()
        with self.changed_unit(script, self.unit):
            commit = self.host.push_back_end(f"back end while {why}")
            until("an error", lambda: find_error(
                self.host.journal(after), "backend-deployment.service cannot "
                f"be restarted: {why}"), PATIENCE)
            self.wait_until_idle()
            require(self.host.fetch(BACK_END) == serving, "it was disturbed")
            require(self.host.head() == head, "the checkout did not stay")
            self.check_pending(commit)
        self.host.wait_for_back_end(f"back end while {why}")
        self.wait_until_deployed(commit, after)

    def check_pending(self, commit):
        shown = self.host.run(UNIT, "--status").stdout
        require(re.search(rf"^pending    .*\({commit[:12]}\)$", shown, re.M)
                and "quarantine" not in shown, shown)

    def test_systemctl_that_hangs(self):
        """Once, at the restart: what was moved is taken back, the commit is
        tried again and not blamed."""
        config = "/etc/deployment-update.conf"
        wrapper = "/usr/local/sbin/systemctl"
        serving = self.host.fetch(BACK_END)
        self.host.write(config, "systemctl-timeout = 5\n")
        self.host.write(wrapper, textwrap.dedent("""\
            #!/bin/sh
            if [ "$1 $2" = "restart backend-deployment.service" ] &&
                rmdir /run/hang 2>/dev/null; then
              exec sleep infinity
            fi
            exec /usr/bin/systemctl "$@"
            """), 0o755)
        self.host.run("mkdir", "/run/hang")
        after = self.host.cursor()
        try:
            commit = self.host.push_back_end("back end after a hang")
            self.wait_for_line("^rolled back to ", after)
            self.check_pending(commit)
            require(find_error(self.host.journal(after),
                               "^restarting backend-deployment.service failed"
                               ": .* did not end within 5.0 s"),
                    errors(self.host.journal(after)))
            self.host.wait_for_back_end(serving)
            self.host.wait_for_back_end("back end after a hang")
            self.wait_until_deployed(commit, after)
        finally:
            self.host.outside(wrapper).unlink()
            self.host.outside(config).unlink()

    def test_service_that_systemd_starts_again(self):
        """That it was started again before a push says nothing; after the
        restart it does, from the first look on: that comes when the back end
        has started, too."""
        self.host.run("systemctl", "kill", "--signal=KILL",
                      "frontend-deployment.service")
        until("systemd to start it again", lambda: self.host.show(
            "frontend-deployment.service", "NRestarts") == "1", PATIENCE)
        self.fix_front_end("front end that was killed")
        package = json.loads((APP / "frontend/package.json").read_text())
        package["scripts"]["dev"] = "mkdir /run/started && exit 1; vite"
        with self.drop_in("backend", "[Service]\nExecStartPre=sleep 8"):
            self.check_taken_back(
                {"frontend/package.json": json.dumps(package)},
                r"frontend-deployment\.service was restarted and does not run "
                r"as it should: systemd had to start it again \(once\)$")
        self.fix_front_end("front end that starts at once")


class AsRoot(Group):
    """A checkout that root cloned where nobody else has rights, kept up to
    date by the original script.

    The first case, by name, replaces the script.
    """

    owner = "root"
    script = "/usr/local/bin/deployment-update.sh"

    @classmethod
    def install(cls):
        cls.host.run("chown", "root:", "/home/ubuntu")
        for name in ("frontend-deployment.service",
                     "backend-deployment.service", f"{UNIT}.timer"):
            cls.host.copy(cls.stage / "etc/systemd/system" / name,
                          f"/etc/systemd/system/{name}")
        cls.host.copy(REFERENCE_SCRIPT, cls.script)
        cls.host.write(f"/etc/systemd/system/{UNIT}.service",
                       "[Unit]\nDescription=Deployment Update Service\n\n"
                       "[Service]\nType=oneshot\n"
                       f"ExecStart={cls.script}\n")
        cls.host.run("systemctl", "daemon-reload")
        cls.host.run("systemctl", "enable", "--now", f"{UNIT}.timer")

    def test_a_script_is_replaced(self):
        self.host.push_back_end("back end of the script")
        until("the script to deploy", self.host.is_at_work, PATIENCE)
        said = self.host.install(self.stage)
        require("waiting for the running deployment" in said, said)
        old = texts(self.host.journal())
        require(any("Successfully installed" in line for line in old), old)
        require(f"moved {self.script} to {self.script}.before" in said, said)
        for path in [self.script, "/tmp/frontend_package.hash",
                     "/tmp/backend_requirements.hash"]:
            require(path in said, said)
            require(not self.host.outside(path).exists(), f"{path} is there")
        self.host.wait_for_back_end("back end of the script")
        self.check_it_deploys("back end of the program")

    def check_it_deploys(self, text):
        after = self.host.cursor()
        commit = self.host.push_back_end(text)
        self.host.wait_for_back_end(text)
        self.wait_until_deployed(commit, after)
        self.read_deployment(after, f"Serve {text}")
        self.check_owner()

    def test_bad_push_is_rolled_back(self):
        self.host.install(self.stage)
        serving = self.host.fetch(BACK_END)
        after = self.host.cursor()
        self.host.push("It breaks", {
            "backend/requirements.txt": requirements("colorama")})
        self.wait_for_line("^rolled back to ", after)
        self.wait_until_idle()
        self.host.wait_for_back_end(serving)
        self.host.push("It works", {
            "backend/requirements.txt": requirements("uvicorn")})
        self.check_it_deploys("back end with uvicorn again")

    def test_install_again(self):
        """An upgrade in place keeps what somebody changed, and drops what
        is no longer part of the program."""
        unit = "/etc/systemd/system/frontend-deployment.service"
        manifest = "/usr/local/share/deployment-update/installed-files"
        old = "/usr/local/share/of-an-earlier-version"
        changed = (self.stage / unit[1:]).read_text() + "# mine\n"
        self.host.install(self.stage)
        self.host.write(unit, changed)
        self.host.write(old, "")
        self.host.shell(f"sha256sum {old} >>{manifest}")
        said = self.host.install(self.stage)
        require("first deployment" not in said, said)
        require(f"kept {unit}, which was changed on this host; ours is "
                f"{unit}.new" in said, said)
        require(self.host.outside(unit).read_text() == changed,
                "the changed unit is lost")
        require(not self.host.outside(old).exists(), f"{old} is there")
        self.check_it_deploys("back end of the upgrade")

    def test_uninstall(self):
        """The script is back, and waits to be started; the application runs
        on."""
        self.host.install(self.stage)
        self.wait_until_idle()
        serving = self.host.show("backend-deployment.service", "InvocationID")
        said = self.host.run("/srv/install", "--uninstall").stdout
        require(self.host.outside(self.script).read_bytes()
                == REFERENCE_SCRIPT.read_bytes(), said)
        require(self.host.show(f"{UNIT}.service", "ExecStart").startswith(
            f"{{ path={self.script} ;"), "the service does not start it")
        require(f"systemctl enable --now {UNIT}.timer" in said, said)
        for state in ("is-enabled", "is-active"):
            shown = self.host.run("systemctl", state, f"{UNIT}.timer",
                                  check=False).stdout.strip()
            require(shown in ("disabled", "inactive"), f"timer: {shown}")
        require(self.host.show("backend-deployment.service", "InvocationID")
                == serving, "the back end was restarted")
        left = self.host.shell(
            "find /usr/local /etc/systemd/system -name '*.before*' -o "
            f"-path '/usr/local/*/{UNIT}' -type f").splitlines()
        require(not left, f"left: {left}")


class OfTwoUsers(Group):
    """A user's checkout in which root was at work."""

    def test_clone_of_root_is_refused(self):
        """In a user's home; it deploys once it is his."""
        self.host.run("chown", "-R", "root:", CHECKOUT)
        after = self.host.cursor()
        commit = self.host.push_back_end("back end of the user again")
        command = re.compile(rf"chown -R --reference=/home/ubuntu {CHECKOUT}")
        line = self.wait_for_line(command.pattern, after)
        self.host.shell(command.search(line.text).group())
        self.host.wait_for_back_end("back end of the user again")
        self.wait_until_deployed(commit, after)
        self.check_owner()

    def test_repair_command_is_named(self):
        self.host.run("systemctl", "stop", f"{UNIT}.timer")
        self.wait_until_idle()
        self.host.push_back_end("back end pulled by root")
        self.host.run("git", "-C", CHECKOUT, "-c",
                      f"safe.directory={CHECKOUT}", "pull", "-q", "origin",
                      "prod")
        after = self.host.cursor()
        commit = self.host.push_back_end("back end after the repair")
        self.host.run("systemctl", "start", f"{UNIT}.timer")
        command = re.compile(rf"chown -R ubuntu:\S* {CHECKOUT}")
        line = self.wait_for_line(command.pattern, after)
        self.wait_until_idle()
        self.host.shell(command.search(line.text).group())
        self.host.run(UNIT, "--force")
        self.host.wait_for_back_end("back end after the repair")
        require(self.host.head() == commit, "the checkout is elsewhere")
        self.check_owner()


class Confined(Group):
    """The service under its drop-ins, and what they would break."""

    drop_ins = f"/etc/systemd/system/{UNIT}.service.d"
    page = (TOP / "docs/hardening.md").read_text()
    pushed = 0

    # Refused to root, and so to everybody.
    refused_to_root = [
        "write below /usr", "write below /etc",
        "write a setting of the kernel", "make a device",
        "make a user namespace", "make a network namespace",
        "change the root", "name the host", "open a packet socket",
        "change the personality", "trace a process", "call mount(2)",
        "open the memory of a process", "see temporary files of others"]
    refused_to_owner = ["see processes of others", "set a priority",
                        "become root by a setuid program"]
    # CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SYS_ADMIN of
    # capability.h.
    capabilities = sum(1 << bit for bit in (0, 1, 3, 4, 5, 6, 7, 21))

    @classmethod
    def set_up(cls):
        super().set_up()
        cls.host.copy(FOLDER / "probe.py", "/srv/probe.py")
        cls.host.shell("cp /usr/bin/id /usr/local/bin/id-of-root\n"
                       "chmod 4755 /usr/local/bin/id-of-root\n"
                       "touch /tmp/of-others")

    # Steps of its cases

    def push_install(self, subject, script):
        """A push whose installation runs `script` in frontend/; not where
        its author locks the versions."""
        Confined.pushed += 1
        manifest = json.loads((APP / "frontend/package.json").read_text())
        manifest["version"] = f"1.0.{self.pushed}"
        manifest["scripts"]["postinstall"] = (
            f"if [ $PWD != {AUTHOR}/frontend ]; then {script}; fi")
        return self.host.push(subject, {
            "frontend/probe.py": (FOLDER / "probe.py").read_text(),
            "frontend/attack.py": (FOLDER / "attack.py").read_text(),
            "frontend/package.json": json.dumps(manifest)})

    def with_setting(self, text):
        self.host.write(f"{self.drop_ins}/zz-test.conf",
                        f"[Service]\n{text}\n")
        self.host.run("systemctl", "daemon-reload")

    def without_setting(self):
        self.host.outside(f"{self.drop_ins}/zz-test.conf").unlink()
        self.host.run("systemctl", "daemon-reload")

    def stop_timer(self):
        self.host.run("systemctl", "stop", f"{UNIT}.timer")
        self.wait_until_idle()

    def start_timer(self):
        self.host.run("systemctl", "start", f"{UNIT}.timer")

    @staticmethod
    def outcomes(lines):
        found = re.findall(r"probe: (.+): (\w+)$", "\n".join(lines), re.M)
        return dict(found)

    def probe(self, owner):
        """The outcomes outside the service and in an installation by it."""
        self.stop_timer()
        outside = self.outcomes(self.host.run(
            "python3", "/srv/probe.py", user=owner).stdout.splitlines())
        after = self.host.cursor()
        subject = f"Probe as {owner}"
        commit = self.push_install(subject, "python3 probe.py")
        self.start_timer()
        self.wait_until_deployed(commit, after)
        lines = self.read_deployment(after, subject)
        require(any(line.startswith(f"build {commit[:12]} aside: frontend")
                    for line in lines), f"it was not staged:\n{lines}")
        inside = self.outcomes(lines)
        require(inside.keys() == outside.keys(), lines)
        return outside, inside

    @staticmethod
    def check_refused(names, outside, inside):
        for name in names:
            require(outside[name] == "allowed", f"{name}: not even outside")
            require(inside[name] == "refused", f"{name}: allowed")

    def check_exposure(self, state):
        shown = self.host.run("systemd-analyze", "security", "--no-pager",
                              f"{UNIT}.service").stdout
        level = re.search(r"Overall exposure level for .*: (\d+\.\d)", shown)
        documented = re.search(rf"^\| {state}.* \| (\d+\.\d) ", self.page,
                               re.M)
        require(float(level[1]) <= float(documented[1]),
                f"{level[1]}, and documented {documented[1]}")

    def check_status(self, inside):
        require(inside["NoNewPrivs"] == "1", inside)
        require(inside["Seccomp"] == "2", inside)
        require(int(inside["CapBnd"], 16) == self.capabilities, inside)

    # Cases

    def test_installing_as_owner(self):
        outside, inside = self.probe("ubuntu")
        self.check_refused(self.refused_to_owner, outside, inside)
        self.check_status(inside)
        require(int(inside["CapEff"], 16) == 0, inside)

    def test_installing_as_root(self):
        checkout = "/srv/app"  # not below the home of somebody else
        config = "/etc/deployment-update.conf"
        self.host.run("git", "clone", "-q", "-b", "prod",
                      "git://127.0.0.1/app.git", checkout)
        # Each checkout has a record of its own.
        self.host.write(config, f"repo-dir = {checkout}\n"
                        "state-dir = /var/lib/deployment-update/of-root\n")
        try:
            outside, inside = self.probe("root")
        finally:
            self.host.outside(config).unlink()
        self.check_refused(self.refused_to_root, outside, inside)
        self.check_status(inside)

    def make_secrets(self):
        """A file that only root can get at, though it can be read by all, and
        a variable of the unit. What is tested are the program's own bounds:
        the unit does not set NoNewPrivileges=."""
        self.host.write("/srv/of-root/secret", SECRET)
        self.host.outside("/srv/of-root").chmod(0o700)
        self.with_setting("NoNewPrivileges=no\n"
                          f'Environment="OF_ROOT={SECRET}"')

    def test_attacks_of_an_install_script(self):
        self.stop_timer()
        self.make_secrets()
        try:
            after = self.host.cursor()
            commit = self.push_install("Attack", "python3 attack.py")
            self.start_timer()
            self.wait_until_deployed(commit, after)
        finally:
            self.without_setting()
        outcomes = self.outcomes(self.read_deployment(after, "Attack"))
        require(len(outcomes) == 6, outcomes)
        require(set(outcomes.values()) == {"refused"}, outcomes)

    def test_links_in_the_stage(self):
        """The owner puts a link to root's file where the stage's index and
        HEAD are bound from, while node_modules is copied."""
        self.host.copy(EXCHANGER, "/srv/exchanger.py")
        self.stop_timer()
        self.make_secrets()
        stage = f"{CHECKOUT}/.git/deployment-update/stage"
        try:
            for name in ("index", "HEAD"):
                self.attack_the_stage(
                    (f"{stage}/{name}", f"/home/ubuntu/link-{name}",
                     "/srv/of-root/secret"),
                    f"{stage}/tree/frontend/node_modules")
        finally:
            self.without_setting()
        after = self.host.cursor()
        commit = self.push_install("After the attacks", "true")
        self.start_timer()
        self.wait_until_deployed(commit, after)

    def attack_the_stage(self, pair, event):
        plan = exchanger(pair, event=event, once=True)[-1]
        after = self.host.cursor()
        self.push_install("Attack", "python3 attack.py")
        self.host.run("systemd-run", "--unit=attacker", "--uid=ubuntu",
                      "--property=RemainAfterExit=yes", "python3",
                      "/srv/exchanger.py", plan)
        try:
            self.host.run("systemctl", "start", f"{UNIT}.service",
                          check=False)
            done = self.host.journal_text(None, "attacker", "-o", "cat")
        finally:
            self.host.run("systemctl", "stop", "attacker.service")
        require("1" in done.splitlines(), f"nothing was tried: {done}")
        outcomes = self.outcomes(texts(self.host.journal(after)))
        require("allowed" not in outcomes.values(), outcomes)

    def test_the_owner_holds_no_lock_of_root(self):
        """He may open .git, and so lock it."""
        self.stop_timer()
        self.host.run("systemd-run", "--unit=holder", "--uid=ubuntu",
                      "flock", f"{CHECKOUT}/.git", "sleep", "infinity")
        try:
            until("the lock to be held", lambda: self.host.run(
                "flock", "--nonblock", f"{CHECKOUT}/.git", "true",
                check=False).returncode, PATIENCE)
            after = self.host.cursor()
            commit = self.push_install("Beside the holder", "true")
            self.host.run("systemctl", "start", f"{UNIT}.service",
                          check=False)
            require(find_line(self.host.journal(after),
                              f"^deployed {commit[:12]} "),
                    texts(self.host.journal(after)))
        finally:
            self.host.run("systemctl", "stop", "holder.service")
            self.start_timer()
            self.wait_until_idle()

    def test_exposure_is_as_documented(self):
        self.check_exposure("with the drop-ins")

    def test_tightened_as_documented(self):
        """A push is built aside, and one that fails is rolled back, under the
        drop-in for a host of which more is known."""
        drop_in = textwrap.dedent(re.search(
            r"^    \[Service\]\n(?:    .+\n)+", self.page, re.M)[0])
        self.stop_timer()
        try:
            commit = self.push_install("Tightened", "true")
            self.with_setting(f"{drop_in}ExecStart=\n"
                              f"ExecStart=/usr/local/bin/{UNIT} --dry-run")
            self.host.run("systemctl", "start", f"{UNIT}.service")
            self.with_setting(drop_in)
            self.check_exposure("tightened ")
            after = self.host.cursor()
            self.start_timer()
            self.wait_until_deployed(commit, after)
            self.read_deployment(after, "Tightened")
            after = self.host.cursor()
            self.host.push("It breaks", {
                "backend/requirements.txt": requirements("colorama")})
            self.wait_for_line(f"^rolled back to {commit[:12]} ", after)
            self.wait_until_idle()
        finally:
            self.without_setting()
            self.start_timer()
            after = self.host.cursor()
            commit = self.host.push("It works", {
                "backend/requirements.txt": requirements("uvicorn"),
                "backend/server.py": server("back end untightened")})
            self.wait_until_deployed(commit, after)

    def test_without_mount_namespaces(self):
        """It builds in place and says so, once."""
        self.with_setting("RestrictNamespaces=\nRestrictNamespaces=yes")
        try:
            after = self.host.cursor()
            commit = self.push_install("In place", "true")
            self.wait_until_deployed(commit, after)
        finally:
            self.without_setting()
        lines = texts(self.host.journal(after))
        said = [line for line in lines if "in place: no mount namespace can "
                "be made" in line]
        require(len(said) == 1, f"said: {said}")
        require(any(line.startswith("frontend: npm install")
                    for line in lines), lines)

    def test_variables_of_the_unit(self):
        """An installation has those that the configuration names."""
        config = "/etc/deployment-update.conf"
        self.host.write(config, "pass-environment = NAMED\n")
        self.with_setting("Environment=NAMED=yes OTHER=yes")
        try:
            after = self.host.cursor()
            commit = self.push_install("Variables", "env | sed 's/^/has /'")
            self.wait_until_deployed(commit, after)
        finally:
            self.without_setting()
            self.host.outside(config).unlink()
        lines = texts(self.host.journal(after))
        require("frontend | has NAMED=yes" in lines, lines)
        require("frontend | has USER=ubuntu" in lines, lines)
        for name in ("OTHER", "INVOCATION_ID", "JOURNAL_STREAM"):
            require(not any(f"has {name}=" in line for line in lines), lines)

    def test_install_of_the_owner_is_ended(self):
        """Root may send signals to processes of the owner."""
        self.stop_timer()
        self.push_install("It waits", "echo it waits; trap '' TERM; "
                          "sleep infinity")
        after = self.host.cursor()
        self.host.run("systemctl", "start", "--no-block", f"{UNIT}.service")
        self.wait_for_line(r"frontend \| it waits", after)
        # Sooner than systemd would kill all of it.
        self.host.run("systemctl", "stop", f"{UNIT}.service", timeout=40)
        require(find_line(self.host.journal(after), "interrupted by SIGTERM"),
                texts(self.host.journal(after)))
        result = self.host.show(f"{UNIT}.service", "Result")
        require(result == "exit-code", f"the service ended by {result}")
        after = self.host.cursor()
        commit = self.push_install("It waits no more", "true")
        self.start_timer()
        self.wait_until_deployed(commit, after)

    def test_locks_of_git(self):
        """Root sees where the owner's git works: in the checkout it keeps
        its lock, elsewhere the lock is a leftover."""
        lock = f"{CHECKOUT}/.git/index.lock"
        self.stop_timer()
        for folder, pattern in [
                (CHECKOUT, r"index\.lock exists, and git .* is running in the "
                           "checkout"),
                ("/home/ubuntu", r"^remove .*index\.lock")]:
            self.host.run("touch", "-d", "1 hour ago", lock, user="ubuntu")
            self.host.run(
                "systemd-run", "--unit=reader", "--uid=ubuntu",
                f"--setenv=GIT_DIR={CHECKOUT}/.git",
                f"--working-directory={folder}", "bash", "-c",
                "sleep infinity | git cat-file --batch")
            try:
                until("git to work", lambda: self.host.run(
                    "pgrep", "-u", "ubuntu", "-x", "git",
                    check=False).stdout, PATIENCE)
                after = self.host.cursor()
                self.host.push_back_end(f"back end beside git in {folder}")
                self.host.run("systemctl", "start", f"{UNIT}.service",
                              check=False)
                require(find_line(self.host.journal(after), pattern),
                        texts(self.host.journal(after)))
                gone = not self.host.outside(lock).exists()
            finally:
                self.host.run("systemctl", "stop", "reader")
                self.host.outside(lock).unlink(missing_ok=True)
        require(gone, f"{lock} stayed")
        self.start_timer()
        self.wait_until_idle()

    def test_outer_bound(self):
        """A run that hangs ends, and the timer goes on."""
        self.stop_timer()
        self.with_setting("TimeoutStartSec=5s")
        after = self.host.cursor()
        self.host.run("systemctl", "kill", "--signal=STOP", "origin.service")
        try:
            self.host.run("systemctl", "start", "--no-block",
                          f"{UNIT}.service")
            until("a run to be ended", lambda: "start operation timed out"
                  in self.host.journal_text(after), PATIENCE)
        finally:
            self.host.run("systemctl", "kill", "--signal=CONT",
                          "origin.service")
            self.without_setting()
        self.start_timer()
        self.wait_for_line(f"^{NO_CHANGES[0]}$", after)
