"""The search panel on the Site page, against real servers on loopback addresses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.discovery.subnet import doors
from app.driver.registry import Registry
from app.model.hotspot import Airwaves
from app.model.lan import Progress
from app.sim.decoys import Decoy
from app.sim.openevse import OpenEvseGateway
from ui.models.lan import behind, hint_text
from ui.pages.site import SitePage
from ui.theme import theme


@asynccontextmanager
async def site(open_bench: Any, port: int) -> AsyncIterator[SitePage]:
    """Open the page in a demo (it searches this computer only), its families listening at a free port."""
    async with open_bench() as bench:
        known = bench.registry
        moved = {
            key: replace(item, match=replace(item.match, ports=(port,))) if item.match.ports else item
            for key, item in known.profiles.items()
            if item.match.scheme == "http"
        }
        registry = Registry(known.drivers.values(), moved.values())
        bench.registry.profiles = registry.profiles
        bench.searches.lan._doors = doors(registry)
        bench.searches.lan._questions = ()
        page = SitePage(bench)
        page.resize(1180, 656)
        page.show()
        try:
            yield page
        finally:
            bench.searches.lan.stop()
            await page.tasks.stop()
            page.close()
            page.deleteLater()


async def until(wanted: Callable[[], Any]) -> Any:
    async with asyncio.timeout(20):
        while not (found := wanted()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return found


async def test_a_person_sees_what_is_asked_searches_and_selects_what_was_found(open_bench: Any, free_port: int) -> None:
    async with (
        OpenEvseGateway(name="stall-07", host="127.0.7.3", port=free_port),
        Decoy("printer", host="127.0.7.9", port=free_port),
        site(open_bench, free_port) as page,
    ):
        QTest.mouseClick(page.lan_button, Qt.MouseButton.LeftButton)
        panel = page.searching
        assert panel.isVisible()
        assert "GET /emoncms/describe" in panel.asked.text.text()
        assert panel.asked.text.isVisible()
        assert not page.bench.searches.lan.progress.total  # nothing was asked yet
        panel.range.setText("127.0.7.1-20")
        assert panel.button.text() == "Ask 20 addresses"
        QTest.keyClick(panel.range, Qt.Key.Key_Return)
        assert panel.button.text() == "Stop"
        await until(lambda: panel._rows and panel.strangers.isVisible())
        (row,) = panel._rows.values()
        assert row.text() == "stall-07 · 127.0.7.3"
        assert panel.strangers.text.text().startswith("127.0.7.9  ")
        await until(lambda: panel.state.text().startswith("20 of 20 asked"))
        assert not panel.asked.text.isVisible()
        QTest.mouseClick(row, Qt.MouseButton.LeftButton)
        assert page._current == page.bench.searches.lan.answers[0].unit_id


async def test_a_wrong_range_is_refused_in_words_before_anything_is_asked(open_bench: Any, free_port: int) -> None:
    async with site(open_bench, free_port) as page:
        page.lan_button.click()
        page.searching.range.setText("8.8.8.8")
        assert not page.searching.button.isEnabled()
        assert "Only this computer's own network is searched" in page.searching.trouble.text()
        page.searching.range.setText("127.0.7.1-4")
        assert page.searching.button.isEnabled()
        assert not page.searching.trouble.isVisible()


async def test_a_running_search_is_stopped(open_bench: Any, free_port: int) -> None:
    async with site(open_bench, free_port) as page:
        page.lan_button.click()
        page.searching.range.setText("127.0.8.0/22")
        page.searching.button.click()
        lan = page.bench.searches.lan
        await until(lambda: lan.progress.done)
        page.searching.button.click()
        await lan.finished()
        await until(lambda: "stopped" in page.searching.state.text())
        assert page.searching.button.isEnabled()


async def test_every_control_has_a_name_and_both_looks_are_painted(open_bench: Any, free_port: int) -> None:
    async with site(open_bench, free_port) as page:
        page.lan_button.click()
        panel = page.searching
        for control in (panel.network, panel.range, panel.button, panel.bar, panel.asked.button, panel.call_button):
            assert control.accessibleName() or control.text()
        theme().choose("dark")
        assert not page.grab().isNull()


def test_words() -> None:
    done = Progress(title="a", total=253, done=253, answering=3, skipped=2, took_s=2.45)
    assert behind(done) == "253 of 253 asked in 2.5 s · 3 answered · 2 known already"
    assert "stopped" in behind(replace(done, done=20))
    assert "No Wi-Fi" in hint_text((), Airwaves())
    assert hint_text((), Airwaves(trouble="No tool.", advice="Look yourself.")) == "No tool. Look yourself."
