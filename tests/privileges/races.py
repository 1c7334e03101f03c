"""Attacks by the owner of a checkout on the run of root that deploys in it.

He is a real second user. Where a program of his own runs at the right moment,
a service for one, it does the exchange; else a process of his exchanges names
as fast as it can while runs come and go, for RACE seconds. These are runs as
at a prompt; host/test_host.py has those of the service. What he wants: that a
program of his runs as root, that a file of root becomes readable, that a
folder of root is covered or emptied, that runs stop.
"""

import os
import re
import shutil
import stat
import subprocess
import sys
import time
import unittest
from pathlib import Path

from support import NOBODY, needs_root, needs_staging, until
from support.attackers import (Exchanges, mounts, path_in_its_file_system,
                               shell_text)
from support.peak import peak_memory
from support.users import OWNER, become, give_to
from support.world import World, listing

RACE = 10  # seconds
FEWEST_EXCHANGES = 2000
DEADLINE = 20  # seconds that a run takes at most, whatever is in its way

SECRET = "the secret of root"

# Parts of the messages of the program.
NO_CHECKOUT = "symbolic link|not a git checkout|Not a directory"
CAN_BE_EXCHANGED = "is not safe: others than "
REPAIR = re.compile(r"what to do: (.+)")
RUN_AS_REFUSED = "run-as = {} is not allowed"

HOOKS = ("post-merge", "post-checkout", "reference-transaction",
         "pre-auto-gc", "post-index-change")

STAGE = ".git/deployment-update/stage"
LAID_OUT = f"{STAGE}/tree/frontend/node_modules"  # as the last


def changes(before, after):
    """The names of what is not the same in two listings."""
    return sorted(name for name in before.keys() | after.keys()
                  if before.get(name) != after.get(name))


def move_text(place, trap):
    """Puts `trap` into the place of `place`, once."""
    aside = f"{place}.aside"
    return (f"[ -e {aside} ] || {{ mv -T {place} {aside}; "
            f"mv -T {trap} {place}; }}\n")


