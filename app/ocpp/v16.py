"""OCPP 1.6 payloads: read them tolerantly into values, and answer every request by its schema. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from app.model.frame import Boot
from app.model.reading import Measurand, Reading, StateChange

VERSION = "1.6"
MAX_SAMPLES = 1000
"""Sampled values read from one message."""
MAX_TEXT = 500
"""Longest text taken over from a payload field."""
FIRST_YEAR = 2020
"""A charger's clock that says less is not set (commissioning §3: year < 2020)."""

BOOT_INTERVAL_S = 300
"""Heartbeat interval we hand out (commissioning §4: 300 s default)."""

_SCALES: dict[str, tuple[Measurand, dict[str, float]]] = {
    "Energy.Active.Import.Register": (Measurand.ENERGY, {"": 1, "wh": 1, "kwh": 1000, "mwh": 1e6}),
    "Power.Active.Import": (Measurand.POWER, {"": 1, "w": 1, "kw": 1000}),
    "Current.Import": (Measurand.CURRENT, {"": 1, "a": 1, "ma": 0.001}),
    "Current.Offered": (Measurand.CURRENT_OFFERED, {"": 1, "a": 1, "ma": 0.001}),
    "Voltage": (Measurand.VOLTAGE, {"": 1, "v": 1, "mv": 0.001, "kv": 1000}),
    "SoC": (Measurand.SOC, {"": 1, "percent": 1, "%": 1}),
    "Frequency": (Measurand.FREQUENCY, {"": 1, "hz": 1, "hertz": 1}),
}


def answer(action: str, now: datetime, *, transaction_id: int = 0) -> dict[str, Any] | None:
    """Return the answer to a charge point's request, ``None`` where a charge point has nothing to ask like that.

    DataTransfer is answered UnknownVendorId (OCPP 1.6 §4.3) and SignCertificate Rejected, since we hold no CA yet.
    """
    match action:
        case "BootNotification":
            return {"currentTime": stamp(now), "interval": BOOT_INTERVAL_S, "status": "Accepted"}
        case "Heartbeat":
            return {"currentTime": stamp(now)}
        case "Authorize":
            return {"idTagInfo": {"status": "Accepted"}}
        case "StartTransaction":
            return {"transactionId": transaction_id, "idTagInfo": {"status": "Accepted"}}
        case "DataTransfer":
            return {"status": "UnknownVendorId"}
        case "SignCertificate":
            return {"status": "Rejected"}
        case _:
            return {} if action in _PLAIN else None


_PLAIN = frozenset(
    {
        "MeterValues",
        "StatusNotification",
        "StopTransaction",
        "FirmwareStatusNotification",
        "DiagnosticsStatusNotification",
        "SecurityEventNotification",
        "LogStatusNotification",
        "SignedFirmwareStatusNotification",
    }
)


