"""What a search asks of strangers is what is shown before it, and none of it can change anything."""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress

import pytest

import app.drivers
from app import resources
from app.driver.registry import Driver, Registry, load_drivers, load_profiles, reaches
from app.errors import AppError
from app.links.real import RealLinks
from app.model.address import NetAddress
from app.model.unit import SourceKind
from app.sim.decoys import KINDS, Decoy

REGISTRY = Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))
SEARCHING = [driver for driver in REGISTRY.drivers.values() if SourceKind.LAN in driver.sources]


@pytest.mark.parametrize("driver", SEARCHING, ids=lambda driver: driver.id)
async def test_a_driver_asks_strangers_what_it_says_and_recognises_none(driver: Driver) -> None:
    assert driver.asks
    profiles = [item for item in REGISTRY.profiles.values() if item.driver == driver.id]
    web = [item for item in profiles if reaches(driver, item, NetAddress(host="127.0.0.1", port=80))]
    said = [text.partition(" (")[0].partition(" on port")[0].rstrip("…") for text in driver.asks]
    async with AsyncExitStack() as stack:
        decoys = [await stack.enter_async_context(Decoy(kind, port=0)) for kind in KINDS if kind != "silent"]
        for decoy in decoys if web else ():
            address = NetAddress(host=decoy.host, port=decoy.port)
            with suppress(AppError):
                assert await driver.probe(address, web[0], RealLinks()) is None, decoy.kind
            for line in decoy.asked:
                request = line.rpartition(" HTTP/")[0]
                assert request.startswith("GET ")
                assert any(request.startswith(text) for text in said), f"{request} is not among {said}"
