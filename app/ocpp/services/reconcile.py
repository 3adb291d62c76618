"""A charging session's figures against each other: registers, samples, power and time. Pure.

Commissioning part 4: the register never falls; the energy fits power times time within 5 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import pairwise

from app.model.reading import Measurand, Reading
from app.ocpp.events import Transaction

TOLERANCE = 0.05
"""Of the energy (commissioning part 4)."""
ROUNDING_WH = 10.0
"""Registers are reported in whole watt hours or in hundredths of a kilowatt hour [OURS]."""
LEAST_WH = 100.0
"""Below, five per cent are less than what rounding leaves [OURS]."""
GAP_FACTOR = 2.5
"""A pause this many times the usual interval is a gap [OURS]; commissioning part 4: a sample within 2x."""
LEAST_GAP = timedelta(seconds=90)
MAX_PROOFS = 20
MAX_POINTS = 100_000


class Result(Enum):
    """What a check says."""

    RIGHT = "right"
    ODD = "odd"
    WRONG = "wrong"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question to a session's figures. Values in Wh where there are any."""

    name: str
    result: Result
    text: str
    expected: float | None = None
    found: float | None = None
    proofs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """All checks of one session."""

    transaction_id: int | str
    energy_wh: float | None
    checks: tuple[Check, ...]

    @property
    def result(self) -> Result:
        """Return the worst that was found; what is not known spoils nothing that is."""
        found = {check.result for check in self.checks}
        order = (Result.WRONG, Result.ODD, Result.RIGHT)
        return next((result for result in order if result in found), Result.UNKNOWN)

    def check(self, name: str) -> Check:
        """Return a check by its name."""
        return next(check for check in self.checks if check.name == name)


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a time."""

    at: datetime
    value: float


def reconcile(session: Transaction, readings: Iterable[Reading], *, now: datetime | None = None) -> Reconciled:
    """Check one session. ``readings`` are those of its connector and time, each series in the order it came."""
    taken = list(readings)[:MAX_POINTS]
    registers = _series(taken, Measurand.ENERGY)
    powers = _series(taken, Measurand.POWER)
    energy = session.energy_wh if session.energy_wh is not None else _span(registers)
    checks = (
        _stop(session),
        _registers(session, registers),
        _never_falls(session, registers),
        _plausible(energy, powers, session),
        _gaps(registers or powers),
        _clock(session, taken, now or datetime.now(UTC)),
    )
    return Reconciled(transaction_id=session.transaction_id, energy_wh=energy, checks=checks)


def _series(readings: Sequence[Reading], measurand: Measurand) -> list[Point]:
    """Return the sums of a measurand; per-phase values are added where no sum was sent."""
    wanted = [item for item in readings if item.measurand is measurand]
    sums = [Point(item.at, item.value) for item in wanted if not item.phase]
    if sums:
        return sums
    phases: dict[datetime, dict[str, float]] = {}
    for item in wanted:
        phases.setdefault(item.at, {})[item.phase] = item.value
    most = max((len(values) for values in phases.values()), default=0)
    return [Point(at, sum(values.values())) for at, values in phases.items() if len(values) == most]


def _span(points: Sequence[Point]) -> float | None:
    return points[-1].value - points[0].value if len(points) > 1 else None


def _stop(session: Transaction) -> Check:
    if session.stopped_at is None:
        return Check(name="stop", result=Result.ODD, text="It runs still, or its end was never told.")
    if session.meter_stop_wh is None:
        return Check(name="stop", result=Result.ODD, text="It ended without a meter value.")
    return Check(name="stop", result=Result.RIGHT, text=f"It ended ({session.reason or 'no reason told'}).")


def _registers(session: Transaction, registers: Sequence[Point]) -> Check:
    """Compare the register at start and stop with the samples in between."""
    start, stop = session.meter_start_wh, session.meter_stop_wh
    if not registers or (start is None and stop is None):
        return Check(name="registers", result=Result.UNKNOWN, text="No register samples to compare with.")
    proofs = []
    first, last = registers[0], registers[-1]
    if start is not None and first.value < start - ROUNDING_WH:
        proofs.append(f"start {start:,.0f} Wh, first sample {first.value:,.0f} Wh")
    if stop is not None and last.value > stop + ROUNDING_WH:
        proofs.append(f"last sample {last.value:,.0f} Wh, stop {stop:,.0f} Wh")
    energy, sampled = session.energy_wh, last.value - first.value
    if proofs:
        return Check(
            name="registers",
            result=Result.WRONG,
            text="Start, samples and stop do not follow each other.",
            expected=energy,
            found=sampled,
            proofs=tuple(proofs),
        )
    text = "Start, samples and stop follow each other."
    return Check(name="registers", result=Result.RIGHT, text=text, expected=energy, found=sampled)


def _never_falls(session: Transaction, registers: Sequence[Point]) -> Check:
    points = list(registers)
    if session.meter_start_wh is not None and session.started_at is not None:
        points.insert(0, Point(session.started_at, session.meter_start_wh))
    if session.meter_stop_wh is not None and session.stopped_at is not None:
        points.append(Point(session.stopped_at, session.meter_stop_wh))
    if len(points) < 2:
        return Check(name="never falls", result=Result.UNKNOWN, text="Fewer than two register values.")
    falls = [
        f"{later.at:%H:%M:%S}: {earlier.value:,.1f} → {later.value:,.1f} Wh"
        for earlier, later in pairwise(points)
        if later.value < earlier.value - 0.5
    ]
    if falls:
        text = f"The register fell {len(falls)} times." if len(falls) > 1 else "The register fell."
        return Check(name="never falls", result=Result.WRONG, text=text, proofs=tuple(falls[:MAX_PROOFS]))
    return Check(name="never falls", result=Result.RIGHT, text="The register never fell.")


def _plausible(energy: float | None, powers: Sequence[Point], session: Transaction) -> Check:
    """Compare the energy with power times time, over the time in which power was told."""
    name = "energy"
    if energy is None or len(powers) < 2:
        return Check(name=name, result=Result.UNKNOWN, text="No power samples to compare the energy with.")
    worked_out = _integral(_framed(powers, session))
    difference = abs(energy - worked_out)
    if max(energy, worked_out) < LEAST_WH:
        text = f"Only {energy:,.0f} Wh: too little to compare."
        return Check(name=name, result=Result.UNKNOWN, text=text, expected=worked_out, found=energy)
    share = difference / max(energy, 1.0)
    is_right = difference <= max(ROUNDING_WH, TOLERANCE * energy)
    text = f"{energy:,.0f} Wh metered, power over time gives {worked_out:,.0f} Wh ({share:.1%} apart)."
    result = Result.RIGHT if is_right else Result.WRONG
    return Check(name=name, result=result, text=text, expected=worked_out, found=energy)


def _framed(powers: Sequence[Point], session: Transaction) -> list[Point]:
    """Add start and stop: what was drawn before the first and after the last sample counts too."""
    points = sorted(powers, key=lambda point: point.at)
    usual = _usual_interval(points)
    if session.started_at is not None and timedelta(0) < points[0].at - session.started_at <= 2 * usual:
        points.insert(0, Point(session.started_at, points[0].value))
    if session.stopped_at is not None and timedelta(0) < session.stopped_at - points[-1].at <= 2 * usual:
        points.append(Point(session.stopped_at, points[-1].value))
    return points


def _integral(points: Sequence[Point]) -> float:
    """Return the energy in Wh under power in W, straight lines between the samples."""
    return sum(
        (earlier.value + later.value) / 2 * (later.at - earlier.at).total_seconds() / 3600
        for earlier, later in pairwise(points)
    )


def _usual_interval(points: Sequence[Point]) -> timedelta:
    steps = sorted(later.at - earlier.at for earlier, later in pairwise(points))
    return steps[len(steps) // 2] if steps else timedelta(0)


def _gaps(points: Sequence[Point]) -> Check:
    if len(points) < 3:
        return Check(name="gaps", result=Result.UNKNOWN, text="Too few samples to speak of gaps.")
    ordered = sorted(points, key=lambda point: point.at)
    most = max(_usual_interval(ordered) * GAP_FACTOR, LEAST_GAP)
    gaps = [
        f"{earlier.at:%H:%M:%S} to {later.at:%H:%M:%S}"
        for earlier, later in pairwise(ordered)
        if later.at - earlier.at > most
    ]
    if gaps:
        return Check(
            name="gaps",
            result=Result.ODD,
            text=f"Samples are missing in {len(gaps)} places.",
            proofs=tuple(gaps[:MAX_PROOFS]),
        )
    seconds = _usual_interval(ordered).total_seconds()
    return Check(name="gaps", result=Result.RIGHT, text=f"A sample every {seconds:.0f} s, without gaps.")


def _clock(session: Transaction, readings: Sequence[Reading], now: datetime) -> Check:
    """Look for times that go back, lie outside the session, or in the future."""
    proofs = []
    times = [item.at for item in readings]
    series: dict[tuple[Measurand, str], datetime] = {}
    for item in readings:
        before = series.get((item.measurand, item.phase), item.at)
        if item.at < before - timedelta(seconds=1):
            proofs.append(f"back from {before:%H:%M:%S} to {item.at:%H:%M:%S}")
        series[(item.measurand, item.phase)] = item.at
    start, stop = session.started_at, session.stopped_at
    if start is not None and stop is not None and stop < start:
        proofs.append(f"stops at {stop:%Y-%m-%d %H:%M:%S}, before it starts at {start:%Y-%m-%d %H:%M:%S}")
    latest = max([*times, *([stop] if stop else []), *([start] if start else [])], default=None)
    if latest is not None and latest > now + timedelta(seconds=60):
        proofs.append(f"{latest:%Y-%m-%d %H:%M:%S} lies in the future")
    if proofs:
        return Check(name="clock", result=Result.WRONG, text="The clock jumped.", proofs=tuple(proofs[:MAX_PROOFS]))
    if not times and start is None:
        return Check(name="clock", result=Result.UNKNOWN, text="No times to judge.")
    return Check(name="clock", result=Result.RIGHT, text="The times follow each other.")
