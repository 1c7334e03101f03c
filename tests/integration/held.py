"""The module by which a server of node takes over a held socket, with real
node.

That of uvicorn: tests/host/test_held.py."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import unittest

from support import PATIENCE, TOP, until

MODULE = (TOP / "units/hold-connections/frontend-deployment.service.d"
          / "held-port.cjs")

# Answers /slow in two parts, the second one when SIGUSR2 comes, and /late only
# then.
SERVER = """
const http = require('http');
const server = http.createServer((request, response) => {
  if (request.url === '/slow') response.write('begun ');
  else if (request.url === '/late') console.log('late');
  else return response.end('served');
  process.once('SIGUSR2', () => response.end('ended'));
});
"""
LISTEN = "server.listen(Number(process.env.PORT), '127.0.0.1', " \
         "() => console.log('listening'));\n"


@unittest.skipUnless(shutil.which("node"), "needs node")
class OnStandardInput(unittest.TestCase):
    """A server whose standard input is the socket."""

    def setUp(self):
        self.held = self.enterContext(socket.socket())
        self.held.bind(("127.0.0.1", 0))
        self.held.listen(100)
        self.port = self.held.getsockname()[1]

    def start(self, script, port=None):
        server = subprocess.Popen(
            ["node", "-e", script], stdin=self.held, stdout=subprocess.PIPE,
            text=True, env=os.environ | {
                "PORT": str(port or self.port), "HELD_PORT": str(self.port),
                "NODE_OPTIONS": f"--require={MODULE}"})
        self.addCleanup(server.wait)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.kill)
        return server

    def start_and_wait(self, script, port=None):
        server = self.start(script, port)
        self.assertEqual(server.stdout.readline(), "listening\n")
        return server

    def connect(self, path, port=None):
        client = http.client.HTTPConnection("127.0.0.1", port or self.port,
                                            timeout=PATIENCE)
        self.addCleanup(client.close)
        client.request("GET", path)
        return client

    def test_it_answers_who_came_before_it(self):
        waiting = self.connect("/")
        self.start_and_wait(SERVER + LISTEN)
        self.assertEqual(waiting.getresponse().read(), b"served")

    def test_another_port_is_opened_as_ever(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            port = other.getsockname()[1]
        self.start_and_wait(SERVER + LISTEN, port)
        self.assertEqual(self.connect("/", port).getresponse().read(),
                         b"served")

    def tell_to_end(self, server):
        """Waits until it accepts no more, which it says on a connection that
        it has. A request that is under way has to keep it."""
        kept = self.connect("/")
        first = kept.getresponse()
        self.assertEqual(first.read(), b"served")
        self.assertNotEqual(first.getheader("Connection"), "close")
        server.terminate()
        server.terminate()  # systemd may send it twice

        def is_last():
            kept.request("GET", "/")
            answer = kept.getresponse()
            self.assertEqual(answer.read(), b"served")
            return answer.getheader("Connection") == "close"

        until("the last answer of a connection", is_last)

    def test_requests_end_first_and_later_ones_wait_for_the_next(self):
        server = self.start_and_wait(SERVER + LISTEN)
        slow = self.connect("/slow").getresponse()
        self.assertEqual(slow.read(6), b"begun ")
        self.tell_to_end(server)
        waiting = self.connect("/")
        server.send_signal(signal.SIGUSR2)
        self.assertEqual(slow.read(), b"ended")
        self.assertEqual(server.wait(PATIENCE), 0)
        self.start_and_wait(SERVER + LISTEN)
        self.assertEqual(waiting.getresponse().read(), b"served")

    def test_an_answer_that_begins_later_says_that_it_is_the_last(self):
        server = self.start_and_wait(SERVER + LISTEN)
        late = self.connect("/late")
        self.assertEqual(server.stdout.readline(), "late\n")
        self.tell_to_end(server)
        server.send_signal(signal.SIGUSR2)
        answer = late.getresponse()
        self.assertEqual(answer.read(), b"ended")
        self.assertEqual(answer.getheader("Connection"), "close")
        self.assertEqual(server.wait(PATIENCE), 0)

    def test_the_way_to_end_of_the_program_comes_last(self):
        server = self.start_and_wait(
            SERVER + "process.once('SIGTERM', () => process.exit(3));\n"
            + LISTEN)
        slow = self.connect("/slow").getresponse()
        slow.read(6)
        server.terminate()
        server.send_signal(signal.SIGUSR2)
        self.assertEqual(slow.read(), b"ended")
        self.assertEqual(server.wait(PATIENCE), 3)

    def test_another_server_of_the_process_can_follow(self):
        """As vite's, when its configuration changes."""
        self.start_and_wait(SERVER + "server.once('listening', () => "
                            "server.close(() => server.listen("
                            "process.env.PORT, '127.0.0.1', "
                            "() => console.log('again'))));\n" + LISTEN
                            ).stdout.readline()
        self.assertEqual(self.connect("/").getresponse().read(), b"served")


if __name__ == "__main__":
    unittest.main()
