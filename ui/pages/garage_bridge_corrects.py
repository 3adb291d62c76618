"""What the bridge may do for an OCPP charger: each correction can be forbidden, with what happens then."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QFormLayout, QLineEdit, QToolButton, QVBoxLayout, QWidget

from app.bridge.corrections import BOOT, UNAVOIDABLE, catalogue
from app.service.choosing import Choice
from ui import icons
from ui.theme import SPACE_4, SPACE_8, SPACE_24, set_role
from ui.widgets.section import plain

NAME_LIMIT = 20
"""chargePointVendor and chargePointModel (OCPP 1.6 §6.7, CiString20Type)."""


class CorrectsFold(QWidget):
    """“Only watch”, and a fold with a box for each correction."""

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.watches = QCheckBox(self.tr("Only watch: pass everything on as it is, and correct nothing"), self)
        self.fold = QToolButton(self)
        self.fold.setText(self.tr("What the bridge may correct"))
        self.fold.setCheckable(True)
        self.fold.setToolButtonStyle(self.fold.toolButtonStyle().ToolButtonTextBesideIcon)
        set_role(self.fold, "fold")
        self.body = QWidget(self)
        self.boxes: dict[str, QCheckBox] = {}
        self.vendor = self._name(self.tr("Maker, for a BootNotification it never sent"))
        self.model = self._name(self.tr("Model, for a BootNotification it never sent"))
        self._fill()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addWidget(self.watches)
        layout.addWidget(self.fold)
        layout.addWidget(self.body)
        self.fold.toggled.connect(self._show)
        self.watches.toggled.connect(self._show)
        self._show()

    def _name(self, name: str) -> QLineEdit:
        line = QLineEdit(self)
        line.setMaxLength(NAME_LIMIT)
        line.setAccessibleName(name)
        line.textEdited.connect(self.changed)
        return line

    def _fill(self) -> None:
        column = QVBoxLayout(self.body)
        column.setContentsMargins(SPACE_24, 0, 0, 0)
        column.setSpacing(SPACE_4)
        column.addWidget(plain(self.tr("A correction that is not ticked is not made:"), "caption", self.body))
        for code, words in catalogue().items():
            if code in UNAVOIDABLE:
                continue
            box = QCheckBox(self.tr("{what}   (if not: {off})").format(what=words.title, off=words.off), self.body)
            box.toggled.connect(self.changed)
            self.boxes[code] = box
            column.addWidget(box)
        form = QFormLayout()
        form.setSpacing(SPACE_8)
        form.addRow(self.tr("Its maker"), self.vendor)
        form.addRow(self.tr("Its model"), self.model)
        column.addWidget(plain(self.tr("If it never sent a BootNotification, one is made with:"), "caption", self.body))
        column.addLayout(form)

    def show_choice(self, choice: Choice) -> None:
        """Show what was chosen; the fold opens where something is forbidden."""
        self.watches.setChecked(choice.watches_only)
        for code, box in self.boxes.items():
            box.setChecked(code not in choice.without and (code != BOOT or choice.adds_boot))
        self.vendor.setText(choice.vendor)
        self.model.setText(choice.model)
        self.fold.setChecked(bool(choice.without) or not choice.adds_boot)
        self._show()

    def put_into(self, choice: Choice) -> Choice:
        """Return the choice with what is allowed here."""
        return replace(
            choice,
            watches_only=self.watches.isChecked(),
            adds_boot=self.boxes[BOOT].isChecked(),
            without=tuple(code for code, box in self.boxes.items() if code != BOOT and not box.isChecked()),
            vendor=self.vendor.text().strip(),
            model=self.model.text().strip(),
        )

    def _show(self) -> None:
        is_open = self.fold.isChecked() and not self.watches.isChecked()
        self.fold.setVisible(not self.watches.isChecked())
        self.body.setVisible(is_open)
        icons.dress(self.fold, "chevron-down" if is_open else "chevron-right", "text2")
        self.changed.emit()
