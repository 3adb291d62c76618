"""Units with the keys and rules of each stack, moved over the wire from our endpoint to a strict new backend.

Each stack's unit keeps, refuses and joins as its sources say (chargers-commercial 3.1); none of it is our own driver's
code. The proof is that the new backend sees it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import jsonschema_rs
import ocpp
import pytest

from app import resources
from app.driver.capability import SetsBackend
from app.driver.registry import load_profiles
from app.drivers.ocpp_local import DRIVER, OcppLocal, families
from app.errors import NotSupported, ValueRejected
from app.links.real import RealLinks
from app.model.address import OcppAddress
from app.model.backend import Backend, SecurityProfile
from app.model.profile import Profile
from app.model.secret import Secret
from app.model.setting import Change, Setting, Snapshot
from app.ocpp import repoint, repoint2
from app.ocpp.endpoint import Endpoint
from app.ocpp.repoint import AccessPoint, Target
from app.sim.backend import NewBackend
from app.sim.chargepoint import ChargePoint, ConfigKey, standard_keys
from tests.ocpp.endpoint_kit import Site, site
from tests.ocpp.station_kit import answering, station

NAME = "STALL-7"
OLD = "ws://old.example"
SCALE = 0.01
PROFILES = {profile.id: profile for profile in load_profiles(resources.texts("profiles", ".toml"))}

Keys = Mapping[str, ConfigKey]


@dataclass(frozen=True)
class Rules:
    """A stack: its keys, how it turns them into the URL it dials, and what it refuses."""

    keys: Mapping[str, str]
    dials: Callable[[Keys], str]
    takes: Callable[[str, str], bool] = lambda key, value: True
    readonly: tuple[str, ...] = ()
    vendor: str = "Simulated"
    expected: tuple[str, ...] = ()
    """Keys that are written, in order."""
    rolls_back: bool = False
    stays: Mapping[str, str] = field(default_factory=dict)


def _value(keys: Keys, key: str) -> str:
    return keys[key].value or ""


def _joined(base: str, name: str = NAME) -> str:
    return f"{base.rstrip('/')}/{name}"


def _alfen6(text: str) -> str:
    match = re.fullmatch(
        r"ocppVersion\{OCPP16\}ocppCsmsUrl\{([^{}]*)\}messageTimeout\{10\}securityProfile\{0\}ocppInterface\{Wired0\}",
        text,
    )
    return match[1] if match else ""


def _amina(keys: Keys) -> str:
    first = _value(keys, "NetworkConfigurationPriority").split(",")[0]
    return _joined(_value(keys, first))


ALFEN6 = "ocppVersion{OCPP16}ocppCsmsUrl{%s}messageTimeout{10}securityProfile{0}ocppInterface{Wired0}"
STACKS = {
    "alfen": Rules(
        keys={
            "BackOffice-URL-wired": f"{OLD}/",
            "BackOffice-Path-wired": "old",
            "BackOffice-URL-APN": "ws://mobile.example/",
            "BackOffice-Path-APN": "m",
        },
        dials=lambda keys: _joined(_value(keys, "BackOffice-URL-wired") + _value(keys, "BackOffice-Path-wired")),
        expected=("BackOffice-Path-wired", "BackOffice-URL-wired"),
        stays={"BackOffice-URL-APN": "ws://mobile.example/"},
    ),
    "alfen-6": Rules(
        keys={"BackOfficeNetworkProfile1": ALFEN6 % OLD},
        dials=lambda keys: _joined(_alfen6(_value(keys, "BackOfficeNetworkProfile1"))),
        takes=lambda key, value: bool(_alfen6(value)),
        expected=("BackOfficeNetworkProfile1",),
    ),
    "evbox": Rules(
        keys={
            "evb_ServerURL": "wss://EU.EVERON.IO/",
            "evb_UseBackend": "true",
            "evb_SerialAsConnectorId": "true",
            "evb_ConnectorList": "true",
        },
        dials=lambda keys: _value(keys, "evb_ServerURL") + NAME,
        takes=lambda key, value: (
            key != "evb_ServerURL" or re.fullmatch(r"wss?://[\x21-\x7f]{1,248}/", value) is not None
        ),
        expected=("evb_SerialAsConnectorId", "evb_ConnectorList", "evb_ServerURL"),
    ),
    "amina": Rules(
        keys={
            "NetworkConnectionProfile1": OLD,
            "NetworkConnectionProfile2": "",
            "NetworkConfigurationPriority": "NetworkConnectionProfile1,NetworkConnectionProfile2",
            "NetworkProfileConnectionTimeoutSec": "60",
        },
        dials=_amina,
        expected=("NetworkConnectionProfile2", "NetworkConfigurationPriority"),
        stays={"NetworkConnectionProfile1": OLD},
    ),
    "evnex": Rules(
        keys={"OCPPEndPoint": OLD}, dials=lambda keys: _joined(_value(keys, "OCPPEndPoint")), expected=("OCPPEndPoint",)
    ),
    "everest": Rules(
        keys={"CentralSystemURI": OLD, "ChargePointId": NAME},
        dials=lambda keys: _joined(_value(keys, "CentralSystemURI")),
        readonly=("ChargePointId",),
        expected=("CentralSystemURI",),
    ),
    "openocpp": Rules(
        keys={"CentralSystemURL": OLD, "ChargePointId": NAME, "OcppProtocol": "OCPP16"},
        dials=lambda keys: f"{_value(keys, 'CentralSystemURL')}/{NAME}",
        expected=("CentralSystemURL",),
        rolls_back=True,
    ),
    "microocpp": Rules(
        keys={"Cst_BackendUrl": OLD, "Cst_ChargeBoxId": NAME},
        dials=lambda keys: _joined(_value(keys, "Cst_BackendUrl"), _value(keys, "Cst_ChargeBoxId")),
        expected=("Cst_BackendUrl",),
    ),
    "nobody": Rules(
        keys={"VendorServer": OLD}, dials=lambda keys: _joined(_value(keys, "VendorServer")), expected=("VendorServer",)
    ),
}


class Unit(ChargePoint):
    """A charge point that obeys a stack's rules. What was written counts after its restart."""

    def __init__(self, rules: Rules, url: str) -> None:
        own = {key: ConfigKey(value, readonly=key in rules.readonly) for key, value in rules.keys.items()}
        super().__init__(
            NAME,
            _joined(url),
            boot={"chargePointVendor": rules.vendor, "chargePointModel": "Wall"},
            configuration={**standard_keys(), **own},
            on_change=self._taken,
            time_scale=SCALE,
        )
        self.rules = rules
        self.written: list[str] = []
        self._kept = dict(rules.keys)
        self._led = self.dial_url

    def _taken(self, key: str, value: str) -> str:
        if not self.rules.takes(key, value):
            return "Rejected"
        self.written.append(key)
        return self.store(key, value)

    async def power_cycle(self, off_s: float | None = None, *, reason: str = "PowerLoss") -> None:
        self.dial_url = self.rules.dials(self.configuration)
        await super().power_cycle(off_s, reason=reason)

    def dial_failed(self) -> None:
        super().dial_failed()
        if self.rules.rolls_back:
            for key, value in self._kept.items():
                self.configuration[key].value = value
            self.dial_url = self._led


