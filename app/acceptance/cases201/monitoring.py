"""Variable monitoring and events (OCPP 2.0.1 part 2, N02 to N08)."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.cases201.asking import case201, has
from app.acceptance.cases201.reports import judge_parts, parts_of
from app.acceptance.stage import NotApplicable, Stage
from app.acceptance.take import Exchange, Take, seq_of
from app.errors import Refused
from app.model.acceptance import Check, must, should
from app.ocpp.devicemodel import Variable, VariableName

MONITORS = has("MonitoringCtrlr")
SEVERITY = 8
"""Informational: an event of this severity wakes nobody (part 2, MonitorType)."""
PERIOD_S = 5
REPORT = 41_300
NOBODY = 2_147_000_004


async def _monitored(stage: Stage, *, name: str = "") -> Variable:
    """Return a variable that supports monitoring: one of that name and of the EVSE that is tried, where named.

    Raises NotApplicable where there is none.
    """
    try:
        model = await (await stage.endpoint()).device_model()
    except Refused as refusal:
        raise NotApplicable("The station reports no device model.") from refusal
    found = [item for item in model if item.is_monitored]
    mine = [item for item in found if item.name.evse == stage.connector and name in ("", item.name.variable)]
    chosen = mine if name else [*mine, *found]
    if not chosen:
        raise NotApplicable(f"No variable {name} of EVSE {stage.connector} supports monitoring.".replace("  ", " "))
    return chosen[0]


async def _set(stage: Stage, place: VariableName, kind: str, value: float) -> tuple[Exchange, int | None]:
    data = {"value": value, "type": kind, "severity": SEVERITY, **place.selector}
    reply = await stage.offered("SetVariableMonitoring", {"setMonitoringData": [data]})
    number = reply.get("setMonitoringResult", 0, "id")
    if told(reply) != "Accepted" or not isinstance(number, int):
        return reply, None

    async def back() -> str:
        gone = await stage.call("ClearVariableMonitoring", {"id": [number]})
        return "" if gone.is_answered else f"the unit said {gone.status}"

    stage.undo(f"monitor {number}", back)
    return reply, number


def told(reply: Exchange) -> str:
    """Return the status of the first result of setting or clearing a monitor, else how it was answered."""
    for name in ("setMonitoringResult", "clearMonitoringResult"):
        status = reply.get(name, 0, "status")
        if isinstance(status, str):
            return status
    return reply.status


def _judge_set(take: Take) -> Iterator[Check]:
    for reply in take.asked("SetVariableMonitoring")[:1]:
        kind = reply.request.text("setMonitoringData", 0, "type")
        yield must(f"A {kind} monitor is accepted (N04)", told(reply) == "Accepted", told(reply), *reply.seqs)
        number = reply.get("setMonitoringResult", 0, "id")
        if told(reply) == "Accepted":
            yield must("and gets an id", isinstance(number, int), f"{number}", *reply.seqs)


def _number(take: Take) -> object:
    return next((reply.get("setMonitoringResult", 0, "id") for reply in take.asked("SetVariableMonitoring")), None)


def judge_periodic(take: Take) -> Iterator[Check]:
    """Look for the events of the monitor, and that they end with it."""
    yield from _judge_set(take)
    number = _number(take)
    clears = take.asked("ClearVariableMonitoring")
    if not clears:
        return
    window = take.before(clears[0])
    events = [event for event in window.heard("NotifyEvent") if _is_of(event.get("eventData"), number)]
    seqs = list(map(seq_of, events))
    yield must("NotifyEvent comes for it (N07)", bool(events), f"{len(events)} came", *seqs)
    for event in events[:1]:
        data = next(item for item in event.get("eventData") if item.get("variableMonitoringId") == number)
        yield must("It tells the value", "actualValue" in data, str(data.get("actualValue"))[:60], event.seq)
        trigger = str(data.get("trigger"))
        yield must("and what triggered it: Periodic", trigger == "Periodic", trigger, event.seq)
    yield must(
        "The monitor is cleared by its id (N06)", told(clears[0]) == "Accepted", told(clears[0]), *clears[0].seqs
    )
    late = [e for e in take.after(clears[0].answer).heard("NotifyEvent") if _is_of(e.get("eventData"), number)]
    yield should("and no more events come then", len(late) <= 1, f"{len(late)} came", *map(seq_of, late))


def _is_of(data: object, number: object) -> bool:
    items = data if isinstance(data, list) else []
    return any(isinstance(item, dict) and item.get("variableMonitoringId") == number for item in items)


@case201(
    "A201-MON-01",
    "A periodic monitor tells its variable until it is cleared",
    "OCPP 2.0.1 N04, N06, N07",
    judge=judge_periodic,
    budget_s=120,
    needs=[MONITORS],
)
async def periodic(stage: Stage) -> None:
    """Monitor a variable every 5 s, wait for its event, clear the monitor, wait again."""
    place = (await _monitored(stage)).name
    _, number = await _set(stage, place, "Periodic", PERIOD_S)
    if number is None:
        return
    await stage.heard("NotifyEvent", where=lambda m: _is_of(m.get("eventData"), number), within_s=PERIOD_S * 5)
    await stage.call("ClearVariableMonitoring", {"id": [number]})
    await stage.pause(PERIOD_S * 3)


def judge_report(take: Take) -> Iterator[Check]:
    """Look for our monitor in the report."""
    yield from _judge_set(take)
    number = _number(take)
    for ask in take.asked("GetMonitoringReport"):
        yield must("GetMonitoringReport is accepted (N02)", ask.status == "Accepted", ask.status, *ask.seqs)
        if ask.status != "Accepted":
            return
        parts = parts_of(take, ask, "NotifyMonitoringReport")
        yield from judge_parts(parts, "NotifyMonitoringReport")
        found = [
            monitor
            for part in parts
            for entry in part.get("monitor") or []
            for monitor in entry.get("variableMonitoring") or []
            if monitor.get("id") == number
        ]
        yield must("Our monitor is in it, once", len(found) == 1, f"{len(found)} times", *map(seq_of, parts))


@case201(
    "A201-MON-02",
    "The monitors it has are reported",
    "OCPP 2.0.1 N02, N04",
    judge=judge_report,
    budget_s=120,
    needs=[MONITORS],
)
async def report(stage: Stage) -> None:
    """Set a monitor, ask for the report of all monitors, clear ours."""
    place = (await _monitored(stage)).name
    _, number = await _set(stage, place, "Periodic", 3600)
    if number is None:
        return
    since = stage.last_seq
    if (await stage.offered("GetMonitoringReport", {"requestId": REPORT})).status == "Accepted":
        await stage.heard("NotifyMonitoringReport", where=lambda m: m.get("tbc") is not True, within_s=30, since=since)


def judge_delta(take: Take) -> Iterator[Check]:
    """Look for the event of the change."""
    yield from _judge_set(take)
    number = _number(take)
    for change in take.asked("ChangeAvailability")[:1]:
        if change.status != "Accepted":
            yield must("ChangeAvailability is accepted (G03)", False, change.status, *change.seqs)
            return
        events = [e for e in take.after(change).heard("NotifyEvent") if _is_of(e.get("eventData"), number)]
        yield must("NotifyEvent tells the change (N07)", bool(events), f"{len(events)} came", *map(seq_of, events))
        for event in events[:1]:
            data = next(item for item in event.get("eventData") if item.get("variableMonitoringId") == number)
            value = str(data.get("actualValue"))
            yield must("with the new value", value == "Unavailable", value, event.seq)
            trigger = str(data.get("trigger"))
            yield should("triggered by Delta", trigger == "Delta", trigger, event.seq)


@case201(
    "A201-MON-03",
    "A change of state is told as an event",
    "OCPP 2.0.1 N04, N07 (Delta)",
    judge=judge_delta,
    budget_s=120,
    idle=True,
    needs=[MONITORS],
)
async def delta(stage: Stage) -> None:
    """Monitor AvailabilityState for changes, take the EVSE out of service, put it back."""
    place = (await _monitored(stage, name="AvailabilityState")).name
    _, number = await _set(stage, place, "Delta", 1)
    if number is None:
        return
    await stage.pause(3)  # the monitor has seen the value there was
    where = {"evse": {"id": stage.connector}}

    async def back() -> str:
        reply = await stage.call("ChangeAvailability", {**where, "operationalStatus": "Operative"})
        return "" if reply.status in ("Accepted", "Scheduled") else f"the unit said {reply.status}"

    stage.undo("operative again", back)
    if (await stage.call("ChangeAvailability", {**where, "operationalStatus": "Inoperative"})).status == "Accepted":
        await stage.heard("NotifyEvent", where=lambda m: _is_of(m.get("eventData"), number), within_s=15)


def judge_unknown(take: Take) -> Iterator[Check]:
    """Look at the results for what does not exist."""
    for reply in take.asked("SetVariableMonitoring"):
        status = told(reply)
        is_refused = reply.answer is not None and status != "Accepted"
        yield must("A monitor on an unknown component is not accepted (N04)", is_refused, status, *reply.seqs)
        yield should("but UnknownComponent", status == "UnknownComponent", status, *reply.seqs)
    for clear in take.asked("ClearVariableMonitoring"):
        status = told(clear)
        is_refused = clear.answer is not None and status != "Accepted"
        yield must("A monitor nobody set is not cleared (N06)", is_refused, status, *clear.seqs)
        yield should("but NotFound", status == "NotFound", status, *clear.seqs)


@case201(
    "A201-MON-04",
    "Monitors on what does not exist are refused",
    "OCPP 2.0.1 N04, N06",
    judge=judge_unknown,
    budget_s=40,
    needs=[MONITORS],
)
async def unknown(stage: Stage) -> None:
    """Monitor a component that does not exist, and clear a monitor that was never set."""
    place = VariableName(component="RehomeNoSuchCtrlr", variable="Enabled")
    await _set(stage, place, "Periodic", 3600)
    await stage.call("ClearVariableMonitoring", {"id": [NOBODY]})


def judge_level(take: Take) -> Iterator[Check]:
    """Look at the status of a severity that does not exist."""
    for reply in take.asked("SetMonitoringLevel"):
        is_refused = reply.answer is not None and reply.status != "Accepted"
        yield must("A severity of 12 is not accepted: there are 0 to 9 (N08)", is_refused, reply.status, *reply.seqs)
        yield should("but Rejected", reply.status == "Rejected", reply.status, *reply.seqs)


@case201(
    "A201-MON-05",
    "A severity that does not exist is refused",
    "OCPP 2.0.1 N08",
    judge=judge_level,
    budget_s=20,
    needs=[MONITORS],
)
async def level(stage: Stage) -> None:
    """Send SetMonitoringLevel with severity 12."""
    await stage.offered("SetMonitoringLevel", {"severity": 12})
