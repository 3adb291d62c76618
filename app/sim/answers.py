"""What a simulated charge point answers to its central system (OCPP 1.6, each section named)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from app.sim.car import idle_status
from app.sim.fault import Fault

if TYPE_CHECKING:
    from app.sim.chargepoint import ChargePoint

Payload = dict[str, Any]
After = Callable[[], None]
Answer = Callable[["ChargePoint", Payload], "Payload | tuple[Payload, After]"]
"""Builds a CALLRESULT payload; with a second value, that is done once the answer has gone out."""


class Refusal(Exception):
    """Answer with a CALLERROR (OCPP-J 1.6 §4.2.3)."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def get_configuration(point: ChargePoint, payload: Payload) -> Payload:
    """§5.8: all keys, or the asked ones; unknown ones are named apart."""
    asked = payload.get("key") or list(point.configuration)
    known = [key for key in asked if key in point.configuration]
    entries: list[Payload] = []
    for key in known:
        entry = point.configuration[key]
        shown: Payload = {"key": key, "readonly": entry.readonly}
        if entry.value is not None and not entry.write_only:
            shown["value"] = entry.value
        entries.append(shown)
    answer: Payload = {"configurationKey": entries}
    unknown = [key for key in asked if key not in point.configuration]
    if unknown:
        answer["unknownKey"] = unknown
    return answer


def change_configuration(point: ChargePoint, payload: Payload) -> Payload:
    """§5.3."""
    key, value = str(payload["key"]), str(payload["value"])
    entry = point.configuration.get(key)
    if entry is None:
        return {"status": "NotSupported"}
    if entry.readonly or Fault.REFUSES in point.faults:
        return {"status": "Rejected"}
    return {"status": point.on_change(key, value)}


def reset(point: ChargePoint, payload: Payload) -> tuple[Payload, After]:
    """§5.14."""
    kind = str(payload["type"])
    return {"status": "Accepted"}, lambda: point.on_reset(kind)


def remote_start(point: ChargePoint, payload: Payload) -> Payload | tuple[Payload, After]:
    """§5.11: begins at once with a car, else waits for one."""
    tag = str(payload["idTag"])
    wanted = payload.get("connectorId")
    free = [o for o in point.outlets if o.transaction is None and o.is_available and o.error == "NoError"]
    fitting = [outlet for outlet in free if wanted in (None, outlet.number)]
    if not fitting:
        return {"status": "Rejected"}
    outlet = next((outlet for outlet in fitting if outlet.is_plugged), fitting[0])
    if outlet.is_plugged:
        return {"status": "Accepted"}, lambda: point.begin(outlet, tag)
    outlet.awaited_tag = tag
    return {"status": "Accepted"}, lambda: point.set_status(outlet, "Preparing")


def remote_stop(point: ChargePoint, payload: Payload) -> Payload | tuple[Payload, After]:
    """§5.12."""
    wanted = payload["transactionId"]
    running = [outlet for outlet in point.outlets if outlet.transaction is not None]
    meant = [outlet for outlet in running if outlet.transaction and outlet.transaction.transaction_id == wanted]
    if not meant:
        return {"status": "Rejected"}
    return {"status": "Accepted"}, lambda: point.finish(meant[0], "Remote")


def trigger_message(point: ChargePoint, payload: Payload) -> Payload | tuple[Payload, After]:
    """§5.17."""
    connector = payload.get("connectorId")
    if connector is not None and not 0 <= connector <= len(point.outlets):
        return {"status": "Rejected"}
    connectors = [outlet.number for outlet in point.outlets] if connector is None else [connector]

    def each(say: Callable[[int], None]) -> After:
        def act() -> None:
            for number in connectors:
                say(number)

        return act

    sayings: dict[str, After] = {
        "BootNotification": point.say_boot,
        "Heartbeat": lambda: point.say("Heartbeat", {}, is_asked=True),
        "StatusNotification": each(lambda number: point.say_status(number, is_asked=True)),
        "MeterValues": each(lambda number: point.say_meter(number or 1, "Trigger", is_asked=True)),
    }
    saying = sayings.get(str(payload["requestedMessage"]))
    return ({"status": "Accepted"}, saying) if saying else {"status": "NotImplemented"}


def change_availability(point: ChargePoint, payload: Payload) -> tuple[Payload, After]:
    """§5.2: a running transaction postpones it."""
    connector, operative = payload["connectorId"], payload["type"] == "Operative"
    outlets = point.outlets if connector == 0 else [point.outlet(connector)]

    def apply() -> None:
        for outlet in outlets:
            if outlet.transaction is not None:
                outlet.planned = operative
                continue
            outlet.is_available = operative
            point.set_status(outlet, idle_status(outlet))

    busy = any(outlet.transaction is not None for outlet in outlets)
    return {"status": "Scheduled" if busy and not operative else "Accepted"}, apply


def unlock_connector(point: ChargePoint, payload: Payload) -> Payload | tuple[Payload, After]:
    """§5.18: ends a transaction first; a fixed cable has no lock."""
    outlet = point.outlet(payload["connectorId"])
    return {"status": "NotSupported"}, lambda: point.finish(outlet, "UnlockCommand")


def set_charging_profile(point: ChargePoint, payload: Payload) -> Payload:
    """§5.16: the first period's limit is applied in amperes."""
    schedule = payload["csChargingProfiles"]["chargingSchedule"]
    limit = float(schedule["chargingSchedulePeriod"][0]["limit"])
    for outlet in point.outlets:
        if payload["connectorId"] in (0, outlet.number):
            outlet.allow(limit if schedule.get("chargingRateUnit") == "A" else limit / outlet.voltage_v)
    return {"status": "Accepted"}


def composite_schedule(point: ChargePoint, payload: Payload) -> Payload:
    """§5.7."""
    outlet = point.outlet(payload["connectorId"] or 1)
    period = {"startPeriod": 0, "limit": outlet.limit_a}
    schedule = {"duration": payload["duration"], "chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
    return {"status": "Accepted", "connectorId": payload["connectorId"], "chargingSchedule": schedule}


def _fixed(answer: Payload) -> Answer:
    return lambda _point, _payload: dict(answer)


ANSWERS: dict[str, Answer] = {
    "GetConfiguration": get_configuration,
    "ChangeConfiguration": change_configuration,
    "Reset": reset,
    "RemoteStartTransaction": remote_start,
    "RemoteStopTransaction": remote_stop,
    "TriggerMessage": trigger_message,
    "ChangeAvailability": change_availability,
    "ClearCache": _fixed({"status": "Accepted"}),
    "UnlockConnector": unlock_connector,
    "DataTransfer": _fixed({"status": "UnknownVendorId"}),
    "GetLocalListVersion": _fixed({"listVersion": -1}),
    "SendLocalList": _fixed({"status": "NotSupported"}),
    "SetChargingProfile": set_charging_profile,
    "ClearChargingProfile": _fixed({"status": "Accepted"}),
    "GetCompositeSchedule": composite_schedule,
}
"""What the core understands; everything else is NotImplemented."""
