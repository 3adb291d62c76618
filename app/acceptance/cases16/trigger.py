"""TriggerMessage (OCPP 1.6 §5.17): every message that can be asked for comes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from app.acceptance.alike.trigger import ask_trigger, judge_trigger
from app.acceptance.case import REPAIR, Steps, case
from app.acceptance.cases16.asking import claims, profiles
from app.acceptance.facts import Facts
from app.acceptance.stage import Stage
from app.acceptance.take import Take
from app.model.acceptance import Check, must, should


def _steps(message: str, has_connector: bool) -> Steps:
    async def steps(stage: Stage) -> None:
        await ask_trigger(stage, message, {"connectorId": stage.connector} if has_connector else {})

    steps.__doc__ = f"Ask for {message} by TriggerMessage, and wait for it."
    return steps


def has_files(facts: Facts) -> str:
    """Need the profile that knows diagnostics and firmware."""
    is_there = "FirmwareManagement" in profiles(facts)
    return "" if is_there else "SupportedFeatureProfiles does not name FirmwareManagement."


for _number, (_message, _has_connector, _suites) in enumerate(
    (
        ("BootNotification", False, ()),
        ("Heartbeat", False, (REPAIR,)),
        ("StatusNotification", True, ()),
        ("MeterValues", True, ()),
        ("DiagnosticsStatusNotification", False, ()),
        ("FirmwareStatusNotification", False, ()),
    ),
    start=1,
):
    _is_file = _message.startswith(("Diagnostics", "Firmware"))
    case(
        f"A16-TRIG-{_number:02}",
        f"{_message} comes when asked for",
        "OCPP 1.6 §5.17, MessageTrigger",
        judge=partial(judge_trigger, message=_message, clause="§5.17"),
        budget_s=25,
        suites=_suites,
        needs=[claims("RemoteTrigger"), *([has_files] if _is_file else [])],
    )(_steps(_message, _has_connector))


def judge_stranger(take: Take) -> Iterator[Check]:
    """Look at the status for a connector that does not exist."""
    for trigger in take.asked("TriggerMessage"):
        yield must(
            "A trigger for a connector that does not exist is answered, and not accepted (§5.17)",
            trigger.answer is not None and trigger.status != "Accepted",
            trigger.status,
            *trigger.seqs,
        )
        yield should("but Rejected", trigger.status == "Rejected", trigger.status, *trigger.seqs)


@case(
    "A16-TRIG-07",
    "A trigger for a connector that does not exist is refused",
    "OCPP 1.6 §5.17",
    judge=judge_stranger,
    budget_s=15,
    needs=[claims("RemoteTrigger")],
)
async def stranger(stage: Stage) -> None:
    """Ask connector 63 for its state."""
    await stage.call("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 63})
