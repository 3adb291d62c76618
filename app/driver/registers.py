"""Register maps of Modbus units: where a family keeps what. They are product facts and live in ``resources/registers``.

A map names its registers one by one; each says what it means (who the unit is, its state, a reading, something to show)
and, where it proves the family, what its value must look like. docs/registers.md lists every field.
"""

from __future__ import annotations

import functools
import math
import re
import struct
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app import resources
from app.driver.states import StateWord
from app.driver.states import parse as parse_states
from app.errors import ProfileError
from app.model.profile import Evidence, Grade
from app.model.reading import Measurand

SIZES = {"u16": 1, "s16": 1, "u32": 2, "s32": 2, "f32": 2, "u64": 4, "s64": 4}
SIZES |= {"version": 2, "version100": 2, "digits": 2, "high7": 1}
"""Words of each type. ``version``: three bytes and an unused one; ``version100``: 10201 is 1.2.1; ``digits``: a number
that is a name; ``high7``: seven bits of the high byte."""

TEXTS = frozenset({"text", "wide"})
"""``text``: two characters a register. ``wide``: one character a register (UTF-16)."""

CODES = {"u16": ">H", "s16": ">h", "u32": ">I", "s32": ">i", "f32": ">f", "u64": ">Q", "s64": ">q"}
MEANS = ("identity", "measurand", "state", "car", "connectors", "label")
IDENTITY = frozenset({"model", "serial", "firmware", "name"})
COUNT_LIMIT = 125
CONNECTOR_LIMIT = 16
PHASES = ("L1", "L2", "L3")

