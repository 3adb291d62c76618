"""The list of frames: a bounded window onto the traffic, filtered and folded here, painted by its own delegate."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import attrgetter

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from app.model.frame import Direction, Frame, FrameKind
from ui.i18n import worded
from ui.models.frame_filter import EVERYTHING, FrameFilter, Test
from ui.models.frame_rows import COLUMNS, Entry, Fold, Folder, Pairing, Row, fold, spoken

CAPACITY = 30_000
"""Rows in the list. The store has the rest: more would only make the collector's full runs longer."""

RING = 10_000
"""Live frames kept besides: what a changed filter and a held list go on from without asking the store."""

BLOCK = 30
"""A full list drops this part of its rows at once: a thousand cost 2 ms, a tenth of 50,000 cost 20."""

Index = QModelIndex | QPersistentModelIndex
_NONE = QModelIndex()


class FrameModel(QAbstractTableModel):
    """Entries in the order of their sequence numbers.

    Two ways in: ``take`` gives live frames, kept in a ring and appended while the list follows; ``prepend`` and
    ``append`` give stored pages. While it does not follow (``is_following``), live frames only count in ``held``.
    """

    held_changed = Signal(int)
    folded_changed = Signal(int)
    trimmed = Signal(int)
    """The oldest rows were dropped, so many; older pages begin before the new first row."""

    def __init__(self, parent: QObject, *, capacity: int = CAPACITY, secret_keys: frozenset[str] = frozenset()) -> None:
        super().__init__(parent)
        self.secret_keys = secret_keys
        self.entries: list[Entry] = []
        self.is_following = True
        self.held = 0
        self.filter: FrameFilter = EVERYTHING
        self._tests: list[Test] = []
        self.is_folding = True
        self.floor_seq = 0
        self._capacity = capacity
        self._ring: deque[Row] = deque(maxlen=min(RING, capacity))
        self._pairing = Pairing()
        self._folder = Folder()
        self._row_count = 0
        self._folded = 0
        self._last_live = 0
        self._open_folds = 0

    # What Qt asks

    def rowCount(self, parent: Index = _NONE) -> int:
        """Count the entries."""
        return 0 if parent.isValid() else len(self.entries)

    def columnCount(self, parent: Index = _NONE) -> int:
        """Count the columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Name a column."""
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(COLUMNS):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.tr(COLUMNS[section].title)
        if role == Qt.ItemDataRole.ToolTipRole:
            return worded(COLUMNS[section].help) if COLUMNS[section].help else None
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Give the text of a cell (copying, screen readers, tests); the delegate paints from the entry itself."""
        entry = self.entry(index.row())
        if entry is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[index.column()].text(entry)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return spoken(entry)
        return None

    # Reading

    def entry(self, row: int) -> Entry | None:
        """Return the entry of a row, ``None`` outside the list."""
        return self.entries[row] if 0 <= row < len(self.entries) else None

    @property
    def first_seq(self) -> int | None:
        """Return the number of the oldest frame shown."""
        return self.entries[0].seq if self.entries else None

    @property
    def last_seq(self) -> int | None:
        """Return the number of the newest frame shown."""
        return max(entry.last_seq for entry in self.entries[-200:]) if self.entries else None

    @property
    def ring_first_seq(self) -> int | None:
        """Return the number of the oldest frame in the ring: from there on nothing is missing."""
        return self._ring[0].seq if self._ring else None

    def forget_ring(self) -> None:
        """Empty the ring, because live frames were lost on the way to it; the store has them all."""
        for row in self._ring:
            self._pairing.remove(row)
        self._ring.clear()

    @property
    def folded(self) -> int:
        """Count the frames hidden in folds."""
        return self._folded

    def row_of(self, seq: int) -> int | None:
        """Find the row that shows a frame (its fold, while that is closed)."""
        for row in range(self._bound(seq) - 1, -1, -1):
            entry = self.entries[row]
            if entry.seq == seq and (isinstance(entry, Row) or not entry.is_open):
                return row
            if isinstance(entry, Fold) and not entry.is_open and any(item.seq == seq for item in entry.rows):
                return row
        return None

    def _bound(self, seq: int) -> int:
        """Return the row behind the last entry that can hold the frame; opened folds break the order."""
        if self._open_folds:
            return len(self.entries)
        return bisect_right(self.entries, seq, key=attrgetter("seq"))

    def counts(self) -> dict[str, Counter[str]]:
        """Count what the frames at hand have to offer to a filter: ``identities``, ``actions``, ``notes``."""
        found: dict[str, Counter[str]] = {"identities": Counter(), "actions": Counter(), "notes": Counter()}
        rows = {id(row): row for row in self._ring}
        rows.update((id(row), row) for entry in self.entries for row in _rows_of(entry))
        for row in rows.values():
            found["identities"][row.frame.identity] += 1
            found["actions"][row.frame.action] += 1
            found["notes"].update(row.frame.notes)
        return found

    # Live

    def take(self, frames: Sequence[Frame]) -> None:
        """Take live frames in: the ring keeps them, the list shows those that pass while it follows."""
        passing = []
        tests = self._tests
        for frame in frames:
            if frame.seq <= self._last_live:
                continue
            self._last_live = frame.seq
            row = Row(frame, self.secret_keys)
            self._remember(row)
            if not tests or all(test(frame) for test in tests):
                passing.append(row)
        if not passing:
            return
        if self.is_following:
            self._extend(passing)
        else:
            self.held += len(passing)
            self.held_changed.emit(self.held)

    def hold(self) -> None:
        """Stand still from now on."""
        self.is_following = False

    def behind(self) -> list[Row] | None:
        """Return what came since the last row shown; ``None`` = the ring does not reach back that far."""
        last = max(self.last_seq or 0, self.floor_seq)
        if self._ring and self.entries and last + 1 < self._ring[0].seq:
            return None
        rows: list[Row] = []
        for row in reversed(self._ring):
            if row.seq <= last:
                break
            if all(test(row.frame) for test in self._tests):
                rows.append(row)
        return rows[::-1]

    def read_on(self, rows: list[Row]) -> None:
        """Show the first of the rows that came meanwhile, without following yet."""
        self.held = max(0, self.held - len(rows))
        self.held_changed.emit(self.held)
        self._extend(rows)

    def follow(self) -> bool:
        """Follow the tail again and show what came meanwhile; ``False`` = the ring does not reach back that far."""
        if self.is_following:
            return True
        rows = self.behind()
        if rows is None:
            return False
        self.is_following = True
        self.held = 0
        self.held_changed.emit(0)
        self._extend(rows)
        return True

    def _remember(self, row: Row) -> None:
        if len(self._ring) == self._ring.maxlen:
            self._pairing.remove(self._ring[0])
        self._ring.append(row)
        self._pairing.add(row)

    def _extend(self, rows: list[Row]) -> None:
        """Append rows that pass: one insertion, one change of grown folds."""
        added: list[Entry] = []
        grown: set[int] = set()
        for row in rows:
            if not self.is_folding:
                added.append(row)
                continue
            entry, fold_ = self._folder.add(row)
            if entry is not None:
                added.append(entry)
            elif fold_ is not None:
                grown.add(id(fold_))
                self._folded += 1
        self._row_count += len(rows)
        if added:
            first = len(self.entries)
            self.beginInsertRows(_NONE, first, first + len(added) - 1)
            self.entries += added
            self.endInsertRows()
        if grown:
            self._tell_grown(grown)
            self.folded_changed.emit(self._folded)
        if self._row_count > self._capacity:
            self._trim_oldest()

    def _tell_grown(self, grown: set[int]) -> None:
        rows = []
        for row in range(len(self.entries) - 1, max(-1, len(self.entries) - 5000), -1):
            if id(self.entries[row]) in grown:
                rows.append(row)
                if len(rows) == len(grown):
                    break
        if rows:
            self.dataChanged.emit(self.index(rows[-1], 0), self.index(rows[0], len(COLUMNS) - 1))

    def _trim_oldest(self) -> None:
        """Drop the oldest rows."""
        surplus = self._row_count - self._capacity + self._capacity // BLOCK
        count = 0
        while count < len(self.entries) and surplus > 0:
            surplus -= self._weight(self.entries[count])
            count += 1
        if count:
            self._remove(0, count)
            self.trimmed.emit(count)

    def _trim_newest(self) -> None:
        """Drop the newest rows: reading back through the store never grows the list. It follows no more."""
        self.is_following = False
        surplus = self._row_count - self._capacity + self._capacity // BLOCK
        count = len(self.entries)
        while count > 0 and surplus > 0:
            count -= 1
            surplus -= self._weight(self.entries[count])
        self._remove(count, len(self.entries) - count)
        self._folder.clear()

    @staticmethod
    def _weight(entry: Entry) -> int:
        return len(entry.rows) if isinstance(entry, Fold) and not entry.is_open else 1

    def _remove(self, first: int, count: int) -> None:
        if count <= 0:
            return
        self.beginRemoveRows(_NONE, first, first + count - 1)
        for entry in islice(self.entries, first, first + count):
            self._row_count -= self._weight(entry)
            self._drop(entry)
        del self.entries[first : first + count]
        self.endRemoveRows()
        self.folded_changed.emit(self._folded)

    def _drop(self, entry: Entry) -> None:
        if isinstance(entry, Fold):
            self._folder.forget(entry)
            self._open_folds -= entry.is_open
            self._folded -= 0 if entry.is_open else len(entry.rows) - 1
        self._unpair(entry)

    def _unpair(self, entry: Entry) -> None:
        if not self._ring or entry.seq < self._ring[0].seq:
            for row in entry.rows if isinstance(entry, Fold) else (entry,):
                self._pairing.remove(row)

    # Stored pages

    def prepend(self, frames: Sequence[Frame]) -> int:
        """Put an older page (oldest first) in front. Returns how many entries came to stand there."""
        first = self.first_seq
        rows = self._paired(frame for frame in frames if first is None or frame.seq < first)
        entries = self._folded_page(rows)
        if entries:
            self.beginInsertRows(_NONE, 0, len(entries) - 1)
            self.entries[:0] = entries
            self.endInsertRows()
            self.folded_changed.emit(self._folded)
        if self._row_count > self._capacity:
            self._trim_newest()
        return len(entries)

    def append(self, frames: Sequence[Frame]) -> None:
        """Put a newer page (oldest first) at the end."""
        last = self.last_seq or 0
        self._extend(self._paired(frame for frame in frames if frame.seq > last))

    def load(self, frames: Sequence[Frame], *, is_following: bool) -> None:
        """Show this page and nothing else."""
        self.beginResetModel()
        self._forget_entries()
        self.is_following = is_following
        self.entries = self._folded_page(self._paired(frames))
        self.endResetModel()
        self.folded_changed.emit(self._folded)

    def _paired(self, frames: Iterable[Frame]) -> list[Row]:
        rows = [Row(frame, self.secret_keys) for frame in frames]
        for row in rows:
            self._pairing.add(row)
        return rows

    def _folded_page(self, rows: list[Row]) -> list[Entry]:
        self._row_count += len(rows)
        if not self.is_folding:
            return list(rows)
        entries = fold(rows)
        self._folded += len(rows) - len(entries)
        return entries

    # What the reader decides

    def set_filter(self, filter_: FrameFilter) -> None:
        """Show what passes of the ring; older frames come from the store page by page."""
        self.filter = filter_
        self._tests = filter_.tests()
        self.rebuild()

    def set_folding(self, is_folding: bool) -> None:
        """Fold noise, or show every frame."""
        rows = [row for entry in self.entries for row in _rows_of(entry)]
        self.beginResetModel()
        following = self.is_following
        self._forget_entries()
        for row in rows:
            self._pairing.add(row)
        self.is_following = following
        self.is_folding = is_folding
        self._row_count = len(rows)
        self.entries = self._entries(rows)
        self.endResetModel()
        self.folded_changed.emit(self._folded)

    def rebuild(self) -> None:
        """Show the tail of the ring anew, following."""
        tests = self._tests
        rows = [row for row in self._ring if row.seq > self.floor_seq and all(test(row.frame) for test in tests)]
        self.beginResetModel()
        self._forget_entries()
        self.is_following = True
        self._row_count = len(rows)
        self.entries = self._entries(rows)
        self.endResetModel()
        self.held = 0
        self.held_changed.emit(0)
        self.folded_changed.emit(self._folded)

    def _entries(self, rows: list[Row]) -> list[Entry]:
        if not self.is_folding:
            return list(rows)
        entries = []
        for row in rows:
            entry, _ = self._folder.add(row)
            if entry is not None:
                entries.append(entry)
        self._folded = len(rows) - len(entries)
        return entries

    def clear(self) -> None:
        """Empty the view (nothing is deleted from the store); what comes next is shown."""
        self.floor_seq = max(self._last_live, self.last_seq or 0, self.floor_seq)
        self.load((), is_following=True)

    def toggle_fold(self, row: int) -> bool:
        """Open a fold into its frames, or close it again. Returns whether the row was a fold."""
        entry = self.entry(row)
        if not isinstance(entry, Fold):
            return False
        if entry.is_open:
            self._close_fold(row, entry)
        else:
            self._open_fold(row, entry)
        self.dataChanged.emit(self.index(row, 0), self.index(row, len(COLUMNS) - 1))
        self.folded_changed.emit(self._folded)
        return True

    def _open_fold(self, row: int, entry: Fold) -> None:
        self._folder.forget(entry)
        entry.is_open = True
        self._open_folds += 1
        self._folded -= len(entry.rows) - 1
        self._row_count += 1
        self.beginInsertRows(_NONE, row + 1, row + len(entry.rows))
        self.entries[row + 1 : row + 1] = entry.rows
        self.endInsertRows()

    def _close_fold(self, row: int, entry: Fold) -> None:
        inside = {item.seq for item in entry.rows}
        end = row + 1
        while end < len(self.entries) and self.entries[end].seq in inside:
            end += 1
        self.beginRemoveRows(_NONE, row + 1, end - 1)
        del self.entries[row + 1 : end]
        self.endRemoveRows()
        self._row_count -= 1
        entry.is_open = False
        self._open_folds -= 1
        self._folded += len(entry.rows) - 1

    def _forget_entries(self) -> None:
        self._pairing.clear()
        for row in self._ring:
            self._pairing.add(row)
        self.entries = []
        self._folder.clear()
        self._row_count = 0
        self._folded = 0
        self._open_folds = 0


def _rows_of(entry: Entry) -> list[Row]:
    if isinstance(entry, Row):
        return [entry]
    return [] if entry.is_open else entry.rows


def is_fault(entry: Entry) -> bool:
    """Say whether a row shows something wrong: an error answer, broken text."""
    return entry.frame.kind in (FrameKind.ERROR, FrameKind.BROKEN, FrameKind.RESULT_ERROR)


def is_outgoing(entry: Entry) -> bool:
    """Say whether we sent it."""
    return isinstance(entry, Row) and entry.frame.direction is Direction.OUT
