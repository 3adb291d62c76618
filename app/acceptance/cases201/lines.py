"""The connection (OCPP 2.0.1 part 4 §5): back after a drop, pings both ways, and what waits in the queue (E04, E13)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

from app.acceptance.alike import lines
from app.acceptance.cases201 import moves
from app.acceptance.cases201.asking import HEARTBEAT, PING, case201, is_on, outlets, selector, tell_facts, told_fact
from app.acceptance.cases201.variables import told_status
from app.acceptance.facts import can_write
from app.acceptance.stage import Stage
from app.acceptance.take import Take, seq_of
from app.model.acceptance import Check, must, should

THRESHOLD = "OCPPCommCtrlr.OfflineThreshold"
RETRY = "OCPPCommCtrlr.MessageAttemptInterval/TransactionEvent"
END = "TransactionEvent/Ended"
judge_return = partial(lines.judge_return, question="GetVariables", clause="B04")


async def _answers(stage: Stage) -> None:
    await stage.call("GetVariables", {"getVariableData": [selector(HEARTBEAT)]})


@case201(
    "A201-CONN-01", "It comes back when the line drops", "OCPP 2.0.1 part 4 §5.3; B04", judge=judge_return, budget_s=150
)
async def dropped(stage: Stage) -> None:
    """Close the connection and wait for the next one."""
    if await lines.bounced(stage):
        await _answers(stage)


@case201(
    "A201-CONN-02",
    "It comes back after the door was closed for a while",
    "OCPP 2.0.1 part 4 §5.3 (RetryBackOff)",
    judge=judge_return,
    budget_s=240,
)
async def door(stage: Stage) -> None:
    """Close the connection, refuse every dial-in for 30 s, let it in again."""
    if await lines.kept_away(stage, lines.AWAY_S):
        await _answers(stage)


def judge_told_again(take: Take) -> Iterator[Check]:
    """Look for the state of every connector after the return."""
    doors = take.marked("let in")
    if not doors:
        return
    back = [mark for mark in take.marked("connected") if mark.at >= doors[-1].at]
    yield must(f"It dials again within {lines.RETURN_S:.0f} s", bool(back))
    if not back:
        return
    told = [message for message in take.heard("StatusNotification") if message.at >= back[0].at]
    places = {f"{message.get('evseId')}.{message.get('connectorId')}" for message in told}
    missing = [place for place in told_fact(take, "outlets").split(",") if place and place not in places]
    seen = f"missing: {', '.join(missing)}" if missing else f"{len(told)} came"
    text = "Away for longer than OfflineThreshold, it tells the state of every connector again (B04)"
    yield must(text, not missing, seen, *map(seq_of, told[:8]))


@case201(
    "A201-CONN-03",
    "After a long absence it tells its states again",
    "OCPP 2.0.1 B04 (OCPPCommCtrlr.OfflineThreshold)",
    judge=judge_told_again,
    budget_s=260,
    needs=[can_write(THRESHOLD)],
)
async def told_again(stage: Stage) -> None:
    """Set OfflineThreshold to 5 s, keep the station away for 30 s, let it in again, put the old value back."""
    tell_facts(stage, outlets=",".join(f"{evse}.{connector}" for evse, connector in outlets(stage.facts)))
    if await stage.set(THRESHOLD, "5") != "Accepted":
        return
    since = stage.last_seq
    if await lines.kept_away(stage, lines.AWAY_S):
        await stage.heard("StatusNotification", within_s=20, since=since)
        await stage.pause(3)


@case201(
    "A201-PING-01", "Our pings are answered", "RFC 6455 §5.5.2; part 4 §5.4", judge=lines.judge_pongs, budget_s=300
)
async def pings(stage: Stage) -> None:
    """Ping it every 5 s for 30 s, and count what comes back."""
    await lines.watch_pongs(stage)


def judge_rhythm(take: Take) -> Iterator[Check]:
    """Look at the setting, and count the pings."""
    for write in take.asked("SetVariables")[:1]:
        taken = lines.judge_taken(told_status(write), *write.seqs)
        yield taken
        if not taken.is_met:
            return
    yield from lines.judge_rhythm(take, PING)


@case201(
    "A201-PING-02",
    "It pings in the rhythm that was set",
    "OCPP 2.0.1 part 4 §5.4 (OCPPCommCtrlr.WebSocketPingInterval)",
    judge=judge_rhythm,
    budget_s=320,
    needs=[can_write(PING)],
)
async def rhythm(stage: Stage) -> None:
    """Set WebSocketPingInterval to 10 s, let it dial anew, and count its pings for 35 s."""
    await lines.watch_rhythm(stage, PING)


def judge_queue(take: Take) -> Iterator[Check]:
    """Look at what came after the return: the end, in order, as offline, with the time it happened."""
    yield from moves.judge_start(take)
    doors = take.marked("let in")
    if not doors:
        return
    name = moves.transaction_of(take)
    late = [told for told in moves.events(take, name) if told.at >= doors[0].at]
    ends = [told for told in late if moves.kind_of(told) == "Ended"]
    yield must("The transaction's end is delivered after the return (E04)", bool(ends), "", *map(seq_of, late))
    if not ends:
        return
    yield from moves.judge_end(take, ("EVDisconnected", "EVDeparted", "Local"))
    yield must(
        "It says that it happened offline", ends[0].get("offline") is True, f"{ends[0].get('offline')}", ends[0].seq
    )
    yield lines.judge_past(doors[0], ends[0])
    yield from moves.judge_sequence(take, name)
    numbers = [told.get("seqNo") for told in late]
    wrong = [b for a, b in pairwise(numbers) if isinstance(a, int) and isinstance(b, int) and b < a]
    yield must("The queue is delivered in the order of its numbers", not wrong, f"{numbers}"[:80], *map(seq_of, late))


@case201(
    "A201-QUEUE-01",
    "A transaction that ends offline is told after the return, in order",
    "OCPP 2.0.1 E04, E11, E12",
    judge=judge_queue,
    budget_s=320,
    person=True,
    idle=True,
    needs=[is_on("TxCtrlr.StopTxOnEVSideDisconnect")],
)
async def queue(stage: Stage) -> None:
    """Start a transaction, keep the station away, have the plug pulled, let it in again."""
    transaction = await moves.must_begin(stage)
    since = stage.last_seq
    if await lines.away_while(stage, "unplug-offline"):
        await moves.event(stage, "Ended", within_s=60, since=since, transaction=transaction)
        await stage.pause(3)


def judge_repeated(take: Take) -> Iterator[Check]:
    """Look whether an unanswered event comes again."""
    ends = moves.events(take, moves.transaction_of(take), "Ended")
    yield must("The transaction's end comes", bool(ends), f"{len(ends)} came", *map(seq_of, ends))
    if not ends:
        return
    is_again = len(ends) >= 2
    yield must("Unanswered, it is sent again (E13)", is_again, f"{len(ends)} times", *map(seq_of, ends))
    if is_again:
        same = [told.get("seqNo") for told in ends]
        yield must("under the same seqNo", len(set(same)) == 1, f"{same}"[:60], *map(seq_of, ends))
        is_settled = take.replied(ends[-1]) is not None
        yield should("and no more once it is answered", is_settled, "", *map(seq_of, ends))


@case201(
    "A201-QUEUE-02",
    "An unanswered end of a transaction is sent again",
    "OCPP 2.0.1 E13 (OCPPCommCtrlr.MessageAttempts)",
    judge=judge_repeated,
    budget_s=320,
    person=True,
    idle=True,
)
async def repeated(stage: Stage) -> None:
    """Start and stop a transaction, leave its end unanswered once, wait for it to come again."""
    if not can_write(RETRY)(stage.facts):
        await stage.set(RETRY, "5")
    transaction = await moves.must_begin(stage)
    stage.withhold(END)  # and no other event: an unanswered one before it would hold it up
    first = await moves.ended(stage, transaction)
    stage.answer(END)
    if first is not None:
        await moves.event(stage, "Ended", within_s=200, since=first.seq, transaction=transaction)
        await stage.pause(2)
