"""A scenario's world: origin, checkout and stand-ins in a folder of its own.

A scenario is a list of actions; every Tick is one run of the program under
test, the script or the port. ScenarioWorld.play() gives the trace: what the
program did, tick by tick. Nothing in a trace depends on the folder, the time
or the machine: commits are called by their subjects, paths are relative to
the checkout.
"""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Protocol

from support import recorder
from support.repositories import (FIRST_FILES, Files, Repositories,
                                  write_files)

FRONTEND = "frontend-deployment.service"
BACKEND = "backend-deployment.service"
MANIFESTS = {"frontend": "package.json", "backend": "requirements.txt"}
HANG = 120  # seconds; no run takes that long

SCENARIO_FILES = FIRST_FILES | {
    "README.md": "An application.\n",
    "frontend/package-lock.json": '{"lock": "1"}\n',
}


@dataclass(frozen=True)
class Tick:
    """One run of the program.

    `fails`, `kills` and `dies` name calls by how they begin: those that exit
    1, those in which the program itself is killed, and restarts that succeed
    and whose service dies at once. `later`: enough time has passed to try a
    failed deployment again.
    """
    fails: tuple[str, ...] = ()
    kills: tuple[str, ...] = ()
    dies: tuple[str, ...] = ()
    npm_rewrites_lock: bool = False
    python: str = "3.11.2"
    later: bool = False

    def disturbs(self) -> bool:
        return bool(self.fails or self.kills or self.dies or
                    self.npm_rewrites_lock)

    def undisturbed(self) -> "Tick":
        return Tick(python=self.python, later=self.later)

    def given(self) -> dict:
        """Returns what differs from an ordinary tick."""
        ordinary = Tick()
        return {name: list(value) if isinstance(value, tuple) else value
                for name, value in vars(self).items()
                if value != getattr(ordinary, name)}


@dataclass(frozen=True)
class Act:
    """Something that happens between ticks.

    `disturbs`: the program is meant to end where it would have ended without.
    """
    text: str
    do: Callable[["ScenarioWorld"], object]
    disturbs: bool = False


@dataclass(frozen=True)
class Scenario:
    """`deviations` are those when the program builds in place, `aside` those
    when it builds aside, if they differ; `in_place_only` says why it is not
    compared with the script then."""
    name: str
    about: str
    actions: list[Act | Tick]
    deviations: list[str] = field(default_factory=list)
    aside: list[str] | None = None
    in_place_only: str = ""
    files: Files = field(default_factory=dict)  # over SCENARIO_FILES
    checkout: str = "app"  # the folder's name

    def deviations_when(self, build: str) -> list[str]:
        if build == "staged" and self.aside is not None:
            return self.aside
        return self.deviations

    def has_disturbances(self) -> bool:
        return any(action.disturbs() if isinstance(action, Tick)
                   else action.disturbs for action in self.actions)

    def undisturbed_actions(self) -> list[Act | Tick]:
        return [action.undisturbed() if isinstance(action, Tick) else action
                for action in self.actions
                if isinstance(action, Tick) or not action.disturbs]


class Program(Protocol):
    """The program under test, told where the world is."""

    def prepare(self, world: "ScenarioWorld", tick: Tick) -> list[str]:
        """Gets ready for a tick; returns the command to run."""

    def hashes(self, world: "ScenarioWorld") -> dict[str, str]:
        """The recorded SHA-256 of each component's manifest."""

    def forget(self, world: "ScenarioWorld") -> None:
        """The host starts anew."""


