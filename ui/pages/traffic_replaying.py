"""A page that can show a recording in place of what is live, from a dialog or a file dropped onto it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from ui.models.frames import FrameModel
from ui.pages.page import Page
from ui.pages.traffic_files import TraceFiles, dropped_file
from ui.pages.traffic_parts import ExportBand
from ui.theme import SPACE_8, SPACE_12
from ui.widgets.filterbar import FilterBar

if TYPE_CHECKING:
    from app.trace.recording import Recording
    from ui.pages.traffic_replay import ReplayPane


class ReplayingPage(Page):
    """Owns the recording that is open. Call ``host`` once, with the live part of the page."""

    model: FrameModel
    files: TraceFiles
    replay: ReplayPane | None

    def host(self, live: QWidget, band: ExportBand, secret_keys: frozenset[str]) -> None:
        """Lay the page out: the live part or the recording, and the band of long work below."""
        self.replay = None
        self.live = live
        self.secret_keys = secret_keys
        self.files = TraceFiles(self, band, secret_keys, self.show_recording)
        self._outer = QVBoxLayout(self)
        self._outer.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_12)
        self._outer.setSpacing(SPACE_8)
        self._outer.addWidget(live, 1)
        self._outer.addWidget(band)
        self.setAcceptDrops(True)

    def dress(self, bar: FilterBar) -> None:
        """Let a filter bar offer and keep the technician's own filters."""

    def ask_export(self) -> None:
        """Ask what of the live traffic to write."""
        self.files.ask_export(self.model.filter)

    def show_recording(self, recording: Recording) -> None:
        """Replay a recording instead of the live traffic."""
        from ui.pages.traffic_replay import ReplayPane

        self.leave_replay()
        self.replay = ReplayPane(self.bench, recording, self, self.secret_keys)
        self.dress(self.replay.bar)
        self.replay.left.connect(self.leave_replay)
        self.replay.export_wanted.connect(self._export_recording)
        self.live.hide()
        self._outer.insertWidget(0, self.replay, 1)
        self.replay.table.setFocus()

    def _export_recording(self) -> None:
        if self.replay is not None:
            self.files.ask_export(self.replay.model.filter, self.replay.recording)

    def leave_replay(self) -> None:
        """Close the recording, if one is open, and show live traffic again."""
        pane, self.replay = self.replay, None
        if pane is not None:
            self._outer.removeWidget(pane)
            pane.hide()
            self.live.show()
            self.tasks.start("close recording", pane.close_recording())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take one file."""
        if dropped_file(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the file that was dropped."""
        path = dropped_file(event)
        if path is not None:
            event.acceptProposedAction()
            self.files.open(path)
