"""includes.py sees an include that runs up, and accepts the others."""

import tempfile
import unittest
from pathlib import Path

import includes


class Includes(unittest.TestCase):
    def setUp(self):
        self.root = Path(
            self.enterContext(tempfile.TemporaryDirectory()))
        for folder in ("lib", "cmd"):
            (self.root / folder).mkdir()
        self.write("lib/text.hpp", "<string>")
        self.write("lib/git.cpp", '"lib/git.hpp"', '"lib/command.hpp"')
        self.write("lib/plan.cpp", '"lib/plan.hpp"', '"lib/observation.hpp"')
        self.write("lib/process.cpp", "<boost/process/child.hpp>")
        self.write("cmd/main.cpp", '"lib/process.hpp"', '"cmd/options.hpp"')

    def write(self, name, *included):
        (self.root / name).write_text(
            "".join(f"#include {name}\n" for name in included))

    def complaints(self):
        return list(includes.complaints(self.root))

    def test_arrows_that_run_down_are_accepted(self):
        self.assertEqual(self.complaints(), [])

    def test_each_other_arrow_is_seen(self):
        planted = {
            ("lib/text.cpp", '"lib/plan.hpp"'): "the arrow runs up",
            ("lib/git.hpp", '"lib/systemd.hpp"'): "the arrow runs up",
            ("lib/config.cpp", '"lib/record.hpp"'): "the arrow runs up",
            ("lib/plan.hpp", '"lib/deploy.hpp"'): "only ",
            ("lib/plan.cpp", '"lib/file.hpp"'): "values only",
            ("lib/plan.cpp", '"lib/command.hpp"'): "values only",
            ("lib/git.cpp", '"lib/process.hpp"'): "only ",
            ("lib/deploy.cpp", '"lib/process.hpp"'): "only ",
            ("lib/deploy.cpp", "<boost/process.hpp>"): "only ",
            ("cmd/main.cpp", "<boost/process/v1/child.hpp>"): "only ",
            ("lib/status.cpp", '"cmd/options.hpp"'): "does not know cmd/",
            ("lib/text.cpp", '"lib/brand_new.hpp"'): "no place in FLOORS",
            ("lib/brand_new.cpp", "<string>"): "no place in FLOORS",
        }
        for (source, included), why in planted.items():
            with self.subTest(source=source, included=included):
                path = self.root / source
                before = path.read_text() if path.exists() else None
                self.write(source, included)
                found = self.complaints()
                self.assertEqual(len(found), 1, found)
                self.assertIn(source, found[0])
                self.assertIn(why, found[0])
                path.unlink() if before is None else path.write_text(before)

    def test_a_folder_without_sources_is_no_success(self):
        with tempfile.TemporaryDirectory() as empty:
            self.assertTrue(list(includes.complaints(Path(empty))))


if __name__ == "__main__":
    unittest.main()
