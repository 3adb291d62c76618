"""The triage of a site as rows: verdicts in words, sorted and filtered, and as text for a message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from PySide6.QtCore import QObject, Qt

from app.model.profile import Grade, Verdict
from app.model.triage import Answering, Hand, Judgement
from ui.i18n import worded
from ui.models.families import VERDICT_LOOKS, graded
from ui.models.listing import Field, Index, Listing
from ui.models.plain import tooltip, visible
from ui.models.unit_words import Words
from ui.models.units import ago


def _words(verdict: Verdict, word: str, sense: str) -> Words:
    tone, icon_name = VERDICT_LOOKS[verdict]
    return Words(word, icon_name, tone, sense)


VERDICTS: Mapping[Verdict, Words] = {
    verdict: _words(verdict, word, sense)
    for verdict, word, sense in (
        (Verdict.NOW, "Repoint now", "Nothing stands in the way."),
        (Verdict.AFTER, "Repoint after …", "Something must be done before."),
        (Verdict.BRIDGE, "Bridge", "It needs something between it and the backend."),
        (Verdict.SIM, "New SIM", "Its mobile connection must be mended first."),
        (Verdict.BOARD, "Board swap", "Its controller must be replaced."),
        (Verdict.NOT_HERE, "Cannot be saved here", "Nobody on site can repoint it."),
        (Verdict.UNKNOWN, "Not known", "Too little is known of it."),
    )
}
"""In the order of hope."""

DONE = Words("Done already", "badge-check", "good", "It dials the new backend already.")
MISSING = Words("Not seen", "search-x", "idle", "The site's list names it, but nobody has seen it.")

PLANNED = "Our own planning figures: nobody has measured this family"
COUNTED = "Our own assumption: its restarts and redials, and ten minutes of work"

HANDS = {Hand.REHOME: "Rehome", Hand.PERSON: "A person", Hand.NOBODY: "–"}

ANSWERS = {
    Answering.YES: Words("Answers", "circle-check", "attention", "Its old backend still takes connections."),
    Answering.REFUSES: Words("Takes no charger", "circle-slash", "idle", "Something answers, but takes no charger."),
    Answering.NO: Words("Answers no more", "unplug", "idle", "Its old backend is gone."),
    Answering.CANT_TELL: Words("Can't be told", "circle-question-mark", "idle", "This computer seems to be offline."),
    Answering.UNASKED: Words("", "circle-dashed", "idle", "Nobody has asked it, or it is not known."),
}


def words_of(item: Judgement) -> Words:
    """Return a verdict as it is shown."""
    if item.is_missing:
        return MISSING
    return DONE if item.is_done else VERDICTS[item.verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A verdict, and why it no longer tells how the charger is (empty while it does)."""

    item: Judgement
    stale: str = ""

    @property
    def key(self) -> str:
        """Identify the charger."""
        return self.item.unit.unit_id


def first_of(item: Judgement) -> str:
    """Return the first thing to do; where nothing can be done, why."""
    if item.is_done:
        return worded("Nothing: it has arrived.")
    if item.verdict is Verdict.NOW:
        by_hand = item.hand is Hand.PERSON
        return worded("Open its job, by hand.") if by_hand else worded("Open its job.")
    if item.first:
        more = len(item.first) - 1
        return f"{item.first[0]} (+{more})" if more else item.first[0]
    return item.grounds[0].text if item.grounds else ""


def minutes_of(item: Judgement) -> str:
    """Return the minutes planned, marked where they are only counted from restarts."""
    if item.minutes is None or item.is_done:
        return "–"
    return f"~{item.minutes} min" if item.is_time_assumed else f"{item.minutes} min"


def time_of(item: Judgement) -> str:
    """Return minutes and visits in one short text."""
    if item.visits is None:
        return minutes_of(item)
    times = worded("1 visit") if item.visits == 1 else worded("{count} visits", count=item.visits)
    return f"{minutes_of(item)} · {times}"


