"""Chargers that tell over Modbus TCP how they are: for diagnosis only.

Which register holds what is data (``resources/registers``); no function code that writes exists on our links. One
connection, one question at a time: many units hold a single Modbus connection, and an energy manager may want it too.

Sources: in each map.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar

from app.driver import registers
from app.driver.capability import Identifies, Meters, ReadsSettings, ReportsStatus, Status
from app.driver.measuring import News
from app.driver.registers import CONNECTOR_LIMIT, PHASES, Register, RegisterMap, Value
from app.driver.registry import Driver
from app.driver.session import Session
from app.errors import Garbled, LinkError, LinkLost, NotSupported, TimedOut, Unexpected
from app.links.link import Links, ModbusLink
from app.model.address import Address, NetAddress
from app.model.profile import Profile
from app.model.reading import Reading, StateChange
from app.model.setting import Setting, Snapshot
from app.model.unit import ClaimKind, Identity, SourceKind, claim

ASK_S = 1.5
"""How long one question may take. A unit answers in milliseconds; to another unit number many never answer."""

NEXT_S = 1.0
"""How long the port of a next connector may take to open: most chargers have none."""

WATCH_S = 5.0
"""Pause between two rounds of questions."""

HELD = (
    "An energy manager or another program may hold its only Modbus connection: end it for a while. Else check that "
    "Modbus TCP is switched on in the charger."
)


@dataclass(frozen=True, slots=True)
class Told:
    """The values of one connector by the names of their registers, one a phase."""

    connector: int
    values: dict[str, list[Value | None]]

    def first(self, register: Register | None) -> Value | None:
        """Return the value of a register, ``None`` where it did not tell."""
        found = self.values.get(register.name, []) if register else []
        return found[0] if found else None


async def ask(link: ModbusLink, found: RegisterMap, register: Register, connector: int = 1) -> list[Value | None]:
    """Read one register of a family; raises NotSupported, LinkError, Garbled."""
    read = link.inputs if register.kind == "input" else link.holding
    words = await read(found.address(register, connector), register.count, unit=found.unit, timeout_s=ASK_S)
    return registers.decode(register, words)


async def fits(link: ModbusLink, found: RegisterMap) -> bool:
    """Say whether every register that proves a family is as this family has it. Raises LinkError, Garbled."""
    for register in found.proofs:
        try:
            if not register.fits(await ask(link, found, register)):
                return False
        except NotSupported:
            return False
    return True


async def recognise(links: Links, address: NetAddress, first: str = "") -> tuple[ModbusLink, RegisterMap] | None:
    """Find out which family answers, that of profile ``first`` before all others: its open link and its map.

    ``None`` where something else answers; raises LinkError where nothing does, Garbled where it is no Modbus.
    """
    link = await links.modbus(address)
    silent: set[int] = set()
    failure: LinkError | None = None
    is_answered = False
    try:
        for found in sorted(registers.load_all(), key=lambda item: item.profile != first):
            if found.unit in silent:
                continue
            try:
                if await fits(link, found):
                    return link, found
                is_answered = True
            except TimedOut as error:
                silent.add(found.unit)
                failure = error
            except LinkLost as error:
                # Some close instead of saying that there is no such register (evcc charger/bender.go: 4You, 4Business).
                failure = error
                await link.close()
                link = await links.modbus(address)
    except BaseException:
        await link.close()
        raise
    await link.close()
    if failure is not None and not is_answered:
        raise type(failure)(f"{address} takes a Modbus connection, and answers nothing.", HELD) from failure
    return None


async def identified(link: ModbusLink, found: RegisterMap) -> Identity:
    """Read who a unit of a known family is. Raises LinkError, Garbled."""
    texts: dict[str, str] = {}
    for register in found.registers:
        if register.identity:
            with suppress(NotSupported):
                value = (await ask(link, found, register))[0]
                texts[register.identity] = "" if value is None else str(value)
    serial = claim(ClaimKind.SERIAL, texts.get("serial", "")) if found.claims_serial else None
    return Identity(
        vendor=found.vendor,
        model=_model(texts.get("model", ""), found),
        serial=texts.get("serial", ""),
        firmware=texts.get("firmware", ""),
        name=texts.get("name", ""),
        profile_id=found.profile,
        claims=(serial,) if serial else (),
    )


def _model(told: str, found: RegisterMap) -> str:
    """Return what a unit calls its model; a bare number says little without the family's name."""
    return f"{found.title} {told}" if told.isdecimal() else told or found.title


