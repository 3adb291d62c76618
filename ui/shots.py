"""Pictures of the window, made by the program itself: every page in both looks."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from PySide6.QtCore import QPoint, QSize
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QWidget

from ui import icons
from ui.pages.catalogue import RAIL
from ui.theme import theme
from ui.window import MainWindow

log = logging.getLogger(__name__)

SIZE = QSize(1280, 720)
SETTLE_S = 0.4
"""A page's bridges tick every 100 ms; after four ticks it shows what there is."""

LOOKS = ("light", "dark")


async def open_everything(window: MainWindow) -> None:
    """Show every page once."""
    for entry in RAIL:
        window.go(entry.page_id)
        await asyncio.sleep(SETTLE_S / 4)


async def take_shots(window: MainWindow, folder: Path) -> None:
    """Write ``<page>-<look>.png`` for every page on the rail, and the first at 200 % as ``<page>-<look>-200.png``."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    window.resize(SIZE)
    for look in LOOKS:
        theme().choose(look)  # type: ignore[arg-type]  # LOOKS are choices
        for entry in RAIL:
            window.go(entry.page_id)
            await asyncio.sleep(SETTLE_S)
            save(window, folder / f"{entry.page_id}-{look}.png")
            if entry is RAIL[0]:
                icons.redress(scale=2)
                save(window, folder / f"{entry.page_id}-{look}-200.png", scale=2)
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
