"""A charger that a job has brought to its backend is not told to be moved."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from PySide6.QtWidgets import QLabel

from app.model.backend import Backend
from app.model.job import Job, JobState
from app.model.unit import Identity, Unit
from ui.models.triage import minutes_of, words_of
from ui.pages.unit_verdict import verdict_of
from ui.widgets.verdict import VerdictCard

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NEW = Backend(url="ws://new.example/ocpp", identity="STALL-01")


async def test_a_charger_that_has_arrived_is_told_to_have_arrived(bench: Any, qtbot: Any) -> None:
    unit = Unit(
        unit_id="u1",
        identity=Identity(profile_id="openevse-wifi", firmware="v5.1.5"),
        backend=NEW,
        state="Charging",
        first_seen_at=NOW,
        last_seen_at=NOW,
    )
    job = Job(
        id="j1",
        version="1",
        unit_id="u1",
        unit_title="STALL-01",
        profile_id="openevse-wifi",
        state=JobState.DONE,
        backend=NEW,
        steps=(),
        created_at=NOW,
        updated_at=NOW,
        seq=1,
    )
    stub = SimpleNamespace(
        triage=bench.triage,
        now=bench.now,
        desk=SimpleNamespace(jobs={"j1": job}),
        finder=SimpleNamespace(units={"u1": unit}),
    )
    row = verdict_of(stub, unit)  # type: ignore[arg-type]  # what it needs of a workbench
    assert words_of(row.item).text == "Done already"
    assert minutes_of(row.item) == "–"
    card = VerdictCard(None)  # type: ignore[arg-type]  # a window of its own
    qtbot.addWidget(card)
    card.show_row(row)
    assert not any("visit" in label.text() or "unplug" in label.text() for label in card.findChildren(QLabel))
