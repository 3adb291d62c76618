"""One bridged unit: how it stands, what the bridge does for it, its last messages, and what can be done."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFormLayout, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.model.bridge import Correction, UnitKind
from ui import icons
from ui.models.bridge import (
    MESSAGE_FIELDS,
    Bridged,
    MessageRow,
    correction_texts,
    line_text,
    message_rows,
    notice_of,
    status_facts,
    unit_facts,
)
from ui.models.listing import Listing
from ui.models.plain import counted, visible
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_role
from ui.widgets.chip import TONE_ICONS, Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.elided import ElidedLabel
from ui.widgets.flow import Flow
from ui.widgets.listview import ListView
from ui.widgets.section import plain

if TYPE_CHECKING:
    from app.workbench import Workbench

MOST_MESSAGES = 30
MESSAGES_HEIGHT = 196


class Notice(QFrame):
    """A sentence with its meaning's colour and picture; hidden while it is empty."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._picture = QLabel(self)
        self._text = plain("", "", self)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_8)
        row.setSpacing(SPACE_12)
        row.addWidget(self._picture, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._text, 1)
        self.hide()

    @property
    def text(self) -> str:
        """Return what is said."""
        return self._text.text()

    def say(self, text: str, tone: str = "attention") -> None:
        """Say something, or nothing."""
        self.setVisible(bool(text))
        if text and (text, tone) != (self.text, self.property("tone")):
            self._text.setText(text)
            self.setAccessibleName(text)
            icons.dress(self._picture, TONE_ICONS[tone], tone, 20)
            set_role(self, "banner", tone=tone)
        elif not text:
            self._text.setText("")


class CorrectionCard(QFrame):
    """One correction: what changed, and what must change at the charger."""

    def __init__(self, correction: Correction, parent: QWidget) -> None:
        super().__init__(parent)
        set_role(self, "well")
        title, change, remedy = correction_texts(correction)
        self.setAccessibleName(title)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_8)
        column.setSpacing(SPACE_4)
        column.addWidget(plain(title, "strong", self))
        if change:
            column.addWidget(plain(change, "mono-subtle", self))
        if remedy:
            column.addWidget(plain(self.tr("Before the bridge may be taken away:"), "caption", self))
            column.addWidget(plain(remedy, "", self))


