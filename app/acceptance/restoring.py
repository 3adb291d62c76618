"""Put back what a case changed: last change first, each with a deadline, none skipped because another failed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from app.errors import AppError

log = logging.getLogger(__name__)

Undo = Callable[[], Awaitable[str]]
"""Puts one thing back; returns what went wrong in words, empty = it is as it was."""


class Restoring:
    """What has to be put back, in the order of the changes."""

    def __init__(self) -> None:
        self._undos: list[tuple[str, Undo]] = []

    def add(self, name: str, undo: Undo) -> None:
        """Remember how to put one thing back; a name that is known already keeps its first, oldest way."""
        if name not in (known for known, _ in self._undos):
            self._undos.append((name, undo))

    def done(self, name: str) -> None:
        """Forget one: the case has put it back itself."""
        self._undos = [item for item in self._undos if item[0] != name]

    @property
    def names(self) -> tuple[str, ...]:
        """Return what waits to be put back."""
        return tuple(name for name, _ in self._undos)

    async def run(self, each_s: float) -> tuple[str, ...]:
        """Put everything back and return what could not be, in words. ``each_s`` is real time for one thing."""
        failed: list[str] = []
        while self._undos:
            name, undo = self._undos.pop()
            problem = await _tried(name, undo, each_s)
            if problem:
                failed.append(f"{name}: {problem}")
        return tuple(failed)


async def _tried(name: str, undo: Undo, each_s: float) -> str:
    try:
        async with asyncio.timeout(each_s):
            return await undo()
    except TimeoutError:
        return f"no answer within {each_s:.0f} s"
    except AppError as error:
        log.info("%s could not be put back: %s", name, error.message)
        return error.message
