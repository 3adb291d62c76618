"""The way of a JuiceBox from page to page: garage, bridge form, charge point, and back from Site and Charger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from PySide6.QtWidgets import QPushButton, QWidget

from app.bridge.station import Start
from app.model.bridge import UnitKind
from app.model.unit import Identity, Unit
from app.service.choosing import OURS, Choice
from app.sim.juicebox import JuiceBox
from tests.ui.test_garage_bridge import adopted_box, answer, click, settings, until
from ui.dialogs import Button, Question
from ui.models.plain import shortened
from ui.models.units import model_line, short_title
from ui.pages.garage import GaragePage
from ui.pages.garage_bridge import BridgePanel
from ui.pages.page import Page
from ui.pages.site import SitePage
from ui.pages.unit import UnitPage


@asynccontextmanager
async def shown(page: Page) -> AsyncIterator[Any]:
    """Show a page, and end it."""
    page.resize(1150, 640)
    page.show()
    try:
        yield page
    finally:
        await page.stop()
        page.close()
        page.deleteLater()


async def box_shown(garage: GaragePage, box: JuiceBox) -> Any:
    garage.open(("juice", box.serial))
    panel: Any = garage.panels["juice"]
    await until(lambda: panel.box.case.key == box.serial and panel.box.to_bridge.isVisible())
    return panel


async def test_to_the_bridge_opens_the_form_with_this_box(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, adopted_box(bench) as box, shown(GaragePage(bench)) as garage:
        garage.go.connect(lambda _page, argument: garage.open(argument))
        panel = await box_shown(garage, box)
        click(panel.box.to_bridge)
        bridge = garage.panels["bridge"]
        assert garage.panel is bridge
        assert bridge.stack.currentWidget() is bridge.form
        assert bridge.form.box.currentData() == box.serial


async def test_while_a_box_is_bridged_the_bridge_alone_decides(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, adopted_box(bench) as box, shown(GaragePage(bench)) as garage:
        bench.bridge.choose(
            [
                Choice(
                    kind=UnitKind.BOX, unit=box.serial, identity="S-1", backend=OURS, start=Start.FREE, id_tag="GARAGE"
                )
            ]
        )
        panel = await box_shown(garage, box)
        assert panel.box.pause.isEnabled()
        await bench.bridge.start()
        await until(lambda: panel.box.bridge_chip.text == "Bridged")
        assert not panel.box.pause.isEnabled()
        assert not panel.box.charge.isEnabled()
        assert "bridge decides" in panel.box.pause.toolTip()
        assert panel.box.to_bridge.text() == "Open the bridge"
        async with shown(SitePage(bench)) as site:
            row = await until(lambda: next((one for one in map(site.model.get, site.model.keys) if one.bridged), None))
            led: list[tuple[str, object]] = []
            site.go.connect(lambda *where: led.append(where))
            site.do_next_of(row.key)
            assert led == [("garage", ("bridge", "S-1"))], "a charge point of our own bridge is not rehomed"
        await bench.bridge.stop()
        await until(lambda: panel.box.pause.isEnabled() and not panel.box.bridge_chip.isVisible())


async def test_site_and_charger_lead_to_the_box_in_the_garage(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, adopted_box(bench) as box:
        unit = await until(
            lambda: next((one for one in bench.finder.units.values() if one.identity.serial == box.serial), None)
        )
        async with shown(SitePage(bench)) as site, shown(UnitPage(bench)) as charger:
            led: list[tuple[str, object]] = []
            site.go.connect(lambda *where: led.append(where))
            charger.go.connect(lambda *where: led.append(where))
            await until(lambda: site.model.get(unit.unit_id))
            site.do_next_of(unit.unit_id)
            charger.open(unit.unit_id)
            button = charger.header.next_button
            await until(lambda: button.text() == "Open in the garage" and button.isVisible())
            click(button)
            assert led == [("garage", ("juice", box.serial))] * 2
        async with shown(GaragePage(bench)) as garage:
            garage.open(led[0][1])
            assert garage.panels["juice"].box.case.key == box.serial


async def test_boxes_are_let_go_also_where_nobody_listens(open_bench: Callable[..., Any], monkeypatch: Any) -> None:
    async with open_bench(settings=settings()) as bench:
        async with adopted_box(bench) as box:
            bench.bridge.choose([Choice(kind=UnitKind.BOX, unit=box.serial, identity="S-1")])
            bench.juice.pause(box.serial)
        await bench.juice.stop()
    async with open_bench(settings=settings()) as later, shown(BridgePanel(later)) as page:
        start = later.juice.start
        monkeypatch.setattr(later.juice, "start", lambda: start("127.0.0.1", (0,)))
        assert not later.juice.state.is_listening
        click(page.release)
        assert f"{box.serial} · 24 A" in await answer("release")
        await until(lambda: "next report" in page.fault.text)
        assert later.juice.state.is_listening
        box = JuiceBox("jb2", target=("127.0.0.1", later.juice.state.ports[0]), time_scale=0.02, serial=box.serial)
        async with box:
            await until(lambda: box.commands and box.commands[-1].a == 24)


async def test_no_answer_of_a_question_is_cut(qapp: Any) -> None:
    words = ["Let every box charge freely from now on", "Wait until the session of each has ended", "Cancel"]
    buttons = [Button(key=str(n), text=text, role="primary" if n == 0 else "") for n, text in enumerate(words)]
    parent = QWidget()
    for count in (1, 2, 3):
        asked = Question(parent, "Sure?", "Text.", buttons[:count], icon_name="info", tone="accent")
        asked.show()
        for button in asked.findChildren(QPushButton):
            room = button.width() - 2 * 12
            assert button.fontMetrics().horizontalAdvance(button.text()) <= room, button.text()
        assert asked.width() <= 640
        asked.close()
    parent.deleteLater()


def test_a_name_is_short_and_says_the_maker_once() -> None:
    serial = "0910042001260513476122621631"
    unit = Unit(unit_id="u", identity=Identity(vendor="Enel X / JuiceBox", model="JuiceBox JB201", serial=serial))
    assert model_line(unit) == "JuiceBox JB201"
    assert short_title(unit) == "JuiceBox JB201 0910…21631"
    assert shortened("240AC40BBFFE") == "240AC40BBFFE"
