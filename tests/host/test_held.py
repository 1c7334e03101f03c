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


# Makes connections to a port and asks once on each. Then, for each line of its
# standard input, posts 1,000 bytes on each of them and prints the statuses, or
# what went wrong.
KEEP = r"""
import http.client, json, sys

kept = [http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=100)
        for _ in range(int(sys.argv[2]))]

def ask(*request):
    found = [""] * len(kept)
    for number, one in enumerate(kept):
        try:
            one.request(*request)
        except (OSError, http.client.HTTPException) as error:
            found[number] = type(error).__name__
    for number, one in enumerate(kept):
        try:
            if not found[number]:
                answer = one.getresponse()
                answer.read()
                found[number] = answer.status
        except (OSError, http.client.HTTPException) as error:
            found[number] = type(error).__name__
        one.auto_open = 0  # no second connection in its place
    print(json.dumps(found), flush=True)

ask("GET", "/")
for _ in sys.stdin:
    ask("POST", "/", b"x" * 1000)
"""

# Restarts the back end beside connections in each state, and prints what
# became of them.
RESTART_BESIDE = r"""
import http.client, json, socket, subprocess, time

UNIT = "backend-deployment.service"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

def connect():
    return socket.create_connection(("127.0.0.1", 8000), 60)

def post(path):
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\n"
            "Content-Length: 10\r\n\r\n12345").encode()

def answer(connection):
    found = http.client.HTTPResponse(connection)
    found.begin()
    found.read()
    return [found.status, found.getheader("connection", "")]

def rest(connection):
    try:
        return connection.recv(1000).decode()
    except ConnectionError:
        return ""

def wait_for_store(is_reached):
    end = time.monotonic() + 30
    while not is_reached(int(subprocess.check_output(
            ["systemctl", "show", "--property=NFileDescriptorStore", "--value",
             UNIT]))):
        assert time.monotonic() < end
        time.sleep(0.02)

reading, early, silent, idle = (connect() for _ in range(4))
reading.sendall(post("/read"))
early.sendall(post("/"))  # is answered before its end
idle.sendall(GET)
found = {"before": [answer(early), answer(idle)]}
restart = subprocess.Popen(["systemctl", "restart", UNIT])
wait_for_store(lambda number: number >= 2)
for one in (reading, early):
    try:
        one.sendall(b"67890")
    except ConnectionError:
        pass
found["reading"] = [answer(reading), rest(reading)]
found["early"] = rest(early)
silent.sendall(GET)
idle.sendall(post("/read") + b"67890")
found["after"] = [answer(silent), answer(idle)]
found["restart"] = restart.wait(30)
wait_for_store(lambda number: number == 0)
print(json.dumps(found))
"""


class Kept:
    """Clients that keep their connections while the context lasts."""

    def __init__(self, host, port, number):
        self._command = [
            "nsenter", "-t", str(host.first_process()), "-n",
            "/usr/bin/python3", "-c", KEEP, str(port), str(number)]
        self._served = [200] * number

    def __enter__(self):
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        self.require_served()
        return self

    def __exit__(self, *_):
        self._process.communicate(timeout=200)

    def post(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def answers(self):
        return json.loads(self._process.stdout.readline())

    def require_served(self):
        answers = self.answers()
        require(answers == self._served, answers)


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

    def test_connections_that_are_kept_outlive_restarts(self):
        with Kept(self.host, BACK_END, 300) as kept:
            for restarts in (1, 1, 4):  # four: while the next one starts
                for _ in range(restarts):
                    self.host.run("systemctl", "restart", BACK)
                kept.post()
                kept.require_served()
            until("systemd to keep none", lambda: self.host.show(
                BACK, "NFileDescriptorStore") == "0", 10)

    def require_moved(self):
        found = json.loads(self.host.run(
            "/usr/bin/python3", "-c", RESTART_BESIDE).stdout)
        require(found == {
            "before": [[200, ""], [200, ""]], "early": "", "restart": 0,
            "reading": [[200, "close"], ""], "after": [[200, ""], [200, ""]],
        }, found)

    def test_a_restart_moves_connections_that_are_idle(self):
        self.require_moved()

    def test_so_it_does_with_the_other_parser_and_loop(self):
        """Those of uvicorn[standard]."""
        after = self.host.cursor()
        commit = self.host.push("More for uvicorn", {
            "backend/requirements.txt": requirements("uvicorn", "httptools",
                                                     "uvloop")})
        self.wait_until_deployed(commit, after)
        self.wait_until_idle()
        self.require_moved()
        mapped = self.host.shell(
            f"cat /proc/{self.host.show(BACK, 'MainPID')}/maps")
        require("uvloop" in mapped and "httptools" in mapped, mapped)

    def test_requests_on_them_wait_for_a_process_that_starts(self):
        path = f"{CHECKOUT}/backend/server.py"
        good = self.host.outside(path).read_text()
        with Kept(self.host, BACK_END, 5) as kept:
            try:
                self.host.write(path, "raise RuntimeError\n")
                self.host.run("systemctl", "restart", BACK)
                kept.post()
                until("a second start", lambda: self.host.show(
                    BACK, "NRestarts") not in ("0", "1"), 60)
            finally:
                self.host.write(path, good)
                self.host.run("chown", "ubuntu:", path)
            kept.require_served()

    def test_they_end_with_a_service_that_is_stopped(self):
        before = self.host.fetch(BACK_END)
        with Kept(self.host, BACK_END, 5) as kept:
            self.host.run("systemctl", "stop", BACK_SOCKET, BACK)
            try:
                kept.post()
                answers = kept.answers()
            finally:
                self.host.run("systemctl", "start", BACK)
        require(200 not in answers and "TimeoutError" not in answers, answers)
        self.host.wait_for_back_end(before)

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
