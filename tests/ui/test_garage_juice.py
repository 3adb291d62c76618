"""The tab “JuiceBoxes” through its real widgets: real datagrams of simulated boxes, a real console, real DNS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QToolButton,
    QWidget,
)

from app.juicenet.rescue import StepState
from app.model.garage import Stand
from app.model.unit import Sighting, SourceKind, Way
from app.sim.juicebox import ENEL, JuiceBox
from app.sim.juicebox_console import JuiceBoxTelnet
from app.sim.juicebox_names import resolved
from tests.ui.test_endpoint_page import until
from ui.models.juice import UNLISTED
from ui.pages.garage_juice import JuicePanel
from ui.pages.garage_juice_box import DETAILS, LIMIT, READINGS

PACE = 0.01
HOST = "127.0.0.1"


@asynccontextmanager
async def opened(bench: Any, *boxes: JuiceBox) -> AsyncIterator[JuicePanel]:
    """Show the panel, listen on a free port, and lead the boxes there."""
    panel = JuicePanel(bench)
    panel.resize(1160, 600)
    panel.show()
    async with AsyncExitStack() as stack:
        if boxes:
            state = await bench.juice.start(HOST, (0,))
            for box in boxes:
                await stack.enter_async_context(box)
                await box.lead((HOST, state.ports[0]))
            await until(lambda: all(reports(panel, box) for box in boxes))
        try:
            yield panel
        finally:
            await panel.stop()
            panel.close()
            panel.deleteLater()


def reports(panel: JuicePanel, box: JuiceBox) -> bool:
    case = next((case for case in panel.list.cases if case.key == box.serial), None)
    return case is not None and case.box is not None and (case.box.report is not None or case.box.is_encrypted)


def click(widget: QWidget) -> None:
    assert widget.isEnabled()
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def step(panel: JuicePanel, step_id: str) -> StepState:
    return next(item.state for item in panel.box.rescue.steps if item.id == step_id)


async def agree(panel: JuicePanel, amps: str, *ticks: QCheckBox) -> None:
    """Enter a limit as a person does."""
    form = panel.box.limit
    panel.box.tabs.setCurrentIndex(LIMIT)
    form.circuit.selectAll()
    QTest.keyClicks(form.circuit, amps)
    for tick in ticks:
        tick.setChecked(True)
    click(form.apply)
    await until(lambda: panel.box.case.adoption is not None)


async def test_off_says_what_it_is_for_and_starts(bench: Any) -> None:
    async with opened(bench) as panel:
        assert panel.empty.isVisible()
        assert "nothing is sent" in panel.empty.accessibleDescription().lower()
        assert "8042" in panel.empty.accessibleDescription()
        panel.empty.acted.emit()
        await until(lambda: bench.juice.state.is_listening)
        await until(panel.peer.stop_button.isVisible)
        assert bench.settings.juicenet_on
        assert panel.box.case.key == UNLISTED
        assert "Which box is it?" in panel.box.rescue.next.title.text()
        click(panel.peer.stop_button)
        await until(panel.empty.isVisible)
        assert not bench.settings.juicenet_on


async def test_a_taken_port_is_told(bench: Any) -> None:
    holder, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=(HOST, 0)
    )
    port = holder.get_extra_info("sockname")[1]
    try:
        async with opened(bench) as panel:
            await bench.juice.start(HOST, (0, port))
            await until(panel.peer.trouble.isVisible)
            assert str(port) in panel.peer.trouble.text()
    finally:
        holder.close()


async def test_a_locked_box_is_revived_only_after_its_own_tick(bench: Any) -> None:
    box = JuiceBox("jb2", offline_a=0, time_scale=PACE)
    async with opened(bench, box) as panel:
        box.plug_in()
        await until(lambda: "Locked at 0 A" in panel.list.model.data(panel.list.model.index(0, 0)))
        assert panel.box.case.key == box.serial
        await until(lambda: step(panel, "limit") is StepState.NOW)
        click(panel.box.rescue.next.button)
        form = panel.box.limit
        assert panel.box.tabs.currentIndex() == LIMIT
        QTest.keyClicks(form.circuit, "32")
        assert "At most 32 A" in form.headline.text()
        assert "Rating 40 A" in form.bounds.text()
        assert "EEPROM" in form.then.text()
        assert not form.apply.isEnabled()
        assert not box.commands
        form.revive.setChecked(True)
        click(form.apply)
        await until(lambda: step(panel, "charges") is StepState.DONE)
        assert {(order.a, order.m) for order in box.commands} == {(32, 32)}
        assert panel.box.case.adoption is not None
        assert panel.box.case.adoption.is_revived
        assert not form.apply.isEnabled()


async def test_nothing_above_the_rating_can_be_agreed_to(bench: Any) -> None:
    box = JuiceBox("jb2", rating_a=40, offline_a=40, time_scale=PACE)
    async with opened(bench, box) as panel:
        form = panel.box.limit
        panel.box.tabs.setCurrentIndex(LIMIT)
        for typed, words in (("48", "rating of 40 A"), ("5", "from 6 to 80")):
            form.circuit.clear()
            QTest.keyClicks(form.circuit, typed)
            assert words in form.problem.text()
            assert not form.apply.isEnabled()
        assert not box.commands


async def test_a_known_limit_is_set_aside_only_by_its_own_tick(bench: Any) -> None:
    box = JuiceBox("jb2", rating_a=40, offline_a=24, time_scale=PACE)
    async with opened(bench, box) as panel:
        form = panel.box.limit
        panel.box.tabs.setCurrentIndex(LIMIT)
        QTest.keyClicks(form.circuit, "40")
        assert "At most 24 A" in form.headline.text()
        assert form.lift.isVisible()
        form.lift.setChecked(True)
        assert "At most 40 A" in form.headline.text()
        assert "set aside by you" in form.bounds.text()
        click(form.apply)
        await until(lambda: box.commands)
        assert box.commands[-1].a == 40


async def test_pause_charge_a_current_and_no_more_word(bench: Any) -> None:
    box = JuiceBox("jb2", time_scale=PACE)
    async with opened(bench, box) as panel:
        box.plug_in()
        await agree(panel, "32")
        await until(lambda: box.commands and box.commands[-1].a == 32)
        click(panel.box.pause)
        await until(lambda: box.commands[-1].a == 0)
        await until(lambda: "we send 0 A" in panel.list.model.data(panel.list.model.index(0, 0)))
        form = panel.box.limit
        form.amps.setValue(16)
        click(form.allow)
        await until(lambda: "16 A follow at" in form.told.text())
        click(panel.box.pause)
        click(form.withdraw)
        dialog = await until(lambda: panel.findChild(QDialog))
        assert "charges nobody" in dialog.accessibleDescription()
        click(dialog.findChild(QPushButton, "answer-stop"))
        await until(lambda: panel.box.case.adoption is None)
        assert not bench.juice.adopted
        assert not form.circuit.text()
        assert not panel.box.pause.isVisible()


async def test_a_new_limit_does_not_start_a_paused_box(bench: Any) -> None:
    box = JuiceBox("jb2", time_scale=PACE)
    async with opened(bench, box) as panel:
        box.plug_in()
        await agree(panel, "32")
        await until(lambda: box.commands)
        click(panel.box.pause)
        await until(lambda: box.commands[-1].a == 0)
        await agree(panel, "40")
        await until(lambda: panel.box.case.adoption and panel.box.case.adoption.circuit_a == 40)
        state = bench.juice.box_state(box.serial)
        assert (state.allowed_a, state.wanted_a) == (0, None)


async def test_an_encrypted_box_is_explained_with_its_way_out(bench: Any) -> None:
    box = JuiceBox("jb2", time_scale=PACE)
    async with opened(bench, box) as panel:
        box.is_sealed = True
        await until(lambda: step(panel, "heard") is StepState.PROBLEM)
        assert "directory" in panel.box.rescue.next.text.text()
        assert panel.box.state.text == "Encrypted"
        panel.box.tabs.setCurrentIndex(LIMIT)
        assert "encrypted" in panel.box.limit.none.text()
        assert not panel.box.limit.enter.isVisible()


async def test_readings_and_details_follow_the_box(bench: Any) -> None:
    box = JuiceBox("jb2", time_scale=PACE)
    async with opened(bench, box) as panel:
        box.plug_in()
        panel.box.tabs.setCurrentIndex(READINGS)
        await until(lambda: panel.box.live.plots is not None and "Power" in panel.box.live.quantities)
        panel.box.tabs.setCurrentIndex(DETAILS)
        texts = " ".join(label.text() for label in panel.box.facts.told.findChildren(QWidget) if hasattr(label, "text"))
        assert "40 A" in texts
        assert "240" in texts


async def test_who_asks_for_its_names_is_listed_before_it_is_heard(bench: Any) -> None:
    async with opened(bench) as panel:
        await bench.juice.start(HOST, (0,))
        bench.garage.choose(("juicebox-enel-us",))
        state = await bench.garage.start(Stand.DNS, host=HOST, port=0)
        await resolved("jbv1.emotorwerks.com", (HOST, state.port), timeout_s=5)
        await until(lambda: any(case.key == f"ip:{HOST}" for case in panel.list.cases))
        panel.list.choose(f"ip:{HOST}")
        await until(lambda: panel.box.case.host == HOST)
        assert step(panel, "identify") is StepState.DONE
        assert step(panel, "cycle") is StepState.DONE
        assert step(panel, "heard") is StepState.WAITING


async def test_its_console_tells_where_it_sends(bench: Any) -> None:
    unit = JuiceBoxTelnet(JuiceBox("jb2", dials=ENEL, target=(HOST, 9), time_scale=PACE))
    async with opened(bench) as panel, unit:
        await bench.juice.start(HOST, (0,))
        bench.finder.sighted(Sighting(source=SourceKind.MANUAL, address=unit.address, at=bench.now()))
        await until(lambda: any(way.driver_id == "juicebox-console" for way in ways(bench)))
        state = bench.juice.state
        await unit.box.lead((HOST, state.ports[0]))
        await until(lambda: panel.box.case.key == unit.box.serial and panel.box.case.console_id)
        panel.box.tabs.setCurrentIndex(DETAILS)
        facts = panel.box.facts
        click(facts.ask)
        await until(lambda: panel.said_of(panel.box.case).console is not None)
        assert not facts.trouble.isVisible(), facts.trouble.text()
        seen = panel.said_of(panel.box.case).console
        assert seen is not None
        assert (seen.box_id, seen.dials) == (unit.box.serial, f"{HOST}:{state.ports[0]}")
        texts = [label.text() for label in facts.findChildren(QLabel)]
        assert any(seen.dials in text for text in texts)
        assert not unit.box.commands


def ways(bench: Any) -> list[Way]:
    return [way for unit in bench.finder.units.values() for way in unit.ways]


async def test_a_console_that_is_not_there_is_told_in_words(bench: Any) -> None:
    async with opened(bench) as panel:
        await bench.juice.start(HOST, (0,))
        await until(lambda: panel.box.case.key == UNLISTED and panel.box.isVisible())
        panel.box.tabs.setCurrentIndex(DETAILS)
        panel.box.facts.address.setText(f"{HOST}:9")
        click(panel.box.facts.ask)
        await until(panel.box.facts.trouble.isVisible)
        assert "does not answer" in panel.box.rescue.steps[0].seen


async def test_a_family_without_a_way_back_is_said_so(bench: Any) -> None:
    async with opened(bench) as panel:
        await bench.juice.start(HOST, (0,))
        await until(lambda: panel.box.case.key == UNLISTED and panel.box.isVisible())
        family = panel.box.rescue.family
        family.setCurrentIndex(family.findData("juicebox-cellular"))
        family.activated.emit(family.currentIndex())
        await until(lambda: step(panel, "identify") is StepState.NOT_POSSIBLE)
        assert "SIM contract" in panel.box.rescue.next.seen.text()
        click(panel.honest_button)
        assert panel.honest.isVisible()
        assert len(panel.honest.cards) == 5
        click(panel.honest.back)
        assert panel.box.isVisible()


async def test_it_leads_to_the_bridge_and_to_the_charger(bench: Any) -> None:
    box = JuiceBox("jb2", time_scale=PACE)
    async with opened(bench, box) as panel:
        led: list[tuple[str, object]] = []
        panel.go.connect(lambda page, argument: led.append((page, argument)))
        await agree(panel, "32")
        await until(panel.box.to_bridge.isVisible)
        click(panel.box.to_bridge)
        assert led == [("garage", ("bridge", box.serial))]
        await until(panel.box.to_unit.isVisible)
        click(panel.box.to_unit)
        unit = bench.finder.units[led[-1][1]]
        assert unit.identity.serial == box.serial


async def test_open_chooses_a_box_and_search_narrows_the_list(bench: Any) -> None:
    boxes = [JuiceBox("jb2", time_scale=PACE) for _ in range(6)]
    async with opened(bench, *boxes) as panel:
        panel.open(boxes[4].serial)
        assert panel.box.case.key == boxes[4].serial
        assert panel.focus_search()
        panel.list.search.setText(boxes[2].serial[-6:])
        assert [case.key for case in panel.list.model.items] == [boxes[2].serial]


async def test_every_control_has_a_name_and_takes_the_keyboard(bench: Any) -> None:
    box = JuiceBox("jb2", offline_a=0, time_scale=PACE)
    async with opened(bench, box) as panel:
        for tab in range(panel.box.tabs.count()):
            panel.box.tabs.setCurrentIndex(tab)
            await asyncio.sleep(0)
            for kind in (QPushButton, QToolButton, QLineEdit, QComboBox, QCheckBox, QSpinBox):
                for widget in panel.findChildren(kind):
                    if not widget.isVisible() or widget.objectName().startswith("qt_"):
                        continue
                    named = widget.accessibleName() or (widget.text() if hasattr(widget, "text") else "")
                    assert named, (tab, widget)
                    assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus or isinstance(widget, QToolButton), named
