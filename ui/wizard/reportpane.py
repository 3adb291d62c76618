"""The report before it is handed over: preview, and the files on request."""

from __future__ import annotations

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QTextBrowser, QVBoxLayout, QWidget

from ui import icons
from ui.theme import SPACE_8, set_role


class ReportPane(QWidget):
    """A paper-like preview. ``save_wanted`` asks for the files."""

    save_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._browser = QTextBrowser(self)
        self._browser.setOpenLinks(False)
        self._browser.setMinimumHeight(320)
        self._browser.setAccessibleName(self.tr("Report preview"))
        # A report is paper: black on white in both themes.
        self._browser.setStyleSheet("QTextBrowser { background: #ffffff; color: #16202b; padding: 12px; }")
        self.save = QPushButton(self.tr("Save report …"), self)
        icons.dress(self.save, "download")
        self.save.clicked.connect(self.save_wanted)
        self._open = QPushButton(self.tr("Open"), self)
        icons.dress(self._open, "external-link")
        self._open.clicked.connect(self._open_saved)
        self._saved = QLabel(self)
        self._saved.setTextFormat(Qt.TextFormat.PlainText)
        self._saved.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        set_role(self._saved, "mono-subtle")
        self._path = ""
        line = QHBoxLayout()
        line.setSpacing(SPACE_8)
        line.addWidget(self.save)
        line.addWidget(self._open)
        line.addWidget(self._saved, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addLayout(line)
        layout.addWidget(self._browser, 1)
        self.show_saved("")

    def show_html(self, html: str) -> None:
        """Show a report's print form."""
        bar = self._browser.verticalScrollBar()
        place = bar.value()
        self._browser.setHtml(html)
        bar.setValue(place)

    def show_saved(self, path: str) -> None:
        """Say where the HTML file was written; an empty path says nothing."""
        self._path = path
        self._saved.setText(path)
        self._open.setVisible(bool(path))

    def _open_saved(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(self._path))
