"""The short way for everyday messages leads to the same frames, books, events and answers as the whole way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.diagnosis.watch import Watch
from app.feed import Feed
from app.model.frame import Frame
from app.model.reading import Reading, Sampled, spread
from app.ocpp.channel import Text
from app.ocpp.endpoint import Endpoint
from app.ocpp.handshake import read_handshake
from app.ocpp.request import parse_request
from app.ocpp.server import OcppServer
from app.ocpp.swift import SwiftReception
from tests.ocpp.endpoint_kit import BOOT

NOW = datetime.now(UTC)
BOOT_2 = {"reason": "PowerUp", "chargingStation": {"vendorName": "Acme", "model": "Wall 2"}}


def ago(seconds: float) -> str:
    """Return a stamp of the past; ``0`` stands for the moment of sending."""
    if seconds == 0:
        return "{now}"
    return (NOW - timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def meter(value: object = "1000", at: str = "", **more: Any) -> dict[str, Any]:
    samples = [{"value": value, "unit": "Wh"}, {"value": "16", "measurand": "Current.Import", "phase": "L1"}]
    values = [{"timestamp": at or ago(0), "sampledValue": samples}]
    return {"connectorId": 1, "meterValue": values, **more}


def event(kind: str, number: int, value: float, **more: Any) -> dict[str, Any]:
    context = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}.get(kind, "Sample.Periodic")
    return {
        "eventType": kind,
        "timestamp": ago(0),
        "triggerReason": "MeterValuePeriodic",
        "seqNo": number,
        "transactionInfo": {"transactionId": "T1", "chargingState": "Charging"},
        "evse": {"id": 1, "connectorId": 1},
        "meterValue": [{"timestamp": ago(0), "sampledValue": [{"value": value, "context": context}]}],
        **more,
    }


TALKS: dict[str, tuple[str, list[tuple[str, Any]]]] = {
    "a healthy day": (
        "ocpp1.6",
        [
            ("BootNotification", BOOT),
            ("Heartbeat", {}),
            ("MeterValues", meter()),
            *[("MeterValues", meter(str(1000 + number))) for number in range(30)],
            ("StartTransaction", {"connectorId": 1, "idTag": "T", "timestamp": ago(0), "meterStart": 1000}),
            ("Heartbeat", {}),
            ("BootNotification", BOOT),
            ("BootNotification", BOOT),
            ("Heartbeat", {}),
        ],
    ),
    "things to remark": (
        "ocpp1.6",
        [
            ("BootNotification", BOOT),
            ("MeterValues", meter()),
            ("MeterValues", meter(at="1970-01-01T00:00:01Z")),
            ("MeterValues", meter(at=ago(86_400))),
            ("MeterValues", meter(at=ago(100))),
            ("MeterValues", meter(transactionId=99)),
            ("MeterValues", meter(transactionId=99)),
            ("MeterValues", meter(transactionId=99.0)),
            ("MeterValues", meter(transactionId=True)),
            ("MeterValues", meter(transactionId=[1])),
            ("MeterValues", meter({"not": "a value"})),
            ("MeterValues", {"connectorId": "one", "meterValue": []}),
            ("MeterValues", meter(at="no time")),
            ("Heartbeat", {"surplus": 1}),
            ("BootNotification", BOOT | {"firmwareVersion": "2"}),
            ("BootNotification", {}),
            ("NoSuchAction", {}),
        ],
    ),
    "2.0.1": (
        "ocpp2.0.1",
        [
            ("BootNotification", BOOT_2),
            ("TransactionEvent", event("Started", 0, 1000)),
            *[("TransactionEvent", event("Updated", number, 1000 + number)) for number in range(1, 20)],
            ("TransactionEvent", event("Updated", 30, 1100)),
            ("TransactionEvent", event("Updated", 31, 1100, offline=True)),
            ("TransactionEvent", event("Updated", 32, 1100, idToken={"idToken": "A", "type": "ISO14443"})),
            ("TransactionEvent", event("Updated", 33, 1101, transactionInfo={"transactionId": "T2"})),
            ("TransactionEvent", event("Updated", 33, 1101, timestamp="nonsense")),
            ("TransactionEvent", event("Updated", -1, 1101)),
            ("TransactionEvent", event("Ended", 34, 1200)),
            ("Heartbeat", {}),
        ],
    ),
}


class Wire:
    """The channel to a unit that keeps what is sent."""

    is_by_us = False
    silent_s = 0.0
    pings = pongs = peer_pings = 0
    fault = ""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, text: str) -> None:
        self.sent.append(text)

    def close(self, code: int = 1000, reason: str = "") -> None:
        pass


def admitted(server: OcppServer, protocol: str, wire: Wire) -> Endpoint:
    head = (
        "GET /CP1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
    ).encode()
    request = parse_request(head)
    assert request is not None
    shake = read_handshake(head, request, lambda _: None, remote="192.0.2.1:5", local="192.0.2.2:6")
    endpoint = server.admit(shake, wire)
    assert isinstance(endpoint, Endpoint)
    return endpoint


async def outcome(protocol: str, talk: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Send a talk, every message also once again, and return everything that came of it but for times."""
    frames: Feed[Frame] = Feed()
    samples: Feed[Sampled] = Feed()
    wire = Wire()
    with frames.subscribe(10_000) as seen, samples.subscribe(10_000) as sampled:
        async with OcppServer(frames=frames, samples=samples, sighted=lambda _: None, judge=Watch()) as server:
            server._transactions = iter(range(1, 100))  # type: ignore[assignment]
            endpoint = admitted(server, protocol, wire)
            with endpoint.events.subscribe(10_000) as events, server.findings.subscribe(10_000) as findings:
                for number, (action, payload) in enumerate(talk):
                    sent_at = endpoint.opened_at + timedelta(seconds=1 + number)
                    now = sent_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
                    text = json.dumps([2, f"m{number}", action, payload]).replace("{now}", now)
                    endpoint.received([Text(text), Text(text)] if number % 5 == 0 else [Text(text)])
                happened = [(type(item).__name__, getattr(item, "action", "")) for item in events.take()]
                found = [
                    (item.code, item.severity, undated(json.dumps(dict(item.details)))) for item in findings.take()
                ]
            result = {
                "frames": [
                    (frame.seq, frame.direction, frame.kind, frame.uid, frame.action, frame.notes, undated(frame.text))
                    for frame in seen.take()
                ],
                "sent": [undated(text) for text in wire.sent],
                "events": happened,
                "findings": found,
                "readings": [
                    item.value if isinstance(item, Reading) else item.state for item in spread(sampled.take())
                ],
                "latest": {place: reading.value for place, reading in endpoint.ledger.latest.items()},
                "transactions": list(endpoint.transactions),
                "heard": dict(endpoint.heard_actions),
                "boot": endpoint.boot and endpoint.boot.fields,
            }
            endpoint.closed(1000, "")
    return result


def undated(text: str) -> str:
    return re.sub(r"20\d\d-\d\d-\d\dT[\d:.]+Z", "then", text)


@pytest.mark.parametrize("name", TALKS)
async def test_both_ways_lead_to_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    swiftly = await outcome(*TALKS[name])
    monkeypatch.setattr(SwiftReception, "_is_swift", lambda *_: False)
    slowly = await outcome(*TALKS[name])
    for part in slowly:
        assert swiftly[part] == slowly[part], part


async def test_a_healthy_day_goes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bool] = []
    whole = SwiftReception._is_swift

    def counted(self: SwiftReception, text: str, at: datetime) -> bool:
        taken.append(whole(self, text, at))
        return taken[-1]

    monkeypatch.setattr(SwiftReception, "_is_swift", counted)
    protocol, talk = TALKS["a healthy day"]
    await outcome(protocol, talk)
    assert sum(taken) > len(talk) * 0.7
