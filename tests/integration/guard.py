"""A run without a change stays as cheap as it is, and output fills no memory.
Nothing here is a timing.

Each figure has a ceiling below, with its reason. Who makes such a run dearer
on purpose raises the ceiling in the same commit and says why; who makes it
cheaper lowers it.
"""

import re
import unittest

from support.peak import peak_memory
from support.tracing import STARTS, opened_to_write, program_of, traced
from support.world import IN_PLACE, World

CEILINGS = {
    # 792,000 with g++ 12 and glibc 2.36, the loader and the reading of a
    # configuration file and a record included. A little more, as another patch
    # level of compiler or C library moves them by a few per cent; libcrypto,
    # if it were loaded at the start again, is a million.
    "instructions": 820_000,
    # 93 to 95, loader included. A few more, as the user database and the
    # loader's search differ between systems.
    "system calls": 100,
    # git ls-remote. Nothing else is needed to know that nothing changed.
    "processes": 1,
    # /dev/null is no file, and the lock is held on a folder opened to read.
    "files opened to write": 0,
    # KiB; 3,500, most of it pages of the program's and the C library's files.
    # 6 MiB is the promise. A run that hashes has 7,500.
    "peak memory": 6144,
}


def succeeded(status, text=""):
    if status != 0:
        raise AssertionError(f"exit status {status}: {text}")


def instructions(world):
    run = world.run_program(
        ["/usr/bin/valgrind", "--tool=callgrind", "--trace-children=no",
         "--callgrind-out-file=/dev/null", *world.arguments()])
    succeeded(run.returncode, run.stderr)
    # Its children say nothing: they are not traced.
    return int(re.search(r"^==\d+== Collected : (\d+)", run.stderr,
                         re.MULTILINE).group(1))


def figures(world, prepare=lambda: None):
    """Measures a run; calls `prepare` before each of three runs."""
    prepare()
    found = {"instructions": instructions(world)}
    prepare()
    run, calls = traced(world)
    succeeded(run.returncode, run.stderr)
    own = calls[program_of(calls)]
    found["system calls"] = len(own)
    found["processes"] = len([name for name, _, _ in own if name in STARTS])
    found["files opened to write"] = len(opened_to_write(calls))
    prepare()
    status, found["peak memory"] = peak_memory(world.arguments(),
                                               world.environment)
    succeeded(status)
    return found


class Guard(unittest.TestCase):
    def test_a_run_without_a_change_stays_below_each_ceiling(self):
        with World() as world:
            world.push("Second", {"backend/requirements.txt": "flask==2\n"})
            self.assertEqual(world.run().returncode, 0)
            found = figures(world)
        print(found)
        for name, ceiling in CEILINGS.items():
            with self.subTest(name):
                self.assertLessEqual(found[name], ceiling)
        # Far below, the ceiling guards nothing.
        self.assertGreater(found["instructions"],
                           0.75 * CEILINGS["instructions"])

    def test_a_run_with_a_change_is_seen_by_each_check(self):
        # valgrind 3.19 knows no openat2(2), without which nothing is staged.
        with World(config=IN_PLACE) as world:
            numbers = iter(range(9))

            def push():
                world.push("More", {
                    "backend/requirements.txt": f"flask=={next(numbers)}\n"})

            found = figures(world, push)
        print(found)
        for name, ceiling in CEILINGS.items():
            with self.subTest(name):
                self.assertGreater(found[name], ceiling)


class Output(unittest.TestCase):
    """A command that prints without end, as a script of a package may."""

    MOST = 50 * 1024  # KiB

    def setUp(self):
        self.world = self.enterContext(World())
        self.world.link_tool("head")
        self.world.link_tool("yes")
        self.world.push("Second", {"backend/requirements.txt": "flask==2\n"})

    def peak_with(self, python3):
        self.world.stand_in("python3", f"#!/bin/sh\n{python3}\n")
        status, peak = peak_memory(self.world.arguments(),
                                   self.world.environment)
        self.assertEqual(status, 1)
        self.assertLess(peak, self.MOST)

    def test_answers_do_not_fill_the_memory(self):
        self.peak_with("yes | head -c 400000000")
        self.assertIn("printed more than 16 MiB",
                      self.world.record.read_text())

    def test_errors_do_not_fill_the_memory(self):
        self.peak_with("yes | head -c 400000000 >&2; echo the end >&2; exit 3")
        self.assertIn("the end", self.world.record.read_text())