@needs_staging
class Attacked(unittest.TestCase):
    """Root deploys in a folder of the owner. Each program that is not
    systemctl notes its user and the owner of the folder that it works in."""

    place = "theirs/app"

    def setUp(self):
        world = self.world = self.enterContext(World(self.place))
        world.install_by_hand()
        self.theirs = world.root / "theirs"
        self.notes = self.writable(world.root / "notes")
        world.link_tool("stat")
        self.let_root_trust_all()
        self.wrap_git()
        for name in ("npm", "python3"):
            self.add_to_stand_in(name, self.note(name))
        self.add_hooks(world.checkout)
        give_to(OWNER, self.theirs, world.origin)

    def writable(self, path):
        path.touch()
        path.chmod(0o666)
        return path

    def let_root_trust_all(self):
        """As on hosts where root looked into the folders of others."""
        (self.world.root / "home/.gitconfig").write_text(
            "[safe]\n\tdirectory = *\n")

    def note(self, name):
        return f"echo {name} $(stat -c %u /proc/self/. .) >>{self.notes}\n"

    def wrap_git(self):
        world = self.world
        git = os.readlink(world.bin / "git")
        (world.bin / "git").unlink()
        world.stand_in(
            "git", f'#!/bin/sh\n{self.note("git")}exec {git} "$@"\n')
        world.stand_in("systemctl", re.sub(
            r"\bgit ", f"{git} ", world.stand_in_text("systemctl")))

    def add_to_stand_in(self, name, text):
        world = self.world
        world.stand_in(name, world.stand_in_text(name).replace(
            "#!/bin/sh\n", "#!/bin/sh\n" + text, 1))

    def add_hooks(self, repository):
        hooks = repository / ".git/hooks"
        hooks.mkdir(exist_ok=True)
        monitor = repository.parent / "monitor"
        for path in (monitor, *(hooks / name for name in HOOKS)):
            path.write_text(f"#!/bin/sh\n{self.note(path.name)}")
            path.chmod(0o755)
        self.world.git(repository, "config", "core.fsmonitor", monitor)

    def make_repository_of_root(self, path):
        """Clones what everybody may read, in the state after some
        deployments of its own."""
        path.parent.mkdir(exist_ok=True)
        self.world.git(self.world.root, "clone", "-q",
                       self.world.origin.as_uri(), path)
        self.add_hooks(path)
        stage = path / STAGE
        for name in (".git", "frontend", "backend"):
            (stage / "tree" / name).mkdir(parents=True)
        for name in ("HEAD", "index", "tree/secret"):
            (stage / name).write_text(SECRET)
        for number in range(1, 6):
            for component in ("frontend", "backend"):
                kept = stage.parent / f"environments/{component}/{number}"
                kept.mkdir(parents=True)
                (kept / "of-root").touch()
        return path

    def push(self, version):
        return self.world.push_version(version)

    def noted(self):
        """The (program, user, owner of its folder) of each that ran."""
        return [(name, int(user), int(owner)) for name, user, owner in
                map(str.split, self.notes.read_text().splitlines())]

    def at_the_first_restart(self, text):
        """As a service of the owner could do it."""
        world = self.world
        program = world.stand_in_text("systemctl")
        self.assertIn("restart)\n", program)
        world.stand_in("systemctl", program.replace(
            "restart)\n", "restart)\n" + shell_text(
                [*become(OWNER), "sh", "-c", text]) + "\n"))

    def save(self):
        """Returns what brings the folder of the owner back as it is now."""
        saved = self.world.root / "saved"
        subprocess.run(["cp", "-a", self.theirs, saved], check=True)

        def restore():
            shutil.rmtree(self.theirs)
            subprocess.run(["cp", "-a", saved, self.theirs], check=True)
        return restore

    def check_unchanged(self, folders, before):
        self.assertEqual(changes(before, listing(*folders)), [])

    def check_users(self):
        as_root = [note for note in self.noted() if note[1] == 0]
        self.assertEqual(as_root, [])

    def deploy(self, *more, codes=(0, 1)):
        os.truncate(self.notes, 0)  # of what the test itself ran
        start = time.monotonic()
        run = self.world.run(*more)
        self.assertLess(time.monotonic() - start, DEADLINE, run.stderr)
        self.assertIn(run.returncode, codes, run.stderr)
        return run

    def race(self, exchanges, check, prepare=lambda: None, codes=(0, 1)):
        """Runs the program for RACE seconds beside `exchanges`; `check` is
        asked after each run, which exits with one of `codes`."""
        end = time.monotonic() + RACE
        ended = []
        self.world.in_place = True  # where .git or the checkout is another
        try:
            with exchanges:
                while time.monotonic() < end:
                    prepare()
                    run = self.deploy("--force", codes=codes)
                    ended.append(run.returncode)
                    check(run)
        finally:
            print(f"\n    {len(ended)} runs, {ended.count(0)} of them "
                  f"deployed; {exchanges.count} exchanges", file=sys.stderr)
        self.world.in_place = False
        self.assertGreaterEqual(exchanges.count, FEWEST_EXCHANGES)

    def check_it_deploys(self):
        """The checkout is none the worse for a race, but for locks that git,
        which takes them by their whole path, did not find again."""
        for path in (self.world.checkout / ".git").rglob("*.lock"):
            path.unlink()
        self.push("after the race")
        self.deploy("--force", codes=(0,))


