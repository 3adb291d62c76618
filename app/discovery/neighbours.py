"""The system's table of neighbours (ARP): which addresses of our own network have a network card behind them.

Read only. A MAC address is a hint of who made the network chip, never who the charger is: chips are bought in.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from app.model.profile import Profile
from app.programs import run

log = logging.getLogger(__name__)

PROC = Path("/proc/net/arp")
COMPLETE = 0x2
"""ATF_COM of the flags column (proc(5), linux/if_arp.h): the address has been resolved."""

ARP_S = 3.0
LIMIT = 8192
"""Entries read."""

LINE_WINDOWS = re.compile(r"^\s+(\d{1,3}(?:\.\d{1,3}){3})\s+((?:[0-9a-f]{2}-){5}[0-9a-f]{2})\s", re.I)
LINE_BSD = re.compile(r"\((\d{1,3}(?:\.\d{1,3}){3})\) at ((?:[0-9a-f]{1,2}:){5}[0-9a-f]{1,2}) ", re.I)
NOBODY = frozenset({"00:00:00:00:00:00", "FF:FF:FF:FF:FF:FF"})


async def read() -> Mapping[str, str] | None:
    """Return IPv4 address → MAC of all neighbours that answered the system; ``None`` where it can't be read."""
    try:
        if PROC.exists():  # noqa: ASYNC240 - the kernel answers from memory
            return parse_proc(PROC.read_text(encoding="ascii", errors="replace"))  # noqa: ASYNC240
        parse, option = (parse_windows, "-a") if os.name == "nt" else (parse_bsd, "-an")
        ended = await run("arp", option, timeout_s=ARP_S)
        return parse(ended.output.decode("ascii", "replace"))
    except (OSError, TimeoutError) as error:
        log.info("the table of neighbours can't be read: %s", error)
        return None


def makers(profiles: Iterable[Profile], mac: str) -> tuple[str, ...]:
    """Return the charger makers to whom the IEEE gave the block of addresses this one lies in, by the profiles."""
    plain = mac.replace(":", "").upper()
    fitting = [
        profile.vendor
        for profile in profiles
        if any(plain.startswith(prefix.replace(":", "")) for prefix in profile.match.mac_prefixes)
    ]
    return tuple(dict.fromkeys(fitting))


def parse_proc(text: str) -> dict[str, str]:
    """Read ``/proc/net/arp`` (proc(5)): entries that are not complete are left out."""
    found = {}
    for line in text.splitlines()[1 : LIMIT + 1]:
        fields = line.split()
        if len(fields) >= 6 and fields[2].startswith("0x") and int(fields[2], 16) & COMPLETE:
            found[fields[0]] = fields[3].upper()
    return _real(found)


def parse_windows(text: str) -> dict[str, str]:
    """Read ``arp -a`` of Windows, in any language: the lines with an address and a MAC."""
    lines = (LINE_WINDOWS.match(line) for line in text.splitlines()[:LIMIT])
    return _real({line[1]: line[2].upper().replace("-", ":") for line in lines if line})


def parse_bsd(text: str) -> dict[str, str]:
    """Read ``arp -an`` of macOS, which leaves leading zeros out."""
    lines = (LINE_BSD.search(line) for line in text.splitlines()[:LIMIT])
    return _real({line[1]: ":".join(part.zfill(2) for part in line[2].upper().split(":")) for line in lines if line})


def _real(found: Mapping[str, str]) -> dict[str, str]:
    """Leave out nobody, everybody, and multicast groups (the lowest bit of the first byte, IEEE 802)."""
    return {ip: mac for ip, mac in found.items() if mac not in NOBODY and not int(mac[:2], 16) & 1}
