"""The configuration keys of a bridged 1.6 charge point (OCPP 1.6 §9, J16 §7): every one of them is obeyed, and kept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from app.bridge.message import Payload
from app.bridge.session import Memory
from app.bridge.station import Equipment, Start

MEASURANDS = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Voltage",
    "Current.Offered",
    "Frequency",
    "Temperature",
)
"""What can be measured at an outlet (§7.31)."""
USUAL = ",".join(MEASURANDS[:4])
MAX_KEYS = 50
MAX_STACK = 8
MAX_PERIODS = 48
MAX_PROFILES = 10
DAY_S = 86_400
PHASES = re.compile(r"[01]\.(NotApplicable|Unknown|RST|RTS|SRT|STR|TRS|TSR)\Z")
_KEPT = "configuration"

Check = Callable[[str], str | None]
"""Returns a value as it is kept, ``None`` where it can't be right."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key: what it is at first, and what may be written; ``None`` = it is read-only."""

    value: str
    check: Check | None = None


def whole(least: int, most: int) -> Check:
    """Take a whole number between two bounds."""

    def check(value: str) -> str | None:
        text = value.strip()
        is_number = text.isascii() and text.isdigit() and len(text) <= 9
        return str(int(text)) if is_number and least <= int(text) <= most else None

    return check


def flag(value: str) -> str | None:
    """Take a boolean, however it is capitalised."""
    text = value.strip().lower()
    return text if text in ("true", "false") else None


def measurands(value: str) -> str | None:
    """Take a list of measurands, all of which there are."""
    names = parts(value)
    return ",".join(names) if all(name in MEASURANDS for name in names) and len(set(names)) == len(names) else None


def rotation(value: str) -> str | None:
    """Take ``connector.rotation`` for our connectors (§9.1.8)."""
    names = parts(value)
    return ",".join(names) if names and all(PHASES.match(name) for name in names) else None


def parts(value: str) -> list[str]:
    """Take a comma-separated list apart."""
    return [part.strip() for part in value.split(",") if part.strip()]


def keys_for(equipment: Equipment, security_profile: int) -> dict[str, Key]:
    """Return the keys of a charge point.

    What a unit without lock and display can't do otherwise is read-only: it tells how it is.
    """
    keys = _core(equipment) | _smart()
    if security_profile:
        keys["SecurityProfile"] = Key(str(security_profile))
    return keys


def _core(equipment: Equipment) -> dict[str, Key]:
    seconds = whole(0, DAY_S)
    return {
        "AllowOfflineTxForUnknownId": Key("false", flag),
        "AuthorizationCacheEnabled": Key("true", flag),
        "AuthorizeRemoteTxRequests": Key("false", flag),
        "ClockAlignedDataInterval": Key("0", seconds),
        "ConnectionTimeOut": Key("120", whole(0, DAY_S)),
        "ConnectorPhaseRotation": Key("1.NotApplicable" if equipment.phases == 1 else "1.Unknown", rotation),
        "GetConfigurationMaxKeys": Key(str(MAX_KEYS)),
        "HeartbeatInterval": Key("300", whole(1, DAY_S)),
        "LocalAuthorizeOffline": Key("true", flag),
        "LocalPreAuthorize": Key("false", flag),
        "MeterValuesAlignedData": Key(MEASURANDS[0], measurands),
        "MeterValuesSampledData": Key(USUAL, measurands),
        "MeterValueSampleInterval": Key("60", seconds),
        "MinimumStatusDuration": Key("0", whole(0, 3600)),
        "NumberOfConnectors": Key("1"),
        "ResetRetries": Key("0", whole(0, 10)),
        "StopTransactionOnEVSideDisconnect": Key("true"),
        "StopTransactionOnInvalidId": Key("false") if equipment.start is Start.FREE else Key("true", flag),
        "StopTxnAlignedData": Key("", measurands),
        "StopTxnSampledData": Key("", measurands),
        "SupportedFeatureProfiles": Key("Core,RemoteTrigger,SmartCharging"),
        "TransactionMessageAttempts": Key("3", whole(1, 1000)),
        "TransactionMessageRetryInterval": Key("60", whole(0, 3600)),
        "UnlockConnectorOnEVSideDisconnect": Key("false"),
        "WebSocketPingInterval": Key("60", whole(0, 3600)),
    }


def _smart() -> dict[str, Key]:
    return {
        "ChargeProfileMaxStackLevel": Key(str(MAX_STACK)),
        "ChargingScheduleAllowedChargingRateUnit": Key("Current,Power"),
        "ChargingScheduleMaxPeriods": Key(str(MAX_PERIODS)),
        "ConnectorSwitch3to1PhaseSupported": Key("false"),
        "MaxChargingProfilesInstalled": Key(str(MAX_PROFILES)),
    }


class Keys16:
    """The configuration: what was changed is kept, the rest is as a new charge point has it."""

    def __init__(self, memory: Memory, keys: dict[str, Key]) -> None:
        self._memory = memory
        self._keys = keys
        self._changed = _read(memory.get(_KEPT), keys)

    def text(self, key: str) -> str:
        """Return a value."""
        return self._changed.get(key, self._keys[key].value)

    def number(self, key: str) -> float:
        """Return a value that is a number."""
        return float(self.text(key))

    def is_on(self, key: str) -> bool:
        """Return a value that is a boolean."""
        return self.text(key) == "true"

    def items(self, key: str) -> tuple[str, ...]:
        """Return a value that is a list."""
        return tuple(parts(self.text(key)))

    def set(self, key: str, value: str) -> str:
        """Change a key; returns the ConfigurationStatus (§7.22)."""
        known = self._keys.get(key)
        if known is None:
            return "NotSupported"
        good = known.check(value) if known.check else None
        if good is None:
            return "Rejected"
        self._changed[key] = good
        self._memory.put(_KEPT, json.dumps(self._changed))
        return "Accepted"

    def told(self, wanted: list[str], hidden: tuple[str, ...]) -> Payload:
        """Return the answer to GetConfiguration (§5.8); ``hidden`` keys can be written and not read."""
        names = list(dict.fromkeys(wanted)) or [*self._keys, *hidden]
        entries: list[Payload] = []
        for name in names:
            if name in self._keys:
                entries.append({"key": name, "readonly": self._keys[name].check is None, "value": self.text(name)})
            elif name in hidden:
                entries.append({"key": name, "readonly": False})
        unknown = [name for name in names if name not in self._keys and name not in hidden]
        answer: Payload = {"configurationKey": entries}
        return answer | {"unknownKey": unknown} if unknown else answer


def _read(text: str | None, keys: dict[str, Key]) -> dict[str, str]:
    """Read what was kept, without what this version of the bridge would not take."""
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    good: dict[str, str] = {}
    for name, value in found.items():
        check = keys[name].check if name in keys else None
        taken = check(value) if check and isinstance(value, str) else None
        if taken is not None:
            good[name] = taken
    return good
