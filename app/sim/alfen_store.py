"""The properties of a simulated Alfen station, by firmware.

Sources: leeyuentuen/alfen_wallbox doc/alfen_props.md (shape of an answer), pbasista/alfenctl
research/windows/windows-findings.md (ids, types, which are read-only), docs/how-it-works.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

TEXT, INTEGER, REAL, TIME, READ_ONLY, WRITABLE = 9, 7, 8, 27, 1, 3


class Era(Enum):
    """What differs between firmwares."""

    HTTP = "below 5"
    """Plain HTTP, Basic beside the login, no security profiles, host and path."""
    REGISTERS = "5"
    """HTTPS, a cookie, host and path."""
    PROFILES = "6 and 7.0"
    """HTTPS, a cookie, network profiles."""
    TOKENS = "from 7.4"
    """HTTPS, a token instead of the cookie, network profiles."""


def era_of(firmware: str) -> Era:
    """Return the era of a firmware. That tokens came with 7.4 is an assumption: the source says “the newest”."""
    parts = [int(part) for part in firmware.partition("-")[0].split(".")[:2]]
    if parts < [5, 0]:
        return Era.HTTP
    if parts < [6, 0]:
        return Era.REGISTERS
    return Era.PROFILES if parts < [7, 4] else Era.TOKENS


@dataclass(slots=True)
class Property:
    """One property as the station answers it."""

    id: str
    value: Any
    category: str
    type: int = TEXT
    access: int = WRITABLE
    length: int = 0

    def shown(self) -> dict[str, Any]:
        """Return the entry of ``properties``."""
        return {
            "id": self.id,
            "access": self.access,
            "type": self.type,
            "len": self.length,
            "cat": self.category,
            "value": self.value,
        }


def properties(serial: str, identity: str, firmware: str, model: str, sockets: int) -> dict[str, Property]:
    """Return the stored properties of a fresh station."""
    era = era_of(firmware)
    found = [
        Property("1008_0", model.partition("-")[0], "generic", access=READ_ONLY),
        Property("100A_0", firmware, "generic", access=READ_ONLY),
        Property("2050_0", "EVe-dual" if sockets > 1 else "EVe-single", "generic", access=READ_ONLY),
        Property("2051_0", serial, "generic", access=READ_ONLY),
        Property("2052_1", f"02:41:4C:{serial[-6:-4]}:{serial[-4:-2]}:{serial[-2:]}", "comm", access=READ_ONLY),
        Property("2053_0", identity, "generic", length=48),
        Property("205E_0", sockets, "generic", INTEGER, READ_ONLY),
        Property("2062_0", 16.0, "generic", REAL),
        Property("2063_0", "ABCDEF01", "generic", length=20),
        Property("2076_0", "", "comm", access=READ_ONLY),
        Property("2077_0", 1, "comm", INTEGER),
        Property("2081_0", "ocpp/json", "comm", access=READ_ONLY),
        Property("2082_0", "1.6", "comm", length=8),
        Property("2085_0", 300, "ocpp", INTEGER),
        Property("2071_1", "old-backend.example:80", "comm", length=100),
        Property("2071_2", "ocpp", "comm", length=100),
        Property("2078_1", "ws://ws-private.example/", "comm", length=100),
        Property("2078_2", "", "comm", length=100),
        Property("207D_1", "127.0.0.1", "comm", access=READ_ONLY),
        Property("2100_0", "internet.m2m", "comm", length=64),
        Property("2102_0", "apn-secret-77", "comm", length=64),
        Property("2105_0", "8931440000000000001", "comm", access=READ_ONLY),
        Property("2110_0", -71, "comm", INTEGER, READ_ONLY),
        Property("2126_0", 2, "generic2", INTEGER),
        Property("2129_0", 16.0, "generic", REAL),
        Property("2187_0", 1_760_000_000_000, "generic", TIME, READ_ONLY),
    ]
    if era is not Era.HTTP:
        found += [
            Property("2117_0", 0, "comm", INTEGER),
            Property("2722_0", "", "ocpp", length=64),
            Property("2723_0", 0, "ocpp", INTEGER),
            Property("328B_0", "********", "generic2", length=63),
        ]
    if era in (Era.PROFILES, Era.TOKENS):
        found += [
            Property("20F0_1", 3, "comm", INTEGER),
            Property("20F0_3", "ws://old-backend.example:80/ocpp", "comm", length=255),
            Property("20F0_5", 0, "comm", INTEGER),
            Property("20F0_6", 1, "comm", INTEGER),
            Property("20F0_E", 1, "comm", INTEGER),
            Property("20F1_3", "", "comm", length=255),
            Property("20F1_E", 0, "comm", INTEGER),
        ]
    return {item.id: item for item in found}
