"""What is on record of a charger: configurations it once told of, findings that stand against it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from app.diagnosis.dump import Dump, read
from app.errors import Garbled
from app.feed import Feed
from app.model.backend import Backend, SecurityProfile
from app.model.finding import Finding
from app.model.frame import Direction, Frame
from app.model.profile import Grade
from app.model.query import FramePage, TrafficQuery
from app.model.triage import Ground
from app.model.unit import Unit
from app.triage.site import identities

KEY = "SecurityProfile"
"""OCA white paper "Improved security for OCPP 1.6-J", 4.1; the variable of SecurityCtrlr in 2.0.1 has the same name."""

ANSWERS = 5
"""Answers of one charger that are looked through, the newest first."""

UNITS = 500
"""Chargers whose findings are kept (a flood of identities)."""

SIM = "SIM-APN"

FINDING_S = 3600
"""A finding this old may have been mended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the records tell of a charger's backend, with where that stands."""

    profile: SecurityProfile | None = None
    grounds: tuple[Ground, ...] = ()

    def completing(self, present: Backend | None) -> Backend | None:
        """Return the present backend with the security profile on record, unless it tells a higher one itself."""
        if self.profile is None:
            return present
        present = present or Backend(url="", identity="")
        return replace(present, security_profile=max(self.profile, present.security_profile))


NOTHING = Told()


class Records:
    """Looks through stored traffic, a charger at a time. ``scan`` searches it within a bounded time."""

    def __init__(self, scan: Callable[[TrafficQuery, int], FramePage]) -> None:
        self._scan = scan
        self._kept: OrderedDict[str, Told] = OrderedDict()

    def of(self, unit: Unit) -> Told:
        """Return what was found when a charger was looked up last."""
        found = (self._kept.get(name, NOTHING) for name in _names(unit))
        return next((told for told in found if told.profile is not None), NOTHING)

    def look_up(self, unit: Unit) -> None:
        """Search what a charger's own answers told last; nothing where it never dialled in."""
        for name in _names(unit):
            query = TrafficQuery(identity=name, direction=Direction.IN, text=KEY)
            frames = self._scan(query, ANSWERS).frames
            self._kept[name] = next((told for frame in reversed(frames) if (told := _told(frame)) is not None), NOTHING)
            while len(self._kept) > UNITS:
                self._kept.popitem(last=False)


def _names(unit: Unit) -> list[str]:
    return sorted(identities(unit))[:3]


def _told(frame: Frame) -> Told | None:
    try:
        profile = _profile(read(frame.text))
    except Garbled:
        return None
    if profile is None:
        return None
    text = f"Its configuration of {frame.at:%Y-%m-%d %H:%M} UTC shows security profile {int(profile)}."
    source = f"frame {frame.seq}, {frame.action or 'its own message'}"
    return Told(profile=profile, grounds=(Ground(text=text, grade=Grade.PROVED, source=source, is_seen=True),))


def _profile(dump: Dump) -> SecurityProfile | None:
    named = (entry.value for entry in dump.entries if entry.key.rpartition(".")[2].split("/")[0] == KEY)
    value = next((value for value in named if value), "")
    return SecurityProfile(int(value)) if value in ("0", "1", "2", "3") else None


class Hearing:
    """Keeps the newest finding of each code and case, by whatever id it was published under. Bounded."""

    def __init__(self, feed: Feed[Finding]) -> None:
        self._news = feed.subscribe(4096)
        self._kept: OrderedDict[str, dict[tuple[str, str], Finding]] = OrderedDict()

    def of(self, unit: Unit) -> tuple[Finding, ...]:
        """Return what stands against a charger, unless it is old."""
        for finding in self._news.take():
            self._kept.setdefault(finding.unit_id, {})[finding.code, finding.details.get("case", "")] = finding
            while len(self._kept) > UNITS:
                self._kept.popitem(last=False)
        keys = {unit.unit_id, *identities(unit), *(str(way.address) for way in unit.ways)}
        found = (finding for key in sorted(keys) for finding in self._kept.get(key, {}).values())
        return tuple(finding for finding in found if _is_young(finding))


def _is_young(finding: Finding) -> bool:
    return finding.at is None or (datetime.now(UTC) - finding.at).total_seconds() < FINDING_S
