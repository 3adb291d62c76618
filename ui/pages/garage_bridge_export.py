"""“Take it to a small box”: the site file, the passwords to fill in there, and how its system runs the bridge."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QTabBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.errors import AppError
from app.service.choosing import OURS
from app.service.installing import PLACES, Recipe
from ui import icons
from ui.dialogs import choose_folder
from ui.models.plain import counted, visible
from ui.pages.garage_bridge_unit import Notice
from ui.tasks import Tasks
from ui.theme import SPACE_8, SPACE_12, SPACE_16, SPACE_24, set_look, set_role
from ui.widgets.column import ScrollColumn
from ui.widgets.copy import CopyField
from ui.widgets.section import Section, plain

if TYPE_CHECKING:
    from app.workbench import Workbench

WIDTH = 860
TEXT_LINES = 12
MOST_SECRETS = 24
CHECK_MS = 300
KINDS = (
    ("systemd", "Raspberry Pi, Linux"),
    ("windows", "Windows"),
    ("launchd", "macOS"),
)


class TextBox(QWidget):
    """A text to read or copy, in lines as they are."""

    def __init__(self, name: str, lines: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.view = QPlainTextEdit(self)
        self.view.setReadOnly(True)
        self.view.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.view.setTabChangesFocus(True)
        self.view.setAccessibleName(name)
        set_role(self.view, "mono")
        self.view.setFixedHeight(self.view.fontMetrics().lineSpacing() * lines + SPACE_24)
        self.copy_button = QPushButton(self.tr("Copy"), self)
        self.copy_button.setAccessibleName(self.tr("Copy {name}").format(name=name))
        icons.dress(self.copy_button, "copy", "text2")
        self.copy_button.clicked.connect(self.copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_8)
        column.addWidget(self.view)
        self.foot = QHBoxLayout()
        self.foot.setSpacing(SPACE_8)
        self.foot.addWidget(self.copy_button)
        self.foot.addStretch(1)
        column.addLayout(self.foot)

    def show_text(self, text: str) -> None:
        """Show another text."""
        if text != self.view.toPlainText():
            self.view.setPlainText(text)

    def copy(self) -> None:
        """Put it on the clipboard."""
        QGuiApplication.clipboard().setText(self.view.toPlainText())


class RecipeTab(QWidget):
    """How one kind of system runs the bridge for good."""

    def __init__(self, kind: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.kind = kind
        self.recipe: Recipe | None = None
        self.commands: list[CopyField] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, SPACE_12, 0, 0)
        self._column.setSpacing(SPACE_8)

    def show_recipe(self, recipe: Recipe) -> None:
        """Show the steps, in order."""
        if recipe == self.recipe:
            return
        self.recipe = recipe
        self.commands = []
        while (item := self._column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        program, folder = PLACES[self.kind]
        steps = [self.tr("Put the program there: {place}").format(place=program)]
        steps.append(self.tr("Put the saved files into this folder:"))
        self._say(1, steps[0])
        self._say(2, steps[1])
        self._command(_native(self.kind, folder), self.tr("the folder of the site file"))
        number = 3
        if recipe.path:
            self._say(number, self.tr("Save this text as {path}:").format(path=recipe.path))
            text = TextBox(recipe.path, 8, self)
            text.show_text(recipe.text)
            self._column.addWidget(text)
            number += 1
        self._say(number, self.tr("Type these commands, in this order:"))
        for command in recipe.commands:
            self._command(command, self.tr("the command {text}").format(text=command[:40]))
        if recipe.note:
            self._column.addWidget(plain(recipe.note, "subtle", self))
        self._column.addWidget(plain(self.tr("To take it away again:"), "section", self))
        for command in recipe.undo:
            self._command(command, self.tr("the command {text}").format(text=command[:40]))

    def _say(self, number: int, text: str) -> None:
        self._column.addWidget(plain(f"{number}. {text}", "strong", self))

    def _command(self, text: str, name: str) -> None:
        field = CopyField(text, name, self)
        self.commands.append(field)
        self._column.addWidget(field)


class SmallBoxView(ScrollColumn):
    """``left`` when it is closed."""

    left = Signal()

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._desk = bench.bridge
        self._tasks = tasks
        self._due = QTimer(self)
        self._due.setSingleShot(True)
        self._due.setInterval(CHECK_MS)
        self._due.timeout.connect(self.refresh)
        self.setAccessibleName(self.tr("Take it to a small box"))
        self.column.setContentsMargins(SPACE_12, SPACE_12, SPACE_24, SPACE_16)
        self.column.setSpacing(SPACE_16)
        self._build()

    def _build(self) -> None:
        inside = QWidget(self)
        inside.setMaximumWidth(WIDTH)
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_16)
        self.warning = Notice(self)
        self.fault = Notice(self)
        intro = self.tr(
            "A small computer that stays in the garage, such as a Raspberry Pi, does for good what was proved here. "
            "It needs this program, the site file, and the passwords."
        )
        column.addLayout(self._head())
        column.addWidget(plain(intro, "", self))
        for widget in (self.fault, self.warning, self._file(), self._passwords(), self._install(), self._then()):
            column.addWidget(widget)
        middle = QHBoxLayout()  # a limit of width alone would cost wrapped texts their height
        middle.addWidget(inside, 100)
        middle.addStretch(1)
        self.column.addLayout(middle)
        self.column.addStretch(1)

    def _head(self) -> QHBoxLayout:
        self.back = QToolButton(self)
        icons.dress(self.back, "arrow-left")
        self.back.setAccessibleName(self.tr("Back to the units"))
        self.back.setToolTip(self.tr("Back to the units"))
        self.back.clicked.connect(self.left)
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        row.addWidget(self.back)
        row.addWidget(plain(self.tr("Take it to a small box"), "title", self, wraps=False))
        row.addStretch(1)
        return row

    def _file(self) -> QWidget:
        section = Section(self.tr("The site file"), "file-text", self)
        self.address = QLineEdit(self)
        self.address.setMaxLength(45)
        self.address.setAccessibleName(self.tr("IP address of the small box"))
        set_role(self.address, "mono")
        self.address.textEdited.connect(self._due.start)
        self.address_note = section.add_row(self.tr("Address of the small box"), self.address, " ")
        self.text = TextBox(self.tr("the site file"), TEXT_LINES, self)
        self.save = QPushButton(self.tr("Save the files…"), self)
        set_role(self.save, "primary")
        icons.dress(self.save, "save", "accent_text")
        self.save.clicked.connect(self._save)
        self.with_secrets = QCheckBox(self.tr("Write the passwords' files, too"), self)
        self.with_secrets.setToolTip(self.tr("Only onto a medium that stays in your hands until it is wiped"))
        self.text.foot.insertWidget(1, self.save)
        self.text.foot.insertWidget(2, self.with_secrets)
        self.outcome = plain("", "", self)
        self.outcome.setAccessibleName(self.tr("Outcome"))
        self.outcome.hide()
        section.add_wide(self.text)
        section.add_wide(self.outcome)
        return section

    def _passwords(self) -> QWidget:
        self.secrets_section = Section(self.tr("Passwords to fill in there"), "key-round", self)
        self.secrets_note = plain("", "", self)
        self.secrets = QWidget(self)
        column = QVBoxLayout(self.secrets)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_8)
        self.secrets_section.add_wide(self.secrets_note)
        self.secrets_section.add_wide(self.secrets)
        return self.secrets_section

    def _install(self) -> QWidget:
        section = Section(self.tr("Run it for good"), "server-cog", self)
        self.tabs = QTabBar(self)  # no QTabWidget: it would cost wrapped lines their height for their width
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        self.tabs.setAccessibleName(self.tr("System of the small box"))
        section.add_wide(self.tabs)
        self.recipes: dict[str, RecipeTab] = {}
        for kind, title in KINDS:
            self.recipes[kind] = RecipeTab(kind, self)
            self.tabs.addTab(QCoreApplication.translate("SmallBoxView", title))
            section.add_wide(self.recipes[kind])
        self.tabs.currentChanged.connect(self._show_kind)
        self._show_kind()
        return section

    def _show_kind(self) -> None:
        for index, (kind, _) in enumerate(KINDS):
            self.recipes[kind].setVisible(index == self.tabs.currentIndex())

    def _then(self) -> QWidget:
        section = Section(self.tr("Then"), "flag", self)
        self.then = plain("", "", self)
        section.add_wide(self.then)
        return section

    # Showing

    def opened(self) -> None:
        """Begin with what is chosen now."""
        self.address.setText(self._desk.plan().address)
        self.outcome.hide()
        self.verticalScrollBar().setValue(0)
        self.refresh()
        self.back.setFocus()

    def refresh(self) -> None:
        """Write everything anew."""
        address = self.address.text().strip()
        try:
            self._show_problems()
            files = self._desk.files(address=address)
            self.text.show_text(files.text)
            self._show_secrets(tuple(files.secrets))
            for kind, tab in self.recipes.items():
                tab.show_recipe(self._desk.recipe(kind, address=address))
        except AppError as error:
            self.fault.say(f"{error.message} {error.advice}", "fault")
            self.save.setEnabled(False)

    def _show_problems(self) -> None:
        problems = self._desk.small_box_problems(address=self.address.text().strip())
        wrong = self.tr("The small box would refuse this file: {problems}")
        self.fault.say(wrong.format(problems=visible("; ".join(problems), 600)) if problems else "", "fault")
        ours = [choice for choice in self._desk.choices if choice.backend == OURS]
        one = self.tr("1 unit is bridged to this computer's own endpoint")
        many = self.tr("{count} units are bridged to this computer's own endpoint")
        leaves = self.tr("{count}, which leaves with you. Choose their backend first.")
        self.warning.say(leaves.format(count=counted(len(ours), one, many)) if ours else "", "attention")
        self.save.setEnabled(not problems)
        self._show_address()
        self._show_then()

    def _show_address(self) -> None:
        is_here = self.address.text().strip() == self._desk.plan().address
        here = self.tr("This is this computer's own address: enter that of the small box, if it is another one.")
        there = self.tr("Of the adapter the chargers reach it at; give it a fixed one in the router.")
        self.address_note.setText(here if is_here else there)
        set_look(self.address_note, tone="attention" if is_here else "")

    def _show_then(self) -> None:
        plan = self._desk.plan()
        steps = []
        if self._desk.is_running:
            steps.append(
                self.tr("Stop the proof here before the small box starts: two bridges must not order one box.")
            )
        if plan.boxes:
            steps.append(
                self.tr("Let the names of the JuiceBoxes' old cloud lead to the small box (tab Network services).")
            )
        if plan.relays:
            url = f"ws://{self.address.text().strip()}:{plan.relay_port}/"
            steps.append(self.tr("Enter {url} as backend in the OCPP chargers.").format(url=url))
        steps.append(
            self.tr("See how it does: on the small box, open http://{host}:{port}/ in a browser.").format(
                host=plan.status_host, port=plan.status_port
            )
        )
        self.then.setText("\n".join(f"• {step}" for step in steps))

    def _show_secrets(self, names: tuple[str, ...]) -> None:
        layout = self.secrets.layout()
        assert layout is not None  # made with it
        while (item := layout.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        none = self.tr("No unit has a password or key: nothing is to be filled in.")
        some = self.tr(
            "The site file holds no password: it points to these files. Make each in the folder of the site file, "
            "with nothing but the password in it, readable by nobody else (chmod 600)."
        )
        self.secrets_note.setText(some if names else none)
        for name in names[:MOST_SECRETS]:
            layout.addWidget(CopyField(name, self.tr("the file's name {name}").format(name=name), self.secrets))
        if len(names) > MOST_SECRETS:
            more = self.tr("… and {n} more, all named in the site file.").format(n=len(names) - MOST_SECRETS)
            layout.addWidget(plain(more, "subtle", self.secrets))
        self.with_secrets.setVisible(bool(names))
        self.secrets.setVisible(bool(names))

    # Saving

    def _save(self) -> None:
        self._tasks.start_once("export site", self._saved(), busy=self.save)

    async def _saved(self) -> None:
        folder = await choose_folder(self, self.tr("Save the site's files"))
        if folder is None:
            return
        address, with_secrets = self.address.text().strip(), self.with_secrets.isChecked()
        try:
            made = await asyncio.to_thread(self._desk.export, folder, address=address, with_secrets=with_secrets)
        except AppError as error:
            self._say(f"{error.message} {error.advice}", "fault")
            return
        names = ", ".join(visible(_inside(path, folder), 60) for path in made[:6]) + (" …" if len(made) > 6 else "")
        self._say(self.tr("Written to {folder}: {names}").format(folder=visible(str(folder), 200), names=names), "good")

    def _say(self, text: str, tone: str) -> None:
        self.outcome.setText(text)
        self.outcome.show()
        set_look(self.outcome, tone=tone)


def _inside(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def _native(kind: str, folder: Path) -> str:
    return folder.as_posix().replace("/", "\\") if kind == "windows" else folder.as_posix()
