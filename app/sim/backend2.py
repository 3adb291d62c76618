"""What the simulated backend does with OCPP 2.0.1: its own reading of the messages, strict as its 1.6 side."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from app.ocpp.stamps import written

if TYPE_CHECKING:
    from app.sim.backend import Seen

Payload = dict[str, Any]

REGISTER = "Energy.Active.Import.Register"


def entered2(seen: Seen, action: str, payload: Payload) -> Payload | None:
    """Enter a 2.0.1 message and return the answer, ``None`` for an action it has not; raises KeyError, ValueError."""
    match action:
        case "Heartbeat":
            return {"currentTime": written(datetime.now(UTC))}
        case "StatusNotification":
            seen.statuses[int(payload["evseId"])] = str(payload["connectorStatus"])
            return {}
        case "Authorize":
            return {"idTokenInfo": {"status": "Accepted"}}
        case "TransactionEvent":
            return _event(seen, payload)
        case "MeterValues" | "NotifyReport" | "NotifyEvent" | "SecurityEventNotification" | "LogStatusNotification":
            return {}
        case "FirmwareStatusNotification" | "NotifyMonitoringReport" | "ReservationStatusUpdate":
            return {}
        case "DataTransfer":
            return {"status": "UnknownVendorId"}
        case _:
            return None


def _event(seen: Seen, payload: Payload) -> Payload:
    kind, found = payload["eventType"], energies2(payload)
    if kind == "Started":
        seen.transaction_id = str(payload["transactionInfo"]["transactionId"])
        seen.meter_start_wh, seen.meter_stop_wh = (found[0] if found else None), None
        seen.started_at, seen.stopped_at = datetime.now(UTC), None
        seen.samples_wh.clear()
    elif kind == "Updated":
        seen.samples_wh += found
    else:
        seen.meter_stop_wh, seen.stopped_at = (found[-1] if found else None), datetime.now(UTC)
        seen.transaction_id = None
    return {"idTokenInfo": {"status": "Accepted"}} if "idToken" in payload else {}


def energies2(payload: Payload) -> list[float]:
    """Return the registers of a TransactionEvent, in Wh."""
    found = []
    for value in payload.get("meterValue", ()):
        for sample in value["sampledValue"]:
            if sample.get("measurand", REGISTER) == REGISTER:
                unit = sample.get("unitOfMeasure", {})
                factor = 10 ** int(unit.get("multiplier", 0)) * (1000 if unit.get("unit") == "kWh" else 1)
                found.append(float(sample["value"]) * factor)
    return found
