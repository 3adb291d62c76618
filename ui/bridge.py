"""From a Feed into Qt: one list every tenth of a second, and only while somebody looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from PySide6.QtCore import QObject, QTimer

from app.feed import Feed

T = TypeVar("T")


class Bridge(Generic[T]):
    """Delivers what a feed published as one list per tick.

    ``pause`` (page hidden) stops the timer; the feed goes on filling the bounded subscription, so ``resume`` delivers
    at most ``depth`` values and ``dropped`` tells how many were lost: re-read the whole state when it grew.
    """

    def __init__(
        self,
        feed: Feed[T],
        parent: QObject,
        deliver: Callable[[list[T]], object],
        *,
        interval_ms: int = 100,
        depth: int = 4096,
    ) -> None:
        self._subscription = feed.subscribe(depth)
        self._deliver = deliver
        self._timer = QTimer(parent)
        self._timer.setInterval(interval_ms)
        self._timer.timeout.connect(self.flush)
        parent.destroyed.connect(self._subscription.close)
        self._is_closed = False

    @property
    def dropped(self) -> int:
        """Count the values lost because nobody took them in time."""
        return self._subscription.dropped

    @property
    def is_running(self) -> bool:
        """Say whether the timer runs."""
        return not self._is_closed and self._timer.isActive()

    def flush(self) -> None:
        """Deliver what is waiting now."""
        items = self._subscription.take()
        if items:
            self._deliver(items)

    def resume(self) -> None:
        """Deliver what waited and go on."""
        if not self._is_closed:
            self.flush()
            self._timer.start()

    def pause(self) -> None:
        """Stop delivering; the feed keeps the newest ``depth`` values."""
        if not self._is_closed:
            self._timer.stop()

    def close(self) -> None:
        """Stop listening for good. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._subscription.close()
            self._timer.stop()
            self._timer.deleteLater()
