"""Own tasks: who starts one, ends it. The only place in the core that creates tasks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")

CLOSE_LIMIT_S = 4.0
"""How long leaving waits for cancelled tasks; the whole program must end within 5 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An isolated task that failed: its full name (``scope/name``) and the exception."""

    name: str
    error: BaseException


class Scope:
    """A group of tasks with one owner.

    ``required`` tasks end the scope when they fail; ``isolated`` ones are reported and end only themselves.
    Leaving the ``async with`` body cancels and awaits all tasks.

    States::

        new ──enter──► open ──(leave | close | required failed)──► closed
    """

    def __init__(self, name: str, *, report: Callable[[Trouble], None] | None = None) -> None:
        self.name = name
        self._report = report
        self._tasks: set[asyncio.Task[Any]] = set()
        self._host: asyncio.Task[Any] | None = None
        self._failure: BaseException | None = None
        self._interrupted_host: bool = False
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Say whether no further task can be started."""
        return self._closed

    @property
    def task_names(self) -> list[str]:
        """List the names of running tasks."""
        return sorted(task.get_name() for task in self._tasks)

    async def __aenter__(self) -> Scope:
        self._host = asyncio.current_task()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        host = self._host
        self._host = None
        await self.close()
        failure = self._failure
        if failure is None:
            return
        if self._interrupted_host and host is not None and isinstance(error, asyncio.CancelledError):
            if host.uncancel() > 0:
                return
            raise failure
        if error is None:
            raise failure

    def required(self, name: str, coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task whose failure ends the scope (and is raised where the scope is left)."""
        task = self._start(name, coro)
        task.add_done_callback(self._required_done)
        return task

    def isolated(self, name: str, coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task whose failure is reported and ends only itself."""
        task = self._start(name, coro)
        task.add_done_callback(self._isolated_done)
        return task

    async def close(self) -> None:
        """Cancel all tasks and await them, at most ``CLOSE_LIMIT_S``. Idempotent."""
        self._closed = True
        current = asyncio.current_task()
        left = {task for task in self._tasks if task is not current}
        for task in left:
            task.cancel()
        if left:
            _, stuck = await asyncio.wait(left, timeout=CLOSE_LIMIT_S)
            for task in stuck:
                log.error("task %s did not end within %.0f s", task.get_name(), CLOSE_LIMIT_S)

    def _start(self, name: str, coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        if self._closed:
            coro.close()
            raise RuntimeError(f"scope {self.name} is closed; {name} can't start")
        task = asyncio.get_running_loop().create_task(coro, name=f"{self.name}/{name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _required_done(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        if self._failure is not None:
            self._tell(task, error)
            return
        self._failure = error
        self._closed = True
        for other in self._tasks:
            other.cancel()
        if self._host is not None and not self._host.done():
            self._interrupted_host = True
            self._host.cancel()

    def _isolated_done(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell(task, error)

    def _tell(self, task: asyncio.Task[Any], error: BaseException) -> None:
        if self._report is not None:
            self._report(Trouble(name=task.get_name(), error=error))
        else:
            log.error("%s failed: %s", task.get_name(), error, exc_info=error)
