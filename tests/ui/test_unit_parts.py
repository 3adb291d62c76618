"""Parts of the charger's page on plain values: series, plots, states, settings model, findings, proof strip."""

from __future__ import annotations

import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QLabel, QLineEdit

from app.model.address import OcppAddress
from app.model.finding import Evidence, Finding, Severity
from app.model.proof import Known, chain
from app.model.reading import Measurand, Reading, StateChange
from app.model.setting import Setting, SettingKind, Snapshot
from app.model.unit import Identity, SourceKind, Unit, Way
from ui.models.series import CAPACITY, GAP_S, CurveKey, Series, SeriesStore
from ui.models.settings import NOTE, VALUE, SettingsModel, WriteState, export_json, problem_of, shown_value
from ui.models.units import plain_address, where_text
from ui.pages.unit_diagnosis import FactsCard
from ui.widgets.findings import Findings
from ui.widgets.plots import Plots, curve_name
from ui.widgets.proofstrip import ProofStrip
from ui.widgets.settings_table import SettingsTable
from ui.widgets.timeline import StateTimeline

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def reading(value: float, *, at: float = 0.0, kind: Measurand = Measurand.POWER, phase: str = "", connector: int = 1):
    return Reading(
        unit_id="u", measurand=kind, value=value, at=NOW + timedelta(seconds=at), phase=phase, connector=connector
    )


# Series


def test_a_series_keeps_the_newest_and_never_grows() -> None:
    series = Series(capacity=100)
    for n in range(1000):
        series.append(float(n), float(n * 2))
    assert len(series) <= 100
    assert list(series.x[-3:]) == [997.0, 998.0, 999.0]
    assert series.at(998.5) == 1996.0
    assert series.span(990, 995) == (1978.0, 1990.0)


def test_late_and_doubled_points_are_left_out() -> None:
    series = Series()
    series.append(10.0, 1.0)
    series.append(10.0, 1.0)
    series.append(5.0, 9.0)
    assert len(series) == 1


def test_a_long_silence_is_a_gap_not_a_line() -> None:
    series = Series()
    series.append(0.0, 1.0)
    series.append(GAP_S + 1, 2.0)
    assert math.isnan(series.y[1])
    assert series.at(GAP_S / 2) is None
    assert series.span(0, GAP_S + 2) == (1.0, 2.0)


def test_impossible_values_and_floods_of_curves_are_harmless() -> None:
    store = SeriesStore()
    store.add([reading(math.nan), reading(math.inf, phase="L1")])
    store.add(reading(1.0, connector=n) for n in range(5000))
    assert len(store.series) <= SeriesStore.LIMIT
    assert CAPACITY > 3600


# Plots


def test_panels_appear_with_their_readings(qtbot: Any) -> None:
    plots = Plots()
    qtbot.addWidget(plots)
    assert plots.add([reading(7360.0), reading(16.0, kind=Measurand.CURRENT, phase="L1")])
    assert not plots.add([reading(7000.0, at=1)])
    assert plots.titles == ["Power", "Current"]
    plots.show()
    plots.draw()
    assert "<b>7.00</b>" in plots.panels["Power"].values.text()
    since, until = plots.span()
    assert since < (NOW + timedelta(seconds=1)).timestamp() < until


def test_pause_holds_the_picture_and_follow_goes_on(qtbot: Any) -> None:
    plots = Plots()
    qtbot.addWidget(plots)
    plots.add([reading(1000.0)])
    plots.show()
    plots.draw()
    before = plots.panels["Power"].plot.getPlotItem().getViewBox().viewRange()[0]
    plots.is_paused = True
    plots.add([reading(2000.0, at=60)])
    plots.draw()
    assert plots.panels["Power"].plot.getPlotItem().getViewBox().viewRange()[0] == before
    plots.is_paused = False
    plots.draw()
    assert plots.panels["Power"].plot.getPlotItem().getViewBox().viewRange()[0] != before


def test_moving_ends_following_and_says_so(qtbot: Any) -> None:
    plots = Plots()
    qtbot.addWidget(plots)
    plots.add([reading(1000.0), reading(2.0, kind=Measurand.CURRENT)])
    plots.show()
    plots.draw()
    told: list[bool] = []
    plots.followed.connect(told.append)
    start = NOW.timestamp()
    plots.panels["Power"].spanned.emit(start - 100, start - 50)
    assert told == [False]
    shown = plots.panels["Current"].plot.getPlotItem().getViewBox().viewRange()[0]
    assert shown == pytest.approx([start - 100, start - 50])


