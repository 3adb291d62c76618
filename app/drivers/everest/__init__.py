"""EVerest with libocpp, over the MQTT API of its module ocpp_consumer_API.

Source: EVerest/everest-core docs/source/reference/EVerest_API/ocpp_consumer_API.yaml.
"""

from __future__ import annotations

from app.driver.registry import Driver
from app.driver.session import Session
from app.drivers.everest.session import OFFERS, Everest, identity_of
from app.drivers.everest.talk import Talk
from app.errors import AuthFailed, Garbled, NotSupported
from app.links.link import Links
from app.model.address import Address, NetAddress
from app.model.profile import Profile
from app.model.unit import Identity, SourceKind


def _opened(address: Address, profile: Profile, links: Links) -> Session:
    if not isinstance(address, NetAddress):
        raise NotSupported(f"{address} is no network address.", "Enter the address of the charger's MQTT broker.")
    return Everest(address, profile, links)


async def probe(address: Address, profile: Profile, links: Links) -> Identity | None:
    """Listen for its module and ask it who it is; a broker of anybody else's is left alone."""
    if not isinstance(address, NetAddress):
        return None
    try:
        link = await links.mqtt(address)
    except (AuthFailed, Garbled):
        return None
    try:
        talk = await Talk.find(link)
        return await identity_of(talk, profile) if talk is not None else None
    except (Garbled, NotSupported):
        return None
    finally:
        await link.close()


DRIVER = Driver(
    id=Everest.driver_id,
    title="EVerest over MQTT",
    sources=frozenset({SourceKind.LAN, SourceKind.MANUAL}),
    open=_opened,
    capabilities=OFFERS,
    probe=probe,
    asks=("connects to an MQTT broker and listens for three seconds to EVerest's topic", "asks it who it is"),
)
