"""The knock list: everything that ever connected to our port, with its first bytes and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QStackedLayout,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.model.frame import Knock
from app.model.proof import knocks_of
from ui.models.knocks import KNOCK_FIELDS, knock_key, verdict_text, verdict_tone
from ui.models.listening import hello_lines
from ui.models.listing import Listing
from ui.models.plain import hex_dump, moment_text, visible
from ui.pages.endpoint_experiment import Experiments
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_role
from ui.widgets.chip import Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.empty import Empty
from ui.widgets.findings import FindingCard
from ui.widgets.frameview import plain_label
from ui.widgets.listview import ListView

if TYPE_CHECKING:
    from app.workbench import Workbench


class KnockDetail(QWidget):
    """One knock in full."""

    charger_wanted = Signal(str)
    unit_wanted = Signal(str)

    def __init__(self, bench: Workbench, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._identity = ""
        self._unit_id = ""
        self.title = plain_label(self, "heading")
        self.verdict = Chip("", "idle", parent=self)
        self.about = plain_label(self, "caption")
        self.text = plain_label(self, "", is_wrapped=True)
        self.experiments = Experiments(bench, self)
        self.cards = ScrollColumn(self)
        self.cards.setAccessibleName(self.tr("What knocked"))
        self.bytes = QPlainTextEdit(self)
        self.bytes.setReadOnly(True)
        self.bytes.setTabChangesFocus(True)
        self.bytes.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.bytes.setAccessibleName(self.tr("First bytes"))
        set_role(self.bytes, "mono")
        self.hello = QPlainTextEdit(self)
        self.hello.setReadOnly(True)
        self.hello.setTabChangesFocus(True)
        self.hello.setAccessibleName(self.tr("What it offers in TLS"))
        set_role(self.hello, "mono")
        self.show_charger = QPushButton(self.tr("Show this charger"), self)
        self.show_charger.clicked.connect(self._want_charger)
        head = QHBoxLayout()
        head.setSpacing(SPACE_8)
        head.addWidget(self.title)
        head.addWidget(self.verdict)
        head.addWidget(self.about)
        head.addStretch(1)
        head.addWidget(self.show_charger)
        parts = QSplitter(Qt.Orientation.Horizontal, self)
        parts.setHandleWidth(SPACE_12)
        parts.setChildrenCollapsible(False)
        self.experiments.show_behind(self.cards)
        parts.addWidget(self.experiments)
        self.views = QTabWidget(self)
        self.views.setDocumentMode(True)
        self.views.tabBar().setDrawBase(False)
        self.views.addTab(self.hello, self.tr("TLS offer"))
        self.views.addTab(self.bytes, self.tr("First bytes"))
        parts.addWidget(self.views)
        parts.setSizes([560, 560])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_8)
        layout.setSpacing(SPACE_4)
        layout.addLayout(head)
        layout.addWidget(self.text)
        layout.addWidget(parts, 1)

    def show_knock(self, knock: Knock) -> None:
        """Show it, with advice by the diagnosis."""
        self.experiments.show_unit(knock.identity, knock.remote)
        self.title.setText(visible(knock.remote, 60))
        tone = verdict_tone(knock)
        self.verdict.show_status(verdict_text(knock), tone if tone != "text2" else "idle")
        to = self.tr("to {local}").format(local=visible(knock.local, 60)) if knock.local else ""
        self.about.setText("  ".join(part for part in (moment_text(knock.at), to) if part))
        self.views.setTabVisible(0, knock.hello is not None)
        self.views.setCurrentIndex(0 if knock.hello is not None else 1)
        if knock.hello is not None:
            self.hello.setPlainText(hello_lines(knock.hello))
        self.text.setText(visible(knock.text, 600))
        self._find_charger(knock)
        self.bytes.setPlainText(hex_dump(knock.first_bytes) or self.tr("It sent nothing."))
        self._show_findings(knock)

    def _find_charger(self, knock: Knock) -> None:
        """Offer the charger that knocked: on the endpoint by its identity, else the one known at this address."""
        is_connected = bool(knock.identity) and self._bench.server.endpoint(knock.identity) is not None
        self._identity = knock.identity if is_connected else ""
        units = self._bench.finder.units.values()
        known = next((unit for unit in units if knocks_of(unit, [knock])), None) if not is_connected else None
        self._unit_id = known.unit_id if known is not None else ""
        self.show_charger.setVisible(is_connected or known is not None)

    def _show_findings(self, knock: Knock) -> None:
        column = self.cards.column
        while (item := column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        column.setContentsMargins(0, 0, SPACE_8, 0)
        column.setSpacing(SPACE_8)
        findings = self._bench.server.findings_of(knock)
        for finding in findings[:5]:
            column.addWidget(FindingCard(finding, self.cards, run=self.experiments.run))
        self.experiments.setVisible(bool(findings) or self.experiments.is_open)
        column.addStretch(1)

    def _want_charger(self) -> None:
        if self._identity:
            self.charger_wanted.emit(self._identity)
        else:
            self.unit_wanted.emit(self._unit_id)


class KnockPanel(QWidget):
    """List above, detail below, newest first."""

    charger_wanted = Signal(str)
    unit_wanted = Signal(str)

    def __init__(self, bench: Workbench, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self.model: Listing[Knock] = Listing(KNOCK_FIELDS, knock_key, self)
        self.table = ListView(self.model, self.tr("Knocks"), self)
        self.detail = KnockDetail(bench, self)
        self.detail.hide()
        self.detail.charger_wanted.connect(self.charger_wanted)
        self.detail.unit_wanted.connect(self.unit_wanted)
        self.empty = Empty(
            self.tr("Nobody has knocked yet"),
            self.tr(
                "Everything that connects to our port is listed here, even a browser, a port scan or garbage. If a "
                "charger should be here and is not, it does not reach this computer: check the address in it, the "
                "network, and this computer's firewall."
            ),
            "door-open",
            parent=self,
        )
        self.splitter = QSplitter(Qt.Orientation.Vertical, self)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.table)
        self.splitter.addWidget(self.detail)
        self.splitter.setSizes([150, 390])
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.splitter)
        self.table.picked.connect(self._picked)

    def refresh(self) -> int:
        """Show the knocks there are; return how many."""
        knocks = list(reversed(self._bench.server.knock_list))
        if knocks != self.model.items:
            self.model.show(knocks)
            self._stack.setCurrentIndex(1 if knocks else 0)
        return len(knocks)

    def _picked(self, knock: Knock | None) -> None:
        self.detail.setVisible(knock is not None)
        if knock is not None:
            self.detail.show_knock(knock)
