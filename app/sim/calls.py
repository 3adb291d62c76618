"""The calls of a simulated unit that wait for an answer: ids, deadlines, what became of them."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection

Payload = dict[str, Any]

CALL_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a call: the payload, or the error code of a CALLERROR, or neither after the deadline."""

    payload: Payload | None = None
    error: str = ""


class Calls:
    """Sends calls and matches answers; message ids begin with the unit's identity."""

    def __init__(self, identity: str) -> None:
        self._prefix = identity[:20]
        self._numbers = itertools.count(1)
        self._waiting: dict[str, tuple[str, asyncio.Future[Answered]]] = {}

    def next_id(self) -> str:
        """Return a new message id."""
        return f"{self._prefix}-{next(self._numbers)}"

    async def call(self, link: ClientConnection, action: str, payload: Payload, *, is_cut: bool = False) -> Answered:
        """Send a call, whole or without its last bracket, and wait for its answer; raises ConnectionClosed."""
        uid = self.next_id()
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._waiting[uid] = action, future
        try:
            text = framed(2, uid, action, payload)
            await link.send(text[:-1] if is_cut else text)
            async with asyncio.timeout(CALL_LIMIT_S):
                return await future
        except TimeoutError:
            return Answered()
        finally:
            self._waiting.pop(uid, None)

    def action_of(self, uid: str) -> str:
        """Return what was asked under an id, empty where nothing waits."""
        return self._waiting[uid][0] if uid in self._waiting else ""

    def settle(self, uid: str, answer: Answered) -> None:
        """Hand an answer to whoever waits for it."""
        _, future = self._waiting.get(uid, ("", None))
        if future is not None and not future.done():
            future.set_result(answer)

    def abandon(self) -> None:
        """Give up all calls: the line is gone."""
        for _, future in self._waiting.values():
            future.cancel()
        self._waiting.clear()


def framed(*parts: Any) -> str:
    """Write a message as stations do, without blanks."""
    return json.dumps(list(parts), separators=(",", ":"))
