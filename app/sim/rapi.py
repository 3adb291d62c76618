"""A simulated OpenEVSE controller on a serial line: RAPI as the firmware speaks it.

Source: OpenEVSE/open_evse firmware/open_evse/rapi_proc.cpp (8.2.3, RAPI 5.2.1).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from functools import reduce
from types import TracebackType
from typing import Protocol, Self

from app.model.address import SerialAddress
from app.scope import Scope
from app.sim.car import Outlet
from app.sim.fault import Fault

BUFFER = 32
"""``ESRAPI_BUFLEN``: longer input is dropped without an answer."""


def xor_sum(text: str) -> str:
    """Return the ``^XX`` checksum of everything before it."""
    return f"{reduce(lambda total, char: total ^ ord(char), text, 0):02X}"


def additive_sum(text: str) -> str:
    """Return the legacy ``*XX`` checksum."""
    return f"{sum(map(ord, text)) & 0xFF:02X}"


class Controller:
    """The controller's command set over one outlet.

    ``commands`` lists everything it was asked; ``unknown`` names commands its firmware was built without;
    ``returns_ids`` is false for OpenEVSE_Emulator, which ignores sequence ids.
    """

    def __init__(
        self, outlet: Outlet, *, firmware: str = "8.2.3", rapi: str = "5.2.1", mcu_id: str = "OEVSE111A7D4B2"
    ) -> None:
        self.outlet = outlet
        self.firmware = firmware
        self.rapi = rapi
        self.mcu_id = mcu_id
        self.fault_state = 0
        self.max_current_a = 32
        self.settings_flags = 0x0021
        self.unknown: set[str] = set()
        self.returns_ids = True
        self.commands: list[str] = []

    @property
    def state(self) -> int:
        """Return the EVSE state number."""
        if self.fault_state:
            return self.fault_state
        return 3 if self.outlet.is_charging else 2 if self.outlet.is_plugged else 1

    @property
    def vflags(self) -> int:
        """Return the volatile flags."""
        if self.outlet.is_charging:
            return 0x0140
        return 0x0100 if self.outlet.is_plugged else 0x0200

    def reply(self, line: str) -> str:
        """Answer one line without its CR: ``$…[ :SS][^XX|*XX]``. An empty text = no answer."""
        if len(line) >= BUFFER:
            return ""
        body, kind, checksum = split_checksum(line)
        wanted = {"^": xor_sum, "*": additive_sum}.get(kind)
        if wanted is not None and wanted(body) != checksum.upper():
            return "$NK^21"
        words = body[1:].split()
        sequence = words.pop()[1:] if words and words[-1].startswith(":") else ""
        self.commands.append(" ".join(words))
        return self._framed(self._answer(words), sequence)

    def state_line(self) -> str:
        """Return the unasked ``$AT`` line of the present state."""
        text = f"$AT {self.state:02x} {self.state:02x} {round(self.outlet.limit_a)} {self.vflags:04x}"
        return f"{text}^{xor_sum(text)}"

    def boot_line(self) -> str:
        """Return the unasked ``$AB`` line of a start."""
        text = f"$AB {self.state:02x} {self.firmware}"
        return f"{text}^{xor_sum(text)}"

    def _framed(self, answer: str, sequence: str) -> str:
        text = f"{answer} :{sequence}" if sequence.strip("0") and self.returns_ids else answer
        return f"{text}^{xor_sum(text)}"

    def _answer(self, words: list[str]) -> str:
        answers: dict[str, Callable[[], str]] = {
            "GV": lambda: f"{self.firmware} {self.rapi}",
            "GS": lambda: f"{self.state:02x} {self._elapsed_s()} {self.state:02x} {self.vflags:04x}",
            "GG": lambda: f"{round(self.outlet.current_a * 1000)} {round(self.outlet.voltage_v * 1000)}",
            "GP": lambda: f"{round(self.outlet.temperature_c * 10)} -2560 -2560",
            "GC": lambda: f"6 48 {round(self.outlet.limit_a)} {self.max_current_a}",
            "GE": lambda: f"{self.max_current_a} {self.settings_flags:04x}",
            "GF": lambda: "0 0 0",
            "GU": lambda: f"{round(self.outlet.session_wh * 3600)} {round(self.outlet.energy_wh)}",
            "GI": lambda: f" {self.mcu_id}",
            "G0": lambda: str(int(self.outlet.is_plugged)),
            "GA": lambda: "220 0",
            "GT": lambda: "26 11 22 12 0 0",
        }
        answer = answers.get(words[0]) if words and words[0] not in self.unknown else None
        return f"$OK {answer()}" if answer else "$NK"

    def _elapsed_s(self) -> int:
        return round(self.outlet.session_wh * 3600 / self.outlet.power_w) if self.outlet.power_w else 0


def split_checksum(line: str) -> tuple[str, str, str]:
    """Take a line apart into body, kind of checksum (``^``, ``*`` or empty) and its digits."""
    for kind in "^*":
        body, mark, digits = line.partition(kind)
        if mark:
            return body, kind, digits
    return line, "", ""


class _Wire(Protocol):
    """The computer's end of the cable leads to ``port``."""

    port: str

    async def open(self, received: Callable[[bytes], None]) -> None: ...
    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...


