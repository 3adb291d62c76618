"""Chargers on our endpoint, as rows: those connected, and those that just left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from app.model.finding import Severity
from app.model.frame import Handshake
from ui.i18n import worded
from ui.models.listing import Field
from ui.models.plain import clock_text, span_text, visible

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint

MOST_GONE = 100
"""Chargers that left and are still listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """One charger on our endpoint as it was a moment ago. Texts come from the charger."""

    identity: str
    model: str
    since: datetime
    heard: str
    subprotocol: str
    security: str
    security_tone: str
    boot: str
    has_booted: bool
    state: str
    findings: int
    faults: int
    is_open: bool = True


def snapshot(endpoint: Endpoint, now: datetime) -> Connected:
    """Read a connection."""
    boot = endpoint.boot or endpoint.ledger.boot
    words, tone = security(endpoint.handshake)
    states = [change.state for number, change in sorted(endpoint.statuses.items()) if number > 0]
    return Connected(
        identity=endpoint.identity,
        model=" ".join(part for part in (boot.vendor, boot.model) if part) if boot else "",
        since=endpoint.opened_at,
        heard=span_text((now - endpoint.last_heard_at).total_seconds()),
        subprotocol=endpoint.handshake.chosen_subprotocol or worded("none asked"),
        security=words,
        security_tone=tone,
        boot=worded("Accepted" if endpoint.boot else "Booted before" if boot else "Not yet"),
        has_booted=boot is not None,
        state=", ".join(states[:4]),
        findings=len(endpoint.findings),
        faults=sum(finding.severity is Severity.FAULT for finding in endpoint.findings),
    )


def security(handshake: Handshake) -> tuple[str, str]:
    """Say how the charger came and proved itself, with a tone. Never the password."""
    words, tone = _proof(handshake)
    return (f"{handshake.tls.version} · {words}", tone) if handshake.tls else (words, tone)


def _proof(handshake: Handshake) -> tuple[str, str]:
    if handshake.tls is not None and handshake.tls.peer is not None:
        is_ours = handshake.tls.is_peer_trusted
        return worded("Certificate of ours" if is_ours else "Certificate of others"), "good" if is_ours else "text2"
    readings = {
        "plain": ("Password right (as text)", "good"),
        "hex": ("Password right (as hex digits)", "good"),
        "bytes": ("Password right (hex decoded)", "good"),
        "wrong": ("Wrong password", "fault"),
    }
    if handshake.password_reading in readings:
        words, tone = readings[handshake.password_reading]
        return worded(words), tone
    if handshake.has_password:
        return worded("Sends a password"), "text2"
    return worded("No password"), "text2"


class Roster:
    """Remembers who was there, so that a charger that hangs up does not vanish under the reader's eyes."""

    def __init__(self) -> None:
        self._rows: dict[str, Connected] = {}

    def update(self, endpoints: Mapping[str, Endpoint], now: datetime) -> list[Connected]:
        """Return all rows, in the order of first appearance."""
        for identity, endpoint in endpoints.items():
            self._rows[identity] = snapshot(endpoint, now)
        for identity, row in self._rows.items():
            if identity not in endpoints and row.is_open:
                self._rows[identity] = replace(
                    row, is_open=False, heard=worded("left {time}", time=clock_text(now)[:8])
                )
        gone = [identity for identity, row in self._rows.items() if not row.is_open]
        for identity in gone[: max(0, len(gone) - MOST_GONE)]:
            del self._rows[identity]
        return list(self._rows.values())


def _boot_tone(row: Connected) -> str:
    return "good" if row.has_booted else "attention"


def _findings_text(row: Connected) -> str:
    if not row.findings:
        return worded("none")
    serious = worded("{faults} of {all} serious", faults=row.faults, all=row.findings)
    return serious if row.faults else f"{row.findings}"


def _findings_tone(row: Connected) -> str:
    if row.faults:
        return "fault"
    return "attention" if row.findings else "text2"


def _presence_tone(row: Connected) -> str:
    return "text" if row.is_open else "border_strong"


CONNECTION_FIELDS: tuple[Field[Connected], ...] = (
    Field("Identity", lambda row: visible(row.identity, 96), 20, _presence_tone),
    Field("Model", lambda row: visible(row.model, 80) or worded("not said"), 24, _presence_tone),
    Field("Connected", lambda row: clock_text(row.since)[:8], 12),
    Field("Last heard", lambda row: row.heard, 13, lambda row: "" if row.is_open else "fault"),
    Field("Protocol", lambda row: visible(row.subprotocol, 24), 12),
    Field("Security", lambda row: row.security, 22, lambda row: row.security_tone),
    Field("Boot", lambda row: row.boot, 12, _boot_tone),
    Field("State", lambda row: visible(row.state, 60) or "–", 14),
    Field("Findings", _findings_text, 12, _findings_tone),
)


def connection_key(row: Connected) -> object:
    """Return what tells rows apart."""
    return row.identity
