"""A titled card on a page, and the rows inside."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ui import icons
from ui.theme import SPACE_8, SPACE_12, SPACE_16, set_role

LABEL_WIDTH = 168


def plain(text: str, role: str = "", parent: QWidget | None = None, *, wraps: bool = True) -> QLabel:
    """Make a label that shows text as it is (never markup) and lets it be selected."""
    label = QLabel(parent)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setText(text)
    label.setWordWrap(wraps)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    set_role(label, role)
    return label


class Section(QFrame):
    """A card with an icon, a title, and rows of label and content below."""

    def __init__(self, title: str, icon_name: str, parent: QWidget | None = None, *, tone: str = "text2") -> None:
        super().__init__(parent)
        set_role(self, "card")
        self.setAccessibleName(title)
        picture = QLabel(self)
        icons.dress(picture, icon_name, tone, 20)
        self.head = QHBoxLayout()
        self.head.setSpacing(SPACE_8)
        self.head.addWidget(picture)
        self.head.addWidget(plain(title, "heading", self, wraps=False))
        self.head.addStretch(1)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(SPACE_16)
        self._grid.setVerticalSpacing(SPACE_12)
        self._grid.setColumnMinimumWidth(0, LABEL_WIDTH)
        self._grid.setColumnStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_16, SPACE_12, SPACE_16, SPACE_16)
        layout.setSpacing(SPACE_12)
        layout.addLayout(self.head)
        layout.addLayout(self._grid)

    def add_row(self, label: str, content: QWidget, note: str = "") -> QLabel:
        """Add a labelled row; the note below the content is returned, to be changed later."""
        row = self._grid.rowCount()
        name = plain(label, "subtle", self)
        name.setBuddy(content)
        self._grid.addWidget(name, row, 0, Qt.AlignmentFlag.AlignTop)
        name.setMinimumHeight(min(32, max(content.sizeHint().height(), 20)))
        box = QVBoxLayout()
        box.setSpacing(4)
        box.addWidget(content)
        remark = plain(note, "caption", self)
        remark.setVisible(bool(note))
        box.addWidget(remark)
        self._grid.addLayout(box, row, 1)
        return remark

    def add_block(self, label: str, content: QWidget) -> None:
        """Add a labelled row of several lines."""
        row = self._grid.rowCount()
        self._grid.addWidget(plain(label, "subtle", self), row, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(content, row, 1)

    def add_fact(self, label: str, text: str, role: str = "") -> QLabel:
        """Add a labelled line of text; the text's label is returned, to be changed later."""
        row = self._grid.rowCount()
        self._grid.addWidget(plain(label, "subtle", self), row, 0, Qt.AlignmentFlag.AlignTop)
        fact = plain(text, role, self)
        self._grid.addWidget(fact, row, 1)
        return fact

    def add_wide(self, content: QWidget) -> None:
        """Add something over the whole width."""
        self._grid.addWidget(content, self._grid.rowCount(), 0, 1, 2)


class Column(QWidget):
    """A page's column of sections, at most ``width`` wide and at the left, so that lines stay readable."""

    def __init__(self, parent: QWidget | None = None, *, width: int = 860) -> None:
        super().__init__(parent)
        set_role(self, "scroll")
        inside = QWidget(self)
        inside.setMaximumWidth(width)
        self._layout = QVBoxLayout(inside)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(SPACE_16)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(24, SPACE_16, 24, 24)
        outer.addWidget(inside, 100, Qt.AlignmentFlag.AlignTop)
        outer.addStretch(1)

    def add(self, widget: QWidget) -> None:
        """Add a widget below the others."""
        self._layout.addWidget(widget)

    def add_layout(self, row: QHBoxLayout) -> None:
        """Add a row below the others."""
        self._layout.addLayout(row)
