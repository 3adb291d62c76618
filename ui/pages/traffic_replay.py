"""A recording in the traffic page: the same list and detail, with a bar through its time and what it tells then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import QElapsedTimer, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSplitter, QStackedLayout, QVBoxLayout, QWidget

from app.diagnosis.catalogue import explain
from app.model.masking import mask_secrets
from app.model.trace import Seal
from app.trace.judging import Found, Judgement
from app.trace.moment import Moments
from app.trace.player import Player
from app.trace.recording import Recording
from ui import icons
from ui.models.frame_filter import EVERYTHING, FrameFilter
from ui.models.frame_rows import Entry, Fold, Row
from ui.models.frames import FrameModel
from ui.models.plain import counted, visible
from ui.pages.traffic_deck import Deck
from ui.pages.traffic_moment import MomentPane
from ui.pages.traffic_pages import PAGE, StoredFrames
from ui.pages.traffic_parts import finding_text
from ui.tasks import Tasks
from ui.theme import SPACE_8, set_role
from ui.widgets.banner import Banners
from ui.widgets.chip import Chip
from ui.widgets.empty import Empty
from ui.widgets.filterbar import FilterBar
from ui.widgets.findings import TONES
from ui.widgets.frametable import FrameTable
from ui.widgets.frameview import FrameView
from ui.widgets.scrubber import Mark

if TYPE_CHECKING:
    from app.workbench import Workbench

TICK_MS = 50
"""How often a running replay moves on."""

JUDGED_AT_ONCE = 100_000
"""Frames up to which a recording is diagnosed as soon as it is open (about ten seconds in the background)."""

ROOMY = 1500
"""From this width on size and answer time stand in the list; the detail always tells them."""

_CHARGER, _LUXURIES = 1, (6, 7)
BUSY_PARTS = 240
MOST_MARKS = 2_000


class ReplayPane(QWidget):
    """Everything about one opened recording. ``left`` when it is closed; its owner takes it away."""

    left = Signal()
    export_wanted = Signal()

    def __init__(self, bench: Workbench, recording: Recording, parent: QWidget, keys: frozenset[str]) -> None:
        super().__init__(parent)
        self.setObjectName("replay")
        self.bench = bench
        self.recording = recording
        self.secret_keys = keys
        self.tasks = Tasks(self)
        self.player = Player(recording.start_at, recording.end_at)
        self.judgement = Judgement()
        self.moments = Moments(recording.comings, self.judgement)
        self.stored = StoredFrames(recording.traffic)
        self.model = FrameModel(self, secret_keys=keys)
        self.seq = 0
        """The last frame of the moment."""
        self._shown = 0
        self._edge: int | None = None
        self._is_oldest = False
        self._is_judged = False
        self._clock = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self.destroyed.connect(recording.close)
        self._build()
        self._connect()
        self.deck.scrubber.show_span(self.player.start_at, self.player.end_at, recording.busy(BUSY_PARTS))
        self.moment.offer_units(recording.info.identities)
        self._tell_flaws()
        self.seek(self.player.end_at)
        if recording.count <= JUDGED_AT_ONCE:
            self.diagnose()

    # Building

    def _build(self) -> None:
        self.banners = Banners(self)
        self.bar = FilterBar(self)
        self.table = FrameTable(self.model, self)
        self.detail = FrameView(finding_text, self, secret_keys=self.secret_keys)
        self.detail.hide()
        self.empty = Empty("", "", "search-x", "", self)
        self.moment = MomentPane(self)
        self.deck = Deck(self)
        listing = QWidget(self)
        self._stack = QStackedLayout(listing)
        self._stack.addWidget(self.table)
        self._stack.addWidget(self.empty)
        self.rows = QSplitter(Qt.Orientation.Vertical, self)
        self.rows.setChildrenCollapsible(False)
        self.rows.addWidget(listing)
        self.rows.addWidget(self.detail)
        self.rows.setSizes([300, 260])
        self.splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.rows)
        self.splitter.addWidget(self.moment)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([860, 310])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addLayout(self._ribbon())
        layout.addWidget(self.banners)
        layout.addWidget(self.bar)
        layout.addWidget(self.splitter, 1)
        layout.addWidget(self.deck)

    def _ribbon(self) -> QHBoxLayout:
        info = self.recording.info
        name = visible(info.name, 60)
        self.chip = Chip(self.tr("Recording · {name}").format(name=name), "accent", "history", self)
        self.facts = QLabel(self._facts(), self)
        self.facts.setTextFormat(Qt.TextFormat.PlainText)
        set_role(self.facts, "caption")
        self.diagnose_button = self._button(self.tr("Diagnose"), "stethoscope", "Name what is wrong in this recording")
        self.export_button = self._button(self.tr("Export"), "download", "Write this recording in another format")
        self.close_button = self._button(
            self.tr("Back to live"), "radio", "Close the recording and show live traffic again"
        )
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        row.addWidget(self.chip)
        row.addWidget(self.facts, 1)
        for button in (self.diagnose_button, self.export_button, self.close_button):
            row.addWidget(button)
        return row

    def _facts(self) -> str:
        info = self.recording.info
        seals = {Seal.WHOLE: self.tr("whole, unchanged"), Seal.CUT: self.tr("cut"), Seal.BROKEN: self.tr("changed")}
        words = [
            visible(info.dialect, 60),
            self.tr("{count} frames").format(count=f"{info.frames:,}"),
            counted(len(info.identities), self.tr("1 charger"), self.tr("{count} chargers")),
            seals.get(info.seal, ""),
        ]
        if info.unread:
            words.append(self.tr("{count} lines not understood").format(count=f"{info.unread:,}"))
        return " · ".join(word for word in words if word)

    def _button(self, text: str, picture: str, tip: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setToolTip(tip)
        button.setAccessibleName(text)
        button.setAccessibleDescription(tip)
        icons.dress(button, picture, "text2")
        return button

    def _connect(self) -> None:
        table, deck, bar = self.table, self.deck, self.bar
        self._timer.timeout.connect(self._tick)
        table.picked.connect(self._picked)
        table.near_top.connect(self._load_older)
        table.reached_end.connect(self._follow)
        table.left_end.connect(self.model.hold)
        table.live_wanted.connect(self._follow)
        table.pause_wanted.connect(self.toggle)
        table.pair_wanted.connect(self.go_to_pair)
        table.detail_wanted.connect(self._open_detail)
        table.copy_wanted.connect(self._copy)
        self.detail.pair_wanted.connect(self.go_to_pair)
        deck.play_wanted.connect(self.toggle)
        deck.step_wanted.connect(self.step)
        deck.start_wanted.connect(self._to_start)
        deck.speed_wanted.connect(self._set_speed)
        deck.scrubber.moved.connect(self._scrubbed)
        deck.scrubber.picked.connect(self._mark_picked)
        self.moment.jumped.connect(self.jump)
        self.moment.currentChanged.connect(self._show_moment)
        self.moment.units.currentIndexChanged.connect(self._show_moment)
        bar.changed.connect(self._filter_changed)
        bar.menu_wanted.connect(self._offer)
        bar.left.connect(self.table.setFocus)
        self.diagnose_button.clicked.connect(self.diagnose)
        self.export_button.clicked.connect(self.export_wanted)
        self.close_button.clicked.connect(self.left)
        self.empty.acted.connect(self.bar.clear)
        for keys, method in self._keys():
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(method)

    def _keys(self) -> tuple[tuple[str, Callable[[], object]], ...]:
        return (
            (",", self.step_back), (".", self.step_on), ("[", self.slower), ("]", self.faster),
            ("N", self.next_finding), ("Shift+N", self.last_finding), ("Esc", self.close_detail),
        )  # fmt: skip

    def _tell_flaws(self) -> None:
        info = self.recording.info
        if info.seal is Seal.BROKEN and info.flaws:
            first = info.flaws[0]
            self.banners.show_message(
                self.tr("This trace is not as it was written: line {line}.").format(line=first.line),
                visible(first.text, 300),
                tone="fault",
            )
        elif info.cut:
            self.banners.show_message(self.tr("The end of this trace is missing."), visible(info.cut, 300))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the words of a message the room where there is little."""
        super().resizeEvent(event)
        for column in _LUXURIES:
            self.table.setColumnHidden(column, self.width() < ROOMY)
        self.table.setColumnHidden(_CHARGER, len(self.recording.info.identities) < 2)

    # Time

    def seek(self, at: datetime) -> None:
        """Go to a time and show what was then."""
        self.player.seek(at)
        self._moved()

    def toggle(self) -> None:
        """Play, or pause."""
        if self.player.is_playing:
            self.player.pause()
        else:
            if self.player.position >= self.player.end_at:
                self.seek(self.player.start_at)
            self.player.play()
            self.model.is_following = True
            self._clock.start()
            self._timer.start()
        self.deck.show_player(self.player)

    def step(self, frames: int) -> None:
        """Go on or back by one frame."""
        self.player.pause()
        recording = self.recording
        seq = recording.next_seq(self.seq) if frames > 0 else recording.previous_seq(self.seq)
        at = recording.time_of(seq) if seq else self.player.start_at
        if at is not None:
            self.player.seek(at)
            self._moved(seq or 0)

    def step_on(self) -> None:
        """Go on by one frame."""
        self.step(1)

    def step_back(self) -> None:
        """Go back by one frame."""
        self.step(-1)

    def faster(self) -> None:
        """Run faster."""
        self.player.faster(1)
        self.deck.show_player(self.player)

    def slower(self) -> None:
        """Run slower."""
        self.player.faster(-1)
        self.deck.show_player(self.player)

    def _set_speed(self, speed: float) -> None:
        self.player.speed = speed

    def _to_start(self) -> None:
        self.seek(self.player.start_at)

    def _scrubbed(self, part: float) -> None:
        self.player.seek_part(part)
        self._moved()

    def _tick(self) -> None:
        self.player.advance(self._clock.restart() / 1000)
        self._moved()
        if not self.player.is_playing:
            self._timer.stop()

    def _moved(self, seq: int | None = None) -> None:
        """Show the moment: ``seq`` names the frame where several came at the same time."""
        before = self.seq
        self.seq = self.recording.seq_until(self.player.position) if seq is None else seq
        self.deck.show_player(self.player)
        self._show_moment()
        if self.seq < self._shown or self.seq < before:
            self.model.is_following = True
            self.tasks.replace("list", self._tail())
        elif self.seq > self._shown and self.model.is_following:
            if not self.tasks.is_running("list"):
                self.tasks.start("list", self._advance())
        elif self.seq > self._shown:
            held = self.recording.place_of(self.seq) - self.recording.place_of(self._shown)
            self.table.show_held(held, False)

    def _show_moment(self) -> None:
        at = self.player.position
        self.moment.show_findings(self.moments.findings_until(at))
        self.moment.show_states(self.moments, at)
        self.moment.show_curves(self.moments, at)

    # The list

    async def _tail(self) -> None:
        """Show the frames up to the moment."""
        until = self.seq
        page = await self.stored.older(until + 1, PAGE)
        self._edge, self._is_oldest, self._shown = page.edge, page.is_end, until
        self.model.load(page.frames, is_following=True)
        self.table.tail()
        self.table.show_held(0, False)
        self._show_list()

    async def _advance(self) -> None:
        """Add what came since, or begin anew where that is much."""
        while self._shown < self.seq and self.model.is_following:
            until = self.seq
            if self.recording.place_of(until) - self.recording.place_of(self._shown) > 2 * PAGE or not self._shown:
                await self._tail()
                continue
            async for page in self.stored.pages(self._shown):
                with self.table.adding():
                    self.model.append([frame for frame in page.frames if frame.seq <= until])
                if page.edge >= until:
                    break
            self._shown = until
        self._show_list()

    def _follow(self) -> None:
        if not self.model.is_following:
            self.model.is_following = True
            self.tasks.replace("list", self._tail())

    def _load_older(self) -> None:
        if not self._is_oldest and not self.tasks.is_running("older"):
            self.tasks.start_once("older", self._older())

    async def _older(self) -> None:
        page = await self.stored.older(self._edge, PAGE)
        self._edge, self._is_oldest = page.edge, page.is_end
        added = self.model.prepend(page.frames)
        if self.model.is_following:
            self.table.tail()
        else:
            self.table.keep_place(added)

    def _show_list(self) -> None:
        if self.model.entries:
            self._stack.setCurrentWidget(self.table)
            return
        self._stack.setCurrentWidget(self.empty)
        if self.model.filter.is_empty:
            text = self.tr("Move the bar below to the right, or press Play.")
            self.empty.show_texts(self.tr("Nothing was said yet"), text, "history", "")
        else:
            text = self.tr("Take a condition away, or go to a later time.")
            self.empty.show_texts(
                self.tr("No frame up to here fits the filter"), text, "search-x", self.tr("Clear the filter")
            )

    def _filter_changed(self, filter_: FrameFilter) -> None:
        self.stored.filter = filter_
        self.model.set_filter(filter_)
        self.tasks.replace("list", self._tail())

    def _offer(self) -> None:
        self.bar.offer(**self.model.counts())

    # Selection

    def _picked(self, entry: Entry | None) -> None:
        self.detail.show_entry(entry)
        if entry is not None and self.detail.isHidden() and self.table.hasFocus():
            self.detail.show()
            QTimer.singleShot(0, self.table.show_current)

    def _open_detail(self) -> None:
        if self.model.toggle_fold(self.table.currentIndex().row()):
            return
        self.detail.show()
        self.detail.tabs.currentWidget().setFocus()

    def close_detail(self) -> None:
        """Give the list all the room."""
        self.detail.hide()
        self.table.setFocus()

    def go_to_pair(self) -> None:
        """Go from a request to its answer and back."""
        entry = self.table.current_entry()
        if isinstance(entry, Row) and entry.pair_seq and not self.table.select_seq(entry.pair_seq):
            self.tasks.replace("jump", self._jump_to(entry.pair_seq))

    def _copy(self) -> None:
        entries = self.table.selected_entries()
        rows = [row for entry in entries for row in (entry.rows if isinstance(entry, Fold) else [entry])]
        QGuiApplication.clipboard().setText("\n".join(mask_secrets(row.frame.text, self.secret_keys) for row in rows))

    # Findings

    def diagnose(self) -> None:
        """Run the live detectors over the recording."""
        self.tasks.start_once("diagnose", self._diagnose(), busy=self.diagnose_button)

    async def _diagnose(self) -> None:
        self.moment.show_note(self.tr("Looking for faults…"))
        self.judgement = await self.bench.traces.judge(self.recording, told=self._judging)
        self._is_judged = True
        self.moments = Moments(self.recording.comings, self.judgement)
        self.deck.scrubber.show_marks(self._marks())
        words = counted(len(self.judgement.findings), self.tr("1 finding"), self.tr("{count} findings"))
        nothing = self.tr("Nothing is wrong as far as the recording tells.")
        until_now = self.tr("{findings} in the whole recording; the list shows those up to this moment.")
        self.moment.show_note(until_now.format(findings=words) if self.judgement.findings else nothing)
        self._show_moment()

    def _judging(self, _count: int, part: float) -> None:
        self.moment.show_note(self.tr("Looking for faults… {part} %").format(part=round(part * 100)))

    def _marks(self) -> list[Mark]:
        marks = [
            Mark(
                at=found.at,
                text=f"{found.finding.code}: {explain(found.finding).title}",
                tone=TONES[found.finding.severity],
                seq=found.seq,
            )
            for found in self.judgement.findings[:MOST_MARKS]
        ]
        steps = [
            Mark(at=record.at, text=f"{getattr(record.evidence, 'title', '')}", tone="working")
            for record in self.judgement.steps[:MOST_MARKS]
        ]
        return sorted([*marks, *steps], key=lambda mark: mark.at)

    def jump(self, found: Found) -> None:
        """Go to a finding: its time, and its frame in the list."""
        self._go_to(found.at, found.seq)

    def _mark_picked(self, mark: Mark) -> None:
        self._go_to(mark.at, mark.seq)

    def _go_to(self, at: datetime, seq: int) -> None:
        self.player.pause()
        self.seek(at)
        if seq:
            self.tasks.replace("jump", self._jump_to(seq))

    async def _jump_to(self, seq: int) -> None:
        if seq > self.seq:
            at = self.recording.time_of(seq)
            self.seek(at if at is not None else self.player.end_at)
        if not self.model.filter.is_empty:
            self.bar.set_filter(EVERYTHING)
        self.tasks.cancel("list")
        before = await self.stored.older(seq + 1, PAGE)
        self._edge, self._is_oldest, self._shown = before.edge, before.is_end, max(seq, self.seq)
        after = await self.stored.newer(seq, PAGE)
        later = [frame for frame in after.frames if frame.seq <= self.seq]
        self.model.load((*before.frames, *later), is_following=True)
        self._shown = later[-1].seq if later else seq
        self._show_list()
        self.table.settle()
        self.table.select_seq(seq)
        self.model.hold()
        self.table.setFocus()

    def next_finding(self) -> None:
        """Go to the next finding."""
        later = [found for found in self.judgement.findings if found.at > self.player.position]
        if later:
            self.jump(later[0])

    def last_finding(self) -> None:
        """Go to the finding before."""
        earlier = [found for found in self.judgement.findings if found.at < self.player.position]
        if earlier:
            self.jump(earlier[-1])

    async def close_recording(self) -> None:
        """Stop everything, forget the recording, and go."""
        self._timer.stop()
        await self.tasks.stop()
        self.recording.close()
        self.deleteLater()
