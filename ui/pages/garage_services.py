"""Network services: what stands in for a garage's missing DNS, time, addresses and web answers, and who asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QTabWidget, QVBoxLayout, QWidget

from app.errors import AppError
from app.model.garage import Asked, Landing, OldBackendState, Saved, Stand, StandState
from ui.models.garage import ORDER
from ui.models.plain import visible
from ui.pages.garage_services_card import ServiceCard
from ui.pages.garage_services_log import LogPanel
from ui.pages.garage_services_names import NamesPanel
from ui.pages.garage_services_rights import RightsPanel
from ui.pages.garage_services_router import RouterPanel
from ui.pages.garage_services_standin import StandInBar, stand_in
from ui.pages.page import Page
from ui.theme import SPACE_8
from ui.widgets.frameview import plain_label
from ui.widgets.tabhome import pages_of

if TYPE_CHECKING:
    from app.workbench import Workbench

ADAPTERS_MS = 5000
LOOK_MS = 1000
FOUR_FROM, TWO_FROM = 960, 520
"""From these widths on, that many cards stand side by side."""
LEAST_HEIGHT = 260
"""Of the part below the cards: a filter on one line, a few questions and what can be done about one."""
LOG, NAMES, ROUTER, RIGHTS = range(4)


class Cards(QWidget):
    """The services' cards, as many side by side as fit."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._cards: list[QWidget] = []
        self._columns = 0
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(SPACE_8)

    def add(self, card: QWidget) -> None:
        """Add a card behind the others."""
        self._cards.append(card)
        card.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Measure again when a card says more or less."""
        if event.type() == QEvent.Type.LayoutRequest:
            self._measure()
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place the cards anew at another width."""
        super().resizeEvent(event)
        width = event.size().width()
        columns = 4 if width >= FOUR_FROM else 2 if width >= TWO_FROM else 1
        if columns != self._columns:
            self._columns = columns
            for column in range(4):
                self._grid.setColumnStretch(column, 1 if column < columns else 0)
            for index, card in enumerate(self._cards):
                self._grid.addWidget(card, index // columns, index % columns)
        self._measure()

    def minimumSizeHint(self) -> QSize:
        """Ask for the width of one card: the others go below it."""
        least = max((card.minimumSizeHint().width() for card in self._cards), default=0)
        return QSize(least, self.minimumHeight())

    def _measure(self) -> None:
        height = self._grid.totalHeightForWidth(self.width())
        if height > 0 and height != self.height():
            self.setFixedHeight(height)


class Parts(QTabWidget):
    """Takes the height there is: what its pages wish for would make the whole page higher than the window."""

    def hasHeightForWidth(self) -> bool:
        """Leave the height to the layout."""
        return False


class ServicesPanel(Page):
    """The services, what they answer, and their log."""

    page_id: ClassVar[str] = "garage-services"
    title: ClassVar[str] = "Network services"

    def __init__(self, bench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(bench, parent)
        self.intro = plain_label(self, "caption", is_wrapped=True)
        self.intro.setText(
            self.tr(
                "What a charger needs and this garage lacks: this computer stands in for it. Each service is off until "
                "you start it, works on one adapter, and ends with the program."
            )
        )
        box = Cards(self)
        self.cards = {stand: ServiceCard(bench, self.tasks, stand, box) for stand in ORDER}
        for card in self.cards.values():
            box.add(card)
        self.standing = StandInBar(bench, self.tasks, self)
        self.tabs = Parts(self)
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.tabs.setMinimumHeight(LEAST_HEIGHT)
        home = pages_of(self.tabs)
        self.log = LogPanel(bench, self.tasks, home)
        self.names = NamesPanel(bench, home)
        self.router = RouterPanel(bench, self.tasks, home)
        self.rights = RightsPanel(bench, self.tasks, home)
        for panel, words in (
            (self.log, self.tr("Who asks")),
            (self.names, self.tr("Names")),
            (self.router, self.tr("On the site's router")),
            (self.rights, self.tr("Rights")),
        ):
            self.tabs.addTab(panel, words)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addWidget(self.intro)
        layout.addWidget(box)
        layout.addWidget(self.standing)
        layout.addWidget(self.tabs, 1)
        self._connect()

    def _connect(self) -> None:
        for card in self.cards.values():
            card.rights_wanted.connect(self._show_rights)
            card.router_wanted.connect(self._show_router)
            card.host_chosen.connect(self._host_chosen)
        self.tabs.currentChanged.connect(self._turned)
        self.names.chosen.connect(self._names_chosen)
        self.router.names_wanted.connect(self._show_names)
        self.log.empty.acted.connect(self._empty_acted)
        self.log.bar.stand_in_wanted.connect(self._stand_in)
        self.log.bar.unit_wanted.connect(self._show_unit)
        self.log.bar.find_wanted.connect(self._find)
        self.listen(self.bench.garage.changes, self._states)
        self.listen(self.bench.garage.asked, self._asked)
        self.standing.charger_wanted.connect(self._show_charger)
        self.listen(self.bench.old_backend.names.changes, self._old_backends)
        self.listen(self.bench.old_backend.names.landed, self._landed)
        self.listen(self.bench.old_backend.saver.saved, self._saved)
        self.every(LOOK_MS, self._look)
        self.every(ADAPTERS_MS, self._refresh_adapters)

    # Page life

    def on_shown(self) -> None:
        """Show how things are now."""
        self.refresh()

    def open(self, argument: object) -> None:
        """Show one part: ``log``, ``names``, ``router`` or ``rights``."""
        parts = {"log": LOG, "names": NAMES, "router": ROUTER, "rights": RIGHTS}
        if isinstance(argument, str) and argument in parts:
            self.tabs.setCurrentIndex(parts[argument])

    def refresh(self) -> None:
        """Read adapters, states, names and questions again."""
        self._refresh_adapters()
        self._states(list(self.bench.garage.states.values()))
        self.standing.show_state(self.bench.old_backend.names.state)
        self.names.refresh()
        self._refresh_log()
        self._turned()

    def focus_search(self) -> bool:
        """Put the keyboard into the filter of the questions."""
        self.tabs.setCurrentIndex(LOG)
        self.log.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        return True

    def _refresh_adapters(self) -> None:
        for card in self.cards.values():
            card.refresh_adapters()

    def _states(self, states: list[StandState]) -> None:
        for state in {state.stand: state for state in states}.values():
            self.cards[state.stand].show_state(state)
        is_on = any(state.is_on for state in self.bench.garage.states.values())
        self.log.show_empty(is_on=is_on, host=self.host)

    def _asked(self, _: list[Asked]) -> None:
        self._refresh_log()

    def _refresh_log(self) -> None:
        self.log.refresh()
        count = self.log.count
        self.tabs.setTabText(LOG, f"{self.tr('Who asks')} ({count})" if count else self.tr("Who asks"))

    def _look(self) -> None:
        """See what was chosen elsewhere."""
        self.names.refresh()
        if self.tabs.currentIndex() == ROUTER:
            self.router.show_for(self.host)

    @property
    def host(self) -> str:
        """Return the address the names lead to."""
        return self.cards[Stand.DNS].host or self.bench.adapter_address

    # Parts

    def _turned(self) -> None:
        if self.tabs.currentIndex() == ROUTER:
            self.router.show_for(self.host)
        elif self.tabs.currentIndex() == RIGHTS and not self.rights.sections:
            self.rights.look()

    def _host_chosen(self, host: str) -> None:
        """Chargers reach us over one adapter: the others follow, but not the cable's."""
        if self.sender() is not self.cards[Stand.DHCP]:
            for stand, card in self.cards.items():
                if stand is not Stand.DHCP:
                    card.choose_host(host)
        self._turned()

    def _names_chosen(self) -> None:
        self.log.show_again()

    def _show_rights(self, stand: Stand) -> None:
        self.tabs.setCurrentIndex(RIGHTS)
        self.rights.show_service(stand)

    def _show_router(self) -> None:
        self.tabs.setCurrentIndex(ROUTER)

    def _show_names(self) -> None:
        self.tabs.setCurrentIndex(NAMES)

    def _empty_acted(self) -> None:
        if any(state.is_on for state in self.bench.garage.states.values()):
            self._show_router()
        else:
            self.cards[Stand.DNS].start()

    def _show_unit(self, unit_id: str) -> None:
        self.go.emit("unit", unit_id)

    # About one question

    def _find(self, client: str) -> None:
        self.tasks.start_once("find", self._found(client), busy=self.log.bar.find_button)

    async def _found(self, client: str) -> None:
        self.log.bar.say(self.tr("Asking {client} what it is …").format(client=visible(client, 60)))
        try:
            unit = await self.bench.finder.add(client)
        except AppError as error:
            self.log.bar.say(visible(f"{error.message} {error.advice}"))
            return
        self.go.emit("unit", unit.unit_id)

    def _stand_in(self, name: str) -> None:
        self.tasks.start_once("stand in", self._standing_in(name), busy=self.log.bar.stand_in)

    async def _standing_in(self, name: str) -> None:
        try:
            is_wanted = await stand_in(self.bench, self, name, self.host, self._start)
        except AppError as error:
            self.log.say(visible(f"{error.message} {error.advice}"), "fault")
            return
        self.names.refresh()
        self.log.show_again()
        if is_wanted:
            words = self.tr("{name} now leads here. A charger asks again by itself, at the latest after its restart.")
            self.log.say(words.format(name=visible(name, 80)), "good")

    def _start(self, stand: Stand) -> None:
        self.cards[stand].start()

    # Who lands by an old name

    def _old_backends(self, states: list[OldBackendState]) -> None:
        self.standing.show_state(states[-1])
        self.names.refresh()

    def _landed(self, landings: list[Landing]) -> None:
        self.standing.show_landing(landings[-1])

    def _saved(self, saved: list[Saved]) -> None:
        self.standing.show_saved(saved[-1])

    def _show_charger(self, identity: str) -> None:
        self.go.emit("endpoint", identity)
