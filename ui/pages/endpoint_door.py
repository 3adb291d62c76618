"""How we listen: the address on each adapter, how strictly, with which face in TLS, and the root chargers must know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from app.errors import AppError, KeyMissing
from app.model.frame import Adapter, ListenState
from app.model.listening import PERSONALITIES, PROFILES, ListenPlan
from app.model.secret import Secret
from ui import dialogs, icons
from ui.models.listening import certificate_text, personality_text, personality_why, profile_text
from ui.tasks import Tasks
from ui.theme import SPACE_8, SPACE_12
from ui.widgets.chip import Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.copy import CopyField
from ui.widgets.section import Section, plain

if TYPE_CHECKING:
    from app.workbench import Workbench


class AddressRow(QWidget):
    """One adapter: the address over ws and over wss, and a test from a second socket."""

    def __init__(self, bench: Workbench, tasks: Tasks, adapter: Adapter, state: ListenState, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self.adapter = adapter
        here = replace(state, host=adapter.address)
        name = self.tr("Address on {adapter}").format(adapter=adapter.title)
        self.fields = [CopyField(url, name, self) for url in (here.url, here.secure_url) if url]
        self.test = QPushButton(self.tr("Test"), self)
        self.test.setAccessibleName(self.tr("Test the address on {adapter}").format(adapter=adapter.title))
        self.test.clicked.connect(self._test)
        self.verdict = Chip("", "idle", parent=self)
        self.verdict.hide()
        self.advice = plain("", "caption", self)
        self.advice.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addWidget(plain(adapter.title, "caption", self))
        layout.addWidget(_row(self, *self.fields, self.test, self.verdict, wide=len(self.fields)))
        layout.addWidget(self.advice)

    def _test(self) -> None:
        self._tasks.start_once(f"test {self.adapter.address}", self._tested(), busy=self.test)

    async def _tested(self) -> None:
        tested = await self._bench.server.self_test(self.adapter.address)
        words = self.tr("Can't be reached") if tested.problem else self.tr("Answers this computer")
        self.verdict.show_status(words, "fault" if tested.problem else "good")
        self.verdict.show()
        self.advice.setText(f"{tested.problem} {tested.advice}".strip())
        self.advice.show()


class AddressSection(Section):
    """The addresses chargers can dial, adapter by adapter."""

    def __init__(self, bench: Workbench, tasks: Tasks, title: str, parent: QWidget) -> None:
        super().__init__(title, "network", parent)
        self._bench = bench
        self._tasks = tasks
        self._shown: tuple[ListenState | None, list[Adapter]] = (None, [])
        self.rows: list[AddressRow] = []
        self.none = plain(self.tr("The endpoint is off: start it above."), "subtle", self)
        box = QWidget(self)
        self._column = QVBoxLayout(box)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(SPACE_12)
        self._column.addWidget(self.none)
        self.add_wide(box)

    def refresh(self, state: ListenState) -> None:
        """Show the addresses there are now."""
        place = replace(state, connections=0)
        adapters = [item for item in self._bench.adapters() if state.is_listening and _is_served(state.host, item)]
        if (place, adapters) == self._shown:
            return
        self._shown = (place, adapters)
        for row in self.rows:
            row.hide()
            row.deleteLater()
        self.rows = [AddressRow(self._bench, self._tasks, adapter, state, self) for adapter in adapters]
        for row in self.rows:
            self._column.addWidget(row)
        self.none.setVisible(not adapters)


class MannerSection(Section):
    """How strictly we listen, and with which face in TLS."""

    def __init__(self, bench: Workbench, tasks: Tasks, title: str, parent: QWidget) -> None:
        super().__init__(title, "sliders-horizontal", parent)
        self._bench = bench
        self._tasks = tasks
        self.strict = _choice(self, self.tr("Chargers that err"))
        self.strict.addItem(self.tr("Let them in and say what is wrong (tolerant)"), False)
        self.strict.addItem(self.tr("Refuse them as the standards say (strict)"), True)
        self.profile = _choice(self, self.tr("How they prove themselves"))
        self.profile.setToolTip(self.tr("OCPP security profile"))
        for profile in (None, *PROFILES):
            self.profile.addItem(profile_text(profile), -1 if profile is None else profile)
        self.tls = QCheckBox(self.tr("Answer encrypted connections (TLS, wss) on the same port"), self)
        self.tls.clicked.connect(self._changed)
        self.personality = _choice(self, self.tr("Certificate we show"))
        for name in PERSONALITIES:
            self.personality.addItem(personality_text(name), name)
        for choice in (self.strict, self.profile, self.personality):
            choice.activated.connect(self._changed)
        self._lay_out()
        self.show_plan(bench.server.plan)

    def _lay_out(self) -> None:
        demanded = self.tr(
            "OCPP security profile. Demanded where we are strict; with 3, chargers are always asked for a certificate."
        )
        self.add_row(self.tr("Chargers that err"), _row(self, self.strict))
        self.add_row(self.tr("How they prove themselves"), _row(self, self.profile), demanded)
        self.add_row(self.tr("Encryption"), _row(self, self.tls))
        self.why = self.add_row(self.tr("Certificate we show"), _row(self, self.personality), " ")
        self.trouble = plain("", "", self)
        self.trouble.hide()
        self.add_wide(self.trouble)

    def show_plan(self, plan: ListenPlan) -> None:
        """Show how we listen."""
        profile = -1 if plan.security_profile is None else plan.security_profile
        with QSignalBlocker(self.tls):
            self.tls.setChecked(plan.tls)
        for choice, value in (
            (self.strict, plan.is_strict),
            (self.profile, profile),
            (self.personality, plan.personality),
        ):
            choice.setCurrentIndex(max(0, choice.findData(value)))
        self.personality.setEnabled(plan.tls)
        self.why.setText(personality_why(plan.personality))

    def _changed(self) -> None:
        profile = int(self.profile.currentData())
        plan = replace(
            self._bench.server.plan,
            is_strict=bool(self.strict.currentData()),
            security_profile=None if profile < 0 else profile,
            tls=self.tls.isChecked(),
            personality=str(self.personality.currentData()),
        )
        self._tasks.replace("plan", self._adopt(plan))

    async def _adopt(self, plan: ListenPlan) -> None:
        try:
            await self._bench.adopt_plan(plan)
        except AppError as error:
            self.trouble.setText(f"{error.message} {error.advice}")
            self.trouble.show()
        else:
            self.trouble.hide()
        self.show_plan(self._bench.server.plan)


class RootSection(Section):
    """The root certificate that chargers must know, and an imported certificate."""

    def __init__(self, bench: Workbench, tasks: Tasks, title: str, parent: QWidget) -> None:
        super().__init__(title, "shield-check", parent)
        self._bench = bench
        self._tasks = tasks
        self._is_shown = False
        self.root = self.add_fact(self.tr("Our root"), self.tr("It is made when it is first needed."))
        self.fingerprint = CopyField("", self.tr("SHA-256 fingerprint"), self)
        self.add_row(self.tr("SHA-256 fingerprint"), self.fingerprint)
        self.save = {kind: self._button(kind) for kind in ("pem", "der", "cer")}
        forms = self.tr(
            "The same certificate in three forms; the charger's manual says which it takes. "
            "Its key never leaves this computer."
        )
        self.place = self.add_row(self.tr("For chargers"), _row(self, *self.save.values()), forms)
        self.imported = self.add_fact(self.tr("Imported"), self.tr("None"))
        self.password = QLineEdit(self)
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.password.setPlaceholderText(self.tr("Password of its key, if any"))
        self.password.setAccessibleName(self.tr("Password of the imported key"))
        self.password.setFixedWidth(240)
        self.take = QPushButton(self.tr("Import certificate…"), self)
        icons.dress(self.take, "import", "text2")
        self.take.clicked.connect(self._import)
        self.drop = QPushButton(self.tr("Forget it"), self)
        self.drop.clicked.connect(self._forget)
        self.drop.hide()
        pems = self.tr("PEM or PKCS#12 with certificate and key, to try a real backend's certificate out.")
        self.note = self.add_row("", _row(self, self.password, self.take, self.drop), pems)

    def _button(self, kind: str) -> QPushButton:
        button = QPushButton(self.tr("Save as .{kind}…").format(kind=kind), self)
        button.setProperty("kind", kind)
        icons.dress(button, "download", "text2")
        button.clicked.connect(self._save)
        return button

    def refresh(self) -> None:
        """Show the root; it is made now, if it is not there yet."""
        if not self._is_shown:
            self._tasks.start_once("root", self._show())

    async def _show(self) -> None:
        trust = self._bench.trust
        try:
            root = await trust.prepared()
        except AppError as error:
            self.root.setText(f"{error.message} {error.advice}")
            return
        self._is_shown = True
        self.root.setText(certificate_text(root))
        self.fingerprint.show_text(root.fingerprint_text)
        self.place.setToolTip(trust.authority.place)
        self._show_imported()

    def _show_imported(self) -> None:
        imported = self._bench.trust.imported
        self.imported.setText(certificate_text(imported) if imported else self.tr("None"))
        self.drop.setVisible(imported is not None)

    def _save(self) -> None:
        kind = str(self.sender().property("kind"))
        self._tasks.start_once("save root", self._saved(kind), busy=self.save[kind])

    async def _saved(self, kind: str) -> None:
        path = await dialogs.choose_file(self, self.tr("Save the root certificate"), save_as=f"rehome-root.{kind}")
        if path is not None:
            self._bench.trust.save_root(path, kind)
            self.place.setText(self.tr("Saved as {path}.").format(path=path))

    def _import(self) -> None:
        self._tasks.start_once("import", self._chosen(), busy=self.take)

    async def _chosen(self) -> None:
        title, pattern = self.tr("Import a certificate with its key"), self.tr("Certificates (*.pem *.crt *.p12 *.pfx)")
        path = await dialogs.choose_file(self, title, pattern=pattern)
        if path is None:
            return
        try:
            self.import_file(path)
        except KeyMissing as error:
            self.note.setText(error.message)
            key = await dialogs.choose_file(self, self.tr("Choose the key of this certificate"))
            if key is not None:
                self.import_file(path, key)

    def import_file(self, path: Path, key: Path | None = None) -> None:
        """Import; what is wrong with the file is said below. Raises KeyMissing."""
        try:
            taken = self._bench.trust.take_file(path, key=key, password=Secret(self.password.text()))
        except KeyMissing:
            raise
        except AppError as error:
            self.note.setText(f"{error.message} {error.advice}")
            return
        self.password.clear()
        self.note.setText(" ".join(taken.warnings) or self.tr("Choose it above under “Certificate we show”."))
        self._show_imported()

    def _forget(self) -> None:
        self._bench.trust.forget()
        self._show_imported()
        plan = self._bench.server.plan
        if plan.personality == "imported":
            self._tasks.start("plan", self._bench.adopt_plan(replace(plan, personality="auto")))


class DoorPanel(ScrollColumn):
    """All of it, one below the other."""

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self.setAccessibleName(self.tr("How we listen"))
        self.addresses = AddressSection(bench, tasks, self.tr("Addresses for chargers"), self)
        self.manner = MannerSection(bench, tasks, self.tr("How we listen"), self)
        self.root = RootSection(bench, tasks, self.tr("Certificates"), self)
        self.column.setContentsMargins(0, SPACE_8, SPACE_8, 0)
        self.column.setSpacing(SPACE_12)
        for section in (self.addresses, self.manner, self.root):
            self.column.addWidget(section)
        self.column.addStretch(1)

    def show_root(self) -> None:
        """Bring the certificate into sight, and the keyboard to saving it."""
        self.ensureWidgetVisible(self.root)
        self.root.save["pem"].setFocus(Qt.FocusReason.OtherFocusReason)

    def refresh(self) -> None:
        """Show how things are now."""
        if self.isVisible():
            self.addresses.refresh(self._bench.server.state)
            self.manner.show_plan(self._bench.server.plan)

    def showEvent(self, event: QShowEvent) -> None:
        """Read what is there when somebody looks."""
        super().showEvent(event)
        self.refresh()
        self.root.refresh()


def _is_served(host: str, adapter: Adapter) -> bool:
    if host == "0.0.0.0":
        return ":" not in adapter.address
    return host in ("::", adapter.address)


def _choice(owner: QWidget, name: str) -> QComboBox:
    choice = QComboBox(owner)
    choice.setAccessibleName(name)
    choice.setMinimumWidth(360)
    return choice


def _row(owner: QWidget, *widgets: QWidget, wide: int = 0) -> QWidget:
    """Put widgets side by side; the first ``wide`` share the room that is left."""
    box = QWidget(owner)
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(SPACE_8)
    for place, widget in enumerate(widgets):
        row.addWidget(widget, 1 if place < wide else 0)
    if not wide:
        row.addStretch(1)
    return box
