"""A DHCP server for a direct cable: one adapter, and only while no other server answers there."""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable
from datetime import datetime

from app.errors import AppError, Garbled, ServerError
from app.model.garage import Asked, Stand
from app.scope import Scope, Trouble
from app.standin import dhcpwire
from app.standin.bounds import Ground, Rates
from app.standin.dhcpwire import NOBODY, SERVER, Kind, Message
from app.standin.leases import LeaseBook

PORT, CLIENT_PORT = 67, 68
EVERYBODY = "255.255.255.255"
LOOK_S = 5.0
"""How long we listen for another server: dnsmasq pings an address for 3 s before it offers it (dnsmasq(8))."""
LOOK_AGAIN_S = 60.0
RATE, TOTAL_RATE = 10.0, 100.0
IP_BOUND_IF = 25
"""macOS: bind a socket to an adapter (netinet/in.h); Python does not name it."""
WIDEST, NARROWEST = 8, 30
"""Prefix lengths a pool can be made of."""


class Rival(ServerError):
    """Another DHCP server answers on the cable."""


class DhcpStand:
    """The server on one adapter. ``gave_way`` hears the trouble when another server shows up later.

    It has to hear broadcasts of clients without an address, so its two sockets are bound to the adapter itself
    (Linux: SO_BINDTODEVICE, macOS: IP_BOUND_IF) or, on Windows, to the adapter's address.
    """

    def __init__(
        self,
        ground: Ground,
        *,
        tell: Callable[[Asked], None],
        now: Callable[[], datetime],
        gave_way: Callable[[AppError], None],
        report: Callable[[Trouble], None] | None = None,
        look_s: float = LOOK_S,
        look_again_s: float = LOOK_AGAIN_S,
    ) -> None:
        self.host = ground.adapter.address
        self.port = 0
        self.tried = PORT
        self.rates = Rates(per_s=RATE, total_per_s=TOTAL_RATE)
        self._ground = ground
        self._tell = tell
        self._now = now
        self._gave_way = gave_way
        self._look_s = look_s
        self._look_again_s = look_again_s
        self._scope = Scope("dhcp", report=report)
        self._ears: list[asyncio.DatagramTransport] = []
        self._asked: deque[int] = deque(maxlen=16)
        """Numbers of our own DISCOVERs."""
        self._rival: asyncio.Future[Rival] = asyncio.get_running_loop().create_future()
        self._looks_now = asyncio.Event()

    async def open(self) -> None:
        """Look for another server, then serve. Raises Rival, ServerError, OSError."""
        if self._ground.adapter.is_loopback or not WIDEST <= self._ground.prefix <= NARROWEST:
            raise ServerError(
                f"No addresses can be given out on {self._ground.adapter.name} ({self.host}/{self._ground.prefix}).",
                "Give the adapter of the cable an address of its own, such as 10.77.0.1 with the mask 255.255.255.0.",
            )
        self._book = LeaseBook(f"{self.host}/{self._ground.prefix}")
        self._ears.append(await self._ear(CLIENT_PORT, self._heard_server))
        self._server = await self._ear(PORT, self._heard_client)
        self._ears.append(self._server)
        await self._look()
        if self._rival.done():
            raise self._rival.result()
        self.port = PORT
        self._scope.isolated("rivals", self._watch())

    async def close(self) -> None:
        """Stop. Idempotent."""
        self.port = 0
        ears, self._ears = self._ears, []
        for ear in ears:
            ear.abort()
        await asyncio.sleep(0)  # the sockets are closed in the loop's next turn
        await self._scope.close()

    async def _ear(self, port: int, hear: Callable[[Message, tuple[str, int]], None]) -> asyncio.DatagramTransport:
        self.tried = port
        made = _socket(self._ground, port)
        try:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Ear(hear), sock=made)
        except BaseException:
            made.close()
            raise
        return transport

    # Others

    async def _look(self) -> None:
        """Ask like a client for a while; whoever offers is another server."""
        for part in (0.3, 0.7):
            number = secrets.randbits(32)
            self._asked.append(number)
            # A made-up address of the locally administered kind (IEEE 802): ours may have a reservation there.
            mac = bytes([0x02, *secrets.token_bytes(5)]).hex(":")
            ask = Message(kind=Kind.DISCOVER, xid=number, mac=mac, is_broadcast=True)
            self._ears[0].sendto(dhcpwire.write(ask), (EVERYBODY, PORT))
            await asyncio.wait({self._rival}, timeout=self._look_s * part)
            if self._rival.done():
                return

    async def _watch(self) -> None:
        while not self._rival.done():
            try:
                async with asyncio.timeout(self._look_again_s):
                    await self._looks_now.wait()
            except TimeoutError:
                pass
            self._looks_now.clear()
            await self._look()
        self.port = 0
        self._gave_way(self._rival.result())

    def _heard_server(self, message: Message, sender: tuple[str, int]) -> None:
        server = message.address(SERVER)
        if message.is_reply and server != self._book.ours and not self._rival.done():
            where = str(server) if server != NOBODY else sender[0]
            self._rival.set_result(
                Rival(
                    f"Another DHCP server answers on {self._ground.adapter.name}: {where}.",
                    "Leave giving out addresses to it, and have its DNS changed instead: “rehome standin recipes”.",
                )
            )

    # Clients

    def _heard_client(self, message: Message, _sender: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        if self.port == 0 or self._rival.done() or message.xid in self._asked:
            return
        if not self.rates.allows(message.mac, loop.time()):
            return
        if message.kind is Kind.REQUEST and message.address(SERVER) not in (NOBODY, self._book.ours):
            self._looks_now.set()  # it took somebody else's offer
        reply = self._book.answer(message, loop.time())
        if reply is not None:
            self._send(reply)
        answer = _words(reply) if reply is not None else ""
        self._tell(
            Asked(
                at=self._now(),
                stand=Stand.DHCP,
                client=message.mac,
                name=message.host_name,
                kind=message.kind.name,
                answer=answer,
            )
        )

    def _send(self, reply: Message) -> None:
        # A client without an address can't answer ARP; where it has one, or renews, it is asked directly.
        has_address = reply.client != NOBODY and not reply.is_broadcast
        where = str(reply.client) if has_address and reply.client in self._book.network else EVERYBODY
        self._server.sendto(dhcpwire.write(reply), (where, CLIENT_PORT))


def _words(reply: Message) -> str:
    return f"{reply.kind.name} {reply.yours}" if reply.yours != NOBODY else reply.kind.name


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, hear: Callable[[Message, tuple[str, int]], None]) -> None:
        self._hear = hear

    def datagram_received(self, data: bytes, peer: tuple[str | int, ...]) -> None:
        try:
            message = dhcpwire.read(data)
        except Garbled:
            return
        self._hear(message, (str(peer[0]), int(peer[1])))

    def error_received(self, _error: Exception) -> None:
        """Ignore it: clients without an address cause them."""


def _socket(ground: Ground, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if port == CLIENT_PORT:  # the system's own DHCP client listens there too
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((_bound_to(made, ground), port))
    except OSError:
        made.close()
        raise
    return made


def _bound_to(made: socket.socket, ground: Ground) -> str:
    """Tie a socket to the adapter; return the address to bind it to."""
    system: str = sys.platform
    if system == "linux":
        name = ground.adapter.name.partition(":")[0].encode()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
        return ""
    if system == "darwin":
        made.setsockopt(socket.IPPROTO_IP, IP_BOUND_IF, struct.pack("I", ground.index))
        return ""
    return ground.adapter.address
