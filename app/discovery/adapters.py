"""The network adapters of this computer. Reads the system's tables; sends nothing."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from app.model.frame import Adapter

VIRTUAL = re.compile(
    r"docker|veth|virbr|vmnet|vbox|virtualbox|vethernet|hyper-v|^br-|^tun|^tap|^wg|utun|awdl|llw", re.I
)
"""Adapter names that lead to no charger: containers, virtual machines, tunnels."""

FAR = "192.0.2.1"
"""TEST-NET-1 (RFC 5737): asking for the route to it tells the default adapter; nothing is sent."""

LOOPBACK = Adapter(name="loopback", address="127.0.0.1", is_loopback=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """An adapter's address with its network: prefix length and the system's adapter index."""

    adapter: Adapter
    prefix: int
    index: int

    @property
    def is_ipv6(self) -> bool:
        """Say whether this is an IPv6 network."""
        return ":" in self.adapter.address

    def contains(self, host: str) -> bool:
        """Say whether an IP address (with or without ``%scope``) is directly on this network."""
        plain, _, scope = host.partition("%")
        try:
            address = ipaddress.ip_address(plain)
            own = ipaddress.ip_interface(f"{self.adapter.address.partition('%')[0]}/{self.prefix}")
        except ValueError:
            return False
        if scope and scope not in (str(self.index), self.adapter.name):
            return False
        return address.version == own.version and address in own.network


def networks() -> list[Network]:
    """List all addresses of all adapters; an adapter that is down or has no address is not listed."""
    import ifaddr

    found = []
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            address = entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            if "." not in address and ipaddress.ip_address(address).is_link_local:
                address = f"{address}%{adapter.index}"
            plain = ipaddress.ip_address(address.partition("%")[0])
            value = Adapter(name=entry.nice_name, address=address, is_loopback=plain.is_loopback)
            found.append(Network(adapter=value, prefix=entry.network_prefix, index=adapter.index or 0))
    return found


def adapters() -> list[Adapter]:
    """List what can be chosen for the endpoint, the best first (an IPv6 link-local address can't be typed)."""
    listed = [network.adapter for network in networks() if "%" not in network.adapter.address]
    routed = default_address()
    return sorted(listed, key=lambda item: (_rank(item, routed), item.name, item.address))


def default_adapter(choices: Sequence[Adapter], *, routed: str | None = None) -> Adapter:
    """Choose the adapter that chargers most probably reach: a real LAN, IPv4, on the default route; else loopback.

    ``routed`` is our address on the default route (asked from the system when ``None``).
    """
    routed = default_address() if routed is None else routed
    return min(choices, key=lambda item: _rank(item, routed), default=LOOPBACK)


def _rank(item: Adapter, routed: str) -> tuple[bool, ...]:
    address = ipaddress.ip_address(item.address.partition("%")[0])
    return (
        item.is_loopback,
        address.version == 6,
        VIRTUAL.search(item.name) is not None,
        address.is_link_local,
        item.address != routed,
    )


def default_address() -> str:
    """Return our IPv4 address on the default route, or an empty text where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((FAR, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return ""
