"""Charging limits: what a set of charging profiles adds up to, and whether the charger agrees. Pure.

OCPP 1.6 §3.13, P2-201 use cases K01 to K08: of the profiles of one purpose the highest stack level that is valid at a
moment counts; TxProfile goes before TxDefaultProfile; the least of what the purposes allow is the limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from app.ocpp import v16

MAX_PERIODS = 1024
MAX_PROFILES = 200
STATION = ("ChargePointMaxProfile", "ChargingStationMaxProfile", "ChargingStationExternalConstraints")
DEFAULT, TX = "TxDefaultProfile", "TxProfile"
TOLERANCE = 0.05
"""Limits this close are the same: chargers round to tenths of an ampere, the finest OCPP 1.6 allows."""
ROUNDING_S = 1
"""Periods begin at whole seconds of a start that may stand between two: what differs no longer is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From ``start_s`` after the schedule's start on, this limit holds. ``phases`` 0 = not said (3 assumed)."""

    start_s: int
    limit: float
    phases: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A charging profile of either version. ``unit`` is ``A`` or ``W``; ``connector`` 0 = the whole charger."""

    profile_id: int
    connector: int
    stack_level: int
    purpose: str
    kind: str
    unit: str
    periods: tuple[Period, ...]
    start_at: datetime | None = None
    duration_s: int | None = None
    recurrency: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    transaction_id: str = ""

    def limit_at(self, at: datetime, session_at: datetime | None) -> Period | None:
        """Return what it allows at a moment; ``None`` where it says nothing."""
        if (self.valid_from is not None and at < self.valid_from) or (
            self.valid_to is not None and at >= self.valid_to
        ):
            return None
        start = self._start(at, session_at)
        if start is None or at < start:
            return None
        passed = (at - start).total_seconds()
        if self.duration_s is not None and passed >= self.duration_s:
            return None
        return next((period for period in reversed(self.periods) if period.start_s <= passed), None)

    def _start(self, at: datetime, session_at: datetime | None) -> datetime | None:
        if self.kind == "Relative":
            return session_at
        if self.kind != "Recurring" or self.start_at is None:
            return self.start_at or session_at
        span = timedelta(days=7 if self.recurrency == "Weekly" else 1)
        return self.start_at if at < self.start_at else self.start_at + span * ((at - self.start_at) // span)

    def edges(self, since: datetime, until: datetime, session_at: datetime | None) -> set[datetime]:
        """Return the moments at which what it allows may change."""
        found = {at for at in (self.valid_from, self.valid_to) if at is not None}
        at = since
        while at <= until:
            start = self._start(at, session_at)
            if start is None:
                break
            found |= {start + timedelta(seconds=period.start_s) for period in self.periods}
            if self.duration_s is not None:
                found.add(start + timedelta(seconds=self.duration_s))
            if self.kind != "Recurring":
                break
            span = timedelta(days=7 if self.recurrency == "Weekly" else 1)
            found.add(start + span)
            at = max(at, start) + span
        return {moment for moment in found if since < moment < until}


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """A schedule as it results, or as a charger answers. ``limit`` ``None`` inside = nothing limits."""

    start_at: datetime
    duration_s: int
    unit: str
    periods: tuple[Period, ...]

    def limit_at(self, passed_s: float) -> Period | None:
        """Return the limit so long after the start."""
        if passed_s >= self.duration_s:
            return None
        return next((period for period in reversed(self.periods) if period.start_s <= passed_s), None)


def compose(
    profiles: Iterable[Profile],
    connector: int,
    *,
    at: datetime,
    duration_s: int,
    unit: str = "A",
    session_at: datetime | None = None,
    voltage_v: float = 230.0,
    most: float | None = None,
) -> Composite:
    """Work out what a connector may draw from ``at`` on.

    ``session_at``: start of the running transaction, ``None`` = none runs, and transaction profiles count as if one
    began now. ``most``: what the hardware gives, where no profile says anything.
    """
    start = session_at or at
    relevant = [item for item in list(profiles)[:MAX_PROFILES] if item.connector in (0, connector)]
    if session_at is None:
        relevant = [item for item in relevant if item.purpose != TX]
    until = at + timedelta(seconds=duration_s)
    moments = sorted({at}.union(*(item.edges(at, until, start) for item in relevant)))[:MAX_PERIODS]
    found: list[Period] = []
    for moment in moments:
        period = _allowed(relevant, moment, start, unit, voltage_v)
        limit = most if period is None else period.limit if most is None else min(period.limit, most)
        if limit is None:
            limit = -1.0
        entry = Period(start_s=int((moment - at).total_seconds()), limit=limit, phases=period.phases if period else 0)
        if not found or (found[-1].limit, found[-1].phases) != (entry.limit, entry.phases):
            found.append(entry)
    return Composite(start_at=at, duration_s=duration_s, unit=unit, periods=tuple(found))


UNLIMITED = -1.0
"""Stands for “no limit” in a composed schedule."""


def _allowed(
    profiles: Sequence[Profile], at: datetime, session_at: datetime, unit: str, voltage_v: float
) -> Period | None:
    station = [
        _leading([item for item in profiles if item.purpose == purpose], at, session_at, unit, voltage_v)
        for purpose in STATION
    ]
    session = _leading([item for item in profiles if item.purpose == TX], at, session_at, unit, voltage_v)
    if session is None:
        session = _leading([item for item in profiles if item.purpose == DEFAULT], at, session_at, unit, voltage_v)
    limits = [period for period in (*station, session) if period is not None]
    return min(limits, key=lambda period: period.limit) if limits else None


def _leading(
    profiles: Sequence[Profile], at: datetime, session_at: datetime, unit: str, voltage_v: float
) -> Period | None:
    # A profile of the connector itself goes before one for all connectors of the same level (1.6 §3.13).
    for item in sorted(profiles, key=lambda item: (item.stack_level, item.connector), reverse=True):
        if (period := item.limit_at(at, session_at)) is not None:
            return replace(period, limit=_converted(period, item.unit, unit, voltage_v))
    return None


def _converted(period: Period, given: str, wanted: str, voltage_v: float) -> float:
    if given == wanted:
        return period.limit
    per_ampere = voltage_v * (period.phases or 3)
    return period.limit / per_ampere if wanted == "A" else period.limit * per_ampere


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """From ``start_s`` on the charger's schedule is not what the profiles add up to. ``None`` = it says nothing."""

    start_s: int
    expected: float
    told: float | None


