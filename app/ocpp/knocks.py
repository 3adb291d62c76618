"""The knock list: who came to our port, the newest last, with what was found in each. Pure."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import replace

from app.model.finding import Finding
from app.model.frame import Knock

MAX_KNOCKS = 500


class KnockList:
    """At most ``MAX_KNOCKS``; the oldest goes."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._knocks: deque[Knock] = deque(maxlen=MAX_KNOCKS)
        self._findings: dict[int, tuple[Finding, ...]] = {}

    def __iter__(self) -> itertools.chain[Knock]:
        return itertools.chain(self._knocks)

    def enter(self, knock: Knock) -> Knock:
        """Number a knock and enter it."""
        numbered = replace(knock, seq=next(self._numbers))
        self._knocks.append(numbered)
        return numbered

    def explain(self, knock: Knock, findings: tuple[Finding, ...]) -> None:
        """Keep what was found in a knock as long as the knock."""
        self._findings[knock.seq] = findings
        self._findings.pop(knock.seq - MAX_KNOCKS, None)

    def findings_of(self, knock: Knock) -> tuple[Finding, ...]:
        """Return what was found in a knock."""
        return self._findings.get(knock.seq, ())
