"""What the simulated 2.x station does on order: network profiles, certificates, errands, limits, monitors, and 2.1."""

from __future__ import annotations

import base64
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from app.sim.dialtls import DialTls
from app.sim.fault import Fault
from app.sim.station2 import Station2
from tests.sim.csms import CallRefused, Csms, csms
from tests.sim.files import ftp_files, http_files
from tests.sim.pki import Authority
from tests.sim.test_station2 import NAME, SCALE, standing

PASSWORD = "0123456789abcdef"


def slot(number: int, url: str, profile: int = 0) -> dict[str, Any]:
    return {
        "configurationSlot": number,
        "connectionData": {
            "ocppVersion": "OCPP20",
            "ocppTransport": "JSON",
            "ocppCsmsUrl": url,
            "messageTimeout": 30,
            "securityProfile": profile,
            "ocppInterface": "Wired0",
        },
    }


async def set_value(central: Csms, component: str, variable: str, value: str) -> str:
    data = {"component": {"name": component}, "variable": {"name": variable}, "attributeValue": value}
    answer = await central.order("SetVariables", {"setVariableData": [data]})
    return str(answer["setVariableResult"][0]["attributeStatus"])


async def set_priority(central: Csms, value: str) -> str:
    return await set_value(central, "OCPPCommCtrlr", "NetworkConfigurationPriority", value)


def soon(seconds: float = 3600) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def test_it_moves_to_a_new_central_system_as_b10_orders():
    async with csms() as new, standing() as (old, station):
        assert (await old.order("SetNetworkProfile", slot(2, new.url)))["status"] == "Accepted"
        assert await set_priority(old, "2,1") == "RebootRequired"
        assert (await old.order("Reset", {"type": "OnIdle"}))["status"] == "Accepted"
        assert (await new.hears("BootNotification"))["reason"] == "RemoteReset"
        asked = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "ActiveNetworkProfile"}}
        answer = await new.order("GetVariables", {"getVariableData": [asked]})
        assert answer["getVariableResult"][0]["attributeValue"] == "2"
        assert station.network.active == 2


async def test_it_falls_back_to_the_old_slot_after_its_attempts():
    async with standing(redial_s=1.0) as (old, station):
        mark = old.mark
        await old.order("SetNetworkProfile", slot(2, "ws://127.0.0.1:9/ocpp"))
        await set_priority(old, "2,1")
        before = station.dials
        await old.order("Reset", {"type": "Immediate"})
        await old.hears("BootNotification", after=mark)
        assert station.dials - before == 4, "three attempts in vain, then the old slot"
        assert station.network.active == 1


@pytest.mark.parametrize(
    ("number", "url", "profile", "reason"),
    [
        (9, "ws://new/ocpp", 1, "InvalidConfSlot"),
        (2, "ws://new/ocpp", 0, "NoSecurityDowngrade"),
        (2, "wss://new/ocpp", 2, "InvalidNetworkConf"),
        (2, "ws://new/ocpp", 2, "InvalidNetworkConf"),
        (2, "http://new/ocpp", 1, "InvalidNetworkConf"),
        (2, "ws://[", 1, "InvalidNetworkConf"),
    ],
)
async def test_a_network_profile_is_refused_with_its_reason(number: int, url: str, profile: int, reason: str):
    async with standing(password=PASSWORD) as (central, _):
        answer = await central.order("SetNetworkProfile", slot(number, url, profile))
        assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", reason)


async def test_profiles_accepted_and_ignored_or_refused_out_of_spite():
    async with standing(faults={Fault.ACCEPTS_AND_IGNORES}) as (central, station):
        assert (await central.order("SetNetworkProfile", slot(2, "ws://new/ocpp")))["status"] == "Accepted"
        assert 2 not in station.network.slots
        station.faults = {Fault.REFUSES_NETWORK_PROFILE}
        assert (await central.order("SetNetworkProfile", slot(2, "ws://new/ocpp")))["status"] == "Rejected"


