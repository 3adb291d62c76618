"""The simulated OpenEVSE is as odd as the real one: each oddity named in the firmware's source, seen from outside."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from app.links.http import RealHttp
from app.sim.fault import Fault
from app.sim.openevse import OpenEvseGateway
from tests.conftest import TIME_UNIT_S

WAIT_S = 5.0
ACCEPTED = {"status": "Accepted", "interval": 300, "currentTime": "2026-01-01T00:00:00Z"}
ANSWERS: dict[str, dict[str, Any]] = {
    "BootNotification": ACCEPTED,
    "StartTransaction": {"transactionId": 42, "idTagInfo": {"status": "Accepted"}},
}


class CentralSystem:
    """Accepts everybody, notes every call, and can call itself."""

    def __init__(self) -> None:
        self.url = ""
        self.heard: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self.logins: asyncio.Queue[str | None] = asyncio.Queue()
        self.link: ServerConnection | None = None
        self._answers: asyncio.Queue[Any] = asyncio.Queue()

    async def serve(self, link: ServerConnection) -> None:
        assert link.request is not None
        self.link = link
        self.logins.put_nowait(link.request.headers.get("Authorization"))
        try:
            async for text in link:
                message = json.loads(text)
                if message[0] != 2:
                    self._answers.put_nowait(message)
                    continue
                self.heard.put_nowait((message[2], message[3]))
                await link.send(json.dumps([3, message[1], ANSWERS.get(message[2], {})]))
        except ConnectionClosed:
            return

    async def call(self, action: str, payload: dict[str, Any]) -> Any:
        assert self.link is not None
        await self.link.send(json.dumps([2, "call", action, payload]))
        answer = await asyncio.wait_for(self._answers.get(), WAIT_S)
        return answer[2]

    async def until(self, action: str, where: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        async with asyncio.timeout(WAIT_S):
            while True:
                heard, payload = await self.heard.get()
                if heard == action and where(payload):
                    return payload


@asynccontextmanager
async def central_system() -> AsyncIterator[CentralSystem]:
    system = CentralSystem()
    async with serve(system.serve, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:
        system.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ocpp"
        yield system


@asynccontextmanager
async def bench(firmware: str = "v5.1.5", **options: Any) -> AsyncIterator[tuple[OpenEvseGateway, RealHttp]]:
    async with OpenEvseGateway(firmware, time_scale=TIME_UNIT_S, **options) as unit:
        link = RealHttp(unit.address)
        try:
            yield unit, link
        finally:
            await link.close()


async def post(link: RealHttp, document: Any, **options: Any) -> tuple[int, Any]:
    answer = await link.request("POST", "/config", json=document, **options)
    return answer.status, json.loads(answer.body)


def dialling(system: CentralSystem, **config: Any) -> dict[str, Any]:
    return {"ocpp_enabled": True, "ocpp_server": system.url, "ocpp_chargeBoxId": "CP-1", **config}


# /config


async def test_config_versions_and_no_change():
    async with bench() as (_, link):
        assert await post(link, {"hostname": "left"}) == (200, {"config_version": 2, "msg": "done"})
        assert await post(link, {"hostname": "left"}) == (200, {"config_version": 2, "msg": "no change"})
        assert await post(link, {"unknown": 1}) == (200, {"config_version": 2, "msg": "no change"})


async def test_masked_passwords_are_never_told_and_not_overwritten_by_their_mask():
    async with bench() as (unit, link):
        shown = (await link.request("GET", "/config")).json()
        assert shown["pass"] == "_DUMMY_PASSWORD"
        assert shown["ap_pass"] == ""
        assert await post(link, {"pass": "_DUMMY_PASSWORD"}) == (200, {"config_version": 1, "msg": "no change"})
        assert unit.config["pass"] == "wifi-password"


async def test_the_whole_answer_posted_back_is_too_much():
    async with bench() as (_, link):
        shown = (await link.request("GET", "/config")).json()
        assert (await post(link, shown | {"time_zone": "x" * 1500}))[0] == 400
        assert await post(link, {}) == (200, {"config_version": 1, "msg": "no change"})


async def test_errors_read_like_the_firmwares():
    async with bench() as (_, link):
        broken = await link.request("POST", "/config", body=b"{")
        assert (broken.status, broken.body) == (400, b'{"msg":"Could not parse JSON"}')
        factory = await post(link, {"hostname": "x"}, headers={"X-Storage": "factory"})
        assert factory == (423, {"msg": "Factory settings locked"})
        assert (await link.request("DELETE", "/config")).status == 405
        for body, status, message in (
            ({"device": "toaster"}, 404, "unknown device"),
            ({}, 400, "wrong payload"),
            ({"device": "evse"}, 200, "restart evse"),
        ):
            answer = await link.request("POST", "/restart", json=body)
            assert (answer.status, answer.json()["msg"]) == (status, message)
        assert (await link.request("GET", "/nowhere")).status == 404


async def test_the_hardware_limit_is_written_once():
    async with bench() as (unit, link):
        status, answer = await post(link, {"max_current_hard": 80})
        assert (status, answer["msg"]) == (200, "done")
        assert unit.config["max_current_hard"] == 48


async def test_rapi_over_http_reads_only():
    async with bench() as (_, link):
        answer = await link.request("GET", "/r?json=1&rapi=%24GV")
        assert answer.json() == {"cmd": "$GV", "ret": "$OK 8.2.3 5.2.1^2F"}
        blocked = await link.request("GET", "/r?json=1&rapi=%24SC+80+M")
        assert (blocked.status, blocked.json()["error"]) == (400, "RAPI_RESPONSE_BLOCKED")


async def test_head_wants_more_than_a_bare_get_to_restart_or_erase():
    async with bench("head") as (unit, link):
        for path in ("/restart", "/reset"):
            assert (await link.request("GET", path)).status == 403
        assert not unit.was_erased
        login = await link.request("POST", "/login", json={"user": "x", "pass": "y"})
        assert (login.status, login.json()) == (401, {"msg": "invalid"})


# What the backend sees


@pytest.mark.parametrize(
    ("firmware", "stored", "password"),
    [
        ("v4.1.9", "secret12", b"secret12"),
        ("v5.1.0", "7365637265743132", b"7365637265743132"),
        ("v5.1.1", "7365637265743132", b"secret12"),
        ("v5.1.2", "7365637265743132", b"secret12"),
        ("v5.1.2", "secret12", b"\x0e\xc0\xe0\x12"),
        ("v5.1.5", "7365637265743132", b"secret12"),
        ("v5.1.5", "FF00", b"\xff\x00"),
        ("v5.1.5", "secret12", None),
        ("v5.1.5", "abc", None),
        ("v5.1.5", "00" * 21, None),
        ("head", "7365637265743132", b"secret12"),
    ],
)
async def test_the_login_bytes_of_each_firmware(firmware: str, stored: str, password: bytes | None):
    async with central_system() as system, bench(firmware, config=dialling(system, ocpp_authkey=stored)):
        login = await asyncio.wait_for(system.logins.get(), WAIT_S)
        if password is None:
            assert login is None
        else:
            assert login == "Basic " + base64.b64encode(b"CP-1:" + password).decode()


async def test_a_login_line_over_the_buffer_never_arrives_and_stands_in_the_log():
    async with central_system() as system:
        config = dialling(system, ocpp_authkey="k" * 80)
        async with bench("v5.1.0", config=config) as (unit, link):
            assert not unit.point.dial_url
            assert b"Basic Authentication failed" in (await link.request("GET", "/debug")).body


async def test_a_wrong_path_shows_in_the_log_only():
    async with serve(lambda link: link.close(), "127.0.0.1", 0, process_request=_not_found) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        config = {"ocpp_enabled": True, "ocpp_server": f"ws://127.0.0.1:{port}", "ocpp_chargeBoxId": "X"}
        async with bench(config=config) as (unit, link):
            await asyncio.wait_for(unit.noted.wait(), WAIT_S)
            assert b"HTTP error 404" in (await link.request("GET", "/debug")).body
            assert (await link.request("GET", "/status")).json()["ocpp_connected"] == 0


def _not_found(link: ServerConnection, request: Any) -> Any:
    return link.respond(404, "no such charger\n")


async def test_it_boots_once_and_says_nothing_when_it_is_repointed():
    async with central_system() as old, central_system() as new, bench(config=dialling(old)) as (unit, link):
        boot = await old.until("BootNotification")
        assert (boot["chargePointVendor"], boot["chargePointSerialNumber"]) == ("OpenEVSE", "240AC411A7D4")
        await old.until("StatusNotification", lambda payload: payload["connectorId"] == 1)
        await post(link, {"ocpp_server": new.url})
        await asyncio.wait_for(new.logins.get(), WAIT_S)
        answer = await new.call("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 1})
        assert answer == {"status": "Accepted"}
        await new.until("StatusNotification")
        assert new.heard.empty()
        await post(link, {"ocpp_enabled": False})
        await post(link, {"ocpp_enabled": True})
        await new.until("BootNotification")
        assert unit.point.is_connected


async def test_a_remote_session_meters_rising_energy():
    async with central_system() as system:
        config = dialling(system, ocpp_auth_auto=False)
        async with bench(config=config) as (unit, _):
            await system.until("BootNotification")
            unit.plug_in()
            await system.until("StatusNotification", lambda payload: payload["status"] == "Preparing")
            assert await system.call("RemoteStartTransaction", {"idTag": "TAG"}) == {"status": "Accepted"}
            start = await system.until("StartTransaction")
            energies = []
            for _ in range(3):
                sample = (await system.until("MeterValues"))["meterValue"][0]["sampledValue"]
                values = {item["measurand"]: float(item["value"]) for item in sample}
                energies.append(values["Energy.Active.Import.Register"])
            assert start["meterStart"] <= energies[0] < energies[1] < energies[2]
            assert await system.call("RemoteStopTransaction", {"transactionId": 42}) == {"status": "Accepted"}
            stop = await system.until("StopTransaction")
            assert (stop["reason"], stop["transactionId"]) == ("Remote", 42)
            assert stop["meterStop"] >= int(energies[2])


async def test_free_vend_starts_by_itself():
    async with central_system() as system, bench(config=dialling(system)) as (unit, _):
        await system.until("BootNotification")
        unit.plug_in()
        assert (await system.until("StartTransaction"))["idTag"] == "DefaultIdTag"


async def test_the_backend_moves_it_by_ocpp_after_a_restart():
    async with central_system() as old, central_system() as new, bench(config=dialling(old)) as (unit, _):
        await old.until("BootNotification")
        keys = ["Cst_BackendUrl", "AuthorizationKey", "NoSuchKey"]
        answer = await old.call("GetConfiguration", {"key": keys})
        assert answer["unknownKey"] == ["NoSuchKey"]
        assert answer["configurationKey"][0]["value"] == old.url
        for key, value, status in (
            ("AuthorizationKey", "no hex", "Rejected"),
            ("AuthorizationKey", "7365637265743132", "RebootRequired"),
            ("NoSuchKey", "1", "NotSupported"),
            ("NumberOfConnectors", "2", "Rejected"),
            ("MeterValueSampleInterval", "many", "Rejected"),
            ("Cst_BackendUrl", new.url, "RebootRequired"),
        ):
            assert await old.call("ChangeConfiguration", {"key": key, "value": value}) == {"status": status}
        assert await old.call("Reset", {"type": "Soft"}) == {"status": "Accepted"}
        await new.until("BootNotification")
        assert await new.logins.get() == "Basic " + base64.b64encode(b"CP-1:secret12").decode()
        assert unit.restarts == 1


# Faults and power


async def test_reverted_values_are_back_after_the_power_was_away():
    async with bench(faults={Fault.REVERTS}) as (unit, link):
        before = unit.config["hostname"]
        await post(link, {"hostname": "new"})
        assert (await link.request("GET", "/config")).json()["hostname"] == "new"
        await unit.power_cycle()
        assert (await link.request("GET", "/config")).json()["hostname"] == before


async def test_it_lies_about_its_connection():
    async with bench(faults={Fault.LIES_CONNECTED}) as (_, link):
        assert (await link.request("GET", "/status")).json()["ocpp_connected"] == 1


# mDNS


@pytest.mark.xdist_group("mdns")  # as test_mdns: a flood in another process would drown its goodbye
async def test_it_is_announced_on_the_named_address_and_says_goodbye():
    seen: asyncio.Queue[tuple[str, ServiceStateChange]] = asyncio.Queue()

    def note(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        seen.put_nowait((name, state_change))

    kinds = ["_openevse._tcp.local.", "_http._tcp.local."]
    browser = AsyncZeroconf(interfaces=["127.0.0.1"])
    try:
        watching = AsyncServiceBrowser(browser.zeroconf, kinds, handlers=[note])
        async with bench(announce=["127.0.0.1"], name="openevse-test1") as (unit, _):
            async with asyncio.timeout(WAIT_S):
                name, change = await seen.get()
                while not name.startswith("openevse-test1._openevse"):
                    name, change = await seen.get()
            assert change is ServiceStateChange.Added
            info = AsyncServiceInfo(kinds[0], name)
            assert await info.async_request(browser.zeroconf, 3000)
            assert info.port == unit.address.port
            assert info.decoded_properties == {
                "type": "openevse_wifi_v1",
                "version": "v5.1.5",
                "id": "240ac411a7d4",
            }
        async with asyncio.timeout(WAIT_S):
            while change is not ServiceStateChange.Removed:
                _, change = await seen.get()
        await watching.async_cancel()
    finally:
        await browser.async_close()
