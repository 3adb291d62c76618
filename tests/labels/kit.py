"""Photos made in numpy: blurred, turned, tilted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import zxingcpp

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PHOTOS = Path(__file__).parent / "photos"


def code(text: str, kind: str = "QRCode", scale: int = 5, **options: object) -> np.ndarray:
    drawn = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind), **options)
    return np.array(zxingcpp.write_barcode_to_image(drawn, scale=scale))


def scene(*codes: np.ndarray, size: tuple[int, int] = (900, 1200), grey: int = 190) -> np.ndarray:
    """Put codes side by side on a wall."""
    wall = np.full(size, grey, np.uint8)
    left = 60
    for item in codes:
        height, width = item.shape
        wall[100 : 100 + height, left : left + width] = item
        left += width + 60
    return wall


def blurred(grey: np.ndarray, radius: int) -> np.ndarray:
    kernel = np.ones(2 * radius + 1) / (2 * radius + 1)
    for axis in (0, 1):
        grey = np.apply_along_axis(np.convolve, axis, grey.astype(float), kernel, mode="same")
    return grey.astype(np.uint8)


def turned(grey: np.ndarray, degrees: float, tilt: float = 0.0) -> np.ndarray:
    """Turn around the middle, and lean the top back."""
    angle, (height, width) = np.deg2rad(degrees), grey.shape
    side = int(np.hypot(height, width))
    down, right = np.mgrid[0:side, 0:side].astype(float) - side / 2
    depth = 1 + tilt * down / side
    row = ((np.cos(angle) * down - np.sin(angle) * right) / depth + height / 2).astype(int)
    column = ((np.sin(angle) * down + np.cos(angle) * right) / depth + width / 2).astype(int)
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    photo = np.full((side, side), 190, np.uint8)
    photo[inside] = grey[row[inside], column[inside]]
    return photo


def pgm(grey: np.ndarray) -> bytes:
    return b"P5 %d %d\n255\n" % grey.shape[::-1] + grey.tobytes()
