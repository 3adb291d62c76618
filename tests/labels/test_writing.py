"""A drawn code is read back: by zxing-cpp, and by programs that are not ours."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import TooMuchText
from app.labels.writing import LIMIT, QUIET_ZONE, Matrix, qr

TEXTS = (
    "wss://csms.example.org/ocpp/CP-0001",
    "HELLO 1234567890",
    "0123456789",
    "C:\\temp\\n[GS]%20",
    "Straße 1 €, Größe 日本 ж",
    "two\nlines\tand a tab",
)


def grey(matrix: Matrix, scale: int = 4) -> np.ndarray:
    dark = np.pad(np.array(matrix, dtype=bool), QUIET_ZONE)
    return np.kron(np.where(dark, 0, 255).astype(np.uint8), np.ones((scale, scale), np.uint8))


@pytest.mark.parametrize("text", TEXTS)
def test_a_code_is_read_back(text: str) -> None:
    codes = zxingcpp.read_barcodes(grey(qr(text)), text_mode=zxingcpp.TextMode.Plain)
    assert [code.text for code in codes] == [text]
    assert codes[0].ec_level == "M"


@pytest.mark.skipif(shutil.which("zbarimg") is None, reason="zbar-tools is not installed")
@pytest.mark.parametrize("text", TEXTS)
def test_zbar_reads_a_code_too(text: str, tmp_path: Path) -> None:
    pixels = grey(qr(text))
    photo = tmp_path / "code.pgm"
    photo.write_bytes(b"P5 %d %d 255\n" % pixels.shape[::-1] + pixels.tobytes())
    done = subprocess.run(["zbarimg", "-q", "--raw", str(photo)], capture_output=True, timeout=20, check=True)
    assert done.stdout.decode() == text + "\n"


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=80))
def test_any_text_is_a_square_and_comes_back(text: str) -> None:
    if not text.isprintable():
        return
    matrix = qr(text)
    assert len(matrix) % 4 == 1
    assert {len(row) for row in matrix} == {len(matrix)}
    codes = zxingcpp.read_barcodes(grey(matrix), text_mode=zxingcpp.TextMode.Plain)
    assert [code.text for code in codes] == [text]


@pytest.mark.parametrize("text", ["", "\0", "a\x1b[2J", "\ud800", "x" * (LIMIT + 1), "ж" * (LIMIT // 2 + 1)])
def test_what_can_not_be_drawn_is_said_in_words(text: str) -> None:
    with pytest.raises(TooMuchText) as caught:
        qr(text)
    assert caught.value.advice
    assert len(caught.value.message) < 120


def test_the_longest_text_is_drawn() -> None:
    text = "x" * LIMIT
    assert [code.text for code in zxingcpp.read_barcodes(grey(qr(text)))] == [text]
