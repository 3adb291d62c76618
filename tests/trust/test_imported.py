"""Importing somebody else's certificate: PEM and PKCS#12, with what is wrong in words."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from app.errors import BadCertificate, KeyMissing
from app.model.secret import Secret
from app.storage.vault import MemoryVault
from app.trust.desk import TrustDesk

NOW = datetime.now(UTC)
PEM = serialization.Encoding.PEM


class Made:
    """A certificate as a backend operator would hand it out."""

    def __init__(self, *, days: int = 90, since: int = -1) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "csms.example")])
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Public CA")]))
            .public_key(self.key.public_key())
            .serial_number(7)
            .not_valid_before(NOW + timedelta(days=min(since, days - 1)))
            .not_valid_after(NOW + timedelta(days=days))
            .sign(self.key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(PEM)

    def key_pem(self, password: bytes = b"") -> bytes:
        lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        return self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, lock)

    def p12(self, password: bytes = b"") -> bytes:
        lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        return pkcs12.serialize_key_and_certificates(b"x", self.key, self.certificate, None, lock)


@pytest.fixture
def desk(tmp_path: Path) -> TrustDesk:
    return TrustDesk(MemoryVault(), tmp_path / "trust", tuple)


def test_pem_and_pkcs12_are_taken_kept_and_forgotten(desk: TrustDesk, tmp_path: Path):
    made = Made()
    for data, key, password in (
        (made.key_pem() + made.pem, b"", None),
        (made.pem, made.key_pem(), None),
        (made.pem, made.key_pem(b"secret"), Secret("secret")),
        (made.p12(), b"", None),
        (made.p12(b"secret"), b"", Secret("secret")),
    ):
        taken = desk.take(data, key=key, password=password)
        assert taken.certificate.subject == "CN=csms.example"
        assert any("intermediate" in text for text in taken.warnings)
        again = TrustDesk(MemoryVault(), tmp_path / "trust", tuple)
        assert again.imported == taken.certificate
        again.check("imported")
    assert stat.S_IMODE((tmp_path / "trust" / "imported.pem").stat().st_mode) & 0o077 == 0
    desk.forget()
    assert desk.imported is None
    with pytest.raises(BadCertificate):
        desk.check("imported")


def test_what_is_wrong_is_said(desk: TrustDesk):
    made, other, old = Made(), Made(), Made(days=-3)
    cases: list[tuple[bytes, bytes, Secret | None, str]] = [
        (made.pem, other.key_pem(), None, "does not match"),
        (old.pem, old.key_pem(), None, "expired on"),
        (made.pem, made.key_pem(b"secret"), None, "encrypted"),
        (made.pem, made.key_pem(b"secret"), Secret("wrong"), "password is wrong"),
        (made.p12(b"secret"), b"", None, "encrypted"),
        (made.p12(b"secret"), b"", Secret("wrong"), "password is wrong"),
        (made.key_pem(), b"", None, "no readable certificate"),
        (b"hello", b"", None, "neither PEM nor PKCS#12"),
        (b"x" * 1_000_001, b"", None, "longer than"),
        (made.pem + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"", None, "can't be read"),
    ]
    for data, key, password, words in cases:
        with pytest.raises(BadCertificate) as error:
            desk.take(data, key=key, password=password)
        assert words in error.value.message
        assert error.value.advice
    with pytest.raises(KeyMissing):
        desk.take(made.pem)
    assert desk.imported is None


def test_a_certificate_of_the_future_is_taken_with_a_warning(desk: TrustDesk):
    made = Made(days=90, since=30)
    assert any("valid from" in text for text in desk.take(made.key_pem() + made.pem).warnings)
