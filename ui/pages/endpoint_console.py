"""The console: send one command to a charger and see its answer beside it, with the time it took."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from app.errors import AppError, JobError, NotSupported
from app.model.masking import mask_secrets
from ui import icons
from ui.dialogs import Button, ask
from ui.i18n import worded
from ui.models.console_actions import COMMANDS, Command, Entry, payload, raw_payload
from ui.models.plain import clock_text, latency_text, visible, visible_lines
from ui.pages import endpoint_change
from ui.tasks import Tasks
from ui.theme import SPACE_8, SPACE_12, set_look, set_role, theme
from ui.widgets.frameview import plain_label

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint
    from app.workbench import Workbench

MOST_LINES = 200
ANSWER_LIMIT = 100_000
VERSION = "1.6"


@dataclass(slots=True)
class Exchange:
    """One command and what came back. Texts are masked."""

    identity: str
    action: str
    request: str
    sent_at: datetime
    answer: str = ""
    trouble: str = ""
    took_s: float | None = None


class Console(QWidget):
    """Form or raw JSON on the left, what was sent and answered on the right."""

    exchanged = Signal()

    def __init__(self, bench: Workbench, tasks: Tasks, secret_keys: frozenset[str], parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self._secret_keys = secret_keys
        self._identity = ""
        self._history: dict[str, list[Exchange]] = {}
        self._fields: dict[str, QLineEdit | QComboBox] = {}
        splitter = QSplitter(Qt.Orientation.Horizontal, self)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self._build_left())
        splitter.addWidget(self._build_right())
        splitter.setSizes([400, 600])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.addWidget(splitter)
        self._show_command()

    def _build_left(self) -> QWidget:
        box = QWidget(self)
        self.command = QComboBox(box)
        self.command.setAccessibleName(self.tr("Command"))
        for command in COMMANDS:
            self.command.addItem(f"{worded(command.title)}  ({command.action})", command)
        self.command.currentIndexChanged.connect(self._show_command)
        self.is_raw = QCheckBox(self.tr("Raw JSON"), box)
        self.is_raw.setToolTip(self.tr("Any action, any payload"))
        self.is_raw.toggled.connect(self._show_command)
        self.form = QFormLayout()
        self.form.setSpacing(SPACE_8)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.raw_action = QLineEdit(box)
        self.raw_action.setMaxLength(64)
        self.raw_action.setAccessibleName(self.tr("Action"))
        self.raw = QPlainTextEdit(box)
        set_role(self.raw, "mono")
        self.raw.setAccessibleName(self.tr("Payload as JSON"))
        self.raw.setTabChangesFocus(True)
        self.raw.textChanged.connect(self._check)
        self.raw_action.textChanged.connect(self._check)
        self.problem = plain_label(box, "caption", is_wrapped=True)
        self.send = QPushButton(self.tr("Send"), box)
        set_role(self.send, "primary")
        icons.dress(self.send, "send", "accent_text")
        self.send.setToolTip(self.tr("Send to the charger (Ctrl+Enter)"))
        self.send.clicked.connect(self.submit)
        QShortcut(QKeySequence("Ctrl+Return"), box, self.submit, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
        top = QHBoxLayout()
        top.setSpacing(SPACE_8)
        top.addWidget(self.command, 1)
        top.addWidget(self.is_raw)
        bottom = QHBoxLayout()
        bottom.addWidget(self.problem, 1)
        bottom.addWidget(self.send)
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, SPACE_12, 0)
        layout.setSpacing(SPACE_8)
        layout.addLayout(top)
        layout.addLayout(self.form)
        layout.addWidget(self.raw_action)
        layout.addWidget(self.raw, 1)
        layout.addLayout(bottom)
        layout.addStretch(0)
        self._left = layout
        return box

    def _build_right(self) -> QWidget:
        box = QWidget(self)
        self.lines = QListWidget(box)
        self.lines.setAccessibleName(self.tr("Sent commands"))
        self.lines.setUniformItemSizes(True)
        self.lines.currentRowChanged.connect(self._show_answer)
        self.answer = QPlainTextEdit(box)
        self.answer.setReadOnly(True)
        self.answer.setPlaceholderText(self.tr("Commands and their answers appear here."))
        self.answer.setAccessibleName(self.tr("Request and answer"))
        set_role(self.answer, "mono")
        layout = QVBoxLayout(box)
        layout.setContentsMargins(SPACE_12, 0, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addWidget(self.lines, 2)
        layout.addWidget(self.answer, 3)
        return box

    # The form

    def show_charger(self, identity: str) -> None:
        """Talk to this charger from now on."""
        if identity == self._identity:
            return
        self._identity = identity
        self._show_history()
        self._check()

    @property
    def chosen(self) -> Command:
        """Return the command of the form."""
        command: Command = self.command.currentData()
        return command

    def _show_command(self) -> None:
        is_raw = self.is_raw.isChecked()
        while self.form.rowCount():
            self.form.removeRow(0)
        self._fields.clear()
        self.raw.setVisible(is_raw)
        self.raw_action.setVisible(is_raw)
        if is_raw:
            self.raw_action.setText(self.chosen.action)
            made, _ = payload(self.chosen, {field.name: field.default for field in self.chosen.fields})
            self.raw.setPlainText(json.dumps(made, indent=2))
        else:
            self._build_form(self.chosen)
        self._check()

    def _build_form(self, command: Command) -> None:
        for field in command.fields:
            widget: QLineEdit | QComboBox
            if field.entry is Entry.CHOICE:
                widget = QComboBox(self)
                widget.addItems(field.choices)
                widget.currentTextChanged.connect(self._check)
            else:
                widget = QLineEdit(field.default, self)
                widget.setPlaceholderText(worded(field.hint) if field.hint else "")
                widget.setMaxLength(field.limit)
                widget.textChanged.connect(self._check)
                widget.returnPressed.connect(self.submit)
            widget.setAccessibleName(worded(field.label))
            widget.setObjectName(f"field-{field.name}")
            self._fields[field.name] = widget
            self.form.addRow(worded(field.label), widget)

    def _values(self) -> dict[str, str]:
        return {
            name: widget.currentText() if isinstance(widget, QComboBox) else widget.text()
            for name, widget in self._fields.items()
        }

    def _made(self) -> tuple[str, dict[str, Any], str]:
        """Return action, payload, and what keeps it from being sent."""
        if self.is_raw.isChecked():
            made, problem = raw_payload(self.raw.toPlainText())
            action = self.raw_action.text().strip()
            return action, made, problem or ("" if action else self.tr("The action is missing."))
        made, problems = payload(self.chosen, self._values())
        return self.chosen.action, made, " ".join(problems.values())

    def _check(self) -> None:
        """Say beside the form what is wrong; a breach of the schema is told but can be sent."""
        action, made, problem = self._made()
        for name, widget in self._fields.items():
            missing = isinstance(widget, QLineEdit) and name in payload(self.chosen, self._values())[1]
            set_look(widget, tone="fault" if missing and widget.text() else "")  # type: ignore[union-attr]
        warning = "" if problem or not self.is_raw.isChecked() else _breaches(action, made)
        self.problem.setText(problem or warning)
        set_look(self.problem, tone="fault" if problem and self.is_raw.isChecked() else "attention" if warning else "")
        self._show_readiness(bool(problem))

    def _show_readiness(self, is_wrong: bool) -> None:
        is_busy = self._tasks.is_running(f"send {self._identity}")
        self.send.setEnabled(not is_wrong and not is_busy and self._endpoint() is not None)

    def refresh(self) -> None:
        """Show whether the charger can be talked to at the moment."""
        self._show_readiness(bool(self._made()[2]))

    def _endpoint(self) -> Endpoint | None:
        return self._bench.server.endpoint(self._identity) if self._identity else None

    # Sending

    def submit(self) -> None:
        """Send what the form says."""
        if self.send.isEnabled():
            self._tasks.start_once(f"send {self._identity}", self._send())

    async def _send(self) -> None:
        action, made, _ = self._made()
        endpoint = self._endpoint()
        if endpoint is None or not await self._is_wanted(action):
            return
        exchange = Exchange(self._identity, action, self._shown(made), self._bench.now())
        self._add(exchange)
        try:
            exchange.answer = self._shown(await self._answer(endpoint, action, made, exchange))
        except AppError as error:
            exchange.trouble = f"{error.message} {error.advice}"
        finally:
            exchange.took_s = (self._bench.now() - exchange.sent_at).total_seconds()
            self._show_history()
            self.exchanged.emit()

    async def _answer(
        self, endpoint: Endpoint, action: str, made: dict[str, Any], exchange: Exchange
    ) -> dict[str, Any]:
        """Send a command; a change of a known charger's setting with a backup, unless a person does without."""
        identity = exchange.identity
        unit = endpoint_change.unit_of(self._bench, identity)
        if unit is not None and endpoint_change.is_change(action, made):
            try:
                return await endpoint_change.change(self._bench, unit, identity, made, self._secret_keys)
            except (JobError, NotSupported) as error:
                if not await endpoint_change.is_wanted_bare(self, error):
                    raise
            exchange.sent_at = self._bench.now()
        return await endpoint.call(action, made, timeout_s=30)

    async def _is_wanted(self, action: str) -> bool:
        command = next((known for known in COMMANDS if known.action == action), None)
        if command is None or not command.warning:
            return True
        buttons = (
            Button(key="send", text=self.tr("Send {action}").format(action=action), role="primary"),
            Button(key="close", text=self.tr("Cancel")),
        )
        title = f"{worded(command.title)}?"
        text = worded(command.warning)
        if action == endpoint_change.ACTION and endpoint_change.unit_of(self._bench, self._identity) is None:
            text = self.tr("This charger is not a known one: no backup is made, and there is no way back.")
        answer = await ask(self, title, text, buttons, icon_name="triangle-alert", tone="attention")
        return answer == "send"

    def _shown(self, value: dict[str, Any]) -> str:
        try:
            text = json.dumps(value, indent=2, ensure_ascii=False)
        except (RecursionError, ValueError):
            text = "(nested too deeply to be shown)"
        return visible_lines(mask_secrets(text[:ANSWER_LIMIT], self._secret_keys))

    # History

    def _add(self, exchange: Exchange) -> None:
        lines = self._history.setdefault(exchange.identity, [])
        lines.append(exchange)
        del lines[: max(0, len(lines) - MOST_LINES)]
        self._show_history()

    def _show_history(self) -> None:
        lines = self._history.get(self._identity, [])
        self.lines.clear()
        for exchange in lines:
            item = QListWidgetItem(_line(exchange))
            if exchange.trouble:
                item.setForeground(theme().tokens.color("fault"))
            self.lines.addItem(item)
        self.lines.setCurrentRow(len(lines) - 1)
        if not lines:
            self.answer.setPlainText("")

    def _show_answer(self, row: int) -> None:
        lines = self._history.get(self._identity, [])
        if not 0 <= row < len(lines):
            return
        exchange = lines[row]
        parts = [f"→ {exchange.action}", exchange.request]
        if exchange.took_s is not None:
            parts += ["", f"← after {latency_text(exchange.took_s)}", exchange.trouble or exchange.answer]
        self.answer.setPlainText("\n".join(parts))


def _line(exchange: Exchange) -> str:
    start = f"{clock_text(exchange.sent_at)[:8]}  {visible(exchange.action, 64)}"
    if exchange.took_s is None:
        return f"{start}  waiting …"
    if exchange.trouble:
        return f"{start}  {visible(exchange.trouble, 160)}"
    return f"{start}  {_outcome(exchange.answer)}, {latency_text(exchange.took_s)}"


def _outcome(answer: str) -> str:
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return "answered"
    status = value.get("status") if isinstance(value, dict) else None
    return visible(status, 50) if isinstance(status, str) else "answered"


def _breaches(action: str, made: dict[str, Any]) -> str:
    """Name what the standard's schema objects to; loaded only when the raw mode needs it."""
    from app.ocpp import schema

    if action not in schema.actions(VERSION):
        return f"OCPP {VERSION} has no action “{visible(action, 64)}”. It can be sent all the same."
    texts = schema.violations(VERSION, action, made, is_request=True)
    return f"Against the standard: {visible('; '.join(texts), 300)}" if texts else ""
