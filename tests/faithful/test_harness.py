"""Tests of the proof itself: does the recorder drop nothing, does the
comparison notice everything, are the deviations explained and used?"""

import copy
import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Callable, Iterator

from faithful import deviations, trace_file
from faithful.scenarios import SCENARIOS
from faithful.world import BACKEND, FRONTEND, SCENARIO_FILES
from support import TOP, recorder
from support.repositories import write_files

DIFFERENCES = TOP / "docs/differences.md"

Ticks = list[dict]


def all_expected() -> Iterator[tuple[str, Ticks, set[str]]]:
    """By each way to build: scenario, what is expected, deviations used."""
    for build in ("in-place", "staged"):
        for scenario in SCENARIOS:
            if build == "in-place" or not scenario.in_place_only:
                ticks, used = deviations.expected(
                    scenario, trace_file.load(scenario.name), build)
                yield scenario.name, ticks, used


def expectations() -> Iterator[tuple[str, Ticks]]:
    for name, ticks, _ in all_expected():
        yield name, ticks


# Mutations: each makes a trace wrong in one way, or leaves it as it is where
# there is nothing to make wrong.

def calls_of(ticks: Ticks, wanted: Callable[[dict], bool]
             ) -> Iterator[tuple[dict, int]]:
    for tick in ticks:
        for place, call in enumerate(tick["calls"]):
            if wanted(call):
                yield tick, place


def first_call(wanted: Callable[[dict], bool],
               change: Callable[[dict, int], object]):
    def mutate(ticks: Ticks) -> None:
        for tick, place in calls_of(ticks, wanted):
            change(tick, place)
            return
    return mutate


def any_call(call: dict) -> bool:
    return True


def swap(tick: dict, place: int) -> None:
    calls = tick["calls"]
    for other in range(place + 1, len(calls)):
        if calls[other] != calls[place]:
            calls[place], calls[other] = calls[other], calls[place]
            return


def last_tick(name: str, value) -> Callable[[Ticks], None]:
    def mutate(ticks: Ticks) -> None:
        ticks[-1][name] = value
    return mutate


def after(name: str, value) -> Callable[[Ticks], None]:
    def mutate(ticks: Ticks) -> None:
        ticks[-1]["after"][name] = value
    return mutate


EXTRA = {"argv": ["npm", "install", "--no-save"], "cwd": "frontend",
         "exit": 0, "at": "first"}

ANYWHERE: dict[str, Callable[[Ticks], object]] = {
    "an extra call": lambda ticks: ticks[-1]["calls"].append(EXTRA),
    "another exit status": last_tick("exit", 3),
    "one line about no changes too many": last_tick("says_no_changes", 2),
    "another branch": after("branch", "other"),
    "another commit": after("commit", "other"),
    "a file changed": after("dirty", [" M another file"]),
    "another hash": after("hashes", {"frontend": "0" * 64}),
    "a failed unit": after("failed_units", ["another.service"]),
    "a tick too few": lambda ticks: ticks.pop(),
}

WHERE_CALLS_ARE: dict[str, Callable[[Ticks], object]] = {
    "a call dropped": first_call(
        any_call, lambda tick, place: tick["calls"].pop(place)),
    "a restart dropped": first_call(
        deviations.is_restart, lambda tick, place: tick["calls"].pop(place)),
    "a call doubled": first_call(
        any_call, lambda tick, place: tick["calls"].insert(
            place, tick["calls"][place])),
    "two calls swapped": first_call(any_call, swap),
    "an argument dropped": first_call(
        any_call, lambda tick, place: tick["calls"][place]["argv"].pop()),
    "another folder": first_call(
        any_call, lambda tick, place: tick["calls"][place].update(cwd="x")),
    "another status of a call": first_call(
        any_call, lambda tick, place: tick["calls"][place].update(exit=9)),
    "called on another commit": first_call(
        any_call, lambda tick, place: tick["calls"][place].update(at="x")),
    "VIRTUAL_ENV not set": first_call(
        lambda call: "VIRTUAL_ENV" in call,
        lambda tick, place: tick["calls"][place].pop("VIRTUAL_ENV")),
    "venv/bin not first on PATH": first_call(
        lambda call: "first_on_PATH" in call,
        lambda tick, place: tick["calls"][place].pop("first_on_PATH")),
    "the old venv still there": first_call(
        lambda call: "venv" in call.get("sees", {}),
        lambda tick, place: tick["calls"][place].update(
            sees={"venv": "there"})),
    "another manifest seen": first_call(
        lambda call: "package.json" in call.get("sees", {}),
        lambda tick, place: tick["calls"][place]["sees"].update(
            {"package.json": "x"})),
}


