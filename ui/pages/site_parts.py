"""Parts of the Site page: the two views, the add field, the state of the sources, and what an empty site shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.model.frame import SourceHealth, SourceState
from ui import icons
from ui.i18n import translate
from ui.models.plain import tooltip
from ui.models.units import COLUMNS, UNIT_ROLE, Group, UnitsModel
from ui.theme import SPACE_4, SPACE_8, SPACE_12, SPACE_16, SPACE_24, set_look, set_role, theme
from ui.widgets.chip import Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.copy import CopyField
from ui.widgets.topbar import HEALTH_TONES, HEALTH_WORDS, SOURCE_WORDS
from ui.widgets.unitcard import CardDelegate, RowDelegate

ROW_HEIGHT = 42


class CardView(QListView):
    """Cards in lines. Enter opens, Space does the next step, the menu key asks."""

    next_asked = Signal()
    menu_asked = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Chargers"))
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setStyleSheet("QListView { background: transparent; border: none; }")
        self.verticalScrollBar().setSingleStep(48)
        self.delegate = CardDelegate(self)
        self.setItemDelegate(self.delegate)
        theme().changed.connect(self._repaint)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Give Enter, Space and the menu key their meaning."""
        if not _key(self, event):
            super().keyPressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light the painted button below the mouse."""
        super().mouseMoveEvent(event)
        _hover(self, event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for the menu of the charger below."""
        event.accept()
        self.menu_asked.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the new width between the cards."""
        super().resizeEvent(event)
        self.scheduleDelayedItemsLayout()

    def _repaint(self) -> None:
        self.viewport().update()


class UnitTable(QTableView):
    """The same chargers as rows; the headings sort."""

    next_asked = Signal()
    menu_asked = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Chargers as a table"))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.delegate = RowDelegate(self)
        self.setItemDelegate(self.delegate)
        theme().changed.connect(self._repaint)

    def take_model(self, model: UnitsModel) -> None:
        """Show a model with its own column widths; headings span all columns."""
        self.setModel(model)
        for place, column in enumerate(COLUMNS):
            self.setColumnWidth(place, column.width)
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        for signal in (model.rowsInserted, model.rowsRemoved, model.layoutChanged):
            signal.connect(self._span)
        self._span()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Give Enter, Space and the menu key their meaning."""
        if not _key(self, event):
            super().keyPressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light the painted button below the mouse."""
        super().mouseMoveEvent(event)
        _hover(self, event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for the menu of the charger below."""
        event.accept()
        self.menu_asked.emit()

    def _span(self) -> None:
        model = self.model()
        self.clearSpans()
        for row in range(model.rowCount()):
            if isinstance(model.index(row, 0).data(UNIT_ROLE), Group):
                self.setSpan(row, 0, 1, len(COLUMNS))

    def _repaint(self) -> None:
        self.viewport().update()


def _hover(view: CardView | UnitTable, event: QMouseEvent) -> None:
    spot = event.position().toPoint()
    index = view.indexAt(spot)
    is_over = view.delegate.is_button_at(view.visualRect(index), index, spot)
    shape = Qt.CursorShape.PointingHandCursor if is_over else Qt.CursorShape.ArrowCursor
    if view.viewport().cursor().shape() is not shape:
        view.viewport().setCursor(shape)
        view.viewport().update()


def _key(view: CardView | UnitTable, event: QKeyEvent) -> bool:
    if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
        if view.currentIndex().isValid():
            view.activated.emit(view.currentIndex())
        return True
    if event.key() == Qt.Key.Key_Space:
        view.next_asked.emit()
        return True
    return False


