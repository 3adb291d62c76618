"""OpenEVSE over its WiFi gateway: HTTP, and a WebSocket for the status.

Sources: OpenEVSE/openevse_esp32_firmware (src/app_config.cpp, web_server.cpp, web_server_config.cpp, ocpp.cpp; tags
4.1.7 to v5.1.5 and head), matth-x/MicroOcppMongoose (src/MicroOcppMongooseClient.cpp v1.0.0 to v1.2.0).
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any, ClassVar

from app.driver import described
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
from app.driver.registry import Driver
from app.driver.session import Session
from app.errors import AuthFailed, Busy, Garbled, LinkLost, NotReachable, NotSupported, Unexpected, ValueRejected
from app.links.link import HttpAnswer, HttpLink, Links
from app.model.address import Address, NetAddress
from app.model.backend import Backend, SecurityProfile
from app.model.profile import Profile
from app.model.reading import Measurand, Reading, StateChange
from app.model.secret import Secret
from app.model.setting import Change, Setting, SettingKind, Snapshot
from app.model.unit import Claim, ClaimKind, Identity, LinkState, SourceKind, claim

POLL_S = 2.0
"""How often /status is asked where the status stream is refused; the gateway serves one request at a time."""

LOG_LIMIT = 256_000
BODY_LIMIT = 8_000
"""The gateway takes requests of at most 8196 bytes, headers included (facts, OpenEVSE quirk 8)."""

KEY_LIMIT_BYTES = 20
"""MO_AUTHKEY_LEN_MAX (MicroOcppMongooseClient.h)."""

TOKEN_LIMIT_BYTES = 78
"""``id:key`` whose Base64 still fits ``char extra_headers[128]`` with ``Authorization: Basic `` and CR LF."""

MASKED = "_DUMMY_PASSWORD"
FAULTS = {
    4: "A car asks for ventilation.",
    5: "Diode check failed.",
    6: "Residual current detected.",
    7: "No protective earth.",
    8: "The relay is stuck.",
    9: "The residual current self-test failed.",
    10: "Too hot.",
    11: "Too much current.",
    14: "The relay does not close.",
    15: "The proximity pilot is shorted.",
    16: "The proximity pilot is missing.",
    17: "The controller's memory failed.",
}
WORDS = {0: "Unavailable", 1: "Available", 2: "Preparing", 3: "Charging", 255: "Unavailable"}
DETAILS = {0: "starting", 254: "sleeping", 255: "disabled"}


class KeyForm(Enum):
    """What a firmware makes of ``ocpp_authkey``."""

    ABSENT = "absent"
    TEXT = "text"
    HEX_BLIND = "hex, unchecked"
    HEX_CHECKED = "hex"


def key_form(version: str, config: Mapping[str, Any]) -> KeyForm:
    """Tell the form of the key by firmware; a version that is no number is a build newer than any release."""
    if "ocpp_authkey" not in config:
        return KeyForm.ABSENT
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    number = tuple(int(part) for part in found.groups()) if found else (99, 0, 0)
    if number < (5, 1, 2):
        return KeyForm.TEXT
    return KeyForm.HEX_BLIND if number == (5, 1, 2) else KeyForm.HEX_CHECKED


def stored_key(secret: Secret, form: KeyForm) -> str:
    """Return the text ``ocpp_authkey`` must hold for this password. Raises ValueRejected, naming the limit."""
    raw = secret.reveal().encode()
    if not raw:
        return ""
    if form is KeyForm.ABSENT:
        raise ValueRejected(
            "This firmware can't send a password to the backend (it knows no “ocpp_authkey”).",
            "Update the gateway to 4.1.9 or later, or let the backend take this charger without a password.",
        )
    if form is KeyForm.TEXT:
        return secret.reveal()
    if len(raw) > KEY_LIMIT_BYTES:
        raise ValueRejected(
            f"The password has {len(raw)} bytes; this charger holds at most {KEY_LIMIT_BYTES}. It would drop it "
            "without a word and dial without a password.",
            f"Let the backend's operator set a password of at most {KEY_LIMIT_BYTES} characters for this charger.",
        )
    return raw.hex()


def read_key(text: str, form: KeyForm) -> Secret:
    """Return the password that the charger really sends when ``ocpp_authkey`` holds this text."""
    if form in (KeyForm.TEXT, KeyForm.ABSENT):
        return Secret(text)
    is_hex = re.fullmatch(r"(?:[0-9A-Fa-f]{2}){0,20}", text) is not None
    if not is_hex:
        return Secret("" if form is KeyForm.HEX_CHECKED else text)
    return Secret(bytes.fromhex(text).decode("utf-8", "replace"))


@cache
def descriptions() -> Mapping[str, described.Description]:
    """Return what is known of each key of /config."""
    return described.load("openevse-wifi")


class OpenEvseWifi(Session):
    """A gateway that answers HTTP. ``/config`` is read on opening and again whenever ``config_version`` moved."""

    driver_id: ClassVar[str] = "openevse-wifi"

    def __init__(self, address: NetAddress, profile: Profile, links: Links) -> None:
        super().__init__(address)
        self._net = address
        self._profile = profile
        self._links = links
        self._http: HttpLink | None = None
        self._config: dict[str, Any] = {}
        self._config_version: int | None = None

    @property
    def form(self) -> KeyForm:
        """Return how this firmware keeps the backend's password."""
        return key_form(str(self._config.get("version", "")), self._config)

    async def _open(self) -> None:
        self._http = await self._links.http(self._net)
        await self._read_config()
        offers: set[type] = {Identifies, ReportsStatus, Meters, ReadsSettings, ReadsOneSetting, WritesSettings, Reboots}
        if "ocpp_server" in self._config:
            offers.add(SetsBackend)
        if (await self._request("GET", "/debug", limit=LOG_LIMIT)).status == 200:
            offers.add(ExportsLog)
        self.offers = frozenset(offers)

    async def _close(self) -> None:
        if self._http is not None:
            await self._http.close()

    # Identifies

    async def identify(self) -> Identity:
        """Read ``/config`` and name the gateway by its MAC, the controller by its MCU id."""
        async with self.call("identify"):
            return identity_of(await self._read_config(), self._profile)

    # ReportsStatus, Meters

    async def status(self) -> Status:
        """Read ``/status``, and ``/config`` when it changed since: it alone says whether OCPP is on."""
        async with self.call("status"):
            found = await self._object("/status")
            version = found.get("config_version")
            if version != self._config_version or not isinstance(version, int):
                await self._read_config()
                self._config_version = version
            return status_of(found, self._config, datetime.now(UTC))

    async def watch(self) -> AsyncIterator[Reading | StateChange]:
        """Stream ``/ws``: a full status object, then parts of it. Where it is refused, ask ``/status`` instead."""
        merged: dict[str, Any] = {}
        shown: dict[Measurand | str, Any] = {}
        async for part in self._status_stream():
            merged.update(part)
            for item in news(merged, shown, datetime.now(UTC)):
                yield item
        raise LinkLost(f"The status stream of {self.address} ended.", "The charger may be restarting.")

    # ReadsSettings, ReadsOneSetting, WritesSettings

    async def read_settings(self) -> Snapshot:
        """Read ``/config``; masked passwords and write-once values are named in ``excluded``."""
        async with self.call("read the settings"):
            config = await self._read_config()
        settings = tuple(setting_of(key, value) for key, value in config.items())
        return Snapshot(taken_at=datetime.now(UTC), settings=settings, excluded=excluded(config))

    async def read_setting(self, key: str) -> Setting | None:
        """Read one key again."""
        async with self.call(f"read {key}"):
            config = await self._read_config()
        return setting_of(key, config[key]) if key in config else None

    async def write_setting(self, change: Change) -> WriteResult:
        """Post one key (a partial object) and read it back. Raises ValueRejected, Busy, NotSupported, AuthFailed."""
        async with self.call(f"write {change.key}", deadline_s=15.0):
            body = self._body_for(change)
            answer = await self._request("POST", "/config", json=body)
            message = _accepted(answer, change)
            if change.key.startswith("www_"):
                return WriteResult(key=change.key, is_accepted=True, note="The login changed: open the charger again.")
            back = setting_of(change.key, (await self._read_config()).get(change.key))
        read_back = back.value if back.is_readable else None
        return WriteResult(key=change.key, is_accepted=True, read_back=read_back, note=message)

    # SetsBackend

    async def read_backend(self) -> Backend | None:
        """Read where it dials; an empty address means that OCPP was never set up."""
        async with self.call("read the backend"):
            config = await self._read_config()
        return backend_of(config, self.form)

    async def plan_backend(self, backend: Backend, snapshot: Snapshot) -> Sequence[Change]:
        """Render the changes. Raises ValueRejected where the password or the login line exceeds the unit's limits."""
        wanted = wanted_keys(backend, self.form, self._profile)
        changes = []
        for order, (key, value) in enumerate(wanted.items()):
            before = snapshot.get(key)
            if before is None or before.value != value:
                changes.append(_change(key, before, value, order))
        return tuple(changes)

    # Reboots, ExportsLog

    async def restart(self) -> None:
        """Restart the gateway, about a second after its answer; never ``/reset``, which erases everything."""
        async with self.call("restart"):
            answer = await self._request("POST", "/restart", json={"device": "gateway"})
            if answer.status != 200:
                raise Unexpected(
                    f"{self.address} did not take the restart (HTTP {answer.status}).", "Switch it off and on again."
                )

    async def read_log(self) -> str:
        """Read the gateway's debug log, the backend's password masked."""
        async with self.call("read the log"):
            answer = await self._request("GET", "/debug", limit=LOG_LIMIT)
            if answer.status != 200:
                raise NotSupported("This gateway keeps no log.", "Look at its web page.")
        text = answer.body.decode("utf-8", "replace")
        stored = str(self._config.get("ocpp_authkey", ""))
        for secret in (Secret(stored), read_key(stored, self.form)):
            text = secret.redact(text)
        return text

    # Inside

    async def _status_stream(self) -> AsyncIterator[dict[str, Any]]:
        if not self._is_open or self._http is None:
            raise LinkLost(f"The connection to {self.address} is closed.", "Open the charger again.")
        try:
            async for text in self._http.websocket("/ws"):
                yield _as_object(text.encode("utf-8", "replace"))
        except NotReachable:
            while True:
                async with self.call("status"):
                    found = await self._object("/status")
                yield found
                await asyncio.sleep(POLL_S)

    async def _read_config(self) -> dict[str, Any]:
        config = await self._object("/config")
        if "wifi_serial" not in config and "espinfo" not in config and "firmware" not in config:
            raise Unexpected(f"{self.address} answers, but not like an OpenEVSE gateway.", "Check the address.")
        self._config = config
        return config

    async def _object(self, path: str) -> dict[str, Any]:
        answer = await self._request("GET", path)
        if answer.status != 200:
            raise Unexpected(
                f"{self.address} answered {path} with HTTP {answer.status}.", "Note the firmware version and report it."
            )
        return _as_object(answer.body)

    async def _request(self, method: str, path: str, **options: Any) -> HttpAnswer:
        if self._http is None:
            raise LinkLost(f"The connection to {self.address} is closed.", "Open the charger again.")
        answer = await self._http.request(method, path, timeout_s=self.deadline_s, **options)
        if answer.status in (401, 403):
            raise AuthFailed(
                f"{self.address} asks for a login.",
                "Enter the user name and password of the charger's own web page (without a user name: openevseadmin).",
            )
        if answer.status == 429:
            raise AuthFailed(f"{self.address} is locked after wrong passwords.", "Wait ten minutes, then try again.")
        return answer

    def _body_for(self, change: Change) -> dict[str, Any]:
        key = change.key
        known = descriptions().get(key)
        if key not in self._config and key not in _WRITABLE_UNSEEN:
            raise NotSupported(f"This charger has no setting “{key}”.", "Its firmware may be older than the setting.")
        if known is not None and known.readonly:
            raise ValueRejected(f"“{known.label}” can't be written.", known.not_restored or "It is shown only.")
        body = {key: typed(key, change.after, self._config.get(key))}
        for twin in {"scale", "offset"} - {key} if key in ("scale", "offset") else ():
            body[twin] = self._config.get(twin)
        if len(json.dumps(body)) > BODY_LIMIT:
            raise ValueRejected(f"The value of “{key}” is longer than this charger can take.", "Shorten it.")
        return body