class RepositoryOfRoot(Attacked):
    """In the place of the checkout, or of the folder above it, comes a link
    that leads to a repository of root which everybody may read. Who looks at
    the owner there, and at the programs here, runs these as root."""

    place = "theirs/way/app"

    def setUp(self):
        super().setUp()
        self.way = self.world.checkout.parent
        self.of_root = self.make_repository_of_root(
            self.world.root / "roots/app")
        self.link = self.theirs / "link"
        self.link.symlink_to(self.of_root)
        self.other_way = self.theirs / "other-way"
        self.other_way.symlink_to(self.of_root.parent)
        give_to(OWNER, self.link, self.other_way)
        self.push(2)
        self.before = listing(self.of_root)

    def check(self, _):
        self.check_users()
        self.check_unchanged([self.of_root], self.before)

    def test_a_link_is_no_checkout(self):
        self.world.checkout.rename(self.theirs / "aside")
        self.link.rename(self.world.checkout)
        run = self.deploy(codes=(1,))
        self.assertRegex(run.stderr, NO_CHECKOUT)
        self.assertEqual(self.noted(), [])
        self.check(run)

    def test_a_link_on_the_way(self):
        self.way.rename(self.theirs / "aside")
        self.other_way.rename(self.way)
        run = self.deploy(codes=(1,))
        self.assertIn(CAN_BE_EXCHANGED, run.stderr)
        self.assertEqual(self.noted(), [])
        self.check(run)

    def test_a_link_that_comes_with_the_restart_of_a_service(self):
        """Nothing follows but the removal of the stage and of environments,
        which is root's own work."""
        self.at_the_first_restart(move_text(self.world.checkout, self.link))
        run = self.deploy()
        self.assertTrue(self.world.checkout.is_symlink())
        self.check(run)

    def test_a_link_that_comes_at_any_time(self):
        self.race(Exchanges((self.way, self.other_way),
                            (self.world.checkout, self.link)), self.check)
        self.check_it_deploys()


class AnotherFolder(Attacked):
    """In the place of the checkout comes another clone of the owner. Each
    program that the run starts tells which of them it finds itself in; where
    git goes from there is up to git."""

    def setUp(self):
        super().setUp()
        world = self.world
        self.seen = self.writable(world.root / "seen")
        self.other = self.theirs / "other"
        shutil.copytree(world.checkout, self.other, symlinks=True)
        for clone in (world.checkout, self.other):
            (clone / ".git/which").write_text(f"{clone.name}\n")
        self.add_to_stand_in("git", f"cat .git/which >>{self.seen} "
                             "2>/dev/null\n")
        for name in ("npm", "python3"):
            self.add_to_stand_in(name, f"cat ../.git/which >>{self.seen} "
                                 "2>/dev/null\n")
        python3 = world.stand_in_text("python3")
        world.stand_in("python3", python3.replace(
            "set -e\n", f"set -e\ncat ../.git/which >>{self.seen}\n", 1))
        give_to(OWNER, self.theirs)
        self.push(2)
        world.git(self.other, "fetch", "-q")  # so that it could be moved
        give_to(OWNER, self.theirs)

    def deploy(self, *more, **how):
        os.truncate(self.seen, 0)
        return super().deploy(*more, **how)

    def clones_seen(self):
        return set(self.seen.read_text().split())

    def check(self, _):
        self.check_users()
        self.assertLess(len(self.clones_seen()), 2)

    def test_another_folder_that_comes_with_the_restart_of_a_service(self):
        mine = self.world.checkout
        before = listing(self.other)
        self.at_the_first_restart(move_text(mine, self.other))
        run = self.deploy()
        self.assertEqual((mine / ".git/which").read_text(), "other\n")
        self.check(run)
        after = {name.replace(str(mine), str(self.other), 1): what
                 for name, what in listing(mine).items()}
        # To be moved changes the times of a folder itself.
        self.assertEqual(changes(before, after), [str(self.other)])

    def check_with_the_venv(self, build):
        mine = self.world.checkout
        venv = self.other / "backend/venv/bin"
        venv.mkdir(parents=True, exist_ok=True)
        for name in ("pip", "python3"):
            (venv / name).write_text(
                f"#!/bin/sh\necho other >>{self.seen}\n")
            (venv / name).chmod(0o755)
        give_to(OWNER, self.other)
        event = self.theirs / "venv-is-made"
        python3 = self.world.stand_in_text("python3")
        self.world.stand_in("python3", python3 + f"""
echo >{event}
tries=0
until grep -q other {mine}/.git/which || [ $tries = 10000 ]; do
  tries=$((tries + 1))
done
""")
        with Exchanges((mine, self.other), once=True, event=event) as once:
            run = self.deploy(f"--build={build}")
        self.assertEqual(once.count, 1)  # else nothing was tried
        self.check(run)
        self.assertIn("app", self.clones_seen())

    def test_another_folder_that_comes_with_the_venv_in_place(self):
        self.check_with_the_venv("in-place")

    def test_another_folder_that_comes_with_the_venv_in_a_stage(self):
        self.check_with_the_venv("staged")

    def test_another_folder_that_comes_at_any_time(self):
        self.race(Exchanges((self.world.checkout, self.other)), self.check)


