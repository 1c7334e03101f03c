"""The man pages render with each sentence, option, key and exit code that they
must hold.

Needs mandoc, and the program in DEPLOYMENT_UPDATE: options and exit codes come
from its --help, the keys from its message about a key that it does not know.
"""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = os.environ["DEPLOYMENT_UPDATE"]
DOCS = Path(__file__).parents[2] / "docs"
PROGRAM_PAGE = DOCS / "deployment-update.8"
CONFIGURATION_PAGE = DOCS / "deployment-update.conf.5"
PATIENCE = 60
SENTENCES = [
    "Without a change it prints 'No changes detected in the repository.' and "
    "writes nothing, but for the record when the remote had been away and, in "
    "the first run, a lock.",
    "Ends a quarantine and the wait for the next try.",
    "Started as root, it runs every command as the owner of the checkout, and "
    "only systemctl(1) as root.",
]


def run(*argv, check=True):
    return subprocess.run(argv, text=True, capture_output=True, check=check,
                          timeout=PATIENCE)


def one_line(text):
    return " ".join(text.split())


def allowed_keys(config):
    """The keys that the program names for a configuration that has another."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(config)
        file.flush()
        refusal = run(PROGRAM, "--config", file.name, "--status", check=False)
    allowed = re.search(r"allowed: (.*)", refusal.stderr)
    if not allowed:
        raise AssertionError(refusal.stderr)
    return allowed[1].split(", ")


class Page:
    """The text that a reader of a man page sees."""

    def __init__(self, path):
        self.path = path
        rendered = run("mandoc", "-Tascii", "-Owidth=200", str(path)).stdout
        self.text = re.sub(".\b", "", rendered).replace("`", "'")

    def section(self, name):
        """The text of a section, and the words with which its items begin."""
        text = re.search(rf"^{name}\n(.*?)(?=^\S|\Z)", self.text,
                         re.DOTALL | re.MULTILINE)[1]
        items = re.findall(r"^     (\S.*)$", text, re.MULTILINE)
        return text, {word for item in items
                      for word in re.split(r"[ ,|]+", item)}


class ManPages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = Page(PROGRAM_PAGE)
        cls.configuration = Page(CONFIGURATION_PAGE)
        cls.help = run(PROGRAM, "--help").stdout

    def test_mandoc_has_nothing_to_say(self):
        for page in (self.program, self.configuration):
            with self.subTest(page.path.name):
                lint = run("mandoc", "-Tlint", "-Wwarning", str(page.path),
                           check=False)
                self.assertEqual((lint.returncode, lint.stdout, lint.stderr),
                                 (0, "", ""))

    def test_sentences(self):
        text = one_line(self.program.text)
        for sentence in SENTENCES:
            with self.subTest(sentence):
                self.assertTrue(sentence in text, sentence)

    def test_each_option_of_help_is_an_item(self):
        # "  -v [ --verbose ]      log every command"
        options = {option for line in self.help.splitlines()
                   if line.startswith("  -")
                   for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*",
                                            line[:line.find("  ", 3)])}
        self.assertIn("--repo-dir", options)
        self.assertIn("-v", options)
        _, items = self.program.section("OPTIONS")
        self.assertEqual(options - items, set())

    def test_each_key_is_an_item_or_an_option(self):
        text, items = self.configuration.section("SETTINGS")
        keys = allowed_keys("nonsense = 1\n")
        self.assertIn("branch", keys)
        as_options = re.search(
            r"The keys (.*) mean the same as the options of deployment-update",
            one_line(text))[1]
        items |= set(re.split(r",? and |, ", as_options))
        self.assertEqual(set(keys) - items, set())
        keys = allowed_keys("[web]\nnonsense = 1\n")
        self.assertIn("service", keys)
        _, items = self.configuration.section("COMPONENTS")
        self.assertEqual(set(keys) - items, set())

    def test_each_exit_code_of_help_is_an_item(self):
        codes = re.findall(r"^  (\d\S*) ", self.help.split("Exit codes:")[1],
                           re.MULTILINE)
        self.assertIn("75", codes)
        _, items = self.program.section("EXIT STATUS")
        self.assertEqual(set(codes) - items, set())


if __name__ == "__main__":
    unittest.main()