_WRITABLE_UNSEEN = frozenset({"ocpp_server", "ocpp_chargeBoxId", "ocpp_authkey", "ocpp_enabled"})


def identity_of(config: Mapping[str, Any], profile: Profile) -> Identity:
    """Return what ``/config`` says of the unit. Over OCPP it calls itself “Advanced Series” (src/ocpp.cpp)."""
    serial = text_of(config.get("wifi_serial"))
    mcu = text_of(config.get("evse_serial"))
    claims = (claim(ClaimKind.SERIAL, serial), claim(ClaimKind.MAC, serial), claim(ClaimKind.MCU, mcu))
    return Identity(
        vendor="OpenEVSE",
        model="Advanced Series",
        serial=serial,
        firmware=text_of(config.get("version")),
        mac=":".join(re.findall("..", serial)) if re.fullmatch(r"[0-9A-Fa-f]{12}", serial) else "",
        name=text_of(config.get("hostname")),
        profile_id=profile.id,
        claims=tuple(item for item in claims if isinstance(item, Claim)),
        extra={key: text_of(config[key]) for key in ("firmware", "evse_serial", "buildenv") if config.get(key)},
    )


def backend_of(config: Mapping[str, Any], form: KeyForm) -> Backend:
    """Return the backend as configured."""
    url = text_of(config.get("ocpp_server"))
    secret = read_key(text_of(config.get("ocpp_authkey")), form)
    tls = url.lower().startswith("wss:")
    basic = SecurityProfile.TLS_BASIC if tls else SecurityProfile.BASIC
    profile = basic if secret else SecurityProfile.NONE
    identity = text_of(config.get("ocpp_chargeBoxId"))
    return Backend(url=url, identity=identity, security_profile=profile, secret=secret)


