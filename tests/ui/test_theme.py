"""The look: contrast that can be read, both looks complete, icons tinted and sharp."""

from __future__ import annotations

import re
from string import Template
from typing import Any

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QLabel, QPushButton

from app import resources
from ui import icons
from ui.pages.catalogue import PAGES
from ui.theme import DARK, LIGHT, TARGET, Tokens, set_look, style_sheet, theme

LOOKS = [LIGHT, DARK]
MEANINGS = ["good", "attention", "fault", "working", "idle", "accent"]


def luminance(colour: str) -> float:
    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    parts = QColor(colour)
    return 0.2126 * linear(parts.redF()) + 0.7152 * linear(parts.greenF()) + 0.0722 * linear(parts.blueF())


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
@pytest.mark.parametrize("ground", ["surface", "surface2", "panel"])
def test_text_can_be_read_everywhere(look: Tokens, ground: str) -> None:
    """WCAG 2.1, 1.4.3: 4.5 to 1."""
    for ink in ("text", "text2", "accent", *MEANINGS):
        assert contrast(getattr(look, ink), getattr(look, ground)) >= 4.5, (ink, ground)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
@pytest.mark.parametrize("meaning", MEANINGS)
def test_chips_and_banners_can_be_read(look: Tokens, meaning: str) -> None:
    soft = getattr(look, f"{meaning}_soft")
    assert contrast(getattr(look, meaning), soft) >= 4.5
    assert contrast(look.text, soft) >= 7


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_controls_and_focus_stand_out(look: Tokens) -> None:
    """WCAG 2.1, 1.4.11: 3 to 1 for the outline of controls and the focus ring."""
    assert contrast(look.border_strong, look.panel) >= 2.9
    assert contrast(look.accent, look.surface) >= 3
    assert contrast(look.accent_text, look.accent) >= 4.5


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_style_sheet_is_filled(look: Tokens) -> None:
    text = style_sheet(look, "DejaVu Sans Mono")
    assert "$" not in text
    for path in re.findall(r'url\("([^"]+)"\)', text):
        assert resources.path("styles").joinpath(path.rpartition("/")[2]).exists()
    names = set(Template(resources.path("styles", "rehome.qss").read_text()).get_identifiers())
    assert names <= {*Tokens.__slots__, "mono", "images"}


def test_forced_look_reaches_the_application(qapp: QApplication) -> None:
    heard: list[str] = []
    theme().changed.connect(lambda: heard.append(theme().tokens.name))
    theme().choose("dark")
    assert qapp.palette().window().color().name() == DARK.surface
    theme().choose("dark")
    theme().choose("light")
    assert qapp.palette().window().color().name() == LIGHT.surface
    assert heard == ["dark", "light"]


def test_system_look_is_followed(monkeypatch: pytest.MonkeyPatch, qapp: QApplication) -> None:
    theme().choose("system")
    monkeypatch.setattr("ui.theme._system_is_dark", lambda: True)
    QGuiApplication.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Dark)
    assert theme().tokens is DARK
    monkeypatch.setattr("ui.theme._system_is_dark", lambda: False)
    QGuiApplication.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Light)
    assert theme().tokens is LIGHT


def test_restyling_happens_when_a_property_changes(qapp: QApplication) -> None:
    label = QLabel("x")
    label.show()
    set_look(label, tone="fault")
    assert label.palette().windowText().color().name() == LIGHT.fault
    set_look(label, tone="good")
    assert label.palette().windowText().color().name() == LIGHT.good


def ink(image: QImage) -> set[str]:
    colours = set()
    for x in range(image.width()):
        for y in range(image.height()):
            pixel = image.pixelColor(x, y)
            if pixel.alpha() == 255:
                colours.add(pixel.name())
    return colours


def test_every_icon_can_be_drawn(qapp: QApplication) -> None:
    assert len(icons.names()) > 50
    for name in icons.names():
        assert not icons.pixmap(name, 16).isNull()
        assert ink(icons.pixmap(name, 24, "text").toImage()), name


def test_icons_of_pages_exist() -> None:
    assert {entry.icon_name for entry in PAGES} <= icons.names()


def test_icons_take_the_new_colour_when_the_look_changes(qapp: QApplication) -> None:
    button = QPushButton("x")
    label = QLabel()
    icons.dress(button, "circle", "fault", 16)
    icons.dress(label, "circle", "good", 16)
    theme().choose("dark")
    assert DARK.fault in ink(button.icon().pixmap(22, 16).toImage())
    assert DARK.good in ink(label.pixmap().toImage())


def test_icons_are_sharp_at_200_percent(qapp: QApplication) -> None:
    picture = icons.pixmap("circle", 16, scale=2)
    assert (picture.width(), picture.devicePixelRatio()) == (32, 2)
    assert icons.icon("circle").pixmap(QSize(16, 16), 2.0).width() == 32


def test_buttons_are_large_enough_to_hit(qapp: Any) -> None:
    for size, least in (("", TARGET), ("large", 44)):
        button = QPushButton("Go")
        set_look(button, size=size)
        button.ensurePolished()
        assert button.sizeHint().height() >= least
