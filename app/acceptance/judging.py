"""Judge captured frames: while a run goes on, and again from a stored one. Nothing is sent anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from app.acceptance.case import Case, find
from app.acceptance.take import Take
from app.model.acceptance import CaseResult, Check, RunResult, should, verdict_of

RESTARTING = ("Reset", "UpdateFirmware", "SignedUpdateFirmware")
"""Calls of ours after which a unit may rightly hang up."""


def sentences(case: Case, take: Take) -> tuple[Check, ...]:
    """Judge one case, without its cleaning up; a line that dropped for no reason of ours is one sentence more."""
    proper = take.proper
    return (*case.judge(proper), *_dropped(proper))


def _dropped(take: Take) -> Iterator[Check]:
    if take.marked("dropped") or any(take.asked(action) for action in RESTARTING):
        return
    for mark in take.marked("ended"):
        if mark.facts.get("by_us") == "False":
            yield should("The connection holds through the case", False, mark.text, mark.seq)
            return


def again(run: RunResult) -> RunResult:
    """Return a run with every case that was tried judged anew; cases nobody knows any more stay as they are."""
    return replace(run, results=tuple(map(_again, run.results)))


def _again(result: CaseResult) -> CaseResult:
    case = find(result.case_id)
    if case is None or not result.checks:
        return result
    found = sentences(case, Take.of(result.frames, result.marks, pace=result.pace))
    cut = tuple(check for check in result.checks if check.is_of_engine)
    return replace(result, checks=(*found, *cut), verdict=verdict_of((*found, *cut)))
