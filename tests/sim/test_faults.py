"""Each fault does on the wire what its name says, on the 1.6 and on the 2.x station."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.model.backend import JoinRule
from app.sim.fault import Fault
from app.sim.login import Spelling
from app.sim.station import URL_KEY, OcppStation
from app.sim.station2 import Station2
from tests.sim.csms import Csms, csms

NAME = "SICK-1"
SCALE = 0.01
BOTH = pytest.mark.parametrize("version", ["1.6", "2.0.1"])


@asynccontextmanager
async def sick(version: str, *faults: Fault, **options: Any) -> AsyncIterator[tuple[Csms, OcppStation | Station2]]:
    async with csms(f"ocpp{version}") as central:
        central.interval = 20
        station: OcppStation | Station2
        if version == "1.6":
            station = OcppStation(NAME, central.url, time_scale=SCALE, faults=faults, **options)
        else:
            station = Station2(central.url, NAME, version, time_scale=SCALE, faults=faults, redial_s=5.0, **options)
        async with station:
            yield central, station


def registers(central: Csms, version: str) -> list[float]:
    action = "MeterValues" if version == "1.6" else "TransactionEvent"
    told = [value for payload in central.all(action) for value in payload.get("meterValue", ())]
    samples = [sample for value in told for sample in value["sampledValue"]]
    return [float(one["value"]) for one in samples if one["measurand"] == "Energy.Active.Import.Register"]


@BOTH
async def test_a_register_falls(version: str):
    async with sick(version, Fault.REGISTER_FALLS) as (central, station):
        await central.hears("StatusNotification")
        station.plug_in()
        station.swipe("CARD-1")
        action = "MeterValues" if version == "1.6" else "TransactionEvent"
        await central.hears(action, lambda _told: registers(central, version) != sorted(registers(central, version)))


def test_energy_grows_twice_as_fast_as_power_explains():
    station = OcppStation(NAME)
    outlet = station.outlet(1)
    outlet.is_charging = True
    begun_wh, outlet._since_s = outlet.energy_wh, outlet._since_s - 3600
    honest_wh = outlet.energy_wh - begun_wh
    outlet.spoil({Fault.ENERGY_MISMATCH})
    begun_wh, outlet._since_s = outlet.energy_wh, outlet._since_s - 3600
    assert honest_wh == pytest.approx(outlet.power_w, rel=0.001)
    assert outlet.energy_wh - begun_wh == pytest.approx(2 * honest_wh, rel=0.001)


@BOTH
async def test_a_unit_that_boots_for_ever(version: str):
    async with sick(version, Fault.REPEATS_BOOT) as (central, _):
        central.interval = 2
        await central.hears("BootNotification", lambda _told: len(central.all("BootNotification")) >= 3)
        assert {action for action, _ in central.said} == {"BootNotification"}


@BOTH
async def test_a_reset_that_is_accepted_and_ignored(version: str):
    async with sick(version, Fault.IGNORES_RESET) as (central, station):
        await central.hears("StatusNotification")
        kind = "Soft" if version == "1.6" else "Immediate"
        assert (await central.order("Reset", {"type": kind}))["status"] == "Accepted"
        mark = central.mark
        await central.hears("Heartbeat", after=mark)
        assert station.dials == 1


@BOTH
@pytest.mark.parametrize("loses", [True, False])
async def test_a_queue_is_lost_or_kept(version: str, loses: bool):
    faults = (Fault.DROPS_QUEUE,) if loses else ()
    async with sick(version, *faults) as (central, station):
        await central.hears("StatusNotification")
        station.plug_in()
        station.swipe("CARD-1")
        begun, ended = ("StartTransaction", "StopTransaction") if version == "1.6" else ("TransactionEvent",) * 2
        await central.hears(begun)
        await central.drop()
        await station.until(lambda: not station.is_connected)
        station.unplug()
        mark = central.mark
        await central.hears("Heartbeat", after=mark)
        told = [payload for action, payload in central.said[mark:] if action == ended]
        has_ended = any(payload.get("eventType", "Ended") == "Ended" for payload in told)
        assert has_ended is not loses


@BOTH
async def test_a_message_that_was_refused_comes_again_for_ever(version: str, allowed_log: Any):
    allowed_log("Error while handling request")
    async with sick(version, Fault.POISON_QUEUE) as (central, station):

        def refuse(_told: Any) -> Any:
            raise ValueError("no")

        await central.hears("StatusNotification")
        action = "StartTransaction" if version == "1.6" else "TransactionEvent"
        central.answers[action] = refuse
        if version == "1.6":
            station_keys = station.configuration  # type: ignore[union-attr]
            station_keys["TransactionMessageRetryInterval"].value = "1"
        else:
            station.model.put("OCPPCommCtrlr", "MessageAttemptInterval", "1", "TransactionEvent")  # type: ignore[union-attr]
        station.plug_in()
        station.swipe("CARD-1")
        await station.until(lambda: [name for name, _ in station.said].count(action) >= 7)
        assert len({str(told) for name, told in station.said if name == action}) == 1


@BOTH
async def test_a_write_that_is_accepted_and_ignored(version: str):
    async with sick(version, Fault.ACCEPTS_AND_IGNORES) as (central, station):
        await central.hears("StatusNotification")
        if isinstance(station, Station2):
            data = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "ResetRetries"}, "attributeValue": "7"}
            await central.order("SetVariables", {"setVariableData": [data]})
            assert station.model.text("OCPPCommCtrlr", "ResetRetries") == "1"
        else:
            assert (await central.order("ChangeConfiguration", {"key": "ResetRetries", "value": "7"}))[
                "status"
            ] == "Accepted"
            assert station.configuration["ResetRetries"].value == "2"


async def test_a_clinging_16_station_goes_back_to_its_former_address():
    async with csms("ocpp1.6") as new, sick("1.6", Fault.OLD_PROFILE) as (old, station):
        await old.hears("StatusNotification")
        order = {"key": URL_KEY, "value": new.url}
        assert (await old.order("ChangeConfiguration", order))["status"] == "RebootRequired"
        paths = len(old.paths)
        await old.order("Reset", {"type": "Soft"})
        await new.hears("BootNotification")
        await station.until(lambda: len(old.paths) > paths)
        assert isinstance(station, OcppStation)
        assert station.configured_url == old.url


@BOTH
async def test_an_unknown_action_crashes_it(version: str):
    async with sick(version, Fault.CRASHES_ON_UNKNOWN) as (central, _):
        await central.hears("StatusNotification")
        mark = central.mark
        with pytest.raises(TimeoutError):
            await central.order("VendorMagic", timeout_s=0.2, is_checked=False)
        await central.hears("BootNotification", after=mark)


async def test_a_firmware_that_nobody_had_is_said_to_be_installed():
    async with sick("1.6", Fault.CLAIMS_INSTALLED) as (central, _):
        await central.hears("StatusNotification")
        order = {"location": "http://127.0.0.1:9/fw.bin", "retrieveDate": "2026-01-01T00:00:00Z"}
        await central.order("UpdateFirmware", order)
        await central.hears("FirmwareStatusNotification", lambda told: told["status"] == "Installed")


@BOTH
async def test_sessions_of_a_dead_backend_come_first_and_in_order(version: str):
    async with csms(f"ocpp{version}") as central:
        old = OcppStation(NAME, central.url, time_scale=SCALE) if version == "1.6" else None
        station: OcppStation | Station2 = old or Station2(central.url, NAME, version, time_scale=SCALE)
        for days in (30, 20):
            station.remember_session("OLD-CARD", days_ago=days)
        async with station:
            await station.booted.wait()
            await station.drained()
            told = [name for name, _ in central.said if name not in ("BootNotification", "StatusNotification")]
            one = ["StartTransaction", "MeterValues", "StopTransaction"]
            assert told[:6] == (one * 2 if version == "1.6" else ["TransactionEvent"] * 6)
            if version == "1.6":
                assert [stop["transactionId"] for stop in central.all("StopTransaction")] == [101, 102]


@BOTH
async def test_a_boot_without_a_vendor_and_a_frame_without_its_end(version: str, allowed_log: Any):
    allowed_log("Error while handling request")
    async with sick(version, Fault.EMPTY_VENDOR, Fault.BROKEN_JSON) as (central, station):
        await station.until(lambda: bool(station.said))
        boot = station.said[0][1]
        assert "" in (boot.get("chargePointVendor"), boot.get("chargingStation", {}).get("vendorName"))
        await station.until(lambda: any(name == "StatusNotification" for name, _ in station.said))
        assert not central.all("StatusNotification")


@pytest.mark.parametrize(
    ("spelling", "sent"),
    [(Spelling.RAW, b"\x01\xffpassword-bytes!!"), (Spelling.HEX, b"01ff70617373776f72642d62797465732121")],
)
async def test_a_key_is_spelt_as_this_unit_spells_it(spelling: Spelling, sent: bytes):
    async with csms("ocpp1.6") as central:
        station = OcppStation(NAME, central.url, spelling=spelling, time_scale=SCALE)
        station.configuration["AuthorizationKey"].value = "01ff70617373776f72642d62797465732121"
        station.aim()
        async with station:
            await central.hears("BootNotification")
        token = central.headers[0]["Authorization"].removeprefix("Basic ")
        assert base64.b64decode(token) == NAME.encode() + b":" + sent


@pytest.mark.parametrize(("join", "path"), [(JoinRule.APPEND, f"/ocpp//{NAME}"), (JoinRule.AS_IS, "/ocpp/")])
async def test_a_url_is_joined_as_this_unit_joins_it(join: JoinRule, path: str):
    async with csms("ocpp1.6") as central, OcppStation(NAME, f"{central.url}/", join=join, time_scale=SCALE):
        await central.hears("BootNotification")
        assert central.paths == [path]
