"""The connection (J16 §5): back after a drop and after a closed door, pings both ways, and what waits in the queue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

from app.acceptance.case import case
from app.acceptance.cases16 import moves
from app.acceptance.facts import Facts, can_write
from app.acceptance.stage import Stage
from app.acceptance.take import Message, Take, seq_of
from app.model.acceptance import Check, Mark, must, should

RETURN_S = 120.0
GOOD_S = 60.0
AWAY_S = 30.0


async def bounced(stage: Stage, within_s: float = RETURN_S) -> bool:
    """Close the connection and wait for the next one."""
    began = datetime.now(UTC)
    await stage.drop()
    return await stage.returned(after=began, within_s=within_s)


def _number(mark: Mark, name: str) -> float:
    try:
        return float(mark.facts.get(name, "0"))
    except ValueError:
        return 0.0


def judge_return(take: Take) -> Iterator[Check]:
    """Measure how long it was away after the last time it could have been here."""
    dropped = take.marked("dropped")
    if not dropped:
        return
    door = take.marked("let in")
    since = door[-1] if door else dropped[-1]
    back = [mark for mark in take.marked("connected") if mark.at >= since.at]
    away_s = take.seconds(since.at, back[0].at) if back else 0.0
    seen = f"after {away_s:.0f} s" if back else "it did not come back"
    yield must(f"It dials again within {RETURN_S:.0f} s", bool(back), seen)
    if not back:
        return
    yield should(f"and within {GOOD_S:.0f} s", away_s <= GOOD_S + take.slack_s, seen)
    asked = [item for item in take.asked("GetConfiguration") if item.request.at >= back[0].at]
    for question in asked[-1:]:
        yield must("and answers", question.answer is not None, question.status, *question.seqs)
    boots = [boot for boot in take.heard("BootNotification") if boot.at >= back[0].at]
    yield should("without a new Boot: it has not restarted (J16 §5.4)", not boots, "", *map(seq_of, boots))


async def _answers(stage: Stage) -> None:
    await stage.call("GetConfiguration", {"key": ["HeartbeatInterval"]})


@case("A16-CONN-01", "It comes back when the line drops", "OCPP-J 1.6 §5.4", judge=judge_return, budget_s=150)
async def dropped(stage: Stage) -> None:
    """Close the connection and wait for the next one."""
    if await bounced(stage):
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
    stage.keep_away()
    await stage.drop()
    await stage.pause(AWAY_S)
    began = datetime.now(UTC)
    stage.let_in()
    if await stage.returned(after=began, within_s=RETURN_S):
        await _answers(stage)


PING_S = 5.0
WATCHED_S = 30.0


def judge_pongs(take: Take) -> Iterator[Check]:
    """Compare pings and pongs of the connection that was watched."""
    watched = [mark for mark in take.marked("ended") if _number(mark, "pings") > 0]
    yield must("A connection with our pings was watched", bool(watched), f"{len(watched)} connections")
    if not watched:
        return
    pings, pongs = _number(watched[-1], "pings"), _number(watched[-1], "pongs")
    seen = f"{pings:.0f} pings, {pongs:.0f} pongs"
    yield must("Our pings are answered (RFC 6455 §5.5.3)", pongs >= max(1, pings - 2), seen)
    held = _number(watched[-1], "lasted_s") / take.pace
    yield must("The connection holds", held >= WATCHED_S * 0.8, f"{held:.0f} s, {watched[-1].text}")


@case("A16-PING-01", "Our pings are answered", "RFC 6455 §5.5.2; J16 §5.3", judge=judge_pongs, budget_s=300)
async def pings(stage: Stage) -> None:
    """Ping it every 5 s for 30 s, and count what comes back."""
    stage.treat(ping_s=stage.tempo.exactly(PING_S))
    if await bounced(stage):
        await stage.pause(WATCHED_S)
        await bounced(stage)


def judge_rhythm(take: Take) -> Iterator[Check]:
    """Count the pings of the unit on the connection that was watched."""
    writes = take.asked("ChangeConfiguration", lambda m: m.get("key") == "WebSocketPingInterval")
    for write in writes[:1]:
        is_taken = write.status in ("Accepted", "RebootRequired")
        yield must(f"WebSocketPingInterval = {RHYTHM_S} is accepted", is_taken, write.status, *write.seqs)
        if not is_taken:
            return
    watched = [mark for mark in take.marked("ended") if _number(mark, "lasted_s") / take.pace >= WATCHED_S]
    if not watched:
        yield must("The connection holds long enough to be watched", False)
        return
    count = max(_number(mark, "peer_pings") for mark in watched)
    yield must("It sends pings of its own (§9.1)", count >= 1, f"{count:.0f} pings")
    yield should(
        f"about every {RHYTHM_S} s", 2 <= count <= 3 * WATCHED_S / RHYTHM_S, f"{count:.0f} in {WATCHED_S:.0f} s"
    )


RHYTHM_S = 10


@case(
    "A16-PING-02",
    "It pings in the rhythm that was set",
    "OCPP-J 1.6 §5.3; J16-E 3.11; WebSocketPingInterval (§9.1)",
    judge=judge_rhythm,
    budget_s=320,
    needs=[can_write("WebSocketPingInterval")],
)
async def rhythm(stage: Stage) -> None:
    """Set WebSocketPingInterval to 10 s, let it dial anew, and count its pings for 35 s."""
    if await stage.set("WebSocketPingInterval", str(RHYTHM_S)) not in ("Accepted", "RebootRequired"):
        return
    if await bounced(stage):
        await stage.pause(WATCHED_S + 5)
        await bounced(stage)


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
    at = stops[0].stamp()
    is_past = at is not None and (doors[0].at - at).total_seconds() > -1.0
    yield must("with the time it happened, not the time it was sent", is_past, stops[0].text("timestamp"), stops[0].seq)
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
    stage.keep_away()
    await stage.drop("kept away")
    await stage.person("unplug-offline")
    await stage.pause(5)
    began = datetime.now(UTC)
    since = stage.last_seq
    stage.let_in()
    if await stage.returned(after=began, within_s=RETURN_S):
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
        at = start.stamp()
        is_past = at is not None and (doors[0].at - at).total_seconds() > -1.0
        yield must("with the time it began", is_past, start.text("timestamp"), start.seq)


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
    stage.keep_away()
    await stage.drop("kept away")
    await stage.person("card-offline")
    await stage.pause(5)
    began = datetime.now(UTC)
    since = stage.last_seq
    stage.let_in()
    if await stage.returned(after=began, within_s=RETURN_S):
        start = await stage.heard("StartTransaction", within_s=60, since=since)
        number = moves.opened(stage, start) if start else None
        if number is not None:
            await moves.ended(stage, number)
