"""Moves that several 2.x cases make, and how they are judged: a car plugged in, a transaction begun, and ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.acceptance.alike import metering
from app.acceptance.facts import Facts
from app.acceptance.stage import NotAsked, Stage
from app.acceptance.take import Message, Take, seq_of
from app.model.acceptance import Check, must, should
from app.ocpp import v2
from app.ocpp.v16 import when

TAG = "REHOME-ACCEPT"
"""The token of our remote starts: at most 36 characters (IdTokenType)."""
START_S = 60.0
"""How long a transaction may take to begin, and to end, after the command [OURS]."""
END_S = 15.0
"""How long the end of a transaction that is stopped for the next case is waited for [OURS]."""
FREE = frozenset({"", "Available", "Unavailable", "Reserved", "Faulted"})
FLOWS = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE"})
REMOTE_STOPS = frozenset({"Authorized", "PowerPathClosed", "EnergyTransfer"})
"""Members of TxStopPoint by which a transaction ends when its authorisation does (part 2 E06)."""


def token(tag: str = TAG, kind: str = "Central") -> dict[str, str]:
    """Return an IdTokenType."""
    return {"idToken": tag, "type": kind}


# The connector and the car ------------------------------------------------------------------------------------------


def state(stage: Stage) -> str:
    """Return what the connector last said of itself, Occupied in the words of 1.6."""
    there = stage.connection
    known = there.statuses.get(stage.connector) if there else None
    return known.state if known else ""


async def state_is(stage: Stage, states: frozenset[str], within_s: float) -> bool:
    """Wait until the connector says that it is in one of some states."""
    return await stage.until(lambda: state(stage) in states, within_s)


def is_plugged(stage: Stage) -> bool:
    """Say whether a car is on the connector."""
    return state(stage) not in FREE


async def plugged(stage: Stage) -> None:
    """See to it that a car is on the connector: ask a person where there is none."""
    await stage.person("plug-in", until=lambda: is_plugged(stage))


async def unplugged(stage: Stage) -> None:
    """See to it that no car is on the connector."""
    await stage.person("unplug", until=lambda: state(stage) == "Available")


# A transaction ------------------------------------------------------------------------------------------------------


def kind_of(event: Message) -> str:
    """Return Started, Updated or Ended."""
    return event.text("eventType")


def id_of(event: Message) -> str:
    """Return the transaction an event is about."""
    return event.text("transactionInfo", "transactionId")


def events(take: Take, transaction: str | None = None, *kinds: str) -> tuple[Message, ...]:
    """Return the TransactionEvents, of one transaction, of these kinds."""
    return take.heard(
        "TransactionEvent",
        lambda event: (transaction is None or id_of(event) == transaction) and (not kinds or kind_of(event) in kinds),
    )


async def event(stage: Stage, kind: str, *, within_s: float, since: int, transaction: str = "") -> Message | None:
    """Wait for an event of a kind."""
    return await stage.heard(
        "TransactionEvent",
        where=lambda told: kind_of(told) == kind and (not transaction or id_of(told) == transaction),
        within_s=within_s,
        since=since,
    )


async def begun(stage: Stage, tag: str = TAG, **more: Any) -> str | None:
    """Start a transaction remotely, with a car; returns its id, ``None`` where none began."""
    await plugged(stage)
    since = stage.last_seq
    number = 41_000_000 + since
    payload = {"idToken": token(tag), "remoteStartId": number, "evseId": stage.connector, **more}
    reply = await stage.call("RequestStartTransaction", payload)
    if reply.status != "Accepted" and not _is_running(stage):
        # The same car may need to be plugged in anew for a new transaction.
        await stage.person("replug", until=lambda: replugged(stage, since), within_s=60)
        reply = await stage.call("RequestStartTransaction", payload)
    if reply.status != "Accepted":
        return None
    start = await stage.heard(
        "TransactionEvent", where=lambda told: _is_ours(told, number), within_s=START_S, since=since
    )
    return None if start is None else opened(stage, start)


def _is_ours(told: Message, number: int) -> bool:
    # Where TxStartPoint is EVConnected the transaction runs since the plug, and only an update follows (F02).
    is_named = told.get("transactionInfo", "remoteStartId") == number
    return is_named or kind_of(told) == "Started" or told.text("triggerReason") == "RemoteStart"


def _is_running(stage: Stage) -> bool:
    there = stage.connection
    return there is not None and any(item.is_running for item in there.transactions.values())


def replugged(stage: Stage, since: int) -> bool:
    """Say whether the plug was pulled and put in again since a moment."""
    told = stage.take.after(since).heard("StatusNotification")
    words = [message.text("connectorStatus") for message in told]
    return "Available" in words and words[-1] == "Occupied"


def opened(stage: Stage, start: Message) -> str:
    """Return the id of a transaction that began, and see to it that it ends with the case."""
    transaction = id_of(start)

    async def end() -> str:
        if events(stage.take, transaction, "Ended"):
            return ""
        since = stage.last_seq
        reply = await stage.call("RequestStopTransaction", {"transactionId": transaction})
        if reply.status != "Accepted":
            return f"RequestStopTransaction said {reply.status}"
        await event(stage, "Ended", within_s=END_S, since=since, transaction=transaction)
        return ""

    stage.undo(f"end of transaction {transaction}", end)
    return transaction


async def ended(stage: Stage, transaction: str) -> Message | None:
    """Stop a transaction remotely and wait for its end; where only the plug ends it, ask for that."""
    since = stage.last_seq
    await stage.call("RequestStopTransaction", {"transactionId": transaction})
    if not stops_remotely(stage.facts):
        await stage.person("unplug", until=lambda: bool(events(stage.take, transaction, "Ended")))
    return await event(stage, "Ended", within_s=START_S, since=since, transaction=transaction)


def stops_remotely(facts: Facts) -> bool:
    """Say whether TxStopPoint lets the end of an authorisation end the transaction."""
    points = facts.settings.get("TxCtrlr.TxStopPoint")
    return points is None or not points.items or bool(points.items & REMOTE_STOPS)


async def must_begin(stage: Stage) -> str:
    """Start a transaction that the case only needs, and wait until current may flow. Raises NotAsked."""
    since = stage.last_seq
    transaction = await begun(stage)
    if transaction is None:
        raise NotAsked("No transaction could be started; look at A201-SESS-01.")
    await stage.heard("TransactionEvent", where=lambda told: charging_state(told) in FLOWS, within_s=15, since=since)
    return transaction


def charging_state(told: Message) -> str:
    """Return its ChargingStateEnum, empty where it tells none."""
    return told.text("transactionInfo", "chargingState")


# Judging ------------------------------------------------------------------------------------------------------------


def transaction_of(take: Take) -> str:
    """Return the transaction a case is about: the last one that its events began, or that they tell of."""
    found = events(take, None, "Started") or events(take)
    return id_of(found[-1]) if found else ""


def judge_start(take: Take, tag: str | None = None) -> Iterator[Check]:
    """Look at the begin of the transaction."""
    found = events(take)
    yield must("TransactionEvents come", bool(found), f"{len(found)} came", *map(seq_of, found[:5]))
    if not found:
        return
    mine = events(take, transaction_of(take))
    began = [item for item in mine if kind_of(item) == "Started"]
    yield must("One of them begins it (Started)", bool(began), f"{len(began)} times", *map(seq_of, began))
    for start in began[:1]:
        name = id_of(start)
        yield must("Its id has 1 to 36 characters (§2.48)", 0 < len(name) <= 36, f"{len(name)}", start.seq)
        yield must("Its time stamp can be believed", start.stamp() is not None, start.text("timestamp")[:40], start.seq)
    if tag is None:
        return
    named = [item for item in mine if item.text("idToken", "idToken")]
    said = named[0].text("idToken", "idToken") if named else "nobody"
    yield must("It names the token of the start", said.lower() == tag.lower(), f"“{said}”", *map(seq_of, named[:1]))


def judge_end(take: Take, reasons: tuple[str, ...], triggers: tuple[str, ...] = ()) -> Iterator[Check]:
    """Look at the end: its reason, its trigger, a register that did not fall."""
    name = transaction_of(take)
    found = events(take, name, "Ended")
    yield must("Its end is told (Ended)", len(found) == 1, f"{len(found)} times", *map(seq_of, found))
    if not found:
        return
    end = found[0]
    reason = end.text("transactionInfo", "stoppedReason") or "Local"
    yield should(f"stoppedReason is {' or '.join(reasons)}", reason in reasons, reason, end.seq)
    trigger = end.text("triggerReason")
    if triggers:
        yield should(f"triggerReason is {' or '.join(triggers)}", trigger in triggers, trigger, end.seq)
    yield from judge_register(take, name)


def judge_register(take: Take, transaction: str) -> Iterator[Check]:
    """Look that the energy register never falls from the first event to the last."""
    yield from metering.judge_register(list(registers(take, transaction)))


def registers(take: Take, transaction: str) -> Iterator[tuple[float, int]]:
    """Return the energy registers of a transaction in Wh by the time they were read, each with its frame."""
    found = []
    for told in events(take, transaction):
        values = told.get("meterValue")
        for value in values if isinstance(values, list) else ():
            register = v2.register_wh([value], "", told.at)
            if register is not None and isinstance(value, dict):
                found.append((when(value.get("timestamp"), told.at)[0], told.seq, register))
    yield from ((register, seq) for _, seq, register in sorted(found))


def judge_sequence(take: Take, transaction: str) -> Iterator[Check]:
    """Look that seqNo rises by one from event to event (part 2 E01: a CSMS finds missing events by it)."""
    mine = events(take, transaction)
    numbers = [told.get("seqNo") for told in mine]
    seqs = list(map(seq_of, mine))
    yield must("Every event has a seqNo", all(type(number) is int for number in numbers), f"{numbers}"[:80], *seqs)
    counted = sorted({number for number in numbers if type(number) is int})
    if counted:
        gaps = sorted(set(range(counted[0], counted[-1] + 1)) - set(counted))
        yield must(
            "without a gap", not gaps, f"missing: {gaps}"[:80] if gaps else f"{counted[0]} to {counted[-1]}", *seqs
        )
        yield must("and none twice", len(counted) == len(numbers), f"{numbers}"[:80], *seqs)
