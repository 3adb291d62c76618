"""A technician with a mouse and no keyboard finds, diagnoses and rehomes the chargers of the demo garage."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from PySide6.QtWidgets import QDialogButtonBox, QFileDialog

from app.model.job import JobState, StepKind
from tests.e2e.kit import PATIENT, Visit, store_says, until

Visiting = Callable[..., AbstractAsyncContextManager[Visit]]
pytestmark = pytest.mark.timeout(120)


async def to_the_plan(at: Visit) -> None:
    """From an open job to its plan, by pressing what the window offers."""
    await at.stands_at(StepKind.IDENTIFY)
    at.click(at.view.primary)
    await at.stands_at(StepKind.CHOOSE)
    await at.choose(at.view.pane.form.preset, 1)
    assert at.view.pane.form.identity.text() in at.garage.identities
    at.click(at.view.primary)
    await until(lambda: at.job.plan and not at.is_working and at.view.pane.plan.isVisible())


async def write(at: Visit) -> None:
    """Accept what can't be undone, and write."""
    await to_the_plan(at)
    for box in at.view.pane.plan.doors:
        await at.click_when_seen(box)
    await until(at.view.primary.isEnabled)
    at.click(at.view.primary)


async def test_the_orphaned_charger_is_found_diagnosed_and_rehomed(visiting: Visiting) -> None:
    async with visiting() as at:
        unit = await at.found("openevse-wifi")
        cards = at.page.cards
        index = at.page.model.index(at.page.model.row_of(unit.unit_id), 0)
        cards.scrollTo(index)
        at.click(cards.viewport(), cards.visualRect(index).center())
        at.click(at.page.action_bar.open_button)
        assert at.window.page_id == "unit"
        await until(lambda: "127.0.0.1:9" in at.seen(at.page))
        at.rail("site")
        await at.press_next_step(unit)
        await write(at)
        await until(lambda: at.job.is_final or not at.is_working)
        assert (await at.stopped()).state is JobState.DONE, at.job.steps
        assert at.garage.gateway.config["ocpp_server"] == at.garage.backend.url
        await until(at.view.pane.report.isVisible)


async def test_a_dialling_station_is_rehomed(visiting: Visiting) -> None:
    async with visiting() as at:
        await at.press_next_step(await at.found("STALL-02"))
        await write(at)
        await until(lambda: at.job.is_final or not at.is_working)
        assert (await at.stopped()).state is JobState.DONE, at.job.steps
        assert at.garage.stations[0].configured_url.startswith(at.garage.backend.url)
        await until(lambda: "STALL-02" in at.garage.backend.stations)


async def test_a_station_that_sets_itself_back_stops_the_job_and_offers_the_way_back(visiting: Visiting) -> None:
    async with visiting() as at:
        await at.press_next_step(await at.found("STALL-03"))
        before = at.garage.stations[1].configured_url
        await write(at)
        await until(lambda: at.job.has_written and not at.is_working)
        job = await at.stopped()
        assert (job.state, job.current) == (JobState.ACTIVE, StepKind.SWITCH)
        assert "did not keep what was written" in at.seen(at.view.pane)
        assert "undo" in at.seen(at.view.pane)
        at.click(at.view.undo_button)
        await at.answer("undo")
        await until(lambda: at.job.state is JobState.UNDONE)
        assert at.garage.stations[1].configured_url == before
        await until(lambda: "AuthorizationKey" in at.seen(at.view.pane) or at.job.undo_limits)


async def test_a_slow_station_is_waited_for_with_a_countdown(visiting: Visiting) -> None:
    async with visiting(timing=PATIENT) as at:
        await at.press_next_step(await at.found("STALL-04"))
        await write(at)
        await at.runs(StepKind.SWITCH)
        await until(lambda: "comes back" in at.seen(at.view.pane.countdown))
        assert " s" in at.seen(at.view.pane.countdown)
        assert at.view.pane.countdown.isVisible()
        await until(lambda: not at.is_working)
        assert (await at.stopped()).state is JobState.DONE, at.job.steps


async def test_a_finished_job_is_undone(visiting: Visiting) -> None:
    async with visiting() as at:
        before = dict(at.garage.gateway.config)
        await at.press_next_step(await at.found("openevse-wifi"))
        await write(at)
        await until(lambda: at.job.is_final)
        await at.stopped()
        at.click(at.view.undo_button)
        await at.answer("")  # thinks again
        assert at.job.state is JobState.DONE
        at.click(at.view.undo_button)
        await at.answer("undo")
        await until(lambda: at.job.state is JobState.UNDONE)
        for key in ("ocpp_server", "ocpp_chargeBoxId", "ocpp_enabled"):
            assert at.garage.gateway.config[key] == before[key], key
        await until(lambda: not at.view.undo_button.isVisible())


async def test_a_job_is_stopped_left_found_again_and_goes_on(visiting: Visiting) -> None:
    async with visiting(timing=PATIENT) as at:
        unit = await at.found("STALL-02")
        await at.press_next_step(unit)
        await write(at)
        await at.runs(StepKind.SWITCH)
        at.rail("traffic")
        assert at.bench.desk.running, "the job goes on while another page is shown"
        at.rail("jobs")
        await until(at.view.pause_button.isVisible)
        at.click(at.view.pause_button)
        await until(lambda: at.job.state is JobState.PAUSED and at.view.primary.isVisible())
        at.click(at.view.back_button)
        await until(at.page.table.isVisible)
        at.rail("site")
        await at.press_next_step(unit)
        assert len(at.bench.desk.jobs) == 1, "a second job was started"
        assert at.view.primary.isVisible()
        at.click(at.view.primary)
        await until(lambda: at.job.is_final or (at.job.state is JobState.ACTIVE and not at.is_working))
        assert (await at.stopped()).state is JobState.DONE, at.job.steps


async def test_closing_the_window_in_a_job_asks_first(visiting: Visiting) -> None:
    async with visiting(timing=PATIENT) as at:
        await at.press_next_step(await at.found("STALL-02"))
        await write(at)
        await at.runs(StepKind.SWITCH)
        at.window.close()
        await at.answer("stay")
        assert at.is_working
        assert not at.task.done()
        at.window.close()
        box = await until(at.question)
        assert at.job.unit_title in box.accessibleDescription()
        await at.answer("stop", gone=True)
        assert await at.ended() == 0
    assert store_says(at.home)[at.job.id].state is JobState.PAUSED


async def test_closing_may_finish_the_step_first(visiting: Visiting) -> None:
    async with visiting(timing=PATIENT) as at:
        await at.press_next_step(await at.found("STALL-02"))
        await write(at)
        await at.runs(StepKind.SWITCH)
        at.window.close()
        await at.answer("finish", gone=True)
        assert await at.ended() == 0
    assert store_says(at.home)[at.job.id].state is JobState.PAUSED


async def test_the_report_is_saved_where_the_technician_says(
    visiting: Visiting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # where the dialog starts
    async with visiting() as at:
        await at.press_next_step(await at.found("openevse-wifi"))
        await write(at)
        await until(lambda: at.job.is_final and at.view.pane.report.isVisible())
        at.click(at.view.pane.report.save)
        dialog = await until(lambda: next(iter(at.window.findChildren(QFileDialog)), None))
        choose = dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Open)
        await until(lambda: choose.isVisible() and choose.isEnabled())
        at.click(choose)
        written = await until(
            lambda: sorted(tmp_path.glob("rehome-*.*")) if at.view.pane.report.save.isEnabled() else 0
        )
        assert {path.suffix for path in written} == {".html", ".json", ".pdf"}
        assert at.job.id in at.seen(at.view.pane.report)
