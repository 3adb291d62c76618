"""One open port: takes everybody in, bounds them, and knows which face to show."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.errors import BadCertificate
from app.model.frame import Hello
from app.model.listening import ListenPlan
from app.ocpp import ports
from app.ocpp.channel import Bounds, Channel, Keeper, Receiver, Text, host_of
from app.ocpp.peer import MAX_MESSAGE, Peer
from app.ocpp.visitor import Visitor

if TYPE_CHECKING:
    from app.trust.wardrobe import Outfit, Wardrobe

__all__ = ["MAX_MESSAGE", "Bounds", "Channel", "Keeper", "Listener", "Peer", "Receiver", "Text"]

log = logging.getLogger(__name__)

QUEUED = 512
"""Connections that may wait to be accepted."""
ACCEPTED_AT_ONCE = 8
"""Connections taken in before the others have their turn: each takes 0.1 ms, and healthy units wait meanwhile."""
REMEMBERED = 500
"""Addresses whose client certificate we could not take; they are not asked again."""


async def opened(make: Callable[[], asyncio.Protocol], host: str, port: int) -> asyncio.Server:
    """Open a port for whoever comes. Raises OSError."""
    ports.allow_many()
    server = await asyncio.get_running_loop().create_server(make, host, port, backlog=ACCEPTED_AT_ONCE)
    for listening in server.sockets:
        # asyncio takes its backlog also as the number it accepts in one go; the queue itself may be longer.
        with listening.dup() as same:
            same.listen(QUEUED)
    return server


class Listener:
    """One open port. ``plan`` may be replaced at any time; it counts for those who come from then on.

    ``personality_for`` gives the next connections from an address (without port) another TLS personality.
    """

    def __init__(
        self,
        keeper: Keeper,
        bounds: Bounds,
        plan: ListenPlan,
        *,
        wardrobe: Callable[[], Wardrobe] | None = None,
        personality_for: dict[str, str] | None = None,
    ) -> None:
        self.keeper = keeper
        self.bounds = bounds
        self.plan = plan
        self.personality_for = personality_for if personality_for is not None else {}
        self.peers: dict[Visitor | Peer, None] = {}
        self.test_path = f"/rehome-self-test/{secrets.token_hex(8)}"
        """Who asks for this is ourselves."""
        self._wardrobe = wardrobe
        self._unasked: OrderedDict[str, None] = OrderedDict()
        self._pending: dict[Visitor, None] = {}
        self._turns: deque[Callable[[], None]] = deque()
        self._server: asyncio.Server | None = None
        self._all_gone = asyncio.Event()
        self.host = ""
        self.port = 0

    @property
    def has_tls(self) -> bool:
        """Say whether TLS is answered."""
        return self.plan.tls and self._wardrobe is not None

    async def open(self, host: str, port: int) -> None:
        """Listen. Raises OSError."""
        self._server = await opened(lambda: Visitor(self), host, port)
        self.host, self.port = self._server.sockets[0].getsockname()[:2]

    def stop_accepting(self) -> None:
        """Free the port; open connections stay."""
        if self._server is not None:
            self._server.close()

    async def close(self, reason: str) -> None:
        """Free the port and end all connections (close code 1001), within ``closing_s`` and a moment."""
        self.stop_accepting()
        for peer in list(self.peers):
            peer.close(1001, reason)
        await self._gone(self.bounds.closing_s)
        for peer in list(self.peers):
            peer.abort()
        await self._gone(0.5)

    # For those who came -------------------------------------------------------------------------------------------

    def joined(self, visitor: Visitor) -> bool:
        """Count a new visitor in; false when there are too many."""
        if len(self.peers) >= self.bounds.peers:
            return False
        self.peers[visitor] = None
        self._pending[visitor] = None
        if len(self._pending) > self.bounds.pending:
            next(iter(self._pending)).crowded_out()
        return True

    def decided(self, visitor: Visitor) -> None:
        """Take a visitor from the list of those that said nothing useful yet."""
        self._pending.pop(visitor, None)

    def became(self, visitor: Visitor, peer: Peer) -> None:
        """Know a visitor as a WebSocket from now on."""
        self.peers.pop(visitor, None)
        self.peers[peer] = None

    def left(self, gone: Visitor | Peer) -> None:
        """Count one out."""
        if isinstance(gone, Visitor):
            self._pending.pop(gone, None)
        self.peers.pop(gone, None)
        if not self.peers:
            self._all_gone.set()

    def take_turn(self, begin: Callable[[], None]) -> None:
        """Begin a TLS handshake when it is its turn: one at a time, and at most half of the time goes into them.

        A signature takes a millisecond; thousands of hellos at once must not keep the others waiting.
        """
        self._turns.append(begin)
        if len(self._turns) == 1:
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        began_s = time.perf_counter()
        try:
            self._turns[0]()
        finally:  # whatever one of them does, the others have their turn
            self._turns.popleft()
            if self._turns:
                asyncio.get_running_loop().call_later(time.perf_counter() - began_s, self._turn)

    def dress(self, hello: Hello, remote: str, local: str) -> Outfit:
        """Return the TLS face for a unit. Raises BadCertificate."""
        if self._wardrobe is None:
            raise BadCertificate("TLS is off.", "Use ws:// in the charger's address.")
        host = host_of(remote)
        return self._wardrobe().dress(
            self.personality_for.get(host, self.plan.personality),
            hello,
            host_of(local),
            is_strict=self.plan.is_strict,
            asks=self.plan.security_profile == 3 and (self.plan.is_strict or host not in self._unasked),
        )

    def stop_asking(self, remote: str) -> None:
        """Ask an address for no client certificate any more: what it showed could not be taken in any way."""
        self._unasked[host_of(remote)] = None
        if len(self._unasked) > REMEMBERED:
            self._unasked.popitem(last=False)

    async def _gone(self, limit_s: float) -> None:
        if not self.peers:
            return
        self._all_gone.clear()
        try:
            async with asyncio.timeout(limit_s):
                await self._all_gone.wait()
        except TimeoutError:
            log.debug("%d peers did not close in time", len(self.peers))
