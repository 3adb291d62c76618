"""Drive the window through what the endpoint shows of its chargers, and leave a picture of each screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.model.trace import TraceFormat
from app.trace.merging import Selection
from ui.pages.endpoint import LISTENING, STRINGS
from ui.pages.endpoint_unit import ACCEPTANCE, CONSOLE, SETTINGS
from ui.shots import SETTLE_S, save
from ui.window import MainWindow

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint
    from app.workbench import Workbench
    from ui.pages.endpoint import EndpointPage
    from ui.pages.traffic import TrafficPage

STEP_S = 60.0
POLL_S = 0.1


class EndpointTour:
    """A look at one charger of each version, at how we listen, and at a recording of it all."""

    def __init__(self, bench: Workbench, window: MainWindow, folder: Path, *, suffix: str = "") -> None:
        self._bench = bench
        self._window = window
        self._folder = folder
        self._suffix = suffix

    async def run(self) -> None:
        """Take the pictures; raises TimeoutError where the window does not get on."""
        newer, older = await self._charger("2."), await self._charger("1.6")
        await self._look_at(newer)
        await self._accept(older)
        await self._door()
        await self._replay()

    async def _charger(self, version: str) -> Endpoint:
        def found() -> Endpoint | None:
            endpoints = self._bench.server.endpoints.values()
            return next((one for one in endpoints if one.version.startswith(version) and one.boot), None)

        await self._until(lambda: found() is not None)
        endpoint = found()
        assert endpoint is not None
        return endpoint

    def _page(self, identity: str = "") -> EndpointPage:
        self._window.go("endpoint", identity or None)
        return self._window.page  # type: ignore[return-value]

    async def _look_at(self, endpoint: Endpoint) -> None:
        unit = self._page(endpoint.identity).unit
        unit.tabs.setCurrentIndex(CONSOLE)
        await self._shoot("endpoint-console")
        unit.tabs.setCurrentIndex(SETTINGS)
        unit.device_model.read()
        await self._until(lambda: unit.device_model.tree.model.variables)
        await self._shoot("endpoint-device-model")
        unit.tabs.setCurrentWidget(unit.others)
        await self._shoot("endpoint-other-backends")

    async def _accept(self, endpoint: Endpoint) -> None:
        """Begin a run, show its first question to the person, and stop it."""
        unit = self._page(endpoint.identity).unit
        unit.tabs.setCurrentIndex(ACCEPTANCE)
        panel = unit.acceptance
        panel.start.click()
        await self._until(panel.prompt.isVisible)
        await self._shoot("endpoint-acceptance")
        panel.stop.click()
        await self._until(panel.start.isVisible)
        unit.tabs.setCurrentIndex(CONSOLE)

    async def _door(self) -> None:
        page = self._page()
        page.tabs.setCurrentIndex(STRINGS)
        page.strings.door.setCurrentIndex(1)
        await self._shoot("endpoint-what-to-type")
        page.strings.door.setCurrentIndex(0)
        page.tabs.setCurrentIndex(LISTENING)
        await self._shoot("endpoint-listening")
        page.tabs.setCurrentIndex(0)

    async def _replay(self) -> None:
        """Record what happened until now, and open it as support would."""
        path = self._bench.home / "garage.rehome-trace"
        await self._bench.traces.export(path, TraceFormat.REHOME, Selection())
        self._window.go("traffic")
        page: TrafficPage = self._window.page  # type: ignore[assignment]
        page.files.open(path)
        await self._until(lambda: page.replay is not None)
        await self._shoot("traffic-replay")
        page.leave_replay()

    async def _until(self, is_true: Callable[[], object]) -> None:
        async with asyncio.timeout(STEP_S):
            while not is_true():  # noqa: ASYNC110 - a person looks again and again, too
                await asyncio.sleep(POLL_S)

    async def _shoot(self, name: str) -> None:
        await asyncio.sleep(2 * SETTLE_S)
        save(self._window, self._folder / f"{name}{self._suffix}.png")