async def test_a_clinging_station_goes_back_to_its_former_slot():
    async with csms() as new, standing(faults={Fault.OLD_PROFILE}) as (old, station):
        await old.order("SetNetworkProfile", slot(2, new.url))
        await set_priority(old, "2,1")
        paths = len(old.paths)
        await old.order("Reset", {"type": "Immediate"})
        await new.hears("BootNotification")
        await new.hears("StatusNotification")
        await station.until(lambda: station.network.active == 1 and station.is_connected)
        assert len(old.paths) == paths + 1


async def test_a_new_password_is_used_at_once():
    async with standing(password=PASSWORD) as (central, station):
        assert await set_value(central, "SecurityCtrlr", "BasicAuthPassword", "short") == "Rejected"
        assert await set_value(central, "SecurityCtrlr", "BasicAuthPassword", "another-password-20") == "Accepted"
        await station.until(lambda: not station.is_connected)
        await station.until(lambda: station.is_connected)
        token = central.headers[-1]["Authorization"].removeprefix("Basic ")
        assert base64.b64decode(token) == f"{NAME}:another-password-20".encode()


async def test_it_gets_a_certificate_and_rises_to_profile_3(tmp_path: Path):
    root = Authority()
    context = root.server(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    async with csms(context=context) as new, standing(password=PASSWORD, tls=DialTls()) as (old, station):
        install = {"certificateType": "CSMSRootCertificate", "certificate": root.pem}
        assert (await old.order("InstallCertificate", install))["status"] == "Accepted"
        listed = await old.order("GetInstalledCertificateIds", {"certificateType": ["CSMSRootCertificate"]})
        assert len(listed["certificateHashDataChain"]) == 1
        assert (await old.order("SetNetworkProfile", slot(2, new.url, 3)))["status"] == "Rejected"
        trigger = {"requestedMessage": "SignChargingStationCertificate"}
        assert (await old.order("TriggerMessage", trigger))["status"] == "Accepted"
        csr = (await old.hears("SignCertificate"))["csr"]
        strange = Authority("Stranger").sign(csr)
        assert (await old.order("CertificateSigned", {"certificateChain": strange}))["status"] == "Rejected"
        await old.hears("SecurityEventNotification", lambda told: told["type"] == "InvalidChargingStationCertificate")
        assert (await old.order("CertificateSigned", {"certificateChain": root.sign(csr)}))["status"] == "Accepted"
        assert (await old.order("SetNetworkProfile", slot(2, new.url, 3)))["status"] == "Accepted"
        assert await set_priority(old, "2,1") == "RebootRequired"
        await old.order("Reset", {"type": "Immediate"})
        await new.hears("BootNotification")
        assert "Authorization" not in new.headers[0]
        assert station.network.security_profile == 3
        found = listed["certificateHashDataChain"][0]["certificateHashData"]
        assert (await new.order("DeleteCertificate", {"certificateHashData": found}))["status"] == "Accepted"


async def test_a_second_root_must_be_signed_by_the_first_where_that_is_demanded():
    first = Authority("First")
    tls, demand = DialTls(roots=(first.pem,)), {"SecurityCtrlr.AdditionalRootCertificateCheck": "true"}
    async with standing(tls=tls, variables=demand) as (central, _):
        kind = {"certificateType": "CSMSRootCertificate"}
        stranger, child = Authority("Stranger"), Authority("Second", signer=first)
        assert (await central.order("InstallCertificate", kind | {"certificate": stranger.pem}))["status"] == "Rejected"
        assert (await central.order("InstallCertificate", kind | {"certificate": child.pem}))["status"] == "Accepted"


async def test_logs_go_up_and_firmware_comes_down(tmp_path: Path):
    (tmp_path / "cs-3.1.0.bin").write_bytes(b"image")
    maker = Authority("Maker")
    chain, key = maker.leaf("Signer")
    signature = base64.b64encode(key.sign(b"image", ec.ECDSA(hashes.SHA256()))).decode()
    async with ftp_files(tmp_path) as ftp, http_files(tmp_path) as http, standing() as (central, _):
        order = {"logType": "DiagnosticsLog", "requestId": 3, "log": {"remoteLocation": ftp}}
        name = (await central.order("GetLog", order))["filename"]
        await central.hears("LogStatusNotification", lambda told: told == {"status": "Uploaded", "requestId": 3})
        assert (tmp_path / name).exists()
        mark = central.mark
        firmware = {"location": f"{http}cs-3.1.0.bin", "retrieveDateTime": soon(-1)}
        signed = firmware | {"signingCertificate": chain, "signature": signature}
        order = {"requestId": 4, "firmware": signed}
        assert (await central.order("UpdateFirmware", order))["status"] == "Accepted"
        await central.hears("FirmwareStatusNotification", lambda told: told["status"] == "Installed")
        boot = await central.hears("BootNotification", after=mark)
        assert (boot["reason"], boot["chargingStation"]["firmwareVersion"]) == ("FirmwareUpdate", "3.1.0")
        states = [told["status"] for told in central.all("FirmwareStatusNotification")]
        wanted = ["Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting", "Installed"]
        assert states == wanted
        await central.order("UpdateFirmware", {"requestId": 5, "firmware": firmware | {"location": f"{http}none"}})
        await central.hears("FirmwareStatusNotification", lambda told: told["status"] == "DownloadFailed")


def profile(number: int, purpose: str, stack: int, *limits: float, **more: Any) -> dict[str, Any]:
    periods = [{"startPeriod": 60 * at, "limit": limit} for at, limit in enumerate(limits)]
    schedule = {"id": 1, "chargingRateUnit": "A", "startSchedule": soon(0), "chargingSchedulePeriod": periods}
    made = {"id": number, "stackLevel": stack, "chargingProfilePurpose": purpose, "chargingProfileKind": "Absolute"}
    return made | {"chargingSchedule": [schedule]} | more


async def test_charging_profiles_limit_the_current_and_can_be_reported():
    async with standing(evses=2) as (central, station):
        for evse, told in (
            (0, profile(1, "ChargingStationMaxProfile", 0, 20.0)),
            (1, profile(2, "TxDefaultProfile", 0, 16.0, 8.0)),
        ):
            answer = await central.order("SetChargingProfile", {"evseId": evse, "chargingProfile": told})
            assert answer["status"] == "Accepted"
        answer = await central.order("GetCompositeSchedule", {"evseId": 1, "duration": 300})
        assert [one["limit"] for one in answer["schedule"]["chargingSchedulePeriod"]] == [16.0, 8.0]
        assert (station.evse(1).outlet.limit_a, station.evse(2).outlet.limit_a) == (16.0, 20.0)
        order = {"requestId": 1, "chargingProfile": {}}
        assert (await central.order("GetChargingProfiles", order))["status"] == "Accepted"
        await central.hears("ReportChargingProfiles", lambda told: not told["tbc"])
        assert {one["evseId"] for one in central.all("ReportChargingProfiles")} == {0, 1}
        odd = {"evseId": 1, "chargingProfile": profile(7, "TxProfile", 0, 6.0)}
        assert (await central.order("SetChargingProfile", odd))["statusInfo"]["reasonCode"] == "MissingParam"
        assert (await central.order("ClearChargingProfile", {"chargingProfileId": 1}))["status"] == "Accepted"
        assert (await central.order("ClearChargingProfile", {"chargingProfileId": 1}))["status"] == "Unknown"


async def test_a_limit_of_zero_suspends_the_charge():
    async with standing() as (central, station):
        station.plug_in()
        station.swipe("CARD-1")
        started = await central.hears("TransactionEvent", lambda told: told["eventType"] == "Started")
        number = started["transactionInfo"]["transactionId"]
        order = {"evseId": 1, "chargingProfile": profile(7, "TxProfile", 0, 0.0, transactionId=number)}
        assert (await central.order("SetChargingProfile", order))["status"] == "Accepted"
        event = await central.hears("TransactionEvent", lambda told: told["triggerReason"] == "ChargingRateChanged")
        assert event["transactionInfo"]["chargingState"] == "SuspendedEVSE"


async def test_a_reservation_lets_only_its_card_in_and_expires():
    token = {"idToken": "MINE", "type": "ISO14443"}
    async with standing() as (central, station):
        order = {"id": 5, "expiryDateTime": soon(), "idToken": token, "evseId": 1}
        assert (await central.order("ReserveNow", order))["status"] == "Accepted"
        await central.hears("StatusNotification", lambda told: told["connectorStatus"] == "Reserved")
        assert (await central.order("ReserveNow", order | {"id": 6}))["status"] == "Occupied"
        assert (await central.order("CancelReservation", {"reservationId": 5}))["status"] == "Accepted"
        await central.order("ReserveNow", order | {"id": 7, "expiryDateTime": soon(0.05)})
        told = await central.hears("ReservationStatusUpdate")
        assert told == {"reservationId": 7, "reservationUpdateStatus": "Expired"}
        await central.order("ReserveNow", order | {"id": 8})
        station.plug_in()
        station.swipe("MINE")
        assert (await central.hears("TransactionEvent"))["reservationId"] == 8


async def test_availability_is_kept_over_a_restart():
    async with standing() as (central, station):
        order = {"operationalStatus": "Inoperative", "evse": {"id": 1}}
        assert (await central.order("ChangeAvailability", order))["status"] == "Accepted"
        await central.hears("StatusNotification", lambda told: told["connectorStatus"] == "Unavailable")
        mark = central.mark
        await station.power_cycle()
        told = await central.hears("StatusNotification", after=mark)
        assert told["connectorStatus"] == "Unavailable"


async def test_the_local_list_decides_offline():
    token = {"idToken": "LISTED", "type": "ISO14443"}
    async with standing() as (central, station):
        entry = {"idToken": token, "idTokenInfo": {"status": "Accepted"}}
        order = {"versionNumber": 3, "updateType": "Full", "localAuthorizationList": [entry]}
        assert (await central.order("SendLocalList", order))["status"] == "Accepted"
        assert (await central.order("GetLocalListVersion"))["versionNumber"] == 3
        old = {"versionNumber": 3, "updateType": "Differential"}
        assert (await central.order("SendLocalList", old))["status"] == "VersionMismatch"
        assert (await central.order("ClearCache"))["status"] == "Accepted"
        await central.drop()
        await station.until(lambda: not station.is_connected)
        station.plug_in()
        station.swipe("STRANGER")
        station.swipe("LISTED")
        assert (await central.hears("TransactionEvent"))["idToken"] == token


async def test_monitors_alert_and_clear():
    async with standing() as (central, station):
        data = {
            "value": 1000,
            "type": "UpperThreshold",
            "severity": 5,
            "component": {"name": "EVSE", "evse": {"id": 1}},
            "variable": {"name": "Power"},
        }
        odd = data | {"variable": {"name": "EvseId"}}
        answer = await central.order("SetVariableMonitoring", {"setMonitoringData": [data, data, odd]})
        states = [one["status"] for one in answer["setMonitoringResult"]]
        assert states == ["Accepted", "Duplicate", "UnsupportedMonitorType"]
        number = answer["setMonitoringResult"][0]["id"]
        station.plug_in()
        station.swipe("CARD-1")
        event = await central.hears("NotifyEvent")
        assert event["eventData"][0]["variableMonitoringId"] == number
        assert (await central.order("GetMonitoringReport", {"requestId": 4}))["status"] == "Accepted"
        assert (await central.hears("NotifyMonitoringReport"))["monitor"][0]["variableMonitoring"][0]["id"] == number
        station.swipe("CARD-1")
        await central.hears("NotifyEvent", lambda told: told["eventData"][0]["cleared"])
        answer = await central.order("ClearVariableMonitoring", {"id": [number, 99]})
        assert [one["status"] for one in answer["clearMonitoringResult"]] == ["Accepted", "NotFound"]
        assert (await central.order("SetMonitoringBase", {"monitoringBase": "All"}))["status"] == "Accepted"
        assert (await central.order("SetMonitoringLevel", {"severity": 12}))["status"] == "Rejected"


async def test_messages_are_shown_and_customers_reported():
    async with standing() as (central, station):
        text = {"format": "UTF8", "content": "Closed on Sunday"}
        message = {"id": 1, "priority": "InFront", "message": text}
        assert (await central.order("SetDisplayMessage", {"message": message}))["status"] == "Accepted"
        html = message | {"message": text | {"format": "HTML"}}
        assert (await central.order("SetDisplayMessage", {"message": html}))["status"] == "NotSupportedMessageFormat"
        assert (await central.order("GetDisplayMessages", {"requestId": 2}))["status"] == "Accepted"
        assert (await central.hears("NotifyDisplayMessages"))["messageInfo"] == [message]
        assert (await central.order("ClearDisplayMessage", {"id": 1}))["status"] == "Accepted"
        assert (await central.order("GetDisplayMessages", {"requestId": 3}))["status"] == "Unknown"
        station.plug_in()
        station.swipe("CARD-1")
        event = await central.hears("TransactionEvent")
        cost = {"totalCost": 1.5, "transactionId": event["transactionInfo"]["transactionId"]}
        assert await central.order("CostUpdated", cost) == {}
        order = {"requestId": 9, "report": True, "clear": True, "idToken": event["idToken"]}
        assert (await central.order("CustomerInformation", order))["status"] == "Accepted"
        assert "Accepted" in (await central.hears("NotifyCustomerInformation"))["data"]


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ({"requestedMessage": "Heartbeat"}, "Accepted"),
        ({"requestedMessage": "BootNotification"}, "Rejected"),
        ({"requestedMessage": "StatusNotification"}, "Rejected"),
        ({"requestedMessage": "StatusNotification", "evse": {"id": 1, "connectorId": 1}}, "Accepted"),
        ({"requestedMessage": "MeterValues", "evse": {"id": 1}}, "Accepted"),
        ({"requestedMessage": "MeterValues", "evse": {"id": 8}}, "Rejected"),
        ({"requestedMessage": "TransactionEvent"}, "Rejected"),
        ({"requestedMessage": "LogStatusNotification"}, "Accepted"),
        ({"requestedMessage": "FirmwareStatusNotification"}, "Accepted"),
        ({"requestedMessage": "SignV2GCertificate"}, "NotImplemented"),
    ],
)
async def test_triggers_are_answered_as_f06_says_and_followed(payload: dict[str, Any], status: str):
    async with standing() as (central, _):
        mark = central.mark
        assert (await central.order("TriggerMessage", payload))["status"] == status
        if status == "Accepted":
            await central.hears(payload["requestedMessage"], after=mark)


