"""The helpers keep what they promise to the tests."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import PATIENCE, TOP, needs_staging, until
from support.__main__ import SKIPPED
from support.host import DURATION
from support.world import CONFIG, IN_PLACE, World, built_aside, made_from


class Worlds(unittest.TestCase):
    @needs_staging
    def test_a_world_builds_aside_unless_told_otherwise(self):
        for staged, config in ((True, CONFIG), (False, IN_PLACE)):
            with self.subTest(staged=staged), World(config=config) as world:
                world.push_version(2)
                run = world.run()
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertEqual(built_aside(run), staged, run.stderr)
                self.assertEqual(world.in_use(), made_from(2))

    @needs_staging
    def test_a_world_fails_when_it_builds_in_place_unasked(self):
        for more in ((), ("--dry-run",)):
            with self.subTest(more=more), World() as world:
                world.push_version(2)
                (world.checkout / ".git").rename(world.root / "moved.git")
                (world.checkout / ".git").write_text(
                    f"gitdir: {world.root / 'moved.git'}\n")
                with self.assertRaisesRegex(AssertionError,
                                            "nobody asked to build in place"):
                    world.run(*more)
                world.in_place = True
                self.assertEqual(world.run(*more).returncode, 0)

    def test_stand_ins_need_no_variables_of_the_program(self):
        with World(checkout="an 'app'") as world:
            world.tell(DOWN="it's $HOME; #1\n")
            world.stand_in("tells", '#!/bin/sh\n. "${0%/*}/variables"\n'
                           'printf %s "$DOWN$CHECKOUT"\n')
            told = [subprocess.run(
                [world.bin / name, "install"], cwd=world.author / "frontend",
                check=True, env={"PATH": str(world.bin)}, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
                for name in ("tells", "npm")]
            self.assertEqual(told[0], f"it's $HOME; #1\n{world.checkout}")
            self.assertEqual(world.calls(), ["npm install"])


class Durations(unittest.TestCase):
    def test_each_form_is_matched(self):
        for text in ("0.0 s", "0.4 s", "59.0 s", "1 min 0 s", "3 min 12 s",
                     "59 min 59 s", "1 h 0 min", "2 h 5 min", "30 h 59 min"):
            self.assertTrue(re.fullmatch(DURATION, text), text)

    def test_other_texts_are_not(self):
        for text in ("", "12", "3 m 12 s", "3 min", "12 s", "1 h", "soon"):
            self.assertFalse(re.fullmatch(DURATION, text), text)


class ExitCodes(unittest.TestCase):
    """Of python3 -m support."""

    PLANTED = """
import pathlib, time, unittest

class Passes(unittest.TestCase):
    def test(self): pass

class Fails(unittest.TestCase):
    def test(self): self.fail()

@unittest.skip("why")
class Skipped(unittest.TestCase):
    def test(self): pass

class SkippedAsAWhole(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise unittest.SkipTest("why")
    def test(self): pass

class Waits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(pathlib.Path("cleaned").touch)
    def test_1(self):
        pathlib.Path("waits").touch()
        time.sleep(600)
    def test_2(self): pathlib.Path("goes-on").touch()
"""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "planted.py").write_text(self.PLANTED)

    def start(self, *names, required=False):
        environment = os.environ | {"PYTHONPATH": str(TOP / "tests")}
        environment.pop("HOST_TESTS", None)
        if required:
            environment["HOST_TESTS"] = "required"
        return subprocess.Popen(
            [sys.executable, "-B", "-m", "support",
             *[f"planted.{name}" for name in names]], cwd=self.folder,
            env=environment, stderr=subprocess.DEVNULL)

    def exit_code(self, *names, **options):
        return self.start(*names, **options).wait(PATIENCE)

    def test_they_tell_what_was_skipped(self):
        for names, ordinary, required in (
                (["Passes"], 0, 0), (["Fails"], 1, 1),
                (["Skipped"], SKIPPED, 1), (["SkippedAsAWhole"], SKIPPED, 1),
                (["Passes", "Skipped"], 0, 1),
                (["Passes", "SkippedAsAWhole"], 0, 1),
                (["Fails", "Skipped"], 1, 1)):
            with self.subTest(names=names):
                self.assertEqual(self.exit_code(*names), ordinary)
                self.assertEqual(self.exit_code(*names, required=True),
                                 required)

    def test_a_test_that_is_asked_to_end_cleans_up(self):
        run = self.start("Waits", "Passes")
        until("the test to wait", (self.folder / "waits").exists, pause=0.01)
        run.send_signal(signal.SIGTERM)
        self.assertEqual(run.wait(PATIENCE), 1)
        self.assertTrue((self.folder / "cleaned").exists())
        self.assertFalse((self.folder / "goes-on").exists())
