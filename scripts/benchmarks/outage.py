"""Measures how long a deployment interrupts services, in a booted host.

Each contender has a host of its own with two services (vite on port 3000,
uvicorn on port 8000) and a checkout that belongs to root, the only kind that
the original script can work in. They take turns, push by push, and the
services of the others are suspended meanwhile:

  the script   the original one (../shared/reference; skipped where it is not
               there)
  in-place     deployment-update --build in-place
  staged       deployment-update --build staged
  restart      systemctl restart of both units, and nothing else: the limit

scripts/bench load counts the requests that fail meanwhile.

A process inside the host asks each port every 20 ms. An outage is the time
between two answers, less those 20 ms, wherever it is longer than 100 ms; what
a push costs is the sum. It is watched from before the push until the services
serve what they are expected to, or, where nothing would bring them back,
until 10 s after the run: then the table says "down". Served is the time from
the end of the push until both ports answer with the new version for good.

Nothing is configured. A push that cannot work differs from a good one by one
thing, and each such row names it: CRASHES has them.

The timeline is that of the staged contender's own history: the steps of each
run with their durations, until both ports serve.

Needs root and what tests/host needs, and a build in build/release (made).
"""

import argparse
import base64
import contextlib
import functools
import hashlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import timeline
from common import build, describe_machine, note, write_between
from support import REFERENCE_SCRIPT, TOP, install_program, until
from support.figures import answers_of, checked, outage_in
from support.host import APP, BACK_END, FRONT_END, Host, base_root

PAUSE = 0.02  # between two questions
LONGEST = 0.1  # a pause that is no outage
PATIENCE = 180
REPAIRS = 3  # tries; see failed()
WAIT = 10  # seconds until a service counts as down
WHEELS = 30
MODULES = 50  # in each
PROGRAM = "/usr/local/bin/deployment-update"
APP_HOME = "/home/ubuntu"

# Writes "TIME PORT TEXT" for each answer, until it is killed or for long.
PROBE = f"""
import http.client, os, re, threading, time

def ask(port, path):
    while True:
        start = time.monotonic()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port,
                                                    timeout=5)
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            connection.close()
            version = re.search(r"(?:front|back) end [\\w.]+", text)
            if answer.status == 200 and version:
                os.write(1, f"{{time.monotonic()}} {{port}} "
                         f"{{version.group()}}\\n".encode())
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(max(0, start + {PAUSE} - time.monotonic()))

for port, path in (({FRONT_END}, "/main.js"), ({BACK_END}, "/")):
    threading.Thread(target=ask, args=(port, path), daemon=True).start()
time.sleep({PATIENCE} * 2)
"""

# The start of server.py in pushes whose back end crashes: the supervisor of
# uvicorn --reload lives on, but for the last.
SERVERS = {
    "server.py raises at import": "raise RuntimeError('at import')\n",
    "server.py has a syntax error": "def (\n",
    "server.py lacks a module": "import no_such_module\n",
    "server.py ends after 5 s": "import os, threading\n"
                                "threading.Timer(5, os._exit, [1]).start()\n",
    "server.py kills uvicorn": "import os, signal\n"
                               "os.kill(os.getppid(), signal.SIGKILL)\n",
}
MANIFEST = (APP / "frontend/package.json").read_text()
# Other files, in pushes whose front end crashes.
FILES = {
    "vite.config.js throws": {
        "frontend/vite.config.js": "throw new Error('at start');\n"},
    "package.json has no dev script": {
        "frontend/package.json": MANIFEST.replace('"dev"', '"other"')},
    "vite wants the back end's port": {
        "frontend/package.json": MANIFEST.replace(
            '"vite"', f"\"sh -c 'vite --host 0.0.0.0 --port {BACK_END} "
            "--strictPort' --\"", 1)},
}
CRASHES = [*SERVERS, *FILES]
# Times what the original script takes from the push until it is served.
SERVED_AT_MOST = {"code": 1.1, "requirements.txt": 1.0}

UNITS = ["frontend-deployment.service", "backend-deployment.service"]


