"""Decode a photo's file into brightness. Started as a program of its own by the headless command line.

python -m ui.photo PHOTO > BRIGHTNESS.pgm
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QImage, QImageReader

from app.errors import AppError, UnreadablePhoto
from app.labels.reading import FILE_LIMIT, PIXEL_LIMIT

if TYPE_CHECKING:
    from app.labels.reading import Grey

KINDS = frozenset({"jpeg", "png", "webp", "bmp", "gif"})
"""Formats photos and screenshots come in. SVG, PDF, TIFF and the like run too much code for a stranger's file."""

SIDE_LIMIT = 30_000
"""Pixels of one side."""

STRIP = 256
"""Rows that are converted in one go."""

HEIC = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc", b"ftypavif")
"""Marks of the formats phones store by default and Qt does not read (ISO/IEC 14496-12 section 4.3)."""


def decode(data: bytes) -> Grey:
    """Decode the bytes of a photo, upright; blocks for up to a second, so call it in a thread. Raises UnreadablePhoto.

    JPEG photos of more than 50 megapixels come at a smaller scale, others are refused.
    """
    if len(data) > FILE_LIMIT:
        raise _unreadable(f"it is larger than {FILE_LIMIT // 1_000_000} MB")
    if data[4:12] in HEIC:
        raise UnreadablePhoto(
            "The photo is in a phone's own format (HEIC or AVIF).",
            "Send it as JPEG (iPhone: Settings, Camera, Formats, “Most Compatible”), or paste a screenshot of it.",
        )
    buffer = QBuffer()
    buffer.setData(QByteArray(data))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    reader.setDecideFormatFromContent(True)
    kind = bytes(reader.format().data()).decode("ascii", "replace") if reader.canRead() else ""
    if kind not in KINDS:
        raise _unreadable("it is no JPEG, PNG, WebP, BMP or GIF")
    _bound(reader, kind)
    reader.setAutoTransform(True)
    image = reader.read()
    if image.isNull():
        raise _unreadable("it is damaged")
    return brightness(image)


def _bound(reader: QImageReader, kind: str) -> None:
    """Refuse what is too large before a pixel of it is unpacked, or have it unpacked at a smaller scale."""
    size = reader.size()
    width, height = size.width(), size.height()
    if width < 1 or height < 1:
        raise _unreadable("it is damaged")
    if max(width, height) > SIDE_LIMIT or (width * height > PIXEL_LIMIT and kind != "jpeg"):
        raise _unreadable(f"{width} × {height} pixels are too many")
    scale = 1
    while width * height > PIXEL_LIMIT * scale * scale:
        scale *= 2
    if scale > 1:
        reader.setScaledSize(size / scale)


def brightness(image: QImage) -> Grey:
    """Turn an image, such as one from the clipboard, into rows of brightness; what is see-through is white."""
    import numpy as np

    if image.isNull() or image.width() * image.height() > PIXEL_LIMIT:
        raise _unreadable("there is no picture in it" if image.isNull() else "it has too many pixels")
    if image.hasAlphaChannel():
        image = _on_white(image)
    grey = np.empty((image.height(), image.width()), np.uint8)
    for top in range(0, image.height(), STRIP):
        grey[top : top + STRIP] = _strip(image, top)
    return grey


def _strip(image: QImage, top: int) -> Grey:
    """Convert some rows: the whole in one go would hold the interpreter, and the window, for 60 ms."""
    import numpy as np

    grey = image.copy(0, top, image.width(), min(STRIP, image.height() - top))
    grey.convertTo(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(grey.constBits(), np.uint8).reshape(grey.height(), grey.bytesPerLine())
    return rows[:, : grey.width()].copy()


def _on_white(image: QImage) -> QImage:
    from PySide6.QtGui import QPainter

    ground = QImage(image.size(), QImage.Format.Format_RGB32)
    ground.fill(0xFFFFFFFF)
    painter = QPainter(ground)
    painter.drawImage(0, 0, image)
    painter.end()
    return ground


def _unreadable(why: str) -> UnreadablePhoto:
    return UnreadablePhoto(f"The photo can't be read: {why}.", "Save it as JPEG or PNG, or take it again from nearer.")


def load(path: Path) -> Grey:
    """Read a photo's file. Raises UnreadablePhoto."""
    try:
        if not path.is_file():  # a pipe would keep us waiting
            raise UnreadablePhoto(f"There is no file {path.name}.", "Check its name.")
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise UnreadablePhoto(f"{path.name}: {error.strerror or error}.", "Check the file, then try again.") from error
    return decode(data)


def main(argv: list[str] | None = None) -> int:
    """Write a photo's brightness as binary PGM to stdout; exit code 0, or 1 with the reason on stderr."""
    words = sys.argv[1:] if argv is None else argv
    if len(words) != 1:
        sys.stderr.write("usage: ui.photo PHOTO\n")
        return 2
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    try:
        grey = load(Path(words[0]))
    except AppError as error:
        sys.stderr.write(f"{error.message}\n{error.advice}\n")
        return 1
    sys.stdout.buffer.write(b"P5 %d %d\n255\n" % grey.shape[::-1])
    sys.stdout.buffer.write(grey.tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
