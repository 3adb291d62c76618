"""A month without a backend: 500 charge points, three sessions a day each, kept on disk and then delivered.

Run ``python tests/bench/bench_bridge_offline.py [--smoke]`` (smoke: 20 charge points, two days). Real stations (OCPP 1.6)
over simulated outlets in compressed time; every quarter of an hour what happened goes to the disk. Then the backend is
back: every message is asked for, answered and done, with a flush in each round as the lines do it. Ends with an error
where a message is missing, comes twice or out of order.
"""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.bridge.keeping import StateStore
from app.bridge.message import Payload
from app.bridge.station import Kept, Start
from app.bridge.station16 import Station16
from tests.bridge.kit import FakeOutlet, equipment

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
ALLOWED_RSS_MB = 150.0
STAYS = ((2, 18), (34, 50), (66, 82))
"""Quarters of a day in which cars come and go: three stays of four hours."""


def kept(store: StateStore, name: str) -> Kept:
    """Return where a charge point keeps things."""
    return Kept(outbox=store.outbox(name), sessions=store.sessions(name), memory=store.memory(name))


class Month:
    """The charge points, and what they owe."""

    def __init__(self, store: StateStore, count: int) -> None:
        self.store = store
        self.outlets = [FakeOutlet(BEGIN) for _ in range(count)]
        self.stations = [
            Station16(equipment(f"CP{n}", Start.FREE), outlet, kept(store, f"CP{n}"), now=BEGIN)
            for n, outlet in enumerate(self.outlets)
        ]
        self.flushes_s: list[float] = []
        self.said = 0
        """All message ids delivered, folded into one number."""
        self.sold_wh = 0
        self.next_id = 1

    async def live(self, days: int) -> None:
        """Let days go by without a backend."""
        for day in range(days):
            for quarter in range(96):
                now = BEGIN + timedelta(days=day) + quarter * QUARTER
                for number, (station, outlet) in enumerate(zip(self.stations, self.outlets, strict=True)):
                    outlet.run(now)
                    at = (quarter - number) % 96
                    if any(at == came for came, _ in STAYS):
                        outlet.plug_in()
                    elif any(at == left for _, left in STAYS):
                        outlet.unplug()
                    station.noted(outlet.state, now)
                    station.due(now)
                await self.flush()
        end = BEGIN + timedelta(days=days)
        for station, outlet in zip(self.stations, self.outlets, strict=True):
            outlet.run(end)
            station.noted(outlet.unplug(), end)
        await self.flush()

    async def flush(self) -> None:
        """Write, and note how long that took."""
        began_s = time.perf_counter()
        await self.store.flush()
        self.flushes_s.append(time.perf_counter() - began_s)

    async def deliver(self, now: datetime) -> tuple[int, list[str]]:
        """Deliver everything, one message of each charge point a round; returns how many, and what went wrong."""
        count, wrong = 0, []
        open_ids: dict[int, int] = {}
        starts: dict[int, int] = {}
        while True:
            busy = 0
            for number, station in enumerate(self.stations):
                message = station.kept.outbox.head()
                if message is None:
                    continue
                busy += 1
                payload = station.rendered(message)
                if payload is None:
                    wrong.append(f"CP{number}: {message.action} of {message.at} is pointless")
                    station.kept.outbox.done(message)
                    continue
                self.said ^= UUID(message.uid).int
                answer = self._book(number, message.action, payload, open_ids, starts, wrong.append)
                station.answered(message, answer, now)
                station.kept.outbox.done(message)
            if not busy:
                return count, wrong
            count += busy
            await self.flush()

    def _book(
        self,
        number: int,
        action: str,
        payload: Payload,
        open_ids: dict[int, int],
        starts: dict[int, int],
        wrong: Callable[[str], None],
    ) -> Payload:
        if action == "StartTransaction":
            if number in open_ids:
                wrong(f"CP{number}: a session begins while another runs")
            open_ids[number], starts[number] = self.next_id, payload["meterStart"]
            self.next_id += 1
            return {"transactionId": open_ids[number], "idTagInfo": {"status": "Accepted"}}
        if payload.get("transactionId") != open_ids.get(number):
            wrong(f"CP{number}: {action} of another session")
        if action == "StopTransaction":
            self.sold_wh += payload["meterStop"] - starts[number]
            open_ids.pop(number, None)
        return {}


