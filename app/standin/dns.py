"""A DNS responder on one adapter: our address for chosen names, no name for others, a resolver for the rest."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import cast

from app.model.garage import Asked, Stand
from app.scope import Scope, Trouble
from app.standin import dnswire
from app.standin.bounds import Rates
from app.standin.deciding import Decision, decide
from app.standin.dnswire import Query
from app.standin.forwarding import Forwarder
from app.standin.names import Choice

PORT = 53
RATE, TOTAL_RATE = 200.0, 4000.0
"""Questions a second, of one client and of all: ten times what a garage of fifty chargers asks after a power cut."""
STRANGER_RATE, STRANGERS_RATE = 2.0, 20.0
"""Refusals a second, to one client of another network and to all of them: they must not use up what ours need."""
TCP_CLIENTS = 32
TCP_IDLE_S = 5.0
"""How long a TCP client may be silent (RFC 7766 §6.2.3 leaves it to us)."""
TRIES = 8
"""Free UDP ports tried until the TCP port of that number is free too."""

Reply = Callable[[bytes], None]


class DnsStand:
    """The responder. ``choice`` may be replaced while it runs.

    ``is_near`` says whether a client is on the adapter's network; ``tell`` hears of each question.
    """

    def __init__(
        self,
        *,
        choice: Choice,
        is_near: Callable[[str], bool],
        tell: Callable[[Asked], None],
        knows: Callable[[str], str],
        now: Callable[[], datetime],
        report: Callable[[Trouble], None] | None = None,
        forwarder: Forwarder | None = None,
    ) -> None:
        self.choice = choice
        self.rates = Rates(per_s=RATE, total_per_s=TOTAL_RATE)
        self._strangers = Rates(per_s=STRANGER_RATE, total_per_s=STRANGERS_RATE)
        self.host = ""
        self.port = 0
        self.tried = 0
        self._address = ""
        self._is_near = is_near
        self._tell = tell
        self._knows = knows
        self._now = now
        self._forwarder = forwarder or Forwarder()
        self._scope = Scope("dns", report=report)
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._clients: set[_TcpClient] = set()

    async def open(self, host: str, port: int = PORT, *, address: str = "") -> None:
        """Listen on one adapter's address, UDP and TCP; answer with ``address`` (else ``host``). Raises OSError."""
        self.host, self.tried = host, port
        self._address = address or host
        for attempt in range(TRIES):
            await self._open_udp(host, port)
            try:
                self._tcp = await asyncio.get_running_loop().create_server(lambda: _TcpClient(self), host, self.port)
            except OSError:
                await self._close_udp()
                if port or attempt == TRIES - 1:
                    raise
            else:
                return

    async def _open_udp(self, host: str, port: int) -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _UdpDoor(self), local_addr=(host, port)
        )
        self._udp = transport
        self.host, self.port = transport.get_extra_info("sockname")[:2]

    async def _close_udp(self) -> None:
        udp, self._udp = self._udp, None
        if udp is not None:
            udp.abort()
            await asyncio.sleep(0)  # the socket is closed in the loop's next turn

    async def close(self) -> None:
        """Stop. Idempotent."""
        if self._tcp is not None:
            self._tcp.close()
        for client in tuple(self._clients):
            client.abort()
        await self._close_udp()
        await self._scope.close()

    # For the doors

    def heard(self, data: bytes, client: str, reply: Reply, *, over_tcp: bool) -> None:
        """Deal with one question; ``reply`` is called now, later, or never."""
        is_near = self._is_near(client)
        rates = self.rates if is_near else self._strangers
        if not rates.allows(client, asyncio.get_running_loop().time()):
            return
        decision = decide(data, self.choice, self._address, is_near=is_near)
        if decision.reply is not None:
            self._answer(decision, client, reply)
        elif decision.query is not None:
            self._ask_on(decision.query, client, reply, over_tcp)

    def _answer(self, decision: Decision, client: str, reply: Reply) -> None:
        assert decision.reply is not None
        reply(decision.reply)
        self._told(decision.query, client, decision.words)

    def _ask_on(self, query: Query, client: str, reply: Reply, over_tcp: bool) -> None:
        if (self.choice.forward_to, self._forwarder.port) == (self.host, self.port):
            reply(dnswire.error(query, dnswire.REFUSED))
            self._told(query, client, "refused: the resolver would be ourselves")
            return
        if not self._forwarder.has_room(client):
            reply(dnswire.error(query, dnswire.SERVFAIL))
            self._told(query, client, "too many questions wait for the resolver")
            return
        self._scope.isolated("forward", self._forward(query, client, reply, over_tcp))

    async def _forward(self, query: Query, client: str, reply: Reply, over_tcp: bool) -> None:
        resolver = self.choice.forward_to
        answer = await self._forwarder.ask(query, resolver, client, over_tcp=over_tcp)
        if answer is None:
            reply(dnswire.error(query, dnswire.SERVFAIL))
            self._told(query, client, f"{resolver} did not answer")
            return
        reply(answer if over_tcp or len(answer) <= query.room else dnswire.truncated(query))
        self._told(query, client, _words(answer, query, resolver))

    def _told(self, query: Query | None, client: str, words: str) -> None:
        name = query.name if query is not None else ""
        asked = Asked(
            at=self._now(),
            stand=Stand.DNS,
            client=client,
            name=name,
            kind=query.kind_name if query is not None else "",
            answer=words,
            knows=self._knows(name) if name else "",
        )
        self._tell(asked)

    def joined(self, client: _TcpClient, address: str) -> bool:
        """Count a TCP client in; false for strangers and when there are too many."""
        if len(self._clients) >= TCP_CLIENTS or not self._is_near(address):
            return False
        self._clients.add(client)
        return True

    def left(self, client: _TcpClient) -> None:
        """Count a TCP client out."""
        self._clients.discard(client)


