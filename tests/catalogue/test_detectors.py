"""Detectors of commands, settings, radio and laptop; thresholds, decode tables, experiments and bounds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.diagnosis import catalogue, decode, thresholds
from app.diagnosis.settings import password
from app.diagnosis.watch import REMEMBERED, Watch
from app.errors import ProfileError
from app.model.experiment import EXPERIMENTS
from app.model.finding import Severity
from app.model.frame import Boot
from app.model.observation import (
    AdapterGone,
    Answered,
    BootSeen,
    Drift,
    SelfTested,
    SignalSeen,
    Unanswered,
)
from tests.catalogue.seen import (
    NOW,
    answered,
    codes,
    failed,
    judged,
    settings,
    shake,
)

# Commands


def test_a_refused_address_is_a_lock_and_a_refused_ratchet_is_not() -> None:
    refused = answered("ChangeConfiguration", {"key": "CentralSystemUrl", "value": "wss://new"}, {"status": "Rejected"})
    assert codes(refused) == ["VENDOR-LOCK"]
    lower = answered("ChangeConfiguration", {"key": "SecurityProfile", "value": "1"}, {"status": "Rejected"})
    assert codes(settings(SecurityProfile="2"), lower) == ["PROFILE-RATCHET"]
    plain = answered("ChangeConfiguration", {"key": "CentralSystemUrl", "value": "ws://new"}, {"status": "Rejected"})
    assert codes(settings(SecurityProfile="2"), plain) == ["PROFILE-RATCHET"]
    other = answered("ChangeConfiguration", {"key": "LightIntensity", "value": "5"}, {"status": "Rejected"})
    assert codes(other) == []


def test_a_refused_network_profile_is_told_by_its_reason() -> None:
    request = {"connectionData": {"securityProfile": 1, "ocppCsmsUrl": "ws://new"}}
    reasoned = {"status": "Rejected", "statusInfo": {"reasonCode": "NoSecurityDowngrade"}}
    assert codes(answered("SetNetworkProfile", request, reasoned)) == ["PROFILE-RATCHET"]
    assert codes(answered("SetNetworkProfile", request, {"status": "Rejected"})) == ["VENDOR-LOCK"]
    assert codes(answered("SetNetworkProfile", request, {"status": "Accepted"})) == []


def test_a_refused_root_is_told_with_what_is_known_of_the_check() -> None:
    refused = answered(
        "InstallCertificate", {"certificateType": "CentralSystemRootCertificate"}, {"status": "Rejected"}
    )
    (vague,) = judged(refused)
    (sure,) = judged(settings(AdditionalRootCertificateCheck="true"), refused)
    assert vague.code == sure.code == "ROOT-RATCHET"
    assert vague.details.get("alike") == "CERT-STORE"
    assert "AdditionalRootCertificateCheck is on" in catalogue.explain(sure).cause
    assert codes(replace(refused, answer={"status": "Failed"})) == ["CERT-STORE"]


def test_a_composite_schedule_of_nothing_is_a_left_over_limit() -> None:
    def schedule(*limits: float) -> Answered:
        periods = [{"startPeriod": 0, "limit": limit} for limit in limits]
        return answered(
            "GetCompositeSchedule",
            {"connectorId": 1},
            {"status": "Accepted", "chargingSchedule": {"chargingSchedulePeriod": periods}},
        )

    assert codes(schedule(0)) == ["DEAD-LIMIT"]
    assert codes(schedule(0, 16)) == codes(schedule()) == []


def test_a_security_error_is_the_waiting_room() -> None:
    assert codes(answered("GetConfiguration", {}, {}, error="SecurityError")) == ["BOOT-PENDING"]


def test_silence_is_told_for_long_answers_only() -> None:
    silent = Unanswered(identity="CP-1", action="GetConfiguration", request={}, waited_s=30, at=NOW)
    assert codes(silent) == ["BIG-MESSAGE"]
    assert codes(replace(silent, request={"key": ["one"]})) == []
    assert codes(replace(silent, action="UnlockConnector")) == []


def test_an_accepted_value_that_is_not_there_later_did_not_take() -> None:
    write = answered("ChangeConfiguration", {"key": "Url", "value": "ws://a.example/ocpp"}, {"status": "Accepted"})
    assert codes(write, settings(Url="ws://a.exam")) == ["NOT-APPLIED"]
    assert codes(write, settings(Url="ws://a.example/ocpp")) == []
    assert codes(write, settings(Other="x")) == []
    restart = replace(write, answer={"status": "RebootRequired"})
    assert codes(restart, settings(Url="ws://old")) == []


def test_a_2x_write_is_compared_by_component_and_variable() -> None:
    place = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
    write = answered(
        "SetVariables",
        {"setVariableData": [{**place, "attributeValue": "60"}]},
        {"setVariableResult": [{**place, "attributeStatus": "Accepted"}]},
    )
    assert codes(write, settings(**{"OCPPCommCtrlr.HeartbeatInterval": "300"})) == ["NOT-APPLIED"]
    assert codes(write, settings(**{"OCPPCommCtrlr.HeartbeatInterval": "60"})) == []


# Settings, radio, laptop


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"HeartbeatInterval": "172800"}, "SETTING-RISK"),
        ({"TransactionMessageAttempts": "0"}, "SETTING-RISK"),
        (
            {
                "WebSocketPingInterval": "600",
                "TransactionMessageAttempts": "3",
                "TransactionMessageRetryInterval": "60",
            },
            "PING-MISMATCH",
        ),
        ({"OfflineCurrentLimit": "0"}, "DEAD-LIMIT"),
        ({"ModemAPN": "", "SimICCID": "8949020000012345678"}, "SIM-APN"),
        ({"LteRegistrationStatus": "Denied"}, "SIM-APN"),
        ({"OCPPCommCtrlr.NetworkConfigurationPriority": "1,0"}, "OLD-PROFILE"),
    ],
)
def test_settings_outside_the_usual_are_told(values: dict[str, str], code: str) -> None:
    assert codes(settings(**values)) == [code]


@pytest.mark.parametrize(
    ("size", "words"), [(0, ""), (8, "shorter than 16"), (16, ""), (20, ""), (40, "longer than 20")]
)
def test_the_length_of_a_password_is_judged_and_not_told(size: int, words: str) -> None:
    told = [catalogue.explain(finding).cause for finding in password(size, thresholds.standard())]
    assert len(told) == bool(words)
    assert all(words in text and f"is {size}" not in text for text in told)


def test_ordinary_settings_are_not_told() -> None:
    ordinary = {
        "HeartbeatInterval": "300", "TransactionMessageAttempts": "3", "TransactionMessageRetryInterval": "60",
        "WebSocketPingInterval": "30", "LocalAuthorizeOffline": "true", "ModemAPN": "", "ConnectionTimeOut": "60",
        "OfflineThreshold": "0", "MaxEnergyOnInvalidId": "0", "OCPPCommCtrlr.NetworkConfigurationPriority": "1",
        "OfflineCurrentLimit": "16",
    }  # fmt: skip
    assert codes(settings(**ordinary)) == []


def test_a_radio_link_is_judged_by_its_strength_and_channel() -> None:
    def signal(dbm: float, channel: int = 6) -> SignalSeen:
        return SignalSeen(rssi_dbm=dbm, ssid="home", channel=channel, at=NOW)

    assert judged(signal(-60)) == []
    assert [found.severity for found in judged(signal(-70))] == [Severity.INFO]
    assert [found.severity for found in judged(signal(-80))] == [Severity.WARNING]
    assert codes(signal(-60, 13)) == ["WIFI"]


def test_the_laptop_is_judged_by_its_self_test_and_its_adapter() -> None:
    assert codes(SelfTested(address="10.0.0.9:8180", problem="", at=NOW)) == []
    assert codes(SelfTested(address="10.0.0.9:8180", problem="timed out", at=NOW)) == ["LAPTOP-WALL"]
    gone = AdapterGone(name="wlan0", address="192.168.4.2", was_busy=True, at=NOW)
    assert codes(gone) == ["AP-DROP"]
    assert codes(replace(gone, was_busy=False)) == []


# Data


def test_thresholds_can_be_set_anew() -> None:
    limits = thresholds.adjusted("[clock]\ngood_s = 60")
    drift = Drift(action="Heartbeat", stamp="x", drift_s=30, at=NOW)
    assert codes(drift, watch=Watch(limits)) == []
    assert codes(drift) == ["CLOCK"]


def test_own_thresholds_come_from_a_file_and_a_broken_one_changes_nothing(
    tmp_path: Path, allowed_log: Callable[[str], None]
) -> None:
    allowed_log("thresholds.toml is left out")
    file = tmp_path / "thresholds.toml"
    assert thresholds.read(file) is thresholds.standard()
    file.write_text("[radio]\nbad_dbm = -80", encoding="utf-8")
    assert thresholds.read(file).radio_bad_dbm == -80
    file.write_text("[radio]\nnonsense", encoding="utf-8")
    assert thresholds.read(file) is thresholds.standard()


@pytest.mark.parametrize("text", ["[clock]\nnothing = 1", "[clock]\ngood_s = 'x'", "no toml", "clock = 1"])
def test_careless_thresholds_are_refused(text: str) -> None:
    with pytest.raises(ProfileError):
        thresholds.adjusted(text)


def test_the_decode_tables_cover_what_the_facts_list() -> None:
    tables = decode.tables()
    assert {"101", "400", "401", "404", "426", "500", "503"} <= set(tables["http"])
    assert {"1000", "1002", "1006", "1011", "1013"} <= set(tables["close"])
    assert {"40", "42", "45", "46", "48", "70", "112"} <= set(tables["alert"])
    known = catalogue.catalogue()
    assert all(not entry.code or entry.code in known for table in tables.values() for entry in table.values())


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"\x16\x03\x01\x02", "tls"), (b"GET / H", "get"), (b"POST /", "post"), (b"PRI * HTTP/2.0", "http2"), (b"", "empty"),
     (b"\x00\x01", "foreign")],
)  # fmt: skip
def test_first_bytes_are_told(data: bytes, kind: str) -> None:
    assert decode.first(data)[0] == kind


def test_every_experiment_separates_codes_of_the_catalogue() -> None:
    known = catalogue.catalogue()
    for experiment in EXPERIMENTS.values():
        assert set(experiment.separates) <= set(known)
        assert {outcome.code for outcome in experiment.outcomes} - {""} <= set(known)
        assert len({outcome.sign for outcome in experiment.outcomes}) == len(experiment.outcomes)


def test_what_is_remembered_is_bounded() -> None:
    watch = Watch()
    for number in range(3000):
        watch(shake(f"UNIT{number}X{number}", remote=f"10.{number // 250}.{number % 250}.1:5"))
        watch(failed(48, remote=f"10.{number // 250}.{number % 250}.1:5"))
    assert len(watch._histories) == REMEMBERED
    assert len(watch._refused) == REMEMBERED


def test_a_hostile_unit_costs_no_time() -> None:
    started_s = time.process_time()
    judged(shake(headers=(("Host", ":" * 16_000 + "a" * 16_000),), subprotocols=("x" * 16_000,), chosen_subprotocol=""))
    judged(settings(**{f"offline{'limit' * 20_000}{number}": "0" * 100_000 for number in range(20)}))
    assert time.process_time() - started_s < 2


def test_a_short_login_at_the_end_of_the_identity_is_no_glued_path() -> None:
    assert codes(shake("STATION-001", user="001")) == ["AUTH-401"]


def test_a_heartbeat_interval_is_no_broken_promise_after_a_boot() -> None:
    write = answered("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "77"}, {"status": "Accepted"})
    booted = BootSeen(handshake=shake(), boot=Boot(fields={"chargePointVendor": "V", "chargePointModel": "M"}))
    assert codes(write, booted, settings(HeartbeatInterval="300")) == []
    assert codes(write, settings(HeartbeatInterval="300")) == ["NOT-APPLIED"]
