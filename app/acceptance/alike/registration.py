"""A unit that is Pending or Rejected: it waits as long as it is told, and keeps silent meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.stage import Stage
from app.acceptance.take import Message, Take, seq_of
from app.model.acceptance import Check, must, should

WAIT_S = 10
"""The interval we tell a unit that has to wait: long enough to see it obeyed, short enough for a person [OURS]."""
RESTART_S = 150.0
"""How long a unit may take from our Reset to its Boot [OURS]."""


async def first_boot(stage: Stage, reset: str, status: str, interval_s: int = WAIT_S) -> Message | None:
    """Restart it by a Reset of this type, and answer its Boots with ``status`` from now on; returns the first."""
    stage.treat(boot_status=status, boot_interval_s=interval_s)
    since = stage.last_seq  # some say Boot before they have answered Reset
    await stage.call("Reset", {"type": reset})
    return await stage.heard("BootNotification", within_s=RESTART_S, since=since)


async def hold(stage: Stage, reset: str, status: str) -> None:
    """Restart it, answer its Boots with ``status``, and accept it once it has asked again."""
    first = await first_boot(stage, reset, status)
    if first is None:
        return
    await stage.heard("BootNotification", within_s=WAIT_S * 4, since=first.seq)
    stage.manner.boot_status = "Accepted"
    await stage.heard(
        "BootNotification",
        where=lambda boot: status_of(stage.take, boot) == "Accepted",
        within_s=WAIT_S * 4,
        since=first.seq,
    )


def status_of(take: Take, call: Message) -> str:
    """Return the status of our answer to a call."""
    answer = take.replied(call)
    return answer.text("status") if answer else ""


def judge_waiting(take: Take, status: str, clause: str) -> Iterator[Check]:
    """Look at the pause after Pending or Rejected, and at what was said meanwhile."""
    boots = take.heard("BootNotification")
    held = [boot for boot in boots if status_of(take, boot) == status]
    yield must(f"BootNotification comes and is answered {status}", bool(held), f"{len(held)} times", *map(seq_of, held))
    if not held:
        return
    later = [boot for boot in boots if boot.seq > held[0].seq]
    yield must("It asks again", bool(later), f"{len(later)} more came", *map(seq_of, later))
    if later:
        yield from _judge_pause(take, held[0], later[0], clause)
    accepted = [boot for boot in boots if status_of(take, boot) == "Accepted"]
    yield must("It goes on once it is accepted", bool(accepted), "", *map(seq_of, accepted))
    between = take.after(held[0])
    between = between.before(accepted[0]) if accepted else between
    said = [message for message in between.heard() if message.action != "BootNotification"]
    names = ", ".join(dict.fromkeys(message.action for message in said)) or "nothing"
    text = f"While it is {status} it sends nothing of its own ({clause})"
    judged = must if status == "Rejected" else should
    yield judged(text, not said, f"it sent {names}", *map(seq_of, said[:10]))


def _judge_pause(take: Take, held: Message, later: Message, clause: str) -> Iterator[Check]:
    pause_s = take.seconds(held.at, later.at)
    is_patient = pause_s >= WAIT_S * 0.8 - min(take.slack_s, WAIT_S / 4)
    seen = f"after {pause_s:.1f} s"
    yield must(f"not before the {WAIT_S} s it was told ({clause})", is_patient, seen, held.seq, later.seq)
    yield should("and soon after them", pause_s <= WAIT_S * 2 + take.slack_s, seen, later.seq)
