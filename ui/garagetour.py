"""Drive the window through the garage's network services, and leave a picture of each screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.bridge.station import Start
from app.model.bridge import UnitKind
from app.model.garage import Stand
from app.service.choosing import Choice
from ui.pages.garage_services import LOG, NAMES, RIGHTS, ROUTER, ServicesPanel
from ui.shots import SETTLE_S, save
from ui.window import MainWindow

if TYPE_CHECKING:
    from app.workbench import Workbench

STEP_S = 60.0
POLL_S = 0.1
CIRCUIT_A = 32.0
"""A 40 A breaker's continuous current."""
ASKED = ("pool.ntp.org", "directory-api.emotorwerks.com", "ocpp.example.com", "jbv1.emotorwerks.com")
"""What the chargers of the picture look for, the last one being the one to stand in for."""


class GarageTour:
    """Names are started, chargers ask for their dead backend, and the answer is chosen for them."""

    def __init__(self, bench: Workbench, window: MainWindow, folder: Path, *, suffix: str = "") -> None:
        self._bench = bench
        self._window = window
        self._folder = folder
        self._suffix = suffix

    async def run(self) -> None:
        """Take the pictures; raises TimeoutError where the window does not get on."""
        self._window.go("garage", "services")
        panel: ServicesPanel = self._window.page.panels["services"]  # type: ignore[union-attr]
        await self._shoot("garage-services-off")
        await self._ask(panel)
        await self._shoot("garage-who-asks")
        panel.tabs.setCurrentIndex(NAMES)
        panel.names.rows[0].tick.click()
        panel.names.rows[0].fold.setChecked(True)
        await self._shoot("garage-names")
        panel.tabs.setCurrentIndex(ROUTER)
        await self._until(lambda: panel.router.recipes)
        await self._shoot("garage-router")
        panel.tabs.setCurrentIndex(RIGHTS)
        await self._until(lambda: panel.rights.sections)
        await self._shoot("garage-rights")
        await self._leave(panel)
        await self._bridge()

    async def _bridge(self) -> None:
        """Bridge a simulated JuiceBox to our own endpoint, show the way to the small box, and take it away again."""
        from ui.pages.garage_bridge import BridgePanel

        self._window.go("garage", "bridge")
        panel: BridgePanel = self._window.page.panels["bridge"]  # type: ignore[union-attr]
        await self._shoot("garage-bridge-empty")
        juice, desk = self._bench.juice, self._bench.bridge
        await juice.start()
        await self._until(lambda: any(box.report for box in juice.boxes.values() if not box.is_locked))
        box_id = next(key for key, box in juice.boxes.items() if box.report and not box.is_locked)
        before, was_adopted = desk.choices, box_id in desk.adopted
        if not was_adopted:
            juice.adopt(juice.propose(box_id, CIRCUIT_A))
        desk.choose(
            (
                Choice(kind=UnitKind.BOX, unit=box_id, identity="STALL-01", start=Start.FREE, id_tag="GARAGE"),
                Choice(kind=UnitKind.RELAY, unit="CP_7", identity="STALL-07"),
            )
        )
        panel.refresh()
        panel.start.click()
        await self._until(lambda: desk.status and desk.status.units[0].is_present)
        await self._shoot("garage-bridge")
        panel.export.click()
        await self._shoot("garage-bridge-small-box")
        panel.show_units()
        panel.add_relay.click()
        await self._shoot("garage-bridge-form")
        panel.show_units()
        await desk.stop()
        desk.choose(before)
        if not was_adopted:
            juice.withdraw(box_id)
        panel.refresh()

    async def _ask(self, panel: ServicesPanel) -> None:
        """Let a simulated charger ask for its names."""
        from app.sim.juicebox_names import resolved

        panel.cards[Stand.DNS].start()
        await self._until(lambda: self._bench.garage.states[Stand.DNS].is_on)
        state = self._bench.garage.states[Stand.DNS]
        for name in ASKED:
            await resolved(name, (state.host, state.port), timeout_s=STEP_S)
        await self._until(lambda: panel.log.count >= len(ASKED))
        panel.log.table.selectRow(0)

    async def _leave(self, panel: ServicesPanel) -> None:
        """Leave the garage as it was found."""
        panel.names.rows[0].fold.setChecked(False)
        panel.names.rows[0].tick.click()
        panel.tabs.setCurrentIndex(LOG)
        panel.log.clear_button.click()
        await self._bench.garage.stop(Stand.DNS)

    async def _until(self, is_true: Callable[[], object]) -> None:
        async with asyncio.timeout(STEP_S):
            while not is_true():  # noqa: ASYNC110 - a person looks again and again, too
                await asyncio.sleep(POLL_S)

    async def _shoot(self, name: str) -> None:
        await asyncio.sleep(2 * SETTLE_S)
        save(self._window, self._folder / f"{name}{self._suffix}.png")
