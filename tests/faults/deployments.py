"""Deployments that a crash test kills, and what must be true afterwards."""

import collections
import datetime
import json
import re
import shutil
import subprocess

from support import require
from support.record import entries, let_time_pass
from support.world import CONFIG, World, made_from

STRACE = shutil.which("strace")
UNSHARE = shutil.which("unshare")

UNITS = ["frontend-deployment.service", "backend-deployment.service"]
# The next deployment removes what a run that was killed left of the history.
LEFTOVERS = ["*.lock", "tmp_*", "*.tmp", "record.[0-9a-f]*",
             ".deployment-update.*", "stage", "index.*"]

# Kinds of files change too, and a run is killed halfway there.
FIRST_SHAPE = {"gone": "1\n", "file": "1\n", "folder/file": "1\n"}
SECOND_SHAPE = {"gone": None, "file": None, "file/folder": "2\n",
                "folder/file": None, "folder": "2\n"}


# What installs make beside the environments, in each version, and what stood
# where version 2 makes something.
NPM_MAKES = """
mkdir -p dist
cat package.json >dist/page
cat package.json >../shared.out
case $(cat package.json) in
*2*) echo 2 >new.out; echo 2 >mine.out ;;
*) echo 1 >old.out ;;
esac
"""
MADE = {"1": {"frontend/dist/page": '{"version": "1"}\n',
              "shared.out": '{"version": "1"}\n',
              "frontend/old.out": "1\n", "frontend/new.out": None,
              "frontend/mine.out": "a person's\n"},
        "2": {"frontend/dist/page": '{"version": "2"}\n',
              "shared.out": '{"version": "2"}\n',
              "frontend/old.out": None, "frontend/new.out": "2\n",
              "frontend/mine.out": "2\n"}}

# strace counts the calls of each name: this is the `time`-th of `name`.
Call = collections.namedtuple("Call", "name time")


def identity(path):
    """What a label says of a thing."""
    inode, birth, change = subprocess.run(
        ["stat", "--printf=%i %.9W %.9Y", path], check=True,
        capture_output=True, text=True).stdout.split()
    return (f"d{inode}+{birth}" if path.is_dir()
            else f"f{inode}+{birth}@{change}")


class Host(World):
    """One deployment is done; `before` is what a trial starts from."""

    def __init__(self, scenario):
        super().__init__(config=CONFIG + scenario.config)
        self.scenario = scenario
        self.temporary = self.root / "tmp"
        self.temporary.mkdir()
        self.environment["TMPDIR"] = str(self.temporary)
        self.said = ""
        self.push("Crash-test", {"frontend/package-lock.json": "1\n"}
                  | FIRST_SHAPE)
        self.git(self.checkout, "pull", "-q")
        self.versions = {self.commit(): "1"}
        self.converge(0, "--force")
        self.first = self.commit()
        scenario.prepare(self)
        self.before = self.root.with_name(self.root.name + ".before")
        shutil.copytree(self.root, self.before, symlinks=True)

    def __exit__(self, *unused):
        shutil.rmtree(self.before, ignore_errors=True)
        super().__exit__(*unused)

    def push_version(self, version, **more):
        self.tip = super().push_version(version, **SECOND_SHAPE, **more)
        self.versions[self.tip] = version

    def restore(self):
        self.said = ""
        subprocess.run(["rm", "-rf", self.root], check=True)
        subprocess.run(["cp", "-a", self.before, self.root], check=True)
        self.label_copies()

    def label_copies(self):
        """Lets labels speak of the copies of outputs: inode numbers and times
        of birth are others."""
        environments = (self.checkout
                        / ".git/deployment-update/environments").glob("*/*")
        for folder in [self.checkout / "frontend/node_modules", *environments]:
            label = folder / ".deployment-update"
            if not label.exists():
                continue
            lines = label.read_text().splitlines()
            for number, line in enumerate(lines):
                word, _, rest = line.partition(" ")
                if word == "output":
                    path = rest.partition(" ")[2]
                    place = self.checkout / path
                    if folder.name != "node_modules":
                        held = folder.with_name(f"{folder.name}.outputs")
                        place = held / path.replace("/", "%2F")
                    lines[number] = f"{word} {identity(place)} {path}"
            label.write_text("".join(f"{line}\n" for line in lines))

    def converge(self, promised, *more):
        run = self.run(*more)
        self.said += run.stderr
        require(run.returncode == promised,
                f"exit code {run.returncode}:\n{run.stderr}")
        return run

    # Runs of a trial

    def killed_at(self, call, with_children):
        """Runs the program until `call`; True when it got there."""
        command = [STRACE, "-o", "/dev/null", "-e",
                   f"inject={call.name}:signal=KILL:when={call.time}",
                   *self.arguments(*self.scenario.arguments)]
        if with_children:
            # strace is the first process of a namespace of its own and ends
            # with the program; what is left there the kernel kills.
            command = [UNSHARE, "--pid", "--fork", "--mount-proc",
                       "--kill-child", *command]
        run = self.run_program(command)
        return run.returncode in (-9, 137)

    def calls_of_a_run(self):
        """The system calls that a run makes, in their order."""
        self.restore()
        log = self.root / "strace.log"
        self.run_program([STRACE, "-o", log,
                          *self.arguments(*self.scenario.arguments)])
        names = re.findall(r"^(\w+)\(", log.read_text(errors="replace"), re.M)
        seen = collections.Counter()
        calls = []
        for name in names:
            seen[name] += 1
            calls.append(Call(name, seen[name]))
        return calls

    # Checks at the end

    def check_everything_is_at(self, commit):
        record = self.check_what_runs_is(commit)
        left = [path for folder in (self.checkout, self.state, self.temporary)
                for pattern in LEFTOVERS for path in folder.rglob(pattern)]
        require(not left, f"left behind: {left}")
        return record

    def check_what_runs_is(self, commit):
        expected = made_from(self.versions[commit])
        require(self.commit() == commit, f"checked out: {self.commit()}")
        require(self.git(self.checkout, "symbolic-ref", "HEAD").strip()
                == "refs/heads/prod", "another branch is checked out")
        status = self.git(self.checkout, "status", "--porcelain")
        require(not status, f"git status: {status}")
        self.git(self.checkout, "fsck", "--strict", "--no-dangling")
        in_use = self.in_use()
        require(in_use == expected, f"in use: {in_use}")
        for unit, environment in zip(UNITS, expected):
            runs = (self.services / unit).read_text()
            require(runs == f"{commit}\n{environment}", f"{unit} runs: {runs}")
        record = entries(self.record)
        require(record["deployed"] == commit, f"recorded: {record}")
        for name in ("pending", "running", "moving-to", "roll-back-to"):
            require(name not in record, f"recorded: {record}")
        if self.scenario.has_outputs:
            self.check_outputs(MADE[self.versions[commit]])
        return record

    def check_outputs(self, expected):
        for name, text in expected.items():
            path = self.checkout / name
            found = path.read_text() if path.exists() else None
            require(found == text, f"{name}: {found}")

    def make_outputs(self):
        """The version that is deployed is built again, with outputs."""
        with (self.checkout / ".git/info/exclude").open("a") as exclude:
            exclude.write("dist/\n*.out\n")
        self.stand_in("npm", self.stand_in_text("npm") + NPM_MAKES)
        self.converge(0, "--force")
        (self.checkout / "frontend/mine.out").write_text("a person's\n")