class Mounts(Attacked):
    """In the place of what is bound into a build comes a link to what root
    keeps from others. The npm of the owner looks for it where it is built,
    and at what of root's is covered."""

    # The text of what npm sees.
    READ = "npm reads"
    COVERED = "npm does not see"

    def setUp(self):
        super().setUp()
        world = self.world
        self.private = world.root / "private"
        self.private.mkdir(mode=0o700)
        self.secret = self.private / "secret"
        self.secret.write_text(SECRET)
        self.hidden = self.make_repository_of_root(self.private / "app")
        (self.hidden / "secret").write_text(SECRET)
        self.public = world.root / "roots"
        self.public.mkdir()
        (self.public / "file").touch()
        (self.public / "folder").mkdir()
        (self.public / "folder/there").touch()
        self.traps = self.theirs / "traps"
        self.traps.mkdir()
        self.mounted = self.writable(world.root / "mounted")
        app = world.checkout
        self.add_to_stand_in("npm", f"""
cat /proc/self/mountinfo >>{self.mounted}
grep -RsI "{SECRET}" {app}/.git/* {app} .. && echo "{self.READ} it"
[ -e {self.public}/folder/there ] || echo "{self.COVERED} a folder"
[ -f {self.public}/file ] && [ ! -s {self.public}/file ] ||
  echo "{self.COVERED} a file"
""")
        # They are copied after all else is laid out: the owner decides how
        # long that takes.
        modules = app / "frontend/node_modules"
        for number in range(200):
            (modules / str(number)).touch()
        give_to(OWNER, self.theirs)
        self.push(2)
        self.before = listing(self.private, self.public)

    def check(self, run):
        self.check_users()
        self.check_unchanged((self.private, self.public), self.before)
        self.assertEqual([line for line in run.stderr.splitlines() if any(
            text in line for text in (self.READ, self.COVERED, SECRET))], [])
        self.check_mounts()

    def mounts_of_the_build(self):
        """Those that npm has more than this process, since the last time."""
        outside = mounts(Path("/proc/self/mountinfo").read_text())
        inside = mounts(self.mounted.read_text())
        os.truncate(self.mounted, 0)
        return [mount for mount in inside if mount not in outside]

    def check_mounts(self):
        """What is bound comes from the folder of the owner, and lies there;
        he moves it about in there."""
        device, top = path_in_its_file_system(self.theirs)
        for mount in self.mounts_of_the_build():
            self.assertEqual(mount[0], device, mount)
            self.assertTrue(Path(mount[1]).is_relative_to(top), mount)
            self.assertTrue(Path(mount[2]).is_relative_to(self.theirs), mount)

    def attacks(self):
        """Where in the checkout a link is put, and what it leads to."""
        folder, file = self.public / "folder", self.public / "file"
        return {
            "the HEAD of root": (f"{STAGE}/HEAD", self.secret),
            "an index of root": (f"{STAGE}/index", self.secret),
            "a tree of root": (f"{STAGE}/tree", self.hidden),
            "a stage of root": (STAGE, self.hidden / STAGE),
            "stages of root": (".git/deployment-update",
                               (self.hidden / STAGE).parent),
            "a repository of root": (".git", self.hidden / ".git"),
            "a folder covered by .git": (f"{STAGE}/tree/.git", folder),
            "a file covered by HEAD": (".git/HEAD", file),
            "a file covered by the index": (".git/index", file)}

    def pair(self, place, target):
        return (self.world.checkout / place,
                self.traps / place.replace("/", "-"), target)

    def test_an_ordinary_build(self):
        """Else nothing would be found where there is something."""
        self.check(self.deploy(codes=(0,)))
        self.deploy("--force", codes=(0,))
        self.assertEqual(
            sorted(Path(place).relative_to(self.world.checkout).as_posix()
                   for _, _, place, _ in self.mounts_of_the_build()
                   if STAGE not in place),
            [".", ".git", ".git/HEAD", ".git/index"])

    def test_git_is_read_only(self):
        git = self.world.checkout / ".git"
        self.add_to_stand_in("npm", """
for name in HEAD index config; do
  if (: >>../.git/$name) 2>/dev/null; then echo "npm writes $name"; fi
done
""")
        run = self.deploy(codes=(0,))
        self.assertNotIn("npm writes", run.stderr)
        places = {place: options for _, _, place, options
                  in self.mounts_of_the_build()}
        for path in (git, git / "HEAD", git / "index"):
            self.assertIn("ro", places[str(path)])
        self.check(run)

    def test_once(self):
        restore = self.save()
        for name, (place, target) in self.attacks().items():
            with self.subTest(name):
                restore()
                with Exchanges(self.pair(place, target), once=True,
                               event=self.world.checkout / LAID_OUT
                               ) as exchanges:
                    run = self.deploy("--force")
                self.assertEqual(exchanges.count, 1)  # else nothing was tried
                self.check(run)

    def test_at_any_time(self):
        """From when the stage is laid out until it is removed."""
        self.race(Exchanges(
            *(self.pair(*attack) for attack in self.attacks().values()),
            event=self.world.checkout / LAID_OUT), self.check)
        self.check_it_deploys()


