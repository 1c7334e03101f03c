"""Knows from a history alone what must be true of its host.

After each run: nobody's file or commit is lost; a run that reads changes
nothing; and when the program says by its exit code that all is well, it is. At
the end, when the remote is back, the disk has room and the program had its
runs: what it must have come to.
"""

import json
import re

from support import require
from support.record import entries
from support.world import listing

from soak.host import PARTS

NOTHING = "No changes detected in the repository.\n"
LEFTOVERS = ["*.lock", "tmp_*", "*.tmp", "record.[0-9a-f]*",
             "record.history.*", ".deployment-update.*", "stage", "index.*"]
# What people disturb; "moved" when it is not here.
DISTURBS = {
    "somebody edits": "files",
    "somebody leaves a file": "files",
    "somebody takes away what is not committed": "files",
    "somebody fetches": "files",
    "somebody packs the repository": "files",
    "somebody removes an environment": "environments",
    "somebody removes all that is ignored": "environments",
    "a component leaves the configuration, or returns": "configuration",
    "a service gets another name": "configuration",
}
WORDS_OF_A_DEFECT = re.compile(r"terminate called|what\(\)|std::|bad_|Assert"
                               r"|[Ss]egmentation|AddressSanitizer")
RUNS_TO_CALM = 12
MOST_RESTARTS = 6  # of two services: a deployment, its rollback, and one more


