"""What happens at our endpoint while an experiment runs, as far as it concerns its subject. Bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from app.experiment.values import Subject
from app.feed import Feed
from app.model.frame import Frame, Knock
from app.model.observation import Ended, TlsFailed
from app.ocpp.channel import host_of
from app.ocpp.endpoint import Endpoint
from app.scope import Scope

if TYPE_CHECKING:
    from app.ocpp.server import OcppServer

Happening = Endpoint | Ended | TlsFailed | Knock | Frame
"""An ``Endpoint`` stands for its arrival."""
T = TypeVar("T")
Look = Callable[[Sequence[Happening]], T | None]

KEPT = 1000
"""Happenings of one round that are kept; the oldest go."""
SHOWN = 2000
"""Characters of a frame that are kept."""


class Witness:
    """Collects happenings; ``until`` waits for something among them."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.happened: deque[Happening] = deque(maxlen=KEPT)
        self._news = asyncio.Event()

    @contextmanager
    def listening(self, server: OcppServer, scope: Scope) -> Iterator[None]:
        """Listen to a server from here on."""
        feeds: tuple[Feed[Happening], ...] = (
            server.arrivals,
            server.endings,
            server.refusals,
            server.knocks,
            server.frames,
        )  # type: ignore[assignment]
        subscriptions = [feed.subscribe(KEPT) for feed in feeds]

        async def follow(at: int) -> None:
            async for happening in subscriptions[at]:
                self._take(happening)

        for at in range(len(feeds)):
            scope.required(f"witness {at}", follow(at))
        try:
            yield
        finally:
            for subscription in subscriptions:
                subscription.close()

    def restart(self) -> None:
        """Forget what happened."""
        self.happened.clear()

    async def until(self, look: Look[T], limit_s: float) -> T | None:
        """Return what ``look`` finds in what happened, as soon as it does; ``None`` after ``limit_s``."""
        try:
            async with asyncio.timeout(limit_s):
                while (found := look(self.happened)) is None:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return look(self.happened)
        return found

    def _take(self, happening: Happening) -> None:
        if not self._concerns(happening):
            return
        if isinstance(happening, Frame):
            happening = replace(happening, text=happening.text[:SHOWN], raw=None)
        self.happened.append(happening)
        self._news.set()

    def _concerns(self, happening: Happening) -> bool:
        subject = self.subject
        if isinstance(happening, TlsFailed):
            return not subject.host or host_of(happening.remote) == subject.host
        if subject.identity:
            return happening.identity == subject.identity
        remote = happening.handshake.remote if isinstance(happening, Endpoint) else getattr(happening, "remote", "")
        return host_of(remote) == subject.host
