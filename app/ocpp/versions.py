"""Tell by a message alone which OCPP version it is of. Pure."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from app.ocpp import schema


class Proof(NamedTuple):
    """A message that is of another version: which, and by what."""

    version: str
    proof: str


def spoken_instead(version: str, action: str, payload: Mapping[str, Any], *, is_send: bool = False) -> Proof | None:
    """Say which other version a message is of, ``None`` where it may be of this one.

    Only names count: an action, or a field of a message that obeys the other version's schema, which this version does
    not have. A wrong value is a mistake, no other version.
    """
    if is_send and version != "2.1":
        return Proof("2.1", f"{action} came as SEND (type 6)")
    if action not in schema.actions(version):
        other = next((item for item in schema.FOLDERS if action in schema.actions(item)), None)
        return None if other is None else Proof(other, f"OCPP {version} has no action {action}")
    fields = _fields(version, action)
    strange = next((str(name) for name in payload if name not in fields), None)
    if strange is None:
        return None
    for other in schema.FOLDERS:
        if other != version and schema.is_valid(other, action, dict(payload), is_request=True):
            return Proof(other, f"the field {strange[:50]} of {action} is of OCPP {other}")
    return None


def is_agreed(subprotocol: str) -> bool:
    """Say whether a chosen subprotocol names a version; “ocpp” alone, as some units offer it, does not."""
    return subprotocol.lower() not in ("", "ocpp")


@functools.lru_cache(maxsize=256)
def _fields(version: str, action: str) -> frozenset[str]:
    found = schema.document(version, action, True) or {}
    return frozenset(found.get("properties", ()))
