"""Labels on the Site page: by barcode reader, photo, paste and drop; look-alikes are stopped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QImage, QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton

from app.errors import UnreadablePhoto
from app.labels.reading import PIXEL_LIMIT, read
from app.model.address import NetAddress, OcppAddress
from app.model.unit import Identity, SourceKind, Unit, Way
from app.settings import Listed
from app.storage.db import Store
from tests.labels.kit import NOW, PHOTOS, code, scene
from ui import photo
from ui.models.sitelist import read as read_list
from ui.pages import site_label
from ui.pages.site import SitePage
from ui.pages.site_import import take
from ui.pages.site_label import READING
from ui.pages.site_label_card import LabelCard, Spellings
from ui.pages.site_label_reader import GAP_MS

LIST = b"serial;id;backend\nWB-4711-0042;GARAGE-01;wss://csms.example.org/ocpp\nWB-4711-0043;GARAGE-02;\n"


def unit(key: str, serial: str, host: str = "") -> Unit:
    address = NetAddress(host=host) if host else OcppAddress(identity=key)
    way = Way(driver_id="x", address=address, source=SourceKind.MANUAL, seen_at=NOW, is_present=False)
    return Unit(unit_id=key, identity=Identity(name=key, serial=serial), ways=(way,), last_seen_at=NOW)


@asynccontextmanager
async def site(open_bench: Any, home: Path, *units: Unit) -> AsyncIterator[SitePage]:
    home.mkdir(exist_ok=True)
    store = Store.open(home / "rehome.db")
    for item in units or (unit("u1", "WB47110042", "192.0.2.7"), unit("u2", "Q-777")):
        store.units.save(item)
    store.close()
    async with open_bench() as bench:
        take(tuple(read_list(LIST)), bench)
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


async def until(wanted: Callable[[], Any]) -> Any:
    async with asyncio.timeout(20):
        while not (found := wanted()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return found


async def done(page: SitePage) -> None:
    await until(lambda: not page.tasks.is_running(READING))


def cards(page: SitePage) -> list[LabelCard]:
    return [item for item in page.labels.findChildren(LabelCard) if item.isVisibleTo(page)]


def titles(page: SitePage) -> list[str]:
    return [item.card.title for item in cards(page)]


def words(page: SitePage) -> str:
    return " ".join(label.text() for label in page.labels.findChildren(QLabel) if label.isVisibleTo(page))


async def shows(page: SitePage, expected: list[str]) -> None:
    """Wait for these cards: what is added to a layout shows itself one turn of the loop later."""
    await until(lambda: titles(page) == expected)


async def says(page: SitePage, text: str) -> None:
    await until(lambda: text in words(page))


async def press(page: SitePage, name: str) -> None:
    found = await until(
        lambda: [item for item in page.labels.findChildren(QPushButton, name) if item.isVisibleTo(page)]
    )
    found[0].click()


class Keys:
    """A keyboard at the window, with its own clock."""

    def __init__(self, page: SitePage) -> None:
        self.window = page.window().windowHandle()
        self.now_ms = 1000

    def type(self, text: str, gap_ms: int) -> None:
        for char in text:
            self.press(0 if char.isalnum() is False else ord(char.upper()), char, gap_ms)

    def press(self, key: int, text: str = "", gap_ms: int = 2) -> None:
        self.now_ms += gap_ms
        modifiers = Qt.KeyboardModifier.ShiftModifier if text.isupper() else Qt.KeyboardModifier.NoModifier
        for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            event = QKeyEvent(kind, key, modifiers, text)
            event.setTimestamp(self.now_ms)
            QCoreApplication.sendEvent(self.window, event)


# The barcode reader


async def test_a_reader_scans_without_any_field_and_the_charger_is_selected(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.select("u2")
        page.cards.setFocus()
        keys = Keys(page)
        keys.type("WB-4711-0042", 3)
        keys.press(Qt.Key.Key_Return)
        await shows(page, ["This is u1"])
        assert page._current == "u1"
        assert page.went == []  # Enter opened nothing
        await says(page, "1 of 2")


async def test_a_reader_that_ends_with_two_keys_opens_nothing(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.cards.setFocus()
        keys = Keys(page)
        keys.type("SN 12 WB47110042 X", 3)
        keys.press(Qt.Key.Key_Return)
        keys.press(Qt.Key.Key_Enter)
        await shows(page, ["Not on this site"])
        assert page.went == []


@pytest.mark.parametrize(
    ("key", "text"), [(Qt.Key.Key_Tab, "\t"), (10, "\n"), (Qt.Key.Key_J, "\n"), (Qt.Key.Key_M, "\r")]
)
async def test_a_reader_may_end_otherwise(key: int, text: str, open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.cards.setFocus()
        keys = Keys(page)
        keys.type("WB-4711-0042", 3)
        keys.press(key, text)
        await shows(page, ["This is u1"])


async def test_what_a_person_types_does_what_it_did_before(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.cards.setFocus()
        page.select("u1")
        keys = Keys(page)
        keys.type("u2ab", GAP_MS + 60)
        await until(lambda: not page.labels.reader._held)
        keys.press(Qt.Key.Key_Return, "\r", 200)
        assert page.went
        assert not page.labels.isVisible()


async def test_a_few_quick_keys_are_no_label(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.cards.setFocus()
        seen: list[str] = []
        page.cards.keyboardSearch = seen.append  # type: ignore[method-assign]
        keys = Keys(page)
        keys.type("u2", 5)
        keys.press(Qt.Key.Key_Return, "\r", 5)
        assert page.went
        assert "".join(seen) == "u2"


async def test_a_field_keeps_all_its_keys(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.activateWindow()
        page.search.setFocus()
        await until(lambda: page.search.hasFocus())
        Keys(page).type("WB-4711-0042", 3)
        assert page.search.text() == "WB-4711-0042"
        assert not page.labels.isVisible()


async def test_nothing_is_listened_to_while_the_page_is_away(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        keys = Keys(page)
        page.hide()
        keys.type("WB-4711-0042", 3)
        keys.press(Qt.Key.Key_Return)
        assert cards(page) == []


async def test_real_key_clicks_of_the_window_system_are_a_scan(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        QTest.qWaitForWindowExposed(page)
        page.cards.setFocus()
        for char in "WB-4711-0042":
            QTest.keyClick(page.window().windowHandle(), char)
        QTest.keyClick(page.window().windowHandle(), Qt.Key.Key_Return)
        await until(lambda: titles(page) == ["This is u1"])


@pytest.mark.parametrize(("arrived", "layout"), [("WBß4711ß0042", "German"), ("ZB)'è&&)àà'é", "French")])
async def test_a_reader_set_to_another_country_is_understood_and_named(
    arrived: str, layout: str, open_bench: Any, home: Path
) -> None:
    async with site(open_bench, home) as page:
        page.labels.take_text(arrived)
        await shows(page, ["This is u1"])
        await says(page, f"set to an American keyboard and this computer to a {layout} one")


# By hand


async def test_a_serial_number_typed_into_the_field_is_found(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.label_button.click()
        assert page.labels.isVisible()
        await says(page, "no field has to be chosen")
        QTest.keyClicks(page.labels.field, "garage-02")
        QTest.keyClick(page.labels.field, Qt.Key.Key_Return)
        await shows(page, ["It only looks like GARAGE-02"])
        page.labels.close_button.click()
        assert not page.labels.isVisible()


async def test_a_charger_that_the_filter_hides_is_selected_all_the_same(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.search.setText("nothing like it")
        page.labels.take_text("Q777")
        assert page._current == "u2"
        assert page.model.row_of("u2") >= 0


# Look-alikes


async def test_a_look_alike_is_stopped_with_both_spellings_marked(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.select("u2")
        page.labels.take_text("WB-4711-0O43")
        await shows(page, ["It only looks like WB-4711-0043"])
        (pair,) = page.labels.findChildren(Spellings)
        label, listed = pair.texts
        assert ">O</span>" in label
        assert ">0</span>" in listed
        await says(page, "“O” (capital letter) on the label, “0” (digit) here")
        assert page._current == "u2"  # nothing was chosen


async def test_correcting_the_list_takes_the_spelling_of_the_label(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.labels.take_text("GARAGE-O1")
        await press(page, "label-correct")
        expected = Listed(serial="WB-4711-0042", identity="GARAGE-O1", backend="wss://csms.example.org/ocpp")
        assert expected in page.bench.settings.listed
        assert len(page.bench.settings.listed) == 2
        await shows(page, ["This is u1"])


async def test_another_charger_is_added_and_both_stay(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.labels.take_text("WB-4711-0O43")
        await press(page, "label-add")
        assert [row.serial for row in page.bench.settings.listed] == ["WB-4711-0042", "WB-4711-0043", "WB-4711-0O43"]
        await shows(page, ["WB-4711-0O43 is on the list"])
        await says(page, "easily mixed up")


async def test_markup_in_a_spelling_stays_text(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.bench.change_settings(replace(page.bench.settings, listed=(Listed(identity="<b>CP0</b>"),)))
        page.labels.take_text("<b>CPO</b>")
        (pair,) = page.labels.findChildren(Spellings)
        assert "<b>" not in "".join(pair.texts)


def test_an_imported_list_names_its_own_look_alikes_and_takes_them() -> None:
    rows = read_list(b"serial,id\nA1001,CP-01\nA1002,CP-O1\nA1003,CP-03\n")
    assert [row.is_usable for row in rows] == [True, True, True]
    assert [bool(row.problems) for row in rows] == [False, True, False]
    assert "“CP-O1” looks like “CP-01” in line 2" in rows[1].problems[0]


# Unknown, twice, secrets


async def test_an_unknown_label_is_added_to_the_list_and_known_from_then_on(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.labels.take_text("SN: NEW-12345; ID: GARAGE-09")
        await shows(page, ["Not on this site"])
        await press(page, "label-copy")
        assert QGuiApplication.clipboard().text() == "NEW-12345"
        await press(page, "label-add")
        assert Listed(serial="NEW-12345", identity="GARAGE-09") in page.bench.settings.listed
        await shows(page, ["GARAGE-09 is on the list"])


async def test_a_label_that_names_two_chargers_stops(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.labels.take_text("SN: WB47110042 ID: GARAGE-02")
        await shows(page, ["More than one goes by this"])
        await press(page, "label-show")
        assert page._current == "u1"


async def test_a_pin_is_neither_shown_nor_kept_until_somebody_says_so(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.labels.take_text("SN: WB47110042; PIN: 82645")
        assert "82645" not in words(page)
        assert "82645" not in page.labels.field.text()
        assert page.bench.vault.get("charger/192.0.2.7/password") is None
        await press(page, "label-secret-copy")
        assert QGuiApplication.clipboard().text() == "82645"
        await press(page, "label-secret-keep")
        assert page.bench.vault.get("charger/192.0.2.7/password").reveal() == "82645"


async def test_the_next_steps_lead_to_the_charger(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        page.labels.take_text("WB-4711-0042")
        await press(page, "label-open")
        await press(page, "label-rehome")
        assert page.went == [("unit", "u1"), ("jobs", "unit:u1")]


# Photos


@pytest.mark.parametrize("name", ["clean.png", "photo.jpg", "turned.jpg"])
async def test_a_photo_drawn_by_other_programs_is_one_card(
    name: str, open_bench: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    was_said = threading.Event()
    monkeypatch.setattr(site_label, "_codes", lambda source, read=site_label._codes: was_said.wait(20) and read(source))
    async with site(open_bench, home) as page:
        page.labels.take_file(PHOTOS / name)
        await says(page, "Reading the photo")
        was_said.set()
        await done(page)
        await shows(page, ["This is u1"])
        assert "8264" not in words(page)


def picture(text: str = "WB-4711-0042") -> QImage:
    grey = scene(code(text))
    return QImage(grey.tobytes(), grey.shape[1], grey.shape[0], grey.shape[1], QImage.Format.Format_Grayscale8).copy()


async def test_a_pasted_picture_is_read_also_with_the_keyboard_in_the_field(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        QGuiApplication.clipboard().setImage(picture())
        page.label_button.click()
        QTest.keyClick(page.labels.field, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
        await done(page)
        await shows(page, ["This is u1"])
        QGuiApplication.clipboard().setText("Q777\n")
        page.labels.paste_button.click()
        await shows(page, ["This is u2"])
        QGuiApplication.clipboard().clear()
        page.labels.paste_button.click()
        await says(page, "Nothing to read")


async def test_files_and_text_dropped_on_the_page_are_read(open_bench: Any, home: Path) -> None:
    async with site(open_bench, home) as page:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(PHOTOS / "clean.png"))])
        drop(page, data)
        await done(page)
        await shows(page, ["This is u1"])
        data.clear()
        data.setText("Q777")
        drop(page, data)
        await shows(page, ["This is u2"])


def drop(page: SitePage, data: QMimeData) -> None:
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    for kind in (QDragEnterEvent, QDropEvent):  # Qt gives a drop only to whom it announced it
        spot = QPoint(300, 300) if kind is QDragEnterEvent else QPointF(300, 300)
        event = kind(spot, Qt.DropAction.CopyAction, data, left, none)
        QCoreApplication.sendEvent(page, event)
        assert event.isAccepted()


async def test_a_photo_without_a_code_says_what_to_do(open_bench: Any, home: Path, tmp_path: Path) -> None:
    async with site(open_bench, home) as page:
        blank = QImage(300, 200, QImage.Format.Format_RGB32)
        blank.fill(Qt.GlobalColor.gray)
        assert blank.save(str(tmp_path / "wall.png"))
        page.labels.take_file(tmp_path / "wall.png")
        await done(page)
        await says(page, "No code in this photo")
        page.labels.take_file(tmp_path / "gone.png")
        await done(page)
        await says(page, "There is no file gone.png")


# Hostile photos


def saved(image: QImage, kind: str, path: Path) -> bytes:
    assert image.save(str(path), kind)
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["PNG", "JPG", "WEBP", "BMP"])
def test_each_kind_of_photo_is_decoded(kind: str, tmp_path: Path) -> None:
    grey = photo.decode(saved(picture(), kind, tmp_path / "photo"))
    assert [item.text for item in read(grey)] == ["WB-4711-0042"]


def test_what_is_see_through_is_white(tmp_path: Path) -> None:
    image = picture().convertToFormat(QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    assert photo.decode(saved(image, "PNG", tmp_path / "photo")).min() == 255


def bomb() -> bytes:
    """Make a PNG that says it is 60,000 pixels wide and high."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(60_000 * 20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><image href="file:///etc/passwd"/></svg>'


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no JPEG"),
        (b"GIF89a", "can't be read"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "can't be read"),
        (bomb(), "60000 × 60000"),
        (SVG, "no JPEG"),
        (b"%PDF-1.7 ...", "no JPEG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"x" * 60_000_001, "larger than"),
    ],
    ids=["empty", "gif", "png", "bomb", "svg", "pdf", "heic", "large"],
)
def test_a_hostile_photo_is_refused_in_words(data: bytes, why: str, allowed_log: Callable[[str], None]) -> None:
    with pytest.raises(UnreadablePhoto) as caught:
        photo.decode(data)
    assert why in caught.value.message + caught.value.advice


@pytest.mark.qt_log_ignore("JPEG")
@pytest.mark.parametrize("kind", ["JPG", "PNG", "WEBP", "BMP"])
def test_a_photo_that_was_cut_off_never_ends_worse_than_in_words(kind: str, tmp_path: Path) -> None:
    data = saved(picture(), kind, tmp_path / "photo")
    for size in (len(data) // 10, len(data) // 2, len(data) - 5):
        try:
            grey = photo.decode(data[:size])
        except UnreadablePhoto:
            continue
        assert 0 < grey.size <= PIXEL_LIMIT
