"""The table of scenarios. Each starts from one commit, "first", cloned.

A scenario names the deviations in which the port is meant to differ from the
script here (deviations.py, docs/differences.md); those that hold everywhere
are not named.
"""

import json

from faithful.world import (BACKEND, FRONTEND, Act, Files, Scenario,
                            ScenarioWorld, Tick)
from support import recorder

PACKAGE = "frontend/package.json"
LOCK = "frontend/package-lock.json"
REQUIREMENTS = "backend/requirements.txt"
SERVER = "backend/server.py"

NPM = ("npm install",)
VENV = ("python3 -m venv",)
PIP_UPGRADE = ("pip install --upgrade pip",)
PIP = ("pip install -r",)
RESTART_FRONTEND = (f"systemctl restart {FRONTEND}",)
RESTART_BACKEND = (f"systemctl restart {BACKEND}",)


def package(version: int) -> Files:
    return {PACKAGE: f'{{"version": "{version}"}}\n'}


def lock(version: int) -> Files:
    return {LOCK: f'{{"lock": "{version}"}}\n'}


def requirements(version: int) -> Files:
    return {REQUIREMENTS: f"flask=={version}\n"}


def server(version: int) -> Files:
    return {SERVER: f"app = {version}\n"}


# Acts between ticks.

def push(subject: str, files: Files) -> Act:
    def do(world: ScenarioWorld) -> None:
        world.commit(subject, files)
        world.push()
    return Act(f"push '{subject}': {', '.join(files)}", do)


def push_several(commits: dict[str, Files]) -> Act:
    def do(world: ScenarioWorld) -> None:
        for subject, files in commits.items():
            world.commit(subject, files)
        world.push()
    return Act(f"push {', '.join(map(repr, commits))}", do)


def push_merge(subject: str, files: Files) -> Act:
    def do(world: ScenarioWorld) -> None:
        world.git(world.author, "checkout", "-q", "-b", "feature")
        world.commit(f"{subject}, its work", files)
        world.git(world.author, "checkout", "-q", "prod")
        world.git(world.author, "merge", "-q", "--no-ff", "-m", subject,
                  "feature")
        world.push()
    return Act(f"push merge '{subject}': {', '.join(files)}", do)


def push_mode(subject: str, path: str) -> Act:
    def do(world: ScenarioWorld) -> None:
        world.git(world.author, "update-index", "--chmod=+x", path)
        world.git(world.author, "commit", "-q", "-m", subject)
        world.push()
    return Act(f"push '{subject}': mode of {path}", do)


def push_tag(name: str, disturbs: bool) -> Act:
    """A tag of a branch's name, at the branch's present commit."""
    def do(world: ScenarioWorld) -> None:
        world.git(world.author, "tag", name)
        world.git(world.author, "push", "-q", "origin", f"refs/tags/{name}")
    return Act(f"push a tag {name}", do, disturbs)


def force_push(subject: str, files: Files) -> Act:
    """Replaces the remote's last commit by another one."""
    def do(world: ScenarioWorld) -> None:
        world.learn_subjects()
        world.git(world.author, "reset", "-q", "--hard", "HEAD^")
        world.commit(subject, files)
        world.push("--force")
    return Act(f"force-push '{subject}' in place of the last commit", do)


def force_push_back() -> Act:
    def do(world: ScenarioWorld) -> None:
        world.git(world.author, "reset", "-q", "--hard", "HEAD^")
        world.push("--force")
    return Act("force-push the last commit away", do)


def git(*words: str, disturbs: bool = False) -> Act:
    """A person runs git in the checkout."""
    return Act("in the checkout: git " + " ".join(words),
               lambda world: world.git(world.checkout, *words),
               disturbs)


def commit_here(subject: str, files: Files, disturbs: bool = False) -> Act:
    """A person commits in the checkout."""
    return Act(f"commit '{subject}' in the checkout",
               lambda world: world.commit(subject, files, world.checkout),
               disturbs)


