"""What the relay adds to the time of an answer: 200 units through the bridge and directly, in the same run.

    python tests/bench/bench_relay.py [--smoke]

Backend (our own endpoint) and bridge run in processes of their own. All units send a Heartbeat each second, evenly
spread; the time until the answer is measured. The bridge's CPU and memory are its process's own.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from websockets.asyncio.client import ClientConnection, connect

from app.bridge.relay_desk import RelayDesk
from app.bridge.relay_order import RelayOrder
from app.bridge.target import Target
from tests.bench.ocpp_servers import running

ROOT = Path(__file__).resolve().parents[2]
UNITS = 200
EVERY_S = 1.0


async def bridging(backend: int, count: int) -> None:
    """Relay units until the other side closes our input; then tell CPU time and memory."""
    desk = RelayDesk()
    url = f"ws://127.0.0.1:{backend}"
    names = [f"R-{number}" for number in range(count)]
    desk.adopt(
        [
            RelayOrder(
                unit_identity=name,
                target=Target(url=url, identity=name, subprotocol="ocpp1.6"),
                without=frozenset({"BOOT-ADDED", "STATUS-ASKED"}),
            )
            for name in names
        ]
    )
    await desk.open("127.0.0.1", 0)
    print(desk.port, flush=True)
    began_s, cpu_s = time.monotonic(), time.process_time()
    await asyncio.to_thread(sys.stdin.readline)
    share = (time.process_time() - cpu_s) / (time.monotonic() - began_s)
    await asyncio.to_thread(sys.stdin.readline)
    await desk.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"bridge process: {share * 100:.1f} % of one core, {peak:.0f} MB at most", flush=True)


async def unit(link: ClientConnection, first_s: float, rounds: int, took_s: list[float]) -> None:
    await asyncio.sleep(first_s)
    for number in range(rounds):
        began_s = time.perf_counter()
        await link.send(f'[2,"{number}","Heartbeat",{{}}]')
        await link.recv()
        took_s.append(time.perf_counter() - began_s)
        await asyncio.sleep(max(0.0, EVERY_S - (time.perf_counter() - began_s)))


async def measured(port: int, prefix: str, count: int, rounds: int) -> list[float]:
    """Return the sorted times of all answers, in s."""
    took_s: list[float] = []
    async with AsyncExitStack() as stack:
        links = []
        for number in range(count):
            url = f"ws://127.0.0.1:{port}/{prefix}-{number}"
            dialled = connect(url, subprotocols=["ocpp1.6"], compression=None, proxy=None, ping_interval=None)
            links.append(await stack.enter_async_context(dialled))
        await asyncio.gather(*(unit(link, EVERY_S * at / count, rounds, took_s) for at, link in enumerate(links)))
    return sorted(took_s)


def told(name: str, took_s: list[float]) -> tuple[float, float]:
    p50, p99 = took_s[len(took_s) // 2] * 1000, took_s[len(took_s) * 99 // 100] * 1000
    print(f"relay {name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms ({len(took_s)} answers)", flush=True)
    return p50, p99


def main(argv: Sequence[str]) -> int:
    """Print the times of both ways, and what lies between them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--bridge", type=int, nargs=2, help="be the bridge (backend's port, units)")
    args = parser.parse_args(argv)
    if args.bridge:
        asyncio.run(bridging(*args.bridge))
        return 0
    count, rounds = (5, 1) if args.smoke else (UNITS, 10)
    with running("ours") as server:
        command = [sys.executable, __file__, "--bridge", str(server.port), str(count)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as bridge:
            assert bridge.stdout is not None
            assert bridge.stdin is not None
            port = int(bridge.stdout.readline())
            relayed = told("through the bridge", asyncio.run(measured(port, "R", count, rounds)))
            bridge.stdin.write("\n")
            bridge.stdin.flush()
            direct = told("directly", asyncio.run(measured(server.port, "D", count, rounds)))
            bridge.stdin.write("\n")
            bridge.stdin.flush()
            print(bridge.stdout.readline().strip())
    print(f"relay adds: p50 {relayed[0] - direct[0]:.2f} ms, p99 {relayed[1] - direct[1]:.2f} ms", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
