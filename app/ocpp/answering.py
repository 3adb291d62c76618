"""Answer some of a unit's requests in their own time, without keeping the others waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from app.errors import AppError
from app.scope import Scope

MAX_SLOW = 16
"""Requests of one unit that are answered at the same time (measured part 3: "a semaphore per connection (16)")."""
MAX_WAITING = 128
"""Requests of one unit that may wait for a slow answer; more are refused."""

Given = dict[str, Any] | AppError
"""An answer, or why there is none."""


class SlowAnswers:
    """The answers of one connection that are still being worked out, or held back."""

    def __init__(self, name: str) -> None:
        self._scope = Scope(name)
        self._slots = asyncio.Semaphore(MAX_SLOW)
        self._waiting = 0

    @property
    def is_full(self) -> bool:
        """Say whether no further request may wait."""
        return self._waiting >= MAX_WAITING

    def work_out(self, name: str, answer: Awaitable[dict[str, Any]], then: Callable[[Given], None]) -> None:
        """Await an answer and hand it on; ``then`` is called once unless the connection ends first."""
        self._start(name, self._worked_out(answer, then))

    def hold_back(self, name: str, seconds: float, then: Callable[[], None]) -> None:
        """Do something later."""
        self._start(name, self._held_back(seconds, then))

    async def close(self) -> None:
        """End them all. Idempotent."""
        await self._scope.close()

    def _start(self, name: str, coro: Any) -> None:
        self._waiting += 1
        self._scope.isolated(name, coro).add_done_callback(self._done)

    def _done(self, _: object) -> None:
        self._waiting -= 1

    async def _worked_out(self, answer: Awaitable[dict[str, Any]], then: Callable[[Given], None]) -> None:
        given: Given
        async with self._slots:
            try:
                given = await answer
            except AppError as error:
                given = error
        then(given)

    async def _held_back(self, seconds: float, then: Callable[[], None]) -> None:
        await asyncio.sleep(seconds)
        then()