async def test_a_connector_is_unlocked_only_without_a_transaction():
    async with standing() as (central, station):
        order = {"evseId": 1, "connectorId": 1}
        assert (await central.order("UnlockConnector", order))["status"] == "Unlocked"
        assert (await central.order("UnlockConnector", order | {"evseId": 7}))["status"] == "UnknownConnector"
        station.plug_in()
        station.swipe("CARD-1")
        await central.hears("TransactionEvent")
        assert (await central.order("UnlockConnector", order))["status"] == "OngoingAuthorizedTransaction"
        with pytest.raises(CallRefused) as refusal:
            await central.order("UnpublishFirmware", {"checksum": "0" * 32})
        assert refusal.value.code == "NotSupported"


async def test_reports_by_criteria_and_name():
    async with standing() as (central, _):
        order: dict[str, Any] = {"requestId": 1, "componentCriteria": ["Problem"]}
        assert (await central.order("GetReport", order))["status"] == "EmptyResultSet"
        order = {"requestId": 2, "componentVariable": [{"component": {"name": "TxCtrlr"}}]}
        assert (await central.order("GetReport", order))["status"] == "Accepted"
        parts = (await central.hears("NotifyReport"))["reportData"]
        assert {part["component"]["name"] for part in parts} == {"TxCtrlr"}


