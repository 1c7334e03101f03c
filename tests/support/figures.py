"""Refuses figures of benchmarks that cannot be true.

The probe of scripts/benchmarks/outage.py writes one line "TIME PORT TEXT" for
each answer, with the time of the monotonic clock. A line that was read in two
halves is still a number, and an outage of 50,000 s was once computed from one:
each line and each figure is therefore checked against the time of the
observation.
"""

import re
import statistics
import sys
from pathlib import Path

LINE = re.compile(r"(\d+\.\d+) (\d+) (\S.*)")


class Impossible(SystemExit):
    """Stops the benchmark with one line; nothing is written."""

    def __init__(self, what):
        bench = Path(sys.argv[0]).stem
        super().__init__(f"bench {bench}: refused: {what}")


def answers_of(text, began, now):
    """Returns a list of (time, port, text), one for each line.

    The last line is left out while it has no end. Throws Impossible when a
    line is malformed, is not between `began` and `now`, or is older than the
    line before it of the same port.
    """
    found = []
    last = {}
    for line in text.rpartition("\n")[0].split("\n") if "\n" in text else ():
        parts = LINE.fullmatch(line)
        if not parts:
            raise Impossible(f"malformed line of the probe: {line!r}")
        when, port = float(parts[1]), int(parts[2])
        if not began <= when <= now:
            raise Impossible(f"a line of the probe from outside of the "
                             f"observation ({began} to {now}): {line!r}")
        if when < last.get(port, began):
            raise Impossible(f"a line of the probe out of order, after "
                             f"{last[port]}: {line!r}")
        last[port] = when
        found.append((when, port, parts[3]))
    return found


def outage_in(times, end, pause, longest):
    """Returns the seconds without an answer between the first time and `end`.

    Each gap longer than `longest` counts, less `pause`. Throws Impossible when
    there is no time, or the sum is more than was observed.
    """
    times = [when for when in times if when < end]
    if not times:
        raise Impossible("an outage of which nothing was observed")
    gaps = [later - earlier
            for earlier, later in zip(times, [*times[1:], end])]
    return checked("an outage", end - times[0],
                   sum(gap - pause for gap in gaps if gap > longest))


def checked(name, window, seconds):
    """Returns `seconds`. Throws Impossible when they are negative or more than
    the `window` in which they were observed."""
    if not 0 <= seconds <= window:
        raise Impossible(f"{name} of {seconds:.2f} s in an observation of "
                         f"{window:.2f} s")
    return seconds


def possible(name, values):
    """Returns `values`. Throws Impossible when there are none, when one is
    not positive, or when one is more than a thousand times their median."""
    if not values:
        raise Impossible(f"{name}: nothing was measured")
    for value in values:
        if not value > 0:
            raise Impossible(f"{name} of {value}")
    median = statistics.median(values)
    if max(values) > 1000 * median:
        raise Impossible(f"{name} of {max(values)}, with a median of {median}")
    return values
