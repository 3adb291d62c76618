"""Change a setting from the console as safely as from the charger's page: with a backup and a way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.errors import AppError
from app.model.address import OcppAddress
from app.model.unit import Unit
from ui.dialogs import Button, ask
from ui.i18n import translate

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.workbench import Workbench


def unit_of(bench: Workbench, identity: str) -> Unit | None:
    """Return the charger that dials in under this identity, if it is a known one."""
    return bench.finder.at(OcppAddress(identity=identity))


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
