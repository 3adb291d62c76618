"""Cards: who may charge at chargers that dial this endpoint, and which cards were held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from app.errors import AppError
from app.model.card import Card, CardStatus, Mode
from app.ocpp.cards import VALUE_LIMIT, Decision
from ui import icons
from ui.dialogs import Button, ask, choose_file
from ui.models.cards import CARD_FIELDS, DECISION_FIELDS, card_key, decision_key, last_day, status_text
from ui.models.listing import Listing
from ui.models.plain import visible
from ui.tasks import Tasks
from ui.theme import SPACE_8, SPACE_12, set_look, set_role
from ui.widgets.empty import Empty
from ui.widgets.frameview import plain_label
from ui.widgets.listview import ListView

if TYPE_CHECKING:
    from app.workbench import Workbench

MOST_DECISIONS = 200
LAST_YEAR = 2200
FILES = "CSV (*.csv *.txt)"


class CardsPanel(QWidget):
    """Mode on top, the list with its form below, and the cards that were held."""

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self._desk = bench.services.cards
        self._shown: tuple[object, ...] = ()
        self.setAccessibleName(self.tr("Cards"))
        self.model: Listing[Card] = Listing(CARD_FIELDS, card_key, self)
        self.table = ListView(self.model, self.tr("Cards in the list"), self)
        self.held_model: Listing[tuple[int, Decision]] = Listing(DECISION_FIELDS, decision_key, self)
        self.held = ListView(
            self.held_model,
            self.tr("Cards that were held"),
            self,
            nothing=self.tr("No card was held to a charger since this program started."),
        )
        self.message = plain_label(self, "caption", is_wrapped=True)
        self._build()
        self._connect()
        self.refresh()

    # Building

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addLayout(self._mode_row())
        split = QSplitter(Qt.Orientation.Vertical, self)
        split.setChildrenCollapsible(False)
        split.addWidget(self._list_box())
        split.addWidget(self._held_box())
        split.setSizes([320, 150])
        layout.addWidget(split, 1)

    def _mode_row(self) -> QHBoxLayout:
        label = plain_label(self, "")
        label.setText(self.tr("A card that is not in the list"))
        self.modes = QButtonGroup(self)
        row = QHBoxLayout()
        row.setSpacing(SPACE_12)
        row.addWidget(label)
        words = {
            Mode.ACCEPT: self.tr("may charge"),
            Mode.LIST: self.tr("is refused"),
            Mode.LEARN: self.tr("may charge and is entered"),
        }
        for index, mode in enumerate(Mode):
            button = QRadioButton(words[mode], self)
            button.setAccessibleName(f"{label.text()} {words[mode]}")
            self.modes.addButton(button, index)
            row.addWidget(button)
        row.addStretch(1)
        self.take_in = QPushButton(self.tr("Import…"), self)
        self.take_in.setToolTip(self.tr("Enter the cards of a CSV file"))
        icons.dress(self.take_in, "import", "text2")
        self.give_out = QPushButton(self.tr("Export…"), self)
        self.give_out.setToolTip(self.tr("Write all cards to a CSV file"))
        icons.dress(self.give_out, "download", "text2")
        row.addWidget(self.take_in)
        row.addWidget(self.give_out)
        return row

    def _list_box(self) -> QWidget:
        box = QWidget(self)
        self.empty = Empty(
            self.tr("No cards yet"),
            self.tr("Enter one below, import a list, or choose “may charge and is entered” and hold each card once."),
            "tags",
            "",
            box,
        )
        lists = QWidget(box)
        self._stack = QStackedLayout(lists)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.table)
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addWidget(lists, 1)
        layout.addLayout(self._form())
        layout.addWidget(self.message)
        return box

    def _form(self) -> QHBoxLayout:
        self.uid = QLineEdit(self)
        self.uid.setMaxLength(VALUE_LIMIT)
        self.uid.setPlaceholderText(self.tr("Card number, such as 04A2B3C4"))
        self.uid.setAccessibleName(self.tr("Card number"))
        set_role(self.uid, "mono")
        self.name = QLineEdit(self)
        self.name.setMaxLength(120)
        self.name.setPlaceholderText(self.tr("Name"))
        self.name.setAccessibleName(self.tr("Name"))
        self.group = QLineEdit(self)
        self.group.setMaxLength(36)
        self.group.setPlaceholderText(self.tr("Group"))
        self.group.setAccessibleName(self.tr("Group"))
        self.status = QComboBox(self)
        self.status.setAccessibleName(self.tr("Status"))
        for status in CardStatus:
            self.status.addItem(status_text(status), status)
        self.end = QLineEdit(self)
        self.end.setMaxLength(10)
        self.end.setMinimumWidth(self.fontMetrics().averageCharWidth() * 18)
        self.end.setPlaceholderText(self.tr("until YYYY-MM-DD"))
        self.end.setAccessibleName(self.tr("Last day it may charge, empty = for good"))
        self.save = QPushButton(self.tr("Enter"), self)
        set_role(self.save, "primary")
        self.remove = QPushButton(self.tr("Remove"), self)
        icons.dress(self.remove, "trash-2", "text2")
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        row.addWidget(self.uid, 3)
        row.addWidget(self.name, 2)
        row.addWidget(self.group, 1)
        for widget in (self.status, self.end, self.save, self.remove):
            row.addWidget(widget)
        return row

    def _held_box(self) -> QWidget:
        box = QWidget(self)
        title = plain_label(box, "caption")
        title.setText(self.tr("Cards that were held, the newest first"))
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addWidget(title)
        layout.addWidget(self.held, 1)
        return box

    def _connect(self) -> None:
        self.modes.idClicked.connect(self._choose)
        self.table.picked.connect(self._picked)
        self.held.picked.connect(self._held_picked)
        self.uid.textChanged.connect(self._check)
        self.uid.returnPressed.connect(self.submit)
        self.end.textChanged.connect(self._check)
        self.end.returnPressed.connect(self.submit)
        self.save.clicked.connect(self.submit)
        self.remove.clicked.connect(self._remove)
        self.take_in.clicked.connect(self._import)
        self.give_out.clicked.connect(self._export)

    # Showing

    def refresh(self) -> None:
        """Show list, mode and cards held as they are now."""
        recent = self._desk.recent
        shown = (len(self._desk.book.cards), self._desk.mode, recent[-1] if recent else None)
        if shown == self._shown:
            return
        self._shown = shown
        self._show_cards()
        count = len(recent)
        rows = [(count - index, decision) for index, decision in enumerate(reversed(recent))][:MOST_DECISIONS]
        self.held_model.show(rows)

    def _show_cards(self) -> None:
        blocker = QSignalBlocker(self.modes)
        self.modes.button(list(Mode).index(self._desk.mode)).setChecked(True)
        blocker.unblock()
        self.model.show(self._desk.cards)
        self._stack.setCurrentWidget(self.table if self.model.items else self.empty)
        self.give_out.setEnabled(bool(self.model.items))
        self._check()

    def _check(self) -> None:
        known = self._desk.book.find(self.uid.text()) if self.uid.text().strip() else None
        self.save.setText(self.tr("Change") if known else self.tr("Enter"))
        is_sound = self._has_sound_end()
        set_look(self.end, tone="" if is_sound else "fault")
        self.save.setEnabled(bool(self.uid.text().strip()) and is_sound)
        self.remove.setEnabled(known is not None)

    def _say(self, text: str, tone: str = "") -> None:
        self.message.setText(text)
        set_look(self.message, tone=tone)

    def _picked(self, card: Card | None) -> None:
        if card is None:
            return
        self.uid.setText(card.uid)
        self.name.setText(card.label)
        self.group.setText(card.group)
        self.status.setCurrentIndex(list(CardStatus).index(card.status))
        self.end.setText(last_day(card.expires_at).isoformat() if card.expires_at is not None else "")
        self._say("")

    def _held_picked(self, row: tuple[int, Decision] | None) -> None:
        """Put a card that was held into the form, to enter it with one more click."""
        if row is None:
            return
        decision = row[1]
        if decision.card is not None:
            self.table.select_key(decision.card.uid)
            return
        self.table.clearSelection()
        self.uid.setText(decision.uid)

    # Changing

    def _choose(self, index: int) -> None:
        self._try(lambda: self._desk.choose(list(Mode)[index]), "")

    def submit(self) -> None:
        """Enter the card of the form, or change the one of that number."""
        uid = self.uid.text().strip()
        if not self.save.isEnabled():
            return
        known = self._desk.book.find(uid)
        base = known[0] if known is not None else Card(uid=uid)
        card = replace(
            base,
            status=self.status.currentData(),
            label=self.name.text().strip(),
            group=self.group.text().strip(),
            expires_at=self._end(),
        )
        words = self.tr("{uid} is changed.") if known is not None else self.tr("{uid} is entered.")
        self._try(lambda: self._desk.put([card], self._bench.now()), words.format(uid=visible(card.uid, 60)))
        self.table.select_key(card.uid)

    def _has_sound_end(self) -> bool:
        try:
            return not self.end.text().strip() or date.fromisoformat(self.end.text().strip()).year <= LAST_YEAR
        except ValueError:
            return False

    def _end(self) -> datetime | None:
        text = self.end.text().strip()
        if not text:
            return None
        after = date.fromisoformat(text) + timedelta(days=1)  # the day counts to its end, in the technician's zone
        return datetime(after.year, after.month, after.day).astimezone().astimezone(UTC)

    def _remove(self) -> None:
        known = self._desk.book.find(self.uid.text())
        if known is None:
            return
        card = known[0]
        words = self.tr("{uid} is removed.").format(uid=visible(card.uid, 60))
        self._try(lambda: self._desk.remove([card.uid]), words)
        self.uid.clear()

    def _try(self, action: Callable[[], object], words: str) -> None:
        try:
            action()
        except AppError as error:
            self._say(f"{error.message} {error.advice}", "fault")
        else:
            self._say(words, "good" if words else "")
        self._shown = ()
        self.refresh()

    # Files

    def _import(self) -> None:
        self._tasks.start_once("import cards", self._imported(), busy=self.take_in)

    async def _imported(self) -> None:
        path = await choose_file(self, self.tr("Import cards"), pattern=FILES)
        if path is None:
            return
        try:
            found = await self._desk.import_file(path, self._bench.now())
        except AppError as error:
            self._say(f"{error.message} {error.advice}", "fault")
            return
        words = self.tr("Cards entered: {count}.").format(count=len(found.cards))
        more = "; ".join(found.problems[:3]) + ("; …" if len(found.problems) > 3 else "")
        left = self.tr(" Left out: {problems}.").format(problems=visible(more, 300)) if more else ""
        self._say(words + left, "attention" if more else "good")
        self._shown = ()
        self.refresh()

    def _export(self) -> None:
        self._tasks.start_once("export cards", self._exported(), busy=self.give_out)

    async def _exported(self) -> None:
        buttons = (
            Button(key="save", text=self.tr("Choose a file"), role="primary"),
            Button(key="close", text=self.tr("Cancel")),
        )
        text = self.tr("Card numbers are personal data: keep the file where only those see it who need it.")
        if await ask(self, self.tr("Export all cards?"), text, buttons) != "save":
            return
        path = await choose_file(self, self.tr("Export cards"), pattern=FILES, save_as="cards.csv")
        if path is None:
            return
        try:
            count = await self._desk.export_file(path)
        except AppError as error:
            self._say(f"{error.message} {error.advice}", "fault")
        else:
            self._say(self.tr("Cards written to {name}: {count}.").format(count=count, name=path.name), "good")
