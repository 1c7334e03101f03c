"""Deployments that a crash test kills, and what must be true afterwards."""

import collections
import re
import shutil
import subprocess

from support import require
from support.record import entries
from support.world import CONFIG, World, made_from

STRACE = shutil.which("strace")
UNSHARE = shutil.which("unshare")

UNITS = ["frontend-deployment.service", "backend-deployment.service"]
LEFTOVERS = ["*.lock", "tmp_*", "*.tmp", "record.*", ".deployment-update.*",
             "stage", "index.*"]

# Kinds of files change too, and a run is killed halfway there.
FIRST_SHAPE = {"gone": "1\n", "file": "1\n", "folder/file": "1\n"}
SECOND_SHAPE = {"gone": None, "file": None, "file/folder": "2\n",
                "folder/file": None, "folder": "2\n"}


# strace counts the calls of each name: this is the `time`-th of `name`.
Call = collections.namedtuple("Call", "name time")


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
        left = [path for folder in (self.checkout, self.state, self.temporary)
                for pattern in LEFTOVERS for path in folder.rglob(pattern)]
        require(not left, f"left behind: {left}")
        return record


class Deployment:
    """Puts a commit in place, with every step that this takes."""

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
    """It is done, or it never began."""

    def prepare(self, host):
        host.push_version("2")
        host.converge(0)

    def judge(self, host):
        run = host.run()
        host.said = run.stderr
        record = entries(host.record)
        require(run.returncode == 0, f"exit code {run.returncode}")
        if "quarantined" in record:
            require(record["quarantined"] == host.tip, f"recorded: {record}")
            host.check_everything_is_at(host.first)
        else:
            host.check_everything_is_at(host.tip)


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
    Divergence("divergence", "on-divergence = reset\n"),
    RollBack("roll-back"),
    RollBackByHand("roll-back-by-hand", arguments=["--rollback"]),
]
