"""A session with one station."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from app.driver.capability import (
    ExportsLog,
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
from app.driver.measuring import News
from app.drivers.alfen.entrance import AlfenWeb
from app.drivers.alfen.identity import identity_of
from app.drivers.alfen.registers import (
    DOMAIN_ITEMS,
    NEVER_TOLD,
    READ_ONLY,
    Property,
    descriptions,
    hidden,
    parse,
    secret_ids,
    setting_of,
    typed,
)
from app.drivers.alfen.repointing import ADDRESSES, RAISED, backend_of, planned
from app.drivers.alfen.status import is_charging, status_of, wanted_ids, words_of
from app.errors import Busy, Garbled, NotSupported, Unexpected, ValueRejected
from app.model.backend import Backend
from app.model.reading import Reading, StateChange
from app.model.setting import Change, Setting, Snapshot
from app.model.unit import Identity

CATEGORIES = ("generic", "generic2", "comm", "ocpp")
"""Those that hold settings. Reading all of a station's categories at once has made units restart by their watchdog
(leeyuentuen/alfen_wallbox, README)."""
PAGE_PAUSE_S = 0.05
POLL_S = 5.0
IDS_A_REQUEST = 25
"""As the vendor's program (pbasista/alfenctl, charger.py)."""
PAGE_LIMIT = 60
PROPERTY_LIMIT = 3_000
READ_S = 45.0
WRITE_S = 30.0
LOG_LIMIT = 256_000
LOG_PAGES = 8

_ALWAYS = frozenset(
    {Identifies, ReportsStatus, Meters, ReadsSettings, ReadsOneSetting, WritesSettings, Reboots, ExportsLog}
)


