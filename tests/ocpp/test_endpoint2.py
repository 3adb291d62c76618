"""Charging stations of OCPP 2.0.1 and 2.1 on the endpoint: sessions, commands, device model. The stock client speaks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from websockets.asyncio.client import ClientConnection

from app.driver.capability import SetsBackend
from app.drivers.ocpp_local import DRIVER, OcppLocal, families
from app.errors import LinkLost, NotSupported, Refused, TimedOut, ValueRejected
from app.links.real import RealLinks
from app.model.address import OcppAddress
from app.model.reading import Measurand, Reading, StateChange, spread
from app.model.secret import MASK
from app.model.setting import Change, SettingKind
from app.ocpp import schema
from app.ocpp.events import TransactionStarted, TransactionStopped
from app.scope import Scope
from tests.ocpp.endpoint_kit import ask, heard, site
from tests.ocpp.station_kit import AT, VERSIONS, answering, event, sample, station


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


async def test_a_long_session_misses_nothing_it_has_told():
    def told(kind: str, number: int) -> dict[str, Any]:
        return event(kind, number, at=datetime.now(UTC).isoformat(), evse={"id": 1})

    async with site() as here, station(here) as link:
        for number, kind in enumerate(["Started", *["Updated"] * 8, "Ended"]):
            await ask(link, "TransactionEvent", told(kind, number), uid=f"t{number}")
        assert here.server.endpoints["CS-1"].transactions["tx-1"].missing == 0
        await ask(link, "TransactionEvent", told("Updated", 20), uid="late")
        assert here.server.endpoints["CS-1"].transactions["tx-1"].missing == 10


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
        ("trigger", ("StatusNotification", 0), ["TriggerMessage", {"requestedMessage": "StatusNotification"}]),
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
        found = await here.server.endpoints["CS-1"].get_settings(
            ["AuthorizationKey", *(f"Comp.V{n}" for n in range(10))]
        )
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


# The driver -----------------------------------------------------------------------------------------------------------


async def test_the_driver_reads_writes_and_restarts_and_offers_no_repointing_without_slots() -> None:
    value = "300"

    def told(item: dict[str, Any]) -> dict[str, Any]:
        if item["variable"]["name"] != "HeartbeatInterval":
            return {**item, "attributeStatus": "UnknownVariable"}
        return {**item, "attributeStatus": "Accepted", "attributeValue": value}

    def get(payload: dict[str, Any]) -> dict[str, Any]:
        return {"getVariableResult": [told(item) for item in payload["getVariableData"]]}

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
            assert await session.read_backend() is None
            assert (await session.identify()).serial == "SN-2"
            change = Change(key="OCPPCommCtrlr.HeartbeatInterval", before="300", after="60")
            assert (await session.write_setting(change)).read_back == "60"
            await session.restart()
