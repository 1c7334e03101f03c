"""A call of the program itself that never returns ends the run in time.

The file systems that hang are real ones: the kernel asks a FUSE server
(fuse(4)) that never answers. Without /dev/fuse the tests fail.
"""

import ctypes
import os
import subprocess
import time
import unittest

from support import PATIENCE, needs_root, needs_staging
from support.record import entries
from support.world import World

LIMIT = 10  # seconds; the least that the program takes
CONFIG = f"settle = 0\ngit-timeout = {LIMIT}\n"

# unshare(2), mount(2)
CLONE_NEWNS = 0x20000
MS_REC_PRIVATE = 0x4000 | 1 << 18

LIBC = ctypes.CDLL(None, use_errno=True)


def must(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Server:
    """A FUSE server that never answers. When it is closed, all that wait for
    it get an error."""

    def __init__(self):
        self._device = os.open("/dev/fuse", os.O_RDWR)

    def close(self):
        os.close(self._device)

    def mount(self, folder):
        """Mounts its file system over a folder, for the process that calls
        this alone."""
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0"
        must(LIBC.unshare(CLONE_NEWNS))
        must(LIBC.mount(None, b"/", None, MS_REC_PRIVATE, None))
        must(LIBC.mount(b"hangs", os.fsencode(folder), b"fuse", 0,
                        options.encode()))


def full_pipe():
    """Both ends of a pipe that takes no more."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writer, True)
    return reader, writer


class Hang(unittest.TestCase):
    def world(self):
        """One with a deployment on record."""
        world = self.enterContext(World(config=CONFIG))
        world.push_version(2)
        self.assertEqual(world.run().returncode, 0)
        return world

    def start(self, world, **options):
        program = subprocess.Popen(
            world.arguments(), cwd="/", env=world.environment,
            stdin=subprocess.DEVNULL, **options)
        self.deadline = time.monotonic() + 3 * LIMIT
        self.addCleanup(program.wait, PATIENCE)
        self.addCleanup(program.kill)
        return program

    def start_with_hanging(self, world, folder):
        server = Server()
        self.addCleanup(server.close)
        return self.start(world, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True,
                          preexec_fn=lambda: server.mount(folder))

    def assert_it_ends(self, program):
        """In time. Returns what it says on standard error."""
        _, text = program.communicate(
            timeout=max(0.1, self.deadline - time.monotonic()))
        self.assertEqual(program.returncode, 1, text)
        return text

    @needs_root
    def test_a_file_system_that_never_answers(self):
        places = [".", ".git", ".git/refs/heads", "../state"]
        worlds = {place: self.world() for place in places}
        programs = {place: self.start_with_hanging(world,
                                                   world.checkout / place)
                    for place, world in worlds.items()}
        for place, world in worlds.items():
            with self.subTest(place=place):
                text = self.assert_it_ends(programs[place])
                self.assertEqual(
                    text, f"error: no progress for {LIMIT}.0 s: a file system "
                    f"hangs, perhaps that of {world.checkout} or of "
                    f"{world.state}, or nobody reads this output\n"
                    "error: what to do: look which one it is: timeout 5 "
                    f"stat -f {world.checkout} {world.state}; the next run "
                    "continues\n")

    @needs_staging
    def test_one_that_hangs_during_a_deployment(self):
        world = self.world()
        commit = world.push_version(3)
        stage = world.checkout / ".git/deployment-update/stage"
        stage.mkdir()
        text = self.assert_it_ends(self.start_with_hanging(world, stage))
        self.assertIn(f"error: no progress for {LIMIT}.0 s", text)
        self.assertIn("running", entries(world.record))
        run = world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(world.commit(), commit)

    def test_nobody_reads_what_it_says(self):
        world = self.world()
        reader, writer = full_pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        begin = time.monotonic()
        self.assert_it_ends(self.start(world, stdout=writer, stderr=writer))
        self.assertGreaterEqual(time.monotonic() - begin, LIMIT - 1)
