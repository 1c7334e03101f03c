"""Counts the requests that fail while good pushes are deployed.

Each contender has a host of its own, as in scripts/bench outage:

  the script   the original one, with the units alone: no bounded-stop.conf
  in-place     deployment-update --build in-place
  staged       deployment-update --build staged
  held         the same, installed by scripts/install --hold-connections

The first three get a tenth of the rounds: requests fail in all of these.

hey(1) asks inside the host, from before each push until its version is served:
100 new connections a second on each port, 20 each fifth of a second, GET and
on the back end POST with a body too, and 50 requests a second on connections
that are kept. Each client asks once a second; one whose request waits for
longer asks the next one later. A request counts as failed when it gets no
answer with status 200; the slowest is one of those that do. One that hangs
when the load ends is not counted. A push "beside a stream" is one of code
while a client holds a response of the back end open.

Needs root and what tests/host needs, and a build in build/release (made).
"""

import argparse
import contextlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import outage
from common import build, describe_machine, note, write_between
from outage import Answers, BenchHost
from support import REFERENCE_SCRIPT, TOP, install_program
from support.host import BACK_END, FRONT_END, Host, base_root

OPTIONS = {"the script": (), "in-place": (), "staged": (),
           "held": ("--hold-connections",)}
PUSHES = {"code": (), "requirements.txt": ("requirements.txt",),
          "package.json": ("package.json",), "code, beside a stream": ()}
NEW = ["-disable-keepalive"]
POST = ["-m", "POST", "-d", "x" * 1000]
# For each load its port, path, requests a second, and options of hey. All
# workers of one hey ask at once, each second: so each load is SHIFTS of them,
# begun one after the other.
SHIFTS = 5
LOADS = {
    "front end, new connections": [(FRONT_END, "/main.js", 100, NEW)],
    "front end, kept connections": [(FRONT_END, "/main.js", 50, [])],
    "back end, new connections": [(BACK_END, "/", 50, NEW),
                                  (BACK_END, "/", 50, NEW + POST)],
    "back end, kept connections": [(BACK_END, "/", 25, []),
                                   (BACK_END, "/", 25, POST)],
}
COLOURS = {"the script": "#c66", "in-place": "#cc6", "staged": "#6a6",
           "held": "#369"}
PATIENCE = 300
RESTARTS = 10


def inside(host, *command, **options):
    return subprocess.Popen(
        ["nsenter", "-t", str(host.first_process()), "-m", "-n", "-r", "-w",
         "--", *command], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        **options)


def errors_in(text):
    return text.partition("Error distribution:")[2].strip("\n")


def count(text):
    """Requests, those that failed, and the slowest that did not, as a report
    of hey has them."""
    statuses = re.findall(r"^  \[(\d{3})\]\t(\d+) responses$", text, re.M)
    errors = errors_in(text)
    lost = sum(int(number) for number in
               re.findall(r"^  \[(\d+)\]\t", errors, re.M))
    answered = sum(int(number) for _, number in statuses)
    good = sum(int(number) for status, number in statuses if status == "200")
    slowest = re.search(r"Slowest:\s+([\d.]+) secs", text)
    if not answered or not slowest:
        raise SystemExit(f"hey counted nothing:\n{text}")
    return answered + lost, answered + lost - good, float(slowest[1])


