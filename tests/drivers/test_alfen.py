"""Alfen stations over HTTPS: who is let in, what is written, and that everybody leaves again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from app.driver.capability import (
    ExportsLog,
    Identifies,
    Meters,
    ReadsOneSetting,
    ReadsSettings,
    Reboots,
    ReportsStatus,
    SetsBackend,
    WritesSettings,
)
from app.drivers import alfen
from app.errors import AuthFailed, Busy, Garbled, LinkError, NotSupported, Refused, Unexpected, ValueRejected
from app.links.real import RealLinks
from app.model.address import NetAddress
from app.model.backend import Backend, SecurityProfile
from app.model.reading import Measurand, StateChange
from app.model.secret import Secret
from app.model.setting import Change
from app.sim.alfen import OWNER, AlfenStation, Lockout
from app.sim.fault import Fault
from tests.drivers.alfen_kit import PROFILE, OneLogin, session_of, station
from tests.drivers.goe_kit import served

ERAS = ["4.9.0-4156", "5.8.1-4123", "6.6.0-4252", "7.4.5-4401"]


def backend(url: str = "ws://csms.example:8080/ocpp", secret: str = "", level: int | None = None) -> Backend:
    profile = SecurityProfile(level if level is not None else int(bool(secret)))
    return Backend(url=url, identity="CP-1", security_profile=profile, secret=Secret(secret))


def change(key: str, after: str) -> Change:
    return Change(key=key, before=None, after=after)


async def plan(unit: AlfenStation, wanted: Backend) -> dict[str, str]:
    async with session_of(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        return {item.key: item.after for item in await session.ask(SetsBackend).plan_backend(wanted, snapshot)}


# Who is there


@pytest.mark.parametrize("firmware", ERAS)
async def test_a_station_is_known_without_a_login(firmware: str) -> None:
    async with station(firmware, sockets=2) as unit:
        found = await alfen.DRIVER.probe(unit.address, PROFILE, RealLinks())
    assert (found.vendor, found.serial, found.firmware) == ("Alfen", "ACE0674793", firmware)
    assert found.extra["sockets"] == "2"
    assert unit.logins == 0


@asynccontextmanager
async def serving(answer: Any) -> AsyncIterator[NetAddress]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield NetAddress(host="127.0.0.1", port=runner.addresses[0][1])
    finally:
        await runner.cleanup()


STRANGERS = [
    lambda: web.json_response({}),
    lambda: web.json_response({"Model": "Printer", "Identity": "p", "FWVersion": "1", "ObjectId": "x"}),
    lambda: web.json_response({"Model": "", "Identity": "", "FWVersion": "", "ObjectId": "", "Type": ""}),
    lambda: web.json_response(["Identity", "FWVersion", "Model", "ObjectId", "Type"]),
    lambda: web.Response(text="<html>welcome</html>", content_type="text/html"),
    lambda: web.Response(status=401),
    lambda: web.Response(status=404),
    lambda: web.Response(text='{"Identity":"x"', content_type="application/json"),
]


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_nothing_else_is_taken_for_an_alfen_or_given_the_password(stranger: Any) -> None:
    asked: list[str] = []

    def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        response: web.Response = stranger()
        return response

    async with serving(answer) as address:
        assert await alfen.DRIVER.probe(address, PROFILE, RealLinks()) is None
        with pytest.raises((Unexpected, Garbled)) as caught:
            async with alfen.DRIVER.open(address, PROFILE, OneLogin()):
                pass
        assert caught.value.advice
    assert set(asked) == {"/api/info"}


# In and out


@pytest.mark.parametrize("firmware", ERAS)
async def test_a_session_comes_in_works_and_logs_out(firmware: str) -> None:
    async with station(firmware) as unit:
        async with session_of(unit) as session:
            assert (await session.ask(Identifies).identify()).mac == "02:41:4C:67:47:93"
            assert not unit.free.is_set()
        assert (unit.logins, unit.logouts, unit.left_open) == (1, 1, 0)


@pytest.mark.parametrize(("password", "user"), [("wrong", ""), (OWNER, "owner"), ("", "")])
async def test_a_wrong_login_says_whose_password_is_wanted(password: str, user: str) -> None:
    async with station() as unit:
        with pytest.raises(AuthFailed) as caught:
            async with session_of(unit, OneLogin(password, user)):
                pass
        assert "admin" in caught.value.advice
        assert "Eve Connect" in caught.value.advice
        assert unit.logins == unit.left_open == 0


async def test_while_another_program_is_logged_in_the_station_is_busy() -> None:
    async with station() as unit, session_of(unit):
        with pytest.raises(Busy) as caught:
            async with session_of(unit):
                pass
        assert "Close the ACE Service Installer" in caught.value.advice


async def test_a_station_that_forbids_a_second_login_names_both_reasons() -> None:
    async with station(lockout=Lockout.FORBIDS) as unit, session_of(unit) as first:
        with pytest.raises(AuthFailed) as caught:
            async with session_of(unit):
                pass
        assert "another program may be logged in" in caught.value.advice
        assert await first.ask(ReadsOneSetting).read_setting("2053_0"), "the first session lives on"


async def test_a_session_that_is_ending_is_waited_for() -> None:
    async with station() as unit:
        first = session_of(unit)
        await first.__aenter__()
        asyncio.get_running_loop().call_later(0.1, unit._let_go)  # the other program logs out a moment later
        async with session_of(unit) as second:
            assert second.is_open
        await first.close()
        assert unit.left_open == 0


async def test_who_is_cancelled_in_the_middle_logs_out_all_the_same() -> None:
    async with station() as unit:
        entered = asyncio.Event()

        async def work() -> None:
            async with session_of(unit) as session:
                unit.faults.add(Fault.SLOW)
                entered.set()
                await session.ask(ReadsSettings).read_settings()

        task = asyncio.create_task(work())
        await asyncio.wait_for(entered.wait(), 5)
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        assert task.cancelled()
        assert unit.left_open == 0


async def test_a_station_that_falls_silent_does_not_hold_up_the_end() -> None:
    async with station() as unit:
        session = session_of(unit)
        await session.__aenter__()
        unit.faults.add(Fault.SILENT)
        async with asyncio.timeout(4):
            await session.close()


async def test_a_session_taken_over_by_another_program_is_said() -> None:
    async with station() as unit, session_of(unit) as session:
        unit._may = lambda *_: False  # type: ignore[method-assign]
        with pytest.raises(Busy) as caught:
            await session.ask(ReadsSettings).read_settings()
        assert caught.value.advice


async def test_another_station_at_the_address_gets_no_password() -> None:
    async with station() as unit, session_of(unit) as session:
        await session.ask(WritesSettings).write_setting(change("2085_0", "301"))
        logins = unit.logins
        unit.serial = "ACE0000001"
        unit._let_go()
        with pytest.raises(Unexpected) as caught:
            await session.ask(WritesSettings).write_setting(change("2085_0", "302"))
        assert "ACE0000001" in caught.value.message
        assert unit.logins == logins


# What is written


@pytest.mark.parametrize(
    ("held", "path", "wanted", "expected"),
    [
        ("old.example:80", "ocpp", "ws://new.example:81/a/b", ("new.example:81", "a/b")),
        ("ws://old.example/", "/ocpp", "ws://new.example/a", ("ws://new.example", "/a")),
        ("old.example", "ocpp", "ws://new.example", ("new.example", "")),
    ],
)
async def test_host_and_path_keep_the_form_the_station_has(
    held: str, path: str, wanted: str, expected: tuple[str, str]
) -> None:
    async with station("5.8.1-4123") as unit:
        unit.stored["2071_1"].value, unit.stored["2071_2"].value = held, path
        changes = await plan(unit, backend(wanted))
    assert (changes["2071_1"], changes.get("2071_2", path)) == expected
    assert list(changes)[-1] == "2071_1"


async def test_a_station_that_dials_by_mobile_or_not_at_all_is_put_on_the_cable() -> None:
    async with station("5.8.1-4123") as unit:
        for method, expected in ((0, "1"), (2, "1"), (3, None), (99, None)):
            unit.stored["2077_0"].value = method
            assert (await plan(unit, backend())).get("2077_0") == expected


async def test_network_profiles_take_the_whole_address() -> None:
    async with station() as unit:
        unit.stored["20F0_E"].value, unit.stored["20F0_6"].value = 0, 5
        changes = await plan(unit, backend("wss://csms.example/ocpp"))
    assert changes == {"2053_0": "CP-1", "20F0_6": "1", "20F0_E": "1", "20F0_3": "wss://csms.example/ocpp"}


@pytest.mark.parametrize(
    ("firmware", "wanted", "words"),
    [
        ("4.9.0-4156", backend(secret="secret-12"), "no security profiles"),
        ("5.8.1-4123", backend("wss://csms.example"), "TLS only with security profile"),
        ("6.6.0-4252", backend("wss://csms.example", "secret-12", 2), "CPO name"),
        ("6.6.0-4252", backend("wss://csms.example", level=3), "client certificate"),
        ("6.6.0-4252", backend("ws://" + "x" * 300), "keeps 255"),
    ],
)
async def test_what_the_station_cant_hold_is_refused_beforehand(firmware: str, wanted: Backend, words: str) -> None:
    async with station(firmware) as unit:
        with pytest.raises(ValueRejected) as caught:
            await plan(unit, wanted)
    assert words in caught.value.message
    assert caught.value.advice
    assert unit.writes == 0


async def test_the_backends_password_is_installed_and_never_told() -> None:
    async with station() as unit, session_of(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        held = snapshot.get("2723_1")
        assert held is not None
        assert (held.value, held.is_readable, held.is_secret) == (None, False, True)
        assert "2723_1" in snapshot.excluded
        secret = snapshot.get("2102_0")
        assert secret is not None
        assert secret.value is None, "what the station does send of a password is not kept"
        result = await session.ask(WritesSettings).write_setting(change("2723_1", "gehëim"))
        assert (result.read_back, result.needs_restart) == (None, True)
        assert unit.hidden == {0: "gehëim".encode()}


@pytest.mark.parametrize(
    ("key", "after", "error"),
    [
        ("2051_0", "X", ValueRejected),
        ("2076_0", "Stand-alone", ValueRejected),
        ("2085_0", "often", ValueRejected),
        ("2053_0", "x" * 60, ValueRejected),
        ("FFFF_0", "1", NotSupported),
        ("2723_1", "", ValueRejected),
    ],
)
async def test_what_can_not_be_written_is_not_sent(key: str, after: str, error: type[Refused]) -> None:
    async with station() as unit, session_of(unit) as session:
        with pytest.raises(error) as caught:
            await session.ask(WritesSettings).write_setting(change(key, after))
        assert caught.value.advice
        assert unit.writes == 0


async def test_the_security_profile_only_rises() -> None:
    async with station("5.8.1-4123") as unit, session_of(unit) as session:
        await session.ask(WritesSettings).write_setting(change("2723_0", "2"))
        setting = await session.ask(ReadsOneSetting).read_setting("2723_0")
        assert setting is not None
        assert (setting.value, setting.is_one_way) == ("2", True)
        with pytest.raises(ValueRejected):
            await session.ask(WritesSettings).write_setting(change("2723_0", "1"))
        assert unit.stored["2723_0"].value == 2


# How it is


async def test_both_sockets_and_the_connection_are_told() -> None:
    async with station(sockets=2) as unit, session_of(unit) as session:
        unit.point.outlet(2).status = "Charging"
        unit.point.outlet(2).is_charging = True
        found = await session.ask(ReportsStatus).status()
        assert found.state == "Available"
        assert "socket 2: mode 3: C2" in found.detail
        assert "boot notification: not sent" in found.detail
        assert found.link.is_enabled is True
        assert found.link.is_connected is False
        power = {item.connector: item.value for item in found.readings if item.measurand is Measurand.POWER}
        assert power[1] == 0
        assert power[2] > 1000
        with pytest.raises(Busy):
            await session.ask(Reboots).restart()
        stream = session.ask(Meters).watch()
        seen = [await anext(stream) for _ in range(20)]
        await stream.aclose()  # type: ignore[attr-defined]
        states = {item.connector: item.state for item in seen if isinstance(item, StateChange)}
        assert states == {1: "Available", 2: "Charging"}


async def test_the_log_comes_page_by_page_in_order() -> None:
    async with station() as unit, session_of(unit) as session:
        text = await session.ask(ExportsLog).read_log()
        assert text.splitlines() == unit.log


# What is damaged


@pytest.mark.parametrize(
    "body",
    ['{"properties":[', "[]", '{"version":2}', '{"properties":{"id":1}}', json.dumps({"properties": 7}), "\x00\xff"],
)
async def test_a_damaged_answer_ends_in_advice_and_a_logout(body: str) -> None:
    async with station() as unit:
        async with session_of(unit) as session:
            unit._read = lambda _request: web.Response(text=body)  # type: ignore[method-assign]
            with pytest.raises(Garbled) as caught:
                await session.ask(ReadsSettings).read_settings()
            assert caught.value.advice
        assert unit.left_open == 0


async def test_pages_without_an_end_are_given_up() -> None:
    entry = {"id": "2053_0", "access": 3, "type": 9, "len": 48, "cat": "generic", "value": "x"}
    endless = {"properties": [entry | {"id": f"{n:X}_0"} for n in range(1000)], "offset": 0, "total": 10**9}
    async with station() as unit, session_of(unit) as session:
        unit._read = lambda _request: web.json_response(endless)  # type: ignore[method-assign]
        with pytest.raises((Garbled, LinkError)):
            await asyncio.wait_for(session.ask(ReadsSettings).read_settings(), 40)
        assert unit.restarts == 0


async def test_an_old_stations_password_goes_to_nobody_who_is_not_an_alfen() -> None:
    heard: list[str] = []

    async def listen(request: web.Request) -> web.StreamResponse:
        heard.append(f"{request.method} {request.path} {request.headers.get('Authorization', '')}")
        return web.json_response({"model": "Something else"})

    async with served(listen) as address:
        with pytest.raises(Unexpected):
            async with alfen.DRIVER.open(address, PROFILE, OneLogin()):
                pass
    assert heard == ["GET /api/info "]
