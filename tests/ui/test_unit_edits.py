"""Settings written by hand, through the real widgets: read back, undone in the table and in the history."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QPushButton

from app.model.edit import Edit, EditState
from app.sim.fault import Fault
from app.sim.openevse import OpenEvseGateway
from tests.ui.test_unit_page import DEAD, shown, until
from ui.dialogs import Question
from ui.models.settings import NOTE, VALUE, WriteState
from ui.pages.unit import HISTORY, SETTINGS, UnitPage
from ui.pages.unit_history import EditCard


async def type_hostname(page: UnitPage, text: str) -> None:
    """Type a new value into the cell of the hostname, as a person would."""
    page.tabs.setCurrentIndex(SETTINGS)
    table = page.settings_table
    await until(lambda: table.model.total and table.model.can_write)
    table.search.setText("hostname")
    row = await until(lambda: next((row for row in table.model.rows if row.setting.key == "hostname"), None))
    index = table.model.index(table.model.rows.index(row), VALUE)
    table.view.setCurrentIndex(index)
    table.view.edit(index)
    editor = table.view.viewport().findChild(QLineEdit) or table.view.findChild(QLineEdit)
    editor.setText(text)
    QTest.keyClick(editor, Qt.Key.Key_Return)


async def answer(page: UnitPage, key: str) -> None:
    dialog = await until(lambda: page.window().findChild(Question))
    dialog.findChild(QPushButton, f"answer-{key}").click()


def cards(page: UnitPage) -> list[EditCard]:
    return [card for card in page.history.findChildren(EditCard) if not card.isHidden()]


async def test_an_edit_is_undone_where_its_result_stands(open_bench: Any) -> None:
    async with OpenEvseGateway(config=DEAD | {"hostname": "before"}, time_scale=0.05) as gateway:  # noqa: SIM117
        async with shown(open_bench, gateway) as page:
            table = page.settings_table
            assert not table.undo_button.isVisible()
            await type_hostname(page, "stall-one")
            await until(lambda: table.model.rows[0].state is WriteState.PROVED)
            assert "Restart it" in table.model.index(0, NOTE).data()
            assert gateway.config["hostname"] == "stall-one"
            await until(table.undo_button.isVisible)
            table.view.scrollTo(table.model.index(0, NOTE))
            cell = table.view.visualRect(table.model.index(0, NOTE)).center()
            QTest.mouseClick(table.view.viewport(), Qt.MouseButton.LeftButton, pos=cell)
            await answer(page, "yes")
            await until(lambda: gateway.config["hostname"] == "before")
            await until(lambda: "Old value is back" in table.model.index(0, NOTE).data())
            assert not table.undo_button.isVisible()


async def test_the_history_lists_edits_and_undoes_them(open_bench: Any) -> None:
    async with OpenEvseGateway(config=DEAD | {"hostname": "before"}, time_scale=0.05) as gateway:  # noqa: SIM117
        async with shown(open_bench, gateway) as page:
            page.bench.desk.create(page.unit_id)
            await type_hostname(page, "stall-one")
            await until(lambda: page.settings_table.model.rows[0].state is WriteState.PROVED)
            page.tabs.setCurrentIndex(HISTORY)
            told = "hostname: before → stall-one. Changed by hand"
            await until(lambda: [card for card in cards(page) if told in card.accessibleName()])
            (card,) = cards(page)
            (button,) = card.findChildren(QPushButton)
            assert "hostname" in button.accessibleName()
            QTest.mouseClick(button, Qt.MouseButton.LeftButton)
            await answer(page, "no")
            await until(lambda: not page.tasks.is_running("undo edit"))
            assert gateway.config["hostname"] == "stall-one"
            (card,) = cards(page)
            QTest.mouseClick(card.findChildren(QPushButton)[0], Qt.MouseButton.LeftButton)
            await until(lambda: page.tasks.is_running("undo edit"))
            await answer(page, "yes")
            await until(lambda: any("Undone" in card.accessibleName() for card in cards(page)))
            assert gateway.config["hostname"] == "before"
            assert cards(page)[0].findChildren(QPushButton) == []


async def test_a_result_is_never_shown_at_another_charger(open_bench: Any, monkeypatch: Any) -> None:
    async with OpenEvseGateway(config=DEAD | {"hostname": "before"}, time_scale=0.05) as gateway:  # noqa: SIM117
        async with shown(open_bench, gateway) as page:
            began, go_on, write = asyncio.Event(), asyncio.Event(), page.bench.edit

            async def slow(*args: Any, **options: Any) -> Any:
                began.set()
                await go_on.wait()
                return await write(*args, **options)

            monkeypatch.setattr(page.bench, "edit", slow)
            await type_hostname(page, "stall-one")
            await began.wait()
            model, before = page.settings_table.model, page.settings_table.model.snapshot
            page.settings.show_unit(replace(page.unit, unit_id="another"))
            model.show_snapshot(before)
            go_on.set()
            await until(lambda: not page.tasks.is_running("write hostname"))
            assert gateway.config["hostname"] == "stall-one"
            assert model.snapshot.get("hostname").value == "before"
            assert all(row.state is WriteState.NONE for row in model.rows)


async def test_an_edit_cut_off_by_a_crash_is_called_unknown_and_has_a_way_back(open_bench: Any) -> None:
    async with OpenEvseGateway(config=DEAD | {"hostname": "half"}, time_scale=0.05) as gateway:  # noqa: SIM117
        async with shown(open_bench, gateway) as page:
            bench = page.bench
            bench.store.edits.add(
                Edit(id="e1", unit_id=page.unit_id, at=bench.now(), key="hostname", before="before", after="half")
            )
            page._show_jobs()
            page.tabs.setCurrentIndex(HISTORY)
            (card,) = await until(lambda: cards(page))
            assert "Not known whether it was written" in card.accessibleName()
            QTest.mouseClick(card.findChildren(QPushButton)[0], Qt.MouseButton.LeftButton)
            await answer(page, "yes")
            await until(lambda: bench.edits(page.unit_id)[0].state is EditState.UNDONE)
            assert gateway.config["hostname"] == "before"


async def test_a_refused_undo_is_told_and_can_be_tried_again(open_bench: Any, problems: Any) -> None:
    problems.expect()
    async with OpenEvseGateway(config=DEAD | {"hostname": "before"}, time_scale=0.05) as gateway:  # noqa: SIM117
        async with shown(open_bench, gateway) as page:
            table = page.settings_table
            await type_hostname(page, "stall-one")
            await until(lambda: table.model.rows[0].state is WriteState.PROVED)
            gateway.faults.add(Fault.REFUSES)
            await until(table.undo_button.isVisible)
            table.undo_button.click()
            await answer(page, "yes")
            await until(lambda: table.model.rows[0].state is WriteState.FAILED)
            assert "Not undone" in table.model.index(0, NOTE).data()
            assert table.model.rows[0].can_undo
            await until(lambda: problems.errors)