def make_wheels(folder):
    """Packages w00, w01, … of plain Python, for a large environment."""
    for number in range(WHEELS):
        name = f"w{number:02}"
        files = {f"{name}/__init__.py": ""}
        for module in range(MODULES):
            files[f"{name}/m{module}.py"] = "".join(
                f"def f{i}(x):\n    return x + {i} * {module}\n\n\n"
                for i in range(40))
        info = f"{name}-1.0.dist-info"
        files[f"{info}/METADATA"] = (f"Metadata-Version: 2.1\nName: {name}\n"
                                     "Version: 1.0\n")
        files[f"{info}/WHEEL"] = ("Wheel-Version: 1.0\nGenerator: bench\n"
                                  "Root-Is-Purelib: true\nTag: py3-none-any\n")
        record = ""
        for path, text in files.items():
            digest = base64.urlsafe_b64encode(
                hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(text.encode())}\n"
        files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
        wheel = folder / f"{name}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, text in files.items():
                archive.writestr(path, text)


class Answers:
    """Holds what the probe heard while the context lasted."""

    def __init__(self, bench_host):
        self._host = bench_host.host

    def __enter__(self):
        self._log = tempfile.NamedTemporaryFile()
        self.began = time.monotonic()
        init = self._host.first_process()
        self._process = subprocess.Popen(
            ["nsenter", "-t", str(init), "-m", "-n", "-r", "-w", "--",
             "/usr/bin/python3", "-c", PROBE],
            stdin=subprocess.DEVNULL, stdout=self._log,
            stderr=subprocess.DEVNULL)
        until("the probe to hear both", lambda: all(
            self.versions(port) for port in (FRONT_END, BACK_END)), PATIENCE)
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait(30)
        self._log.close()

    def heard(self, port):
        # Open the file anew: to seek in the one that the probe writes to would
        # tear lines.
        text = Path(self._log.name).read_text()
        return [(when, version) for when, of, version
                in answers_of(text, self.began, time.monotonic())
                if of == port]

    def versions(self, port):
        return [version for _, version in self.heard(port)]

    def since(self, port, version):
        """Returns when it began to answer with a version for good."""
        found = None
        last = 0
        for when, text in self.heard(port):
            if text != version or when - last > LONGEST:
                found = None
            if text == version and found is None:
                found = when
            last = when
        return found

    def last_is(self, port, version, after):
        """Returns True when it answers so, and not merely before `after`."""
        heard = self.heard(port)
        return bool(heard) and heard[-1][1] == version and (
            heard[-1][0] > max(after, time.monotonic() - LONGEST))

    def outage(self, port, end):
        """Seconds without an answer until `end`."""
        return outage_in([when for when, _ in self.heard(port)], end, PAUSE,
                         LONGEST)


