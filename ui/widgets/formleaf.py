"""One field of a message: the editor its kind asks for, its value as JSON, what is wrong beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import (
    QComboBox,
    QCompleter,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.ocpp import actions
from app.ocpp.forms import Field, Kind
from ui import icons
from ui.i18n import translate
from ui.theme import SPACE_4, set_look, set_role
from ui.widgets.frameview import plain_label

LONG = 1000
"""Texts that may be longer than this get several lines (certificates, documents)."""
TYPED_LIMIT = 100_000
"""Characters any field takes; the standard's own limits are told, not enforced."""
MOMENTS = ("now", "now + 5 min", "now + 1 h", "now + 1 d", "now + 30 d")


@dataclass(frozen=True, slots=True, kw_only=True)
class FormWords:
    """What a form needs to know from outside: the words for a field, the time, and texts to suggest at a path."""

    help: Callable[[Field], str]
    now: Callable[[], datetime]
    suggest: Callable[[str], Sequence[str]] = lambda _: ()


class Part(QWidget):
    """A part of a form. ``changed`` follows every edit, ``entered`` the keyboard."""

    changed = Signal()
    entered = Signal(object)

    field: Field

    def value(self) -> Any:
        """Return what is filled in, as JSON."""
        raise NotImplementedError

    def fill(self, value: Any) -> None:
        """Take over a value."""
        raise NotImplementedError

    def tell(self, problems: dict[str, str], path: str) -> None:
        """Show what is wrong, beside the field it is about."""
        raise NotImplementedError


