"""Match a label to the site: the lines of the imported list, and the chargers found.

A serial number or a MAC address is compared without separators and case, as everywhere (``model.unit.claim``); an
identity letter by letter, since backends do. What is only alike is never taken: somebody has to look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from app.labels.label import Label
from app.labels.lookalike import folded, is_alike
from app.model.address import OcppAddress
from app.model.unit import Claim, ClaimKind, Unit, claim
from app.settings import Listed


class Verdict(Enum):
    """How a label stands to the site."""

    EXACT = "exact"
    ALIKE = "alike"
    """Nothing on the site has this name, but something has one that looks the same."""
    TWICE = "twice"
    """More than one charger or line goes by what the label says."""
    UNKNOWN = "unknown"
    NAMELESS = "nameless"
    """The label holds nothing that could name a charger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One charger of the site: its line of the list, what was found, or both."""

    row: Listed | None = None
    unit: Unit | None = None

    @property
    def title(self) -> str:
        """Return a short name."""
        if self.unit is not None:
            return self.unit.title
        return (self.row.identity or self.row.serial) if self.row is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """Two spellings that look alike, and the charger the second one belongs to."""

    scanned: str
    stands: str
    target: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What came of a label. ``name`` is the name that matched, or, where none did, the one to add."""

    verdict: Verdict
    label: Label
    name: str = ""
    targets: tuple[Target, ...] = ()
    alike: tuple[Likeness, ...] = ()
    """With EXACT: others on the site that are easily mixed up with this one."""


def match(label: Label, listed: Sequence[Listed], units: Iterable[Unit]) -> Match:
    """Find whom a label belongs to. Linear in the site; 5,000 lines take some 30 ms."""
    if not label.names:
        return Match(verdict=Verdict.NAMELESS, label=label)
    targets = site(listed, units)
    hits = _hits(label.names, targets)
    found = tuple({id(item): item for items in hits.values() for item in items}.values())
    alike = tuple(_likenesses(label.names, targets, {id(item) for item in found}))
    if found:
        verdict = Verdict.EXACT if len(found) == 1 else Verdict.TWICE
        return Match(verdict=verdict, label=label, name=next(iter(hits)), targets=found, alike=alike)
    if alike:
        near = tuple({id(item.target): item.target for item in alike}.values())
        return Match(verdict=Verdict.ALIKE, label=label, name=alike[0].scanned, targets=near, alike=alike)
    return Match(verdict=Verdict.UNKNOWN, label=label, name=label.names[0])


def site(listed: Sequence[Listed], units: Iterable[Unit]) -> list[Target]:
    """Join each line of the list with the charger it speaks of; a line that speaks of two stands twice."""
    units = tuple(units)
    by_name: dict[Claim, list[Unit]] = {}
    for unit in units:
        for name in _unit_claims(unit):
            by_name.setdefault(name, []).append(unit)
    targets: list[Target] = []
    spoken: set[str] = set()
    for row in listed:
        found = _spoken_of(row, by_name)
        spoken |= {unit.unit_id for unit in found}
        targets += [Target(row=row, unit=unit) for unit in found] or [Target(row=row)]
    return [*targets, *(Target(unit=unit) for unit in units if unit.unit_id not in spoken)]


def _spoken_of(row: Listed, by_name: dict[Claim, list[Unit]]) -> list[Unit]:
    """Return the chargers a line means: by serial number, else by the identity they dial with."""
    serial = _serial(row.serial)
    found = by_name.get(serial, []) if serial is not None else []
    if not found and row.identity:
        dialling = by_name.get(Claim(ClaimKind.IDENTITY, row.identity), [])
        found = [unit for unit in dialling if serial is None or not unit.identity.serial]
    return list({unit.unit_id: unit for unit in found}.values())


def _serial(text: str) -> Claim | None:
    return claim(ClaimKind.SERIAL, text) or (Claim(ClaimKind.SERIAL, text.casefold()) if text else None)


def _unit_claims(unit: Unit) -> Iterator[Claim]:
    yield from (item for item in unit.identity.claims if item.kind in (ClaimKind.SERIAL, ClaimKind.MAC))
    yield from filter(None, (_serial(unit.identity.serial), claim(ClaimKind.MAC, unit.identity.mac)))
    yield from (Claim(ClaimKind.IDENTITY, name) for name in _identities(unit))


def _identities(unit: Unit) -> Iterator[str]:
    yield from (way.address.identity for way in unit.ways if isinstance(way.address, OcppAddress))
    if unit.backend is not None and unit.backend.identity:
        yield unit.backend.identity


def _hits(names: Sequence[str], targets: Iterable[Target]) -> dict[str, list[Target]]:
    """Return, for each name that the site knows, whom it names."""
    index: dict[Claim, list[Target]] = {}
    for target in targets:
        for known in set(_claims(target)):
            index.setdefault(known, []).append(target)
    hits = {}
    for name in names:
        wanted = (_serial(name), claim(ClaimKind.MAC, name), Claim(ClaimKind.IDENTITY, name))
        found = [target for known in wanted if known is not None for target in index.get(known, ())]
        if found:
            hits[name] = found
    return hits


def _claims(target: Target) -> Iterator[Claim]:
    if target.row is not None:
        yield from filter(None, (_serial(target.row.serial), claim(ClaimKind.IDENTITY, target.row.identity)))
    if target.unit is not None:
        yield from _unit_claims(target.unit)


def _names(target: Target) -> Iterator[str]:
    if target.row is not None:
        yield from (target.row.serial, target.row.identity)
    if target.unit is not None:
        yield from (target.unit.identity.serial, target.unit.identity.mac, *_identities(target.unit))


def _likenesses(names: Sequence[str], targets: Iterable[Target], hit: set[int]) -> Iterator[Likeness]:
    """See names of other chargers that look like one of these; of each pair of spellings one."""
    wanted = {folded(name): name for name in reversed(names)}
    seen: set[tuple[str, str, int]] = set()
    for target in targets:
        if id(target) in hit:
            continue
        for stands in dict.fromkeys(filter(None, _names(target))):
            scanned = wanted.get(folded(stands), "")
            mark = (scanned, stands, id(target))
            if scanned and is_alike(scanned, stands) and mark not in seen:
                seen.add(mark)
                yield Likeness(scanned=scanned, stands=stands, target=target)
