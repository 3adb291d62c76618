"""The servers that benchmarks of the endpoint compare, each a process of its own.

Every server process prints its port, then its CPU seconds for each line on stdin, and ends with stdin. ``gui`` runs
the whole program: window, workbench, storage; it also tells how late the window's timer was.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NODE_MODULES = "REHOME_NODE_MODULES"
"""Names a folder in which ``npm i ocpp-rpc`` was done; without it that server is left out."""

FRAME_MS = 16


class Server:
    """A running server process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.port = int(self._line())

    def cpu(self) -> float:
        """Return the CPU seconds it has used."""
        return float(self.ask("cpu").split()[0])

    def ask(self, word: str) -> str:
        """Say a word and return the line it answers."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server ended with {self.process.wait(10)}")
        return line.strip()


@contextmanager
def running(name: str) -> Iterator[Server]:
    """Start a server by name: ``ours``, ``gui``, ``stock``, ``npm``."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, __file__, name, home]
        if name == "npm":
            command = ["node", str(Path(__file__).with_name("npm_server.js"))]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen", "REHOME_HOME": home}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=env, cwd=ROOT, **pipes) as process:
            try:
                yield Server(process)
            finally:
                assert process.stdin is not None
                process.stdin.close()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()


def has_npm() -> bool:
    """Say whether npm's server can be started here."""
    return bool(os.environ.get(NODE_MODULES))


async def asked(answer: Callable[[str], str]) -> None:
    """Answer the lines on stdin until it ends."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(answer(line.strip()), flush=True)


def cpu_seconds(_: str) -> str:
    """Tell this process's CPU time."""
    return f"{time.process_time():.6f}"


async def ours() -> None:
    """Serve with our endpoint alone; frames are taken off the feeds ten times a second, as storage does."""
    from app import memory
    from app.diagnosis.watch import Watch
    from app.feed import Feed
    from app.model.frame import Frame
    from app.ocpp.host import Times
    from app.ocpp.server import OcppServer
    from app.scope import Scope

    frames: Feed[Frame] = Feed()
    samples: Feed[Any] = Feed()
    with frames.subscribe(20_000) as taken, samples.subscribe(20_000) as read:
        times = Times(trigger_boot_s=None)
        server = OcppServer(frames=frames, samples=samples, sighted=lambda _: None, times=times, judge=Watch())

        async def drained() -> None:
            while True:
                await asyncio.sleep(0.1)
                taken.take()
                read.take()

        async with server, Scope("bench") as scope:
            scope.required("drain", drained())
            print((await server.start("127.0.0.1", 0)).port, flush=True)
            memory.settle()
            await asked(cpu_seconds)
            await scope.close()


async def gui(home: Path) -> None:
    """Serve with the whole program, its window on the Endpoint page."""
    from PySide6.QtCore import QTimer

    from app import memory
    from app.settings import Settings
    from app.workbench import Workbench
    from ui.window import MainWindow
    from ui.wiring import Wiring

    bench = Workbench(Settings(endpoint_on=False), home=home, is_demo=True, with_discovery=False)
    async with bench:
        state = await bench.start_endpoint("127.0.0.1", 0)
        window = MainWindow()
        window.resize(1280, 720)
        wiring = Wiring(bench, window)
        window.show()
        wiring.start()
        window.go("endpoint")
        gaps = Gaps()
        timer = QTimer(window)
        timer.timeout.connect(gaps.beat)
        timer.start(FRAME_MS)
        memory.settle()
        print(state.port, flush=True)
        await asked(lambda word: gaps.told() if word == "gaps" else f"{cpu_seconds(word)} {memory_kb()}")
        timer.stop()
        await wiring.stop()
        window.hide()
        window.deleteLater()


class Gaps:
    """How far apart the beats of the window's timer are."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self._gaps: list[float] = []

    def beat(self) -> None:
        """Note a beat."""
        now = time.perf_counter()
        self._gaps.append((now - self._last) * 1000)
        self._last = now

    def told(self) -> str:
        """Return p50 and p99 in milliseconds since asked last, and begin again."""
        gaps, self._gaps = sorted(self._gaps), []
        self._last = time.perf_counter()
        return f"{gaps[len(gaps) // 2]:.1f} {gaps[int(len(gaps) * 0.99)]:.1f}" if gaps else "0 0"


def memory_kb() -> int:
    """Return the resident memory of this process; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS"))


async def stock() -> None:
    """Serve with the ``ocpp`` package as its own example does."""
    from datetime import UTC, datetime

    import websockets
    from ocpp import v16, v201
    from ocpp.routing import on
    from ocpp.v16.enums import RegistrationStatus

    def now() -> str:
        return datetime.now(UTC).isoformat()

    class Central16(v16.ChargePoint):  # type: ignore[misc]
        @on("BootNotification")  # type: ignore[untyped-decorator]
        def boot(self, **_: Any) -> Any:
            accepted = RegistrationStatus.accepted
            return v16.call_result.BootNotification(current_time=now(), interval=300, status=accepted)

        @on("Heartbeat")  # type: ignore[untyped-decorator]
        def heartbeat(self) -> Any:
            return v16.call_result.Heartbeat(current_time=now())

        @on("MeterValues")  # type: ignore[untyped-decorator]
        def meter(self, **_: Any) -> Any:
            return v16.call_result.MeterValues()

    class Central201(v201.ChargePoint):  # type: ignore[misc]
        @on("BootNotification")  # type: ignore[untyped-decorator]
        def boot(self, **_: Any) -> Any:
            return v201.call_result.BootNotification(current_time=now(), interval=300, status="Accepted")

        @on("TransactionEvent")  # type: ignore[untyped-decorator]
        def event(self, **_: Any) -> Any:
            return v201.call_result.TransactionEvent()

    async def connected(link: Any) -> None:
        kind = Central16 if link.subprotocol == "ocpp1.6" else Central201
        try:
            await kind(link.request.path.strip("/"), link).start()
        except websockets.ConnectionClosed:
            return

    spoken: list[Any] = ["ocpp1.6", "ocpp2.0.1"]
    async with websockets.serve(connected, "127.0.0.1", 0, subprotocols=spoken, compression=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asked(cpu_seconds)


def main(name: str, home: Path) -> None:
    """Run one server."""
    kinds: dict[str, Callable[[], Awaitable[None]]] = {"ours": ours, "stock": stock}
    if name in kinds:
        asyncio.run(kinds[name]())  # type: ignore[arg-type]
        return
    from PySide6.QtWidgets import QApplication

    from ui import loop

    loop.run(QApplication([]), gui(home))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
