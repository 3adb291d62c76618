"""Who may answer at an address: in which order they are asked, and who of them may log in there. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import replace

from app.discovery.probing import Candidate, all_candidates
from app.driver.registry import Registry
from app.model.address import Address, NetAddress
from app.model.unit import Sighting, SourceKind, Unit


def fitting(registry: Registry, told: Sequence[Sighting], there: Unit | None, known: Iterable[Unit]) -> list[Candidate]:
    """List who may answer: the charger known ``there`` first, then whatever fits what was ``told`` of the address.

    The login kept for a host belongs to the charger ``known`` there; a search shows one to nobody else.
    """
    address = told[0].address
    ways = [way.driver_id for way in there.ways if way.address == address] if there is not None else []
    profile_id = there.identity.profile_id if there is not None else ""
    owners = _owners(address, known)
    is_open = not owners and told[0].source is not SourceKind.LAN
    found = (replace(item, may_log_in=is_open or item.driver.id in owners) for item in all_candidates(registry, told))
    return sorted(found, key=lambda item: (item.profile.id != profile_id, item.driver.id not in ways))


def _owners(address: Address, known: Iterable[Unit]) -> frozenset[str]:
    """Return the drivers of the chargers that are known at a host."""
    place = _place(address)
    named = (unit for unit in known if unit.identity.profile_id)
    return frozenset(way.driver_id for unit in named for way in unit.ways if _place(way.address) == place)


def _place(address: Address) -> str:
    """Return what stands for one charger: its host, on this computer (where simulated ones stand) its port too."""
    if not isinstance(address, NetAddress):
        return str(address)
    try:
        is_here = ipaddress.ip_address(address.host.partition("%")[0]).is_loopback
    except ValueError:
        is_here = False
    return str(address) if is_here else address.host
