"""One password, told in every way a charger and a backend tell one: it is in no file, log, trace, report or output."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from app.errors import AppError
from app.model.exchange import Exchange
from app.model.trace import TraceFormat
from app.ocpp.shown import masked
from app.report.acceptance import save
from app.trace.merging import Selection
from app.workbench import Workbench
from tests.e2e.test_call import call, dialling
from tests.trace.trace_kit import open_bench

pytestmark = pytest.mark.timeout(120)
SECRET = "hidden-Pass4711"
LOGIN = base64.b64encode(f"CP-1:{SECRET}".encode()).decode()
SPELLINGS = (SECRET, LOGIN, SECRET.encode().hex(), SECRET.encode().hex().upper())
VPN = {"server": "s", "user": "u", "password": SECRET, "key": SECRET, "type": "IPSec"}
APN = {"apn": "a", "apnAuthentication": "AUTO", "apnPassword": SECRET, "simPin": 4711}
PROFILE = {
    "ocppVersion": "OCPP20", "ocppTransport": "JSON", "ocppCsmsUrl": f"wss://CP-1:{SECRET}@backend.example/",
    "messageTimeout": 30, "securityProfile": 1, "ocppInterface": "Wired0", "basicAuthPassword": SECRET,
    "apn": APN, "vpn": VPN,
}  # fmt: skip
VARIABLE = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
ORDERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("GetConfiguration", {}),
    ("ChangeConfiguration", {"key": "AuthorizationKey", "value": SECRET}),
    ("ChangeConfiguration", {"key": "BackendUrl", "value": f"wss://CP-1:{SECRET}@backend.example/"}),
    ("GetDiagnostics", {"location": f"ftp://user:{SECRET}@10.0.0.1/logs"}),
    ("UpdateFirmware", {"location": f"ftp://user:{SECRET}@10.0.0.1/i", "retrieveDate": "2026-01-01T00:00:00Z"}),
)
ORDERS2: tuple[tuple[str, dict[str, Any]], ...] = (
    ("SetNetworkProfile", {"configurationSlot": 1, "connectionData": PROFILE}),
    ("SetVariables", {"setVariableData": [{**VARIABLE, "attributeValue": SECRET}]}),
    ("GetVariables", {"getVariableData": [VARIABLE]}),
)


def answer_to(action: str) -> Any:
    if action == "GetConfiguration":
        keys = [{"key": "AuthorizationKey", "readonly": "no", "value": SECRET}]
        return {"configurationKey": keys}
    if action == "ChangeConfiguration":
        return ["InternalError", f"can't store {SECRET}", {"value": SECRET}]
    if action == "GetVariables":
        return {"getVariableResult": [{**VARIABLE, "attributeStatus": "Accepted", "attributeValue": SECRET}]}
    return {"status": "Accepted"}


async def answering(link: ClientConnection) -> None:
    async for text in link:
        message = json.loads(text)
        if message[0] == 2:
            said = answer_to(message[2])
            await link.send(json.dumps([4, message[1], *said] if isinstance(said, list) else [3, message[1], said]))


async def visit(bench: Workbench, identity: str, protocol: str, orders: tuple[tuple[str, dict[str, Any]], ...]) -> None:
    port = bench.server.state.port
    headers = {"Authorization": f"Basic {LOGIN}"}
    url = f"ws://127.0.0.1:{port}/{identity}"
    async with connect(url, subprotocols=[Subprotocol(protocol)], additional_headers=headers) as link:
        plain = {"chargePointVendor": "V", "chargePointModel": "M"}
        station = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}
        await link.send(json.dumps([2, "b", "BootNotification", plain if protocol == "ocpp1.6" else station]))
        await link.recv()
        await link.send(json.dumps([2, "r", "NotifyReport", {"requestId": 1, "generatedAt": "x", "seqNo": 0,
            "reportData": [{**VARIABLE, "variableAttribute": [{"value": SECRET}]}]}]))  # fmt: skip
        await link.recv()
        await link.send(f'[2,"x","broken" {{"key":"AuthorizationKey","value":"{SECRET}"}}')
        await link.recv()
        async with asyncio.TaskGroup() as group:
            talking = group.create_task(answering(link))
            endpoint = await bench.server.arrival(identity, timeout_s=5)
            for action, payload in orders:
                remembered(bench, identity, action, payload)
                try:
                    await endpoint.call(action, payload, timeout_s=5)
                except AppError as error:
                    assert SECRET not in f"{error!r} {error.message} {error.advice}"
            if protocol == "ocpp1.6":
                await tried(bench, identity)
            talking.cancel()


def remembered(bench: Workbench, identity: str, action: str, payload: dict[str, Any]) -> None:
    """Keep what the console keeps."""
    request, answer = json.dumps(masked(payload)), json.dumps(masked(answer_to(action)))
    if isinstance(answer_to(action), dict):
        at = bench.now()
        bench.store.console.add(
            Exchange(identity=identity, version="", action=action, request=request, answer=answer, sent_at=at)
        )


async def tried(bench: Workbench, identity: str) -> None:
    bench.acceptance.tempo = type(bench.acceptance.tempo)(pace=0.01, least_s=0.5)
    run = bench.acceptance.prepare(identity, "full", skips_prompts=True, only=frozenset({"A16-CONF-01", "A16-CONF-02"}))
    result = await run.go()
    assert result.results
    for name in ("run.json", "run.xml", "run.html"):
        await save(result, bench.home / name)


async def knock(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /CP-9 HTTP/1.1\r\nAuthorization: Basic {LOGIN}\r\nX: ".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def files(home: Path) -> Iterator[tuple[Path, bytes]]:
    return ((path, path.read_bytes()) for path in home.rglob("*") if path.is_file())


async def test_it_is_in_nothing_that_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="app")
    caplog.set_level(logging.DEBUG, logger="aiohttp")
    async with open_bench(tmp_path) as bench:
        await knock(bench.server.state.port)
        await visit(bench, "CP-1", "ocpp1.6", ORDERS)
        await visit(bench, "CP-2", "ocpp2.0.1", ORDERS2)
        for kind, name in ((TraceFormat.REHOME, "t.rehome-trace"), (TraceFormat.OPEN, "t.jsonl"),
                           (TraceFormat.PCAPNG, "t.pcapng"), (TraceFormat.LOG, "t.log")):  # fmt: skip
            told = await bench.traces.export(tmp_path / name, kind, Selection())
            assert told.frames > 10
    found = dict(files(tmp_path))
    assert {"run.json", "run.xml", "run.html", "t.pcapng"} <= {path.name for path in found}
    assert sum(b"GetConfiguration" in data for data in found.values()) >= 4
    for spelling in SPELLINGS:
        assert [path.name for path, data in found.items() if spelling.encode() in data] == []
        assert spelling not in caplog.text


async def test_it_is_in_no_output_of_call(tmp_path: Path, free_port: int) -> None:
    answers = {"GetConfiguration": lambda _: answer_to("GetConfiguration"),
               "ChangeConfiguration": lambda _: answer_to("ChangeConfiguration")}  # fmt: skip
    change = json.dumps({"key": "AuthorizationKey", "value": SECRET})
    async with dialling(free_port, "ocpp1.6", answers):
        for words in (("GetConfiguration", "{}"), ("ChangeConfiguration", change, "--yes", "--no-backup")):
            code, value, told = await call(tmp_path, free_port, *words)
            assert code in (0, 1, 2, 3), told
            assert SECRET not in f"{value} {told}"
    for path, data in files(tmp_path):
        assert SECRET.encode() not in data, path.name
