"""The Site page with a real workbench and a simulated charger on loopback, by mouse and by keyboard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QScrollArea

from app.model.address import OcppAddress
from app.model.frame import SourceHealth, SourceState
from app.model.unit import Adoption, Identity, SourceKind, Unit, Way
from app.sim.openevse import OpenEvseGateway
from app.storage.db import Store
from ui.pages import site_filters
from ui.pages.site import CARDS, NOTHING, START, TABLE, SitePage
from ui.pages.site_import import ImportDialog, import_list

DEAD = {"ocpp_enabled": True, "ocpp_server": "ws://127.0.0.1:9/ocpp", "ocpp_chargeBoxId": "CP-1"}
NOW = datetime.now(UTC)


async def until(wanted: Callable[[], Any]) -> Any:
    """Let the loop run until something is there."""
    async with asyncio.timeout(10):
        while not (found := wanted()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return found


def unit(key: str, adoption: Adoption = Adoption.UNKNOWN, **identity: str) -> Unit:
    way = Way(
        driver_id="ocpp-local",
        address=OcppAddress(identity=key),
        source=SourceKind.DIAL_IN,
        seen_at=NOW,
        is_present=False,
    )
    return Unit(unit_id=key, identity=Identity(name=key, **identity), ways=(way,), adoption=adoption, last_seen_at=NOW)


@asynccontextmanager
async def site(open_bench: Any, home: Path, *units: Unit) -> AsyncIterator[SitePage]:
    """Open the page on a site where these chargers were seen before."""
    home.mkdir(exist_ok=True)
    store = Store.open(home / "rehome.db")
    for item in units:
        store.units.save(item)
    store.close()
    async with open_bench() as bench:
        page = SitePage(bench)
        page.resize(1180, 656)
        page.went = []  # type: ignore[attr-defined]
        page.go.connect(lambda *where: page.went.append(where))  # type: ignore[attr-defined]
        page.show()
        try:
            yield page
        finally:
            await page.tasks.stop()
            page.close()
            page.deleteLater()


def flush(page: SitePage) -> None:
    for bridge in page._bridges:
        bridge.flush()


async def test_a_panel_beside_the_chargers_fits_into_a_narrow_window(open_bench: Any, home: Path) -> None:
    """A page wider than its window hides its panel's buttons behind a scroll bar."""
    async with site(open_bench, home, unit("CP-1", Adoption.ORPHANED)) as page:
        holder = QScrollArea()
        holder.setWidgetResizable(True)
        holder.setWidget(page)
        holder.resize(924, 560)
        holder.show()
        try:
            for button in (page.lan_button, page.label_button, page.line.views.button(site_filters.TRIAGE)):
                button.click()
                await until(lambda: page.width() == holder.viewport().width())
        finally:
            holder.takeWidget()
            holder.close()
            holder.deleteLater()


