"""Observations made by hand, and what is found in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app.diagnosis.watch import Watch
from app.model.finding import Finding
from app.model.frame import Certificate, Handshake, Hello
from app.model.observation import (
    Answered,
    Ended,
    Observation,
    SettingsSeen,
    TlsEnd,
    TlsFailed,
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