def test_a_hostile_phase_is_no_markup(qtbot: Any) -> None:
    plots = Plots()
    qtbot.addWidget(plots)
    plots.add([reading(1.0, phase="<img src=x>")])
    plots.show()
    plots.draw()
    assert "<img" not in plots.panels["Power"].values.text()


def test_curves_are_told_apart() -> None:
    assert curve_name(CurveKey(Measurand.CURRENT, 2, "L1"), has_connectors=True) == "#2 L1"
    assert curve_name(CurveKey(Measurand.CURRENT_OFFERED, 1, ""), has_connectors=False) == "offered"


def test_the_page_does_not_load_pyqtgraph() -> None:
    code = "import sys, ui.pages.unit, ui.pages.site; sys.exit('pyqtgraph' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


# States


def test_the_state_of_any_moment_is_found(qtbot: Any) -> None:
    strip = StateTimeline()
    qtbot.addWidget(strip)
    strip.add([change("Available", 0), change("Charging", 10), change("Charging", 12), change("Faulted", 20)])
    strip.show_span(NOW.timestamp(), NOW.timestamp() + 30)
    strip.show()
    assert strip.state_at(1, NOW.timestamp() + 15).state == "Charging"  # type: ignore[union-attr]
    assert strip.state_at(1, NOW.timestamp() - 1) is None
    assert "Faulted" in strip.accessibleDescription()
    assert not strip.grab().isNull()


def test_a_flapping_charger_fills_no_memory(qtbot: Any) -> None:
    strip = StateTimeline()
    qtbot.addWidget(strip)
    strip.add(change("Available" if n % 2 else "Charging", n, connector=1 + n % 30) for n in range(20_000))
    assert len(strip._lanes) <= 8
    assert max(map(len, strip._lanes.values())) <= 2000


def change(state: str, at: float, connector: int = 1) -> StateChange:
    return StateChange(unit_id="u", connector=connector, state=state, at=NOW + timedelta(seconds=at))


# Settings

PORT = Setting(key="port", value="80", kind=SettingKind.INTEGER, minimum=1, maximum=65535, unit="")
MODE = Setting(key="mode", value="fast", kind=SettingKind.CHOICE, choices=("fast", "slow"))
NAME = Setting(key="name", value="a", label="Name of the charger", limit=8)
KEY = Setting(key="key", value="hush", is_secret=True)
FIXED = Setting(key="serial", value="1", is_readonly=True)
HIDDEN = Setting(key="blind", value=None, is_secret=True, is_readable=False)
ALL = (FIXED, PORT, MODE, NAME, KEY, HIDDEN)


def snapshot(*settings: Setting) -> Snapshot:
    return Snapshot(taken_at=NOW, settings=settings or ALL)


@pytest.mark.parametrize(
    ("setting", "text", "is_good"),
    [
        (PORT, "8080", True),
        (PORT, "0", False),
        (PORT, "65536", False),
        (PORT, "8o", False),
        (PORT, " 80 ", False),
        (PORT, "8_0", False),
        (PORT, "٨٠", False),
        (Setting(key="n", value="1", kind=SettingKind.NUMBER), "nan", False),
        (Setting(key="n", value="1", kind=SettingKind.NUMBER), "1.5", True),
        (MODE, "slow", True),
        (MODE, "warp", False),
        (NAME, "12345678", True),
        (NAME, "123456789", False),
        (NAME, "a\nb", False),
        (Setting(key="s", value="true", kind=SettingKind.SWITCH), "maybe", False),
    ],
)
def test_values_are_checked_before_anything_is_sent(setting: Setting, text: str, is_good: bool) -> None:
    assert (problem_of(setting, text) == "") is is_good


@pytest.fixture
def model(qapp: Any) -> Any:
    owner = QObject()
    made = SettingsModel(owner)
    made.show_snapshot(snapshot())
    made.can_write = True
    made.asked = []  # type: ignore[attr-defined]
    made.write_asked.connect(lambda setting, text: made.asked.append((setting.key, text)))  # type: ignore[attr-defined]
    yield made
    owner.deleteLater()


def place(model: SettingsModel, key: str, column: int = VALUE) -> Any:
    return model.index([row.setting.key for row in model.rows].index(key), column)


def test_what_can_be_changed_comes_first_and_read_only_can_not(model: Any) -> None:
    assert model.rows[-1].setting.key == "serial"
    assert not model.flags(place(model, "serial")) & Qt.ItemFlag.ItemIsEditable
    assert model.flags(place(model, "port")) & Qt.ItemFlag.ItemIsEditable
    model.can_write = False
    assert not model.flags(place(model, "port")) & Qt.ItemFlag.ItemIsEditable


