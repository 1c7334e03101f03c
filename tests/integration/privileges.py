"""Checks who runs what: nothing that comes with a checkout gets root's rights,
and no text that comes from elsewhere gets a say."""

import os
import shutil
import unittest

from support import NOBODY, needs_staging
from support.world import World, built_aside, listing


@needs_staging
class OfAUser(unittest.TestCase):
    """Root runs the program in a checkout that belongs to a user."""

    def setUp(self):
        world = self.world = self.enterContext(World())
        world.trust_every_owner()  # for what the tests themselves ask git
        self.notes = world.root / "notes"
        self.notes.touch()
        self.notes.chmod(0o666)
        world.link_tool("id")
        for name in ("npm", "python3", "systemctl"):
            world.stand_in(name, world.stand_in_text(name).replace(
                "#!/bin/sh\n", self.noting(name), 1))
        world.give_to(NOBODY)
        self.commit = world.push("Second", {
            "frontend/package.json": '{"version": "2"}\n',
            "backend/requirements.txt": "flask==2\n", "README": "2\n"})

    def noting(self, name):
        """Begins a program that notes who runs it."""
        return (f'#!/bin/sh\necho "{name} $(id -u) ${{HOME:-homeless}}"'
                f' >>{self.notes}\n')

    def deploy(self):
        run = self.world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.world.commit(), self.commit)
        self.assertTrue(built_aside(run), run.stderr)

    def noted(self, *names):
        """The user id and home of each program that ran and is one of
        `names`."""
        found = {}
        for line in self.notes.read_text().splitlines():
            name, user, home = line.split()
            if name in names:
                found.setdefault(name, set()).add((int(user), home))
        return found

    def test_only_systemctl_runs_as_root(self):
        world = self.world
        world.stand_in("curl", self.noting("curl") + "printf 200\n")
        world.config("settle = 0\n[web]\ntype = npm\ndirectory = frontend\n"
                     "service = frontend-deployment.service\n"
                     "health-check = http://localhost:1/\n"
                     "[api]\ntype = python\ndirectory = backend\n"
                     "service = backend-deployment.service\n"
                     'health-command = echo "sh $(id -u) $HOME" >>'
                     f"{self.notes}\n")
        self.deploy()
        user = {(NOBODY, "/nonexistent")}
        self.assertEqual(
            self.noted("npm", "python3", "curl", "sh"),
            {"npm": user, "python3": user, "curl": user, "sh": user})
        self.assertEqual(
            {who for who, _ in self.noted("systemctl")["systemctl"]}, {0})

    def test_everything_in_the_checkout_stays_the_owners(self):
        self.deploy()
        strangers = [path for path in self.world.checkout.rglob("*")
                     if path.lstat().st_uid != NOBODY]
        self.assertEqual(strangers, [])

    def test_what_the_repository_runs_has_the_owners_rights(self):
        git = self.world.checkout / ".git"
        for name in ("post-merge", "post-checkout", "reference-transaction",
                     "post-index-change", "pre-auto-gc"):
            self.write_program(git / "hooks" / name)
        self.write_program(git / "monitor")
        self.world.git(self.world.checkout, "config", "core.fsmonitor",
                       git / "monitor")
        self.world.give_to(NOBODY)
        self.deploy()
        noted = self.noted("post-merge", "reference-transaction", "monitor",
                           "post-checkout", "post-index-change", "pre-auto-gc")
        for name in ("post-merge", "reference-transaction", "monitor"):
            self.assertIn(name, noted)  # else nothing was tried
        users = {who for pairs in noted.values() for who, _ in pairs}
        self.assertEqual(users, {NOBODY})

    def write_program(self, path):
        path.parent.mkdir(exist_ok=True)
        path.write_text(self.noting(path.name))
        path.chmod(0o755)

    def test_a_set_user_id_program_gives_the_owner_no_rights(self):
        world = self.world
        if os.statvfs(world.root).f_flag & os.ST_NOSUID:
            self.skipTest("the temporary folder is mounted with nosuid")
        become_root = world.root / "become-root"
        shutil.copy(shutil.which("id"), become_root)
        become_root.chmod(0o4755)
        world.stand_in("npm", world.stand_in_text("npm")
                       + f"{become_root} -u >>{self.notes}\n")
        for more, user in (("", NOBODY), ("new-privileges = true\n", 0)):
            with self.subTest(config=more):
                self.notes.write_text("")
                world.config("settle = 0\n" + more)
                run = world.run("--force")
                self.assertEqual(run.returncode, 0, run.stderr)
                users = [line for line in self.notes.read_text().splitlines()
                         if line.isdigit()]
                self.assertEqual(users, [str(user)])

    def test_the_owners_own_run_gains_no_rights_either(self):
        world = self.world
        text = f"grep NoNewPrivs: /proc/self/status >>{self.notes}\n"
        for name in ("npm", "python3", "systemctl"):
            world.stand_in(name, world.stand_in_text(name) + text)
        world.services.chmod(0o777)
        world.state.mkdir(exist_ok=True)
        for path in (world.state, *world.services.iterdir()):
            os.chown(path, NOBODY, NOBODY)
        run = world.run_program(
            ["/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
             "--clear-groups", *world.arguments("--build=in-place")])
        self.assertEqual(run.returncode, 0, run.stderr)
        lines = {line for line in self.notes.read_text().splitlines()
                 if line.startswith("NoNewPrivs")}
        self.assertEqual(lines, {"NoNewPrivs:\t1"})

    def test_nobody_gets_more_rights_than_the_owner(self):
        for name in ("root", "daemon"):
            self.world.config(f"settle = 0\nrun-as = {name}\n")
            run = self.world.run()
            self.assertEqual(run.returncode, 2)
            self.assertEqual(
                run.stderr, f"error: run-as = {name} is not allowed; the "
                "checkout belongs to another user, who would get the rights "
                f"of {name}\n")
        self.assertEqual(self.noted("npm", "git"), {})

    def test_run_as_another_user(self):
        os.chown(self.world.checkout, 0, 0)
        self.world.checkout.chmod(0o777)
        # git itself has to trust the folder of another user.
        self.world.config("settle = 0\nrun-as = nobody\n"
                          "pass-environment = GIT_CONFIG_SYSTEM\n")
        self.deploy()
        self.assertEqual(self.noted("npm")["npm"], {(NOBODY, "/nonexistent")})

    def test_only_root_runs_as_others(self):
        self.world.config("run-as = daemon\n")
        run = self.world.run_program(
            ["/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
             "--clear-groups", *self.world.arguments()])
        self.assertEqual(run.returncode, 2)
        self.assertEqual(
            run.stderr, "error: run-as = daemon is not allowed; only root can "
            "run as another user\n")

    def test_a_user_that_is_not_there(self):
        self.world.config("run-as = no-such-user\n")
        run = self.world.run()
        self.assertEqual(run.returncode, 1)
        self.assertEqual(
            run.stderr, "error: there is no user 'no-such-user'\n"
            "error: what to do: create the user, or name another one\n")

    def test_without_a_home_it_is_looked_up(self):
        # systemd starts services without one.
        del self.world.environment["HOME"]
        self.world.give_to(0)
        self.deploy()
        self.assertEqual(self.noted("npm")["npm"], {(0, "/root")})


