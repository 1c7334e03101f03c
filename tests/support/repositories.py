"""An origin, the clone of an author who pushes to it, and a checkout."""

import subprocess
from pathlib import Path

from support import PATIENCE

Files = dict[str, str | None]  # by path; None: the file is removed

# Nothing of the configuration of who runs a test gets in.
GIT_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1"}

IDENTITY = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org"}

FIRST_FILES: Files = {
    ".gitignore": "node_modules/\nvenv/\n",
    "frontend/package.json": '{"version": "1"}\n',
    "backend/requirements.txt": "flask==1\n",
    "backend/server.py": "app = 1\n",
}


def write_files(folder: Path, files: Files) -> None:
    """A folder that loses its last file goes too, as git does it."""
    for name, text in files.items():
        path = folder / name
        if text is None:
            path.unlink(missing_ok=True)
            if path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


class Repositories:
    """In the folder `root`. `environment` is what git and, in a world, the
    program run with."""

    def __init__(self, root: Path, checkout: str = "app"):
        self.root = root
        self.origin = root / "origin.git"
        self.author = root / "author"
        self.checkout = root / checkout
        self.environment = GIT_ENVIRONMENT | IDENTITY | {
            "HOME": str(root / "home")}

    def make_repositories(self, subject: str, files: Files,
                          clone_options: tuple[str, ...] = ()) -> None:
        (self.root / "home").mkdir()
        self.git(self.root, "init", "-q", "--bare", "-b", "prod", self.origin)
        self.git(self.root, "init", "-q", "-b", "prod", self.author)
        self.git(self.author, "remote", "add", "origin", self.origin)
        self.commit_files(subject, files)
        self.push_commits()
        self.git(self.root, "clone", "-q", *clone_options,
                 self.origin.as_uri(), self.checkout)

    def git(self, folder: Path, *arguments, check: bool = True) -> str:
        """Runs git; returns what it prints."""
        return subprocess.run(
            ["git", *map(str, arguments)], cwd=folder, check=check,
            capture_output=True, text=True, timeout=PATIENCE,
            env=self.environment | self.more_for_git()).stdout

    def more_for_git(self) -> dict[str, str]:
        return {"GIT_OPTIONAL_LOCKS": "0"}

    def trust_every_owner(self) -> None:
        """From here on git works in folders of other users too."""
        config = self.root / "gitconfig"
        config.write_text("[safe]\n\tdirectory = *\n", encoding="utf-8")
        del self.environment["GIT_CONFIG_NOSYSTEM"]
        self.environment["GIT_CONFIG_SYSTEM"] = str(config)

    def commit_files(self, subject: str, files: Files,
                     folder: Path | None = None) -> None:
        folder = folder or self.author
        write_files(folder, files)
        self.git(folder, "add", "--all")
        self.git(folder, "commit", "-q", "-m", subject)

    def push_commits(self, *options: str) -> None:
        self.git(self.author, "push", "-q", *options, "origin",
                 "HEAD:refs/heads/prod")
