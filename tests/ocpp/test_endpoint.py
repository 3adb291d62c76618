"""The endpoint, seen by a charger that behaves: connect, boot, speak, be commanded, be replaced, be moved."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from app.errors import LinkLost, NotSupported, PortInUse, Refused, ServerError, TimedOut, ValueRejected
from app.model.frame import Direction, FrameKind
from app.model.reading import Measurand, Reading, spread
from app.model.secret import MASK, Secret
from app.model.unit import Claim, ClaimKind
from app.ocpp import schema
from app.ocpp.endpoint import Endpoint
from app.ocpp.events import Booted, StatusChanged, TransactionStopped
from app.ocpp.host import Times
from app.scope import Scope
from tests.ocpp.endpoint_kit import BOOT, HOST, QUICK, ask, heard, site, unit

REQUESTS: dict[str, dict[str, Any]] = {
    "Authorize": {"idTag": "TAG"},
    "BootNotification": BOOT,
    "DataTransfer": {"vendorId": "acme"},
    "DiagnosticsStatusNotification": {"status": "Idle"},
    "FirmwareStatusNotification": {"status": "Idle"},
    "Heartbeat": {},
    "LogStatusNotification": {"status": "Idle"},
    "MeterValues": {"connectorId": 1, "meterValue": [{"timestamp": "2026-11-22T13:00:00Z", "sampledValue": []}]},
    "SecurityEventNotification": {"type": "StartupOfTheDevice", "timestamp": "2026-11-22T13:00:00Z"},
    "SignCertificate": {"csr": "x"},
    "SignedFirmwareStatusNotification": {"status": "Idle"},
    "StartTransaction": {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "2026-11-22T13:00:00Z"},
    "StatusNotification": {"connectorId": 1, "errorCode": "NoError", "status": "Available"},
    "StopTransaction": {"transactionId": 1, "meterStop": 5, "timestamp": "2026-11-22T13:00:00Z"},
}


async def test_a_charger_connects_boots_and_is_known():
    async with site() as here, unit(here) as link:
        assert link.subprotocol == "ocpp1.6"
        endpoint = here.server.endpoints["CP-1"]
        assert endpoint.boot is not None
        assert (endpoint.boot.vendor, endpoint.boot.model, endpoint.boot.serial) == ("Acme", "Wall 1", "SN-0001")
        assert here.server.state.connections == 1
        booted = here.sightings[-1]
        assert booted.hints["chargePointVendor"] == "Acme"
        assert booted.identity is not None
        assert Claim(ClaimKind.SERIAL, "SN0001") in booted.identity.claims
        assert Claim(ClaimKind.IDENTITY, "CP-1") in booted.identity.claims


async def test_a_serial_of_twelve_hex_digits_is_a_mac_too():
    async with site() as here, unit(here, boots=False) as link:
        await ask(link, "BootNotification", {**BOOT, "chargePointSerialNumber": "240AC411A7D4"})
        identity = here.sightings[-1].identity
        assert identity is not None
        assert Claim(ClaimKind.MAC, "240AC411A7D4") in identity.claims


@pytest.mark.parametrize("action", sorted(REQUESTS))
async def test_every_request_of_a_charge_point_gets_an_answer_that_obeys_its_schema(action: str):
    async with site() as here, unit(here) as link:
        answer = await ask(link, action, REQUESTS[action], uid="q")
        assert isinstance(answer, dict)
        assert not schema.violations("1.6", action, answer, is_request=False)


async def test_what_only_a_central_system_sends_is_not_supported_and_the_unheard_of_not_implemented():
    async with site() as here, unit(here) as link:
        assert (await ask(link, "Reset", {"type": "Soft"}))[2] == "NotSupported"
        assert (await ask(link, "MakeCoffee", {}))[2] == "NotImplemented"


async def test_every_frame_is_published_in_both_directions_also_the_broken_ones():
    async with site() as here, unit(here, boots=False) as link:
        texts = ['[2,"1","Heartbeat",{}]', "no json", '[2, "2" ,"Heartbeat",{ }]']
        for text in texts:
            await link.send(text)
            await heard(link)
        frames = here.frames.take()
        assert [frame.text for frame in frames if frame.direction is Direction.IN] == texts
        kinds = [(frame.direction, frame.kind) for frame in frames]
        assert kinds[2:4] == [(Direction.IN, FrameKind.BROKEN), (Direction.OUT, FrameKind.ERROR)]
        assert [frame.seq for frame in frames] == sorted(frame.seq for frame in frames)
        assert {frame.action for frame in frames if frame.uid == "1"} == {"Heartbeat"}


async def test_meter_values_become_readings_in_si_units():
    sample = [
        {"value": "1.5", "unit": "kWh"},
        {"value": "7.4", "unit": "kW", "measurand": "Power.Active.Import"},
        {"value": "16", "measurand": "Current.Import", "unit": "A", "phase": "L1"},
        {"value": "77", "measurand": "Temperature", "unit": "Fahrenheit"},
        {"value": "n/a", "measurand": "Voltage"},
    ]
    values = {"connectorId": 2, "meterValue": [{"timestamp": "2026-11-22T14:00:00+01:00", "sampledValue": sample}]}
    async with site() as here, unit(here) as link:
        assert await ask(link, "MeterValues", values) == {}
        readings = [item for item in spread(here.samples.take()) if isinstance(item, Reading)]
    found = {(reading.measurand, reading.phase): reading.value for reading in readings}
    assert found == {
        (Measurand.ENERGY, ""): 1500.0,
        (Measurand.POWER, ""): 7400.0,
        (Measurand.CURRENT, "L1"): 16.0,
        (Measurand.TEMPERATURE, ""): 25.0,
    }
    assert {reading.at for reading in readings} == {datetime(2026, 11, 22, 13, 0, tzinfo=UTC)}
    assert {reading.connector for reading in readings} == {2}


async def test_a_clock_of_1970_is_tolerated_and_told():
    values = {"connectorId": 1, "meterValue": [{"timestamp": "1970-01-01T00:01:00Z", "sampledValue": [{"value": "5"}]}]}
    async with site() as here, unit(here) as link:
        assert await ask(link, "MeterValues", values) == {}
        assert (await here.finding("CLOCK")).unit_id == "ocpp:CP-1"
        reading = next(item for item in spread(here.samples.take()) if isinstance(item, Reading))
        assert reading.at.year >= 2026


async def test_states_and_transactions_are_kept_beyond_the_connection():
    start = {"connectorId": 1, "idTag": "TAG", "meterStart": 1000, "timestamp": "2026-11-22T13:00:00Z"}
    async with site() as here:
        async with unit(here) as link:
            await ask(link, "StatusNotification", {**REQUESTS["StatusNotification"], "status": "Charging"})
            number = (await ask(link, "StartTransaction", start))["transactionId"]
        async with unit(here, boots=False) as link:
            again = await ask(link, "StartTransaction", start, uid="other")
            assert again["transactionId"] == number
            endpoint = here.server.endpoints["CP-1"]
            assert endpoint.statuses[1].state == "Charging"
            with endpoint.events.subscribe() as events:
                stop = {"transactionId": number, "meterStop": 1400, "timestamp": "2026-11-22T13:30:00Z"}
                await ask(link, "StopTransaction", stop, uid="stop")
                stopped = next(event for event in events.take() if isinstance(event, TransactionStopped))
        assert stopped.transaction.energy_wh == 400
        assert not endpoint.transactions[number].is_running


async def test_no_command_goes_out_before_boot_is_accepted():
    async with site(times=Times(command_gate_s=30, trigger_boot_s=None)) as here, unit(here, boots=False) as link:
        endpoint = here.server.endpoints["CP-1"]
        async with Scope("test") as scope:
            call = scope.required("call", endpoint.call("Reset", {"type": "Soft"}))
            assert (await ask(link, "Heartbeat", {}, uid="h")).keys() == {"currentTime"}
            assert (await ask(link, "BootNotification", BOOT, uid="b"))["status"] == "Accepted"
            command = await heard(link)
            assert command[2] == "Reset"
            await link.send(json.dumps([3, command[1], {"status": "Accepted"}]))
            assert await call == {"status": "Accepted"}


async def test_a_silent_unit_is_commanded_after_the_gate_and_asked_for_its_boot():
    async with site(times=Times(command_gate_s=0.1, trigger_boot_s=0.1)) as here, unit(here, boots=False) as link:
        assert (await heard(link))[2:] == ["TriggerMessage", {"requestedMessage": "BootNotification"}]
        assert (await here.finding("NO-BOOT-ON-RECONNECT")).details["heard"] == "nothing"


async def test_a_known_unit_that_goes_on_without_a_new_boot_takes_commands_at_once():
    async with site(times=Times(command_gate_s=30, trigger_boot_s=None)) as here:
        async with unit(here):
            assert here.server.endpoints["CP-1"].is_ready
        async with unit(here, boots=False) as link:
            endpoint = here.server.endpoints["CP-1"]
            assert not endpoint.is_ready
            await ask(link, "Heartbeat", {})
            assert endpoint.is_ready
            assert endpoint.boot is None
            assert endpoint.ledger.boot is not None


async def test_one_call_is_outstanding_at_a_time():
    async with site() as here, unit(here) as link:
        endpoint = here.server.endpoints["CP-1"]
        async with Scope("test") as scope:
            calls = [scope.required(f"{n}", endpoint.call("Reset", {"type": "Soft"})) for n in range(3)]
            for _ in calls:
                command = await heard(link)
                await ask(link, "Heartbeat", {})  # were a second call out already, it would come before this answer
                await link.send(json.dumps([3, command[1], {"status": "Accepted"}]))
            assert [await call for call in calls] == [{"status": "Accepted"}] * 3


async def test_a_command_ends_with_what_went_wrong():
    async with site() as here, unit(here) as link:
        endpoint = here.server.endpoints["CP-1"]
        async with Scope("test") as scope:
            unknown = scope.isolated("unknown", _outcome(endpoint, "ClearCache"))
            await link.send(json.dumps([4, (await heard(link))[1], "NotImplemented", "no", "a text as details"]))
            assert isinstance(await unknown, NotSupported)
            refused = scope.isolated("refused", _outcome(endpoint, "ClearCache"))
            await link.send(json.dumps([4, (await heard(link))[1], "InternalError", "ouch", {}]))
            error = await refused
            assert isinstance(error, Refused)
            assert "ouch" in error.message
            silent = scope.isolated("silent", _outcome(endpoint, "ClearCache", timeout_s=0.1))
            late = (await heard(link))[1]
            assert isinstance(await silent, TimedOut)
            await link.send(json.dumps([3, late, {"status": "Accepted"}]))
            assert (await here.frame(uid=late, direction=Direction.IN)).notes == ("LATE",)
            lost = scope.isolated("lost", _outcome(endpoint, "ClearCache"))
            await heard(link)
            await link.close()
            assert isinstance(await lost, LinkLost)
            assert isinstance(await _outcome(endpoint, "ClearCache"), LinkLost)


async def _outcome(endpoint: Endpoint, action: str, timeout_s: float = 5) -> Exception | None:
    try:
        await endpoint.call(action, {}, timeout_s=timeout_s)
    except (LinkLost, TimedOut, Refused) as error:
        return error
    return None


async def test_a_slow_answer_keeps_nobody_waiting():
    async with site() as here, unit(here) as link:
        released = asyncio.Event()

        async def slowly(endpoint: Endpoint, payload: Mapping[str, Any]) -> dict[str, Any]:
            await released.wait()
            return {"status": "Accepted", "data": "at last"}

        here.server.answerers["DataTransfer"] = slowly
        for number in range(20):
            await link.send(json.dumps([2, f"slow-{number}", "DataTransfer", {"vendorId": "acme"}]))
        assert (await ask(link, "Heartbeat", {}, uid="quick")).keys() == {"currentTime"}
        released.set()
        answers = [await heard(link) for _ in range(20)]
        assert {answer[1] for answer in answers} == {f"slow-{number}" for number in range(20)}
        assert all(answer[2]["data"] == "at last" for answer in answers)


async def test_a_slow_answer_ends_with_its_connection():
    async with site() as here:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def forever(endpoint: Endpoint, payload: Mapping[str, Any]) -> dict[str, Any]:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return {}

        here.server.answerers["DataTransfer"] = forever
        async with unit(here) as link:
            await link.send(json.dumps([2, "x", "DataTransfer", {"vendorId": "acme"}]))
            await asyncio.wait_for(begun.wait(), 5)
        await asyncio.wait_for(ended.wait(), 5)


async def test_the_newest_connection_of_an_identity_wins():
    async with site() as here, unit(here) as old:
        first = here.server.endpoints["CP-1"]
        async with unit(here) as new:
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(old.recv(), 5)
            second = here.server.endpoints["CP-1"]
            assert second is not first
            assert second.is_open
            assert (await ask(new, "Heartbeat", {})).keys() == {"currentTime"}
            assert not any(sighting.is_gone for sighting in here.sightings)


async def test_a_hang_up_is_sighted():
    async with site() as here:
        async with unit(here):
            endpoint = here.server.endpoints["CP-1"]
        with pytest.raises(LinkLost):
            await endpoint.wait_for(Booted, timeout_s=1)
        assert here.sightings[-1].is_gone
        assert "CP-1" not in here.server.endpoints


async def test_arrival_waits_for_a_new_connection():
    async with site() as here:
        with pytest.raises(TimedOut):
            await here.server.arrival("CP-1", timeout_s=0.05)
        async with unit(here), Scope("test") as scope:
            endpoint = await here.server.arrival("CP-1", timeout_s=1)
            waiting = scope.required("wait", here.server.arrival("CP-1", timeout_s=5, after=datetime.now(UTC)))
            async with unit(here):
                assert await waiting is not endpoint


async def test_wait_for_picks_the_event_that_fits():
    async with site() as here, unit(here) as link, Scope("test") as scope:
        endpoint = here.server.endpoints["CP-1"]
        waiting = scope.required(
            "wait", endpoint.wait_for(StatusChanged, where=lambda event: event.change.connector == 2, timeout_s=5)
        )
        await asyncio.sleep(0)
        for connector in (1, 2):
            await ask(link, "StatusNotification", {**REQUESTS["StatusNotification"], "connectorId": connector})
        assert (await waiting).change.connector == 2


async def test_a_password_is_in_no_frame():
    secret = Secret("hunter-two-22")
    async with site(expected=lambda identity: secret) as here, unit(here) as link, Scope("test") as scope:
        endpoint = here.server.endpoints["CP-1"]
        writing = scope.required("write", endpoint.set_setting("AuthorizationKey", "6e65772d6b6579"))
        command = await heard(link)
        assert command[3]["value"] == "6e65772d6b6579"
        await link.send(json.dumps([3, command[1], {"status": "Accepted"}]))
        assert await writing == "Accepted"
        reading = scope.required("read", endpoint.get_settings())
        keys = [{"key": "AuthorizationKey", "readonly": False, "value": "short"}, {"key": "x", "readonly": True}]
        await link.send(json.dumps([3, (await heard(link))[1], {"configurationKey": keys}]))
        settings = await reading
        assert settings[0].is_secret
        assert settings[0].shown == MASK
        await ask(link, "DataTransfer", {"vendorId": "acme", "data": f"my password is {secret.reveal()}"})
        texts = " ".join(frame.text for frame in here.frames.take())
        assert MASK in texts
        for told in ("6e65772d6b6579", "short", "hunter"):
            assert told not in texts


async def test_a_password_that_a_unit_repeats_in_its_refusal_is_told_nobody():
    async with site() as here, unit(here) as link:
        endpoint = here.server.endpoints["CP-1"]

        async def refuse() -> None:
            call = await heard(link)
            await link.send(json.dumps([4, call[1], "InternalError", "can't store hidden-pass-22", {}]))

        writing = endpoint.set_setting("AuthorizationKey", "hidden-pass-22")
        told, _ = await asyncio.gather(writing, refuse(), return_exceptions=True)
        assert isinstance(told, Refused)
        assert "hidden-pass" not in f"{told!r} {told.message}"
        assert MASK in told.message
        assert "hidden-pass" not in str(here.findings.take())


async def test_values_that_ocpp_cannot_carry_are_refused_before_they_are_sent():
    async with site() as here, unit(here):
        endpoint = here.server.endpoints["CP-1"]
        with pytest.raises(ValueRejected):
            await endpoint.set_setting("key", "x" * 501)


async def test_start_stop_start_again_and_the_unit_is_told_to_go():
    async with site() as here, unit(here) as link:
        port = here.port
        await here.server.stop()
        with pytest.raises(ConnectionClosed) as gone:
            await asyncio.wait_for(link.recv(), 5)
        assert gone.value.rcvd is not None
        assert gone.value.rcvd.code == 1001
        assert not here.server.state.is_listening
        assert (await here.server.start(HOST, port)).port == port
        async with unit(here):
            assert here.server.state.connections == 1


async def test_moving_the_port_makes_units_redial_there(free_port: int):
    async with site() as here, unit(here) as link:
        old = here.port
        state = await here.server.move(HOST, free_port)
        assert (state.is_listening, state.port) == (True, free_port)
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(link.recv(), 5)
        async with unit(here):
            assert here.server.state.connections == 1
        with pytest.raises(OSError):
            await asyncio.open_connection(HOST, old)


async def test_a_taken_port_names_its_owner_and_a_free_one_and_changes_nothing():
    async with site() as here, unit(here) as link:
        with socket.create_server((HOST, 0)) as other:
            taken = other.getsockname()[1]
            with pytest.raises(PortInUse) as error:
                await here.server.move(HOST, taken)
        assert "process" in error.value.owner
        assert error.value.suggestion > taken
        assert str(error.value.suggestion) in error.value.advice
        assert here.server.state.is_listening
        assert here.server.state.trouble
        assert here.server.state.port != taken
        assert (await ask(link, "Heartbeat", {})).keys() == {"currentTime"}


async def test_an_address_this_computer_does_not_have_is_explained():
    async with site() as here:
        with pytest.raises(ServerError) as error:
            await here.server.move("203.0.113.7", 8180)
        assert "203.0.113.7" in error.value.message
        assert error.value.advice


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no second loopback address")
async def test_the_same_port_can_be_opened_on_another_address_and_comes_back_if_that_fails():
    async with site() as here:
        port = here.port
        with pytest.raises(ServerError):
            await here.server.move("203.0.113.7", port)
        async with unit(here):
            assert (await here.server.move("127.0.0.2", port)).host == "127.0.0.2"
        with pytest.raises(OSError):
            await asyncio.open_connection(HOST, port)
        async with unit(here):
            assert here.server.state.connections == 1


@pytest.mark.parametrize(("host", "port"), [(HOST, 70_000), (HOST, -1), ("a\0b", 8180)])
async def test_what_is_no_address_is_explained(host: str, port: int):
    async with site() as here:
        with pytest.raises(ServerError) as error:
            await here.server.move(host, port)
        assert error.value.advice
        assert here.server.state.is_listening


async def test_leaving_the_server_ends_everything_quickly(unit_s: float):
    loop = asyncio.get_running_loop()
    async with site(times=QUICK) as here, unit(here, "A"), unit(here, "B") as link:
        endpoint = here.server.endpoints["B"]
        async with Scope("test") as scope:
            call = scope.isolated("call", _outcome(endpoint, "ClearCache"))
            await heard(link)
            began_s = loop.time()
            await here.server.stop()
            assert isinstance(await call, LinkLost)
            assert loop.time() - began_s < 2.0
