"""Search: on request every address of this computer's own network is asked, in no way that could change a charger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
)

from app.errors import AppError
from app.model.frame import SourceState
from app.model.hotspot import HotspotHint
from app.model.lan import Answer, Progress
from ui import icons
from ui.models.lan import asked_lines, behind, counted, door_text, hint_text
from ui.models.plain import visible
from ui.pages.page import Page
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_role
from ui.widgets.column import ScrollColumn
from ui.widgets.section import plain

if TYPE_CHECKING:
    from app.workbench import Workbench

WIDTH = 392

SHOWN = 100
"""Lines of one list; a network with more answers than that is told in numbers."""


class Fold(QFrame):
    """A line that opens a text below it."""

    def __init__(self, parent: QFrame) -> None:
        super().__init__(parent)
        self.button = QPushButton(self)
        self.button.setAccessibleName(self.tr("Show more"))
        self.button.setCheckable(True)
        set_role(self.button, "link")
        icons.dress(self.button, "chevron-right")
        self.text = plain("", "caption", self)
        self.text.hide()
        self.button.toggled.connect(self._turn)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addWidget(self.button)
        layout.addWidget(self.text)

    def show_texts(self, title: str, text: str) -> None:
        """Show a title, and below it, when it is opened, a text."""
        self.button.setText(title)
        self.button.setAccessibleName(title)
        self.text.setText(text)

    def _turn(self, is_open: bool) -> None:
        icons.dress(self.button, "chevron-down" if is_open else "chevron-right")
        self.text.setVisible(is_open)


class SearchPanel(QFrame):
    """The panel beside the chargers. Nothing is asked before its button is pressed."""

    unit_chosen = Signal(str)
    """A charger to select."""

    def __init__(self, bench: Workbench, page: Page) -> None:
        super().__init__(page)
        self._bench = bench
        self._page = page
        self._lan = bench.searches.lan
        self._rows: dict[str, QPushButton] = {}
        set_role(self, "panel")
        self.setAccessibleName(self.tr("Search the network"))
        self.setFixedWidth(WIDTH)
        self._build()
        self._connect()
        self.hide()

    # Building

    def _build(self) -> None:
        self.network = QComboBox(self)
        self.network.setAccessibleName(self.tr("Network to search"))
        self.range = QLineEdit(self)
        self.range.setMaxLength(60)
        self.range.setPlaceholderText(self.tr("All of it, or a part: 192.168.1.10-60"))
        self.range.setAccessibleName(self.tr("Part of the network"))
        self.range.setClearButtonEnabled(True)
        self.asked = Fold(self)
        self.button = QPushButton(self.tr("Search"), self)
        set_role(self.button, "primary", size="large")
        self.bar = QProgressBar(self)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Addresses asked"))
        self.bar.hide()
        self.state = plain("", "caption", self)
        self.state.hide()
        self.trouble = plain("", "caption", self)
        self.trouble.hide()
        self._build_results()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_12)
        layout.setSpacing(SPACE_8)
        layout.addLayout(self._head())
        for part in (self.network, self.range, self.button, self.bar, self.state, self.trouble):
            layout.addWidget(part)
        layout.addWidget(self.results, 1)
        layout.addLayout(self._others())

    def _build_results(self) -> None:
        self.results = ScrollColumn(self)
        self.results.setAccessibleName(self.tr("What answered"))
        column = self.results.column
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_4)
        self.hint = plain("", "", self)
        self.hint.hide()
        self.strangers = Fold(self)
        self.strangers.hide()
        self._list = QVBoxLayout()
        self._list.setSpacing(SPACE_4)
        column.addWidget(self.hint)
        column.addWidget(self.asked)
        column.addLayout(self._list)
        column.addWidget(self.strangers)
        column.addStretch(1)

    def _head(self) -> QHBoxLayout:
        picture = QLabel(self)
        icons.dress(picture, "radar", "text2", 20)
        self.close_button = QToolButton(self)
        set_role(self.close_button, "quiet")
        icons.dress(self.close_button, "x")
        self.close_button.setAccessibleName(self.tr("Close the search panel"))
        self.close_button.setToolTip(self.tr("Close"))
        head = QHBoxLayout()
        head.setSpacing(SPACE_8)
        head.addWidget(picture)
        head.addWidget(plain(self.tr("Search the network"), "heading", self, wraps=False))
        head.addStretch(1)
        head.addWidget(self.close_button)
        return head

    def _others(self) -> QHBoxLayout:
        """Build the buttons of the other searches on request."""
        self.call_button = QPushButton(self.tr("Call all"), self)
        icons.dress(self.call_button, "radio-tower")
        self.call_button.setToolTip(self.tr("Ask one question over UDP that all KEBA chargers of this network hear."))
        self.bluetooth_button = QPushButton(self.tr("Bluetooth"), self)
        icons.dress(self.bluetooth_button, "bluetooth")
        self.bluetooth_button.setToolTip(
            self.tr("Listen for chargers over Bluetooth for 20 seconds; stand next to it.")
        )
        self.wifi_button = QPushButton(self.tr("Wi-Fi"), self)
        icons.dress(self.wifi_button, "wifi")
        self.wifi_button.setToolTip(self.tr("See whether this computer is on, or near, a charger's own access point."))
        line = QHBoxLayout()
        line.setSpacing(SPACE_8)
        line.addWidget(self.call_button, 1)
        line.addWidget(self.bluetooth_button, 1)
        line.addWidget(self.wifi_button, 1)
        return line

    def _connect(self) -> None:
        self.close_button.clicked.connect(self.hide)
        self.button.clicked.connect(self._pressed)
        self.range.returnPressed.connect(self._begin)
        self.range.textChanged.connect(self._count)
        self.network.currentIndexChanged.connect(self._count)
        self.call_button.clicked.connect(self._call)
        self.bluetooth_button.clicked.connect(self._listen)
        self.wifi_button.clicked.connect(self._look)
        self._page.listen(self._bench.finder.source_changes, self._sources_told)
        self._page.listen(self._lan.changes, self._told)
        self._page.listen(self._bench.searches.hotspots.changes, self._hinted)
        self._page.every(500, self._settle)

    # What a person does

    def toggle(self) -> None:
        """Show the panel, or put it away; a search goes on either way."""
        self.setVisible(not self.isVisibleTo(self._page))
        if self.isVisibleTo(self._page):
            self._read()
            self.button.setFocus()

    def _read(self) -> None:
        """Take the networks there are now, and what would be asked."""
        chosen = self.network.currentData()
        self.network.blockSignals(True)
        self.network.clear()
        for item in self._lan.networks():
            self.network.addItem(item.adapter.title, item.adapter.address)
        own = self.network.findData(chosen or self._bench.adapter_address)
        self.network.setCurrentIndex(max(own, 0) if self.network.count() else -1)
        self.network.blockSignals(False)
        lines = asked_lines(self._lan.asks())
        self.asked.show_texts(self.tr("What is asked (it changes nothing)"), "\n".join(lines))
        # Before the first search everybody sees it; later it would only take room.
        self.asked.button.setChecked(not self._lan.progress.total)
        is_watching = hasattr(self._bench, "broadcast")  # a site that watches no sources has none to ask
        for button in (self.call_button, self.bluetooth_button):
            button.setEnabled(is_watching)
        self._count()
        self._settle()

    def _count(self) -> None:
        """Write on the button how many addresses are asked, or why none can be."""
        if self._lan.progress.is_running:
            return
        try:
            wanted = self._lan.span(self.range.text(), adapter=str(self.network.currentData() or ""))
        except AppError as error:
            self._say(error)
            self.button.setText(self.tr("Search"))
            self.button.setEnabled(False)
            return
        self.trouble.hide()
        count = len(wanted.hosts)
        self.button.setText(counted(count, self.tr("Ask 1 address"), self.tr("Ask {count} addresses")))
        self.button.setToolTip(wanted.title)
        self.button.setEnabled(True)

    def _pressed(self) -> None:
        if self._lan.progress.is_running:
            self._lan.stop()
        else:
            self._begin()

    def _begin(self) -> None:
        try:
            wanted = self._lan.span(self.range.text(), adapter=str(self.network.currentData() or ""))
        except AppError as error:
            self._say(error)
            return
        self._lan.start(wanted)
        self.asked.button.setChecked(False)
        self._told([self._lan.progress])

    def _call(self) -> None:
        self._bench.broadcast.ask_again()

    def _listen(self) -> None:
        bluetooth = self._bench.searches.bluetooth
        if bluetooth.is_searching:
            bluetooth.stop()
        else:
            bluetooth.search()

    def _sources_told(self, told: Sequence[SourceState]) -> None:
        """Show how the searches fare that are no search over the LAN."""
        last = next((state for state in reversed(told) if state.source in ("bluetooth", "broadcast")), None)
        if last is not None and self.isVisibleTo(self._page) and last.text:
            self.hint.setText(visible(f"{last.text} {last.advice}".strip(), 400))
            self.hint.show()

    def _look(self) -> None:
        self._page.tasks.start_once("look at Wi-Fi", self._looked(), busy=self.wifi_button)

    async def _looked(self) -> None:
        hotspots = self._bench.searches.hotspots
        found = await hotspots.look()
        self._hinted([found])
        if not found:
            self.hint.setText(hint_text((), hotspots.air))
            self.hint.show()

    # What is told

    def _say(self, error: AppError) -> None:
        self.trouble.setText(f"{error.message} {error.advice}")
        self.trouble.show()

    def _told(self, told: Sequence[Progress]) -> None:
        progress = told[-1]
        self.bar.setRange(0, max(progress.total, 1))
        self.bar.setValue(progress.done)
        self.bar.setVisible(progress.is_running)
        self.network.setEnabled(not progress.is_running)
        self.range.setEnabled(not progress.is_running)
        set_role(self.button, "" if progress.is_running else "primary", size="large")
        if progress.is_running:
            self.button.setText(self.tr("Stop"))
            self.button.setEnabled(True)
        else:
            self._count()
        self.state.setText(behind(progress))
        self.state.setVisible(bool(progress.total))
        if progress.trouble:
            self.trouble.setText(progress.trouble)
            self.trouble.show()
        self._settle()

    def _hinted(self, told: Sequence[tuple[HotspotHint, ...]]) -> None:
        text = hint_text(told[-1], None)
        self.hint.setText(text)
        self.hint.setVisible(bool(text))

    def _settle(self) -> None:
        """Show who answered: chargers one by one, everything else folded."""
        if not self.isVisibleTo(self._page):
            return
        answers = self._lan.answers
        self._show_found([item for item in answers if item.unit_id][:SHOWN])
        strangers = [item for item in answers if not item.unit_id and not item.is_open]
        title = counted(
            len(strangers), self.tr("1 answers and is no known charger"), self.tr("{count} answer, no known charger")
        )
        self.strangers.show_texts(title, "\n".join(door_text(item) for item in strangers[:SHOWN]))
        self.strangers.setVisible(bool(strangers))

    def _show_found(self, found: Sequence[Answer]) -> None:
        units = self._bench.finder.units
        wanted = {item.host: item for item in found if item.unit_id in units}
        for host in self._rows.keys() - wanted.keys():
            self._rows.pop(host).deleteLater()
        for host, item in wanted.items():
            button = self._rows.get(host)
            if button is None:
                button = self._rows[host] = QPushButton(self)
                set_role(button, "link")
                icons.dress(button, "ev-charger")
                button.clicked.connect(lambda _=False, key=host: self._choose(key))
                self._list.addWidget(button)
            title = visible(units[item.unit_id].title, 60)
            button.setText(f"{title} · {host}")
            button.setAccessibleName(self.tr("Select {title} at {host}").format(title=title, host=host))

    def _choose(self, host: str) -> None:
        unit_id = next((item.unit_id for item in self._lan.answers if item.host == host), "")
        if unit_id:
            self.unit_chosen.emit(unit_id)
