"""The table a site owner gets: whole, harmless in a spreadsheet and a browser, clear where it can't be written."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pytest

from app.errors import StoreError
from app.model.backend import Backend, SecurityProfile
from app.model.profile import Verdict
from app.model.secret import Secret
from app.model.triage import Answering, Judgement
from app.model.unit import Identity
from app.report.triage import COLUMNS, csv_text, html, json_bytes, save, workbook
from tests.triage.test_judging import FACT, UNIT, judge, profile

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
HOSTILE = '=HYPERLINK("http://x")<script>alert(1)</script>\u202e\x00'


@pytest.fixture
def site() -> list[Judgement]:
    """Three chargers: one to repoint, one that is told only by its hostile name, one that is lost."""
    wanted = Backend(
        url="wss://new.example/ocpp",
        identity="CP-1",
        security_profile=SecurityProfile.TLS_BASIC,
        secret=Secret("geheim-1"),
    )
    stranger = replace(UNIT, unit_id="v", identity=Identity(name=HOSTILE, serial="+4711", firmware="-1"))
    outlook = {"verdict": "not-here", "reason": "Its maker is gone."} | FACT
    doors = [{"id": "fuse", "text": "It can be set once."} | FACT]
    return [
        judge(
            profile(one_way_doors=doors),
            wanted=wanted,
            present=Backend(url="ws://old.example", identity="CP-1"),
            answering=Answering.NO,
        ),
        judge(None, unit=stranger),
        judge(profile(approach="none", outlook=outlook), unit=replace(UNIT, unit_id="w")),
    ]


class Markup(HTMLParser):
    """Collects tags and text of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_tells_every_verdict_and_obeys_no_charger(site: list[Judgement]):
    page = Markup()
    page.feed(html(site, site="Garage <b>North</b>", at=AT))
    assert {"script", "b"} & set(page.tags) <= {"b"}
    assert "script" not in page.tags
    assert "\u202e" not in page.text
    for words in (
        "Repoint now",
        "Not known",
        "Cannot be saved here",
        "It can be set once.",
        "answers no more",
        "vendor handbook",
        "Garage <b>North</b>",
        "nothing was written",
    ):
        assert words in page.text
    assert "geheim-1" not in page.text


def test_csv_has_every_column_and_no_formula(site: list[Judgement]):
    rows = list(csv.reader(io.StringIO(csv_text(site).removeprefix("\ufeff"), newline="")))
    assert rows[0] == [column.title for column in COLUMNS]
    assert len(rows) == 4
    assert all(len(row) == len(COLUMNS) for row in rows)
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    assert rows[1][4] == "Repoint now"


def test_a_workbook_holds_texts_only(site: list[Judgement]):
    sheet = openpyxl.load_workbook(io.BytesIO(workbook(site))).active
    assert sheet is not None
    assert [cell.value for cell in sheet[1]] == [column.title for column in COLUMNS]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "inlineStr"}
    assert str(sheet["A3"].value).startswith("=HYPERLINK")  # shown as it is, computed by nobody


def test_json_holds_the_judgements_whole(site: list[Judgement]):
    found = json.loads(json_bytes(site, site="North", at=AT))
    assert found["counts"][Verdict.NOT_HERE.value] == 1
    assert [row["Verdict"] for row in found["table"]] == ["Repoint now", "Not known", "Cannot be saved here"]
    assert len(found["judgements"]) == 3
    assert "geheim" not in json.dumps(found)


@pytest.mark.parametrize("name", ["t.html", "t.csv", "t.xlsx", "t.json"])
async def test_each_form_is_written_by_its_name(site: list[Judgement], tmp_path: Path, name: str):
    await save(site, tmp_path / name, site="North", at=AT)
    assert (tmp_path / name).stat().st_size > 500


async def test_a_place_that_can_not_be_written_is_said(site: list[Judgement], tmp_path: Path):
    with pytest.raises(StoreError, match="can't be written"):
        await save(site, tmp_path / "missing" / "t.csv", site="North", at=AT)
    with pytest.raises(StoreError, match="No space left"):
        await save(site, Path("/dev/full"), site="North", at=AT)


async def test_an_empty_site_is_said(tmp_path: Path):
    assert "No charger was found." in html([], site="North", at=AT)
