"""Repositories and folders that an accident left unusable."""

import os
import re
import subprocess
import unittest

from support import NOBODY, PATIENCE, needs_root
from support.record import make_due, note_killed_move
from support.world import World, listing


class DamagedObjects(unittest.TestCase):
    """As after a power loss: files are there, their content is not."""

    def setUp(self):
        self.world = self.enterContext(World())
        self.world.environment["PATH"] = (
            f"{self.world.bin}:{os.environ['PATH']}")
        self.first = self.world.commit()

    def damage(self, cut):
        objects = self.world.checkout / ".git/objects"
        packs = list(objects.glob("pack/*.pack"))
        for pack in packs:
            content = pack.read_bytes()
            for path in objects.glob("pack/*"):
                path.unlink()
            subprocess.run(["git", "unpack-objects", "-q"], input=content,
                           cwd=self.world.checkout, check=True,
                           env=self.world.environment)
        loose = [path for path in objects.glob("??/*")]
        self.assertNotEqual(loose, [])
        for path in loose:
            path.chmod(0o644)
            path.write_bytes(path.read_bytes()[:cut])

    def assert_the_advice_repairs(self, commit):
        """Does what the program says, and then it deploys."""
        run = self.world.run()
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("the repository is damaged, as after a power loss",
                      run.stderr)
        command = re.search(r": (mv .* && git .*)$", run.stderr, re.M).group(1)
        subprocess.run(["sh", "-c", command], check=True, cwd="/",
                       env=self.world.environment, capture_output=True,
                       timeout=PATIENCE)
        run = self.world.run("--force")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.world.commit(), commit)
        self.world.git(self.world.checkout, "fsck", "--strict")
        run = self.world.run()
        self.assertEqual((run.returncode, run.stderr), (0, ""))

    def test_what_was_fetched_is_lost(self):
        for cut in (0, 1, 20):
            with self.subTest(cut=cut), World() as self.world:
                self.world.environment["PATH"] = (
                    f"{self.world.bin}:{os.environ['PATH']}")
                commit = self.world.push("Second", {"README": "2\n"})
                self.world.git(self.world.checkout, "fetch", "-q", "origin")
                self.damage(cut)
                self.assert_the_advice_repairs(commit)

    def test_what_is_checked_out_is_lost(self):
        for cut in (0, 1, 20):
            with self.subTest(cut=cut), World() as self.world:
                self.world.environment["PATH"] = (
                    f"{self.world.bin}:{os.environ['PATH']}")
                self.damage(cut)
                commit = self.world.push("Second", {"README": "2\n"})
                self.assert_the_advice_repairs(commit)


