"""The connection: back after a drop and after a closed door, pings both ways."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from app.acceptance.stage import Stage
from app.acceptance.take import Message, Take, seq_of
from app.model.acceptance import Check, Mark, must, should

RETURN_S = 120.0
GOOD_S = 60.0
AWAY_S = 30.0
PING_S = 5.0
RHYTHM_S = 10
WATCHED_S = 30.0


async def bounced(stage: Stage, within_s: float = RETURN_S) -> bool:
    """Close the connection and wait for the next one."""
    began = datetime.now(UTC)
    await stage.drop()
    return await stage.returned(after=began, within_s=within_s)


async def kept_away(stage: Stage, seconds: float) -> bool:
    """Close the connection, refuse every dial-in for some time, let it in again and wait for it."""
    stage.keep_away()
    await stage.drop("kept away")
    await stage.pause(seconds)
    return await _let_in(stage)


async def away_while(stage: Stage, prompt: str) -> bool:
    """Keep it away while a person does something there, let it in again and wait for it."""
    stage.keep_away()
    await stage.drop("kept away")
    await stage.person(prompt)
    await stage.pause(5)
    return await _let_in(stage)


async def _let_in(stage: Stage) -> bool:
    began = datetime.now(UTC)
    stage.let_in()
    return await stage.returned(after=began, within_s=RETURN_S)


def judge_return(take: Take, question: str, clause: str) -> Iterator[Check]:
    """Measure how long it was away after the last time it could have been here; ``question`` is asked then."""
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
    asked = [item for item in take.asked(question) if item.request.at >= back[0].at]
    for exchange in asked[-1:]:
        yield must("and answers", exchange.answer is not None, exchange.status, *exchange.seqs)
    boots = [boot for boot in take.heard("BootNotification") if boot.at >= back[0].at]
    yield should(f"without a new Boot: it has not restarted ({clause})", not boots, "", *map(seq_of, boots))


async def watch_pongs(stage: Stage) -> None:
    """Ping it every 5 s for 30 s on a connection of its own."""
    stage.treat(ping_s=stage.tempo.exactly(PING_S))
    if await bounced(stage):
        await stage.pause(WATCHED_S)
        await bounced(stage)


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


async def watch_rhythm(stage: Stage, key: str) -> None:
    """Set the unit's ping interval to 10 s, and watch a connection of its own for 35 s."""
    if await stage.set(key, str(RHYTHM_S)) not in ("Accepted", "RebootRequired"):
        return
    if await bounced(stage):
        await stage.pause(WATCHED_S + 5)
        await bounced(stage)


def judge_taken(status: str, *seqs: int) -> Check:
    """Check that the unit took the ping interval."""
    is_fine = status in ("Accepted", "RebootRequired")
    return must(f"WebSocketPingInterval = {RHYTHM_S} is accepted", is_fine, status, *seqs)


def judge_rhythm(take: Take, clause: str) -> Iterator[Check]:
    """Count the pings of the unit on the connection that was watched."""
    watched = [mark for mark in take.marked("ended") if _number(mark, "lasted_s") / take.pace >= WATCHED_S]
    if not watched:
        yield must("The connection holds long enough to be watched", False)
        return
    # The connection before the case may have lasted longer, with another rhythm.
    count = _number(watched[-1], "peer_pings")
    yield must(f"It sends pings of its own ({clause})", count >= 1, f"{count:.0f} pings")
    is_steady = 2 <= count <= 3 * WATCHED_S / RHYTHM_S
    yield should(f"about every {RHYTHM_S} s", is_steady, f"{count:.0f} in {WATCHED_S:.0f} s")


def judge_past(let_in: Mark, told: Message) -> Check:
    """Look whether what happened while it was kept away is told with its own time."""
    at = told.stamp()
    is_past = at is not None and (let_in.at - at).total_seconds() > -1.0
    return must("with the time it happened, not the time it was sent", is_past, told.text("timestamp"), told.seq)


def _number(mark: Mark, name: str) -> float:
    try:
        return float(mark.facts.get(name, "0"))
    except ValueError:
        return 0.0
