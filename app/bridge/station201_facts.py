"""What a bridged OCPP 2.0.1 station itself knows of its variables, and the words for its state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from app.bridge.message import Payload
from app.bridge.station201_model import Variable

if TYPE_CHECKING:
    from app.bridge.station201 import Station201

MAX_SERIAL = 25
"""``serialNumber`` of BootNotificationRequest.json."""
SILENT = "The unit is not heard."


def connector_status(station: Station201) -> str:
    """Return the ConnectorStatusEnum; a unit that is not heard counts as one with a fault."""
    state = station.outlet.state
    if problem_of(station):
        return "Faulted"
    if station.tx.session is not None:
        return "Occupied"
    if not station.is_operative:
        return "Unavailable"
    return "Occupied" if state.is_plugged else "Available"


def word_of_16(station: Station201) -> str:
    """Return the state in the words of OCPP 1.6 §7.7."""
    status = connector_status(station)
    if status != "Occupied":
        return "Preparing" if status == "Available" and station.admission.awaited is not None else status
    if station.tx.session is not None:
        return station.tx.charging_state.replace("EVConnected", "Preparing").replace("Idle", "Finishing")
    return "Finishing" if station.admission.is_spent(station.outlet.state) else "Preparing"


def serial_of(station: Station201) -> str:
    """Return the unit's number; of one too long (a JuiceBox's has 28 digits) the end, which tells units apart."""
    return station.equipment.serial[-MAX_SERIAL:]


def problem_of(station: Station201) -> str:
    """Return what is wrong with the unit, empty where nothing is."""
    state = station.outlet.state
    return state.fault if state.is_present or state.fault else SILENT


def event_of(station: Station201, problem: str, *, is_over: bool, now: datetime) -> Payload:
    """Return the NotifyEvent of a problem that came or went, which StatusNotification has no words for (N07)."""
    at, session = station.stamp(now), station.tx.session
    event: Payload = {
        "eventId": int(now.timestamp() * 1000) % 2**31,
        "timestamp": at,
        "trigger": "Alerting",
        "actualValue": "false" if is_over else "true",
        "cleared": is_over,
        "techInfo": problem[:500],
        "eventNotificationType": "HardWiredNotification",
        "component": {"name": "EVSE", "evse": {"id": 1}},
        "variable": {"name": "Problem"},
    }
    if session is not None:
        event["transactionId"] = session.transaction_id
    return {"generatedAt": at, "seqNo": 0, "tbc": False, "eventData": [event]}


def told(station: Station201, variable: Variable) -> str | None:
    """Return what the station knows of a variable, ``None`` where its setting counts."""
    telling = _TOLD.get((variable.component, variable.name))
    return telling(station) if telling is not None else None


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _free_only(value: str) -> Callable[[Station201], str | None]:
    return lambda station: value if station.is_free else None


def _phases(station: Station201) -> str:
    return str(station.equipment.phases)


def _has_fault(station: Station201) -> str:
    return _flag(bool(problem_of(station)))


_TOLD: dict[tuple[str, str], Callable[[Station201], str | None]] = {
    ("SecurityCtrlr", "Identity"): lambda station: station.equipment.identity,
    ("SecurityCtrlr", "SecurityProfile"): lambda station: str(station.security_profile),
    ("AuthCtrlr", "Enabled"): _free_only("false"),
    ("AuthCtrlr", "OfflineTxForUnknownIdEnabled"): _free_only("true"),
    ("TxCtrlr", "TxBeforeAcceptedEnabled"): _free_only("true"),
    # Where everybody may charge, no answer of a backend ends a transaction.
    ("TxCtrlr", "StopTxOnInvalidId"): _free_only("false"),
    # Without a reader a transaction is a car's stay under somebody's authorisation.
    ("TxCtrlr", "TxStartPoint"): lambda station: "EVConnected" if station.is_free else "PowerPathClosed",
    ("TxCtrlr", "TxStopPoint"): lambda _station: "EVConnected,Authorized",
    ("ClockCtrlr", "DateTime"): lambda station: station.stamp(station.known_at),
    ("SmartChargingCtrlr", "Entries"): lambda station: str(len(station.charging.stack.profiles)),
    ("ChargingStation", "VendorName"): lambda station: station.equipment.vendor[:50],
    ("ChargingStation", "Model"): lambda station: station.equipment.model[:20],
    ("ChargingStation", "SerialNumber"): serial_of,
    ("ChargingStation", "FirmwareVersion"): lambda station: station.equipment.firmware[:50],
    ("ChargingStation", "AvailabilityState"): lambda station: "Available" if station.is_in_service else "Unavailable",
    ("EVSE", "AvailabilityState"): connector_status,
    ("Connector", "AvailabilityState"): connector_status,
    ("ChargingStation", "Problem"): _has_fault,
    ("EVSE", "Problem"): _has_fault,
    ("Connector", "Problem"): _has_fault,
    ("ChargingStation", "SupplyPhases"): _phases,
    ("EVSE", "SupplyPhases"): _phases,
    ("Connector", "SupplyPhases"): _phases,
    ("EVSE", "Power"): lambda station: f"{station.outlet.state.power_w or 0.0:.1f}",
}
"""What is told here can't be set by a backend."""
