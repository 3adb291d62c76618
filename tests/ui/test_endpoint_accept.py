"""The acceptance pane through its real widgets, with a simulated charger that lives fifty times faster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton

from app.acceptance.tempo import Tempo
from app.sim.station import OcppStation
from ui.pages import endpoint_accept
from ui.pages.endpoint import EndpointPage
from ui.pages.endpoint_accept import AcceptancePanel
from ui.pages.endpoint_unit import ACCEPTANCE
from ui.theme import TARGET_LARGE

PACE = 0.02
LIMIT_S = 20


async def until(wanted: Callable[[], Any]) -> Any:
    async with asyncio.timeout(LIMIT_S):
        while not (found := wanted()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return found


@asynccontextmanager
async def opened(bench: Any) -> AsyncIterator[tuple[EndpointPage, AcceptancePanel, OcppStation]]:
    bench.acceptance.tempo = Tempo(pace=PACE, least_s=0.8)
    await bench.server.start("127.0.0.1", 0)
    page = EndpointPage(bench)
    page.resize(1180, 672)
    page.show()
    async with OcppStation("CP-1", bench.server.state.url, time_scale=PACE) as unit:
        await bench.server.arrival("CP-1", timeout_s=5)
        await unit.until(lambda: unit.booted.is_set(), timeout_s=5)
        page.refresh()
        page.show_charger("CP-1")
        page.unit.tabs.setCurrentIndex(ACCEPTANCE)
        try:
            yield page, page.unit.acceptance, unit
        finally:
            await page.tasks.stop()
            page.close()
            page.deleteLater()


def choose(box: QComboBox, data: str) -> None:
    box.setCurrentIndex(box.findData(data))


def words(panel: AcceptancePanel) -> list[str]:
    return [label.text().replace("\u200b", "") for label in panel.case.findChildren(QLabel) if label.isVisible()]


async def test_the_pane_says_what_a_suite_asks_before_it_starts(bench: Any) -> None:
    async with opened(bench) as (_, panel, _unit):
        assert panel.start.isEnabled()
        assert not panel.stop.isVisible()
        assert "11 cases, at most 10 minutes" in panel.state.text()
        assert [line.state for line in panel.model.items] == ["·  Waiting"] * 11
        choose(panel.suite, "full")
        assert len(panel.model.items) >= 40
        panel.table.select_key("A16-SMART-01")
        assert "Set a TxDefaultProfile of 8 A" in " ".join(words(panel))


async def test_a_run_with_a_person_from_start_to_saved_file(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(bench) as (page, panel, unit):
        unit.configuration["TransactionMessageAttempts"].value = "0"
        went: list[tuple[str, object]] = []
        page.go.connect(lambda page_id, argument: went.append((page_id, argument)))
        choose(panel.suite, "commissioning")
        QTest.mouseClick(panel.start, Qt.MouseButton.LeftButton)
        await until(lambda: panel.prompt.isVisible())
        assert panel.stop.isVisible()
        assert not panel.suite.isEnabled()
        assert panel.prompt.title.text() == "Plug in a car"
        assert panel.prompt.count.text().endswith(" s")
        assert all(button.height() >= TARGET_LARGE for button in panel.prompt.findChildren(QPushButton))
        assert [line.case_id for line in panel.model.items if "Running" in line.state] == ["A16-AUTH-01"]
        unit.plug_in(1)
        await until(lambda: "refused" in panel.prompt.title.text())
        QTest.mouseClick(panel.prompt.cannot, Qt.MouseButton.LeftButton)
        await until(lambda: panel.prompt.isVisible() and panel.prompt.title.text() == "Hold any card now")
        QTest.keyClick(panel.prompt.skip, Qt.Key.Key_Space)
        await until(lambda: panel.start.isVisible() and panel.history.isVisible())
        states = {line.case_id: line.state for line in panel.model.items}
        assert states["A16-BOOT-01"] == "✓  Pass"
        assert states["A16-CONF-08"] == "◐  Partial"
        assert states["A16-AUTH-01"] == states["A16-AUTH-02"] == "○  Not asked"
        assert states["A16-RESET-01"] == "✓  Pass"
        assert panel.verdict.text == "Partial"
        panel.table.select_key("A16-CONF-08")
        await until(lambda: any("TransactionMessageAttempts" in text for text in words(panel)))
        link = next(button for button in panel.case.sentences.findChildren(QPushButton) if button.isVisible())
        QTest.mouseClick(link, Qt.MouseButton.LeftButton)
        assert went == [("traffic", int(link.text()))]
        assert int(link.text()) in {frame.seq for frame in panel.result.results[5].frames}
        for kind, mark in (("html", "<h1>"), ("xml", "<testsuites"), ("json", '"case_id"')):
            path = tmp_path / f"result.{kind}"

            async def chosen(*_: Any, path: Path = path, **__: Any) -> Path:
                return path

            monkeypatch.setattr(endpoint_accept, "choose_file", chosen)
            action = next(item for item in panel.save.menu().actions() if item.data() == kind)
            assert isinstance(action, QAction)
            action.trigger()
            await until(path.exists)
            await until(lambda: not page.tasks.is_running("save acceptance"))
            assert mark in path.read_text()


async def test_a_run_can_be_stopped_and_is_found_among_the_earlier_ones(bench: Any) -> None:
    async with opened(bench) as (_, panel, _unit):
        choose(panel.suite, "commissioning")
        panel.start.click()
        await until(lambda: panel.prompt.isVisible())
        panel.stop.click()
        await until(lambda: panel.start.isVisible() and panel.history.isVisible())
        assert not panel.prompt.isVisible()
        assert "Stopped by hand" in panel.state.text()
        choose(panel.suite, "full")
        assert panel.result is None
        panel.history.setCurrentIndex(1)
        panel.history.activated.emit(1)
        assert panel.result is not None
        assert panel.result.stopped == "Stopped by hand."
        assert panel.verdict.text == "Not asked"


async def test_a_charger_that_left_can_not_be_tested_but_its_runs_stay(bench: Any) -> None:
    async with opened(bench) as (page, panel, unit):
        await unit.power_off()
        await until(lambda: bench.server.endpoint("CP-1") is None)
        page.refresh()
        panel.refresh()
        assert not panel.start.isEnabled()
        assert panel.empty.isVisible()
        assert panel.empty.accessibleName() == "Not connected"
