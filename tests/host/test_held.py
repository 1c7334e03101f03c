"""Services whose ports systemd holds (docs/zero-downtime.md), on booted hosts:
what becomes of requests while they restart."""

import json
import subprocess
import time

from host.test_host import Breaking, Group, requirements, server
from host.test_install import BACK, FRONT, UNITS, Installs
from support import TOP, require
from support.host import BACK_END, CHECKOUT, FRONT_END, UNIT, until

BACK_SOCKET = "backend-deployment.socket"
FRONT_SOCKET = "frontend-deployment.socket"
STOP = 5  # seconds that a stop may take (bounded-stop.conf)
# A restart takes one or two on an idle machine.
RESTART = 15

# Asks each of the ports every 20 ms on a new connection. When its standard
# input ends, it waits for the answers and prints for each:
# [port, began, seconds, problem or ""].
ASK = r"""
import asyncio, json, sys, time

found = []

async def ask(port, began):
    problem = ""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 100)
        if b" 200 " not in answer.partition(b"\r\n")[0]:
            problem = repr(answer[:60])
        writer.close()
    except (OSError, asyncio.TimeoutError) as error:
        problem = type(error).__name__
    found.append([port, began, time.monotonic() - began, problem])

async def main():
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    tasks = []
    while not ended.done():
        for port in map(int, sys.argv[1:]):
            tasks.append(asyncio.create_task(ask(port, time.monotonic())))
        await asyncio.sleep(0.02)
    await asyncio.gather(*tasks)
    print(json.dumps(found))

asyncio.run(main())
"""


