"""Drive the window through finding, judging and typing into chargers, and leave a picture of each screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ui.pages import site_filters
from ui.pages.endpoint_unit import SETTINGS
from ui.shots import SETTLE_S, save
from ui.window import MainWindow

if TYPE_CHECKING:
    from app.workbench import Workbench
    from ui.pages.chargers import ChargersPage
    from ui.pages.endpoint import EndpointPage
    from ui.pages.site import SitePage

STEP_S = 60.0
POLL_S = 0.1

GUIDED = "wallbox"
"""A family that a person sets in the vendor's app: address, identity and password each have their field."""
WISHED = 2
"""Questions about the site that are answered before the picture."""


class SiteTour:
    """How chargers are found, what becomes of them, and what is typed into one that no program can write."""

    def __init__(self, bench: Workbench, window: MainWindow, folder: Path, *, suffix: str = "") -> None:
        self._bench = bench
        self._window = window
        self._folder = folder
        self._suffix = suffix

    async def run(self) -> None:
        """Take the pictures; raises TimeoutError where the window does not get on."""
        await self._find()
        await self._judge()
        await self._type()
        await self._explain()

    def _site(self) -> SitePage:
        self._window.go("site")
        return self._window.page  # type: ignore[return-value]

    async def _find(self) -> None:
        page = self._site()
        page.lan_button.click()
        await self._shoot("site-search")
        page.searching.close_button.click()
        page.label_button.click()
        page.labels.take_text(self._label())
        await self._shoot("site-scan-label")
        page.labels.close_button.click()

    def _label(self) -> str:
        """Return what the label of a charger of this site says."""
        units = self._bench.finder.units.values()
        return next((unit.identity.serial for unit in units if unit.identity.serial), "STALL-01")

    async def _judge(self) -> None:
        page = self._site()
        page.line.choose_view(site_filters.TRIAGE)
        triage = page.triage
        if triage.backend.count() > 1:
            triage.backend.setCurrentIndex(1)
        triage.run_button.click()
        await self._until(lambda: not triage.is_running)
        await self._shoot("site-triage")
        page.line.show_cards()

    async def _type(self) -> None:
        self._window.go("chargers", GUIDED)
        page: ChargersPage = self._window.page  # type: ignore[assignment]
        await self._shoot("chargers-guided")
        page.show_typing()
        form = page.typing.form
        form.preset.setCurrentIndex(form.preset.count() - 1)
        form.identity.setText("STALL-07")
        await self._until(lambda: page.typing.view.rows)
        row = page.typing.view.rows[0]
        row.setFocus()
        await asyncio.sleep(SETTLE_S)
        page.typing.verticalScrollBar().setValue(page.typing.view.y())
        await self._shoot("what-to-type-qr")
        page.typing.back.click()

    async def _explain(self) -> None:
        endpoints = self._bench.server.endpoints.values()
        older = next(one for one in endpoints if one.version.startswith("1.6") and one.boot)
        self._window.go("endpoint", older.identity)
        page: EndpointPage = self._window.page  # type: ignore[assignment]
        unit = page.unit
        unit.tabs.setCurrentIndex(SETTINGS)
        unit.config.desk.read()
        await self._until(lambda: unit.config.table.model.snapshot is not None)
        unit.config.make.button.click()
        unit.enlarge.setChecked(True)
        wishes = unit.config.explanation.wishes
        for row in wishes.rows[:WISHED]:
            row.choice.setCurrentIndex(1)
        wishes.judge()
        await self._shoot("explain-configuration")
        for row in wishes.rows[:WISHED]:
            row.choice.setCurrentIndex(0)
        wishes.judge()
        unit.enlarge.setChecked(False)
        unit.config.explanation.back.click()

    async def _until(self, is_true: Callable[[], object]) -> None:
        async with asyncio.timeout(STEP_S):
            while not is_true():  # noqa: ASYNC110 - a person looks again and again, too
                await asyncio.sleep(POLL_S)

    async def _shoot(self, name: str) -> None:
        await asyncio.sleep(2 * SETTLE_S)
        save(self._window, self._folder / f"{name}{self._suffix}.png")
