"""Modbus TCP, reading only: pymodbus writes and reads the frames, our own line carries them.

Its client is not used: it reconnects and retries by itself, behind deadlines that are not ours (decision page "Modbus
frames over our own line"). No function code but 3 and 4 can be sent here.

Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b (frames: section 3.1.3); MODBUS Application Protocol
Specification V1.1b3 (read: sections 6.3 and 6.4; exception codes: section 7).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from app.errors import Garbled, NotSupported, TimedOut
from app.links.link import LineLink
from app.links.streams import TcpLine
from app.model.address import NetAddress

COUNT_LIMIT = 125
HEADER = 6
LENGTHS = range(3, 255)
"""Lengths a frame may name: unit, function and at least one byte; at most unit and 253 bytes (section 3.1.3)."""

STRANGE_LIMIT = 16
"""Frames passed over while one answer is awaited: late answers to questions nobody waits for any more."""

LINE_S = 60.0
"""Longer than any deadline of a question."""

EXCEPTIONS = {
    1: "it has no such function",
    2: "it has no such register",
    3: "it does not take the number of registers asked for",
    4: "it failed while it read them",
    5: "it needs longer for it",
    6: "it is busy",
    10: "its gateway has no path to it",
    11: "nothing behind its gateway answered",
}

# What a unit sends is told in our own errors; pymodbus would warn of each strange frame as well.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)


class ModbusTcp:
    """Modbus over one TCP connection, one question at a time."""

    def __init__(self, line: LineLink, where: str) -> None:
        self._line = line
        self._where = where
        self._framer = FramerSocket(DecodePDU(is_server=False))
        self._lock = asyncio.Lock()
        self._last = 0
        self._waiting = b""

    @classmethod
    async def open(cls, address: NetAddress, *, adapter_address: str = "") -> ModbusTcp:
        """Connect; raises NotReachable."""
        return cls(await TcpLine.open(address, adapter_address=adapter_address), str(address))

    async def holding(self, start: int, count: int, *, unit: int = 1, timeout_s: float = 3.0) -> Sequence[int]:
        """Read holding registers (function code 3)."""
        return await self._read(ReadHoldingRegistersRequest(address=start, count=count, dev_id=unit), timeout_s)

    async def inputs(self, start: int, count: int, *, unit: int = 1, timeout_s: float = 3.0) -> Sequence[int]:
        """Read input registers (function code 4)."""
        return await self._read(ReadInputRegistersRequest(address=start, count=count, dev_id=unit), timeout_s)

    async def close(self) -> None:
        """Close it. Idempotent."""
        await self._line.close()

    async def _read(self, question: ModbusPDU, timeout_s: float) -> Sequence[int]:
        try:
            async with asyncio.timeout(timeout_s), self._lock:
                self._last = question.transaction_id = self._last % 0xFFFF + 1
                await self._line.write(self._framer.buildFrame(question))
                answer = await self._answer(question)
        except TimeoutError as error:
            raise TimedOut(
                f"{self._where} did not answer over Modbus within {timeout_s:g} s.",
                "Check its power, and that Modbus TCP is switched on in it.",
            ) from error
        if isinstance(answer, ExceptionResponse):
            why = EXCEPTIONS.get(answer.exception_code, f"exception {answer.exception_code}")
            raise NotSupported(
                f"{self._where} does not tell register {question.address}: {why}.",
                "Check that this is the right kind of charger; model or firmware may not have it.",
            )
        if len(answer.registers) != question.count:
            raise await self._broken(f"{len(answer.registers)} registers instead of {question.count}")
        return tuple(answer.registers)

    async def _answer(self, question: ModbusPDU) -> ModbusPDU:
        for _ in range(STRANGE_LIMIT):
            frame = await self._frame()
            _, _, number, body = self._framer.decode(frame)
            if number != question.transaction_id:
                continue
            answer = self._framer.decoder.decode(body)
            if answer is None or answer.function_code & 0x7F != question.function_code:
                raise await self._broken("an answer to another question")
            return answer
        raise await self._broken("answers nobody asked for")

    async def _frame(self) -> bytes:
        """Return the next whole frame; raises Garbled where no frame can begin like that."""
        while True:
            end = HEADER + int.from_bytes(self._waiting[4:HEADER], "big")
            if len(self._waiting) >= HEADER:
                if self._waiting[2:4] != b"\0\0" or end - HEADER not in LENGTHS:
                    raise await self._broken("something that is not Modbus")
                if len(self._waiting) >= end:
                    frame, self._waiting = self._waiting[:end], self._waiting[end:]
                    return frame
            self._waiting += await self._line.read(timeout_s=LINE_S)

    async def _broken(self, what: str) -> Garbled:
        """Close: where the next frame begins is not known any more."""
        await self._line.close()
        return Garbled(f"{self._where} sent {what}.", "Check the address: this may be no charger, or no Modbus.")
