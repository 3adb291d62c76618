"""A session with one SmartEVSE."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeGuard

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
from app.driver.measuring import News, at
from app.driver.web import PROBE_LIMIT, PROBE_S, WebSession, as_object, text_of
from app.drivers.smartevse import parameters
from app.drivers.smartevse.condition import measured, state_of, status_of
from app.drivers.smartevse.repointing import backend_of, planned
from app.errors import Busy, Garbled, NotSupported, Unexpected, ValueRejected
from app.links.link import HttpAnswer, HttpLink, HttpManner, Links, Login
from app.model.address import NetAddress
from app.model.backend import Backend
from app.model.profile import Profile
from app.model.reading import Reading, StateChange
from app.model.setting import Change, Setting, Snapshot
from app.model.unit import Claim, ClaimKind, Identity, claim

POLL_S = 2.0
LOG_LIMIT = 256_000
SETTINGS_LIMIT = 100_000
WRITE_S = 30.0
"""Time for one write, the wait for its OCPP client included."""
CLIENT_S = (0.1, 0.3, 0.6, 1.0, 2.0, 3.0, 3.0, 3.0, 3.0)
"""Pauses while its main loop makes the OCPP client that was just switched on."""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NOT_YET, NOT_ALLOWED = "Can only update when OCPP enabled", "Value not allowed!"
PORTAL = b"Not available in portal mode"
"""Its words (esp32.cpp, network_common.cpp)."""


class SmartEvse(WebSession):
    """A SmartEVSE on the local network. It asks for no login."""

    driver_id: ClassVar[str] = "smartevse"
    manner: ClassVar[HttpManner] = HttpManner(login=Login.NONE)

    def __init__(self, address: NetAddress, profile: Profile, links: Links) -> None:
        super().__init__(address, profile, links)
        self._serial = ""

    async def look(self) -> None:
        """Read the settings: firmware before v3.6.3 has no OCPP over HTTP."""
        found = await self._found()
        self._serial = text_of(found, "serialnr", 20)
        self.offers = frozenset({Identifies, ReportsStatus, Meters, ReadsSettings, ReadsOneSetting})
        self.offers |= {WritesSettings, Reboots, ExportsLog}
        if isinstance(found.get("ocpp"), dict):
            self.offers |= {SetsBackend}

    async def fetch(self, method: str, path: str, **options: Any) -> HttpAnswer:
        """Make one exchange; raises Busy where too many ask at once, NotSupported in the set-up portal."""
        options.setdefault("timeout_s", self.deadline_s)
        answer = await self.http.request(method, path, **options)
        if answer.status == 503:
            raise Busy(
                f"{self.address} serves no more than eight connections at once.",
                "Close its web page in other windows and on other computers, then try again.",
            )
        if answer.status == 403:
            raise NotSupported(
                f"{self.address} is in its set-up portal and takes nothing but a Wi-Fi there.",
                "Open http://192.168.4.1/ on its own network, enter the site's Wi-Fi, and look for it there.",
            )
        return answer

    # Identifies, ReportsStatus, Meters

    async def identify(self) -> Identity:
        """Read version and serial number."""
        async with self.call("identify"):
            return identity_of(await self._found(), self._profile)

    async def status(self) -> Status:
        """Read state, meter and OCPP."""
        async with self.call("status"):
            return status_of(await self._found(), datetime.now(UTC))

    async def watch(self) -> AsyncIterator[Reading | StateChange]:
        """Ask again and again and yield what changed."""
        news = News()
        while True:
            async with self.call("status"):
                found = await self._found()
            now = datetime.now(UTC)
            for item in news.of(measured(found, now), *state_of(found), now):
                yield item
            await asyncio.sleep(POLL_S)

    # ReadsSettings, ReadsOneSetting, WritesSettings

    async def read_settings(self) -> Snapshot:
        """Read all settings; while OCPP is off the charger does not tell where it would dial."""
        async with self.call("read the settings"):
            found = tuple(parameters.settings(await self._found()))
        excluded = {item.key: parameters.UNTOLD for item in found if not item.is_readable}
        return Snapshot(taken_at=datetime.now(UTC), settings=found, excluded=excluded)

    async def read_setting(self, key: str) -> Setting | None:
        """Read one setting again."""
        async with self.call(f"read {key}"):
            return await self._one(key)

    async def write_setting(self, change: Change) -> WriteResult:
        """Send one value and compare its echo: the status is 200 whatever became of it. Then read it back."""
        key = change.key
        async with self.call(f"write {key}", deadline_s=WRITE_S):
            present = await self._one(key)
            if present is None:
                raise NotSupported(f"This charger has no setting “{key}”.", "Its firmware may be older than that.")
            if present.is_readonly:
                raise ValueRejected(f"“{present.label}” can't be written.", "Set it in the charger's own menu.")
            if not present.is_readable:
                raise Busy("OCPP is off: until it is on the charger takes no backend.", "Switch OCPP on first.")
            wanted = parameters.sent(key, change.after)
            echo = await self._echo(key, wanted)
            back = await self._one(key)
        _taken(present, wanted, echo, back)
        return WriteResult(key=key, is_accepted=True, read_back=back.value if back else None)

    # SetsBackend, Reboots, ExportsLog

    async def read_backend(self) -> Backend | None:
        """Read where it dials; an empty address while OCPP is off."""
        async with self.call("read the backend"):
            return backend_of(await self._found())

    async def plan_backend(self, backend: Backend, snapshot: Snapshot) -> Sequence[Change]:
        """Render the changes, the switch first. Raises ValueRejected for a password of more than 20 bytes."""
        return planned(backend, snapshot, self._profile)

    async def restart(self) -> None:
        """Restart it, five seconds after its answer. Raises Busy while a car charges: it waits for the end of that."""
        async with self.call("restart"):
            answer = await self.fetch("POST", "/reboot", body=b"")
        if answer.status == 202:
            raise Busy(
                "A car is charging: the charger restarts by itself five seconds after the charge ends.",
                "End the charge or unplug the car, then go on.",
            )
        if answer.status != 200:
            raise Unexpected(
                f"{self.address} did not take the restart (HTTP {answer.status}).", "Switch it off and on again."
            )

    async def read_log(self) -> str:
        """Read its debug page, the backend's password masked."""
        async with self.call("read the log"):
            secret = backend_of(await self._found()).secret
            answer = await self.fetch("GET", "/debug", limit=8 * LOG_LIMIT)
        if answer.status != 200:
            raise NotSupported("This charger keeps no log.", "Look at its web page.")
        return secret.redact(answer.body[-LOG_LIMIT:].decode("utf-8", "replace"))

    # Inside

    async def _found(self) -> dict[str, Any]:
        found = await self.fetch_object("/settings", limit=SETTINGS_LIMIT)
        if not is_family(found):
            raise Unexpected(f"{self.address} answers, but not like a SmartEVSE.", "Check the address.")
        serial = text_of(found, "serialnr", 20)
        if self._serial and serial != self._serial:
            raise Unexpected(
                f"SmartEVSE {serial} answers at {self.address} now, not {self._serial}; nothing was written.",
                "Search again: the charger has another address.",
            )
        return found

    async def _one(self, key: str) -> Setting | None:
        found = parameters.settings(await self._found())
        return next((item for item in found if item.key == key), None)

    async def _echo(self, key: str, wanted: str) -> Any:
        """Send a value until its OCPP client is there to take it; return what the charger says it holds now."""
        for pause_s in (*CLIENT_S, 0.0):
            # read from the query alone, but since v3.6.0 it waits for a body
            answer = await self.fetch("POST", parameters.query(key, wanted), body=b"", headers=FORM)
            if answer.status != 200:
                raise Unexpected(f"{self.address} answered HTTP {answer.status} to a change.", "Try again.")
            echo = as_object(answer).get(key)
            if echo != NOT_YET:
                return echo
            await asyncio.sleep(pause_s)
        raise Busy(
            "OCPP is on, but its client did not start: the charger has no network, or is short of memory.",
            "Restart the charger, then go on.",
        )