class AlfenEve(AlfenWeb):
    """One station, logged in."""

    driver_id: ClassVar[str] = "alfen"

    _mac = ""

    async def look(self) -> None:
        """See what this firmware has, and its network address."""
        found = await self._by_ids((*ADDRESSES, "2052_1"))
        self._mac = found["2052_1"].text if "2052_1" in found else ""
        self.offers = _ALWAYS | {SetsBackend} if any(key in found for key in ADDRESSES) else _ALWAYS

    async def identify(self) -> Identity:
        """Ask again who is there."""
        async with self.call("identify"):
            answer = await self.exchange_object("/api/info")
        return identity_of(answer, self._profile, self._mac)

    # ReportsStatus, Meters

    async def status(self) -> Status:
        """Read socket states, meters and the state of the connection, by their ids alone."""
        return status_of(await self._values(), self._model, self.sockets, datetime.now(UTC))

    async def watch(self) -> AsyncIterator[Reading | StateChange]:
        """Ask every few seconds, and yield what changed; the station offers no stream."""
        news = News()
        while True:
            values, now = await self._values(), datetime.now(UTC)
            found = status_of(values, self._model, self.sockets, now)
            for number in range(1, self.sockets + 1):
                state, detail = words_of(values, self._model, number)
                own = [reading for reading in found.readings if reading.connector == number]
                for item in news.of(own, state, detail, now, number):
                    yield item
            await asyncio.sleep(POLL_S)

    async def _values(self) -> dict[str, Any]:
        async with self.call("status"):
            found = await self._by_ids(wanted_ids(self.sockets))
        return {key: item.value for key, item in found.items()}

    @property
    def _model(self) -> str:
        return str(self.info.get("Model", ""))

    # ReadsSettings, ReadsOneSetting, WritesSettings

    async def read_settings(self) -> Snapshot:
        """Read the categories that hold settings, page by page, with a pause after each."""
        found: dict[str, Property] = {}
        async with self.call("read the settings", deadline_s=READ_S):
            for category in CATEGORIES:
                found |= await self._category(category)
        settings = [*map(setting_of, found.values()), *hidden(found.values())]
        known = descriptions()
        reasons = {
            item.key: (known[item.key].not_restored if item.key in known else "") or NEVER_TOLD
            for item in settings
            if not item.is_readable or (item.key in known and known[item.key].not_restored)
        }
        return Snapshot(taken_at=datetime.now(UTC), settings=tuple(settings), excluded=reasons)

    async def read_setting(self, key: str) -> Setting | None:
        """Read one property again."""
        async with self.call(f"read {key}"):
            item = await self._one(DOMAIN_ITEMS[key][1] if key in DOMAIN_ITEMS else key)
        if item is None:
            return None
        return descriptions()[key].setting(None, is_readable=False) if key in DOMAIN_ITEMS else setting_of(item)

    async def write_setting(self, change: Change) -> WriteResult:
        """Write one value; the station then ends the session, so it is read back in a new one.

        Raises ValueRejected, NotSupported, Busy, AuthFailed.
        """
        async with self.call(f"write {change.key}", deadline_s=WRITE_S):
            if change.key in DOMAIN_ITEMS:
                return await self._write_hidden(change)
            item = await self._one(change.key)
            if item is None:
                raise NotSupported(f"This station has no setting “{change.key}”.", "It is not written.")
            value = _allowed(item, change)
            await self._post("/api/prop", {item.id: {"id": item.id, "value": value}}, change.key)
            back = await self._one(item.id)
        is_told = back is not None and change.key not in secret_ids()
        return WriteResult(
            key=change.key,
            is_accepted=True,
            read_back=back.text if back is not None and is_told else None,
            needs_restart=setting_of(item).needs_restart,
        )

    async def _write_hidden(self, change: Change) -> WriteResult:
        number, witness = DOMAIN_ITEMS[change.key]
        if await self._one(witness) is None:
            raise NotSupported(f"This firmware has no “{change.key}”.", "It is not written.")
        if not change.after:
            raise ValueRejected("An empty password is not installed.", "Enter a password.")
        data = change.after.encode().hex().upper()
        await self._post("/api/domain", {"cmd": "add", "type": number, "data": data}, change.key)
        return WriteResult(key=change.key, is_accepted=True, needs_restart=True, note="The station never tells it.")

    async def _post(self, path: str, body: dict[str, Any], what: str) -> None:
        answer = await self.exchange("POST", path, json=body)
        self.ended()
        if answer.status == 400:
            raise ValueRejected(f"The station does not take this value for “{what}”.", "Correct the value.")
        if answer.status != 200:
            raise Unexpected(
                f"{self.address} answered HTTP {answer.status} to a change of “{what}”.", "Read the settings again."
            )

    # SetsBackend

    async def read_backend(self) -> Backend | None:
        """Read where it dials; the password is never told."""
        async with self.call("read the backend"):
            found = await self._by_ids(("2071_1", "2071_2", "20F0_3", "20F0_5", "2053_0", "2723_0"))
        return backend_of(Snapshot(taken_at=datetime.now(UTC), settings=tuple(map(setting_of, found.values()))))

    async def plan_backend(self, backend: Backend, snapshot: Snapshot) -> Sequence[Change]:
        """Render the exact values. Raises ValueRejected."""
        return planned(backend, snapshot)

    # Reboots, ExportsLog

    async def restart(self) -> None:
        """Restart the station; raises Busy while a car is charging."""
        values = await self._values()
        if is_charging(values, self._model, self.sockets):
            raise Busy("A car is charging at this station.", "End the charge or unplug the car, then restart it.")
        async with self.call("restart"):
            answer = await self.exchange("POST", "/api/cmd", json={"command": "reboot"})
            if answer.status != 200:
                raise Unexpected(f"{self.address} did not take the restart (HTTP {answer.status}).", "Switch it off.")

    async def read_log(self) -> str:
        """Read the newest pages of the log, the oldest line first."""
        pages: list[list[str]] = []
        async with self.call("read the log", deadline_s=READ_S):
            while len(pages) < LOG_PAGES:
                offset = sum(map(len, pages))
                answer = await self.exchange("GET", f"/api/log?offset={offset}", limit=LOG_LIMIT)
                if answer.status != 200:
                    raise NotSupported("This station does not hand out its log.", "Use the vendor's tool.")
                lines = answer.body.decode("utf-8", "replace").splitlines()
                if not lines or lines in pages:
                    break
                pages.append(lines)
        text = "\n".join(line for page in reversed(pages) for line in page)[-LOG_LIMIT:]
        return self._credentials.password.redact(text) if self._credentials is not None else text

    # Inside

    async def _one(self, key: str) -> Property | None:
        return (await self._by_ids((key,))).get(key)

    async def _by_ids(self, keys: Sequence[str]) -> dict[str, Property]:
        found: dict[str, Property] = {}
        for start in range(0, len(keys), IDS_A_REQUEST):
            answer = await self.exchange_object("/api/prop?ids=" + ",".join(keys[start : start + IDS_A_REQUEST]))
            found |= {item.id: item for item in parse(answer) if item.id in keys}
        return found

    async def _category(self, category: str) -> dict[str, Property]:
        found: dict[str, Property] = {}
        offset = 0
        for _ in range(PAGE_LIMIT):
            answer = await self.exchange_object(f"/api/prop?cat={category}&offset={offset}")
            page, total = parse(answer), answer.get("total")
            found |= {item.id: item for item in page}
            offset += len(page)
            await asyncio.sleep(PAGE_PAUSE_S)
            if not page or not isinstance(total, int) or offset >= total:
                return found
            if len(found) > PROPERTY_LIMIT:
                break
        raise Garbled(f"{self.address} sends properties without an end.", "Restart the station, then try again.")


def _allowed(item: Property, change: Change) -> Any:
    """Return the value to send. Raises ValueRejected for what the station only shows, or never takes back."""
    setting = setting_of(item)
    if setting.is_readonly or item.access == READ_ONLY:
        raise ValueRejected(f"“{setting.label}” can't be written.", "The station only shows it.")
    if setting.is_one_way and item.text.isdecimal() and change.after.isdecimal() and int(change.after) < int(item.text):
        raise ValueRejected(RAISED, "The vendor's service or a factory reset may set it back.")
    return typed(item, change.after)
