"""The certificate store of a simulated unit, for 1.6 (SEC16) and 2.x (part 2, functional blocks A and M)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

Json = dict[str, Any]

HASHES = {"SHA256": hashlib.sha256, "SHA384": hashlib.sha384, "SHA512": hashlib.sha512}

CENTRAL = "CSMSRootCertificate"
"""The kind of root that a unit trusts for its central system; 1.6 calls it CentralSystemRootCertificate."""

UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm)


@dataclass(frozen=True, slots=True)
class Stored:
    """One certificate in the store, with the kind it was installed as."""

    kind: str
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        """Return it as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()


class CertificateStore:
    """Roots by kind, and the unit's own key and chain."""

    def __init__(self, roots: Iterable[str] = (), *, limit: int = 20) -> None:
        self.limit = limit
        self.checks_constraints = True
        self.chain = ""
        self.key = ""
        self._pending_key: ec.EllipticCurvePrivateKey | None = None
        self._stored = [Stored(CENTRAL, certificate) for pem in roots for certificate in certificates_in(pem)]

    def __len__(self) -> int:
        return len(self._stored) + bool(self.chain)

    def roots(self, kind: str) -> tuple[str, ...]:
        """Return the installed certificates of a kind, as PEM."""
        return tuple(entry.pem for entry in self._stored if entry.kind == kind)

    @property
    def has_client(self) -> bool:
        """Say whether it has a client certificate."""
        return bool(self.chain)

    def install(self, kind: str, pem: str, *, needs_old_signature: bool = False) -> tuple[str, str]:
        """Store a root; returns InstallCertificateStatusEnum and a reason code (M05)."""
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode())
        except UNREADABLE:
            return "Rejected", "InvalidCertificate"
        if self.checks_constraints and (not is_authority(certificate) or has_expired(certificate)):
            return "Rejected", "InvalidCertificate"
        olds = [entry.certificate for entry in self._stored if entry.kind == kind]
        if certificate in olds:
            return "Accepted", ""
        if needs_old_signature and kind == CENTRAL and olds and not any(is_signed(certificate, old) for old in olds):
            return "Rejected", "InvalidCertificate"
        if len(self) >= self.limit:
            return "Failed", "OutOfStorage"
        self._stored.append(Stored(kind, certificate))
        return "Accepted", ""

    def listed(self, kinds: Iterable[str]) -> list[Json]:
        """Return CertificateHashDataChainType for the installed certificates of these kinds (all if none)."""
        wanted = set(kinds)
        found = [entry for entry in self._stored if not wanted or entry.kind in wanted]
        return [{"certificateType": entry.kind, "certificateHashData": self._hash(entry, "SHA256")} for entry in found]

    def delete(self, wanted: Json) -> str:
        """Forget a certificate by its hash data; returns DeleteCertificateStatusEnum (M04)."""
        algorithm = str(wanted["hashAlgorithm"])
        own = certificates_in(self.chain)[:1]
        if any(_same(hash_data(leaf, self._issuer(leaf), algorithm), wanted) for leaf in own):
            return "Failed"
        for entry in self._stored:
            if _same(self._hash(entry, algorithm), wanted):
                self._stored.remove(entry)
                return "Accepted"
        return "NotFound"

    def request(self, common_name: str, organisation: str) -> str:
        """Make a new key and return the certificate signing request for it, PEM (A02)."""
        self._pending_key = ec.generate_private_key(ec.SECP256R1())
        name = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        if organisation:
            name.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
        built = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(name))
        signed = built.sign(self._pending_key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM).decode()

    def signed(self, chain: str) -> bool:
        """Take the answer to a request: kept if it fits the key, is in force and trusted (A02.FR.06)."""
        found = certificates_in(chain)
        key = self._pending_key
        if not found or key is None or found[0].public_key() != key.public_key() or has_expired(found[0]):
            return False
        trusted = [entry.certificate for entry in self._stored if entry.kind == CENTRAL]
        if trusted and not any(is_signed(found[-1], root) or found[-1] == root for root in trusted):
            return False
        self.own(chain, _pem_of(key))
        self._pending_key = None
        return True

    def own(self, chain: str, key: str) -> None:
        """Use this chain and key as the unit's own."""
        self.chain, self.key = chain, key

    def _hash(self, entry: Stored, algorithm: str) -> Json:
        return hash_data(entry.certificate, self._issuer(entry.certificate), algorithm)

    def _issuer(self, certificate: x509.Certificate) -> x509.Certificate:
        known = [entry.certificate for entry in self._stored] + certificates_in(self.chain)[1:]
        return next((one for one in known if one.subject == certificate.issuer), certificate)


def certificates_in(pem: str) -> list[x509.Certificate]:
    """Return the certificates of a PEM text, none where it is unreadable."""
    try:
        return x509.load_pem_x509_certificates(pem.encode()) if pem.strip() else []
    except UNREADABLE:
        return []


def hash_data(certificate: x509.Certificate, issuer: x509.Certificate, algorithm: str) -> Json:
    """Return CertificateHashDataType: OCSP's CertID of RFC 6960 §4.1.1; raises KeyError on an unknown algorithm."""
    digest = HASHES[algorithm]
    return {
        "hashAlgorithm": algorithm,
        "issuerNameHash": digest(certificate.issuer.public_bytes()).hexdigest(),
        "issuerKeyHash": digest(_key_bits(issuer)).hexdigest(),
        "serialNumber": f"{certificate.serial_number:x}",
    }


def is_authority(certificate: x509.Certificate) -> bool:
    """Say whether it may sign others."""
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (x509.ExtensionNotFound, ValueError):
        return False


def has_expired(certificate: x509.Certificate) -> bool:
    """Say whether it is not in force now."""
    return not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc


def is_signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Say whether one certificate was issued by the other."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _same(one: Json, other: Json) -> bool:
    fields = ("issuerNameHash", "issuerKeyHash", "serialNumber")
    return all(str(one[name]).lower().lstrip("0") == str(other[name]).lower().lstrip("0") for name in fields)


def _key_bits(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    if isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _pem_of(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
