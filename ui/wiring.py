"""Joins the Workbench to the window: top bar, lamps, pages, and what the technician changes there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, QUrl
from PySide6.QtGui import QDesktopServices

from app.feed import Feed
from app.model.frame import ListenState, SourceState
from app.scope import Trouble
from app.settings import Settings
from ui import doors
from ui.bridge import Bridge
from ui.changing import change
from ui.i18n import translate
from ui.pages.catalogue import entry
from ui.pages.page import Page
from ui.tasks import Tasks
from ui.theme import theme
from ui.widgets.helpsheet import HelpSheet
from ui.widgets.popover import Popover
from ui.widgets.topbar import HEALTH_TONES, HEALTH_WORDS, SOURCE_WORDS
from ui.window import MainWindow

if TYPE_CHECKING:
    from app.workbench import Workbench

log = logging.getLogger(__name__)

BROADCAST = "broadcast"
"""The source that asks only when it starts, and again when a person wants it."""

ADAPTERS_MS = 5000
"""How often the network adapters are looked at again: a cable may be plugged in."""


def open_folder(folder: Path) -> None:
    """Show a folder in the system's file manager."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


class Wiring(QObject):
    """Everything the window shows of the Workbench outside the pages. A child of the window."""

    def __init__(self, bench: Workbench, window: MainWindow) -> None:
        super().__init__(window)
        self._bench = bench
        self._window = window
        self._tasks = Tasks(self)
        self._pages: list[Page] = []
        self._help: HelpSheet | None = None
        self._bridges: list[Bridge[Any]] = []
        self._adapters_timer = QTimer(self)
        self._adapters_timer.setInterval(ADAPTERS_MS)

    def start(self) -> None:
        """Show what there is and keep it up to date."""
        bench, bar = self._bench, self._window.top_bar
        self._listen(bench.server.states, self._endpoint_changed)
        self._listen(bench.finder.source_changes, self._sources_changed)
        self._listen(bench.settings_changes, self._settings_changed)
        self._listen(bench.troubles, self._troubled)
        bar.site_renamed.connect(self._rename_site)
        bar.adapter_chosen.connect(self._choose_adapter)
        bar.endpoint_clicked.connect(self._open_endpoint)
        bar.source_clicked.connect(self._explain_source)
        self._window.help_requested.connect(self._show_help)
        self._adapters_timer.timeout.connect(self._show_adapters)
        self._adapters_timer.start()
        self._show_all()
        self._window.open_pages(self._build_page)

    def _listen(self, feed: Feed[Any], deliver: Callable[[list[Any]], object]) -> None:
        bridge: Bridge[Any] = Bridge(feed, self, deliver)
        bridge.resume()
        self._bridges.append(bridge)

    def _show_all(self) -> None:
        bench = self._bench
        self._window.show_site(bench.settings.site_name)
        self._window.top_bar.show_endpoint(bench.server.state)
        self._window.top_bar.show_sources(bench.finder.sources)
        self._show_adapters()
        if bench.is_demo:
            self._window.show_ribbon(translate("Demo garage — all chargers are simulated; nothing real is touched"))

    async def stop(self) -> None:
        """Cancel what pages still do, and wait for it."""
        self._adapters_timer.stop()
        for bridge in self._bridges:
            bridge.close()
        for page in self._pages:
            page.hide()
            await page.stop()
        await self._tasks.stop()

    def remember_window(self) -> None:
        """Keep the window's place in the settings."""
        place = self._window.place()
        if place != self._bench.settings.window:
            with doors.guarded("remember the window's place"):
                self._bench.change_settings(replace(self._bench.settings, window=place))

    # Pages

    def _build_page(self, page_id: str) -> Page | None:
        with doors.guarded(f"page {page_id}"):
            page = entry(page_id).load()(self._bench, self._window)
            self._pages.append(page)
            return page
        return None

    def _open_endpoint(self) -> None:
        self._window.go("endpoint")

    def _show_help(self) -> None:
        if self._help is None:
            self._help = HelpSheet(self._window)
        self._help.show()
        self._help.raise_()
        self._help.activateWindow()

    # What changed

    def _endpoint_changed(self, states: list[ListenState]) -> None:
        self._window.top_bar.show_endpoint(states[-1])

    def _sources_changed(self, _states: list[SourceState]) -> None:
        self._window.top_bar.show_sources(self._bench.finder.sources)

    def _settings_changed(self, changes: list[Settings]) -> None:
        self._window.show_site(changes[-1].site_name)
        theme().choose(changes[-1].theme)  # type: ignore[arg-type]  # checked where settings are read
        self._show_adapters()

    def _troubled(self, troubles: list[Trouble]) -> None:
        for item in troubles:
            doors.trouble(item)

    def _show_adapters(self) -> None:
        bench = self._bench
        present = [adapter for adapter in bench.adapters() if not adapter.is_loopback]
        self._window.top_bar.show_adapters(present, bench.settings.adapter, bench.adapter_address)
        self._window.top_bar.adapter.setEnabled(not bench.is_demo)

    # What the technician changes

    def _rename_site(self, name: str) -> None:
        if name and name != self._bench.settings.site_name:
            self._bench.change_settings(replace(self._bench.settings, site_name=name))
        self._window.show_site(self._bench.settings.site_name)

    def _choose_adapter(self, address: str) -> None:
        self._tasks.replace("adapter", self._use_adapter(address))

    async def _use_adapter(self, address: str) -> None:
        try:
            await change(self._bench, replace(self._bench.settings, adapter=address))
        finally:
            self._show_adapters()

    def _explain_source(self, name: str) -> None:
        state = self._bench.finder.sources.get(name)
        button = self._window.top_bar.source_button(name)
        if state is None or button is None:
            return
        popover = Popover(translate(SOURCE_WORDS.get(name.partition(":")[0], name)), self._window)
        popover.add_chip(translate(HEALTH_WORDS[state.health.value]), HEALTH_TONES[state.health.value])
        for text, role in ((state.text, ""), (state.advice, "subtle")):
            if text:
                popover.add_text(text, role)
        if name == BROADCAST:
            popover.add_action(translate("Ask again"))
            popover.acted.connect(self._bench.broadcast.ask_again)
        popover.open_below(button)
