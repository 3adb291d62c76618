"""The endpoint page through its real widgets: real ports, real connections."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import websockets
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QWidget

from app.model.address import NetAddress
from app.model.backend import JoinRule
from app.model.finding import Finding, Severity
from app.model.frame import Knock
from app.model.profile import Profile
from app.model.profile_reading import parse
from app.model.unit import Identity, SourceKind, Unit, Way
from ui.models.dialling import for_profile
from ui.models.knocks import KNOCK_FIELDS, knock_key
from ui.models.listing import Listing
from ui.pages.endpoint import CHARGERS, KNOCKS, LISTENING, STRINGS, EndpointPage
from ui.pages.endpoint_unit import FINDINGS, HANDSHAKE
from ui.pages.unit_known import gather
from ui.widgets.copy import CopyField

LIMIT_S = 10


async def until(wanted: Callable[[], Any]) -> Any:
    async with asyncio.timeout(LIMIT_S):
        while not (found := wanted()):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        return found


@asynccontextmanager
async def opened(bench: Any, *, port: int | None = 0) -> AsyncIterator[EndpointPage]:
    if port is not None:
        await bench.server.start("127.0.0.1", port)
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
async def charger(
    bench: Any, identity: str = "CP-1", *, answers: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[list[Any]]:
    """Connect a charge point that boots, and answers our calls from a table; yields the calls it got."""
    url = f"ws://127.0.0.1:{bench.server.state.port}/{identity}"
    options.setdefault("subprotocols", ["ocpp1.6"])
    got: list[Any] = []
    async with websockets.connect(url, compression=None, **options) as ws:
        boot = {"chargePointVendor": "Vendor <b>", "chargePointModel": "Model", "firmwareVersion": "1.2"}
        await ws.send(json.dumps([2, "b", "BootNotification", boot]))
        await asyncio.wait_for(ws.recv(), LIMIT_S)

        async def answer() -> None:
            async for text in ws:
                message = json.loads(text)
                if message[0] != 2:
                    continue
                got.append(message[2:])
                reply = (answers or {}).get(message[2], {"status": "Accepted"})
                kind = [4, message[1], *reply] if isinstance(reply, list) else [3, message[1], reply]
                await ws.send(json.dumps(kind))

        async with asyncio.TaskGroup() as group:
            task = group.create_task(answer())
            try:
                yield got
            finally:
                task.cancel()


def click(button: QWidget) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


async def selected(page: EndpointPage, identity: str) -> None:
    await until(lambda: page.model.row_of(identity) is not None)
    page.show_charger(identity)
    await until(lambda: page.unit.identity == identity and page.unit.isVisible())


# Listening


@contextmanager
def two_ports() -> Iterator[tuple[int, int]]:
    """Give two free ports. On Linux nobody else is given them meanwhile: what is bound and does not listen keeps them."""
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            if sys.platform == "linux":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], other.getsockname()[1]
        if sys.platform != "linux":
            one.close()
            other.close()
        yield ports


async def test_started_moved_and_stopped_by_mouse(bench: Any) -> None:
    with two_ports() as (first, second):
        async with opened(bench, port=None) as page:
            panel = page.listen_panel
            await until(lambda: page.empty.accessibleName() == "The endpoint is off")
            panel.adapter.setCurrentIndex(panel.adapter.findData("127.0.0.1"))
            panel.port.setText(str(first))
            click(panel.main)
            await until(lambda: page.state.text == "Listening")
            assert panel.url.text == f"ws://127.0.0.1:{first}/"
            assert not panel.main.isVisible()
            with socket.create_connection(("127.0.0.1", first), timeout=5):
                pass
            panel.port.selectAll()
            QTest.keyClicks(panel.port, str(second))
            assert panel.main.text() == "Move here"
            QTest.keyClick(panel.port, Qt.Key.Key_Return)
            await until(lambda: bench.server.state.port == second)
            with pytest.raises(OSError):
                socket.create_connection(("127.0.0.1", first), timeout=5)
            click(panel.stop)
            await until(lambda: page.state.text == "Off")


async def test_taken_port_is_explained_and_the_next_one_is_a_click_away(bench: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with opened(bench, port=None) as page:
            panel = page.listen_panel
            panel.adapter.setCurrentIndex(panel.adapter.findData("127.0.0.1"))
            panel.port.setText(str(port))
            panel.apply()
            await until(panel.trouble.isVisible)
            assert f"Port {port} is already used" in panel.trouble_text.text()
            suggestion = panel.suggestion.property("port")
            assert suggestion != port

            def is_moved() -> bool:
                """On a busy machine somebody may have taken that port as well: then there is another suggestion."""
                if panel.trouble.isVisible() and not page.tasks.is_running("listen"):
                    click(panel.suggestion)
                return bench.server.state.is_listening and not panel.trouble.isVisible()

            await until(is_moved)
            assert bench.server.state.port > port


async def test_failed_move_keeps_the_old_port_and_its_chargers(bench: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        async with opened(bench) as page, charger(bench):
            old = bench.server.state.port
            await selected(page, "CP-1")
            page.listen_panel.port.setText(str(taken.getsockname()[1]))
            page.listen_panel.apply()
            await until(page.listen_panel.trouble.isVisible)
            assert bench.server.state.port == old
            assert "CP-1" in bench.server.endpoints


# What to type


def profile(join: str, **url: Any) -> Profile:
    return parse(
        {
            "id": "x",
            "family": "Family <i>X</i>",
            "vendor": "V",
            "driver": "ocpp-local",
            "approach": "ocpp",
            "evidence": [{"source": "a", "grade": "reported"}],
            "timing": {"restart_s": 1, "redial_s": 1, "patience_s": 1},
            "url": {"join": join, **url},
        },
        origin="x",
    )


@pytest.mark.parametrize(
    ("join", "typed", "dialled"),
    [
        (JoinRule.APPEND, "ws://h:1", "ws://h:1/ID"),
        (JoinRule.APPEND_IF_MISSING, "ws://h:1/", "ws://h:1/ID"),
        (JoinRule.AS_IS, "ws://h:1/ID", "ws://h:1/ID"),
    ],
)
def test_each_habit_gets_the_text_that_leads_to_one_slash_and_the_identity(
    join: JoinRule, typed: str, dialled: str
) -> None:
    text = for_profile(profile(join.value), "ws://h:1/", "ID")
    assert (text.typed, text.dialled) == (typed, dialled)
    assert for_profile(profile(join.value), "ws://h:1/", "").dialled == "ws://h:1/<identity>"


def test_address_too_long_for_a_model_is_refused() -> None:
    text = for_profile(profile("append", limit=10), "ws://192.168.1.20:8180/", "ID")
    assert not text.is_possible
    assert "keeps 10 characters" in text.notes[0]


async def test_strings_follow_the_identity_and_can_be_copied(bench: Any) -> None:
    async with opened(bench) as page:
        page.tabs.setCurrentIndex(STRINGS)
        families = [label.text() for label in page.strings.findChildren(QLabel)]
        for known in bench.registry.profiles.values():
            if known.url is not None:
                assert known.family in families
        QTest.keyClicks(page.strings.identity, "GARAGE-7")
        dials = [label.text() for label in page.strings.findChildren(QLabel) if label.text().startswith("It then")]
        assert f"It then dials  ws://127.0.0.1:{bench.server.state.port}/GARAGE-7" in dials
        assert page.focus_search()
        QTest.keyClicks(page.strings.search, "openevse")
        shown = [card for card in page.strings._made if not card.isHidden()]
        assert shown
        assert all("OpenEVSE" in str(card.property("title")) for card in shown)
        page.strings.search.setText("witty")
        shown = [card for card in page.strings._made if not card.isHidden()]
        assert shown, "a name it is sold under finds it too"
        page.strings.search.clear()
        fields = await until(lambda: [one for one in page.strings.findChildren(CopyField) if one.isVisible()])
        click(fields[0].button)
        assert QGuiApplication.clipboard().text() == f"ws://127.0.0.1:{bench.server.state.port}/"


async def test_over_tls_the_texts_change_and_lead_to_our_root(bench: Any) -> None:
    async with opened(bench) as page:
        page.tabs.setCurrentIndex(STRINGS)
        strings = page.strings
        await until(strings.door.isVisible)
        assert not strings.trust.isVisible()
        QTest.keyClick(strings.door, Qt.Key.Key_Down)
        assert strings.trust.isVisible()
        fields = await until(lambda: [one for one in strings.findChildren(CopyField) if one.isVisible()])
        assert not any(field.text.startswith("ws://") for field in fields)
        assert fields[0].text == f"wss://127.0.0.1:{bench.server.state.port}/"
        click(strings.root)
        assert page.tabs.currentIndex() == LISTENING
        await until(lambda: page.door.root.isVisible() and not page.door.root.save["pem"].visibleRegion().isEmpty())
        await bench.adopt_plan(replace(bench.server.plan, tls=False))
        await until(lambda: not strings.is_secure)
        page.tabs.setCurrentIndex(STRINGS)
        assert not strings.door.isVisible()
        assert not strings.trust.isVisible()


def test_a_model_without_tls_says_so() -> None:
    plain = for_profile(profile("append", schemes=["ws"]), "wss://h:1/", "ID")
    assert not plain.is_possible
    assert "wss://" in plain.notes[0]


# Chargers


async def test_the_list_leaves_the_room_to_the_charger_until_somebody_wants_it(bench: Any) -> None:
    async with opened(bench) as page, charger(bench, "GARAGE-1"):
        await selected(page, "GARAGE-1")
        list_height, charger_height = page.splitter.sizes()
        assert list_height < 0.3 * charger_height
        page.splitter.moveSplitter(220, 1)
        chosen = page.splitter.sizes()
        async with charger(bench, "GARAGE-2"):
            await until(lambda: len(page.model.items) == 2)
            assert page.splitter.sizes() == chosen
    async with opened(bench, port=None) as again:
        assert again.splitter.is_chosen
        async with charger(bench, "GARAGE-1"):
            await selected(again, "GARAGE-1")
            assert abs(again.splitter.sizes()[0] - chosen[0]) < 3


async def test_connected_charger_is_listed_with_what_it_said(bench: Any) -> None:
    async with opened(bench) as page:
        assert page.empty.isVisible()
        async with charger(bench, "GARAGE-1"):
            await selected(page, "GARAGE-1")
            await until(lambda: page.model.data(page.model.index(0, 1)) == "Vendor <b> Model")
            row = [page.model.data(page.model.index(0, column)) for column in range(page.model.columnCount())]
            assert row[0] == "GARAGE-1"
            assert row[4] == "ocpp1.6"
            assert row[6] == "Accepted"
            await until(lambda: "Vendor <b> Model" in page.unit.about.text())
            assert page.unit.about.textFormat() is Qt.TextFormat.PlainText
            page.unit.tabs.setCurrentIndex(HANDSHAKE)
            assert page.unit.handshake.toPlainText().startswith("GET /GARAGE-1 HTTP/1.1\nHost: 127.0.0.1")
        await until(lambda: page.model.items[0].is_open is False)
        assert page.unit.presence.text == "Left"
        assert not page.unit.console.send.isEnabled()


async def test_missing_subprotocol_is_a_finding_with_its_remedy(bench: Any) -> None:
    async with opened(bench) as page, charger(bench, subprotocols=None):
        await selected(page, "CP-1")
        await until(lambda: page.unit.tabs.tabText(FINDINGS) != "Findings")
        page.unit.tabs.setCurrentIndex(FINDINGS)
        texts = [label.text() for label in page.unit.findings.findChildren(QLabel)]
        assert "SUBPROTO-NONE" in " ".join(texts)
        assert "What to do" in texts


async def test_password_is_never_shown(bench: Any) -> None:
    async with opened(bench) as page:
        import base64

        header = {"Authorization": "Basic " + base64.b64encode(b"CP-1:geheimnis").decode()}
        async with charger(bench, additional_headers=header):
            await selected(page, "CP-1")
            page.unit.tabs.setCurrentIndex(HANDSHAKE)
            shown = page.unit.handshake.toPlainText() + page.unit.reading.text()
            assert "geheimnis" not in shown
            assert base64.b64encode(b"CP-1:geheimnis").decode() not in shown
            assert page.model.items[0].security == "Sends a password"


async def test_disconnect_button_hangs_up(bench: Any) -> None:
    async with opened(bench) as page, charger(bench):
        await selected(page, "CP-1")
        click(page.unit.hang_up)
        await until(lambda: not bench.server.endpoints)


async def test_show_traffic_leads_to_the_frames_of_the_charger(bench: Any) -> None:
    went: list[Any] = []
    async with opened(bench) as page, charger(bench, "GARAGE-1"):
        page.go.connect(lambda where, what: went.append((where, what)))
        await selected(page, "GARAGE-1")
        click(page.unit.traffic)
        assert went == [("traffic", "GARAGE-1")]


async def test_selection_survives_chargers_coming_and_going(bench: Any) -> None:
    async with opened(bench) as page, charger(bench, "A"):
        async with charger(bench, "B"):
            await selected(page, "B")
            async with charger(bench, "C"):
                await until(lambda: len(page.model.items) == 3)
                assert page.table.current().identity == "B"
        await until(lambda: sum(row.is_open for row in page.model.items) == 1)
        assert page.table.current().identity == "B"


# Knocks


async def test_garbage_is_listed_with_its_bytes_and_advice(bench: Any) -> None:
    async with opened(bench) as page:
        await bench.adopt_plan(replace(bench.server.plan, tls=False))
        _, writer = await asyncio.open_connection("127.0.0.1", bench.server.state.port)
        writer.write(b"\x16\x03\x01<b>hello</b>")
        await writer.drain()
        await until(lambda: page.knocks.model.items)
        writer.close()
        page.tabs.setCurrentIndex(KNOCKS)
        page.knocks.table.selectRow(0)
        detail = page.knocks.detail
        await until(detail.isVisible)
        assert "TLS" in detail.verdict.text
        assert "wss:// to ws://" in detail.text.text()
        assert "16 03 01 3c 62 3e" in detail.bytes.toPlainText()
        assert "<b>hello</b>" in detail.bytes.toPlainText()


async def test_knock_leads_to_its_charger(bench: Any) -> None:
    async with opened(bench) as page, charger(bench, "GARAGE-1"):
        await until(lambda: page.knocks.model.items and page.model.items)
        page.tabs.setCurrentIndex(KNOCKS)
        page.knocks.table.selectRow(0)
        click(page.knocks.detail.show_charger)
        assert page.tabs.currentIndex() == CHARGERS
        assert page.table.current().identity == "GARAGE-1"


async def test_failed_tls_leads_to_the_charger_known_at_that_address(open_bench: Any) -> None:
    at = datetime.now(UTC)
    way = Way(driver_id="openevse", address=NetAddress(host="192.0.2.7"), source=SourceKind.MDNS, seen_at=at)
    unit = Unit(unit_id="u-7", identity=Identity(serial="S-7"), ways=(way,))
    async with open_bench() as before:
        before.store.units.save(unit)
    async with open_bench() as bench, opened(bench) as page:
        wanted: list[object] = []
        page.go.connect(lambda *where: wanted.append(where))
        finding = Finding(code="TLS-TRUST", severity=Severity.FAULT, unit_id="", at=at)
        bench.server.knocked("tls-failed", "It hung up.", "192.0.2.7:50000", b"", "", findings=(finding,))
        await until(lambda: page.knocks.model.items)
        page.tabs.setCurrentIndex(KNOCKS)
        page.knocks.table.selectRow(0)
        assert page.knocks.detail.show_charger.isVisible()
        click(page.knocks.detail.show_charger)
        assert wanted == [("unit", unit.unit_id)]
        assert "TLS-TRUST" in {found.code for found in gather(bench, unit).findings}
        bench.server.knocked("accepted", "It came in.", "192.0.2.7:50001", b"", "")
        assert "TLS-TRUST" not in {found.code for found in gather(bench, unit).findings}


def test_rows_that_come_in_front_keep_the_selection(qapp: Any) -> None:
    from ui.widgets.listview import ListView

    def knock(seq: int) -> Knock:
        return Knock(seq=seq, at=datetime.now(UTC), remote=f"r{seq}", verdict="empty", text="")

    owner = QWidget()
    model: Listing[Knock] = Listing(KNOCK_FIELDS, knock_key, owner)
    view = ListView(model, "Knocks", owner)
    knocks = [knock(number) for number in range(5)]
    model.show(knocks[3:0:-1])
    view.select_key(2)
    model.show(knocks[::-1])
    assert view.current().seq == 2
    model.show([])
    assert view.current() is None
