"""Signs of trouble that discovery meets by the way: a weak radio link, an adapter that lost its address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from app.driver.capability import Status
from app.feed import Feed
from app.model.frame import Adapter
from app.model.observation import AdapterGone, MobileSeen, Observation, SignalSeen
from app.model.reading import Measurand

LOOK_S = 5.0
"""How often this computer's adapters are looked at [OURS]."""


class Notices:
    """Tells a judge what it notices. ``address`` is where chargers reach us; ``is_busy`` says that one is worked on."""

    def __init__(
        self,
        observed: Callable[[Observation], object],
        *,
        adapters: Callable[[], Sequence[Adapter]],
        address: Callable[[], str],
        is_busy: Callable[[], bool],
        now: Callable[[], datetime],
    ) -> None:
        self._observed = observed
        self._adapters = adapters
        self._address = address
        self._is_busy = is_busy
        self._now = now
        self._used = Adapter(name="", address="")
        self._was_busy = False

    async def follow(self, statuses: Feed[tuple[str, Status]]) -> None:
        """Tell the strength of radio links, as units report it, and how a modem stands with its network."""
        with statuses.subscribe() as told:
            async for unit_id, status in told:
                if status.mobile is not None:
                    self._observed(MobileSeen(link=status.mobile, at=self._now(), unit_id=unit_id))
                    continue
                for reading in status.readings:
                    if reading.measurand is Measurand.SIGNAL:
                        self._observed(SignalSeen(rssi_dbm=reading.value, at=reading.at, unit_id=unit_id))

    async def guard(self, every_s: float = LOOK_S) -> None:
        """Look at the adapters again and again."""
        while True:
            self.look()
            await asyncio.sleep(every_s)

    def look(self) -> None:
        """Tell it when the adapter in use has lost its address since the last look."""
        present = {adapter.address: adapter for adapter in self._adapters()}
        used, is_busy = self._used, self._is_busy()
        if used.address and used.address not in present:
            was_busy = is_busy or self._was_busy
            self._observed(AdapterGone(name=used.name, address=used.address, was_busy=was_busy, at=self._now()))
        now_used = present.get(self._address())
        self._used = now_used if now_used is not None and not now_used.is_loopback else Adapter(name="", address="")
        self._was_busy = is_busy
