"""Cards as a CSV file: for other programs, spreadsheets, and to carry a list from site to site."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from app.model.card import Card, CardStatus
from app.ocpp.cards import VALUE_LIMIT

COLUMNS = ("uid", "status", "kind", "label", "expires", "group")
MAX_ROWS = 50_000
MAX_PROBLEMS = 20
_UID_NAMES = ("uid", "idtag", "id_tag", "idtoken", "id_token", "token", "card", "tag", "rfid", "number", "uidhex")
_LABEL_NAMES = ("label", "name", "note", "holder", "description")
_EXPIRY_NAMES = ("expires", "expiry", "expirydate", "expires_at", "valid_until", "validuntil")
_GROUP_NAMES = ("group", "parent", "parentidtag", "groupidtoken", "parent_id_tag")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFile:
    """What a CSV holds: the cards that can be read, and in words what can't."""

    cards: tuple[Card, ...]
    problems: tuple[str, ...] = ()


def read(text: str) -> CardFile:
    """Read a CSV with a header line; comma, semicolon or tab between the columns, names of columns in any case.

    A file without a header that names the card's column is taken as a plain list of numbers.
    """
    lines = text.removeprefix("\ufeff").splitlines()[: MAX_ROWS + 1]
    separator = max(",;\t", key=(lines[0] if lines else "").count)
    try:
        rows = [row for row in csv.reader(lines, delimiter=separator) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        return CardFile(cards=(), problems=(f"not a table: {error}",))
    if not rows:
        return CardFile(cards=(), problems=("the file is empty",))
    header = [cell.strip().lower() for cell in rows[0]]
    if _column(header, _UID_NAMES) < 0:
        return _read_rows(rows, ["uid"], first=1)
    return _read_rows(rows[1:], header, first=2)


def _read_rows(rows: list[list[str]], header: list[str], *, first: int) -> CardFile:
    cards: list[Card] = []
    problems: list[str] = []
    for number, row in enumerate(rows, first):
        try:
            cards.append(_card(row, header))
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    more = len(problems) - MAX_PROBLEMS
    shown = (*problems[:MAX_PROBLEMS], f"and {more} more") if more > 0 else tuple(problems)
    return CardFile(cards=tuple(cards), problems=shown)


def _column(header: list[str], names: tuple[str, ...]) -> int:
    return next((header.index(name) for name in names if name in header), -1)


def _cell(row: list[str], header: list[str], names: tuple[str, ...]) -> str:
    index = _column(header, names)
    # A leading apostrophe keeps spreadsheets from reading 04E12345 as a number.
    return row[index].strip().lstrip("'") if 0 <= index < len(row) else ""


def _card(row: list[str], header: list[str]) -> Card:
    uid = _cell(row, header, _UID_NAMES)
    if not uid or len(uid) > VALUE_LIMIT or not uid.isprintable():
        raise ValueError("no card number")
    word = _cell(row, header, ("status",)) or "Accepted"
    status = next((item for item in CardStatus if item.value.lower() == word.lower()), None)
    if status is None:
        raise ValueError(f"“{word[:30]}” is not a status ({', '.join(item.value for item in CardStatus)})")
    return Card(
        uid=uid,
        status=status,
        kind=_cell(row, header, ("kind", "type"))[:20],
        label=_cell(row, header, _LABEL_NAMES),
        expires_at=_moment(_cell(row, header, _EXPIRY_NAMES)),
        group=_cell(row, header, _GROUP_NAMES)[:36],
    )


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"“{text[:30]}” is not a date such as 2027-01-31") from None
    if len(text) == len("2027-01-31") and at.year < date.max.year:
        at += timedelta(days=1)  # a day counts to its end
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"“{text[:30]}” is too far away") from None


def write(cards: Iterable[Card]) -> str:
    """Write cards as CSV. Numbers a spreadsheet would take for a formula or a number get a leading apostrophe."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for card in cards:
        expires = card.expires_at.isoformat() if card.expires_at else ""
        cells = (card.uid, card.status.value, card.kind, card.label, expires, card.group)
        table.writerow([_safe(cell) for cell in cells])
    return out.getvalue()


def _safe(cell: str) -> str:
    is_number = cell[:1].isdigit() and cell.replace("E", "").replace("e", "").isdigit()
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@")) or (is_number and len(cell) > 4) else cell
