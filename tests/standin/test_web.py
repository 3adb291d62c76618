"""Web answers: internet checks, the directory, and chargers that dial a dead name and land on our endpoint."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake

from app.errors import ValueRejected
from app.model.garage import Stand, StandState
from app.settings import Settings
from app.standin import captive, names, web
from app.workbench import Workbench
from tests.standin.kit import HOST, Loopback, desk

DIRECTORY = "directory-api.emotorwerks.com"
BOOT = [2, "1", "BootNotification", {"chargePointVendor": "Old", "chargePointModel": "Cloud"}]


async def said(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(request)
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.transport.abort()


def get(host: str, path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: x\r\n\r\n".encode()


@asynccontextmanager
async def serving(**options: str) -> AsyncIterator[StandState]:
    async with desk() as garage:
        yield await garage.start(Stand.WEB, port=0, secure_port=0, **options)  # type: ignore[arg-type]


async def test_every_known_internet_check_is_passed() -> None:
    async with serving() as state:
        for check in captive.read().all:
            for host in check.hosts:
                reply = await said(state.port, get(host.upper(), f"{check.path}?x=1"))
                head, _, body = reply.partition(b"\r\n\r\n")
                assert head.startswith(f"HTTP/1.1 {check.status} ".encode())
                assert body.decode() == check.body
        assert (await said(state.port, get("any.example", "/generate_204"))).startswith(b"HTTP/1.1 204 ")
        reply = await said(state.port, get("captive.apple.com", "/hotspot-detect.html", "HEAD"))
        assert reply.endswith(b"\r\n\r\n")
        assert (await said(state.port, get("captive.apple.com", "/hotspot-detect.html", "PUT"))).split()[1] == b"405"
        assert (await said(state.port, get("any.example", "/"))).split()[1] == b"404"


async def test_every_checks_name_is_in_the_ready_set() -> None:
    found = next(item for item in names.read().sets if item.id == "captive")
    assert set(found.answered) == {host for check in captive.read().all for host in check.hosts}


async def test_curl_is_content() -> None:
    async with serving() as state:
        url = f"http://captive.apple.com:{state.port}/hotspot-detect.html"
        command = ["curl", "-sS", "--max-time", "5", "--resolve", f"captive.apple.com:{state.port}:{HOST}", url]
        try:
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
        except FileNotFoundError:
            pytest.skip("curl is not installed")
        assert "Success" in done.stdout


async def test_the_directory_is_refused_as_chosen() -> None:
    ask = get(DIRECTORY, "/v1/profiles/juicebox/0910000000000000000000000000/")
    async with desk() as garage:
        state = await garage.start(Stand.WEB, port=0, secure_port=0)
        with pytest.raises(ConnectionResetError):
            await said(state.port, ask)
        assert (garage.log[-1].answer, "directory" in garage.log[-1].knows) == ("reset", True)
    async with serving(directory="404") as state:
        assert (await said(state.port, ask)).startswith(b"HTTP/1.1 404 ")
    with pytest.raises(ValueRejected):
        async with serving(directory="500"):
            pass


async def test_the_directory_over_tls_is_reset_before_any_certificate_is_shown() -> None:
    context = ssl.create_default_context()
    async with desk() as garage:
        state = await garage.start(Stand.WEB, port=0, secure_port=0)
        with pytest.raises(ConnectionError):
            await asyncio.open_connection(HOST, state.secure_port, ssl=context, server_hostname=DIRECTORY)
        assert (garage.log[-1].kind, garage.log[-1].name) == ("TLS", f"https://{DIRECTORY}")


async def test_a_phones_check_over_tls_is_reset_and_no_charger(tmp_path: Path) -> None:
    context = ssl.create_default_context()
    async with bench(tmp_path) as (made, state):
        with pytest.raises(ConnectionError):
            await asyncio.open_connection(HOST, state.secure_port, ssl=context, server_hostname="www.gstatic.com")
        assert made.garage.log[-1].answer == "reset"


async def test_nonsense_silence_strangers_and_crowds(monkeypatch: pytest.MonkeyPatch, unit_s: float) -> None:
    async with serving() as state:
        for junk in (b"\x16\x03\x01\xff\xff" + bytes(100), b"x" * 9000, b"nonsense\r\n\r\n"):
            with suppress(ConnectionResetError):
                assert await said(state.port, junk) == b""
    async with desk(Loopback(near=lambda _: False)) as garage:
        state = await garage.start(Stand.WEB, port=0, secure_port=0)
        with pytest.raises(ConnectionResetError):
            await said(state.port, get("any.example", "/generate_204"))
        assert not garage.log
    monkeypatch.setattr(web, "FIRST_S", unit_s)
    async with serving() as state:
        with suppress(ConnectionResetError):
            assert await said(state.port, b"GET / HTTP") == b""


@asynccontextmanager
async def bench(home: Path) -> AsyncIterator[tuple[Workbench, StandState]]:
    async with Workbench(Settings(endpoint_on=False), home=home, with_discovery=False) as made:
        await made.start_endpoint(HOST, 0)
        yield made, await made.garage.start(Stand.WEB, host=HOST, port=0, secure_port=0)


async def test_a_charger_that_dials_a_dead_name_lands_on_our_endpoint(tmp_path: Path) -> None:
    async with bench(tmp_path) as (made, state):
        url = f"ws://old-cloud.example:{state.port}/ocpp/STALL-7"
        async with connect(url, host=HOST, port=state.port, subprotocols=["ocpp1.6"]) as charger:  # type: ignore[list-item]
            await charger.send(json.dumps(BOOT))
            answer = json.loads(await charger.recv())
            assert (answer[0], answer[1], answer[2]["status"]) == (3, "1", "Accepted")
            endpoint = made.server.endpoint("STALL-7")
            assert endpoint is not None
            (unit,) = made.finder.units.values()  # recognised, so that it can be backed up and moved
            assert [str(way.address) for way in unit.ways] == ["ocpp:STALL-7"]
            last = made.garage.log[-1]
            assert (last.kind, last.name) == ("WebSocket", "http://old-cloud.example/ocpp/STALL-7")
            await made.garage.stop(Stand.WEB)  # it keeps its connection
            await charger.send(json.dumps([2, "2", "Heartbeat", {}]))
            async with asyncio.timeout(5):
                while json.loads(await charger.recv())[:2] != [3, "2"]:
                    pass  # the endpoint asks questions of its own


async def test_a_charger_that_does_not_verify_lands_there_over_tls(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with bench(tmp_path) as (made, state):
        url = f"wss://old-cloud.example:{state.secure_port}/STALL-8"
        place = {"host": HOST, "port": state.secure_port}
        async with connect(url, ssl=context, subprotocols=["ocpp1.6"], **place) as charger:  # type: ignore[arg-type]
            await charger.send(json.dumps(BOOT))
            assert json.loads(await charger.recv())[2]["status"] == "Accepted"
            assert made.server.endpoint("STALL-8") is not None
            assert made.garage.log[-1].name == "https://old-cloud.example"


async def test_a_charger_that_speaks_soap_is_named_by_the_endpoint(tmp_path: Path) -> None:
    async with bench(tmp_path) as (made, state):
        with made.server.knocks.subscribe() as knocks:
            soap = b"<soap:Envelope xmlns:soap='http://www.w3.org/2003/05/soap-envelope'/>"
            head = f"POST /cs HTTP/1.1\r\nHost: old.example\r\nContent-Length: {len(soap)}\r\n"
            await said(state.port, f"{head}Content-Type: application/soap+xml\r\n\r\n".encode() + soap)
            async with asyncio.timeout(5):
                assert "SOAP" in (await anext(knocks)).text


async def test_without_an_endpoint_a_charger_is_hung_up_on() -> None:
    async with desk() as garage:
        state = await garage.start(Stand.WEB, port=0, secure_port=0)
        with pytest.raises((OSError, InvalidHandshake)):
            async with connect(f"ws://{HOST}:{state.port}/STALL-7", open_timeout=5):
                pass
        assert "does not listen" in garage.log[-1].answer
