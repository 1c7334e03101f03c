"""A host's home folders, bound at the same place for each site, with the
checkout of one application, its origin and a record. It is used in a root of
build-root, where all programs are the real ones but systemctl."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from matrix.row import VERSIONS, Files, Row, Wheel
from matrix.tree import tree_of
from support import TOP
from support.repositories import GIT_ENVIRONMENT, IDENTITY
from support.users import become

PROGRAM = "/mnt/deployment-update"
NPM_CACHE = "/mnt/work/npm"  # shared: npm's own is safe for that
OWNER = 1000
HOME = "/home/ubuntu"  # of the owner
CHECKOUT = f"{HOME}/app"
SITE = "/home/site"
COMMON = "settle = 0\nremote = origin\nbranch = prod\n"
LONGEST = 600  # seconds, for one command
LONGEST_ERROR = 160  # characters that are told of it
# The same author and time: the same commits.
COMMITTED = GIT_ENVIRONMENT | IDENTITY | {
    "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z", "HOME": "/nowhere"}
# A run ends processes that a killed run at its checkout's path has left.
OWN_NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child",
                  "--mount-proc"]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Snapshot:
    """A site after a step of its history."""

    code: int
    log: str
    tree: dict[str, str]
    printed: str
    record: list[str]
    restarts: list[str]


class Site:
    def __init__(self, folder: Path):
        self.folder = folder  # what is bound at /home
        self.site = folder / "site"
        self.home = folder / "ubuntu"
        self.checkout = self.home / "app"
        self.home.mkdir(parents=True)
        (self.home / "data").mkdir()
        (self.home / ".npmrc").write_text(
            f"cache={NPM_CACHE}\n" + os.environ.get("NPM_SETTINGS", ""))
        (self.home / ".gitconfig").write_text(
            '[protocol "file"]\n\tallow = always\n')  # for submodules
        subprocess.run(["chown", "-R", f"{OWNER}:{OWNER}", self.home],
                       check=True)

    def run(self, command, folder, user=0, **variables):
        """Runs a program in a folder, each by the path that it has here."""
        environment = {"PATH": PATH, "LANG": "C.UTF-8",
                       "HOME": HOME if user else "/root"} | variables
        return subprocess.run(
            [*OWN_NAMESPACES, "sh", "-ec",
             'mount --bind "$1" /home; cd "$2"; shift 2; exec "$@"', "sh",
             self.folder, folder, *(become(user) if user else []), *command],
            env=environment, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LONGEST,
            errors="replace", check=False)

    def must(self, command, folder, user=0, **variables):
        run = self.run(command, folder, user, **variables)
        if run.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, command))}: exit "
                                 f"{run.returncode}\n{run.stdout}{run.stderr}")
        return run.stdout


def write(folder: Path, files: Files) -> None:
    for name, content in files.items():
        if content is None:
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Wheel):
            with tempfile.TemporaryDirectory() as sources:
                module = Path(sources) / f"{content.name}.py"
                module.write_text(f'__version__ = "{content.version}"\n'
                                  + content.text)
                subprocess.run([TOP / "tests/sample/make-wheel", module,
                                path.parent], check=True)
        else:
            path.write_text(content)


class Author(Site):
    """Commits the versions of an application. They are on branches of its
    origin, which are named after them."""

    def __init__(self, folder: Path, row: Row):
        super().__init__(folder)
        self.row = row
        self.git("init", "-q", "-b", "prod", self.checkout, top=folder)
        for name in row.submodules:
            self.git("init", "-q", "-b", "prod", self.site / name, top=folder)
        for version in VERSIONS:
            self.commit(version)
        origin = self.site / "origin.git"
        self.git("init", "-q", "--bare", "-b", "prod", origin, top=folder)
        self.git("push", "-q", "--all", origin, top=self.checkout)

    def git(self, *arguments, top: Path) -> str:
        return subprocess.run(
            ["git", "-c", "safe.directory=*", *arguments], cwd=top,
            env=COMMITTED, check=True, stdout=subprocess.PIPE,
            text=True).stdout.strip()

    def _commit_all(self, top: Path, files: Files, version: str) -> None:
        for path in top.iterdir():
            if path.name == ".git":
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        write(top, files)
        if top == self.checkout:
            self._make_lock_files()
        self.git("add", "--all", top=top)
        for name in self.row.submodules if top == self.checkout else []:
            head = self.git("rev-parse", "HEAD", top=self.site / name)
            self.git("update-index", "--add", "--cacheinfo",
                     f"160000,{head},{name}", top=top)
        self.git("commit", "-q", "--allow-empty", "-m", version, top=top)

    def _make_lock_files(self) -> None:
        subprocess.run(["chown", "-R", f"{OWNER}:{OWNER}", self.checkout],
                       check=True)
        for folder, command in self.row.author:
            self.must(command, f"{CHECKOUT}/{folder}", OWNER)

    def commit(self, version: str) -> None:
        files = self.row.at(version)
        modules = ""
        for path, (first, changed) in self.row.submodules.items():
            is_changed = version in ("changed", "broken")
            self._commit_all(self.site / path,
                             changed if is_changed else first, version)
            modules += (f'[submodule "{path}"]\n\tpath = {path}\n'
                        f"\turl = {SITE}/{path}\n")
        self._commit_all(self.checkout,
                         files | ({".gitmodules": modules} if modules else {}),
                         version)
        self.git("branch", version, top=self.checkout)


class Production(Site):
    """Deploys what is pushed, aside or in place."""

    def __init__(self, folder: Path, author: Author, mode: str):
        super().__init__(folder)
        shutil.copytree(author.site, self.site, symlinks=True)
        subprocess.run(["chown", "-R", f"{OWNER}:{OWNER}", self.site],
                       check=True)
        self._row = author.row
        self._state = self.site / "state"
        self._calls = self.site / "calls"
        self._make_systemctl()
        (self.site / "conf").write_text(f"build = {mode}\n{COMMON}"
                                        + self._row.config)
        for path in (self.site, self._state, self.site / "conf"):
            os.chown(path, 0, 0)
        self.push("first")
        self.must(["git", "clone", "-q", *self._submodules(), "-b", "prod",
                   f"file://{SITE}/origin.git", CHECKOUT], HOME, OWNER)

    def _submodules(self):
        return ["--recurse-submodules"] if self._row.submodules else []

    def _make_systemctl(self) -> None:
        for name in ("bin", "services", "state"):
            (self.site / name).mkdir()
        shutil.copy(TOP / "tests/support/stand_ins/systemctl",
                    self.site / "bin")
        (self.site / "bin/variables").write_text(
            f"CALLS={SITE}/calls\nSERVICES={SITE}/services\n"
            f"DOWN={SITE}/down\nCHECKOUT={CHECKOUT}\n")
        self._calls.touch()

    def push(self, version: str) -> None:
        self.must(["git", "branch", "-q", "-f", "prod", version],
                  f"{SITE}/origin.git", OWNER)

    def deploy(self, *options: str) -> Snapshot:
        run = self.run([PROGRAM, f"--config={SITE}/conf",
                        f"--repo-dir={CHECKOUT}", f"--state-dir={SITE}/state",
                        *options], "/", PATH=f"{SITE}/bin:{PATH}")
        restarts = self._calls.read_text().splitlines()
        os.truncate(self._calls, 0)
        return Snapshot(run.returncode, run.stderr + run.stdout,
                        tree_of(self.checkout), self._printed(),
                        lines_of(self._state / "record"), restarts)

    def _printed(self) -> str:
        """What the programs of the services print now."""
        said = []
        for folder, command in self._row.programs:
            run = self.run(command, f"{CHECKOUT}/{folder}", OWNER,
                           PYTHONDONTWRITEBYTECODE="1")
            said.append(run.stdout.strip() or
                        f"exit {run.returncode}: {run.stderr[:LONGEST_ERROR]}")
        return "\n".join(said)


# What no two runs have in common: the clone's own name, times and durations.
# A build in place looks after no outputs.
OF_ONE_RUN = re.compile(r"^(checkout-id|since|next-try|outputs) = .*\n", re.M)
TIMES = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\b|"
                   r"(?<=deployed )\d+|(?<=failed )\d+|(?<=rolled-back )\d+")


def lines_of(record: Path) -> list[str]:
    """The record of deployments without what is of one run alone."""
    text = record.read_text() if record.exists() else ""
    return TIMES.sub("…", OF_ONE_RUN.sub("", text)).splitlines()
