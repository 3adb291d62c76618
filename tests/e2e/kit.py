"""What the window's end-to-end tests share: the real program amid a fast demo garage, and a technician's hands."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QLabel, QPushButton, QScrollArea, QToolButton, QWidget

import app.drivers
from app import resources
from app.driver.registry import Registry, load_drivers, load_profiles
from app.jobs.machine import fold
from app.model.job import Job, StepKind, StepState
from app.model.profile import Timing
from app.model.secret import Secret
from app.model.unit import Unit
from app.settings import Settings
from app.sim.garage import LOOPBACK, PASSWORD, PRESET_NAME, DemoGarage
from app.storage.db import Store
from app.workbench import Workbench
from ui.dialogs import Question
from ui.main import Options
from ui.models.units import next_step
from ui.session import Session
from ui.tasks import Tasks
from ui.window import MainWindow

LIMIT_S = 30.0
PACE = 0.02
NESTED_LAYOUTS = 5
"""The chargers live fifty times as fast as real ones."""

QUICK = Timing(restart_s=1.0, redial_s=0.4, patience_s=12.0)

PATIENT = Timing(restart_s=1.0, redial_s=1.5, patience_s=12.0)
"""With these the switch of a dialling station takes three seconds: time to pause it, leave it, close the window."""


def quick_registry(timing: Timing = QUICK) -> Registry:
    """The real drivers and profiles, with times that suit the fast simulators."""
    profiles = load_profiles(resources.texts("profiles", ".toml"))
    return Registry(load_drivers(app.drivers), [replace(profile, timing=timing) for profile in profiles])


async def until(wanted: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    """Look again and again, as a person does, and return what is there at last."""
    async with asyncio.timeout(limit_s):
        while not (found := wanted()):  # noqa: ASYNC110  # what is on screen has no event
            await asyncio.sleep(0.01)
        return found


@asynccontextmanager
async def fast_demo(
    settings: Settings, home: Path, *, pace: float = PACE, timing: Timing = QUICK
) -> AsyncIterator[tuple[DemoGarage, Workbench]]:
    """The workbench amid a demo garage, as ``app.sim.garage.demo`` opens it, only faster."""
    async with DemoGarage(time_scale=pace) as garage:
        bench = Workbench(
            replace(settings, presets=(garage.preset,), endpoint_on=False),
            home=home,
            is_demo=True,
            mdns_addresses=(LOOPBACK,),
            mdns_accepts=lambda sighting: sighting.address == garage.gateway.address,
            serial_ports=garage.serial_ports,
            list_ports=tuple,
        )
        bench.registry = quick_registry(timing)
        async with bench:
            bench.vault.set(f"preset/{PRESET_NAME}", Secret(PASSWORD))
            state = await bench.start_endpoint(port=0)
            garage.dial(state.url)
            yield garage, bench


class Visit:
    """A technician before the program: what is on screen, and hands that only press keys and the mouse."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, *, timing: Timing = QUICK) -> None:
        qt = QApplication.instance()
        assert isinstance(qt, QApplication)
        self.home = home
        self._timing = timing
        self.garage: DemoGarage
        self.bench: Workbench
        monkeypatch.setattr("ui.session.opened", self._opened)
        self.window = MainWindow()
        self.window.resize(1280, 720)
        self.window.show()
        self.window.activateWindow()
        options = Options(is_demo=True, home=str(home))
        self.session = Session(qt, self.window, options, Settings(site_name="Garage"))
        self.crashes: list[Any] = []
        self.session._sink.crashed.connect(self.crashes.append)
        self.task = Tasks(qt).start("session", self.session.live())

    @asynccontextmanager
    async def _opened(self, settings: Settings, home: Path, *, is_demo: bool) -> AsyncIterator[Workbench]:
        async with fast_demo(settings, home, timing=self._timing) as (self.garage, self.bench):
            yield self.bench

    async def ready(self) -> None:
        """Wait until the window is open and active."""
        await until(lambda: self.session.opened.is_set() or self.task.done() or self.crashes)
        assert self.session.opened.is_set(), "the program did not open"
        await until(lambda: QApplication.activeWindow() is self.window)

    async def ended(self) -> int:
        return await asyncio.wait_for(asyncio.shield(self.task), LIMIT_S)

    # What is there

    @property
    def page(self) -> Any:
        return self.window.page

    @property
    def view(self) -> Any:
        return self.page.view

    @property
    def job(self) -> Job:
        return self.bench.desk.job(self.view.job.id)

    @property
    def is_working(self) -> bool:
        return self.view.job.id in self.bench.desk.running

    def unit_of(self, text: str) -> Unit | None:
        """The charger whose profile or identity says so."""
        for unit in self.bench.finder.units.values():
            identity = unit.backend.identity if unit.backend else ""
            dialled = [way.address.identity for way in unit.ways if hasattr(way.address, "identity")]
            if text in (unit.identity.profile_id, identity, *dialled):
                return unit
        return None

    async def found(self, text: str) -> Unit:
        """Wait until a charger is known and stands on the page."""
        await until(lambda: (unit := self.unit_of(text)) and unit.identity.profile_id)
        await until(lambda: len([u for u in self.bench.finder.units.values() if u.identity.profile_id]) >= 7)
        unit = self.unit_of(text)
        assert unit is not None
        await until(lambda: self.page.model.row_of(unit.unit_id) >= 0)
        return unit

    def seen(self, pane: QWidget) -> str:
        """Everything the labels of a pane say now."""
        return "\n".join(label.text() for label in pane.findChildren(QLabel) if label.isVisible())

    async def stands_at(self, kind: StepKind) -> None:
        """Wait until the job and the window stand before a step."""
        await until(lambda: self.job.current is kind and not self.is_working and self.view.selected is kind)

    async def runs(self, kind: StepKind) -> None:
        """Wait until a step runs."""
        await until(lambda: self.job.step(kind).state is StepState.RUNNING)

    async def stopped(self) -> Job:
        """Wait until nobody works on the job, and the window shows it."""
        await until(lambda: not self.is_working and self.view.job == self.job)
        return self.job

    def question(self) -> Question | None:
        """The question on screen, once it takes the keyboard."""
        box = next((box for box in self.window.findChildren(Question) if box.isVisible()), None)
        return box if box is not None and QApplication.activeWindow() is box else None

    # The mouse

    async def click_when_seen(self, widget: QWidget) -> None:
        """Wait until a widget has found its place, and press it."""

        def is_seen() -> bool:
            self.scroll_to(widget)
            return widget.visibleRegion().contains(_spot_of(widget))

        await until(is_seen)
        self.click(widget)

    def click(self, widget: QWidget, spot: QPoint | None = None) -> None:
        """Press the left button on a widget, where a person sees it."""
        if spot is None:
            spot = _spot_of(widget)
        self.scroll_to(widget)
        assert widget.isVisible(), f"{widget} is not on screen"
        assert widget.isEnabled(), f"{widget} does not take a press"
        assert widget.visibleRegion().contains(spot), f"{widget} is covered or out of the window"
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, spot)

    def scroll_to(self, widget: QWidget) -> None:
        """Scroll until a widget is in sight, once everything has found its place."""
        for _ in range(NESTED_LAYOUTS):
            QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
        parent = widget.parentWidget()
        while parent is not None:
            if isinstance(parent, QScrollArea) and parent.widget() is not None:
                parent.ensureWidgetVisible(widget)
            parent = parent.parentWidget()

    async def choose(self, combo: QComboBox, row: int) -> None:
        """Open a list and press one of its rows."""
        self.click(combo)
        view = combo.view()
        await until(view.isVisible)

        def press() -> bool:
            if view.isVisible():  # for a moment after opening, Qt takes a press for the second half of a double click
                spot = view.visualRect(combo.model().index(row, 0)).center()
                hover(view.viewport(), spot)
                QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, spot)
            return not view.isVisible()

        await until(press)
        assert combo.currentIndex() == row

    def rail(self, page_id: str) -> None:
        """Press a page's button in the rail."""
        button = self.window.rail.findChild(QToolButton, f"rail-{page_id}")
        assert button is not None
        self.click(button)
        assert self.window.page_id == page_id

    async def press_next_step(self, unit: Unit) -> None:
        """Press the button on a charger's card."""

        def press() -> bool:
            # Cards move while chargers still arrive, and until it is known well a charger's button only opens it.
            if self.window.page_id == "site" and next_step(self.page.model.get(unit.unit_id)).verb != "unit":
                cards = self.page.cards
                index = self.page.model.index(self.page.model.row_of(unit.unit_id), 0)
                cards.scrollTo(index)
                self.click(cards.viewport(), cards.delegate.button_rect(cards.visualRect(index)).center())
            return self.window.page_id == "jobs" and self.view.job is not None

        await until(press)

    async def answer(self, key: str, *, gone: bool = False) -> None:
        """Press a button of the question on screen; with ``gone`` the window goes with it."""
        box = await until(self.question)
        self.click(box.findChild(QPushButton, f"answer-{key}"))
        if not gone:
            await self.window_again()

    async def window_again(self) -> None:
        """Do what a window manager does when a dialog has gone."""
        await until(lambda: self.question() is None)
        self.window.activateWindow()
        await until(lambda: QApplication.activeWindow() is self.window)

    # The keyboard

    @property
    def focus(self) -> QWidget:
        """What has the keyboard; never nothing."""
        widget = QApplication.focusWidget()
        assert widget is not None, "the keyboard leads nowhere"
        assert widget.isVisible(), f"the keyboard is on {widget}, which is not on screen"
        assert widget.isEnabled(), f"the keyboard is on {widget}, which takes nothing"
        return widget

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self.focus, key, modifier)

    def type_text(self, text: str) -> None:
        """Replace what a field says."""
        QTest.keyClick(self.focus, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClicks(self.focus, text)

    def tab_to(self, widget: QWidget, *, backwards: bool = False, limit: int = 60) -> int:
        """Press Tab until a widget has the keyboard; return how often."""
        for count in range(limit):
            if self.focus is widget:
                return count
            self.key(Qt.Key.Key_Backtab if backwards else Qt.Key.Key_Tab)
        raise AssertionError(f"Tab does not lead to {widget} {widget.accessibleName()}")


def store_says(home: Path) -> dict[str, Job]:
    """The jobs as the database has them, read by nobody but this test."""
    store = Store.open(home / "rehome.db")
    try:
        return {job_id: fold(store.jobs.events(job_id)) for job_id in store.jobs.ids()}
    finally:
        store.close()


def hover(widget: QWidget, spot: QPoint) -> None:
    """Move the mouse over a widget. (QTest.mouseMove turns Qt's loop, which must not happen within a coroutine.)"""
    none = Qt.MouseButton.NoButton
    place = QPointF(widget.mapToGlobal(spot))
    QApplication.sendEvent(
        widget, QMouseEvent(QEvent.Type.MouseMove, QPointF(spot), place, none, none, Qt.KeyboardModifier.NoModifier)
    )


@asynccontextmanager
async def visit(home: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> AsyncIterator[Visit]:
    """The program from its first paint to its end; a crash on the way fails the test."""
    guest = Visit(home, monkeypatch, **options)
    try:
        await guest.ready()
        yield guest
    finally:
        guest.session.force_close()
        await guest.ended()
        for crash in guest.crashes:
            sys.stderr.write(crash.details)
    assert not guest.crashes, "\n".join(crash.details for crash in guest.crashes)


def _spot_of(widget: QWidget) -> QPoint:
    """Return where to press: a check box takes the mouse on its box and words alone."""
    return QPoint(12, widget.height() // 2) if isinstance(widget, QCheckBox) else widget.rect().center()
