"""An MQTT 3.1.1 client over our own TCP line: one task-free conversation, each wait with a deadline.

Messages that arrive while an acknowledgement is awaited are kept in order. Nothing is ever sent again by itself.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque

from app.errors import AuthFailed, Garbled, LinkLost, NotReachable, NotSupported, TimedOut
from app.links.link import Credentials, LineLink
from app.links.mqttframes import (
    REFUSED_SUBSCRIPTION,
    Kind,
    Packet,
    acknowledge,
    connect,
    message,
    packet,
    publish,
    split,
    subscribe,
)
from app.links.streams import TcpLine
from app.model.address import NetAddress

ANSWER_S = 5.0
KEEP_ALIVE_S = 60
PING_S = 25.0
"""A wait longer than that is cut into pieces, with a ping between."""
PACKET_LIMIT = 300_000
WAITING_LIMIT = 1000
WAITING_CHARS = 2_000_000
"""Messages, and characters of them, kept until somebody reads them."""

REFUSALS = {
    1: "it speaks another version of MQTT",
    2: "it does not take this client's name",
    3: "it is not available",
    4: "user name or password is wrong",
    5: "it wants a login",
}
"""CONNACK return codes (MQTT 3.1.1 section 3.2.2.3)."""


class MqttTcp:
    """A connection to one broker."""

    def __init__(self, line: LineLink, where: str) -> None:
        self._line = line
        self._where = where
        self._rest = b""
        self._number = 0
        self._waiting: deque[tuple[str, str]] = deque()
        self._lock = asyncio.Lock()

    @classmethod
    async def open(
        cls, address: NetAddress, *, credentials: Credentials | None = None, adapter_address: str = ""
    ) -> MqttTcp:
        """Connect and log in; raises NotReachable, AuthFailed, and Garbled where something else answers."""
        link = cls(await TcpLine.open(address, adapter_address=adapter_address), str(address))
        try:
            await link._hello(credentials or Credentials())
        except BaseException:
            await link.close()
            raise
        return link

    async def publish(self, topic: str, payload: str) -> None:
        """Publish with QoS 1, not retained; raises LinkLost, TimedOut."""
        async with self._lock:
            number = self._next()
            await self._line.write(publish(topic, payload.encode(), number=number))
            await self._until(Kind.PUBACK, number)

    async def subscribe(self, topic: str) -> None:
        """Subscribe with QoS 1; raises LinkLost, TimedOut, NotSupported where the broker refuses."""
        async with self._lock:
            number = self._next()
            await self._line.write(subscribe(topic, number=number))
            answer = await self._until(Kind.SUBACK, number)
        if answer.body[2:3] in (b"", bytes([REFUSED_SUBSCRIPTION])):
            raise NotSupported(f"The broker at {self._where} does not let us listen to {topic}.", "Use another login.")

    async def receive(self, *, timeout_s: float) -> tuple[str, str]:
        """Return topic and payload of the next message; raises TimedOut, LinkLost, Garbled (not UTF-8, too long)."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        async with self._lock:
            while not self._waiting:
                left = until - loop.time()
                if left <= 0:
                    raise TimedOut(f"{self._where} sent nothing for {timeout_s:g} s.", "Check the charger's power.")
                try:
                    await self._take(await self._packet(min(left, PING_S)))
                except TimedOut:
                    if until - loop.time() > 0:
                        await self._line.write(packet(Kind.PINGREQ))
            return self._waiting.popleft()

    async def close(self) -> None:
        """Say goodbye and close. Idempotent."""
        try:
            await self._line.write(packet(Kind.DISCONNECT))
        except LinkLost:
            pass
        finally:
            await self._line.close()

    async def _hello(self, login: Credentials) -> None:
        name = f"rehome-{secrets.token_hex(6)}"
        password = login.password.reveal()
        await self._line.write(connect(name, keep_alive_s=KEEP_ALIVE_S, user=login.user, password=password))
        try:
            answer = await self._packet(ANSWER_S)
        except LinkLost as error:
            raise NotReachable(f"{self._where} hangs up at once: it is no MQTT broker.", "Check the port.") from error
        if answer.kind != Kind.CONNACK or len(answer.body) != 2:
            raise Garbled(f"{self._where} does not answer as an MQTT broker does.", "Check address and port.")
        code = answer.body[1]
        if code in (4, 5):
            raise AuthFailed(
                f"The broker at {self._where} refuses us: {REFUSALS[code]}.", "Enter the broker's user and password."
            )
        if code:
            why = REFUSALS.get(code, f"code {code}")
            raise NotReachable(f"The broker at {self._where} refuses us: {why}.", "Look at the broker's settings.")

    async def _until(self, kind: Kind, number: int) -> Packet:
        try:
            async with asyncio.timeout(ANSWER_S):
                while True:
                    found = await self._packet(ANSWER_S)
                    if found.kind == kind and found.number == number:
                        return found
                    await self._take(found)
        except TimeoutError as error:
            raise TimedOut(f"The broker at {self._where} does not answer.", "Check the charger's power.") from error

    async def _packet(self, timeout_s: float) -> Packet:
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    found, self._rest = split(self._rest, PACKET_LIMIT)
                    if found is not None:
                        return found
                    self._rest += await self._line.read(timeout_s=timeout_s)
        except TimeoutError as error:
            raise TimedOut(f"{self._where} sent nothing for {timeout_s:g} s.", "Check the charger's power.") from error

    async def _take(self, found: Packet) -> None:
        if found.kind != Kind.PUBLISH:
            return
        told = message(found)
        if told.qos:
            await self._line.write(acknowledge(told.number))
        kept = sum(len(topic) + len(payload) for topic, payload in self._waiting)
        if len(self._waiting) >= WAITING_LIMIT or kept > WAITING_CHARS:
            raise Garbled(f"{self._where} floods us with messages.", "Report it.")
        try:
            self._waiting.append((told.topic, told.payload.decode("utf-8")))
        except UnicodeDecodeError as error:
            raise Garbled(f"{self._where} sent a message that is no text.", "Report it.") from error

    def _next(self) -> int:
        self._number = self._number % 65_535 + 1
        return self._number
