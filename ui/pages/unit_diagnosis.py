"""The first tab of a charger: what is in the way, the chain of proof, findings, ways to it, and who it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.errors import AppError, AuthFailed
from app.model.backend import redact_url
from app.model.profile import Profile
from app.model.proof import Known, chain, diagnosis
from app.model.secret import Secret
from app.model.unit import Unit, Way
from ui import icons
from ui.i18n import worded
from ui.models.plain import moment_text, visible
from ui.models.unit_words import SOURCES
from ui.models.units import ago, plain_address, seen_text
from ui.pages.unit_family import FamilyCard
from ui.theme import SPACE_4, SPACE_8, SPACE_12, SPACE_16, SPACE_24, set_role
from ui.widgets.banner import Banner
from ui.widgets.chip import Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.findings import Findings
from ui.widgets.proofstrip import ProofStrip
from ui.widgets.verdict import VerdictCard

FIELD_WIDTH = 420


class LoginCard(QFrame):
    """Asks for the charger's own user name and password; they go into the vault."""

    submitted = Signal(str, object)
    """User name and password (a Secret)."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        set_role(self, "card")
        title = QLabel(self.tr("This charger asks for its password"), self)
        set_role(title, "heading")
        self.hint = QLabel(self)
        self.hint.setWordWrap(True)
        self.hint.setTextFormat(Qt.TextFormat.PlainText)
        set_role(self.hint, "subtle")
        self.user = QLineEdit(self)
        self.user.setAccessibleName(self.tr("User name of the charger's web page"))
        self.password = QLineEdit(self)
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.password.setAccessibleName(self.tr("Password of the charger's web page"))
        self.button = QPushButton(self.tr("Save and try again"), self)
        set_role(self.button, "primary")
        icons.dress(self.button, "key-round", "accent_text")
        self.button.clicked.connect(self._submit)
        self.password.returnPressed.connect(self._submit)
        for field in (self.user, self.password):
            field.setMaximumWidth(FIELD_WIDTH)
        form = QFormLayout()
        form.setSpacing(SPACE_8)
        form.addRow(self.tr("User name"), self.user)
        form.addRow(self.tr("Password"), self.password)
        line = QHBoxLayout()
        line.addWidget(self.button)
        line.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_16, SPACE_12, SPACE_16, SPACE_12)
        layout.setSpacing(SPACE_8)
        for part in (title, self.hint):
            layout.addWidget(part)
        layout.addLayout(form)
        layout.addLayout(line)
        self.hide()

    def _submit(self) -> None:
        if self.password.text():
            self.submitted.emit(self.user.text(), Secret(self.password.text()))
            self.password.clear()


class WaysCard(QFrame):
    """Every way to the charger: source, address, when seen, what is wrong with it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        set_role(self, "card")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(SPACE_16, SPACE_12, SPACE_16, SPACE_12)
        self._grid.setHorizontalSpacing(SPACE_16)
        self._grid.setVerticalSpacing(SPACE_8)
        self._grid.setColumnStretch(3, 1)
        self._shown: object = None
        self._said: list[QLabel] = []

    def show_ways(self, unit: Unit) -> None:
        """Show the ways of a charger; ages are written anew without touching the rest."""
        facts = tuple((way.source, way.address, way.is_present) for way in unit.ways)
        if facts != self._shown:
            self._shown = facts
            self._rebuild(unit.ways)
        now = datetime.now(UTC)
        for way, label in zip(unit.ways, self._said, strict=True):
            said = way.trouble or f"{SOURCES[way.source].meaning}, {seen_text(ago(way.seen_at, now))}"
            if label.text() != said:
                label.setText(visible(said, 300))

    def _rebuild(self, ways: Sequence[Way]) -> None:
        while self._grid.count():
            item = self._grid.takeAt(0)
            if item is not None and (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._said = [_label(self, "", "subtle") for _ in ways]
        for row, way in enumerate(ways):
            picture = QLabel(self)
            icons.dress(picture, SOURCES[way.source].icon, "text2")
            text, tone = (self.tr("in reach"), "good") if way.is_present else (self.tr("gone"), "idle")
            self._grid.addWidget(picture, row, 0)
            self._grid.addWidget(_label(self, plain_address(way), "mono"), row, 1)
            self._grid.addWidget(Chip(text, tone, parent=self), row, 2)
            self._grid.addWidget(self._said[row], row, 3)


KEY_WORDS = {
    "rapi": "RAPI version",
    "uid": "UID",
    "evse_serial": "Serial number of its controller",
    "buildenv": "Build",
    "backend_keys": "Keys of its backend",
    "dip_1": "DIP switches 1",
    "dip_2": "DIP switches 2",
}
"""What a driver's further facts are called, where the key alone does not say it."""


def fact_name(key: str) -> str:
    """Return the name of a further fact, in words."""
    words = key.replace("_", " ").strip()
    return worded(KEY_WORDS[key]) if key in KEY_WORDS else words[:1].upper() + words[1:]


class FactsCard(QFrame):
    """Who the charger says it is, and where it is configured to dial."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        set_role(self, "card")
        self._form = QFormLayout(self)
        self._form.setContentsMargins(SPACE_16, SPACE_12, SPACE_16, SPACE_12)
        self._form.setHorizontalSpacing(SPACE_24)
        self._form.setVerticalSpacing(SPACE_4)
        self._shown: list[tuple[str, str]] = []

    def show_unit(self, unit: Unit, family: str) -> None:
        """Show a charger's facts; what it did not say is left out."""
        facts = [(name, value) for name, value in self._facts(unit, family) if value]
        if facts == self._shown:
            return
        self._shown = facts
        while self._form.rowCount():
            self._form.removeRow(0)
        for name, value in facts:
            caption = QLabel(visible(name, 40), self)
            set_role(caption, "subtle")
            self._form.addRow(caption, _label(self, value, "mono" if "://" in value else ""))

    def _facts(self, unit: Unit, family: str) -> list[tuple[str, str]]:
        identity, backend = unit.identity, unit.backend
        told = {identity.vendor, identity.model, identity.serial, identity.firmware, identity.mac}
        extra = [(fact_name(key), value) for key, value in sorted(identity.extra.items())[:12] if value not in told]
        return [
            (self.tr("Family"), family),
            (self.tr("Vendor"), identity.vendor),
            (self.tr("Model"), identity.model),
            (self.tr("Serial number"), identity.serial),
            (self.tr("Firmware"), identity.firmware),
            (self.tr("MAC address"), identity.mac),
            (self.tr("Backend it dials"), redact_url(backend.url) if backend else ""),
            (self.tr("Identity there"), backend.identity if backend else ""),
            (self.tr("Note"), unit.note),
            (self.tr("First seen"), moment_text(unit.first_seen_at) if unit.first_seen_at else ""),
            *extra,
        ]


class DiagnosisTab(ScrollColumn):
    """Trouble first, then the chain, findings, ways and facts."""

    retry_asked = Signal()
    login_given = Signal(str, object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Diagnosis"))
        self.trouble_place = QVBoxLayout()
        self._banner: Banner | None = None
        self.login = LoginCard(self)
        self.login.submitted.connect(self.login_given)
        self.strip = ProofStrip(self)
        self.verdict = VerdictCard(self)
        self.findings = Findings(self)
        self.ways = WaysCard(self)
        self.facts = FactsCard(self)
        self.family = FamilyCard(self)
        column = self.column
        column.setContentsMargins(0, SPACE_12, SPACE_12, SPACE_16)
        column.setSpacing(SPACE_8)
        column.addLayout(self.trouble_place)
        column.addWidget(self.login)
        column.addWidget(self.strip)
        for title, part in (
            (self.tr("Can it be saved?"), self.verdict),
            (self.tr("Findings"), self.findings),
            (self.tr("What is known of its family"), self.family),
            (self.tr("Ways to reach it"), self.ways),
            (self.tr("What it says of itself"), self.facts),
        ):
            heading = QLabel(title, self)
            heading.setContentsMargins(0, SPACE_8, 0, 0)
            set_role(heading, "heading")
            column.addWidget(heading)
            column.addWidget(part)
            if part is self.family:
                self._family_heading = heading
        column.addStretch(1)

    def show_known(self, known: Known, family: Profile | None) -> None:
        """Show everything that is known."""
        self.family.show_family(family, known.unit.identity.firmware)
        self._family_heading.setVisible(family is not None)
        lamps = chain(known)
        self.strip.show_chain(lamps)
        nothing = self.tr("None besides the red lamp above.") if diagnosis(lamps) else ""
        self.findings.show_findings(known.findings, nothing=nothing)
        self.ways.show_ways(known.unit)
        self.facts.show_unit(known.unit, family.family if family is not None else "")

    def show_trouble(self, error: AppError | None, *, can_log_in: bool = False) -> None:
        """Say why the charger can't be talked to, or take that back."""
        needs_login = isinstance(error, AuthFailed) and can_log_in
        self.login.setVisible(needs_login)
        if needs_login and error is not None:
            self.login.hint.setText(f"{error.message} {error.advice}")
        old = self._banner
        if error is not None and not needs_login and old is not None and old.message == error.message:
            return
        if old is not None:
            self._banner = None
            self.trouble_place.removeWidget(old)
            old.hide()
            old.deleteLater()
        if error is None or needs_login:
            return
        banner = Banner(error.message, error.advice, tone="attention", action=self.tr("Try again"), parent=self)
        banner.acted.connect(self.retry_asked)
        banner.closed.connect(banner.hide)
        self._banner = banner
        self.trouble_place.addWidget(banner)


def _label(parent: QWidget, text: str, role: str) -> QLabel:
    label = QLabel(visible(text, 300), parent)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    set_role(label, role)
    return label
