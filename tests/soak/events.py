"""What can happen to a host, and random histories of it.

An event is a kind and a number, which decides all that the kind leaves open.
So a history is its list of events, and one that lacks some of them is a
history, too.
"""

import random
import shutil
from collections.abc import Callable
from typing import NamedTuple

from soak.host import PARTS, call_git, move_by_git

KINDS: dict[str, tuple[int, Callable]] = {}  # name: (how often, function)
LENGTHS = range(6, 21)


class Event(NamedTuple):
    number: int  # in its history
    kind: str
    choice: int


def history(seed, index):
    """Returns the events of a history; they depend on these two alone."""
    chance = random.Random(f"{seed}/{index}")
    kinds = list(KINDS)
    often = [KINDS[kind][0] for kind in kinds]
    chosen = chance.choices(kinds, often, k=chance.choice(LENGTHS))
    if chance.random() < 0.1:
        chosen.insert(0, "build in place")
    return [Event(number, kind, chance.getrandbits(32))
            for number, kind in enumerate(chosen, 1)]


def happens(host, event):
    """Lets it happen; returns what a reader of the history should know."""
    host.was_well, host.is_well = host.is_well, False
    return KINDS[event.kind][1](host, random.Random(event.choice),
                                event.number)


def kind(name, often):
    def add(function):
        KINDS[name] = (often, function)
        return function
    return add


# Pushes

def mended(host):
    """The files that make a bad commit good."""
    files = {"crash": None}
    if "missing" in host.trees[host.tip]["backend/requirements.txt"]:
        files["backend/requirements.txt"] = f"flask==mended{host.tip[:6]}\n"
    return files


def some_files(chance, number, least=0):
    every = {
        "frontend/package.json": f'{{"version": "{number}"}}\n',
        "frontend/package-lock.json": f"{number}\n",
        "backend/requirements.txt": f"flask=={number}\n",
        "frontend/app.js": f"{number}\n",
        "backend/server.py": f"{number}\n",
        "README": f"{number}\n",
        "docs/a": f"{number}\n",
    }
    names = chance.sample(list(every), chance.randint(least, 4))
    return {name: every[name] for name in names}


def described(commit, files):
    return f"{commit[:12]}: {', '.join(files)}"


@kind("push", 16)
def push_good(host, chance, number):
    files = mended(host) | some_files(chance, number, 1)
    return described(host.push(files, f"Good {number}"), files)


@kind("push what cannot be installed", 5)
def push_missing(host, chance, number):
    files = (mended(host) | some_files(chance, number)
             | {"backend/requirements.txt": f"missing=={number}\n"})
    return described(host.push(files, f"Missing {number}"), files)


@kind("push what crashes", 8)
def push_crash(host, chance, number):
    files = (mended(host) | some_files(chance, number)
             | {"crash": f"{number}\n"})
    return described(host.push(files, f"Crash {number}"), files)


@kind("push a revert", 4)
def push_revert(host, chance, number):
    to = chance.choice(host.ancestors(host.tip)[:4])
    commit = host.push_tree(dict(host.trees[to]), f"Revert {number}")
    return f"{commit[:12]}: the files of {to[:12]}"


@kind("push back in time", 5)
def rewind(host, chance, number):
    to = chance.choice(host.ancestors(host.tip)[:4])
    host.rewind(to)
    return f"to {to[:12]}"


@kind("push an amended commit", 4)
def amend(host, chance, number):
    if not host.parents[host.tip]:
        return "nothing"
    files = mended(host) | some_files(chance, number, 1)
    tree = dict(host.trees[host.tip]) | files
    tree = {name: text for name, text in tree.items() if text is not None}
    return described(host.push_tree(tree, f"Amended {number}", amend=True),
                     files)


@kind("push without a manifest", 3)
def drop_manifest(host, chance, number):
    files = mended(host) | {"frontend/package.json": None}
    return described(host.push(files, f"Dropped {number}"), files)


