"""Each detector on observations made by hand: what is named, what is not, and what a memory is needed for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.diagnosis import catalogue, decode, thresholds
from app.diagnosis.settings import password
from app.diagnosis.watch import REMEMBERED, Watch
from app.errors import ProfileError
from app.model.experiment import EXPERIMENTS
from app.model.finding import Finding, Severity
from app.model.frame import Boot, Certificate, Direction, Frame, FrameKind, Handshake, Hello, Knock, TlsSession
from app.model.observation import (
    AdapterGone,
    Answered,
    Backlog,
    BootRepeated,
    BootSeen,
    Drift,
    Ended,
    Observation,
    Replaced,
    Returned,
    SelfTested,
    SettingsSeen,
    SignalSeen,
    Spoken,
    TlsEnd,
    TlsFailed,
    Unanswered,
)
from tests.catalogue.kit import is_told_whole

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HELLO = Hello(versions=("TLS 1.2",), suites=("TLS_RSA_WITH_AES_128_CBC_SHA",), server_name="rehome.local")
SERVED = Certificate(subject="CN=rehome.local", issuer="CN=Rehome", names=("rehome.local", "10.0.0.9"))


def judged(*seen: Observation, watch: Watch | None = None) -> list[Finding]:
    """Return the findings of the last observation."""
    watch = watch or Watch()
    findings: list[Finding] = []
    for observation in seen:
        findings = list(watch(observation))
    for finding in findings:
        is_told_whole(finding)
    return findings


def codes(*seen: Observation, watch: Watch | None = None) -> list[str]:
    return [finding.code for finding in judged(*seen, watch=watch)]


def shake(identity: str = "CP-1", remote: str = "10.0.0.1:5", **more: Any) -> Handshake:
    values: dict[str, Any] = {
        "raw": b"",
        "request_line": f"GET /{identity} HTTP/1.1",
        "path": f"/{identity}",
        "headers": (("Host", "10.0.0.9:8180"),),
        "subprotocols": ("ocpp1.6",),
        "chosen_subprotocol": "ocpp1.6",
        "at": NOW,
    }
    return Handshake(identity=identity, remote=remote, **(values | more))


def failed(alert: int | None = None, **more: Any) -> TlsFailed:
    values: dict[str, Any] = {
        "remote": "10.0.0.1:5",
        "end": TlsEnd.ALERT_FROM_UNIT if alert is not None else TlsEnd.CLOSED_BY_UNIT,
        "hello": HELLO,
        "personality": "rsa",
        "at": NOW,
        "alert": alert,
        "after": "Certificate",
        "served": SERVED,
    }
    return TlsFailed(**(values | more))


def ended(code: int = 1006, lasted_s: float = 100.0, **more: Any) -> Ended:
    values: dict[str, Any] = {
        "identity": "CP-1",
        "connection": 1,
        "at": NOW,
        "code": code,
        "reason": "",
        "is_by_us": False,
        "lasted_s": lasted_s,
        "silent_s": 1.0,
        "has_booted": True,
    }
    return Ended(**(values | more))


def answered(action: str, request: dict[str, Any], answer: dict[str, Any], **more: Any) -> Answered:
    return Answered(identity="CP-1", action=action, request=request, answer=answer, at=NOW, **more)


def settings(**values: str) -> SettingsSeen:
    return SettingsSeen(identity="CP-1", settings=values, at=NOW)


# TLS


@pytest.mark.parametrize(
    ("alert", "code"),
    [(48, "TLS-TRUST"), (42, "TLS-TRUST"), (46, "TLS-TRUST"), (45, "CLOCK"), (40, "TLS-SUITE"), (70, "TLS-SUITE"),
     (112, "TLS-NAME"), (116, "AUTH-401")],
)  # fmt: skip
def test_an_alert_of_the_unit_names_the_cause(alert: int, code: str) -> None:
    (finding,) = judged(failed(alert))
    assert finding.code == code
    assert str(alert) in finding.evidence[0].text


def test_what_two_causes_explain_names_both_and_the_experiment() -> None:
    (vague,) = judged(failed(46))
    assert catalogue.experiment_of(vague) is EXPERIMENTS["certificate-personality"]
    assert "The charger does not accept the certificate's name" in catalogue.look_alikes(vague)
    (sure,) = judged(failed(48))
    assert catalogue.experiment_of(sure) is None


def test_a_name_the_certificate_does_not_carry_is_suspected_first() -> None:
    other = replace(SERVED, names=("else.example",), subject="CN=else.example")
    assert codes(failed(46, served=other)) == ["TLS-NAME"]
    assert codes(failed(None, served=other)) == ["TLS-NAME"]
    only_cn = replace(SERVED, names=())
    assert codes(failed(46, served=only_cn)) == ["TLS-TRUST"]


def test_a_silent_close_after_our_certificate_is_missing_trust() -> None:
    assert codes(failed(None)) == ["TLS-TRUST"]
    assert codes(failed(None, after="")) == ["TLS-SUITE"]
    assert codes(failed(0)) == ["TLS-TRUST"]
    assert codes(failed(20)) == []


def test_a_close_after_tls_was_agreed_is_a_doubt() -> None:
    assert [(found.code, found.severity) for found in judged(failed(None, after="Finished"))] == [
        ("TLS-NAME", Severity.WARNING)
    ]


def test_what_we_refuse_is_a_missing_common_suite() -> None:
    assert codes(failed(None, end=TlsEnd.REFUSED_BY_US, reason="no shared cipher")) == ["TLS-SUITE"]


def test_a_unit_that_says_nothing_in_tls_is_not_judged() -> None:
    assert codes(failed(None, end=TlsEnd.SILENT)) == []


@pytest.mark.parametrize(
    ("refused", "taken", "code"),
    [
        ("rsa", "cn", "TLS-NAME"),
        ("rsa", "ec", "TLS-SUITE"),
        ("short", "rsa", "TLS-TRUST"),
        ("rsa", "timeless", "CLOCK"),
    ],
)
def test_the_certificate_it_takes_at_last_proves_the_cause(refused: str, taken: str, code: str) -> None:
    session = TlsSession(version="TLS 1.2", suite="x", personality=taken, hello=HELLO)
    assert codes(failed(46, personality=refused), shake(tls=session)) == [code]
    assert codes(failed(46, personality=taken), shake(tls=session)) == []


def test_a_unit_that_takes_a_certificate_of_nobody_is_named() -> None:
    session = TlsSession(version="TLS 1.2", suite="x", personality="rogue", hello=HELLO)
    assert codes(shake(tls=session)) == ["TLS-TRUST"]
    assert codes(failed(48, personality="rogue"), shake(tls=replace(session, personality="rsa"))) == []


def test_a_certificate_of_its_own_that_runs_out_is_named_by_its_days() -> None:
    def session(days: float) -> Handshake:
        peer = Certificate(subject="CN=CP-1", issuer="x", not_after=NOW + timedelta(days=days))
        return shake(tls=TlsSession(version="TLS 1.2", suite="x", personality="auto", hello=HELLO, peer=peer))

    assert codes(session(100)) == []
    assert [finding.severity for finding in judged(session(20))] == [Severity.WARNING]
    assert [finding.severity for finding in judged(session(3))] == [Severity.FAULT]


# Dialling


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/ocppCP-1", {"identity": "ocppCP-1"}),
        ("/a/ocppCP-1", {"identity": "ocppCP-1", "user": "CP-1"}),
        ("/ocpp/4/CP-1", {}),
    ],
)
def test_a_glued_or_numbered_path_is_named(path: str, more: dict[str, Any]) -> None:
    assert "URL-COMPOSE" in codes(shake(path=path, **more))


@pytest.mark.parametrize(
    "path", ["/CP-1", "/ocpp/CP-1", "/steve/websocket/CentralSystemService/CP-1", "/ocpp1", "/wsCP"]
)
def test_an_ordinary_path_is_not_named(path: str) -> None:
    assert "URL-COMPOSE" not in codes(shake(path=path))


def test_a_port_typed_twice_and_a_local_name_show_in_the_host_header() -> None:
    assert codes(shake(headers=(("Host", "csms.example:8180:443"),))) == ["SCHEME-PORT"]
    assert codes(shake(headers=(("Host", "rehome.local:8180"),))) == ["DNS-FAIL"]
    assert codes(shake(headers=(("Host", "[fe80::1]:8180"),))) == []


def test_a_proxy_on_the_way_to_us_is_told() -> None:
    assert codes(shake(headers=(("Host", "x"), ("X-Forwarded-For", "1.2.3.4")))) == ["PROXY-CDN"]


def test_a_login_under_another_name_is_told() -> None:
    assert codes(shake(user="someone")) == ["AUTH-401"]
    assert codes(shake(user="CP-1")) == []


@pytest.mark.parametrize("other", ["cp-1", "CP_1", "CP-I"])
def test_identities_that_look_alike_are_told(other: str) -> None:
    assert codes(shake("CP-1"), shake(other, remote="10.0.0.2:5")) == ["ID-SPELLING"]


def test_identities_that_count_up_do_not_look_alike() -> None:
    assert codes(shake("P1-11"), shake("P11-1", remote="10.0.0.2:5")) == []
    watch = Watch()
    assert [codes(shake(f"CP-{number}", remote=f"10.0.0.{number}:1"), watch=watch) for number in range(1, 60)] == [
        []
    ] * 59


@pytest.mark.parametrize(
    ("verdict", "first", "code"),
    [
        ("tls", b"\x16\x03\x01", "SCHEME-PORT"),
        ("soap", b"POST / HTTP/1.1", "SOAP-LEGACY"),
        ("garbage", b"\x00\x01", "SCHEME-PORT"),
        ("http", b"GET / HTTP/1.1\r\nHost: x\r\n", "SCHEME-PORT"),
        ("http2", b"PRI * HTTP/2.0", "SCHEME-PORT"),
        ("refused", b"GET / HTTP/1.1", "HS-HEADER"),
        ("version", b"GET / HTTP/1.1", "VERSION-MIX"),
    ],
)
def test_every_kind_of_knock_has_its_name(verdict: str, first: bytes, code: str) -> None:
    assert codes(Knock(seq=1, at=NOW, remote="10.0.0.1:5", verdict=verdict, text="…", first_bytes=first)) == [code]


def test_a_browser_is_no_charger() -> None:
    first = b"GET / HTTP/1.1\r\nUser-Agent: Mozilla/5.0\r\n"
    assert codes(Knock(seq=1, at=NOW, remote="10.0.0.1:5", verdict="http", text="", first_bytes=first)) == []


def test_one_empty_knock_is_a_port_check_and_the_third_is_told() -> None:
    knock = Knock(seq=1, at=NOW, remote="10.0.0.1:5", verdict="empty", text="")
    assert codes(knock) == codes(knock, knock) == []
    assert codes(knock, knock, knock) == ["SCHEME-PORT"]
    elsewhere = replace(knock, remote="10.0.0.2:5")
    assert codes(knock, elsewhere, knock) == []


# Comings and goings


def test_drops_in_a_rhythm_are_told_from_drops_without_one() -> None:
    assert codes(ended(lasted_s=100), ended(lasted_s=104), ended(lasted_s=97)) == ["PING-MISMATCH"]
    assert codes(ended(lasted_s=40), ended(lasted_s=160), ended(lasted_s=97)) == ["WIFI"]


@pytest.mark.parametrize(
    "ends",
    [
        (ended(lasted_s=100), ended(lasted_s=100)),
        (ended(lasted_s=100), ended(1000, lasted_s=100), ended(lasted_s=100)),
        (ended(lasted_s=3), ended(lasted_s=3), ended(lasted_s=3)),
        (ended(lasted_s=9000), ended(lasted_s=9100), ended(lasted_s=9000)),
    ],
)
def test_few_polite_short_or_long_connections_make_no_rhythm(ends: tuple[Ended, ...]) -> None:
    assert codes(*ends) == []


def test_pings_that_are_never_answered_are_told_from_a_cut_cable() -> None:
    assert codes(ended(pings=4, pongs=0, silent_s=5)) == ["PING-MISMATCH"]
    assert codes(ended(1011, is_by_us=True, lasted_s=305, pings=4, pongs=0, silent_s=300)) == []


def test_two_polite_visits_point_at_another_address() -> None:
    watch = Watch()
    visit = (ended(1000, lasted_s=240), Returned(identity="CP-1", gone_s=180))
    assert codes(*visit, watch=watch) == []
    (finding,) = judged(*visit, watch=watch)
    assert finding.code == "OLD-PROFILE"
    assert catalogue.experiment_of(finding) is EXPERIMENTS["hold"]


def test_our_own_goodbyes_resets_and_quick_returns_are_no_visits() -> None:
    for end, back in (
        (ended(1000, is_by_us=True), Returned(identity="CP-1", gone_s=60, is_by_us=True)),
        (ended(1000), Returned(identity="CP-1", gone_s=60, is_after_reset=True)),
        (ended(1000), Returned(identity="CP-1", gone_s=5)),
    ):
        assert codes(end, back, end, back, end, back) == []


def test_a_slow_return_is_told_but_not_after_a_reset() -> None:
    assert codes(Returned(identity="CP-1", gone_s=900)) == ["SLOW-RETURN"]
    assert codes(Returned(identity="CP-1", gone_s=900, is_after_reset=True)) == []
    assert codes(Returned(identity="CP-1", gone_s=900, is_by_us=True)) == [], "our port was closed meanwhile"
    assert codes(Returned(identity="CP-1", gone_s=200)) == []


def test_a_connection_beside_an_open_one_is_told_mildly() -> None:
    seen = Replaced(identity="CP-1", remote="10.0.0.1:6", older_remote="10.0.0.1:5", silent_s=70)
    assert [(found.code, found.severity) for found in judged(seen)] == [("ZOMBIE-SESSION", Severity.INFO)]


def test_two_addresses_in_turn_are_a_twin_and_no_zombie() -> None:
    watch = Watch()
    for remote in ("10.0.0.1:5", "10.0.0.2:5"):
        watch(shake(remote=remote))
    assert codes(shake(remote="10.0.0.1:6"), watch=watch) == ["ID-TWIN"]
    again = Replaced(identity="CP-1", remote="10.0.0.1:6", older_remote="10.0.0.2:5", silent_s=1)
    assert codes(again, watch=watch) == []


def test_a_drop_right_after_a_question_is_told_by_the_question() -> None:
    crash = ended(last_sent="ChangeConfiguration", last_sent_s=1.0, is_answered=False)
    assert codes(crash) == ["PROBE-CRASH"]
    assert codes(replace(crash, last_sent="GetConfiguration")) == ["BIG-MESSAGE"]
    for harmless in (
        replace(crash, is_answered=True),
        replace(crash, last_sent_s=60.0),
        replace(crash, last_sent="Reset"),
        replace(crash, is_by_us=True),
    ):
        assert codes(harmless) == []


def test_drops_on_early_commands_are_told_the_second_time() -> None:
    drop = ended(has_booted=False, last_sent="GetConfiguration", last_sent_s=2, is_answered=False, lasted_s=2)
    assert codes(drop) == []
    assert codes(drop, drop) == ["BOOT-LOOP-EARLYCMD"]
    assert codes(drop, ended(1000), drop) == []


def test_a_boot_loop_after_early_commands_is_told_and_one_asked_for_is_not() -> None:
    again = BootRepeated(identity="CP-1", count=3, since_last_s=30, interval_s=300, is_early_call=True)
    assert codes(again) == ["BOOT-LOOP-EARLYCMD"]
    assert codes(replace(again, count=2)) == []
    assert codes(replace(again, is_early_call=False)) == []


def test_the_waiting_room_is_told_and_haste_in_it_is_a_warning() -> None:
    waits = BootRepeated(
        identity="CP-1", count=2, since_last_s=60, interval_s=60, is_early_call=False, answer="Pending"
    )
    assert [found.severity for found in judged(waits)] == [Severity.INFO]
    assert [found.severity for found in judged(replace(waits, since_last_s=5))] == [Severity.WARNING]


def test_reserved_bits_are_compression() -> None:
    assert codes(ended(1002, fault="reserved bits must be 0")) == ["COMPRESS"]
    assert codes(ended(1002, fault="incorrect masking")) == []


# Speaking


@pytest.mark.parametrize(("drift_s", "severity"), [(3, None), (-30, Severity.INFO), (4000, Severity.WARNING)])
def test_a_clock_is_judged_by_how_far_it_is_off(drift_s: float, severity: Severity | None) -> None:
    found = judged(Drift(action="Heartbeat", stamp="x", drift_s=drift_s, at=NOW))
    assert [finding.severity for finding in found] == ([severity] if severity else [])


def test_the_past_is_told_by_its_age_its_session_and_its_repetition() -> None:
    old = Backlog(
        action="StopTransaction", stamp="2025-01-01T00:00:00Z", age_s=90_000, transaction="7", is_unknown=True, at=NOW
    )
    assert [found.severity for found in judged(old)] == [Severity.WARNING]
    assert [found.severity for found in judged(replace(old, age_s=10))] == [Severity.INFO]
    assert codes(replace(old, age_s=10, is_unknown=False)) == []
    (repeated,) = judged(old, replace(old, is_repeated=True))
    assert "again and again" in catalogue.explain(repeated).title


def test_a_cut_answer_is_told_as_broken_and_as_too_long() -> None:
    frame = Frame(
        seq=1, at=NOW, identity="CP-1", connection=1, direction=Direction.IN, text="[3,", kind=FrameKind.RESULT,
        action="GetConfiguration", notes=("JSON-BROKEN", "UNCLOSED"),
    )  # fmt: skip
    assert codes(frame) == ["JSON-BROKEN", "BIG-MESSAGE"]
    assert codes(replace(frame, action="Reset")) == ["JSON-BROKEN"]


def test_a_2x_boot_is_judged_by_its_own_fields() -> None:
    good = Boot(fields={"vendorName": "Acme", "model": "Wall"})
    assert codes(BootSeen(handshake=shake(), boot=good)) == []
    assert codes(BootSeen(handshake=shake(), boot=replace(good, fields={"vendorName": "", "model": "W"}))) == [
        "BOOT-SCHEMA"
    ]


def test_another_version_than_agreed_is_told_with_its_proof() -> None:
    seen = Spoken(agreed="2.0.1", spoken="1.6", action="StatusNotification", proof="it has connectorId alone", at=NOW)
    (finding,) = judged(seen)
    assert "connectorId" in catalogue.explain(finding).cause


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
    started_s = time.monotonic()
    judged(shake(headers=(("Host", ":" * 16_000 + "a" * 16_000),), subprotocols=("x" * 16_000,), chosen_subprotocol=""))
    judged(settings(**{f"offline{'limit' * 20_000}{number}": "0" * 100_000 for number in range(20)}))
    assert time.monotonic() - started_s < 2


def test_a_short_login_at_the_end_of_the_identity_is_no_glued_path() -> None:
    assert codes(shake("STATION-001", user="001")) == ["AUTH-401"]


def test_a_heartbeat_interval_is_no_broken_promise_after_a_boot() -> None:
    write = answered("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "77"}, {"status": "Accepted"})
    booted = BootSeen(handshake=shake(), boot=Boot(fields={"chargePointVendor": "V", "chargePointModel": "M"}))
    assert codes(write, booted, settings(HeartbeatInterval="300")) == []
    assert codes(write, settings(HeartbeatInterval="300")) == ["NOT-APPLIED"]
