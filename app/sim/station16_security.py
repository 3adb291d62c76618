"""Security of a simulated 1.6 station: certificates, profiles, logs, firmware (OCA white paper SEC16, edition 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.ocpp.stamps import read
from app.sim.answers import After, Payload
from app.sim.certificates import CENTRAL, CertificateStore, certificates_in, has_expired, is_signed
from app.sim.errands import Errands, FirmwareErrand, LogErrand, log_text
from app.sim.fault import Fault

if TYPE_CHECKING:
    from app.sim.station import OcppStation

Result = Payload | tuple[Payload, After]

KINDS = {"CentralSystemRootCertificate": CENTRAL, "ManufacturerRootCertificate": "ManufacturerRootCertificate"}
PROFILE_ATTEMPTS = 3
"""Failed attempts on a new security profile before the old one comes back (SEC16 A05.FR.06)."""


class Security16:
    """Acts on the certificate store, on the security profile, and runs errands."""

    def __init__(self, station: OcppStation, store: CertificateStore, errands: Errands) -> None:
        self._station = station
        self._store = store
        self._errands = errands
        self._former_profile: int | None = None

    @property
    def profile(self) -> int:
        """Return the security profile in force."""
        return int(self._station.number("SecurityProfile", 0))

    def tell(self, event: str, detail: str = "") -> None:
        """Tell a security event (A04)."""
        payload = {"type": event, "timestamp": self._station.clock.text()} | ({"techInfo": detail} if detail else {})
        self._station.say("SecurityEventNotification", payload)

    def aim(self) -> None:
        """Trust the installed roots; show the own certificate on profile 3."""
        tls = self._station.tls
        tls.roots = self._store.roots(CENTRAL)
        shows = self.profile == 3
        tls.chain, tls.key = (self._store.chain, self._store.key) if shows else ("", "")

    def sign(self) -> None:
        """Ask for a certificate over a new key (A02)."""
        organisation = self._station.configuration["CpoName"].value or ""
        csr = self._store.request(self._station.identity, organisation)
        self._station.say("SignCertificate", {"csr": csr}, is_asked=True)

    # The security profile

    def change_profile(self, value: str) -> str:
        """A05: only upwards, and only with what the profile needs."""
        if not value.isdigit() or not self.profile < int(value) <= 3:
            return "Accepted" if value == str(self.profile) else "Rejected"
        wanted = int(value)
        has_login = bool(self._station.configuration["AuthorizationKey"].value)
        has_root = bool(self._store.roots(CENTRAL)) or not self._station.tls.verifies
        if (wanted <= 2 and not has_login) or (wanted >= 2 and not has_root):
            return "Rejected"
        if wanted == 3 and not self._store.has_client:
            return "Rejected"
        self._former_profile = self.profile
        self._station.configuration["SecurityProfile"].value = value
        self._station.aim()
        self._station.redial_soon(1.0)
        return "Accepted"

    def opened(self) -> None:
        """Note that the present profile works."""
        self._former_profile = None

    def failed(self, failures: int) -> None:
        """Fall back to the former profile after some attempts in vain."""
        if self._former_profile is not None and failures >= PROFILE_ATTEMPTS:
            self._station.configuration["SecurityProfile"].value = str(self._former_profile)
            self._former_profile = None
            self._station.aim()

    # Certificates

    def signed(self, payload: Payload) -> Result:
        """A02: the new certificate is used from the next connection on."""
        if not self._store.signed(str(payload["certificateChain"])):
            return {"status": "Rejected"}, lambda: self.tell("InvalidChargePointCertificate")

        def after() -> None:
            if self.profile == 3:
                self.aim()
                self._station.redial_soon(1.0)

        return {"status": "Accepted"}, after

    def install(self, payload: Payload) -> Payload:
        """M05."""
        self._store.checks_constraints = Fault.STORES_ANY_CERTIFICATE not in self._station.faults
        needs_old = self._station.is_on("AdditionalRootCertificateCheck")
        kind = KINDS[str(payload["certificateType"])]
        status, _ = self._store.install(kind, str(payload["certificate"]), needs_old_signature=needs_old)
        self.aim()
        return {"status": status}

    def installed(self, payload: Payload) -> Payload:
        """M03."""
        found = self._store.listed([KINDS[str(payload["certificateType"])]])
        if not found:
            return {"status": "NotFound"}
        return {"status": "Accepted", "certificateHashData": [one["certificateHashData"] for one in found]}

    def delete(self, payload: Payload) -> Payload:
        """M04."""
        return {"status": self._store.delete(payload["certificateHashData"])}

    # Logs and firmware

    def get_diagnostics(self, payload: Payload) -> Result:
        """§5.9 and §4.4 of the core standard."""
        name = f"diagnostics-{self._station.identity}.log"
        errand = LogErrand(
            location=str(payload["location"]),
            name=name,
            content=self._log("diagnostics"),
            retries=int(payload.get("retries", 0)),
            interval_s=float(payload.get("retryInterval", 10)),
            words=("Uploading", "Uploaded", "UploadFailed"),
        )
        return {"fileName": name}, lambda: self._errands.send_log(errand)

    def get_log(self, payload: Payload) -> Result:
        """N01: a second order cancels the first."""
        kind = str(payload["logType"])
        name = f"{kind}-{self._station.identity}.log"
        errand = LogErrand(
            location=str(payload["log"]["remoteLocation"]),
            name=name,
            content=self._log(kind),
            request_id=int(payload["requestId"]),
            retries=int(payload.get("retries", 0)),
            interval_s=float(payload.get("retryInterval", 10)),
        )
        status = "AcceptedCanceled" if self._errands.is_uploading else "Accepted"
        return {"status": status, "filename": name}, lambda: self._errands.send_log(errand)

    def update_firmware(self, payload: Payload) -> Result:
        """§5.19."""
        errand = FirmwareErrand(
            location=str(payload["location"]),
            retrieve_at=read(str(payload["retrieveDate"])),
            retries=int(payload.get("retries", 0)),
            interval_s=float(payload.get("retryInterval", 10)),
        )
        return {}, lambda: self._errands.update(errand)

    def signed_update(self, payload: Payload) -> Result:
        """L01: the signing certificate is checked before anything else."""
        firmware = payload["firmware"]
        found = certificates_in(str(firmware["signingCertificate"]))
        makers = [one for pem in self._store.roots("ManufacturerRootCertificate") for one in certificates_in(pem)]
        trusted = (
            found and not has_expired(found[0]) and (not makers or any(is_signed(found[-1], one) for one in makers))
        )
        if not trusted:
            return {"status": "InvalidCertificate"}, lambda: self.tell("InvalidFirmwareSigningCertificate")
        errand = FirmwareErrand(
            location=str(firmware["location"]),
            request_id=int(payload["requestId"]),
            retrieve_at=read(str(firmware["retrieveDateTime"])),
            install_at=read(str(firmware["installDateTime"])) if "installDateTime" in firmware else None,
            retries=int(payload.get("retries", 0)),
            interval_s=float(payload.get("retryInterval", 10)),
            is_signed=True,
            certificate=str(firmware["signingCertificate"]),
            signature=str(firmware["signature"]),
        )
        status = "AcceptedCanceled" if self._errands.is_updating else "Accepted"
        return {"status": status}, lambda: self._errands.update(errand)

    # Triggers

    def trigger(self, payload: Payload, is_extended: bool) -> Payload | tuple[Payload, After] | None:
        """Answer the triggers of logs, firmware and certificates; ``None`` for the ones of the core."""
        station, errands = self._station, self._errands
        sayings: dict[str, After] = {
            "FirmwareStatusNotification": lambda: station.say_firmware(
                errands.firmware_status, errands.firmware_id, is_signed=is_extended
            ),
        }
        if is_extended:
            sayings["LogStatusNotification"] = lambda: station.tell_log(errands.log_status, errands.log_id or 0)
            sayings["SignChargePointCertificate"] = self.sign
        else:
            sayings["DiagnosticsStatusNotification"] = lambda: station.tell_log(errands.log_status, None)
        saying = sayings.get(str(payload["requestedMessage"]))
        return ({"status": "Accepted"}, saying) if saying else None

    def _log(self, kind: str) -> bytes:
        lines = [f"{action} {sorted(payload)}" for action, payload in [*self._station.said, *self._station.heard]]
        return log_text(self._station.clock, kind, lines)