def stamp(at: datetime) -> str:
    """Write a UTC time as OCPP 1.6 §3.2.2 wants it: ``2026-11-22T13:00:00.000Z``."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def when(text: object, now: datetime) -> tuple[datetime, bool]:
    """Read a time stamp; second value: whether it can be believed. An unbelievable one becomes ``now``."""
    if not isinstance(text, str) or len(text) > 40:
        return now, False
    try:
        at = datetime.fromisoformat(text.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return now, False
    return (at, True) if at.year >= FIRST_YEAR else (now, False)


def boot(payload: Mapping[str, Any], at: datetime) -> Boot:
    """Read a BootNotification. The charge box serial stands in where there is no charge point serial."""
    fields = {
        str(key)[:50]: text(value) for key, value in list(payload.items())[:32] if not isinstance(value, dict | list)
    }
    return Boot(
        vendor=fields.get("chargePointVendor", ""),
        model=fields.get("chargePointModel", ""),
        serial=fields.get("chargePointSerialNumber", "") or fields.get("chargeBoxSerialNumber", ""),
        firmware=fields.get("firmwareVersion", ""),
        at=at,
        fields=fields,
    )


def status(payload: Mapping[str, Any], unit_id: str, now: datetime) -> StateChange:
    """Read a StatusNotification; ``NoError`` becomes an empty error."""
    error = text(payload.get("errorCode"))
    detail = " ".join(part for part in (text(payload.get("info")), text(payload.get("vendorErrorCode"))) if part)
    return StateChange(
        unit_id=unit_id,
        connector=number(payload.get("connectorId")),
        state=text(payload.get("status"), 50),
        at=when(payload.get("timestamp"), now)[0],
        error="" if error == "NoError" else error[:50],
        detail=detail,
    )


def readings(payload: Mapping[str, Any], unit_id: str, now: datetime, *, connector: int | None = None) -> list[Reading]:
    """Turn MeterValues (or a StopTransaction's transactionData) into readings in SI units and UTC.

    What can't be read as a number of a known measurand is left out; nothing is guessed.
    """
    number_ = number(payload.get("connectorId")) if connector is None else connector
    found = []
    for at, sample in _samples(payload, now):
        name = sample.get("measurand") or "Energy.Active.Import.Register"
        scaled = _scaled(name, sample) if isinstance(name, str) else None
        if scaled is None:
            continue
        measurand, value = scaled
        phase = text(sample.get("phase"), 10)
        found.append(Reading(unit_id=unit_id, measurand=measurand, value=value, at=at, connector=number_, phase=phase))
    return found


def has_unset_clock(payload: Mapping[str, Any], now: datetime) -> bool:
    """Say whether a message carries a time stamp before 2020."""
    stamps = [payload.get("timestamp")]
    values = payload.get("meterValue")
    if isinstance(values, list):
        stamps += [value.get("timestamp") for value in values[:MAX_SAMPLES] if isinstance(value, dict)]
    return any(isinstance(item, str) and not when(item, now)[1] and item[:2] in ("19", "20") for item in stamps)


def number(value: object) -> int:
    """Read a whole number, also from a text; 0 where it is none."""
    try:
        result = int(value) if isinstance(value, int | float | str) else 0
    except (ValueError, OverflowError):
        return 0
    return result if abs(result) < 2**63 else 0


def quantity(value: object) -> float | None:
    """Read a finite number, also from a text with blanks or a decimal comma."""
    if isinstance(value, str) and len(value) <= 40:
        value = value.strip().replace(",", ".") if value.count(",") == 1 and "." not in value else value.strip()
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def text(value: object, limit: int = MAX_TEXT) -> str:
    """Read a text; numbers become text, anything else an empty one."""
    if isinstance(value, str):
        return value[:limit]
    return str(value)[:limit] if isinstance(value, int | float) else ""


def _samples(payload: Mapping[str, Any], now: datetime) -> Iterator[tuple[datetime, dict[str, Any]]]:
    left = MAX_SAMPLES
    values = payload.get("meterValue") or payload.get("transactionData")
    for value in values if isinstance(values, list) else ():
        if not isinstance(value, dict):
            continue
        at, _ = when(value.get("timestamp"), now)
        samples = value.get("sampledValue")
        for sample in samples if isinstance(samples, list) else ():
            if left <= 0:
                return
            left -= 1
            if isinstance(sample, dict) and sample.get("format") != "SignedData":
                yield at, sample


def _scaled(name: str, sample: dict[str, Any]) -> tuple[Measurand, float] | None:
    value = quantity(sample.get("value"))
    if value is None:
        return None
    unit = text(sample.get("unit"), 20).strip().lower()
    if name == "Temperature":
        return Measurand.TEMPERATURE, _celsius(value, unit)
    known = _SCALES.get(name)
    if known is None:
        return None
    measurand, scales = known
    scale = scales.get(unit)
    return None if scale is None else (measurand, value * scale)


def _celsius(value: float, unit: str) -> float:
    # Both spellings occur: the OCA schema itself had "Celcius" (J16 errata 2.1).
    if unit in ("k", "kelvin"):
        return value - 273.15
    return (value - 32) / 1.8 if unit == "fahrenheit" else value
