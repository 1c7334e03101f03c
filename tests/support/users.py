"""Other users of the host: processes that have their rights and no others."""

import select
import shutil
import subprocess
import sys

from support import BINARY, NOBODY, PATIENCE, require
from support.world import World

OWNER = NOBODY  # of a checkout; he is in the user database
READER = 1  # may read what is another's; Debian calls him daemon


def become(user):
    """Returns the beginning of a command whose rest `user` runs."""
    return ["/usr/bin/setpriv", f"--reuid={user}", f"--regid={user}",
            "--clear-groups"]


def give_to(user, *paths):
    for path in paths:
        subprocess.run(["chown", "-hR", f"{user}:{user}", path], check=True)


class Actor:
    """A Python program of `user`, for as long as the context lasts: it prints
    a line when it is ready, `said`, and ends when its standard input does."""

    def __init__(self, user, program, *arguments):
        # -I -S: nothing of who runs the test, and a quick start.
        self._command = [*become(user), sys.executable, "-I", "-S", "-c",
                         program, *map(str, arguments)]

    def __enter__(self):
        self._process = subprocess.Popen(
            self._command, cwd="/", text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        try:
            ready, _, _ = select.select([self._process.stdout], [], [],
                                        PATIENCE)
            self.said = self._process.stdout.readline() if ready else ""
            require(self.said, "it is not ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    @property
    def pid(self):
        return self._process.pid

    def end(self):
        """Lets it end; returns what else it printed."""
        said, _ = self._process.communicate(timeout=PATIENCE)
        require(self._process.returncode == 0, "it failed")
        return said

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait(PATIENCE)
        self._process.stdin.close()
        self._process.stdout.close()


class OwnedWorld(World):
    """Its checkout is one of OWNER, who has a state folder of his own."""

    def __init__(self, **options):
        super().__init__(**options)
        self.trust_every_owner()
        self.services.chmod(0o777)  # his systemctl writes there
        # The build may be in a folder that only root enters.
        self.program = shutil.copy(BINARY, self.root)
        self.state_of_owner = self.root / "state-of-owner"
        self.state_of_owner.mkdir()
        give_to(OWNER, self.checkout, self.origin, self.state_of_owner)

    def command_of(self, user, *more):
        """The program as `user` starts it."""
        command = [self.program, *self.arguments(*more)[1:]]
        if user == 0:
            return command
        return become(user) + [f"--state-dir={self.state_of_owner}"
                               if word.startswith("--state-dir=") else word
                               for word in command]