async def test_streams_and_tariffs_of_2_1():
    tariff = {"tariffId": "T1", "currency": "EUR", "energy": {"prices": [{"priceKwh": 0.4}]}}
    async with standing("2.1") as (central, _):
        central.answers["OpenPeriodicEventStream"] = lambda _told: {"status": "Accepted"}
        data = {
            "value": 1,
            "type": "Periodic",
            "severity": 5,
            "component": {"name": "EVSE", "evse": {"id": 1}},
            "variable": {"name": "Power"},
            "periodicEventStream": {"interval": 1, "values": 1},
        }
        await central.order("SetVariableMonitoring", {"setMonitoringData": [data]})
        told = await central.hears("NotifyPeriodicEventStream")
        assert told["data"][0]["v"] == "0.0"
        streams = await central.order("GetPeriodicEventStream")
        number = streams["constantStreamData"][0]["id"]
        adjust = {"id": number, "params": {"interval": 5, "values": 1}}
        assert (await central.order("AdjustPeriodicEventStream", adjust))["status"] == "Accepted"
        assert (await central.order("SetDefaultTariff", {"evseId": 0, "tariff": tariff}))["status"] == "Accepted"
        assert (await central.order("GetTariffs", {"evseId": 1}))["tariffAssignments"][0]["tariffId"] == "T1"
        assert (await central.order("ClearTariffs"))["clearTariffsResult"][0]["status"] == "Accepted"
        assert (await central.order("GetTariffs", {"evseId": 1}))["status"] == "NoTariff"
        assert (await central.order("GetDERControl", {"requestId": 1}))["status"] == "NotSupported"


