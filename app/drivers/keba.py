"""KEBA P20, P30, M20 and their sisters from BMW and SolarEdge, over UDP 7090: for diagnosis only.

The charger answers text questions, from port 7090 to port 7090; it is silent unless its DIP switch 1.3 is on. No
question touches OCPP. Nothing but ``report`` is ever sent here: the other commands move the charger.

Sources: KEBA "KeContact P30 UDP Programmers Guide" V2.01 (reports: sections 3.2.2 to 3.2.5); dannerph/keba-kecontact
4.3.1: charging_station_info.py, emulator.py; evcc-io/evcc keba-udp.yaml.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from app.driver import described, states
from app.driver.capability import ExportsLog, Identifies, Meters, ReadsSettings, ReportsStatus, Status
from app.driver.measuring import Field, News, number_of, readings
from app.driver.registry import Broadcast, Driver
from app.driver.session import Session
from app.driver.web import text_of
from app.errors import Garbled, LinkLost, NotSupported, TimedOut, Unexpected
from app.links.link import DatagramLink, Links
from app.model.address import Address, NetAddress
from app.model.profile import Profile
from app.model.reading import Measurand, Reading, StateChange
from app.model.setting import Snapshot
from app.model.unit import ClaimKind, Identity, LinkState, SourceKind, claim

PORT = 7090
WAIT_S = 0.8
"""How long one answer may take; the question is repeated, because UDP loses some."""

TRIES = 3
PAUSE_S = 0.1
"""Least time between two questions (keba-kecontact, connection.py, send)."""

WATCH_S = 5.0
"""Least time between two rounds of questions (UDP Programmers Guide, section 2.1: t_COM_pause)."""

ANSWER_LIMIT = 2048
"""Answers have up to 512 bytes (UDP Programmers Guide, section 3.1)."""

STRANGE_LIMIT = 20
"""Datagrams passed over while one answer is awaited: the charger also tells changes unasked."""

SESSIONS = range(100, 131)
"""Report 100 is the newest session, 101 to 130 are those before (UDP Programmers Guide, section 3.2.5)."""

SERIES = {True: "keba-x", False: "keba-c"}
"""Profile by whether the COM module is in it (UDP Programmers Guide, section 2.4.2): that board serves the web page."""

METER = (
    *(Field((f"U{n}",), Measurand.VOLTAGE, phase=f"L{n}") for n in (1, 2, 3)),
    *(Field((f"I{n}",), Measurand.CURRENT, 0.001, phase=f"L{n}") for n in (1, 2, 3)),
    Field(("P",), Measurand.POWER, 0.001),
    Field(("E total",), Measurand.ENERGY, 0.1),
)
"""Report 3: V, mA, mW, 0.1 Wh."""

LIMITS = (Field(("Max curr",), Measurand.CURRENT_OFFERED, 0.001),)
STATES = states.load("keba")
DESCRIPTIONS = described.load("keba")
CAR = 5
"""From this value of ``Plug`` on the cable is in the car, too."""


@dataclass(slots=True)
class Talk:
    """Questions and answers over one link."""

    link: DatagramLink
    address: NetAddress
    tries: int = TRIES
    _free_at: float = 0.0

    async def report(self, number: int) -> dict[str, Any]:
        """Ask for a report. Raises TimedOut, NotSupported (``TCH-ERR``), Garbled, LinkLost."""
        for _ in range(self.tries):
            await self._pause()
            await self.link.send(f"report {number}".encode())
            try:
                async with asyncio.timeout(WAIT_S):
                    return await self._answer(number)
            except (TimedOut, TimeoutError):
                continue
        raise TimedOut(
            f"{self.address} does not answer over UDP.",
            "Check its power and network. A charger that answers a ping but not this has its DIP switch 1.3 off: "
            "switch the power off, open it and set the switch to ON. A firewall may block UDP port 7090, too.",
        )

    async def _pause(self) -> None:
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(self._free_at - now, 0.0))
        self._free_at = max(self._free_at, now) + PAUSE_S

    async def _answer(self, number: int) -> dict[str, Any]:
        for _ in range(STRANGE_LIMIT):
            found = parsed(await self.link.receive(timeout_s=WAIT_S))
            if found is None:
                raise NotSupported(f"The charger refuses report {number}.", "This model or firmware does not have it.")
            if text_of(found, "ID") == str(number):
                return found
        raise Unexpected("The charger sends other things than it was asked for.", "Note the firmware and report it.")


def parsed(data: bytes) -> dict[str, Any] | None:
    """Return a report, an empty one where it tells something unasked, ``None`` for a refusal. Raises Garbled."""
    text = data[:ANSWER_LIMIT].decode("utf-8", "replace").strip()
    if text.startswith("TCH-ERR"):
        return None
    if text.startswith(("TCH-OK", '"Firmware"')):
        return {}
    try:
        found = json.loads(re.sub(r",\s*}\Z", "}", text)) if len(data) <= ANSWER_LIMIT else None
    except (ValueError, RecursionError) as error:
        raise _garbled() from error
    if not isinstance(found, dict):
        raise _garbled()
    return found


def _garbled() -> Garbled:
    return Garbled(
        "What answers is no report of a KEBA charger.",
        "Check the address. If it is the charger, note the firmware version and report it.",
    )


class Keba(Session):
    """One session over UDP."""

    driver_id: ClassVar[str] = "keba"
    deadline_s: ClassVar[float] = 6.0

    def __init__(self, address: NetAddress, links: Links) -> None:
        super().__init__(address)
        self._net = address
        self._links = links
        self._talk: Talk | None = None
        self._serial = ""

    async def _open(self) -> None:
        """Ask who it is, and which reports it has: a P20 e-series has neither meter nor session log."""
        self._talk = await _talk(self._net, self._links)
        self._serial = identity_of(await self._talk.report(1)).serial
        offers: set[type] = {Identifies, ReportsStatus, ReadsSettings, Meters}
        try:
            await self._talk.report(SESSIONS[0])
        except (NotSupported, TimedOut):
            self.offers = frozenset(offers)
        else:
            self.offers = frozenset({*offers, ExportsLog})

    async def _close(self) -> None:
        if self._talk is not None:
            await self._talk.link.close()

    @property
    def talk(self) -> Talk:
        """Return the open talk; raises LinkLost."""
        if self._talk is None:
            raise LinkLost(f"The connection to {self.address} is closed.", "Open the charger again.")
        return self._talk

    async def _report(self, number: int) -> dict[str, Any]:
        """Ask for a report, and make sure that the same charger answers: addresses wander."""
        found = await self.talk.report(number)
        serial = text_of(found, "Serial", 40)
        if serial and serial != self._serial:
            raise Unexpected(
                f"Another charger answers at {self.address} now: serial {serial} instead of {self._serial}.",
                "Search again and open the charger anew; nothing was changed.",
            )
        return found

    async def identify(self) -> Identity:
        """Say who it is."""
        async with self.call("identify"):
            return identity_of(await self._report(1))

    async def status(self) -> Status:
        """Say how it is, with all readings of its meter."""
        async with self.call("status", deadline_s=8.0):
            return status_of(await self._report(1), await self._report(2), await self._meter())

    async def _meter(self) -> dict[str, Any]:
        try:
            return await self._report(3)
        except NotSupported:
            return {}

    async def watch(self) -> AsyncIterator[Reading | StateChange]:
        """Ask again and again; yield what changed."""
        news = News()
        while True:
            async with self.call("watch"):
                found = status_of({}, await self._report(2), await self._meter())
            for item in news.of(found.readings, found.state, found.detail, datetime.now(UTC)):
                yield item
            await asyncio.sleep(WATCH_S)

    async def read_settings(self) -> Snapshot:
        """Show what reports 1 and 2 tell; over UDP none of it is configuration that could be restored."""
        async with self.call("read the settings"):
            found = {**await self._report(1), **await self._report(2)}
        shown = [item.setting(text_of(found, key)) for key, item in DESCRIPTIONS.items() if key in found]
        excluded = {setting.key: "Rehome only reads this charger." for setting in shown}
        return Snapshot(taken_at=datetime.now(UTC), settings=tuple(shown), excluded=excluded)

    async def read_log(self) -> str:
        """List the charger's last sessions, the newest first."""
        lines: list[str] = []
        async with self.call("read the sessions", deadline_s=30.0):
            for number in SESSIONS:
                try:
                    line = session_line(await self._report(number))
                except NotSupported:
                    break
                if not line and number > SESSIONS[0]:
                    break
                lines.append(line)
        return "\n".join(filter(None, lines))


