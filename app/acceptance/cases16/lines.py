"""The connection (J16 §5): back after a drop and after a closed door, pings both ways, and what waits in the queue."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

from app.acceptance.alike import lines
from app.acceptance.case import case
from app.acceptance.cases16 import moves
from app.acceptance.facts import Facts, can_write
from app.acceptance.stage import Stage
from app.acceptance.take import Message, Take, seq_of
from app.model.acceptance import Check, must, should

PING = "WebSocketPingInterval"
judge_return = partial(lines.judge_return, question="GetConfiguration", clause="J16 §5.4")


async def _answers(stage: Stage) -> None:
    await stage.call("GetConfiguration", {"key": ["HeartbeatInterval"]})


@case("A16-CONN-01", "It comes back when the line drops", "OCPP-J 1.6 §5.4", judge=judge_return, budget_s=150)
async def dropped(stage: Stage) -> None:
    """Close the connection and wait for the next one."""
    if await lines.bounced(stage):
        await _answers(stage)


@case(
    "A16-CONN-02",
    "It comes back after the door was closed for a while",
    "OCPP-J 1.6 §5.4; J16-E 3.4",
    judge=judge_return,
    budget_s=220,
)
async def door(stage: Stage) -> None:
    """Close the connection, refuse every dial-in for 30 s, let it in again."""
    if await lines.kept_away(stage, lines.AWAY_S):
        await _answers(stage)


@case("A16-PING-01", "Our pings are answered", "RFC 6455 §5.5.2; J16 §5.3", judge=lines.judge_pongs, budget_s=300)
async def pings(stage: Stage) -> None:
    """Ping it every 5 s for 30 s, and count what comes back."""
    await lines.watch_pongs(stage)


def judge_rhythm(take: Take) -> Iterator[Check]:
    """Look at the setting, and count the pings."""
    for write in take.asked("ChangeConfiguration", lambda message: message.get("key") == PING)[:1]:
        taken = lines.judge_taken(write.status, *write.seqs)
        yield taken
        if not taken.is_met:
            return
    yield from lines.judge_rhythm(take, "§9.1")


@case(
    "A16-PING-02",
    "It pings in the rhythm that was set",
    "OCPP-J 1.6 §5.3; J16-E 3.11; WebSocketPingInterval (§9.1)",
    judge=judge_rhythm,
    budget_s=320,
    needs=[can_write(PING)],
)
async def rhythm(stage: Stage) -> None:
    """Set WebSocketPingInterval to 10 s, let it dial anew, and count its pings for 35 s."""
    await lines.watch_rhythm(stage, PING)


def judge_queue(take: Take) -> Iterator[Check]:
    """Look at what came after the return: the session's end, in order, with the time it happened."""
    yield from moves.judge_start(take)
    doors = take.marked("let in")
    if not doors:
        return
    told = [m for m in take.messages if m.is_in and m.is_call and m.at >= doors[0].at]
    stops = [message for message in told if message.action == "StopTransaction"]
    yield must("The session's end is delivered after the return (§3.7)", bool(stops), "", *map(seq_of, stops))
    if not stops:
        return
    yield from moves.judge_stop(take, ("EVDisconnected", "Local"))
    yield lines.judge_past(doors[0], stops[0])
    yield from _judge_order(told)
    twice = [stop for stop in stops[1:] if stop.get("transactionId") == stops[0].get("transactionId")]
    yield should("and only once", not twice, f"{len(stops)} times", *map(seq_of, stops))


def _judge_order(told: list[Message]) -> Iterator[Check]:
    about = [m for m in told if m.action in ("StartTransaction", "MeterValues", "StopTransaction")]
    times = [(m, at) for m in about if (at := m.stamp() or m.stamp("meterValue", 0, "timestamp")) is not None]
    wrong = [b[0] for a, b in pairwise(times) if b[1] < a[1]]
    yield must(
        "Messages about sessions come in the order of their times (§3.7.1)",
        not wrong,
        f"{len(wrong)} out of order",
        *map(seq_of, wrong or about[:8]),
    )


