"""Lines that break: nothing is acknowledged that the backend has not seen, nothing is lost, and nothing comes twice."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidMessage
from websockets.typing import Subprotocol

from tests.bridge.relay_kit import (
    HOST,
    PATIENT,
    Bridge,
    backend,
    bridge,
    closed,
    order,
    told,
    unit,
    until,
)
from tests.ocpp.endpoint_kit import masked, upgrade

AS_IS = ("BOOT-ADDED", "STATUS-ASKED", "COMMANDS-HELD")
STOP = {"transactionId": 7, "meterStop": 4200, "timestamp": "2026-11-22T12:00:00Z"}
BEAT = {"currentTime": "2026-11-22T12:00:00Z"}


def call(uid: str, action: str = "StopTransaction", payload: Any = STOP) -> str:
    return json.dumps([2, uid, action, payload])


async def test_a_backend_that_is_down_gets_nothing_acknowledged_and_the_unit_is_sent_away() -> None:
    async with bridge(order("ws://127.0.0.1:9/ocpp")) as between, unit(between) as link:
        await link.send(call("1"))
        code, reason = await closed(link)
        assert code == 1001
        assert "can't be reached" in reason
        assert "can't be reached" in between.status.trouble
        with pytest.raises(ConnectionClosed):
            await link.recv()


async def test_a_unit_that_asks_nothing_stays_while_the_backend_is_away() -> None:
    async with backend() as csms, bridge(order(csms.url, without=AS_IS)) as between, unit(between) as link:
        await (await csms.line()).close(1012)
        await csms.line()
        csms.answers["Heartbeat"] = BEAT
        await link.send(call("1", "Heartbeat", {}))
        assert await told(link) == [3, "1", BEAT]


async def test_what_waits_for_the_backend_goes_out_in_order_with_its_ids() -> None:
    async with backend() as csms, bridge(order(csms.url, without=AS_IS), times=PATIENT) as between:
        await csms.stop()
        async with unit(between) as link:
            for number in range(5):
                await link.send(call(str(number)))
            await until(lambda: between.status.queued == 5)
            await csms.start()
            assert [(await csms.next())[1] for _ in range(5)] == list("01234")
            assert between.status.queued == 0


async def test_a_request_under_way_when_the_line_breaks_is_left_to_the_unit() -> None:
    async with backend() as csms, bridge(order(csms.url, without=AS_IS), times=PATIENT) as between:
        async with unit(between) as link:
            line = await csms.line()
            await link.send(call("1"))
            await csms.next()
            line.transport.abort()
            code, _ = await closed(link)
            assert code == 1001
        async with unit(between) as link:
            await csms.line()
            csms.answers["StopTransaction"] = {}
            await link.send(call("1"))
            assert await told(link) == [3, "1", {}]
        assert csms.texts == [call("1"), call("1")], "the unit sent it twice, the bridge each once"


async def test_what_waited_is_not_sent_once_the_unit_is_gone() -> None:
    async with backend() as csms, bridge(order(csms.url, without=AS_IS), times=PATIENT) as between:
        await csms.stop()
        async with unit(between) as link:
            await link.send(call("1"))
            await until(lambda: between.status.queued == 1)
        await until(lambda: not between.status.is_present)
        await csms.start()
        csms.answers["StopTransaction"] = {}
        async with unit(between) as link:
            await link.send(call("1"))
            assert await told(link) == [3, "1", {}]
        assert csms.texts == [call("1")]


async def test_an_answer_said_right_before_the_unit_hangs_up_reaches_the_backend() -> None:
    async with (
        backend() as csms,
        bridge(order(csms.url, without=AS_IS)) as between,
        raw_unit(between) as (reader, writer),
    ):
        line = await csms.line()
        await line.send(call("r", "Reset", {"type": "Soft"}))
        await asyncio.wait_for(reader.readexactly(10), 5)
        going = (1000).to_bytes(2, "big")
        writer.write(masked(b'[3,"r",{"status":"Accepted"}]') + masked(going, opcode=8))  # in one packet
        assert await csms.next() == [3, "r", {"status": "Accepted"}]
        assert await closed(line) == (1000, "the charger's line is gone")


async def test_an_answer_for_a_line_that_is_gone_does_not_reach_the_next_one() -> None:
    async with backend() as csms, bridge(order(csms.url, without=AS_IS)) as between, unit(between) as link:
        line = await csms.line()
        await line.send(call("r", "Reset", {"type": "Soft"}))
        await told(link)
        line.transport.abort()
        await csms.line()
        await link.send('[3,"r",{"status":"Accepted"}]')
        await link.send(call("1", "Heartbeat", {}))
        assert await csms.next() == [2, "1", "Heartbeat", {}]


async def test_a_backend_that_hangs_up_for_a_reason_is_repeated_to_the_unit() -> None:
    async with backend() as csms, bridge(order(csms.url)) as between, unit(between) as link:
        await (await csms.line()).close(4001, "not you")
        assert await closed(link) == (4001, "not you")


async def test_a_backend_that_refuses_is_told_in_words() -> None:
    def refuse(connection: Any, request: Any) -> Any:
        return connection.respond(404, "unknown\n")

    async with backend(process_request=refuse) as csms, bridge(order(csms.url)) as between, unit(between) as link:
        code, reason = await closed(link)
        assert code == 1008
        assert "404" in reason
        assert "404" in between.status.trouble


async def test_stopping_the_bridge_waits_for_the_answer_under_way() -> None:
    async with backend() as csms, bridge(order(csms.url, without=AS_IS)) as between, unit(between) as link:
        line = await csms.line()
        await link.send(call("1"))
        await csms.next()
        stopping = asyncio.ensure_future(between.desk.close())
        await until(lambda: not between.desk.port)
        await line.send('[3,"1",{}]')
        assert await told(link) == [3, "1", {}]
        assert (await closed(link))[0] == 1001
        await stopping


class Honest:
    """A unit as the standard has it: one request at a time, the same again until it is answered, in order."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.answered: list[str] = []
        self.is_enough = False

    async def live(self, between: Bridge) -> None:
        while not self.is_enough:
            with suppress(ConnectionClosed, OSError, InvalidMessage, TimeoutError):
                async with unit(between) as link:
                    while not self.is_enough:
                        await self._ask(link, str(len(self.answered)))

    async def _ask(self, link: ClientConnection, uid: str) -> None:
        self.sent[uid] += 1
        await link.send(call(uid))
        answer = await asyncio.wait_for(link.recv(), 5)
        assert json.loads(answer) == [3, uid, {}]
        self.answered.append(uid)


