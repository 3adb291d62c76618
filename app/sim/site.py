"""A mixed site: 77 simulated chargers of every family, each at an address of its own, among devices that are none.

It needs a network of its own (a namespace): the chargers stand at the ports of their makers, ``<net>.10`` and up, and
are announced as their makers do.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from zeroconf import ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from app.sim.alfen import AlfenStation
from app.sim.bender import BenderUnit
from app.sim.broker import Broker
from app.sim.decoys import KINDS, Decoy
from app.sim.everest import EverestUnit
from app.sim.goe import GoEUnit
from app.sim.juicebox import JuiceBox
from app.sim.juicebox_console import JuiceBoxTelnet
from app.sim.keba import KebaUnit
from app.sim.microocpp import MicroOcppUnit
from app.sim.modbus import Image, ModbusServer, put_text
from app.sim.modbus_makes import HOLDING, modbus_unit
from app.sim.nrgkick import NrgKickUnit
from app.sim.openevse import OpenEvseGateway
from app.sim.openocpp import OpenOcppUnit
from app.sim.peblar import PeblarCharger
from app.sim.rapi import RapiController
from app.sim.smartevse import SmartEvseUnit
from app.sim.station import OcppStation
from app.sim.tesla import TeslaUnit
from app.sim.warp import WarpWallbox
from app.sim.wattpilot import WattpilotUnit

FIRST = 10
"""The last number of the first charger's address."""

DECOYS_FROM = 200