class BenchHost:
    """A contender's."""

    def __init__(self, host, contender, stage, *options):
        self.host = host
        self.contender = contender
        self.number = 1
        self.requirements = ["uvicorn"]
        self.good = {name: (APP / name).read_text() for name in
                     ("frontend/package.json", "frontend/vite.config.js")}
        host.make_origin()
        host.clone("root")
        # Root works in no checkout that another user could exchange.
        host.run("chown", "root:root", APP_HOME)
        host.install(stage, *options)
        host.run("systemctl", "disable", "--now", "deployment-update.timer")
        host.run(PROGRAM, "--wait", "60", timeout=PATIENCE)  # the first
        if contender == "the script":
            host.copy(REFERENCE_SCRIPT, "/usr/local/bin/deployment-update.sh")
            # As after its first run: else it would install everything.
            host.shell("cd /home/ubuntu/sinesiAI && for f in frontend/package."
                       "json backend/requirements.txt; do sha256sum $f | cut "
                       "-d' ' -f1 >/tmp/${f%%/*}_$(basename ${f%.*}).hash; "
                       "done")
        host.wait_for_back_end("back end 1")
        host.wait_for_front_end("front end 1")
        self.rest()

    def rest(self):
        """Suspends its services while other hosts are measured: uvicorn
        --reload looks at all files four times a second."""
        self.host.run("systemctl", "kill", "--signal=STOP", *UNITS,
                      check=False)

    @contextlib.contextmanager
    def at_work(self):
        self.host.run("systemctl", "kill", "--signal=CONT", *UNITS)
        self.check_served()
        try:
            yield
        finally:
            self.rest()

    def expected(self):
        return {FRONT_END: f"front end {self.number}",
                BACK_END: f"back end {self.number}"}

    def files(self, *changed, server=""):
        """The next version of the application."""
        self.number += 1
        source = (APP / "backend/server.py").read_text()
        page = (APP / "frontend/main.js").read_text()
        files = {
            "backend/server.py": server + source.replace(
                "back end 1", f"back end {self.number}"),
            "frontend/main.js": page.replace(
                "front end 1", f"front end {self.number}")}
        if "requirements.txt" in changed:
            files["backend/requirements.txt"] = "".join(
                f"{name}\n" for name in self.requirements
            ) + f"# {self.number}\n"
        if "package.json" in changed:
            text = (APP / "frontend/package.json").read_text()
            files["frontend/package.json"] = text.replace(
                '"private"', f'"version": "1.0.{self.number}",\n  "private"')
            self.good["frontend/package.json"] = files["frontend/package.json"]
        return files

    def deploy(self):
        """Runs the contender once; returns how long it took."""
        command = {
            "the script": ["/usr/local/bin/deployment-update.sh"],
            "in-place": [PROGRAM, "--build", "in-place"],
            "staged": [PROGRAM, "--build", "staged"],
            "held": [PROGRAM, "--build", "staged"],
            "restart": ["systemctl", "restart", *UNITS],
        }[self.contender]
        start = time.monotonic()
        self.said = self.host.run(*command, check=False, timeout=PATIENCE)
        return time.monotonic() - start

    def steps_of_last_run(self):
        """Its steps with their seconds."""
        if self.contender != "staged":
            return {}
        said = self.host.run(PROGRAM, "--history", "1", "--json").stdout
        return {one["step"]: one["seconds"]
                for one in json.loads(said)[0]["steps"]}

    def repair(self, broken=()):
        """After a push that cannot work: as a person would."""
        mended = {name: text for name, text in self.good.items()
                  if name in broken}
        for _ in range(REPAIRS):
            self.host.push("Repair", self.files("requirements.txt") | mended)
            self.host.run("systemctl", "reset-failed", check=False)
            if self.contender == "the script":
                self.host.shell("rm -f /tmp/*.hash")
                self.deploy()
            else:
                self.said = self.host.run(
                    PROGRAM, "--build", self.contender, "--force",
                    check=False, timeout=PATIENCE)
            if self.said.returncode == 0:
                break
        self.check_served()

    def check_served(self):
        expected = self.expected()
        self.host.wait_for_back_end(expected[BACK_END])
        until("the front end", lambda: expected[FRONT_END] in self.host.fetch(
            FRONT_END, "/main.js"), PATIENCE)


# --- Pushes ------------------------------------------------------------------


def wait_for_answers(answers, expected, seconds=PATIENCE):
    now = time.monotonic()
    until(f"the ports to serve {expected}", lambda: all(
        answers.last_is(port, text, now) for port, text in expected.items()),
        seconds)


def failed(bench):
    """Stops when a staged one failed. Others may fail by themselves: rm -rf
    venv, under a server that writes into it."""
    said = f"{bench.contender}: {bench.said.stdout}{bench.said.stderr}"
    if bench.contender == "staged":
        raise SystemExit(said)
    note(said)
    bench.repair()
    return None


def good_push(bench, *changed):
    with Answers(bench) as answers:
        if bench.contender == "restart":
            pushed = time.monotonic()
            took = bench.deploy()
        else:
            bench.host.push("Good", bench.files(*changed))
            pushed = time.monotonic()
            took = bench.deploy()
            if bench.said.returncode != 0:
                return failed(bench)
        wait_for_answers(answers, bench.expected())
        end = max(when for port in bench.expected()
                  for when, _ in answers.heard(port))
        last = max(answers.since(port, text)
                   for port, text in bench.expected().items())
        served = checked("push to served", time.monotonic() - pushed,
                         last - pushed)
        return {"front": answers.outage(FRONT_END, end),
                "back": answers.outage(BACK_END, end),
                "served": served, "took": took,
                "steps": bench.steps_of_last_run()}


