"""The family's facts where a unit stands: on its page before a job, in a job by hand, and on cards for a site."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.jobs.stepping import backend_entry
from app.model.address import NetAddress
from app.model.backend import Backend, SecurityProfile
from app.model.job import Job, Step, StepKind, StepState
from app.model.profile import Evidence, FirmwareRule, Grade
from app.model.secret import Secret
from app.model.unit import ClaimKind, Identity, SourceKind, Unit, Way, claim
from app.settings import Listed, Preset, Settings
from tests.ui.wizard_jobs import a_job
from ui.pages.site_cards import CardChoice
from ui.pages.unit_family import FamilyCard
from ui.wizard.byhand import guidance_of
from ui.wizard.view import JobView

SECRET = "zebra-Crossing/9-26"
REAL = Backend(url="wss://csms.example/ocpp", identity="CP-1", security_profile=SecurityProfile.TLS_BASIC)
FACT = Evidence(source="vendor handbook", grade=Grade.SOURCE)


def words(widget: QWidget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget))


def by_hand(kind: StepKind, url: str, backend: Backend = REAL) -> Job:
    step = Step(kind=kind, state=StepState.NEEDS_INPUT, note="Not from here.", advice="Type it.")
    typed = {"by_hand": {"step": kind.value, "url": url, "identity": "CP-1"}}
    return a_job(kind, step, backend=backend, profile_id="wallbox", facts=typed)


def test_firmware_limits_are_held_against_the_chargers_version(qtbot: QtBot, bench: Any) -> None:
    place = QWidget()
    qtbot.addWidget(place)
    card = FamilyCard(place)
    rule = FirmwareRule(needs="OCPP", minimum="5.0", update="With the app.", evidence=FACT)
    profile = replace(bench.registry.profiles["openevse-wifi"], firmware=(rule,))
    card.show_family(profile, "4.2")
    assert "5.0 or newer: OCPP. This charger has 4.2." in words(card)
    assert "Update: With the app." in words(card)
    card.show_family(profile, "5.1.2")
    assert "This charger has 5.1.2: it fits." in words(card)
    assert "Update:" not in words(card)
    card.show_family(profile, "")
    assert "Whether this charger fits is not known." in words(card)
    for door in profile.one_way_doors:
        assert door.text in words(card)
    card.show_family(None, "")
    assert card.isHidden()


async def test_the_unit_page_leads_to_the_library_and_to_what_to_type(bench: Any) -> None:
    from ui.pages.unit import UnitPage

    unit = a_unit(bench, "SN1", "wallbox")
    page = UnitPage(bench)
    page.open(unit.unit_id)
    page.show()
    page._show()
    led: list[tuple[str, object]] = []
    page.go.connect(lambda place, argument: led.append((place, argument)))
    for text in ("All we know", "What to type …"):
        button = next(item for item in page.findChildren(QPushButton) if item.text() == text)
        button.click()
    assert led == [("chargers", "wallbox"), ("chargers", f"type:{unit.unit_id}")]


async def test_what_to_type_at_a_charger_begins_with_what_the_list_says(bench: Any) -> None:
    from ui.pages.chargers import ChargersPage

    unit = a_unit(bench, "SN1", "wallbox")
    listed = (Listed(serial="SN1", identity="CP-1", backend="wss://csms.example/ocpp"),)
    bench.change_settings(Settings(endpoint_on=False, listed=listed))
    page = ChargersPage(bench)
    page.show()
    page.open(f"type:{unit.unit_id}")
    assert page.shown is not None
    assert page.shown.id == "wallbox"
    assert [row.text.text for row in page.typing.view.rows[:2]] == ["wss://csms.example/ocpp/", "CP-1"]
    assert unit.title in page.typing.title.text()


def a_unit(bench: Any, serial: str, profile_id: str) -> Unit:
    claims = tuple(item for item in (claim(ClaimKind.SERIAL, serial),) if item)
    identity = Identity(serial=serial, name=f"Bay {serial}", profile_id=profile_id, firmware="6.1", claims=claims)
    way = Way(
        source=SourceKind.MANUAL,
        address=NetAddress(host=f"192.0.2.{serial[-1]}", port=80),
        driver_id="openevse-wifi",
        seen_at=datetime(2026, 11, 22, tzinfo=UTC),
        is_present=False,
    )
    unit, _ = bench.finder._roster.observe(identity, way)
    assert isinstance(unit, Unit)
    return unit


def test_the_password_is_typed_at_the_real_backend_but_not_sent_in_clear_to_ours(bench: Any) -> None:
    bench.vault.set(backend_entry("job-1"), Secret(SECRET))
    switch = by_hand(StepKind.SWITCH, REAL.url)
    guidance = guidance_of(bench, switch, switch.step(StepKind.SWITCH))
    assert guidance is not None
    assert [line.label for line in guidance.lines] == ["URL", "Charge Point Identity", "Password"]
    assert [line.text for line in guidance.lines] == ["wss://csms.example/ocpp/", "CP-1", SECRET]
    rehearsal = by_hand(StepKind.APPLY, "ws://10.0.0.5:8180/")
    guidance = guidance_of(bench, rehearsal, rehearsal.step(StepKind.APPLY))
    assert guidance is not None
    assert [line.text for line in guidance.lines] == ["ws://10.0.0.5:8180/", "CP-1", ""]
    plain = replace(REAL, url="ws://csms.example/ocpp", security_profile=SecurityProfile.BASIC)
    rehearsal = by_hand(StepKind.APPLY, "ws://10.0.0.5:8180/", plain)
    guidance = guidance_of(bench, rehearsal, rehearsal.step(StepKind.APPLY))
    assert guidance is not None
    assert guidance.lines[2].text == SECRET


async def test_a_guided_job_shows_the_vendors_own_fields_and_ticks(bench: Any, qtbot: Any) -> None:
    from ui.pages.jobs import JobsPage

    page = JobsPage(bench)
    qtbot.addWidget(page)
    view: JobView = page.view
    job = by_hand(StepKind.SWITCH, REAL.url)
    view.show_job(job)
    shown = view.pane.by_hand
    assert "Charge Point Identity" in words(shown)
    assert "myWallbox app" in words(shown)
    assert view.primary.text() == "I have typed it in"
    qtbot.keyClick(shown.rows[0], Qt.Key.Key_Space)
    view.show_job(replace(job, seq=job.seq + 1))
    assert shown.rows[0].done.isChecked()
    assert "up to 20 min until it dials" in words(shown)


async def test_enter_does_not_say_typed_before_anything_was(bench: Any, qtbot: Any) -> None:
    from ui.pages.jobs import JobsPage

    page = JobsPage(bench)
    qtbot.addWidget(page)
    page._stack.setCurrentWidget(page.view)
    page.show()
    with qtbot.waitActive(page):
        page.activateWindow()
    page.view.show_job(by_hand(StepKind.SWITCH, REAL.url))
    page.view.focus_next()
    assert QApplication.focusWidget() is page.view.pane.by_hand.rows[0]


def test_cards_for_a_site_take_each_chargers_own_identity(bench: Any, tmp_path: Path) -> None:
    for number, profile_id in ((1, "wallbox"), (2, "zaptec"), (3, "openevse-wifi"), (4, "")):
        a_unit(bench, f"SN{number}", profile_id)
    listed = (
        Listed(serial="SN1", identity="CP-1", backend="wss://csms.example/ocpp"),
        Listed(serial="SN2", identity="CP-2", backend="wss://csms.example/ocpp"),
    )
    preset = Preset(name="New", url="ws://new.example/")
    bench.change_settings(Settings(endpoint_on=False, listed=listed, presets=(preset,)))
    choice = CardChoice(bench, next(unit.unit_id for unit in bench.finder.units.values() if "SN1" in unit.title))
    cards, lost = choice.cards()
    assert [(card.title, card.identity) for card in cards] == [("Bay SN1", "CP-1")]
    assert not lost
    choice.all.setChecked(True)
    cards, lost = choice.cards()
    assert sorted(card.identity for card in cards) == ["CP-1", "CP-2"]
    assert sorted(lost) == ["Bay SN3", "Bay SN4"]
    choice.backend.setCurrentIndex(choice.backend.count() - 1)
    cards, lost = choice.cards()
    assert sorted(card.identity for card in cards) == ["CP-1", "CP-2", "SN3", "SN4"]
    assert all("new.example" in card.guidance.dials for card in cards)
    assert not lost
    assert not choice.with_secret.isChecked()


@pytest.mark.parametrize("name", ["About this family"])
async def test_a_job_leads_to_its_family(bench: Any, qtbot: QtBot, name: str) -> None:
    from ui.pages.jobs import JobsPage

    page = JobsPage(bench)
    qtbot.addWidget(page)
    led: list[tuple[str, object]] = []
    page.go.connect(lambda place, argument: led.append((place, argument)))
    page.view.show_job(by_hand(StepKind.SWITCH, REAL.url))
    action = next(item for item in page.view.more_button.menu().actions() if item.text() == name)
    action.trigger()
    assert led == [("chargers", "wallbox")]
