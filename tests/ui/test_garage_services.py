"""The Garage page and its network services through real widgets: real ports, real questions."""

from __future__ import annotations

import asyncio
import csv
import io
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import websockets
from dnslib import DNSRecord
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton

from app.model.address import NetAddress
from app.model.frame import Adapter
from app.model.garage import Stand
from app.model.unit import Identity, SourceKind, Unit, Way
from app.standin import desk as desk_file
from tests.standin.kit import HOST, ask
from ui.dialogs import Question
from ui.pages.garage import TABS, GaragePage
from ui.pages.garage_services import LOG, NAMES, RIGHTS, ROUTER, ServicesPanel
from ui.pages.garage_services_standin import OldAddress
from ui.pages.page import Page

LIMIT_S = 10
DEAD = "juicenet-udp-prod3-usa.enelx.com"
STRANGER = "ocpp.dead.example"


async def until(wanted: Callable[[], Any]) -> Any:
    async with asyncio.timeout(LIMIT_S):
        while not (found := wanted()):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        return found


@asynccontextmanager
async def opened(bench: Any) -> AsyncIterator[tuple[GaragePage, ServicesPanel]]:
    page = GaragePage(bench)
    page.resize(1180, 672)
    page.open("services")
    page.show()
    panel = page.panels["services"]
    assert isinstance(panel, ServicesPanel)
    try:
        yield page, panel
    finally:
        page.hide()
        await page.stop()
        page.close()
        page.deleteLater()


async def running(panel: ServicesPanel, stand: Stand) -> int:
    panel.cards[stand].switch.click()
    await until(lambda: panel.cards[stand].state.text == "On")
    return int(panel.bench.garage.states[stand].port)


async def asked(panel: ServicesPanel, *names: str) -> None:
    """Ask our DNS as a charger does, and wait until the list has it."""
    before = panel.log.count
    port = panel.bench.garage.states[Stand.DNS].port
    for name in names:
        assert await ask(port, DNSRecord.question(name).pack())
    await until(lambda: panel.log.count == before + len(names))


async def address_of(panel: ServicesPanel, name: str) -> str:
    reply = await ask(panel.bench.garage.states[Stand.DNS].port, DNSRecord.question(name).pack())
    assert reply is not None
    return next((str(item.rdata) for item in DNSRecord.parse(reply).rr), "")


def rows(panel: ServicesPanel) -> list[tuple[str, ...]]:
    model = panel.log.model
    return [tuple(str(model.index(row, column).data()) for column in (2, 3, 5, 6)) for row in range(model.rowCount())]


async def answer(panel: ServicesPanel, key: str) -> str:
    """Press a button of the question that is open; return what it asked."""
    (question,) = await until(lambda: [box for box in panel.findChildren(Question) if box.isVisible()])
    text = str(question.accessibleDescription())
    question.findChild(QPushButton, f"answer-{key}").click()
    return text


async def test_a_tab_is_built_when_it_is_first_looked_at(bench: Any) -> None:
    async with opened(bench) as (page, _panel):
        assert list(page.panels) == ["services"]
        assert [page.tabs.tabText(index) for index in range(page.tabs.count())] == [tab.title for tab in TABS]


async def test_navigation_reaches_a_tab_and_what_it_shall_show(bench: Any) -> None:
    async with opened(bench) as (page, panel):
        page.open(("services", "rights"))
        assert panel.tabs.currentIndex() == RIGHTS
        page.open("no such tab")
        assert page.panel is panel


async def test_the_panels_navigation_leaves_the_page(bench: Any) -> None:
    led: list[tuple[str, object]] = []
    async with opened(bench) as (page, panel):
        page.go.connect(lambda page_id, argument: led.append((page_id, argument)))
        panel.go.emit("unit", "u1")
    assert led == [("unit", "u1")]


def test_every_tab_is_a_page_of_its_own() -> None:
    assert all(issubclass(tab.load(), Page) for tab in TABS)


async def test_everything_is_off_at_first_and_says_what_to_do(bench: Any) -> None:
    async with opened(bench) as (_page, panel):
        assert {card.state.text for card in panel.cards.values()} == {"Off"}
        assert panel.log.empty.accessibleName() == "All services are off"
        panel.log.empty.acted.emit()
        await until(lambda: bench.garage.states[Stand.DNS].is_on)
        await until(lambda: panel.log.empty.accessibleName() == "Nobody has asked yet")


