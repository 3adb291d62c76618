"""Cards and services through their real widgets, with chargers on real connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import websockets
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLineEdit, QWidget

from app.model.card import Card, CardStatus, Mode
from app.ocpp.services.certcheck import CertificateId
from app.sim.station2 import Station2
from tests.ui.test_endpoint_page import charger, opened, until
from ui.pages.endpoint import EndpointPage
from ui.pages.endpoint_bookings import MessagesPage
from ui.pages.endpoint_files import FilesPage
from ui.pages.endpoint_limits import LimitsPage
from ui.pages.endpoint_lists import LocalListPage
from ui.pages.endpoint_service import ServicePage
from ui.pages.endpoint_services import ToldPage
from ui.pages.endpoint_sessions import SessionsPage
from ui.pages.endpoint_trust import CertificatesPage
from ui.pages.endpoint_unit import SERVICES
from ui.pages.endpoint_watching import MonitorsPage, TariffsPage

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def click(button: QAbstractButton) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def service(page: EndpointPage, kind: type[ServicePage]) -> Any:
    """Bring a service of the charger in sight."""
    panel = page.unit.services
    page.unit.tabs.setCurrentIndex(SERVICES)
    index = next(index for index, item in enumerate(panel.pages) if isinstance(item, kind))
    panel.list.setCurrentRow(index)
    return panel.pages[index]


async def shown(page: EndpointPage, identity: str = "CP-1") -> None:
    await until(lambda: page.table.select_key(identity) and page.unit.identity == identity)


async def answered(told: ServicePage, *words: str) -> str:
    """Wait for the outcome of an order and check what it says."""
    await until(lambda: not told.is_busy and told.result.text())
    for word in words:
        assert word in told.result.text()
    return told.result.text()


async def choose(key: str) -> None:
    """Click an answer of the question in front."""
    button = await until(
        lambda: next(
            (
                found
                for window in QApplication.topLevelWidgets()
                if (found := window.findChild(QAbstractButton, f"answer-{key}")) is not None and found.isVisible()
            ),
            None,
        )
    )
    click(button)


# Cards


async def test_a_card_is_entered_changed_and_removed(open_bench: Callable[..., Any]) -> None:
    async with open_bench() as bench, opened(bench) as page:
        panel = page.cards
        page.tabs.setCurrentWidget(panel)
        assert not panel.save.isEnabled()
        QTest.keyClicks(panel.uid, "04a2b3c4")
        QTest.keyClicks(panel.name, "Anna")
        click(panel.save)
        (card,) = bench.services.cards.cards
        assert (card.uid, card.label, card.status) == ("04a2b3c4", "Anna", CardStatus.ACCEPTED)
        assert panel.table.current() == card
        assert panel.save.text() == "Change"
        panel.status.setCurrentIndex(panel.status.findText("Blocked"))
        panel.end.setText("2027-02-30")
        assert not panel.save.isEnabled()
        panel.end.setText("2027-01-31")
        click(panel.save)
        (card,) = bench.store.cards.all()
        assert card.status is CardStatus.BLOCKED
        assert card.expires_at is not None
        assert card.expires_at > datetime(2027, 1, 31, 1, tzinfo=UTC)
        assert panel.model.items[0] == card
        panel.table.clearSelection()
        panel.table.selectRow(0)
        assert panel.end.text() == "2027-01-31"
        click(panel.remove)
        assert bench.store.cards.all() == ()
        assert "removed" in panel.message.text()


async def test_the_mode_is_kept_and_cards_held_are_shown_with_the_reason(open_bench: Callable[..., Any]) -> None:
    async with open_bench() as bench, opened(bench) as page:
        panel = page.cards
        page.tabs.setCurrentWidget(panel)
        bench.services.cards.put([Card(uid="04A2B3C4")], NOW)
        click(panel.modes.button(list(Mode).index(Mode.LIST)))
        assert bench.store.cards.mode() is Mode.LIST
        bench.services.cards.decide("CP-1", "C4B3A204", NOW)
        bench.services.cards.decide("CP-1", "<b>NOBODY</b>", NOW)
        await until(lambda: len(panel.held_model.items) == 2)
        newest, _ = panel.held_model.items
        assert newest[1].uid == "<b>NOBODY</b>"
        assert "reverse order" in panel.held_model.data(panel.held_model.index(1, 4))
        panel.held.selectRow(0)
        assert panel.uid.text() == "<b>NOBODY</b>"
        click(panel.save)
        assert "<b>NOBODY</b>" in [card.uid for card in bench.services.cards.cards]


async def test_lists_are_imported_with_their_problems_and_exported(
    open_bench: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("uid,status\nA1,Accepted\nA2,Wrong\n")
    paths = iter([source, target])

    async def chosen(*_: Any, **__: Any) -> Path:
        return next(paths)

    monkeypatch.setattr("ui.pages.endpoint_cards.choose_file", chosen)
    async with open_bench() as bench, opened(bench) as page:
        panel = page.cards
        page.tabs.setCurrentWidget(panel)
        click(panel.take_in)
        await until(lambda: "line 3" in panel.message.text())
        assert [card.uid for card in bench.services.cards.cards] == ["A1"]
        click(panel.give_out)
        await choose("save")
        await until(lambda: target.exists() and "A1" in target.read_text())


# Services


async def test_the_local_list_goes_into_the_charger_and_is_compared(open_bench: Callable[..., Any]) -> None:
    answers = {
        "GetLocalListVersion": {"listVersion": 1},
        "GetConfiguration": {"configurationKey": [], "unknownKey": []},
        "ClearCache": {"status": "Rejected"},
    }
    async with open_bench() as bench, opened(bench) as page, charger(bench, answers=answers) as got:
        await shown(page)
        bench.services.cards.put([Card(uid="A"), Card(uid="B")], NOW)
        lists = service(page, LocalListPage)
        await until(lists.send_all.isEnabled)
        click(lists.send_all)
        await answered(lists, "names version 1, not 2", "Cards: 2")
        assert [payload["updateType"] for action, payload in got if action == "SendLocalList"] == ["Full"]
        assert lists.clear.isEnabled()
        click(lists.clear)
        await until(lambda: "keeps its cache" in lists.result.text())


async def test_a_log_comes_in_and_stands_in_the_list(open_bench: Callable[..., Any], tmp_path: Path) -> None:
    log = tmp_path / "diag.log"
    log.write_bytes(b"contactor closed\n" * 100)
    answers: dict[str, Any] = {"GetDiagnostics": {"fileName": "diag.log"}}
    async with open_bench() as bench, opened(bench) as page, charger(bench, answers=answers) as got:
        await shown(page)
        files = service(page, FilesPage)
        await until(files.fetch.isEnabled)
        click(files.fetch)
        location = await until(
            lambda: next((order["location"] for action, order in got if action == "GetDiagnostics"), "")
        )
        assert files.give_up.isVisible()
        process = await asyncio.create_subprocess_exec("curl", "-sS", "-T", str(log), location)
        assert await process.wait() == 0
        await until(lambda: files.model.items or bench.files.received())
        click(files.give_up)
        await answered(files, "Given up")
        assert [item.name for item in files.model.items] == ["diag.log"]
        files.table.selectRow(0)
        assert files.save_file.isEnabled()


async def test_a_test_image_is_offered_only_after_the_warning(open_bench: Callable[..., Any]) -> None:
    async with open_bench() as bench, opened(bench) as page, charger(bench) as got:
        await shown(page)
        files = service(page, FilesPage)
        await until(files.test_image.isEnabled)
        click(files.test_image)
        await choose("close")
        await answered(files, "Nothing was sent")
        assert "SignedUpdateFirmware" not in [action for action, _ in got]
        await until(files.test_image.isEnabled)
        click(files.test_image)
        await choose("signed")
        await until(lambda: "SignedUpdateFirmware" in [action for action, _ in got])
        click(files.give_up)
        await answered(files, "Given up")


async def test_our_root_is_installed_after_a_question_and_listed(open_bench: Callable[..., Any]) -> None:
    answers: dict[str, Any] = {
        "GetInstalledCertificateIds": {"status": "NotFound"},
        "GetConfiguration": {"configurationKey": [], "unknownKey": []},
    }
    async with open_bench() as bench, opened(bench) as page, charger(bench, answers=answers) as got:
        await shown(page)
        trust = service(page, CertificatesPage)
        await until(trust.install.isEnabled)
        click(trust.install)
        await choose("send")
        sent = await until(lambda: next((order for action, order in got if action == "InstallCertificate"), None))
        told = {"status": "Accepted", "certificateHashData": [CertificateId.of(sent["certificate"]).payload]}
        answers["GetInstalledCertificateIds"] = told
        await answered(trust)
        click(trust.look)
        await until(lambda: trust.model.items)
        assert "Rehome" in trust.model.data(trust.model.index(0, 1))


async def test_a_limit_is_set_and_a_charger_that_ignores_it_is_shown(open_bench: Callable[..., Any]) -> None:
    schedule = {
        "status": "Accepted",
        "connectorId": 1,
        "scheduleStart": datetime.now(UTC).isoformat(),
        "chargingSchedule": {
            "duration": 3600,
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 32.0}],
        },
    }
    answers = {"GetCompositeSchedule": schedule}
    async with open_bench() as bench, opened(bench) as page, charger(bench, answers=answers):
        await shown(page)
        limits = service(page, LimitsPage)
        await until(limits.set.isEnabled)
        assert not limits.list.isVisible()
        click(limits.set)
        await until(lambda: limits.model.items)
        await until(limits.judge.isEnabled)
        click(limits.judge)
        await until(limits.plot.isVisible)
        await answered(limits, "allow 16 A, it says 32 A")


async def test_what_a_charger_tells_stands_under_events(open_bench: Callable[..., Any]) -> None:
    async with open_bench() as bench, opened(bench) as page, charger(bench):
        await shown(page)
        told = {"type": "TamperDetectionActivated", "timestamp": "2026-11-22T12:00:00Z", "techInfo": "<i>door</i>"}
        bench.services.collected.take("CP-1", "SecurityEventNotification", told, NOW)
        events = service(page, ToldPage)
        await until(lambda: events.model.items)
        assert "<i>door</i>" in events.model.data(events.model.index(0, 3))


async def test_an_outcome_stays_with_its_charger(open_bench: Callable[..., Any]) -> None:
    answers = {"GetLocalListVersion": {"listVersion": 0}, "GetConfiguration": {"configurationKey": []}}
    async with (
        open_bench() as bench,
        opened(bench) as page,
        charger(bench, "CP-1", answers=answers),
        charger(bench, "CP-2"),
    ):
        await shown(page, "CP-1")
        lists = service(page, LocalListPage)
        await until(lists.ask.isEnabled)
        click(lists.ask)
        await answered(lists, "empty")
        await shown(page, "CP-2")
        assert not lists.result.isVisible()
        await shown(page, "CP-1")
        assert "empty" in lists.result.text()


async def test_every_control_has_a_name_and_nothing_works_without_the_charger(open_bench: Callable[..., Any]) -> None:
    async with open_bench() as bench, opened(bench) as page:
        async with charger(bench):
            await shown(page)
        await until(lambda: bench.server.endpoint("CP-1") is None)
        page.unit.tabs.setCurrentIndex(SERVICES)
        for row, each in enumerate(page.unit.services.pages):
            page.unit.services.list.setCurrentRow(row)
            await until(lambda each=each: not any(button.isEnabled() for button in each._senders))
        for widget in [*page.cards.findChildren(QWidget), *page.unit.services.findChildren(QWidget)]:
            if isinstance(widget, QLineEdit | QComboBox | QAbstractButton) and widget.objectName() not in (
                "qt_spinbox_lineedit",
                "qt_tableview_cornerbutton",
            ):
                named = widget.accessibleName() or (widget.text() if isinstance(widget, QAbstractButton) else "")
                assert named or widget.isHidden(), (widget, widget.parent())


async def test_a_session_with_a_register_that_falls_is_shown_as_such(open_bench: Callable[..., Any]) -> None:
    start = {"connectorId": 1, "idTag": "04A2", "meterStart": 1000, "timestamp": "2026-11-22T12:00:00Z"}
    async with open_bench() as bench, opened(bench) as page:
        url = f"ws://127.0.0.1:{bench.server.state.port}/CP-1"
        async with websockets.connect(url, subprotocols=["ocpp1.6"], compression=None) as link:  # type: ignore[list-item]

            async def ask(action: str, payload: dict[str, Any]) -> dict[str, Any]:
                await link.send(json.dumps([2, action, action, payload]))
                while (message := json.loads(await link.recv()))[:2] != [3, action]:
                    await link.send(json.dumps([4, message[1], "NotImplemented", "", {}]))
                answer: dict[str, Any] = message[2]
                return answer

            await ask("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
            number = (await ask("StartTransaction", start))["transactionId"]
            values = [
                {"timestamp": f"2026-11-22T12:0{minute}:00Z", "sampledValue": [{"value": value}]}
                for minute, value in ((1, "1100"), (2, "900"), (3, "1300"))
            ]
            await ask("MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": values})
            stop = {"transactionId": number, "meterStop": 1300, "timestamp": "2026-11-22T12:04:00Z"}
            await until(lambda: bench.store.samples.readings("ocpp:CP-1", NOW))
            await ask("StopTransaction", stop)
            await shown(page)
            sessions = service(page, SessionsPage)
            await until(lambda: sessions.model.data(sessions.model.index(0, 6)) == "Figures contradict")
            falls = next(check for check in sessions.checks.items if check.name == "never falls")
            assert "1,100.0 → 900.0" in falls.proofs[0]


async def test_a_station_of_2_1_watches_a_value_and_takes_a_price(open_bench: Callable[..., Any]) -> None:
    async with open_bench() as bench, opened(bench) as page:
        url = f"ws://127.0.0.1:{bench.server.state.port}"
        async with Station2(url, "CP-1", "2.1", time_scale=0.02):
            await shown(page)
            monitors = service(page, MonitorsPage)
            monitors.variable.setText("no variable")
            await until(monitors.watch.isEnabled)
            click(monitors.watch)
            await answered(monitors, "names no variable")
            monitors.variable.setText("EVSE@1.Power")
            monitors.refresh()
            click(monitors.watch)
            await until(lambda: monitors.model.items)
            await until(monitors.list.isEnabled)
            click(monitors.list)
            await answered(monitors, "Watched values: 1.")
            prices = service(page, TariffsPage)
            await until(prices.set.isEnabled)
            click(prices.set)
            await until(lambda: [item.tariff_id for item in prices.model.items] == ["rehome-flat"])
            texts = service(page, MessagesPage)
            texts.text.setText("Out of order until noon")
            texts.refresh()
            click(texts.show_text)
            await until(lambda: texts.model.items)
            await until(texts.list.isEnabled)
            click(texts.list)
            await answered(texts, "Texts in the charger: 1.")


async def test_a_charger_is_offered_only_what_its_version_knows(open_bench: Callable[..., Any]) -> None:
    async with open_bench() as bench, opened(bench) as page, charger(bench):
        await shown(page)
        panel = page.unit.services
        page.unit.tabs.setCurrentWidget(panel)
        await until(lambda: any(panel.list.isRowHidden(row) for row in range(panel.list.count())))
        titles = [panel.list.item(row).text() for row in range(panel.list.count()) if not panel.list.isRowHidden(row)]
        assert "Price" not in titles
        assert "Display" not in titles
        assert "Certificates" in titles
