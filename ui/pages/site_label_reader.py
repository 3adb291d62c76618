"""Tell a barcode reader from a person: both type, but a reader types a whole label in a blink and ends with Enter."""

from __future__ import annotations

import time
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QWindow
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QComboBox, QLineEdit, QPlainTextEdit, QTextEdit, QWidget

from ui.doors import is_alive

GAP_MS = 35
"""Longest time between two keys of a reader. USB readers need 1 to 20 ms, the fastest typists about 60 ms."""

HOLD_MS = 50
"""How long a key is held back until it is clear that a person pressed it."""

SHORTEST = 4
LONGEST = 1000
"""Characters of one label."""

ENDS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab)
LINE_ENDS = ("\r", "\n")
"""Some readers send a line feed, as Ctrl+J or as a key of its own (seen with xdotool)."""

COMMANDS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
ALT_GR = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier


@dataclass(frozen=True, slots=True)
class _Key:
    key: int
    modifiers: Qt.KeyboardModifier
    text: str

    def event(self) -> QKeyEvent:
        """Make the event anew."""
        return QKeyEvent(QEvent.Type.KeyPress, self.key, self.modifiers, self.text)


class LabelReader(QObject):
    """Listens to the keys of a page's window while the page is shown, and emits what a barcode reader typed.

    ::

        idle ── a letter ──► held ── more within GAP_MS ──► held ── Enter, 4 or more ──► ``scanned``
          ▲                    │
          └── HOLD_MS passed, or another key: all are given to where they were meant to go ──┘

    Text fields are left alone: what is typed into one, by whomever, belongs there.
    """

    scanned = Signal(str)

    def __init__(self, page: QWidget) -> None:
        super().__init__(page)
        self._page = page
        self._window: QWindow | None = None
        self._held: list[_Key] = []
        self._last_ms = 0
        self._swallows_until_ms = 0
        self._is_giving_back = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(HOLD_MS)
        self._timer.timeout.connect(self._give_back)
        page.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the page's coming and going, and look at every key of its window before any widget gets it."""
        if watched is self._page:
            if event.type() == QEvent.Type.Show:
                self._listen(self._page.window().windowHandle())
            elif event.type() == QEvent.Type.Hide:
                self._listen(None)
        elif event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and not self._is_giving_back:
            return self._is_kept(event)
        return False

    def _listen(self, window: QWindow | None) -> None:
        self._give_back()
        if self._window is not None and is_alive(self._window):
            self._window.removeEventFilter(self)
        self._window = window
        if window is not None:
            window.installEventFilter(self)

    def _is_kept(self, event: QKeyEvent) -> bool:
        """Say whether a key stays here for now, or for good."""
        now_ms = event.timestamp() or int(time.monotonic() * 1000)
        is_quick, self._last_ms = now_ms - self._last_ms <= GAP_MS, now_ms
        if event.key() in ENDS or event.text() in LINE_ENDS:
            return self._is_end(now_ms, is_quick=is_quick)
        if not event.text() and not self._is_command(event):
            return False  # Shift alone: readers press it for capitals
        if not _is_letter(event) or self._is_command(event) or _is_text_field(QApplication.focusWidget()):
            self._give_back()
            return False
        if self._held and not is_quick:
            self._give_back()
        if not self._held and event.key() == Qt.Key.Key_Space:
            return False  # no label begins with a blank, and a blank presses buttons
        self._held.append(_Key(event.key(), event.modifiers(), event.text()))
        self._timer.start()
        return len(self._held) <= LONGEST

    def _is_end(self, now_ms: int, *, is_quick: bool) -> bool:
        if not self._held:
            # Readers may end with carriage return and line feed: the second must not open a charger.
            return now_ms <= self._swallows_until_ms
        if not is_quick or len(self._held) < SHORTEST:
            self._give_back()
            return False
        text = "".join(key.text for key in self._held)[:LONGEST].strip()
        self._forget()
        self._swallows_until_ms = now_ms + GAP_MS
        self.scanned.emit(text)
        return True

    def _is_command(self, event: QKeyEvent) -> bool:
        pressed = event.modifiers() & COMMANDS
        return bool(pressed) and pressed != ALT_GR

    def _give_back(self) -> None:
        """Let the keys do what they would have done."""
        held = tuple(self._held)
        self._forget()
        if self._window is None or not is_alive(self._window):
            return
        self._is_giving_back = True
        try:
            for key in held:
                QCoreApplication.sendEvent(self._window, key.event())
        finally:
            self._is_giving_back = False

    def _forget(self) -> None:
        self._held.clear()
        self._timer.stop()


def _is_letter(event: QKeyEvent) -> bool:
    return len(event.text()) == 1 and event.text().isprintable() and not event.isAutoRepeat()


def _is_text_field(widget: QWidget | None) -> bool:
    if isinstance(widget, QComboBox):
        return widget.isEditable()
    return isinstance(widget, QLineEdit | QPlainTextEdit | QTextEdit | QAbstractSpinBox)
