"""Read labels from photos: how long decoding and searching take, and how long the window stands still meanwhile.

Run ``python tests/bench/bench_labels.py``. Photos of 12 megapixels as a phone takes them: a code on a quiet wall, one in
noise, and none at all (every try is made, until the patience ends).
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from PySide6.QtCore import QBuffer
from PySide6.QtGui import QImage

from app.labels.label import parse
from app.labels.matching import match
from app.labels.reading import read
from app.labels.writing import qr
from app.settings import Listed
from ui import photo


def wall(height: int, width: int, noise: float, *, has_code: bool = True) -> np.ndarray:
    rng = np.random.default_rng(4)
    shades = np.linspace(90, 200, width)[None, :] + rng.normal(0, noise, (height, width))
    if has_code:
        dark = np.pad(np.array(qr("SN: WB-4711-0042; MAC: 00:11:22:AA:BB:CC")), 4)
        code = np.kron(np.where(dark, 0.25, 1.0), np.ones((height // 250, height // 250)))
        top, left = height // 3, width // 2
        shades[top : top + code.shape[0], left : left + code.shape[1]] *= code
    return np.clip(shades, 0, 255).astype(np.uint8)


def jpeg(grey: np.ndarray) -> bytes:
    image = QImage(grey.tobytes(), grey.shape[1], grey.shape[0], grey.shape[1], QImage.Format.Format_Grayscale8)
    buffer = QBuffer()
    image.convertToFormat(QImage.Format.Format_RGB32).save(buffer, "JPG", 88)
    return buffer.data().data()


class Standstill:
    """The longest time in which the interpreter let no other thread run while a work ran in its own."""

    def __init__(self) -> None:
        self.worst_s = 0.0

    def during(self, work: threading.Thread) -> float:
        work.start()
        last = time.perf_counter()
        while work.is_alive():
            time.sleep(0.001)
            now = time.perf_counter()
            self.worst_s, last = max(self.worst_s, now - last), now
        return self.worst_s


def measure(name: str, grey: np.ndarray) -> None:
    data = jpeg(grey)
    said: list[str] = []

    def work() -> None:
        began = time.perf_counter()
        pixels = photo.decode(data)
        decoded = time.perf_counter()
        codes = read(pixels)
        ended = time.perf_counter()
        said.append(
            f"{name}: {(decoded - began) * 1000:.0f} ms to decode, {(ended - decoded) * 1000:.0f} ms to search, "
            f"{len(codes)} code(s)"
        )

    worst_s = Standstill().during(threading.Thread(target=work))
    print(f"{said[0]}; the window waits {worst_s * 1000:.0f} ms at most", flush=True)


def measure_matching(lines: int) -> None:
    listed = tuple(Listed(serial=f"WB-{number:06d}", identity=f"CP-{number:06d}") for number in range(lines))
    began = time.perf_counter()
    match(parse("WB-OO4711"), listed, ())
    print(f"a label against a list of {lines:,}: {(time.perf_counter() - began) * 1000:.0f} ms", flush=True)


def main(argv: list[str]) -> int:
    height, width = (600, 800) if "--smoke" in argv else (3000, 4000)
    size = f"{height * width / 1e6:.1f} megapixels"
    sharp = wall(height, width, 4)
    measure(f"{size}, a quiet wall", sharp)
    measure(f"{size}, noise", wall(height, width, 25))
    measure(f"{size}, no code", wall(height, width, 4, has_code=False))
    measure(f"{size}, no code, noise", wall(height, width, 25, has_code=False))
    measure_matching(500 if "--smoke" in argv else 5000)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
