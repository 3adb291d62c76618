"""Stand in for a backend that betrayed itself: ask first, start what its askers want next, tell who lands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from app.model.garage import Landing, OldBackendState, Saved, Stand
from ui import icons
from ui.dialogs import Button, ask
from ui.models.garage import (
    NEXT,
    Kin,
    host_named,
    kin_of,
    landed_text,
    saved_text,
    set_of,
    standing_in,
    standing_text,
    trouble_text,
)
from ui.models.plain import visible
from ui.tasks import Tasks
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_look, set_role
from ui.widgets.elided import ElidedLabel
from ui.widgets.frameview import plain_label

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.workbench import Workbench


class OldAddress(QWidget):
    """What the technician may know of the old backend: the whole address, and that who lands is to be saved."""

    def __init__(self, name: str, *, is_saving: bool) -> None:
        super().__init__()
        self._name = name
        self.address = QLineEdit(self)
        self.address.setAccessibleName(self.tr("The address in the charger, if you know it"))
        self.address.setPlaceholderText(f"ws://{visible(name, 80)}:8887/ocpp")
        self.address.setMaxLength(400)
        set_role(self.address, "mono")
        label = QLabel(self.address.accessibleName(), self)
        label.setBuddy(self.address)
        hint = plain_label(self, "caption", is_wrapped=True)
        hint.setText(self.tr("It names the port to open. Without it, the usual ones are opened: 80 and 443."))
        self.saves = QCheckBox(self.tr("Save the settings of every charger that lands, once"), self)
        self.saves.setChecked(is_saving)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, SPACE_8, 0, 0)
        column.setSpacing(SPACE_4)
        for widget in (label, self.address, hint, self.saves):
            column.addWidget(widget)

    @property
    def dialled(self) -> str:
        """Return the address, or the name alone where none was typed."""
        return self.address.text().strip() or self._name


class StandInBar(QFrame):
    """Whom we stand in for, over which ports, and who landed last; hidden while it is nobody."""

    charger_wanted = Signal(str)

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self._identity = ""
        set_role(self, "banner", tone="working")
        self.words = ElidedLabel(self)
        self.landed = plain_label(self, "caption", is_wrapped=True)
        self.landed.hide()
        self.show_charger = QPushButton(self.tr("Show it on the endpoint"), self)
        self.show_charger.clicked.connect(self._want_charger)
        self.show_charger.hide()
        self.stop = QPushButton(self.tr("Stand in no more"), self)
        icons.dress(self.stop, "square", "text2")
        self.stop.clicked.connect(self._stop)
        texts = QVBoxLayout()
        texts.setSpacing(0)
        texts.addWidget(self.words)
        texts.addWidget(self.landed)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_12, SPACE_4, SPACE_8, SPACE_4)
        row.setSpacing(SPACE_8)
        row.addLayout(texts, 1)
        row.addWidget(self.show_charger)
        row.addWidget(self.stop)
        self.show_state(bench.old_backend.names.state)

    def show_state(self, state: OldBackendState) -> None:
        """Show whom we stand in for, and which port could not be opened."""
        self.setVisible(state.is_on)
        trouble = trouble_text(state)
        set_look(self, tone="attention" if trouble else "working")
        self.words.show_text(standing_text(state))
        if trouble:
            self._say(trouble)

    def show_landing(self, landing: Landing) -> None:
        """Show who came by an old name."""
        self._identity = "" if landing.refusal else landing.identity
        self.show_charger.setVisible(bool(self._identity))
        set_look(self, tone="attention" if landing.refusal else "good")
        self._say(landed_text(landing))

    def show_saved(self, saved: Saved) -> None:
        """Show what became of saving one."""
        self._say(saved_text(saved))

    def _say(self, text: str) -> None:
        self.landed.setText(text)
        self.landed.setVisible(bool(text))

    def _want_charger(self) -> None:
        self.charger_wanted.emit(self._identity)

    def _stop(self) -> None:
        self._tasks.start_once("stand in no more", self._stopped(), busy=self.stop)

    async def _stopped(self) -> None:
        self._bench.old_backend.saver.switch(is_on=False)
        await self._bench.old_backend.names.stop()
        self._identity = ""
        self.show_charger.hide()
        self._say("")


async def stand_in(bench: Workbench, parent: QWidget, name: str, host: str, start: Callable[[Stand], None]) -> bool:
    """Ask, then answer the name and start what its askers want next; say whether it was wanted. Raises AppError.

    ``host`` is the address the names lead to; ``start`` starts a service on the adapter chosen for it.
    """
    garage, desk = bench.garage, bench.old_backend
    kin = kin_of(set_of(garage.book, name))
    detail = OldAddress(name, is_saving=desk.saver.is_on) if kin is Kin.OCPP else None
    buttons = (
        Button(key="yes", text=parent.tr("Stand in"), role="primary"),
        Button(key="", text=parent.tr("Leave it")),
    )
    title = parent.tr("Stand in for {name}?").format(name=visible(name, 80))
    words = consequences(bench, parent, name, host)
    if await ask(parent, title, words, buttons, icon_name="waypoints", detail=detail) != "yes":
        return False
    dialled, saves = (detail.dialled, detail.saves.isChecked()) if detail is not None else (name, False)
    wish = standing_in(garage.book, garage.choice, name)
    garage.choose(wish.sets, names=wish.names, refused=wish.refused, forward_to=wish.forward_to)
    if kin is Kin.OCPP:
        await desk.names.start([dialled])
        desk.saver.switch(is_on=saves)
        return True
    if kin is Kin.JUICEBOX and bench.juice.peer is None:
        await bench.juice.start(host)
    for stand in (Stand.DNS, Stand.NTP if kin is Kin.TIME else Stand.WEB):
        start(stand)
    return True


def consequences(bench: Workbench, parent: QWidget, name: str, host: str) -> str:
    """Say what standing in for a name will do."""
    book = bench.garage.book
    known, found = host_named(book, name), set_of(book, name)
    leads = parent.tr("Whoever asks this computer for {name} gets {address}.")
    parts = [leads.format(name=visible(name, 80), address=host)]
    if found is not None:
        used = parent.tr("The ready set “{title}” is used: {note}")
        parts.append(used.format(title=found.title, note=found.note))
    parts.append(parent.tr(NEXT[kin_of(found)]))
    if known is not None and known.state.value == "live":
        parts.append(parent.tr("Somebody still runs this service: do it on the owner's order only."))
    return "\n\n".join(parts)
