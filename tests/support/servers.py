"""Servers of git, on loopback, with everything of their own in one folder:
over http (git http-backend behind lighttpd) and over ssh.

Both are contexts; leaving one ends its server.
"""

import os
import pwd
import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path

from support import until

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
               "LANG": "C.UTF-8", "HOME": "/nonexistent",
               "GIT_CONFIG_NOSYSTEM": "1"}
BACKEND = "/usr/lib/git-core/git-http-backend"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Server:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir()
        self.port = free_port()
        self.process = None

    def __enter__(self):
        with open(self.folder / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                self.command(), env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)
        try:
            until(f"{self.command()[0]} to serve", self._answers, pause=0.05)
        except Exception:
            self.__exit__()
            raise
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.command()[0]} does not serve:\n" +
                               (self.folder / "log").read_text())
        with socket.socket() as there:
            return there.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(self, *unused):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def cpu(self):
        """Seconds that the server and its ended children have computed."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = fields.rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


class HttpServer(Server):
    """Serves the repositories in `projects` at .url/NAME."""

    @staticmethod
    def missing():
        if not shutil.which("lighttpd", path=ENVIRONMENT["PATH"]):
            return "lighttpd"
        return None if os.access(BACKEND, os.X_OK) else BACKEND

    def __init__(self, folder, projects):
        super().__init__(folder)
        self.url = f"http://127.0.0.1:{self.port}"
        self.access_log = self.folder / "access"
        (self.folder / "lighttpd.conf").write_text(f"""
server.modules = ("mod_alias", "mod_setenv", "mod_cgi", "mod_accesslog")
server.document-root = "{self.folder}"
server.bind = "127.0.0.1"
server.port = {self.port}
server.errorlog = "{self.folder}/log"
server.max-connections = 4096
server.listen-backlog = 4096
server.max-fds = 8192
accesslog.filename = "{self.access_log}"
accesslog.format = "%{{msec}}t %s %r"
alias.url = ("" => "{BACKEND}")
cgi.assign = ("" => "")
setenv.add-environment = ("GIT_PROJECT_ROOT" => "{projects}",
                          "GIT_HTTP_EXPORT_ALL" => "1",
                          "GIT_CONFIG_NOSYSTEM" => "1")
""")

    def command(self):
        return ["lighttpd", "-D", "-f", str(self.folder / "lighttpd.conf")]


class SshServer(Server):
    """sshd with a host key and a user key of its own; `.ssh_command` is what
    core.sshCommand takes to reach .url/PATH."""

    host_key = "host"

    @staticmethod
    def missing():
        for program in ("sshd", "ssh", "ssh-keygen"):
            if not shutil.which(program, path=ENVIRONMENT["PATH"]):
                return program
        return None if os.geteuid() == 0 else "root, for sshd"

    def __init__(self, folder):
        super().__init__(folder)
        self.folder.chmod(0o700)
        self.url = "ssh://server"
        for key in ("host", "other-host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "",
                            "-f", self.folder / key], check=True)
        host = (self.folder / "host.pub").read_text()
        (self.folder / "known").write_text(
            f"[127.0.0.1]:{self.port} {host}")
        # UsePAM: else an account without a password counts as locked.
        (self.folder / "sshd_config").write_text(f"""
Port {self.port}
ListenAddress 127.0.0.1
AuthorizedKeysFile {self.folder}/user.pub
PidFile none
UsePAM yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
AcceptEnv GIT_PROTOCOL
""")
        (self.folder / "config").write_text(f"""
Host server
  HostName 127.0.0.1
  Port {self.port}
  User {pwd.getpwuid(os.geteuid()).pw_name}
  IdentityFile {self.folder}/user
  IdentitiesOnly yes
  UserKnownHostsFile {self.folder}/known
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
""")
        self.ssh_command = f"ssh -F {self.folder}/config"

    def command(self):
        # sshd wants to be started by its absolute path.
        sshd = shutil.which("sshd", path=ENVIRONMENT["PATH"])
        Path("/run/sshd").mkdir(exist_ok=True)  # its privilege separation
        return [sshd, "-D", "-e", "-f", str(self.folder / "sshd_config"),
                "-h", str(self.folder / self.host_key)]

    @contextmanager
    def under_another_key(self):
        """The same server, and not known any more."""
        self.host_key = "other-host"
        try:
            with self:
                yield self
        finally:
            self.host_key = "host"
