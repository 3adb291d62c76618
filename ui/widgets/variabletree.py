"""The device model on screen: a tree of components and variables, search, comparison, edit in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QProgressBar,
    QPushButton,
    QStackedLayout,
    QStyledItemDelegate,
    QToolButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from ui import icons
from ui.models.devicemodel import (
    ACCESS,
    ITEM,
    LIMITS,
    NAME,
    UNIT,
    VALUE,
    DeviceModel,
    VariableRow,
    details,
    limits_text,
)
from ui.theme import SPACE_4, SPACE_8, set_look, set_role, theme
from ui.widgets.empty import Empty
from ui.widgets.frameview import plain_label

Index = QModelIndex | QPersistentModelIndex
CHOSEN, PROBLEMS = "chosen", "problems"
"""Parts of a device model: the component under the cursor; components that report a problem."""
_WIDTHS = {NAME: 270, VALUE: 230, UNIT: 60, LIMITS: 230, ACCESS: 96}
MOST_DETAILS = 7
VALUE_LIMIT = 2500
"""Characters an attribute's value may have (OCPP 2.0.1 part 2 §2.59)."""


class VariableDelegate(QStyledItemDelegate):
    """Gives each variable the editor of its type."""

    def createEditor(self, parent: QWidget, option: Any, index: Index) -> QWidget:  # noqa: ARG002
        """Make it."""
        row: VariableRow = index.data(ITEM)
        variable = row.variable
        choices = ("true", "false") if variable.type == "boolean" else variable.values_list
        if choices and variable.type in ("boolean", "OptionList"):
            box = QComboBox(parent)
            box.addItems(list(choices))
            box.setAccessibleName(row.key)
            return box
        line = QLineEdit(parent)
        line.setMaxLength(VALUE_LIMIT)
        line.setAccessibleName(f"{row.key}, {limits_text(variable)}")
        if row.is_secret:
            line.setEchoMode(QLineEdit.EchoMode.Password)
            line.setPlaceholderText(self.tr("New value; empty leaves it as it is"))
        return line

    def updateEditorGeometry(self, editor: QWidget, option: Any, index: Index) -> None:  # noqa: ARG002
        """Lay the editor over the whole cell."""
        editor.setGeometry(option.rect)

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        """Put the present value into the editor; never a secret."""
        row: VariableRow = index.data(ITEM)
        if isinstance(editor, QComboBox):
            editor.setCurrentText(row.variable.value or "")
        elif isinstance(editor, QLineEdit):
            editor.setText("" if row.is_secret else row.variable.value or "")
            editor.selectAll()

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: Index) -> None:
        """Hand the new value to the model, which checks it."""
        if isinstance(editor, QComboBox):
            model.setData(index, editor.currentText())
        elif isinstance(editor, QLineEdit):
            model.setData(index, editor.text())

    def sizeHint(self, option: Any, index: Index) -> Any:
        """Make every row high enough to be clicked."""
        size = super().sizeHint(option, index)
        size.setHeight(30)
        return size


