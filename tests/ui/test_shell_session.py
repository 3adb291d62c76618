"""The program's life in one process: opening, failing to open, closing with and without a running job."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QPushButton

from app.errors import AppError, NotReachable
from app.scope import Trouble
from app.settings import Settings, load
from ui.dialogs import Question
from ui.main import Options
from ui.session import EXIT_OK, EXIT_UNCLEAN, Session
from ui.tasks import Tasks
from ui.widgets.crash import CrashPage
from ui.widgets.failure import OpeningFailed
from ui.window import MainWindow

LIMIT_S = 20


async def until(wanted: Callable[[], Any]) -> Any:
    async with asyncio.timeout(LIMIT_S):
        while not (found := wanted()):  # noqa: ASYNC110  # Qt has no event to wait for
            await asyncio.sleep(0.01)
        return found


class Run:
    """A session in a task, with its window."""

    def __init__(self, home: Path, settings: Settings, **options: Any) -> None:
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        self.window = MainWindow()
        self.window.show()
        self.session = Session(app, self.window, Options(home=str(home), **options), settings)
        self.task = Tasks(app).start("session", self.session.live())

    @property
    def wiring(self) -> Any:
        return self.session.wiring

    async def opened(self) -> None:
        await asyncio.wait_for(self.session.opened.wait(), LIMIT_S)

    async def ended(self) -> int:
        return await asyncio.wait_for(asyncio.shield(self.task), LIMIT_S)


@asynccontextmanager
async def running(home: Path, **options: Any) -> AsyncIterator[Run]:
    run = Run(home, Settings(endpoint_on=False, site_name="Riverside"), **options)
    try:
        yield run
    finally:
        run.session.force_close()
        await run.ended()


@pytest.fixture(autouse=True)
def no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the network and the serial ports of this computer alone."""
    from app.workbench import Workbench

    monkeypatch.setattr(Workbench, "_sources", lambda self: [])


async def test_opens_shows_the_site_and_ends_clean(home: Path) -> None:
    async with running(home) as run:
        await run.opened()
        assert run.window.windowTitle() == "Riverside — Rehome"
        assert run.window.page_id == "site"
        assert run.window.page is not None
        run.window.close()
        assert await run.ended() == EXIT_OK
    assert load(home / "settings.toml").window


async def test_every_page_of_the_rail_opens(home: Path, qtbot: Any) -> None:
    async with running(home) as run:
        await run.opened()
        for number, page_id in enumerate(
            ("site", "endpoint", "garage", "traffic", "jobs", "chargers", "settings"), start=1
        ):
            qtbot.keyClick(run.window, Qt.Key(int(Qt.Key.Key_0) + number), Qt.KeyboardModifier.ControlModifier)
            assert run.window.page_id == page_id
            assert run.window.page is not None
            assert run.window.page.is_shown


