"""Requests that write a setting, recognised and sent with the promises of an edit: backup, way back, read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from app.driver.capability import WriteResult, WritesSettings
from app.driver.session import Session
from app.model.address import OcppAddress
from app.model.masking import SECRET_KEYS
from app.model.setting import Change
from app.model.unit import Unit
from app.ocpp.devicemodel import name_of
from app.ocpp.masking import is_secret_key


class Bench(Protocol):
    """The workbench, as far as an edit needs it."""

    def open(
        self, unit_id: str, *, capability: type | None = None, driver_id: str = ""
    ) -> AbstractAsyncContextManager[Session]:
        """Open a session; raises LinkError, NotSupported."""
        ...

    async def edit(self, unit_id: str, session: Session, change: Change) -> WriteResult:
        """Write one value by hand."""
        ...


def driver_of(unit: Unit, identity: str) -> str:
    """Return the driver that reaches a charger over its connection to our endpoint."""
    address = OcppAddress(identity=identity)
    return next((way.driver_id for way in unit.ways if way.address == address), "")


def written(action: str, made: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return key and value if this request writes one setting, as the standard has it."""
    if action == "ChangeConfiguration":
        is_plain = set(made) == {"key", "value"} and all(isinstance(item, str) for item in made.values())
        return (made["key"], made["value"]) if is_plain else None
    if action == "SetVariables" and set(made) == {"setVariableData"}:
        return _one_variable(made["setVariableData"])
    return None


async def change(
    bench: Bench, unit: Unit, identity: str, key: str, value: str, secret_keys: Iterable[str] = ()
) -> dict[str, Any]:
    """Write one setting over the charger's connection to our endpoint; return status and what was read back.

    Raises JobError or NotSupported where no backup can be made (then nothing was sent), Refused, LinkError.
    """
    is_secret = is_secret_key(key) or key.lower() in SECRET_KEYS | {name.lower() for name in secret_keys}
    wanted = Change(key=key, before=None, after=value, is_secret=is_secret, reason="sent from the console")
    driver_id = driver_of(unit, identity)
    async with bench.open(unit.unit_id, capability=WritesSettings, driver_id=driver_id) as session:
        result = await bench.edit(unit.unit_id, session, wanted)
    status = "RebootRequired" if result.needs_restart else "Accepted" if result.is_accepted else "Rejected"
    return {"status": status, "readBack": {"key": key, "value": result.read_back}}


def _one_variable(entries: object) -> tuple[str, str] | None:
    if not isinstance(entries, list) or len(entries) != 1 or not isinstance(entries[0], dict):
        return None
    entry, name = entries[0], name_of(entries[0])
    is_plain = set(entry) <= {"component", "variable", "attributeValue", "attributeType"}
    if name is None or not is_plain or entry.get("attributeType", "Actual") != "Actual":
        return None
    value = entry.get("attributeValue")
    is_whole = name.selector == {"component": entry["component"], "variable": entry["variable"]}
    return (name.text, value) if isinstance(value, str) and is_whole else None
