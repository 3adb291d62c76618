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
from ui.dialogs import Button, ask
from ui.i18n import translate

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.workbench import Workbench

ACTION = "ChangeConfiguration"


def unit_of(bench: Workbench, identity: str) -> Unit | None:
    """Return the charger that dials in under this identity, if it is a known one."""
    return bench.finder.at(OcppAddress(identity=identity))


def is_change(action: str, made: Mapping[str, Any]) -> bool:
    """Say whether this is one setting with its value, as the standard has it."""
    return action == ACTION and set(made) == {"key", "value"} and all(isinstance(item, str) for item in made.values())


async def change(
    bench: Workbench, unit: Unit, identity: str, made: Mapping[str, str], secret_keys: Iterable[str]
) -> dict[str, Any]:
    """Write one setting over the charger's connection to our endpoint; return status and what was read back.

    Raises JobError or NotSupported where no backup can be made (then nothing was sent), Refused, LinkError.
    """
    address, key = OcppAddress(identity=identity), made["key"]
    driver_id = next((way.driver_id for way in unit.ways if way.address == address), "")
    is_secret = key.lower() in SECRET_KEYS | {name.lower() for name in secret_keys}
    wanted = Change(key=key, before=None, after=made["value"], is_secret=is_secret, reason="sent from the console")
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
