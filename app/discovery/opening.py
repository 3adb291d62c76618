"""Open a session to a unit: over which of the ways that lead to it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

from app.driver.registry import Registry, precedence
from app.driver.session import Session
from app.errors import AppError, LinkError, NotReachable, NotSupported
from app.links.link import Links
from app.model.unit import Unit, Way


async def first_session(
    unit: Unit,
    registry: Registry,
    links: Links,
    stack: AsyncExitStack,
    capability: type | None = None,
    driver_id: str = "",
) -> Session:
    """Open a session over the first way that works and offers the capability; ``stack`` closes it.

    ``driver_id`` allows only the ways of that driver. Raises NotReachable (no way leads there), NotSupported (no way
    offers it) or what the best way raised.
    """
    if driver_id:
        unit = replace(unit, ways=tuple(way for way in unit.ways if way.driver_id == driver_id))
    failure: AppError | None = None
    for way in ways_to(unit, registry, capability):
        driver = registry.drivers[way.driver_id]
        profile = registry.profiles.get(unit.identity.profile_id)
        if profile is None or profile.driver != driver.id:
            profile = registry.default_profile(driver.id, unit.identity)
        session = driver.open(way.address, profile, links)
        try:
            await stack.enter_async_context(session)
        except AppError as error:
            failure = failure if failure is not None and not isinstance(failure, LinkError) else error
            continue
        if capability is None or session.has(capability):
            return session
        await session.close()
    raise failure or _why_none(unit, registry, capability)


def _why_none(unit: Unit, registry: Registry, capability: type | None) -> AppError:
    if not any(way.is_present for way in unit.ways) or _is_offered_elsewhere(unit, registry, capability):
        return NotReachable(
            f"{unit.title} is not in reach at the moment.",
            "Check its power and network, or connect it by cable, then try again.",
        )
    return NotSupported(
        f"{unit.title} does not offer this over any connection we have.",
        "Follow the instructions for this model, or connect it another way.",
    )


def _is_offered_elsewhere(unit: Unit, registry: Registry, capability: type | None) -> bool:
    """Say whether a way that is not there now offers the capability."""
    drivers = registry.drivers
    absent = (drivers[way.driver_id] for way in unit.ways if not way.is_present and way.driver_id in drivers)
    return any(capability is None or capability in driver.capabilities for driver in absent)


def ways_to(unit: Unit, registry: Registry, capability: type | None) -> list[Way]:
    """Sort the ways that may offer a capability, the best first."""

    def rank(way: Way) -> tuple[bool, float]:
        return (bool(way.trouble), -way.seen_at.timestamp())

    drivers = registry.drivers
    fitting = [way for way in unit.ways if way.is_present and way.driver_id in drivers]
    if capability is not None:
        fitting = [way for way in fitting if capability in drivers[way.driver_id].capabilities]
    ordered = sorted(fitting, key=rank)
    return sorted(ordered, key=lambda way: precedence(drivers[way.driver_id], capability))
