"""The tab “Other backends”: verdicts, the bytes marked, and cards that say how to be sure."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget

from app.diagnosis.naming import found
from app.model.experiment import PING_RHYTHM
from app.model.finding import Finding, Severity
from app.model.query import TrafficQuery
from tests.ui.test_endpoint_page import charger, opened, until
from ui.pages.endpoint_others import OthersPanel
from ui.widgets.findings import FindingCard


@asynccontextmanager
async def booted(bench: Any, **fields: str) -> AsyncIterator[Any]:
    """Connect a charger that boots and then only listens; yields our side of it."""
    url = f"ws://127.0.0.1:{bench.server.state.port}/CP-1"
    boot = {"chargePointVendor": "Acme", "chargePointModel": "Wall 1", **fields}
    async with websockets.connect(url, subprotocols=["ocpp1.6"], compression=None) as link:
        await link.send(json.dumps([2, "b", "BootNotification", boot]))
        await link.recv()
        query = TrafficQuery(action="BootNotification")
        await until(lambda: bench.store.traffic.scan(query, limit=1).frames)
        yield bench.server.endpoint("CP-1")


async def test_a_healthy_charger_is_taken_by_every_backend(bench: Any) -> None:
    async with opened(bench) as page, booted(bench):
        page.show_charger("CP-1")
        page.unit.tabs.setCurrentWidget(page.unit.others)
        others = page.unit.others
        await until(lambda: others.opinions)
        assert "None of them would object" in others.note.text()
        assert others.tree.topLevelItemCount() == 5
        assert {others.tree.topLevelItem(row).text(1) for row in range(5)} == {"Would take it"}
        assert others.bytes.toPlainText().startswith("GET /CP-1")


async def test_a_missing_version_is_marked_where_it_belongs_and_copied(bench: Any) -> None:
    async with opened(bench) as page, charger(bench, subprotocols=None):
        await until(lambda: bench.server.endpoint("CP-1"))
        page.show_charger("CP-1")
        page.unit.tabs.setCurrentWidget(page.unit.others)
        others = page.unit.others
        await until(lambda: others.opinions)
        assert marked(others) == " ◂ Sec-WebSocket-Protocol is missing here"
        assert "What to change" in others.why.text()
        QTest.mouseClick(others.copy, Qt.MouseButton.LeftButton)
        assert "SteVe: Would refuse it" in QGuiApplication.clipboard().text()


async def test_a_field_of_a_frame_is_marked_in_that_frame(bench: Any) -> None:
    async with opened(bench) as page, booted(bench, chargePointVendor=""):
        page.show_charger("CP-1")
        page.unit.tabs.setCurrentWidget(page.unit.others)
        others = page.unit.others
        await until(lambda: others.opinions)
        assert "1 of 5" in others.note.text()
        assert marked(others) == '"chargePointVendor": ""'


def marked(others: OthersPanel) -> str:
    (selection,) = others.bytes.extraSelections()
    return str(selection.cursor.selectedText())


@pytest.fixture
def place(qapp: QApplication) -> Iterator[QWidget]:
    widget = QWidget()
    yield widget
    widget.deleteLater()


def card(finding: Finding, place: QWidget) -> tuple[FindingCard, str]:
    shown = FindingCard(finding, place)
    return shown, "\n".join(label.text() for label in shown.findChildren(QLabel))


def test_a_card_says_what_looks_alike_and_which_experiment_tells(place: QWidget) -> None:
    vague = found(
        "PING-MISMATCH",
        Severity.WARNING,
        ("connection 1", "100 s"),
        experiment=PING_RHYTHM,
        alike=("WIFI",),
        count="3",
        lasted="100 s",
        closed="1006",
    )
    shown, text = card(vague, place)
    assert shown.experiment is PING_RHYTHM
    assert "PING-MISMATCH · warning" in text
    assert "The charger's Wi-Fi is weak" in text
    assert "Change the ping rhythm" in text


def test_a_card_copies_the_text_for_whom_it_is(place: QWidget) -> None:
    shown, _ = card(
        found("ID-UNKNOWN", Severity.WARNING, ("answer", "404"), identity="CP-1", url="ws://x", answer="404"), place
    )
    (button,) = shown.findChildren(QPushButton)
    assert button.text() == "Copy text for the backend's operator"
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert "Please register the charge point identity “CP-1”" in QGuiApplication.clipboard().text()
    assert "answer: 404" in QGuiApplication.clipboard().text()
