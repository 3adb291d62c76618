"""Commands to choose from: grouped by purpose, searched by any word, favourites first."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.model.exchange import Favourite
from app.ocpp import actions
from app.ocpp.actions import Action
from ui import icons
from ui.models.console import is_unlisted
from ui.models.plain import tooltip, visible
from ui.theme import SPACE_4, SPACE_8, tokens

CHOICE = Qt.ItemDataRole.UserRole
SUBTITLE = Qt.ItemDataRole.UserRole + 1
BADGE = Qt.ItemDataRole.UserRole + 2
ROW_HEIGHT = 38
HEAD_HEIGHT = 26
Index = QModelIndex | QPersistentModelIndex


class ActionTree(QWidget):
    """``picked`` carries the Action or Favourite under the cursor; ``wanted`` follows Enter."""

    picked = Signal(object)
    wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._version = "1.6"
        self._promises: frozenset[str] | None = None
        self._favourites: tuple[Favourite, ...] = ()
        self._chosen: Action | Favourite | None = None
        self.search = _Search(self)
        self.search.setPlaceholderText(self.tr("Find a command"))
        self.search.setAccessibleName(self.tr("Find a command"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._fill)
        self.tree = QTreeWidget(self)
        self.tree.setHeaderHidden(True)
        self.tree.setRootIsDecorated(False)
        self.tree.setIndentation(0)
        self.tree.setAccessibleName(self.tr("Commands"))
        self.tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.tree.setItemDelegate(_Rows(self.tree))
        self.tree.currentItemChanged.connect(self._changed)
        self.tree.itemActivated.connect(self._activated)
        self.search.tree = self.tree
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, SPACE_4, 0)
        layout.setSpacing(SPACE_4)
        layout.addWidget(self.search)
        layout.addWidget(self.tree, 1)
        self._fill()

    @property
    def chosen(self) -> Action | Favourite | None:
        """Return what the cursor is on."""
        return self._chosen

    def show_version(self, version: str) -> None:
        """Offer the commands of another version; the same action stays chosen where there is one."""
        if version == self._version:
            return
        name = self._chosen.name if isinstance(self._chosen, Action) else ""
        self._version = version
        self._chosen = actions.action(version, name)
        self._fill()

    def show_promises(self, promises: frozenset[str] | None) -> None:
        """Mark what a charger doesn't list; ``None`` marks nothing."""
        if promises != self._promises:
            self._promises = promises
            self._fill()

    def show_favourites(self, favourites: Sequence[Favourite]) -> None:
        """Show these favourites above the rest."""
        self._favourites = tuple(favourites)
        self._fill()

    def choose(self, name: str) -> None:
        """Choose an action by its name."""
        self.search.clear()
        for item in self._items():
            choice = item.data(0, CHOICE)
            if isinstance(choice, Action) and choice.name == name:
                self.tree.setCurrentItem(item)

    def _items(self) -> list[QTreeWidgetItem]:
        items = (self.tree.topLevelItem(row) for row in range(self.tree.topLevelItemCount()))
        return [item for item in items if item is not None]

    def _fill(self) -> None:
        wanted = self.search.text()
        kept = self._chosen
        self.tree.blockSignals(True)
        self.tree.clear()
        favourites = [one for one in self._favourites if one.version == self._version and self._fits(one, wanted)]
        if favourites:
            self._add_head(self.tr("Favourites"))
            for favourite in favourites:
                self._add(favourite, visible(favourite.title, 60), favourite.action, "")
        found = actions.search(self._version, wanted)
        for group in actions.groups():
            inside = [action for action in found if action.group == group.id]
            if inside:
                self._add_head(group.title)
            for action in inside:
                badge = self.tr("not listed") if is_unlisted(action, self._promises) else ""
                self._add(action, action.title, action.name, badge)
        if not found and not favourites:
            self._add_head(self.tr("No command fits. Any other goes as JSON."))
        self.tree.blockSignals(False)
        self._restore(kept, is_searching=bool(wanted))

    def _fits(self, favourite: Favourite, wanted: str) -> bool:
        hay = f"{favourite.title} {favourite.action}".casefold()
        return all(word in hay for word in wanted.casefold().split())

    def _add_head(self, title: str) -> None:
        item = QTreeWidgetItem([title])
        item.setFlags(Qt.ItemFlag.ItemIsEnabled)
        item.setData(0, Qt.ItemDataRole.ToolTipRole, tooltip(title))
        self.tree.addTopLevelItem(item)

    def _add(self, choice: Action | Favourite, title: str, name: str, badge: str) -> None:
        item = QTreeWidgetItem([title])
        item.setData(0, CHOICE, choice)
        item.setData(0, SUBTITLE, name)
        item.setData(0, BADGE, badge)
        item.setData(0, Qt.ItemDataRole.AccessibleTextRole, f"{title}, {name}{', ' + badge if badge else ''}")
        help_text = choice.help if isinstance(choice, Action) else choice.request[:400]
        item.setData(0, Qt.ItemDataRole.ToolTipRole, tooltip(f"{title} ({name})\n{help_text}"))
        self.tree.addTopLevelItem(item)

    def _restore(self, kept: Action | Favourite | None, *, is_searching: bool) -> None:
        items = [item for item in self._items() if item.data(0, CHOICE) is not None]
        same = next((item for item in items if item.data(0, CHOICE) == kept), None)
        if same is not None:
            self.tree.setCurrentItem(same)
        elif items and not is_searching:
            self.tree.setCurrentItem(items[0])
        self._changed(self.tree.currentItem())

    def _changed(self, item: QTreeWidgetItem | None, _before: object = None) -> None:
        choice = item.data(0, CHOICE) if item is not None else None
        if choice is not None and choice != self._chosen:
            self._chosen = choice
            self.picked.emit(choice)
        elif choice is not None:
            self._chosen = choice

    def _activated(self, item: QTreeWidgetItem, _column: int) -> None:
        if item.data(0, CHOICE) is not None:
            self.wanted.emit()


