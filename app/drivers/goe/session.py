"""What both drivers do with keys, whatever carries them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from app.driver.capability import (
    Identifies,
    Meters,
    ReadsOneSetting,
    ReadsSettings,
    Reboots,
    ReportsStatus,
    SetsBackend,
    Status,
    WriteResult,
    WritesSettings,
)
from app.driver.described import cautioned, written
from app.driver.measuring import changes
from app.driver.web import WebSession, text_of
from app.drivers.goe.condition import STATUS_KEYS, status_of
from app.drivers.goe.keys import IDENTITY_KEYS, descriptions, identity_of, setting_of, typed
from app.drivers.goe.repointing import BACKEND_KEYS, backend_of, planned
from app.errors import Busy, LinkLost, NotSupported, Unexpected, ValueRejected
from app.model.backend import Backend
from app.model.profile import Profile
from app.model.reading import Reading, StateChange
from app.model.setting import Change, Setting, Snapshot
from app.model.unit import Identity

SETTLE_LIMIT_S = 2.4
"""A value settles about a second after it was written: the firmware's logic runs once a second."""
SETTLE_PAUSE_S = 0.2

OFFERS: frozenset[type] = frozenset(
    {
        Identifies,
        ReportsStatus,
        Meters,
        ReadsSettings,
        ReadsOneSetting,
        WritesSettings,
        SetsBackend,
        Reboots,
    }
)

TRANSACTION_KEYS = ("ocppa", "ocppti", "car")
WITH_CAR = (2, 3, 4)
"""States of ``car`` with a cable plugged in."""


class KeySession(WebSession):
    """A session with a unit that is a flat set of keys. A transport says how they are read and written."""

    vendor: ClassVar[str]
    pause_s: ClassVar[float] = 2.0
    """Between two looks of ``watch``."""

    def __init__(self, address: Any, profile: Profile, links: Any) -> None:
        super().__init__(address, profile, links)
        self.serial = ""

    async def read(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of keys; what the unit does not know is left out."""
        raise NotImplementedError

    async def put(self, key: str, value: Any) -> None:
        """Write one JSON value. Raises ValueRejected with the unit's own words."""
        raise NotImplementedError

    async def ask_keys(self, keys: Iterable[str]) -> dict[str, Any]:
        """Read keys and make sure that the same unit answers; raises Unexpected where another one does."""
        values = await self.read(dict.fromkeys(("sse", *keys)))
        serial = text_of(values, "sse")
        if self.serial and serial and serial != self.serial:
            raise Unexpected(
                f"Another charger answers at {self.address} now: serial {serial} instead of {self.serial}.",
                "Nothing was written to it. Look for the charger again; its address has changed.",
            )
        self.serial = self.serial or serial
        return values

    async def identify(self) -> Identity:
        """Read serial, type, firmware and name."""
        async with self.call("identify"):
            return identity_of(await self.ask_keys(IDENTITY_KEYS), self._profile, self.vendor)

    async def status(self) -> Status:
        """Read state, readings, and whether the backend has accepted it."""
        async with self.call("status"):
            return status_of(await self.ask_keys(STATUS_KEYS), datetime.now(UTC))

    def watch(self) -> AsyncIterator[Reading | StateChange]:
        """Yield what changed, looked at every ``pause_s``."""
        return changes(self.status, self.pause_s)

    async def read_settings(self) -> Snapshot:
        """Read every key a person may set. Wi-Fi keys are never told."""
        async with self.call("read the settings", deadline_s=15.0):
            values = await self.ask_keys(descriptions())
        known = {key: values[key] for key in descriptions() if key in values}
        return Snapshot(
            taken_at=datetime.now(UTC),
            settings=tuple(cautioned(setting_of(key, value), self._profile) for key, value in known.items()),
            excluded={key: note for key in known if (note := descriptions()[key].not_restored)},
        )

    async def read_setting(self, key: str) -> Setting | None:
        """Read one key again."""
        async with self.call(f"read {key}"):
            values = await self.ask_keys((key,))
        return cautioned(setting_of(key, values[key]), self._profile) if key in values else None

    async def write_setting(self, change: Change) -> WriteResult:
        """Write one key and read it back once it has settled. Raises ValueRejected, Busy, NotSupported."""
        async with self.call(f"write {change.key}", deadline_s=15.0):
            values = await self.ask_keys((change.key, *TRANSACTION_KEYS))
            _must_be_writable(change.key, values)
            if change.key in ("ocppu", "ocppe"):
                _must_be_free(values)
            await self.put(change.key, typed(change.key, change.after, values[change.key]))
            back = await self._settled(change)
        return WriteResult(key=change.key, is_accepted=True, read_back=back)

    async def _settled(self, change: Change) -> str:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SETTLE_LIMIT_S
        while True:
            back = written((await self.ask_keys((change.key,))).get(change.key))
            if back == change.after or loop.time() > deadline:
                return back
            await asyncio.sleep(SETTLE_PAUSE_S)

    async def read_backend(self) -> Backend | None:
        """Read where it dials; ``None`` where the firmware is older than OCPP."""
        async with self.call("read the backend"):
            return backend_of(await self.ask_keys(BACKEND_KEYS))

    async def plan_backend(self, backend: Backend, snapshot: Snapshot) -> Sequence[Change]:
        """Render the changes. Raises ValueRejected: no password, no old firmware, no other scheme."""
        if not self.is_open:
            raise LinkLost(f"The connection to {self.address} is closed.", "Open the charger again.")
        return planned(backend, snapshot, self._profile)

    async def restart(self) -> None:
        """Restart it (``rst``)."""
        async with self.call("restart"):
            await self.put("rst", True)


def _must_be_writable(key: str, values: dict[str, Any]) -> None:
    known = descriptions().get(key)
    if key not in values or known is None:
        raise NotSupported(f"This charger has no setting “{key}”.", "Its firmware may be older than the setting.")
    if known.readonly:
        raise ValueRejected(f"“{known.label}” is not written from here.", known.not_restored or "It is shown only.")


def _must_be_free(values: dict[str, Any]) -> None:
    """Raise Busy while the present backend has a transaction open: it would never learn of its end."""
    number, car = values.get("ocppti"), values.get("car")
    if values.get("ocppa") is True and isinstance(number, int) and car in WITH_CAR:
        raise Busy(
            f"Transaction {number} runs with the present backend.",
            "End it there or unplug the car, then try again: moved now, that backend would never learn of its end.",
        )
