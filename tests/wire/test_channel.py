"""Pings, counters, faults and the self-test: what the wire tells about a connection beside its messages."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import websockets

from app.model.observation import SelfTested
from app.ocpp import selftest
from app.ocpp.listener import Bounds
from tests.ocpp.endpoint_kit import BOUNDS, HOST, masked, raw, rest, site, unit, upgrade


async def test_pings_and_pongs_of_both_sides_are_counted():
    async with site(bounds=replace(BOUNDS, ping_s=0.05)) as here, raw(here) as (reader, writer):
        writer.write(upgrade())
        await asyncio.wait_for(reader.readuntil(b"rehome"), 5)
        writer.write(masked(b"rehome", 10) + masked(b"theirs", 9))
        await asyncio.wait_for(reader.readuntil(b"theirs"), 5)
        peer = here.server.endpoints["CP-1"]._channel
        assert peer.pings >= peer.pongs == 1
        assert peer.peer_pings == 1
        assert peer.silent_s < 1
        assert peer.fault == ""


async def test_a_manner_with_a_rhythm_pings_also_a_unit_that_talks():
    async with site(bounds=replace(BOUNDS, ping_s=30)) as here, raw(here) as (reader, writer):
        here.server.manner("CP-1").ping_s = 0.05
        writer.write(upgrade())
        for _ in range(3):
            writer.write(masked(b'[2,"1","Heartbeat",{}]'))
            await asyncio.wait_for(reader.readuntil(b"rehome"), 5)
        assert here.server.endpoints["CP-1"]._channel.pings >= 3


async def test_a_manner_changes_the_rhythm_and_never_means_never():
    async with site(bounds=replace(BOUNDS, ping_s=0.05)) as here:
        here.server.manner("CP-1").ping_s = 0
        async with unit(here, ping_interval=None) as link:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(link.recv(), 0.3)
            assert here.server.endpoints["CP-1"]._channel.pings == 0


async def test_a_silent_unit_is_closed_although_it_was_pinged():
    async with site(bounds=Bounds(ping_s=0.05, silence_s=0.2, closing_s=0.1)) as here, raw(here) as (reader, writer):
        writer.write(upgrade())
        said = await rest(reader)
        assert b"no answer to pings" in said


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"\xc1\x82\0\0\0\0{}", "reserved bits must be 0"),
        (b"\x83\x82\0\0\0\0{}", "invalid opcode"),
        (b"\x81\x02{}", "incorrect masking"),
    ],
)
async def test_what_breaks_the_websocket_is_told(frame: bytes, words: str):
    async with site() as here, raw(here) as (reader, writer):
        writer.write(upgrade())
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        with here.server.endings.subscribe() as endings:
            writer.write(frame)
            await rest(reader)
            async with asyncio.timeout(5):
                ending = await anext(endings)
        assert words in ending.fault
        assert ending.is_by_us


async def test_who_closes_is_told():
    async with site() as here:
        with here.server.endings.subscribe() as endings:
            async with unit(here):
                pass
            assert not (await asyncio.wait_for(anext(endings), 5)).is_by_us
            async with unit(here) as link:
                here.server.endpoints["CP-1"].replaced()
                await asyncio.wait_for(link.wait_closed(), 5)
            assert (await asyncio.wait_for(anext(endings), 5)).is_by_us


async def test_compression_is_offered_in_vain_and_seen():
    async with site() as here, websockets.connect(here.url + "CP", subprotocols=["ocpp1.6"], compression="deflate"):
        headers = dict(here.server.endpoints["CP"].handshake.headers)
        assert "permessage-deflate" in headers["Sec-WebSocket-Extensions"]
        assert "compression" in (await here.knock("accepted")).text


async def test_the_self_test_dials_our_own_port_and_leaves_no_knock():
    async with site() as here:
        tested = await here.server.self_test()
        assert isinstance(tested, SelfTested)
        assert tested.problem == ""
        assert str(here.port) in tested.advice
        assert not here.server.knock_list
        await here.server.stop()
        assert (await here.server.self_test()).problem


async def test_the_self_test_names_another_program_and_nobody(free_port: int):
    async def strange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        writer.close()

    async with await asyncio.start_server(strange, HOST, free_port):
        assert "Another program" in (await selftest.dial(HOST, free_port, "/x")).problem
    assert "can't be reached" in (await selftest.dial(HOST, free_port, "/x")).problem


@pytest.mark.parametrize(("platform", "word"), [("win32", "netsh"), ("darwin", "System Settings"), ("linux", "ufw")])
def test_firewall_advice_fits_the_system(platform: str, word: str):
    assert word in selftest.advice(8180, True, platform)
