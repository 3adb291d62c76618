"""The HTTP interface of MicroOcppSimulator, and of chargers built from it: one object holds where it dials.

Sources: matth-x/MicroOcppSimulator 2cb07cd (src/net_mongoose.cpp, src/api.cpp, src/main.cpp), matth-x/MicroOcppMongoose
v1.0.0 to v1.2.0 (src/MicroOcppMongooseClient.cpp, setAuthKey, reloadConfigs), and a built simulator asked by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar, TypeGuard

from app.driver import described
from app.driver.capability import (
    Identifies,
    Meters,
    ReadsOneSetting,
    ReadsSettings,
    ReportsStatus,
    SetsBackend,
    Status,
    WriteResult,
    WritesSettings,
)
from app.driver.measuring import Field, changes, readings
from app.driver.states import WORDS
from app.driver.web import PROBE_LIMIT, PROBE_S, WebSession, as_object, text_of, web_driver
from app.errors import AuthFailed, Busy, Garbled, NotSupported, Unexpected, ValueRejected
from app.links.link import HttpAnswer, HttpLink, HttpManner
from app.model.backend import Backend, SecurityProfile
from app.model.profile import Profile
from app.model.reading import Measurand, Reading, StateChange
from app.model.secret import Secret
from app.model.setting import Change, Setting, SettingKind, Snapshot
from app.model.unit import Identity

WEBSOCKET = "/api/websocket"
URL, IDENTITY, KEY = "backendUrl", "chargeBoxId", "authorizationKey"
INTERVALS = ("pingInterval", "reconnectInterval")
KEYS = (URL, IDENTITY, KEY, *INTERVALS)
UNAUTHORIZED = b"Unauthorized. Expect Basic Auth"
"""Its words (net_mongoose.cpp): no other web server says so."""

LOGIN_ADVICE = "Enter the user name and password of its mo_store/api.jsn."
TOKEN_LIMIT_BYTES = 78
"""``id:key`` whose Base64 still fits ``char extra_headers[128]`` with ``Authorization: Basic `` and CR LF."""
KEY_LIMIT_BYTES = 40
"""The longest password any build keeps (MO_AUTHKEY_LEN_MAX); one without OCPP 2.0.1 keeps 20."""

POLL_S = 2.0
CONNECTORS_LIMIT = 4
ANSWER_LIMIT = 100_000
FIELDS = (
    ("energy", Measurand.ENERGY),
    ("power", Measurand.POWER),
    ("current", Measurand.CURRENT),
    ("voltage", Measurand.VOLTAGE),
)
REASONS = {
    KEY: "The backend's password, as text.",
    IDENTITY: "The identity under which the backend knows this charger.",
    URL: "The new backend. The charger dials it as soon as it is written.",
}


@cache
def descriptions() -> Mapping[str, described.Description]:
    """Return what is known of each key."""
    return described.load("microocpp")


class MicroOcpp(WebSession):
    """One session; each exchange carries the login, if there is one."""

    driver_id: ClassVar[str] = "microocpp"
    manner: ClassVar[HttpManner] = HttpManner(secret_keys=frozenset({KEY, "idTag"}))
    login_advice: ClassVar[str] = LOGIN_ADVICE

    async def look(self) -> None:
        """Read where it dials, and which connectors it has."""
        await self._websocket()
        self._connectors = await self._numbers()
        self.offers = frozenset({Identifies, ReportsStatus, Meters, ReadsSettings, ReadsOneSetting})
        self.offers |= {WritesSettings, SetsBackend}

    async def identify(self) -> Identity:
        """Read its identity with the backend: it tells no serial number and no firmware."""
        async with self.call("identify"):
            return identity_of(await self._websocket(), self._profile)

    async def status(self) -> Status:
        """Read state and meter of its connectors. It does not tell whether a backend is connected."""
        async with self.call("status"):
            found = [(number, *await self._connector(number)) for number in self._connectors]
        states = [state for _, state, _ in found]
        busy = next((word for word in ("Faulted", "Charging", "SuspendedEVSE", "SuspendedEV") if word in states), "")
        now = datetime.now(UTC)
        values = tuple(item for number, _, meter in found for item in measured(meter, number, now))
        state = busy or (states[0] if states else "")
        return Status(state=state, has_fault=state == "Faulted", readings=values)

    def watch(self) -> AsyncIterator[Reading | StateChange]:
        """Ask again and again and yield what changed."""
        return changes(self.status, POLL_S)

    async def read_settings(self) -> Snapshot:
        """Read the whole object, password included."""
        async with self.call("read the settings"):
            found = await self._websocket()
        return Snapshot(taken_at=datetime.now(UTC), settings=tuple(setting_of(found, key) for key in KEYS))

    async def read_setting(self, key: str) -> Setting | None:
        """Read one setting again."""
        async with self.call(f"read {key}"):
            found = await self._websocket()
        return setting_of(found, key) if key in KEYS else None

    async def write_setting(self, change: Change) -> WriteResult:
        """Write one value and compare what it holds then. Raises ValueRejected, Busy under a transaction."""
        key = change.key
        async with self.call(f"write {key}"):
            if key not in KEYS:
                raise NotSupported(f"This charger has no setting “{key}”.", "Set it over OCPP.")
            value = sent(key, change.after)
            if key not in INTERVALS:
                await self._need_rest()
            answer = await self.fetch("POST", WEBSOCKET, json={key: value}, limit=ANSWER_LIMIT)
            held = text_of(_checked(answer, str(self.address)), key)
        if held != change.after:
            raise ValueRejected(*_not_held(key, held))
        return WriteResult(key=key, is_accepted=True, read_back=held)

    async def read_backend(self) -> Backend:
        """Read where it dials; an empty address means: nowhere."""
        async with self.call("read the backend"):
            return backend_of(await self._websocket())

    async def plan_backend(self, backend: Backend, snapshot: Snapshot) -> Sequence[Change]:
        """Render the changes, the address last. Raises ValueRejected for what its login line can't hold."""
        return planned(backend, snapshot, self._profile)

    # Inside

    async def _websocket(self) -> dict[str, Any]:
        return _checked(await self.fetch("GET", WEBSOCKET, limit=ANSWER_LIMIT), str(self.address))

    async def _numbers(self) -> tuple[int, ...]:
        answer = await self.fetch("GET", "/api/connectors", limit=ANSWER_LIMIT)
        found = answer.json() if answer.status == 200 else []
        listed = found[:CONNECTORS_LIMIT] if isinstance(found, list) else []
        return tuple(int(item) for item in listed if isinstance(item, str) and item.isdecimal() and len(item) < 4)

    async def _connector(self, number: int) -> tuple[str, dict[str, Any]]:
        evse = await self.fetch_object(f"/api/connector/{number}/evse", limit=ANSWER_LIMIT)
        meter = await self.fetch_object(f"/api/connector/{number}/meter", limit=ANSWER_LIMIT)
        word = text_of(evse, "chargePointStatus", 20)
        return (word if word in WORDS else ""), meter

    async def _need_rest(self) -> None:
        """Raise Busy while a transaction runs: its end would be told to another backend than its begin."""
        for number in self._connectors:
            found = await self.fetch_object(f"/api/connector/{number}/transaction", limit=ANSWER_LIMIT)
            running = found.get("transactionId")
            if text_of(found, "idTag") or (isinstance(running, int) and running > 0):
                raise Busy(
                    f"A transaction runs on connector {number}: with another backend its end would get lost.",
                    "End the charge or unplug the car, then go on.",
                )


