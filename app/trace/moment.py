"""What a trace knows of every charger at one moment: connected or not, states, newest readings. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.model.frame import Handshake, Knock
from app.model.observation import TlsFailed
from app.model.reading import Measurand, Reading, StateChange
from app.model.trace import Record
from app.trace.judging import Found, Judgement

MOST_UNITS = 500


@dataclass(slots=True)
class UnitMoment:
    """One charger at a moment."""

    identity: str
    is_connected: bool | None = None
    """``None`` = the trace does not tell."""
    since: datetime | None = None
    version: str = ""
    """OCPP version agreed, or assumed, on its connection."""
    remote: str = ""
    states: dict[int, StateChange] = field(default_factory=dict)
    readings: dict[tuple[int, Measurand, str], Reading] = field(default_factory=dict)
    findings: int = 0


class Moments:
    """The moments of a trace. Going forward is cheap; going back starts anew."""

    def __init__(self, comings: Sequence[Record], judgement: Judgement) -> None:
        self.records = sorted(comings, key=lambda item: item.at)
        self.samples = judgement.samples
        self.findings = judgement.findings
        self._sample_times = judgement.sampled_at
        self._finding_times = [found.at for found in judgement.findings]
        self._restart()

    def _restart(self) -> None:
        self.at: datetime | None = None
        self.units: dict[str, UnitMoment] = {}
        self.knocks = 0
        """How often somebody came and did not become a connection."""
        self.last_knock: Knock | TlsFailed | None = None
        self._record = self._sample = self._finding = 0

    def go_to(self, at: datetime) -> dict[str, UnitMoment]:
        """Return what is known at a time, by identity."""
        if self.at is not None and at < self.at:
            self._restart()
        self.at = at
        while self._record < len(self.records) and self.records[self._record].at <= at:
            self._take_record(self.records[self._record])
            self._record += 1
        until = bisect_right(self._sample_times, at)
        self._take_samples(self.samples[self._sample : until])
        self._sample = max(self._sample, until)
        seen = bisect_right(self._finding_times, at)
        for found in self.findings[self._finding : seen]:
            if found.identity:  # a knock is nobody's
                self._unit(found.identity).findings += 1
        self._finding = max(self._finding, seen)
        return self.units

    def samples_until(self, at: datetime) -> int:
        """Return how many samples there are up to a time."""
        return bisect_right(self._sample_times, at)

    def findings_until(self, at: datetime) -> list[Found]:
        """Return the findings up to a time."""
        return self.findings[: bisect_right(self._finding_times, at)]

    def _take_record(self, record: Record) -> None:
        evidence = record.evidence
        if isinstance(evidence, Knock | TlsFailed):
            if isinstance(evidence, TlsFailed) or evidence.verdict != "accepted":
                self.knocks += 1
                self.last_knock = evidence
            return
        unit = self._unit(record.identity)
        unit.is_connected, unit.since = isinstance(evidence, Handshake), record.at
        if isinstance(evidence, Handshake):
            unit.version, unit.remote = evidence.version, evidence.remote

    def _take_samples(self, samples: Iterable[Reading | StateChange]) -> None:
        for sample in samples:
            unit = self._unit(sample.unit_id.removeprefix("ocpp:"))
            if isinstance(sample, StateChange):
                unit.states[sample.connector] = sample
            elif len(unit.readings) < 500:
                unit.readings[sample.connector, sample.measurand, sample.phase] = sample

    def _unit(self, identity: str) -> UnitMoment:
        unit = self.units.get(identity)
        if unit is None:
            unit = UnitMoment(identity)
            if len(self.units) < MOST_UNITS:
                self.units[identity] = unit
        return unit
