"""What 10,000 half-open or garbage connections cost the healthy ones.

    python tests/bench/bench_siege.py [--smoke]

One hundred healthy chargers ask for the time in small waves, first alone, then while another process opens and keeps
as many useless connections as the system lets it: silent, half a request, an endless header in drips, half a TLS
hello, garbage. The server is a third process. Wanted: no measurable difference in the answers' p99, and bounded memory.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.bench_storm import Station, dialled, quantile
from tests.bench.ocpp_servers import Server, running

HEALTHY = 100
WAVES_PER_S = 20
USELESS = (
    b"",
    b"GET /half HTTP/1.1\r\nHost: x\r\n",
    b"GET /drip HTTP/1.1\r\nX: ",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x00\xff\xfe\xfd not anything",
)


async def beaten(stations: Sequence[Station], seconds: float) -> list[float]:
    """Let every charger ask in waves; return how long the answers took."""
    loop = asyncio.get_running_loop()
    for station in stations:
        station.took_s.clear()
    began = loop.time()
    for wave in range(int(seconds * WAVES_PER_S)):
        for station in stations:
            station.ask("Heartbeat")
        await asyncio.sleep(max(0.0, began + (wave + 1) / WAVES_PER_S - loop.time()))
    await asyncio.gather(*(station.answered() for station in stations))
    return [value for station in stations for value in station.took_s]


async def measure(server: Server, count: int, seconds: float) -> None:
    """Measure without and with the siege."""
    stations = await asyncio.gather(*(dialled(server.port, number) for number in range(HEALTHY)))
    await beaten(stations, 1.0)
    alone = await beaten(stations, seconds)
    memory_kb = int(server.ask("memory").split()[1])
    command = [sys.executable, __file__, "--attack", str(server.port), "--count", str(count)]
    attacker = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    besieged = await beaten(stations, seconds)
    assert attacker.stdin is not None
    attacker.stdin.close()
    out, _ = await attacker.communicate()
    grown_kb = int(server.ask("memory").split()[1]) - memory_kb
    before, during = quantile(alone, 0.99), quantile(besieged, 0.99)
    print(f"{HEALTHY} healthy chargers alone: p50 {quantile(alone, 0.5):.2f} ms, p99 {before:.2f} ms")
    print(
        f"… beside {out.decode().strip()} useless connections: p50 {quantile(besieged, 0.5):.2f} ms, "
        f"p99 {during:.2f} ms (ratio {during / before:.2f}), memory +{grown_kb / 1024:.1f} MB"
    )
    for station in stations:
        station.transport.close()


def attack(port: int, count: int) -> None:
    """Open useless connections until told to stop, and again where they were cut off; print how many there were."""
    links: list[socket.socket] = []
    opened = 0
    for first in itertools.islice(itertools.cycle(USELESS), count):
        with suppress(OSError):
            link = socket.create_connection(("127.0.0.1", port), timeout=5)
            links.append(link)
            link.sendall(first)
            opened += 1
    print(opened, flush=True)
    sys.stdin.read()
    for link in links:
        link.close()


def main(argv: Sequence[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--attack", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=10_000, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.attack:
        attack(args.attack, args.count)
        return 0
    count, seconds = (200, 1.0) if args.smoke else (args.count, 12.0)
    with running("gui") as server:
        asyncio.run(measure(server, count, seconds))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
