"""Checks the arrows between the rooms of lib/ and cmd/ (docs/architecture.md).

    includes.py SOURCE_DIRECTORY

A source may include what stands on a lower floor, and its own header. Prints
one line for each include that does not keep to that, and exits 1 when there is
one.
"""

import re
import sys
from pathlib import Path

# From the ground up. A new source of lib/ gets a place here.
FLOORS = [
    {"error", "text", "time"},
    {"sha256", "user", "interrupt", "log", "file", "ini", "requirements",
     "git_answer"},
    {"lock", "command"},
    {"process", "environment", "git", "git_lock", "systemd", "npm", "venv",
     "health", "config", "record", "request", "orphan"},
    {"ownership", "store"},
    {"observation", "verify"},
    {"plan"},
    {"stage", "plan_text"},
    {"run"},
    {"deploy", "apply", "failure", "status"},
]

# Who else may include what, whatever the floor.
ONLY = {
    re.compile(r"boost/process\b"): {"lib/process.cpp"},
    re.compile(r"lib/process\.hpp"): {"lib/process.cpp", "cmd/main.cpp"},
    re.compile(r"lib/deploy\.hpp"): {"lib/deploy.cpp", "cmd/main.cpp",
                                     "cmd/options.hpp"},
}

# The plan is made of values: nothing in it runs, reads or writes.
PLAN_INCLUDES = {"config", "observation", "record", "text", "time", "plan",
                 "error"}

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


def floor_of(room):
    for number, rooms in enumerate(FLOORS):
        if room in rooms:
            return number
    return None


def complaint(source, included):
    """Why `source` must not include `included`; None: it may."""
    for pattern, allowed in ONLY.items():
        if pattern.match(included) and source not in allowed:
            return f"only {' and '.join(sorted(allowed))} may"
    folder, room = source.split("/")[0], Path(source).stem
    if included.startswith("cmd/"):
        return None if folder == "cmd" else "lib/ does not know cmd/"
    if folder == "cmd" or not included.startswith("lib/"):
        return None
    other = Path(included).stem
    if room == "plan" and other not in PLAN_INCLUDES:
        return "the plan includes values only"
    if floor_of(other) is None:
        return f"{other} has no place in FLOORS of {__file__}"
    if other != room and floor_of(other) >= floor_of(room):
        return "the arrow runs up"
    return None


def complaints(root):
    sources = sorted(path for folder in ("lib", "cmd")
                     for path in (root / folder).glob("*.[ch]pp"))
    if not sources:
        yield f"there are no sources in {root}"
    for path in sources:
        source = str(path.relative_to(root))
        if source.startswith("lib/") and floor_of(path.stem) is None:
            yield f"{source}: has no place in FLOORS of {__file__}"
            continue
        for included in INCLUDE.findall(path.read_text(encoding="utf-8")):
            why = complaint(source, included)
            if why:
                yield f"{source} includes {included}: {why}"


def main():
    found = list(complaints(Path(sys.argv[1])))
    print("\n".join(found) or "all arrows run down")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
