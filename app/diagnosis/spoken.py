"""Findings from what a charger says once it is connected. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.diagnosis.naming import found, span
from app.diagnosis.thresholds import Thresholds
from app.model.experiment import BIG_ANSWER, EARLY_COMMAND
from app.model.finding import Evidence, Finding, Severity
from app.model.frame import Boot, Direction, Frame, FrameKind
from app.model.observation import Backlog, BootRepeated, Drift, Spoken, Stateless, Unbooted, UnsetClock

JSON_NOTES = frozenset({"JSON-BROKEN", "NOT-JSON", "BAD-UTF8", "TOO-DEEP", "TOO-LONG"})
SILENT_NOTES = frozenset({"SCHEMA", "UNKNOWN-ACTION", "CUT", "LATE"})
"""Notes that need no finding of their own: reported otherwise, or no fault."""
CUT_NOTES = frozenset({"UNCLOSED", "JSON-BROKEN", "NOT-JSON", "TOO-LONG"})
"""Notes of a text that ends too early."""
LONG_ANSWERS = frozenset(
    {"GetConfiguration", "GetCompositeSchedule", "GetBaseReport", "GetReport", "GetVariables", "GetLog", "NotifyReport"}
)
"""Actions whose answers are long by nature."""

_WAITING = ("Pending", "Rejected")
EARLY_BOOTS = 3
EARLY_S = 120.0
"""So many Boots within so short pauses are a loop; one more may have been asked for [OURS]."""
STUCK_TIMES = 3
"""The same message so often is a unit that does not get on (connection-failures 13) [OURS]."""
HURRY = 0.8
"""A Boot that comes before this part of its interval is over was in a hurry [OURS]."""


def at_frame(frame: Frame) -> Iterator[Finding]:
    """Judge a frame with notes."""
    notes = [note for note in frame.notes if note not in SILENT_NOTES and not note.startswith("CUT-")]
    if not notes:
        return
    is_json = bool(JSON_NOTES & set(notes))
    proofs = (("deviation", ", ".join(notes)), (f"frame {frame.seq}", frame.text[:200]))
    yield found(
        "JSON-BROKEN" if is_json else "WIRE-HABIT",
        Severity.WARNING if is_json else Severity.INFO,
        *proofs,
        at=frame.at,
        notes=", ".join(notes),
        action=frame.action or "A message",
    )
    if _is_cut_answer(frame):
        yield found(
            "BIG-MESSAGE",
            Severity.WARNING,
            *proofs,
            at=frame.at,
            experiment=BIG_ANSWER,
            alike=("JSON-BROKEN",),
            action=frame.action,
            what=f"its answer ends in the middle, after {len(frame.text)} characters",
        )


def _is_cut_answer(frame: Frame) -> bool:
    is_answer = frame.kind in (FrameKind.RESULT, FrameKind.BROKEN) and frame.direction is Direction.IN
    return is_answer and frame.action in LONG_ANSWERS and bool(CUT_NOTES & set(frame.notes))


def at_boot(boot: Boot) -> Iterator[Finding]:
    """Judge a BootNotification beyond its schema: some backends refuse an empty vendor or model (evcc#32170)."""
    is_16 = "vendorName" not in boot.fields
    names = ("chargePointVendor", "chargePointModel") if is_16 else ("vendorName", "model")
    empty = [name for name in names if not boot.fields.get(name, "").strip()]
    if empty:
        yield found(
            "BOOT-SCHEMA",
            Severity.WARNING,
            ("BootNotification", ", ".join(f"{name} is empty" for name in empty)),
            at=boot.at,
            case="empty",
            action="BootNotification",
            faults=", ".join(empty),
            version="1.6" if is_16 else "2.0.1",
        )


def at_unset_clock(seen: UnsetClock) -> Iterator[Finding]:
    """Judge a time stamp that can't be true."""
    yield found("CLOCK", Severity.WARNING, (seen.action, seen.stamp), at=seen.at, stamp=seen.stamp, action=seen.action)


def at_drift(seen: Drift, limits: Thresholds) -> Iterator[Finding]:
    """Judge how far a charger's clock is off (commissioning part 3, "Clock drift")."""
    off_s = abs(seen.drift_s)
    if off_s <= limits.clock_good_s:
        return
    yield found(
        "CLOCK",
        Severity.WARNING if off_s > limits.clock_bad_s else Severity.INFO,
        (seen.action, seen.stamp),
        at=seen.at,
        case="drift",
        action=seen.action,
        stamp=seen.stamp,
        drift=span(off_s),
        direction="ahead of" if seen.drift_s > 0 else "behind",
    )


def at_unbooted(seen: Unbooted) -> Iterator[Finding]:
    """Judge a connection without Boot: no fault, but worth a word."""
    heard = ", ".join(seen.heard) or "nothing"
    yield found(
        "NO-BOOT-ON-RECONNECT", Severity.INFO, ("heard instead", heard), waited=f"{seen.waited_s:.0f}", heard=heard
    )


def at_stateless(seen: Stateless) -> Iterator[Finding]:
    """Judge a booted connection without status."""
    waited = f"{seen.waited_s:.0f}"
    yield found("STATUS-MISSING", Severity.WARNING, ("waited", f"{waited} s after BootNotification"), waited=waited)


def at_spoken(seen: Spoken) -> Iterator[Finding]:
    """Judge a message of another OCPP version than agreed."""
    yield found(
        "VERSION-MIX",
        Severity.WARNING,
        ("agreed", f"OCPP {seen.agreed}" if seen.agreed else "no version"),
        (seen.action, seen.proof),
        at=seen.at,
        case="spoken",
        agreed=seen.agreed or "of no version",
        spoken=seen.spoken,
        action=seen.action,
        proof=seen.proof,
    )


def at_backlog(seen: Backlog, count: int, limits: Thresholds) -> Iterator[Finding]:
    """Judge a message about the past; ``count`` is how often it came.

    Twice is no fault: whose line broke before our answer came has to tell it again (OCPP 1.6 §3.7.1).
    """
    is_old, is_stuck = seen.age_s >= limits.past_old_s, seen.is_repeated and count >= STUCK_TIMES
    if not (is_old or is_stuck or seen.is_unknown):
        return
    case = "repeated" if is_stuck else "" if is_old else "unknown"
    yield found(
        "PAST-QUEUE",
        Severity.INFO if case == "unknown" else Severity.WARNING,
        (seen.action, seen.stamp or "no time"),
        *([("session", seen.transaction)] if seen.transaction else []),
        at=seen.at,
        case=case,
        action=seen.action,
        stamp=seen.stamp or "an unknown time",
        age=span(max(0.0, seen.age_s)),
        transaction=seen.transaction or "unknown",
        count=str(count),
    )


def at_boot_repeated(seen: BootRepeated) -> Iterator[Finding]:
    """Judge a Boot that came again on one connection."""
    if seen.answer in _WAITING:
        yield _waiting(seen)
    elif seen.is_early_call and seen.count >= EARLY_BOOTS and seen.since_last_s < EARLY_S:
        yield early(f"Boot number {seen.count}", "it boots again and again", span(seen.since_last_s))


def early(action: str, what: str, after: str, command: str = "a command") -> Finding:
    """Name a charger that can't bear commands before its Boot."""
    evidence: tuple[Evidence, ...] = (Evidence(label=action, text=f"{what}, {after} after the one before"),)
    base = found(
        "BOOT-LOOP-EARLYCMD",
        Severity.FAULT,
        experiment=EARLY_COMMAND,
        alike=("BOOT-SCHEMA", "PROBE-CRASH"),
        action=command,
        what=what,
    )
    return Finding(code=base.code, severity=base.severity, evidence=evidence, details=base.details)


def _waiting(seen: BootRepeated) -> Finding:
    is_hurried = seen.interval_s > 0 and seen.since_last_s < HURRY * seen.interval_s
    return found(
        "BOOT-PENDING",
        Severity.WARNING if is_hurried else Severity.INFO,
        ("Boot answered", f"{seen.answer}, interval {seen.interval_s} s"),
        ("next Boot after", span(seen.since_last_s)),
        case="hurries" if is_hurried else "",
        status=seen.answer,
        interval=span(seen.interval_s),
        since=span(seen.since_last_s),
        count=str(seen.count),
    )
