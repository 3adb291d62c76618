"""Broadcast values to whoever listens, without ever waiting for them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class Subscription(Generic[T]):
    """One listener's bounded queue: the oldest values are dropped (and counted) when it is full.

    Iterate with ``async for``, or call ``take()`` from a timer. Close it, or use it as a context manager.
    """

    def __init__(self, feed: Feed[T], depth: int) -> None:
        self._feed = feed
        self._depth = depth
        self._items: deque[T] = deque(maxlen=depth)
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self.dropped = 0

    def __enter__(self) -> Subscription[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Subscription[T]:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._closed:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._items.popleft()

    @property
    def has_waiting(self) -> bool:
        """Say whether values wait to be taken."""
        return bool(self._items)

    def take(self) -> list[T]:
        """Return all waiting values at once, oldest first, and forget them."""
        items = list(self._items)
        self._items.clear()
        return items

    def close(self) -> None:
        """Stop listening; an iterator in progress ends after the values it still has. Idempotent."""
        self._closed = True
        self._feed._subscriptions = tuple(other for other in self._feed._subscriptions if other is not self)
        self._wake()

    def _push(self, item: T) -> None:
        if len(self._items) == self._depth:
            self.dropped += 1
        self._items.append(item)
        if self._waiter is not None:
            self._wake()

    def _push_all(self, items: Sequence[T]) -> None:
        surplus = len(self._items) + len(items) - self._depth
        if surplus > 0:
            self.dropped += surplus
        self._items.extend(items)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Feed(Generic[T]):
    """A typed broadcast. ``publish`` never blocks."""

    def __init__(self) -> None:
        self._subscriptions: tuple[Subscription[T], ...] = ()

    @property
    def is_heard(self) -> bool:
        """Say whether anybody listens."""
        return bool(self._subscriptions)

    def publish(self, item: T) -> None:
        """Give one value to every listener."""
        for subscription in self._subscriptions:
            subscription._push(item)

    def publish_all(self, items: Sequence[T]) -> None:
        """Give several values to every listener, in order."""
        for subscription in self._subscriptions:
            subscription._push_all(items)

    def subscribe(self, depth: int = 1024) -> Subscription[T]:
        """Listen from now on, keeping at most ``depth`` values."""
        subscription = Subscription(self, depth)
        self._subscriptions += (subscription,)
        return subscription