def write_here(files: Files, disturbs: bool = False) -> Act:
    """A person, or npm, writes in the checkout."""
    return Act(f"write in the checkout: {', '.join(files)}",
               lambda world: world.write(world.checkout, files), disturbs)


def rename(text: str, before: str, after: str) -> Act:
    return Act(text, lambda world: (world.root / before).rename(
        world.root / after))


REMOTE_GONE = rename("the remote is gone", "origin.git", "origin.away")
REMOTE_BACK = rename("the remote is back", "origin.away", "origin.git")
NO_CHECKOUT = rename("the checkout is gone", "app", "app.away")
NO_REPOSITORY = rename("the checkout's .git is gone", "app/.git", "away")
BRANCH_DELETED = Act("the remote's branch is deleted", lambda world: world.git(
    world.origin, "update-ref", "-d", "refs/heads/prod"))
BRANCH_BACK = Act("the remote's branch is back", lambda world: world.push())
REBOOT = Act("the host starts anew: /tmp is empty",
             lambda world: world.program.forget(world), disturbs=True)


def crash_loop(unit: str) -> Act:
    """systemd gives the service up and refuses to start it."""
    def do(world: ScenarioWorld) -> None:
        units = json.loads((world.root / "units.json").read_text())
        units[unit]["state"] = recorder.failed(units[unit]["state"],
                                               "start-limit-hit")
        world.write_json("units.json", units)
    return Act(f"{unit} hits its start limit", do, disturbs=True)


# The usual beginning: a deployment that leaves both hashes recorded.
DEPLOYED: list[Act | Tick] = [
    push("second", package(2) | requirements(2)), Tick()]
SECOND = DEPLOYED[0]
LATER = Tick(later=True)

# Reasons to compare a scenario in place only.
ROLLS_BACK = "what was restarted is rolled back, which the script cannot"
RESTARTS_REMAIN = "all is installed by then, only restarts remain"
AT_THE_SAME_TIME = "how far the other component is when it is killed varies"

