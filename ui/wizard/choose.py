"""The form that names the new backend: checked while typing, shown as the charger will dial it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QFrame, QLabel, QLineEdit, QVBoxLayout, QWidget

from app.model.backend import Backend, JoinRule, Problem, SecurityProfile, check, dialled_url
from app.model.secret import Secret
from app.settings import Preset
from ui.theme import SPACE_4, SPACE_8, SPACE_16, set_look, set_role
from ui.widgets.copy import CopyField

LABEL_WIDTH = 150


class Field(QWidget):
    """An input with room for what is wrong with it."""

    def __init__(self, widget: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.widget = widget
        self._problem = QLabel(self)
        self._problem.setTextFormat(Qt.TextFormat.PlainText)
        self._problem.setWordWrap(True)
        set_role(self._problem, "caption")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addWidget(widget)
        layout.addWidget(self._problem)
        self._problem.hide()

    @property
    def problem(self) -> str:
        """Return what is shown as wrong."""
        return self._problem.text()

    def show_problems(self, problems: list[Problem]) -> None:
        """Show problems, or none."""
        tone = "" if not problems else "fault" if any(problem.blocks for problem in problems) else "attention"
        self._problem.setText(" ".join(problem.message for problem in problems))
        self._problem.setVisible(bool(problems))
        set_look(self._problem, tone=tone)
        set_look(self.widget, tone=tone)
        self.widget.setAccessibleDescription(self._problem.text())


class BackendForm(QFrame):
    """Preset or free text. ``changed`` whenever its validity may have changed; ``submitted`` on Enter."""

    changed = Signal()
    submitted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._presets: tuple[Preset, ...] = ()
        self._secret_of: Callable[[str], Secret | None] = lambda _: None
        self._touched: set[str] = set()
        self._make_inputs()
        self._lay_out()
        self._connect()
        self._check()

    def _make_inputs(self) -> None:
        self.preset = QComboBox(self)
        self.url = QLineEdit(self)
        self.url.setPlaceholderText("wss://csms.example/ocpp")
        set_role(self.url, "mono", size="large")
        self.identity = QLineEdit(self)
        set_role(self.identity, "mono", size="large")
        self.profile = QComboBox(self)
        for item, text in (
            (SecurityProfile.NONE, self.tr("0 · no password")),
            (SecurityProfile.BASIC, self.tr("1 · password over ws")),
            (SecurityProfile.TLS_BASIC, self.tr("2 · password over TLS (wss)")),
            (SecurityProfile.TLS_CLIENT, self.tr("3 · client certificate over TLS")),
        ):
            self.profile.addItem(text, item)
        self.password = QLineEdit(self)
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        set_role(self.password, "mono", size="large")
        self.reveal = QCheckBox(self.tr("Show the password"), self)
        self.keep = QCheckBox(self.tr("Remember this backend as a preset"), self)
        self.dialled = CopyField(name=self.tr("what the charger will dial"), parent=self)
        for widget in (self.preset, self.profile):
            widget.setProperty("reach", "large")

    def _lay_out(self) -> None:
        self.fields = {
            "url": Field(self.url, self),
            "identity": Field(self.identity, self),
            "security_profile": Field(self.profile, self),
            "secret": Field(self.password, self),
        }
        form = QFormLayout(self)
        form.setContentsMargins(0, SPACE_8, 0, 0)
        form.setVerticalSpacing(SPACE_8)
        form.setHorizontalSpacing(SPACE_16)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        rows: list[tuple[str, QWidget, QWidget]] = [
            (self.tr("&Preset"), self.preset, self.preset),
            (self.tr("&Address"), self.fields["url"], self.url),
            (self.tr("&Identity"), self.fields["identity"], self.identity),
            (self.tr("&Security profile"), self.fields["security_profile"], self.profile),
            (self.tr("Pass&word"), self.fields["secret"], self.password),
        ]
        for text, field, buddy in rows:
            label = QLabel(text, self)
            label.setMinimumWidth(LABEL_WIDTH)
            label.setBuddy(buddy)
            buddy.setAccessibleName(text.replace("&", ""))
            form.addRow(label, field)
        form.addRow("", self.reveal)
        form.addRow("", self.keep)
        form.addRow(QLabel(self.tr("Will dial"), self), self.dialled)

    def _connect(self) -> None:
        self.preset.currentIndexChanged.connect(self._preset_chosen)
        for name, line in (("url", self.url), ("identity", self.identity), ("secret", self.password)):
            line.setProperty("field", name)
            line.textChanged.connect(self._check)
            line.editingFinished.connect(self._left_field)
            line.returnPressed.connect(self.submitted)
        self.profile.currentIndexChanged.connect(self._check)
        self.reveal.toggled.connect(self._reveal)

    def offer(self, presets: tuple[Preset, ...], secret_of: Callable[[str], Secret | None] = lambda _: None) -> None:
        """Offer the site's presets; ``secret_of`` finds the password of one by its name."""
        self._presets = presets
        self._secret_of = secret_of
        self.preset.blockSignals(True)
        self.preset.clear()
        self.preset.addItem(self.tr("Type it below"))
        for preset in presets:
            self.preset.addItem(f"{preset.name} · {preset.url}")
        self.preset.blockSignals(False)

    def fill(self, backend: Backend | None, *, identity: str = "") -> None:
        """Start from a backend chosen before or proposed by a list, or from a proposed identity alone."""
        self._touched.clear()
        self.url.setText(backend.url if backend else "")
        self.identity.setText(backend.identity if backend else identity)
        self.profile.setCurrentIndex(int(backend.security_profile) if backend else 0)
        self.password.setText(backend.secret.reveal() if backend else "")
        self._check()

    def backend(self) -> Backend:
        """Return what the form says."""
        index = self.preset.currentIndex()
        name = self._presets[index - 1].name if index > 0 else ""
        return Backend(
            url=self.url.text().strip(),
            identity=self.identity.text().strip(),
            security_profile=SecurityProfile(self.profile.currentData()),
            secret=Secret(self.password.text()),
            name=name,
        )

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Return everything wrong with the present content."""
        backend = self.backend()
        return check(backend.url, backend.identity, profile=backend.security_profile, secret=backend.secret)

    @property
    def is_valid(self) -> bool:
        """Say whether this backend can be used."""
        return not any(problem.blocks for problem in self.problems)

    def show_all_problems(self) -> None:
        """Show what is wrong also beside fields nobody has touched yet."""
        self._touched |= set(self.fields)
        self._check()

    def _preset_chosen(self, index: int) -> None:
        if index <= 0:
            return
        preset = self._presets[index - 1]
        self.url.setText(preset.url)
        self.profile.setCurrentIndex(preset.security_profile)
        secret = self._secret_of(preset.name)
        self.password.setText(secret.reveal() if secret else "")
        self._check()

    def _left_field(self) -> None:
        self._touched.add(str(self.sender().property("field")))
        self._check()

    def _reveal(self, wanted: bool) -> None:
        mode = QLineEdit.EchoMode.Normal if wanted else QLineEdit.EchoMode.Password
        self.password.setEchoMode(mode)

    def _check(self) -> None:
        for name, field in self.fields.items():
            mine = [problem for problem in self.problems if problem.field == name]
            is_due = name in self._touched or name == "security_profile" or bool(self._text_of(name))
            field.show_problems(mine if is_due else [])
        backend = self.backend()
        is_whole = bool(backend.url and backend.identity)
        url = dialled_url(backend.url, backend.identity, JoinRule.APPEND_IF_MISSING) if is_whole else ""
        self.dialled.show_text(url)
        self.changed.emit()

    def _text_of(self, name: str) -> str:
        line = {"url": self.url, "identity": self.identity, "secret": self.password}.get(name)
        return line.text() if line is not None else ""
