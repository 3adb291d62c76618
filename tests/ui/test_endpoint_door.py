"""How we listen, through its real widgets: addresses, strictness, TLS face, root certificate, and a knock's TLS offer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import websockets
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QWidget

from ui import dialogs
from ui.pages.endpoint import EndpointPage
from ui.pages.endpoint_door import DoorPanel
from ui.pages.endpoint_unit import HANDSHAKE


async def until(wanted: Any) -> Any:
    async with asyncio.timeout(10):
        while not (found := wanted()):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        return found


@asynccontextmanager
async def opened(bench: Any, host: str = "127.0.0.1") -> AsyncIterator[tuple[EndpointPage, DoorPanel]]:
    await bench.server.start(host, 0)
    page = EndpointPage(bench)
    page.resize(1180, 672)
    page.show()
    page.tabs.setCurrentWidget(page.door)
    try:
        yield page, page.door
    finally:
        await page.tasks.stop()
        page.close()
        page.deleteLater()


def click(button: QWidget) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def choose(box: QComboBox, value: object) -> None:
    """Choose as a user does, with the keyboard."""
    box.setFocus()
    for _ in range(abs(box.findData(value) - box.currentIndex())):
        QTest.keyClick(box, Qt.Key.Key_Down if box.findData(value) > box.currentIndex() else Qt.Key.Key_Up)


async def test_each_adapter_has_its_addresses_to_copy_and_a_test(bench: Any) -> None:
    async with opened(bench) as (page, door):
        port = bench.server.state.port
        (row,) = door.addresses.rows
        assert [field.text for field in row.fields] == [f"ws://127.0.0.1:{port}/", f"wss://127.0.0.1:{port}/"]
        click(row.fields[1].button)
        assert QGuiApplication.clipboard().text() == f"wss://127.0.0.1:{port}/"
        assert page.listen_panel.secure_url.text == f"wss://127.0.0.1:{port}/"
        click(row.test)
        await until(row.verdict.isVisible)
        assert row.verdict.tone == "good"
        assert "firewall" in row.advice.text()
        await bench.server.stop()
        await until(lambda: door.addresses.none.isVisible() and not door.addresses.rows)


@pytest.mark.parametrize(("host", "is_v6"), [("0.0.0.0", False), ("::", True)])
async def test_all_adapters_are_listed_where_we_listen_on_all(bench: Any, host: str, is_v6: bool) -> None:
    async with opened(bench, host) as (_, door):
        shown = {row.adapter.address for row in door.addresses.rows}
        assert "127.0.0.1" in shown
        assert is_v6 or not any(":" in address for address in shown)


async def test_strictness_profile_and_face_are_chosen_kept_and_reminded_of(bench: Any) -> None:
    async with opened(bench) as (page, door):
        manner = door.manner
        assert not page.listen_panel.manner.isVisible()
        choose(manner.strict, True)
        await until(lambda: bench.server.plan.is_strict)
        choose(manner.profile, 2)
        await until(lambda: bench.server.plan.security_profile == 2)
        choose(manner.personality, "ec")
        await until(lambda: bench.server.plan.personality == "ec")
        assert (bench.settings.endpoint_strict, bench.settings.endpoint_profile) == (True, 2)
        assert bench.settings.endpoint_personality == "ec"
        assert "EC" in manner.why.text()
        reminder = page.listen_panel.manner
        await until(lambda: "profile 2" in reminder.text and "EC" in reminder.text)
        assert reminder.isVisible()
        click(manner.tls)
        await until(lambda: not bench.server.state.secure_url)
        await until(lambda: not page.listen_panel.secure_url.isVisible())
        assert not manner.personality.isEnabled()


async def test_a_face_that_is_not_there_is_refused_in_words(bench: Any) -> None:
    async with opened(bench) as (_, door):
        choose(door.manner.personality, "imported")
        await until(door.manner.trouble.isVisible)
        assert "No certificate was imported" in door.manner.trouble.text()
        assert bench.server.plan.personality != "imported"
        assert door.manner.personality.currentData() == bench.server.plan.personality


async def test_the_root_is_shown_and_saved(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(bench) as (_, door):
        await until(lambda: door.root.fingerprint.text)
        assert door.root.fingerprint.text.count(":") == 31
        assert "RSA 2048" in door.root.root.text()
        for kind, button in door.root.save.items():

            async def chosen(*_: Any, save_as: str = "", **__: Any) -> Path:
                return tmp_path / save_as

            monkeypatch.setattr(dialogs, "choose_file", chosen)
            click(button)
            path = tmp_path / f"rehome-root.{kind}"
            await until(lambda path=path, button=button: path.exists() and button.isEnabled())
            assert b"PRIVATE" not in path.read_bytes()


async def test_a_wrong_file_is_refused_and_a_right_one_can_be_shown_and_forgotten(bench: Any, tmp_path: Path) -> None:
    async with opened(bench) as (_, door):
        await until(lambda: door.root.fingerprint.text)
        wrong, right = tmp_path / "wrong.pem", tmp_path / "right.pem"
        wrong.write_text("hello")
        door.root.import_file(wrong)
        assert "neither PEM nor PKCS#12" in door.root.note.text()
        chain, key = bench.authority.leaf("ec", ("csms.example",))
        right.write_text(key + chain)
        door.root.import_file(right)
        assert "CN=csms.example" in door.root.imported.text()
        choose(door.manner.personality, "imported")
        await until(lambda: bench.server.plan.personality == "imported")
        click(door.root.drop)
        await until(lambda: bench.server.plan.personality == "auto")
        assert door.root.imported.text() == "None"


async def test_a_knock_shows_what_was_offered_in_tls_and_what_it_means(bench: Any) -> None:
    async with opened(bench) as (page, _):
        page.tabs.setCurrentWidget(page.knocks)
        with suppress(ssl.SSLError):
            await asyncio.open_connection(
                "127.0.0.1", bench.server.state.port, ssl=ssl.create_default_context(), server_hostname="csms.example"
            )
        await until(lambda: page.knocks.model.items)
        page.knocks.table.selectRow(0)
        detail = page.knocks.detail
        await until(detail.isVisible)
        assert detail.verdict.text == "TLS failed"
        assert f"to 127.0.0.1:{bench.server.state.port}" in detail.about.text()
        offer = detail.hello.toPlainText()
        assert "csms.example" in offer
        assert "TLS 1.3" in offer
        assert "TLS_AES_256_GCM_SHA384" in offer
        assert detail.cards.isVisible()


async def test_a_charger_over_tls_shows_what_was_agreed(bench: Any) -> None:
    async with opened(bench) as (page, _):
        context = ssl.create_default_context(cadata=bench.authority.export("pem").decode())
        url = f"{bench.server.state.secure_url}SAFE-1"
        async with websockets.connect(url, ssl=context, subprotocols=["ocpp1.6"]):
            await until(lambda: page.model.row_of("SAFE-1") is not None)
            page.show_charger("SAFE-1")
            await until(lambda: page.unit.identity == "SAFE-1")
            page.unit.tabs.setCurrentIndex(HANDSHAKE)
            await until(lambda: "TLS_AES_256_GCM_SHA384" in page.unit.handshake.toPlainText())
            assert "TLS 1.3" in page.unit.reading.text()
            assert "GET /SAFE-1" in page.unit.handshake.toPlainText()
