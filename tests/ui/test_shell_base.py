"""The base every page stands on: tasks, bridge, dialogs, widgets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton, QWidget

from app.errors import NotReachable
from app.feed import Feed
from ui.dialogs import Button, Question, ask
from ui.pages.page import Page
from ui.tasks import Tasks
from ui.widgets.banner import Banners
from ui.widgets.chip import Chip
from ui.widgets.copy import CopyField

LIMIT_S = 5


async def until(wanted: Any) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not wanted():  # noqa: ASYNC110  # Qt has no event to wait for
            await asyncio.sleep(0.005)


async def test_failed_button_shows_the_advice(problems: Any) -> None:
    problems.expect()
    owner = QWidget()

    async def fails() -> None:
        raise NotReachable("Nothing answers.", "Check the cable.")

    await asyncio.wait([Tasks(owner).start("probe", fails())])
    assert [error.advice for error in problems.errors] == ["Check the cable."]
    assert not problems.crashes


async def test_bug_in_a_coroutine_reaches_the_crash_page(problems: Any, allowed_log: Any) -> None:
    problems.expect()
    allowed_log("bug in")
    owner = QWidget()

    async def fails() -> None:
        raise ZeroDivisionError("oops")

    await asyncio.wait([Tasks(owner).start("probe", fails())])
    assert "ZeroDivisionError: oops" in problems.crashes[0].summary
    assert "ui/QWidget/probe" in problems.crashes[0].details


async def test_double_click_starts_once_and_the_button_waits() -> None:
    owner = QWidget()
    button = QPushButton(owner)
    tasks = Tasks(owner)
    gate = asyncio.Event()
    starts = []

    async def work() -> None:
        starts.append(1)
        await gate.wait()

    first = tasks.start_once("work", work(), busy=button)
    assert tasks.start_once("work", work(), busy=button) is None
    assert not button.isEnabled()
    gate.set()
    assert first is not None
    await first
    await until(button.isEnabled)
    assert starts == [1]
    assert not tasks.is_running("work")


async def test_a_click_at_the_moment_a_task_ends_is_not_lost() -> None:
    owner = QWidget()
    tasks = Tasks(owner)
    first = tasks.start("move", asyncio.sleep(0))
    while not first.done():  # noqa: ASYNC110 - an event would come after the moment
        await asyncio.sleep(0)
    second = tasks.start_once("move", asyncio.sleep(0))
    assert second is not None
    assert tasks.is_running("move")
    await second
    await tasks.stop()
    assert not tasks.is_running("move")


async def test_tasks_end_with_their_widget() -> None:
    owner = QWidget()
    task = Tasks(owner).start("wait", asyncio.Event().wait())
    await asyncio.sleep(0)
    owner.deleteLater()
    await asyncio.wait([task], timeout=LIMIT_S)
    assert task.cancelled()


async def test_replace_cancels_the_older_search() -> None:
    tasks = Tasks(QWidget())
    old = tasks.start("search", asyncio.Event().wait())
    new = tasks.replace("search", asyncio.sleep(0, "found"))
    assert await new == "found"
    await asyncio.wait([old], timeout=LIMIT_S)
    assert old.cancelled()
    await tasks.stop()


class _Sample(Page):
    page_id = "sample"
    title = "Sample"

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.feed: Feed[int] = Feed()
        self.got: list[list[int]] = []
        self.ticks = 0
        self.listen(self.feed, self.got.append, interval_ms=5)
        self.every(5, self.tick)

    def tick(self) -> None:
        self.ticks += 1


async def test_page_listens_and_ticks_only_while_shown() -> None:
    page = _Sample()
    page.feed.publish_all([1, 2])
    assert page.got == []
    page.show()
    assert page.got == [[1, 2]]
    await until(lambda: page.ticks >= 3)
    page.feed.publish_all([3, 4])
    await until(lambda: page.got[-1] == [3, 4])
    page.hide()
    seen = page.ticks
    page.feed.publish(5)
    await asyncio.sleep(0.03)
    assert page.ticks == seen
    assert page.got[-1] == [3, 4]
    page.deleteLater()


async def test_ask_blocks_nothing_and_returns_the_key(qtbot: Any) -> None:
    parent = QWidget()
    parent.show()
    ticks = 0

    async def ticking() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.002)
            ticks += 1

    ticker = Tasks(parent).start("tick", ticking())
    buttons = (Button(key="stay", text="Stay"), Button(key="stop", text="Stop", role="danger"))
    answer = Tasks(parent).start("ask", ask(parent, "A job is running", "<b>not bold</b>", buttons))
    await until(lambda: parent.findChild(Question))
    before = ticks
    await until(lambda: ticks > before + 3)
    qtbot.mouseClick(parent.findChild(QPushButton, "answer-stop"), Qt.MouseButton.LeftButton)
    assert await answer == "stop"
    ticker.cancel()
    await asyncio.wait([ticker])


async def test_ask_closed_by_escape_answers_nothing(qtbot: Any) -> None:
    parent = QWidget()
    parent.show()
    answer = Tasks(parent).start("ask", ask(parent, "Sure?", "", (Button(key="yes", text="Yes"),)))
    await until(lambda: parent.findChild(Question))
    qtbot.keyClick(parent.findChild(Question), Qt.Key.Key_Escape)
    assert await answer == ""


async def test_ask_ends_when_its_window_goes() -> None:
    parent = QWidget()
    parent.show()
    answer = asyncio.ensure_future(ask(parent, "Sure?", "", (Button(key="yes", text="Yes"),)))
    await until(lambda: parent.findChild(Question))
    parent.deleteLater()
    assert await asyncio.wait_for(answer, LIMIT_S) == ""


def test_chip_speaks_in_words_and_colour() -> None:
    chip = Chip("Proved", "good")
    assert (chip.text, chip.tone, chip.accessibleName()) == ("Proved", "good", "Proved")
    chip.show_status("Fault", "fault")
    assert (chip.text, chip.tone, chip.accessibleName()) == ("Fault", "fault", "Fault")


def test_copy_field_copies() -> None:
    field = CopyField("ws://10.0.0.2:8180/", "endpoint address")
    field.copy()
    assert QGuiApplication.clipboard().text() == "ws://10.0.0.2:8180/"
    assert field.button.accessibleName() == "Copy endpoint address"


@pytest.mark.parametrize("count", [1, 6])
def test_banners_are_bounded_and_dismissable(count: int) -> None:
    area = Banners()
    for number in range(count):
        area.show_message(f"message {number}", "advice")
    area.show_message(f"message {count - 1}", "advice")
    assert len(area.banners) == min(count, 3)
    for banner in area.banners:
        banner.closed.emit()
    assert not area.banners
    assert area.isHidden()


async def test_a_page_that_fails_when_shown_is_reported_and_stays(problems: Any, allowed_log: Any) -> None:
    problems.expect()
    allowed_log("bug in")

    class Broken(_Sample):
        def on_shown(self) -> None:
            raise LookupError("no unit")

    page = Broken()
    page.show()
    assert "LookupError: no unit" in problems.crashes[0].summary
    assert page.is_shown
    page.deleteLater()


def test_nothing_starts_where_no_loop_runs(qapp: Any) -> None:
    with pytest.raises(RuntimeError, match="no loop runs"):
        Tasks(QWidget()).start("too early", asyncio.sleep(1))
