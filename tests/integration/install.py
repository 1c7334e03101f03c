"""Runs scripts/install in a root of its own, in which systemd does not run.

The root has this machine's programs and the real systemctl, which then works
on the links itself. What needs a running systemd: tests/host/test_install.py.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import BUILD, PATIENCE, TOP, install_program, needs_staging

UNITS = "etc/systemd/system"
TIMER = f"{UNITS}/deployment-update.timer"
SERVICE = f"{UNITS}/deployment-update.service"
HARDENING = f"{UNITS}/deployment-update.service.d/hardening.conf"
OF_INSTANCES = f"{UNITS}/deployment-update@.service"
TIMER_OF_INSTANCES = f"{UNITS}/deployment-update@.timer"
FRONT_END = f"{UNITS}/frontend-deployment.service"
BACK_END = f"{UNITS}/backend-deployment.service"
DEFAULT_SERVICES = {"frontend-deployment.service",
                    "backend-deployment.service"}
CONFIG = "etc/deployment-update.conf"
PROGRAM = "usr/local/bin/deployment-update"
OWN_FOLDER = "usr/local/share/deployment-update"
OWN_EXAMPLES = "usr/local/share/doc/deployment-update/examples"
MANIFEST = f"{OWN_FOLDER}/installed-files"
FORMER = f"{OWN_FOLDER}/former-files"
SCRIPT = "usr/local/bin/deployment-update.sh"
SERVICE_OF_THE_SCRIPT = """[Unit]
Description=Deployment Update Service

[Service]
Type=oneshot
ExecStart=/usr/local/bin/deployment-update.sh
"""
OTHER_UNIT = """[Service]
ExecStart=/bin/true

[Install]
WantedBy=multi-user.target
"""

# All packages are installed, but for ours.
DPKG_QUERY = """#!/bin/sh
case $* in *" deployment-update") exit 1 ;; esac
printf installed
"""
# Kills the run at its call number $KILL_AT of these programs, just before it.
KILLER = """#!/bin/sh
echo "${0##*/} $*" >>/srv/calls
[ "$(wc -l </srv/calls)" != "$KILL_AT" ] || kill -9 0
PATH=/usr/sbin:/usr/bin exec "${0##*/}" "$@"
"""
KILLED_AT = ("mv", "rm", "systemctl")

# Runs the other arguments in the root $1. The mounts end with it.
IN_ROOT = """
root=$1
shift
for name in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$name" ]; then cp -a "/$name" "$root"
  elif [ -d "/$name" ]; then
    mkdir -p "$root/$name"
    mount --bind "/$name" "$root/$name"
  fi
done
for name in usr dev proc; do mount --rbind "/$name" "$root/$name"; done
mount -o remount,bind,ro "$root/usr"
mount --bind "$root/local" "$root/usr/local"
exec chroot "$root" "$@"
"""


class Installed:
    """How a run ended, and what it said."""

    def __init__(self, run):
        self.status = run.returncode
        self.text = run.stdout + run.stderr
        self.lines = [line.removeprefix("install: ")
                      for line in self.text.splitlines()]


class Root:
    """A host's root without a running systemd."""

    def __init__(self, folder, stage):
        self.path = Path(folder)
        for name in ("dev", "proc", "usr", "local", "run", "tmp", "srv",
                     "var/lib", "home/ubuntu", UNITS):
            (self.path / name).mkdir(parents=True)
        for name in ("alternatives", "ld.so.cache", "passwd", "group"):
            if Path("/etc", name).exists():
                subprocess.run(["cp", "-a", f"/etc/{name}", self.path / "etc"],
                               check=True)
        self.write("etc/os-release", "ID=debian\n")
        self.write("srv/stand-ins/dpkg-query", DPKG_QUERY, 0o755)
        shutil.copy(TOP / "scripts/install", self.path / "srv/install")
        self.stage = self.path / "srv/stage"
        shutil.copytree(stage, self.stage)

    def at(self, name):
        if str(name).startswith("usr/local/"):
            name = str(name).removeprefix("usr/")
        return self.path / name

    def write(self, name, text, mode=0o644):
        path = self.at(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def read(self, name):
        return self.at(name).read_text()

    def add(self, name, text):
        """Changes a file as an administrator does; returns its new text."""
        self.write(name, self.read(name) + text)
        return self.read(name)

    def is_there(self, name):
        return os.path.lexists(self.at(name))

    def run(self, *command, kill_at=0):
        run = subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-ec",
             IN_ROOT, "sh", self.path, "/usr/bin/env", "-i", "HOME=/root",
             f"KILL_AT={kill_at}",
             "PATH=/srv/stand-ins:/usr/local/sbin:/usr/local/bin:/usr/sbin:"
             "/usr/bin:/sbin:/bin", *command],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=PATIENCE, start_new_session=True)
        return Installed(run)

    def install(self, *options, stage="/srv/stage", **others):
        return self.run("/srv/install", "--stage", stage, *options, **others)

    def uninstall(self, *options, **others):
        return self.run("/srv/install", "--uninstall", *options, **others)

    def systemctl(self, *arguments):
        done = self.run("systemctl", *arguments)
        if done.status != 0:
            raise AssertionError(f"systemctl {arguments}: {done.text}")

    def links(self):
        """The names of the units that are enabled."""
        return {path.name for path in self.at(UNITS).glob("*.wants/*")}

    def content(self, *folders):
        """Every file below the folders with all that tells it apart, but for
        the time of its reading."""
        found = {}
        for folder in folders or (UNITS, "usr/local"):
            for path in sorted(self.at(folder).rglob("*")):
                if path.is_dir() and not path.is_symlink():
                    continue
                state = path.lstat()
                found[str(path.relative_to(self.path))] = (
                    oct(state.st_mode), state.st_mtime_ns,
                    os.readlink(path) if path.is_symlink()
                    else hashlib.sha256(path.read_bytes()).hexdigest())
        return found

    def save(self, folder):
        subprocess.run(["cp", "-a", "-T", self.path, folder], check=True)

    def put_back(self, folder):
        """What save() put into the folder."""
        for path in self.path.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        subprocess.run(["cp", "-a", "-T", folder, self.path], check=True)

    def kill_at_calls(self):
        for name in KILLED_AT:
            self.write(f"srv/stand-ins/{name}", KILLER, 0o755)