def test_a_good_edit_is_asked_for_a_bad_one_is_explained(model: Any) -> None:
    model.setData(place(model, "port"), "8080")
    model.setData(place(model, "port"), "80")
    model.setData(place(model, "port"), "0")
    assert model.asked == [("port", "8080")]
    assert "Not below 1" in place(model, "port", NOTE).data()


def test_secrets_are_never_shown_copied_or_exported(model: Any) -> None:
    assert place(model, "key").data() == "•••"
    assert "hush" not in model.text()
    assert "hush" not in export_json(snapshot(), charger="c")
    model.setData(place(model, "key"), "")
    assert model.asked == []
    assert shown_value(HIDDEN) == "can't be read"


def test_a_diff_shows_what_was_and_leaves_out_what_nobody_can_know(model: Any) -> None:
    old = snapshot(Setting(key="port", value="8080"), Setting(key="key", value="•••"), MODE, FIXED, HIDDEN, NAME)
    model.compare(old)
    model.show(is_changed_only=True)
    assert [row.setting.key for row in model.rows] == ["port"]
    assert place(model, "port", NOTE).data() == "was 8080"
    assert model.changed_count == 1


def test_search_looks_at_label_key_and_value(model: Any) -> None:
    model.show(text="charger")
    assert [row.setting.key for row in model.rows] == ["name"]
    model.mark("name", WriteState.PROVED, "Read back.")
    assert place(model, "name", NOTE).data() == "Read back."


def test_each_kind_has_its_editor(qtbot: Any) -> None:
    table = SettingsTable()
    qtbot.addWidget(table)
    table.model.can_write = True
    table.model.show_snapshot(snapshot())
    delegate = table.view.itemDelegate()
    secret = delegate.createEditor(table, None, place(table.model, "key"))
    assert isinstance(secret, QLineEdit)
    assert secret.echoMode() is QLineEdit.EchoMode.Password
    delegate.setEditorData(secret, place(table.model, "key"))
    assert secret.text() == ""
    name = delegate.createEditor(table, None, place(table.model, "name"))
    assert isinstance(name, QLineEdit)
    assert name.maxLength() == 8
    choice = delegate.createEditor(table, None, place(table.model, "mode"))
    delegate.setEditorData(choice, place(table.model, "mode"))
    assert choice.currentData() == "fast"  # type: ignore[attr-defined]


# Findings and the strip


def test_findings_say_why_and_what_to_do(qtbot: Any) -> None:
    shown = Findings()
    qtbot.addWidget(shown)
    low = Finding(code="SLOW-RETURN", severity=Severity.INFO)
    high = Finding(
        code="SUBPROTO-NONE", severity=Severity.FAULT, evidence=(Evidence(label="header", text="<b>none</b>"),)
    )
    shown.show_findings([low, high])
    assert [card.finding.code for card in shown.cards] == ["SUBPROTO-NONE", "SLOW-RETURN"]
    texts = [label.text() for label in shown.cards[0].findChildren(QLabel)]
    assert "What to do" in texts
    assert any("<b>none</b>" in text for text in texts)
    assert all(
        label.textFormat() is Qt.TextFormat.PlainText for label in shown.cards[0].findChildren(QLabel) if label.text()
    )
    shown.show_findings([])
    assert shown.cards == []


def test_every_lamp_says_its_state_in_words(qtbot: Any) -> None:
    strip = ProofStrip()
    qtbot.addWidget(strip)
    strip.show_chain(chain(Known(unit=Unit(unit_id="u"))))
    names = [lamp.accessibleName() for lamp in strip.lamps.values()]
    assert len(names) == 11
    assert all(name.endswith(": not asked") for name in names)
    assert not strip.grab().isNull()


def test_ways_and_facts_are_written_as_a_person_writes_them(qtbot: Any) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    way = Way(driver_id="ocpp-local", address=OcppAddress(identity="STALL-02"), source=SourceKind.DIAL_IN, seen_at=now)
    unit = Unit(unit_id="u", identity=Identity(extra={"rapi": "5.2.1", "backend_keys": "a, b"}), ways=(way,))
    assert plain_address(way) == "STALL-02"
    assert "ocpp:" not in where_text(way, now)
    card = FactsCard(None)  # type: ignore[arg-type]  # a window of its own
    qtbot.addWidget(card)
    card.show_unit(unit, "")
    texts = [label.text() for label in card.findChildren(QLabel)]
    assert "RAPI version" in texts
    assert "Keys of its backend" in texts
