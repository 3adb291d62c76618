"""The services of one charger: a list of them on the left, the chosen one beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QStackedWidget, QWidget

from app.ocpp.services.collected import Told
from ui import icons
from ui.models.listing import Listing
from ui.models.services import TOLD_FIELDS, told_key
from ui.pages.endpoint_bookings import MessagesPage, ReservationsPage
from ui.pages.endpoint_files import FilesPage
from ui.pages.endpoint_limits import LimitsPage
from ui.pages.endpoint_lists import LocalListPage
from ui.pages.endpoint_rescue import RescuePage
from ui.pages.endpoint_service import ServicePage
from ui.pages.endpoint_sessions import SessionsPage
from ui.pages.endpoint_trust import CertificatesPage
from ui.pages.endpoint_watching import MonitorsPage, TariffsPage
from ui.tasks import Tasks
from ui.theme import SPACE_8, TARGET, theme
from ui.widgets.listview import ListView

if TYPE_CHECKING:
    from app.workbench import Workbench

MOST_TOLD = 500
LIST_WIDTH = 196


class ToldPage(ServicePage):
    """What the charger told of itself: security events, alarms, limits of others, the steps of transfers."""

    title: ClassVar[str] = "Events"
    icon_name: ClassVar[str] = "bell"

    def build(self) -> None:
        """Fill the page."""
        self.model: Listing[tuple[int, Told]] = Listing(TOLD_FIELDS, told_key, self)
        self.table = ListView(self.model, self.tr("What the charger told of itself"), self)
        self.none = self.note(self.tr("This charger told nothing of itself yet."))
        self.body.addWidget(self.none)
        self.body.addWidget(self.table, 1)

    def show_state(self) -> None:
        """Show what was told, the newest first."""
        told = self.bench.services.collected.of(self.identity)
        rows = [(len(told) - index, item) for index, item in enumerate(reversed(told))]
        self.model.show(rows[:MOST_TOLD])
        self.none.setVisible(not rows)


SERVICES: tuple[type[ServicePage], ...] = (
    SessionsPage,
    RescuePage,
    LocalListPage,
    FilesPage,
    CertificatesPage,
    LimitsPage,
    ReservationsPage,
    MessagesPage,
    MonitorsPage,
    TariffsPage,
    ToldPage,
)


class ServicesPanel(QWidget):
    """Everything a charger may need from its backend, one page for each."""

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Services"))
        self.pages = [service(bench, tasks, self) for service in SERVICES]
        self.list = QListWidget(self)
        self.list.setAccessibleName(self.tr("Services of this charger"))
        self.list.setFixedWidth(LIST_WIDTH)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.stack = QStackedWidget(self)
        for page in self.pages:
            item = QListWidgetItem(page.accessibleName())
            item.setSizeHint(QSize(LIST_WIDTH - SPACE_8, TARGET))
            self.list.addItem(item)
            self.stack.addWidget(page)
        self._dress()
        theme().changed.connect(self._dress)
        self.list.currentRowChanged.connect(self._chosen)
        self.list.setCurrentRow(0)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.list)
        layout.addWidget(self.stack, 1)

    def show_charger(self, identity: str) -> None:
        """Serve this charger from now on."""
        for page in self.pages:
            page.show_charger(identity)

    def refresh(self) -> None:
        """Show which services this charger's version knows, and how the one in sight stands."""
        page = self.pages[self.stack.currentIndex()]
        page.refresh()
        endpoint = page.endpoint
        if endpoint is None:
            return
        for row, each in enumerate(self.pages):
            self.list.setRowHidden(row, endpoint.version not in each.only_versions)
        if endpoint.version not in page.only_versions:
            self.list.setCurrentRow(0)

    def _dress(self) -> None:
        for row, page in enumerate(self.pages):
            self.list.item(row).setIcon(icons.icon(page.icon_name, "text2"))

    def _chosen(self, row: int) -> None:
        self.stack.setCurrentIndex(max(0, row))
        self.refresh()
