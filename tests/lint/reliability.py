"""Looks whether the tests that docs/reliability.md names exist.

    reliability.py SOURCE_DIRECTORY

Prints one line for each that does not, and exits 1 when there is one.
"""

import re
import sys
from pathlib import Path

NAMED = re.compile(r"`((?:unit|integration|host|faithful|fuzz)/\S+): ([^`]+)`")


def main():
    top = Path(sys.argv[1])
    page = (top / "docs/reliability.md").read_text()
    named = NAMED.findall(page)
    missing = [f"{file}: {name}" for file, name in named
               if not (top / "tests" / file).is_file()
               or name not in (top / "tests" / file).read_text()]
    for text in missing:
        print(f"docs/reliability.md: no test {text}")
    for number, line in enumerate(page.splitlines(), 1):
        if line.startswith("|") and "should" in line:
            print(f"docs/reliability.md:{number}: a row says should")
            missing.append(line)
    print(f"{len(named)} tests are named, {len(missing)} complaints")
    return 1 if missing or not named else 0


if __name__ == "__main__":
    sys.exit(main())
