"""Drive the window through bringing a JuiceBox back, and leave a picture of each screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.model.juicebox import BoxMode
from ui.pages.garage_juice_box import LIMIT, READINGS, RESCUE
from ui.shots import SETTLE_S, save
from ui.window import MainWindow

if TYPE_CHECKING:
    from app.workbench import Workbench
    from ui.pages.garage_juice import JuicePanel

STEP_S = 60.0
POLL_S = 0.1
CIRCUIT = "32"


class JuiceTour:
    """A box left at 0 A is heard, gets its circuit's limit, charges, and is let go again."""

    def __init__(self, bench: Workbench, window: MainWindow, folder: Path, *, suffix: str = "") -> None:
        self._bench = bench
        self._window = window
        self._folder = folder
        self._suffix = suffix

    async def run(self) -> None:
        """Take the pictures; raises TimeoutError where the window does not get on."""
        self._window.go("garage", "juice")
        panel: JuicePanel = self._window.page.panels["juice"]  # type: ignore[union-attr]
        await self._shoot("garage-juiceboxes-off")
        panel.peer.start()
        await self._until(lambda: self._locked(panel))
        panel.list.choose(self._locked(panel))
        await self._shoot("garage-juicebox-rescue")
        await self._revive(panel)
        panel.box.show_tab(RESCUE)
        await self._shoot("garage-juicebox-charging")
        panel.box.show_tab(READINGS)
        await self._shoot("garage-juicebox-readings")
        panel.honest_button.click()
        await self._shoot("garage-juicebox-honest")
        panel.honest.back.click()
        await self._leave(panel)

    def _locked(self, panel: JuicePanel) -> str:
        """Return the serial of the box at 0 A, once it is heard."""
        return next((case.key for case in panel.list.cases if case.box is not None and case.box.is_locked), "")

    async def _revive(self, panel: JuicePanel) -> None:
        panel.box.show_tab(LIMIT)
        form = panel.box.limit
        form.circuit.setText(CIRCUIT)
        form.circuit.textEdited.emit(CIRCUIT)
        form.revive.setChecked(True)
        await self._shoot("garage-juicebox-limit")
        form.apply.click()
        await self._until(lambda: self._charges(panel))

    def _charges(self, panel: JuicePanel) -> bool:
        box = panel.box.case.box
        return box is not None and box.report is not None and box.report.mode is BoxMode.CHARGING

    async def _leave(self, panel: JuicePanel) -> None:
        """Leave the garage as it was found."""
        panel.box.show_tab(RESCUE)
        self._bench.juice.withdraw(panel.box.case.box_id)
        await self._bench.switch_juicenet(is_on=False)

    async def _until(self, is_true: Callable[[], object]) -> None:
        async with asyncio.timeout(STEP_S):
            while not is_true():  # noqa: ASYNC110 - a person looks again and again, too
                await asyncio.sleep(POLL_S)

    async def _shoot(self, name: str) -> None:
        await asyncio.sleep(2 * SETTLE_S)
        save(self._window, self._folder / f"{name}{self._suffix}.png")
