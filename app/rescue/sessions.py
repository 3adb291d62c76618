"""Fold recorded frames into the charging sessions they tell of: what a dead backend never got. Pure.

Works on live traffic and on any recording. OCPP 1.6 tells a session by StartTransaction, MeterValues and
StopTransaction; 2.x by TransactionEvent. A session may lack its start or its stop: the old backend may have had it,
or it was lost. Nothing is filled in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.model.frame import Direction, Frame, FrameKind
from app.model.reading import Measurand, Row
from app.ocpp import v2, v16
from app.ocpp.frame import Call, Result, decode

MAX_SESSIONS = 100_000
MAX_FRAMES = 20
"""Frames named as the proof of one session: its first ones."""
REPLAYED_S = 600.0
"""A message that arrives so long after its time stamp was kept for later (failures 13) [OURS: 10 min]."""
TALKS = frozenset({"StartTransaction", "StopTransaction", "MeterValues", "TransactionEvent"})


@dataclass(slots=True, kw_only=True)
class Session:
    """One charging session as told. Registers in Wh, times UTC; ``None`` = not told."""

    transaction: str
    connector: int
    tag: str = ""
    """As sent; it is personal and only leaves the program as a pseudonym."""
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    meter_start_wh: float | None = None
    meter_stop_wh: float | None = None
    reason: str = ""
    lowest_wh: float | None = None
    highest_wh: float | None = None
    last_sample_at: datetime | None = None
    samples: int = 0
    messages: int = 0
    repeats: int = 0
    missing: int = 0
    """Sequence numbers never heard (2.x)."""
    is_replayed: bool = False
    """At least one message was kept by the unit before it was sent."""
    has_believable_times: bool = True
    first_heard_at: datetime | None = None
    last_heard_at: datetime | None = None
    frames: list[int] = field(default_factory=list)
    _numbers: set[int] = field(default_factory=set, repr=False)

    @property
    def energy_wh(self) -> float | None:
        """Return stop less start; where one of them is missing, what the samples show at least."""
        low = self.meter_start_wh if self.meter_start_wh is not None else self.lowest_wh
        high = self.meter_stop_wh if self.meter_stop_wh is not None else self.highest_wh
        return high - low if low is not None and high is not None else None

    @property
    def state(self) -> str:
        """Say in a word what was told: ``complete``, ``open``, ``without start``, ``samples only``."""
        if self.started_at is not None:
            return "complete" if self.stopped_at is not None else "open"
        return "without start" if self.stopped_at is not None else "samples only"


def sessions(frames: Iterable[Frame]) -> tuple[Session, ...]:
    """Return the sessions that one unit's frames tell, in the order they were first heard of."""
    book = _Book()
    for frame in frames:
        if frame.action in TALKS:
            book.enter(frame)
    return book.closed()


