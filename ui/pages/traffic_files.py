"""Trace files of the traffic page: export with its choices, import, and what is dropped onto the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QWidget

from app.model.trace import TraceFormat
from app.trace.exporting import Exported, format_of
from app.trace.merging import Selection
from app.trace.recording import Recording
from ui.dialogs import Button, ask, choose_file
from ui.models.frame_filter import FrameFilter
from ui.pages.page import Page
from ui.pages.traffic_parts import ExportBand

FORMATS = (
    (TraceFormat.REHOME, "Rehome trace: everything, hash-chained", ".rehome-trace"),
    (TraceFormat.REHOME, "Rehome trace, packed", ".rehome-trace.gz"),
    (TraceFormat.OPEN, "OCPP Trace JSONL: for other tools", ".jsonl"),
    (TraceFormat.PCAPNG, "pcapng: for Wireshark", ".pcapng"),
    (TraceFormat.LOG, "Plain text: one message a line", ".log"),
)
SPANS = (("Everything recorded", 0), ("The last hour", 1), ("The last 24 hours", 24), ("The last 7 days", 168))
READABLE = "*.rehome-trace *.gz *.zip *.jsonl *.log *.txt *.json *.pcap *.pcapng"


class ExportForm(QWidget):
    """What to write, and how."""

    def __init__(self, identities: Sequence[str], filter_: FrameFilter, parent: QWidget, *, is_live: bool) -> None:
        super().__init__(parent)
        self._filter = filter_
        self.format = self._combo(self.tr("Format"), [self.tr(words) for _, words, _ in FORMATS])
        self.identity = self._combo(self.tr("Charger"), [self.tr("All chargers"), *identities])
        self.span = self._combo(self.tr("Time"), [self.tr(words) for words, _ in SPANS])
        self.filtered = QCheckBox(self.tr("Only frames that pass the filter of the list"), self)
        self.filtered.setEnabled(not filter_.is_empty)
        if len(filter_.identities) == 1:
            self.identity.setCurrentText(next(iter(filter_.identities)))
        self.setMinimumWidth(420)
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addRow(self.tr("Format"), self.format)
        layout.addRow(self.tr("Charger"), self.identity)
        if is_live:
            layout.addRow(self.tr("Time"), self.span)
        else:
            self.span.hide()
        layout.addRow("", self.filtered)

    def _combo(self, name: str, choices: Sequence[str]) -> QComboBox:
        combo = QComboBox(self)
        combo.setAccessibleName(name)
        combo.addItems(list(choices))
        return combo

    @property
    def suffix(self) -> str:
        """Return how a file of the chosen format ends."""
        return FORMATS[self.format.currentIndex()][2]

    @property
    def kind(self) -> TraceFormat:
        """Return the chosen format."""
        return FORMATS[self.format.currentIndex()][0]

    def selection(self, now: datetime, keys: frozenset[str]) -> Selection:
        """Return what was chosen; ``keys`` are secret settings that profiles name."""
        hours = SPANS[self.span.currentIndex()][1]
        tests = self._filter.tests() if self.filtered.isChecked() else []
        return Selection(
            identity=self.identity.currentText() if self.identity.currentIndex() > 0 else "",
            since=now - timedelta(hours=hours) if hours else None,
            passes=(lambda frame: all(test(frame) for test in tests)) if tests else None,
            secret_keys=keys,
        )


class TraceFiles(QObject):
    """Asks, writes and reads; tells how far it is in the band. ``opened`` takes a recording that was read."""

    def __init__(
        self, page: Page, band: ExportBand, keys: frozenset[str], opened: Callable[[Recording], object]
    ) -> None:
        super().__init__(page)
        self._page = page
        self._band = band
        self._keys = keys
        self._opened = opened
        band.cancelled.connect(self._cancel)

    def _cancel(self) -> None:
        for name in ("export", "import"):
            self._page.tasks.cancel(name)

    # Out

    def ask_export(self, filter_: FrameFilter, recording: Recording | None = None) -> None:
        """Ask what to write, then write it."""
        self._page.tasks.start_once("export", self._ask_export(filter_, recording))

    async def _ask_export(self, filter_: FrameFilter, recording: Recording | None) -> None:
        page = self._page
        known = recording.info.identities if recording is not None else page.bench.store.traffic.identities()
        form = ExportForm(known, filter_, page, is_live=recording is None)
        buttons = (
            Button(key="choose", text=page.tr("Choose the file…"), role="primary"),
            Button(key="close", text=page.tr("Cancel")),
        )
        text = page.tr("Passwords are masked in every format.")
        if await ask(page, page.tr("Export a trace"), text, buttons, icon_name="download", detail=form) != "choose":
            return
        kind, suffix = form.kind, form.suffix
        selection = form.selection(page.bench.now(), self._keys)
        stamp = page.bench.now().astimezone().strftime("%Y-%m-%d-%H%M")
        path = await choose_file(
            page, page.tr("Export a trace"), pattern=f"*{suffix}", save_as=f"rehome-{stamp}{suffix}"
        )
        if path is not None:
            await self.export_to(path, selection, kind=kind, recording=recording)

    async def export_to(
        self, path: Path, selection: Selection, *, kind: TraceFormat | None = None, recording: Recording | None = None
    ) -> Exported:
        """Write a trace, telling how far it is."""
        traces = self._page.bench.traces
        kind = kind if kind is not None else format_of(path)
        self._band.begin(self._page.tr("Exporting: {count} frames written"))
        try:
            if recording is None:
                done = await traces.export(path, kind, selection, told=self._band.told)
            else:
                done = await traces.convert(recording, path, kind, selection, told=self._band.told)
        except BaseException:
            self._band.hide()
            raise
        self._band.done(done.frames, path, left_out=done.left_out)
        return done

    # In

    def ask_import(self) -> None:
        """Ask for a trace, then open it."""
        self._page.tasks.start_once("import", self._ask_import())

    async def _ask_import(self) -> None:
        page = self._page
        pattern = page.tr("Traces and logs ({endings});;All files (*)").format(endings=READABLE)
        path = await choose_file(page, page.tr("Open a trace"), pattern=pattern)
        if path is not None:
            await self._read(path)

    def open(self, path: Path) -> None:
        """Open a trace."""
        self._page.tasks.replace("import", self._read(path))

    async def _read(self, path: Path) -> None:
        self._band.begin(self._page.tr("Reading: {count} frames"))
        try:
            recording = await self._page.bench.traces.open(path, self._band.told)
        finally:
            self._band.hide()
        self._opened(recording)


def dropped_file(event: QDropEvent) -> Path | None:
    """Return the one file of a drop, ``None`` where it is something else."""
    urls = event.mimeData().urls()
    if len(urls) != 1 or not urls[0].isLocalFile():
        return None
    return Path(urls[0].toLocalFile())
