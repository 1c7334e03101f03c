"""Attempts what a run of the service may not do, and prints the outcome.

Each line reads `probe: ATTEMPT: allowed` or `probe: ATTEMPT: refused`, or
`probe: FIELD: VALUE` for what /proc says of the process. Changes nothing that
lasts.
"""

import ctypes
import os
import socket
import subprocess
from pathlib import Path

NEW_MOUNTS = 0x20000
NEW_USER = 0x10000000
NEW_NETWORK = 0x40000000
UNAME26 = 0x0020000
RECURSIVE = 0x4000
PRIVATE = 1 << 18
FIELDS = ["CapEff", "CapBnd", "NoNewPrivs", "Seccomp"]

libc = ctypes.CDLL(None, use_errno=True)


def write(path):
    Path(path).write_text("")
    Path(path).unlink()


def write_back(path):
    Path(path).write_text(Path(path).read_text())


def succeed(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), "refused")


def make_device():
    os.mknod("/var/lib/.probe", 0o020600, os.makedev(1, 3))
    os.unlink("/var/lib/.probe")


def open_packet_socket():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()


def change_mounts():
    succeed(libc.unshare(NEW_MOUNTS))
    succeed(libc.mount(None, b"/", None, RECURSIVE | PRIVATE, None))


def become_root():
    shown = subprocess.run(["/usr/local/bin/id-of-root", "-u"], text=True,
                           stdout=subprocess.PIPE, check=True).stdout
    if shown.strip() != "0":
        raise PermissionError


ATTEMPTS = {
    "write below /usr": lambda: write("/usr/.probe"),
    "write below /etc": lambda: write("/etc/.probe"),
    "write a setting of the kernel":
        lambda: write_back("/proc/sys/net/ipv4/ip_forward"),
    "make a device": make_device,
    "make a user namespace": lambda: succeed(libc.unshare(NEW_USER)),
    "make a network namespace": lambda: succeed(libc.unshare(NEW_NETWORK)),
    "change the root": lambda: os.chroot("/"),
    "name the host": lambda: socket.sethostname(socket.gethostname()),
    "open a packet socket": open_packet_socket,
    "change the personality": lambda: libc.personality(UNAME26) >= 0 or
        succeed(-1),
    "open the memory of a process": lambda: open("/proc/1/mem", "rb").close(),
    "call mount(2)": change_mounts,
    "set a priority": lambda: os.nice(1),
    "trace a process": lambda: succeed(libc.ptrace(0, 0, None, None)),
    "see temporary files of others": lambda: os.stat("/tmp/of-others"),
    "see processes of others": lambda: os.stat("/proc/1"),
    "become root by a setuid program": become_root,
}


def outcome(attempt):
    """Of an attempt made in a child, which it may change."""
    pid = os.fork()
    if pid == 0:
        try:
            attempt()
        except (OSError, subprocess.SubprocessError):
            os._exit(1)
        os._exit(0)
    return "allowed" if os.waitpid(pid, 0)[1] == 0 else "refused"


for name, attempt in ATTEMPTS.items():
    print(f"probe: {name}: {outcome(attempt)}")
for line in Path("/proc/self/status").read_text().splitlines():
    field, value = line.split(":", 1)
    if field in FIELDS:
        print(f"probe: {field}: {value.strip()}")
