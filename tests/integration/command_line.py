"""The command line: options, exit codes, one line for each mistake."""

import fcntl
import json
import os
import shutil
import subprocess
import unittest

from support import BINARY, NOBODY, TOP, needs_root
from support.world import World


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(World())

    def refusal(self, *arguments):
        """The one line that a refused command line prints."""
        run = self.world.run_program([BINARY, *arguments])
        self.assertEqual(run.returncode, 2, run)
        self.assertEqual(run.stdout, "")
        self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        self.assertTrue(run.stderr.startswith("error: "), run.stderr)
        return run.stderr

    def test_help_names_every_option_and_exit_code(self):
        for option in ("--help", "-h"):
            run = self.world.run_program([BINARY, option])
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            for word in ("--repo-dir DIR", "--remote NAME", "--branch NAME",
                         "--state-dir DIR", "--config FILE", "--dry-run",
                         "--force", "--build in-place|staged", "--json",
                         "--verbose", "--help", "--version", "--status",
                         "--history",
                         "--hold REASON", "--release",
                         "--wait", "Exit codes", "  0 ", "  1 ", "  2 ",
                         "  75 "):
                self.assertIn(word, run.stdout)

    def test_the_help_fits_into_80_columns(self):
        run = self.world.run_program([BINARY, "--help"])
        for line in run.stdout.splitlines():
            self.assertLessEqual(len(line), 80, line)

    def test_the_version_is_one_line(self):
        run = self.world.run_program([BINARY, "--version"])
        self.assertRegex(run.stdout, r"^deployment-update \d+\.\d+\.\d+"
                                     r"( \(\S+\))?\n$")
        self.assertEqual((run.returncode, run.stderr), (0, ""))

    def test_the_version_names_the_commit_it_was_built_from(self):
        run = self.world.run_program([BINARY, "--version"])
        head = subprocess.run(["git", "-C", TOP, "rev-parse", "HEAD"],
                              stdout=subprocess.PIPE, text=True, check=False)
        if head.returncode == 0:
            self.assertRegex(run.stdout, r" \([0-9a-f]{12}(-dirty)?\)$")
        else:  # built from an archive
            self.assertNotIn("(", run.stdout)

    def test_the_version_names_no_commit_of_an_outer_repository(self):
        outer = self.world.checkout
        written = self.world.root / "version.cpp"
        for source, named in ((outer, True), (outer / "frontend", False)):
            subprocess.run(
                ["cmake", f"-DSOURCE={source}", "-DVERSION=1.2.3",
                 f"-DOUTPUT={written}", "-P", TOP / "cmd/version.cmake"],
                check=True)
            self.assertEqual(self.world.commit()[:12] in written.read_text(),
                             named)

    def test_a_reader_that_goes_away_is_no_failure(self):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "w") as closed:
            for option in ("--status", "--history", "--help", "--version"):
                run = subprocess.run(
                    self.world.arguments(option), stdout=closed,
                    stderr=subprocess.PIPE, env=self.world.environment,
                    stdin=subprocess.DEVNULL, check=False)
                self.assertEqual((run.returncode, run.stderr), (0, b""))

    def test_what_cannot_be_printed_is_a_failure(self):
        self.world.install_by_hand()
        with open("/dev/full", "w", encoding="utf-8") as full:
            for options in (["--status"], ["--help"], ["--dry-run"], []):
                run = subprocess.run(
                    self.world.arguments(*options), stdout=full,
                    stderr=subprocess.PIPE, env=self.world.environment,
                    stdin=subprocess.DEVNULL, text=True, check=False)
                self.assertEqual(
                    (run.returncode, run.stderr),
                    (1, "error: cannot write to standard output: No space "
                     "left on device\n"))

    def test_every_mistake_is_refused_in_one_line_that_names_it(self):
        mistakes = {
            ("--no-such-option",): "--no-such-option",
            ("-x",): "-x",
            ("--bra=prod",): "--bra",
            ("prod",): "prod",
            ("",): "",
            ("--branch",): "--branch",
            ("--branch=",): "--branch",
            ("--branch=a..b",): "a name that git accepts for a branch",
            ("--branch=-x",): "a name that git accepts for a branch",
            ("--remote=--all",): "a name that git accepts for a remote",
            ("--build=fast",): "in-place or staged",
            ("--dry-run=yes",): "--dry-run",
            ("--json",): "--dry-run, --status, --history or --check",
            ("--wait=soon",): "seconds",
            ("--wait=-1",): "seconds",
            ("--config=/no/such/file",): "/no/such/file: cannot be read: "
                                         "No such file or directory",
            ("--branch=a", "--branch=b"): "branch",
            ("--branch=a\nb",): "a name that git accepts for a branch",
            ("--no\x1b[2J",): "\\x1b",
            # Boost would fill them in, again and again.
            ("--%option%",): "is not understood",
            ("--%canonical_option%",): "is not understood",
            ("--dry-run=%value%",): "is not understood",
        }
        for arguments, word in mistakes.items():
            with self.subTest(arguments=arguments):
                line = self.refusal(*arguments)
                self.assertIn(word, line)
                self.assertNotIn("\x1b", line)

    def test_a_mistake_in_the_file_is_refused_in_one_line(self):
        config = self.world.root / "deployment-update.conf"
        mistakes = {
            "brnch = prod\n": "unknown key 'brnch'; allowed: branch, ",
            "[web]\ntyp = npm\n": "[web]: unknown key 'typ'; allowed: ",
            "[web]\ntype = cargo\n": "generic or npm or python",
            "branch =\n": "branch has no value; it takes ",
            "[web]\nservice = w.service\n": "component web has no type",
            "branch = a..b\n": "a name that git accepts for a branch",
            "[web]\ndirectory = ../out\n": "a path inside the checkout",
            "nonsense\n": "nonsense",
        }
        for text, words in mistakes.items():
            with self.subTest(text=text):
                self.world.config(text)
                line = self.refusal(f"--config={config}")
                self.assertTrue(line.startswith(f"error: {config}: "), line)
                self.assertIn(words, line)

    @needs_root
    def test_root_refuses_a_file_that_others_can_write(self):
        config = self.world.root / "deployment-update.conf"
        for spoil in (lambda: config.chmod(0o666),
                      lambda: os.chown(config, NOBODY, NOBODY)):
            self.world.config("")
            spoil()
            self.assertIn("others than root can write it",
                          self.refusal(f"--config={config}"))

    def test_options_win_over_the_file(self):
        self.world.config("branch = from-file\nremote = nowhere\n")
        run = self.world.run("--branch=prod", "--remote=origin", "--dry-run")
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_nothing_new_is_success_in_the_scripts_words(self):
        self.world.install_by_hand()
        run = self.world.run()
        self.assertEqual((run.returncode, run.stdout, run.stderr),
                         (0, "No changes detected in the repository.\n", ""))

    def test_every_command_is_logged_when_that_is_wanted(self):
        self.world.push_version(2)
        run = self.world.run("-v")
        self.assertEqual(run.returncode, 0, run.stderr)
        for command in ("git ls-remote --heads -- origin refs/heads/prod",
                        "npm install --no-save",
                        "systemctl restart backend-deployment.service"):
            self.assertIn(f"\nrun {command} in /", f"\n{run.stderr}")

    def test_a_held_lock_is_75_and_names_the_holder(self):
        self.world.run()  # makes the file
        descriptor = os.open(self.world.lock_file(), os.O_RDWR)
        self.addCleanup(os.close, descriptor)
        fcntl.lockf(descriptor, fcntl.LOCK_EX)
        for more in ((), ("--wait=1",)):
            run = self.world.run(*more)
            self.assertEqual(run.returncode, 75, run)
            self.assertIn(f"(process {os.getpid()}) since ", run.stderr)
            self.assertIn("--wait SECONDS", run.stderr)
        self.assertEqual(self.world.run("--dry-run").returncode, 0)
        self.assertEqual(self.world.run("--status").returncode, 0)

    def test_the_status_is_told_as_text_and_as_json(self):
        self.world.run()
        self.world.push("Second", {"README": "2\n"})
        self.assertEqual(self.world.run().returncode, 0)
        commit = self.world.commit()
        text = self.world.run("--status")
        self.assertEqual((text.returncode, text.stderr), (0, ""))
        self.assertTrue(text.stdout.startswith(
            "up to date with origin/prod\ndeployed   Second (20"), text.stdout)
        self.assertIn(f", {commit[:12]})\n", text.stdout)
        status = json.loads(self.world.run("--status", "--json").stdout)
        self.assertEqual(status["deployed"]["commit"], commit)
        self.assertEqual(status["deployed"]["subject"], "Second")
        self.assertIsNone(status["pending"])


