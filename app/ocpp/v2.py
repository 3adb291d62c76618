"""OCPP 2.0.1 and 2.1 payloads: read them tolerantly into values, and answer every request by its schema. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.model.frame import Boot
from app.model.reading import Row, StateChange
from app.ocpp import v16
from app.ocpp.events import IdToken
from app.ocpp.manner import Manner

VERSIONS = ("2.0.1", "2.1")
FURTHER = 100
"""Further connectors of EVSE ``n`` are numbered ``n × FURTHER + connector``: our numbers are flat."""

_PLAIN = frozenset(
    {
        "StatusNotification",
        "MeterValues",
        "NotifyReport",
        "NotifyMonitoringReport",
        "NotifyEvent",
        "SecurityEventNotification",
        "FirmwareStatusNotification",
        "LogStatusNotification",
        "PublishFirmwareStatusNotification",
        "NotifyChargingLimit",
        "ClearedChargingLimit",
        "ReportChargingProfiles",
        "NotifyDisplayMessages",
        "NotifyCustomerInformation",
        "ReservationStatusUpdate",
    }
)
_PLAIN_21 = frozenset(
    {
        "BatterySwap",
        "ClosePeriodicEventStream",
        "NotifyDERAlarm",
        "NotifyDERStartStop",
        "NotifyPeriodicEventStream",
        "NotifyPriorityCharging",
        "NotifySettlement",
        "NotifyWebPaymentStarted",
        "ReportDERControl",
    }
)
_FIXED: dict[str, dict[str, Any]] = {
    "DataTransfer": {"status": "UnknownVendorId"},
    "SignCertificate": {"status": "Rejected"},
    "GetCertificateStatus": {"status": "Failed"},
    "Get15118EVCertificate": {"status": "Failed", "exiResponse": ""},
    "NotifyEVChargingSchedule": {"status": "Accepted"},
}
"""We are no contract certificate pool and hold no responder (part 2 M01, M06); a charging schedule may be as it is."""
_FIXED_21: dict[str, dict[str, Any]] = {
    "OpenPeriodicEventStream": {"status": "Accepted"},
    "PullDynamicScheduleUpdate": {"status": "Rejected"},
}
_STATUSES = frozenset(
    {
        "Accepted",
        "Blocked",
        "ConcurrentTx",
        "Expired",
        "Invalid",
        "NoCredit",
        "NotAllowedTypeEVSE",
        "NotAtThisLocation",
        "NotAtThisTime",
        "Unknown",
    }
)
"""AuthorizationStatusEnumType (part 2 §3.4)."""
_BOOT_FIELDS = ("vendorName", "model", "serialNumber", "firmwareVersion")
_STATES = {"EVConnected": "Preparing", "Idle": "Finishing"}
"""ChargingStateEnumType in the words of 1.6 §4.9; Charging and the Suspended ones are the same."""


def answer(version: str, action: str, payload: Mapping[str, Any], now: datetime, manner: Manner) -> Any:
    """Return the answer to a station's request, ``None`` where a station has nothing to ask like that.

    Authorize and TransactionEvent are answered by their books, for the token's sake.
    """
    if action in _PLAIN or (version == "2.1" and action in _PLAIN_21):
        return {}
    if action in ("BootNotification", "Heartbeat"):
        return v16.greeting(action, now, manner)
    if action == "NotifyEVChargingNeeds":
        # "Service not available" (part 2 §3, NotifyEVChargingNeedsStatusEnumType): the station then decides itself.
        return {"status": "NoChargingProfile" if version == "2.1" else "Rejected"}
    if version == "2.1" and action == "GetCertificateChainStatus":
        chain = _chain(payload, now)
        return {"certificateStatus": chain} if chain else None
    if version == "2.1" and action == "VatNumberValidation":
        return _vat(payload)
    fixed = _FIXED.get(action) or (_FIXED_21.get(action) if version == "2.1" else None)
    return None if fixed is None else dict(fixed)


def boot(payload: Mapping[str, Any], at: datetime) -> Boot:
    """Read a BootNotification; the fields of ``chargingStation`` and ``modem`` come out flat."""
    station = payload.get("chargingStation")
    station = station if isinstance(station, dict) else {}
    modem = station.get("modem")
    told = {"reason": payload.get("reason"), **station, **(modem if isinstance(modem, dict) else {})}
    fields = {str(key)[:50]: v16.text(value) for key, value in list(told.items())[:32] if not _is_nested(value)}
    vendor, model, serial, firmware = (fields.get(name, "") for name in _BOOT_FIELDS)
    return Boot(vendor=vendor, model=model, serial=serial, firmware=firmware, at=at, fields=fields)


def status(payload: Mapping[str, Any], unit_id: str, now: datetime, state: str = "") -> StateChange:
    """Read a StatusNotification. ``state`` says it in 1.6's words where it is Occupied; the detail keeps the word."""
    told = v16.text(payload.get("connectorStatus"), 50)
    return StateChange(
        unit_id=unit_id,
        connector=place(payload.get("evseId"), payload.get("connectorId")),
        state=(state or "Preparing") if told == "Occupied" else told,
        at=v16.when(payload.get("timestamp"), now)[0],
        detail=told if told == "Occupied" else "",
    )