class _Search(QLineEdit):
    """A search whose arrow keys move the cursor of the list below."""

    tree: QTreeWidget

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Hand up, down and Enter to the list."""
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            self.tree.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self.tree.keyPressEvent(event)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            self._take_first()
        else:
            super().keyPressEvent(event)

    def _take_first(self) -> None:
        for row in range(self.tree.topLevelItemCount()):
            item = self.tree.topLevelItem(row)
            if item is not None and item.data(0, CHOICE) is not None:
                self.tree.setCurrentItem(item)
                self.tree.itemActivated.emit(item, 0)
                return


class _Rows(QStyledItemDelegate):
    """Draws a purpose as a small heading, a command as its title with its name below."""

    def sizeHint(self, _option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the height of the row's kind."""
        return QSize(120, ROW_HEIGHT if index.data(CHOICE) is not None else HEAD_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one row."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if index.data(CHOICE) is None:
            self._head(painter, option.rect, str(index.data()))
        else:
            self._command(painter, option, index)
        painter.restore()

    def _head(self, painter: QPainter, rect: QRect, text: str) -> None:
        self._text(painter, rect.adjusted(SPACE_8, 6, 0, 0), text, "text2", 11, QFont.Weight.DemiBold)

    def _command(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        look, box = tokens(), option.rect.adjusted(2, 1, -2, -1)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.color("accent_soft"))
            painter.drawRoundedRect(box, 4, 4)
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.color("hover"))
            painter.drawRoundedRect(box, 4, 4)
        badge = str(index.data(BADGE) or "")
        is_favourite = isinstance(index.data(CHOICE), Favourite)
        left = box.left() + SPACE_8
        if is_favourite:
            painter.drawPixmap(left, box.top() + 5, icons.pixmap("pin", 12, "accent"))
        shift = 18 if is_favourite else 0
        top = QRect(left + shift, box.top() + 2, box.width() - 2 * SPACE_8 - shift, 18)
        self._text(painter, top, str(index.data()), "text2" if badge else "text", 13, QFont.Weight.Medium)
        below = QRect(left, box.top() + 19, box.width() - 2 * SPACE_8, 15)
        if badge:
            self._text(painter, below, badge, "attention", 11, QFont.Weight.DemiBold, is_right=True)
        self._text(painter, below.adjusted(0, 0, -64 if badge else 0, 0), str(index.data(SUBTITLE)), "text2", 11)

    def _text(
        self,
        painter: QPainter,
        rect: QRect,
        text: str,
        tone: str,
        size: int,
        weight: QFont.Weight = QFont.Weight.Normal,
        *,
        is_right: bool = False,
    ) -> None:
        font = QFont(painter.font())
        font.setPixelSize(size)
        font.setWeight(weight)
        painter.setFont(font)
        painter.setPen(tokens().color(tone))
        side = Qt.AlignmentFlag.AlignRight if is_right else Qt.AlignmentFlag.AlignLeft
        cut = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
        painter.drawText(rect, side | Qt.AlignmentFlag.AlignVCenter, cut)