@asynccontextmanager
async def standing(stack: str, **more: Any) -> AsyncIterator[tuple[Site, Unit, OcppLocal]]:
    rules = STACKS[stack]
    async with site() as here, Unit(Rules(**{**rules.__dict__, **more}), here.url) as point:
        point.power_on()
        await _ready(here)
        profile = next(profile for profile in families() if profile.id == "ocpp-generic")
        links = RealLinks(ocpp=here.server.endpoint)
        async with cast(OcppLocal, DRIVER.open(OcppAddress(identity=NAME), profile, links)) as session:
            yield here, point, session


async def _ready(here: Site) -> Endpoint:
    endpoint = await here.server.arrival(NAME, timeout_s=5)
    async with asyncio.timeout(5):
        while endpoint.boot is None or 1 not in endpoint.statuses:
            await anext(here.frames)
    return endpoint


async def moved(session: OcppLocal, backend: Backend) -> list[Change]:
    snapshot = await session.read_settings()
    changes = list(await session.ask(SetsBackend).plan_backend(backend, snapshot))
    for change in changes:
        result = await session.write_setting(change)
        assert result.read_back == change.after or change.is_secret
    return changes


@pytest.mark.parametrize("stack", STACKS)
async def test_a_unit_of_each_stack_is_moved_by_its_own_keys_in_order(stack: str) -> None:
    rules = STACKS[stack]
    async with NewBackend({NAME: ""}) as target, standing(stack) as (_, point, session):
        assert session.has(SetsBackend) or stack == "nobody", "an unknown key shows itself in the whole configuration"
        await moved(session, Backend(url=target.url, identity=NAME))
        assert tuple(point.written) == rules.expected
        for key, value in rules.stays.items():
            assert point.configuration[key].value == value
        again = await session.read_backend()
        assert again is not None
        if stack != "amina":  # it names the slot that leads here until it restarts
            assert again.full_url == f"{target.url}/{NAME}"
        await session.restart()
        seen = await target.arrival(NAME, timeout_s=5)
        assert seen.boot["chargePointModel"] == "Wall"


