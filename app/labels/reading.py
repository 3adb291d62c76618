"""Read every code in a photo: QR, Data Matrix, Code 128 and the like, turned, tilted, small or dim.

A photo comes as brightness alone, one byte per pixel; who decodes the file's format is the desktop program, in a
thread or (for the command line) in a process of its own, since the core knows no Qt.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.errors import UnreadablePhoto

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from zxingcpp import Barcode

    Grey = npt.NDArray[np.uint8]

FILE_LIMIT = 60_000_000
"""Bytes of a photo's file; a 200-megapixel phone photo has about 40 MB."""

PIXEL_LIMIT = 50_000_000
"""Pixels that are searched; larger JPEG photos are decoded at a smaller scale."""

CODE_LIMIT = 50
"""Codes of one photo that are kept."""

TEXT_LIMIT = 1000
"""Characters of one code that are kept; a label has a few dozen, the largest QR code 7,089."""

PATIENCE_S = 4.0
"""After this long no further try begins."""

FORMATS = (
    *("QRCode", "MicroQRCode", "RMQRCode", "DataMatrix", "Aztec", "PDF417", "MicroPDF417"),
    *("Code128", "Code39", "Code93", "EAN13", "EAN8", "UPCA"),
)
"""What stands on labels. ITF, Codabar and the like are left out: they are seen in grilles and cable trays, too."""

ARTICLE_CODES = frozenset({"EAN-13", "EAN-8", "UPC-A", "UPC-E", "ISBN"})
"""Codes that name an article, not one piece of it (GS1 General Specifications 5.2)."""

SMALL = 3_200_000
"""Pixels to which a photo is halved before the costly tries; half of what a phone takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One code of a photo. ``corners`` are its four corners, x and y in pixels, clockwise from its own top left."""

    text: str
    symbology: str
    corners: tuple[tuple[int, int], ...] = ()
    is_cut: bool = False
    is_gs1: bool = False

    @property
    def is_article(self) -> bool:
        """Say whether it names a product, not one unit."""
        return self.symbology in ARTICLE_CODES


def read(grey: Grey) -> tuple[Code, ...]:
    """Find the codes of a photo (rows × columns, 0 is black), from the top down; none where there is none.

    A 12-megapixel photo takes 0.6 to 1.3 s of one core, 4 s where there is none; the interpreter is free meanwhile.
    Raises UnreadablePhoto.
    """
    _check(grey)
    began = time.monotonic()
    found: dict[tuple[str, str], Code] = {}
    for number, (pixels, scale, options) in enumerate(_tries(grey)):
        for code in _codes(pixels, scale, options):
            found.setdefault((code.text, code.symbology), code)
        # The second look, at half the size, sees bars that are too blurred in full, beside a code that was not.
        if number >= 1 and (found or time.monotonic() - began > PATIENCE_S):
            break
    return tuple(sorted(found.values(), key=_place)[:CODE_LIMIT])


def read_pgm(data: bytes) -> Grey:
    """Take brightness out of a binary PGM file as another program wrote it. Raises UnreadablePhoto."""
    import numpy as np

    head, _, rest = data[:64].partition(b"\n255\n")
    words = head.split()
    if len(words) != 3 or words[0] != b"P5" or not all(word.isdigit() for word in words[1:]) or not rest:
        raise _unreadable("it is damaged")
    width, height = int(words[1]), int(words[2])
    if len(data) - len(head) - 5 != width * height:
        raise _unreadable("it is cut off")
    return np.frombuffer(data, np.uint8, offset=len(head) + 5).reshape(height, width)


def _unreadable(why: str) -> UnreadablePhoto:
    return UnreadablePhoto(
        f"The photo can't be read: {why}.", "Take it again, closer and with light from the side, as JPEG or PNG."
    )


def _check(grey: Grey) -> None:
    if grey.ndim != 2 or grey.dtype.name != "uint8" or not grey.size:
        raise _unreadable("it holds no picture")
    if grey.size > PIXEL_LIMIT:
        raise _unreadable(f"it has more than {PIXEL_LIMIT // 1_000_000} megapixels")


