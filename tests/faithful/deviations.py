"""Lists where the port is meant to differ from the script: edits of a trace.

The port is expected to do what the script was recorded to do, edited by the
deviations that a scenario names and then by those that hold EVERYWHERE. An
edit takes what it inserts from the script's own trace: of the same scenario,
or of the same scenario undisturbed (nothing fails, nobody interferes), or of
the one in which it deploys first.
docs/differences.md explains each by its name.
"""

import copy
import hashlib
import itertools
from typing import Callable

from faithful import trace_file
from faithful.world import BACKEND, FRONTEND, MANIFESTS, Scenario

SERVICES = {FRONTEND: "frontend", BACKEND: "backend"}


# Calls, as the script makes them.

def is_restart(call: dict) -> bool:
    return call["argv"][:2] == ["systemctl", "restart"]


def component_of(call: dict) -> str:
    return SERVICES[call["argv"][2]] if is_restart(call) else call["cwd"]


def step_of(call: dict) -> tuple[str, str]:
    return ("restart" if is_restart(call) else "install", component_of(call))


def is_named(call: dict, rules: list[str]) -> bool:
    """True when a tick's `fails`, `kills` or `dies` names the call."""
    line = " ".join(call["argv"]).rsplit("venv/bin/", 1)[-1]
    return any(line.startswith(rule) for rule in rules)


class Case:
    """A scenario's trace while it is being edited."""

    def __init__(self, trace: dict):
        trace = copy.deepcopy(trace)
        self.ticks: list[dict] = trace["ticks"]
        self.undisturbed: list[dict] = trace.get("undisturbed", [])
        self.postponed: set[int] = set()  # ticks that wait for the next try

    def carry(self, first: int, name: str, new) -> None:
        """Something is `new` at the end of a tick, and stays so in the ticks
        after it up to one that calls anything."""
        old = self.ticks[first]["after"][name]
        self.ticks[first]["after"][name] = copy.deepcopy(new)
        for tick in self.ticks[first + 1:]:
            if tick["before"][name] != old:
                return
            tick["before"][name] = copy.deepcopy(new)
            if tick["calls"] or tick["after"][name] != old:
                return
            tick["after"][name] = copy.deepcopy(new)

    def carry_hash(self, first: int, component: str, new: str | None) -> None:
        """Like carry(), for one component's recorded hash."""
        hashes = dict(self.ticks[first]["after"]["hashes"])
        hashes.pop(component, None)
        if new is not None:
            hashes[component] = new
        self.carry(first, "hashes", hashes)

    def model(self, commit: str) -> dict:
        """The tick in which the undisturbed script deploys a commit."""
        for tick in self.undisturbed:
            if tick["remote"]["prod"] == commit and tick["calls"]:
                return tick
        raise LookupError(f"undisturbed, the script never deploys {commit}")

    def deploy(self, number: int, calls: list[dict], after: dict) -> None:
        """Lets a tick make these calls, as far as nothing fails in it."""
        tick = self.ticks[number]
        tick.update(exit=0, says_no_changes=0, calls=[])
        hashes = dict(tick["after"]["hashes"])
        for call in copy.deepcopy(calls):
            tick["calls"].append(call)
            if is_named(call, tick["given"].get("fails", [])):
                call["exit"] = tick["exit"] = 1
                self.carry(number, "hashes", hashes)
                return
            if is_restart(call):
                component = component_of(call)
                hashes[component] = after["hashes"][component]
        for name, value in after.items():
            self.carry(number, name, value)

    def set_state(self, number: int, state: dict) -> None:
        """The state in which a tick ends and the next one begins."""
        tick = self.ticks[number]
        if number + 1 < len(self.ticks):
            following = self.ticks[number + 1]
            if following["before"] != tick["after"]:
                raise ValueError("something else happens between the ticks")
            following["before"] = copy.deepcopy(state)
        tick["after"] = copy.deepcopy(state)

    def installation(self, component: str, tick: dict) -> list[dict]:
        """The script's calls that install a component, as it makes them in
        another tick, for what this one deploys."""
        for other in self.ticks + self.undisturbed:
            calls = [call for call in other["calls"]
                     if step_of(call) == ("install", component)]
            if calls and all(call["exit"] == 0 for call in calls):
                break
        else:
            raise LookupError(f"the script never installs the {component}")
        calls = copy.deepcopy(calls)
        for call in calls:
            call["at"] = tick["remote"]["prod"]
            if "venv" not in call["sees"]:
                call["sees"] = {
                    path.removeprefix(f"{component}/"): text
                    for path, text in tick["remote"]["files"].items()
                    if path.startswith(f"{component}/")}
        return calls

    def install_too(self, tick: dict, component: str) -> None:
        """Installs before the restart, where the script only restarts."""
        for place, call in enumerate(tick["calls"]):
            if step_of(call) == ("install", component):
                return
            if step_of(call) == ("restart", component):
                tick["calls"][place:place] = self.installation(component, tick)
                return

    def install_when(self, component: str,
                     changed: Callable[[dict, dict], bool]) -> None:
        """Installs too in each tick that deploys something `changed` since
        the deployment before."""
        last = None
        for tick in self.ticks:
            if tick["exit"] == 0 and not tick["says_no_changes"]:
                if last and changed(last, tick):
                    self.install_too(tick, component)
                last = tick


