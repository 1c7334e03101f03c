"""A remote that is moved back, what is in the way in the checkout, and runs
that go on without the remote."""

import os
import shutil
import unittest

from support import needs_root, needs_staging
from support.record import entries, make_due, note_killed_move
from support.users import OWNER, READER, OwnedWorld
from support.world import (CONFIG, OF_TIMER, World, built_aside, listing,
                           made_from)

NO_CHANGES = (0, "No changes detected in the repository.\n", "")


class Case(unittest.TestCase):
    """Version 1 and then version 2 were deployed, if that is wanted."""

    second: str

    def setUp(self):
        self.world = self.enterContext(World())
        self.first = self.world.commit()

    def deploy_both(self):
        world = self.world
        self.first = world.commit()
        for push in (lambda: self.first, lambda: world.push_version(2)):
            self.second = push()
            run = world.run("--force")
            self.assertEqual(run.returncode, 0, run.stderr)
        world.calls()

    def ended(self, *more, **options):
        run = self.world.run(*more, **options)
        return run.returncode, run.stdout, run.stderr

    def entry(self, key):
        return entries(self.world.record).get(key)

    def rewrite_record(self, key, value):
        """Sets an entry, or removes it (None)."""
        lines = self.world.record.read_text().splitlines(keepends=True)
        lines = [line for line in lines if not line.startswith(f"{key} = ")]
        if value is not None:
            lines.insert(0, f"{key} = {value}\n")
        self.world.record.write_text("".join(lines))


