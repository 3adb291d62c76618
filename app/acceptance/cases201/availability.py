"""ChangeAvailability (OCPP 2.0.1 part 2, G03, G04) and UnlockConnector (F05)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.acceptance.case import COMMISSIONING
from app.acceptance.cases201 import moves
from app.acceptance.cases201.asking import case201, outlet
from app.acceptance.cases201.restart import restarted
from app.acceptance.stage import Stage
from app.acceptance.take import Exchange, Take, seq_of
from app.model.acceptance import Check, must, should

SEEN_S = 12.0
"""How long the state may take to change [OURS]."""


async def _change(stage: Stage, place: dict[str, int] | None, word: str) -> Exchange:
    payload: dict[str, Any] = {"operationalStatus": word} | ({"evse": place} if place else {})
    if word == "Inoperative":

        async def back() -> str:
            reply = await stage.call("ChangeAvailability", {**payload, "operationalStatus": "Operative"})
            return "" if reply.status in ("Accepted", "Scheduled") else f"the unit said {reply.status}"

        stage.undo("operative again", back)
    return await stage.call("ChangeAvailability", payload)


def judge_there_and_back(take: Take) -> Iterator[Check]:
    """Look at both answers and the states after them."""
    changes = take.asked("ChangeAvailability")
    for at, change in enumerate(changes[:2]):
        word = change.request.text("operationalStatus")
        yield must(f"{word} is accepted (G03)", change.status == "Accepted", change.status, *change.seqs)
        window = take.after(change)
        window = window.before(changes[at + 1]) if at + 1 < len(changes) else window
        is_off = word == "Inoperative"
        told = [m for m in window.heard("StatusNotification") if (m.text("connectorStatus") == "Unavailable") == is_off]
        state = "Unavailable" if is_off else "in service"
        yield must(f"and told as {state} (G01)", bool(told), f"{len(told)} times", *map(seq_of, told[:3]))


async def _there_and_back(stage: Stage, place: dict[str, int] | None) -> None:
    for word, is_off in (("Inoperative", True), ("Operative", False)):
        since = stage.last_seq
        await _change(stage, place, word)
        await stage.heard(
            "StatusNotification",
            where=lambda m, is_off=is_off: (m.text("connectorStatus") == "Unavailable") == is_off,  # type: ignore[misc]
            within_s=SEEN_S,
            since=since,
        )
    stage.restoring.done("operative again")


@case201(
    "A201-AVAIL-01",
    "An EVSE is taken out of service and put back",
    "OCPP 2.0.1 G03",
    judge=judge_there_and_back,
    budget_s=30,
    suites=[COMMISSIONING],
    idle=True,
)
async def evse(stage: Stage) -> None:
    """Make the first EVSE Inoperative, then Operative again."""
    await _there_and_back(stage, {"id": stage.connector})


@case201(
    "A201-AVAIL-02",
    "The whole station is taken out of service and put back",
    "OCPP 2.0.1 G04",
    judge=judge_there_and_back,
    budget_s=60,
    idle=True,
)
async def whole(stage: Stage) -> None:
    """Make the station Inoperative, then Operative again."""
    await _there_and_back(stage, None)


@case201(
    "A201-AVAIL-03",
    "One connector is taken out of service and put back",
    "OCPP 2.0.1 G03",
    judge=judge_there_and_back,
    budget_s=60,
    idle=True,
)
async def connector(stage: Stage) -> None:
    """Make the first connector of the first EVSE Inoperative, then Operative again."""
    await _there_and_back(stage, outlet(stage))


def judge_scheduled(take: Take) -> Iterator[Check]:
    """Look at the status, at the transaction that goes on, and at the state after its end."""
    yield from moves.judge_start(take)
    for change in take.asked("ChangeAvailability")[:1]:
        is_put_off = change.status == "Scheduled"
        yield must("Inoperative in a transaction is Scheduled (G03)", is_put_off, change.status, *change.seqs)
        stops = take.after(change).asked("RequestStopTransaction")
        if not stops:
            return
        early = moves.events(take.after(change).before(stops[0]), None, "Ended")
        yield must("The transaction goes on", not early, "", *map(seq_of, early))
        told = [
            m for m in take.after(stops[0]).heard("StatusNotification") if m.text("connectorStatus") == "Unavailable"
        ]
        yield must("and the connector is Unavailable once it is over", bool(told), "", *map(seq_of, told[:2]))


@case201(
    "A201-AVAIL-04",
    "Taken out of service in a transaction: it waits for the end",
    "OCPP 2.0.1 G03",
    judge=judge_scheduled,
    budget_s=150,
    person=True,
    idle=True,
)
async def scheduled(stage: Stage) -> None:
    """Start a transaction, make the EVSE Inoperative, end the transaction, make it Operative again."""
    transaction = await moves.must_begin(stage)
    await _change(stage, {"id": stage.connector}, "Inoperative")
    await stage.pause(3)
    since = stage.last_seq
    await moves.ended(stage, transaction)
    await stage.heard(
        "StatusNotification", where=lambda m: m.text("connectorStatus") == "Unavailable", within_s=SEEN_S, since=since
    )


def judge_refusing(take: Take) -> Iterator[Check]:
    """Look whether a start is refused while it is out of service."""
    for change in take.asked("ChangeAvailability")[:1]:
        yield must("Inoperative is accepted (G03)", change.status == "Accepted", change.status, *change.seqs)
    for command in take.asked("RequestStartTransaction"):
        is_refused = command.status == "Rejected"
        yield must("A start on an EVSE out of service is Rejected (F02)", is_refused, command.status, *command.seqs)
    begun = moves.events(take, None, "Started")
    yield must("and no transaction begins", not begun, f"{len(begun)} began", *map(seq_of, begun))


@case201(
    "A201-AVAIL-05",
    "Out of service, it starts no transaction",
    "OCPP 2.0.1 G03, F02",
    judge=judge_refusing,
    budget_s=60,
    idle=True,
)
async def refusing(stage: Stage) -> None:
    """Make the EVSE Inoperative, try a remote start, make it Operative again."""
    change = await _change(stage, {"id": stage.connector}, "Inoperative")
    if change.status == "Accepted":
        await moves.state_is(stage, frozenset({"Unavailable"}), SEEN_S)
        payload = {"idToken": moves.token(), "remoteStartId": 41_000_005, "evseId": stage.connector}
        await stage.call("RequestStartTransaction", payload)
        await stage.pause(5)


def judge_kept(take: Take) -> Iterator[Check]:
    """Look for the state after the restart."""
    for change in take.asked("ChangeAvailability")[:1]:
        yield must("Inoperative is accepted (G03)", change.status == "Accepted", change.status, *change.seqs)
    for reset in take.asked("Reset"):
        yield must("Reset is accepted (B11)", reset.status == "Accepted", reset.status, *reset.seqs)
        boots = take.after(reset).heard("BootNotification")
        yield must("It comes back with a Boot", bool(boots), "", *map(seq_of, boots[:1]))
        if boots:
            evse = take.asked("ChangeAvailability")[0].request.get("evse", "id")
            told = [m for m in take.after(boots[0]).heard("StatusNotification") if m.get("evseId") == evse]
            state = told[-1].text("connectorStatus") if told else "not told"
            yield must(
                "and is out of service still (G03: it outlives a restart)",
                state == "Unavailable",
                state,
                *map(seq_of, told),
            )


@case201(
    "A201-AVAIL-06",
    "Out of service outlives a restart",
    "OCPP 2.0.1 G03, B11",
    judge=judge_kept,
    budget_s=200,
    idle=True,
)
async def kept(stage: Stage) -> None:
    """Make the EVSE Inoperative, restart the station, look at its state, make it Operative again."""
    if (await _change(stage, {"id": stage.connector}, "Inoperative")).status == "Accepted":
        await moves.state_is(stage, frozenset({"Unavailable"}), SEEN_S)
        await restarted(stage, "Immediate")


def _unlock(stage: Stage) -> dict[str, int]:
    place = outlet(stage)
    return {"evseId": place["id"], "connectorId": place["connectorId"]}


def judge_unlock(take: Take) -> Iterator[Check]:
    """Look at the status."""
    for order in take.asked("UnlockConnector"):
        yield must("UnlockConnector is answered (F05)", order.is_answered, order.status, *order.seqs)
        yield should("with Unlocked", order.status == "Unlocked", order.status, *order.seqs)


@case201("A201-UNLOCK-01", "The connector is unlocked", "OCPP 2.0.1 F05", judge=judge_unlock, budget_s=45, idle=True)
async def unlock(stage: Stage) -> None:
    """Send UnlockConnector for the first connector, while nothing charges."""
    await stage.offered("UnlockConnector", _unlock(stage))


def judge_unknown(take: Take) -> Iterator[Check]:
    """Look at the status for a connector that does not exist."""
    for order in take.asked("UnlockConnector"):
        is_refused = order.answer is not None and order.status != "Unlocked"
        yield must("A connector that does not exist is not Unlocked (F05)", is_refused, order.status, *order.seqs)
        yield should("but UnknownConnector", order.status == "UnknownConnector", order.status, *order.seqs)


@case201(
    "A201-UNLOCK-02",
    "A connector that does not exist is not unlocked",
    "OCPP 2.0.1 F05",
    judge=judge_unknown,
    budget_s=20,
)
async def unknown(stage: Stage) -> None:
    """Send UnlockConnector for connector 9 of the first EVSE."""
    await stage.offered("UnlockConnector", {"evseId": stage.connector, "connectorId": 9})


def judge_busy(take: Take) -> Iterator[Check]:
    """Look that the lock holds in a transaction."""
    yield from moves.judge_start(take)
    for order in take.asked("UnlockConnector"):
        is_refused = order.answer is not None and order.status != "Unlocked"
        yield must("In a transaction the connector is not unlocked (F05)", is_refused, order.status, *order.seqs)
        is_named = order.status == "OngoingAuthorizedTransaction"
        yield should("because of the transaction: OngoingAuthorizedTransaction", is_named, order.status, *order.seqs)
        stops = take.after(order).asked("RequestStopTransaction")
        window = take.after(order).before(stops[0]) if stops else take.after(order)
        ends = moves.events(window, None, "Ended")
        yield must("and the transaction goes on", not ends, "", *map(seq_of, ends))


@case201(
    "A201-UNLOCK-03",
    "The connector is not unlocked in a transaction",
    "OCPP 2.0.1 F05",
    judge=judge_busy,
    budget_s=150,
    person=True,
    idle=True,
)
async def busy(stage: Stage) -> None:
    """Start a transaction, try to unlock, stop it."""
    transaction = await moves.must_begin(stage)
    await stage.offered("UnlockConnector", _unlock(stage))
    await stage.pause(3)
    await moves.ended(stage, transaction)