def wanted_keys(backend: Backend, form: KeyForm, profile: Profile) -> dict[str, str]:
    """Return the values the keys must have, in write order. Raises ValueRejected or NotSupported."""
    if backend.security_profile is SecurityProfile.TLS_CLIENT:
        raise NotSupported(
            "This charger can't show a certificate of its own to the backend.", "Use security profile 1 or 2."
        )
    schemes = profile.url.schemes if profile.url else ("ws", "wss")
    if backend.url.partition(":")[0].lower() not in schemes:
        raise ValueRejected("This charger dials ws:// and wss:// addresses only.", "Correct the address.")
    wants_key = backend.security_profile in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC)
    secret = backend.secret if wants_key else Secret("")
    stored = stored_key(secret, form)
    token = len(backend.identity.encode()) + 1 + len(secret.reveal().encode())
    if secret and token > TOKEN_LIMIT_BYTES:
        raise ValueRejected(
            f"Identity and password together have {token - 1} bytes; this charger's login line holds at most "
            f"{TOKEN_LIMIT_BYTES - 1}.",
            "Choose a shorter identity or password with the backend's operator.",
        )
    wanted = {"ocpp_authkey": stored} if form is not KeyForm.ABSENT else {}
    return {**wanted, "ocpp_chargeBoxId": backend.identity, "ocpp_enabled": "true", "ocpp_server": backend.url}


