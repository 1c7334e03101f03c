"""scripts/bench fleet: many hosts that ask one server, all booted at once.

Every simulated host has a checkout of its own and really runs the program,
against git http-backend behind lighttpd on loopback. When it runs is worked
out as systemd does (systemd.timer(5); timer_enter_waiting() and
sleep_between() of its sources): OnBootSec=, OnUnitActiveSec=, AccuracySec=
with the offset that each boot draws, RandomizedDelaySec= with
FixedRandomDelay=. All clocks are equal and all hosts boot in the same
instant, as after a power cut in a room: the worst case.

Requests are counted from the server's log, in windows of one second; the
server's CPU time is that of lighttpd and of the gits that it starts.
"""

import argparse
import collections
import hashlib
import heapq
import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from common import build, describe_machine, git, make_origin, note
from common import write_between
from support.figures import possible
from support.servers import ENVIRONMENT, HttpServer

MINUTE = 60.0
BOOT = 30.0  # OnBootSec=
INTERVAL = 60.0  # OnUnitActiveSec=
# The grid on which systemd looks for a moment within a timer's accuracy.
GRID = (MINUTE, 10.0, 1.0, 0.25)
FLEETS = (10_000, 1_000_000)


@dataclass(frozen=True)
class Timer:
    name: str
    accuracy: float
    delay: float = 0.0  # RandomizedDelaySec=, with FixedRandomDelay=yes
    calendar: bool = False  # OnCalendar=minutely, not OnUnitActiveSec=


TIMERS = (
    Timer("the original timer alone", accuracy=MINUTE),
    Timer("as installed: AccuracySec=1s", accuracy=1.0),
    Timer("and RandomizedDelaySec=60s alone", accuracy=1.0, delay=60.0),
    Timer("with spread.conf", accuracy=1.0, delay=58.0, calendar=True),
)


