"""The rules of TransactionEvent (OCPP 2.0.1 part 2, E01 to E08): numbers, ids, triggers, meter contexts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from app.acceptance.cases201 import moves
from app.acceptance.cases201.asking import SAMPLE_S, case201, measures, tell_facts, told_fact
from app.acceptance.facts import can_write
from app.acceptance.stage import Stage
from app.acceptance.take import Message, Take, seq_of
from app.model.acceptance import Check, must, should

STATES = frozenset({"Charging", "EVConnected", "SuspendedEV", "SuspendedEVSE", "Idle"})
"""ChargingStateEnum."""
SAMPLED = ("TxStartedMeasurands", "TxUpdatedMeasurands", "TxEndedMeasurands")
CONTEXTS = {
    "TxStartedMeasurands": ("Started", "Transaction.Begin"),
    "TxUpdatedMeasurands": ("Updated", "Sample.Periodic"),
    "TxEndedMeasurands": ("Ended", "Transaction.End"),
}
"""Which measurands come with which event, in which ReadingContext (J02)."""


def judge_rules(take: Take) -> Iterator[Check]:
    """Look at the order of the events, their numbers, times, triggers and states."""
    yield from moves.judge_start(take)
    name = moves.transaction_of(take)
    mine = moves.events(take, name)
    if not mine:
        return
    seqs = list(map(seq_of, mine))
    yield from moves.judge_sequence(take, name)
    kinds = [moves.kind_of(told) for told in mine]
    is_framed = kinds[0] == "Started" and kinds[-1] == "Ended" and set(kinds[1:-1]) <= {"Updated"}
    yield must("Started comes first, Ended last, Updated between", is_framed, ", ".join(kinds)[:120], *seqs)
    first = mine[0].get("seqNo")
    yield should("The first is number 0", first == 0, f"{first}", mine[0].seq)
    silent = [told for told in mine if not told.text("triggerReason")]
    yield must("Every event tells what triggered it (triggerReason)", not silent, "", *map(seq_of, silent))
    states = {moves.charging_state(told) for told in mine} - {""}
    yield must("chargingState is one the standard knows", states <= STATES, ", ".join(sorted(states)), *seqs)
    offline = [told for told in mine if told.get("offline") is True]
    yield must("None claims to have happened offline", not offline, "", *map(seq_of, offline))
    yield from _judge_times(mine)
    places = [told for told in mine if told.get("evse", "id") is not None]
    yield must("One of them names the EVSE", bool(places), f"{len(places)} do", *map(seq_of, places[:1]))
    unanswered = [told for told in mine if take.replied(told) is None]
    yield must("All of them were answered by us", not unanswered, "", *map(seq_of, unanswered))


def _judge_times(mine: tuple[Message, ...]) -> Iterator[Check]:
    times = [(told, told.stamp()) for told in mine]
    odd = [told for told, at in times if at is None]
    yield must("Every event has a time that can be believed", not odd, "", *map(seq_of, odd))
    known = [(told, at) for told, at in times if at is not None]
    backwards = [b[0] for a, b in pairwise(known) if b[1] < a[1]]
    yield must("Times do not run backwards from event to event", not backwards, "", *map(seq_of, backwards))


@case201(
    "A201-TX-01",
    "The events of a transaction follow the rules",
    "OCPP 2.0.1 E01, E02, E06, E07",
    judge=judge_rules,
    budget_s=100,
    person=True,
    idle=True,
)
async def rules(stage: Stage) -> None:
    """Charge for 20 s by remote start, and look at every TransactionEvent."""
    transaction = await moves.must_begin(stage)
    await stage.pause(20)
    await moves.ended(stage, transaction)


def judge_ids(take: Take) -> Iterator[Check]:
    """Compare the ids of two transactions."""
    begun = moves.events(take, None, "Started")
    yield must("Two transactions begin", len(begun) >= 2, f"{len(begun)} began", *map(seq_of, begun))
    if len(begun) < 2:
        return
    names = [moves.id_of(start) for start in begun]
    yield must(
        "Each has an id of its own (E01)", len(set(names)) == len(names), ", ".join(names)[:120], *map(seq_of, begun)
    )
    is_long = all(len(name) >= 8 for name in names)
    yield should(
        "long enough to stay unique over years", is_long, f"{min(map(len, names))} characters", *map(seq_of, begun)
    )
    for name in names:
        numbers = [told.get("seqNo") for told in moves.events(take, name)]
        yield must("and is numbered by itself, without a gap", _is_whole(numbers), f"{numbers}"[:80])


def _is_whole(numbers: list[object]) -> bool:
    counted = sorted(number for number in numbers if isinstance(number, int))
    return len(counted) == len(numbers) and counted == list(range(counted[0], counted[0] + len(counted)))


@case201(
    "A201-TX-02",
    "Every transaction has its own id",
    "OCPP 2.0.1 E01",
    judge=judge_ids,
    budget_s=260,
    person=True,
    idle=True,
)
async def ids(stage: Stage) -> None:
    """Start and stop two transactions, one after the other."""
    for _ in range(2):
        transaction = await moves.must_begin(stage)
        await stage.pause(3)
        if await moves.ended(stage, transaction) is None:
            return


def judge_contexts(take: Take) -> Iterator[Check]:
    """Look for the meter values that the device model promises with each kind of event."""
    yield from moves.judge_start(take)
    name = moves.transaction_of(take)
    for variable, (kind, context) in CONTEXTS.items():
        wanted = {part.strip() for part in told_fact(take, variable).split(",") if part.strip()}
        if not wanted:
            continue
        mine = moves.events(take, name, kind)
        found = {
            str(sample.get("measurand") or "Energy.Active.Import.Register")
            for told in mine
            for sample in samples_of(told)
            if (sample.get("context") or "Sample.Periodic") == context
        }
        seqs = list(map(seq_of, mine[:4]))
        yield must(f"{kind} brings meter values as {context} (J02)", bool(found), ", ".join(sorted(found))[:120], *seqs)
        missing = wanted - found
        yield should(
            f"all of SampledDataCtrlr.{variable}",
            not missing,
            f"missing: {', '.join(sorted(missing))}" if missing else "",
            *seqs,
        )


def samples_of(told: Message) -> Iterator[dict[str, object]]:
    """Return every sampled value of a message."""
    values = told.get("meterValue")
    for value in values if isinstance(values, list) else ():
        found = value.get("sampledValue") if isinstance(value, dict) else None
        yield from (sample for sample in found or () if isinstance(sample, dict))


@case201(
    "A201-TX-03",
    "Begin, middle and end of a transaction bring their meter values",
    "OCPP 2.0.1 J02, E02, E07",
    judge=judge_contexts,
    budget_s=150,
    person=True,
    idle=True,
    needs=[can_write(SAMPLE_S), measures(*(f"SampledDataCtrlr.{name}" for name in SAMPLED))],
)
async def contexts(stage: Stage) -> None:
    """Charge for 15 s with a sample every 5 s, and look at the contexts of the meter values."""
    tell_facts(stage, **{name: stage.facts.value(f"SampledDataCtrlr.{name}") for name in SAMPLED})
    await moves.plugged(stage)
    await stage.set(SAMPLE_S, "5")
    transaction = await moves.must_begin(stage)
    since = stage.last_seq
    await stage.heard(
        "TransactionEvent",
        where=lambda told: told.text("triggerReason") == "MeterValuePeriodic",
        within_s=20,
        since=since,
    )
    await stage.pause(5)
    await moves.ended(stage, transaction)


def judge_asked(take: Take) -> Iterator[Check]:
    """Look for the event that was asked for."""
    yield from moves.judge_start(take)
    for trigger in take.asked("TriggerMessage"):
        yield must(
            "TriggerMessage(TransactionEvent) is accepted (F06)",
            trigger.status == "Accepted",
            trigger.status,
            *trigger.seqs,
        )
        if trigger.status == "Accepted":
            came = [told for told in moves.events(take.after(trigger)) if told.text("triggerReason") == "Trigger"]
            yield must("An event comes for the reason Trigger", bool(came), "", *map(seq_of, came))
            is_update = all(moves.kind_of(told) == "Updated" for told in came)
            yield must("It is an update", is_update, "", *map(seq_of, came))
            values = [told for told in came if told.get("meterValue")]
            yield should("and brings meter values", bool(values), "", *map(seq_of, came))


@case201(
    "A201-TX-04",
    "A running transaction tells itself when asked",
    "OCPP 2.0.1 F06, E01",
    judge=judge_asked,
    budget_s=150,
    person=True,
    idle=True,
)
async def asked(stage: Stage) -> None:
    """Start a transaction, ask for its TransactionEvent by TriggerMessage, stop it."""
    transaction = await moves.must_begin(stage)
    payload = {"requestedMessage": "TransactionEvent", "evse": {"id": stage.connector}}
    if (await stage.call("TriggerMessage", payload)).status == "Accepted":
        await stage.heard("TransactionEvent", where=lambda told: told.text("triggerReason") == "Trigger", within_s=15)
    await moves.ended(stage, transaction)
