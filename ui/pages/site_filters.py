"""The Site page's line of filters: whom the chargers serve, groups, order, and which view shows them."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QComboBox, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from app.model.unit import Adoption
from ui import icons
from ui.models.unit_words import ADOPTION
from ui.models.units import SORTS
from ui.theme import SPACE_4

CARDS, TABLE, TRIAGE = range(3)
"""The views, in the order of their buttons."""


class FilterLine(QWidget):
    """Buttons and boxes of one line; the triage has filters of its own, so there only the views are shown."""

    filtered = Signal()
    view_chosen = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        # What it would like to have must not make the page wider than its window: it takes what there is.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._tools: QWidget | None = None
        line = self._line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(SPACE_4)
        self.filters: dict[Adoption, QToolButton] = {}
        for adoption, words in ADOPTION.items():
            button = QToolButton(self)
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setToolTip(f"{words.text}: {words.meaning}")
            icons.dress(button, words.icon, words.tone)
            button.toggled.connect(self.filtered)
            self.filters[adoption] = button
            line.addWidget(button)
        line.addStretch(1)
        self.grouping = self._combo(self.tr("Group"), ("No groups", "By adoption", "By family"))
        self.order = self._combo(self.tr("Sort"), tuple(SORTS))
        line.addWidget(self.grouping)
        line.addWidget(self.order)
        self.views = QButtonGroup(self)
        names = (self.tr("Show cards"), self.tr("Show a table"), self.tr("Show the triage: what can be done with each"))
        for place, (icon_name, text) in enumerate(
            zip(("layout-grid", "table-2", "clipboard-list"), names, strict=True)
        ):
            button = QToolButton(self)
            button.setCheckable(True)
            button.setToolTip(text)
            button.setAccessibleName(text)
            icons.dress(button, icon_name)
            self.views.addButton(button, place)
            line.addWidget(button)
        triage = self.views.button(TRIAGE)
        assert isinstance(triage, QToolButton)
        triage.setText(self.tr("Triage"))
        triage.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        icons.dress(triage, "clipboard-list")  # anew: beside a text it keeps a distance
        self.views.button(CARDS).setChecked(True)
        self.views.idClicked.connect(self._chosen)

    def _combo(self, name: str, texts: tuple[str, ...]) -> QComboBox:
        combo = QComboBox(self)
        combo.setAccessibleName(name)
        combo.setToolTip(name)
        combo.addItems(list(texts))
        return combo

    @property
    def chosen(self) -> frozenset[Adoption]:
        """Return whom the chargers shown may serve; none = anybody."""
        return frozenset(key for key, button in self.filters.items() if button.isChecked())

    def take(self, tools: QWidget) -> None:
        """Take the tools of the triage into the line."""
        self._tools = tools
        self._line.insertWidget(0, tools, 1000)
        tools.hide()

    def show_cards(self) -> None:
        """Switch to the cards."""
        self.choose_view(CARDS)

    def choose_view(self, place: int) -> None:
        """Switch to a view, as its button would."""
        self.views.button(place).setChecked(True)
        self._chosen(place)

    def show_counts(self, counts: Mapping[Adoption, int], *, is_wide: bool) -> None:
        """Write the counts on the buttons; where there is little room, without the words."""
        for adoption, button in self.filters.items():
            text = f"{ADOPTION[adoption].text} {counts[adoption]}"
            button.setText(text if is_wide else str(counts[adoption]))
            button.setAccessibleName(self.tr("Show only: {words}").format(words=text))

    def _chosen(self, place: int) -> None:
        for part in (*self.filters.values(), self.grouping, self.order):
            part.setVisible(place != TRIAGE)
        if self._tools is not None:
            self._tools.setVisible(place == TRIAGE)
        self.view_chosen.emit(place)
