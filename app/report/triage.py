"""Write a site's triage as HTML, CSV, XLSX or JSON: owners and programmes that pay for rescue decide by it."""

from __future__ import annotations

import asyncio
import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from app.errors import StoreError
from app.model.coding import encode
from app.model.profile import Grade, Verdict
from app.model.triage import Answering, Hand, Judgement
from app.triage.judging import summary

GRADES = {
    Grade.PROVED: "seen on the charger",
    Grade.SOURCE: "vendor document or firmware source",
    Grade.REPORTED: "reported by users",
    Grade.UNVERIFIED: "not verified",
}
HANDS = {Hand.REHOME: "Rehome", Hand.PERSON: "a person", Hand.NOBODY: ""}
ANSWERS = {
    Answering.YES: "answers",
    Answering.REFUSES: "takes no charger",
    Answering.NO: "answers no more",
    Answering.CANT_TELL: "can't be told from here",
    Answering.UNASKED: "",
}
LEVELS = {Verdict.NOW: "proved", Verdict.AFTER: "open", Verdict.NOT_HERE: "fault", Verdict.UNKNOWN: "undone"}
"""How strongly a verdict is coloured; the others need something from outside and count as open."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the start of a formula (OWASP, CSV injection)."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table: title, and what stands in it."""

    title: str
    text: Callable[[Judgement], Any]


COLUMNS: tuple[Column, ...] = (
    Column("Charger", lambda item: item.unit.title),
    Column("Family", lambda item: item.family),
    Column("Serial", lambda item: item.unit.identity.serial),
    Column("Firmware", lambda item: item.unit.identity.firmware),
    Column("Verdict", lambda item: headline(item)),
    Column("First", lambda item: "; ".join(item.first)),
    Column("Done by", lambda item: HANDS[item.hand]),
    Column("Needs", lambda item: "; ".join(item.needs)),
    Column("Minutes", lambda item: "" if item.minutes is None else item.minutes),
    Column("Visits", lambda item: "" if item.visits is None else item.visits),
    Column("Why", lambda item: " ".join(ground.text for ground in item.grounds)),
    Column("Evidence", lambda item: evidence(item)),
    Column("Sources", lambda item: "; ".join(dict.fromkeys(g.source for g in item.grounds if g.source))),
    Column("Dials now", lambda item: item.present.url if item.present else ""),
    Column("Old backend", lambda item: ANSWERS[item.answering]),
    Column("Can't be undone", lambda item: " ".join(door.text for door in item.doors)),
    Column("Firmware limits", lambda item: " ".join(check.ground.text for check in item.firmware)),
    Column("Left to try", lambda item: "; ".join(option.title for option in item.options)),
    Column("Not known", lambda item: " ".join(item.unknowns)),
    Column("Seen over", lambda item: ", ".join(item.links)),
    Column("Judged for", lambda item: item.wanted.url if item.wanted else ""),
    Column("Asked at", lambda item: f"{item.judged_at:%Y-%m-%d %H:%M} UTC" if item.is_asked and item.judged_at else ""),
)


def headline(item: Judgement) -> str:
    """Return the verdict in words."""
    return "Dials the new backend already" if item.is_done else item.headline


def evidence(item: Judgement) -> str:
    """Return how well a verdict is founded; nothing of a charger nobody has seen."""
    return "" if item.is_missing else GRADES[item.grade]


def html(judgements: Sequence[Judgement], *, site: str, at: datetime) -> str:
    """Return one self-contained HTML document; nothing a charger said in it is ever markup."""
    from app.report.text import rendered

    rows = [(item, headline(item), level(item.verdict), evidence(item), HANDS[item.hand]) for item in judgements]
    answers = {item.unit.unit_id: ANSWERS[item.answering] for item in judgements}
    hours = round(sum(item.minutes or 0 for item in judgements if not item.is_done) / 60)
    targets = sorted({item.wanted.url for item in judgements if item.wanted is not None})
    return rendered(
        "triage.html",
        site=site,
        at=at,
        counts=_counts(judgements),
        rows=rows,
        answers=answers,
        hours=hours,
        total=len(rows),
        targets=targets,
    )


def _counts(judgements: Sequence[Judgement]) -> list[tuple[str, int, str]]:
    """Count by the words of the verdicts, in the order of hope: a charger nobody has seen is not one nobody knows."""
    order = list(Verdict)
    ordered = sorted(judgements, key=lambda item: (item.is_missing, order.index(item.verdict)))
    counts = Counter((headline(item), level(item.verdict)) for item in ordered)
    return [(words, count, colour) for (words, colour), count in counts.items()]


def level(verdict: Verdict) -> str:
    """Return the colour class of a verdict."""
    return LEVELS.get(verdict, "open")


def csv_text(judgements: Sequence[Judgement]) -> str:
    """Return the table as CSV (RFC 4180, with a byte order mark for spreadsheets)."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([column.title for column in COLUMNS])
    for item in judgements:
        writer.writerow([_harmless(column.text(item)) for column in COLUMNS])
    return "\ufeff" + out.getvalue()


def workbook(judgements: Sequence[Judgement]) -> bytes:
    """Return the table as an Excel workbook; no text in it is ever a formula."""
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font

    book = Workbook()
    sheet: Any = book.active
    sheet.title = "Triage"
    sheet.append([column.title for column in COLUMNS])
    for item in judgements:
        sheet.append([_printable(column.text(item)) for column in COLUMNS])
    for row in sheet.iter_rows(min_row=2):
        for cell in row:
            cell.alignment = Alignment(vertical="top", wrap_text=True)
            if cell.data_type == "f":
                cell.data_type = "s"
    for index, cell in enumerate(sheet[1], 1):
        cell.font = Font(bold=True)
        sheet.column_dimensions[cell.column_letter].width = 44 if index in (6, 11, 16, 17) else 20
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = sheet.dimensions
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def json_bytes(judgements: Sequence[Judgement], *, site: str, at: datetime) -> bytes:
    """Return everything that was judged as JSON."""
    rows = [{column.title: column.text(item) for column in COLUMNS} for item in judgements]
    counts = {verdict.value: count for verdict, count in summary(judgements).items()}
    whole = {
        "site": site,
        "at": at.isoformat(),
        "counts": counts,
        "table": rows,
        "judgements": encode(list(judgements)),
    }
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2)


async def save(judgements: Sequence[Judgement], path: Path, *, site: str, at: datetime) -> None:
    """Write the table as the file name asks: ``.html``, ``.csv``, ``.xlsx``, else JSON. Raises StoreError."""
    match path.suffix.lower():
        case ".html" | ".htm":
            content = html(judgements, site=site, at=at).encode()
        case ".csv":
            content = csv_text(judgements).encode()
        case ".xlsx":
            content = await asyncio.to_thread(workbook, judgements)
        case _:
            content = json_bytes(judgements, site=site, at=at)
    try:
        await asyncio.to_thread(path.write_bytes, content)
    except OSError as error:
        raise StoreError(
            f"{path.name} can't be written: {error.strerror or error}.", "Choose another place."
        ) from error


def _printable(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return "".join(char if char.isprintable() else "\ufffd" for char in value)[:32_000]


def _harmless(value: Any) -> Any:
    text = _printable(value)
    return f"'{text}" if isinstance(text, str) and text.startswith(FORMULA) else text
