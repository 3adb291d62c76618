"""Draw resources/icons/rehome.png and rehome.ico from rehome.svg: python packaging/icon.py.

An .ico is a table of pictures; since Windows Vista each may be a PNG.
"""

import os
import struct
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

ICONS = Path(__file__).resolve().parent.parent / "resources" / "icons"
SIZES_PX = (16, 24, 32, 48, 64, 128, 256)


def draw(renderer: QSvgRenderer, size_px: int) -> bytes:
    """Return the icon as a square PNG."""
    image = QImage(size_px, size_px, QImage.Format.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    renderer.render(painter)
    painter.end()
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]  # the stub wants bytes, the method a text
    return bytes(data.data())


def pack(pictures: dict[int, bytes]) -> bytes:
    """Return an .ico of PNGs: a header, one 16-byte entry each, the pictures."""
    head = struct.pack("<HHH", 0, 1, len(pictures))
    at = len(head) + 16 * len(pictures)
    for size_px, picture in pictures.items():
        head += struct.pack("<BBBBHHII", size_px % 256, size_px % 256, 0, 0, 1, 32, len(picture), at)
        at += len(picture)
    return head + b"".join(pictures.values())


def main() -> int:
    """Write both files."""
    application = QGuiApplication(sys.argv)
    renderer = QSvgRenderer(str(ICONS / "rehome.svg"))
    pictures = {size_px: draw(renderer, size_px) for size_px in SIZES_PX}
    (ICONS / "rehome.png").write_bytes(pictures[256])
    (ICONS / "rehome.ico").write_bytes(pack(pictures))
    del application
    return 0


if __name__ == "__main__":
    sys.exit(main())
