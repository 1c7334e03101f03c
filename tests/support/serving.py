"""A world whose back end is a real server in a control group, and whose
processes and network are its own: what the program sees of its ports is real,
too. In place of systemd stands support/service_manager. Needs root.
"""

import json
import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

from support import PATIENCE, until
from support.world import World

PORT = 8000
SERVICE_MANAGER = Path(__file__).resolve().parent / "service_manager"

# The first process, as systemd is on a host: it has the end of others taken
# care of, and may hold a listening socket for them, which it gives to whoever
# connects to a name in its network.
INIT = """
import fcntl, signal, socket, struct, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(control, 0x8914, struct.pack("16sH22x", b"lo", 1))  # up
if len(sys.argv) > 1:
    held = socket.create_server(("0.0.0.0", int(sys.argv[1])))
    giver = socket.socket(socket.AF_UNIX)
    giver.bind("\\0held")
    giver.listen()
print("up", flush=True)
while len(sys.argv) > 1:
    taker = giver.accept()[0]
    socket.send_fds(taker, [b"-"], [held.fileno()])
    taker.close()
while True:
    signal.pause()
"""

# As uvicorn --reload: this process has the socket, and a child imports the
# server and listens. When the child ends, this process stays. systemd would
# start it in its control group.
RELOADER = """
import os, signal, socket, sys
sys.path.insert(0, os.getcwd())
group, port = sys.argv[1:3]
if not port.isdigit():
    with open(port) as file:
        port = file.read()
with open(f"{group}/cgroup.procs", "w") as file:
    file.write("0")
if sys.argv[3:] == ["held"]:
    init = socket.socket(socket.AF_UNIX)
    init.connect("\\0held")
    listener = socket.socket(fileno=socket.recv_fds(init, 1, 1)[1][0])
else:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", int(port)))
if os.fork() == 0:
    import server
    server.serve(listener)
    os._exit(1)
while True:
    signal.pause()
"""

FRONT_END = """[Service]
WorkingDirectory={checkout}/frontend
ExecStart=/usr/bin/python3 -c "import signal; signal.pause()"
"""

# It listens nowhere.
WORKER = """[Service]
WorkingDirectory={checkout}/backend
ExecStart=/usr/bin/python3 -c "import pathlib, signal; \
  pathlib.Path('{folder}/cgroup.procs').write_text('0'); signal.pause()"

[X-Show]
ControlGroup={group}
"""

BACK_END = """[Service]
WorkingDirectory={checkout}/backend
ExecStart=/usr/bin/python3 {reloader} {arguments}

[X-Show]
ControlGroup={group}
FragmentPath={unit}
{more}
"""

SOCKET = """[X-Show]
Listen=0.0.0.0:{port} (Stream)
"""

# What server.py can be. Each serve() is a version of its own.
SERVES = """
def serve(listener):
    listener.listen()
    while True:
        listener.accept()[0].close()
"""
RAISES = "raise RuntimeError('at import')\n"
LEAVES = """
import os, threading
threading.Timer(1, os._exit, [1]).start()  # seconds
""" + SERVES
SERVES_MORE = """
import socket, threading
more = [socket.create_server(("0.0.0.0", port)) for port in (0, 9100)]
def accept(listener):
    while True:
        listener.accept()[0].close()
for listener in more:
    threading.Thread(target=accept, args=[listener], daemon=True).start()
""" + SERVES
# One connection after the other: who holds one keeps it from all others.
SERVES_HTTPS = """
import ssl
def serve(listener):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain({pem!r})
    listener.listen()
    while True:
        try:
            with context.wrap_socket(listener.accept()[0], True) as client:
                client.recv(4096)
                client.sendall(b"HTTP/1.0 {status} X\\r\\n"
                               b"Content-Length: 0\\r\\n\\r\\n")
        except OSError:  # it has left
            pass
"""
SERVES_ELSEWHERE = """
import socket
def serve(listener):
    listener.close()
    listener = socket.create_server(("0.0.0.0", 8001))
    while True:
        listener.accept()[0].close()
"""
# It ends the supervisor, and goes on.
DIES_ELSEWHERE = """
import os, threading
threading.Timer(0.5, os.kill, [os.getppid(), 9]).start()  # seconds
""" + SERVES_ELSEWHERE


