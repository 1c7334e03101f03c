"""A systemctl that tells of units what a test says, for --check.

Unlike the stand-in of worlds it knows which units there are, whether they are
enabled and what their settings are, and lets a person change that.
"""

import json

SYSTEMCTL = """#!/usr/bin/python3 -IS
import json, sys, time
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "units.json"
units = json.loads(FILE.read_text())
verb, *words = sys.argv[1:]
named = [word for word in words if not word.startswith("-")]
if "silent" in units:
    sys.exit("System has not been booted with systemd as init system")
if verb == "show":
    wanted = [word for word in words if word.startswith("--property=")]
    wanted = wanted[0].partition("=")[2].split(",")
    shown = units.get(named[0] if named else "", units["missing"])
    for name, value in shown.items():
        if name in wanted:
            print(f"{name}={value}")
elif verb != "reset-failed":
    for unit in named:
        units[unit] |= {"enable": {"UnitFileState": "enabled"},
                         "unmask": {"LoadState": "loaded"},
                         "start": {"ActiveState": "active"},
                         "restart": {"InvocationID": str(time.time()),
                                     "MainPID": "1"}}[verb]
        if "--now" in words:
            units[unit]["ActiveState"] = "active"
    if verb == "daemon-reload":
        for properties in units.values():
            properties["NeedDaemonReload"] = "no"
    FILE.write_text(json.dumps(units))
"""

MISSING = {"LoadState": "not-found", "ActiveState": "inactive",
           "SubState": "dead", "Result": "success", "InvocationID": "",
           "MainPID": "0", "NRestarts": "0", "UnitFileState": ""}
LOADED = MISSING | {"LoadState": "loaded", "ActiveState": "active",
                    "UnitFileState": "enabled", "NeedDaemonReload": "no",
                    "TimeoutStopUSec": "1min 30s"}
# A timer has no process.
TIMES = {name: value for name, value in LOADED.items()
         if name not in ("MainPID", "NRestarts", "TimeoutStopUSec")}
CONFINED = {
    "ActiveState": "inactive", "UnitFileState": "static",
    "ExecStart": "{ path=/usr/local/bin/deployment-update ; argv[]=x }",
    "DropInPaths": "/etc/x.d/deadline.conf /etc/x.d/hardening.conf",
    "TimeoutStartUSec": "9h", "NoNewPrivileges": "yes", "ProtectHome": "no",
    "ProtectSystem": "full", "RestrictNamespaces": "mnt",
    "CapabilityBoundingSet":
        "cap_chown cap_dac_override cap_fowner cap_fsetid cap_kill cap_setgid "
        "cap_setuid cap_sys_admin"}
SERVICE = "deployment-update.service"
TIMER = "deployment-update.timer"
POLL = "deployment-update-poll.service"


class Units:
    """The units of `world`, whose systemctl it replaces."""

    def __init__(self, world):
        self._file = world.root / "units.json"
        world.stand_in("systemctl", SYSTEMCTL)
        self._write({
            "missing": MISSING,
            "": {"Version": "252", "Environment": f"PATH={world.bin}"},
            "frontend-deployment.service": LOADED,
            "backend-deployment.service": LOADED,
            TIMER: TIMES | {"Triggers": POLL},
            POLL: LOADED | {"ActiveState": "inactive",
                            "UnitFileState": "static"},
            SERVICE: LOADED | CONFINED})

    def _write(self, units):
        self._file.write_text(json.dumps(units), encoding="utf-8")

    def set(self, unit, **properties):
        units = json.loads(self._file.read_text(encoding="utf-8"))
        units[unit] = units.get(unit, {}) | properties
        self._write(units)

    def remove(self, unit):
        units = json.loads(self._file.read_text(encoding="utf-8"))
        del units[unit]
        self._write(units)
