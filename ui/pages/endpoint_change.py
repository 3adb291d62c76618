"""Change a setting from the console as safely as from the charger's page: with a backup and a way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.errors import AppError
from app.model.address import OcppAddress
from app.model.setting import Change
from app.model.unit import Unit
from ui.dialogs import Button, ask
from ui.i18n import translate
from ui.models.plain import visible

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


MOST_NAMED = 12


async def are_wanted(parent: QWidget, changes: Sequence[Change]) -> bool:
    """Ask whether several settings are to be written, with what each was and becomes."""
    named = [
        f"{visible(change.key, 60)}: {visible(change.before or '–', 60)} → {visible(change.after, 100)}"
        for change in changes[:MOST_NAMED]
    ]
    more = len(changes) - MOST_NAMED
    if more > 0:
        named.append(translate("and {count} more", "Console").format(count=more))
    text = translate("{list}\n\nEach is kept with its old value and read back; you can undo it.", "Console")
    buttons = (
        Button(key="no", text=translate("Leave it", "Console")),
        Button(key="yes", text=translate("Set them", "Console"), role="primary"),
    )
    title = translate("Set {count} values?", "Console").format(count=len(changes))
    words = text.format(list="\n".join(named))
    return await ask(parent, title, words, buttons, icon_name="sliders-horizontal", tone="attention") == "yes"
