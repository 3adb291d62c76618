"""How a unit comes back after a restart: over a new connection, or (some programs) with a Boot on the one it kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from app.acceptance.stage import Stage
from app.acceptance.take import Exchange, Message, Take, seq_of
from app.model.acceptance import Check, must, should

RETURN_S = 110.0
"""How long a restart may take before it counts as failed [OURS]; most units need 20 to 90 s."""
QUICK_S = 75.0


@dataclass(frozen=True, slots=True)
class Return:
    """A way back. ``at`` is ``None`` where it did not come; ``is_kept``: it never left the connection."""

    at: datetime | None = None
    messages: tuple[Message, ...] = ()
    is_kept: bool = False


async def is_back(stage: Stage, began: datetime, since: int, within_s: float) -> bool:
    """Wait until it dials after ``began``, or says Boot after the frame ``since``."""

    def there() -> bool:
        open_ = stage.connection
        dialled = open_ is not None and open_.is_open and open_.opened_at > began
        return dialled or bool(stage.take.after(since).heard("BootNotification"))

    stage.say("Waiting for the charger to come back …")
    return await stage.until(there, within_s)


async def restarted(stage: Stage, kind: str, place: str, within_s: float = RETURN_S) -> bool:
    """Reset the unit; true once it is back with a Boot and its states, or back without them."""
    began, since = datetime.now(UTC), stage.last_seq
    reply = await stage.call("Reset", {"type": kind})
    return reply.status == "Accepted" and await back(stage, began, since, place, within_s)


async def back(stage: Stage, began: datetime, since: int, place: str, within_s: float = RETURN_S) -> bool:
    """Wait for its return, its Boot and its state. ``place`` is the field in which a state names its connector."""
    if not await is_back(stage, began, since, within_s):
        return False
    boot = await stage.heard("BootNotification", within_s=30, since=since)
    if boot is not None:
        await stage.heard(
            "StatusNotification",
            where=lambda message: message.get(place) == stage.connector,
            within_s=20,
            since=boot.seq,
        )
    return True


def way_back(take: Take, reset: Exchange) -> Return:
    """Find what came of a Reset."""
    later = take.after(reset)
    news = tuple(item for item in later.messages if item.frame.connection > reset.request.frame.connection)
    dialled = [mark.at for mark in take.marked("connected") if mark.at > reset.ended_at]
    if dialled or news:
        return Return(dialled[0] if dialled else news[0].at, news)
    boots = later.heard("BootNotification")
    if not boots:
        return Return()
    return Return(boots[0].at, tuple(item for item in later.messages if item.seq >= boots[0].seq), is_kept=True)


def judge_way(take: Take, back: Return, left_at: datetime, clause: str) -> Iterator[Check]:
    """Look at the time away, the Boot and the states. ``left_at``: when the restart began."""
    away_s = max(0.0, take.seconds(left_at, back.at)) if back.at else 0.0
    first = seq_of(next(iter(back.messages), None))
    seen = f"after {away_s:.0f} s" if back.at else "it did not dial again"
    yield must(f"It is back within {RETURN_S:.0f} s", back.at is not None, seen, first)
    if back.at is None:
        return
    yield should(f"and within {QUICK_S:.0f} s", away_s <= QUICK_S + take.slack_s, seen, first)
    kept = "Boot came on the old one" if back.is_kept else "yes"
    yield should("over a new connection: a restart ends the old one", not back.is_kept, kept, first)
    boots = [item for item in back.messages if item.is_in and item.action == "BootNotification"]
    yield must(f"It says BootNotification after the restart ({clause})", bool(boots), "", *map(seq_of, boots[:1]))
    states = [item for item in back.messages if item.is_in and item.action == "StatusNotification"]
    yield must("and its states", bool(states), f"{len(states)} came", *map(seq_of, states[:4]))
