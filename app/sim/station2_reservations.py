"""Reservations of a simulated 2.x station (part 2, functional block H)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.ocpp.stamps import read
from app.sim.station2_evse import Evse, IdToken, Json
from app.sim.station2_orders import Result, rejected

if TYPE_CHECKING:
    from app.sim.station2 import Station2


class Reservations:
    """Keeps an EVSE for a token until a time."""

    def __init__(self, station: Station2) -> None:
        self._station = station

    def reserve(self, payload: Json) -> Result:
        """H01: of one EVSE, or of any."""
        station, number, wanted = self._station, int(payload["id"]), payload.get("evseId")
        if not station.model.is_on("ReservationCtrlr", "Enabled"):
            return rejected("NotEnabled")
        candidates = [one for one in station.evses if wanted in (None, one.number)]
        if not candidates:
            return rejected("UnknownEvse")
        same = next((one for one in station.evses if one.reservation == number), None)
        free = same or next((one for one in candidates if one.status == "Available"), None)
        if free is None:
            return {"status": "Occupied" if candidates[0].status == "Reserved" else candidates[0].status}
        until, token = read(str(payload["expiryDateTime"])), IdToken.of(payload["idToken"])

        def after() -> None:
            free.reservation, free.reserved_for = number, token
            station.tell_status(free)
            station.at(f"reservation/{number}", until, lambda: self._expired(free, number))

        return {"status": "Accepted"}, after

    def cancel(self, payload: Json) -> Result:
        """H02."""
        for evse in self._station.evses:
            if evse.reservation == payload["reservationId"]:
                return {"status": "Accepted"}, lambda evse=evse: self._free(evse)
        return rejected("NotFound")

    def _expired(self, evse: Evse, number: int) -> None:
        if evse.reservation == number:
            told = {"reservationId": number, "reservationUpdateStatus": "Expired"}
            self._station.say("ReservationStatusUpdate", told)
            self._free(evse)

    def _free(self, evse: Evse) -> None:
        evse.reservation = evse.reserved_for = None
        self._station.tell_status(evse)
