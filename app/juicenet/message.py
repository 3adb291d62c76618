"""Datagrams of Wi-Fi JuiceBoxes: read what they send, write what they are told. Pure.

Facts: chargers-commercial 1.6; the samples in ``test_message.py`` of JuiceRescue/juicepassproxy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.errors import NotSupported, ValueRejected
from app.model.juicebox import LEAST_A, BoxMode, BoxReport

SIZE_LIMIT = 1024
"""Bytes of a datagram; the longest published one has 190."""
FIELDS = 64
"""Fields of a report; the longest published one has 19."""
TEXT_LIMIT = 200
"""Characters kept of a debug text."""
MOST_A = 80
"""No Wi-Fi JuiceBox was sold above 48 A, and Level 2 (SAE J1772) ends at 80 A."""
COUNT = 999
"""Commands are numbered 1 to 999, then again from 1."""
WIDE = {"v09u"}
"""Versions that want ``A`` with four digits and ``M`` with three (juicepassproxy, ``juicebox_message.py``)."""
NARROW = {"", "v07"}
"""Versions that want two digits each; the empty one is the oldest form."""
PURPOSE = "006"
"""The field ``C``: nobody knows its bits; juicepassproxy and juicebox-protocol always send 006."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNZPQRSTUVWXY"
_HEAD = re.compile(rb"([0-9]{4,40}):(v[0-9]{2}[a-z]?)?")
_CHECKED = re.compile(r"([^!]*)!([0-9A-Z]{3})[:$]?")
_FIELD = re.compile(r"([A-Za-z])(-?[0-9]{1,12})")
_SEALED = {"v08", "v09e"}
_LEVELS = {"NFO": "info", "WRN": "warning", "ERR": "error"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DebugText:
    """A line of the box's own log. ``level``: ``info``, ``warning``, ``error``, or what it said instead."""

    box_id: str
    at: datetime
    level: str
    text: str

    @property
    def is_boot(self) -> bool:
        """Say whether the box tells that it starts."""
        return self.text.startswith("BOT:")

    @property
    def software(self) -> str:
        """Return the name of its software, which it tells in one of the lines of its start."""
        name = self.text.removeprefix("BOT:").partition(",")[0].strip()
        return name if self.is_boot and name.startswith("EMWERK-") else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """An encrypted datagram (v08, v09e): nobody can read it."""

    box_id: str
    at: datetime
    version: str

    WAY_OUT = (
        "Block the name directory-api.emotorwerks.com, then switch the box's power off and on: "
        "it usually comes back unencrypted."
    )
    """juicepassproxy issues 73 and 116."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nonsense:
    """Something else. ``box_id`` is the serial it bears, if any."""

    reason: str
    box_id: str = ""


Message = BoxReport | DebugText | Sealed | Nonsense


def serial(datagram: bytes) -> str:
    """Return the serial a datagram bears, cheaply; empty where it bears none."""
    head = _HEAD.match(datagram)
    return head[1].decode("ascii") if head else ""


def read(datagram: bytes, at: datetime) -> Message:
    """Read a datagram received at ``at`` (UTC). Never raises."""
    head = _HEAD.match(datagram)
    if len(datagram) > SIZE_LIMIT:
        return Nonsense(reason=f"longer than {SIZE_LIMIT} bytes")
    if head is None:
        return Nonsense(reason="no serial number at its beginning")
    box_id, version = head[1].decode("ascii"), (head[2] or b"").decode("ascii")
    if version in _SEALED or version.endswith("e"):
        return Sealed(box_id=box_id, at=at, version=version)
    try:
        text = datagram.decode("ascii").rstrip("\r\n\0 ")
    except UnicodeDecodeError:
        return Nonsense(reason="bytes that are no text", box_id=box_id)
    rest = text[len(box_id) + 1 :]
    if rest.startswith("DBG,"):
        return _debug(box_id, rest[4:], at)
    return _versioned(box_id, version, text, at) if version else _oldest(box_id, rest, at)


def checksum(text: str) -> str:
    """Return the three characters of a text (everything before ``!``)."""
    number = 0
    for code in map(ord, text):
        number = (number ^ ((number << 5) + (number >> 2) + code)) & 0xFFFF
    digits = []
    for _ in range(3):
        number, digit = divmod(number, 35)
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def can_be_told(version: str) -> bool:
    """Say whether it is published how a box of this version wants its commands."""
    return version in WIDE or version in NARROW


def command(version: str, limit_a: int, local: datetime, counter: int) -> bytes:
    """Write a command: the same limit in both disputed fields, at the box's local time.

    Raises ValueRejected for a limit that is not 0 or 6 to 80 A, NotSupported for a version whose width nobody knows.
    """
    if limit_a != 0 and not LEAST_A <= limit_a <= MOST_A:
        raise ValueRejected(f"{limit_a} A is no limit for a JuiceBox.", f"Give 0, or 6 to {MOST_A} A.")
    if not can_be_told(version):
        raise NotSupported(f"Nobody has published how commands of “{version}” look.", "The box is only listened to.")
    both = f"A{limit_a:04d}M{limit_a:03d}" if version in WIDE else f"A{limit_a:02d}M{limit_a:02d}"
    # isoweekday: 7 is Sunday, here 0
    when = f"{local.isoweekday() % 7}{local:%H%M}"
    text = f"CMD{when}{both}C{PURPOSE}S{(counter - 1) % COUNT + 1:03d}"
    return f"{text}!{checksum(text)}$".encode("ascii")


def _debug(box_id: str, rest: str, at: datetime) -> DebugText:
    level, _, text = rest.partition(":")
    shown = "".join(char for char in text[: TEXT_LIMIT + 1] if char.isprintable()).removesuffix(":")
    return DebugText(box_id=box_id, at=at, level=_LEVELS.get(level, level[:10]), text=shown[:TEXT_LIMIT])


def _versioned(box_id: str, version: str, text: str, at: datetime) -> Message:
    checked = _CHECKED.fullmatch(text)
    if checked is None:
        return Nonsense(reason=f"a {version} datagram without a checksum", box_id=box_id)
    if checksum(checked[1]) != checked[2]:
        return Nonsense(reason="a wrong checksum", box_id=box_id)
    body = checked[1][len(box_id) + 1 + len(version) :]
    fields = _fields(body.removeprefix(","))
    if fields is None:
        return Nonsense(reason="fields that are none", box_id=box_id)
    return _report(box_id, version, dict(reversed(fields)), at)


def _oldest(box_id: str, rest: str, at: datetime) -> Message:
    """Read the form without version.

    It has two ``E``: the one of the session, and one that is 14 in every sample; an unplugged box tells only the
    latter. Its ``L`` can't be Wh: in one sample the session exceeds it.
    """
    fields = _fields(rest.removesuffix(":"))
    if fields is None or not any(letter in "SAV" for letter, _ in fields):
        return Nonsense(reason="neither a version nor fields", box_id=box_id)
    told = dict(reversed(fields))
    energies = [value for letter, value in fields if letter == "E"]
    unsure = {"L": told.pop("L")} if "L" in told else {}
    if energies and len(energies) < 2 and told.get("S", "").strip("0") == "":
        unsure["E"] = energies[0]
        told.pop("E", None)
    if "S" not in told and "A" in told:
        told["S"] = "2" if int(told["A"]) > 0 else "1"
    return _report(box_id, "", told, at, unsure)


def _fields(text: str) -> list[tuple[str, str]] | None:
    parts = text.split(",", FIELDS)
    if len(parts) > FIELDS:
        return None
    found = []
    for part in parts:
        match = _FIELD.fullmatch(part)
        if match is None:
            return None
        found.append((match[1], match[2]))
    return found


@dataclass(frozen=True, slots=True)
class _Scale:
    name: str
    factor: float = 1
    least: float = 0
    most: float = 1e11


_SCALES: Mapping[str, _Scale] = {
    "A": _Scale("current_a", 0.1, most=200),
    "f": _Scale("frequency_hz", 0.01, most=100),
    "p": _Scale("power_factor", 0.001, most=1),
    "E": _Scale("session_wh"),
    "L": _Scale("lifetime_wh"),
    "T": _Scale("temperature_c", least=-60, most=150),
    "M": _Scale("online_limit_a", most=255),
    "C": _Scale("offline_limit_a", most=255),
    "m": _Scale("rating_a", most=255),
    "s": _Scale("counter", most=COUNT),
    "u": _Scale("loop"),
    "t": _Scale("period_s", most=86_400),
}
_MODES = {mode.value: mode for mode in BoxMode}


def _report(
    box_id: str, version: str, told: Mapping[str, str], at: datetime, unsure: Mapping[str, str] | None = None
) -> BoxReport:
    """Scale what is known; what lies outside of any box stays a text among the others."""
    values: dict[str, Any] = {}
    others = dict(unsure or {})
    for letter, text in told.items():
        number = int(text)
        if letter == "S" and number in _MODES:
            values["mode"] = _MODES[number]
        elif letter == "V" and 0 <= number <= 9999:
            values["voltage_v"] = number / 10 if len(text) >= 4 else float(number)
        elif not _scaled(values, letter, number):
            others[letter] = text
    return BoxReport(box_id=box_id, at=at, version=version, others=others, **values)


def _scaled(values: dict[str, Any], letter: str, number: int) -> bool:
    scale = _SCALES.get(letter)
    if scale is None or not scale.least <= number * scale.factor <= scale.most:
        return False
    values[scale.name] = number if scale.factor == 1 else round(number * scale.factor, 4)
    return True
