"""OpenEVSE's controller over its serial line: RAPI. Identity and diagnosis; it has no OCPP and nothing is written.

Sources: OpenEVSE/open_evse firmware/open_evse/rapi_proc.{h,cpp} (8.2.3, RAPI 5.2.1), OpenEVSE_Lib src/RapiSender.cpp.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, reduce
from typing import ClassVar

from app.driver import described, states
from app.driver.capability import Identifies, Meters, ReadsSettings, ReportsStatus, Status
from app.driver.registry import Driver
from app.driver.session import Session
from app.errors import AppError, Garbled, LinkError, LinkLost, NotSupported, TimedOut, Unexpected
from app.feed import Feed, Subscription
from app.links.link import LineLink, Links
from app.model.address import Address, SerialAddress
from app.model.profile import Profile
from app.model.reading import Measurand, Reading, StateChange
from app.model.setting import Setting, Snapshot
from app.model.unit import Claim, ClaimKind, Identity, SourceKind, claim
from app.scope import Scope

LINE_LIMIT = 128
"""The controller composes answers in 64 bytes; more is noise."""

COMMAND_LIMIT = 31
"""A longer command is dropped without an answer (``ESRAPI_BUFLEN`` 32)."""

REPLY_S = 1.0
"""The gateway's own sender gives up after 0.5 s (RapiSender.cpp)."""

ATTEMPTS = 3
POLL_S = 1.0
LISTEN_S = 3600.0

ASKED = ("GV", "GI", "GS", "GG", "GP", "GU", "GC", "GE", "GF", "GA")
"""Everything this driver ever sends, all of it reading. The place in the list is the sequence id."""

FLAGS = {
    "service_level_2": (0x0001, True),
    "diode_check": (0x0002, False),
    "vent_check": (0x0004, False),
    "ground_check": (0x0008, False),
    "relay_check": (0x0010, False),
    "service_auto": (0x0020, False),
    "gfci_check": (0x0200, False),
    "temp_check": (0x0400, False),
    "button": (0x8000, False),
}
"""Settings flags of $GE: bit, and whether a set bit means on (J1772EvseController.h)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line from the controller: ``word`` is ``OK``, ``NK``, ``AB``, ``AT``, ``AN`` or ``WF``."""

    word: str
    words: tuple[str, ...] = ()
    sequence: int = 0
    is_checked: bool = True

    @property
    def is_reply(self) -> bool:
        """Say whether it answers a command."""
        return self.word in ("OK", "NK")


class RapiReader:
    """Cuts a noisy byte stream into lines. ``$`` always starts anew, CR ends; the rest is counted in ``noise``."""

    def __init__(self) -> None:
        self.noise = 0
        self._text = ""

    def feed(self, data: bytes) -> Iterator[Line]:
        """Take bytes and yield the whole lines in them."""
        for char in data.decode("latin-1"):
            if char == "$":
                self.noise += len(self._text)
                self._text = char
            elif char == "\r" and self._text:
                text, self._text = self._text, ""
                line = parse(text)
                if line is None:
                    self.noise += len(text)
                else:
                    yield line
            elif self._text and len(self._text) < LINE_LIMIT:
                self._text += char
            elif char not in "\r\n":
                self.noise += 1 + len(self._text)
                self._text = ""


def parse(text: str) -> Line | None:
    """Read one line without its CR; ``None`` where it is none or its checksum is wrong."""
    body, mark, digits = text.partition("^")
    if not mark:
        body, mark, digits = text.partition("*")
    if mark and digits.upper() != f"{checksum(body) if '^' in text else sum(map(ord, body)) & 0xFF:02X}":
        return None
    words = body[1:].split()
    if not words or words[0] not in ("OK", "NK", "AB", "AT", "AN", "WF"):
        return None
    sequence = 0
    if len(words) > 1 and re.fullmatch(r":[0-9A-Fa-f]{2}", words[-1]):
        sequence = int(words.pop()[1:], 16)
    return Line(words[0], tuple(words[1:]), sequence, bool(mark))


def checksum(text: str) -> int:
    """Return the XOR of all characters."""
    return reduce(lambda total, char: total ^ ord(char), text, 0)


def frame(command: str, sequence: int = 0) -> bytes:
    """Return a command as it goes on the wire: ``$GV^35``, with an id ``$GV :01^2E``, and a CR."""
    body = f"${command} :{sequence:02X}" if sequence else f"${command}"
    text = f"{body}^{checksum(body):02X}"
    assert len(text) <= COMMAND_LIMIT
    return text.encode() + b"\r"


@cache
def descriptions() -> Mapping[str, described.Description]:
    """Return what is known of each setting."""
    return described.load("openevse-rapi")


