"""What a simulated JuiceBox sends and takes, byte for byte: its own encoder, knowing nothing of ``app.juicenet``.

Sources: captured datagrams in JuiceRescue/juicepassproxy ``test_message.py``; its issues 73 and 116 (encrypted forms),
101 (debug texts); chargers-commercial 1.6 (fields, checksum, commands).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import Enum

DIGITS = "0123456789ABCDEFGHIJKLMNZPQRSTUVWXY"
"""Base 35; the digit 24 is ``Z``, because ``O`` looks like 0."""

COMMAND = re.compile(r"CMD(\d)(\d{4})A(\d{2,4})M(\d{2,3})C(\d{3})S(\d{3})!([0-9A-Z]{3})\$")
SECOND_E = 14
"""The energy of the interval in the captured datagrams of the oldest form."""

LINE_FREQUENCY = 6001
"""Hundredths of a hertz, as captured."""


class Form(Enum):
    """How a box words its reports."""

    OLDEST = ""
    V07 = "v07"
    V09U = "v09u"

    @property
    def sealed(self) -> str:
        """Return the version under which it sends encrypted."""
        return "v09e" if self is Form.V09U else "v08"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a report says. Currents in A, energies in Wh, voltage in V."""

    mode: int
    counter: int
    loop: int
    voltage_v: float
    lifetime_wh: int
    session_wh: int
    current_a: float
    temperature_c: int
    online_a: int
    offline_a: int
    rating_a: int
    period_s: int
    interval: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command that was understood. ``a`` and ``m`` are its two disputed fields, in A."""

    a: int
    m: int
    weekday: int
    clock: str
    flags: int
    counter: int


def checksum(text: str) -> str:
    """Return the three digits a box puts behind the ``!``."""
    total = 0
    for char in text:
        shifted = (total << 5) + (total >> 2) + ord(char)
        total = (total ^ shifted) & 0xFFFF
    low, total = total % 35, total // 35
    middle, high = total % 35, total // 35 % 35
    return DIGITS[low] + DIGITS[middle] + DIGITS[high]


def report(serial: str, form: Form, told: Told) -> bytes:
    """Word a report in a form."""
    if form is Form.OLDEST:
        return _oldest(serial, told)
    text = _v09u(told) if form is Form.V09U else _v07(told)
    body = f"{serial}:{form.value},{text}"
    return f"{body}!{checksum(body)}:".encode("ascii")


def _v07(told: Told) -> str:
    parts = [
        f"s{told.counter:04d},u{told.loop:05d},V{round(told.voltage_v * 10):04d},L{told.lifetime_wh:010d}",
        f"S{told.mode},T{told.temperature_c:02d},M{told.online_a:02d},m{told.rating_a:02d},t{told.period_s:02d}",
        f"i{told.interval:02d},e-001,f{LINE_FREQUENCY},X0,Y0",
    ]
    if told.mode == 2:
        parts.append(f"E{told.session_wh:06d},A{round(told.current_a * 10):04d},p0992")
    return ",".join(parts)


def _v09u(told: Told) -> str:
    parts = [
        f"s{told.counter:03d},F{10 + told.mode // 2},u{told.loop:08d},V{round(told.voltage_v * 10):04d}",
        f"L{told.lifetime_wh:011d},S{told.mode:02d},T{told.temperature_c:02d}",
        f"M{told.online_a:04d},C{told.offline_a:04d},m{told.rating_a:04d},t{told.period_s:02d},i{told.interval:02d}",
        f"e00000,f{LINE_FREQUENCY},r61,b000,B0000000",
    ]
    if told.mode == 2:
        parts.append(f"P0,E{told.session_wh:07d},A{round(told.current_a * 10):05d},p0996")
    return ",".join(parts)


def _oldest(serial: str, told: Told) -> bytes:
    """Word it as the captured ones are: idle it says ``S``; while a car is there only ``A``, and ``E`` twice."""
    whole = f"V{round(told.voltage_v)},L{told.lifetime_wh}"
    if told.mode == 0:
        text = f"{whole},S0,T{told.temperature_c},E{SECOND_E},i{told.interval},e1,t{told.period_s}"
    else:
        state = "S5," if told.mode == 5 else ""
        text = (
            f"{whole},{state}E{told.session_wh},A{round(told.current_a * 10)},T{told.temperature_c},"
            f"t{told.period_s},E{SECOND_E},i{told.interval},e1"
        )
    return f"{serial}:{text}:".encode("ascii")


def sealed(serial: str, form: Form, length: int = 150) -> bytes:
    """Return what nobody can read: serial, version, and bytes."""
    return f"{serial}:{form.sealed}".encode("ascii") + os.urandom(length)


def debug(serial: str, level: str, text: str) -> bytes:
    """Word a debug line; ``level`` is ``NFO``, ``WRN`` or ``ERR``."""
    return f"{serial}:DBG,{level}:{text}:".encode("ascii")


def order(data: bytes) -> Order | None:
    """Read a command; ``None`` where it is none, or its checksum is wrong."""
    found = COMMAND.fullmatch(data.decode("latin-1").strip())
    if found is None or checksum(found.string[: found.end() - 5]) != found[7]:
        return None
    weekday, clock, a, m, flags, counter = found.groups()[:6]
    if int(weekday) > 6 or int(clock[:2]) > 23 or int(clock[2:]) > 59:
        return None
    return Order(a=int(a), m=int(m), weekday=int(weekday), clock=clock, flags=int(flags), counter=int(counter))