def fraction(host, purpose):
    """A number in [0, 1) that is the host's own, the same in every run."""
    digest = hashlib.sha256(f"{host} {purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2 ** 64


def wake_up(earliest, accuracy, perturb):
    """Returns when systemd wakes up in [earliest, earliest + accuracy]."""
    latest = earliest + accuracy
    for step in GRID:
        moment = latest // step * step + perturb % step
        if moment >= latest:
            moment -= step
        if moment >= earliest:
            return moment
    return latest


def next_start(timer, host, last):
    """Seconds since the boot; `last` is the start before, None at first."""
    if timer.calendar:
        due = 0.0 if last is None else (last // MINUTE + 1) * MINUTE
    else:
        due = BOOT if last is None else last + INTERVAL
    due += timer.delay * fraction(host, "delay")
    return wake_up(due, timer.accuracy, MINUTE * fraction(host, "boot"))


def schedule(timer, hosts, until):
    """Returns each host's starts, by arithmetic alone."""
    found = []
    for host in range(hosts):
        starts, last = [], None
        while (last := next_start(timer, host, last)) < until:
            starts.append(last)
        found.append(starts)
    return found


def peak(moments, width=1.0):
    """The most of them in any of the windows [n, n + 1) * width."""
    return max(collections.Counter(int(m // width) for m in moments).values(),
               default=0)


class Fleet:
    def __init__(self, folder, hosts, program, url):
        self.program = str(program)
        self.folders = [folder / f"host{n}" for n in range(hosts)]
        first = self.folders[0]
        git("clone", "--quiet", "--template=", "--branch", "prod", url, first)
        for other in self.folders[1:]:
            shutil.copytree(first, other, symlinks=True)

    def start(self, host):
        quiet = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_WRONLY, 0)
                 for fd in (1, 2)]
        return os.posix_spawn(
            self.program,
            [self.program, "--repo-dir", str(self.folders[host]),
             "--state-dir", str(self.folders[host]) + ".state"],
            ENVIRONMENT, file_actions=quiet)


def run_fleet(fleet, timer, begin, end):
    """Lives through the seconds begin to end after the boot. Each run's host,
    start and duration; it never waits for one that is not due to end."""
    due = [(moment, host) for host, starts in
           enumerate(schedule(timer, len(fleet.folders), end))
           for moment in starts[:1]]
    due = [(first_in(timer, host, moment, begin), host)
           for moment, host in due]
    heapq.heapify(due)
    origin = time.monotonic() - begin
    running, done, failed = {}, [], 0
    while running or (due and due[0][0] < end):
        now = time.monotonic() - origin
        while due and due[0][0] <= min(now, end):
            _, host = heapq.heappop(due)
            started = time.monotonic() - origin
            running[fleet.start(host)] = (host, started)
        while running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid in running:
                host, started = running.pop(pid)
                now = time.monotonic() - origin
                done.append((host, started, now - started))
                failed += status != 0
                # The unit has to end before its timer waits again.
                heapq.heappush(due, (max(next_start(timer, host, started),
                                         now), host))
        if now > end + 120:
            raise SystemExit("the runs do not end")
        time.sleep(0.002)
    return done, failed


def first_in(timer, host, moment, begin):
    while moment < begin:
        moment = next_start(timer, host, moment)
    return moment


def requests(server):
    """Returns when the server's requests ended, in seconds."""
    return [int(line.split()[0]) / 1000
            for line in server.access_log.read_text().splitlines()]


def intervals(timer):
    gaps = [later - former for starts in schedule(timer, 200, 1000)
            for former, later in zip(starts, starts[1:])]
    return f"{min(gaps):.0f} to {max(gaps):.0f} s"


def observe(program, folder, projects, options, timer):
    with HttpServer(folder / "server", projects) as server:
        fleet = Fleet(folder / "hosts", options.hosts, program,
                      f"{server.url}/origin.git")
        before, since = server.cpu(), time.time()
        begin = options.begin
        done, failed = run_fleet(fleet, timer, begin,
                                 begin + options.seconds)
        cpu = server.cpu() - before
    # lighttpd writes its log out when it ends.
    asked = [when for when in requests(server) if when >= since]
    return figures_of(timer, done, asked, cpu) | {"failed": failed}


def figures_of(timer, done, asked, cpu):
    """Returns a timer's figures. Throws Impossible when one cannot be."""
    plan = [moment for starts in schedule(timer, 10_000, 1000)
            for moment in starts if moment >= 400]
    times = possible(f"{timer.name}: a run's ms",
                     [took * 1000 for _, _, took in done])
    seen = {
        "runs": len(done), "requests": len(asked),
        "asked": len(asked) / len(done),
        "peak starts": peak([start for _, start, _ in done]),
        "peak requests": peak(asked),
        "cpu": cpu / len(done) * 1000,
        "median": statistics.median(times), "slowest": max(times),
        "share": peak(plan) / 10_000,
    }
    for name, value in seen.items():
        possible(f"{timer.name}: {name}", [value])
    return seen


def on_paper(found):
    """Returns the rows of larger fleets, computed from measured costs."""
    spread, burst = found[TIMERS[3]], found[TIMERS[1]]
    cpu = statistics.median(f["cpu"] for f in found.values()) / 1000
    asked = spread["asked"]
    rows = ["| hosts | runs/s, mean | requests/s, mean | server cores, mean | "
            "requests in the worst second after a common boot, as installed | "
            "the same with spread.conf |",
            "| ---: | ---: | ---: | ---: | ---: | ---: |"]
    for hosts in FLEETS:
        rate = hosts / INTERVAL
        rows.append(
            f"| {hosts:,} | {rate:,.0f} | {rate * asked:,.0f} | "
            f"{rate * cpu:,.1f} | {hosts * burst['share'] * asked:,.0f} | "
            f"{hosts * spread['share'] * asked:,.0f} |")
    return rows


def report(found, options):
    text = [
        f"{options.hosts} hosts, {options.seconds} s from second "
        f"{options.begin:.0f} after the boot on, on {describe_machine()}; "
        "hosts and server share the machine.", "",
        "| timer | interval of one host | runs | requests a run | starts in "
        "the worst second | requests in the worst second | server CPU a run | "
        "run, median | slowest |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for timer, seen in found.items():
        text.append(
            f"| {timer.name} | {intervals(timer)} | {seen['runs']} | "
            f"{seen['asked']:.1f} | {seen['peak starts']} | "
            f"{seen['peak requests']} | {seen['cpu']:.1f} ms | "
            f"{seen['median']:.0f} ms | {seen['slowest']:.0f} ms |")
    failed = sum(seen["failed"] for seen in found.values())
    return text + ["", f"Runs that failed: {failed}. On paper, from these "
                   "figures:", "", *on_paper(found)]


def fleet_command(options):
    missing = HttpServer.missing()
    if missing:
        raise SystemExit(f"no http server: {missing} is not there")
    program = build()
    found = {}
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        projects = Path(name) / "projects"
        projects.mkdir()
        make_origin(projects / "origin.git", 10, 10)
        for number, timer in enumerate(TIMERS):
            note(f"{timer.name} ...")
            folder = Path(name) / str(number)
            (folder / "hosts").mkdir(parents=True)
            found[timer] = observe(program, folder, projects, options, timer)
            shutil.rmtree(folder)
    text = report(found, options)
    print("\n".join(text))
    if options.write:
        write_between("fleet.md", "fleet", text)


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/bench fleet", description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=130,
                        help="for each of the four timers, at most 180")
    parser.add_argument("--begin", type=float, default=29.0,
                        help="seconds after the boot at which to look on")
    parser.add_argument("--write", action="store_true",
                        help="put the tables into docs/fleet.md")
    options = parser.parse_args()
    options.seconds = min(options.seconds, 180)
    fleet_command(options)


if __name__ == "__main__":
    sys.exit(main())
