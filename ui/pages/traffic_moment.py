"""What a recording tells at the moment of its replay: findings so far, the chargers' state, their curves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QLabel,
    QPushButton,
    QScrollArea,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.diagnosis.catalogue import explain
from app.model.frame import Knock
from app.model.reading import Measurand
from app.trace.judging import Found
from app.trace.moment import Moments, UnitMoment
from ui import icons
from ui.models.plain import clock_text, visible
from ui.theme import SPACE_4, SPACE_8, set_role, theme
from ui.widgets.findings import ICONS, TONES, FindingCard

if TYPE_CHECKING:
    from ui.widgets.plots import Plots

SHOWN_FINDINGS = 2_000
SHOWN_UNITS = 200
CURVE_SAMPLES = 20_000
"""Samples drawn at most when the reader jumps: the newest before the moment."""

_FACTS = (
    (Measurand.POWER, "Power", 0.001, "kW", 2),
    (Measurand.ENERGY, "Energy", 0.001, "kWh", 3),
    (Measurand.CURRENT, "Current", 1.0, "A", 1),
    (Measurand.SOC, "State of charge", 1.0, "%", 0),
)


class MomentPane(QTabWidget):
    """Three tabs. ``jumped`` asks to go to a finding; ``chosen`` tells whose curves are wanted."""

    jumped = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("At this moment"))
        self._shown: tuple[int, int] | None = None
        self._listed: Sequence[Found] = ()
        self._identity = ""
        self.plots: Plots | None = None
        self._plotted = 0
        self._plotted_for = ""
        self.addTab(self._findings_tab(), self.tr("Findings"))
        self.addTab(self._state_tab(), self.tr("State"))
        self.addTab(self._curves_tab(), self.tr("Curves"))
        self.setMinimumWidth(280)
        theme().changed.connect(self._restyle)

    # Findings

    def _findings_tab(self) -> QWidget:
        page = QWidget(self)
        self.note = QLabel(page)
        self.note.setWordWrap(True)
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        set_role(self.note, "subtle")
        self.list = _table(page, ("Time", "Finding"), self.tr("Findings of the recording"))
        self.list.itemSelectionChanged.connect(self._selected)
        self.list.itemActivated.connect(self._activated)
        self.card = QScrollArea(page)
        self.card.setWidgetResizable(True)
        self.card.setFrameShape(QScrollArea.Shape.NoFrame)
        self.card.setAccessibleName(self.tr("The chosen finding"))
        self.card.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.card.hide()
        self.jump_button = QPushButton(self.tr("Show where it was found"), page)
        icons.dress(self.jump_button, "locate", "text2")
        self.jump_button.clicked.connect(self._activated)
        self.jump_button.hide()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(SPACE_4, SPACE_8, SPACE_4, SPACE_4)
        layout.setSpacing(SPACE_8)
        layout.addWidget(self.note)
        layout.addWidget(self.list, 2)
        layout.addWidget(self.jump_button)
        layout.addWidget(self.card, 3)
        return page

    def show_note(self, text: str) -> None:
        """Say how the findings stand, above the list."""
        self.note.setText(text)

    def show_findings(self, found: Sequence[Found]) -> None:
        """List the findings up to the moment, the newest last."""
        shown = found[-SHOWN_FINDINGS:]
        mark = (len(found), id(found[-1]) if found else 0)
        if mark == self._shown:
            return
        self._shown = mark
        kept = list(self._listed)
        if list(shown[: len(kept)]) != kept:
            self.list.setRowCount(0)
            kept = []
        for item in shown[len(kept) :]:
            self._append(item)
        self._listed = list(shown)

    def _append(self, found: Found) -> None:
        row = self.list.rowCount()
        self.list.insertRow(row)
        finding = found.finding
        time = QTableWidgetItem(clock_text(found.at)[:8])
        words = QTableWidgetItem(visible(explain(finding).title, 200))
        words.setIcon(icons.icon(ICONS[finding.severity], TONES[finding.severity]))
        words.setToolTip(f"{words.text()}\n{finding.code} · {visible(found.identity, 60)}")
        self.list.setItem(row, 0, time)
        self.list.setItem(row, 1, words)

    def _restyle(self) -> None:
        """Tint the icons anew."""
        for row, found in enumerate(self._listed):
            item = self.list.item(row, 1)
            if item is not None:
                item.setIcon(icons.icon(ICONS[found.finding.severity], TONES[found.finding.severity]))

    def chosen_finding(self) -> Found | None:
        """Return the finding under the cursor."""
        row = self.list.currentRow()
        return self._listed[row] if 0 <= row < len(self._listed) else None

    def _selected(self) -> None:
        found = self.chosen_finding() if self.list.selectedItems() else None
        self.card.setVisible(found is not None)
        self.jump_button.setVisible(found is not None)
        if found is not None:
            self.card.setWidget(FindingCard(found.finding, self.card, is_narrow=True))

    def _activated(self) -> None:
        found = self.chosen_finding()
        if found is not None:
            self.jumped.emit(found)

    # State

    def _state_tab(self) -> QWidget:
        self.states = _table(self, ("Charger", "State"), self.tr("The chargers at this moment"))
        self.states.setWordWrap(True)
        self.states.horizontalHeader().resizeSection(0, 120)
        self.states.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.states.itemSelectionChanged.connect(self._unit_chosen)
        return self.states

    def show_states(self, moments: Moments, at: datetime) -> None:
        """Say of every charger how it is, and who knocked in vain."""
        units = list(moments.go_to(at).values())[:SHOWN_UNITS]
        wanted = [(unit.identity or self.tr("(no identity)"), self._words(unit)) for unit in units]
        if moments.knocks:
            wanted.append((self.tr("Knocks"), self._knock_words(moments)))
        if self.states.rowCount() != len(wanted):
            self.states.setRowCount(len(wanted))
        for row, texts in enumerate(wanted):
            for column, text in enumerate(texts):
                item = self.states.item(row, column)
                if item is None:
                    item = QTableWidgetItem(text)
                    item.setTextAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
                    self.states.setItem(row, column, item)
                elif item.text() != text:
                    item.setText(text)

    def _words(self, unit: UnitMoment) -> str:
        words = {True: self.tr("connected"), False: self.tr("not connected"), None: ""}[unit.is_connected]
        lines = [words] if words else []
        if unit.is_connected:
            lines.append(self.tr("OCPP {version} from {address}").format(version=unit.version, address=unit.remote))
        for connector, change in sorted(unit.states.items()):
            lines.append(self.tr("connector {n}: {state}").format(n=connector, state=visible(change.state, 40)))
        for measurand, title, scale, name, decimals in _FACTS:
            values = [item.value for (_, kind, phase), item in unit.readings.items() if kind is measurand and not phase]
            if values:
                lines.append(f"{self.tr(title)}: {values[-1] * scale:.{decimals}f} {name}")
        if unit.findings:
            lines.append(self.tr("findings: {count}").format(count=unit.findings))
        return "\n".join(lines)

    def _knock_words(self, moments: Moments) -> str:
        last = moments.last_knock
        words = last.text if isinstance(last, Knock) else self.tr("TLS handshake failed")
        count = self.tr("{count} came to nothing").format(count=f"{moments.knocks:,}")
        return f"{count}\n{visible(words, 200)}"

    def _unit_chosen(self) -> None:
        item = self.states.item(self.states.currentRow(), 0)
        if item is not None:
            place = self.units.findText(item.text())
            self.units.setCurrentIndex(max(0, place))

    # Curves

    def _curves_tab(self) -> QWidget:
        page = QWidget(self)
        self.units = QComboBox(page)
        self.units.setAccessibleName(self.tr("Charger whose curves are shown"))
        self.no_curves = QLabel(self.tr("The recording has no meter values up to this moment."), page)
        self.no_curves.setWordWrap(True)
        set_role(self.no_curves, "subtle")
        self._curves = QVBoxLayout(page)
        self._curves.setContentsMargins(SPACE_4, SPACE_8, SPACE_4, SPACE_4)
        self._curves.addWidget(self.units)
        self._curves.addWidget(self.no_curves, 1, Qt.AlignmentFlag.AlignTop)
        return page

    def offer_units(self, identities: Sequence[str]) -> None:
        """Offer the chargers of the recording."""
        self.units.clear()
        self.units.addItems(list(identities)[:SHOWN_UNITS])

    def show_curves(self, moments: Moments, at: datetime) -> None:
        """Draw one charger's curves up to the moment, when somebody looks."""
        if self.currentIndex() != 2 or not self.units.currentText():
            return
        identity = self.units.currentText()
        until = moments.samples_until(at)
        if identity != self._plotted_for or until < self._plotted:
            self._restart_plots(identity)
            self._plotted = max(0, until - CURVE_SAMPLES)
        unit = f"ocpp:{identity}"
        fresh = [sample for sample in moments.samples[self._plotted : until] if sample.unit_id == unit]
        self._plotted = until
        if self.plots is None and not fresh:
            return
        plots = self._plots()
        plots.add(fresh)
        self.no_curves.setVisible(not plots.panels)
        plots.setVisible(bool(plots.panels))
        plots.draw()

    def _plots(self) -> Plots:
        if self.plots is None:
            from ui.widgets.plots import Plots

            self.plots = Plots(self)
            self._curves.addWidget(self.plots, 10)
        return self.plots

    def _restart_plots(self, identity: str) -> None:
        self._plotted_for = identity
        self._plotted = 0
        if self.plots is not None:
            self._curves.removeWidget(self.plots)
            self.plots.hide()
            self.plots.deleteLater()
            self.plots = None
        self.no_curves.show()


def _table(parent: QWidget, titles: Sequence[str], name: str) -> QTableWidget:
    table = QTableWidget(0, len(titles), parent)
    table.setHorizontalHeaderLabels([parent.tr(title) for title in titles])
    table.setAccessibleName(name)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setShowGrid(False)
    table.setTabKeyNavigation(False)
    table.verticalHeader().hide()
    head = table.horizontalHeader()
    head.setHighlightSections(False)
    head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    head.resizeSection(0, 84)
    head.setStretchLastSection(True)
    theme().changed.connect(table.viewport().update)
    return table
