"""The Debian package, made of what was built: lintian has nothing to say, and
the configuration that it brings says what the program does without it.

Needs cpack, dpkg-shlibdeps and lintian, and the build in BUILD_DIRECTORY.
"""

import subprocess
import tempfile
import unittest
from pathlib import Path

from support import PATIENCE, build_package


def run(*argv):
    return subprocess.run(argv, text=True, capture_output=True, check=False,
                          timeout=5 * PATIENCE)


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.package = build_package(cls.enterClassContext(
            tempfile.TemporaryDirectory(prefix="package-")))
        cls.content = Path(cls.enterClassContext(
            tempfile.TemporaryDirectory(prefix="content-")))
        subprocess.run(["dpkg-deb", "--extract", cls.package, cls.content],
                       check=True)

    def field(self, name):
        return run("dpkg-deb", "--field", self.package, name).stdout.strip()

    def test_lintian_has_nothing_to_say(self):
        lint = run("lintian", "--allow-root", "--profile", "debian",
                   "--fail-on", "error,warning", self.package)
        self.assertEqual((lint.returncode, lint.stdout, lint.stderr),
                         (0, "", ""))

    def test_the_version_is_the_program_s(self):
        program = run(self.content / "usr/bin/deployment-update", "--version")
        self.assertEqual(program.stdout.split()[1], self.field("Version"))

    def test_what_is_loaded_at_run_time_is_a_dependency(self):
        """dpkg-shlibdeps does not see it."""
        for name in ("libssl3", "git", "systemd", "libc6"):
            self.assertIn(name, self.field("Depends"))

    def test_the_service_starts_the_packaged_program(self):
        for name in ("deployment-update", "deployment-update@",
                     "deployment-update-poll", "deployment-update-poll@"):
            unit = self.content / f"usr/lib/systemd/system/{name}.service"
            self.assertIn("ExecStart=/usr/bin/deployment-update",
                          unit.read_text())

    def test_the_configuration_is_comments(self):
        text = (self.content / "etc/deployment-update.conf").read_text()
        self.assertEqual([line for line in text.splitlines()
                          if line and line[0] != "#"], [])

    def test_links_between_documents_hold(self):
        """README.md speaks of docs/."""
        documents = self.content / "usr/share/doc/deployment-update"
        for page in ("README.md", "docs/differences.md", "docs/tick.svg"):
            self.assertTrue((documents / page).exists(), page)


if __name__ == "__main__":
    unittest.main()
