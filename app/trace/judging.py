"""Run the live detectors over a trace: the same ear, the same judge, at the times of the trace.

What our own traces keep (handshakes, knocks, failed TLS, endings, returns) goes to the judge as it was seen; what the
frames tell is heard again. A trace of frames alone is judged by its frames alone.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from app.diagnosis.watch import Watch
from app.model.finding import Finding
from app.model.frame import Direction, Frame, FrameKind, Handshake
from app.model.observation import Ended, Judge, Observation, Unanswered, Unbooted
from app.model.reading import Reading, StateChange
from app.model.trace import Entry, HumanStep, ProgramStart, Record
from app.ocpp.conversation import Asked, Told
from app.ocpp.ear import Ear, Hearing
from app.ocpp.events import MeterSampled, StatusChanged
from app.ocpp.ledger import Ledger
from app.ocpp.past import Past
from app.ocpp.times import Times
from app.ocpp.versions import is_agreed
from app.trace.merging import Selection, entries
from app.trace.recording import BREATH_S, SLICE_S, Recording
from app.trace.recording import Told as Progress

MOST_FINDINGS = 10_000
MOST_SAMPLES = 200_000
MOST_OPEN = 5_000
"""Connections heard at once; the longest silent one is forgotten."""

TICK = timedelta(seconds=1)
"""How often, in the time of the trace, every connection is asked what has not come."""

SAME_LIMIT = 3
"""How often the same finding is told of one connection (``app.ocpp.reception``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A finding of a trace: when, and at which frame (0 = none)."""

    finding: Finding
    at: datetime
    seq: int = 0
    identity: str = ""


@dataclass(slots=True)
class Judgement:
    """What a trace tells: findings, readings and states in the order of time, and the questions put to people."""

    findings: list[Found] = field(default_factory=list)
    samples: list[Reading | StateChange] = field(default_factory=list)
    sampled_at: list[datetime] = field(default_factory=list)
    """When each sample was heard: its own time is what the charger's clock says."""
    steps: list[Record] = field(default_factory=list)
    is_cut: bool = False
    """There were more than are kept."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Return every code once, sorted."""
        return tuple(sorted({found.finding.code for found in self.findings}))


@dataclass(slots=True)
class _Connection:
    ear: Ear
    ledger: Ledger
    is_from_start: bool
    """Its handshake is in the trace."""
    told: dict[tuple[str, str], int] = field(default_factory=dict)
    asked: tuple[str, str] = ("", "")
    """Action and id of our last call."""


class TraceJudge:
    """Takes the entries of a trace one by one. Pure."""

    def __init__(self, watch: Callable[[], Judge] = Watch, *, patience: Times | None = None) -> None:
        self.judgement = Judgement()
        self._patience = patience or Times()
        self._watch = watch
        self._judge = watch()
        self._has_evidence = False
        self._open: OrderedDict[tuple[str, int], _Connection] = OrderedDict()
        self._pasts: dict[str, Past] = {}
        self._ledgers: dict[str, Ledger] = {}
        self._transactions = itertools.count(1)
        self._seq = 0
        self._tick_at: datetime | None = None

    def take(self, entry: Entry) -> None:
        """Judge one entry."""
        self._tick(entry.at)
        if isinstance(entry, Frame):
            self._frame(entry)
        else:
            self._record(entry)

    def finish(self, at: datetime) -> None:
        """Say what had not come by the end."""
        self._tick_at = None
        self._tick(at)

    # Evidence

    def _record(self, record: Record) -> None:
        evidence = record.evidence
        match evidence:
            case ProgramStart():
                self._begin_anew()
            case HumanStep():
                self.judgement.steps.append(record)
            case Finding():
                return
            case Handshake():
                self._arrived(evidence, record)
            case Ended():
                self._ended(evidence, record)
            case Unanswered():
                self._unanswered(evidence, record)
            case _:
                self._observe((evidence,), record.at, record.identity, self._latest(record.identity))

    def _ended(self, ended: Ended, record: Record) -> None:
        there = self._open.pop(_key(record), None)
        if there is not None:
            self._tick_one(there, record.at)
        self._observe((ended,), record.at, record.identity, there)
        self._past(record.identity).ended(ended)

    def _unanswered(self, seen: Unanswered, record: Record) -> None:
        there = self._latest(record.identity)
        if there is not None and there.asked[0] == seen.action:
            there.ear.forget(there.asked[1])
        self._observe((seen,), record.at, record.identity, there)

    def _begin_anew(self) -> None:
        """A program that starts remembers nothing."""
        self._has_evidence = True
        self._judge = self._watch()
        self._open.clear()
        self._pasts.clear()
        self._ledgers.clear()

    def _arrived(self, shake: Handshake, record: Record) -> None:
        shake = replace(shake, at=record.at)
        if not record.connection:
            self._observe((shake,), record.at, record.identity, None)
            return
        there = self._opened(record.identity, record.connection, record.at, shake)
        self._observe((shake,), record.at, record.identity, there)

    def _opened(self, identity: str, number: int, at: datetime, shake: Handshake | None) -> _Connection:
        version = shake.version if shake is not None else "1.6"
        ear = Ear(
            identity,
            version,
            opened_at=at,
            is_agreed=shake is not None and is_agreed(shake.chosen_subprotocol),
            handshake=shake,
            past=self._past(identity),
            patience=self._patience,
        )
        ledger = self._ledgers.get(identity)
        if ledger is None:
            ledger = self._ledgers[identity] = Ledger(f"ocpp:{identity}", lambda: next(self._transactions))
            if len(self._ledgers) > MOST_OPEN:
                del self._ledgers[next(iter(self._ledgers))]
        there = self._open[identity, number] = _Connection(ear, ledger, shake is not None)
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        return there

    def _past(self, identity: str) -> Past:
        past = self._pasts.setdefault(identity, Past())
        if len(self._pasts) > MOST_OPEN:
            del self._pasts[next(iter(self._pasts))]
        return past

    def _latest(self, identity: str) -> _Connection | None:
        mine = (there for (name, _), there in reversed(self._open.items()) if name == identity)
        return next(mine, None)

    # Frames

    def _frame(self, frame: Frame) -> None:
        self._seq = frame.seq
        key = (frame.identity, frame.connection)
        there = self._open.get(key) or self._opened(frame.identity, frame.connection, frame.at, None)
        self._tick_one(there, frame.at)
        if frame.direction is Direction.OUT:
            said = there.ear.said(frame.text, frame.at)
            if said.kind is FrameKind.CALL:
                there.asked = (said.action, said.uid)
            return
        if any(note.startswith("CUT-") for note in frame.notes):
            self._judge_notes(frame, frame.notes, there)
            return
        hearing = there.ear.heard(frame.text, frame.at)
        self._judge_notes(frame, frame.notes if self._has_evidence else hearing.notes, there)
        self._find(hearing.findings, frame.at, frame.identity, there)
        self._observe(hearing.observations, frame.at, frame.identity, there)
        self._sample(there, hearing, frame.at)

    def _judge_notes(self, frame: Frame, notes: tuple[str, ...], there: _Connection) -> None:
        if notes:
            self._observe((replace(frame, notes=notes),), frame.at, frame.identity, there)

    def _sample(self, there: _Connection, hearing: Hearing, at: datetime) -> None:
        event = hearing.event
        if hearing.kind not in (FrameKind.CALL, FrameKind.SEND) or not isinstance(event, Asked | Told):
            return
        _, events = there.ledger.take(event.call.action, event.call.payload, at, version=there.ear.version)
        judgement = self.judgement
        for happened in events:
            if len(judgement.samples) >= MOST_SAMPLES:
                judgement.is_cut = True
            elif isinstance(happened, StatusChanged):
                judgement.samples.append(happened.change)
            elif isinstance(happened, MeterSampled):
                judgement.samples += happened.readings
        judgement.sampled_at += [at] * (len(judgement.samples) - len(judgement.sampled_at))

    # Time and findings

    def _tick(self, at: datetime) -> None:
        if self._tick_at is not None and at < self._tick_at:
            return
        self._tick_at = at + TICK
        for there in tuple(self._open.values()):
            self._tick_one(there, at)

    def _tick_one(self, there: _Connection, at: datetime) -> None:
        ear = there.ear
        while (due_at := ear.due_at) is not None and due_at <= at:
            self._observe(self._waited(there, ear.tick(due_at)), due_at, ear.identity, there)
            if ear.due_at == due_at:
                break
        if not self._has_evidence:
            self._observe(self._waited(there, ear.tick(at)), at, ear.identity, there)

    def _waited(self, there: _Connection, seen: list[Observation]) -> list[Observation]:
        """Leave out what this trace can't know by waiting.

        It tells itself of calls without an answer (and how long we waited); and where a recording began in the middle
        of a connection, Boot came before.
        """
        return [
            item
            for item in seen
            if not (self._has_evidence and isinstance(item, Unanswered))
            and not (isinstance(item, Unbooted) and not there.is_from_start)
        ]

    def _observe(self, seen: Iterable[Observation], at: datetime, identity: str, there: _Connection | None) -> None:
        for observation in seen:
            self._find(self._judge(observation), at, identity, there)

    def _find(self, findings: Iterable[Finding], at: datetime, identity: str, there: _Connection | None) -> None:
        for finding in findings:
            if there is not None:
                proof = (finding.code, finding.evidence[0].text if finding.evidence else "")
                there.told[proof] = count = there.told.get(proof, 0) + 1
                if count > SAME_LIMIT:
                    continue
            if len(self.judgement.findings) >= MOST_FINDINGS:
                self.judgement.is_cut = True
                return
            unit = finding.unit_id or (f"ocpp:{identity}" if identity else "")
            stamped = replace(finding, unit_id=unit, at=finding.at or at)
            self.judgement.findings.append(Found(finding=stamped, at=at, seq=self._seq, identity=identity))


def _key(record: Record) -> tuple[str, int]:
    return record.identity, record.connection


async def judge(
    recording: Recording,
    *,
    identity: str = "",
    watch: Callable[[], Judge] = Watch,
    patience: Times | None = None,
    told: Progress = lambda _count, _part: None,
) -> Judgement:
    """Judge a recording, or one charger of it, in small slices."""
    judging = TraceJudge(watch, patience=patience)
    until = max(1, recording.traffic.last_seq())
    beat = time.perf_counter() + SLICE_S
    count = 0
    for entry, part in entries(Selection(identity=identity), recording.traffic, recording.evidence, until):
        if entry is not None:
            judging.take(entry)
            count += 1
        if time.perf_counter() >= beat:
            told(count, part)
            await asyncio.sleep(BREATH_S)
            beat = time.perf_counter() + SLICE_S
    judging.finish(recording.end_at)
    told(count, 1.0)
    return judging.judgement
