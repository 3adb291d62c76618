"""Peblar chargers (also under other makers' names) over the interface of their own web page.

Sources: frenck/python-peblar f1eaf32 (src/peblar/peblar.py, models.py, const.py, cli/__init__.py, tests/fixtures).
Writing the two OCPP settings is not among what that library does: it is unverified, and offered with consent only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar

from app.driver import described
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
from app.driver.described import written
from app.driver.measuring import Field, changes, readings
from app.driver.web import PROBE_LIMIT, PROBE_S, WebSession, as_object, text_of, web_driver
from app.errors import AuthFailed, Busy, Garbled, NotSupported, Unexpected, ValueRejected
from app.links.link import Credentials, HttpAnswer, HttpLink, HttpManner, Login
from app.model.backend import Backend, SecurityProfile, split_url
from app.model.profile import Profile
from app.model.reading import Measurand, Reading, StateChange
from app.model.setting import Change, Setting, SettingKind, Snapshot
from app.model.unit import Claim, ClaimKind, Identity, LinkState, claim

ACTIVE, URI = "SeccOcppActive", "SeccOcppUri"

LOGIN, INFO, CONFIG, REBOOT, TOKEN = (
    f"/api/v1/{path}" for path in ("auth/login", "system/info", "config/user", "system/reboot", "config/api-token")
)
VERSIONS = "/api/v1/system/software/automatic-update/current-versions"
REST = "/api/wlac/v1/"
NOWHERE = "/api/v1/rehome-asks-for-nothing"

PROVED = frozenset(
    {
        "HmiBuzzerVolume",
        "HmiLedIntensityManual",
        "HmiLedIntensityMode",
        "LocalRestApiAccessMode",
        "LocalRestApiEnable",
        "ModbusServerAccessMode",
        "ModbusServerEnable",
        "ScheduledChargingEnable",
        "SolarChargingEnable",
        "SolarChargingMode",
        "UserDefinedChargeLimitCurrent",
        "UserDefinedHouseholdPowerLimit",
        "UserDefinedHouseholdPowerLimitEnable",
        "UserKeepSocketLocked",
    }
)
"""What the library writes (models.py, the objects of PATCH config/user)."""

STATES: Mapping[str, tuple[str, str]] = {
    "State A": ("Available", ""),
    "State B": ("SuspendedEV", "connected, not charging"),
    "State C": ("Charging", ""),
    "State D": ("Charging", "ventilation wanted"),
    "State E": ("Faulted", "Short circuit at the pilot, or no power."),
    "State F": ("Faulted", "Not operational."),
    "Invalid": ("Faulted", "The pilot signal is invalid."),
    "Unknown": ("", "The pilot signal can't be measured."),
}
"""``CpState`` (const.py, CPState)."""

FIELDS = (
    *(Field((f"CurrentPhase{n}",), Measurand.CURRENT, 0.001, f"L{n}") for n in (1, 2, 3)),
    *(Field((f"VoltagePhase{n}",), Measurand.VOLTAGE, 1.0, f"L{n}-N") for n in (1, 2, 3)),
    Field(("PowerTotal",), Measurand.POWER),
    Field(("EnergyTotal",), Measurand.ENERGY),
)
"""``meter``: milliamperes, volts, watts, watt-hours."""

LOGIN_ADVICE = "Enter the password of the charger's own web page (no user name is needed)."
UNPROVED = "Nobody has published whether the charger takes this, and whether it puts an identity behind the address."
POLL_S = 5.0
KEY_LIMIT = 500
READ_ONLY_NOTE = "Nobody has shown that the charger takes this over its interface; change it on its own page."


@cache
def descriptions() -> Mapping[str, described.Description]:
    """Return what is known of each setting."""
    return described.load("peblar")


class Peblar(WebSession):
    """One session: a login with a cookie; the local REST interface where it is switched on."""

    driver_id: ClassVar[str] = "peblar"
    deadline_s: ClassVar[float] = 8.0
    login_advice: ClassVar[str] = LOGIN_ADVICE
    manner: ClassVar[HttpManner] = HttpManner(login=Login.NONE, keeps_cookies=True)

    _serial = ""
    _token = ""

    async def look(self) -> None:
        """Log in, and see which interfaces are switched on."""
        await log_in(self.http, self._links.credentials(self._net))
        info = await self._info()
        self._serial = text_of(info, "ProductSn")
        config = await self.fetch_object(CONFIG)
        offers: set[type] = {Identifies, ReadsSettings, ReadsOneSetting, WritesSettings, Reboots}
        if ACTIVE in config and URI in config:
            offers.add(SetsBackend)
        if config.get("LocalRestApiAllowed") is True and config.get("LocalRestApiEnable") is True:
            self._token = text_of(await self.fetch_object(TOKEN), "ApiToken")
            offers |= {ReportsStatus, Meters} if self._token else set()
        self.offers = frozenset(offers)

    async def _info(self) -> dict[str, Any]:
        info = await self.fetch_object(INFO)
        if not is_peblar(info):
            raise Unexpected(f"{self.address} answers, but not like a Peblar.", "Check the address.")
        return info

    async def identify(self) -> Identity:
        """Read vendor, model, serial number and MAC."""
        async with self.call("identify"):
            return identity_of(await self._info(), self._profile)

    # ReportsStatus, Meters

    async def status(self) -> Status:
        """Read pilot state, meter and errors over the local REST interface."""
        async with self.call("status"):
            plug = await self._rest("evinterface")
            meter = await self._rest("meter")
            system = await self._rest("system")
            config = await self.fetch_object(CONFIG)
        word, detail = STATES.get(text_of(plug, "CpState"), ("", text_of(plug, "CpState", 40)))
        codes = [*_codes(system, "ActiveErrorCodes"), *_codes(system, "ActiveWarningCodes")]
        enabled = config.get(ACTIVE)
        return Status(
            state=word,
            detail="; ".join(part for part in (detail, *codes) if part),
            has_fault=word == "Faulted" or bool(_codes(system, "ActiveErrorCodes")),
            readings=readings(meter, FIELDS, datetime.now(UTC)),
            link=LinkState(is_enabled=enabled if isinstance(enabled, bool) else None),
        )

    def watch(self) -> AsyncIterator[Reading | StateChange]:
        """Ask every few seconds, and yield what changed."""
        return changes(self.status, POLL_S)

    async def _rest(self, path: str) -> dict[str, Any]:
        answer = await self.fetch("GET", REST + path, headers={"Authorization": self._token})
        if answer.status != 200:
            raise Unexpected(f"{self.address} answered {path} with HTTP {answer.status}.", "Note the firmware version.")
        return as_object(answer)

    # ReadsSettings, ReadsOneSetting, WritesSettings

    async def read_settings(self) -> Snapshot:
        """Read the user's configuration, the two OCPP settings among it."""
        async with self.call("read the settings"):
            config = await self._config()
        settings = tuple(setting_of(key, value) for key, value in config.items())
        excluded = {item.key: READ_ONLY_NOTE for item in settings if item.is_readonly}
        return Snapshot(taken_at=datetime.now(UTC), settings=settings, excluded=excluded)

    async def read_setting(self, key: str) -> Setting | None:
        """Read one setting again."""
        async with self.call(f"read {key}"):
            config = await self._config()
        return setting_of(key, config[key]) if key in config else None

    async def write_setting(self, change: Change) -> WriteResult:
        """Change one setting and read it back. Raises ValueRejected, NotSupported, AuthFailed."""
        key = change.key
        async with self.call(f"write {key}", deadline_s=20.0):
            await self._must_be_the_same()
            config = await self._config()
            if key not in config:
                raise NotSupported(f"This charger has no setting “{key}”.", "Its firmware may be older.")
            if setting_of(key, config[key]).is_readonly:
                raise ValueRejected(f"“{key}” is not written by Rehome.", READ_ONLY_NOTE)
            body = {key: typed(key, change.after, config[key])}
            _accepted(await self.fetch("PATCH", CONFIG, json=body), key)
            back = written((await self._config()).get(key))
        return WriteResult(key=key, is_accepted=True, read_back=back, needs_restart=key in (ACTIVE, URI))

    async def _must_be_the_same(self) -> None:
        """Before a write: another charger may have taken the address since the login."""
        serial = text_of(await self._info(), "ProductSn")
        if serial != self._serial:
            raise Unexpected(
                f"Another charger answers at {self.address} now: {serial} instead of {self._serial}. "
                "Nothing was written.",
                "Search again: the charger's address has changed.",
            )

    async def _config(self) -> dict[str, Any]:
        config = await self.fetch_object(CONFIG)
        if len(config) > KEY_LIMIT:
            raise Garbled(f"{self.address} sent {len(config)} settings.", "This is no Peblar: check the address.")
        return config

    # SetsBackend

    async def read_backend(self) -> Backend | None:
        """Read the address. It is one text: its last part is taken for the identity."""
        async with self.call("read the backend"):
            config = await self._config()
        url, identity = split_url(written(config.get(URI)))
        return Backend(url=url, identity=identity)

    async def plan_backend(self, backend: Backend, snapshot: Snapshot) -> Sequence[Change]:
        """Switch OCPP on and set the address, identity included. Raises ValueRejected."""
        if backend.security_profile is not SecurityProfile.NONE or backend.secret:
            raise ValueRejected(
                "No field for a password is known at this charger.",
                "Use a backend without a password, or set it on the charger's own page.",
            )
        wanted = {ACTIVE: "true", URI: backend.full_url}
        changes = []
        for order, (key, value) in enumerate(wanted.items()):
            before = snapshot.get(key)
            if before is not None and before.value != value:
                changes.append(
                    Change(
                        key=key, before=before.value, after=value, needs_restart=True, order=order, reason=REASONS[key]
                    )
                )
        return changes

    # Reboots

    async def restart(self) -> None:
        """Restart the charger; raises Busy while a car is charging, as far as it tells."""
        if ReportsStatus in self.offers and (await self.status()).state == "Charging":
            raise Busy("A car is charging.", "End the charge or unplug the car, then restart the charger.")
        async with self.call("restart"):
            answer = await self.fetch("POST", REBOOT, json={"RebootType": "HardReboot"})
        if answer.status not in (200, 202, 204):
            raise Unexpected(f"{self.address} did not take the restart (HTTP {answer.status}).", "Switch it off.")


