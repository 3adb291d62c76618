"""Every family's probe against every other family's charger, and against what is no charger: only its own is known.

A row is a simulated charger, a column the probe of a profile. What a probe sends must be on the list that a person
reads before a search (``asks``), and change nothing: no other method than GET.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import pytest

from app.driver.registry import Driver, addresses
from app.errors import AuthFailed, LinkError, LoginWall
from app.links.real import RealLinks
from app.model.address import NetAddress
from app.model.profile import Profile
from app.model.unit import Identity, SourceKind
from app.sim.alfen import AlfenStation
from app.sim.decoys import KINDS, Decoy
from app.sim.goe import GoEUnit
from app.sim.modbus_makes import modbus_unit
from app.sim.nrgkick import NrgKickUnit
from app.sim.openevse import OpenEvseGateway
from app.sim.openocpp import OpenOcppUnit
from app.sim.peblar import PeblarCharger
from app.sim.site import MODBUS
from app.sim.smartevse import SmartEvseUnit
from app.sim.tesla import TeslaUnit
from app.sim.warp import WarpWallbox
from app.sim.wattpilot import WattpilotUnit
from tests.drivers.goe_kit import REGISTRY
from tests.drivers.rigs import RIGS

Make = Callable[[], AbstractAsyncContextManager[Any]]

LOCKED = Identity()
"""Surely one of the family, behind a login."""
LOGIN = ("admin", "pw")
GATEWAY_LOGIN = {"www_username": "admin", "www_password": "pw"}

ROWS: dict[str, tuple[str, Make]] = {
    "openevse 4.1.7": ("openevse-wifi", lambda: OpenEvseGateway("4.1.7")),
    "openevse 5.1.5": ("openevse-wifi", lambda: OpenEvseGateway("v5.1.5")),
    "openevse locked": ("openevse-wifi", lambda: OpenEvseGateway("v5.1.5", config=GATEWAY_LOGIN)),
    "warp 3": ("warp", WarpWallbox),
    "warp 2, 2.1": ("warp", lambda: WarpWallbox("2.1.0+17f4001d", kind="warp2")),
    "warp 4": ("warp", lambda: WarpWallbox(kind="warp4")),
    "warp 1": ("warp1", lambda: WarpWallbox("2.9.0+a37f9364", kind="warp")),
    "eltako": ("eltako", lambda: WarpWallbox(kind="wallbox")),
    "warp locked": ("warp warp1 eltako", lambda: WarpWallbox(login=LOGIN)),
    "smartevse 3.6": ("smartevse", lambda: SmartEvseUnit("v3.6.3")),
    "smartevse 3.11": ("smartevse", SmartEvseUnit),
    "smartevse portal": ("smartevse", lambda: SmartEvseUnit(in_portal=True)),
    "go-e 54": ("go-e", lambda: GoEUnit("54.7")),
    "go-e 60": ("go-e", lambda: GoEUnit("60.3", typ="go-eCharger_V5")),
    "go-e, interface off": ("", lambda: GoEUnit(keys={"hai": False})),
    "wattpilot": ("wattpilot", WattpilotUnit),
    "wattpilot flex": ("wattpilot", lambda: WattpilotUnit("43.4", typ="wattpilot_flex", hash_kind="bcrypt")),
    "alfen 4": ("alfen-http", lambda: AlfenStation("4.9.0-4156")),
    "alfen 5": ("alfen", lambda: AlfenStation("5.8.1-4123")),
    "alfen 7": ("alfen", lambda: AlfenStation("7.4.5-4401")),
    "peblar": ("peblar", PeblarCharger),
    "tesla": ("tesla", TeslaUnit),
    "tesla sloppy": ("tesla", lambda: TeslaUnit(is_sloppy=True)),
    "nrgkick": ("nrgkick", NrgKickUnit),
    "nrgkick, interface off": ("", lambda: NrgKickUnit(is_api_on=False)),
    "openocpp": ("openocpp", OpenOcppUnit),
    "openocpp by https": ("openocpp", lambda: OpenOcppUnit(protocol="OCPP20", is_secure=True)),
}
"""Name → the profiles it may be taken for (none: it says nothing to anybody), and how it is made."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait little for what a stranger never answers; on loopback a charger answers at once."""
    monkeypatch.setattr("app.drivers.modbus_units.ASK_S", 0.1)
    monkeypatch.setattr("app.links.http.GOODBYE_S", 0.1)