def compare(expected: Composite, told: Composite) -> tuple[Disagreement, ...]:
    """Say where a charger's composite schedule differs, over the time both speak of."""
    offset = (told.start_at - expected.start_at).total_seconds()
    end = min(expected.duration_s, told.duration_s + offset)
    edges = {float(period.start_s) for period in expected.periods}
    edges |= {period.start_s + offset for period in told.periods}
    found: list[Disagreement] = []
    first = max(0.0, offset)
    for edge in sorted(moment for moment in edges | {first} if first <= moment < end):
        ours, theirs = expected.limit_at(edge), told.limit_at(edge - offset)
        if ours is None or _agree(ours, theirs) or _agree_soon(expected, told, edge, offset, end):
            continue
        found.append(
            Disagreement(start_s=int(edge), expected=ours.limit, told=theirs.limit if theirs is not None else None)
        )
    return tuple(found)


def _agree_soon(expected: Composite, told: Composite, edge: float, offset: float, end: float) -> bool:
    """Say whether both are of one mind a second after an edge: one of them only changed earlier."""
    later = edge + ROUNDING_S
    ours = expected.limit_at(later)
    return edge > 0 and later < end and ours is not None and _agree(ours, told.limit_at(later - offset))


def _agree(ours: Period, theirs: Period | None) -> bool:
    return _is_same(ours.limit, theirs.limit if theirs is not None else None)


def _is_same(ours: float, theirs: float | None) -> bool:
    if ours < 0:  # Nothing limits: whatever the charger names is what its hardware gives.
        return True
    return theirs is not None and abs(ours - theirs) <= max(0.1, TOLERANCE * ours)


# Payloads -----------------------------------------------------------------------------------------------------------


