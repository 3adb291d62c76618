"""The page of one charger, with a real workbench and simulated chargers on loopback."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import websockets
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLabel, QLineEdit

from app.model.backend import Backend, SecurityProfile
from app.model.job import Job, JobState, StepKind
from app.model.proof import LampState, Stage
from app.model.reading import Measurand, Reading
from app.model.secret import Secret
from app.model.unit import Adoption
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.openevse import OpenEvseGateway
from app.sim.rapi import RapiController
from app.sim.station import OcppStation
from tests.jobs.minibench import QUICK
from ui.dialogs import Question
from ui.models.settings import NOTE, VALUE, WriteState
from ui.pages.unit import HISTORY, LIVE, SETTINGS, UnitPage
from ui.pages.unit_log import LogDialog

DEAD = {"ocpp_enabled": True, "ocpp_server": "ws://127.0.0.1:9/ocpp", "ocpp_chargeBoxId": "CP-1"}


async def until(wanted: Callable[[], Any]) -> Any:
    """Let the loop run until something is there."""
    async with asyncio.timeout(15):
        while not (found := wanted()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return found


@asynccontextmanager
async def shown(open_bench: Any, gateway: OpenEvseGateway) -> AsyncIterator[UnitPage]:
    """Find a gateway by its address and show its page."""
    async with open_bench() as bench:
        unit = await bench.finder.add(str(gateway.address))
        async with page_of(bench, unit.unit_id) as page:
            yield page


@asynccontextmanager
async def page_of(bench: Any, unit_id: str) -> AsyncIterator[UnitPage]:
    page = UnitPage(bench)
    page.resize(1180, 656)
    page.went = []  # type: ignore[attr-defined]
    page.go.connect(lambda *where: page.went.append(where))  # type: ignore[attr-defined]
    page.open(unit_id)
    page.show()
    try:
        yield page
    finally:
        await page.tasks.stop()
        page.close()
        page.deleteLater()


def state(page: UnitPage, stage: Stage) -> LampState:
    return page.diagnosis.strip.lamps[stage].lamp.state


async def test_an_orphan_shows_its_diagnosis_and_the_evidence(open_bench: Any) -> None:
    async with OpenEvseGateway(config=DEAD, time_scale=0.05) as gateway, shown(open_bench, gateway) as page:
        await until(lambda: state(page, Stage.WEBSOCKET) is LampState.FAULT)
        strip = page.diagnosis.strip
        assert "Diagnosis: WebSocket" in strip.sentence.text()
        assert "ws://127.0.0.1:9/ocpp" in strip.evidence.text()
        assert state(page, Stage.CHARGE) is LampState.NOT_ASKED
        assert page.header.adoption.text == "Orphaned"
        strip.lamps[Stage.IP].click()
        assert "127.0.0.1" in strip.sentence.text()
        QTest.keyClick(strip.lamps[Stage.IP], Qt.Key.Key_Left)
        assert strip.sentence.text().startswith("Link")


async def test_the_session_lives_only_while_the_page_is_shown(open_bench: Any) -> None:
    async with OpenEvseGateway(config=DEAD, time_scale=0.05) as gateway, shown(open_bench, gateway) as page:
        session = await until(lambda: page.session)
        page.hide()
        await until(lambda: not session.is_open)
        assert page.session is None
        page.show()
        assert await until(lambda: page.session) is not session


async def test_a_setting_is_written_and_read_back(open_bench: Any) -> None:
    async with OpenEvseGateway(config=DEAD, time_scale=0.05) as gateway, shown(open_bench, gateway) as page:
        page.tabs.setCurrentIndex(SETTINGS)
        table = page.settings_table
        await until(lambda: table.model.total)
        table.search.setText("hostname")
        row = await until(lambda: next((row for row in table.model.rows if row.setting.key == "hostname"), None))
        index = table.model.index(table.model.rows.index(row), VALUE)
        table.view.setCurrentIndex(index)
        table.view.edit(index)
        editor = table.view.viewport().findChild(QLineEdit) or table.view.findChild(QLineEdit)
        editor.setText("stall-one")
        QTest.keyClick(editor, Qt.Key.Key_Return)
        await until(lambda: table.model.rows[0].state is WriteState.PROVED)
        assert table.model.index(0, NOTE).data().startswith("Read back")
        assert gateway.config["hostname"] == "stall-one"
        table.baseline.setCurrentIndex(1)
        table.baseline.activated.emit(1)
        table.search.clear()
        table.changed_only.setChecked(True)
        assert [row.setting.key for row in table.model.rows] == ["hostname"]


async def test_a_charger_that_keeps_another_value_is_not_believed(open_bench: Any) -> None:
    async with OpenEvseGateway(config=DEAD, time_scale=0.05) as gateway, shown(open_bench, gateway) as page:
        page.tabs.setCurrentIndex(SETTINGS)
        model = page.settings_table.model
        await until(lambda: model.total)
        gateway.faults.add(Fault.TRUNCATES)
        setting = model.snapshot.get("hostname")
        model.write_asked.emit(setting, "a-much-longer-name-than-it-keeps")
        row = await until(
            lambda: next((row for row in model.rows if row.state in (WriteState.UNSURE, WriteState.FAILED)), None)
        )
        assert row.setting.key == "hostname"
        assert row.note


async def test_a_vanished_charger_says_so_and_comes_back(open_bench: Any) -> None:
    async with open_bench() as bench:
        async with OpenEvseGateway(config=DEAD, time_scale=0.05) as gateway:
            unit = await bench.finder.add(str(gateway.address))
            port = gateway.address.port
        async with page_of(bench, unit.unit_id) as page:
            await until(lambda: page.trouble)
            await until(lambda: page.diagnosis._banner)
            banner = page.diagnosis._banner
            assert banner is not None
            assert banner.message
            assert banner.advice
            async with OpenEvseGateway(config=DEAD, time_scale=0.05, port=port):
                banner.acted.emit()
                await until(lambda: page.session)
                assert page.trouble is None
                await page.tasks.stop()


async def test_a_guarded_charger_asks_for_its_password_and_keeps_it_in_the_vault(open_bench: Any) -> None:
    guarded = DEAD | {"www_username": "admin", "www_password": "open-sesame"}
    async with OpenEvseGateway(config=guarded, time_scale=0.05) as gateway, shown(open_bench, gateway) as page:
        await until(page.diagnosis.login.isVisible)
        login = page.diagnosis.login
        login.user.setText("admin")
        QTest.keyClicks(login.password, "open-sesame")
        QTest.keyClick(login.password, Qt.Key.Key_Return)
        await until(lambda: page.session)
        await until(lambda: not login.isVisible())
        assert login.password.text() == ""
        assert page.bench.vault.get("charger/127.0.0.1/password").reveal() == "open-sesame"


async def test_curves_appear_when_the_live_tab_is_opened(open_bench: Any) -> None:
    async with OpenEvseGateway(config=DEAD, time_scale=0.05) as gateway, shown(open_bench, gateway) as page:
        gateway.plug_in()
        await until(lambda: page.status)
        assert page.live.plots is None
        page.tabs.setCurrentIndex(LIVE)
        plots = await until(lambda: page.live.plots)
        await until(lambda: {"Current", "Voltage", "Power", "Energy", "Temperature", "Signal"} <= set(plots.titles))
        assert page.live.quantities["Power"].isChecked()
        page.live.pause_button.click()
        assert plots.is_paused
        page.live.pause_button.click()
        page.live.follow_button.click()
        assert not plots.is_following
        page.live.quantities["Signal"].setChecked(True)
        assert not plots.panels["Signal"].isHidden()


async def test_a_charger_on_our_endpoint_is_proved_up_to_its_charge(open_bench: Any) -> None:
    async with open_bench() as bench, OcppStation("STALL-02", time_scale=0.05) as station:
        listening = await bench.server.start("127.0.0.1", 0)
        station.dial(listening.url)
        unit = await until(lambda: next(iter(bench.finder.units.values()), None))
        async with page_of(bench, unit.unit_id) as page:
            await until(lambda: state(page, Stage.STATUS) is LampState.PROVED)
            for stage in (Stage.POWER, Stage.TCP, Stage.HTTP, Stage.WEBSOCKET, Stage.BOOT):
                assert state(page, stage) is LampState.PROVED, stage
            assert state(page, Stage.TLS) is LampState.NOT_NEEDED
            station.plug_in()
            endpoint = bench.server.endpoints["STALL-02"]
            assert await endpoint.start(1, "TAG") == "Accepted"
            await until(lambda: state(page, Stage.CHARGE) in (LampState.WORKING, LampState.PROVED))


async def test_the_restart_is_asked_first(open_bench: Any) -> None:
    async with OpenEvseGateway(config=DEAD, time_scale=0.05) as gateway, shown(open_bench, gateway) as page:
        await until(page.header.restart_button.isVisible)
        page.header.restart_button.click()
        dialog = await until(lambda: page.findChild(Question))
        dialog.reject()
        await until(page.header.restart_button.isEnabled)
        assert gateway.restarts == 0
        page.header.restart_button.click()
        dialog = await until(lambda: next((d for d in page.findChildren(Question) if d.isVisible()), None))
        dialog.findChild(QAbstractButton, "answer-yes").click()
        await until(lambda: gateway.restarts)


async def test_the_log_opens_beside_the_page(open_bench: Any) -> None:
    async with OpenEvseGateway(config=DEAD, time_scale=0.05) as gateway, shown(open_bench, gateway) as page:
        await until(page.header.log_button.isVisible)
        page.header.log_button.click()
        dialog = await until(lambda: page.findChild(LogDialog))
        assert dialog.text.toPlainText()
        assert page.isEnabled()
        dialog.accept()


async def test_jobs_and_the_way_to_them(open_bench: Any) -> None:
    async with OpenEvseGateway(config=DEAD, time_scale=0.05) as gateway, shown(open_bench, gateway) as page:
        page.header.next_button.click()
        assert page.went == [("jobs", f"unit:{page.unit_id}")]
        job = page.bench.desk.create(page.unit_id)
        page.tabs.setCurrentIndex(HISTORY)
        await until(lambda: page.header.next_button.text().startswith("Continue"))
        buttons = page.history.findChildren
        open_button = await until(lambda: next((b for b in buttons(QAbstractButton) if b.text() == "Open"), None))
        open_button.click()
        assert page.went[-1] == ("jobs", job.id)


async def test_an_unknown_charger_has_a_way_back(bench: Any) -> None:
    async with page_of(bench, "nobody") as page:
        assert page.lost.isVisible()
        page.lost.acted.emit()
        assert page.went == [("site", None)]


async def test_settings_are_exported_without_secrets(open_bench: Any, tmp_path: Path, monkeypatch: Any) -> None:
    async with OpenEvseGateway(config=DEAD | {"mqtt_pass": "hush-hush"}, time_scale=0.05) as gateway:  # noqa: SIM117
        async with shown(open_bench, gateway) as page:
            page.tabs.setCurrentIndex(SETTINGS)
            await until(lambda: page.settings_table.model.total)
            path = tmp_path / "out.json"

            async def chosen(*args: Any, **options: Any) -> Path:
                return path

            monkeypatch.setattr("ui.pages.unit_settings.choose_file", chosen)
            page.settings_table.export_button.click()
            await until(path.exists)
            await until(page.settings_table.export_button.isEnabled)
            text = path.read_text(encoding="utf-8")
            assert "hush-hush" not in text
            assert json.loads(text)["settings"]["ocpp_server"] == "ws://127.0.0.1:9/ocpp"


@pytest.mark.parametrize("name", ["<h1>x</h1><img src='http://evil.example/a'>"])
async def test_a_hostile_name_is_only_text(open_bench: Any, name: str) -> None:
    async with OpenEvseGateway(config=DEAD | {"hostname": name}, name=name, time_scale=0.05) as gateway:  # noqa: SIM117
        async with shown(open_bench, gateway) as page:
            await until(lambda: page.session)
            assert "<h1>" in page.header.name.text()
            assert page.header.adoption.text == Adoption.ORPHANED.value.capitalize()
            for label in page.findChildren(QLabel):
                if "<h1>" in label.text():
                    assert label.textFormat() is Qt.TextFormat.PlainText


async def test_every_control_has_a_name(open_bench: Any) -> None:
    async with OpenEvseGateway(config=DEAD, time_scale=0.05) as gateway, shown(open_bench, gateway) as page:
        await until(lambda: page.session)
        for kind in (QAbstractButton, QComboBox, QLineEdit):
            for control in page.findChildren(kind):
                is_inner = control.objectName().startswith("qt_") or isinstance(control.parent(), QLineEdit)
                if not is_inner and control.isVisible():
                    assert control.accessibleName() or getattr(control, "text", str)(), control


async def test_a_peer_that_is_not_ours_is_shown_as_it_speaks(open_bench: Any) -> None:
    async with open_bench() as bench:
        listening = await bench.server.start("127.0.0.1", 0)
        async with websockets.connect(f"ws://127.0.0.1:{listening.port}/ODD-1", compression=None) as peer:
            boot = {"chargePointVendor": "<b>Odd</b>", "chargePointModel": "One"}
            await peer.send(json.dumps([2, "1", "BootNotification", boot]))
            await peer.recv()
            unit = await until(lambda: next(iter(bench.finder.units.values()), None))
            async with page_of(bench, unit.unit_id) as page:
                await until(lambda: state(page, Stage.WEBSOCKET) is LampState.ATTENTION)
                assert state(page, Stage.BOOT) is LampState.PROVED
                assert any(card.finding.code == "SUBPROTO-NONE" for card in page.diagnosis.findings.cards)
                page.header.traffic_button.click()
                assert page.went == [("traffic", "ODD-1")]
                await peer.close()
                await until(lambda: state(page, Stage.LINK) is LampState.FAULT)
                assert "Diagnosis: Link" in page.diagnosis.strip.sentence.text()


async def drive(bench: Any, job_id: str, backend: Backend) -> Job:
    """Do a job up to its end; the charging session is left out."""
    while True:
        bench.desk.run(job_id)
        job: Job = await bench.desk.finished(job_id)
        if job.state is not JobState.ACTIVE or job.current is None:
            return job
        if job.current is StepKind.CHOOSE:
            bench.desk.choose(job_id, backend)
        elif job.open_doors:
            bench.desk.acknowledge(job_id, [door.id for door in job.open_doors])
        else:
            bench.desk.skip(job_id, job.current, "no car in this test")


async def test_a_rehomed_charger_keeps_its_proof_and_the_way_back(open_bench: Any) -> None:
    async with (
        NewBackend({"CP-1": "w0rd-for-9!"}) as new,
        OpenEvseGateway(config=DEAD, time_scale=0.01) as gateway,
        shown(open_bench, gateway) as page,
    ):
        bench = page.bench
        page.hide()
        profiles = bench.registry.profiles
        profiles["openevse-wifi"] = replace(profiles["openevse-wifi"], timing=QUICK)
        gateway.plug_in()
        await bench.start_endpoint("127.0.0.1", 0)
        job_id = bench.desk.create(page.unit_id).id
        backend = Backend(
            url=new.url, identity="CP-1", security_profile=SecurityProfile.BASIC, secret=Secret("w0rd-for-9!")
        )
        job = await drive(bench, job_id, backend)
        assert job.state is JobState.DONE, [(step.kind, step.state, step.note) for step in job.steps]
        page.show()
        page.tabs.setCurrentIndex(HISTORY)
        await until(lambda: state(page, Stage.BOOT) is LampState.PROVED)
        page.diagnosis.strip.lamps[Stage.WEBSOCKET].click()
        assert "dialled this computer" in page.diagnosis.strip.evidence.text()
        assert page.header.next_button.text() == "Rehome again"
        undo = await until(
            lambda: next((b for b in page.history.findChildren(QAbstractButton) if "Undo" in b.text()), None)
        )
        undo.click()
        dialog = await until(lambda: page.findChild(Question))
        dialog.findChild(QAbstractButton, "answer-yes").click()
        await until(lambda: page.went)
        assert page.went == [("jobs", job_id)]
        page.hide()
        assert (await bench.desk.finished(job_id)).state is JobState.UNDONE
        assert gateway.config["ocpp_server"] == DEAD["ocpp_server"]


async def test_the_curves_begin_with_the_stored_past(open_bench: Any) -> None:
    async with open_bench() as bench, OcppStation("STALL-02", time_scale=0.05) as station:
        listening = await bench.server.start("127.0.0.1", 0)
        station.dial(listening.url)
        unit = await until(lambda: next(iter(bench.finder.units.values()), None))
        name = bench.server.endpoints["STALL-02"].unit_id
        past = bench.now() - timedelta(minutes=5)
        bench.store.samples.add([Reading(unit_id=name, measurand=Measurand.POWER, value=7000.0, at=past)])
        bench.store.traffic.flush()
        async with page_of(bench, unit.unit_id) as page:
            await until(lambda: not page.tasks.is_running("recall"))
            page.tabs.setCurrentIndex(LIVE)
            plots = await until(lambda: page.live.plots)
            (series,) = [series for key, series in plots.store.series.items() if key.measurand is Measurand.POWER]
            assert series.at(past.timestamp() + 1) == 7000.0


@pytest.mark.skipif(sys.platform == "win32", reason="the simulated serial line is a pty")
async def test_a_serial_port_is_let_go_before_it_is_opened_anew(open_bench: Any) -> None:
    async with open_bench() as bench, RapiController(time_scale=0.05) as controller:
        unit = await bench.finder.add(controller.port)
        async with page_of(bench, unit.unit_id) as page:
            first = await until(lambda: page.session)
            page.refresh()
            page.refresh()
            second = await until(lambda: page.session)
            assert second is not first
            assert page.trouble is None
            assert state(page, Stage.LINK) is LampState.NOT_ASKED
            page.tabs.setCurrentIndex(SETTINGS)
            await until(lambda: page.settings_table.model.total)
            assert not page.settings_table.model.can_write
