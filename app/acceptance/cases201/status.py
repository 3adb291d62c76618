"""States (OCPP 2.0.1 part 2, G01), the clock in them (commissioning: at most 5 s off), heartbeats (G02)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from app.acceptance.case import EVERY
from app.acceptance.cases201.asking import HEARTBEAT, case201, outlet, outlets, selector, tell_facts, told_fact
from app.acceptance.cases201.reports import reported
from app.acceptance.facts import can_write, claims_setting
from app.acceptance.stage import Stage
from app.acceptance.take import Take, seq_of
from app.model.acceptance import Check, must, should
from app.ocpp.v16 import when

STATES = frozenset({"Available", "Occupied", "Reserved", "Unavailable", "Faulted"})
"""ConnectorStatusEnum."""
GOOD_S, BAD_S = 5.0, 60.0
"""Clock drift that is good, and that is bad (commissioning §3 [OURS])."""
STAMPS = ("timestamp", "generatedAt")
REPORT = 41_150
RHYTHM_S = 10
BEATS = 3


def judge_states(take: Take) -> Iterator[Check]:
    """Look for a state of every connector."""
    told = {f"{m.get('evseId')}.{m.get('connectorId')}": m for m in take.heard("StatusNotification")}
    for place in filter(None, told_fact(take, "outlets").split(",")):
        message = told.get(place)
        state = message.text("connectorStatus") if message else "not told"
        yield must(f"Connector {place} tells its state", state in STATES, state, seq_of(message))
    bad = [message for message in told.values() if message.text("connectorStatus") == "Faulted"]
    yield should("No connector is faulted", not bad, f"{len(bad)}" if bad else "", *map(seq_of, bad))


@case201(
    "A201-STATUS-01",
    "Every connector of every EVSE tells its state",
    "OCPP 2.0.1 G01, F06",
    judge=judge_states,
    budget_s=30,
    suites=EVERY,
)
async def all_states(stage: Stage) -> None:
    """Ask for the state of every connector by TriggerMessage."""
    places = outlets(stage.facts)
    tell_facts(stage, outlets=",".join(f"{evse}.{connector}" for evse, connector in places))
    for evse, connector in places:
        payload = {"requestedMessage": "StatusNotification", "evse": {"id": evse, "connectorId": connector}}
        if (await stage.call("TriggerMessage", payload)).status == "Accepted":
            await stage.heard(
                "StatusNotification",
                where=lambda m, place=(evse, connector): (m.get("evseId"), m.get("connectorId")) == place,  # type: ignore[misc]
                within_s=10,
            )


def judge_model_state(take: Take) -> Iterator[Check]:
    """Compare the notification with the device model."""
    said = take.heard("StatusNotification")
    yield must("StatusNotification comes", bool(said), "", *map(seq_of, said))
    for read in take.asked("GetVariables"):
        status = read.answer.text("getVariableResult", 0, "attributeStatus") if read.answer else read.status
        yield must("Connector.AvailabilityState is told (B06)", status == "Accepted", status, *read.seqs)
        value = read.answer.text("getVariableResult", 0, "attributeValue") if read.answer else ""
        if said and status == "Accepted":
            words = f"{said[-1].text('connectorStatus')} and {value}"
            yield must(
                "Both tell the same state", said[-1].text("connectorStatus") == value, words, said[-1].seq, *read.seqs
            )


@case201(
    "A201-STATUS-02",
    "The device model tells the same state as StatusNotification",
    "OCPP 2.0.1 G01, B06",
    judge=judge_model_state,
    budget_s=40,
)
async def model_state(stage: Stage) -> None:
    """Ask for a connector's StatusNotification, and read its AvailabilityState."""
    place = outlet(stage)
    if (
        await stage.call("TriggerMessage", {"requestedMessage": "StatusNotification", "evse": place})
    ).status == "Accepted":
        await stage.heard("StatusNotification", within_s=10)
    key = f"Connector@{place['id']}.{place['connectorId']}.AvailabilityState"
    await stage.call("GetVariables", {"getVariableData": [selector(key)]})


def judge_clock(take: Take) -> Iterator[Check]:
    """Compare the time stamps of live messages with the time they came."""
    live = [message for message in take.heard() if message.get("offline") is not True]
    told = [(message, name) for message in live for name in STAMPS if message.get(name) is not None]
    evidence = [message.seq for message, _ in told]
    yield must("A message with a time stamp comes", bool(told), f"{len(told)} came", *evidence)
    for message, name in told[:5]:
        text = message.text(name)
        at = message.stamp(name)
        if at is None:
            yield must("The time stamp can be believed", False, f"“{text[:40]}”", message.seq)
            continue
        yield from _judge_drift((at - message.at).total_seconds(), message.seq)
        is_utc = text.endswith(("Z", "+00:00"))
        yield should("It is told as UTC with its zone (RFC 3339)", is_utc, f"“{text[:40]}”", message.seq)