def _taken(present: Setting, wanted: str, echo: Any, back: Setting | None) -> None:
    """Raise ValueRejected unless echo, and else the value read back, is what was sent."""
    if echo == NOT_ALLOWED:
        raise ValueRejected(f"The charger does not allow this value for “{present.label}”.", "Correct the value.")
    if echo is not None and not isinstance(echo, dict | list) and str(echo) == wanted:
        return
    held = back is not None and back.value is not None and parameters.sent(present.key, back.value) == wanted
    if echo is None and held:
        return
    raise ValueRejected(
        f"The charger ignored the new value of “{present.label}” and holds the old one.",
        "It says no more than that. The value may be too long for it, or out of range.",
    )


def is_family(found: Any) -> TypeGuard[dict[str, Any]]:
    """Say whether this is the ``/settings`` of a SmartEVSE."""
    if not isinstance(found, dict):
        return False
    numbers = (found.get("serialnr"), found.get("mode_id"), at(found, ("evse", "state_id")))
    return all(isinstance(item, int) and not isinstance(item, bool) for item in numbers) and "version" in found


def identity_of(found: dict[str, Any], profile: Profile) -> Identity:
    """Return what it says of itself; over OCPP its serial number is the same one."""
    serial, mac = text_of(found, "serialnr", 20), at(found, ("eth", "mac"))
    wired = mac if isinstance(mac, str) and len(mac) == 17 else ""
    claims = (claim(ClaimKind.SERIAL, serial), claim(ClaimKind.MAC, wired))
    return Identity(
        vendor=profile.vendor,
        model="SmartEVSE",
        serial=serial,
        firmware=text_of(found, "version"),
        mac=wired,
        name=f"SmartEVSE-{serial}",
        profile_id=profile.id,
        claims=tuple(item for item in claims if isinstance(item, Claim)),
    )


async def recognise(http: HttpLink, profile: Profile) -> Identity | None:
    """Ask ``/settings``; one in its set-up portal is known by its refusal."""
    answer = await http.request("GET", "/settings", timeout_s=PROBE_S, limit=PROBE_LIMIT)
    if answer.status == 403 and answer.body.strip() == PORTAL:
        return Identity(vendor=profile.vendor, model="SmartEVSE", profile_id=profile.id, extra={"portal": "yes"})
    try:
        found = answer.json() if answer.status == 200 else None
    except Garbled:
        return None
    return identity_of(found, profile) if is_family(found) else None
