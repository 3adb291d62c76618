"""Start coroutines from slots. The only place in the face that creates tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from ui import doors

T = TypeVar("T")

STOP_LIMIT_S = 2.0
"""How long ``stop`` waits for cancelled tasks."""


class Tasks:
    """The coroutines of one page, window or dialog; they end with it.

    A coroutine that fails tells the technician through ``ui.doors`` (an AppError as a banner, anything else on the
    crash page); nobody needs to catch it.
    """

    def __init__(self, owner: QObject) -> None:
        self._owner = owner
        self._name = owner.objectName() or type(owner).__name__
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._count = 0
        self._is_closed = False
        owner.destroyed.connect(self.close)

    def start(self, name: str, coro: Coroutine[Any, Any, T], *, busy: QWidget | None = None) -> asyncio.Task[T]:
        """Start a coroutine. ``busy`` (a button) stays disabled until it ends."""
        if self._is_closed or not _is_turning():
            coro.close()
            raise RuntimeError(f"{self._name} is gone, or no loop runs; {name} can't start")
        self._count += 1
        key = name if not self.is_running(name) else f"{name}#{self._count}"
        task = asyncio.get_running_loop().create_task(coro, name=f"ui/{self._name}/{key}")
        self._tasks[key] = task
        if busy is not None:
            busy.setEnabled(False)
        task.add_done_callback(lambda done: self._ended(key, done, busy))
        return task

    def start_once(
        self, name: str, coro: Coroutine[Any, Any, T], *, busy: QWidget | None = None
    ) -> asyncio.Task[T] | None:
        """Start a coroutine unless one of that name still runs (a double click); then return ``None``."""
        if self.is_running(name) or self._is_closed:
            coro.close()
            return None
        return self.start(name, coro, busy=busy)

    def replace(self, name: str, coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Cancel the running coroutine of that name, if any, and start this one (search as you type)."""
        old = self._tasks.pop(name, None)
        if old is not None:
            self._count += 1
            self._tasks[f"{name}#{self._count}"] = old
            old.cancel()
        return self.start(name, coro)

    @property
    def is_closed(self) -> bool:
        """Say whether nothing starts any more: what still arrives comes too late."""
        return self._is_closed

    def is_running(self, name: str) -> bool:
        """Say whether a coroutine of that name runs."""
        task = self._tasks.get(name)
        return task is not None and not task.done()  # between its end and ``_ended`` a click must not be lost

    def cancel(self, name: str) -> None:
        """Cancel one coroutine by name, if it runs."""
        if (task := self._tasks.get(name)) is not None:
            task.cancel()

    def close(self) -> None:
        """Cancel everything; nothing starts any more. Idempotent."""
        self._is_closed = True
        for task in tuple(self._tasks.values()):
            task.cancel()

    async def stop(self) -> None:
        """Cancel everything and wait for it, at most ``STOP_LIMIT_S``."""
        self.close()
        current = asyncio.current_task()
        left = {task for task in self._tasks.values() if task is not current}
        if left:
            await asyncio.wait(left, timeout=STOP_LIMIT_S)

    def _ended(self, key: str, task: asyncio.Task[Any], busy: QWidget | None) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        else:
            for other, waiting in tuple(self._tasks.items()):
                if waiting is task:
                    del self._tasks[other]
        if busy is not None and doors.is_alive(busy):
            busy.setEnabled(True)
        if not task.cancelled() and (error := task.exception()) is not None:
            doors.report(error, where=task.get_name())


def _is_turning() -> bool:
    try:
        return asyncio.get_running_loop() is not None
    except RuntimeError:
        return False
