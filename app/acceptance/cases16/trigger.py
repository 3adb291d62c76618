"""TriggerMessage (OCPP 1.6 §5.17): every message that can be asked for comes."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.case import REPAIR, Judge, Steps, case
from app.acceptance.cases16.asking import claims, profiles
from app.acceptance.facts import Facts
from app.acceptance.stage import Stage
from app.acceptance.take import Take, seq_of
from app.model.acceptance import Check, must, should

COME_S = 15.0
"""How long a triggered message may take [OURS]."""


def _judge(message: str) -> Judge:
    def judge(take: Take) -> Iterator[Check]:
        """Look at the status, and for the message after it."""
        for trigger in take.asked("TriggerMessage")[:1]:
            is_known = trigger.status != "NotImplemented"
            yield should(f"TriggerMessage({message}) is known", is_known, trigger.status, *trigger.seqs)
            if not is_known:
                return
            yield must("and accepted (§5.17)", trigger.status == "Accepted", trigger.status, *trigger.seqs)
            came = take.after(trigger).heard(message)
            yield must(f"{message} comes", bool(came), f"{len(came)} came", *map(seq_of, came[:3]))
            if came and trigger.answer is not None:
                is_after = came[0].seq > trigger.answer.seq
                yield should("after the answer, not before it", is_after, "", *trigger.seqs, came[0].seq)

    return judge


def _steps(message: str, has_connector: bool) -> Steps:
    async def steps(stage: Stage) -> None:
        payload: dict[str, object] = {"requestedMessage": message}
        if has_connector:
            payload["connectorId"] = stage.connector
        if (await stage.call("TriggerMessage", payload)).status == "Accepted":
            await stage.heard(message, within_s=COME_S)

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
        judge=_judge(_message),
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