class AddBar(QWidget):
    """Add a charger by its address; what went wrong stands below the field, with advice."""

    submitted = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.field = QLineEdit(self)
        self.field.setPlaceholderText(self.tr("Add by address: 192.168.1.5 or COM3"))
        self.field.setAccessibleName(self.tr("Address of a charger to add"))
        self.field.setMaxLength(300)
        self.field.setClearButtonEnabled(True)
        self.field.returnPressed.connect(self._submit)
        self.field.textEdited.connect(self.clear_error)
        self.button = QPushButton(self.tr("Add"), self)
        self.button.setAccessibleName(self.tr("Add the charger at this address"))
        icons.dress(self.button, "plus")
        self.button.clicked.connect(self._submit)
        self.error = QLabel(self)
        self.error.setTextFormat(Qt.TextFormat.PlainText)
        self.error.setWordWrap(True)
        set_look(self.error, tone="fault")
        self.error.hide()
        line = QHBoxLayout()
        line.setSpacing(SPACE_4)
        line.addWidget(self.field, 1)
        line.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addLayout(line)
        layout.addWidget(self.error)

    def show_error(self, message: str, advice: str) -> None:
        """Say what went wrong and what to do."""
        self.error.setText(f"{message} {advice}".strip())
        self.error.setAccessibleName(self.error.text())
        self.error.show()
        set_look(self.field, tone="fault")
        self.field.setFocus()
        self.field.selectAll()

    def clear_error(self) -> None:
        """Forget the last error."""
        self.error.hide()
        set_look(self.field, tone="")

    def _submit(self) -> None:
        text = self.field.text().strip()
        if text and self.button.isEnabled():
            self.submitted.emit(text)


CALM = (SourceHealth.OFF, SourceHealth.STARTING, SourceHealth.WORKING)


