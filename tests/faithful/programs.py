"""The two programs under test: the reference script and the port."""

import re
from pathlib import Path

from faithful.world import MANIFESTS, ScenarioWorld, Tick
from support.record import make_due

# The script's constants that a scenario replaces, and nothing else of it.
REPO_DIR = "/home/ubuntu/sinesiAI"
HASH_FILES = {"frontend": "/tmp/frontend_package.hash",
              "backend": "/tmp/backend_requirements.hash"}


class Script:
    """The reference script, with its three paths replaced by text."""

    def __init__(self, script: Path):
        self.text = script.read_text(encoding="utf-8")
        for path in (REPO_DIR, *HASH_FILES.values()):
            if self.text.count(path) != 1:
                raise ValueError(f"{script}: {path} is not there once")

    def hash_file(self, world: ScenarioWorld, component: str) -> Path:
        return world.root / Path(HASH_FILES[component]).name

    def prepare(self, world: ScenarioWorld, tick: Tick) -> list[str]:
        text = self.text.replace(REPO_DIR, str(world.checkout))
        for component, file in HASH_FILES.items():
            text = text.replace(file, str(self.hash_file(world, component)))
        path = world.root / "script"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        return [str(path)]

    def hashes(self, world: ScenarioWorld) -> dict[str, str]:
        files = {component: self.hash_file(world, component)
                 for component in HASH_FILES}
        return {component: file.read_text(encoding="utf-8").strip()
                for component, file in files.items() if file.exists()}

    def forget(self, world: ScenarioWorld) -> None:
        """The host starts anew: what was in /tmp is gone."""
        for component in HASH_FILES:
            self.hash_file(world, component).unlink(missing_ok=True)


class Port:
    """The program of this project."""

    # A restart is looked at twice, not for seconds.
    CONFIG = "settle = 0\n"

    def __init__(self, program: Path, build: str):
        self.program = program
        self.build = build

    def record(self, world: ScenarioWorld) -> Path:
        return world.root / "state" / "record"

    def prepare(self, world: ScenarioWorld, tick: Tick) -> list[str]:
        config = world.root / "config"
        config.write_text(self.CONFIG, encoding="utf-8")
        config.chmod(0o644)
        record = self.record(world)
        if tick.later and record.exists():
            make_due(record)
        return [str(self.program), "--repo-dir", str(world.checkout),
                "--state-dir", str(record.parent), "--config", str(config),
                "--build", self.build]

    def hashes(self, world: ScenarioWorld) -> dict[str, str]:
        record = self.record(world)
        if not record.exists():
            return {}
        hashes = {}
        component = ""
        for line in record.read_text(encoding="utf-8").splitlines():
            if line.startswith("["):
                component = line.strip("[]")
            value = re.fullmatch(r"input = ([0-9a-f]{64})  (.*)", line)
            if value and value[2] == MANIFESTS.get(component):
                hashes[component] = value[1]
        return dict(sorted(hashes.items(), reverse=True))

    def forget(self, world: ScenarioWorld) -> None:
        """The host starts anew: the record is not in /tmp."""
