"""OCPP 1.6 payloads: read them tolerantly into values, and answer every request by its schema. Pure."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from app.model.frame import Boot
from app.model.reading import Measurand, Reading, Row, Samples, StateChange
from app.ocpp.manner import USUAL, Manner

VERSION = "1.6"
MAX_SAMPLES = 1000
"""Sampled values read from one message."""
MAX_BOOT = 4000
"""Longest BootNotification that is kept whole, in characters; a usual one has 300 [OURS]."""
MAX_TEXT = 500
"""Longest text taken over from a payload field."""
FIRST_YEAR = 2020
"""A charger's clock that says less is not set (commissioning §3: year < 2020)."""

_SCALES: dict[str, tuple[Measurand, dict[str, float]]] = {
    "Energy.Active.Import.Register": (Measurand.ENERGY, {"": 1, "wh": 1, "kwh": 1000, "mwh": 1e6}),
    "Power.Active.Import": (Measurand.POWER, {"": 1, "w": 1, "kw": 1000}),
    "Current.Import": (Measurand.CURRENT, {"": 1, "a": 1, "ma": 0.001}),
    "Current.Offered": (Measurand.CURRENT_OFFERED, {"": 1, "a": 1, "ma": 0.001}),
    "Voltage": (Measurand.VOLTAGE, {"": 1, "v": 1, "mv": 0.001, "kv": 1000}),
    "SoC": (Measurand.SOC, {"": 1, "percent": 1, "%": 1}),
    "Frequency": (Measurand.FREQUENCY, {"": 1, "hz": 1, "hertz": 1}),
}


def answer(
    action: str, now: datetime, *, manner: Manner = USUAL, token_status: str = "Accepted", transaction_id: int | str = 0
) -> dict[str, Any] | None:
    """Return the answer to a charge point's request, ``None`` where a charge point has nothing to ask like that.

    DataTransfer is answered UnknownVendorId (OCPP 1.6 §4.3) and SignCertificate Rejected: who can do better says so
    through ``OcppServer.repliers`` or ``answerers``.
    """
    match action:
        case "BootNotification" | "Heartbeat":
            return greeting(action, now, manner)
        case "Authorize":
            return {"idTagInfo": {"status": known_status(token_status)}}
        case "StartTransaction":
            return {"transactionId": transaction_id, "idTagInfo": {"status": known_status(token_status)}}
        case "DataTransfer":
            return {"status": "UnknownVendorId"}
        case "SignCertificate":
            return {"status": "Rejected"}
        case _:
            return {} if action in _PLAIN else None


def greeting(action: str, now: datetime, manner: Manner) -> dict[str, Any]:
    """Answer BootNotification or Heartbeat, the same in all versions."""
    told = stamp(now + timedelta(seconds=manner.clock_offset_s) if manner.clock_offset_s else now)
    if action == "Heartbeat":
        return {"currentTime": told}
    return {"currentTime": told, "interval": manner.boot_interval_s, "status": manner.boot_status}


def known_status(status: str) -> str:
    """Return an authorisation status as 1.6 can say it: what only 2.x knows is ``Invalid`` (OCPP 1.6 §7.2)."""
    return status if status in _STATUSES else "Invalid"


_STATUSES = frozenset({"Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"})
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
    return at.isoformat(timespec="milliseconds")[:23] + "Z"


def when(text: object, now: datetime) -> tuple[datetime, bool]:
    """Read a time stamp; second value: whether it can be believed. An unbelievable one becomes ``now``."""
    at = moment(text) if isinstance(text, str) else None
    return (at, True) if at is not None and at.year >= FIRST_YEAR else (now, False)


@functools.lru_cache(maxsize=512)
def moment(text: str) -> datetime | None:
    """Read a time stamp as it stands, UTC; without an offset UTC is meant (OCPP 1.6 §3.2.2)."""
    if len(text) > 40:
        return None
    try:
        at = datetime.fromisoformat(text.strip())
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def is_small(payload: Mapping[str, Any]) -> bool:
    """Say whether a Boot may be kept as it came, to recognise it."""
    return len(str(payload)) <= MAX_BOOT


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
    """Turn MeterValues (or a StopTransaction's transactionData) into readings in SI units and UTC."""
    return list(Samples(unit_id, lambda: rows(payload, now, connector)))


