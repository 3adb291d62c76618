"""What the program costs while nobody does anything: the endpoint listens, 20 chargers are on the Site page.

    python tests/bench/bench_idle.py [--smoke]

The 20 simulated OpenEVSE gateways live in another process and announce themselves on loopback; the window is the real
one, offscreen. Measured is the CPU time of the window's process over 20 s, beside a bare Qt window doing nothing in
the same run. Wanted: under 3 % of one core.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

LO = "127.0.0.1"
UNITS = 20
WANTED = 0.03
FIND_S = 60.0


async def sites(count: int) -> None:
    """Simulate the chargers until stdin closes; tell their ports."""
    from app.sim.openevse import OpenEvseGateway

    async with AsyncExitStack() as stack:
        ports = []
        for number in range(count):
            name = f"idle-{os.getpid()}-{number:02}"
            gateway = OpenEvseGateway(name=name, serial=f"240AC4{os.getpid() % 65536:04X}{number:02X}", announce=(LO,))
            ports.append((await stack.enter_async_context(gateway)).address.port)
        print(*ports, flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def share(seconds: float) -> float:
    """Return the share of one core that this process takes."""
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    return (time.process_time() - cpu) / (time.perf_counter() - began)


async def bare(seconds: float) -> float:
    from PySide6.QtWidgets import QMainWindow

    window = QMainWindow()
    window.resize(1280, 720)
    window.show()
    await asyncio.sleep(1)
    taken = await share(seconds)
    window.close()
    window.deleteLater()
    return taken


async def ours(ports: frozenset[int], seconds: float) -> float:
    from app.settings import Settings
    from app.workbench import Workbench
    from ui.window import MainWindow
    from ui.wiring import Wiring

    with tempfile.TemporaryDirectory() as home:
        bench = Workbench(
            Settings(),
            home=Path(home),
            is_demo=True,
            mdns_addresses=(LO,),
            mdns_accepts=lambda sighting: getattr(sighting.address, "port", 0) in ports,
            list_ports=tuple,
        )
        async with bench:
            await bench.listen_somewhere()
            window = MainWindow()
            window.resize(1280, 720)
            wiring = Wiring(bench, window)
            window.show()
            wiring.start()
            await _until(lambda: sum(bool(u.identity.profile_id) for u in bench.finder.units.values()) >= len(ports))
            window.go("site")
            await asyncio.sleep(min(5.0, seconds))
            if window.page is None or window.page.model.shown < len(ports):  # type: ignore[attr-defined]
                raise RuntimeError("the chargers are not on screen")
            taken = await share(seconds)
            await wiring.stop()
            window.hide()
            window.deleteLater()
    return taken


async def _until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(FIND_S):
        while not is_true():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def measure(ports: frozenset[int], seconds: float) -> None:
    """Measure both, and print them."""
    alone, mine = await bare(seconds), await ours(ports, seconds)
    print(f"bare window, idle: {alone * 100:.2f} % of a core", flush=True)
    print(
        f"{len(ports)} chargers on screen, endpoint listening, idle: {mine * 100:.2f} % of a core "
        f"(ratio {mine / max(alone, 1e-4):.1f} vs the bare window, {mine / WANTED:.2f} vs wanted {WANTED:.0%})",
        flush=True,
    )


def main(argv: Sequence[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--units", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.units:
        asyncio.run(sites(args.units))
        return 0
    count, seconds = (3, 2.0) if args.smoke else (UNITS, 20.0)
    command = [sys.executable, __file__, "--units", str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        ports = frozenset(int(word) for word in other.stdout.readline().split())
        from PySide6.QtWidgets import QApplication

        from ui import loop

        loop.run(QApplication([]), measure(ports, seconds))
        other.communicate("")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
