"""A technician without a mouse finds, diagnoses and rehomes a charger; the keyboard never leads nowhere."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from app.model.job import JobState, StepKind
from app.sim.garage import PASSWORD
from tests.e2e.kit import PATIENT, Visit, until

Visiting = Callable[..., AbstractAsyncContextManager[Visit]]
pytestmark = pytest.mark.timeout(120)
CTRL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier
KEYS = Qt.Key


async def to_card(at: Visit, text: str) -> None:
    """Walk to a charger's card with the arrows."""
    unit = await at.found(text)
    cards = at.page.cards
    at.tab_to(cards)
    at.key(KEYS.Key_Home)
    for _ in range(len(at.bench.finder.units)):
        row = at.page.model.at(cards.currentIndex())
        if row is not None and row.key == unit.unit_id:
            return
        at.key(KEYS.Key_Right)
    raise AssertionError(f"the arrows do not lead to {unit.title}")


async def fill_the_form(at: Visit, identity: str) -> None:
    """Type where the charger is to go."""
    form = at.view.pane.form
    await until(lambda: QApplication.focusWidget() in (form.url, form.identity))
    at.tab_to(form.url, backwards=at.focus is form.identity)
    at.type_text(at.garage.backend.url)
    at.tab_to(form.identity)
    at.type_text(identity)
    at.tab_to(form.profile)
    at.key(KEYS.Key_Down)
    assert form.profile.currentIndex() == 1
    at.tab_to(form.password)
    at.type_text(PASSWORD)
    at.key(KEYS.Key_Return)


async def accept_and_write(at: Visit) -> None:
    """Tick what can't be undone with the space bar and write with Enter."""
    await until(lambda: at.job.plan and not at.is_working and at.view.pane.plan.isVisible())
    for box in at.view.pane.plan.doors:
        at.tab_to(box)
        at.key(KEYS.Key_Space)
        assert box.isChecked()
    await until(at.view.primary.isEnabled)
    at.tab_to(at.view.primary)
    at.key(KEYS.Key_Return)


async def start(at: Visit) -> None:
    """Do the next step of the chosen card and begin the job."""
    at.key(KEYS.Key_Space)
    await until(lambda: at.window.page_id == "jobs" and at.view.job is not None)
    await until(lambda: QApplication.focusWidget() is at.view.primary)
    at.key(KEYS.Key_Return)
    await at.stands_at(StepKind.CHOOSE)


async def test_the_orphaned_charger_is_found_diagnosed_and_rehomed(visiting: Visiting) -> None:
    async with visiting() as at:
        at.key(KEYS.Key_1, CTRL)
        await to_card(at, "openevse-wifi")
        at.key(KEYS.Key_Return)
        await until(lambda: at.window.page_id == "unit" and "127.0.0.1:9" in at.seen(at.page))
        assert at.page.isAncestorOf(at.focus)
        at.key(KEYS.Key_Left, ALT)
        await until(lambda: at.window.page_id == "site")
        assert at.focus is at.page.cards
        await start(at)
        await fill_the_form(at, "STALL-01")
        await accept_and_write(at)
        await until(lambda: at.is_working)
        await until(lambda: QApplication.focusWidget() is at.view.pause_button)
        await until(lambda: at.job.is_final)
        assert (await at.stopped()).state is JobState.DONE
        assert at.garage.gateway.config["ocpp_server"] == at.garage.backend.url
        assert at.page.isAncestorOf(at.focus)
        at.tab_to(at.view.pane.report.save)
        at.tab_to(at.view.undo_button)
        at.key(KEYS.Key_Return)
        await until(at.question)
        at.key(KEYS.Key_Return)
        await at.window_again()
        await until(lambda: at.job.state is JobState.UNDONE)
        await at.stopped()
        assert at.focus


async def test_a_job_is_stopped_and_resumed(visiting: Visiting) -> None:
    async with visiting(timing=PATIENT) as at:
        await to_card(at, "STALL-02")
        await start(at)
        await fill_the_form(at, "STALL-02")
        await accept_and_write(at)
        await at.runs(StepKind.SWITCH)
        await until(lambda: QApplication.focusWidget() is at.view.pause_button)
        at.key(KEYS.Key_Return)
        await until(lambda: at.job.state is JobState.PAUSED)
        await until(lambda: QApplication.focusWidget() is at.view.primary)
        at.key(KEYS.Key_Return)
        await until(lambda: at.job.is_final or (at.job.state is JobState.ACTIVE and not at.is_working))
        assert (await at.stopped()).state is JobState.DONE, at.job.steps


async def test_closing_in_a_job_asks_and_escape_stays(visiting: Visiting) -> None:
    async with visiting(timing=PATIENT) as at:
        await to_card(at, "STALL-02")
        await start(at)
        await fill_the_form(at, "STALL-02")
        await accept_and_write(at)
        await at.runs(StepKind.SWITCH)
        at.key(KEYS.Key_Q, CTRL)
        box = await until(at.question)
        assert box.isAncestorOf(at.focus)
        at.key(KEYS.Key_Escape)
        await at.window_again()
        assert at.is_working
        assert at.focus


async def test_every_page_takes_the_keyboard(visiting: Visiting) -> None:
    async with visiting() as at:
        await at.found("openevse-wifi")
        for number, page_id in enumerate(
            ("site", "endpoint", "garage", "traffic", "jobs", "chargers", "settings"), start=1
        ):
            at.key(KEYS(KEYS.Key_0 + number), CTRL)
            assert at.window.page_id == page_id
            assert at.page.isAncestorOf(at.focus), page_id
            seen = []
            while at.focus not in seen:
                seen.append(at.focus)
                at.key(KEYS.Key_Tab)
            assert at.focus is not seen[-1], f"the keyboard is caught in {seen[-1]} on {page_id}"
            assert any(at.window.rail.isAncestorOf(widget) for widget in seen), f"Tab stays within {page_id}"
