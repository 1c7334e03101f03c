"""verify-signatures = true, with real keys of both kinds."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support.world import World


class Signatures(unittest.TestCase):
    def setUp(self):
        world = self.world = self.enterContext(World())
        world.environment["PATH"] = f"{world.bin}:{os.environ['PATH']}"
        world.config("settle = 0\nverify-signatures = true\n")
        self.first = world.commit()

    def sign(self, key_format, key):
        for name, value in (("gpg.format", key_format),
                            ("user.signingkey", key),
                            ("commit.gpgsign", "true")):
            self.world.git(self.world.author, "config", name, value)

    def make_ssh_key(self, name):
        path = self.world.root / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "",
                        "-C", "", "-f", path], check=True)
        return path

    def trust_ssh_keys(self, *keys):
        allowed = self.world.root / "allowed"
        allowed.write_text("".join(
            f"a@example.org {key.with_suffix('.pub').read_text()}"
            for key in keys))
        self.world.git(self.world.checkout, "config",
                       "gpg.ssh.allowedSignersFile", allowed)

    def assert_refused(self, commit, why=""):
        world = self.world
        refs = world.git(world.checkout, "for-each-ref", "refs/heads")
        run = world.run("--force")
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn(f"checking the signature of {commit} failed: git "
                      f"verify-commit {commit}", run.stderr)
        self.assertIn(why, run.stderr)
        self.assertIn("nothing was changed", run.stderr)
        self.assertEqual(world.commit(), self.first)
        self.assertEqual(
            world.git(world.checkout, "for-each-ref", "refs/heads"), refs)
        self.assertEqual(world.calls(), [])

    def assert_deployed(self, commit):
        run = self.world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.world.commit(), commit)

    def test_an_unsigned_tip(self):
        self.assert_refused(self.world.push("Second", {"README": "2\n"}))

    def test_one_that_somebody_checked_out(self):
        """With all installed, and in a fresh clone."""
        unsigned = self.world.push("Second", {"README": "2\n"})
        self.world.git(self.world.checkout, "pull", "-q", "origin", "prod")
        self.first = unsigned
        self.assert_refused(unsigned)
        self.assertNotEqual(self.world.run().returncode, 0)

    def test_ssh_keys(self):
        trusted, other = self.make_ssh_key("one"), self.make_ssh_key("two")
        self.trust_ssh_keys(trusted)
        self.sign("ssh", other)
        self.assert_refused(self.world.push("Of another", {"README": "2\n"}),
                            "No principal matched")
        self.sign("ssh", trusted)
        self.assert_deployed(self.world.push("Of ours", {"README": "3\n"}))

    def make_gpg_key(self, name):
        subprocess.run(
            ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback",
             "--passphrase", "", "--quick-generate-key",
             f"{name} <{name}@example.org>", "ed25519", "sign", "never"],
            check=True, env=self.world.environment, capture_output=True)

    def remove_agent(self, home):
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"],
                       check=True)
        shutil.rmtree(home, ignore_errors=True)

    def make_gpg_home(self):
        # The agent's socket has a short path, whatever $TMPDIR is.
        home = Path(tempfile.mkdtemp(prefix="gpg-", dir="/tmp"))
        self.addCleanup(self.remove_agent, home)
        return home

    def test_gpg_keys(self):
        world = self.world
        authors, hosts = self.make_gpg_home(), self.make_gpg_home()
        world.environment["GNUPGHOME"] = str(authors)
        self.make_gpg_key("trusted")
        self.make_gpg_key("other")
        self.sign("openpgp", "other@example.org")
        of_another = world.push("Of another", {"README": "2\n"})
        self.sign("openpgp", "trusted@example.org")
        of_ours = world.push("Of ours", {"README": "3\n"})
        key = subprocess.run(["gpg", "--batch", "--export", "trusted"],
                             env=world.environment, check=True,
                             capture_output=True).stdout
        # The host knows one of them.
        world.environment["GNUPGHOME"] = str(hosts)
        subprocess.run(["gpg", "--batch", "--quiet", "--import"], input=key,
                       env=world.environment, check=True, capture_output=True)
        world.git(world.author, "push", "-q", "--force", "origin",
                  f"{of_another}:prod")
        self.assert_refused(of_another, "No public key")
        world.git(world.author, "push", "-q", "--force", "origin",
                  f"{of_ours}:prod")
        self.assert_deployed(of_ours)
