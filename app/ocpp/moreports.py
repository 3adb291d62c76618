"""Further ports of the endpoint: those that the addresses of dead backends name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

from app.errors import PortInUse
from app.links import ports
from app.model.frame import MorePort
from app.ocpp.listener import opened

MOST = 16
"""Ports that may be open beside the endpoint's own [OURS]; a site has a handful of former backends."""


class _Nobody(asyncio.Protocol):
    """Hangs up: the endpoint is just gone."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).abort()


class MorePorts:
    """Keeps a wanted set of ports open on one address; ``visitor`` gives what takes a connection in.

    Each stands alone: one that is taken or forbidden is told and stops none of the others.
    """

    def __init__(self, visitor: Callable[[], asyncio.Protocol | None]) -> None:
        self._visitor = visitor
        self._servers: dict[tuple[str, int], asyncio.Server] = {}
        self._turn = asyncio.Lock()
        self.states: tuple[MorePort, ...] = ()

    async def settle(self, host: str, wanted: Sequence[int]) -> None:
        """Have exactly these ports open on an address, as far as the system lets us."""
        async with self._turn:
            places = [(host, port) for port in dict.fromkeys(wanted)]
            for place in set(self._servers) - set(places):
                self._servers.pop(place).close()
            await asyncio.sleep(0)  # the sockets are closed in the loop's next turn
            self.states = tuple([await self._state(place, number) for number, place in enumerate(places)])

    def close(self) -> None:
        """Close all of them; connections that came over them stay. Idempotent."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        self.states = ()

    async def _state(self, place: tuple[str, int], number: int) -> MorePort:
        host, port = place
        if place in self._servers:
            return MorePort(port=port, is_open=True)
        if number >= MOST:
            advice = f"Close others first: {MOST} are the most."
            return MorePort(port=port, is_open=False, trouble=f"Port {port} is one port too many.", advice=advice)
        try:
            self._servers[place] = await opened(lambda: self._visitor() or _Nobody(), host, port)
        except (OSError, OverflowError, ValueError) as error:
            found = await ports.explain(error, host, port)
            owner = found.owner if isinstance(found, PortInUse) else ""
            return MorePort(port=port, is_open=False, trouble=found.message, advice=found.advice, owner=owner)
        return MorePort(port=port, is_open=True)