def identity_of(report: Mapping[str, Any]) -> Identity:
    """Read report 1. Raises Unexpected where it does not name product, serial and firmware."""
    product, serial = text_of(report, "Product", 60), text_of(report, "Serial", 40)
    firmware = text_of(report, "Firmware", 80)
    if not (product and serial and firmware):
        raise Unexpected("The charger does not say which product it is.", "Note the firmware and report it.")
    maker, model = maker_of(product)
    known = claim(ClaimKind.SERIAL, serial)
    return Identity(
        vendor=maker,
        model=model,
        serial=serial,
        firmware=firmware,
        profile_id=SERIES[number_of(report.get("COM-module")) == 1],
        claims=(known,) if known else (),
        extra={"product": product, "dip_1": text_of(report, "DIP-Sw1", 12), "dip_2": text_of(report, "DIP-Sw2", 12)},
    )


def maker_of(product: str) -> tuple[str, str]:
    """Return maker and model of a product code: ``KC-P30-EC240422-E00``, ``BMW-10-EC2405B2-E1R``."""
    first, _, rest = product.partition("-")
    if first == "KC":
        return "KEBA", f"KeContact {rest}"
    return first or "KEBA", product


def status_of(who: Mapping[str, Any], state: Mapping[str, Any], meter: Mapping[str, Any]) -> Status:
    """Put three reports together."""
    now = datetime.now(UTC)
    number, plug = number_of(state.get("State")), number_of(state.get("Plug"))
    word, detail = STATES.read(int(number if number is not None else -1), has_car=plug is not None and plug >= CAR)
    errors = [f"{key} {value:.0f}" for key in ("Error1", "Error2") if (value := number_of(state.get(key)))]
    if number_of(state.get("Authreq")):
        detail = "It waits for an authorised card."
    backend = number_of(who.get("Backend"))
    return Status(
        state=word,
        detail=", ".join([detail, *errors] if word == "Faulted" else [detail]),
        has_fault=word == "Faulted",
        readings=(*readings(state, LIMITS, now), *readings(meter, METER, now)),
        link=LinkState(is_connected=None if backend is None else backend == 1),
    )


