"""The whole bridge: 500 simulated JuiceBoxes on one process, with the backend there, away, and back.

    python tests/bench/bench_bridge_500.py [--smoke]

Processes: the boxes (this one), the bridge (``Runtime`` with its status page, state on disk), a backend that speaks
OCPP 1.6 to one half and 2.0.1 to the other, and a bare echo for comparison. All boxes charge. ``--days 30`` begins with a
month of offline sessions on disk, which are told while the boxes go on. Wanted: below 25 % of a core and 150 MB, datagrams
answered within 20 ms (p99), also while the backend is away; afterwards every session there, once, in order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from app import memory
from app.bridge.keeping import StateStore
from app.bridge.message import Message
from app.bridge.station import Start
from app.bridge.uplink import RHYTHM, Rhythm
from app.service.runtime import Runtime
from app.service.site import BackendPlan, BoxPlan, SitePlan
from app.service.statuspage import StatusPage
from app.sim.juicebox import CHARGING_S, JuiceBox
from app.sim.juicebox_fleet import JuiceFleet
from tests.bench.bench_bridge_offline import STAYS, Month
from tests.bench.bench_juicenet import rss_mb
from tests.bench.bench_storm import quantile
from tests.bridge.garage import Backend

VERSIONS = ("1.6", "2.0.1")
SMOKE = 20
WAIT_S = 120.0
ALLOWED = {"cpu": 25.0, "memory": 150.0, "p99": 20.0}


class Child:
    """Another process of this benchmark, spoken to by lines."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    async def ask(self, what: str) -> dict[str, float]:
        """Ask for figures."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        line = await asyncio.to_thread(self.process.stdout.readline)
        answer: dict[str, float] = json.loads(line)
        return answer

    def close(self) -> None:
        """End it in order."""
        self.process.communicate(timeout=60)


async def lines() -> Any:
    """Yield what is asked on stdin."""
    loop = asyncio.get_running_loop()
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        yield line


def free_port(kind: int) -> int:
    """Return a port nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as item:
        item.bind(("127.0.0.1", 0))
        return int(item.getsockname()[1])


# The backend


async def be_backend(port: int) -> None:
    """Be a backend that can go away and come back."""
    book = Backend()
    server = await _listening(book, port)
    async for line in lines():
        if line == "down":
            server.close()
            await server.wait_closed()
        elif line == "up":
            server = await _listening(book, port)
        told = [one for sessions in book.sessions.values() for one in sessions]
        ended = sum(one.stop_wh is not None for one in told)
        figures = {"began": len(told), "ended": ended, "again": book.again, "wrong": len(book.wrong)}
        print(json.dumps(figures), flush=True)
    server.close()


async def _listening(book: Backend, port: int) -> Any:
    async def talk(link: ServerConnection) -> None:
        assert link.request is not None
        identity = link.request.path.rpartition("/")[2]
        try:
            async for text in link:
                kind, uid, *rest = json.loads(text)
                if kind == 2:
                    action, payload = rest
                    message = Message(action=action, payload=payload, at=book.now, uid=uid)
                    await link.send(json.dumps([3, uid, book.asked(identity, message, payload)]))
        except ConnectionClosed:
            return

    protocols: Any = ["ocpp1.6", "ocpp2.0.1"]
    return await serve(talk, "127.0.0.1", port, subprotocols=protocols, compression=None, ping_interval=None)


# The measure


async def be_echo(port: int) -> None:
    """Answer datagrams with themselves, and do nothing else: what this machine makes of that now."""

    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            self.transport.sendto(data, addr)

    await asyncio.get_running_loop().create_datagram_endpoint(Echo, local_addr=("127.0.0.1", port))
    async for _ in lines():
        print("{}", flush=True)


class Probe(asyncio.DatagramProtocol):
    """Asks the echo as often as the boxes ask the bridge."""

    def __init__(self, pause_s: float) -> None:
        self.took_s: list[float] = []
        self._pause_s = pause_s

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        if self._transport.is_closing():
            return
        self._transport.sendto(repr(time.perf_counter()).encode())
        asyncio.get_running_loop().call_later(self._pause_s, self._ask)

    def datagram_received(self, data: bytes, _addr: Any) -> None:
        """Note an answer."""
        self.took_s.append(time.perf_counter() - float(data))


# The bridge


