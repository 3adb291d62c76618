"""The form of a message, made from its schema: groups fold, lists grow, optional fields come on demand."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QMenu, QScrollArea, QToolButton, QVBoxLayout, QWidget

from app.ocpp import forms
from app.ocpp.forms import Field, Kind
from ui import icons
from ui.i18n import translate
from ui.models.plain import tooltip
from ui.theme import SPACE_4, SPACE_8, SPACE_16, set_role
from ui.widgets.formleaf import FormWords, Leaf, Part, WordsLeaf, leaf
from ui.widgets.frameview import plain_label

LABEL_WIDTH = 180
INDENT = 16
LEAST_LABEL = 90
MOST_ITEMS = 50
"""Items of a list that are shown; the rest is kept and sent along."""


class FormView(QScrollArea):
    """Shows one form. ``changed`` follows every edit; ``explained`` carries the field the keyboard is in."""

    changed = Signal()
    explained = Signal(object)

    def __init__(self, words: FormWords, parent: QWidget) -> None:
        super().__init__(parent)
        self._words = words
        self.root: GroupPart | None = None
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(translate("Form", "Form"))

    def show_form(self, form: Field, value: dict[str, Any]) -> None:
        """Show a form filled with ``value``; what it lacks and needs is added."""
        content = QWidget(self)
        set_role(content, "scroll")
        layout = QVBoxLayout(content)
        layout.setContentsMargins(0, 0, SPACE_8, SPACE_8)
        self.root = GroupPart(form, self._words, "", content, is_root=True)
        self.root.fill(forms.blank(form) | value)
        self.root.changed.connect(self.changed)
        self.root.entered.connect(self._entered)
        layout.addWidget(self.root)
        layout.addStretch(1)
        self.setWidget(content)  # deletes the form before

    def value(self) -> dict[str, Any]:
        """Return what is filled in."""
        return self.root.value() if self.root is not None else {}

    def tell(self, problems: dict[str, str]) -> None:
        """Show what is wrong beside the fields."""
        if self.root is not None:
            self.root.tell(problems, "")

    def focus_first(self) -> None:
        """Put the keyboard into the first field."""
        if self.root is not None:
            _focus_first(self.root)

    def _entered(self, field: Field) -> None:
        self.explained.emit(field)
        focused = self.focusWidget()
        if focused is not None:
            self.ensureWidgetVisible(focused, 0, SPACE_16)


class GroupPart(Part):
    """Fields one below the other; a head with fold, “add” and, where it is optional, “remove”."""

    def __init__(
        self, field: Field, words: FormWords, path: str, parent: QWidget, *, is_root: bool = False, title: str = ""
    ) -> None:
        super().__init__(parent)
        self.field = field
        self._words = words
        self._path = path
        self._is_root = is_root
        self._rows: dict[str, tuple[Part, list[QWidget]]] = {}
        self._extra: dict[str, Any] = {}
        self.body = QWidget(self)
        self._grid = QGridLayout(self.body)
        self._label_width = max(LEAST_LABEL, LABEL_WIDTH - INDENT * _depth(path))
        self._grid.setContentsMargins(0 if is_root else INDENT, 0, 0, 0)
        self._grid.setHorizontalSpacing(SPACE_8)
        self._grid.setVerticalSpacing(SPACE_4)
        self._grid.setColumnMinimumWidth(0, self._label_width)
        self._grid.setColumnStretch(1, 1)
        self.add = self._add_button()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_4)
        self.head = QHBoxLayout()
        if not is_root:
            self.fold = _fold_button(title or field.name, self)
            self.fold.toggled.connect(self._folded)
            self.head.addWidget(self.fold)
            self.head.addStretch(1)
            self.head.addWidget(self.add)
            layout.addLayout(self.head)
        self._trouble = _trouble_label(self)
        layout.addWidget(self._trouble)
        layout.addWidget(self.body)
        if is_root:
            layout.addWidget(self.add, 0, Qt.AlignmentFlag.AlignLeft)

    def _add_button(self) -> QToolButton:
        button = QToolButton(self)
        button.setText(translate("Add a field", "Form") if self._is_root else translate("Field", "Form"))
        button.setObjectName(f"add-{self._path}")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setAccessibleName(f"{translate('Add an optional field to', 'Form')} {self.field.name}".strip())
        button.setToolTip(button.accessibleName())
        set_role(button, "quiet")
        icons.dress(button, "plus", "text2")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self._offer)
        button.setMenu(menu)
        return button

    def _offer(self) -> None:
        menu = self.add.menu()
        menu.clear()
        for child in self.missing:
            action = menu.addAction(child.name)
            action.setToolTip(tooltip(f"{self._words.help(child)}\n{forms.limits(child)}".strip(), 400))
            action.triggered.connect(self._add_chosen)

    @property
    def missing(self) -> list[Field]:
        """Return the optional fields that are not there yet."""
        return [child for child in self.field.fields if child.name not in self._rows]

    def _add_chosen(self) -> None:
        self.add_field(self.sender().text())  # type: ignore[attr-defined]  # a QAction

    def add_field(self, name: str) -> Part | None:
        """Add an optional field, and put the keyboard into it."""
        child = self.field.field(name)
        if child is None or name in self._rows:
            return None
        value = forms.blank(child)
        if child.kind is Kind.LIST and child.item is not None and not value and not WordsLeaf.fits(child):
            value = [forms.blank(child.item)]
        part = self._row(child, value)
        self._changed()
        _focus_first(part)
        return part

    def fill(self, value: Any) -> None:
        """Take over an object; fields the standard doesn't know are kept and sent along."""
        known = value if isinstance(value, dict) else {}
        self._extra = {name: item for name, item in known.items() if self.field.field(name) is None}
        for child in self.field.fields:
            if child.name in known or child.is_required:
                given = known.get(child.name, forms.blank(child))
                if child.name in self._rows:
                    self._rows[child.name][0].fill(given)
                else:
                    self._row(child, given)
        self._show_add()

    def value(self) -> dict[str, Any]:
        """Return the object; an optional list on one line that is empty is left out."""
        found = {name: part.value() for name, (part, _) in self._rows.items() if not _is_left_out(part)}
        return found | self._extra

    def tell(self, problems: dict[str, str], path: str) -> None:
        """Show what is wrong beside the fields inside."""
        _tell(self._trouble, problems.get(path, ""))
        for name, (part, _) in self._rows.items():
            part.tell(problems, f"{path}.{name}" if path else name)

    def _row(self, child: Field, value: Any) -> Part:
        path = f"{self._path}.{child.name}" if self._path else child.name
        part = make(child, self._words, path, self.body)
        part.fill(value)
        part.changed.connect(self.changed)
        part.entered.connect(self.entered)
        row = self._grid.rowCount()
        widgets: list[QWidget] = [part]
        if isinstance(part, Leaf):
            label = self._label(child, part)
            self._grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(part, row, 1)
            widgets.append(label)
        else:
            self._grid.addWidget(part, row, 0, 1, 2)
        if not child.is_required:
            remove = _remove_button(child.name, path, self.body)
            remove.clicked.connect(self._remove_clicked)
            if isinstance(part, Leaf):
                part.row.addWidget(remove)
            else:
                part.head.addWidget(remove)  # type: ignore[attr-defined]  # groups and lists have a head
        self._rows[child.name] = (part, widgets)
        return part

    def _label(self, child: Field, part: Leaf) -> QLabel:
        label = QLabel(child.name, self.body)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setBuddy(part.editor)
        label.setMinimumHeight(32)
        label.setFixedWidth(self._label_width)
        label.setToolTip(tooltip(f"{child.name}\n{self._words.help(child)}\n{forms.limits(child)}"))
        set_role(label, "strong" if child.is_required else "")
        return label

    def _remove_clicked(self) -> None:
        self.remove_field(str(self.sender().property("name")))

    def remove_field(self, name: str) -> None:
        """Take an optional field away."""
        _, widgets = self._rows.pop(name)
        for widget in widgets:
            self._grid.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self._changed()

    def _changed(self) -> None:
        self._show_add()
        self.changed.emit()

    def _show_add(self) -> None:
        self.add.setVisible(bool(self.missing))

    def _folded(self, is_open: bool) -> None:
        self.body.setVisible(is_open)
        icons.dress(self.fold, "chevron-down" if is_open else "chevron-right", "text2")