class Judge:
    def __init__(self, host):
        self.host = host
        # What may be deployed: more than one after a run that did not end
        # well, of which nobody but the record knows how far it came.
        self.may_be_deployed = {host.first}
        self.ever_deployed = {host.first}
        # The last that certainly was, and was the remote's tip then.
        self.deployed = host.first
        # By tip: "yes" when a person took it back, "maybe" when that was
        # begun, or another tip came in between.
        self.held = {}
        # Tips of runs that failed while no service stayed up: who is ended in
        # between has seen no more than that, and blames the commit.
        self.may_be_blamed = set()
        # Tips of runs that were stopped: what they moved may be in the way.
        self.stopped_at = set()
        self.record_was_lost = False
        # Somebody changed what the next run adopted: what services run, nobody
        # knows then.
        self.is_unknown = False
        self.was_cloned = False  # the clone knows no component
        # What people did since the last run that said where everything is:
        # they moved the checkout, removed something, or changed the
        # configuration.
        self.disturbed = set()

    # What is known of commits

    def is_good(self, commit):
        return not self.crashes(commit) and not self.is_missing(commit)

    def crashes(self, commit):
        """A service would be restarted on it and fail."""
        tree = self.host.trees[commit]
        return "crash" in tree and any(
            f"{name}/{PARTS[name][0]}" in tree
            for name in self.host.components())

    def is_missing(self, commit):
        """It cannot be installed."""
        return ("backend" in self.host.components() and "missing"
                in self.host.trees[commit]["backend/requirements.txt"])

    def own_on_top(self, commit):
        """People's commits that end in it, and the pushed one below."""
        found = []
        for one in self.host.ancestors(commit):
            found.append(one)
            if one in self.host.pushed:
                break
        return found

    # What people have

    def files_of_people(self):
        found = {}
        for path in self.host.checkout.rglob("*"):
            parts = path.relative_to(self.host.checkout).parts
            if parts[0] == ".git" or {"venv", "node_modules"} & set(parts):
                continue
            if path.is_file() and path.read_text().startswith("mine"):
                found["/".join(parts)] = path.read_text()
        return found

    def files_that_stay(self):
        """Those of people, and a lock file that npm rewrote of a component
        that is not configured."""
        found = set(self.files_of_people())
        lock = "frontend/package-lock.json"
        path = self.host.checkout / lock
        if "frontend" not in self.host.components() and path.exists() and (
                path.read_text().startswith("npm")):
            found.add(lock)
        return found

    def commits_of_people(self):
        """Those that a name in the repository leads to."""
        own = set(self.host.trees) - set(self.host.pushed)
        if not own:
            return own
        return own & set(self.host.git(
            self.host.checkout, "rev-list", "--all", "HEAD",
            check=False).split())

    # Around each event

    def before(self, event):
        self.files = self.files_of_people()
        self.commits = self.commits_of_people()
        self.tip_before = self.host.tip
        if self.knows_nothing():  # what stands there is adopted
            self.ever_deployed.add(self.host.commit())
        if event.kind.startswith("run --") and "back" not in event.kind and (
                "force" not in event.kind):
            self.state = self.all_there_is()

    def knows_nothing(self):
        """Nothing is on record as deployed."""
        record = self.host.record
        return not record.exists() or "\ndeployed = " not in (
            "\n" + record.read_text())

    def all_there_is(self):
        """But for the times of git's objects, which git renews when it would
        write one again."""
        found = listing(self.host.checkout, self.host.state,
                        self.host.services)
        return {path: tells[-1:] if "/.git/objects" in path else tells
                for path, tells in found.items()}

    def after_other(self, event):
        """An event that is no run."""
        if event.kind.startswith(("somebody", "a ")):
            self.disturbed.add(DISTURBS.get(event.kind, "moved"))
        if self.record_was_lost and self.knows_nothing() and (
                self.disturbed & {"moved", "environments", "configuration"}):
            self.is_unknown = True
        if event.kind == "somebody clones anew":
            self.was_cloned = True
        if (event.kind == "the record is lost"
                and not self.host.record.exists()):
            self.held = {tip: "maybe" for tip in self.held}
            self.record_was_lost = True
        if self.host.tip != self.tip_before:
            for tip in self.held:
                self.held[tip] = "maybe"

    def after_run(self, event, run):
        require(not WORDS_OF_A_DEFECT.search(run.stdout + run.stderr),
                "a message of a defect")
        self.require_people_keep_theirs()
        restarts = sum(call.startswith("systemctl restart")
                       for call in self.host.calls())
        require(restarts <= MOST_RESTARTS, f"{restarts} restarts in one run")
        if "--dry-run" in event.kind or "--status" in event.kind:
            state = self.all_there_is()
            changed = sorted(path for path in state.keys() | self.state.keys()
                             if state.get(path) != self.state.get(path))
            require(not changed,
                    f"a run that only reads changed: {changed}")
            require(run.returncode in (0, 1), f"exit code {run.returncode}")
            return
        stops = {"kill": (-9, 137), "end ": (143, -15)}.get(event.kind[:4], ())
        require(run.returncode in (0, 1, *stops),
                f"exit code {run.returncode}")
        if stops:
            self.stopped_at.add(self.host.tip)
        if run.returncode != 0 and self.host.down.exists():
            self.may_be_blamed.add(self.host.tip)
        if "--rollback" in event.kind:
            self.after_roll_back(run, "COMMIT" in event.kind
                                 and self.host.asked)
        else:
            self.after_deployment(run, "--force" in event.kind)

    def require_people_keep_theirs(self):
        for name, text in self.files.items():
            path = self.host.checkout / name
            require(path.is_file() and path.read_text() == text,
                    f"{name} was somebody's, and is lost")
        lost = self.commits - self.commits_of_people()
        require(not lost, f"commits of people are lost: {lost}")

    def after_deployment(self, run, force):
        tip = self.host.tip
        if force:
            if self.held.pop(tip, None) and run.returncode != 0:
                self.held[tip] = "maybe"
        if run.returncode == 1 and "rolled back to" in run.stderr:
            # It says so: then it has to be so.
            self.require_way_back(self.host.commit())
        if run.returncode != 0:
            if self.is_good(tip):
                self.may_be_deployed.add(tip)
                self.ever_deployed.add(tip)
            if self.host.is_away() and "environments" in self.disturbed:
                # What was gone is made again for what is checked out.
                self.may_be_deployed.add(self.host.commit())
                self.ever_deployed.add(self.host.commit())
            return
        if self.is_held(run):
            return
        self.held.pop(tip, None)
        self.all_is_well_at(self.host.commit(), tip)

    def is_held(self, run):
        """The tip was taken back by a person, and the run says so."""
        return (self.held.get(self.host.tip) and run.returncode == 0
                and "is quarantined" in run.stderr)

    def require_way_back(self, commit):
        require(self.is_unknown or commit in self.may_be_deployed,
                f"{commit} is checked out, and {self.may_be_deployed} must be")
        self.all_is_well_at(commit)

    def after_roll_back(self, run, asked):
        commit = self.host.commit()
        if run.returncode != 0:
            self.may_be_deployed |= self.ever_deployed
            for tip in {self.host.tip, commit} | self.may_be_deployed:
                self.held.setdefault(tip, "maybe")
            return
        require(commit == asked or not asked and commit in self.ever_deployed,
                f"rolled back to {commit}")
        self.all_is_well_at(commit)
        if self.host.is_away():
            for tip in self.host.trees:
                self.held[tip] = "maybe"
        elif commit == self.host.tip:
            self.held.pop(commit, None)
        else:  # a bad one stays that, whoever leaves it
            is_good = self.is_good(self.host.tip)
            self.held[self.host.tip] = "yes" if is_good else "maybe"

    def all_is_well_at(self, commit, tip=None):
        """The program says so: the host must serve the commit, which has all
        of the tip."""
        if tip:
            require(tip in self.host.ancestors(commit),
                    f"the exit code is 0, the tip is {tip}, and {commit} is "
                    "checked out")
        if not self.is_unknown:
            self.require_serves(commit)
        self.deployed = tip or self.own_on_top(commit)[-1]
        self.may_be_deployed = set(self.own_on_top(commit))
        self.ever_deployed |= self.may_be_deployed
        self.disturbed = set()
        self.stopped_at = set()
        self.host.is_well = True

    # What a host must be like

    def require_serves(self, commit):
        """Branch, work tree, environments and services are at the commit."""
        host = self.host
        require(host.git(host.checkout, "symbolic-ref", "HEAD").strip()
                == "refs/heads/prod", "another branch is checked out")
        self.require_clean()
        tree = host.trees[commit]
        allowed = self.own_on_top(commit)
        for name in host.components():
            manifest, environment, source = PARTS[name]
            manifest = tree.get(f"{name}/{manifest}")
            unit = host.services / host.unit_of(name)
            if manifest is None:
                self.require_is_harmless(name, commit)
                continue
            made_from = host.checkout / name / environment / "made-from"
            require(made_from.exists(), f"{name} has no {environment}")
            require(made_from.read_text() == manifest,
                    f"the {environment} is made from {made_from.read_text()!r}"
                    f", and {commit} has {manifest!r}")
            require(unit.exists(), f"{unit.name} was never restarted")
            at, _, runs_on = unit.read_text().partition("\n")
            require(at in allowed, f"{unit.name} was restarted at {at}, and "
                    f"{commit} is checked out")
            require(runs_on == manifest, f"{unit.name} runs on what was made "
                    f"from {runs_on!r}, and {commit} has {manifest!r}")
            loaded = unit.with_name(unit.name + ".loaded").read_text()
            require(loaded == host.trees[at].get(f"{name}/{source}", "")
                    or loaded.startswith("mine"),
                    f"{unit.name} loaded {loaded!r} at {at}")
            require(not self.is_down(name), f"{unit.name} is down")

    def is_down(self, name):
        unit = self.host.services / self.host.unit_of(name)
        return unit.with_name(unit.name + ".crash").exists()

    def require_is_harmless(self, name, commit):
        """Nothing of a bad commit runs. Of `commit`, which has nothing of it,
        nobody expects that it does."""
        unit = self.host.services / self.host.unit_of(name)
        if unit.exists():
            at = unit.read_text().partition("\n")[0]
            require(at == commit or "crash" not in self.host.trees[at],
                    f"{unit.name} was left on {at}")

    def require_clean(self):
        """Nothing is changed, but by people and npm."""
        status = self.host.git(self.host.checkout, "status", "--porcelain",
                               "--untracked-files=all", "-z")
        paths = {line[3:] for line in status.split("\0") if line}
        more = paths - set(self.files_of_people()) - {
            "frontend/package-lock.json"}
        require(not more, f"changed in the checkout: {sorted(more)}")

    def require_nothing_is_left(self):
        host = self.host
        left = [str(path.relative_to(host.root))
                for folder in (host.checkout, host.state, host.temporary)
                for pattern in LEFTOVERS for path in folder.rglob(pattern)
                # What a git that was stopped left, git removes some day.
                if host.checkout / ".git/objects" not in path.parents
                # What left the configuration is nobody's concern.
                and not any(host.checkout / part in path.parents
                            for part in PARTS.keys() - host.components())]
        # The next run that writes the record, or the history, removes what one
        # that was killed at that left of it; there may have been none.
        others = [path for path in left if "/state/record." not in path]
        of_history = [path for path in left if "/record.history." in path]
        require(not others and len(of_history) <= 1
                and len(left) - len(of_history) <= 1, f"left behind: {left}")
        require(not host.processes(), "processes are left")

    # The end

    def calm(self):
        """Lets the program run until nothing changes; returns the last run."""
        host = self.host
        host.mend()
        seen = []
        while len(seen) < 3 or seen[-1] != seen[-2]:
            require(len(seen) < RUNS_TO_CALM,
                    "the program does not come to rest")
            host.later()
            self.files = self.files_of_people()
            self.commits = self.commits_of_people()
            run = host.run_of(by_timer=True)
            self.after_run(TICK, run)
            seen.append((run.returncode, host.commit(), self.all_services()))
        return run

    def all_services(self):
        return {path.name: path.read_text()
                for path in self.host.services.iterdir()
                if not path.name.endswith(".invocations")}

    def judge(self, run):
        """`run` is the last one; returns how the history ended."""
        expected = self.expected()
        if self.is_unknown:
            return "unknown"
        if (run.returncode != 0 and self.was_moved()
                and "moved the checkout" in run.stderr):
            observed = "refused"
            if "bad" in expected:  # and quarantined
                expected.add("refused")
        elif run.returncode != 0:
            observed = "bad" if "bad" in expected else "refused"
        elif self.is_held(run):
            observed = "held"
        else:
            is_there = self.host.tip in self.host.ancestors(self.host.commit())
            observed = "deployed" if is_there else "nothing"
        require(observed in expected, f"the end is '{observed}' (exit code "
                f"{run.returncode}), and must be {expected}")
        getattr(self, "judge_" + observed)(run)
        return observed

    def was_moved(self):
        """By a person, from what was deployed."""
        return self.may_be_deployed != {self.host.commit()}

    def expected(self):
        host = self.host
        tip, local = host.tip, host.local()
        here, there = set(host.ancestors(local)), set(host.ancestors(tip))
        taken_away = {one for one in here - there if one in host.pushed}
        ways = set()
        if self.held.get(tip):
            ways.add("held")
            # Who moved the checkout is told so by each run.
            if self.was_moved():
                ways.add("refused")
            if self.held[tip] == "yes":
                return ways
        follows = host.settings["reset"]
        if here - there and there - here and not follows:
            return ways | {"refused"}
        if taken_away and not there - here:
            if not follows and self.deployed in taken_away:
                return ways | {"refused"}
            # What only a person fetched may pass for a person's.
            if self.deployed not in taken_away:
                return ways | {"deployed", "refused"}
        is_move = there - here or taken_away
        # From another branch git goes to the branch first.
        if self.is_in_the_way(local, tip if is_move else local):
            return ways | {"refused"}
        if any(self.is_in_the_way(local, one) for one in self.stopped_at):
            ways.add("refused")  # it could be what that left of the file
        if tip in self.may_be_blamed:
            ways.add("bad")
        folders = {path.partition("/")[0] for path in host.trees[tip]}
        if self.was_cloned and not folders.issuperset(host.components()):
            ways.add("refused")  # it could be a typing error
        if not self.is_good(tip):
            return ways | {"bad"}
        if "crash" in host.trees[tip]:
            ways |= {"bad"}  # it crashed in another configuration
        return ways | {"deployed"}

    def is_in_the_way(self, *way):
        """A move to the first of the commits, or from one to the next, would
        overwrite something of a person's."""
        trees = [self.host.trees[commit]
                 for commit in (self.host.commit(), *way)]
        return any(overwrites(name, before, after)
                   for name in self.files_that_stay()
                   for before, after in zip(trees, trees[1:]))

    def judge_deployed(self, run):
        require((run.stdout, run.stderr) == (NOTHING, ""),
                "there is more to do, or to say")
        self.require_nothing_is_left()
        status = self.status()
        commit = self.host.commit()
        deployed = status["deployed"]["commit"]
        was_adopted = self.record_was_lost and not deployed
        require(was_adopted or deployed in self.own_on_top(commit),
                f"--status says: {status['deployed']}")
        require(status["pending"] is None, f"--status says: {status}")
        require(status["quarantined"] != self.host.tip,
                f"--status says: {status}")

    def judge_held(self, run):
        require(run.stderr.count("\n") <= 1, "more than one line")
        self.judge_quarantined()

    def judge_bad(self, run):
        tip = self.host.tip
        if self.host.settings["in-place"] or self.is_stuck() or (
                tip in self.may_be_deployed):  # in another configuration
            return
        if not all(map(self.is_here, self.may_be_deployed)):
            self.judge_without_way_back()
            return
        status = self.status()
        if "crash" in self.host.trees[tip] or (
                tip in self.may_be_blamed and status["quarantined"] == tip):
            self.judge_quarantined()
            return
        require((status["pending"] or {}).get("commit") == tip,
                f"--status says: {status}")
        self.require_nothing_is_left()
        # A component that is not as it was waits for a push that installs.
        if not self.disturbed & {"moved", "configuration"}:
            self.require_way_back(self.host.commit())

    def judge_quarantined(self):
        status = self.status()
        require(status["quarantined"] == self.host.tip,
                f"--status says: {status}")
        require(status["pending"] is None, f"--status says: {status}")
        self.require_nothing_is_left()
        # Who moved the checkout keeps it until another commit comes.
        if "moved" not in self.disturbed:
            self.require_way_back(self.host.commit())

    def is_here(self, commit):
        """The checkout has its objects; another clone may not."""
        return self.host.git(self.host.checkout, "rev-list", "--no-walk",
                             commit, check=False) != ""

    def judge_without_way_back(self):
        status = self.status()  # and no rollback is recorded
        require((status["pending"] or {}).get("commit") == self.host.tip
                or status["quarantined"] == self.host.tip,
                f"--status says: {status}")
        self.require_nothing_is_left()

    def is_stuck(self):
        """A file of somebody's is on the way back."""
        return any(self.is_in_the_way(commit)
                   for commit in self.may_be_deployed)

    def judge_refused(self, run):
        require(run.stderr != "", "it does not say why")
        record = entries(self.host.record)
        require("running" not in record, f"recorded: {record}")

    def status(self):
        run = self.host.run_of("--status", "--json")
        require(run.returncode == 0, "--status failed")
        record = (entries(self.host.record) if self.host.record.exists()
                  else {})  # what stands there was adopted
        for name in ("running", "roll-back-to"):
            require(name not in record, f"recorded: {record}")
        return json.loads(run.stdout)


def overwrites(name, before, after):
    """A move from one tree to another does, of a file here."""
    return any(
        name == other or other in after and (
            other.startswith(name + "/") or name.startswith(other + "/"))
        for other in before.keys() | after.keys()
        if before.get(other) != after.get(other))


class Tick:
    kind = "tick"


TICK = Tick()
