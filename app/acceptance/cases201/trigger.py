"""TriggerMessage (OCPP 2.0.1 part 2, F06): every message that can be asked for comes."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.case import REPAIR, Judge, Steps
from app.acceptance.cases201.asking import case201, outlet
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
            yield must("and accepted (F06)", trigger.status == "Accepted", trigger.status, *trigger.seqs)
            came = take.after(trigger).heard(message)
            yield must(f"{message} comes", bool(came), f"{len(came)} came", *map(seq_of, came[:3]))
            if came and trigger.answer is not None:
                is_after = came[0].seq > trigger.answer.seq
                yield should("after the answer, not before it", is_after, "", *trigger.seqs, came[0].seq)

    return judge


def _steps(message: str, place: str) -> Steps:
    async def steps(stage: Stage) -> None:
        payload: dict[str, object] = {"requestedMessage": message}
        if place:
            payload["evse"] = outlet(stage) if place == "connector" else {"id": stage.connector}
        if (await stage.call("TriggerMessage", payload)).status == "Accepted":
            await stage.heard(message, within_s=COME_S)

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
        judge=_judge(_message),
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