class ComparisonTest(unittest.TestCase):
    def test_same_traces_have_no_differences(self):
        for name, ticks in expectations():
            with self.subTest(name):
                self.assertEqual("", trace_file.differences(
                    ticks, json.loads(json.dumps(ticks))))

    def test_notices_what_may_be_wrong_anywhere(self):
        for what, mutate in ANYWHERE.items():
            for name, ticks in expectations():
                with self.subTest(what, scenario=name):
                    wrong = copy.deepcopy(ticks)
                    mutate(wrong)
                    self.assertNotEqual("", trace_file.differences(ticks,
                                                                   wrong))

    def test_notices_what_may_be_wrong_in_calls(self):
        for what, mutate in WHERE_CALLS_ARE.items():
            changed = 0
            for name, ticks in expectations():
                with self.subTest(what, scenario=name):
                    wrong = copy.deepcopy(ticks)
                    mutate(wrong)
                    changed += wrong != ticks
                    self.assertEqual(wrong != ticks, bool(
                        trace_file.differences(ticks, wrong)))
            self.assertGreater(changed, 40, what)

    def test_a_difference_is_shown(self):
        name, ticks = list(expectations())[1]
        wrong = copy.deepcopy(ticks)
        WHERE_CALLS_ARE["a restart dropped"](wrong)
        lines = trace_file.differences(ticks, wrong).splitlines()
        dropped = [line for line in lines[2:] if line.startswith("-")]
        self.assertEqual(1, len(dropped))
        self.assertIn(f'["systemctl", "restart", "{FRONTEND}"]', dropped[0])


class TracesTest(unittest.TestCase):
    def test_every_scenario_is_recorded_and_nothing_else(self):
        self.assertEqual(
            sorted(scenario.name for scenario in SCENARIOS),
            sorted(path.stem for path in trace_file.FOLDER.glob("*.json")))

    def test_traces_are_written_as_the_recorder_writes_them(self):
        for scenario in SCENARIOS:
            with self.subTest(scenario.name):
                text = trace_file.path_of(scenario.name).read_text(
                    encoding="utf-8")
                self.assertEqual(text, trace_file.to_text(json.loads(text)))

    def test_traces_speak_of_the_scenarios_of_the_table(self):
        for scenario in SCENARIOS:
            trace = trace_file.load(scenario.name)
            with self.subTest(scenario.name):
                self.assertEqual(scenario.about, trace["about"])
                self.assertEqual(scenario.has_disturbances(),
                                 "undisturbed" in trace)

    def test_the_script_understood_every_command(self):
        for scenario in SCENARIOS:
            trace = trace_file.load(scenario.name)
            for tick in trace["ticks"] + trace.get("undisturbed", []):
                for call in tick["calls"]:
                    self.assertIn(call["exit"], (0, 1, None), scenario.name)


