"""A live connection to a unit through a driver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import ClassVar, Self, TypeVar, cast

from app.errors import LinkLost, NotSupported, TimedOut
from app.model.address import Address

C = TypeVar("C")


class Session:
    """One connection; one call at a time, a deadline on each.

    A driver subclasses it, implements the capability methods it has, and sets ``offers`` in ``_open`` **after**
    probing: a capability that this very unit does not have must not be in it.

    States::

        new ──open──► open ──close | link lost──► closed
    """

    driver_id: ClassVar[str]
    deadline_s: ClassVar[float] = 5.0

    def __init__(self, address: Address) -> None:
        self.address = address
        self.offers: frozenset[type] = frozenset()
        self._lock = asyncio.Lock()
        self._is_open = False

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the link. Idempotent."""
        self._is_open = False
        await self._close()

    @property
    def is_open(self) -> bool:
        """Say whether calls are possible."""
        return self._is_open

    def has(self, capability: type) -> bool:
        """Say whether this unit offers the capability."""
        return capability in self.offers

    def ask(self, capability: type[C]) -> C:
        """Return the session as that capability; raises NotSupported where the unit does not offer it."""
        if capability not in self.offers:
            raise NotSupported(
                f"This charger does not offer “{capability.__name__}” over {self.address}.",
                "Use another way to reach it, or do this step by hand.",
            )
        return cast(C, self)

    @asynccontextmanager
    async def call(self, what: str, *, deadline_s: float | None = None) -> AsyncIterator[None]:
        """Guard one exchange with the unit: one at a time, with a deadline. Use it in every capability method."""
        if not self._is_open:
            raise LinkLost(f"The connection to {self.address} is closed.", "Open the charger again.")
        limit_s = deadline_s or self.deadline_s
        async with self._lock:
            try:
                async with asyncio.timeout(limit_s):
                    yield
            except TimeoutError as error:
                raise TimedOut(
                    f"{self.address} did not answer “{what}” within {limit_s:.0f} s.",
                    "Check that the charger has power and is in reach, then try again.",
                ) from error

    async def _open(self) -> None:
        """Open the link, probe, set ``offers``. Each await needs its own deadline."""
        raise NotImplementedError

    async def _close(self) -> None:
        """Close the link; may be called on a session that never opened."""
        raise NotImplementedError
