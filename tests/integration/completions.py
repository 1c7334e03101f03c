"""What bash and zsh offer to complete, against what --help says."""

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import BINARY, BUILD, PATIENCE, needs_staging

FILES = BUILD / "cmd/completion"
BASH = FILES / "deployment-update.bash"
ZSH = FILES / "_deployment-update"

# Completes the last of the words, as bash calls it.
IN_BASH = """
compopt() { :; }
. "$0"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_deployment_update "$1" "${COMP_WORDS[COMP_CWORD]}" \
  "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
# Prints what _arguments is told, which makes the suggestions of it.
IN_ZSH = """
_arguments() { print -rl -- "$@" }
complete() { . "$1" }
complete "$1"
"""
# Runs the rest on a host with two instances.
WITH_INSTANCES = """
mount -t tmpfs tmpfs /etc
mkdir /etc/deployment-update
touch /etc/deployment-update/shop.conf /etc/deployment-update/my.api.conf
exec "$@"
"""


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True,
                          timeout=PATIENCE, **options).stdout


def help_options():
    """The options that --help names, with the names of their values."""
    return re.findall(
        r"^  (?:-\w \[ )?(--[\w-]+)(?: \])?(?: ([A-Z]+|\S+\|\S+))? +\S",
        run(BINARY, "--help"), re.MULTILINE)


class Bash(unittest.TestCase):
    def offered(self, *words, before=(), **options):
        return run(*before, "bash", "--norc", "-c", IN_BASH, BASH,
                   "deployment-update", *words, **options).split()

    def test_each_option_of_help_is_offered_and_no_other(self):
        options = [name for name, _ in help_options()]
        self.assertIn("--repo-dir", options)
        self.assertIn("--verbose", options)
        self.assertEqual(run(BINARY, "--help").count("\n  -"), len(options))
        self.assertEqual(sorted(self.offered("")), sorted(options))
        self.assertEqual(self.offered("--status", "--js"), ["--json"])

    def test_the_words_that_an_option_takes_are_offered(self):
        both = ["in-place", "staged"]
        for words in (["--build", ""], ["--build", "=", ""],
                      ["--build", "="], ["-v", "--build", ""]):
            with self.subTest(words=words):
                self.assertEqual(self.offered(*words), both)
        self.assertEqual(self.offered("--build", "=", "st"), ["staged"])
        self.assertEqual(self.offered("--build", "staged", "--fo"),
                         ["--force"])

    def test_files_and_folders_are_offered(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a file").touch()
            (Path(folder) / "one").mkdir()
            self.assertEqual(self.offered("--state-dir", "", cwd=folder),
                             ["one"])
            self.assertEqual(sorted(self.offered("--config", "", cwd=folder)),
                             ["a", "file", "one"])

    def test_nothing_is_offered_for_a_value_that_nobody_knows(self):
        for option, value in help_options():
            if (re.fullmatch("[A-Z]+", value) and option != "--instance"
                    and value not in ("DIR", "FILE")):
                with self.subTest(option):
                    self.assertEqual(self.offered(option, ""), [])

    @needs_staging
    def test_instances_are_offered(self):
        before = ["unshare", "--mount", "sh", "-ec", WITH_INSTANCES, "sh"]
        self.assertEqual(
            sorted(self.offered("--instance", "", before=before)),
            ["my.api", "shop"])
        self.assertEqual(self.offered("--instance", "s", before=before),
                         ["shop"])


@unittest.skipUnless(shutil.which("zsh"), "zsh is missing")
class Zsh(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.specs = run("zsh", "-f", "-c", IN_ZSH, "zsh", ZSH).splitlines()

    def test_each_option_of_help_is_described(self):
        text = " ".join(run(BINARY, "--help").split())
        text = text.translate(str.maketrans("[];", "(),"))  # as CMake needs it
        found = {}
        self.assertEqual(self.specs[:2], ["-s", ":"])
        for spec in self.specs[2:]:
            name, said, value = re.fullmatch(
                r"(?:\([^)]*\))?(--?[\w-]+)=?\[([^]]*)\](?::([^:]+):.+)?",
                spec).groups()
            found[name] = value
            self.assertIn(said, text)
        self.assertEqual(found.pop("-v", ""), None)
        self.assertEqual(found.pop("-h", ""), None)
        self.assertEqual(sorted(found), sorted(dict(help_options())))
        for name, value in help_options():
            self.assertEqual(found[name] is not None, value != "", name)

    def test_values_are_completed_by_their_kind(self):
        specs = {spec.partition("[")[0]: spec.partition("]")[2]
                 for spec in self.specs}
        self.assertEqual(specs["--config="], ":FILE:_files")
        self.assertEqual(specs["--state-dir="], ":DIR:_files -/")
        self.assertEqual(specs["--build="], ": :(in-place staged)")
        self.assertEqual(specs["--branch="], ":NAME: ")
        self.assertEqual(specs["(--verbose -v)-v"], "")
