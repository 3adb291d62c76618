"""A session with one wallbox."""

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
from app.driver.described import written
from app.driver.measuring import News
from app.driver.web import WebSession, as_object, text_of
from app.drivers.warp import objects
from app.drivers.warp.condition import FIXED, LIVE, OCPP_CONFIG, STATE, measured, state_of, status_of
from app.drivers.warp.identity import LOGIN_ADVICE, identity_of, is_family
from app.drivers.warp.repointing import backend_of, planned
from app.errors import Busy, Garbled, LinkLost, NotReachable, NotSupported, Unexpected, ValueRejected
from app.links.decoding import decode_json
from app.links.link import HttpAnswer, HttpManner, Links, Login
from app.model.address import NetAddress
from app.model.backend import Backend
from app.model.profile import Profile
from app.model.reading import Reading, StateChange
from app.model.secret import Secret
from app.model.setting import Change, Setting, Snapshot
from app.model.unit import Identity

POLL_S = 2.0
LOG_LIMIT = 256_000
OBJECT_LIMIT = 100_000
STREAM_LIMIT = 1_000_000
ENGLISH = {"Accept-Language": "en"}
"""Newer firmware refuses in the browser's language."""
NEVER_TOLD = "The charger never tells its password. It keeps the present one until another is written."
SETTLE_S = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Pauses between readings of a value that its controller takes over a moment after the answer (evse_common.cpp)."""


class Warp(WebSession):
    """A wallbox that answers HTTP. One whose firmware has no OCPP (WARP1) is read only."""

    driver_id: ClassVar[str] = "warp"
    manner: ClassVar[HttpManner] = HttpManner(login=Login.DIGEST)
    login_advice: ClassVar[str] = LOGIN_ADVICE

    def __init__(self, address: NetAddress, profile: Profile, links: Links) -> None:
        super().__init__(address, profile, links)
        self._serial = ""

    async def look(self) -> None:
        """Ask who it is and whether its firmware has OCPP at all: 404 means that it has not."""
        self._serial = (await self._identity()).serial
        self.offers = frozenset({Identifies, ReportsStatus, Meters, ReadsSettings, ReadsOneSetting, ExportsLog})
        if await self._maybe(OCPP_CONFIG) is not None:
            self.offers |= {WritesSettings, SetsBackend, Reboots}

    # Identifies, ReportsStatus, Meters

    async def identify(self) -> Identity:
        """Read ``info/name`` and ``info/version``."""
        async with self.call("identify"):
            return await self._identity()

    async def status(self) -> Status:
        """Read the states of charger, meter and OCPP."""
        async with self.call("status", deadline_s=10.0):
            return status_of(await self._states(*FIXED, *LIVE), datetime.now(UTC))

    async def watch(self) -> AsyncIterator[Reading | StateChange]:
        """Follow ``/ws``: first all states, then what changes. Where it is refused, ask again and again."""
        found, news = await self._states_now(), News()
        async for path, payload in self._changes():
            found[path] = payload
            now = datetime.now(UTC)
            for item in news.of(measured(found, now), *state_of(found), now):
                yield item
        raise LinkLost(f"The status stream of {self.address} ended.", "The charger may be restarting.")

    # ReadsSettings, ReadsOneSetting, WritesSettings

    async def read_settings(self) -> Snapshot:
        """Read every object that can be written back, and what else tells of OCPP."""
        found: list[Setting] = []
        async with self.call("read the settings", deadline_s=15.0):
            applies_at_once = await self._applies_at_once()
            for path in (*objects.BACKED_UP, *objects.SHOWN):
                fields = await self._maybe(path)
                found += objects.settings(path, fields or {}, applies_at_once=applies_at_once)
        return Snapshot(
            taken_at=datetime.now(UTC),
            settings=tuple(found),
            excluded={item.key: NEVER_TOLD for item in found if not item.is_readable},
        )

    async def read_setting(self, key: str) -> Setting | None:
        """Read one field again."""
        path, _, field = key.rpartition("/")
        async with self.call(f"read {key}"):
            found = await self._maybe(path) if path in (*objects.BACKED_UP, *objects.SHOWN) else None
            applies_at_once = await self._applies_at_once()
        if found is None or field not in found:
            return None
        return objects.setting(path, field, found[field], applies_at_once=applies_at_once)

    async def write_setting(self, change: Change) -> WriteResult:
        """Send the whole object with one field changed, and read that back. Raises ValueRejected, Busy, NotSupported.

        Every field must be there, and ``null`` keeps what is stored: so a password that is not told is not lost.
        """
        path, _, field = change.key.rpartition("/")
        async with self.call(f"write {change.key}", deadline_s=20.0):
            present = await self._maybe(path) if path in objects.BACKED_UP else None
            await self._check_same()
            known = objects.descriptions().get(change.key)
            if present is None or field not in present:
                raise NotSupported(f"This charger has no setting “{change.key}”.", "Its firmware may not know it.")
            if known is None or known.readonly:
                raise ValueRejected(f"“{field}” is shown only; Rehome does not write it.", "Use its own web page.")
            body = {**present, field: objects.typed(known, change.after)}
            answer = await self.fetch("PUT", f"/{path}_update", json=body, headers=ENGLISH)
            _accepted(answer, change)
            is_late = path == objects.CONFIG and not await self._applies_at_once()
            read_back = await self._settled(path, field, change.after)
        return WriteResult(key=change.key, is_accepted=True, read_back=read_back, needs_restart=is_late)

    # SetsBackend, Reboots, ExportsLog

    async def read_backend(self) -> Backend | None:
        """Read where it dials."""
        async with self.call("read the backend"):
            return backend_of(await self.fetch_object(f"/{OCPP_CONFIG}", limit=OBJECT_LIMIT))

    async def plan_backend(self, backend: Backend, snapshot: Snapshot) -> Sequence[Change]:
        """Render the changes. Raises ValueRejected where something is longer than the charger keeps."""
        return planned(backend, snapshot, self._profile)

    async def restart(self) -> None:
        """Restart it, about a second after its answer."""
        async with self.call("restart"):
            answer = await self.fetch("PUT", "/reboot", body=b"null", headers=ENGLISH)
        if answer.status != 200:
            raise Unexpected(
                f"{self.address} did not take the restart (HTTP {answer.status}).", "Switch it off and on again."
            )

    async def read_log(self) -> str:
        """Read its event log, the newest part of it."""
        async with self.call("read the log"):
            answer = await self.fetch("GET", "/event_log", limit=8 * LOG_LIMIT)
        if answer.status != 200:
            raise NotSupported("This charger keeps no log.", "Look at its web page.")
        return answer.body[-LOG_LIMIT:].decode("utf-8", "replace")

    # Inside

    async def _identity(self) -> Identity:
        name = await self.fetch_object("/info/name", limit=OBJECT_LIMIT)
        if not is_family(name, self._profile):
            raise Unexpected(f"{self.address} answers, but not as the charger it was.", "Search again: it moved.")
        version = await self.fetch_object("/info/version", limit=OBJECT_LIMIT)
        return identity_of(name, version, await self._maybe("info/display_name") or {}, self._profile)

    async def _check_same(self) -> None:
        """Raise Unexpected where another unit has the address now."""
        serial = text_of(await self.fetch_object("/info/name", limit=OBJECT_LIMIT), "name")
        if serial != self._serial:
            raise Unexpected(
                f"“{serial}” answers at {self.address} now, not “{self._serial}”; nothing was written.",
                "Search again: the charger has another address.",
            )

    async def _applies_at_once(self) -> bool:
        version = await self.fetch_object("/info/version", limit=OBJECT_LIMIT)
        return objects.firmware_number(text_of(version, "firmware")) >= objects.APPLIES_AT_ONCE

    async def _maybe(self, path: str) -> dict[str, Any] | None:
        """Get an object of the API; ``None`` where this firmware has no such object."""
        answer = await self.fetch("GET", f"/{path}", limit=OBJECT_LIMIT)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise Unexpected(f"{self.address} answered {path} with HTTP {answer.status}.", "Note the firmware version.")
        return as_object(answer)

    async def _states_now(self) -> dict[str, Any]:
        async with self.call("status", deadline_s=10.0):
            return await self._states(*FIXED, *LIVE)

    async def _states(self, *paths: str) -> dict[str, Any]:
        found = {}
        for path in paths:
            answer = await self.fetch("GET", f"/{path}", limit=OBJECT_LIMIT)
            if answer.status == 200:
                found[path] = answer.json()
        if not isinstance(found.get(STATE), dict):
            raise Garbled(f"{self.address} does not tell its state.", "Note the firmware version and report it.")
        return found

    async def _changes(self) -> AsyncIterator[tuple[str, Any]]:
        wanted = {*FIXED, *LIVE}
        try:
            async for text in self.http.websocket("/ws", limit=STREAM_LIMIT):
                for line in text.splitlines():
                    message = decode_json(line.encode("utf-8", "replace")) if line else None
                    if isinstance(message, dict) and message.get("topic") in wanted:
                        yield str(message["topic"]), message.get("payload")
        except NotReachable:
            while True:
                for path, payload in (await self._states_now()).items():
                    yield path, payload
                await asyncio.sleep(POLL_S)

    async def _settled(self, path: str, field: str, wanted: str) -> str | None:
        """Read a field until it is as written or the time for that is over; ``None`` = the charger never tells it."""
        pauses = SETTLE_S if path.startswith("evse/") else ()
        for pause_s in (*pauses, 0.0):
            value = (await self._maybe(path) or {}).get(field)
            text = None if value is None else written(value)
            if text is None or text == wanted or not pause_s:
                return text
            await asyncio.sleep(pause_s)
        return None


def _accepted(answer: HttpAnswer, change: Change) -> None:
    if answer.status == 200:
        return
    words = Secret(change.after if change.is_secret else "").redact(answer.body[:300].decode("utf-8", "replace"))
    plain = " ".join(words.split())
    if answer.status == 400 and ("transaction" in plain.lower() or "transaktion" in plain.lower()):
        raise Busy(
            "A charge is running; this charger takes no new backend until it is over.",
            "End the charge and unplug the car, then go on.",
        )
    if answer.status in (400, 413):
        raise ValueRejected(
            f"The charger refused “{change.key}”: {plain or 'it gave no reason'}", "Correct the value; nothing changed."
        )
    if answer.status == 404:
        raise NotSupported(f"This charger has no setting “{change.key}”.", "Its firmware may not know it.")
    raise Unexpected(f"The charger answered HTTP {answer.status} to a change of “{change.key}”.", "Try again.")
