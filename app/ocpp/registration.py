"""How a unit stands with us on one connection: Boot, what it was answered, and what it may send until then. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.model.frame import Boot, Handshake
from app.model.observation import BootRepeated, BootSeen, Observation
from app.ocpp import v2, v16

ACCEPTED = "Accepted"
REJECTED = "Rejected"
MAX_BOOTS = 50
"""Repetitions of Boot that are told one by one; then every so many."""

WANTED = {
    "GetBaseReport": "NotifyReport",
    "GetReport": "NotifyReport",
    "GetMonitoringReport": "NotifyMonitoringReport",
    "GetLog": "LogStatusNotification",
    "GetDiagnostics": "DiagnosticsStatusNotification",
    "CustomerInformation": "NotifyCustomerInformation",
    "GetChargingProfiles": "ReportChargingProfiles",
    "GetDisplayMessages": "NotifyDisplayMessages",
}
"""What a unit sends because of a command, so that it may do so before it is accepted."""


class Registration:
    """One unit's registration with us (OCPP 1.6 §4.2, P2-201 B01 to B03).

    States::

        silent ──Boot──► Pending | Rejected ──Boot──► Accepted
           └──────────────────Boot───────────────────────┘
    """

    __slots__ = (
        "_at",
        "_calls",
        "_count",
        "_is_asked",
        "_payload",
        "_wanted",
        "boot",
        "interval_s",
        "ready_at",
        "status",
    )

    def __init__(self) -> None:
        self.boot: Boot | None = None
        """What it said of itself on this connection."""
        self.status = ""
        """What its last Boot was answered; empty before the first."""
        self.interval_s = 0
        self.ready_at: datetime | None = None
        """When it was accepted first."""
        self._payload: Mapping[str, Any] | None = None
        self._at: datetime | None = None
        self._count = 0
        self._calls = 0
        self._is_asked = False
        self._wanted: set[str] | None = None

    def heard(self, handshake: Handshake, version: str, payload: Mapping[str, Any], at: datetime) -> list[Observation]:
        """Take a Boot in."""
        found: list[Observation] = []
        if payload != self._payload:
            self._payload = payload if v16.is_small(payload) else None
            self.boot = v16.boot(payload, at) if version == "1.6" else v2.boot(payload, at)
            found.append(BootSeen(handshake=handshake, boot=self.boot))
        self._count += 1
        if self._at is not None and _is_told(self._count):
            found.append(
                BootRepeated(
                    identity=handshake.identity,
                    count=self._count,
                    since_last_s=(at - self._at).total_seconds(),
                    interval_s=self.interval_s,
                    is_early_call=self._calls > 0 and not self._is_asked,
                    answer=self.status,
                )
            )
        self._at, self._is_asked = at, False
        return found

    def is_old_story(self, payload: Mapping[str, Any]) -> bool:
        """Say whether a Boot is the accepted one, come again so often that this time is not told."""
        return self.status == ACCEPTED and not _is_told(self._count + 1) and payload == self._payload

    def heard_again(self, boot: Boot, at: datetime) -> None:
        """Take such a Boot in."""
        self.boot, self._at, self._is_asked = boot, at, False
        self._count += 1

    def answered(self, payload: Mapping[str, Any], at: datetime) -> None:
        """Learn what Boot was answered."""
        self.status = v16.text(payload.get("status"), 20)
        self.interval_s = v16.number(payload.get("interval"))
        if self.status == ACCEPTED and self.ready_at is None:
            self.ready_at = at

    def called(self, action: str, payload: Mapping[str, Any]) -> None:
        """Learn of a command of ours: the unit may send what it was asked for."""
        if not self.status:  # while it is Pending commands are in order (OCPP 1.6 §4.2.1, P2-201 B02)
            self._calls += 1
        if payload.get("requestedMessage") == "BootNotification":
            self._is_asked = True
        if self.status in ("", ACCEPTED):
            return
        wanted = WANTED.get(action) or v16.text(payload.get("requestedMessage"), 50)
        if wanted.startswith("Sign") and wanted.endswith("Certificate"):
            wanted = "SignCertificate"  # its kinds are triggered by name (P2-201 §3.78)
        self._wanted = (self._wanted or set()) | {wanted}

    def is_unwanted(self, action: str) -> bool:
        """Say whether a request must not come yet: Boot is not accepted, and nobody asked for it.

        OCPP 1.6 §4.2 and P2-201 B02.FR.02, B03.FR.02: until it is accepted a unit sends BootNotification alone, but
        for what it was triggered to send while Pending.
        """
        if self.status in ("", ACCEPTED) or action == "BootNotification":
            return False
        return self.status == REJECTED or action not in (self._wanted or ())


def _is_told(count: int) -> bool:
    return count <= MAX_BOOTS or count % MAX_BOOTS == 0
