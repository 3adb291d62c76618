"""A service that only HTTPS families announce is asked by HTTPS, on whatever port it names."""

from __future__ import annotations

from datetime import UTC, datetime

from app import drivers, resources
from app.driver.registry import Registry, load_drivers, load_profiles, placed
from app.model.address import NetAddress
from app.model.unit import Sighting, SourceKind

REGISTRY = Registry(load_drivers(drivers), load_profiles(resources.texts("profiles", ".toml")))


def seen(kind: str) -> Sighting:
    address = NetAddress(host="192.0.2.7", port=4433)
    hints = {"type": f"{kind}.local.", "name": "x"}
    return Sighting(source=SourceKind.MDNS, address=address, at=datetime.now(UTC), hints=hints)


def test_a_new_alfen_is_asked_by_https_and_an_old_one_by_http() -> None:
    new, old = placed(REGISTRY, seen("_alfen._tcp")), placed(REGISTRY, seen("_lolo3._http._tcp"))
    assert (new.address, old.address) == (
        NetAddress(host="192.0.2.7", port=4433, scheme="https"),
        NetAddress(host="192.0.2.7", port=4433, scheme="http"),
    )
    assert [profile.id for profile in REGISTRY.candidates(new)] == ["alfen"]
    assert [profile.id for profile in REGISTRY.candidates(old)] == ["alfen-http"]
