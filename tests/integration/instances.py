"""Several applications on one host: each instance has a configuration and a
record of its name, and each checkout has one record.

Runs see an /etc and a /var/lib of their own. With systemd:
tests/host/test_instances.py.
"""

import json
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import BINARY, needs_root, needs_staging
from support.record import entries
from support.users import READER, become
from support.world import World, listing

# Of the machine's /etc, for the loader and for names of users.
ETC = ("passwd", "group", "nsswitch.conf", "ld.so.cache", "alternatives")
ON_HOST = """
/bin/mount --bind "$1/etc" /etc
/bin/mount --bind "$1/var-lib" /var/lib
shift
exec "$@"
"""
RECORDS = "/var/lib/deployment-update"


class OneHost(unittest.TestCase):
    """A host with the instances shop and my-blog."""

    def setUp(self):
        self.host = Path(self.enterContext(
            tempfile.TemporaryDirectory(prefix="host-")))
        self.host.chmod(0o755)
        for name in ("etc/deployment-update", "var-lib"):
            (self.host / name).mkdir(parents=True)
        for name in ETC:
            if Path("/etc", name).exists():
                subprocess.run(["cp", "-a", f"/etc/{name}", self.host / "etc"],
                               check=True)
        (self.host / "etc/link").symlink_to("/etc")
        (self.host / "etc/conf").symlink_to("deployment-update")
        (self.host / "etc/shop").symlink_to("conf/shop.conf")
        self.shop = self.enterContext(World())
        self.blog = self.enterContext(World())
        self.configure("deployment-update/shop", self.shop)
        self.configure("deployment-update/my-blog", self.blog)

    def configure(self, name, world, more=""):
        (self.host / f"etc/{name}.conf").write_text(
            f"repo-dir = {world.checkout}\nsettle = 0\n{more}")

    def record(self, name=""):
        return self.host / "var-lib/deployment-update" / name / "record"

    def run_in(self, world, *arguments, user=None, program=BINARY, **options):
        return world.run_program(
            ["/usr/bin/unshare", "--mount", "/bin/sh", "-ec", ON_HOST, "sh",
             self.host, *(become(user) if user else []), program, *arguments],
            **options)

    def succeed(self, world, *arguments, **options):
        run = self.run_in(world, *arguments, **options)
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout

    def deploy_both(self):
        self.succeed(self.shop, "--instance=shop", "--force")
        self.succeed(self.blog, "--instance=my-blog", "--force")


