"""Smart charging of a simulated 2.x station (part 2, functional block K)."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from app.ocpp.chargingprofiles import Electric, Profile, ProfileStack, profile_from
from app.ocpp.stamps import written
from app.sim.station2_evse import Evse, Json
from app.sim.station2_orders import Result, rejected

if TYPE_CHECKING:
    from app.sim.station2 import Station2

LOOK_S = 1.0


class Charging:
    """Holds the profiles, lets them limit the current, and tells of them."""

    def __init__(self, station: Station2) -> None:
        self._station = station
        self.stack = ProfileStack()

    async def run(self) -> None:
        """Apply the limits once a second, as schedules go on."""
        while True:
            await asyncio.sleep(max(LOOK_S * self._station.time_scale, 0.02))
            self.apply()

    def apply(self) -> None:
        """Limit every outlet to what the profiles allow now."""
        now = self._station.clock.now()
        for evse in self._station.evses:
            limit_a = self.stack.limit_at(evse.number, now, self._began(evse), self._electric(evse), evse.outlet.max_a)
            if abs(limit_a - evse.outlet.limit_a) > 1e-9:
                evse.outlet.allow(limit_a)
                self._station.transactions.changed(evse, "ChargingRateChanged")

    def put(self, number: int, told: Json) -> None:
        """Keep a profile and apply it."""
        self.stack.put(profile_from(told, number))
        self._counted()
        self.apply()

    def ended(self, evse: Evse) -> None:
        """Forget what ends with a transaction."""
        self.stack.end_transaction(evse.number)
        self._counted()

    # What the central system orders

    def set_profile(self, payload: Json) -> Result:
        """K01."""
        number, told = int(payload["evseId"]), payload["chargingProfile"]
        try:
            profile = profile_from(told, number)
        except ValueError:
            return rejected("InvalidSchedule")
        refusal = self._objection(number, profile)
        return rejected(refusal) if refusal else ({"status": "Accepted"}, lambda: self.put(number, told))

    def clear(self, payload: Json) -> Json:
        """K10."""
        criteria = payload.get("chargingProfileCriteria") or {}
        gone = self.stack.clear(
            profile_id=payload.get("chargingProfileId"),
            place=criteria.get("evseId"),
            purpose=criteria.get("chargingProfilePurpose", ""),
            stack=criteria.get("stackLevel"),
        )
        self._counted()
        self.apply()
        return {"status": "Accepted" if gone else "Unknown"}

    def get_profiles(self, payload: Json) -> Result:
        """K09: told by EVSE in ReportChargingProfiles."""
        wanted, place = payload["chargingProfile"], payload.get("evseId")
        found = [one for one in self.stack.profiles if place in (None, one.place) and _fits(one, wanted)]
        if not found:
            return {"status": "NoProfiles"}
        return {"status": "Accepted"}, lambda: self._report(int(payload["requestId"]), found)

    def composite(self, payload: Json) -> Result:
        """K08."""
        number, unit = int(payload["evseId"]), str(payload.get("chargingRateUnit", "A"))
        if unit not in self._station.model.members("SmartChargingCtrlr", "RateUnit"):
            return rejected("UnsupportedRateUnit")
        if not 0 <= number <= len(self._station.evses):
            return rejected("UnknownEvse")
        evse = self._station.evse(number or 1)
        now, duration_s = self._station.clock.now(), int(payload["duration"])
        periods = self.stack.composite(
            number,
            now,
            duration_s,
            began_at=self._began(evse) if number else None,
            unit=unit,
            electric=self._electric(evse),
            greatest_a=evse.outlet.max_a * (len(self._station.evses) if number == 0 else 1),
        )
        schedule = {"evseId": number, "duration": duration_s, "scheduleStart": written(now), "chargingRateUnit": unit}
        return {"status": "Accepted", "schedule": schedule | {"chargingSchedulePeriod": periods}}

    # Inside

    def _objection(self, number: int, profile: Profile) -> str:
        station = self._station
        if not station.model.is_on("SmartChargingCtrlr", "Enabled"):
            return "NotEnabled"
        if not 0 <= number <= len(station.evses):
            return "UnknownEvse"
        if profile.stack > station.model.number("SmartChargingCtrlr", "ProfileStackLevel", default=8):
            return "InvalidStackLevel"
        if len(profile.periods) > station.model.number("SmartChargingCtrlr", "PeriodsPerSchedule", default=24):
            return "InvalidSchedule"
        if profile.unit not in station.model.members("SmartChargingCtrlr", "RateUnit"):
            return "UnsupportedRateUnit"
        if profile.purpose in ("ChargingStationMaxProfile", "ChargingStationExternalConstraints") and number != 0:
            return "InvalidProfile"
        if profile.purpose != "TxProfile":
            return ""
        evse = station.transactions.find(str(profile.transaction_id))
        if profile.transaction_id is None or number == 0:
            return "MissingParam"
        return "" if evse is not None and evse.number == number else "TxNotFound"

    def _report(self, request_id: int, found: list[Profile]) -> None:
        places = sorted({one.place for one in found})
        for place in places:
            self._station.say(
                "ReportChargingProfiles",
                {
                    "requestId": request_id,
                    "chargingLimitSource": "CSO",
                    "evseId": place,
                    "chargingProfile": [one.raw for one in found if one.place == place],
                    "tbc": place != places[-1],
                },
            )

    def _counted(self) -> None:
        self._station.model.put("SmartChargingCtrlr", "Entries", str(len(self.stack.profiles)), "ChargingProfiles")

    def _began(self, evse: Evse) -> datetime | None:
        return evse.tx.began_at if evse.tx is not None else None

    def _electric(self, evse: Evse) -> Electric:
        return Electric(evse.outlet.voltage_v, evse.outlet.phases)


def _fits(profile: Profile, wanted: Json) -> bool:
    ids = wanted.get("chargingProfileId")
    sources = wanted.get("chargingLimitSource")
    return (
        (not ids or profile.profile_id in ids)
        and (not sources or "CSO" in sources)
        and wanted.get("chargingProfilePurpose") in (None, profile.purpose)
        and wanted.get("stackLevel") in (None, profile.stack)
    )
