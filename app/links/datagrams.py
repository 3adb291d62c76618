"""UDP from one fixed local port: one socket for all links of a program, answers sorted by who sent them.

Some chargers answer to a fixed port, whoever asked from where. Only one program can hold that port, and within it only
one socket; so all links share it, and it closes with the last of them.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from app.errors import LinkLost, NotReachable, PortInUse, TimedOut
from app.links.http import reason
from app.model.address import NetAddress

OPEN_LIMIT_S = 5.0

QUEUE_DEPTH = 256
"""Datagrams a link keeps that nobody has taken yet; then the oldest goes."""

Hear = Callable[[str, bytes], None]


class SharedSocket(asyncio.DatagramProtocol):
    """One bound socket and those who listen on it."""

    def __init__(self) -> None:
        self.listeners: set[Hear] = set()
        self.transport: asyncio.DatagramTransport | None = None
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # no isinstance: before Python 3.12 the selector loop's transport is no DatagramTransport
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, peer: tuple[str | int, ...]) -> None:
        """Tell everybody who listens; each takes what its peer sent."""
        for hear in tuple(self.listeners):
            hear(str(peer[0]).partition("%")[0], data)

    def connection_lost(self, _error: Exception | None) -> None:
        """Note that the port is free again."""
        self.closed.set()

    def error_received(self, _error: Exception) -> None:
        """Ignore it: an ICMP answer says nothing that the deadline does not."""


class SharedSockets:
    """The shared sockets of one program, by local address and port."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], SharedSocket] = {}
        self._lock = asyncio.Lock()

    async def link(self, address: NetAddress, local_port: int, *, adapter_address: str = "") -> SharedLink:
        """Open a link to one peer; raises NotReachable, PortInUse."""
        host = await _resolved(address)
        key = (_own_address(adapter_address, host), local_port)
        return SharedLink(self, key, await self._joined(key, address), NetAddress(host=host, port=address.port), host)

    async def call(self, address: NetAddress, local_port: int, *, adapter_address: str = "") -> SharedLink:
        """Open a link to everybody behind a broadcast address: ``receive_from`` tells who answered."""
        key = (_own_address(adapter_address, address.host), local_port)
        return SharedLink(self, key, await self._joined(key, address), address, "")

    async def _joined(self, key: tuple[str, int], address: NetAddress) -> SharedSocket:
        async with self._lock:
            found = self._open.get(key)
            if found is None:
                found = self._open[key] = await _bound(key, address)
            return found

    async def left(self, key: tuple[str, int], shared: SharedSocket, hear: Hear) -> None:
        """Stop listening; the last one closes the socket, and nobody opens it anew before it is closed."""
        shared.listeners.discard(hear)
        async with self._lock:
            if shared.listeners or self._open.get(key) is not shared or shared.transport is None:
                return
            del self._open[key]
            shared.transport.abort()
            await shared.closed.wait()


class SharedLink:
    """One peer's share of a socket; with an empty ``peer`` everybody's."""

    def __init__(
        self, sockets: SharedSockets, key: tuple[str, int], shared: SharedSocket, target: NetAddress, peer: str
    ) -> None:
        self._sockets = sockets
        self._key = key
        self._shared = shared
        self._target = target
        self._peer = peer
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=QUEUE_DEPTH)
        self._news = asyncio.Event()
        self._is_closed = False
        shared.listeners.add(self._hear)

    def _hear(self, sender: str, data: bytes) -> None:
        if self._peer in ("", sender):
            self._waiting.append((sender, data))
            self._news.set()

    async def send(self, data: bytes) -> None:
        """Send one datagram; raises LinkLost when closed, NotReachable where the system refuses."""
        self._check()
        assert self._shared.transport is not None
        try:
            self._shared.transport.sendto(data, (self._target.host, self._target.port))
        except OSError as error:
            raise _unreachable(self._target, error) from error

    async def receive(self, *, timeout_s: float) -> bytes:
        """Return the next datagram; raises TimedOut or LinkLost."""
        return (await self.receive_from(timeout_s=timeout_s))[1]

    async def receive_from(self, *, timeout_s: float) -> tuple[str, bytes]:
        """Return who sent the next datagram, and what; raises TimedOut or LinkLost."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self._waiting:
                    self._check()
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as error:
            raise TimedOut(
                f"{self._target} sent nothing for {timeout_s:g} s.", "Check that the charger has power and is in reach."
            ) from error
        self._check()
        return self._waiting.popleft()

    async def close(self) -> None:
        """Leave the socket. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._news.set()
            await self._sockets.left(self._key, self._shared, self._hear)

    def _check(self) -> None:
        transport = self._shared.transport
        if self._is_closed or transport is None or transport.is_closing():
            raise LinkLost(f"The connection to {self._target} is closed.", "Open the charger again.")


async def _bound(key: tuple[str, int], address: NetAddress) -> SharedSocket:
    try:
        async with asyncio.timeout(OPEN_LIMIT_S):
            _, shared = await asyncio.get_running_loop().create_datagram_endpoint(
                SharedSocket, local_addr=key, allow_broadcast=":" not in key[0] or None
            )
    except OSError as error:  # a TimeoutError is one
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise _taken(key[1]) from error
        raise _unreachable(address, error) from error
    return shared


async def _resolved(address: NetAddress) -> str:
    """Return the peer's address as its answers will bear it."""
    with suppress(ValueError):
        return str(ipaddress.ip_address(address.host.partition("%")[0]))
    try:
        async with asyncio.timeout(OPEN_LIMIT_S):
            found = await asyncio.get_running_loop().getaddrinfo(
                address.host, address.port, type=socket.SOCK_DGRAM, family=socket.AF_INET
            )
    except (OSError, UnicodeError, TimeoutError) as error:
        raise _unreachable(address, error) from error
    return str(found[0][4][0])


def _own_address(adapter_address: str, host: str) -> str:
    """Return the address to bind to: loopback for loopback, the chosen adapter where it fits, else every adapter."""
    peer = ipaddress.ip_address(host)
    if peer.is_loopback:
        return "::1" if peer.version == 6 else "127.0.0.1"
    with suppress(ValueError):
        if ipaddress.ip_address(adapter_address).version == peer.version:
            return adapter_address
    return "::" if peer.version == 6 else "0.0.0.0"


def _taken(port: int) -> PortInUse:
    return PortInUse(
        f"Another program on this computer holds UDP port {port}; chargers of this kind answer to no other port.",
        "Close the other program (an energy manager or the vendor's tool may run in the background), then try again.",
        port=port,
    )


def _unreachable(address: NetAddress, error: Exception) -> NotReachable:
    return NotReachable(
        f"{address} can't be reached ({reason(error) or 'no answer'}).", "Check the address and the network adapter."
    )
