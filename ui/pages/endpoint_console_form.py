"""The console's left side: one request as a form made from its schema, or as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.ocpp import actions, forms
from app.ocpp.actions import Action, Situation
from app.ocpp.explain import breaches
from app.ocpp.forms import Field
from ui import icons
from ui.models.console import pretty, raw_payload
from ui.models.plain import visible
from ui.theme import SPACE_4, SPACE_8, set_look, set_role
from ui.widgets.chip import Chip
from ui.widgets.elided import ElidedLabel
from ui.widgets.formleaf import FormWords
from ui.widgets.formview import FormView
from ui.widgets.frameview import plain_label

CHECK_MS = 60
"""After the last keystroke: a form is checked and its JSON written anew."""


class Composer(QWidget):
    """``sent`` asks to send what is filled in, ``kept`` to keep it; ``written`` carries its JSON after each change."""

    sent = Signal()
    kept = Signal()
    written = Signal(str)

    def __init__(self, now: Callable[[], datetime], suggest: Callable[[str], Sequence[str]], parent: QWidget) -> None:
        super().__init__(parent)
        self._version = "1.6"
        self._action: Action | None = None
        self.breaches: list[str] = []
        self._timer = QTimer(self, singleShot=True, interval=CHECK_MS)
        self._timer.timeout.connect(self.check)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_8, 0, SPACE_8, 0)
        layout.setSpacing(SPACE_4)
        layout.addLayout(self._build_head())
        layout.addWidget(self.about)
        layout.addWidget(self._build_stack(FormWords(help=self._help, now=now, suggest=suggest)), 1)
        layout.addWidget(self.hint)
        foot = self._build_foot()
        layout.addWidget(self.problem)
        layout.addLayout(foot)

    def _build_head(self) -> QHBoxLayout:
        self.title = plain_label(self, "strong")
        self.clause = ElidedLabel(self)
        set_role(self.clause, "caption")
        self.mark = Chip(self.tr("not listed"), "attention", parent=self)
        self.mark.setToolTip(self.tr("This charger lists no feature that promises this command. It can be sent."))
        self.mark.hide()
        self.is_form = self._mode(self.tr("Form"), "list-checks")
        self.is_raw = self._mode(self.tr("JSON"), "braces")
        self.is_form.setChecked(True)
        self._modes = QButtonGroup(self)
        self._modes.addButton(self.is_form)
        self._modes.addButton(self.is_raw)
        self.is_raw.toggled.connect(self._mode_changed)
        self.about = ElidedLabel(self)
        set_role(self.about, "caption")
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        for widget in (self.title, self.clause, self.mark):
            row.addWidget(widget)
        row.addStretch(1)
        return row

    def _mode(self, text: str, icon_name: str) -> QToolButton:
        button = QToolButton(self)
        button.setText(text)
        button.setCheckable(True)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        set_role(button, "quiet")
        icons.dress(button, icon_name, "text2")
        return button

    def _build_stack(self, words: FormWords) -> QStackedWidget:
        self.form = FormView(words, self)
        self.form.changed.connect(self._timer.start)
        self.form.explained.connect(self._explain)
        self.raw_action = QLineEdit(self)
        self.raw_action.setMaxLength(64)
        self.raw_action.setAccessibleName(self.tr("Action"))
        self.raw_action.setPlaceholderText(self.tr("Action"))
        self.raw_action.textChanged.connect(self.check)
        self.is_send = QCheckBox(self.tr("Needs no answer (SEND)"), self)
        self.is_send.setToolTip(self.tr("OCPP 2.1 only: message type 6, which is not answered"))
        self.raw = QPlainTextEdit(self)
        set_role(self.raw, "mono")
        self.raw.setAccessibleName(self.tr("Payload as JSON"))
        self.raw.setTabChangesFocus(True)
        self.raw.textChanged.connect(self.check)
        top = QHBoxLayout()
        top.addWidget(self.raw_action, 1)
        top.addWidget(self.is_send)
        box = QWidget(self)
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addLayout(top)
        layout.addWidget(self.raw, 1)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self.form)
        self._stack.addWidget(box)
        self.hint = plain_label(self, "caption", is_wrapped=True)
        self.hint.setMaximumHeight(3 * self.hint.fontMetrics().lineSpacing() + 2)
        self.hint.hide()
        return self._stack

    def _build_foot(self) -> QHBoxLayout:
        self.problem = ElidedLabel(self)
        self.problem.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        set_role(self.problem, "caption")
        self.keep = QToolButton(self)
        self.keep.setAccessibleName(self.tr("Keep as a favourite"))
        self.keep.setToolTip(self.tr("Keep as a favourite"))
        icons.dress(self.keep, "pin", "text2")
        self.keep.clicked.connect(self.kept)
        self.send = QPushButton(self.tr("Send"), self)
        set_role(self.send, "primary")
        icons.dress(self.send, "send", "accent_text")
        self.send.setToolTip(self.tr("Send to the charger (Ctrl+Enter)"))
        self.send.clicked.connect(self.sent)
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        row.addWidget(self.is_form)
        row.addWidget(self.is_raw)
        row.addStretch(1)
        row.addWidget(self.keep)
        row.addWidget(self.send)
        return row

    # What is composed

    @property
    def action(self) -> str:
        """Return the action's name."""
        if self.is_raw.isChecked():
            return self.raw_action.text().strip()
        return self._action.name if self._action is not None else ""

    @property
    def is_without_answer(self) -> bool:
        """Say whether it goes as a SEND."""
        return self.is_raw.isChecked() and self.is_send.isEnabled() and self.is_send.isChecked()

    def made(self) -> tuple[dict[str, Any], str]:
        """Return the payload, and what keeps it from being sent at all."""
        if not self.is_raw.isChecked():
            return self.form.value(), "" if self._action else self.tr("Choose a command.")
        made, problem = raw_payload(self.raw.toPlainText())
        return made, problem or ("" if self.action else self.tr("The action is missing."))

    def show_action(self, version: str, action: Action, situation: Situation) -> None:
        """Start a request anew."""
        self._show(version, action, actions.start(action, situation))

    def show_request(self, version: str, name: str, payload: dict[str, Any]) -> None:
        """Show a request sent or kept before; as JSON where it is no action of the standard."""
        known = actions.action(version, name)
        if known is not None and known.is_command:
            self._show(version, known, payload)
            return
        self._version = version
        self.is_raw.setChecked(True)
        self.raw_action.setText(name)
        self.raw.setPlainText(pretty(payload))

    def show_mark(self, is_unlisted: bool) -> None:
        """Mark the command as one the charger doesn't list."""
        self.mark.setVisible(is_unlisted)

    def _show(self, version: str, action: Action, payload: dict[str, Any]) -> None:
        self._version, self._action = version, action
        self.title.setText(action.title)
        self.clause.show_text(f"{action.name} · OCPP {version} {action.clause}")
        self.about.show_text(action.help)
        self.is_send.setChecked(False)
        self.is_send.setEnabled(version == "2.1")
        self.is_send.setVisible(version == "2.1")
        self.hint.hide()
        form = forms.form(version, action.name)
        if form is not None:
            self.form.show_form(form, payload)
        if self.is_raw.isChecked():
            self._write_raw()
        self.check()

    def _mode_changed(self, is_raw: bool) -> None:
        if is_raw:
            self._write_raw()
        else:
            self._read_raw()
        self._stack.setCurrentIndex(int(is_raw))
        self.hint.hide()
        self.check()

    def _write_raw(self) -> None:
        if self._action is not None:
            self.raw_action.setText(self._action.name)
            self.raw.setPlainText(pretty(self.form.value()))

    def _read_raw(self) -> None:
        """Take the JSON over into the form, where it is one of the standard's actions."""
        payload, problem = raw_payload(self.raw.toPlainText())
        known = actions.action(self._version, self.raw_action.text().strip())
        if not problem and known is not None and known.is_command:
            self._show(self._version, known, payload)

    def check(self) -> None:
        """Say beside the fields and below them what is wrong; a breach of the standard is told but can be sent."""
        made, problem = self.made()
        self.breaches = [] if problem else breaches(self._version, self.action, made)
        if not self.is_raw.isChecked() and self._action is not None:
            form = forms.form(self._version, self._action.name)
            self.form.tell(forms.problems(form, made) if form is not None else {})
        self.problem.show_text(problem or self._told())
        set_look(self.problem, tone="fault" if problem else "attention" if self.breaches else "")
        self.written.emit(pretty(made))

    def _told(self) -> str:
        if not self.breaches:
            return ""
        more = f" (+{len(self.breaches) - 1})" if len(self.breaches) > 1 else ""
        return self.tr("Against the standard: {what}").format(what=visible(self.breaches[0], 200)) + more

    def _help(self, field: Field) -> str:
        return actions.field_help(self._action, field)

    def _explain(self, field: Field) -> None:
        words = self._help(field)
        self.hint.setText(" · ".join(part for part in (field.name, visible(words, 300), forms.limits(field)) if part))
        self.hint.show()