class Rewinds(Case):
    def setUp(self):
        super().setUp()
        self.deploy_both()

    def take_away(self, commits=1):
        """The remote loses its last commits."""
        world = self.world
        world.git(world.author, "reset", "-q", "--hard", f"HEAD~{commits}")
        world.push_commits("--force")

    def commit_here(self):
        world = self.world
        world.git(world.checkout, "commit", "-q", "--allow-empty", "-m", "own")
        return world.commit()

    def assert_divergence(self, here, ours, *more):
        code, out, text = self.ended(*more)
        self.assertEqual((code, out), (1, ""), text)
        self.assertIn(
            f"error: branch prod was moved back: the checkout is at {here} "
            f"({ours}), origin is at {self.first}; nothing was changed\n",
            text)
        self.assertIn(f"reset --keep {self.first}; or set on-divergence = "
                      "reset", text)
        self.assertEqual(self.world.commit(), here)
        self.assertEqual(self.world.calls(), [])

    def assert_taken_away(self, *more):
        self.assert_divergence(
            self.second, "1 commit that origin does not have any more", *more)

    def test_a_commit_that_is_taken_away_is_a_divergence(self):
        self.take_away()
        self.assert_taken_away()
        self.assert_taken_away("--force")
        self.assert_taken_away("--dry-run")
        self.assertEqual(self.world.in_use(), made_from(2))
        self.assertEqual(self.entry("deployed"), self.second)

    @needs_staging
    def test_it_is_followed_when_that_is_wanted(self):
        world = self.world
        world.config(CONFIG + "on-divergence = reset\n")
        self.take_away()
        run = world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        ref = f"refs/deployment-update/lost/{self.second}"
        self.assertIn("the remote was moved back and on-divergence = reset; "
                      f"what is lost is kept as {ref}", run.stderr)
        self.assertEqual(world.commit(), self.first)
        self.assertEqual(world.git(world.checkout, "rev-parse", ref).strip(),
                         self.second)
        self.assertFalse(built_aside(run), run.stderr)
        self.assertEqual(world.in_use(), made_from(1))
        self.assertEqual(
            [call for call in world.calls() if "systemctl" in call],
            ["systemctl restart frontend-deployment.service",
             "systemctl restart backend-deployment.service"])
        self.assertEqual(self.entry("deployed"), self.first)
        self.assertEqual(self.entry("remote-commit"), self.first)
        self.assertEqual(self.ended(), NO_CHANGES)

    def test_after_a_persons_fetch_the_record_tells(self):
        self.take_away()
        self.world.git(self.world.checkout, "fetch", "-q", "origin")
        self.assert_taken_away()

    def test_a_record_of_an_earlier_version_tells_as_well(self):
        self.rewrite_record("remote-commit", None)
        self.take_away()
        self.world.git(self.world.checkout, "fetch", "-q", "origin")
        self.assert_taken_away()

    def test_without_a_record_the_remote_tracking_branch_tells(self):
        shutil.rmtree(self.world.state)
        self.take_away()
        self.assert_taken_away()

    def test_commits_of_a_person_alone_are_no_changes(self):
        self.commit_here()
        self.assertEqual(self.ended(), NO_CHANGES)
        self.world.git(self.world.checkout, "fetch", "-q", "origin")
        self.assertEqual(self.ended(), NO_CHANGES)
        # Deployed here, and still the remote's never.
        self.assertEqual(self.ended("--force")[0], 0)
        self.assertEqual(self.ended(), NO_CHANGES)

    def test_a_persons_commit_on_one_that_is_taken_away(self):
        own = self.commit_here()
        self.take_away()
        self.assert_divergence(
            own, "2 commits that origin does not have, and had 1 of them")

    def test_what_a_person_reset_and_committed_upon_is_no_rewind(self):
        world = self.world
        world.git(world.checkout, "reset", "-q", "--hard", self.first)
        self.commit_here()
        self.take_away()
        code, _, text = self.ended()
        self.assertEqual(code, 0, text)
        self.assertNotIn("moved back", text)

    @needs_staging
    def test_after_a_rollback_a_good_push_that_takes_it_away_is_nothing_new(
            self):
        bad = self.world.push("Bad", {"crash": "1\n"})
        code, _, text = self.ended()
        self.assertEqual(code, 1, text)
        self.assertEqual(self.world.commit(), self.second)
        self.assertEqual(self.entry("quarantined"), bad)
        self.take_away()
        self.assertEqual(self.ended(), NO_CHANGES)

    def test_after_a_rollback_more_is_taken_away(self):
        """Of what is checked out, too, which the record does not name as the
        remote's."""
        self.world.push_version(3)
        self.assertEqual(self.ended()[0], 0)
        self.assertEqual(self.ended("--rollback")[0], 0)
        self.assertEqual(self.world.commit(), self.second)
        self.world.calls()
        self.take_away(2)
        self.assert_taken_away()

    def test_commits_that_are_gone_are_no_error(self):
        world = self.world
        self.commit_here()
        for name in ("deployed", "remote-commit"):
            self.rewrite_record(name, "1" * 40)
        world.git(world.checkout, "update-ref", "-d",
                  "refs/remotes/origin/prod")
        self.take_away()
        code, _, text = self.ended("--dry-run")
        self.assertEqual(code, 0, text)

    def test_a_shallow_clone(self):
        with World(clone_options=("--depth=1",)) as self.world:
            self.deploy_both()
            self.take_away()
            code, out, text = self.ended()
            self.assertEqual((code, out), (1, ""), text)
            for part in (self.second, self.first, "nothing was changed",
                         "on-divergence = reset"):
                self.assertIn(part, text)
            self.world.config(CONFIG + "on-divergence = reset\n")
            code, _, text = self.ended()
            self.assertEqual(code, 0, text)
            self.assertEqual(self.world.commit(), self.first)