async def test_a_bad_answer_gets_a_callresulterror_in_2_1(allowed_log: Any):
    allowed_log("Error while handling request")
    async with standing("2.1") as (central, _):
        central.answers["Heartbeat"] = lambda _told: {"currentTime": None}
        route = central._point.route_map["Heartbeat"]
        route["_skip_schema_validation"] = True
        await central.order("TriggerMessage", {"requestedMessage": "Heartbeat"})
        assert await central.hears("CALLRESULTERROR")


async def test_a_station_with_a_small_buffer_chokes_on_a_big_answer():
    long = {"ClockCtrlr.TimeZone": "x" * 2400, "ClockCtrlr.TimeOffset": "x" * 2400}
    async with standing(faults={Fault.BIG_MESSAGE_CHOKE}, variables=long) as (central, station):
        clock = {"name": "ClockCtrlr"}
        asked = [{"component": clock, "variable": {"name": name}} for name in ("TimeZone", "TimeOffset")]
        with pytest.raises(TimeoutError):
            await central.order("GetVariables", {"getVariableData": asked}, timeout_s=0.5)
        await station.until(lambda: station.dials > 1)


async def test_an_unknown_action_may_crash_it():
    async with standing(faults={Fault.CRASHES_ON_UNKNOWN}) as (central, station):
        mark = central.mark
        with pytest.raises(TimeoutError):
            await central.order("VendorMagic", timeout_s=0.2, is_checked=False)
        await central.hears("BootNotification", after=mark)
        assert station.dials == 2


async def test_a_station_may_ignore_pings_or_break_on_them():
    async with csms() as central:
        async with Station2(central.url, NAME, time_scale=SCALE, faults={Fault.BREAKS_ON_PING}) as station:
            await central.hears("StatusNotification")
            await central.ping()
            await station.until(lambda: station.dials > 1)
        async with Station2(central.url, NAME, time_scale=SCALE, faults={Fault.NO_PONG}) as station:
            mark = central.mark
            await central.hears("BootNotification", after=mark)
            pong = await central.ping()
            await central.order("GetLocalListVersion")
            assert not pong.done()


async def test_it_pings_by_itself_in_the_rhythm_of_its_variable():
    async with standing(variables={"OCPPCommCtrlr.WebSocketPingInterval": "2"}) as (central, _):
        await central.pinged()
