"""Stands in for npm, node, python3, pip and systemctl, and records every call.

Run by the wrappers that install() writes, as

    recorder.py FOLDER PROGRAM [ARGUMENT]...

FOLDER holds settings.json (what is to fail, see faithful/world.py), the log of
calls, one JSON object a line, and units.json, the state of the services.
Whatever is called is logged, also what is not understood.
"""

import fcntl
import json
import os
import signal
import sys
from pathlib import Path

# Others are imported where they are needed: to load them takes as long as all
# else that most calls do, of which a test has hundreds.

WRAPPER = """#!/bin/sh
exec {python} -I -S {recorder} {folder} "$0" "$@"
"""

ACTIVATE = """\
deactivate () {{
    PATH="$_BEFORE_VENV_PATH"
    export PATH
    unset VIRTUAL_ENV _BEFORE_VENV_PATH
    unset -f deactivate
}}
_BEFORE_VENV_PATH="$PATH"
VIRTUAL_ENV={venv}
PATH="$VIRTUAL_ENV/bin:$PATH"
export VIRTUAL_ENV PATH
unset PYTHONHOME
"""

NOT_UNDERSTOOD = 64


def install(program: Path, folder: Path) -> None:
    """Writes a wrapper at the path `program` that logs to `folder`."""
    import shlex
    words = {"python": sys.executable, "recorder": __file__, "folder": folder}
    quoted = {name: shlex.quote(str(word)) for name, word in words.items()}
    program.write_text(WRAPPER.format(**quoted), encoding="utf-8")
    program.chmod(0o755)


def unit_state(unit: str, restarts: int, live_pid: int) -> dict:
    """Returns what `systemctl show` says of a service that runs."""
    import hashlib
    identity = hashlib.md5(f"{unit} {restarts}".encode()).hexdigest()
    return {"LoadState": "loaded", "ActiveState": "active",
            "SubState": "running", "Result": "success",
            "InvocationID": identity, "MainPID": live_pid, "NRestarts": 0}


def failed(state: dict, result: str) -> dict:
    return state | {"ActiveState": "failed", "SubState": "failed",
                    "Result": result, "MainPID": 0}


def head_of(checkout: Path) -> str | None:
    """The commit that is checked out, without asking git."""
    git = checkout / ".git"
    try:
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head
        ref = head.removeprefix("ref: ")
        if (git / ref).exists():
            return (git / ref).read_text(encoding="utf-8").strip()
        packed = (git / "packed-refs").read_text(encoding="utf-8")
    except OSError:
        return None
    for line in packed.splitlines():
        if line.endswith(f" {ref}"):
            return line.split()[0]
    return None


def texts(pattern: str) -> dict:
    """The files that decide an environment, as the tool finds them."""
    return {path.name: path.read_text(encoding="utf-8").strip()
            for path in sorted(Path().glob(pattern))}


