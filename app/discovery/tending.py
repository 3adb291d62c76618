"""When to ask which address again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.links.link import Credentials
from app.model.address import Address
from app.model.unit import Sighting

LONGEST_S = 60.0
"""Unreachable units are asked at least this often."""

GIVE_UP = 6
"""Misses after which an address that never was a charger is left alone until it is announced again."""

RETRY_S = 4.0
"""First pause before an address is asked again that never answered, or that just fell silent: it may be restarting."""

LIMIT = 1000
"""Addresses kept in mind; sources repeat what they see, so one dropped here is asked again all the same."""

TOLD_LIMIT = 8

TICK_S = 0.1
"""Addresses due within this are asked together."""


@dataclass(slots=True)
class _Care:
    sighting: Sighting
    due: float
    misses: int = 0
    has_answered: bool = False
    read_at: float | None = None
    refused: Credentials | None = None
    """The login it did not take: shown to it again only when a person asks, or when another one is kept."""
    is_stranger: bool = False
    told: dict[str, Sighting] = field(default_factory=dict)
    """The newest sighting by service type: one charger announces several."""


class Tending:
    """Addresses to ask again: those that answer every ``refresh_s``, the others with growing pauses.

    Holds at most ``LIMIT`` addresses; beyond it the oldest that never answered goes first. Times are the loop's.
    """

    def __init__(self, refresh_s: float) -> None:
        self.refresh_s = refresh_s
        self._cares: dict[Address, _Care] = {}
        self._changed = asyncio.Event()
        self._next_at = 0.0

    def __len__(self) -> int:
        return len(self._cares)

    def remember(self, sighting: Sighting, due: float) -> None:
        """Ask an address again at a time; the newest sighting of it counts."""
        care = self._cares.get(sighting.address)
        if care is None:
            care = self._cares[sighting.address] = _Care(sighting, due)
            self._shrink(sighting.address)
        else:
            care.sighting, care.due, care.is_stranger = sighting, min(due, care.due), False
        kind = _service(sighting)
        if kind in care.told or len(care.told) < TOLD_LIMIT:
            care.told[kind] = sighting
        self._sooner(due)

    def is_news(self, sighting: Sighting) -> bool:
        """Say whether a sighting tells something else than the last one of this service at its address."""
        care = self._cares.get(sighting.address)
        told = care.told.get(_service(sighting)) if care is not None else None
        return told is None or told.hints != sighting.hints

    def told(self, address: Address) -> tuple[Sighting, ...]:
        """Return the newest sighting of each service at an address: together they say who it may be."""
        care = self._cares.get(address)
        return tuple(care.told.values()) if care is not None else ()

    def withdrawn(self, sighting: Sighting) -> bool:
        """Forget one service of an address; say whether its source still announces another one there."""
        care = self._cares.get(sighting.address)
        if care is None:
            return False
        care.told.pop(_service(sighting), None)
        return any(service.startswith(f"{sighting.source.value} ") for service in care.told)

    def dismiss(self, sighting: Sighting, told: Sequence[Sighting] = ()) -> None:
        """Note that no charger answers there, as far as ``told`` says who it may be.

        It is asked again only when it is announced differently, or was one before.
        """
        care = self._cares.get(sighting.address)
        if care is not None:
            is_all = care.told.keys() <= {_service(item) for item in (sighting, *told)}
            care.is_stranger = is_all and not care.has_answered
            care.due = care.due if care.has_answered else math.inf

    def is_stranger(self, address: Address) -> bool:
        """Say whether something that is no charger answered there."""
        care = self._cares.get(address)
        return care is not None and care.is_stranger

    def succeeded(self, sighting: Sighting, now: float) -> None:
        """Note an answer."""
        care = self._cares.get(sighting.address)
        if care is None:
            self.remember(sighting, now + self.refresh_s)
            care = self._cares[sighting.address]
        care.misses, care.has_answered, care.due = 0, True, now + self.refresh_s

    def reads(self, address: Address, now: float, every_s: float, login: Credentials | None) -> bool:
        """Say whether what answers is to be read as a whole now, no sooner than ``every_s`` after the last time.

        Never with a login that was refused: asked again and again with a wrong one, some chargers lock everybody out.
        """
        care = self._cares.get(address)
        if care is None:
            return True
        if login is not None and care.refused == login:
            return False
        if care.read_at is not None and now - care.read_at < every_s:
            return False
        care.read_at = now
        return True

    def read_soon(self, address: Address) -> None:
        """Read what is there as a whole the next time it answers."""
        if care := self._cares.get(address):
            care.read_at = care.refused = None

    def refused(self, address: Address, login: Credentials | None) -> None:
        """Note that a login was not taken."""
        if care := self._cares.get(address):
            care.refused = login

    def missed(self, address: Address, now: float, *, is_silent: bool) -> int:
        """Note a failure; returns how many there were in a row. What answers, and refuses, is left alone longer."""
        care = self._cares.get(address)
        if care is None:
            return 1
        care.misses += 1
        if care.misses >= GIVE_UP and not care.has_answered:
            self.forget(address)
            return care.misses
        pause_s = RETRY_S
        if care.has_answered:
            pause_s = min(self.refresh_s, RETRY_S) if is_silent else self.refresh_s
        care.due = now + min(pause_s * 2 ** (care.misses - 1), LONGEST_S)
        self._sooner(care.due)
        return care.misses

    def forget(self, address: Address) -> None:
        """Stop asking an address."""
        self._cares.pop(address, None)

    async def due(self) -> list[Sighting]:
        """Wait until addresses are due and return them; without an outcome they are due again after ``refresh_s``."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            ready = [care for care in self._cares.values() if care.due <= now]
            for care in ready:
                care.due = now + self.refresh_s
            if ready:
                return [care.sighting for care in ready]
            self._changed.clear()
            self._next_at = min((care.due for care in self._cares.values()), default=math.inf)
            pause_s = min(max(self._next_at - now, TICK_S), LONGEST_S)
            try:
                async with asyncio.timeout(pause_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _sooner(self, due: float) -> None:
        if due < self._next_at - TICK_S:
            self._changed.set()

    def _shrink(self, newest: Address) -> None:
        if len(self._cares) > LIMIT:
            silent = (address for address, care in self._cares.items() if not care.has_answered)
            self._cares.pop(next(silent, newest))


def _service(sighting: Sighting) -> str:
    return f"{sighting.source.value} {sighting.hints.get('type', '')}"
