"""A setting nobody has proved: the page asks before it writes, and a no writes nothing."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton

from app.model.secret import Secret
from app.sim.peblar import PASSWORD, PeblarCharger
from tests.ui.test_unit_page import page_of, until
from ui.dialogs import Question
from ui.models.settings import VALUE, WriteState
from ui.pages.unit import SETTINGS, UnitPage

KEY = "SeccOcppUri"


async def type_address(page: UnitPage, text: str) -> None:
    table = page.settings_table
    row = await until(lambda: next((row for row in table.model.rows if row.setting.key == KEY), None))
    index = table.model.index(table.model.rows.index(row), VALUE)
    table.view.setCurrentIndex(index)
    table.view.edit(index)
    editor = table.view.viewport().findChild(QLineEdit) or table.view.findChild(QLineEdit)
    editor.setText(text)
    QTest.keyClick(editor, Qt.Key.Key_Return)


async def test_an_unproved_setting_is_written_only_after_a_yes(open_bench: Any) -> None:
    async with PeblarCharger(time_scale=0.05) as unit, open_bench() as bench:
        bench.vault.set("charger/127.0.0.1/password", Secret(PASSWORD))
        found = await bench.finder.add(str(unit.address))
        async with page_of(bench, found.unit_id) as page:
            page.tabs.setCurrentIndex(SETTINGS)
            table = page.settings_table
            await until(lambda: table.model.total and table.model.can_write)
            table.search.setText(KEY)
            await type_address(page, "ws://127.0.0.1:9/new/CP-1")
            dialog = await until(lambda: page.window().findChild(Question))
            assert "Nobody has published" in texts(dialog)
            dialog.findChild(QPushButton, "answer-no").click()
            await until(lambda: page.window().findChild(Question) is None or not dialog.isVisible())
            assert unit.patches == []
            await type_address(page, "ws://127.0.0.1:9/new/CP-1")
            again = await until(lambda: next((d for d in page.window().findChildren(Question) if d.isVisible()), None))
            again.findChild(QPushButton, "answer-yes").click()
            await until(lambda: unit.config[KEY] == "ws://127.0.0.1:9/new/CP-1")
            await until(lambda: table.model.rows[0].state is WriteState.PROVED)


def texts(dialog: Question) -> str:
    return "\n".join(label.text() for label in dialog.findChildren(QLabel))
