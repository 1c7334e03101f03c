"""A row of the matrix: an application and its history."""

import json
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from support import TOP

RECIPES = TOP / "docs/applications.md"


class Wheel(NamedTuple):
    """A Python package of one module, as its author would publish it."""

    name: str
    version: str
    text: str = ""


# The commits of a history, the oldest first; the last one is as the first.
VERSIONS = ["first", "changed", "broken", "reverted"]
Files = dict[str, str | Wheel | None]  # by path; None: the file is removed


@dataclass(frozen=True, kw_only=True)
class Row:
    """`config` has the sections of the components. The second commit has the
    files of `changed` besides, the third one those of `broken`, too: its build
    fails. The programs are those that the services would start, as words of a
    command, each in a folder of the checkout; all print one line."""

    name: str
    config: str
    files: Files
    changed: Files
    broken: Files
    programs: list[tuple[str, list[str]]]
    prints: tuple[str, str]  # of the first commit, and of the changed one
    # Files that come with the changed commit and stay in each later one.
    stays: Files = field(default_factory=dict)
    # Commands of the author before each commit, in a folder of the checkout.
    author: list[tuple[str, list[str]]] = field(default_factory=list)
    # Repositories that are submodules, by path: the files at both commits.
    submodules: dict[str, tuple[Files, Files]] = field(default_factory=dict)
    # Paths that only a build in place writes, each with the reason.
    only_in_place: dict[str, str] = field(default_factory=dict)
    # Paths of the first commit's build that have to be there: what the row is
    # about.
    makes: list[str] = field(default_factory=list)

    def at(self, version: str) -> Files:
        """Its files at a version of VERSIONS."""
        changed = self.changed if version in ("changed", "broken") else {}
        broken = self.broken if version == "broken" else {}
        later = self.stays if version != "first" else {}
        return self.files | changed | broken | later


def recipes() -> dict[str, str]:
    """The configurations that docs/applications.md shows, by heading."""
    found = {}
    for section in RECIPES.read_text().split("\n## ")[1:]:
        block = re.search(r"^```ini\n(.*?)^```$", section, re.M | re.S)
        if block:
            found[section.splitlines()[0]] = block[1]
    return found


def recipe(heading: str) -> str:
    return recipes()[heading]


def manifest(**fields) -> str:
    """A package.json."""
    fields = {"name": "app", "version": "1.0.0", "private": True} | fields
    return json.dumps(fields, indent=2) + "\n"


IGNORED = "node_modules/\nvenv/\ndist/\n"