def size_mb(path: Path) -> float:
    """Return what lies on disk."""
    return sum(file.stat().st_size for file in path.parent.glob(path.name + "*")) / 1e6


def slowest_ms(times_s: list[float], share: float) -> float:
    """Return a percentile in ms."""
    return sorted(times_s)[min(len(times_s) - 1, int(len(times_s) * share))] * 1000


async def run(path: Path, count: int, days: int) -> int:
    """Live, restart, deliver; print the figures."""
    name = f"bridge offline, {count} units, {days} days"
    month = Month(StateStore.open(path), count)
    began_s, cpu_s = time.perf_counter(), time.process_time()
    await month.live(days)
    took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    messages = sum(month.store.waiting.values())
    print(
        f"{name}, kept: {messages} messages, {size_mb(path):.0f} MB ({size_mb(path) * 1e6 / messages:.0f} bytes each)"
    )
    print(f"{name}, kept: {messages / took_s:.0f} messages/s, cpu {cpu_s * 1e6 / messages:.0f} µs each")
    print(
        f"{name}, flush p50 {slowest_ms(month.flushes_s, 0.5):.1f} ms, p99 {slowest_ms(month.flushes_s, 0.99):.1f} ms"
    )
    await month.store.close()
    owed = folded(path)
    sold_wh = sum(int(outlet.exact_wh) - 1000 for outlet in month.outlets)
    return await deliver(path, month, messages, owed, sold_wh, name)


def folded(path: Path) -> int:
    """Fold the ids of all messages on disk into one number: none may be missing or come twice."""
    owed = 0
    with closing(sqlite3.connect(path)) as file:
        for (uid,) in file.execute("SELECT uid FROM outbox"):
            owed ^= UUID(uid).int
    return owed


async def deliver(path: Path, before: Month, messages: int, owed: int, sold_wh: int, name: str) -> int:
    """Open the file again, as after an update, and deliver."""
    began_s = time.perf_counter()
    month = Month(StateStore.open(path), len(before.stations))
    print(f"{name}, opened again in {(time.perf_counter() - began_s) * 1000:.0f} ms")
    began_s, cpu_s = time.perf_counter(), time.process_time()
    count, wrong = await month.deliver(BEGIN + timedelta(days=40))
    took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    print(f"{name}, delivered: {count / took_s:.0f} messages/s, cpu {cpu_s * 1e6 / max(count, 1):.0f} µs each")
    print(
        f"{name}, flush p50 {slowest_ms(month.flushes_s, 0.5):.1f} ms, p99 {slowest_ms(month.flushes_s, 0.99):.1f} ms"
    )
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name}, memory at most: {usage:.0f} MB (ratio {usage / ALLOWED_RSS_MB:.2f} vs allowed {ALLOWED_RSS_MB:.0f} MB)"
    )
    if count != messages or month.said != owed:
        wrong.append(f"{messages} messages were kept, {count} delivered")
    if month.sold_wh != sold_wh:
        wrong.append(f"{sold_wh} Wh flowed, {month.sold_wh} Wh were sold")
    print(f"{name}, mismatches: {len(wrong)}")
    for line in wrong[:10]:
        print(f"MISMATCH {line}")
    await month.store.close()
    return len(wrong)


def main(argv: list[str]) -> int:
    """Run the benchmark."""
    count, days = (20, 2) if "--smoke" in argv else (500, 30)
    with tempfile.TemporaryDirectory(prefix="rehome-bench-") as folder:
        return min(1, asyncio.run(run(Path(folder) / "state.sqlite", count, days)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