class StateDirectory(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(World())

    def record_of(self, *arguments, environment=None, program=BINARY,
                  **options):
        """Returns the folder in which a run would keep its record."""
        run = self.world.run_program(
            [program, f"--config={self.world.root / 'deployment-update.conf'}",
             f"--repo-dir={self.world.checkout}", "--status", "--json",
             *arguments], environment=environment, **options)
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)["record"]

    def test_the_option_wins_over_everything(self):
        self.assertEqual(
            self.record_of("--state-dir=/some/where",
                           environment={"STATE_DIRECTORY": "/run/state"}),
            "/some/where/record")

    def test_the_file_wins_over_the_environment(self):
        self.world.config("state-dir = /from/file\n")
        self.assertEqual(
            self.record_of(environment={"STATE_DIRECTORY": "/run/state"}),
            "/from/file/record")

    def test_the_service_managers_directory_comes_next(self):
        self.assertEqual(
            self.record_of(environment={"STATE_DIRECTORY": "/run/state",
                                        "XDG_STATE_HOME": "/xdg"}),
            "/run/state/record")

    @needs_root
    def test_root_keeps_it_in_var_lib(self):
        self.assertEqual(
            self.record_of(environment={"XDG_STATE_HOME": "/xdg"}),
            "/var/lib/deployment-update/record")

    def as_user(self):
        """Options of subprocess that make the run one of a user's."""
        if os.geteuid() != 0:
            return {}
        # The build may be in a folder that only root enters.
        program = shutil.copy(BINARY, self.world.root)
        return {"program": program, "user": NOBODY, "group": NOBODY,
                "extra_groups": []}

    def test_a_user_keeps_it_in_his_state_home(self):
        user = self.as_user()
        home = self.world.environment["HOME"]
        self.assertEqual(
            self.record_of(environment={"XDG_STATE_HOME": "/xdg"}, **user),
            "/xdg/deployment-update/record")
        self.assertEqual(
            self.record_of(**user),
            f"{home}/.local/state/deployment-update/record")
