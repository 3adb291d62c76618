"""The form for one unit to bridge: what it is, what the backend is to see, who may charge, what may be corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QWidget,
)

from app.bridge.station import Start
from app.errors import AppError
from app.model.backend import IDENTITY_LIMIT, Problem, SecurityProfile
from app.model.bridge import UnitKind
from app.service.choosing import OURS, Choice
from ui import icons
from ui.models.bridge import backend_text, doubled, problem_text, start_text
from ui.models.plain import visible
from ui.pages.garage_bridge_corrects import CorrectsFold
from ui.pages.garage_bridge_secret import Keeping, PemField, SecretField
from ui.theme import SPACE_8, SPACE_12, SPACE_16, SPACE_24, TARGET, set_role
from ui.widgets.column import ScrollColumn
from ui.widgets.copy import CopyField
from ui.widgets.section import plain
from ui.wizard.choose import Field

if TYPE_CHECKING:
    from app.service.reading import PlanProblem
    from app.workbench import Workbench

WIDTH = 780
LABEL_WIDTH = 190
CHECK_MS = 200
"""Pause after a key before everything is checked."""
VERSIONS = ("1.6", "2.0.1")
CHOSEN = ("id", "backend", "security_profile")
"""Fields that say something from the start: what is wrong with them is told at once."""


class UnitForm(ScrollColumn):
    """``saved`` carries the choice and the one it replaces (or ``None``); its secrets are in the vault by then.

    ``left`` when it is closed without.
    """

    saved = Signal(object, object)
    left = Signal()

    def __init__(self, bench: Workbench, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._desk = bench.bridge
        self._kind = UnitKind.BOX
        self._old: Choice | None = None
        self._others: tuple[Choice, ...] = ()
        self._touched: set[str] = set()
        self.blocking: tuple[str, ...] = ()
        """What hinders saving, in words."""
        self._due = QTimer(self)
        self._due.setSingleShot(True)
        self._due.setInterval(CHECK_MS)
        self._due.timeout.connect(self.check)
        self._make_inputs()
        self._make_fields()
        self._lay_out()
        self._connect()

    # Building

    def _make_inputs(self) -> None:
        self.box = QComboBox(self)
        self.unit = QLineEdit(self)
        self.unit.setPlaceholderText(self.tr("what it calls itself, or its IP address if it says no name"))
        self.identity = QLineEdit(self)
        self.tag = QLineEdit(self)
        for line in (self.unit, self.identity, self.tag):
            line.setMaxLength(IDENTITY_LIMIT)
            set_role(line, "mono")
        self.backend = QComboBox(self)
        self.version = QComboBox(self)
        for version in VERSIONS:
            self.version.addItem(f"OCPP {version}", version)
        self.profile = QComboBox(self)
        for item, text in (
            (SecurityProfile.NONE, self.tr("0 · no password")),
            (SecurityProfile.BASIC, self.tr("1 · password over ws")),
            (SecurityProfile.TLS_BASIC, self.tr("2 · password over TLS (wss)")),
            (SecurityProfile.TLS_CLIENT, self.tr("3 · client certificate over TLS")),
        ):
            self.profile.addItem(text, item)
        self.start = QComboBox(self)
        for start in Start:
            self.start.addItem(start_text(start)[0], start)
        self.password = SecretField(self.tr("Password at the backend"), self)
        self.is_hex = QCheckBox(self.tr("These are hexadecimal digits that stand for bytes"), self)
        self.unit_password = SecretField(self.tr("Password the charger shows to the bridge"), self)
        pem = self.tr("Paste the PEM text, from -----BEGIN …")
        self.chain = PemField(self.tr("Client certificate"), pem, self)
        self.key = PemField(self.tr("Its private key"), pem, self)
        self.corrects = CorrectsFold(self)
        self.dials = CopyField(name=self.tr("what to enter in the charger"), parent=self)

    def _make_fields(self) -> None:
        self.fields: dict[str, Field] = {
            "id": Field(self.box, self),
            "unit_identity": Field(self.unit, self),
            "unit_password": Field(self.unit_password, self),
            "identity": Field(self.identity, self),
            "backend": Field(self.backend, self),
            "version": Field(self.version, self),
            "security_profile": Field(self.profile, self),
            "password": Field(self.password, self),
            "certificate": Field(self.chain, self),
            "key": Field(self.key, self),
            "start": Field(self.start, self),
            "id_tag": Field(self.tag, self),
        }
        self.notes = {name: plain("", "caption", self) for name in ("id", "unit_password", "backend", "start")}

    def _lay_out(self) -> None:
        self.back = QToolButton(self)
        icons.dress(self.back, "arrow-left")
        self.back.setAccessibleName(self.tr("Back to the units"))
        self.back.setToolTip(self.tr("Back to the units"))
        self.title = plain("", "title", self, wraps=False)
        head = QHBoxLayout()
        head.setSpacing(SPACE_8)
        head.addWidget(self.back)
        head.addWidget(self.title)
        head.addStretch(1)
        inside = QWidget(self)
        inside.setMaximumWidth(WIDTH)
        self._grid = QGridLayout(inside)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(SPACE_8)
        self._grid.setHorizontalSpacing(SPACE_16)
        self._grid.setColumnMinimumWidth(0, LABEL_WIDTH)
        self._grid.setColumnStretch(1, 1)
        self._labels: dict[QWidget, QLabel] = {}
        self._add_rows()
        middle = QHBoxLayout()
        middle.addWidget(inside, 100)
        middle.addStretch(1)
        self.column.setContentsMargins(SPACE_12, SPACE_12, SPACE_24, SPACE_16)
        self.column.setSpacing(SPACE_12)
        self.column.addLayout(head)
        self.column.addLayout(middle)
        self.column.addLayout(self._foot())
        self.column.addStretch(1)

    def _add_rows(self) -> None:
        for text, field, focus in (
            (self.tr("&JuiceBox"), "id", self.box),
            (self.tr("Charger's &name"), "unit_identity", self.unit),
            (self.tr("Password it s&hows"), "unit_password", self.unit_password.line),
            (self.tr("&Backend"), "backend", self.backend),
            (self.tr("&Identity at the backend"), "identity", self.identity),
            (self.tr("Spea&ks"), "version", self.version),
            (self.tr("Securi&ty profile"), "security_profile", self.profile),
            (self.tr("&Password at the backend"), "password", self.password.line),
            (self.tr("&Client certificate"), "certificate", self.chain),
            (self.tr("Its private ke&y"), "key", self.key),
            (self.tr("&Who may charge"), "start", self.start),
            (self.tr("Ta&g it is told under"), "id_tag", self.tag),
        ):
            if not focus.accessibleName():
                focus.setAccessibleName(text.replace("&", ""))
            self._add_row(text, self.fields[field], focus)
            if field in self.notes:
                self._add_row("", self.notes[field])
            if field == "password":
                self._add_row("", self.is_hex)
        self._add_row(self.tr("Enter in the charger"), self.dials)
        self._add_row("", self.corrects)

    def _add_row(self, text: str, content: QWidget, focus: QWidget | None = None) -> None:
        row = self._grid.rowCount()
        if text:
            label = QLabel(text, self)
            label.setMinimumHeight(TARGET)
            label.setBuddy(focus or content)
            self._labels[content] = label
            self._grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(content, row, 1)

    def _show_row(self, content: QWidget, *, is_shown: bool) -> None:
        content.setVisible(is_shown)
        if (label := self._labels.get(content)) is not None:
            label.setVisible(is_shown)

    def _foot(self) -> QHBoxLayout:
        self.save = QPushButton(self.tr("Save"), self)
        set_role(self.save, "primary")
        self.cancel = QPushButton(self.tr("Cancel"), self)
        self.hindrance = plain("", "", self)
        self.hindrance.setAccessibleName(self.tr("What is missing"))
        self.hindrance.setProperty("tone", "fault")
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        row.addWidget(self.save)
        row.addWidget(self.cancel)
        row.addWidget(self.hindrance, 100)
        row.addStretch(1)
        return row

    def _connect(self) -> None:
        for line, name in ((self.unit, "unit_identity"), (self.identity, "identity"), (self.tag, "id_tag")):
            line.setProperty("field", name)
            line.textEdited.connect(self._edited)
            line.returnPressed.connect(self.submit)
        for combo in (self.box, self.backend, self.version, self.profile, self.start):
            combo.currentIndexChanged.connect(self._chosen)
        self.box.activated.connect(self._propose_identity)
        self.backend.activated.connect(self._propose_profile)
        for secret in (self.password, self.unit_password):
            secret.changed.connect(self._due.start)
            secret.line.returnPressed.connect(self.submit)
        for pem in (self.chain, self.key):
            pem.textChanged.connect(self._due.start)
        self.corrects.changed.connect(self._due.start)
        self.save.clicked.connect(self.submit)
        self.cancel.clicked.connect(self.left)
        self.back.clicked.connect(self.left)

    # Opening

    def add(self, kind: UnitKind, others: Sequence[Choice], *, unit: str = "") -> None:
        """Begin with a unit that is not bridged yet."""
        taken = {one.unit for one in others if one.kind is kind}
        if kind is UnitKind.BOX and not unit:
            unit = next((box for box in sorted(self._desk.adopted) if box not in taken), "")
        name = self._proposed(unit)
        self._open(Choice(kind=kind, unit=unit, identity=name, backend=self._first_backend()), None, others)
        self.title.setText(self.tr("Bridge a JuiceBox") if kind is UnitKind.BOX else self.tr("Bridge an OCPP charger"))
        self._propose_profile()

    def change(self, choice: Choice, others: Sequence[Choice]) -> None:
        """Begin with what was chosen."""
        self._open(choice, choice, others)
        self.title.setText(self.tr("Change {name}").format(name=visible(choice.identity, 60)))

    def _open(self, choice: Choice, old: Choice | None, others: Sequence[Choice]) -> None:
        self._old, self._kind = old, choice.kind
        self._others = tuple(one for one in others if one != old)
        self._touched.clear()
        is_box = choice.kind is UnitKind.BOX
        self._fill_combos(choice)
        self.unit.setText("" if is_box else choice.unit)
        self.identity.setText(choice.identity)
        self.tag.setText(choice.id_tag)
        self.is_hex.setChecked(choice.is_hex)
        vault = self._bench.vault
        self.password.show_kept(is_kept=bool(old and vault.get(old.password_name)))
        self.unit_password.show_kept(is_kept=bool(old and not is_box and vault.get(old.unit_password_name)))
        self.chain.setPlainText(choice.chain)
        self.key.show_kept(is_kept=bool(old and vault.get(old.key_name)))
        self.corrects.show_choice(choice)
        for field in self.fields.values():
            field.show_problems([])
        self.verticalScrollBar().setValue(0)
        self._chosen()
        self.check()

    def focus_first(self) -> None:
        """Put the keyboard into the first field."""
        (self.box if self._kind is UnitKind.BOX else self.unit).setFocus()

    def _fill_combos(self, choice: Choice) -> None:
        blockers = [QSignalBlocker(one) for one in (self.box, self.backend, self.version, self.profile, self.start)]
        taken = {one.unit for one in self._others if one.kind is UnitKind.BOX}
        boxes = [box for box in sorted(self._desk.adopted) if box not in taken]
        if choice.kind is UnitKind.BOX and choice.unit and choice.unit not in boxes:
            boxes.append(choice.unit)
        self.box.clear()
        adopted = self._desk.adopted
        for box in boxes:
            limit = f" · {adopted[box].ceiling_a:g} A" if box in adopted else ""
            self.box.addItem(f"{visible(box, 60)}{limit}", box)
        self.backend.clear()
        names = self._desk.backends
        for name in names if choice.backend in names else (*names, choice.backend):
            self.backend.addItem(backend_text(name), name)
        for combo, value in (
            (self.box, choice.unit),
            (self.backend, choice.backend),
            (self.version, choice.version),
            (self.profile, choice.security_profile),
            (self.start, choice.start),
        ):
            combo.setCurrentIndex(max(0, combo.findData(value)))
        for blocker in blockers:
            blocker.unblock()

    def _first_backend(self) -> str:
        """Prefer a preset: our own endpoint is for a try."""
        names = self._desk.backends
        return names[1] if len(names) > 1 else OURS

    def _proposed(self, unit: str) -> str:
        listed = (one.identity for one in self._bench.settings.listed if one.serial == unit and one.identity)
        return next(listed, unit)[:IDENTITY_LIMIT]

    # While typing

    def _propose_identity(self) -> None:
        if "identity" not in self._touched:
            self.identity.setText(self._proposed(str(self.box.currentData() or "")))
            self._due.start()

    def _propose_profile(self) -> None:
        name = self.backend.currentData()
        preset = next((one for one in self._bench.settings.presets if one.name == name), None)
        self.profile.setCurrentIndex(preset.security_profile if preset is not None else 0)
        if self._old is None and preset is not None and not self.password.typed:
            vault = self._bench.vault
            known = vault.get(f"identity/{self.identity.text()}") or vault.get(f"preset/{preset.name}")
            self.password.line.setText(known.reveal() if known is not None else "")

    def _edited(self) -> None:
        name = str(self.sender().property("field"))
        self._touched.add(name)
        if name == "unit_identity" and "identity" not in self._touched and self._old is None:
            self.identity.setText(self.unit.text())
        self._due.start()

    def _chosen(self) -> None:
        """Show the fields that this kind of unit and these choices need, and what they mean."""
        is_box, profile = self._kind is UnitKind.BOX, SecurityProfile(self.profile.currentData())
        has_password = profile in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC)
        has_tls = profile is SecurityProfile.TLS_CLIENT
        start = Start(self.start.currentData())
        shown: Mapping[QWidget, bool] = {
            self.fields["id"]: is_box,
            self.notes["id"]: is_box,
            self.fields["unit_identity"]: not is_box,
            self.fields["unit_password"]: not is_box,
            self.notes["unit_password"]: not is_box,
            self.fields["password"]: has_password,
            self.is_hex: has_password,
            self.fields["certificate"]: has_tls,
            self.fields["key"]: has_tls,
            self.fields["start"]: is_box,
            self.notes["start"]: is_box,
            self.fields["id_tag"]: is_box and start is not Start.REMOTE,
            self.dials: not is_box,
            self.corrects: not is_box,
        }
        for widget, is_shown in shown.items():
            self._show_row(widget, is_shown=is_shown)
        self._show_notes(start)
        self._due.start()

    def _show_notes(self, start: Start) -> None:
        adoption = self._desk.adopted.get(str(self.box.currentData() or ""))
        limit = self.tr("It is never told more than {n} A: the least of its circuit, its rating and its known limits.")
        nobody = self.tr("Its circuit's limit is not entered yet: adopt it in the tab JuiceBoxes first.")
        self.notes["id"].setText(limit.format(n=f"{adoption.ceiling_a:g}") if adoption is not None else nobody)
        self.notes["unit_password"].setText(
            self.tr("Without it anybody on this network who says the charger's name is let in under it.")
        )
        is_ours = self.backend.currentData() == OURS
        ours = self.tr("For a try: the unit shows up on the page Endpoint like any other charger.")
        preset = self._url_of(str(self.backend.currentData()))
        self.notes["backend"].setText(ours if is_ours else preset)
        self.notes["start"].setText(start_text(start)[1])
        if self._kind is UnitKind.RELAY:
            plan = self._desk.plan(())
            self.dials.show_text(f"ws://{plan.address}:{plan.relay_port}/")

    def _url_of(self, name: str) -> str:
        presets = self._bench.settings.presets
        gone = self.tr("This preset is gone. Add it again in the settings, or choose another backend.")
        return next((visible(one.url, 200) for one in presets if one.name == name), gone)

    # What it says

    def choice(self) -> Choice:
        """Return what the form says, without secrets."""
        is_box, profile = self._kind is UnitKind.BOX, SecurityProfile(self.profile.currentData())
        start = Start(self.start.currentData()) if is_box else Start.REMOTE
        made = Choice(
            kind=self._kind,
            unit=str(self.box.currentData() or "") if is_box else self.unit.text().strip(),
            identity=self.identity.text().strip(),
            backend=str(self.backend.currentData()),
            version=str(self.version.currentData()),
            security_profile=profile,
            is_hex=self.is_hex.isChecked() and profile in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC),
            chain=self.chain.text if profile is SecurityProfile.TLS_CLIENT else "",
            start=start,
            id_tag=self.tag.text().strip() if start is not Start.REMOTE else "",
        )
        return made if is_box else self.corrects.put_into(made)

    def check(self) -> None:
        """Show what is wrong beside the fields; fields nobody has touched yet wait until saving."""
        self._due.stop()
        choice = self.choice()
        wrong: dict[str, str] = {}
        try:
            for problem in self._desk.problems((choice,)):
                if not self._is_cured(problem, choice):
                    wrong.setdefault(self._field_of(problem), problem_text(problem))
        except AppError as error:
            wrong[""] = f"{error.message} {error.advice}"
        needs_password = choice.security_profile in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC)
        if needs_password and not self.password.is_there:
            wrong["password"] = self.tr("A password is needed for this security profile.")
        wrong |= doubled(choice, self._others)
        if choice.kind is UnitKind.BOX and not choice.unit:
            wrong["id"] = self.tr("Adopt a JuiceBox first: enter its circuit's limit in the tab JuiceBoxes.")
        self._show_wrong(wrong)

    def _is_cured(self, problem: PlanProblem, choice: Choice) -> bool:
        """Say whether a secret that is not in the vault yet mends it."""
        if problem.key == "password":
            return self.password.is_there
        if problem.key == "certificate" and "needed" in problem.text:
            return bool(choice.chain) and self.key.is_there
        return False

    def _field_of(self, problem: PlanProblem) -> str:
        return {"circuit_a": "id", "url": "backend"}.get(problem.key, problem.key)

    def _show_wrong(self, wrong: Mapping[str, str]) -> None:
        for name, field in self.fields.items():
            is_due = name in self._touched or name in CHOSEN or bool(self._text_of(name))
            text = wrong.get(name, "") if is_due else ""
            field.show_problems([Problem(field=name, message=text)] if text else [])
        self.blocking = tuple(wrong.values())
        elsewhere = [text for name, text in wrong.items() if name not in self.fields]
        self.hindrance.setText(" ".join(elsewhere))
        self.hindrance.setVisible(bool(elsewhere))

    def _text_of(self, name: str) -> str:
        line = {"unit_identity": self.unit, "identity": self.identity, "id_tag": self.tag}.get(name)
        return line.text() if line is not None else ""

    # Saving

    def submit(self) -> None:
        """Keep it, or show everything that is missing."""
        self._touched |= set(self.fields)
        self.check()
        if self.blocking:
            first = next((field for field in self.fields.values() if field.problem and not field.isHidden()), None)
            if first is not None:
                first.widget.setFocus()
                self.ensureWidgetVisible(first)
            return
        choice = self.choice()
        self._keep_secrets(choice)
        self.saved.emit(choice, self._old)

    def _keep_secrets(self, choice: Choice) -> None:
        keeping = Keeping(self._bench.vault, self._others)
        old = self._old or choice
        password, shown = self.password, self.unit_password
        keeping.put(choice.password_name, old.password_name, password.typed, is_forgotten=password.is_forgotten)
        keeping.put(choice.key_name, old.key_name, self.key.text)
        if choice.kind is UnitKind.RELAY:
            keeping.put(choice.unit_password_name, old.unit_password_name, shown.typed, is_forgotten=shown.is_forgotten)