@needs_root
@needs_staging
class Instances(OneHost):
    def test_each_deploys_its_own_pushes(self):
        self.deploy_both()
        before = {path: self.record(path).read_text()
                  for path in ("shop", "my-blog")}
        commit = self.shop.push_version(2)
        self.assertIn("No changes",
                      self.succeed(self.blog, "--instance=my-blog"))
        self.succeed(self.shop, "--instance=shop")
        self.assertEqual(self.shop.commit(), commit)
        self.assertEqual(self.record("my-blog").read_text(),
                         before["my-blog"])
        self.assertNotEqual(self.record("shop").read_text(), before["shop"])
        self.assertEqual(entries(self.record("shop"))["checkout"],
                         str(self.shop.checkout))
        self.assertFalse(self.record().exists())

    def test_one_that_fails_does_not_stop_the_other(self):
        self.deploy_both()
        self.shop.stand_in("npm", "#!/bin/sh\nexit 1\n")
        self.shop.push_version(2)
        commit = self.blog.push_version(2)
        run = self.run_in(self.shop, "--instance=shop")
        self.assertEqual(run.returncode, 1)
        self.succeed(self.blog, "--instance=my-blog")
        self.assertEqual(self.blog.commit(), commit)
        self.assertIn("pending", entries(self.record("shop")))
        self.assertNotIn("pending", entries(self.record("my-blog")))

    # The ways of a person to name an instance, and what systemd might set.
    WAYS = (("--instance=shop",),
            ("--config=/etc/deployment-update/shop.conf",),
            ("--config=etc/deployment-update/shop.conf",),  # cwd is /
            ("--config=/etc/../etc/./deployment-update/shop.conf",),
            ("--config=/etc/link/deployment-update/shop.conf",),
            ("--config=/etc/conf/shop.conf",),
            ("--config=/etc/shop",))
    VARIABLES: tuple[dict[str, str], ...] = (
        {}, {"STATE_DIRECTORY": RECORDS},
        {"STATE_DIRECTORY": f"{RECORDS}/shop"}, {"XDG_STATE_HOME": "/xdg"})

    def test_a_person_sees_the_record_of_the_instance(self):
        self.deploy_both()
        for way in self.WAYS:
            for environment in self.VARIABLES:
                with self.subTest(way=way, environment=environment):
                    status = json.loads(self.succeed(
                        self.shop, *way, "--status", "--json",
                        environment=environment))
                    self.assertEqual(status["record"],
                                     f"{RECORDS}/shop/record")
                    self.assertEqual(status["deployed"]["commit"],
                                     self.shop.commit())

    def test_an_ordinary_user_sees_it_too(self):
        self.deploy_both()
        # The build may be in a folder that only root enters.
        program = self.host / "program"
        program.write_bytes(BINARY.read_bytes())
        program.chmod(0o755)
        for way in self.WAYS:
            status = json.loads(self.succeed(
                self.shop, *way, "--status", "--json", user=READER,
                program=program))
            self.assertEqual(status["record"], f"{RECORDS}/shop/record")

    def test_a_run_by_hand_uses_it(self):
        self.deploy_both()
        first = self.shop.commit()
        for version, way in enumerate(self.WAYS, 2):
            with self.subTest(way=way):
                self.check_run_by_hand(way, version, first)
                first = self.shop.commit()
        self.assertFalse(self.record().exists())
        self.assertEqual(entries(self.record("my-blog"))["deployed"],
                         self.blog.commit())

    def check_run_by_hand(self, way, version, first):
        def run(*more):
            # As the shell of somebody who looks after a service.
            return self.succeed(self.shop, *way, *more, environment={
                "STATE_DIRECTORY": RECORDS})

        second = self.shop.push_version(version)
        self.assertIn(f"-> {second[:12]} ", run("--dry-run"))
        run()
        self.assertEqual(self.shop.commit(), second)
        self.assertEqual(entries(self.record("shop"))["deployed"], second)
        run("--rollback")
        self.assertEqual(self.shop.commit(), first)
        run("--force")
        self.assertEqual(self.shop.commit(), second)

    def test_advice_names_the_instance(self):
        run = self.run_in(self.shop, "--instance=shop", "--rollback")
        self.assertIn("look at: deployment-update --instance shop --history",
                      run.stderr)

    def test_a_folder_that_the_configuration_names_is_used_in_both(self):
        self.configure("deployment-update/shop", self.shop,
                       "state-dir = /var/lib/of-shop\n")
        for way in self.WAYS:
            for environment in self.VARIABLES:
                status = json.loads(self.succeed(
                    self.shop, *way, "--status", "--json",
                    environment=environment))
                self.assertEqual(status["record"], "/var/lib/of-shop/record")

    def test_without_a_configuration_there_is_no_instance(self):
        run = self.run_in(self.shop, "--instance=other", "--force")
        self.assertEqual((run.returncode, run.stderr), (
            2, "error: /etc/deployment-update/other.conf: cannot be read: No "
            "such file or directory\n"))

    def test_the_default_application_is_beside_them(self):
        self.deploy_both()
        with World() as world:
            self.configure("deployment-update", world)
            self.succeed(world, "--force")
            commit = world.push_version(2)
            self.succeed(world)
            self.assertEqual(world.commit(), commit)
            self.assertEqual(entries(self.record())["deployed"], commit)
            status = json.loads(self.succeed(world, "--status", "--json"))
            self.assertEqual(status["record"], f"{RECORDS}/record")
        for world, name in ((self.shop, "shop"), (self.blog, "my-blog")):
            self.assertIn("No changes",
                          self.succeed(world, f"--instance={name}"))


