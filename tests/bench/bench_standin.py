"""The stand-in DNS: how many questions a second it answers over loopback, and how long one takes while it is busy.

Run ``python tests/bench/bench_standin.py [--smoke]``. The asker is a process of its own and keeps 32 questions in flight.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.model.garage import Asked
from app.standin import names
from app.standin.bounds import Rates
from app.standin.dns import DnsStand

HOST = "127.0.0.1"
ASKER = """
import socket, struct, sys, time
port, seconds, window = int(sys.argv[1]), float(sys.argv[2]), 32
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
made.connect(("127.0.0.1", port))
made.settimeout(2)
name = b"".join(bytes([len(part)]) + part for part in b"jbv1.emotorwerks.com".split(b".")) + b"\\0"
tail = struct.pack("!5H", 0x0100, 1, 0, 0, 0) + name + struct.pack("!2H", 1, 1)
sent, took, number = {}, [], 0
end = time.perf_counter() + seconds
while time.perf_counter() < end:
    while len(sent) < window:
        number = (number + 1) % 65536
        sent[number] = time.perf_counter()
        made.send(struct.pack("!H", number) + tail)
    took.append(time.perf_counter() - sent.pop(struct.unpack_from("!H", made.recv(600))[0]))
took.sort()
print(f"{len(took) / seconds:.0f} answers/s, p50 {took[len(took) // 2] * 1e3:.2f} ms, "
      f"p99 {took[len(took) * 99 // 100] * 1e3:.2f} ms")
"""


async def main() -> None:
    seconds = 0.5 if "--smoke" in sys.argv else 3.0
    book = names.read()
    heard = 0

    def tell(_: Asked) -> None:
        nonlocal heard
        heard += 1

    stand = DnsStand(
        choice=book.choice(["juicebox-enel-us"]),
        is_near=lambda host: host == HOST,
        tell=tell,
        knows=book.knows,
        now=lambda: datetime.now(UTC),
    )
    stand.rates = Rates(per_s=1e9, total_per_s=1e9)  # what it can do, not what it lets one client do
    await stand.open(HOST, 0)
    began, busy = time.perf_counter(), time.process_time()
    command = [sys.executable, "-c", ASKER, str(stand.port), str(seconds)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    busy, began = time.process_time() - busy, time.perf_counter() - began
    await stand.close()
    print(f"{done.stdout.strip()}; {busy / heard * 1e6:.0f} µs of processor an answer ({heard} in {began:.1f} s)")


asyncio.run(main())
