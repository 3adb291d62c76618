"""The console of a simulated JuiceBox: the module's command line over telnet and over a serial line.

Sources: sessions shown in home-assistant/core issue 86588 (greeting, ``list``, ``close``, ``udpc``) and
JuiceRescue/juicepassproxy issue 93 (“EnelX Web App Console”, ``get ud``); its README (``network_lookup``) and
``juicebox_telnet.py`` (echo, prompt); Silicon Labs, Gecko OS 4 variables (names, “Set OK”). How the module words its
errors is not in them: “Unknown command” and “Command failed” are our own, and nothing may hang on them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from types import TracebackType
from typing import Self

from app.model.address import NetAddress, SerialAddress
from app.scope import Scope
from app.sim.fault import Fault
from app.sim.juicebox import JuiceBox
from app.sim.rapi import PtyWire, SocketWire, has_ptys

PROMPT = "> "
WEB_GREETING = "EnelX Web App Console - v3.1.5"
UNKNOWN, FAILED = "Unknown command", "Command failed"
LINE_LIMIT = 512


class Terminal:
    """What answers a line. ``lines`` are all it was asked; ``variables`` can be looked at and set.

    The Wi-Fi password stands among the variables, as ``get all`` prints it.
    """

    def __init__(self, box: JuiceBox, *, passkey: str = "garage-wifi-password", files: Iterable[str] = ()) -> None:
        self.box = box
        self.lines: list[str] = []
        self.files = tuple(files) or ("webapp/index.html-1.4.0.24 (1995, 0)",)
        self.saves = 0
        self.variables = {
            "email.name_address": box.serial,
            "udp.client.remote_host": "",
            "udp.client.remote_port": "3000",
            "wlan.dhcp.enabled": "1",
            "wlan.mac": "4C:55:CC:10:20:30",
            "wlan.network.dns": box.dns[0] if box.dns else "0.0.0.0",
            "wlan.network.gateway": "127.0.0.1",
            "wlan.network.ip": box.host,
            "wlan.passkey": passkey,
            "wlan.ssid": "garage",
            "wlan.static.dns": "0.0.0.0",
        }

    def greeting(self) -> str:
        """Return what is said to whoever connects."""
        return self.stamped("Ready")

    def stamped(self, text: str) -> str:
        """Word an event."""
        return f"[{datetime.now().astimezone():%Y-%m-%d | %H:%M:%S}: {text}]"

    async def answer(self, line: str) -> list[str]:
        """Return the lines of an answer."""
        self.lines.append(line)
        name, _, rest = line.strip().partition(" ")
        commands: dict[str, Callable[[str], list[str]]] = {
            "ver": self._version,
            "list": self._list,
            "get": self._get,
            "set": self._set,
            "save": self._save,
            "close": self._close,
            "stream_close": self._close,
        }
        if name in ("udpc", "udp_client"):
            return await self._open(rest)
        if name == "network_lookup":
            return [await self.box.look_up(rest.strip()) or FAILED]
        if name == "reboot":
            await self.box.power_cycle()
            return [self.stamped("Ready")]
        command = commands.get(name)
        return command(rest.strip()) if command else [UNKNOWN] if name else []

    def _version(self, _rest: str) -> list[str]:
        return [self.box.make.version or UNKNOWN]

    def _list(self, _rest: str) -> list[str]:
        numbered = [f"# 0 FILE  {name}" for name in self.files]
        streams = [
            f"# {number} UDPC  {item.host}:{item.port} ({item.local_port})"
            for number, item in sorted(self.box.streams.items())
        ]
        return ["! # Type  Info", *numbered, *streams]

    def _get(self, name: str) -> list[str]:
        if name in self.variables:
            return [self.variables[name]]
        found = [f"{key}: {value}" for key, value in self.variables.items() if name == "all" or key.startswith(name)]
        return found if name and found else [FAILED]

    def _set(self, rest: str) -> list[str]:
        name, _, value = rest.partition(" ")
        if name not in self.variables:
            return [FAILED]
        self.variables[name] = value
        return ["Set OK"]

    def _save(self, _rest: str) -> list[str]:
        self.saves += 1
        return ["Success"]

    def _close(self, rest: str) -> list[str]:
        if not rest.isdecimal() or not self.box.close(int(rest)):
            return [FAILED]
        return [self.stamped(f"Closed: {rest}"), "Success"]

    async def _open(self, rest: str) -> list[str]:
        """Open a stream for the application, which will send on it and never read it."""
        host, _, port = rest.strip().rpartition(" ")
        if not host or not port.isdecimal():
            return [FAILED]
        begun = [self.stamped(f"Opening: {host}:{port}"), f"Resolving host: {host}"]
        address = await self.box.look_up(host)
        if not address:
            return [*begun, FAILED]
        number = await self.box.open(address, int(port), name=host, reads=False)
        return [*begun, f"Connecting: {host}:{port}", self.stamped(f"Opened: {number}"), str(number)]


class _Lines:
    """Cuts bytes into lines, ended by CR, LF or both, as a terminal sends them."""

    def __init__(self) -> None:
        self._text = ""

    def fed(self, data: bytes) -> list[str]:
        self._text += data.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
        *whole, rest = self._text.split("\n")
        self._text = rest[-LINE_LIMIT:]
        return [line[-LINE_LIMIT:] for line in whole]


def _shown(line: str, answer: list[str]) -> bytes:
    """Word the echo, the answer and the next prompt."""
    return ("\r\n".join([line, *answer]) + "\r\n" + PROMPT).encode("latin-1")


class JuiceBoxTelnet:
    """A box with its console on a TCP port. Use it as an async context manager.

    ``greeting`` replaces the usual one; ``refuses`` leaves the port closed, as on units that were locked.
    """

    def __init__(
        self,
        box: JuiceBox,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        greeting: str = "",
        refuses: bool = False,
        faults: Iterable[Fault] = (),
    ) -> None:
        self.box = box
        self.terminal = Terminal(box, files=("godaddy_ca.pem-1.0.0 (1390, 0)",) if greeting else ())
        self.faults = set(faults)
        self._host = host
        self._port = port
        self._greeting = greeting
        self._refuses = refuses
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        await self.box.__aenter__()
        if not self._refuses:
            self._server = await asyncio.start_server(self._serve, self._host, self._port)
            self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            self.hang_up()
            await self._server.wait_closed()
        await self.box.__aexit__(kind, error, trace)

    @property
    def address(self) -> NetAddress:
        """Return where its console listens."""
        return NetAddress(host=self._host, port=self._port, scheme="tcp")

    def hang_up(self) -> None:
        """Drop whoever is connected, as a restart does."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        lines = _Lines()
        try:
            if Fault.SILENT not in self.faults:
                greeting = self._greeting or self.terminal.greeting()
                writer.write(f"{greeting}\r\n{PROMPT}".encode("latin-1"))
            while data := await reader.read(1024):
                for line in lines.fed(data):
                    if Fault.SILENT not in self.faults:
                        writer.write(_shown(line, await self.terminal.answer(line)))
                await writer.drain()
        except OSError:
            return
        finally:
            self._writers.discard(writer)
            writer.close()