class Deployment:
    """Puts a commit in place, with every step that this takes."""

    has_outputs = False

    def __init__(self, name, config="", arguments=()):
        self.name = name
        self.config = config
        self.arguments = arguments

    def prepare(self, host):
        host.push_version("2", **{"frontend/package-lock.json": "2\n"})
        # npm rewrote it, and somebody is on another branch.
        host.git(host.checkout, "checkout", "-q", "-b", "elsewhere")
        (host.checkout / "frontend/package-lock.json").write_text("npm\n")

    def judge(self, host):
        host.converge(0)
        host.check_everything_is_at(host.tip)
        require(host.converge(0).stderr == "", "there was more to do")


class Divergence(Deployment):
    def prepare(self, host):
        host.git(host.checkout, "commit", "-q", "--allow-empty", "-m", "own")
        host.push_version("2")

    def judge(self, host):
        super().judge(host)
        lost = host.git(host.checkout, "for-each-ref",
                        "refs/deployment-update").splitlines()
        require(len(lost) == 1, f"what was lost is kept as: {lost}")


class Checked(Deployment):
    """With commands of the components, which come before all moves."""

    def judge(self, host):
        super().judge(host)
        released = entries(host.record).get("released")
        require(released == f"{host.tip} backend", f"released: {released}")


class Told(Deployment):
    """With a program that is told of it: once, or twice when the run was
    killed while it was."""

    def prepare(self, host):
        told = host.root / "told"
        host.tell(TOLD=told)
        host.stand_in("tell", '#!/bin/sh\n. "${0%/*}/variables"\n'
                              'cat >>"$TOLD"\n')
        let_time_pass(host.record, datetime.timedelta(hours=1))
        host.converge(0)
        told.write_text("")
        super().prepare(host)

    def judge(self, host):
        super().judge(host)
        news = [json.loads(line)
                for line in (host.root / "told").read_text().splitlines()]
        require(len(news) in (1, 2), f"told: {news}")
        for one in news:
            require((one["event"], one["commit"]) == ("deployed", host.tip),
                    f"told: {one}")


class RollBack(Deployment):
    """Of a push whose services die."""

    def prepare(self, host):
        host.push_version("2", crash="yes\n")

    def judge(self, host):
        host.converge(1)
        record = host.check_everything_is_at(host.first)
        require(record.get("quarantined") == host.tip, f"recorded: {record}")
        text = host.converge(1).stderr
        require(text.count("\n") == 1 and "is quarantined" in text, text)


