"""Write a connection to an MQTT broker down, and replay it: one line per message, with its topic."""

from __future__ import annotations

from app.errors import AppError
from app.links.link import MqttLink
from app.links.recording import Recorder
from app.links.replay import Line, ReplayedLine


class RecordedMqtt:
    """A connection to a broker that is written down."""

    def __init__(self, inner: MqttLink, recorder: Recorder, where: str) -> None:
        self._inner = inner
        self._recorder = recorder
        self._name = recorder.name("mqtt", where)

    async def publish(self, topic: str, payload: str) -> None:
        """Publish and write it down."""
        self._recorder.note(self._name, "out", payload, topic=topic)
        await self._inner.publish(topic, payload)

    async def subscribe(self, topic: str) -> None:
        """Subscribe and write it down."""
        self._recorder.note(self._name, "subscribe", topic=topic)
        await self._inner.subscribe(topic)

    async def receive(self, *, timeout_s: float) -> tuple[str, str]:
        """Return the next message, written down."""
        try:
            topic, payload = await self._inner.receive(timeout_s=timeout_s)
        except AppError as error:
            self._recorder.note(self._name, "end", error=type(error).__name__, text=error.message)
            raise
        self._recorder.note(self._name, "in", payload, topic=topic)
        return topic, payload

    async def close(self) -> None:
        """Close the connection."""
        await self._inner.close()


class ReplayedMqtt:
    """A connection that follows a recording: what was published must be published, then comes what was answered."""

    def __init__(self, lines: list[Line]) -> None:
        self._line = ReplayedLine(lines)

    async def publish(self, topic: str, payload: str) -> None:
        """Go to the place where this was published; raises Unexpected where there is none."""
        del topic
        await self._line.write(payload.encode())

    async def subscribe(self, topic: str) -> None:
        """Do nothing: what was recorded comes anyway."""
        del topic

    async def receive(self, *, timeout_s: float) -> tuple[str, str]:
        """Return the message recorded next."""
        payload = await self._line.read(timeout_s=timeout_s)
        return str(self._line.last.get("topic", "")), payload.decode()

    async def close(self) -> None:
        """Close it."""
        await self._line.close()