def _tries(grey: Grey) -> Iterator[tuple[Grey, float, dict[str, Any]]]:
    """Yield the photo as it is, then forms in which a poor one shows more, each with its scale."""
    import numpy as np
    import zxingcpp

    grey = np.ascontiguousarray(grey)
    yield grey, 1.0, {}
    half = _halved(grey)
    yield half, 0.5, {}
    while half.size > SMALL:
        half = _halved(half)
    small = half if grey.size > SMALL else grey
    yield _stretched(small), small.shape[0] / grey.shape[0], {"binarizer": zxingcpp.Binarizer.GlobalHistogram}
    if grey.size <= SMALL // 2:
        yield grey.repeat(2, axis=0).repeat(2, axis=1), 2.0, {}
    # Bars are found along rows and columns alone, some 15° off at most.
    for degrees in (45, 22.5, 67.5):
        yield _turned(small, degrees), 0.0, {}


def _halved(grey: Grey) -> Grey:
    """Average four pixels into one: noise and moiré go."""
    import numpy as np

    height, width = grey.shape[0] // 2 * 2, grey.shape[1] // 2 * 2
    if not height or not width:
        return grey
    four = grey[:height, :width].reshape(height // 2, 2, width // 2, 2)
    # In two steps of one byte each: a sum of wider numbers would take eight times the memory.
    rows = (four[:, 0] >> 1) + (four[:, 1] >> 1)
    halved: Grey = (rows[:, :, 0] >> 1) + (rows[:, :, 1] >> 1)
    return np.ascontiguousarray(halved)


def _stretched(grey: Grey) -> Grey:
    """Spread the brightness that is there over the whole range: a dim or hazy photo."""
    import numpy as np

    low, high = (float(value) for value in np.percentile(grey[::4, ::4], (2, 98)))
    span = max(high - low, 1.0)
    stretched: Grey = ((np.clip(grey, low, high) - low) * (255.0 / span)).astype(np.uint8)
    return stretched


def _turned(grey: Grey, degrees: float) -> Grey:
    """Turn a small photo around its middle, on white."""
    import numpy as np

    angle = np.deg2rad(degrees)
    height, width = grey.shape
    side = int(np.hypot(height, width)) + 1
    down, right = np.mgrid[0:side, 0:side].astype(np.float32) - side / 2
    row = np.cos(angle) * down - np.sin(angle) * right + height / 2
    column = np.sin(angle) * down + np.cos(angle) * right + width / 2
    inside = (row >= 0) & (row < height - 1) & (column >= 0) & (column < width - 1)
    turned: Grey = np.full((side, side), 255, np.uint8)
    turned[inside] = _between(grey, row[inside], column[inside])
    return turned


def _between(grey: Grey, row: npt.NDArray[Any], column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Take the brightness between four pixels: thin bars keep their width."""
    import numpy as np

    top, left = row.astype(np.int32), column.astype(np.int32)
    down, right = row - top, column - left
    upper = grey[top, left] * (1 - right) + grey[top, left + 1] * right
    lower = grey[top + 1, left] * (1 - right) + grey[top + 1, left + 1] * right
    return upper * (1 - down) + lower * down


def _codes(pixels: Grey, scale: float, options: dict[str, Any]) -> list[Code]:
    import zxingcpp

    wanted = zxingcpp.BarcodeFormats([getattr(zxingcpp.BarcodeFormat, name) for name in FORMATS])
    found = zxingcpp.read_barcodes(pixels, formats=wanted, text_mode=zxingcpp.TextMode.Plain, **options)
    if any(item.content_type == zxingcpp.ContentType.GS1 for item in found):
        # Only the form for people sets the identifiers of a GS1 code apart.
        readable = zxingcpp.read_barcodes(pixels, formats=wanted, text_mode=zxingcpp.TextMode.HRI, **options)
        found = [item for item in found if item.content_type != zxingcpp.ContentType.GS1]
        found += [item for item in readable if item.content_type == zxingcpp.ContentType.GS1]
    return [code for code in (_code(item, scale) for item in found[:CODE_LIMIT]) if code.text]


def _code(item: Barcode, scale: float) -> Code:
    import zxingcpp

    spot = item.position
    points = (spot.top_left, spot.top_right, spot.bottom_right, spot.bottom_left)
    return Code(
        text=item.text[:TEXT_LIMIT].strip(),
        symbology=str(item.format),
        corners=tuple((round(point.x / scale), round(point.y / scale)) for point in points) if scale else (),
        is_cut=len(item.text) > TEXT_LIMIT,
        is_gs1=item.content_type == zxingcpp.ContentType.GS1,
    )


def _place(code: Code) -> tuple[int, int]:
    return min(((y, x) for x, y in code.corners), default=(0, 0))
