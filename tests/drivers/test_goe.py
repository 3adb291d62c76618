"""go-e chargers: every firmware era, every refusal, every way to be somebody else."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from aiohttp import web

from app.driver.capability import (
    Identifies,
    Meters,
    ReadsOneSetting,
    ReadsSettings,
    Reboots,
    ReportsStatus,
    SetsBackend,
    Status,
)
from app.errors import AuthFailed, Busy, Garbled, LinkError, LinkLost, NotReachable, NotSupported, Unexpected
from app.errors import ValueRejected as Rejected
from app.model.backend import SecurityProfile
from app.model.reading import Measurand, StateChange
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.goe import GoEUnit
from tests.drivers.goe_kit import WAIT_S, backend, goe, plan, probe, repoint, served, session_of, write
from tests.sim.csms import csms
from tests.sim.pki import Authority

ERAS = ["051.3", "053.1", "054.7", "056.2", "59.4", "60.1", "60.4-beta"]
WITH_OCPP = ["054.7", "056.2", "59.4", "60.1", "60.4-beta"]


async def status_of(unit: GoEUnit) -> Status:
    async with session_of(unit) as session:
        return await session.ask(ReportsStatus).status()


@pytest.mark.parametrize("firmware", ERAS)
async def test_every_era_says_who_it_is(firmware: str) -> None:
    async with goe(firmware, typ="go-eCharger_Pro", serial="500107") as unit:
        found = await probe(unit.address)
        assert found is not None
        assert (found.vendor, found.model, found.serial) == ("go-e", "go-eCharger_Pro", "500107")
        assert (found.firmware, found.profile_id) == (firmware, "go-e")
        async with session_of(unit) as session:
            assert await session.ask(Identifies).identify() == found
            assert (await session.ask(ReadsSettings).read_settings()).get("fna") is not None


@pytest.mark.parametrize("firmware", WITH_OCPP)
@pytest.mark.parametrize("error_status", [200, 400])
async def test_it_dials_the_new_backend_with_the_identity_in_the_address(firmware: str, error_status: int) -> None:
    async with (
        NewBackend({"CP 1": ""}) as new,
        goe(firmware, error_status=error_status) as unit,
        session_of(unit) as session,
    ):
        assert await repoint(session, backend(new.url, identity="CP 1")) == ["ocppe", "ocppu"]
        assert unit.held["ocppu"] == f"{new.url.rstrip('/')}/CP%201"
        assert unit.point is not None
        await asyncio.wait_for(unit.point.booted.wait(), WAIT_S)
        status = await session.ask(ReportsStatus).status()
        assert (status.link.is_enabled, status.link.is_connected) == (True, True)
        found = await session.ask(SetsBackend).read_backend()
        assert found is not None
        assert found.same_target(backend(new.url, identity="CP 1"))
        assert found.identity == "CP 1"


async def test_texts_are_written_as_json_and_come_back_as_they_were() -> None:
    async with goe() as unit, session_of(unit) as session:
        for name in ('He said "hi" & 50 % = \\ done', "Größe ✓ 漢字", "a&ocppe=true", "#fragment?query", "true", "12"):
            result = await write(session, "fna", name)
            assert result.read_back == name
            assert unit.held["fna"] == name
        assert unit.held["ocppe"] is False


async def test_a_value_keeps_its_type_and_null_can_become_a_number_and_go_again() -> None:
    async with goe() as unit, session_of(unit) as session:
        await write(session, "ocppe", "true")
        await write(session, "amp", "10")
        await write(session, "ocppf", "6")
        assert (unit.held["ocppe"], unit.held["amp"], unit.held["ocppf"]) == (True, 10, 6)
        await write(session, "ocppf", "")
        assert unit.held["ocppf"] is None
        for key, value in [("ocppe", "yes"), ("amp", "many"), ("amp", "nan")]:
            with pytest.raises(Rejected):
                await write(session, key, value)
        assert (unit.held["ocppe"], unit.held["amp"]) == (True, 10)


async def test_the_simulator_refuses_what_the_vendors_example_sends() -> None:
    def ask(url: str) -> dict[str, object]:
        with urllib.request.urlopen(url) as answer:
            found = json.loads(answer.read())
            assert isinstance(found, dict)
            return found

    async with goe() as unit:
        bare = f"{unit.address.url}/api/set?ocppu=ws://192.168.0.28:8030/ocpp"
        said = await asyncio.to_thread(ask, bare)
        assert said["ocppu"] == (
            "ocppu: tried to set api key with invalid json InvalidInput (ws://192.168.0.28:8030/ocpp)"
        )
        quoted = f"{unit.address.url}/api/set?ocppe=true&ocppu={urllib.parse.quote(json.dumps('ws://h/x'))}"
        assert await asyncio.to_thread(ask, quoted) == {"ocppe": True, "ocppu": True}


@pytest.mark.parametrize("error_status", [200, 400, 500])
async def test_a_refusal_is_told_in_the_chargers_words_whatever_the_http_status(error_status: int) -> None:
    async with goe(error_status=error_status) as unit, session_of(unit) as session:
        before = dict(unit.held)
        unit.faults.add(Fault.REFUSES)
        with pytest.raises(Rejected, match="not allowed"):
            await write(session, "fna", "Garage")
        assert unit.held == before


async def test_accepted_and_not_kept_is_read_back_as_it_is() -> None:
    async with goe() as unit, session_of(unit) as session:
        unit.faults.add(Fault.TRUNCATES)
        long = "ws://csms.example/a/very/long/path/CP-1"
        assert (await write(session, "ocppu", long)).read_back == long[:24]


async def test_the_old_filter_is_an_array_of_at_most_ten() -> None:
    async with goe("051.3") as unit, session_of(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        assert snapshot.get("amp") is not None
        assert (await session.ask(ReportsStatus).status()).state == "Available"
        one = await session.ask(ReadsOneSetting).read_setting("amp")
        assert one is not None
        assert one.value == "16"


async def test_firmware_older_than_ocpp_says_so_before_anything_is_written() -> None:
    async with goe("053.1") as unit, session_of(unit) as session:
        assert await session.ask(SetsBackend).read_backend() is None
        with pytest.raises(Rejected) as caught:
            await plan(session, backend())
        assert "054" in caught.value.advice
        with pytest.raises(NotSupported):
            await write(session, "ocppu", "ws://h/CP-1")
        assert unit.sets == []


async def test_a_password_can_not_be_kept_and_the_plan_says_so() -> None:
    async with goe() as unit, session_of(unit) as session:
        for changes in ({}, {"url": "wss://h/x", "security_profile": SecurityProfile.TLS_BASIC}):
            with pytest.raises(Rejected, match="no place for a backend password") as caught:
                await plan(session, backend(secret="w0rd-for-9!", **changes))
            assert "without a password" in caught.value.advice
        with pytest.raises(Rejected, match="certificate"):
            await plan(session, backend("wss://h/x", security_profile=SecurityProfile.TLS_CLIENT))
        with pytest.raises(Rejected, match="ws://"):
            await plan(session, backend("http://h/x"))
        assert unit.sets == []


async def test_tls_is_checked_with_what_there_is_and_never_switched_off() -> None:
    async with goe() as unit, session_of(unit) as session:
        changes, _ = await plan(session, backend("wss://csms.example/ocpp"))
        assert [change.key for change in changes] == ["ocppg", "ocppe", "ocppu"]
    for held in ({"ocppg": True}, {"ocppsc": "-----BEGIN CERTIFICATE-----"}, {"ocppss": True}):
        async with goe(keys=held) as unit, session_of(unit) as session:
            changes, _ = await plan(session, backend("wss://csms.example/ocpp"))
            assert [change.key for change in changes] == ["ocppe", "ocppu"]
    own = {"ocppcc": "-----BEGIN CERTIFICATE-----", "ocppg": True}
    async with goe(keys=own) as unit, session_of(unit) as session:
        wanted = backend("wss://csms.example/ocpp", security_profile=SecurityProfile.TLS_CLIENT)
        assert (await plan(session, wanted))[0][-1].after == "wss://csms.example/ocpp/CP-1"


async def test_a_unit_that_is_already_there_needs_nothing() -> None:
    async with goe(keys={"ocppe": True, "ocppu": "ws://127.0.0.1:9/ocpp/CP-1"}) as unit, session_of(unit) as session:
        assert (await plan(session, backend()))[0] == []


async def test_a_switched_off_interface_is_no_go_e_and_says_how_to_switch_it_on() -> None:
    async with goe(keys={"hai": False}) as unit:
        assert await probe(unit.address) is None
        with pytest.raises(NotReachable, match="switched off") as caught:
            async with session_of(unit):
                pass
        assert "go-e app" in caught.value.advice


async def test_an_interface_that_vanishes_is_a_lost_line_with_advice_until_a_restart() -> None:
    async with goe("60.1") as unit, session_of(unit) as session:
        unit.lose_api()
        with pytest.raises(LinkLost) as caught:
            await session.ask(ReportsStatus).status()
        assert "restart" in caught.value.advice.lower()
        with pytest.raises(LinkLost):
            await write(session, "fna", "x")
        await unit.power_cycle(0)
        assert (await session.ask(ReportsStatus).status()).state == "Available"
        assert unit.sets == []


async def test_a_busy_interface_says_that_others_ask_it() -> None:
    async with goe() as unit, session_of(unit) as session:
        unit.is_locked = True
        with pytest.raises(Busy) as caught:
            await session.ask(ReportsStatus).status()
        assert "home automation" in caught.value.advice
        with pytest.raises(Busy):
            await probe(unit.address)


async def test_a_running_transaction_keeps_the_backend_until_the_car_is_gone() -> None:
    async with NewBackend({"OLD": ""}) as old:
        address = f"{old.url.rstrip('/')}/OLD"
        async with goe(keys={"ocppe": True, "ocppu": address, "acs": 0}) as unit, session_of(unit) as session:
            assert unit.point is not None
            point = unit.point
            await asyncio.wait_for(point.booted.wait(), WAIT_S)
            unit.plug_in()
            await point.until(
                lambda: (
                    point.outlet(1).transaction is not None and point.outlet(1).transaction.transaction_id is not None
                )
            )
            with pytest.raises(Busy, match="runs with the present backend") as caught:
                await write(session, "ocppu", "ws://127.0.0.1:9/CP-1")
            assert "unplug" in caught.value.advice
            assert unit.held["ocppu"] == address
            assert (await write(session, "fna", "Garage")).read_back == "Garage"
            unit.unplug()
            assert (await write(session, "ocppu", "ws://127.0.0.1:9/CP-1")).is_accepted


async def test_a_unit_lost_in_the_middle_of_a_write_is_a_lost_line() -> None:
    async with goe() as unit, session_of(unit) as session:
        unit.faults.add(Fault.DROPS_MID_WRITE)
        with pytest.raises(LinkError) as caught:
            await write(session, "ocppu", "ws://h/CP-1")
        assert caught.value.advice
        unit.faults.clear()
        assert (await write(session, "ocppu", "ws://h/CP-1")).read_back == "ws://h/CP-1"


async def test_another_unit_at_the_address_is_noticed_before_a_write() -> None:
    async with goe(serial="111111") as one, session_of(one) as session:
        port = one.address.port
        await one.power_off()
        async with goe(serial="222222", port=port) as other:
            with pytest.raises(Unexpected, match="222222 instead of 111111"):
                await write(session, "ocppu", "ws://h/CP-1")
            assert other.sets == []
        await one.power_on()


async def test_a_restart_is_one_order() -> None:
    async with goe() as unit, session_of(unit) as session:
        await session.ask(Reboots).restart()
        await asyncio.wait_for(unit.restarted.wait(), WAIT_S)
        assert unit.sets == ["rst"]


@pytest.mark.parametrize("key", ["hai", "frc"])
async def test_what_would_lock_rehome_out_is_not_written(key: str) -> None:
    async with goe() as unit, session_of(unit) as session:
        with pytest.raises(Rejected):
            await write(session, key, "false")
        snapshot = await session.ask(ReadsSettings).read_settings()
        assert key in snapshot.excluded
        assert unit.sets == []


@pytest.mark.parametrize(
    ("firmware", "number", "words"),
    [
        ("59.4", 8, "No protective earth."),
        ("053.1", 8, "No protective earth."),
        ("054.7", 12, "Unknown error."),
        ("054.7", 15, "The cable lock is stuck open."),
        ("59.4", 12, "The cable lock is stuck open."),
        ("60.4", 15, "Unknown error."),
        ("60.4", 23, "residual current self-test"),
        ("056.2", 12, "Error 12 (what this number means in firmware 056.2 is not known)"),
        ("60.4", 99, "Error 99"),
    ],
)
async def test_an_error_is_named_by_the_numbering_of_its_firmware(firmware: str, number: int, words: str) -> None:
    async with goe(firmware) as unit:
        unit._error = number
        status = await status_of(unit)
        assert (status.state, status.has_fault) == ("Faulted", True)
        assert words in status.detail


@pytest.mark.parametrize("firmware", ["054.7", "60.4"])
async def test_both_numberings_name_the_same_fault(firmware: str) -> None:
    async with goe(firmware) as unit:
        unit.fail("lock open")
        assert (await status_of(unit)).detail == "The cable lock is stuck open."


async def test_why_the_backend_refuses_is_told_in_the_chargers_words() -> None:
    async with NewBackend({}) as new, goe(keys={"ocppe": True, "ocppu": f"{new.url.rstrip('/')}/NOBODY"}) as unit:
        assert unit.point is not None
        await unit.point.until(lambda: unit.point is not None and unit.point.failed_dials > 0)
        status = await status_of(unit)
        assert status.link.is_connected is False
        assert "Last OCPP error: HTTP error 404" in status.detail


async def test_states_and_readings_follow_a_charge() -> None:
    async with NewBackend({"CP": ""}) as new:
        keys = {"ocppe": True, "ocppu": f"{new.url.rstrip('/')}/CP", "acs": 0}
        async with goe(keys=keys) as unit, session_of(unit) as session:
            assert unit.point is not None
            await asyncio.wait_for(unit.point.booted.wait(), WAIT_S)
            unit.plug_in()
            status = await session.ask(ReportsStatus).status()
            assert status.state == "Charging"
            values = {(item.measurand, item.phase): item.value for item in status.readings}
            assert values[Measurand.POWER, ""] == 3680
            assert values[Measurand.CURRENT, "L1"] == 16
            assert values[Measurand.VOLTAGE, "L3"] == 229
            assert values[Measurand.ENERGY, ""] >= 100_000
            assert values[Measurand.SIGNAL, ""] == -61
            stream = session.ask(Meters).watch()
            async with asyncio.timeout(WAIT_S):
                assert any(isinstance(item, StateChange) for item in [await anext(stream)])
            await stream.aclose()  # type: ignore[attr-defined]


async def test_no_charge_controller_is_a_fault() -> None:
    class Mute(GoEUnit):
        def live(self) -> dict[str, object]:
            return {**super().live(), "car": None, "err": None}

    async with Mute() as unit:
        status = await status_of(unit)
        assert (status.state, status.detail) == ("Faulted", "The charge controller does not answer.")


STRANGERS = {
    "a printer": (404, "text/html", "<html>Not found</html>"),
    "anything with that path": (200, "text/html", "<html>OK</html>"),
    "another's JSON": (200, "application/json", '{"status": "ok", "sse": "1"}'),
    "a list": (200, "application/json", "[1, 2]"),
    "a name without the maker": (200, "application/json", '{"typ": "go-eCharger", "sse": "237512"}'),
    "the controller of go-e": (200, "application/json", '{"typ": "go-eController", "oem": "go-e", "sse": "9"}'),
    "a Wattpilot's keys": (200, "application/json", '{"typ": "wattpilot", "oem": "fronius", "sse": "9"}'),
    "a login": (401, "text/plain", "go-e"),
    "an end in the middle": (200, "application/json", '{"typ": "go-eCharger", "oem": "go-e", "ss'),
    "a deep pit": (200, "application/json", "[" * 50_000),
    "a maker without a serial": (200, "application/json", '{"typ": "go-eCharger", "oem": "go-e", "sse": {"a": 1}}'),
}


@pytest.mark.parametrize("who", STRANGERS)
async def test_nobody_else_is_taken_for_a_go_e(who: str) -> None:
    status, kind, body = STRANGERS[who]

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, content_type=kind, text=body)

    async with served(answer) as address:
        assert await probe(address) is None


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, "", AuthFailed),
        (200, '{"typ": "go-eCharger", "oem"', Garbled),
        (200, "[]", Garbled),
        (500, "boom", Unexpected),
        (200, '{"typ": "washing machine"}', Unexpected),
    ],
)
async def test_a_wrong_answer_on_opening_is_named_with_advice(status: int, body: str, error: type) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    class There:
        def __init__(self, address: object) -> None:
            self.address = address

    async with served(answer) as address:
        with pytest.raises(error) as caught:
            async with session_of(There(address)):  # type: ignore[arg-type]
                pass
        assert caught.value.advice


@pytest.mark.parametrize("body", ['{"fna": tr', "[true]", "{}", '{"fna": 1}', '{"other": true}', "\x00\xff"])
async def test_a_malformed_answer_to_a_write_is_never_taken_for_yes(body: str) -> None:
    class Odd(GoEUnit):
        def _set(self, request: web.Request) -> web.Response:
            return web.Response(text=body)

    async with Odd() as unit, session_of(unit) as session:
        with pytest.raises((Garbled, Unexpected)):
            await write(session, "fna", "Garage")


async def test_an_endless_answer_is_cut() -> None:
    class Endless(GoEUnit):
        def _status(self, request: web.Request) -> web.Response:
            return web.Response(text='{"x": "' + "a" * 2_000_000 + '"}')

    async with Endless() as unit:
        with pytest.raises(Garbled):
            async with session_of(unit):
                pass


async def test_absurd_values_are_left_out() -> None:
    absurd = {"nrg": "none", "eto": "1e999", "rssi": True, "car": "2", "err": [], "modelStatus": {}, "ocppcs": -5}

    class Absurd(GoEUnit):
        def live(self) -> dict[str, object]:
            return {**super().live(), **absurd, "fhz": 1e300}

    async with Absurd() as unit:
        status = await status_of(unit)
        assert status.state == ""
        assert {item.measurand for item in status.readings} <= {Measurand.CURRENT_OFFERED}


async def test_a_backends_own_certificate_is_what_it_was_waiting_for(tmp_path: Path) -> None:
    root = Authority()
    server = csms("ocpp1.6", context=root.server(tmp_path))
    async with server as central, goe() as unit, session_of(unit) as session:
        assert await repoint(session, backend(central.url)) == ["ocppg", "ocppe", "ocppu"]
        assert unit.point is not None
        await unit.point.until(lambda: unit.point is not None and unit.point.failed_dials > 0)
        status = await session.ask(ReportsStatus).status()
        assert "Last OCPP error" in status.detail, "no public authority vouches for it"
        assert (await write(session, "ocppsc", root.pem)).read_back == root.pem
        await central.hears("BootNotification")
        assert unit.held["ocppss"] is False
