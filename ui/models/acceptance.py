"""An acceptance run as rows: one per case, the one that runs marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.acceptance.case import Case
from app.model.acceptance import CaseResult, RunResult, Verdict
from ui.i18n import worded
from ui.models.listing import Field
from ui.models.plain import moment_text

VERDICT_WORDS = {
    Verdict.PASS: "Pass",
    Verdict.PARTIAL: "Partial",
    Verdict.FAIL: "Fail",
    Verdict.NOT_APPLICABLE: "Not applicable",
    Verdict.NOT_ASKED: "Not asked",
}
VERDICT_TONES = {
    Verdict.PASS: "good",
    Verdict.PARTIAL: "attention",
    Verdict.FAIL: "fault",
    Verdict.NOT_APPLICABLE: "idle",
    Verdict.NOT_ASKED: "idle",
}
VERDICT_MARKS = {
    Verdict.PASS: "✓",
    Verdict.PARTIAL: "◐",
    Verdict.FAIL: "✕",
    Verdict.NOT_APPLICABLE: "–",
    Verdict.NOT_ASKED: "○",
}
RUNNING, WAITING = "running", "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLine:
    """One case in the list. ``tone`` names a theme colour, empty = plain text."""

    case_id: str
    title: str
    state: str
    tone: str
    is_manual: bool


def lines(planned: Sequence[Case], run: RunResult | None, current: str = "") -> tuple[CaseLine, ...]:
    """Return the planned cases with what is known of each; results of cases that are not planned follow."""
    results = {result.case_id: result for result in run.results} if run is not None else {}
    known = {case.id for case in planned}
    listed = [_line(case.id, case.title, case.needs_person, results.get(case.id), current) for case in planned]
    others = [result for case_id, result in results.items() if case_id not in known]
    return (*listed, *(_line(result.case_id, result.title, False, result, "") for result in others))


def _line(case_id: str, title: str, is_manual: bool, result: CaseResult | None, current: str) -> CaseLine:
    if result is not None:
        state = f"{VERDICT_MARKS[result.verdict]}  {worded(VERDICT_WORDS[result.verdict])}"
        tone = VERDICT_TONES[result.verdict]
    elif case_id == current:
        state, tone = f"▶  {worded('Running')}", "accent"
    else:
        state, tone = f"·  {worded('Waiting')}", "text2"
    return CaseLine(case_id=case_id, title=title, state=state, tone=tone, is_manual=is_manual)


def case_key(line: CaseLine) -> object:
    """Return what tells one row from another."""
    return line.case_id


CASE_FIELDS: tuple[Field[CaseLine], ...] = (
    Field("Verdict", lambda line: line.state, 15, tone=lambda line: line.tone),
    Field("Case", lambda line: line.case_id, 16, is_mono=True),
    Field("Title", lambda line: line.title + (f"  ({worded('person')})" if line.is_manual else ""), 30),
)


def counts(run: RunResult) -> str:
    """Count the verdicts in words."""
    told = [
        f"{run.count(verdict)} {worded(VERDICT_WORDS[verdict]).lower()}" for verdict in Verdict if run.count(verdict)
    ]
    return ", ".join(told)


def run_title(run: RunResult) -> str:
    """Name a stored run for a chooser."""
    return f"{moment_text(run.started_at)}  {run.suite_title}  {worded(VERDICT_WORDS[run.verdict])}"


def by_id(cases: Sequence[Case]) -> Mapping[str, Case]:
    """Find cases by their id."""
    return {case.id: case for case in cases}
