"""Bridged units as rows and words: what each is, how it stands, what is wrong with it, what must change at it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.bridge.station import Start
from app.model.bridge import BridgeStatus, Correction, Knocking, LineState, UnitKind, UnitStatus
from app.model.frame import Direction, Frame, FrameKind
from app.service.choosing import OURS, Choice
from app.service.reading import PlanProblem
from app.service.site import SitePlan
from ui.i18n import worded
from ui.models.frame_words import summary
from ui.models.listing import Field
from ui.models.plain import clock_text, counted, moment_text, shortened, span_text, visible

KINDS = {UnitKind.BOX: "JuiceBox", UnitKind.RELAY: "OCPP charger"}
LINES: Mapping[LineState, tuple[str, str]] = {
    LineState.OFF: ("Off", "idle"),
    LineState.DIALLING: ("Dialling", "working"),
    LineState.PENDING: ("Not accepted yet", "attention"),
    LineState.ONLINE: ("Online", "good"),
}
STATES = {
    "Available": "Free",
    "Preparing": "Car there",
    "Charging": "Charging",
    "SuspendedEV": "Car is full or waits",
    "SuspendedEVSE": "Held at 0 A",
    "Finishing": "Ended, car there",
    "Reserved": "Reserved",
    "Unavailable": "Out of service",
    "Faulted": "Fault",
    "Occupied": "Car there",
}
STARTS: Mapping[Start, tuple[str, str]] = {
    Start.REMOTE: (
        "The backend alone starts (app, website)",
        "The box holds 0 A until the backend starts a session. If the bridge dies or is taken away without being "
        "released, the box stays at 0 A and nobody charges: it can't tell our 0 A from a limit of its own.",
    ),
    Start.TAG: (
        "Every car, if the backend accepts the box's own tag",
        "When a car comes, the backend is asked whether the tag below may charge; until it says yes the box holds 0 A. "
        "If the bridge dies or is taken away without being released, the box stays at 0 A and nobody charges.",
    ),
    Start.FREE: (
        "Everybody, also while the backend is away",
        "Current is always there; sessions are told to the backend under the tag below, later if it is away. A box "
        "whose bridge dies goes on charging.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridged:
    """A chosen unit, how it stands (``None`` while the bridge is off), and what is wrong with the choice."""

    choice: Choice
    status: UnitStatus | None = None
    problems: tuple[str, ...] = ()
    is_running: bool = False

    @property
    def key(self) -> tuple[UnitKind, str]:
        """Return what tells chosen units apart."""
        return key_of(self.choice)


def key_of(choice: Choice) -> tuple[UnitKind, str]:
    """Return what tells chosen units apart."""
    return choice.kind, choice.unit


def rows_of(
    choices: Sequence[Choice],
    status: BridgeStatus | None,
    wrong: Mapping[tuple[UnitKind, str], tuple[str, ...]],
) -> list[Bridged]:
    """Lay choices and what is known of them side by side, in the order of the choices; ``wrong`` as of ``by_unit``."""
    units = status.units if status is not None else ()
    boxes = {unit.unit: unit for unit in units if unit.kind is UnitKind.BOX}
    relays = {unit.identity: unit for unit in units if unit.kind is UnitKind.RELAY}
    return [
        Bridged(
            choice=choice,
            status=boxes.get(choice.unit) if choice.kind is UnitKind.BOX else relays.get(choice.identity),
            problems=wrong.get(key_of(choice), ()),
            is_running=status is not None,
        )
        for choice in choices
    ]


def by_unit(plan: SitePlan, problems: Iterable[PlanProblem]) -> dict[tuple[UnitKind, str], tuple[str, ...]]:
    """Sort problems by the units they belong to: ``box[2].id_tag`` is that of the second box.

    What is wrong with a backend belongs to all its units; what belongs to no unit is left out.
    """
    places: dict[str, list[tuple[UnitKind, str]]] = {}
    for number, box in enumerate(plan.boxes, start=1):
        places[f"box[{number}]"] = [(UnitKind.BOX, box.box_id)]
        places.setdefault(f"backend.{box.backend}", []).append((UnitKind.BOX, box.box_id))
    for number, relay in enumerate(plan.relays, start=1):
        places[f"relay[{number}]"] = [(UnitKind.RELAY, relay.unit_identity)]
        places.setdefault(f"backend.{relay.backend}", []).append((UnitKind.RELAY, relay.unit_identity))
    found: dict[tuple[UnitKind, str], tuple[str, ...]] = {}
    for problem in problems:
        for key in places.get(problem.place.rpartition(".")[0], ()):
            found[key] = (*found.get(key, ()), problem_text(problem))
    return found


FIELDS = {
    "identity": "identity",
    "id": "JuiceBox",
    "password": "password",
    "certificate": "certificate",
    "key": "private key",
    "id_tag": "tag",
    "circuit_a": "circuit's limit",
    "unit_identity": "name it says",
    "unit_password": "password it shows",
    "without": "corrections",
    "url": "backend's address",
    "security_profile": "security profile",
    "backend": "backend",
}
"""The words on screen for the keys of a site file."""


def problem_text(problem: PlanProblem) -> str:
    """Write what is wrong with a field as a sentence."""
    if problem.key == "url" and problem.place.startswith("backend.") and "empty" in problem.text:
        return worded("Its backend is no preset any more: choose another one.")
    if problem.key == "id_tag" and "needed" in problem.text:
        return worded("Enter the tag under which sessions are told to the backend.")
    name = FIELDS.get(problem.key, problem.key)
    text = f"{worded('The')} {worded(name)} {problem.text}" if name else problem.text
    return visible(text[:1].upper() + text[1:], 300).rstrip(".") + "."


def unmatched(problems: Iterable[PlanProblem]) -> tuple[str, ...]:
    """Return the problems that belong to no unit, in words."""
    whole = (one for one in problems if not one.place.startswith(("box[", "relay[", "backend.")))
    return tuple(dict.fromkeys(problem_text(one) for one in whole))


# Words of one unit


def kind_text(kind: UnitKind) -> str:
    """Name what is bridged."""
    return worded(KINDS[kind])


def backend_text(name: str) -> str:
    """Name a backend of a choice."""
    return worded("This computer's endpoint") if name == OURS else visible(name, 80)


def start_text(start: Start) -> tuple[str, str]:
    """Say who may charge, and what it means."""
    title, note = STARTS[start]
    return worded(title), worded(note)


def line_text(row: Bridged) -> tuple[str, str]:
    """Say how the line to the backend stands, and in which tone."""
    status = row.status
    if status is None:
        return (worded("Not taken up yet"), "idle") if row.is_running else (worded("Not bridged"), "idle")
    if status.kind is UnitKind.RELAY and status.line is LineState.OFF and not status.is_present:
        return worded("Charger away"), "attention"
    word, tone = LINES[status.line]
    return worded(word), tone


def state_text(row: Bridged) -> str:
    """Say how the unit stands."""
    status = row.status
    if status is None:
        return ""
    if not status.is_present:
        return worded("Not heard") if status.kind is UnitKind.BOX else ""
    return worded(STATES[status.state]) if status.state in STATES else visible(status.state, 40)


def energy_text(energy_wh: float | None) -> str:
    """Write an energy for people, in kWh."""
    return f"{energy_wh / 1000:.3f} kWh" if energy_wh is not None else "–"


def power_text(power_w: float) -> str:
    """Write a power for people."""
    return f"{power_w / 1000:.1f} kW" if power_w >= 1000 else f"{power_w:.0f} W"


def session_text(row: Bridged) -> str:
    """Say what runs."""
    status = row.status
    session = status.session if status is not None else None
    if status is None or session is None or session.ended_at is not None:
        return ""
    power = f" · {power_text(status.power_w)}" if status.power_w else ""
    return f"{session.energy_wh / 1000:.2f} kWh{power}"


def queue_text(row: Bridged) -> str:
    """Say how many messages wait for the backend."""
    return str(row.status.queued) if row.status is not None and row.status.queued else ""


def notice_of(row: Bridged) -> tuple[str, str]:
    """Return the one thing to know of a row, and its tone; empty where all is well."""
    status = row.status
    if row.problems:
        return row.problems[0], "fault"
    if status is None:
        return "", ""
    if status.trouble:
        return visible(status.trouble, 300), "fault"
    if status.awaits:
        return worded("Waits for {what}", what=visible(status.awaits, 300)), "working"
    count = len(status.corrections)
    if count:
        return counted(count, worded("1 correction"), worded("{count} corrections")), "attention"
    return (worded("Watched only"), "idle") if status.is_watch_only else ("", "")


ROW_FIELDS: tuple[Field[Bridged], ...] = (
    Field("Identity", lambda row: shortened(visible(row.choice.identity, 60), 12), 16),
    Field("Line", lambda row: line_text(row)[0], 14, lambda row: line_text(row)[1]),
    Field("State", state_text, 12),
    Field("Session", session_text, 18),
    Field("Waits", queue_text, 6, help="Messages that wait for the backend"),
    Field("Notice", lambda row: notice_of(row)[0], 16, lambda row: notice_of(row)[1]),
)


def unit_facts(choice: Choice) -> list[tuple[str, str]]:
    """Say what was chosen for a unit."""
    profile = int(choice.security_profile)
    facts = [
        (kind_text(choice.kind), visible(choice.unit, 80)),
        (worded("Backend"), backend_text(choice.backend)),
        (worded("Speaks"), worded("OCPP {version}, security profile {n}", version=choice.version, n=profile)),
    ]
    if choice.kind is UnitKind.BOX:
        facts.append((worded("Who may charge"), start_text(choice.start)[0]))
    elif choice.watches_only:
        facts.append((worded("Corrects"), worded("nothing: it is only watched")))
    return facts


def status_facts(row: Bridged, now: datetime) -> list[tuple[str, str]]:
    """Say how a unit stands, line by line."""
    status = row.status
    if status is None:
        return []
    return [
        (worded("Line"), worded("{line} since {time}", line=line_text(row)[0], time=moment_text(status.line_since))),
        (worded("State"), state_text(row) or "–"),
        *_electric(status),
        *_session(status),
        *_told(status, now),
    ]


def _electric(status: UnitStatus) -> list[tuple[str, str]]:
    facts = []
    if status.limit_a is not None:
        most = worded("of {n} A at most", n=f"{status.ceiling_a:g}") if status.ceiling_a else ""
        facts.append((worded("May draw"), f"{status.limit_a:g} A {most}".strip()))
    if status.is_present and status.register_wh is not None:
        facts.append((worded("Power"), power_text(status.power_w)))
        facts.append((worded("Meter"), energy_text(status.register_wh)))
    return facts


def _session(status: UnitStatus) -> list[tuple[str, str]]:
    session = status.session
    if session is None:
        return [(worded("Session"), worded("none"))]
    began = moment_text(session.began_at)
    words = worded("{energy} since {began}", energy=energy_text(session.energy_wh), began=began)
    ended = f" · {worded('ended')}" if session.ended_at is not None else ""
    told = visible(session.transaction, 40) or worded("no number from it yet")
    return [(worded("Session"), f"{words}{ended}"), (worded("Transaction"), told)]


def _told(status: UnitStatus, now: datetime) -> list[tuple[str, str]]:
    waiting = worded("nothing")
    if status.queued:
        waiting = _messages(status.queued)
        if status.oldest_queued_at is not None:
            age = span_text(max(0.0, (now - status.oldest_queued_at).total_seconds()))
            waiting = worded("{count}, the oldest from {age}", count=waiting, age=age)
    facts = [(worded("Waiting"), waiting), (worded("Delivered"), _messages(status.delivered))]
    if status.unmetered_wh:
        facts.append(
            (worded("Not told"), worded("{energy} outside of sessions", energy=energy_text(status.unmetered_wh)))
        )
    return facts


def _messages(count: int) -> str:
    return counted(count, worded("1 message"), worded("{count} messages"))


def correction_texts(correction: Correction) -> tuple[str, str, str]:
    """Return a correction's title with its count, what changed, and what must change at the unit."""
    times = counted(correction.count, "", worded("{count} times"))
    title = " · ".join(part for part in (visible(correction.title, 120), times) if part)
    before, after = visible(correction.before, 300), visible(correction.after, 300)
    return title, f"{before}  →  {after}" if before or after else "", visible(correction.remedy, 500)


