"""From a resolved mDNS service to a sighting: which address to use, what to keep of hostile texts."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from app.discovery.adapters import Network
from app.model.address import NetAddress
from app.model.unit import Sighting, SourceKind

TEXT_LIMIT = 255
"""Longest DNS name and longest TXT string (RFC 1035 §2.3.4, RFC 6763 §6.1)."""

TXT_LIMIT = 32
"""TXT entries kept of one service."""

OTHERS_LIMIT = 3
"""Further addresses of a host that are worth a try."""


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """Bound a text from the network and take out what can't be printed on one line."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text[:limit])


def full_type(kind: str) -> str:
    """Complete a service type from a profile: ``_openevse._tcp`` → ``_openevse._tcp.local.``."""
    plain = kind.strip().rstrip(".")
    return f"{plain}." if plain.lower().endswith(".local") else f"{plain}.local."


def reachable(hosts: Iterable[str], networks: Sequence[Network]) -> list[str]:
    """Order a host's addresses, best first, and drop those no charger here can have.

    A service may name any address: one outside our networks and the private ranges would send our probes to a stranger.
    """
    ranked = []
    for position, host in enumerate(hosts):
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            continue
        near = any(network.contains(host) for network in networks)
        if not near and (not address.is_private or address.is_loopback):
            continue
        scopeless = address.version == 6 and address.is_link_local and "%" not in host
        if scopeless or address.is_unspecified or address.is_multicast or address.is_reserved:
            continue
        ranked.append(((not near, address.version == 6, address.is_link_local, position), host))
    return [host for _, host in sorted(ranked)]


def sighting(
    *,
    kind: str,
    name: str,
    server: str,
    port: int,
    hosts: Sequence[str],
    txt: Mapping[str, str | None],
    networks: Sequence[Network],
    at: datetime,
) -> Sighting | None:
    """Make the sighting of a service; ``None`` when no address of it is usable."""
    usable = reachable(hosts, networks)
    if not usable or not 0 < port < 65536:
        return None
    hints = {
        "type": clean(kind.removesuffix(".local.")),
        "name": clean(name.removesuffix(f".{kind}")),
        "host": clean(server.removesuffix(".")),
    }
    if usable[1:]:
        hints["others"] = " ".join(usable[1 : OTHERS_LIMIT + 1])
    for key, value in list(txt.items())[:TXT_LIMIT]:
        if key:
            hints[f"txt.{clean(key)}"] = clean(value or "")
    near = [network.adapter.name for network in networks if network.contains(usable[0])]
    return Sighting(
        source=SourceKind.MDNS,
        address=NetAddress(host=usable[0], port=port),
        at=at,
        hints=hints,
        adapter=near[0] if near else "",
    )
