"""The endpoint, seen by everything else that comes to a port: other protocols, broken requests, malice."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import random
import struct
import sys
from datetime import UTC, datetime

import pytest
import websockets
from websockets.exceptions import ConnectionClosed

from app.model.frame import Boot, Direction, FrameKind
from app.model.reading import spread
from app.model.secret import Secret
from app.ocpp.listener import MAX_MESSAGE, Bounds
from tests.ocpp.endpoint_kit import BOOT, HOST, Site, ask, heard, masked, raw, rest, site, unit, upgrade

HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(190)


async def knock(here: Site, data: bytes, *, ends: bool = False) -> bytes:
    """Send bytes to the port and return everything that comes back."""
    async with raw(here) as (reader, writer):
        writer.write(data)
        if ends:
            writer.write_eof()
        return await rest(reader)


async def test_tls_on_the_plain_port_is_told_and_answered_with_an_alert():
    async with site() as here:
        assert (await knock(here, HELLO))[:2] == b"\x15\x03"
        told = await here.knock("tls")
        assert "wss" in told.text
        assert told.first_bytes.startswith(b"\x16\x03\x01")
        assert (await here.finding("SCHEME-PORT")).evidence[0].text.startswith("16 03 01")


async def test_a_browser_gets_a_page_that_helps():
    async with site() as here:
        page = await knock(here, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert page.startswith(b"HTTP/1.1 426 ")
        assert f"ws://{HOST}:{here.port}/".encode() in page
        assert (await here.knock("http")).text


async def test_soap_is_recognised():
    async with site() as here:
        request = b"POST /CentralSystemService HTTP/1.1\r\nHost: x\r\nContent-Type: application/soap+xml\r\n\r\n<x/>"
        assert b" 415 " in (await knock(here, request))
        assert (await here.finding("SOAP-LEGACY")).evidence[0].text.startswith("POST /Central")


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (b"", "empty"),
        (b"\x00\x01\x02garbage", "garbage"),
        (b"EMWERK-JB_1_1-JBOX\n> ", "garbage"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"),
        (b"GET /CP HTTP/1.1\r\nHost", "unfinished"),
        (b"GET\r\n\r\n", "garbage"),
    ],
)
async def test_other_peers_are_shown(data: bytes, verdict: str):
    async with site() as here:
        await knock(here, data, ends=True)
        assert (await here.knock(verdict)).text


async def test_silence_and_drip_feeding_end_at_the_deadline():
    async with site(bounds=Bounds(first_s=0.2, closing_s=0.1)) as here:
        assert await knock(here, b"") == b""
        assert (await here.knock("silent")).first_bytes == b""
        async with raw(here) as (reader, writer):
            with contextlib.suppress(OSError):
                for byte in upgrade() * 100:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.02)
                    if reader.at_eof():
                        break
        assert (await here.knock("slow")).first_bytes.startswith(b"GET")


async def test_an_endless_header_is_cut():
    async with site() as here:
        assert b" 431 " in await knock(here, b"GET /x HTTP/1.1\r\n" + b"X-A: b\r\n" * 3000)


async def test_the_request_is_kept_exactly_but_for_the_password():
    request = upgrade("/some/path/CP-9?x=1", extra="Authorization: Basic Q1AtOTpodW50ZXIy")
    async with site() as here, raw(here) as (reader, writer):
        writer.write(request)
        assert b" 101 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        shake = here.server.endpoints["CP-9"].handshake
        assert shake.raw == request.replace(b"Q1AtOTpodW50ZXIy", "•••".encode())
        assert (shake.user, shake.has_password) == ("CP-9", True)
        assert shake.path == "/some/path/CP-9?x=1"
        assert b"Q1AtOTpodW50ZXIy" not in here.server.knock_list[-1].first_bytes


@pytest.mark.parametrize("missing", ["Host", "Connection", "Upgrade", "Version", "Protocol"])
async def test_a_faulty_upgrade_is_tolerated_and_told(missing: str):
    async with site() as here, raw(here) as (reader, writer):
        writer.write(upgrade(skip=(missing,)))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert b" 101 " in head
        assert (b"sec-websocket-protocol" in head.lower()) == (missing != "Protocol")
        await here.finding("SUBPROTO-NONE" if missing == "Protocol" else "HS-HEADER")
        writer.write(masked(b'[2,"1","Heartbeat",{}]'))
        assert b"currentTime" in await asyncio.wait_for(reader.read(1000), 5)


async def test_bare_line_feeds_are_tolerated_and_told():
    async with site() as here, raw(here) as (reader, writer):
        writer.write(upgrade(newline="\n"))
        assert b" 101 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert "line feed" in (await here.finding("HS-HEADER")).details["faults"]


async def test_a_unit_that_speaks_only_another_version_is_told_so():
    async with site() as here:
        async with websockets.connect(here.url + "CP", subprotocols=["ocpp1.5"]) as link:
            assert link.subprotocol is None
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(link.recv(), 5)
        assert "ocpp1.5" in (await here.finding("VERSION-MIX")).evidence[0].text
        assert not here.server.endpoints


async def test_compression_is_never_agreed():
    async with site() as here, websockets.connect(here.url + "CP", subprotocols=["ocpp1.6"]) as link:
        assert not link.protocol.extensions


@pytest.mark.parametrize(
    ("path", "identity", "code"),
    [
        ("/ocpp/CP-7", "CP-7", None),
        ("/CP-7/CP-7", "CP-7", "URL-COMPOSE"),
        ("//CP-7", "CP-7", "URL-COMPOSE"),
        ("/ocpp/CP-7/", "CP-7", "URL-COMPOSE"),
        ("/ocpp", f"unnamed@{HOST}", "URL-COMPOSE"),
        ("/", f"unnamed@{HOST}", "URL-COMPOSE"),
        ("/CP%207", "CP 7", "ID-SPELLING"),
        ("/../../etc/passwd", "passwd", None),
        ("/%2e%2e", f"unnamed@{HOST}", "URL-COMPOSE"),
        ("/..%2f..%2fetc%2fpasswd", ".._.._etc_passwd", "ID-SPELLING"),
        ("/a%00b%0d%0ac", "a_b__c", "ID-SPELLING"),
        ("/%E2%80%AEevil", "_evil", "ID-SPELLING"),
        ("/%3Cb%3Ebold%3C%2Fb%3E", "<b>bold<_b>", "ID-SPELLING"),
        ("/" + "x" * 500, "x" * 96, "ID-SPELLING"),
    ],
)
async def test_the_identity_is_taken_from_any_path_and_made_harmless(path: str, identity: str, code: str | None):
    async with site() as here, raw(here) as (reader, writer):
        writer.write(upgrade(path))
        assert b" 101 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert list(here.server.endpoints) == [identity]
        codes = {finding.code for finding in here.server.endpoints[identity].findings}
        assert codes == ({code} if code else set())


@pytest.mark.parametrize(
    ("sent", "reading", "code"),
    [
        (b"00112233445566778899", "plain", None),
        (b"00112233445566778899".hex().encode(), "hex", "AUTH-401"),
        (bytes.fromhex("00112233445566778899"), "bytes", "AUTH-401"),
        (b"another one", "wrong", "AUTH-401"),
        (None, "none", "AUTH-401"),
    ],
)
async def test_the_reading_of_a_password_is_named_and_never_shown(sent: bytes | None, reading: str, code: str | None):
    import base64

    secret = Secret("00112233445566778899")
    token = base64.b64encode(b"CP-1:" + (sent or b"")).decode()
    async with site(expected=lambda identity: secret) as here, raw(here) as (reader, writer):
        writer.write(upgrade(extra=f"Authorization: Basic {token}" if sent is not None else ""))
        assert b" 101 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        endpoint = here.server.endpoints["CP-1"]
        assert endpoint.handshake.password_reading == reading
        assert {finding.code for finding in endpoint.findings} == ({code} if code else set())
        told = repr(endpoint.handshake) + repr(endpoint.findings) + repr(here.server.knock_list)
        assert token not in told
        assert not any(spelling in told for spelling in secret.spellings())


BROKEN = [
    "",
    "[]",
    "{}",
    "null",
    '"text"',
    "[2]",
    '[2,"1"]',
    '[2,"1","Heartbeat"]',
    '[2,"1","Heartbeat",null]',
    '[2,"1","Heartbeat",[]]',
    '[2,"1",5,{}]',
    '[2,"1","Heartbeat",{},5]',
    '[2,{},"Heartbeat",{}]',
    "[" * 100_000,
    '{"a":' * 50_000,
    "[2,\x00",
    "\ufeff",
]


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
@pytest.mark.parametrize("text", BROKEN, ids=[f"{number}" for number in range(len(BROKEN))])
async def test_a_broken_message_gets_the_standards_error_and_harms_nobody(text: str, version: str):
    async with site() as here, unit(here, boots=False, subprotocols=[f"ocpp{version}"]) as link:
        await link.send(text)
        answer = await heard(link)
        assert answer[0] == 4
        is_payload = text.startswith('[2,"1","Heartbeat",') and not text.endswith("5]")
        new = "FormatViolation" if is_payload else "RpcFrameworkError"
        assert answer[2] == ("FormationViolation" if version == "1.6" else new)
        assert (await ask(link, "Heartbeat", {})).keys() == {"currentTime"}
        frames = here.frames.take()
        assert frames[0].kind is FrameKind.BROKEN
        assert frames[0].text == text
        assert frames[0].notes


STRAY = ['[3,"nobody",{}]', '[4,"nobody","X","",{}]', '[5,"nobody","X","",{}]', '[3,"1"', "[3", '[6,"1","A"]', "[6"]


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
@pytest.mark.parametrize("text", [*STRAY, '[6,"1","NotifyPeriodicEventStream",{"id":[]}]', "[9]"])
async def test_stray_and_unknown_messages_are_noted_and_not_answered(text: str, version: str):
    async with site() as here, unit(here, boots=False, subprotocols=[f"ocpp{version}"]) as link:
        await link.send(text)
        assert (await ask(link, "Heartbeat", {}, uid="next")).keys() == {"currentTime"}
        frames = here.frames.take()
        assert frames[0].text == text
        assert frames[0].notes


@pytest.mark.parametrize("junk", [[1], {"a": 1}, True, 1e99, "x" * 50, None, -1])
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_junk_in_the_midst_of_a_healthy_talk_is_answered(junk: object, version: str):
    """What healthy units say all day takes a shorter way: it must bear the same."""
    at = datetime.now(UTC).isoformat()
    values = [{"timestamp": at, "sampledValue": [{"value": "5" if version == "1.6" else 5}]}]
    old = {"connectorId": 1, "transactionId": 7, "meterValue": values}
    info = {"transactionId": "t", "chargingState": "Charging"}
    new = {"eventType": "Updated", "timestamp": at, "triggerReason": "Trigger", "seqNo": 1, "transactionInfo": info}
    new["meterValue"] = values
    action, good = ("MeterValues", old) if version == "1.6" else ("TransactionEvent", new)
    async with site() as here, unit(here, boots=False, subprotocols=[f"ocpp{version}"]) as link:
        here.server.endpoints["CP-1"].ledger.boot = Boot()
        for number in range(3):
            assert await ask(link, action, good, uid=f"good{number}") == {}
        fields = [{**good, name: junk} for name in good]
        fields += [{**good, "transactionInfo": {**info, name: junk}} for name in info if version != "1.6"]
        fields += [{**good, "meterValue": [{**values[0], name: junk}]} for name in values[0]]
        fields += [{**good, "meterValue": [{"timestamp": at, "sampledValue": [{"value": junk}]}]}]
        for number, payload in enumerate(fields):
            assert isinstance(await ask(link, action, payload, uid=f"junk{number}"), dict)
        tuple(spread(here.samples.take()))
        assert await ask(link, action, good, uid="end") == {}


async def test_odd_but_readable_messages_are_answered_in_kind():
    async with site() as here, unit(here) as link:
        await link.send('[2,42,"Heartbeat",{}]')
        assert (await heard(link))[:2] == [3, 42]
        await link.send('\ufeff[2,"a","DataTransfer",{"vendorId":"x","data":"a\x00b\\q"},]'.replace(",]", "]"))
        assert (await heard(link))[:2] == [3, "a"]
        await link.send('[2,"b","Heartbeat",{}')
        assert (await heard(link))[:2] == [3, "b"]
        await link.send(b'[2,"c","Heartbeat",{}]')
        assert (await heard(link))[:2] == [3, "c"]
        notes = {note for frame in here.frames.take() for note in frame.notes}
        assert {"ID-AS-NUMBER", "JSON-BROKEN", "UNCLOSED", "BINARY"} <= notes
        assert (await here.finding("JSON-BROKEN")).evidence


async def test_a_repeated_request_gets_the_same_answer_and_happens_once():
    start = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "2026-11-22T13:00:00Z"}
    async with site() as here, unit(here) as link:
        first = await ask(link, "StartTransaction", start, uid="same")
        assert await ask(link, "StartTransaction", start, uid="same") == first
        assert len(here.server.endpoints["CP-1"].transactions) == 1


async def test_markup_and_surrogates_in_texts_stay_texts():
    name = "<img src=x onerror=alert(1)>"
    async with site() as here, unit(here, boots=False) as link:
        await link.send(json.dumps([2, "1", "BootNotification", {**BOOT, "chargePointVendor": name}]))
        assert (await heard(link))[2]["status"] == "Accepted"
        await link.send('[2,"2","BootNotification",{"chargePointVendor":"\\ud800","chargePointModel":"m"}]')
        assert (await heard(link))[2]["status"] == "Accepted"
        await here.finding("BOOT-SCHEMA")
        assert [sighting.hints.get("chargePointVendor") for sighting in here.sightings[1:]] == [name, "\ufffd"]


async def test_bytes_that_are_no_text_are_kept_and_answered():
    async with site() as here, raw(here) as (reader, writer):
        writer.write(upgrade() + masked(b"[2,\xff\xfe]"))
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert b"FormationViolation" in await asyncio.wait_for(reader.read(1000), 5)
        frame = await here.frame(direction=Direction.IN)
        assert frame.raw == b"[2,\xff\xfe]"
        assert "BAD-UTF8" in frame.notes


@pytest.mark.parametrize(
    "message",
    [
        b'[3,"stray",{"configurationKey":[{"key":"AuthorizationKey","value":"hunter2hunter2","x":"\xff"}]}]',
        b'[2,"broken",{"key":"AuthorizationKey","value":"hunter2hunter2\xff',
        b'[2,"1","DataTransfer",{"vendorId":"x","data":"known-password \xff"}]',
        b'[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"hunter2hunter2\xff"}]',
        b'[2,"1","NotifyReport",{"reportData":[{"component":{"name":"SecurityCtrlr"},"variable":'
        b'{"name":"BasicAuthPassword"},"variableAttribute":[{"value":"hunter2hunter2\xff"}]}]}]',
    ],
)
async def test_the_bytes_of_a_message_keep_no_password_either(message: bytes):
    expected = {"CP-1": Secret("known-password")}.get
    async with site(expected=expected) as here, raw(here) as (reader, writer):
        writer.write(upgrade() + masked(message))
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        frame = await here.frame(direction=Direction.IN)
        assert frame.raw is None
        assert "•••" in frame.text
        assert "hunter2" not in frame.text
        assert "known-password" not in frame.text


async def test_credentials_that_go_on_in_further_lines_are_masked():
    hidden = "Authorization: Basic\r\n Q1AtOTpodW50ZXIy\r\n\tAAAA\r\nCookie: id=abcdef"
    async with site() as here, raw(here) as (reader, writer):
        writer.write(upgrade("/CP-9", extra=hidden))
        assert b" 101 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        shake = here.server.endpoints["CP-9"].handshake
        for text in (shake.raw, here.server.knock_list[-1].first_bytes, repr(shake).encode()):
            for part in (b"Q1AtOTpodW50ZXIy", b"AAAA", b"abcdef"):
                assert part not in text


async def test_a_message_of_ten_megabytes_is_cut_and_answered():
    async with site() as here, unit(here) as link:
        here.frames.take()
        text = '[2,"big","DataTransfer",{"vendorId":"' + "x" * (MAX_MESSAGE - 100) + '"}]'
        await link.send(text)
        assert (await heard(link))[1:3] == ["big", "FormationViolation"]
        frame = await here.frame(direction=Direction.IN)
        assert len(frame.text) < 300_000
        assert f"CUT-{len(text)}" in frame.notes


async def test_a_longer_message_is_not_even_read_and_closes_in_order():
    async with site() as here, unit(here, "GOOD") as good, raw(here) as (reader, writer):
        writer.write(upgrade() + masked(b"")[:1] + b"\xff" + (MAX_MESSAGE + 1).to_bytes(8, "big") + b"\0\0\0\0")
        assert struct.pack("!H", 1009) in await rest(reader)
        assert (await ask(good, "Heartbeat", {})).keys() == {"currentTime"}


async def test_fragments_are_put_together_and_bounded():
    async with site() as here, raw(here) as (reader, writer):
        writer.write(upgrade())
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.write(masked(b'[2,"1",', fin=False) + masked(b"", 9) + masked(b'"Heartbeat",{}]', 0))
        answer = await asyncio.wait_for(reader.readuntil(b"}]"), 5)
        assert b"currentTime" in answer
        with contextlib.suppress(OSError):
            writer.write(masked(b"x" * 1_000_000, fin=False))
            for _ in range(12):
                writer.write(masked(b"x" * 1_000_000, 0, fin=False))
                await writer.drain()
        assert struct.pack("!H", 1009) in await rest(reader)


async def test_fragments_without_content_cost_no_memory():
    async with site() as here, raw(here) as (reader, writer):
        writer.write(upgrade() + masked(b'[2,"1","Heartbeat",{}]', fin=False))
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        (peer,) = here.server._listener.peers
        for _ in range(100):
            writer.write(masked(b"", 0, fin=False) * 1000 + masked(b"", 9))
            await reader.readexactly(2)  # the pong: all before it was read
        assert sys.getsizeof(peer._parts) < 1000
        writer.write(masked(b"", 0))
        assert b"currentTime" in await asyncio.wait_for(reader.readuntil(b"}]"), 5)


@pytest.mark.parametrize("seed", range(5))
async def test_random_bytes_before_and_after_the_handshake_harm_nobody(seed: int):
    dice = random.Random(seed)
    async with site(bounds=Bounds(first_s=0.3, closing_s=0.1)) as here, unit(here, "GOOD") as good:
        for _ in range(20):
            await knock(here, dice.randbytes(dice.randrange(1, 400)), ends=True)
            await knock(here, upgrade() + dice.randbytes(dice.randrange(1, 400)), ends=True)
        assert (await ask(good, "Heartbeat", {})).keys() == {"currentTime"}


async def test_a_thousand_connections_of_garbage_leave_the_good_unit_alone():
    bounds = Bounds(first_s=2.0, closing_s=0.1, pending=200)
    async with site(bounds=bounds) as here, unit(here, "GOOD") as good:
        held = []
        for number in range(1000):
            _, writer = await asyncio.open_connection(HOST, here.port)
            writer.write([b"", b"GET /slow", os.urandom(50), HELLO][number % 4])
            held.append(writer)
            if number % 50 == 0:
                assert (await ask(good, "Heartbeat", {}, uid=str(number))).keys() == {"currentTime"}
        assert (await ask(good, "Heartbeat", {}, uid="after")).keys() == {"currentTime"}
        assert len(here.server.knock_list) <= 500
        async with unit(here, "NEW"):
            assert here.server.state.connections == 2
        for writer in held:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in held), return_exceptions=True)
    gc.collect()


async def test_a_unit_that_never_reads_our_answers_costs_bounded_memory():
    async with site() as here, unit(here, "GOOD") as good, raw(here) as (_, writer):
        writer.write(upgrade("/DEAF"))
        call = masked(b'[2,"1","Heartbeat",{"x":"' + b"y" * 100 + b'"}]') * 1000
        sent = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                while sent < 400:
                    writer.write(call)
                    await writer.drain()
                    sent += 1
        assert sent < 400, "the endpoint read on although its answers were not taken"
        assert (await ask(good, "Heartbeat", {})).keys() == {"currentTime"}
        writer.transport.abort()


async def test_leaving_takes_two_seconds_even_with_a_hundred_units_and_one_that_is_stuck():
    async with contextlib.AsyncExitStack() as stack:
        here = await stack.enter_async_context(site(bounds=Bounds()))
        for number in range(100):
            await stack.enter_async_context(unit(here, f"CP-{number}", boots=False, close_timeout=0.1))
        _, writer = await stack.enter_async_context(raw(here))
        writer.write(upgrade("/DEAF"))
        with contextlib.suppress(TimeoutError):  # it takes no answer, until nobody reads its requests
            async with asyncio.timeout(1.0):
                while True:
                    writer.write(masked(b'[2,"1","Heartbeat",{"x":"' + b"y" * 100 + b'"}]') * 1000)
                    await writer.drain()
        assert len(here.server.endpoints) == 101
        async with asyncio.timeout(2.0):
            await here.server.__aexit__(None, None, None)
        assert not here.server.endpoints
        writer.transport.abort()
