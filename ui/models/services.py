"""What the services of a charger list, as rows."""

from __future__ import annotations

from datetime import UTC, datetime

from app.model.transfer import Received
from app.ocpp.services.certificates import Installed
from app.ocpp.services.collected import Told
from app.ocpp.services.messages import Message
from app.ocpp.services.reservations import Reservation
from app.ocpp.services.schedule import Period, Profile
from ui.i18n import worded
from ui.models.listing import Field
from ui.models.plain import clock_text, moment_text, size_text, visible

SOON_DAYS = 90

RECEIVED_FIELDS: tuple[Field[Received], ...] = (
    Field("Received", lambda item: moment_text(item.at), 23),
    Field("File", lambda item: visible(item.name, 80), 30),
    Field("What", lambda item: item.purpose, 18),
    Field("Size", lambda item: size_text(item.size), 10),
    Field("From", lambda item: f"{visible(item.remote, 40)} · {item.carrier.value.upper()}", 24, lambda _: "text2"),
)


def received_key(item: Received) -> object:
    """Return what tells files apart."""
    return item.path


KINDS = {
    "CSMSRootCertificate": "Root of its backend",
    "CentralSystemRootCertificate": "Root of its backend",
    "ManufacturerRootCertificate": "Root of its maker",
    "V2GRootCertificate": "Root for cars (V2G)",
    "MORootCertificate": "Root for contracts",
    "V2GCertificateChain": "Its own for cars",
    "OEMRootCertificate": "Root of car makers",
}


def _subject(item: Installed) -> str:
    if item.certificate is None:
        return worded("not known here · serial {serial}", serial=visible(item.id.serial, 40))
    return visible(item.certificate.subject, 80)


def _expiry(item: Installed) -> str:
    if item.certificate is None or item.certificate.not_after is None:
        return worded("not told")
    return item.certificate.not_after.strftime("%Y-%m-%d")


def _expiry_tone(item: Installed) -> str:
    end = item.certificate.not_after if item.certificate is not None else None
    if end is None:
        return "text2"
    left = (end - datetime.now(UTC)).days
    return "fault" if left < 0 else "attention" if left < SOON_DAYS else "good"


CERTIFICATE_FIELDS: tuple[Field[Installed], ...] = (
    Field("Kind", lambda item: worded(KINDS.get(item.kind, visible(item.kind, 40))), 22),
    Field("Certificate", _subject, 44),
    Field("Expires", _expiry, 14, _expiry_tone),
    Field("Key hash", lambda item: visible(item.id.key_hash[:16], 16), 20, lambda _: "text2", is_mono=True),
)


def certificate_key(item: Installed) -> object:
    """Return what tells certificates apart."""
    return item.id


def limit_text(limit: float, unit: str) -> str:
    """Write a limit; below zero nothing limits."""
    return worded("no limit") if limit < 0 else f"{limit:g} {unit}"


PROFILE_FIELDS: tuple[Field[Profile], ...] = (
    Field("Purpose", lambda item: visible(item.purpose, 40), 26),
    Field("Place", lambda item: worded("all") if not item.connector else f"{item.connector}", 8),
    Field("Level", lambda item: f"{item.stack_level}", 8),
    Field("Kind", lambda item: visible(f"{item.kind} {item.recurrency}".strip(), 30), 16),
    Field("Limits", lambda item: _steps(item.periods, item.unit), 40),
)


def profile_key(item: Profile) -> object:
    """Return what tells profiles apart."""
    return item.profile_id, item.connector


def _steps(periods: tuple[Period, ...], unit: str) -> str:
    parts = [f"{span_text(period.start_s)} {limit_text(period.limit, unit)}" for period in periods[:6]]
    return " · ".join(parts) + (" · …" if len(periods) > 6 else "")


def span_text(seconds: int) -> str:
    """Write a time after the start: ``+1:30``."""
    return f"+{seconds // 3600}:{seconds // 60 % 60:02}"


RESERVATION_FIELDS: tuple[Field[Reservation], ...] = (
    Field("Number", lambda item: f"{item.reservation_id}", 12),
    Field("Place", lambda item: worded("any") if not item.connector else f"{item.connector}", 8),
    Field("Card", lambda item: visible(item.uid, 40), 22, is_mono=True),
    Field("Until", lambda item: moment_text(item.until), 23),
    Field("State", lambda item: item.text, 34, lambda item: "good" if item.status == "Accepted" else "text2"),
)


def reservation_key(item: Reservation) -> object:
    """Return what tells reservations apart."""
    return item.reservation_id


MESSAGE_FIELDS: tuple[Field[Message], ...] = (
    Field("Number", lambda item: f"{item.message_id}", 12),
    Field("Text", lambda item: visible(item.text, 200), 50),
    Field("Priority", lambda item: visible(item.priority, 20), 14),
    Field("While", lambda item: visible(item.state, 20) or worded("always"), 14),
)


def message_key(item: Message) -> object:
    """Return what tells texts apart."""
    return item.message_id


_TONES = {"info": "", "warning": "attention", "fault": "fault"}

TOLD_FIELDS: tuple[Field[tuple[int, Told]], ...] = (
    Field("Came", lambda row: clock_text(row[1].at)[:8], 10),
    Field("Its own time", lambda row: visible(row[1].stamp, 30) or "–", 28, lambda _: "text2"),
    Field("About", lambda row: visible(row[1].subject, 80), 25, lambda row: _TONES[row[1].severity.value]),
    Field("What it told", lambda row: visible(row[1].text, 300), 40),
)


def told_key(row: tuple[int, Told]) -> object:
    """Return what tells rows apart."""
    return row[0]
