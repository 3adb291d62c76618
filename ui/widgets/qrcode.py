"""A text as a QR code, painted so that a phone reads it at arm's length, in the dark look too."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.errors import TooMuchText
from app.labels.writing import QUIET_ZONE, Matrix, qr
from ui.theme import RADIUS, tokens

SIDE = 272
"""Pixels at 100 %: some 70 mm, what a phone reads at 70 cm (ten times the side, as codes are planned)."""


class QrCode(QWidget):
    """A square with the code of ``show_text``, or the reason why there is none. Black on white in every look."""

    def __init__(self, parent: QWidget | None = None, *, side: int = SIDE) -> None:
        super().__init__(parent)
        self._side = side
        self._matrix: Matrix = ()
        self._words = ""
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setFixedSize(side, side)

    @property
    def is_shown(self) -> bool:
        """Say whether there is a code."""
        return bool(self._matrix)

    @property
    def words(self) -> str:
        """Return what is said instead of a code."""
        return self._words

    def show_text(self, text: str, name: str) -> None:
        """Show the code of a text; ``name`` says what it is, for screen readers."""
        try:
            self._matrix, self._words = qr(text), ""
        except TooMuchText as error:
            self._matrix, self._words = (), f"{error.message} {error.advice}"
        title = QCoreApplication.translate("qr", "QR code: {name}").format(name=name)
        self.setAccessibleName(title)
        self.setAccessibleDescription(self._words or text)
        self.update()

    def show_words(self, words: str, name: str) -> None:
        """Show no code, but why."""
        self._matrix, self._words = (), words
        self.setAccessibleName(name)
        self.setAccessibleDescription(words)
        self.update()

    def sizeHint(self) -> QSize:
        """Return the fixed size."""
        return QSize(self._side, self._side)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Paint whole device pixels only: a blurred edge costs reading distance."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("#ffffff") if self._matrix else tokens().color("surface2"))
        painter.drawRoundedRect(self.rect(), RADIUS, RADIUS)
        if self._matrix:
            self._paint_code(painter)
        else:
            painter.setPen(tokens().color("text2"))
            flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
            painter.drawText(self.rect().adjusted(24, 24, -24, -24), flags, self._words)
        painter.end()

    def _paint_code(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
        scale = painter.device().devicePixelRatio()
        count = len(self._matrix)
        module = max(1, int(self._side * scale) // (count + 2 * QUIET_ZONE)) / scale
        edge = round((self._side - module * count) / 2 * scale) / scale
        for row, line in enumerate(self._matrix):
            for column, is_dark in enumerate(line):
                if is_dark:
                    corner = QPointF(edge + column * module, edge + row * module)
                    painter.fillRect(QRectF(corner.x(), corner.y(), module, module), Qt.GlobalColor.black)