@cache
def state_table() -> states.StateTable:
    """Return the meaning of the state numbers."""
    return states.load("openevse")


class Exchange:
    """Commands and answers over one line; what the controller says unasked goes to those who listen."""

    def __init__(self, line: LineLink, name: str) -> None:
        self._notices: Feed[Line] = Feed()
        self.has_sequence = False
        self._line = line
        self._name = name
        self._reader = RapiReader()
        self._waiting: tuple[int, asyncio.Future[Line]] | None = None
        self._lost: LinkError | None = None
        self._watchers: set[Subscription[Line]] = set()
        self._scope = Scope(f"rapi {name}")
        self._scope.isolated("read", self._read())

    @contextmanager
    def listening(self) -> Iterator[Subscription[Line]]:
        """Subscribe to notices; the subscription ends with the link."""
        with self._notices.subscribe(256) as subscription:
            self._watchers.add(subscription)
            try:
                yield subscription
            finally:
                self._watchers.discard(subscription)

    async def ask(self, command: str) -> tuple[str, ...]:
        """Send a reading command, up to three times, and return the words of its answer.

        Raises NotSupported ($NK), TimedOut (silence), Garbled (only noise), LinkLost.
        """
        noise = self._reader.noise
        for _ in range(ATTEMPTS):
            line = await self._once(command)
            if line is not None and line.word == "NK":
                raise NotSupported(f"The controller does not know ${command}.", "Its firmware may be older.")
            if line is not None:
                return line.words
        if self._reader.noise > noise:
            raise Garbled(
                f"{self._name} carries something, but not RAPI.", "Check the baud rate and what the adapter leads to."
            )
        raise TimedOut(
            f"{self._name} does not answer ${command}.", "Check the wires (RX to TX) and that the charger has power."
        )

    async def close(self) -> None:
        """Stop reading and close the line. Idempotent."""
        await self._scope.close()
        self._end(LinkLost(f"{self._name} is closed.", "Open it again."))
        await self._line.close()

    async def _once(self, command: str) -> Line | None:
        if self._lost is not None:
            raise self._lost
        sequence = ASKED.index(command) + 1 if self.has_sequence else 0
        answer: asyncio.Future[Line] = asyncio.get_running_loop().create_future()
        self._waiting = sequence, answer
        try:
            await self._line.write(frame(command, sequence))
            async with asyncio.timeout(REPLY_S):
                return await answer
        except TimeoutError:
            return None
        finally:
            self._waiting = None
            if answer.done() and not answer.cancelled():
                answer.exception()

    async def _read(self) -> None:
        while True:
            try:
                data = await self._line.read(timeout_s=LISTEN_S)
            except TimedOut:
                continue
            except AppError as error:
                self._end(error if isinstance(error, LinkError) else LinkLost(error.message, error.advice))
                return
            for line in self._reader.feed(data):
                self._sort(line)

    def _sort(self, line: Line) -> None:
        if not line.is_reply:
            self._notices.publish(line)
        elif self._waiting is not None and self._is_due(line):
            self._waiting[1].set_result(line)

    def _is_due(self, line: Line) -> bool:
        """Tell the answer we wait for from a late one; old firmware and an emulator answer without the id."""
        return self._waiting is not None and not self._waiting[1].done() and line.sequence in (0, self._waiting[0])

    def _end(self, error: LinkError) -> None:
        self._lost = self._lost or error
        if self._waiting is not None and not self._waiting[1].done():
            self._waiting[1].set_exception(error)
        for watcher in tuple(self._watchers):
            watcher.close()


