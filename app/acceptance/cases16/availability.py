"""ChangeAvailability (OCPP 1.6 §5.2): a connector, the whole, in the middle of a session; UnlockConnector (§5.18)."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.case import COMMISSIONING, case
from app.acceptance.cases16 import moves
from app.acceptance.stage import Stage
from app.acceptance.take import Exchange, Take, seq_of
from app.model.acceptance import Check, must

SEEN_S = 15.0
"""How long the state may take to change [OURS]."""


async def _change(stage: Stage, connector: int, kind: str) -> Exchange:
    payload = {"connectorId": connector, "type": kind}
    if kind == "Inoperative":

        async def back() -> str:
            reply = await stage.call("ChangeAvailability", {"connectorId": connector, "type": "Operative"})
            return "" if reply.status in ("Accepted", "Scheduled") else f"the unit said {reply.status}"

        stage.undo(f"connector {connector} operative", back)
    return await stage.call("ChangeAvailability", payload)


def _judge_change(take: Take, change: Exchange, states: tuple[str, ...]) -> Iterator[Check]:
    kind, connector = change.request.text("type"), change.request.get("connectorId")
    yield must(
        f"{kind} for connector {connector} is accepted", change.status == "Accepted", change.status, *change.seqs
    )
    end = next((later for later in take.after(change).asked("ChangeAvailability") if later is not change), None)
    window = take.after(change)
    window = window.before(end) if end is not None else window
    told = [m for m in window.heard("StatusNotification") if m.text("status") in states]
    yield must(f"and told as {' or '.join(states)} (§5.2)", bool(told), f"{len(told)} times", *map(seq_of, told[:3]))


def judge_there_and_back(take: Take) -> Iterator[Check]:
    """Look at both answers and the states after them."""
    changes = take.asked("ChangeAvailability")
    for change in changes[:2]:
        is_off = change.request.text("type") == "Inoperative"
        yield from _judge_change(take, change, ("Unavailable",) if is_off else ("Available", "Preparing", "Finishing"))


async def _there_and_back(stage: Stage, connector: int) -> None:
    for kind, is_off in (("Inoperative", True), ("Operative", False)):
        since = stage.last_seq
        await _change(stage, connector, kind)
        await stage.heard(
            "StatusNotification",
            where=lambda m, is_off=is_off: (m.text("status") == "Unavailable") == is_off,  # type: ignore[misc]
            within_s=SEEN_S,
            since=since,
        )
    stage.restoring.done(f"connector {connector} operative")


@case(
    "A16-AVAIL-01",
    "A connector is taken out of service and put back",
    "OCPP 1.6 §5.2",
    judge=judge_there_and_back,
    budget_s=30,
    suites=[COMMISSIONING],
    idle=True,
)
async def one(stage: Stage) -> None:
    """Make the first connector Inoperative, then Operative again."""
    await _there_and_back(stage, stage.connector)


@case(
    "A16-AVAIL-02",
    "The whole charger is taken out of service and put back",
    "OCPP 1.6 §5.2",
    judge=judge_there_and_back,
    budget_s=60,
    idle=True,
)
async def whole(stage: Stage) -> None:
    """Make connector 0 Inoperative, then Operative again."""
    await _there_and_back(stage, 0)


def judge_scheduled(take: Take) -> Iterator[Check]:
    """Look at the status, at the session that goes on, and at the state after its end."""
    yield from moves.judge_start(take)
    changes = take.asked("ChangeAvailability")
    for change in changes[:1]:
        yield must(
            "Inoperative in a session is Scheduled (§5.2)", change.status == "Scheduled", change.status, *change.seqs
        )
        stops = take.after(change).asked("RemoteStopTransaction")
        if not stops:
            return
        early = take.after(change).before(stops[0]).heard("StopTransaction")
        yield must("The session goes on", not early, "", *map(seq_of, early))
        told = [m for m in take.after(stops[0]).heard("StatusNotification") if m.text("status") == "Unavailable"]
        yield must("and the connector is Unavailable once it is over", bool(told), "", *map(seq_of, told[:2]))


@case(
    "A16-AVAIL-03",
    "Taken out of service in a session: it waits for the end",
    "OCPP 1.6 §5.2",
    judge=judge_scheduled,
    budget_s=150,
    person=True,
    idle=True,
)
async def scheduled(stage: Stage) -> None:
    """Start a session, make the connector Inoperative, end the session, make it Operative again."""
    number = await moves.must_begin(stage)
    await _change(stage, stage.connector, "Inoperative")
    await stage.pause(3)
    since = stage.last_seq
    await moves.ended(stage, number)
    await stage.heard(
        "StatusNotification", where=lambda m: m.text("status") == "Unavailable", within_s=SEEN_S, since=since
    )


def judge_refusing(take: Take) -> Iterator[Check]:
    """Look whether a start is refused while it is out of service."""
    yield from (
        must("Inoperative is accepted", change.status == "Accepted", change.status, *change.seqs)
        for change in take.asked("ChangeAvailability")[:1]
    )
    for command in take.asked("RemoteStartTransaction"):
        yield must(
            "A start on a connector out of service is Rejected (§5.11)",
            command.status == "Rejected",
            command.status,
            *command.seqs,
        )
    starts = take.heard("StartTransaction")
    yield must("and no session begins", not starts, f"{len(starts)} began", *map(seq_of, starts))


@case(
    "A16-AVAIL-04",
    "Out of service, it starts no session",
    "OCPP 1.6 §5.2, §5.11",
    judge=judge_refusing,
    budget_s=60,
    idle=True,
)
async def refusing(stage: Stage) -> None:
    """Make the connector Inoperative, try a remote start, make it Operative again."""
    change = await _change(stage, stage.connector, "Inoperative")
    if change.status == "Accepted":
        await moves.state_is(stage, frozenset({"Unavailable"}), SEEN_S)
        await stage.call("RemoteStartTransaction", {"connectorId": stage.connector, "idTag": moves.TAG})
        await stage.pause(5)


def judge_unlock(take: Take) -> Iterator[Check]:
    """Look at the status, and at the session's end."""
    for unlock in take.asked("UnlockConnector"):
        yield must("UnlockConnector is answered", unlock.is_answered, unlock.status, *unlock.seqs)
        yield must(
            "with Unlocked, or NotSupported for a fixed cable (§5.18)",
            unlock.status in ("Unlocked", "NotSupported"),
            unlock.status,
            *unlock.seqs,
        )
        if unlock.status == "Unlocked" and take.before(unlock).heard("StartTransaction"):
            yield from moves.judge_stop(take, ("UnlockCommand",))