class ModbusUnit(Session):
    """One session with a unit of a family whose registers are known."""

    driver_id: ClassVar[str] = "modbus-units"
    deadline_s: ClassVar[float] = 6.0

    def __init__(self, address: NetAddress, profile: Profile, links: Links) -> None:
        super().__init__(address)
        self._net = address
        self._profile = profile
        self._links = links
        self._outlets: list[ModbusLink] = []
        self._map: RegisterMap | None = None
        self._count = 1
        self._serial = ""

    async def _open(self) -> None:
        """Ask which family it is, whatever the profile says, and how many connectors it has."""
        recognised = await recognise(self._links, self._net, self._profile.id)
        if recognised is None:
            raise Unexpected(
                f"What answers at {self.address} over Modbus is no charger that Rehome knows the registers of.",
                "Check the address. In some chargers another set of registers can be chosen.",
            )
        link, self._map = recognised
        self._outlets.append(link)
        self._serial = (await identified(link, self._map)).serial
        self._count = await self._connectors(link, self._map)
        offers = {Identifies, ReportsStatus, Meters}
        self.offers = frozenset({*offers, ReadsSettings} if self._labels() else offers)

    async def _connectors(self, link: ModbusLink, found: RegisterMap) -> int:
        if found.ports:
            return 1 + await self._next_port(found)
        register = next((item for item in found.registers if item.connectors), None)
        value = (await ask(link, found, register))[0] if register else None
        return min(max(int(value), 1), CONNECTOR_LIMIT) if isinstance(value, float) else 1

    async def _next_port(self, found: RegisterMap) -> bool:
        """Say whether a second connector answers, one port higher."""
        try:
            async with asyncio.timeout(NEXT_S):
                link = await self._links.modbus(replace(self._net, port=self._net.port + 1))
        except (LinkError, TimeoutError, OverflowError):
            return False
        self._outlets.append(link)
        try:
            is_same = await fits(link, found)
        except (LinkError, Garbled):
            is_same = False
        if not is_same:
            await self._outlets.pop().close()
        return is_same

    async def _close(self) -> None:
        while self._outlets:
            await self._outlets.pop().close()

    @property
    def map(self) -> RegisterMap:
        """Return the map of the unit's family; raises LinkLost before it is known."""
        if self._map is None or not self._outlets:
            raise LinkLost(f"The connection to {self.address} is closed.", "Open the charger again.")
        return self._map

    def _labels(self) -> list[Register]:
        return [register for register in self.map.registers if register.label]

    async def _ask(self, register: Register, connector: int = 1) -> list[Value | None]:
        found = self.map
        return await ask(self._outlets[connector - 1 if found.ports else 0], found, register, connector)

    async def _tell(self, connector: int) -> Told:
        told = Told(connector, {})
        for register in self.map.registers:
            is_own = register.each or self.map.ports or connector == 1
            if is_own and (register.state or register.measurand or register.car is not None):
                try:
                    told.values[register.name] = await self._ask(register, connector)
                except NotSupported:
                    if not register.optional:
                        raise
        return told

    async def identify(self) -> Identity:
        """Say who it is. Raises Unexpected where another unit answers by now."""
        async with self.call("identify"):
            identity = await identified(self._outlets[0], self.map)
        if identity.serial != self._serial:
            raise Unexpected(
                f"Another charger answers at {self.address} now: serial {identity.serial or '-'} instead of "
                f"{self._serial or '-'}.",
                "Search again and open the charger anew; nothing was changed.",
            )
        return identity

    async def status(self) -> Status:
        """Say how it is; the state is that of the first connector, the others stand in the detail."""
        async with self.call("status", deadline_s=10.0):
            told = [await self._tell(connector) for connector in range(1, self._count + 1)]
        words = [state_of(self.map, item) for item in told]
        others = [f"connector {number}: {' '.join(word).strip()}" for number, word in enumerate(words[1:], 2)]
        return Status(
            state=words[0][0],
            detail=", ".join(filter(None, [words[0][1], *others])),
            has_fault=any(word == "Faulted" for word, _ in words),
            readings=tuple(reading for item in told for reading in readings_of(self.map, item)),
        )

    async def watch(self) -> AsyncIterator[Reading | StateChange]:
        """Ask again and again; yield what changed."""
        news = News()
        while True:
            for connector in range(1, self._count + 1):
                async with self.call("watch"):
                    told = await self._tell(connector)
                word, detail = state_of(self.map, told)
                for item in news.of(readings_of(self.map, told), word, detail, datetime.now(UTC), connector):
                    yield item
            await asyncio.sleep(WATCH_S)

    async def read_settings(self) -> Snapshot:
        """Show what else it tells; none of it is written by Rehome."""
        shown: list[Setting] = []
        async with self.call("read the settings"):
            for register in self._labels():
                with suppress(NotSupported):
                    shown.append(setting_of(register, (await self._ask(register))[0]))
        excluded = {setting.key: "Over Modbus, Rehome only reads." for setting in shown}
        return Snapshot(taken_at=datetime.now(UTC), settings=tuple(shown), excluded=excluded)


