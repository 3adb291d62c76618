"""What the meter says in a session (OCPP 1.6 §4.7): the register never falls, energy is power times time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from app.acceptance.case import COMMISSIONING, case
from app.acceptance.cases16 import moves
from app.acceptance.facts import Facts, can_write
from app.acceptance.stage import Stage
from app.acceptance.take import Message, Take, seq_of
from app.model.acceptance import Check, must, should
from app.model.reading import Measurand, Reading
from app.ocpp.v16 import quantity, readings

INTERVAL_S = 10
SESSION_S = 45
GOOD, BAD = 0.05, 0.25
"""How far energy may be from power times time, good and bad, as a share (commissioning §4: 5 % [OURS])."""
LEAST_WH = 20.0
"""Below this a register of whole Wh is too coarse to compare."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One MeterValues: the time it names, energy in Wh, power in W; ``None`` where it does not tell."""

    message: Message
    at: datetime
    energy_wh: float | None
    power_w: float | None


def samples(take: Take) -> tuple[Sample, ...]:
    """Return the samples of the session, in the order they came."""
    found = []
    for message in take.heard("MeterValues", lambda message: message.get("transactionId") is not None):
        read = readings(message.payload, "", message.at)
        if read:
            energy = next((item.value for item in read if item.measurand is Measurand.ENERGY and not item.phase), None)
            found.append(Sample(message, read[0].at, energy, _power(read)))
    return tuple(found)


def _power(read: list[Reading]) -> float | None:
    told = [item for item in read if item.measurand is Measurand.POWER]
    whole = next((item.value for item in told if not item.phase), None)
    if whole is not None or told:
        return whole if whole is not None else sum(item.value for item in told)
    currents = [item for item in read if item.measurand is Measurand.CURRENT]
    volts = [item.value for item in read if item.measurand is Measurand.VOLTAGE]
    return sum(item.value for item in currents) * volts[0] if currents and volts else None


def judge_samples(take: Take) -> Iterator[Check]:
    """Look at rhythm and register."""
    yield from moves.judge_start(take)
    found = samples(take)
    seqs = [item.message.seq for item in found]
    yield must("MeterValues of the session come", len(found) >= 2, f"{len(found)} came", *seqs)
    if len(found) < 2:
        return
    pauses = [take.seconds(a.message.at, b.message.at) for a, b in pairwise(found)]
    seen = ", ".join(f"{pause:.0f} s" for pause in pauses[:8])
    yield must(
        "no further apart than twice MeterValueSampleInterval",
        max(pauses) <= 2 * INTERVAL_S + take.slack_s,
        seen,
        *seqs,
    )
    told = [item for item in found if item.energy_wh is not None]
    yield must("They tell the energy register (§9.1)", bool(told), f"{len(told)} of {len(found)}", *seqs)
    yield from _register(take, told)


def _register(take: Take, told: list[Sample]) -> Iterator[Check]:
    steps: list[tuple[float, int]] = []
    for start in take.heard("StartTransaction")[:1]:
        steps.append((quantity(start.get("meterStart")) or 0.0, start.seq))
    steps += [(item.energy_wh, item.message.seq) for item in told if item.energy_wh is not None]
    for stop in take.heard("StopTransaction")[:1]:
        steps.append((quantity(stop.get("meterStop")) or 0.0, stop.seq))
    # Registers in kWh with few digits, and whole Wh beside them, may differ by one Wh.
    falls = [(a, b) for a, b in pairwise(steps) if b[0] < a[0] - 1.0]
    seen = ", ".join(f"{a[0]:.0f} → {b[0]:.0f} Wh" for a, b in falls) or f"{steps[0][0]:.0f} → {steps[-1][0]:.0f} Wh"
    yield must("The register never falls, from meterStart to meterStop", not falls, seen, *(seq for _, seq in steps))