def _checked(answer: HttpAnswer, where: str) -> dict[str, Any]:
    if answer.status != 200:
        raise Unexpected(f"{where} answered HTTP {answer.status}.", "Check the address.")
    found = as_object(answer)
    if not is_family(found):
        raise Unexpected(f"{where} answers, but not like MicroOcpp.", "Check the address.")
    return found


def _not_held(key: str, held: str) -> tuple[str, str]:
    label = descriptions()[key].label
    if key == KEY and len(held) == 1:
        return (
            "The charger kept only the first character of the password: library version 1.1.0 has that fault.",
            "Move it without a password, write “AuthorizationKey” over OCPP, or have its firmware updated.",
        )
    return (
        f"The charger ignored the new value of “{label}” and holds another one.",
        "A password may be too long for it: builds without OCPP 2.0.1 keep 20 bytes.",
    )


def setting_of(found: Mapping[str, Any], key: str) -> Setting:
    """Return one key of its object."""
    return descriptions()[key].setting(text_of(found, key, ANSWER_LIMIT))


def measured(meter: Mapping[str, Any], number: int, now: datetime) -> tuple[Reading, ...]:
    """Return a connector's readings."""
    return readings(meter, [Field((key,), kind, connector=number) for key, kind in FIELDS], now)


def backend_of(found: Mapping[str, Any]) -> Backend:
    """Return the backend as configured."""
    url, key = text_of(found, URL, ANSWER_LIMIT), text_of(found, KEY)
    basic = SecurityProfile.TLS_BASIC if url.lower().startswith("wss:") else SecurityProfile.BASIC
    profile = basic if key else SecurityProfile.NONE
    return Backend(url=url, identity=text_of(found, IDENTITY), security_profile=profile, secret=Secret(key))