REASONS = {
    ACTIVE: f"OCPP must be switched on. {UNPROVED}",
    URI: f"The address with the identity as its last part: no field for the identity is known. {UNPROVED} "
    "The endpoint shows what it really dials.",
}


async def log_in(http: HttpLink, login: Credentials | None) -> None:
    """Get the session's cookie; raises AuthFailed, LinkError."""
    if login is None or not login.password:
        raise AuthFailed("The charger asks for a login.", LOGIN_ADVICE)
    body = {"Password": login.password.reveal(), "PersistentSession": False}
    answer = await http.request("POST", LOGIN, json=body, timeout_s=PROBE_S, limit=PROBE_LIMIT)
    if answer.status in (401, 403):
        raise AuthFailed("The charger does not take this password.", LOGIN_ADVICE)
    if answer.status >= 300:
        raise Unexpected(f"The login was answered with HTTP {answer.status}.", "Check the address.")


async def recognise(http: HttpLink, profile: Profile) -> Identity | None:
    """Know a Peblar by the pair of interfaces it guards, of which “wlac” is its own, and by nothing else guarded.

    Without a login it tells no more: no serial number, no model. ``None`` for anything else; raises LinkError.
    """
    for path, is_guarded in ((VERSIONS, True), (REST + "health", True), (NOWHERE, False)):
        answer = await http.request("GET", path, timeout_s=PROBE_S, limit=PROBE_LIMIT)
        if (answer.status == 401) is not is_guarded:
            return None
    return Identity(vendor="Peblar", profile_id=profile.id)


