"""Logs and firmware of a simulated 2.x station (part 2, use cases L01, L02 and N01)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.ocpp.stamps import read
from app.sim.certificates import CertificateStore, certificates_in, has_expired, is_signed
from app.sim.errands import Errands, FirmwareErrand, LogErrand, log_text
from app.sim.station2_evse import Json
from app.sim.station2_orders import Result

if TYPE_CHECKING:
    from app.sim.station2 import Station2


class Transfers:
    """Takes the orders and runs the errands."""

    def __init__(self, station: Station2, errands: Errands, store: CertificateStore) -> None:
        self._station = station
        self._errands = errands
        self._store = store

    def get_log(self, payload: Json) -> Result:
        """N01: a second order cancels the first."""
        kind = str(payload["logType"])
        name = f"{kind}-{self._station.identity}.log"
        lines = [f"{action} {sorted(told)}" for action, told in [*self._station.said, *self._station.heard]]
        errand = LogErrand(
            location=str(payload["log"]["remoteLocation"]),
            name=name,
            content=log_text(self._station.clock, kind, lines),
            request_id=int(payload["requestId"]),
            retries=int(payload.get("retries", 0)),
            interval_s=float(payload.get("retryInterval", 10)),
        )
        status = "AcceptedCanceled" if self._errands.is_uploading else "Accepted"
        return {"status": status, "filename": name}, lambda: self._errands.send_log(errand)

    def update_firmware(self, payload: Json) -> Result:
        """L01 with a signing certificate, L02 without."""
        firmware = payload["firmware"]
        certificate = str(firmware.get("signingCertificate", ""))
        if certificate and not self._is_trusted(certificate):
            return {"status": "InvalidCertificate"}, self._complain
        errand = FirmwareErrand(
            location=str(firmware["location"]),
            request_id=int(payload["requestId"]),
            retrieve_at=read(str(firmware["retrieveDateTime"])),
            install_at=read(str(firmware["installDateTime"])) if "installDateTime" in firmware else None,
            retries=int(payload.get("retries", 0)),
            interval_s=float(payload.get("retryInterval", 10)),
            is_signed=True,
            certificate=certificate,
            signature=str(firmware.get("signature", "")),
        )
        status = "AcceptedCanceled" if self._errands.is_updating else "Accepted"
        return {"status": status}, lambda: self._errands.update(errand)

    def say_log_status(self) -> None:
        """Tell how an upload stands because it was asked to."""
        self._station.tell_log(self._errands.log_status, self._errands.log_id)

    def say_firmware_status(self) -> None:
        """Tell how an update stands because it was asked to."""
        self._station.tell_firmware(self._errands.firmware_status, self._errands.firmware_id)

    def _complain(self) -> None:
        self._station.security.tell("InvalidFirmwareSigningCertificate")

    def _is_trusted(self, certificate: str) -> bool:
        found = certificates_in(certificate)
        makers = [one for pem in self._store.roots("ManufacturerRootCertificate") for one in certificates_in(pem)]
        is_good = bool(found) and not has_expired(found[0])
        return is_good and (not makers or any(is_signed(found[-1], one) for one in makers))