@case(
    "A16-METER-01",
    "Samples come in the rhythm that was set, and the register never falls",
    "OCPP 1.6 §4.7, §9.1",
    judge=judge_samples,
    budget_s=120,
    person=True,
    idle=True,
    needs=[can_write("MeterValueSampleInterval")],
)
async def rhythm(stage: Stage) -> None:
    """Set MeterValueSampleInterval to 10 s, charge for 40 s, put the old value back."""
    await _session(stage, 40)


def judge_energy(take: Take) -> Iterator[Check]:
    """Look at the session's begin and end; compare the energy between two samples with power times time."""
    yield from moves.judge_start(take)
    yield from moves.judge_stop(take, ("Remote",))
    found = [item for item in samples(take) if item.energy_wh is not None]
    seqs = [item.message.seq for item in found]
    yield must("Samples with the energy register come", len(found) >= 2, f"{len(found)} came", *seqs)
    powers = [item for item in found if item.power_w is not None]
    if len(found) < 2:
        return
    yield should(
        "They tell the power, or current and voltage",
        len(powers) == len(found),
        f"{len(powers)} of {len(found)}",
        *seqs,
    )
    if len(powers) < 2:
        return
    counted = (powers[-1].energy_wh or 0.0) - (powers[0].energy_wh or 0.0)
    expected = sum(_between(a, b) for a, b in pairwise(powers))
    yield must("Energy flows", counted > 0, f"{counted:.0f} Wh", *seqs)
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


@case(
    "A16-METER-02",
    "The energy counted is power times time",
    "OCPP 1.6 §4.7; commissioning: energy plausibility",
    judge=judge_energy,
    budget_s=115,
    suites=[COMMISSIONING],
    person=True,
    idle=True,
    needs=[can_write("MeterValueSampleInterval")],
)
async def energy(stage: Stage) -> None:
    """Set MeterValueSampleInterval to 10 s, charge for 45 s, compare the register with the power."""
    await _session(stage, SESSION_S)


async def _session(stage: Stage, seconds: float) -> None:
    await moves.plugged(stage)
    await stage.set("MeterValueSampleInterval", str(INTERVAL_S))
    number = await moves.must_begin(stage)
    since = stage.last_seq
    wanted = max(3, int(seconds // INTERVAL_S))
    await stage.until(lambda: len(stage.take.after(since).heard("MeterValues")) >= wanted, seconds)
    await moves.ended(stage, number)


def aligns(facts: Facts) -> str:
    """Need something to tell: with an empty MeterValuesAlignedData nothing is sent (§9.1)."""
    told = facts.settings.get("MeterValuesAlignedData")
    return "MeterValuesAlignedData is empty." if told is not None and told.value == "" else ""


def judge_aligned(take: Take) -> Iterator[Check]:
    """Look for clock-aligned values outside a session."""
    writes = take.asked("ChangeConfiguration", lambda message: message.get("key") == "ClockAlignedDataInterval")
    for write in writes[:1]:
        yield must("ClockAlignedDataInterval is accepted", write.status == "Accepted", write.status, *write.seqs)
        if write.status != "Accepted":
            return
        came = [m for m in take.after(write).heard("MeterValues") if "Sample.Clock" in m.frame.text]
        yield must("Clock-aligned MeterValues come", bool(came), f"{len(came)} came", *map(seq_of, came))


@case(
    "A16-METER-03",
    "Clock-aligned values come",
    "OCPP 1.6 §4.7, §9.1",
    judge=judge_aligned,
    budget_s=60,
    needs=[can_write("ClockAlignedDataInterval"), aligns],
)
async def aligned(stage: Stage) -> None:
    """Set ClockAlignedDataInterval to 10 s, wait for values, put the old one back."""
    since = stage.last_seq
    if await stage.set("ClockAlignedDataInterval", "10") == "Accepted":
        await stage.heard(
            "MeterValues", where=lambda message: "Sample.Clock" in message.frame.text, within_s=35, since=since
        )
