"""A certificate and key that somebody else made: read from PEM or PKCS#12, refused in words where they can't work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from app.errors import BadCertificate, KeyMissing
from app.model.frame import Certificate
from app.model.secret import Secret
from app.trust import describe
from app.trust.keeping import encryption, write_private

LIMIT = 1_000_000
"""Longest file read, in bytes [OURS]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A server's certificate chain and key. ``warnings`` say what will not please every charger."""

    certificate: Certificate
    chain_pem: str
    key_pem: Secret
    warnings: tuple[str, ...] = ()


def read(data: bytes, *, key: bytes = b"", password: Secret | None = None, now: datetime) -> Imported:
    """Read PEM (certificates and key in one file, or the key in ``key``) or PKCS#12. Raises BadCertificate."""
    if len(data) > LIMIT or len(key) > LIMIT:
        raise BadCertificate("The file is longer than a megabyte.", "Choose the certificate and its key alone.")
    secret = password.reveal().encode() if password else None
    chain, private = _pem_parts(data, key, secret) if b"-----BEGIN" in data else _pkcs12(data, secret)
    own = [item for item in chain if item.public_key() == private.public_key()]
    if not own:
        raise BadCertificate(
            "The key does not match the certificate.", "Choose the key that was made with the certificate's request."
        )
    ordered = [own[0], *(item for item in chain if item is not own[0])]
    if own[0].not_valid_after_utc < now:
        raise BadCertificate(
            f"The certificate expired on {own[0].not_valid_after_utc:%Y-%m-%d}.",
            "Have it renewed, then import it again.",
        )
    plain = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Imported(
        certificate=describe.described(own[0]),
        chain_pem="".join(item.public_bytes(serialization.Encoding.PEM).decode() for item in ordered),
        key_pem=Secret(plain.decode()),
        warnings=_warnings(ordered, now),
    )


def save(imported: Imported, path: Path, lock: Secret) -> None:
    """Keep certificate and key for the next start, as our own authority's key is kept. Raises BadCertificate."""
    private = serialization.load_pem_private_key(imported.key_pem.reveal().encode(), None)
    text = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption(lock))
    try:
        write_private(path, text.decode() + imported.chain_pem)
    except OSError as error:
        raise BadCertificate(f"It can't be kept: {error.strerror or error}.", f"Check {path.parent}.") from error


def _pem_parts(
    data: bytes, key: bytes, password: bytes | None
) -> tuple[list[x509.Certificate], serialization.pkcs12.PKCS12PrivateKeyTypes]:
    try:
        chain = x509.load_pem_x509_certificates(data)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise BadCertificate(
            "There is no readable certificate in the file.", "Choose a PEM or PKCS#12 file."
        ) from error
    source = key or data
    if b"PRIVATE KEY-----" not in source:
        raise KeyMissing("The key is missing.", "Choose the key's file too, or a PKCS#12 file that holds both.")
    return chain, _private(source[source.index(b"-----BEGIN", _key_at(source)) :], password)


def _key_at(source: bytes) -> int:
    """Return where the key's block begins, behind what may stand before it (OpenSSL writes EC parameters)."""
    end = source.index(b"PRIVATE KEY-----")
    return source.rindex(b"-----BEGIN", 0, end)


def _private(data: bytes, password: bytes | None) -> pkcs12.PKCS12PrivateKeyTypes:
    is_locked = b"ENCRYPTED" in data
    if is_locked and not password:
        raise BadCertificate("The key is encrypted.", "Give its password.")
    try:
        private = serialization.load_pem_private_key(data, password if is_locked else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        why = "The password is wrong, or the key is damaged." if is_locked else "The key can't be read."
        raise BadCertificate(why, "Try the password again, or export the key anew.") from error
    return _usable(private)


def _pkcs12(data: bytes, password: bytes | None) -> tuple[list[x509.Certificate], pkcs12.PKCS12PrivateKeyTypes]:
    try:
        private, certificate, others = pkcs12.load_key_and_certificates(data, password)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        if "password" in str(error).lower():
            why = "The password is wrong." if password else "The file is encrypted."
            raise BadCertificate(why, "Give the password it was exported with.") from error
        raise BadCertificate("This is neither PEM nor PKCS#12.", "Choose a .pem, .p12 or .pfx file.") from error
    if private is None or certificate is None:
        raise BadCertificate("The file holds no certificate with its key.", "Export both into it.")
    return [certificate, *others], _usable(private)


def _usable(private: object) -> pkcs12.PKCS12PrivateKeyTypes:
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    if not isinstance(
        private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
    ):
        raise BadCertificate("This kind of key can't serve TLS.", "Use RSA or an elliptic curve.")
    return private


def _warnings(chain: list[x509.Certificate], now: datetime) -> tuple[str, ...]:
    found = []
    own = chain[0]
    if own.not_valid_before_utc > now:
        found.append(f"It is valid from {own.not_valid_before_utc:%Y-%m-%d} on only.")
    if len(chain) == 1 and own.issuer != own.subject:
        found.append("The intermediate certificate is missing; chargers that know only the root will refuse it.")
    if not describe.described(own).names:
        found.append("It names no host in subjectAltName.")
    return tuple(found)
