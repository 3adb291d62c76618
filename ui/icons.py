"""Icons: line drawings from resources/icons, tinted by the theme and sharp at any scale."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QToolButton, QWidget

from app import resources
from ui.theme import Tokens, theme

SIZES = (16, 20, 24, 32, 40, 48)
"""Physical pixels an icon is drawn at: 16, 20 and 24 at 100 % and at 200 %."""

WIDE = 1.4
"""Width of an icon that stands before a text: the rest is the gap."""


def icon(name: str, tone: str = "text") -> QIcon:
    """Return an icon in the colour of a token. Cached; ask again (or use ``dress``) when the theme changes."""
    return _icon(name, tone, theme().tokens)


def pixmap(name: str, size: int = 16, tone: str = "text", *, scale: float = 0.0) -> QPixmap:
    """Return an icon as a picture of ``size`` logical pixels at ``scale`` (0 = the screen's own)."""
    app = QApplication.instance()
    ratio = scale or (app.devicePixelRatio() if isinstance(app, QApplication) else 1.0)
    return _pixmap(name, size, tone, theme().tokens, ratio)


def dress(target: QAbstractButton | QLabel | QAction, name: str, tone: str = "text", size: int = 16) -> None:
    """Give a button, label or action an icon that is tinted anew when the theme changes."""
    _follow_theme()
    target.setProperty("icon_name", name)
    target.setProperty("icon_tone", tone)
    target.setProperty("icon_size", size)
    _apply(target)


def redress(scale: float = 0.0) -> None:
    """Tint every dressed widget and action anew, for a screen of that scale (0 = the real one)."""
    for widget in QApplication.allWidgets():
        if isinstance(widget, QAbstractButton | QLabel) and widget.property("icon_name"):
            _apply(widget, scale)
    for window in QApplication.topLevelWidgets():
        for action in window.findChildren(QAction):
            if action.property("icon_name"):
                _apply(action, scale)


def _follow_theme() -> None:
    look = theme()
    if not look.property("redresses"):
        look.setProperty("redresses", True)
        look.changed.connect(_changed)


def _changed() -> None:
    redress()


def names() -> frozenset[str]:
    """Return the names of all icons there are."""
    return frozenset(file.stem for file in resources.path("icons").glob("*.svg"))


def _apply(target: QWidget | QAction, scale: float = 0.0) -> None:
    name, tone, size = target.property("icon_name"), target.property("icon_tone"), target.property("icon_size")
    if isinstance(target, QLabel):
        target.setPixmap(pixmap(name, size, tone, scale=scale))
    elif isinstance(target, QAbstractButton):
        is_wide = _stands_before_text(target)
        target.setIconSize(QSize(round(size * WIDE) if is_wide else size, size))
        target.setIcon(_icon(name, tone, theme().tokens, (size, 2 * size), is_wide))
    elif isinstance(target, QAction):
        target.setIcon(icon(name, tone))


def _stands_before_text(button: QAbstractButton) -> bool:
    if isinstance(button, QToolButton):
        return button.toolButtonStyle() is Qt.ToolButtonStyle.ToolButtonTextBesideIcon
    return bool(button.text())


@cache
def _source(name: str) -> str:
    return resources.path("icons", f"{name}.svg").read_text(encoding="utf-8")


@cache
def _icon(name: str, tone: str, look: Tokens, sizes: tuple[int, ...] = SIZES, is_wide: bool = False) -> QIcon:
    result = QIcon()
    for size in sizes:
        result.addPixmap(_pixmap(name, size, tone, look, 1.0, is_wide))
        result.addPixmap(_pixmap(name, size, "border_strong", look, 1.0, is_wide), QIcon.Mode.Disabled)
    return result


@cache
def _pixmap(name: str, size: int, tone: str, look: Tokens, ratio: float, is_wide: bool = False) -> QPixmap:
    edge = round(size * ratio)
    picture = QPixmap(round(edge * WIDE) if is_wide else edge, edge)
    picture.fill(Qt.GlobalColor.transparent)
    colour = look.color(tone).name()
    drawing = QSvgRenderer(QByteArray(_source(name).replace("currentColor", colour).encode()))
    painter = QPainter(picture)
    drawing.render(painter, QRectF(edge * 0.1 if is_wide else 0, 0, edge, edge))
    painter.end()
    picture.setDevicePixelRatio(ratio)
    return picture
