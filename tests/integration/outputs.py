"""What a build makes beside node_modules and venv: it is put into use, taken
back and kept together with them."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing

from support import NOBODY, needs_staging
from support.record import entries, make_due
from support.world import World, made_from, WorldCase

# npm install with a postinstall script, that tells what it was made from.
MAKES = """
mkdir -p {0}
cat package.json >{0}/page
"""
IGNORES = "node_modules/\nvenv/\ndist/\n*.out\n.env.local\n"


class Case(WorldCase):
    """A world whose first version is deployed, and made dist/ in frontend."""

    makes = MAKES.format("dist")

    def setUp(self):
        world = self.world = self.enterContext(World())
        world.push("Ignore", {".gitignore": IGNORES})
        world.git(world.checkout, "pull", "-q")
        self.plain = world.stand_in_text("npm")
        self.npm_makes(self.makes)
        self.first = world.commit()
        self.deploy(0, "--force")
        world.calls()

    def npm_makes(self, lines):
        self.world.stand_in("npm", self.plain + lines)

    def path(self, name):
        return self.world.checkout / "frontend" / name

    def page(self, folder="dist"):
        """The version that a page in use was made from."""
        return self.path(f"{folder}/page").read_text().split('"')[3]

    def assert_at(self, commit, version):
        self.assertEqual(self.world.commit(), commit)
        self.assertEqual(self.world.in_use(), made_from(version))
        self.assertEqual(self.world.git(self.world.checkout, "status",
                                        "--porcelain"), "")

    def crash_at(self, commit):
        self.world.down.write_text(f"{commit}\n")


@needs_staging
class Outputs(Case):
    def test_they_come_and_go_with_the_environment(self):
        self.assertEqual(self.page(), "1")
        before = self.path("dist").stat().st_ino
        second = self.world.push_version(2)
        self.deploy(0)
        self.assert_at(second, 2)
        self.assertEqual(self.page(), "2")
        self.deploy(0, "--rollback")
        self.assert_at(self.first, 1)
        self.assertEqual(self.page(), "1")
        self.assertEqual(self.path("dist").stat().st_ino, before)

    def test_a_rollback_of_the_run_itself_brings_them_back(self):
        before = self.path("dist").stat().st_ino
        self.world.push_version(2, crash="yes\n")
        self.assertIn("rolled back to", self.deploy(1))
        self.assert_at(self.first, 1)
        self.assertEqual(self.path("dist").stat().st_ino, before)

    def test_a_revert_puts_the_kept_ones_into_use(self):
        self.world.push_version(2)
        self.deploy(0)
        self.world.calls()
        reverted = self.world.push_version(1)
        self.deploy(0)
        self.assert_at(reverted, 1)
        self.assertEqual(self.page(), "1")
        self.assertNotIn("npm", "\n".join(self.world.calls()))

    def test_those_that_the_next_build_does_not_make_leave(self):
        self.npm_makes("echo x >made.out\n")
        self.world.push_version(2)
        self.deploy(0)
        self.assertTrue(self.path("made.out").exists())
        self.assertFalse(self.path("dist").exists())
        self.deploy(0, "--rollback")
        self.assertFalse(self.path("made.out").exists())
        self.assertEqual(self.page(), "1")

    def test_at_the_root_of_workspaces_and_in_nested_ones(self):
        self.npm_makes("mkdir -p ../node_modules/x packages/a/node_modules\n"
                       "echo 2 >../node_modules/x/page\n"
                       "echo 2 >packages/a/node_modules/page\n")
        self.world.push_version(2, **{"frontend/packages/a/index.js": "a\n"})
        self.deploy(0)
        for name in ("../node_modules/x/page", "packages/a/node_modules/page"):
            self.assertEqual(self.path(name).read_text(), "2\n")

    def test_caches_of_python_are_none(self):
        self.npm_makes("mkdir -p __pycache__\necho x >__pycache__/x.pyc\n")
        self.world.push_version(2, **{".gitignore": IGNORES + "*.pyc\n"})
        self.deploy(0)
        self.assertFalse(self.path("__pycache__").exists())

    def test_they_are_not_copied_into_the_next_stage(self):
        # .env* is copied for builds, when a person wrote it.
        self.npm_makes("echo $(cat .env.local)+ >.env.local\n")
        for version in (2, 3):
            self.world.push_version(version)
            self.deploy(0)
            self.assertEqual(self.path(".env.local").read_text(), "+\n")

    def test_a_lost_one_is_made_again_and_no_commit_is_blamed(self):
        self.deploy(0)
        subprocess.run(["rm", "-rf", self.path("dist")], check=True)
        self.assertIn("its build made frontend/dist, which is gone",
                      self.world.run("--status").stdout)
        text = self.deploy(0)
        self.assertIn("its build made frontend/dist, which is gone", text)
        self.assertEqual(self.page(), "1")
        self.assertNotIn("systemctl restart backend-deployment.service",
                         self.world.calls())
        self.assertEqual(self.deploy(0), "")


@needs_staging
class Displaced(Case):
    makes = ""

    def setUp(self):
        super().setUp()
        self.path("dist").mkdir()
        self.path("dist/page").write_text("a person's\n")
        self.npm_makes(MAKES.format("dist"))

    def test_it_is_named_and_put_back_by_a_rollback(self):
        self.world.push_version(2)
        text = self.deploy(0)
        self.assertEqual(text.count("frontend: the build makes frontend/dist, "
                                    "where something else stood"), 1, text)
        self.assertEqual(self.page(), "2")
        self.deploy(0, "--rollback")
        self.assertEqual(self.path("dist/page").read_text(), "a person's\n")

    def test_it_is_never_pruned(self):
        text = ""
        for version in range(2, 6):
            self.world.push_version(version)
            text += self.deploy(0)
        self.assertEqual(self.page(), "5")
        [kept] = (self.world.checkout / ".git/deployment-update/displaced"
                  ).iterdir()
        self.assertEqual((kept / "page").read_text(), "a person's\n")
        self.assertIn(str(kept), text)

    def test_a_file_that_a_service_writes_is_kept(self):
        self.npm_makes("echo new >db.out\n")
        self.world.push_version(2)
        self.deploy(0)
        with self.path("db.out").open("a") as data:
            data.write("of a service\n")
        for version in range(3, 7):
            self.world.push_version(version)
            self.deploy(0)
        found = [path.read_text() for path in (
            self.world.checkout / ".git/deployment-update/displaced").iterdir()
            if path.is_file()]
        self.assertEqual(found, ["new\nof a service\n"])


def values(path):
    """What a database holds, with all that is beside it."""
    with closing(sqlite3.connect(path)) as database:
        return [row[0] for row in database.execute("SELECT x FROM t")]


def write(database, value):
    database.execute("CREATE TABLE IF NOT EXISTS t (x)")
    database.execute("INSERT INTO t VALUES (?)", (value,))
    database.commit()


@needs_staging
class Database(Case):
    """A build makes a database where production has one."""

    makes = ""

    def setUp(self):
        super().setUp()
        fresh = self.world.root / "fresh"
        with self.connect(fresh) as database:
            write(database, "of the build")
        fresh.chmod(0o644)
        self.npm_makes(f"cp {fresh} data.out\n")
        self.data = self.path("data.out")

    def connect(self, path):
        database = sqlite3.connect(path)
        database.execute("PRAGMA journal_mode = WAL")
        return closing(database)

    def test_a_rollback_puts_it_back_whole(self):
        with self.connect(self.data) as database:
            write(database, "of production")
        inode = self.data.stat().st_ino
        self.world.push_version(2)
        text = self.deploy(0)
        self.assertEqual(text.count(
            "frontend: the build makes frontend/data.out, where something "
            "else stood"), 1, text)
        self.assertIn("data belongs outside of what builds make", text)
        self.assertEqual(values(self.data), ["of the build"])
        # The new one is in use when the rollback comes.
        with self.connect(self.data) as database:
            write(database, "after the push")
            self.assertTrue(self.path("data.out-wal").stat().st_size)
            self.deploy(0, "--rollback")
            self.assertEqual(self.data.stat().st_ino, inode)
            self.assertFalse(self.path("data.out-wal").exists())
            self.assertEqual(values(self.data), ["of production"])
            kept = self.kept("data.out-wal").with_name("frontend%2Fdata.out")
            copy = self.world.root / "copy"
            for suffix in ("", "-wal"):
                shutil.copy(f"{kept}{suffix}", f"{copy}{suffix}")
            self.assertEqual(values(copy), ["of the build", "after the push"])

    def test_one_that_was_in_use_is_kept_whole_and_not_put_into_use(self):
        with self.connect(self.data) as database:
            write(database, "of production")
        second = self.world.push_version(2)
        self.deploy(0)
        with self.connect(self.data) as database:
            write(database, "after the push")
            self.deploy(0, "--rollback")
        self.world.calls()
        # Forward again: the build makes another one, beside no wal.
        self.deploy(0, "--rollback", second)
        self.assertIn("npm install --no-save", self.world.calls())
        self.assertEqual(values(self.data), ["of the build"])
        self.deploy(0, "--rollback", self.first)
        self.assertEqual(values(self.data), ["of production"])
        self.npm_makes("")
        text = ""
        for version in range(3, 7):
            self.world.push_version(version)
            text += self.deploy(0)
        self.assertEqual(values(self.data), ["of production"])
        folder = self.world.checkout / ".git/deployment-update/displaced"
        [kept] = folder.glob("*data.out*-wal")
        database = kept.with_name(kept.name.removesuffix("-wal"))
        self.assertIn(str(database), text)
        self.assertEqual(values(database), ["of the build", "after the push"])

    def test_one_that_is_open_and_empty_of_changes_is_in_use(self):
        with self.connect(self.data) as database:
            write(database, "of production")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.world.push_version(2)
            self.assertIn("systemctl stop frontend-deployment.service",
                          self.deploy(1))
            self.assertEqual(values(self.data), ["of production"])

    def test_one_that_leaves_is_named(self):
        self.world.push_version(2)
        self.deploy(0)
        with self.connect(self.data) as database:
            write(database, "of a service")
        self.npm_makes("")
        self.world.push_version(3)
        self.assertIn("frontend: frontend/data.out was changed since a build "
                      "made it", self.deploy(0))
        self.assertFalse(self.data.exists())
        self.deploy(0, "--rollback")
        self.assertEqual(values(self.data), ["of the build", "of a service"])

    def kept(self, name):
        [path] = (self.world.checkout / ".git/deployment-update/environments"
                  ).glob(f"frontend/*.outputs/frontend%2F{name}")
        return path

    def test_one_in_use_is_not_moved(self):
        with self.connect(self.data) as database:
            write(database, "of production")
            self.world.push_version(2)
            text = self.deploy(1)
            self.assertIn(
                "frontend: a database is in use where a build makes a file, "
                "of which frontend/data.out-wal tells; nothing was moved",
                text)
            self.assertEqual(self.world.commit(), self.first)
            self.assertEqual(values(self.data), ["of production"])
        self.deploy(0)  # it is closed
        self.assertEqual(values(self.data), ["of the build"])
        self.deploy(0, "--rollback")
        self.assertEqual(values(self.data), ["of production"])

    def test_what_lies_beside_stays(self):
        beside = self.path("data.out.backup.out")
        beside.write_text("1\n")
        with self.connect(self.data) as database:
            write(database, "of production")
        self.world.push_version(2)
        for more in ((), ("--rollback",)):
            self.deploy(0, *more)
            self.assertEqual(beside.read_text(), "1\n")


@needs_staging
class Tracked(Case):
    def test_one_that_the_next_commit_has(self):
        before = self.path("dist").stat().st_ino
        self.npm_makes("")
        second = self.world.push("Tracked", {
            ".gitignore": "node_modules/\nvenv/\n",
            "frontend/dist/page": "tracked\n"})
        text = self.deploy(0)
        self.assertIn("its build made frontend/dist, which the commit has",
                      text)
        self.assert_at(second, 1)
        self.assertEqual(self.path("dist/page").read_text(), "tracked\n")
        self.deploy(0, "--rollback")
        self.assertEqual(self.world.commit(), self.first)
        self.assertEqual(self.page(), "1")
        self.assertEqual(self.path("dist").stat().st_ino, before)

    def test_it_stays_while_the_gate_says_not_now(self):
        world = self.world
        before = self.path("dist").stat().st_ino
        asked = world.root / "asked"
        world.config(f"settle = 0\ngate = gate {self.path('dist/page')} "
                     f"{asked}\n")
        world.stand_in("gate", '#!/bin/sh\ncat "$1" >"$2"\nexit 75\n')
        self.npm_makes("")
        world.push("Tracked", {".gitignore": "node_modules/\nvenv/\n",
                               "frontend/dist/page": "tracked\n"})
        self.deploy(0)
        self.assertEqual(asked.read_text(),
                         self.path("dist/page").read_text())
        self.assertEqual(self.path("dist").stat().st_ino, before)
        self.assertEqual(world.commit(), self.first)

    def test_a_part_of_one_and_back(self):
        self.npm_makes("mkdir -p dist\necho 2 >dist/more.out\n")
        second = self.world.push("A part", {
            ".gitignore": "node_modules/\nvenv/\n*.out\n",
            "frontend/dist/page": "tracked\n"})
        self.deploy(0)
        self.assert_at(second, 1)
        self.assertEqual(self.path("dist/page").read_text(), "tracked\n")
        self.assertEqual(self.path("dist/more.out").read_text(), "2\n")
        self.npm_makes(MAKES.format("dist"))
        third = self.world.push("Whole again", {
            ".gitignore": IGNORES, "frontend/dist/page": None,
            "frontend/package.json": '{"version": "3"}\n'})
        self.deploy(0)
        self.assertEqual(self.world.commit(), third)
        self.assertEqual(self.page(), "3")
        self.assertFalse(self.path("dist/more.out").exists())
        self.deploy(0, "--rollback")
        self.assertEqual(self.world.commit(), second)
        self.assertEqual(self.path("dist/page").read_text(), "tracked\n")
        self.assertEqual(self.path("dist/more.out").read_text(), "2\n")
        self.assertEqual(self.world.git(self.world.checkout, "status",
                                        "--porcelain"), "")

    def drop(self, **more):
        """A commit without the front end, which has its page."""
        return self.world.push("Drop it", {
            ".gitignore": "node_modules/\nvenv/\n",
            "frontend/package.json": None,
            "frontend/dist/page": "tracked\n"} | more)

    def test_one_of_a_component_that_the_commit_drops(self):
        before = self.path("dist").stat().st_ino
        dropped = self.drop()
        self.assertIn("frontend: put the node_modules aside: its build "
                      "made frontend/dist, which the commit has",
                      self.world.run("--dry-run").stdout)
        self.deploy(0)
        self.assertEqual(self.world.commit(), dropped)
        self.assertEqual(self.path("dist/page").read_text(), "tracked\n")
        self.assertFalse(self.path("node_modules").exists())
        self.assertEqual(self.deploy(0), "")
        self.deploy(0, "--rollback")
        self.assert_at(self.first, 1)
        self.assertEqual(self.page(), "1")
        self.assertEqual(self.path("dist").stat().st_ino, before)

    def test_one_of_a_component_that_a_bad_commit_drops(self):
        before = self.path("dist").stat().st_ino
        self.drop(crash="yes\n")
        self.assertIn("rolled back to", self.deploy(1))
        self.assert_at(self.first, 1)
        self.assertEqual(self.path("dist").stat().st_ino, before)

    def test_one_of_a_component_that_comes_back(self):
        dropped = self.drop()
        self.deploy(0)
        self.world.push("Back", {
            ".gitignore": IGNORES, "frontend/dist/page": None,
            "frontend/package.json": '{"version": "3"}\n'})
        self.deploy(0)
        self.assertEqual(self.page(), "3")
        self.deploy(0, "--rollback")
        self.assertEqual(self.world.commit(), dropped)
        self.assertEqual(self.path("dist/page").read_text(), "tracked\n")
        self.assertEqual(self.world.git(self.world.checkout, "status",
                                        "--porcelain"), "")

    def test_one_that_the_commit_before_had(self):
        world = self.world
        second = world.push_version(2, **{
            ".gitignore": "node_modules/\nvenv/\n",
            "frontend/dist/page": "tracked\n"})
        self.npm_makes("")
        self.deploy(0)
        self.npm_makes(MAKES.format("dist"))
        third = world.push_version(3, **{
            ".gitignore": IGNORES, "frontend/dist/page": None, "crash": "x\n"})
        text = self.deploy(1)
        self.assertIn("rolled back to", text)
        self.assert_at(second, 2)
        self.assertEqual(self.path("dist/page").read_text(), "tracked\n")
        self.assertEqual(entries(world.record)["quarantined"], third)


@needs_staging
class Refused(Case):
    def test_two_components_that_make_one_path(self):
        self.npm_makes("echo npm >../shared.out\n")
        self.world.push_version(2)
        self.deploy(0)
        self.world.stand_in(
            "pip", self.world.stand_in_text("pip").replace(
                "  cat requirements.txt >venv/made-from\n",
                "  cat requirements.txt >venv/made-from\n"
                "  echo pip >../shared.out\n"))
        before = self.world.commit()
        self.world.push("Pip too", {"backend/requirements.txt": "flask==3\n"})
        text = self.deploy(1)
        self.assertIn("error: the builds of backend and of frontend both make "
                      "shared.out; nothing was moved", text)
        self.assertEqual(self.world.commit(), before)
        self.assertEqual(self.path("../shared.out").read_text(), "npm\n")

    def test_they_are_refused_before_anything_is_released(self):
        world = self.world
        world.config("settle = 0\n[frontend]\ntype = npm\n"
                     "service = frontend-deployment.service\n[backend]\n"
                     "type = python\nservice = backend-deployment.service\n"
                     "release = migrate\n")
        world.stand_in("migrate", '#!/bin/sh\n. "${0%/*}/variables"\n'
                       'echo migrate >>"$CALLS"\n')
        self.npm_makes("echo npm >../shared.out\n")
        world.push_version(2)
        self.deploy(0)
        self.assertIn("migrate", world.calls())
        world.stand_in("pip", world.stand_in_text("pip").replace(
            "  cat requirements.txt >venv/made-from\n",
            "  cat requirements.txt >venv/made-from\n"
            "  echo pip >../shared.out\n"))
        world.push("Pip too", {"backend/requirements.txt": "flask==3\n"})
        self.assertIn("both make shared.out", self.deploy(1))
        self.assertNotIn("migrate", world.calls())

    def test_one_that_the_owner_cannot_move_is_named_before_any_move(self):
        world = self.world
        world.trust_every_owner()
        world.give_to(NOBODY)
        os.chown(self.path("dist"), 0, 0)
        second = world.push_version(2)
        world.give_to(NOBODY)
        os.chown(self.path("dist"), 0, 0)
        for _ in range(2):
            text = self.deploy(1)
            self.assertIn("frontend: frontend/dist cannot be moved: it "
                          "belongs to somebody else", text)
            self.assert_at(self.first, 1)
            self.assertEqual(self.page(), "1")
        record = entries(world.record)
        self.assertEqual(record["attempts"], "0")
        self.assertNotIn("quarantined", record)
        world.give_to(NOBODY)
        self.deploy(0)
        self.assert_at(second, 2)
        self.assertEqual(self.page(), "2")


@needs_staging
class MadeAtOnce(Case):
    """Two installs run at the same time, and one makes a file that is in no
    folder of a component."""

    def setUp(self):
        super().setUp()
        self.world.stand_in("pip", self.world.stand_in_text("pip").replace(
            "then exit 1; fi\n",
            "then exit 1; fi\n  cat requirements.txt >../shared.out\n"))

    def shared(self):
        return self.path("../shared.out").read_text()

    def test_it_is_of_the_one_that_makes_it(self):
        self.world.push_version(2)
        self.assertIn("installing once more, one after the other",
                      self.deploy(0))
        self.assertEqual(self.shared(), "flask==2\n")
        self.world.push("Front end", {
            "frontend/package.json": '{"version": "3"}\n'})
        self.deploy(0)
        self.assertEqual(self.shared(), "flask==2\n")
        self.world.push("Back end", {"backend/requirements.txt": "flask==4\n"})
        self.deploy(0)
        self.assertEqual(self.shared(), "flask==4\n")
        self.deploy(0, "--rollback")
        self.assertEqual(self.shared(), "flask==2\n")

    def test_they_install_once_when_it_is_known(self):
        self.world.push_version(2)
        self.deploy(0)
        self.world.calls()
        self.world.push_version(3)
        self.assertNotIn("once more", self.deploy(0))
        self.assertEqual(self.world.calls().count("npm install --no-save"), 1)
        self.assertEqual(self.shared(), "flask==3\n")
        self.assertEqual(self.page(), "3")

    def test_it_is_of_the_next_one_that_makes_it(self):
        """The commit after it belongs to the one that made it last."""
        self.world.push_version(2)
        self.deploy(0)
        self.world.stand_in("pip", self.world.stand_in_text(
            "pip").replace("  cat requirements.txt >../shared.out\n", ""))
        self.npm_makes(self.makes + "cat package.json >../shared.out\n")
        self.world.push_version(3)
        self.assertNotIn("once more", self.deploy(0))
        self.assertIn("3", self.shared())
        self.world.push("Front end", {
            "frontend/package.json": '{"version": "4"}\n'})
        self.deploy(0)
        self.assertIn("4", self.shared())
        self.world.push("Back end", {"backend/requirements.txt": "flask==5\n"})
        self.deploy(0)
        self.assertIn("4", self.shared())

    def test_of_a_failure_nothing_is_kept_that_lacks_it(self):
        self.npm_makes("exit 1\n")
        self.world.push_version(2)
        self.assertNotIn("once more", self.deploy(1))
        self.npm_makes(self.makes)
        make_due(self.world.record)
        self.deploy(0)
        self.assertEqual(self.shared(), "flask==2\n")
        self.world.push("Front end", {
            "frontend/package.json": '{"version": "3"}\n'})
        self.deploy(0)
        self.assertEqual(self.shared(), "flask==2\n")


@needs_staging
class OneFolder(WorldCase):
    """Of two components, one of npm and one of Python."""

    def setUp(self):
        world = self.world = self.enterContext(World())
        world.config("settle = 0\n[page]\ntype = npm\ndirectory = app\n"
                     "service = frontend-deployment.service\n"
                     "[api]\ntype = python\ndirectory = app\n"
                     "service = backend-deployment.service\n")
        world.stand_in("npm", world.stand_in_text("npm")
                       + 10 * "git --version\n" + 'echo ends >>"$CALLS"\n')
        world.stand_in("pip", world.stand_in_text("pip").replace(
            "then exit 1; fi\n",
            "then exit 1; fi\n  cat requirements.txt >made.out\n"))
        world.push("App", {".gitignore": IGNORES, "app/package.json": "{}\n",
                           "app/requirements.txt": "flask==1\n"})
        self.deploy(0)

    def test_they_install_one_after_the_other(self):
        calls = [call.split()[0] for call in self.world.calls()]
        self.assertEqual(calls[:4], ["npm", "ends", "python3", "pip"], calls)

    def test_what_one_makes_stays_when_the_other_is_installed(self):
        made = self.world.checkout / "app/made.out"
        self.world.push("Page", {"app/package.json": "{} \n"})
        self.deploy(0)
        self.assertEqual(made.read_text(), "flask==1\n")
        self.world.push("Api", {"app/requirements.txt": "flask==2\n"})
        self.deploy(0)
        self.assertEqual(made.read_text(), "flask==2\n")
        self.assertTrue(made.with_name("node_modules").exists())


@needs_staging
class InTurn(Case):
    def test_where_folders_cannot_be_exchanged_they_are_moved(self):
        world = self.world
        world.trust_every_owner()
        world.give_to(NOBODY)
        upper, work = world.root / "upper", world.root / "work"
        upper.mkdir()
        work.mkdir()
        os.chown(upper, NOBODY, NOBODY)
        subprocess.run(
            ["mount", "-t", "overlay", "overlay", "-o",
             f"lowerdir={world.checkout},upperdir={upper},workdir={work}",
             world.checkout], check=True)
        self.addCleanup(subprocess.run, ["umount", world.checkout],
                        check=True)
        second = world.push_version(2)
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", world.origin],
                       check=True)
        text = self.deploy(0)
        self.assertIn("frontend: the file system cannot exchange two folders",
                      text)
        self.assert_at(second, 2)
        self.assertEqual(self.page(), "2")
        self.deploy(0, "--rollback")
        self.assert_at(self.first, 1)
        self.assertEqual(self.page(), "1")


@needs_staging
class Checked(Case):
    def test_checks_see_them_and_cannot_write_to_them(self):
        world = self.world
        world.config("settle = 0\n[frontend]\ntype = npm\n"
                     "service = frontend-deployment.service\n"
                     "check = look\n[backend]\ntype = python\n"
                     "service = backend-deployment.service\n")
        world.stand_in("look", '#!/bin/sh\n. "${0%/*}/variables"\n'
                       'cat dist/page >>"$CALLS"\n'
                       "! (echo x >dist/page) 2>/dev/null\n")
        world.push_version(2)
        self.deploy(0)
        self.assertIn('{"version": "2"}', world.calls())
        world.push("Code", {"frontend/index.js": "2\n"})
        self.deploy(0)
        self.assertIn('{"version": "2"}', world.calls())

    def test_a_release_after_a_check_sees_them_too(self):
        world = self.world
        world.config("settle = 0\n[frontend]\ntype = npm\n"
                     "service = frontend-deployment.service\n"
                     "check = look\nrelease = look\n[backend]\n"
                     "type = python\nservice = backend-deployment.service\n")
        world.stand_in("look", '#!/bin/sh\n. "${0%/*}/variables"\n'
                       'cat dist/page >>"$CALLS"\n'
                       "! (echo x >dist/page) 2>/dev/null\n")
        world.push_version(2)
        self.deploy(0)
        self.assertEqual(world.calls().count('{"version": "2"}'), 2)


@needs_staging
class Unfinished(Case):
    def test_a_failure_of_a_push_leaves_no_half(self):
        self.world.push("Missing", {
            "frontend/package.json": '{"version": "2"}\n',
            "backend/requirements.txt": "missing\n"})
        self.deploy(1)
        self.assertEqual(self.page(), "1")
        self.world.push_version(2)
        make_due(self.world.record)
        self.deploy(0)
        self.assertEqual(self.page(), "2")
