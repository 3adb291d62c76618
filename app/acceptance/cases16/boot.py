"""Boot and the registration states (OCPP 1.6 §4.2; J16-E 3.10)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from app.acceptance.alike import registration
from app.acceptance.alike.registration import status_of
from app.acceptance.case import EVERY, case
from app.acceptance.stage import Stage
from app.acceptance.take import Message, Take, seq_of
from app.model.acceptance import Check, must, should


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
    yield must("It is accepted", status_of(take, boot) == "Accepted", "", boot.seq, seq_of(take.replied(boot)))


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


@case(
    "A16-BOOT-02",
    "Pending: the charger waits as long as it is told",
    "OCPP 1.6 §4.2; J16-E 3.10",
    judge=partial(registration.judge_waiting, status="Pending", clause="§4.2"),
    budget_s=260,
    idle=True,
)
async def boot_pending(stage: Stage) -> None:
    """Restart it, answer its Boot with Pending and an interval of 10 s, then accept it."""
    await registration.hold(stage, "Soft", "Pending")


@case(
    "A16-BOOT-03",
    "Rejected: the charger keeps silent as long as it is told",
    "OCPP 1.6 §4.2; J16-E 3.10",
    judge=partial(registration.judge_waiting, status="Rejected", clause="§4.2"),
    budget_s=260,
    idle=True,
)
async def boot_rejected(stage: Stage) -> None:
    """Restart it, answer its Boot with Rejected and an interval of 10 s, then accept it."""
    await registration.hold(stage, "Soft", "Rejected")
