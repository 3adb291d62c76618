"""StatusNotification (OCPP 1.6 §4.9, §6.47) and the clock in it (§3.2.2; commissioning: at most 5 s off)."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.case import EVERY, case
from app.acceptance.cases16.asking import claims
from app.acceptance.cases16.boot import booted_again
from app.acceptance.stage import NotAsked, Stage
from app.acceptance.take import Message, Take, seq_of
from app.model.acceptance import Check, must, should

STATES = frozenset(
    {
        "Available",
        "Preparing",
        "Charging",
        "SuspendedEVSE",
        "SuspendedEV",
        "Finishing",
        "Reserved",
        "Unavailable",
        "Faulted",
    }
)
"""OCPP 1.6 §7.7."""
GOOD_S = 5.0
BAD_S = 60.0
"""Clock drift that is good, and that is bad (commissioning §3 [OURS])."""


def judge_states(take: Take) -> Iterator[Check]:
    """Look for a state of every connector and of the whole (0)."""
    told = {message.text("connectorId"): message for message in take.heard("StatusNotification")}
    wanted = [number for number in _fact(take, "connectors").split(",") if number]
    for number in wanted:
        message = told.get(number)
        state = message.text("status") if message else "not told"
        yield must(f"Connector {number} tells its state", state in STATES, state, seq_of(message))
    whole = told.get("0")
    yield must(
        "The charge point as a whole (connector 0) tells its state (§4.9)",
        whole is not None and whole.text("status") in ("Available", "Unavailable", "Faulted"),
        whole.text("status") if whole else "not told",
        seq_of(whole),
    )
    bad = [message for message in told.values() if message.text("status") == "Faulted"]
    seen = ", ".join(f"{message.text('connectorId')}: {message.text('errorCode')}" for message in bad)
    yield should("No connector is faulted", not bad, seen, *map(seq_of, bad))


@case(
    "A16-STATUS-01",
    "Every connector and the whole tell their state",
    "OCPP 1.6 §4.9, §6.47",
    judge=judge_states,
    budget_s=30,
    suites=EVERY,
    needs=[claims("RemoteTrigger")],
)
async def all_states(stage: Stage) -> None:
    """Ask for the state of every connector and of connector 0 by TriggerMessage."""
    numbers = stage.facts.connectors
    stage.mark("facts", connectors=",".join(map(str, numbers)))
    for number in (0, *numbers):
        reply = await stage.call("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": number})
        if reply.status == "Accepted":
            await stage.heard(
                "StatusNotification",
                where=lambda message, number=number: message.get("connectorId") == number,  # type: ignore[misc]
                within_s=10,
            )
    await _whole_by_boot(stage)


async def _whole_by_boot(stage: Stage) -> None:
    """Look for connector 0 after a Boot: some units tell it only then."""
    if any(message.get("connectorId") == 0 for message in stage.take.heard("StatusNotification")):
        return
    boot = await booted_again(stage, 20)
    if boot is not None:
        await stage.heard(
            "StatusNotification", where=lambda message: message.get("connectorId") == 0, within_s=5, since=boot.seq
        )


STAMPS: tuple[tuple[str | int, ...], ...] = (("timestamp",), ("meterValue", 0, "timestamp"))


def _where(message: Message) -> tuple[str | int, ...]:
    """Return where a message tells a time, empty where it tells none."""
    return next((path for path in STAMPS if message.get(*path) is not None), ())


def judge_clock(take: Take) -> Iterator[Check]:
    """Compare the time stamps of live messages with the time they came."""
    told = [message for message in take.heard() if _where(message)]
    yield must("A message with a time stamp comes", bool(told), f"{len(told)} came", *map(seq_of, told))
    for message in told[:5]:
        text = message.text(*_where(message))
        at = message.stamp(*_where(message))
        if at is None:
            yield must("The time stamp can be believed", False, f"“{text[:40]}”", message.seq)
            continue
        drift_s = round((at - message.at).total_seconds(), 1) + 0.0
        yield must(f"The clock is at most {BAD_S:.0f} s off", abs(drift_s) <= BAD_S, f"{drift_s:+.1f} s", message.seq)
        yield should(f"and at most {GOOD_S:.0f} s", abs(drift_s) <= GOOD_S, f"{drift_s:+.1f} s", message.seq)
        is_utc = text.endswith(("Z", "+00:00"))
        yield should("It is told as UTC with its zone (§3.2.2)", is_utc, f"“{text[:40]}”", message.seq)


@case(
    "A16-CLOCK-01",
    "The charger's clock is right",
    "OCPP 1.6 §3.2.2, §4.6; commissioning: drift",
    judge=judge_clock,
    budget_s=15,
    suites=EVERY,
    needs=[claims("RemoteTrigger")],
)
async def clock(stage: Stage) -> None:
    """Ask for messages with a time, and compare it with this computer's clock."""
    for action in ("StatusNotification", "MeterValues"):  # the first may leave its time out (§6.47)
        await stage.call("TriggerMessage", {"requestedMessage": action, "connectorId": stage.connector})
        told = await stage.heard(action, within_s=6)
        if told is not None and _where(told):
            return
    if not any(_where(message) for message in stage.take.heard()):
        raise NotAsked("No message with a time came; look at the sessions' time stamps.")


def _fact(take: Take, name: str) -> str:
    return next((mark.facts.get(name, "") for mark in take.marked("facts")), "")