class SourceStrip(QWidget):
    """How each source of sightings is: a chip each, and the advice of those in trouble in full."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._chips: dict[str, Chip] = {}
        self._line = QHBoxLayout()
        self._line.setSpacing(SPACE_8)
        caption = QLabel(self.tr("Looking on"), self)
        set_role(caption, "caption")
        self._line.addWidget(caption)
        self._line.addStretch(1)
        self.advice = QLabel(self)
        self.advice.setTextFormat(Qt.TextFormat.PlainText)
        self.advice.setWordWrap(True)
        set_role(self.advice, "caption")
        self.advice.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addLayout(self._line)
        layout.addWidget(self.advice)

    def show_states(self, states: Iterable[SourceState]) -> None:
        """Show the present states of all sources."""
        states, troubles = list(states), []
        for state in states:
            chip = self._chip(state.source)
            name = translate(SOURCE_WORDS.get(state.source, state.source))
            word = translate(HEALTH_WORDS[state.health.value])
            chip.show_status(f"{name}: {word}", HEALTH_TONES[state.health.value])
            said = " ".join(part for part in (state.text, state.advice) if part)
            chip.setToolTip(tooltip(said) if said else "")
            chip.setAccessibleDescription(said)
            if state.health in (SourceHealth.FAILED, SourceHealth.LIMITED) and said:
                troubles.append(f"{name}: {said}")
        self.advice.setText("\n".join(troubles))
        # The top bar shows sources that are well; here they would only take room from the chargers.
        self.setVisible(any(state.health not in CALM for state in states))
        self.advice.setVisible(bool(troubles))

    def _chip(self, source: str) -> Chip:
        chip = self._chips.get(source)
        if chip is None:
            chip = self._chips[source] = Chip(parent=self)
            self._line.insertWidget(self._line.count() - 1, chip)
        return chip


class SiteStart(ScrollColumn):
    """What an empty site teaches: the ways to get a charger onto this screen."""

    search_asked = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("How to connect a charger"))
        layout = self.column
        layout.setContentsMargins(SPACE_24, SPACE_8, SPACE_24, SPACE_8)
        layout.setSpacing(SPACE_12)
        layout.addStretch(1)
        title = QLabel(self.tr("No charger in sight yet"), self)
        set_role(title, "title")
        layout.addWidget(title)
        text = QLabel(self.tr("Rehome is looking all the time. Connect a charger in one of these ways:"), self)
        set_role(text, "subtle")
        layout.addWidget(text)
        for way in self._ways():
            layout.addWidget(self._card(*way))
        self.search_button = QPushButton(self.tr("Search LAN"), self)
        icons.dress(self.search_button, "radar")
        self.search_button.clicked.connect(self.search_asked)
        why = self.tr("It says nothing by itself? Every address of your network can be asked, without risk.")
        layout.addWidget(self._card("radar", self.tr("Search on request"), why, self.search_button))
        self.url = CopyField(name=self.tr("address for the charger's OCPP setting"), parent=self)
        self._dial_card = self._card(
            "radio-tower",
            self.tr("Let it dial in"),
            self.tr("Type this address into the charger's OCPP settings, with any identity; it appears when it dials."),
            self.url,
        )
        layout.addWidget(self._dial_card)
        layout.addStretch(3)

    def _ways(self) -> Sequence[tuple[str, str, str]]:
        return (
            (
                "wifi",
                self.tr("Same network"),
                self.tr("Join this computer to the charger's network, by cable or Wi-Fi. It shows up here by itself."),
            ),
            (
                "usb",
                self.tr("Serial cable"),
                self.tr("Plug a USB serial cable into the charger's service port. No other program may use the port."),
            ),
            (
                "keyboard",
                self.tr("By its address"),
                self.tr("You know its address? Type it into the field above and press Enter."),
            ),
        )

    def _card(self, icon_name: str, title: str, text: str, extra: QWidget | None = None) -> QFrame:
        card = QFrame(self)
        card.setMaximumWidth(760)
        set_role(card, "card")
        picture = QLabel(card)
        icons.dress(picture, icon_name, "accent", 24)
        words = QVBoxLayout()
        words.setSpacing(2)
        for line, role in ((title, "strong"), (text, "subtle")):
            label = QLabel(line, card)
            label.setWordWrap(True)
            set_role(label, role)
            words.addWidget(label)
        if extra is not None:
            words.addSpacing(SPACE_8)
            words.addWidget(extra)
        layout = QHBoxLayout(card)
        layout.setContentsMargins(SPACE_16, SPACE_12, SPACE_16, SPACE_12)
        layout.setSpacing(SPACE_16)
        layout.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(words, 1)
        return card

    def show_urls(self, urls: Sequence[str]) -> None:
        """Show where chargers can dial; nothing while the endpoint does not listen."""
        self.url.show_text(urls[0] if urls else "")
        self._dial_card.setVisible(bool(urls))


class ActionBar(QFrame):
    """What can be done with the selected charger, as real buttons."""

    opened = Signal()
    next_asked = Signal()
    menu_asked = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        set_role(self, "panel")
        self.label = QLabel(self)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        set_role(self.label, "strong")
        self.more_button = QPushButton(self.tr("More"), self)
        self.open_button = QPushButton(self.tr("Open"), self)
        self.next_button = QPushButton(self.tr("Next step"), self)
        icons.dress(self.more_button, "ellipsis")
        icons.dress(self.open_button, "stethoscope")
        self.more_button.clicked.connect(self.menu_asked)
        self.open_button.clicked.connect(self.opened)
        self.next_button.clicked.connect(self.next_asked)
        set_role(self.next_button, "primary")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_16, SPACE_8, SPACE_8, SPACE_8)
        layout.setSpacing(SPACE_8)
        layout.addWidget(self.label, 1)
        for button in (self.more_button, self.open_button, self.next_button):
            layout.addWidget(button)
        self.hide()

    def show_charger(self, title: str, step_text: str, step_icon: str, *, has_step: bool) -> None:
        """Offer the actions of a charger."""
        self.label.setText(title)
        self.next_button.setText(step_text)
        self.next_button.setAccessibleName(f"{step_text}: {title}")
        self.open_button.setAccessibleName(self.tr("Open {name}").format(name=title))
        self.next_button.setVisible(has_step)
        icons.dress(self.next_button, step_icon, "accent_text")
        self.show()