Unit = AbstractAsyncContextManager[Any]
Make = Callable[[str, int], Unit]
"""Makes the unit at an address, with a number that makes it distinct."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One charger: what it must be taken for, and how it is made. ``way`` is ``lan``, ``serial`` or ``ocpp``."""

    profile: str
    make: Make
    way: str = "lan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One charger that stands there: ``where`` is its host, serial port or OCPP identity."""

    profile: str
    where: str
    way: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A unit that is known by its announcement alone."""

    name: str
    services: Mapping[str, Mapping[str, str]]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return


def _lan(profile: str, makes: Iterable[Make]) -> Iterator[Place]:
    return (Place(profile=profile, make=make) for make in makes)


def _openevse(firmware: str) -> Make:
    return lambda host, n: OpenEvseGateway(
        firmware, name=f"openevse-{n:04x}", serial=f"240AC4{n:06X}", config=_mcu(n), host=host, port=80
    )


def _mcu(number: int) -> dict[str, Any]:
    return {"evse_serial": f"OEVSE1{number:08X}"}


def _warp(firmware: str, kind: str, **options: Any) -> Make:
    return lambda host, n: WarpWallbox(
        firmware, kind=kind, uid=f"2{n:03d}".replace("0", "z"), host=host, port=80, **options
    )


def _smart(firmware: str) -> Make:
    return lambda host, n: SmartEvseUnit(firmware, serial=45000 + n, host=host, port=80)


def _goe(firmware: str, typ: str) -> Make:
    return lambda host, n: GoEUnit(firmware, typ=typ, serial=f"{237000 + n}", host=host, port=80)


def _wattpilot(firmware: str, typ: str, **options: Any) -> Make:
    return lambda host, n: WattpilotUnit(firmware, typ=typ, serial=f"{10056000 + n}", host=host, port=80, **options)


def _alfen(firmware: str) -> Make:
    port = 80 if firmware.startswith("4.") else 443
    return lambda host, n: AlfenStation(firmware, serial=f"ACE0{674000 + n}", host=host, port=port)


def _keba(make: str) -> Make:
    return lambda host, n: KebaUnit(
        make, serial=f"{17654000 + n}", host=host, broadcast_host=f"{host.rpartition('.')[0]}.255"
    )


def _juicebox(make: str) -> Make:
    """Make a box whose server is dead and whose console is open."""
    return lambda host, n: JuiceBoxTelnet(
        JuiceBox(make, serial=f"0817081001{n:018d}", target=(host, 9), host=host), host=host, port=2000
    )


def _modbus(make: str, serial: str) -> Make:
    return lambda host, n: modbus_unit(make, host=host, port=502, serial=serial and f"{serial}{n:02d}")


@asynccontextmanager
async def _bender(host: str, _number: int) -> AsyncIterator[object]:
    """Make a controller that answers over Modbus and shows its list of keys as a page."""
    async with BenderUnit(host=host, port=80) as page, modbus_unit("bender-single", host=host, port=502):
        yield page


def _openocpp(protocol: str, *, is_secure: bool) -> Make:
    port = 443 if is_secure else 80
    return lambda host, n: OpenOcppUnit(
        serial=f"OO-{n:06d}", protocol=protocol, is_secure=is_secure, host=host, port=port
    )


def _everest(host: str, number: int) -> Unit:
    return EverestUnit(serial=f"EVEREST-SITE-{number}", host=host, port=1883)


def _microocpp(version: str) -> Make:
    return lambda host, n: MicroOcppUnit(ocpp=version, serial=f"MO{n:06d}", identity=f"MO-{n}", host=host, port=8000)


MODBUS = (
    ("bender-web", "bender", ""),
    ("charx-web", "charx", ""),
    ("keba-p40", "keba-p40", "406543"),
    ("siemens-versicharge", "versicharge", "GEN30008"),
    ("delta", "delta", "DEL22A00047"),
    ("abb-terra-ac", "abb-terra-ac", "47112233000012"),
    ("peblar", "peblar", ""),
    ("vestel-evc04", "vestel", "73102000220008"),
)
"""Profile, make, and the beginning of its serial number where it tells one."""


def _nrgkick(host: str, number: int) -> Unit:
    return NrgKickUnit(serial=f"T23325{number:08d}S1D2", mac=f"AB:CD:12:34:56:{number:02X}", host=host, port=80)


def _boots(vendor: str, model: str) -> Make:
    def make(identity: str, number: int) -> Unit:
        station = OcppStation(identity, serial=f"SITE{number:08d}", time_scale=0.2)
        station.boot = {**station.boot, "chargePointVendor": vendor, "chargePointModel": model}
        return station

    return make


DIALLERS = (
    ("abb-terra-ac", "ABB", "CDT_TACW22-4-1317"),
    ("autel-maxicharger", "Autel", "MaxiCharger AC Wallbox"),
    ("bender-web", "Webasto", "CC613_ELPR4M4PR"),
    ("charx-web", "Phoenix Contact", "CHARX SEC-3100"),
    ("etrel-inch", "Etrel", "INCH Pro"),
    ("grizzl-e", "United Chargers Inc.", "Grizzl-E Smart"),
    ("ocular-bs-ev", "BS AC EV Charger", "BS-EV-AC-22"),
    ("schneider-evlink", "Schneider Electric", "EVlink Pro AC"),
    ("wallbox", "Wall Box Chargers", "PPR1-0-2-4"),
    ("ocpp-alfen", "Alfen BV", "NG910-60023"),
    ("ocpp-amina", "Amina Charging", "amina S"),
    ("ocpp-evbox", "EVBox", "G3-M5320E"),
    ("ocpp-evnex", "Evnex", "E2-7"),
    ("ocpp-microocpp", "MicroOcpp", "MicroOcppSimulator"),
    ("ocpp-simulated", "Simulated", "Station AC 22"),
    ("ocpp-generic", "Nobody Knows Ltd", "Model T"),
)
"""Profile, and the vendor and model it is known by when it dials in."""

ANNOUNCED: Sequence[tuple[str, str, Mapping[str, Mapping[str, str]]]] = (
    ("technove", "TechnoVE 12", {"_technove-stations._tcp": {}}),
    ("elli", "Elli-Wallbox-2125A1G53O", {"_ship._tcp": {"brand": "Elli", "model": "Wallbox"}}),
    ("evbox-livo", "Livo 7", {"_ship._tcp": {"brand": "EVBox", "model": "EVB-510"}}),
)
"""Profile, and what it says of itself."""


def _heard(name: str, services: Mapping[str, Mapping[str, str]]) -> Make:
    return lambda _host, _number: Heard(name=name, services=services)


def places() -> list[Place]:
    """List the chargers of the site."""
    eras = ("4.1.7", "v4.1.9", "v5.1.0", "v5.1.2", "v5.1.5", "head")
    warps = (("2.12.1+6a4f3c2e", "warp3"), ("2.9.0+a37f9364", "warp2"), ("2.1.0+17f4001d", "warp2"))
    return [
        *_lan("openevse-wifi", (_openevse(firmware) for firmware in eras)),
        *_lan("warp", (_warp(firmware, kind) for firmware, kind in warps)),
        *_lan("warp", [_warp("2.12.1+6a4f3c2e", "warp4"), _warp("2.10.0+27eee312", "warp3", has_manager=True)]),
        *_lan("warp1", [_warp("2.9.0+a37f9364", "warp")]),
        *_lan("eltako", [_warp("2.12.1+6a4f3c2e", "wallbox")]),
        *_lan("smartevse", (_smart(item) for item in ("v3.6.3", "v3.8.5", "v3.9.3", "v3.10.2", "v3.11.1"))),
        *_lan("go-e", [_goe("59.4", "go-eCharger_V4"), _goe("60.3", "go-eCharger_V5"), _goe("55.7", "go-eCharger")]),
        *_lan("go-e", [_goe("59.4", "go-eCharger_Pro"), _goe("54.7", "go-eCharger_V4")]),
        *_lan("wattpilot", [_wattpilot("36.3", "wattpilot")]),
        *_lan("wattpilot", [_wattpilot("43.4", "wattpilot_flex", hash_kind="bcrypt")]),
        *_lan("alfen", (_alfen(item) for item in ("5.8.1-4123", "6.6.0-4252", "7.4.5-4401"))),
        *_lan("alfen-http", [_alfen("4.9.0-4156")]),
        *_lan("peblar", (lambda host, n: PeblarCharger(serial=f"24-01-A1B-{n:03d}", host=host, port=80),) * 2),
        *_lan("keba-c", (_keba(item) for item in ("p30-c", "p30-old", "p20-e"))),
        *_lan("keba-x", (_keba(item) for item in ("p30-x", "bmw"))),
        *_lan("juicebox-jb1", [_juicebox("jb1")]),
        *_lan("juicebox-jb2", [_juicebox("jb2")]),
        *_lan("tesla", (lambda host, n: TeslaUnit(serial=f"ACB{n:011d}", host=host, port=80),) * 2),
        *_lan("nrgkick", (_nrgkick,) * 2),
        *(Place(profile=profile, make=_heard(name, said)) for profile, name, said in ANNOUNCED),
        *_lan("openocpp", [_openocpp("OCPP16", is_secure=False), _openocpp("OCPP20", is_secure=True)]),
        *_lan("microocpp", (lambda host, n: MicroOcppUnit(identity=f"charger-{n}", host=host, port=8000),)),
        *_lan("bender-web", [_bender]),
        *_lan("everest", [_everest]),
        *_lan("microocpp", [_microocpp("1.6"), _microocpp("2.0.1")]),
        *(Place(profile=profile, make=_modbus(make, serial)) for profile, make, serial in MODBUS),
        Place(profile="openevse-rapi", way="serial", make=lambda _, n: RapiController(mcu_id=f"OEVSE1{n:08X}")),
        *(Place(profile=profile, way="ocpp", make=_boots(vendor, model)) for profile, vendor, model in DIALLERS),
    ]


def _meter(host: str, _number: int) -> Unit:
    """Make an energy meter that speaks Modbus by SunSpec."""
    image: Image = {}
    put_text(image, HOLDING, 40000, "SunS", 2)
    put_text(image, HOLDING, 40004, "Acme Meters", 16)
    return ModbusServer(image, host=host, port=502)


def _broker(host: str, _number: int) -> Unit:
    return Broker(host=host, port=1883)


OTHERS: tuple[Make, ...] = (_meter, _broker)
"""Strangers that speak no HTTP."""


class MixedSite:
    """All of them at once. Use it as an async context manager; ``placed`` says what stands where.

    ``net`` are the first three numbers of its /24, all of whose addresses must be this computer's own.
    """

    def __init__(self, net: str, *, dial: str = "", chosen: Sequence[Place] | None = None) -> None:
        self.net = net
        self.placed: list[Placed] = []
        self.decoys: list[Decoy] = []
        self._dial = dial
        self._places = places() if chosen is None else list(chosen)
        self._stack = AsyncExitStack()
        self._services: list[ServiceInfo] = []

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for number, place in enumerate(self._places, FIRST):
                await self._stand(place, number, stack)
            for number, kind in enumerate(KINDS, DECOYS_FROM):
                self.decoys.append(await stack.enter_async_context(Decoy(kind, host=f"{self.net}.{number}")))
            for number, make in enumerate(OTHERS, DECOYS_FROM + len(KINDS)):
                await stack.enter_async_context(make(f"{self.net}.{number}", number))
            await self._announce(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    def hosts(self) -> list[str]:
        """List the addresses it needs."""
        chargers = [f"{self.net}.{FIRST + number}" for number in range(len(self._places))]
        return [*chargers, *self.strangers()]

    def strangers(self) -> list[str]:
        """List the addresses of what is no charger."""
        return [f"{self.net}.{DECOYS_FROM + number}" for number in range(len(KINDS) + len(OTHERS))]

    async def _stand(self, place: Place, number: int, stack: AsyncExitStack) -> None:
        host = f"{self.net}.{number}"
        where = f"SITE-{number:03d}" if place.way == "ocpp" else host
        unit: Any = await stack.enter_async_context(place.make(where, number))
        if place.way == "serial":
            where = unit.port
        elif place.way == "ocpp" and self._dial:
            unit.dial(self._dial)
        self.placed.append(Placed(profile=place.profile, where=where, way=place.way))
        if place.way == "lan":
            self._services += _services(unit, host)

    async def _announce(self, stack: AsyncExitStack) -> None:
        """Announce everybody from one responder: sixty of them in one process would drown each other."""
        zeroconf = AsyncZeroconf(interfaces=[f"{self.net}.{FIRST}"])
        stack.push_async_callback(zeroconf.async_close)
        for info in self._services:
            await zeroconf.async_register_service(info, cooperating_responders=True, strict=False)


def _services(unit: Any, host: str) -> Iterator[ServiceInfo]:
    """Return what a unit announces, as its own computer would."""
    said = getattr(unit, "services", None)
    services = said() if callable(said) else said or {}
    if not services:
        return
    ports = getattr(unit, "service_ports", {})
    port = unit.address.port if hasattr(unit, "address") else 4712
    for kind, txt in services.items():
        yield ServiceInfo(
            f"{kind}.local.",
            f"{unit.name}.{kind}.local.",
            addresses=[socket.inet_aton(host)],
            port=ports.get(kind, port),
            properties=dict(txt),
            server=f"host-{host.replace('.', '-')}.local.",
        )