async def test_an_empty_site_teaches_how_to_connect(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        assert page.stack.currentIndex() == START
        texts = " ".join(label.text() for label in page.start.findChildren(QLabel))
        for word in ("Serial cable", "Same network", "address", "dial in"):
            assert word in texts


async def test_the_address_to_dial_is_there_to_copy(open_bench: Any, home: Path, free_port: int) -> None:
    async with site(open_bench, home) as page:
        await page.bench.start_endpoint("127.0.0.1", free_port)
        await until(lambda: page.start.url.text)
        page.start.url.button.click()
        assert QGuiApplication.clipboard().text() == f"ws://127.0.0.1:{free_port}/"
        await page.bench.stop_endpoint()


async def test_a_charger_is_added_by_its_address_and_rehomed_by_one_click(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page, OpenEvseGateway(config=DEAD, time_scale=0.05) as gateway:
        page.add_bar.field.setFocus()
        QTest.keyClicks(page.add_bar.field, str(gateway.address))
        QTest.keyClick(page.add_bar.field, Qt.Key.Key_Return)
        row = await until(lambda: next(iter(page.bench.finder.units.values()), None))
        await until(
            lambda: page.model.get(row.unit_id) and page.model.get(row.unit_id).unit.adoption is Adoption.ORPHANED
        )
        assert page.stack.currentIndex() == CARDS
        assert page.add_bar.field.text() == ""
        index = page.model.index(page.model.row_of(row.unit_id), 0)
        spot = page.cards.delegate.button_rect(page.cards.visualRect(index)).center()
        QTest.mouseClick(page.cards.viewport(), Qt.MouseButton.LeftButton, pos=spot)
        assert page.went == [("jobs", f"unit:{row.unit_id}")]
        await page.tasks.stop()


async def test_nothing_at_the_address_says_so_under_the_field(open_bench: Any, home: Path, free_port: int) -> None:
    async with site(open_bench, home) as page:
        page.add_bar.field.setText(f"127.0.0.1:{free_port}")
        page.add_bar.button.click()
        await until(page.add_bar.error.isVisible)
        assert len(page.add_bar.error.text()) > 20
        assert page.add_bar.field.property("tone") == "fault"
        QTest.keyClicks(page.add_bar.field, "1")
        assert not page.add_bar.error.isVisible()


async def test_a_press_beside_the_button_opens_nothing(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home, unit("a", Adoption.ORPHANED)) as page:
        rect = page.cards.visualRect(page.model.index(0, 0))
        QTest.mouseClick(page.cards.viewport(), Qt.MouseButton.LeftButton, pos=rect.topLeft() + QPoint(100, 30))
        assert page.went == []
        assert page.action_bar.label.text() == "a"


async def test_the_keyboard_walks_opens_and_acts(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home, *(unit(name) for name in "abcdef")) as page:
        page.cards.setFocus()
        page.select("a")
        QTest.keyClick(page.cards, Qt.Key.Key_Right)
        assert page.action_bar.label.text() == "b"
        QTest.keyClick(page.cards, Qt.Key.Key_Down)
        below = page.action_bar.label.text()
        assert below not in ("a", "b")
        QTest.keyClick(page.cards, Qt.Key.Key_Return)
        QTest.keyClick(page.cards, Qt.Key.Key_Space)
        assert page.went == [("unit", below), ("unit", below)]


async def test_headings_are_skipped_by_the_arrow_keys(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home, unit("a", Adoption.ORPHANED), unit("b", Adoption.OURS)) as page:
        page.grouping.setCurrentIndex(1)
        page.select("a")
        QTest.keyClick(page.cards, Qt.Key.Key_Down)
        assert page.action_bar.label.text() == "b"


async def test_search_and_filter_leave_a_way_back(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home, unit("a", Adoption.ORPHANED), unit("b", Adoption.OURS)) as page:
        page.filters[Adoption.ORPHANED].click()
        assert page.model.shown == 1
        page.search.setText("b")
        assert page.stack.currentIndex() == NOTHING
        page.nothing.acted.emit()
        assert (page.model.shown, page.stack.currentIndex()) == (2, CARDS)


async def test_cards_and_table_show_the_same_selection(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home, unit("a"), unit("b")) as page:
        page.select("b")
        page.line.views.button(1).click()
        assert page.stack.currentIndex() == TABLE
        assert page.model.at(page.table.currentIndex()).key == "b"
        QTest.keyClick(page.table, Qt.Key.Key_Return)
        assert page.went == [("unit", "b")]


async def test_sources_in_trouble_show_their_advice(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.sources.show_states(
            [
                SourceState(
                    source="serial",
                    health=SourceHealth.FAILED,
                    text="No rights.",
                    advice="Join the group <b>dialout</b>.",
                )
            ]
        )
        assert page.sources.isVisible()
        assert "dialout" in page.sources.advice.text()
        assert page.sources.advice.textFormat() is Qt.TextFormat.PlainText
        assert "&lt;b&gt;" in page.sources._chips["serial"].toolTip()
        page.sources.show_states([SourceState(source="serial", health=SourceHealth.WORKING)])
        assert not page.sources.isVisible()


async def test_names_are_never_markup(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home, unit("<h1>big</h1><img src='http://evil.example/x'>")) as page:
        page.select(next(iter(page.bench.finder.units)))
        for label in page.action_bar.findChildren(QLabel):
            assert label.textFormat() is Qt.TextFormat.PlainText


async def test_a_forgotten_charger_leaves_the_screen(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home, unit("a"), unit("b")) as page:
        page.select("a")
        page._forget()
        flush(page)
        assert page.model.keys == ("b",)


async def test_two_hundred_chargers_arrive_in_one_go(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home, *(unit(f"stall {n:03}") for n in range(200))) as page:
        assert page.model.shown == 200
        page.select("stall 199")
        assert page.cards.viewport().rect().intersects(page.cards.visualRect(page.cards.currentIndex()))


async def test_every_control_has_a_name(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit

        for kind in (QAbstractButton, QComboBox, QLineEdit):
            for control in page.findChildren(kind):
                if control.objectName().startswith("qt_") or isinstance(control.parent(), QLineEdit):
                    continue
                assert control.accessibleName() or control.text(), control


async def test_a_list_is_previewed_before_it_is_taken(open_bench: Any, home: Path, tmp_path: Any) -> None:
    async with site(open_bench, home, unit("a", serial="SN0001")) as page:
        path = tmp_path / "list.csv"
        path.write_text(
            "serial,id,password,backend\nSN0001,CP-1,s3cret,ws://csms.example/ocpp\n,,x,\n", encoding="utf-8"
        )
        task = page.tasks.start("import", import_list(page.bench, page, path))
        dialog = await until(lambda: page.findChild(ImportDialog))
        shown = [str(dialog.table.model().index(0, column).data()) for column in range(6)]
        assert "s3cret" not in shown
        assert dialog.table.model().rowCount() == 2
        dialog.take_button.click()
        assert await task == ("a",)
        assert page.bench.vault.get("identity/CP-1").reveal() == "s3cret"
        assert page.bench.settings.presets[-1].url == "ws://csms.example/ocpp"
        assert "CP-1" in page.bench.finder.units["a"].note


async def test_cancelling_the_preview_takes_nothing(open_bench: Any, home: Path, tmp_path: Any) -> None:
    async with site(open_bench, home) as page:
        path = tmp_path / "list.csv"
        path.write_text("SN1,CP-1,s3cret,ws://csms.example/ocpp\n", encoding="utf-8")
        task = page.tasks.start("import", import_list(page.bench, page, path))
        dialog = await until(lambda: page.findChild(ImportDialog))
        dialog.reject()
        assert await task == ()
        assert page.bench.vault.get("identity/CP-1") is None


async def test_the_cards_settle_at_any_size(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home, *(unit(name) for name in "abcdef")) as page:
        bar = page.cards.verticalScrollBar()
        changes: list[int] = []
        bar.rangeChanged.connect(lambda _, most: changes.append(most))
        for width in range(760, 1300, 90):
            for height in (430, 656, 900):
                page.resize(width, height)
                for _ in range(20):  # turns of the loop, each with Qt's own events
                    await asyncio.sleep(0.001)
                    if len(changes) > 10:
                        break
                assert len(changes) <= 10, (width, height)
                changes.clear()
                assert bar.isVisible() == (bar.maximum() > 0)
                row = page.cards.visualRect(page.model.index(0, 0))
                assert row.right() <= page.cards.viewport().width()
