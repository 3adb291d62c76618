"""The charging profiles a charge point holds and the schedule they make together, for 1.6 (§3.13) and 2.x (block K).

Pure: times are passed in. Limits are kept in amperes per phase.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.ocpp.stamps import read

Json = dict[str, Any]

REPEATS_S = {"Daily": 86_400.0, "Weekly": 604_800.0}
CEILINGS = ("ChargePointMaxProfile", "ChargingStationMaxProfile", "ChargingStationExternalConstraints")
"""Purposes that lower whatever a transaction may have."""
MAX_BOUNDARIES = 1000


@dataclass(frozen=True, slots=True)
class Electric:
    """What amperes mean at an outlet."""

    voltage_v: float = 230.0
    phases: int = 1

    def amperes(self, limit: float, unit: str, phases: int | None = None) -> float:
        """Convert a limit into amperes per phase."""
        return limit if unit == "A" else limit / (self.voltage_v * (phases or self.phases))

    def of(self, limit_a: float, unit: str) -> float:
        """Convert amperes per phase into a unit."""
        return round(limit_a if unit == "A" else limit_a * self.voltage_v * self.phases, 1)


@dataclass(frozen=True, slots=True)
class Profile:
    """A charging profile of either version. ``place``: connector or EVSE, 0 = the whole unit."""

    profile_id: int
    place: int
    stack: int
    purpose: str
    kind: str
    repeats_s: float
    valid_from: datetime | None
    valid_to: datetime | None
    unit: str
    duration_s: float | None
    starts_at: datetime | None
    periods: tuple[tuple[float, float, int | None], ...]
    transaction_id: int | str | None
    raw: Json = field(hash=False, compare=False)

    def start_for(self, at: datetime, began_at: datetime) -> datetime:
        """Return when its schedule in force at that time began."""
        if self.kind == "Relative" or self.starts_at is None:
            return began_at
        if not self.repeats_s or at < self.starts_at:
            return self.starts_at
        rounds = (at - self.starts_at).total_seconds() // self.repeats_s
        return self.starts_at + timedelta(seconds=rounds * self.repeats_s)

    def limit_at(self, at: datetime, began_at: datetime, electric: Electric) -> float | None:
        """Return the limit at a time in amperes, ``None`` where it says nothing."""
        if (self.valid_from and at < self.valid_from) or (self.valid_to and at >= self.valid_to):
            return None
        offset_s = (at - self.start_for(at, began_at)).total_seconds()
        if offset_s < 0 or (self.duration_s is not None and offset_s >= self.duration_s):
            return None
        past = [period for period in self.periods if period[0] <= offset_s]
        return electric.amperes(past[-1][1], self.unit, past[-1][2]) if past else None


def profile_from(told: Json, place: int) -> Profile:
    """Read a CsChargingProfiles (1.6) or ChargingProfileType (2.x); raises KeyError, TypeError or ValueError."""
    schedule = told["chargingSchedule"]
    schedule = schedule[0] if isinstance(schedule, list) else schedule
    periods = tuple(
        (float(period["startPeriod"]), float(period["limit"]), period.get("numberPhases"))
        for period in schedule["chargingSchedulePeriod"]
    )
    if not periods or periods[0][0] != 0 or list(periods) != sorted(periods, key=lambda period: period[0]):
        raise ValueError("periods out of order")
    return Profile(
        profile_id=int(told["chargingProfileId"] if "chargingProfileId" in told else told["id"]),
        place=place,
        stack=int(told["stackLevel"]),
        purpose=str(told["chargingProfilePurpose"]),
        kind=str(told["chargingProfileKind"]),
        repeats_s=REPEATS_S.get(str(told.get("recurrencyKind", "")), 0.0),
        valid_from=_time(told.get("validFrom")),
        valid_to=_time(told.get("validTo")),
        unit=str(schedule["chargingRateUnit"]),
        duration_s=float(schedule["duration"]) if "duration" in schedule else None,
        starts_at=_time(schedule.get("startSchedule")),
        periods=periods,
        transaction_id=told.get("transactionId"),
        raw=told,
    )


class ProfileStack:
    """All profiles of a unit."""

    def __init__(self) -> None:
        self.profiles: list[Profile] = []

    def put(self, profile: Profile) -> None:
        """Keep a profile; it replaces the one of its id or of its level (1.6 §5.16.2, K01.FR.05)."""

        def is_replaced(old: Profile) -> bool:
            same_level = (old.place, old.purpose, old.stack) == (profile.place, profile.purpose, profile.stack)
            return old.profile_id == profile.profile_id or same_level

        self.profiles = [old for old in self.profiles if not is_replaced(old)] + [profile]

    def clear(
        self, *, profile_id: int | None = None, place: int | None = None, purpose: str = "", stack: int | None = None
    ) -> int:
        """Forget what fits all that is given and return how many went."""

        def fits(old: Profile) -> bool:
            if profile_id is not None:
                return old.profile_id == profile_id
            return (place in (None, old.place)) and purpose in ("", old.purpose) and stack in (None, old.stack)

        kept = [old for old in self.profiles if not fits(old)]
        gone, self.profiles = len(self.profiles) - len(kept), kept
        return gone

    def end_transaction(self, place: int) -> None:
        """Forget the TxProfiles of a place: they end with the transaction."""
        self.profiles = [old for old in self.profiles if old.purpose != "TxProfile" or old.place != place]

    def limit_at(
        self, place: int, at: datetime, began_at: datetime | None, electric: Electric, greatest_a: float
    ) -> float:
        """Return what an outlet may draw, in amperes."""
        since = began_at or at

        def top(purposes: Iterable[str], places: tuple[int, ...]) -> float | None:
            levels = sorted(
                (one for one in self.profiles if one.purpose in purposes and one.place in places),
                key=lambda one: (one.stack, one.place),
                reverse=True,
            )
            limits = (one.limit_at(at, since, electric) for one in levels)
            return next((limit for limit in limits if limit is not None), None)

        own = top(("TxProfile",), (place,)) if began_at is not None or place == 0 else None
        if own is None:
            own = top(("TxDefaultProfile",), (place, 0))
        caps = [top((purpose,), (0,)) for purpose in CEILINGS]
        return max(0.0, min([greatest_a, *(limit for limit in (own, *caps) if limit is not None)]))

    def composite(
        self,
        place: int,
        at: datetime,
        duration_s: float,
        *,
        began_at: datetime | None,
        unit: str,
        electric: Electric,
        greatest_a: float,
    ) -> list[Json]:
        """Return the periods of the composite schedule from a time on (1.6 §5.7, K08)."""
        periods: list[Json] = []
        for offset_s in self._boundaries(at, duration_s, began_at or at):
            limit_a = self.limit_at(place, at + timedelta(seconds=offset_s), began_at, electric, greatest_a)
            limit = electric.of(limit_a, unit)
            if not periods or periods[-1]["limit"] != limit:
                periods.append({"startPeriod": int(offset_s), "limit": limit})
        return periods

    def _boundaries(self, at: datetime, duration_s: float, began_at: datetime) -> list[float]:
        found = {0.0}
        for profile in self.profiles:
            for moment in (profile.valid_from, profile.valid_to):
                if moment is not None:
                    found.add((moment - at).total_seconds())
            start_s = (profile.start_for(at, began_at) - at).total_seconds()
            while start_s < duration_s and len(found) < MAX_BOUNDARIES:
                found |= {start_s + period[0] for period in profile.periods}
                if profile.duration_s is not None:
                    found.add(start_s + profile.duration_s)
                if not profile.repeats_s:
                    break
                start_s += profile.repeats_s
        return sorted(offset_s for offset_s in found if 0 <= offset_s < duration_s)


def _time(text: object) -> datetime | None:
    return read(str(text)) if text else None
