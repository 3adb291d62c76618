"""What the tests of the stand-in services share: an adapter, a peer that is not ours, a resolver."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from app.model.frame import Adapter
from app.standin.desk import GarageDesk

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Loopback:
    """The loopback adapter; ``near`` decides who is on its network."""

    address: str = HOST
    near: Callable[[str], bool] = lambda host: host.startswith("127.")
    prefix: int = 8
    index: int = 1

    @property
    def adapter(self) -> Adapter:
        return Adapter(name="lo", address=self.address, is_loopback=True)

    def contains(self, host: str) -> bool:
        return self.near(host)


@asynccontextmanager
async def desk(ground: Loopback | None = None, **more: object) -> AsyncIterator[GarageDesk]:
    made = GarageDesk(lambda: [ground or Loopback()], lambda: HOST, **more)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.close()


async def ask(port: int, data: bytes, *, timeout_s: float = 5.0, source: str = HOST) -> bytes | None:
    """Send a datagram from a socket of one's own; return the answer, ``None`` where none comes."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
        mine.setblocking(False)
        mine.bind((source, 0))
        mine.connect((HOST, port))
        await loop.sock_sendall(mine, data)
        try:
            async with asyncio.timeout(timeout_s):
                return await loop.sock_recv(mine, 65_535)
        except TimeoutError:
            return None


class Peer(asyncio.DatagramProtocol):
    """A socket whose answers a test decides."""

    def __init__(self, answer: Callable[[bytes], list[bytes]]) -> None:
        self.answer = answer
        self.heard: list[tuple[bytes, tuple[str, int]]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        self.heard.append((data, peer))
        for reply in self.answer(data):
            self.transport.sendto(reply, peer)


@asynccontextmanager
async def peer(answer: Callable[[bytes], list[bytes]]) -> AsyncIterator[tuple[Peer, int]]:
    transport, made = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Peer(answer), local_addr=(HOST, 0)
    )
    try:
        yield made, transport.get_extra_info("sockname")[1]
    finally:
        transport.abort()
        await asyncio.sleep(0)