class KilledMove(unittest.TestCase):
    """Of the work tree from one commit to another; git writes the files, then
    the index, then the branch."""

    BEFORE = {"changed": "1\n", "gone": "1\n", "file": "1\n",
              "folder/file": "1\n"}
    AFTER = {"changed": "2\n", "gone": None, "new": "2\n",
             "file": None, "file/folder": "2\n",
             "folder/file": None, "folder": "2\n"}

    def moved_files(self):
        """Returns the files that the index has."""
        listing = self.world.git(self.world.checkout, "ls-files", "--",
                                 *self.BEFORE, *self.AFTER)
        return [self.world.checkout / path for path in listing.split()]

    def branch_is_behind(self, to):
        """All but the branch is at `to`."""
        self.world.git(self.world.checkout, "read-tree", "-m", "-u", "HEAD",
                       to)

    def index_is_behind(self, to):
        self.branch_is_behind(to)
        self.world.git(self.world.checkout, "read-tree", "HEAD")

    def files_are_removed(self, unused):
        """git removes a file before it writes another one there."""
        for path in self.moved_files():
            path.unlink()

    def files_are_cut_short(self, to):
        self.branch_is_behind(to)
        for path in self.moved_files():
            os.truncate(path, path.stat().st_size - 1)
        self.world.git(self.world.checkout, "read-tree", "HEAD")

    def half_move(self, halfway, forward):
        """A killed run is on its way `forward`, or back."""
        world = self.world
        first = world.push("First", self.BEFORE)
        self.assertEqual(world.run("--force").returncode, 0)
        second = world.push("Second", self.AFTER)
        world.git(world.checkout, "fetch", "-q", "origin")
        if not forward:
            world.git(world.checkout, "merge", "-q", "--ff-only", second)
        to = second if forward else first
        halfway(to)
        note_killed_move(world.record, to, second)
        return to

    def assert_made_whole(self, *halfways, prepare=lambda: None):
        """Calls `prepare` in each new world."""
        for halfway in halfways:
            for forward in (True, False):
                with (self.subTest(halfway=halfway.__name__, forward=forward),
                      World() as self.world):
                    prepare()
                    to = self.half_move(halfway, forward)
                    run = self.world.run()
                    self.assertEqual(self.world.commit(), to, run.stderr)
                    self.assertEqual(run.returncode, 0 if forward else 1,
                                     run.stderr)
                    self.assertEqual(self.world.git(
                        self.world.checkout, "status", "--porcelain"), "")

    def test_the_next_run_makes_it_whole(self):
        self.assert_made_whole(self.branch_is_behind, self.index_is_behind,
                               self.files_are_removed,
                               self.files_are_cut_short)

    def assert_converted_files_are_made_whole(self, prepare=lambda: None):
        self.assert_made_whole(self.branch_is_behind, self.files_are_cut_short,
                               prepare=prepare)

    def test_line_endings_are_converted_by_configuration(self):
        self.assert_converted_files_are_made_whole(lambda: self.world.git(
            self.world.checkout, "config", "core.autocrlf", "true"))

    def test_line_endings_are_converted_by_attributes(self):
        self.assert_converted_files_are_made_whole(lambda: self.world.push(
            "Attributes", {".gitattributes": "* text eol=crlf\n"}))

    def test_line_endings_change_with_the_move(self):
        self.AFTER = self.AFTER | {".gitattributes": "* text eol=crlf\n"}
        self.assert_converted_files_are_made_whole()

    def test_files_go_through_filters(self):
        def use_a_filter():
            self.world.link_tool("tr")
            for name in ("smudge", "clean"):
                self.world.git(self.world.checkout, "config",
                               f"filter.swap.{name}", "tr 0-9 5-90-4")
            self.world.push("A filter", {".gitattributes": "".join(
                f"{name} filter=swap\n" for name in self.BEFORE | self.AFTER)})

        self.assert_converted_files_are_made_whole(use_a_filter)

    @needs_root
    def test_the_checkout_is_somebody_elses(self):
        def give_away():
            for folder in (self.world.checkout, self.world.origin):
                subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", folder],
                               check=True)

        with World() as self.world:
            self.world.trust_every_owner()
            to = self.half_move(self.files_are_cut_short, True)
            give_away()
            run = self.world.run()
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertEqual(self.world.commit(), to)

    def test_one_that_git_ended_is_taken_back_when_the_next_push_fails(self):
        """The run was killed, not its git: services run another commit than
        that which is checked out."""
        with World() as self.world:
            world = self.world
            first = world.push("First", {"README": "1\n"})
            self.assertEqual(world.run("--force").returncode, 0)
            second = world.push("Second", {"README": "2\n"})
            world.git(world.checkout, "pull", "-q", "--ff-only")
            note_killed_move(world.record, second, second)
            world.record.write_text(world.record.read_text().replace(
                "reached = moved\n", ""))
            world.push("Third", {"backend/requirements.txt": "missing==1\n"})
            run = world.run()
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn(f"rolled back to {first[:12]}", run.stderr)
            self.assertEqual(world.commit(), first)

    def test_another_push_takes_back_what_it_made(self):
        """git writes nothing for files that are as before the move again."""
        for halfway in (self.branch_is_behind, self.index_is_behind,
                        self.files_are_removed, self.files_are_cut_short):
            with self.subTest(halfway=halfway.__name__), World() as self.world:
                self.half_move(halfway, True)
                self.world.commit_files("Nothing", {
                    name: None for name, text in self.AFTER.items() if text})
                third = self.world.push("Third", self.BEFORE)
                run = self.world.run()
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertEqual(self.world.commit(), third)
                self.assertEqual(self.world.git(
                    self.world.checkout, "status", "--porcelain"), "")

    def test_a_dry_run_plans_it_and_writes_nothing(self):
        with World() as self.world:
            self.half_move(self.files_are_cut_short, True)
            before = listing(self.world.root)
            run = self.world.run("--dry-run")
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertIn("an earlier run was stopped while it wrote them",
                          run.stdout)
            self.assertEqual(listing(self.world.root), before)

    def recovery(self, files):
        """Returns how many git processes a run starts that takes back as many
        files."""
        self.BEFORE = {f"many/{number:04}": "1\n" for number in range(files)}
        self.AFTER = {name: "2\n" for name in self.BEFORE}
        with World() as self.world:
            to = self.half_move(self.branch_is_behind, True)
            git = os.readlink(self.world.bin / "git")
            (self.world.bin / "git").unlink()
            self.world.stand_in("git", f"""#!/bin/sh
. "${{0%/*}}/variables"
echo git >>"$CALLS"
exec {git} "$@"
""")
            self.world.calls()
            run = self.world.run()
            self.assertEqual(run.returncode, 0, run.stderr)
            calls = self.world.calls().count("git")
            self.assertGreater(calls, 0)
            self.assertEqual(self.world.commit(), to)
            return calls

    def test_thousands_of_files_take_no_more_processes_than_one(self):
        self.assertEqual(self.recovery(4000), self.recovery(1))

    def test_a_large_file_is_made_whole_too(self):
        self.BEFORE = {"large": "1" * (20 << 20)}
        self.AFTER = {"large": "2" * (20 << 20)}
        with World() as self.world:
            to = self.half_move(self.branch_is_behind, True)
            large = self.world.checkout / "large"
            os.truncate(large, 18 << 20)
            run = self.world.run()
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertEqual(self.world.commit(), to)
            self.assertEqual(large.stat().st_size, 20 << 20)

    def test_what_somebody_wrote_meanwhile_stays(self):
        for name, forward in (("changed", True), ("changed", False),
                              ("file/mine", True), ("folder/mine", False)):
            with (self.subTest(name=name, forward=forward),
                  World() as self.world):
                to = self.half_move(self.branch_is_behind, forward)
                file = self.world.checkout / name
                file.write_text("mine\n")
                run = self.world.run()
                self.assertEqual(run.returncode, 1)
                self.assertIn("local changes would be overwritten", run.stderr)
                self.assertIn(f"error: {name.removesuffix('/mine')}\n",
                              run.stderr)
                self.assertEqual(file.read_text(), "mine\n")
                self.assertNotEqual(self.world.commit(), to)


