"""Which address a DHCP client gets: a small pool, short leases, answers. Pure; times in seconds of any steady clock."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from itertools import islice

from app.standin.dhcpwire import DNS, LEASE, MASK, NOBODY, NTP, REQUESTED, ROUTER, SERVER, Kind, Message

POOL = 32
"""Addresses given out at most: one cable, a switch on it perhaps."""
LEASE_S = 600
"""Short, because the laptop leaves the site again: clients then look for the next server soon."""
OFFER_S = 30.0
"""How long an offered address is kept for its client."""
DECLINED_S = 600.0
"""How long an address rests that a client found in use."""


@dataclass(slots=True)
class Lease:
    """An address and who has it; ``mac`` is empty while it rests."""

    mac: str
    until_s: float
    is_taken: bool = False


class LeaseBook:
    """The leases of one adapter's network. ``ours`` with its prefix, as ``10.77.0.1/24``."""

    def __init__(self, ours: str) -> None:
        interface = ipaddress.IPv4Interface(ours)
        self.ours = interface.ip
        self.network = interface.network
        self.pool = _pool(interface)
        self._leases: dict[ipaddress.IPv4Address, Lease] = {}

    def taken(self, now_s: float) -> dict[str, str]:
        """Return MAC → address of those who have a lease."""
        return {item.mac: str(ip) for ip, item in self._leases.items() if item.is_taken and item.until_s > now_s}

    def answer(self, message: Message, now_s: float) -> Message | None:
        """Return what a client is answered, ``None`` for nothing (RFC 2131 §4.3)."""
        if message.is_reply or message.relay != NOBODY:  # relayed: not on our cable
            return None
        if message.kind is Kind.DISCOVER:
            return self._offer(message, now_s)
        if message.kind is Kind.REQUEST:
            return self._request(message, now_s)
        if message.kind is Kind.INFORM and message.client in self.network:
            return self._reply(message, Kind.ACK, NOBODY)
        if message.kind is Kind.DECLINE and message.address(SERVER) == self.ours:
            self._decline(message, now_s)
        elif message.kind is Kind.RELEASE:
            self._forget(message.mac, message.client)
        return None

    def _offer(self, message: Message, now_s: float) -> Message | None:
        address = self._free_for(message.mac, message.address(REQUESTED), now_s)
        if address is None:
            return None
        lease = self._leases.get(address)
        if lease is None or lease.mac != message.mac or not lease.is_taken:
            self._leases[address] = Lease(message.mac, now_s + OFFER_S)
        return self._reply(message, Kind.OFFER, address)

    def _request(self, message: Message, now_s: float) -> Message | None:
        server = message.address(SERVER)
        if server not in (NOBODY, self.ours):
            self._forget(message.mac, None)  # it took another's offer
            return None
        wanted = message.address(REQUESTED)
        address = wanted if wanted != NOBODY else message.client
        if address not in self.pool or not self._is_free(address, message.mac, now_s):
            return self._reply(message, Kind.NAK, NOBODY)
        self._forget(message.mac, None)
        self._leases[address] = Lease(message.mac, now_s + LEASE_S, is_taken=True)
        return self._reply(message, Kind.ACK, address)

    def _decline(self, message: Message, now_s: float) -> None:
        address = message.address(REQUESTED)
        lease = self._leases.get(address)
        if lease is not None and lease.mac == message.mac:
            self._leases[address] = Lease("", now_s + DECLINED_S)

    def _forget(self, mac: str, address: ipaddress.IPv4Address | None) -> None:
        for ip, lease in tuple(self._leases.items()):
            if lease.mac == mac and address in (None, ip):
                del self._leases[ip]

    def _free_for(self, mac: str, wanted: ipaddress.IPv4Address, now_s: float) -> ipaddress.IPv4Address | None:
        own = next((ip for ip, lease in self._leases.items() if lease.mac == mac), None)
        candidates = (own, wanted, *self.pool)
        return next(
            (ip for ip in candidates if ip is not None and ip in self.pool and self._is_free(ip, mac, now_s)), None
        )

    def _is_free(self, address: ipaddress.IPv4Address, mac: str, now_s: float) -> bool:
        lease = self._leases.get(address)
        return lease is None or lease.mac == mac or lease.until_s <= now_s

    def _reply(self, message: Message, kind: Kind, yours: ipaddress.IPv4Address) -> Message:
        us = self.ours.packed
        options = {SERVER: us}
        if kind is not Kind.NAK:
            options |= {MASK: self.network.netmask.packed, ROUTER: us, DNS: us, NTP: us}
        if yours != NOBODY:
            options |= {LEASE: struct.pack("!I", LEASE_S)}
        return Message(
            kind=kind,
            xid=message.xid,
            mac=message.mac,
            is_reply=True,
            is_broadcast=message.is_broadcast or kind is Kind.NAK,
            client=NOBODY if kind is Kind.NAK else message.client,
            yours=yours,
            options=options,
        )


def _pool(interface: ipaddress.IPv4Interface) -> tuple[ipaddress.IPv4Address, ...]:
    """Take the highest addresses of the network: routers and printers tend to have low ones."""
    network = interface.network
    first, last = int(network.network_address) + 1, int(network.broadcast_address) - 1
    numbers = (number for number in range(last, first - 1, -1) if number != int(interface.ip))
    return tuple(sorted(ipaddress.IPv4Address(number) for number in islice(numbers, POOL)))
