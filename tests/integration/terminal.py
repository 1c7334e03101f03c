"""On a terminal a person sees what runs and for how long."""

import os
import pty
import select
import subprocess
import time
import unittest

from support import PATIENCE
from support.world import World

# Says something, then waits to be told to go on.
SLOW_NPM = """#!/bin/sh
. "${0%/*}/variables"
echo "begins"
cat "$GO" >/dev/null
echo "ends"
"""


class Terminal(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(World())
        self.world.push("Second", {"frontend/package.json": "{}\n"})
        self.go = self.world.root / "go"
        os.mkfifo(self.go)
        self.world.tell(GO=self.go)
        self.world.stand_in("npm", SLOW_NPM)

    def start(self):
        """Starts a run whose standard error is a terminal."""
        master, terminal = pty.openpty()
        self.addCleanup(os.close, master)
        run = subprocess.Popen(
            self.world.arguments(), cwd="/", stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=terminal,
            env=self.world.environment)
        os.close(terminal)
        self.addCleanup(run.kill)
        return run, master

    def read_until(self, master, words):
        """Returns what the terminal shows up to and with all of `words`."""
        text = ""
        deadline = time.monotonic() + PATIENCE
        while not all(word in text for word in words):
            left = deadline - time.monotonic()
            ready, _, _ = select.select([master], [], [], max(left, 0))
            self.assertTrue(ready, f"{words} did not appear in: {text!r}")
            try:
                data = os.read(master, 4096)
            except OSError:  # EIO: the last writer has closed it
                data = b""
            self.assertTrue(data, f"{words} did not appear in: {text!r}")
            text += data.decode(errors="replace")
        return text

    def test_what_runs_is_shown_with_its_age_and_then_wiped(self):
        run, master = self.start()
        text = self.read_until(
            master, ["frontend | begins\r\n", "npm install --no-save (0 s)",
                     "npm install --no-save (1 s)"])
        self.assertIn("\r\x1b[K", text)
        self.go.write_text("")
        text = self.read_until(master, ["frontend | ends\r\n",
                                        "deployed "])
        self.assertEqual(run.wait(PATIENCE), 0)
        self.assertIn("\r\x1b[Kfrontend | ends\r\n", text)

    def test_elsewhere_nothing_moves_the_cursor(self):
        self.world.stand_in("npm", "#!/bin/sh\necho done\n")
        run = self.world.run()
        self.assertEqual(run.returncode, 0)
        self.assertNotIn("\x1b", run.stderr)
        self.assertNotIn("\r", run.stderr)
