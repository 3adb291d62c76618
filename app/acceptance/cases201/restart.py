"""Reset and the way back (OCPP 2.0.1 part 2, B11 and B12; commissioning: reboot survival)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from app.acceptance import returning
from app.acceptance.case import REPAIR
from app.acceptance.cases201 import moves
from app.acceptance.cases201.asking import SAMPLE_S, about, case201, selector
from app.acceptance.facts import Facts, can_write
from app.acceptance.returning import judge_way, way_back
from app.acceptance.stage import Stage
from app.acceptance.take import Message, Take, seq_of
from app.model.acceptance import Check, must

restarted = partial(returning.restarted, place="evseId")
"""Reset it, and wait until it is back."""
back = partial(returning.back, place="evseId")
"""Wait until it is back from a restart."""


def judge_return(
    take: Take, statuses: tuple[str, ...] = ("Accepted",), since: Message | None = None
) -> Iterator[Check]:
    """Look at the answer, the time away, the Boot and the states. ``since``: what began the time away, if not Reset."""
    for reset in take.asked("Reset")[:1]:
        yield must(f"Reset is {' or '.join(statuses)} (B11)", reset.status in statuses, reset.status, *reset.seqs)
        if reset.status not in statuses:
            return
        left_at = since.at if since else reset.ended_at
        yield from judge_way(take, way_back(take, reset), left_at, "B01")


@case201(
    "A201-RESET-01",
    "Reset Immediate: it restarts and comes back",
    "OCPP 2.0.1 B11",
    judge=judge_return,
    budget_s=180,
    suites=[REPAIR],
    idle=True,
)
async def immediate(stage: Stage) -> None:
    """Reset it Immediate and wait for its return."""
    await restarted(stage, "Immediate")


def judge_on_idle(take: Take) -> Iterator[Check]:
    """Look that the transaction goes on, and that the restart follows its end."""
    yield from moves.judge_start(take)
    for reset in take.asked("Reset")[:1]:
        yield must("OnIdle in a transaction is Scheduled (B12)", reset.status == "Scheduled", reset.status, *reset.seqs)
        stops = take.after(reset).asked("RequestStopTransaction")
        if reset.status != "Scheduled" or not stops:
            return
        early = [item for item in take.after(reset).before(stops[0]).heard() if item.action == "BootNotification"]
        ends = moves.events(take.after(reset).before(stops[0]), None, "Ended")
        yield must("The transaction goes on", not early and not ends, "", *map(seq_of, (*early, *ends)))
        yield from moves.judge_end(take, ("Remote",), ("RemoteStop",))
        ends = moves.events(take.after(stops[0]), None, "Ended")
        if ends:
            yield from judge_return(take, ("Scheduled",), ends[0])


@case201(
    "A201-RESET-02",
    "Reset OnIdle in a transaction: it waits for the end",
    "OCPP 2.0.1 B12",
    judge=judge_on_idle,
    budget_s=300,
    person=True,
    idle=True,
)
async def on_idle(stage: Stage) -> None:
    """Start a transaction, reset OnIdle, look that it goes on, stop it, and wait for the restart."""
    transaction = await moves.must_begin(stage)
    reply = await stage.call("Reset", {"type": "OnIdle"})
    began, since = datetime.now(UTC), stage.last_seq
    if reply.status == "Accepted":  # it restarts at once, and must not do so in the next case
        await back(stage, began, since)
    if reply.status != "Scheduled":
        return
    await stage.pause(10)
    began, since = datetime.now(UTC), stage.last_seq
    await moves.ended(stage, transaction)
    await back(stage, began, since)


def judge_immediate(take: Take) -> Iterator[Check]:
    """Look for the end of the transaction, before or after the restart."""
    yield from moves.judge_start(take)
    if take.asked("Reset"):
        yield from judge_return(take)
        yield from moves.judge_end(
            take, ("ImmediateReset", "Reboot", "PowerLoss"), ("ResetCommand", "AbnormalCondition")
        )
        yield from moves.judge_sequence(take, moves.transaction_of(take))


@case201(
    "A201-RESET-03",
    "Reset Immediate in a transaction: its end is told",
    "OCPP 2.0.1 B12",
    judge=judge_immediate,
    budget_s=260,
    person=True,
    idle=True,
)
async def in_transaction(stage: Stage) -> None:
    """Start a transaction, reset Immediate, wait for its end and the station's return."""
    transaction = await moves.must_begin(stage)
    since = stage.last_seq
    if await restarted(stage, "Immediate"):
        await moves.event(stage, "Ended", within_s=30, since=since, transaction=transaction)


def judge_survival(take: Take) -> Iterator[Check]:
    """Compare the value written before the restart with the one read after it."""
    writes = take.asked("SetVariables", about(SAMPLE_S))
    if not writes:
        return
    value = writes[0].request.text("setVariableData", 0, "attributeValue")
    status = writes[0].answer.text("setVariableResult", 0, "attributeStatus") if writes[0].answer else "no answer"
    yield must("The value is taken", status in ("Accepted", "RebootRequired"), status, *writes[0].seqs)
    yield from judge_return(take)
    for read in take.after(writes[0]).asked("GetVariables", about(SAMPLE_S))[-1:]:
        now = read.answer.text("getVariableResult", 0, "attributeValue") if read.answer else ""
        yield must("and is still there after the restart", now == value, f"written {value}, read {now}", *read.seqs)


@case201(
    "A201-RESET-04",
    "What was written outlives a restart",
    "OCPP 2.0.1 B05, B11; commissioning: reboot survival",
    judge=judge_survival,
    budget_s=200,
    idle=True,
    needs=[can_write(SAMPLE_S)],
)
async def survival(stage: Stage) -> None:
    """Write SampledDataCtrlr.TxUpdatedInterval, restart, read it, and put the old value back."""
    old = stage.facts.value(SAMPLE_S)
    await stage.set(SAMPLE_S, "45" if old != "45" else "50")
    if await restarted(stage, "OnIdle"):
        await stage.call("GetVariables", {"getVariableData": [selector(SAMPLE_S)]})


def resets_evses(facts: Facts) -> str:
    """Need an EVSE that can be reset alone (variable AllowReset)."""
    key = f"EVSE@{facts.connectors[0]}.AllowReset"
    return "" if facts.is_on(key) else f"{key} is not true."


def judge_evse(take: Take) -> Iterator[Check]:
    """Look at the answer, and whether the station stays with us."""
    for reset in take.asked("Reset"):
        yield must("Reset of one EVSE is accepted (B11)", reset.status == "Accepted", reset.status, *reset.seqs)
        boots = take.after(reset).heard("BootNotification")
        yield must("and the station itself does not restart", not boots, "", *map(seq_of, boots))
        for read in take.after(reset).asked("GetVariables")[-1:]:
            is_same = read.request.frame.connection == reset.request.frame.connection
            yield must("It stays connected and answers", read.is_answered and is_same, read.status, *read.seqs)


@case201(
    "A201-RESET-05",
    "One EVSE is reset, the station stays",
    "OCPP 2.0.1 B11, B12 (EVSE)",
    judge=judge_evse,
    budget_s=60,
    idle=True,
    needs=[resets_evses],
)
async def evse(stage: Stage) -> None:
    """Reset the first EVSE alone, and look that the station goes on."""
    await stage.call("Reset", {"type": "Immediate", "evseId": stage.connector})
    await stage.pause(15)
    await stage.call("GetVariables", {"getVariableData": [selector("OCPPCommCtrlr.HeartbeatInterval")]})