class DeviationsTest(unittest.TestCase):
    def test_one_that_changes_nothing_is_an_error(self):
        docs = next(s for s in SCENARIOS if s.name == "docs_only")
        for name, edit in deviations.BY_SCENARIO.items():
            if edit is deviations.as_undisturbed:
                continue  # it copies the undisturbed trace; there is none
            with self.subTest(name), \
                    self.assertRaises(deviations.ChangesNothing):
                deviations.expected(
                    type(docs)(docs.name, docs.about, docs.actions, [name]),
                    trace_file.load(docs.name))

    def test_every_one_is_used(self):
        used = set().union(*(used for _, _, used in all_expected()))
        self.assertEqual(set(deviations.ALL), used)

    def test_concurrent_order_is_no_order_between_builds_only(self):
        look, npm, venv, pip, restart = (
            {"argv": ["systemctl", "show", FRONTEND], "cwd": "/"},
            {"argv": ["npm"], "cwd": "frontend"},
            {"argv": ["python3"], "cwd": "backend"},
            {"argv": ["pip"], "cwd": "backend"},
            {"argv": ["systemctl", "restart", FRONTEND], "cwd": "/"})
        order = deviations.in_concurrent_order
        self.assertEqual(order([npm, venv, pip, restart]),
                         order([venv, npm, pip, restart]))
        self.assertEqual(order([look, npm, venv, pip, restart]),
                         order([look, venv, pip, npm, restart]))
        for wrong in ([npm, pip, venv, restart], [npm, venv, restart, pip],
                      [npm, venv, pip], [npm, npm, venv, pip, restart]):
            self.assertNotEqual(order([npm, venv, pip, restart]),
                                order(wrong))

    def test_an_undisturbed_trace_is_what_the_disturbances_spoil(self):
        for scenario in SCENARIOS:
            trace = trace_file.load(scenario.name)
            if "undisturbed" in trace:
                with self.subTest(scenario.name):
                    self.assertEqual(len(trace["ticks"]),
                                     len(trace["undisturbed"]))
                    self.assertNotEqual(trace["ticks"], trace["undisturbed"])
                    for tick in trace["undisturbed"]:
                        self.assertEqual(0, tick["exit"])


class DifferencesTest(unittest.TestCase):
    """docs/differences.md explains what deviations.py does."""

    def rows(self) -> dict[str, set[str]]:
        rows: dict[str, set[str]] = {}
        for line in DIFFERENCES.read_text(encoding="utf-8").splitlines():
            name = re.match(r"\| `([a-z-]+)` \|", line)
            if name:
                cells = line.strip("| ").split(" | ")
                self.assertEqual(5, len(cells), line)
                self.assertNotIn(name[1], rows)
                rows[name[1]] = set(re.findall(r"`([a-z_]+)`", cells[-1]))
        return rows

    def test_the_same_deviations_are_explained_and_used(self):
        self.assertEqual(sorted(deviations.ALL), sorted(self.rows()))

    def test_the_scenarios_that_show_them_do(self) -> None:
        shown: dict[str, set[str]] = {}
        for scenario, _, used in all_expected():
            for name in used:
                shown.setdefault(name, set()).add(scenario)
        for name, named in self.rows().items():
            with self.subTest(name):
                self.assertTrue(named)
                if name in (deviations.EVERYWHERE |
                            deviations.ASIDE_EVERYWHERE):
                    self.assertLessEqual(named, shown[name])
                else:
                    self.assertEqual(named, shown[name])


