"""TCP byte streams and UDP to one peer."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

from app.errors import LinkLost, NotReachable, TimedOut
from app.links.http import local_address, reason
from app.model.address import NetAddress

OPEN_LIMIT_S = 5.0
READ_SIZE = 65_536
QUEUE_DEPTH = 256


class TcpLine:
    """A TCP connection as a byte stream."""

    def __init__(self, address: NetAddress, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._address = address
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, address: NetAddress, *, adapter_address: str = "") -> TcpLine:
        """Connect; raises NotReachable."""
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                reader, writer = await asyncio.open_connection(
                    address.host, address.port, local_addr=local_address(adapter_address, address.host)
                )
        except (OSError, TimeoutError) as error:
            raise NotReachable(
                f"Nothing answers at {address} ({reason(error) or 'no answer'}).",
                "Check the address, the charger's power, and that this computer is on the same network.",
            ) from error
        return cls(address, reader, writer)

    async def write(self, data: bytes) -> None:
        """Send bytes; raises LinkLost."""
        if self._writer.is_closing():
            raise _closed(str(self._address))
        try:
            self._writer.write(data)
            async with asyncio.timeout(OPEN_LIMIT_S):
                await self._writer.drain()
        except (OSError, TimeoutError) as error:
            raise _closed(str(self._address)) from error

    async def read(self, *, timeout_s: float) -> bytes:
        """Return the next bytes; raises TimedOut or LinkLost."""
        if self._writer.is_closing():
            raise _closed(str(self._address))
        try:
            async with asyncio.timeout(timeout_s):
                data = await self._reader.read(READ_SIZE)
        except TimeoutError as error:
            raise _silent(str(self._address), timeout_s) from error
        except OSError as error:
            raise _closed(str(self._address)) from error
        if not data:
            raise _closed(str(self._address))
        return data

    async def close(self) -> None:
        """Close the connection at once. Idempotent."""
        self._writer.transport.abort()


class UdpLink(asyncio.DatagramProtocol):
    """UDP connected to one peer; the oldest unread datagrams are dropped when too many wait."""

    def __init__(self, address: NetAddress) -> None:
        self._address = address
        self._waiting: deque[bytes] = deque(maxlen=QUEUE_DEPTH)
        self._arrived = asyncio.Event()
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, address: NetAddress, *, adapter_address: str = "") -> UdpLink:
        """Open the socket; raises NotReachable where the address can't be resolved or routed."""
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                _, link = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: cls(address),
                    local_addr=local_address(adapter_address, address.host),
                    remote_addr=(address.host, address.port),
                )
        except (OSError, TimeoutError) as error:
            raise NotReachable(
                f"{address} can't be reached ({reason(error)}).", "Check the address and the network adapter."
            ) from error
        return link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # no isinstance: before Python 3.12 the selector loop's transport is no DatagramTransport
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, _addr: object) -> None:
        """Queue what arrived."""
        self._waiting.append(data)
        self._arrived.set()

    def error_received(self, _error: Exception) -> None:
        """Ignore it: an ICMP answer says nothing that the deadline does not."""

    async def send(self, data: bytes) -> None:
        """Send one datagram; raises LinkLost when closed."""
        if self._transport is None or self._transport.is_closing():
            raise _closed(str(self._address))
        self._transport.sendto(data)

    async def receive(self, *, timeout_s: float) -> bytes:
        """Return the next datagram; raises TimedOut or LinkLost."""
        if self._transport is None or self._transport.is_closing():
            raise _closed(str(self._address))
        try:
            async with asyncio.timeout(timeout_s):
                while not self._waiting:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError as error:
            raise _silent(str(self._address), timeout_s) from error
        return self._waiting.popleft()

    async def close(self) -> None:
        """Close the socket. Idempotent."""
        if self._transport is not None:
            self._transport.abort()


def _closed(where: str) -> LinkLost:
    return LinkLost(f"The connection to {where} is closed.", "Open the charger again.")


def _silent(where: str, limit_s: float) -> TimedOut:
    return TimedOut(f"{where} sent nothing for {limit_s:g} s.", "Check that the charger has power and is in reach.")
