"""All boxes and what is to be told them: a datagram in, at most one reply out. Pure.

Nothing is sent to a box without an Adoption, and no datagram ever makes, changes or ends one.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from app.errors import ValueRejected
from app.juicenet import limits, message
from app.juicenet.following import Line, Verdict
from app.juicenet.limits import Found, Sent
from app.juicenet.message import DebugText, Nonsense, Sealed
from app.juicenet.pacing import Bucket, Door
from app.model.juicebox import Adoption, BoxReport, BoxState

BOXES = 2000
"""Boxes known, and adoptions kept, at most."""
PINNED_S = 60.0
"""How long a serial belongs to the address it was last heard from: two idle periods (``t``)."""
ABSENT_S = 120.0
"""A box silent for so long is absent: four idle periods [OURS]."""
NOTES = 8
BOX_RATE, BOX_BURST = 20.0, 200.0
"""Datagrams a second of one box: a start comes with a handful of log lines at once, a report every 9 s [OURS]."""


class BoxEvent(Enum):
    """What a datagram brought."""

    APPEARED = "appeared"
    REPORTED = "reported"
    BOOTED = "booted"
    SPOKE = "spoke"
    SEALED = "sealed"
    TOLD = "told"
    """It is told another limit than before."""
    REFUSED = "refused"
    """It was not believed: another sender, an old report again, a wrong checksum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What to do about a datagram. ``reply`` goes back to where it came from; ``report`` is there if believed."""

    reply: bytes | None = None
    state: BoxState | None = None
    events: tuple[BoxEvent, ...] = ()
    report: BoxReport | None = None


NOTHING = Heard()


@dataclass(slots=True)
class _Word:
    """What a person, and who acts for him, said of a box."""

    adoption: Adoption
    is_kept: bool
    bucket: Bucket
    wanted_a: float | None = None


@dataclass(slots=True)
class _Box:
    box_id: str
    host: str
    port: int
    first: datetime
    last: datetime
    bucket: Bucket
    line: Line = field(default_factory=Line)
    found: Found = field(default_factory=Found)
    sent: Sent = field(default_factory=Sent)
    waits_until: datetime | None = None
    counter: int = 0
    """Commands sent so far."""
    datagrams: int = 0
    refused: int = 0
    is_sealed: bool = False
    is_absent: bool = False
    software: str = ""
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=NOTES))

    def heard(self, source: tuple[str, int], at: datetime) -> None:
        self.host, self.port = source
        self.last = at
        self.is_absent = False
        self.datagrams += 1

    def is_pinned_elsewhere(self, host: str, at: datetime) -> bool:
        """Say whether its serial belongs to another address; a clock that was set back frees nobody's."""
        return host != self.host and (at - self.last).total_seconds() < PINNED_S


def _local(at: datetime) -> datetime:
    return at.astimezone()


