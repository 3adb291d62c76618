"""One box: who it is, what may be done with it now, and its rescue, limit, readings and details in tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QTabWidget, QVBoxLayout, QWidget

from app.juicenet.rescue import steps
from app.juicenet.rescuetexts import guide
from app.model.juicebox import LEAST_A
from ui import icons
from ui.models.juice import UNLISTED, Case, Said, heard_text, line_state, state_mark, warnings_of
from ui.models.plain import visible
from ui.pages.garage_juice_facts import FactsView
from ui.pages.garage_juice_limit import LimitForm
from ui.pages.garage_juice_steps import RescueView
from ui.pages.unit_live import LiveTab
from ui.tasks import Tasks
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_role
from ui.widgets.chip import Chip
from ui.widgets.copy import CopyField
from ui.widgets.elided import ElidedLabel
from ui.widgets.section import plain
from ui.widgets.tabhome import pages_of

if TYPE_CHECKING:
    from app.workbench import Workbench

RESCUE, LIMIT, READINGS, DETAILS = range(4)
OTHERS = ("juicebox-wifi", "juicebox-jb1", "juicebox-jb2", "juicebox-eo")
"""Generations that are no part of the honest list."""


class BoxPanel(QFrame):
    """Shows one case. ``acted`` asks the page for something, by key; ``said`` that a person said something of it."""

    acted = Signal(str)
    said = Signal()

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self.case = Case(key=UNLISTED)
        self._marks: tuple[object, ...] = ()
        set_role(self, "panel")
        self.setAccessibleName(self.tr("JuiceBox"))
        self.title = plain("", "heading", self, wraps=False)
        self.serial = CopyField("", self.tr("serial number"), self)
        self.serial.field.setMinimumWidth(250)
        self.state = Chip("", "idle", parent=self)
        self.bridge_chip = Chip("", "idle", parent=self)
        self.warnings = [Chip("", "attention", parent=self) for _ in range(3)]
        self.about = ElidedLabel(self)
        set_role(self.about, "caption")
        self.charge = self._button("play", self.tr("Charge now"), "charge")
        self.pause = self._button("pause", self.tr("Pause"), "pause")
        self.to_bridge = self._button("arrow-right-left", self.tr("To the bridge"), "bridge")
        self.to_unit = self._button("stethoscope", self.tr("Diagnose"), "unit")
        self.tabs = QTabWidget(self)
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        home = pages_of(self.tabs)
        self.rescue = RescueView(self._families(), home)
        self.limit = LimitForm(bench, tasks, home)
        self.live = LiveTab(home)
        self.facts = FactsView(home)
        for part, words in (
            (self.rescue, self.tr("Rescue")),
            (self.limit, self.tr("Limit")),
            (self.live, self.tr("Readings")),
            (self.facts, self.tr("Details")),
        ):
            self.tabs.addTab(part, words)
        self.rescue.acted.connect(self.acted)
        self.rescue.said.connect(self.said)
        self._lay_out()

    def _families(self) -> list[tuple[str, str]]:
        profiles = self._bench.registry.profiles
        known = [profile_id for profile_id in (*OTHERS, *guide().barred) if profile_id in profiles]
        return [(profile_id, profiles[profile_id].family) for profile_id in known]

    def _button(self, icon_name: str, text: str, key: str) -> QPushButton:
        button = QPushButton(text, self)
        icons.dress(button, icon_name, "text2")
        button.setProperty("key", key)
        button.clicked.connect(self._act)
        return button

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(SPACE_8)
        top.addWidget(self.title)
        top.addWidget(self.serial)
        for chip in (self.state, self.bridge_chip, *self.warnings):
            top.addWidget(chip)
        top.addStretch(1)
        below = QHBoxLayout()
        below.setSpacing(SPACE_8)
        below.addWidget(self.about, 1)
        below.addStretch(0)
        for button in (self.charge, self.pause, self.to_bridge, self.to_unit):
            below.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_12, SPACE_8, SPACE_4, SPACE_8)
        layout.setSpacing(SPACE_4)
        layout.addLayout(top)
        layout.addLayout(below)
        layout.addWidget(self.tabs, 1)

    # Showing

    def show_case(self, case: Case, said: Said, *, our_address: str) -> None:
        """Show a box as it stands."""
        is_other = case.key != self.case.key
        self.case = case
        profile = self._bench.registry.profiles.get(case.family_id(said))
        family = profile.family if profile is not None else ""
        if is_other:
            self.live.clear()
            self.facts.show_address(case.host)
        self.title.setText(case.name)
        self.title.setVisible(not case.box_id)
        self.serial.setVisible(bool(case.box_id))
        if self.serial.text != visible(case.box_id, 40):
            self.serial.show_text(visible(case.box_id, 40))
        self._show_marks(case)
        self.about.show_text(_about(case, family))
        self._show_buttons(case)
        found = steps(case.known(said, at=self._bench.now(), our_address=our_address))
        self.rescue.show_case(case, said, found, is_listening=self._bench.juice.state.is_listening)
        self.limit.show_case(case)
        self.facts.show_case(case, said, family)

    def _show_marks(self, case: Case) -> None:
        state, warnings = state_mark(case), warnings_of(case)
        bridge = line_state(case.bridge) if case.bridge is not None else None
        if (state, warnings, bridge) == self._marks:
            return
        self._marks = (state, warnings, bridge)
        self.state.show_status(state.word, state.tone)
        self.state.setToolTip(state.sense)
        self.state.setVisible(case.key != UNLISTED)
        self.bridge_chip.setVisible(bridge is not None)
        if bridge is not None:
            self.bridge_chip.show_status(bridge.word, bridge.tone)
        shown = [mark for mark in warnings if mark.word != state.word]
        for number, chip in enumerate(self.warnings):
            chip.setVisible(number < len(shown))
            if number < len(shown):
                chip.show_status(shown[number].word, shown[number].tone)
                chip.setToolTip(shown[number].sense)
                chip.setAccessibleDescription(shown[number].sense)

    def _show_buttons(self, case: Case) -> None:
        box = case.box
        is_ours = case.is_followed and box is not None and box.adoption is not None
        self.charge.setVisible(is_ours)
        self.pause.setVisible(is_ours)
        self.to_bridge.setVisible(is_ours)
        self.to_unit.setVisible(bool(case.unit_id))
        if box is None or not is_ours:
            return
        can_tell = case.bridge is None
        reason = "" if can_tell else self.tr("The bridge decides who may charge")
        ceiling = self._bench.juice.ceiling_a(box.box_id)
        wanted = box.wanted_a if box.wanted_a is not None else box.allowed_a
        self.charge.setEnabled(can_tell and ceiling >= LEAST_A and wanted != ceiling)
        self.pause.setEnabled(can_tell and wanted != 0)
        words = self.tr("Let it draw {amps} A, all that its limits allow").format(amps=ceiling)
        self.charge.setToolTip(reason or words)
        self.pause.setToolTip(reason or self.tr("Tell it 0 A with its next report: it charges nobody"))
        is_bridged = case.bridge is not None
        words = self.tr("Open the bridge") if is_bridged else self.tr("To the bridge")
        sense = self.tr("See how its line stands") if is_bridged else self.tr("Make it a charge point of the backend")
        self.to_bridge.setText(words)
        self.to_bridge.setToolTip(sense)

    def show_tab(self, tab: int) -> None:
        """Turn to a tab."""
        self.tabs.setCurrentIndex(tab)
        if tab == LIMIT:
            self.limit.focus_field()

    def _act(self) -> None:
        self.acted.emit(str(self.sender().property("key")))

    def sizeHint(self) -> QSize:
        """Ask for the room of a guide."""
        return QSize(760, 520)


def _about(case: Case, family: str) -> str:
    box = case.box
    parts = [
        family,
        box.software.removeprefix("EMWERK-") if box is not None else "",
        box.address if box is not None else case.host,
        heard_text(case),
    ]
    return " · ".join(part for part in parts if part)
