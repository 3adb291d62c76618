"""Every control can be reached, named and hit: all pages of the real window amid the demo garage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QRadioButton,
    QTabBar,
    QWidget,
)

from app.model.frame import SourceHealth, SourceState
from app.settings import Settings
from ui.pages.catalogue import RAIL
from ui.pages.garage import TABS
from ui.theme import TARGET
from ui.widgets.topbar import TopBar
from ui.window import MainWindow
from ui.wiring import Wiring

CONTROLS = (QAbstractButton, QAbstractItemView, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit)
FIND_S = 20
STANDING = (frozenset[str](), frozenset({"rescue watch"}), frozenset({"visit", "stream"}))
"""What a page that has read everything still does: nothing, or what it does for as long as it is shown."""


@asynccontextmanager
async def demo_window(home: Path) -> AsyncIterator[tuple[Any, MainWindow]]:
    from app.sim.garage import demo

    async with demo(Settings(site_name="Demo garage"), home=home, time_scale=0.05) as bench:
        window = MainWindow()
        wiring = Wiring(bench, window)
        wiring.start()
        window.resize(QSize(1280, 720))
        window.show()
        try:
            async with asyncio.timeout(FIND_S):
                while len(known(bench)) < 7:  # noqa: ASYNC110  # the finder's feed is the window's
                    await asyncio.sleep(0.05)
            yield bench, window
        finally:
            await wiring.stop()
            window.hide()


def known(bench: Any) -> dict[str, str]:
    return {unit.unit_id: unit.identity.profile_id for unit in bench.finder.units.values() if unit.identity.profile_id}


def places(bench: Any) -> list[tuple[str, object]]:
    unit_id = next(unit_id for unit_id, profile_id in known(bench).items() if profile_id == "openevse-wifi")
    tabs = [("garage", tab.key) for tab in TABS]
    return [*((entry.page_id, None) for entry in RAIL), *tabs, ("unit", unit_id)]


def controls(window: QWidget) -> list[QWidget]:
    found = []
    for widget in window.findChildren(QWidget):
        is_inner = isinstance(widget.parent(), QAbstractSpinBox | QComboBox | QLineEdit | QTabBar | QAbstractItemView)
        is_control = isinstance(widget, CONTROLS) and widget.isVisible() and not is_inner
        if is_control and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            found.append(widget)
    return found


async def settled(window: MainWindow) -> None:
    """Wait until a page is shown, has read what it shows, and looks the same twice."""
    before, now = None, look_of(window)
    async with asyncio.timeout(FIND_S):
        while before != now or not is_read(window):
            await asyncio.sleep(0.01)
            before, now = now, look_of(window)


def look_of(window: MainWindow) -> object:
    return window.size(), [(id(one), one.isEnabled(), one.geometry()) for one in controls(window)]


def is_read(window: MainWindow) -> bool:
    page = window.page
    return page is not None and page.isVisible() and {name.split("#")[0] for name in page.tasks._tasks} in STANDING


def name_of(widget: QWidget) -> str:
    interface = QAccessible.queryAccessibleInterface(widget)
    return str(interface.text(QAccessible.Text.Name)).strip() if interface is not None else ""


def told(widget: QWidget) -> str:
    parent = widget.parentWidget()
    return f"{type(widget).__name__} {widget.objectName()} in {type(parent).__name__} {parent.size().toTuple()}"


def nameless(window: MainWindow) -> set[str]:
    return {f"no name: {told(widget)}" for widget in controls(window) if not name_of(widget)}


def too_small(window: MainWindow) -> set[str]:
    found = set()
    for widget in controls(window):
        least = TARGET - 4 if isinstance(widget, QCheckBox | QRadioButton) else TARGET
        if isinstance(widget, QAbstractButton | QLineEdit | QComboBox) and widget.height() < least:
            found.add(f"{widget.height()} px high: {told(widget)} {name_of(widget)}")
    return found


def rich(window: MainWindow, words: list[str]) -> set[str]:
    found = set()
    for label in window.findChildren(QLabel):
        shows_words = any(word in label.text() for word in words)
        if shows_words and label.textFormat() is not Qt.TextFormat.PlainText:
            found.add(f"may be markup: {told(label)}: {label.text()}")
    return found


async def test_every_control_of_every_page_is_named_large_enough_and_fits(home: Path) -> None:
    faults = set()
    async with demo_window(home) as (bench, window):
        words = [part for unit in bench.finder.units.values() for part in (unit.title, unit.identity.serial) if part]
        for page_id, argument in places(bench):
            window.go(page_id, argument)
            await settled(window)
            found = nameless(window) | too_small(window) | rich(window, words)
            for size in (QSize(1280, 720), QSize(640, 360)):
                window.resize(size)
                await settled(window)
                if window.width() > size.width() or window.height() > size.height():
                    found.add(f"does not fit {size.toTuple()}: {window.size().toTuple()}")
            faults |= {f"{page_id}: {fault}" for fault in found}
    assert not faults


@asynccontextmanager
async def plain_window(bench: Any) -> AsyncIterator[MainWindow]:
    window = MainWindow()
    wiring = Wiring(bench, window)
    wiring.start()
    window.show()
    window.activateWindow()
    try:
        async with asyncio.timeout(FIND_S):
            while not window.isActiveWindow():  # noqa: ASYNC110  # Qt has no event to wait for
                await asyncio.sleep(0.01)
        yield window
    finally:
        await wiring.stop()
        window.hide()


def by_arrows(widget: QWidget) -> bool:
    """Of buttons that exclude each other Tab reaches the chosen one, and the arrows the others."""
    group = widget.group() if isinstance(widget, QAbstractButton) else None
    return group is not None and group.exclusive() and not widget.isChecked()


@pytest.mark.parametrize("page_id", [entry.page_id for entry in RAIL])
async def test_tab_reaches_every_control_of_a_page(bench: Any, qtbot: Any, page_id: str) -> None:
    async with plain_window(bench) as window:
        window.activateWindow()
        window.go(page_id)
        await settled(window)
        on_rail = window.rail.findChildren(QAbstractButton)
        one_by_tab = [widget for widget in controls(window) if widget.isEnabled() and not by_arrows(widget)]
        wanted = {name_of(widget) for widget in one_by_tab if widget not in on_rail}
        window.top_bar.site.setFocus()
        reached = set()
        for _ in range(3 * len(wanted)):
            focus = QApplication.focusWidget()
            assert focus is not None
            assert name_of(focus), f"the keyboard stops at something without a name: {told(focus)}"
            reached.add(name_of(focus))
            qtbot.keyClick(focus, Qt.Key.Key_Tab)
        assert not wanted - reached


async def test_arrows_walk_the_rail(bench: Any, qtbot: Any) -> None:
    async with plain_window(bench) as window:
        window.activateWindow()
        window.go("site")
        window.rail.focus_current()
        seen = []
        for _ in range(2):
            focus = QApplication.focusWidget()
            assert focus is not None
            qtbot.keyClick(focus, Qt.Key.Key_Down)
            seen.append(window.page_id)
        assert seen == ["endpoint", "garage"]


def test_no_markup_of_others_is_rendered() -> None:
    bar = TopBar()
    evil = "<img src=x><b>bold</b>"
    bar.show_sources({"serial": SourceState(source="serial", health=SourceHealth.FAILED, text=evil, advice=evil)})
    button = bar.source_button("serial")
    assert button is not None
    assert "<img" not in button.toolTip()
    assert "&lt;img" in button.toolTip()