SCENARIOS = [
    # Ordinary pushes.
    Scenario("nothing_pushed", "first tick in a fresh clone", [Tick()],
             ["deploys-a-fresh-clone"]),
    Scenario("no_change", "ticks after a deployment, nothing pushed",
             [*DEPLOYED, Tick(), Tick()]),
    Scenario("docs_only", "a push that changes no manifest",
             [*DEPLOYED, push("docs", {"README.md": "More.\n"}), Tick()]),
    Scenario("package_json_only", "only package.json changes",
             [*DEPLOYED, push("third", package(3)), Tick()]),
    Scenario("requirements_only", "only requirements.txt changes",
             [*DEPLOYED, push("third", requirements(3)), Tick()]),
    Scenario("both_manifests", "both manifests change",
             [*DEPLOYED, push("third", package(3) | requirements(3)),
              Tick()]),
    Scenario("several_commits", "one push brings several commits",
             [*DEPLOYED, push_several({"third": package(3),
                                       "fourth": server(4),
                                       "fifth": requirements(5)}), Tick()]),
    Scenario("several_pushes", "several pushes between two ticks",
             [*DEPLOYED, push("third", package(3)), push("fourth", server(4)),
              Tick()]),
    Scenario("changed_and_back", "a manifest changes and changes back in one "
             "push", [*DEPLOYED, push_several({"third": requirements(3),
                                               "fourth": requirements(2)}),
                      Tick()]),
    Scenario("merge_commit", "a merge commit is pushed",
             [*DEPLOYED, push_merge("merge", requirements(3)), Tick()]),
    Scenario("first_change", "the first change, no hash is recorded",
             [push("docs", {"README.md": "More.\n"}), Tick()]),
    Scenario("revert", "a push reverts the last one",
             [*DEPLOYED, push("third", package(3) | requirements(3)), Tick(),
              push("revert third", package(2) | requirements(2)), Tick()],
             aside=["keeps-environments"]),
    Scenario("two_ticks", "the tick after a deployment does nothing",
             [*DEPLOYED, push("third", package(3)), Tick(), Tick()]),
    Scenario("mode_only", "a push changes a file's mode only",
             [*DEPLOYED, push_mode("executable", SERVER), Tick()]),
    Scenario("odd_names", "file names with spaces, quotes and other letters",
             [*DEPLOYED,
              push("ünïcode", {"docs/réad mé.txt": "a\n",
                               "docs/it's \"quoted\"": "b\n",
                               "backend/ a b/中 文.py": "c\n"}), Tick()]),
    Scenario("odd_checkout", "a checkout whose path has spaces and umlauts",
             [*DEPLOYED, push("third", package(3) | requirements(3)), Tick(),
              Tick()],
             checkout="my app's çheckout ü"),

    # Manifests that come and go.
    Scenario("package_json_deleted", "a push deletes package.json",
             [*DEPLOYED, push("no frontend", {PACKAGE: None}), Tick(),
              push("more", server(3)), Tick()]),
    Scenario("requirements_deleted", "a push deletes requirements.txt",
             [*DEPLOYED, push("no backend", {REQUIREMENTS: None}), Tick(),
              push("more", server(3)), Tick()]),
    Scenario("both_deleted", "a push deletes both manifests",
             [*DEPLOYED, push("nothing", {PACKAGE: None,
                                          REQUIREMENTS: None}), Tick(),
              Tick()]),
    Scenario("no_frontend_folder", "the frontend's folder is absent",
             [push("second", requirements(2)), Tick(),
              push("more", server(3)), Tick()],
             files={PACKAGE: None, LOCK: None}),
    Scenario("no_backend_folder", "the backend's folder is absent",
             [push("second", package(2)), Tick(), Tick()],
             files={REQUIREMENTS: None, SERVER: None}),
    Scenario("package_json_reappears", "package.json is deleted and comes "
             "back as it was",
             [*DEPLOYED, push("no frontend", {PACKAGE: None}), Tick(),
              push("frontend", package(2)), Tick()]),
    Scenario("requirements_reappear", "requirements.txt is deleted and comes "
             "back changed",
             [*DEPLOYED, push("no backend", {REQUIREMENTS: None}), Tick(),
              push("backend", requirements(3)), Tick()]),
    Scenario("component_added", "a push adds the frontend",
             [push("second", requirements(2)), Tick(),
              push("frontend", package(1)), Tick()],
             files={PACKAGE: None, LOCK: None}),

    # Commands that fail.
    Scenario("npm_fails", "npm install fails once",
             [SECOND, Tick(fails=NPM), LATER, Tick()],
             ["failure-is-kept"],
             aside=["production-untouched"]),
    Scenario("venv_fails", "python3 -m venv fails once",
             [SECOND, Tick(fails=VENV), LATER, Tick()],
             ["failure-is-kept"],
             aside=["production-untouched"]),
    Scenario("pip_upgrade_fails", "pip install --upgrade pip fails once",
             [SECOND, Tick(fails=PIP_UPGRADE), LATER, Tick()],
             ["failure-is-kept"],
             aside=["production-untouched"]),
    Scenario("pip_install_fails", "pip install -r fails once",
             [SECOND, Tick(fails=PIP), LATER, Tick()],
             ["failure-is-kept"],
             aside=["production-untouched"]),
    Scenario("pip_fails_on_update", "pip install -r fails in an update",
             [*DEPLOYED, push("third", requirements(3)), Tick(fails=PIP),
              LATER],
             ["forgets-broken-environment", "failure-is-kept"],
             aside=["production-untouched"]),
    Scenario("npm_fails_twice", "npm install fails twice",
             [SECOND, Tick(fails=NPM), Tick(fails=NPM, later=True), LATER],
             ["failure-is-kept"],
             aside=["production-untouched"]),
    Scenario("one_then_the_other", "npm install fails, then pip does",
             [SECOND, Tick(fails=NPM), Tick(fails=PIP, later=True), LATER],
             ["failure-is-kept"],
             aside=["production-untouched"]),
    Scenario("too_early", "a tick before the next try is due",
             [SECOND, Tick(fails=NPM), Tick(), LATER],
             ["backs-off", "failure-is-kept"],
             aside=["backs-off", "production-untouched"]),
    Scenario("fixed_by_a_push", "pip fails, a push mends the requirements",
             [*DEPLOYED, push("broken", requirements(3)), Tick(fails=PIP),
              push("mended", requirements(4)), Tick()],
             ["forgets-broken-environment"],
             aside=["production-untouched"]),
    Scenario("failed_then_docs", "pip fails, then another file is pushed",
             [SECOND, Tick(fails=PIP), push("docs", {"README.md": "More.\n"}),
              Tick()],
             aside=["production-untouched"]),
    Scenario("failed_then_reverted", "pip fails, the push is reverted",
             [*DEPLOYED, push("broken", requirements(3)), Tick(fails=PIP),
              push("revert", requirements(2)), Tick()],
             ["forgets-broken-environment"],
             aside=["production-untouched"]),
    Scenario("npm_failed_then_reverted", "npm fails, the push is reverted",
             [*DEPLOYED, push("broken", package(3)), Tick(fails=NPM),
              push("revert", package(2)), Tick()],
             ["forgets-broken-environment"],
             aside=["production-untouched"]),
    Scenario("first_restart_fails", "the frontend's restart fails once",
             [SECOND, Tick(fails=RESTART_FRONTEND), LATER, Tick()],
             ["hash-after-install", "failure-is-kept"],
             in_place_only=ROLLS_BACK),
    Scenario("second_restart_fails", "the backend's restart fails once",
             [SECOND, Tick(fails=RESTART_BACKEND), LATER, Tick()],
             ["hash-after-install", "failure-is-kept"],
             in_place_only=ROLLS_BACK),
    Scenario("restart_failed_then_docs", "the frontend's restart fails, then "
             "another file is pushed",
             [SECOND, Tick(fails=RESTART_FRONTEND),
              push("docs", {"README.md": "More.\n"}), Tick()],
             ["hash-after-install"],
             in_place_only=ROLLS_BACK),
    Scenario("service_dies", "the backend dies right after its restart",
             [*DEPLOYED, push("broken", server(3)),
              Tick(dies=RESTART_BACKEND), LATER],
             ["notices-a-death", "failure-is-kept"],
             in_place_only=ROLLS_BACK),
    Scenario("start_limit", "the backend crash-looped until systemd gave up",
             [*DEPLOYED, crash_loop(BACKEND), push("mended", server(3)),
              Tick(), Tick()],
             ["outlives-start-limit"]),
    Scenario("killed_in_npm", "the program is killed while npm works",
             [SECOND, Tick(kills=NPM), Tick(), Tick()],
             ["failure-is-kept"],
             in_place_only=AT_THE_SAME_TIME),
    Scenario("killed_in_pip", "the program is killed while pip works",
             [*DEPLOYED, push("third", requirements(3)), Tick(kills=PIP),
              Tick()],
             ["forgets-broken-environment", "failure-is-kept"],
             in_place_only=AT_THE_SAME_TIME),
    Scenario("killed_in_restart", "the program is killed in a restart",
             [SECOND, Tick(kills=RESTART_FRONTEND), Tick()],
             ["hash-after-install", "failure-is-kept"],
             in_place_only=RESTARTS_REMAIN),

    # Branches.
    Scenario("other_branch", "the checkout is on another branch, no change",
             [*DEPLOYED, git("checkout", "-q", "-b", "hotfix"), Tick(),
              Tick()]),
    Scenario("other_branch_change", "on another branch, and a change",
             [*DEPLOYED, git("checkout", "-q", "-b", "hotfix"),
              push("third", package(3)), Tick()]),
    Scenario("other_branch_ahead", "on another branch with a commit of its "
             "own, and a change",
             [*DEPLOYED, git("checkout", "-q", "-b", "hotfix"),
              commit_here("hotfix", server(9)), push("third", package(3)),
              Tick()]),
    Scenario("other_branch_first", "on another branch, nothing deployed yet",
             [git("checkout", "-q", "-b", "hotfix"), Tick(),
              push("second", package(2)), Tick()],
             ["deploys-a-fresh-clone"]),
    Scenario("prod_missing", "there is no local branch prod, no change",
             [*DEPLOYED, git("checkout", "-q", "-b", "hotfix"),
              git("branch", "-q", "-D", "prod"), Tick()]),
    Scenario("prod_missing_change", "no local branch prod, and a change",
             [*DEPLOYED, git("checkout", "-q", "-b", "hotfix"),
              git("branch", "-q", "-D", "prod"),
              push("third", requirements(3)), Tick()]),
    Scenario("detached", "HEAD is detached, no change",
             [*DEPLOYED, git("checkout", "-q", "--detach"), Tick()]),
    Scenario("detached_change", "HEAD is detached at an older commit, and a "
             "change",
             [*DEPLOYED, git("checkout", "-q", "--detach", "HEAD^"),
              push("third", package(3)), Tick()]),
    Scenario("detached_behind", "HEAD is detached at an older commit, no "
             "change",
             [*DEPLOYED, git("checkout", "-q", "--detach", "HEAD^"), Tick(),
              Tick()],
             ["restarts-what-it-moved-under"]),
    Scenario("local_commit_ahead", "a person committed in the checkout",
             [*DEPLOYED, commit_here("by hand", server(9)), Tick(), Tick()]),
    Scenario("diverged", "a commit in the checkout, another at the remote",
             [*DEPLOYED, commit_here("by hand", server(9)),
              push("third", package(3)), Tick(), LATER]),
    Scenario("diverged_then_reset", "diverged, then a person takes the "
             "remote's commits",
             [*DEPLOYED, commit_here("by hand", server(9), disturbs=True),
              push("third", package(3)), Tick(),
              git("reset", "-q", "--hard", "origin/prod", disturbs=True),
              LATER, Tick()],
             ["manual-pull-hides-nothing"]),
    Scenario("diverged_other_branch", "on another branch, and prod diverged",
             [*DEPLOYED, commit_here("by hand", server(9)),
              push("third", package(3)),
              git("checkout", "-q", "-b", "hotfix"), Tick()],
             ["looks-before-it-moves"]),
    Scenario("force_pushed", "the remote's last commit is replaced",
             [*DEPLOYED, force_push("other", package(3)), Tick(), LATER]),
    Scenario("force_pushed_back", "the remote's last commit is taken away",
             [*DEPLOYED, force_push_back(), Tick(), Tick()],
             ["rewind-is-a-divergence"]),
    Scenario("tag_named_prod", "a tag has the branch's name",
             [*DEPLOYED, push_tag("prod", disturbs=True),
              push("third", package(3)), Tick(), Tick()],
             ["branch-not-tag"]),

    # The checkout's files.
    Scenario("local_change_blocks", "a local change is in the way, then gone",
             [*DEPLOYED, write_here({SERVER: "app = 9\n"}),
              push("third", server(3)), Tick(), LATER,
              git("checkout", "-q", "--", SERVER), LATER]),
    Scenario("local_change_elsewhere", "a local change that is not in the way",
             [*DEPLOYED, write_here({"README.md": "Mine.\n",
                                     "notes.txt": "Mine too.\n"}),
              push("third", server(3)), Tick(), Tick()]),
    Scenario("local_manifest_change", "a local change of package.json, and a "
             "push elsewhere",
             [*DEPLOYED, write_here(package(9)), push("third", server(3)),
              Tick()],
             ["manifest-of-the-commit"]),
    Scenario("untracked_in_the_way", "an untracked file is in the way",
             [*DEPLOYED, write_here({"backend/new.py": "mine\n"}),
              push("third", {"backend/new.py": "theirs\n"}), Tick()]),
    Scenario("branch_blocked", "a local change blocks the way back to prod",
             [*DEPLOYED, git("checkout", "-q", "-b", "hotfix"),
              commit_here("hotfix", server(9)),
              write_here({SERVER: "app = 10\n"}),
              push("third", package(3)), Tick()]),
    Scenario("local_change_deleted", "a file was deleted in the checkout",
             [*DEPLOYED, write_here({"README.md": None}),
              push("third", server(3)), Tick()]),

    # Files that decide an environment beside the manifest.
    Scenario("lock_file_only", "only package-lock.json changes",
             [*DEPLOYED, push("third", lock(3)), Tick(), Tick()],
             ["lock-file-counts"]),
    Scenario("included_file_only", "only an included requirements file "
             "changes",
             [*DEPLOYED,
              push("including", {REQUIREMENTS: "-r base.txt\n",
                                 "backend/base.txt": "jinja==1\n"}), Tick(),
              push("third", {"backend/base.txt": "jinja==3\n"}), Tick()],
             ["included-files-count"]),
    Scenario("other_text_file", "a text file that nothing includes changes",
             [*DEPLOYED, push("third", {"backend/notes.txt": "words\n"}),
              Tick()]),
    Scenario("python_upgraded", "another python3, and a push elsewhere",
             [*DEPLOYED, push("third", server(3)), Tick(python="3.12.1"),
              Tick(python="3.12.1")],
             ["python-version-counts"]),
    Scenario("npm_rewrites_lock", "npm rewrites package-lock.json; a push "
             "changes it",
             [SECOND, Tick(npm_rewrites_lock=True), push("third", lock(3)),
              Tick(npm_rewrites_lock=True)],
             ["leaves-lock-file-alone", "lock-file-counts"]),
    Scenario("lock_was_rewritten", "the lock file was rewritten here; a push "
             "changes it",
             [*DEPLOYED, write_here({LOCK: "rewritten\n"}, disturbs=True),
              push("third", lock(3)), Tick()],
             ["restores-lock-file", "lock-file-counts"]),

    # The surroundings.
    Scenario("remote_gone", "the remote is away, then back",
             [*DEPLOYED, push("third", package(3)), REMOTE_GONE, Tick(),
              Tick(), REMOTE_BACK, Tick()]),
    Scenario("remote_gone_other_branch", "on another branch, the remote away",
             [*DEPLOYED, git("checkout", "-q", "-b", "hotfix"),
              push("third", package(3)), REMOTE_GONE, Tick(), REMOTE_BACK,
              Tick()],
             ["looks-before-it-moves"]),
    Scenario("branch_deleted", "the remote's branch is deleted, then back",
             [*DEPLOYED, BRANCH_DELETED, Tick(), BRANCH_BACK, Tick()]),
    Scenario("branch_deleted_other_branch", "on another branch, the remote's "
             "branch deleted",
             [*DEPLOYED, git("checkout", "-q", "-b", "hotfix"),
              BRANCH_DELETED, Tick()],
             ["looks-before-it-moves"]),
    Scenario("no_checkout", "the checkout is missing", [NO_CHECKOUT, Tick()]),
    Scenario("not_a_repository", "the checkout has no .git",
             [NO_REPOSITORY, Tick()]),
    Scenario("manual_pull", "a person pulled before the tick",
             [*DEPLOYED, push("third", package(3)),
              git("pull", "-q", "origin", "prod", disturbs=True), Tick(),
              Tick()],
             ["manual-pull-hides-nothing"]),
    Scenario("manual_pull_first", "a person pulled before the first "
             "deployment",
             [push("second", package(2)), git("pull", "-q", "origin", "prod"),
              Tick()],
             ["deploys-a-fresh-clone"]),
    Scenario("reboot", "the host starts anew between two deployments",
             [*DEPLOYED, REBOOT, push("third", server(3)), Tick()],
             ["survives-a-reboot"]),
]


def named(name: str) -> Scenario:
    for scenario in SCENARIOS:
        if scenario.name == name:
            return scenario
    raise KeyError(name)