async def be_bridge(folder: Path, udp: int, tcp: int, serials: Sequence[str]) -> None:
    """Be the bridge of all these boxes."""
    logging.basicConfig(level=logging.ERROR)
    backends = tuple(BackendPlan(name=one, url=f"ws://127.0.0.1:{tcp}/{one}", version=one) for one in VERSIONS)
    is_old = (folder / "bridge.db").exists()
    boxes = tuple(
        BoxPlan(
            identity=f"CP{number}",
            backend=VERSIONS[0 if is_old else number // 4 % 2],
            box_id=serial,
            circuit_a=32,
            start=Start.FREE,
            id_tag="GARAGE",
        )
        for number, serial in enumerate(serials)
    )
    plan = SitePlan(
        name="Bench", address="127.0.0.1", folder=folder, backends=backends, boxes=boxes, juicenet_ports=(udp,)
    )
    rhythm = RHYTHM if len(serials) > SMOKE else Rhythm(least_s=0.5, most_s=1.0)
    async with Runtime(plan, rhythm=rhythm) as runtime:
        page = StatusPage(lambda: runtime.status, lambda: runtime.beat)
        await page.open("127.0.0.1", 0)
        memory.settle()
        async for _ in lines():
            units = runtime.status.units
            figures = {
                "cpu": time.process_time(),
                "memory": rss_mb(),
                "online": sum(unit.line.value == "online" for unit in units),
                "charging": sum(unit.session is not None for unit in units),
                "queued": sum(unit.queued for unit in units),
            }
            print(json.dumps(figures), flush=True)
        await page.close()


# The boxes


class Watch:
    """Notes how long the boxes wait for their answers."""

    def __init__(self, boxes: Sequence[JuiceBox], probe: Probe) -> None:
        self.took_s: list[float] = []
        self._probe = probe
        self.sent = 0
        for box in boxes:
            self._watch(box)

    def _watch(self, box: JuiceBox) -> None:
        send, heard = box._send, box.heard
        at_s = 0.0

        def sends(data: bytes) -> None:
            nonlocal at_s
            self.sent += 1
            at_s = time.perf_counter()
            send(data)

        def hears(ear: object, data: bytes) -> None:
            self.took_s.append(time.perf_counter() - at_s)
            heard(ear, data)

        box._send, box.heard = sends, hears  # type: ignore[method-assign]

    async def stretch(self, name: str, bridge: Child, seconds: float) -> None:
        """Watch for a while, and print."""
        self.took_s.clear()
        self._probe.took_s.clear()
        self.sent = 0
        before = await bridge.ask("usage")
        began_s = time.perf_counter()
        await asyncio.sleep(seconds)
        took_s = time.perf_counter() - began_s
        after = await bridge.ask("usage")
        cpu = (after["cpu"] - before["cpu"]) / took_s * 100
        took = sorted(self.took_s)
        p50, p99 = (quantile(took, share) if took else float("nan") for share in (0.5, 0.99))
        print(f"{name}, answers: p50 {p50:.2f} ms, p99 {p99:.2f} ms (ratio {p99 / ALLOWED['p99']:.2f} vs allowed)")
        bare = quantile(self._probe.took_s, 0.99)
        print(f"{name}, a bare echo beside it: p99 {bare:.2f} ms (ratio {p99 / bare:.2f} vs bare)")
        print(f"{name}, answered: {len(took)} of {self.sent} reports")
        print(f"{name}, cpu: {cpu:.1f} % of a core (ratio {cpu / ALLOWED['cpu']:.2f} vs allowed)")
        print(f"{name}, memory: {after['memory']:.0f} MB (ratio {after['memory'] / ALLOWED['memory']:.2f} vs allowed)")
        print(f"{name}, online {after['online']:.0f}, charging {after['charging']:.0f}, queued {after['queued']:.0f}")


async def until(bridge: Child, name: str, wanted: float, *, at_most: bool = False) -> float:
    """Wait for a figure of the bridge; returns how long that took, in s."""
    began_s = time.perf_counter()
    async with asyncio.timeout(WAIT_S):
        while True:
            value = (await bridge.ask("usage"))[name]
            if value <= wanted if at_most else value >= wanted:
                return time.perf_counter() - began_s
            await asyncio.sleep(0.25)


async def plug_all(boxes: Sequence[JuiceBox], *, is_coming: bool) -> None:
    """Let cars come to all boxes, or leave; spread over a period, else all would report at once for ever."""
    for box in boxes:
        box.plug_in() if is_coming else box.unplug()
        await asyncio.sleep(CHARGING_S / len(boxes))


async def month(path: Path, count: int, days: int) -> int:
    """Put on disk what so many days without a backend leave there; returns how many messages that is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    past = Month(StateStore.open(path), count)
    await past.live(days)
    waiting = sum(past.store.waiting.values())
    await past.store.close()
    return waiting


async def tell_month(name: str, bridge: Child, watch: Watch) -> None:
    """Watch the bridge tell what waited."""
    began_s = time.perf_counter()
    waited = queued = (await bridge.ask("usage"))["queued"]
    while queued > 0:
        await watch.stretch(f"{name}, {queued:.0f} messages of the past waiting", bridge, 30.0)
        queued = (await bridge.ask("usage"))["queued"]
    took_s = time.perf_counter() - began_s
    print(f"{name}, told {waited:.0f} messages of the past in {took_s:.0f} s at most ({waited / took_s:.0f}/s)")


async def bench(count: int, seconds: float, days: int, folder: Path) -> int:
    """Run all stretches; returns how much does not agree."""
    waited = await month(folder / "bridge.db", count, days) if days else 0
    print(f"bridge, {count} boxes, waiting from {days} days without a backend: {waited} messages")
    udp, tcp = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
    fleet = JuiceFleet(count, ("127.0.0.1", udp))
    echo_port = free_port(socket.SOCK_DGRAM)
    echo = Child("--echo", str(echo_port))
    await echo.ask("ready")
    transport, probe = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Probe(CHARGING_S / count), remote_addr=("127.0.0.1", echo_port)
    )
    watch = Watch(fleet.boxes, probe)
    (folder / "serials").write_text("\n".join(box.serial for box in fleet.boxes))
    backend, bridge = Child("--backend", str(tcp)), Child("--bridge", str(folder), str(udp), str(tcp))
    await backend.ask("figures")
    idle = await bridge.ask("usage")
    name = f"bridge, {count} boxes"
    print(f"{name}, memory before any box: {idle['memory']:.0f} MB")
    async with fleet:
        print(f"{name}, all online after {await until(bridge, 'online', count):.1f} s")
        await plug_all(fleet.boxes, is_coming=True)
        await until(bridge, "charging", count)
        if days:
            await tell_month(name, bridge, watch)
        await watch.stretch(f"{name}, backend there", bridge, seconds)
        await backend.ask("down")
        await plug_all(fleet.boxes, is_coming=False)
        await plug_all(fleet.boxes, is_coming=True)
        await watch.stretch(f"{name}, backend away", bridge, seconds)
        await backend.ask("up")
        back_s = await until(bridge, "online", count)
        print(
            f"{name}, all online again after {back_s:.1f} s, told after {await until(bridge, 'queued', 0, at_most=True):.1f} s more"
        )
        await watch.stretch(f"{name}, backend back", bridge, seconds)
        for box in fleet.boxes:
            box.unplug()
        await until(bridge, "charging", 0, at_most=True)
        await until(bridge, "queued", 0, at_most=True)
    told = await backend.ask("figures")
    transport.close()
    for child in (bridge, backend, echo):
        child.close()
    expected = 2 * count + len(STAYS) * days * count
    wrong = told["wrong"] + abs(told["began"] - expected) + abs(told["ended"] - expected)
    print(
        f"{name}, sessions: {told['began']:.0f} begun, {told['ended']:.0f} ended, {told['again']:.0f} messages came again"
    )
    print(f"{name}, mismatches: {wrong:.0f}")
    return min(1, int(wrong))


def main(argv: list[str]) -> int:
    """Run the benchmark, or one of its processes."""
    parser = argparse.ArgumentParser(prog="bench_bridge_500.py")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--boxes", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--backend", nargs=1)
    parser.add_argument("--days", type=int, default=0, help="days without a backend before (all boxes OCPP 1.6 then)")
    parser.add_argument("--bridge", nargs=3)
    parser.add_argument("--echo", nargs=1)
    args = parser.parse_args(argv)
    if args.backend:
        asyncio.run(be_backend(int(args.backend[0])))
        return 0
    if args.echo:
        asyncio.run(be_echo(int(args.echo[0])))
        return 0
    if args.bridge:
        folder = Path(args.bridge[0])
        serials = (folder / "serials").read_text().split()
        asyncio.run(be_bridge(folder, int(args.bridge[1]), int(args.bridge[2]), serials))
        return 0
    count, seconds = (SMOKE, 3.0) if args.smoke else (args.boxes, args.seconds)
    with tempfile.TemporaryDirectory(prefix="rehome-bench-") as folder:
        return asyncio.run(bench(count, seconds, args.days, Path(folder)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