class Loads:
    """All of the loads on a host, while the context lasts."""

    def __init__(self, host):
        self._host = host

    def __enter__(self):
        self._running = []
        for _ in range(SHIFTS):
            self._running += [
                (name, inside(self._host, "hey", "-z", "1h", "-t", "100", "-c",
                              str(rate // SHIFTS), "-q", "1", *options,
                              f"http://127.0.0.1:{port}{path}",
                              stdout=subprocess.PIPE, text=True))
                for name, parts in LOADS.items()
                for port, path, rate, options in parts]
            time.sleep(1 / SHIFTS)
        return self

    def __exit__(self, *_):
        for _, process in self._running:
            process.send_signal(signal.SIGINT)
        self.counted = {name: [] for name in LOADS}
        self.errors = []
        for name, process in self._running:
            text, _ = process.communicate(timeout=PATIENCE)
            self.counted[name].append(count(text))
            if errors_in(text):
                self.errors += [f"{name}:", errors_in(text)]


@contextlib.contextmanager
def stream(host, wanted):
    """A client that holds a response of the back end open."""
    if not wanted:
        yield
        return
    client = inside(host, "curl", "-sN", f"http://127.0.0.1:{BACK_END}/stream",
                    stdout=subprocess.PIPE)
    try:
        if client.stdout.read(1) != b".":
            raise SystemExit("no stream")
        yield
    finally:
        client.kill()
        client.communicate()


def deploy(bench, push):
    """Results of one push: for each load its requests, and so on."""
    with Answers(bench) as answers, Loads(bench.host) as loads, \
            stream(bench.host, push.endswith("stream")):
        bench.host.push("Good", bench.files(*PUSHES[push]))
        bench.deploy()
        if bench.said.returncode != 0:
            raise SystemExit(f"{bench.contender}: {bench.said.stderr}")
        outage.wait_for_answers(answers, bench.expected())
    if loads.errors and bench.contender == "held":
        note("\n".join(loads.errors))
    return loads.counted


def bare_restart(bench):
    """How long a restart of each service keeps everybody out under the same
    load, in seconds."""
    with Answers(bench) as answers, Loads(bench.host):
        bench.host.run("systemctl", "restart", *outage.UNITS)
        time.sleep(outage.LONGEST)  # until the last answers have come
        outage.wait_for_answers(answers, bench.expected())
        end = time.monotonic()
        return {port: answers.outage(port, end)
                for port in (FRONT_END, BACK_END)}


def totals(found):
    requests, failed, slowest = zip(*found)
    return sum(requests), sum(failed), max(slowest)


def rows_of(results, pushes):
    for (push, contender), loads in results.items():
        for load, found in loads.items():
            requests, failed, slowest = totals(found)
            yield (f"| {push} | {contender} | {pushes[contender]} | {load} | "
                   f"{requests:,} | {failed:,} | {slowest:.2f} s |")


def bars(results, restart):
    for (push, contender), loads in results.items():
        if contender != "held":
            continue
        for load, found in loads.items():
            requests, failed, slowest = totals(found)
            yield (f"- {push}, {load}: {failed} of {requests:,} failed; none "
                   f"may: {'met' if failed == 0 else 'not met'}")
            limit = restart[FRONT_END if "front" in load else BACK_END] * 1.5
            # That of bounded-stop.conf.
            bound = 5 if push.endswith("stream") and "back" in load else 0
            limit += bound
            yield (f"- {push}, {load}: the slowest took {slowest:.2f} s, at "
                   f"most 1.5 restarts{' + 5 s' if bound else ''} "
                   f"({limit:.2f} s): "
                   f"{'met' if slowest <= limit else 'not met'}")


def chart(results, pushes):
    failed = {(push, contender): sum(
        totals(found)[1] for found in loads.values()) / pushes[contender]
        for (push, contender), loads in results.items()}
    left, width, y, most = 190, 360, 30, max(1, *failed.values())
    parts, shown = [], None
    for (push, contender), number in failed.items():
        if push != shown:
            shown = push
            y += 8
            parts.append(f'<text x="4" y="{y + 12}">{push}</text>')
        length = width * number / most
        parts.append(
            f'<rect x="{left}" y="{y}" width="{max(1, length):.0f}" '
            f'height="13" fill="{COLOURS[contender]}"/><text x="'
            f'{left + length + 5:.0f}" y="{y + 11}">{contender}: '
            f'{number:,.{2 if 0 < number < 1 else 0}f}</text>')
        y += 16
    return ('<svg xmlns="http://www.w3.org/2000/svg" '
            f'width="{left + width + 130}" height="{y + 10}" '
            'font-family="sans-serif" font-size="11">'
            '<text x="4" y="16" font-size="13">Requests that failed, by what '
            "was pushed</text>" + "".join(parts) + "</svg>\n")


def boot(stack, stage, name):
    note(f"booting the host of: {name}")
    host = stack.enter_context(Host(base_root(), name.replace(" ", "")))
    bench = BenchHost(host, name, stage, *OPTIONS[name])
    if name == "the script":
        host.shell("rm /etc/systemd/system/*-deployment.service.d/bounded-stop"
                   ".conf; systemctl daemon-reload")
    return bench


def measure(benches, pushes):
    results = {}
    for number in range(max(pushes.values())):
        for push in PUSHES:
            for bench in benches:
                if number >= pushes[bench.contender]:
                    continue
                note(f"round {number + 1}, {push}: {bench.contender}")
                with bench.at_work():
                    counted = deploy(bench, push)
                for load, found in counted.items():
                    results.setdefault((push, bench.contender), {}).setdefault(
                        load, []).extend(found)
    return results


def load(options):
    program = build()
    names = [name for name in OPTIONS
             if name != "the script" or REFERENCE_SCRIPT.exists()]
    with contextlib.ExitStack() as stack:
        stage = Path(stack.enter_context(tempfile.TemporaryDirectory(
            prefix="load-", dir="/var/tmp"))) / "stage"
        install_program(stage, program.parent)
        benches = [boot(stack, stage, name) for name in names]
        staged = benches[names.index("staged")]
        with staged.at_work():
            restarts = [bare_restart(staged) for _ in range(RESTARTS)]
        times = {port: [one[port] for one in restarts]
                 for port in (FRONT_END, BACK_END)}
        restart = {port: statistics.median(found)
                   for port, found in times.items()}
        pushes = {bench.contender: options.rounds
                  if bench.contender == "held" else -(-options.rounds // 10)
                  for bench in benches}
        results = measure(benches, pushes)
    away = [f"the {end} end for {outage.middle(times[port])}"
            for end, port in (("front", FRONT_END), ("back", BACK_END))]
    text = [f"{options.rounds} pushes of each kind with held sockets, on "
            f"{describe_machine()}. A bare restart under the same load, the "
            f"median (range) of {RESTARTS}, keeps {' and '.join(away)} away.",
            "",
            "| push | contender | pushes | load | requests | failed | slowest "
            "|", "| --- | --- | ---: | --- | ---: | ---: | ---: |",
            *rows_of(results, pushes), "",
            "What held sockets are held to:", "", *bars(results, restart)]
    print("\n".join(text))
    if options.write:
        write_between("performance.md", "load", text)
        (TOP / "docs/load.svg").write_text(chart(results, pushes))


def main():
    outage.own_mounts()
    parser = argparse.ArgumentParser(
        prog="scripts/bench load", description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20,
                        help="pushes of each kind with held sockets")
    parser.add_argument("--write", action="store_true",
                        help="put table and chart into docs/")
    # So that the hosts end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    load(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