async def test_a_service_starts_stops_and_counts(bench: Any) -> None:
    async with opened(bench) as (_page, panel):
        card = panel.cards[Stand.NTP]
        port = await running(panel, Stand.NTP)
        assert not card.adapter.isEnabled()
        assert await ask(port, bytes([0x23]) + bytes(47))
        await until(lambda: card.about.text() == f"Port {port} · 1 question")
        card.switch.click()
        await until(lambda: card.state.text == "Off")
        with pytest.raises(ConnectionRefusedError):
            await ask(port, bytes([0x23]) + bytes(47))


async def test_who_asked_is_listed_and_a_dead_backend_stands_out(bench: Any) -> None:
    async with opened(bench) as (_page, panel):
        await running(panel, Stand.DNS)
        await asked(panel, "printer.example", DEAD)
        assert rows(panel) == [
            (HOST, DEAD, "refused", "JuiceNet (Enel X in America) (its operator closed)"),
            (HOST, "printer.example", "refused", ""),
        ]
        assert [row.is_dead for row in panel.log.model.items] == [True, False]
        assert panel.tabs.tabText(LOG) == "Who asks (2)"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


async def stood_in(panel: ServicesPanel, *, saves: bool = False) -> tuple[int, str]:
    """Let a charger ask for its dead backend and stand in for it; return the port it dials, and what was asked."""
    port = free_port()
    await running(panel, Stand.DNS)
    await asked(panel, STRANGER)
    panel.log.table.selectRow(0)
    assert panel.log.bar.stand_in.isVisible()
    panel.log.bar.stand_in.click()
    detail = await until(lambda: next(iter(panel.findChildren(OldAddress)), None))
    detail.address.setText(f"ws://{STRANGER}:{port}/ocpp")
    detail.saves.setChecked(saves)
    text = await answer(panel, "yes")
    await until(lambda: not panel.tasks.is_running("stand in"))
    return port, text


async def test_standing_in_for_a_backend_answers_its_name_and_opens_its_port(bench: Any) -> None:
    async with opened(bench) as (_page, panel):
        port, text = await stood_in(panel)
        assert f"asks this computer for {STRANGER} gets {HOST}" in text
        assert await address_of(panel, STRANGER) == HOST
        await until(lambda: panel.standing.isVisible())
        assert panel.standing.words.text() == f"Standing in for {STRANGER} on port {port}"
        assert not panel.log.bar.stand_in.isVisible()
        assert panel.names.names.toPlainText() == STRANGER


async def test_a_charger_that_lands_by_the_old_name_is_told_saved_and_shown(bench: Any) -> None:
    led: list[tuple[str, object]] = []
    async with opened(bench) as (page, panel):
        page.go.connect(lambda page_id, argument: led.append((page_id, argument)))
        port, _ = await stood_in(panel, saves=True)
        assert bench.old_backend.saver.is_on
        url = f"ws://{STRANGER}:{port}/ocpp/CP-7"
        async with websockets.connect(url, host=HOST, port=port, subprotocols=["ocpp1.6"], proxy=None):  # type: ignore[list-item]
            await until(lambda: f"CP-7 came by {STRANGER}" in panel.standing.landed.text())
            panel.standing.show_charger.click()
        await until(lambda: not bench.server.state.connections)
    assert led == [("endpoint", "CP-7")]


async def test_standing_in_ends_on_request(bench: Any) -> None:
    async with opened(bench) as (_page, panel):
        port, _ = await stood_in(panel)
        await until(lambda: panel.standing.isVisible())
        panel.standing.stop.click()
        await until(lambda: not panel.standing.isVisible())
        assert await address_of(panel, STRANGER) == ""
        assert panel.names.names.toPlainText() == ""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            assert probe.connect_ex((HOST, port)) != 0


