"""The record of deployments, as a file: what it says, and changes to it."""

import datetime
import re
from pathlib import Path

PAST = "1970-01-01T00:00:00Z"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def entries(record: Path) -> dict[str, str]:
    """By key; those of a section by [section]key. Of a key that is there
    several times, the last."""
    found = {}
    section = ""
    for line in record.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line
        key, separator, value = line.partition(" = ")
        if separator:
            found[section + key] = value
    return found


def make_due(record: Path) -> None:
    """As if the wait for the next try were over."""
    text = record.read_text(encoding="utf-8")
    record.write_text(re.sub("(?m)^next-try = .*$", f"next-try = {PAST}",
                             text), encoding="utf-8")


def note_killed_move(record: Path, to: str, tip: str) -> None:
    """As if a run that deployed `tip` had been killed while it moved the work
    tree: to `tip`, or rolling back."""
    more = "" if to == tip else f"roll-back-to = {to}\n"
    record.write_text(
        f"moving-to = {to}\n{more}pending = {tip}\nrunning = yes\n"
        f"reached = moved\nattempts = 0\nsince = {PAST}\n"
        f"next-try = {PAST}\n{record.read_text(encoding='utf-8')}",
        encoding="utf-8")


def let_time_pass(record: Path, time: datetime.timedelta) -> None:
    """As if so much time had passed since all that the record tells."""
    def earlier(match: re.Match[str]) -> str:
        then = datetime.datetime.strptime(match[0], TIME_FORMAT)
        return max(then - time, datetime.datetime(1970, 1, 1)).strftime(
            TIME_FORMAT)

    text = record.read_text(encoding="utf-8")
    record.write_text(
        re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", earlier, text),
        encoding="utf-8")