class UnitPane(ScrollColumn):
    """``changed``, ``removed`` and ``handed_over`` carry the row; ``traffic_wanted`` too."""

    changed = Signal(object)
    removed = Signal(object)
    handed_over = Signal(object)
    traffic_wanted = Signal(object)

    def __init__(self, bench: Workbench, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self.row: Bridged | None = None
        self._shown_facts: list[tuple[str, str]] = []
        self._shown_corrections: tuple[Correction, ...] = ()
        self.setAccessibleName(self.tr("The unit"))
        self._build()
        self.column.setContentsMargins(SPACE_12, 0, SPACE_8, SPACE_8)
        self.column.setSpacing(SPACE_8)

    def _build(self) -> None:
        self.title = ElidedLabel(self)
        set_role(self.title, "heading")
        self.chip = Chip("", "idle", parent=self)
        head = QHBoxLayout()
        head.setSpacing(SPACE_8)
        head.addWidget(self.title)
        head.addWidget(self.chip)
        head.addStretch(1)
        self.notice = Notice(self)
        facts = QWidget(self)
        self._facts = QFormLayout(facts)
        self._facts.setContentsMargins(0, 0, 0, 0)
        self._facts.setHorizontalSpacing(SPACE_12)
        self._facts.setVerticalSpacing(SPACE_4)
        self._facts.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.column.addLayout(head)
        self.column.addWidget(self.notice)
        self.column.addLayout(self._ways())
        self.column.addWidget(facts)
        self._build_lists()
        self.column.addStretch(1)

    def _ways(self) -> Flow:
        self.change = self._way(self.tr("Change…"), "pencil", self._change)
        self.hand_over = self._way(self.tr("Hand over…"), "door-open", self._hand_over)
        self.traffic = self._way(self.tr("Messages"), "arrow-left-right", self._traffic)
        self.traffic.setToolTip(self.tr("Show everything said on this line on the page Traffic"))
        self.remove = self._way(self.tr("Remove…"), "trash-2", self._remove)
        flow = Flow()
        for button in (self.change, self.hand_over, self.traffic, self.remove):
            flow.addWidget(button)
        return flow

    def _way(self, text: str, icon_name: str, method: object) -> QPushButton:
        button = QPushButton(text, self)
        icons.dress(button, icon_name, "text2")
        button.clicked.connect(method)
        return button

    def _build_lists(self) -> None:
        self.corrections_title = plain("", "section", self)
        self.corrections = QWidget(self)
        column = QVBoxLayout(self.corrections)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_8)
        self.messages_title = plain(self.tr("Last messages, the newest first"), "section", self)
        self.model: Listing[MessageRow] = Listing(MESSAGE_FIELDS, lambda row: row.seq, self)
        nothing = self.tr("Nothing was said on this line since the bridge started.")
        self.messages = ListView(self.model, self.tr("Last messages"), self, nothing=nothing)
        self.messages.setFixedHeight(MESSAGES_HEIGHT)
        for widget in (self.corrections_title, self.corrections, self.messages_title, self.messages):
            self.column.addWidget(widget)

    # Showing

    def show_row(self, row: Bridged, now: datetime) -> None:
        """Show a unit as it stands now."""
        if self.row is None or self.row.key != row.key:
            self.verticalScrollBar().setValue(0)
        self.row = row
        self.title.show_text(row.choice.identity or row.choice.unit)
        self.chip.show_status(*line_text(row))
        self._show_notice(row)
        self._show_facts([*unit_facts(row.choice), *status_facts(row, now)])
        corrections = row.status.corrections if row.status is not None else ()
        self._show_corrections(corrections, is_relay=row.choice.kind is UnitKind.RELAY and row.status is not None)
        self.hand_over.setVisible(row.choice.kind is UnitKind.RELAY and row.status is not None)
        is_on = row.is_running
        self.messages_title.setVisible(is_on)
        self.messages.setVisible(is_on)
        self.model.show(message_rows(self._bench.bridge.messages(row.choice.identity), MOST_MESSAGES))
        self.traffic.setEnabled(bool(self.model.items))

    def _show_notice(self, row: Bridged) -> None:
        text, tone = notice_of(row)
        status = row.status
        says_more = bool(row.problems or (status is not None and (status.trouble or status.awaits)))
        self.notice.say(" ".join(row.problems) or text if says_more else "", tone or "attention")

    def _show_facts(self, facts: list[tuple[str, str]]) -> None:
        if [name for name, _ in facts] != [name for name, _ in self._shown_facts]:
            while self._facts.rowCount():
                self._facts.removeRow(0)
            for name, text in facts:
                self._facts.addRow(plain(name, "subtle", self, wraps=False), plain(text, "", self))
        else:
            for index, (_, text) in enumerate(facts):
                item = self._facts.itemAt(index, QFormLayout.ItemRole.FieldRole)
                label = item.widget() if item is not None else None
                if isinstance(label, QLabel) and label.text() != text:
                    label.setText(text)
        self._shown_facts = facts

    def _show_corrections(self, corrections: tuple[Correction, ...], *, is_relay: bool) -> None:
        self.corrections_title.setVisible(is_relay)
        self.corrections.setVisible(bool(corrections))
        one, many = self.tr("1 correction"), self.tr("{count} corrections")
        none = self.tr("No correction was needed so far")
        self.corrections_title.setText(counted(len(corrections), one, many) if corrections else none)
        if corrections == self._shown_corrections:
            return
        self._shown_corrections = corrections
        layout = self.corrections.layout()
        assert layout is not None  # made with it
        while (item := layout.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for correction in corrections:
            layout.addWidget(CorrectionCard(correction, self.corrections))

    # Ways

    def _change(self) -> None:
        self.changed.emit(self.row)

    def _remove(self) -> None:
        self.removed.emit(self.row)

    def _hand_over(self) -> None:
        self.handed_over.emit(self.row)

    def _traffic(self) -> None:
        self.traffic_wanted.emit(self.row)


def remedies_text(row: Bridged, nothing: str) -> str:
    """Write what must have changed at a charger before it is handed over, a line each."""
    corrections = row.status.corrections if row.status is not None else ()
    lines = [f"• {visible(one.remedy, 500)}" for one in corrections if one.remedy]
    return "\n".join(dict.fromkeys(lines)) or nothing
