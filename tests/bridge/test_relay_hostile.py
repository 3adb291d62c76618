"""What nobody should send, from both sides: it passes as it is, or ends the line; it is never invented, kept or believed."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest

from app.bridge.relay_line import RelayTimes
from app.bridge.relay_queue import MOST_CHARS
from app.ocpp.peer import Peer
from tests.bridge.relay_kit import HOST, PATIENT, backend, bridge, closed, order, told, unit, until
from tests.ocpp.endpoint_kit import masked, upgrade

AS_IS = ("BOOT-ADDED", "STATUS-ASKED", "COMMANDS-HELD")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[2,",
        '[2,"1"]',
        '[2,"1","Heartbeat",{"a":"\\ud800"}]',
        '[2,"1","MeterValues",{"meterValue":"\x00"}]',
        '[9,"1",{}]',
        '[3,"nobody asked",{}]',
        '{"not":"a list"}',
        '[2,"1","StopTransaction",[]]',
        '[2,"1","TransactionEvent",{"eventType":"Ended","transactionInfo":7}]',
        '[2,"1","BootNotification",{"chargePointModel":{}}]',
        '[2,"1","StatusNotification",{"connectorId":1e400,"status":[]}]',
        "[" * 5000,
        '[2,"1","DataTransfer",{"vendorId":"x","data":"' + "ü" * 400_000 + '"}]',
    ],
)
async def test_what_is_broken_passes_as_it_is_both_ways(text: str) -> None:
    async with backend() as csms, bridge(order(csms.url, without=AS_IS)) as between, unit(between) as link:
        line = await csms.line()
        with_end = asyncio.ensure_future(link.send(text))
        await until(lambda: csms.texts)
        await with_end
        assert csms.texts[0] == text
        if len(text) < 262_144:
            await csms_answers(csms, text, line, link)


async def csms_answers(csms: object, text: str, line: object, link: object) -> None:
    """Send the same from the backend on a line that its own reading of it has not ended."""
    del csms
    try:
        json.loads(text)[0]
    except (ValueError, LookupError, RecursionError, TypeError):
        return
    await line.send(text)  # type: ignore[attr-defined]
    assert await asyncio.wait_for(link.recv(), 5) == text  # type: ignore[attr-defined]


async def test_text_that_is_no_utf8_reaches_the_backend_as_it_is() -> None:
    async with backend() as csms, bridge(order(csms.url, without=AS_IS)) as between:
        reader, writer = await asyncio.open_connection(HOST, between.desk.port)
        writer.write(upgrade("/CP-1"))
        await reader.readuntil(b"\r\n\r\n")
        line = await csms.line()
        writer.write(masked(b'[2,"1","DataTransfer",{"vendorId":"\xff"}]'))
        await closed(line)
        said = await asyncio.wait_for(reader.read(), 5)
        assert said[2:4] == (1007).to_bytes(2, "big"), "the backend itself says what it is, and the unit hears it"
        writer.close()
        await writer.wait_closed()


async def test_fragments_arrive_as_one_text() -> None:
    async with backend() as csms, bridge(order(csms.url, without=AS_IS)) as between, unit(between) as link:
        await link.send(['[2,"1",', '"Heart', 'beat",{}]'])
        assert await csms.next() == [2, "1", "Heartbeat", {}]


async def test_a_text_longer_than_a_megabyte_ends_the_line() -> None:
    async with backend() as csms, bridge(order(csms.url, without=AS_IS)) as between, unit(between) as link:
        await csms.line()
        await link.send("x" * 1_000_001)
        assert (await closed(link))[0] == 1009
        assert csms.texts == []


async def test_who_sends_its_request_byte_by_byte_is_cut_off_and_hinders_nobody() -> None:
    async with backend() as csms, bridge(order(csms.url, without=AS_IS)) as between:
        reader, writer = await asyncio.open_connection(HOST, between.desk.port)
        writer.write(b"GET /CP-1 HT")
        async with unit(between) as link:
            csms.answers["Heartbeat"] = {}
            await link.send('[2,"1","Heartbeat",{}]')
            assert await told(link) == [3, "1", {}]
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 408")
        assert "slow" in between.desk.knocking[0].reason or between.desk.knocking[0].count == 1
        writer.close()
        await writer.wait_closed()


async def test_a_flood_while_the_backend_is_away_is_not_taken_in() -> None:
    async with backend() as csms, bridge(order(csms.url, without=AS_IS), times=PATIENT) as between:
        await csms.stop()
        async with unit(between, close_timeout=0.2) as link:
            await until(lambda: between.status.is_present)

            async def flood() -> None:
                while True:
                    await link.send('[2,"1","DataTransfer",{"vendorId":"' + "x" * 50_000 + '"}]')

            flooding = asyncio.ensure_future(flood())
            await until(lambda: between.status.queued * 50_000 >= MOST_CHARS)
            for _ in range(200):
                await asyncio.sleep(0)
            held = between.status.queued
            flooding.cancel()
            await asyncio.gather(flooding, return_exceptions=True)
            assert held * 50_000 <= MOST_CHARS + 100_000
            link.transport.abort()


async def test_a_unit_that_reads_nothing_slows_its_backend_down_and_is_cut_off() -> None:
    quick = RelayTimes(send_s=0.3, closing_s=0.2, pause_s=0.05)
    async with backend() as csms, bridge(order(csms.url, without=AS_IS), times=quick) as between:
        reader, writer = await asyncio.open_connection(HOST, between.desk.port, limit=1024)
        writer.write(upgrade("/CP-1"))
        await reader.readuntil(b"\r\n\r\n")
        line = await csms.line()

        async def flood() -> int:
            sent = 0
            while True:
                await line.send('[2,"1","DataTransfer",{"vendorId":"' + "x" * 100_000 + '"}]')
                sent += 1

        flooding = asyncio.ensure_future(flood())
        await until(lambda: not between.status.is_present)
        assert "takes nothing in" in between.status.trouble
        await asyncio.gather(flooding, return_exceptions=True)
        writer.transport.abort()


async def test_ids_that_both_sides_use_are_not_mixed_up() -> None:
    async with backend() as csms, bridge(order(csms.url, without=AS_IS)) as between, unit(between) as link:
        line = await csms.line()
        await link.send('[2,"1","Heartbeat",{}]')
        await csms.next()
        await line.send('[2,"1","Reset",{"type":"Soft"}]')
        assert await told(link) == [2, "1", "Reset", {"type": "Soft"}]
        await link.send('[3,"1",{"status":"Accepted"}]')
        assert await csms.next() == [3, "1", {"status": "Accepted"}]
        await line.send('[3,"1",{"currentTime":"2026-11-22T12:00:00Z"}]')
        assert (await told(link))[2] == {"currentTime": "2026-11-22T12:00:00Z"}


async def test_who_dials_again_replaces_its_older_line_on_both_sides() -> None:
    async with backend() as csms, bridge(order(csms.url, without=AS_IS)) as between, unit(between) as older:
        first = await csms.line()
        async with unit(between) as newer:
            second = await csms.line()
            assert (await closed(older))[0] == 1001
            assert first.close_code is not None, "the backend never has two lines of one unit"
            csms.answers["Heartbeat"] = {}
            await newer.send('[2,"1","Heartbeat",{}]')
            assert await told(newer) == [3, "1", {}]
            assert csms.connected == [second]


async def test_a_unit_held_back_is_not_read_because_it_has_taken_in_what_we_sent() -> None:
    done: list[str] = []
    pipe = SimpleNamespace(
        pause_reading=lambda: done.append("hold"), resume_reading=lambda: done.append("on"), is_closing=lambda: False
    )
    peer = Peer(SimpleNamespace(), pipe, "CP-1")  # type: ignore[arg-type]
    peer.hold()
    peer.pause_writing()
    peer.resume_writing()
    assert "on" not in done
    peer.pause_writing()
    peer.release()
    assert "on" not in done
    peer.resume_writing()
    assert done.count("on") == 1
    await asyncio.wait_for(peer.drained(), 1)