# Deviations that a scenario names.

def failure_is_kept(case: Case) -> None:
    """The tick after a failure goes on with the step that failed."""
    failed = None
    for number, tick in enumerate(case.ticks):
        if number in case.postponed:
            continue
        if failed and tick["says_no_changes"]:
            model = case.model(tick["remote"]["prod"])
            step = failed_step(failed)
            steps = [step_of(call) for call in model["calls"]]
            case.deploy(number, model["calls"][steps.index(step):],
                        model["after"])
        failed = tick if tick["exit"] != 0 else None


def failed_step(tick: dict) -> tuple[str, str]:
    last = tick["calls"][-1]
    if last["exit"] == 0:  # the restart went well, the service did not stay
        return ("restart", SERVICES[tick["after"]["failed_units"][0]])
    return step_of(last)


def backs_off(case: Case) -> None:
    """A tick too early for the next try only says that one is pending."""
    for number, tick in enumerate(case.ticks[1:], 1):
        before = case.ticks[number - 1]
        same = tick["remote"]["prod"] == before["remote"]["prod"]
        if before["exit"] == 1 and same and not tick["given"].get("later"):
            tick.update(exit=1, says_no_changes=0, calls=[])
            case.postponed.add(number)


def hash_after_install(case: Case) -> None:
    """The hash is recorded though the restart fails; so the next push does
    not install again."""
    for number, tick in enumerate(case.ticks):
        last = tick["calls"][-1] if tick["calls"] else None
        if not last or last["exit"] == 0 or not is_restart(last):
            continue
        component = component_of(last)
        model = case.undisturbed[number]
        case.carry_hash(number, component,
                        model["after"]["hashes"][component])
        for later in case.ticks[number + 1:]:
            if later["before"]["hashes"][component] == \
                    later["after"]["hashes"][component]:
                later["calls"] = [
                    call for call in later["calls"]
                    if step_of(call) != ("install", component)]


def forgets_broken_environment(case: Case) -> None:
    """Once an install has begun and not succeeded, no hash vouches for the
    environment; so the next deployment installs."""
    for number, tick in enumerate(case.ticks):
        last = tick["calls"][-1] if tick["calls"] else None
        if last and last["exit"] != 0 and not is_restart(last):
            component = component_of(last)
            case.carry_hash(number, component, None)
            for later in case.ticks[number + 1:]:
                if later["calls"]:
                    case.install_too(later, component)
                    break


def notices_a_death(case: Case) -> None:
    """A service that does not survive its restart makes the tick fail."""
    for tick in case.ticks:
        if tick["calls"] and tick["exit"] == 0 and \
                tick["after"]["failed_units"]:
            tick["exit"] = 1


def outlives_start_limit(case: Case) -> None:
    """A start limit that was hit is cleared, so the restart succeeds."""
    for number, tick in enumerate(case.ticks):
        if tick["exit"] != 0:
            model = case.undisturbed[number]
            case.deploy(number, model["calls"], model["after"])


