"""Smart charging of a simulated 1.6 station (§3.13, §5.5, §5.7, §5.16)."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from app.ocpp.chargingprofiles import Electric, Profile, ProfileStack, profile_from
from app.ocpp.stamps import written
from app.sim.answers import After, Payload
from app.sim.car import Outlet

if TYPE_CHECKING:
    from app.sim.station import OcppStation

LOOK_S = 1.0


class Charging16:
    """Holds the profiles and lets them limit the current."""

    def __init__(self, station: OcppStation) -> None:
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
        for outlet in self._station.outlets:
            limit_a = self.stack.limit_at(outlet.number, now, _began(outlet), _electric(outlet), outlet.max_a)
            self._limit(outlet, limit_a)

    def put(self, connector: int, told: Payload) -> None:
        """Keep a profile and apply it."""
        self.stack.put(profile_from(told, connector))
        self.apply()

    def ended(self, outlet: Outlet) -> None:
        """Forget what ends with a transaction."""
        self.stack.end_transaction(outlet.number)
        self.apply()

    # What the central system orders

    def set_profile(self, payload: Payload) -> Payload | tuple[Payload, After]:
        """§5.16."""
        connector, told = int(payload["connectorId"]), payload["csChargingProfiles"]
        try:
            profile = profile_from(told, connector)
        except ValueError:
            return {"status": "Rejected"}
        if self._is_refused(connector, profile):
            return {"status": "Rejected"}
        return {"status": "Accepted"}, lambda: self.put(connector, told)

    def clear(self, payload: Payload) -> Payload:
        """§5.5."""
        gone = self.stack.clear(
            profile_id=payload.get("id"),
            place=payload.get("connectorId"),
            purpose=payload.get("chargingProfilePurpose", ""),
            stack=payload.get("stackLevel"),
        )
        self.apply()
        return {"status": "Accepted" if gone else "Unknown"}

    def composite(self, payload: Payload) -> Payload:
        """§5.7."""
        connector, unit = int(payload["connectorId"]), str(payload.get("chargingRateUnit", "A"))
        if not 0 <= connector <= len(self._station.outlets):
            return {"status": "Rejected"}
        outlet = self._station.outlet(connector or 1)
        now, duration_s = self._station.clock.now(), int(payload["duration"])
        periods = self.stack.composite(
            connector,
            now,
            duration_s,
            began_at=_began(outlet) if connector else None,
            unit=unit,
            electric=_electric(outlet),
            greatest_a=outlet.max_a * (len(self._station.outlets) if connector == 0 else 1),
        )
        schedule = {"duration": duration_s, "startSchedule": written(now), "chargingRateUnit": unit}
        return {
            "status": "Accepted",
            "connectorId": connector,
            "scheduleStart": written(now),
            "chargingSchedule": schedule | {"chargingSchedulePeriod": periods},
        }

    # Inside

    def _limit(self, outlet: Outlet, limit_a: float) -> None:
        if abs(limit_a - outlet.limit_a) < 1e-9:
            return
        outlet.allow(limit_a)
        if outlet.transaction is None:
            return
        flows = outlet.wants_current and limit_a > 0
        outlet.is_charging = flows
        status = "Charging" if flows else "SuspendedEVSE" if limit_a <= 0 else "SuspendedEV"
        if status != outlet.status:
            self._station.set_status(outlet, status)

    def _is_refused(self, connector: int, profile: Profile) -> bool:
        station = self._station
        if not 0 <= connector <= len(station.outlets):
            return True
        if profile.stack > station.number("ChargeProfileMaxStackLevel", 8):
            return True
        if len(profile.periods) > station.number("ChargingScheduleMaxPeriods", 24):
            return True
        if profile.purpose == "ChargePointMaxProfile":
            return connector != 0
        if profile.purpose != "TxProfile":
            return False
        transaction = station.outlet(connector).transaction if connector else None
        wanted = profile.transaction_id
        return transaction is None or wanted not in (None, transaction.transaction_id)


def _began(outlet: Outlet) -> datetime | None:
    return outlet.transaction.began_at if outlet.transaction is not None else None


def _electric(outlet: Outlet) -> Electric:
    return Electric(outlet.voltage_v, outlet.phases)
