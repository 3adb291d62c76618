"""What only the whole site shows: chargers nobody has seen, names that two share, verdicts that are old. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from app.model.address import OcppAddress
from app.model.backend import Backend, redact_url
from app.model.profile import Grade, Verdict
from app.model.triage import Ground, Hand, Judgement
from app.model.unit import ClaimKind, Identity, Unit, claim
from app.settings import Listed
from app.triage.judging import HEADLINES, RUNNING, SEEN

LIST = "the site's list"
NOT_SEEN = "Not seen"
FRESH = timedelta(hours=24)
"""After this a verdict is old: somebody may have been at the charger [OURS]."""


def names(listed: Listed, unit: Unit) -> bool:
    """Say whether a line of the site's list means this charger: by serial number, else by identity."""
    wanted = claim(ClaimKind.SERIAL, listed.serial)
    if wanted is not None:
        return wanted in unit.identity.claims or claim(ClaimKind.SERIAL, unit.identity.serial) == wanted
    if listed.serial:
        return unit.identity.serial.casefold() == listed.serial.casefold()
    return bool(listed.identity) and listed.identity in identities(unit)


def identities(unit: Unit, present: Backend | None = None) -> frozenset[str]:
    """Return the names a charger is known to give to a backend."""
    dialled = {way.address.identity for way in unit.ways if isinstance(way.address, OcppAddress)}
    told = {backend.identity for backend in (unit.backend, present) if backend is not None and backend.identity}
    return frozenset(dialled | told)


def missing(listed: Sequence[Listed], units: Sequence[Unit]) -> Iterator[Judgement]:
    """Yield a row for each charger of the site's list that nobody has seen."""
    for place, line in enumerate(listed):
        if not any(names(line, unit) for unit in units):
            yield _missing(place, line)


def _missing(place: int, line: Listed) -> Judgement:
    name = line.identity or line.serial
    unit = Unit(
        unit_id=f"listed/{place}/{line.serial or line.identity}",
        identity=Identity(name=name, serial=line.serial),
        backend=Backend(url=redact_url(line.backend), identity=line.identity) if line.backend else None,
    )
    ground = Ground(
        text="The site's list names it, but nothing that was found is it.",
        grade=Grade.PROVED,
        source=LIST,
        is_seen=True,
    )
    return Judgement(
        unit=unit,
        family="",
        verdict=Verdict.UNKNOWN,
        headline=NOT_SEEN,
        hand=Hand.PERSON,
        grounds=(ground,),
        first=("Find it: power, network, cable, or the label on it.",),
        unknowns=("Everything besides what the list says.",),
        is_missing=True,
    )


Owners = Mapping[str, Sequence[Unit]]
"""Identity → the chargers that go by it."""


def owners(units: Iterable[tuple[Unit, Backend | None]]) -> Owners:
    """Collect who goes by which identity, from chargers and the backends they dial."""
    found: defaultdict[str, list[Unit]] = defaultdict(list)
    for unit, present in units:
        for name in identities(unit, present):
            found[name].append(unit)
    return found


def told_apart(judgements: Iterable[Judgement]) -> list[Judgement]:
    """Hold up chargers that share an identity: on one backend they would throw each other out."""
    found = list(judgements)
    known = owners((item.unit, item.present) for item in found)
    return [held_up(item, known) for item in found]


def held_up(item: Judgement, known: Owners) -> Judgement:
    """Hold up one charger, if another one goes by an identity of it."""
    for name in sorted(identities(item.unit, item.present)):
        others = [unit.title for unit in known.get(name, ()) if unit.unit_id != item.unit.unit_id]
        if others:
            return _held(item, name, others)
    return item


def _held(item: Judgement, name: str, others: Sequence[str]) -> Judgement:
    text = f"“{name}” is also the identity of {', '.join(others[:3])}."
    ground = Ground(text=text, grade=Grade.PROVED, source=SEEN, is_seen=True)
    step = f"Find out whether it is one charger seen twice; if not, give it an identity of its own instead of “{name}”."
    is_ready = item.verdict is Verdict.NOW
    return replace(
        item,
        verdict=Verdict.AFTER if is_ready else item.verdict,
        headline=HEADLINES[Verdict.AFTER] if is_ready else item.headline,
        grounds=(ground, *item.grounds),
        first=(step, *item.first) if item.verdict in (Verdict.NOW, Verdict.AFTER) else item.first,
    )


def staleness(item: Judgement, unit: Unit, wanted: Backend | None, now: datetime) -> str:
    """Say in words why a verdict no longer tells how the charger is; an empty text while it does."""
    then = item.unit
    if (then.identity.firmware, then.identity.profile_id) != (unit.identity.firmware, unit.identity.profile_id):
        return "Its firmware or family is another one now."
    if _target(then.backend) != _target(unit.backend):
        return "It dials another backend now."
    if then.is_present != unit.is_present:
        return "It has come back since." if unit.is_present else "It is out of reach since."
    if (then.state in RUNNING) != (unit.state in RUNNING):
        return "A charging session has begun or ended since."
    if _target(item.wanted) != _target(wanted):
        return "It was judged for another new backend."
    if item.judged_at is not None and now - item.judged_at > FRESH:
        return "It was judged more than a day ago."
    return ""


def _target(backend: Backend | None) -> tuple[str, int] | None:
    return (redact_url(backend.url), int(backend.security_profile)) if backend is not None else None
