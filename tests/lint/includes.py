"""Checks the includes between the folders of lib/ and cmd/
(docs/architecture.md).

    includes.py SOURCE_DIRECTORY

A source may include files of its own folder and of the folders that LAYERS
allows it; no two files of a folder may include each other in a circle. Prints
one line for each include that breaks a rule, and exits 1 when there is one.
"""

import re
import sys
from pathlib import Path

# Each folder, and those that it may include. A new folder gets a line here.
LAYERS = {
    "lib/base": set(),
    "lib/process": {"lib/base"},
    "lib/model": {"lib/base"},
    "lib/checkout": {"lib/base", "lib/process", "lib/model"},
    "lib/services": {"lib/base", "lib/process", "lib/model"},
    "lib/environments": {"lib/base", "lib/process", "lib/model",
                         "lib/checkout"},
    "lib/plan": {"lib/base", "lib/model", "lib/checkout", "lib/environments"},
    "lib/deploy": {"lib/base", "lib/process", "lib/model", "lib/checkout",
                   "lib/services", "lib/environments", "lib/plan"},
    "lib/check": {"lib/base", "lib/process", "lib/model", "lib/checkout",
                  "lib/services", "lib/environments", "lib/plan",
                  "lib/deploy"},
    "cmd": {"lib/base", "lib/process", "lib/model", "lib/deploy",
            "lib/check"},
}

# Names who may include what, whatever the layers allow.
ONLY = {
    re.compile(r"lib/process/runner\.hpp"): {"lib/process/runner.cpp",
                                             "cmd/main.cpp"},
}

# The facts and the plan are values: nothing in them runs, reads or writes.
VALUES = re.compile(r"lib/(model/\w+|base/(error|text|time)|"
                    r"plan/(facts|homes|inputs_text|needs|obstacle|plan|"
                    r"refusals|steps|verdict)|"
                    r"checkout/state)\.hpp")
MADE_OF_VALUES = re.compile(r"lib/plan/(facts|inputs_text|needs|obstacle|"
                            r"plan|refusals|steps|verdict)\.[ch]pp")

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


def folder_of(source):
    return str(Path(source).parent)


def is_ours(included):
    return included.startswith(("lib/", "cmd/"))


def complaint(source, included):
    """Says why `source` must not include `included`; None: it may."""
    for pattern, allowed in ONLY.items():
        if pattern.match(included) and source not in allowed:
            return f"only {' and '.join(sorted(allowed))} may"
    if not is_ours(included):
        return None
    if MADE_OF_VALUES.fullmatch(source) and not VALUES.fullmatch(included):
        return "facts and plan include values only"
    here, there = folder_of(source), folder_of(included)
    if there not in LAYERS:
        return f"{there} has no line in LAYERS of {__file__}"
    if here != there and there not in LAYERS[here]:
        return f"{here} must not know {there}"
    return None


def circles(includes):
    """Each circle of files that include each other, once."""
    done, path = set(), []

    def visit(file):
        if file in path:
            yield path[path.index(file):] + [file]
        elif file not in done:
            path.append(file)
            for included in includes.get(file, ()):
                yield from visit(included)
            done.add(path.pop())

    for file in sorted(includes):
        yield from visit(file)


def unit(path):
    """A header and its source are one thing."""
    return str(Path(path).with_suffix(""))


def complaints(root):
    sources = sorted(path for folder in ("lib", "cmd")
                     for path in (root / folder).rglob("*.[ch]pp"))
    if not sources:
        yield f"there are no sources in {root}"
    includes = {}
    for path in sources:
        source = str(path.relative_to(root))
        if folder_of(source) not in LAYERS:
            yield (f"{source}: {folder_of(source)} has no line in LAYERS of "
                   f"{__file__}")
            continue
        for included in INCLUDE.findall(path.read_text(encoding="utf-8")):
            why = complaint(source, included)
            if why:
                yield f"{source} includes {included}: {why}"
            if is_ours(included) and unit(included) != unit(source):
                includes.setdefault(unit(source), set()).add(unit(included))
    for circle in circles(includes):
        yield "a circle of includes: " + " -> ".join(circle)


def main():
    found = list(complaints(Path(sys.argv[1])))
    print("\n".join(found) or "all includes keep to the layers")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