@needs_staging
class Installer(unittest.TestCase):
    """Has a stage, and makes roots to install in."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.stage = Path(cls.enterClassContext(
            tempfile.TemporaryDirectory(prefix="stage-")))
        install_program(cls.stage)

    def setUp(self):
        self.root = self.new_root()

    def new_root(self):
        return Root(self.enterContext(tempfile.TemporaryDirectory(
            prefix="installed-")), self.stage)

    def succeed(self, run):
        self.assertEqual(run.status, 0, run.text)
        return run

    def install(self, *options, **others):
        return self.succeed(self.root.install(*options, **others))

    def uninstall(self, *options):
        return self.succeed(self.root.uninstall(*options))

    def newer(self, name=None, text="# newer\n"):
        """Makes a stage of another version of the file, or of all units."""
        names = [name] if name else [SERVICE, TIMER, HARDENING, OF_INSTANCES,
                                     FRONT_END, BACK_END]
        for each in names:
            self.root.add(f"srv/stage/{each}", text)

    def assert_said(self, run, pattern):
        self.assertRegex(run.text, re.compile(pattern, re.MULTILINE))


class Changed(Installer):
    """Files that the administrator changed."""

    def test_an_upgrade_keeps_a_changed_unit_and_puts_ours_beside(self):
        for name in (BACK_END, SERVICE, TIMER, HARDENING):
            with self.subTest(file=name):
                self.root = self.new_root()
                self.install()
                changed = self.root.add(name, "# mine\n")
                self.newer()
                run = self.install()
                self.assertEqual(self.root.read(name), changed)
                self.assertEqual(self.root.read(f"{name}.new"),
                                 self.root.read(f"srv/stage/{name}"))
                self.assert_said(run, f"^install: kept /{name}, which was "
                                 f"changed on this host; ours is /{name}.new$")
                self.assertFalse(self.root.is_there(f"{name}.before"))
                other = FRONT_END
                self.assertEqual(self.root.read(other),
                                 self.root.read(f"srv/stage/{other}"))

    def test_it_is_still_kept_by_the_upgrade_after_that(self):
        self.install()
        changed = self.root.add(BACK_END, "# mine\n")
        for number in (1, 2):
            self.newer(text=f"# newer {number}\n")
            self.install()
            self.assertEqual(self.root.read(BACK_END), changed)
            self.assertEqual(self.root.read(f"{BACK_END}.new"),
                             self.root.read(f"srv/stage/{BACK_END}"))

    def test_a_drop_in_that_does_the_same_is_suggested(self):
        self.install()
        text = self.root.read(BACK_END)
        text = re.sub("^ExecStart=.*", "ExecStart = /bin/server \\\\\n  -p 80",
                      text, flags=re.MULTILINE)
        text = text.replace("[Install]", "Environment=A=1\n[Install]")
        self.root.write(BACK_END, text)
        hardening = self.root.read(HARDENING)
        hardening = hardening.replace("PrivateTmp=yes\n", "")
        hardening = hardening.replace(
            "CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER "
            "CAP_FSETID\n", "# no more\n")
        hardening += "ReadWritePaths=/srv\n"
        self.root.write(HARDENING, hardening)
        run = self.install()
        self.assertIn(f"""
install:   to take ours: mv /{BACK_END}.new /{BACK_END}
install:   and to keep the change, in a drop-in: systemctl edit \
backend-deployment.service
install:     [Service]
install:     ExecStart=
install:     ExecStart=/bin/server   -p 80
install:     Environment=A=1
""", run.text)
        self.assertIn("""systemctl edit deployment-update.service
