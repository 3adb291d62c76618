"""A simulated Modbus TCP server over plain sockets: registers of chargers as their makers lay them out.

Source of the frames: MODBUS Messaging on TCP/IP Implementation Guide V1.0b; of the exceptions: MODBUS Application
Protocol Specification V1.1b3, section 7. It takes writes too, and remembers that somebody wrote: nobody should.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

from app.model.address import NetAddress
from app.sim.fault import Fault

READS = {3: "holding", 4: "input"}
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3

Image = dict[tuple[str, int], int]
"""(kind, address) → register."""


class ModbusServer:
    """One server with one image of registers. Use it as an async context manager.

    ``units``: the unit numbers it answers to, to others it is silent (empty = all). ``alone``: questions may not reach
    over two of its values, given as ranges. ``closes``: it hangs up instead of naming an unknown register. ``limit``:
    so many connections are served, further ones are closed at once.
    """

    def __init__(
        self,
        image: Image,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        units: Iterable[int] = (),
        alone: Mapping[int, int] | None = None,
        closes: bool = False,
        limit: int = 8,
        faults: Iterable[Fault] = (),
    ) -> None:
        self.image = image
        self.host = host
        self.port = port
        self.units = frozenset(units)
        self.alone = alone or {}
        self.closes = closes
        self.limit = limit
        self.faults: set[Fault] = set(faults)
        self.heard: list[tuple[int, int, int, int]] = []
        """Unit, function code, first register and count of every question."""
        self.instead: bytes | None = None
        """What it sends in place of every answer."""
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._is_quiet = asyncio.Event()
        self._is_quiet.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()
        await self._is_quiet.wait()

    @property
    def address(self) -> NetAddress:
        """Return where it answers."""
        return NetAddress(host=self.host, port=self.port, scheme="modbus")

    @property
    def was_written(self) -> bool:
        """Say whether anything but reading was tried."""
        return any(function not in READS for _, function, _, _ in self.heard)

    def hang_up(self) -> None:
        """Close every connection, as a restart does."""
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self._is_quiet.clear()
        try:
            while len(self._open) <= self.limit:
                if not await self._exchange(reader, writer):
                    return
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            self._open.discard(writer)
            if not self._open:
                self._is_quiet.set()
            with suppress(OSError):
                writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        number, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
        question = await reader.readexactly(length - 1)
        start, count = struct.unpack(">HH", question[1:5])
        self.heard.append((unit, question[0], start, count))
        if self.instead is not None:
            writer.write(self.instead)
            return True
        if Fault.SILENT in self.faults or (self.units and unit not in self.units):
            return True
        answer = self._answer(question[0], start, count)
        if answer[0] & 0x80 and self.closes:
            return False
        writer.write(struct.pack(">HHHB", number, 0, len(answer) + 1, unit) + answer)
        await writer.drain()
        return True

    def _answer(self, function: int, start: int, count: int) -> bytes:
        kind = READS.get(function)
        if kind is None:
            return bytes((function | 0x80, ILLEGAL_FUNCTION))
        if not 1 <= count <= 125:
            return bytes((function | 0x80, ILLEGAL_VALUE))
        words = [self.image.get((kind, start + step)) for step in range(count)]
        if None in words or (self.alone and self.alone.get(start) != count):
            return bytes((function | 0x80, ILLEGAL_ADDRESS))
        return bytes((function, 2 * count)) + b"".join(struct.pack(">H", word) for word in words)


def put(image: Image, kind: str, address: int, *words: int) -> None:
    """Set registers one after the other."""
    for step, word in enumerate(words):
        image[kind, address + step] = word & 0xFFFF


def put_long(image: Image, kind: str, address: int, *numbers: int, words: int = 2) -> None:
    """Set numbers of several registers each, the high word first."""
    for step, number in enumerate(numbers):
        raw = (number & (1 << 16 * words) - 1).to_bytes(2 * words, "big")
        put(image, kind, address + words * step, *struct.unpack(f">{words}H", raw))


def put_text(image: Image, kind: str, address: int, text: str, words: int, *, wide: bool = False) -> None:
    """Set a text, padded with zero bytes: two characters a register, or one."""
    raw = text.encode("utf-16-be" if wide else "ascii").ljust(2 * words, b"\0")
    put(image, kind, address, *struct.unpack(f">{words}H", raw[: 2 * words]))