async def test_openocpp_that_can_not_reach_the_new_backend_is_back_with_the_old_address() -> None:
    async with standing("openocpp") as (here, point, session):
        endpoint = session.endpoint
        await moved(session, Backend(url="ws://127.0.0.1:9", identity=NAME))
        assert point.configuration["CentralSystemURL"].value == "ws://127.0.0.1:9"
        await session.restart()
        await here.server.arrival(NAME, timeout_s=5, after=endpoint.opened_at)
        setting = await session.read_setting("CentralSystemURL")
        assert setting is not None
        assert setting.value == OLD


async def test_a_read_only_build_of_everest_is_no_offer() -> None:
    async with standing("everest", readonly=("CentralSystemURI", "ChargePointId")) as (_, point, session):
        assert not session.has(SetsBackend)
        assert point.written == []


async def test_abb_is_never_asked_for_everything() -> None:
    async with standing("nobody", vendor="ABB") as (_, point, session):
        snapshot = await session.read_settings()
        assert snapshot.get("HeartbeatInterval") is not None
        asked = [payload for action, payload in point.heard if action == "GetConfiguration"]
        assert asked
        assert all(payload.get("key") for payload in asked), "it would drop"


# What only the plan can show


def planned(profile: str, backend: Backend, point: AccessPoint | None = None, **values: str) -> list[Change]:
    family: Profile = PROFILES[profile]
    settings = {key: Setting(key=key, value=value) for key, value in values.items()}
    unit = Target(settings=settings, keys=family.backend_keys, identity=NAME, habit=family.url)
    return list(repoint.plan(unit, backend, point))


NEW = Backend(url="ws://csms.example/ocpp", identity=NAME)
SECURE = Backend(
    url="ws://csms.example/ocpp",
    identity="STALL-8",
    security_profile=SecurityProfile.BASIC,
    secret=Secret("0123456789abcdef"),
)


def test_access_point_then_credential_then_identity_then_profile_then_address() -> None:
    """The order of chargers-commercial 3.2, on a unit that has all of them."""
    family = PROFILES["ocpp-evbox"]
    extra = PROFILES["ocpp-microocpp"].backend_keys
    values = {"evb_ServerURL": "ws://old/", "evb_UseBackend": "false", "evb_APNName": "old", "evb_APNPass": ""}
    values |= {"AuthorizationKey": "", "SecurityProfile": "0", "Cst_ChargeBoxId": NAME}
    settings = {key: Setting(key=key, value=value) for key, value in values.items()}
    unit = Target(settings=settings, keys=(*family.backend_keys, *extra), identity=NAME, habit=family.url)
    changes = repoint.plan(unit, SECURE, AccessPoint(name="internet", password=Secret("geheim")))
    assert [change.key for change in changes] == [
        "evb_APNName",
        "evb_APNPass",
        "AuthorizationKey",
        "Cst_ChargeBoxId",
        "evb_UseBackend",
        "SecurityProfile",
        "evb_ServerURL",
    ]
    assert changes[1].is_secret
    assert changes[1].shown()[1] != "geheim"


