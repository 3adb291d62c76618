"""Lines alone: 500 bridged 1.6 charge points of one process, all charging, against a backend in another process.

    python tests/bench/bench_uplinks.py [--smoke]

Told: how long all take to be accepted, what they cost while they meter every 10 s, memory, and how long a remote stop
takes until its StopTransaction is there. Outlets are made up and stores are in memory: ``bench_bridge_500`` is whole.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from app.bridge.clockwork import Clockwork, utc_now
from app.bridge.station import Start
from app.bridge.station16 import Station16
from app.bridge.target import Target
from app.bridge.uplink import Rhythm, Uplink
from app.memory import settle
from app.model.bridge import LineState
from app.scope import Scope
from tests.bench.bench_juicenet import rss_mb
from tests.bridge.kit import FakeOutlet, equipment, kept

REPORT_S = 10.0
"""How often a box that charges reports."""
QUICK = Rhythm(least_s=0.5, most_s=2.0, first_s=1.0)


def answer(action: str) -> dict[str, Any]:
    """Answer as a polite backend."""
    info = {"idTagInfo": {"status": "Accepted"}}
    if action == "StartTransaction":
        return {"transactionId": 1, **info}
    if action == "BootNotification":
        return {"status": "Accepted", "currentTime": utc_now().isoformat(), "interval": 300}
    if action == "Heartbeat":
        return {"currentTime": utc_now().isoformat()}
    return info if action in ("Authorize", "StopTransaction") else {}


async def be_backend() -> None:
    """Answer all calls until stdin ends."""

    async def talk(link: ServerConnection) -> None:
        try:
            async for text in link:
                message = json.loads(text)
                if message[0] != 2:
                    continue
                await link.send(json.dumps([3, message[1], answer(message[2])]))
                if message[2] == "StartTransaction":
                    await link.send('[2,"m","ChangeConfiguration",{"key":"MeterValueSampleInterval","value":"10"}]')
        except ConnectionClosed:
            return

    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    protocols: Any = ["ocpp1.6"]
    async with serve(talk, "127.0.0.1", 0, subprotocols=protocols, compression=None, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def made(number: int, port: int, clockwork: Clockwork) -> Uplink:
    """Make one charge point with a car on it."""
    name = f"BOX-{number:04}"
    outlet = FakeOutlet(utc_now())
    outlet.plug_in()
    target = Target(url=f"ws://127.0.0.1:{port}/", identity=name, subprotocol="ocpp1.6")
    return Uplink(
        target, Station16(equipment(name, Start.FREE), outlet, kept(), now=utc_now()), clockwork, rhythm=QUICK
    )


async def reporting(lines: Sequence[Uplink]) -> None:
    """Report as boxes do, spread over their interval."""
    while True:
        for line in lines:
            outlet = line.station.outlet
            assert isinstance(outlet, FakeOutlet)
            line.noted(outlet.run(utc_now()))
            await asyncio.sleep(REPORT_S / len(lines))


async def all_of(lines: Sequence[Uplink], is_true: Any) -> float:
    """Wait until something is true of all; returns after how many seconds."""
    began_s = time.monotonic()
    async with asyncio.timeout(60):
        while not all(is_true(line) for line in lines):  # noqa: ASYNC110 - a benchmark looks, nobody tells it
            await asyncio.sleep(0.02)
    return time.monotonic() - began_s


async def measure(count: int, seconds: float, port: int) -> None:
    """Let them live and print what it costs."""
    clockwork = Clockwork()
    before_mb = rss_mb()
    lines = [made(number, port, clockwork) for number in range(count)]
    async with Scope("bench") as scope:
        scope.required("clock", clockwork.run())
        for line in lines:
            scope.required(line.target.identity, line.run())
        online_s = await all_of(lines, lambda line: line.line is LineState.ONLINE)
        print(f"all {count} accepted: {online_s:.2f} s")
        await all_of(lines, lambda line: not len(line.station.kept.outbox))
        scope.required("reports", reporting(lines))
        settle()
        await asyncio.sleep(2)
        cpu_s, wall_s = time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        share = (time.process_time() - cpu_s) / (time.monotonic() - wall_s)
        print(f"CPU while all meter every 10 s: {share * 100:.1f} % of a core")
        print(f"memory: {rss_mb():.0f} MB, {(rss_mb() - before_mb) * 1024 / count:.0f} kB each")
        told = stopped(lines, utc_now())
        took_s = await all_of(lines, lambda line: not len(line.station.kept.outbox))
        print(f"{told} sessions ended at once, all delivered after: {took_s:.2f} s")


def stopped(lines: Sequence[Uplink], now: datetime) -> int:
    """Pull all plugs."""
    for line in lines:
        outlet = line.station.outlet
        assert isinstance(outlet, FakeOutlet)
        outlet.run(now)
        line.noted(outlet.unplug())
    return sum(len(line.station.kept.outbox) > 0 for line in lines)


def main(argv: Sequence[str]) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--backend", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.backend:
        asyncio.run(be_backend())
        return 0
    child = subprocess.Popen(
        [sys.executable, __file__, "--backend"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        port = int(child.stdout.readline())
        asyncio.run(measure(20 if args.smoke else 500, 1.0 if args.smoke else 20.0, port))
    finally:
        child.communicate(timeout=30)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