def looks_before_it_moves(case: Case) -> None:
    """A tick that cannot deploy leaves the checkout on the branch it is on."""
    for number, tick in enumerate(case.ticks):
        if tick["exit"] != 0 and not tick["calls"]:
            old = tick["after"]
            tick["after"] = copy.deepcopy(tick["before"])
            if case.ticks[number + 1:] and \
                    case.ticks[number + 1]["before"] == old:
                case.ticks[number + 1]["before"] = copy.deepcopy(
                    tick["before"])


def rewind_is_a_divergence(case: Case) -> None:
    """A tick fails whose remote lacks the commit here, which it had."""
    had: set[str] = set()
    for tick in case.ticks:
        tip = tick["remote"]["prod"]
        if tick["says_no_changes"] and tick["before"]["commit"] in had - {tip}:
            tick.update(exit=1, says_no_changes=0)
        had.add(tip)


def lock_file_counts(case: Case) -> None:
    """A changed package-lock.json means npm install too."""
    def changed(last: dict, tick: dict) -> bool:
        path = "frontend/package-lock.json"
        return last["remote"]["files"].get(path) != \
            tick["remote"]["files"].get(path)
    case.install_when("frontend", changed)


def included_files_count(case: Case) -> None:
    """So does a changed file that requirements.txt includes."""
    def included(tick: dict) -> dict:
        files = tick["remote"]["files"]
        lines = files.get("backend/requirements.txt", "").splitlines()
        names = [line.split()[1] for line in lines if line.startswith("-r ")]
        return {name: files.get(f"backend/{name}") for name in names}
    case.install_when("backend",
                      lambda last, tick: included(last) != included(tick))


def python_version_counts(case: Case) -> None:
    """So does another python3 than the one that made the venv."""
    case.install_when("backend", lambda last, tick:
                      last["given"].get("python") !=
                      tick["given"].get("python"))


def manual_pull_hides_nothing(case: Case) -> None:
    """Deploys what a person pulled, though git pull brings no news."""
    done = {tick["after"]["commit"] for tick in case.ticks if tick["calls"]}
    for number, tick in enumerate(case.ticks):
        commit = tick["before"]["commit"]
        if tick["says_no_changes"] and commit not in done:
            model = case.model(commit)
            case.deploy(number, model["calls"], model["after"])
            done.add(commit)


def deploys_a_fresh_clone(case: Case) -> None:
    """A clone in which nothing is installed gets the calls of a first
    deployment; later ticks need not install the same again."""
    first = case.ticks[0]
    files = first["remote"]["files"]
    calls = copy.deepcopy(trace_file.load("first_change")["ticks"][0]["calls"])
    for call in calls:
        call["at"] = first["remote"]["prod"]
        for path in call.get("sees", {}):
            if path != "venv":
                call["sees"][path] = files[f"{call['cwd']}/{path}"]
    hashes = {component: hashlib.sha256(
        f"{files[f'{component}/{manifest}']}\n".encode()).hexdigest()
        for component, manifest in MANIFESTS.items()}
    case.deploy(0, calls, first["after"] | {"hashes": hashes})
    for tick in case.ticks[1:]:
        tick["calls"] = [
            call for call in tick["calls"] if is_restart(call) or
            tick["after"]["hashes"][component_of(call)] !=
            hashes[component_of(call)]]
        hashes = tick["after"]["hashes"]


def restarts_what_it_moved_under(case: Case) -> None:
    """Restarts what a person had moved the work tree under, though git pull
    brings no news."""
    restarts: dict[str, list[dict]] = {}  # by commit
    for tick in case.ticks:
        commit = tick["after"]["commit"]
        if tick["calls"]:
            restarts[commit] = list(filter(is_restart, tick["calls"]))
        elif tick["before"]["commit"] != commit and commit in restarts:
            tick.update(says_no_changes=0,
                        calls=copy.deepcopy(restarts[commit]))


def as_undisturbed(case: Case) -> None:
    """The disturbance makes no difference."""
    for number, model in enumerate(case.undisturbed):
        tick = case.ticks[number]
        for name in ("before", "exit", "says_no_changes", "calls", "after"):
            tick[name] = copy.deepcopy(model[name])


