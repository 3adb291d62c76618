"""Draw a text as a QR code: for wizards, cards and labels."""

from __future__ import annotations

from app.errors import TooMuchText

LIMIT = 1000
"""Bytes of UTF-8 in one code; with level M this is about version 25 (117 modules), what a phone reads off a screen."""

LEVEL = "M"
"""Error correction of ISO/IEC 18004: 15 % of a printed code may be dirty."""

QUIET_ZONE = 4
"""Modules that must stay light around the matrix (ISO/IEC 18004 section 9.1); whoever draws it leaves them."""

Matrix = tuple[tuple[bool, ...], ...]


def qr(text: str) -> Matrix:
    """Return the square matrix of a QR code, ``True`` is dark, without its quiet zone.

    Takes a millisecond. Raises TooMuchText for an empty or too long text and for characters that nobody can type.
    """
    _check(text)
    import numpy as np
    import zxingcpp

    # Readers guess what letters beyond ASCII mean, and wrongly ("¡" comes back Japanese), unless the code says it.
    said = {} if text.isascii() else {"eci": "UTF-8"}
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level=LEVEL, **said)
    pixels = np.asarray(zxingcpp.write_barcode_to_image(code, add_quiet_zones=False))
    return tuple(tuple(bool(pixel) for pixel in row) for row in pixels == 0)


def _check(text: str) -> None:
    if not text:
        raise TooMuchText("There is no text to draw as a QR code.", "Fill in the field first.")
    if any(not letter.isprintable() and letter not in "\n\t" for letter in text):
        raise TooMuchText("The text has characters that can't be shown.", "Type it anew by hand.")
    size = len(text.encode())
    if size > LIMIT:
        raise TooMuchText(
            f"The text has {size} bytes; a QR code that a phone still reads off a screen holds {LIMIT}.",
            "Copy the text instead, or split it.",
        )
