"""The library of all families: search, filters, the sheet, and what to type before a charger is found."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zxingcpp
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QDesktopServices, QGuiApplication, QImage, QPainter
from PySide6.QtWidgets import QLabel, QPushButton, QWidget
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from app.model.guidance import Line
from app.model.profile import Approach, Verdict
from app.report.family import parts
from app.settings import Settings
from ui.models.families import PROFILE_ROLE
from ui.pages.chargers import ChargersPage
from ui.theme import theme
from ui.widgets.familysheet import FamilySheet
from ui.widgets.guidance import FieldRow
from ui.widgets.section import Section
from ui.wizard import card as paper

SECRET = "zebra-Crossing/9-26"


def seen(widget: QWidget, scale: float = 1.0) -> list[str]:
    """Read every code on a picture of a widget, as a phone would."""
    picture = QImage(widget.size() * scale, QImage.Format.Format_Grayscale8)
    picture.setDevicePixelRatio(scale)
    painter = QPainter(picture)
    widget.render(painter, QPoint())
    painter.end()
    pixels = np.frombuffer(picture.constBits(), np.uint8).reshape(picture.height(), picture.bytesPerLine())
    return [code.text for code in zxingcpp.read_barcodes(np.ascontiguousarray(pixels[:, : picture.width()]))]


def words(widget: QWidget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget))


@pytest.fixture
def library(bench: Any) -> ChargersPage:
    page = ChargersPage(bench)
    page.resize(1180, 640)
    page.show()
    return page


def choose(box: Any, value: object) -> None:
    box.setCurrentIndex(box.findData(value))


async def test_filters_by_way_verdict_and_vendor_narrow_the_list(library: ChargersPage, bench: Any) -> None:
    profiles = bench.registry.profiles.values()
    choose(library.approach, Approach.GUIDED)
    assert library.model.rowCount() == sum(item.approach is Approach.GUIDED for item in profiles)
    choose(library.verdict, Verdict.AFTER)
    shown = [library.model.index(row).data(Qt.ItemDataRole.DisplayRole) for row in range(library.model.rowCount())]
    assert "Easee" in shown
    choose(library.vendor, "Zaptec")
    assert library.model.rowCount() == 0
    assert library._nothing.isVisible()
    library._nothing.acted.emit()
    assert library.model.rowCount() == library.model.total


async def test_a_family_is_found_by_the_models_it_is_sold_as_and_by_its_quirks(library: ChargersPage) -> None:
    for text, wanted in (("juice charger me", "bender-web"), ("restarts in a loop", "abb-terra-ac")):
        library.search.setText(text)
        assert library.shown is not None
        assert library.shown.id == wanted


async def test_the_sheet_says_everything_the_help_page_says(library: ChargersPage, bench: Any) -> None:
    for profile_id in ("wallbox", "elli", "alfen", "juicebox-wifi", "bender-web"):
        library.open(profile_id)
        profile = bench.registry.profiles[profile_id]
        await until(lambda: words(library._scroll))
        text = words(library._scroll)
        for part in parts(profile, bench.registry.driver_of(profile)):
            assert part.title in text
            for row in part.rows:
                assert row.text in text
                assert all(note in text for note in row.notes)
                assert row.evidence is None or row.evidence.source in text


async def test_no_sheet_is_wider_than_its_place(library: ChargersPage, bench: Any) -> None:
    library.resize(1180, 640)
    longest = sorted(bench.registry.profiles.values(), key=lambda item: len(str(item)))[-8:]
    for profile_id in ("elli", *(item.id for item in longest)):
        library.open(profile_id)
        sections = library._scroll.findChildren(Section)
        assert sections
        content = library._scroll.widget()
        assert content is not None
        assert content.minimumSizeHint().width() <= library._scroll.viewport().width(), profile_id


async def test_what_to_type_follows_the_form_and_can_be_scanned(library: ChargersPage) -> None:
    library.open("wallbox")
    button = next(item for item in library.findChildren(QPushButton) if item.text() == "What to type …")
    button.click()
    panel = library.typing
    assert panel.isVisible()
    assert not panel.view.isVisible()
    panel.form.url.setText("wss://csms.example/ocpp")
    panel.form.identity.setText("CP-17")
    assert [row.text.text for row in panel.view.rows[:2]] == ["wss://csms.example/ocpp/", "CP-17"]
    for look in ("light", "dark"):
        theme().choose(look)
        for scale in (1.0, 2.0):
            assert seen(panel.view.panel, scale) == ["wss://csms.example/ocpp/"]
    panel.view.panel.next.click()
    assert seen(panel.view.panel) == ["CP-17"]
    assert panel.view.rows[0].done.isChecked()
    panel.back.click()
    assert not panel.isVisible()


async def test_a_password_is_hidden_and_has_no_code_until_it_is_shown(library: ChargersPage) -> None:
    library.open("wallbox")
    library.show_typing()
    form, view = library.typing.form, library.typing.view
    form.url.setText("wss://csms.example/ocpp")
    form.identity.setText("CP-17")
    form.profile.setCurrentIndex(2)
    form.password.setText(SECRET)
    row = view.rows[2]
    assert row.line.is_secret
    row.setFocus()
    view._choose(2)
    assert SECRET not in words(library)
    assert SECRET not in row.text.field.text()
    assert seen(view.panel) == []
    row.text.button.click()
    assert QGuiApplication.clipboard().text() == SECRET
    row.reveal.click()
    assert row.text.field.text() == SECRET
    assert seen(view.panel) == [SECRET]
    row.reveal.click()
    assert seen(view.panel) == []


async def test_ticks_stay_while_nothing_changes_and_go_where_the_text_does(library: ChargersPage) -> None:
    library.open("wallbox")
    library.show_typing()
    form, view = library.typing.form, library.typing.view
    form.url.setText("wss://csms.example/ocpp")
    form.identity.setText("CP-17")
    for row in view.rows[:2]:
        row.done.setChecked(True)
    form.identity.setText("CP-18")
    assert [row.done.isChecked() for row in view.rows[:2]] == [True, False]


async def test_fields_are_gone_through_with_the_keyboard(library: ChargersPage, qtbot: Any) -> None:
    library.open("wallbox")
    library.show_typing()
    library.typing.form.url.setText("wss://csms.example/ocpp")
    library.typing.form.identity.setText("CP-17")
    view = library.typing.view
    library.activateWindow()
    qtbot.keyClick(view.rows[0], Qt.Key.Key_Space)
    qtbot.keyClick(view.rows[0], Qt.Key.Key_Down)
    view.rows[1].chosen.emit()  # an offscreen window may have no focus to give
    assert view.rows[0].done.isChecked()
    assert seen(view.panel) == ["CP-17"]
    qtbot.keyClick(view.rows[1], Qt.Key.Key_Return)
    assert view.rows[1].done.isChecked()


def test_the_content_of_a_file_is_copied_as_it_is(qtbot: Any) -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    place = QWidget()
    qtbot.addWidget(place)
    row = FieldRow(Line(label="CA certificate", holds="certificate", text=pem, is_file=True), 1, place)
    row.text.copy()
    assert QGuiApplication.clipboard().text() == pem


async def test_what_can_not_work_is_said_before_anything_is_typed(library: ChargersPage) -> None:
    library.open("enercharge-dc")
    library.show_typing()
    library.typing.form.url.setText("wss://csms.example/ocpp")
    library.typing.form.identity.setText("CP-17")
    assert "No field for the address of a foreign backend is known." in words(library.typing.view)


@pytest.mark.parametrize("kind", ["html", "pdf"])
async def test_card_and_sheet_are_saved_where_wanted(
    library: ChargersPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    opened: list[str] = []

    async def chosen(*_: object, **__: object) -> Path:
        return tmp_path / f"file.{kind}"

    monkeypatch.setattr(paper, "choose_file", chosen)
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    library.open("wallbox")
    library._print()
    await until(lambda: len(opened) == 1)
    content = (tmp_path / f"file.{kind}").read_bytes()
    assert content.startswith(b"%PDF-" if kind == "pdf" else b"<!doctype html>")
    library.show_typing()
    library.typing.form.url.setText("wss://csms.example/ocpp")
    library.typing.form.identity.setText("CP-17")
    library.typing.view.card.click()
    await until(lambda: len(opened) == 2)
    assert (tmp_path / f"file.{kind}").read_bytes() != content


async def test_what_is_typed_for_this_computer_is_waited_for_and_seen(open_bench: Any) -> None:
    settings = Settings(endpoint_port=0)
    async with open_bench(settings=settings) as bench:
        page = ChargersPage(bench)
        page.resize(1180, 640)
        page.show()
        page.open("wallbox")
        page.show_typing()
        panel = page.typing
        panel.form.preset.setCurrentIndex(1)
        panel.form.identity.setText("CP-99")
        assert panel.waiting.isVisibleTo(panel)
        assert panel.view.guidance is not None
        assert panel.view.guidance.dials == f"{bench.endpoint_urls()[0]}CP-99"
        panel.waiting.begin.click()
        assert "Waiting for “CP-99”" in panel.waiting.countdown.text
        led: list[tuple[str, object]] = []
        page.go.connect(lambda place, argument: led.append((place, argument)))
        async with connect(panel.view.guidance.dials, subprotocols=[Subprotocol("ocpp1.6")]) as charger:
            boot = [2, "1", "BootNotification", {"chargePointVendor": "Wall Box", "chargePointModel": "Pulsar"}]
            await charger.send(json.dumps(boot))
            await until(lambda: panel.waiting.open.isVisibleTo(panel))
            assert "dials this computer" in panel.waiting.seen.text()
            panel.waiting.open.click()
        assert [place for place, _ in led] == ["unit"]
        panel.form.url.setText("wss://csms.example/ocpp")
        assert not panel.waiting.isVisibleTo(panel)
        await page.tasks.stop()


async def until(wanted: Any) -> None:
    async with asyncio.timeout(20):
        while not wanted():  # noqa: ASYNC110  # Qt has no event to wait for
            await asyncio.sleep(0.01)


async def test_every_control_has_a_name(library: ChargersPage) -> None:
    for combo in (library.approach, library.verdict, library.vendor):
        assert combo.accessibleName()
    library.open("bender-web")
    library.show_typing()
    library.typing.form.url.setText("wss://csms.example/ocpp")
    library.typing.form.identity.setText("CP-17")
    for row in library.typing.view.rows:
        assert row.accessibleName()
        assert row.done.accessibleName()
        assert row.text.button.accessibleName()
    assert library.typing.view.panel.code.accessibleName().startswith("QR code: ")


async def test_families_of_no_vendor_stand_last_and_no_vendor_is_empty(library: ChargersPage) -> None:
    rows = [library.model.index(row).data(PROFILE_ROLE) for row in range(library.model.rowCount())]
    nameless = [not profile.vendor for profile in rows]
    assert nameless == sorted(nameless)
    assert any(nameless)
    assert all(library.model.vendors)
    assert library.shown is rows[0]


async def test_nothing_is_offered_to_type_into_what_is_only_read(library: ChargersPage) -> None:
    def offers(profile_id: str) -> bool:
        library.open(profile_id)
        sheet = library.findChildren(FamilySheet)[-1]
        assert sheet.accessibleName() == library.shown.family  # type: ignore[union-attr]  # one is shown
        return any(button.text() == "What to type …" for button in sheet.findChildren(QPushButton))

    assert offers("wallbox")
    assert offers("openevse-wifi")
    assert not offers("modbus-units")
    assert not offers("juicebox-cellular")
