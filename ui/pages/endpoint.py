"""Endpoint: where we listen, what to type into which charger, who is connected, who ever knocked."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QTabWidget, QVBoxLayout, QWidget

from app.model.frame import Knock, ListenState
from ui.models.connections import CONNECTION_FIELDS, Connected, Roster, connection_key
from ui.models.listing import Listing
from ui.pages.endpoint_cards import CardsPanel
from ui.pages.endpoint_door import DoorPanel
from ui.pages.endpoint_explain_file import FileExplainer
from ui.pages.endpoint_knocks import KnockPanel
from ui.pages.endpoint_listen import ListenPanel
from ui.pages.endpoint_strings import FIREWALL, StringsPanel
from ui.pages.endpoint_unit import UnitPanel
from ui.pages.page import Page
from ui.theme import SPACE_8, SPACE_12, set_role
from ui.widgets.chip import Chip
from ui.widgets.empty import Empty
from ui.widgets.frameview import plain_label
from ui.widgets.keptsplitter import SIDEWAYS, UPRIGHT, KeptSplitter
from ui.widgets.listview import ROW_HEIGHT, ListView
from ui.widgets.tabhome import pages_of

if TYPE_CHECKING:
    from app.workbench import Workbench

REFRESH_MS = 500
ADAPTERS_MS = 5000
WIDE = 1500
LISTED = 3
"""Chargers the list shows before it scrolls, until the technician wants more: the charger below needs the room."""
CHARGERS, KNOCKS, STRINGS, LISTENING, CARDS, EXPLAIN = range(6)


class EndpointPage(Page):
    """The built-in central system, as an instrument."""

    page_id: ClassVar[str] = "endpoint"
    title: ClassVar[str] = "Endpoint"
    icon_name: ClassVar[str] = "radio-tower"

    def __init__(self, bench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(bench, parent)
        secret_keys = frozenset(
            key.key
            for profile in bench.registry.profiles.values()
            for key in profile.backend_keys
            if key.holds == "secret"
        )
        self.roster = Roster()
        self._is_first = True
        self._count = 0
        self.listen_panel = ListenPanel(bench, self.tasks, self)
        self.model: Listing[Connected] = Listing(CONNECTION_FIELDS, connection_key, self)
        self.tabs = QTabWidget(self)
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        home = pages_of(self.tabs)
        self._chargers = QWidget(home)
        default = {UPRIGHT: (4 * ROW_HEIGHT, 400), SIDEWAYS: (600, 400)}
        self.splitter = KeptSplitter(bench.home / "layout.ini", "endpoint", default, self._chargers)
        self.table = ListView(self.model, self.tr("Connected chargers"), self.splitter)
        self.unit = UnitPanel(bench, self.tasks, secret_keys, self.splitter)
        self.knocks = KnockPanel(bench, home)
        self.strings = StringsPanel(bench, home)
        self.cards = CardsPanel(bench, self.tasks, home)
        self.door = DoorPanel(bench, self.tasks, home)
        self.explainer = FileExplainer(bench.registry.profiles.values(), self.tasks, home)
        self._build()
        self._connect()
        self.listen(bench.server.states, self._states)
        self.listen(bench.server.knocks, self._knocked)
        self.every(REFRESH_MS, self._refresh)
        self.every(REFRESH_MS, self.cards.refresh)
        self.every(ADAPTERS_MS, self.listen_panel.refresh_adapters)

    def _build(self) -> None:
        heading = plain_label(self, "title")
        heading.setText(self.tr("Endpoint"))
        self.state = Chip(self.tr("Off"), "idle", parent=self)
        self.summary = plain_label(self, "caption")
        top = QHBoxLayout()
        top.setSpacing(SPACE_8)
        for widget in (heading, self.state, self.summary):
            top.addWidget(widget)
        top.addStretch(1)
        self.unit.hide()
        self.splitter.addWidget(self.table)
        self.splitter.addWidget(self.unit)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.restore()
        self.empty = Empty("", "", "plug-zap", "", self._chargers)
        self._stack = QStackedLayout(self._chargers)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.splitter)
        self.tabs.addTab(self._chargers, self.tr("Chargers"))
        self.tabs.addTab(self.knocks, self.tr("Knocks"))
        self.tabs.addTab(self.strings, self.tr("What to type"))
        self.tabs.addTab(self.door, self.tr("How we listen"))
        self.tabs.addTab(self.cards, self.tr("Cards"))
        self.tabs.addTab(self.explainer, self.tr("Explain a configuration"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_12)
        layout.setSpacing(SPACE_8)
        layout.addLayout(top)
        layout.addWidget(self.listen_panel)
        layout.addWidget(self.tabs, 1)
        set_role(self, "page")

    def _connect(self) -> None:
        self.table.picked.connect(self._picked)
        self.unit.traffic_wanted.connect(self._show_traffic)
        self.unit.frame_wanted.connect(self._show_frame)
        self.unit.enlarged.connect(self._enlarge)
        self.knocks.charger_wanted.connect(self.show_charger)
        self.knocks.unit_wanted.connect(self._show_unit)
        self.strings.root_wanted.connect(self._show_root)
        self.empty.acted.connect(self._empty_acted)

    # Page life

    def on_shown(self) -> None:
        """Show how things are now."""
        self._states([self.bench.server.state])
        (self.table if self.model.items else self.tabs.tabBar()).setFocus()

    def open(self, argument: object) -> None:
        """Show one charger, by its identity."""
        if isinstance(argument, str) and argument:
            self._refresh()
            self.show_charger(argument)

    def refresh(self) -> None:
        """Read adapters and connections again."""
        self.listen_panel.refresh_adapters()
        self._refresh()

    def focus_search(self) -> bool:
        """Put the keyboard into the search for a model."""
        self.tabs.setCurrentIndex(STRINGS)
        self.strings.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        return True

    def show_charger(self, identity: str) -> None:
        """Select a charger in the list."""
        self.tabs.setCurrentIndex(CHARGERS)
        self.table.select_key(identity)
        self.table.setFocus()

    # State

    def _states(self, states: list[ListenState]) -> None:
        state = states[-1]
        self.listen_panel.show_state(state)
        if state.is_listening:
            self.state.show_status(self.tr("Listening"), "good", "radio-tower")
        elif state.trouble:
            self.state.show_status(self.tr("Can't listen"), "fault")
        else:
            self.state.show_status(self.tr("Off"), "idle")
        self.door.refresh()
        url = self.listen_panel.base_url(state) if state.is_listening else ""
        self.strings.show_url(url, url.replace("ws://", "wss://", 1) if state.has_tls else "")
        self._refresh()

    def _knocked(self, _: list[Knock]) -> None:
        self._show_knocks()

    def _show_knocks(self) -> None:
        count = self.knocks.refresh()
        self.tabs.setTabText(KNOCKS, f"{self.tr('Knocks')} ({count})" if count else self.tr("Knocks"))

    def _refresh(self) -> None:
        server = self.bench.server
        rows = self.roster.update(server.endpoints, self.bench.now())
        self.model.show(rows)
        count = len(server.endpoints)
        words = self.tr("{count} chargers are connected")
        if count < 2:
            words = self.tr("1 charger is connected") if count else self.tr("no charger is connected")
        self.summary.setText(words.format(count=count) if server.state.is_listening else "")
        self.tabs.setTabText(CHARGERS, f"{self.tr('Chargers')} ({count})" if count else self.tr("Chargers"))
        self._show_knocks()
        self._show_rows(len(rows), server.state)
        if self.unit.isVisibleTo(self.splitter):
            self.unit.refresh()

    def _fit(self, count: int) -> None:
        """Give the list the height of its rows, and the charger the rest, unless the technician chose otherwise."""
        wanted = (1 + min(count, LISTED)) * ROW_HEIGHT + 2 * self.table.frameWidth() + 2
        if count and self.splitter.orientation() is UPRIGHT and not self.splitter.is_chosen:
            self.splitter.setSizes([wanted, max(1, self.splitter.height() - wanted)])

    def _show_rows(self, count: int, state: ListenState) -> None:
        self._stack.setCurrentWidget(self.splitter if count else self.empty)
        if count != self._count:
            self._count = count
            self._fit(count)
        if count:
            if self._is_first and not self.table.currentIndex().isValid():
                self._is_first = False
                self.table.selectRow(0)
            return
        if state.is_listening:
            url = self.listen_panel.base_url(state)
            how = self.tr("In the charger, set the backend address to {url} and restart it if its form asks for that.")
            text = f"{how.format(url=url)}\n\n{self.tr(FIREWALL)}"
            self.empty.show_texts(
                self.tr("No charger has dialled yet"), text, "plug-zap", self.tr("What to type for each model")
            )
        else:
            text = self.tr("Start it, and chargers on your network can dial this computer as their backend.")
            self.empty.show_texts(self.tr("The endpoint is off"), text, "power-off", self.tr("Start"))

    def _empty_acted(self) -> None:
        if self.bench.server.state.is_listening:
            self.tabs.setCurrentIndex(STRINGS)
        else:
            self.listen_panel.apply()

    def _picked(self, row: Connected | None) -> None:
        self.unit.setVisible(row is not None)
        if row is not None:
            self.unit.show_charger(row.identity)
        else:
            self.unit.enlarge.setChecked(False)

    def _enlarge(self, is_large: bool) -> None:
        """Give one charger the whole page, or the list its room back."""
        for panel in (self.table, self.listen_panel, self.tabs.tabBar()):
            panel.setHidden(is_large)

    def _show_traffic(self, identity: str) -> None:
        self.go.emit("traffic", identity)

    def _show_unit(self, unit_id: str) -> None:
        self.go.emit("unit", unit_id)

    def _show_root(self) -> None:
        self.tabs.setCurrentIndex(LISTENING)
        self.door.show_root()

    def _show_frame(self, seq: int) -> None:
        self.go.emit("traffic", seq)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the charger beside the list where there is room."""
        super().resizeEvent(event)
        self.splitter.turn(SIDEWAYS if self.width() >= WIDE else UPRIGHT)
