"""An acceptance run in a report: the section of a job's report, and a document of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.acceptance.junit import junit
from app.acceptance.shelf import text as json_text
from app.errors import StoreError
from app.model.acceptance import CaseResult, RunResult, Verdict

MARKS = {
    Verdict.PASS: ("proved", "✓"),
    Verdict.PARTIAL: ("open", "◐"),
    Verdict.FAIL: ("fault", "✕"),
    Verdict.NOT_APPLICABLE: ("undone", "–"),
    Verdict.NOT_ASKED: ("undone", "○"),
}
SENTENCES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One sentence of a judgement; ``frames`` are the numbers of the frames that prove it."""

    text: str
    is_met: bool
    is_must: bool
    frames: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLine:
    """One case."""

    id: str
    title: str
    clause: str
    verdict: str
    level: str
    reason: str
    sentences: tuple[Sentence, ...]
    unrestored: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptanceSection:
    """One run."""

    run_id: str
    identity: str
    suite: str
    ocpp: str
    verdict: str
    level: str
    counts: str
    stopped: str
    began_at: datetime
    ended_at: datetime | None
    unit: dict[str, str]
    cases: tuple[CaseLine, ...]


def section(run: RunResult) -> AcceptanceSection:
    """Tell a run for a report."""
    counts = ", ".join(f"{run.count(verdict)} {verdict.value}" for verdict in Verdict if run.count(verdict))
    return AcceptanceSection(
        run_id=run.id,
        identity=run.identity,
        suite=run.suite_title,
        ocpp=run.version,
        verdict=run.verdict.value,
        level=MARKS[run.verdict][0],
        counts=counts,
        stopped=run.stopped,
        began_at=run.started_at,
        ended_at=run.ended_at,
        unit={name: value for name, value in run.unit.items() if value},
        cases=tuple(map(_line, run.results)),
    )


def _line(result: CaseResult) -> CaseLine:
    sentences = tuple(
        Sentence(text=check.sentence, is_met=check.is_met, is_must=check.is_must, frames=check.seqs[:20])
        for check in result.checks[:SENTENCES]
    )
    return CaseLine(
        id=result.case_id,
        title=result.title,
        clause=result.clause,
        verdict=result.verdict.value,
        level=MARKS[result.verdict][0],
        reason=result.reason,
        sentences=sentences,
        unrestored=result.unrestored,
    )


def html(run: RunResult) -> str:
    """Return one self-contained HTML document; nothing a charger said in it is ever markup."""
    from app.report.text import rendered

    return rendered("acceptance.html", acceptance=section(run))


async def save(run: RunResult, path: Path) -> None:
    """Write a run in the form its file name asks for: ``.html``, ``.xml`` (JUnit), else JSON. Raises StoreError."""
    match path.suffix.lower():
        case ".html" | ".htm":
            content = html(run).encode("utf-8")
        case ".xml":
            content = junit(run).encode("utf-8")
        case _:
            content = json_text(run)
    try:
        await asyncio.to_thread(path.write_bytes, content)
    except OSError as error:
        raise StoreError(
            f"{path.name} can't be written: {error.strerror or error}.", "Choose another place."
        ) from error