def bad_push(bench, files):
    """The old version must be served, or nothing is."""
    before = bench.expected()
    with Answers(bench) as answers:
        bench.host.push("Bad", files)
        took = bench.deploy()
        if bench.said.returncode == 0 and bench.contender == "staged":
            raise SystemExit(f"staged took it:\n{bench.said.stderr}")
        down = False
        try:
            wait_for_answers(answers, before, WAIT)
        except Exception:  # nothing will bring it back
            down = True
        end = time.monotonic()
        found = {"front": answers.outage(FRONT_END, end),
                 "back": answers.outage(BACK_END, end),
                 "served": None, "took": took, "down": down}
    if down and bench.contender == "staged":
        raise SystemExit(f"staged left it down:\n{bench.said.stderr}")
    bench.repair(files)
    return found


def bad_install(bench):
    files = bench.files()
    bench.number -= 1
    files["backend/requirements.txt"] = "uvicorn\nno-such-x\n"
    return bad_push(bench, files)


def crash(bench, what):
    files = bench.files(server=SERVERS.get(what, "")) | FILES.get(what, {})
    bench.number -= 1
    return bad_push(bench, files)


EVENTS = {
    "code": lambda bench: good_push(bench),
    "requirements.txt": lambda bench: good_push(bench, "requirements.txt"),
    "package.json": lambda bench: good_push(bench, "package.json"),
    "both": lambda bench: good_push(bench, "requirements.txt",
                                    "package.json"),
    "cannot be installed": bad_install,
} | {what: functools.partial(crash, what=what) for what in CRASHES}


# --- All of it ---------------------------------------------------------------


def measure(benches, rounds, size, events, failures):
    """Results by (size, event, contender): one for each round in which the
    contender did not fail by itself."""
    results = {}
    for number in range(rounds):
        for event in events:
            for bench in benches:
                if bench.contender == "restart" and event != "code":
                    continue  # whatever is pushed
                note(f"{size}, round {number + 1}, {event}: "
                     f"{bench.contender}")
                with bench.at_work():
                    found = EVENTS[event](bench)
                key = (size, event, bench.contender)
                if found:
                    results.setdefault(key, []).append(found)
                else:
                    failures.append((size, event, bench.contender))
    return results


def middle(values):
    if None in values:
        return ""
    median = statistics.median(values)
    return f"{median:.2f} s ({min(values):.2f}–{max(values):.2f})"


def rows_of(results):
    for (size, event, contender), found in results.items():
        down = ", down" if any(one.get("down") for one in found) else ""
        yield (f"| {size} | {event if contender != 'restart' else '(none)'} | "
               f"{contender} | {middle([one['front'] for one in found])} | "
               f"{middle([one['back'] for one in found])}{down} | "
               f"{middle([one['served'] for one in found])} |")


def median_of(results, key, name):
    return statistics.median(one[name] for one in results[key])


