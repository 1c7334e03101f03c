"""Nothing hangs: remotes that never answer, commands that never end, runs that
are asked to end or are killed."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from support import PATIENCE, needs_staging, until
from support.world import World, started_by

MARK = "DEPLOYMENT_UPDATE_CHECKOUT"
DEADLINE = 2  # seconds
GRACE = 10  # between SIGTERM and SIGKILL, seconds

# Starts a process that will not be asked to leave, and waits for it.
HANGS = """#!/bin/sh
. "${0%/*}/variables"
case $1 in show) exec "$0.real" "$@" ;; --version) exec "$0.real" "$@" ;; esac
(trap '' TERM HUP INT; echo up >"$AT_WORK"; cat "$NEVER"; echo late >"$LATE") &
wait
"""

# Restarts nothing: neither a deployment nor the rollback after it. Asked for
# states after that, it answers once and then never.
HANGS_AFTER_THE_ROLLBACK = """#!/bin/sh
. "${0%/*}/variables"
case $1 in
restart) echo failed >>"$SERVICES/restarts"; exit 1 ;;
show)
  if [ "$(grep -c failed "$SERVICES/restarts" 2>/dev/null)" = 2 ]; then
    if [ -e "$SERVICES/shown" ]; then
      echo up >"$AT_WORK"
      exec cat "$NEVER"
    fi
    echo once >"$SERVICES/shown"
  fi ;;
