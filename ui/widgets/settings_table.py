"""The settings of a charger: search, compare, edit in place, copy, export. One editor for every vendor."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QAbstractItemModel, QLocale, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QDoubleValidator, QGuiApplication, QIntValidator, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.model.setting import Setting, SettingKind
from ui import icons
from ui.models.settings import (
    KEY,
    NAME,
    NOTE,
    SETTING_ROLE,
    STATE_ROLE,
    SWITCH_WORDS,
    TONES,
    UNIT,
    VALUE,
    SettingRow,
    SettingsModel,
    WriteState,
)
from ui.theme import SPACE_4, SPACE_8, SPACE_24, set_look, set_role, theme

Index = QModelIndex | QPersistentModelIndex
ROW_HEIGHT = 34
_WIDTHS = {NAME: 250, VALUE: 290, UNIT: 60, NOTE: 230, KEY: 210}
_ICONS = {
    WriteState.WRITING: "loader-circle",
    WriteState.PROVED: "circle-check",
    WriteState.UNSURE: "triangle-alert",
    WriteState.FAILED: "octagon-x",
}
_INT_LIMIT = 2_147_483_647


class SettingDelegate(QStyledItemDelegate):
    """Paints a setting and gives each kind its editor."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one cell."""
        row = index.data(STATE_ROLE)
        if not isinstance(row, SettingRow):
            return
        look, rect = theme().tokens, option.rect
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, look.color("accent_soft"))
        elif row.is_changed:
            painter.fillRect(rect, look.color("attention_soft"))
        box = rect.adjusted(SPACE_8, 0, -SPACE_24 if index.column() == NOTE and row.can_undo else -SPACE_8, 0)
        is_mono = index.column() in (VALUE, KEY) and row.setting.kind is not SettingKind.SWITCH
        font = theme().mono() if is_mono else option.font
        font.setPixelSize(13)
        font.setBold(index.column() == NAME)
        painter.setFont(font)
        if index.column() == NOTE:
            box = self._mark(painter, box, row)
        painter.setPen(look.color(self._tone(row, index.column())))
        text = painter.fontMetrics().elidedText(str(index.data() or ""), Qt.TextElideMode.ElideRight, box.width())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine, text)
        if index.flags() & Qt.ItemFlag.ItemIsEditable:
            painter.drawPixmap(rect.right() - 20, rect.center().y() - 6, icons.pixmap("pencil", 12, "border_strong"))
        if index.column() == NOTE and row.can_undo:
            painter.drawPixmap(rect.right() - 20, rect.center().y() - 6, icons.pixmap("undo-2", 14, "text2"))
        painter.restore()

    def _mark(self, painter: QPainter, box: QRect, row: SettingRow) -> QRect:
        name = _ICONS.get(row.state, "lock" if row.setting.is_readonly and not row.is_changed else "")
        if not name:
            return box
        painter.drawPixmap(box.left(), box.center().y() - 6, icons.pixmap(name, 14, TONES[row.state]))
        return box.adjusted(20, 0, 0, 0)

    def _tone(self, row: SettingRow, column: int) -> str:
        if column == NOTE:
            return "attention" if row.state is WriteState.NONE and row.is_changed else TONES[row.state]
        if column in (KEY, UNIT) or row.setting.value is None or row.setting.is_readonly:
            return "text2"
        return "text"

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:  # noqa: ARG002
        """Make the editor of the setting's kind."""
        setting = index.data(SETTING_ROLE)
        if setting.kind is SettingKind.SWITCH or (setting.kind is SettingKind.CHOICE and setting.choices):
            return self._choice(parent, setting)
        field = QLineEdit(parent)
        field.setAccessibleName(f"{setting.label or setting.key} {setting.unit}".strip())
        if setting.limit is not None:
            field.setMaxLength(setting.limit)
        if setting.is_secret:
            field.setEchoMode(QLineEdit.EchoMode.Password)
            field.setPlaceholderText(self.tr("New value; empty leaves it as it is"))
        elif setting.kind is SettingKind.INTEGER:
            field.setValidator(QIntValidator(-_INT_LIMIT, _INT_LIMIT, field))
        elif setting.kind is SettingKind.NUMBER:
            validator = QDoubleValidator(field)
            validator.setLocale(QLocale.c())
            field.setValidator(validator)
        return field

    def _choice(self, parent: QWidget, setting: Setting) -> QComboBox:
        combo = QComboBox(parent)
        combo.setAccessibleName(setting.label or setting.key)
        if setting.kind is SettingKind.SWITCH:
            for value, word in SWITCH_WORDS.items():
                combo.addItem(word, value)
        else:
            for choice in setting.choices:
                combo.addItem(choice, choice)
        return combo

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:  # noqa: ARG002
        """Lay the editor over the whole cell."""
        editor.setGeometry(option.rect)

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        """Put the present value into the editor; never a secret."""
        setting = index.data(SETTING_ROLE)
        if isinstance(editor, QComboBox):
            editor.setCurrentIndex(editor.findData(setting.value))
        elif isinstance(editor, QLineEdit):
            editor.setText("" if setting.is_secret else setting.value or "")
            editor.selectAll()

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: Index) -> None:
        """Hand the new value to the model, which checks it."""
        if isinstance(editor, QComboBox) and editor.currentIndex() >= 0:
            model.setData(index, editor.currentData())
        elif isinstance(editor, QLineEdit):
            model.setData(index, editor.text())

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002
        """Leave the width to the view."""
        return QSize(0, ROW_HEIGHT)


