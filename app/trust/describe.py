"""Put X.509 certificates into words. Pure but for the clock that callers pass."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import NameOID

from app.errors import BadCertificate
from app.model.frame import Certificate

LIMIT = 65_536
"""Longest certificate read, in bytes [OURS]."""
NAMES = 100
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp224r1": "P-224"}


def describe(data: bytes | str) -> Certificate:
    """Read a certificate (PEM: the first one; or DER) and say what stands in it. Raises BadCertificate."""
    return described(load(data))


def load(data: bytes | str) -> x509.Certificate:
    """Read a certificate from PEM (the first one) or DER. Raises BadCertificate."""
    raw = data.encode() if isinstance(data, str) else data
    if len(raw) > LIMIT:
        raise BadCertificate(f"The certificate is longer than {LIMIT // 1024} kB.", "Choose the certificate alone.")
    try:
        return x509.load_pem_x509_certificate(raw) if b"-----BEGIN" in raw else x509.load_der_x509_certificate(raw)
    except (ValueError, UnsupportedAlgorithm, TypeError, x509.InvalidVersion) as error:
        raise BadCertificate(f"This is no certificate: {_short(error)}.", "Choose a PEM or DER certificate.") from error


def described(certificate: x509.Certificate) -> Certificate:
    """Say what stands in a certificate; what can't be read stays empty."""
    return Certificate(
        subject=_text(certificate, "subject"),
        issuer=_text(certificate, "issuer"),
        names=_names(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        key=key_text(certificate),
        is_ca=_is_ca(certificate),
        pem=certificate.public_bytes(serialization.Encoding.PEM).decode(),
    )


def is_issued_by(certificate: bytes | str, issuer: bytes | str) -> bool:
    """Say whether one certificate carries the other's name as issuer and its signature."""
    try:
        load(certificate).verify_directly_issued_by(load(issuer))
    except (BadCertificate, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def common_name(data: bytes | str) -> str:
    """Return the subject's common name, empty where there is none. Raises BadCertificate."""
    try:
        found = load(data).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except (ValueError, TypeError):
        return ""
    return str(found[0].value) if found else ""


def key_text(certificate: x509.Certificate) -> str:
    """Return kind and size of a certificate's key: ``RSA 2048``, ``EC P-256``."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "unknown"
    match key:
        case rsa.RSAPublicKey():
            return f"RSA {key.key_size}"
        case ec.EllipticCurvePublicKey():
            return f"EC {_CURVES.get(key.curve.name, key.curve.name)}"
        case ed25519.Ed25519PublicKey():
            return "Ed25519"
        case ed448.Ed448PublicKey():
            return "Ed448"
        case dsa.DSAPublicKey():
            return f"DSA {key.key_size}"
    return "unknown"


def _text(certificate: x509.Certificate, name: str) -> str:
    try:
        text = str(getattr(certificate, name).rfc4514_string())
    except (ValueError, TypeError):
        return ""
    return "".join(char if char.isprintable() else "·" for char in text[:500])


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return ()
    names = (str(item.value) for item in found if isinstance(item, x509.DNSName | x509.IPAddress))
    shown = ("".join(char if char.isprintable() else "·" for char in name[:253]) for name in names)
    return tuple(dict.fromkeys(shown))[:NAMES]


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