esac
"""


class SilentServer:
    """Accepts connections on a port of the loopback and never says a word."""

    def __enter__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._accepted = []
        self.seen = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def _accept(self):
        while True:
            try:
                self._accepted.append(self._socket.accept()[0])
            except OSError:
                return
            self.seen.set()

    def __exit__(self, *unused):
        self._socket.close()
        for connection in self._accepted:
            connection.close()


class Deadlines(unittest.TestCase):
    def setUp(self):
        world = self.world = self.enterContext(World())
        self.first = world.commit()
        self.at_work = world.root / "at-work"
        self.late = world.root / "late"
        never = world.root / "never"
        os.mkfifo(never)
        world.tell(AT_WORK=self.at_work, LATE=self.late, NEVER=never)
        for tool in ("ssh", "ssh-keygen"):
            world.link_tool(tool)

    def hang(self, name):
        path = self.world.bin / name
        path.rename(path.with_name(f"{name}.real"))
        self.world.stand_in(name, HANGS)

    def mend(self, name):
        path = self.world.bin / name
        path.with_name(f"{name}.real").rename(path)

    def assert_nobody_is_left(self):
        """Waits: what was killed takes a moment to go; what was not stays."""
        until("all processes of the run to be gone",
              lambda: not started_by(MARK, self.world.checkout), 5)

    def assert_it_deploys(self, commit):
        run = self.world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.world.commit(), commit)
        self.assertNotIn("pending", self.world.record.read_text())

    # Remotes

    def test_a_remote_that_accepts_and_never_answers(self):
        world = self.world
        world.config(f"settle = 0\ngit-timeout = {DEADLINE}\n")
        world.environment["GIT_SSH_COMMAND"] = "ssh -F none"
        commit = self.world.push_version(2)
        for scheme in ("git", "http", "ssh"):
            with self.subTest(scheme=scheme), SilentServer() as server:
                world.git(world.checkout, "remote", "set-url", "origin",
                          f"{scheme}://127.0.0.1:{server.port}/x.git")
                start = time.monotonic()
                run = world.run()
                took = time.monotonic() - start
                self.assertTrue(server.seen.is_set(), run.stderr)
                self.assertEqual(run.returncode, 1, run.stderr)
                self.assertIn(f"did not end within {DEADLINE}.0 s and was "
                              "killed", run.stderr)
                self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
                self.assertGreaterEqual(took, DEADLINE)
                self.assertLess(took, DEADLINE + GRACE)
                self.assert_nobody_is_left()
        world.git(world.checkout, "remote", "set-url", "origin",
                  world.origin.as_uri())
        self.assert_it_deploys(commit)

    # Commands

    def test_a_command_that_never_ends(self):
        keys = {"npm": "install-timeout", "python3": "install-timeout",
                "systemctl": "systemctl-timeout"}
        for version, (name, key) in enumerate(keys.items(), 2):
            with self.subTest(name=name):
                self.world.config(f"settle = 0\n{key} = {DEADLINE}\n")
                commit = self.world.push_version(version)
                self.hang(name)
                run = self.world.run()
                self.mend(name)
                self.assertEqual(run.returncode, 1, run.stderr)
                self.assertIn(f"did not end within {DEADLINE}.0 s and was "
                              "killed", run.stderr)
                self.assert_nobody_is_left()
                self.assertFalse(self.late.exists())
                self.world.config("settle = 0\n")
                run = self.world.run("--force")
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertEqual(self.world.commit(), commit)

    # The program itself

    def start_and_wait_until_at_work(self):
        self.at_work.unlink(missing_ok=True)
        program = subprocess.Popen(
            self.world.arguments(), cwd="/", env=self.world.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        self.addCleanup(program.stderr.close)
        until("a stand-in to be at work", self.at_work.exists, pause=0.01)
        return program

    def test_a_run_that_is_asked_to_end(self):
        for version, number in enumerate((signal.SIGTERM, signal.SIGINT), 2):
            with self.subTest(signal=number.name):
                commit = self.world.push_version(version)
                self.hang("npm")
                program = self.start_and_wait_until_at_work()
                program.send_signal(number)
                self.assertEqual(program.wait(PATIENCE), 128 + number)
                self.assert_nobody_is_left()
                record = self.world.record.read_text()
                self.assertIn(f"pending = {commit}\n", record)
                self.assertNotIn("running", record)
                self.mend("npm")
                self.assert_it_deploys(commit)

    @needs_staging
    def test_a_run_that_is_asked_to_end_while_it_says_where_everything_is(
            self):
        world = self.world
        self.assertEqual(world.run("--force").returncode, 0)
        commit = world.push_version(2)
        world.stand_in("systemctl", HANGS_AFTER_THE_ROLLBACK
                       + world.stand_in_text("systemctl"))
        program = self.start_and_wait_until_at_work()
        program.send_signal(signal.SIGTERM)
        text = program.stderr.read()
        self.assertEqual(program.wait(PATIENCE), 128 + signal.SIGTERM, text)
        self.assertNotIn("critical: ", text)
        self.assertEqual(text.count("SIGTERM"), 1, text)
        record = world.record.read_text()
        self.assertIn(f"pending = {commit}\n", record)
        self.assertNotIn("running", record)
        self.assertIn("attempts = 2\n", record)

    def test_what_a_killed_run_left_at_work_is_ended_by_the_next(self):
        commit = self.world.push_version(2)
        self.hang("npm")
        program = self.start_and_wait_until_at_work()
        program.kill()
        program.wait(PATIENCE)
        orphans = started_by(MARK, self.world.checkout)
        self.assertNotEqual(orphans, [], "there is nothing to end")
        self.mend("npm")
        run = self.world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stderr, r"ended \d+ process(es)? that a killed "
                         "run had left")
        self.assert_nobody_is_left()
        self.assertFalse(self.late.exists())
        self.assertEqual(self.world.commit(), commit)

    def test_one_run_at_a_time(self):
        commit = self.world.push_version(2)
        self.hang("npm")
        program = self.start_and_wait_until_at_work()
        second = self.world.run()
        self.assertEqual(second.returncode, 75)
        self.assertRegex(second.stderr, rf"process {program.pid}\b.*since")
        self.mend("npm")
        waiting = subprocess.Popen(
            self.world.arguments("--wait", PATIENCE), cwd="/",
            env=self.world.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        program.kill()  # the kernel releases the lock
        program.wait(PATIENCE)
        self.assertEqual(waiting.wait(PATIENCE), 0)
        self.assertEqual(self.world.commit(), commit)

    def test_a_program_that_is_replaced_while_it_runs_goes_on(self):
        # Its own deployment may carry another version of it.
        world = self.world
        program = world.root / "program"
        shutil.copy(world.arguments()[0], program)
        world.stand_in("npm", f'#!/bin/sh\necho "#!/bin/sh" >{program}.new\n'
                       f'mv {program}.new {program}\n')
        commit = self.world.push_version(2)
        run = world.run_program([program, *world.arguments()[1:]])
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(program.read_text(), "#!/bin/sh\n")
        self.assertEqual(world.commit(), commit)