async def test_back_leads_where_one_was(home: Path, qtbot: Any) -> None:
    async with running(home) as run:
        await run.opened()
        run.window.go("chargers")
        run.window.go("settings")
        qtbot.keyClick(run.window, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
        assert run.window.page_id == "chargers"
        qtbot.keyClick(run.window, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
        assert run.window.page_id == "site"


async def test_f6_goes_round_the_panes(home: Path, qtbot: Any) -> None:
    async with running(home) as run:
        await run.opened()
        window = run.window
        window.activateWindow()
        window.go("chargers")
        window.rail.focus_current()
        seen = []
        for _ in range(3):
            qtbot.keyClick(window, Qt.Key.Key_F6)
            focus = QApplication.focusWidget()
            panes = {"top": window.top_bar, "rail": window.rail, "page": window.page}
            seen += [name for name, pane in panes.items() if pane is not None and pane.isAncestorOf(focus)]
        assert seen == ["top", "page", "rail"]


async def test_site_name_typed_in_the_top_bar_is_saved(home: Path, qtbot: Any) -> None:
    async with running(home) as run:
        await run.opened()
        field = run.window.top_bar.site
        field.setFocus()
        field.selectAll()
        qtbot.keyClicks(field, "Old mill")
        qtbot.keyClick(field, Qt.Key.Key_Return)
        assert load(home / "settings.toml").site_name == "Old mill"
        await until(lambda: run.window.windowTitle() == "Old mill — Rehome")


async def test_trouble_of_isolated_work_shows_its_advice(home: Path) -> None:
    async with running(home) as run:
        await run.opened()
        error = NotReachable("Nothing answers at 10.0.0.9.", "Check its cable.")
        run.wiring._bench.troubles.publish(Trouble(name="finder/probe", error=error))
        banner = (await until(lambda: run.window.banners.banners))[0]
        assert (banner.message, banner.advice) == (error.message, error.advice)


async def test_a_bug_shows_the_crash_page_and_the_program_goes_on(home: Path, allowed_log: Any) -> None:
    allowed_log("bug in")
    async with running(home) as run:
        await run.opened()

        async def fails() -> None:
            raise ZeroDivisionError("a mistake")

        async def fails_otherwise() -> None:
            raise KeyError("something else")

        run.wiring._tasks.start("calculate", fails())
        page = await until(lambda: run.window.findChild(CrashPage))
        assert "ZeroDivisionError: a mistake" in page.details
        assert "Rehome" in page.details
        told = page.details.count("a mistake")
        run.wiring._tasks.start("calculate", fails())
        run.wiring._tasks.start("look up", fails_otherwise())
        await until(lambda: "something else" in page.details)
        assert page.details.count("a mistake") == told, "the same bug is told once"
        assert run.window.findChildren(CrashPage) == [page]
        page.close()
        run.window.go("settings")
        assert run.window.page_id == "settings"


async def refused(run: Run) -> OpeningFailed:
    page: OpeningFailed = await until(lambda: run.window.findChild(OpeningFailed))
    return page


async def test_damaged_data_are_told_and_not_touched(home: Path, qtbot: Any) -> None:
    home.mkdir()
    path = home / "rehome.db"
    path.write_bytes(b"this is no database" * 100)
    before = path.read_bytes()
    async with running(home) as run:
        page = await refused(run)
        assert page.isVisible()
        assert page.accessibleName()
        assert not run.window.rail.isEnabled()
        qtbot.mouseClick(page.findChild(QPushButton, "opening-quit"), Qt.MouseButton.LeftButton)
        assert await run.ended() == EXIT_OK
    assert path.read_bytes() == before


async def test_try_again_after_the_file_was_mended(home: Path, qtbot: Any) -> None:
    home.mkdir()
    path = home / "rehome.db"
    path.write_bytes(b"this is no database" * 100)
    async with running(home) as run:
        page = await refused(run)
        path.unlink()
        qtbot.mouseClick(page.findChild(QPushButton, "opening-retry"), Qt.MouseButton.LeftButton)
        await run.opened()
        assert run.window.rail.isEnabled()
        assert run.window.page_id == "site"


async def test_a_file_of_a_newer_rehome_is_refused(home: Path) -> None:
    async with running(home) as run:
        await run.opened()
    with sqlite3.connect(home / "rehome.db") as database:
        database.execute("PRAGMA user_version = 9999")
    database.close()
    async with running(home) as run:
        page = await refused(run)
        assert "newer" in page.accessibleName().lower()


async def test_closing_while_the_failure_is_shown_ends(home: Path) -> None:
    home.mkdir()
    (home / "rehome.db").write_bytes(b"this is no database" * 100)
    async with running(home) as run:
        await refused(run)
        run.window.close()
        assert await run.ended() == EXIT_OK


class Desk:
    """A desk with one job in the middle of a step."""

    def __init__(self) -> None:
        self.running = frozenset({"j1"})
        self.paused: list[str] = []
        self.safe = asyncio.Event()

    def job(self, job_id: str) -> SimpleNamespace:
        return SimpleNamespace(id=job_id, unit_title="Stall 4")

    async def pause(self, job_id: str) -> None:
        self.paused.append(job_id)
        await self.safe.wait()


async def asked(run: Run) -> Question:
    run.window.close()
    question: Question = await until(lambda: run.window.findChild(Question))
    return question


async def answer(run: Run, qtbot: Any, key: str) -> None:
    question = await asked(run)
    qtbot.mouseClick(question.findChild(QPushButton, f"answer-{key}"), Qt.MouseButton.LeftButton)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], Desk]:
    def put(run: Run) -> Desk:
        found = Desk()
        monkeypatch.setattr(run.wiring._bench, "desk", found)
        return found

    return put