class RollBackByHand(Deployment):
    """It is done, or it never began: then it is as easy as before, and takes
    away what the killed one wrote of a record."""

    def prepare(self, host):
        host.push_version("2")
        host.converge(0)

    def judge(self, host):
        run = host.run()
        host.said = run.stderr
        record = entries(host.record)
        require(run.returncode == 0, f"exit code {run.returncode}")
        if "quarantined" not in record:
            host.check_what_runs_is(host.tip)
            host.converge(0, "--rollback")
            record = entries(host.record)
        require(record["quarantined"] == host.tip, f"recorded: {record}")
        host.check_everything_is_at(host.first)


class Outputs(Deployment):
    has_outputs = True

    def prepare(self, host):
        host.make_outputs()
        super().prepare(host)


class OutputsRollBack(RollBack):
    has_outputs = True

    def prepare(self, host):
        host.make_outputs()
        super().prepare(host)


class TrackedRollBack(RollBack):
    """Of a push whose services die, and which has what a build made."""

    has_outputs = True

    def prepare(self, host):
        host.make_outputs()
        host.push_version("2", **{"frontend/dist/page": "tracked\n",
                                  "crash": "yes\n"})


class DroppedRollBack(RollBack):
    """Of a push whose services die, and which drops the front end and has what
    its build made."""

    has_outputs = True

    def prepare(self, host):
        host.make_outputs()
        host.tip = host.push("Drop it", {
            "frontend/package.json": None, "frontend/dist/page": "tracked\n",
            "crash": "yes\n"})


class TrackedThenNot(Deployment):
    """Of a push that has what a build made; the next one has it no more."""

    has_outputs = True

    def prepare(self, host):
        host.make_outputs()
        # The first build made none of them.
        shutil.rmtree(host.checkout / ".git/deployment-update/environments")
        host.push("Track it", {"frontend/dist/page": "tracked\n"})

    def judge(self, host):
        host.tip = host.push("Do not", {"frontend/dist/page": None})
        host.versions[host.tip] = "1"
        super().judge(host)


class OutputsRollBackByHand(RollBackByHand):
    has_outputs = True

    def prepare(self, host):
        host.make_outputs()
        super().prepare(host)


class Workspace(Deployment):
    """Of a push that makes the front end a workspace of npm: its environment
    is in another place then."""

    def prepare(self, host):
        be_like_npm(host)
        host.push_version("2", **WORKSPACES)

    def judge(self, host):
        super().judge(host)
        require(not (host.checkout / "frontend/node_modules").exists(),
                "its own environment is still there")


class NoWorkspace(RollBack):
    """Of such a push whose services die."""

    def prepare(self, host):
        be_like_npm(host)
        host.push_version("2", crash="yes\n", **WORKSPACES)

    def judge(self, host):
        super().judge(host)
        require(not (host.checkout / "node_modules").exists(),
                "the environment of the root is still there")


class OwnRoot(RollBack):
    """The same where a folder of that name stood in the root."""

    def prepare(self, host):
        be_like_npm(host)
        own = host.checkout / "node_modules/own"
        own.parent.mkdir()
        own.touch()
        host.push_version("2", crash="yes\n", **WORKSPACES)

    def judge(self, host):
        super().judge(host)
        require((host.checkout / "node_modules/own").exists(),
                "what stood in the root is gone")


WORKSPACES = {"package.json": '{"workspaces": ["frontend"]}\n'}


def be_like_npm(host):
    """The front end's environment is in the root when there is one."""
    npm = host.stand_in_text("npm")
    host.stand_in("npm", npm.replace("cat package.json", """from=package.json
if [ -e frontend/package.json ]; then from=frontend/package.json; fi
cat $from"""))
    own = "environment=$CHECKOUT/frontend/node_modules"
    systemctl = host.stand_in_text("systemctl")
    require(own in systemctl, systemctl)
    host.stand_in("systemctl", systemctl.replace(own, own + """
      if [ ! -e $environment ]; then
        environment=$CHECKOUT/node_modules
      fi"""))
    host.in_use = lambda: [next(
        (host.checkout / folder / "made-from").read_text()
        for folder in folders if (host.checkout / folder).exists())
        for folders in (("frontend/node_modules", "node_modules"),
                        ("backend/venv",))]


SCENARIOS = [
    Deployment("staged"),
    Deployment("in-place", "build = in-place\n"),
    Checked("checked", """
[frontend]
type = npm
service = frontend-deployment.service
check = true
[backend]
type = python
service = backend-deployment.service
check = true
release = true
"""),
    Told("told", "notify = tell\n"),
    Divergence("divergence", "on-divergence = reset\n"),
    RollBack("roll-back"),
    RollBackByHand("roll-back-by-hand", arguments=["--rollback"]),
    Outputs("outputs"),
    OutputsRollBack("outputs-roll-back"),
    OutputsRollBackByHand("outputs-roll-back-by-hand",
                          arguments=["--rollback"]),
    TrackedRollBack("tracked-roll-back"),
    DroppedRollBack("dropped-roll-back"),
    Workspace("workspace"),
    NoWorkspace("no-workspace"),
    OwnRoot("own-root"),
    TrackedThenNot("tracked-then-not"),
]
