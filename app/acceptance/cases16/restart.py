"""Reset and the way back (OCPP 1.6 §5.14; J16 §5.4; commissioning: reboot survival)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from app.acceptance import returning
from app.acceptance.case import EVERY, REPAIR, case
from app.acceptance.cases16 import moves
from app.acceptance.cases16.configuration import entries
from app.acceptance.facts import can_write
from app.acceptance.returning import judge_way, way_back
from app.acceptance.stage import Stage
from app.acceptance.take import Take
from app.model.acceptance import Check, must

restarted = partial(returning.restarted, place="connectorId")
"""Reset it, and wait until it is back."""


def judge_reset(take: Take) -> Iterator[Check]:
    """Look at the answer, the time away, the Boot and the states."""
    for reset in take.asked("Reset")[:1]:
        yield must("Reset is accepted (§5.14)", reset.status == "Accepted", reset.status, *reset.seqs)
        if reset.status == "Accepted":
            yield from judge_way(take, way_back(take, reset), reset.ended_at, "§4.2")


@case(
    "A16-RESET-01",
    "Soft reset: it restarts and comes back",
    "OCPP 1.6 §5.14",
    judge=judge_reset,
    budget_s=120,
    suites=EVERY,
    idle=True,
)
async def soft(stage: Stage) -> None:
    """Reset it softly and wait for its return."""
    await restarted(stage, "Soft")


@case(
    "A16-RESET-02",
    "Hard reset: it restarts and comes back",
    "OCPP 1.6 §5.14",
    judge=judge_reset,
    budget_s=180,
    suites=[REPAIR],
    idle=True,
)
async def hard(stage: Stage) -> None:
    """Reset it hard and wait for its return."""
    await restarted(stage, "Hard")


def judge_in_session(take: Take) -> Iterator[Check]:
    """Look for the end of the session, before or after the restart."""
    yield from moves.judge_start(take)
    resets = take.asked("Reset")
    if not resets:
        return
    yield from judge_reset(take)
    wanted = "SoftReset" if resets[0].request.text("type") == "Soft" else "HardReset"
    yield from moves.judge_stop(take, (wanted, "PowerLoss", "Reboot"))


@case(
    "A16-RESET-03",
    "Soft reset in a session: the session ends in order",
    "OCPP 1.6 §5.14, Reason",
    judge=judge_in_session,
    budget_s=240,
    person=True,
    idle=True,
)
async def soft_in_session(stage: Stage) -> None:
    """Start a session, reset softly, wait for the session's end and the unit's return."""
    await _in_session(stage, "Soft")


@case(
    "A16-RESET-04",
    "Hard reset in a session: the session's end is told",
    "OCPP 1.6 §5.14, Reason",
    judge=judge_in_session,
    budget_s=240,
    person=True,
    idle=True,
)
async def hard_in_session(stage: Stage) -> None:
    """Start a session, reset hard, wait for the session's end and the unit's return."""
    await _in_session(stage, "Hard")


async def _in_session(stage: Stage, kind: str) -> None:
    number = await moves.must_begin(stage)
    if await restarted(stage, kind):
        await moves.stop_of(stage, number, within_s=30)


def judge_survival(take: Take) -> Iterator[Check]:
    """Compare the value written before the restart with the one read after it."""
    writes = take.asked("ChangeConfiguration", lambda message: message.get("key") == "MeterValueSampleInterval")
    if not writes:
        return
    value = writes[0].request.text("value")
    yield must(
        "The value is taken", writes[0].status in ("Accepted", "RebootRequired"), writes[0].status, *writes[0].seqs
    )
    yield from judge_reset(take)
    for read in take.after(writes[0]).asked("GetConfiguration")[-1:]:
        now = entries(read).get("MeterValueSampleInterval", {}).get("value")
        yield must(
            "and is still there after the restart (§5.3)", now == value, f"written {value}, read {now}", *read.seqs
        )


@case(
    "A16-RESET-05",
    "What was written outlives a restart",
    "OCPP 1.6 §5.3, §5.14; commissioning: reboot survival",
    judge=judge_survival,
    budget_s=200,
    idle=True,
    needs=[can_write("MeterValueSampleInterval")],
)
async def survival(stage: Stage) -> None:
    """Write MeterValueSampleInterval, restart, read it, and put the old value back."""
    old = stage.facts.value("MeterValueSampleInterval")
    await stage.set("MeterValueSampleInterval", "45" if old != "45" else "50")
    if await restarted(stage, "Soft"):
        await stage.call("GetConfiguration", {"key": ["MeterValueSampleInterval"]})
