"""What knocked on our port, as rows."""

from __future__ import annotations

from app.model.frame import Knock
from ui.i18n import worded
from ui.models.listing import Field
from ui.models.plain import clock_text, visible

WORDS = {
    "accepted": "Connected",
    "http": "Plain HTTP",
    "http2": "HTTP/2",
    "tls": "TLS (wss)",
    "tls-failed": "TLS failed",
    "version": "Version",
    "crowded": "Crowded out",
    "soap": "SOAP",
    "empty": "Said nothing",
    "silent": "Said nothing",
    "slow": "Too slow",
    "unfinished": "Broke off",
    "garbage": "Not HTTP",
    "refused": "Refused",
}
"""Verdicts of the listener in words; an unknown one is shown as it is."""


def verdict_text(knock: Knock) -> str:
    """Return a knock's verdict in words."""
    word = WORDS.get(knock.verdict)
    return worded(word) if word else visible(knock.verdict, 40)


def verdict_tone(knock: Knock) -> str:
    """Return the tone of a verdict."""
    if knock.verdict == "accepted":
        return "good"
    if knock.verdict in ("tls-failed", "refused", "version"):
        return "fault"
    return "text2" if knock.verdict in ("empty", "silent") else "attention"


KNOCK_FIELDS: tuple[Field[Knock], ...] = (
    Field("Time", lambda knock: clock_text(knock.at), 15, is_mono=True),
    Field("From", lambda knock: visible(knock.remote, 60), 22, is_mono=True),
    Field("To", lambda knock: visible(knock.local, 60), 20, is_mono=True),
    Field("Verdict", verdict_text, 14, verdict_tone),
    Field("Identity", lambda knock: visible(knock.identity, 64), 18),
    Field("What became of it", lambda knock: visible(knock.text, 300), 60),
)


def knock_key(knock: Knock) -> object:
    """Return what tells knocks apart."""
    return knock.seq
