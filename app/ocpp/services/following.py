"""Follow one charger's notifications over its reconnects: a firmware update ends on another connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from app.feed import Feed
from app.model.transfer import FileMove
from app.ocpp.endpoint import Endpoint
from app.ocpp.events import Closed, Heard
from app.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A request of the charger's: a notification."""

    action: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The connection ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """The charger dialled again."""

    endpoint: Endpoint


News = Notice | Gone | Back | FileMove


class Following:
    """What happens to one charger, and to its files, in order."""

    def __init__(self, endpoint: Endpoint, actions: Collection[str]) -> None:
        self.endpoint = endpoint
        self._actions = frozenset(actions)
        self._news: asyncio.Queue[News] = asyncio.Queue(maxsize=10_000)

    async def next(self, timeout_s: float) -> News | None:
        """Return what happens next; ``None`` = nothing within that time."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._news.get()
        except TimeoutError:
            return None

    async def notices(self, arrivals: Feed[Endpoint]) -> None:
        """Take in notifications, over reconnects."""
        with arrivals.subscribe() as coming:
            while True:
                await self._of_one(self.endpoint)
                await self._news.put(Gone())
                self.endpoint = await self._return(coming)
                await self._news.put(Back(endpoint=self.endpoint))

    async def _return(self, coming: AsyncIterator[Endpoint]) -> Endpoint:
        async for endpoint in coming:
            if endpoint.identity == self.endpoint.identity and endpoint is not self.endpoint:
                return endpoint
        raise asyncio.CancelledError

    async def _of_one(self, endpoint: Endpoint) -> None:
        with endpoint.events.subscribe() as events:
            if not endpoint.is_open:
                return
            async for event in events:
                if isinstance(event, Closed):
                    return
                if isinstance(event, Heard) and event.action in self._actions:
                    await self._news.put(Notice(action=event.action, payload=event.payload))

    async def moves(self, feed: Feed[FileMove], token: str) -> None:
        """Take in what happens to the files of a ticket."""
        with feed.subscribe(10_000) as moves:
            async for move in moves:
                if move.token == token:
                    await self._news.put(move)


@asynccontextmanager
async def following(
    endpoint: Endpoint,
    arrivals: Feed[Endpoint],
    actions: Collection[str],
    moves: Feed[FileMove] | None = None,
    token: str = "",
) -> AsyncIterator[Following]:
    """Follow a charger inside the block."""
    news = Following(endpoint, actions)
    async with Scope(f"follow {endpoint.identity}") as scope:
        scope.required("notices", news.notices(arrivals))
        if moves is not None:
            scope.required("moves", news.moves(moves, token))
        await asyncio.sleep(0)  # both listen from here on
        yield news
