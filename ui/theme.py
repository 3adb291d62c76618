"""Look: colour, spacing and font tokens for light and dark, one palette and one style sheet made from them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from string import Template
from typing import Literal

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from app import resources

Choice = Literal["system", "light", "dark"]

SPACE_4, SPACE_8, SPACE_12, SPACE_16, SPACE_24 = 4, 8, 12, 16, 24
RADIUS = 6
TARGET = 32
"""Least height of anything clickable, in pixels."""
TARGET_LARGE = 44
"""The same in the wizard: gloves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """One look. Colours are ``#rrggbb``; each meaning colour has a soft background of its own (``*_soft``)."""

    name: str
    is_dark: bool
    surface: str
    surface2: str
    panel: str
    border: str
    border_strong: str
    hover: str
    text: str
    text2: str
    accent: str
    accent_hover: str
    accent_text: str
    accent_soft: str
    good: str
    good_soft: str
    attention: str
    attention_soft: str
    fault: str
    fault_soft: str
    working: str
    working_soft: str
    idle: str
    idle_soft: str
    space4: int = SPACE_4
    space8: int = SPACE_8
    space12: int = SPACE_12
    space16: int = SPACE_16
    space24: int = SPACE_24
    radius: int = RADIUS
    target: int = TARGET
    target_large: int = TARGET_LARGE

    def color(self, tone: str) -> QColor:
        """Return the colour of a token by name, such as ``good`` or ``text2``."""
        return QColor(str(getattr(self, tone)))


LIGHT = Tokens(
    name="light",
    is_dark=False,
    surface="#f3f5f7",
    surface2="#e9edf1",
    panel="#ffffff",
    border="#d3dae1",
    border_strong="#8b97a5",
    hover="#e1e7ed",
    text="#18202a",
    text2="#515d6b",
    accent="#0b6b83",
    accent_hover="#095a6f",
    accent_text="#ffffff",
    accent_soft="#dceef3",
    good="#17713b",
    good_soft="#ddf2e3",
    attention="#8a5700",
    attention_soft="#fcefcf",
    fault="#b3261e",
    fault_soft="#fbe3e1",
    working="#1f5fbf",
    working_soft="#e0ebfb",
    idle="#5a6572",
    idle_soft="#e8ecf0",
)

DARK = Tokens(
    name="dark",
    is_dark=True,
    surface="#14181d",
    surface2="#191e24",
    panel="#1f252c",
    border="#343d47",
    border_strong="#6d7a88",
    hover="#2a323b",
    text="#e7ebf0",
    text2="#a3afbc",
    accent="#4fc0d9",
    accent_hover="#74d0e4",
    accent_text="#06252d",
    accent_soft="#163d47",
    good="#63cf8f",
    good_soft="#173a27",
    attention="#eab54e",
    attention_soft="#40320f",
    fault="#ff8a80",
    fault_soft="#4a201e",
    working="#86b1ff",
    working_soft="#1c3257",
    idle="#9aa6b3",
    idle_soft="#2b333c",
)


class Theme(QObject):
    """The look in force. Follows the system unless told otherwise; ``changed`` comes after everything is restyled."""

    changed = Signal()

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self._app = app
        self._choice: Choice = "system"
        self.tokens = LIGHT
        self._is_applied = False
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._follow)

    @property
    def choice(self) -> Choice:
        """Return what was asked for: follow the system, or always light or dark."""
        return self._choice

    @property
    def mono_family(self) -> str:
        """Name the system's fixed-width font family."""
        return QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()

    def mono(self) -> QFont:
        """Return the font of URLs, keys and frames."""
        font = QFont(self._app.font())
        font.setFamilies([self.mono_family, "monospace"])
        font.setStyleHint(QFont.StyleHint.Monospace)
        return font

    def choose(self, choice: Choice) -> None:
        """Follow the system, or force one look."""
        self._choice = choice
        self._follow()

    def _follow(self) -> None:
        is_dark = self._choice == "dark" or (self._choice == "system" and _system_is_dark())
        tokens = DARK if is_dark else LIGHT
        if self._is_applied and tokens is self.tokens:
            return
        self.tokens = tokens
        self._is_applied = True
        self._app.setPalette(palette(tokens))
        self._app.setStyleSheet(style_sheet(tokens, self.mono_family))
        self.changed.emit()


def _system_is_dark() -> bool:
    return QGuiApplication.styleHints().colorScheme() is Qt.ColorScheme.Dark


def theme() -> Theme:
    """Return the application's theme; it is made with the first call and lives as long as the application."""
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        raise RuntimeError("there is no QApplication yet")
    found = app.findChild(Theme, options=Qt.FindChildOption.FindDirectChildrenOnly)
    if found is None:
        app.setStyle("Fusion")
        found = Theme(app)
        found.choose("system")
    return found


def tokens() -> Tokens:
    """Return the tokens in force."""
    return theme().tokens


def palette(look: Tokens) -> QPalette:
    """Return the palette of a look, for everything the style sheet does not reach."""
    result = QPalette()
    role = QPalette.ColorRole
    colours = {
        role.Window: look.surface,
        role.WindowText: look.text,
        role.Base: look.panel,
        role.AlternateBase: look.surface,
        role.Text: look.text,
        role.Button: look.panel,
        role.ButtonText: look.text,
        role.BrightText: look.fault,
        role.Highlight: look.accent,
        role.HighlightedText: look.accent_text,
        role.Link: look.accent,
        role.LinkVisited: look.accent,
        role.ToolTipBase: look.panel,
        role.ToolTipText: look.text,
        role.PlaceholderText: look.text2,
        role.Mid: look.border,
        role.Accent: look.accent,
    }
    for which, colour in colours.items():
        result.setColor(which, QColor(colour))
    for which in (role.WindowText, role.Text, role.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, which, QColor(look.border_strong))
    return result


def style_sheet(look: Tokens, mono_family: str) -> str:
    """Fill the style sheet template with the tokens of a look."""
    values = {field.name: str(getattr(look, field.name)) for field in fields(look)}
    text = resources.path("styles", "rehome.qss").read_text(encoding="utf-8")
    icons = resources.path("styles").as_posix()
    return Template(text).substitute(values, mono=mono_family, images=icons)


def set_role(widget: QWidget, role: str, **properties: str | bool) -> None:
    """Give a widget its look by name (see ``resources/styles/rehome.qss``) and further style properties."""
    set_look(widget, role=role, **properties)


def set_look(widget: QWidget, **properties: str | bool) -> None:
    """Set style properties (``role``, ``tone``, ``size``, …) and restyle the widget if any changed.

    ``size="large"`` is for gloves; it is kept as ``reach``, since ``size`` is a property of every QWidget.
    """
    is_changed = False
    for given, value in properties.items():
        name = "reach" if given == "size" else given
        if widget.property(name) != value:
            widget.setProperty(name, value)
            is_changed = True
    if is_changed and widget.testAttribute(Qt.WidgetAttribute.WA_WState_Polished):
        widget.style().unpolish(widget)
        widget.style().polish(widget)
        QApplication.sendEvent(widget, QEvent(QEvent.Type.StyleChange))
        widget.update()
