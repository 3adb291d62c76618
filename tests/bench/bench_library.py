"""The library of families in the whole page: opening it, searching, and going from family to family.

Run ``python tests/bench/bench_library.py [--smoke]``. Wanted, in the median: a key typed into the search answered within
20 ms, the next family built within 50 ms, whatever the number of profiles.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from PySide6.QtWidgets import QApplication

from app.settings import Settings
from app.workbench import Workbench
from ui.loop import new_loop
from ui.pages.chargers import ChargersPage
from ui.theme import theme

SIZE = (1180, 640)
WORDS = ("ocpp", "slow", "wallbox", "restart", "no such family")


def timed(work: Callable[[], object]) -> float:
    """Return how long something takes; ms."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


async def measured(home: Path, *, is_smoke: bool) -> None:
    async with Workbench(Settings(endpoint_on=False), home=home, is_demo=True, with_discovery=False) as bench:
        pages: list[ChargersPage] = []
        opened = timed(lambda: pages.append(ChargersPage(bench)))
        page = pages[0]
        page.resize(*SIZE)
        page.show()
        await asyncio.sleep(0.3)
        typed = [timed(partial(page.search.setText, word[:end])) for word in WORDS for end in range(len(word))]
        page.search.clear()
        built, shown = [], []
        for profile_id in list(bench.registry.profiles)[:: 10 if is_smoke else 1]:
            began = time.perf_counter()
            built.append(timed(partial(page.open, profile_id)))
            await asyncio.sleep(0)
            shown.append((time.perf_counter() - began) * 1000)
        print(f"families: {page.model.total}")
        print(f"page opened: {opened:.0f} ms")
        print(f"key in the search: {statistics.median(typed):.1f} ms (longest {max(typed):.1f})")
        print(f"next family built: {statistics.median(built):.1f} ms (longest {max(built):.1f})")
        print(f"next family on the screen: {statistics.median(shown):.1f} ms (longest {max(shown):.1f})")
        page.hide()
        await page.tasks.stop()


def main(argv: Sequence[str]) -> int:
    app = QApplication(["rehome"])
    theme()
    loop = new_loop(app)
    asyncio.set_event_loop(loop)
    with tempfile.TemporaryDirectory() as folder:
        loop.run_until_complete(measured(Path(folder), is_smoke="--smoke" in argv))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
