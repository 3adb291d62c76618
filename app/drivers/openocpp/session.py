"""A session with one charger's portal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeGuard

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
from app.driver.measuring import at, changes
from app.driver.states import WORDS
from app.driver.web import WebSession, as_object, fingerprint, text_of
from app.drivers.openocpp import parameters
from app.errors import Busy, NotSupported, Unexpected, ValueRejected
from app.links.link import HttpLink, HttpManner, Links, Login
from app.model.address import NetAddress
from app.model.backend import Backend
from app.model.profile import Profile
from app.model.reading import Measurand, Reading, StateChange
from app.model.setting import Change, Setting, Snapshot
from app.model.unit import SPEAKS, Claim, ClaimKind, Identity, claim

CONFIGURATION, PARAMETERS = "/getDeviceConfiguration", "/getOcppParameters"
UPDATE, REBOOT = "/updateOcppParameter", "/reboot"
TEXTS = ("centralSystemUrl", "chargePointId", "ocppProtocol", "serialNumber", "vendor", "model", "firmwareVersion")
EVERYBODYS = "0000"
"""The serial number every unit of the demo firmware has (station_test_esp32.h): it tells nobody apart."""

VERSIONS = {"OCPP16": "1.6", "OCPP20": "2.0.1"}
"""The versions it can dial with, by OCPP 2.0.1's words for them (OCPPVersionEnumType)."""

POLL_S = 2.0
WRITE_S = 15.0
"""Time for one write with what is read before and after it."""
CONNECTORS_LIMIT = 4
ANSWER_LIMIT = 200_000
UNITS = {"Wh": 1.0, "kWh": 1000.0, "W": 1.0, "kW": 1000.0, "A": 1.0, "V": 1.0}
MEASURANDS = {item.value: item for item in (Measurand.ENERGY, Measurand.POWER, Measurand.CURRENT, Measurand.VOLTAGE)}


class OpenOcpp(WebSession):
    """An OpenOCPP charger on the local network. It asks for no login."""

    driver_id: ClassVar[str] = "openocpp"
    manner: ClassVar[HttpManner] = HttpManner(login=Login.NONE, secret_keys=parameters.SECRETS)

    def __init__(self, address: NetAddress, profile: Profile, links: Links) -> None:
        super().__init__(address, profile, links)
        self._serial = ""
        self._connectors = 1

    async def look(self) -> None:
        """Read its configuration, and whether it shows the key that holds the address."""
        found = await self._found()
        self._serial, count = text_of(found, "serialNumber", 50), found["numberOfConnectors"]
        self._connectors = min(max(count, 1), CONNECTORS_LIMIT)
        self.offers = frozenset({Identifies, ReportsStatus, Meters, Reboots, ReadsSettings, ReadsOneSetting})
        self.offers |= {WritesSettings}
        if any(item.key == parameters.URL for item in await self._settings()):
            self.offers |= {SetsBackend}

    # Identifies, ReportsStatus, Meters

    async def identify(self) -> Identity:
        """Read maker, model, serial number and firmware."""
        async with self.call("identify"):
            return identity_of(await self._found(), self._profile)

    async def status(self) -> Status:
        """Read state and meter of its connectors. It does not tell whether a backend is connected."""
        async with self.call("status"):
            found = [await self._connector(number) for number in range(1, self._connectors + 1)]
        now = datetime.now(UTC)
        word, detail = worst(tuple(state_of(item, number) for number, item in enumerate(found, 1)))
        values = tuple(item for number, one in enumerate(found, 1) for item in measured(one, now, number))
        return Status(state=word, detail=detail, has_fault=word == "Faulted", readings=values)

    def watch(self) -> AsyncIterator[Reading | StateChange]:
        """Ask again and again and yield what changed."""
        return changes(self.status, POLL_S)

    # ReadsSettings, ReadsOneSetting, WritesSettings

    async def read_settings(self) -> Snapshot:
        """Read all its OCPP keys, also where it speaks 2.0.1."""
        async with self.call("read the settings"):
            found = await self._settings()
        return Snapshot(taken_at=datetime.now(UTC), settings=found, excluded=parameters.excluded(found))

    async def read_setting(self, key: str) -> Setting | None:
        """Read one setting again."""
        async with self.call(f"read {key}"):
            return await self._one(key)

    async def write_setting(self, change: Change) -> WriteResult:
        """Write one key and read it back. Raises ValueRejected, Busy while an address is on trial, NotSupported."""
        key = change.key
        async with self.call(f"write {key}", deadline_s=WRITE_S):
            await self._found()
            present = await self._one(key)
            if present is None:
                raise NotSupported(f"This charger has no key “{key}”.", "Its firmware may be older than that.")
            if present.is_readonly:
                raise ValueRejected(f"“{present.label}” can't be written.", "The charger sets it by itself.")
            parameters.fits(key, change.after)
            await self._put(present, change.after)
            back = await self._one(key) if not present.is_secret else None
        is_staged = key in parameters.STAGED
        note = parameters.UNTOLD if back is None else ""
        value = back.value if back is not None else None
        return WriteResult(key=key, is_accepted=True, read_back=value, needs_restart=is_staged, note=note)

    # SetsBackend, Reboots

    async def read_backend(self) -> Backend:
        """Read where it dials; right after a write: where it will dial."""
        async with self.call("read the backend"):
            return parameters.backend_of(await self._settings())

    async def plan_backend(self, backend: Backend, snapshot: Snapshot) -> Sequence[Change]:
        """Render the changes. Raises ValueRejected for a password of 1 to 15 bytes or an identity it can't take."""
        return parameters.planned(backend, snapshot, self._profile)

    async def restart(self) -> None:
        """Restart it at once. Raises Busy while a car charges: it would cut the charge off."""
        async with self.call("restart"):
            for number in range(1, self._connectors + 1):
                if state_of(await self._connector(number), number)[0] == "Charging":
                    raise Busy(
                        "A car is charging, and this charger would restart in the middle of it.",
                        "End the charge or unplug the car, then go on.",
                    )
            answer = await self.fetch("POST", REBOOT, body=b"")
        if answer.status != 200:
            raise Unexpected(
                f"{self.address} did not take the restart (HTTP {answer.status}).", "Switch it off and on."
            )

    # Inside

    async def _found(self) -> dict[str, Any]:
        found = await self.fetch_object(CONFIGURATION, limit=ANSWER_LIMIT)
        if not is_family(found):
            raise Unexpected(f"{self.address} answers, but not like OpenOCPP.", "Check the address.")
        serial = text_of(found, "serialNumber", 50)
        if self._serial and serial != self._serial:
            raise Unexpected(
                f"Charger {serial} answers at {self.address} now, not {self._serial}; nothing was written.",
                "Search again: the charger has another address.",
            )
        return found

    async def _settings(self) -> tuple[Setting, ...]:
        return parameters.settings(await self.fetch_object(PARAMETERS, limit=ANSWER_LIMIT))

    async def _one(self, key: str) -> Setting | None:
        return next((item for item in await self._settings() if item.key == key), None)

    async def _connector(self, number: int) -> dict[str, Any]:
        return await self.fetch_object(f"/getConnectorStatus?connectorId={number}", limit=ANSWER_LIMIT)

    async def _put(self, present: Setting, value: str) -> None:
        answer = await self.fetch("POST", UPDATE, json={"key": present.key, "value": value})
        if answer.status != 200:
            raise Unexpected(f"{self.address} answered HTTP {answer.status} to a change.", "Try again.")
        status = text_of(as_object(answer), "status", 40)
        if status in ("Accepted", "RebootRequired"):
            return
        if status == "Rejected" and present.key in parameters.STAGED:
            raise Busy(
                f"The charger rejected “{present.label}”: it takes none while an address it was given is on trial, "
                "from a restart until it is connected or has gone back.",
                "Wait five minutes, then go on. If it rejects it again, it can't hold this value.",
            )
        raise ValueRejected(
            f"The charger rejected “{present.label}” ({status or 'no word why'}).", "Correct the value."
        )


