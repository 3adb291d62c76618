"""Whether we listen for JuiceBoxes: where, on which ports, what came; taken ports with their owners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.errors import AppError
from app.juicenet.peer import PORTS
from app.model.juicebox import PeerState
from ui import icons
from ui.dialogs import tell
from ui.i18n import worded
from ui.models.plain import counted
from ui.tasks import Tasks
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_look, set_role
from ui.widgets.chip import Chip
from ui.widgets.elided import ElidedLabel
from ui.widgets.section import plain

if TYPE_CHECKING:
    from app.workbench import Workbench

WHAT = (
    "A Wi-Fi JuiceBox reports over UDP to a server that is gone. Start listening, and this computer takes its place: "
    "boxes whose names lead here are shown with state, metering and limits. Nothing is sent to any box before you have "
    "entered its circuit's limit."
)
WALL = (
    "Nothing arrives? Allow Rehome in this computer's firewall for incoming UDP on the ports {ports}, switch a VPN "
    "off, and check that boxes and computer are in the same network, and that its access point lets its clients talk "
    "to each other."
)


def ports_text(ports: tuple[int, ...]) -> str:
    """List ports."""
    return ", ".join(map(str, ports))


def wall_text(ports: tuple[int, ...] = PORTS) -> str:
    """Say what may keep datagrams out."""
    return worded(WALL, ports=ports_text(ports or PORTS))


class PeerBar(QFrame):
    """One line and its troubles. ``changed`` when listening began or ended here."""

    changed = Signal()

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self._shown: PeerState | None = None
        self._failed: AppError | None = None
        set_role(self, "panel")
        self.setAccessibleName(self.tr("Listening for JuiceBoxes"))
        self.state = Chip(self.tr("Off"), "idle", parent=self)
        self.words = ElidedLabel(self)
        set_role(self.words, "subtle")
        self.wall = QPushButton(self.tr("Ports and firewall"), self)
        set_role(self.wall, "link")
        self.wall.clicked.connect(self._explain)
        self.start_button = QPushButton(self.tr("Start listening"), self)
        icons.dress(self.start_button, "play", "accent_text")
        set_role(self.start_button, "primary")
        self.start_button.clicked.connect(self.start)
        self.stop_button = QPushButton(self.tr("Stop"), self)
        self.stop_button.setToolTip(self.tr("Listen no more; boxes keep what they were told last"))
        icons.dress(self.stop_button, "square", "text2")
        self.stop_button.clicked.connect(self._stop)
        self.trouble = plain("", "", self)
        set_look(self.trouble, tone="attention")
        self._lay_out()
        self.refresh()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        row.addWidget(self.state)
        row.addWidget(self.words, 1)
        row.addStretch(0)
        for widget in (self.wall, self.start_button, self.stop_button):
            row.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_12, SPACE_4, SPACE_8, SPACE_4)
        layout.setSpacing(SPACE_4)
        layout.addLayout(row)
        layout.addWidget(self.trouble)

    @property
    def has_failed(self) -> bool:
        """Say whether the last try to listen failed."""
        return self._failed is not None

    def refresh(self) -> None:
        """Show how we listen now."""
        state = self._bench.juice.state
        if state == self._shown:
            return
        self._shown = state
        if state.is_listening:
            self.state.show_status(self.tr("Listening"), "good", "radio-tower")
            self._failed = None
        elif self._failed is not None:
            self.state.show_status(self.tr("Can't listen"), "fault")
        else:
            self.state.show_status(self.tr("Off"), "idle")
        self.words.show_text(listening_text(state))
        self.start_button.setVisible(not state.is_listening)
        self.stop_button.setVisible(state.is_listening)
        self._show_trouble(state)

    def _show_trouble(self, state: PeerState) -> None:
        troubles = [f"{item.message} {item.advice}" for item in state.troubles]
        if self._failed is not None:
            troubles.append(f"{self._failed.message} {self._failed.advice}")
        self.trouble.setText("\n".join(dict.fromkeys(troubles)))
        self.trouble.setVisible(bool(troubles))

    # Acting

    def start(self) -> None:
        """Listen."""
        self._tasks.start_once("listen for boxes", self._switch(is_on=True), busy=self.start_button)

    def _stop(self) -> None:
        self._tasks.start_once("listen for boxes", self._switch(is_on=False), busy=self.stop_button)

    async def _switch(self, *, is_on: bool) -> None:
        self._failed = None
        try:
            await self._bench.switch_juicenet(is_on=is_on)
        except AppError as error:
            self._failed = error
        self._shown = None
        self.refresh()
        self.changed.emit()

    def _explain(self) -> None:
        state = self._bench.juice.state
        text = f"{worded(WHAT)}\n\n{wall_text(state.ports)}"
        self._tasks.start_once("ports and firewall", tell(self, self.tr("Ports and firewall"), text))


def listening_text(state: PeerState) -> str:
    """Say where we listen and what came."""
    if not state.is_listening:
        return worded("Boxes are not listened to. Nothing is sent to any.")
    parts = [
        worded("{host}, UDP {ports}", host=state.host, ports=ports_text(state.ports)),
        counted(state.received, worded("1 datagram"), worded("{count} datagrams")),
    ]
    if state.nonsense:
        parts.append(worded("{count} of them of no box", count=f"{state.nonsense:,}"))
    if state.dropped:
        parts.append(worded("{count} dropped: too many at once", count=f"{state.dropped:,}"))
    return " · ".join(parts)