class Obstacles(Case):
    """What is in the way is looked at by each run, without a wait."""

    def put_in_the_way(self):
        """Returns the commit that is pending then."""
        self.world.push_version(2)
        commit = self.world.push("Code", {"backend/server.py": "app = 2\n"})
        (self.world.checkout / "backend/server.py").write_text("mine\n")
        return commit

    def take_out_of_the_way(self):
        self.world.git(self.world.checkout, "checkout", "-q", "--",
                       "backend/server.py")

    def test_a_tick_says_a_known_one_in_one_line(self):
        commit = self.put_in_the_way()
        first = self.ended(environment=OF_TIMER)[2]
        self.assertIn("error: backend/server.py\nerror: what to do: ", first)
        line = ("error: the deployment of "
                f"{commit[:12]} is pending: 'planning' failed: local changes "
                "would be overwritten; nothing was changed: backend/server.py"
                "; each run looks again\n")
        self.assertTrue(first.endswith(line), first)
        before = listing(self.world.state)
        for _ in range(3):
            self.assertEqual(self.ended(environment=OF_TIMER), (1, "", line))
        self.assertEqual(listing(self.world.state), before)

    def test_the_next_tick_deploys_when_it_is_gone(self):
        commit = self.put_in_the_way()
        for _ in range(3):
            self.ended(environment=OF_TIMER)
        self.take_out_of_the_way()
        code, _, text = self.ended(environment=OF_TIMER)
        self.assertEqual(code, 0, text)
        self.assertNotIn("after it had failed", text)
        self.assertEqual(self.world.commit(), commit)

    def test_a_person_is_told_in_full_each_time(self):
        self.put_in_the_way()
        self.ended(environment=OF_TIMER)
        for more in ([], ["--force"], []):
            self.assertIn("what to do: commit them", self.ended(*more)[2])
        self.assertIn("what to do: commit them",
                      self.ended("--force", environment=OF_TIMER)[2])

    def test_a_divergence(self):
        world = self.world
        world.git(world.checkout, "commit", "-q", "--allow-empty", "-m", "own")
        commit = world.push_version(2)
        self.ended(environment=OF_TIMER)
        code, _, text = self.ended(environment=OF_TIMER)
        self.assertEqual(code, 1)
        self.assertEqual(text.count("\n"), 1, text)
        self.assertIn("branch prod diverged", text)
        self.assertIn("branch prod diverged", self.ended("--force")[2])
        world.git(world.checkout, "reset", "-q", "--keep", self.first)
        code, _, text = self.ended(environment=OF_TIMER)
        self.assertEqual(code, 0, text)
        self.assertEqual(world.commit(), commit)

    def test_a_lock(self):
        commit = self.world.push_version(2)
        lock = self.world.checkout / ".git/index.lock"
        lock.touch()
        self.ended(environment=OF_TIMER)
        code, _, text = self.ended(environment=OF_TIMER)
        self.assertEqual(code, 1)
        self.assertEqual(text.count("\n"), 1, text)
        self.assertTrue(text.endswith(
            f"'planning' failed: {lock} exists, but no git process is running "
            "in the checkout; each run looks again\n"), text)
        lock.unlink()
        code, _, text = self.ended(environment=OF_TIMER)
        self.assertEqual(code, 0, text)
        self.assertEqual(self.world.commit(), commit)

    def test_status_promises_no_time(self):
        self.put_in_the_way()
        self.ended(environment=OF_TIMER)
        text = self.ended("--status")[1]
        self.assertRegex(
            text, r"\Anot up to date: the deployment stopped at 'planning'\n"
            r"since      \S+Z\nnext       each run looks again\n")

    @needs_staging
    def test_one_after_failures(self):
        """A failed build waits; a person's edit in the meantime does not."""
        world = self.world
        stand_in = world.stand_in_text("pip")
        world.stand_in("pip", stand_in.replace(
            'echo "Successfully installed"', "exit 1"))
        self.put_in_the_way()
        self.take_out_of_the_way()
        self.assertEqual(self.ended(environment=OF_TIMER)[0], 1)
        self.assertEqual(world.commit(), self.first)
        (world.checkout / "backend/server.py").write_text("mine\n")
        make_due(world.record)
        world.stand_in("pip", stand_in)
        self.assertIn("each run looks again",
                      self.ended(environment=OF_TIMER)[2])
        self.take_out_of_the_way()
        self.assertEqual(self.ended(environment=OF_TIMER)[0], 0)


