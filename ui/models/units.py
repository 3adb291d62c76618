"""The chargers of a site as rows: words, order, filter, groups, and the one next thing to do with each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.model.address import BleAddress, JuiceAddress, NetAddress, OcppAddress, SerialAddress
from app.model.job import JobState
from app.model.unit import Adoption, Health, SourceKind, Unit, Way
from ui.i18n import worded
from ui.models.plain import LONG_SERIAL, shortened, tooltip, visible
from ui.models.unit_words import ADOPTION, HEALTH, SOURCES, box_of

Index = QModelIndex | QPersistentModelIndex
UNIT_ROLE = Qt.ItemDataRole.UserRole + 1
"""Gives the ``UnitRow`` or ``Group`` of a row."""


class Grouping(Enum):
    """How the site is divided."""

    NONE = "none"
    ADOPTION = "adoption"
    FAMILY = "family"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMark:
    """What a card needs to know of the unit's newest job."""

    job_id: str
    state: JobState
    step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRow:
    """One charger on the Site page."""

    unit: Unit
    family: str = ""
    picture: str = "ev-charger"
    job: JobMark | None = None
    bridged: str = ""
    """The identity under which our own bridge brings it here; empty for what dials us by itself."""

    @property
    def key(self) -> str:
        """Identify the row."""
        return self.unit.unit_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A heading between rows."""

    key: str
    text: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """The one thing to do: where it leads (``job``, ``resume``, ``unit``, ``garage``, ``bridge``), words and icon."""

    verb: str
    text: str
    icon: str
    is_primary: bool = False


_STEPS = {
    Adoption.ORPHANED: NextStep(verb="job", text="Rehome", icon="route", is_primary=True),
    Adoption.FREE: NextStep(verb="job", text="Give it a backend", icon="route", is_primary=True),
    Adoption.MANAGED: NextStep(verb="unit", text="Open", icon="stethoscope"),
    Adoption.OURS: NextStep(verb="unit", text="Open", icon="stethoscope"),
    Adoption.UNKNOWN: NextStep(verb="unit", text="Diagnose", icon="stethoscope"),
}


def next_step(row: UnitRow) -> NextStep:
    """Name the one next thing to do with a charger."""
    job = row.job
    if job is not None and job.state in (JobState.ACTIVE, JobState.UNDOING):
        return NextStep(verb="resume", text=worded("Continue the job"), icon="play", is_primary=True)
    if job is not None and job.state is JobState.PAUSED:
        return NextStep(verb="resume", text=worded("Resume the job"), icon="play", is_primary=True)
    if not row.unit.is_present:
        return NextStep(verb="unit", text=worded("Why is it gone?"), icon="stethoscope")
    if box_of(row.unit):
        return NextStep(verb="garage", text=worded("Open in the garage"), icon="warehouse", is_primary=True)
    if row.bridged:
        return NextStep(verb="bridge", text=worded("Open the bridge"), icon="waypoints", is_primary=True)
    step = _STEPS[Adoption.ORPHANED if _waits_here(row) else row.unit.adoption]
    return replace(step, text=worded(step.text))


def _waits_here(row: UnitRow) -> bool:
    """Say whether the charger dials us and nobody has moved it to its real backend yet."""
    is_done = row.job is not None and row.job.state is JobState.DONE
    dials = any(way.is_present and way.source is SourceKind.DIAL_IN for way in row.unit.ways)
    return row.unit.adoption is Adoption.OURS and dials and not is_done


def short_title(unit: Unit) -> str:
    """Return its name as a heading: a serial of many digits is cut in the middle."""
    serial = unit.identity.serial
    is_told = not unit.identity.name and bool(serial)
    return visible(
        unit.title.replace(serial, shortened(serial, 10) if len(serial) > LONG_SERIAL else serial)
        if is_told
        else unit.title
    )


def model_line(unit: Unit) -> str:
    """Return vendor and model as one line, safe to show."""
    vendor, model = unit.identity.vendor, unit.identity.model
    if any(name.strip() and model.casefold().startswith(name.strip().casefold()) for name in vendor.split("/")):
        vendor = ""
    return visible(" ".join(part for part in (vendor, model) if part))


def detail_line(unit: Unit) -> str:
    """Return serial and firmware as one line, safe to show."""
    identity = unit.identity
    parts = [f"S/N {shortened(identity.serial)}" if identity.serial else "", identity.firmware]
    return visible(" · ".join(part for part in parts if part))


def ago(since: datetime | None, now: datetime) -> str:
    """Say how long ago something was, in one short word."""
    if since is None:
        return worded("never")
    seconds = max(0, int((now - since).total_seconds()))
    for limit, size, mark in ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h")):
        if seconds < limit:
            return worded("now") if seconds < 5 else f"{seconds // size} {mark}"
    return f"{seconds // 86400} d"


def seen_text(age: str) -> str:
    """Put an age into words."""
    return worded("seen just now") if age == worded("now") else worded("seen {age} ago", age=age)


def newest_ways(unit: Unit) -> list[Way]:
    """Return one way per source: the present or newest one, in a fixed order of sources."""
    best: dict[SourceKind, Way] = {}
    for way in unit.ways:
        old = best.get(way.source)
        if old is None or (way.is_present, way.seen_at) > (old.is_present, old.seen_at):
            best[way.source] = way
    return [best[source] for source in SOURCES if source in best]


def trouble_text(unit: Unit) -> str:
    """Return why a charger that is there can't be asked, if that is so."""
    return visible(next((way.trouble for way in unit.ways if way.is_present and way.trouble), ""), 120)


