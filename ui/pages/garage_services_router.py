"""The site's own router instead of us: what to type there, with the chosen names and our address filled in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from app.errors import ValueRejected
from app.model.garage import Recipe
from app.model.profile import Grade
from ui import icons
from ui.models.families import graded
from ui.tasks import Tasks
from ui.theme import SPACE_4, SPACE_8, set_role
from ui.widgets.chip import Chip
from ui.widgets.empty import Empty
from ui.widgets.frameview import plain_label

if TYPE_CHECKING:
    from app.standin.names import Choice
    from app.workbench import Workbench


class RouterPanel(QWidget):
    """``names_wanted`` asks for the names, where none are chosen."""

    names_wanted = Signal()

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self._made_of: tuple[str, Choice] | None = None
        self.recipes: tuple[Recipe, ...] = ()
        self.empty = Empty(
            self.tr("No names are chosen yet"),
            self.tr(
                "Where this computer may not answer names, the site's own router can. Choose the names first, then "
                "the text for the router is made here."
            ),
            "router",
            self.tr("Choose names"),
            self,
        )
        self.empty.acted.connect(self.names_wanted)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self._made())

    def _made(self) -> QWidget:
        inside = QWidget(self)
        self.router = QComboBox(inside)
        self.router.setAccessibleName(self.tr("Router of the site"))
        self.router.setMinimumWidth(200)
        self.router.currentIndexChanged.connect(self._show)
        label = QLabel(self.tr("Router"), inside)
        label.setBuddy(self.router)
        set_role(label, "subtle")
        self.grade = Chip("", "idle", parent=inside)
        self.copy_button = QPushButton(self.tr("Copy"), inside)
        icons.dress(self.copy_button, "copy")
        self.copy_button.clicked.connect(self._copy)
        self.text = QPlainTextEdit(inside)
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setAccessibleName(self.tr("What to type into the router"))
        self.text.setMinimumHeight(96)
        set_role(self.text, "mono")
        self.note = plain_label(inside, "", is_wrapped=True)
        self.source = plain_label(inside, "caption", is_wrapped=True)
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        for widget in (label, self.router, self.grade):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.copy_button)
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, SPACE_8, 0, 0)
        column.setSpacing(SPACE_4)
        column.addLayout(row)
        column.addWidget(self.text, 1)
        column.addWidget(self.note)
        column.addWidget(self.source)
        return inside

    def show_for(self, host: str) -> None:
        """Make the texts for our address, if it or the names are others than before."""
        made_of = (host, self._bench.garage.choice)
        if made_of != self._made_of:
            self._made_of = made_of
            self._tasks.replace("recipes", self._make(host))

    async def _make(self, host: str) -> None:
        try:
            self.recipes = await asyncio.to_thread(self._bench.garage.recipes, host)
        except ValueRejected:
            self._stack.setCurrentIndex(0)
            return
        chosen = self.router.currentData()
        with QSignalBlocker(self.router):
            self.router.clear()
            for recipe in self.recipes:
                self.router.addItem(recipe.title, recipe.id)
            self.router.setCurrentIndex(max(0, self.router.findData(chosen)))
        self._stack.setCurrentIndex(1)
        self._show()

    def _show(self) -> None:
        recipe = self.recipes[self.router.currentIndex()]
        self.text.setPlainText(recipe.text)
        self.note.setText(recipe.note)
        self.source.setText(self.tr("Source: {source}").format(source=recipe.source))
        word, tone, meaning = graded(Grade(recipe.grade))
        self.grade.show_status(word, tone)
        self.grade.setToolTip(meaning)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())
        icons.dress(self.copy_button, "check", "good")
        self._tasks.replace("copied", self._rest())

    async def _rest(self) -> None:
        await asyncio.sleep(THANKS_S)
        icons.dress(self.copy_button, "copy")


THANKS_S = 1.5
"""How long the button shows that it copied."""
