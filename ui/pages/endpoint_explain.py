"""A configuration explained: which make it is, what each setting means, and whether it is what the site wants."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QTabWidget, QVBoxLayout, QWidget

from app.diagnosis import explained
from app.diagnosis.dump import Dump
from app.diagnosis.explained import Explanation, Report
from app.model.profile import Profile
from ui import icons
from ui.models.explained import (
    EXPLAINED_FIELDS,
    count_words,
    detail_words,
    explained_key,
    missing_words,
    report_text,
    stack_words,
)
from ui.models.listing import Listing
from ui.models.plain import visible
from ui.pages.endpoint_explain_wishes import WishesView
from ui.theme import SPACE_4, SPACE_8, set_look
from ui.widgets.chip import TONE_ICONS
from ui.widgets.elided import ElidedLabel
from ui.widgets.frameview import plain_label
from ui.widgets.listview import ListView


class StackLine(QWidget):
    """One line above a charger's settings: which make it is, and a button to have them explained."""

    wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.icon = QLabel(self)
        self.text = ElidedLabel(self)
        self.button = QPushButton(self.tr("Explain and check…"), self)
        self.button.setToolTip(self.tr("Every setting in plain words, and whether they are what the site wants"))
        icons.dress(self.button, "list-checks", "text2")
        self.button.clicked.connect(self.wanted)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, SPACE_8, 0, 0)
        row.setSpacing(SPACE_8)
        row.addWidget(self.icon)
        row.addWidget(self.text)
        row.addStretch(1)
        row.addWidget(self.button)

    def show_report(self, report: Report) -> None:
        """Show which make it is."""
        words, tone = stack_words(report)
        self.text.show_text(words)
        icons.dress(self.icon, TONE_ICONS[tone], tone, 14)


class ExplainPanel(QWidget):
    """The whole explanation of one configuration. ``left``: back to where it came from."""

    left = Signal()
    set_wanted = Signal(object)
    """Changes (``tuple[Change, ...]``) that fulfil what the site wants."""

    def __init__(self, profiles: Iterable[Profile], parent: QWidget, *, back: str = "") -> None:
        super().__init__(parent)
        self._profiles = tuple(profiles)
        self.report: Report | None = None
        self.back = QPushButton(back, self)
        icons.dress(self.back, "arrow-left", "text2")
        self.back.setVisible(bool(back))
        self.back.clicked.connect(self.left)
        self.icon = QLabel(self)
        self.stack = plain_label(self, "heading", is_wrapped=True)
        self.stack.setAccessibleName(self.tr("Which make it is"))
        self.address = plain_label(self, "subtle", is_wrapped=True)
        self.address.setAccessibleName(self.tr("Its backend address"))
        self.copy_button = QPushButton(self.tr("Copy all"), self)
        self.copy_button.setToolTip(self.tr("Copy the whole explanation; passwords are masked"))
        icons.dress(self.copy_button, "copy", "text2")
        self.copy_button.clicked.connect(self._copy)
        self.wishes = WishesView(self)
        self.wishes.set_wanted.connect(self.set_wanted)
        self.tabs = QTabWidget(self)
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.addTab(self.wishes, self.tr("What the site wants"))
        self.tabs.addTab(self._key_by_key(), self.tr("Key by key"))
        self._lay_out()

    def _lay_out(self) -> None:
        self.head = QHBoxLayout()
        self.head.setSpacing(SPACE_8)
        self.head.addWidget(self.back)
        self.head.addWidget(self.icon)
        self.head.addWidget(self.stack, 1)
        self.head.addWidget(self.copy_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addLayout(self.head)
        layout.addWidget(self.address)
        layout.addWidget(self.tabs, 1)

    def _key_by_key(self) -> QWidget:
        box = QWidget(self)
        self.search = QLineEdit(box)
        self.search.setPlaceholderText(self.tr("Search keys, values, meanings"))
        self.search.setAccessibleName(self.tr("Search the explanation"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.count = plain_label(box, "caption")
        self.model: Listing[Explanation] = Listing(EXPLAINED_FIELDS, explained_key, self)
        nothing = self.tr("No setting fits the search.")
        self.table = ListView(self.model, self.tr("Settings explained"), box, nothing=nothing)
        self.table.picked.connect(self._picked)
        self.detail = plain_label(box, "caption", is_wrapped=True)
        self.detail.setAccessibleName(self.tr("About the chosen setting"))
        self.missing = plain_label(box, "caption", is_wrapped=True)
        self.missing.setAccessibleName(self.tr("What is missing"))
        set_look(self.missing, tone="attention")
        top = QHBoxLayout()
        top.addWidget(self.search, 1)
        top.addWidget(self.count)
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addLayout(top)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.detail)
        layout.addWidget(self.missing)
        return box

    def show_dump(self, dump: Dump, *, vendor: str = "", can_set: bool = False) -> Report:
        """Explain this configuration and judge the wishes; ``vendor`` is that of its Boot."""
        report = self.report = explained.explain(dump, self._profiles, vendor=vendor)
        words, tone = stack_words(report)
        self.stack.setText(words)
        icons.dress(self.icon, TONE_ICONS[tone], tone)
        self.address.setText(visible(report.address_words, 600))
        self.count.setText(count_words(report))
        words = missing_words(report)
        self.missing.setText(visible(words, 600))
        self.missing.setVisible(bool(words))
        self.wishes.show_dump(dump, can_set=can_set)
        self._filter(self.search.text())
        return report

    def _filter(self, text: str) -> None:
        words = text.casefold().split()
        settings = self.report.settings if self.report is not None else ()
        self.model.show([item for item in settings if all(word in _hay(item) for word in words)])
        self._picked(self.table.current())

    def _picked(self, item: object) -> None:
        has_any = isinstance(item, Explanation)
        self.detail.setText(detail_words(item) if isinstance(item, Explanation) else "")
        self.detail.setVisible(has_any)

    def _copy(self) -> None:
        if self.report is not None:
            QGuiApplication.clipboard().setText(report_text(self.report))


def _hay(item: Explanation) -> str:
    return f"{item.key}\n{item.shown or ''}\n{item.label}\n{item.meaning}\n{' '.join(item.oddities)}".casefold()
