"""Bridge: charge points made of units that no backend can talk to, proved on site, then taken to a small box."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from app.errors import AppError
from app.model.bridge import BridgeStatus, UnitKind
from app.service.choosing import OURS, Choice
from ui import icons
from ui.dialogs import Button, ask
from ui.models.bridge import (
    ROW_FIELDS,
    Bridged,
    by_unit,
    knocking_text,
    rows_of,
    summary_text,
    unmatched,
    waits_at_zero,
)
from ui.models.listing import Listing
from ui.models.plain import visible
from ui.pages.garage_bridge_export import SmallBoxView
from ui.pages.garage_bridge_form import UnitForm
from ui.pages.garage_bridge_secret import Keeping
from ui.pages.garage_bridge_unit import Notice, UnitPane, remedies_text
from ui.pages.page import Page
from ui.theme import SPACE_8, set_role
from ui.widgets.chip import Chip
from ui.widgets.empty import Empty
from ui.widgets.flow import Flow
from ui.widgets.frameview import plain_label
from ui.widgets.keptsplitter import SIDEWAYS, UPRIGHT, KeptSplitter
from ui.widgets.listview import ListView

if TYPE_CHECKING:
    from app.workbench import Workbench

TICK_MS = 1000


class BridgePanel(Page):
    """The units with their state on the left, the chosen one on the right; the form and the export in their place."""

    page_id: ClassVar[str] = "garage-bridge"
    title: ClassVar[str] = "Bridge"

    def __init__(self, bench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(bench, parent)
        self._desk = bench.bridge
        self._wrong: dict[tuple[UnitKind, str], tuple[str, ...]] = {}
        self._wrong_at_all: tuple[str, ...] = ()
        self._status: BridgeStatus | None = None
        self._is_changed = False
        """Whether what runs is not what is chosen."""
        self._is_readable = True
        """Whether what was chosen before could be read: else nothing is added, which would overwrite it."""
        self.model: Listing[Bridged] = Listing(ROW_FIELDS, lambda row: row.key, self)
        self.form = UnitForm(bench, self)
        self.small_box = SmallBoxView(bench, self.tasks, self)
        self.stack = QStackedWidget(self)
        self.stack.addWidget(self._units())
        self.stack.addWidget(self.form)
        self.stack.addWidget(self.small_box)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.addWidget(self.stack)
        self._connect()
        self.listen(self._desk.changes, self._told)
        self.every(TICK_MS, self._tick)
        self.refresh()

    # Building

    def _units(self) -> QWidget:
        page = QWidget(self)
        self.intro = plain_label(page, "", is_wrapped=True)
        self.intro.setText(
            self.tr(
                "The bridge makes OCPP charge points of units no backend can talk to: it speaks for Wi-Fi JuiceBoxes, "
                "and passes on what OCPP chargers say, corrected where their backend wants it otherwise. Prove it "
                "here on site; for good it runs on a small box that stays in the garage."
            )
        )
        self.fault, self.trouble, self.warning, self.knocking = (Notice(page) for _ in range(4))
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addWidget(self.intro)
        layout.addLayout(self._ways(page))
        for notice in (self.fault, self.trouble, self.warning, self.knocking):
            layout.addWidget(notice)
        self.body = QStackedWidget(page)
        self.body.addWidget(self._empty())
        self.body.addWidget(self._split())
        layout.addWidget(self.body, 1)
        return page

    def _ways(self, page: QWidget) -> QVBoxLayout:
        self.start = self._way(self.tr("Start the proof"), "play", self.start_proof, page)
        set_role(self.start, "primary")
        icons.dress(self.start, "play", "accent_text")
        self.restart = self._way(self.tr("Take up the changes"), "refresh-cw", self.start_proof, page)
        self.stop_button = self._way(self.tr("Stop the proof"), "square", self._stop, page)
        self.add_box = self._way(self.tr("Add a JuiceBox…"), "plus", self._add_box, page)
        self.add_relay = self._way(self.tr("Add an OCPP charger…"), "plus", self._add_relay, page)
        self.export = self._way(self.tr("Take it to a small box…"), "package", self._export, page)
        self.release = self._way(self.tr("Let all boxes charge freely…"), "lock-open", self._release, page)
        self.chip = Chip("", "idle", parent=page)
        self.summary = plain_label(page, "subtle")
        flow = Flow()
        for button in (
            self.start,
            self.restart,
            self.stop_button,
            self.add_box,
            self.add_relay,
            self.export,
            self.release,
        ):
            flow.addWidget(button)
        state = QHBoxLayout()
        state.setSpacing(SPACE_8)
        state.addWidget(self.chip)
        state.addWidget(self.summary)
        state.addStretch(1)
        rows = QVBoxLayout()
        rows.setSpacing(SPACE_8)
        rows.addLayout(flow)
        rows.addLayout(state)
        return rows

    def _way(self, text: str, icon_name: str, method: object, parent: QWidget) -> QPushButton:
        button = QPushButton(text, parent)
        icons.dress(button, icon_name, "text2")
        button.clicked.connect(method)
        return button

    def _empty(self) -> QWidget:
        self.empty = Empty(self.tr("No unit is bridged yet"), "", "waypoints", "", self)
        self.empty.acted.connect(self._first_step)
        return self.empty

    def _split(self) -> QWidget:
        self.table = ListView(self.model, self.tr("Bridged units"), self)
        self.unit = UnitPane(self.bench, self)
        self.split = KeptSplitter(
            self.bench.home / "window.ini", "bridge", {UPRIGHT: (200, 300), SIDEWAYS: (700, 460)}, self
        )
        self.split.addWidget(self.table)
        self.split.addWidget(self.unit)
        self.split.turn(SIDEWAYS)
        self.split.setStretchFactor(0, 3)
        self.split.setStretchFactor(1, 2)
        return self.split

    def _connect(self) -> None:
        self.table.picked.connect(self._picked)
        self.table.activated.connect(self._activated)
        self.form.saved.connect(self._saved)
        self.form.left.connect(self.show_units)
        self.small_box.left.connect(self.show_units)
        self.unit.changed.connect(self._change)
        self.unit.removed.connect(self._ask_remove)
        self.unit.handed_over.connect(self._ask_hand_over)
        self.unit.traffic_wanted.connect(self._to_traffic)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape leaves the form, Delete asks whether the unit shall go."""
        if event.key() == Qt.Key.Key_Escape and self.stack.currentIndex() != 0:
            self.show_units()
        elif event.key() == Qt.Key.Key_Delete and self.table.hasFocus():
            self._remove_current()
        else:
            super().keyPressEvent(event)

    # Page life

    def open(self, argument: object) -> None:
        """Show a unit by its serial or name; one that is not bridged yet is offered in the form."""
        if not isinstance(argument, str) or not argument:
            return
        self.refresh()
        if not self._is_readable:
            return
        choice = next((one for one in self.choices if argument in (one.unit, one.identity)), None)
        if choice is not None:
            self.show_units()
            self.table.select_key((choice.kind, choice.unit))
        elif argument in self._desk.adopted:
            self._open_form(UnitKind.BOX, argument)
        else:
            self.show_units()
            words = self.tr("{name} can't be bridged yet: first enter its circuit's limit in the tab JuiceBoxes.")
            self.fault.say(words.format(name=visible(argument, 60)), "attention")

    def on_shown(self) -> None:
        """Show how everything stands."""
        self.refresh()

    def refresh(self) -> None:
        """Read what is chosen, and judge it."""
        self._is_readable = False
        try:
            choices = self.choices
            self._is_readable = True
            problems = self._desk.problems() if choices else ()
            self._wrong = by_unit(self._desk.plan(), problems)
            self._wrong_at_all = unmatched(problems)
        except AppError as error:
            self.fault.say(f"{error.message} {error.advice}", "fault")
        self._show()

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Return the units to bridge."""
        return self._desk.choices

    def show_units(self) -> None:
        """Come back to the list."""
        if self.stack.currentIndex() == 0:
            return
        self.stack.setCurrentIndex(0)
        self.refresh()
        (self.table if self.model.items else self.add_box).setFocus()

    # Showing

    def _told(self, changes: list[BridgeStatus | None]) -> None:
        if changes[-1] is None and self._desk.trouble:
            self.fault.say(f"{self._desk.trouble} {self._desk.advice}", "fault")
        self._show()

    def _tick(self) -> None:
        if not self._desk.is_running:
            self._show()

    def _show(self) -> None:
        self._status = self._desk.status
        try:
            rows = rows_of(self._desk.choices, self._status, self._wrong)
        except AppError:
            rows = []  # told by refresh
        self.model.show(rows)
        self.body.setCurrentIndex(1 if rows else 0)
        if rows and self.table.current() is None:
            self.table.selectRow(0)
        self._show_unit()
        self._show_ways()
        self._show_notices()
        if not rows:
            self._show_empty()

    def _show_unit(self) -> None:
        row = self.table.current()
        if isinstance(row, Bridged):
            self.unit.show_row(row, self.bench.now())

    def _show_ways(self) -> None:
        is_on, has_any = self._desk.is_running, bool(self.model.items)
        is_busy = self.tasks.is_running("start") or self.tasks.is_running("stop")
        self.add_box.setEnabled(self._is_readable)
        self.add_relay.setEnabled(self._is_readable)
        self.start.setVisible(not is_on)
        self.start.setEnabled(has_any and not is_busy)
        self.stop_button.setVisible(is_on)
        self.stop_button.setEnabled(not is_busy)
        self.restart.setVisible(is_on and self._is_changed)
        self.restart.setEnabled(not is_busy)
        self.export.setEnabled(has_any)
        self.release.setVisible(any(row.choice.kind is UnitKind.BOX for row in self.model.items))
        status = self._status
        self.intro.setVisible(not is_on)
        self.chip.setVisible(has_any)
        self.summary.setVisible(has_any)
        if status is not None:
            self.chip.show_status(self.tr("Bridging"), "good")
            self.summary.setText(summary_text(status, self.bench.now()))
        else:
            self.chip.show_status(self.tr("Off"), "idle")
            self.summary.setText(self.tr("Nothing is bridged until you start the proof; it ends with the program."))

    def _show_notices(self) -> None:
        status = self._status
        self.trouble.say(visible(status.trouble, 400) if status is not None else "", "fault")
        whole = self._wrong_at_all
        zero = self.tr(
            "Boxes that wait for a session hold 0 A. Before the bridge is taken away, let them charge freely: a box "
            "whose bridge just disappears stays at 0 A."
        )
        is_held = status is not None and waits_at_zero(self.choices)
        self.warning.say(" ".join(whole) or (zero if is_held else ""), "fault" if whole else "attention")
        knocking = status.knocking if status is not None else ()
        words = self.tr("Held off: {who}. Add a charger under the name it says to let it in.")
        self.knocking.say(words.format(who=knocking_text(knocking)) if knocking else "", "attention")

    def _show_empty(self) -> None:
        adopted = len(self._desk.adopted)
        if adopted:
            text = self.tr(
                "Choose a JuiceBox that you adopted, or an OCPP charger whose backend wants what it can't do. Give "
                "it the identity its new backend knows."
            )
            action = self.tr("Add a JuiceBox…")
        else:
            text = self.tr(
                "A JuiceBox is adopted first: listen for it and enter the limit of its circuit in the tab JuiceBoxes. "
                "An OCPP charger can be added at once."
            )
            action = self.tr("Go to JuiceBoxes")
        self.empty.show_texts(self.tr("No unit is bridged yet"), text, "waypoints", action)

    def _picked(self, _: Bridged | None) -> None:
        self._show_unit()

    # Choosing

    def _first_step(self) -> None:
        if self._desk.adopted and self._is_readable:
            self._add_box()
        else:
            self.go.emit("garage", "juice")

    def _add_box(self) -> None:
        self._open_form(UnitKind.BOX)

    def _add_relay(self) -> None:
        self._open_form(UnitKind.RELAY)

    def _open_form(self, kind: UnitKind, unit: str = "") -> None:
        self.form.add(kind, self.choices, unit=unit)
        self.stack.setCurrentWidget(self.form)
        self.form.focus_first()

    def _activated(self) -> None:
        if isinstance(row := self.table.current(), Bridged):
            self._change(row)

    def _change(self, row: Bridged) -> None:
        self.form.change(row.choice, self.choices)
        self.stack.setCurrentWidget(self.form)
        self.form.focus_first()

    def _saved(self, choice: Choice, old: Choice | None) -> None:
        choices = self.choices
        changed = tuple(choice if one == old else one for one in choices) if old in choices else (*choices, choice)
        if self._choose(changed):
            if old is not None:
                Keeping(self.bench.vault, changed).forget(old)
            self.show_units()
            self.table.select_key((choice.kind, choice.unit))

    def _choose(self, choices: tuple[Choice, ...]) -> bool:
        try:
            self._desk.choose(choices)
        except AppError as error:
            self.show_units()
            self.fault.say(f"{error.message} {error.advice}", "fault")
            return False
        self.fault.say("")
        self._is_changed = self._desk.is_running
        self.refresh()
        return True

    def _remove_current(self) -> None:
        if isinstance(row := self.table.current(), Bridged):
            self._ask_remove(row)

    def _ask_remove(self, row: Bridged) -> None:
        self.tasks.start_once("remove", self._remove(row.choice))

    async def _remove(self, choice: Choice) -> None:
        name = visible(choice.identity, 60)
        text = self.tr("Its password for the bridge is taken out of the vault. Nothing is changed at the unit.")
        if self._desk.is_running:
            text += " " + self.tr(
                "What still waits for its backend is kept; the unit leaves with “Take up the changes”."
            )
        buttons = (
            Button(key="remove", text=self.tr("Remove"), role="danger"),
            Button(key="keep", text=self.tr("Keep it")),
        )
        if await ask(self, self.tr("Remove {name} from the bridge?").format(name=name), text, buttons) != "remove":
            return
        left = tuple(one for one in self.choices if one != choice)
        if self._choose(left):
            Keeping(self.bench.vault, left).forget(choice)

    # The proof on site

    def start_proof(self) -> None:
        """Start, or take up what has changed."""
        self.tasks.start_once("start", self._started())
        self._show_ways()

    async def _started(self) -> None:
        self.fault.say("")
        try:
            await self._desk.start()
        except AppError as error:
            self.fault.say(f"{error.message} {error.advice}", "fault")
        else:
            self._is_changed = False
        self._show_soon()

    def _show_soon(self) -> None:
        """Show how things stand once the task that asks for it has ended."""
        QTimer.singleShot(0, self, self.refresh)

    def _stop(self) -> None:
        self.tasks.start_once("stop", self._stopped())
        self._show_ways()

    async def _stopped(self) -> None:
        await self._desk.stop()
        self._show_soon()

    def _release(self) -> None:
        self.tasks.start_once("release", self._released())

    async def _released(self) -> None:
        adopted = self._desk.adopted
        boxes = [one.unit for one in self.choices if one.kind is UnitKind.BOX and one.unit in adopted]
        text = self.tr(
            "Each box may then draw up to its own limit, for everybody, and the proof ends: sessions are told to no "
            "backend any more. Do this before the bridge is taken away. Boxes are told with their next report; one "
            "that was at 0 A within the last minute a little later."
        )
        lines = [f"{box} · {adopted[box].ceiling_a:g} A" for box in boxes[:8]]
        more = [self.tr("… and {n} more").format(n=len(boxes) - 8)] if len(boxes) > 8 else []
        buttons = (
            Button(key="cancel", text=self.tr("Cancel")),
            Button(key="release", text=self.tr("Let them charge"), role="danger"),
        )
        title = self.tr("Let all boxes charge freely?")
        if await ask(self, title, "\n".join([text, "", *lines, *more]), buttons) != "release":
            return
        try:
            await self._desk.release()
        except AppError as error:
            self.fault.say(f"{error.message} {error.advice}", "fault")
        else:
            self.fault.say(
                self.tr(
                    "All boxes may charge freely; nothing is bridged now. Each is told with its next report: leave "
                    "Rehome on until the tab JuiceBoxes shows it of all of them."
                ),
                "good",
            )
        self._show()

    def _ask_hand_over(self, row: Bridged) -> None:
        self.tasks.start_once("hand over", self._hand_over(row))

    async def _hand_over(self, row: Bridged) -> None:
        nothing = self.tr("• Enter the backend's address in the charger.")
        text = self.tr(
            "Before the charger dials its backend by itself, this must be done at it:\n\n{remedies}\n\nThen the bridge "
            "lets it go. A session that runs goes on: its number is the backend's own."
        ).format(remedies=remedies_text(row, nothing))
        buttons = (
            Button(key="wait", text=self.tr("After its session"), role="primary"),
            Button(key="now", text=self.tr("Now")),
            Button(key="cancel", text=self.tr("Cancel")),
        )
        title = self.tr("Hand {name} over to its backend?").format(name=visible(row.choice.identity, 60))
        answer = await ask(self, title, text, buttons)
        if answer not in ("wait", "now"):
            return
        try:
            self._desk.hand_over(row.choice.unit, waits=answer == "wait")
        except AppError as error:
            self.fault.say(f"{error.message} {error.advice}", "fault")
        self._show()

    # Ways on

    def _to_traffic(self, row: Bridged) -> None:
        """Show the line: our endpoint recorded its own; what went to another backend is in the bridge's trace."""
        recording = self._desk.recording
        if row.choice.backend == OURS or recording is None:
            self.go.emit("traffic", row.choice.identity)
        else:
            self.go.emit("traffic", recording)

    def _export(self) -> None:
        self.small_box.opened()
        self.stack.setCurrentWidget(self.small_box)
        self.small_box.back.setFocus()
