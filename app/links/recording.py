"""Record what goes over any link: one JSON object per line, secrets masked before they are written.

Fields of a line: ``at`` (UTC), ``link`` (kind, address and a number), ``direction`` (``out``, ``in``, or ``end`` with
the error that ended it), and what fits the kind: ``method path headers status`` of HTTP, ``socket`` for the path of a
WebSocket, ``read`` for the question of Modbus (``holding 100 2 of 255``: first register, number of them, and the unit's
number), and the payload as ``json``, ``text`` or ``hex``.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from app.errors import AppError
from app.links.link import DatagramLink, HttpAnswer, HttpLink, LineLink, ModbusLink, TextChannel
from app.links.redaction import Redactor
from app.model.secret import Secret

SIZE_LIMIT = 64_000_000
"""A recording stops growing there; the last line says so."""


class Recorder:
    """Writes one recording. Use it as a context manager; ``hide`` every secret before it can go over a link."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._redactor = Redactor()
        self._numbers = itertools.count(1)
        self._stream: BinaryIO | None = None
        self._written = 0

    def __enter__(self) -> Recorder:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self.file.open("ab")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish the file. Idempotent."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def hide(self, secret: Secret) -> None:
        """Mask this secret, in all its spellings, from now on."""
        self._redactor.hide(secret)

    def know(self, names: Iterable[str]) -> None:
        """Mask what stands under these names too, from now on."""
        self._redactor.know(names)

    def name(self, kind: str, where: str) -> str:
        """Return a name for a new link: ``http 192.168.1.43:80 #1``."""
        return f"{kind} {where} #{next(self._numbers)}"

    def note(self, link: str, direction: str, payload: bytes | str = b"", **facts: Any) -> None:
        """Write one line. ``headers`` among the facts lose their credentials."""
        if self._stream is None or self._written > SIZE_LIMIT:
            return
        if "headers" in facts:
            facts["headers"] = self._redactor.headers(facts["headers"])
        if "path" in facts:
            facts["path"] = self._redactor.path(facts["path"])
        shown = self._payload(payload)
        facts = {key: self._redactor.text(value) if isinstance(value, str) else value for key, value in facts.items()}
        self._write({"at": datetime.now(UTC).isoformat(), "link": link, "direction": direction, **facts, **shown})
        if self._written > SIZE_LIMIT:
            self._write({"at": datetime.now(UTC).isoformat(), "link": link, "direction": "end", "text": "size limit"})

    def _payload(self, payload: bytes | str) -> dict[str, Any]:
        if not payload:
            return {}
        raw = payload.encode("utf-8", "surrogatepass") if isinstance(payload, str) else payload
        if raw[:1] in b"{[":
            with suppress(orjson.JSONDecodeError):
                return {"json": self._redactor.value(orjson.loads(raw))}
        try:
            return {"text": self._redactor.text(raw.decode("utf-8"))}
        except UnicodeDecodeError:
            return {"hex": self._redactor.text(raw.hex())}

    def _write(self, line: Mapping[str, Any]) -> None:
        assert self._stream is not None
        self._written += self._stream.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        self._stream.flush()


class RecordedHttp:
    """An HTTP link that is written down."""

    def __init__(self, inner: HttpLink, recorder: Recorder, where: str) -> None:
        self._inner = inner
        self._recorder = recorder
        self._name = recorder.name("http", where)

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
        """Send one request and write both sides down."""
        sent = orjson.dumps(json) if json is not None else body or b""
        facts = {"method": method, "path": path}
        self._recorder.note(self._name, "out", sent, **facts, headers=dict(headers or {}))
        try:
            answer = await self._inner.request(
                method, path, json=json, body=body, headers=headers, timeout_s=timeout_s, limit=limit
            )
        except AppError as error:
            self._recorder.note(self._name, "end", **facts, error=type(error).__name__, text=error.message)
            raise
        self._recorder.note(self._name, "in", answer.body, **facts, status=answer.status, headers=dict(answer.headers))
        return answer

    async def websocket(self, path: str, *, limit: int = 1_000_000) -> AsyncIterator[str]:
        """Yield a WebSocket's messages and write them down."""
        self._recorder.note(self._name, "out", socket=path)
        try:
            async for text in self._inner.websocket(path, limit=limit):
                self._recorder.note(self._name, "in", text, socket=path)
                yield text
        except AppError as error:
            self._recorder.note(self._name, "end", socket=path, error=type(error).__name__, text=error.message)
            raise

    async def channel(self, path: str, *, limit: int = 1_000_000) -> TextChannel:
        """Open a WebSocket that is written down in both directions."""
        self._recorder.note(self._name, "out", channel=path)
        return RecordedChannel(await self._inner.channel(path, limit=limit), self._recorder, self._name, path)

    async def close(self) -> None:
        """Close the link."""
        await self._inner.close()


