"""A small public key infrastructure for tests, made with ``cryptography`` alone."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key: Key) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


class Authority:
    """A root that signs."""

    def __init__(self, name: str = "Test root", signer: Authority | None = None, *, days: int = 30) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        issuer = signer or self
        self.name = named(name)
        self.certificate = self._signed(self.name, self.key.public_key(), issuer, is_ca=True, days=days)

    @property
    def pem(self) -> str:
        return pem(self.certificate)

    def leaf(self, name: str, *, alternative: str = "", days: int = 30) -> tuple[str, Key]:
        key = ec.generate_private_key(ec.SECP256R1())
        return pem(self._signed(named(name), key.public_key(), self, alternative=alternative, days=days)), key

    def sign(self, csr: str) -> str:
        request = x509.load_pem_x509_csr(csr.encode())
        assert request.is_signature_valid
        return pem(self._signed(request.subject, request.public_key(), self))  # type: ignore[arg-type]

    def server(self, folder: Path, *, name: str = "127.0.0.1", alternative: str = "127.0.0.1") -> ssl.SSLContext:
        """A server context with a fresh leaf that also asks for client certificates of this root, if there are any."""
        chain, key = self.leaf(name, alternative=alternative)
        (folder / "leaf.pem").write_text(chain)
        (folder / "leaf.key").write_text(key_pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "leaf.pem", folder / "leaf.key")
        context.load_verify_locations(cadata=self.pem)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def _signed(
        self,
        subject: x509.Name,
        public: ec.EllipticCurvePublicKey,
        issuer: Authority,
        *,
        is_ca: bool = False,
        alternative: str = "",
        days: int = 30,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=40))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )
        if alternative:
            built = built.add_extension(x509.SubjectAlternativeName([_general(alternative)]), critical=False)
        return built.sign(issuer.key, hashes.SHA256())


def _general(alternative: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(alternative))
    except ValueError:
        return x509.DNSName(alternative)
