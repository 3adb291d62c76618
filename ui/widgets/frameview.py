"""One frame in full: what it is, its counterpart, tree, pretty text and the exact characters."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QKeySequence, QShortcut, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QTabWidget,
    QTextEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.model.frame import Direction, FrameKind
from app.model.masking import mask_secrets
from ui import icons
from ui.i18n import worded
from ui.models.frame_filter import KIND_WORDS
from ui.models.frame_rows import Entry, Fold, Row
from ui.models.json_tree import Node, Parsed, parse
from ui.models.plain import clock_text, hex_dump, latency_text, moment_text, size_text, visible, visible_lines
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_role, theme

SHOWN_LIMIT = 200_000
"""Characters of one text on screen; copying always gives all."""

Explain = Callable[[str], str]
"""Turns a deviation code into words."""


def plain_label(parent: QWidget, role: str, *, is_wrapped: bool = False) -> QLabel:
    """Return a label that never takes its text for markup and can be selected."""
    label = QLabel(parent)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(is_wrapped)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    set_role(label, role)
    return label


class FrameView(QWidget):
    """The detail pane. ``pair_wanted`` asks for the counterpart."""

    pair_wanted = Signal()

    def __init__(self, explain: Explain, parent: QWidget, *, secret_keys: frozenset[str] = frozenset()) -> None:
        super().__init__(parent)
        self._explain = explain
        self._secret_keys = secret_keys
        self._raw = ""
        self._hex = ""
        self._parsed = Parsed([], "")
        self._is_filled: set[int] = set()
        self.setAccessibleName(self.tr("Frame in detail"))
        self._build_head()
        self._build_tabs()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_8)
        layout.setSpacing(SPACE_4)
        layout.addLayout(self._head)
        layout.addWidget(self.meta)
        layout.addWidget(self.notes)
        layout.addWidget(self.tabs, 1)
        theme().changed.connect(self._restyle)
        self.show_entry(None)

    def _build_head(self) -> None:
        self.heading = plain_label(self, "heading")
        self.meta = plain_label(self, "caption", is_wrapped=True)
        self.notes = plain_label(self, "", is_wrapped=True)
        self.notes.setProperty("tone", "attention")
        self.pair_button = QPushButton(self)
        set_role(self.pair_button, "link")
        self.pair_button.setToolTip(self.tr("Go to the counterpart (P)"))
        self.pair_button.clicked.connect(self.pair_wanted)
        self._head = QHBoxLayout()
        self._head.setSpacing(SPACE_8)
        self._head.addWidget(self.heading)
        self._head.addWidget(self.pair_button)
        self._head.addStretch(1)

    def _build_tabs(self) -> None:
        self.tree = QTreeWidget(self)
        self.tree.setHeaderLabels(["Field", "Value"])
        self.tree.setHeaderHidden(True)
        self.tree.setUniformRowHeights(True)
        self.tree.setAccessibleName(self.tr("Fields"))
        self.tree.setColumnWidth(0, 200)
        self.tree.setAlternatingRowColors(False)
        self.tree.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.pretty = self._text(self.tr("Formatted text"))
        self.raw = self._text(self.tr("Exact text"))
        self.tabs = QTabWidget(self)
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.addTab(self.tree, self.tr("Tree"))
        self.tabs.addTab(self.pretty, self.tr("Formatted"))
        self.tabs.addTab(self.raw, self.tr("Exact"))
        self.tabs.setTabToolTip(2, self.tr("Every character as it went over the wire; control characters made visible"))
        self.tabs.currentChanged.connect(self._fill)
        self.tabs.setCornerWidget(self._copy_buttons())
        for view, slot in ((self.tree, self.copy_value), (self.raw, self.copy_raw)):
            shortcut = QShortcut(QKeySequence.StandardKey.Copy, view, context=Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(slot)

    def _text(self, name: str) -> QPlainTextEdit:
        view = QPlainTextEdit(self)
        view.setReadOnly(True)
        view.setAccessibleName(name)
        view.setTabChangesFocus(True)
        set_role(view, "mono")
        return view

    def _copy_buttons(self) -> QWidget:
        box = QWidget(self)
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 2)
        row.setSpacing(2)
        actions = (
            ("exact", self.tr("Exact"), "copy", self.tr("Copy the exact text (Ctrl+C in the list)"), self.copy_raw),
            ("formatted", self.tr("Formatted"), "braces", self.tr("Copy the formatted text"), self.copy_pretty),
            ("path", self.tr("Path"), "route", self.tr("Copy the path of the selected field"), self.copy_path),
        )
        for key, text, picture, tip, slot in actions:
            button = QPushButton(text, box)
            button.setObjectName(f"copy-{key}")
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            set_role(button, "quiet")
            icons.dress(button, picture, "text2")
            button.clicked.connect(slot)
            row.addWidget(button)
        return box

    # Showing

    def show_entry(self, entry: Entry | None) -> None:
        """Show a frame, a fold, or nothing."""
        self._is_filled.clear()
        self.tabs.setEnabled(isinstance(entry, Row))
        if isinstance(entry, Row):
            self._show_row(entry)
        else:
            self._raw, self._hex, self._parsed = "", "", Parsed([], "")
            self.pair_button.hide()
            self.notes.hide()
            self._show_none(entry)
        self._fill(self.tabs.currentIndex())

    def _show_none(self, entry: Fold | None) -> None:
        if entry is None:
            self.heading.setText(self.tr("No frame selected"))
            self.meta.setText(self.tr("Select a row to see every field and the exact text."))
            return
        self.heading.setText(f"{len(entry.rows)} frames folded")
        self.meta.setText(f"{visible(entry.frame.identity)} · {entry.summary}\nPress Enter to open the fold.")

    def _show_row(self, row: Row) -> None:
        frame = row.frame
        self._raw = mask_secrets(frame.text, self._secret_keys)
        self._parsed = (
            parse(self._raw) if frame.raw is None else Parsed([], "", self.tr("These bytes never became text."))
        )
        self.heading.setText(
            " ".join(part for part in (visible(frame.action, 64), worded(KIND_WORDS[frame.kind])) if part)
        )
        way = "from the charger" if frame.direction is Direction.IN else "to the charger"
        parts = [
            visible(frame.identity, 64) or "(no identity)",
            f"{moment_text(frame.at)[:10]} {clock_text(frame.at)}",
            f"{way}, connection {frame.connection}",
            f"id {visible(frame.uid, 64)}" if frame.uid else "no id",
            size_text(row.size),
            f"frame {frame.seq}",
        ]
        if self._raw != frame.text:
            parts.append("a secret is masked")
        self.meta.setText(" · ".join(parts))
        self.notes.setVisible(bool(frame.notes))
        self.notes.setText("\n".join(f"⚠ {self._explain(note)}" for note in frame.notes))
        self._show_pair(row)
        self._hex = hex_dump(frame.raw[:8192]) if frame.raw is not None else ""

    def _show_pair(self, row: Row) -> None:
        self.pair_button.setVisible(bool(row.pair_seq))
        took = latency_text(abs(row.took_s))
        is_request = row.frame.kind is FrameKind.CALL
        words = self.tr("Answered after {took} · show answer")
        if not is_request:
            words = self.tr("Answer took {took} · show request")
        self.pair_button.setText(words.format(took=took))

    def _fill(self, tab: int) -> None:
        """Fill a tab when it is first looked at."""
        if tab in self._is_filled:
            return
        self._is_filled.add(tab)
        if tab == 0:
            self._fill_tree()
        elif tab == 1:
            self.pretty.setPlainText(visible_lines(self._cut(self._parsed.pretty) or self._parsed.trouble))
        else:
            self._fill_raw()

    def _cut(self, text: str) -> str:
        if len(text) <= SHOWN_LIMIT:
            return text
        return f"{text[:SHOWN_LIMIT]}\n… {len(text) - SHOWN_LIMIT:,} more characters; “Copy” gives all."

    def _fill_raw(self) -> None:
        self.raw.setExtraSelections([])
        if not self._raw and self._hex:
            self.raw.setPlainText(self._hex)
            return
        self.raw.setPlainText(visible_lines(self._cut(self._raw), mark_breaks=True))
        position = self._parsed.position
        if position is not None and position < SHOWN_LIMIT:
            start = len(visible_lines(self._raw[:position], mark_breaks=True))
            end = len(visible_lines(self._raw[: position + 1], mark_breaks=True))
            self.raw.setExtraSelections([self._mark(start, max(end, start + 1))])

    def _mark(self, start: int, end: int) -> QTextEdit.ExtraSelection:
        """Show where the JSON breaks."""
        cursor = QTextCursor(self.raw.document())
        last = self.raw.document().characterCount() - 1
        cursor.setPosition(min(start, max(0, last - 1)))
        cursor.setPosition(min(end, last), QTextCursor.MoveMode.KeepAnchor)
        selection = QTextEdit.ExtraSelection()
        shape = QTextCharFormat()
        shape.setBackground(QColor(theme().tokens.fault))
        shape.setForeground(QColor(theme().tokens.panel))
        selection.cursor, selection.format = cursor, shape
        return selection

    def _fill_tree(self) -> None:
        self.tree.clear()
        if self._parsed.trouble:
            item = QTreeWidgetItem([self.tr("Not a message"), self._parsed.trouble])
            item.setForeground(1, theme().tokens.color("fault"))
            self.tree.addTopLevelItem(item)
            return
        self.tree.addTopLevelItems([self._item(node) for node in self._parsed.nodes])
        self.tree.expandToDepth(3)

    def _item(self, node: Node) -> QTreeWidgetItem:
        item = QTreeWidgetItem([node.name, node.value])
        item.setData(0, Qt.ItemDataRole.UserRole, node.path)
        if node.kind in ("branch", "note"):
            item.setForeground(1, theme().tokens.color("text2"))
        item.addChildren([self._item(child) for child in node.children])
        return item

    def _restyle(self) -> None:
        self._is_filled.clear()
        self._fill(self.tabs.currentIndex())

    # Copying

    def copy_raw(self) -> None:
        """Put the exact text (secrets masked) on the clipboard."""
        QGuiApplication.clipboard().setText(self._raw or self._hex)

    def copy_pretty(self) -> None:
        """Put the formatted text on the clipboard."""
        QGuiApplication.clipboard().setText(self._parsed.pretty or self._raw)

    def copy_path(self) -> None:
        """Put the path of the selected field on the clipboard."""
        if (item := self.tree.currentItem()) is not None:
            QGuiApplication.clipboard().setText(str(item.data(0, Qt.ItemDataRole.UserRole) or ""))

    def copy_value(self) -> None:
        """Put the selected field's value on the clipboard."""
        if (item := self.tree.currentItem()) is not None:
            QGuiApplication.clipboard().setText(item.text(1))
