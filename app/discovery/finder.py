"""Merge the sightings of all sources into units, ask each who and how it is, and keep that fresh."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

from app.discovery import manual, unnamed
from app.discovery.adding import Outcome, asked_at_once, best, meant
from app.discovery.choosing import fitting
from app.discovery.holding import Hold
from app.discovery.probing import (
    Condition,
    Queue,
    apply,
    candidates,
    identify,
    is_web,
    read_condition,
    targets,
)
from app.discovery.roster import Roster
from app.discovery.source import Source
from app.discovery.supervision import Supervisor
from app.discovery.tending import Tending
from app.driver.capability import Status
from app.driver.registry import Driver, Registry, placed
from app.errors import AppError, AuthFailed, Busy, LinkError, LinkLost, NotReachable, Unexpected
from app.feed import Feed
from app.links.link import Credentials, Links
from app.model.address import Address, JuiceAddress, NetAddress, OcppAddress, SerialAddress
from app.model.frame import SourceState
from app.model.profile import Profile
from app.model.reading import StateChange
from app.model.unit import Adoption, Identity, Sighting, SourceKind, Unit, UnitChange, Way, strong
from app.scope import Scope

log = logging.getLogger(__name__)

__all__ = ["Finder", "Hold", "UnitChange"]

CONCURRENT = 32
"""Probes at the same time."""

AGAIN = "again"
"""Hint of a sighting that only asks a known way again: the source that found it."""

CALLING = (OcppAddress, JuiceAddress)
"""Addresses of chargers that call us, and have said who they are."""

ADOPTED = "adopted"
"""Hint of a sighting: it obeys us. A unit that only sends to us serves nobody we know of."""

HANGS_UP = "{address} takes the connection and hangs up: it may serve another program. Close the maker's app."


class Finder:
    """Finds units. ``ours`` gives the ``host:port`` texts of our endpoint and presets; ``known`` are units of before.

    A sighting is examined as soon as one of ``CONCURRENT`` places is free; units in reach are asked again every
    ``refresh_s`` seconds, unreachable ones ever more seldom, and units with a session open (``hold``) not at all.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        links: Links,
        scope: Scope,
        ours: Callable[[], frozenset[str]],
        known: Iterable[Unit] = (),
        refresh_s: float = 30.0,
        is_simulated: bool = False,
    ) -> None:
        self._registry = registry
        self._links = links
        self._scope = scope
        self._ours = ours
        self._roster = Roster(known, is_simulated=is_simulated)
        self._queue = Queue()
        self._tending = Tending(refresh_s)
        self._running: dict[Address, asyncio.Task[Unit | None]] = {}
        self._after: dict[Address, Sighting] = {}
        self._holds: Counter[str] = Counter()
        self._supervisor = Supervisor(scope, self.sighted)
        self._ports: dict[str, Sighting] = {}
        self._is_tending = False
        self.changes: Feed[UnitChange] = Feed()
        self.statuses: Feed[tuple[str, Status]] = Feed()
        """What each unit told of itself when it was asked, by its id."""
        self.source_changes: Feed[SourceState] = self._supervisor.changes

    @property
    def units(self) -> Mapping[str, Unit]:
        """Show all units by id, oldest first; the id of a unit merged into another one finds that one."""
        return self._roster.units

    @property
    def sources(self) -> Mapping[str, SourceState]:
        """Show the condition of each source by name."""
        return self._supervisor.states

    @property
    def ports(self) -> Mapping[str, Sighting]:
        """Show the serial ports that are plugged in, also those nothing is sent to until the user chooses them."""
        return MappingProxyType(self._ports)

    def at(self, address: Address) -> Unit | None:
        """Return the unit that is, or was last seen, at an address."""
        return self._roster.at(address)

    def start(self, sources: Iterable[Source]) -> None:
        """Watch these sources, and ask the units known from before whether they are there."""
        for source in sources:
            self._supervisor.start(source)
        now = asyncio.get_running_loop().time()
        for unit in self.units.values():
            for way in unit.ways:
                if isinstance(way.address, NetAddress):
                    self._tending.remember(_again(way), now)
        self._tend()

    # Sightings

    def sighted(self, sighting: Sighting) -> None:
        """Take one observation: merge it, and examine what is new or changed."""
        sighting = placed(self._registry, sighting)
        address = sighting.address
        if isinstance(address, SerialAddress) and sighting.source is SourceKind.SERIAL:
            if sighting.is_gone:
                self._ports.pop(address.port, None)
            else:
                self._ports[address.port] = sighting
        if sighting.is_gone:
            self._left(sighting)
        elif isinstance(address, CALLING):
            self._arrived(sighting)
            self._examine_soon(sighting)
        elif self._is_new(sighting) and candidates(self._registry, sighting):
            # A serial port is asked once: opening it again and again could disturb what hangs there.
            if isinstance(address, NetAddress):
                self._tending.remember(sighting, asyncio.get_running_loop().time() + self._tending.refresh_s)
            self._examine_soon(sighting)
            self._tend()

    def _left(self, sighting: Sighting) -> None:
        if self._tending.withdrawn(sighting):
            return
        for address in targets(sighting):
            self._queue.discard(address)
            self._publish(self._roster.absent(address, sighting.source))
            unit = self._roster.at(address)
            if unit is not None and not unit.is_present and not unit.identity.profile_id:
                self._publish(self._roster.forget(unit.unit_id))
            if unit is None or not unit.is_present:
                self._tending.forget(address)
                self._after.pop(address, None)
                if running := self._running.get(address):
                    running.cancel()

    def _is_new(self, sighting: Sighting) -> bool:
        """Say whether a sighting tells something: several services of one unit, or a mere repeat, do not."""
        unit = self._roster.at(sighting.address)
        present = unit is not None and any(way.is_present and way.address == sighting.address for way in unit.ways)
        return self._tending.is_news(sighting) or not (present or self._tending.is_stranger(sighting.address))

    def _arrived(self, sighting: Sighting) -> None:
        """Merge a charger that dialled our endpoint, or sends us datagrams: it has said who it is."""
        source = sighting.source
        driver = next((item for item in self._registry.drivers.values() if source in item.sources), None)
        if driver is None:
            return
        identity = sighting.identity or Identity()
        if not identity.profile_id:
            profile = self._registry.by_identity(identity, source) or self._profile(driver, identity)
            identity = replace(identity, profile_id=profile.id if profile else "")
        way = Way(driver_id=driver.id, address=sighting.address, source=source, seen_at=sighting.at)
        unit, changes = self._roster.observe(identity, way)
        is_ours = source is SourceKind.DIAL_IN or ADOPTED in sighting.hints
        judged = replace(unit, adoption=Adoption.OURS if is_ours else Adoption.UNKNOWN)
        self._publish([*changes[:-1], self._roster.replace(judged)])

    def _profile(self, driver: Driver, identity: Identity) -> Profile | None:
        if all(profile.driver != driver.id for profile in self._registry.profiles.values()):
            return None
        return self._registry.default_profile(driver.id, identity)

    def _examine_soon(self, sighting: Sighting) -> None:
        self._queue.put(sighting)
        self._pump()

    def _pump(self) -> None:
        while self._queue and len(self._running) < CONCURRENT and not self._scope.is_closed:
            sighting = self._queue.take()
            if sighting.address in self._running:
                if not (is_web(sighting) and sighting.address in self._after):
                    self._after[sighting.address] = sighting
            elif not self._is_held(sighting.address):
                self._start(sighting)

    def _start(self, sighting: Sighting) -> asyncio.Task[Unit | None]:
        task = self._scope.isolated(f"probe/{sighting.address}", self._examine(sighting))
        self._running[sighting.address] = task
        task.add_done_callback(lambda _: self._ended(sighting))
        return task

    def _ended(self, sighting: Sighting) -> None:
        self._running.pop(sighting.address, None)
        after = self._after.pop(sighting.address, None)
        if after is not None and (self._is_new(after) or self._is_unasked(after, sighting)):
            self._queue.put(after)
        self._pump()

    def _is_unasked(self, after: Sighting, asked: Sighting) -> bool:
        """Say whether another service than the one asked about is still to be tried: it may name another make."""
        return self._roster.at(after.address) is None and after.hints.get("type") != asked.hints.get("type")

    # Examination

    async def _examine(self, sighting: Sighting) -> Unit | None:
        """Find out who answers at a sighting, and how it is. Failures are noted, not raised."""
        try:
            return await self._ask(sighting)
        except AppError as error:
            self._failed(sighting, error)
            return None

    async def _ask(self, sighting: Sighting) -> Unit | None:
        """Examine; raises AppError where nothing answers, returns ``None`` where something else does."""
        address = sighting.address
        if isinstance(address, CALLING):
            return await self._ask_dialled_in(address)
        if AGAIN in sighting.hints and self._is_only_heard(address):
            return self._roster.at(address)
        told = (sighting, *self._tending.told(address))
        found = await identify(
            self._links, sighting, fitting(self._registry, told, self._roster.at(address), self.units.values())
        )
        if found is None:
            return self._met_stranger(sighting, told)
        source = SourceKind(sighting.hints.get(AGAIN, sighting.source.value))
        before, known = self._roster.present(found.address)
        way = Way(driver_id=found.driver.id, address=found.address, source=source, seen_at=_now(), trouble=known)
        unit, changes = self._roster.observe(found.identity, way)
        self._publish(changes)
        if found.address != address:
            self._tending.forget(address)
        now = asyncio.get_running_loop().time()
        if isinstance(found.address, NetAddress) and not found.driver.only_listens:
            self._tending.succeeded(replace(sighting, address=found.address), now)
        else:
            self._tending.forget(address)
        if unit.unit_id != before:
            self._tending.read_soon(found.address)
        every_s = found.profile.timing.refresh_s
        if not self._tending.reads(found.address, now, every_s, self._login(found.address)):
            return unit
        is_named = bool(strong(found.identity)) or found.driver.only_listens
        return await self._read(unit, found.driver, found.profile, found.address, is_named=is_named)

    def _login(self, address: Address) -> Credentials | None:
        return self._links.credentials(address) if isinstance(address, NetAddress) else None

    def _met_stranger(self, sighting: Sighting, told: Sequence[Sighting]) -> Unit | None:
        """Take an answer that is no known charger's: none, or one that only its announcement names."""
        address, now = sighting.address, asyncio.get_running_loop().time()
        unit = self._roster.at(address)
        claim = unnamed.claimed(self._registry, told, unit)
        if claim is None:
            self._tending.dismiss(sighting, told)
            self._publish(self._roster.absent(address, None, trouble="Something else answers here now."))
            return None
        error = unnamed.silence(claim)
        self._tending.succeeded(claim.sighting, now)
        if unit is None:
            self._publish(self._unnamed(claim.sighting, error))
        else:
            self._publish(self._roster.trouble(address, error.message))
        return self._roster.at(address)

    async def _ask_dialled_in(self, address: Address) -> Unit | None:
        unit = self._roster.at(address)
        way = next((way for way in unit.ways if way.address == address), None) if unit else None
        if unit is None or way is None:
            return None
        driver = self._registry.drivers[way.driver_id]
        profile = self._profile(driver, unit.identity)
        return await self._read(unit, driver, profile, address) if profile else unit

    async def _read(
        self, unit: Unit, driver: Driver, profile: Profile, address: Address, *, is_named: bool = True
    ) -> Unit:
        """Read a unit's condition; a failure becomes its way's trouble."""
        condition, trouble = Condition(), ""
        try:
            condition = await read_condition(driver, profile, address, self._links, self._ours, is_named=is_named)
        except AuthFailed as error:
            trouble = error.message
            self._tending.refused(address, self._login(address))
        except AppError as error:
            trouble = error.message
            self._tending.read_soon(address)
        if condition.identity is not None:
            self._publish(self._roster.named(condition.identity, address))
        current = self._roster.at(address)
        if current is None:
            return unit
        ways = tuple(replace(way, trouble=trouble) if way.address == address else way for way in current.ways)
        current = replace(apply(current, condition), ways=ways, last_seen_at=_now())
        if any(way.is_present and way.source is SourceKind.DIAL_IN for way in ways):
            current = replace(current, adoption=Adoption.OURS)
        self._publish([self._roster.replace(current)])
        if condition.status is not None:
            self.statuses.publish((current.unit_id, condition.status))
        return current

    def _failed(self, sighting: Sighting, error: AppError) -> None:
        address = sighting.address
        now = asyncio.get_running_loop().time()
        if isinstance(address, SerialAddress) and isinstance(error, (Busy, NotReachable)):
            self._tending.remember(sighting, now + self._tending.refresh_s)  # nothing was sent: try again
        misses = self._tending.missed(address, now, is_silent=isinstance(error, LinkError))
        known = self._roster.at(address)
        if known is None:
            # Only once: one dropped in a flood does not come back with each retry.
            if misses == 1 and unnamed.is_worth_showing(self._registry, sighting, error):
                self._publish(self._unnamed(sighting, error))
        elif isinstance(error, LinkLost) and isinstance(address, NetAddress):
            self._publish(self._roster.trouble(address, HANGS_UP.format(address=address)))
        elif isinstance(error, LinkError) and (misses > 1 or isinstance(error, NotReachable)):
            self._publish(self._roster.absent(address, None, trouble=error.message))
        else:
            self._publish(self._roster.trouble(address, error.message))
        log.debug("%s: %s", address, error.message)

    def _unnamed(self, sighting: Sighting, error: AppError) -> list[UnitChange]:
        return self._roster.observe(*unnamed.described(self._registry, sighting, error, _now()))[1]

    # What users ask for

    async def add(self, text: str) -> Unit:
        """Ask the address a person typed. Raises AppError with advice where no charger answers there."""
        address, has_port = manual.parse(text)
        if isinstance(address, NetAddress):
            address = await manual.resolve(address)
        seen = [
            Sighting(source=SourceKind.MANUAL, address=target, at=_now())
            for target in meant(self._registry, address, has_port)
        ]
        outcomes = await asked_at_once(self._scope, [self._add(sighting) for sighting in seen])
        unit = best(outcomes) or self._walled(seen, outcomes)
        if unit is not None:
            self._tend()
            return self._known(unit.unit_id)
        raise next((item for item in outcomes if isinstance(item, AppError)), None) or Unexpected(
            f"What answers at {address} is not a charger Rehome knows.",
            "Check the address. The page “Chargers” lists what Rehome can talk to.",
        )

    async def _add(self, sighting: Sighting) -> Unit | None:
        target = sighting.address
        if running := self._running.get(target):
            await asyncio.wait([running])
        if self._is_held(target):
            return self._roster.at(target)
        self._tending.read_soon(target)
        return await self._ask(sighting)

    def _walled(self, seen: Sequence[Sighting], outcomes: Sequence[Outcome]) -> Unit | None:
        """List the first address that wants a login, without a name."""
        for sighting, error in zip(seen, outcomes, strict=True):
            if isinstance(error, AuthFailed):
                if self._roster.at(sighting.address) is None:
                    self._publish(self._unnamed(sighting, error))
                return self._roster.at(sighting.address)
        return None

    async def refresh(self, unit_id: str) -> Unit:
        """Ask a unit again over all its ways, now. Raises NotReachable for a unit nobody knows."""
        unit = self._known(unit_id)
        tasks = []
        await self._settle(unit)
        for way in unit.ways:
            if way.address not in self._running and not self._is_held(way.address):
                self._tending.read_soon(way.address)
                tasks.append(self._start(_again(way, self._ports)))
        if tasks:
            await asyncio.wait(tasks)
        return self._known(unit_id)

    def is_asking(self, address: Address) -> bool:
        """Say whether an address waits to be asked who is there, or is being asked."""
        return address in self._running or address in self._queue

    async def settled(self, limit_s: float) -> None:
        """Wait until nobody waits to be asked, ``limit_s`` at most."""
        loop = asyncio.get_running_loop()
        until = loop.time() + limit_s
        while self._running and loop.time() < until:
            running = list(self._running.values())
            await asyncio.wait(running, timeout=until - loop.time(), return_when=asyncio.FIRST_COMPLETED)
            # The callbacks that start the next ones run in the next turn of the loop.
            await asyncio.sleep(0)

    def forget(self, unit_id: str) -> None:
        """Drop a unit; it comes back when it is sighted again."""
        unit_id = self._roster.resolve(unit_id)
        for way in self.units[unit_id].ways if unit_id in self.units else ():
            self._queue.discard(way.address)
            self._tending.forget(way.address)
        self._publish(self._roster.forget(unit_id))

    def update(self, unit: Unit) -> None:
        """Replace a unit's value and tell everybody. A unit that was merged into another one changes that one."""
        unit_id = self._roster.resolve(unit.unit_id)
        if unit_id in self.units:
            self._publish([self._roster.replace(replace(unit, unit_id=unit_id))])

    def noted(self, change: StateChange) -> None:
        """Take a state that a charger on our endpoint reported; its unit shows it at once.

        ``change.unit_id`` is ``ocpp:`` and the identity it dials under, ``juicenet:`` and a box's serial, or a unit's
        id. The first connector counts.
        """
        box = self.at(JuiceAddress(box_id=change.unit_id.removeprefix("juicenet:")))
        dialled = self.at(OcppAddress(identity=change.unit_id.removeprefix("ocpp:")))
        unit = dialled or box or self.units.get(change.unit_id)
        if unit is None or change.connector > 1 or (change.connector == 0 and unit.state):
            return
        status = Status(state=change.state, has_fault=change.state == "Faulted")
        noted = apply(unit, Condition(status=status))
        if noted != unit:
            self._publish([self._roster.replace(noted)])

    def hold(self, unit_id: str) -> Hold:
        """Pause probing of a unit while a session is open: ``with``, or ``async with`` to await a running probe."""
        return Hold(self, unit_id)

    async def _settle(self, unit: Unit | None) -> None:
        """Wait until no probe of a unit runs; each has its deadline."""
        addresses = [way.address for way in unit.ways] if unit else []
        while running := [self._running[item] for item in addresses if item in self._running]:
            await asyncio.wait(running)
            # The callbacks that clear the list run in the next turn of the loop.
            await asyncio.sleep(0)

    def _known(self, unit_id: str) -> Unit:
        unit = self.units.get(self._roster.resolve(unit_id))
        if unit is None:
            raise NotReachable(f"No charger “{unit_id}” is known here.", "Search again, or add it by its address.")
        return unit

    def _is_only_heard(self, address: Address) -> bool:
        """Say whether what is there is known by its announcement alone: no question finds out whether it still is."""
        unit = self._roster.at(address)
        ways = unit.ways if unit else ()
        return any(way.address == address and self._registry.drivers[way.driver_id].only_listens for way in ways)

    def _is_held(self, address: Address) -> bool:
        unit = self._roster.at(address)
        return unit is not None and any(self._roster.resolve(held) == unit.unit_id for held in self._holds)

    def _publish(self, changes: list[UnitChange]) -> None:
        self.changes.publish_all(changes)

    # Keeping it fresh

    def _tend(self) -> None:
        if not self._is_tending and not self._scope.is_closed:
            self._is_tending = True
            self._scope.isolated("finder/refresh", self._keep_fresh())

    async def _keep_fresh(self) -> None:
        try:
            while True:
                for sighting in await self._tending.due():
                    self._examine_soon(sighting)
        finally:
            self._is_tending = False


def _again(way: Way, ports: Mapping[str, Sighting] = MappingProxyType({})) -> Sighting:
    """Make the sighting that asks a way again: it has answered as a charger, so it is asked like a chosen address."""
    seen = ports.get(str(way.address))
    hints = {**(seen.hints if seen else {}), "chosen": "yes", AGAIN: way.source.value}
    return Sighting(source=SourceKind.MANUAL, address=way.address, at=_now(), hints=hints)


def _now() -> datetime:
    return datetime.now(UTC)