def test_an_access_point_without_a_key_for_it_is_refused() -> None:
    with pytest.raises(ValueRejected, match="access point"):
        planned("ocpp-evnex", NEW, AccessPoint(name="internet"), OCPPEndPoint="ws://old")


def test_a_security_profile_without_its_password_is_refused_before_anything_is_written() -> None:
    bare = Backend(url=NEW.url, identity=NAME, security_profile=SecurityProfile.BASIC)
    with pytest.raises(ValueRejected, match="needs a password"):
        planned("ocpp-generic", bare, Url="ws://old", SecurityProfile="0", AuthorizationKey="")


def test_tls_and_the_address_must_agree_where_the_profile_rises() -> None:
    crossed = Backend(url=NEW.url, identity=NAME, security_profile=SecurityProfile.TLS_BASIC, secret=Secret("x" * 16))
    with pytest.raises(ValueRejected, match="do not go together"):
        planned("ocpp-generic", crossed, Url="ws://old", SecurityProfile="1", AuthorizationKey="")


def test_everest_wants_the_scheme_of_its_profile_even_where_it_does_not_tell_it() -> None:
    secure = Backend(url="wss://csms.example", identity=NAME)
    with pytest.raises(ValueRejected, match="Security profile 0 and wss://"):
        planned("ocpp-everest", secure, CentralSystemURI="ws://old", ChargePointId=NAME)


def test_alfens_network_profile_is_a_ratchet_too() -> None:
    text = ALFEN6.replace("securityProfile{0}", "securityProfile{2}") % "wss://old"
    with pytest.raises(ValueRejected, match="only goes up"):
        planned("ocpp-alfen", NEW, BackOfficeNetworkProfile1=text)
    up = Backend(url="wss://csms.example", identity=NAME, security_profile=SecurityProfile.TLS_CLIENT)
    (change,) = planned("ocpp-alfen", up, BackOfficeNetworkProfile1=text)
    assert change.is_one_way
    assert "securityProfile{3}" in change.after


def test_a_short_password_is_refused_for_openocpp() -> None:
    short = Backend(url=NEW.url, identity=NAME, security_profile=SecurityProfile.BASIC, secret=Secret("short"))
    with pytest.raises(ValueRejected, match="at least 16"):
        planned("ocpp-openocpp", short, CentralSystemURL="ws://old", BasicAuthPassword="")


def test_what_ocpp_can_not_carry_is_refused_before_anything_is_written() -> None:
    long = Backend(url="ws://csms.example/" + "x" * 480, identity=NAME)
    text = ALFEN6 % "ws://old"
    with pytest.raises(ValueRejected, match="500"):
        planned("ocpp-alfen", long, BackOfficeNetworkProfile1=text)
    key = "K" * 51
    with pytest.raises(ValueRejected, match="51 characters"):
        planned("ocpp-generic", NEW, **{key: "ws://old"})


def test_on_2x_the_access_point_is_a_part_of_the_slot() -> None:
    told = {repoint2.PRIORITY: "1", repoint2.ACTIVE: "1"}
    settings = {key: Setting(key=key, value=value) for key, value in told.items()}
    unit = repoint2.Target(identity=NAME, version="2.0.1", settings=settings)
    slot, priority = repoint2.plan(unit, NEW, AccessPoint(name="internet", user="me", password=Secret("geheim")))
    assert (slot.key, priority.after) == ("NetworkProfile/2", "2,1")
    assert "geheim" not in slot.shown()[1]
    data = json.loads(slot.after)
    assert data["ocppInterface"] == "Wireless0"
    request = {"configurationSlot": 2, "connectionData": data}
    folder = Path(ocpp.__file__).parent / "v201" / "schemas"
    schema = json.loads((folder / "SetNetworkProfileRequest.json").read_text(encoding="utf-8-sig"))
    assert jsonschema_rs.is_valid(schema, request)
    assert repoint2.interfaces(slot.after) == ("Wireless0",)
    assert repoint2.interfaces(repoint2.plan(unit, NEW)[0].after) == repoint2.INTERFACES


# 2.x stations that keep their address in variables