@kind("push a renamed file", 2)
def rename(host, chance, number):
    here, there = (("docs/a", "docs/b")
                   if "docs/a" in host.trees[host.tip] else
                   ("docs/b", "docs/a"))
    files = mended(host) | {
        here: None, there: host.trees[host.tip].get(here, f"{number}\n")}
    return described(host.push(files, f"Renamed {number}"), files)


@kind("push a file that becomes a folder, or back", 4)
def reshape(host, chance, number):
    if "shape" in host.trees[host.tip]:
        files = {"shape": None, "shape/inner": f"{number}\n"}
    else:
        files = {"shape/inner": None, "shape": f"{number}\n"}
    files = mended(host) | files
    return described(host.push(files, f"Shape {number}"), files)


@kind("push a file that was ignored, or without it", 2)
def track_ignored(host, chance, number):
    is_there = ".env" in host.trees[host.tip]
    files = mended(host) | {".env": None if is_there else f"{number}\n"}
    return described(host.push(files, f"Ignored {number}"), files)


# People at the checkout. Nobody works there while the disk is full.

def person(name, often):
    def add(function):
        def act(host, chance, number):
            if host.filler:
                return "nothing: the disk is full"
            return function(host, chance, number)
        return kind(name, often)(act)
    return add


@person("somebody edits", 4)
def edit(host, chance, number):
    name = chance.choice(["README", "backend/server.py", "frontend/app.js",
                          "docs/a", "shape"])
    path = host.checkout / name
    if not path.is_file():
        return "nothing"
    path.write_text(f"mine {number}\n")
    if chance.random() < 0.3:
        call_git(host, "add", "--", name)
    return name


@person("npm rewrites its lock file", 2)
def rewrite(host, chance, number):
    path = host.checkout / "frontend/package-lock.json"
    if path.is_file():
        path.write_text(f"npm {number}\n")


@person("somebody leaves a file", 3)
def leave(host, chance, number):
    name = chance.choice(["notes", "docs/b", "shape/mine", ".env",
                          "backend/.env"])
    path = host.checkout / name
    if not path.parent.is_dir() or path.exists():
        return "nothing"
    path.write_text(f"mine {number}\n")
    return name


@person("somebody takes away what is not committed", 4)
def clean_up(host, chance, number):
    call_git(host, "reset", "-q", "--hard")
    call_git(host, "clean", "-q", "-f", "-d")
    for name in (".env", "backend/.env"):
        if call_git(host, "check-ignore", "-q", name):
            (host.checkout / name).unlink(missing_ok=True)


@person("somebody commits", 2)
def commit(host, chance, number):
    name = chance.choice(["README", f"own-{number}"])
    made = host.commit_here(name, f"own {number}\n")
    return f"{made[:12]}: {name}" if made else "which fails"


@person("somebody makes a branch", 1)
def branch(host, chance, number):
    call_git(host, "checkout", "-q", "-b", f"other-{number}")


@person("somebody takes another branch", 1)
def checkout(host, chance, number):
    where = chance.choice(["prod", "--detach"])
    call_git(host, "checkout", "-q", where)
    return where


@person("somebody pulls", 3)
def pull(host, chance, number):
    could = move_by_git(host, "pull", "-q", "--ff-only", "origin", "prod")
    return host.commit()[:12] if could else "which fails"


@person("somebody fetches", 1)
def fetch(host, chance, number):
    call_git(host, "fetch", "-q", "origin")


@person("somebody resets to the commit before", 2)
def reset_back(host, chance, number):
    could = move_by_git(host, "reset", "-q", "--hard", "HEAD~1")
    return host.commit()[:12] if could else "which fails"


@person("somebody resets to the remote", 3)
def reset_to_remote(host, chance, number):
    if host.is_away():
        return "nothing"
    call_git(host, "fetch", "-q", "origin")
    could = move_by_git(host, "reset", "-q", "--hard", "origin/prod")
    return host.commit()[:12] if could else "which fails"


@person("somebody removes an environment", 3)
def remove_environment(host, chance, number):
    name = chance.choice(["backend/venv", "frontend/node_modules"])
    shutil.rmtree(host.checkout / name, ignore_errors=True)
    return name


