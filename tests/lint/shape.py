"""Checks the shape of the product's sources.

    shape.py SOURCE_DIRECTORY

No file has more than LINES lines, no function more than FUNCTION, and no
comment begins with a word of SUBJECTS: it says what the code does, verb first.
Prints one line for each breach, and exits 1 when there is one.
"""

import re
import sys
from pathlib import Path

LINES = 350
FUNCTION = 60

SUBJECTS = re.compile(r"\s*// ?(What|Where|Why|Whether|Who|How|Those)\b")
COMMENT = re.compile(r"\s*//")

# In Google's format the head of a function ends with a brace after a
# parenthesis or a qualifier, and its end is a brace that is indented like it.
HEAD = re.compile(r"( *)(?!if|for|while|switch)\S.*"
                  r"(\)|const|noexcept|override) \{$")


def complaints_of(name, lines):
    if len(lines) > LINES:
        yield f"{name}: {len(lines)} lines; at most {LINES}"
    start, end, in_comment = None, None, False
    for number, line in enumerate(lines, 1):
        if SUBJECTS.match(line) and not in_comment:
            yield f"{name}:{number}: begins without a verb: {line.strip()}"
        in_comment = bool(COMMENT.match(line))
        head = HEAD.match(line)
        if start is None and head:
            start, end = number, head.group(1) + "}"
        if start is not None and line == end:
            if number - start > FUNCTION:
                yield (f"{name}:{start}: a function of {number - start} "
                       f"lines; at most {FUNCTION}")
            start = None


def main():
    top = Path(sys.argv[1])
    sources = sorted(path for folder in ("lib", "cmd")
                     for path in (top / folder).rglob("*.[ch]pp"))
    found = [text for path in sources for text in complaints_of(
        path.relative_to(top), path.read_text().splitlines())]
    print("\n".join(found) or f"{len(sources)} sources are in shape")
    return 1 if found or not sources else 0


if __name__ == "__main__":
    sys.exit(main())
