"""What a meter says in a session: samples in their rhythm, a register that never falls, energy as power times time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from app.acceptance.take import Message, Take
from app.model.acceptance import Check, must, should
from app.model.reading import Measurand

INTERVAL_S = 10
SESSION_S = 45
GOOD, BAD = 0.05, 0.25
"""How far energy may be from power times time, good and bad, as a share (commissioning §4: 5 % [OURS])."""
LEAST_WH = 20.0
"""Below this a register of whole Wh is too coarse to compare."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: the time it names, energy in Wh, power in W, greatest current in A; ``None`` = not told."""

    message: Message
    at: datetime
    energy_wh: float | None
    power_w: float | None
    current_a: float | None


def sample(message: Message, at: datetime, told: Sequence[tuple[Measurand, float, str]]) -> Sample:
    """Make one of what a message tells: quantities in base units, each with its phase (empty = all together)."""
    energy = next((value for what, value, phase in told if what is Measurand.ENERGY and not phase), None)
    currents = [value for what, value, _ in told if what is Measurand.CURRENT]
    return Sample(message, at, energy, _power(told), max(currents, default=None))


def _power(told: Sequence[tuple[Measurand, float, str]]) -> float | None:
    powers = [(value, phase) for what, value, phase in told if what is Measurand.POWER]
    if powers:
        return next((value for value, phase in powers if not phase), sum(value for value, _ in powers))
    currents = [value for what, value, _ in told if what is Measurand.CURRENT]
    volts = [value for what, value, _ in told if what is Measurand.VOLTAGE]
    return sum(currents) * volts[0] if currents and volts else None


def judge_rhythm(take: Take, found: Sequence[Sample], setting: str) -> Iterator[Check]:
    """Look at the pauses between two samples or more, and whether they tell the register."""
    seqs = [item.message.seq for item in found]
    pauses = [take.seconds(a.message.at, b.message.at) for a, b in pairwise(found)]
    seen = ", ".join(f"{pause:.0f} s" for pause in pauses[:8])
    is_steady = max(pauses) <= 2 * INTERVAL_S + take.slack_s
    yield must(f"no further apart than twice {setting}", is_steady, seen, *seqs)
    told = [item for item in found if item.energy_wh is not None]
    yield must("They tell the energy register", bool(told), f"{len(told)} of {len(found)}", *seqs)


def judge_register(steps: Sequence[tuple[float, int]]) -> Iterator[Check]:
    """Look that the register never falls; ``steps`` are its values in Wh in their order, each with its frame."""
    if len(steps) < 2:
        return
    # Registers in kWh with few digits, and whole Wh beside them, may differ by one Wh.
    falls = [(a, b) for a, b in pairwise(steps) if b[0] < a[0] - 1.0]
    seen = ", ".join(f"{a[0]:.0f} → {b[0]:.0f} Wh" for a, b in falls) or f"{steps[0][0]:.0f} → {steps[-1][0]:.0f} Wh"
    yield must("The register never falls", not falls, seen, *(seq for _, seq in steps))


def judge_power(take: Take, samples: Sequence[Sample]) -> Iterator[Check]:
    """Compare the energy between two samples with power times time."""
    found = [item for item in samples if item.energy_wh is not None]
    seqs = [item.message.seq for item in found]
    yield must("Samples with the energy register come", len(found) >= 2, f"{len(found)} came", *seqs)
    powers = [item for item in found if item.power_w is not None]
    if len(found) < 2:
        return
    is_told = len(powers) == len(found)
    yield should("They tell the power, or current and voltage", is_told, f"{len(powers)} of {len(found)}", *seqs)
    if len(powers) < 2:
        return
    counted = (powers[-1].energy_wh or 0.0) - (powers[0].energy_wh or 0.0)
    expected = sum(_between(a, b) for a, b in pairwise(powers))
    yield must("Energy flows", counted > 0, f"{counted:.1f} Wh", *seqs)
    if max(counted, expected) < LEAST_WH * take.pace:
        yield should(f"There is enough energy to compare ({LEAST_WH:.0f} Wh)", False, f"{counted:.1f} Wh", *seqs)
        return
    share = abs(counted - expected) / max(expected, 0.001)
    seen = f"register {counted:.1f} Wh, power × time {expected:.1f} Wh, {share:.0%} apart"
    yield must(f"Energy is power times time, within {BAD:.0%}", share <= BAD, seen, *seqs)
    yield should(f"and within {GOOD:.0%}", share <= GOOD, seen, *seqs)


def _between(a: Sample, b: Sample) -> float:
    """Return power times time by the unit's own clock: its meter knows no other, not even in a simulation."""
    mean_w = ((a.power_w or 0.0) + (b.power_w or 0.0)) / 2
    return mean_w * (b.at - a.at).total_seconds() / 3600
