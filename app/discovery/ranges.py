"""Which addresses a search over the local network may ask: only those of an adapter's own private IPv4 network."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.discovery.adapters import VIRTUAL, Network
from app.errors import AppError

AT_ONCE = 1022
"""Addresses asked in one search: a /22."""

EXAMPLES = "Type a range like 192.168.1.0/24, 192.168.1.10-60 or 192.168.1.10-192.168.1.60."


class NotAllowed(AppError):
    """A range that is not searched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The addresses to ask on one network, our own left out."""

    network: Network
    hosts: tuple[str, ...]
    title: str


def searchable(networks: Iterable[Network], *, with_loopback: bool = False) -> list[Network]:
    """List the networks that can be searched, real ones before virtual ones: private IPv4 with room for others."""
    found = [item for item in networks if _is_private(item) and (with_loopback or not item.adapter.is_loopback)]
    return sorted(found, key=lambda item: (item.adapter.is_loopback, VIRTUAL.search(item.adapter.name) is not None))


def chosen(networks: Sequence[Network], text: str = "", adapter: str = "") -> Span:
    """Return what to ask, on the network of an adapter's address, or else where the typed range lies.

    Raises NotAllowed with advice.
    """
    if not networks:
        raise NotAllowed(
            "There is no local network to search.", "Connect a network cable or join the site's WiFi, then try again."
        )
    named = [item for item in networks if item.adapter.address == adapter]
    if not named and text.strip():
        first, _ = _typed(text.strip())
        named = [item for item in networks if item.contains(str(first))]
    return span((named or list(networks))[0], text)


def span(network: Network, text: str = "") -> Span:
    """Return what to ask: the whole network, or the part a person typed. Raises NotAllowed with advice.

    Of a network larger than a /22 only the /24 around our own address is asked unless a part is named.
    """
    if not _is_private(network):
        raise NotAllowed(f"{network.adapter.title} is on no private network.", "Choose the adapter of the site's LAN.")
    own = ipaddress.IPv4Interface(f"{network.adapter.address}/{network.prefix}")
    if text.strip():
        first, last = _typed(text.strip())
    else:
        whole = own.network if own.network.num_addresses - 2 <= AT_ONCE else _around(own)
        first, last = whole.network_address, whole.broadcast_address
    if first not in own.network or last not in own.network:
        raise NotAllowed(
            f"{first} to {last} is not on the network of {network.adapter.title} ({own.network}).",
            "Only this computer's own network is searched. Choose another adapter, or add a charger by its address.",
        )
    return _listed(network, own, int(first), int(last))


def _listed(network: Network, own: ipaddress.IPv4Interface, first: int, last: int) -> Span:
    if last - first - 1 > AT_ONCE:
        raise NotAllowed(
            f"That are {last - first + 1:,} addresses.", f"Search at most {AT_ONCE:,} at a time. {EXAMPLES}"
        )
    left_out = {int(own.ip)}
    if own.network.prefixlen < 31:
        left_out |= {int(own.network.network_address), int(own.network.broadcast_address)}
    hosts = [str(ipaddress.IPv4Address(item)) for item in range(first, last + 1) if item not in left_out]
    if not hosts:
        raise NotAllowed("There is no other address in that range.", EXAMPLES)
    return Span(network=network, hosts=tuple(hosts), title=_title(hosts))


def _title(hosts: Sequence[str]) -> str:
    return hosts[0] if len(hosts) == 1 else f"{hosts[0]} to {hosts[-1]}"


def _around(own: ipaddress.IPv4Interface) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(f"{own.ip}/24", strict=False)


def _is_private(network: Network) -> bool:
    if network.is_ipv6 or network.prefix > 30:
        return False
    return not ipaddress.IPv4Address(network.adapter.address).is_global


def _typed(text: str) -> tuple[ipaddress.IPv4Address, ipaddress.IPv4Address]:
    """Read ``a.b.c.d``, ``a.b.c.d/n``, ``a.b.c.d-e`` or ``a.b.c.d-a.b.c.e``."""
    try:
        if "/" in text:
            named = ipaddress.IPv4Network(text, strict=False)
            return named.network_address, named.broadcast_address
        start, _, end = (part.strip() for part in text.partition("-"))
        first = ipaddress.IPv4Address(start)
        if end.isascii() and end.isdigit():
            end = f"{start.rpartition('.')[0]}.{end}"
        last = ipaddress.IPv4Address(end) if end else first
    except ValueError as error:
        raise NotAllowed(f"“{text[:60]}” is no range of addresses.", EXAMPLES) from error
    if last < first:
        raise NotAllowed(f"{last} comes before {first}.", EXAMPLES)
    return first, last