def judged_of(row: Row) -> str:
    """Say when it was judged, or that nobody has asked it."""
    item = row.item
    if item.is_missing:
        return ""
    if not item.is_asked:
        return worded("not asked yet")
    age = ago(item.judged_at, datetime.now(UTC))
    when = age if age == worded("now") else worded("{age} ago", age=age)
    if not item.unit.is_present and not row.stale:
        return worded("{when}, out of reach", when=when)
    return worded("{when}, changed since", when=when) if row.stale else when


_HOPE = {verdict: place for place, verdict in enumerate(VERDICTS)}
_GRADES = {grade: place for place, grade in enumerate((Grade.PROVED, Grade.SOURCE, Grade.REPORTED, Grade.UNVERIFIED))}


def _rank(row: Row) -> tuple[int, bool]:
    return (len(VERDICTS) if row.item.is_missing else _HOPE[row.item.verdict], row.item.is_done)


def _grade_of(row: Row) -> str:
    return "–" if row.item.is_missing else graded(row.item.grade)[0]


def _name(row: Row) -> str:
    return visible(row.item.unit.title).casefold()


@dataclass(frozen=True, slots=True)
class Column:
    """A field with what it sorts by."""

    field: Field[Row]
    sort: Callable[[Row], object]


def _column(
    title: str,
    width: int,
    text: Callable[[Row], str],
    sort: Callable[[Row], object] | None = None,
    tone: Callable[[Row], str] = lambda _: "",
    sense: str = "",
) -> Column:
    return Column(Field(title, text, width, tone, help=sense), sort or text)


def _visits(row: Row) -> str:
    return "–" if row.item.visits is None or row.item.is_done else str(row.item.visits)


COLUMNS: tuple[Column, ...] = (
    _column("Charger", 190, lambda row: visible(row.item.unit.title), _name),
    _column("Verdict", 200, lambda row: words_of(row.item).text, _rank),
    _column("First", 156, lambda row: visible(first_of(row.item))),
    _column("Takes", 72, lambda row: minutes_of(row.item), lambda row: row.item.minutes or 0, sense=PLANNED),
    _column("Visits", 58, _visits),
    _column("Done by", 86, lambda row: worded(HANDS[row.item.hand]), sense="Who repoints it"),
    _column("Evidence", 100, _grade_of, lambda row: _GRADES[row.item.grade]),
    _column("Old backend", 120, lambda row: ANSWERS[row.item.answering].word and ANSWERS[row.item.answering].text),
    _column(
        "Judged",
        150,
        judged_of,
        lambda row: row.item.judged_at.timestamp() if row.item.is_asked and row.item.judged_at else 0.0,
        lambda row: "attention" if row.stale else "" if row.item.is_asked else "text2",
    ),
    _column("Family", 150, lambda row: visible(row.item.family)),
)
VERDICT_COLUMN = 1


