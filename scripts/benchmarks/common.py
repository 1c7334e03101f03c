"""Serves every benchmark: the Release build, the machine, the documents."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from support import TOP
from support.servers import ENVIRONMENT

PATIENCE = 600  # seconds; no single command here takes that long


def run(*argv, **more):
    done = subprocess.run([str(a) for a in argv], text=True,
                          capture_output=True, timeout=PATIENCE, **more)
    if done.returncode != 0:
        raise SystemExit(f"failed: {' '.join(map(str, argv))}\n{done.stderr}")
    return done.stdout


def git(*arguments, **more):
    return run("git", "-c", "init.defaultBranch=prod", *arguments,
               env=ENVIRONMENT, **more)


def build():
    folder = TOP / "build/release"
    run("cmake", "-S", TOP, "-B", folder, "-DCMAKE_BUILD_TYPE=Release",
        "-DBUILD_TESTING=OFF")
    run("cmake", "--build", folder, "--parallel", os.cpu_count())
    return folder / "deployment-update"


def describe_machine():
    model = re.search(r"model name\s*: (.*)",
                      Path("/proc/cpuinfo").read_text())
    name = model.group(1) if model else "unknown"
    return (f"{os.cpu_count()} cores ({name}), Linux {platform.release()}, "
            f"{run('git', '--version').strip()}")


def make_origin(folder, files, refs, namespace="refs/heads/"):
    """A bare repository: `files` files on prod, and `refs` refs, all but prod
    in `namespace`."""
    git("init", "--quiet", "--bare", folder)
    stream = ["commit refs/heads/prod",
              "committer bench <bench@localhost> 1700000000 +0000",
              "data 5", "bench"]
    for number in range(files):
        stream += [f"M 100644 inline d{number // 500}/f{number}",
                   f"data {len(str(number))}", str(number)]
    git("-C", folder, "fast-import", "--quiet",
        input="\n".join(stream) + "\n")
    tip = git("-C", folder, "rev-parse", "prod").strip()
    git("-C", folder, "update-ref", "--stdin", input="".join(
        f"create {namespace}b{n} {tip}\n" for n in range(refs - 1)))
    git("-C", folder, "pack-refs", "--all")


def note(text):
    """To the person who waits."""
    print(text, file=sys.stderr, flush=True)


def write_between(page, name, lines):
    """Puts lines between the two markers `name` of a document."""
    path = TOP / "docs" / page
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = path.read_text().split(begin)
    after = rest.split(end)[1]
    path.write_text(before + begin + "\n" + "\n".join(lines) + "\n" + end
                    + after)
