"""What was captured during one case, readable: messages, pairs of question and answer, connections. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from app.model.acceptance import Mark
from app.model.frame import Direction, Frame, FrameKind
from app.ocpp.frame import Call, Error, Result, decode
from app.ocpp.v16 import when

PUT_BACK = "put back"
"""The mark between a case and its cleaning up."""
READS = frozenset({"GetConfiguration", "GetVariables"})
"""What other parts of this program may ask while a case runs, most of all when the unit has just dialled."""
ASKED = "asked"
"""Marks a call of the case itself: its text is the action, its fact ``seq`` the frame."""


@dataclass(frozen=True, slots=True)
class Message:
    """One decoded frame. ``code`` and ``description`` only of a CALLERROR; broken texts have an empty payload."""

    frame: Frame
    payload: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    description: str = ""

    @property
    def seq(self) -> int:
        """Return the frame's number: the evidence."""
        return self.frame.seq

    @property
    def at(self) -> datetime:
        """Return when it passed our port (UTC)."""
        return self.frame.at

    @property
    def action(self) -> str:
        """Return the action; of an answer that of its request."""
        return self.frame.action

    @property
    def is_in(self) -> bool:
        """Say whether the unit said it."""
        return self.frame.direction is Direction.IN

    @property
    def is_call(self) -> bool:
        """Say whether it asks something."""
        return self.frame.kind in (FrameKind.CALL, FrameKind.SEND)

    def text(self, *path: str | int) -> str:
        """Return a value deep in the payload as text, empty where there is none."""
        value = self.get(*path)
        return "" if value is None or isinstance(value, dict | list) else str(value)

    def get(self, *path: str | int) -> Any:
        """Return a value deep in the payload, ``None`` where there is none."""
        value: Any = self.payload
        for part in path:
            if isinstance(part, str) and isinstance(value, Mapping):
                value = value.get(part)
            elif isinstance(part, int) and isinstance(value, list) and -len(value) <= part < len(value):
                value = value[part]
            else:
                return None
        return value

    def stamp(self, *path: str | int) -> datetime | None:
        """Return a time stamp deep in the payload (default: ``timestamp``), ``None`` where it can't be believed."""
        at, is_good = when(self.get(*(path or ("timestamp",))), self.at)
        return at if is_good else None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call of ours and what the unit said to it; ``answer`` is ``None`` where it said nothing."""

    request: Message
    answer: Message | None

    @property
    def status(self) -> str:
        """Return the answer's status; a CALLERROR's code; ``no answer``."""
        if self.answer is None:
            return "no answer"
        return self.answer.code or self.answer.text("status")

    @property
    def is_answered(self) -> bool:
        """Say whether a CALLRESULT came."""
        return self.answer is not None and not self.answer.code

    @property
    def seqs(self) -> tuple[int, ...]:
        """Return the numbers of both frames."""
        return (self.request.seq,) if self.answer is None else (self.request.seq, self.answer.seq)

    @property
    def ended_at(self) -> datetime:
        """Return when the answer came, or the question went out."""
        return self.request.at if self.answer is None else self.answer.at

    def get(self, *path: str | int) -> Any:
        """Return a value of the answer."""
        return None if self.answer is None else self.answer.get(*path)


def ANY(_: Message) -> bool:
    """Take every message."""
    return True


class Take:
    """Frames and marks of one case, in order. Times between them are told in the case's own seconds."""

    def __init__(
        self,
        messages: Iterable[Message],
        marks: Iterable[Mark] = (),
        *,
        pace: float = 1.0,
        ours: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        self.messages = tuple(messages)
        self.marks = tuple(marks)
        self.pace = pace
        self._ours = _asked_by_the_case(self.marks) if ours is None else ours

    @classmethod
    def of(cls, frames: Iterable[Frame], marks: Iterable[Mark] = (), *, pace: float = 1.0) -> Take:
        """Decode frames as they were stored."""
        return cls(map(read, frames), marks, pace=pace)

    @property
    def proper(self) -> Take:
        """Return the case without what was done after it to put things back: that is what judges get."""
        ends = self.marked(PUT_BACK)
        return self.before(ends[0]) if ends else self

    @cached_property
    def connections(self) -> tuple[int, ...]:
        """Return the numbers of the connections that said something, in order."""
        return tuple(dict.fromkeys(message.frame.connection for message in self.messages))

    def heard(self, action: str = "", where: Callable[[Message], bool] = ANY) -> tuple[Message, ...]:
        """Return what the unit asked or told us."""
        return tuple(
            message
            for message in self.messages
            if message.is_in and message.is_call and (not action or message.action == action) and where(message)
        )

    def asked(self, action: str = "", where: Callable[[Message], bool] = ANY) -> tuple[Exchange, ...]:
        """Return our calls with their answers. What other parts of this program ask meanwhile does not count."""
        return tuple(
            Exchange(message, self._answer_to(message))
            for message in self.messages
            if not message.is_in and message.is_call and (not action or message.action == action)
            if self._is_ours(message) and where(message)
        )

    def replied(self, call: Message) -> Message | None:
        """Return our answer to a call of the unit."""
        return self._answer_to(call)

    def after(self, moment: int | Message | Exchange | Mark | None) -> Take:
        """Return what came after a frame number, a message, an exchange's question, or a mark."""
        if moment is None:
            return self
        seq = moment if isinstance(moment, int) else _seq(moment)
        marks = [mark for mark in self.marks if mark.seq >= seq and mark is not moment]
        return Take([message for message in self.messages if message.seq > seq], marks, pace=self.pace, ours=self._ours)

    def before(self, moment: int | Message | Exchange | Mark) -> Take:
        """Return what came before a frame number, a message, an exchange's question, or (with its frame) a mark."""
        seq = moment if isinstance(moment, int) else _seq(moment)
        last = seq if isinstance(moment, Mark) else seq - 1
        marks = [mark for mark in self.marks if mark.seq <= last and mark is not moment]
        return Take(
            [message for message in self.messages if message.seq <= last], marks, pace=self.pace, ours=self._ours
        )

    def on(self, connection: int) -> Take:
        """Return what was said on one connection."""
        said = [message for message in self.messages if message.frame.connection == connection]
        return Take(said, self.marks, pace=self.pace, ours=self._ours)

    def marked(self, name: str) -> tuple[Mark, ...]:
        """Return the marks of that name."""
        return tuple(mark for mark in self.marks if mark.name == name)

    def seconds(self, start: datetime, end: datetime) -> float:
        """Return the time between two moments, in the case's own seconds."""
        return (end - start).total_seconds() / self.pace

    @property
    def slack_s(self) -> float:
        """Return what a network and a busy computer may add to any time, in the case's own seconds."""
        return 0.25 / self.pace

    def _is_ours(self, call: Message) -> bool:
        known = self._ours.get(call.action) if call.action in READS else None
        return known is None or str(call.seq) in known

    def _answer_to(self, call: Message) -> Message | None:
        return self._answers.get((not call.is_in, call.frame.connection, call.frame.uid))

    @cached_property
    def _answers(self) -> dict[tuple[bool, int, str], Message]:
        found: dict[tuple[bool, int, str], Message] = {}
        for message in self.messages:
            if message.frame.kind in (FrameKind.RESULT, FrameKind.ERROR):
                found.setdefault((message.is_in, message.frame.connection, message.frame.uid), message)
        return found


def _asked_by_the_case(marks: Iterable[Mark]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for mark in marks:
        if mark.name == ASKED:
            found[mark.text] = found.get(mark.text, frozenset()) | {mark.facts.get("seq", "")}
    return found


def read(frame: Frame) -> Message:
    """Decode one frame; what is no message has an empty payload."""
    match decode(frame.text):
        case Call(payload=payload) | Result(payload=payload):
            return Message(frame, payload)
        case Error(code=code, description=description):
            return Message(frame, {}, code, description)
        case _:
            return Message(frame)


def seq_of(message: Message | None) -> int:
    """Return a message's number as evidence, 0 (no evidence) where there is none."""
    return message.seq if message else 0


def _seq(moment: Message | Exchange | Mark) -> int:
    return moment.request.seq if isinstance(moment, Exchange) else moment.seq
