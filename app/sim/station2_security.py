"""Certificates and security events of a simulated 2.x station (part 2, functional blocks A and M)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.sim.certificates import CENTRAL, CertificateStore
from app.sim.dialtls import DialTls
from app.sim.fault import Fault
from app.sim.station2_evse import Json
from app.sim.station2_orders import Result, rejected

if TYPE_CHECKING:
    from app.sim.station2 import Station2


class Security:
    """Acts on the certificate store and tells what happens to it."""

    def __init__(self, station: Station2, store: CertificateStore) -> None:
        self._station = station
        self._store = store

    def tell(self, event: str, detail: str = "") -> None:
        """Tell a security event (A04; the list of events is appendix 1)."""
        payload = {"type": event, "timestamp": self._station.clock.text()} | ({"techInfo": detail} if detail else {})
        self._station.say("SecurityEventNotification", payload)

    def aim(self, tls: DialTls, profile: int) -> None:
        """Trust the installed roots, and show the own certificate where the security profile asks for it."""
        tls.roots = self._store.roots(CENTRAL)
        shows = profile == 3
        tls.chain, tls.key = (self._store.chain, self._store.key) if shows else ("", "")

    def sign(self, kind: str) -> None:
        """Ask the central system to sign a new key (A02)."""
        station = self._station
        csr = self._store.request(station.identity, station.model.text("SecurityCtrlr", "OrganizationName"))
        station.say("SignCertificate", {"csr": csr, "certificateType": kind}, is_asked=True)

    # What the central system orders

    def signed(self, payload: Json) -> Result:
        """A02: use the new certificate for the next connection, which follows soon on profile 3."""
        kind = payload.get("certificateType", "ChargingStationCertificate")
        if kind != "ChargingStationCertificate" or not self._store.signed(str(payload["certificateChain"])):
            return rejected("InvalidCertificate"), lambda: self.tell("InvalidChargingStationCertificate")
        self._counted()

        def after() -> None:
            if self._station.network.security_profile == 3:
                self._station.network.start()
                self._station.redial_soon()

        return {"status": "Accepted"}, after

    def install(self, payload: Json) -> Result:
        """M05."""
        self._store.checks_constraints = Fault.STORES_ANY_CERTIFICATE not in self._station.faults
        status, reason = self._store.install(
            str(payload["certificateType"]),
            str(payload["certificate"]),
            needs_old_signature=self._station.model.is_on("SecurityCtrlr", "AdditionalRootCertificateCheck"),
        )
        self._counted()
        self._station.network.aim()
        return {"status": status} | ({"statusInfo": {"reasonCode": reason}} if reason else {})

    def installed(self, payload: Json) -> Json:
        """M03."""
        found = self._store.listed(payload.get("certificateType") or ())
        return {"status": "Accepted", "certificateHashDataChain": found} if found else {"status": "NotFound"}

    def delete(self, payload: Json) -> Json:
        """M04."""
        status = self._store.delete(payload["certificateHashData"])
        self._counted()
        return {"status": status}

    def _counted(self) -> None:
        self._station.model.put("SecurityCtrlr", "CertificateEntries", str(len(self._store)))
