"""A firmware image that is none: to see a charger fetch, check and refuse one, without changing anything in it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SIZE = 256_000
TEXT = (
    b"REHOME TEST IMAGE. This is not firmware. It holds no program for any charger. A charger that fetches it is "
    b"expected to refuse it: wrong format, or no signature of its maker.\n"
)
WARNING = (
    "This image is no firmware and signed by nobody a charger trusts. A sound charger fetches it and refuses to "
    "install it. One that does not check what it installs may stop working: do not use it on such a charger."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestImage:
    """The image with its checksums in hex. Signature (Base64) and certificate (PEM) are a stranger's, made for it."""

    __test__ = False  # for pytest, which takes the name for a test

    path: Path
    md5: str
    sha256: str
    signature: str = ""
    certificate: str = ""


def make(folder: Path, *, size: int = SIZE, is_signed: bool = False) -> TestImage:
    """Write the image; ``is_signed``: with the signature of a stranger. Raises OSError."""
    data = (TEXT * (size // len(TEXT) + 1))[:size]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "rehome-test-image.bin"
    path.write_bytes(data)
    signature, certificate = _strangers(data) if is_signed else ("", "")
    return TestImage(
        path=path,
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
        sha256=hashlib.sha256(data).hexdigest(),
        signature=signature,
        certificate=certificate,
    )


def _strangers(data: bytes) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Rehome test image, trusted by nobody")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .sign(key, hashes.SHA256())
    )
    signature = key.sign(data, ec.ECDSA(hashes.SHA256()))
    return base64.b64encode(signature).decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()
