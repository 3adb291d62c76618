"""Read the cells of an Excel workbook (.xlsx) somebody else made. Everything about it is bounded."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

from PySide6.QtCore import QCoreApplication

ZIP_MARK = b"PK\x03\x04"
"""How every .xlsx begins (a zip archive, APPNOTE 4.3.7)."""
OLD_MARK = b"\xd0\xcf\x11\xe0"
"""How an .xls of before 2007 begins, and an .xlsx that is locked with a password (MS-CFB 2.2)."""

UNPACKED_LIMIT = 40_000_000
"""Bytes all parts may have unpacked; a list of 5,000 chargers has about 2 MB."""
PARTS_LIMIT = 500
SHEETS_LIMIT = 10
"""Sheets that are looked through for a list."""
COLUMNS_LIMIT = 30

_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, NotImplementedError,
    SyntaxError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError,
)  # fmt: skip
"""What zipfile, the XML parser and openpyxl raise on a damaged workbook; openpyxl has no error of its own for it."""

_DOCTYPES = tuple("<!DOCTYPE".encode(name) for name in ("ascii", "utf-16-le", "utf-16-be"))

Row = tuple[int, list[str]]
"""The number of a row in its sheet, and its cells as text."""


class BadWorkbook(Exception):
    """The workbook can't be read; the text says why, for a person."""


def is_workbook(data: bytes) -> bool:
    """Say whether these bytes are an Excel file of any age."""
    return data.startswith((ZIP_MARK, OLD_MARK))


def sheets(data: bytes, *, row_limit: int) -> Iterator[list[Row]]:
    """Yield the rows that are not empty, sheet by sheet. Raises BadWorkbook, and nothing else."""
    try:
        _check(data)
        yield from _read(data, row_limit)
    except _DAMAGE as error:
        raise BadWorkbook(_words("This workbook is damaged, or not an Excel file.")) from error


def _words(text: str) -> str:
    return QCoreApplication.translate("list", text)


def _check(data: bytes) -> None:
    """Refuse what would unpack to too much, or make the XML parser expand entities (no real workbook has any)."""
    if data.startswith(OLD_MARK):
        raise BadWorkbook(_words("This is an old Excel file, or one with a password. Save it as .xlsx or CSV."))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        if len(parts) > PARTS_LIMIT or sum(part.file_size for part in parts) > UNPACKED_LIMIT:
            raise BadWorkbook(_words("This workbook unpacks to far more than a list of chargers can need."))
        for part in parts:
            if part.filename.lower().endswith((".xml", ".rels")):
                text = archive.read(part)
                if any(mark in text for mark in _DOCTYPES):
                    raise BadWorkbook(_words("This workbook holds a document type, which no Excel file has."))


def _read(data: bytes, row_limit: int) -> Iterator[list[Row]]:
    from openpyxl import load_workbook

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of extensions and styles, which are not read here
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        try:
            if not book.worksheets:
                raise BadWorkbook(_words("This workbook has no sheet."))
            for sheet in book.worksheets[:SHEETS_LIMIT]:
                sheet.reset_dimensions()  # what the file says of its size may be a lie
                yield _rows(sheet, row_limit)
        finally:
            book.close()


def _rows(sheet: Any, row_limit: int) -> list[Row]:
    found = []
    lines = sheet.iter_rows(max_row=row_limit + 1, max_col=COLUMNS_LIMIT, values_only=True)
    for number, values in enumerate(lines, 1):
        cells = [_text(value) for value in values]
        if any(cells):
            found.append((number, cells))
    return found


def _text(value: object) -> str:
    """Write a cell as a person sees it: serial numbers are often numbers there."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value).strip()