def read_composite(answer: Mapping[str, Any], now: datetime) -> Composite | None:
    """Read GetCompositeSchedule.conf of either version; ``None`` where there is no schedule in it."""
    schedule = answer.get("chargingSchedule") or answer.get("schedule")
    if not isinstance(schedule, Mapping):
        return None
    start = answer.get("scheduleStart") or schedule.get("scheduleStart") or schedule.get("startSchedule")
    periods = _periods(schedule.get("chargingSchedulePeriod"))
    last = periods[-1].start_s if periods else 0
    return Composite(
        start_at=v16.when(start, now)[0],
        duration_s=v16.number(schedule.get("duration")) or last + 86_400,
        unit="W" if schedule.get("chargingRateUnit") == "W" else "A",
        periods=periods,
    )


def _periods(told: object) -> tuple[Period, ...]:
    found = []
    for item in told[:MAX_PERIODS] if isinstance(told, list) else ():
        limit = v16.quantity(item.get("limit")) if isinstance(item, dict) else None
        if limit is None:
            continue
        found.append(
            Period(
                start_s=max(0, v16.number(item.get("startPeriod"))),
                limit=limit,
                phases=v16.number(item.get("numberPhases")),
            )
        )
    return tuple(sorted(found, key=lambda period: period.start_s))


def read_profile(told: Mapping[str, Any], connector: int) -> Profile | None:
    """Read a ChargingProfile of either version; the first schedule of several."""
    schedule = told.get("chargingSchedule")
    first = schedule[0] if isinstance(schedule, list) and schedule else schedule
    if not isinstance(first, Mapping):
        return None
    return Profile(
        profile_id=v16.number(told.get("chargingProfileId", told.get("id"))),
        connector=connector,
        stack_level=v16.number(told.get("stackLevel")),
        purpose=v16.text(told.get("chargingProfilePurpose"), 50),
        kind=v16.text(told.get("chargingProfileKind"), 20),
        unit="W" if first.get("chargingRateUnit") == "W" else "A",
        periods=_periods(first.get("chargingSchedulePeriod")),
        start_at=_moment(first.get("startSchedule")),
        duration_s=v16.number(first.get("duration")) or None,
        recurrency=v16.text(told.get("recurrencyKind"), 20),
        valid_from=_moment(told.get("validFrom")),
        valid_to=_moment(told.get("validTo")),
        transaction_id=v16.text(told.get("transactionId"), 36),
    )


_EPOCH = datetime.fromtimestamp(0, UTC)


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    at, is_believable = v16.when(text, _EPOCH)
    return at if is_believable else None


def write_profile(profile: Profile, version: str) -> dict[str, Any]:
    """Write a ChargingProfile as a version wants it."""
    schedule: dict[str, Any] = {
        "chargingRateUnit": profile.unit,
        "chargingSchedulePeriod": [_period(period) for period in profile.periods],
    }
    if profile.duration_s is not None:
        schedule["duration"] = profile.duration_s
    if profile.start_at is not None:
        schedule["startSchedule"] = v16.stamp(profile.start_at)
    told: dict[str, Any] = {
        "stackLevel": profile.stack_level,
        "chargingProfilePurpose": _purpose(profile.purpose, version),
        "chargingProfileKind": profile.kind,
    }
    moments = (("validFrom", profile.valid_from), ("validTo", profile.valid_to))
    told |= {key: v16.stamp(at) for key, at in moments if at is not None}
    if profile.recurrency:
        told["recurrencyKind"] = profile.recurrency
    if version == "1.6":
        number = {"transactionId": v16.number(profile.transaction_id)} if profile.transaction_id else {}
        return {"chargingProfileId": profile.profile_id, **told, **number, "chargingSchedule": schedule}
    text = {"transactionId": profile.transaction_id} if profile.transaction_id else {}
    return {"id": profile.profile_id, **told, **text, "chargingSchedule": [{"id": 1, **schedule}]}


def _period(period: Period) -> dict[str, Any]:
    told: dict[str, Any] = {"startPeriod": period.start_s, "limit": round(period.limit, 1)}
    return told | ({"numberPhases": period.phases} if period.phases else {})


def _purpose(purpose: str, version: str) -> str:
    names = ("ChargePointMaxProfile", "ChargingStationMaxProfile")
    return names[version != "1.6"] if purpose in names else purpose