def state_of(found: RegisterMap, told: Told) -> tuple[str, str]:
    """Return the OCPP word of a connector, and a detail."""
    state = next((register for register in found.registers if register.state), None)
    car = next((register for register in found.registers if register.car is not None), None)
    cable = told.first(car)
    has_car = car is not None and car.car is not None and isinstance(cable, float) and cable >= car.car
    return found.word(told.first(state), has_car=has_car)


def readings_of(found: RegisterMap, told: Told) -> Sequence[Reading]:
    """Return the readings of a connector; what is absent is left out."""
    now = datetime.now(UTC)
    made: list[Reading] = []
    for register in found.registers:
        for place, value in enumerate(told.values.get(register.name, ())):
            if register.measurand is not None and isinstance(value, float):
                made.append(
                    Reading(
                        unit_id="",
                        measurand=register.measurand,
                        value=value,
                        at=now,
                        connector=told.connector,
                        phase=PHASES[place] if register.phases else register.phase,
                    )
                )
    return made


def setting_of(register: Register, value: Value | None) -> Setting:
    """Return what a register tells as something to look at."""
    text = None if value is None else f"{value:g}" if isinstance(value, float) else value
    return Setting(key=register.name, value=text, label=register.label, unit=register.unit, is_readonly=True)


def open_session(address: Address, profile: Profile, links: Links) -> Session:
    """Make a session (not yet entered)."""
    if not isinstance(address, NetAddress):
        raise NotSupported(f"{address} is not a network address.", "Enter the charger's IP address.")
    return ModbusUnit(address, profile, links)


async def probe(address: Address, profile: Profile, links: Links) -> Identity | None:
    """Ask which family answers, and who it is."""
    if not isinstance(address, NetAddress):
        return None
    try:
        recognised = await recognise(links, address, profile.id)
    except Garbled:
        return None
    if recognised is None:
        return None
    link, found = recognised
    try:
        return await identified(link, found)
    finally:
        await link.close()


DRIVER = Driver(
    id=ModbusUnit.driver_id,
    title="Chargers over Modbus TCP",
    sources=frozenset({SourceKind.LAN, SourceKind.MANUAL}),
    open=open_session,
    capabilities=frozenset({Identifies, ReportsStatus, Meters, ReadsSettings}),
    probe=probe,
    asks=("Modbus function codes 3 and 4 (read registers), for unit 255, 1 and 2",),
)
