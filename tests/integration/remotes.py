"""Remotes over http and ssh that ask, or are not who they were."""

import http.server
import os
import pty
import select
import threading
import time
import unittest

from support import PATIENCE, needs_root
from support.servers import SshServer
from support.world import World


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
    """Returns what a child writes to its terminal until it ends."""
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
    def test_nobody_is_asked_for_a_password(self):
        world = self.enterContext(World())
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Asks)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        world.git(world.checkout, "remote", "set-url", "origin",
                  f"http://127.0.0.1:{server.server_port}/x.git")
        child, terminal = pty.fork()
        if child == 0:
            arguments = world.arguments()
            os.execve(arguments[0], arguments, world.environment)
        text, code = read_terminal(terminal, child)
        os.close(terminal)
        self.assertEqual(code, 1, text)
        self.assertNotIn("Username for", text.replace(
            "could not read Username for", ""))
        self.assertIn("terminal prompts disabled", text)


@needs_root
class Ssh(unittest.TestCase):
    def test_a_host_key_that_changed(self):
        world = self.enterContext(World())
        server = SshServer(world.root / "ssh")
        world.link_tool("ssh")
        world.environment["GIT_SSH_COMMAND"] = server.ssh_command
        world.git(world.checkout, "remote", "set-url", "origin",
                  f"{server.url}{world.origin}")
        first = world.push("Over ssh", {"README": "1\n"})
        with server:
            run = world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(world.commit(), first)

        second = world.push("Second", {"README": "2\n"})
        with server.under_another_key():
            run = world.run()
        self.assertEqual(run.returncode, 1)
        self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        self.assertRegex(run.stderr, "asking origin for branch prod failed: .*"
                         "nothing was changed; the next run asks again")
        self.assertIn("Host key verification failed", run.stderr)
        self.assertEqual(world.commit(), first)

        with server:
            run = world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("origin answers again", run.stderr)
        self.assertEqual(world.commit(), second)