def session_line(report: Mapping[str, Any]) -> str:
    """Write one session as a line; empty for a slot that was never used."""
    found = {key.strip().lower(): value for key, value in report.items()}
    energy = number_of(found.get("e pres"))
    if not number_of(found.get("session id")) or energy is None:
        return ""
    began = text_of(found, "started", 30) or f"{text_of(found, 'started[s]', 12)} s after start"
    ended = text_of(found, "ended", 30) or "-"
    reason = text_of(found, "reason", 4)
    return f"session {text_of(found, 'session id', 12)}: {began} to {ended}, {energy / 10:.1f} Wh, reason {reason}"


async def _talk(address: NetAddress, links: Links, tries: int = TRIES) -> Talk:
    return Talk(await links.udp(address, local_port=address.port), address, tries)


def open_session(address: Address, profile: Profile, links: Links) -> Session:
    """Make a session (not yet entered)."""
    del profile
    if not isinstance(address, NetAddress):
        raise NotSupported(f"{address} is not a network address.", "Enter the charger's IP address.")
    return Keba(address, links)


async def probe(address: Address, profile: Profile, links: Links) -> Identity | None:
    """Ask for report 1."""
    del profile
    if not isinstance(address, NetAddress):
        return None
    talk = await _talk(address, links, tries=2)
    try:
        return identity_of(await talk.report(1))
    except (Garbled, Unexpected, NotSupported):
        return None
    finally:
        await talk.link.close()


DRIVER = Driver(
    id=Keba.driver_id,
    title="KEBA KeContact (UDP)",
    sources=frozenset({SourceKind.BROADCAST, SourceKind.LAN, SourceKind.MANUAL}),
    open=open_session,
    capabilities=frozenset({Identifies, ReportsStatus, Meters, ReadsSettings, ExportsLog}),
    probe=probe,
    asks=("“i” over UDP", "“report 1” over UDP"),
    broadcast=Broadcast(port=PORT, question=b"i"),
)
