"""What a running step does right now: words, a count, and patience instead of a spinner."""

from __future__ import annotations

from datetime import UTC, datetime

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from app.model.job import Progress
from ui.theme import SPACE_8, SPACE_12, SPACE_16, set_look, set_role

TICK_MS = 250


def span(seconds: float) -> str:
    """Return a duration as a person says it: ``45 s``, ``3 min 05 s``, ``1 h 12 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


class Countdown(QFrame):
    """A running step: text, bar, time gone and the time this model usually takes.

    The bar is blue within the expected time, amber beyond it and red when patience is at its end.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "well")
        self._text = QLabel(self)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setWordWrap(True)
        set_role(self._text, "strong")
        self._times = QLabel(self)
        set_role(self._times, "caption")
        self._bar = QProgressBar(self)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(self.tr("Progress of this step"))
        line = QHBoxLayout()
        line.setSpacing(SPACE_16)
        line.addWidget(self._text, 1)
        line.addWidget(self._times)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_16, SPACE_12, SPACE_16, SPACE_12)
        layout.setSpacing(SPACE_8)
        layout.addLayout(line)
        layout.addWidget(self._bar)
        self._progress: Progress | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        self.hide()

    @property
    def text(self) -> str:
        """Return the words shown."""
        return self._text.text()

    def show_progress(self, progress: Progress | None) -> None:
        """Show what a step does, or nothing."""
        self._progress = progress
        self.setVisible(progress is not None)
        if progress is None:
            self._timer.stop()
            return
        self._text.setText(progress.text)
        self._tick()
        self._timer.start()

    def _tick(self) -> None:
        progress = self._progress
        if progress is None:
            return
        gone = (datetime.now(UTC) - progress.started_at).total_seconds() if progress.started_at else 0.0
        if progress.total:
            self._show_count(progress, gone)
        elif progress.expected_s:
            self._show_time(progress, gone)
        else:
            self._bar.setRange(0, 0)
            self._times.setText(span(gone) if progress.started_at else "")

    def _show_count(self, progress: Progress, gone: float) -> None:
        self._bar.setRange(0, progress.total)
        self._bar.setValue(progress.done)
        times = self.tr("{done} of {total}").format(done=progress.done, total=progress.total)
        self._times.setText(f"{times} · {span(gone)}" if progress.started_at else times)

    def _show_time(self, progress: Progress, gone: float) -> None:
        patience = progress.patience_s or progress.expected_s or 0.0
        expected = min(progress.expected_s or 0.0, patience)
        tone = "working" if gone <= expected else "attention" if gone <= patience else "fault"
        set_look(self._bar, tone=tone)
        self._bar.setRange(0, 1000)
        self._bar.setValue(min(1000, round(1000 * gone / max(patience, 1.0))))
        words = self.tr("{gone} gone · usually {expected} · patience {patience}")
        self._times.setText(words.format(gone=span(gone), expected=span(expected), patience=span(patience)))