def columns(scheme: str) -> list[tuple[Driver, Profile]]:
    """List the probes of families that may listen over this scheme."""
    found = []
    for profile in REGISTRY.profiles.values():
        driver = REGISTRY.driver_of(profile)
        places = addresses(profile, "127.0.0.1") if SourceKind.LAN in driver.sources else ()
        if any(place.scheme == scheme for place in places):
            found.append((driver, profile))
    return found


async def taken(address: NetAddress) -> dict[str, Identity]:
    """Ask with every probe; return by profile what is surely taken for one of its chargers."""
    found: dict[str, Identity] = {}
    for driver, profile in columns(address.scheme):
        try:
            told = await driver.probe(address, profile, RealLinks())
        except LinkError:
            continue
        except LoginWall:
            continue
        except AuthFailed:
            told = LOCKED
        if told is not None:
            found[profile.id] = told
    return found


SEARCHED = sorted({(driver.id, profile.id) for scheme in ("http", "https") for driver, profile in columns(scheme)})


@pytest.mark.parametrize(("driver_id", "profile_id"), SEARCHED)
async def test_a_charger_of_each_rig_is_taken_for_no_other_familys(driver_id: str, profile_id: str) -> None:
    async with RIGS[driver_id].good(REGISTRY.profiles[profile_id], None) as bench:
        assert isinstance(bench.address, NetAddress)
        assert set(await taken(bench.address)) <= {profile_id}


@pytest.mark.parametrize("name", ROWS)
async def test_a_charger_is_known_by_its_own_familys_probe_alone(name: str) -> None:
    expected, make = ROWS[name]
    async with make() as unit:
        found = await taken(unit.address)
    assert {told.profile_id or profile for profile, told in found.items()} == set(expected.split())


@pytest.mark.parametrize(("expected", "make", "serial"), MODBUS)
async def test_over_modbus_a_charger_is_known_as_its_own_family(expected: str, make: str, serial: str) -> None:
    async with modbus_unit(make, serial=serial and f"{serial}07") as unit:
        for driver, profile in columns("modbus"):
            found = await driver.probe(unit.address, profile, RealLinks())
            assert isinstance(found, Identity)
            assert found.profile_id == expected


@pytest.mark.parametrize(
    ("scheme", "kind"), [*(("http", kind) for kind in KINDS if kind != "silent"), ("modbus", "garbage")]
)
async def test_what_is_no_charger_is_taken_for_none(scheme: str, kind: str) -> None:
    async with Decoy(kind, port=0) as decoy:
        found = await taken(NetAddress(host="127.0.0.1", port=decoy.port, scheme=scheme))
    assert not found


@pytest.mark.parametrize("kind", ["empty", "router"])
async def test_a_probe_sends_what_is_told_before_a_search_and_nothing_else(kind: str) -> None:
    for driver, profile in columns("http"):
        async with Decoy(kind, port=0) as decoy:
            address = NetAddress(host="127.0.0.1", port=decoy.port)
            with suppress(LinkError, LoginWall):
                await driver.probe(address, profile, RealLinks())
        announced = tuple(ask.partition(" (")[0].partition("…")[0] for ask in driver.asks)
        assert announced, driver.id
        for line in decoy.asked:
            assert line.startswith("GET "), (driver.id, line)
            assert any(line.startswith(ask) for ask in announced), (driver.id, line)
