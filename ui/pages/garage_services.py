"""Network services: what stands in for a garage's missing DNS, time, addresses and web answers, and who asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from PySide6.QtWidgets import QVBoxLayout, QWidget

from ui.pages.page import Page
from ui.theme import SPACE_12, SPACE_16
from ui.widgets.frameview import plain_label

if TYPE_CHECKING:
    from app.workbench import Workbench


class ServicesPanel(Page):
    """The services, what they answer, and their log."""

    page_id: ClassVar[str] = "garage-services"
    title: ClassVar[str] = "Network services"

    def __init__(self, bench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(bench, parent)
        self.intro = plain_label(self, "", is_wrapped=True)
        self.intro.setText(
            self.tr(
                "A charger whose backend is gone may need no more than a name that resolves. This computer can stand "
                "in for what the garage lacks. Everything is off until you start it, and ends with the program."
            )
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_12, 0, 0)
        layout.setSpacing(SPACE_16)
        layout.addWidget(self.intro)
        layout.addStretch(1)
