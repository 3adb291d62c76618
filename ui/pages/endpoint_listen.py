"""Where the endpoint listens: adapter, port, start, move, stop; what to do when the port is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QIntValidator
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from app.errors import PortInUse, ServerError
from app.model.frame import Adapter, ListenState
from ui import icons
from ui.models.listening import plan_text
from ui.tasks import Tasks
from ui.theme import SPACE_8, SPACE_12, set_role
from ui.widgets.chip import Chip
from ui.widgets.copy import CopyField
from ui.widgets.frameview import plain_label

if TYPE_CHECKING:
    from app.workbench import Workbench

ALL = Adapter(name="All adapters", address="0.0.0.0")


class ListenPanel(QFrame):
    """Shows and changes where we listen."""

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self._adapters: list[Adapter] = []
        self._place: tuple[bool, str, int] | None = None
        set_role(self, "panel")
        self._build()
        self.refresh_adapters()
        self.show_state(bench.server.state)

    def _build(self) -> None:
        self.adapter = QComboBox(self)
        self.adapter.setAccessibleName(self.tr("Network adapter"))
        self.adapter.setMinimumWidth(220)
        self.adapter.currentIndexChanged.connect(self._changed)
        self.port = QLineEdit(self)
        self.port.setAccessibleName(self.tr("Port"))
        self.port.setValidator(QIntValidator(1, 65535, self))
        self.port.setFixedWidth(84)
        self.port.textEdited.connect(self._changed)
        self.port.returnPressed.connect(self.apply)
        self.main = QPushButton(self)
        set_role(self.main, "primary")
        self.main.clicked.connect(self.apply)
        self.stop = QPushButton(self.tr("Stop"), self)
        icons.dress(self.stop, "square", "text2")
        self.stop.clicked.connect(self._stop)
        self.url = CopyField("", self.tr("Address for chargers"), self)
        self.secure_url = CopyField("", self.tr("Address for chargers over TLS"), self)
        self.manner = Chip("", "accent", parent=self)
        self.manner.hide()
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        for text, widget in ((self.tr("Listen on"), self.adapter), (self.tr("Port"), self.port)):
            label = QLabel(text, self)
            label.setBuddy(widget)
            set_role(label, "subtle")
            row.addWidget(label)
            row.addWidget(widget)
        row.addWidget(self.main)
        row.addWidget(self.stop)
        row.addSpacing(SPACE_12)
        row.addWidget(self.url, 1)
        row.addWidget(self.secure_url, 1)
        row.addStretch(0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_8)
        layout.setSpacing(SPACE_8)
        layout.addLayout(row)
        layout.addWidget(self.manner)
        layout.addWidget(self._trouble_row())

    def _trouble_row(self) -> QWidget:
        self.trouble = QFrame(self)
        set_role(self.trouble, "banner", tone="fault")
        self.trouble_text = plain_label(self.trouble, "", is_wrapped=True)
        self.suggestion = QPushButton(self.trouble)
        set_role(self.suggestion, "primary")
        self.suggestion.clicked.connect(self._use_suggestion)
        picture = QLabel(self.trouble)
        icons.dress(picture, "octagon-x", "fault", 20)
        row = QHBoxLayout(self.trouble)
        row.setContentsMargins(SPACE_12, SPACE_8, SPACE_8, SPACE_8)
        row.setSpacing(SPACE_12)
        row.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.trouble_text, 1)
        row.addWidget(self.suggestion)
        self.trouble.hide()
        return self.trouble

    # State

    def refresh_adapters(self) -> None:
        """Read the adapters again; what is chosen stays chosen."""
        adapters = [*self._bench.adapters(), ALL]
        if adapters == self._adapters:
            return
        wanted = self.host or self._bench.server.state.host or self._bench.adapter_address
        self._adapters = adapters
        with QSignalBlocker(self.adapter):
            self.adapter.clear()
            for adapter in adapters:
                self.adapter.addItem(adapter.title, adapter.address)
            self.adapter.setCurrentIndex(max(0, self.adapter.findData(wanted)))

    @property
    def host(self) -> str:
        """Return the chosen address."""
        return str(self.adapter.currentData() or "")

    @property
    def port_number(self) -> int:
        """Return the typed port, 0 while it is none."""
        return int(self.port.text()) if self.port.text().isdigit() else 0

    def show_state(self, state: ListenState) -> None:
        """Show where we listen, or why not."""
        place = (state.is_listening, state.host, state.port)
        if place != self._place:
            self._place = place
            self.port.setText(str(state.port or self._bench.settings.endpoint_port))
            with QSignalBlocker(self.adapter):
                index = self.adapter.findData(state.host)
                self.adapter.setCurrentIndex(index if index >= 0 else self.adapter.currentIndex())
        self.url.setVisible(state.is_listening)
        self.secure_url.setVisible(state.is_listening and state.has_tls)
        if state.is_listening:
            url = self.base_url(state)
            self.url.show_text(url)
            self.secure_url.show_text(url.replace("ws://", "wss://", 1))
        self._show_plan()
        self.stop.setVisible(state.is_listening)
        if not state.trouble or not self._tasks.is_running("listen"):  # else who asked for it shows it when it is over
            self._show_trouble(state.trouble, state.advice, state.suggestion)
        self._changed()

    def _show_plan(self) -> None:
        """Remind of what is unusual about how we listen."""
        text = plan_text(self._bench.server.plan)
        self.manner.setVisible(bool(text))
        if text:
            self.manner.show_status(text, "accent")

    def base_url(self, state: ListenState) -> str:
        """Return the address to type; on all adapters the best one's address stands in it."""
        if state.host in ("0.0.0.0", "::"):
            return ListenState(is_listening=True, host=self._bench.adapter_address, port=state.port).url
        return state.url

    def _show_trouble(self, message: str, advice: str, suggestion: int) -> None:
        self.trouble.setVisible(bool(message))
        self.trouble_text.setText(f"{message}\n{advice}" if advice else message)
        self.suggestion.setVisible(bool(suggestion))
        self.suggestion.setText(self.tr("Use port {port}").format(port=suggestion))
        self.suggestion.setProperty("port", suggestion)

    def _changed(self) -> None:
        state = self._bench.server.state
        is_same = (self.host, self.port_number) == (state.host, state.port)
        self.main.setText(self.tr("Move here") if state.is_listening else self.tr("Start"))
        self.main.setVisible(not (state.is_listening and is_same))
        self.main.setEnabled(bool(self.port_number) and not self._tasks.is_running("listen"))

    # Acting

    def apply(self) -> None:
        """Start, or move to what is chosen."""
        if self.port_number:
            self._tasks.start_once("listen", self._apply(self.host, self.port_number))

    def _use_suggestion(self) -> None:
        self.port.setText(str(self.suggestion.property("port")))
        self.apply()

    async def _apply(self, host: str, port: int) -> None:
        self.main.setEnabled(False)
        try:
            await self._bench.move_endpoint(host, port)
        except PortInUse as error:
            self._show_trouble(error.message, error.advice, error.suggestion)
        except ServerError as error:
            self._show_trouble(error.message, error.advice, 0)
        else:
            self.show_state(self._bench.server.state)
        finally:
            self.main.setEnabled(True)

    def _stop(self) -> None:
        self._tasks.start_once("listen", self._bench.stop_endpoint(), busy=self.stop)
