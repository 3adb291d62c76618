"""The rail at the left: icons with words, one per page."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from ui import icons
from ui.i18n import translate
from ui.pages.catalogue import Entry
from ui.theme import SPACE_4, SPACE_8, set_look, set_role

WORDS_FROM_PX = 460
"""Below this height the rail shows icons alone."""


class Rail(QFrame):
    """Page buttons; ``chosen`` carries the page id. The last entry stands apart at the bottom."""

    chosen = Signal(str)

    def __init__(self, entries: Iterable[Entry], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "rail")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Ignored)
        self.setAccessibleName(translate("Pages"))
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QToolButton] = {}
        self._icons: dict[str, str] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_8, SPACE_8, SPACE_8, SPACE_8)
        layout.setSpacing(SPACE_4)
        listed = list(entries)
        for number, entry in enumerate(listed, start=1):
            if number == len(listed):
                layout.addStretch(1)
            layout.addWidget(self._button(entry, number))
        self._group.idClicked.connect(self._clicked)

    def _button(self, entry: Entry, number: int) -> QToolButton:
        button = QToolButton(self)
        set_role(button, "rail")
        title = translate(entry.title)
        button.setText(title)
        button.setAccessibleName(title)
        button.setToolTip(f"{title} (Ctrl+{number})")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setCheckable(True)
        button.setObjectName(f"rail-{entry.page_id}")
        icons.dress(button, entry.icon_name, "text2", 20)
        self._group.addButton(button, number)
        self._buttons[entry.page_id] = button
        self._icons[entry.page_id] = entry.icon_name
        return button

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave the words to the tool tips where the window is low."""
        super().resizeEvent(event)
        is_low = self.height() < WORDS_FROM_PX
        style = Qt.ToolButtonStyle.ToolButtonIconOnly if is_low else Qt.ToolButtonStyle.ToolButtonTextUnderIcon
        for button in self._buttons.values():
            button.setToolButtonStyle(style)
            set_look(button, compact=is_low)

    def _clicked(self, number: int) -> None:
        page_id = list(self._buttons)[number - 1]
        self.chosen.emit(page_id)

    def show_page(self, page_id: str) -> None:
        """Mark the page that is shown."""
        for name, button in self._buttons.items():
            button.setChecked(name == page_id)
            icons.dress(button, self._icons[name], "accent" if name == page_id else "text2", 20)

    def focus_current(self) -> None:
        """Put the keyboard on the marked page's button."""
        button = self._group.checkedButton() or next(iter(self._buttons.values()))
        button.setFocus(Qt.FocusReason.ShortcutFocusReason)