@person("somebody removes all that is ignored", 1)
def clean_all(host, chance, number):
    call_git(host, "clean", "-q", "-f", "-d", "-x")


@person("somebody packs the repository", 1)
def collect(host, chance, number):
    call_git(host, "gc", "-q", "--prune=now")


@person("somebody clones anew", 1)
def clone_anew(host, chance, number):
    if host.is_away():
        return "nothing"
    shutil.rmtree(host.checkout)
    host.git(host.root, "clone", "-q", host.origin.as_uri(), host.checkout)


# The configuration

@kind("build in place", 0)
def build_in_place(host, chance, number):
    host.set(**{"in-place": True})


@kind("a component leaves the configuration, or returns", 3)
def leave_or_return(host, chance, number):
    name = chance.choice(["frontend", "backend"])
    other = {"frontend": "backend", "backend": "frontend"}[name]
    host.set(**{name: not host.settings[name], other: True})
    return f"{name} {'returns' if host.settings[name] else 'leaves'}"


@kind("a service gets another name", 1)
def rename_service(host, chance, number):
    host.set(renamed=not host.settings["renamed"])
    return host.unit_of("backend")


@kind("on-divergence changes", 3)
def change_divergence(host, chance, number):
    host.set(reset=not host.settings["reset"])
    return "reset" if host.settings["reset"] else "fail"


# The machine

@kind("the remote goes away", 2)
def go_away(host, chance, number):
    if not host.is_away():
        host.go_away()


@kind("the remote comes back", 3)
def come_back(host, chance, number):
    host.come_back()


@kind("the disk fills up", 2)
def fill(host, chance, number):
    host.free_disk()
    leave_free = chance.choice([0, 4, 16, 64, 256]) << 10
    host.fill_disk(leave_free)
    return f"{leave_free} bytes are free"


@kind("the disk has room", 3)
def free(host, chance, number):
    host.free_disk()


@kind("systemctl or npm fails from now on", 2)
def begin_to_fail(host, chance, number):
    program = chance.choice(["systemctl", "npm"])
    host.fail(program)
    return program


@kind("services do not stay up, whatever they run", 2)
def bring_down(host, chance, number):
    host.down.touch()


@kind("the record is lost", 1)
def lose_record(host, chance, number):
    """Of a host that is well and stands complete."""
    if not host.was_well or host.commit() not in host.pushed or not all(
            (host.checkout / name / PARTS[name][1]).exists()
            for name in host.components()):
        return "nothing"
    host.record.unlink()


@kind("all is well with the machine", 3)
def mend(host, chance, number):
    host.mend()


@kind("time passes", 4)
def pass_time(host, chance, number):
    host.later()


# Runs. The judge looks at the world before and after each.

def is_run(event):
    return event.kind in RUNS


def run(name, often, *more, by_timer=False):
    def act(host, chance, number):
        return host.run_of(*more, by_timer=by_timer)
    kind(name, often)(act)


def stopped(name, often, signal, *more):
    def act(host, chance, number):
        return host.stopped_run(chance, signal, *more)
    kind(name, often)(act)


_FIRST_RUN = len(KINDS)
run("tick", 22, by_timer=True)
run("run by hand", 3)
run("run --force", 3, "--force")
run("run --rollback", 3, "--rollback")
run("run --dry-run", 1, "--dry-run")
run("run --dry-run --json", 1, "--dry-run", "--json")
run("run --status", 1, "--status")


@kind("run --rollback COMMIT", 2)
def roll_back_to(host, chance, number):
    host.asked = chance.choice(host.pushed)
    return host.run_of("--rollback", host.asked[:12])


@kind("kill a tick in its move", 4)
def kill_in_move(host, chance, number):
    return host.run_killed_in_move(chance)


stopped("kill a tick", 12, "KILL")
stopped("kill a run --force", 1, "KILL", "--force")
stopped("kill a run --rollback", 2, "KILL", "--rollback")
stopped("end a tick", 4, "TERM")
stopped("end a run --rollback", 1, "TERM", "--rollback")
RUNS = list(KINDS)[_FIRST_RUN:]
