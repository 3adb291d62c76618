"""go-e chargers are found by service types that break RFC 6763, whatever they are called."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import pytest

from app.discovery.finder import Finder
from app.discovery.mdns import MdnsSource
from app.links.real import RealLinks
from app.model.unit import Identity, Sighting, SourceKind
from app.scope import Scope
from app.sim.goe import GoEUnit
from app.sim.wattpilot import WattpilotUnit
from tests.conftest import TIME_UNIT_S
from tests.drivers.goe_kit import REGISTRY
from tests.unit.discovery_garage import until

LO = "127.0.0.1"

mdns = pytest.mark.xdist_group("mdns")


@mdns
@pytest.mark.parametrize("typ", ["go-eCharger", "go-eCharger_V4"])
async def test_it_is_found_by_its_odd_service_type(typ: str) -> None:
    serial = str(secrets.randbelow(900_000) + 100_000)
    label = f'<b>Garage</b> "ünï" {serial}'
    unit = GoEUnit(typ=typ, serial=serial, announce=(LO,), label=label, time_scale=TIME_UNIT_S)
    async with unit, Scope("test") as scope:
        finder = Finder(registry=REGISTRY, links=RealLinks(), scope=scope, ours=frozenset)
        finder.start([MdnsSource(["_go-e_go-eCharger._tcp", "_go-e_go-eCharger_V4._tcp"], [LO])])
        found = await until(
            finder, lambda units: next((item for item in units.values() if item.identity.serial == serial), None)
        )
        assert (found.identity.profile_id, found.identity.model) == ("go-e", typ)
        assert [way.source for way in found.ways] == [SourceKind.MDNS]


async def test_both_families_are_found_on_request_by_asking_their_port() -> None:
    async with GoEUnit() as charger, WattpilotUnit() as pilot, Scope("test") as scope:
        finder = Finder(registry=REGISTRY, links=RealLinks(), scope=scope, ours=frozenset)
        for unit, profile_id in ((charger, "go-e"), (pilot, "wattpilot")):
            seen = await finder.add(str(unit.address))
            assert seen.identity.profile_id == profile_id
            assert seen.identity.serial == unit.held["sse"]


def announced(unit: GoEUnit, kind: str, name: str) -> Sighting:
    hints = {"type": kind, "name": name}
    return Sighting(source=SourceKind.MDNS, address=unit.address, at=datetime.now(UTC), hints=hints)


def test_a_sighting_of_the_service_names_the_profile() -> None:
    for kind in ("_go-e_go-eCharger._tcp", "_go-e_go-eCharger_V4._tcp"):
        hints = {"type": kind, "name": "anything"}
        seen = Sighting(source=SourceKind.MDNS, address=GoEUnit().address, at=datetime.now(UTC), hints=hints)
        assert [profile.id for profile in REGISTRY.candidates(seen)] == ["go-e"]


@pytest.mark.parametrize("model", ["go-eCharger", "go-eCharger_V4", "go-eCharger_V5", "go-eCharger_Pro"])
def test_every_generation_that_dials_in_is_known_by_its_boot(model: str) -> None:
    found = REGISTRY.by_identity(Identity(vendor="go-e", model=model), SourceKind.DIAL_IN)
    assert found is not None
    assert found.id == "go-e"


async def test_one_whose_interface_is_off_is_shown_with_the_advice_to_switch_it_on_and_known_once_it_is() -> None:
    async with GoEUnit(keys={"hai": False}) as unit, Scope("test") as scope:
        finder = Finder(registry=REGISTRY, links=RealLinks(), scope=scope, ours=frozenset, refresh_s=TIME_UNIT_S)
        finder.sighted(announced(unit, "_http._tcp", "Garage"))
        finder.sighted(announced(unit, "_go-e_go-eCharger_V4._tcp", "Garage"))
        shown = await until(finder, lambda units: next(iter(units.values()), None))
        assert (shown.identity.vendor, shown.identity.profile_id, shown.is_present) == ("go-e", "", True)
        assert "Switch on “local HTTP API v2” in the go-e app" in shown.ways[0].trouble
        unit.held["hai"] = True
        known = await until(finder, lambda units: next((u for u in units.values() if u.identity.profile_id), None))
        assert (known.unit_id, known.identity.serial) == (shown.unit_id, unit.held["sse"])
        unit.held["hai"] = False
        lost = await until(finder, lambda units: next((u for u in units.values() if u.ways[0].trouble), None))
        assert "local HTTP API" in lost.ways[0].trouble, "it vanishes by itself with firmware 60.1"


async def test_a_web_page_that_is_no_charger_is_still_nobody() -> None:
    async with GoEUnit(keys={"hai": False}) as unit, Scope("test") as scope:
        finder = Finder(registry=REGISTRY, links=RealLinks(), scope=scope, ours=frozenset)
        finder.sighted(announced(unit, "_http._tcp", "Printer"))
        await finder.settled(5)
        assert not finder.units
