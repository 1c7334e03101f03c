"""The installed units: systemd accepts them, drop-ins included."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import BUILD, PATIENCE, TOP, install_program

UNITS = ["frontend-deployment.service", "backend-deployment.service",
         "deployment-update.service", "deployment-update.timer",
         "deployment-update-poll.service",
         "deployment-update-poll@my-shop.service",
         "deployment-update@my-shop.service",
         "deployment-update@my-shop.timer"]
# The default application's, and those of an instance.
OURS = ["deployment-update", "deployment-update@my-shop"]
POLLS = {"deployment-update": "deployment-update-poll",
         "deployment-update@my-shop": "deployment-update-poll@my-shop"}


class Units(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """A root with what a host has: the units, systemd's own, npm, bash.

        Only whether a program is there and executable is looked at, so npm
        need not be installed on the machine that runs this test.
        """
        cls.root = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        install_program(cls.root)
        shutil.copytree("/usr/lib/systemd/system",
                        cls.root / "usr/lib/systemd/system", symlinks=True)
        for program in ("usr/bin/npm", "bin/bash", "bin/sh"):
            path = cls.root / program
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("#!/bin/sh\n")
            path.chmod(0o755)

    def test_several_may_install_from_one_build(self):
        with tempfile.TemporaryDirectory() as folder:
            installs = {
                Path(folder) / str(number): ("/usr", "/usr/local")[number % 2]
                for number in range(20)}
            started = [subprocess.Popen(
                ["cmake", "--install", BUILD, "--prefix", prefix],
                env=os.environ | {"DESTDIR": str(root)}, text=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                for root, prefix in installs.items()]
            said = [(install.communicate(timeout=PATIENCE)[1],
                     install.returncode) for install in started]
            self.assertEqual(said, [("", 0)] * len(said))
            for root, prefix in installs.items():
                unit = root / "etc/systemd/system/deployment-update.service"
                self.assertIn(f"ExecStart={prefix}/bin/deployment-update\n",
                              unit.read_text())

    def verify(self, unit, **environment):
        return subprocess.run(
            ["systemd-analyze", "verify", "--man=no", f"--root={self.root}",
             unit], env=os.environ | environment, capture_output=True,
            text=True, timeout=PATIENCE)

    def test_systemd_accepts_every_unit_without_a_word(self):
        for unit in UNITS:
            with self.subTest(unit=unit):
                run = self.verify(unit)
                self.assertEqual((run.returncode, run.stdout, run.stderr),
                                 (0, "", ""))

    def test_systemd_accepts_those_that_hold_connections(self):
        units = self.root / "etc/systemd/system"
        files = next(self.root.rglob("examples/hold-connections"))
        for file in files.rglob("*.*"):
            if file.is_file():
                shutil.copy(file, units / file.relative_to(files))
                self.addCleanup((units / file.relative_to(files)).unlink)
        for end in ("frontend", "backend"):
            for kind in ("service", "socket"):
                with self.subTest(unit=f"{end}-deployment.{kind}"):
                    run = self.verify(f"{end}-deployment.{kind}")
                    self.assertEqual((run.returncode, run.stdout, run.stderr),
                                     (0, "", ""))

    def test_a_mistake_in_a_unit_would_be_seen(self):
        path = self.root / "etc/systemd/system/broken.service"
        path.write_text("[Service]\nExecStrat=/bin/bash\n")
        self.addCleanup(path.unlink)
        self.assertNotEqual(self.verify("broken.service").returncode, 0)

    def loaded(self, unit):
        """Returns what systemd makes of the unit, drop-ins included."""
        return self.verify(unit, SYSTEMD_LOG_LEVEL="debug").stdout

    def folder(self, unit):
        """Where the drop-ins of a unit are, or those of its template."""
        return (self.root / "etc/systemd/system"
                / f"{unit.replace('my-shop', '')}.d")

    def test_the_timer_is_exact_to_the_second(self):
        for name in OURS:
            with self.subTest(unit=name):
                timer = self.loaded(f"{name}.timer")
                self.assertIn("DropIn Path: "
                              f"{self.folder(f'{name}.timer')}/", timer)
                self.assertRegex(timer, r"\bAccuracy: 1s\n")
                self.assertRegex(timer, r"\bOnUnitActiveSec: 1min\n")
                self.assertRegex(timer, r"\bOnBootSec: 30s\n")

    def test_a_timer_starts_the_poll_and_the_poll_the_service(self):
        for name, poll in POLLS.items():
            with self.subTest(unit=name):
                self.assertIn(f"Triggers: {poll}.service",
                              self.loaded(f"{name}.timer"))
                unit = self.loaded(f"{poll}.service")
                self.assertIn(f" --poll {name}.service\n", unit)
                self.assertIn(f"OnFailure: {name}.service", unit)
                # It waits for a run that works.
                self.assertIn(f"After: {name}.service", unit)

    def test_a_host_may_let_the_timer_start_each_run(self):
        for name in OURS:
            with self.subTest(unit=name):
                edit = self.folder(f"{name}.timer") / "override.conf"
                edit.write_text(f"[Timer]\nUnit={name}.service\n")
                self.addCleanup(edit.unlink)
                self.assertIn(f"Triggers: {name}.service",
                              self.loaded(f"{name}.timer"))

    def test_a_poll_has_few_rights_and_says_one_line(self):
        for poll in POLLS.values():
            with self.subTest(unit=poll):
                unit = self.loaded(f"{poll}.service")
                self.assertIn(
                    "\tCapabilityBoundingSet: cap_dac_read_search cap_kill "
                    "cap_setgid cap_setuid\n", unit)
                self.assertIn("\tLogLevelMax: notice\n", unit)
                self.assertRegex(unit, r"\bTimeoutStartSec: 10min\n")

    def test_hosts_are_spread_when_the_example_is_put_into_use(self):
        for name in OURS:
            with self.subTest(unit=name):
                self.check_spread(f"{name}.timer")

    def check_spread(self, unit):
        folder = self.folder(unit)
        self.assertNotRegex(self.loaded(unit),
                            r"OnCalendar: |FixedRandomDelay: yes")
        active = folder / "spread.conf"
        shutil.copy(folder / "spread.conf.example", active)
        self.addCleanup(active.unlink)
        timer = self.loaded(unit)
        self.assertRegex(timer, r"\bOnCalendar: \*-\*-\* \*:\*:00\n")
        # Not among what systemd tells; a word it does not know it would say.
        self.assertIn("\nRandomizedDelaySec=58s\n", active.read_text())
        self.assertRegex(timer, r"\bFixedRandomDelay: yes\n")
        self.assertRegex(timer, r"\bAccuracy: 1s\n")
        # Else there would be two runs a minute.
        self.assertNotRegex(timer, r"OnUnitActiveSec: |OnBootSec: ")
        run = self.verify(unit)
        self.assertEqual((run.returncode, run.stderr), (0, ""))

    def test_a_run_has_an_outer_bound(self):
        for name in OURS:
            with self.subTest(unit=name):
                self.check_outer_bound(f"{name}.service")

    def check_outer_bound(self, unit):
        service = self.loaded(unit)
        self.assertIn(f"DropIn Path: {self.folder(unit)}/deadline.conf\n",
                      service)
        bound = re.search(r"\bTimeoutStartSec: (\d+)h\n", service)
        # Adds up as the comment there does: a run within its deadlines ends.
        page = (self.folder(unit) / "deadline.conf").read_text()
        minutes = sum(map(int, re.findall(r"^#   .* (\d+) min$", page, re.M)))
        self.assertGreater(minutes, 0)
        self.assertIn(f"which is {minutes // 60} h {minutes % 60} min.", page)
        self.assertGreater(60 * int(bound.group(1)), minutes)
        self.assertRegex(service, r"\bKillMode: mixed\n")
        self.assertRegex(service, r"\bTimeoutStopSec: 1min\n")

    def test_the_service_is_confined(self):
        for name in OURS:
            with self.subTest(unit=name):
                self.check_confined(self.loaded(f"{name}.service"))

    def check_confined(self, service):
        for line in ["ProtectSystem: full",
                     "PrivateDevices: yes",
                     "ProtectKernelModules: yes", "RestrictNamespaces: mnt",
                     "RestrictRealtime: yes", "SystemCallErrorNumber: EPERM",
                     "CapabilityBoundingSet: cap_chown cap_dac_override "
                     "cap_fowner cap_fsetid cap_kill cap_setgid cap_setuid "
                     "cap_sys_admin"]:
            self.assertIn(f"\t{line}\n", service)
        # systemd 257 calls it "connected".
        self.assertRegex(service, r"\tPrivateTmp: (yes|connected)\n")

    def test_its_exposure_is_as_documented(self):
        """As on a booted host, see host/test_host.py."""
        page = (TOP / "docs/hardening.md").read_text()
        service, poll = re.findall(
            r"^\| (?:with the drop-ins|\[the poll\]\(.*\)) \| (\d+\.\d) ",
            page, re.M)
        for name, documented in (
                *((name, service) for name in OURS),
                ("deployment-update-poll", poll)):
            run = subprocess.run(
                ["systemd-analyze", "security", "--offline=true",
                 "--no-pager", f"--root={self.root}", f"{name}.service"],
                capture_output=True, text=True, timeout=PATIENCE)
            level = re.search(r"Overall exposure level for .*: (\d+\.\d)",
                              run.stdout)
            self.assertEqual(level[1], documented)

    def test_an_instance_has_a_configuration_and_a_record_of_its_name(self):
        service = self.loaded("deployment-update@my-shop.service")
        self.assertIn("/usr/local/bin/deployment-update --instance my-shop\n",
                      service)
        # That the program has its record there without the service manager:
        # integration/instances.py.
        self.assertIn("StateDirectory: deployment-update/my-shop", service)

    def test_an_edit_of_the_host_comes_after_the_drop_ins(self):
        """systemctl edit writes override.conf; the last one by name wins."""
        for folder in (self.root / "etc/systemd/system").glob("*.d"):
            for path in folder.glob("*.conf"):
                if path.name != "zz-poll.conf":  # of Unit= the first counts
                    self.assertLess(path.name, "local.conf", path)

    def test_the_page_tells_each_option(self):
        page = (TOP / "docs/hardening.md").read_text()
        drop_in = (self.root / "etc/systemd/system/deployment-update.service.d"
                   "/hardening.conf").read_text()
        options = re.findall(r"^(\w+=.*)$", drop_in, re.M)
        self.assertTrue(options)
        for option in options:
            name, values = option.split("=", 1)
            told = values.split() if name == "CapabilityBoundingSet" else [
                option]
            for text in told:
                self.assertIn(f"`{text}`", page)

    def test_the_service_runs_the_installed_program(self):
        for name in ("deployment-update", "deployment-update@",
                     "deployment-update-poll", "deployment-update-poll@"):
            unit = self.root / f"etc/systemd/system/{name}.service"
            program = re.search(r"^ExecStart=(\S+)", unit.read_text(),
                                re.MULTILINE).group(1)
            installed = self.root / program.lstrip("/")
            self.assertTrue(os.access(installed, os.X_OK), installed)

    def test_the_reference_units_are_kept_word_for_word(self):
        # The original units, but for the script's own.
        front = (self.root / "etc/systemd/system/frontend-deployment.service")
        self.assertIn("ExecStart=/usr/bin/npm run dev -- --host 0.0.0.0 "
                      "--port 3000\n", front.read_text())
        back = (self.root / "etc/systemd/system/backend-deployment.service")
        self.assertIn("exec uvicorn server:app --host 0.0.0.0 --port 8000 "
                      "--reload'\n", back.read_text())
