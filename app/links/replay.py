"""Answer from a recording as if the charger were there.

HTTP and Modbus are tolerant: the next answer recorded for a question, the last one again and again. Streams are
followed in order: what was written must be written, then comes what was answered.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from app import errors
from app.errors import AppError, Garbled, LinkLost, NotReachable, NotSupported, TimedOut, Unexpected
from app.links.link import (
    USUAL,
    BleLink,
    Credentials,
    DatagramLink,
    HttpAnswer,
    HttpLink,
    HttpManner,
    JuiceLink,
    LineLink,
    ModbusLink,
    MqttLink,
    OcppLink,
    TextChannel,
)
from app.links.redaction import Redactor
from app.model.address import BleAddress, JuiceAddress, NetAddress, OcppAddress, SerialAddress
from app.model.secret import MASK, Secret

Line = dict[str, Any]


def load(file: Path) -> list[Line]:
    """Read a recording; raises Garbled naming the line."""
    lines = []
    for number, text in enumerate(file.read_bytes().splitlines(), 1):
        try:
            line = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise Garbled(f"{file.name}, line {number}: not JSON ({error}).", "The recording is damaged.") from error
        if not isinstance(line, dict) or "link" not in line or "direction" not in line:
            raise Garbled(f"{file.name}, line {number}: not a line of a recording.", "Choose another file.")
        lines.append(line)
    return lines


class ReplayLinks:
    """Links to chargers that exist only in a recording."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = list(lines)
        self._asked: dict[str, int] = {}

    @classmethod
    def of(cls, file: Path) -> ReplayLinks:
        """Replay a file."""
        return cls(load(file))

    async def http(
        self, address: NetAddress, *, credentials: Credentials | None = None, manner: HttpManner = USUAL
    ) -> HttpLink:
        """Return HTTP from all recorded exchanges; the recording's address does not matter."""
        del credentials
        return ReplayedHttp(self._of("http", str(address)), manner.secret_keys)

    async def serial(self, address: SerialAddress, *, is_ready: bool = False) -> LineLink:
        """Return the recorded serial line."""
        del is_ready
        return ReplayedLine(self._of("serial", str(address)))

    async def tcp(self, address: NetAddress) -> LineLink:
        """Return the recorded TCP stream."""
        return ReplayedLine(self._of("tcp", str(address)))

    async def udp(self, address: NetAddress, *, local_port: int = 0) -> DatagramLink:
        """Return the recorded datagrams."""
        del local_port
        return ReplayedDatagrams(self._of("udp", str(address)))

    async def mqtt(self, address: NetAddress, *, credentials: Credentials | None = None) -> MqttLink:
        """Return the recorded talk with a broker."""
        from app.links.recording_mqtt import ReplayedMqtt

        del credentials
        return ReplayedMqtt(self._of("mqtt", str(address)))

    async def ble(self, address: BleAddress) -> BleLink:
        """Return the recorded Bluetooth connection."""
        from app.links.recording_ble import ReplayedBle

        return ReplayedBle(self._of("ble", str(address)))

    async def modbus(self, address: NetAddress) -> ModbusLink:
        """Return the registers that were read: those of the first address recorded for the first asked for, and so on.

        Raises NotReachable for an address more than were recorded.
        """
        lines = self._of("modbus", str(address))
        places = list(dict.fromkeys(str(line["link"]).split()[1] for line in lines))
        asked = self._asked.setdefault(str(address), len(self._asked))
        if asked >= len(places):
            raise NotReachable(f"The recording has nothing of {address}.", "Choose another recording.")
        return ReplayedModbus([line for line in lines if str(line["link"]).split()[1] == places[asked]])

    def ocpp(self, address: OcppAddress) -> OcppLink:
        """Refuse: OCPP traffic is replayed from the traffic store."""
        raise LinkLost(f"“{address.identity}” is not in this recording.", "Open the traffic of that charger instead.")

    def juicenet(self, address: JuiceAddress) -> JuiceLink:
        """Refuse: a box's datagrams are not part of a recording of links."""
        raise LinkLost(f"JuiceBox {address.box_id} is not in this recording.", "Listen to the box itself.")

    def credentials(self, address: NetAddress | BleAddress) -> Credentials | None:
        """Return a login that was masked: a recording holds no secrets, and a replayed charger asks for none."""
        del address
        return Credentials(password=Secret(MASK))

    def _of(self, kind: str, where: str) -> list[Line]:
        lines = [line for line in self._lines if str(line["link"]).startswith(kind + " ")]
        if not lines:
            raise NotReachable(f"The recording has nothing of {where} over {kind}.", "Choose another recording.")
        return lines


