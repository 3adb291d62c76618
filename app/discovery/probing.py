"""Ask an address which charger answers there, and how it is. Nothing here changes a charger."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from app.discovery.visiting import Incognito, Visit
from app.driver.capability import Identifies, ReportsStatus, SetsBackend, Status
from app.driver.registry import Driver, Registry
from app.errors import AppError, LinkError, LoginWall, NotReachable, TimedOut
from app.links.link import Links
from app.model.address import Address, JuiceAddress, NetAddress, OcppAddress, SerialAddress
from app.model.backend import Backend
from app.model.profile import Profile
from app.model.unit import Adoption, Health, Identity, Sighting, SourceKind, Unit, adoption

WEB = "_http._tcp"
"""The service type of anything with a web page (RFC 6763 §7): alone it announces no charger."""

PROBE_S = 6.0
"""Time for one driver to recognise a charger: a gateway answers in milliseconds, a busy one within 5 s."""

SILENCES = 2
"""Drivers a host may leave without an answer before the others are spared the wait."""

READ_S = 12.0
"""Time to read status and backend of a recognised charger."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Who may answer, and the sighting that says so."""

    driver: Driver
    profile: Profile
    sighting: Sighting
    may_log_in: bool = True
    """Whether its probe may show the login that is kept for the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A charger that answered a probe: who it is, by which driver and profile, at which of the addresses tried."""

    identity: Identity
    profile: Profile
    driver: Driver
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a session told: ``None`` = the charger does not tell over this way."""

    status: Status | None = None
    backend: Backend | None = None
    adoption: Adoption | None = None
    identity: Identity | None = None


class Queue:
    """Sightings waiting for a probe, host by host in turn, so that one noisy host can't keep the others waiting.

    Holds each address once (the newest sighting counts) and at most ``limit`` of them; then a host with many
    waiting ones loses its oldest.
    """

    def __init__(self, limit: int = 2000) -> None:
        self._limit = limit
        self._hosts: OrderedDict[str, OrderedDict[Address, Sighting]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __contains__(self, address: Address) -> bool:
        return address in self._hosts.get(_host(address), ())

    def put(self, sighting: Sighting) -> None:
        """Add a sighting, or replace the one waiting for that address; “a web page” does not replace a make's name."""
        waiting = self._hosts.setdefault(_host(sighting.address), OrderedDict())
        if is_web(sighting) and sighting.address in waiting and not is_web(waiting[sighting.address]):
            return
        self._size += sighting.address not in waiting
        waiting[sighting.address] = sighting
        if self._size > self._limit:
            self._pop(self._noisiest(waiting, _host(sighting.address)))

    def take(self) -> Sighting:
        """Remove and return the next one; raises IndexError on an empty queue."""
        if not self._hosts:
            raise IndexError("nothing waits")
        host = next(iter(self._hosts))
        taken = self._pop(host)
        if host in self._hosts:
            self._hosts.move_to_end(host)
        return taken

    def discard(self, address: Address) -> None:
        """Take out an address; nothing happens if it does not wait."""
        host = _host(address)
        waiting = self._hosts.get(host)
        if waiting is None or waiting.pop(address, None) is None:
            return
        self._size -= 1
        if not waiting:
            del self._hosts[host]

    def _noisiest(self, waiting: Mapping[Address, Sighting], host: str) -> str:
        if len(waiting) > 1:
            return host
        if self._size == len(self._hosts):
            return next(iter(self._hosts))
        return max(self._hosts, key=lambda name: len(self._hosts[name]))

    def _pop(self, host: str) -> Sighting:
        waiting = self._hosts[host]
        _, taken = waiting.popitem(last=False)
        self._size -= 1
        if not waiting:
            del self._hosts[host]
        return taken


def is_web(sighting: Sighting) -> bool:
    """Say whether a sighting says no more than that there is a web page."""
    return sighting.hints.get("type") == WEB


def _host(address: Address) -> str:
    return address.host if isinstance(address, NetAddress) else str(address)


def candidates(registry: Registry, sighting: Sighting) -> list[tuple[Driver, Profile]]:
    """List what may answer at a sighting, best first; only drivers that speak over this kind of address.

    Over a serial line nothing is sent unless a profile names the adapter's USB ids or the user chose the port.
    """
    serial = isinstance(sighting.address, SerialAddress)
    if serial and sighting.source is SourceKind.MANUAL:
        sighting = replace(sighting, source=SourceKind.SERIAL, hints={**sighting.hints, "chosen": "yes"})
    pairs = [(registry.driver_of(profile), profile) for profile in registry.candidates(sighting)]
    if serial:
        return [(driver, profile) for driver, profile in pairs if _may_speak(profile, sighting)]
    return pairs


def _may_speak(profile: Profile, sighting: Sighting) -> bool:
    hints = sighting.hints
    usb = f"{hints.get('vid', '')}:{hints.get('pid', '')}".upper()
    return hints.get("chosen") == "yes" or usb in profile.match.usb_ids


def targets(sighting: Sighting) -> Iterator[Address]:
    """Yield the addresses of a sighting, the best first."""
    yield sighting.address
    if isinstance(sighting.address, NetAddress):
        for host in sighting.hints.get("others", "").split():
            yield replace(sighting.address, host=host)


def all_candidates(registry: Registry, sightings: Iterable[Sighting]) -> list[Candidate]:
    """List what may answer at an address, best first, by everything that was seen there."""
    found: dict[str, Candidate] = {}
    for sighting in sightings:
        for driver, profile in candidates(registry, sighting):
            found.setdefault(profile.id, Candidate(driver, profile, sighting))
    return sorted(found.values(), key=lambda item: -item.profile.priority)


