"""A simulated cellular modem on a serial line, in the dialects of three vendors.

Sources: 3GPP TS 27.007; ModemManager plugins/ublox/tests (+UPINCNT: 3,3,10,10); Quectel EC20 AT Commands Manual V1.1
(+QCCID, +QPINC: "SC",3,10); captured answers of SIMCom modems in public repositories (+ICCID, +SPIC: 3,10,0,10).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from app.model.address import SerialAddress
from app.sim.fault import Fault
from app.sim.rapi import PtyWire, SocketWire, has_ptys

UNASKED = ('+CREG: 2,"00C3","0005"', "RING", '+CLIP: "+491701234567",145', "^RSSI: 17")
"""What modems say between question and answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a vendor's modem names itself and what it adds to the standard."""

    maker: str
    model: str
    firmware: str
    card: str
    """Its question for the card's number, and how it answers (``{}`` = the number)."""
    card_answer: str
    tries: str
    tries_answer: str
    has_cesq: bool = True
    echo: bool = True


DIALECTS: Mapping[str, Dialect] = {
    "u-blox": Dialect(
        maker="u-blox",
        model="SARA-R410M-02B",
        firmware="L0.0.00.00.05.06 [Feb 03 2018 13:00:41]",
        card="+CCID",
        card_answer="+CCID: {}",
        tries="+UPINCNT",
        tries_answer="+UPINCNT: {pin},3,{puk},10",
    ),
    "quectel": Dialect(
        maker="Quectel",
        model="EC25",
        firmware="EC25EFAR06A06M4G",
        card="+QCCID",
        card_answer="+QCCID: {}F",
        tries="+QPINC?",
        tries_answer='+QPINC: "SC",{pin},{puk}\r\n+QPINC: "P2",3,10',
        echo=False,
    ),
    "simcom": Dialect(
        maker="SIMCOM INCORPORATED",
        model="SIMCOM_SIM7600E-H",
        firmware="+CGMR: LE20B03SIM7600M22",
        card="+CICCID",
        card_answer="+ICCID: {}",
        tries="+SPIC",
        tries_answer="+SPIC: {pin},{puk},0,10",
        has_cesq=False,
    ),
}


class SimModem:
    """One modem. Use it as an async context manager; everything it tells can be changed while it runs.

    ``cpin``: what it says of its card, or an error (``+CME ERROR: 10``, ``ERROR``). ``is_chatty``: codes nobody asked
    for stand between question and answer.
    """

    def __init__(
        self,
        dialect: str = "u-blox",
        *,
        imei: str = "356938035643809",
        iccid: str = "8944538532012345678",
        is_chatty: bool = False,
        faults: Iterable[Fault] = (),
        wire: PtyWire | SocketWire | None = None,
    ) -> None:
        self.dialect = DIALECTS[dialect]
        self.echo = self.dialect.echo
        self.imei = imei
        self.iccid = iccid
        self.is_chatty = is_chatty
        self.faults: set[Fault] = set(faults)
        self.cpin = "+CPIN: READY"
        self.pin_left, self.puk_left = 3, 10
        self.registered = {"+CREG": 1, "+CGREG": 1, "+CEREG": 1}
        self.operator = "Telekom.de"
        self.apn = "internet.m2m"
        self.address_told = "10.54.3.2"
        self.csq, self.rsrq, self.rsrp = 20, 22, 55
        self.instead: bytes | None = None
        self.heard: list[str] = []
        self._wire = wire or (PtyWire() if has_ptys() else SocketWire())
        self._buffer = ""

    async def __aenter__(self) -> Self:
        await self._wire.open(self._received)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wire.close()

    @property
    def address(self) -> SerialAddress:
        """Return the port to open."""
        return SerialAddress(port=self._wire.port)

    def register(self, stat: int) -> None:
        """Set what every network says of it (27.007 §7.2)."""
        self.registered = dict.fromkeys(self.registered, stat)

    def say(self, text: str) -> None:
        """Say something unasked."""
        self._wire.write(f"\r\n{text}\r\n".encode("latin-1"))

    def pull_cable(self) -> None:
        """Unplug it from the computer."""
        self._wire.close()

    def _received(self, data: bytes) -> None:
        self._buffer += data.decode("latin-1")
        while "\r" in self._buffer:
            command, _, self._buffer = self._buffer.partition("\r")
            self._answer(command.strip())

    def _answer(self, command: str) -> None:
        self.heard.append(command)
        if Fault.SILENT in self.faults:
            return
        if self.instead is not None:
            self._wire.write(self.instead)
            return
        if self.echo:
            self._wire.write(f"{command}\r".encode())
        if self.is_chatty:
            for text in UNASKED:
                self.say(text)
        self.say("\r\n".join(self._told(command)) if command.startswith("AT") else "ERROR")

    def _told(self, command: str) -> tuple[str, ...]:
        name = command.removeprefix("AT")
        answer = self._answers().get(name)
        if answer is None:
            return ("ERROR",)
        text = answer()
        return (text,) if text.endswith("ERROR") or text.startswith("+CME") else tuple(filter(None, (text, "", "OK")))

    def _answers(self) -> dict[str, Callable[[], str]]:
        dialect = self.dialect
        told: dict[str, Callable[[], str]] = {
            "": lambda: "",
            "+CGMI": lambda: dialect.maker,
            "+CGMM": lambda: dialect.model,
            "+CGMR": lambda: dialect.firmware,
            "+CGSN": lambda: self.imei,
            "+CPIN?": lambda: self.cpin,
            dialect.card: lambda: dialect.card_answer.format(self.iccid) if self._has_card else "ERROR",
            dialect.tries: lambda: dialect.tries_answer.format(pin=self.pin_left, puk=self.puk_left),
            "+CSQ": lambda: f"+CSQ: {self.csq},99",
            "+COPS?": lambda: f'+COPS: 0,0,"{self.operator}",7' if self.operator else "+COPS: 0",
            "+CGDCONT?": lambda: f'+CGDCONT: 1,"IP","{self.apn}","{self.address_told}",0,0,0,0',
            "+CGATT?": lambda: f"+CGATT: {int(1 in self.registered.values())}",
            "+CGPADDR": lambda: f'+CGPADDR: 1,"{self.address_told}"',
        }
        for name in self.registered:
            told[f"{name}?"] = lambda name=name: f"{name}: 0,{self.registered[name]}"  # type: ignore[misc]
        if dialect.has_cesq:
            told["+CESQ"] = lambda: f"+CESQ: 99,99,255,255,{self.rsrq},{self.rsrp}"
        return told

    @property
    def _has_card(self) -> bool:
        return self.cpin.startswith("+CPIN")