install:     [Service]
install:     CapabilityBoundingSet=
install:     CapabilityBoundingSet=CAP_SYS_ADMIN CAP_SETUID CAP_SETGID CAP_KILL
install:     PrivateTmp=no
install:     ReadWritePaths=/srv
""", run.text)

    def test_ours_can_be_taken(self):
        self.install()
        self.root.add(BACK_END, "# mine\n")
        self.newer()
        self.install()
        self.root.at(f"{BACK_END}.new").rename(self.root.at(BACK_END))
        run = self.install()
        self.assertNotIn("kept", run.text)
        self.newer(text="# newest\n")
        self.install()
        self.assertEqual(self.root.read(BACK_END),
                         self.root.read(f"srv/stage/{BACK_END}"))

    def test_ours_goes_from_beside_when_the_change_was_taken_back(self):
        self.install()
        original = self.root.read(BACK_END)
        self.root.add(BACK_END, "# mine\n")
        self.install()
        self.root.write(BACK_END, original)
        self.newer()
        self.install()
        self.assertEqual(self.root.read(BACK_END),
                         self.root.read(f"srv/stage/{BACK_END}"))
        self.assertFalse(self.root.is_there(f"{BACK_END}.new"))

    def test_a_removed_or_masked_unit_stays_so(self):
        self.install()
        self.root.at(HARDENING).unlink()
        self.root.at(BACK_END).unlink()
        self.root.at(BACK_END).symlink_to("/dev/null")
        self.newer()
        run = self.install()
        self.assertFalse(self.root.is_there(HARDENING))
        self.assert_said(run, f"left out /{HARDENING}, which was removed on "
                         f"this host; ours is /{HARDENING}.new$")
        self.assertEqual(os.readlink(self.root.at(BACK_END)), "/dev/null")
        self.assert_said(run, "^install: left backend-deployment.service "
                         "masked, as it is$")

    def test_a_unit_of_the_application_that_was_there_before_stays(self):
        self.root.write(BACK_END, OTHER_UNIT)
        run = self.install()
        self.assertEqual(self.root.read(BACK_END), OTHER_UNIT)
        self.assert_said(run, f"^install: kept /{BACK_END}, which was there "
                         f"before; ours is /{BACK_END}.new$")
        self.uninstall("--with-application")
        self.assertEqual(self.root.read(BACK_END), OTHER_UNIT)
        self.assertFalse(self.root.is_there(f"{BACK_END}.new"))

    def test_somebodys_file_beside_is_not_overwritten(self):
        self.install()
        self.root.add(BACK_END, "# mine\n")
        self.root.write(f"{BACK_END}.new", "somebody's\n")
        self.install()
        self.uninstall("--with-application")
        self.assertEqual(self.root.read(f"{BACK_END}.new"), "somebody's\n")

    def test_uninstalling_keeps_a_changed_file(self):
        for name in (SERVICE, HARDENING, PROGRAM):
            with self.subTest(file=name):
                self.root = self.new_root()
                self.install()
                changed = self.root.add(name, "# mine\n") \
                    if name != PROGRAM else "#!/bin/sh\n"
                self.root.write(name, changed)
                run = self.uninstall("--with-application")
                self.assertEqual(self.root.read(name), changed)
                self.assert_said(run, f"^install: kept /{name}, which was "
                                 "changed on this host$")

    def test_what_nobody_changed_is_upgraded(self):
        self.install()
        gone = "usr/local/share/doc/of-an-earlier-version"
        gone_but_changed = f"{UNITS}/of-an-earlier-version.conf"
        for name in (gone, gone_but_changed):
            self.root.write(f"srv/stage/{name}", "old\n")
        self.install()
        for name in (gone, gone_but_changed):
            self.root.at(f"srv/stage/{name}").unlink()
        self.root.add(gone_but_changed, "mine\n")
        self.newer()
        run = self.install()
        for name in (SERVICE, TIMER, HARDENING, OF_INSTANCES, FRONT_END,
                     BACK_END):
            self.assertEqual(self.root.read(name),
                             self.root.read(f"srv/stage/{name}"))
            self.assert_said(run, f"^install: upgraded /{name}$")
        self.assertFalse(self.root.is_there(gone))
        self.assertEqual(self.root.read(gone_but_changed), "old\nmine\n")
        self.assert_said(run, f"^install: kept /{gone_but_changed}, ")
        self.assertEqual(self.root.run(
            "sha256sum", "--check", "--quiet", f"/{MANIFEST}").text, "")


class Before(Installer):
    """Files that were there before the first installation."""

    def set_up_script(self):
        self.root.write(SCRIPT, "#!/bin/bash\nthe original\n", 0o755)
        self.root.write(SERVICE, SERVICE_OF_THE_SCRIPT)
        self.root.write(TIMER, self.root.read(f"srv/stage/{TIMER}"))
        self.root.write("tmp/frontend_package.hash", "1\n")

    def test_the_original_script_is_kept_as_a_copy_and_put_back(self):
        self.set_up_script()
        before = self.root.content()
        run = self.install()
        self.assertFalse(self.root.is_there(SCRIPT))
        self.assertEqual(self.root.read(f"{SCRIPT}.before"),
                         "#!/bin/bash\nthe original\n")
        self.assert_said(run, f"^install: moved /{SCRIPT} to "
                         f"/{SCRIPT}.before: ")
        self.assertEqual(self.root.read(SERVICE),
                         self.root.read(f"srv/stage/{SERVICE}"))
        self.assert_said(run, f"^install: installed /{SERVICE}; the former "
                         f"one is /{SERVICE}.before$")
        run = self.uninstall("--with-application")
        self.assertEqual(self.root.content(), before)
        self.assert_said(run, f"^install: put back /{SCRIPT}, ")
        self.assert_said(run, f"^install: put back /{SERVICE}, ")

    def test_no_file_before_is_overwritten(self):
        self.root.write(SCRIPT, "the original\n", 0o755)
        self.root.write(f"{SCRIPT}.before", "older\n")
        self.root.write(SERVICE, SERVICE_OF_THE_SCRIPT)
        self.root.write(f"{SERVICE}.before", "older\n")
        self.root.write(f"{SERVICE}.before.1", "old\n")
        run = self.install()
        self.assertEqual(self.root.read(f"{SCRIPT}.before"), "older\n")
        self.assertEqual(self.root.read(f"{SCRIPT}.before.1"),
                         "the original\n")
        self.assertEqual(self.root.read(f"{SERVICE}.before"), "older\n")
        self.assertEqual(self.root.read(f"{SERVICE}.before.1"), "old\n")
        self.assertEqual(self.root.read(f"{SERVICE}.before.2"),
                         SERVICE_OF_THE_SCRIPT)
        self.assert_said(run, f"the former one is /{SERVICE}.before.2$")
        run = self.uninstall()
        self.assertEqual(self.root.read(SCRIPT), "the original\n")
        self.assertEqual(self.root.read(SERVICE), SERVICE_OF_THE_SCRIPT)
        self.assertEqual(self.root.read(f"{SERVICE}.before"), "older\n")
        self.assertEqual(self.root.read(f"{SERVICE}.before.1"), "old\n")

    def test_a_copy_that_a_person_made_stays(self):
        self.root.write(f"{BACK_END}.before", OTHER_UNIT)
        self.install()
        self.uninstall("--with-application")
        self.assertEqual(self.root.read(f"{BACK_END}.before"), OTHER_UNIT)
        self.assertFalse(self.root.is_there(BACK_END))

    def test_what_an_earlier_version_moved_away_is_put_back(self):
        self.install()
        self.root.at(FORMER).unlink()
        self.root.write(f"{SERVICE}.before", "older\n")
        self.root.write(f"{BACK_END}.before", OTHER_UNIT)
        run = self.uninstall()
        self.assertEqual(self.root.read(SERVICE), "older\n")
        self.assertFalse(self.root.is_there(f"{SERVICE}.before"))
        self.assertEqual(self.root.read(BACK_END), OTHER_UNIT)
        self.assert_said(run, f"^install: put back /{BACK_END}, ")

    def test_it_stays_beside_a_file_that_was_changed(self):
        self.root.write(SERVICE, SERVICE_OF_THE_SCRIPT)
        self.install()
        changed = self.root.add(SERVICE, "# mine\n")
        run = self.uninstall()
        self.assertEqual(self.root.read(SERVICE), changed)
        self.assertEqual(self.root.read(f"{SERVICE}.before"),
                         SERVICE_OF_THE_SCRIPT)
        self.assert_said(run, f"^install: left /{SERVICE}.before, ")

    def test_a_program_that_was_there_before_is_kept(self):
        self.root.write(PROGRAM, "#!/bin/sh\n", 0o755)
        self.install()
        self.assertNotEqual(self.root.at(PROGRAM).stat().st_size, 10)
        self.uninstall()
        self.assertEqual(self.root.read(PROGRAM), "#!/bin/sh\n")

    def test_files_put_there_by_hand_are_recognized(self):
        shutil.copytree(self.stage / UNITS, self.root.at(UNITS),
                        dirs_exist_ok=True)
        self.install()
        self.uninstall("--with-application")
        self.assertEqual(list(self.root.content()), [])


class Enabled(Installer):
    """Which units are enabled."""

    ALL = {"deployment-update.timer", *DEFAULT_SERVICES}

    def test_the_first_installation_enables_timer_and_services(self):
        run = self.install()
        self.assertEqual(self.root.links(), self.ALL)
        for unit in self.ALL:
            self.assert_said(run, f"^install: enabled {unit}$")

    def test_what_is_disabled_stays_disabled(self):
        self.install()
        for unit in self.ALL:
            with self.subTest(unit=unit):
                self.root.systemctl("disable", unit)
                self.newer()
                run = self.install()
                self.assertEqual(self.root.links(), self.ALL - {unit})
                self.assert_said(run, f"^install: left {unit} disabled, ")
                self.root.systemctl("enable", unit)
                self.install()
                self.assertEqual(self.root.links(), self.ALL)

    def test_what_was_disabled_under_the_version_before_stays_disabled(self):
        self.install()
        self.root.at(f"{OWN_FOLDER}/enabled-units").unlink(missing_ok=True)
        self.root.systemctl("disable", "deployment-update.timer")
        self.newer()
        self.install()
        self.assertEqual(self.root.links(), DEFAULT_SERVICES)

    def test_an_installation_after_a_removal_enables_again(self):
        self.install()
        for options in ([], ["--with-application"]):
            with self.subTest(options=options):
                self.uninstall(*options)
                self.install()
                self.assertEqual(self.root.links(), self.ALL)

    def test_a_disabled_service_stays_so_when_it_is_installed_again(self):
        self.install()
        self.root.systemctl("disable", "backend-deployment.service")
        self.uninstall()
        self.install()
        self.assertNotIn("backend-deployment.service", self.root.links())


class Configured(Installer):
    """Services that the configuration names."""

    def configure(self, text, *units):
        self.root.write(CONFIG, text)
        for unit in units:
            self.root.write(f"{UNITS}/{unit}", OTHER_UNIT)

    def installed_defaults(self):
        return {name for name in DEFAULT_SERVICES
                if self.root.is_there(f"{UNITS}/{name}")}

    def test_they_are_enabled_and_no_others(self):
        self.configure("[web] # the page\ntype = npm\n"
                       "  service=web.service # nginx\n"
                       "[api]\ntype = python\nservice = api@1.service\n"
                       "#[old]\n#service = old.service\n",
                       "web.service", "api@.service")
        run = self.install()
        self.assertEqual(self.root.links(), {
            "deployment-update.timer", "web.service", "api@1.service"})
        self.assertEqual(self.installed_defaults(), set())
        self.assertNotIn(f"/{UNITS}/frontend", run.text)
        self.uninstall("--with-application")
        self.assertEqual(self.root.links(), set())
        self.assertEqual(self.root.read(f"{UNITS}/web.service"), OTHER_UNIT)

    def test_keys_before_the_first_section(self):
        self.configure("web.type = npm\nweb.service = web.service\n",
                       "web.service")
        self.install()
        self.assertIn("web.service", self.root.links())
        self.assertEqual(self.installed_defaults(), set())

    def test_a_default_unit_is_installed_when_it_is_named(self):
        self.configure("[api]\ntype = python\n"
                       "service = backend-deployment.service\n")
        self.install()
        self.assertEqual(self.installed_defaults(),
                         {"backend-deployment.service"})
        self.assertEqual(self.root.links(), {
            "deployment-update.timer", "backend-deployment.service"})

    def test_without_components_the_two_are_meant(self):
        self.configure("branch = main\n")
        self.install()
        self.assertEqual(self.installed_defaults(), DEFAULT_SERVICES)

    def test_a_service_that_is_named_later_is_enabled_by_an_upgrade(self):
        self.install()
        self.root.systemctl("disable", *DEFAULT_SERVICES)
        self.configure("[web]\ntype = npm\nservice = web.service\n",
                       "web.service")
        run = self.install()
        self.assertIn("web.service", self.root.links())
        self.assertEqual(self.installed_defaults(), set())
        self.assert_said(run, f"^install: removed /{BACK_END}$")
        self.root.systemctl("disable", "web.service")
        self.install()
        self.assertNotIn("web.service", self.root.links())

    def test_a_unit_in_use_is_not_removed_by_an_upgrade(self):
        self.install()
        self.root.systemctl("disable", "frontend-deployment.service")
        self.configure("[web]\ntype = npm\nservice = web.service\n",
                       "web.service")
        for _ in range(2):
            run = self.install()
            self.assertEqual(self.installed_defaults(),
                             {"backend-deployment.service"})
            self.assert_said(run, f"^install: kept /{BACK_END}, which the "
                             "configuration does not name: it is in use$")
        self.root.systemctl("disable", "backend-deployment.service")
        self.install()
        self.assertEqual(self.installed_defaults(), set())

    def test_a_service_that_does_not_exist_is_told(self):
        self.configure("[web]\ntype = npm\nservice = web.service\n")
        run = self.install()
        self.assert_said(run, "^install: there is no web.service yet: ")
        self.root.write(f"{UNITS}/web.service", OTHER_UNIT)
        self.install()
        self.assertIn("web.service", self.root.links())

    def test_components_without_a_service_need_no_unit(self):
        self.configure("[web]\ntype = npm\n")
        self.install()
        self.assertEqual(self.installed_defaults(), set())
        self.assertEqual(self.root.links(), {"deployment-update.timer"})

    def test_a_wrong_configuration_ends_it_before_anything_changes(self):
        self.configure("[web]\nservice = web.service\n")
        before = self.root.content()
        run = self.root.install()
        self.assertEqual(run.status, 1, run.text)
        self.assert_said(run, f"^install: no file was changed: /{CONFIG}: "
                         "component web has no type")
        self.assertEqual(self.root.content(), before)


class Holding(Installer):
    """Connections that wait while a service restarts."""

    ALL = {f"{UNITS}/{end}-deployment.{name}"
           for end, module in (("frontend", "cjs"), ("backend", "py"))
           for name in ("socket", "service.d/hold-connections.conf",
                        f"service.d/held-port.{module}")}
    DROP_IN = f"{UNITS}/backend-deployment.service.d/hold-connections.conf"
    STOP = f"{UNITS}/backend-deployment.service.d/bounded-stop.conf"

    def held(self):
        return {name for name in self.ALL if self.root.is_there(name)}

    def test_they_wait_when_that_is_chosen_and_until_it_is_not(self):
        self.install()
        self.assertEqual(self.held(), set())
        run = self.install("--hold-connections")
        self.assertEqual(self.held(), self.ALL)
        for name in self.ALL:
            self.assert_said(run, f"^install: installed /{name}$")
        self.newer()
        run = self.install()
        self.assertEqual(self.held(), self.ALL)
        self.assertIn("nothing to change: this version is installed",
                      self.install("--hold-connections").lines)
        run = self.install("--no-hold-connections")
        self.assertEqual(self.held(), set())
        self.assertTrue(self.root.is_there(self.STOP))
        self.assertIn("nothing to change: this version is installed",
                      self.install().lines)
        self.assertEqual(self.held(), set())

    def test_an_upgrade_brings_what_is_new(self):
        self.install("--hold-connections")
        name = f"{OWN_EXAMPLES}/hold-connections/backend-deployment.socket"
        self.root.add(f"srv/stage/{name}", "# newer\n")
        run = self.install()
        self.assert_said(
            run, f"^install: upgraded /{UNITS}/backend-deployment.socket$")

    def test_changed_files_are_kept(self):
        self.install("--hold-connections")
        changed = self.root.add(self.DROP_IN, "# mine\n")
        self.newer()
        self.install()
        self.assertEqual(self.root.read(self.DROP_IN), changed)
        before = self.root.content()
        run = self.root.install("--no-hold-connections")
        self.assertEqual(run.status, 1, run.text)
        self.assert_said(run, f"^install: no file was changed: /{self.DROP_IN}"
                         " was changed on this host")
        self.assertEqual(self.root.content(), before)

    def test_a_service_that_may_listen_elsewhere_is_refused(self):
        override = f"{UNITS}/backend-deployment.service.d/override.conf"
        for name, text in ((BACK_END, "ExecStart=/bin/true\n"),
                           (override, "[Service]\nExecStart=\n")):
            with self.subTest(file=name):
                self.root = self.new_root()
                self.install()
                self.root.write(name, text)
                before = self.root.content()
                run = self.root.install("--hold-connections")
                self.assertEqual(run.status, 1, run.text)
                self.assert_said(run, f"^install: no file was changed: /{name}"
                                 " is not as it is installed")
                self.assertEqual(self.root.content(), before)

    def test_services_of_other_names_are_refused(self):
        self.root.write(CONFIG, "[web]\ntype = npm\nservice = web.service\n")
        run = self.root.install("--hold-connections")
        self.assertEqual(run.status, 1, run.text)
        self.assert_said(run, "^install: no file was changed: the "
                         "configuration names services of its own")
        self.assertEqual(list(self.root.content()), [])

    def test_one_of_the_two_services(self):
        self.root.write(CONFIG, "[api]\ntype = python\n"
                        "service = backend-deployment.service\n")
        self.install("--hold-connections")
        self.assertEqual(self.held(), {name for name in self.ALL
                                       if "backend" in name})

    def test_they_are_a_part_of_the_application(self):
        self.install("--hold-connections")
        self.uninstall()
        self.assertEqual(self.held(), self.ALL)
        self.assertTrue(self.root.is_there(self.STOP))
        self.install()
        self.assertEqual(self.held(), self.ALL)
        self.uninstall("--with-application")
        self.assertEqual(list(self.root.content()), [])
        self.assertFalse(self.root.is_there(f"{UNITS}/backend-deployment."
                                            "service.d"))


class Instances(Installer):
    """Several applications on one host."""

    SHOP = "deployment-update@shop.timer"
    BLOG = "deployment-update@my-blog.timer"

    def configure(self, name, *services):
        self.root.write(f"etc/deployment-update/{name}.conf", "".join(
            f"[part-{number}]\ntype = npm\nservice = {service}\n"
            for number, service in enumerate(services)))
        for service in services:
            if service not in DEFAULT_SERVICES:
                self.root.write(f"{UNITS}/{service}", OTHER_UNIT)

    def set_up_two(self):
        self.configure("shop", "shop.service", "both.service")
        self.configure("my-blog", "blog.service", "both.service")
        self.install("--instance", "shop")
        return self.install("--instance", "my-blog")

    BOTH = {SHOP, BLOG, "shop.service", "blog.service", "both.service"}

    def test_one_is_set_up_and_nothing_else(self):
        self.configure("shop", "shop.service")
        self.configure("my-blog", "blog.service")
        run = self.install("--instance", "shop")
        self.assertEqual(self.root.links(), {self.SHOP, "shop.service"})
        for unit in (self.SHOP, "shop.service"):
            self.assert_said(run, f"^install: enabled {unit}$")
        for name in (FRONT_END, BACK_END):
            self.assertFalse(self.root.is_there(name))
        self.assert_said(
            run, "^install: left out /etc/deployment-update/my-blog.conf, "
            "which is not set up: --instance my-blog does that$")

    def test_the_drop_ins_are_those_of_the_default_service(self):
        self.configure("shop", "shop.service")
        self.install("--instance", "shop")
        for kind in ("service", "timer"):
            folders = [self.root.at(f"{UNITS}/deployment-update{at}.{kind}.d")
                       for at in ("", "@")]
            default, of_instances = [
                # The timer of each starts a poll of its own.
                {path.name: path.read_text() for path in folder.iterdir()
                 if path.name != "zz-poll.conf"}
                for folder in folders]
            self.assertEqual(of_instances, default)
            self.assertGreaterEqual(len(default), 2)

    def test_two_beside_the_default_application(self):
        self.install()
        self.set_up_two()
        everything = self.BOTH | {"deployment-update.timer", *DEFAULT_SERVICES}
        self.assertEqual(self.root.links(), everything)
        self.newer()
        run = self.install()
        self.assertEqual(self.root.links(), everything)
        self.assert_said(run, f"^install: upgraded /{OF_INSTANCES}$")
        self.assertIn("nothing to change: this version is installed",
                      self.install("--instance", "shop").lines)

    def test_without_the_default_application_an_upgrade_adds_none(self):
        self.set_up_two()
        self.newer()
        run = self.install()
        self.assertEqual(self.root.links(), self.BOTH)
        self.assert_said(run, f"^install: upgraded /{OF_INSTANCES}$")
        self.root.write(CONFIG, "[web]\ntype = npm\nservice = web.service\n")
        self.root.write(f"{UNITS}/web.service", OTHER_UNIT)
        self.install()
        self.assertEqual(self.root.links(), self.BOTH | {
            "deployment-update.timer", "web.service"})

    def test_the_default_application_becomes_an_instance(self):
        self.root.write(CONFIG, "[web]\ntype = npm\nservice = web.service\n")
        self.root.write(f"{UNITS}/web.service", OTHER_UNIT)
        self.install()
        self.root.systemctl("disable", "deployment-update.timer")
        self.root.at("etc/deployment-update").mkdir()
        self.root.at(CONFIG).rename(
            self.root.at("etc/deployment-update/shop.conf"))
        for options in (["--instance", "shop"], []):
            self.install(*options)
            self.assertEqual(self.root.links(), {self.SHOP, "web.service"})
            for name in (FRONT_END, BACK_END):
                self.assertFalse(self.root.is_there(name))

    def test_one_that_a_person_enabled_is_set_up(self):
        self.install()
        self.configure("shop", "shop.service")
        self.root.systemctl("enable", self.SHOP)
        run = self.install()
        self.assertIn("shop.service", self.root.links())
        self.assertNotIn("left out", run.text)

    def test_what_is_disabled_stays_disabled(self):
        self.set_up_two()
        for unit in (self.SHOP, "blog.service"):
            with self.subTest(unit=unit):
                self.root.systemctl("disable", unit)
                for options in ([], ["--instance", "shop"],
                                ["--instance", "my-blog"]):
                    self.newer()
                    run = self.install(*options)
                    self.assertEqual(self.root.links(), self.BOTH - {unit})
                    self.assert_said(run,
                                     f"^install: left {unit} disabled, ")
                self.root.systemctl("enable", unit)

    def test_a_service_that_is_named_later_is_enabled_by_an_upgrade(self):
        self.set_up_two()
        self.configure("shop", "shop.service", "both.service",
                       "more.service")
        self.install()
        self.assertEqual(self.root.links(), self.BOTH | {"more.service"})

    def test_a_default_unit_is_installed_when_an_instance_names_it(self):
        self.configure("shop", "backend-deployment.service")
        self.install("--instance", "shop")
        self.assertTrue(self.root.is_there(BACK_END))
        self.assertFalse(self.root.is_there(FRONT_END))
        self.assertEqual(self.root.links(), {
            self.SHOP, "backend-deployment.service"})

    def test_without_a_configuration_nothing_is_done(self):
        run = self.root.install("--instance", "shop")
        self.assertEqual((run.status, run.lines), (1, [
            "there is no /etc/deployment-update/shop.conf: write it, then run "
            "this again"]))
        self.assertEqual(list(self.root.content()), [])

    def test_a_wrong_configuration_ends_it_before_anything_changes(self):
        self.set_up_two()
        self.root.write("etc/deployment-update/shop.conf", "[web]\n"
                        "service = shop.service\n")
        self.newer()
        before = self.root.content()
        run = self.root.install("--instance", "my-blog")
        self.assertEqual(run.status, 1, run.text)
        self.assert_said(run, "^install: no file was changed: /etc/deployment-"
                         r"update/shop\.conf: component web has no type")
        self.assertEqual(self.root.content(), before)

    def test_one_whose_configuration_is_gone_is_left_out(self):
        self.set_up_two()
        self.root.at("etc/deployment-update/shop.conf").unlink()
        run = self.install()
        self.assert_said(
            run, f"^install: left out {self.SHOP}, for which there is no "
            "/etc/deployment-update/shop.conf$")
        self.assertEqual(self.root.links(), self.BOTH)

    def test_changed_units_of_instances_are_kept(self):
        self.set_up_two()
        hardening = f"{OF_INSTANCES}.d/hardening.conf"
        changed = {
            OF_INSTANCES: self.root.add(OF_INSTANCES, "Nice=5\n"),
            TIMER_OF_INSTANCES: self.root.add(TIMER_OF_INSTANCES, "# mine\n"),
            hardening: self.root.add(hardening, "ReadWritePaths=/usr/srv\n")}
        run = self.install()
        for name, text in changed.items():
            self.assertEqual(self.root.read(name), text)
            self.assertEqual(self.root.read(f"{name}.new"),
                             self.root.read(f"srv/stage/{name}"))
        self.assertEqual(
            run.text.count("systemctl edit deployment-update@.service\n"), 2)
        self.assertIn("install:     ReadWritePaths=/usr/srv\n", run.text)
        self.root.at(hardening).unlink()
        self.install()
        self.assertFalse(self.root.is_there(hardening))

    def test_one_is_removed_and_the_others_stay(self):
        self.install()
        self.set_up_two()
        before = self.root.content("usr/local/share", "usr/local/bin")
        units = self.root.content(UNITS)
        run = self.uninstall("--instance", "my-blog")
        rest = self.BOTH | {"deployment-update.timer", *DEFAULT_SERVICES}
        self.assertEqual(self.root.links(), rest - {self.BLOG})
        self.assertEqual(
            {name for name in units if self.BLOG not in name},
            set(self.root.content(UNITS)))
        after = self.root.content("usr/local/share", "usr/local/bin")
        self.assertEqual({name for name in before
                          if before[name] != after.get(name)},
                         {f"{OWN_FOLDER}/enabled-units".replace("usr/", "")})
        self.assert_said(run, f"^install: disabled {self.BLOG}$")
        self.assert_said(run, "^install: stays: /etc/deployment-update/"
                         r"my-blog\.conf \(.*\), the configuration$")
        self.assert_said(run, r"^install: stays: blog\.service \(enabled\), ")
        for word in ("shop", "sinesiAI"):
            self.assertNotIn(word, run.text)
        self.install()
        self.assertEqual(self.root.links(), rest - {self.BLOG})
        self.install("--instance", "my-blog")
        self.assertEqual(self.root.links(), rest)

    def test_one_is_removed_with_its_application(self):
        self.set_up_two()
        run = self.uninstall("--instance", "my-blog", "--with-application")
        self.assertEqual(self.root.links(), {
            self.SHOP, "shop.service", "both.service"})
        self.assert_said(run, "^install: left both.service, which another "
                         "application names$")
        run = self.uninstall("--instance", "my-blog", "--with-application")
        self.assertIn("nothing to remove", run.text)

    def test_one_is_removed_with_the_socket_of_its_service(self):
        """A connection to it would start the service again."""
        self.set_up_two()
        self.root.write(f"{UNITS}/blog.socket",
                        "[Socket]\nListenStream=/run/blog\n"
                        "[Install]\nWantedBy=sockets.target\n")
        self.root.systemctl("enable", "blog.socket")
        self.assertIn("blog.socket", self.root.links())
        run = self.uninstall("--instance", "my-blog", "--with-application")
        self.assertNotIn("blog.socket", self.root.links())
        self.assertRegex(run.text, "(?s)disabled blog.socket\n.*"
                         "disabled blog.service\n")

    def test_one_that_there_is_not_is_not_removed(self):
        self.set_up_two()
        run = self.root.uninstall("--instance", "other")
        self.assertEqual((run.status, run.lines),
                         (1, ["there is no instance other"]))
        self.assertEqual(self.root.links(), self.BOTH)

    def test_removing_the_program_ends_all(self):
        self.configure("shop", "shop.service")
        self.configure("my-blog", "blog.service")
        before = self.root.content()
        self.install("--instance", "shop")
        self.install("--instance", "my-blog")
        run = self.uninstall()
        self.assertEqual(self.root.links(), {"shop.service", "blog.service"})
        for name in ("shop", "my-blog"):
            self.assert_said(run, "^install: stays: /etc/deployment-update/"
                             rf"{name}\.conf \(.*\), the configuration$")
        self.root.systemctl("disable", "shop.service", "blog.service")
        self.assertEqual(self.root.content(), before)

    def test_removing_the_program_with_all_applications(self):
        self.install()
        self.set_up_two()
        self.uninstall("--with-application")
        self.assertEqual(self.root.links(), set())


class Uninstalled(Installer):
    """What goes, what stays, and what is said of it."""

    def test_the_application_stays(self):
        self.install()
        run = self.uninstall()
        self.assertEqual(self.root.links(), DEFAULT_SERVICES)
        units = {FRONT_END, f"{FRONT_END}.d/bounded-stop.conf",
                 BACK_END, f"{BACK_END}.d/bounded-stop.conf"}
        for name in units:
            self.assertEqual(self.root.read(name),
                             self.root.read(f"srv/stage/{name}"))
        left = set(self.root.content()) - units - {
            MANIFEST.replace("usr/", ""),
            f"{OWN_FOLDER}/enabled-units".replace("usr/", "")}
        self.assertEqual({name for name in left if ".wants/" not in name},
                         set())
        for unit in DEFAULT_SERVICES:
            self.assert_said(run, rf"^install: stays: {unit} \(enabled\), ")

    def test_with_application_nothing_stays(self):
        before = self.root.content()
        self.install()
        run = self.uninstall("--with-application")
        self.assertEqual(self.root.content(), before)
        for unit in DEFAULT_SERVICES:
            self.assert_said(run, f"^install: disabled {unit}$")
            self.assert_said(run, f"^install: removed /{UNITS}/{unit}$")

    def test_the_application_can_go_later(self):
        before = self.root.content()
        self.install()
        self.uninstall()
        self.assertIn("nothing to remove", self.uninstall().text)
        self.uninstall("--with-application")
        self.assertEqual(self.root.content(), before)
        run = self.root.uninstall()
        self.assertEqual(run.status, 1)
        self.assertEqual(run.lines, ["nothing is installed below /usr/local"])

    def test_no_links_stay_behind(self):
        """Also of a unit whose file is gone."""
        self.install()
        self.uninstall()
        self.assertEqual(self.root.links(), DEFAULT_SERVICES)
        self.root.at(BACK_END).unlink()
        self.uninstall("--with-application")
        self.assertEqual(self.root.links(), set())

    def test_what_stays_is_told_with_its_size(self):
        checkout = "srv/the shop"
        kept = f"{checkout}/.git/deployment-update/environments/1"
        self.root.write(CONFIG, f"repo-dir = /{checkout}\n"
                                "state-dir = /var/lib/shop\n")
        self.install()
        self.root.write(kept, "x" * (3 << 20))
        self.root.write(f"{checkout}/index.html", "x" * (2 << 20))
        self.root.write("var/lib/shop/record", "deployed\n")
        override = f"{UNITS}/deployment-update.service.d/override.conf"
        self.root.write(override, "[Service]\n")
        run = self.uninstall()
        self.assertTrue(self.root.is_there(kept))
        for pattern in (rf"/{checkout} \(5\.\dM\), the checkout",
                        rf"/{checkout}/\.git/deployment-update \(3\.\dM\), ",
                        r"/var/lib/shop \(\d+(\.\d)?K\), the record",
                        rf"/{CONFIG} \(\d+(\.\d)?K\), the configuration",
                        rf"/{override} \(\d+(\.\d)?K\), which is not ours"):
            self.assert_said(run, f"^install: stays: {pattern}")


class Run(Installer):
    """A run of the script as such."""

    def test_the_second_run_changes_nothing_and_says_so(self):
        self.root.write(SCRIPT, "the original\n")
        self.root.write(SERVICE, SERVICE_OF_THE_SCRIPT)
        self.root.write(FRONT_END, OTHER_UNIT)
        self.install()
        self.root.add(HARDENING, "# mine\n")
        self.install()
        before = self.root.content()
        run = self.install()
        self.assertEqual(self.root.content(), before)
        self.assertIn("nothing to change: this version is installed",
                      run.lines)
        for line in run.lines:
            self.assertNotRegex(line, "^(installed|upgraded|enabled|moved)")

    def test_paths_with_blanks(self):
        prefix = "/usr/local/my tools"
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                ["cmake", "--install", BUILD, "--prefix", prefix], check=True,
                env=os.environ | {"DESTDIR": folder}, timeout=PATIENCE,
                stdout=subprocess.DEVNULL)
            shutil.copytree(folder, self.root.at("srv/a stage"))
        options = ["--prefix", f"{prefix}/"]
        before = self.root.content()
        self.install(*options, stage="/srv/a stage")
        self.assertIn(f'\nExecStart="{prefix}/bin/deployment-update"\n',
                      self.root.read(SERVICE))
        self.assertIn(f'\nExecStart="{prefix}/bin/deployment-update" '
                      "--instance %i\n", self.root.read(OF_INSTANCES))
        for timer in (TIMER, TIMER_OF_INSTANCES.replace("@", "@shop")):
            verify = self.root.run("systemd-analyze", "verify", "--man=no",
                                   f"/{timer}")
            self.assertEqual((verify.status, verify.text), (0, ""))
        self.root.add(BACK_END, "# mine\n")
        run = self.install(*options, stage="/srv/a stage")
        self.assertEqual(self.root.run(
            f"{prefix}/bin/deployment-update", "--version").status, 0)
        self.assertNotIn("upgraded", run.text)
        self.root.write(BACK_END, self.root.read(f"srv/stage/{BACK_END}"))
        self.uninstall("--with-application", *options)
        self.assertEqual(set(self.root.content()), set(before))

    def test_a_stage_of_another_prefix_is_refused(self):
        run = self.root.install("--prefix", "/opt/other")
        self.assertEqual(run.status, 1)
        self.assertEqual(run.lines, [
            "/srv/stage has no /opt/other/bin/deployment-update: it was made "
            "with another --prefix"])
        self.assertEqual(list(self.root.content()), [])

    def test_wrong_usage(self):
        for options, said in (
                (["--no-such"], "--no-such is no option"),
                (["--prefix"], "--prefix takes a folder"),
                (["--prefix", "opt"], "an absolute path is needed"),
                (["--prefix", "/a%b"], "must not hold"),
                (["--stage", "/no/such"], "no such folder"),
                (["--with-application"], "only to uninstall"),
                (["--instance"], "--instance takes a name"),
                (["--instance", "../shop"], "a name has letters, digits"),
                (["--instance", "record"], "is not record"),
                (["--instance", "-x"], "begins with a letter or digit"),
                (["--uninstall", "--stage", "/srv"], "does not go with")):
            with self.subTest(options=options):
                run = self.root.run("/srv/install", *options)
                self.assertEqual(run.status, 2, run.text)
                self.assertIn(said, run.text)
                self.assertIn("see --help", run.text)
        run = self.root.run("/srv/install", "--help")
        self.assertEqual(run.status, 0)
        for option in ("--instance NAME", "--prefix DIR", "--stage DIR",
                       "--uninstall", "--with-application"):
            self.assertIn(f"\n  {option}", run.text)

    def test_other_systems_are_refused(self):
        self.root.write("etc/os-release", "ID=fedora\n")
        run = self.root.install()
        self.assertEqual((run.status, run.lines),
                         (1, ["this is neither Debian nor Ubuntu"]))

    def test_beside_the_package_nothing_is_installed(self):
        self.root.write("srv/stand-ins/dpkg-query",
                        "#!/bin/sh\nprintf installed\n", 0o755)
        before = self.root.content()
        run = self.root.install()
        self.assertEqual(run.status, 1, run.text)
        self.assert_said(run, "^install: the package deployment-update is "
                         "installed: upgrade that one, or remove it first: "
                         "apt-get remove deployment-update$")
        self.assertEqual(self.root.content(), before)


class Killed(Installer):
    """A run that is killed at any of its changes is made whole by the next."""

    def comparable(self):
        return {name: state[::2] for name, state
                in self.root.content().items()}

    def prepare_first(self):
        self.root.write(SCRIPT, "the original\n", 0o755)
        self.root.write(SERVICE, SERVICE_OF_THE_SCRIPT)
        self.root.write(FRONT_END, OTHER_UNIT)

    def prepare_upgrade(self):
        self.prepare_first()
        self.root.write(f"srv/stage/{UNITS}/of-an-earlier-version", "")
        self.root.write("etc/deployment-update/shop.conf",
                        "[web]\ntype = npm\nservice = shop.service\n")
        self.root.write(f"{UNITS}/shop.service", OTHER_UNIT)
        self.install()
        self.install("--instance", "shop")
        self.root.at(f"srv/stage/{UNITS}/of-an-earlier-version").unlink()
        self.root.add(HARDENING, "# mine\n")
        self.root.systemctl("disable", "backend-deployment.service")
        self.newer()

    def kill_everywhere(self, prepare, action):
        """Compares what two runs leave of which the first is killed with what
        one leaves that is not."""
        prepare()
        before = self.enterContext(tempfile.TemporaryDirectory(
            prefix="before-"))
        self.root.save(before)
        self.succeed(action(0))
        whole = self.comparable()
        for number in range(1, 200):
            with self.subTest(call=number):
                self.root.put_back(before)
                self.root.kill_at_calls()
                run = action(number)
                if run.status == 0:
                    self.assertGreater(number, 10)
                    return
                self.assertEqual(run.status, -signal.SIGKILL, run.text)
                yield number
                self.assertEqual(self.comparable(), whole)
        self.fail("there is no end of it")

    def test_first_installation(self):
        for _ in self.kill_everywhere(
                self.prepare_first,
                lambda number: self.root.install(kill_at=number)):
            self.install()

    def test_upgrade(self):
        for number in self.kill_everywhere(
                self.prepare_upgrade,
                lambda number: self.root.install(kill_at=number)):
            if number % 2:  # by a version that has something else again
                self.newer(text="# newest\n")
                self.install()
                for name in (SERVICE, TIMER, OF_INSTANCES, FRONT_END, BACK_END,
                             HARDENING):
                    text = self.root.read(f"srv/stage/{name}")
                    self.root.write(f"srv/stage/{name}",
                                    text.replace("# newest\n", ""))
            self.install()

    def test_holding_connections(self):
        for _ in self.kill_everywhere(
                self.install, lambda number: self.root.install(
                    "--hold-connections", kill_at=number)):
            self.install("--hold-connections")

    def test_holding_none_any_more(self):
        for _ in self.kill_everywhere(
                lambda: self.install("--hold-connections"),
                lambda number: self.root.install(
                    "--no-hold-connections", kill_at=number)):
            self.install("--no-hold-connections")

    def test_removal(self):
        for number in self.kill_everywhere(
                self.prepare_upgrade, lambda number: self.root.uninstall(
                    "--with-application", kill_at=number)):
            if number % 2:
                self.install()
            self.root.uninstall("--with-application")


if __name__ == "__main__":
    unittest.main()
