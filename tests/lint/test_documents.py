"""The documents agree with the files that they speak of."""

import re
import subprocess
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PAGES = [TOP / "README.md", *sorted(TOP.glob("docs/*.md")),
         *sorted(TOP.glob(".github/*.md"))]


def words(shell):
    """The words of a command that may span lines."""
    return set(shell.replace("\\\n", " ").split())


class Packages(unittest.TestCase):
    def in_readme(self):
        found = re.search(r"^apt-get install ((?:.*\\\n)*.*)$",
                          (TOP / "README.md").read_text(), re.MULTILINE)
        return words(found[1])

    def in_script(self):
        script = (TOP / "scripts/install").read_text()
        lists = re.findall(r"\bpackages\+?=\(([^)]*)\)", script)
        lists += re.findall(r"^ +install_packages ((?:.*\\\n)*.*)$", script,
                            re.MULTILINE)
        return set().union(*map(words, lists)) - {'"${packages[@]}"'}

    def test_readme_names_the_packages_that_the_installer_installs(self):
        self.assertTrue({"curl", "npm", "g++"} <= self.in_script())
        self.assertEqual(self.in_readme(), self.in_script())


class Copied(unittest.TestCase):
    def test_the_man_page_names_what_builds_are_known_to_read(self):
        code = (TOP / "lib/model/config.hpp").read_text()
        known = re.search(r"read_by_builds = \{([^}]*)\}", code)[1]
        page = (TOP / "docs/deployment-update.conf.5").read_text()
        key = page.partition("\n.It Cm copy\n")[2].partition("\n.It ")[0]
        named = [word for line in key.splitlines() if line.startswith(".Pa ")
                 for word in line.split()[1:] if word != ","]
        self.assertEqual(named, re.findall(r'"([^"]+)"', known))


class Conclusions(unittest.TestCase):
    NUMBER = re.compile(r"\d(?:[\d,.]*\d)?(?: m?s\b)?")

    def test_each_figure_is_in_a_table(self):
        page = (TOP / "docs/performance.md").read_text()
        tables = page + (TOP / "docs/fleet.md").read_text()
        measured = {number for line in tables.splitlines()
                    if line.startswith("|")
                    for number in self.NUMBER.findall(line)}
        conclusions = re.sub(r"^\d\. ", "", page.partition("\n## ")[0],
                             flags=re.MULTILINE)
        concluded = set(self.NUMBER.findall(conclusions))
        self.assertGreater(len(concluded), 10)
        self.assertEqual(concluded - measured, set())


class Picture(unittest.TestCase):
    def test_it_shows_what_the_demo_printed(self):
        run = subprocess.run([TOP / "scripts/picture", "--check"], check=False,
                             stderr=subprocess.PIPE, text=True)
        self.assertEqual((run.returncode, run.stderr), (0, ""))


class Links(unittest.TestCase):
    def test_each_relative_link_leads_to_a_file(self):
        links = 0
        for page in PAGES:
            text = re.sub(r"^```.*?^```", "", page.read_text(),
                          flags=re.DOTALL | re.MULTILINE)
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                path = target.partition("#")[0]
                if not path or "://" in target:
                    continue
                links += 1
                with self.subTest(page=page.name, link=target):
                    self.assertTrue((page.parent / path).exists())
        self.assertGreater(links, 10)


class Folders(unittest.TestCase):
    ROW = re.compile(r"^\| (\S+)/ \|[^|]*\| ([^|]*) \|$", re.MULTILINE)

    def in_table(self):
        page = (TOP / "docs/architecture.md").read_text()
        table = page.partition("\n## Folders\n")[2].partition("\n## ")[0]
        return {folder: sorted(files.split(", "))
                for folder, files in self.ROW.findall(table)}

    def in_tree(self):
        folders = [TOP / "cmd", *filter(Path.is_dir, TOP.glob("lib/*"))]
        return {str(folder.relative_to(TOP)): sorted(
                    {source.stem for source in folder.glob("*.[ch]pp")})
                for folder in folders}

    def test_architecture_names_each_folder_and_its_sources(self):
        table, tree = self.in_table(), self.in_tree()
        self.assertIn("lib/base", tree)
        self.assertEqual(sorted(table), sorted(tree))
        for folder, sources in tree.items():
            with self.subTest(folder=folder):
                self.assertEqual(table[folder], sources)


if __name__ == "__main__":
    unittest.main()
