"""What a simulated OpenOCPP charger stores: settings of which some are staged, tried and taken back (settings.h)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

SLOT_COUNT = 5
VERSIONS = ("OCPP12", "OCPP15", "OCPP16", "OCPP20")
HIDDEN = ("BasicAuthPassword", "WifiPassword")
READ_ONLY = ("NetworkConnectionProfiles", "SecurityProfile", "ActiveNetworkProfile", "ChargerVendor", "ChargerModel")
NEEDS_REBOOT = ("ChargePointId", "BasicAuthPassword", "NetworkConfigurationPriority", "WifiSSID", "WifiPassword")
TRUNCATED = 16

Slots = tuple[dict[str, Any] | None, ...]


class Staged:
    """Values with a second set that waits for a restart and is tried then.

    States::

        at rest ──put──► staged ──restart──► on trial ──commit | rollback──► at rest
    """

    def __init__(self, values: Mapping[str, str], slots: Slots) -> None:
        self.current: dict[str, Any] = {**values, "slots": slots}
        self.pending: dict[str, Any] = {}
        self.is_on_trial = False

    def shown(self, key: str) -> Any:
        """Return what it tells: the staged value where there is one."""
        return self.pending.get(key, self.current[key])

    def used(self, key: str) -> Any:
        """Return what it dials by."""
        return self.shown(key) if self.is_on_trial else self.current[key]

    def put(self, key: str, value: str) -> bool:
        """Stage a text; ``False`` while others are on trial."""
        if self.is_on_trial:
            return False
        if value == self.current[key]:
            self.pending.pop(key, None)
        else:
            self.pending[key] = value
        return True

    def put_slot(self, number: int, slot: dict[str, Any]) -> None:
        """Stage a network profile: unlike the texts also during a trial (SettingTransitionTypedDelimitedList)."""
        slots = list(self.shown("slots"))
        slots[number] = slot
        if tuple(slots) != self.shown("slots"):
            self.pending["slots"] = tuple(slots)

    def force(self, key: str, value: Any) -> None:
        """Set a value at once, past the trial."""
        self.current[key] = value
        self.pending.pop(key, None)
        self.is_on_trial = False

    def start(self) -> bool:
        """Begin the trial of what is staged; ``False`` where nothing is."""
        self.is_on_trial = bool(self.pending)
        return self.is_on_trial

    def commit(self) -> None:
        """Keep what was tried."""
        self.current |= self.pending
        self.rollback()

    def rollback(self) -> None:
        """Drop what was tried."""
        self.pending, self.is_on_trial = {}, False


class Parameters:
    """Its OCPP 1.6 keys."""

    def __init__(self, staged: Staged, plain: Mapping[str, str]) -> None:
        self.staged = staged
        self.plain = dict(plain)

    def listed(self) -> list[dict[str, Any]]:
        """Return every key as ``GetConfiguration`` does."""
        staged = self.staged
        values = {key: str(staged.shown(key)) for key in staged.current if key != "slots"}
        values |= dict.fromkeys(HIDDEN, "****")
        values["NetworkConnectionProfiles"] = written(staged.shown("slots"))
        values |= self.plain | self.virtual()
        return [{"key": key, "readonly": key in READ_ONLY, "value": value} for key, value in values.items()]

    def virtual(self) -> dict[str, str]:
        """Return the two keys that stand for slot 0: empty while another one is in use."""
        slot = self.staged.shown("slots")[0]
        if self.staged.shown("NetworkConfigurationPriority") != "0" or slot is None:
            return {"CentralSystemURL": "", "OcppProtocol": ""}
        return {"CentralSystemURL": slot["ocppCsmsUrl"], "OcppProtocol": json.dumps(slot["ocppVersion"])}

    def change(self, key: str, value: str, *, limit: int | None = None) -> str:
        """Take one value and return the ChangeConfiguration status, forced as the portal does it."""
        if key in ("CentralSystemURL", "OcppProtocol"):
            return "Accepted" if self._put_virtual(key, value[:limit]) else "Rejected"
        if key in self.staged.current and key != "slots":
            is_taken = _is_valid(key, value) and self.staged.put(key, value)
            return ("RebootRequired" if key in NEEDS_REBOOT else "Accepted") if is_taken else "Rejected"
        if key not in self.plain:
            return "Rejected"
        self.plain[key] = value
        return "Accepted"

    def _put_virtual(self, key: str, value: str) -> bool:
        slot = dict(self.staged.shown("slots")[0] or network_slot("", "OCPP16"))
        if key == "OcppProtocol":
            if value not in VERSIONS:
                return False
            slot["ocppVersion"] = value
        elif not re.match(r"wss?://", value, re.IGNORECASE):
            return False
        else:
            slot["ocppCsmsUrl"] = value
        self.staged.put_slot(0, slot)
        return self.staged.put("NetworkConfigurationPriority", "0")


def _is_valid(key: str, value: str) -> bool:
    if key == "ChargePointId":
        return len(value.encode()) <= 48 and ":" not in value
    return key != "BasicAuthPassword" or not value or len(value.encode()) >= 16


def network_slot(url: str, version: str, security: int = 0) -> dict[str, Any]:
    """Return a network profile as it is stored."""
    return {
        "ocppVersion": version,
        "ocppTransport": "JSON",
        "ocppCsmsUrl": url,
        "messageTimeout": 30,
        "securityProfile": security,
        "ocppInterface": "Wireless0",
    }


def written(slots: Slots) -> str:
    """Return network profiles as one text: a line each."""
    lines = [json.dumps(slot, separators=(",", ":")) if slot else "" for slot in slots]
    return "\n".join(lines).rstrip("\n")
