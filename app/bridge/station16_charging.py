"""Smart charging of a bridged 1.6 station (OCPP 1.6 §3.13, §5.5, §5.7, §5.16): profiles become the outlet's limit."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import TYPE_CHECKING

from app.bridge.message import Payload
from app.bridge.station16_keys import MAX_PERIODS, MAX_PROFILES, MAX_STACK
from app.bridge.station16_states import CONNECTORS
from app.ocpp.chargingprofiles import Electric, Profile, ProfileStack, profile_from
from app.ocpp.stamps import written

if TYPE_CHECKING:
    from app.bridge.station16 import Station16

LOOK_S = 10.0
"""How often a schedule is looked at: a unit is told more current once a minute at most [OURS]."""
LONGEST_S = 7 * 86_400
"""The longest composite schedule worked out, in seconds [OURS]."""
USUAL_V = 240.0
"""Where the unit does not tell its voltage: the highest there is at such units, so that watts become fewer amperes."""
TELLING_A = 0.05
"""A smaller change is none."""
_KEPT = "charging profiles"


class Charging16:
    """Holds the profiles, kept over restarts, and allows the outlet what they leave."""

    def __init__(self, station: Station16) -> None:
        self._station = station
        self._memory = station.kept.memory
        self.stack = ProfileStack()
        for place, told in json.loads(self._memory.get(_KEPT) or "[]"):
            self.stack.put(profile_from(told, place))

    def apply(self, now: datetime) -> None:
        """Allow what sessions, profiles and the circuit leave."""
        limit_a = self.limit_a(now)
        if abs(limit_a - self._station.outlet.allowed_a) > TELLING_A:
            self._station.outlet.allow(limit_a)

    def limit_a(self, now: datetime) -> float:
        """Return what the outlet may give now, in A."""
        station = self._station
        if not (station.availability.is_operative and station.sessions.is_entitled):
            return 0.0
        if not self.stack.profiles:
            return station.outlet.ceiling_a
        at = station.clock.at(now)
        return self.stack.limit_at(1, at, self._began_at, self._electric, station.outlet.ceiling_a)

    def began(self, profile: Payload | None) -> None:
        """Take the profile that came with a remote start."""
        if profile is not None:
            self.stack.put(profile_from(profile, 1))
            self._keep()

    def ended(self) -> None:
        """Forget what ends with a transaction (§3.13.1)."""
        if any(one.purpose == "TxProfile" for one in self.stack.profiles):
            self.stack.end_transaction(1)
            self._keep()

    # What the backend orders

    def set_profile(self, connector: int, told: Payload) -> str:
        """§5.16: returns the ChargingProfileStatus."""
        profile = readable(told, connector)
        if profile is None or self._is_refused(connector, profile):
            return "Rejected"
        self.stack.put(profile)
        self._keep()
        return "Accepted"

    def clear(self, payload: Payload) -> str:
        """§5.5: returns the ClearChargingProfileStatus."""
        gone = self.stack.clear(
            profile_id=payload.get("id"),
            place=payload.get("connectorId"),
            purpose=payload.get("chargingProfilePurpose", ""),
            stack=payload.get("stackLevel"),
        )
        if gone:
            self._keep()
        return "Accepted" if gone else "Unknown"

    def composite(self, payload: Payload, now: datetime) -> Payload:
        """§5.7."""
        connector, unit = payload["connectorId"], str(payload.get("chargingRateUnit", "A"))
        if connector not in CONNECTORS or payload["duration"] < 0:
            return {"status": "Rejected"}
        at, duration_s = self._station.clock.at(now), int(min(payload["duration"], LONGEST_S))
        periods = self.stack.composite(
            int(connector),
            at,
            max(duration_s, 1),
            began_at=self._began_at if connector else None,
            unit=unit,
            electric=self._electric,
            greatest_a=self._station.outlet.ceiling_a,
        )
        schedule = {"duration": duration_s, "startSchedule": written(at), "chargingRateUnit": unit}
        return {
            "status": "Accepted",
            "connectorId": connector,
            "scheduleStart": written(at),
            "chargingSchedule": schedule | {"chargingSchedulePeriod": periods},
        }

    # Inside

    @property
    def _began_at(self) -> datetime | None:
        session = self._station.sessions.running
        return session.began_at if session else None

    @property
    def _electric(self) -> Electric:
        return Electric(self._station.seen.voltage_v or USUAL_V, max(self._station.equipment.phases, 1))

    def _is_refused(self, connector: int, profile: Profile) -> bool:
        if connector not in CONNECTORS or not 0 <= profile.stack <= MAX_STACK:
            return True
        if profile.purpose == "ChargePointMaxProfile":
            return connector != 0 or self._is_full(profile)
        if profile.purpose != "TxProfile":
            return self._is_full(profile)
        session = self._station.sessions.running
        if connector == 0 or session is None or self._is_full(profile):
            return True
        return profile.transaction_id is not None and str(profile.transaction_id) != session.transaction_id

    def _is_full(self, profile: Profile) -> bool:
        others = [one for one in self.stack.profiles if one.profile_id != profile.profile_id]
        return len(others) >= MAX_PROFILES

    def _keep(self) -> None:
        kept = [(one.place, one.raw) for one in self.stack.profiles]
        self._memory.put(_KEPT, json.dumps(kept) if kept else None)


def readable(told: Payload, connector: int) -> Profile | None:
    """Read a profile; ``None`` for one that can't be worked with."""
    try:
        profile = profile_from(told, connector)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    numbers = [number for period in profile.periods for number in period[:2]]
    is_finite = all(math.isfinite(number) and number >= 0 for number in [*numbers, profile.duration_s or 0.0])
    has_start = profile.kind != "Absolute" or profile.starts_at is not None
    is_short = len(profile.periods) <= MAX_PERIODS and all(period[2] in (None, 1, 2, 3) for period in profile.periods)
    return profile if is_finite and is_short and has_start else None
