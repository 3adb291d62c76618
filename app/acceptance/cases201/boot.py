"""Boot and the registration states (OCPP 2.0.1 part 2, B01 to B03)."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.case import EVERY
from app.acceptance.cases201 import moves
from app.acceptance.cases201.asking import about, case201, outlet, outlets, readable, selector, tell_facts, told_fact
from app.acceptance.cases201.restart import judge_return, restarted
from app.acceptance.stage import Stage
from app.acceptance.take import Message, Take, seq_of
from app.model.acceptance import Check, must, should

WAIT_S = 10
"""The interval we tell a station that has to wait: long enough to see it obeyed, short enough for a person [OURS]."""
LIMITS = {"vendorName": 50, "model": 20}
TOLD = {"serialNumber": 25, "firmwareVersion": 50}
"""ChargingStationType of BootNotificationRequest."""


def status_of(take: Take, call: Message) -> str:
    """Return the status of our answer to a call."""
    answer = take.replied(call)
    return answer.text("status") if answer else ""


def judge_boot(take: Take) -> Iterator[Check]:
    """Look at the way back, the fields of the Boot, its reason, and the states after it."""
    yield from judge_return(take)
    boots = take.heard("BootNotification")
    if not boots:
        return
    boot = boots[0]
    for name, limit in LIMITS.items():
        said = boot.text("chargingStation", name)
        yield must(f"{name} is told in at most {limit} characters", 0 < len(said) <= limit, f"“{said}”", boot.seq)
    for name in TOLD:
        said = boot.text("chargingStation", name)
        yield should(f"{name} is told", bool(said), f"“{said}”", boot.seq)
    reason = boot.text("reason")
    yield must("Its reason is RemoteReset (BootReasonEnum)", reason == "RemoteReset", reason, boot.seq)
    yield must("It is accepted", status_of(take, boot) == "Accepted", "", boot.seq, seq_of(take.replied(boot)))
    told = {(m.get("evseId"), m.get("connectorId")) for m in take.after(boot).heard("StatusNotification")}
    wanted = [tuple(map(int, place.split("."))) for place in told_fact(take, "outlets").split(",") if place]
    missing = [f"{evse}.{connector}" for evse, connector in wanted if (evse, connector) not in told]
    states = take.after(boot).heard("StatusNotification")
    seen = f"missing: {', '.join(missing)}" if missing else f"{len(told)} connectors"
    yield must("Every connector tells its state then (B01)", not missing, seen, *map(seq_of, states[:8]))


@case201(
    "A201-BOOT-01",
    "After a reset it says who it is, why it boots, and its states",
    "OCPP 2.0.1 B01, B11",
    judge=judge_boot,
    budget_s=115,
    suites=EVERY,
    idle=True,
)
async def boot(stage: Stage) -> None:
    """Reset it OnIdle, and look at its BootNotification and the states after it."""
    places = outlets(stage.facts)
    tell_facts(stage, outlets=",".join(f"{evse}.{connector}" for evse, connector in places))
    since = stage.last_seq
    if not await restarted(stage, "OnIdle"):
        return
    await stage.until(
        lambda: (
            {(m.get("evseId"), m.get("connectorId")) for m in stage.take.after(since).heard("StatusNotification")}
            >= set(places)
        ),
        15,
    )


def _judge_waiting(take: Take, status: str) -> Iterator[Check]:
    boots = take.heard("BootNotification")
    held = [boot for boot in boots if status_of(take, boot) == status]
    yield must(f"BootNotification comes and is answered {status}", bool(held), f"{len(held)} times", *map(seq_of, held))
    if not held:
        return
    later = [boot for boot in boots if boot.seq > held[0].seq]
    yield must("It asks again", bool(later), f"{len(later)} more came", *map(seq_of, later))
    if later:
        yield from _judge_pause(take, held[0], later[0])
    accepted = [boot for boot in boots if status_of(take, boot) == "Accepted"]
    yield must("It goes on once it is accepted", bool(accepted), "", *map(seq_of, accepted))
    between = take.after(held[0])
    between = between.before(accepted[0].seq) if accepted else between
    said = [message for message in between.heard() if message.action != "BootNotification"]
    names = ", ".join(dict.fromkeys(message.action for message in said)) or "nothing"
    text = f"While it is {status} it sends nothing of its own"
    evidence = list(map(seq_of, said[:10]))
    yield (must if status == "Rejected" else should)(text, not said, f"it sent {names}", *evidence)


def _judge_pause(take: Take, held: Message, later: Message) -> Iterator[Check]:
    pause_s = take.seconds(held.at, later.at)
    is_patient = pause_s >= WAIT_S * 0.8 - min(take.slack_s, WAIT_S / 4)
    yield must(f"not before the {WAIT_S} s it was told", is_patient, f"after {pause_s:.1f} s", held.seq, later.seq)
    yield should("and soon after them", pause_s <= WAIT_S * 2 + take.slack_s, f"after {pause_s:.1f} s", later.seq)


def judge_pending(take: Take) -> Iterator[Check]:
    """Look at the pause after Pending, and at what was said meanwhile."""
    yield from _judge_waiting(take, "Pending")


def judge_rejected(take: Take) -> Iterator[Check]:
    """Look at the pause after Rejected, and at what was said meanwhile."""
    yield from _judge_waiting(take, "Rejected")


async def _held(stage: Stage, status: str) -> None:
    """Answer the next Boots with ``status``, the second one usually."""
    first = await _first_boot(stage, status, WAIT_S)
    if first is None:
        return
    await stage.heard("BootNotification", within_s=WAIT_S * 4, since=first.seq)
    await _accepted(stage, first)


async def _first_boot(stage: Stage, status: str, interval_s: int) -> Message | None:
    stage.treat(boot_status=status, boot_interval_s=interval_s)
    since = stage.last_seq
    await stage.call("Reset", {"type": "OnIdle"})
    return await stage.heard("BootNotification", within_s=150, since=since)


async def _accepted(stage: Stage, first: Message) -> None:
    stage.manner.boot_status = "Accepted"
    await stage.heard(
        "BootNotification",
        where=lambda boot: status_of(stage.take, boot) == "Accepted",
        within_s=WAIT_S * 4,
        since=first.seq,
    )


@case201(
    "A201-BOOT-02",
    "Pending: the station waits as long as it is told",
    "OCPP 2.0.1 B02",
    judge=judge_pending,
    budget_s=260,
    idle=True,
)
async def pending(stage: Stage) -> None:
    """Restart it, answer its Boot with Pending and an interval of 10 s, then accept it."""
    await _held(stage, "Pending")


@case201(
    "A201-BOOT-03",
    "Rejected: the station keeps silent as long as it is told",
    "OCPP 2.0.1 B03",
    judge=judge_rejected,
    budget_s=260,
    idle=True,
)
async def rejected(stage: Stage) -> None:
    """Restart it, answer its Boot with Rejected and an interval of 10 s, then accept it."""
    await _held(stage, "Rejected")


def judge_served(take: Take) -> Iterator[Check]:
    """Look at what it answered while it was Pending, and at the Boot that was asked for."""
    held = [boot for boot in take.heard("BootNotification") if status_of(take, boot) == "Pending"]
    yield must("BootNotification comes and is answered Pending", bool(held), "", *map(seq_of, held))
    for read in take.asked("GetVariables", about(told_fact(take, "key"))):
        status = read.answer.text("getVariableResult", 0, "attributeStatus") if read.answer else ""
        yield must("Pending, it tells its variables (B02)", status == "Accepted", status or read.status, *read.seqs)
    for start in take.asked("RequestStartTransaction"):
        is_barred = start.answer is not None and start.status != "Accepted"
        yield must("Pending, it starts no transaction (B02)", is_barred, start.status, *start.seqs)
        yield should("and says Rejected", start.status == "Rejected", start.status, *start.seqs)
    for trigger in take.asked("TriggerMessage"):
        yield must(
            "A trigger of the Boot is accepted (B02)", trigger.status == "Accepted", trigger.status, *trigger.seqs
        )
        if trigger.status == "Accepted":
            came = take.after(trigger).heard("BootNotification")
            yield must("and it boots before its time", bool(came), "", *map(seq_of, came))
            reason = came[0].text("reason") if came else ""
            yield should("for the reason Triggered", reason == "Triggered", reason, *map(seq_of, came[:1]))


@case201(
    "A201-BOOT-04",
    "Pending, it can be asked and configured, and charges nobody",
    "OCPP 2.0.1 B02, F06",
    judge=judge_served,
    budget_s=260,
    idle=True,
)
async def served(stage: Stage) -> None:
    """Restart it, answer Pending, read a variable, try a remote start, then have it boot by a trigger."""
    stage.treat(speaks_early=True)
    first = await _first_boot(stage, "Pending", 120)
    if first is None:
        return
    key = readable(stage.facts)
    tell_facts(stage, key=key)
    await stage.call("GetVariables", {"getVariableData": [selector(key)]})
    payload = {"idToken": moves.token(), "remoteStartId": 41_000_001, "evseId": outlet(stage)["id"]}
    since = stage.last_seq
    start = await stage.call("RequestStartTransaction", payload)
    stage.manner.boot_status = "Accepted"
    await stage.call("TriggerMessage", {"requestedMessage": "BootNotification"})
    await stage.heard("BootNotification", within_s=WAIT_S * 2)
    if start.status == "Accepted":  # it must not: what began is ended with the case
        begun = await moves.event(stage, "Started", within_s=WAIT_S, since=since)
        if begun is not None:
            moves.opened(stage, begun)
        else:  # it waits for its car, and would charge it in a later case
            await restarted(stage, "Immediate")