def is_peblar(info: Mapping[str, Any]) -> bool:
    """Say whether this is the system information of a Peblar, whatever brand it bears."""
    return all(isinstance(info.get(key), str) for key in ("ProductSn", "ProductModelName", "HwFwCompat", "FwIdent"))


def identity_of(info: Mapping[str, Any], profile: Profile) -> Identity:
    """Return what the charger says of itself."""
    serial, mac = text_of(info, "ProductSn"), text_of(info, "EthMacAddr")
    claims = (claim(ClaimKind.SERIAL, serial), claim(ClaimKind.MAC, mac))
    return Identity(
        vendor=text_of(info, "ProductVendorName") or "Peblar",
        model=text_of(info, "ProductModelName"),
        serial=serial,
        firmware=text_of(info, "FwIdent"),
        mac=mac,
        name=text_of(info, "Hostname"),
        profile_id=profile.id,
        claims=tuple(item for item in claims if isinstance(item, Claim)),
    )


def setting_of(key: str, value: Any) -> Setting:
    """Return one setting; what nobody has been seen to write is shown only."""
    kinds = {bool: SettingKind.SWITCH, int: SettingKind.INTEGER, float: SettingKind.NUMBER}
    known = descriptions().get(key) or described.Description(
        key=key, label=key, kind=kinds.get(type(value), SettingKind.TEXT), readonly=key not in PROVED
    )
    return known.setting(written(value))


def typed(key: str, wanted: str, present: Any) -> Any:
    """Return the JSON value of a text, of the type it has now. Raises ValueRejected."""
    try:
        if isinstance(present, bool):
            return {"true": True, "false": False}[wanted]
        return type(present)(wanted) if isinstance(present, int | float) else wanted
    except (ValueError, KeyError) as error:
        raise ValueRejected(f"“{wanted}” is not a value “{key}” can have.", "Correct the value.") from error


def _accepted(answer: HttpAnswer, key: str) -> None:
    if answer.status in (400, 409, 422):
        raise ValueRejected(f"The charger does not take this value for “{key}” (HTTP {answer.status}).", READ_ONLY_NOTE)
    if answer.status not in (200, 202, 204):
        raise Unexpected(f"The charger answered HTTP {answer.status} to a change of “{key}”.", READ_ONLY_NOTE)


def _codes(system: Mapping[str, Any], key: str) -> list[str]:
    found = system.get(key)
    return [f"code {code}"[:60] for code in found[:10]] if isinstance(found, list) else []


DRIVER = web_driver(
    Peblar,
    title="Peblar (web interface)",
    asks=(f"GET {VERSIONS}", f"GET {REST}health", f"GET {NOWHERE}"),
    capabilities=frozenset(
        {Identifies, Meters, ReadsOneSetting, ReadsSettings, Reboots, ReportsStatus, SetsBackend, WritesSettings}
    ),
    recognise=recognise,
)
