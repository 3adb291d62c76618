"""Certificates that units show us: seen and described whoever signed them, demanded where a listener is strict."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from app.model.frame import Handshake, TlsSession
from app.model.observation import TlsEnd, TlsFailed
from app.trust import wardrobe as wardrobe_room
from app.trust.authority import Authority
from app.trust.wardrobe import Wardrobe
from tests.ocpp.endpoint_kit import HOST, upgrade
from tests.wire.wire_kit import TlsSite, program, tls_site, trusting

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
NOW = datetime.now(UTC)


def stranger(
    folder: Path,
    *,
    name: str = "CP-1",
    days: int = 30,
    is_weak: bool = False,
    use: ObjectIdentifier | None = None,
    is_odd: bool = False,
    self_signed: bool = True,
) -> Path:
    """Make a client certificate that nobody we know has signed."""
    key = rsa.generate_private_key(65537, 1024) if is_weak else ec.generate_private_key(ec.SECP256R1())
    issuer_key = key if self_signed else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = subject if self_signed else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Vendor CA")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(NOW - timedelta(days=60))
        .not_valid_after(NOW + timedelta(days=days))
    )
    if use is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    if is_odd:
        builder = builder.add_extension(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\5\0"), critical=True)
    path = folder / "stranger.pem"
    form = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + builder.sign(issuer_key, hashes.SHA256()).public_bytes(form)
    )
    return path


def shown(authority: Authority, path: Path | None, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = trusting(authority)
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    if path is not None:
        context.load_cert_chain(path)
    return context


async def session_of(here: TlsSite, context: ssl.SSLContext) -> TlsSession:
    reader, writer = await asyncio.open_connection(HOST, here.port, ssl=context)
    writer.write(upgrade())
    assert b" 101 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    session = here.server.endpoints["CP-1"].handshake.tls
    writer.transport.abort()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    assert session is not None
    return session


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "made",
    [{}, {"self_signed": False}, {"days": -5}, {"is_weak": True}, {"is_odd": True}, {"name": "Someone else"}],
    ids=["self-signed", "unknown issuer", "expired", "1024 bits", "odd extension", "other name"],
)
async def test_any_certificate_of_a_unit_is_taken_and_described(
    wardrobe: Wardrobe, authority: Authority, tmp_path: Path, version: ssl.TLSVersion, made: dict[str, object]
):
    path = stranger(tmp_path, **made)  # type: ignore[arg-type]
    async with tls_site(wardrobe, security_profile=3) as here:
        session = await session_of(here, shown(authority, path, version))
        assert session.peer is not None
        assert session.peer.subject == f"CN={made.get('name', 'CP-1')}"
        assert session.peer.issuer == ("CN=Vendor CA" if "self_signed" in made else session.peer.subject)
        assert session.peer.not_after is not None
        assert (session.peer.not_after < NOW) == ("days" in made)
        assert not session.is_peer_trusted


@pytest.mark.parametrize("version", VERSIONS)
async def test_our_own_certificate_is_known_again(
    wardrobe: Wardrobe, authority: Authority, tmp_path: Path, version: ssl.TLSVersion
):
    papers = authority.client("CP-1")
    path = tmp_path / "ours.pem"
    path.write_text(papers.key_pem.reveal() + papers.chain_pem)
    for is_strict in (False, True):
        async with tls_site(wardrobe, security_profile=3, is_strict=is_strict) as here:
            session = await session_of(here, shown(authority, path, version))
            assert session.peer is not None
            assert session.peer.subject == "CN=CP-1,O=Rehome"
            assert session.is_peer_trusted


async def test_a_unit_without_a_certificate_is_let_in_unless_we_are_strict(wardrobe: Wardrobe, authority: Authority):
    async with tls_site(wardrobe, security_profile=3) as here:
        assert (await session_of(here, shown(authority, None, VERSIONS[0]))).peer is None
        await here.plan(is_strict=True)
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection(HOST, here.port, ssl=shown(authority, None, VERSIONS[0]))
        failed = await here.observed(TlsFailed)
        assert failed.end is TlsEnd.REFUSED_BY_US
        assert "showed no client certificate" in (await here.knock("tls-failed")).text


async def test_nobody_is_asked_below_profile_three(wardrobe: Wardrobe, authority: Authority, tmp_path: Path):
    async with tls_site(wardrobe) as here:
        assert (await session_of(here, shown(authority, stranger(tmp_path), VERSIONS[1]))).peer is None


async def test_a_strict_listener_refuses_a_stranger_and_another_name(
    wardrobe: Wardrobe, authority: Authority, tmp_path: Path
):
    async with tls_site(wardrobe, security_profile=3, is_strict=True) as here:
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection(HOST, here.port, ssl=shown(authority, stranger(tmp_path), VERSIONS[0]))
        assert "We refused its client certificate" in (await here.knock("tls-failed")).text
        papers = authority.client("CP-2")
        (tmp_path / "two.pem").write_text(papers.key_pem.reveal() + papers.chain_pem)
        context = shown(authority, tmp_path / "two.pem", VERSIONS[0])
        reader, writer = await asyncio.open_connection(HOST, here.port, ssl=context)
        writer.write(upgrade("/CP-1"))
        assert b" 401 " in await asyncio.wait_for(reader.readline(), 5)
        assert "“CP-2”" in (await here.knock("refused")).text
        writer.transport.abort()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_a_certificate_for_another_use_is_named_and_not_asked_for_again(
    wardrobe: Wardrobe, authority: Authority, tmp_path: Path
):
    path = stranger(tmp_path, use=ExtendedKeyUsageOID.SERVER_AUTH)
    async with tls_site(wardrobe, security_profile=3) as here:
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection(HOST, here.port, ssl=shown(authority, path, VERSIONS[0]))
        told = await here.knock("tls-failed")
        assert "unsuitable certificate purpose" in told.text
        assert "CN=CP-1" in told.text
        assert (await session_of(here, shown(authority, path, VERSIONS[0]))).peer is None


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_openssl_is_asked_and_described(wardrobe: Wardrobe, tmp_path: Path, version: str):
    path = stranger(tmp_path, self_signed=False)
    async with tls_site(wardrobe, security_profile=3) as here:
        command = ("openssl", "s_client", "-connect", f"{HOST}:{here.port}", version, "-quiet", "-no_ign_eof")
        await program(*command, "-cert", str(path), "-key", str(path), feed=upgrade())
        assert (await here.knock("accepted")).identity == "CP-1"
        (shake,) = (seen for seen in here.seen if isinstance(seen, Handshake))
        assert shake.tls is not None
        assert shake.tls.peer is not None
        assert shake.tls.peer.issuer == "CN=Vendor CA"


def test_the_private_hook_of_ssl_is_still_there():
    assert isinstance(ssl.SSLContext._msg_callback, property)


def test_a_certificate_message_that_is_cut_or_empty_holds_no_certificate():
    read = wardrobe_room.first_certificate
    assert read(b"", is_13=True) == b""
    assert read(b"\x0b\0\0\3\0\0\0", is_13=False) == b""
    assert read(b"\x0b\0\0\4\0\0\0\0", is_13=True) == b""
    assert read(b"\x0b\0\0\x0a\0\0\7\0\0\xff\1\2", is_13=False) == b""
    assert read(b"\x0b\0\0\x08\0\0\5\0\0\2\1\2", is_13=False) == b"\1\2"