class BoxBook:
    """All boxes heard and all adoptions.

    ``adopt`` are adoptions kept from before: what such a box holds now is what we had told it. ``local`` gives the
    local time, which sets the box's clock. Times are UTC.
    """

    def __init__(self, adopt: Iterable[Adoption] = (), *, local: Callable[[datetime], datetime] = _local) -> None:
        self._boxes: OrderedDict[str, _Box] = OrderedDict()
        self._words: dict[str, _Word] = {}
        self._door = Door()
        self._local = local
        self.dropped = 0
        """Datagrams not looked at, because their sender sent too many."""
        self.nonsense = 0
        """Datagrams that were none of a box."""
        for adoption in adopt:
            self.adopt(adoption, is_kept=True)

    @property
    def boxes(self) -> dict[str, BoxState]:
        """Return how all boxes heard stand, by serial."""
        return {box_id: self._state(box) for box_id, box in self._boxes.items()}

    @property
    def adoptions(self) -> tuple[Adoption, ...]:
        """List all adoptions, also of boxes not heard yet."""
        return tuple(word.adoption for word in self._words.values())

    def state(self, box_id: str) -> BoxState | None:
        """Return how a box stands; ``None`` where it was not heard."""
        box = self._boxes.get(box_id)
        return self._state(box) if box is not None else None

    def found(self, box_id: str) -> Found:
        """Return what a box reported before anything was sent to it."""
        box = self._boxes.get(box_id)
        return box.found if box is not None else Found()

    # What people say

    def proposal(
        self,
        box_id: str,
        circuit_a: float | None,
        *,
        at: datetime,
        rating_a: float | None = None,
        is_revived: bool = False,
        lifts_known: bool = False,
    ) -> Adoption:
        """Make an adoption of the circuit's limit and what the box reported. Nothing is adopted yet.

        Raises ValueRejected, with advice; ``limits.proposal`` tells of what.
        """
        return limits.proposal(
            box_id,
            circuit_a,
            self.found(box_id),
            at,
            rating_a=rating_a,
            is_revived=is_revived,
            lifts_known=lifts_known,
        )

    def adopt(self, adoption: Adoption, *, is_kept: bool = False) -> None:
        """Take a person's word on a box; nothing is sent before ``allow``. Raises ValueRejected.

        ``is_kept``: it comes from before, when it was checked against what the box then held.
        """
        self.check(adoption)
        word = self._words.get(adoption.box_id)
        if word is not None:
            word.adoption, word.is_kept = adoption, word.is_kept or is_kept
        else:
            bucket = Bucket(BOX_RATE, BOX_BURST, adoption.at.timestamp())
            self._words[adoption.box_id] = _Word(adoption, is_kept, bucket)

    def check(self, adoption: Adoption) -> None:
        """Raise ValueRejected, with advice, where ``adopt`` would."""
        if not math.isfinite(adoption.ceiling_a) or adoption.ceiling_a > message.MOST_A:
            raise ValueRejected("The limits of this adoption can't be.", f"Give 6 to {message.MOST_A} A.")
        if adoption.box_id not in self._words and len(self._words) >= BOXES:
            raise ValueRejected(f"{BOXES} boxes are adopted already.", "Withdraw those that are gone.")

    def withdraw(self, box_id: str) -> None:
        """Take the adoption back: nothing more is sent to that box."""
        self._words.pop(box_id, None)
        if (box := self._boxes.get(box_id)) is not None:
            box.sent = box.sent.withdrawn()
            box.waits_until = None

    def allow(self, box_id: str, amps: float, at: datetime) -> BoxState | None:
        """Allow a current from now on, in A: at most the ceiling, 0 below 6 A. It is told with the next reply.

        Returns how the box stands, ``None`` before it is heard. Raises ValueRejected for a box nobody adopted.
        """
        word = self._words.get(box_id)
        if word is None:
            raise ValueRejected(
                f"JuiceBox {box_id} is not adopted: nothing is sent to it.", "Enter its circuit's limit first."
            )
        word.wanted_a = amps
        box = self._boxes.get(box_id)
        if box is None:
            return None
        _, box.waits_until = limits.step(box.sent, self._target(box, word) or 0, at)
        return self._state(box)

    def ceiling_a(self, box_id: str) -> int:
        """Return the limit above which a box is never told anything, in A; 0 where nobody adopted it."""
        word, box = self._words.get(box_id), self._boxes.get(box_id)
        if word is None:
            return 0
        last = box.line.last if box is not None else None
        rating = last.rating_a if last is not None else None
        return limits.ceiling(word.adoption, self.found(box_id), rating)

    def due(self, at: datetime) -> tuple[BoxState, ...]:
        """Return the boxes that stand otherwise since time passed: absent now, or done waiting."""
        changed = []
        for box in self._boxes.values():
            is_absent = (at - box.last).total_seconds() > ABSENT_S
            is_over = box.waits_until is not None and box.waits_until <= at
            if is_absent != box.is_absent or is_over:
                box.is_absent = is_absent
                box.waits_until = None if is_over else box.waits_until
                changed.append(self._state(box))
        return tuple(changed)

    # What boxes say

    def received(self, data: bytes, source: tuple[str, int], at: datetime) -> Heard:
        """Take a datagram. Never raises; what is not believed has no reply and changes nothing but counters."""
        box_id = message.serial(data)
        box = self._boxes.get(box_id)
        if box is not None and box.is_pinned_elsewhere(source[0], at):
            box.refused += 1
            return NOTHING
        if not self._may_pass(box, box_id, source[0], at):
            self.dropped += 1
            return NOTHING
        found = message.read(data, at)
        if isinstance(found, Nonsense):
            return self._unread(box)
        is_new = box is None
        box = box or self._appeared(found.box_id, source, at)
        if box is None:
            self.dropped += 1
            return NOTHING
        heard = self._taken(box, found, source, len(data))
        return replace(heard, events=(BoxEvent.APPEARED, *heard.events)) if is_new else heard

    def _may_pass(self, box: _Box | None, box_id: str, host: str, at: datetime) -> bool:
        if box is not None:
            return box.bucket.takes(at.timestamp())
        if (word := self._words.get(box_id)) is not None:
            return word.bucket.takes(at.timestamp())
        return self._door.takes(host, at.timestamp())

    def _unread(self, box: _Box | None) -> Heard:
        self.nonsense += 1
        if box is None:
            return NOTHING
        box.refused += 1
        return Heard(state=self._state(box), events=(BoxEvent.REFUSED,))

    def _appeared(self, box_id: str, source: tuple[str, int], at: datetime) -> _Box | None:
        if len(self._boxes) >= BOXES and not self._forget_one():
            return None
        bucket = Bucket(BOX_RATE, BOX_BURST, at.timestamp())
        box = self._boxes[box_id] = _Box(box_id, *source, at, at, bucket)
        return box

    def _forget_one(self) -> bool:
        """Forget the box not heard for longest among those nobody adopted."""
        oldest = next((box_id for box_id in self._boxes if box_id not in self._words), None)
        return oldest is not None and self._boxes.pop(oldest) is not None

    def _taken(self, box: _Box, found: BoxReport | DebugText | Sealed, source: tuple[str, int], size: int) -> Heard:
        if isinstance(found, BoxReport):
            return self._reported(box, found, source, size)
        self._note(box, source, found.at)
        if isinstance(found, Sealed):
            box.is_sealed = True
            return Heard(state=self._state(box), events=(BoxEvent.SEALED,))
        box.notes.append(f"{found.level}: {found.text}")
        if found.is_boot:
            box.line.booted()
            box.software = found.software or box.software
        return Heard(state=self._state(box), events=(BoxEvent.BOOTED if found.is_boot else BoxEvent.SPOKE,))

    def _note(self, box: _Box, source: tuple[str, int], at: datetime) -> None:
        box.heard((source[0], source[1]), at)
        self._boxes.move_to_end(box.box_id)

    def _reported(self, box: _Box, report: BoxReport, source: tuple[str, int], size: int) -> Heard:
        if box.line.takes(report) is not Verdict.FOLLOWS:
            box.refused += 1
            return Heard(state=self._state(box), events=(BoxEvent.REFUSED,))
        self._note(box, source, report.at)
        box.is_sealed = False
        self._learn(box, report)
        before = box.sent.limit_a
        reply = self._reply(box, report, size)
        is_other = reply is not None and box.sent.limit_a != before
        events = (BoxEvent.REPORTED, BoxEvent.TOLD) if is_other else (BoxEvent.REPORTED,)
        return Heard(reply=reply, state=self._state(box), events=events, report=report)

    def _learn(self, box: _Box, report: BoxReport) -> None:
        """Note what it holds, as long as that is not what we told it."""
        word = self._words.get(box.box_id)
        if word is not None and word.is_kept:
            box.found = Found.kept(word.adoption)
        elif not box.counter:
            box.found = box.found.after(report)

    def _reply(self, box: _Box, report: BoxReport, size: int) -> bytes | None:
        word = self._words.get(box.box_id)
        target = self._target(box, word) if word is not None else None
        if target is None or not message.can_be_told(report.version):
            return None
        sent, waits = limits.step(box.sent, target, report.at)
        assert sent.limit_a is not None
        told = message.command(report.version, sent.limit_a, self._local(report.at), box.counter + 1)
        if len(told) > size:
            return None
        box.sent, box.waits_until = sent, waits
        box.counter += 1
        return told

    def _target(self, box: _Box, word: _Word) -> int | None:
        return None if word.wanted_a is None else limits.allowed(word.wanted_a, self.ceiling_a(box.box_id))

    def _state(self, box: _Box) -> BoxState:
        word = self._words.get(box.box_id)
        target = self._target(box, word) if word is not None else None
        told = box.sent.limit_a
        return BoxState(
            box_id=box.box_id,
            address=f"[{box.host}]:{box.port}" if ":" in box.host else f"{box.host}:{box.port}",
            first_heard=box.first,
            last_heard=box.last,
            report=box.line.last,
            is_encrypted=box.is_sealed,
            adoption=word.adoption if word is not None else None,
            allowed_a=float(told) if told is not None else None,
            changes_today=box.sent.changes_today,
            waits_until=box.waits_until,
            wanted_a=float(target) if target is not None and target != told else None,
            datagrams=box.datagrams,
            refused=box.refused,
            notes=tuple(box.notes),
            software=box.software,
            is_absent=box.is_absent,
        )
