"""The rescue page through its real widgets: a charger brings what its dead backend never took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QFileDialog

from app.sim.station2 import Station2
from tests.ui.test_endpoint_page import opened, until
from tests.ui.test_endpoint_services import click, service, shown
from ui.models.rescue import Queue, state_words
from ui.pages.endpoint_rescue import RescuePage


async def test_kept_sessions_are_shown_as_they_come_and_saved(
    open_bench: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_bench() as bench, opened(bench) as page:
        bench.rescue.patience = replace(bench.rescue.patience, quiet_s=1.0)
        unit = Station2("ws://old.example.invalid/ocpp", "CP-1", time_scale=0.01)
        for days_ago, energy_wh in ((3.0, 7000.0), (2.0, 5000.0)):
            unit.remember_session("04AABBCC", days_ago=days_ago, energy_wh=energy_wh)
        async with unit:
            unit.dial(bench.server.state.url)
            await bench.server.arrival("CP-1", timeout_s=5)
            await shown(page)
            panel = service(page, RescuePage)
            await until(lambda: len(panel.model.items) == 2 and panel.model.items[0].energy_wh == 5000)
            assert [line.energy_wh for line in panel.model.items] == [5000, 7000]
            assert "12.000 kWh" in panel.sums.text()
            assert not panel.none.isVisible()
            await until(lambda: "queue is empty" in panel.state.text())
            monkeypatch.setattr(QFileDialog, "open", lambda dialog: _choose(dialog, tmp_path))
            click(panel.save)
            await until(lambda: "Saved:" in panel.result.text())
        texts = [path.read_text() for path in tmp_path.glob("CP-1-*")]
        assert len(texts) == 2
        assert "04AABBCC" not in "".join([*texts, str(panel.model.items)])
        await until(lambda: "Not connected" in panel.state.text())
        assert len(panel.model.items) == 2


def _choose(dialog: QFileDialog, folder: Path) -> None:
    dialog.fileSelected.emit(str(folder))
    dialog.accept()


async def test_a_charger_that_told_nothing_is_shown_as_that(open_bench: Callable[..., Any]) -> None:
    unit = Station2("ws://old.example.invalid/ocpp", "CP-1", time_scale=0.01)
    async with open_bench() as bench, opened(bench) as page, unit:
        unit.dial(bench.server.state.url)
        await bench.server.arrival("CP-1", timeout_s=5)
        await shown(page)
        panel = service(page, RescuePage)
        await until(panel.none.isVisible)
        assert not panel.save.isEnabled()
        assert "Waiting" in panel.state.text()


def test_a_queue_that_is_stuck_says_on_what() -> None:
    words, tone = state_words(Queue(is_connected=True, stuck="StartTransaction 2026-10-01T08:00:00Z", needed_s=20))
    assert ("StartTransaction 2026-10-01" in words, tone) == (True, "fault")
