"""One charger on the endpoint: who it is, its handshake as sent, its findings, the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication, QKeySequence
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.model.finding import Finding
from app.model.frame import Handshake
from ui import icons
from ui.models.connections import security
from ui.models.listening import session_lines
from ui.models.plain import moment_text, visible, visible_lines
from ui.pages.endpoint_accept import AcceptancePanel
from ui.pages.endpoint_config import ConfigPanel
from ui.pages.endpoint_console import Console
from ui.pages.endpoint_devicemodel import DeviceModelPanel
from ui.pages.endpoint_experiment import Experiments
from ui.pages.endpoint_others import OthersPanel
from ui.pages.endpoint_services import ServicesPanel
from ui.tasks import Tasks
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_role
from ui.widgets.chip import Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.elided import ElidedLabel
from ui.widgets.findings import FindingCard, gravest
from ui.widgets.frameview import plain_label
from ui.widgets.tabhome import pages_of

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint
    from app.workbench import Workbench

MOST_FINDINGS = 50
RAW_LIMIT = 20_000
CONSOLE, SETTINGS, SERVICES, ACCEPTANCE, HANDSHAKE, FINDINGS = range(6)


class UnitPanel(QWidget):
    """The side panel of the endpoint page. ``enlarged`` asks for all the room of the page, or gives it back."""

    traffic_wanted = Signal(str)
    frame_wanted = Signal(int)
    enlarged = Signal(bool)

    def __init__(self, bench: Workbench, tasks: Tasks, secret_keys: frozenset[str], parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self._identity = ""
        self._shown: tuple[object, ...] = ()
        self._last: Endpoint | None = None
        self.setAccessibleName(self.tr("Charger"))
        self.tabs = QTabWidget(self)
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        home = pages_of(self.tabs)
        self.console = Console(bench, tasks, secret_keys, home)
        self.settings = QStackedWidget(home)
        self.config = ConfigPanel(bench, tasks, self.settings)
        self.device_model = DeviceModelPanel(bench, tasks, self.settings)
        self.device_model.learnt.connect(self.console.show_model)
        self.settings.addWidget(self.config)
        self.settings.addWidget(self.device_model)
        self.services = ServicesPanel(bench, tasks, home)
        self.acceptance = AcceptancePanel(bench, tasks, home)
        self.acceptance.frame_wanted.connect(self.frame_wanted)
        self.handshake = self._raw_view()
        self.reading = plain_label(self, "subtle", is_wrapped=True)
        self.findings = ScrollColumn(self)
        self.findings.setAccessibleName(self.tr("Findings"))
        self.tabs.addTab(self.console, self.tr("Console"))
        self.tabs.addTab(self.settings, self.tr("Settings"))
        self.tabs.addTab(self.services, self.tr("Services"))
        self.tabs.addTab(self.acceptance, self.tr("Acceptance"))
        self.tabs.addTab(self._handshake_tab(), self.tr("Handshake"))
        self.experiments = Experiments(bench, home)
        self.experiments.show_behind(self._findings_tab())
        self.tabs.addTab(self.experiments, self.tr("Findings"))
        self.others = OthersPanel(bench, home)
        self.tabs.addTab(self.others, self.tr("Other backends"))
        self.tabs.currentChanged.connect(self._refresh_others)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_8)
        layout.setSpacing(SPACE_4)
        layout.addLayout(self._head())
        layout.addWidget(self.tabs, 1)

    def _head(self) -> QHBoxLayout:
        self.title = plain_label(self, "heading")
        self.about = ElidedLabel(self)
        self.about.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        set_role(self.about, "caption")
        self.presence = Chip(self.tr("Connected"), "good", parent=self)
        self.traffic = QPushButton(self.tr("Show traffic"), self)
        icons.dress(self.traffic, "arrow-left-right", "text2")
        self.traffic.clicked.connect(self._want_traffic)
        self.hang_up = QPushButton(self.tr("Disconnect"), self)
        self.hang_up.setToolTip(self.tr("Close the connection; most chargers dial again by themselves"))
        icons.dress(self.hang_up, "unplug", "text2")
        self.hang_up.clicked.connect(self._hang_up)
        self.enlarge = QToolButton(self)
        self.enlarge.setCheckable(True)
        self.enlarge.setAccessibleName(self.tr("Use the whole page for this charger"))
        self.enlarge.setToolTip(self.tr("Use the whole page for this charger (F11)"))
        self.enlarge.setShortcut(QKeySequence("F11"))
        icons.dress(self.enlarge, "maximize", "text2")
        self.enlarge.toggled.connect(self._enlarged)
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        row.addWidget(self.title)
        row.addWidget(self.presence)
        row.addWidget(self.about, 1)
        row.addWidget(self.traffic)
        row.addWidget(self.hang_up)
        row.addWidget(self.enlarge)
        return row

    def _enlarged(self, is_large: bool) -> None:
        icons.dress(self.enlarge, "minimize" if is_large else "maximize", "text2")
        self.enlarged.emit(is_large)

    def _raw_view(self) -> QPlainTextEdit:
        view = QPlainTextEdit(self)
        view.setReadOnly(True)
        view.setTabChangesFocus(True)
        view.setAccessibleName(self.tr("Handshake as sent"))
        set_role(view, "mono")
        return view

    def _findings_tab(self) -> QWidget:
        box = QWidget(self)
        row = QHBoxLayout()
        row.addWidget(plain_label(box, "subtle"), 1)
        row.addWidget(self.experiments.menu_button(box))
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.findings, 1)
        return box

    def _handshake_tab(self) -> QWidget:
        box = QWidget(self)
        copy = QToolButton(box)
        icons.dress(copy, "copy", "text2")
        copy.setAccessibleName(self.tr("Copy the handshake"))
        copy.setToolTip(self.tr("Copy the handshake"))
        copy.clicked.connect(self._copy_handshake)
        row = QHBoxLayout()
        row.addWidget(self.reading, 1)
        row.addWidget(copy)
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.handshake, 1)
        return box

    # Showing

    @property
    def identity(self) -> str:
        """Return whom the panel shows."""
        return self._identity

    def show_charger(self, identity: str) -> None:
        """Show this charger."""
        if identity != self._identity:
            self._identity = identity
            self._shown = ()
            self._last = None
        self.console.show_charger(identity)
        self.experiments.show_unit(identity)
        self.services.show_charger(identity)
        self.acceptance.show_charger(identity)
        self._show_settings(identity)
        self.refresh()

    def _show_settings(self, identity: str) -> None:
        endpoint = self._bench.server.endpoint(identity)
        if endpoint is None or endpoint.version == "1.6":
            self.settings.setCurrentWidget(self.config)
            self.config.show_charger(identity)
            self.tabs.setTabText(SETTINGS, self.tr("Settings"))
        else:
            self.settings.setCurrentWidget(self.device_model)
            self.device_model.show_charger(identity)
            self.tabs.setTabText(SETTINGS, self.tr("Device model"))

    def refresh(self) -> None:
        """Show what changed; a charger that left stays as it was last seen."""
        endpoint = self._bench.server.endpoint(self._identity)
        is_there = endpoint is not None
        endpoint = self._last = endpoint or self._last
        self.presence.show_status(self.tr("Connected") if is_there else self.tr("Left"), "good" if is_there else "idle")
        self.hang_up.setEnabled(is_there)
        self.console.refresh()
        self.services.refresh()
        self.acceptance.refresh()
        self._refresh_settings(endpoint)
        self._refresh_others()
        self.title.setText(visible(self._identity, 96))
        if endpoint is None:
            self.about.show_text(self.tr("Not seen since this program started."))
            return
        self._show_about(endpoint)
        shown = (endpoint.connection, len(endpoint.findings))
        if shown != self._shown:
            self._shown = shown
            self._show_handshake(endpoint.handshake)
            self._show_findings(endpoint.findings)

    def _refresh_others(self) -> None:
        if self.tabs.currentWidget() is self.others:
            self.others.show_charger(self._last)

    def _refresh_settings(self, endpoint: Endpoint | None) -> None:
        is_model = self.settings.currentWidget() is self.device_model
        if endpoint is not None and is_model is (endpoint.version == "1.6"):
            self._show_settings(self._identity)  # it speaks another version than before
        (self.device_model if is_model else self.config).refresh()

    def _show_about(self, endpoint: Endpoint) -> None:
        boot = endpoint.boot or endpoint.ledger.boot
        parts = [f"from {visible(endpoint.handshake.remote, 60)}", f"since {moment_text(endpoint.opened_at)}"]
        if boot is not None:
            named = " ".join(part for part in (boot.vendor, boot.model) if part)
            parts.insert(0, visible(named, 120))
            parts += [f"serial {visible(boot.serial, 60)}"] if boot.serial else []
            parts += [f"firmware {visible(boot.firmware, 60)}"] if boot.firmware else []
        states = [f"connector {number}: {visible(change.state, 30)}" for number, change in endpoint.statuses.items()]
        running = [visible(str(name), 36) for name, item in endpoint.transactions.items() if item.is_running]
        parts += states[:6]
        if running:
            parts.append(f"charging session {', '.join(running[:4])}")
        self.about.show_text(" · ".join(part for part in parts if part))

    def _show_handshake(self, handshake: Handshake) -> None:
        offered = ", ".join(handshake.subprotocols) or "none"
        words, _ = security(handshake)
        self.reading.setText(
            self.tr("Path {path} · asks for {offered}, got {chosen} · {words}").format(
                path=visible(handshake.path, 200),
                offered=visible(offered, 120),
                chosen=handshake.chosen_subprotocol or "none",
                words=words,
            )
        )
        text = handshake.raw[:RAW_LIMIT].decode("utf-8", "backslashreplace")
        if handshake.tls is not None:
            text = f"{text}\n{session_lines(handshake.tls)}"
        self.handshake.setPlainText(visible_lines(text.replace("\r\n", "\n")))

    def _show_findings(self, findings: list[Finding]) -> None:
        self.tabs.setTabText(FINDINGS, f"{self.tr('Findings')} ({len(findings)})" if findings else self.tr("Findings"))
        column = self.findings.column
        while (item := column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        column.setContentsMargins(0, 0, SPACE_8, 0)
        column.setSpacing(SPACE_8)
        for finding in gravest(findings)[:MOST_FINDINGS]:
            column.addWidget(FindingCard(finding, self.findings, run=self.experiments.run))
        if not findings:
            none = plain_label(self.findings, "subtle")
            none.setText(self.tr("Nothing out of the ordinary so far."))
            column.addWidget(none)
        column.addStretch(1)

    # Acting

    def _want_traffic(self) -> None:
        self.traffic_wanted.emit(self._identity)

    def _hang_up(self) -> None:
        endpoint = self._bench.server.endpoint(self._identity)
        if endpoint is not None:
            self._tasks.start_once("hang up", endpoint.close(1000, "closed by the operator"), busy=self.hang_up)

    def _copy_handshake(self) -> None:
        QGuiApplication.clipboard().setText(self.handshake.toPlainText())
