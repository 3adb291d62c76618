"""The one event loop of the desktop program: asyncio inside Qt's loop.

qasync's selector loop with asyncio's own ready queue and timer heap, driven by one zero timer and one precise timer.
Stock qasync wakes timers early, keeps cancelled ones until they would have fired, gives handles without ``when()``,
and halves the throughput. Private names of qasync 0.28 used here are pinned by tests/ui/test_loop.py.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import os
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

os.environ.setdefault("QT_API", "pyside6")

import qasync
from PySide6.QtCore import QObject, QSocketNotifier, Qt, QTimer, Signal
from PySide6.QtWidgets import QApplication

from ui.guard import check_versions

T = TypeVar("T")

PRUNE_ABOVE = 100
"""Cancelled timers tolerated before the heap is rebuilt, as asyncio does."""


class _Post(QObject):
    """Brings handles from other threads into the loop's own."""

    posted = Signal(object)

    def __init__(self, take: Callable[[asyncio.Handle], None]) -> None:
        super().__init__()
        self._take = take
        self.posted.connect(self._arrived, Qt.ConnectionType.QueuedConnection)

    def _arrived(self, handle: asyncio.Handle) -> None:
        self._take(handle)


class QtLoop(qasync.QSelectorEventLoop):  # type: ignore[misc]  # qasync has no types
    """asyncio's event loop inside Qt's. On Windows too a selector loop: the proactor stops receiving UDP."""

    def __init__(self, app: QApplication) -> None:
        self._waiting: deque[asyncio.Handle] = deque()
        self._heap: list[asyncio.TimerHandle] = []
        self._is_armed = False
        self._next_s: float | None = None
        self._cancelled_count = 0
        self._post = _Post(self._posted)
        self._is_draining = False
        self._zero = QTimer()
        self._zero.setSingleShot(True)
        self._zero.setInterval(0)
        self._zero.timeout.connect(self._drain)
        self._precise = QTimer()
        self._precise.setSingleShot(True)
        self._precise.setTimerType(Qt.TimerType.PreciseTimer)
        self._precise.timeout.connect(self._due)
        super().__init__(app)

    def close(self) -> None:
        """Stop the timers and release everything."""
        if self.is_running():
            raise RuntimeError("a running loop can't be closed")
        self._zero.stop()
        self._precise.stop()
        self._waiting.clear()
        self._heap.clear()
        super().close()

    def call_soon(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback with the next turn of the loop, in order."""
        self._check_closed()
        handle = asyncio.Handle(callback, args, self, context)
        self._waiting.append(handle)
        self._wake()
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback from another thread; what arrives after ``close`` is dropped."""
        self._check_closed()
        handle = asyncio.Handle(callback, args, self, context)
        self._post.posted.emit(handle)
        return handle

    def _posted(self, handle: asyncio.Handle) -> None:
        if not self.is_closed():
            self._waiting.append(handle)
            self._wake()

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback after ``delay`` seconds, never early."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback at a time of the loop's clock, never early."""
        self._check_closed()
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._heap, handle)
        handle._scheduled = True  # type: ignore[attr-defined]
        if self._next_s is None or when < self._next_s:
            self._arm()
        return handle

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        self._cancelled_count += 1
        if self._cancelled_count <= PRUNE_ABOVE or self._cancelled_count * 2 <= len(self._heap):
            return
        for item in self._heap:
            item._scheduled = not item.cancelled()  # type: ignore[attr-defined]
        self._heap = [item for item in self._heap if not item.cancelled()]
        heapq.heapify(self._heap)
        self._cancelled_count = 0

    def _before_run_forever(self) -> None:
        super()._before_run_forever()
        self._arm()
        self._wake()

    def _wake(self) -> None:
        if self._waiting and not self._is_armed:
            self._is_armed = True
            self._zero.start()

    def _drain(self) -> None:
        self._is_armed = False
        # Somebody turns Qt's loop without ours, or inside one of our callbacks: go on when that has ended.
        if self._is_draining or not self.is_running():
            return
        self._is_draining = True
        try:
            # Only what was ready at the start: painting and input get their turn.
            for _ in range(len(self._waiting)):
                handle = self._waiting.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            self._is_draining = False
        self._wake()

    def _arm(self) -> None:
        while self._heap and self._heap[0].cancelled():
            heapq.heappop(self._heap)._scheduled = False  # type: ignore[attr-defined]
            self._cancelled_count = max(0, self._cancelled_count - 1)
        if not self._heap:
            self._next_s = None
            self._precise.stop()
            return
        self._next_s = self._heap[0].when()
        self._precise.start(min(max(0, math.ceil((self._next_s - self.time()) * 1000)), 2**31 - 1))

    def _due(self) -> None:
        if not self.is_running():
            self._next_s = None
            return
        now = self.time()
        while self._heap and self._heap[0].when() <= now:
            handle = heapq.heappop(self._heap)
            handle._scheduled = False  # type: ignore[attr-defined]
            if not handle.cancelled():
                self._waiting.append(handle)
        self._next_s = None
        self._arm()
        self._wake()

    def _add_reader(self, fd: Any, callback: Callable[..., object], *args: object) -> asyncio.Handle:
        self._check_closed()
        return self._notify(self._read_notifiers, fd, QSocketNotifier.Type.Read, callback, args)

    def _add_writer(self, fd: Any, callback: Callable[..., object], *args: object) -> asyncio.Handle:
        self._check_closed()
        return self._notify(self._write_notifiers, fd, QSocketNotifier.Type.Write, callback, args)

    def _notify(
        self,
        table: dict[Any, QSocketNotifier],
        fd: Any,
        kind: QSocketNotifier.Type,
        callback: Callable[..., object],
        args: tuple[object, ...],
    ) -> asyncio.Handle:
        if (old := table.get(fd)) is not None:
            old.setEnabled(False)
        handle = asyncio.Handle(callback, args, self)
        notifier = QSocketNotifier(qasync._fileno(fd), kind)

        def fire(*_: object) -> None:
            if table.get(fd) is notifier and not handle.cancelled() and self.is_running():
                handle._run()

        notifier.activated["int"].connect(fire)  # type: ignore[index]  # Qt overload by signature
        table[fd] = notifier
        notifier.setEnabled(True)
        return handle


def new_loop(app: QApplication) -> QtLoop:
    """Make the loop. The only place that decides which kind."""
    check_versions()
    return QtLoop(app)


def run(app: QApplication, main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a new loop inside Qt's, and leave nothing behind."""
    app.setQuitOnLastWindowClosed(False)
    loop = new_loop(app)
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)  # type: ignore[no-any-return]
    finally:
        _end(loop)


def _end(loop: QtLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=1))
    loop.run_until_complete(loop.shutdown_asyncgens())
    asyncio.set_event_loop(None)
    loop.close()
