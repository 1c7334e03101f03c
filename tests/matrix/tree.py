"""What stands in a checkout after a build, and what may differ in it."""

import hashlib
import os
import re
import stat
from pathlib import Path

# Files whose content cannot be the same in two builds of the same commit, by a
# pattern of their path.
DIFFERS = {
    r"(^|/)\.deployment-update$": "a label says whom an environment served, "
    "and in place there is only one",
    r"(^|/)node_modules/\.modules\.yaml$": "pnpm writes the time",
    r"(^|/)\.pnpm-workspace-state\.json$": "pnpm writes the time",
}
# What Python keeps of what it read: a cache, with the times of the sources.
CACHE = "__pycache__"
GIT_FILES = ["config", "hooks"]  # what installs are known to change below .git


def describe(path: Path, with_content: bool) -> str:
    status = path.lstat()
    kind = stat.filemode(status.st_mode)
    content = ""
    if path.is_symlink():
        content = os.readlink(path)
    elif path.is_file() and with_content:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{kind} {status.st_uid} {content}"


def reason_to_differ(path: str) -> str | None:
    return next((why for pattern, why in DIFFERS.items()
                 if re.search(pattern, path)), None)


def tree_of(checkout: Path) -> dict[str, str]:
    """All that stands in a checkout, by path; of .git what matters to others
    than git and this program."""
    found = {}
    for folder, folders, files in os.walk(checkout):
        below = Path(folder).relative_to(checkout)
        if str(below) == ".git":
            folders[:] = [name for name in folders if name in GIT_FILES]
            files = [name for name in files if name in GIT_FILES]
        if CACHE in folders:
            folders.remove(CACHE)
        for name in [*folders, *files]:
            path = str(below / name)
            found[path] = describe(checkout / path, not reason_to_differ(path))
    return without_empty_scopes(found)


def without_empty_scopes(tree: dict[str, str]) -> dict[str, str]:
    """npm removes a package, but not the folder of its scope; a kept
    environment never had it."""
    filled = {str(parent) for name, found in tree.items()
              if not found.startswith("d") for parent in Path(name).parents}
    return {name: found for name, found in tree.items()
            if name in filled or not found.startswith("d")
            or not re.search("(^|/)node_modules/@[^/]*$", name)}


def differences(ours: dict[str, str], theirs: dict[str, str]) -> list[str]:
    """One line for each path; of a folder that one side lacks, only itself."""
    lines: list[str] = []
    absent = " "
    for name in sorted(ours.keys() | theirs.keys()):
        if name.startswith(absent):
            continue
        if ours.get(name) == theirs.get(name):
            continue
        if name not in ours or name not in theirs:
            absent = f"{name}/"
        lines.append(f"{name}: {ours.get(name)} | {theirs.get(name)}")
    return lines
