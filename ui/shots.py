"""Pictures of the window, made by the program itself: every page in both looks."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QSize
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QWidget

from ui import icons
from ui.pages.catalogue import RAIL
from ui.theme import theme
from ui.window import MainWindow

if TYPE_CHECKING:
    from app.workbench import Workbench

log = logging.getLogger(__name__)

SIZE = QSize(1280, 720)
SETTLE_S = 0.4
"""A page's bridges tick every 100 ms; after four ticks it shows what there is."""

LOOKS = ("light", "dark")


async def take_shots(bench: Workbench, window: MainWindow, folder: Path) -> None:
    """Write ``<page>-<look>.png`` for every page, and the first also at 200 % (``<page>-<look>-200.png``).

    In the demo one whole job is done first, in the light look, with a picture of each of its steps; then how chargers
    are found, judged and typed into, the endpoint, and the garage's network services, screen by screen.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    window.resize(SIZE)
    theme().choose("light")
    unit_id = ""
    if bench.is_demo:
        from ui.endpointtour import EndpointTour
        from ui.garagetour import GarageTour
        from ui.jobtour import JobTour
        from ui.juicetour import JuiceTour
        from ui.sitetour import SiteTour

        job = await JobTour(bench, window, folder, suffix="-light", keeps_report=False).run()
        unit_id = job.unit_id
        await SiteTour(bench, window, folder, suffix="-light").run()
        await EndpointTour(bench, window, folder, suffix="-light").run()
        await GarageTour(bench, window, folder, suffix="-light").run()
        await JuiceTour(bench, window, folder, suffix="-light").run()
    for look in LOOKS:
        theme().choose(look)  # type: ignore[arg-type]  # LOOKS are choices
        for entry in RAIL:
            await _shoot_page(window, folder, entry.page_id, None, look)
        if unit_id:
            await _shoot_page(window, folder, "unit", unit_id, look)


async def _shoot_page(window: MainWindow, folder: Path, page_id: str, argument: object, look: str) -> None:
    window.go(page_id, argument)
    await asyncio.sleep(SETTLE_S)
    save(window, folder / f"{page_id}-{look}.png")
    if page_id == RAIL[0].page_id:
        icons.redress(scale=2)
        save(window, folder / f"{page_id}-{look}-200.png", scale=2)
        icons.redress()


def save(widget: QWidget, path: Path, *, scale: float = 1.0) -> None:
    """Write a picture of a widget as it is painted at a screen scale."""
    picture = QImage(widget.size() * scale, QImage.Format.Format_RGB32)
    picture.setDevicePixelRatio(scale)
    painter = QPainter(picture)
    widget.render(painter, QPoint())
    painter.end()
    if not picture.save(str(path)):
        log.error("the picture %s can't be written", path)
