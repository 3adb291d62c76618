"""The hash chain of our own trace format. Pure.

Every line ends with ``,"hash":"<64 hex digits>"}``: SHA-256 over the hash of the line before (64 hex digits, of the
first line 64 zeros) and the line's own bytes before that ending. It shows what was changed, removed or reordered;
who rewrites the whole rest of a file can forge it, so a report that must stand names the last hash.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from app.model.trace import Flaw

START = "0" * 64

_TAIL = re.compile(rb',"hash":"([0-9a-f]{64})"\}\Z')
_TAIL_SIZE = 75
MOST_FLAWS = 100
"""Flaws kept in words; more are counted."""


def sealed(body: bytes, previous: str) -> tuple[bytes, str]:
    """Return a JSON object as a line of the chain (with its line end), and its hash. ``body`` ends with ``}``."""
    kept = body[:-1]
    digest = _digest(previous, kept)
    return b'%b,"hash":"%b"}\n' % (kept, digest.encode()), digest


def _digest(previous: str, kept: bytes) -> str:
    return hashlib.sha256(previous.encode() + kept).hexdigest()


@dataclass(slots=True)
class Flaws:
    """What is wrong with a file, bounded."""

    first: list[Flaw] = field(default_factory=list)
    count: int = 0

    def add(self, line: int, text: str) -> None:
        """Note one."""
        self.count += 1
        if len(self.first) < MOST_FLAWS:
            self.first.append(Flaw(line=line, text=text))


@dataclass(slots=True)
class ChainCheck:
    """Follow the chain line by line and name each place where it does not hold."""

    flaws: Flaws
    hash: str = START
    breaks: int = 0
    _expected: int = 1

    def take(self, line: bytes, number: int, stated: object) -> None:
        """Check a line. ``number`` is its place in the file, ``stated`` the number it carries (``n``)."""
        match = _TAIL.search(line)
        if match is None or type(stated) is not int:
            self.broke(number, "The line carries no hash or no number: it was changed.")
            self._expected += 1
            return
        if stated < self._expected:
            self.broke(number, f"The line that was written as line {stated} stands in the wrong place.")
            return
        claimed = match[1].decode()
        if stated > self._expected:
            self.broke(number, _missing(self._expected, stated - 1))
        elif claimed != _digest(self.hash, line[: len(line) - _TAIL_SIZE]):
            self.broke(number, "The line was changed after it was written, or the hash of the line before it was.")
        self.hash = claimed
        self._expected = stated + 1

    def broke(self, number: int, text: str) -> None:
        """Note a place where the chain does not hold."""
        self.breaks += 1
        self.flaws.add(number, text)


def _missing(first: int, last: int) -> str:
    lines = f"Line {first} is" if first == last else f"Lines {first} to {last} are"
    return f"{lines} missing before this one."
