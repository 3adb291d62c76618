"""The main window: rail, top bar, messages and pages. Built before anything else of Rehome is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QKeySequence, QMouseEvent, QPaintEvent, QShortcut
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui.i18n import translate
from ui.pages.catalogue import RAIL, entry
from ui.theme import set_role
from ui.widgets.banner import Banners
from ui.widgets.empty import Empty
from ui.widgets.rail import Rail
from ui.widgets.skeleton import Skeleton
from ui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from ui.pages.page import Page

HISTORY = 50
"""Steps ``back`` can go."""


class MainWindow(QMainWindow):
    """The shell. Pages come from the factory given to ``open_pages``; until then a skeleton stands in.

    The close button only asks: ``close_requested`` is emitted and the window stays.
    """

    painted = Signal()
    """The first paint is done."""
    close_requested = Signal()
    help_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle("Rehome")
        self.setMinimumSize(640, 360)
        self.resize(QSize(1280, 800).boundedTo(self.screen().availableSize()))
        self.rail = Rail(RAIL, self)
        self.top_bar = TopBar(self)
        self.banners = Banners(self)
        self.ribbon = QLabel(self)
        self.stack = QStackedWidget(self)
        self.skeleton = Skeleton(translate(RAIL[0].title), self)
        self.stack.addWidget(self.skeleton)
        self._pages: dict[str, Page] = {}
        self._holders: dict[str, QScrollArea] = {}
        self._factory: Callable[[str], Page | None] | None = None
        self._history: list[tuple[str, object]] = []
        self._place: tuple[str, object] = (RAIL[0].page_id, None)
        self._alone: QWidget | None = None
        self._broken: Empty | None = None
        self._is_painted = False
        self._lay_out()
        self._add_shortcuts()
        self.rail.chosen.connect(self.go)
        self.rail.show_page(RAIL[0].page_id)

    def _lay_out(self) -> None:
        set_role(self.ribbon, "ribbon")
        self.ribbon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.ribbon.hide()
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addWidget(self.banners)
        right.addWidget(self.stack, 1)
        below = QHBoxLayout()
        below.setSpacing(0)
        below.addWidget(self.rail)
        below.addLayout(right, 1)
        middle = QFrame(self)
        set_role(middle, "page")
        layout = QVBoxLayout(middle)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.ribbon)
        layout.addWidget(self.top_bar)
        layout.addLayout(below, 1)
        self.setCentralWidget(middle)
        middle.setFocus()

    def _add_shortcuts(self) -> None:
        for number, item in enumerate(RAIL, start=1):
            shortcut = self._shortcut(f"Ctrl+{number}", self._to_page)
            shortcut.setProperty("page_id", item.page_id)
        for keys, method in (
            ("Alt+Left", self.back),
            ("Ctrl+F", self.focus_search),
            ("Ctrl+K", self.focus_search),
            ("F5", self.refresh),
            ("F6", self.next_pane),
            ("Shift+F6", self.previous_pane),
            ("F1", self.help_requested.emit),
            ("Ctrl+Q", self.close_requested.emit),
        ):
            self._shortcut(keys, method)

    def _shortcut(self, keys: str, method: Callable[[], object]) -> QShortcut:
        shortcut = QShortcut(QKeySequence(keys), self)
        shortcut.activated.connect(method)
        return shortcut

    # Pages

    @property
    def page_id(self) -> str:
        """Return the id of the page shown."""
        return self._place[0]

    @property
    def page(self) -> Page | None:
        """Return the page shown, unless a skeleton stands in."""
        return self._pages.get(self.page_id)

    def open_pages(self, factory: Callable[[str], Page | None]) -> None:
        """Show pages from now on; ``factory`` builds one by id, or gives ``None`` after telling why it can't."""
        self._factory = factory
        self.go(*self._place, is_step=False)

    def go(self, page_id: str, argument: object = None, *, is_step: bool = True) -> None:
        """Show a page, and what the argument names on it. Unknown ids are a bug of the caller."""
        found = entry(page_id)
        if is_step and (page_id, argument) != self._place:
            self._history.append(self._place)
            del self._history[:-HISTORY]
        self._place = (page_id, argument)
        self.rail.show_page(found.belongs_to or page_id)
        page = self._page(page_id)
        if page is None:
            self._stand_in(translate(found.title))
            return
        if argument is not None:
            page.open(argument)
        self.stack.setCurrentWidget(self._holders[page_id])

    def _stand_in(self, title: str) -> None:
        if self._factory is None:
            self.skeleton.show_title(title)
            self.stack.setCurrentWidget(self.skeleton)
            return
        if self._broken is None:
            self._broken = Empty("", "", parent=self)
            self.stack.addWidget(self._broken)
        self._broken.show_texts(title, translate("This page can't be shown; the message says why."), "bug")
        self.stack.setCurrentWidget(self._broken)

    def _page(self, page_id: str) -> Page | None:
        if page_id not in self._pages and self._factory is not None:
            page = self._factory(page_id)
            if page is None:
                return None
            page.go.connect(self.go)
            self._pages[page_id] = page
            self._holders[page_id] = self._held(page)
        return self._pages.get(page_id)

    def show_alone(self, widget: QWidget | None) -> None:
        """Show something instead of any page (the data can't be opened); ``None`` removes and deletes it."""
        if self._alone is not None:
            self.stack.removeWidget(self._alone)
            self._alone.deleteLater()
        self._alone = widget
        self.rail.setEnabled(widget is None)
        self.top_bar.setEnabled(widget is None)
        if widget is None:
            self.stack.setCurrentWidget(self.skeleton)
        else:
            self.stack.addWidget(widget)
            self.stack.setCurrentWidget(widget)
            self._focus_in(widget)

    def _held(self, page: Page) -> QScrollArea:
        """Put a page where it scrolls as a whole in a window smaller than it can become."""
        holder = QScrollArea(self)
        holder.setWidgetResizable(True)
        holder.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        holder.setWidget(page)
        self.stack.addWidget(holder)
        return holder

    def back(self) -> None:
        """Show the page before this one."""
        if self._history:
            self.go(*self._history.pop(), is_step=False)

    def refresh(self) -> None:
        """Let the page read everything anew."""
        if self.page is not None:
            self.page.refresh()

    def focus_search(self) -> None:
        """Put the keyboard into the page's search field."""
        if self.page is not None:
            self.page.focus_search()

    def _to_page(self) -> None:
        self.go(str(self.sender().property("page_id")))
        shown, focus = self.stack.currentWidget() or self.skeleton, QApplication.focusWidget()
        if focus is None or not shown.isAncestorOf(focus):
            self._focus_in(shown)

    # Panes

    def next_pane(self) -> None:
        """Move the keyboard to the next pane: rail, top bar, messages, page."""
        self._turn(1)

    def previous_pane(self) -> None:
        """Move the keyboard to the pane before."""
        self._turn(-1)

    def _turn(self, step: int) -> None:
        shown = self.stack.currentWidget() or self.skeleton
        panes = [pane for pane in (self.rail, self.top_bar, self.banners, shown) if pane.isVisible()]
        focus = QApplication.focusWidget()
        here = next((i for i, pane in enumerate(panes) if focus is not None and pane.isAncestorOf(focus)), -step)
        for offset in range(1, len(panes) + 1):
            if self._focus_in(panes[(here + step * offset) % len(panes)]):
                return

    def _focus_in(self, pane: QWidget) -> bool:
        if pane is self.rail:
            self.rail.focus_current()
            return True
        candidate: QWidget | None = pane
        while candidate is not None:
            takes = bool(candidate.focusPolicy() & Qt.FocusPolicy.TabFocus)
            if takes and candidate.isVisible() and candidate.isEnabled() and pane.isAncestorOf(candidate):
                candidate.setFocus(Qt.FocusReason.TabFocusReason)
                return True
            candidate = candidate.nextInFocusChain()
            if candidate is pane:
                return False
        return False

    # The window itself

    def show_ribbon(self, text: str) -> None:
        """Say something about everything shown (demo); an empty text hides it."""
        self.ribbon.setText(text)
        self.ribbon.setVisible(bool(text))

    def show_site(self, name: str) -> None:
        """Show the site's name in the top bar and the title."""
        self.top_bar.show_site(name)
        self.setWindowTitle(f"{name} — Rehome" if name else "Rehome")

    def place(self) -> str:
        """Return the window's position and size as text, for the settings."""
        return bytes(self.saveGeometry().toBase64().data()).decode("ascii")

    def restore_place(self, text: str) -> None:
        """Put the window where it was; anything that isn't a place is ignored."""
        if text:
            self.restoreGeometry(QByteArray.fromBase64(text.encode("ascii", "ignore")))

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask to be closed; the program decides."""
        event.ignore()
        self.close_requested.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Let Enter press the button that has the keyboard; many platforms know only Space."""
        focus = QApplication.focusWidget()
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.isAutoRepeat()
        if is_enter and isinstance(focus, QPushButton | QToolButton):
            focus.click()
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go back with the mouse's back button."""
        if event.button() is Qt.MouseButton.BackButton:
            self.back()
        else:
            super().mousePressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Tell when the first paint is done."""
        super().paintEvent(event)
        if not self._is_painted:
            self._is_painted = True
            QTimer.singleShot(0, self, self.painted.emit)