class _Book:
    def __init__(self) -> None:
        self._sessions: dict[tuple[str, str], Session] = {}
        self._starts: dict[str, tuple[Session, tuple[object, ...]]] = {}
        self._told: dict[tuple[object, ...], Session] = {}

    def enter(self, frame: Frame) -> None:
        if frame.direction is Direction.OUT:
            self._answered(frame)
        elif frame.kind is FrameKind.CALL:
            message = decode(frame.text)
            if isinstance(message, Call):
                self._asked(frame, message.payload)

    def closed(self) -> tuple[Session, ...]:
        every = {id(session): session for session in (*self._told.values(), *self._sessions.values())}
        for session in every.values():
            numbers = session._numbers
            session.missing = max(numbers) - min(numbers) + 1 - len(numbers) if numbers else 0
        return tuple(sorted(every.values(), key=lambda session: session.frames[0]))

    def _asked(self, frame: Frame, payload: Mapping[str, Any]) -> None:
        match frame.action:
            case "StartTransaction":
                self._start(frame, payload)
            case "StopTransaction":
                self._stop(frame, payload)
            case "TransactionEvent":
                self._event(frame, payload)
            case "MeterValues" if "transactionId" in payload:
                number = str(v16.number(payload["transactionId"]))
                session = self._of("1.6", number, v16.number(payload.get("connectorId")))
                self._heard(session, frame, payload)
                self._sampled(session, v16.rows(payload, frame.at))

    def _start(self, frame: Frame, payload: Mapping[str, Any]) -> None:
        told = tuple(str(payload.get(key)) for key in ("connectorId", "idTag", "timestamp", "meterStart"))
        session = self._told.get(told)
        if session is not None:
            session.repeats += 1
        elif len(self._told) < MAX_SESSIONS:
            session = Session(transaction="", connector=v16.number(payload.get("connectorId")))
            session.tag = v16.text(payload.get("idTag"), 64)
            session.started_at = v16.when(payload.get("timestamp"), frame.at)[0]
            session.meter_start_wh = v16.quantity(payload.get("meterStart"))
            self._told[told] = session
        else:
            return
        self._heard(session, frame, payload)
        self._starts[frame.uid] = (session, told)

    def _answered(self, frame: Frame) -> None:
        """Our answer to a StartTransaction gives the session its number."""
        started = self._starts.pop(frame.uid, None) if frame.action == "StartTransaction" else None
        if started is None or frame.kind is not FrameKind.RESULT:
            return
        message, session = decode(frame.text), started[0]
        if isinstance(message, Result) and "transactionId" in message.payload and not session.transaction:
            session.transaction = str(v16.number(message.payload["transactionId"]))
            self._sessions["1.6", session.transaction] = session

    def _stop(self, frame: Frame, payload: Mapping[str, Any]) -> None:
        session = self._of("1.6", str(v16.number(payload.get("transactionId"))), 0)
        if session.stopped_at is not None:
            session.repeats += 1
        self._heard(session, frame, payload)
        session.tag = session.tag or v16.text(payload.get("idTag"), 64)
        session.stopped_at = v16.when(payload.get("timestamp"), frame.at)[0]
        session.meter_stop_wh = v16.quantity(payload.get("meterStop"))
        session.reason = v16.text(payload.get("reason"), 50) or "Local"
        self._sampled(session, v16.rows(payload, frame.at, session.connector))

    def _event(self, frame: Frame, payload: Mapping[str, Any]) -> None:
        info = payload.get("transactionInfo")
        info = info if isinstance(info, dict) else {}
        session = self._of("2", v16.text(info.get("transactionId"), 36), v2.place_of(payload))
        number, token = v16.number(payload.get("seqNo")), v2.token(payload.get("idToken"))
        if number in session._numbers:
            session.repeats += 1
        session._numbers.add(number)
        self._heard(session, frame, payload)
        session.connector = session.connector or v2.place_of(payload)
        session.tag = session.tag or (token.value[:64] if token else "")
        session.is_replayed = session.is_replayed or payload.get("offline") is True
        at, values = v16.when(payload.get("timestamp"), frame.at)[0], payload.get("meterValue")
        self._sampled(session, v2.rows(values, frame.at, session.connector))
        if payload.get("eventType") == "Started":
            session.started_at = at
            session.meter_start_wh = v2.register_wh(values, "Transaction.Begin", frame.at)
        elif payload.get("eventType") == "Ended":
            session.stopped_at = at
            session.meter_stop_wh = v2.register_wh(values, "Transaction.End", frame.at)
            session.reason = v16.text(info.get("stoppedReason"), 50) or "Local"

    def _of(self, version: str, transaction: str, connector: int) -> Session:
        session = self._sessions.get((version, transaction))
        if session is None:
            session = Session(transaction=transaction, connector=connector)
            if len(self._sessions) < MAX_SESSIONS:
                self._sessions[version, transaction] = session
        session.connector = session.connector or connector
        return session

    def _heard(self, session: Session, frame: Frame, payload: Mapping[str, Any]) -> None:
        session.messages += 1
        session.first_heard_at = session.first_heard_at or frame.at
        session.last_heard_at = frame.at
        if len(session.frames) < MAX_FRAMES:
            session.frames.append(frame.seq)
        for stamp in _stamps(payload):
            at, is_believable = v16.when(stamp, frame.at)
            session.has_believable_times = session.has_believable_times and is_believable
            session.is_replayed = session.is_replayed or (frame.at - at).total_seconds() > REPLAYED_S

    def _sampled(self, session: Session, rows: Iterable[Row]) -> None:
        for measurand, value, at, _, phase in rows:
            session.samples += 1
            session.last_sample_at = max(at, session.last_sample_at or at)
            if measurand is Measurand.ENERGY and not phase:
                session.lowest_wh = value if session.lowest_wh is None else min(value, session.lowest_wh)
                session.highest_wh = value if session.highest_wh is None else max(value, session.highest_wh)


def _stamps(payload: Mapping[str, Any]) -> Iterator[object]:
    if "timestamp" in payload:
        yield payload["timestamp"]
    yield from v16.stamps(payload)
