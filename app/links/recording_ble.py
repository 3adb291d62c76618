"""Write a Bluetooth LE connection down, and replay it: whole messages instead of the pieces they travel in.

A secret that is cut in two by the pieces could not be found and masked. Messages that carry their length in front, as
decimal digits before JSON, are written one by one as that JSON; anything else as it came, up to the next answer.
"""

from __future__ import annotations

from app.errors import AppError, LinkLost, Unexpected
from app.links.link import BleLink
from app.links.recording import Recorder
from app.links.replay import Line, ReplayedLine

PREFIX_LIMIT = 7
BUFFER_LIMIT = 1_000_000


def frames(raw: bytes) -> tuple[list[bytes], bytes]:
    """Split bytes into messages with their length in front (without it), and the unfinished rest."""
    found = []
    while raw:
        digits = len(raw) - len(raw.lstrip(b"0123456789"))
        if not 0 < digits <= PREFIX_LIMIT or raw[digits : digits + 1] not in (b"[", b"{"):
            break
        end = digits + int(raw[:digits])
        if end > len(raw):
            break
        found.append(raw[digits:end])
        raw = raw[end:]
    return found, raw


def framed(message: bytes) -> bytes:
    """Put a message's length in front of it."""
    return str(len(message)).encode("ascii") + message


class RecordedBle:
    """A Bluetooth connection that is written down."""

    def __init__(self, inner: BleLink, recorder: Recorder, where: str) -> None:
        self._inner = inner
        self._recorder = recorder
        self._name = recorder.name("ble", where)
        self._held = b""
        self._held_by = ("", "")
        recorder.note(self._name, "open", services=" ".join(sorted(inner.services)))

    @property
    def services(self) -> frozenset[str]:
        """Return the UUIDs of its services."""
        return self._inner.services

    async def listen(self, characteristic: str) -> None:
        """Ask for its notifications."""
        await self._inner.listen(characteristic)

    async def write(self, characteristic: str, data: bytes) -> None:
        """Write one value and write it down."""
        self._hold("out", characteristic, data)
        try:
            await self._inner.write(characteristic, data)
        except AppError as error:
            self._end(error)
            raise

    async def receive(self, *, timeout_s: float) -> tuple[str, bytes]:
        """Return the next notification, written down."""
        try:
            characteristic, value = await self._inner.receive(timeout_s=timeout_s)
        except AppError as error:
            self._end(error)
            raise
        self._hold("in", characteristic, value)
        return characteristic, value

    async def close(self) -> None:
        """Disconnect, and write down what is left."""
        self._flush()
        await self._inner.close()

    def _hold(self, direction: str, characteristic: str, data: bytes) -> None:
        if self._held_by != (direction, characteristic):
            self._flush()
            self._held_by = (direction, characteristic)
        whole, self._held = frames(self._held + data)
        for message in whole:
            self._recorder.note(self._name, direction, message, characteristic=characteristic)
        if len(self._held) > BUFFER_LIMIT:
            self._flush()

    def _flush(self) -> None:
        held, self._held = self._held, b""
        if held:
            direction, characteristic = self._held_by
            self._recorder.note(self._name, direction, held, characteristic=characteristic)

    def _end(self, error: AppError) -> None:
        self._flush()
        self._recorder.note(self._name, "end", error=type(error).__name__, text=error.message)


class ReplayedBle:
    """A Bluetooth connection that follows a recording."""

    def __init__(self, lines: list[Line], secret_keys: frozenset[str] = frozenset()) -> None:
        self._services = frozenset(
            uuid for line in lines if line["direction"] == "open" for uuid in str(line.get("services", "")).split()
        )
        self._line = ReplayedLine(lines, secret_keys)
        self._answers_on = next(
            (str(line["characteristic"]) for line in lines if line["direction"] == "in" and "characteristic" in line),
            "",
        )
        self._held = b""
        self._is_closed = False

    @property
    def services(self) -> frozenset[str]:
        """Return the UUIDs of its services."""
        return self._services

    async def listen(self, characteristic: str) -> None:
        """Do nothing: what was recorded comes anyway."""
        del characteristic

    async def write(self, characteristic: str, data: bytes) -> None:
        """Go to the place where this message was written, once it is whole; raises Unexpected."""
        del characteristic
        if self._is_closed:
            raise LinkLost("The replayed link is closed.", "Open the recording again.")
        whole, self._held = frames(self._held + data)
        if len(self._held) > BUFFER_LIMIT:
            raise Unexpected("The message has no end.", "Record this call on a charger.")
        for message in whole:
            await self._line.write(message)

    async def receive(self, *, timeout_s: float) -> tuple[str, bytes]:
        """Return the message recorded next, in one piece."""
        message = await self._line.read(timeout_s=timeout_s)
        return self._answers_on, framed(message) if message[:1] in (b"[", b"{") else message

    async def close(self) -> None:
        """Close it."""
        self._is_closed = True
        await self._line.close()
