"""A recording in the traffic page: opened, scrubbed, played, judged, exported, closed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from app.model.frame import Frame, Knock
from app.model.trace import Entry, Record, TraceFormat
from tests.trace.trace_kit import BEGIN, frame, lines_of, read, session, write
from tests.ui.test_traffic_page import charger, opened, until
from ui.dialogs import Question
from ui.models.frame_filter import FrameFilter
from ui.models.frame_rows import Fold
from ui.pages.traffic_files import FORMATS, ExportForm
from ui.pages.traffic_replay import ReplayPane


def long_visit(count: int = 2000) -> list[Entry]:
    """Return one exchange a second, with broken JSON in the middle."""
    frames: list[Entry] = []
    for seq in range(1, count, 2):
        frames.append(
            frame(
                seq,
                [2, str(seq), "StatusNotification", {"connectorId": 1, "status": "Available", "errorCode": "NoError"}],
            )
        )
        frames.append(frame(seq + 1, [3, str(seq), {}], is_in=False, action="StatusNotification"))
    middle = count // 2
    frames[middle] = frame(middle + 1, '[2,"x",', notes=("JSON-BROKEN",))
    return frames


@asynccontextmanager
async def replaying(bench: Any, path: Path) -> AsyncIterator[tuple[Any, ReplayPane]]:
    async with opened(bench) as page:
        page.files.open(path)
        pane = await until(lambda: page.replay)
        await until(lambda: not pane.tasks.is_running("list") and not pane.tasks.is_running("diagnose"))
        try:
            yield page, pane
        finally:
            page.leave_replay()
            await until(lambda: not page.tasks.is_running("close recording"))


def last_shown(pane: ReplayPane) -> int:
    return pane.model.last_seq or 0


async def test_a_trace_opens_in_the_same_screens_and_closing_returns_to_live(bench: Any, tmp_path: Path) -> None:
    async with replaying(bench, write(tmp_path / "garage.rehome-trace", session())) as (page, pane):
        assert not page.live.isVisible()
        assert "garage.rehome-trace" in pane.chip.text
        assert "whole, unchanged" in pane.facts.text()
        assert [entry.seq for entry in pane.model.entries] == [1, 2, 4]
        QTest.mouseClick(pane.close_button, Qt.MouseButton.LeftButton)
        assert page.live.isVisible()
        assert page.replay is None
        async with charger(bench) as ws:
            await ws.send('[2,"1","Heartbeat",{}]')
            await until(lambda: page.model.entries)


async def test_the_list_shows_the_state_at_that_second(bench: Any, tmp_path: Path) -> None:
    async with replaying(bench, write(tmp_path / "t.rehome-trace", long_visit())) as (_, pane):
        assert last_shown(pane) == 2000
        for second in (500, 1500, 1, 1999):
            pane.seek(BEGIN + timedelta(seconds=second))
            await until(lambda want=second: last_shown(pane) == want)
            assert pane.table.is_at_end
        pane.seek(BEGIN + timedelta(seconds=1000.5))
        assert not pane.moment.list.rowCount()
        pane.seek(BEGIN + timedelta(seconds=1001))
        assert pane.moment.list.rowCount() == 1


async def test_it_plays_at_a_speed_and_stops_at_the_end(bench: Any, tmp_path: Path) -> None:
    async with replaying(bench, write(tmp_path / "t.rehome-trace", long_visit(60))) as (_, pane):
        pane.seek(BEGIN)
        pane.player.speed = 100.0
        QTest.mouseClick(pane.deck.play, Qt.MouseButton.LeftButton)
        assert pane.player.is_playing
        assert pane.deck.play.accessibleName() == "Pause"
        await until(lambda: not pane.player.is_playing)
        await until(lambda: last_shown(pane) == 60)
        assert pane.deck.play.accessibleName() == "Play"
        assert pane.deck.scrubber.value() == pane.deck.scrubber.maximum()


async def test_keys_step_and_change_speed_and_go_to_findings(bench: Any, tmp_path: Path) -> None:
    async with replaying(bench, write(tmp_path / "t.rehome-trace", long_visit(60))) as (_, pane):
        pane.seek(BEGIN + timedelta(seconds=10))
        pane.table.setFocus()
        await until(pane.table.hasFocus)
        QTest.keyClick(pane.table, Qt.Key.Key_Period)
        assert pane.seq == 11
        QTest.keyClick(pane.table, Qt.Key.Key_Comma)
        assert pane.seq == 10
        QTest.keyClick(pane.table, Qt.Key.Key_BracketRight)
        assert pane.player.speed == 2.0
        QTest.keyClick(pane.table, Qt.Key.Key_N)
        await until(lambda: pane.table.current_entry() is not None and pane.table.current_entry().seq == 31)
        QTest.keyClick(pane.deck.scrubber, Qt.Key.Key_Home)
        assert pane.player.position == pane.player.start_at
        QTest.keyClick(pane.deck.scrubber, Qt.Key.Key_Space)
        assert pane.player.is_playing
        QTest.keyClick(pane.deck.scrubber, Qt.Key.Key_Space)
        assert not pane.player.is_playing


async def test_the_bar_is_dragged_and_its_marks_lead_to_frames(bench: Any, tmp_path: Path) -> None:
    async with replaying(bench, write(tmp_path / "t.rehome-trace", long_visit(100))) as (_, pane):
        bar = pane.deck.scrubber
        (mark,) = bar.marks
        QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=QPoint(bar.width() // 4, bar.height() - 8))
        assert 20 <= (pane.player.position - BEGIN).total_seconds() <= 30
        spot = QPoint(bar._x(bar._part(mark.at)), 3)
        assert bar.mark_at(spot) is mark
        QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=spot)
        await until(lambda: pane.table.current_entry() is not None and pane.table.current_entry().seq == mark.seq)


async def test_findings_are_listed_explained_and_lead_to_their_frame(bench: Any, tmp_path: Path) -> None:
    async with replaying(bench, write(tmp_path / "t.rehome-trace", long_visit(100))) as (_, pane):
        assert pane.judgement.codes == ("JSON-BROKEN",)
        pane.moment.list.selectRow(0)
        assert pane.moment.card.isVisible()
        QTest.mouseClick(pane.moment.jump_button, Qt.MouseButton.LeftButton)
        await until(lambda: pane.table.current_entry() is not None and pane.table.current_entry().seq == 51)
        assert last_shown(pane) == 51


async def test_the_filter_works_on_a_recording(bench: Any, tmp_path: Path) -> None:
    async with replaying(bench, write(tmp_path / "t.rehome-trace", long_visit())) as (_, pane):
        pane.bar.set_filter(FrameFilter(notes=frozenset({"JSON-BROKEN"})))
        await until(lambda: [entry.seq for entry in pane.model.entries] == [1001])
        pane.seek(BEGIN + timedelta(seconds=900))
        await until(lambda: not pane.model.entries)
        assert pane.empty.isVisible()


async def test_states_and_curves_follow_the_moment(bench: Any, tmp_path: Path) -> None:
    entries = long_visit(40)
    sample = {"measurand": "Power.Active.Import", "unit": "W"}
    for seq in range(41, 80):
        at = (BEGIN + timedelta(seconds=seq)).isoformat()
        value = {"timestamp": at, "sampledValue": [{**sample, "value": str(seq * 100)}]}
        entries.append(frame(seq, [2, str(seq), "MeterValues", {"connectorId": 1, "meterValue": [value]}]))
    async with replaying(bench, write(tmp_path / "t.rehome-trace", entries)) as (_, pane):
        pane.moment.setCurrentIndex(1)
        pane.seek(BEGIN + timedelta(seconds=50))
        assert "Power: 5.00 kW" in pane.moment.states.item(0, 1).text()
        assert "Available" in pane.moment.states.item(0, 1).text()
        pane.seek(BEGIN + timedelta(seconds=30))
        assert "Power" not in pane.moment.states.item(0, 1).text()
        pane.moment.setCurrentIndex(2)
        assert pane.moment.no_curves.isVisible()
        pane.seek(BEGIN + timedelta(seconds=70))
        assert pane.moment.plots is not None
        assert pane.moment.plots.titles == ["Power"]
        (series,) = pane.moment.plots.store.series.values()
        assert series.last is not None
        assert series.last[1] == 7000
        pane.seek(BEGIN + timedelta(seconds=60))
        (series,) = pane.moment.plots.store.series.values()
        assert series.last is not None
        assert series.last[1] == 6000


async def test_connections_and_knocks_are_told_at_their_time(bench: Any, tmp_path: Path) -> None:
    at = BEGIN + timedelta(seconds=3)
    knock = Knock(seq=1, at=at, remote="10.0.0.7:1", verdict="garbage", text="Random bytes", first_bytes=b"x")
    entries = [*session()[:5], Record(at=at, evidence=knock), *session()[5:]]
    async with replaying(bench, write(tmp_path / "t.rehome-trace", entries)) as (_, pane):
        pane.moment.setCurrentIndex(1)
        pane.seek(BEGIN + timedelta(seconds=2))
        assert pane.moment.states.rowCount() == 1
        assert "OCPP 1.6 from 192.168.7.20:40123" in pane.moment.states.item(0, 1).text()
        pane.seek(BEGIN + timedelta(seconds=5))
        assert "not connected" in pane.moment.states.item(0, 1).text()
        assert "Random bytes" in pane.moment.states.item(1, 1).text()


async def test_a_changed_trace_says_so(bench: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.rehome-trace"
    path.write_bytes(b"".join(lines_of(session())).replace(b"Wall 1", b"Wall 2"))
    async with replaying(bench, path) as (_, pane):
        (banner,) = pane.banners.banners
        assert "line 3" in banner.message
        assert "changed" in pane.facts.text()


async def test_a_dropped_file_opens(bench: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "t.rehome-trace", session())
    async with opened(bench) as page:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        action, buttons = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
        page.dropEvent(QDropEvent(QPointF(5, 5), action, data, buttons, Qt.KeyboardModifier.NoModifier))
        await until(lambda: page.replay)
        page.leave_replay()
        await until(lambda: not page.tasks.is_running("close recording"))


@pytest.mark.parametrize("data", [b"", b"nothing", b"\0" * 100])
async def test_what_is_no_trace_is_told_in_words_and_the_page_stays(
    bench: Any, tmp_path: Path, problems: Any, data: bytes
) -> None:
    problems.expect()
    path = tmp_path / "holiday.jpg"
    path.write_bytes(data)
    async with opened(bench) as page:
        page.files.open(path)
        await until(lambda: problems.errors)
        assert "holiday.jpg" in problems.errors[0].message
        assert page.live.isVisible()
        assert not page.band.isVisible()


async def test_a_recording_is_written_in_another_format(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.jsonl"

    async def choose(*_: Any, **options: Any) -> Path:
        assert options["save_as"].endswith(".jsonl")
        return target

    monkeypatch.setattr("ui.pages.traffic_files.choose_file", choose)
    async with replaying(bench, write(tmp_path / "t.rehome-trace", session())) as (page, pane):
        QTest.mouseClick(pane.export_button, Qt.MouseButton.LeftButton)
        question = (await until(lambda: page.findChildren(Question)))[0]
        form = question.findChild(ExportForm)
        form.format.setCurrentIndex([kind for kind, _, _ in FORMATS].index(TraceFormat.OPEN))
        QTest.mouseClick(question.findChild(QPushButton, "answer-choose"), Qt.MouseButton.LeftButton)
        await until(lambda: not page.tasks.is_running("export"))
        assert len([entry for entry in read(target)[0] if isinstance(entry, Frame)]) == 3


async def test_folded_noise_and_pairs_work_in_a_recording(bench: Any, tmp_path: Path) -> None:
    entries: list[Entry] = []
    for seq in range(1, 40, 2):
        entries.append(frame(seq, [2, str(seq), "Heartbeat", {}]))
        entries.append(frame(seq + 1, [3, str(seq), {}], is_in=False, action="Heartbeat"))
    async with replaying(bench, write(tmp_path / "t.rehome-trace", entries)) as (_, pane):
        (entry,) = pane.model.entries
        assert isinstance(entry, Fold)
        assert len(entry.rows) == 40
        assert entry.rows[0].pair_seq == 2