@needs_root
class DiskFull(unittest.TestCase):
    """Whatever cannot be written: what serves goes on serving, and the next
    run that has the space deploys."""

    SIZE = 12  # MiB

    def setUp(self):
        self.world = self.enterContext(World())
        self.filler = None

    def deploy_a_first(self):
        run = self.world.run("--force")
        self.assertEqual(run.returncode, 0, run.stderr)
        return self.world.commit()

    def mount(self, folder):
        """A small file system of its own in the place of `folder`."""
        aside = folder.with_name(folder.name + ".aside")
        folder.rename(aside)
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.SIZE}m",
                        "tmpfs", folder], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", folder],
                        check=True)
        subprocess.run(["cp", "-a", "-T", aside, folder], check=True)

    def fill(self, folder, leave=0):
        """Leaves `leave` bytes free."""
        self.filler = folder / ".git/filler"
        if not self.filler.parent.is_dir():
            self.filler = folder / "filler"
        free = os.statvfs(folder)
        with self.filler.open("wb") as file:
            file.write(bytes(max(free.f_bfree * free.f_bsize - leave, 0)))

    def assert_it_fails_and_then_deploys(self, commit, before, *said):
        serving = self.serving()
        run = self.world.run()
        self.assertEqual(run.returncode, 1, run.stderr)
        for text in said:
            self.assertIn(text, run.stderr)
        self.assertEqual(self.world.commit(), before)
        self.assertEqual(self.serving(), serving)
        self.filler.unlink()
        run = self.world.run("--force")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.world.commit(), commit)
        run = self.world.run()
        self.assertEqual((run.returncode, run.stderr), (0, ""))

    def serving(self):
        """Returns what the services run: the environments, and the files."""
        return {str(path): path.read_bytes()
                for folder in ("frontend", "backend")
                for path in (self.world.checkout / folder).rglob("*")
                if path.is_file()}

    def in_a_small_checkout(self):
        self.world.link_tool("head")
        self.mount(self.world.checkout)
        return self.deploy_a_first()

    def test_at_the_fetch(self):
        first = self.in_a_small_checkout()
        self.fill(self.world.checkout)
        commit = self.world.push_version(2)
        self.assert_it_fails_and_then_deploys(
            commit, first, "No space left on device")

    def test_in_the_middle_of_the_fetch(self):
        # git writes the commit before its files.
        for leave in (4, 8, 16):
            with self.subTest(leave=leave):
                self.world = self.enterContext(World())
                first = self.in_a_small_checkout()
                self.fill(self.world.checkout, leave=leave << 10)
                commit = self.world.push_version(2)
                self.assert_it_fails_and_then_deploys(
                    commit, first, "No space left on device")

    def test_at_the_build(self):
        first = self.in_a_small_checkout()
        self.fill(self.world.checkout, leave=2 << 20)
        self.world.stand_in("npm", """#!/bin/sh
mkdir -p node_modules
head -c 4000000 /dev/zero >node_modules/big
""")
        commit = self.world.push_version(2)
        self.assert_it_fails_and_then_deploys(
            commit, first, "No space left on device",
            "is pending: 'build' failed")

    def test_at_the_fast_forward(self):
        # A file of zeros is small in the repository and large outside.
        first = self.in_a_small_checkout()
        self.fill(self.world.checkout, leave=1 << 20)
        commit = self.world.push_version(
            1, **{"backend/large": "0" * (3 << 20)})
        self.assert_it_fails_and_then_deploys(commit, first)

    def fill_the_temporary_folder_too(self):
        """It is on the same disk. Pushes what that has no room for; returns
        the commits before and after."""
        first = self.in_a_small_checkout()
        temporary = self.world.checkout / ".git/tmp"
        temporary.mkdir()
        self.world.environment["TMPDIR"] = str(temporary)
        self.fill(self.world.checkout, leave=1 << 20)
        return first, self.world.push_version(
            1, **{"backend/large": "0" * (3 << 20)})

    def test_at_the_fast_forward_with_the_temporary_folder_full(self):
        first, commit = self.fill_the_temporary_folder_too()
        self.assert_it_fails_and_then_deploys(
            commit, first, "the move failed halfway; took back backend/large")

    def test_at_the_fast_forward_with_memory_full_too(self):
        first, commit = self.fill_the_temporary_folder_too()
        run = self.world.run_program(
            ["/usr/bin/unshare", "--mount", "/bin/sh", "-c",
             "/bin/mount -t tmpfs -o size=4k none /dev/shm && exec \"$@\"",
             "sh", *self.world.arguments()])
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("warning: laying out files in "
                      f"{self.world.environment['TMPDIR']}", run.stderr)
        make_due(self.world.record)
        run = self.world.run()
        self.assertIn("an earlier run was stopped while it wrote them",
                      run.stderr)
        make_due(self.world.record)
        self.assert_it_fails_and_then_deploys(
            commit, first, "the move failed halfway; took back backend/large")

    def test_at_the_record(self):
        first = self.deploy_a_first()
        self.mount(self.world.state)
        self.fill(self.world.state)
        commit = self.world.push_version(2)
        record = self.world.record.read_text()
        run = self.world.run()
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("No space left on device", run.stderr)
        self.assertEqual(self.world.commit(), first)
        self.assertEqual(self.world.record.read_text(), record)
        self.assertEqual(
            sorted(path.name for path in self.world.state.iterdir()),
            ["filler", "record", "record.history"])
        self.filler.unlink()
        run = self.world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.world.commit(), commit)