class Leaf(Part):
    """A field that holds one value."""

    def __init__(self, field: Field, words: FormWords, path: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.field = field
        self._words = words
        self.editor = self._editor()
        self.editor.setObjectName(f"field-{path}")
        self.editor.setAccessibleName(field.name or translate("Item", "Form"))
        self.editor.setAccessibleDescription(words.help(field))
        self._suggest(words.suggest(path))
        self.row = QHBoxLayout()
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.setSpacing(SPACE_4)
        self.row.addWidget(self.editor, 1)
        if field.kind is Kind.TIME:
            self.row.addWidget(self._moments())
        self._trouble = plain_label(self, "caption")
        self._trouble.setProperty("tone", "fault")
        self._trouble.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(self.row)
        layout.addWidget(self._trouble)

    def tell(self, problems: dict[str, str], path: str) -> None:
        """Show what is wrong below the editor."""
        words = problems.get(path, "")
        if words != self._trouble.text():
            self._trouble.setText(words)
            self._trouble.setVisible(bool(words))
            set_look(self.editor, tone="fault" if words else "")

    def _editor(self) -> QWidget:
        raise NotImplementedError

    def _suggest(self, texts: Sequence[str]) -> None:
        if texts and isinstance(self.editor, QLineEdit):
            completer = QCompleter(list(texts), self.editor)
            completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
            completer.setFilterMode(Qt.MatchFlag.MatchContains)
            self.editor.setCompleter(completer)

    def _moments(self) -> QToolButton:
        button = QToolButton(self)
        icons.dress(button, "clock", "text2")
        button.setAccessibleName(translate("Choose a time", "Form"))
        button.setToolTip(translate("now, now + 5 min, now + 2 h, now - 1 d … also typed", "Form"))
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        for text in MOMENTS:
            menu.addAction(text).triggered.connect(self._moment_chosen)
        button.setMenu(menu)
        return button

    def _moment_chosen(self) -> None:
        action = self.sender()
        self.fill(action.text())  # type: ignore[attr-defined]  # a QAction


class LineLeaf(Leaf):
    """Text, number, time, address, anything: one line."""

    editor: Line

    def _editor(self) -> QWidget:
        line = Line(self)
        line.setMaxLength(TYPED_LIMIT)
        line.setPlaceholderText(_hint(self.field))
        line.textChanged.connect(self.changed)
        line.entered.connect(self._entered)
        return line

    def _entered(self) -> None:
        self.entered.emit(self.field)

    def fill(self, value: Any) -> None:
        """Show a value as one would type it."""
        if self.field.kind in (Kind.TEXT, Kind.TIME, Kind.ADDRESS) and isinstance(value, str):
            self.editor.setText(value)
        elif isinstance(value, str) and self.field.kind is Kind.ANYTHING:
            self.editor.setText(json.dumps(value, ensure_ascii=False) if _is_json(value) else value)
        else:
            self.editor.setText(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        self.editor.setCursorPosition(0)

    def value(self) -> Any:
        """Return the value; what is no number where one is due stays the text it is."""
        text = self.editor.text()
        match self.field.kind:
            case Kind.TIME:
                return actions.moment(text, self._words.now()) or text.strip()
            case Kind.INTEGER | Kind.NUMBER | Kind.ANYTHING:
                return _json_or_text(text)
        return text


class LongLeaf(Leaf):
    """A text of several lines, such as a certificate."""

    editor: Lines

    def _editor(self) -> QWidget:
        lines = Lines(self)
        lines.setTabChangesFocus(True)
        lines.setFixedHeight(84)
        set_role(lines, "mono")
        lines.setPlaceholderText(_hint(self.field))
        lines.textChanged.connect(self.changed)
        lines.entered.connect(self._entered)
        return lines

    def _entered(self) -> None:
        self.entered.emit(self.field)

    def fill(self, value: Any) -> None:
        """Show a value."""
        self.editor.setPlainText(value if isinstance(value, str) else json.dumps(value))

    def value(self) -> Any:
        """Return the text."""
        return self.editor.toPlainText()


class ChoiceLeaf(Leaf):
    """One of several words, or yes and no."""

    editor: Chooser

    def _editor(self) -> QWidget:
        box = Chooser(self)
        for value, words in self._choices():
            box.addItem(words, value)
        box.currentIndexChanged.connect(self._chosen)
        box.entered.connect(self._entered)
        return box

    def _entered(self) -> None:
        self.entered.emit(self.field)

    def _chosen(self) -> None:
        self.changed.emit()

    def _choices(self) -> list[tuple[Any, str]]:
        if self.field.kind is Kind.SWITCH:
            return [(True, translate("yes (true)", "Form")), (False, translate("no (false)", "Form"))]
        explained = [(choice, actions.choice_words(choice)) for choice in self.field.choices]
        return [(choice, f"{choice} – {words}" if words else choice) for choice, words in explained]

    def fill(self, value: Any) -> None:
        """Choose a value; one the standard doesn't know is added."""
        place = self.editor.findData(value)
        if place < 0:
            self.editor.addItem(json.dumps(value, ensure_ascii=False)[:80], value)
            place = self.editor.count() - 1
        self.editor.setCurrentIndex(place)

    def value(self) -> Any:
        """Return the chosen value."""
        return self.editor.currentData()


class WordsLeaf(Leaf):
    """A list of short texts or numbers on one line, separated by commas."""

    editor: Line

    def _editor(self) -> QWidget:
        line = Line(self)
        line.setMaxLength(TYPED_LIMIT)
        line.setPlaceholderText(translate("several, separated by commas", "Form"))
        line.textChanged.connect(self.changed)
        line.entered.connect(self._entered)
        return line

    def _entered(self) -> None:
        self.entered.emit(self.field)

    @staticmethod
    def fits(field: Field) -> bool:
        """Say whether a list can be written like this."""
        return field.item is not None and field.item.kind in (Kind.TEXT, Kind.INTEGER)

    def fill(self, value: Any) -> None:
        """Show the items."""
        items = value if isinstance(value, list) else [value]
        self.editor.setText(", ".join(item if isinstance(item, str) else json.dumps(item) for item in items))

    def value(self) -> Any:
        """Return the items."""
        texts = [part.strip() for part in self.editor.text().split(",")]
        is_number = self.field.item is not None and self.field.item.kind is Kind.INTEGER
        return [_json_or_text(text) if is_number else text for text in texts if text]

    def tell(self, problems: dict[str, str], path: str) -> None:
        """Show what is wrong with the list, or with the first item that is."""
        inner = (words for place, words in problems.items() if place == path or place.startswith(f"{path}["))
        super().tell({path: next(inner, "")}, path)


class Line(QLineEdit):
    """A line that tells when the keyboard comes."""

    entered = Signal()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Tell it."""
        super().focusInEvent(event)
        self.entered.emit()


class Lines(QPlainTextEdit):
    """Several lines that tell when the keyboard comes."""

    entered = Signal()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Tell it."""
        super().focusInEvent(event)
        self.entered.emit()


class Chooser(QComboBox):
    """A chooser that tells when the keyboard comes, and leaves the wheel to the form around it."""

    entered = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Tell it."""
        super().focusInEvent(event)
        self.entered.emit()

    def wheelEvent(self, event: Any) -> None:
        """Scroll the form, not the choice."""
        event.ignore()


def leaf(field: Field, words: FormWords, path: str, parent: QWidget) -> Leaf:
    """Make the editor of a field that holds one value, or a list that fits on one line."""
    if field.kind is Kind.LIST:
        return WordsLeaf(field, words, path, parent)
    if field.kind in (Kind.CHOICE, Kind.SWITCH):
        return ChoiceLeaf(field, words, path, parent)
    if field.kind is Kind.TEXT and (field.max_length or 0) > LONG:
        return LongLeaf(field, words, path, parent)
    return LineLeaf(field, words, path, parent)


def _hint(field: Field) -> str:
    match field.kind:
        case Kind.TIME:
            return "2026-11-22T16:00:00Z, now + 1 h"
        case Kind.ANYTHING:
            return translate("JSON, or a text", "Form")
        case Kind.INTEGER | Kind.NUMBER:
            return str(field.kind.value)
    return ""


def _json_or_text(text: str) -> Any:
    stripped = text.strip()
    try:
        return json.loads(stripped) if stripped else ""
    except (ValueError, RecursionError):
        return text


def _is_json(text: str) -> bool:
    return not isinstance(_json_or_text(text), str)
