"""What a page is: a part of the window with an id, a life while shown, and its own tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, TypeVar

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QWidget

from app.feed import Feed
from ui.bridge import Bridge
from ui.doors import guarded
from ui.tasks import Tasks

if TYPE_CHECKING:
    from app.workbench import Workbench

T = TypeVar("T")


class Page(QWidget):
    """One page of the window.

    Subclasses set the class attributes, build their widgets in ``__init__`` and may override ``open`` (navigation
    with an argument), ``on_shown``, ``on_hidden``, ``refresh`` (F5) and ``focus_search`` (Ctrl+F).
    """

    go = Signal(str, object)
    """Navigate: page id and its argument."""

    page_id: ClassVar[str] = ""
    title: ClassVar[str] = ""
    icon_name: ClassVar[str] = ""

    def __init__(self, bench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(f"page-{self.page_id}")
        self.setAccessibleName(self.title)
        self.bench = bench
        self.tasks = Tasks(self)
        self._timers: list[QTimer] = []
        self._bridges: list[Bridge[object]] = []
        self._is_shown = False

    @property
    def is_shown(self) -> bool:
        """Say whether the technician sees this page."""
        return self._is_shown

    def open(self, argument: object) -> None:
        """Show what the argument names (a unit id, a job id …). Called after ``go`` led here, before it is shown."""

    def on_shown(self) -> None:
        """Do what is due when the page becomes visible."""

    def on_hidden(self) -> None:
        """Do what is due when the page is left."""

    def refresh(self) -> None:
        """Read everything anew (F5)."""

    def focus_search(self) -> bool:
        """Put the keyboard into the page's search field; say whether there is one."""
        return False

    async def stop(self) -> None:
        """Cancel what the page still does, and wait for it."""
        await self.tasks.stop()

    def every(self, interval_ms: int, method: Callable[[], object]) -> QTimer:
        """Call a bound method regularly while the page is shown, and once when it becomes visible."""
        timer = QTimer(self)
        timer.setInterval(interval_ms)
        timer.timeout.connect(method)
        self._timers.append(timer)
        timer.setProperty("at_once", True)
        if self._is_shown:
            timer.start()
        return timer

    def listen(
        self, feed: Feed[T], deliver: Callable[[list[T]], object], *, interval_ms: int = 100, depth: int = 4096
    ) -> Bridge[T]:
        """Bridge a feed to this page; it delivers while the page is shown."""
        bridge = Bridge(feed, self, deliver, interval_ms=interval_ms, depth=depth)
        self._bridges.append(bridge)  # type: ignore[arg-type]
        if self._is_shown:
            bridge.resume()
        return bridge

    def showEvent(self, event: QShowEvent) -> None:
        """Start timers and bridges."""
        super().showEvent(event)
        if self._is_shown or event.spontaneous():
            return
        self._is_shown = True
        for bridge in self._bridges:
            bridge.resume()
        with guarded(f"page {self.page_id}"):
            self.on_shown()
        for timer in self._timers:
            timer.timeout.emit()
            timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop timers and bridges."""
        super().hideEvent(event)
        if not self._is_shown or event.spontaneous():
            return
        self._is_shown = False
        for timer in self._timers:
            timer.stop()
        for bridge in self._bridges:
            bridge.pause()
        with guarded(f"page {self.page_id}"):
            self.on_hidden()