class ReplayedHttp:
    """HTTP answered from a recording."""

    def __init__(self, lines: list[Line], secret_keys: frozenset[str] = frozenset()) -> None:
        self._secret_keys = secret_keys
        self._answers: dict[tuple[str, str], deque[Line]] = {}
        self._messages: dict[str, list[Line]] = {}
        self._channels: dict[str, list[Line]] = {}
        self._closed = asyncio.Event()
        for line in lines:
            self._sort_in(line)

    def _sort_in(self, line: Line) -> None:
        if "channel" in line:
            self._channels.setdefault(line["channel"], []).append(line)
        if line["direction"] == "out":
            return
        if "socket" in line:
            self._messages.setdefault(line["socket"], []).append(line)
        elif "method" in line:
            self._answers.setdefault((line["method"], line["path"]), deque()).append(line)

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 5.0,
        limit: int = 1_000_000,
    ) -> HttpAnswer:
        """Return the next recorded answer."""
        del json, body, headers, timeout_s
        if self._closed.is_set():
            raise _closed()
        found = self._answers.get((method, path))
        if not found:
            raise Unexpected(f"The recording has no answer to {method} {path}.", "Record this call on a charger.")
        line = found.popleft() if len(found) > 1 else found[0]
        if line["direction"] == "end":
            raise _recorded_error(line)
        content = payload(line)
        if len(content) > limit:
            raise Garbled("The recorded answer is longer than allowed.", "Check the recording.")
        return HttpAnswer(status=int(line["status"]), headers=dict(line.get("headers", {})), body=content)

    async def websocket(self, path: str, *, limit: int = 1_000_000) -> AsyncIterator[str]:
        """Yield the recorded messages, then stay silent until closed."""
        del limit
        for line in self._messages.get(path, []):
            if line["direction"] == "end":
                raise _recorded_error(line)
            yield payload(line).decode()
        await self._closed.wait()

    async def channel(self, path: str, *, limit: int = 1_000_000) -> TextChannel:
        """Follow the recorded talk; raises NotReachable where none was recorded."""
        del limit
        lines = [line for line in self._channels.get(path, []) if "json" in line or "text" in line]
        if not lines:
            raise NotReachable(f"The recording has no talk over {path}.", "Choose another recording.")
        return ReplayedChannel(lines, self._secret_keys)

    async def close(self) -> None:
        """End the stream and refuse further requests."""
        self._closed.set()


