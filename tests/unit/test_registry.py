"""Which profile fits whom."""

from __future__ import annotations

import pytest

import app.drivers
from app import resources
from app.driver.registry import Registry, load_drivers, load_profiles
from app.model.unit import Identity, SourceKind


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))


def found(registry: Registry, source: SourceKind, vendor: str, model: str = "X") -> str:
    profile = registry.by_identity(Identity(vendor=vendor, model=model), source)
    return profile.id if profile is not None else ""


def test_whoever_dials_in_has_a_profile(registry: Registry):
    assert found(registry, SourceKind.DIAL_IN, "Never heard of") == "ocpp-generic"
    assert found(registry, SourceKind.DIAL_IN, "Alfen BV") == "ocpp-alfen"
    assert found(registry, SourceKind.DIAL_IN, "OpenEVSE", "Advanced Series") == "openevse-wifi"


@pytest.mark.parametrize("source", [SourceKind.MDNS, SourceKind.SERIAL, SourceKind.MANUAL])
def test_rules_for_boots_say_nothing_of_what_another_source_saw(registry: Registry, source: SourceKind):
    assert found(registry, source, "Never heard of") == ""
    assert found(registry, source, "Alfen BV") == ""
    assert found(registry, source, "OpenEVSE", "Advanced Series") == "openevse-wifi"
