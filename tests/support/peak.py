"""The peak memory of a program itself.

ru_maxrss of wait4(2) does not tell it: it begins with what the parent had in
memory at the fork and takes in the program's children. Here the program is
stopped as it exits (ptrace(2), PTRACE_O_TRACEEXIT) and asked for its VmHWM.
"""

import ctypes
import os
import re
import signal
from pathlib import Path

TRACEME, CONT, SETOPTIONS, GETEVENTMSG = 0, 7, 0x4200, 0x4201
TRACEFORK, TRACEVFORK, TRACECLONE, TRACEEXIT, EXITKILL = (
    0x2, 0x4, 0x8, 0x40, 0x100000)
EVENT_EXIT = 6

_libc = ctypes.CDLL(None, use_errno=True)


def _ptrace(request, pid, data=0):
    if _libc.ptrace(ctypes.c_long(request), ctypes.c_long(pid),
                    ctypes.c_void_p(0), ctypes.c_void_p(data)) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace({request})")


def _resident(pid):
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found.group(1)) if found else 0


def peak_memory(argv, environment, children=False):
    """Exit status, and KiB: the program's own peak, or with `children` the
    largest of its whole tree. It writes to nowhere; `argv` names a path."""
    pid = os.fork()
    if pid == 0:
        try:
            nowhere = os.open("/dev/null", os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(nowhere, fd)
            _ptrace(TRACEME, 0)
            os.execve(argv[0], argv, environment)
        finally:
            os._exit(127)
    os.waitpid(pid, 0)  # stopped by exec
    options = TRACEEXIT | EXITKILL
    if children:
        options |= TRACEFORK | TRACEVFORK | TRACECLONE
    _ptrace(SETOPTIONS, pid, options)
    _ptrace(CONT, pid)
    return _follow(pid)


def _follow(pid):
    peak, status = 0, None
    known = {pid}
    while status is None:
        who, what = os.waitpid(-1, 0x40000000)  # __WALL
        if not os.WIFSTOPPED(what):
            known.discard(who)
            if who == pid:
                status = os.waitstatus_to_exitcode(what)
            continue
        deliver = os.WSTOPSIG(what)
        if what >> 16 == EVENT_EXIT:
            peak = max(peak, _resident(who))
        if what >> 16 or deliver == signal.SIGTRAP or (
                deliver == signal.SIGSTOP and who not in known):
            deliver = 0
        known.add(who)
        try:
            _ptrace(CONT, who, deliver)
        except ProcessLookupError:
            pass  # killed while it was stopped
    return status, peak
