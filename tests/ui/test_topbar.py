"""The bar at the top: a lamp for each way of looking, in an order of its own, with words where there is room."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt

from app.model.frame import SourceHealth, SourceState
from ui.widgets.topbar import BARE_PX, LAMP_PX, TopBar

SOURCES = ("dial-in", "bluetooth", "serial", "broadcast", "mdns")


def bar(qtbot: Any, width: int) -> TopBar:
    found = TopBar()
    qtbot.addWidget(found)
    found.resize(width, 48)
    found.show()
    for name in SOURCES:
        found.show_sources({name: SourceState(source=name, health=SourceHealth.WORKING)})
    return found


def test_every_source_has_a_word_and_its_place_whoever_speaks_first(qtbot: Any) -> None:
    shown = bar(qtbot, BARE_PX + LAMP_PX * len(SOURCES))
    lamps = [button for name in SOURCES if (button := shown.source_button(name)) is not None]
    qtbot.waitUntil(lambda: len({button.x() for button in lamps}) == len(lamps))
    words = [button.text() for button in sorted(lamps, key=lambda button: button.x())]
    assert words == ["Network", "Call", "Serial", "Bluetooth", "Dial-in"]
    stops: list[Any] = [shown.site]
    while stops[-1] is not shown.endpoint:
        stops.append(stops[-1].nextInFocusChain())
    assert [stop.text() for stop in stops if stop in lamps] == words
    assert all(button.toolButtonStyle() is Qt.ToolButtonStyle.ToolButtonTextBesideIcon for button in lamps)


def test_lamps_keep_their_names_where_their_words_have_no_room(qtbot: Any) -> None:
    shown = bar(qtbot, 1024)
    lamp = shown.source_button("bluetooth")
    assert lamp is not None
    assert lamp.toolButtonStyle() is Qt.ToolButtonStyle.ToolButtonIconOnly
    assert lamp.accessibleName() == "Bluetooth search: Working"


def test_a_long_name_of_a_site_is_told_whole(qtbot: Any) -> None:
    shown = bar(qtbot, 1280)
    shown.show_site("Parking garage Hauptbahnhof Nord, deck 3")
    assert "Parking garage Hauptbahnhof Nord, deck 3" in shown.site.toolTip()
    assert shown.site.width() > 160
