"""Remotes over http and ssh that ask, or are not who they were."""

import http.server
import os
import pty
import re
import select
import shutil
import socket
import subprocess
import threading
import time
import unittest

from world import PATIENCE, World, main, wait_for


class Asks(http.server.BaseHTTPRequestHandler):
    """Wants a name and a password."""

    def do_GET(self):
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="private"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *unused):
        pass


def read_terminal(terminal, child):
    """What a child writes to its terminal until it ends."""
    text = b""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 1)
        try:
            if ready:
                text += os.read(terminal, 4096)
        except OSError:  # the other end is closed
            _, status = os.waitpid(child, 0)
            return text.decode(), os.waitstatus_to_exitcode(status)
    os.kill(child, 9)
    os.waitpid(child, 0)
    raise AssertionError(f"it waits: {text}")


class Remotes(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(World())

    def set_remote(self, url):
        self.world.git(self.world.checkout, "remote", "set-url", "origin", url)

    def test_nobody_is_asked_for_a_password(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Asks)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.set_remote(f"http://127.0.0.1:{server.server_port}/x.git")
        child, terminal = pty.fork()
        if child == 0:
            arguments = self.world.arguments()
            os.execve(arguments[0], arguments, self.world.environment)
        text, code = read_terminal(terminal, child)
        os.close(terminal)
        self.assertEqual(code, 1, text)
        self.assertNotIn("Username for", text.replace(
            "could not read Username for", ""))
        self.assertIn("terminal prompts disabled", text)


@unittest.skipUnless(os.geteuid() == 0, "needs root to serve ssh")
class Ssh(Remotes):
    test_nobody_is_asked_for_a_password = None

    def setUp(self):
        super().setUp()
        world = self.world
        self.folder = world.root / "ssh"
        self.folder.mkdir(mode=0o700)
        for name in ("host", "other-host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "",
                            "-f", self.folder / name], check=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        public = (self.folder / "host.pub").read_text()
        (self.folder / "known").write_text(
            f"[127.0.0.1]:{self.port} {public}")
        (world.bin / "ssh").symlink_to(shutil.which("ssh"))
        world.environment["GIT_SSH_COMMAND"] = (
            f"ssh -F none -i {self.folder}/user -o IdentitiesOnly=yes "
            f"-o UserKnownHostsFile={self.folder}/known")
        self.set_remote(f"ssh://root@127.0.0.1:{self.port}{world.origin}")

    def serve(self, host_key):
        """sshd(8) for this test alone."""
        config = self.folder / "config"
        config.write_text(f"""
Port {self.port}
ListenAddress 127.0.0.1
HostKey {self.folder}/{host_key}
AuthorizedKeysFile {self.folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
SetEnv PATH={os.environ['PATH']}
""")
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        sshd = subprocess.Popen(
            [shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin"),
             "-D", "-e", "-f", config], stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)

        def stop():
            sshd.terminate()
            sshd.wait(PATIENCE)

        def answers():
            self.assertIsNone(sshd.poll(), "sshd ended")
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return True
            except OSError:
                return False

        wait_for(answers)
        return stop

    def test_a_host_key_that_changed(self):
        world = self.world
        first = world.push("Over ssh", {"README": "1\n"})
        stop = self.serve("host")
        run = world.run()
        stop()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(world.commit(), first)

        second = world.push("Second", {"README": "2\n"})
        stop = self.serve("other-host")
        run = world.run()
        stop()
        self.assertEqual(run.returncode, 1)
        self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        self.assertRegex(run.stderr, "asking origin for branch prod failed: .*"
                         "nothing was changed; the next run asks again")
        self.assertIn("Host key verification failed", run.stderr)
        self.assertEqual(world.commit(), first)

        stop = self.serve("host")
        run = world.run()
        stop()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("origin answers again", run.stderr)
        self.assertEqual(world.commit(), second)


if __name__ == "__main__":
    main()
