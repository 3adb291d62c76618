"""The traffic page under load, in the whole program (endpoint off): live tail with filter, and reading back.

Run ``python tests/bench/bench_traffic.py [--smoke]``. 10,000 frames a second for 60 s (smoke: 3 s) with a filter and
live tail, beside a bare QTableView over a plain model fed alike in the same run; then back through 1,000,000 stored
frames (smoke: 20,000). Wanted: at most 12 ms a frame, no stall of the event loop over 50 ms (live) or 100 ms (paging).
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from PySide6.QtCore import QAbstractTableModel, QModelIndex, Qt, QTimer
from PySide6.QtWidgets import QApplication, QTableView

from app import memory
from app.model.frame import Direction, Frame, FrameKind
from app.settings import Settings
from app.workbench import Workbench
from ui.loop import new_loop
from ui.models.frame_filter import FrameFilter
from ui.models.frames import CAPACITY
from ui.pages.traffic import LIVE_MS, TrafficPage
from ui.theme import theme
from ui.widgets.frametable import FrameTable

RATE = 10_000
SIZE = (1180, 672)
BEAT_S = 0.004
BURST = 200
"""Frames published at once at most: a feeder that was held up catches up bit by bit, and is no stall itself."""
Pair = tuple[float, float]
"""Milliseconds on the clock, milliseconds of this thread's processor time."""

METER = (
    '{"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"2026-03-01T12:00:00Z","sampledValue":['
    + ",".join(f'{{"value":"{16 + n}.1","measurand":"Current.Import","phase":"L{n}","unit":"A"}}' for n in (1, 2, 3))
    + ',{"value":"7360","measurand":"Power.Active.Import","unit":"W"}]}]}'
)
PAYLOADS = (
    ("StatusNotification", '{"connectorId":1,"errorCode":"NoError","status":"Charging"}'),
    ("Heartbeat", "{}"),
    ("MeterValues", METER),
    ("BootNotification", '{"chargePointVendor":"OpenEVSE","chargePointModel":"WiFi","firmwareVersion":"v5.1.5"}'),
)


