"""Acceptance in reports: true to the run, by the published schema, and nothing a charger said is markup."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import jsonschema_rs
import orjson
import pytest

from app.errors import StoreError
from app.model.acceptance import CaseResult, RunResult, Verdict, must, should
from app.report.acceptance import html, save, section
from app.report.build import Report
from app.report.build import Verdict as ReportVerdict
from app.report.text import html as report_html
from app.report.text import json_text, schema

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NASTY = "<img src=x onerror=alert(1)>{{ 7*7 }}</td>\u202eevil\x00"


def run() -> RunResult:
    results = tuple(
        CaseResult(
            case_id=f"A16-X-{number:02}",
            title=NASTY,
            clause="OCPP 1.6 §4.2",
            verdict=verdict,
            reason=NASTY if verdict in (Verdict.NOT_ASKED, Verdict.NOT_APPLICABLE) else "",
            checks=(must(NASTY, True, NASTY, 4, 5), must("not met", False, "", 7), should("soft", False)),
            started_at=NOW,
            ended_at=NOW,
            unrestored=(NASTY,),
        )
        for number, verdict in enumerate(Verdict)
    )
    return RunResult(
        id="r1", identity=NASTY, suite="full", suite_title="Full", version="1.6", started_at=NOW, ended_at=NOW,
        unit={"vendor": NASTY, "serial": ""}, results=results, stopped=NASTY,
    )  # fmt: skip


def report() -> Report:
    return Report(
        job_id="j1", site="", title="x", verdict=ReportVerdict(level="proved", title="t", text="x"), is_simulated=False,
        made_at=NOW, began_at=NOW, ended_at=NOW, unit=(), backend_before=(), backend_after=(), changes=(), steps=(),
        undo=(), findings=(), undo_limits=(), excluded=(), doors=(), frames=(), curves=(), versions=(),
        acceptance=section(run()),
    )  # fmt: skip


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)


@pytest.mark.parametrize(
    "text", [lambda: html(run()), lambda: report_html(report()), lambda: report_html(report(), for_print=True)]
)
def test_every_form_tells_verdicts_sentences_and_frames_and_no_foreign_markup(text) -> None:
    document = text()
    parser = Tags()
    parser.feed(document)
    assert "img" not in parser.tags
    assert "script" not in parser.tags
    assert "{{ 7*7 }}" in document
    assert "\u202e" not in document
    for verdict in Verdict:
        assert f">{verdict.value}<" in document
    assert "A16-X-04" in document
    assert "[4, 5]" in document
    assert "Not put back" in document


def test_the_json_follows_the_published_schema_with_and_without_acceptance() -> None:
    validator = jsonschema_rs.validator_for(schema())
    for item in (report(), replace(report(), acceptance=None)):
        validator.validate(orjson.loads(json_text(item)))
    told = orjson.loads(json_text(report()))["acceptance"]
    assert told["verdict"] == "FAIL"
    assert [case["verdict"] for case in told["cases"]] == [verdict.value for verdict in Verdict]


async def test_a_place_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        await save(run(), tmp_path / "nowhere" / "a.html")
