"""includes.py sees an include that breaks a rule, and accepts the others."""

import tempfile
import unittest
from pathlib import Path

from lint import includes


class Includes(unittest.TestCase):
    def setUp(self):
        self.root = Path(
            self.enterContext(tempfile.TemporaryDirectory()))
        self.write("lib/base/text.hpp", "<string>")
        self.write("lib/base/file.cpp", '"lib/base/file.hpp"',
                   '"lib/base/text.hpp"')
        self.write("lib/checkout/git.cpp", '"lib/checkout/git.hpp"',
                   '"lib/process/command.hpp"')
        self.write("lib/plan/plan.cpp", '"lib/plan/plan.hpp"',
                   '"lib/plan/facts.hpp"', '"lib/model/record.hpp"')
        self.write("cmd/main.cpp", '"lib/process/runner.hpp"',
                   '"cmd/options.hpp"')

    def write(self, name, *included):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"#include {name}\n" for name in included))

    def complaints(self):
        return list(includes.complaints(self.root))

    def test_includes_that_keep_to_the_layers_are_accepted(self):
        self.assertEqual(self.complaints(), [])

    def test_each_other_include_is_seen(self):
        planted = {
            ("lib/base/text.cpp", '"lib/plan/plan.hpp"'): "must not know",
            ("lib/checkout/git.hpp", '"lib/services/systemd.hpp"'):
                "must not know",
            ("lib/model/config.cpp", '"lib/process/command.hpp"'):
                "must not know",
            ("lib/services/verify.cpp", '"lib/environments/store.hpp"'):
                "must not know",
            ("lib/plan/observe.hpp", '"lib/deploy/deploy.hpp"'):
                "must not know",
            ("lib/plan/plan.cpp", '"lib/base/file.hpp"'): "values only",
            ("lib/plan/plan.cpp", '"lib/plan/observe.hpp"'): "values only",
            ("lib/plan/facts.hpp", '"lib/checkout/git.hpp"'): "values only",
            ("lib/plan/facts.hpp", '"lib/checkout/git_locks.hpp"'):
                "values only",
            ("lib/checkout/git.cpp", '"lib/process/runner.hpp"'): "only ",
            ("lib/deploy/deploy.cpp", '"lib/process/runner.hpp"'): "only ",
            ("lib/deploy/status.cpp", '"cmd/options.hpp"'): "must not know",
            ("lib/base/text.cpp", '"lib/brand_new/file.hpp"'):
                "no line in LAYERS",
            ("lib/brand_new/file.cpp", "<string>"): "no line in LAYERS",
            ("lib/loose.cpp", "<string>"): "no line in LAYERS",
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

    def test_a_circle_in_one_folder_is_seen(self):
        self.write("lib/base/text.cpp", '"lib/base/file.hpp"')
        found = self.complaints()
        self.assertEqual(len(found), 1, found)
        self.assertIn("lib/base/file -> lib/base/text -> lib/base/file",
                      found[0])

    def test_a_folder_without_sources_is_no_success(self):
        with tempfile.TemporaryDirectory() as empty:
            self.assertTrue(list(includes.complaints(Path(empty))))
