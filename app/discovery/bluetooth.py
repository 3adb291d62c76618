"""Listen for chargers over Bluetooth LE, only while a person wants it: radios are switched by people, not by us.

Nothing is sent but the question every scan asks. Who fits no profile is counted and not kept.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from app.discovery.services import clean
from app.discovery.source import Report, Tell
from app.driver.registry import Registry
from app.errors import AppError
from app.links.ble import OWN_RADIO, Advert, Radio, listening
from app.model.address import BleAddress
from app.model.frame import SourceHealth, SourceState
from app.model.unit import Sighting, SourceKind

SCAN_S = 20.0
"""How long one search listens: advertisements come every second or so, some are lost."""

TELL_S = 0.5
DEVICE_LIMIT = 1000
"""Devices looked at in one search; a fair has more, and none of them matters."""
NAME_LIMIT = 60
SERVICE_LIMIT = 20


class BluetoothSource:
    """Searches when ``search`` is called and stops by itself or by ``stop``."""

    name = "bluetooth"

    def __init__(self, registry: Registry, *, radio: Radio = OWN_RADIO, scan_s: float = SCAN_S) -> None:
        self._registry = registry
        self._radio = radio
        self._scan_s = scan_s
        self._wanted = asyncio.Event()
        self._enough = asyncio.Event()
        self._seen: dict[str, Advert] = {}
        self._fitting: set[str] = set()

    @property
    def is_searching(self) -> bool:
        """Say whether it listens, or is about to."""
        return self._wanted.is_set()

    def search(self) -> None:
        """Listen for ``SCAN_S`` from now on; does nothing while it listens."""
        self._enough.clear()
        self._wanted.set()

    def stop(self) -> None:
        """Stop listening; what was found stays."""
        self._enough.set()

    async def run(self, report: Report, state: Tell) -> None:
        """Wait until it is wanted, listen, and tell how it went, until cancelled. Failures are told, not raised."""
        state(self._state(SourceHealth.OFF, "Not searched: start it next to the charger."))
        while True:
            await self._wanted.wait()
            try:
                state(self._state(SourceHealth.STARTING, "Listening."))
                await self._listen(report, state)
                state(self._state(SourceHealth.OFF, f"{self._count()} It listens when it is wanted again."))
            except AppError as error:
                failed = SourceState(
                    source=self.name, health=SourceHealth.FAILED, text=error.message, advice=error.advice
                )
                state(failed)
            finally:
                self._wanted.clear()

    async def _listen(self, report: Report, state: Tell) -> None:
        self._seen.clear()
        self._fitting.clear()
        loop = asyncio.get_running_loop()
        until = loop.time() + self._scan_s
        async with listening(lambda advert: self._heard(advert, report), self._radio):
            while (left := until - loop.time()) > 0 and not self._enough.is_set():
                state(self._state(SourceHealth.WORKING, f"Listening. {self._count()}"))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._enough.wait(), min(left, TELL_S))

    def _heard(self, advert: Advert, report: Report) -> None:
        """Report a charger when it is first heard, and again when it tells more: a name often comes later."""
        before = self._seen.get(advert.device)
        if before is not None:
            advert = _merged(before, advert)
            if (before.name, before.services) == (advert.name, advert.services):
                return
        elif len(self._seen) >= DEVICE_LIMIT:
            return
        self._seen[advert.device] = advert
        sighting = _sighting(advert)
        if self._registry.candidates(sighting):
            self._fitting.add(advert.device)
            report(sighting)

    def _count(self) -> str:
        heard, chargers = len(self._seen), len(self._fitting)
        devices = f"{heard} device{'' if heard == 1 else 's'} heard"
        return f"{devices}, {chargers} that may be {'a charger' if chargers == 1 else 'chargers'}."

    def _state(self, health: SourceHealth, text: str) -> SourceState:
        return SourceState(source=self.name, health=health, text=text)


def _merged(before: Advert, now: Advert) -> Advert:
    return Advert(
        device=now.device,
        name=now.name or before.name,
        services=frozenset(sorted(now.services | before.services)[:SERVICE_LIMIT]),
        rssi_dbm=now.rssi_dbm,
    )


def _sighting(advert: Advert) -> Sighting:
    name = clean(advert.name.strip(), NAME_LIMIT)
    hints = {
        "name": name,
        "services": " ".join(sorted(advert.services)[:SERVICE_LIMIT]),
        "rssi": str(advert.rssi_dbm),
    }
    address = BleAddress(device=clean(advert.device, NAME_LIMIT), name=name)
    return Sighting(source=SourceKind.BLUETOOTH, address=address, at=datetime.now(UTC), hints=hints)
