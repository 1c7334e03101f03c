"""scripts/bench tick: a run that finds nothing to do.

Contenders take turns in one process, so that a machine that gets slower gets
slower for all: the program, the original script (../shared/reference, skipped
and said where it is not there), git pull, and git ls-remote of the one ref,
which is the least that asking costs. Wall-clock time, and user + system time
of the whole process tree (wait4(2)); medians. hyperfine is not used: it runs
one contender after the other, so that a drift counts as a difference.

Not every origin with every size and number of refs: one axis at a time.

Needs git; lighttpd for http, openssh-server and root for ssh; valgrind and
strace for the counts. What is missing is left out, and said.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import unittest
from contextlib import ExitStack
from dataclasses import dataclass
from math import log2
from pathlib import Path

from common import (PATIENCE, build, describe_machine, git, make_origin, note,
                    write_between)
from support import REFERENCE_SCRIPT, TOP
from support.figures import possible
from support.peak import peak_memory
from support.servers import ENVIRONMENT, HttpServer, SshServer
from tick_of_systemd import table as tick_of_systemd_table

LIMIT = "git ls-remote"
COLOURS = {LIMIT: "#999", "deployment-update": "#0a6", "git pull": "#c80",
           "git fetch --dry-run": "#68c", "the script": "#c33"}


@dataclass(frozen=True)
class Shape:
    origin: str
    files: int
    refs: int
    kind: str = "branches"  # or pull requests

    def label(self):
        return (f"{self.origin}, {self.files:,} files, {self.refs:,} "
                f"{self.kind}")


def shapes(files, refs):
    few, one = files[0], refs[0]
    found = [Shape(origin, few, one) for origin in ("file", "http", "ssh")]
    found += [Shape("file", many, one) for many in files[1:]]
    found += [Shape(origin, few, many) for many in refs[1:]
              for origin in ("file", "http")]
    return found + [Shape(origin, few, refs[-1], "pull requests")
                    for origin in ("file", "http")]


class Place:
    """An origin and a checkout of one shape."""

    def __init__(self, folder, shape, servers):
        folder.mkdir()
        self.folder = folder
        self.shape = shape
        self.checkout = folder / "checkout"
        self.state = folder / "state"
        origin = folder / "origin.git"
        make_origin(origin, shape.files, shape.refs,
                    "refs/heads/" if shape.kind == "branches"
                    else "refs/pull/")
        git("clone", "--quiet", "--single-branch", "--branch", "prod",
            f"file://{origin}", self.checkout)
        server = servers.get(shape.origin)
        if shape.origin == "http":
            self.set("remote.origin.url",
                     f"{server.url}/{folder.name}/origin.git")
        if shape.origin == "ssh":
            self.set("remote.origin.url", f"{server.url}{origin}")
            self.set("core.sshCommand", server.ssh_command)

    def set(self, name, value):
        git("-C", self.checkout, "config", name, value)

    def contenders(self, program):
        call = [shutil.which("git"), "-C", self.checkout]
        found = {
            LIMIT: [*call, "ls-remote", "origin", "refs/heads/prod"],
            "deployment-update": [program, "--repo-dir", self.checkout,
                                  "--state-dir", self.state],
            "git pull": [*call, "pull", "origin", "prod"],
        }
        if self.shape.refs > 10:
            found["git fetch --dry-run"] = [
                *call, "fetch", "--dry-run", "--no-write-fetch-head",
                "--no-tags", "--refmap=", "--no-auto-maintenance",
                "--no-recurse-submodules", "origin", "refs/heads/prod"]
        if REFERENCE_SCRIPT.exists():
            text = REFERENCE_SCRIPT.read_text()
            for old, new in (("/home/ubuntu/sinesiAI", self.checkout),
                             ("/tmp/frontend_package.hash",
                              self.folder / "front"),
                             ("/tmp/backend_requirements.hash",
                              self.folder / "back")):
                text = text.replace(old, str(new))
            script = self.folder / "script.sh"
            script.write_text(text)
            found["the script"] = ["/bin/bash", script]
        return {name: [str(a) for a in argv] for name, argv in found.items()}


def once(argv):
    """Wall and CPU milliseconds of one run."""
    quiet = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_WRONLY, 0)
             for fd in (1, 2)]
    start = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, ENVIRONMENT, file_actions=quiet)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    if status != 0:
        raise SystemExit(f"failed: {' '.join(argv)}")
    return wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000


def measure(contenders, rounds):
    times = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, argv in contenders.items():
            found = once(argv)
            if number > 0:  # the first one fills the caches
                times[name].append(found)
    return {name: [statistics.median(possible(f"{name}: {what} ms", column))
                   for what, column in zip(("wall", "CPU"), zip(*values))]
            for name, values in times.items()}


def traced(*argv):
    return subprocess.run(argv, env=ENVIRONMENT, text=True, check=True,
                          capture_output=True, timeout=PATIENCE).stderr


def instructions(argv):
    """Of the program itself: one that closes files in its children hides
    them from valgrind."""
    said = traced("valgrind", "--tool=callgrind", "--trace-children=no",
                  "--callgrind-out-file=/dev/null", *argv)
    return int(re.search(r"Collected : (\d+)", said).group(1))


def system_calls(*argv):
    return int(re.search(r"(\d+)\s+\d*\s*total",
                         traced("strace", "-c", *argv)).group(1))


def counts(contenders):
    """Returns rows of what does not depend on the machine's mood."""
    missing = [tool for tool in ("valgrind", "strace")
               if not shutil.which(tool)]
    if missing:
        return [f"(no counts: {', '.join(missing)} not installed)"]
    rows = ["| contender | instructions, itself | system calls, "
            "itself | with children | programs run | peak memory, itself | "
            "largest process |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for name, argv in contenders.items():
        programs = re.findall(r"^(?:\[pid +\d+\] )?execve\(.* = 0$",
                              traced("strace", "-f", "-e", "execve", *argv),
                              re.MULTILINE)
        counted = [instructions(argv), system_calls(*argv),
                   system_calls("-f", *argv), len(programs)]
        peaks = [peak_memory(argv, ENVIRONMENT)[1] / 1024,
                 peak_memory(argv, ENVIRONMENT, True)[1] / 1024]
        for count in counted + peaks:
            possible(f"{name}: a count", [count])
        rows.append("".join([f"| {name} ", *(f"| {n:,} " for n in counted),
                             *(f"| {n:.1f} MiB " for n in peaks), "|"]))
    return rows


def rows_of(shape, found):
    least = found[LIMIT]
    for name, (wall, cpu) in found.items():
        yield (f"| {shape.origin} | {shape.files:,} | {shape.refs:,} "
               f"{shape.kind} | {name} | {wall:.1f} ms | "
               f"{wall / least[0]:.2f} | {cpu:.1f} ms | "
               f"{cpu / least[1]:.2f} |")


def chart(results):
    """Bars of CPU ratios, one group a shape; the scale is logarithmic."""
    height, left, width = 16, 250, 420
    parts, y = [], 30
    for shape, found in results:
        parts.append(f'<text x="4" y="{y + 12}">{shape.label()}</text>')
        for name, (_, cpu) in found.items():
            ratio = cpu / found[LIMIT][1]
            length = 80 + width * max(log2(max(ratio, 0.01)), -4.5) / 8
            parts.append(
                f'<rect x="{left}" y="{y}" width="{max(length, 2):.0f}" '
                f'height="{height - 3}" fill="{COLOURS[name]}"/><text x="'
                f'{left + max(length, 2) + 4:.0f}" y="{y + 11}">{name} '
                f'{ratio:.2f}</text>')
            y += height
        y += 10
    return ('<svg xmlns="http://www.w3.org/2000/svg" '
            f'width="{left + width + 260}" height="{y + 10}" '
            'font-family="sans-serif" font-size="11">'
            '<text x="4" y="16" font-size="13">CPU time of a run without a '
            "change, as a multiple of git ls-remote (logarithmic)</text>"
            + "".join(parts) + "</svg>\n")


def start_servers(stack, folder):
    """The servers that can be had here; the words for those that cannot."""
    servers, left_out = {}, []
    for name, kind in (("http", HttpServer), ("ssh", SshServer)):
        missing = kind.missing()
        if missing:
            left_out.append(f"- left out: {name}, for want of {missing}")
        else:
            arguments = [folder] if name == "http" else []
            servers[name] = stack.enter_context(
                kind(folder / name, *arguments))
    if not REFERENCE_SCRIPT.exists():
        left_out.append("- left out: the original script, which is not there")
    return servers, left_out


def tick(options):
    program = build()
    results, counted = [], []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(
            prefix="bench-")))
        servers, left_out = start_servers(stack, folder)
        for number, shape in enumerate(shapes(options.files, options.refs)):
            if shape.origin != "file" and shape.origin not in servers:
                continue
            note(f"{shape.label()} ...")
            place = Place(folder / f"shape{number}", shape, servers)
            contenders = place.contenders(program)
            results.append((shape, measure(contenders, options.rounds)))
            if not counted:
                counted = counts(contenders)
            shutil.rmtree(place.folder)
    text = [f"Medians of {options.rounds} rounds on {describe_machine()}. "
            f"Ratios are to `{LIMIT}` of the ref in the same rounds.", "",
            "| origin | files | refs | contender | wall | ratio | CPU | "
            "ratio |",
            "| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |"]
    for shape, found in results:
        text += rows_of(shape, found)
    text += ["", f"Counts, {results[0][0].label()}:", "", *counted, "",
             *left_out]
    print("\n".join(text))
    if options.write:
        write_between("performance.md", "tick", text)
        (TOP / "docs/tick.svg").write_text(chart(results))


def tick_of_systemd(options):
    try:
        text = tick_of_systemd_table(options.unit_rounds, options.starts)
    except unittest.SkipTest as reason:
        note(f"left out: the tick as systemd runs it: {reason}")
        return
    print("\n".join(text))
    if options.write:
        write_between("performance.md", "units", text)


def numbers(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/bench tick", description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--files", type=numbers, default=[10, 10000, 100000])
    parser.add_argument("--refs", type=numbers, default=[10, 1000, 50000])
    parser.add_argument("--unit-rounds", type=int, default=7,
                        help="rounds on a booted host, as systemd runs it")
    parser.add_argument("--starts", type=int, default=50, help="in each")
    parser.add_argument("--units-only", action="store_true",
                        help="leave all out but the booted host")
    parser.add_argument("--write", action="store_true",
                        help="put table and chart into docs/")
    options = parser.parse_args()
    if not options.units_only:
        tick(options)
    tick_of_systemd(options)


if __name__ == "__main__":
    sys.exit(main())
