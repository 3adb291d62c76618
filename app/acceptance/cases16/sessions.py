"""Charging sessions (OCPP 1.6 §4.8, §4.10, §5.11, §5.12): begun and ended in every way, and what the meter says."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.case import REPAIR, case
from app.acceptance.cases16 import moves
from app.acceptance.stage import Stage
from app.acceptance.take import Take, seq_of
from app.model.acceptance import Check, must, should


def judge_remote(take: Take) -> Iterator[Check]:
    """Look at the commands, the session's begin and its end."""
    for command in take.asked("RemoteStartTransaction"):
        yield must("RemoteStartTransaction is accepted", command.status == "Accepted", command.status, *command.seqs)
    yield from moves.judge_start(take, moves.TAG)
    states = [message for message in take.heard("StatusNotification") if message.text("status") == "Charging"]
    yield should("The connector tells that it charges", bool(states), "", *map(seq_of, states[:1]))
    for command in take.asked("RemoteStopTransaction")[:1]:
        yield must("RemoteStopTransaction is accepted", command.status == "Accepted", command.status, *command.seqs)
        yield from moves.judge_stop(take, ("Remote",))
        yield from moves.judge_after(take)


@case(
    "A16-SESS-01",
    "A session is started and stopped from afar",
    "OCPP 1.6 §5.11, §5.12, §4.8, §4.10",
    judge=judge_remote,
    budget_s=120,
    suites=[REPAIR],
    person=True,
    idle=True,
)
async def remote(stage: Stage) -> None:
    """Have a car plugged in, start a session, let it charge for 10 s, stop it."""
    number = await moves.begun(stage)
    if number is None:
        return
    await moves.state_is(stage, frozenset({"Charging"}), 20)
    await stage.pause(10)
    if await moves.ended(stage, number):
        await moves.state_is(stage, frozenset({"Finishing", "Available", "Preparing"}), 10)


def judge_strange_stop(take: Take) -> Iterator[Check]:
    """Look at the status for a session that does not exist."""
    for command in take.asked("RemoteStopTransaction"):
        yield must(
            "A stop for a session nobody knows is Rejected (§5.12)",
            command.status == "Rejected",
            command.status,
            *command.seqs,
        )


@case(
    "A16-SESS-02",
    "A stop for an unknown session is refused",
    "OCPP 1.6 §5.12",
    judge=judge_strange_stop,
    budget_s=15,
)
async def strange_stop(stage: Stage) -> None:
    """Send RemoteStopTransaction for a number no session has."""
    await stage.call("RemoteStopTransaction", {"transactionId": 2_147_000_001})


def judge_unplugged(take: Take) -> Iterator[Check]:
    """Look at the end after the plug was pulled."""
    yield from moves.judge_start(take)
    yield from moves.judge_stop(take, ("EVDisconnected",))
    stops = take.heard("StopTransaction")
    if not stops:
        return
    told = [message for message in take.heard("StatusNotification") if message.text("status") == "Available"]
    yield must("The connector is Available again", bool(told), "", *map(seq_of, told[-1:]))


@case(
    "A16-SESS-03",
    "Pulling the plug ends the session",
    "OCPP 1.6 §4.10; StopTransactionOnEVSideDisconnect (§9.1)",
    judge=judge_unplugged,
    budget_s=150,
    person=True,
    idle=True,
)
async def unplugged(stage: Stage) -> None:
    """Start a session, have the plug pulled."""
    number = await moves.must_begin(stage)
    since = stage.last_seq
    await stage.person("unplug", until=lambda: bool(stage.take.after(since).heard("StopTransaction")))
    await moves.stop_of(stage, number, since, 20)
    await moves.state_is(stage, frozenset({"Available"}), 15)


def judge_nobody(take: Take) -> Iterator[Check]:
    """Look what becomes of a start that no car follows."""
    for command in take.asked("RemoteStartTransaction"):
        yield must("RemoteStartTransaction is answered", command.is_answered, command.status, *command.seqs)
        if command.status != "Accepted":
            continue
        starts = take.heard("StartTransaction")
        yield must("No session begins without a car", not starts, f"{len(starts)} began", *map(seq_of, starts))
        told = take.after(command).heard("StatusNotification")
        last = told[-1] if told else None
        seen = last.text("status") if last else "it told no state"
        yield must(
            "After ConnectionTimeOut the connector is Available again (§9.1)",
            last is None or last.text("status") == "Available",
            seen,
            seq_of(last),
        )


@case(
    "A16-SESS-04",
    "A start without a car is given up in time",
    "OCPP 1.6 §4.8; ConnectionTimeOut (§9.1)",
    judge=judge_nobody,
    budget_s=120,
    person=True,
    idle=True,
)
async def nobody(stage: Stage) -> None:
    """With no car on it, set ConnectionTimeOut to 15 s, start remotely, and wait until it gives up."""
    await stage.person("unplug", until=lambda: moves.state(stage) == "Available")
    await stage.set("ConnectionTimeOut", "15")
    reply = await stage.call("RemoteStartTransaction", {"connectorId": stage.connector, "idTag": moves.TAG})
    if reply.status != "Accepted":
        return
    await moves.state_is(stage, frozenset({"Preparing"}), 5)
    await moves.state_is(stage, frozenset({"Available"}), 40)