class SettingsTable(QWidget):
    """Search field, comparison, filter, table and buttons. Writing and reading is the page's."""

    compared = Signal(int)
    """The n-th state to compare with was chosen (0 = none)."""
    read_asked = Signal()
    export_asked = Signal()
    undo_asked = Signal(str)
    """The last edit of this key is to be undone."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = SettingsModel(self)
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(self.tr("Search settings"))
        self.search.setAccessibleName(self.tr("Search settings"))
        self.search.setClearButtonEnabled(True)
        self.baseline = QComboBox(self)
        self.baseline.setAccessibleName(self.tr("Compare with"))
        self.baseline.setMinimumWidth(220)
        self.changed_only = QCheckBox(self.tr("Changed only"), self)
        self.read_button = QPushButton(self.tr("Read again"), self)
        self.copy_button = QPushButton(self.tr("Copy"), self)
        self.export_button = QPushButton(self.tr("Export…"), self)
        self.undo_button = QPushButton(self.tr("Undo edit…"), self)
        self.undo_button.setToolTip(self.tr("Write the old value of the chosen setting back"))
        # Its room stays: the table must not jump under the mouse when the button comes.
        policy = self.undo_button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.undo_button.setSizePolicy(policy)
        self.undo_button.hide()
        for button, icon_name in (
            (self.read_button, "refresh-cw"),
            (self.copy_button, "copy"),
            (self.export_button, "file-json"),
            (self.undo_button, "undo-2"),
        ):
            icons.dress(button, icon_name)
        self.line = QLabel(self)
        self.line.setTextFormat(Qt.TextFormat.PlainText)
        self.line.setWordWrap(True)
        set_role(self.line, "caption")
        self.view = QTableView(self)
        self._build_view()
        self._lay_out()
        self._connect()
        self.show_baselines(())

    def _build_view(self) -> None:
        view = self.view
        view.setAccessibleName(self.tr("Settings of the charger"))
        view.setModel(self.model)
        view.setItemDelegate(SettingDelegate(view))
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.AnyKeyPressed
        )
        view.setShowGrid(False)
        view.setTabKeyNavigation(False)
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        view.horizontalHeader().setStretchLastSection(True)
        view.horizontalHeader().setHighlightSections(False)
        for column, width in _WIDTHS.items():
            view.setColumnWidth(column, width)
        theme().changed.connect(self._repaint)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(SPACE_8)
        top.addWidget(self.search, 1)
        for part in (self.baseline, self.changed_only, self.read_button, self.copy_button, self.export_button):
            top.addWidget(part)
        below = QHBoxLayout()
        below.addWidget(self.line, 1)
        below.addWidget(self.undo_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addLayout(top)
        layout.addLayout(below)
        layout.addWidget(self.view, 1)

    def _connect(self) -> None:
        self.search.textChanged.connect(self._search)
        self.changed_only.toggled.connect(self._filter)
        self.baseline.activated.connect(self.compared)
        self.read_button.clicked.connect(self.read_asked)
        self.copy_button.clicked.connect(self._copy)
        self.export_button.clicked.connect(self.export_asked)
        self.undo_button.clicked.connect(self._undo)
        self.view.activated.connect(self._edit)
        self.view.clicked.connect(self._clicked)
        self.view.selectionModel().currentChanged.connect(self._offer_undo)
        self.model.refused.connect(self._refused)
        self.model.modelReset.connect(self._summarise)
        self.model.dataChanged.connect(self._summarise)
        self.model.modelReset.connect(self._offer_undo)
        self.model.dataChanged.connect(self._offer_undo)

    def show_baselines(self, titles: Sequence[str]) -> None:
        """Offer states to compare with."""
        chosen = self.baseline.currentText()
        self.baseline.clear()
        self.baseline.addItems([self.tr("Compare with nothing"), *titles])
        self.baseline.setCurrentIndex(max(0, self.baseline.findText(chosen)))

    def say(self, text: str, tone: str = "") -> None:
        """Say something in the line above the table."""
        self.line.setText(text)
        set_look(self.line, tone=tone)

    def _summarise(self) -> None:
        model = self.model
        shown, total, changed = model.rowCount(), model.total, model.changed_count
        parts = [self.tr("{shown} of {total} settings").format(shown=shown, total=total)]
        if self.baseline.currentIndex() > 0:
            parts.append(self.tr("{count} differ").format(count=changed))
        if not model.can_write and total:
            parts.append(self.tr("this charger lets nothing be written over this connection"))
        self.say(" · ".join(parts))

    def _search(self, text: str) -> None:
        self.model.show(text=text)

    def _filter(self, is_on: bool) -> None:
        self.model.show(is_changed_only=is_on)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.model.text())
        self.say(self.tr("Copied; secrets are masked."))

    def _edit(self, index: QModelIndex) -> None:
        value = self.model.index(index.row(), VALUE)
        if self.model.flags(value) & Qt.ItemFlag.ItemIsEditable:
            self.view.setCurrentIndex(value)
            self.view.edit(value)

    def _undoable(self) -> SettingRow | None:
        row = self.view.currentIndex().data(STATE_ROLE)
        return row if isinstance(row, SettingRow) and row.can_undo else None

    def _offer_undo(self) -> None:
        self.undo_button.setVisible(self._undoable() is not None)

    def _clicked(self, index: QModelIndex) -> None:
        if index.column() == NOTE:
            self._undo()

    def _undo(self) -> None:
        row = self._undoable()
        if row is not None:
            self.undo_asked.emit(row.setting.key)

    def _refused(self, problem: str) -> None:
        self.say(self.tr("Not written. {problem}").format(problem=problem), "fault")

    def _repaint(self) -> None:
        self.view.viewport().update()
