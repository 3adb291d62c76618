"""When a command may go out: after Boot was accepted, and one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turn:
    """The gate and the queue of one connection's commands. Costs nothing until the first command."""

    __slots__ = ("_gate", "_lock", "is_free")

    def __init__(self) -> None:
        self.is_free = False
        """Commands may go out."""
        self._gate: asyncio.Event | None = None
        self._lock: asyncio.Lock | None = None

    def free(self) -> None:
        """Let commands out from now on."""
        self.is_free = True
        if self._gate is not None:
            self._gate.set()

    def bar(self) -> None:
        """Let no further command out."""
        self.is_free = False
        self._gate = None if self._gate is None or self._gate.is_set() else self._gate

    @asynccontextmanager
    async def taken(self, limit_s: float, *, is_early: bool) -> AsyncIterator[bool]:
        """Wait for gate and turn, and hold the turn; yields false where that took longer than ``limit_s``.

        ``is_early``: do not wait for the gate.
        """
        lock = self._lock = self._lock or asyncio.Lock()
        try:
            async with asyncio.timeout(limit_s):
                if not self.is_free and not is_early:
                    gate = self._gate = self._gate or asyncio.Event()
                    await gate.wait()
                await lock.acquire()
        except TimeoutError:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()