def _change(key: str, before: Setting | None, value: str, order: int) -> Change:
    reasons = {
        "ocpp_authkey": "The backend's password, as this firmware keeps it.",
        "ocpp_chargeBoxId": "The identity under which the backend knows this charger.",
        "ocpp_enabled": "OCPP must be switched on.",
        "ocpp_server": "The new backend. The charger dials it as soon as it is written.",
    }
    is_secret = key == "ocpp_authkey"
    was = before.value if before else None
    return Change(key=key, before=was, after=value, is_secret=is_secret, order=order, reason=reasons[key])


def _accepted(answer: HttpAnswer, change: Change) -> str:
    if answer.status == 200:
        return text_of(_as_object(answer.body).get("msg"))
    if answer.status == 423:
        raise Busy("The factory settings of this charger are locked.", "Write the ordinary setting instead.")
    if answer.status == 400:
        raise ValueRejected(f"The charger could not read the value for “{change.key}”.", "Shorten or correct it.")
    raise Unexpected(f"The charger answered HTTP {answer.status} to a change of “{change.key}”.", "Try again.")


def setting_of(key: str, value: Any) -> Setting:
    """Return a setting as described in ``resources/settings``, or shown as it is."""
    known = descriptions().get(key) or described.Description(key=key, label=key, kind=_kind(value))
    if value == MASKED:
        return known.setting(None, is_readable=False)
    return known.setting(text_of(value))