def planned(backend: Backend, snapshot: Snapshot, profile: Profile) -> tuple[Change, ...]:
    """Return the changes in write order. Raises ValueRejected or NotSupported."""
    if backend.security_profile is SecurityProfile.TLS_CLIENT:
        raise NotSupported("This charger can't show a certificate of its own.", "Use security profile 1 or 2.")
    if backend.url.partition(":")[0].lower() not in (profile.url.schemes if profile.url else ("ws", "wss")):
        raise ValueRejected("This charger dials ws:// and wss:// addresses only.", "Correct the address.")
    wants_key = backend.security_profile in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC)
    key = backend.secret.reveal() if wants_key else ""
    size = len(backend.identity.encode()) + 1 + len(key.encode())
    if key and size > TOKEN_LIMIT_BYTES:
        raise ValueRejected(
            f"Identity and password have {size - 1} bytes together; its login line holds {TOKEN_LIMIT_BYTES - 1}.",
            "Choose a shorter identity or password with the backend's operator.",
        )
    changes = []
    for order, (name, value) in enumerate({KEY: key, IDENTITY: backend.identity, URL: backend.url}.items()):
        sent(name, value)
        known = snapshot.get(name)
        was = known.value if known is not None else None
        if was != value:
            secret = name == KEY
            changes.append(
                Change(key=name, before=was, after=value, is_secret=secret, order=order, reason=REASONS[name])
            )
    return tuple(changes)


def sent(key: str, text: str) -> Any:
    """Return the value as it goes into the object. Raises ValueRejected, naming the limit."""
    known = descriptions()[key]
    if known.kind is SettingKind.INTEGER:
        if not text.isdecimal() or not 0 < int(text) < 2**31:
            raise ValueRejected(f"“{known.label}” takes a number of seconds above 0.", "Correct the value.")
        return int(text)
    if key == KEY and len(text.encode()) > KEY_LIMIT_BYTES:
        raise ValueRejected(
            f"The password has {len(text.encode())} bytes; this charger keeps at most {KEY_LIMIT_BYTES}.",
            f"Let the backend's operator set a password of at most {KEY_LIMIT_BYTES} characters for this charger.",
        )
    return text


def is_family(found: Any) -> TypeGuard[dict[str, Any]]:
    """Say whether this is MicroOcpp's object: exactly its five fields, each of its type."""
    if not isinstance(found, dict) or found.keys() != set(KEYS):
        return False
    numbers = [found[key] for key in INTERVALS]
    is_timed = all(isinstance(item, int) and not isinstance(item, bool) for item in numbers)
    return is_timed and all(isinstance(found[key], str) for key in (URL, IDENTITY, KEY))


def identity_of(found: Mapping[str, Any], profile: Profile) -> Identity:
    """Return what it tells: nothing that proves which one it is."""
    return Identity(vendor=profile.vendor, name=text_of(found, IDENTITY, 100), profile_id=profile.id)


async def recognise(http: HttpLink, profile: Profile) -> Identity | None:
    """Ask for its object. Raises AuthFailed where it refuses with its own words."""
    answer = await http.request("GET", WEBSOCKET, timeout_s=PROBE_S, limit=PROBE_LIMIT)
    if answer.status == 401 and answer.body.startswith(UNAUTHORIZED):
        raise AuthFailed("This MicroOcpp interface wants a login.", LOGIN_ADVICE)
    try:
        found = answer.json() if answer.status == 200 else None
    except Garbled:
        return None
    return identity_of(found, profile) if is_family(found) else None


DRIVER = web_driver(
    MicroOcpp,
    title="MicroOcpp (HTTP interface)",
    asks=(f"GET {WEBSOCKET}",),
    capabilities=frozenset(
        {Identifies, ReportsStatus, Meters, ReadsSettings, ReadsOneSetting, WritesSettings, SetsBackend}
    ),
    recognise=recognise,
)
