from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QPushButton
from pytestqt.qtbot import QtBot

from app.model.backend import Backend, SecurityProfile
from app.model.job import (
    Door,
    Job,
    JobState,
    Progress,
    Proof,
    ShownChange,
    Step,
    StepKind,
    StepState,
    Strength,
    Target,
)
from app.model.secret import MASK
from app.settings import Preset
from tests.ui.wizard_jobs import NOW, a_job
from ui.models.jobs import COLUMNS, JobsModel
from ui.widgets.copy import CopyField
from ui.wizard.board import Board
from ui.wizard.choose import BackendForm
from ui.wizard.countdown import Countdown, span
from ui.wizard.evidence import EvidenceList
from ui.wizard.plan import PlanView


def test_the_form_says_beside_the_field_what_is_wrong_and_when_it_is_right(qtbot: QtBot) -> None:
    form = BackendForm()
    qtbot.addWidget(form)
    form.fill(None, identity="GARAGE-01")
    assert not form.is_valid
    assert form.fields["url"].problem == ""  # nobody has typed there yet
    qtbot.keyClicks(form.url, "http://csms.example")
    assert "ws://" in form.fields["url"].problem
    form.url.clear()
    qtbot.keyClicks(form.url, "ws://csms.example/ocpp")
    assert form.fields["url"].problem == ""
    assert form.is_valid
    assert form.dialled.text == "ws://csms.example/ocpp/GARAGE-01"


def test_the_form_wants_a_password_where_the_profile_does_and_hides_it(qtbot: QtBot) -> None:
    form = BackendForm()
    qtbot.addWidget(form)
    form.fill(Backend(url="ws://csms.example", identity="A1", security_profile=SecurityProfile.BASIC))
    assert not form.is_valid
    qtbot.keyClicks(form.password, "s3cret-pass")
    assert form.is_valid
    assert form.password.displayText() != "s3cret-pass"
    assert form.backend().secret.reveal() == "s3cret-pass"
    form.reveal.click()
    assert form.password.displayText() == "s3cret-pass"


def test_a_preset_fills_address_and_profile(qtbot: QtBot) -> None:
    form = BackendForm()
    qtbot.addWidget(form)
    form.offer((Preset(name="Coop", url="wss://csms.coop.example/ocpp", security_profile=2),))
    form.fill(None, identity="A1")
    form.preset.setCurrentIndex(1)
    assert form.backend().url == "wss://csms.coop.example/ocpp"
    assert form.backend().security_profile is SecurityProfile.TLS_BASIC
    assert form.backend().name == "Coop"


def planned() -> Job:
    change = ShownChange(
        key="ocpp_server", before="ws://old.example", after="ws://10.0.0.5:8180/", target=Target.ENDPOINT
    )
    key = ShownChange(key="ocpp_authkey", before="", after=MASK, target=Target.BACKEND, is_secret=True)
    door = Door(id="profile", text="The security profile can't be lowered again.", source="SEC16 A00.FR.005")
    return a_job(StepKind.APPLY, plan=(change, key), doors=(door,), restarts=1)


def test_the_plan_shows_the_exact_strings_and_asks_for_every_door(qtbot: QtBot) -> None:
    plan = PlanView()
    qtbot.addWidget(plan)
    plan.show_job(planned())
    assert [field.text for field in plan.findChildren(CopyField)] == ["ws://10.0.0.5:8180/", MASK]
    assert not plan.is_complete
    box = plan._doors["profile"]
    with qtbot.waitSignal(plan.changed):
        box.click()
    assert plan.is_complete
    assert plan.accepted == ["profile"]


def test_a_newer_state_of_the_same_plan_keeps_what_was_ticked(qtbot: QtBot) -> None:
    plan = PlanView()
    qtbot.addWidget(plan)
    job = planned()
    plan.show_job(job)
    plan._doors["profile"].click()
    plan.show_job(replace(job, seq=2, updated_at=NOW + timedelta(seconds=1)))
    assert plan.is_complete


def test_evidence_is_plain_text_and_opens_on_request(qtbot: QtBot) -> None:
    evidence = EvidenceList()
    qtbot.addWidget(evidence)
    first = Proof(text="<b>GARAGE</b> booted", at=NOW, detail='[2,"1","BootNotification",{}]')
    evidence.show_proofs((first,))
    label = next(item for item in evidence.findChildren(QLabel) if "GARAGE" in item.text())
    assert label.textFormat() is Qt.TextFormat.PlainText
    evidence.show_proofs((first, Proof(text="It says it is connected", at=NOW, strength=Strength.CLAIMED)))
    assert len(evidence._rows) == 2
    evidence._rows[0].findChild(type(evidence._rows[0]._opener())).click()
    assert evidence.findChild(QPlainTextEdit).toPlainText() == first.detail


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (45.4, "45 s"), (185, "3 min 05 s"), (4320, "1 h 12 min")])
def test_durations_are_said_as_a_person_says_them(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(("gone_s", "tone"), [(5, "working"), (90, "attention"), (2000, "fault")])
def test_the_countdown_turns_amber_then_red(qtbot: QtBot, gone_s: float, tone: str) -> None:
    countdown = Countdown()
    qtbot.addWidget(countdown)
    started = datetime.now(UTC) - timedelta(seconds=gone_s)
    countdown.show_progress(
        Progress(job_id="j", step=StepKind.PROVE, text="Waiting", started_at=started, expected_s=60, patience_s=1200)
    )
    assert countdown._bar.property("tone") == tone
    countdown.show_progress(None)
    assert not countdown._timer.isActive()


def test_the_list_puts_newer_states_in_place_and_new_jobs_first(qtbot: QtBot) -> None:
    model = JobsModel()
    model.reset([a_job(StepKind.CHOOSE)])
    model.put([a_job(StepKind.PLAN), replace(a_job(StepKind.IDENTIFY), id="job-2", unit_title="Garage 2")])
    assert model.rowCount() == 2
    assert model.data(model.index(0, 0)) == "Garage 2"
    assert "Plan" in str(model.data(model.index(1, 2)))
    assert model.columnCount() == len(COLUMNS)


def test_the_board_sorts_by_who_has_to_act(qtbot: QtBot) -> None:
    board = Board()
    qtbot.addWidget(board)
    board.show_jobs(
        [
            a_job(StepKind.CHOOSE, Step(kind=StepKind.CHOOSE, state=StepState.NEEDS_INPUT)),
            replace(a_job(StepKind.PROVE, Step(kind=StepKind.PROVE, state=StepState.RUNNING)), id="job-2"),
            replace(a_job(StepKind.PROVE), id="job-3", state=JobState.PAUSED),
            replace(a_job(None), id="job-4", state=JobState.DONE),
        ]
    )
    assert [count.text() for count in board._counts] == ["1", "1", "1", "1"]
    with qtbot.waitSignal(board.opened) as opened:
        card = next(card for card in board.findChildren(QPushButton) if card.property("job") == "job-3")
        card.click()
    assert opened.args == ["job-3"]