class OpenEvseRapi(Session):
    """A controller on a serial line. The first thing it is ever asked is ``$GV^35``."""

    driver_id: ClassVar[str] = "openevse-rapi"
    deadline_s: ClassVar[float] = 8.0

    def __init__(self, address: SerialAddress, profile: Profile, links: Links) -> None:
        super().__init__(address)
        self._port = address
        self._profile = profile
        self._links = links
        self._rapi: Exchange | None = None
        self._version: tuple[str, str] = ("", "")

    async def _open(self) -> None:
        self._rapi = Exchange(await self._links.serial(self._port), str(self._port))
        self._version = await greet(self._rapi)
        offers: set[type] = {Identifies}
        if await self._knows("GS"):
            offers |= {ReportsStatus, Meters}
        if await self._knows("GE"):
            offers.add(ReadsSettings)
        self.offers = frozenset(offers)

    async def _close(self) -> None:
        if self._rapi is not None:
            await self._rapi.close()

    async def identify(self) -> Identity:
        """Ask for firmware and MCU id."""
        async with self.call("identify"):
            return await identify(self._exchange, self._version, self._profile)

    async def status(self) -> Status:
        """Ask for state, current, voltage, temperature and energy; what is not fitted is left out."""
        async with self.call("status"):
            word, detail = read_state(await self._exchange.ask("GS"))
            now = datetime.now(UTC)
            values = await self._measure()
        readings = tuple(Reading(unit_id="", measurand=key, value=value, at=now) for key, value in values.items())
        return Status(state=word, detail=detail, has_fault=word == "Faulted", readings=readings)

    async def watch(self) -> AsyncIterator[Reading | StateChange]:
        """Yield what changed: the controller tells its state unasked ($AT), the meter is asked every second."""
        if not self._is_open:
            raise LinkLost(f"{self.address} is closed.", "Open it again.")
        shown: dict[Measurand | str, object] = {}
        with self._exchange.listening() as notices:
            while True:
                for item in news(await self.status(), shown):
                    yield item
                async for notice in _until(notices, POLL_S):
                    for item in news(notice, shown):
                        yield item

    async def read_settings(self) -> Snapshot:
        """Read limits, switches and counters. Nothing of it is written over this cable."""
        async with self.call("read the settings"):
            found = await self._settings()
        why = "Shown only: settings are changed through the WiFi gateway."
        return Snapshot(taken_at=datetime.now(UTC), settings=tuple(found), excluded={s.key: why for s in found})

    @property
    def _exchange(self) -> Exchange:
        if self._rapi is None:
            raise LinkLost(f"{self.address} is closed.", "Open it again.")
        return self._rapi

    async def _knows(self, command: str) -> bool:
        try:
            await self._exchange.ask(command)
        except NotSupported:
            return False
        return True

    async def _optional(self, command: str) -> tuple[str, ...]:
        with suppress(NotSupported):
            return await self._exchange.ask(command)
        return ()

    async def _measure(self) -> dict[Measurand, float]:
        return measured(
            meter=await self._optional("GG"),
            temperatures=await self._optional("GP"),
            energy=await self._optional("GU"),
            limits=await self._optional("GC"),
        )

    async def _settings(self) -> list[Setting]:
        values: dict[str, str] = {"firmware": self._version[0], "protocol": self._version[1]}
        for command, keys in _SETTING_WORDS.items():
            words = await self._optional(command)
            base = 16 if command == "GF" else 10
            values |= {key: _number_text(word, base) for key, word in zip(keys, words, strict=False)}
        values["mcu_id"] = "".join(await self._optional("GI"))
        flags = integer((await self._optional("GE"))[1:], 0, 16) or 0
        switches = {key: bool(flags & bit) == means_on for key, (bit, means_on) in FLAGS.items()}
        values |= {key: "true" if is_on else "false" for key, is_on in switches.items()}
        return [descriptions()[key].setting(value) for key, value in values.items() if key in descriptions()]


_SETTING_WORDS: dict[str, tuple[str, ...]] = {
    "GC": ("current_min", "current_hardware_max", "current_set", "current_max"),
    "GF": ("trips_gfci", "trips_ground", "trips_relay"),
    "GA": ("ammeter_scale", "ammeter_offset"),
}


async def greet(rapi: Exchange) -> tuple[str, str]:
    """Ask for the version and return firmware and protocol. Raises Unexpected where the answer is another's."""
    words = await rapi.ask("GV")
    if not words or not re.match(r"[A-Z]?\d+\.\d+", words[0]):
        raise Unexpected("The answer to $GV names no version.", "Check what the adapter leads to.")
    protocol = words[1] if len(words) > 1 else ""
    # ids are always understood from RAPI 5.0.0 on (open_evse CHANGELOG)
    rapi.has_sequence = (integer(protocol.split("."), 0) or 0) >= 5
    return words[0], protocol


async def identify(rapi: Exchange, version: tuple[str, str], profile: Profile) -> Identity:
    """Ask for the MCU id (firmware 7.1.5 and later) and compose the identity."""
    mcu = ""
    with suppress(NotSupported):
        mcu = "".join(await rapi.ask("GI"))
    found = claim(ClaimKind.MCU, mcu)
    return Identity(
        vendor="OpenEVSE",
        model="OpenEVSE controller",
        serial=mcu,
        firmware=version[0],
        profile_id=profile.id,
        claims=(found,) if isinstance(found, Claim) else (),
        extra={"rapi": version[1]},
    )


def read_state(words: tuple[str, ...]) -> tuple[str, str]:
    """Read ``$GS``: four words with a hexadecimal state; before version 5 two decimal ones."""
    state = integer(words, 0, 16 if len(words) >= 4 else 10)
    if state is None:
        raise Unexpected("The controller's state is not a number.", "Note the firmware version and report it.")
    vflags = integer(words, 3, 16) or 0
    return state_table().read(state, has_car=bool(vflags & 0x0100))


