"""Check payloads against the JSON schemas that the ``ocpp`` package carries. A violation is told, never punished.

Validators are built when an action is first seen (0.3 ms each) and kept. The files are read without importing the
package's modules (124 ms each, measured part 3.3).
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Iterable
from typing import Any

import jsonschema_rs
import orjson

from app.model.finding import Evidence, Finding, Severity
from app.ocpp.masking import CARRIERS

FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}
"""OCPP version → folder of the ``ocpp`` package."""

MAX_VIOLATIONS = 8
"""Violations listed per message."""

_ACTION = re.compile(r"[A-Za-z0-9]{1,64}\Z")


@functools.cache
def actions(version: str) -> frozenset[str]:
    """List the actions the standard knows in that version."""
    names = {entry.name.removesuffix(".json") for entry in _folder(version).iterdir() if entry.name.endswith(".json")}
    requests = names - {name for name in names if name.endswith("Response") and name != "Response"}
    return frozenset(name.removesuffix("Request") for name in requests)


@functools.lru_cache(maxsize=512)
def validator(version: str, action: str, is_request: bool) -> Any:
    """Return the compiled validator of a message, or ``None`` where the standard has no such message."""
    found = document(version, action, is_request)
    if found is None:
        return None
    # What is wrong with a message that may carry a password is told without the value.
    return jsonschema_rs.validator_for(found, mask="the value" if action in CARRIERS else None)


def document(version: str, action: str, is_request: bool) -> dict[str, Any] | None:
    """Return the schema of a message as it stands in the package, or ``None`` where there is no such message."""
    if version not in FOLDERS or not _ACTION.match(action) or action not in actions(version):
        return None
    # NotifyPeriodicEventStream is a SEND: its file has no suffix in 2.1 either.
    suffixes = ("", "Request") if is_request else ("Response",)
    files = (_folder(version) / f"{action}{suffix}.json" for suffix in suffixes)
    file = next((file for file in files if file.is_file()), None)
    return None if file is None else orjson.loads(file.read_bytes().removeprefix(b"\xef\xbb\xbf"))


def is_valid(version: str, action: str, payload: dict[str, Any], *, is_request: bool) -> bool:
    """Say whether a payload obeys its schema; an unknown action has none and is never valid."""
    check = validator(version, action, is_request)
    if check is None:
        return False
    try:
        return bool(check.is_valid(payload))
    except ValueError:
        return False


def violations(version: str, action: str, payload: dict[str, Any], *, is_request: bool) -> list[str]:
    """Name what breaks the schema, as ``field: what is wrong``; at most ``MAX_VIOLATIONS``."""
    check = validator(version, action, is_request)
    if check is None:
        return [f"{action[:64]}: OCPP {version} has no such message"]
    try:
        return [_told(error) for error in _some(check.iter_errors(payload))]
    except ValueError as error:
        return [str(error)[:200]]


def error_of(version: str, action: str, payload: dict[str, Any], *, is_request: bool = True) -> tuple[str, str]:
    """Return the CALLERROR code (J201 §4.3) that a payload deserves, and what is wrong with it."""
    check = validator(version, action, is_request)
    error = None if check is None else next(iter(check.iter_errors(payload)), None)
    if error is None:
        return "FormatViolation", ""
    return _CODES.get(type(error.kind).__name__.rpartition("_")[2], "PropertyConstraintViolation"), _told(error)


_CODES = {
    "Required": "OccurrenceConstraintViolation",
    "MinItems": "OccurrenceConstraintViolation",
    "MaxItems": "OccurrenceConstraintViolation",
    "Type": "TypeConstraintViolation",
    "AdditionalProperties": "FormatViolation",
}


def findings(version: str, action: str, payload: dict[str, Any], *, is_request: bool) -> tuple[Finding, ...]:
    """Return one finding (BOOT-SCHEMA or SCHEMA) if the payload breaks its schema."""
    if is_valid(version, action, payload, is_request=is_request):
        return ()
    faults = violations(version, action, payload, is_request=is_request)
    is_boot = action == "BootNotification" and is_request
    kind = "request" if is_request else "answer"
    return (
        Finding(
            code="BOOT-SCHEMA" if is_boot else "SCHEMA",
            severity=Severity.WARNING if is_boot else Severity.INFO,
            evidence=tuple(Evidence(label=f"{action} {kind}", text=fault) for fault in faults),
            details={"action": action, "faults": "; ".join(faults), "version": version},
        ),
    )


def _folder(version: str) -> Any:
    return importlib.resources.files("ocpp") / FOLDERS[version] / "schemas"


def _some(errors: Iterable[Any]) -> Iterable[Any]:
    return (error for error, _ in zip(errors, range(MAX_VIOLATIONS), strict=False))


def _told(error: Any) -> str:
    where = ".".join(str(part) for part in error.instance_path)
    message = str(error.message)
    return f"{where[:120] or 'message'}: {message[:240]}"
