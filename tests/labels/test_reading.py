"""Codes are read out of photos, good ones and poor ones."""

from __future__ import annotations

import numpy as np
import pytest

from app.errors import UnreadablePhoto
from app.labels.reading import CODE_LIMIT, TEXT_LIMIT, read, read_pgm
from tests.labels.kit import blurred, code, pgm, scene, turned

TEXT = "WB-4711-0042"


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be read is a matter of the photo here, not of how busy the machine is."""
    monkeypatch.setattr("app.labels.reading.PATIENCE_S", 60.0)


@pytest.mark.parametrize("kind", ["QRCode", "DataMatrix", "Code128", "Code39", "Aztec", "PDF417"])
def test_each_kind_of_code_is_read(kind: str) -> None:
    found = read(scene(code(TEXT, kind, 3)))
    assert [(item.text, item.symbology.replace(" ", "")) for item in found] == [(TEXT, kind)]


def test_all_codes_of_a_photo_are_read_from_the_top_down_with_their_places() -> None:
    found = read(
        np.vstack([scene(code("first"), size=(400, 600)), scene(code("second", "DataMatrix"), size=(400, 600))])
    )
    assert [item.text for item in found] == ["first", "second"]
    (left, top), _, (right, bottom), _ = found[0].corners
    assert 60 <= left < right
    assert 100 <= top < bottom < 400


@pytest.mark.parametrize("degrees", [0, 30, 90, 137, 180, 270])
def test_a_turned_photo_is_read(degrees: float) -> None:
    assert [item.text for item in read(turned(scene(code(TEXT, scale=6)), degrees))] == [TEXT]


@pytest.mark.parametrize("degrees", [45, 110, 200, 315])
def test_bars_are_read_at_any_angle(degrees: float) -> None:
    assert [item.text for item in read(turned(scene(code(TEXT, "Code128", 4)), degrees))] == [TEXT]


@pytest.mark.parametrize("tilt", [0.3, -0.4])
def test_a_photo_from_below_is_read(tilt: float) -> None:
    assert [item.text for item in read(turned(scene(code(TEXT, scale=8)), 8, tilt))] == [TEXT]


def test_a_blurred_photo_is_read() -> None:
    assert [item.text for item in read(blurred(scene(code(TEXT, scale=8)), 4))] == [TEXT]


def test_a_dim_photo_is_read() -> None:
    assert [item.text for item in read((scene(code(TEXT)) // 12 + 20).astype(np.uint8))] == [TEXT]


def test_light_on_dark_is_read() -> None:
    assert [item.text for item in read(255 - scene(code(TEXT), grey=250))] == [TEXT]


def test_a_tiny_code_in_a_small_picture_is_read() -> None:
    assert [item.text for item in read(scene(code(TEXT, scale=1), size=(160, 200), grey=255))] == [TEXT]


def test_a_wall_holds_no_code() -> None:
    noise = np.random.default_rng(4).integers(0, 255, (600, 800), dtype=np.uint8)
    assert read(noise) == ()
    assert read(np.full((1, 1), 7, np.uint8)) == ()


def test_an_article_number_is_told_from_a_serial_number() -> None:
    (found,) = read(scene(code("4006381333931", "EAN13", 3)))
    assert found.is_article


def test_the_identifiers_of_a_gs1_code_are_set_apart() -> None:
    (found,) = read(scene(code("[01]09501101530003[21]SN12345", "DataMatrix", gs1=True)))
    assert (found.text, found.is_gs1) == ("(01)09501101530003(21)SN12345", True)


def test_a_text_that_is_no_label_is_cut() -> None:
    (found,) = read(scene(code("x" * 1500, scale=4)))
    assert (len(found.text), found.is_cut) == (TEXT_LIMIT, True)


def test_a_wall_papered_with_codes_is_bounded() -> None:
    wall = np.full((1100, 1100), 255, np.uint8)
    for number in range(100):
        item = code(f"{number:04d}", scale=3)
        top, left = number // 10 * 110, number % 10 * 110
        wall[top : top + item.shape[0], left : left + item.shape[1]] = item[:110, :110]
    found = read(wall)
    assert 40 <= len(found) <= CODE_LIMIT


@pytest.mark.parametrize(
    "grey",
    [
        np.zeros((0, 5), np.uint8),
        np.zeros((5, 5, 3), np.uint8),
        np.zeros((5, 5)),
        np.broadcast_to(np.uint8(0), (9000, 9000)),
    ],
)
def test_what_is_no_photo_is_said_in_words(grey: np.ndarray) -> None:
    with pytest.raises(UnreadablePhoto) as caught:
        read(grey)
    assert caught.value.advice


def test_a_photo_of_another_program_comes_as_pgm() -> None:
    wall = scene(code(TEXT))
    assert np.array_equal(read_pgm(pgm(wall)), wall)


@pytest.mark.parametrize(
    "data",
    [b"", b"P5", b"P5 2 2\n255\n123", b"P5 2 2\n255\n12345", b"P6 1 1\n255\n123", b"P5 -1 -1\n255\n1", b"\xff" * 99],
)
def test_a_damaged_one_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadablePhoto):
        read_pgm(data)
