"""Plain text logs as traces: recognised line by line, with the lines that were not understood counted. Pure.

What a log does not say is derived and never guessed silently: a direction from the action (only a charging station
sends BootNotification) or from the request that is answered; the zone of its clock from the UTC time in the backend's
own answers to Heartbeat and BootNotification.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from statistics import median_low

from app.model.frame import Direction, Frame, FrameKind
from app.model.trace import Entry
from app.ocpp.frame import head
from app.trace.chain import Flaws
from app.trace.dialects import (
    DIALECTS,
    EVEREST,
    Dialled,
    Said,
    Told,
    any_line,
    everest_head,
    may_hold_message,
    stamp_in,
)
from app.trace.pairing import EITHER, OPPOSITE, Pairs, side_of_request

Dialect = Callable[[str], Told | None]

SAMPLE_LINES = 300

MOST_NAMED = 1_000
"""Chargers told apart in one log."""

BLOCK_LIMIT = 524_288
"""Longest message over several lines, in characters."""

QUARTER_S = 900
"""Zones differ from UTC by multiples of a quarter of an hour."""

MOST_ZONE_S = 26 * 3_600
"""No zone is farther from UTC; what is told beyond it is a wrong clock [OURS]."""

_SECRETIVE = re.compile(r"authori[sz]ation|password|passwd|passphrase|secret|cookie", re.IGNORECASE)
_CURRENT_TIME = re.compile(r'"currentTime"\s*:\s*\\?"([0-9T:.+Z-]{19,35})')


def sample_of(lines: list[str]) -> list[str]:
    """Return the lines by which a log is recognised: the first that hold a message, or announce one."""
    telling = (line for line in lines if may_hold_message(line) or everest_head(line) is not None)
    return list(islice(telling, SAMPLE_LINES))


def recognise(lines: list[str]) -> tuple[str, Dialect] | None:
    """Return the dialect that reads the most of a sample, the strictest of those; ``None`` = no OCPP in it."""
    if any(everest_head(line) is not None for line in lines):
        return EVEREST, any_line
    counts = [(sum(dialect(line) is not None for line in lines), name, dialect) for name, dialect in DIALECTS]
    most = max(count for count, _, _ in counts)
    if not most:
        return None
    # One more line read by a looser dialect is chance (a stack trace that quotes a message).
    return next((name, dialect) for count, name, dialect in counts if count and count >= most * 0.8)


def zone_of(lines: list[str]) -> timedelta | None:
    """Return how far the log's clock is ahead of UTC, from the times in the backend's answers; ``None`` = unknown."""
    offsets = []
    for line in lines:
        stamp, told = stamp_in(line), _CURRENT_TIME.search(line)
        if stamp is None or stamp[1] or told is None or re.search(r"\[\s*3\s*,", line) is None:
            continue
        try:
            current = datetime.fromisoformat(told[1])
        except ValueError:
            continue
        current = current if current.tzinfo else current.replace(tzinfo=UTC)
        offsets.append((stamp[0] - current).total_seconds())
    if not offsets:
        return None
    zone_s = round(median_low(offsets) / QUARTER_S) * QUARTER_S
    return timedelta(seconds=zone_s) if abs(zone_s) <= MOST_ZONE_S else None


class LogReader:
    """Turns the lines of a log into frames. Give it a sample of the first lines, then every line."""

    def __init__(self, sample: list[str]) -> None:
        found = recognise(sample)
        self.dialect, self._read = found if found is not None else ("text", any_line)
        self.is_recognised = found is not None
        self.flaws = Flaws()
        self.unread = 0
        self.has_times = True
        self.zone = zone_of(sample)
        self._is_everest = self.dialect == EVEREST
        self._is_turned = _is_charger_side([self._read(line) for line in sample])
        self._pairs = Pairs()
        self._connections: dict[str, int] = {}
        self._seq = 0
        self._at = datetime(1970, 1, 1, tzinfo=UTC)
        self._block: list[str] = []
        self._block_size = 0
        self._block_side: Direction | None = None

    @property
    def clock(self) -> str:
        """Say how the times of the log were read."""
        if not self.has_times:
            return "some lines have no time; they take the time of the line before"
        if self.zone is None:
            return "no zone named: read as UTC"
        hours = self.zone.total_seconds() / 3600
        return f"{hours:+g} h against UTC, told by the backend's own answers"

    def take(self, line: bytes | None, number: int) -> Iterator[Entry]:
        """Read one line."""
        if line is None:
            self._flawed(number, "The line is too long.")
            return
        text = line.decode("utf-8", "replace").replace("\0", "�")
        if self._is_everest:
            yield from self._take_everest(text, number)
            return
        told = self._read(text)
        self._clock(text, is_needed=isinstance(told, Said))
        yield from self._entries(told, text, number)

    def finish(self) -> Iterator[Entry]:
        """Give what still waits for its end."""
        if self._block:
            yield from self._close_block(0)

    def _entries(self, told: Told | None, text: str, number: int) -> Iterator[Entry]:
        if isinstance(told, Dialled):
            self._connections[told.identity] = self._connections.get(told.identity, 0) + 1
        elif isinstance(told, Said):
            yield self._frame(told)
        elif told is None and text.strip():
            self._flawed(number, f"No OCPP message was found: {_shown(text)}")

    def _flawed(self, number: int, text: str) -> None:
        self.unread += 1
        self.flaws.add(number, text)

    def _clock(self, text: str, *, is_needed: bool) -> None:
        stamp = stamp_in(text)
        if stamp is not None:
            moment, is_zoned = stamp
            self._at = moment if is_zoned or self.zone is None else moment - self.zone
        elif is_needed:
            self.has_times = False
            self._at += timedelta(milliseconds=1)

    # libocpp writes a head line, then the message over several lines, then an empty one.

    def _take_everest(self, text: str, number: int) -> Iterator[Entry]:
        side = everest_head(text)
        if side is not None or (text[:4].isdigit() and stamp_in(text[:40]) is not None):
            if self._block:
                yield from self._close_block(number)
            self._clock(text, is_needed=False)
            self._block_side = side
            return
        if not text.strip():
            if self._block:
                yield from self._close_block(number)
        elif self._block_side is None:
            self._flawed(number, f"No OCPP message was found: {_shown(text)}")
        elif self._block_size < BLOCK_LIMIT:
            self._block.append(text.strip()[:BLOCK_LIMIT])
            self._block_size += len(text) + 1

    def _close_block(self, number: int) -> Iterator[Entry]:
        text, self._block, self._block_size = " ".join(self._block), [], 0
        told = any_line(text)
        if isinstance(told, Said) and self._block_side is not None:
            yield self._frame(Said(told.text, "", self._block_side))
        else:
            self._flawed(number, "No OCPP message was found in the lines before.")
        self._block_side = None

    def _frame(self, said: Said) -> Frame:
        kind, uid, action = head(said.text)
        identity = said.identity[:256]
        direction = self._side(said, kind, uid, action, identity)
        if kind is FrameKind.CALL:
            self._pairs.asked(identity, uid, direction, action)
        elif uid:
            action = self._pairs.answered(identity, uid, direction) or ""
        if len(self._connections) < MOST_NAMED:
            self._connections.setdefault(identity, 1)
        self._seq += 1
        return Frame(
            seq=self._seq,
            at=self._at,
            identity=identity,
            connection=self._connections.get(identity, 1),
            direction=direction,
            text=said.text,
            kind=kind,
            uid=uid,
            action=action,
        )

    def _side(self, said: Said, kind: FrameKind, uid: str, action: str, identity: str) -> Direction:
        stated = said.direction
        if stated is not None and self._is_turned:
            stated = OPPOSITE[stated]
        if kind is FrameKind.CALL:
            return side_of_request(kind, action) or stated or Direction.IN
        return self._pairs.side_of_answer(identity, uid) or stated or Direction.OUT


def _shown(line: str) -> str:
    """Return the beginning of a line, up to where it may go on with a password."""
    start = line.strip()[:80]
    match = _SECRETIVE.search(start)
    return f"{start[: match.end()]} …" if match else start


def _is_charger_side(sample: list[Told | None]) -> bool:
    """Say whether a log was written by the charger: what it calls sent are requests that only a charger sends."""
    votes = 0
    for told in sample:
        if isinstance(told, Said) and told.direction is not None:
            kind, _, action = head(told.text)
            side = None if action in EITHER else side_of_request(kind, action)
            votes += 0 if side is None else 1 if side is told.direction else -1
    return votes < 0
