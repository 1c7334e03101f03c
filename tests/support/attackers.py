"""What a second user does while root deploys in his folder, by processes of
his own."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

from support import PATIENCE
from support.users import OWNER, become

EXCHANGER = Path(__file__).with_name("exchanger.py")


def exchanger(*pairs, event=None, once=False, within=PATIENCE):
    """Returns the command of a process that exchanges names; see
    exchanger.py. A pair is PLACE, TRAP and, for a trap that is a link, its
    target."""
    plan = {"pairs": [[*map(str, pair)] + [None] * (3 - len(pair))
                      for pair in pairs],
            "event": event and str(event), "once": once, "within": within}
    # -I -S: nothing of who runs the test, and a quick start.
    return [sys.executable, "-I", "-S", "-c",
            EXCHANGER.read_text(encoding="utf-8"), json.dumps(plan)]


def shell_text(command):
    return " ".join(map(shlex.quote, map(str, command)))


class Exchanges:
    """A process of the owner that exchanges names as long as the context
    lasts. `count` tells afterwards how often it did."""

    def __init__(self, *pairs, **how):
        self.count = 0
        self._command = become(OWNER) + exchanger(*pairs, **how)
        self._process = None

    def __enter__(self):
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        if self._process.stdout.readline() != "armed\n":
            self.__exit__()
            raise AssertionError("the exchanges did not begin")
        return self

    def __exit__(self, *_):
        shown, _ = self._process.communicate(timeout=PATIENCE)
        self.count = int(shown or 0)


def mounts(text):
    """The mounts in a text of /proc/PID/mountinfo: (device, root, place,
    options); proc(5)."""
    fields = (line.split(" ") for line in text.splitlines())
    return [(device, root, place, options.split(","))
            for _, _, device, root, place, options, *_ in fields]


def path_in_its_file_system(path):
    """(device, path) as mountinfo names what a bind mount shows."""
    path = Path(path)
    over = [mount for mount in mounts(Path("/proc/self/mountinfo").read_text())
            if path.is_relative_to(mount[2])]
    device, root, place, _ = max(over, key=lambda mount: len(mount[2]))
    return device, str(Path(root) / path.relative_to(place))
