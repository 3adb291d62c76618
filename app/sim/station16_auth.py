"""Who may charge at a simulated 1.6 station: cards, local list, cache, remote starts, reservations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from app.ocpp.stamps import read
from app.sim.answers import After, Payload
from app.sim.car import Outlet, Reservation, idle_status

if TYPE_CHECKING:
    from app.sim.station import OcppStation

Result = Payload | tuple[Payload, After]


class Authorisation16:
    """Decides on tags with local list and cache, and asks the central system for the rest (§3.4, §3.5)."""

    def __init__(self, station: OcppStation) -> None:
        self._station = station
        self.list_version = 0
        self.entries: dict[str, Payload] = {}

    # A card

    def present(self, tag: str, connector: int | None = None) -> None:
        """Hold a card before the reader: it ends its own transaction or its group's, else it asks to charge."""
        running = next(
            (one for one in self._station.outlets if one.transaction and one.transaction.id_tag == tag), None
        )
        if running is not None:
            self._station.finish(running, "Local")
            return
        self.ask(tag, lambda info: self._decided(tag, info, connector))

    def ask(self, tag: str, decided: Callable[[Payload], None]) -> None:
        """Find out what a tag may; ``decided`` gets the IdTagInfo."""
        station, known = self._station, self.known(tag)
        if not station.is_connected:
            allowed = known if station.is_on("LocalAuthorizeOffline") else None
            unknown_ok = known is None and station.is_on("AllowOfflineTxForUnknownId")
            decided(allowed or {"status": "Accepted" if unknown_ok else "Invalid"})
        elif known is not None and known.get("status") == "Accepted" and station.is_on("LocalPreAuthorize"):
            decided(known)
        else:
            station.say("Authorize", {"idTag": tag}, lambda answer: decided(self._told(tag, answer)))

    def known(self, tag: str) -> Payload | None:
        """Return what the local list, or else the cache, say of a tag that has not expired."""
        station = self._station
        if station.is_on("LocalAuthListEnabled") and tag in self.entries:
            return self._fresh(self.entries[tag])
        if station.is_on("AuthorizationCacheEnabled") and tag in station.known_tags:
            return self._fresh(station.known_tags[tag])
        return None

    # What the central system orders

    def remote_start(self, payload: Payload) -> Result:
        """§5.11: after an Authorize where AuthorizeRemoteTxRequests says so; waits for a car."""
        station, tag, wanted = self._station, str(payload["idTag"]), payload.get("connectorId")
        outlet = self._free(tag, wanted)
        profile = payload.get("chargingProfile")
        is_odd = profile is not None and profile.get("chargingProfilePurpose") != "TxProfile"
        if outlet is None or wanted == 0 or is_odd:
            return {"status": "Rejected"}
        found = outlet

        def begin(info: Payload) -> None:
            if info.get("status") == "Accepted":
                if profile is not None:
                    station.charging.put(found.number, profile)
                self._begin(found, tag)

        if station.is_on("AuthorizeRemoteTxRequests"):
            return {"status": "Accepted"}, lambda: self.ask(tag, begin)
        return {"status": "Accepted"}, lambda: begin({"status": "Accepted"})

    def clear_cache(self, _payload: Payload) -> Payload:
        """§5.4."""
        if not self._station.is_on("AuthorizationCacheEnabled"):
            return {"status": "Rejected"}
        self._station.known_tags.clear()
        return {"status": "Accepted"}

    def list_version_told(self, _payload: Payload) -> Payload:
        """§5.10: -1 where lists are not supported, 0 for an empty one."""
        if not self._station.is_on("LocalAuthListEnabled"):
            return {"listVersion": -1}
        return {"listVersion": self.list_version if self.entries else 0}

    def list_sent(self, payload: Payload) -> Payload:
        """§5.15: full or differential; an entry without info is removed."""
        station, entries = self._station, payload.get("localAuthorizationList") or []
        version = int(payload["listVersion"])
        is_full = payload["updateType"] == "Full"
        if not station.is_on("LocalAuthListEnabled"):
            return {"status": "NotSupported"}
        if not is_full and version <= self.list_version:
            return {"status": "VersionMismatch"}
        if len(entries) > station.number("SendLocalListMaxLength", 100):
            return {"status": "Failed"}
        listed = {} if is_full else dict(self.entries)
        for entry in entries:
            listed.pop(str(entry["idTag"]), None)
            if "idTagInfo" in entry:
                listed[str(entry["idTag"])] = dict(entry["idTagInfo"])
        if len(listed) > station.number("LocalAuthListMaxLength", 500):
            return {"status": "Failed"}
        self.entries, self.list_version = listed, version
        return {"status": "Accepted"}

    # Reservations

    def reserve(self, payload: Payload) -> Result:
        """§5.13."""
        station, number = self._station, int(payload["connectorId"])
        if number == 0 and not station.is_on("ReserveConnectorZeroSupported"):
            return {"status": "Rejected"}
        candidates = station.outlets if number == 0 else [station.outlet(number)]
        wanted = Reservation(int(payload["reservationId"]), str(payload["idTag"]), str(payload.get("parentIdTag", "")))
        until = read(str(payload["expiryDate"]))
        same = next(
            (one for one in station.outlets if one.reservation and one.reservation.number == wanted.number), None
        )
        free = same or next(
            (one for one in candidates if idle_status(one) == "Available" and not one.transaction), None
        )
        if free is not None and free.error == "NoError":
            return {"status": "Accepted"}, lambda: self._reserved(free, wanted, until)
        first = candidates[0]
        if first.error != "NoError":
            return {"status": "Faulted"}
        return {"status": "Occupied" if first.is_available else "Unavailable"}

    def cancel(self, payload: Payload) -> Result:
        """§5.1."""
        for outlet in self._station.outlets:
            if outlet.reservation is not None and outlet.reservation.number == payload["reservationId"]:
                return {"status": "Accepted"}, lambda outlet=outlet: self._released(outlet)
        return {"status": "Rejected"}

    def _reserved(self, outlet: Outlet, wanted: Reservation, until: datetime) -> None:
        outlet.reservation = wanted
        self._station.set_status(outlet, "Reserved")

        def expired() -> None:
            if outlet.reservation is wanted:
                self._released(outlet)

        self._station.at(f"reservation/{wanted.number}", until, expired)

    def _released(self, outlet: Outlet) -> None:
        outlet.reservation = None
        if outlet.transaction is None:
            self._station.set_status(outlet, idle_status(outlet))

    # Inside

    def _told(self, tag: str, answer: Payload) -> Payload:
        info = answer.get("idTagInfo")
        if not isinstance(info, dict):
            return {"status": "Invalid"}
        self._station.told_of(tag, info)
        return info

    def _fresh(self, info: Payload) -> Payload | None:
        try:
            is_over = "expiryDate" in info and read(str(info["expiryDate"])) < self._station.clock.now()
        except ValueError:
            return None
        return {"status": "Expired"} if is_over else info

    def _decided(self, tag: str, info: Payload, connector: int | None) -> None:
        if info.get("status") != "Accepted":
            return
        parent = str(info.get("parentIdTag", ""))
        for outlet in self._station.outlets:
            if parent and outlet.transaction is not None and outlet.transaction.parent == parent:
                self._station.finish(outlet, "Local")
                return
        free = self._free(tag, connector, parent)
        if free is not None:
            self._begin(free, tag)

    def _free(self, tag: str, connector: int | None, parent: str = "") -> Outlet | None:
        free = [one for one in self._station.outlets if one.transaction is None and one.is_available]
        free = [one for one in free if one.error == "NoError" and connector in (None, one.number)]
        free = [one for one in free if _is_for(one.reservation, tag, parent)]
        return next((one for one in free if one.is_plugged), free[0] if free else None)

    def _begin(self, outlet: Outlet, tag: str) -> None:
        station = self._station
        if outlet.is_plugged:
            station.begin(outlet, tag)
            return
        outlet.awaited_tag = tag
        station.set_status(outlet, "Preparing")

        def too_late() -> None:
            if outlet.awaited_tag == tag and outlet.transaction is None:
                outlet.awaited_tag = None
                station.set_status(outlet, idle_status(outlet))

        if wait_s := station.number("ConnectionTimeOut", 60.0):
            station.later(f"connect/{outlet.number}", wait_s, too_late)


def _is_for(reservation: Reservation | None, tag: str, parent: str) -> bool:
    return reservation is None or reservation.tag == tag or bool(parent and reservation.parent == parent)
