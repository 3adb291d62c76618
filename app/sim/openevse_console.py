"""A simulated OpenEVSE gateway whose configuration console lies on a serial line (src/main.cpp, handle_serial)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from app.model.address import SerialAddress
from app.sim.fault import Fault
from app.sim.openevse import OpenEvseGateway
from app.sim.openevse_config import fits_pool
from app.sim.rapi import PtyWire, SocketWire, has_ptys

BUFFER = 256
"""The port's receive buffer: of a longer line the beginning is lost (Arduino-ESP32; when it is read too late)."""


class OpenEvseConsoleGateway:
    """A gateway, its web interface and its console. Use it as an async context manager.

    ``lines`` are what the console heard; ``chatter`` is what a debug build prints before each answer.
    """

    def __init__(
        self,
        firmware: str = "v5.1.5",
        *,
        serial: str = "240AC411B7D5",
        time_scale: float = 1.0,
        config: dict[str, Any] | None = None,
        faults: Iterable[Fault] = (),
        chatter: str = "",
        wire: PtyWire | SocketWire | None = None,
    ) -> None:
        self.gateway = OpenEvseGateway(firmware, serial=serial, time_scale=time_scale, config=config, faults=faults)
        self.faults = self.gateway.faults
        self.chatter = chatter
        self.lines: list[str] = []
        self.on_line: Callable[[str], None] = lambda _line: None
        self.has_power = self.answers = True
        self._wire: PtyWire | SocketWire = wire or (PtyWire() if has_ptys() else SocketWire())
        self._buffer = b""

    async def __aenter__(self) -> Self:
        await self.gateway.__aenter__()
        await self._wire.open(self._received)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wire.close()
        await self.gateway.__aexit__(kind, error, trace)

    @property
    def address(self) -> SerialAddress:
        """Return the address to open."""
        return SerialAddress(port=self._wire.port)

    def pull_cable(self) -> None:
        """Unplug the adapter."""
        self._wire.close()

    def say(self, text: str) -> None:
        """Print something."""
        self._wire.write(text.encode("latin-1"))

    def _received(self, data: bytes) -> None:
        self._buffer += data
        while b"\n" in self._buffer:
            line, _, self._buffer = self._buffer.partition(b"\n")
            text = line.decode("latin-1")[-BUFFER:]
            if text and self.has_power and Fault.SILENT not in self.faults:
                self._heard(text)

    def _heard(self, line: str) -> None:
        self.lines.append(line)
        self.on_line(line)
        if Fault.DROPS_MID_WRITE in self.faults and "{}" not in line:
            self._act(line)
            self.pull_cable()
            return
        answer = self._act(line)
        self.say(self.chatter + (answer if self.answers else ""))

    def _act(self, line: str) -> str:
        command, separator, text = line.partition(":")
        if not separator or not command:
            return ""
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        if not isinstance(document, dict) or not fits_pool(document) or (Fault.REFUSES in self.faults and document):
            return '{"code":400,"msg":"Could not parse JSON"}\r\n'
        if command.strip() == "factory" and self.gateway.config["factory_write_lock"]:
            return '{"code":423,"msg":"Factory settings locked"}\r\n'
        if command.strip() not in ("config", "factory"):
            return ""
        changed = self.gateway.store.apply(document)
        if changed:
            self.gateway.changed(changed)
        return json.dumps({"code": 200, "msg": "done" if changed else "no change"}, separators=(",", ":")) + "\n"
