"""A long trace: written, opened, judged, then scrubbed and played in the window.

Run ``python tests/bench/bench_trace.py [--smoke]``. 1,000,000 frames of 100 chargers (smoke: 20,000). Wanted: no stall of
the event loop over 100 ms while it opens, is scrubbed through, or runs at 100 times its speed.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from app import memory
from app.model.frame import Direction, Frame, FrameKind
from app.model.trace import ProgramStart
from app.settings import Settings
from app.trace.own import TraceWriter
from app.trace.recording import Recording
from app.workbench import Workbench
from ui.loop import new_loop
from ui.pages.traffic import TrafficPage
from ui.pages.traffic_replay import ReplayPane
from ui.theme import theme

BEGIN = datetime(2026, 7, 1, tzinfo=UTC)
STATUS = '[2,"%d","StatusNotification",{"connectorId":1,"status":"Available","errorCode":"NoError"}]'
SCRUBS = 200
BEAT_MS = 4


class Stalls:
    """The longest time the loop kept a timer waiting."""

    def __init__(self) -> None:
        self._timer = QTimer()
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._timer.start()
        self.restart()

    def restart(self) -> None:
        self._last = time.perf_counter()
        self.worst_ms = 0.0

    def _beat(self) -> None:
        now = time.perf_counter()
        self.worst_ms = max(self.worst_ms, (now - self._last) * 1000 - BEAT_MS)
        self._last = now


def write(path: Path, count: int) -> float:
    """Write a trace; return the seconds it took."""
    writer = TraceWriter()
    began = time.perf_counter()
    with path.open("wb") as file:
        file.write(writer.head(ProgramStart(program="bench"), {}))
        for seq in range(1, count + 1, 2):
            at = BEGIN + timedelta(seconds=seq / 100)
            for number, text, side, kind in (
                (seq, STATUS % seq, Direction.IN, FrameKind.CALL),
                (seq + 1, f'[3,"{seq}",{{}}]', Direction.OUT, FrameKind.RESULT),
            ):
                frame = Frame(
                    seq=number, at=at, identity=f"CP-{seq % 100}", connection=1, direction=side, text=text, kind=kind,
                    uid=str(seq), action="StatusNotification",
                )  # fmt: skip
                file.write(writer.entry(frame))
        file.write(writer.end())
    return time.perf_counter() - began


@asynccontextmanager
async def page_of(home: Path) -> AsyncIterator[TrafficPage]:
    async with Workbench(Settings(endpoint_on=False), home=home, is_demo=True, with_discovery=False) as bench:
        page = TrafficPage(bench)
        page.resize(1180, 672)
        page.show()
        yield page
        page.leave_replay()
        await asyncio.sleep(0.2)
        await page.tasks.stop()
        page.close()
        page.deleteLater()


async def settled(pane: ReplayPane) -> None:
    """Wait until the list shows the moment."""
    while pane.tasks.is_running("list"):  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def measure(folder: Path, count: int) -> None:
    path = folder / "long.rehome-trace"
    took = write(path, count)
    print(f"written: {count:,} frames in {took:.1f} s, {path.stat().st_size / 1e6:.0f} MB")
    stalls = Stalls()
    async with page_of(folder / "home") as page:
        memory.settle()  # as the window does once it stands
        began = time.perf_counter()
        recording = await Recording.load(path)
        print(f"opened: {time.perf_counter() - began:.1f} s, longest stall {stalls.worst_ms:.0f} ms")
        stalls.restart()
        page.show_recording(recording)
        pane = page.replay
        assert pane is not None
        await asyncio.sleep(0.5)
        print(f"shown: longest stall {stalls.worst_ms:.0f} ms")
        stalls.restart()
        began = time.perf_counter()
        for place in range(SCRUBS):
            pane.deck.scrubber.setValue(place * 7919 * 997 % 1_000_000)
            await settled(pane)
        each = (time.perf_counter() - began) / SCRUBS * 1000
        print(f"scrubbed: {each:.1f} ms each until the list stands, longest stall {stalls.worst_ms:.0f} ms")
        pane.seek(pane.player.start_at)
        await asyncio.sleep(0.3)
        stalls.restart()
        pane.player.speed = 100.0
        pane.toggle()
        await asyncio.sleep(1.5)
        pane.player.pause()
        print(
            f"played at 100 x: {pane.recording.place_of(pane.seq):,} frames in 1.5 s, longest stall {stalls.worst_ms:.0f} ms"
        )
        stalls.restart()
        began = time.perf_counter()
        await page.bench.traces.judge(recording)
        print(f"judged: {time.perf_counter() - began:.1f} s, longest stall {stalls.worst_ms:.0f} ms")


def main(argv: list[str]) -> int:
    """Measure and print."""
    count = 20_000 if "--smoke" in argv else 1_000_000
    app = QApplication(["rehome"])
    app.setQuitOnLastWindowClosed(False)
    theme().choose("light")
    loop = new_loop(app)
    asyncio.set_event_loop(loop)
    with tempfile.TemporaryDirectory() as folder, loop:
        loop.run_until_complete(measure(Path(folder), count))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
