"""The traffic page through its real widgets: a real server, real connections, real store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import websockets
from PySide6.QtCore import QDateTime, QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton, QToolTip, QWidget

from app.model.frame import Direction, Frame, FrameKind
from app.trace.merging import Selection
from tests.ui.test_traffic_model import Script
from ui.dialogs import Question
from ui.models.frame_filter import FrameFilter
from ui.models.frame_rows import Fold, Row
from ui.pages.traffic import TrafficPage

LIMIT_S = 10


async def until(wanted: Callable[[], Any]) -> Any:
    async with asyncio.timeout(LIMIT_S):
        while not (found := wanted()):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        return found


@asynccontextmanager
async def opened(bench: Any, *, size: tuple[int, int] = (1180, 672)) -> AsyncIterator[TrafficPage]:
    page = TrafficPage(bench)
    page.resize(*size)
    page.show()
    try:
        yield page
    finally:
        await page.tasks.stop()
        page.close()
        page.deleteLater()


@asynccontextmanager
async def charger(bench: Any, identity: str = "CP-1") -> AsyncIterator[Any]:
    state = bench.server.state if bench.server.state.is_listening else await bench.server.start("127.0.0.1", 0)
    url = f"ws://127.0.0.1:{state.port}/{identity}"
    async with websockets.connect(url, subprotocols=["ocpp1.6"], compression=None) as ws:  # type: ignore[list-item]
        yield ws


async def ask(ws: Any, uid: str, action: str, payload: dict[str, Any] | None = None) -> Any:
    await ws.send(json.dumps([2, uid, action, payload or {}]))
    return json.loads(await asyncio.wait_for(ws.recv(), LIMIT_S))


def store(bench: Any, frames: list[Frame]) -> None:
    bench.store.traffic.add(frames)
    bench.store.traffic.flush()


def shown(page: TrafficPage) -> list[int]:
    return [entry.seq for entry in page.model.entries]


def key(page: TrafficPage, which: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(page.table, which, modifier)


async def press(parent: QWidget, name: str) -> None:
    """Press a button of the dialog that opens."""
    await until(lambda: [box for box in parent.findChildren(Question) if box.isVisible()])
    QTest.mouseClick(parent.findChild(QPushButton, f"answer-{name}"), Qt.MouseButton.LeftButton)


async def test_frames_of_a_real_connection_appear_paired(bench: Any) -> None:
    async with opened(bench) as page, charger(bench) as ws:
        await ask(ws, "1", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
        await until(lambda: len(page.model.entries) >= 2)
        request, answer = page.model.entries[:2]
        assert request.frame.text == '[2, "1", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}]'
        assert isinstance(answer, Row)
        assert answer.pair_seq == request.seq
        assert answer.latency_s is not None


async def test_p_jumps_between_request_and_answer_and_detail_tells(bench: Any) -> None:
    frames = Script().exchange("BootNotification", "7")
    store(bench, frames)
    async with opened(bench) as page:
        await until(lambda: len(page.model.entries) == 2)
        page.table.setFocus()
        page.table.selectRow(0)
        assert page.detail.isVisible()
        assert "Answered after 10 ms" in page.detail.pair_button.text()
        assert page.table.delegate.pair_seq == 2
        key(page, Qt.Key.Key_P)
        assert page.table.currentIndex().row() == 1
        QTest.mouseClick(page.detail.pair_button, Qt.MouseButton.LeftButton)
        assert page.table.currentIndex().row() == 0


async def test_pair_hidden_by_the_filter_is_found_all_the_same(bench: Any) -> None:
    store(bench, [*Script().exchange("BootNotification", "7"), *Script(seq=2).exchanges("Heartbeat", 30)])
    async with opened(bench) as page:
        page.bar.set_filter(FrameFilter(directions=frozenset({Direction.OUT}), actions=frozenset({"BootNotification"})))
        await until(lambda: shown(page) == [2])
        page.bar.set_filter(FrameFilter())
        await until(lambda: len(page.model.entries) > 2)
        page.bar.set_filter(FrameFilter(actions=frozenset({"BootNotification"})))
        await until(lambda: shown(page) == [1, 2])
        page.table.selectRow(1)
        key(page, Qt.Key.Key_P)
        assert page.table.currentIndex().row() == 0


async def test_typing_filters_live_and_stored_frames(bench: Any) -> None:
    script = Script()
    store(bench, script.exchanges("StatusNotification", 400) + script.exchange("GetDiagnostics", "needle"))
    store(bench, script.exchanges("StatusNotification", 400))
    async with opened(bench) as page:
        await until(lambda: page.model.entries)
        assert page.focus_search()
        QTest.keyClicks(page.bar.search, "needle")
        await until(lambda: [entry.frame.uid for entry in page.model.entries] == ["needle", "needle"])
        bench.frames.publish_all(script.exchange("GetDiagnostics", "another") + script.exchange("Reset", "a-needle"))
        await until(lambda: len(page.model.entries) == 4)
        chip = page.bar._chip_box.findChildren(QWidget)[0]
        QTest.mouseClick(chip, Qt.MouseButton.LeftButton)
        await until(lambda: page.model.filter.is_empty and len(page.model.entries) > 100)


async def test_stored_answers_are_found_by_their_action_as_live_ones_are(bench: Any) -> None:
    script = Script()
    store(bench, script.exchange("BootNotification", "1") + script.exchange("Reset", "2"))
    async with opened(bench) as page:
        page.bar.set_filter(FrameFilter(text="bootnoti"))
        await until(lambda: shown(page) == [1, 2])
        bench.frames.publish_all(script.exchange("BootNotification", "3"))
        await until(lambda: shown(page) == [1, 2, 5, 6])


async def test_menus_offer_what_was_seen(bench: Any) -> None:
    store(bench, Script().exchange("BootNotification", "1", identity="<b>one</b>"))
    async with opened(bench) as page:
        await until(lambda: page.model.entries)
        menu = page.bar._menus["identities"]
        menu.aboutToShow.emit()
        (action,) = menu.actions()
        assert action.text().startswith("<b>one</b>")
        action.trigger()
        assert page.model.filter.identities == {"<b>one</b>"}
        quick = page.bar._menus["saved"]
        quick.aboutToShow.emit()
        next(action for action in quick.actions() if action.text() == "Faults").trigger()
        assert page.model.filter.kinds == {FrameKind.ERROR, FrameKind.BROKEN, FrameKind.RESULT_ERROR}
        kinds = page.bar._menus["kinds"]
        kinds.aboutToShow.emit()
        assert len(kinds.actions()) == len(FrameKind)


async def test_filter_is_saved_under_a_name_and_comes_back(bench: Any) -> None:
    async with opened(bench) as page:
        page.bar.set_filter(FrameFilter(text="x"))
        page.bar.save_wanted.emit()
        await until(lambda: [box for box in page.findChildren(Question) if box.isVisible()])
        field = page.findChild(Question).findChild(QLineEdit)
        field.setText("Mine")
        await press(page, "save")
        await until(lambda: page.saved.all() == {"Mine": FrameFilter(text="x")})
    async with opened(bench) as page:
        assert "Mine" in page.bar._saved


async def test_space_pauses_and_g_goes_live(bench: Any) -> None:
    script = Script()
    async with opened(bench) as page:
        bench.frames.publish_all(script.exchanges("StatusNotification", 60))
        await until(lambda: len(page.model.entries) == 120)
        assert page.table.is_at_end
        page.table.setFocus()
        key(page, Qt.Key.Key_Space)
        bench.frames.publish_all(script.exchanges("StatusNotification", 5))
        await until(lambda: page.table.pill.isVisible())
        assert "10 new" in page.table.pill.text()
        assert "Paused" in page.top.state.text
        assert len(page.model.entries) == 120
        key(page, Qt.Key.Key_G)
        await until(lambda: len(page.model.entries) == 130)
        assert page.table.is_at_end
        assert not page.table.pill.isVisible()


async def test_scrolling_up_holds_the_list_and_the_pill_brings_it_back(bench: Any) -> None:
    script = Script()
    async with opened(bench) as page:
        bench.frames.publish_all(script.exchanges("StatusNotification", 100))
        await until(lambda: len(page.model.entries) == 200)
        bar = page.table.verticalScrollBar()
        bar.setValue(bar.value() - 30)
        top = page.table.indexAt(QPoint(5, 5)).row()
        bench.frames.publish_all(script.exchanges("StatusNotification", 20))
        await until(lambda: page.model.held == 40)
        assert page.table.indexAt(QPoint(5, 5)).row() == top
        QTest.mouseClick(page.table.pill, Qt.MouseButton.LeftButton)
        await until(lambda: page.table.is_at_end and page.model.last_seq == script.seq)


async def test_scrolling_back_to_the_end_follows_again(bench: Any) -> None:
    script = Script()
    async with opened(bench) as page:
        bench.frames.publish_all(script.exchanges("StatusNotification", 100))
        await until(lambda: len(page.model.entries) == 200)
        bar = page.table.verticalScrollBar()
        bar.setValue(bar.value() - 30)
        bench.frames.publish_all(script.exchanges("StatusNotification", 20))
        await until(lambda: page.model.held == 40)
        bar.setValue(bar.maximum())
        await until(lambda: page.model.is_following and page.model.last_seq == script.seq)


async def test_reading_back_reaches_the_oldest_stored_frame_and_holds_its_place(bench: Any) -> None:
    script = Script()
    store(bench, script.exchanges("StatusNotification", 2000))
    async with opened(bench) as page:
        await until(lambda: page.model.entries)
        bar = page.table.verticalScrollBar()
        while page.model.first_seq != 1:
            before = page.model.first_seq
            bar.setValue(0)
            await until(lambda before=before: page.model.first_seq != before)
            seen = page.model.entry(page.table.indexAt(QPoint(5, 5)).row())
            assert seen is not None
            assert seen.seq == before
        assert shown(page) == list(range(1, 4001))


async def test_nothing_is_missing_between_a_full_list_and_its_history(bench: Any) -> None:
    script = Script()
    async with opened(bench) as page:
        page.model._capacity = 300
        for _ in range(10):
            frames = script.exchanges("StatusNotification", 50)
            store(bench, frames)
            bench.frames.publish_all(frames)
            await until(lambda: page.model.last_seq == script.seq)
        assert len(page.model.entries) <= 300
        bar = page.table.verticalScrollBar()
        before = page.model.first_seq
        bar.setValue(0)
        await until(lambda: page.model.first_seq != before)
        numbers = shown(page)
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        while page.model.first_seq != 1:
            before = page.model.first_seq
            bar.setValue(0)
            await until(lambda before=before: page.model.first_seq != before)
        seen: list[int] = []
        while page.model.last_seq != script.seq:
            last = page.model.last_seq
            bar.setValue(bar.maximum())
            await until(lambda last=last: page.model.last_seq != last)
            numbers = shown(page)
            assert numbers == list(range(numbers[0], numbers[-1] + 1))
            seen.append(last)
        assert len(seen) >= 2


async def test_detail_stays_when_its_row_leaves_a_full_list(bench: Any) -> None:
    script = Script()
    async with opened(bench) as page:
        page.model._capacity = 300
        bench.frames.publish_all(script.exchanges("StatusNotification", 100))
        await until(lambda: len(page.model.entries) == 200)
        page.table.selectRow(3)
        about = page.detail.meta.text()
        page.go_live()
        bench.frames.publish_all(script.exchanges("StatusNotification", 400))
        await until(lambda: page.model.first_seq > 100)
        assert page.detail.meta.text() == about
        assert not page.table.currentIndex().isValid()


async def test_hidden_page_misses_nothing(bench: Any) -> None:
    script = Script()
    async with opened(bench) as page:
        bench.frames.publish_all(script.exchanges("StatusNotification", 2))
        await until(lambda: len(page.model.entries) == 4)
        page.hide()
        bench.frames.publish_all(script.exchanges("StatusNotification", 2))
        page.show()
        await until(lambda: len(page.model.entries) == 8)
        page.hide()
        for _ in range(11):
            frames = script.exchanges("StatusNotification", 1000)
            bench.frames.publish_all(frames)
            store(bench, frames)
        page.show()
        await until(lambda: page.model.last_seq == script.seq)
        numbers = shown(page)
        assert numbers == list(range(numbers[0], script.seq + 1))


async def test_noise_is_folded_until_asked_for(bench: Any) -> None:
    store(bench, Script().exchanges("Heartbeat", 20))
    async with opened(bench) as page:
        await until(lambda: len(page.model.entries) == 1)
        assert page.top.fold.text() == "Fold noise (39)"
        page.table.setFocus()
        page.table.selectRow(0)
        key(page, Qt.Key.Key_Return)
        assert len(page.model.entries) == 41
        key(page, Qt.Key.Key_Return)
        assert isinstance(page.model.entries[0], Fold)
        QTest.mouseClick(page.top.fold, Qt.MouseButton.LeftButton)
        assert len(page.model.entries) == 40


async def test_detail_shows_tree_formatted_and_exact_text(bench: Any) -> None:
    text = '[2, "1","StatusNotification",{"info":"<img src=x>\\u0007","connectorId":1}]'
    frame = Script().frame(text, FrameKind.CALL, action="StatusNotification", uid="1")
    store(bench, [frame])
    async with opened(bench) as page:
        await until(lambda: page.model.entries)
        page.table.setFocus()
        page.table.selectRow(0)
        key(page, Qt.Key.Key_Return)
        assert page.detail.tree.hasFocus()
        payload = page.detail.tree.topLevelItem(3)
        assert payload.child(0).text(1) == "<img src=x>‹BEL›"
        page.detail.tree.setCurrentItem(payload.child(1))
        page.detail.copy_path()
        assert QGuiApplication.clipboard().text() == "$[3].connectorId"
        page.detail.tabs.setCurrentIndex(1)
        assert '"connectorId": 1' in page.detail.pretty.toPlainText()
        page.detail.tabs.setCurrentIndex(2)
        assert page.detail.raw.toPlainText() == text
        page.table.setFocus()
        key(page, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
        assert QGuiApplication.clipboard().text() == text
        QTest.keyClick(page.table, Qt.Key.Key_Escape)
        assert not page.detail.isVisible()


async def test_bytes_that_never_became_text_are_shown_in_hex(bench: Any) -> None:
    store(bench, [Script().frame("", FrameKind.BROKEN, raw=b"\xff\xfe\x00[2")])
    async with opened(bench) as page:
        await until(lambda: page.model.entries)
        page.table.selectRow(0)
        page.detail.tabs.setCurrentIndex(2)
        assert page.detail.raw.toPlainText().startswith("0000  ff fe 00 5b 32")


async def test_tooltips_are_never_markup(bench: Any, qapp: QApplication) -> None:
    store(bench, [Script().call("BootNotification", "1", {"chargePointVendor": "<img src='http://x/y'>"})])
    async with opened(bench) as page:
        await until(lambda: page.model.entries)
        from PySide6.QtCore import QEvent
        from PySide6.QtGui import QHelpEvent

        spot = page.table.visualRect(page.model.index(0, 5)).center()
        event = QHelpEvent(QEvent.Type.ToolTip, spot, page.table.viewport().mapToGlobal(spot))
        QApplication.sendEvent(page.table.viewport(), event)
        assert "<img" not in QToolTip.text()
        assert "&lt;img" in QToolTip.text()
        QToolTip.hideText()


async def test_jump_to_time_shows_the_first_frame_from_then_on(bench: Any) -> None:
    frames = Script().exchanges("StatusNotification", 1000)
    store(bench, frames)
    async with opened(bench) as page:
        await until(lambda: page.model.entries)
        page.top.jump.click()
        await until(lambda: [box for box in page.findChildren(Question) if box.isVisible()])
        field = page.findChild(Question).findChild(QWidget, "time")
        target = frames[900].at.replace(microsecond=0)
        field.setDateTime(QDateTime.fromMSecsSinceEpoch(round(target.timestamp() * 1000)))
        await press(page, "go")
        await until(lambda: not page.model.is_following)
        entry = page.table.current_entry()
        assert entry is not None
        assert timedelta(0) <= entry.frame.at - target < timedelta(milliseconds=10)
        assert not page.model.is_following


async def test_open_with_an_identity_filters_by_it(bench: Any) -> None:
    script = Script()
    store(bench, script.exchange("Reset", "1", identity="A") + script.exchange("Reset", "2", identity="B"))
    async with opened(bench) as page:
        page.open("B")
        await until(lambda: shown(page) == [3, 4])


async def test_clear_empties_the_view_only(bench: Any) -> None:
    script = Script()
    store(bench, script.exchanges("StatusNotification", 5))
    async with opened(bench) as page:
        await until(lambda: len(page.model.entries) == 10)
        page.top.clear.click()
        assert page.model.entries == []
        assert page.empty.isVisible()
        assert bench.store.traffic.count() == 10
        page.empty.acted.emit()
        await until(lambda: len(page.model.entries) == 10)


async def test_empty_page_teaches_and_leads_to_the_endpoint(bench: Any) -> None:
    went: list[tuple[str, object]] = []
    async with opened(bench) as page:
        page.go.connect(lambda where, what: went.append((where, what)))
        await until(lambda: page.empty.isVisible())
        assert "No frames yet" in page.empty.accessibleName()
        page.empty.acted.emit()
        assert went == [("endpoint", None)]


async def test_export_writes_what_the_filter_lets_pass_without_secrets(bench: Any, tmp_path: Path) -> None:
    script = Script()
    secret = script.call("ChangeConfiguration", "s", {"key": "AuthorizationKey", "value": "geheim12"})
    frames = [*script.exchanges("StatusNotification", 700), secret, *script.exchanges("Reset", 700)]
    store(bench, frames)
    async with opened(bench) as page:
        await until(lambda: page.model.entries)
        page.bar.set_filter(FrameFilter(directions=frozenset({Direction.IN})))
        file = tmp_path / "frames.jsonl"
        selection = Selection(passes=page.model.filter.matches, secret_keys=page.secret_keys)
        await page.files.export_to(file, selection)
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        numbers = [line["meta"]["rehome"]["seq"] for line in lines]
        assert numbers == sorted(f.seq for f in frames if f.direction is Direction.IN)
        assert "geheim12" not in file.read_text()
        assert lines[1]["raw"] == next(f.text for f in frames if f.seq == numbers[1])
        assert "1,401 frames written" in page.band.label.text()


async def test_cancelled_export_leaves_no_file(bench: Any, tmp_path: Path) -> None:
    store(bench, Script().exchanges("StatusNotification", 4000))
    async with opened(bench) as page:
        await until(lambda: page.model.entries)
        page.tasks.start("export", page.files.export_to(tmp_path / "frames.jsonl", Selection()))
        await until(lambda: page.band.isVisible() and page.band.bar.value() > 0)
        QTest.mouseClick(page.band.button, Qt.MouseButton.LeftButton)
        await until(lambda: not page.tasks.is_running("export"))
        assert list(tmp_path.glob("*.jsonl*")) == []
        assert not page.band.isVisible()


async def test_ten_thousand_frames_at_once_do_not_stall(bench: Any) -> None:
    script = Script()
    async with opened(bench) as page:
        await until(lambda: page.empty.isVisible())
        bench.frames.publish_all(script.exchanges("StatusNotification", 9000))
        await until(lambda: page.model.last_seq == script.seq)
        assert page.table.is_at_end


async def test_hostile_frames_are_shown_as_they_are(bench: Any) -> None:
    async with opened(bench) as page, charger(bench, "%3Cb%3Eevil%3C%2Fb%3E") as ws:
        for text in ("[" * 5000, "\x00\x1b[2J", '[2,"1","<script>",{}]', '[2,"1","X",{"a":"' + "x" * 300_000 + '"}]'):
            await ws.send(text)
        await ws.send(b"\xff\xfe\x00binary")
        await until(lambda: len([entry for entry in page.model.entries if entry.frame.direction is Direction.IN]) >= 5)
        for row in range(len(page.model.entries)):
            page.table.selectRow(row)
            for tab in range(3):
                page.detail.tabs.setCurrentIndex(tab)
        page.grab()