class ReplayedLine:
    """A byte stream that follows a recording. A write is looked for from here on, then from the beginning."""

    def __init__(self, lines: list[Line], secret_keys: frozenset[str] = frozenset()) -> None:
        self._secret_keys = secret_keys
        self._lines = [line for line in lines if line["direction"] in ("in", "out")]
        self._next = 0
        self._is_closed = False
        self._news = asyncio.Event()

    async def write(self, data: bytes) -> None:
        """Go to the place in the recording where this was written; raises Unexpected where there is none."""
        self._check()
        count = len(self._lines)
        for step in range(count):
            index = (self._next + step) % count
            if self._lines[index]["direction"] == "out" and is_same(self._lines[index], data, self._secret_keys):
                self._next = index + 1
                self._news.set()
                return
        raise Unexpected(f"The recording knows no answer to {data!r}.", "Record this call on a charger.")

    async def read(self, *, timeout_s: float) -> bytes:
        """Return what was recorded next, unless something must be written first."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self._has_answer():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as error:
            raise TimedOut("Nothing more was recorded here.", "Record the unit for longer.") from error
        self._next += 1
        return payload(self._lines[self._next - 1])

    @property
    def last(self) -> Line:
        """Return the line that was read last."""
        return self._lines[self._next - 1] if self._next else {}

    async def close(self) -> None:
        """Close it."""
        self._is_closed = True
        self._news.set()

    def _has_answer(self) -> bool:
        self._check()
        return self._next < len(self._lines) and self._lines[self._next]["direction"] == "in"

    def _check(self) -> None:
        if self._is_closed:
            raise _closed()


class ReplayedChannel:
    """A WebSocket in both directions that follows a recording."""

    def __init__(self, lines: list[Line], secret_keys: frozenset[str] = frozenset()) -> None:
        self._line = ReplayedLine(lines, secret_keys)

    async def send(self, text: str) -> None:
        """Go to the place where this was sent."""
        await self._line.write(text.encode())

    async def receive(self, *, timeout_s: float) -> str:
        """Return the message recorded next."""
        return (await self._line.read(timeout_s=timeout_s)).decode()

    async def close(self) -> None:
        """Close it."""
        await self._line.close()


class ReplayedDatagrams:
    """UDP that follows a recording."""

    def __init__(self, lines: list[Line]) -> None:
        self._line = ReplayedLine(lines)

    async def send(self, data: bytes) -> None:
        """Go to the place where this was sent."""
        await self._line.write(data)

    async def receive(self, *, timeout_s: float) -> bytes:
        """Return the datagram recorded next."""
        return await self._line.read(timeout_s=timeout_s)

    async def close(self) -> None:
        """Close it."""
        await self._line.close()


class ReplayedModbus:
    """Modbus answered from a recording."""

    def __init__(self, lines: list[Line]) -> None:
        self._answers: dict[str, deque[Line]] = {}
        self._is_closed = False
        for line in lines:
            if line["direction"] != "out" and "read" in line:
                self._answers.setdefault(line["read"], deque()).append(line)

    async def holding(self, start: int, count: int, *, unit: int = 1, timeout_s: float = 3.0) -> Sequence[int]:
        """Return the next recorded holding registers."""
        del timeout_s
        return self._next(f"holding {start} {count} of {unit}")

    async def inputs(self, start: int, count: int, *, unit: int = 1, timeout_s: float = 3.0) -> Sequence[int]:
        """Return the next recorded input registers."""
        del timeout_s
        return self._next(f"inputs {start} {count} of {unit}")

    def _next(self, question: str) -> Sequence[int]:
        if self._is_closed:
            raise _closed()
        found = self._answers.get(question)
        if not found:
            raise NotSupported(f"The recording has no answer to “{question}”.", "Record this call on a charger.")
        line = found.popleft() if len(found) > 1 else found[0]
        if line["direction"] == "end":
            raise _recorded_error(line)
        return tuple(int(value) for value in line["json"])

    async def close(self) -> None:
        """Refuse further questions."""
        self._is_closed = True


def payload(line: Line) -> bytes:
    """Return the payload of a recorded line as bytes."""
    if "json" in line:
        return orjson.dumps(line["json"])
    if "hex" in line:
        return bytes.fromhex(line["hex"])
    return str(line.get("text", "")).encode()


def is_same(line: Line, data: bytes, secret_keys: frozenset[str] = frozenset()) -> bool:
    """Say whether these bytes are what the line recorded; JSON may be spaced differently, secrets may differ.

    ``secret_keys`` are the names under which the family keeps secrets besides the telling ones.
    """
    if "json" not in line:
        return payload(line) == data
    redactor = Redactor()
    redactor.know(secret_keys)
    try:
        return bool(redactor.value(orjson.loads(data)) == line["json"])
    except orjson.JSONDecodeError:
        return False


def _recorded_error(line: Line) -> AppError:
    kind = getattr(errors, str(line.get("error", "")), TimedOut)
    is_known = isinstance(kind, type) and issubclass(kind, AppError)
    made: AppError = (kind if is_known else TimedOut)(str(line.get("text", "")), "So it was recorded.")
    return made


def _closed() -> LinkLost:
    return LinkLost("The replayed link is closed.", "Open the recording again.")
