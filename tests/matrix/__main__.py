"""Compares builds in place with builds aside for many kinds of applications.

    python3 -m matrix [ROW]...

It runs in a root of build-root that is not booted, with npm, pnpm, yarn, pip
and go, the npm registry and a stand-in for systemctl; needs root. Exits with
77 where it cannot run; with HOST_TESTS=required that is a failure.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import BINARY, TOP
from support.__main__ import SKIPPED
from support.host import base_root

# Of the environment, what leads npm to its registry.
PASSED = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY",
          "HTTPS_PROXY", "NO_PROXY")


def settings_of_npm() -> str:
    """The lines of an npmrc that say what npm_config_... does."""
    prefix = "npm_config_"
    return "".join(f"{name[len(prefix):].replace('_', '-')}={value}\n"
                   for name, value in os.environ.items()
                   if name.lower().startswith(prefix))


def command_in(root: Path, work: Path, rows: list[str]) -> list[str]:
    passed = [f"--setenv={name}={os.environ[name]}"
              for name in PASSED if name in os.environ]
    return [
        "setpriv", "--pdeathsig", "KILL", "--",
        "systemd-nspawn", "--quiet", f"--directory={root}", "--read-only",
        "--register=no", "--keep-unit", "--pipe", "--as-pid2",
        "--resolv-conf=bind-host", f"--machine=matrix-{os.getpid()}",
        "--tmpfs=/tmp:mode=1777", "--tmpfs=/var/tmp:mode=1777",
        "--tmpfs=/root", "--tmpfs=/mnt", f"--bind-ro={TOP}:/mnt/source",
        f"--bind-ro={BINARY}:/mnt/deployment-update",
        f"--bind={work}:/mnt/work", "--chdir=/mnt/source/tests",
        f"--setenv=NPM_SETTINGS={settings_of_npm()}", *passed,
        "python3", "-B", "-m", "matrix.inside", *rows]


def main() -> int:
    try:
        root = Path(base_root("--applications"))
    except unittest.SkipTest as why:
        print(f"matrix: skipped: {why}")
        return 1 if os.environ.get("HOST_TESTS") == "required" else SKIPPED
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        work = Path(folder)
        work.chmod(0o755)
        # The npm cache that the root was made with spares downloads.
        shutil.copytree(root / "home/ubuntu/.npm", work / "npm", symlinks=True)
        subprocess.run(["chown", "-R", "1000:1000", work / "npm"], check=True)
        return subprocess.run(command_in(root, work, sys.argv[1:]),
                              stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
