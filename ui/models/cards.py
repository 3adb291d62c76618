"""Cards and what was decided about them, as rows."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from app.model.card import Card, CardStatus
from app.ocpp.cards import Decision
from ui.i18n import worded
from ui.models.listing import Field
from ui.models.plain import clock_text, visible

STATUS_WORDS = {
    CardStatus.ACCEPTED: "May charge",
    CardStatus.BLOCKED: "Blocked",
    CardStatus.EXPIRED: "Expired",
    CardStatus.INVALID: "Invalid",
    CardStatus.CONCURRENT: "Charging elsewhere",
    CardStatus.UNKNOWN: "Unknown",
}
_TONES = {CardStatus.ACCEPTED: "good", CardStatus.BLOCKED: "fault", CardStatus.UNKNOWN: "attention"}


def status_text(status: CardStatus) -> str:
    """Name a status in words."""
    return worded(STATUS_WORDS[status])


def last_day(expires_at: datetime) -> date:
    """Return the last day on which a card that expires then may charge, in the technician's zone."""
    return (expires_at - timedelta(seconds=1)).astimezone().date()


def _expiry(card: Card) -> str:
    return last_day(card.expires_at).isoformat() if card.expires_at else ""


def _origin(card: Card) -> str:
    return worded("learnt at {name}", name=visible(card.learnt_from, 60)) if card.learnt_from else worded("entered")


CARD_FIELDS: tuple[Field[Card], ...] = (
    Field("Number", lambda card: visible(card.uid, 80), 24, is_mono=True),
    Field("Status", lambda card: status_text(card.status), 18, lambda card: _TONES.get(card.status, "attention")),
    Field("Name", lambda card: visible(card.label, 80), 24),
    Field("Until", _expiry, 12),
    Field("Group", lambda card: visible(card.group, 40), 14),
    Field("Origin", _origin, 24, lambda _: "text2"),
)


def card_key(card: Card) -> object:
    """Return what tells cards apart."""
    return card.uid


def _answer(decision: Decision) -> str:
    return status_text(decision.status)


DECISION_FIELDS: tuple[Field[tuple[int, Decision]], ...] = (
    Field("Time", lambda row: clock_text(row[1].at)[:8], 10),
    Field("Charger", lambda row: visible(row[1].identity, 60), 18),
    Field("Number as held", lambda row: visible(row[1].uid, 80) or worded("(none)"), 26, is_mono=True),
    Field("Answer", lambda row: _answer(row[1]), 18, lambda row: _TONES.get(row[1].status, "attention")),
    Field("Why", lambda row: row[1].why, 40, lambda _: "text2"),
)


def decision_key(row: tuple[int, Decision]) -> object:
    """Return what tells decisions apart."""
    return row[0]