def _judge_drift(drift_s: float, *seqs: int) -> Iterator[Check]:
    seen = f"{round(drift_s, 1) + 0.0:+.1f} s"
    yield must(f"The clock is at most {BAD_S:.0f} s off", abs(drift_s) <= BAD_S, seen, *seqs)
    yield should(f"and at most {GOOD_S:.0f} s", abs(drift_s) <= GOOD_S, seen, *seqs)


@case201(
    "A201-CLOCK-01",
    "The station's clock is right",
    "OCPP 2.0.1 B01, G02; commissioning: drift",
    judge=judge_clock,
    budget_s=25,
    suites=EVERY,
)
async def clock(stage: Stage) -> None:
    """Ask for a StatusNotification, or else for a report, and compare its time stamp with this computer's clock."""
    asked = await stage.call("TriggerMessage", {"requestedMessage": "StatusNotification", "evse": outlet(stage)})
    if asked.status == "Accepted" and await stage.heard("StatusNotification", within_s=8) is not None:
        return
    await reported(stage, "GetBaseReport", REPORT, reportBase="ConfigurationInventory")


def judge_model_clock(take: Take) -> Iterator[Check]:
    """Compare ClockCtrlr.DateTime with this computer's clock."""
    for read in take.asked("GetVariables"):
        status = read.answer.text("getVariableResult", 0, "attributeStatus") if read.answer else read.status
        yield must("ClockCtrlr.DateTime is told", status == "Accepted", status, *read.seqs)
        text = read.answer.text("getVariableResult", 0, "attributeValue") if read.answer else ""
        if status == "Accepted":
            at, is_good = when(text, read.ended_at)
            yield must("It is a time (RFC 3339)", is_good, f"“{text[:40]}”", *read.seqs)
            if is_good:
                yield from _judge_drift((at - read.ended_at).total_seconds(), *read.seqs)


@case201(
    "A201-CLOCK-02",
    "The device model tells the right time",
    "OCPP 2.0.1 B06 (ClockCtrlr.DateTime)",
    judge=judge_model_clock,
    budget_s=20,
    needs=[claims_setting("ClockCtrlr.DateTime")],
)
async def model_clock(stage: Stage) -> None:
    """Read ClockCtrlr.DateTime and compare it with this computer's clock."""
    await stage.call("GetVariables", {"getVariableData": [selector("ClockCtrlr.DateTime")]})


def judge_beats(take: Take) -> Iterator[Check]:
    """Measure the pauses between heartbeats after the rhythm was set."""
    writes = take.asked("SetVariables")
    if not writes:
        return
    write = writes[0]
    status = write.answer.text("setVariableResult", 0, "attributeStatus") if write.answer else "no answer"
    yield must(f"HeartbeatInterval = {RHYTHM_S} is accepted", status == "Accepted", status, *write.seqs)
    beats = take.after(write).heard("Heartbeat")
    yield must("Heartbeats come", len(beats) >= 2, f"{len(beats)} came", *map(seq_of, beats))
    pauses = [take.seconds(a.at, b.at) for a, b in pairwise(beats)]
    if not pauses:
        return
    seen = ", ".join(f"{pause:.1f} s" for pause in pauses)
    is_often = max(pauses) <= 2 * RHYTHM_S + take.slack_s
    yield must(f"no further apart than twice the {RHYTHM_S} s", is_often, seen, *map(seq_of, beats))
    yield should(f"about every {RHYTHM_S} s", min(pauses) >= RHYTHM_S / 2 - take.slack_s, seen, *map(seq_of, beats))
    answers = [take.replied(beat) for beat in beats]
    yield must("and are answered with the time", all(answers), "", *map(seq_of, answers))


@case201(
    "A201-BEAT-01",
    "Heartbeats come in the rhythm that was set",
    "OCPP 2.0.1 G02 (OCPPCommCtrlr.HeartbeatInterval)",
    judge=judge_beats,
    budget_s=60,
    needs=[can_write(HEARTBEAT)],
)
async def beats(stage: Stage) -> None:
    """Set HeartbeatInterval to 10 s, wait for three heartbeats, put the old value back."""
    since = stage.last_seq
    await stage.set(HEARTBEAT, str(RHYTHM_S))
    for _ in range(BEATS):
        beat = await stage.heard("Heartbeat", within_s=RHYTHM_S * 1.6, since=since)
        if beat is None:
            return
        since = beat.seq
