"""Parts of the traffic page: its top row, the export band, the small fields of its dialogs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QDateTime, Qt, Signal
from PySide6.QtWidgets import (
    QDateTimeEdit,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QWidget,
)

from app.diagnosis.catalogue import explain_note
from ui import icons
from ui.models.plain import visible
from ui.theme import SPACE_8, SPACE_12, set_role
from ui.widgets.chip import Chip

_STATES = {
    "live": ("Live", "working", "Pause", "pause"),
    "paused": ("Paused", "attention", "Resume", "play"),
    "reading": ("Reading back", "idle", "Go live", "arrow-down-to-line"),
}


def finding_text(code: str) -> str:
    """Say what a deviation code means, or the code itself where the catalogue does not know it."""
    return visible(explain_note(code), 300)


class TopRow(QWidget):
    """Title, state, counts, and what can be done with the list as a whole."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        title = QLabel(self.tr("Traffic"), self)
        set_role(title, "title")
        self.state = Chip(self.tr("Live"), "working", "radio", self)
        self.counts = QLabel(self)
        set_role(self.counts, "caption")
        self.live = self._button(self.tr("Pause"), "pause", "Hold the list (Space); G goes back to the newest")
        self.fold = self._button(
            self.tr("Fold noise"), "layers", "Heartbeats and repeated meter values become one line"
        )
        self.fold.setCheckable(True)
        self.fold.setChecked(True)
        self.jump = self._button(self.tr("Go to time"), "clock", "Show the frames of a certain time")
        self.clear = self._button(self.tr("Clear view"), "trash-2", "Empty the list; the stored frames stay")
        self.open = self._button(self.tr("Open trace"), "folder-open", "Open a trace or a log file and replay it")
        self.export = self._button(self.tr("Export"), "download", "Write a trace file; passwords are masked")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_8)
        for widget in (title, self.state, self.counts):
            layout.addWidget(widget)
        layout.addStretch(1)
        for button in (self.live, self.fold, self.jump, self.clear, self.open, self.export):
            layout.addWidget(button)

    def _button(self, text: str, picture: str, tip: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(text.lower().replace(" ", "-"))
        button.setToolTip(tip)
        button.setAccessibleName(text)
        button.setAccessibleDescription(tip)
        icons.dress(button, picture, "text2")
        return button

    def show_state(self, state: str) -> None:
        """Show whether the list follows (``live``), is ``paused``, or the reader looks at older frames."""
        word, tone, action, picture = _STATES[state]
        word, action = self.tr(word), self.tr(action)
        self.state.show_status(word, tone, "radio" if state == "live" else "")
        if self.live.text() != action:
            self.live.setText(action)
            self.live.setAccessibleName(action)
            icons.dress(self.live, picture, "text2")

    def show_counts(self, shown: int, stored: int, is_all: bool) -> None:
        """Count what is in the list and what there is."""
        words = self.tr("{shown} lines · {stored} frames recorded")
        if not is_all:
            words = self.tr("{shown} lines that fit · {stored} frames recorded")
        self.counts.setText(words.format(shown=f"{shown:,}", stored=f"{stored:,}"))

    def show_folded(self, count: int) -> None:
        """Count what is folded away."""
        words = self.tr("Fold noise")
        self.fold.setText(f"{words} ({count:,})" if count else words)


class ExportBand(QFrame):
    """How far an export is, with a way to stop it."""

    cancelled = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        set_role(self, "banner", tone="working")
        self.label = QLabel(self)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.bar = QProgressBar(self)
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(220)
        self.button = QPushButton(self.tr("Cancel"), self)
        self.button.clicked.connect(self._pressed)
        self._is_running = False
        self._words = ""
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_12, SPACE_8, SPACE_8, SPACE_8)
        layout.setSpacing(SPACE_12)
        layout.addWidget(self.label, 1)
        layout.addWidget(self.bar)
        layout.addWidget(self.button)
        self.hide()

    def begin(self, words: str) -> None:
        """Show that something has begun; ``words`` take the ``{count}`` of frames."""
        self._words = words
        self._is_running = True
        self.button.setText(self.tr("Cancel"))
        self.bar.show()
        self.told(0, 0.0)
        self.show()

    def told(self, count: int, part: float) -> None:
        """Show how many frames are done and which part of the work."""
        self.label.setText(self._words.format(count=f"{count:,}"))
        self.bar.setValue(round(part * 1000))

    def done(self, count: int, path: Path, *, left_out: int = 0) -> None:
        """Say where the file is, and what the format had no form for."""
        self._is_running = False
        self.bar.hide()
        self.button.setText(self.tr("Close"))
        text = self.tr("{count} frames written to {path}").format(count=f"{count:,}", path=path)
        if left_out:
            text += self.tr(" · {count} left out: this format has no form for them").format(count=f"{left_out:,}")
        self.label.setText(text)

    def _pressed(self) -> None:
        if self._is_running:
            self.cancelled.emit()
        self.hide()


class TimeField(QDateTimeEdit):
    """A time to go to, in the technician's zone."""

    def __init__(self, start: datetime, parent: QWidget) -> None:
        super().__init__(QDateTime.fromMSecsSinceEpoch(round(start.timestamp() * 1000)), parent)
        self.setDisplayFormat("yyyy-MM-dd HH:mm:ss")
        self.setCalendarPopup(False)
        self.setObjectName("time")
        self.setAccessibleName(self.tr("Time"))

    @property
    def chosen(self) -> QDateTime:
        """Return the time typed."""
        return self.dateTime()


class NameField(QLineEdit):
    """A name to save something under."""

    def __init__(self, proposal: str, parent: QWidget) -> None:
        super().__init__(proposal, parent)
        self.setMaxLength(60)
        self.selectAll()
        self.setAccessibleName(self.tr("Name"))

    @property
    def chosen(self) -> str:
        """Return the name typed."""
        return self.text().strip()
