"""Reservations: one card, one connector, until a time (OCPP 1.6 §5.13, P2-201 H01 and H02)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.ocpp import v16
from app.ocpp.endpoint import Endpoint

_ids = itertools.count(int(datetime.now(UTC).timestamp()) & 0xFFFFFF)

WORDS = {
    "Accepted": "Reserved.",
    "Faulted": "The charger or its connector has a fault.",
    "Occupied": "Somebody is charging there, or it is reserved already.",
    "Rejected": "The charger takes no reservations.",
    "Unavailable": "The connector is out of service.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A reservation as it was asked for, and how it stands: the charger's answer, or what became of it."""

    reservation_id: int
    connector: int
    uid: str
    until: datetime
    status: str

    @property
    def text(self) -> str:
        """Say how it stands."""
        ends = {"Expired": "Its time is over.", "Removed": "The charger removed it.", "Cancelled": "Cancelled."}
        return WORDS.get(self.status) or ends.get(self.status) or f"The charger answers {self.status or 'nothing'}."


async def reserve(
    endpoint: Endpoint, connector: int, uid: str, until: datetime, *, kind: str = "ISO14443", group: str = ""
) -> Reservation:
    """Reserve a connector (0 = any) for a card. Raises NotSupported, Refused, LinkError."""
    number = next(_ids)
    if endpoint.version == "1.6":
        request: dict[str, Any] = {
            "connectorId": connector,
            "expiryDate": v16.stamp(until),
            "idTag": uid[:20],
            "reservationId": number,
        } | ({"parentIdTag": group[:20]} if group else {})
    else:
        request = {
            "id": number,
            "expiryDateTime": v16.stamp(until),
            "idToken": {"idToken": uid[:36], "type": kind or "ISO14443"},
        } | ({"evseId": connector} if connector else {})
        if group:
            request["groupIdToken"] = {"idToken": group[:36], "type": "Central"}
    status = v16.text((await endpoint.call("ReserveNow", request)).get("status"), 30)
    return Reservation(reservation_id=number, connector=connector, uid=uid, until=until, status=status)


async def cancel(endpoint: Endpoint, reservation_id: int) -> tuple[str, str]:
    """Cancel a reservation; return status and meaning. Raises NotSupported, Refused, LinkError."""
    answer = await endpoint.call("CancelReservation", {"reservationId": reservation_id})
    status = v16.text(answer.get("status"), 30)
    words = {"Accepted": "Cancelled.", "Rejected": "The charger has no such reservation."}
    return status, words.get(status, f"The charger answers {status or 'nothing'}.")


def updated(payload: Mapping[str, Any]) -> tuple[int, str]:
    """Read a ReservationStatusUpdate of 2.x: the reservation's number, and Expired or Removed."""
    return v16.number(payload.get("reservationId")), v16.text(payload.get("reservationUpdateStatus"), 30)
