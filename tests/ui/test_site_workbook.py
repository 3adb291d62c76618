"""Lists of chargers as Excel workbooks: good ones, damaged ones, and ones made to hurt."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from app.model.backend import Backend, SecurityProfile
from app.model.unit import Identity, Unit
from app.settings import Listed
from app.storage.db import Store
from ui.models.sitelist import CELL_LIMIT, ROW_LIMIT, SIZE_LIMIT, read
from ui.models.spreadsheet import UNPACKED_LIMIT
from ui.pages.jobs import JobsPage
from ui.pages.site_import import take
from ui.wizard.proposal import listed_for


def saved(book: Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def workbook(*rows: tuple[object, ...]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    return saved(book)


def repacked(data: bytes, **changes: bytes) -> bytes:
    """Write a workbook again with some parts replaced (by the end of their names)."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(
                part, next((text for end, text in changes.items() if part.endswith(f"{end}.xml")), old.read(part))
            )
    return file.getvalue()


GOOD = workbook(("Serial", "ID", "Password", "Backend"), ("SN1", "CP-1", "s3cret", "wss://csms.example/ocpp"))


def test_a_workbook_reads_like_the_same_list_as_text() -> None:
    text = b"Serial,ID,Password,Backend\nSN1,CP-1,s3cret,wss://csms.example/ocpp\n"
    assert read(GOOD) == read(text)


def test_numbers_are_read_as_a_person_sees_them() -> None:
    rows = read(workbook(("serial", "id"), (240100, 1.0), (None, None), ("007", "CP-2")))
    assert [(row.line, row.serial, row.identity) for row in rows] == [(2, "240100", "1"), (4, "007", "CP-2")]


def test_the_sheet_with_the_list_is_found() -> None:
    book = Workbook()
    book.active.append(("Dear colleague, the list is on the next sheet",))
    book.create_sheet("chargers").append(("serial", "id"))
    book["chargers"].append(("SN1", "CP-1"))
    (row,) = read(saved(book))
    assert (row.serial, row.is_usable) == ("SN1", True)


def test_a_long_list_is_cut_and_says_so() -> None:
    rows = read(workbook(("serial", "id"), *((f"SN{n}", f"CP{n}") for n in range(ROW_LIMIT + 20))))
    assert len(rows) == ROW_LIMIT + 1
    assert str(ROW_LIMIT) in rows[-1].problems[0]


def test_a_cell_without_end_spoils_its_line_alone() -> None:
    rows = read(workbook(("serial", "id"), ("S" * (CELL_LIMIT + 1), "CP-1"), ("SN2", "CP-2")))
    assert [row.is_usable for row in rows] == [False, True]


BOMB = repacked(GOOD, sheet1=b"<x>" + b" " * UNPACKED_LIMIT + b"</x>")
LAUGHS = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(BOMB, id="zip bomb"),
        pytest.param(repacked(GOOD, sheet1=LAUGHS), id="entities"),
        pytest.param(repacked(GOOD, sheet1=LAUGHS.decode().encode("utf-16")), id="entities in UTF-16"),
        pytest.param(repacked(GOOD, sheet1=b"<worksheet><sheetData><row r="), id="broken XML"),
        pytest.param(repacked(GOOD, workbook=b"<a/>"), id="no workbook inside"),
        pytest.param(GOOD[: len(GOOD) // 2], id="cut in half"),
        pytest.param(GOOD[:600] + b"\xff" * 60 + GOOD[660:], id="bytes damaged"),
        pytest.param(b"PK\x03\x04" + b"\0" * 100, id="only the mark"),
        pytest.param(b"\xd0\xcf\x11\xe0" + b"\0" * 600, id="old or locked Excel"),
        pytest.param(b"PK\x03\x04" + b"\0" * SIZE_LIMIT, id="too large"),
    ],
)
def test_a_hostile_workbook_gives_one_clear_line(data: bytes) -> None:
    (only,) = read(data)
    assert not only.is_usable
    assert only.problems[0]


def test_rows_far_down_and_wide_cells_cost_nothing() -> None:
    """A sheet may claim any size and any place for a cell."""
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:XFD1048576"/>'
        b'<sheetData><row r="1"><c r="A1" t="str"><v>SN1</v></c><c r="XFD1" t="str"><v>far</v></c></row>'
        b'<row r="1048576"><c r="A1048576" t="str"><v>SN2</v></c></row></sheetData></worksheet>'
    )
    rows = read(repacked(GOOD, sheet1=sheet))
    assert rows[0].serial == "SN1"
    assert len(rows) <= 2


def test_the_newest_list_speaks_for_a_charger_and_a_serial_counts_more() -> None:
    unit = Unit(
        unit_id="u", identity=Identity(serial="SN-0001"), backend=Backend(url="ws://old.example", identity="CP-9")
    )
    other = Listed(serial="SN-0002", identity="CP-9")
    assert listed_for((other,), unit) is None
    by_identity = Listed(identity="CP-9")
    assert listed_for((by_identity,), unit) is by_identity
    wanted = Listed(serial="sn 0001", identity="CP-2")
    assert listed_for((Listed(serial="SN-0001", identity="CP-1"), other, wanted, by_identity), unit) is wanted


def of_serial(serial: str) -> Unit:
    return Unit(unit_id=serial, identity=Identity(serial=serial, name=serial), last_seen_at=datetime.now(UTC))


async def test_a_list_fills_the_form_also_for_a_charger_that_comes_later(open_bench: Any, home: Path) -> None:
    async with open_bench() as bench:
        take(read(GOOD), bench)
        vault, settings = bench.vault, bench.settings
    assert "s3cret" not in repr(settings)
    store = Store.open(home / "rehome.db")
    store.units.save(of_serial("SN1"))
    store.close()
    async with open_bench(settings=settings) as bench:
        bench.vault.set("identity/CP-1", vault.get("identity/CP-1"))
        page = JobsPage(bench)
        page.open("unit:SN1")
        backend = page.view.pane.form.backend()
        assert backend.full_url == "wss://csms.example/ocpp/CP-1"
        assert backend.secret.reveal() == "s3cret"
        assert backend.security_profile is SecurityProfile.TLS_BASIC
        await page.tasks.stop()
        page.deleteLater()


async def test_a_newer_list_replaces_what_an_older_one_said(open_bench: Any) -> None:
    async with open_bench() as bench:
        take(read(GOOD), bench)
        take(read(b"serial,id\nsn1,CP-7\n"), bench)
        assert bench.settings.listed == (Listed(serial="sn1", identity="CP-7"),)
