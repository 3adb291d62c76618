"""F1: how to work with the keyboard, and the order of things."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ui.i18n import translate
from ui.pages.catalogue import RAIL
from ui.theme import SPACE_8, SPACE_16, SPACE_24, set_role

KEYS = (
    ("Ctrl+F, Ctrl+K", "Search on this page"),
    ("F5", "Read everything anew"),
    ("F6, Shift+F6", "Next or previous part of the window"),
    ("Tab, Shift+Tab", "Next or previous control"),
    ("Space, Enter", "Press what has the focus"),
    ("Alt+Left", "Back to where you were"),
    ("Escape", "Close a question or a panel"),
    ("F1", "This sheet"),
    ("Ctrl+Q", "Quit"),
)

WAY = (
    "Site lists every charger found. Open one to see its chain of proof: the first red lamp is the diagnosis. "
    "Its “Rehome” button starts the guided job: back up, choose the new backend, look at the plan, apply, prove, "
    "hand over. You can leave at any step and resume later from Jobs."
)
GARAGE = (
    "Garage stands in for what a site lacks: names, time, addresses and web answers for chargers without internet. "
    "Its list of who asks betrays the backend a charger still dials. It also wakes JuiceBoxes and bridges what can't "
    "speak to the new backend itself."
)


class HelpSheet(QDialog):
    """A sheet beside the work: it stays open while you try the keys."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("Help"))
        self.setAccessibleName(self.windowTitle())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_24, SPACE_24, SPACE_24, SPACE_16)
        layout.setSpacing(SPACE_16)
        layout.addWidget(self._text(translate("The way through"), "heading"))
        layout.addWidget(self._text(translate(WAY), ""))
        layout.addWidget(self._text(translate(GARAGE), ""))
        layout.addWidget(self._text(translate("Keys"), "heading"))
        layout.addLayout(self._keys())
        close = QPushButton(translate("Close"), self)
        close.setDefault(True)
        close.clicked.connect(self.close)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
        self.setFixedWidth(720)

    def _text(self, text: str, role: str, *, wraps: bool = True) -> QLabel:
        label = QLabel(text, self)
        label.setWordWrap(wraps)
        set_role(label, role)
        return label

    def _keys(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(SPACE_24)
        grid.setVerticalSpacing(SPACE_8)
        pages = tuple((f"Ctrl+{number}", item.title) for number, item in enumerate(RAIL, start=1))
        everything = (*pages, *KEYS)
        rows = (len(everything) + 1) // 2
        for index, (keys, meaning) in enumerate(everything):
            column, row = divmod(index, rows)
            grid.addWidget(self._text(keys, "mono", wraps=False), row, 2 * column)
            grid.addWidget(self._text(translate(meaning), "", wraps=False), row, 2 * column + 1)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        return grid
