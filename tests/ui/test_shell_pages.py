"""The Chargers and Settings pages on a real Workbench, and the top bar."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QPushButton

from app.model.frame import Adapter, ListenState, SourceHealth, SourceState
from app.report.family import duration, plain_text
from app.settings import Settings
from ui.pages.chargers import ChargersPage
from ui.pages.settings import SettingsPage
from ui.theme import theme
from ui.widgets.popover import Popover
from ui.widgets.section import Section
from ui.widgets.topbar import TopBar
from ui.window import MainWindow
from ui.wiring import Wiring

LIMIT_S = 10


async def until(wanted: Callable[[], Any]) -> Any:
    async with asyncio.timeout(LIMIT_S):
        while not (found := wanted()):  # noqa: ASYNC110  # Qt has no event to wait for
            await asyncio.sleep(0.01)
        return found


# Chargers


@pytest.fixture
def library(bench: Any) -> ChargersPage:
    page = ChargersPage(bench)
    page.resize(1100, 700)
    page.show()
    return page


async def test_library_lists_every_profile_and_shows_the_first(library: ChargersPage, bench: Any) -> None:
    assert library.model.rowCount() == len(bench.registry.profiles)
    assert library.shown is not None
    words = [label.text() for label in library.findChildren(QLabel)]
    assert library.shown.family in words
    for evidence in library.shown.evidence:
        assert evidence.source in words


async def test_library_search_finds_by_any_fact(library: ChargersPage, qtbot: Any) -> None:
    assert library.focus_search()
    qtbot.keyClicks(library.search, "wifi gateway openevse")
    assert 1 <= library.model.rowCount() < library.model.total
    library.search.setText("xyzzy no such charger at all")
    assert library.model.rowCount() == 0
    assert library._nothing.isVisible()
    library.search.clear()
    assert library.model.rowCount() == library.model.total


async def test_library_opens_a_family_by_id(library: ChargersPage, bench: Any) -> None:
    for profile_id in list(bench.registry.profiles)[::10]:
        library.open(profile_id)
        assert library.shown is not None
        assert library.shown.id == profile_id


async def test_every_family_can_be_copied_and_some_are_shown(library: ChargersPage, bench: Any) -> None:
    for number, profile in enumerate(bench.registry.profiles.values()):
        text = plain_text(profile, bench.registry.driver_of(profile))
        for quirk in profile.quirks:
            assert quirk.text in text
        for door in profile.one_way_doors:
            assert door.text in text
        if number % 10 == 0:
            library.open(profile.id)
            sections = {section.accessibleName() for section in library.findChildren(Section)}
            assert "How long it takes" in sections


async def test_copy_puts_the_facts_on_the_clipboard(library: ChargersPage, bench: Any, qtbot: Any) -> None:
    button = next(item for item in library.findChildren(QPushButton) if item.text() == "Copy as text")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert library.shown is not None
    driver = bench.registry.driver_of(library.shown)
    assert QGuiApplication.clipboard().text() == plain_text(library.shown, driver)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(45, "45 s"), (119, "119 s"), (1140, "19 min"), (5400, "90 min"), (7200, "2 h"), (9000, "2 h 30 min")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


# Settings


@pytest.fixture
def settings(bench: Any, qloop: Any) -> SettingsPage:
    async def shown() -> SettingsPage:
        page = SettingsPage(bench)
        page.show()
        return page

    return qloop.run_until_complete(shown())  # type: ignore[no-any-return]


def choose(box: Any, value: object) -> None:
    box.setCurrentIndex(box.findData(value))
    box.activated.emit(box.currentIndex())


async def test_a_change_is_saved_at_once_and_taken_back(settings: SettingsPage, bench: Any, qtbot: Any) -> None:
    settings.site.setFocus()
    settings.site.selectAll()
    qtbot.keyClicks(settings.site, "Old mill")
    qtbot.keyClick(settings.site, Qt.Key.Key_Return)
    assert bench.settings.site_name == "Old mill"
    assert settings.undo.isVisible()
    qtbot.mouseClick(settings.undo, Qt.MouseButton.LeftButton)
    await until(lambda: bench.settings.site_name == Settings().site_name)
    await until(lambda: not settings.undo.isVisible())


async def test_an_empty_site_name_is_not_taken(settings: SettingsPage, bench: Any) -> None:
    before = bench.settings.site_name
    settings.site.setText("   ")
    settings.site.editingFinished.emit()
    assert bench.settings.site_name == before
    assert settings.site.text() == before


async def test_look_retention_and_start_are_saved(settings: SettingsPage, bench: Any) -> None:
    choose(settings.look, "dark")
    choose(settings.retention, 100_000)
    settings.is_on.setChecked(not bench.settings.endpoint_on)
    assert (bench.settings.theme, bench.settings.keep_frames, bench.settings.endpoint_on) == ("dark", 100_000, True)


async def test_the_port_moves_the_endpoint(settings: SettingsPage, bench: Any, free_port: int) -> None:
    await bench.start_endpoint(port=0)
    settings.port.setValue(free_port)
    await until(lambda: bench.server.state.port == free_port)
    assert bench.settings.endpoint_port == free_port


async def test_a_taken_port_is_told_and_nothing_changes(settings: SettingsPage, bench: Any) -> None:
    await bench.start_endpoint(port=0)
    before = bench.server.state.port
    saved = bench.settings
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        settings.port.setValue(taken)
        await until(
            lambda: str(taken) in settings._port_note.text() and settings._port_note.property("tone") == "fault"
        )
    assert bench.server.state.is_listening
    assert bench.server.state.port == before
    assert bench.settings == saved
    assert settings.port.value() == saved.endpoint_port


async def test_versions_can_be_copied(settings: SettingsPage) -> None:
    await until(settings.about._copy.isEnabled)
    settings.about.copy()
    text = QGuiApplication.clipboard().text()
    assert text.startswith("Rehome ")
    assert "PySide6" in text


# Top bar


def test_top_bar_shows_the_endpoint_in_words() -> None:
    bar = TopBar()
    bar.show_endpoint(ListenState(is_listening=True, host="10.0.0.2", port=8180, connections=2))
    assert bar.endpoint.text() == "10.0.0.2:8180 · 2 connected"
    bar.show_endpoint(
        ListenState(is_listening=False, host="", port=8180, trouble="Port 8180 is taken.", advice="Use 8181.")
    )
    assert "can't listen" in bar.endpoint.accessibleName()
    assert "Use 8181." in bar.endpoint.toolTip()
    bar.show_endpoint(ListenState(is_listening=False, host="", port=8180))
    assert "off" in bar.endpoint.text()


def test_top_bar_offers_adapters_and_keeps_a_missing_one() -> None:
    bar = TopBar()
    chosen: list[str] = []
    bar.adapter_chosen.connect(chosen.append)
    adapters = [Adapter(name="eth0", address="10.0.0.2"), Adapter(name="wlan0", address="10.1.0.2")]
    bar.show_adapters(adapters, "10.9.9.9", "10.0.0.2")
    texts = [bar.adapter.itemText(index) for index in range(bar.adapter.count())]
    assert texts == ["Automatic · 10.0.0.2", "eth0 · 10.0.0.2", "wlan0 · 10.1.0.2", "10.9.9.9 (not connected)"]
    assert bar.adapter.currentData() == "10.9.9.9"
    assert chosen == []
    choose(bar.adapter, "10.1.0.2")
    assert chosen == ["10.1.0.2"]


async def test_a_source_in_trouble_explains_itself(bench: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    state = SourceState(
        source="serial", health=SourceHealth.FAILED, text="Permission denied.", advice="Join the group dialout."
    )
    monkeypatch.setattr(type(bench.finder), "sources", property(lambda self: {"serial": state}))
    window = MainWindow()
    wiring = Wiring(bench, window)
    wiring.start()
    window.show()
    lamp = window.top_bar.source_button("serial")
    assert lamp is not None
    assert lamp.accessibleName() == "Serial ports: Not working"
    qtbot.mouseClick(lamp, Qt.MouseButton.LeftButton)
    popover = window.findChild(Popover)
    assert popover is not None
    words = [label.text() for label in popover.findChildren(QLabel)]
    assert "Permission denied." in words
    assert "Join the group dialout." in words
    popover.close()
    await wiring.stop()


async def test_the_look_follows_the_settings(bench: Any) -> None:
    window = MainWindow()
    wiring = Wiring(bench, window)
    wiring.start()
    bench.change_settings(Settings(theme="dark", endpoint_on=False))
    await until(lambda: theme().tokens.is_dark)
    await wiring.stop()
    theme().choose("light")


async def test_the_help_sheet_lists_the_keys(bench: Any, qtbot: Any) -> None:
    window = MainWindow()
    wiring = Wiring(bench, window)
    wiring.start()
    window.show()
    window.activateWindow()
    await until(window.isActiveWindow)
    qtbot.keyClick(window, Qt.Key.Key_F1)
    words = [label.text() for label in window.findChildren(QLabel)]
    assert "Ctrl+1" in words
    assert "Alt+Left" in words
    await wiring.stop()


async def test_a_page_that_can_not_be_built_says_so(
    bench: Any, problems: Any, allowed_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems.expect()
    allowed_log("bug in")

    def broken(self: Any, *_: Any) -> None:
        raise LookupError("no such thing")

    monkeypatch.setattr(ChargersPage, "__init__", broken)
    window = MainWindow()
    wiring = Wiring(bench, window)
    wiring.start()
    window.show()
    window.go("chargers")
    assert problems.crashes[0].where == "page chargers"
    assert window.page is None
    window.go("settings")
    assert window.page is not None
    await wiring.stop()
