"""The comparison sees what it has to see, and no recipe goes without a row."""

import tempfile
import unittest
from pathlib import Path

from matrix.inside import ROWS, STEPS, complaints
from matrix.row import Row, recipes
from matrix.site import Snapshot, lines_of
from matrix.tree import DIFFERS, differences, tree_of

ROW = Row(name="row", config="", files={}, changed={}, broken={},
          programs=[], prints=("1", "2"))


def snapshots():
    """A history as it has to be."""
    return [Snapshot(code, "", {"file": str(version)}, ROW.prints[version],
                     [f"deployed = {what}"], [] if code else ["restart"])
            for _, what, code, version in STEPS]


class Trees(unittest.TestCase):
    def setUp(self):
        self.top = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.top / ".git").mkdir()
        for name in ("config", "hooks", "index"):
            (self.top / ".git" / name).write_text(name)
        (self.top / "folder").mkdir()
        self.file = self.top / "folder/file"
        self.file.write_text("text")
        self.link = self.top / "link"
        self.link.symlink_to("folder")
        self.before = tree_of(self.top)

    def changed(self):
        return [line.split(":")[0]
                for line in differences(self.before, tree_of(self.top))]

    def test_equal_trees_have_no_differences(self):
        self.file.touch()
        self.assertEqual(self.changed(), [])

    def test_content_modes_types_and_targets_differ(self):
        self.file.write_text("other")
        self.assertEqual(self.changed(), ["folder/file"])
        self.file.write_text("text")
        self.file.chmod(0o755)
        self.assertEqual(self.changed(), ["folder/file"])
        self.file.chmod(0o644)
        self.link.unlink()
        self.link.symlink_to("other")
        self.assertEqual(self.changed(), ["link"])
        self.link.unlink()
        self.link.mkdir()
        self.assertEqual(self.changed(), ["link"])

    def test_of_a_folder_that_is_missing_only_itself_is_told(self):
        self.file.unlink()
        (self.top / "folder").rmdir()
        (self.top / "more").touch()
        self.assertEqual(self.changed(), ["folder", "more"])

    def test_an_empty_folder_counts_unless_npm_left_it(self):
        (self.top / "node_modules/@scope").mkdir(parents=True)
        self.assertEqual(self.changed(), ["node_modules"])
        (self.top / "node_modules/@scope/file").touch()
        self.before = tree_of(self.top)
        (self.top / "node_modules/@other").mkdir()
        self.assertEqual(self.changed(), [])
        (self.top / "node_modules/@other/file").touch()
        self.assertEqual(self.changed(), ["node_modules/@other"])

    def test_hooks_and_configuration_of_git_count(self):
        (self.top / ".git/index").write_text("other")
        self.assertEqual(self.changed(), [])
        (self.top / ".git/config").write_text("other")
        self.assertEqual(self.changed(), [".git/config"])

    def test_what_may_differ_has_to_be_there(self):
        label = self.top / ".deployment-update"
        label.write_text("one")
        self.before = tree_of(self.top)
        label.write_text("two")
        self.assertEqual(self.changed(), [])
        label.unlink()
        self.assertEqual(self.changed(), [".deployment-update"])

    def test_the_cache_of_python_does_not_count(self):
        (self.top / "folder/__pycache__").mkdir()
        (self.top / "folder/__pycache__/file.pyc").touch()
        self.assertEqual(self.changed(), [])


class Histories(unittest.TestCase):
    def setUp(self):
        self.in_place, self.staged = snapshots(), snapshots()
        broken = [step[0] for step in STEPS].index("broken")
        self.in_place[broken].tree = {"half": "built"}
        self.broken = broken

    def told(self):
        return complaints(ROW, self.in_place, self.staged)

    def test_a_build_in_place_may_leave_a_broken_tree(self):
        self.assertEqual(self.told(), [])

    def test_a_broken_build_aside_leaves_all_as_it_was(self):
        self.staged[self.broken].tree = {"file": "0"}
        self.assertEqual(self.told(), ["broken: file: 0 | 1"])

    def test_both_print_what_the_row_promises(self):
        self.in_place[1].printed = self.staged[1].printed = "1"
        self.assertEqual(self.told(), [
            f"changed: {mode}: prints '1', not '2'"
            for mode in ("aside", "in place")])

    def test_records_and_restarts_are_the_same(self):
        self.staged[3].record.append("failed = yes")
        self.staged[4].restarts = []
        self.assertEqual(self.told(), [
            "reverted: record: + failed = yes",
            "rolled back: restarts: [] | ['restart']"])

    def test_exit_codes_are_those_of_the_step(self):
        self.staged[0].code = 1
        self.assertEqual(self.told(), ["fresh: aside: exit 1, not 0"])

    def test_the_record_is_told_without_times(self):
        with tempfile.NamedTemporaryFile("w") as record:
            record.write("checkout-id = 12\ndeployed = 12\n"
                         "deployment = 2024-01-01T00:00:00Z failed 3 - 45\n")
            record.flush()
            self.assertEqual(lines_of(Path(record.name)), [
                "deployed = 12", "deployment = … failed … - 45"])


class Rows(unittest.TestCase):
    def test_each_recipe_is_the_configuration_of_a_row(self):
        shown = recipes()
        self.assertGreaterEqual(len(shown), 7)
        used = [row.config for row in ROWS.values()]
        for heading, config in shown.items():
            with self.subTest(recipe=heading):
                self.assertIn(config, used)

    def test_each_exception_has_a_reason(self):
        for row in ROWS.values():
            self.assertTrue(all(row.only_in_place.values()))
        self.assertTrue(all(DIFFERS.values()))


if __name__ == "__main__":
    unittest.main()
