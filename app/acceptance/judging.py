"""Judge stored runs again: the same frames, the judges of today. Nothing is sent anywhere."""

from __future__ import annotations

from dataclasses import replace

from app.acceptance.case import find
from app.acceptance.take import Take
from app.model.acceptance import CaseResult, RunResult, verdict_of


def again(run: RunResult) -> RunResult:
    """Return a run with every case that was tried judged anew; cases nobody knows any more stay as they are."""
    return replace(run, results=tuple(map(_again, run.results)))


def _again(result: CaseResult) -> CaseResult:
    case = find(result.case_id)
    if case is None or not result.checks:
        return result
    checks = tuple(case.judge(Take.of(result.frames, result.marks, pace=result.pace).proper))
    cut = tuple(check for check in result.checks if check.is_of_engine)
    return replace(result, checks=(*checks, *cut), verdict=verdict_of((*checks, *cut)))
