"""Questions and messages that block nobody: every dialog is opened, awaited, and closed with its parent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Qt
from PySide6.QtWidgets import QBoxLayout, QDialog, QFileDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ui import icons
from ui.theme import SPACE_8, SPACE_16, SPACE_24, set_role

WIDEST = 640
"""Width of a question at most, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """One answer: its key (what ``ask`` returns), its words, and its role (``primary``, ``danger`` or empty)."""

    key: str
    text: str
    role: str = ""


async def shown(dialog: QDialog) -> int:
    """Open a dialog without blocking anything and wait for its result; it is deleted afterwards."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def finish(result: int = 0) -> None:
        if not future.done():
            future.set_result(result)

    def gone(_: QObject | None = None) -> None:
        finish(0)

    dialog.finished.connect(finish)
    dialog.destroyed.connect(gone)
    dialog.open()
    try:
        return await future
    finally:
        from ui.doors import is_alive

        if is_alive(dialog):
            dialog.hide()
            dialog.deleteLater()


async def ask(
    parent: QWidget,
    title: str,
    text: str,
    buttons: Sequence[Button],
    *,
    icon_name: str = "circle-help",
    tone: str = "accent",
    detail: QWidget | None = None,
) -> str:
    """Ask a question; return the key of the chosen button, or an empty text when the dialog was closed.

    ``text`` is shown as plain text. The first button has the focus.
    """
    dialog = Question(parent, title, text, buttons, icon_name=icon_name, tone=tone, detail=detail)
    await shown(dialog)
    return dialog.answer


async def tell(parent: QWidget, title: str, text: str, *, icon_name: str = "info", tone: str = "accent") -> None:
    """Say something that must be seen."""
    close = QCoreApplication.translate("dialogs", "Close")
    await ask(parent, title, text, (Button(key="close", text=close, role="primary"),), icon_name=icon_name, tone=tone)


class Question(QDialog):
    """A small dialog: icon, title, plain text, a row of buttons. ``answer`` is the key of the chosen one."""

    def __init__(
        self,
        parent: QWidget,
        title: str,
        text: str,
        buttons: Sequence[Button],
        *,
        icon_name: str,
        tone: str,
        detail: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.answer = ""
        self.setWindowTitle(title)
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)
        self.setMinimumWidth(440)
        self.setMaximumWidth(WIDEST)
        self._build(title, text, icon_name, tone, detail)
        self._add_buttons(buttons)

    def _build(self, title: str, text: str, icon_name: str, tone: str, detail: QWidget | None) -> None:
        picture = QLabel(self)
        icons.dress(picture, icon_name, tone, 24)
        heading = QLabel(title, self)
        heading.setTextFormat(Qt.TextFormat.PlainText)
        heading.setWordWrap(True)
        set_role(heading, "heading")
        body = QLabel(text, self)
        body.setTextFormat(Qt.TextFormat.PlainText)
        body.setWordWrap(True)
        body.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        words = QVBoxLayout()
        words.setSpacing(SPACE_8)
        words.addWidget(heading)
        words.addWidget(body)
        if detail is not None:
            words.addWidget(detail)
        top = QHBoxLayout()
        top.setSpacing(SPACE_16)
        top.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(words, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_24, SPACE_24, SPACE_24, SPACE_16)
        layout.setSpacing(SPACE_24)
        layout.addLayout(top)

    def _add_buttons(self, buttons: Sequence[Button]) -> None:
        widgets = []
        for index, button in enumerate(buttons):
            widget = QPushButton(button.text, self)
            widget.setObjectName(f"answer-{button.key}")
            widget.setProperty("key", button.key)
            if button.role:
                set_role(widget, button.role)
            widget.clicked.connect(self._chosen)
            widget.setDefault(index == 0)
            if index == 0:
                widget.setFocus()
            widgets.append(widget)
        layout = self.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.addLayout(_row_of(widgets))

    def _chosen(self) -> None:
        self.answer = str(self.sender().property("key"))
        self.accept()


def _row_of(buttons: Sequence[QPushButton]) -> QBoxLayout:
    """Lay buttons side by side, or below each other where their words need more room than there is: none is cut."""
    for button in buttons:
        button.ensurePolished()  # its role's bold letters are wider
        button.setMinimumWidth(button.sizeHint().width())
    room = WIDEST - 2 * SPACE_24
    needed = sum(button.minimumWidth() for button in buttons) + SPACE_8 * len(buttons)
    row = QBoxLayout(QBoxLayout.Direction.LeftToRight if needed <= room else QBoxLayout.Direction.TopToBottom)
    row.setSpacing(SPACE_8)
    if needed <= room:
        row.addStretch(1)
    for button in buttons:
        row.addWidget(button)
    return row


async def choose_file(
    parent: QWidget, title: str, *, pattern: str = "", folder: Path | None = None, save_as: str = ""
) -> Path | None:
    """Let the technician choose a file to open, or (with ``save_as``, a proposed name) to write. ``None`` = left.

    ``pattern`` is Qt's filter text, such as ``"Reports (*.html)"``.
    """
    dialog = QFileDialog(parent, title, str(folder or ""), pattern)
    if save_as:
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.selectFile(save_as)
        dialog.setDefaultSuffix(Path(save_as).suffix.lstrip("."))
    else:
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    return await _chosen_path(dialog)


async def choose_folder(parent: QWidget, title: str, *, folder: Path | None = None) -> Path | None:
    """Let the technician choose a folder. ``None`` = left without one."""
    dialog = QFileDialog(parent, title, str(folder or ""))
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    return await _chosen_path(dialog)


async def _chosen_path(dialog: QFileDialog) -> Path | None:
    chosen: list[str] = []
    dialog.fileSelected.connect(chosen.append)
    await shown(dialog)
    return Path(chosen[0]) if chosen else None
