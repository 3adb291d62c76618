"""TLS on the port where plain ws is spoken too, seen by clients that are not ours."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import struct
from pathlib import Path

import pytest
import websockets

from app.model.observation import TlsEnd, TlsFailed
from app.trust.authority import Authority
from app.trust.wardrobe import Wardrobe
from tests.ocpp.endpoint_kit import HOST, ask, unit, upgrade
from tests.wire.wire_kit import TlsSite, program, tls_site, trusting

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def pinned(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    context.minimum_version = context.maximum_version = version
    return context


def careless(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return pinned(context, version)


async def s_client(here: TlsSite, *options: str, feed: bytes = b"") -> str:
    return await program("openssl", "s_client", "-connect", f"{HOST}:{here.port}", *options, feed=feed)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_unit_that_knows_our_root_speaks_ocpp_over_tls(
    wardrobe: Wardrobe, authority: Authority, version: ssl.TLSVersion
):
    async with tls_site(wardrobe) as here:
        client = pinned(trusting(authority), version)
        async with websockets.connect(here.url + "CP-1", ssl=client, subprotocols=["ocpp1.6"]) as link:
            await link.send(json.dumps([2, "b", "DataTransfer", {"vendorId": "v", "data": "x" * 100_000}]))
            assert json.loads(await link.recv())[0] == 3
            session = here.server.endpoints["CP-1"].handshake.tls
            assert session is not None
            assert session.version == {"TLSv1_2": "TLS 1.2", "TLSv1_3": "TLS 1.3"}[version.name]
            assert session.suite
            assert session.hello.versions[0] == session.version
            assert session.hello.suites
            told = await here.knock("accepted")
            assert told.hello == session.hello
            assert told.local == f"{HOST}:{here.port}"
            assert f"over {session.version}" in told.text


async def test_plain_and_tls_share_the_port(wardrobe: Wardrobe, authority: Authority):
    async with (
        tls_site(wardrobe) as here,
        unit(here.inner, "PLAIN") as plain,
        websockets.connect(here.url + "TLS", ssl=trusting(authority), subprotocols=["ocpp1.6"]) as link,
    ):
        assert (await ask(link, "Heartbeat", {})).keys() == {"currentTime"}
        assert (await ask(plain, "Heartbeat", {})).keys() == {"currentTime"}
        assert set(here.server.endpoints) == {"PLAIN", "TLS"}
        assert here.server.endpoints["PLAIN"].handshake.tls is None


def _dial(here: TlsSite, context: ssl.SSLContext) -> None:
    """Shake hands with a blocking socket: unlike asyncio, it sends the alert before it closes."""
    with (
        socket.create_connection((HOST, here.port), timeout=5) as below,
        context.wrap_socket(below, server_hostname=HOST),
    ):
        pass


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_unit_without_our_root_says_so_and_we_say_it_in_words(wardrobe: Wardrobe, version: ssl.TLSVersion):
    async with tls_site(wardrobe) as here:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.to_thread(_dial, here, pinned(ssl.create_default_context(), version))
        failed = await here.observed(TlsFailed)
        assert (failed.end, failed.alert, failed.after) == (TlsEnd.ALERT_FROM_UNIT, 48, "Certificate")
        assert failed.served is not None
        assert failed.served.key == "RSA 2048"
        told = await here.knock("tls-failed")
        assert "rejected our certificate: unknown CA" in told.text
        assert told.first_bytes.startswith(b"\x16\x03")
        assert told.hello is not None


@needs_openssl
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_openssl_that_verifies_and_fails_sends_an_alert_that_is_attributed(wardrobe: Wardrobe, version: str):
    async with tls_site(wardrobe) as here:
        said = await s_client(here, version, "-verify_return_error", "-no-CAfile", "-no-CApath", "-no-CAstore")
        assert "unable to get local issuer certificate" in said or "self-signed" in said
        failed = await here.observed(TlsFailed)
        assert (failed.end, failed.alert, failed.after) == (TlsEnd.ALERT_FROM_UNIT, 48, "Certificate")


@needs_openssl
async def test_openssl_trusts_the_chain_we_send(wardrobe: Wardrobe, root_file: Path):
    async with tls_site(wardrobe) as here:
        said = await s_client(here, "-CAfile", str(root_file), "-verify_return_error", "-verify_ip", HOST)
        assert "Verify return code: 0 (ok)" in said
        assert said.count("BEGIN CERTIFICATE") == 1
        assert " 1 s:" in said  # the intermediate is sent along


@needs_openssl
@pytest.mark.parametrize(
    ("personality", "options", "wanted"),
    [
        ("rsa", ("-tls1_2", "-cipher", "AES128-GCM-SHA256"), "AES128-GCM-SHA256"),
        ("auto", ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"), "ECDHE-ECDSA"),
        ("auto", ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"), "ECDHE-RSA"),
        ("auto", ("-tls1_2", "-cipher", "AES256-SHA"), "Cipher is AES256-SHA"),
        ("auto", ("-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0"), "TLSv1"),
        ("auto", ("-tls1_1", "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0"), "TLSv1.1"),
        ("ec", (), "256 bit"),
        ("tls12", (), "New, TLSv1.2"),
        ("tls13", (), "New, TLSv1.3"),
    ],
)
async def test_each_personality_speaks_what_it_says(
    wardrobe: Wardrobe, root_file: Path, personality: str, options: tuple[str, ...], wanted: str
):
    async with tls_site(wardrobe, personality=personality) as here:
        said = await s_client(here, "-CAfile", str(root_file), "-verify_return_error", *options)
        assert wanted in said
        assert "Verify return code: 0 (ok)" in said
        failed = await here.observed(TlsFailed)  # it said nothing inside and left
        assert (failed.end, failed.after, failed.personality) == (TlsEnd.CLOSED_BY_UNIT, "Finished", personality)


@needs_openssl
@pytest.mark.parametrize(
    ("personality", "options", "reason"),
    [
        ("rsa", ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"), "no cipher suite in common"),
        ("tls13", ("-tls1_2",), "no TLS version in common"),
        ("tls12", ("-tls1_3",), "no TLS version in common"),
        ("rsa", ("-tls1_3", "-groups", "ffdhe8192"), ""),
    ],
)
async def test_what_we_have_not_in_common_is_named(
    wardrobe: Wardrobe, personality: str, options: tuple[str, ...], reason: str
):
    async with tls_site(wardrobe, personality=personality) as here:
        said = await s_client(here, *options)
        if not reason:
            return
        assert "alert" in said
        failed = await here.observed(TlsFailed)
        assert (failed.end, failed.after) == (TlsEnd.REFUSED_BY_US, "")
        assert reason in (await here.knock("tls-failed")).text
        assert failed.hello is not None
        assert failed.hello.versions


async def test_the_short_chain_and_the_rogue_are_refused_by_a_unit_that_knows_our_root(
    wardrobe: Wardrobe, authority: Authority
):
    for personality in ("short", "rogue"):
        async with tls_site(wardrobe, personality=personality) as here:
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.to_thread(_dial, here, trusting(authority))
            assert (await here.observed(TlsFailed)).alert == 48


async def test_a_name_in_the_common_name_only_is_refused_by_a_modern_client(
    wardrobe: Wardrobe, authority: Authority, root_file: Path
):
    async with tls_site(wardrobe, personality="cn") as here:
        with pytest.raises(ssl.SSLCertVerificationError):
            await websockets.connect(here.url + "CP", ssl=trusting(authority))
        failed = await here.observed(TlsFailed)
        assert failed.served is not None
        assert failed.served.names == ()
        assert failed.served.subject.startswith(f"CN={HOST}")


async def test_a_unit_gets_a_certificate_for_the_name_it_asks_for(wardrobe: Wardrobe, authority: Authority):
    async with tls_site(wardrobe) as here:
        address = (HOST, here.port)
        reader, writer = await asyncio.open_connection(
            *address, ssl=trusting(authority), server_hostname="csms.gone-vendor.example"
        )
        writer.write(upgrade())
        assert b" 101 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        session = here.server.endpoints["CP-1"].handshake.tls
        assert session is not None
        assert session.hello.server_name == "csms.gone-vendor.example"
        writer.transport.abort()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_only_the_next_connections_of_one_address_get_another_personality(
    wardrobe: Wardrobe, authority: Authority
):
    async with tls_site(wardrobe) as here:
        here.server.personality_for[HOST] = "ec"
        async with websockets.connect(here.url + "A", ssl=trusting(authority)):
            first = here.server.endpoints["A"].handshake.tls
        del here.server.personality_for[HOST]
        async with websockets.connect(here.url + "B", ssl=trusting(authority)):
            second = here.server.endpoints["B"].handshake.tls
        assert first is not None
        assert second is not None
        assert (first.personality, second.personality) == ("ec", "auto")


async def test_a_changed_plan_drops_nobody(wardrobe: Wardrobe, authority: Authority):
    async with (
        tls_site(wardrobe) as here,
        websockets.connect(here.url + "A", ssl=trusting(authority), subprotocols=["ocpp1.6"]) as link,
    ):
        await here.plan(personality="rogue", is_strict=True)
        with pytest.raises(ssl.SSLCertVerificationError):
            await websockets.connect(here.url + "B", ssl=trusting(authority))
        assert (await ask(link, "Heartbeat", {})).keys() == {"currentTime"}
        await here.plan(tls=False)
        assert not here.server.state.secure_url
        with pytest.raises(ssl.SSLError):
            await websockets.connect(f"wss://{HOST}:{here.port}/C", ssl=careless())
        await here.knock("tls")


async def test_a_plan_for_another_port_moves_there(wardrobe: Wardrobe, free_port: int):
    async with tls_site(wardrobe) as here:
        await here.plan(port=free_port, personality="ec")
        assert (here.port, here.server.plan.port, here.server.plan.personality) == (free_port, free_port, "ec")
        await here.plan(host="", port=0, personality="rsa")
        assert (here.port, here.server.plan.host, here.server.plan.personality) == (free_port, HOST, "rsa")


async def test_a_hello_in_single_bytes_and_single_records_is_read(wardrobe: Wardrobe):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    machine = careless(ssl.TLSVersion.TLSv1_3).wrap_bio(incoming, outgoing, server_hostname="cut.example")
    with pytest.raises(ssl.SSLWantReadError):
        machine.do_handshake()
    hello = outgoing.read()
    body = hello[5:]
    cut = b"".join(b"\x16\x03\x01" + struct.pack("!H", len(part)) + part for part in _parts(body, 20))
    async with tls_site(wardrobe) as here:
        reader, writer = await asyncio.open_connection(HOST, here.port)
        for start in range(0, len(cut), 7):
            writer.write(cut[start : start + 7])
            await writer.drain()
        incoming.write(await asyncio.wait_for(reader.read(65536), 5))
        writer.close()
        await writer.wait_closed()
        failed = await here.observed(TlsFailed)
        assert failed.hello is not None
        assert failed.hello.server_name == "cut.example"


def _parts(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


async def test_a_unit_that_closes_after_our_certificate_is_told_apart_from_one_that_resets(wardrobe: Wardrobe):
    for resets in (False, True):
        async with tls_site(wardrobe) as here:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            with pytest.raises(ssl.SSLWantReadError):
                careless().wrap_bio(incoming, outgoing).do_handshake()
            reader, writer = await asyncio.open_connection(HOST, here.port)
            writer.write(outgoing.read())
            await asyncio.wait_for(reader.read(100), 5)
            if resets:
                raw = writer.get_extra_info("socket")
                raw.setsockopt(*_linger())
                writer.transport.abort()
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
            failed = await here.observed(TlsFailed)
            assert (failed.end, failed.after) == (TlsEnd.CLOSED_BY_UNIT, "Certificate")
            assert ("reset" in failed.reason) == resets
            assert "does not trust" in (await here.knock("tls-failed")).text


def _linger() -> tuple[int, int, bytes]:
    return socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)


async def test_a_unit_that_falls_silent_in_tls_is_cut_and_told(wardrobe: Wardrobe):
    async with tls_site(wardrobe) as here:
        here.server._listener.bounds = type(here.server._listener.bounds)(tls_s=0.2, first_s=0.2, closing_s=0.1)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with pytest.raises(ssl.SSLWantReadError):
            careless().wrap_bio(incoming, outgoing).do_handshake()
        reader, writer = await asyncio.open_connection(HOST, here.port)
        writer.write(outgoing.read())
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
        failed = await here.observed(TlsFailed)
        assert (failed.end, failed.after) == (TlsEnd.SILENT, "Certificate")


@needs_openssl
async def test_renegotiation_is_refused(wardrobe: Wardrobe):
    async with tls_site(wardrobe) as here:
        said = await s_client(here, "-tls1_2", feed=b"R\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert "RENEGOTIATING" in said
        assert "no renegotiation" in said
        assert "Compression: NONE" in said


async def test_nonsense_in_place_of_a_handshake_ends_with_an_alert(wardrobe: Wardrobe):
    async with tls_site(wardrobe) as here:
        for junk in (b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff" + bytes(50), b"\x16\x03\x01\x00\x00" * 9000):
            reader, writer = await asyncio.open_connection(HOST, here.port)
            writer.write(junk)
            answer = await asyncio.wait_for(reader.read(), 5)
            assert answer[:2] == b"\x15\x03"
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        assert "TLS" in (await here.knock("garbage")).text


async def test_an_endless_handshake_is_cut(wardrobe: Wardrobe):
    async with tls_site(wardrobe, security_profile=3) as here:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with pytest.raises(ssl.SSLWantReadError):
            careless().wrap_bio(incoming, outgoing).do_handshake()
        reader, writer = await asyncio.open_connection(HOST, here.port)
        writer.write(outgoing.read())
        await asyncio.wait_for(reader.read(65536), 5)
        message = b"\x0b" + (90_000).to_bytes(3, "big") + bytes(90_000)
        for part in _parts(message, 16_000):
            writer.write(b"\x16\x03\x03" + struct.pack("!H", len(part)) + part)
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(10_000), 5)
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        assert (await here.observed(TlsFailed)).end is TlsEnd.REFUSED_BY_US


@needs_curl
async def test_curl_gets_the_page_over_tls(wardrobe: Wardrobe, root_file: Path):
    async with tls_site(wardrobe) as here:
        page = await program(
            "curl", "-s", "-i", "--http1.1", "--cacert", str(root_file), f"https://{HOST}:{here.port}/"
        )
        assert "HTTP/1.1 426" in page
        assert f"wss://{HOST}:{here.port}/" in page
        assert (await here.knock("http")).hello is not None


@needs_curl
async def test_curl_without_our_root_is_named(wardrobe: Wardrobe):
    async with tls_site(wardrobe) as here:
        await program("curl", "-s", f"https://{HOST}:{here.port}/")
        assert (await here.observed(TlsFailed)).alert == 48