def bars(results, timeout=30):
    """Each bar, and whether it is met. `timeout` is the program's
    health-timeout."""
    for size in {key[0] for key in results}:
        limits = {port: median_of(results, (size, "code", "restart"), port)
                  for port in ("front", "back")}
        for (of, event, contender), found in results.items():
            if of != size or contender != "staged":
                continue
            for port, limit in limits.items():
                outage = statistics.median(one[port] for one in found)
                if event == "cannot be installed":
                    most, words = 0, "0 s"
                elif event in CRASHES:
                    most = timeout + 2 * limit
                    words = "health-timeout + 2 restarts"
                else:
                    most, words = 1.15 * limit, "1.15 restarts"
                verdict = "met" if outage <= most else "not met"
                yield (f"- {size}, {event}, {port} end: {outage:.2f} s, at "
                       f"most {words} ({most:.2f} s): {verdict}")
        for event, most in SERVED_AT_MOST.items():
            keys = [(size, event, name) for name in ("staged", "the script")]
            if all(key in results for key in keys):
                ours, theirs = (median_of(results, key, "served")
                                for key in keys)
                yield (f"- {size}, {event}, push to served: {ours:.2f} s, "
                       f"{ours / theirs:.2f} times the script's; at most "
                       f"{most:.2f}: "
                       f"{'met' if ours <= most * theirs else 'not met'}")
        took = {event: median_of(results, (size, event, "staged"), "took")
                for event in ("both", "requirements.txt", "package.json")
                if (size, event, "staged") in results}
        if len(took) == 3:
            longer = max(took["requirements.txt"], took["package.json"])
            yield (f"- {size}, run with both manifests: {took['both']:.2f} s, "
                   f"{took['both'] / longer:.2f} times the longer of the two "
                   "alone; at most 1.15: "
                   f"{'met' if took['both'] <= 1.15 * longer else 'not met'}")


COLOURS = {"the script": "#c66", "in-place": "#cc6", "staged": "#6a6",
           "restart": "#999"}


def chart(results):
    height, left, width, y = 16, 250, 420, 30
    most = max(one["back"] for found in results.values() for one in found)
    parts = []
    shown = None
    for (size, event, contender), found in results.items():
        if (size, event) != shown:
            shown = (size, event)
            y += 8
            parts.append(f'<text x="4" y="{y + 12}">{size}: {event}</text>')
        outage = statistics.median(one["back"] for one in found)
        length = max(2, width * outage / max(most, 0.1))
        down = ", down" if any(one.get("down") for one in found) else ""
        parts.append(
            f'<rect x="{left}" y="{y}" width="{length:.0f}" height="'
            f'{height - 3}" fill="{COLOURS[contender]}"/><text x="'
            f'{left + length + 4:.0f}" y="{y + 11}">{contender} {outage:.2f} '
            f's{down}</text>')
        y += height
    return ('<svg xmlns="http://www.w3.org/2000/svg" '
            f'width="{left + width + 200}" height="{y + 10}" '
            'font-family="sans-serif" font-size="11">'
            '<text x="4" y="16" font-size="13">Seconds without an answer of '
            "the back end, by what was pushed</text>" + "".join(parts)
            + "</svg>\n")


def start_hosts(stack, stage, names):
    base = base_root()
    benches = []
    for name in names:
        note(f"booting the host of: {name}")
        host = stack.enter_context(Host(base, name.replace(" ", "")))
        benches.append(BenchHost(host, name, stage))
    return benches


def grow(bench, wheels):
    """From here on the back end's environment has some size."""
    bench.host.copy(wheels, "/srv/more-wheels")
    bench.host.shell("cp /srv/more-wheels/* /srv/wheels/")
    bench.requirements += [f"w{number:02}" for number in range(WHEELS)]
    with bench.at_work():
        bench.host.push("Grow", bench.files("requirements.txt"))
        if bench.contender == "restart":
            bench.host.run(PROGRAM, timeout=PATIENCE)
        else:
            bench.deploy()
        bench.check_served()


def report(results, options, failures):
    """The lines of the documents, by the name of their place."""
    head = (f"on {describe_machine()}.", "",
            "| back end | push | contender | front end without an answer | "
            "back end without an answer | push to served |",
            "| --- | --- | --- | ---: | ---: | ---: |")
    parts = {
        name: {key: found for key, found in results.items()
               if (key[1] in CRASHES) == (name == "crashes")}
        for name in ("outage", "crashes")}
    restarts = {key: found for key, found in results.items()
                if key[2] == "restart"}
    texts = {}
    for name, part in parts.items():
        if set(part) <= set(restarts):
            continue
        large = ("" if name != "outage" else " with the small back end" + (
            f", {options.large} with {WHEELS} more wheels,"
            if options.large else ""))
        texts[name] = [
            f"Medians (ranges) of {options.rounds} rounds{large} {head[0]}",
            *head[1:], *rows_of(part), "",
            "What staged deployments are held to:", "",
            *bars(part | restarts)]
        failed_here = [one for one in failures
                       if (one[1] in CRASHES) == (name == "crashes")]
        if failed_here:
            texts[name] += [
                "", "Good pushes that a contender failed to deploy (not "
                "counted above):", "",
                *("- {}, {}: {}".format(*one) for one in failed_here)]
        if not REFERENCE_SCRIPT.exists():
            texts[name] += ["", "- left out: the original script, which is "
                            "not there"]
    if "outage" in texts:
        texts["timeline"] = [
            "The same from the histories of the runs above, in medians:", "",
            *timeline.table_of(timelines_of(results)), "",
            "![From the push until both ports serve](timeline.svg)"]
    return texts


