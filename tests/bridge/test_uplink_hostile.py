"""The line of a bridged charge point against backends that break the rules, over raw WebSockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from app.bridge.message import Message
from app.bridge.station import Start
from app.errors import DiskFull, StoreError
from app.model.backend import SecurityProfile
from app.model.bridge import LineState
from app.model.frame import Direction
from app.model.secret import Secret
from tests.acceptance.kit import central
from tests.bridge.kit import MemoryOutbox, kept
from tests.bridge.lines import living

BOOT = {"status": "Accepted", "currentTime": "2026-11-22T12:00:00Z", "interval": 300}
Script = Callable[["Backend"], Awaitable[None]]


class Backend:
    """One connection of a backend that a test writes by hand."""

    def __init__(self, link: ServerConnection) -> None:
        self.link = link
        self.calls: list[tuple[str, str, dict[str, Any]]] = []

    async def say(self, *message: Any) -> None:
        await self.link.send(json.dumps(list(message)))

    async def hear(self) -> list[Any]:
        return list(json.loads(await self.link.recv()))

    async def call(self) -> tuple[str, str, dict[str, Any]]:
        """Return the next CALL."""
        while True:
            message = await self.hear()
            if message[0] == 2:
                self.calls.append((message[1], message[2], message[3]))
                return self.calls[-1]

    async def accept(self) -> None:
        uid, action, _ = await self.call()
        assert action == "BootNotification"
        await self.say(3, uid, BOOT)

    async def serve_all(self, *, until: str = "") -> tuple[str, dict[str, Any]]:
        """Answer everything politely, up to and without an action."""
        while True:
            uid, action, payload = await self.call()
            if action == until:
                return uid, payload
            await self.say(3, uid, polite(action))

    async def answer_to(self, uid: str) -> list[Any]:
        while True:
            message = await self.hear()
            if message[0] in (3, 4) and message[1] == uid:
                return message
            if message[0] == 2:
                await self.say(3, message[1], polite(message[2]))


def polite(action: str) -> dict[str, Any]:
    match action:
        case "BootNotification":
            return BOOT
        case "StartTransaction":
            return {"transactionId": 42, "idTagInfo": {"status": "Accepted"}}
        case "Authorize" | "StopTransaction":
            return {"idTagInfo": {"status": "Accepted"}}
        case "Heartbeat":
            return {"currentTime": BOOT["currentTime"]}
    return {}


@asynccontextmanager
async def backend(*scripts: Script) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Serve one script per connection, the last one again and again; the event is set when the last one is over."""
    over, count = asyncio.Event(), 0

    async def handle(link: ServerConnection) -> None:
        nonlocal count
        script = scripts[min(count, len(scripts) - 1)]
        count += 1
        is_last = count >= len(scripts)
        with suppress(ConnectionClosed):
            await script(Backend(link))
            if is_last:
                over.set()

    async with serve(
        handle, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")], compression=None, max_size=None, close_timeout=1
    ) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", over


async def test_nonsense_of_every_kind_does_no_harm():
    answers: list[list[Any]] = []

    async def script(peer: Backend) -> None:
        await peer.accept()
        for text in ("", "{}", "[", "[]", "null", "[2]", '[7,"a",{}]', '[3,"nobody",{}]', '[4,"x"]', '["2","a"]', "\0"):
            await peer.link.send(text)
        await peer.link.send(b"\x00binary\xff")
        await peer.link.send('[2,"a","Reset"]')
        answers.append(await peer.answer_to("a"))
        await peer.link.send('[2,"b","Reset",[]]')
        answers.append(await peer.answer_to("b"))
        await peer.link.send("[" * 5000)
        await peer.link.send(["[2,", '"c","GetConfig', 'uration",{"key":["HeartbeatInterval"]}]'])
        answers.append(await peer.answer_to("c"))

    async with backend(script) as (url, over), living(url) as unit:
        await asyncio.wait_for(over.wait(), 5)
        assert unit.uplink.dials == 1
    assert [answer[:3] for answer in answers[:2]] == [[4, "a", "FormationViolation"], [4, "b", "FormationViolation"]]
    assert answers[2][2]["configurationKey"][0]["value"] == "300"


