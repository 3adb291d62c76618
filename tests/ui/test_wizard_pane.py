"""The step pane: what a technician sees of a job that stands, runs, was undone, or must be finished by hand."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from app.model.backend import Backend
from app.model.finding import Evidence, Finding, Severity
from app.model.job import STEPS, Job, JobState, Progress, Proof, Step, StepKind, StepState, Target, UndoLimit, Write
from tests.ui.wizard_jobs import NOW, a_job
from ui.pages.jobs import JobsPage
from ui.wizard.pane import StepPane
from ui.wizard.view import JobView

BACKEND = Backend(url="wss://csms.example/ocpp", identity="CP-1")


@pytest.fixture
def pane(qtbot: QtBot) -> StepPane:
    pane = StepPane()
    qtbot.addWidget(pane)
    return pane


def words(pane: StepPane) -> str:
    return "\n".join(label.text() for label in pane.findChildren(QLabel) if label.isVisibleTo(pane))


def test_the_findings_of_a_step_are_there_with_evidence_and_remedy(pane: StepPane) -> None:
    finding = Finding(
        code="HTTP-401",
        severity=Severity.WARNING,
        at=NOW,
        evidence=(Evidence(label="answer", text="401 Unauthorized"),),
    )
    step = Step(kind=StepKind.CHOOSE, state=StepState.DONE, findings=(finding,))
    job = a_job(StepKind.PLAN)
    pane.show_step(replace(job, steps=(*job.steps[:2], step, *job.steps[3:])), StepKind.CHOOSE)
    assert "401 Unauthorized" in words(pane)
    assert "What to do" in words(pane)
    pane.show_step(job, StepKind.PLAN)
    assert "Nothing is wrong" not in words(pane)
    assert not pane.findings.isVisibleTo(pane)


def test_the_form_alone_asks_for_the_backend(pane: StepPane) -> None:
    step = Step(kind=StepKind.CHOOSE, state=StepState.NEEDS_INPUT, note="No backend is chosen.", advice="Choose one.")
    pane.show_step(a_job(StepKind.CHOOSE, step, note=step.note, advice=step.advice), StepKind.CHOOSE)
    assert pane.form.isVisibleTo(pane)
    assert not pane.trouble.isVisibleTo(pane)


def test_what_to_type_by_hand_can_be_copied(pane: StepPane) -> None:
    step = Step(kind=StepKind.SWITCH, state=StepState.NEEDS_INPUT, note="Not from here.", advice="Type this in.")
    typed = {"by_hand": {"step": "switch", "url": BACKEND.url, "identity": BACKEND.identity}}
    pane.show_step(a_job(StepKind.SWITCH, step, backend=BACKEND, facts=typed), StepKind.SWITCH)
    assert pane.by_hand.isVisibleTo(pane)
    assert [row.text.text for row in pane.by_hand.rows] == [BACKEND.url, "CP-1", "wss://csms.example/ocpp/CP-1"]
    pane.show_step(a_job(StepKind.SWITCH, backend=BACKEND, facts=typed), StepKind.SWITCH)
    assert not pane.by_hand.isVisibleTo(pane)


def test_why_a_job_was_paused_is_said_at_its_step(pane: StepPane) -> None:
    note = "The program ended in the middle of it."
    step = Step(kind=StepKind.APPLY, state=StepState.READY, note=note)
    pane.show_step(a_job(StepKind.APPLY, step, state=JobState.PAUSED, note=note), StepKind.APPLY)
    assert note in words(pane)


def test_an_undone_job_shows_its_undo_even_where_it_never_came_to_the_end(pane: StepPane) -> None:
    proofs = (Proof(text="“ocpp_server” restored, read back and equal.", at=NOW),)
    failed = Step(kind=StepKind.PROVE, state=StepState.FAILED, note="It never dialled.")
    job = a_job(StepKind.PROVE, failed, state=JobState.UNDONE, undo_proofs=proofs)
    pane.show_step(job, StepKind.HAND_OVER)
    assert "read back and equal" in words(pane)
    assert "as it was found" in words(pane)
    assert pane.report.isVisibleTo(pane)
    limited = replace(job, undo_limits=(UndoLimit(key="AuthorizationKey", reason="write only"),))
    pane.show_step(limited, StepKind.HAND_OVER)
    assert "except" in words(pane)
    pane.show_step(job, StepKind.PROVE)
    assert "It never dialled." in words(pane)


def test_an_undo_that_failed_counts_more_than_the_step_that_failed_before(pane: StepPane) -> None:
    failed = Step(kind=StepKind.PROVE, state=StepState.FAILED, note="It never dialled.")
    job = a_job(
        StepKind.PROVE, failed, state=JobState.PAUSED, note="It can't be reached to undo.", advice="Connect it."
    )
    pane.show_step(job, StepKind.PROVE)
    assert "It can't be reached to undo." in words(pane)
    assert "Connect it." in words(pane)


async def a_view(bench: Any) -> JobView:
    page = JobsPage(bench)
    page._stack.setCurrentWidget(page.view)
    page.show()
    page.view.show()
    return page.view


async def active(view: JobView) -> None:
    view.window().activateWindow()
    async with asyncio.timeout(5):
        while not view.window().isActiveWindow():  # noqa: ASYNC110  # Qt has no event to wait for
            await asyncio.sleep(0.01)


async def test_an_undone_job_offers_no_undo_and_opens_at_its_end(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "report_html", lambda job_id: f"<p>report of {job_id}</p>")
    view = await a_view(bench)
    write = Write(key="k", before="a", after="b", target=Target.ENDPOINT, intended_at=NOW)
    job = a_job(StepKind.PROVE, writes=(write,), state=JobState.PAUSED)
    view.open_job(job)
    assert view.undo_button.isVisible()
    view.show_job(replace(job, state=JobState.UNDONE, seq=2))
    assert not view.undo_button.isVisible()
    assert view.selected is StepKind.HAND_OVER
    view.window().close()


async def test_a_job_opened_in_mid_step_shows_what_runs(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running = a_job(StepKind.PROVE, Step(kind=StepKind.PROVE, state=StepState.RUNNING))
    progress = Progress(job_id=running.id, step=StepKind.PROVE, text="Waiting for it to dial", started_at=NOW)
    monkeypatch.setattr(bench.desk, "progress_of", {running.id: progress}.get)
    view = await a_view(bench)
    view.open_job(running)
    assert view.pane.countdown.text == "Waiting for it to dial"
    assert view.pane.countdown.isVisible()
    view.steps.button(StepKind.APPLY).click()
    assert not view.pane.countdown.isVisible()
    view.current_button.click()
    assert view.pane.countdown.isVisible()
    view.open_job(replace(running, id="job-2"))
    assert not view.pane.countdown.isVisible()
    view.window().close()


async def test_an_undo_shows_its_progress(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job = a_job(StepKind.PROVE, state=JobState.UNDOING)
    progress = Progress(job_id=job.id, step=StepKind.HAND_OVER, text="Restoring “ocpp_server”", total=2)
    monkeypatch.setattr(bench.desk, "progress_of", {job.id: progress}.get)
    view = await a_view(bench)
    view.open_job(job)
    assert view.pane.countdown.isVisible()
    view.window().close()


async def test_what_was_typed_by_hand_is_left_out_with_that_reason(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    left_out: list[StepKind] = []
    ran: list[str] = []

    def skip(job_id: str, kind: StepKind, reason: str) -> Job:
        assert "by hand" in reason
        left_out.append(kind)
        return a_job(STEPS[STEPS.index(kind) + 1])

    monkeypatch.setattr(bench.desk, "skip", skip)
    monkeypatch.setattr(bench.desk, "run", lambda job_id, **_: ran.append(job_id))
    view = await a_view(bench)
    step = Step(kind=StepKind.APPLY, state=StepState.NEEDS_INPUT, note="By hand.", advice="Type this in.")
    typed = {"by_hand": {"step": "apply", "url": "ws://10.0.0.5:8180/", "identity": "CP-1"}}
    view.open_job(a_job(StepKind.APPLY, step, backend=BACKEND, facts=typed))
    assert "typed" in view.primary.text()
    view.primary.click()
    assert [kind.value for kind in left_out] == ["apply"]
    assert ran == ["job-1"]
    view.window().close()


async def test_long_names_never_widen_the_window(bench: Any) -> None:
    view = await a_view(bench)
    job = a_job(StepKind.SWITCH, backend=replace(BACKEND, url=f"wss://{'long.' * 20}example/ocpp"))
    view.open_job(replace(job, unit_title="Station " * 20))
    assert view.minimumSizeHint().width() < 700
    view.window().resize(800, 600)
    assert "long." in view._target.toolTip()
    view.window().close()


async def test_the_keyboard_stays_in_the_job_when_it_is_stopped(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running = a_job(StepKind.PROVE, Step(kind=StepKind.PROVE, state=StepState.RUNNING))
    paused = a_job(StepKind.PROVE, Step(kind=StepKind.PROVE, state=StepState.READY), state=JobState.PAUSED)
    gate = asyncio.Event()

    async def pause(job_id: str) -> None:
        await gate.wait()

    monkeypatch.setattr(bench.desk, "pause", pause)
    monkeypatch.setattr(bench.desk, "job", {"job-1": paused}.__getitem__)
    view = await a_view(bench)
    await active(view)
    view.open_job(running)
    assert view.pause_button.hasFocus()
    view.pause_button.click()
    focus = QApplication.focusWidget()
    assert focus is not None
    assert view.isAncestorOf(focus)
    gate.set()
    async with asyncio.timeout(5):
        while view._tasks.is_running("pause"):  # noqa: ASYNC110  # what is on screen has no event
            await asyncio.sleep(0.01)
    assert view.primary.hasFocus()
    view.window().close()
