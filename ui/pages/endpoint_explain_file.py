"""Configurations without a charger: open a file, drop one, or paste what somebody sent."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedLayout, QVBoxLayout, QWidget

from app.diagnosis import dump
from app.diagnosis.dump import Dump
from app.errors import AppError
from app.model.profile import Profile
from ui import icons
from ui.dialogs import choose_file
from ui.models.explained import read_dump
from ui.models.plain import visible
from ui.pages.endpoint_explain import ExplainPanel
from ui.tasks import Tasks
from ui.theme import SPACE_4, SPACE_8, set_look
from ui.widgets.empty import Empty
from ui.widgets.frameview import plain_label


class FileExplainer(QWidget):
    """The tab for files and pasted texts. Nothing of it is sent anywhere."""

    def __init__(self, profiles: Iterable[Profile], tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self.setAccessibleName(self.tr("Explain a configuration"))
        self.setAcceptDrops(True)
        self.open_button = QPushButton(self.tr("Open a file…"), self)
        icons.dress(self.open_button, "folder-open", "text2")
        self.open_button.clicked.connect(self.choose)
        self.paste_button = QPushButton(self.tr("Paste"), self)
        self.paste_button.setToolTip(self.tr("Explain what is on the clipboard: OCPP frames, a table, key = value"))
        icons.dress(self.paste_button, "clipboard-list", "text2")
        self.paste_button.clicked.connect(self.paste)
        QShortcut(
            QKeySequence(QKeySequence.StandardKey.Paste),
            self,
            self.paste,
            context=Qt.ShortcutContext.WidgetWithChildrenShortcut,
        )
        self.line = plain_label(self, "caption", is_wrapped=True)
        self.panel = ExplainPanel(profiles, self)
        self.empty = Empty(
            self.tr("No configuration is open"),
            self.tr(
                "Open, drop or paste a configuration that somebody saved: an answer to GetConfiguration, a report of a "
                "2.x station, an export of Rehome or of a backend, a log with such frames, or lines “key = value”. "
                "Rehome says which make it is, what each setting means, and whether it is what the site wants."
            ),
            "book-open",
            "",
            self,
        )
        self._lay_out()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(SPACE_8)
        top.addWidget(self.line, 1)
        top.addWidget(self.open_button)
        top.addWidget(self.paste_button)
        below = QWidget(self)
        self._stack = QStackedLayout(below)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.panel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addLayout(top)
        layout.addWidget(below, 1)

    # Opening

    def choose(self) -> None:
        """Let the technician choose a file."""
        self._tasks.start_once("explain a file", self._choosing(), busy=self.open_button)

    async def _choosing(self) -> None:
        pattern = self.tr("Configurations (*.json *.csv *.txt *.log *.jsn);;All files (*)")
        path = await choose_file(self, self.tr("Open a configuration"), pattern=pattern)
        if path is not None:
            self.open_file(path)

    def open_file(self, path: Path) -> None:
        """Explain a file, or say why it can't be."""
        try:
            self._show(read_dump(path), visible(path.name, 80))
        except AppError as error:
            self._say(f"{error.message} {error.advice}", "fault")

    def paste(self) -> None:
        """Explain what is on the clipboard."""
        try:
            self._show(dump.read(QGuiApplication.clipboard().text()), self.tr("the clipboard"))
        except AppError as error:
            self._say(f"{error.message} {error.advice}", "fault")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take one file."""
        if len(event.mimeData().urls()) == 1 and event.mimeData().urls()[0].isLocalFile():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Explain the file."""
        self.open_file(Path(event.mimeData().urls()[0].toLocalFile()))

    def _show(self, told: Dump, name: str) -> None:
        self.panel.show_dump(told)
        self._stack.setCurrentWidget(self.panel)
        words = self.tr("From {name}, read as {form}. Nothing is sent anywhere.")
        self._say(words.format(name=name, form=told.form))

    def _say(self, text: str, tone: str = "") -> None:
        self.line.setText(text)
        set_look(self.line, tone=tone)
