"""Record a charger for the contract test, reading only.

python -m tests.drivers.record openevse-wifi 192.168.1.43 tests/recordings/openevse-wifi-v5.1.5-workshop.jsonl
python -m tests.drivers.record alfen https://192.168.1.44 tests/recordings/alfen-6.6.0-workshop.jsonl --login

``where`` is a host, ``host:port`` or an address with a scheme; without one, the first place its profile names. With
``--login`` user and password are asked for at the terminal: nothing of them is kept, here or in the recording.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
from collections.abc import Sequence
from pathlib import Path

from app import drivers, resources
from app.driver.registry import Registry, addresses, load_drivers, load_profiles
from app.links.link import Credentials
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.address import Address, BleAddress, NetAddress, SerialAddress
from app.model.profile import Profile
from app.model.secret import Secret
from app.model.unit import SourceKind
from tests.drivers import contract


class Known(RealLinks):
    """Links with a login typed for this one recording."""

    def __init__(self, recorder: Recorder, login: Credentials | None) -> None:
        super().__init__(recorder=recorder)
        self._login = login
        if login is not None:
            recorder.hide(login.password)

    def credentials(self, address: NetAddress | BleAddress) -> Credentials | None:
        """Return what was typed."""
        return self._login


def address_of(where: str, profile: Profile, *, is_serial: bool = False) -> Address:
    """Return where the charger is: scheme and port of its profile's first place unless ``where`` says otherwise."""
    if is_serial:
        return SerialAddress(port=where)
    scheme, mark, rest = where.rpartition("://")
    host, _, port = rest.partition(":")
    places = [place for place in addresses(profile, host) if not mark or place.scheme == scheme]
    usual = places[0] if places else NetAddress(host=host, port=443 if scheme == "https" else 80)
    return NetAddress(host=host, port=int(port or usual.port), scheme=scheme or usual.scheme)


async def record(profile_id: str, where: str, file: Path, login: Credentials | None = None) -> None:
    """Probe, open, and use every reading capability once, writing all of it down."""
    registry = Registry(load_drivers(drivers), load_profiles(resources.texts("profiles", ".toml")))
    profile = registry.profiles[profile_id]
    driver = registry.driver_of(profile)
    address = address_of(where, profile, is_serial=SourceKind.SERIAL in driver.sources)
    if SourceKind.BLUETOOTH in driver.sources:
        address = BleAddress(device=where)
    with Recorder(file) as recorder:
        links = Known(recorder, login)
        await driver.probe(address, profile, links)
        async with driver.open(address, profile, links) as session:
            for capability, use in contract.READING.items():
                if session.has(capability):
                    await use(session)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile")
    parser.add_argument("where")
    parser.add_argument("file", type=Path)
    parser.add_argument("--login", action="store_true", help="ask for user and password")
    told = parser.parse_args(arguments)
    login = None
    if told.login:
        user = input("User (empty where there is none): ")
        login = Credentials(user=user, password=Secret(getpass.getpass("Password: ")))
    asyncio.run(record(told.profile, told.where, told.file, login))


if __name__ == "__main__":
    main()