async def test_standing_in_for_a_juicebox_takes_its_whole_set_and_listens(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    listened: list[str] = []

    async def start(host: str) -> None:
        listened.append(host)

    monkeypatch.setattr(bench.juice, "start", start)
    async with opened(bench) as (_page, panel):
        await running(panel, Stand.DNS)
        await asked(panel, DEAD)
        panel.log.table.selectRow(0)
        panel.log.bar.stand_in.click()
        assert "Nothing is sent to a box before you adopt it" in await answer(panel, "yes")
        await until(lambda: listened)
        assert listened == [HOST]
        assert "juicebox-enel-us" in [item.id for item in bench.garage.choice.sets]
        assert await address_of(panel, "directory-api.emotorwerks.com") == ""


async def test_nothing_is_stood_in_for_without_a_yes(bench: Any) -> None:
    async with opened(bench) as (_page, panel):
        await running(panel, Stand.DNS)
        await asked(panel, STRANGER)
        panel.log.table.selectRow(0)
        panel.log.bar.stand_in.click()
        await answer(panel, "")
        await until(lambda: not panel.tasks.is_running("stand in"))
        assert bench.garage.choice.answered == ()
        assert not bench.server.state.is_listening


async def test_a_name_that_a_set_keeps_out_is_not_offered(bench: Any) -> None:
    async with opened(bench) as (_page, panel):
        await running(panel, Stand.DNS)
        await asked(panel, "directory-api.emotorwerks.com")
        panel.log.table.selectRow(0)
        assert panel.log.bar.isVisible()
        assert not panel.log.bar.stand_in.isVisible()


async def test_a_client_that_is_a_known_charger_is_named_and_shown(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way(
        address=NetAddress(host="10.1.2.3", port=80), source=SourceKind.MANUAL, driver_id="x", seen_at=bench.now()
    )
    unit = Unit(unit_id="u1", identity=Identity(name="Stall 7"), ways=(way,))
    monkeypatch.setattr(type(bench.finder), "units", property(lambda _: {"u1": unit}))
    led: list[tuple[str, object]] = []
    async with opened(bench) as (page, panel):
        page.go.connect(lambda page_id, argument: led.append((page_id, argument)))
        bench.garage._heard(desk_file.Asked(at=bench.now(), stand=Stand.DNS, client="10.1.2.3", name=STRANGER))
        await until(lambda: panel.log.count)
        assert rows(panel)[0][0] == "10.1.2.3 · Stall 7"
        panel.log.table.selectRow(0)
        panel.log.bar.find_button.click()
    assert led == [("unit", "u1")]


async def test_a_client_that_is_no_charger_says_so(bench: Any) -> None:
    async with opened(bench) as (_page, panel):
        await running(panel, Stand.DNS)
        await asked(panel, STRANGER)
        panel.log.table.selectRow(0)
        panel.log.bar.find_button.click()
        await until(lambda: not panel.tasks.is_running("find") and "Asking" not in panel.log.bar.more.text())
        assert panel.log.bar.more.text()


async def test_the_log_is_filtered_copied_saved_and_cleared(bench: Any, tmp_path: Path) -> None:
    async with opened(bench) as (_page, panel):
        await running(panel, Stand.DNS)
        await asked(panel, "printer.example", DEAD, STRANGER)
        log = panel.log
        log.known.setChecked(True)
        assert [row[1] for row in rows(panel)] == [DEAD]
        log.known.setChecked(False)
        log.search.setText("dead 127.0")
        assert [row[1] for row in rows(panel)] == [STRANGER]
        log.copy_button.click()
        assert STRANGER in QGuiApplication.clipboard().text()
        log.search.clear()
        log.write(tmp_path / "log.csv", panel_csv(panel))
        saved = list(csv.DictReader(io.StringIO((tmp_path / "log.csv").read_text(encoding="utf-8"))))
        assert [line["asked_for"] for line in saved] == [STRANGER, DEAD, "printer.example"]
        log.clear_button.click()
        assert log.count == 0
        await asked(panel, "again.example")
        assert [row[1] for row in rows(panel)] == ["again.example"]


def panel_csv(panel: ServicesPanel) -> str:
    from ui.models.garage import log_csv

    return log_csv(panel.log.model.items)


async def test_a_log_that_cannot_be_written_is_told(bench: Any, tmp_path: Path) -> None:
    async with opened(bench) as (_page, panel):
        panel.log.write(tmp_path / "missing" / "log.csv", "")
        assert panel.log.said.text().startswith("Not saved:")


async def test_ticked_sets_and_own_names_count_at_once(bench: Any) -> None:
    async with opened(bench) as (page, panel):
        await running(panel, Stand.DNS)
        page.open(("services", "names"))
        names = panel.names
        next(row for row in names.rows if row.set_id == "ntp").tick.click()
        names.names.setPlainText("*.dead.example")
        names.refused.setPlainText("update.dead.example")
        await until(lambda: bench.garage.choice.names == ("*.dead.example",))
        assert await address_of(panel, "pool.ntp.org") == HOST
        assert await address_of(panel, "a.dead.example") == HOST
        assert await address_of(panel, "update.dead.example") == ""
        assert names.summary.text() == "5 names answered, 1 kept without an address, others refused."


async def test_a_name_that_is_none_is_told_and_changes_nothing(bench: Any) -> None:
    async with opened(bench) as (page, panel):
        page.open(("services", "names"))
        names = panel.names
        names.names.setPlainText("good.example")
        names.apply()
        names.names.setPlainText("good.example\nno_name!!")
        await until(lambda: not names.problem.isHidden())
        assert "“no_name!!” is not a host name" in names.problem.text()
        assert bench.garage.choice.names == ("good.example",)


async def test_a_resolver_is_asked_for_before_it_counts(bench: Any) -> None:
    async with opened(bench) as (page, panel):
        page.open(("services", "names"))
        names = panel.names
        names.forward.click()
        names.apply()
        assert "give the resolver's address" in names.problem.text()
        names.resolver.setText("192.0.2.53")
        names.apply()
        assert bench.garage.choice.forward_to == "192.0.2.53"
        assert names.problem.isHidden()
        names.refuse.click()
        assert bench.garage.choice.forward_to == ""


async def test_what_is_chosen_elsewhere_is_shown(bench: Any) -> None:
    async with opened(bench) as (page, panel):
        page.open(("services", "names"))
        bench.garage.choose(["juicebox-voltie"], names=["x.example"])
        panel.refresh()
        assert [row.set_id for row in panel.names.rows if row.tick.isChecked()] == ["juicebox-voltie"]
        assert panel.names.names.toPlainText() == "x.example"


async def test_the_routers_text_has_our_address_and_the_names(bench: Any) -> None:
    async with opened(bench) as (page, panel):
        page.open(("services", "router"))
        assert panel.router.empty.isVisible()
        panel.router.empty.acted.emit()
        assert panel.tabs.currentIndex() == NAMES
        panel.names.names.setPlainText(STRANGER)
        panel.names.apply()
        panel.tabs.setCurrentIndex(ROUTER)
        await until(lambda: panel.router.recipes)
        for index in range(panel.router.router.count()):
            panel.router.router.setCurrentIndex(index)
            assert panel.router.source.text()
        panel.router.router.setCurrentIndex(panel.router.router.findData("dnsmasq"))
        panel.router.copy_button.click()
        assert f"{STRANGER}/{HOST}" in QGuiApplication.clipboard().text()


async def test_the_rights_name_each_service_with_commands_to_copy(bench: Any) -> None:
    async with opened(bench) as (page, panel):
        page.open(("services", "rights"))
        await until(lambda: panel.rights.sections)
        assert [section.stand for section in panel.rights.sections] == list(Stand)
        field = panel.rights.sections[0].fields[0]
        field.button.click()
        assert QGuiApplication.clipboard().text() == field.text


async def test_addresses_are_asked_about_first_and_refusals_explained(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "adapters", lambda: [Adapter(name="eth9", address="10.9.9.1")])
    async with opened(bench) as (_page, panel):
        card = panel.cards[Stand.DHCP]
        assert (card.host, card.switch.isEnabled()) == ("", False)
        card.adapter.setCurrentIndex(0)
        card.adapter.activated.emit(0)
        card.switch.click()
        assert "Only on a direct cable" in await answer(panel, "start")
        await until(lambda: card.state.text == "Can't run")
        assert card.trouble.text().startswith("The demo gives out no addresses.")


async def test_a_taken_port_names_the_way_over_the_router(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, 0))
        monkeypatch.setattr(bench.garage, "_is_demo", False)
        monkeypatch.setattr(desk_file, "PORTS", {**desk_file.PORTS, Stand.DNS: other.getsockname()[1]})
        async with opened(bench) as (_page, panel):
            card = panel.cards[Stand.DNS]
            card.switch.click()
            await until(lambda: card.state.text == "Can't run")
            assert "rehome standin" not in card.trouble.text()
            card.router.click()
            assert panel.tabs.currentIndex() == ROUTER


async def test_leaving_the_program_stops_every_service(open_bench: Any) -> None:
    async with open_bench() as bench, opened(bench) as (_page, panel):
        port = await running(panel, Stand.DNS)
        garage = bench.garage
    assert not garage.states[Stand.DNS].is_on
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
        mine.bind((HOST, port))