def own_group(name):
    """A control group below the one that this process is in, version 2: its
    path and its folder."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            path = f"{line[3:].rstrip('/')}/{name}"
            for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
                if Path(f"{top}/cgroup.procs").exists():
                    return path, Path(top + path)
    raise unittest.SkipTest("there are no control groups of version 2")


class ServingWorld(World):
    """`held`: the first process holds the port, as for a .socket unit."""

    def __init__(self, config, held=False):
        super().__init__(config=config)
        self.held = held
        self.group, self.folder = own_group(f"serves-{os.getpid()}-{id(self)}")
        self.units = self.root / "units"
        self.units.mkdir()
        shutil.copy(SERVICE_MANAGER, self.bin / "systemctl")
        (self.root / "reloader").write_text(RELOADER)
        self.unit("frontend-deployment.service", FRONT_END)
        self.worker_group, self.worker_folder = own_group(
            f"{self.folder.name}-worker")
        self.unit("worker.service", WORKER, group=self.worker_group,
                  folder=self.worker_folder)
        self.unit("backend.socket", SOCKET, port=PORT)
        self.back_end()

    def __enter__(self):
        try:
            self.folder.mkdir()
            self.worker_folder.mkdir()
        except OSError as error:
            raise unittest.SkipTest(
                "no control group can be made") from error
        self._unshare = subprocess.Popen(
            [shutil.which("unshare"), "--mount", "--pid", "--net", "--fork",
             "--kill-child", "--mount-proc", sys.executable, "-c", INIT,
             *([str(PORT)] if self.held else [])],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if self._unshare.stdout.readline() != "up\n":
            raise OSError("there are no namespaces of processes and networks")
        return super().__enter__()

    def __exit__(self, *unused):
        self._unshare.kill()
        self._unshare.wait(PATIENCE)
        self._unshare.stdout.close()
        until("the processes to be gone", self._is_removed)
        super().__exit__(*unused)

    def _is_removed(self):
        try:
            for folder in (self.folder, self.worker_folder):
                if folder.exists():
                    folder.rmdir()
        except OSError:  # it is busy
            return False
        return True

    def unit(self, name, text, **values):
        path = self.units / name
        path.write_text(text.format(checkout=self.checkout, unit=path,
                                    reloader=self.root / "reloader", **values))

    def back_end(self, port=PORT, more=""):
        """Its unit, with `more` of what systemctl is to show. `port` may be a
        file that tells it when the service starts."""
        arguments = f"{self.folder} {port}"
        if self.held:
            arguments += " held"
            more += "\nTriggeredBy=backend.socket"
        self.unit("backend-deployment.service", BACK_END, more=more,
                  group=self.group, arguments=arguments)

    def started_long_ago(self):
        """As if the back end had been started an hour ago."""
        path = self.units / "backend-deployment.service.state"
        state = json.loads(path.read_text())
        state["since"] -= 3600 * 1000000
        path.write_text(json.dumps(state))

    def inside(self, *command):
        """A command among the processes here."""
        process = self._unshare.pid
        children = Path(f"/proc/{process}/task/{process}/children")
        return [shutil.which("nsenter"),
                f"--target={children.read_text().split()[0]}", "--mount",
                "--pid", "--net", "--", *command]

    def run_program(self, command, **options):
        return super().run_program(self.inside(*command), **options)

    def answers(self, port=PORT):
        """True when a server takes a connection, and closes it."""
        ask = ("import socket; socket.create_connection(('127.0.0.1', "
               f"{port}), 5).recv(1)")
        return subprocess.run(
            self.inside(sys.executable, "-c", ask), check=False,
            stderr=subprocess.DEVNULL, timeout=PATIENCE).returncode == 0

    def push_server(self, text, subject="A server"):
        return self.push(subject, {"backend/server.py": text})