Model = dict[tuple[str, str], str]


def _answers(model: Model, order: list[str]) -> dict[str, Any]:
    def named(item: dict[str, Any]) -> tuple[str, str]:
        return item["component"]["name"], item["variable"]["name"]

    def get(payload: dict[str, Any]) -> dict[str, Any]:
        result = []
        for item in payload["getVariableData"]:
            value = model.get(named(item))
            status = "UnknownVariable" if value is None else "Accepted"
            told = {} if value is None else {"attributeValue": value}
            result.append(
                {"attributeStatus": status, "component": item["component"], "variable": item["variable"], **told}
            )
        return {"getVariableResult": result}

    def put(payload: dict[str, Any]) -> dict[str, Any]:
        result = []
        for item in payload["setVariableData"]:
            model[named(item)] = item["attributeValue"]
            order.append(".".join(named(item)))
            result.append(
                {"attributeStatus": "RebootRequired", "component": item["component"], "variable": item["variable"]}
            )
        return {"setVariableResult": result}

    return {"GetVariables": get, "SetVariables": put}


@pytest.mark.parametrize(
    ("model", "wanted", "order"),
    [
        (
            {("SecurityCtrlr", "CsmsUrl"): OLD, ("SecurityCtrlr", "Identity"): "CS-1"},
            {("SecurityCtrlr", "CsmsUrl"): NEW.url},
            ["SecurityCtrlr.CsmsUrl"],
        ),
        (
            {
                ("AlfenStation", "BackOffice-URL-wired"): f"{OLD}/",
                ("AlfenStation", "BackOffice-Path-wired"): "old",
                ("SecurityCtrlr", "Identity"): "CS-1",
            },
            {
                ("AlfenStation", "BackOffice-URL-wired"): "ws://csms.example/",
                ("AlfenStation", "BackOffice-Path-wired"): "ocpp",
            },
            ["AlfenStation.BackOffice-Path-wired", "AlfenStation.BackOffice-URL-wired"],
        ),
    ],
    ids=["microocpp", "alfen"],
)
async def test_a_2x_station_is_moved_by_its_own_variables(model: Model, wanted: Model, order: list[str]) -> None:
    model, written = dict(model), []
    async with site() as here, station(here) as link:
        reading = asyncio.get_running_loop().create_task(answering(link, **_answers(model, written)))
        try:
            profile = next(profile for profile in families() if profile.id == "ocpp-generic")
            links = RealLinks(ocpp=here.server.endpoint)
            async with cast(OcppLocal, DRIVER.open(OcppAddress(identity="CS-1"), profile, links)) as session:
                assert session.has(SetsBackend)
                present = await session.read_backend()
                assert present is not None
                assert present.url.startswith(OLD)
                snapshot_keys = {".".join(name): value for name, value in model.items()}
                settings = await session.endpoint.get_settings(tuple(snapshot_keys))
                assert {item.key: item.value for item in settings} == snapshot_keys
                session.endpoint.habits.settings = {item.key: item for item in settings}
                target = Backend(url=NEW.url, identity="CS-1")
                snapshot = Snapshot(taken_at=datetime.now(UTC), settings=settings)
                for change in await session.ask(SetsBackend).plan_backend(target, snapshot):
                    result = await session.write_setting(change)
                    assert result.read_back == change.after
                    assert result.needs_restart
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    assert written == order
    assert {name: model[name] for name in wanted} == wanted


async def test_a_2x_station_without_slots_or_variables_is_no_offer() -> None:
    model: Model = {("SecurityCtrlr", "Identity"): "CS-1", ("OCPP16LegacyCtrlr", "CentralSystemURI"): OLD}
    async with site() as here, station(here) as link:
        reading = asyncio.get_running_loop().create_task(answering(link, **_answers(model, [])))
        try:
            profile = next(profile for profile in families() if profile.id == "ocpp-generic")
            links = RealLinks(ocpp=here.server.endpoint)
            async with cast(OcppLocal, DRIVER.open(OcppAddress(identity="CS-1"), profile, links)) as session:
                assert not session.has(SetsBackend)
                with pytest.raises(NotSupported):
                    session.ask(SetsBackend)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