def restores_lock_file(case: Case) -> None:
    """A rewritten package-lock.json that is in the way is restored."""
    for number, tick in enumerate(case.ticks):
        if tick["exit"] != 0:
            model = case.undisturbed[number]
            case.deploy(number, model["calls"], model["after"])


def manifest_of_the_commit(case: Case) -> None:
    """The hash is that of the commit's package.json, not that of a local
    change to it, for which nothing is installed."""
    for number, tick in enumerate(case.ticks):
        for component, manifest in MANIFESTS.items():
            local = f" M {component}/{manifest}"
            if local not in tick["before"]["dirty"] or not tick["calls"]:
                continue
            case.carry_hash(number, component,
                            tick["before"]["hashes"][component])
            tick["calls"] = [call for call in tick["calls"]
                             if step_of(call) != ("install", component)]


# Deviations that a scenario names when the program builds aside.

def up_to_failure(calls: list[dict], rules: list[str]) -> list[dict]:
    """A component's calls, up to the first one that is told to fail."""
    for place, call in enumerate(calls):
        if is_named(call, rules):
            call["exit"] = 1
            return calls[:place + 1]
    return calls


def production_untouched(case: Case) -> None:
    """An install that fails leaves everything as it was; what was built
    beside it is kept for the next try."""
    built: set[tuple[str, str]] = set()
    for number, tick in enumerate(case.ticks):
        if number in case.postponed:
            case.set_state(number, tick["before"])
            continue
        commit = tick["remote"]["prod"]
        if tick["before"]["commit"] == commit:
            tick.update(exit=0, says_no_changes=1, calls=[])
            case.set_state(number, tick["before"])
            continue
        model = case.model(commit)
        tick.update(exit=0, says_no_changes=0, calls=[])
        for component, wanted in model["after"]["hashes"].items():
            if tick["before"]["hashes"].get(component) == wanted or \
                    (component, wanted) in built:
                continue
            calls = up_to_failure(case.installation(component, tick),
                                  tick["given"].get("fails", []))
            tick["calls"] += calls
            if all(call["exit"] == 0 for call in calls):
                built.add((component, wanted))
        if any(call["exit"] != 0 for call in tick["calls"]):
            tick["exit"] = 1
            case.set_state(number, tick["before"])
        else:
            tick["calls"] += filter(is_restart, model["calls"])
            case.set_state(number, model["after"])


def keeps_environments(case: Case) -> None:
    """An environment that was made before from the same files is put back
    into use, and not made again."""
    made: list[tuple[str, str]] = []
    for tick in case.ticks:
        for component, value in tick["after"]["hashes"].items():
            if (component, value) in made:
                tick["calls"] = [call for call in tick["calls"] if
                                 step_of(call) != ("install", component)]
            made.append((component, value))


# Deviations that hold everywhere when the program builds aside.

def is_question(call: dict) -> bool:
    return (call["argv"][:2] == ["systemctl", "show"]
            or call["argv"][1:] == ["--version"])


def in_concurrent_order(calls: list[dict]) -> list[dict]:
    """Components are built at the same time: what counts is the order within
    each. So each component's calls are put together: those after the first
    questions, up to the first call that is no install."""
    asked = list(itertools.takewhile(is_question, calls))
    rest = calls[len(asked):]
    builds = list(itertools.takewhile(
        lambda call: call["argv"][0] != "systemctl", rest))
    return (asked + sorted(builds, key=lambda call: call["cwd"])
            + rest[len(builds):])


def builds_aside(case: Case) -> None:
    """All that is installed is installed before anything is restarted."""
    for tick in case.ticks:
        if tick["calls"]:
            tick["calls"].sort(key=is_restart)
            tick["calls"] = in_concurrent_order(tick["calls"])


def copies_empty_venv(case: Case) -> None:
    """A venv begins with a copy of the one before as python3 had made it,
    unless the last install failed or another python3 makes it."""
    makers: list[str | None] = []
    for tick in case.ticks:
        calls = [call for call in tick["calls"]
                 if step_of(call) == ("install", "backend")]
        if not calls:
            continue
        maker = tick["given"].get("python")
        if maker in makers:
            tick["calls"] = [call for call in tick["calls"]
                             if call["argv"][:3] != ["python3", "-m", "venv"]]
        failed = any(call["exit"] != 0 for call in calls)
        makers = [] if failed else [maker]


