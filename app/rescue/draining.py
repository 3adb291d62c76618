"""Wait until a unit's queue for its dead backend is empty: every message answered, none about the past any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.feed import Subscription
from app.ocpp import v16
from app.ocpp.endpoint import Endpoint
from app.ocpp.events import Closed, EndpointEvent, Heard
from app.rescue.sessions import TALKS

QUIET_S = 20.0
"""So long without a kept message and the queue counts as empty [OURS]; units send the next one as soon as the last
is answered (OCPP 1.6 §3.7.1, part 2 E04)."""
PATIENCE_S = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """How far it is. ``messages`` about sessions were taken so far; ``is_dry``: for ``QUIET_S`` none came."""

    messages: int
    is_dry: bool
    is_gone: bool = False


async def drain(
    endpoint: Endpoint,
    *,
    quiet_s: float = QUIET_S,
    patience_s: float = PATIENCE_S,
    told: Callable[[Drained], None] = lambda _: None,
) -> Drained:
    """Watch one connection until its queue is dry, it hangs up, or patience ends. Never raises for the unit's part.

    A live session goes on sending meter values: those with a present time stamp do not count.
    """
    count = 0
    with endpoint.events.subscribe(10_000) as events:
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    try:
                        async with asyncio.timeout(quiet_s):
                            kind = await _next(events, endpoint)
                    except TimeoutError:
                        return Drained(messages=count, is_dry=True)
                    if kind is Closed:
                        return Drained(messages=count, is_dry=False, is_gone=True)
                    count += 1
                    told(Drained(messages=count, is_dry=False))
        except TimeoutError:
            return Drained(messages=count, is_dry=False)


def is_kept(payload: Mapping[str, Any], opened_at: datetime) -> bool:
    """Say whether a message about a session was made before this connection opened."""
    if payload.get("offline") is True:
        return True
    stamps = [payload.get("timestamp"), *v16.stamps(payload)]
    return any(v16.when(stamp, opened_at)[0] < opened_at for stamp in stamps if stamp is not None)


async def _next(events: Subscription[EndpointEvent], endpoint: Endpoint) -> type:
    """Return Heard for the next kept message, or Closed."""
    while endpoint.is_open or events.has_waiting:
        event = await anext(events)
        if isinstance(event, Closed):
            break
        if isinstance(event, Heard) and event.action in TALKS and is_kept(event.payload, endpoint.opened_at):
            return Heard
    return Closed