def short_address(way: Way) -> str:
    """Return host, port or identity of a way, short enough for a card."""
    address = way.address
    match address:
        case NetAddress():
            return visible(address.host, 24)
        case OcppAddress():
            return shortened(visible(address.identity), 24)
        case JuiceAddress():
            return shortened(visible(address.box_id))
        case BleAddress():
            return visible(address.name or address.device, 24)
        case SerialAddress():
            return visible(address.port, 24)


def plain_address(way: Way) -> str:
    """Return where a way leads as a person writes it: host and port, serial port, identity, or Bluetooth name."""
    match way.address:
        case OcppAddress(identity=identity):
            return visible(identity, 96)
        case JuiceAddress(box_id=box_id):
            return visible(box_id, 96)
        case BleAddress(device=device, name=name):
            return visible(f"{name} · {device}" if name else device, 96)
        case other:
            return visible(str(other), 96)


def where_text(way: Way, now: datetime) -> str:
    """Describe a way in words, for tool tips and screen readers."""
    presence = (
        seen_text(ago(way.seen_at, now)) if way.is_present else worded("gone since {age}", age=ago(way.seen_at, now))
    )
    return f"{SOURCES[way.source].text} {plain_address(way)}, {presence}"


def _address(unit: Unit) -> str:
    first = next((way for way in unit.ways if isinstance(way.address, NetAddress)), None)
    first = first or next(iter(unit.ways), None)
    if first is None:
        return ""
    return plain_address(first)


def _seen_text(row: UnitRow) -> str:
    now = datetime.now(UTC)
    return ", ".join(f"{SOURCES[way.source].text} {ago(way.seen_at, now)}" for way in newest_ways(row.unit))


def _job_text(row: UnitRow) -> str:
    return (
        f"{row.job.state.value} · {row.job.step}"
        if row.job and row.job.step
        else (row.job.state.value if row.job else "")
    )


