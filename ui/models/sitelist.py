"""Read a list of chargers (serial, identity, password, backend) from a file somebody else made."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QCoreApplication

from app.labels.lookalike import folded, is_alike
from app.model.address import OcppAddress
from app.model.backend import check
from app.model.secret import Secret
from app.model.unit import ClaimKind, Unit, claim
from app.settings import Listed
from ui.models.spreadsheet import BadWorkbook, Row, is_workbook, sheets

SIZE_LIMIT = 5_000_000
"""Bytes of a file that are read; a list of 5,000 chargers has about 0.5 MB."""

ROW_LIMIT = 5_000

CELL_LIMIT = 300
"""Characters of one cell; the longest address a charger is known to take has 255."""

_NAMES = {
    "serial": "serial",
    "serial number": "serial",
    "serialnumber": "serial",
    "s/n": "serial",
    "id": "identity",
    "identity": "identity",
    "charge point id": "identity",
    "chargepointid": "identity",
    "password": "password",
    "key": "password",
    "authorizationkey": "password",
    "backend": "backend",
    "url": "backend",
    "csms": "backend",
}
_ORDER = ("serial", "identity", "password", "backend")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRow:
    """One line of the list: its number in the file, what it says, and what is wrong with it."""

    line: int
    serial: str = ""
    identity: str = ""
    password: Secret
    backend: str = ""
    problems: tuple[str, ...] = ()
    is_usable: bool = True


def read(data: bytes) -> tuple[ListRow, ...]:
    """Read an Excel workbook, or a CSV file separated by comma, semicolon or tab; with or without a heading.

    Never raises: lines with problems stay in the result and say what is wrong.
    """
    if len(data) > SIZE_LIMIT:
        return (_bad(1, _words("The file is larger than {size} MB.").format(size=SIZE_LIMIT // 1_000_000)),)
    return _with_twins(_from_workbook(data) if is_workbook(data) else _from_text(data))


def _words(text: str) -> str:
    return QCoreApplication.translate("list", text)


def _from_workbook(data: bytes) -> list[ListRow]:
    """Take the first sheet with a heading we know, else the first that is not empty."""
    first: list[Row] = []
    try:
        for rows in sheets(data, row_limit=ROW_LIMIT + 1):
            if rows and _heading(rows[0][1]) is not None:
                return _parsed(rows)
            first = first or rows
    except BadWorkbook as error:
        return [_bad(1, str(error))]
    return _parsed(first)


def _from_text(data: bytes) -> list[ListRow]:
    text = _decoded(data)
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    mark = max((";", "\t", ","), key=lines[0].count)
    reader = csv.reader(io.StringIO(text.replace("\0", "␀"), newline=""), delimiter=mark)
    rows: list[Row] = []
    trouble: list[ListRow] = []
    try:
        for cells in reader:
            rows.append((reader.line_num, cells))
            if len(rows) > ROW_LIMIT + 1:
                break
    except csv.Error as error:
        why = _words("The file can't be read from here on: {error}.").format(error=error)
        trouble.append(_bad(reader.line_num, why))
    return _parsed(rows) + trouble


def _parsed(lines: Iterable[Row]) -> list[ListRow]:
    rows: list[ListRow] = []
    columns: Sequence[str] | None = None
    for number, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if columns is None and (columns := _heading(cells)) is not None:
            continue
        columns = columns or _ORDER
        if len(rows) >= ROW_LIMIT:
            rows.append(_bad(number, _words("Only the first {count} lines are read.").format(count=ROW_LIMIT)))
            break
        rows.append(_row(number, cells, columns))
    return rows


def matches(row: ListRow | Listed, unit: Unit) -> bool:
    """Say whether a line speaks of this charger: by serial number, else by the identity it dials with."""
    wanted = claim(ClaimKind.SERIAL, row.serial)
    if wanted is None and row.serial:
        return unit.identity.serial.casefold() == row.serial.casefold()
    if wanted is not None:
        return wanted in unit.identity.claims or claim(ClaimKind.SERIAL, unit.identity.serial) == wanted
    dialled = {way.address.identity for way in unit.ways if isinstance(way.address, OcppAddress)}
    return bool(row.identity) and row.identity in dialled | ({unit.backend.identity} if unit.backend else set())


def _decoded(data: bytes) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _heading(cells: Sequence[str]) -> list[str] | None:
    names = [_NAMES.get(cell.strip().casefold(), "") for cell in cells]
    return names if sum(map(bool, names)) >= 2 else None


def _row(line: int, cells: Sequence[str], columns: Sequence[str]) -> ListRow:
    if any(len(cell) > CELL_LIMIT for cell in cells):
        return _bad(line, _words("A cell has more than {count} characters.").format(count=CELL_LIMIT))
    values = {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if name}
    password = Secret(values.get("password", ""))
    serial, identity, backend = (values.get(name, "") for name in ("serial", "identity", "backend"))
    problems, is_usable = [], True
    if not serial and not identity:
        problems.append(_words("Neither a serial number nor an identity."))
        is_usable = False
    for problem in check(backend or "ws://unnamed.invalid", identity or "unnamed"):
        if problem.field in ("url", "identity"):
            problems.append(problem.message)
            is_usable = is_usable and not problem.blocks
    if password and not identity:
        problems.append(_words("A password without an identity is not kept."))
    if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
        problems.append(_words("More columns than the heading names; the rest is ignored."))
    return ListRow(
        line=line,
        serial=serial,
        identity=identity,
        password=password,
        backend=backend,
        problems=tuple(problems),
        is_usable=is_usable,
    )


def _bad(line: int, why: str) -> ListRow:
    return ListRow(line=line, password=Secret(""), problems=(why,), is_usable=False)


def _with_twins(rows: Iterable[ListRow]) -> tuple[ListRow, ...]:
    first: dict[tuple[str, str], int] = {}
    shapes: dict[tuple[str, str], tuple[int, str]] = {}
    result = []
    texts = {
        "serial": _words("The same serial number stands in line {line}."),
        "identity": _words("The same identity stands in line {line}."),
    }
    for row in rows:
        for kind, value in (("serial", row.serial), ("identity", row.identity)):
            if not value or not row.is_usable:
                continue
            seen = first.setdefault((kind, value.casefold()), row.line)
            if seen != row.line:
                row = replace(row, problems=(*row.problems, texts[kind].format(line=seen)), is_usable=False)
                continue
            line, other = shapes.setdefault((kind, folded(value)), (row.line, value))
            if line != row.line and is_alike(value, other):
                text = _words("“{value}” looks like “{other}” in line {line}: compare both with the labels.")
                warning = text.format(value=value, other=other, line=line)
                row = replace(row, problems=(*row.problems, warning))
        result.append(row)
    return tuple(result)
