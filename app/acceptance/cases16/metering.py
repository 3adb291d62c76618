"""What the meter says in a session (OCPP 1.6 §4.7): the register never falls, energy is power times time."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.alike import metering
from app.acceptance.alike.metering import Sample
from app.acceptance.case import COMMISSIONING, case
from app.acceptance.cases16 import moves
from app.acceptance.facts import Facts, can_write
from app.acceptance.stage import Stage
from app.acceptance.take import Take, seq_of
from app.model.acceptance import Check, must
from app.ocpp.v16 import quantity, readings


def samples(take: Take) -> tuple[Sample, ...]:
    """Return the samples of the session, in the order they came."""
    found = []
    for message in take.heard("MeterValues", lambda message: message.get("transactionId") is not None):
        read = readings(message.payload, "", message.at)
        if read:
            told = [(item.measurand, item.value, item.phase) for item in read]
            found.append(metering.sample(message, read[0].at, told))
    return tuple(found)


def judge_samples(take: Take) -> Iterator[Check]:
    """Look at rhythm and register."""
    yield from moves.judge_start(take)
    found = samples(take)
    seqs = [item.message.seq for item in found]
    yield must("MeterValues of the session come", len(found) >= 2, f"{len(found)} came", *seqs)
    if len(found) < 2:
        return
    yield from metering.judge_rhythm(take, found, "MeterValueSampleInterval")
    yield from metering.judge_register(list(_registers(take, found)))


def _registers(take: Take, found: tuple[Sample, ...]) -> Iterator[tuple[float, int]]:
    """Return the register in Wh from meterStart to meterStop, each value with its frame."""
    for start in take.heard("StartTransaction")[:1]:
        yield quantity(start.get("meterStart")) or 0.0, start.seq
    yield from ((item.energy_wh, item.message.seq) for item in found if item.energy_wh is not None)
    for stop in take.heard("StopTransaction")[:1]:
        yield quantity(stop.get("meterStop")) or 0.0, stop.seq


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
    yield from metering.judge_power(take, samples(take))


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
    await _session(stage, metering.SESSION_S)


async def _session(stage: Stage, seconds: float) -> None:
    await moves.plugged(stage)
    await stage.set("MeterValueSampleInterval", str(metering.INTERVAL_S))
    number = await moves.must_begin(stage)
    since = stage.last_seq
    wanted = max(3, int(seconds // metering.INTERVAL_S))
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
