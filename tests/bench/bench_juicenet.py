"""How JuiceBoxes are answered: 500 of them, all at once, and beside a flood of hostile datagrams.

    python tests/bench/bench_juicenet.py [--smoke]

The peer is a process of its own; 500 adopted boxes, each a socket, report every 9 s as if all were charging, then all
at once, then beside 50,000 hostile datagrams a second from another process: invented boxes, adopted serials from
another address, replays, wrong checksums, bytes. Wanted: p99 of the answers below 20 ms, memory flat, and in the flood
every box still answered by its next report at the latest.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.juicenet.peer import JuicePeer
from tests.bench.bench_storm import quantile
from tests.juicenet.kit import said

PERIOD_S = 9.0
FLOOD_PER_S = 50_000


def serial(number: int) -> str:
    """Return the serial of one of the honest boxes."""
    return f"0910042001{number:018d}"


class Box(asyncio.DatagramProtocol):
    """An honest box: reports, and notes how long the answers take, in s."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.took_s: list[float] = []
        self.sent = 0
        self.total = 0
        self._sent_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]

    def report(self) -> None:
        """Send the next report."""
        self.sent += 1
        self._sent_s = time.perf_counter()
        step = self.total + self.sent
        self.transport.sendto(said(serial(self.number), counter=step % 999 + 1, loop=1000 + 9 * step))

    def datagram_received(self, data: bytes, _addr: object) -> None:
        """Note an answer."""
        self.took_s.append(time.perf_counter() - self._sent_s)


class Server:
    """The peer's process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(self.said())

    def said(self) -> str:
        """Return its next line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, what: str) -> list[float]:
        """Ask it for figures: ``usage`` gives seconds of CPU and MB, ``adopt`` the number of boxes."""
        assert self.process.stdin is not None
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return [float(word) for word in self.said().split()]

    def close(self) -> None:
        """End it."""
        self.process.communicate(timeout=10)


async def serve() -> None:
    """Be the peer until stdin closes."""
    async with JuicePeer("127.0.0.1", (0,)) as peer:
        print(peer.state.ports[0], flush=True)
        loop = asyncio.get_running_loop()
        while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
            if line == "adopt":
                for box_id, state in peer.boxes.items():
                    peer.adopt(peer.book.proposal(box_id, 32, at=state.last_heard))
                    peer.allow(box_id, 32)
                print(len(peer.boxes), flush=True)
            else:
                used = time.process_time()
                print(used, rss_mb(), peer.state.received, peer.state.dropped, len(peer.boxes), flush=True)


def rss_mb() -> float:
    """Return this process's memory in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024


async def reporting(boxes: Sequence[Box], seconds: float, period_s: float) -> None:
    """Let all boxes report, spread over the period."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    pause_s = period_s / len(boxes)
    for turn, box in enumerate(itertools.islice(itertools.cycle(boxes), int(seconds / pause_s))):
        await asyncio.sleep(max(0.0, began + turn * pause_s - loop.time()))
        box.report()
    await asyncio.sleep(0.5)


def told(name: str, boxes: Sequence[Box], server: Server, before: Sequence[float], seconds: float) -> None:
    """Print the figures of a stretch and begin anew."""
    took = sorted(value for box in boxes for value in box.took_s)
    sent = sum(box.sent for box in boxes)
    after = server.ask("usage")
    print(
        f"{name}: p50 {quantile(took, 0.5):.2f} ms, p99 {quantile(took, 0.99):.2f} ms, {len(took)} answers to "
        f"{sent} reports, CPU {(after[0] - before[0]) / seconds * 100:.1f} % of a core, {after[1]:.1f} MB "
        f"({after[1] - before[1]:+.1f}), {after[2] - before[2]:.0f} datagrams, {after[3] - before[3]:.0f} not read, "
        f"{after[4]:.0f} boxes known"
    )
    for box in boxes:
        box.took_s.clear()
        box.total, box.sent = box.total + box.sent, 0


async def measure(server: Server, count: int, seconds: float) -> None:
    """Measure the three stretches."""
    loop = asyncio.get_running_loop()
    boxes = [Box(number) for number in range(count)]
    for box in boxes:
        await loop.create_datagram_endpoint(lambda box=box: box, remote_addr=("127.0.0.1", server.port))  # type: ignore[misc]
    await reporting(boxes, 2, 2)
    assert server.ask("adopt") == [count]
    for box in boxes:
        box.total, box.sent = box.sent, 0
    usage = server.ask("usage")
    await reporting(boxes, seconds, PERIOD_S)
    told(f"{count} boxes, a report every {PERIOD_S:.0f} s each", boxes, server, usage, seconds + 0.5)
    usage = server.ask("usage")
    for _ in range(3):
        for box in boxes:
            box.report()
        await asyncio.sleep(1)
    told("all at once, three times", boxes, server, usage, 3)
    usage = server.ask("usage")
    command = [sys.executable, __file__, "--flood", str(server.port), "--seconds", str(seconds), "--count", str(count)]
    flood = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    await reporting(boxes, seconds, PERIOD_S)
    out, _ = await flood.communicate()
    told(f"beside a flood of {out.decode().strip()}", boxes, server, usage, seconds + 0.5)
    for box in boxes:
        box.transport.close()


def hostile(count: int) -> list[bytes]:
    """Make what a flood sends: each kind as often as the others."""
    dice = random.Random(5)
    made = []
    for number in range(400):
        known = serial(dice.randrange(count))
        made += [
            said(f"{dice.randrange(10**20):020d}"),
            said(known, counter=number % 999 + 1, loop=10**7 + number, rating_a=6, mode=0),
            said(known, loop=1),
            said(known)[:-4] + b"AAA:",
            known.encode() + b":v09e" + dice.randbytes(100),
            dice.randbytes(150),
        ]
    return made


def flood(port: int, seconds: float, count: int) -> None:
    """Send hostile datagrams from an address of its own where the system has one; tell how many a second."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("127.0.0.66" if sys.platform == "linux" else "127.0.0.1", 0))
        link.connect(("127.0.0.1", port))
        made = itertools.cycle(hostile(count))
        began, sent = time.monotonic(), 0
        while (now := time.monotonic() - began) < seconds:
            for data in itertools.islice(made, max(0, min(500, int(now * FLOOD_PER_S) - sent))):
                link.send(data)
                sent += 1
            time.sleep(0.001)
    print(f"{sent / seconds:,.0f} hostile datagrams a second")


def main(argv: Sequence[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--flood", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=10.0, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=500, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.serve:
        asyncio.run(serve())
    elif args.flood:
        flood(args.flood, args.seconds, args.count)
    else:
        server = Server()
        try:
            asyncio.run(measure(server, 50 if args.smoke else args.count, 2.0 if args.smoke else 10.0))
        finally:
            server.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
