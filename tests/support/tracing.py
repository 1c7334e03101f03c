"""The system calls of a run, as strace(1) tells them."""

import re
import tempfile
from pathlib import Path

# Calls of its -ff output: "name(arguments) = result".
CALL = re.compile(r"^(\w+)\((.*)\)\s+= (-?\w+)")
FORKS = {"fork", "vfork", "clone", "clone3"}
OPENS = {"open", "openat", "openat2", "creat"}
WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")


def traced(world, *more):
    """A run, and the calls of each of its processes by process id."""
    trace = Path(tempfile.mkdtemp(prefix="trace-", dir=world.root))
    run = world.run_program(
        ["/usr/bin/strace", "-ff", "-y", "-qq", "-s", "4096",
         "-o", str(trace / "of"), *world.arguments(*more)],
        environment={"ASAN_OPTIONS": "detect_leaks=0"})  # it needs ptrace too
    calls = {int(file.suffix[1:]):
             [match.groups() for match in
              map(CALL.match, file.read_text(errors="replace").splitlines())
              if match]
             for file in trace.iterdir()}
    return run, dict(sorted(calls.items()))


def starts_process(call):
    """True for a call that starts a process; threads are none."""
    name, arguments, _ = call
    return name in FORKS and "CLONE_THREAD" not in arguments


def program_of(calls):
    """The process id of the program itself."""
    return next(pid for pid, of in calls.items()
                if of and of[0][0] == "execve" and
                "/deployment-update\"" in of[0][1])


def opened_to_write(calls):
    """The arguments of each call that opens a file to write; /dev/null is
    no file."""
    return [arguments for of in calls.values() for name, arguments, _ in of
            if name in OPENS and '"/dev/null"' not in arguments and
            (name == "creat" or WRITING.search(arguments))]
