"""Our own authority: made once, kept by its owner alone, never handed out; what it signs holds."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from app.errors import BadCertificate
from app.model.secret import Secret
from app.storage.vault import MemoryVault
from app.trust import describe, making
from app.trust.authority import PASSPHRASE, Authority
from app.trust.desk import TrustDesk


class Keyring(MemoryVault):
    """A vault that says it outlives the program."""

    is_persistent = True


def request(name: str = "CP-1", *, key: object | None = None) -> str:
    used = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    signed = made.sign(used, hashes.SHA256())  # type: ignore[arg-type]
    return signed.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.open(MemoryVault(), tmp_path_factory.mktemp("trust"))


def test_it_is_made_once_and_found_again(tmp_path: Path):
    first = Authority.open(MemoryVault(), tmp_path)
    assert not list(tmp_path.iterdir())
    root = first.root
    assert root.is_ca
    assert Authority.open(MemoryVault(), tmp_path).root == root


def test_a_charger_that_dials_while_it_is_prepared_gets_a_certificate_that_fits_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    make, is_making, is_second = making.rsa_key, threading.Event(), threading.Event()

    def slow() -> making.Key:
        if is_making.is_set():
            is_second.set()
        is_making.set()
        is_second.wait(0.1)
        return make()

    fresh = Authority.open(MemoryVault(), tmp_path)
    assert fresh.root
    monkeypatch.setattr(making, "rsa_key", slow)
    with ThreadPoolExecutor(1) as desk:
        prepared = desk.submit(fresh.prepare)
        assert is_making.wait(10)
        chain, key = fresh.leaf("rsa", ("127.0.0.1",))
        prepared.result()
    assert not is_second.is_set(), "two keys were made"
    held = serialization.load_pem_private_key(key.encode(), None)
    assert x509.load_pem_x509_certificate(chain.encode()).public_key() == held.public_key()


@pytest.mark.skipif(os.name != "posix", reason="rights of files")
def test_without_a_keyring_the_key_is_readable_by_its_owner_alone(tmp_path: Path):
    made = Authority.open(MemoryVault(), tmp_path / "deep" / "trust")
    assert made.root
    (path,) = (tmp_path / "deep" / "trust").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert str(path) in made.place


def test_with_a_keyring_the_file_is_worth_nothing_alone(tmp_path: Path):
    vault = Keyring()
    root = Authority.open(vault, tmp_path).root
    text = (tmp_path / "authority.pem").read_text()
    assert text.count("ENCRYPTED PRIVATE KEY") == 4
    assert "keyring" in Authority.open(vault, tmp_path).place
    assert Authority.open(vault, tmp_path).root == root
    with pytest.raises(BadCertificate) as locked:
        _ = Authority.open(Keyring(), tmp_path).root
    assert "locked" in locked.value.message
    stranger = Keyring()
    stranger.set(PASSPHRASE, Secret("another"))
    with pytest.raises(BadCertificate):
        _ = Authority.open(stranger, tmp_path).root
    assert (tmp_path / "authority.pem").read_text() == text, "a key that can't be read must not be replaced"


def test_a_keyring_that_fails_at_the_last_moment_locks_nobody_out(tmp_path: Path):
    class Failing(MemoryVault):
        is_persistent = True

        def set(self, name: str, secret: Secret) -> None:
            self.is_persistent = False

    root = Authority.open(Failing(), tmp_path).root
    assert Authority.open(MemoryVault(), tmp_path).root == root


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" * 4])
def test_a_damaged_file_is_named_and_kept(tmp_path: Path, damage: bytes):
    (tmp_path / "authority.pem").write_bytes(damage)
    with pytest.raises(BadCertificate) as error:
        _ = Authority.open(MemoryVault(), tmp_path).root
    assert "authority.pem" in error.value.advice
    assert (tmp_path / "authority.pem").read_bytes() == damage


def test_no_export_holds_a_key(authority: Authority):
    for kind in ("pem", "der", "cer"):
        data = authority.export(kind)
        assert b"PRIVATE" not in data
        assert describe.describe(data) == authority.root
    with pytest.raises(BadCertificate):
        authority.export("key")


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")
@pytest.mark.parametrize("personality", ["rsa", "ec", "cn", "timeless", "tls12"])
def test_openssl_verifies_the_chain(authority: Authority, tmp_path: Path, personality: str):
    chain, key = authority.leaf(personality, ("192.0.2.7", "garage.local"))
    (tmp_path / "root.pem").write_bytes(authority.export("pem"))
    (tmp_path / "chain.pem").write_text(chain)
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "root.pem", "-untrusted"]
    done = subprocess.run(
        [*command, "chain.pem", "chain.pem"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "chain.pem: OK\n", done.stderr
    assert "PRIVATE KEY" in key


def test_a_leaf_names_what_it_is_for(authority: Authority):
    own = describe.describe(authority.leaf("rsa", ("192.0.2.7", "garage.local", "fe80::1"))[0])
    assert own.names == ("192.0.2.7", "garage.local", "fe80::1")
    hosts = describe.load(own.pem).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "192.0.2.7" in hosts.get_values_for_type(x509.DNSName), "Mbed TLS 2.28 looks for addresses there"
    assert own.subject == "CN=192.0.2.7,O=Rehome"
    assert own.key == "RSA 2048"
    assert not own.is_ca
    assert describe.describe(authority.leaf("cn", ("garage.local",))[0]).names == ()
    assert describe.describe(authority.leaf("ec", ("garage.local",))[0]).key == "EC P-256"
    rogue = authority.leaf("rogue", ("garage.local",))[0]
    assert describe.describe(rogue).issuer == describe.describe(rogue).subject
    assert not authority.has_issued(rogue)
    assert authority.leaf("short", ("a",))[0].count("BEGIN") == 1
    timeless = describe.describe(authority.leaf("timeless", ("a",))[0])
    assert timeless.not_before == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_leaf_is_kept_until_its_names_change_or_its_end_is_near(tmp_path: Path):
    now = [datetime.now(UTC)]
    made = Authority(MemoryVault(), tmp_path, lambda: now[0])
    first = made.leaf("rsa", ("a.example",))
    assert made.leaf("rsa", ("a.example",)) == first
    assert made.leaf("rsa", ("a.example", "b.example")) != first
    now[0] += timedelta(days=340)
    assert made.leaf("rsa", ("a.example",)) == first
    now[0] += timedelta(days=40)
    assert made.leaf("rsa", ("a.example",)) != first


def test_a_request_is_signed_for_its_identity_and_for_nothing_else(authority: Authority):
    chain = authority.issue(request(), identity="CP-1")
    own = describe.describe(chain)
    assert own.subject == "CN=CP-1"
    assert not own.is_ca, "what a charger asks for is not what it gets"
    assert authority.has_issued(chain)
    assert describe.common_name(chain) == "CP-1"
    with pytest.raises(BadCertificate) as other:
        authority.issue(request("CP-2"), identity="CP-1")
    assert "CP-2" in other.value.message


@pytest.mark.parametrize(
    "text", ["", "no request", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"]
)
def test_what_is_no_request_is_refused(authority: Authority, text: str):
    with pytest.raises(BadCertificate):
        authority.issue(text)


def test_a_weak_key_is_refused(authority: Authority):
    with pytest.raises(BadCertificate) as error:
        authority.issue(request(key=rsa.generate_private_key(65537, 1024)))
    assert "1024" in error.value.message


def test_client_papers_show_no_key_by_accident(authority: Authority):
    papers = authority.client("CP-1")
    assert papers.certificate.subject == "CN=CP-1,O=Rehome"
    assert "PRIVATE" not in repr(papers)
    assert "PRIVATE" in papers.key_pem.reveal()


def test_hostile_certificates_are_described_or_refused():
    for data in (b"", b"\x30\x82", b"-----BEGIN CERTIFICATE-----\n", "ü", b"\0" * 100_000):
        with pytest.raises(BadCertificate):
            describe.describe(data)
    assert not describe.is_issued_by(b"x", b"y")


def test_nothing_is_loaded_or_made_before_it_is_needed(tmp_path: Path):
    desk = TrustDesk(MemoryVault(), tmp_path / "trust", lambda: ("192.0.2.1",))
    assert "192.0.2.1" in desk.names()
    assert not (tmp_path / "trust").exists()


async def test_the_root_is_saved_by_its_name(tmp_path: Path):
    desk = TrustDesk(MemoryVault(), tmp_path / "trust", tuple)
    root = await desk.prepared()
    for kind in ("pem", "der", "cer"):
        desk.save_root(tmp_path / f"root.{kind}")
        data = (tmp_path / f"root.{kind}").read_bytes()
        assert data.startswith(b"-----BEGIN CERTIFICATE-----" if kind == "pem" else b"\x30\x82")
        assert describe.describe(data) == root
