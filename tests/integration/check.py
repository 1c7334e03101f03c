"""--check names each thing that is in the way, with its remedy. Each one is
broken here, alone and together with others; where the remedy is a command, it
is run, and then nothing is in the way any more."""

import json
import os
import re
import subprocess
import unittest

from integration import workspaces
from support import NOBODY, PATIENCE, needs_root, require
from support.units_of_a_host import POLL, SERVICE, TIMER, Units
from support.users import OWNER, READER, OwnedWorld, become, give_to
from support.world import CONFIG, FRONTEND_SECTION, listing

FRONT_END = "frontend-deployment.service"
BACK_END = "backend-deployment.service"
COMPONENTS = (CONFIG + FRONTEND_SECTION +
              "health-check = http://127.0.0.1:1/\n[backend]\ntype = python\n"
              f"service = {BACK_END}\n")
APT = """#!/bin/sh
# Puts a program back that a test took away.
mv "${0%/*}/away/$2"/* "${0%/*}"
"""


class Host(OwnedWorld):
    """A host on which nothing is in the way."""

    def __init__(self):
        super().__init__(config=COMPONENTS)
        (self.bin / "away").mkdir()
        self.units = Units(self)
        self.stand_in("curl", "#!/bin/sh\nprintf 200\n")
        self.stand_in("timedatectl", "#!/bin/sh\necho yes\n")
        self.stand_in("apt-get", APT)
        for tool in ("test", "stat"):
            self.link_tool(tool)
        self.state.mkdir()
        self.before = ()  # of a command
        self._mounted = []

    def __exit__(self, *unused):
        for folder in reversed(self._mounted):
            subprocess.run(["umount", "--lazy", folder], check=False,
                           stderr=subprocess.DEVNULL)
        super().__exit__()

    def has_mounts(self):
        return bool(self._mounted)

    def mount(self, *arguments):
        subprocess.run(["mount", *arguments], check=True)
        self._mounted.append(arguments[-1])

    def on_a_small_disk(self, size):
        """Lets the checkout be a file system of its own."""
        copy = self.root / "copy"
        self.checkout.rename(copy)
        self.checkout.mkdir()
        self.mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs",
                   self.checkout)
        subprocess.run(["cp", "-a", f"{copy}/.", self.checkout], check=True)

    def as_owner(self, folder, *arguments, text=""):
        """Runs git, which reads `text`."""
        subprocess.run(
            [*become(OWNER), "git", "-C", folder, *arguments], check=True,
            stdout=subprocess.DEVNULL, cwd="/", input=text, text=True,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})

    def push_as_owner(self, files):
        self.push("Pushed", files)
        give_to(OWNER, self.origin)

    def take_away(self, program, package=None):
        folder = self.bin / "away" / (package or program)
        folder.mkdir()
        (self.bin / program).rename(folder / program)

    def check(self, *more, user=0):
        run = self.run_program([*self.before, *self.command_of(
            user, "--check", "--json", *more)])
        require(run.stdout, run.stderr)
        return run, json.loads(run.stdout)


def paste(world, remedy):
    """Runs the command at the end of a remedy as a person would."""
    command = remedy.rpartition(": ")[2]
    run = subprocess.run(
        ["sh", "-c", command], cwd="/", capture_output=True, text=True,
        check=False, timeout=PATIENCE,
        env=world.environment | {
            "PATH": f"{world.bin}:/usr/sbin:/usr/bin:/sbin:/bin"})
    return f"{command}: {run.stdout}{run.stderr}"


# Each breaks one thing. It returns how that is mended, where the remedy is no
# command to paste. `what` is a regular expression for what is said.
BROKEN = {}


def broken(what, alone=False):
    def add(function):
        BROKEN[function.__name__] = (function, what, alone)
        return function
    return add


# Programs

@broken("git version 2.20.1 is too old: 2.28 or newer is needed")
def git_is_old(world):
    world.take_away("git")
    real = world.bin / "away/git/git"
    world.stand_in("git", '#!/bin/sh\nif [ "$1" = --version ]; then\n'
                   f'echo git version 2.20.1; else exec {real} "$@"; fi\n')


@broken("looking for npm failed: npm --version: command not found")
def npm_is_missing(world):
    world.take_away("npm")


@broken("node .*: command not found")
def node_is_missing(world):
    world.take_away("node", "nodejs")


@broken("python3 --version: command not found")
def python3_is_missing(world):
    world.take_away("python3")


