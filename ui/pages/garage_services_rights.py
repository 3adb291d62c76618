"""Which rights each service needs on this computer, whether they are there, and the commands that give them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from app.model.garage import Privilege, Stand
from ui import icons
from ui.models.garage import SERVICES, service_title
from ui.tasks import Tasks
from ui.theme import SPACE_4, SPACE_8, SPACE_12
from ui.widgets.chip import Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.copy import CopyField
from ui.widgets.frameview import plain_label
from ui.widgets.section import Section, plain

if TYPE_CHECKING:
    from app.workbench import Workbench


class RightSection(Section):
    """One service: whether it may, why, and each way to allow it."""

    def __init__(self, stand: Stand, ways: Iterable[Privilege], parent: QWidget) -> None:
        super().__init__(service_title(stand), SERVICES[stand].icon, parent)
        listed = tuple(ways)
        self.stand = stand
        is_granted = all(way.is_granted for way in listed)
        words = self.tr("Allowed") if is_granted else self.tr("Not allowed yet")
        self.head.addWidget(Chip(words, "good" if is_granted else "attention", parent=self))
        self.add_wide(plain(listed[0].why, "", self))
        self.fields: list[CopyField] = []
        for way in listed:
            if way.how or way.commands:
                self.add_wide(self._way(way))

    def _way(self, way: Privilege) -> QWidget:
        box = QWidget(self)
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_4)
        column.addWidget(plain(way.how, "subtle", box))
        for command in way.commands:
            self.fields.append(CopyField(command, self.tr("command for {service}").format(service=self._name()), box))
            column.addWidget(self.fields[-1])
        if way.source:
            column.addWidget(plain(self.tr("Source: {source}").format(source=way.source), "caption", box))
        return box

    def _name(self) -> str:
        return service_title(self.stand)


class RightsPanel(ScrollColumn):
    """Looks when it is first shown, and when asked to again: the system is asked for each port."""

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self._wanted: Stand | None = None
        self.sections: list[RightSection] = []
        self.setAccessibleName(self.tr("Rights the services need"))
        self.hint = plain_label(self, "caption", is_wrapped=True)
        self.hint.setText(self.tr("Nothing here is done by Rehome: you type it, you can take it back."))
        self.again = QPushButton(self.tr("Look again"), self)
        icons.dress(self.again, "refresh-cw")
        self.again.clicked.connect(self.look)
        self._made = QVBoxLayout()
        self._made.setSpacing(SPACE_12)
        self.column.setContentsMargins(0, SPACE_8, SPACE_8, SPACE_8)
        self.column.setSpacing(SPACE_8)
        self.column.addWidget(self.hint)
        self.column.addLayout(self._made)
        self.column.addWidget(self.again)
        self.column.addStretch(1)

    def look(self) -> None:
        """Ask the system anew."""
        self._tasks.start_once("rights", self._look(), busy=self.again)

    def show_service(self, stand: Stand) -> None:
        """Look, and bring one service into sight."""
        self._wanted = stand
        self.look()

    async def _look(self) -> None:
        found = await asyncio.to_thread(self._bench.garage.privileges)
        for section in self.sections:
            self._made.removeWidget(section)
            section.hide()
            section.deleteLater()
        grouped = groupby(found, key=lambda item: item.stand)
        self.sections = [RightSection(stand, ways, self) for stand, ways in grouped]
        for section in self.sections:
            self._made.addWidget(section)
            section.show()
        await asyncio.sleep(0)  # the layout gets its sizes in the loop's next turn
        wanted, self._wanted = self._wanted, None
        for section in self.sections:
            if section.stand is wanted:
                self.verticalScrollBar().setValue(section.y())
