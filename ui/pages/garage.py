"""Garage: what a garage lacks for its chargers. Old JuiceBoxes, network services, the bridge: one tab each."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from ui.doors import guarded
from ui.pages.page import Page
from ui.theme import SPACE_8, SPACE_12, set_role
from ui.widgets.frameview import plain_label
from ui.widgets.tabhome import pages_of

if TYPE_CHECKING:
    from app.workbench import Workbench


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One tab: its key (first part of ``open``'s argument), English title, and ``module:Class`` of its panel.

    The panel is a ``Page`` of its own, made as ``Class(bench, parent)`` when its tab is first looked at: its timers
    and feeds run while the tab is shown, and its ``go`` navigates.
    """

    key: str
    title: str
    target: str

    def load(self) -> type[Page]:
        """Import the panel's class."""
        module, _, name = self.target.partition(":")
        found: type[Page] = getattr(importlib.import_module(module), name)
        return found


TABS = (
    Tab(key="juice", title="JuiceBoxes", target="ui.pages.garage_juice:JuicePanel"),
    Tab(key="services", title="Network services", target="ui.pages.garage_services:ServicesPanel"),
    Tab(key="bridge", title="Bridge", target="ui.pages.garage_bridge:BridgePanel"),
)


class GaragePage(Page):
    """Holds the tabs; each is built when it is first looked at."""

    page_id: ClassVar[str] = "garage"
    title: ClassVar[str] = "Garage"
    icon_name: ClassVar[str] = "warehouse"

    def __init__(self, bench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(bench, parent)
        self.panels: dict[str, Page] = {}
        self.tabs = QTabWidget(self)
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        home = pages_of(self.tabs)
        for tab in TABS:
            holder = QWidget(home)
            QVBoxLayout(holder).setContentsMargins(0, 0, 0, 0)
            self.tabs.addTab(holder, self.tr(tab.title))
        heading = plain_label(self, "title")
        heading.setText(self.tr("Garage"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_12)
        layout.setSpacing(SPACE_8)
        layout.addWidget(heading)
        layout.addWidget(self.tabs, 1)
        set_role(self, "page")
        self.tabs.currentChanged.connect(self._turned)

    @property
    def panel(self) -> Page | None:
        """Return the panel that is shown, built if it was not; ``None`` where building failed."""
        tab = TABS[self.tabs.currentIndex()]
        if tab.key not in self.panels:
            with guarded(f"tab {tab.key}"):
                self.panels[tab.key] = self._built(tab)
        return self.panels.get(tab.key)

    def _built(self, tab: Tab) -> Page:
        holder = self.tabs.currentWidget()
        panel = tab.load()(self.bench, holder)
        panel.go.connect(self.go)
        layout = holder.layout()
        assert layout is not None  # made with the holder
        layout.addWidget(panel)
        panel.show()  # in a page that is shown already, the layout would do it in the next turn only
        return panel

    def _turned(self) -> None:
        if self.is_shown:
            _ = self.panel

    # Page life

    def open(self, argument: object) -> None:
        """Show a tab: its key, or (key, what the panel shall show)."""
        key, inner = argument if isinstance(argument, tuple) and len(argument) == 2 else (argument, None)
        index = next((i for i, tab in enumerate(TABS) if tab.key == key), None)
        if index is None:
            return
        self.tabs.setCurrentIndex(index)
        if inner is not None and (panel := self.panel) is not None:
            panel.open(inner)

    def on_shown(self) -> None:
        """Build what is looked at."""
        _ = self.panel

    def refresh(self) -> None:
        """Let the shown tab read everything anew."""
        if (panel := self.panel) is not None:
            panel.refresh()

    def focus_search(self) -> bool:
        """Put the keyboard into the shown tab's search field."""
        panel = self.panel
        return panel is not None and panel.focus_search()

    async def stop(self) -> None:
        """Cancel what the tabs still do, and wait for it."""
        for panel in self.panels.values():
            await panel.stop()
        await super().stop()