@broken("looking for venv of python3 failed", alone=True)
def venv_is_missing(world):
    text = world.stand_in_text("python3")
    world.stand_in("python3", text.replace("-c) exit ;;", "-c) exit 1 ;;"))
    return lambda: world.stand_in("python3", text)


@broken("curl .*: command not found")
def curl_is_missing(world):
    world.take_away("curl")


@broken("gate names .*/gate, which runs as root, and others than root can "
        "write it")
def gate_can_be_written(world):
    gate = world.root / "gate"
    gate.write_text("#!/bin/sh\n")
    gate.chmod(0o777)
    world.config(f"gate = {gate}\n" + world.config_file.read_text())


@broken("notify names .*/tell, which runs as root, and others than root can "
        "exchange it in .*/bin", alone=True)
def program_can_be_exchanged(world):
    folder = world.root / "programs/bin"
    folder.mkdir(parents=True)
    tell = folder / "tell"
    tell.write_text("#!/bin/sh\n")
    tell.chmod(0o755)
    folder.chmod(0o777)
    before = world.config_file.read_text()
    world.config(f"notify = {tell}\n{before}")

    def mend():
        folder.chmod(0o755)
        require(not world.check()[1]["obstacles"], "it is a folder of root's")
        world.config(before)
    return mend


@broken("notify names .*/tell, which cannot be executed", alone=True)
def program_is_missing(world):
    tell = world.root / "tell"
    world.config(f"notify = {tell}\n" + world.config_file.read_text())

    def mend():
        tell.write_text("#!/bin/sh\n")
        tell.chmod(0o755)
    return mend


# Units

@broken(f"{FRONT_END} cannot be restarted: it is masked")
def service_is_masked(world):
    world.units.set(FRONT_END, LoadState="masked")


@broken(f"{BACK_END} is not enabled: it does not start when the host boots")
def service_is_disabled(world):
    world.units.set(BACK_END, UnitFileState="disabled")


@broken(f"{BACK_END} cannot be restarted: systemd calls it not-found",
        alone=True)
def service_is_unknown(world):
    world.units.set(BACK_END, LoadState="not-found")
    return lambda: world.units.set(BACK_END, LoadState="loaded")


@broken(f"{TIMER} is not enabled: nothing is deployed after the next boot")
def timer_is_disabled(world):
    world.units.set(TIMER, UnitFileState="disabled", ActiveState="inactive")


@broken(f"{TIMER} is not active: nothing is deployed", alone=True)
def timer_is_stopped(world):
    world.units.set(TIMER, ActiveState="inactive")


@broken(f"{POLL} cannot be restarted: it is masked")
def poll_is_masked(world):
    world.units.set(POLL, LoadState="masked")


@broken(f"{POLL} asks the remote with other options than {SERVICE} has",
        alone=True)
def poll_asks_another_remote(world):
    program = "{ path=/usr/local/bin/deployment-update ; argv[]=program"
    world.units.set(POLL, ExecStart=f"{program} --poll {SERVICE} ; x }}")
    world.units.set(SERVICE, ExecStart=f"{program} --remote upstream ; x }}")

    def mend():
        world.units.set(POLL, ExecStart="")
        world.units.set(SERVICE, ExecStart=f"{program} ; x }}")
    return mend


@broken(f"a file of {FRONT_END} was changed, and systemd has not read it",
        alone=True)
def unit_was_changed(world):
    world.units.set(FRONT_END, NeedDaemonReload="yes")


@broken(f"{SERVICE} cannot be restarted: systemd calls it not-found",
        alone=True)
def own_unit_is_missing(world):
    world.units.set(SERVICE, LoadState="not-found")
    return lambda: world.units.set(SERVICE, LoadState="loaded")


@broken(f"{SERVICE} starts /usr/local/bin/deployment-update.sh, and not this")
def unit_is_the_original_one(world):
    before = "{ path=/usr/local/bin/deployment-update ; argv[]=x }"
    world.units.set(SERVICE, ExecStart=before.replace("update ", "update.sh "))
    return lambda: world.units.set(SERVICE, ExecStart=before)


@broken("asking systemd failed: .*: System has not been booted", alone=True)
def systemd_is_silent(world):
    world.units.set("silent")
    return lambda: world.units.remove("silent")


# The unit's settings

@broken(f"{SERVICE} has ProtectSystem=strict: it cannot write to .*/app",
        alone=True)
