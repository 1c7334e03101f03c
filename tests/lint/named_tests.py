"""Looks whether the tests exist that pages name beside what they promise.

    named_tests.py SOURCE_DIRECTORY

Prints one line for each that does not, and exits 1 when there is one.
"""

import re
import sys
from pathlib import Path

PAGES = ["docs/reliability.md", "docs/security.md"]
FOLDERS = "unit|integration|privileges|host|faithful|fuzz|matrix"
NAMED = re.compile(rf"`((?:{FOLDERS})/\S+): ([^`]+)`")


def complaints(top, page):
    """What is wrong with the rows of a page."""
    text = (top / page).read_text()
    named = NAMED.findall(text)
    for file, name in named:
        path = top / "tests" / file
        if not path.is_file() or name not in path.read_text():
            yield f"{page}: no test {file}: {name}"
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("|") and "should" in line:
            yield f"{page}:{number}: a row says should"
    if not named:
        yield f"{page}: no test is named"
    print(f"{page}: {len(named)} tests are named")


def main():
    top = Path(sys.argv[1])
    found = [text for page in PAGES for text in complaints(top, page)]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