# Messages


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message of a unit's line."""

    seq: int
    frame: Frame
    action: str
    """Of the request, where the message is its answer."""


def _direction(row: MessageRow) -> str:
    return worded("unit") if row.frame.direction is Direction.IN else worded("backend")


def _what(row: MessageRow) -> str:
    frame = row.frame
    kinds = {
        FrameKind.CALL: "",
        FrameKind.RESULT: worded("answer"),
        FrameKind.ERROR: worded("error"),
        FrameKind.BROKEN: worded("broken"),
    }
    mark = kinds.get(frame.kind, "")
    return " ".join(part for part in (visible(row.action, 60), mark) if part)


MESSAGE_FIELDS: tuple[Field[MessageRow], ...] = (
    Field("Time", lambda row: clock_text(row.frame.at)[:-4], 10, lambda _: "text2"),
    Field("From", _direction, 9),
    Field("Message", _what, 24),
    Field("Content", lambda row: summary(row.frame), 40, lambda _: "text2"),
)


def message_rows(frames: Sequence[Frame], most: int) -> list[MessageRow]:
    """Return the last messages, the newest first."""
    asked = {(frame.direction, frame.uid): frame.action for frame in frames if frame.kind is FrameKind.CALL}
    other = {Direction.IN: Direction.OUT, Direction.OUT: Direction.IN}
    return [
        MessageRow(frame.seq, frame, frame.action or asked.get((other[frame.direction], frame.uid), ""))
        for frame in reversed(frames[-most:])
    ]


