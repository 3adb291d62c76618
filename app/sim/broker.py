"""A small MQTT 3.1.1 broker for simulated chargers: QoS 0 and 1, retained messages, one login. For nothing else."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from app.errors import Garbled
from app.links.mqttframes import HAS_PASSWORD, HAS_USER, Kind, Packet, fits, message, packet, publish, read_text, split
from app.model.address import NetAddress

PACKET_LIMIT = 300_000


class Broker:
    """Use it as an async context manager. ``login`` is user and password, empty for none; ``refuses`` are topics."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, login: tuple[str, str] = ("", "")) -> None:
        self.host = host
        self.port = port
        self.login = login
        self.refuses: set[str] = set()
        self.retained: dict[str, bytes] = {}
        self._guests: dict[asyncio.StreamWriter, list[str]] = {}
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            self.drop_all()
            await self._server.wait_closed()

    @property
    def address(self) -> NetAddress:
        """Return where it answers."""
        return NetAddress(host=self.host, port=self.port, scheme="mqtt")

    def drop_all(self) -> None:
        """Break every connection off."""
        for writer in list(self._guests):
            writer.transport.abort()

    def spread(self, topic: str, payload: bytes) -> None:
        """Hand a message to everybody who listens."""
        for writer, patterns in self._guests.items():
            if any(fits(pattern, topic) for pattern in patterns):
                writer.write(publish(topic, payload))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rest = b""
        with suppress(OSError, Garbled, asyncio.CancelledError):
            while data := await reader.read(65_536):
                found, rest = split(rest + data, PACKET_LIMIT)
                while found is not None:
                    if not self._take(found, writer):
                        data = b""
                        break
                    found, rest = split(rest, PACKET_LIMIT)
                if not data:
                    break
                await writer.drain()
        self._guests.pop(writer, None)
        writer.close()

    def _take(self, found: Packet, writer: asyncio.StreamWriter) -> bool:
        if found.kind == Kind.CONNECT:
            may = self._may(found.body)
            if may:
                self._guests[writer] = []
            writer.write(packet(Kind.CONNACK, bytes([0, 0 if may else 5])))
            return may
        if writer not in self._guests:
            return False
        if found.kind == Kind.PUBLISH:
            told = message(found)
            if told.qos:
                writer.write(packet(Kind.PUBACK, told.number.to_bytes(2, "big")))
            if found.flags & 1:
                self.retained[told.topic] = told.payload
            self.spread(told.topic, told.payload)
        elif found.kind == Kind.SUBSCRIBE:
            self._subscribe(found, writer)
        elif found.kind == Kind.PINGREQ:
            writer.write(packet(Kind.PINGRESP))
        return found.kind != Kind.DISCONNECT

    def _subscribe(self, found: Packet, writer: asyncio.StreamWriter) -> None:
        pattern, _ = read_text(found.body, 2)
        is_refused = pattern in self.refuses
        if not is_refused:
            self._guests[writer].append(pattern)
        writer.write(packet(Kind.SUBACK, found.body[:2] + bytes([0x80 if is_refused else 1])))
        for topic, payload in self.retained.items():
            if not is_refused and fits(pattern, topic):
                writer.write(publish(topic, payload, is_retained=True))

    def _may(self, body: bytes) -> bool:
        _, at = read_text(body, 0)
        flags = body[at + 1]
        _, at = read_text(body, at + 4)
        user, at = read_text(body, at) if flags & HAS_USER else ("", at)
        password, at = read_text(body, at) if flags & HAS_PASSWORD else ("", at)
        return not self.login[0] or (user, password) == self.login