@case(
    "A16-QUEUE-01",
    "A session that ends offline is told after the return",
    "OCPP 1.6 §3.7, §3.7.1",
    judge=judge_queue,
    budget_s=320,
    person=True,
    idle=True,
)
async def queue(stage: Stage) -> None:
    """Start a session, keep the charger away, have the plug pulled, let it in again."""
    number = await moves.must_begin(stage)
    since = stage.last_seq
    if await lines.away_while(stage, "unplug-offline"):
        await moves.stop_of(stage, number, since, 60)
        await stage.pause(3)


def judge_repeated(take: Take) -> Iterator[Check]:
    """Look whether an unanswered StopTransaction comes again."""
    stops = take.heard("StopTransaction")
    yield must("StopTransaction comes", bool(stops), f"{len(stops)} came", *map(seq_of, stops))
    if not stops:
        return
    same = [stop for stop in stops if stop.get("transactionId") == stops[0].get("transactionId")]
    yield must(
        "Unanswered, it is sent again (§3.7.1, TransactionMessageAttempts)",
        len(same) >= 2,
        f"{len(same)} times",
        *map(seq_of, same),
    )
    if len(same) >= 2:
        is_same = all(stop.payload == same[0].payload for stop in same[1:])
        yield must("with the same content", is_same, "", *map(seq_of, same))
        answered = [stop for stop in same if take.replied(stop)]
        yield should("and no more once it is answered", same[-1] in answered or not answered, "", *map(seq_of, same))


@case(
    "A16-QUEUE-02",
    "An unanswered end of a session is sent again",
    "OCPP 1.6 §3.7.1; TransactionMessageAttempts (§9.1)",
    judge=judge_repeated,
    budget_s=320,
    person=True,
    idle=True,
)
async def repeated(stage: Stage) -> None:
    """Start and stop a session, leave StopTransaction unanswered once, wait for it to come again."""
    await stage.set("TransactionMessageRetryInterval", "5")
    number = await moves.must_begin(stage)
    stage.withhold("StopTransaction")
    first = await moves.ended(stage, number)
    stage.answer("StopTransaction")
    if first is not None:
        await moves.stop_of(stage, number, first.seq, 200)
        await stage.pause(2)


def knows_cards_offline(facts: Facts) -> str:
    """Need a unit that may decide offline, and can know a card that was held to it before (§3.5)."""
    if not facts.is_on("LocalAuthorizeOffline"):
        return "LocalAuthorizeOffline is not on."
    if facts.is_on("AuthorizationCacheEnabled") or facts.is_on("AllowOfflineTxForUnknownId"):
        return ""
    return "The unit keeps no cache of cards, and takes no unknown ones offline."


def judge_offline_card(take: Take) -> Iterator[Check]:
    """Look for the session that began offline."""
    doors = take.marked("let in")
    if not doors:
        return
    starts = [start for start in take.heard("StartTransaction") if start.at >= doors[0].at]
    yield must(
        "The session that began offline is told after the return (§3.5, §3.7)", bool(starts), "", *map(seq_of, starts)
    )
    for start in starts[:1]:
        yield lines.judge_past(doors[0], start)


@case(
    "A16-AUTH-03",
    "A known card starts a session offline",
    "OCPP 1.6 §3.5; LocalAuthorizeOffline (§9.1)",
    judge=judge_offline_card,
    budget_s=400,
    person=True,
    idle=True,
    needs=[knows_cards_offline],
)
async def offline_card(stage: Stage) -> None:
    """Keep the charger away, have a card held that it knows from its cache or list, let it in again."""
    await moves.ready_for_card(stage)
    since = stage.last_seq
    if await lines.away_while(stage, "card-offline"):
        start = await stage.heard("StartTransaction", within_s=60, since=since)
        number = moves.opened(stage, start) if start else None
        if number is not None:
            await moves.ended(stage, number)
