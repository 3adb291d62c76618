"""A simulated KEBA charger on UDP, and what its sisters do differently.

Sources: KEBA "KeContact P30 UDP Programmers Guide" V2.01; dannerph/keba-kecontact 4.3.1: emulator.py; product codes and
reports of real units in OpenEMS, nymea-plugins and dannerph/keba-kecontact.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from app.model.address import NetAddress
from app.sim.chargepoint import ChargePoint
from app.sim.fault import Fault

PORT = 7090
SESSIONS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """What a product is: its code and firmware, and what is in it."""

    product: str
    firmware: str
    has_com: bool = False
    has_meter: bool = True
    has_log: bool = True
    trailing_comma: bool = False


MAKES: Mapping[str, Make] = {
    "p30-c": Make(product="KC-P30-EC240422-E00", firmware="P30 v 3.10.57 (240521-093236)"),
    "p30-x": Make(product="KC-P30-EC2404B2-M0A-GE", firmware="P30 v 3.10.28 (210316-115052)", has_com=True),
    "p30-old": Make(product="KC-P30-ES240022-E0R", firmware="P30 v 3.9.14 (180227-111537)"),
    "p20-e": Make(
        product="KC-P20-ES240001-000",
        firmware="P20 v 2.5a3 (151204-103030)",
        has_meter=False,
        has_log=False,
        trailing_comma=True,
    ),
    "bmw": Make(product="BMW-10-EC2405B2-E1R", firmware="P30 v 3.9.17 (180601-115841)", has_com=True),
}


class KebaUnit(asyncio.DatagramProtocol):
    """One charger. Use it as an async context manager; ``address`` is known inside.

    It answers to the port it listens on itself, whatever port the question came from. ``dip_udp`` is DIP switch 1.3:
    read when it is switched on; off = silent. ``point`` is the OCPP client of an x-series, where there is one.
    """

    def __init__(
        self,
        make: str = "p30-c",
        *,
        host: str = "127.0.0.2",
        port: int = PORT,
        serial: str = "17654321",
        dip_udp: bool = True,
        faults: Iterable[Fault] = (),
        point: ChargePoint | None = None,
        broadcast_host: str = "",
    ) -> None:
        self.make = MAKES[make]
        self.host = host
        self.port = port
        self.serial = serial
        self.dip_udp = dip_udp
        self.faults: set[Fault] = set(faults)
        self.point = point
        self.heard: list[str] = []
        self.state = 1
        self.plug = 3
        self.error = 0
        self.locked = False
        self.session = 35
        self.energy_wh = 1_234_567.8
        self.lose = 0
        """How many questions are still lost on the way."""
        self.instead: bytes | None = None
        """What it sends in place of every answer."""
        self._broadcast_host = broadcast_host
        self._sockets: list[asyncio.DatagramTransport] = []

    async def __aenter__(self) -> Self:
        await self.power_on()
        if self.point is not None:
            await self.point.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.point is not None:
            await self.point.__aexit__(kind, error, trace)
        self.power_off()
        await asyncio.sleep(0)  # the sockets close in the loop's next round

    @property
    def address(self) -> NetAddress:
        """Return where it answers."""
        return NetAddress(host=self.host, port=self.port, scheme="udp")

    async def power_on(self) -> None:
        """Give it power; on Linux a socket of its own hears the broadcasts of a simulated network."""
        for host in filter(None, (self.host, self._broadcast_host)):
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: self, local_addr=(host, self.port), reuse_port=host == self._broadcast_host or None
            )
            self._sockets.append(transport)

    def power_off(self) -> None:
        """Cut the power."""
        for transport in self._sockets:
            transport.abort()
        self._sockets.clear()

    def plug_in(self) -> None:
        """Connect a car, which begins to charge."""
        self.plug, self.state, self.session = 7, 3, self.session + 1
        self.tell({"Plug": 7})
        self.tell({"State": 3})

    def tell(self, change: Mapping[str, Any], listener: str = "") -> None:
        """Tell a change unasked, to whoever asked last (UDP Programmers Guide, section 3.4)."""
        if listener or self._listener:
            self._send(json.dumps(change).encode(), listener or self._listener)

    _listener = ""

    def datagram_received(self, data: bytes, peer: tuple[Any, ...]) -> None:
        """Answer a question."""
        question = data.decode("cp437")
        self.heard.append(question)
        if not self.dip_udp or Fault.SILENT in self.faults:
            return
        if self.lose > 0:
            self.lose -= 1
            return
        self._listener = str(peer[0])
        self._send(self.instead if self.instead is not None else self.answer(question), self._listener)

    def error_received(self, _error: Exception) -> None:
        """Ignore that nobody listens."""

    def _send(self, answer: bytes, host: str) -> None:
        if self._sockets and answer:
            self._sockets[0].sendto(answer, (host, self.port))

    def answer(self, question: str) -> bytes:
        """Return what the firmware says to a question."""
        if question == "i":
            return f'"Firmware":"{self.make.firmware}"\n'.encode()
        word, _, number = question.partition(" ")
        found = self.report(int(number)) if word == "report" and number.isdigit() else None
        if found is None:
            return b"TCH-ERR\n"
        text = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in found.items())
        if Fault.TRUNCATES in self.faults:
            return ("{\n" + text)[:40].encode()
        return ("{\n" + text + ("," if self.make.trailing_comma else "") + "\n}\n").encode()

    def report(self, number: int) -> dict[str, Any] | None:
        """Return a report, ``None`` where this product has none of that number."""
        make = self.make
        if number == 1:
            return {"ID": "1", "Product": make.product, "Serial": self.serial, "Firmware": make.firmware, **self._com()}
        if number == 2:
            return {"ID": "2", **self._condition(), "Serial": self.serial, "Sec": 530786}
        if number == 3:
            return {"ID": "3", **self._meter(), "Serial": self.serial, "Sec": 530786}
        if make.has_log and 100 <= number <= 100 + SESSIONS:
            return {"ID": str(number), **self._session(number - 100), "Serial": self.serial, "Sec": 530786}
        return None

    def _com(self) -> dict[str, Any]:
        connected = self.point is not None and self.point.is_connected
        com = {"COM-module": int(self.make.has_com), "Backend": int(connected), "timeQ": 3}
        return {**com, "DIP-Sw1": "0x24" if self.dip_udp else "0x04", "DIP-Sw2": "0x02", "Sec": 530786}

    def _condition(self) -> dict[str, Any]:
        charging = self.state == 3
        return {
            "State": self.state,
            "Error1": self.error,
            "Error2": 0,
            "Plug": self.plug,
            "AuthON": int(self.locked),
            "Authreq": int(self.locked),
            "Enable sys": int(charging),
            "Enable user": 1,
            "Max curr": 16000 if charging else 0,
            "Max curr %": 1000,
            "Curr HW": 32000,
            "Curr user": 63000,
            "Curr FS": 0,
            "Tmo FS": 0,
            "Curr timer": 0,
            "Tmo CT": 0,
            "Setenergy": 0,
            "Output": 0,
            "Input": 0,
        }

    def _meter(self) -> dict[str, Any]:
        runs = self.make.has_meter and self.state == 3
        volt = 230 if self.make.has_meter else 0
        amps = {f"I{n}": 16000 if runs else 0 for n in (1, 2, 3)}
        volts = {f"U{n}": volt for n in (1, 2, 3)}
        total = round(self.energy_wh * 10) if self.make.has_meter else 0
        power = 11_040_000 if runs else 0
        return {**volts, **amps, "P": power, "PF": 1000 if runs else 0, "E pres": 65300, "E total": total}

    def _session(self, back: int) -> dict[str, Any]:
        number = self.session - back
        if number <= 30:
            return {"Session ID": 0, "Curr HW": 0, "E start": 0, "E pres": 0, "started[s]": 0, "ended[s]": 0}
        return {
            "Session ID": number,
            "Curr HW": 32000,
            "E start": 29532,
            "E pres": 65300 + back,
            "started[s]": 1698,
            "ended[s]": 0 if back == 0 else 7200,
            "started": f"2026-11-{20 - back % 20:02d} 08:00:00.000",
            "ended": "0" if back == 0 else f"2026-11-{20 - back % 20:02d} 10:00:00.000",
            "reason": 0 if back == 0 else 1,
            "timeQ": 3,
            "RFID tag": "e3f76b8d00000000",
            "RFID class": "01010400000000000000",
        }
