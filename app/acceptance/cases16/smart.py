"""Smart charging (OCPP 1.6 §3.13, §5.5, §5.7, §5.16): a limit is taken, told, obeyed and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.acceptance.alike.smart import PROFILE_ID, judge_draw, judge_schedule, limit
from app.acceptance.case import case
from app.acceptance.cases16 import moves
from app.acceptance.cases16.asking import claims
from app.acceptance.cases16.metering import samples
from app.acceptance.facts import Facts
from app.acceptance.stage import Stage
from app.acceptance.take import Exchange, Take
from app.model.acceptance import Check, must, should

SMART = claims("SmartCharging")


def _unit(facts: Facts) -> str:
    """Choose ampere where the unit takes it (§9.4)."""
    found = facts.settings.get("ChargingScheduleAllowedChargingRateUnit")
    if found is None or not found.value:
        return "A"
    return "A" if any(item in ("Current", "A") for item in found.items) else "W"


def _profile(stage: Stage, purpose: str, kind: str = "Relative", transaction: int | None = None) -> dict[str, Any]:
    unit = _unit(stage.facts)
    profile: dict[str, Any] = {
        "chargingProfileId": PROFILE_ID,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        "chargingSchedule": {
            "duration": 3600,
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit(unit)}],
        },
    }
    if transaction is not None:
        profile["transactionId"] = transaction
    return profile


async def _set(stage: Stage, connector: int, profile: dict[str, Any]) -> Exchange:
    stage.undo("no charging profile of ours", lambda: _cleared(stage))
    return await stage.call("SetChargingProfile", {"connectorId": connector, "csChargingProfiles": profile})


async def _cleared(stage: Stage) -> str:
    reply = await stage.call("ClearChargingProfile", {"id": PROFILE_ID})
    return "" if reply.status in ("Accepted", "Unknown") else f"the unit said {reply.status}"


def judge_default(take: Take) -> Iterator[Check]:
    """Look at the answers, and for our limit in the composite schedule."""
    for given in take.asked("SetChargingProfile"):
        yield must("TxDefaultProfile is accepted (§5.16)", given.status == "Accepted", given.status, *given.seqs)
    yield from _judge_composite(take)


def _judge_composite(take: Take) -> Iterator[Check]:
    for read in take.asked("GetCompositeSchedule")[:1]:
        yield must("GetCompositeSchedule is accepted (§5.7)", read.status == "Accepted", read.status, *read.seqs)
        yield from judge_schedule(read, "chargingSchedule")


@case(
    "A16-SMART-01",
    "A default limit is taken and shows in the composite schedule",
    "OCPP 1.6 §5.16, §5.7, §3.13",
    judge=judge_default,
    budget_s=60,
    needs=[SMART],
)
async def default(stage: Stage) -> None:
    """Set a TxDefaultProfile of 8 A, ask for the composite schedule, clear the profile."""
    given = await _set(stage, stage.connector, _profile(stage, "TxDefaultProfile"))
    if given.status == "Accepted":
        await _composite(stage)


async def _composite(stage: Stage) -> None:
    payload = {"connectorId": stage.connector, "duration": 600, "chargingRateUnit": _unit(stage.facts)}
    await stage.call("GetCompositeSchedule", payload)


def judge_clear(take: Take) -> Iterator[Check]:
    """Look at the status of the first and of the second clearing."""
    for given in take.asked("SetChargingProfile"):
        yield must("A profile is accepted", given.status == "Accepted", given.status, *given.seqs)
    clears = take.asked("ClearChargingProfile")
    for clear in clears[:1]:
        yield must("and cleared by its id (§5.5)", clear.status == "Accepted", clear.status, *clear.seqs)
    for clear in clears[1:2]:
        yield should(
            "A second time it is Unknown (ClearChargingProfileStatus)",
            clear.status == "Unknown",
            clear.status,
            *clear.seqs,
        )


@case(
    "A16-SMART-02",
    "A profile is cleared by its id",
    "OCPP 1.6 §5.5, ClearChargingProfileStatus",
    judge=judge_clear,
    budget_s=60,
    needs=[SMART],
)
async def clear(stage: Stage) -> None:
    """Set a TxDefaultProfile, clear it, clear it again."""
    given = await _set(stage, stage.connector, _profile(stage, "TxDefaultProfile"))
    if given.status == "Accepted":
        await stage.call("ClearChargingProfile", {"id": PROFILE_ID})
        await stage.call("ClearChargingProfile", {"id": PROFILE_ID})


def judge_obeyed(take: Take) -> Iterator[Check]:
    """Compare the current before and after the limit."""
    for given in take.asked("SetChargingProfile"):
        yield must("TxProfile is accepted in a session (§5.16)", given.status == "Accepted", given.status, *given.seqs)
        if given.status != "Accepted":
            return
        unit = given.request.text("csChargingProfiles", "chargingSchedule", "chargingRateUnit")
        yield from judge_draw(samples(take.after(given)), unit)


@case(
    "A16-SMART-03",
    "A limit is obeyed in a session",
    "OCPP 1.6 §5.16, §3.13.1 (TxProfile)",
    judge=judge_obeyed,
    budget_s=180,
    person=True,
    idle=True,
    needs=[SMART],
)
async def obeyed(stage: Stage) -> None:
    """Start a session, set a TxProfile of 8 A, look at the current, end the session."""
    await moves.plugged(stage)
    await stage.set("MeterValueSampleInterval", "5")
    number = await moves.must_begin(stage)
    await stage.heard("MeterValues", within_s=20)
    given = await _set(stage, stage.connector, _profile(stage, "TxProfile", transaction=number))
    if given.status == "Accepted":
        await stage.until(lambda: len(samples(stage.take.after(given))) >= 4, 40)
    await moves.ended(stage, number)


def judge_strange(take: Take) -> Iterator[Check]:
    """Look at the status of a TxProfile for a session that does not exist."""
    for given in take.asked("SetChargingProfile"):
        yield must(
            "A TxProfile without a session is not accepted (§5.16)",
            given.status != "Accepted" and given.answer is not None,
            given.status,
            *given.seqs,
        )
        yield should("but Rejected", given.status == "Rejected", given.status, *given.seqs)


@case(
    "A16-SMART-04",
    "A limit for a session that does not exist is refused",
    "OCPP 1.6 §5.16",
    judge=judge_strange,
    budget_s=45,
    idle=True,
    needs=[SMART],
)
async def strange(stage: Stage) -> None:
    """Set a TxProfile while nothing charges."""
    await _set(stage, stage.connector, _profile(stage, "TxProfile", transaction=2_147_000_003))


def judge_whole(take: Take) -> Iterator[Check]:
    """Look at the answer, and at the composite schedule of the whole."""
    for given in take.asked("SetChargingProfile"):
        yield must(
            "ChargePointMaxProfile on connector 0 is accepted (§5.16)",
            given.status == "Accepted",
            given.status,
            *given.seqs,
        )
    yield from _judge_composite(take)


@case(
    "A16-SMART-05",
    "A limit for the whole charger is taken",
    "OCPP 1.6 §5.16, §3.13.1 (ChargePointMaxProfile)",
    judge=judge_whole,
    budget_s=60,
    needs=[SMART],
)
async def whole(stage: Stage) -> None:
    """Set a ChargePointMaxProfile of 8 A, ask for the composite schedule, clear the profile."""
    profile = _profile(stage, "ChargePointMaxProfile", "Recurring")
    profile["recurrencyKind"] = "Daily"
    profile["chargingSchedule"]["startSchedule"] = "2024-01-01T00:00:00.000Z"
    profile["chargingSchedule"]["duration"] = 86_400
    given = await _set(stage, 0, profile)
    if given.status == "Accepted":
        await _composite(stage)
