"""Turn a report's print HTML into a PDF. Started as a program of its own by the headless command line.

python -m ui.printing REPORT.html REPORT.pdf
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from PySide6.QtCore import QMarginsF, QRectF, QSizeF, Qt
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QFont,
    QGuiApplication,
    QPageLayout,
    QPageSize,
    QPainter,
    QPalette,
    QPdfWriter,
    QTextDocument,
)

from app.errors import AppError, StoreError

DOTS_PER_INCH = 96.0
"""The resolution QTextDocument lays out in; the painter is scaled to the writer's own."""

MARGIN_MM = 16.0
FOOTER_PX = 28.0
HTML_LIMIT = 20_000_000
"""Bytes of HTML this will lay out."""


def write_pdf(html: str, path: Path, *, title: str = "") -> int:
    """Write a PDF of A4 pages with page numbers and return how many. The old file stays whole on failure.

    Raises StoreError where the file can't be written.
    """
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".rehome-") as folder:
            part = Path(folder) / path.name
            pages = _draw(html, part, title)
            part.replace(path)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error
    return pages


def _draw(html: str, path: Path, title: str) -> int:
    writer = QPdfWriter(str(path))
    writer.setPageLayout(
        QPageLayout(
            QPageSize(QPageSize.PageSizeId.A4),
            QPageLayout.Orientation.Portrait,
            QMarginsF(MARGIN_MM, MARGIN_MM, MARGIN_MM, MARGIN_MM),
            QPageLayout.Unit.Millimeter,
        )
    )
    writer.setTitle(title)
    writer.setCreator("Rehome")
    scale = writer.resolution() / DOTS_PER_INCH
    page = QSizeF(writer.width() / scale, writer.height() / scale - FOOTER_PX)
    document = _document(html, page)
    painter = QPainter()
    if not painter.begin(writer):
        raise _unwritable(path, "the PDF writer refused it")
    painter.scale(scale, scale)
    pages = max(document.pageCount(), 1)
    for number in range(pages):
        if number:
            writer.newPage()
        _draw_page(painter, document, number, page)
        _draw_footer(painter, f"{title}    {number + 1} / {pages}".strip(), page)
    if not painter.end():
        raise _unwritable(path, "the disk may be full")
    return pages


def _document(html: str, page: QSizeF) -> QTextDocument:
    document = QTextDocument()
    font = QFont("DejaVu Sans" if sys.platform.startswith("linux") else QGuiApplication.font().family())
    font.setPixelSize(12)
    document.setDefaultFont(font)
    document.setDocumentMargin(0)
    document.setHtml(html)
    document.setPageSize(page)
    return document


def _draw_page(painter: QPainter, document: QTextDocument, number: int, page: QSizeF) -> None:
    painter.save()
    painter.translate(0, -number * page.height())
    context = QAbstractTextDocumentLayout.PaintContext()
    context.clip = QRectF(0, number * page.height(), page.width(), page.height())
    context.palette.setColor(QPalette.ColorRole.Text, Qt.GlobalColor.black)
    painter.setClipRect(context.clip)
    document.documentLayout().draw(painter, context)
    painter.restore()


def _draw_footer(painter: QPainter, text: str, page: QSizeF) -> None:
    font = QFont(painter.font())
    font.setPixelSize(10)
    painter.setFont(font)
    painter.setPen(Qt.GlobalColor.darkGray)
    area = QRectF(0, page.height() + 8, page.width(), FOOTER_PX - 8)
    painter.drawText(area, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom), text)


def _unwritable(path: Path, why: str) -> StoreError:
    return StoreError(f"The PDF can't be written: {why}.", f"Check room and rights of {path.parent}.")


def main(argv: list[str] | None = None) -> int:
    """Print one HTML file; exit code 0 when the PDF is there, 1 with the reason on stderr."""
    words = sys.argv[1:] if argv is None else argv
    if len(words) not in (2, 3):
        sys.stderr.write("usage: ui.printing REPORT.html REPORT.pdf [TITLE]\n")
        return 2
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    source, target = Path(words[0]), Path(words[1])
    running = QGuiApplication.instance() or QGuiApplication(["rehome"])
    try:
        if source.stat().st_size > HTML_LIMIT:
            raise StoreError("The report is too large to print.", "Open the HTML file in a browser and print it there.")
        html = source.read_text(encoding="utf-8")
        write_pdf(html, target, title=words[2] if len(words) == 3 else target.stem)
    except AppError as error:
        sys.stderr.write(f"{error.message}\n{error.advice}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    del running
    return 0


if __name__ == "__main__":
    sys.exit(main())
