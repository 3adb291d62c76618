"""Conditions on the list of frames: search field, menus, and a chip for each that is active."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QPushButton, QToolButton, QVBoxLayout, QWidget

from app.model.frame import Direction, FrameKind
from ui import icons
from ui.i18n import worded
from ui.models.frame_filter import DIRECTION_WORDS, EVERYTHING, KIND_WORDS, FrameFilter
from ui.models.plain import visible
from ui.models.saved_filters import BUILT_IN
from ui.theme import SPACE_4, SPACE_8, set_role

TYPING_MS = 180
MOST_CHOICES = 40
"""Entries of one menu; the busiest come first, the rest is reached by the search field."""

MOST_CHIPS = 12


class FilterBar(QWidget):
    """Shows and edits a ``FrameFilter``. ``changed`` carries the new one."""

    changed = Signal(object)
    menu_wanted = Signal()
    """A menu is about to open: give fresh choices with ``offer``."""
    save_wanted = Signal()
    remove_wanted = Signal(str)
    left = Signal()
    """Escape or Down in the search field: the reader goes back to the list."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.filter: FrameFilter = EVERYTHING
        self._saved: dict[str, FrameFilter] = {}
        self._counts: dict[str, Mapping[str, int]] = {"identities": {}, "actions": {}, "notes": {}}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(TYPING_MS)
        self._timer.timeout.connect(self._typed)
        self._row = QHBoxLayout()
        self._row.setSpacing(SPACE_8)
        self._add_search()
        self._menus = {
            "identities": self._menu(self.tr("Charger"), "ev-charger"),
            "directions": self._menu(self.tr("Way"), "arrow-left-right"),
            "kinds": self._menu(self.tr("Kind"), "tag"),
            "actions": self._menu(self.tr("Action"), "activity"),
            "notes": self._menu(self.tr("Findings"), "triangle-alert"),
            "saved": self._menu(self.tr("Quick filters"), "filter"),
        }
        self._chips = QHBoxLayout()
        self._chips.setSpacing(SPACE_4)
        self._chip_box = QWidget(self)
        self._chip_box.setLayout(self._chips)
        self._chips.setContentsMargins(0, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addLayout(self._row)
        layout.addWidget(self._chip_box)
        self._show_chips()

    def _add_search(self) -> None:
        self.search = _SearchField(self)
        self.search.setPlaceholderText(self.tr("Find in frames: words, ids, values (Ctrl+F)"))
        self.search.setAccessibleName(self.tr("Find in frames"))
        self.search.setClearButtonEnabled(True)
        self.search.setMaxLength(300)
        self.search.textEdited.connect(self._edited)
        self.search.textChanged.connect(self._edited)
        self.search.returnPressed.connect(self._typed)
        self.search.left.connect(self.left)
        self._row.addWidget(self.search, 1)

    def _menu(self, text: str, picture: str) -> QMenu:
        button = QPushButton(f"{text} ▾", self)
        button.setAccessibleName(self.tr("Filter by {what}").format(what=text))
        button.setStyleSheet("QPushButton::menu-indicator { image: none; width: 0; }")
        button.setObjectName(f"filter-{text.lower().replace(' ', '-')}")
        icons.dress(button, picture, "text2")
        menu = QMenu(button)
        menu.setAccessibleName(text)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self._about_to_show)
        button.setMenu(menu)
        self._row.addWidget(button)
        return menu

    # What can be chosen

    def offer(self, **counts: Mapping[str, int]) -> None:
        """Take the values there are (``identities``, ``actions``, ``notes``) with how often each occurred."""
        self._counts.update(counts)

    def offer_saved(self, saved: dict[str, FrameFilter]) -> None:
        """Take the technician's own filters."""
        self._saved = saved

    def _about_to_show(self) -> None:
        self.menu_wanted.emit()
        menu = self.sender()
        for part, known in self._menus.items():
            if known is menu:
                known.clear()
                self._fill(part, known)

    def _fill(self, part: str, menu: QMenu) -> None:
        if part == "saved":
            self._fill_saved(menu)
            return
        if part == "directions":
            choices: Iterable[tuple[Any, str]] = ((value, worded(DIRECTION_WORDS[value])) for value in Direction)
        elif part == "kinds":
            choices = ((value, worded(KIND_WORDS[value])) for value in FrameKind)
        else:
            choices = self._counted(part)
        if part == "notes":
            self._check(menu, "has_notes", True, self.tr("Any finding"), self.filter.has_notes)
            menu.addSeparator()
        present = getattr(self.filter, part)
        for value, words in choices:
            self._check(menu, part, value, words, value in present)
        if menu.isEmpty():
            menu.addAction(self.tr("Nothing seen yet")).setEnabled(False)

    def _counted(self, part: str) -> list[tuple[Any, str]]:
        counts = self._counts[part]
        busiest = sorted(counts, key=lambda value: -counts[value])[:MOST_CHOICES]
        names = {"identities": "(no identity)", "actions": "(no action)"}
        return [
            (value, f"{visible(value, 48) or names.get(part, '–')}   {counts[value]:,}") for value in sorted(busiest)
        ]

    def _check(self, menu: QMenu, part: str, value: object, words: str, is_on: bool) -> None:
        action = QAction(words.replace("&", "&&"), menu)
        action.setCheckable(True)
        action.setChecked(is_on)
        action.setData((part, value))
        action.triggered.connect(self._toggled)
        menu.addAction(action)

    def _fill_saved(self, menu: QMenu) -> None:
        for name, filter_ in (*((worded(name), filter_) for name, filter_ in BUILT_IN), *self._saved.items()):
            action = menu.addAction(visible(name, 60).replace("&", "&&"))
            action.setData(filter_)
            action.triggered.connect(self._quick)
        menu.addSeparator()
        keep = menu.addAction(self.tr("Save this filter…"))
        keep.setEnabled(not self.filter.is_empty)
        keep.triggered.connect(self.save_wanted)
        if self._saved:
            removal = menu.addMenu(self.tr("Remove a saved filter"))
            for name in self._saved:
                action = removal.addAction(visible(name, 60).replace("&", "&&"))
                action.setData(name)
                action.triggered.connect(self._removal)

    # What was chosen

    def set_filter(self, filter_: FrameFilter) -> None:
        """Show a filter and tell about it."""
        self.filter = filter_
        if self.search.text() != filter_.text:
            self.search.blockSignals(True)
            self.search.setText(filter_.text)
            self.search.blockSignals(False)
        self._timer.stop()
        self._show_chips()
        self.changed.emit(filter_)

    def _edited(self) -> None:
        self._timer.start()

    def _typed(self) -> None:
        self._timer.stop()
        text = self.search.text().strip()
        if text != self.filter.text:
            self.set_filter(replace(self.filter, text=text))

    def _toggled(self) -> None:
        part, value = self._data()
        if part == "has_notes":
            self.set_filter(replace(self.filter, has_notes=not self.filter.has_notes))
        else:
            self.set_filter(self.filter.toggled(part, value))

    def _quick(self) -> None:
        self.set_filter(self._data())

    def _removal(self) -> None:
        self.remove_wanted.emit(self._data())

    def _data(self) -> Any:
        sender = self.sender()
        return sender.data() if isinstance(sender, QAction) else None

    def clear(self) -> None:
        """Take all conditions away."""
        self.set_filter(EVERYTHING)

    def _show_chips(self) -> None:
        while (item := self._chips.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        chips = self.filter.chips()
        for part, value, words in chips[:MOST_CHIPS]:
            self._chips.addWidget(self._chip(part, value, words))
        if len(chips) > 1:
            clear = QPushButton(f"{self.tr('Clear all')} ({len(chips)})", self._chip_box)
            set_role(clear, "link")
            clear.clicked.connect(self.clear)
            self._chips.addWidget(clear)
        self._chips.addStretch(1)
        self._chip_box.setVisible(bool(chips))

    def _chip(self, part: str, value: object, words: str) -> QToolButton:
        chip = QToolButton(self._chip_box)
        chip.setText(visible(words, 40).replace("&", "&&"))
        chip.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        chip.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        icons.dress(chip, "x", "accent", 14)
        set_role(chip, "filter-chip")
        chip.setCheckable(True)
        chip.setChecked(True)
        chip.setAccessibleName(self.tr("Remove the condition {words}").format(words=words))
        chip.setProperty("condition", (part, value))
        chip.clicked.connect(self._chip_clicked)
        return chip

    def _chip_clicked(self) -> None:
        part, value = self.sender().property("condition")
        self.set_filter(self.filter.without(part, value))


class _SearchField(QLineEdit):
    left = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape empties the field, then leaves it; Down goes to the list."""
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        elif event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Down):
            self.left.emit()
        else:
            super().keyPressEvent(event)