class WithoutRemote(Case):
    """What is under way is finished while the remote is away."""

    def setUp(self):
        super().setUp()
        self.deploy_both()
        self.away = self.world.root / "away"

    def leave_remote(self):
        self.world.origin.rename(self.away)

    def assert_finished(self, commit, *words):
        code, out, text = self.ended(environment=OF_TIMER)
        self.assertEqual((code, out), (1, ""), text)
        for part in ("asking origin for branch prod failed", *words):
            self.assertIn(part, text)
        self.assertEqual(self.world.commit(), commit)
        self.assertIsNone(self.entry("pending"))
        self.assertIsNotNone(self.entry("remote-away-since"))
        # There is no more to do than to say that the remote is away.
        code, out, text = self.ended(environment=OF_TIMER)
        self.assertEqual((code, out, text.count("\n")), (1, "", 1), text)

    def break_pip(self):
        stand_in = self.world.stand_in_text("pip")
        self.world.stand_in("pip", stand_in.replace(
            'echo "Successfully installed"', "exit 1"))
        commit = self.world.push_version(3)
        self.assertEqual(self.ended()[0], 1)
        self.world.stand_in("pip", stand_in)
        return commit

    def test_a_deployment_that_was_killed(self):
        third = self.world.push_version(3)
        self.world.git(self.world.checkout, "fetch", "-q", "origin")
        note_killed_move(self.world.record, third, third)
        self.leave_remote()
        self.assert_finished(
            third, "origin is away; the deployment of "
            f"{third[:12]} goes on, since its commit is here",
            f"\ndeployed {third[:12]}")
        self.assertEqual(self.world.in_use(), made_from(3))
        self.away.rename(self.world.origin)
        code, out, text = self.ended()
        self.assertEqual((code, out), NO_CHANGES[:2])
        self.assertIn("origin answers again", text)

    def test_a_deployment_that_is_due(self):
        third = self.break_pip()
        self.leave_remote()
        make_due(self.world.record)
        self.assert_finished(third, f"\ndeployed {third[:12]}")

    def test_a_rollback_that_was_killed(self):
        note_killed_move(self.world.record, self.first, self.second)
        self.rewrite_record("quarantined", self.second)
        self.leave_remote()
        self.assert_finished(
            self.first, "origin is away; the rollback to "
            f"{self.first[:12]} goes on, since its commit is here",
            f"rolled back to {self.first[:12]}")

    def test_a_deployment_that_is_not_due_waits(self):
        self.break_pip()
        before = self.world.commit()
        self.leave_remote()
        for more in ([], ["--force"]):
            code, _, text = self.ended(*more)
            self.assertEqual((code, text.count("\n")), (1, 1), text)
        self.assertEqual(self.world.commit(), before)

    def test_a_deployment_whose_objects_are_missing_waits(self):
        third = self.world.push_version(3)
        note_killed_move(self.world.record, third, third)
        self.leave_remote()
        code, _, text = self.ended()
        self.assertEqual((code, text.count("\n")), (1, 1), text)
        self.assertEqual(self.entry("running"), "yes")

    def test_a_dry_run_tells_what_a_run_would_do(self):
        third = self.world.push_version(3)
        self.world.git(self.world.checkout, "fetch", "-q", "origin")
        note_killed_move(self.world.record, third, third)
        self.leave_remote()
        code, out, _ = self.ended("--dry-run")
        self.assertEqual(code, 1)
        self.assertIn(f"fast-forward {self.second[:12]} -> {third[:12]}", out)


class Damage(Case):
    def test_a_commit_of_another_checkout_is_no_damage(self):
        self.deploy_both()
        absent = "1" * 40
        note_killed_move(self.world.record, absent, self.second)
        code, _, text = self.ended()
        self.assertEqual(code, 1)
        self.assertIn(f"the commit {absent} to roll back to is not in the "
                      "checkout", text)
        self.assertIn("what to do: deploy what the remote has: "
                      "deployment-update --force", text)
        self.assertNotIn("damaged", text)
        self.assertNotIn("mv ", text)
        code, _, text = self.ended("--force")
        self.assertEqual(code, 0, text)
        self.assertEqual(self.ended(), NO_CHANGES)

    def test_words_of_git_that_no_fsck_confirms(self):
        """git-lfs and filters speak like that, too."""
        world = self.world
        world.push_version(2)
        git = os.readlink(world.bin / "git")
        (world.bin / "git").unlink()
        world.stand_in("git", f"""#!/bin/sh
case "$*" in
*merge*) echo "fatal: loose object x is corrupt" >&2; exit 128 ;;
esac
exec {git} "$@"
""")
        code, _, text = self.ended()
        self.assertEqual(code, 1)
        self.assertIn("loose object x is corrupt", text)
        self.assertIn("git fsck finds no damage", text)
        self.assertNotIn("mv ", text)

    def test_one_file_that_is_cut_short(self):
        """No fsck of the connectivity alone would find it."""
        world = self.world
        world.push("Code", {"backend/server.py": "app = 2\n"})
        world.git(world.checkout, "-c", "fetch.unpackLimit=100", "fetch", "-q",
                  "origin")
        name = world.git(world.checkout, "rev-parse",
                         "origin/prod:backend/server.py").strip()
        path = world.checkout / ".git/objects" / name[:2] / name[2:]
        path.chmod(0o644)
        path.write_bytes(b"")
        code, _, text = self.ended()
        self.assertEqual(code, 1)
        self.assertIn("the repository is damaged", text)


