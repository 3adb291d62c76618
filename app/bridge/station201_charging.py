"""Smart charging of a bridged OCPP 2.0.1 station: profiles become the current its outlet may give (block K)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from app.bridge.message import Message, Payload
from app.bridge.station import Answer
from app.bridge.station201_variables import MAX_PERIODS, MAX_PROFILES, MAX_STACK
from app.ocpp.chargingprofiles import Electric, Profile, ProfileStack, profile_from

if TYPE_CHECKING:
    from app.bridge.station201 import Station201

KEPT_PROFILES = "201.profiles"
HIGHEST_V = 240.0
"""Taken where a unit tells no voltage: watts become amperes rather too few than too many (IEC 60038)."""
HORIZON_S = 3600.0
"""How far ahead a change of the limit is looked for."""
LONGEST_S = 10 * 86_400
"""How far a composite schedule reaches at most [OURS]."""
ABSURD = 1e9
"""Numbers of a schedule beyond it are refused [OURS]."""


class Charging:
    """Holds the profiles, and says what current they leave."""

    def __init__(self, station: Station201) -> None:
        self._station = station
        self.stack: ProfileStack = ProfileStack()
        self._next: datetime | None = None
        self._is_fresh = False
        self._read()

    @property
    def electric(self) -> Electric:
        """Return what amperes mean here."""
        voltage_v = self._station.outlet.state.voltage_v
        is_good = voltage_v is not None and 80.0 <= voltage_v <= 300.0
        return Electric(voltage_v if is_good and voltage_v is not None else HIGHEST_V, max(1, self._phases))

    def limit_a(self, now: datetime) -> float:
        """Return the current the profiles leave now, at most the outlet's ceiling."""
        ceiling_a = self._station.outlet.ceiling_a
        if not self.stack.profiles:
            return ceiling_a
        return self.stack.limit_at(1, self._station.dated(now), self._began, self.electric, ceiling_a)

    def due(self, now: datetime) -> datetime | None:
        """Return when the limit changes next, after having it obeyed if it is time."""
        if not self.stack.profiles:
            return None
        if self._next is None or not self._is_fresh or now >= self._next:
            self._station.steer(now)
            self._next, self._is_fresh = self._change_after(now), True
        return self._next

    def attach(self, told: Payload, now: datetime) -> None:
        """Keep the TxProfile that came with a remote start, now that its transaction runs."""
        session = self._station.tx.session
        if session is not None:
            told = told | {"transactionId": session.transaction_id}
        self._keep(profile_from(told, 1), now)

    def ended(self, now: datetime) -> None:
        """Forget what ends with a transaction."""
        if self.stack.profiles:
            self.stack.end_transaction(1)
            self._changed(now)

    # What the backend orders

    def set_profile(self, payload: Payload, now: datetime) -> Answer:
        """K01."""
        place, told = int(payload["evseId"]), payload["chargingProfile"]
        reason = self.objection(place, told)
        if reason:
            return rejected(reason)
        profile = profile_from(told, place)
        return Answer(payload={"status": "Accepted"}, after=lambda: self._keep(profile, now))

    def objection(self, place: int, told: Payload, *, comes_with_start: bool = False) -> str:
        """Return the reason code why a profile can't be taken, empty where it can."""
        try:
            profile = profile_from(told, place)
        except (ValueError, ArithmeticError):
            return "InvalidSchedule"
        if not 0 <= place <= 1:
            return "UnknownEvse"
        if profile.stack > MAX_STACK or profile.stack < 0:
            return "InvalidStackLevel"
        return (
            self._purpose_objection(profile, comes_with_start)
            or _schedule_objection(profile, told)
            or self._room_objection(profile)
        )

    def clear(self, payload: Payload, now: datetime) -> Answer:
        """K10."""
        criteria = payload.get("chargingProfileCriteria") or {}
        gone = self.stack.clear(
            profile_id=payload.get("chargingProfileId"),
            place=criteria.get("evseId"),
            purpose=criteria.get("chargingProfilePurpose", ""),
            stack=criteria.get("stackLevel"),
        )
        after = (lambda: self._changed(now)) if gone else None
        return Answer(payload={"status": "Accepted" if gone else "Unknown"}, after=after)

    def get_profiles(self, payload: Payload, now: datetime) -> Answer:
        """K09: told by EVSE in ReportChargingProfiles."""
        wanted, place = payload["chargingProfile"], payload.get("evseId")
        found = [one for one in self.stack.profiles if place in (None, one.place) and _fits(one, wanted)]
        if not found:
            return Answer(payload={"status": "NoProfiles"})
        return Answer(payload={"status": "Accepted"}, after=lambda: self._report(payload["requestId"], found, now))

    def composite(self, payload: Payload, now: datetime) -> Answer:
        """K08."""
        place, unit = int(payload["evseId"]), str(payload.get("chargingRateUnit", "A"))
        if not 0 <= place <= 1:
            return rejected("UnknownEvse")
        duration_s = max(0, min(int(payload["duration"]), LONGEST_S))
        periods = self._composite(place, now, duration_s, unit)
        schedule = {
            "evseId": place,
            "duration": duration_s,
            "scheduleStart": self._station.stamp(now),
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": periods or [{"startPeriod": 0, "limit": 0.0}],
        }
        return Answer(payload={"status": "Accepted", "schedule": schedule})

    # Inside

    def _composite(self, place: int, now: datetime, duration_s: float, unit: str) -> list[Payload]:
        return self.stack.composite(
            place,
            self._station.dated(now),
            duration_s,
            began_at=self._began if place else None,
            unit=unit,
            electric=self.electric,
            greatest_a=self._station.outlet.ceiling_a,
        )

    def _purpose_objection(self, profile: Profile, comes_with_start: bool) -> str:
        if profile.purpose == "ChargingStationExternalConstraints":
            return "InvalidProfile"
        if profile.purpose == "ChargingStationMaxProfile" and profile.place != 0:
            return "InvalidProfile"
        if comes_with_start:
            return "" if profile.purpose == "TxProfile" and profile.transaction_id is None else "InvalidProfile"
        if profile.purpose != "TxProfile":
            return ""
        if profile.transaction_id is None or profile.place == 0:
            return "MissingParam"
        return "" if self._station.tx.is_running(profile.transaction_id) else "TxNotFound"

    def _room_objection(self, profile: Profile) -> str:
        others = [one for one in self.stack.profiles if one.profile_id != profile.profile_id]
        if any(_is_rival(one, profile) for one in others):
            return "DuplicateProfile"
        return "TooManyElements" if len(others) >= MAX_PROFILES else ""

    def _report(self, request_id: int, found: list[Profile], now: datetime) -> None:
        places = sorted({one.place for one in found})
        for place in places:
            payload = {
                "requestId": request_id,
                "chargingLimitSource": "CSO",
                "evseId": place,
                "chargingProfile": [one.raw for one in found if one.place == place],
                "tbc": place != places[-1],
            }
            self._station.say(Message(action="ReportChargingProfiles", payload=payload, at=now, is_asked=True))

    def _keep(self, profile: Profile, now: datetime) -> None:
        # Not the stack's own put: it knows no two profiles of one level whose times do not meet.
        self.stack.profiles = [one for one in self.stack.profiles if one.profile_id != profile.profile_id] + [profile]
        self._changed(now)

    def _changed(self, now: datetime) -> None:
        self._is_fresh = False
        rows = [[one.place, one.raw] for one in self.stack.profiles]
        self._station.kept.memory.put(KEPT_PROFILES, json.dumps(rows) if rows else None)
        self._station.steer(now)

    def _read(self) -> None:
        try:
            rows = json.loads(self._station.kept.memory.get(KEPT_PROFILES) or "[]")
            self.stack.profiles = [profile_from(told, int(place)) for place, told in rows]
        except (KeyError, TypeError, ValueError, ArithmeticError):
            self.stack.profiles = []

    def _change_after(self, now: datetime) -> datetime:
        periods = self._composite(1, now, HORIZON_S, "A")
        ahead_s = max(1.0, periods[1]["startPeriod"]) if len(periods) > 1 else HORIZON_S
        return now + timedelta(seconds=ahead_s)

    @property
    def _phases(self) -> int:
        return self._station.equipment.phases

    @property
    def _began(self) -> datetime | None:
        session = self._station.tx.session
        return self._station.dated(session.began_at) if session is not None else None


