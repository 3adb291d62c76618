"""What a frame carries, in one line, in the words of its own fields."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from app.model.frame import Frame, FrameKind
from app.model.masking import mask_secrets
from ui.models.plain import visible

PARSE_LIMIT = 65_536
"""Characters up to which a summary looks into a payload."""

NO_KEYS: frozenset[str] = frozenset()


def summary(frame: Frame, request: Frame | None = None, keys: frozenset[str] = NO_KEYS) -> str:
    """Say in one line what a frame carries, in the words of its own fields. ``keys`` are further secret settings."""
    text = frame.text
    if frame.kind is FrameKind.BROKEN or len(text) > PARSE_LIMIT:
        start = text or (frame.raw or b"")[:300].hex(" ")
        return visible(mask_secrets(start[:PARSE_LIMIT], keys), 300)
    try:
        message = json.loads(mask_secrets(text, keys))
    except (ValueError, RecursionError):
        return visible(mask_secrets(text, keys), 300)
    if frame.kind in (FrameKind.ERROR, FrameKind.RESULT_ERROR) and isinstance(message, list):
        return visible(": ".join(str(part) for part in message[2:4] if part), 300)
    payload = message[-1] if isinstance(message, list) and message else message
    if not isinstance(payload, dict):
        return visible(str(payload), 300)
    if not payload:
        return "no fields"
    parts = _named(frame, payload, request)
    return visible(" · ".join(parts), 300)


def _named(frame: Frame, payload: dict[str, Any], request: Frame | None) -> list[str]:
    special = _SPECIAL.get((frame.action, frame.kind))
    if special is not None:
        parts = [part for part in special(payload) if part]
        if parts:
            return parts
    if frame.action == "ChangeConfiguration" and frame.kind is FrameKind.RESULT and request is not None:
        return [str(payload.get("status", "")), *_asked_key(request)]
    return [_pair(key, value) for key, value in list(payload.items())[:8]]


def _pair(key: str, value: object) -> str:
    if isinstance(value, dict):
        return f"{key} {{{len(value)}}}"
    if isinstance(value, list):
        return f"{key} [{len(value)}]"
    return f"{key} {_word(value)}"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)[:120]


def _asked_key(request: Frame) -> list[str]:
    try:
        payload = json.loads(request.text)[3]
    except (ValueError, RecursionError, IndexError, KeyError, TypeError):
        return []
    return [str(payload.get("key", ""))] if isinstance(payload, dict) else []


def _fields(*keys: str) -> Callable[[dict[str, Any]], list[str]]:
    def pick(payload: dict[str, Any]) -> list[str]:
        return [_word(payload[key]) for key in keys if payload.get(key) not in (None, "")]

    return pick


def _boot(payload: dict[str, Any]) -> list[str]:
    station = payload.get("chargingStation")
    if isinstance(station, dict):
        serial, names = station.get("serialNumber"), _fields("vendorName", "model")(station)
        versions = _fields("firmwareVersion")(station)
        return [" ".join(names), f"serial {serial}" if serial else "", *versions, *_fields("reason")(payload)]
    serial = payload.get("chargePointSerialNumber") or payload.get("chargeBoxSerialNumber")
    names = _fields("chargePointVendor", "chargePointModel")(payload)
    return [" ".join(names), f"serial {serial}" if serial else "", *_fields("firmwareVersion")(payload)]


def _boot_answer(payload: dict[str, Any]) -> list[str]:
    interval = payload.get("interval")
    return [*_fields("status")(payload), f"every {interval} s" if interval is not None else ""]


def _status(payload: dict[str, Any]) -> list[str]:
    error = payload.get("errorCode")
    shown = error if error not in (None, "NoError") else ""
    states = _fields("status", "connectorStatus")(payload)
    return [_place(payload), *states, _word(shown or "")]


def _place(payload: dict[str, Any]) -> str:
    evse = payload.get("evseId")
    connector = f"connector {payload['connectorId']}" if "connectorId" in payload else ""
    return " ".join(part for part in (f"EVSE {evse}" if evse is not None else "", connector) if part) or "connector ?"


def _meter(payload: dict[str, Any]) -> list[str]:
    groups = payload.get("meterValue")
    last = groups[-1] if isinstance(groups, list) and groups else {}
    samples = last.get("sampledValue") if isinstance(last, dict) else None
    if not isinstance(samples, list):
        return []
    shown = [_sample(sample) for sample in samples[:5] if isinstance(sample, dict)]
    more = f"+{len(samples) - 5}" if len(samples) > 5 else ""
    return [_place(payload), *shown, more]


def _sample(sample: dict[str, Any]) -> str:
    name = str(sample.get("measurand", "Energy.Active.Import.Register")).split(".")[0]
    phase = f" {sample['phase']}" if sample.get("phase") else ""
    nested = sample.get("unitOfMeasure")
    unit = sample.get("unit", nested.get("unit", "") if isinstance(nested, dict) else "")
    return f"{name}{phase} {sample.get('value', '?')} {unit}".strip()


def _transaction(payload: dict[str, Any]) -> list[str]:
    info, evse, token = (payload.get(key) for key in ("transactionInfo", "evse", "idToken"))
    session = _fields("transactionId", "chargingState", "stoppedReason")(info) if isinstance(info, dict) else []
    place = f"EVSE {evse.get('id', '?')}" if isinstance(evse, dict) else ""
    tag = f"token {token.get('idToken', '?')}" if isinstance(token, dict) else ""
    meter = _meter(payload)[1:] if isinstance(payload.get("meterValue"), list) else []
    return [*_fields("eventType", "triggerReason")(payload), *session[1:], place, tag, *session[:1], *meter]


def _variables(name: str) -> Callable[[dict[str, Any]], list[str]]:
    def pick(payload: dict[str, Any]) -> list[str]:
        entries = payload.get(name)
        items = [item for item in entries if isinstance(item, dict)] if isinstance(entries, list) else []
        more = f"+{len(items) - 3}" if len(items) > 3 else ""
        return [*(_variable(item) for item in items[:3]), more]

    return pick


def _variable(item: dict[str, Any]) -> str:
    component, variable = item.get("component"), item.get("variable")
    names = [str(part.get("name", "?")) for part in (component, variable) if isinstance(part, dict)]
    value = item.get("attributeValue")
    state = item.get("attributeStatus", "")
    return " ".join(part for part in (".".join(names), f"= {value}" if value is not None else "", str(state)) if part)


def _change(payload: dict[str, Any]) -> list[str]:
    return [f"{payload.get('key', '?')} = {payload.get('value', '')}"]


def _keys(payload: dict[str, Any]) -> list[str]:
    keys = payload.get("key")
    return [", ".join(str(key) for key in keys[:12])] if isinstance(keys, list) and keys else ["all keys"]


def _configuration(payload: dict[str, Any]) -> list[str]:
    known, unknown = payload.get("configurationKey"), payload.get("unknownKey")
    items = known if isinstance(known, list) else []
    shown = [f"{item.get('key')} = {item.get('value', '')}" for item in items[:3] if isinstance(item, dict)]
    more = f"+{len(items) - 3}" if len(items) > 3 else ""
    missing = [str(key)[:50] for key in unknown[:3]] if isinstance(unknown, list) else []
    return [*shown, more, f"unknown: {', '.join(missing)}" if missing else ""]


_SPECIAL: dict[tuple[str, FrameKind], Callable[[dict[str, Any]], list[str]]] = {
    ("BootNotification", FrameKind.CALL): _boot,
    ("BootNotification", FrameKind.RESULT): _boot_answer,
    ("StatusNotification", FrameKind.CALL): _status,
    ("MeterValues", FrameKind.CALL): _meter,
    ("TransactionEvent", FrameKind.CALL): _transaction,
    ("SetVariables", FrameKind.CALL): _variables("setVariableData"),
    ("SetVariables", FrameKind.RESULT): _variables("setVariableResult"),
    ("GetVariables", FrameKind.CALL): _variables("getVariableData"),
    ("GetVariables", FrameKind.RESULT): _variables("getVariableResult"),
    ("ChangeConfiguration", FrameKind.CALL): _change,
    ("GetConfiguration", FrameKind.CALL): _keys,
    ("GetConfiguration", FrameKind.RESULT): _configuration,
}
