"""What tests of OCPP 2.x share: the stock client speaking for a station, and a judge that remembers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection

from app.model.finding import Finding
from app.model.observation import Observation
from tests.ocpp.endpoint_kit import Site, ask, heard, site, unit

VERSIONS = ("2.0.1", "2.1")
BOOT2 = {
    "reason": "PowerUp",
    "chargingStation": {
        "vendorName": "Acme",
        "model": "DC 2",
        "serialNumber": "SN-2",
        "firmwareVersion": "7.1",
        "modem": {"iccid": "8949"},
    },
}
AT = "2026-11-22T13:00:00Z"


@asynccontextmanager
async def station(
    here: Site, version: str = "2.0.1", *, identity: str = "CS-1", boots: bool = True, **options: Any
) -> AsyncIterator[ClientConnection]:
    options.setdefault("subprotocols", [f"ocpp{version}"])
    async with unit(here, identity, boots=False, **options) as link:
        if boots:
            assert (await ask(link, "BootNotification", BOOT2))["status"] == "Accepted"
        yield link


async def answering(link: ClientConnection, **answers: Any) -> None:
    """Answer commands by their action until the connection ends."""
    while True:
        message = await heard(link)
        if message[0] != 2:
            continue
        answer = answers[message[2]]
        await link.send(json.dumps([3, message[1], answer(message[3]) if callable(answer) else answer]))


def event(kind: str, number: int, **more: Any) -> dict[str, Any]:
    info = {"transactionId": "tx-1", **more.pop("info", {})}
    reasons = {"Started": "CablePluggedIn", "Updated": "MeterValuePeriodic", "Ended": "EVDeparted"}
    return {
        "eventType": kind,
        "timestamp": more.pop("at", AT),
        "triggerReason": reasons[kind],
        "seqNo": number,
        "transactionInfo": info,
        **more,
    }


def sample(value: float, context: str = "Sample.Periodic", **more: Any) -> dict[str, Any]:
    unit_ = more.pop("unit", {"unit": "kWh"})
    return {"timestamp": AT, "sampledValue": [{"value": value, "context": context, "unitOfMeasure": unit_, **more}]}


@asynccontextmanager
async def judged(**options: Any) -> AsyncIterator[tuple[Site, list[Observation]]]:
    """A site whose judge remembers what it is shown."""
    seen: list[Observation] = []

    def judge(observation: Observation) -> list[Finding]:
        seen.append(observation)
        return []

    async with site(**options) as here:
        here.server.judge = judge
        yield here, seen
