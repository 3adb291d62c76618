"""JuiceBoxes: who sends to us, how each stands, and the way back for each of them."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from app.driver.capability import Identifies, ReadsSettings
from app.errors import AppError
from app.juicenet.readings import readings_of
from app.juicenet.rescue import REFUSED, ConsoleSeen, console_seen
from app.model.juicebox import BoxReport, BoxState, PeerState
from ui.models.juice import CONSOLES, NOTHING_SAID, UNLISTED, Case, Said, cases_of
from ui.pages.garage_juice_box import DETAILS, LIMIT, BoxPanel
from ui.pages.garage_juice_honest import HonestList
from ui.pages.garage_juice_list import BoxList
from ui.pages.garage_juice_peer import WHAT, PeerBar, wall_text
from ui.pages.page import Page
from ui.theme import SPACE_8, SPACE_12, set_role
from ui.widgets.empty import Empty

if TYPE_CHECKING:
    from app.model.unit import Unit
    from app.workbench import Workbench

REFRESH_MS = 1000
NEWS_MS = 400
CONSOLE_PORT = 2000
CURVES, POINTS = 40, 400
"""Boxes whose newest reports are kept for their curves, and how many of each: an hour of charging."""
SAID = 500


class JuicePanel(Page):
    """The tab “JuiceBoxes” of the Garage page."""

    page_id: ClassVar[str] = "garage-juice"
    title: ClassVar[str] = "JuiceBoxes"

    def __init__(self, bench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(bench, parent)
        self._said: OrderedDict[str, Said] = OrderedDict()
        self._curves: OrderedDict[str, deque[BoxReport]] = OrderedDict()
        self._address = ""
        self._stands_in = False
        self.peer = PeerBar(bench, self.tasks, self)
        self._pages = QStackedWidget(self)
        self.empty = Empty("", "", "warehouse", "", self._pages)
        self.splitter = QSplitter(Qt.Orientation.Horizontal, self._pages)
        self.list = BoxList(self.splitter)
        self._right = QStackedWidget(self.splitter)
        self.box = BoxPanel(bench, self.tasks, self._right)
        self.honest = HonestList(bench.registry.profiles, self._right)
        self.honest_button = QPushButton(self.tr("What can't be brought back"), self.list)
        self._build()
        self._connect()
        self.listen(bench.juice.states, self._heard, interval_ms=NEWS_MS)
        self.listen(bench.juice.reports, self._reported, interval_ms=NEWS_MS)
        self.listen(bench.juice.changes, self._switched)
        self.every(REFRESH_MS, self.refresh)

    def _build(self) -> None:
        set_role(self.honest_button, "link")
        left = self.list.layout()
        assert isinstance(left, QVBoxLayout)  # made with the list
        foot = QHBoxLayout()
        foot.addWidget(self.honest_button)
        foot.addStretch(1)
        left.addLayout(foot)
        self._right.addWidget(self.box)
        self._right.addWidget(self.honest)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.list)
        self.splitter.addWidget(self._right)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([360, 780])
        self._pages.addWidget(self.empty)
        self._pages.addWidget(self.splitter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_12, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addWidget(self.peer)
        layout.addWidget(self._pages, 1)

    def _connect(self) -> None:
        self.peer.changed.connect(self.refresh)
        self.empty.acted.connect(self.peer.start)
        self.list.picked.connect(self._picked)
        self.box.acted.connect(self._act)
        self.box.said.connect(self._told)
        self.box.limit.changed.connect(self.refresh)
        self.box.facts.console_wanted.connect(self._want_console)
        self.honest_button.clicked.connect(self._show_honest)
        self.honest.closed.connect(self._show_box)
        self.honest.family_wanted.connect(self._show_family)

    # Page life

    def open(self, argument: object) -> None:
        """Show one box, by its serial number."""
        if isinstance(argument, str):
            self.refresh()
            self.list.search.clear()
            self.list.choose(argument)

    def refresh(self) -> None:
        """Show how everything stands."""
        state = self.bench.juice.state
        self._address = state.host
        self.peer.refresh()
        cases = cases_of(self.bench)
        self.list.show_cases(cases)
        is_used = state.is_listening or len(cases) > 1 or bool(self._said)
        self._pages.setCurrentWidget(self.splitter if is_used else self.empty)
        self.peer.setVisible(is_used or self.peer.has_failed)
        if not is_used:
            text = f"{self.tr(WHAT)}\n\n{wall_text()}"
            self.empty.show_texts(
                self.tr("JuiceBoxes are not listened to"), text, "warehouse", self.tr("Start listening")
            )
        elif self._has_to_choose(cases):
            self.list.choose(cases[0].key)
        else:
            self._show_current()

    def _has_to_choose(self, cases: list[Case]) -> bool:
        """Say whether the first box is to be shown: nobody has chosen, or the guide stood in for the first."""
        stood_in, self._stands_in = self._stands_in, len(cases) == 1
        current = self.list.current()
        if current is None:
            return not self.list.search.text()
        return stood_in and current.key == UNLISTED and len(cases) > 1 and not self._said

    def focus_search(self) -> bool:
        """Put the keyboard into the search field, or on the list while it is short."""
        target = self.list.search if self.list.search.isVisible() else self.list.view
        target.setFocus(Qt.FocusReason.ShortcutFocusReason)
        return True

    # What boxes say

    def _heard(self, _states: list[BoxState]) -> None:
        self.refresh()

    def _switched(self, _states: list[PeerState]) -> None:
        self.refresh()

    def _reported(self, reports: list[BoxReport]) -> None:
        for report in reports:
            kept = self._curves.setdefault(report.box_id, deque(maxlen=POINTS))
            kept.append(report)
            self._curves.move_to_end(report.box_id)
            if report.box_id == self.box.case.box_id:
                self.box.live.add(readings_of(report))
        while len(self._curves) > CURVES:
            self._curves.popitem(last=False)

    # The box that is shown

    @property
    def case(self) -> Case | None:
        """Return the chosen box."""
        return self.list.current()

    def said_of(self, case: Case) -> Said:
        """Return what a person said of a box, also while it was known by its address alone."""
        return self._said.get(case.key) or self._said.get(f"ip:{case.host}") or NOTHING_SAID

    def _say(self, case: Case, said: Said) -> None:
        self._said[case.key] = said
        self._said.move_to_end(case.key)
        while len(self._said) > SAID:
            self._said.popitem(last=False)
        self.refresh()

    def _picked(self, case: Case | None) -> None:
        self._show_box()
        if case is not None:
            self._show_current()

    def _show_current(self) -> None:
        case = self.case
        if case is None:
            return
        is_other = case.key != self.box.case.key
        self.box.show_case(case, self.said_of(case), our_address=self._address)
        if is_other:
            for report in self._curves.get(case.box_id, ()):
                self.box.live.add(readings_of(report))

    def _show_honest(self) -> None:
        self._right.setCurrentWidget(self.honest)
        self.honest.back.setFocus()

    def _show_box(self) -> None:
        self._right.setCurrentWidget(self.box)

    def _told(self) -> None:
        """Take what the person just said in the guide."""
        case = self.case
        if case is not None:
            rescue = self.box.rescue
            before = self.said_of(case)
            profile_id = str(rescue.family.currentData()) if rescue.family.isEnabled() else before.profile_id
            self._say(case, replace(before, profile_id=profile_id, is_released=rescue.released.isChecked()))

    # Acting

    def _act(self, key: str) -> None:
        case = self.case
        if case is not None:
            actions = {
                "listen": self.peer.start,
                "console": self._ask_console,
                "wall": self.peer.wall.click,
                "limit": self._enter_limit,
                "charge": self._charge,
                "pause": self._pause,
            }
            if key in actions:
                actions[key]()
            else:
                self._lead(key, case)

    def _lead(self, key: str, case: Case) -> None:
        """Go to another page."""
        places: dict[str, tuple[str, object]] = {
            "services": ("garage", "services"),
            "bridge": ("garage", ("bridge", case.box_id)),
            "site": ("site", None),
            "unit": ("unit", case.unit_id),
            "family": ("chargers", case.family_id(self.said_of(case))),
        }
        self.go.emit(*places[key])

    def _show_family(self, profile_id: str) -> None:
        self.go.emit("chargers", profile_id)

    def _enter_limit(self) -> None:
        self.box.show_tab(LIMIT)

    def _charge(self) -> None:
        box_id = self.box.case.box_id
        self.bench.juice.allow(box_id, self.bench.juice.ceiling_a(box_id))
        self.refresh()

    def _pause(self) -> None:
        self.bench.juice.pause(self.box.case.box_id)
        self.refresh()

    # Its console

    def _ask_console(self) -> None:
        self.box.show_tab(DETAILS)
        self._want_console(self.box.facts.address.text().strip())

    def _want_console(self, host: str) -> None:
        case = self.case
        if case is not None and (host or case.console_id):
            self.tasks.start_once(f"console {case.key}", self._read_console(case, host), busy=self.box.facts.ask)

    async def _read_console(self, case: Case, host: str) -> None:
        try:
            seen, trouble = await self._asked(case, host), ""
        except AppError as error:
            seen, trouble = REFUSED, f"{error.message} {error.advice}"
        if seen.box_id and case.box_id and seen.box_id != case.box_id:
            trouble = self.tr("Another box answers there: {serial}.").format(serial=seen.box_id)
            seen = self.said_of(case).console or REFUSED
        self._say(case, replace(self.said_of(case), console=seen, trouble=trouble))

    async def _asked(self, case: Case, host: str) -> ConsoleSeen:
        """Read the console; raises AppError."""
        unit_id = case.console_id
        if not unit_id:
            found: Unit = await self.bench.finder.add(host if ":" in host else f"{host}:{CONSOLE_PORT}")
            unit_id = found.unit_id
        ways = self.bench.unit(unit_id).ways
        driver_id = next((way.driver_id for way in ways if way.driver_id in CONSOLES), min(CONSOLES))
        async with self.bench.open(unit_id, capability=ReadsSettings, driver_id=driver_id) as session:
            identity = await session.ask(Identifies).identify()
            return console_seen(identity, await session.ask(ReadsSettings).read_settings())
