"""Record a charger for the contract test, reading only.

python -m tests.drivers.record openevse-wifi 192.168.1.43 tests/recordings/openevse-wifi-v5.1.5-workshop.jsonl
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from app import drivers, resources
from app.driver.registry import Registry, load_drivers, load_profiles
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.address import Address, NetAddress, SerialAddress
from app.model.unit import SourceKind
from tests.drivers import contract


async def record(profile_id: str, where: str, file: Path) -> None:
    """Probe, open, and use every reading capability once, writing all of it down."""
    registry = Registry(load_drivers(drivers), load_profiles(resources.texts("profiles", ".toml")))
    profile = registry.profiles[profile_id]
    driver = registry.driver_of(profile)
    name, _, port = where.partition(":")
    is_serial = SourceKind.SERIAL in driver.sources
    address: Address = SerialAddress(port=where) if is_serial else NetAddress(host=name, port=int(port or 80))
    with Recorder(file) as recorder:
        links = RealLinks(recorder=recorder)
        await driver.probe(address, profile, links)
        async with driver.open(address, profile, links) as session:
            for capability, use in contract.READING.items():
                if session.has(capability):
                    await use(session)


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