class TriageModel(Listing[Row]):
    """The rows that are shown: filtered by verdict and words, sorted by a column."""

    def __init__(self, parent: QObject) -> None:
        super().__init__([column.field for column in COLUMNS], lambda row: row.key, parent)
        self.rows: tuple[Row, ...] = ()
        self._wanted: frozenset[str] = frozenset()
        self._text = ""
        self._place, self._is_down = VERDICT_COLUMN, False

    def take(self, rows: Iterable[Row]) -> None:
        """Take all rows anew."""
        self.rows = tuple(rows)
        self._refresh()

    def narrow(self, *, verdicts: frozenset[str] | None = None, text: str | None = None) -> None:
        """Show only these verdicts (by the words of ``words_of``; none = all) and what holds every word of a text."""
        self._wanted = self._wanted if verdicts is None else verdicts
        self._text = self._text if text is None else text.casefold()
        self._refresh()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; equal ones by name."""
        self._place, self._is_down = max(0, column), order is Qt.SortOrder.DescendingOrder
        self._refresh()

    def everything(self) -> list[Judgement]:
        """Return all verdicts, whatever the filter, in the order of hope: what is handed on."""
        return [row.item for row in sorted(self.rows, key=lambda row: (_rank(row), _name(row)))]

    def counts(self) -> dict[str, int]:
        """Count the verdicts of all rows by their word, in the order of hope; only those that occur."""
        order = [DONE, *VERDICTS.values(), MISSING]
        found = dict.fromkeys((words.word for words in order), 0)
        for row in self.rows:
            found[words_of(row.item).word] += 1
        return {word: count for word, count in found.items() if count}

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Give a cell's content; the row as a whole for screen readers, the reason for tool tips."""
        if role == Qt.ItemDataRole.ToolTipRole and (row := self.at(index.row())) is not None:
            return tooltip(_hint(row, index.column())) or None
        if role == Qt.ItemDataRole.AccessibleTextRole and index.column() == 0:
            row = self.at(index.row())
            return described(row) if row is not None else None
        return super().data(index, role)

    def _refresh(self) -> None:
        shown = sorted((row for row in self.rows if self._takes(row)), key=_name)
        shown.sort(key=COLUMNS[self._place].sort, reverse=self._is_down)  # type: ignore[arg-type]  # each column's own
        self.show(shown)

    def _takes(self, row: Row) -> bool:
        if self._wanted and words_of(row.item).word not in self._wanted:
            return False
        if not self._text:
            return True
        identity = row.item.unit.identity
        parts = (row.item.unit.title, identity.serial, identity.firmware, row.item.family, words_of(row.item).text)
        whole = " ".join((*parts, *row.item.first)).casefold()
        return all(word in whole for word in self._text.split())


def _hint(row: Row, column: int) -> str:
    item = row.item
    if COLUMNS[column].field.title == "Takes":
        return worded(COUNTED if item.is_time_assumed else PLANNED)
    if COLUMNS[column].field.title == "Judged" and row.stale:
        return row.stale
    if COLUMNS[column].field.title == "First":
        return "\n".join(item.first) or first_of(item)
    lines = [words_of(item).meaning, *(ground.text for ground in item.grounds[:4])]
    return "\n".join(lines) if column == VERDICT_COLUMN else COLUMNS[column].field.text(row)


def described(row: Row) -> str:
    """Say a row in one sentence."""
    item = row.item
    parts = [visible(item.unit.title), words_of(item).text, *(visible(text) for text in item.first[:1]), time_of(item)]
    return ". ".join(part for part in (*parts, judged_of(row)) if part)


def as_text(item: Judgement) -> str:
    """Write one verdict as plain text, for a message."""
    lines = [f"{visible(item.unit.title)}: {words_of(item).text}"]
    identity = item.unit.identity
    firmware = worded("firmware {version}", version=identity.firmware) if identity.firmware else ""
    facts = (item.family, identity.serial, firmware)
    lines.append(" · ".join(visible(fact) for fact in facts if fact))
    lines += [worded("Takes: {time}", time=time_of(item))] if item.minutes is not None else []
    for title, texts in _parts(item):
        if texts:
            lines.append(f"{worded(title)}:")
            lines += [f"  - {visible(text, 600)}" for text in texts]
    return "\n".join(line for line in lines if line) + "\n"


def _parts(item: Judgement) -> Iterable[tuple[str, Sequence[str]]]:
    yield "First", item.first
    yield "Why", [f"{ground.text} [{ground.source or graded(ground.grade)[0]}]" for ground in item.grounds]
    yield "Needs", item.needs
    yield "Firmware limits", [check.ground.text for check in item.firmware]
    yield "Can't be undone", [f"{door.text} [{door.evidence.source}]" for door in item.doors]
    yield "Left to try", [f"{option.title}: {option.note or option.works_when}" for option in item.options]
    yield "Not known", item.unknowns


def table_text(rows: Iterable[Row]) -> str:
    """Write the rows shown as text with tabs, one charger a line."""
    lines = ["\t".join(worded(column.field.title) for column in COLUMNS)]
    lines += ["\t".join(column.field.text(row) for column in COLUMNS) for row in rows]
    return "\n".join(lines) + "\n"