def charging_state(text: object) -> str:
    """Return a transaction's charging state in the words of 1.6, or an empty text."""
    told = v16.text(text, 30)
    return _STATES.get(told, told)


def place(evse: object, connector: object) -> int:
    """Return our number for a connector: the EVSE's for its first, and 0 for the whole station."""
    evse_id, connector_id = v16.number(evse), v16.number(connector)
    return evse_id * FURTHER + connector_id if connector_id > 1 else evse_id


def evse_of(connector: int) -> tuple[int, int | None]:
    """Return EVSE and connector of a number of ours; the connector is ``None`` where it is the EVSE's first or only."""
    evse_id, connector_id = divmod(connector, FURTHER)
    return (evse_id, connector_id) if evse_id else (connector, None)


def place_of(payload: Mapping[str, Any]) -> int:
    """Return our number for the ``evse`` object of a message, 0 where there is none."""
    evse = payload.get("evse")
    return place(evse.get("id"), evse.get("connectorId")) if isinstance(evse, dict) else 0


def rows(meter_values: object, now: datetime, connector: int) -> list[Row]:
    """Turn meter values into rows in SI units and UTC; what can't be understood is left out."""
    found: list[Row] = []
    for at, sample in v16.samples(meter_values, now):
        unit = sample.get("unitOfMeasure")
        name, exponent = (unit.get("unit"), unit.get("multiplier")) if isinstance(unit, dict) else (None, None)
        scale = v16.scale_of(sample.get("measurand"), name)
        value = v16.quantity(sample.get("value"))
        if scale is None or value is None:
            continue
        measurand, factor, offset = scale
        if exponent:
            value *= _power(exponent)
        phase = sample.get("phase")
        found.append((measurand, value * factor + offset, at, connector, phase[:10] if type(phase) is str else ""))
    return found


def register_wh(meter_values: object, context: str, now: datetime) -> float | None:
    """Return the energy register (import, all phases) told with that context (``Transaction.Begin`` …)."""
    for at, sample in v16.samples(meter_values, now):
        measurand = sample.get("measurand") or "Energy.Active.Import.Register"
        if measurand != "Energy.Active.Import.Register" or sample.get("phase"):
            continue
        if not context or sample.get("context") == context:
            found = rows([{"timestamp": at.isoformat(), "sampledValue": [sample]}], now, 0)
            if found:
                return found[0][1]
    return None


def token(value: object) -> IdToken | None:
    """Read an IdTokenType; ``None`` where there is none."""
    if not isinstance(value, dict):
        return None
    return IdToken(v16.text(value.get("idToken"), 255), v16.text(value.get("type"), 30))


def token_info(status: str) -> dict[str, Any]:
    """Write an IdTokenInfoType."""
    return {"status": status if status in _STATUSES else "Invalid"}


def _power(exponent: object) -> float:
    return 10.0 ** max(-12, min(12, v16.number(exponent)))


def _is_nested(value: object) -> bool:
    return value is None or isinstance(value, dict | list)


def _chain(payload: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
    """Tell of each certificate that nobody could be asked about it (2.1 part 2 M06: status Failed)."""
    asked = payload.get("certificateStatusRequests")
    found = []
    for item in asked[:4] if isinstance(asked, list) else ():
        data = item.get("certificateHashData") if isinstance(item, dict) else None
        source = item.get("source") if isinstance(item, dict) else None
        if isinstance(data, dict) and isinstance(source, str):
            failed = {"certificateHashData": data, "source": source, "status": "Failed", "nextUpdate": v16.stamp(now)}
            found.append(failed)
    return found


def _vat(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"vatNumber": v16.text(payload.get("vatNumber"), 20), "status": "Rejected"}