def rows(payload: Mapping[str, Any], now: datetime, connector: int | None = None) -> list[Row]:
    """Turn meter values into rows in SI units and UTC.

    What can't be read as a number of a known measurand is left out; nothing is guessed.
    """
    number_ = number(payload.get("connectorId")) if connector is None else connector
    found: list[Row] = []
    for at, sample in samples(payload.get("meterValue") or payload.get("transactionData"), now):
        if sample.get("format") == "SignedData":
            continue
        scale = scale_of(sample.get("measurand"), sample.get("unit"))
        if scale is None or (value := quantity(sample.get("value"))) is None:
            continue
        measurand, factor, offset = scale
        phase = sample.get("phase")
        found.append((measurand, value * factor + offset, at, number_, phase[:10] if type(phase) is str else ""))
    return found


def stamps(payload: Mapping[str, Any]) -> Iterator[str]:
    """Return the time stamps that a message carries: of its meter values, else its own."""
    values = payload.get("meterValue")
    if not isinstance(values, list):
        values = (payload,)
    for value in values[:MAX_SAMPLES]:
        stamp = value.get("timestamp") if isinstance(value, dict) else None
        if isinstance(stamp, str):
            yield stamp


def has_unset_clock(payload: Mapping[str, Any]) -> bool:
    """Say whether a message carries a time stamp before 2020."""
    return any(map(is_unset, stamps(payload)))


def is_unset(stamp: str) -> bool:
    """Say whether a time stamp is of a clock that was never set."""
    return stamp[:2] in ("19", "20") and stamp[:4] < str(FIRST_YEAR)


def number(value: object) -> int:
    """Read a whole number, also from a text; 0 where it is none."""
    try:
        result = int(value) if isinstance(value, int | float | str) else 0
    except (ValueError, OverflowError):
        return 0
    return result if abs(result) < 2**63 else 0


def quantity(value: object) -> float | None:
    """Read a finite number, also from a text with blanks or a decimal comma."""
    if type(value) is not str and (not isinstance(value, int | float) or isinstance(value, bool)):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    except ValueError:
        return _loose_quantity(str(value))
    return result if isfinite(result) else None


def _loose_quantity(text: str) -> float | None:
    if len(text) > 40 or text.count(",") != 1 or "." in text:
        return None
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def text(value: object, limit: int = MAX_TEXT) -> str:
    """Read a text; numbers become text, anything else an empty one."""
    if isinstance(value, str):
        return value[:limit]
    return str(value)[:limit] if isinstance(value, int | float) else ""


def samples(values: object, now: datetime) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """Return the sampled values of meter values with their times."""
    left = MAX_SAMPLES
    for value in values if isinstance(values, list) else ():
        sampled = value.get("sampledValue") if isinstance(value, dict) else None
        if not isinstance(sampled, list):
            continue
        at, _ = when(value.get("timestamp"), now)
        for sample in sampled[:left]:
            if isinstance(sample, dict):
                yield at, sample
        left -= min(left, len(sampled))


def scale_of(name: object, unit: object) -> tuple[Measurand, float, float] | None:
    """Return measurand, factor and offset that bring a value to SI units; ``None`` for what is not understood."""
    name, unit = name or "Energy.Active.Import.Register", unit or ""
    if type(name) is not str or type(unit) is not str or len(name) + len(unit) > 80:
        return None
    return _scale(name, unit)


@functools.lru_cache(maxsize=256)
def _scale(name: str, unit: str) -> tuple[Measurand, float, float] | None:
    unit = unit.strip().lower()
    if name == "Temperature":
        # Both spellings of Celsius occur: the OCA schema itself had "Celcius" (J16 errata 2.1).
        factor, offset = {"k": (1.0, -273.15), "fahrenheit": (1 / 1.8, -32 / 1.8)}.get(unit, (1.0, 0.0))
        return Measurand.TEMPERATURE, factor, offset
    measurand, factors = _SCALES.get(name, (None, {}))
    return (measurand, factors[unit], 0.0) if measurand is not None and unit in factors else None
