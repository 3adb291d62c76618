"""Whether energy sold is energy counted: 10,000 random sessions through everything that can go wrong.

Run ``python tests/bench/bench_bridge_sessions.py [--smoke]`` (smoke: 400 sessions). Half the boxes stand behind OCPP 1.6
stations, half behind 2.0.1, with every start rule; datagrams get lost, doubled and swapped, boxes and the bridge
restart (the bridge mostly killed), the backend goes away, questions and answers get lost. Ends with an error where a
Wh or a session is missing or told twice.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bridge.garage import Garage

SESSIONS = {False: 10_000, True: 400}
BOXES = 24


async def run(sessions: int, path: Path) -> int:
    """Run them; returns how much does not agree."""
    garage = Garage(path, boxes=BOXES, seed=20260301)
    began_s = time.monotonic()
    await garage.run(sessions)
    took_s = time.monotonic() - began_s
    wrong = garage.mismatches()
    for name, value in (garage.figures() | dict(garage.counts)).items():
        print(f"bridge sessions, {name}: {value}{' Wh' if name in ('counters', 'sold', 'unmetered') else ''}")
    print(f"bridge sessions, time: {took_s:.1f} s")
    print(f"bridge sessions, mismatches: {len(wrong)}")
    for line in wrong[:20]:
        print(f"MISMATCH {line}")
    await garage.store.close()
    return len(wrong)


def main(argv: list[str]) -> int:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory(prefix="rehome-bench-") as folder:
        return min(1, asyncio.run(run(SESSIONS["--smoke" in argv], Path(folder) / "state.sqlite")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
