"""Boot and the registration states (OCPP 1.6 §4.2; J16-E 3.10)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from app.acceptance.case import EVERY, case
from app.acceptance.stage import Stage
from app.acceptance.take import Message, Take, seq_of
from app.model.acceptance import Check, must, should

WAIT_S = 10
"""The interval we tell a unit that has to wait: long enough to see it obeyed, short enough for a person [OURS]."""


async def booted_again(stage: Stage, within_s: float = 120.0) -> Message | None:
    """Make the unit send BootNotification: by trigger where it offers that, else by closing the connection."""
    since = stage.last_seq
    reply = await stage.call("TriggerMessage", {"requestedMessage": "BootNotification"})
    if reply.status == "Accepted":
        return await stage.heard("BootNotification", within_s=within_s, since=since)
    await stage.call("Reset", {"type": "Soft"})
    return await stage.heard("BootNotification", within_s=within_s, since=since)


def judge_boot(take: Take) -> Iterator[Check]:
    """Look at the fields of the Boot and at what was said before it."""
    boots = take.heard("BootNotification")
    yield must("BootNotification comes", bool(boots), f"{len(boots)} came", *(boot.seq for boot in boots))
    if not boots:
        return
    boot = boots[0]
    for name in ("chargePointVendor", "chargePointModel"):
        said = boot.text(name)
        yield must(f"{name} is told in at most 20 characters (§6.3)", 0 < len(said) <= 20, f"“{said}”", boot.seq)
    for name in ("chargePointSerialNumber", "firmwareVersion"):
        yield should(f"{name} is told", bool(boot.text(name)), f"“{boot.text(name)}”", boot.seq)
    answer = take.replied(boot)
    yield must(
        "It is accepted", answer is not None and answer.text("status") == "Accepted", "", boot.seq, seq_of(answer)
    )


@case(
    "A16-BOOT-01",
    "Boot says who the charger is and is accepted",
    "OCPP 1.6 §4.2, §6.3",
    judge=judge_boot,
    budget_s=40,
    suites=EVERY,
)
async def boot_accepted(stage: Stage) -> None:
    """Ask for a BootNotification, and look at its fields."""
    await booted_again(stage, 45)


def _judge_waiting(take: Take, status: str) -> Iterator[Check]:
    boots = take.heard("BootNotification")
    held = [boot for boot in boots if _status(take, boot) == status]
    yield must(f"BootNotification comes and is answered {status}", bool(held), f"{len(held)} times", *map(seq_of, held))
    if not held:
        return
    later = [boot for boot in boots if boot.seq > held[0].seq]
    yield must("It asks again", bool(later), f"{len(later)} more came", *map(seq_of, later))
    if later:
        pause_s = take.seconds(held[0].at, later[0].at)
        yield must(
            f"not before the {WAIT_S} s it was told (§4.2)",
            pause_s >= WAIT_S * 0.8 - min(take.slack_s, WAIT_S / 4),
            f"after {pause_s:.1f} s",
            held[0].seq,
            later[0].seq,
        )
        yield should(
            "and soon after them", pause_s <= WAIT_S * 2 + take.slack_s, f"after {pause_s:.1f} s", later[0].seq
        )
    accepted = [boot for boot in boots if _status(take, boot) == "Accepted"]
    yield must("It goes on once it is accepted", bool(accepted), "", *map(seq_of, accepted))
    end = accepted[0].seq if accepted else None
    between = take.after(held[0])
    between = between.before(end) if end is not None else between
    said = [message for message in between.heard() if message.action != "BootNotification"]
    yield from _judge_silence(status, said)


def _judge_silence(status: str, said: list[Message]) -> Iterator[Check]:
    names = ", ".join(dict.fromkeys(message.action for message in said)) or "nothing"
    text = f"While it is {status} it sends nothing of its own (§4.2)"
    yield (must if status == "Rejected" else should)(text, not said, f"it sent {names}", *map(seq_of, said[:10]))


def judge_pending(take: Take) -> Iterator[Check]:
    """Look at the pause after Pending, and at what was said meanwhile."""
    yield from _judge_waiting(take, "Pending")


def judge_rejected(take: Take) -> Iterator[Check]:
    """Look at the pause after Rejected, and at what was said meanwhile."""
    yield from _judge_waiting(take, "Rejected")


async def _held(stage: Stage, status: str) -> None:
    """Answer the next Boots with ``status``, the second one usually."""
    stage.treat(boot_status=status, boot_interval_s=WAIT_S)
    began, since = datetime.now(UTC), stage.last_seq  # some say Boot before they have answered Reset
    await stage.call("Reset", {"type": "Soft"})
    first = await stage.heard("BootNotification", within_s=150, since=since)
    if first is None:
        await stage.returned(after=began, within_s=1)
        return
    await stage.heard("BootNotification", within_s=WAIT_S * 4, since=first.seq)
    stage.manner.boot_status = "Accepted"
    await stage.heard(
        "BootNotification",
        where=lambda boot: _status(stage.take, boot) == "Accepted",
        within_s=WAIT_S * 4,
        since=first.seq,
    )


@case(
    "A16-BOOT-02",
    "Pending: the charger waits as long as it is told",
    "OCPP 1.6 §4.2; J16-E 3.10",
    judge=judge_pending,
    budget_s=260,
    idle=True,
)
async def boot_pending(stage: Stage) -> None:
    """Restart it, answer its Boot with Pending and an interval of 10 s, then accept it."""
    await _held(stage, "Pending")


@case(
    "A16-BOOT-03",
    "Rejected: the charger keeps silent as long as it is told",
    "OCPP 1.6 §4.2; J16-E 3.10",
    judge=judge_rejected,
    budget_s=260,
    idle=True,
)
async def boot_rejected(stage: Stage) -> None:
    """Restart it, answer its Boot with Rejected and an interval of 10 s, then accept it."""
    await _held(stage, "Rejected")


def _status(take: Take, call: Message) -> str:
    answer = take.replied(call)
    return answer.text("status") if answer else ""
