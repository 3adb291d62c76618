"""Wait until a unit's queue for its dead backend is empty: every message answered, none about the past any more."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.feed import Subscription
from app.ocpp import v16
from app.ocpp.endpoint import Endpoint
from app.ocpp.events import Closed, EndpointEvent, Heard
from app.rescue.sessions import TALKS

QUIET_S = 10.0
"""So long without a kept message and the queue counts as empty [OURS]; units send the next one as soon as the last
is answered (OCPP 1.6 §3.7.1, part 2 E04)."""
LOOK_S = 2.0
"""A queue is watched so long in any case [OURS]."""
PATIENCE_S = 1800.0
STUCK = 3
"""The same message so often, although it was answered: the unit is stuck on it (connection-failures 13) [OURS]."""
MAX_MARKS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """How far it is. ``messages`` about sessions were taken so far; ``is_dry``: for ``QUIET_S`` none came.

    ``stuck`` names a message that it sent again and again although it was answered. Where the queue is dry all the same
    it was stepped over; where not, what lies behind it stays on the unit.
    """

    messages: int
    is_dry: bool
    is_gone: bool = False
    stuck: str = ""


async def drain(
    endpoint: Endpoint,
    *,
    quiet_s: float = QUIET_S,
    patience_s: float = PATIENCE_S,
    told: Callable[[Drained], None] = lambda _: None,
    stuck: Callable[[Heard], None] = lambda _: None,
) -> Drained:
    """Watch one connection until its queue is dry, it hangs up, or patience ends. Never raises for the unit's part.

    A live session goes on sending meter values: those with a present time stamp do not count. ``stuck`` is called with
    a message that comes again and again. Time that it was silent about the past before counts, but for ``LOOK_S``.
    """
    book, loop = _Book(), asyncio.get_running_loop()
    ends_at = loop.time() + patience_s
    with endpoint.events.subscribe(10_000) as events:
        silent_s = (datetime.now(UTC) - endpoint.last_past_at).total_seconds()
        quiet_at = loop.time() + max(min(quiet_s, LOOK_S), quiet_s - silent_s)
        while True:
            try:
                async with asyncio.timeout_at(min(quiet_at, ends_at)):
                    heard = await _next(events, endpoint)
            except TimeoutError:
                is_quiet = quiet_at <= ends_at
                return book.state(is_dry=is_quiet and not book.is_stuck)
            if heard is None:
                return book.state(is_gone=True)
            book.enter(heard)
            if book.is_stuck:
                stuck(heard)
            else:
                quiet_at = loop.time() + quiet_s
            told(book.state())


def is_kept(payload: Mapping[str, Any], opened_at: datetime) -> bool:
    """Say whether a message about a session was made before this connection opened."""
    if payload.get("offline") is True:
        return True
    stamps = [payload.get("timestamp"), *v16.stamps(payload)]
    return any(v16.when(stamp, opened_at)[0] < opened_at for stamp in stamps if stamp is not None)


class _Book:
    """Counts what came, and notices what comes again and again."""

    def __init__(self) -> None:
        self._count = 0
        self._marks: dict[bytes, int] = {}
        self.stuck = ""
        self._times = 0

    @property
    def is_stuck(self) -> bool:
        """Say whether the last message came again and again."""
        return self._times >= STUCK

    def enter(self, heard: Heard) -> None:
        """Take a message."""
        mark = hashlib.sha256(repr((heard.action, heard.payload)).encode(errors="replace")).digest()
        self._times = self._marks[mark] = self._marks.pop(mark, 0) + 1
        if len(self._marks) > MAX_MARKS:
            del self._marks[next(iter(self._marks))]
        self._count += self._times == 1
        if self.is_stuck:
            at = heard.payload.get("timestamp") or next(iter(v16.stamps(heard.payload)), "")
            self.stuck = f"{heard.action} {v16.text(at, 40)}".strip()

    def state(self, *, is_dry: bool = False, is_gone: bool = False) -> Drained:
        """Say how far it is."""
        return Drained(messages=self._count, is_dry=is_dry, is_gone=is_gone, stuck=self.stuck)


async def _next(events: Subscription[EndpointEvent], endpoint: Endpoint) -> Heard | None:
    """Return the next kept message, or ``None`` where it hung up."""
    while endpoint.is_open or events.has_waiting:
        event = await anext(events)
        if isinstance(event, Closed):
            break
        if isinstance(event, Heard) and event.action in TALKS and is_kept(event.payload, endpoint.opened_at):
            return event
    return None