def _words(answer: bytes, query: Query, resolver: str) -> str:
    rcode = dnswire.rcode_of(answer)
    if rcode:
        return f"{dnswire.WORDS.get(rcode, f'error {rcode}')}, says {resolver}"
    return f"{dnswire.first_address(answer, query) or 'answered'} from {resolver}"


class _UdpDoor(asyncio.DatagramProtocol):
    def __init__(self, stand: DnsStand) -> None:
        self._stand = stand

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, peer: tuple[str | int, ...]) -> None:
        self._stand.heard(data, str(peer[0]), partial(self._send, peer), over_tcp=False)

    def error_received(self, _error: Exception) -> None:
        """Ignore it: a client that is gone tells us so by ICMP."""

    def _send(self, peer: tuple[str | int, ...], data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(data, peer)


class _TcpClient(asyncio.Protocol):
    """One TCP client (RFC 7766): messages with their length in front, answered as they are ready."""

    def __init__(self, stand: DnsStand) -> None:
        self._stand = stand
        self._waiting = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._client = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._client = str((transport.get_extra_info("peername") or ("",))[0])
        if self._stand.joined(self, self._client):
            self._wait()
        else:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while len(self._waiting) >= 2 and not self._transport.is_closing():
            size = struct.unpack_from("!H", self._waiting)[0]
            if not dnswire.HEADER <= size <= dnswire.QUERY_LIMIT:
                self._transport.abort()
                return
            if len(self._waiting) < 2 + size:
                return
            message = bytes(self._waiting[2 : 2 + size])
            del self._waiting[: 2 + size]
            self._wait()  # only a whole question is a sign of life
            self._stand.heard(message, self._client, self._send, over_tcp=True)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._stand.left(self)

    def abort(self) -> None:
        self._transport.abort()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(TCP_IDLE_S, self._transport.abort)

    def _send(self, data: bytes) -> None:
        # A client that reads nothing must not fill our memory.
        if self._transport.is_closing() or self._transport.get_write_buffer_size() > 65_536:
            self._transport.abort()
            return
        self._transport.write(struct.pack("!H", len(data)) + data)
