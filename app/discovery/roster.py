"""The known units, and how observations of them are merged. Pure: no I/O, no clock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from app.discovery.services import clean
from app.model.address import Address, NetAddress, SerialAddress
from app.model.unit import Claim, ClaimKind, Health, Identity, SourceKind, Unit, UnitChange, Way, conflicts, strong

CLAIM_LIMIT = 24
FIELD_LIMIT = 120
EXTRA_LIMIT = 32
UNNAMED_LIMIT = 200
"""Units kept that never said who they are; beyond it the oldest is dropped (a flood of announcements)."""

TWIN = "ID-TWIN"
"""Failure code: one OCPP identity, several chargers (connection-failures)."""


class Units(Mapping[str, Unit]):
    """All units, oldest first, read only. The id of a unit that was merged into another one finds that one."""

    def __init__(self, units: Mapping[str, Unit], resolve: Callable[[str], str]) -> None:
        self._units = units
        self._resolve = resolve

    def __getitem__(self, unit_id: str) -> Unit:
        return self._units[self._resolve(unit_id)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._units)

    def __len__(self) -> int:
        return len(self._units)


class Roster:
    """All units by id, oldest first. Every method that changes something returns what to publish."""

    def __init__(self, known: Iterable[Unit] = (), *, is_simulated: bool = False) -> None:
        absent = (replace(unit, ways=tuple(replace(way, is_present=False) for way in unit.ways)) for unit in known)
        self._units: dict[str, Unit] = {}
        self._by_address: dict[Address, str] = {}
        self._merged: dict[str, str] = {}
        self._is_simulated = is_simulated
        self.units: Mapping[str, Unit] = Units(self._units, self.resolve)
        for unit in absent:
            self.replace(unit)

    def resolve(self, unit_id: str) -> str:
        """Return the id under which a unit lives on, if it turned out to be another one."""
        while unit_id in self._merged:
            unit_id = self._merged[unit_id]
        return unit_id

    def at(self, address: Address) -> Unit | None:
        """Return the unit that was last seen at an address."""
        unit_id = self._by_address.get(address)
        return self._units[unit_id] if unit_id is not None else None

    def present(self, address: Address) -> tuple[str, str]:
        """Return the id of the unit that is in reach at an address, and what troubles that way; empty = none."""
        unit = self.at(address)
        ways = unit.ways if unit is not None else ()
        way = next((way for way in ways if way.address == address and way.is_present), None)
        return (unit.unit_id, way.trouble) if unit is not None and way is not None else ("", "")

    def observe(self, identity: Identity, way: Way) -> tuple[Unit, list[UnitChange]]:
        """Merge what one way told about one charger; returns its unit and all changes."""
        identity = bounded(identity)
        same = self._same(identity, way.address) or self._beside(identity, way)
        changes = self._detach(way.address, {unit.unit_id for unit in same}, is_known=bool(strong(identity)))
        unit = self._survivor(same, changes) if same else self._new(identity, way)
        leads = _rank(way) <= min((_rank(item) for item in unit.ways if item.is_present), default=9)
        unit = replace(
            unit,
            identity=merge(unit.identity, identity, newer_wins=leads),
            ways=_with_way(unit.ways, way),
            first_seen_at=unit.first_seen_at or way.seen_at,
            last_seen_at=max(way.seen_at, unit.last_seen_at or way.seen_at),
        )
        self.replace(unit)
        changes += self._mark_twins(unit.unit_id)
        changes += self._drop_unnamed()
        unit = self._units[unit.unit_id]
        return unit, [*changes, UnitChange(unit=unit)]

    def named(self, identity: Identity, address: Address) -> list[UnitChange]:
        """Merge what the unit at an address told of itself later, behind its login."""
        unit = self.at(address)
        ways = unit.ways if unit is not None else ()
        return [change for way in ways if way.address == address for change in self.observe(identity, way)[1]]

    def absent(self, address: Address, source: SourceKind | None, *, trouble: str = "") -> list[UnitChange]:
        """Note that nothing is at an address any more: goodbye, unplug, hang-up, or probes that failed.

        ``source`` says who noticed; only its own ways are affected (``None`` = all).
        """
        unit = self.at(address)
        if unit is None:
            return []
        ways = tuple(
            replace(way, is_present=False, trouble=trouble)
            if way.address == address and source in (None, way.source)
            else way
            for way in unit.ways
        )
        return [self.replace(replace(unit, ways=ways))] if ways != unit.ways else []

    def trouble(self, address: Address, text: str) -> list[UnitChange]:
        """Note why the last attempt over a way failed."""
        unit = self.at(address)
        if unit is None:
            return []
        ways = tuple(replace(way, trouble=text) if way.address == address else way for way in unit.ways)
        return [self.replace(replace(unit, ways=ways))] if ways != unit.ways else []

    def replace(self, unit: Unit) -> UnitChange:
        """Put a new value of a unit in its place. How it is, nobody knows of a unit out of reach."""
        if not unit.is_present:
            unit = replace(unit, health=Health.UNKNOWN, state="")
        self._lose_addresses(unit.unit_id)
        self._units[unit.unit_id] = unit
        self._by_address.update((way.address, unit.unit_id) for way in unit.ways)
        return UnitChange(unit=unit)

    def forget(self, unit_id: str) -> list[UnitChange]:
        """Drop a unit."""
        self._lose_addresses(unit_id)
        unit = self._units.pop(unit_id, None)
        return [UnitChange(unit=unit, is_gone=True)] if unit else []

    def _lose_addresses(self, unit_id: str) -> None:
        for way in self._units[unit_id].ways if unit_id in self._units else ():
            if self._by_address.get(way.address) == unit_id:
                del self._by_address[way.address]

    # How units are recognised

    def _same(self, identity: Identity, address: Address) -> list[Unit]:
        """List the units that are this charger, oldest first. More than one = they turn out to be one."""
        if not identity.claims:
            there = self.at(address)
            return [there] if there else []
        claims = strong(identity)
        sure = [unit for unit in self._units.values() if strong(unit.identity) & claims]
        named = {item for item in identity.claims if item.kind is ClaimKind.IDENTITY}
        weak = [
            unit
            for unit in self._units.values()
            if unit not in sure
            and not conflicts(strong(unit.identity), claims)
            and (named & set(unit.identity.claims) or _is_there(unit, address, claims))
        ]
        # Two chargers with one OCPP identity: which of them is meant can't be told.
        if len(weak) > 1 and _disagree(weak):
            weak = [unit for unit in weak if _is_there(unit, address, claims)][:1]
        known = frozenset().union(claims, *(strong(unit.identity) for unit in sure))
        matching = {
            unit.unit_id for unit in [*sure, *weak] if unit in sure or not conflicts(strong(unit.identity), known)
        }
        return [unit for unit in self._units.values() if unit.unit_id in matching]

    def _beside(self, identity: Identity, way: Way) -> list[Unit]:
        """Return the unit of the same family that answers another driver at the same host.

        A charger's web page and its Modbus are one charger, where at most one of both says which one.
        """
        claims = strong(identity)
        found = [
            unit
            for unit in self._units.values()
            if identity.profile_id
            and unit.identity.profile_id == identity.profile_id
            and not (claims and strong(unit.identity))
            and any(_is_beside(item, way) for item in unit.ways)
        ]
        return found if len(found) == 1 else []

    def _survivor(self, same: list[Unit], changes: list[UnitChange]) -> Unit:
        """Merge units that are one charger into the oldest."""
        oldest = same[0]
        for other in same[1:]:
            ways = oldest.ways
            for way in other.ways:
                if way.driver_id not in {item.driver_id for item in ways} or way.is_present:
                    ways = _with_way(ways, way)
            oldest = replace(
                oldest,
                identity=merge(oldest.identity, other.identity, newer_wins=False),
                ways=ways,
                adoption=oldest.adoption if oldest.backend or not other.backend else other.adoption,
                backend=oldest.backend or other.backend,
                state=oldest.state or other.state,
            )
            self._merged[other.unit_id] = oldest.unit_id
            changes += self.forget(other.unit_id)
        return oldest

    def _detach(self, address: Address, same: set[str], *, is_known: bool) -> list[UnitChange]:
        """Take an address away from the unit that had it before another charger answered there."""
        unit = self.at(address)
        if unit is None or unit.unit_id in same:
            return []
        left = tuple(way for way in unit.ways if way.address != address)
        if not left and not strong(unit.identity) and is_known:
            return self.forget(unit.unit_id)
        return [self.replace(replace(unit, ways=left))]

    def _new(self, identity: Identity, way: Way) -> Unit:
        unit_id = _new_id(identity, way.address, self._units.keys() | self._merged.keys())
        return Unit(unit_id=unit_id, is_simulated=self._is_simulated)

    def _mark_twins(self, unit_id: str) -> list[UnitChange]:
        """Note an OCPP identity that several chargers use, on each of them; take the note away when it is over."""
        changes = []
        concerned = [unit_id, *(other.unit_id for other in self._units.values() if other.note.startswith(TWIN))]
        concerned += [twin.unit_id for twin in self._twins(self._units[unit_id])]
        for one in [self._units[item] for item in dict.fromkeys(concerned)]:
            others = ", ".join(other.title for other in self._twins(one)[:4])
            note = f"{TWIN}: {others}" if others else ""
            if one.note != note and (note or one.note.startswith(TWIN)):
                changes.append(self.replace(replace(one, note=note)))
        return changes

    def _twins(self, unit: Unit) -> list[Unit]:
        named = {item for item in unit.identity.claims if item.kind is ClaimKind.IDENTITY}
        return [other for other in self._units.values() if other is not unit and named & set(other.identity.claims)]

    def _drop_unnamed(self) -> list[UnitChange]:
        if len(self._units) <= UNNAMED_LIMIT:
            return []
        unnamed = [unit for unit in self._units.values() if not unit.identity.profile_id]
        surplus = sorted(unnamed, key=lambda unit: unit.is_present)[: max(0, len(unnamed) - UNNAMED_LIMIT)]
        return [change for unit in surplus for change in self.forget(unit.unit_id)]


def merge(old: Identity, new: Identity, *, newer_wins: bool) -> Identity:
    """Unite two descriptions of one charger. Empty fields are filled; set ones change only where ``newer_wins``."""
    first, second = (new, old) if newer_wins else (old, new)
    fields = ("vendor", "model", "serial", "firmware", "mac", "name", "profile_id")
    texts = {name: getattr(first, name) or getattr(second, name) for name in fields}
    named = [item for item in (new if new.claims else old).claims if item.kind is ClaimKind.IDENTITY]
    named = named or [item for item in old.claims if item.kind is ClaimKind.IDENTITY]
    claims = [item for item in dict.fromkeys([*new.claims, *old.claims]) if item.kind is not ClaimKind.IDENTITY]
    extra = dict(list({**second.extra, **first.extra}.items())[:EXTRA_LIMIT])
    return Identity(**texts, claims=(*named, *claims)[:CLAIM_LIMIT], extra=extra)


def bounded(identity: Identity) -> Identity:
    """Cut a charger's own texts to a size that can be shown and stored."""
    claims = tuple(Claim(item.kind, clean(item.value, FIELD_LIMIT)) for item in identity.claims[:CLAIM_LIMIT])
    extra = {clean(key, FIELD_LIMIT): clean(value, 500) for key, value in list(identity.extra.items())[:EXTRA_LIMIT]}
    return Identity(
        vendor=clean(identity.vendor, FIELD_LIMIT),
        model=clean(identity.model, FIELD_LIMIT),
        serial=clean(identity.serial, FIELD_LIMIT),
        firmware=clean(identity.firmware, FIELD_LIMIT),
        mac=clean(identity.mac, FIELD_LIMIT),
        name=clean(identity.name, FIELD_LIMIT),
        profile_id=identity.profile_id,
        claims=claims,
        extra=extra,
    )


