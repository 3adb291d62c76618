"""TriggerMessage (OCPP 2.0.1 part 2, F06): every message that can be asked for comes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from app.acceptance.alike.trigger import COME_S, ask_trigger, judge_trigger
from app.acceptance.case import REPAIR, Steps
from app.acceptance.cases201.asking import case201, outlet
from app.acceptance.stage import Stage
from app.acceptance.take import Take, seq_of
from app.model.acceptance import Check, must, should


def _steps(message: str, place: str) -> Steps:
    async def steps(stage: Stage) -> None:
        evse = outlet(stage) if place == "connector" else {"id": stage.connector}
        await ask_trigger(stage, message, {"evse": evse} if place else {})

    steps.__doc__ = f"Ask for {message} by TriggerMessage, and wait for it."
    return steps


for _number, (_message, _place, _suites) in enumerate(
    (
        ("Heartbeat", "", (REPAIR,)),
        ("StatusNotification", "connector", ()),
        ("MeterValues", "evse", ()),
        ("LogStatusNotification", "", ()),
        ("FirmwareStatusNotification", "", ()),
    ),
    start=1,
):
    case201(
        f"A201-TRIG-{_number:02}",
        f"{_message} comes when asked for",
        "OCPP 2.0.1 F06",
        judge=partial(judge_trigger, message=_message, clause="F06"),
        budget_s=25,
        suites=_suites,
    )(_steps(_message, _place))


def judge_stranger(take: Take) -> Iterator[Check]:
    """Look at the status for an EVSE that does not exist."""
    for trigger in take.asked("TriggerMessage"):
        is_refused = trigger.answer is not None and trigger.status != "Accepted"
        text = "A trigger for an EVSE that does not exist is answered, and not accepted (F06)"
        yield must(text, is_refused, trigger.status, *trigger.seqs)
        yield should("but Rejected", trigger.status == "Rejected", trigger.status, *trigger.seqs)


@case201(
    "A201-TRIG-06",
    "A trigger for an EVSE that does not exist is refused",
    "OCPP 2.0.1 F06",
    judge=judge_stranger,
    budget_s=15,
)
async def stranger(stage: Stage) -> None:
    """Ask EVSE 63 for its state."""
    payload = {"requestedMessage": "StatusNotification", "evse": {"id": 63, "connectorId": 1}}
    await stage.call("TriggerMessage", payload)


def judge_boot(take: Take) -> Iterator[Check]:
    """Look that nothing boots that has been accepted."""
    for trigger in take.asked("TriggerMessage"):
        yield must("The trigger is answered", trigger.answer is not None, trigger.status, *trigger.seqs)
        is_refused = trigger.status == "Rejected"
        yield should("Once accepted, it rejects a trigger of the Boot (F06)", is_refused, trigger.status, *trigger.seqs)
        boots = take.after(trigger).heard("BootNotification")
        if is_refused:
            yield must("and does not boot", not boots, "", *map(seq_of, boots))


@case201(
    "A201-TRIG-07",
    "Once accepted, it does not boot on demand",
    "OCPP 2.0.1 F06",
    judge=judge_boot,
    budget_s=25,
)
async def boot(stage: Stage) -> None:
    """Ask an accepted station for a BootNotification."""
    if (await stage.call("TriggerMessage", {"requestedMessage": "BootNotification"})).status == "Accepted":
        await stage.heard("BootNotification", within_s=COME_S)
    else:
        await stage.pause(2)
