"""Change a setting from the console as safely as from the charger's page: with a backup and a way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from app.driver.capability import WritesSettings
from app.errors import AppError
from app.model.address import OcppAddress
from app.model.masking import SECRET_KEYS
from app.model.setting import Change
from app.model.unit import Unit
from app.ocpp.devicemodel import name_of
from app.ocpp.masking import is_secret_key
from ui.dialogs import Button, ask
from ui.i18n import translate

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.workbench import Workbench

ACTIONS = ("ChangeConfiguration", "SetVariables")


def unit_of(bench: Workbench, identity: str) -> Unit | None:
    """Return the charger that dials in under this identity, if it is a known one."""
    return bench.finder.at(OcppAddress(identity=identity))


def driver_of(unit: Unit, identity: str) -> str:
    """Return the driver that reaches a charger over its connection to our endpoint."""
    address = OcppAddress(identity=identity)
    return next((way.driver_id for way in unit.ways if way.address == address), "")


def written(action: str, made: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return key and value if this is one setting with its value, as the standard has it."""
    if action == "ChangeConfiguration":
        is_plain = set(made) == {"key", "value"} and all(isinstance(item, str) for item in made.values())
        return (made["key"], made["value"]) if is_plain else None
    if action == "SetVariables" and set(made) == {"setVariableData"}:
        return _one_variable(made["setVariableData"])
    return None


async def change(
    bench: Workbench, unit: Unit, identity: str, key: str, value: str, secret_keys: Iterable[str]
) -> dict[str, Any]:
    """Write one setting over the charger's connection to our endpoint; return status and what was read back.

    Raises JobError or NotSupported where no backup can be made (then nothing was sent), Refused, LinkError.
    """
    lowered = key.lower()
    is_secret = is_secret_key(key) or lowered in SECRET_KEYS | {name.lower() for name in secret_keys}
    wanted = Change(key=key, before=None, after=value, is_secret=is_secret, reason="sent from the console")
    driver_id = driver_of(unit, identity)
    async with bench.open(unit.unit_id, capability=WritesSettings, driver_id=driver_id) as session:
        result = await bench.edit(unit.unit_id, session, wanted)
    status = "RebootRequired" if result.needs_restart else "Accepted" if result.is_accepted else "Rejected"
    return {"status": status, "readBack": {"key": key, "value": result.read_back}}


async def is_wanted_bare(parent: QWidget, error: AppError) -> bool:
    """Ask whether to send it although no backup can be made."""
    text = translate(
        "{why}\n\nSend it all the same? The old value is then not kept, and there is no way back.", "Console"
    )
    buttons = (
        Button(key="close", text=translate("Cancel", "Console")),
        Button(key="bare", text=translate("Send without a backup", "Console"), role="danger"),
    )
    title = translate("No backup can be made", "Console")
    why = f"{error.message} {error.advice}".strip()
    answer = await ask(parent, title, text.format(why=why), buttons, icon_name="triangle-alert", tone="attention")
    return answer == "bare"


def _one_variable(entries: object) -> tuple[str, str] | None:
    if not isinstance(entries, list) or len(entries) != 1 or not isinstance(entries[0], dict):
        return None
    entry, name = entries[0], name_of(entries[0])
    is_plain = set(entry) <= {"component", "variable", "attributeValue", "attributeType"}
    if name is None or not is_plain or entry.get("attributeType", "Actual") != "Actual":
        return None
    value = entry.get("attributeValue")
    return (name.text, value) if isinstance(value, str) and name.selector == _selector(entry) else None


def _selector(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"component": entry["component"], "variable": entry["variable"]}
