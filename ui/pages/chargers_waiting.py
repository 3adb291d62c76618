"""After the typing: wait, with the family's own times, until the charger dials this computer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.model.address import OcppAddress
from app.model.job import Progress, StepKind
from app.model.profile import Profile
from ui import icons
from ui.i18n import translate
from ui.theme import SPACE_8, set_look, set_role
from ui.widgets.section import plain
from ui.wizard.countdown import Countdown

if TYPE_CHECKING:
    from app.workbench import Workbench

LOOK_MS = 500


class Waiting(QWidget):
    """A button, then a countdown, then what was seen. ``unit_wanted`` names the charger that has arrived."""

    unit_wanted = Signal(str)

    def __init__(self, bench: Workbench, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._profile: Profile | None = None
        self._identity = ""
        self._began_at: datetime | None = None
        self.begin = QPushButton(translate("I have typed it in: wait for it"), self)
        set_role(self.begin, "primary")
        set_look(self.begin, size="large")
        self.begin.clicked.connect(self._begin)
        self.countdown = Countdown(self)
        self.seen = plain("", "strong", self)
        self.open = QPushButton(translate("Open this charger"), self)
        icons.dress(self.open, "ev-charger")
        set_look(self.open, size="large")
        self.open.clicked.connect(self._open)
        line = QHBoxLayout()
        line.setSpacing(SPACE_8)
        line.addWidget(self.begin)
        line.addWidget(self.open)
        line.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, SPACE_8, 0, 0)
        column.setSpacing(SPACE_8)
        column.addWidget(self.countdown)
        column.addWidget(self.seen)
        column.addLayout(line)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        self.watch(None, "")

    def watch(self, profile: Profile | None, identity: str) -> None:
        """Offer to wait for an identity of this family; ``None``: it does not dial us, there is nothing to see."""
        self.setVisible(profile is not None)
        if (profile, identity) == (self._profile, self._identity):
            return
        self._profile, self._identity, self._began_at = profile, identity, None
        self._timer.stop()
        self.countdown.show_progress(None)
        self.begin.show()
        self.seen.hide()
        self.open.hide()

    def _begin(self) -> None:
        profile = self._profile
        if profile is None:
            return
        self._began_at = self._bench.now()
        self.begin.hide()
        self.seen.hide()
        self.countdown.show_progress(
            Progress(
                job_id="",
                step=StepKind.PROVE,
                text=translate("Waiting for “{identity}” to dial this computer").format(identity=self._identity),
                started_at=self._began_at,
                expected_s=profile.timing.restart_s + profile.timing.redial_s,
                patience_s=profile.timing.patience_s,
            )
        )
        self._timer.start()
        self._look()

    def _look(self) -> None:
        profile, began_at = self._profile, self._began_at
        if profile is None or began_at is None:
            return
        endpoint = self._bench.server.endpoint(self._identity)
        if endpoint is not None:
            text = translate("“{identity}” dials this computer. The move itself is a job of its own.")
            self._end(text.format(identity=self._identity), "good")
            self.open.setVisible(bool(self._unit_id()))
        elif self._bench.now() - began_at > timedelta(seconds=profile.timing.patience_s):
            self.begin.show()
            text = translate(
                "It did not dial within its time. Look at the knock list under “Endpoint”: what came instead tells why."
            )
            self._end(text, "fault")

    def _end(self, text: str, tone: str) -> None:
        self._timer.stop()
        self.countdown.show_progress(None)
        self.seen.setText(text)
        set_look(self.seen, tone=tone)
        self.seen.show()

    def _unit_id(self) -> str:
        unit = self._bench.finder.at(OcppAddress(identity=self._identity))
        return unit.unit_id if unit is not None else ""

    def _open(self) -> None:
        if unit_id := self._unit_id():
            self.unit_wanted.emit(unit_id)