class ListPart(Part):
    """Items one below the other; “add” puts another one at the end."""

    def __init__(self, field: Field, words: FormWords, path: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.field = field
        self._words = words
        self._path = path
        self._items: list[Part] = []
        self._rest: list[Any] = []
        self._count = 0
        self.body = QWidget(self)
        self._column = QVBoxLayout(self.body)
        self._column.setContentsMargins(INDENT, 0, 0, 0)
        self._column.setSpacing(SPACE_4)
        self.fold = _fold_button(field.name, self)
        self.fold.toggled.connect(self._folded)
        self.add = QToolButton(self)
        self.add.setText(translate("Item", "Form"))
        self.add.setObjectName(f"add-{path}")
        self.add.setAccessibleName(f"{translate('Add an item to', 'Form')} {field.name}")
        self.add.setToolTip(self.add.accessibleName())
        self.add.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        set_role(self.add, "quiet")
        icons.dress(self.add, "plus", "text2")
        self.add.clicked.connect(self.add_item)
        self.head = QHBoxLayout()
        self.head.addWidget(self.fold)
        self.head.addStretch(1)
        self.head.addWidget(self.add)
        self._trouble = _trouble_label(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addLayout(self.head)
        self._more = plain_label(self, "caption")
        self._more.hide()
        layout.addWidget(self._trouble)
        layout.addWidget(self.body)
        layout.addWidget(self._more)

    def add_item(self) -> None:
        """Add an empty item and put the keyboard into it."""
        assert self.field.item is not None
        part = self._item(forms.blank(self.field.item))
        self._renumber()
        self.changed.emit()
        _focus_first(part)

    def fill(self, value: Any) -> None:
        """Take over a list."""
        for item in tuple(self._items):
            self._drop(item)
        values = value if isinstance(value, list) else [value]
        self._rest = values[MOST_ITEMS:]
        for item_value in values[:MOST_ITEMS]:
            self._item(item_value)
        self._more.setText(translate("… and {count} more, kept as they are", "Form").format(count=len(self._rest)))
        self._more.setVisible(bool(self._rest))
        self._renumber()

    def value(self) -> list[Any]:
        """Return the list."""
        return [item.value() for item in self._items] + self._rest

    def tell(self, problems: dict[str, str], path: str) -> None:
        """Show what is wrong beside the items."""
        _tell(self._trouble, problems.get(path, ""))
        for place, item in enumerate(self._items):
            item.tell(problems, f"{path}[{place}]")

    def _item(self, value: Any) -> Part:
        assert self.field.item is not None
        path = f"{self._path}[{self._count}]"
        self._count += 1
        part = make(self.field.item, self._words, path, self.body)
        part.fill(value)
        part.changed.connect(self.changed)
        part.entered.connect(self.entered)
        remove = _remove_button(translate("item", "Form"), path, self.body)
        remove.clicked.connect(self._remove_clicked)
        (part.row if isinstance(part, Leaf) else part.head).addWidget(remove)  # type: ignore[attr-defined]
        self._items.append(part)
        self._column.addWidget(part)
        return part

    def _remove_clicked(self) -> None:
        button = self.sender()
        for item in tuple(self._items):
            if item.isAncestorOf(button):  # type: ignore[arg-type]  # a QToolButton
                self._drop(item)
        self._renumber()
        self.changed.emit()

    def _drop(self, item: Part) -> None:
        self._items.remove(item)
        self._column.removeWidget(item)
        item.hide()
        item.deleteLater()

    def _renumber(self) -> None:
        self.body.setVisible(bool(self._items) and self.fold.isChecked())
        for place, item in enumerate(self._items):
            if isinstance(item, GroupPart):
                item.fold.setText(f"{self.field.name} {place + 1}")

    def _folded(self, is_open: bool) -> None:
        self.body.setVisible(is_open and bool(self._items))
        icons.dress(self.fold, "chevron-down" if is_open else "chevron-right", "text2")


def make(field: Field, words: FormWords, path: str, parent: QWidget) -> Part:
    """Make the part of a form that a field needs."""
    if field.kind is Kind.GROUP:
        return GroupPart(field, words, path, parent)
    if field.kind is Kind.LIST and not WordsLeaf.fits(field):
        return ListPart(field, words, path, parent)
    return leaf(field, words, path, parent)


def _depth(path: str) -> int:
    """Count how far a part is indented: each group and each list by one, so that all editors stand in one line."""
    return path.count(".") + path.count("[") + bool(path)


def _is_left_out(part: Part) -> bool:
    return isinstance(part, WordsLeaf) and not part.field.is_required and not part.value()


def _focus_first(part: Part) -> None:
    leaves = [part] if isinstance(part, Leaf) else part.findChildren(Leaf)
    if leaves:
        leaves[0].editor.setFocus(Qt.FocusReason.OtherFocusReason)


def _fold_button(name: str, parent: QWidget) -> QToolButton:
    button = QToolButton(parent)
    button.setText(name)
    button.setCheckable(True)
    button.setChecked(True)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setAccessibleName(f"{translate('Fold', 'Form')} {name}")
    set_role(button, "fold")
    icons.dress(button, "chevron-down", "text2")
    return button


def _remove_button(name: str, path: str, parent: QWidget) -> QToolButton:
    button = QToolButton(parent)
    button.setObjectName(f"remove-{path}")
    button.setProperty("name", name)
    words = f"{translate('Remove', 'Form')} {name}"
    button.setAccessibleName(words)
    button.setToolTip(words)
    set_role(button, "quiet")
    icons.dress(button, "x", "text2")
    return button


def _trouble_label(parent: QWidget) -> QLabel:
    label = plain_label(parent, "caption")
    label.setProperty("tone", "fault")
    label.hide()
    return label


def _tell(label: QLabel, words: str) -> None:
    if words != label.text():
        label.setText(words)
        label.setVisible(bool(words))
