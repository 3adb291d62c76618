"""A thousand chargers at once on the whole program: boot storm, then 1,000 heartbeats and 1,000 meter values a second.

    python tests/bench/bench_storm.py [--smoke]

The chargers are sockets of this process; the program (window, storage of every frame and reading) is another one.
Wanted: all accepted within 10 s on two cores; p99 of the answers under 100 ms; at most 60 kB for each idle charger.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.ocpp_load import frame, request
from tests.bench.ocpp_servers import Server, running

WAVE_S = 0.01
"""Messages of the steady load go out in a hundred small waves a second."""


class Station(asyncio.Protocol):
    """One charger: upgrade, then whatever it is told to ask; knows how long each answer took."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.took_s: list[float] = []
        self._asked_s: dict[bytes, float] = {}
        self._done: asyncio.Future[None] | None = None
        self._is_open = asyncio.get_running_loop().create_future()
        self._count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the upgrade."""
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport
        transport.write(
            f"GET /S-{self.number:04} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Take answers; frames from the server side carry their id in the first bytes."""
        if not self._is_open.done():
            self._is_open.set_result(None)
            return
        now = time.perf_counter()
        for part in data.split(b'[3,"')[1:]:
            asked = self._asked_s.pop(part[: part.index(b'"')], None)
            if asked is not None:
                self.took_s.append(now - asked)
        if not self._asked_s and self._done is not None and not self._done.done():
            self._done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """End with an error whatever still waits."""
        lost = error or ConnectionError(f"charger {self.number} was cut off")
        for waiting in (self._is_open, self._done):
            if waiting is not None and not waiting.done():
                waiting.set_exception(lost)

    def ask(self, action: str) -> None:
        """Send one request."""
        self._count += 1
        uid = f"{action[:2]}{self._count}"
        message = frame(request(uid, action))
        self._asked_s[uid.encode()] = time.perf_counter()
        self.transport.write(message)

    async def opened(self) -> None:
        """Wait for the upgrade."""
        await self._is_open

    async def answered(self) -> None:
        """Wait until every question is answered."""
        if self._asked_s:
            self._done = asyncio.get_running_loop().create_future()
            await self._done


async def dialled(port: int, number: int) -> Station:
    """Connect one charger and wait for its upgrade."""
    _, station = await asyncio.get_running_loop().create_connection(lambda: Station(number), "127.0.0.1", port)
    await station.opened()
    return station


def quantile(values: list[float], part: float) -> float:
    """Return a quantile in milliseconds."""
    return sorted(values)[int(len(values) * part)] * 1000 if values else 0.0


async def storm(server: Server, count: int, seconds: int) -> None:
    """Measure all of it."""
    idle_kb = int(server.ask("memory").split()[1])
    began = time.perf_counter()
    stations = await asyncio.gather(*(dialled(server.port, number) for number in range(count)))
    connected_s = time.perf_counter() - began
    connected_kb = int(server.ask("memory").split()[1])
    for station in stations:
        station.ask("BootNotification")
    await asyncio.gather(*(station.answered() for station in stations))
    print(
        f"{count} chargers connected in {connected_s:.2f} s, all accepted after {time.perf_counter() - began:.2f} s "
        f"(ratio {(time.perf_counter() - began) / 10:.2f} vs wanted 10 s)",
        flush=True,
    )
    print(f"memory for each connected charger: {(connected_kb - idle_kb) / count:.1f} kB (wanted 60)", flush=True)
    for station in stations:
        station.took_s.clear()
    await steady(stations, seconds)
    took = [value for station in stations for value in station.took_s]
    p50, p99 = quantile(took, 0.5), quantile(took, 0.99)
    rate = f"{len(took) / seconds:.0f} answers/s"
    print(f"steady load, {rate}: p50 {p50:.1f} ms, p99 {p99:.1f} ms (ratio {p99 / 100:.2f} vs wanted 100 ms)")
    for station in stations:
        station.transport.close()


async def steady(stations: Sequence[Station], seconds: int) -> None:
    """Let every charger send one Heartbeat and one MeterValues each second."""
    loop = asyncio.get_running_loop()
    waves = round(1 / WAVE_S)
    began = loop.time()
    for wave in range(seconds * waves):
        for station in stations[wave % waves :: waves]:
            station.ask("Heartbeat")
        for station in stations[(wave + waves // 2) % waves :: waves]:
            station.ask("MeterValues")
        await asyncio.sleep(max(0.0, began + (wave + 1) * WAVE_S - loop.time()))
    await asyncio.gather(*(station.answered() for station in stations))


def main(argv: Sequence[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    args = parser.parse_args(argv)
    count, seconds = (50, 1) if args.smoke else (1000, 20)
    with running("gui") as server:
        asyncio.run(storm(server, count, seconds))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