class TemporaryFiles(unittest.TestCase):
    def test_their_names_cannot_be_predicted(self):
        world = self.enterContext(World())
        temporary = world.root / "tmp"
        temporary.mkdir()
        seen = world.root / "seen"
        world.environment["TMPDIR"] = str(temporary)
        real = os.readlink(world.bin / "git")
        (world.bin / "git").unlink()
        world.stand_in("git", f"""#!/bin/sh
/bin/ls -l "$TMPDIR" >>{seen}
exec {real} "$@"
""")
        world.push("Second", {"README": "2\n"})
        for _ in range(2):
            run = world.run("--dry-run")
            self.assertEqual(run.returncode, 0, run.stderr)
        folders = {line.split()[-1]: line.split()[0]
                   for line in seen.read_text().splitlines() if "drw" in line}
        self.assertEqual(len(folders), 2, folders)
        for name, mode in folders.items():
            self.assertRegex(name, r"\Adeployment-update\.\w{6}\Z")
            self.assertEqual(mode, "drwx------")
        self.assertEqual(list(temporary.iterdir()), [])


@needs_staging
class Obstacles(unittest.TestCase):
    """What the owner may put where root's run reads and writes."""

    def setUp(self):
        self.world = self.enterContext(World())

    def deploy(self, name, code):
        self.world.push(name, {"frontend/package.json":
                               f'{{"name": "{name}"}}\n'})
        run = self.world.run()
        self.assertEqual(run.returncode, code, run.stderr)
        return run.stderr

    def test_a_fifo_in_the_place_of_a_label_blocks_nobody(self):
        self.deploy("first", 0)
        modules = self.world.checkout / "frontend/node_modules"
        (modules / ".deployment-update").unlink()
        os.mkfifo(modules / ".deployment-update")
        os.mkfifo(modules / ".deployment-update.new")
        self.deploy("second", 0)

    def test_a_ref_without_end_is_an_error(self):
        ref = self.world.checkout / ".git/refs/heads/prod"
        os.truncate(ref, 2 << 30)
        self.assertIn(f"{ref} is longer than", self.deploy("second", 1))


