"""What the trace tests share: a workbench that hears a charger, entries made by hand, files read back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import websockets

from app.model.finding import Evidence, Finding, Severity
from app.model.frame import Direction, Frame, FrameKind, Handshake
from app.model.observation import Ended
from app.model.trace import Entry, HumanStep, ProgramStart, Record, TraceInfo
from app.settings import Settings
from app.trace.merging import Selection
from app.trace.own import TraceWriter
from app.trace.reading import TraceFile
from app.trace.recording import Recording

if TYPE_CHECKING:
    from app.workbench import Workbench

BEGIN = datetime(2026, 7, 1, 8, 0, tzinfo=UTC)
START = ProgramStart(program="Rehome 0", adapter="127.0.0.1", clock=BEGIN.isoformat(), zone="UTC")
BOOT = {"chargePointVendor": "Acme", "chargePointModel": "Wall 1", "chargePointSerialNumber": "SN-0001"}
_KINDS = {2: FrameKind.CALL, 3: FrameKind.RESULT, 4: FrameKind.ERROR}


@asynccontextmanager
async def open_bench(home: Path) -> AsyncIterator[Workbench]:
    from app.workbench import Workbench

    async with Workbench(Settings(endpoint_on=False), home=home, with_discovery=False) as bench:
        await bench.server.start("127.0.0.1", 0)
        yield bench


@asynccontextmanager
async def charger(bench: Workbench, identity: str = "CP-1", **options: Any) -> AsyncIterator[Any]:
    options.setdefault("subprotocols", ["ocpp1.6"])
    url = f"ws://127.0.0.1:{bench.server.state.port}/{identity}"
    async with websockets.connect(url, compression=None, **options) as link:
        yield link


async def ask(link: Any, uid: str, action: str, payload: dict[str, Any] | None = None) -> Any:
    await link.send(json.dumps([2, uid, action, payload or {}]))
    while (answer := json.loads(await asyncio.wait_for(link.recv(), 5)))[1] != uid:
        pass
    return answer


def frame(seq: int, message: list[Any] | str, *, is_in: bool = True, identity: str = "CP-1", **fields: Any) -> Frame:
    text = message if isinstance(message, str) else json.dumps(message)
    kind = _KINDS.get(message[0], FrameKind.BROKEN) if isinstance(message, list) else FrameKind.BROKEN
    uid = str(message[1]) if isinstance(message, list) else ""
    action = str(message[2]) if kind is FrameKind.CALL else ""
    values: dict[str, Any] = {
        "seq": seq,
        "at": BEGIN + timedelta(seconds=seq),
        "identity": identity,
        "connection": 1,
        "direction": Direction.IN if is_in else Direction.OUT,
        "text": text,
        "kind": kind,
        "uid": uid,
        "action": action,
    }
    return Frame(**{**values, **fields})


def handshake(identity: str = "CP-1", connection: int = 1, *, at: datetime = BEGIN, **fields: Any) -> Record:
    raw = (
        f"GET /ocpp/{identity} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
    )
    pairs = tuple(tuple(line.split(": ", 1)) for line in raw.strip().split("\r\n")[1:])
    values: dict[str, Any] = {
        "raw": raw.encode(),
        "request_line": raw.splitlines()[0],
        "path": f"/ocpp/{identity}",
        "headers": pairs,
        "identity": identity,
        "subprotocols": ("ocpp1.6",),
        "chosen_subprotocol": "ocpp1.6",
        "remote": "192.168.7.20:40123",
        "local": "192.168.7.1:8887",
        "at": at,
    }
    return Record(at=at, evidence=Handshake(**{**values, **fields}), identity=identity, connection=connection)


def session() -> list[Entry]:
    """Return a short visit: handshake, boot, a finding, a question, the end."""
    finding = Finding(
        code="CLOCK", severity=Severity.WARNING, evidence=(Evidence(label="frame 1", text="1970-01-01"),), at=BEGIN
    )
    end = BEGIN + timedelta(seconds=5)
    ended = Ended(
        identity="CP-1", connection=1, at=end, code=1001, reason="bye", is_by_us=False, lasted_s=5.0, silent_s=0.5
    )
    return [
        handshake(),
        frame(1, [2, "a", "BootNotification", BOOT]),
        frame(2, [3, "a", {"status": "Accepted", "interval": 60}], is_in=False, action="BootNotification"),
        Record(at=BEGIN + timedelta(seconds=2), evidence=finding, identity="CP-1"),
        Record(at=BEGIN + timedelta(seconds=3), evidence=HumanStep(source="job 1", title="prove", text="Hold a card.")),
        frame(4, [2, "b", "Heartbeat", {}]),
        Record(at=end, evidence=ended, identity="CP-1", connection=1),
    ]


def lines_of(entries: list[Entry]) -> list[bytes]:
    writer = TraceWriter()
    return [
        writer.head(START, Selection().about()),
        *(writer.entry(entry) for entry in entries),
        writer.end(),
    ]


def write(path: Path, entries: list[Entry]) -> Path:
    path.write_bytes(b"".join(lines_of(entries)))
    return path


def read(path: Path) -> tuple[list[Entry], TraceInfo]:
    with TraceFile(path) as file:
        entries = list(file)
    return entries, file.info


@asynccontextmanager
async def loaded(path: Path) -> AsyncIterator[Recording]:
    recording = await Recording.load(path)
    try:
        yield recording
    finally:
        recording.close()
