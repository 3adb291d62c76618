"""One stand-in service: what it does, the adapter it is bound to, start and stop, and why it can't."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.errors import AppError, PortInUse
from app.model.frame import Adapter
from app.model.garage import Stand, StandState
from ui import icons
from ui.dialogs import Button, ask
from ui.doors import is_alive
from ui.models.garage import SERVICES, bindable, count_text, lacks_right, place_text, service_title
from ui.models.plain import visible
from ui.tasks import Tasks
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_role
from ui.widgets.chip import Chip
from ui.widgets.elided import ElidedLabel
from ui.widgets.flow import Flow
from ui.widgets.frameview import plain_label

if TYPE_CHECKING:
    from app.workbench import Workbench


class ServiceCard(QFrame):
    """``rights_wanted`` and ``router_wanted`` ask for the ways on; ``host_chosen`` tells of another adapter."""

    rights_wanted = Signal(object)
    router_wanted = Signal()
    host_chosen = Signal(str)

    def __init__(self, bench: Workbench, tasks: Tasks, stand: Stand, parent: QWidget) -> None:
        super().__init__(parent)
        self.stand = stand
        self._bench = bench
        self._tasks = tasks
        self._adapters: list[Adapter] | None = None
        self._problem: tuple[str, str] | None = None
        set_role(self, "card")
        self.setAccessibleName(service_title(stand))
        self._build()
        self.refresh_adapters()
        self.show_state(bench.garage.states[stand])

    def _build(self) -> None:
        words = SERVICES[self.stand]
        picture = QLabel(self)
        icons.dress(picture, words.icon, "text2", 20)
        title = plain_label(self, "strong")
        title.setText(self.tr(words.title))
        self.state = Chip("", "idle", parent=self)
        what = plain_label(self, "caption", is_wrapped=True)
        what.setText(self.tr(words.what))
        self.adapter = QComboBox(self)
        self.adapter.setAccessibleName(self.tr("Network adapter for {service}").format(service=title.text()))
        self.adapter.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.adapter.setMinimumContentsLength(8)
        self.adapter.setMinimumWidth(110)
        self.adapter.setPlaceholderText(self.tr("Choose the cable"))
        self.adapter.activated.connect(self._chosen)
        self.switch = QPushButton(self)
        self.switch.clicked.connect(self._switch)
        self.about = ElidedLabel(self)
        set_role(self.about, "caption")
        head = _row(picture, title)
        head.addStretch(1)
        head.addWidget(self.state)
        act = QHBoxLayout()
        act.setSpacing(SPACE_8)
        act.addWidget(self.adapter, 1)
        act.addWidget(self.switch)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_8)
        column.setSpacing(SPACE_4)
        column.addLayout(head)
        column.addWidget(what)
        column.addLayout(act)
        column.addWidget(self.about)
        self._add_trouble(column)
        column.addStretch(1)

    def _add_trouble(self, column: QVBoxLayout) -> None:
        self.trouble = plain_label(self, "", is_wrapped=True)
        self.trouble.setProperty("tone", "fault")
        self.rights = QPushButton(self.tr("How to allow it"), self)
        self.rights.clicked.connect(self._want_rights)
        self.router = QPushButton(self.tr("On the site's router"), self)
        self.router.clicked.connect(self.router_wanted)
        ways = Flow()
        ways.addWidget(self.rights)
        ways.addWidget(self.router)
        column.addWidget(self.trouble)
        column.addLayout(ways)
        for widget in (self.trouble, self.rights, self.router):
            widget.hide()

    # State

    @property
    def host(self) -> str:
        """Return the chosen adapter's address; empty while none is chosen."""
        return str(self.adapter.currentData() or "")

    @property
    def is_starting(self) -> bool:
        """Say whether it is being started."""
        return self._tasks.is_running(self._task)

    @property
    def _task(self) -> str:
        return f"start {self.stand.value}"

    def refresh_adapters(self) -> None:
        """Read the adapters again; what is chosen stays chosen."""
        adapters = bindable(self._bench.adapters(), self.stand)
        if adapters == self._adapters:
            return
        # DHCP has no adapter of its own accord: the best one is the one of the site's network.
        usual = "" if self.stand is Stand.DHCP else self._bench.adapter_address
        wanted = self.host or self._bench.garage.states[self.stand].host or usual
        self._adapters = adapters
        with QSignalBlocker(self.adapter):
            self.adapter.clear()
            for adapter in adapters:
                self.adapter.addItem(visible(adapter.title, 80), adapter.address)
                self.adapter.setItemData(self.adapter.count() - 1, visible(adapter.title), Qt.ItemDataRole.ToolTipRole)
            self.adapter.setCurrentIndex(self.adapter.findData(wanted))
        self.show_state(self._bench.garage.states[self.stand])

    def choose_host(self, host: str) -> None:
        """Take another card's adapter, while this one is off."""
        index = self.adapter.findData(host)
        if index >= 0 and not self._bench.garage.states[self.stand].is_on and not self.is_starting:
            self.adapter.setCurrentIndex(index)
            self.show_state(self._bench.garage.states[self.stand])

    def show_state(self, state: StandState) -> None:
        """Show how it stands."""
        if state.is_on:
            self._problem = None
            with QSignalBlocker(self.adapter):
                self.adapter.setCurrentIndex(self.adapter.findData(state.host))
        trouble = self._problem or (state.trouble, state.advice)
        self._show_chip(state, has_trouble=bool(trouble[0]))
        self._show_switch(state)
        self.adapter.setEnabled(not state.is_on and not self.is_starting)
        self.adapter.setToolTip(self.adapter.currentText() or self.adapter.placeholderText())
        parts = [place_text(state) if state.is_on else "", count_text(state)]
        self.about.show_text(" · ".join(part for part in parts if part) or self._usual_ports())
        self._show_trouble(*trouble)

    def _usual_ports(self) -> str:
        return self.tr("Port {ports}").format(ports=SERVICES[self.stand].ports)

    def _show_chip(self, state: StandState, *, has_trouble: bool) -> None:
        if self.is_starting:
            asks = self.tr("Asking for others") if self.stand is Stand.DHCP else self.tr("Starting")
            self.state.show_status(asks, "working")
        elif state.is_on:
            self.state.show_status(self.tr("On"), "good", "power")
        elif has_trouble:
            self.state.show_status(self.tr("Can't run"), "fault")
        else:
            self.state.show_status(self.tr("Off"), "idle", "power-off")

    def _show_switch(self, state: StandState) -> None:
        word = self.tr("Stop") if state.is_on else self.tr("Start")
        if self.is_starting:
            word = self.tr("Cancel")
        self.switch.setText(word)
        name = service_title(self.stand)
        self.switch.setAccessibleName(f"{word} · {name}")
        set_role(self.switch, "" if state.is_on or self.is_starting else "primary")
        self.switch.setEnabled(state.is_on or self.is_starting or bool(self.host))
        hint = "" if self.switch.isEnabled() else self.tr("Choose the adapter of the direct cable first")
        self.switch.setToolTip(hint)

    def _show_trouble(self, message: str, advice: str) -> None:
        text = "\n".join(part for part in (visible(message), visible(advice)) if part)
        self.trouble.setText(text)
        self.trouble.setVisible(bool(text))
        if not text:
            self.rights.hide()
            self.router.hide()

    # Acting

    def start(self) -> None:
        """Start it on the chosen adapter, unless it runs."""
        if not self._bench.garage.states[self.stand].is_on and self.host:
            self._problem = None
            task = self._tasks.start_once(self._task, self._start(self.host))
            if task is not None:
                task.add_done_callback(self._settled)
            self.show_state(self._bench.garage.states[self.stand])

    def _chosen(self) -> None:
        self.show_state(self._bench.garage.states[self.stand])
        self.host_chosen.emit(self.host)

    def _switch(self) -> None:
        if self.is_starting:
            self._tasks.cancel(self._task)
        elif self._bench.garage.states[self.stand].is_on:
            self._tasks.start_once(f"stop {self.stand.value}", self._stop(), busy=self.switch)
        elif self.stand is Stand.DHCP:
            self._tasks.start_once("ask for the cable", self._ask_first())
        else:
            self.start()

    async def _ask_first(self) -> None:
        where = self.adapter.currentText()
        text = self.tr(
            "Only on a direct cable between this computer and one charger, or a switch with chargers alone. On a "
            "network with a router, a second server gives wrong addresses to everybody.\n\n"
            "Rehome asks for another server for five seconds first, and every minute after that. As soon as one "
            "answers, it stops and says which. The adapter needs a fixed address of its own."
        )
        buttons = (
            Button(key="start", text=self.tr("Ask, then start"), role="primary"),
            Button(key="", text=self.tr("Leave it off")),
        )
        title = self.tr("Give out addresses on {adapter}?").format(adapter=where)
        if await ask(self, title, text, buttons, icon_name="cable", tone="attention") == "start":
            self.start()

    async def _start(self, host: str) -> None:
        try:
            await self._bench.garage.start(self.stand, host=host)
        except PortInUse as error:
            advice = self.tr("Stop that program on this adapter, or let the site's own router do it.")
            self._problem = (error.message, advice)
            self.router.setVisible(self.stand is Stand.DNS)
        except AppError as error:
            self._problem = (error.message, error.advice)
            await self._look_at_rights()

    def _settled(self, _: object) -> None:
        """Show the outcome once the start is over."""
        if is_alive(self):
            self.show_state(self._bench.garage.states[self.stand])

    async def _look_at_rights(self) -> None:
        """Offer the way to the rights where one is missing."""
        is_missing = lacks_right(self.stand, await asyncio.to_thread(self._bench.garage.privileges))
        self.rights.setVisible(is_missing)
        self.router.setVisible(is_missing and self.stand is Stand.DNS)
        if is_missing and self._problem is not None:
            self._problem = (self._problem[0], "")

    async def _stop(self) -> None:
        await self._bench.garage.stop(self.stand)
        self.show_state(self._bench.garage.states[self.stand])

    def _want_rights(self) -> None:
        self.rights_wanted.emit(self.stand)


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(SPACE_8)
    for widget in widgets:
        row.addWidget(widget)
    return row
