"""What hostile peers may cost: half-open TLS, single bytes, floods of hellos; the healthy ones feel nothing."""

from __future__ import annotations

import asyncio
import gc
import random
import ssl
import time
from contextlib import suppress

import pytest

from app.ocpp.listener import Bounds
from app.ocpp.request import HEADER_LIMIT, end_of_head
from app.trust.wardrobe import Wardrobe
from tests.ocpp.endpoint_kit import HOST, ask, raw, rest, site, unit, upgrade
from tests.wire.wire_kit import tls_site


def hello() -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


async def test_hundreds_of_handshakes_left_open_leave_the_good_unit_alone(wardrobe: Wardrobe):
    async with tls_site(wardrobe, bounds=Bounds(closing_s=0.1, pending=100)) as here, unit(here.inner, "GOOD") as good:
        held, slowest_s = [], 0.0
        for number in range(400):
            _, writer = await asyncio.open_connection(HOST, here.port)
            writer.write(hello())
            held.append(writer)
            if number % 40 == 0:
                began_s = time.perf_counter()
                assert (await ask(good, "Heartbeat", {}, uid=str(number))).keys() == {"currentTime"}
                slowest_s = max(slowest_s, time.perf_counter() - began_s)
        assert len(here.server._listener.peers) <= 101 + 100  # those crowded out may be about to go
        assert slowest_s < 0.5
        for writer in held:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in held), return_exceptions=True)
    gc.collect()


async def test_handshakes_take_turns(wardrobe: Wardrobe):
    async with tls_site(wardrobe) as here:
        began: list[int] = []
        listener = here.server._listener
        done = asyncio.Event()
        for number in range(50):
            listener.take_turn(lambda number=number: began.append(number))
        listener.take_turn(done.set)
        assert not began
        await asyncio.wait_for(done.wait(), 5)
        assert began == list(range(50))


async def test_a_unit_that_goes_before_its_turn_is_told_as_one_that_closed(wardrobe: Wardrobe):
    async with tls_site(wardrobe) as here:
        held: list[object] = []
        here.server._listener.take_turn = held.append
        _, writer = await asyncio.open_connection(HOST, here.port)
        writer.write(hello())
        await writer.drain()
        writer.close()
        told = await here.knock("tls-failed")
        assert "before our answer" in told.text
        assert told.hello is not None


def test_the_end_of_a_request_is_found_wherever_the_bytes_are_cut():
    whole = b"GET /CP HTTP/1.1\r\nX: " + b"a" * 100 + b"\r\n\r\n"
    assert [end_of_head(whole[: end + 1], end) for end in range(len(whole))] == [-1] * (len(whole) - 1) + [len(whole)]


async def test_an_endless_line_in_tls_is_cut_too(wardrobe: Wardrobe):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with tls_site(wardrobe) as here:
        reader, writer = await asyncio.open_connection(HOST, here.port, ssl=context)
        with suppress(OSError):
            writer.write(b"GET /" + b"x" * (2 * HEADER_LIMIT))
            await writer.drain()
        assert b" 431 " in await asyncio.wait_for(reader.read(100), 5)
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def test_blank_lines_without_end_are_cut_by_time():
    async with site(bounds=Bounds(first_s=0.2, closing_s=0.1)) as here, raw(here) as (reader, writer):
        with suppress(OSError):
            writer.write(b"\r\n" * 100_000)
        assert await rest(reader) == b""
        assert (await here.knock("silent")).first_bytes == b""


@pytest.mark.parametrize("seed", range(3))
async def test_random_bytes_in_and_around_tls_harm_nobody(wardrobe: Wardrobe, seed: int):
    dice = random.Random(seed)
    async with tls_site(wardrobe, security_profile=3) as here, unit(here.inner, "GOOD") as good:
        for number in range(15):
            reader, writer = await asyncio.open_connection(HOST, here.port)
            spoilt = bytearray(hello())
            if number % 3:
                for _ in range(number):
                    spoilt[dice.randrange(5, len(spoilt))] = dice.randrange(256)
            writer.write(spoilt + b"\x16\x03\x03\x00\x10" + dice.randbytes(16) + dice.randbytes(dice.randrange(300)))
            with suppress(OSError):
                writer.write_eof()
                await asyncio.wait_for(reader.read(), 5)
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()
        assert (await ask(good, "Heartbeat", {})).keys() == {"currentTime"}


async def test_spoilt_records_after_the_handshake_end_the_connection(wardrobe: Wardrobe):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    machine = context.wrap_bio(incoming, outgoing)
    async with tls_site(wardrobe) as here:
        reader, writer = await asyncio.open_connection(HOST, here.port)
        while machine.version() is None or outgoing.pending:
            with suppress(ssl.SSLWantReadError):
                machine.do_handshake()
            if outgoing.pending:
                writer.write(outgoing.read())
            else:
                incoming.write(await asyncio.wait_for(reader.read(65536), 5))
        machine.write(upgrade())
        writer.write(outgoing.read())
        await asyncio.wait_for(reader.read(100), 5)
        with here.server.endings.subscribe() as endings:
            writer.write(b"\x17\x03\x03\x00\x20" + bytes(32))
            with suppress(OSError):
                await asyncio.wait_for(reader.read(), 5)
            assert (await asyncio.wait_for(anext(endings), 5)).code == 1006
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()