# Deviations that hold everywhere.

def no_save(case: Case) -> None:
    """npm leaves package-lock.json alone."""
    for tick in case.ticks:
        for call in tick["calls"]:
            if call["argv"] == ["npm", "install"]:
                call["argv"].append("--no-save")


def systemctl_from_root(case: Case) -> None:
    """systemctl runs in /, not in the checkout, which may be another's."""
    for tick in case.ticks:
        for call in tick["calls"]:
            if call["argv"][0] == "systemctl":
                call["cwd"] = "/"


def ask(argv: list[str], cwd: str, commit: str) -> dict:
    return {"argv": argv, "cwd": cwd, "exit": 0, "at": commit}


def show(unit: str, commit: str) -> dict:
    """A look at a service, while a commit is checked out."""
    return ask(["systemctl", "show", "--property=ActiveState,SubState,Result,"
                "InvocationID,MainPID,NRestarts,LoadState,ControlGroup,"
                "TriggeredBy,ActiveEnterTimestampMonotonic,CanReload,"
                "EnvironmentFiles,FragmentPath,DropInPaths", unit],
               "/", commit)


def reset_failed(case: Case) -> None:
    """Before a restart the service's failures are cleared."""
    for tick in case.ticks:
        calls = []
        for call in tick["calls"]:
            if is_restart(call):
                calls.append(ask(["systemctl", "reset-failed",
                                  call["argv"][2]], call["cwd"], call["at"]))
            calls.append(call)
        tick["calls"] = calls


def units_of(tick: dict) -> list[str]:
    """The services of the components that a tick's commit has."""
    return [unit for unit, component in SERVICES.items()
            if f"{component}/{MANIFESTS[component]}" in
            tick["remote"]["files"]]


def may_deploy(case: Case, number: int) -> bool:
    tick = case.ticks[number]
    return bool(not tick["says_no_changes"] and number not in case.postponed
                and tick["before"]["commit"])


def asked_ahead(case: Case) -> list[list[str]]:
    """The components that each tick asks about while it fetches: those that
    are installed, when the remote has a commit that it never had."""
    had = {None, case.ticks[0]["before"]["commit"]}
    ahead = []
    for number, tick in enumerate(case.ticks):
        tip = tick["remote"]["prod"]
        fetches = tip not in had and may_deploy(case, number)
        had.add(tip)
        ahead.append([component for component in SERVICES.values()
                      if fetches and component in tick["before"]["hashes"]])
    return ahead


def verifies_restart(case: Case) -> None:
    """Each service that is to be restarted is looked at before anything is
    changed: that of what is installed while git fetches, whether it is to be
    restarted or not. When all are restarted, each is looked at twice: to see
    it up, and to see it stay up. The first that is down ends that; one that a
    tick restarted and did not see stay up is looked at in the next one. After
    a restart that fails a look tells whether the service was started at
    all."""
    unseen: list[dict] = []
    for tick, ahead in zip(case.ticks, asked_ahead(case)):
        looks = [show(unit, tick["before"]["commit"])
                 for unit, component in SERVICES.items() if component in ahead]
        if not tick["calls"]:
            tick["calls"] = looks
            continue
        restarts = [call for call in tick["calls"] if is_restart(call)]
        at = tick["remote"]["prod"]
        unseen = [call for call in unseen if call["at"] == at]
        done = {call["argv"][2] for call in unseen}
        looks += [show(unit, tick["before"]["commit"])
                  for unit in units_of(tick)
                  if unit not in done and SERVICES[unit] not in ahead]
        calls = []
        for call in tick["calls"]:
            calls.append(call)
            if is_restart(call) and call["exit"] == 1:
                calls.append(show(call["argv"][2], call["at"]))
        watched = sorted(
            unseen + [call for call in restarts if call["exit"] == 0],
            key=lambda call: list(SERVICES).index(call["argv"][2]))
        unseen = watched
        if restarts and all(call["exit"] == 0 for call in tick["calls"]):
            calls += [show(call["argv"][2], call["at"]) for call in watched]
            down = tick["after"]["failed_units"]
            if not down:
                calls += [show(call["argv"][2], call["at"])
                          for call in watched]
            unseen = [call for call in watched
                      if down and call["argv"][2] not in down]
        tick["calls"] = looks + calls