def all_is_read_only(world):
    world.units.set(SERVICE, ProtectSystem="strict")
    return lambda: world.units.set(
        SERVICE, ReadWritePaths=f"{world.root} /run/deployment-update")


@broken(f"{SERVICE} has PrivateTmp=yes: it does not see .*/app")
def temporary_folders_are_private(world):
    if not world.root.is_relative_to("/tmp"):
        raise unittest.SkipTest("worlds are not in /tmp")
    world.units.set(SERVICE, PrivateTmp="yes")
    return lambda: world.units.set(SERVICE, PrivateTmp="no")


@broken(f"{SERVICE} has RestrictNamespaces=yes: nothing can be built aside")
def namespaces_are_forbidden(world):
    world.units.set(SERVICE, RestrictNamespaces="yes")
    return lambda: world.units.set(SERVICE, RestrictNamespaces="mnt")


@broken(f"{SERVICE} has CapabilityBoundingSet=cap_setuid cap_setgid: it lacks "
        "CAP_CHOWN .*CAP_SYS_ADMIN")
def rights_are_taken(world):
    world.units.set(SERVICE, CapabilityBoundingSet="cap_setuid cap_setgid")
    return lambda: world.units.set(
        SERVICE, CapabilityBoundingSet="cap_sys_admin cap_setuid cap_setgid "
        "cap_kill cap_dac_override cap_chown cap_fowner cap_fsetid")


@broken(f"{SERVICE} has PrivateNetwork=yes: it reaches no remote")
def network_is_private(world):
    world.units.set(SERVICE, PrivateNetwork="yes")
    return lambda: world.units.set(SERVICE, PrivateNetwork="no")


@broken(f"{SERVICE} has TimeoutStartUSec=5min: systemd ends a run before "
        "install-timeout = 1800 is over")
def unit_ends_runs(world):
    world.units.set(SERVICE, TimeoutStartUSec="5min")
    return lambda: world.units.set(SERVICE, TimeoutStartUSec="9h")


@broken(f"{SERVICE} has NoNewPrivileges=yes: new-privileges = true .* cannot")
def privileges_contradict(world):
    world.config("new-privileges = true\n" + world.config_file.read_text())
    return lambda: world.units.set(SERVICE, NoNewPrivileges="no")


# Settings

@broken("pass-environment names NPM_TOKEN, which the service does not have")
def variable_is_missing(world):
    world.config("pass-environment = NPM_TOKEN\n" +
                 world.config_file.read_text())
    # A person's own does not count.
    world.environment["NPM_TOKEN"] = "mine"
    return lambda: world.units.set(SERVICE, Environment='"NPM_TOKEN=a b"')


@broken("the service needs the file .*/variables-of-it: No such file")
def file_of_variables_is_missing(world):
    world.units.set(SERVICE, EnvironmentFiles=f"{world.root}/variables-of-it "
                    "(ignore_errors=no)")


@broken(f"systemctl-timeout = 120 ends a restart of {FRONT_END} while that "
        "may still stop: its TimeoutStopSec= is infinity")
def stop_takes_longer(world):
    world.units.set(FRONT_END, TimeoutStopUSec="infinity")
    return lambda: world.units.set(FRONT_END, TimeoutStopUSec="1min")


@broken("state-dir = .*/app/state is in the checkout", alone=True)
def record_is_in_the_checkout(world):
    before, world.state = world.state, world.checkout / "state"

    def mend():
        world.state = before
    return mend


@broken("component api: there is no folder srv/api, neither in ")
def folder_is_misspelled(world):
    before = world.config_file.read_text()
    world.config(f"{before}[api]\ntype = npm\ndirectory = srv/api\n")
    return lambda: world.config(before)


@broken("the clock is at .*, before the last deployment ended: 2999-",
        alone=True)
def clock_is_wrong(world):
    world.record.write_text(
        f"deployment = 2999-01-01T00:00:00Z deployed 1 {world.commit()} "
        f"{world.commit()}\n")
    return world.record.unlink


# Folders

@broken(r"not all files below .*/app/\.git belong to nobody: .*/left does not")
def file_of_root_in_git(world):
    (world.checkout / ".git/objects/left").touch()


@broken("nobody cannot write to .*/app/frontend$")
def component_belongs_to_root(world):
    os.chown(world.checkout / "frontend", 0, 0)


@broken("nobody cannot write to .*/app/backend/venv$")
def environment_belongs_to_root(world):
    (world.checkout / "backend/venv").mkdir()


