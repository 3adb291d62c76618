"""Who asked the stand-in services for what, live: filter, copy, save, and what to do about one of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from app.model.garage import Asked, Stand
from ui import icons
from ui.dialogs import choose_file
from ui.models.garage import (
    LOG_FIELDS,
    ORDER,
    LogRow,
    can_stand_in,
    chargers_by_host,
    is_betrayed,
    log_csv,
    log_text,
    narrowed,
    row_key,
    service_title,
)
from ui.models.listing import Listing
from ui.models.plain import visible
from ui.tasks import Tasks
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_role
from ui.widgets.elided import ElidedLabel
from ui.widgets.empty import Empty
from ui.widgets.flow import Flow
from ui.widgets.frameview import plain_label
from ui.widgets.listview import ListView

if TYPE_CHECKING:
    from app.workbench import Workbench

LEAST_HEIGHT = 110


class ChosenBar(QFrame):
    """The question under the cursor and what can be done about it."""

    stand_in_wanted = Signal(str)
    unit_wanted = Signal(str)
    find_wanted = Signal(str)

    def __init__(self, bench: Workbench, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self.row: LogRow | None = None
        set_role(self, "panel")
        self.words = ElidedLabel(self)
        self.more = ElidedLabel(self)
        set_role(self.more, "caption")
        self.stand_in = QPushButton(self.tr("Stand in for it"), self)
        self.stand_in.clicked.connect(self._stand_in)
        self.find_button = QPushButton(self)
        self.find_button.clicked.connect(self._find)
        for line in (self.words, self.more):
            line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        texts = QVBoxLayout()
        texts.setSpacing(0)
        texts.addWidget(self.words)
        texts.addWidget(self.more)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_12, SPACE_4, SPACE_8, SPACE_4)
        row.setSpacing(SPACE_8)
        row.addLayout(texts, 1)
        row.addWidget(self.stand_in)
        row.addWidget(self.find_button)
        self.hide()

    def show_row(self, row: LogRow | None) -> None:
        """Show another question; ``None`` hides the bar."""
        self.row = row
        self.setVisible(row is not None)
        if row is None:
            return
        asked = row.asked
        words = self.tr("{client} asked for {name}") if asked.name else self.tr("{client} asked: {kind}")
        self.words.show_text(words.format(client=row.client, name=asked.name, kind=asked.kind))
        known = self.tr("Betrays: {what}").format(what=asked.knows) if asked.knows else ""
        answered = self.tr("answered: {answer}").format(answer=asked.answer) if asked.answer else ""
        self.more.show_text(" · ".join(part for part in (known, answered) if part))
        self._show_ways(row)

    def _show_ways(self, row: LogRow) -> None:
        garage = self._bench.garage
        self.stand_in.setVisible(can_stand_in(garage.book, garage.choice, row.name))
        set_role(self.stand_in, "primary" if row.is_dead else "")
        self.find_button.setText(self.tr("Show this charger") if row.unit_id else self.tr("Find this charger"))
        icons.dress(self.find_button, "ev-charger")
        self.find_button.setToolTip(
            row.charger if row.unit_id else self.tr("Ask {client} what it is").format(client=visible(row.asked.client))
        )

    def say(self, text: str) -> None:
        """Say what became of it."""
        self.more.show_text(text)

    def _stand_in(self) -> None:
        if self.row is not None:
            self.stand_in_wanted.emit(self.row.name)

    def _find(self) -> None:
        if self.row is not None and self.row.unit_id:
            self.unit_wanted.emit(self.row.unit_id)
        elif self.row is not None:
            self.find_wanted.emit(self.row.asked.client)


class LogPanel(QWidget):
    """The newest first. ``empty.acted`` asks for the next thing to do."""

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self._cleared_at: datetime | None = None
        self._betrayed: dict[str, bool] = {}
        self._rows: list[LogRow] = []
        self.model: Listing[LogRow] = Listing(LOG_FIELDS, row_key, self)
        nothing = self.tr("Nothing matches. Change the words or the choice above.")
        self.table = ListView(self.model, self.tr("Who asked for what"), self, nothing=nothing)
        self.table.setMinimumHeight(LEAST_HEIGHT)
        self.table.picked.connect(self._picked)
        self.bar = ChosenBar(bench, self)
        self.said = plain_label(self, "caption", is_wrapped=True)
        self.said.hide()
        self.empty = Empty("", "", "inbox", "", self)
        full = QWidget(self)
        column = QVBoxLayout(full)
        column.setContentsMargins(0, SPACE_8, 0, 0)
        column.setSpacing(SPACE_8)
        column.addLayout(self._filters(full))
        column.addWidget(self.said)
        column.addWidget(self.table, 1)
        column.addWidget(self.bar)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(full)
        self.show_empty()

    def _filters(self, parent: QWidget) -> Flow:
        self.search = QLineEdit(parent)
        self.search.setPlaceholderText(self.tr("Filter by client, name or answer"))
        self.search.setAccessibleName(self.tr("Filter the questions"))
        self.search.setClearButtonEnabled(True)
        self.search.setFixedWidth(240)
        self.search.textChanged.connect(self._show)
        self.service = QComboBox(parent)
        self.service.setAccessibleName(self.tr("Questions to which service"))
        self.service.addItem(self.tr("All services"), None)
        for stand in ORDER:
            self.service.addItem(service_title(stand), stand)
        self.service.currentIndexChanged.connect(self._show)
        self.known = QCheckBox(self.tr("Only what betrays a backend"), parent)
        self.known.toggled.connect(self._show)
        row = Flow()
        for widget in (self.search, self.service, self.known):
            row.addWidget(widget)
        for attribute, words, icon_name, method in (
            ("copy_button", self.tr("Copy"), "copy", self._copy),
            ("save_button", self.tr("Save as CSV"), "download", self._save),
            ("clear_button", self.tr("Clear"), "trash-2", self._clear),
        ):
            button = QPushButton(words, parent)
            icons.dress(button, icon_name, "text2")
            button.clicked.connect(method)
            setattr(self, attribute, button)
            row.addWidget(button)
        return row

    copy_button: QPushButton
    save_button: QPushButton
    clear_button: QPushButton

    # What there is

    @property
    def count(self) -> int:
        """Count what is listed without the filter."""
        return len(self._rows)

    def refresh(self) -> None:
        """Show what was asked until now."""
        log = [item for item in self._bench.garage.log if self._cleared_at is None or item.at > self._cleared_at]
        known = self._chargers()
        self._rows = [self._row(item, known) for item in reversed(log)]
        self._show()

    def _chargers(self) -> dict[str, tuple[str, str]]:
        bench = self._bench
        dialled = {identity: endpoint.handshake.remote for identity, endpoint in bench.server.endpoints.items()}
        boxes = {box_id: state.address for box_id, state in bench.juice.boxes.items()}
        return chargers_by_host(bench.finder.units.values(), dialled, boxes)

    def _row(self, asked: Asked, known: Mapping[str, tuple[str, str]]) -> LogRow:
        unit_id, charger = known.get(asked.client, ("", ""))
        if asked.name not in self._betrayed:
            self._betrayed[asked.name] = is_betrayed(self._bench.garage.book, asked)
        return LogRow(asked=asked, charger=charger, unit_id=unit_id, is_dead=self._betrayed[asked.name])

    def _show(self) -> None:
        stand: Stand | None = self.service.currentData()
        rows = narrowed(self._rows, text=self.search.text(), stand=stand, is_known=self.known.isChecked())
        if rows != self.model.items:
            self.model.show(rows)
        self._stack.setCurrentIndex(1 if self._rows else 0)
        for button in (self.copy_button, self.save_button):
            button.setEnabled(bool(rows))

    def show_empty(self, *, is_on: bool = False, host: str = "") -> None:
        """Say what to do so that somebody asks."""
        if is_on:
            text = self.tr(
                "Let the chargers ask this computer: in the site's router, enter {host} as DNS server or take over the "
                "chosen names; on a direct cable, the addresses (DHCP) do it. Then restart the charger."
            )
            title, action = self.tr("Nobody has asked yet"), self.tr("On the site's router")
            self.empty.show_texts(title, text.format(host=host), "hourglass", action)
        else:
            text = self.tr(
                "Start the names (DNS): every name a charger looks for is then listed here, and with it the backend "
                "it still dials. Until you choose names, all are refused."
            )
            self.empty.show_texts(self.tr("All services are off"), text, "power-off", self.tr("Start names (DNS)"))

    def say(self, text: str, tone: str = "") -> None:
        """Say what became of something, above the list."""
        self.said.setText(text)
        self.said.setVisible(bool(text))
        set_role(self.said, "caption", tone=tone)

    # Acting

    def _picked(self, row: LogRow | None) -> None:
        self.bar.show_row(row)

    def show_again(self) -> None:
        """Show anew what can be done about the chosen question: the names may have changed."""
        self.bar.show_row(self.table.current())

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(log_text(self.model.items))
        self.say(self.tr("Copied {count} lines.").format(count=len(self.model.items)), "good")

    def _clear(self) -> None:
        log = self._bench.garage.log
        self._cleared_at = log[-1].at if log else None
        self.say("")
        self.refresh()

    def _save(self) -> None:
        self._tasks.start_once("save the log", self._saving(), busy=self.save_button)

    async def _saving(self) -> None:
        text = log_csv(self.model.items)
        pattern = self.tr("Tables (*.csv)")
        path = await choose_file(self, self.tr("Save the questions"), pattern=pattern, save_as="garage-questions.csv")
        if path is not None:
            self.write(path, text)

    def write(self, path: Path, text: str) -> None:
        """Write the table to a file, and say how that went."""
        try:
            path.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            self.say(self.tr("Not saved: {why}.").format(why=error.strerror or error), "fault")
        else:
            self.say(self.tr("Saved as {name}.").format(name=path.name), "good")
