"""Scripts that drive the real window the way a technician would, and end the program."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from ui.main import Options
from ui.pages.catalogue import RAIL
from ui.pages.garage import TABS, GaragePage
from ui.shots import take_shots
from ui.window import MainWindow

if TYPE_CHECKING:
    from app.workbench import Workbench

TURN_S = 0.1
"""Time a page gets to show itself in the smoke run."""


async def drive(options: Options, bench: Workbench, window: MainWindow) -> None:
    """Run what the command line asked for; the program ends after it."""
    if options.is_smoke:
        await open_everything(window)
    if options.shots:
        await take_shots(bench, window, Path(options.shots))
    if options.tour:
        from ui.jobtour import whole_job

        await whole_job(bench, window, Path(options.tour))


async def open_everything(window: MainWindow) -> None:
    """Show every page once, and every tab of the garage."""
    places: list[tuple[str, object]] = [(entry.page_id, None) for entry in RAIL]
    for page_id, argument in [*places, *((GaragePage.page_id, tab.key) for tab in TABS)]:
        window.go(page_id, argument)
        await asyncio.sleep(TURN_S)