@case(
    "A16-UNLOCK-01",
    "The lock opens from afar",
    "OCPP 1.6 §5.18, UnlockStatus",
    judge=judge_unlock,
    budget_s=30,
    idle=True,
)
async def unlock(stage: Stage) -> None:
    """Send UnlockConnector while nothing charges."""
    await stage.call("UnlockConnector", {"connectorId": stage.connector})


@case(
    "A16-UNLOCK-02",
    "Unlocking in a session ends it first",
    "OCPP 1.6 §5.18",
    judge=judge_unlock,
    budget_s=150,
    person=True,
    idle=True,
)
async def unlock_in_session(stage: Stage) -> None:
    """Start a session, send UnlockConnector, wait for the session's end."""
    number = await moves.must_begin(stage)
    since = stage.last_seq
    reply = await stage.call("UnlockConnector", {"connectorId": stage.connector})
    if reply.status == "Unlocked":
        await moves.stop_of(stage, number, since, 30)


def judge_strange_unlock(take: Take) -> Iterator[Check]:
    """Look at the status for a connector that does not exist."""
    for unlock in take.asked("UnlockConnector"):
        yield must(
            "A connector that does not exist is not unlocked",
            unlock.status in ("NotSupported", "UnlockFailed")
            or (unlock.answer is not None and bool(unlock.answer.code)),
            unlock.status,
            *unlock.seqs,
        )


@case(
    "A16-UNLOCK-03",
    "A connector that does not exist is not unlocked",
    "OCPP 1.6 §5.18, UnlockStatus",
    judge=judge_strange_unlock,
    budget_s=15,
)
async def strange_unlock(stage: Stage) -> None:
    """Send UnlockConnector for connector 63."""
    await stage.call("UnlockConnector", {"connectorId": 63})
