"""What has to be typed at a charger that can't be pointed elsewhere from here, each text with a copy button."""

from __future__ import annotations

from PySide6.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from app.model.backend import Backend
from app.model.job import Job, Step, StepState
from ui.theme import SPACE_4, SPACE_8, set_role
from ui.widgets.copy import CopyField


def is_by_hand(job: Job, step: Step) -> bool:
    """Say whether a step stands because somebody has to type an address at the charger."""
    return step.state is StepState.NEEDS_INPUT and job.facts.get("by_hand", {}).get("step") == step.kind.value


def to_type(job: Job, step: Step) -> Backend | None:
    """Return what has to be typed in this step, if anything."""
    if not is_by_hand(job, step):
        return None
    typed = job.facts["by_hand"]
    return Backend(url=str(typed["url"]), identity=str(typed["identity"]))


class ByHand(QWidget):
    """Address, identity and both in one, as copy fields."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        heading = QLabel(self.tr("Type this at the charger"), self)
        set_role(heading, "section")
        texts = (self.tr("Address"), self.tr("Identity"), self.tr("Both in one line"))
        self.address, self.identity, self.whole = (CopyField(name=text, parent=self) for text in texts)
        form = QFormLayout()
        form.setVerticalSpacing(SPACE_4)
        for text, field in zip(texts, (self.address, self.identity, self.whole), strict=True):
            form.addRow(QLabel(text, self), field)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addWidget(heading)
        layout.addLayout(form)
        self.hide()

    def show_backend(self, backend: Backend | None) -> None:
        """Show what to type for a backend; nothing for ``None``."""
        if backend is not None:
            self.address.show_text(backend.url)
            self.identity.show_text(backend.identity)
            self.whole.show_text(backend.full_url)
        self.setVisible(backend is not None)