@needs_root
@needs_staging
class OneRecord(OneHost):
    """Two records for one checkout."""

    def setUp(self):
        super().setUp()
        self.deploy_both()
        self.shop.calls()

    def assert_refused(self, *way, other="shop/record"):
        """All that would do something, before it does anything."""
        self.shop.push_version(2)
        before = listing(self.shop.checkout, self.host / "var-lib")
        for more in ((), ("--force",), ("--rollback",), ("--dry-run",)):
            with self.subTest(more=more):
                run = self.run_in(self.shop, *way, *more)
                self.assertEqual((run.returncode, run.stdout), (1, ""))
                said = run.stderr.splitlines()
                self.assertEqual(len(said), 2, said)
                self.assertRegex(
                    said[0], f"^error: the checkout {self.shop.checkout} has "
                    f"the record {RECORDS}/{other}, and .* is to be another "
                    "one; nothing was changed$")
        self.assertEqual(listing(self.shop.checkout, self.host / "var-lib"),
                         before)
        self.assertEqual(self.shop.calls(), [])
        return said[1]

    def take_advice(self, line):
        command = line.partition("its record: ")[2]
        self.assertTrue(command, line)
        run = self.run_in(self.shop, "-ec", command, program="/bin/sh",
                          environment={"PATH": "/usr/bin:/bin"})
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_of_another_instance(self):
        self.configure("deployment-update/copy", self.shop)
        advice = self.assert_refused("--instance=copy")
        self.take_advice(advice)
        self.succeed(self.shop, "--instance=copy")
        self.assertFalse(self.record("shop").exists())
        self.assertEqual(entries(self.record("copy"))["deployed"],
                         self.shop.commit())

    def test_of_the_default_application(self):
        self.configure("deployment-update", self.shop)
        self.take_advice(self.assert_refused())
        self.succeed(self.shop)

    def test_of_an_instance_where_the_default_application_was(self):
        self.record("shop").rename(self.record())
        self.take_advice(self.assert_refused("--instance=shop",
                                             other="record"))
        self.succeed(self.shop, "--instance=shop")
        self.assertFalse(self.record().exists())

    def test_in_a_folder_elsewhere(self):
        self.assert_refused("--instance=shop", "--state-dir=/var/lib/other")

    def test_beside_one_in_a_folder_elsewhere(self):
        """The checkout tells where that is."""
        with World() as world:
            self.configure("deployment-update/third", world)
            self.succeed(world, "--instance=third", "--force",
                         "--state-dir=/var/lib/else where")
            run = self.run_in(world, "--instance=third")
            self.assertEqual(run.returncode, 1)
            self.assertIn("has the record /var/lib/else where/record, ",
                          run.stderr)
            self.succeed(world, "--instance=third",
                         "--state-dir=/var/lib/else where")

    def test_another_way_to_write_its_path(self):
        link = self.shop.root / "link"
        link.symlink_to(self.shop.checkout.parent)
        self.configure("deployment-update", self.shop)
        (self.host / "etc/deployment-update.conf").write_text(
            f"repo-dir = {link}/{self.shop.checkout.name}\nsettle = 0\n")
        run = self.run_in(self.shop)
        self.assertEqual(run.returncode, 1)
        self.assertIn(f"has the record {RECORDS}/shop/record, ", run.stderr)

    def test_a_checkout_that_tells_nothing(self):
        """Root's own records are looked at, whatever the owner removed."""
        for path in (self.shop.checkout / ".git/deployment-update").glob(
                "checkout-*"):
            path.unlink()
        self.configure("deployment-update/copy", self.shop)
        self.assert_refused("--instance=copy")

    def test_a_copy_of_a_record(self):
        """Both name the checkout: neither deploys until one is gone."""
        self.configure("deployment-update/copy", self.shop)
        self.record("copy").parent.mkdir()
        self.record("copy").write_text(self.record("shop").read_text())
        self.assertIn("No changes", self.succeed(self.shop,
                                                 "--instance=shop"))
        commit = self.shop.push_version(2)
        for name in ("shop", "copy"):
            run = self.run_in(self.shop, f"--instance={name}")
            self.assertEqual(run.returncode, 1)
            self.assertIn(" is to be another one", run.stderr)
        self.record("copy").unlink()
        self.succeed(self.shop, "--instance=shop")
        self.assertEqual(self.shop.commit(), commit)

    def test_a_record_that_is_gone_is_no_obstacle(self):
        self.record("shop").unlink()
        self.configure("deployment-update/copy", self.shop)
        self.succeed(self.shop, "--instance=copy", "--force")

    def test_somebody_else_beside_an_instance_of_root(self):
        self.shop.trust_every_owner()
        program = self.host / "program"
        program.write_bytes(BINARY.read_bytes())
        program.chmod(0o755)
        for more in ((), ("--force",), ("--rollback",)):
            run = self.run_in(
                self.shop, f"--repo-dir={self.shop.checkout}",
                f"--state-dir={self.shop.root / 'own'}",
                *more, user=READER, program=program)
            self.assertEqual((run.returncode, run.stdout), (1, ""))
            self.assertEqual(
                run.stderr.splitlines()[0],
                f"error: root deploys {self.shop.checkout}: its record is "
                f"{RECORDS}/shop/record")


if __name__ == "__main__":
    unittest.main()