async def test_a_running_job_asks_and_stay_stays(home: Path, qtbot: Any, desk: Any) -> None:
    async with running(home) as run:
        await run.opened()
        desk(run)
        question = await asked(run)
        assert "Stall 4" in question.accessibleDescription()
        qtbot.mouseClick(question.findChild(QPushButton, "answer-stay"), Qt.MouseButton.LeftButton)
        await until(lambda: not run.window.findChild(Question))
        assert not run.task.done()
        assert run.window.isVisible()


async def test_finish_the_step_waits_for_the_safe_point(home: Path, qtbot: Any, desk: Any) -> None:
    async with running(home) as run:
        await run.opened()
        found = desk(run)
        await answer(run, qtbot, "finish")
        await until(lambda: found.paused == ["j1"])
        assert not run.task.done()
        found.safe.set()
        assert await run.ended() == EXIT_OK


async def test_closing_again_while_a_step_finishes_ends_at_once(home: Path, qtbot: Any, desk: Any) -> None:
    async with running(home) as run:
        await run.opened()
        found = desk(run)
        await answer(run, qtbot, "finish")
        await until(lambda: found.paused == ["j1"])
        run.window.close()
        assert await run.ended() == EXIT_OK


async def test_stop_now_ends(home: Path, qtbot: Any, desk: Any) -> None:
    async with running(home) as run:
        await run.opened()
        desk(run)
        await answer(run, qtbot, "stop")
        assert await run.ended() == EXIT_OK


async def test_the_system_shutting_down_asks_nothing(home: Path, desk: Any) -> None:
    async with running(home) as run:
        await run.opened()
        desk(run)
        run.session._system_ends(None)  # type: ignore[arg-type]  # Qt makes session managers, we can't
        assert await run.ended() == EXIT_OK


async def test_a_malformed_settings_file_is_told_and_not_touched(home: Path) -> None:
    home.mkdir()
    path = home / "settings.toml"
    path.write_text("theme = 'pink'\n")
    with pytest.raises(AppError) as caught:
        load(path)
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    window = MainWindow()
    window.show()
    session = Session(app, window, Options(home=str(home)), Settings(endpoint_on=False), caught.value)  # type: ignore[arg-type]
    task = Tasks(app).start("session", session.live())
    page = await until(lambda: window.findChild(OpeningFailed))
    assert "pink" in page.accessibleName()
    window.close()
    assert await asyncio.wait_for(task, LIMIT_S) == EXIT_OK
    assert path.read_text() == "theme = 'pink'\n"


async def test_another_folder_can_be_chosen(home: Path, tmp_path: Path, qtbot: Any) -> None:
    home.mkdir()
    (home / "rehome.db").write_bytes(b"this is no database" * 100)
    other = tmp_path / "other"
    other.mkdir()
    async with running(home) as run:
        page = await refused(run)
        qtbot.mouseClick(page.findChild(QPushButton, "opening-folder"), Qt.MouseButton.LeftButton)
        dialog = await until(lambda: run.window.findChild(QFileDialog))
        dialog.setDirectory(str(other))
        dialog.fileSelected.emit(str(other))
        dialog.accept()
        await run.opened()
        assert (other / "rehome.db").exists()


async def test_a_data_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a-file"
    path.write_text("mine")
    async with running(path) as run:
        page = await refused(run)
        assert "data folder" in page.accessibleName()
    assert path.read_text() == "mine"


async def test_the_last_crash_is_told_at_the_next_start(home: Path) -> None:
    (home / "log").mkdir(parents=True)
    (home / "log" / "crash.txt").write_text("Fatal Python error: Aborted\n")
    async with running(home) as run:
        await run.opened()
        assert "ended unexpectedly" in run.window.banners.banners[0].message


async def test_a_failing_tour_tells_why_and_fails(
    home: Path, problems: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    async def stuck(*_: Any) -> None:
        raise NotReachable("The charger is gone.", "Plug it in.")

    monkeypatch.setattr("ui.tour.open_everything", stuck)
    async with running(home, is_smoke=True) as run:
        assert await run.ended() == EXIT_UNCLEAN
    assert "The charger is gone. Plug it in." in capsys.readouterr().err
