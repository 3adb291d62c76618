"""Draw 12 curves of 3,600 points ten times a second: our live plots beside one bare pyqtgraph plot, in the same run.

Run ``python tests/bench/bench_plots.py``. Printed per case: milliseconds per frame (update and paint, median and
99th percentile) and the share of one core at 10 Hz. Wanted: at most 15 % of a core.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import pyqtgraph as pg
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.model.reading import Measurand, Reading
from ui.models.series import CurveKey, Series
from ui.theme import theme
from ui.widgets.plots import Plots

POINTS = 3600
HZ = 10
SIZE = (1000, 600)
CURVES = [
    *((Measurand.CURRENT, phase) for phase in ("L1", "L2", "L3")),
    *((Measurand.VOLTAGE, phase) for phase in ("L1", "L2", "L3")),
    *((Measurand.POWER, phase) for phase in ("L1", "L2", "L3")),
    (Measurand.ENERGY, ""),
    (Measurand.TEMPERATURE, ""),
    (Measurand.SIGNAL, ""),
]


def wave(place: int, count: int) -> np.ndarray:
    steps = np.arange(count)
    return 230 + 10 * np.sin(steps / 40 + place) + np.random.default_rng(place).normal(0, 1, count)


def measure(step: Callable[[int], None], frames: int) -> tuple[list[float], float]:
    """Draw ``frames`` frames at 10 Hz; return milliseconds each and the share of a core."""
    took = []
    start, cpu = time.perf_counter(), time.process_time()
    for frame in range(frames):
        began = time.perf_counter()
        step(frame)
        QApplication.processEvents()
        took.append((time.perf_counter() - began) * 1000)
        left = start + (frame + 1) / HZ - time.perf_counter()
        if left > 0:
            QTest.qWait(round(left * 1000))
    return took, (time.process_time() - cpu) / (time.perf_counter() - start)


def bare(frames: int) -> tuple[list[float], float]:
    plot = pg.PlotWidget()
    plot.resize(*SIZE)
    curves = [plot.plot(pen=pg.mkPen(pg.intColor(place, 12), width=1)) for place in range(len(CURVES))]
    values = [wave(place, POINTS + frames) for place in range(len(CURVES))]
    plot.show()

    def step(frame: int) -> None:
        x = np.arange(frame, frame + POINTS, dtype=float)
        for curve, y in zip(curves, values, strict=True):
            curve.setData(x, y[frame : frame + POINTS])

    result = measure(step, frames)
    plot.close()
    return result


def ours(frames: int, *, window_s: float) -> tuple[list[float], float]:
    plots = Plots()
    plots.resize(*SIZE)
    now = datetime.now(UTC)
    plots.add(reading(kind, phase, 1.0, now - timedelta(days=1)) for kind, phase in CURVES)
    for place, (kind, phase) in enumerate(CURVES):
        plots.store.series[CurveKey(kind, 1, phase)] = filled(wave(place, POINTS), now)
    plots.show_window(window_s)
    plots.show()
    QTest.qWait(50)

    def step(frame: int) -> None:
        at = now + timedelta(seconds=(frame + 1) / HZ)
        plots.add([reading(kind, phase, 230 + frame % 7, at) for kind, phase in CURVES])
        plots.draw()

    result = measure(step, frames)
    if name := os.environ.get("REHOME_BENCH_PICTURE"):
        plots.grab().save(name)
    plots.close()
    return result


def filled(values: np.ndarray, until: datetime) -> Series:
    series = Series()
    for place, value in enumerate(values):
        series.append(until.timestamp() - (POINTS - place) / HZ, float(value))
    return series


def reading(kind: Measurand, phase: str, value: float, at: datetime) -> Reading:
    return Reading(unit_id="bench", measurand=kind, value=value, at=at, phase=phase)


def main(argv: Sequence[str] = ()) -> int:
    app = QApplication.instance() or QApplication([])
    theme()
    frames = 10 if "--smoke" in argv else 100
    base, base_share = bare(frames)
    report("plots-bare-pyqtgraph", base, base_share, base_share)
    report("plots-6-panels-all-points", *ours(frames, window_s=POINTS / HZ), base_share)
    report("plots-6-panels-1-minute", *ours(frames, window_s=60.0), base_share)
    app.processEvents()
    return 0


def report(name: str, took: list[float], share: float, base_share: float) -> None:
    worst = sorted(took)[int(len(took) * 0.99) - 1]
    print(f"{name}-frame: {statistics.median(took):.1f} ms (p99 {worst:.1f} ms)")
    print(
        f"{name}-cpu: {share * 100:.1f} % of a core (ratio {share / base_share:.2f} vs bare pyqtgraph; wanted <= 15 %)"
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
