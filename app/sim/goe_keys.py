"""The keys of a simulated go-e charger, by firmware (goecharger/go-eCharger-API-v2 API_KEYS_FIRMWARE/, ocpp-en.md)."""

from __future__ import annotations

import json
import re
from typing import Any

FIXED = frozenset({"sse", "typ", "oem", "fwv", "var", "host"})
MODELS = {
    "go-eCharger": "V3",
    "go-eCharger_V4": "V4",
    "go-eCharger_V5": "V5",
    "go-eCharger_Pro": "PRO",
}


def version_of(firmware: str) -> tuple[int, int]:
    """Read ``054.7`` or ``60.4-beta``."""
    found = re.match(r"(\d+)\.(\d+)", firmware)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def defaults(firmware: str, typ: str, oem: str, serial: str) -> dict[str, Any]:
    """Return everything a person may set, and who it is, as it leaves the box."""
    host = f"{'Wattpilot' if oem == 'fronius' else 'go-echarger'}_{serial}"
    keys: dict[str, Any] = {
        **{"sse": serial, "typ": typ, "oem": oem, "fwv": firmware, "var": 11, "host": host, "fna": host},
        **{"hai": True, "acs": 0, "amp": 16, "ama": 16, "frc": 0, "lmo": 3, "cwe": True},
        **{"mce": False, "mcu": "mqtt://user:mqtt-word-99@broker.example", "cak": "Cjk4BWbH8EcTFtY6dsWvTYz6CjBxifeO"},
    }
    version = version_of(firmware)
    if oem == "fronius":
        return keys | {"ocppe": False, "ocppu": "ws://echo.websocket.org/", "ocpph": 3600, "ocppi": 0, "ocppl": 1}
    if version >= (54, 0):
        keys |= _ocpp()
    if version >= (60, 0):
        keys |= {"men": False, "orsch": False, "osr": False, "mca": 6}
    return keys


def _ocpp() -> dict[str, Any]:
    return {
        **{"ocppe": False, "ocppu": "", "ocppg": False, "ocppcn": False, "ocppss": False},
        **{"ocppsc": "", "ocppcc": "", "ocppck": "", "ocppf": None, "ocppd": "go-e-free", "ocpph": 3600},
        **{"ocppi": 30, "ocppai": 0, "ocppao": True, "ocpplo": True, "ocppla": False, "ocppr": False},
        **{"ocppcm": 0, "ocppt": True, "ocpprl": False, "ocppio": False},
    }


def error_number(meaning: str, firmware: str) -> int:
    """Return the number by which a firmware tells an error: ``ground``, ``hot``, ``lock open`` or ``no comm``."""
    is_late = version_of(firmware) >= (59, 4)
    late = {"ground": 8, "hot": 16, "lock open": 12, "no comm": 17}
    early = {"ground": 8, "hot": 13, "lock open": 15, "no comm": 14}
    return (late if is_late else early)[meaning]


def understood(key: str, text: str) -> tuple[Any, str]:
    """Read a JSON value from a query; the second is the charger's complaint (issue 274), empty where it is content."""
    try:
        return json.loads(text), ""
    except (ValueError, RecursionError):
        return None, f"{key}: tried to set api key with invalid json InvalidInput ({text})"


def complaint(key: str, value: Any, held: dict[str, Any]) -> str:
    """Say why a value can't stand under a key, empty where it can. These words are the simulator's own."""
    if key not in held:
        return f"{key}: api key not found"
    if key in FIXED:
        return f"{key}: api key is not writable"
    present = held[key]
    if present is None or value is None:
        return ""
    if isinstance(present, bool) is not isinstance(value, bool) or isinstance(present, str) is not isinstance(
        value, str
    ):
        return f"{key}: unexpected type"
    return ""