Value = float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One value of a unit, and what it means: exactly one of ``MEANS``, or nothing but a proof.

    ``phases`` = so many values in a row, L1 first. ``each``: every connector has one. ``absent``: raw numbers that
    mean “not there”. ``like``, ``least``, ``most``, ``among``: a value that is otherwise proves another family.
    """

    name: str
    address: int
    type: str
    words: int = 1
    kind: str = "holding"
    low_word_first: bool = False
    scale: float = 1.0
    phases: int = 0
    phase: str = ""
    each: bool = False
    optional: bool = False
    absent: tuple[int, ...] = ()
    like: str = ""
    least: float | None = None
    most: float | None = None
    among: tuple[int, ...] = ()
    identity: str = ""
    measurand: Measurand | None = None
    state: bool = False
    car: float | None = None
    connectors: bool = False
    label: str = ""
    unit: str = ""
    evidence: Evidence

    @property
    def is_proof(self) -> bool:
        """Say whether its value tells this family from others."""
        return bool(self.like or self.among) or self.least is not None or self.most is not None

    @property
    def count(self) -> int:
        """Return how many registers must be read."""
        return self.words * max(1, self.phases)

    def fits(self, values: Sequence[Value | None]) -> bool:
        """Say whether values are such as this family has them."""
        return all(value is not None and self._fits(value) for value in values)

    def _fits(self, value: Value) -> bool:
        if isinstance(value, str):
            return re.search(self.like, value) is not None
        is_over = self.least is not None and value < self.least
        is_under = self.most is not None and value > self.most
        return not (is_over or is_under or (self.among and value not in self.among))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterMap:
    """All registers of a family.

    ``stride``: from one connector's registers to the next one's; the first's begin at ``stride`` too. ``ports``: each
    further connector answers one port higher.
    """

    id: str
    title: str
    vendor: str
    unit: int
    profile: str = ""
    claims_serial: bool = True
    stride: int = 0
    ports: bool = False
    priority: int = 0
    registers: tuple[Register, ...] = ()
    states: Mapping[int | str, StateWord] = field(default_factory=dict)
    evidence: Evidence

    @property
    def proofs(self) -> tuple[Register, ...]:
        """List what tells this family from all others."""
        return tuple(register for register in self.registers if register.is_proof)

    def address(self, register: Register, connector: int) -> int:
        """Return where a register of a connector (from 1) stands."""
        return register.address + (self.stride * connector if register.each and self.stride else 0)

    def word(self, value: Value | None, *, has_car: bool) -> tuple[str, str]:
        """Return OCPP word and detail for the value of the state register."""
        if value is None:
            return "", ""
        key: int | str = value[:1].upper() if isinstance(value, str) else int(value)
        state = self.states.get(key)
        if state is None:
            return "", f"state {value if isinstance(value, str) else int(value)}"
        return (state.with_car if has_car and state.with_car else state.word), state.detail


def decode(register: Register, words: Sequence[int]) -> list[Value | None]:
    """Turn registers into values, one a phase: scaled numbers, texts, ``None`` for what is absent or absurd."""
    size = register.words
    return [_value(register, words[at : at + size]) for at in range(0, size * max(1, register.phases), size)]


def _value(register: Register, words: Sequence[int]) -> Value | None:
    ordered = list(reversed(words)) if register.low_word_first else list(words)
    raw = b"".join(word.to_bytes(2, "big") for word in ordered)
    if register.type == "text":
        return _text(raw)
    if register.type == "wide":
        return _text(bytes(words)) if all(word < 0x80 for word in words) else None
    number = int.from_bytes(raw, "big")
    if register.type in _SPELLED:
        return _SPELLED[register.type](raw, number)
    if number in register.absent:
        return None
    found = float(struct.unpack(CODES[register.type], raw)[0])
    return round(found * register.scale, 6) if math.isfinite(found) and abs(found) < 1e15 else None


_SPELLED: Mapping[str, Callable[[bytes, int], Value]] = {
    "version": lambda raw, _number: f"{raw[0]}.{raw[1]}.{raw[2]}",
    "version100": lambda _raw, number: f"{number // 10000}.{number // 100 % 100}.{number % 100}",
    "digits": lambda _raw, number: str(number),
    "high7": lambda raw, _number: float(raw[0] & 0x7F),
}


def _text(raw: bytes) -> str | None:
    """Return printable ASCII, up to the first zero byte."""
    plain = raw.partition(b"\0")[0].strip()
    if not plain or any(not 0x20 <= char < 0x7F for char in plain):
        return None
    return plain.decode("ascii")


@functools.cache
def load_all() -> tuple[RegisterMap, ...]:
    """Read every map of ``resources/registers``, those that are asked first at the front. Raises ProfileError."""
    texts = resources.texts("registers", ".toml")
    maps = [parse(tomllib.loads(text), origin=name) for name, text in sorted(texts.items())]
    return tuple(sorted(maps, key=lambda item: -item.priority))


_MAP = {"title": str, "vendor": str, "unit": int, "profile": str, "claims_serial": bool, "stride": int, "ports": bool}
_MAP |= {"priority": int, "source": str, "grade": str, "states": dict, "registers": list}
_REGISTER: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "address": int,
    "type": str,
    "words": int,
    "kind": str,
    "low_word_first": bool,
    "scale": (int, float),
    "phases": int,
    "phase": str,
    "each": bool,
    "optional": bool,
    "absent": list,
    "like": str,
    "least": (int, float),
    "most": (int, float),
    "among": list,
    "identity": str,
    "measurand": str,
    "state": bool,
    "car": (int, float),
    "connectors": bool,
    "label": str,
    "unit": str,
    "source": str,
    "grade": str,
}


def parse(document: Mapping[str, Any], *, origin: str) -> RegisterMap:
    """Turn a document into a map. Raises ProfileError naming the register."""
    _check(document, _MAP, origin, ("title", "vendor", "unit", "source", "grade", "registers"))
    facts = {key: value for key, value in document.items() if key not in ("states", "registers", "source", "grade")}
    evidence = _evidence(document, origin)
    registers = tuple(_register(item, evidence, origin) for item in document["registers"])
    names = [register.name for register in registers]
    if len(set(names)) != len(names):
        raise _bad(origin, "two registers have one name")
    found = RegisterMap(
        id=origin, registers=registers, states=_states(document.get("states", {}), origin), evidence=evidence, **facts
    )
    if len(found.proofs) < 2:
        raise _bad(origin, "at least two registers must prove the family")
    if not 0 <= found.unit <= 255 or found.stride < 0:
        raise _bad(origin, "unit or stride can't be")
    return found


def _states(document: Mapping[str, Any], origin: str) -> dict[int | str, StateWord]:
    keys: list[int | str] = [int(key) if key.isdecimal() else key for key in document]
    numbered = {str(number): table for number, table in enumerate(document.values())}
    return dict(zip(keys, parse_states(numbered, origin=f"../registers/{origin}").words, strict=True))


def _register(document: Any, evidence: Evidence, origin: str) -> Register:
    where = f"{origin}, {document.get('name', '?')}" if isinstance(document, dict) else origin
    _check(document, _REGISTER, where, ("name", "address", "type"))
    kind = str(document["type"])
    if kind not in SIZES and kind not in TEXTS:
        raise _bad(where, f"unknown type “{kind}”")
    facts = {key: value for key, value in document.items() if key not in ("source", "grade", "measurand")}
    facts |= {key: tuple(facts[key]) for key in ("absent", "among") if key in facts}
    facts.setdefault("words", SIZES.get(kind, 1))
    if "measurand" in document:
        facts["measurand"] = _measurand(document["measurand"], where)
    own = _evidence(document, where) if "source" in document else evidence
    found = Register(evidence=own, **facts)
    _sane(found, where)
    return found


def _sane(found: Register, where: str) -> None:
    means = [name for name in MEANS if getattr(found, name) not in (None, "", False)]
    if len(means) > 1 or not (means or found.is_proof):
        raise _bad(where, f"needs one meaning of {', '.join(MEANS)}")
    if found.identity and found.identity not in IDENTITY:
        raise _bad(where, f"unknown identity “{found.identity}”")
    if found.kind not in ("holding", "input"):
        raise _bad(where, f"unknown kind “{found.kind}”")
    if not 0 <= found.address <= 65535 or not 1 <= found.count <= COUNT_LIMIT or not 0 <= found.phases <= len(PHASES):
        raise _bad(where, "address, words or phases can't be")
    if found.type not in TEXTS and found.words != SIZES[found.type]:
        raise _bad(where, "this type has another number of words")


def _measurand(name: str, where: str) -> Measurand:
    try:
        return Measurand(name)
    except ValueError as error:
        raise _bad(where, f"unknown measurand “{name}”") from error


def _evidence(document: Mapping[str, Any], where: str) -> Evidence:
    try:
        return Evidence(source=str(document["source"]), grade=Grade(document["grade"]))
    except (KeyError, ValueError) as error:
        raise _bad(where, "needs source and grade") from error


def _check(document: Any, fields: Mapping[str, Any], where: str, needed: Sequence[str]) -> None:
    if not isinstance(document, dict):
        raise _bad(where, "is no table")
    for name in needed:
        if name not in document:
            raise _bad(where, f"needs “{name}”")
    for name, value in document.items():
        if name not in fields:
            raise _bad(where, f"unknown field “{name}”")
        if not isinstance(value, fields[name]) or (isinstance(value, bool) and fields[name] is not bool):
            raise _bad(where, f"“{name}” has the wrong type")


def _bad(where: str, what: str) -> ProfileError:
    return ProfileError(f"registers/{where}: {what}", "Correct the file; docs/registers.md lists all fields.")