class PtyWire:
    """A pseudo terminal (Linux, macOS). Closing it is what an unplugged adapter looks like."""

    def __init__(self) -> None:
        import tty

        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        self._is_open = True

    async def open(self, received: Callable[[bytes], None]) -> None:
        """Begin to listen."""
        asyncio.get_running_loop().add_reader(self._master, self._read, received)

    def write(self, data: bytes) -> None:
        """Send; what nobody reads is lost, as on a real line."""
        if self._is_open:
            try:
                os.write(self._master, data)
            except BlockingIOError:
                return

    def close(self) -> None:
        """Pull the cable. Idempotent."""
        if self._is_open:
            self._is_open = False
            asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._master)
            os.close(self._slave)

    def _read(self, received: Callable[[bytes], None]) -> None:
        try:
            received(os.read(self._master, 4096))
        except OSError:
            self.close()


class SocketWire:
    """A TCP port that pyserial opens as ``socket://`` (Windows has no pseudo terminals)."""

    def __init__(self) -> None:
        self.port = ""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self, received: Callable[[bytes], None]) -> None:
        """Begin to listen."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._writers.add(writer)
            try:
                while data := await reader.read(4096):
                    received(data)
            except ConnectionError:
                pass
            finally:
                self._writers.discard(writer)
                writer.close()

        self._server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.port = f"socket://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def write(self, data: bytes) -> None:
        """Send."""
        for writer in self._writers:
            writer.write(data)

    def close(self) -> None:
        """Pull the cable. Idempotent."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()


def has_ptys() -> bool:
    """Say whether this computer has pseudo terminals (Windows has none, a bare chroot may lack them)."""
    try:
        master, slave = os.openpty()
    except (AttributeError, OSError):
        return False
    os.close(master)
    os.close(slave)
    return True


class RapiController:
    """A controller on a serial line of its own, with a car. Use it as an async context manager.

    ``on_line`` hears every command before it is answered.
    """

    def __init__(
        self,
        *,
        firmware: str = "8.2.3",
        rapi: str = "5.2.1",
        mcu_id: str = "OEVSE111A7D4B2",
        time_scale: float = 1.0,
        faults: Iterable[Fault] = (),
        wire: PtyWire | SocketWire | None = None,
    ) -> None:
        self.time_scale = max(time_scale, 0.001)
        self.outlet = Outlet(1, self.time_scale)
        self.controller = Controller(self.outlet, firmware=firmware, rapi=rapi, mcu_id=mcu_id)
        self.faults: set[Fault] = set(faults)
        self.reboot_s = 2.0
        self._wire: _Wire = wire or (PtyWire() if has_ptys() else SocketWire())
        self.on_line: Callable[[str], None] = lambda _line: None
        self._buffer = ""
        self._has_power = True
        self._scope = Scope("sim/rapi")

    async def __aenter__(self) -> Self:
        await self._wire.open(self._received)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._scope.close()
        self._wire.close()

    @property
    def port(self) -> str:
        """Return the port to open on the computer's side."""
        return self._wire.port

    @property
    def address(self) -> SerialAddress:
        """Return the address to open."""
        return SerialAddress(port=self.port)

    @property
    def commands(self) -> list[str]:
        """Return everything it was ever asked."""
        return self.controller.commands

    def plug_in(self) -> None:
        """Connect a car; it charges at once."""
        self.outlet.is_plugged = self.outlet.is_charging = True
        self.say(self.controller.state_line())

    def unplug(self) -> None:
        """Take the car away."""
        self.outlet.is_plugged = self.outlet.is_charging = False
        self.say(self.controller.state_line())

    def trip(self, state: int = 6) -> None:
        """Report a fault state; 0 ends it."""
        self.controller.fault_state = state
        self.outlet.is_charging = False
        self.say(self.controller.state_line())

    def pull_cable(self) -> None:
        """Unplug the adapter from the computer."""
        self._wire.close()

    def say(self, line: str) -> None:
        """Send a line unasked."""
        if self._has_power and Fault.SILENT not in self.faults:
            self._wire.write(line.encode("latin-1") + b"\r")

    def noise(self, data: bytes) -> None:
        """Send raw bytes."""
        self._wire.write(data)

    async def power_cycle(self, off_s: float | None = None) -> None:
        """Cut the power for ``off_s`` (scaled; default ``reboot_s``); it says so when it is back."""
        self._has_power = self.outlet.is_charging = False
        await asyncio.sleep((self.reboot_s if off_s is None else off_s) * self.time_scale)
        self._has_power = True
        self.say(self.controller.boot_line())

    def _received(self, data: bytes) -> None:
        for char in data.decode("latin-1"):
            if char == "$":
                self._buffer = char
            elif char == "\r" and self._buffer:
                line, self._buffer = self._buffer, ""
                self._answer(line)
            elif self._buffer and len(self._buffer) < BUFFER:
                self._buffer += char

    def _answer(self, line: str) -> None:
        self.on_line(line)
        answer = self.controller.reply(line) if self._has_power else ""
        if answer and Fault.SLOW in self.faults:
            self._scope.isolated("slow", self._late(answer))
        elif answer:
            self.say(answer)

    async def _late(self, answer: str) -> None:
        await asyncio.sleep(0.7 * self.time_scale)
        self.say(answer)
