"""What is shown of an address that did not say who it is, though something else names its family. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from app.discovery.probing import Candidate, announced, candidates, is_web
from app.driver.registry import Registry
from app.errors import AppError, AuthFailed, Busy, NotReachable, NotSupported, Refused
from app.model.address import BleAddress, SerialAddress
from app.model.unit import Identity, Sighting, SourceKind, Unit, Way


def described(registry: Registry, sighting: Sighting, error: AppError, at: datetime) -> tuple[Identity, Way]:
    """Return what is known of an address that answered with an error, or not at all."""
    driver, profile = candidates(registry, sighting)[0]
    is_there = isinstance(error, Refused)
    way = Way(
        driver_id=driver.id,
        address=sighting.address,
        source=sighting.source,
        seen_at=at,
        is_present=is_there,
        trouble=error.message,
    )
    plain = Identity(name=sighting.hints.get("name", ""), vendor=profile.vendor if is_there else "")
    return announced(sighting, driver, profile) or plain, way


def claimed(registry: Registry, told: Iterable[Sighting], unit: Unit | None) -> Candidate | None:
    """Return the family whose own service type is announced at an address where nobody answers like it.

    ``unit`` is who is known there: what another family's unit left behind is a stranger's address.
    """
    own = (item for item in told if item.source is SourceKind.MDNS and not is_web(item))
    for sighting in own:
        for driver, profile in candidates(registry, sighting):
            if not driver.only_listens and (unit is None or unit.identity.profile_id in ("", profile.id)):
                return Candidate(driver, profile, sighting)
    return None


def is_worth_showing(registry: Registry, sighting: Sighting, error: AppError) -> bool:
    """Say whether an address that told nothing is surely a charger: it asks for a password, or is announced as one.

    A silent serial port is not: the same USB adapter is in many other things.
    """
    if isinstance(error, AuthFailed) or isinstance(sighting.address, BleAddress):
        return True  # over Bluetooth only what advertises a family's own service is asked at all
    if isinstance(sighting.address, SerialAddress):
        return isinstance(error, (Busy, NotReachable))
    named = [profile.match.mdns_name_like for _, profile in candidates(registry, sighting)]
    return sighting.source is SourceKind.MDNS and (not is_web(sighting) or any(named))


def silence(claim: Candidate) -> NotSupported:
    """Return why a unit that is announced as one of a family can't be asked, with the family's own advice."""
    advice = claim.profile.instructions[0] if claim.profile.instructions else "Look at the page “Chargers”."
    text = f"It is announced as {claim.profile.family}, but does not answer like one. {advice}"
    return NotSupported(text, advice)
