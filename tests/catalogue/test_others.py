"""What other backends would say: the verdict, the byte, and for one of them what its own library really answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress

import pytest
from websockets.asyncio.server import ServerConnection, serve

from app.diagnosis.others import Opinion, Reason, Verdict, judge, others, parse
from app.errors import ProfileError
from app.model.finding import Finding, Severity
from app.model.frame import Direction, Handshake
from app.ocpp.manner import Manner
from tests.ocpp.endpoint_kit import BOOT, HOST, Site, ask, raw, site, unit, upgrade


async def dialled(here: Site, request: bytes) -> Handshake:
    """Send a request by hand and return the handshake as our endpoint recorded it."""
    with here.server.arrivals.subscribe() as arrivals:
        async with raw(here) as (reader, writer):
            writer.write(request)
            async with asyncio.timeout(5):
                await reader.readuntil(b"\r\n\r\n")
                return (await anext(arrivals)).handshake


def by_id(opinions: tuple[Opinion, ...]) -> dict[str, Opinion]:
    return {opinion.other.other_id: opinion for opinion in opinions}


def verdicts(opinions: tuple[Opinion, ...]) -> dict[str, str]:
    return {opinion.other.other_id: opinion.verdict.value for opinion in opinions}


def at(shake: Handshake, reason: Reason) -> bytes:
    return shake.raw[reason.place.start : reason.place.end]


async def test_a_healthy_unit_is_taken_by_all() -> None:
    async with site() as here, unit(here) as link:
        await ask(link, "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}, "u2")
        endpoint = here.server.endpoints["CP-1"]
        frames = [frame for frame in here.frames.take() if frame.direction is Direction.IN]
        opinions = judge(endpoint.handshake, frames, findings=endpoint.findings)
    assert set(verdicts(opinions).values()) == {"accepts"}
    assert all(opinion.has_booted for opinion in opinions)


async def test_a_missing_subprotocol_is_refused_where_the_head_ends() -> None:
    async with site() as here:
        shake = await dialled(here, upgrade(skip=("Protocol",)))
    opinions = by_id(judge(shake))
    assert {opinion.verdict for opinion in opinions.values()} == {Verdict.REFUSES}
    (steve,) = opinions["steve"].reasons
    assert "400" in steve.text
    assert steve.place.start == steve.place.end == len(shake.raw.rstrip(b"\r\n"))


async def test_a_version_is_compared_letter_by_letter() -> None:
    async with site() as here:
        shake = await dialled(here, upgrade().replace(b"ocpp1.6", b"OCPP1.6"))
    steve = by_id(judge(shake))["steve"]
    assert steve.verdict is Verdict.REFUSES
    assert at(shake, steve.reasons[0]) == b"Sec-WebSocket-Protocol: OCPP1.6"


async def test_2_0_1_is_refused_by_who_does_not_speak_it() -> None:
    async with site() as here:
        shake = await dialled(here, upgrade().replace(b"ocpp1.6", b"ocpp2.0.1"))
    told = verdicts(judge(shake))
    assert told.pop("steve") == "refuses"
    assert set(told.values()) == {"accepts"}


async def test_a_slash_at_the_end_parts_the_backends() -> None:
    async with site() as here:
        shake = await dialled(here, upgrade("/ocpp/CP-1/"))
    opinions = by_id(judge(shake))
    assert opinions["citrineos"].verdict is Verdict.REFUSES
    assert at(shake, opinions["citrineos"].reasons[0]) == b"/"
    assert opinions["ocpp-go"].verdict is Verdict.ACCEPTS


async def test_an_empty_vendor_is_refused_later_by_one_and_shown_in_its_frame() -> None:
    async with site() as here, unit(here, boots=False) as link:
        await ask(link, "BootNotification", {**BOOT, "chargePointVendor": ""})
        endpoint = here.server.endpoints["CP-1"]
        frames = here.frames.take()
        opinions = judge(endpoint.handshake, frames, findings=endpoint.findings)
    assert verdicts(opinions) == {
        "standard": "accepts",
        "steve": "accepts",
        "citrineos": "accepts",
        "ocpp-go": "later",
        "mobilityhouse": "accepts",
    }
    place = by_id(opinions)["ocpp-go"].reasons[0].place
    text = next(frame.text for frame in frames if frame.seq == place.frame)
    assert text[place.start : place.end] == '"chargePointVendor": ""'


async def test_a_field_too_long_is_found_in_its_frame() -> None:
    async with site() as here, unit(here, boots=False) as link:
        await ask(link, "BootNotification", {**BOOT, "chargePointModel": "M" * 30})
        endpoint = here.server.endpoints["CP-1"]
        opinions = judge(endpoint.handshake, frames := here.frames.take(), findings=endpoint.findings)
    place = by_id(opinions)["standard"].reasons[0].place
    text = next(frame.text for frame in frames if frame.seq == place.frame)
    assert json.loads(f"{{{text[place.start : place.end]}}}") == {"chargePointModel": "M" * 30}


async def test_a_request_before_the_answer_to_the_last_is_refused_by_who_counts() -> None:
    async with site() as here:
        here.server.manners["CP-1"] = Manner(answer_delay_s=0.05)
        async with unit(here) as link:
            for uid in ("h1", "h2"):
                await link.send(json.dumps([2, uid, "Heartbeat", {}]))
            await link.recv()
            await link.recv()
            endpoint = here.server.endpoints["CP-1"]
            opinions = judge(endpoint.handshake, here.frames.take(), findings=endpoint.findings)
    told = verdicts(opinions)
    assert (told["standard"], told["citrineos"], told["steve"]) == ("later", "later", "accepts")
    assert by_id(opinions)["citrineos"].reasons[0].rule == "overlapping"


def finding(code: str, case: str = "") -> Finding:
    return Finding(code=code, severity=Severity.INFO, details={"case": case} if case else {})


async def test_manners_that_show_over_time_count_too() -> None:
    async with site() as here:
        shake = await dialled(here, upgrade())
    pongs = verdicts(judge(shake, findings=[finding("PING-MISMATCH", "no-pong")]))
    assert (pongs["citrineos"], pongs["ocpp-go"]) == ("later", "accepts")
    beside = verdicts(judge(shake, findings=[finding("ZOMBIE-SESSION")]))
    assert (beside["ocpp-go"], beside["citrineos"]) == ("later", "accepts")
    idle = verdicts(judge(shake, settings={"WebSocketPingInterval": "0", "HeartbeatInterval": "300"}))
    assert idle["ocpp-go"] == "later"
    busy = verdicts(judge(shake, settings={"WebSocketPingInterval": "30", "HeartbeatInterval": "300"}))
    assert busy["ocpp-go"] == "accepts"


REQUESTS = {
    "whole": upgrade(),
    "no upgrade": upgrade(skip=("Upgrade",)),
    "no connection": upgrade(skip=("Connection",)),
    "no key": upgrade(skip=("Key",)),
    "short key": upgrade(skip=("Key",), extra="Sec-WebSocket-Key: c2hvcnQ="),
    "no version": upgrade(skip=("Version",)),
    "version 8": upgrade(skip=("Version",), extra="Sec-WebSocket-Version: 8"),
    "no protocol": upgrade(skip=("Protocol",)),
    "other protocol": upgrade().replace(b"ocpp1.6", b"vendor-cloud"),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_the_library_of_one_backend_answers_as_was_foretold(
    name: str, allowed_log: Callable[[str], None]
) -> None:
    allowed_log("opening handshake failed")

    async def take(link: ServerConnection) -> None:
        await link.wait_closed()

    async with site() as here:
        foretold = by_id(judge(await dialled(here, REQUESTS[name])))["mobilityhouse"].verdict
    async with serve(take, HOST, 0, subprotocols=["ocpp1.6", "ocpp2.0.1", "ocpp2.1"]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(REQUESTS[name])
        async with asyncio.timeout(5):
            answer = await reader.readline()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    assert (b" 101 " in answer) == (foretold is Verdict.ACCEPTS), answer


@pytest.mark.parametrize(
    "text",
    [
        "name = 'x'",
        "name='x'\nrank=1\nversions=[]\nsources=['s']\n[rules.unheard]\nverdict='refuses'\ntext='t'\nchange='c'\nsource='s'",
        "name='x'\nrank=1\nversions=[]\nsources=['s']\n[rules.method]\nverdict='maybe'\ntext='t'\nchange='c'\nsource='s'",
        "name='x'\nrank=1\nversions=[]\nsources=[]\n[rules]",
    ],
)
def test_a_careless_file_is_refused(text: str) -> None:
    with pytest.raises(ProfileError):
        parse("x", text)


def test_every_backend_names_its_sources() -> None:
    assert [other.other_id for other in others()] == ["standard", "steve", "citrineos", "ocpp-go", "mobilityhouse"]
    for other in others():
        assert other.sources
        assert all(rule.source for rule in other.rules.values())