def state_of(found: dict[str, Any], number: int) -> tuple[str, str]:
    """Return the OCPP word of a connector. The charger's own word is that of connector 1, whatever was asked."""
    told, condition = text_of(found, "chargePointStatus1_6", 40), found.get("connectorStatus")
    condition = condition if isinstance(condition, dict) else {}
    if condition.get("faulted_status"):
        return "Faulted", f"connector {number}"
    if number == 1 and told in WORDS:
        return told, ""
    if condition.get("connector_available") is False:
        return "Unavailable", ""
    if condition.get("vehicle_connected") is not True:
        return ("Available", "") if condition else ("", "")
    if condition.get("charging_enabled") is not True:
        return "Preparing", ""
    waits = "SuspendedEV" if condition.get("suspended_by_vehicle") is True else "Charging"
    return ("SuspendedEVSE" if condition.get("suspended_by_charger") is True else waits), ""


def worst(states: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """Return the state a technician must know of first."""
    urgent = ("Faulted", "Charging", "SuspendedEVSE", "SuspendedEV")
    return next((state for word in urgent for state in states if state[0] == word), states[0])


def measured(found: dict[str, Any], now: datetime, number: int) -> tuple[Reading, ...]:
    """Return its OCPP 1.6 samples in SI units."""
    samples = found.get("meterValues1_6")
    values = []
    for sample in samples[:20] if isinstance(samples, list) else ():
        kind = MEASURANDS.get(str(at(sample, ("measurand",))))
        factor = UNITS.get(str(at(sample, ("unit",))))
        number_text = at(sample, ("value",))
        try:
            value = float(number_text) if isinstance(number_text, str) else None
        except ValueError:
            continue
        if kind is not None and factor is not None and value is not None and abs(value) < 1e12:
            values.append(Reading(unit_id="", measurand=kind, value=value * factor, at=now, connector=number))
    return tuple(values)


def is_family(found: Any) -> TypeGuard[dict[str, Any]]:
    """Say whether this is an OpenOCPP portal's configuration."""
    if not isinstance(found, dict) or not all(isinstance(found.get(key), str) for key in TEXTS):
        return False
    numbers = (found.get("numberOfConnectors"), found.get("securityProfile"))
    is_counted = all(isinstance(item, int) and not isinstance(item, bool) for item in numbers)
    return is_counted and isinstance(found.get("clearCertificates"), bool)


def identity_of(found: dict[str, Any], profile: Profile) -> Identity:
    """Return what it says of itself."""
    serial = text_of(found, "serialNumber", 50)
    told = claim(ClaimKind.SERIAL, serial) if serial != EVERYBODYS else None
    version = VERSIONS.get(parameters.unquoted(text_of(found, "ocppProtocol", 20)), "")
    return Identity(
        vendor=text_of(found, "vendor", 50) or profile.vendor,
        model=text_of(found, "model", 50),
        serial=serial,
        firmware=text_of(found, "firmwareVersion", 50),
        name=text_of(found, "chargePointId", 50),
        profile_id=profile.id,
        claims=(told,) if isinstance(told, Claim) else (),
        extra={SPEAKS: version} if version else {},
    )


async def recognise(http: HttpLink, profile: Profile) -> Identity | None:
    """Ask for its configuration; anything else it does not know is an HTML page with status 200."""
    found = await fingerprint(http, CONFIGURATION)
    return identity_of(found, profile) if is_family(found) else None
