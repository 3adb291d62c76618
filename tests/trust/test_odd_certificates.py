"""Certificates and requests of a charger's own making, changed byte by byte: refused in words, whatever they are."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from app.errors import BadCertificate
from app.storage.vault import MemoryVault
from app.trust import describe, imported, making
from app.trust.authority import Authority

NOW = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.open(MemoryVault(), tmp_path_factory.mktemp("trust"))


def spoiled(data: bytes, seed: int) -> bytes:
    """Change one byte at every place in turn, to what depends on the seed."""
    dice = random.Random(seed)
    changed = bytearray(data)
    changed[seed % len(data)] = dice.randrange(128)
    return bytes(changed)


def pem(data: bytes, kind: str) -> str:
    return f"-----BEGIN {kind}-----\n{base64.encodebytes(data).decode()}-----END {kind}-----\n"


def tried(read: Callable[[], object]) -> str:
    try:
        read()
    except BadCertificate as error:
        return error.message
    return ""


def test_no_certificate_breaks_its_reader(authority: Authority) -> None:
    key = making.ec_key()
    made = making.server(
        ["cp.example"], key, None, since=NOW, until=NOW + timedelta(days=9), has_alternatives=True
    ).public_bytes(Encoding.DER)
    refused = 0
    for seed in range(4 * len(made)):
        data = spoiled(made, seed)
        refused += bool(tried(lambda data=data: describe.describe(data)))  # type: ignore[misc]
        tried(lambda data=data: describe.common_name(data))  # type: ignore[misc]
        text = pem(data, "CERTIFICATE").encode()
        tried(lambda text=text: imported.read(text, key=b"-----BEGIN PRIVATE KEY-----", now=NOW))  # type: ignore[misc]
        assert not authority.has_issued(data)
    assert refused


def test_no_request_breaks_the_authority(authority: Authority) -> None:
    made = making.request("CP-1", making.ec_key()).public_bytes(Encoding.DER)
    for seed in range(4 * len(made)):
        text = pem(spoiled(made, seed), "CERTIFICATE REQUEST")
        assert tried(lambda text=text: authority.issue(text)) or spoiled(made, seed) == made  # type: ignore[misc]


def test_a_certificate_of_no_version_is_refused_in_words(tmp_path: Path) -> None:
    made = making.server(["x"], making.ec_key(), None, since=NOW, until=NOW + timedelta(days=9), has_alternatives=True)
    data = bytearray(made.public_bytes(Encoding.DER))
    place = bytes(data).index(b"\xa0\x03\x02\x01\x02")
    data[place + 4] = 99
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(BadCertificate, match="no certificate"):
        describe.describe(bytes(data))
