"""Read a list of chargers (serial, identity, password, backend) from a file somebody else made."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.model.backend import check
from app.model.secret import Secret
from app.model.unit import ClaimKind, Unit, claim

SIZE_LIMIT = 2_000_000
"""Bytes of a file that are read; a list of 10,000 chargers has about 1 MB."""

ROW_LIMIT = 10_000

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
    """Read a CSV file with or without a heading, separated by comma, semicolon or tab. Never raises.

    Lines with problems stay in the result and say what is wrong.
    """
    if len(data) > SIZE_LIMIT:
        return (_bad(1, f"The file is larger than {SIZE_LIMIT // 1_000_000} MB."),)
    text = _decoded(data)
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return ()
    mark = max((";", "\t", ","), key=lines[0].count)
    rows: list[ListRow] = []
    columns: Sequence[str] | None = None
    reader = csv.reader(io.StringIO(text.replace("\0", "␀"), newline=""), delimiter=mark)
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None and (columns := _heading(cells)) is not None:
                continue
            columns = columns or _ORDER
            rows.append(_row(reader.line_num, cells, columns))
            if len(rows) >= ROW_LIMIT:
                rows.append(_bad(reader.line_num + 1, f"Only the first {ROW_LIMIT} lines are read."))
                break
    except csv.Error as error:
        rows.append(_bad(reader.line_num, f"The file can't be read from here on: {error}."))
    return _with_twins(rows)


def matches(row: ListRow, unit: Unit) -> bool:
    """Say whether a line speaks of this charger: by serial number, else by the identity it dials with."""
    wanted = claim(ClaimKind.SERIAL, row.serial)
    if wanted is not None:
        return wanted in unit.identity.claims or claim(ClaimKind.SERIAL, unit.identity.serial) == wanted
    return bool(row.identity) and unit.backend is not None and unit.backend.identity == row.identity


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
    values = {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if name}
    password = Secret(values.get("password", ""))
    serial, identity, backend = (values.get(name, "") for name in ("serial", "identity", "backend"))
    problems, is_usable = [], True
    if not serial and not identity:
        problems.append("Neither a serial number nor an identity.")
        is_usable = False
    for problem in check(backend or "ws://unnamed.invalid", identity or "unnamed"):
        if problem.field in ("url", "identity"):
            problems.append(problem.message)
            is_usable = is_usable and not problem.blocks
    if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
        problems.append("More columns than the heading names; the rest is ignored.")
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
    result = []
    for row in rows:
        for kind, value in (("serial number", row.serial), ("identity", row.identity)):
            if not value or not row.is_usable:
                continue
            seen = first.setdefault((kind, value.casefold()), row.line)
            if seen != row.line:
                row = ListRow(
                    line=row.line,
                    serial=row.serial,
                    identity=row.identity,
                    password=row.password,
                    backend=row.backend,
                    problems=(*row.problems, f"The same {kind} stands in line {seen}."),
                    is_usable=False,
                )
        result.append(row)
    return tuple(result)