class HostileText(unittest.TestCase):
    NAMES = ["a\n<2>forged: all is well", "b\x1b[2Jc", "--upload-pack=x",
             "\u202etxt.exe", "$(touch pwned)", "`touch pwned`", "-"]

    def setUp(self):
        self.world = self.enterContext(World())

    def test_file_names(self):
        world = self.world
        world.push("Names", {name: "theirs\n" for name in self.NAMES})
        for name in self.NAMES:
            (world.checkout / name).write_text("mine\n")
        before = listing(world.checkout)
        for more in (["--dry-run"], []):
            run = world.run(*more)
            self.assertEqual(run.returncode, 1)
            text = run.stdout + run.stderr
            self.assertIn("local changes would be overwritten", text)
            self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f\x7f\u202e]")
            for line in text.splitlines():
                self.assertFalse(line.startswith("<2>forged"), text)
            self.assertIn("a\\x0a<2>forged: all is well", text)
        unchanged = {name: before[name] for name in before
                     if "/.git" not in name}
        after = listing(world.checkout)
        self.assertEqual({name: after[name] for name in unchanged}, unchanged)

    def test_they_are_deployed_all_the_same(self):
        world = self.world
        commit = world.push("Names", {name: "theirs\n" for name in self.NAMES})
        run = world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(world.commit(), commit)
        self.assertFalse((world.checkout / "pwned").exists())

    def test_subjects(self):
        subject = "Fix\x1b]0;title\x07 \u202e$(touch pwned)"
        self.world.push(subject, {"README": "2\n"})
        for more in (["--dry-run"], ["--dry-run", "--json"], [], ["--status"],
                     ["--status", "--json"]):
            run = self.world.run(*more)
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertNotRegex(run.stdout + run.stderr,
                                "[\x00-\x09\x0b-\x1f\x7f\u202e]")
        self.assertFalse((self.world.checkout / "pwned").exists())

    def test_names_that_read_as_options_are_refused(self):
        for option in ("--branch=--upload-pack=x", "--remote=--exec=x",
                       "--branch=-q", "--branch=a..b", "--branch=a b"):
            run = self.world.run(option)
            self.assertEqual(run.returncode, 2, run)
            self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