def measured(
    *, meter: tuple[str, ...], temperatures: tuple[str, ...], energy: tuple[str, ...], limits: tuple[str, ...]
) -> dict[Measurand, float]:
    """Turn the answers to $GG, $GP, $GU and $GC into SI units; what is not fitted is left out."""
    found: dict[Measurand, float] = {}
    current_ma, voltage_mv = integer(meter, 0), integer(meter, 1)
    if voltage_mv is not None and voltage_mv > 0:
        found[Measurand.VOLTAGE] = voltage_mv / 1000
    if current_ma is not None and current_ma >= 0:
        found[Measurand.CURRENT] = current_ma / 1000
        if Measurand.VOLTAGE in found:
            found[Measurand.POWER] = round(current_ma / 1000 * found[Measurand.VOLTAGE], 3)
    fitted = [value for index in range(3) if (value := integer(temperatures, index)) not in (None, -2560)]
    if fitted and fitted[0] is not None:
        found[Measurand.TEMPERATURE] = fitted[0] / 10
    if (total_wh := integer(energy, 1)) is not None:
        found[Measurand.ENERGY] = float(total_wh)
    if (offered_a := integer(limits, 2)) is not None:
        found[Measurand.CURRENT_OFFERED] = float(offered_a)
    return found


def integer(words: tuple[str, ...] | list[str], index: int, base: int = 10) -> int | None:
    """Return a word as a number within 32 bits, ``None`` where there is none."""
    try:
        number = int(words[index], base)
    except (IndexError, ValueError):
        return None
    return number if abs(number) < 2**32 else None


def _number_text(word: str, base: int) -> str:
    number = integer((word,), 0, base)
    return word if number is None else str(number)


def news(found: Status | Line, shown: dict[Measurand | str, object]) -> list[Reading | StateChange]:
    """Return what differs from ``shown``, and remember it there."""
    if isinstance(found, Line):
        found = _told(found)
    fresh: list[Reading | StateChange] = []
    now = datetime.now(UTC)
    if found.state and shown.get("state") != (found.state, found.detail):
        shown["state"] = (found.state, found.detail)
        fresh.append(StateChange(unit_id="", connector=1, state=found.state, at=now, detail=found.detail))
    for reading in found.readings:
        if shown.get(reading.measurand) != reading.value:
            shown[reading.measurand] = reading.value
            fresh.append(replace(reading, at=now))
    return fresh


def _told(notice: Line) -> Status:
    """Read ``$AT evse pilot amps vflags``; other notices say nothing of the state."""
    state, vflags = integer(notice.words, 0, 16), integer(notice.words, 3, 16) or 0
    if notice.word != "AT" or state is None:
        return Status()
    word, detail = state_table().read(state, has_car=bool(vflags & 0x0100))
    return Status(state=word, detail=detail)


async def _until(notices: Subscription[Line], limit_s: float) -> AsyncIterator[Line]:
    """Yield notices for a while. Raises LinkLost when the line ends."""
    ends_at = asyncio.get_running_loop().time() + limit_s
    while True:
        try:
            async with asyncio.timeout_at(ends_at):
                notice = await anext(notices)
        except TimeoutError:
            return
        except StopAsyncIteration as error:
            raise LinkLost("The serial line ended.", "Plug the cable in and open it again.") from error
        yield notice


def open_session(address: Address, profile: Profile, links: Links) -> Session:
    """Make a session (not yet entered)."""
    if not isinstance(address, SerialAddress):
        raise NotSupported(f"{address} is not a serial port.", "Choose the port of the adapter.")
    return OpenEvseRapi(address, profile, links)


async def probe(address: Address, profile: Profile, links: Links) -> Identity | None:
    """Send ``$GV^35`` and, only when a controller answers, ``$GI``. Nothing that could change a unit is ever sent."""
    if not isinstance(address, SerialAddress):
        return None
    rapi = Exchange(await links.serial(address), str(address))
    try:
        return await identify(rapi, await greet(rapi), profile)
    except (Garbled, Unexpected, NotSupported):
        return None
    finally:
        await rapi.close()


DRIVER = Driver(
    id="openevse-rapi",
    title="OpenEVSE controller (serial RAPI)",
    sources=frozenset({SourceKind.SERIAL, SourceKind.MANUAL}),
    open=open_session,
    capabilities=frozenset({Identifies, ReportsStatus, Meters, ReadsSettings}),
    probe=probe,
)
