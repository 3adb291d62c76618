"""Stations on a real line to a real backend, as the uplink's tests need them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from app.bridge.clockwork import Clockwork, utc_now
from app.bridge.station import Kept, Start
from app.bridge.station16 import Station16
from app.bridge.target import Target
from app.bridge.uplink import Rhythm, Uplink
from app.model.backend import SecurityProfile
from app.model.frame import Direction
from app.model.secret import Secret
from app.scope import Scope
from tests.bridge.kit import FakeOutlet, MemoryOutbox, equipment, kept

QUICK = Rhythm(least_s=0.05, most_s=0.2, restart_s=0.05, first_s=0.0)


@dataclass
class Unit:
    """A bridged charge point, its outlet, and what it keeps."""

    uplink: Uplink
    station: Station16
    outlet: FakeOutlet
    kept: Kept
    texts: list[tuple[Direction, str]]
    changed: asyncio.Event

    def plug_in(self) -> None:
        self.uplink.noted(self.outlet.plug_in())

    def unplug(self) -> None:
        self.outlet.run(utc_now())
        self.uplink.noted(self.outlet.unplug())

    def live(self) -> None:
        self.uplink.noted(self.outlet.run(utc_now()))

    @property
    def outbox(self) -> MemoryOutbox:
        found = self.kept.outbox
        assert isinstance(found, MemoryOutbox)
        return found

    async def until(self, is_true: Callable[[], Any], *, timeout_s: float = 8.0) -> None:
        """Wait until something is true of it; looked at with every text and, for what has none, 50 times a second."""
        async with asyncio.timeout(timeout_s):
            while not is_true():
                self.changed.clear()
                try:
                    async with asyncio.timeout(0.02):
                        await self.changed.wait()
                except TimeoutError:
                    continue


@asynccontextmanager
async def living(
    url: str,
    identity: str = "BOX-1",
    *,
    start: Start = Start.REMOTE,
    pace: float = 1.0,
    rhythm: Rhythm = QUICK,
    stored: Kept | None = None,
    outlet: FakeOutlet | None = None,
    flush: Callable[[], Awaitable[None]] | None = None,
    rekeyed: Callable[[Secret], None] | None = None,
    **target: Any,
) -> AsyncIterator[Unit]:
    """Let a charge point live inside the block."""
    stored, outlet = stored or kept(), outlet or FakeOutlet(utc_now())
    aim = Target(url=url, identity=identity, subprotocol="ocpp1.6", **target)
    profile = int(aim.security_profile) if aim.security_profile is not SecurityProfile.NONE else 0
    station = Station16(equipment(identity, start), outlet, stored, now=utc_now(), security_profile=profile, pace=pace)
    texts: list[tuple[Direction, str]] = []
    changed = asyncio.Event()

    def heard(direction: Direction, text: str) -> None:
        texts.append((direction, text))
        changed.set()

    clockwork = Clockwork()
    async with Scope("bridge") as scope:
        uplink = Uplink(aim, station, clockwork, flush=flush or _nothing, heard=heard, rekeyed=rekeyed, rhythm=rhythm)
        unit = Unit(uplink, station, outlet, stored, texts, changed)
        scope.required("clock", clockwork.run())
        scope.required("line", uplink.run())
        scope.required("meter", _metered(unit))
        yield unit


async def _nothing() -> None:
    return


async def _metered(unit: Unit) -> None:
    """Report as a box does: again and again."""
    while True:
        await asyncio.sleep(0.02)
        unit.live()
