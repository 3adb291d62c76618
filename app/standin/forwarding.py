"""Ask a resolver on a client's behalf: a socket, a number and a port of its own for each question."""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections import Counter

from app.standin import dnswire
from app.standin.dnswire import Query

PENDING = 64
"""Questions that may wait for the resolver at once [OURS]."""
PENDING_OF_ONE = 16
"""How many of them one client may have."""
TRIES_S = (1.5, 2.5)
"""How long each try waits; a stub resolver gives up after 5 s (resolv.conf(5), RES_TIMEOUT)."""
LONGEST = 65_535


class _Ear(asyncio.DatagramProtocol):
    """One question's socket. Connected, so that the system drops what others than the resolver send."""

    def __init__(self, number: int, question: bytes) -> None:
        self._number = number
        self._question = question
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _peer: tuple[str | int, ...]) -> None:
        """Take the answer that fits; others are somebody's guesses."""
        if not self.answered.done() and dnswire.is_answer_to(data, self._number, self._question):
            self.answered.set_result(data)

    def error_received(self, error: Exception) -> None:
        """Give up at once where nobody listens."""
        if not self.answered.done():
            self.answered.set_exception(error)


class Forwarder:
    """Asks a resolver, within bounds. ``port`` is 53 but in tests."""

    def __init__(self, *, port: int = 53) -> None:
        self.port = port
        self._pending: Counter[str] = Counter()

    def has_room(self, client: str) -> bool:
        """Say whether one more question of a client may wait."""
        return self._pending.total() < PENDING and self._pending[client] < PENDING_OF_ONE

    async def ask(self, query: Query, resolver: str, client: str, *, over_tcp: bool) -> bytes | None:
        """Return the resolver's answer under the client's number, or ``None`` where none came in time."""
        self._pending[client] += 1
        try:
            answer = await (self._over_tcp(query, resolver) if over_tcp else self._over_udp(query, resolver))
        finally:
            self._pending[client] -= 1
            if not self._pending[client]:
                del self._pending[client]
        return dnswire.renumbered(answer, query.id) if answer is not None else None

    async def _over_udp(self, query: Query, resolver: str) -> bytes | None:
        for limit_s in TRIES_S:
            number = secrets.randbelow(65_536)
            try:
                async with asyncio.timeout(limit_s):
                    return await self._once(query, resolver, number)
            except OSError:  # TimeoutError is one
                continue
        return None

    async def _once(self, query: Query, resolver: str, number: int) -> bytes:
        transport, ear = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Ear(number, query.question), remote_addr=(resolver, self.port)
        )
        try:
            transport.sendto(dnswire.onward(query, number))
            return await ear.answered
        finally:
            transport.abort()

    async def _over_tcp(self, query: Query, resolver: str) -> bytes | None:
        number = secrets.randbelow(65_536)
        writer = None
        try:
            async with asyncio.timeout(sum(TRIES_S)):
                reader, writer = await asyncio.open_connection(resolver, self.port)
                sent = dnswire.onward(query, number)
                writer.write(struct.pack("!H", len(sent)) + sent)
                size = struct.unpack("!H", await reader.readexactly(2))[0]
                data = await reader.readexactly(size)
        except (OSError, EOFError):
            return None
        finally:
            if writer is not None:
                writer.transport.abort()
        return data if dnswire.is_answer_to(data, number, query.question) else None