def _last_seen(row: UnitRow) -> float:
    return -row.unit.last_seen_at.timestamp() if row.unit.last_seen_at is not None else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: heading, width in pixels, what is shown, what it sorts by."""

    title: str
    width: int
    text: Callable[[UnitRow], str]
    sort: Callable[[UnitRow], Any]


_ADOPTION_ORDER = {state: place for place, state in enumerate(ADOPTION)}
_HEALTH_ORDER = {Health.FAULT: 0, Health.ATTENTION: 1, Health.UNKNOWN: 2, Health.GOOD: 3}


def _column(
    title: str, width: int, text: Callable[[UnitRow], str], sort: Callable[[UnitRow], Any] | None = None
) -> Column:
    return Column(title=title, width=width, text=text, sort=sort or (lambda row: text(row).casefold()))


def _by_adoption(row: UnitRow) -> int:
    return _ADOPTION_ORDER[row.unit.adoption]


COLUMNS: tuple[Column, ...] = (
    _column("Charger", 220, lambda row: visible(row.unit.title)),
    _column("Next", 170, lambda row: next_step(row).text),
    _column("Adoption", 175, lambda row: ADOPTION[row.unit.adoption].text, _by_adoption),
    _column("Health", 160, lambda row: HEALTH[row.unit.health].text, lambda row: _HEALTH_ORDER[row.unit.health]),
    _column("State", 100, lambda row: visible(row.unit.state)),
    _column("Model", 170, lambda row: model_line(row.unit)),
    _column("Serial", 120, lambda row: visible(row.unit.identity.serial)),
    _column("Firmware", 110, lambda row: visible(row.unit.identity.firmware)),
    _column("Address", 150, lambda row: visible(_address(row.unit))),
    _column("Seen", 160, _seen_text, _last_seen),
)
NEXT_COLUMN, ADOPTION_COLUMN, HEALTH_COLUMN = 1, 2, 3

SORTS: Mapping[str, Callable[[UnitRow], Any]] = {
    "Urgency": lambda row: (not next_step(row).is_primary, _by_adoption(row), _HEALTH_ORDER[row.unit.health]),
    "Name": lambda row: visible(row.unit.title).casefold(),
    "State": lambda row: row.unit.state.casefold(),
    "Last seen": _last_seen,
}


def describe(row: UnitRow) -> str:
    """Say everything a card shows in one sentence, for screen readers."""
    unit, now = row.unit, datetime.now(UTC)
    parts = [
        visible(unit.title),
        model_line(unit),
        detail_line(unit),
        ADOPTION[unit.adoption].text,
        HEALTH[unit.health].text,
        visible(unit.state),
        trouble_text(unit),
        visible(unit.note, 200),
        *(where_text(way, now) for way in newest_ways(unit)),
        f"Next: {next_step(row).text}",
    ]
    return ". ".join(part for part in parts if part)


class UnitsModel(QAbstractTableModel):
    """Chargers and group headings. Rows move by the least change, so selection and scroll position stay."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._units: dict[str, UnitRow] = {}
        self._rows: list[UnitRow | Group] = []
        self._text = ""
        self._adoptions: frozenset[Adoption] = frozenset()
        self._grouping = Grouping.NONE
        self._sort: Callable[[UnitRow], Any] = SORTS["Urgency"]
        self._is_descending = False

    @property
    def total(self) -> int:
        """Count all chargers, shown or filtered away."""
        return len(self._units)

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the ids of all chargers."""
        return tuple(self._units)

    @property
    def shown(self) -> int:
        """Count the chargers that pass the filter."""
        return sum(isinstance(row, UnitRow) for row in self._rows)

    def counts(self) -> dict[Adoption, int]:
        """Count all chargers by adoption."""
        result = dict.fromkeys(Adoption, 0)
        for row in self._units.values():
            result[row.unit.adoption] += 1
        return result

    def row_of(self, key: str) -> int:
        """Return the place of a charger, or -1 where it is not shown."""
        return next((place for place, row in enumerate(self._rows) if isinstance(row, UnitRow) and row.key == key), -1)

    def at(self, index: Index) -> UnitRow | None:
        """Return the charger of an index; ``None`` for headings and nothing."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        return row if isinstance(row, UnitRow) else None

    def get(self, key: str) -> UnitRow | None:
        """Return a charger by its id, also when it is filtered away."""
        return self._units.get(key)

    def put(self, rows: Iterable[UnitRow]) -> None:
        """Add or replace chargers."""
        for row in rows:
            self._units[row.key] = row
        self._arrange()

    def drop(self, keys: Iterable[str]) -> None:
        """Forget chargers."""
        for key in keys:
            self._units.pop(key, None)
        self._arrange()

    def show(
        self,
        *,
        text: str | None = None,
        adoptions: frozenset[Adoption] | None = None,
        grouping: Grouping | None = None,
        sort: Callable[[UnitRow], Any] | None = None,
        is_descending: bool = False,
    ) -> None:
        """Change filter, grouping or order; what is ``None`` stays. No adoption chosen = all."""
        if sort is not None:
            self._is_descending = is_descending
        self._text = self._text if text is None else text.casefold().strip()
        self._adoptions = self._adoptions if adoptions is None else adoptions
        self._grouping = grouping or self._grouping
        self._sort = sort or self._sort
        self._arrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Order by a column (from the table's header)."""
        if 0 <= column < len(COLUMNS):
            self.show(sort=COLUMNS[column].sort, is_descending=order is Qt.SortOrder.DescendingOrder)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Count rows with headings."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Count columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Leave headings out of the keyboard's way."""
        if self.at(index) is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        if role == UNIT_ROLE:
            return row
        if isinstance(row, Group):
            is_text = role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole) and index.column() == 0
            return f"{row.text} ({row.count})" if is_text else None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[index.column()].text(row)
        if role == Qt.ItemDataRole.AccessibleTextRole and index.column() == 0:
            return describe(row)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tooltip(describe(row).replace(". ", "\n"))
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return column headings."""
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return worded(COLUMNS[section].title) if 0 <= section < len(COLUMNS) else None
        return None

    def _passes(self, row: UnitRow) -> bool:
        if self._adoptions and row.unit.adoption not in self._adoptions:
            return False
        if not self._text:
            return True
        unit = row.unit
        words = (describe(row), row.family, unit.identity.mac, unit.backend.url if unit.backend else "")
        return all(word in "\n".join(words).casefold() for word in self._text.split())

    def _wanted(self) -> list[UnitRow | Group]:
        rows = sorted(filter(self._passes, self._units.values()), key=lambda row: visible(row.unit.title).casefold())
        rows.sort(key=self._sort, reverse=self._is_descending)
        if self._grouping is Grouping.NONE:
            return list(rows)
        groups: dict[str, list[UnitRow]] = {}
        if self._grouping is Grouping.ADOPTION:
            for row in sorted(rows, key=lambda row: _ADOPTION_ORDER[row.unit.adoption]):
                groups.setdefault(ADOPTION[row.unit.adoption].text, []).append(row)
        else:
            for row in sorted(rows, key=lambda row: row.family.casefold() or "~"):
                groups.setdefault(row.family or "Unknown family", []).append(row)
        result: list[UnitRow | Group] = []
        for name, members in groups.items():
            result += [Group(key=f"group/{name}", text=name, count=len(members)), *members]
        return result

    def _arrange(self) -> None:
        wanted = self._wanted()
        keys = {row.key for row in wanted}
        self._remove_all_but(keys)
        self._reorder(wanted)
        self._insert(wanted)
        fresh = {row.key: row for row in wanted}
        for place, row in enumerate(self._rows):
            new = fresh[row.key]
            if new != row:
                self._rows[place] = new
                self.dataChanged.emit(self.index(place, 0), self.index(place, len(COLUMNS) - 1))

    def _remove_all_but(self, keys: set[str]) -> None:
        place = len(self._rows)
        while place > 0:
            place -= 1
            if self._rows[place].key in keys:
                continue
            last = place
            while place > 0 and self._rows[place - 1].key not in keys:
                place -= 1
            self.beginRemoveRows(QModelIndex(), place, last)
            del self._rows[place : last + 1]
            self.endRemoveRows()

    def _reorder(self, wanted: list[UnitRow | Group]) -> None:
        place_of = {row.key: place for place, row in enumerate(wanted)}
        ordered = sorted(self._rows, key=lambda row: place_of[row.key])
        if [row.key for row in ordered] == [row.key for row in self._rows]:
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        keys = [self._rows[index.row()].key for index in before]
        self._rows = ordered
        now_at = {row.key: place for place, row in enumerate(ordered)}
        after = [self.index(now_at[key], index.column()) for key, index in zip(keys, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _insert(self, wanted: list[UnitRow | Group]) -> None:
        present = {row.key for row in self._rows}
        place = 0
        while place < len(wanted):
            if wanted[place].key in present:
                place += 1
                continue
            last = place
            while last + 1 < len(wanted) and wanted[last + 1].key not in present:
                last += 1
            self.beginInsertRows(QModelIndex(), place, last)
            self._rows[place:place] = wanted[place : last + 1]
            self.endInsertRows()
            place = last + 1