def _kind(value: Any) -> SettingKind:
    kinds = {bool: SettingKind.SWITCH, int: SettingKind.INTEGER, float: SettingKind.NUMBER, list: SettingKind.LIST}
    return kinds.get(type(value), SettingKind.TEXT)


def excluded(config: Mapping[str, Any]) -> dict[str, str]:
    """Name the keys a backup can't bring back."""
    reasons = {}
    for key, value in config.items():
        known = descriptions().get(key)
        if value == MASKED:
            reasons[key] = (known.not_restored if known else "") or "The charger never tells this value."
        elif known is not None and known.one_way:
            reasons[key] = known.not_restored
    return reasons


def text_of(value: Any) -> str:
    """Return a configuration value as the text Rehome keeps."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value)


def typed(key: str, text: str, present: Any) -> Any:
    """Return the JSON value for a key, of the type it has now. Raises ValueRejected."""
    known = descriptions().get(key)
    try:
        if isinstance(present, bool) or (present is None and known and known.kind is SettingKind.SWITCH):
            return {"true": True, "false": False}[text]
        if isinstance(present, int):
            return _in_range(key, int(text), known)
        if isinstance(present, float):
            return _in_range(key, float(text), known)
        return json.loads(text) if isinstance(present, list | dict) else text
    except (ValueError, KeyError) as error:
        raise ValueRejected(f"“{text}” is not a value “{key}” can have.", "Correct the value.") from error


def _in_range(key: str, number: float, known: described.Description | None) -> float:
    low = known.minimum if known and known.minimum is not None else -math.inf
    high = known.maximum if known and known.maximum is not None else math.inf
    if not low <= number <= high:
        raise ValueRejected(f"“{key}” takes {low:g} to {high:g}.", "Correct the value.")
    return number


SCALES: tuple[tuple[str, Measurand, float], ...] = (
    ("amp", Measurand.CURRENT, 0.001),
    ("voltage", Measurand.VOLTAGE, 1.0),
    ("power", Measurand.POWER, 1.0),
    ("pilot", Measurand.CURRENT_OFFERED, 1.0),
    ("temp", Measurand.TEMPERATURE, 0.1),
    ("total_energy", Measurand.ENERGY, 1000.0),
    ("srssi", Measurand.SIGNAL, 1.0),
    ("frequency", Measurand.FREQUENCY, 0.01),
)
"""Fields of /status and their factors to SI (src/emonesp.h, src/input.cpp)."""


def measured(status: Mapping[str, Any]) -> dict[Measurand, float]:
    """Return the values of a status object in SI units; what is absent, ``false`` or absurd is left out."""
    found = {}
    for field, measurand, factor in SCALES:
        number = number_of(status.get(field))
        if number is not None:
            found[measurand] = round(number * factor, 6)
    if Measurand.ENERGY not in found and (watt_hours := number_of(status.get("watthour"))) is not None:
        found[Measurand.ENERGY] = watt_hours
    if Measurand.POWER not in found and {Measurand.CURRENT, Measurand.VOLTAGE} <= found.keys():
        found[Measurand.POWER] = found[Measurand.CURRENT] * found[Measurand.VOLTAGE]
    return found


def number_of(value: Any) -> float | None:
    """Return a finite number, or ``None`` (``false`` stands for “not fitted”)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and abs(value) < 1e12 else None