async def test_a_message_without_end_closes_the_line_and_it_dials_again():
    async def flood(peer: Backend) -> None:
        await peer.accept()
        await peer.link.send('[2,"a","DataTransfer",{"vendorId":"' + "x" * 3_000_000 + '"}]')
        await peer.link.wait_closed()
        assert peer.link.close_code == 1009

    async def healthy(peer: Backend) -> None:
        await peer.serve_all(until="nothing")

    async with backend(flood, healthy) as (url, _), living(url) as unit:
        await unit.until(lambda: unit.uplink.dials == 2 and unit.uplink.line is LineState.ONLINE)


async def test_a_repeated_call_is_answered_from_memory_and_not_acted_on_twice():
    got: list[list[Any]] = []

    async def script(peer: Backend) -> None:
        await peer.accept()
        order = [2, "r1", "RemoteStartTransaction", {"idTag": "DRIVER"}]
        for _ in range(2):
            await peer.say(*order)
            got.append(await peer.answer_to("r1"))
        await peer.say(2, "r2", "RemoteStartTransaction", {"idTag": "DRIVER"})
        got.append(await peer.answer_to("r2"))

    async with backend(script) as (url, over), living(url):
        await asyncio.wait_for(over.wait(), 5)
    assert [answer[2]["status"] for answer in got] == ["Accepted", "Accepted", "Rejected"]


async def test_one_call_is_out_at_a_time_and_orders_are_answered_meanwhile():
    seen: list[str] = []

    async def script(peer: Backend) -> None:
        await peer.accept()
        uid, action, _ = await peer.call()
        await peer.say(2, "q", "GetConfiguration", {"key": ["HeartbeatInterval"]})
        answer = await peer.hear()
        seen.extend([action, str(answer[1])])
        await peer.say(3, uid, {})
        _, action, _ = await peer.call()
        seen.append(action)

    async with backend(script) as (url, over), living(url):
        await asyncio.wait_for(over.wait(), 5)
    assert seen == ["StatusNotification", "q", "StatusNotification"]


async def test_a_lost_answer_makes_the_same_message_come_again_with_the_same_id():
    stops: list[tuple[str, dict[str, Any]]] = []

    async def cut(peer: Backend) -> None:
        stops.append(await peer.serve_all(until="StartTransaction"))
        peer.link.transport.abort()

    async def again(peer: Backend) -> None:
        stops.append(await peer.serve_all(until="StartTransaction"))
        await peer.say(3, stops[-1][0], polite("StartTransaction"))
        await peer.serve_all(until="never")

    async with backend(cut, again) as (url, _), living(url, pace=0.05) as unit:
        await unit.until(lambda: unit.uplink.line is LineState.ONLINE)
        unit.plug_in()
        answer = unit.station.asked("RemoteStartTransaction", {"idTag": "DRIVER"}, unit.uplink.line_since)
        assert answer.after is not None
        answer.after()
        await unit.until(lambda: unit.outbox.delivered)
        assert unit.outbox.delivered[0].attempts == 2
        assert unit.uplink.dials == 2
    assert stops[0] == stops[1]


async def test_a_backend_that_falls_dead_silent_is_left():
    async def dead(peer: Backend) -> None:
        await peer.call()
        peer.link.transport.pause_reading()
        await peer.link.wait_closed()

    async def healthy(peer: Backend) -> None:
        await peer.serve_all(until="nothing")

    async with backend(dead, healthy) as (url, _), living(url, pace=0.01) as unit:
        unit.uplink.pong_s = 0.2
        await unit.until(lambda: unit.uplink.line is LineState.ONLINE)
        assert unit.uplink.dials == 2


