"""EVBox chargers of the fourth generation (Elvi, BusinessLine G4, Iqon) over Bluetooth LE.

Source: CReimer/evbox-g4-ble (const.py, protocol.py, client.py and its tests).
"""

from __future__ import annotations

from app.driver.registry import Driver
from app.driver.session import Session
from app.drivers.evbox_ble.session import OFFERS, EvboxBle, code_of, identity_of
from app.drivers.evbox_ble.talk import Talk, variant_of
from app.errors import AuthFailed, Garbled, NotSupported
from app.links.link import Links
from app.model.address import Address, BleAddress
from app.model.profile import Profile
from app.model.unit import Identity, SourceKind


def _opened(address: Address, profile: Profile, links: Links) -> Session:
    if not isinstance(address, BleAddress):
        raise NotSupported(f"{address} is no Bluetooth device.", "Search over Bluetooth next to the charger.")
    return EvboxBle(address, profile, links)


async def probe(address: Address, profile: Profile, links: Links) -> Identity | None:
    """Tell by its services and characteristics, and where its code is known by what it says of itself."""
    if not isinstance(address, BleAddress):
        return None
    unnamed = Identity(vendor=profile.vendor, name=address.name[:100], profile_id=profile.id)
    link = await links.ble(address)
    try:
        variant = variant_of(link.services)
        if variant is None:
            return None
        talk = Talk(link, variant)
        await talk.begin()
        code = code_of(address, links)
        if code is None:
            return unnamed
        await talk.log_in(code)
        return await identity_of(talk, profile, address)
    except AuthFailed:
        return unnamed
    except (Garbled, NotSupported):
        return None
    finally:
        await link.close()


DRIVER = Driver(
    id=EvboxBle.driver_id,
    title="EVBox over Bluetooth",
    sources=frozenset({SourceKind.BLUETOOTH, SourceKind.MANUAL}),
    open=_opened,
    capabilities=OFFERS,
    probe=probe,
    asks=("connects over Bluetooth and looks at its services", "logs in and reads evb_BootInfo, if its code is known"),
)
