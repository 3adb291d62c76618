"""The simulated 1.6 station against the ``ocpp`` package's central system: every message validates both ways."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from app.sim.chargepoint import ConfigKey
from app.sim.fault import Fault
from app.sim.station import OcppStation
from tests.sim.csms import Csms, csms
from tests.sim.files import ftp_files, http_files
from tests.sim.pki import Authority

NAME = "CP-16"
SCALE = 0.01


@asynccontextmanager
async def standing(**options: Any) -> AsyncIterator[tuple[Csms, OcppStation]]:
    async with csms("ocpp1.6") as central, OcppStation(NAME, central.url, time_scale=SCALE, **options) as station:
        await central.hears("StatusNotification", lambda told: told["connectorId"] == len(station.outlets))
        yield central, station


def soon(seconds: float = 3600) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def change(central: Csms, key: str, value: str) -> str:
    return str((await central.order("ChangeConfiguration", {"key": key, "value": value}))["status"])


async def test_it_boots_tells_all_connectors_and_its_keys():
    async with standing(connectors=2) as (central, _):
        assert [told["connectorId"] for told in central.all("StatusNotification")] == [0, 1, 2]
        answer = await central.order("GetConfiguration", {"key": ["HeartbeatInterval", "NoSuchKey"]})
        assert answer["configurationKey"][0]["value"] == "300"
        assert answer["unknownKey"] == ["NoSuchKey"]
        assert await change(central, "NumberOfConnectors", "9") == "Rejected"
        assert await change(central, "NoSuchKey", "9") == "NotSupported"
        assert await change(central, "MeterValueSampleInterval", "often") == "Rejected"


async def test_a_card_charges_and_the_same_card_ends_it():
    async with standing() as (central, station):
        station.plug_in()
        station.swipe("CARD-1")
        started = await central.hears("StartTransaction")
        assert (started["idTag"], started["connectorId"]) == ("CARD-1", 1)
        await central.hears("MeterValues", lambda told: told.get("transactionId") == 101)
        station.swipe("CARD-1")
        stopped = await central.hears("StopTransaction")
        assert (stopped["transactionId"], stopped["reason"]) == (101, "Local")
        assert stopped["meterStop"] >= started["meterStart"]


async def test_a_refused_card_does_not_charge_and_a_start_that_is_refused_later_is_stopped():
    async with standing() as (central, station):
        central.token_status = "Invalid"
        station.plug_in()
        station.swipe("CARD-1")
        await central.hears("Authorize")
        start = {"connectorId": 1, "idTag": "CARD-2"}
        assert (await central.order("RemoteStartTransaction", start))["status"] == "Accepted"
        stopped = await central.hears("StopTransaction")
        assert (await central.hears("StartTransaction"))["idTag"] == "CARD-2"
        assert stopped["reason"] == "DeAuthorized"


async def test_a_remote_start_may_ask_first_and_gives_up_without_a_car():
    async with standing() as (central, station):
        await change(central, "AuthorizeRemoteTxRequests", "true")
        await change(central, "ConnectionTimeOut", "20")
        assert (await central.order("RemoteStartTransaction", {"idTag": "CARD-3"}))["status"] == "Accepted"
        assert (await central.hears("Authorize"))["idTag"] == "CARD-3"
        await central.hears("StatusNotification", lambda told: told["status"] == "Preparing")
        mark = central.mark
        await central.hears("StatusNotification", lambda told: told["status"] == "Available", after=mark)
        station.plug_in()
        await central.hears("StatusNotification", lambda told: told["status"] == "Preparing", after=mark)
        assert not central.all("StartTransaction")


async def test_an_offline_session_is_delivered_in_order_afterwards():
    async with standing() as (central, station):
        order = {"listVersion": 4, "updateType": "Full"}
        entry = {"idTag": "CARD-9", "idTagInfo": {"status": "Accepted"}}
        assert (await central.order("SendLocalList", order | {"localAuthorizationList": [entry]}))[
            "status"
        ] == "Accepted"
        assert (await central.order("GetLocalListVersion"))["listVersion"] == 4
        station.redial_s = 50.0
        await central.drop()
        await station.until(lambda: not station.is_connected)
        mark = central.mark
        station.plug_in()
        station.swipe("STRANGER")
        station.swipe("CARD-9")
        station.swipe("CARD-9")
        stopped = await central.hears("StopTransaction", after=mark)
        told = [action for action, _ in central.said[mark:] if action in ("StartTransaction", "StopTransaction")]
        assert told == ["StartTransaction", "StopTransaction"]
        assert stopped["transactionId"] == 101
        assert (await central.hears("StartTransaction"))["idTag"] == "CARD-9"


@pytest.mark.parametrize(
    ("order", "status"),
    [
        ({"listVersion": 3, "updateType": "Differential"}, "VersionMismatch"),
        ({"listVersion": 6, "updateType": "Differential"}, "Accepted"),
        ({"listVersion": 1, "updateType": "Full"}, "Accepted"),
    ],
)
async def test_the_local_list_checks_its_version(order: dict[str, Any], status: str):
    async with standing() as (central, _):
        first = {
            "listVersion": 5,
            "updateType": "Full",
            "localAuthorizationList": [{"idTag": "A", "idTagInfo": {"status": "Accepted"}}],
        }
        await central.order("SendLocalList", first)
        assert (await central.order("SendLocalList", order))["status"] == status


async def test_a_reservation_is_for_its_card_alone_and_can_be_cancelled():
    async with standing() as (central, station):
        order = {"connectorId": 1, "expiryDate": soon(), "idTag": "MINE", "reservationId": 5}
        assert (await central.order("ReserveNow", order))["status"] == "Accepted"
        await central.hears("StatusNotification", lambda told: told["status"] == "Reserved")
        assert (await central.order("ReserveNow", order | {"reservationId": 6}))["status"] == "Occupied"
        assert (await central.order("RemoteStartTransaction", {"idTag": "OTHER"}))["status"] == "Rejected"
        assert (await central.order("CancelReservation", {"reservationId": 9}))["status"] == "Rejected"
        station.plug_in()
        station.swipe("MINE")
        assert (await central.hears("StartTransaction"))["reservationId"] == 5


async def test_availability_waits_for_the_transaction():
    async with standing() as (central, station):
        station.plug_in()
        station.swipe("CARD-1")
        await central.hears("StartTransaction")
        order = {"connectorId": 1, "type": "Inoperative"}
        assert (await central.order("ChangeAvailability", order))["status"] == "Scheduled"
        mark = central.mark
        assert (await central.order("UnlockConnector", {"connectorId": 1}))["status"] == "Unlocked"
        assert (await central.hears("StopTransaction"))["reason"] == "UnlockCommand"
        await central.hears("StatusNotification", lambda told: told["status"] == "Unavailable", after=mark)
        await station.power_cycle()
        await central.hears("StatusNotification", lambda told: told["status"] == "Unavailable", after=central.mark)


async def test_charging_profiles_stack_and_make_a_composite_schedule():
    def profile(number: int, purpose: str, stack: int, *limits: float) -> dict[str, Any]:
        periods = [{"startPeriod": 60 * at, "limit": limit} for at, limit in enumerate(limits)]
        return {
            "chargingProfileId": number,
            "stackLevel": stack,
            "chargingProfilePurpose": purpose,
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "startSchedule": datetime.now(UTC).isoformat(),
                "chargingSchedulePeriod": periods,
            },
        }

    async with standing() as (central, station):
        for connector, told in (
            (0, profile(1, "ChargePointMaxProfile", 0, 14.0)),
            (1, profile(2, "TxDefaultProfile", 0, 16.0, 8.0)),
            (1, profile(3, "TxDefaultProfile", 1, 10.0)),
        ):
            order = {"connectorId": connector, "csChargingProfiles": told}
            assert (await central.order("SetChargingProfile", order))["status"] == "Accepted"
        answer = await central.order("GetCompositeSchedule", {"connectorId": 1, "duration": 300})
        assert answer["chargingSchedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 10.0}]
        assert (await central.order("ClearChargingProfile", {"id": 3}))["status"] == "Accepted"
        assert (await central.order("ClearChargingProfile", {"id": 3}))["status"] == "Unknown"
        answer = await central.order("GetCompositeSchedule", {"connectorId": 1, "duration": 300})
        limits = [period["limit"] for period in answer["chargingSchedule"]["chargingSchedulePeriod"]]
        assert limits == [14.0, 8.0]
        assert station.outlet(1).limit_a == 14.0
        odd = {"connectorId": 1, "csChargingProfiles": profile(7, "TxProfile", 0, 6.0)}
        assert (await central.order("SetChargingProfile", odd))["status"] == "Rejected"


@pytest.mark.parametrize("message", ["BootNotification", "Heartbeat", "StatusNotification", "MeterValues"])
async def test_it_says_what_it_is_triggered_to(message: str):
    async with standing() as (central, _):
        mark = central.mark
        assert (await central.order("TriggerMessage", {"requestedMessage": message}))["status"] == "Accepted"
        await central.hears(message, after=mark)


async def test_extended_triggers_tell_idle_states_and_ask_for_a_certificate():
    async with standing() as (central, _):
        for message, heard in (
            ("LogStatusNotification", "LogStatusNotification"),
            ("FirmwareStatusNotification", "SignedFirmwareStatusNotification"),
            ("SignChargePointCertificate", "SignCertificate"),
        ):
            order = {"requestedMessage": message}
            assert (await central.order("ExtendedTriggerMessage", order))["status"] == "Accepted"
            assert (await central.hears(heard)).get("status", "Idle") == "Idle"


async def test_diagnostics_go_up_by_ftp_and_logs_by_http(tmp_path: Path):
    async with ftp_files(tmp_path) as ftp, http_files(tmp_path) as http, standing() as (central, _):
        name = (await central.order("GetDiagnostics", {"location": ftp}))["fileName"]
        await central.hears("DiagnosticsStatusNotification", lambda told: told["status"] == "Uploaded")
        assert "simulated unit" in (tmp_path / name).read_text()
        order = {"logType": "SecurityLog", "requestId": 3, "log": {"remoteLocation": http}}
        name = (await central.order("GetLog", order))["filename"]
        await central.hears("LogStatusNotification", lambda told: told == {"status": "Uploaded", "requestId": 3})
        assert (tmp_path / name).exists()
        await central.order("GetDiagnostics", {"location": "http://127.0.0.1:9/"})
        await central.hears("DiagnosticsStatusNotification", lambda told: told["status"] == "UploadFailed")


async def test_firmware_is_fetched_installed_and_restarted_into(tmp_path: Path):
    (tmp_path / "station-2.7.1.bin").write_bytes(b"image")
    async with http_files(tmp_path) as http, standing() as (central, _):
        mark = central.mark
        order = {"location": f"{http}station-2.7.1.bin", "retrieveDate": soon(-1)}
        assert await central.order("UpdateFirmware", order) == {}
        await central.hears("FirmwareStatusNotification", lambda told: told["status"] == "Installed")
        states = [told["status"] for told in central.all("FirmwareStatusNotification")]
        assert states == ["Downloading", "Downloaded", "Installing", "Installed"]
        assert (await central.hears("BootNotification", after=mark))["firmwareVersion"] == "2.7.1"
        await central.order("UpdateFirmware", {"location": f"{http}none.bin", "retrieveDate": soon(-1)})
        await central.hears("FirmwareStatusNotification", lambda told: told["status"] == "DownloadFailed")


async def test_a_signed_image_is_verified(tmp_path: Path):
    (tmp_path / "fw.bin").write_bytes(b"image")
    maker = Authority("Maker")
    chain, key = maker.leaf("Signer")
    signature = base64.b64encode(key.sign(b"image", ec.ECDSA(hashes.SHA256()))).decode()
    async with http_files(tmp_path) as http, standing() as (central, _):
        install = {"certificateType": "ManufacturerRootCertificate", "certificate": maker.pem}
        assert (await central.order("InstallCertificate", install))["status"] == "Accepted"
        firmware = {"location": f"{http}fw.bin", "retrieveDateTime": soon(-1), "signingCertificate": chain}
        order = {"requestId": 8, "firmware": firmware | {"signature": signature}}
        assert (await central.order("SignedUpdateFirmware", order))["status"] == "Accepted"
        await central.hears("SignedFirmwareStatusNotification", lambda told: told["status"] == "Installed")
        states = [told["status"] for told in central.all("SignedFirmwareStatusNotification")]
        wanted = ["Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting", "Installed"]
        assert states == wanted
        order = {"requestId": 9, "firmware": firmware | {"signature": base64.b64encode(b"x" * 70).decode()}}
        await central.order("SignedUpdateFirmware", order)
        await central.hears("SignedFirmwareStatusNotification", lambda told: told["status"] == "InvalidSignature")
        stranger, _ = Authority("Stranger").leaf("Signer")
        order = {"requestId": 10, "firmware": firmware | {"signature": signature, "signingCertificate": stranger}}
        assert (await central.order("SignedUpdateFirmware", order))["status"] == "InvalidCertificate"
        await central.hears("SecurityEventNotification")


async def test_certificates_are_stored_listed_and_deleted():
    root = Authority("Root")
    async with standing() as (central, _):
        kind = {"certificateType": "CentralSystemRootCertificate"}
        assert (await central.order("GetInstalledCertificateIds", kind))["status"] == "NotFound"
        assert (await central.order("InstallCertificate", kind | {"certificate": root.pem}))["status"] == "Accepted"
        leaf, _ = root.leaf("not a root")
        assert (await central.order("InstallCertificate", kind | {"certificate": leaf}))["status"] == "Rejected"
        assert (await central.order("InstallCertificate", kind | {"certificate": "junk"}))["status"] == "Rejected"
        listed = await central.order("GetInstalledCertificateIds", kind)
        found = listed["certificateHashData"][0]
        assert int(found["serialNumber"], 16) == root.certificate.serial_number
        assert (await central.order("DeleteCertificate", {"certificateHashData": found}))["status"] == "Accepted"
        assert (await central.order("DeleteCertificate", {"certificateHashData": found}))["status"] == "NotFound"


async def test_a_security_profile_that_finds_no_tls_falls_back():
    root = Authority("Root")
    async with (
        csms("ocpp1.6") as central,
        OcppStation(NAME, central.url, password="0123456789abcdef", security_profile=1, time_scale=SCALE) as station,
    ):
        await central.hears("StatusNotification")
        assert central.headers[0]["Authorization"].startswith("Basic ")
        assert await change(central, "SecurityProfile", "0") == "Rejected"
        assert await change(central, "SecurityProfile", "3") == "Rejected"
        await central.order("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"})
        chain = root.sign((await central.hears("SignCertificate"))["csr"])
        assert (await central.order("CertificateSigned", {"certificateChain": chain}))["status"] == "Accepted"
        assert await change(central, "SecurityProfile", "3") == "Accepted"
        await station.until(lambda: not station.is_connected)
        await station.until(lambda: station.is_connected)
        assert station.security.profile == 1


async def test_pending_and_rejected_are_waited_out():
    async with csms("ocpp1.6") as central:
        central.boot_statuses, central.interval = ["Rejected", "Pending"], 5
        async with OcppStation(NAME, central.url, time_scale=SCALE):
            await central.hears("StatusNotification")
            assert [action for action, _ in central.said[:3]] == ["BootNotification"] * 3


async def test_faults_of_the_meter_and_the_connectors_show():
    keys = {"MeterValueSampleInterval": ConfigKey("2")}
    async with standing(connectors=2, faults={Fault.REGISTER_FALLS}) as (central, station):
        station.configuration |= keys
        station.plug_in()
        station.swipe("CARD-1")

        def registers() -> list[float]:
            return [float(told["meterValue"][0]["sampledValue"][0]["value"]) for told in central.all("MeterValues")]

        await central.hears("MeterValues", lambda _told: registers() != sorted(registers()))


async def test_a_station_without_a_status_for_one_connector():
    async with (
        csms("ocpp1.6") as central,
        OcppStation(NAME, central.url, connectors=2, faults={Fault.NO_STATUS}, time_scale=SCALE),
    ):
        await central.hears("StatusNotification", lambda told: told["connectorId"] == 1)
        await central.order("GetLocalListVersion")
        assert {told["connectorId"] for told in central.all("StatusNotification")} == {0, 1}


async def test_a_wrong_clock_says_1970():
    async with standing(faults={Fault.WRONG_CLOCK}) as (central, _):
        assert (await central.hears("StatusNotification"))["timestamp"].startswith("1970-01-01")


async def test_a_restart_without_a_boot():
    async with standing(faults={Fault.RETURNS_WITHOUT_BOOT}) as (central, station):
        mark = central.mark
        assert (await central.order("Reset", {"type": "Soft"}))["status"] == "Accepted"
        await station.until(lambda: not station.is_connected)
        await station.until(lambda: station.is_connected)
        await central.order("GetLocalListVersion")
        assert "BootNotification" not in [action for action, _ in central.said[mark:]]


async def test_a_charge_may_outlive_the_plug_and_aligned_values_come():
    async with standing() as (central, station):
        await change(central, "StopTransactionOnEVSideDisconnect", "false")
        await change(central, "ClockAlignedDataInterval", "10")
        await change(central, "StopTxnSampledData", "Energy.Active.Import.Register")
        await central.hears(
            "MeterValues", lambda told: told["meterValue"][0]["sampledValue"][0]["context"] == "Sample.Clock"
        )
        station.plug_in()
        station.swipe("CARD-1")
        await central.hears("StartTransaction")
        mark = central.mark
        station.unplug()
        await central.hears("StatusNotification", lambda told: told["status"] == "SuspendedEV", after=mark)
        assert not central.all("StopTransaction")
        station.swipe("CARD-1")
        stopped = await central.hears("StopTransaction")
        contexts = [value["sampledValue"][0]["context"] for value in stopped["transactionData"]]
        assert contexts == ["Transaction.Begin", "Transaction.End"]


async def test_it_pings_in_the_rhythm_of_its_key():
    async with standing() as (central, _):
        assert await change(central, "WebSocketPingInterval", "2") == "Accepted"
        await central.pinged()


async def test_another_card_of_the_group_ends_the_charge_and_the_cache_is_asked_first():
    async with standing() as (central, station):
        info = {"status": "Accepted", "parentIdTag": "FAMILY"}
        central.answers["Authorize"] = lambda _told: {"idTagInfo": info}
        central.answers["StartTransaction"] = lambda _told: {"transactionId": 7, "idTagInfo": info}
        await change(central, "LocalPreAuthorize", "true")
        station.plug_in()
        station.swipe("CARD-1")
        await central.hears("MeterValues")
        station.swipe("CARD-2")
        assert (await central.hears("StopTransaction"))["reason"] == "Local"
        station.swipe("CARD-1")
        await central.hears("StartTransaction", after=central.mark)
        assert len(central.all("Authorize")) == 2, "the second time the cache knew"
        assert (await central.order("ClearCache"))["status"] == "Accepted"
