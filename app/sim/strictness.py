"""How a simulated station reads its orders: strictly by the schema, with the error codes of its version."""

from __future__ import annotations

from typing import Any

from app.ocpp import schema
from app.sim.answers import Refusal

SPELT_16 = {
    "OccurrenceConstraintViolation": "OccurenceConstraintViolation",
    "FormatViolation": "FormationViolation",
}
"""Error codes that OCPP-J 1.6 §4.2.3 spells otherwise than 2.x does."""


def must_obey(version: str, action: str, payload: dict[str, Any]) -> None:
    """Raise Refusal where an order breaks its schema; an action without one passes."""
    if schema.validator(version, action, True) is None or schema.is_valid(version, action, payload, is_request=True):
        return
    code, text = schema.error_of(version, action, payload)
    raise Refusal(SPELT_16.get(code, code) if version == "1.6" else code, text[:255])