class GitOfRoot(Attacked):
    """In the place of .git comes a link to that of a repository of root: a
    run in the folder of the owner must not hold up those of root there."""

    def setUp(self):
        super().setUp()
        world = self.world
        self.of_root = self.make_repository_of_root(world.root / "roots/app")
        self.command = [
            word.replace(str(world.checkout), str(self.of_root)).replace(
                str(world.state), f"{world.state}-of-root")
            for word in world.arguments("--wait=0")]
        self.git = world.checkout / ".git"
        self.link = self.theirs / "link"
        self.link.symlink_to(self.of_root / ".git")
        give_to(OWNER, self.link)

    def check_users(self):
        """Root's own run is at work, too."""
        self.assertEqual([note for note in self.noted()
                          if note[1:] == (0, NOBODY)], [])

    def test_before_a_run(self):
        world = self.world
        self.git.rename(self.theirs / "aside")
        self.link.rename(self.git)
        at_work, end = world.root / "at-work", world.root / "end"
        self.writable(at_work)
        self.add_to_stand_in("git", f"""
if [ $(stat -c %u /proc/self/.) = {NOBODY} ]; then
  echo x >{at_work}
  while [ ! -e {end} ]; do true; done
fi
""")
        with subprocess.Popen(
                world.arguments(), cwd="/", env=world.environment,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
            until("the run to be at work or refused", lambda:
                  run.poll() is not None or at_work.stat().st_size,
                  DEADLINE, 0.01)
            of_root = world.run_program(self.command)
            end.touch()
            run.communicate(timeout=DEADLINE)
        self.assertEqual(of_root.returncode, 0, of_root.stderr)
        self.assertEqual(run.returncode, 1)
        self.check_users()

    def test_at_any_time(self):
        world = self.world
        world.run_program(self.command)
        before = listing(self.of_root)
        beside = []

        def prepare():
            beside.append(subprocess.Popen(
                ["sh", "-c", 'for i in 1 2 3 4; do "$@" || exit; done', "sh",
                 *self.command], cwd="/", env=world.environment,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            self.addCleanup(beside[-1].wait, DEADLINE)

        def check(_):
            self.assertEqual(beside[-1].wait(DEADLINE), 0)
            self.check_users()
            self.check_unchanged([self.of_root], before)

        # What he does to himself may keep his own run from its lock.
        self.race(Exchanges((self.git, self.link)), check, prepare,
                  codes=(0, 1, 75))
        self.check_it_deploys()


class Removal(Attacked):
    """In the place of folders that root removes come links to a folder of
    root."""

    FOLDERS = 30

    def setUp(self):
        super().setUp()
        self.full = self.world.root / "full"
        for number in range(50):
            path = self.full / f"{number}/file"
            path.parent.mkdir(parents=True)
            path.touch()
        self.before = listing(self.full)
        traps = self.theirs / "traps"
        traps.mkdir()
        give_to(OWNER, self.theirs)
        stage = self.world.checkout / STAGE
        kept = stage.parent / "environments/frontend"
        self.folders = [folder for number in range(1, self.FOLDERS) for folder
                        in (stage / f"{number}", kept / f"{number}/folder")]
        self.pairs = [(folder, traps / f"{number}", self.full)
                      for number, folder in enumerate(self.folders)]
        self.push(2)

    def plant(self):
        """As the owner: to root, too, happens what the tests look for."""
        subprocess.run(
            [*become(OWNER), "sh", "-c", 'mkdir -p "$@"; for folder; do '
             'echo x >"$folder/file"; done', "sh", *self.folders],
            check=False, stderr=subprocess.DEVNULL)

    def check(self, _):
        self.check_users()
        self.check_unchanged([self.full], self.before)

    def test_at_any_time(self):
        self.race(Exchanges(*self.pairs), self.check, self.plant)
        self.check_it_deploys()

    def test_folders_of_root_in_his(self):
        """He may rename his folder, and not remove what is in it."""
        systemctl = self.world.stand_in_text("systemctl")
        self.world.stand_in("systemctl", systemctl.replace(
            "User=", "User=daemon"))
        for version in (3, 4, 5):
            self.push(version)
            self.deploy(codes=(0,))
        own = (self.world.checkout / STAGE).parent
        for place in ("stage", "environments/frontend/0"):
            with self.subTest(place):
                data = self.theirs / f"his-{place[:5]}/data"
                data.mkdir(parents=True)
                os.chown(data.parent, NOBODY, NOBODY)
                data.chmod(0o700)
                (data / "file").write_text("precious")
                target = own / place
                subprocess.run(
                    [*become(OWNER), "sh", "-ec", 'mkdir -p "$2"; rmdir "$2"; '
                     'mv -T "$1" "$2"', "sh", data.parent, target], check=True)
                run = self.world.run("--force")
                self.assertIn(f"cannot remove all of {target}: it holds files "
                              "of other users", run.stderr)
                self.assertEqual((target / "data/file").read_text(),
                                 "precious")
                shutil.rmtree(target)
        self.check_it_deploys()


class InTheWay(Attacked):
    """What the owner may put where a run of root reads, or works."""

    PLACES = [
        ".git/HEAD", ".git/refs/heads/prod", ".git/deployment-update",
        STAGE, ".git/deployment-update/lock",
        ".git/deployment-update/environments",
        ".git/deployment-update/environments/frontend",
        ".git/deployment-update/environments/frontend/2/.deployment-update",
        "frontend/node_modules/.deployment-update", "frontend/node_modules"]
    MOST_MEMORY = 50 << 10  # KiB

    def setUp(self):
        super().setUp()
        self.world.config("settle = 0\ngit-timeout = 1\n")
        for version in (2, 3):
            self.push(version)
            self.deploy(codes=(0,))

    def plant(self, plant, run=None):
        """Runs with what `plant` puts, into one place after the other."""
        run = run or (lambda: self.deploy("--force"))
        restore = self.save()
        for place in self.PLACES:
            with self.subTest(place):
                restore()
                path = self.world.checkout / place
                if path.is_dir():
                    shutil.rmtree(path)
                path.unlink(missing_ok=True)
                plant(path)
                give_to(OWNER, path)
                run()
                self.check_users()
        restore()
        self.deploy("--force", codes=(0,))

    def test_fifos(self):
        self.plant(os.mkfifo)

    def test_sockets(self):
        self.plant(lambda path: os.mknod(path, 0o600 | stat.S_IFSOCK))

    def test_folders(self):
        self.plant(os.mkdir)

    def test_links_to_what_has_no_end(self):
        self.plant(lambda path: path.symlink_to("/dev/zero"))

    def test_files_without_end(self):
        def plant(path):
            path.touch()
            os.truncate(path, 8 << 30)
        self.plant(plant, self.measure)

    def measure(self):
        os.truncate(self.notes, 0)
        code, memory = peak_memory(self.world.arguments("--force"),
                                   self.world.environment)
        self.assertIn(code, (0, 1))
        self.assertLess(memory, self.MOST_MEMORY)

    def test_a_folder_in_the_place_of_a_temporary_file(self):
        """Its name cannot be known."""
        self.add_to_stand_in(
            "npm", "mkdir -p node_modules/.deployment-update.new\n")
        self.push(4)
        self.deploy(codes=(0,))


@needs_root
class OfRoot(unittest.TestCase):
    """A checkout of root on whose path somebody else could put another."""

    def setUp(self):
        self.world = self.enterContext(World("top/way/app"))
        self.world.push("Second", {"README": "2\n"})

    def check_refused(self, path, is_repaired=True):
        self.world.checkout = path
        for more in ([], ["--dry-run"]):
            run = self.world.run(*more)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn(CAN_BE_EXCHANGED, run.stderr)
        if is_repaired:
            subprocess.run(["sh", "-ec", REPAIR.search(run.stderr)[1]],
                           check=True)
            run = self.world.run("--dry-run")
            self.assertNotIn(CAN_BE_EXCHANGED, run.stderr)

    def check_accepted(self, path):
        self.world.checkout = path
        run = self.world.run("--force")
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_below_a_folder_that_others_can_write(self):
        app = self.world.checkout
        for folder in (app.parent, app.parent.parent):
            for user, group, mode in ((0, 0, 0o777), (0, NOBODY, 0o775),
                                      (NOBODY, 0, 0o755),
                                      (NOBODY, 0, 0o1755)):
                with self.subTest(folder=folder.name, user=user, mode=mode):
                    os.chown(folder, user, group)
                    folder.chmod(mode)
                    try:
                        self.check_refused(app)
                    finally:
                        subprocess.run(["chown", "-R", "0:0", app.parents[1]],
                                       check=True)
                        folder.chmod(0o755)

    def test_below_a_folder_where_everybody_has_files_of_his_own(self):
        self.world.checkout.parent.chmod(0o1777)
        self.check_accepted(self.world.checkout)

    def test_by_a_link(self):
        world = self.world
        shared = world.root / "shared"
        shared.mkdir()
        shared.chmod(0o1777)
        link = shared / "link"
        link.symlink_to(world.checkout.parent)
        self.check_accepted(link / "app")
        os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
        self.check_refused(link / "app", is_repaired=False)


class RunAs(Attacked):
    """git has at most the rights of whom the folder belongs to."""

    def test_in_a_checkout_of_the_owner(self):
        for user in ("root", "daemon"):
            with self.subTest(user):
                self.world.config(f"settle = 0\nrun-as = {user}\n")
                run = self.deploy(codes=(2,))
                self.assertIn(RUN_AS_REFUSED.format(user), run.stderr)
                self.assertEqual(self.noted(), [])

    def test_the_owner_himself(self):
        self.world.config("settle = 0\nrun-as = nobody\n")
        self.push(2)
        self.deploy(codes=(0,))
        self.check_users()
