"""Whether a report goes on from the ones before it, or is an old one sent again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from app.juicenet.message import COUNT
from app.model.juicebox import BoxReport

STALE_S = 600.0
"""A box not heard for so long may come back as anything: another board, emptied memory [OURS]."""
RESTARTS = 3
"""Reports in a row, each going on from the other, that prove a restart nobody announced [OURS]."""


class Verdict(Enum):
    """How a report is taken."""

    FOLLOWS = "follows"
    REPEATED = "repeated"
    OLD = "old"


@dataclass(slots=True)
class Line:
    """The thread of one box's reports.

    A restart begins a new one: told by a boot text, or by ``RESTARTS`` reports that go on from each other while none
    came that goes on from the old.
    """

    last: BoxReport | None = None
    _other: BoxReport | None = None
    _others: int = 0
    _has_booted: bool = False

    def booted(self) -> None:
        """Note that the box said it starts."""
        self._has_booted = True

    def takes(self, report: BoxReport) -> Verdict:
        """Judge a report, and keep it where it is believed."""
        last = self.last
        if last is None or _seconds(last.at, report.at) > STALE_S:
            return self._keep(report)
        if _lost_energy(last, report):
            return Verdict.OLD
        verdict = _judge(last, report)
        if verdict is Verdict.FOLLOWS or (self._has_booted and verdict is Verdict.OLD) or self._restarted(report):
            return self._keep(report)
        return verdict

    def _restarted(self, report: BoxReport) -> bool:
        if self._other is not None and _judge(self._other, report) is Verdict.FOLLOWS:
            self._others += 1
        else:
            self._others = 1
        self._other = report
        return self._others >= RESTARTS

    def _keep(self, report: BoxReport) -> Verdict:
        self.last, self._other, self._others, self._has_booted = report, None, 0, False
        return Verdict.FOLLOWS


def _seconds(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds()


def _lost_energy(last: BoxReport, report: BoxReport) -> bool:
    told, before = report.lifetime_wh, last.lifetime_wh
    return told is not None and before is not None and told < before


def _judge(last: BoxReport, report: BoxReport) -> Verdict:
    """Compare numbers. A box does not change its version while it runs; the oldest form has no numbers at all."""
    if report.version != last.version:
        return Verdict.OLD
    if last.loop is not None:
        if report.loop is None or report.loop < last.loop:
            return Verdict.OLD
        if report.loop > last.loop:
            return Verdict.FOLLOWS
    if last.counter is None:
        return Verdict.FOLLOWS if report.counter is None else Verdict.OLD
    ahead = (report.counter - last.counter) % COUNT if report.counter is not None else COUNT
    if ahead == 0:
        return Verdict.REPEATED
    return Verdict.FOLLOWS if ahead <= COUNT // 2 else Verdict.OLD