class JuiceBoxSerial:
    """A box with its console on the header inside it. Use it as an async context manager.

    ``chatter`` is what the application prints before each answer; ``instead`` replaces all answers.
    """

    def __init__(
        self,
        box: JuiceBox,
        *,
        wire: PtyWire | SocketWire | None = None,
        faults: Iterable[Fault] = (),
        chatter: str = "",
    ) -> None:
        self.box = box
        self.terminal = Terminal(box)
        self.faults = set(faults)
        self.chatter = chatter
        self.instead = b""
        self._wire: PtyWire | SocketWire = wire or (PtyWire() if has_ptys() else SocketWire())
        self._lines = _Lines()
        self._scope = Scope("sim/juicebox/serial")
        self._waiting: asyncio.Queue[str] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        await self.box.__aenter__()
        await self._wire.open(self._received)
        self._scope.isolated("answers", self._answer())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._scope.close()
        self._wire.close()
        await self.box.__aexit__(kind, error, trace)

    @property
    def port(self) -> str:
        """Return the name of its serial port."""
        return self._wire.port

    @property
    def address(self) -> SerialAddress:
        """Return the address to open."""
        return SerialAddress(port=self._wire.port)

    def say(self, text: str) -> None:
        """Print something."""
        self._wire.write(text.encode("latin-1"))

    def _received(self, data: bytes) -> None:
        for line in self._lines.fed(data):
            self._waiting.put_nowait(line)

    async def _answer(self) -> None:
        while True:
            line = await self._waiting.get()
            if Fault.SILENT not in self.faults:
                answer = self.chatter.encode("latin-1") + _shown(line, await self.terminal.answer(line))
                self._wire.write(self.instead or answer)
