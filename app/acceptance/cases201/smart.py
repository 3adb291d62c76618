"""Smart charging (OCPP 2.0.1 part 2, K01 to K10): a limit is taken, told, obeyed, reported and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from app.acceptance.alike.smart import PROFILE_ID, judge_draw, judge_schedule, limit
from app.acceptance.cases201 import moves
from app.acceptance.cases201.asking import SAMPLE_S, case201, has
from app.acceptance.cases201.metering import samples
from app.acceptance.cases201.reports import parts_of
from app.acceptance.facts import Facts
from app.acceptance.stage import NotApplicable, Stage
from app.acceptance.take import Exchange, Take, seq_of
from app.model.acceptance import Check, must, should
from app.ocpp.v16 import stamp

SMART = has("SmartChargingCtrlr")
REPORT = 41_200


def _unit(facts: Facts) -> str:
    """Choose ampere where the station takes it (SmartChargingCtrlr.RateUnit)."""
    found = facts.settings.get("SmartChargingCtrlr.RateUnit")
    return "W" if found is not None and found.items and "A" not in found.items else "A"


def _profile(stage: Stage, purpose: str, kind: str = "Relative", **more: Any) -> dict[str, Any]:
    unit = _unit(stage.facts)
    schedule: dict[str, Any] = {
        "id": 1,
        "duration": 3600,
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit(unit)}],
    }
    if kind == "Absolute":
        schedule |= {"startSchedule": stamp(datetime.now(UTC) - timedelta(minutes=1)), "duration": 86_400}
    return {
        "id": PROFILE_ID,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        "chargingSchedule": [schedule],
        **more,
    }


async def _set(stage: Stage, evse: int, profile: dict[str, Any]) -> Exchange:
    stage.undo("no charging profile of ours", lambda: _cleared(stage))
    return await stage.call("SetChargingProfile", {"evseId": evse, "chargingProfile": profile})


async def _cleared(stage: Stage) -> str:
    reply = await stage.call("ClearChargingProfile", {"chargingProfileId": PROFILE_ID})
    return "" if reply.status in ("Accepted", "Unknown") else f"the unit said {reply.status}"


def _judge_set(take: Take, clause: str) -> Iterator[Check]:
    for given in take.asked("SetChargingProfile"):
        purpose = given.request.text("chargingProfile", "chargingProfilePurpose")
        yield must(f"{purpose} is accepted ({clause})", given.status == "Accepted", given.status, *given.seqs)


def judge_default(take: Take) -> Iterator[Check]:
    """Look at the answers, and for our limit in the composite schedule."""
    yield from _judge_set(take, "K01")
    yield from _judge_composite(take)


def _judge_composite(take: Take) -> Iterator[Check]:
    for read in take.asked("GetCompositeSchedule")[:1]:
        yield must("GetCompositeSchedule is accepted (K08)", read.status == "Accepted", read.status, *read.seqs)
        if read.status != "Accepted":
            return
        wanted = read.request.get("evseId")
        said = read.get("schedule", "evseId")
        yield must("It is about the EVSE that was asked for", said == wanted, f"{said}", *read.seqs)
        yield from judge_schedule(read, "schedule")


async def _composite(stage: Stage, evse: int) -> None:
    payload = {"evseId": evse, "duration": 600, "chargingRateUnit": _unit(stage.facts)}
    await stage.call("GetCompositeSchedule", payload)


@case201(
    "A201-SMART-01",
    "A default limit is taken and shows in the composite schedule",
    "OCPP 2.0.1 K01, K08",
    judge=judge_default,
    budget_s=60,
    needs=[SMART],
)
async def default(stage: Stage) -> None:
    """Set a TxDefaultProfile of 8 A, ask for the composite schedule, clear the profile."""
    if (await _set(stage, stage.connector, _profile(stage, "TxDefaultProfile"))).status == "Accepted":
        await _composite(stage, stage.connector)


def judge_clear(take: Take) -> Iterator[Check]:
    """Look at the status of the first and of the second clearing."""
    yield from _judge_set(take, "K01")
    clears = take.asked("ClearChargingProfile")
    for clear in clears[:1]:
        yield must("and cleared by its id (K10)", clear.status == "Accepted", clear.status, *clear.seqs)
    for clear in clears[1:2]:
        yield must("A second time it is not there: not Accepted", clear.status != "Accepted", clear.status, *clear.seqs)
        yield should("but Unknown", clear.status == "Unknown", clear.status, *clear.seqs)


@case201(
    "A201-SMART-02",
    "A profile is cleared by its id",
    "OCPP 2.0.1 K10",
    judge=judge_clear,
    budget_s=60,
    needs=[SMART],
)
async def clear(stage: Stage) -> None:
    """Set a TxDefaultProfile, clear it, clear it again."""
    if (await _set(stage, stage.connector, _profile(stage, "TxDefaultProfile"))).status == "Accepted":
        for _ in range(2):
            await stage.call("ClearChargingProfile", {"chargingProfileId": PROFILE_ID})


def judge_obeyed(take: Take) -> Iterator[Check]:
    """Compare the draw after the limit with the limit."""
    yield from moves.judge_start(take)
    yield from _judge_set(take, "K01")
    for given in take.asked("SetChargingProfile"):
        if given.status == "Accepted":
            unit = given.request.text("chargingProfile", "chargingSchedule", 0, "chargingRateUnit")
            yield from judge_draw(samples(take.after(given)), unit)


@case201(
    "A201-SMART-03",
    "A limit is obeyed in a transaction",
    "OCPP 2.0.1 K01 (TxProfile)",
    judge=judge_obeyed,
    budget_s=180,
    person=True,
    idle=True,
    needs=[SMART],
)
async def obeyed(stage: Stage) -> None:
    """Start a transaction, set a TxProfile of 8 A, look at the current, end the transaction."""
    await moves.plugged(stage)
    await stage.set(SAMPLE_S, "5")
    transaction = await moves.must_begin(stage)
    since = stage.last_seq
    await stage.until(lambda: bool(samples(stage.take.after(since))), 20)
    given = await _set(stage, stage.connector, _profile(stage, "TxProfile", transactionId=transaction))
    if given.status == "Accepted":
        await stage.until(lambda: len(samples(stage.take.after(given))) >= 4, 40)
    await moves.ended(stage, transaction)


def judge_strange(take: Take) -> Iterator[Check]:
    """Look at the status of a TxProfile for a transaction that does not exist."""
    for given in take.asked("SetChargingProfile"):
        is_refused = given.answer is not None and given.status != "Accepted"
        yield must("A TxProfile without its transaction is not accepted (K01)", is_refused, given.status, *given.seqs)
        yield should("but Rejected", given.status == "Rejected", given.status, *given.seqs)


@case201(
    "A201-SMART-04",
    "A limit for a transaction that does not exist is refused",
    "OCPP 2.0.1 K01 (TxProfile)",
    judge=judge_strange,
    budget_s=45,
    idle=True,
    needs=[SMART],
)
async def strange(stage: Stage) -> None:
    """Set a TxProfile for an id no transaction has."""
    await _set(stage, stage.connector, _profile(stage, "TxProfile", transactionId="rehome-no-such-transaction"))


def judge_whole(take: Take) -> Iterator[Check]:
    """Look at the answer, and at the composite schedule of the whole."""
    yield from _judge_set(take, "K01, EVSE 0")
    yield from _judge_composite(take)


@case201(
    "A201-SMART-05",
    "A limit for the whole station is taken",
    "OCPP 2.0.1 K01, K08 (ChargingStationMaxProfile)",
    judge=judge_whole,
    budget_s=60,
    needs=[SMART],
)
async def whole(stage: Stage) -> None:
    """Set a ChargingStationMaxProfile of 8 A, ask for the composite schedule of EVSE 0, clear the profile."""
    if (await _set(stage, 0, _profile(stage, "ChargingStationMaxProfile", "Absolute"))).status == "Accepted":
        await _composite(stage, 0)


def judge_reported(take: Take) -> Iterator[Check]:
    """Look for our profile among the reported ones, and that it is gone once it is cleared."""
    yield from _judge_set(take, "K01")
    asks = take.asked("GetChargingProfiles")
    for ask in asks[:1]:
        yield must("GetChargingProfiles is accepted (K09)", ask.status == "Accepted", ask.status, *ask.seqs)
        parts = parts_of(take, ask, "ReportChargingProfiles")
        seqs = list(map(seq_of, parts))
        yield must("ReportChargingProfiles comes", bool(parts), f"{len(parts)} parts", *seqs)
        if parts:
            is_whole = not parts[-1].get("tbc") and all(part.get("tbc") is True for part in parts[:-1])
            yield must("Only its last part says that none follows (tbc)", is_whole, "", *seqs)
        found = [
            profile
            for part in parts
            for profile in part.get("chargingProfile") or []
            if isinstance(profile, dict) and profile.get("id") == PROFILE_ID
        ]
        yield must("Our profile is in it, once", len(found) == 1, f"{len(found)} times", *seqs)
    for ask in asks[1:2]:
        yield must("Once cleared, there is none: NoProfiles", ask.status == "NoProfiles", ask.status, *ask.seqs)


@case201(
    "A201-SMART-06",
    "The profiles it holds are reported",
    "OCPP 2.0.1 K09, K10",
    judge=judge_reported,
    budget_s=90,
    needs=[SMART],
)
async def reported(stage: Stage) -> None:
    """Set a TxDefaultProfile, ask for it by its id, clear it, ask again."""
    if (await _set(stage, stage.connector, _profile(stage, "TxDefaultProfile"))).status != "Accepted":
        return
    wanted = {"chargingProfile": {"chargingProfileId": [PROFILE_ID]}}
    since = stage.last_seq
    if (await stage.call("GetChargingProfiles", {"requestId": REPORT, **wanted})).status == "Accepted":
        await stage.heard("ReportChargingProfiles", where=lambda m: m.get("tbc") is not True, within_s=30, since=since)
    await stage.call("ClearChargingProfile", {"chargingProfileId": PROFILE_ID})
    await stage.call("GetChargingProfiles", {"requestId": REPORT + 1, **wanted})


def judge_stack(take: Take) -> Iterator[Check]:
    """Look at the status of a stack level the station does not have."""
    for given in take.asked("SetChargingProfile"):
        is_refused = given.answer is not None and given.status != "Accepted"
        yield must("A stack level above ProfileStackLevel is not accepted (K01)", is_refused, given.status, *given.seqs)
        yield should("but Rejected", given.status == "Rejected", given.status, *given.seqs)


@case201(
    "A201-SMART-07",
    "A stack level it does not have is refused",
    "OCPP 2.0.1 K01 (SmartChargingCtrlr.ProfileStackLevel)",
    judge=judge_stack,
    budget_s=30,
    needs=[SMART],
)
async def stack(stage: Stage) -> None:
    """Set a TxDefaultProfile on a stack level above the highest it claims."""
    highest = stage.facts.number("SmartChargingCtrlr.ProfileStackLevel")
    if highest is None:
        raise NotApplicable("The station does not tell SmartChargingCtrlr.ProfileStackLevel.")
    await _set(stage, stage.connector, _profile(stage, "TxDefaultProfile") | {"stackLevel": int(highest) + 1})


def judge_with_start(take: Take) -> Iterator[Check]:
    """Look whether the profile that came with the start is in force."""
    yield from moves.judge_start(take)
    for command in take.asked("RequestStartTransaction")[-1:]:
        yield must(
            "A start with a TxProfile is accepted (F01, K05)",
            command.status == "Accepted",
            command.status,
            *command.seqs,
        )
    yield from _judge_composite(take)


@case201(
    "A201-SMART-08",
    "A limit that comes with the remote start is in force",
    "OCPP 2.0.1 K05, F01",
    judge=judge_with_start,
    budget_s=180,
    person=True,
    idle=True,
    needs=[SMART],
)
async def with_start(stage: Stage) -> None:
    """Start a transaction with a TxProfile of 8 A, ask for the composite schedule, stop it."""
    stage.undo("no charging profile of ours", lambda: _cleared(stage))
    transaction = await moves.begun(stage, chargingProfile=_profile(stage, "TxProfile"))
    if transaction is not None:
        await stage.pause(2)
        await _composite(stage, stage.connector)
        await moves.ended(stage, transaction)