async def test_pending_it_waits_and_boots_at_once_when_asked():
    async def script(peer: Backend) -> None:
        uid, _, _ = await peer.call()
        await peer.say(3, uid, BOOT | {"status": "Pending", "interval": 3600})
        await peer.say(2, "t1", "TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 1})
        assert (await peer.hear())[2] == {"status": "Accepted"}
        uid, action, payload = await peer.call()
        assert (action, payload["connectorId"]) == ("StatusNotification", 1)
        await peer.say(3, uid, {})
        await peer.say(2, "t2", "TriggerMessage", {"requestedMessage": "BootNotification"})
        assert (await peer.hear())[2] == {"status": "Accepted"}
        await peer.accept()
        await peer.call()

    async with backend(script) as (url, over), living(url) as unit:
        await unit.until(lambda: "not accepted the unit yet: Pending" in unit.uplink.trouble)
        await asyncio.wait_for(over.wait(), 5)
        assert unit.uplink.line is LineState.ONLINE
        assert not unit.uplink.trouble


async def test_a_new_password_is_used_for_the_next_line_kept_and_shown_nowhere():
    taken: list[Secret] = []
    new = "a-new-password-0123456789"

    async def script(peer: Backend) -> None:
        await peer.accept()
        await peer.say(2, "k", "ChangeConfiguration", {"key": "AuthorizationKey", "value": new})
        assert (await peer.answer_to("k"))[2] == {"status": "Accepted"}
        await peer.link.wait_closed()

    async def next_line(peer: Backend) -> None:
        assert peer.link.request is not None
        assert peer.link.request.headers["Authorization"].startswith("Basic ")
        await peer.say(2, "k", "ChangeConfiguration", {"key": "AuthorizationKey", "value": "short"})
        assert (await peer.answer_to("k"))[2] == {"status": "Rejected"}

    secret = {"security_profile": SecurityProfile.BASIC, "secret": Secret("the-old-password-1234")}
    async with backend(script, next_line) as (url, over), living(url, rekeyed=taken.append, **secret) as unit:
        await asyncio.wait_for(over.wait(), 5)
        assert unit.uplink.target.secret == Secret(new)
        assert unit.station.is_accepted  # a new password is no restart
    assert taken == [Secret(new)]
    assert new not in "".join(text for _, text in unit.texts)


async def test_a_full_disk_holds_the_queue_and_not_the_line(monkeypatch: pytest.MonkeyPatch):
    is_full = asyncio.Event()

    async def flush() -> None:
        if not is_full.is_set():
            is_full.set()
            raise DiskFull("The disk is full.", "Make room.")

    async def healthy(peer: Backend) -> None:
        await peer.serve_all(until="nothing")

    monkeypatch.setattr("app.bridge.uplink.STORE_S", 0.05)
    async with backend(healthy) as (url, _), living(url, flush=flush) as unit:
        await unit.until(lambda: unit.uplink.line is LineState.ONLINE)
        unit.plug_in()
        answer = unit.station.asked("RemoteStartTransaction", {"idTag": "DRIVER"}, unit.uplink.line_since)
        assert answer.after is not None
        answer.after()
        await asyncio.wait_for(is_full.wait(), 5)
        assert unit.outlet.allowed_a == 32
        await unit.until(lambda: unit.outbox.delivered)
        assert unit.uplink.dials == 1


async def test_both_directions_are_told_to_who_listens():
    async def script(peer: Backend) -> None:
        await peer.accept()
        await peer.say(2, "c", "ClearCache", {})
        await peer.answer_to("c")

    async with backend(script) as (url, over), living(url) as unit:
        await asyncio.wait_for(over.wait(), 5)
    sides = [direction for direction, _ in unit.texts[:2]]
    assert sides == [Direction.OUT, Direction.IN]
    assert any(direction is Direction.OUT and text.startswith('[3,"c"') for direction, text in unit.texts)


class WornOutbox(MemoryOutbox):
    """Lies on a disk that can't be read for a while."""

    is_worn = False

    def head(self) -> Message | None:
        if self.is_worn:
            raise StoreError("The database refused: disk I/O error.", "Check the disk.")
        return super().head()


async def test_a_disk_that_cannot_be_read_costs_no_unit_its_line_for_good(allowed_log: Callable[[str], None]):
    allowed_log("disk I/O error")
    outbox = WornOutbox()
    stored = replace(kept(), outbox=outbox)
    async with central() as server, living(server.state.url, stored=stored, start=Start.FREE) as unit:
        await unit.until(lambda: unit.uplink.line is LineState.ONLINE)
        outbox.is_worn = True
        unit.plug_in()
        await unit.until(lambda: "disk I/O error" in unit.uplink.status.trouble)
        assert unit.uplink.status.queued >= 1
        outbox.is_worn = False
        await unit.until(lambda: outbox.delivered)
        assert not unit.uplink.status.trouble
