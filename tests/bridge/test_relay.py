"""Through the bridge: what units say reaches their backend as they said it, and the other way round."""

from __future__ import annotations

import asyncio
import json

from app.model.bridge import LineState
from app.model.frame import Direction
from app.sim.station import OcppStation
from app.sim.station2 import Station2
from tests.bridge.relay_kit import BOOT, backend, bridge, order, told, unit, until
from tests.ocpp.endpoint_kit import site
from tests.sim.csms import csms


async def test_a_station_boots_charges_and_stops_through_the_bridge() -> None:
    async with (
        site() as csms,
        bridge(order(csms.url, identity="NEW-1")) as between,
        OcppStation("CP-1", between.url, time_scale=0.01) as station,
    ):
        endpoint = await csms.server.arrival("NEW-1", timeout_s=5)
        await asyncio.wait_for(station.booted.wait(), 5)
        station.plug_in()
        station.swipe("CARD-1")
        await until(lambda: between.status.session is not None)
        (number,) = endpoint.ledger.transactions
        assert between.status.session.transaction == str(number)
        station.unplug()
        await until(lambda: between.status.session is None)
        assert between.status.state in ("Finishing", "Available")
        assert between.status.line is LineState.ONLINE
        assert between.codes >= {"URL-CHANGED", "IDENTITY-CHANGED"}


async def test_texts_pass_byte_for_byte_in_both_directions() -> None:
    odd = '[2, "a\\/b" ,"Heartbeat",  {  "x" : "Grüße \\u00e9 \\u0000" } ]'
    as_is = ("BOOT-ADDED",)
    async with backend() as csms, bridge(order(csms.url, without=as_is)) as between, unit(between) as link:
        line = await csms.line()
        await link.send(odd)
        await csms.next()
        assert csms.texts == [odd]
        answer = '[3,"a/b",{ "currentTime" : "2026-11-22T12:00:00Z"}   ]'
        await line.send(answer)
        assert await asyncio.wait_for(link.recv(), 5) == answer
        command = '[2,"c-1","Reset", {"type":"Soft"}]'
        await line.send(command)
        assert await asyncio.wait_for(link.recv(), 5) == command
        await link.send('[3,"c-1",{"status" :"Accepted"}]')
        assert await csms.next() == [3, "c-1", {"status": "Accepted"}]
        await until(lambda: len(between.frames) == 4)
        assert [frame.direction for frame in between.frames] == [
            Direction.IN,
            Direction.OUT,
            Direction.OUT,
            Direction.IN,
        ]
        assert [frame.action for frame in between.frames] == ["Heartbeat", "Heartbeat", "Reset", "Reset"]
        assert [frame.text for frame in between.frames][:3] == [odd, answer, command]


async def test_an_unknown_unit_is_held_off_with_a_reason_and_shown_as_knocking() -> None:
    async with bridge() as between, unit(between, "STRANGER") as link:
        await asyncio.wait_for(link.wait_closed(), 5)
        assert (link.close_code, "planned" in (link.close_reason or "")) == (1008, True)
        (knock,) = between.desk.knocking
        assert (knock.name, knock.count) == ("STRANGER", 1)


async def test_a_station_of_2_0_1_goes_through_too() -> None:
    async with (
        site() as csms,
        bridge(order(csms.url, "CS-1", version="2.0.1")) as between,
        Station2(between.url, "CS-1", time_scale=0.01) as station,
    ):
        await csms.server.arrival("CS-1", timeout_s=5)
        await asyncio.wait_for(station.booted.wait(), 5)
        assert between.status.version == "2.0.1"


async def test_a_unit_without_subprotocol_gets_one() -> None:
    async with backend() as csms, bridge(order(csms.url)) as between, unit(between, subprotocols=None) as link:
        line = await csms.line()
        assert line.subprotocol == "ocpp1.6"
        csms.answers["BootNotification"] = {
            "status": "Accepted",
            "interval": 300,
            "currentTime": "2026-11-22T12:00:00Z",
        }
        await link.send(json.dumps([2, "1", "BootNotification", BOOT]))
        assert (await told(link))[2]["status"] == "Accepted"
        assert "SUBPROTOCOL-ADDED" in between.codes


async def test_the_ocpp_packages_central_system_finds_nothing_wrong_with_a_relayed_station() -> None:
    """Both ways validated by the package's own schemas; what fails there is logged, and fails the test."""
    async with (
        csms("ocpp1.6") as central,
        bridge(order(central.url, identity="NEW-1")) as between,
        OcppStation("CP-1", between.url, time_scale=0.01) as station,
    ):
        await central.hears("StatusNotification", lambda told: told["connectorId"] == 1)
        assert central.paths == ["/ocpp/NEW-1"]
        answer = await central.order("RemoteStartTransaction", {"idTag": "CARD-1", "connectorId": 1})
        assert answer == {"status": "Accepted"}
        station.plug_in()
        began = await central.hears("StartTransaction")
        await until(lambda: between.status.session is not None)
        running = between.status.session
        assert running is not None
        await central.order("RemoteStopTransaction", {"transactionId": int(running.transaction)})
        over = await central.hears("StopTransaction")
        assert over["meterStop"] >= began["meterStart"]
        assert (await central.order("GetConfiguration", {}))["configurationKey"]
        await until(lambda: between.status.session is None)


async def test_the_ocpp_packages_central_system_of_2_0_1_commands_a_relayed_station() -> None:
    async with (
        csms("ocpp2.0.1") as central,
        bridge(order(central.url, "CS-1", version="2.0.1")) as between,
        Station2(between.url, "CS-1", time_scale=0.01) as station,
    ):
        await central.hears("StatusNotification")
        await central.order("GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"})
        await central.hears("NotifyReport", lambda told: not told.get("tbc", False))
        station.swipe("CARD-1")
        station.plug_in()
        await central.hears("TransactionEvent", lambda told: told["eventType"] == "Started")
        await until(lambda: between.status.session is not None)
        station.unplug()
        await central.hears("TransactionEvent", lambda told: told["eventType"] == "Ended")
        await until(lambda: between.status.session is None)


async def test_what_a_station_measures_is_shown() -> None:
    values = {
        "connectorId": 1,
        "transactionId": 17,
        "meterValue": [
            {
                "timestamp": "2026-11-22T12:00:00Z",
                "sampledValue": [
                    {"value": "3.5", "measurand": "Energy.Active.Import.Register", "unit": "kWh"},
                    {"value": "7.2", "measurand": "Power.Active.Import", "unit": "kW"},
                ],
            }
        ],
    }
    start = {"connectorId": 1, "idTag": "CARD", "meterStart": 1200, "timestamp": "2026-11-22T12:00:00Z"}
    plan = {"without": ("BOOT-ADDED",)}
    async with backend() as csms, bridge(order(csms.url, **plan)) as between, unit(between) as link:
        info = {"status": "Accepted"}
        csms.answers |= {"StartTransaction": {"transactionId": 17, "idTagInfo": info}, "MeterValues": {}}
        for action, payload in (("StartTransaction", start), ("MeterValues", values)):
            await link.send(json.dumps([2, action, action, payload]))
            await told(link)
        session = between.status.session
        assert session is not None
        assert (session.start_wh, session.energy_wh, session.id_tag) == (1200, 2300, "CARD")
        assert (between.status.power_w, between.status.delivered) == (7200, 2)
