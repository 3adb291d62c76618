"""Findings from what a charger says once it is connected. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.model.finding import Evidence, Finding, Severity
from app.model.frame import Boot, Frame
from app.model.observation import Stateless, Unbooted, UnsetClock

JSON_NOTES = frozenset({"JSON-BROKEN", "NOT-JSON", "BAD-UTF8", "TOO-DEEP", "TOO-LONG"})
SILENT_NOTES = frozenset({"SCHEMA", "UNKNOWN-ACTION", "CUT", "LATE"})
"""Notes that need no finding of their own: reported otherwise, or no fault."""

_BOOT_TEXTS = ("chargePointVendor", "chargePointModel")


def at_frame(frame: Frame) -> Iterator[Finding]:
    """Judge a frame with notes."""
    found = [note for note in frame.notes if note not in SILENT_NOTES and not note.startswith("CUT-")]
    if not found:
        return
    is_json = bool(JSON_NOTES & set(found))
    beginning = Evidence(label=f"frame {frame.seq}", text=frame.text[:200], at=frame.at)
    yield Finding(
        code="JSON-BROKEN" if is_json else "WIRE-HABIT",
        severity=Severity.WARNING if is_json else Severity.INFO,
        evidence=(Evidence(label="deviation", text=", ".join(found), at=frame.at), beginning),
        details={"notes": ", ".join(found), "action": frame.action or "a message"},
    )


def at_boot(boot: Boot) -> Iterator[Finding]:
    """Judge a BootNotification beyond its schema: some backends refuse an empty vendor or model (evcc#32170)."""
    empty = [name for name in _BOOT_TEXTS if not boot.fields.get(name, "").strip()]
    if empty:
        faults = ", ".join(f"{name} is empty" for name in empty)
        yield Finding(
            code="BOOT-SCHEMA",
            severity=Severity.WARNING,
            evidence=(Evidence(label="BootNotification", text=faults, at=boot.at),),
            details={"action": "BootNotification", "faults": faults, "version": "1.6"},
        )


def at_unset_clock(seen: UnsetClock) -> Iterator[Finding]:
    """Judge a time stamp that can't be true."""
    yield Finding(
        code="CLOCK",
        severity=Severity.WARNING,
        evidence=(Evidence(label=seen.action, text=seen.stamp, at=seen.at),),
        details={"stamp": seen.stamp, "action": seen.action},
    )


def at_unbooted(seen: Unbooted) -> Iterator[Finding]:
    """Judge a connection without Boot: no fault, but worth a word."""
    heard = ", ".join(seen.heard) or "nothing"
    yield Finding(
        code="NO-BOOT-ON-RECONNECT",
        severity=Severity.INFO,
        evidence=(Evidence(label="heard instead", text=heard),),
        details={"waited": f"{seen.waited_s:.0f}", "heard": heard},
    )


def at_stateless(seen: Stateless) -> Iterator[Finding]:
    """Judge a booted connection without status."""
    waited = f"{seen.waited_s:.0f}"
    yield Finding(
        code="STATUS-MISSING",
        severity=Severity.WARNING,
        evidence=(Evidence(label="waited", text=f"{waited} s after BootNotification"),),
        details={"waited": waited},
    )
