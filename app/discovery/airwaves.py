"""Ask the system which Wi-Fi this computer is on and which others it hears. No scan is started, nothing is changed.

Each system tells it through a program of its own; what it keeps to itself without a permission is said.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from typing import Any

from app.discovery.services import clean
from app.model.hotspot import Airwaves
from app.programs import Ended, run

ASK_S = 4.0
PROFILER_S = 15.0
"""system_profiler looks around for some seconds before it answers."""

SSID_LIMIT = 32
"""Bytes of a network's name (IEEE 802.11)."""
LIMIT = 200
"""Networks kept."""
OUTPUT_LIMIT = 1_000_000

NETSH_JOINED = re.compile(r"^[ \t]+SSID[ \t]*:[ \t]?(.*?)\s*$", re.MULTILINE)
NETSH_NEARBY = re.compile(r"^SSID \d+[ \t]*:[ \t]?(.*?)\s*$", re.MULTILINE)
"""Only ``SSID`` is the same in every language of Windows."""
NETSH_LOCKED = "ms-settings:privacy-location"
"""Windows 11 24H2 names this page of its settings, in every language, when it keeps the names to itself."""

REDACTED = "<redacted>"
"""What macOS 14.4 and later write where a program has no right to know the location."""

NO_TOOL = Airwaves(
    trouble="This system does not tell which Wi-Fi this computer is on.",
    advice="Look at its own Wi-Fi menu: a charger's access point shows there by name.",
)


async def listen() -> Airwaves:
    """Ask this system; failures are told in ``trouble``, never raised."""
    if sys.platform == "win32":
        return await _windows()
    if sys.platform == "darwin":
        return await _mac()
    return await _linux()


async def _linux() -> Airwaves:
    ended = await _asked("nmcli", "-t", "-f", "IN-USE,SSID", "device", "wifi", "list", "--rescan", "no")
    if ended is not None and ended.code == 0:
        return parse_nmcli(_text(ended))
    ended = await _asked("iwgetid", "--raw")
    if ended is not None and ended.code == 0:
        return parse_iwgetid(_text(ended))
    return NO_TOOL


async def _windows() -> Airwaves:
    joined = await _asked("netsh", "wlan", "show", "interfaces")
    nearby = await _asked("netsh", "wlan", "show", "networks")
    if joined is None or nearby is None:
        return NO_TOOL
    return parse_netsh(_text(joined), _text(nearby))


async def _mac() -> Airwaves:
    ended = await _asked("system_profiler", "SPAirPortDataType", "-json", timeout_s=PROFILER_S)
    return NO_TOOL if ended is None or ended.code else parse_profiler(_text(ended))


async def _asked(*command: str, timeout_s: float = ASK_S) -> Ended | None:
    try:
        return await run(*command, timeout_s=timeout_s)
    except (OSError, TimeoutError):
        return None


def _text(ended: Ended) -> str:
    return (ended.output + b"\n" + ended.errors)[:OUTPUT_LIMIT].decode("utf-8", "replace")


def parse_nmcli(text: str) -> Airwaves:
    r"""Read ``nmcli -t -f IN-USE,SSID device wifi list``: ``*:name`` is ours; ``\:`` and ``\\`` are escapes."""
    joined: list[str] = []
    nearby: list[str] = []
    for line in text.splitlines():
        mark, colon, name = line.partition(":")
        if colon and mark in ("*", " ", ""):
            (joined if mark == "*" else nearby).append(re.sub(r"\\(.)", r"\1", name))
    return _told(joined, nearby)


def parse_iwgetid(text: str) -> Airwaves:
    """Read ``iwgetid --raw``: the name alone."""
    told = _told([text.splitlines()[0] if text.strip() else ""], [])
    return Airwaves(joined=told.joined, trouble="Which other networks are near can't be told here.")


def parse_netsh(interfaces: str, networks: str) -> Airwaves:
    """Read ``netsh wlan show interfaces`` and ``show networks`` of Windows, in any language."""
    if NETSH_LOCKED in interfaces or NETSH_LOCKED in networks:
        return Airwaves(
            trouble="Windows keeps the names of Wi-Fi networks to itself while location is switched off.",
            advice="Switch location on under Settings › Privacy & security › Location, or look at the Wi-Fi menu.",
        )
    return _told(NETSH_JOINED.findall(interfaces), NETSH_NEARBY.findall(networks))


def parse_profiler(text: str) -> Airwaves:
    """Read ``system_profiler SPAirPortDataType -json`` of macOS."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return NO_TOOL
    ports = [
        port for item in _items(told, "SPAirPortDataType") for port in _items(item, "spairport_airport_interfaces")
    ]
    own, others = "spairport_current_network_information", "spairport_airport_other_local_wireless_networks"
    joined = [_name(port.get(own)) for port in ports]
    nearby = [_name(item) for port in ports for item in _items(port, others)]
    if REDACTED in joined or REDACTED in nearby:
        return Airwaves(
            trouble="macOS keeps the names of Wi-Fi networks to itself without the right to know the location.",
            advice="Look at the Wi-Fi menu: a charger's access point shows there by name.",
        )
    return _told(joined, nearby)


def _items(value: Any, key: str) -> list[dict[str, Any]]:
    found = value.get(key) if isinstance(value, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _name(network: Any) -> str:
    name = network.get("_name") if isinstance(network, dict) else None
    return name if isinstance(name, str) else ""


def _told(joined: Iterable[str], nearby: Iterable[str]) -> Airwaves:
    ours = _clean(joined)
    return Airwaves(joined=ours, nearby=tuple(name for name in _clean(nearby) if name not in ours))


def _clean(names: Iterable[str]) -> tuple[str, ...]:
    """Keep each name once; hidden networks have none."""
    cleaned = (clean(name.strip(), SSID_LIMIT) for name in names)
    return tuple(dict.fromkeys(name for name in cleaned if name))[:LIMIT]
