"""Checks the shape of the product's sources.

    shape.py SOURCE_DIRECTORY

No file has more than LINES lines, no function more than FUNCTION, no comment
begins with a word of SUBJECTS: it says what the code does, verb first; and no
source declares a name for its own use that it does not use.
Prints one line for each breach, and exits 1 when there is one.
"""

import re
import sys
from pathlib import Path

LINES = 350
FUNCTION = 60

SUBJECTS = re.compile(r"\s*// ?(What|Where|Why|Whether|Who|How|Those)\b")
COMMENT = re.compile(r"\s*//")
ALIAS = re.compile(r" *(?:namespace (\w+) = |using (?:\w+::)+(\w+);$"
                   r"|using (\w+) = )")

# In Google's format the head of a function ends with a brace after a
# parenthesis or a qualifier. Its end is a brace indented like its first line.
HEAD = re.compile(r"( *)(?!if |for |while |switch |\}|return )\S.*"
                  r"(\)|const|noexcept|override) \{$")
BETWEEN = re.compile(r"$|\s*//|#|.*[;{}:]$")


def end_of_function(lines, head):
    """The line that ends it, for the index of the line that ends its head."""
    first = head
    while first > 0 and not BETWEEN.match(lines[first - 1]):
        first -= 1
    indent = re.match(" *", lines[first]).group()
    return lines.index(indent + "}", head)


def complaints_of(name, lines):
    if len(lines) > LINES:
        yield f"{name}: {len(lines)} lines; at most {LINES}"
    end, in_comment = 0, False
    for i, line in enumerate(lines):
        if SUBJECTS.match(line) and not in_comment:
            yield f"{name}:{i + 1}: begins without a verb: {line.strip()}"
        in_comment = bool(COMMENT.match(line))
        if i >= end and HEAD.match(line):
            end = end_of_function(lines, i)
            if end - i > FUNCTION:
                yield (f"{name}:{i + 1}: a function of {end - i} lines; at "
                       f"most {FUNCTION}")
    if name.suffix == ".cpp":
        yield from unused_aliases(name, lines)


def unused_aliases(name, lines):
    for i, line in enumerate(lines):
        if alias := ALIAS.match(line):
            word = re.compile(rf"\b{alias[1] or alias[2] or alias[3]}\b")
            if not any(word.search(other) for other in lines[:i]
                       + lines[i + 1:]):
                yield f"{name}:{i + 1}: not used: {line.strip()}"


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