@pytest.mark.parametrize("seed", range(4))
async def test_lines_cut_at_any_moment_lose_and_double_nothing(seed: int) -> None:
    chance = random.Random(seed)
    station = Honest()
    cuts: Counter[str] = Counter()
    async with backend() as csms, bridge(order(csms.url, without=AS_IS), times=PATIENT) as between:
        csms.answers["StopTransaction"] = {}
        living = asyncio.ensure_future(station.live(between))
        while min(cuts["unit"], cuts["backend"]) < 15:
            await asyncio.sleep(chance.random() * 0.01)
            for relay in between.desk.relays:
                if chance.random() < 0.5:
                    relay.channel.abort()
                    cuts["unit"] += 1
                elif csms.connected:
                    chance.choice(csms.connected).transport.abort()
                    cuts["backend"] += 1
        station.is_enough = True
        await living
    got = Counter(json.loads(text)[1] for text in csms.texts)
    assert len(station.answered) > 30
    assert set(station.answered) <= set(got), "the backend has all of them"
    assert all(got[uid] <= station.sent[uid] for uid in got), "and none more often than the unit sent it"
    first_seen = list(dict.fromkeys(json.loads(text)[1] for text in csms.texts))
    assert first_seen[: len(station.answered)] == station.answered, "in order"


async def test_a_backend_that_takes_everybody_and_hangs_up_at_once_is_not_hammered() -> None:
    dials: list[float] = []
    loop = asyncio.get_running_loop()

    async def slam(line: ServerConnection) -> None:
        dials.append(loop.time())
        await line.close(1001)

    async with serve(slam, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")], compression=None) as csms:
        port = next(iter(csms.sockets)).getsockname()[1]
        async with bridge(order(f"ws://127.0.0.1:{port}/ocpp")) as between, unit(between):
            await until(lambda: len(dials) > 5)
    pauses = [later - earlier for earlier, later in pairwise(dials)]
    assert pauses[0] >= 0.02
    assert pauses[3] >= 0.08, "each pause is longer than the one before"


async def test_what_waited_too_long_is_not_sent_when_the_backend_comes_round() -> None:
    """The Boot is accepted when the unit was sent away and has not gone yet: it will say its request again."""
    async with (
        backend() as csms,
        bridge(order(csms.url, vendor="A", model="B")) as between,
        raw_unit(between) as (reader, writer),
    ):
        line = await csms.line()
        writer.write(masked(call("1").encode()))
        boot = await csms.next()
        assert (await asyncio.wait_for(reader.readexactly(1), 5)) == b"\x88", "it was sent away, and does not answer"
        await line.send(json.dumps([3, boot[1], {"status": "Accepted", "interval": 9, "currentTime": "x"}]))
        await closed(line)
        assert len(csms.texts) == 1


@asynccontextmanager
async def raw_unit(at: Bridge) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A unit of bare bytes, past its handshake."""
    reader, writer = await asyncio.open_connection(HOST, at.desk.port)
    try:
        writer.write(upgrade("/CP-1"))
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
