"""Certificates before they are sent: what a charger would do with them, said while nothing is done yet. Pure.

Failures 17 and 38: some units refuse a new root that the old one did not sign, some take a leaf for a root and can
never get rid of it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

from app.errors import BadCertificate
from app.model.frame import Certificate
from app.ocpp import v16
from app.trust.describe import described, is_issued_by, load

CERTIFICATE_LIMIT = 5500
"""Characters of InstallCertificate.req (SEC16, P2-201: the schemas say maxLength 5500)."""
CHAIN_LIMIT = 10_000
"""Characters of CertificateSigned.req (maxLength 10000)."""
MAX_INSTALLED = 100
_ALGORITHMS: dict[str, hashes.HashAlgorithm] = {
    "SHA256": hashes.SHA256(),
    "SHA384": hashes.SHA384(),
    "SHA512": hashes.SHA512(),
}
SETTINGS16 = ("AdditionalRootCertificateCheck", "CertificateStoreMaxLength", "CertificateSignedMaxChainSize")
"""SEC16 §7.1, §7.4."""
SETTINGS2 = ("SecurityCtrlr.AdditionalRootCertificateCheck", "SecurityCtrlr.MaxCertificateChainSize")


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateId:
    """How OCPP names an installed certificate (CertificateHashDataType): hashes in lower-case hex."""

    algorithm: str
    name_hash: str
    key_hash: str
    serial: str

    @classmethod
    def of(cls, pem: str, issuer_pem: str = "", algorithm: str = "SHA256") -> CertificateId:
        """Work it out as RFC 6960 §4.1.1 wants it. Raises BadCertificate."""
        certificate = load(pem)
        issuer = load(issuer_pem) if issuer_pem else certificate
        request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, _ALGORITHMS[algorithm]).build()
        return cls(
            algorithm=algorithm,
            name_hash=request.issuer_name_hash.hex(),
            key_hash=request.issuer_key_hash.hex(),
            serial=f"{certificate.serial_number:x}",
        )

    @classmethod
    def read(cls, told: object) -> CertificateId | None:
        """Read a CertificateHashDataType."""
        if not isinstance(told, Mapping):
            return None
        return cls(
            algorithm=v16.text(told.get("hashAlgorithm"), 10),
            name_hash=v16.text(told.get("issuerNameHash"), 128).lower(),
            key_hash=v16.text(told.get("issuerKeyHash"), 128).lower(),
            serial=v16.text(told.get("serialNumber"), 40).lower(),
        )

    @property
    def payload(self) -> dict[str, Any]:
        """Return the CertificateHashDataType."""
        return {
            "hashAlgorithm": self.algorithm,
            "issuerNameHash": self.name_hash,
            "issuerKeyHash": self.key_hash,
            "serialNumber": self.serial,
        }

    def means(self, pem: str, issuer_pem: str = "") -> bool:
        """Say whether it names that certificate; serial numbers with leading zeros are the same."""
        if self.algorithm not in _ALGORITHMS:
            return False
        try:
            other = CertificateId.of(pem, issuer_pem, self.algorithm)
        except (BadCertificate, ValueError):
            return False
        hashes_ = (self.name_hash, self.key_hash) == (other.name_hash, other.key_hash)
        return hashes_ and self.serial.lstrip("0") == other.serial.lstrip("0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """What is known of a charger's certificate store; ``None`` = it does not say."""

    is_chained: bool | None = None
    """AdditionalRootCertificateCheck: a new root must be signed by the old one, which is then replaced."""
    slots: int | None = None
    longest_chain: int | None = None
    installed: tuple[CertificateId, ...] = ()

    @property
    def is_full(self) -> bool:
        """Say whether no slot is free."""
        return self.slots is not None and len(self.installed) >= self.slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One thing that speaks against installing a certificate; ``is_stop``: it would do harm or can't succeed."""

    text: str
    remedy: str
    is_stop: bool


def store_of(settings: Mapping[str, str | None], installed: tuple[CertificateId, ...]) -> Store:
    """Read what a charger's settings say of its store, in the keys of either version."""
    plain = {key.rpartition(".")[2].lower(): value for key, value in settings.items() if value is not None}
    check = plain.get("additionalrootcertificatecheck", "").strip().lower()
    slots = v16.number(plain.get("certificatestoremaxlength"))
    chain = v16.number(plain.get("certificatesignedmaxchainsize") or plain.get("maxcertificatechainsize"))
    return Store(
        is_chained=check == "true" if check in ("true", "false") else None,
        slots=slots or None,
        longest_chain=chain or None,
        installed=installed,
    )


def doubts(pem: str, store: Store, now: datetime) -> tuple[Doubt, ...]:
    """Say what speaks against installing this certificate as a root. Empty = nothing. Raises BadCertificate."""
    certificate = load(pem)
    shown = described(certificate)
    found = [*_of_kind(pem, certificate, shown), *_of_time(shown, now)]
    if len(pem) > CERTIFICATE_LIMIT:
        text = f"It has {len(pem):,} characters; the message takes {CERTIFICATE_LIMIT:,}."
        found.append(Doubt(text=text, remedy="Send the root alone, without a chain or comments.", is_stop=True))
    is_there = any(item.means(pem) for item in store.installed)
    if is_there:
        found.append(Doubt(text="It is installed already.", remedy="Nothing needs to be done.", is_stop=False))
    if store.is_full and not is_there:
        text = f"All {store.slots} places for certificates are taken."
        found.append(Doubt(text=text, remedy="Delete one that is of no use any more first.", is_stop=True))
    if store.is_chained and store.installed and not is_there:
        found.append(_RATCHET)
    return tuple(found)


_RATCHET = Doubt(
    text="AdditionalRootCertificateCheck is on: only a root signed by the one it has now is taken (SEC16 M05.FR.08).",
    remedy="Choose a backend under a root this charger trusts already, or replace the root at the charger itself.",
    is_stop=False,
)


def _of_kind(pem: str, certificate: x509.Certificate, shown: Certificate) -> list[Doubt]:
    if not shown.is_ca:
        text = "It is no CA certificate: some chargers take it all the same and can never delete it (failure 38)."
        return [Doubt(text=text, remedy="Send the root that signed it.", is_stop=True)]
    if certificate.subject != certificate.issuer or not is_issued_by(pem, pem):
        text = f"It is an intermediate, issued by {shown.issuer}, not a root."
        return [Doubt(text=text, remedy="Send the root above it; the backend sends the intermediate.", is_stop=True)]
    return []


def _of_time(shown: Certificate, now: datetime) -> list[Doubt]:
    if shown.not_after is not None and shown.not_after <= now:
        return [Doubt(text=f"It expired on {shown.not_after:%Y-%m-%d}.", remedy="Use its successor.", is_stop=True)]
    if shown.not_before is not None and shown.not_before > now:
        text = f"It is valid from {shown.not_before:%Y-%m-%d} only."
        return [Doubt(text=text, remedy="Check this computer's clock.", is_stop=True)]
    if shown.not_after is not None and shown.not_after - now < timedelta(days=90):
        text = f"It expires on {shown.not_after:%Y-%m-%d}."  # commissioning part 3: red below 90 days
        return [Doubt(text=text, remedy="Plan its successor now.", is_stop=False)]
    return []
