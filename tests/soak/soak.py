"""Lives random histories of deployments and judges how they end.

    scripts/soak [--seed SEED] [--histories COUNT] [--jobs COUNT]
                 [--from INDEX] [--events NUMBER,...]

A history is a list of events: pushes of all kinds, people at the checkout,
changes of the configuration, accidents of the machine, and runs of the
program, some of which are killed. Then it is calm, and the program has its
runs. soak/judge.py knows what must be true.

The events depend on the seed (by default today's date in UTC) and the index of
the history alone. A history that fails is told by the events that are needed
for it, with the command that repeats it. Needs root and strace; npm, python3
and systemctl are stand-ins, git is real.
"""

import argparse
import collections
import concurrent.futures
import datetime
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

from support import BINARY, require

from soak import events
from soak.host import SoakHost
from soak.judge import Judge


def live(host, history):
    """Returns how the history ended; an exception says what is wrong."""
    host.begin()
    judge = Judge(host)
    for event in history:
        judge.before(event)
        host.told_lines.append(f"{event.number:4} {event.kind}")
        line = len(host.told_lines) - 1
        what = events.happens(host, event)
        if events.is_run(event):
            host.told_lines[line] += f" -> {what.returncode}"
            judge.after_run(event, what)
        else:
            host.told_lines[line] += f": {what}" if what else ""
            judge.after_other(event)
    host.told_lines.append("     calm")
    return judge.judge(judge.calm())


def trouble_of(host, history):
    """(how the history ended, None) or (None, what is wrong)"""
    try:
        return live(host, history), None
    except Exception as error:  # of whatever kind
        where = traceback.extract_tb(error.__traceback__)[-1]
        if isinstance(error, AssertionError):
            return None, str(error)
        return None, f"{error!r} ({where.filename}:{where.lineno})"


def shrunk(history, fails, seconds):
    """Leaves out events as long as the history fails without them."""
    deadline = time.monotonic() + seconds
    size = len(history) // 2
    while size:
        start = 0
        while start < len(history):
            if time.monotonic() > deadline:
                return history
            fewer = history[:start] + history[start + size:]
            if fails(fewer):
                history = fewer
            else:
                start += size
        size //= 2
    return history


def kind_of(trouble):
    """What it says, but for the names of commits and the like."""
    return trouble and re.sub(r"[0-9a-f]{12,}|'.*'|\d+", "", trouble)


def report(host, options, index, history, trouble):
    """Shrinks a history that failed; returns what to say of it."""
    told = host.told_lines
    few = shrunk(history, lambda fewer: kind_of(trouble_of(host, fewer)[1])
                 == kind_of(trouble), options.shrink)
    again = trouble_of(host, few)[1]
    if kind_of(again) == kind_of(trouble):
        told = host.told_lines
    else:  # system calls are not always made as often
        trouble += f", but again: {again}"
        few = history
    numbers = ",".join(str(event.number) for event in few)
    return "\n".join([
        f"FAIL: history {index} of seed {options.seed}: {trouble}",
        *told,
        f"again: scripts/soak --seed {options.seed} --from {index} "
        f"--histories 1 --events {numbers or 0}"])


def run_history(hosts, options, index):
    """(events, how it ended or None, what to say or None)"""
    history = events.history(options.seed, index)
    if options.events:
        history = [event for event in history
                   if event.number in options.events]
    host = hosts.get()
    try:
        end, trouble = trouble_of(host, history)
        return history, end, trouble and report(host, options, index,
                                                history, trouble)
    finally:
        hosts.put(host)


def soak(options):
    """Returns the number of histories that failed."""
    start = time.monotonic()
    ends, kinds, failed = collections.Counter(), collections.Counter(), 0
    hosts, made = queue.Queue(), []
    try:
        for _ in range(options.jobs):
            made.append(SoakHost())
            hosts.put(made[-1])
        indices = range(options.first, options.first + options.histories)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for history, end, text in pool.map(
                    lambda index: run_history(hosts, options, index), indices):
                kinds.update(event.kind for event in history)
                ends[end or "failed"] += 1
                if text:
                    failed += 1
                    print(text, flush=True)
    finally:
        for host in made:
            host.__exit__()
    print(f"seed {options.seed}: {options.histories} histories in "
          f"{time.monotonic() - start:.0f} s\nended: {told(ends)}\n"
          f"events: {told(kinds)}", flush=True)
    return failed


def told(counter):
    return ", ".join(f"{name} {count}" for name, count in
                     counter.most_common())


def alone(arguments):
    """Starts this again where it has processes, mounts and a /run of its
    own: nothing of it stays on the machine."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        return subprocess.run(
            [shutil.which("unshare"), "--mount", "--pid", "--fork",
             "--kill-child", "--mount-proc", "sh", "-c",
             'mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs "$0" &&'
             ' "$@"; exit $?', folder, sys.executable, "-B", "-m",
             "soak.soak", "--alone", *arguments], check=False,
            env=os.environ | {"TMPDIR": folder}).returncode


def main():
    parser = argparse.ArgumentParser(
        prog="soak", description=__doc__.splitlines()[0])
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    parser.add_argument("--seed", default=today)
    parser.add_argument("--histories", type=int, default=300, metavar="COUNT")
    parser.add_argument("--from", type=int, default=1, dest="first",
                        metavar="INDEX")
    parser.add_argument("--events", metavar="NUMBER,...", type=lambda text: {
        int(number) for number in text.split(",")})
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--shrink", type=float, default=60,
                        metavar="SECONDS", help="for a history that fails")
    parser.add_argument("--alone", action="store_true",
                        help=argparse.SUPPRESS)
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("soak: root is needed")
    require(shutil.which("strace"), "strace is needed")
    require(BINARY.exists(), f"there is no {BINARY}")
    if not options.alone:
        return alone(sys.argv[1:])
    return 1 if soak(options) else 0


if __name__ == "__main__":
    sys.exit(main())