@broken("nobody cannot write to .*/app/backend$")
def component_is_read_only(world):
    (world.checkout / "backend").chmod(0o555)


@broken("the directory .*/state can be written by others than root")
def record_is_open(world):
    world.state.chmod(0o777)


@broken(r"the record .*/state/record belongs to the checkout /elsewhere",
        alone=True)
def record_is_of_another_checkout(world):
    world.record.write_text("checkout = /elsewhere\n")


@broken(r"index\.lock exists, but no git process is running in the checkout")
def git_left_a_lock(world):
    lock = world.checkout / ".git/index.lock"
    lock.touch()
    os.chown(lock, NOBODY, NOBODY)
    return lock.unlink


@broken("the checkout .*/app is not there", alone=True)
def checkout_is_missing(world):
    world.checkout.rename(world.root / "moved")
    return lambda: (world.root / "moved").rename(world.checkout)


@broken("the checkout .*/app is not safe: others than its owner can change",
        alone=True)
def checkout_is_open(world):
    world.checkout.chmod(0o777)


# Builds

@broken("nothing can be built aside: no mount namespace can be made: "
        "Operation not permitted", alone=True)
def no_namespaces(world):
    world.before = ("/usr/bin/setpriv", "--bounding-set=-sys_admin")

    def mend():
        world.before = ()
    return mend


@broken(r" are free on the file system of .*/app, and a deployment that "
        "builds all environments may take 64 MiB", alone=True)
def disk_is_full(world):
    world.on_a_small_disk("20m")
    return lambda: subprocess.run(
        ["mount", "-o", "remount,size=200m", world.checkout], check=True)


@broken("/app/frontend/node_modules is on another file system than .*"
        r"\.git: it cannot be exchanged", alone=True)
def environment_is_mounted(world):
    modules = world.checkout / "frontend/node_modules"
    modules.mkdir()
    os.chown(modules, NOBODY, NOBODY)
    world.mount("-t", "tmpfs", "-o", f"uid={NOBODY}", "tmpfs", modules)


@broken("the file system of .*/app is read-only", alone=True)
def checkout_is_read_only(world):
    world.on_a_small_disk("200m")
    subprocess.run(["mount", "-o", "remount,ro", world.checkout], check=True)
    return lambda: subprocess.run(
        ["mount", "-o", "remount,rw", world.checkout], check=True)


# The remote, and what would stop a deployment

@broken("the remote origin has no branch prod", alone=True)
def branch_is_missing(world):
    world.as_owner(world.origin, "branch", "-m", "prod", "main")
    return lambda: world.as_owner(world.origin, "branch", "-m", "main", "prod")


@broken("the checkout has no remote origin", alone=True)
def remote_is_missing(world):
    world.as_owner(world.checkout, "remote", "rename", "origin", "upstream")
    return lambda: world.as_owner(world.checkout, "remote", "rename",
                                  "upstream", "origin")


@broken("there is no repository at file://.*/origin.git, or not for this user",
        alone=True)
def repository_is_gone(world):
    world.origin.rename(world.root / "moved")
    return lambda: (world.root / "moved").rename(world.origin)


@broken("local changes would be overwritten; nothing was changed: README")
def local_changes(world):
    world.push_as_owner({"README": "theirs\n"})
    (world.checkout / "README").write_text("mine\n")
    os.chown(world.checkout / "README", NOBODY, NOBODY)


@broken("the node_modules of frontend is a link to shared, in whose place a "
        "folder would come", alone=True)
def environment_is_a_link(world):
    link = world.checkout / "frontend/node_modules"
    link.symlink_to("shared")
    return link.unlink