def _holds(unit: Unit, address: Address) -> bool:
    return any(way.address == address for way in unit.ways)


def _is_there(unit: Unit, address: Address, claims: frozenset[Claim]) -> bool:
    """Say whether living at one address proves that two are one charger.

    Two known chargers may follow one another at an address (DHCP), so one of them must be unknown.
    """
    return _holds(unit, address) and not (claims and strong(unit.identity))


def _is_beside(one: Way, other: Way) -> bool:
    """Say whether two ways lead to one host by different drivers."""
    first, second = one.address, other.address
    is_net = isinstance(first, NetAddress) and isinstance(second, NetAddress) and first.host == second.host
    return is_net and one.is_present and one.driver_id != other.driver_id


def _disagree(units: list[Unit]) -> bool:
    return any(
        conflicts(strong(one.identity), strong(other.identity)) for one in units for other in units if one is not other
    )


def _rank(way: Way) -> int:
    """Order ways by how much they tell of the product: its own network interface, a cable, OCPP."""
    if isinstance(way.address, NetAddress):
        return 0
    return 1 if isinstance(way.address, SerialAddress) else 2


def _with_way(ways: tuple[Way, ...], way: Way) -> tuple[Way, ...]:
    """Put in a way; a charger that answers at a new address has left the old one."""
    before = next((item for item in ways if item.address == way.address), None)
    if before is not None and before.source is SourceKind.MANUAL:
        way = replace(way, source=SourceKind.MANUAL)
    others = [item for item in ways if item.address != way.address and item.driver_id != way.driver_id]
    return tuple(sorted([*others, way], key=_rank))


def _new_id(identity: Identity, address: Address, taken: Iterable[str]) -> str:
    """Make an id that is the same in every run where the same is known first; only letters, digits and dashes."""
    base = next((f"{item.kind.value}-{item.value}" for item in identity.claims if item.kind.is_strong), "")
    plain = "".join(char for char in base if char.isascii() and (char.isalnum() or char == "-"))[:64]
    if not plain:
        plain = "at-" + hashlib.sha256(str(address).encode()).hexdigest()[:10]
    candidate, number = plain.lower(), 2
    while candidate in set(taken):
        candidate, number = f"{plain.lower()}-{number}", number + 1
    return candidate