class StandInTest(unittest.TestCase):
    """The recorder answers as the real tools do, and logs every call."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="faithful-")
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()
        self.checkout = self.root / "check out"
        write_files(self.checkout, SCENARIO_FILES)
        self.settings = {
            "checkout": str(self.checkout), "live_pid": os.getpid(),
            "fails": [], "kills": [], "dies": [], "npm_rewrites_lock": False,
            "python": "3.11.2"}
        units = {unit: {"restarts": 0, "state":
                        recorder.unit_state(unit, 0, os.getpid())}
                 for unit in (FRONTEND, BACKEND)}
        (self.root / "units.json").write_text(json.dumps(units))
        for name in ("npm", "node", "python3", "systemctl"):
            recorder.install(self.root / name, self.root)

    def run_in(self, folder: str, *command: str, shell: str = "", **settings
               ) -> subprocess.CompletedProcess:
        (self.root / "settings.json").write_text(
            json.dumps(self.settings | settings))
        return subprocess.run(
            ["bash", "-c", shell] if shell else command,
            cwd=self.checkout / folder, capture_output=True, text=True,
            env={"PATH": f"{self.root}:/usr/bin:/bin"}, timeout=60)

    def log(self) -> list[dict]:
        lines = (self.root / "log").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def show(self, unit: str) -> dict[str, str]:
        said = self.run_in(".", "systemctl", "show", "-p",
                           "ActiveState,SubState,Result", "-p",
                           "InvocationID,MainPID,NRestarts", unit).stdout
        return dict(line.split("=", 1) for line in said.splitlines())

    def test_logs_what_it_does_not_understand(self):
        for command in (["npm", "frobnicate", "a b"], ["systemctl"],
                        ["systemctl", "daemon-reload"], ["node", "x.js"],
                        ["python3", "-c", "print()"]):
            done = self.run_in(".", *command)
            self.assertEqual(recorder.NOT_UNDERSTOOD, done.returncode)
            self.assertEqual(command, self.log()[-1]["argv"])
            self.assertEqual(recorder.NOT_UNDERSTOOD, self.log()[-1]["exit"])

    def test_logs_queries(self):
        self.assertEqual("Python 3.12.1\n", self.run_in(
            ".", "python3", "--version", python="3.12.1").stdout)
        self.show(FRONTEND)
        self.assertEqual(2, len(self.log()))

    def test_logs_concurrent_calls_whole(self):
        self.run_in(".", shell="for i in 1 2 3 4 5 6 7 8; do "
                               "systemctl is-active a$i & done; wait")
        self.assertEqual({f"a{i}" for i in range(1, 9)},
                         {call["argv"][-1] for call in self.log()})

    def test_pip_is_logged_by_its_path_and_by_name(self):
        self.run_in("backend", "python3", "-m", "venv", "venv")
        self.run_in("backend", "venv/bin/pip", "install", "-r", "a")
        self.run_in("backend", shell="source venv/bin/activate && "
                                     "pip install -r b && deactivate && "
                                     "systemctl is-active " + FRONTEND)
        _, by_path, by_name, outside = self.log()
        self.assertNotIn("VIRTUAL_ENV", by_path)
        self.assertEqual("backend/venv/bin/pip", by_name["argv"][0])
        self.assertEqual("backend/venv", by_name["VIRTUAL_ENV"])
        self.assertEqual("backend/venv/bin", by_name["first_on_PATH"])
        self.assertNotIn("VIRTUAL_ENV", outside)
        self.assertNotIn("first_on_PATH", outside)

    def test_says_what_a_tool_finds(self):
        self.run_in("frontend", "npm", "install")
        self.assertEqual({"package.json": '{"version": "1"}',
                          "package-lock.json": '{"lock": "1"}'},
                         self.log()[-1]["sees"])
        for _ in range(2):
            self.run_in("backend", "python3", "-m", "venv", "venv")
        self.assertEqual(["not there", "there"],
                         [call["sees"]["venv"] for call in self.log()[1:]])

    def test_fails_as_told(self):
        fails = ["npm install", f"systemctl restart {BACKEND}"]
        for status, command in ((1, ["npm", "install", "--no-save"]),
                                (0, ["systemctl", "restart", FRONTEND]),
                                (1, ["systemctl", "restart", BACKEND]),
                                (5, ["systemctl", "restart", "x.service"])):
            done = self.run_in("frontend", *command, fails=fails)
            self.assertEqual(status, done.returncode, command)
            self.assertEqual(status, self.log()[-1]["exit"])

    def test_kills_its_caller_and_logs_that_first(self):
        done = self.run_in("frontend", shell="npm install; echo alive",
                           kills=["npm install"])
        self.assertEqual(-9, done.returncode)
        self.assertNotIn("alive", done.stdout)
        self.assertIsNone(self.log()[-1]["exit"])

    def test_a_restart_is_a_fresh_invocation(self):
        before = self.show(FRONTEND)
        self.run_in(".", "systemctl", "restart", FRONTEND)
        now = self.show(FRONTEND)
        self.assertNotEqual(before.pop("InvocationID"),
                            now.pop("InvocationID"))
        self.assertEqual(before, now)
        self.assertEqual({"ActiveState": "active", "SubState": "running",
                          "Result": "success", "NRestarts": "0",
                          "MainPID": str(os.getpid())}, now)

    def test_a_unit_dies_and_is_reset(self):
        died = self.run_in(".", "systemctl", "restart", BACKEND,
                           dies=[f"systemctl restart {BACKEND}"])
        self.assertEqual(0, died.returncode)
        self.assertEqual("failed", self.show(BACKEND)["ActiveState"])
        self.assertEqual("0", self.show(BACKEND)["MainPID"])
        self.assertEqual(3, self.run_in(".", "systemctl", "is-active",
                                        BACKEND).returncode)
        self.run_in(".", "systemctl", "reset-failed", BACKEND)
        self.assertEqual("inactive", self.show(BACKEND)["ActiveState"])
