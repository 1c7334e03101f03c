"""The tick as systemd runs it: `scripts/bench tick` on a booted host.

Each contender is a unit that finds nothing to do. Rounds of starts take turns;
a start is `systemctl start`, one after the other. CPU is that of PID 1 and of
all that it starts (fields 14 to 17 of /proc/PID/stat, in ticks of 10 ms: a
round has many starts), context switches are those of the machine in that time,
which is idle otherwise. Needs root and systemd-nspawn.
"""

import re
import statistics
import tempfile
import time
from pathlib import Path

from common import TOP, build, describe_machine, note, run
from support import REFERENCE_SCRIPT
from support.figures import possible
from support.host import CHECKOUT, UNIT, Host, base_root

EMPTY = "empty"
UNITS = "/etc/systemd/system"
DROP_INS = f"{UNITS}/{UNIT}.service.d"
ONESHOT = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\n"
NO_LIMIT = "[Unit]\nStartLimitIntervalSec=0\n"
WORDS = {EMPTY: "an empty unit, `ExecStart=/bin/true`",
         "script": "the original script's unit",
         f"{UNIT}-poll": "as installed: `deployment-update-poll.service`",
         "bare": "a run without the drop-ins",
         UNIT: "a run, `deployment-update.service`"}


class Contenders:
    def __init__(self, host):
        self.host = host
        self.pid = host.first_process()
        self._write(EMPTY, "/bin/true")
        self._write("bare", "/usr/local/bin/deployment-update")
        self.names = [EMPTY, f"{UNIT}-poll", "bare", UNIT]
        if REFERENCE_SCRIPT.exists():
            host.copy(REFERENCE_SCRIPT, "/srv/script")
            self._write("script", "/bin/bash /srv/script")
            self.names.insert(1, "script")
        for name in (UNIT, f"{UNIT}-poll"):
            host.write(f"{UNITS}/{name}.service.d/zz-limit.conf", NO_LIMIT)
        host.run("systemctl", "daemon-reload")

    def _write(self, name, command):
        self.host.write(f"{UNITS}/{name}.service",
                        f"{ONESHOT}ExecStart={command}\n")

    def _cpu(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1]
        return sum(map(int, fields.split()[11:15])) * 10  # milliseconds

    def round(self, name, starts):
        """CPU and wall milliseconds, and context switches, of a start."""
        cpu, switches, begin = self._cpu(), context_switches(), time.time()
        self.host.shell(f"for i in $(seq {starts}); do "
                        f"systemctl start {name}.service; done", timeout=600)
        wall = time.time() - begin
        return [(self._cpu() - cpu) / starts, wall * 1000 / starts,
                (context_switches() - switches) / starts]


def context_switches():
    return int(re.search(r"^ctxt (\d+)$", Path("/proc/stat").read_text(),
                         re.M)[1])


def measure(contenders, rounds, starts):
    found = {name: [] for name in contenders.names}
    for number in range(rounds + 1):
        for name in contenders.names:
            figures = contenders.round(name, starts if number else 1)
            if number > 0:  # the first one fills the caches
                found[name].append(figures)
    return found


def rows(found):
    columns = {name: list(zip(*values)) for name, values in found.items()}
    least = statistics.median(columns[EMPTY][0])
    for name, (cpu, wall, switches) in columns.items():
        for what, values in (("CPU ms", cpu), ("wall ms", wall)):
            possible(f"{name}: {what}", values)
        yield (f"| {WORDS[name]} | {statistics.median(cpu):.1f} ms | "
               f"{min(cpu):.1f} to {max(cpu):.1f} ms | "
               f"{statistics.median(cpu) / least:.2f} | "
               f"{statistics.median(wall):.1f} ms | "
               f"{statistics.median(switches):.0f} |")


def bars(found):
    cpu = {name: statistics.median(cpu for cpu, _, _ in values)
           for name, values in found.items()}
    for other, limit in ((EMPTY, 2.0), ("bare", 1.2)):
        ratio = cpu[f"{UNIT}-poll"] / cpu[other]
        yield (f"- as installed: {ratio:.2f} times the CPU of {WORDS[other]}; "
               f"at most {limit}: "
               f"{'met' if ratio <= limit else 'not met'}")


def table(rounds, starts):
    """Returns the lines of the table."""
    build()
    note("a booted host ...")
    with tempfile.TemporaryDirectory(prefix="bench-") as stage, \
            Host(base_root(), "bench") as host:
        run("cmake", "--install", TOP / "build/release", env={
            "DESTDIR": stage, "PATH": "/usr/bin:/bin"})
        host.make_origin()
        # The script works as root, and leaves what it writes to it.
        host.clone("root")
        host.run("chown", "root:root", str(Path(CHECKOUT).parent))
        host.install(Path(stage))
        host.run("systemctl", "stop", f"{UNIT}.timer")
        found = measure(Contenders(host), rounds, starts)
    return [f"Medians of {rounds} rounds of {starts} starts on "
            f"{describe_machine()}, in a booted container. Ratios are to the "
            "empty unit in the same rounds.", "",
            "| unit | CPU | range | ratio | wall | context switches |",
            "| --- | ---: | ---: | ---: | ---: | ---: |", *rows(found), "",
            "What it is held to:", "", *bars(found)]