async def identify(links: Links, sighting: Sighting, fitting: Sequence[Candidate]) -> Found | None:
    """Probe with every candidate, the best first, at each address of the sighting until one answers.

    Drivers that only listen have their say where no other knows it. Returns ``None`` where something else answers or
    nothing fits. Raises the first AppError where nothing did.
    """
    failure: AppError | None = None
    heard = _heard(sighting, [item for item in fitting if item.driver.only_listens])
    asked = [item for item in fitting if not item.driver.only_listens]
    for address in targets(sighting) if asked else ():
        async with Visit(links) as visit:
            found, error = await _identify_at(address, asked, visit)
        if found is not None:
            return found
        if error is None:
            return heard
        failure = failure or error
        if not isinstance(error, LinkError):
            break
    # Whoever a search meets behind a login may be anything.
    is_anything = isinstance(failure, LoginWall) and sighting.source is SourceKind.LAN
    if failure is not None and heard is None and not is_anything:
        raise failure
    return heard


def announced(sighting: Sighting, driver: Driver, profile: Profile) -> Identity | None:
    """Return what an announcement itself says, where the driver can read it."""
    return driver.announced(sighting, profile) if driver.announced is not None else None


def _heard(sighting: Sighting, listeners: Sequence[Candidate]) -> Found | None:
    for item in listeners:
        identity = announced(item.sighting, item.driver, item.profile)
        if identity is not None:
            return Found(identity=identity, profile=item.profile, driver=item.driver, address=sighting.address)
    return None


async def _identify_at(
    address: Address, fitting: Sequence[Candidate], visit: Visit
) -> tuple[Found | None, AppError | None]:
    failure: AppError | None = None
    silent: set[str] = set()
    for item in fitting:
        driver, profile = item.driver, item.profile
        if driver.id in silent or _is_hopeless(address, silent, failure):
            continue
        try:
            async with asyncio.timeout(PROBE_S):
                identity = await driver.probe(address, profile, visit if item.may_log_in else Incognito(visit))
        except TimeoutError:
            silent.add(driver.id)
            failure = failure or _silence(address)
        except AppError as error:
            # What refuses us is a better lead than what does not answer.
            if isinstance(error, LinkError):
                silent.add(driver.id)
            failure = error if failure is None or isinstance(failure, (LinkError, LoginWall)) else failure
        else:
            if isinstance(identity, Identity):
                chosen = _named(identity, profile)
                return Found(identity=chosen, profile=profile, driver=driver, address=address), None
    return None, failure


def _is_hopeless(address: Address, silent: Set[str], failure: AppError | None) -> bool:
    """Say whether asking on is useless: nobody listens at that port, or whoever does keeps silent."""
    if not isinstance(address, NetAddress) or address.scheme == "udp":
        return False
    return isinstance(failure, NotReachable) or len(silent) >= SILENCES


def _named(identity: Identity, profile: Profile) -> Identity:
    return identity if identity.profile_id else replace(identity, profile_id=profile.id)


def _silence(address: Address) -> TimedOut:
    return TimedOut(
        f"{address} did not answer within {PROBE_S:.0f} s.", "Check that the charger has power and is in reach."
    )


async def read_condition(
    driver: Driver,
    profile: Profile,
    address: Address,
    links: Links,
    ours: Callable[[], frozenset[str]],
    *,
    is_named: bool = True,
) -> Condition:
    """Open a session and read status and backend, as far as it offers them; who it is, unless it said so before.

    Raises AppError.
    """
    identity = None
    try:
        async with asyncio.timeout(READ_S), driver.open(address, profile, links) as session:
            if not is_named and session.has(Identifies):
                identity = await session.ask(Identifies).identify()
            status = await session.ask(ReportsStatus).status() if session.has(ReportsStatus) else None
            # Units on our endpoint are ours; reading their configuration is left to who needs it (some choke on it).
            if isinstance(address, OcppAddress):
                return Condition(status=status, adoption=Adoption.OURS)
            if isinstance(address, JuiceAddress) and status is not None:  # one that is only listened to serves nobody
                return Condition(status=status, adoption=Adoption.OURS if status.link.is_enabled else Adoption.UNKNOWN)
            if not session.has(SetsBackend):
                return Condition(status=status, identity=identity)
            backend = await session.ask(SetsBackend).read_backend()
    except TimeoutError as error:
        raise _silence(address) from error
    if backend is None:
        return Condition(status=status, adoption=Adoption.FREE, identity=identity)
    judged = adoption(backend, status.link, ours()) if status else Adoption.UNKNOWN
    return Condition(status=status, backend=backend.without_secret(), adoption=judged, identity=identity)


def apply(unit: Unit, condition: Condition) -> Unit:
    """Put a condition into a unit; what it does not tell stays as it was."""
    status = condition.status
    unit = replace(
        unit,
        state=status.state[:40] if status else unit.state,
        backend=condition.backend or unit.backend,
        adoption=condition.adoption or unit.adoption,
    )
    return replace(unit, health=_health(unit, status)) if status else unit


def _health(unit: Unit, status: Status) -> Health:
    if status.has_fault or status.state == "Faulted":
        return Health.FAULT
    if status.state == "Unavailable" or unit.adoption is Adoption.ORPHANED:
        return Health.ATTENTION
    return Health.GOOD if status.state else Health.UNKNOWN
