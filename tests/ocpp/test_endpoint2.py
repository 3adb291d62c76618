"""The endpoint, seen by charging stations of OCPP 2.0.1 and 2.1: the stock client speaks for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from websockets.asyncio.client import ClientConnection

from app.driver.capability import SetsBackend
from app.drivers.ocpp_local import DRIVER, OcppLocal, families
from app.errors import LinkLost, NotSupported, Refused, TimedOut, ValueRejected
from app.links.real import RealLinks
from app.model.address import OcppAddress
from app.model.finding import Finding
from app.model.frame import Direction, FrameKind
from app.model.observation import Backlog, BootRepeated, Drift, Ended, Observation, Returned, Spoken
from app.model.reading import Measurand, Reading, StateChange, spread
from app.model.secret import MASK
from app.model.setting import Change, SettingKind
from app.ocpp import schema
from app.ocpp.endpoint import Endpoint
from app.ocpp.events import IdToken, TransactionStarted, TransactionStopped
from app.ocpp.host import Times
from app.scope import Scope
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


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_station_connects_boots_and_is_known(version: str):
    async with site() as here, station(here, version) as link:
        assert link.subprotocol == f"ocpp{version}"
        endpoint = here.server.endpoints["CS-1"]
        assert endpoint.version == version
        assert endpoint.boot is not None
        assert (endpoint.boot.vendor, endpoint.boot.model, endpoint.boot.serial) == ("Acme", "DC 2", "SN-2")
        assert endpoint.boot.fields["iccid"] == "8949"
        booted = here.sightings[-1]
        assert booted.identity is not None
        assert booted.identity.serial == "SN-2"
        assert booted.hints["chargePointVendor"] == "Acme"
        assert not [item for item in here.findings.take() if item.code in ("SCHEMA", "BOOT-SCHEMA", "VERSION-MIX")]


async def test_the_version_a_unit_lists_first_is_chosen():
    async with site() as here, station(here, subprotocols=["ocpp2.0.1", "ocpp1.6"]) as link:
        assert link.subprotocol == "ocpp2.0.1"


async def test_a_session_is_followed_from_plug_to_departure():
    async with site() as here, station(here) as link:
        endpoint = here.server.endpoints["CS-1"]
        place = {"evse": {"id": 1, "connectorId": 1}}
        with endpoint.events.subscribe() as events:
            status = {"timestamp": AT, "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}
            assert await ask(link, "StatusNotification", status) == {}
            assert endpoint.statuses[1].state == "Preparing"
            begun = event("Started", 0, **place, meterValue=[sample(1, "Transaction.Begin")])
            assert await ask(link, "TransactionEvent", begun, uid="t0") == {}
            token = {"idToken": "04AABB", "type": "ISO14443"}
            going = event("Updated", 1, idToken=token, info={"chargingState": "Charging"}, meterValue=[sample(1.2)])
            assert (await ask(link, "TransactionEvent", going, uid="t1"))["idTokenInfo"]["status"] == "Accepted"
            assert endpoint.statuses[1].state == "Charging"
            over = event("Ended", 2, info={"stoppedReason": "Local"}, meterValue=[sample(1.5, "Transaction.End")])
            assert await ask(link, "TransactionEvent", over, uid="t2") == {}
            happened = events.take()
        assert [item.transaction.connector for item in happened if isinstance(item, TransactionStarted)] == [1]
        (stopped,) = (item.transaction for item in happened if isinstance(item, TransactionStopped))
        assert (stopped.transaction_id, stopped.tag, stopped.reason) == ("tx-1", "04AABB", "Local")
        assert stopped.energy_wh == 500.0
        told = list(spread(here.samples.take()))
        assert [item.value for item in told if isinstance(item, Reading)] == [1000.0, 1200.0, 1500.0]
        assert [item.state for item in told if isinstance(item, StateChange)] == ["Preparing", "Charging"]


async def test_messages_of_a_session_that_are_missing_are_counted():
    async with site() as here, station(here) as link:
        for number in (0, 3, 1):
            kind = "Updated" if number else "Started"
            await ask(link, "TransactionEvent", event(kind, number, offline=number == 1), uid=f"t{number}")
        session = here.server.endpoints["CS-1"].transactions["tx-1"]
        assert session.missing == 1, "number 2"
        assert session.was_offline


async def test_a_multiplier_is_applied_and_the_main_meter_is_connector_nought():
    power = sample(7.4, measurand="Power.Active.Import", unit={"unit": "W", "multiplier": 3})
    async with site() as here, station(here) as link:
        assert await ask(link, "MeterValues", {"evseId": 0, "meterValue": [power]}) == {}
        (reading,) = spread(here.samples.take())
        assert isinstance(reading, Reading)
        assert (reading.measurand, reading.value, reading.connector) == (Measurand.POWER, 7400.0, 0)
        assert here.server.endpoints["CS-1"].ledger.latest[0, Measurand.POWER, ""] == reading


async def test_two_connectors_of_one_evse_are_told_apart():
    async with site() as here, station(here) as link:
        for connector, state in ((1, "Available"), (2, "Faulted")):
            status = {"timestamp": AT, "connectorStatus": state, "evseId": 3, "connectorId": connector}
            await ask(link, "StatusNotification", status, uid=state)
        endpoint = here.server.endpoints["CS-1"]
        assert {place: change.state for place, change in endpoint.statuses.items()} == {
            3: "Available",
            302: "Faulted",
        }
        async with Scope("test") as scope:
            call = scope.required("unlock", endpoint.unlock(302))
            command = await heard(link)
            assert command[2:] == ["UnlockConnector", {"evseId": 3, "connectorId": 2}]
            await link.send(json.dumps([3, command[1], {"status": "Unlocked"}]))
            assert await call == "Unlocked"


@pytest.mark.parametrize(
    ("verb", "arguments", "command"),
    [
        ("reset", ("Soft",), ["Reset", {"type": "OnIdle"}]),
        ("reset", ("Hard",), ["Reset", {"type": "Immediate"}]),
        ("trigger", ("Heartbeat",), ["TriggerMessage", {"requestedMessage": "Heartbeat"}]),
        (
            "trigger",
            ("StatusNotification", 1),
            ["TriggerMessage", {"requestedMessage": "StatusNotification", "evse": {"id": 1, "connectorId": 1}}],
        ),
        ("stop", ("tx-1",), ["RequestStopTransaction", {"transactionId": "tx-1"}]),
        ("availability", (0, False), ["ChangeAvailability", {"operationalStatus": "Inoperative"}]),
        ("availability", (2, True), ["ChangeAvailability", {"operationalStatus": "Operative", "evse": {"id": 2}}]),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
async def test_the_verbs_speak_the_words_of_the_version(verb: str, arguments: Any, command: Any, version: str):
    async with site() as here, station(here, version) as link, Scope("test") as scope:
        endpoint = here.server.endpoints["CS-1"]
        call = scope.required("call", getattr(endpoint, verb)(*arguments))
        message = await heard(link)
        assert message[2:] == command
        assert not schema.violations(version, message[2], message[3], is_request=True)
        await link.send(json.dumps([3, message[1], {"status": "Accepted"}]))
        assert await call == "Accepted"


async def test_a_start_names_token_and_evse():
    async with site() as here, station(here) as link, Scope("test") as scope:
        call = scope.required("call", here.server.endpoints["CS-1"].start(1, "TAG"))
        message = await heard(link)
        assert message[2] == "RequestStartTransaction"
        assert message[3]["evseId"] == 1
        assert not schema.violations("2.0.1", message[2], message[3], is_request=True)
        await link.send(json.dumps([3, message[1], {"status": "Rejected"}]))
        assert await call == "Rejected"


# Device model and settings ------------------------------------------------------------------------------------------


def variable(component: str, name: str, value: str | None, **traits: Any) -> dict[str, Any]:
    attribute = {"mutability": traits.pop("mutability", "ReadWrite")} | ({} if value is None else {"value": value})
    named = {"name": name} | ({"instance": traits.pop("instance")} if "instance" in traits else {})
    return {
        "component": {"name": component},
        "variable": named,
        "variableAttribute": [attribute],
        "variableCharacteristics": {"dataType": "string", "supportsMonitoring": False, **traits},
    }


MODEL = [
    variable("OCPPCommCtrlr", "HeartbeatInterval", "300", dataType="integer", unit="s", minLimit=10, maxLimit=900),
    variable("SecurityCtrlr", "BasicAuthPassword", None, mutability="WriteOnly", maxLimit=40),
    variable("DeviceDataCtrlr", "ItemsPerMessage", "2", instance="GetVariables", dataType="integer"),
]


async def tell(link: ClientConnection, number: int, parts: list[Any]) -> None:
    for index, part in enumerate(parts):
        report = {"requestId": number, "generatedAt": AT, "seqNo": index, "reportData": [part]}
        report["tbc"] = index + 1 < len(parts)
        await link.send(json.dumps([2, f"r{index}", "NotifyReport", report]))
        assert (await heard(link))[2] == {}


async def test_the_device_model_is_collected_and_kept():
    async with site() as here, station(here) as link, Scope("test") as scope:
        endpoint = here.server.endpoints["CS-1"]
        reading = scope.required("read", endpoint.get_settings())
        message = await heard(link)
        assert message[2] == "GetBaseReport"
        assert message[3]["reportBase"] == "FullInventory"
        await link.send(json.dumps([3, message[1], {"status": "Accepted"}]))
        await tell(link, message[3]["requestId"], MODEL)
        interval, password, _ = await reading
        assert (interval.key, interval.value, interval.kind) == (
            "OCPPCommCtrlr.HeartbeatInterval",
            "300",
            SettingKind.INTEGER,
        )
        assert (interval.minimum, interval.maximum, interval.unit) == (10, 900, "s")
        assert password.is_secret
        assert not password.is_readable
        assert len(await endpoint.device_model()) == 3
        assert endpoint.habits.limits == {"ItemsPerMessage/GetVariables": 2}


async def test_a_station_without_a_full_inventory_gives_what_it_has():
    async with site() as here, station(here) as link, Scope("test") as scope:
        reading = scope.required("read", here.server.endpoints["CS-1"].device_model())
        message = await heard(link)
        await link.send(json.dumps([3, message[1], {"status": "NotSupported"}]))
        message = await heard(link)
        assert message[3]["reportBase"] == "ConfigurationInventory"
        await link.send(json.dumps([3, message[1], {"status": "Accepted"}]))
        await tell(link, message[3]["requestId"], MODEL[:1])
        assert [item.name.text for item in await reading] == ["OCPPCommCtrlr.HeartbeatInterval"]


async def test_a_report_that_breaks_off_is_told_and_one_that_is_refused_too():
    async with site() as here, station(here) as link, Scope("test") as scope:
        endpoint = here.server.endpoints["CS-1"]

        async def outcome(answer: str) -> object:
            asking = scope.isolated("ask", outcome_of(endpoint.gather("GetReport", {}, timeout_s=0.1)))
            await link.send(json.dumps([3, (await heard(link))[1], {"status": answer}]))
            return await asking

        assert isinstance(await outcome("Accepted"), TimedOut)
        assert isinstance(await outcome("Rejected"), Refused)
        assert isinstance(await outcome("NotSupported"), NotSupported)
        assert await outcome("EmptyResultSet") == ()
        with pytest.raises(NotSupported):
            await endpoint.gather("Reset", {})
        lost = scope.isolated("lost", outcome_of(endpoint.gather("GetReport", {})))
        await link.send(json.dumps([3, (await heard(link))[1], {"status": "Accepted"}]))
        await link.close()
        assert isinstance(await lost, LinkLost)


async def outcome_of(waiting: Any) -> object:
    try:
        return await waiting
    except (LinkLost, TimedOut, Refused) as error:
        return error


async def test_variables_are_asked_in_batches_as_large_as_the_station_allows():
    sizes = []

    def get(payload: dict[str, Any]) -> dict[str, Any]:
        asked = payload["getVariableData"]
        sizes.append(len(asked))
        results = []
        for item in asked:
            is_limit = item["variable"]["name"] == "ItemsPerMessage"
            told = {"attributeStatus": "Accepted", "attributeValue": "3" if is_limit else "x"}
            if item["variable"]["name"] in ("V9", "BytesPerMessage"):
                told = {"attributeStatus": "UnknownVariable"}
            results.append({**item, **told})
        return {"getVariableResult": results}

    async with site() as here, station(here) as link, Scope("test") as scope:
        scope.isolated("answer", answering(link, GetVariables=get))
        found = await here.server.endpoints["CS-1"].get_settings([f"Comp.V{n}" for n in range(10)])
        assert [setting.key for setting in found] == [f"Comp.V{n}" for n in range(9)]
        assert sizes == [1, 1, 3, 3, 3, 1]


async def test_writing_a_variable_returns_its_status_and_hides_a_password():
    statuses = iter(["RebootRequired", "UnknownVariable", "Accepted"])

    def put(payload: dict[str, Any]) -> dict[str, Any]:
        (order,) = payload["setVariableData"]
        bare = {"component": order["component"], "variable": order["variable"]}
        return {"setVariableResult": [{**bare, "attributeStatus": next(statuses)}]}

    async with site() as here, station(here) as link, Scope("test") as scope:
        endpoint = here.server.endpoints["CS-1"]
        scope.isolated("answer", answering(link, SetVariables=put))
        assert await endpoint.set_setting("OCPPCommCtrlr.HeartbeatInterval", "60") == "RebootRequired"
        assert await endpoint.set_setting("OCPPCommCtrlr.Nothing", "60") == "NotSupported"
        assert await endpoint.set_setting("SecurityCtrlr.BasicAuthPassword", "geheim-123456") == "Accepted"
        with pytest.raises(ValueRejected):
            await endpoint.set_setting("OCPPCommCtrlr.X", "y" * 1001)
        with pytest.raises(ValueRejected):
            await endpoint.set_setting("HeartbeatInterval", "60")
        texts = " ".join(frame.text for frame in here.frames.take())
        assert MASK in texts
        assert "geheim" not in texts


async def test_variables_are_written_in_batches_as_large_as_the_station_allows():
    sizes = []

    def put(payload: dict[str, Any]) -> dict[str, Any]:
        orders = payload["setVariableData"]
        sizes.append(len(orders))
        results = [{"component": item["component"], "variable": item["variable"]} for item in orders]
        return {"setVariableResult": [{**item, "attributeStatus": "Accepted"} for item in reversed(results)]}

    async with site() as here, station(here) as link, Scope("test") as scope:
        endpoint = here.server.endpoints["CS-1"]
        endpoint.habits.limits.update({"ItemsPerMessage/SetVariables": 4, "BytesPerMessage/SetVariables": 500})
        scope.isolated("answer", answering(link, SetVariables=put))
        changes = {f"Comp.V{n}": "x" for n in range(5)} | {f"Comp.W{n}": "y" * 150 for n in range(3)}
        assert await endpoint.set_settings(changes) == dict.fromkeys(changes, "Accepted")
        assert sizes == [4, 2, 1, 1]


async def test_passwords_of_a_network_profile_are_in_no_frame():
    secret = {
        "apn": {"apn": "x", "apnAuthentication": "PAP", "apnPassword": "apn-geheim"},
        "vpn": {"key": "vpn-geheim"},
    }
    async with site() as here, station(here, "2.1") as link, Scope("test") as scope:
        payload = {"configurationSlot": 1, "connectionData": {"basicAuthPassword": "auth-geheim", **secret}}
        call = scope.required("call", here.server.endpoints["CS-1"].call("SetNetworkProfile", payload))
        await link.send(json.dumps([3, (await heard(link))[1], {"status": "Accepted"}]))
        await call
        assert "geheim" not in " ".join(frame.text for frame in here.frames.take())


# Errors, SEND and versions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
async def test_errors_carry_the_codes_of_the_version(version: str):
    async with site() as here, station(here, version) as link:
        assert (await ask(link, "MakeCoffee", {}))[2] == "NotImplemented"
        assert (await ask(link, "Reset", {"type": "OnIdle"}))[2] == "NotSupported"
        for text, uid, code in (
            ("no json", "-1", "RpcFrameworkError"),
            ('[2,"x","Heartbeat",5]', "x", "FormatViolation"),
            ('[9,"x","Heartbeat",{}]', "x", "MessageTypeNotSupported"),
        ):
            await link.send(text)
            assert (await heard(link))[:3] == [4, uid, code]


async def test_a_send_is_taken_in_and_not_answered():
    stream = {"id": 1, "pending": 0, "basetime": AT, "data": [{"t": 0, "v": "1"}]}
    async with site() as here, station(here, "2.1") as link:
        await link.send(json.dumps([6, "s1", "NotifyPeriodicEventStream", stream]))
        assert (await ask(link, "Heartbeat", {}, uid="h")).keys() == {"currentTime"}
        frame = await here.frame(uid="s1", direction=Direction.IN)
        assert (frame.kind, frame.action, frame.notes) == (FrameKind.SEND, "NotifyPeriodicEventStream", ())
        assert not [item for item in here.frames.take() if item.uid == "s1"]
        await here.server.endpoints["CS-1"].send("NotifyPeriodicEventStream", stream)
        assert (await heard(link))[0] == 6


async def test_an_objection_to_an_answer_is_shown_with_its_action():
    async with site() as here, station(here, "2.1") as link:
        await ask(link, "Heartbeat", {}, uid="h")
        await link.send('[5,"h","FormatViolation","what?",{}]')
        frame = await here.frame(kind=FrameKind.RESULT_ERROR)
        assert (frame.action, frame.notes) == ("Heartbeat", ("RESULT-REFUSED",))


async def test_a_unit_that_agreed_on_nothing_is_answered_in_the_version_it_speaks():
    async with site() as here, station(here, subprotocols=None) as link:
        endpoint = here.server.endpoints["CS-1"]
        assert endpoint.version == "2.0.1"
        assert endpoint.boot is not None
        assert endpoint.boot.vendor == "Acme"
        assert await ask(link, "TransactionEvent", event("Started", 0), uid="t") == {}


async def test_another_version_than_the_agreed_one_is_noticed():
    async with judged() as (here, seen), station(here, subprotocols=["ocpp1.6"], boots=False) as link:
        await ask(link, "BootNotification", BOOT2)
        await ask(link, "TransactionEvent", event("Started", 0), uid="t")
        mixed = [item for item in seen if isinstance(item, Spoken)]
        assert [(item.agreed, item.spoken, item.action) for item in mixed] == [
            ("1.6", "2.0.1", "BootNotification"),
            ("1.6", "2.0.1", "TransactionEvent"),
        ]
        assert "chargingStation" in mixed[0].proof or "reason" in mixed[0].proof


async def test_a_wrong_word_is_no_other_version():
    async with judged() as (here, seen), unit(here) as link:
        await ask(link, "FirmwareStatusNotification", {"status": "DownloadScheduled"})
        assert not [item for item in seen if isinstance(item, Spoken)]


async def test_the_version_may_change_between_connections():
    async with site() as here:
        async with station(here, "2.0.1") as link:
            await ask(link, "TransactionEvent", event("Started", 0, evse={"id": 1}), uid="t")
        async with unit(here, "CS-1") as link:
            endpoint = here.server.endpoints["CS-1"]
            assert endpoint.version == "1.6"
            assert "tx-1" in endpoint.transactions
            await ask(link, "StartTransaction", {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": AT})
            assert len(endpoint.transactions) == 2


# Hooks and manners --------------------------------------------------------------------------------------------------


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


async def test_tokens_are_judged_by_who_knows_them():
    def authorise(identity: str, token: IdToken) -> str:
        asked.append((identity, token))
        return "Blocked" if token.value == "BAD" else "Accepted"

    asked: list[tuple[str, IdToken]] = []
    async with site() as here:
        here.server.authorise = authorise
        async with station(here) as link:
            bad = {"idToken": "BAD", "type": "ISO14443"}
            assert (await ask(link, "Authorize", {"idToken": bad}))["idTokenInfo"] == {"status": "Blocked"}
            answer = await ask(link, "TransactionEvent", event("Started", 0, idToken=bad), uid="t")
            assert answer["idTokenInfo"]["status"] == "Blocked"
        async with unit(here, "CP-16") as link:
            assert (await ask(link, "Authorize", {"idTag": "BAD"}))["idTagInfo"]["status"] == "Blocked"
            start = {"connectorId": 1, "idTag": "BAD", "meterStart": 0, "timestamp": AT}
            assert (await ask(link, "StartTransaction", start, uid="s"))["idTagInfo"]["status"] == "Blocked"
    assert asked[0] == ("CS-1", IdToken("BAD", "ISO14443"))
    assert asked[-1] == ("CP-16", IdToken("BAD"))


async def test_a_replier_answers_where_it_wants_to():
    def reply(endpoint: Endpoint, payload: Any) -> dict[str, Any] | None:
        return {"status": "Accepted"} if payload["vendorId"] == "acme" else None

    async with site() as here, station(here) as link:
        here.server.repliers["DataTransfer"] = reply
        assert (await ask(link, "DataTransfer", {"vendorId": "acme"}))["status"] == "Accepted"
        assert (await ask(link, "DataTransfer", {"vendorId": "x"}, uid="2"))["status"] == "UnknownVendorId"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_station_that_is_kept_waiting_is_refused_all_but_boot_and_what_it_was_asked_for(version: str):
    async with site() as here:
        manner = here.server.manner("CS-1")
        manner.boot_status, manner.boot_interval_s = "Pending", 7
        async with station(here, version, boots=False) as link, Scope("test") as scope:
            answer = await ask(link, "BootNotification", BOOT2)
            assert (answer["status"], answer["interval"]) == ("Pending", 7)
            assert (await ask(link, "Heartbeat", {}, uid="h"))[2] == "SecurityError"
            assert "BEFORE-ACCEPTED" in (await here.frame(uid="h", direction=Direction.IN)).notes
            session = event("Started", 0)
            assert await ask(link, "TransactionEvent", session, uid="t") == {}, "its data are not lost"
            call = scope.required("trigger", here.server.endpoints["CS-1"].trigger("StatusNotification"))
            await link.send(json.dumps([3, (await heard(link))[1], {"status": "Accepted"}]))
            assert await call == "Accepted"
            status = {"timestamp": AT, "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
            assert await ask(link, "StatusNotification", status, uid="s") == {}
            manner.boot_status = "Accepted"
            assert (await ask(link, "BootNotification", BOOT2, uid="b2"))["status"] == "Accepted"
            assert (await ask(link, "Heartbeat", {}, uid="h2")).keys() == {"currentTime"}


async def test_no_command_goes_to_a_rejected_unit():
    async with site(times=Times(command_gate_s=0.05, trigger_boot_s=None, queue_s=0.2)) as here:
        here.server.manner("CS-1").boot_status = "Rejected"
        async with station(here, boots=False) as link:
            assert (await ask(link, "BootNotification", BOOT2))["status"] == "Rejected"
            with pytest.raises(TimedOut):
                await here.server.endpoints["CS-1"].reset()
            here.server.manner("CS-1").speaks_early = True
            async with Scope("test") as scope:
                call = scope.required("reset", here.server.endpoints["CS-1"].reset())
                await link.send(json.dumps([3, (await heard(link))[1], {"status": "Accepted"}]))
                assert await call == "Accepted"


async def test_answers_are_withheld_delayed_and_told_in_another_time():
    async with site() as here, station(here) as link:
        manner = here.server.manner("CS-1")
        manner.withheld.add("StatusNotification")
        status = {"timestamp": AT, "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
        await link.send(json.dumps([2, "w", "StatusNotification", status]))
        manner.clock_offset_s = -86400 * 365
        assert (await ask(link, "Heartbeat", {}, uid="h"))["currentTime"].startswith("2025")
        assert here.server.endpoints["CS-1"].statuses[1].state == "Available"
        manner.answer_delay_s = 0.05
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        await ask(link, "Heartbeat", {}, uid="h2")
        assert loop.time() - begun_s >= 0.05


async def test_a_unit_whose_boot_is_not_answered_is_sent_no_command():
    async with site(times=Times(command_gate_s=30, trigger_boot_s=None)) as here:
        manner = here.server.manner("CS-1")
        manner.withheld.add("BootNotification")
        async with station(here, boots=False) as link:
            await link.send(json.dumps([2, "b", "BootNotification", BOOT2]))
            await here.frame(uid="b")
            endpoint = here.server.endpoints["CS-1"]
            assert not endpoint.is_ready
            manner.withheld.clear()
            manner.answer_delay_s = 0.05
            async with Scope("test") as scope:
                call = scope.required("reset", endpoint.reset())
                await link.send(json.dumps([2, "b2", "BootNotification", BOOT2]))
                assert (await heard(link))[2]["status"] == "Accepted"
                await link.send(json.dumps([3, (await heard(link))[1], {"status": "Accepted"}]))
                assert await call == "Accepted"


# Observations -------------------------------------------------------------------------------------------------------


async def test_endings_returns_and_repeated_boots_are_observed():
    async with judged() as (here, seen):
        with here.server.endings.subscribe() as endings:
            async with station(here) as link:
                await ask(link, "BootNotification", BOOT2, uid="b2")
            async with asyncio.timeout(5):
                ended = await anext(endings)
        assert (ended.identity, ended.code, ended.has_booted) == ("CS-1", 1000, True)
        assert isinstance(seen[-1], Ended)
        (repeated,) = (item for item in seen if isinstance(item, BootRepeated))
        assert (repeated.count, repeated.interval_s, repeated.is_early_call) == (2, 300, False)
        async with station(here):
            (returned,) = (item for item in seen if isinstance(item, Returned))
            assert returned.gone_s >= 0


async def test_old_messages_are_a_backlog_and_new_ones_show_the_clock():
    async with judged() as (here, seen), station(here) as link:
        old = event("Ended", 9, at="2026-01-01T00:00:00Z", offline=True)
        await ask(link, "TransactionEvent", old, uid="o1")
        await ask(link, "TransactionEvent", old, uid="o2")
        first, second = (item for item in seen if isinstance(item, Backlog))
        assert (first.transaction, first.is_unknown, first.is_repeated) == ("tx-1", True, False)
        assert first.age_s > 86400
        assert second.is_repeated
        assert not [item for item in seen if isinstance(item, Drift)]
        ahead = {"timestamp": "2099-01-01T00:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
        await ask(link, "StatusNotification", ahead, uid="s")
        (drift,) = (item for item in seen if isinstance(item, Drift))
        assert drift.drift_s > 86400


# The driver -----------------------------------------------------------------------------------------------------------


async def test_the_driver_reads_writes_and_restarts_and_owns_that_it_can_not_repoint():
    value = "300"

    def get(payload: dict[str, Any]) -> dict[str, Any]:
        told = {"attributeStatus": "Accepted", "attributeValue": value}
        return {"getVariableResult": [{**item, **told} for item in payload["getVariableData"]]}

    def put(payload: dict[str, Any]) -> dict[str, Any]:
        nonlocal value
        (order,) = payload["setVariableData"]
        value = order.pop("attributeValue")
        return {"setVariableResult": [{**order, "attributeStatus": "Accepted"}]}

    async with site() as here, station(here) as link, Scope("test") as scope:
        scope.isolated("answer", answering(link, GetVariables=get, SetVariables=put, Reset={"status": "Scheduled"}))
        profile = next(profile for profile in families() if profile.id == "ocpp-generic")
        links = RealLinks(ocpp=here.server.endpoint)
        session = cast(OcppLocal, DRIVER.open(OcppAddress(identity="CS-1"), profile, links))
        async with session:
            assert not session.has(SetsBackend)
            with pytest.raises(NotSupported):
                await session.read_backend()
            assert (await session.identify()).serial == "SN-2"
            change = Change(key="OCPPCommCtrlr.HeartbeatInterval", before="300", after="60")
            assert (await session.write_setting(change)).read_back == "60"
            await session.restart()
