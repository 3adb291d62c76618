"""Messages per CPU second of our endpoint against the stock server of the ``ocpp`` package, in the same run.

Each server runs in a process of its own and is asked by the same client (raw sockets, prepared frames, closed loop);
the CPU time is the server's own. Requests are validated by both; every frame is published by ours.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

BOOT = {
    "chargePointVendor": "Acme",
    "chargePointModel": "Wall 1",
    "chargePointSerialNumber": "SN-0001",
    "firmwareVersion": "1.4.2",
    "iccid": "89490200001234567890",
    "meterType": "M1",
}
MEASURANDS = (
    ("Energy.Active.Import.Register", "", "Wh"),
    ("SoC", "", "Percent"),
    ("Temperature", "", "Celsius"),
    *(("Current.Import", phase, "A") for phase in ("L1", "L2", "L3")),
    *(("Voltage", phase, "V") for phase in ("L1-N", "L2-N", "L3-N")),
    *(("Power.Active.Import", phase, "W") for phase in ("L1", "L2", "L3")),
)
SAMPLE = [
    {"value": "230.1", "context": "Sample.Periodic", "format": "Raw", "measurand": name, "unit": unit}
    | ({"phase": phase} if phase else {})
    for name, phase, unit in MEASURANDS
]
METER = {
    "connectorId": 1,
    "transactionId": 1,
    "meterValue": [{"timestamp": "2026-11-22T13:00:00.000Z", "sampledValue": SAMPLE}],
}
MESSAGES: dict[str, dict[str, Any]] = {"BootNotification": BOOT, "Heartbeat": {}, "MeterValues": METER}
CONNECTIONS = 100


def frame(text: str) -> bytes:
    """Write a masked client frame (mask zero)."""
    data = text.encode()
    size = len(data)
    head = bytes([0x81, 0x80 | size]) if size < 126 else bytes([0x81, 0xFE]) + size.to_bytes(2, "big")
    return head + b"\0\0\0\0" + data


class Asker(asyncio.Protocol):
    """Sends a prepared message and again as soon as an answer came."""

    def __init__(self, messages: list[bytes]) -> None:
        self.messages = messages
        self.answers = 0
        self.is_on = False
        self.is_open = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(  # type: ignore[attr-defined]
            b"GET /CP HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n".replace(b"/CP", f"/CP{id(self)}".encode())
        )

    def data_received(self, data: bytes) -> None:
        if not self.is_open.done():
            self.is_open.set_result(None)
            return
        self.answers += 1
        if self.is_on:
            self.ask()

    def ask(self) -> None:
        """Send the next message."""
        self.transport.write(self.messages[self.answers % len(self.messages)])  # type: ignore[attr-defined]


def ours(pipe: Connection) -> None:
    """Serve with our endpoint; the frames are taken off the feed ten times a second, as storage does."""
    from app.feed import Feed
    from app.model.frame import Frame
    from app.model.reading import Reading, StateChange
    from app.ocpp.host import Times
    from app.ocpp.server import OcppServer

    async def serve() -> None:
        frames: Feed[Frame] = Feed()
        samples: Feed[Reading | StateChange] = Feed()
        with frames.subscribe(20_000) as taken, samples.subscribe(20_000) as read:
            times = Times(trigger_boot_s=None)
            async with OcppServer(frames=frames, samples=samples, sighted=lambda _: None, times=times) as server:
                pipe.send((await server.start("127.0.0.1", 0)).port)
                while not await told(pipe):
                    taken.take()
                    read.take()

    asyncio.run(serve())


async def told(pipe: Connection) -> bool:
    """Answer a question for our CPU time; true when it is time to end."""
    await asyncio.sleep(0.1)
    if not pipe.poll():
        return False
    if pipe.recv() != "cpu":
        return True
    pipe.send(time.process_time())
    return False


def stock(pipe: Connection) -> None:
    """Serve with the ``ocpp`` package as its own example does."""
    from datetime import UTC, datetime

    import websockets
    from ocpp.routing import on
    from ocpp.v16 import ChargePoint, call_result
    from ocpp.v16.enums import Action, RegistrationStatus

    class Central(ChargePoint):  # type: ignore[misc]
        @on(Action.boot_notification)  # type: ignore[untyped-decorator]
        def boot(self, **_: Any) -> Any:
            now = datetime.now(UTC).isoformat()
            return call_result.BootNotification(current_time=now, interval=300, status=RegistrationStatus.accepted)

        @on(Action.heartbeat)  # type: ignore[untyped-decorator]
        def heartbeat(self) -> Any:
            return call_result.Heartbeat(current_time=datetime.now(UTC).isoformat())

        @on(Action.meter_values)  # type: ignore[untyped-decorator]
        def meter(self, **_: Any) -> Any:
            return call_result.MeterValues()

    async def connected(link: Any) -> None:
        try:
            await Central(link.request.path.strip("/"), link).start()
        except websockets.ConnectionClosed:
            return

    async def serve() -> None:
        async with websockets.serve(connected, "127.0.0.1", 0, subprotocols=["ocpp1.6"], compression=None) as server:
            pipe.send(server.sockets[0].getsockname()[1])
            while not await told(pipe):
                pass

    asyncio.run(serve())


async def measured(port: int, action: str, seconds: float, connections: int, cpu: Callable[[], float]) -> float:
    """Return answers per second of the server's CPU time."""
    messages = [frame(json.dumps([2, f"{number:08d}", action, MESSAGES[action]])) for number in range(200)]
    loop = asyncio.get_running_loop()
    askers = [(await loop.create_connection(lambda: Asker(messages), "127.0.0.1", port))[1] for _ in range(connections)]
    await asyncio.gather(*(asker.is_open for asker in askers))
    for asker in askers:
        asker.is_on = True
        asker.ask()
    await asyncio.sleep(seconds / 4)
    before, cpu_before = sum(asker.answers for asker in askers), cpu()
    await asyncio.sleep(seconds)
    after, cpu_after = sum(asker.answers for asker in askers), cpu()
    for asker in askers:
        asker.is_on = False
        asker.transport.close()
    return (after - before) / max(cpu_after - cpu_before, 1e-9)


def served(server: Callable[[Connection], None], seconds: float, connections: int) -> dict[str, float]:
    """Start a server in its own process and measure every message on it."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=server, args=(there,), daemon=True)
    process.start()
    port = here.recv()

    def cpu() -> float:
        here.send("cpu")
        return float(here.recv())

    try:
        return {action: asyncio.run(measured(port, action, seconds, connections, cpu)) for action in MESSAGES}
    finally:
        here.send("end")
        process.join(5)
        process.kill()


def main(argv: Sequence[str]) -> int:
    """Print messages per CPU second for each kind of message and both servers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    args = parser.parse_args(argv)
    seconds, connections = (0.3, 5) if args.smoke else (3.0, CONNECTIONS)
    base = served(stock, seconds, connections)
    own = served(ours, seconds, connections)
    for action in MESSAGES:
        ratio = own[action] / base[action]
        print(f"endpoint {action}: {own[action]:.0f} messages/CPU-s (ratio {ratio:.1f} vs ocpp {base[action]:.0f})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