def timelines_of(results):
    """By what was pushed: where the median run of the small back end spent its
    time, and when the original script's push was served."""
    found = {}
    for event in ("code", "requirements.txt", "package.json", "both"):
        staged = results.get(("small", event, "staged"))
        if staged:
            script = results.get(("small", event, "the script"))
            found[event] = timeline.Timeline(
                staged, script and statistics.median(
                    one["served"] for one in script))
    return found


def outage(options):
    program = build()
    names = ["the script", "in-place", "staged", "restart"]
    if not REFERENCE_SCRIPT.exists():
        names.remove("the script")
    wanted = [event for event in EVENTS if options.only is None or
              (event in CRASHES) == (options.only == "crashes")]
    if options.only == "served":
        wanted = list(SERVED_AT_MOST)
        names.remove("in-place")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(
            prefix="outage-", dir="/var/tmp")))
        stage = folder / "stage"
        install_program(stage, program.parent)
        wheels = folder / "wheels"
        wheels.mkdir()
        make_wheels(wheels)
        benches = start_hosts(stack, stage, names)
        failures = []
        # What a restart costs, whatever is pushed, belongs to both tables.
        events = wanted if "code" in wanted else ["code", *wanted]
        results = measure(benches, options.rounds, "small", events, failures)
        events = [event for event in wanted if event not in CRASHES]
        if options.large and events:
            for bench in benches:
                grow(bench, wheels)
            # How long a crash lasts does not depend on the environment.
            results |= measure(benches, options.large, f"{WHEELS} wheels",
                               events, failures)
    if options.only == "crashes":
        results = {key: found for key, found in results.items()
                   if key[1] in CRASHES or key[2] == "restart"}
    texts = report(results, options, failures)
    for name, text in texts.items():
        print("\n".join(text))
        if options.write:
            write_between("performance.md", name, text)
    if options.write:
        write_charts(results, texts)


def write_charts(results, texts):
    if "crashes" in texts:
        (TOP / "docs/crashes.svg").write_text(chart(
            {key: found for key, found in results.items()
             if key[1] in CRASHES}))
    if "outage" in texts:
        (TOP / "docs/outage.svg").write_text(chart(
            {key: found for key, found in results.items()
             if key[1] not in CRASHES}))
        (TOP / "docs/timeline.svg").write_text(timeline.chart(
            timelines_of(results)))


def own_mounts():
    """Runs the script anew with mounts that end with it."""
    if os.environ.get("OUTAGE_MOUNTS") != "own":
        os.environ["OUTAGE_MOUNTS"] = "own"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "slave",
                              sys.executable, "-B", *sys.argv])


def main():
    own_mounts()
    parser = argparse.ArgumentParser(
        prog="scripts/bench outage", description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", type=int, default=5, metavar="ROUNDS",
                        help="rounds with the large back end; 0: none")
    parser.add_argument("--only", choices=("outage", "crashes", "served"),
                        help="only pushes that work or cannot be installed, "
                        "those that crash, or those that are held to be "
                        "served as soon as by the script")
    parser.add_argument("--write", action="store_true",
                        help="put table and chart into docs/")
    # So that the hosts end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    options = parser.parse_args()
    if options.only == "served" and options.write:
        parser.error("--only served has too few rows for the tables of docs/: "
                     "leave out --write")
    outage(options)


if __name__ == "__main__":
    sys.exit(main())
