"""Everything one box told, for who wants to look closely: identity, limits, counters, its console, its own words."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

from app.juicenet import hosts
from app.juicenet.rescue import ConsoleSeen
from app.model.juicebox import BoxState
from ui import icons
from ui.i18n import worded
from ui.models.juice import Case, Said
from ui.models.plain import clock_text, moment_text, visible
from ui.theme import SPACE_8, SPACE_12, set_look, set_role
from ui.widgets.column import ScrollColumn
from ui.widgets.section import Section, plain

NAMES = 20
"""Questions shown at most."""
OTHERS = 24
"""Unknown fields shown at most."""


class Facts:
    """Lines of text by label in a section; those without a text are a dash."""

    def __init__(self, card: Section, labels: tuple[str, ...]) -> None:
        self._labels: dict[str, QLabel] = {label: card.add_fact(worded(label), "–") for label in labels}

    def show(self, texts: dict[str, str]) -> None:
        """Show texts by label."""
        for label, shown in self._labels.items():
            text = texts.get(label) or "–"
            if shown.text() != text:
                shown.setText(text)


SELF = (
    "Serial",
    "Family",
    "Software",
    "Sends from",
    "Protocol",
    "First heard",
    "Last heard",
    "Datagrams",
    "Not believed",
)
TOLD = (
    *("Online limit", "Offline limit", "Rating", "Voltage", "Current", "Power factor", "Frequency", "Temperature"),
    *("Session", "Lifetime", "Unknown fields", "Its own words"),
)
CONSOLE = ("Console", "Sends to", "Its built-in name leads to", "Its directory leads to")


class FactsView(ScrollColumn):
    """``console_wanted`` asks for its console at the address typed there."""

    console_wanted = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Details of this box"))
        own = self.own = Section(self.tr("The box"), "ev-charger", self._content)
        told = self.told = Section(self.tr("What it reported last"), "activity", self._content)
        asked = Section(self.tr("Names it asked our DNS for"), "search", self._content)
        self._self = Facts(own, SELF)
        self._told = Facts(told, TOLD)
        self.names = plain("", "mono-subtle", asked)
        asked.add_wide(self.names)
        self.column.setContentsMargins(0, SPACE_8, SPACE_8, SPACE_8)
        self.column.setSpacing(SPACE_12)
        for card in (own, self._console(), told, asked):
            self.column.addWidget(card)
        self.column.addStretch(1)

    def _console(self) -> Section:
        card = Section(self.tr("Its console"), "terminal", self._content)
        self.address = QLineEdit(card)
        self.address.setAccessibleName(self.tr("Address of the box"))
        self.address.setPlaceholderText(self.tr("Its IP address"))
        self.address.setMaximumWidth(240)
        set_role(self.address, "mono")
        self.ask = QPushButton(self.tr("Ask its console"), card)
        icons.dress(self.ask, "terminal")
        self.ask.setToolTip(self.tr("Read version, streams and look-ups over TCP 2000; nothing is changed"))
        self.ask.clicked.connect(self._ask)
        self.address.returnPressed.connect(self._ask)
        row = QWidget(card)
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(SPACE_8)
        line.addWidget(self.address, 1)
        line.addWidget(self.ask)
        line.addStretch(1)
        card.add_wide(row)
        self.trouble = plain("", "", card)
        set_look(self.trouble, tone="attention")
        card.add_wide(self.trouble)
        self._read = Facts(card, CONSOLE)
        return card

    def show_case(self, case: Case, said: Said, family: str) -> None:
        """Show what is known of a box."""
        box = case.box
        self.own.setVisible(box is not None)
        self.told.setVisible(box is not None)
        self._self.show({"Serial": visible(case.box_id), "Family": family, **(_own(box) if box is not None else {})})
        self._told.show(_reported(box) if box is not None else {})
        self._read.show(_console_read(said.console) if said.console is not None else {})
        self.trouble.setText(visible(said.trouble, 400))
        self.trouble.setVisible(bool(said.trouble))
        lines = [
            f"{clock_text(item.at)}  {visible(item.name, 80)}  →  {visible(item.answer, 60)}" for item in case.asked
        ]
        self.names.setText("\n".join(lines[-NAMES:]) or self.tr("None that we heard."))

    def show_address(self, host: str) -> None:
        """Fill in where its console would answer."""
        self.address.setText(host)

    def _ask(self) -> None:
        self.console_wanted.emit(self.address.text().strip())


def _own(box: BoxState) -> dict[str, str]:
    report = box.report
    if box.is_encrypted:
        protocol = worded("encrypted: nobody can read it")
    elif report is None:
        protocol = ""
    else:
        protocol = report.version or worded("the oldest, without a version")
    return {
        "Software": visible(box.software, 80),
        "Sends from": visible(box.address, 80),
        "Protocol": visible(protocol, 40),
        "First heard": moment_text(box.first_heard),
        "Last heard": moment_text(box.last_heard),
        "Datagrams": f"{box.datagrams:,}",
        "Not believed": f"{box.refused:,}",
    }


def _reported(box: BoxState) -> dict[str, str]:
    report = box.report
    texts = {"Its own words": "\n".join(visible(note, 200) for note in box.notes)}
    if report is None:
        return texts
    others = [f"{key}={value}" for key, value in list(report.others.items())[:OTHERS]]
    energies = {"Session": report.session_wh, "Lifetime": report.lifetime_wh}
    return {
        **texts,
        "Online limit": _with(report.online_limit_a, "A"),
        "Offline limit": _with(report.offline_limit_a, "A"),
        "Rating": _with(report.rating_a, "A"),
        "Voltage": _with(report.voltage_v, "V"),
        "Current": _with(report.current_a, "A"),
        "Power factor": _with(report.power_factor, ""),
        "Frequency": _with(report.frequency_hz, "Hz"),
        "Temperature": _with(report.temperature_c, "°C"),
        **{name: f"{value / 1000:.3f} kWh" for name, value in energies.items() if value is not None},
        "Unknown fields": visible("  ".join(others), 300),
    }


def _with(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:g} {unit}".strip()


def _console_read(seen: ConsoleSeen) -> dict[str, str]:
    if seen.is_refused:
        return {"Console": worded("It does not answer. That is usual with later software.")}
    who = hosts.whose(seen.dials.rpartition(":")[0]) if seen.dials else None
    dials = visible(seen.dials, 100) or worded("nowhere: it has no stream")
    nowhere = worded("nowhere")
    return {
        "Console": visible(f"{seen.box_id}  {seen.software}".strip(), 100),
        "Sends to": f"{dials} ({who.whose})" if who is not None else dials,
        "Its built-in name leads to": "" if seen.default_at is None else visible(seen.default_at, 60) or nowhere,
        "Its directory leads to": "" if seen.directory_at is None else visible(seen.directory_at, 60) or nowhere,
    }
