"""The lamp of the question to everybody: it has words, and a way to ask again."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QPushButton

from app.discovery.broadcast import BroadcastSource
from app.model.frame import SourceHealth, SourceState
from app.workbench import Workbench
from tests.ui.test_shell_session import running
from ui.widgets.popover import Popover

STATE = SourceState(source="broadcast", health=SourceHealth.WORKING, text="2 answers on eth0.")


@pytest.fixture(autouse=True)
def no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workbench, "_sources", lambda self: [])


async def test_a_person_can_ask_again(home: Path) -> None:
    async with running(home) as run:
        await run.opened()
        bench = run.wiring._bench
        bench.broadcast = BroadcastSource([], bench.links.everybody, adapter=lambda: "")
        bench.finder._supervisor._changed(STATE)
        run.wiring._sources_changed([])
        lamp = run.window.top_bar.source_button("broadcast")
        assert lamp is not None
        assert lamp.accessibleName() == "Question to everybody: Working"
        assert "2 answers" in lamp.toolTip()
        lamp.click()
        (popover,) = run.window.findChildren(Popover)
        (again,) = popover.findChildren(QPushButton)
        assert again.text() == "Ask again"
        again.click()
        assert bench.broadcast._again.is_set()
