"""What the meter says in a transaction (OCPP 2.0.1 part 2, J01, J02): no falling register, energy is power × time."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.alike import metering
from app.acceptance.alike.metering import Sample
from app.acceptance.case import COMMISSIONING
from app.acceptance.cases201 import moves
from app.acceptance.cases201.asking import SAMPLE_S, case201, measures
from app.acceptance.facts import can_write
from app.acceptance.stage import Stage
from app.acceptance.take import Message, Take, seq_of
from app.model.acceptance import Check, must
from app.ocpp import v2

ALIGNED_KEY = "AlignedDataCtrlr.Interval"


def samples(take: Take) -> tuple[Sample, ...]:
    """Return the periodic samples of the transaction, in the order they came."""
    found = []
    for told in moves.events(take, None, "Updated"):
        rows = v2.rows(told.get("meterValue"), told.at, 0)
        if not rows or told.text("triggerReason") not in ("MeterValuePeriodic", "MeterValueClock"):
            continue
        values = [(what, value, phase) for what, value, _, _, phase in rows]
        found.append(metering.sample(told, rows[0][2], values))
    return tuple(found)


def judge_samples(take: Take) -> Iterator[Check]:
    """Look at rhythm and register."""
    yield from moves.judge_start(take)
    found = samples(take)
    seqs = [item.message.seq for item in found]
    yield must("Samples of the transaction come (J02)", len(found) >= 2, f"{len(found)} came", *seqs)
    if len(found) < 2:
        return
    yield from metering.judge_rhythm(take, found, "TxUpdatedInterval")
    yield from moves.judge_register(take, moves.transaction_of(take))


@case201(
    "A201-METER-01",
    "Samples come in the rhythm that was set, and the register never falls",
    "OCPP 2.0.1 J02 (SampledDataCtrlr.TxUpdatedInterval)",
    judge=judge_samples,
    budget_s=140,
    person=True,
    idle=True,
    needs=[can_write(SAMPLE_S), measures("SampledDataCtrlr.TxUpdatedMeasurands")],
)
async def rhythm(stage: Stage) -> None:
    """Set TxUpdatedInterval to 10 s, charge for 40 s, put the old value back."""
    await _session(stage, 40)


def judge_energy(take: Take) -> Iterator[Check]:
    """Look at the begin and the end; compare the energy between two samples with power times time."""
    yield from moves.judge_start(take)
    yield from moves.judge_end(take, ("Remote",))
    yield from moves.judge_sequence(take, moves.transaction_of(take))
    yield from metering.judge_power(take, samples(take))


@case201(
    "A201-METER-02",
    "The energy counted is power times time",
    "OCPP 2.0.1 J02; commissioning: energy plausibility",
    judge=judge_energy,
    budget_s=115,
    suites=[COMMISSIONING],
    person=True,
    idle=True,
    needs=[can_write(SAMPLE_S), measures("SampledDataCtrlr.TxUpdatedMeasurands")],
)
async def energy(stage: Stage) -> None:
    """Set TxUpdatedInterval to 10 s, charge for 45 s, compare the register with the power."""
    await _session(stage, metering.SESSION_S)


async def _session(stage: Stage, seconds: float) -> None:
    await moves.plugged(stage)
    await stage.set(SAMPLE_S, str(metering.INTERVAL_S))
    transaction = await moves.must_begin(stage)
    since = stage.last_seq
    wanted = max(3, int(seconds // metering.INTERVAL_S))
    await stage.until(lambda: len(samples(stage.take.after(since))) >= wanted, seconds)
    await moves.ended(stage, transaction)


def judge_aligned(take: Take) -> Iterator[Check]:
    """Look for clock-aligned values."""
    for write in take.asked("SetVariables")[:1]:
        status = write.answer.text("setVariableResult", 0, "attributeStatus") if write.answer else "no answer"
        yield must("AlignedDataCtrlr.Interval is accepted", status == "Accepted", status, *write.seqs)
        if status == "Accepted":
            came = [told for told in take.after(write).heard() if _is_aligned(told)]
            yield must("Clock-aligned values come (J01)", bool(came), f"{len(came)} came", *map(seq_of, came[:4]))


def _is_aligned(told: Message) -> bool:
    return told.action in ("MeterValues", "TransactionEvent") and "Sample.Clock" in told.frame.text


@case201(
    "A201-METER-03",
    "Clock-aligned values come",
    "OCPP 2.0.1 J01 (AlignedDataCtrlr.Interval)",
    judge=judge_aligned,
    budget_s=70,
    needs=[can_write(ALIGNED_KEY), measures("AlignedDataCtrlr.Measurands")],
)
async def aligned(stage: Stage) -> None:
    """Set AlignedDataCtrlr.Interval to 10 s, wait for values, put the old one back."""
    since = stage.last_seq
    if await stage.set(ALIGNED_KEY, "10") == "Accepted":
        await stage.heard(where=_is_aligned, within_s=35, since=since)