def rejected(reason: str, info: str = "") -> Answer:
    """Return a refusal with its reason code (part 2, appendix 5)."""
    told = {"reasonCode": reason} | ({"additionalInfo": info} if info else {})
    return Answer(payload={"status": "Rejected", "statusInfo": told})


def _schedule_objection(profile: Profile, told: Payload) -> str:
    if len(told["chargingSchedule"]) != 1 or len(profile.periods) > MAX_PERIODS:
        return "InvalidSchedule"
    if profile.kind == "Recurring" and (not profile.repeats_s or profile.starts_at is None):
        return "InvalidSchedule"
    numbers = [number for start_s, limit, phases in profile.periods for number in (start_s, limit, phases or 1)]
    is_sane = all(0 <= number < ABSURD for number in (*numbers, profile.duration_s or 0))
    return "" if is_sane else "InvalidSchedule"


def _is_rival(one: Profile, other: Profile) -> bool:
    """Say whether two profiles would hold the same place at the same time (K01.FR.39)."""
    same = (one.place, one.purpose, one.stack) == (other.place, other.purpose, other.stack)
    return same and not (_is_over(one, other) or _is_over(other, one))


def _is_over(one: Profile, other: Profile) -> bool:
    return one.valid_to is not None and other.valid_from is not None and one.valid_to <= other.valid_from


def _fits(profile: Profile, wanted: Payload) -> bool:
    ids, sources = wanted.get("chargingProfileId"), wanted.get("chargingLimitSource")
    return (
        (not ids or profile.profile_id in ids)
        and (not sources or "CSO" in sources)
        and wanted.get("chargingProfilePurpose") in (None, profile.purpose)
        and wanted.get("stackLevel") in (None, profile.stack)
    )