class RecordedChannel:
    """A WebSocket in both directions that is written down."""

    def __init__(self, inner: TextChannel, recorder: Recorder, name: str, path: str) -> None:
        self._inner = inner
        self._recorder = recorder
        self._name = name
        self._path = path

    async def send(self, text: str) -> None:
        """Send one message and write it down."""
        self._recorder.note(self._name, "out", text, channel=self._path)
        await self._inner.send(text)

    async def receive(self, *, timeout_s: float) -> str:
        """Return the next message, written down."""
        text = await self._inner.receive(timeout_s=timeout_s)
        self._recorder.note(self._name, "in", text, channel=self._path)
        return text

    async def close(self) -> None:
        """Close it."""
        await self._inner.close()


class RecordedLine:
    """A byte stream that is written down."""

    def __init__(self, inner: LineLink, recorder: Recorder, kind: str, where: str) -> None:
        self._inner = inner
        self._recorder = recorder
        self._name = recorder.name(kind, where)

    async def write(self, data: bytes) -> None:
        """Send bytes and write them down."""
        self._recorder.note(self._name, "out", data)
        await self._inner.write(data)

    async def read(self, *, timeout_s: float) -> bytes:
        """Return the next bytes, written down."""
        data = await self._inner.read(timeout_s=timeout_s)
        self._recorder.note(self._name, "in", data)
        return data

    async def close(self) -> None:
        """Close the link."""
        await self._inner.close()


class RecordedDatagrams:
    """A UDP link that is written down."""

    def __init__(self, inner: DatagramLink, recorder: Recorder, where: str) -> None:
        self._inner = inner
        self._recorder = recorder
        self._name = recorder.name("udp", where)

    async def send(self, data: bytes) -> None:
        """Send one datagram and write it down."""
        self._recorder.note(self._name, "out", data)
        await self._inner.send(data)

    async def receive(self, *, timeout_s: float) -> bytes:
        """Return the next datagram, written down."""
        data = await self._inner.receive(timeout_s=timeout_s)
        self._recorder.note(self._name, "in", data)
        return data

    async def close(self) -> None:
        """Close the link."""
        await self._inner.close()


class RecordedModbus:
    """A Modbus link that is written down, register by register."""

    def __init__(self, inner: ModbusLink, recorder: Recorder, where: str) -> None:
        self._inner = inner
        self._recorder = recorder
        self._name = recorder.name("modbus", where)

    async def holding(self, start: int, count: int, *, unit: int = 1, timeout_s: float = 3.0) -> Sequence[int]:
        """Read holding registers and write both sides down."""
        question = f"holding {start} {count} of {unit}"
        return await self._noted(question, self._inner.holding(start, count, unit=unit, timeout_s=timeout_s))

    async def inputs(self, start: int, count: int, *, unit: int = 1, timeout_s: float = 3.0) -> Sequence[int]:
        """Read input registers and write both sides down."""
        question = f"inputs {start} {count} of {unit}"
        return await self._noted(question, self._inner.inputs(start, count, unit=unit, timeout_s=timeout_s))

    async def _noted(self, question: str, asked: Awaitable[Sequence[int]]) -> Sequence[int]:
        self._recorder.note(self._name, "out", read=question)
        try:
            found = await asked
        except AppError as error:
            self._recorder.note(self._name, "end", read=question, error=type(error).__name__, text=error.message)
            raise
        self._recorder.note(self._name, "in", orjson.dumps(list(found)), read=question)
        return found

    async def close(self) -> None:
        """Close the link."""
        await self._inner.close()