# The whole bridge


def summary_text(status: BridgeStatus, now: datetime) -> str:
    """Say in a line how the bridge stands."""
    units = status.units
    online = sum(unit.line is LineState.ONLINE for unit in units)
    queued = sum(unit.queued for unit in units)
    since = span_text(max(0.0, (now - status.started_at).total_seconds()))
    parts = [worded("{n} of {all} online", n=online, all=len(units)), worded("started {since}", since=since)]
    if queued:
        parts.append(counted(queued, worded("1 message waits"), worded("{count} messages wait")))
    return " · ".join(parts)


def knocking_text(knocking: Sequence[Knocking]) -> str:
    """Say who came to the relays' port and was held off; the newest first."""
    lines = [
        f"{visible(one.name, 60)} ({visible(one.remote, 60)}): {visible(one.reason, 120)}"
        for one in knocking[-3:][::-1]
    ]
    more = worded(" and {n} more", n=len(knocking) - 3) if len(knocking) > 3 else ""
    return "; ".join(lines) + more


def waits_at_zero(choices: Iterable[Choice]) -> bool:
    """Say whether one of the boxes is held at 0 A until somebody may charge."""
    return any(choice.kind is UnitKind.BOX and choice.start is not Start.FREE for choice in choices)


def doubled(choice: Choice, others: Iterable[Choice]) -> dict[str, str]:
    """Name what another choice has already, by the key of the site file."""
    found = {}
    for other in others:
        if other.identity == choice.identity and other.backend == choice.backend:
            found["identity"] = worded("Another unit has this identity at the same backend.")
        if other.kind is choice.kind and other.unit == choice.unit:
            found["id" if choice.kind is UnitKind.BOX else "unit_identity"] = worded("This unit is bridged already.")
    return found
