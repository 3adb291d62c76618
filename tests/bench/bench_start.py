"""Start the program and a bare PySide6 window in turn, until the first window is painted; print both and the ratio.

Run ``python tests/bench/bench_start.py [--smoke]``. Each is its own process, measured from before it is started to
after it has ended right behind the first paint. Wanted: the program at most twice the bare window, warm.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 9

BARE = """
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from PySide6.QtCore import QTimer
app = QApplication([])
class Window(QWidget):
    def paintEvent(self, event):
        super().paintEvent(event)
        QTimer.singleShot(0, app.quit)
window = Window()
QLabel("hello", window)
window.resize(1280, 800)
window.show()
app.exec()
"""

CASES = {
    "bare PySide6 window": ["-c", BARE],
    "rehome, real site": ["-m", "ui.main", "--print-import-report"],
    "rehome, demo": ["-m", "ui.main", "--demo", "--print-import-report"],
}


def spawn(arguments: list[str], home: str) -> float:
    """Return the milliseconds one process takes from start to end."""
    env = {**os.environ, "QT_QPA_PLATFORM": os.environ.get("QT_QPA_PLATFORM", "offscreen"), "REHOME_HOME": home}
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, check=True, capture_output=True)
    return (time.perf_counter() - began) * 1000


def main(argv: Sequence[str]) -> int:
    """Measure and print."""
    rounds = 2 if "--smoke" in argv else ROUNDS
    times: dict[str, list[float]] = {name: [] for name in CASES}
    with tempfile.TemporaryDirectory() as home:
        for number in range(rounds + 1):
            for name, arguments in CASES.items():
                took = spawn(arguments, home)
                if number:  # the first round fills the page cache
                    times[name].append(took)
    bare = statistics.median(times["bare PySide6 window"])
    for name, values in times.items():
        median = statistics.median(values)
        print(f"{name}, start to first paint: {median:.0f} ms (ratio {median / bare:.2f} vs bare window, wanted 2.00)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
