"""Chargers on Modbus, make by make, charging at 16 A on one connector. Figures are made up; where they stand is not.

Sources: bender.de docs 5.32, Modbus TCP API; evcc-io/evcc charger/*.go of each make; OpenEMS ProductTypeAndFeatures.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from app.sim.fault import Fault
from app.sim.modbus import Image, ModbusServer, put, put_long, put_text

HOLDING, INPUT = "holding", "input"


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """How a make answers: its registers, for the serial number on its label."""

    image: Callable[[str], Image]
    second: Callable[[str], Image] | None = None
    """Registers of a second outlet, one port higher."""
    units: Iterable[int] = ()
    alone: Mapping[int, int] = field(default_factory=dict)
    closes: bool = False
    serial: str = ""


def bender(state: int = 3, model: str = "CC612_2S0R", *, legacy: bool = False) -> Callable[[str], Image]:
    """Bender controllers; a legacy one has no model and no figures of the whole."""

    def image(_serial: str) -> Image:
        found: Image = {}
        put_text(found, HOLDING, 100, "5.33", 2)
        put(found, HOLDING, 104, 3 if state == 3 else 1)
        put_text(found, HOLDING, 120, "0.14", 2)
        put(found, HOLDING, 122, state)
        put_long(found, HOLDING, 200, 1_000_000, 1_000_000, 1_000_000)
        put_long(found, HOLDING, 206, 3_680 if state == 3 else 0, 0, 0)
        put_long(found, HOLDING, 212, 16_000 if state == 3 else 0, 0, 0)
        put(found, HOLDING, 1000, 16)
        if not legacy:
            put_text(found, HOLDING, 142, model, 10)
            put_long(found, HOLDING, 218, 3_000_000, 3_680 if state == 3 else 0, 231, 230, 229)
        return found

    return image


def charx(serial: str) -> Image:
    """Phoenix Contact CHARX with three charging points: the first charges, the second waits, the third is free."""
    del serial
    found: Image = {}
    for kind in (HOLDING, INPUT):
        put_text(found, kind, 100, "CHARX SEC-3100", 10)
        put_text(found, kind, 110, "1.5.0", 4)
        put(found, kind, 114, 3)
        for point, status in enumerate(("C2", "B1", "A1"), 1):
            base, amps = 1000 * point, 16_000 if status == "C2" else 0
            put(found, kind, base + 112, 1)
            put_long(found, kind, base + 232, 231_000, 230_000, 229_000)
            put_long(found, kind, base + 238, amps, 0, 0)
            put_long(found, kind, base + 244, amps * 230)
            put_long(found, kind, base + 250, 1_234_567 * point, words=4)
            put_text(found, kind, base + 299, status, 1)
            put(found, kind, base + 300, 1, 16)
    return found


def keba(product: int, firmware: int) -> Callable[[str], Image]:
    """KEBA P30 and P40."""

    def image(serial: str) -> Image:
        found: Image = {}
        put_long(found, HOLDING, 1000, 3)
        put_long(found, HOLDING, 1004, 7)
        put_long(found, HOLDING, 1008, 16_000, 0, 0, int(serial), product, firmware, 3_680_000)
        put_long(found, HOLDING, 1036, 12_345_678)
        put_long(found, HOLDING, 1040, 231, 230, 229)
        return found

    return image


KEBA_ALONE = dict.fromkeys((*range(1000, 1021, 2), 1036, 1040, 1042, 1044), 2)


def versicharge(serial: str) -> Image:
    """Siemens VersiCharge Gen 3."""
    found: Image = {}
    put_text(found, HOLDING, 0, "Siemens", 5)
    put(found, HOLDING, 5, 2023, 0x0C11)
    put_text(found, HOLDING, 7, serial, 5)
    put_text(found, HOLDING, 12, "8EM1310-5EJ04-3GA0", 10)
    put(found, HOLDING, 30, 2)
    put_text(found, HOLDING, 31, "2.135", 10)
    put_text(found, HOLDING, 1599, "C", 1)
    put(found, HOLDING, 1600, 0, 0, 41)
    put(found, HOLDING, 1633, 1600)
    put(found, HOLDING, 1647, 16, 0, 0)
    put(found, HOLDING, 1651, 231, 230, 229)
    put(found, HOLDING, 1662, 3680, 0xFFFF, 0xFFFF)
    put_long(found, HOLDING, 1692, 4_567_890)
    return found


def delta(serial: str) -> Image:
    """Delta with two connectors: the first charges, the second is free."""
    found: Image = {}
    put(found, INPUT, 100, 1, 0, 2)
    put_text(found, INPUT, 110, serial, 20)
    put_text(found, INPUT, 130, "EIAW-E22KTSE5A04", 20)
    for connector, state in enumerate((4, 1), 1):
        put(found, INPUT, 1000 * connector, state, 3 if state == 4 else 0, 0, 0, 0)
        put_long(found, INPUT, 1000 * connector + 5, 3_680 if state == 4 else 0)
    return found


def abb(serial: str) -> Image:
    """ABB Terra AC."""
    found: Image = {}
    put_long(found, HOLDING, 0x4000, int(serial, 16), words=4)
    put(found, HOLDING, 0x4004, 0x0108, 0x1500)
    put_long(found, HOLDING, 0x4006, 32_000, 0, 0x0111)
    put(found, HOLDING, 0x400C, 0, 0x0400)
    put_long(found, HOLDING, 0x400E, 16_000, 16_000, 0, 0, 2310, 2300, 2290, 3_680, 5_000)
    return found


def peblar(serial: str) -> Image:
    """Peblar."""
    found: Image = {}
    put_long(found, INPUT, 30000, 7_654_321, words=4)
    put_long(found, INPUT, 30008, 3_680, 0, 0, 3_680, 231, 230, 229, 16_000, 0, 0)
    put_text(found, INPUT, 30050, serial, 12)
    put_text(found, INPUT, 30062, "6004-2300-7001", 12)
    put_text(found, INPUT, 30074, "1.6.1+1+WL-1", 12)
    put(found, INPUT, 30092, 3, 0)
    put(found, INPUT, 30110, ord("C"))
    return found


def vestel(serial: str) -> Image:
    """Vestel EVC04, sold as Webasto Unite."""
    found: Image = {}
    put_text(found, INPUT, 100, serial, 25, wide=True)
    put_text(found, INPUT, 190, "Webasto", 10, wide=True)
    put_text(found, INPUT, 210, "Unite", 5, wide=True)
    put_text(found, INPUT, 230, "v3.187.0-4.0.96.0", 50, wide=True)
    put(found, INPUT, 1000, 2, 1, 1, 0, 3)
    put(found, INPUT, 1008, 16_000, 0, 0, 0, 0, 0, 231, 0, 230, 0, 229, 0)
    put_long(found, INPUT, 1020, 3_680)
    put_long(found, INPUT, 1036, 54_321)
    return found


MAKES: Mapping[str, Make] = {
    "bender": Make(image=bender(), second=bender(1)),
    "bender-single": Make(image=bender()),
    "bender-legacy": Make(image=bender(legacy=True)),
    "amtron-4you": Make(image=bender(model="AMTRON 4You 500"), closes=True),
    "charx": Make(image=charx),
    "keba-p30-c": Make(image=keba(314121, 0x1E0A3900), alone=KEBA_ALONE, serial="17654321"),
    "keba-p30-x": Make(image=keba(314021, 0x1E0A2A00), alone=KEBA_ALONE, serial="18654321"),
    "keba-p40": Make(image=keba(4140211, 10201), alone=KEBA_ALONE, serial="40654321"),
    "versicharge": Make(image=versicharge, units=(2,), serial="GEN3000815"),
    "delta": Make(image=delta, units=(1,), serial="DEL22A0004711"),
    "abb-terra-ac": Make(image=abb, units=(1,), serial="4711223300001234"),
    "peblar": Make(image=peblar, serial="22-23-ABC-1PQ"),
    "vestel": Make(image=vestel, serial="7310200022000815"),
}


@asynccontextmanager
async def modbus_unit(
    make: str, *, host: str = "127.0.0.1", port: int = 0, serial: str = "", faults: Iterable[Fault] = (), limit: int = 8
) -> AsyncIterator[ModbusServer]:
    """Put a charger on the network; a second outlet answers one port higher."""
    made = MAKES[make]
    common = {"units": made.units, "alone": made.alone, "closes": made.closes, "limit": limit, "faults": faults}
    async with AsyncExitStack() as stack:
        first = ModbusServer(made.image(serial or made.serial), host=host, port=port, **common)  # type: ignore[arg-type]
        if made.second is not None:
            first.port = port or _free_pair(host)
            second = ModbusServer(made.second(serial), host=host, port=first.port + 1, **common)  # type: ignore[arg-type]
            await stack.enter_async_context(second)
        yield await stack.enter_async_context(first)


def _free_pair(host: str) -> int:
    """Find a port that is free, and the next one too."""
    while True:
        with socket.socket() as low, socket.socket() as high, suppress(OSError, OverflowError):
            low.bind((host, 0))
            found = int(low.getsockname()[1])
            high.bind((host, found + 1))
            return found
