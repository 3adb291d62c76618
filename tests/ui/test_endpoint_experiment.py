"""Experiments through the real widgets: from a finding, from a knock, from the menu; followed, stopped, copied."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from app.diagnosis.naming import found
from app.experiment.values import State, Tempo
from app.model.experiment import EXPERIMENTS, PING_RHYTHM
from app.model.finding import Severity
from app.sim.station import OcppStation
from ui.pages.endpoint import KNOCKS, EndpointPage
from ui.pages.endpoint_experiment import ExperimentPanel
from ui.pages.endpoint_unit import FINDINGS

HOST = "127.0.0.1"
LIMIT_S = 20


async def until(wanted: Callable[[], Any]) -> Any:
    async with asyncio.timeout(LIMIT_S):
        while not (done := wanted()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return done


@asynccontextmanager
async def opened(bench: Any, tempo: Tempo) -> AsyncIterator[EndpointPage]:
    bench.experiments.tempo = tempo
    await bench.server.start(HOST, 0)
    page = EndpointPage(bench)
    page.resize(1180, 672)
    page.show()
    try:
        yield page
    finally:
        await page.tasks.stop()
        page.close()
        page.deleteLater()


@asynccontextmanager
async def with_unit(bench: Any, page: EndpointPage) -> AsyncIterator[OcppStation]:
    async with OcppStation("CP-1", bench.server.state.url, time_scale=0.02) as unit:
        await bench.server.arrival("CP-1", timeout_s=5)
        await unit.until(lambda: unit.booted.is_set(), timeout_s=5)
        page.refresh()
        page.show_charger("CP-1")
        await until(lambda: page.unit.isVisibleTo(page))
        page.unit.tabs.setCurrentIndex(FINDINGS)
        yield unit


async def press(panel: QWidget, text: str) -> None:
    """Click a button as soon as it can be seen."""

    def shown() -> QPushButton | None:
        buttons = [item for item in panel.findChildren(QPushButton) if item.isVisible() and item.text() == text]
        return buttons[0] if buttons else None

    button = await until(shown)
    assert button.isEnabled()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def words(panel: ExperimentPanel) -> str:
    return "\n".join(label.text() for label in panel.findChildren(QLabel) if label.isVisibleTo(panel))


def shot(page: QWidget, name: str) -> None:
    if folder := os.environ.get("EXPERIMENT_SHOTS"):
        page.grab().save(f"{folder}/{name}.png")


async def test_a_finding_offers_to_run_its_experiment(bench: Any) -> None:
    async with opened(bench, Tempo(pace=0.001, least_s=1.0)) as page, with_unit(bench, page):
        endpoint = bench.server.endpoint("CP-1")
        details = {"count": "3", "lasted": "60 s", "closed": "1006"}
        proof = ("connection 1", "60 s")
        endpoint.find([found("PING-MISMATCH", Severity.WARNING, proof, experiment=PING_RHYTHM, details=details)])
        page.unit.refresh()
        await until(page.unit.findings.isVisible)
        await asyncio.sleep(0)
        shot(page, "finding")
        await press(page.unit.findings, "Run the experiment")
        panel = page.unit.experiments.panel
        assert panel.isVisibleTo(page)
        assert "20 min" in words(panel)
        shot(page, "before")
        await press(panel, "Start")
        await until(lambda: panel._run is not None and panel._run.latest.result.rounds[1].state is State.RUNNING)
        panel.refresh()
        await until(panel.count.isVisible)
        assert "It held for 300 s." in words(panel)
        shot(page, "running")
        await until(lambda: panel._run.is_over and panel.outcome.isVisibleTo(panel))
        assert "It stays in every rhythm." in words(panel)
        assert "proves no fault" in words(panel)
        shot(page, "after")
        await press(panel, "Copy")
        assert "A ping every 20 s: It held" in QGuiApplication.clipboard().text()
        await press(panel, "Back")
        assert page.unit.findings.isVisibleTo(page)


async def test_an_experiment_is_stopped_by_hand_and_can_be_run_again(bench: Any) -> None:
    async with opened(bench, Tempo()) as page, with_unit(bench, page):
        experiments = page.unit.experiments
        button = experiments.menu_button(page)
        assert len(button.menu().actions()) == len(EXPERIMENTS)
        next(item for item in button.menu().actions() if item.data() == "hold").trigger()
        panel = experiments.panel
        await press(panel, "Start")
        await until(lambda: panel._run.latest.result.rounds[0].state is State.RUNNING)
        await press(panel, "Stop")
        await until(lambda: panel._run.is_over)
        panel.refresh()
        assert "Stopped by hand." in words(panel)
        assert bench.server.manner("CP-1").is_usual
        assert panel.start.text() == "Run again"


async def test_what_can_not_be_tried_is_said_in_words(bench: Any) -> None:
    async with opened(bench, Tempo()) as page, with_unit(bench, page):
        panel = page.unit.experiments.panel
        panel.show_experiment("hold", identity="CP-9")
        page.unit.experiments._stack.setCurrentWidget(panel)
        await press(panel, "Start")
        assert "not connected" in words(panel)
        panel.show_experiment("nonsense-identity", identity="CP-1")
        assert not panel.start.isEnabled()
        assert panel.url.isVisibleTo(panel)


async def test_a_knock_of_a_unit_that_refuses_our_certificate_offers_the_others(bench: Any) -> None:
    async def dial() -> None:
        context = ssl.create_default_context()
        port = bench.server.state.port
        while True:
            with suppress(OSError):
                await asyncio.open_connection(HOST, port, ssl=context, server_hostname="rehome.local")
            await asyncio.sleep(0.02)  # the unit's own pause

    async with opened(bench, Tempo(pace=0.01, least_s=2.0)) as page:
        dialling = asyncio.ensure_future(dial())
        try:
            knock = await until(lambda: next((k for k in bench.server.knock_list if k.verdict == "tls-failed"), None))
            page.tabs.setCurrentIndex(KNOCKS)
            page.knocks.refresh()
            page.knocks._picked(knock)
            await until(page.knocks.detail.isVisible)
            await asyncio.sleep(0.1)
            shot(page, "knock")
            panel = page.knocks.detail.experiments.panel
            page.knocks.detail.experiments.run(
                found("TLS-TRUST", Severity.FAULT, experiment=EXPERIMENTS["certificate-personality"])
            )
            await press(panel, "Start")
            await until(lambda: panel._run.is_over and panel.outcome.isVisibleTo(panel))
            assert "TLS-TRUST" in words(panel)
            shot(page, "knock-after")
        finally:
            dialling.cancel()
            with suppress(asyncio.CancelledError):
                await dialling
