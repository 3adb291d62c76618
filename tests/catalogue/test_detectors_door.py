"""Detectors of what happens before a connection: TLS, the upgrade request, knocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.diagnosis import catalogue
from app.diagnosis.watch import Watch
from app.model.experiment import EXPERIMENTS
from app.model.finding import Severity
from app.model.frame import Certificate, Handshake, Knock, TlsSession
from app.model.observation import (
    TlsEnd,
)
from tests.catalogue.seen import (
    HELLO,
    NOW,
    SERVED,
    codes,
    failed,
    judged,
    shake,
)

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