@needs_root
class Check(unittest.TestCase):
    def host(self):
        return self.enterContext(Host())

    def check(self, world, *more, **options):
        run, found = world.check(*more, **options)
        self.assertEqual(run.returncode, 1 if found["obstacles"] else 0,
                         run.stderr)
        self.assertEqual(run.stderr, "")
        for finding in found["obstacles"] + found["notes"]:
            for line in (finding["what"], finding["remedy"]):
                self.assertTrue(line)
                self.assertNotIn("\n", line)
        return found

    def test_a_good_host(self):
        world = self.host()
        before = listing(world.checkout, world.state, world.origin)
        found = self.check(world)
        self.assertEqual(found["obstacles"], [])
        self.assertEqual(found["not_seen"], [])
        self.assertEqual(found["notes"], [])
        run = world.run("--check")
        self.assertEqual(run.returncode, 0)
        self.assertTrue(run.stdout.endswith("\nnothing is in the way\n"))
        self.assertLess(run.stdout.count("\n"), 12)
        self.assertEqual(self.changed(before, world), [])

    def changed(self, before, world):
        """What a check leaves changed; .git holds a folder for a moment."""
        after = listing(world.checkout, world.state, world.origin)
        git = str(world.checkout / ".git")
        return [path for path in before | after
                if before.get(path) != after.get(path) and path != git]

    def require_remedy(self, world, break_it, what):
        mend = break_it(world)
        found = self.check(world)
        remedies = [one["remedy"] for one in found["obstacles"]
                    if re.search(what, one["what"])]
        self.assertEqual(len(remedies), 1, found["obstacles"])
        said = mend() if mend else paste(world, remedies[0])
        found = self.check(world)
        self.assertEqual(found["obstacles"], [], said)

    def test_each_obstacle_has_a_remedy(self):
        world = None
        for name, (break_it, what, _) in BROKEN.items():
            with self.subTest(name):
                # What was mended is a good host again.
                host, world = world or self.host(), None
                self.require_remedy(host, break_it, what)
                world = None if host.has_mounts() else host

    def test_all_obstacles_at_once(self):
        world = self.host()
        expected = []
        for break_it, what, alone in BROKEN.values():
            if not alone:
                try:
                    break_it(world)
                except unittest.SkipTest:
                    continue
                expected.append(what)
        found = self.check(world)
        whats = "\n".join(one["what"] for one in found["obstacles"])
        self.assertGreaterEqual(len(expected), 20)
        for what in expected:
            with self.subTest(what):
                self.assertRegex(whats, f"(?m){what}")
        run = world.run("--check")
        self.assertEqual(run.returncode, 1)
        count = len(found["obstacles"])
        self.assertTrue(run.stdout.endswith(f"\n{count} obstacles\n"))
        self.assertEqual(run.stdout.count("\nin the way "), count)
        self.assertEqual(run.stdout.count("\n  to do "),
                         count + len(found["notes"]))

    def test_the_owner_is_told_what_he_cannot_see(self):
        world = self.host()
        found = self.check(world, user=OWNER)
        self.assertEqual(found["obstacles"], [])
        self.assertEqual(found["not_seen"], [
            "whether mount namespaces can be made: only root can"])
        world.take_away("npm")
        world.units.set(TIMER, UnitFileState="disabled")
        found = self.check(world, user=OWNER)
        self.assertEqual(len(found["obstacles"]), 2)

    def test_somebody_else_is_told_what_he_cannot_see(self):
        found = self.check(self.host(), user=READER)
        self.assertEqual(found["obstacles"], [])
        self.assertEqual(found["not_seen"], [
            "the checkout and the remote: only root and its owner can look at "
            "them as the service does"])

    def test_a_user_without_a_name(self):
        """As in a container that is started for some number."""
        world = self.host()
        give_to(54321, world.checkout, world.origin, world.state_of_owner)
        found = self.check(world, user=54321)
        self.assertEqual(found["obstacles"], [])
        run = world.run_program(world.command_of(54321, "--dry-run",
                                                 "--build=in-place"))
        self.assertEqual(run.returncode, 0, run.stderr)
        whats = [one["what"] for one in self.check(world)["obstacles"]]
        self.assertEqual(whats, ["there is no user with the id 54321"])

    def test_what_is_not_in_the_way(self):
        """A service that a socket starts, a repository that a group shares,
        and a folder to which the owner's group may write."""
        world = self.host()
        world.units.set(FRONT_END, UnitFileState="disabled",
                        TriggeredBy="frontend-deployment.socket")
        git = world.checkout / ".git"
        git.chmod(0o2775)
        (git / "objects/theirs").touch()
        os.chown(world.checkout / "frontend", READER, OWNER)
        (world.checkout / "frontend").chmod(0o775)
        self.assertEqual(self.check(world)["obstacles"], [])

    def test_the_environment_and_outputs_of_a_workspace(self):
        world = self.host()
        world.config(CONFIG + "[web]\ntype = npm\ndirectory = apps/web\n"
                     f"service = {FRONT_END}\n")
        world.stand_in("npm", workspaces.NPM.replace(
            "\n", "\n[ \"$1\" != --version ] || { echo 9.2.0; exit; }\n", 1)
            + "mkdir -p apps/web/dist\ncat package.json >apps/web/dist/page\n")
        world.push_as_owner(workspaces.ROOT | {
            workspaces.WEB + "/package.json": "{}\n",
            ".gitignore": "node_modules/\ndist/\n"})
        run = world.run("--force")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.check(world)["obstacles"], [])
        os.chown(world.checkout / "apps/web/dist", 0, 0)
        self.assertIn("web: apps/web/dist cannot be moved: it belongs to "
                      "somebody else", self.whats(world))
        os.chown(world.checkout / "apps/web/dist", OWNER, OWNER)
        modules = world.checkout / "node_modules"
        os.chown(modules, 0, 0)
        self.assertIn(f"nobody cannot write to {modules}", self.whats(world))
        world.mount("-t", "tmpfs", "tmpfs", modules)
        self.assertIn(f"{world.checkout}/./node_modules is on another file "
                      f"system than {world.checkout}/.git: it cannot be "
                      "exchanged", self.whats(world))

    def whats(self, world):
        return [one["what"] for one in self.check(world)["obstacles"]]

    def test_variables_that_the_owner_cannot_read(self):
        world = self.host()
        file = world.root / "secrets"
        file.write_text("NPM_TOKEN=1\n")
        file.chmod(0o600)
        world.config("pass-environment = NPM_TOKEN\n" +
                     world.config_file.read_text())
        world.units.set(SERVICE, EnvironmentFiles=f"{file} (ignore_errors=no)")
        self.assertEqual(self.check(world)["obstacles"], [])
        found = self.check(world, user=OWNER)
        self.assertEqual(found["obstacles"], [])
        self.assertIn(f"the variables in {file}, which only root reads",
                      found["not_seen"])

    def test_a_weaker_unit_is_a_note(self):
        world = self.host()
        drop_in = world.root / "override.conf"
        drop_in.write_text("[Service]\nNoNewPrivileges=no\n")
        world.units.set(SERVICE, NoNewPrivileges="no",
                        DropInPaths=f"/etc/x.d/hardening.conf {drop_in}")
        found = self.check(world)
        self.assertEqual(found["obstacles"], [])
        self.assertEqual(
            [note["what"] for note in found["notes"]],
            [f"{SERVICE} is less confined than hardening.conf has it: "
             f"NoNewPrivileges=no from {drop_in}"])

    def test_notes(self):
        world = self.host()
        world.units.set(SERVICE, DropInPaths="", TimeoutStartUSec="infinity")
        world.stand_in("timedatectl", "#!/bin/sh\necho no\n")
        found = self.check(world)
        self.assertEqual(found["obstacles"], [])
        whats = "\n".join(note["what"] for note in found["notes"])
        for what in (f"{SERVICE} runs without hardening.conf",
                     f"{SERVICE} has no TimeoutStartSec=",
                     "the clock is not synchronized"):
            self.assertIn(what, whats)

    def test_metrics_that_cannot_be_written_are_a_note(self):
        world = self.host()
        folder = world.root / "collector"
        world.config(f"metrics = {folder}/app.prom\n" +
                     world.config_file.read_text())
        [note] = self.check(world)["notes"]
        self.assertEqual(note["what"],
                         "no metrics are written: cannot write to "
                         f"{folder}: No such file or directory")
        folder.mkdir()
        self.assertEqual(self.check(world)["notes"], [])

    def test_a_hold_is_a_note(self):
        world = self.host()
        world.run("--hold", "audit")
        [note] = self.check(world)["notes"]
        self.assertRegex(note["what"], r"held back since \S+, as .*: audit$")
        self.assertIn("--release", note["remedy"])

    def test_wrong_settings(self):
        world = self.host()
        world.config("settle = x\n")
        self.assertEqual(world.run("--check").returncode, 2)
        world.config("run-as = daemon\n")
        run = world.run("--check")
        self.assertEqual(run.returncode, 2)
        self.assertIn("run-as = daemon is not allowed", run.stderr)

    def test_a_remote_that_hangs_is_an_obstacle(self):
        world = self.host()
        world.config("git-timeout = 1\n" + world.config_file.read_text())
        world.stand_in("hang", "#!/bin/sh\nexec sleep 1000\n")
        world.link_tool("sleep")
        world.as_owner(world.checkout, "config", "remote.origin.uploadpack",
                       str(world.bin / "hang"))
        found = self.check(world)
        self.assertEqual(len(found["obstacles"]), 1)
        self.assertIn("did not end within 1.0 s",
                      found["obstacles"][0]["what"])
