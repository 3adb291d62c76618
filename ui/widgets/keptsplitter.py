"""Two panes whose division the technician chooses once: it is the same at the next start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QSplitter, QWidget

UPRIGHT, SIDEWAYS = Qt.Orientation.Vertical, Qt.Orientation.Horizontal


class KeptSplitter(QSplitter):
    """Keeps its sizes in an INI file under ``name``, for each orientation; pixels. ``default`` applies until then."""

    def __init__(
        self, file: Path, name: str, default: Mapping[Qt.Orientation, tuple[int, int]], parent: QWidget
    ) -> None:
        super().__init__(UPRIGHT, parent)
        self._store = QSettings(str(file), QSettings.Format.IniFormat)
        self._name = name
        self._default = dict(default)
        self.setChildrenCollapsible(False)
        self.splitterMoved.connect(self._keep)

    @property
    def is_chosen(self) -> bool:
        """Say whether the technician has chosen the sizes of this orientation."""
        return bool(self._kept())

    def turn(self, orientation: Qt.Orientation) -> None:
        """Lay the panes out the other way, with the sizes that belong to it."""
        if orientation is not self.orientation():
            self.setOrientation(orientation)
            self.restore()

    def restore(self) -> None:
        """Take the sizes of the last time."""
        self.setSizes(self._kept() or list(self._default[self.orientation()]))

    @property
    def _key(self) -> str:
        return f"{self._name}/{'upright' if self.orientation() is UPRIGHT else 'sideways'}"

    def _kept(self) -> list[int]:
        text = str(self._store.value(self._key, ""))
        parts = text.split(" ")
        is_whole = len(parts) == 2 and all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts)
        return [int(part) for part in parts] if is_whole else []

    def _keep(self) -> None:
        self._store.setValue(self._key, " ".join(str(size) for size in self.sizes()))
