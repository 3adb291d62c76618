"""Which rights the services need on this computer, whether they are there, and how to get them."""

from __future__ import annotations

import errno
import shlex
import socket
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app import resources
from app.model.garage import Privilege, Stand

UDP, TCP = "UDP", "TCP"
NEEDS: Mapping[Stand, tuple[tuple[str, int], ...]] = {
    Stand.DNS: ((UDP, 53), (TCP, 53)),
    Stand.NTP: ((UDP, 123),),
    Stand.DHCP: ((UDP, 67), (UDP, 68)),
    Stand.WEB: ((TCP, 80), (TCP, 443)),
}
"""The ports of each service; DHCP's second one hears other servers."""

MayOpen = Callable[[str, int], bool]


def may_open(protocol: str, port: int) -> bool:
    """Try a port on the loopback adapter: false where the system refuses it. One that is taken is not refused."""
    kind = socket.SOCK_DGRAM if protocol == UDP else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno not in (errno.EACCES, errno.EPERM)
    return True


def read(*, system: str = "", program: str = "", may: MayOpen = may_open) -> tuple[Privilege, ...]:
    """Say what each service needs: one entry for each way to allow it, one alone where nothing is missing."""
    texts = tomllib.loads(resources.path("standin", "privileges.toml").read_text(encoding="utf-8"))
    name = system or system_name()
    path = program or str(Path(sys.executable).resolve())
    quoted = path if name == "windows" else shlex.quote(path)
    return tuple(
        found for stand in Stand for found in _of(stand, texts[name], texts["holders"][name][stand.value], quoted, may)
    )


def of_port(port: int, *, system: str = "", program: str = "") -> str:
    """Say in one sentence how this program may be allowed a TCP port that the system keeps for itself."""
    texts = tomllib.loads(resources.path("standin", "privileges.toml").read_text(encoding="utf-8"))
    name = system or system_name()
    path = program or str(Path(sys.executable).resolve())
    values = {"program": path if name == "windows" else shlex.quote(path), "stand": Stand.WEB.value, "port": port}
    way = texts[name]["ways"][0]
    commands = " or ".join(line.format_map({**values, "protocol": TCP}) for line in way["commands"])
    return f"{way['how']} {commands}"


def system_name(platform: str = sys.platform) -> str:
    """Return the name the texts have for a platform."""
    return {"win32": "windows", "darwin": "darwin"}.get(platform, "linux")


def _of(stand: Stand, texts: dict[str, Any], holder: str, program: str, may: MayOpen) -> list[Privilege]:
    missing = next((need for need in NEEDS[stand] if not may(*need)), None)
    values = {"program": program, "stand": stand.value, "port": (missing or NEEDS[stand][0])[1]}
    why = texts["why_granted" if missing is None else "why_missing"].format_map(values)
    why = f"{why} {holder}".strip()
    ways = list(texts["ways"]) if missing is not None or "firewall" not in texts else [texts["firewall"]]
    if missing is not None:
        ways += [texts["extra"][stand.value]] if stand.value in texts.get("extra", {}) else []
        ways += [texts["firewall"]] if "firewall" in texts else []
    return [_way(stand, way, why, missing is None, values) for way in ways]


def _way(stand: Stand, way: dict[str, Any], why: str, is_granted: bool, values: dict[str, Any]) -> Privilege:
    back = f" To take it back: {way['take_back'].format_map(values)}" if "take_back" in way else ""
    commands = [_filled(text, stand, values) for text in way["commands"]]
    return Privilege(
        stand=stand,
        is_granted=is_granted,
        why=why,
        how=f"{way['how']}{back}",
        commands=tuple(dict.fromkeys(line for lines in commands for line in lines)),
        source=way["source"],
    )


def _filled(text: str, stand: Stand, values: dict[str, Any]) -> list[str]:
    """Fill a command in, once for each port where it names the protocol."""
    if "{protocol}" not in text:
        return [text.format_map(values)]
    needs = [(protocol, port) for protocol, port in NEEDS[stand] if port != 68]
    lower = "ufw" in text or "firewall-cmd" in text
    return [
        text.format_map({**values, "protocol": protocol.lower() if lower else protocol, "port": port})
        for protocol, port in needs
    ]
