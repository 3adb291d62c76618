"""Let the system start the bridge and keep it running: systemd, launchd, or as a Windows service.

Nothing here changes the system by itself: it writes out what a person then puts in place, with the commands for it.
"""

from __future__ import annotations

import functools
import plistlib
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from app import resources
from app.service.site import SitePlan

if TYPE_CHECKING:
    from jinja2 import Environment

KINDS = ("systemd", "launchd", "windows")
USER = "rehome-bridge"
LABEL = "dev.rehome.bridge"
WINDOWS_NAME = "RehomeBridge"
LOW = 1024
"""Ports below it need a right on Linux (ip(7), ip_unprivileged_port_start)."""

PLACES: Mapping[str, tuple[str, Path]] = {
    "systemd": ("/opt/rehome/rehome", Path("/etc/rehome-bridge")),
    "launchd": ("/opt/rehome/rehome", Path("/usr/local/etc/rehome-bridge")),
    "windows": (r"C:\Program Files\Rehome\rehome.exe", Path("C:/ProgramData/RehomeBridge")),
}
"""Where a small box has the program and the site file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A file to put somewhere (empty for none), and what to type, in order. ``undo`` takes it away again."""

    kind: str
    path: str
    text: str
    commands: tuple[str, ...]
    undo: tuple[str, ...]
    note: str = ""


def here() -> str:
    """Name the kind of this computer."""
    return {"win32": "windows", "darwin": "launchd"}.get(sys.platform, "systemd")


def program() -> tuple[str, ...]:
    """Return how this very program is called: frozen, or by the interpreter that runs it."""
    if getattr(sys, "frozen", False):
        return (sys.executable,)
    return (sys.executable, "-m", "app")


def recipe(kind: str, plan: SitePlan, config: Path, called: tuple[str, ...] | None = None) -> Recipe:
    """Write the recipe of one kind for a site. Raises ValueError for an unknown kind."""
    made = {"systemd": _systemd, "launchd": _launchd, "windows": _windows}
    if kind not in made:
        raise ValueError(kind)
    return made[kind](plan, config, called or program())


def small_box(kind: str, plan: SitePlan) -> Recipe:
    """Write the recipe for another computer, with the program and the site file in their usual places there."""
    program_there, folder = PLACES[kind]
    return recipe(kind, replace(plan, folder=folder / "state"), folder / "site.toml", (program_there,))


def _systemd(plan: SitePlan, config: Path, called: tuple[str, ...]) -> Recipe:
    path = "/etc/systemd/system/rehome-bridge.service"
    folder, site = PurePosixPath(plan.folder.as_posix()), PurePosixPath(config.as_posix())
    text = _environment().get_template("rehome-bridge.service.j2").render(
        path=path,
        program=" ".join(_quoted(part) for part in called),
        config=_quoted(str(site)),
        folder=_quoted(str(folder)),
        user=USER,
        capabilities=_capabilities(plan),
    )  # fmt: skip
    return Recipe(
        kind="systemd",
        path=path,
        text=text,
        commands=(
            f"sudo useradd --system --user-group --shell /usr/sbin/nologin {USER}",
            f"sudo install -d -o {USER} -g {USER} -m 750 {shlex.quote(str(folder))}",
            f"sudo chown -R {USER}:{USER} {shlex.quote(str(site.parent))}",
            "sudo systemctl daemon-reload",
            "sudo systemctl enable --now rehome-bridge",
            "systemctl status rehome-bridge",
        ),
        undo=("sudo systemctl disable --now rehome-bridge", f"sudo rm {path}", "sudo systemctl daemon-reload"),
        note="After changing the site file: sudo systemctl reload rehome-bridge. The log: journalctl -u rehome-bridge.",
    )


def _launchd(plan: SitePlan, config: Path, called: tuple[str, ...]) -> Recipe:
    path = f"/Library/LaunchDaemons/{LABEL}.plist"
    text = plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": [
                *called, "bridge", "--config", config.as_posix(), "--log", "json",
                "--log-file", (plan.folder / "bridge.log").as_posix(),
            ],
            "RunAtLoad": True,
            "KeepAlive": True,
            "ThrottleInterval": 5,
            "ProcessType": "Background",
            "SoftResourceLimits": {"NumberOfFiles": 8192},
        },
        sort_keys=False,
    ).decode()  # fmt: skip
    return Recipe(
        kind="launchd",
        path=path,
        text=text,
        commands=(
            f"sudo chown root:wheel {path}",
            f"sudo launchctl bootstrap system {path}",
            f"sudo launchctl print system/{LABEL}",
        ),
        undo=(f"sudo launchctl bootout system/{LABEL}", f"sudo rm {path}"),
        note=f"After changing the site file: sudo launchctl kill SIGHUP system/{LABEL}.",
    )


def _windows(plan: SitePlan, config: Path, called: tuple[str, ...]) -> Recipe:
    site = PureWindowsPath(config)
    line = " ".join(_for_windows(part) for part in (*called, "bridge", "--config", str(site)))
    rules = (
        ("Rehome bridge JuiceNet", "UDP", ",".join(str(port) for port in plan.juicenet_ports), bool(plan.boxes)),
        ("Rehome bridge relay", "TCP", str(plan.relay_port), bool(plan.relays)),
    )
    firewall = tuple(
        f'New-NetFirewallRule -DisplayName "{name}" -Direction Inbound -Protocol {protocol} -LocalPort {ports}'
        f" -LocalAddress {plan.address} -Action Allow"
        for name, protocol, ports, is_needed in rules
        if is_needed
    )
    return Recipe(
        kind="windows",
        path="",
        text="",
        commands=(
            f"{line} --service install",
            f'icacls "{PureWindowsPath(config).parent}" /grant "NT AUTHORITY\\LocalService:(OI)(CI)M"',
            *firewall,
            f"sc.exe failure {WINDOWS_NAME} reset= 86400 actions= restart/5000/restart/5000/restart/60000",
            f"sc.exe start {WINDOWS_NAME}",
        ),
        undo=(
            f"sc.exe stop {WINDOWS_NAME}",
            f"{line} --service remove",
            *(f'Remove-NetFirewallRule -DisplayName "{name}"' for name, *_, is_needed in rules if is_needed),
        ),
        note="In a PowerShell that was started as administrator. The log lies in the state folder.",
    )


def _capabilities(plan: SitePlan) -> str:
    needs_low = plan.standin.dns or plan.standin.ntp or plan.standin.web
    ports = (plan.status_port, *((plan.relay_port,) if plan.relays else ()))
    return "CAP_NET_BIND_SERVICE" if needs_low or min(ports) < LOW else ""


def _quoted(part: str) -> str:
    """Quote for a unit file: ``%`` and ``$`` mean something there (systemd.service(5), Command lines)."""
    text = part.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$").replace('"', '\\"')
    return f'"{text}"' if any(mark in text for mark in " '\"\\;") else text


def _for_windows(part: str) -> str:
    """Quote for PowerShell; a program with blanks is called with ``&``."""
    return f'"{part}"' if " " in part else part


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(resources.path("service")), undefined=StrictUndefined, trim_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