class Source:
    """Makes request and answer of twenty chargers, endlessly."""

    def __init__(self, seq: int, start: datetime | None = None) -> None:
        self.seq = seq
        self.at = start or datetime.now(UTC)

    def frames(self, count: int) -> list[Frame]:
        made = []
        for _ in range(count // 2):
            number = self.seq // 2
            action, payload = PAYLOADS[number % len(PAYLOADS)]
            unit = number % 20
            for direction, kind, text in (
                (Direction.IN, FrameKind.CALL, f'[2,"{number}","{action}",{payload}]'),
                (Direction.OUT, FrameKind.RESULT, f'[3,"{number}",{{"currentTime":"2026-03-01T12:00:00Z"}}]'),
            ):
                self.seq += 1
                self.at += timedelta(microseconds=1_000_000 // RATE)
                made.append(
                    Frame(
                        seq=self.seq,
                        at=self.at,
                        identity=f"CP-{unit:02d}",
                        connection=unit,
                        direction=direction,
                        text=text,
                        kind=kind,
                        uid=str(number),
                        action=action,
                    )
                )
        return made


class Watch:
    """Feels the event loop's pulse: a stall is a beat that comes late.

    ``busy`` counts only the processor time of this thread within a beat: what the stall would be on a machine that
    does nothing else.
    """

    def __init__(self) -> None:
        self.stalls: list[float] = []
        self.busy: list[float] = []

    async def run(self) -> None:
        while True:
            began, cpu = time.perf_counter(), time.thread_time()
            await asyncio.sleep(BEAT_S)
            self.stalls.append((time.perf_counter() - began - BEAT_S) * 1000)
            self.busy.append((time.thread_time() - cpu) * 1000)

    def report(self, name: str, wanted: int) -> None:
        stalls, busy = sorted(self.stalls) or [0.0], sorted(self.busy) or [0.0]
        late = stalls[int(len(stalls) * 0.999)]
        print(f"{name}-stall-max: {stalls[-1]:.1f} ms (p99.9 {late:.1f}; wanted <= {wanted} ms)")
        print(f"{name}-stall-max-cpu: {busy[-1]:.1f} ms of this thread (p99.9 {busy[int(len(busy) * 0.999)]:.1f})")


@asynccontextmanager
async def watched() -> Any:
    watch = Watch()
    task = asyncio.get_running_loop().create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.wait([task])


class Stopwatch:
    """Collects the time of one drawn frame: taking the rows in, and painting them; on the clock and of the processor."""

    def __init__(self) -> None:
        self.model_ms: list[Pair] = []
        self.paint_ms: list[Pair] = []
        self.frame_ms: list[Pair] = []
        self._open = (0.0, 0.0)

    @contextmanager
    def on(self, times: list[Pair]) -> Iterator[None]:
        began, cpu = time.perf_counter(), time.thread_time()
        yield
        took = ((time.perf_counter() - began) * 1000, (time.thread_time() - cpu) * 1000)
        times.append(took)
        self._open = (self._open[0] + took[0], self._open[1] + took[1])
        if times is self.paint_ms:
            self.frame_ms.append(self._open)
            self._open = (0.0, 0.0)

    def watch(self, owner: type, name: str, times: list[Pair]) -> None:
        inner = getattr(owner, name)
        stopwatch = self

        def timed(self: Any, *args: Any) -> Any:
            with stopwatch.on(times):
                return inner(self, *args)

        setattr(owner, name, timed)

    def report(self, name: str) -> None:
        print(f"{name}-take: {_told(self.model_ms)}")
        print(f"{name}-paint: {_told(self.paint_ms)}")
        print(f"{name}-frame: {_told(self.frame_ms)} (wanted <= 12 ms)")


def _told(times: list[Pair]) -> str:
    parts = []
    for which in (0, 1):
        ordered = sorted(pair[which] for pair in times) or [0.0]
        parts.append(f"{ordered[len(ordered) // 2]:.2f} ms (p99 {ordered[int(len(ordered) * 0.99)]:.2f})")
    return f"{parts[0]}, of the processor {parts[1]}, n {len(times)}"


def _median_cpu(times: list[Pair]) -> float:
    return sorted(pair[1] for pair in times)[len(times) // 2]


def memory_mb() -> float:
    """Return the resident memory (Linux; 0 elsewhere)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class BareModel(QAbstractTableModel):
    """The least a live table needs: a list of tuples with the same number of rows and columns."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[str, ...]] = []

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 9

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        return self.rows[index.row()][index.column()] if role == Qt.ItemDataRole.DisplayRole else None

    def take(self, frames: list[Frame]) -> None:
        first = len(self.rows)
        self.beginInsertRows(QModelIndex(), first, first + len(frames) - 1)
        for frame in frames:
            size = str(len(frame.text))
            words = (str(frame.at)[11:23], frame.identity, frame.direction.value, frame.kind.value, frame.action)
            self.rows.append((*words, frame.text[:60], size, "", ""))
        self.endInsertRows()
        if len(self.rows) > CAPACITY:
            cut = CAPACITY // 10
            self.beginRemoveRows(QModelIndex(), 0, cut - 1)
            del self.rows[:cut]
            self.endRemoveRows()


async def feed(publish: Any, source: Source, seconds: float) -> None:
    began = time.perf_counter()
    sent = 0
    while (passed := time.perf_counter() - began) < seconds:
        due = min(int(passed * RATE) - sent, BURST)
        if due >= 2:
            publish(source.frames(due))
            sent += due - due % 2
        await asyncio.sleep(0.005)


async def bare(seconds: float) -> Stopwatch:
    times = Stopwatch()
    view = QTableView()
    model = BareModel()
    model.setParent(view)
    view.setModel(model)
    view.verticalHeader().setDefaultSectionSize(26)
    view.resize(*SIZE)
    view.show()
    waiting: list[Frame] = []

    def tick() -> None:
        with times.on(times.model_ms):
            model.take(waiting[:])
            waiting.clear()
            view.scrollToBottom()
        with times.on(times.paint_ms):
            view.viewport().repaint()

    timer = QTimer(view)
    timer.timeout.connect(tick)
    timer.start(LIVE_MS)
    async with watched() as watch:
        await feed(waiting.extend, Source(0), seconds)
    timer.stop()
    times.report("bare-table")
    watch.report("bare-table", 50)
    view.close()
    view.deleteLater()
    return times


async def live(bench: Workbench, seconds: float, times: Stopwatch, base: Stopwatch) -> None:
    page = TrafficPage(bench)
    page.resize(*SIZE)
    page.show()
    await asyncio.sleep(0.5)
    page.bar.set_filter(FrameFilter(text="connectorid"))
    await asyncio.sleep(0.3)
    before = memory_mb()
    cpu = time.process_time()
    async with watched() as watch:
        await feed(bench.frames.publish_all, Source(bench.store.traffic.last_seq()), seconds)
    share = (time.process_time() - cpu) / seconds
    times.report("traffic-live")
    ours, bare_paint = _median_cpu(times.paint_ms), _median_cpu(base.paint_ms)
    print(f"traffic-live-paint-ratio: {ours:.2f} ms (ratio {ours / max(0.01, bare_paint):.2f} vs bare QTableView)")
    watch.report("traffic-live", 50)
    print(f"traffic-live-cpu: {share * 100:.0f} % of a core, with feeding and storing")
    print(f"traffic-live-memory: {before:.0f} MB before, {memory_mb():.0f} MB after {seconds * RATE:,.0f} frames")
    print(f"traffic-live-rows: {len(page.model.entries):,} shown, follows: {page.model.is_following}")
    await page.tasks.stop()
    page.close()
    page.deleteLater()


async def paging(bench: Workbench, total: int) -> None:
    store = bench.store.traffic
    source = Source(store.last_seq(), datetime.now(UTC))
    for _ in range(total // 5000):
        store.add(source.frames(5000))
        store.flush()
        await asyncio.sleep(0)
    page = TrafficPage(bench)
    page.resize(*SIZE)
    page.show()
    await asyncio.sleep(0.5)
    await back(page, "paging-all")
    page.bar.set_filter(FrameFilter(text=f'"{source.seq // 2 - 3}"'))
    await search(page, "paging-search-rare-text")
    page.bar.set_filter(FrameFilter(actions=frozenset({"BootNotification", "Nothing"})))
    await back(page, "paging-filter-in-python")
    await page.tasks.stop()
    page.close()
    page.deleteLater()


async def back(page: TrafficPage, name: str) -> None:
    began = time.perf_counter()
    bar = page.table.verticalScrollBar()
    async with watched() as watch:
        while not page._is_oldest and time.perf_counter() - began < 120:
            if not page.tasks.is_running("older"):
                bar.setValue(bar.maximum())
                bar.setValue(0)
            await asyncio.sleep(0)
    first = page.model.first_seq
    print(
        f"{name}: {time.perf_counter() - began:.1f} s to the oldest frame ({first}), rows kept {len(page.model.entries):,}"
    )
    watch.report(name, 100)


async def search(page: TrafficPage, name: str) -> None:
    began = time.perf_counter()
    async with watched() as watch:
        while page.tasks.is_running("older"):
            await asyncio.wait(page.tasks._tasks.values(), timeout=1)
    print(f"{name}: {time.perf_counter() - began:.2f} s, {len(page.model.entries)} found")
    watch.report(name, 100)


async def measure(is_smoke: bool) -> None:
    seconds = 3.0 if is_smoke else 60.0
    base = await bare(min(seconds, 20.0))
    times = Stopwatch()
    times.watch(TrafficPage, "_drain", times.model_ms)
    times.watch(FrameTable, "paintEvent", times.paint_ms)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(endpoint_on=False)
        async with Workbench(settings, home=Path(folder), is_demo=True, with_discovery=False) as bench:
            memory.settle()
            await live(bench, seconds, times, base)
            await paging(bench, 20_000 if is_smoke else 1_000_000)


def main(argv: Sequence[str] = ()) -> int:
    app = QApplication.instance() or QApplication([])
    app.setQuitOnLastWindowClosed(False)
    theme()
    loop = new_loop(app)
    asyncio.set_event_loop(loop)
    loop.run_until_complete(measure("--smoke" in argv))
    asyncio.set_event_loop(None)
    loop.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