class Call:
    """One call: what it is told to do, what it does, what is logged of it."""

    def __init__(self, folder: Path, program: str, arguments: list[str]):
        self.folder = folder
        self.program = Path.cwd() / program
        self.arguments = arguments
        venv = self.program.parents[1]
        if venv.name == "venv" and arguments[:2] == ["-m", "pip"]:
            # What `python3 -m pip` runs is the pip beside it.
            self.program = self.program.with_name("pip")
            self.arguments = arguments[2:]
        text = (folder / "settings.json").read_text(encoding="utf-8")
        self.settings = json.loads(text)
        self.checkout = Path(self.settings["checkout"])
        self.sees: dict = {}
        self.unit = ""

    def is_in(self, setting: str) -> bool:
        """True when the settings name this call, by how it begins."""
        line = " ".join([self.program.name] + self.arguments)
        return any(line.startswith(rule) for rule in self.settings[setting])

    def relative(self, path: str) -> str:
        if Path(path).is_relative_to(self.checkout):
            return str(Path(path).relative_to(self.checkout))
        return path

    def run(self) -> int:
        known = {"npm": self.npm, "node": self.node, "python3": self.python3,
                 "pip": self.pip, "systemctl": self.systemctl}
        return known[self.program.name]()

    def npm(self) -> int:
        if self.arguments[:1] == ["--version"]:
            print("9.2.0")
            return 0
        if self.arguments[:1] not in (["install"], ["ci"]):
            return NOT_UNDERSTOOD
        self.sees = texts("*.json")
        if self.is_in("fails"):
            return 1
        Path("node_modules").mkdir(exist_ok=True)
        keeps_lock = {"--no-save", "ci"} & set(self.arguments)
        if self.settings["npm_rewrites_lock"] and not keeps_lock:
            Path("package-lock.json").write_text("rewritten by npm\n",
                                                 encoding="utf-8")
        return 0

    def node(self) -> int:
        if self.arguments != ["--version"]:
            return NOT_UNDERSTOOD
        print("v18.19.0")
        return 0

    def python3(self) -> int:
        if self.arguments in (["--version"], ["-V"]):
            print("Python", self.settings["python"])
            return 0
        if self.arguments[:2] != ["-m", "venv"] or len(self.arguments) != 3:
            return NOT_UNDERSTOOD
        import shlex
        import shutil
        venv = Path.cwd() / self.arguments[2]
        self.sees = {"venv": "there" if venv.exists() else "not there"}
        (venv / "bin").mkdir(parents=True, exist_ok=True)
        if self.is_in("fails"):
            return 1
        install(venv / "bin" / "pip", self.folder)
        shutil.copy(venv / "bin" / "pip", venv / "bin" / "python3")
        activate = ACTIVATE.format(venv=shlex.quote(str(venv)))
        (venv / "bin" / "activate").write_text(activate, encoding="utf-8")
        return 0

    def pip(self) -> int:
        if self.arguments[:1] != ["install"]:
            return NOT_UNDERSTOOD
        self.sees = texts("*.txt")
        return 1 if self.is_in("fails") else 0

    def systemctl(self) -> int:
        commands = {"restart": self.restart, "show": self.show,
                    "reset-failed": self.reset_failed,
                    "is-active": self.is_active}
        words = [word for word in self.arguments if not word.startswith("-")]
        if not words or words[0] not in commands:
            return NOT_UNDERSTOOD
        self.unit = words[-1]
        return commands[words[0]]()

    def units(self) -> dict:
        text = (self.folder / "units.json").read_text(encoding="utf-8")
        return json.loads(text)

    def save(self, state: dict, restarts: int) -> None:
        units = self.units()
        units[self.unit] = {"restarts": restarts, "state": state}
        (self.folder / "units.json").write_text(json.dumps(units),
                                                encoding="utf-8")

    def restart(self) -> int:
        if self.unit not in self.units():
            return 5
        unit = self.units()[self.unit]
        if unit["state"]["Result"] == "start-limit-hit":
            return 1
        restarts = unit["restarts"] + 1
        state = unit_state(self.unit, restarts, self.settings["live_pid"])
        fails = self.is_in("fails")
        if fails or self.is_in("dies"):
            state = failed(state, "exit-code")
        self.save(state, restarts)
        return 1 if fails else 0

    def reset_failed(self) -> int:
        if self.unit not in self.units():
            return 1
        unit = self.units()[self.unit]
        if unit["state"]["ActiveState"] == "failed":
            state = unit["state"] | {"ActiveState": "inactive",
                                     "SubState": "dead", "Result": "success"}
            self.save(state, unit["restarts"])
        return 0

    def is_active(self) -> int:
        unit = self.units().get(self.unit)
        state = unit["state"]["ActiveState"] if unit else "inactive"
        if not {"-q", "--quiet"} & set(self.arguments):
            print(state)
        return 0 if state == "active" else 3

    def show(self) -> int:
        wanted: list[str] = []
        words = iter(self.arguments)
        for word in words:
            if word in ("-p", "--property"):
                wanted += next(words, "").split(",")
            elif word.startswith("--property="):
                wanted += word.removeprefix("--property=").split(",")
        unit = self.units().get(self.unit)
        state = unit["state"] if unit else {
            "LoadState": "not-found", "ActiveState": "inactive",
            "SubState": "dead", "Result": "success", "InvocationID": "",
            "MainPID": 0, "NRestarts": 0}
        for name, value in state.items():
            if not wanted or name in wanted:
                print(value if "--value" in self.arguments
                      else f"{name}={value}")
        return 0

    def record(self, status: int | None) -> dict:
        """Returns what is logged; a `status` of None: the call never ends."""
        name = self.relative(str(self.program))
        if Path(name).is_absolute():
            name = self.program.name
        record: dict = {"argv": [name] + self.arguments,
                        "cwd": self.relative(os.getcwd()), "exit": status,
                        "at": head_of(self.checkout)}
        if "VIRTUAL_ENV" in os.environ:
            record["VIRTUAL_ENV"] = self.relative(os.environ["VIRTUAL_ENV"])
        first = self.relative(os.environ.get("PATH", "").split(":")[0])
        if not Path(first).is_absolute():
            record["first_on_PATH"] = first
        if self.sees:
            record["sees"] = self.sees
        return record

    def log(self, record: dict) -> None:
        with (self.folder / "log").open("a", encoding="utf-8") as log:
            fcntl.flock(log, fcntl.LOCK_EX)
            log.write(json.dumps(record) + "\n")


def main() -> int:
    caller = os.getppid()
    call = Call(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
    kills = call.is_in("kills")
    status = call.run()
    call.log(call.record(None if kills else status))
    sys.stdout.flush()
    if kills:
        os.kill(caller, signal.SIGKILL)
    elif status != 0:
        print(f"{call.program.name}: stand-in: exit {status}",
              file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
