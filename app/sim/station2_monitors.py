"""Variable monitoring of a simulated 2.x station (part 2, N02 to N08), and the event streams of 2.1 (N11 to N15)."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.sim.answers import Refusal
from app.sim.station2_evse import Json
from app.sim.station2_model import Variable
from app.sim.station2_orders import Result, rejected

if TYPE_CHECKING:
    from app.sim.station2 import Station2

LOOK_S = 1.0
MAX_MONITORS = 50
CRITERIA = {
    "ThresholdMonitoring": ("UpperThreshold", "LowerThreshold"),
    "DeltaMonitoring": ("Delta",),
    "PeriodicMonitoring": ("Periodic", "PeriodicClockAligned"),
}


@dataclass(slots=True)
class Monitor:
    """One monitor on a variable. ``stream``: parameters of a periodic event stream (2.1)."""

    number: int
    variable: Variable
    kind: str
    value: float
    severity: int
    only_in_transaction: bool
    stream: Json | None = None
    is_raised: bool = False
    last: str | None = None
    told_at_s: float = field(default=0.0)

    @property
    def json(self) -> Json:
        """Return the VariableMonitoringType."""
        return {
            "id": self.number,
            "transaction": self.only_in_transaction,
            "value": self.value,
            "type": self.kind,
            "severity": self.severity,
        }


class Monitors:
    """Looks at the monitored variables once a second and tells events."""

    def __init__(self, station: Station2) -> None:
        self._station = station
        self._numbers = itertools.count(1)
        self._events = itertools.count(1)
        self.monitors: dict[int, Monitor] = {}
        self.level = 9

    async def run(self) -> None:
        """Watch."""
        while True:
            await asyncio.sleep(max(LOOK_S * self._station.time_scale, 0.02))
            if self.monitors:
                self._look()

    # What the central system orders

    def set_monitors(self, payload: Json) -> Json:
        """N04."""
        wanted = payload["setMonitoringData"]
        self._within("SetVariableMonitoring", wanted)
        return {"setMonitoringResult": [self._set(one) for one in wanted]}

    def clear_monitors(self, payload: Json) -> Json:
        """N06."""
        self._within("ClearVariableMonitoring", payload["id"])
        results = []
        for number in payload["id"]:
            gone = self.monitors.pop(int(number), None)
            if gone is not None and gone.stream is not None:
                self._station.say("ClosePeriodicEventStream", {"id": gone.number})
            results.append({"id": number, "status": "NotFound" if gone is None else "Accepted"})
        return {"clearMonitoringResult": results}

    def set_base(self, payload: Json) -> Json:
        """N05: this station has no monitors of its own, so every base but All leaves none."""
        base = str(payload["monitoringBase"])
        if base != "All":
            self.monitors.clear()
        self._station.model.put("MonitoringCtrlr", "ActiveMonitoringBase", base.replace("HardWired", "Hardwired"))
        return {"status": "Accepted"}

    def set_level(self, payload: Json) -> Json:
        """N07: only events of this severity or worse (a lower number) are told."""
        level = int(payload["severity"])
        if not 0 <= level <= 9:
            return rejected("ValueOutOfRange")
        self.level = level
        self._station.model.put("MonitoringCtrlr", "ActiveMonitoringLevel", str(level))
        return {"status": "Accepted"}

    def get_report(self, payload: Json) -> Result:
        """N02."""
        kinds = {kind for name in payload.get("monitoringCriteria") or CRITERIA for kind in CRITERIA[name]}
        named = payload.get("componentVariable")
        model = self._station.model
        keys = [one.key for want in named or () for one in model.matches(want["component"], want.get("variable"))]
        found = [one for one in self.monitors.values() if one.kind in kinds]
        found = [one for one in found if not named or one.variable.key in keys]
        if not found:
            return {"status": "EmptyResultSet"}
        return {"status": "Accepted"}, lambda: self._report(int(payload["requestId"]), found)

    def get_streams(self, _payload: Json) -> Json:
        """N13 (2.1)."""
        streams = [_stream(one) for one in self.monitors.values() if one.stream is not None]
        return {"constantStreamData": streams} if streams else {}

    def adjust_stream(self, payload: Json) -> Json:
        """N14 (2.1)."""
        monitor = self.monitors.get(int(payload["id"]))
        if monitor is None or monitor.stream is None:
            return rejected("NotFound")
        monitor.stream = dict(payload["params"])
        return {"status": "Accepted"}

    # Inside

    def _set(self, wanted: Json) -> Json:
        answer: Json = {name: wanted[name] for name in ("type", "component", "variable", "severity")}
        variable, trouble = self._station.model.find(wanted["component"], wanted["variable"])
        if variable is None:
            return answer | {"status": trouble}
        kind, value, number = str(wanted["type"]), float(wanted["value"]), wanted.get("id")
        refusal = self._objection(variable, kind, value, number, int(wanted["severity"]))
        if refusal:
            return answer | {"status": refusal}
        made = Monitor(
            number=int(number) if number is not None else next(self._numbers),
            variable=variable,
            kind=kind,
            value=value,
            severity=int(wanted["severity"]),
            only_in_transaction=bool(wanted.get("transaction", False)),
            stream=wanted.get("periodicEventStream"),
        )
        self.monitors[made.number] = made
        if made.stream is not None:
            self._station.say("OpenPeriodicEventStream", {"constantStreamData": _stream(made)})
        return answer | {"status": "Accepted", "id": made.number}

    def _objection(self, variable: Variable, kind: str, value: float, number: int | None, severity: int) -> str:
        is_number = variable.kind in ("integer", "decimal")
        if not variable.is_monitored or ("Threshold" in kind and not is_number):
            return "UnsupportedMonitorType"
        if not any(kind in kinds for kinds in CRITERIA.values()):
            return "UnsupportedMonitorType"
        if number is not None and int(number) not in self.monitors:
            return "Rejected"
        top = variable.highest
        if not 0 <= severity <= 9 or value < 0 or ("Threshold" in kind and top is not None and value > top):
            return "Rejected"
        same = [
            one
            for one in self.monitors.values()
            if (one.variable, one.kind, one.severity) == (variable, kind, severity)
        ]
        if number is None and same:
            return "Duplicate"
        return "Rejected" if number is None and len(self.monitors) >= MAX_MONITORS else ""

    def _report(self, request_id: int, found: list[Monitor]) -> None:
        by_variable: dict[tuple[object, ...], list[Monitor]] = {}
        for one in found:
            by_variable.setdefault(one.variable.key, []).append(one)
        groups = list(by_variable.values())
        for number, group in enumerate(groups):
            entry = {
                "component": group[0].variable.component_json,
                "variable": group[0].variable.variable_json,
                "variableMonitoring": [one.json for one in group],
            }
            told: Json = {"requestId": request_id, "seqNo": number, "tbc": number + 1 < len(groups), "monitor": [entry]}
            self._station.say("NotifyMonitoringReport", told | {"generatedAt": self._station.clock.text()})

    def _look(self) -> None:
        self._station.variables()
        now_s = self._station.clock.now().timestamp()
        charging = any(evse.tx is not None for evse in self._station.evses)
        for monitor in list(self.monitors.values()):
            if charging or not monitor.only_in_transaction:
                self._look_at(monitor, monitor.variable.value or "", now_s)

    def _look_at(self, monitor: Monitor, value: str, now_s: float) -> None:
        if monitor.kind in CRITERIA["PeriodicMonitoring"]:
            interval_s = monitor.value
            if monitor.stream is not None:
                interval_s = float(monitor.stream.get("interval", interval_s))
            if now_s - monitor.told_at_s >= interval_s * self._station.time_scale:
                monitor.told_at_s = now_s
                self._periodic(monitor, value)
        elif monitor.kind == "Delta":
            if monitor.last is None or _differs(monitor, value):
                is_first, monitor.last = monitor.last is None, value
                if not is_first:
                    self._tell(monitor, "Delta", value)
        else:
            over = (
                float(value or 0) > monitor.value
                if monitor.kind == "UpperThreshold"
                else float(value or 0) < monitor.value
            )
            if over != monitor.is_raised:
                monitor.is_raised = over
                self._tell(monitor, "Alerting", value, cleared=not over)

    def _periodic(self, monitor: Monitor, value: str) -> None:
        if monitor.stream is None:
            self._tell(monitor, "Periodic", value)
            return
        base = self._station.clock.text()
        data = [{"t": 0, "v": value}]
        told = {"id": monitor.number, "pending": 0, "basetime": base, "data": data}
        self._station.send_unconfirmed("NotifyPeriodicEventStream", told)

    def _tell(self, monitor: Monitor, trigger: str, value: str, *, cleared: bool = False) -> None:
        if monitor.severity > self.level:
            return
        event: Json = {
            "eventId": next(self._events),
            "timestamp": self._station.clock.text(),
            "trigger": trigger,
            "actualValue": value,
            "cleared": cleared,
            "component": monitor.variable.component_json,
            "variable": monitor.variable.variable_json,
            "variableMonitoringId": monitor.number,
            "eventNotificationType": "CustomMonitor",
        }
        told: Json = {"generatedAt": self._station.clock.text(), "tbc": False, "seqNo": 0, "eventData": [event]}
        self._station.say("NotifyEvent", told)

    def _within(self, message: str, items: list[Json]) -> None:
        if len(items) > self._station.model.number("MonitoringCtrlr", "ItemsPerMessage", message, default=1e9):
            raise Refusal("OccurrenceConstraintViolation", f"more items than ItemsPerMessage[{message}]")


def _differs(monitor: Monitor, value: str) -> bool:
    try:
        return abs(float(value) - float(monitor.last or 0)) >= max(monitor.value, 1e-9)
    except ValueError:
        return value != monitor.last


def _stream(monitor: Monitor) -> Json:
    return {"id": monitor.number, "params": dict(monitor.stream or {}), "variableMonitoringId": monitor.number}