class Requests:
    """Requests to ports of a host while the context lasts."""

    def __init__(self, host, *ports):
        self._host = host
        self._ports = ports or (FRONT_END, BACK_END)

    def __enter__(self):
        self._process = subprocess.Popen(
            ["nsenter", "-t", str(self._host.first_process()), "-m", "-n",
             "-r", "-w", "--", "/usr/bin/python3", "-c", ASK,
             *map(str, self._ports)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        answers, _ = self._process.communicate(timeout=200)
        self.found = json.loads(answers or "[]")

    @property
    def failed(self):
        return [one for one in self.found if one[3]]

    def slowest(self):
        return max(seconds for _, _, seconds, _ in self.found)

    def gap(self, port):
        """The seconds from the first that failed to the last."""
        began = [when for at, when, _, problem in self.found
                 if problem and at == port]
        return max(began) - min(began) if began else 0

    def require_no_failure(self):
        require(len(self.found) > 50, f"{len(self.found)} requests")
        require(not self.failed, f"{len(self.failed)} of {len(self.found)} "
                f"failed, as {self.failed[:3]}")


class Streaming(Group):
    """One client that holds a response open."""

    options: tuple[str, ...] = ()

    @classmethod
    def install(cls):
        cls.host.install(cls.stage, *cls.options)
        cls.host.wait_for_back_end("back end 1")
        cls.host.wait_for_front_end("front end 1")

    def deploy_while_streaming(self, text):
        """Pushes a good commit; returns the requests of the time of its
        deployment."""
        stream = subprocess.Popen(
            ["nsenter", "-t", str(self.host.first_process()), "-n", "curl",
             "-sN", f"http://127.0.0.1:{BACK_END}/stream"],
            stdout=subprocess.PIPE)
        try:
            require(stream.stdout.read(1) == b".", "no stream")
            after = self.host.cursor()
            with Requests(self.host, BACK_END) as requests:
                commit = self.host.push_back_end(text)
                self.wait_until_deployed(commit, after)
            require(stream.wait(30) != 0, "the stream was not cut off")
        finally:
            stream.kill()
            stream.communicate()
        return requests

    def test_it_keeps_others_out_for_the_bound_and_a_restart(self):
        requests = self.deploy_while_streaming("back end 2")
        require(requests.failed, "nothing was refused without held sockets")
        require(requests.gap(BACK_END) <= STOP + RESTART,
                f"refused for {requests.gap(BACK_END)} s")


class HeldStreaming(Streaming):
    """The same with held sockets."""

    options = ("--hold-connections",)

    def test_it_keeps_others_out_for_the_bound_and_a_restart(self):
        requests = self.deploy_while_streaming("back end 2")
        requests.require_no_failure()
        require(requests.slowest() <= STOP + RESTART,
                f"one waited {requests.slowest()} s")


class Held(Breaking, Installs, Group):
    """Services whose ports systemd holds."""

    @classmethod
    def install(cls):
        cls.said = cls.host.install(cls.stage, "--hold-connections")
        cls.host.wait_for_back_end("back end 1")
        cls.host.wait_for_front_end("front end 1")

    def setUp(self):
        self.require_states(("static", "active"), FRONT_SOCKET, BACK_SOCKET)

    def test_good_pushes(self):
        with Requests(self.host) as requests:
            for number in (2, 3, 4):
                after = self.host.cursor()
                commit = self.host.push(f"Push {number}", {
                    "backend/server.py": server(f"back end {number}"),
                    "frontend/main.js":
                        f'document.title = "front end {number}";\n'})
                self.wait_until_deployed(commit, after)
                self.host.wait_for_back_end(f"back end {number}")
                self.host.wait_for_front_end(f"front end {number}")
        requests.require_no_failure()
        require(self.listens() == ["8000", "3000"], self.listens())

    def test_a_new_environment(self):
        with Requests(self.host, BACK_END) as requests:
            after = self.host.cursor()
            commit = self.host.push("A requirement", {
                "backend/requirements.txt": requirements("uvicorn",
                                                         "colorama"),
                "backend/server.py": server("back end with colorama",
                                            "import colorama\n")})
            self.wait_until_deployed(commit, after)
        requests.require_no_failure()

    def test_a_rollback_by_hand_refuses_nobody(self):
        for text in ("back end to go back to", "back end to leave"):
            after = self.host.cursor()
            commit = self.host.push_back_end(text)
            self.wait_until_deployed(commit, after)
        self.wait_until_idle()
        with Requests(self.host) as requests:
            said = self.host.run(UNIT, "--wait=60", "--rollback").stderr
            self.host.wait_for_back_end("back end to go back to")
        requests.require_no_failure()
        require("rolled back to " in said, said)
        require(self.listens() == ["8000", "3000"], self.listens())
        self.fix("back end after a rollback by hand")

    def test_nothing_is_in_the_way(self):
        require("nothing is in the way\n" in self.said, self.said)

    def test_the_backlog_is_what_was_asked_for(self):
        queues = dict(line.split()[3:1:-1] for line in self.host.run(
            "ss", "-Hltn4").stdout.splitlines())
        for port in (FRONT_END, BACK_END):
            require(queues[f"0.0.0.0:{port}"] == "4096", queues)

    def test_an_exception_at_import_is_rolled_back_and_nobody_is_refused(self):
        with Requests(self.host) as requests:
            self.check_taken_back(
                {"backend/server.py": "raise RuntimeError\n"},
                r"backend-deployment\.service was restarted and does not run "
                "as it should: (it is|systemd had to|it does not)")
        requests.require_no_failure()
        # Found out before health-timeout.
        require(requests.slowest() < 30, f"{requests.slowest()} s")
        self.fix("back end after an exception")

    def test_a_bad_configuration_of_vite_is_rolled_back(self):
        with Requests(self.host, BACK_END) as requests:
            self.check_taken_back(
                {"frontend/vite.config.js": "throw new Error('at start');\n"},
                r"frontend-deployment\.service was restarted and does not run")
        requests.require_no_failure()
        self.fix("back end after vite", **{
            "frontend/vite.config.js":
                "export default { clearScreen: false };\n"})
        self.host.wait_for_front_end("front end")

    def test_a_good_configuration_of_vite_is_deployed(self):
        """vite itself starts anew when git changes that."""
        after = self.host.cursor()
        commit = self.host.push("Configure vite", {
            "frontend/vite.config.js":
                "export default { clearScreen: false, base: '/' };\n"})
        self.wait_until_deployed(commit, after)
        self.host.wait_for_front_end("front end")
        require(self.host.show(FRONT, "NRestarts") == "0", "it crashed")

    def test_a_crash_refuses_nobody(self):
        before = self.host.show(BACK, "MainPID")
        serving = self.host.fetch(BACK_END)
        with Requests(self.host, BACK_END) as requests:
            self.host.run("kill", "-KILL", before)
            until("another process", lambda: self.host.show(
                BACK, "MainPID") not in ("0", before), 60)
            self.host.wait_for_back_end(serving)
        require("ConnectionRefusedError" not in [
            one[3] for one in requests.found], requests.failed)

    def test_a_reboot(self):
        serving = self.host.fetch(BACK_END)
        self.host.reboot()
        self.host.wait_for_back_end(serving)
        self.host.wait_for_front_end("front end")
        self.require_states(("static", "active"), FRONT_SOCKET, BACK_SOCKET)

    def test_a_service_that_cannot_start_refuses_after_a_while(self):
        """Requests wait, but not for ever; the next deployment serves."""
        path = f"{CHECKOUT}/backend/server.py"
        good = self.host.outside(path).read_text()
        self.host.run("systemctl", "stop", "deployment-update.timer")
        self.wait_until_idle()
        try:
            self.host.write(path, "raise RuntimeError\n")
            began = time.monotonic()
            self.host.run("systemctl", "restart", BACK)
            client = subprocess.Popen(
                ["nsenter", "-t", str(self.host.first_process()), "-n", "curl",
                 "-s", "-m", "150", f"http://127.0.0.1:{BACK_END}/"])
            until("the socket to be given up", lambda: self.ask(
                "is-active", BACK_SOCKET) == "failed", 120)
            waited = time.monotonic() - began
            require(waited > 19, f"given up after {waited} s")
            # 56: it was reset, and had not been refused.
            require(client.wait(30) == 56, f"curl ended with {client.wait()}")
            with Requests(self.host, BACK_END) as requests:
                until("a refusal", lambda: self.host.run(
                    "curl", "-s", f"http://127.0.0.1:{BACK_END}/",
                    check=False).returncode == 7, 10)
            require({one[3] for one in requests.found}
                    == {"ConnectionRefusedError"}, requests.found[:3])
        finally:
            self.host.write(path, good)
            self.host.run("chown", "ubuntu:", path)
            self.host.run("systemctl", "start", "deployment-update.timer")
        self.fix("back end after the start limit")

    def test_twenty_restarts_of_deployments_hit_no_limit(self):
        before = self.host.fetch(BACK_END)
        for _ in range(21):
            self.host.shell(f"systemctl reset-failed {BACK}; "
                            f"systemctl restart {BACK}")
        self.host.wait_for_back_end(before)

    def test_held_or_not_under_load(self):
        """To turn it on or off costs one bare restart's gap at most."""
        before = self.host.fetch(BACK_END)
        with Requests(self.host, BACK_END) as off:
            said = self.host.run("/srv/install", "--stage", "/srv/stage",
                                 "--no-hold-connections", timeout=300).stdout
            self.host.wait_for_back_end(before)
        require(f"stopped {BACK_SOCKET}" in said, said)
        self.require_states(("", "inactive"), FRONT_SOCKET, BACK_SOCKET)
        with Requests(self.host, BACK_END) as bare:
            self.host.run("systemctl", "restart", BACK)
            self.host.wait_for_back_end(before)
        with Requests(self.host, BACK_END) as on:
            self.host.run("/srv/install", "--stage", "/srv/stage",
                          "--hold-connections", timeout=300)
            self.host.wait_for_back_end(before)
        self.require_states(("static", "active"), FRONT_SOCKET, BACK_SOCKET)
        for requests in (off, on):
            gap = requests.gap(BACK_END)
            require(gap <= 2 * bare.gap(BACK_END) + 1,
                    f"{gap} s, and {bare.gap(BACK_END)} s bare")
        self.host.wait_for_front_end("front end")

    def test_an_upgrade_keeps_it_and_restarts_nothing(self):
        before = self.invocations(FRONT, BACK, FRONT_SOCKET, BACK_SOCKET)
        with self.newer("deployment-update.timer"):
            self.upgrade()
        self.upgrade()
        require(before == self.invocations(FRONT, BACK, FRONT_SOCKET,
                                           BACK_SOCKET), "restarted")

    def test_z_uninstalling_leaves_it_or_ends_all(self):
        before = self.invocations(FRONT, BACK, FRONT_SOCKET, BACK_SOCKET)
        said = self.uninstall()
        require(before == self.invocations(FRONT, BACK, FRONT_SOCKET,
                                           BACK_SOCKET), "restarted")
        require(f"stays: {BACK_SOCKET} (active), which holds" in said, said)
        self.upgrade()
        require(before == self.invocations(FRONT, BACK, FRONT_SOCKET,
                                           BACK_SOCKET), "restarted")
        with Requests(self.host):  # none of them starts a service again
            self.uninstall("--with-application")
        self.require_states(("", "inactive"), FRONT_SOCKET, BACK_SOCKET,
                            FRONT, BACK)
        left = self.host.shell(f"find {UNITS} -path '*-deployment.*'")
        require(not left, left)


class Proxied(Group):
    """Services that open their ports themselves, behind proxies that retry."""

    PROXIES = {8080: ("Caddyfile", "/etc/caddy/Caddyfile", "caddy"),
               8081: ("haproxy.cfg", "/etc/haproxy/haproxy.cfg", "haproxy")}

    def setUp(self):
        self.host.write("/etc/hosts", "127.0.0.1 localhost\n")
        for port, (name, path, unit) in self.PROXIES.items():
            self.host.copy(TOP / "docs/examples/retrying-proxy" / name, path)
            self.host.run("systemctl", "restart", unit)
            until(f"{unit} to serve", lambda at=port: self.host.fetch(
                at) == "back end 1", 30)

    def test_requests_to_it_wait(self):
        with Requests(self.host, *self.PROXIES) as proxied:
            with Requests(self.host, BACK_END) as direct:
                for number in (2, 3):
                    after = self.host.cursor()
                    commit = self.host.push_back_end(f"back end {number}")
                    self.wait_until_deployed(commit, after)
                    for port in (BACK_END, *self.PROXIES):
                        until(f"{port} to serve", lambda at=port, of=number:
                              self.host.fetch(at) == f"back end {of}", 60)
        require(direct.failed, "nothing was refused without a proxy")
        proxied.require_no_failure()