class VariableTree(QWidget):
    """Reading, writing and files are the panel's; it hears what is asked for through the signals."""

    read_asked = Signal(str)
    """What to read: FullInventory, ConfigurationInventory, SummaryInventory, ``PROBLEMS`` or ``CHOSEN``."""
    stopped = Signal()
    exported = Signal(str)
    compared = Signal(int)
    import_asked = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.model = DeviceModel(self)
        self._open: set[str] = set()
        self._key = ""
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(self.tr("Search components, variables, values"))
        self.search.setAccessibleName(self.tr("Search the device model"))
        self.search.setClearButtonEnabled(True)
        self.baseline = QComboBox(self)
        self.baseline.setAccessibleName(self.tr("Compare with"))
        self.baseline.setMinimumWidth(190)
        self.changed_only = QCheckBox(self.tr("Changed only"), self)
        self.read_button = self._read_menu()
        self.file_button = self._file_menu()
        self.stop_button = QPushButton(self.tr("Stop"), self)
        icons.dress(self.stop_button, "circle-stop", "text2")
        self.stop_button.hide()
        self.progress = QProgressBar(self)
        self.progress.setRange(0, 0)
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(90)
        self.progress.hide()
        self.line = plain_label(self, "caption", is_wrapped=True)
        self.view = self._build_view()
        self.detail = plain_label(self, "caption", is_wrapped=True)
        self.detail.setAccessibleName(self.tr("About the chosen variable"))
        self.detail.hide()
        self.empty = Empty("", "", "layers", "", self)
        self._lay_out()
        self._connect()
        self.show_baselines(())

    def _read_menu(self) -> QToolButton:
        button = QToolButton(self)
        button.setText(self.tr("Read"))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        button.setAccessibleName(self.tr("Read the device model"))
        icons.dress(button, "refresh-cw", "text2")
        set_role(button, "menu")
        menu = QMenu(button)
        for base, words in (
            ("FullInventory", self.tr("Everything (GetBaseReport, full)")),
            ("ConfigurationInventory", self.tr("What can be set (configuration)")),
            ("SummaryInventory", self.tr("What is unusual (summary)")),
            (PROBLEMS, self.tr("Components with a problem (GetReport)")),
            (CHOSEN, self.tr("The chosen component only (GetReport)")),
        ):
            menu.addAction(words, self._read_chosen).setData(base)
        button.setMenu(menu)
        return button

    def _file_menu(self) -> QToolButton:
        button = QToolButton(self)
        button.setText(self.tr("File"))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setAccessibleName(self.tr("Export or compare with a file"))
        icons.dress(button, "file-json", "text2")
        set_role(button, "menu")
        menu = QMenu(button)
        menu.addAction(self.tr("Export as JSON …"), self._export_chosen).setData("json")
        menu.addAction(self.tr("Export as CSV…"), self._export_chosen).setData("csv")
        menu.addSeparator()
        menu.addAction(self.tr("Compare with a file…"), self.import_asked.emit)
        button.setMenu(menu)
        return button

    def _build_view(self) -> QTreeView:
        view = QTreeView(self)
        view.setModel(self.model)
        view.setItemDelegate(VariableDelegate(view))
        view.setAccessibleName(self.tr("Device model"))
        view.setUniformRowHeights(True)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        view.header().setStretchLastSection(True)
        for column, width in _WIDTHS.items():
            view.setColumnWidth(column, width)
        return view

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(SPACE_8)
        top.addWidget(self.search, 1)
        for part in (self.baseline, self.changed_only, self.read_button, self.file_button):
            top.addWidget(part)
        below = QHBoxLayout()
        below.addWidget(self.line, 1)
        below.addWidget(self.progress)
        below.addWidget(self.stop_button)
        stack = QWidget(self)
        self._stack = QStackedLayout(stack)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.view)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addLayout(top)
        layout.addLayout(below)
        layout.addWidget(stack, 1)
        layout.addWidget(self.detail)

    def _connect(self) -> None:
        self.search.textChanged.connect(self._search)
        self.changed_only.toggled.connect(self._filter)
        self.baseline.activated.connect(self.compared)
        self.read_button.clicked.connect(self._read_all)
        self.stop_button.clicked.connect(self.stopped)
        self.empty.acted.connect(self._read_all)
        self.view.activated.connect(self._edit)
        self.view.selectionModel().currentChanged.connect(self._chosen)
        self.view.expanded.connect(self._opened)
        self.view.collapsed.connect(self._closed)
        self.model.refused.connect(self._refused)
        self.model.modelReset.connect(self._arranged)
        self.model.dataChanged.connect(self.summarise)
        self.model.dataChanged.connect(self._show_detail)
        theme().changed.connect(self._repaint)

    # Showing

    def show_baselines(self, titles: Sequence[str]) -> None:
        """Offer reports to compare with."""
        chosen = self.baseline.currentText()
        self.baseline.clear()
        self.baseline.addItems([self.tr("Compare with nothing"), *titles])
        self.baseline.setCurrentIndex(max(0, self.baseline.findText(chosen)))

    def say(self, text: str, tone: str = "") -> None:
        """Say something in the line above the tree."""
        self.line.setText(text)
        set_look(self.line, tone=tone)

    def show_busy(self, is_busy: bool) -> None:
        """Show that a report is being read, and how to stop it."""
        self.progress.setVisible(is_busy)
        self.stop_button.setVisible(is_busy)
        self.read_button.setEnabled(not is_busy)

    def summarise(self) -> None:
        """Say how much there is."""
        total = len(self.model.variables)
        if not total:
            return
        parts = [self.tr("{shown} of {total} variables").format(shown=self.model.shown_count, total=total)]
        if self.baseline.currentIndex() > 0:
            missing = len(self.model.missing)
            parts.append(self.tr("{count} differ").format(count=self.model.changed_count))
            parts += [self.tr("{count} are gone").format(count=missing)] if missing else []
        elif self.model.can_write:
            parts.append(self.tr("F2 or a double click changes a value"))
        self.say(" · ".join(parts))

    def selected(self) -> VariableRow | None:
        """Return the variable under the cursor; of a component its first one."""
        index = self.view.currentIndex()
        first = self.model.index(0, 0, index.siblingAtColumn(0))
        return self.model.row_at(index) or self.model.row_at(first)

    def _arranged(self) -> None:
        has_any = bool(self.model.variables)
        self._stack.setCurrentWidget(self.view if has_any else self.empty)
        is_small = self.model.shown_count <= 200
        if self.search.text() or self.changed_only.isChecked() or is_small:
            self.view.expandAll()
        else:
            self._open_again()
        if (index := self.model.index_of(self._key)).isValid():
            self.view.setCurrentIndex(index)
        self._show_detail()
        self.summarise()

    def _open_again(self) -> None:
        """Open the components that were open before the model was read again."""
        for row in range(self.model.rowCount()):
            index = self.model.index(row, 0)
            self.view.setExpanded(index, self.model.component_at(index) in self._open)

    def _opened(self, index: QModelIndex) -> None:
        if not (self.search.text() or self.changed_only.isChecked()):
            self._open.add(self.model.component_at(index))

    def _closed(self, index: QModelIndex) -> None:
        self._open.discard(self.model.component_at(index))

    def _chosen(self, index: QModelIndex) -> None:
        row = self.model.row_at(index)
        if row is not None:
            self._key = row.key
        self._show_detail()

    def _show_detail(self) -> None:
        row = self.model.row_at(self.view.currentIndex())
        self.detail.setText("\n".join(details(row)[:MOST_DETAILS]) if row is not None else "")
        self.detail.setVisible(row is not None)

    def _search(self, text: str) -> None:
        self.model.show(text=text)

    def _filter(self, is_on: bool) -> None:
        self.model.show(is_changed_only=is_on)

    def _refused(self, problem: str) -> None:
        self.say(self.tr("Not written. {problem}").format(problem=problem), "fault")

    def _repaint(self) -> None:
        self.view.viewport().update()

    # Asking

    def _read_all(self) -> None:
        self.read_asked.emit("FullInventory")

    def _read_chosen(self) -> None:
        self.read_asked.emit(str(self.sender().data()))  # type: ignore[attr-defined]  # a QAction

    def _export_chosen(self) -> None:
        self.exported.emit(str(self.sender().data()))  # type: ignore[attr-defined]  # a QAction

    def _edit(self, index: QModelIndex) -> None:
        value = index.siblingAtColumn(VALUE)
        if self.model.flags(value) & Qt.ItemFlag.ItemIsEditable:
            self.view.setCurrentIndex(value)
            self.view.edit(value)

    def copy(self) -> None:
        """Put the variable under the cursor on the clipboard as name and value."""
        row = self.selected()
        if row is not None:
            value = "" if row.is_secret else row.variable.value or ""
            QGuiApplication.clipboard().setText(f"{row.key}\t{value}")