class Exceptions(Case):
    def test_one_that_is_no_error_of_ours_is_a_failure_too(self):
        """The folder for temporary files is not there: the standard library
        throws what only it can."""
        world = self.world
        self.deploy_both()
        third = world.push("Code", {"backend/server.py": "app = 3\n"})
        world.git(world.checkout, "fetch", "-q", "origin")
        (world.checkout / "backend/server.py").write_text("app")
        note_killed_move(world.record, third, third)
        nowhere = OF_TIMER | {"TMPDIR": str(world.root / "nowhere")}
        code, _, text = self.ended(environment=nowhere)
        self.assertEqual(code, 1, text)
        self.assertIn("error: something unexpected: filesystem error", text)
        self.assertIn("'planning' failed (once so far): something unexpected: "
                      "filesystem error", text)
        self.assertEqual(self.entry("attempts"), "1")
        self.assertIsNone(self.entry("running"))
        code, _, text = self.ended(environment=nowhere)
        self.assertEqual((code, text.count("\n")), (1, 1), text)
        make_due(world.record)
        code, _, text = self.ended()
        self.assertEqual(code, 0, text)
        self.assertEqual(world.commit(), third)


# Puts the record $1 into root's place, where only this process sees it, and
# becomes the program.
AS_ON_A_HOST = """
/bin/mount -t tmpfs -o mode=755 none /var/lib
mkdir -m 755 /var/lib/deployment-update
cat "$1" >/var/lib/deployment-update/record
chmod "$2" /var/lib/deployment-update/record
shift 2
exec "$@"
"""


@needs_root
class BesideRoot(Case):
    """Somebody who is not root, where root deploys."""

    def setUp(self):
        world = self.world = self.enterContext(OwnedWorld())
        world.in_place = True  # he may make no mount namespace
        self.first = world.commit()
        self.of_root = world.root / "record-of-root"
        self.write_record(f"checkout = {world.checkout}\n")
        self.second = world.push_version(2)

    def write_record(self, text):
        self.of_root.write_text(text + f"deployed = {self.first}\n")

    def run_of(self, user, *more, mode="644"):
        command = self.world.command_of(user, *more)
        if user == 0:
            command = ["--state-dir=/var/lib/deployment-update"
                       if str(word).startswith("--state-dir=") else word
                       for word in command]
        return self.world.run_program(
            ["/usr/bin/unshare", "--mount", "/bin/sh", "-ec", AS_ON_A_HOST,
             "sh", self.of_root, mode, *command])

    def assert_refused(self, run, where):
        self.assertEqual((run.returncode, run.stdout), (1, ""), run.stderr)
        self.assertEqual(
            run.stderr,
            f"error: root deploys {where}: its record is "
            "/var/lib/deployment-update/record\nerror: what to do: run it as "
            "root: sudo deployment-update, with the same options\n")

    def test_a_run_is_refused_before_anything_is_done(self):
        before = listing(self.world.checkout, self.world.state_of_owner)
        for user in (OWNER, READER):
            for more in ([], ["--force"], ["--rollback"]):
                with self.subTest(user=user, more=more):
                    self.assert_refused(self.run_of(user, *more),
                                        self.world.checkout)
        self.assertEqual(listing(self.world.checkout,
                                 self.world.state_of_owner), before)

    def test_a_record_that_names_no_checkout(self):
        self.write_record("")
        self.assert_refused(self.run_of(OWNER), "on this host")

    def test_who_only_looks_is_let(self):
        run = self.run_of(OWNER, "--dry-run")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("Plan: deploy", run.stdout)
        self.assertEqual(self.run_of(OWNER, "--status").returncode, 0)

    def test_another_checkout_is_none_of_roots(self):
        self.write_record(f"checkout = {self.world.author}\n")
        run = self.run_of(OWNER)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.world.commit(), self.second)

    def test_the_path_may_be_spelled_in_another_way(self):
        link = self.world.root / "link"
        link.symlink_to(self.world.root)
        self.write_record(f"checkout = {link / 'app'}\n")
        self.assert_refused(self.run_of(OWNER), self.world.checkout)

    def test_a_record_that_he_may_not_read_stops_nobody(self):
        run = self.run_of(OWNER, mode="600")
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_root_is_let(self):
        run = self.run_of(0)
        self.assertEqual(run.returncode, 0, run.stderr)