VERSION_QUESTIONS = {
    "frontend": ["node", "--version"],
    "backend": ["python3", "--version"]}


def asks_for_version(case: Case, component: str) -> None:
    """A tick that has something to deploy asks for the version of what is
    installed while it fetches, and then for what the commit has besides."""
    for number, ahead in enumerate(asked_ahead(case)):
        tick = case.ticks[number]
        manifest = f"{component}/{MANIFESTS[component]}"
        if component in ahead:
            place = 0
        elif may_deploy(case, number) and manifest in tick["remote"]["files"]:
            versions = [VERSION_QUESTIONS[other] for other in ahead]
            place = len(ahead) + sum(call["argv"] in versions
                                     for call in tick["calls"])
        else:
            continue
        tick["calls"].insert(place, ask(VERSION_QUESTIONS[component], ".",
                                        tick["before"]["commit"]))


def reports_python_version(case: Case) -> None:
    """python3 is asked for its version, as part of what decides the back
    end's environment."""
    asks_for_version(case, "backend")


def reports_node_version(case: Case) -> None:
    """So is node, for the front end's."""
    asks_for_version(case, "frontend")


def one_failure_code(case: Case) -> None:
    """Every failure is exit 1."""
    for tick in case.ticks:
        if tick["exit"] > 1:
            tick["exit"] = 1


Edit = Callable[[Case], None]

BY_SCENARIO: dict[str, Edit] = {
    "failure-is-kept": failure_is_kept,
    "backs-off": backs_off,
    "hash-after-install": hash_after_install,
    "forgets-broken-environment": forgets_broken_environment,
    "notices-a-death": notices_a_death,
    "outlives-start-limit": outlives_start_limit,
    "looks-before-it-moves": looks_before_it_moves,
    "rewind-is-a-divergence": rewind_is_a_divergence,
    "lock-file-counts": lock_file_counts,
    "included-files-count": included_files_count,
    "python-version-counts": python_version_counts,
    "manual-pull-hides-nothing": manual_pull_hides_nothing,
    "deploys-a-fresh-clone": deploys_a_fresh_clone,
    "restarts-what-it-moved-under": restarts_what_it_moved_under,
    "survives-a-reboot": as_undisturbed,
    "leaves-lock-file-alone": as_undisturbed,
    "branch-not-tag": as_undisturbed,
    "restores-lock-file": restores_lock_file,
    "manifest-of-the-commit": manifest_of_the_commit,
}

# In this order: a service is looked at before its failures are cleared.
EVERYWHERE: dict[str, Edit] = {
    "no-save": no_save,
    "systemctl-from-root": systemctl_from_root,
    "verifies-restart": verifies_restart,
    "reset-failed": reset_failed,
    "reports-python-version": reports_python_version,
    "reports-node-version": reports_node_version,
    "one-failure-code": one_failure_code,
}

# Only when the program builds aside: by scenario, and everywhere.
ASIDE_BY_SCENARIO: dict[str, Edit] = {
    "production-untouched": production_untouched,
    "keeps-environments": keeps_environments,
}
ASIDE_EVERYWHERE: dict[str, Edit] = {
    "builds-aside": builds_aside,
    "copies-empty-venv": copies_empty_venv,
}

ALL = BY_SCENARIO | EVERYWHERE | ASIDE_BY_SCENARIO | ASIDE_EVERYWHERE


class ChangesNothing(Exception):
    """A scenario names a deviation that makes no difference in it."""


def expected(scenario: Scenario, trace: dict, build: str = "in-place"
             ) -> tuple[list[dict], set[str]]:
    """Returns what the port should do, and which deviations that took."""
    case = Case(trace)
    used = set()
    named = scenario.deviations_when(build)
    aside = list(ASIDE_EVERYWHERE) if build == "staged" else []
    for name in named + aside + list(EVERYWHERE):
        before = copy.deepcopy(case.ticks)
        ALL[name](case)
        if case.ticks != before:
            used.add(name)
        elif name in named:
            raise ChangesNothing(f"{scenario.name}, {build}: {name}")
    return case.ticks, used