def state_of(status: Mapping[str, Any]) -> tuple[str, str]:
    """Return the OCPP 1.6 word and a detail for the EVSE state (OpenEVSE_Lib src/openevse.h)."""
    state = status.get("state")
    if not isinstance(state, int):
        return "", ""
    if state in FAULTS:
        return "Faulted", FAULTS[state]
    if state == 254:
        return ("SuspendedEVSE" if status.get("vehicle") == 1 else "Available"), DETAILS[254]
    return WORDS.get(state, ""), DETAILS.get(state, "" if state in WORDS else f"state {state}")


def status_of(status: Mapping[str, Any], config: Mapping[str, Any], now: datetime) -> Status:
    """Return the present condition."""
    word, detail = state_of(status)
    if status.get("rapi_connected") == 0:
        word, detail = "Faulted", "The gateway gets no answer from the controller."
    enabled, connected = config.get("ocpp_enabled"), status.get("ocpp_connected")
    return Status(
        state=word,
        detail=detail,
        has_fault=word == "Faulted",
        readings=tuple(
            Reading(unit_id="", measurand=key, value=value, at=now) for key, value in measured(status).items()
        ),
        link=LinkState(
            is_enabled=enabled if isinstance(enabled, bool) else None,
            is_connected=connected == 1 if isinstance(connected, int) else None,
        ),
    )


def news(status: Mapping[str, Any], shown: dict[Measurand | str, Any], now: datetime) -> list[Reading | StateChange]:
    """Return what differs from ``shown``, and remember it there."""
    found: list[Reading | StateChange] = []
    word, detail = state_of(status)
    if word and shown.get("state") != (word, detail):
        shown["state"] = (word, detail)
        found.append(StateChange(unit_id="", connector=1, state=word, at=now, detail=detail))
    for measurand, value in measured(status).items():
        if shown.get(measurand) != value:
            shown[measurand] = value
            found.append(Reading(unit_id="", measurand=measurand, value=value, at=now))
    return found


def _as_object(body: bytes) -> dict[str, Any]:
    from app.links.decoding import decode_json

    found = decode_json(body)
    if not isinstance(found, dict):
        raise Garbled("The charger sent JSON that is not an object.", "Note the firmware version and report it.")
    return found


def open_session(address: Address, profile: Profile, links: Links) -> Session:
    """Make a session (not yet entered)."""
    if not isinstance(address, NetAddress):
        raise NotSupported(f"{address} is not a network address.", "Enter the charger's IP address.")
    return OpenEvseWifi(address, profile, links)


async def probe(address: Address, profile: Profile, links: Links) -> Identity | None:
    """Ask ``/emoncms/describe`` (it needs no login), then ``/config``; a locked unit is known by vendor only."""
    if not isinstance(address, NetAddress):
        return None
    http = await links.http(address)
    try:
        describe = await http.request("GET", "/emoncms/describe", timeout_s=3.0, limit=10_000)
        if describe.status != 200 or describe.body.strip() != b"openevse":
            return None
        answer = await http.request("GET", "/config", timeout_s=4.0)
        if answer.status in (401, 403, 429):
            return Identity(vendor="OpenEVSE", profile_id=profile.id, extra={"locked": "yes"})
        return identity_of(_as_object(answer.body), profile) if answer.status == 200 else None
    except Garbled:
        return None
    finally:
        await http.close()


DRIVER = Driver(
    id="openevse-wifi",
    title="OpenEVSE gateway (HTTP)",
    sources=frozenset({SourceKind.MDNS, SourceKind.MANUAL}),
    open=open_session,
    capabilities=frozenset(
        {
            Identifies,
            ReportsStatus,
            Meters,
            ReadsSettings,
            ReadsOneSetting,
            WritesSettings,
            SetsBackend,
            Reboots,
            ExportsLog,
        }
    ),
    probe=probe,
)
