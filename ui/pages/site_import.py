"""Import a list of chargers: every line is shown with what is wrong with it before anything is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QTableView, QVBoxLayout, QWidget

from app.model.secret import MASK
from app.model.unit import Unit
from app.settings import Listed, Preset, Settings
from ui.dialogs import choose_file, shown, tell
from ui.i18n import translate
from ui.models.plain import tooltip, visible
from ui.models.sitelist import SIZE_LIMIT, ListRow, matches, read
from ui.theme import SPACE_8, SPACE_12, SPACE_24, set_role, theme
from ui.wizard.words import QT_TRANSLATE_NOOP

if TYPE_CHECKING:
    from app.workbench import Workbench

Index = QModelIndex | QPersistentModelIndex
_TITLES = tuple(
    QT_TRANSLATE_NOOP("list", title) for title in ("Line", "Serial", "Identity", "Password", "Backend", "Problem")
)
ROW_HEIGHT = 44
"""Two lines: a row may have more than one problem."""
_WIDTHS = (50, 120, 130, 90, 230, 380)


class ListModel(QAbstractTableModel):
    """The lines of a list."""

    def __init__(self, rows: Sequence[ListRow], parent: QObject) -> None:
        super().__init__(parent)
        self._rows = rows

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Count lines."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Count columns."""
        return 0 if parent.isValid() else len(_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return column headings."""
        is_title = orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole
        return translate(_TITLES[section], "list") if is_title else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows; passwords never."""
        row = self._rows[index.row()]
        if role == Qt.ItemDataRole.ForegroundRole and (row.problems and index.column() == len(_TITLES) - 1):
            return theme().tokens.color("attention" if row.is_usable else "fault")
        if role == Qt.ItemDataRole.ToolTipRole and row.problems:
            return tooltip("\n".join(row.problems))
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        mark = MASK if row.password else ""
        texts = (str(row.line), row.serial, row.identity, mark, row.backend, " ".join(row.problems))
        return visible(texts[index.column()])


class ImportDialog(QDialog):
    """A preview with a table and two buttons."""

    def __init__(self, rows: Sequence[ListRow], name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Import a list of chargers"))
        self.resize(1060, 480)
        good = sum(row.is_usable for row in rows)
        heading = QLabel(visible(name, 80), self)
        heading.setTextFormat(Qt.TextFormat.PlainText)
        set_role(heading, "heading")
        text = self.tr("{good} of {all} lines can be imported. The file itself is not changed; mend the rest there.")
        summary = QLabel(text.format(good=good, all=len(rows)), self)
        set_role(summary, "subtle")
        self.table = QTableView(self)
        self.table.setAccessibleName(self.tr("Lines of the list"))
        self.table.setModel(ListModel(rows, self))
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        for place, width in enumerate(_WIDTHS):
            self.table.setColumnWidth(place, width)
        header = self.table.horizontalHeader()
        header.setStretchLastSection(True)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.table.setShowGrid(False)
        take = self.tr("Import one charger") if good == 1 else self.tr("Import {count} chargers").format(count=good)
        self.take_button = QPushButton(take, self)
        set_role(self.take_button, "primary")
        self.take_button.setDefault(True)
        self.take_button.setEnabled(good > 0)
        self.take_button.clicked.connect(self.accept)
        leave = QPushButton(self.tr("Cancel"), self)
        leave.clicked.connect(self.reject)
        self._lay_out((heading, summary, self.table), (leave, self.take_button))

    def _lay_out(self, parts: Sequence[QWidget], buttons: Sequence[QPushButton]) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_24, SPACE_24, SPACE_24, SPACE_12)
        layout.setSpacing(SPACE_8)
        for part in parts:
            layout.addWidget(part)
        line = QHBoxLayout()
        line.addStretch(1)
        for button in buttons:
            line.addWidget(button)
        layout.addLayout(line)


async def import_list(bench: Workbench, parent: QWidget, path: Path | None = None) -> tuple[str, ...]:
    """Choose a file, show what it holds, take what is good; return the ids of the chargers on this site it names."""
    title = parent.tr("Choose a list of chargers")
    path = path or await choose_file(
        parent, title, pattern=parent.tr("Lists (*.csv *.xlsx *.txt *.tsv);;All files (*)")
    )
    if path is None:
        return ()
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        await tell(parent, parent.tr("The list can't be read"), f"{error.strerror or error}: {path.name}", tone="fault")
        return ()
    rows = await asyncio.to_thread(read, data)
    if not rows:
        text = parent.tr("It has no lines. Wanted: the columns serial, id, password, backend, as CSV or Excel (.xlsx).")
        await tell(parent, parent.tr("The list is empty"), text, tone="attention")
        return ()
    dialog = ImportDialog(rows, path.name, parent)
    if not await shown(dialog):
        return ()
    return take([row for row in rows if row.is_usable], bench)


def take(rows: Sequence[ListRow], bench: Workbench) -> tuple[str, ...]:
    """Keep the list in the settings (for chargers that come later too), backends as presets, passwords in the vault.

    Raises StoreError where the settings can't be saved; then nothing is taken.
    """
    bench.change_settings(_with_list(bench.settings, rows))
    found = []
    for row in rows:
        if row.password and row.identity:
            bench.vault.set(f"identity/{row.identity}", row.password)
        for unit in tuple(bench.finder.units.values()):
            if matches(row, unit):
                bench.finder.update(_planned(unit, row))
                found.append(unit.unit_id)
    return tuple(found)


def _with_list(settings: Settings, rows: Sequence[ListRow]) -> Settings:
    """Add a list; it replaces what an earlier one said of the same serial number or identity."""
    taken = {name for row in rows for name in _names(row)}
    kept = [item for item in settings.listed if not _names(item) & taken]
    listed = [*kept, *(Listed(serial=row.serial, identity=row.identity, backend=row.backend) for row in rows)]
    known = {preset.url for preset in settings.presets}
    fresh = dict.fromkeys(row.backend for row in rows if row.backend and row.backend not in known)
    presets = (*settings.presets, *(Preset(name=_host(url), url=url) for url in fresh))
    return replace(settings, listed=tuple(listed), presets=presets)


def _names(row: ListRow | Listed) -> set[tuple[str, str]]:
    names = (("serial", row.serial.casefold()), ("identity", row.identity.casefold()))
    return {(kind, name) for kind, name in names if name}


def _planned(unit: Unit, row: ListRow) -> Unit:
    parts = [f"identity {row.identity}" if row.identity else "", f"at {row.backend}" if row.backend else ""]
    return replace(unit, note="On the list: " + " ".join(part for part in parts if part))


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0] or url
