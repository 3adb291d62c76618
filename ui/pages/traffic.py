"""Traffic: every frame of every charger, live and from the store."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QDateTime, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QSplitter, QStackedLayout, QVBoxLayout, QWidget

from app.model.frame import Frame
from app.model.masking import mask_secrets
from ui.dialogs import Button, ask
from ui.models.frame_filter import EVERYTHING, FrameFilter
from ui.models.frame_rows import Entry, Fold, Row
from ui.models.frames import FrameModel
from ui.models.saved_filters import SavedFilters
from ui.pages.traffic_pages import PAGE, StoredFrames
from ui.pages.traffic_parts import ExportBand, NameField, TimeField, TopRow, finding_text
from ui.pages.traffic_replaying import ReplayingPage
from ui.theme import SPACE_8
from ui.widgets.empty import Empty
from ui.widgets.filterbar import FilterBar
from ui.widgets.frametable import FrameTable
from ui.widgets.frameview import FrameView

if TYPE_CHECKING:
    from app.workbench import Workbench

LIVE_MS = 50
"""How often waiting frames are shown: 20 times a second (10 to 30 is what an eye follows)."""

DEPTH = 20_000
"""Live frames kept while the page is hidden; beyond that the page reads the store again."""

MOST_A_TICK = 1000
"""Frames taken in at once: twice what 10,000 a second bring, so that a backlog melts without a stall."""

WIDE = 1900
"""From this width on the detail stands beside the list instead of below it."""


class TrafficPage(ReplayingPage):
    """The frame list with filter, detail, live tail and history."""

    page_id: ClassVar[str] = "traffic"
    title: ClassVar[str] = "Traffic"
    icon_name: ClassVar[str] = "arrow-left-right"

    def __init__(self, bench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(bench, parent)
        self.secret_keys = frozenset(
            key.key
            for profile in bench.registry.profiles.values()
            for key in profile.backend_keys
            if key.holds == "secret"
        )
        self.model = FrameModel(self, secret_keys=self.secret_keys)
        self.stored = StoredFrames(bench.store.traffic)
        self.saved = SavedFilters(bench.home / "filters.ini")
        self._waiting: deque[Frame] = deque()
        self._is_paused = False
        self._is_loaded = False
        self._is_oldest = False
        self._edge: int | None = None
        self._dropped = 0
        self._dropped_above = 0
        self._is_detail_wanted = True
        self._build()
        self._connect()
        self._bridge = self.listen(bench.frames, self._arrived, interval_ms=LIVE_MS, depth=DEPTH)
        self.every(LIVE_MS, self._drain)
        self.every(1000, self._show_state)

    # Building

    def _build(self) -> None:
        self.top = TopRow(self)
        self.bar = FilterBar(self)
        self.table = FrameTable(self.model, self)
        self.detail = FrameView(finding_text, self, secret_keys=self.secret_keys)
        self.detail.hide()
        self.empty = Empty("", "", "inbox", "", self)
        self.band = ExportBand(self)
        listing = QWidget(self)
        self._stack = QStackedLayout(listing)
        self._stack.addWidget(self.table)
        self._stack.addWidget(self.empty)
        self.splitter = QSplitter(Qt.Orientation.Vertical, self)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(listing)
        self.splitter.addWidget(self.detail)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        self.splitter.setSizes([300, 280])
        self.live = QWidget(self)
        layout = QVBoxLayout(self.live)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_8)
        for widget in (self.top, self.bar):
            layout.addWidget(widget)
        layout.addWidget(self.splitter, 1)
        self.host(self.live, self.band, self.secret_keys)

    def _connect(self) -> None:
        table, top, bar = self.table, self.top, self.bar
        table.picked.connect(self._picked)
        table.near_top.connect(self._load_older)
        table.reached_end.connect(self._reached_end)
        table.left_end.connect(self._hold)
        table.live_wanted.connect(self.go_live)
        table.pause_wanted.connect(self.toggle_pause)
        table.pair_wanted.connect(self.go_to_pair)
        table.detail_wanted.connect(self.open_detail)
        table.copy_wanted.connect(self.copy_selected)
        self.model.held_changed.connect(self._show_held)
        self.model.folded_changed.connect(top.show_folded)
        self.model.trimmed.connect(self._trimmed)
        self.detail.pair_wanted.connect(self.go_to_pair)
        top.live.clicked.connect(self.toggle_pause)
        top.fold.toggled.connect(self._set_folding)
        top.clear.clicked.connect(self.clear_view)
        top.jump.clicked.connect(self._ask_time)
        top.open.clicked.connect(self.files.ask_import)
        top.export.clicked.connect(self.ask_export)
        bar.changed.connect(self._filter_changed)
        bar.menu_wanted.connect(self._offer)
        self.dress(bar)
        bar.left.connect(self._focus_list)
        self.empty.acted.connect(self._empty_acted)
        close = QShortcut(QKeySequence(Qt.Key.Key_Escape), self.splitter)
        close.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        close.activated.connect(self.close_detail)

    # Page life

    def on_shown(self) -> None:
        """Read the newest stored frames at the first time, or again when live frames were lost meanwhile."""
        self.bar.offer_saved(self.saved.all())
        self.table.setFocus()
        if self._bridge.dropped != self._dropped:
            self._dropped = self._bridge.dropped
            self._waiting.clear()
            self.model.forget_ring()
            self._is_loaded = False
        if not self._is_loaded:
            self._is_loaded = True
            self._restart()
        self._show_state()

    def open(self, argument: object) -> None:
        """Show one charger's frames (its identity), jump to a frame (its number), or open a trace (its path)."""
        if isinstance(argument, Path):
            self.files.open(argument)
            return
        self.leave_replay()
        if isinstance(argument, int):
            self.tasks.replace("jump", self._jump_to(argument))
        elif isinstance(argument, str) and argument:
            self.bar.set_filter(FrameFilter(identities=frozenset({argument})))

    def refresh(self) -> None:
        """Read the newest frames anew."""
        self.model.forget_ring()
        self._restart()

    def focus_search(self) -> bool:
        """Put the keyboard into the search field."""
        search = self._shown_bar.search
        search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        search.selectAll()
        return True

    # Live

    def _arrived(self, frames: list[Frame]) -> None:
        self._waiting.extend(frames)

    def _drain(self) -> None:
        if not self._waiting:
            return
        count = min(len(self._waiting), MOST_A_TICK)
        frames = [self._waiting.popleft() for _ in range(count)]
        with self.table.adding():
            self.model.take(frames)
        self._show_list()

    def _hold(self) -> None:
        self.model.hold()
        self._show_state()

    def _reached_end(self) -> None:
        if not self.model.is_following and not self._is_paused:
            self.tasks.start_once("newer", self._newer())

    async def _newer(self) -> None:
        """Go on reading towards now, a page at a time; follow once nothing newer is missing."""
        rows = self.model.behind()
        self._dropped_above = 0
        if rows is None:
            page = await self.stored.newer(self.model.last_seq or 0)
            self.model.append(page.frames)
            is_there = page.is_end
        else:
            is_there = len(rows) <= PAGE
            if not is_there:
                self.model.read_on(rows[:PAGE])
        self.table.keep_place(-self._dropped_above)
        if is_there:
            self._follow()

    def _trimmed(self, count: int) -> None:
        self._dropped_above += count
        self._edge = self.model.first_seq
        self._is_oldest = self.model.floor_seq > 0

    def _follow(self) -> None:
        with self.table.adding():
            is_whole = self.model.follow()
        if not is_whole:
            self._restart()
        self._show_state()

    def go_live(self) -> None:
        """Show the newest frames and follow them."""
        self._is_paused = False
        if not self.model.is_following:
            self._restart()
        self.table.tail()
        self._show_state()

    def toggle_pause(self) -> None:
        """Hold the list, or go on."""
        if self._is_paused or not self.model.is_following:
            self.go_live()
            return
        self._is_paused = True
        self._hold()

    def clear_view(self) -> None:
        """Empty the view; the store keeps everything."""
        self._is_paused = False
        self.model.clear()
        self._is_oldest = True
        self._show_list()

    # History

    def _restart(self, filter_: FrameFilter | None = None) -> None:
        """Show the tail under a (new) filter, then fill up from the store."""
        self.tasks.cancel("newer")
        self.stored.filter = filter_ or self.model.filter
        self.model.set_filter(self.stored.filter)
        self._is_oldest = self.model.floor_seq > 0
        self._edge = self.model.ring_first_seq
        self.table.tail()
        self._show_list()
        if not self._is_oldest:
            self.tasks.replace("older", self._older(is_tail=True))

    def _load_older(self) -> None:
        if not self._is_oldest and not self.tasks.is_running("older"):
            self.tasks.start_once("older", self._older())

    async def _older(self, *, is_tail: bool = False) -> None:
        self._show_list()
        page = await self.stored.older(self._edge, PAGE)
        self._edge = page.edge
        self._is_oldest = page.is_end
        added = self.model.prepend(page.frames)
        if self.model.is_following:
            self.table.tail()
        else:
            self.table.keep_place(added)
        self._show_list(is_searching=False)
        self._show_state()
        if is_tail and page.frames:
            self.table.tail()

    def _ask_time(self) -> None:
        self.tasks.start_once("ask time", self._choose_time())

    async def _choose_time(self) -> None:
        entry = self.table.current_entry() or self.model.entry(0)
        field = TimeField(entry.frame.at if entry else self.bench.now(), self)
        buttons = (
            Button(key="go", text=self.tr("Go there"), role="primary"),
            Button(key="close", text=self.tr("Cancel")),
        )
        text = self.tr("Shows the first frame at or after this time.")
        if await ask(self, self.tr("Jump to a time"), text, buttons, icon_name="clock", detail=field) == "go":
            moment: QDateTime = field.chosen
            seq = self.stored.seq_at(self._utc(moment))
            await self._jump_to(seq)

    @staticmethod
    def _utc(moment: QDateTime) -> datetime:
        return datetime.fromtimestamp(moment.toMSecsSinceEpoch() / 1000, UTC)

    async def _jump_to(self, seq: int) -> None:
        """Show the frames around a number, and put the cursor there."""
        if not self.table.select_seq(seq):
            self.tasks.cancel("older")
            self.tasks.cancel("newer")
            before = await self.stored.older(seq, PAGE)
            after = await self.stored.newer(seq - 1, PAGE)
            self.model.load((*before.frames, *after.frames), is_following=False)
            self._edge, self._is_oldest = before.edge, before.is_end
            target = after.frames[0].seq if after.frames else seq
            self.table.settle()
            self.table.select_seq(target)
        self._hold()
        self._show_list()
        self.table.setFocus()

    # Filter

    def _filter_changed(self, filter_: FrameFilter) -> None:
        entry = self.table.current_entry()
        self._is_paused = False
        self._restart(filter_)
        if entry is not None and filter_.matches(entry.frame):
            self.table.select_seq(entry.seq)

    def _set_folding(self, is_folding: bool) -> None:
        entry = self.table.current_entry()
        with self.table.adding():
            self.model.set_folding(is_folding)
        if entry is not None:
            self.table.select_seq(entry.seq)

    def _offer(self) -> None:
        self.bar.offer(**self.model.counts())

    def dress(self, bar: FilterBar) -> None:
        """Let a filter bar offer and keep the technician's own filters."""
        bar.offer_saved(self.saved.all())
        bar.save_wanted.connect(self._ask_name)
        bar.remove_wanted.connect(self._remove_saved)

    @property
    def _shown_bar(self) -> FilterBar:
        return (self.replay or self).bar

    def _ask_name(self) -> None:
        self.tasks.start_once("save filter", self._save_filter())

    async def _save_filter(self) -> None:
        filter_ = self._shown_bar.filter
        field = NameField(" · ".join(words for _, _, words in filter_.chips())[:60], self)
        buttons = (
            Button(key="save", text=self.tr("Save"), role="primary"),
            Button(key="close", text=self.tr("Cancel")),
        )
        text = self.tr("It appears under “Quick filters”.")
        answer = await ask(self, self.tr("Name this filter"), text, buttons, icon_name="filter", detail=field)
        if answer == "save" and field.chosen:
            self.saved.save(field.chosen, filter_)
            self._shown_bar.offer_saved(self.saved.all())

    def _remove_saved(self, name: str) -> None:
        self.saved.remove(name)
        self._shown_bar.offer_saved(self.saved.all())

    # Selection

    def _picked(self, entry: Entry | None) -> None:
        self.detail.show_entry(entry)
        if entry is not None and self._is_detail_wanted:
            self._show_detail()

    def _show_detail(self) -> None:
        if self.detail.isHidden():
            self.detail.show()
            QTimer.singleShot(0, self.table.show_current)

    def open_detail(self) -> None:
        """Open a fold, or the detail of a frame with the keyboard in it."""
        row = self.table.currentIndex().row()
        if self.model.toggle_fold(row):
            return
        if self.table.current_entry() is not None:
            self._is_detail_wanted = True
            self._show_detail()
            self.detail.tabs.currentWidget().setFocus()

    def close_detail(self) -> None:
        """Give the list all the room."""
        self._is_detail_wanted = False
        self.detail.hide()
        self._focus_list()

    def go_to_pair(self) -> None:
        """Go from a request to its answer and back."""
        entry = self.table.current_entry()
        if isinstance(entry, Row) and entry.pair_seq and not self.table.select_seq(entry.pair_seq):
            self.tasks.replace("jump", self._jump_unfiltered(entry.pair_seq))

    async def _jump_unfiltered(self, seq: int) -> None:
        self.bar.set_filter(EVERYTHING)
        self.top.fold.setChecked(False)
        await self._jump_to(seq)

    def copy_selected(self) -> None:
        """Put the exact text of the selected frames on the clipboard, one a line, secrets masked."""
        texts = []
        for entry in self.table.selected_entries():
            rows = entry.rows if isinstance(entry, Fold) else [entry]
            texts += [mask_secrets(row.frame.text, self.secret_keys) for row in rows]
        QGuiApplication.clipboard().setText("\n".join(texts))

    def _focus_list(self) -> None:
        self.table.setFocus()
        if not self.table.currentIndex().isValid() and self.model.entries:
            self.table.selectRow(len(self.model.entries) - 1)

    # State

    def _show_held(self, count: int) -> None:
        self.table.show_held(count, self._is_paused)

    def _show_state(self) -> None:
        if self._is_paused:
            state = "paused"
        else:
            state = "live" if self.model.is_following else "reading"
        self.top.show_state(state)
        self.top.show_counts(len(self.model.entries), self.stored.last_seq, self.model.filter.is_empty)

    def _show_list(self, *, is_searching: bool | None = None) -> None:
        """Show the list, or why there is nothing in it."""
        if self.model.entries:
            self._stack.setCurrentWidget(self.table)
            return
        self._stack.setCurrentWidget(self.empty)
        searching = self.tasks.is_running("older") if is_searching is None else is_searching
        if not self.model.filter.is_empty:
            wait = self.tr("Take a condition away, or wait: new frames that fit appear here.")
            text = self.tr("Searching the stored frames…") if searching else wait
            self.empty.show_texts(self.tr("No frame fits the filter"), text, "search-x", self.tr("Clear the filter"))
        elif self.model.floor_seq:
            text = self.tr("Nothing was deleted. What comes from now on appears here.")
            self.empty.show_texts(self.tr("The view is cleared"), text, "inbox", self.tr("Show earlier frames"))
        else:
            urls = self.bench.endpoint_urls()
            text = self.tr("Every message between this computer and a charger appears here, exactly as sent.")
            dial = self.tr("Let a charger dial {url}<its identity>.").format(url=urls[0] if urls else "")
            where = dial if urls else self.tr("The endpoint is off: start it first.")
            self.empty.show_texts(
                self.tr("No frames yet"), f"{text} {where}", "arrow-left-right", self.tr("Open Endpoint")
            )

    def _empty_acted(self) -> None:
        if not self.model.filter.is_empty:
            self.bar.clear()
        elif self.model.floor_seq:
            self.model.floor_seq = 0
            self._restart()
        else:
            self.go.emit("endpoint", None)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the detail beside the list where there is room."""
        super().resizeEvent(event)
        wide = self.width() >= WIDE
        wanted = Qt.Orientation.Horizontal if wide else Qt.Orientation.Vertical
        if self.splitter.orientation() != wanted:
            self.splitter.setOrientation(wanted)
            self.splitter.setSizes([600, 400])