class ScenarioWorld(Repositories):
    def __init__(self, scenario: Scenario, program: Program, root: Path):
        super().__init__(root, scenario.checkout)
        self.scenario = scenario
        self.program = program
        self.stand_ins = root / "bin"
        self.subjects: dict[str, str] = {}
        self.deciding_files: dict[str, dict[str, str]] = {}  # by commit
        self.commits = 0
        self.said = ""  # what the program wrote in all ticks
        self.environment |= {
            "PATH": f"{self.stand_ins}:/usr/local/sbin:/usr/local/bin:"
                    "/usr/sbin:/usr/bin:/sbin:/bin",
            "GIT_TERMINAL_PROMPT": "0",
        }

    # Setting up.

    def build(self) -> None:
        self.stand_ins.mkdir()
        for name in ("npm", "node", "python3", "systemctl"):
            recorder.install(self.stand_ins / name, self.root)
        units = {unit: {"restarts": 0,
                        "state": recorder.unit_state(unit, 0, os.getpid())}
                 for unit in (FRONTEND, BACKEND)}
        self.write_json("units.json", units)
        self.commits += 1
        self.make_repositories("first", SCENARIO_FILES | self.scenario.files)

    def write_json(self, name: str, value) -> None:
        (self.root / name).write_text(json.dumps(value), encoding="utf-8")

    def more_for_git(self) -> dict[str, str]:
        """The number of a commit is its date: ids are always the same."""
        minutes = f"{self.commits // 60:02}:{self.commits % 60:02}"
        date = f"2024-01-01T{minutes}:00Z"
        return super().more_for_git() | {"GIT_AUTHOR_DATE": date,
                                         "GIT_COMMITTER_DATE": date}

    def write(self, folder: Path, files: Files) -> None:
        write_files(folder, files)

    def commit(self, subject: str, files: Files,
               folder: Path | None = None) -> None:
        self.commits += 1
        self.commit_files(subject, files, folder)

    def push(self, *options: str) -> None:
        self.push_commits(*options)

    # Observing.

    def learn_subjects(self) -> None:
        for folder in (self.author, self.checkout):
            if (folder / ".git").exists():
                log = self.git(folder, "log", "--all", "--reflog",
                               "--format=%H %s", check=False)
                for line in log.splitlines():
                    commit, subject = line.split(" ", 1)
                    self.subjects[commit] = subject

    def subject(self, commit: str | None) -> str | None:
        if commit and commit not in self.subjects:
            self.learn_subjects()
        return self.subjects.get(commit, commit) if commit else None

    def remote(self) -> dict:
        """The remote's branch, and its files that decide an environment."""
        prod = self.git(self.origin, "rev-parse", "-q", "--verify",
                        "refs/heads/prod", check=False).strip() \
            if self.origin.exists() else ""
        if not prod:
            return {"prod": None, "files": {}}
        if prod not in self.deciding_files:
            self.deciding_files[prod] = self.read_deciding_files(prod)
        return {"prod": self.subject(prod),
                "files": self.deciding_files[prod]}

    def read_deciding_files(self, commit: str) -> dict[str, str]:
        names = self.git(self.origin, "ls-tree", "-r", "-z", "--name-only",
                         commit).split("\0")
        return {name: self.git(self.origin, "cat-file", "blob",
                               f"{commit}:{name}").strip()
                for name in names if Path(name).match("frontend/*.json")
                or Path(name).match("backend/*.txt")}

    def ask(self, *words: str) -> str:
        """Asks git about the checkout; returns '' when it fails."""
        return self.git(self.checkout, *words, check=False)

    def state(self) -> dict:
        """The checkout, the record and the services."""
        state: dict = {"branch": None, "commit": None, "prod": None,
                       "dirty": []}
        if (self.checkout / ".git").exists():
            state["branch"] = self.ask("symbolic-ref", "-q", "--short",
                                       "HEAD").strip() or None
            for name, ref in (("commit", "HEAD"),
                              ("prod", "refs/heads/prod")):
                commit = self.ask("rev-parse", "-q", "--verify", ref).strip()
                state[name] = self.subject(commit)
            status = self.ask("status", "--porcelain", "-z", "--no-renames",
                              "--untracked-files=all")
            state["dirty"] = status.rstrip("\0").split("\0") if status else []
        units = json.loads((self.root / "units.json").read_text())
        state["failed_units"] = sorted(
            unit for unit, about in units.items()
            if about["state"]["ActiveState"] != "active")
        state["hashes"] = self.program.hashes(self)
        return state

    def calls(self) -> list[dict]:
        log = self.root / "log"
        lines = log.read_text(encoding="utf-8").splitlines() \
            if log.exists() else []
        log.unlink(missing_ok=True)
        calls = [json.loads(line) for line in lines]
        return [call | {"at": self.subject(call["at"])} for call in calls]

    # Running.

    def tick(self, tick: Tick, setup: list[str]) -> dict:
        self.write_json("settings.json", {
            "checkout": str(self.checkout), "live_pid": os.getpid(),
            "fails": tick.fails, "kills": tick.kills,
            "dies": tick.dies, "npm_rewrites_lock": tick.npm_rewrites_lock,
            "python": tick.python})
        trace = {"setup": setup, "given": tick.given(),
                 "remote": self.remote(), "before": self.state()}
        command = self.program.prepare(self, tick)
        run = subprocess.run(
            command, cwd="/", env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=HANG, errors="replace")
        self.said += f"--- tick\n{run.stdout}{run.stderr}"
        says = run.stdout.splitlines().count(
            "No changes detected in the repository.")
        return trace | {"exit": run.returncode, "says_no_changes": says,
                        "calls": self.calls(), "after": self.state()}

    def play(self, actions: list[Act | Tick]) -> list[dict]:
        self.build()
        ticks = []
        setup: list[str] = []
        for action in actions:
            if isinstance(action, Tick):
                ticks.append(self.tick(action, setup))
                setup = []
            else:
                action.do(self)
                setup.append(action.text)
        return ticks


def play(scenario: Scenario, program: Program,
         undisturbed: bool = False) -> tuple[list[dict], str]:
    """The trace of a program in a scenario, and what it wrote."""
    actions = (scenario.undisturbed_actions() if undisturbed
               else scenario.actions)
    with tempfile.TemporaryDirectory(prefix="faithful-",
                                     ignore_cleanup_errors=True) as folder:
        # The temporary folder's own path may hold symbolic links.
        world = ScenarioWorld(scenario, program, Path(folder).resolve())
        return world.play(actions), world.said
