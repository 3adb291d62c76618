"""Boot and the registration states (OCPP 2.0.1 part 2, B01 to B03)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from app.acceptance.alike import registration
from app.acceptance.alike.registration import status_of
from app.acceptance.case import EVERY
from app.acceptance.cases201 import moves
from app.acceptance.cases201.asking import about, case201, outlet, outlets, readable, selector, tell_facts, told_fact
from app.acceptance.cases201.restart import judge_return, restarted
from app.acceptance.stage import Stage
from app.acceptance.take import Take, seq_of
from app.model.acceptance import Check, must, should

LIMITS = {"vendorName": 50, "model": 20}
TOLD = {"serialNumber": 25, "firmwareVersion": 50}
"""ChargingStationType of BootNotificationRequest."""


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


@case201(
    "A201-BOOT-02",
    "Pending: the station waits as long as it is told",
    "OCPP 2.0.1 B02",
    judge=partial(registration.judge_waiting, status="Pending", clause="B02"),
    budget_s=260,
    idle=True,
)
async def pending(stage: Stage) -> None:
    """Restart it, answer its Boot with Pending and an interval of 10 s, then accept it."""
    await registration.hold(stage, "OnIdle", "Pending")


@case201(
    "A201-BOOT-03",
    "Rejected: the station keeps silent as long as it is told",
    "OCPP 2.0.1 B03",
    judge=partial(registration.judge_waiting, status="Rejected", clause="B03"),
    budget_s=260,
    idle=True,
)
async def rejected(stage: Stage) -> None:
    """Restart it, answer its Boot with Rejected and an interval of 10 s, then accept it."""
    await registration.hold(stage, "OnIdle", "Rejected")


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
    first = await registration.first_boot(stage, "OnIdle", "Pending", 120)
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
    await stage.heard("BootNotification", within_s=registration.WAIT_S * 2)
    if start.status == "Accepted":  # it must not: what began is ended with the case
        begun = await moves.event(stage, "Started", within_s=registration.WAIT_S, since=since)
        if begun is not None:
            moves.opened(stage, begun)
        else:  # it waits for its car, and would charge it in a later case
            await restarted(stage, "Immediate")
