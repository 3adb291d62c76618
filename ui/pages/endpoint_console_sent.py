"""The console's right side: what will be sent, what was sent, what came back and what it means."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPlainTextEdit,
    QSplitter,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.model.exchange import Exchange
from ui import icons
from ui.models.console import Told, answer_of, explained, line, shown_lines, tone
from ui.models.plain import latency_text, visible
from ui.theme import SPACE_4, SPACE_8, set_role, theme
from ui.widgets.frameview import plain_label

PREVIEW, SENT = range(2)
MOST_TOLD = 6


class SentPanel(QWidget):
    """``again`` carries an exchange to be sent again, ``edited`` one to be put back into the form."""

    again = Signal(object)
    edited = Signal(object)
    forgotten = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._exchanges: list[Exchange] = []
        self.preview = self._text(self.tr("What will be sent"))
        self.lines = QListWidget(self)
        self.lines.setAccessibleName(self.tr("Sent commands"))
        self.lines.setUniformItemSizes(True)
        self.lines.currentRowChanged.connect(self._show_row)
        self.lines.itemActivated.connect(self._edit)
        self.lines.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.lines.customContextMenuRequested.connect(self._menu)
        self.meaning = plain_label(self, "", is_wrapped=True)
        self.answer = self._text(self.tr("Request and answer"))
        self.answer.setPlaceholderText(self.tr("Commands and their answers appear here."))
        self.tabs = QTabWidget(self)
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.addTab(self.preview, self.tr("Will be sent"))
        self.tabs.addTab(self._build_sent(), self.tr("Sent and answered"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_8, 0, 0, 0)
        layout.addWidget(self.tabs)
        theme().changed.connect(self._restyle)

    def _text(self, name: str) -> QPlainTextEdit:
        view = QPlainTextEdit(self)
        view.setReadOnly(True)
        view.setAccessibleName(name)
        view.setTabChangesFocus(True)
        set_role(view, "mono")
        return view

    def _build_sent(self) -> QWidget:
        below = QWidget(self)
        inside = QVBoxLayout(below)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(SPACE_4)
        head = QHBoxLayout()
        head.addWidget(self.meaning, 1)
        head.addLayout(self._build_buttons())
        inside.addLayout(head)
        inside.addWidget(self.answer, 1)
        splitter = QSplitter(Qt.Orientation.Vertical, self)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self.lines)
        splitter.addWidget(below)
        splitter.setSizes([90, 220])
        return splitter

    def _build_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2)
        buttons = (
            ("again", "repeat", self.tr("Send again"), self._again),
            ("edit", "pencil", self.tr("Put it back into the form"), self._edit),
            ("copy-request", "arrow-up-right", self.tr("Copy the request"), self.copy_request),
            ("copy-answer", "arrow-down-left", self.tr("Copy the answer"), self.copy_answer),
        )
        for key, icon_name, words, slot in buttons:
            button = QToolButton(self)
            button.setObjectName(f"console-{key}")
            button.setAccessibleName(words)
            button.setToolTip(words)
            set_role(button, "quiet")
            icons.dress(button, icon_name, "text2")
            button.clicked.connect(slot)
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        return row

    # Showing

    def show_preview(self, text: str) -> None:
        """Show what the form makes."""
        self.preview.setPlainText(shown_lines(text))

    def show_exchanges(self, exchanges: list[Exchange], *, is_new: bool = False) -> None:
        """Show these exchanges, the newest chosen; ``is_new`` brings them to the front."""
        self._exchanges = list(exchanges)
        self.lines.clear()
        for exchange in self._exchanges:
            item = QListWidgetItem(line(exchange))
            if colour := tone(exchange):
                item.setForeground(theme().tokens.color(colour))
            self.lines.addItem(item)
        self.lines.setCurrentRow(len(self._exchanges) - 1)
        if not self._exchanges:
            self.answer.setPlainText("")
            self.meaning.setText("")
        if is_new:
            self.tabs.setCurrentIndex(SENT)

    @property
    def chosen(self) -> Exchange | None:
        """Return the exchange the cursor is on."""
        row = self.lines.currentRow()
        return self._exchanges[row] if 0 <= row < len(self._exchanges) else None

    def _show_row(self, _row: int) -> None:
        exchange = self.chosen
        if exchange is None:
            return
        parts = [f"→ {exchange.action}", exchange.request]
        if exchange.trouble or (exchange.took_s is not None and not exchange.is_send):
            answer = exchange.trouble or exchange.answer
            parts = [f"← after {latency_text(exchange.took_s or 0)}", answer, "", *parts]
        self.answer.setPlainText(shown_lines("\n".join(parts)))
        self._show_meaning(self._told(exchange))

    def _told(self, exchange: Exchange) -> list[Told]:
        if exchange.trouble:
            return [Told(visible(exchange.trouble, 600), "fault")]
        if exchange.took_s is None:
            return [Told(self.tr("Waiting for the answer …"), "working")]
        if exchange.is_send:
            return [Told(self.tr("Sent. A SEND is not answered."))]
        answer = answer_of(exchange.answer)
        if "readBack" in answer:
            return [Told(self.tr("The old value is kept, and the new one was read back."), "good")]
        return explained(exchange.version, exchange.action, answer)

    def _show_meaning(self, told: list[Told]) -> None:
        shown = told[:MOST_TOLD]
        self.meaning.setText("\n".join(line.text for line in shown))
        tones = {line.tone for line in told}
        worst = next((name for name in ("fault", "attention", "working", "good") if name in tones), "")
        self.meaning.setProperty("tone", worst)
        self.meaning.style().unpolish(self.meaning)
        self.meaning.style().polish(self.meaning)

    def _restyle(self) -> None:
        self.show_exchanges(self._exchanges)

    # Acting

    def _menu(self, place: QPoint) -> None:
        menu = QMenu(self.lines)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if self.chosen is not None:
            menu.addAction(self.tr("Send again")).triggered.connect(self._again)
            menu.addAction(self.tr("Put it back into the form")).triggered.connect(self._edit)
            menu.addSeparator()
        menu.addAction(self.tr("Forget this history")).triggered.connect(self.forgotten)
        menu.popup(self.lines.viewport().mapToGlobal(place))

    def _again(self) -> None:
        if self.chosen is not None:
            self.again.emit(self.chosen)

    def _edit(self, _item: Any = None) -> None:
        if self.chosen is not None:
            self.edited.emit(self.chosen)

    def copy_request(self) -> None:
        """Put the request on the clipboard; secrets are masked."""
        if self.chosen is not None:
            QGuiApplication.clipboard().setText(self.chosen.request)

    def copy_answer(self) -> None:
        """Put the answer on the clipboard; secrets are masked."""
        if self.chosen is not None:
            QGuiApplication.clipboard().setText(self.chosen.answer or self.chosen.trouble)
