"""The configuration store of a simulated OpenEVSE gateway (src/app_config.cpp and ConfigJson, by firmware)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from app.sim.fault import Fault

MASKED = "_DUMMY_PASSWORD"
SECRETS = frozenset(
    {"pass", "ap_pass", "www_password", "emoncms_apikey", "mqtt_pass", "tesla_access_token", "tesla_refresh_token"}
)
"""Keys declared as ConfigOptSecret: never shown. ``ocpp_authkey`` is not among them."""

INFO = frozenset(
    {
        "mqtt_supported_protocols",
        "http_supported_protocols",
        "buildenv",
        "version",
        "wifi_serial",
        "protocol",
        "espinfo",
        "espflash",
        "firmware",
        "evse_serial",
        "min_current_hard",
        "heap_size",
        "littlefs_size",
        "littlefs_used",
        "partition_scheme",
        "chip_id",
        "d9_support",
    }
)
POOL_BYTES = 128 * 16 + 1024
"""``JSON_OBJECT_SIZE(128) + 1024`` of handleConfigPost: a larger document is “Could not parse JSON”."""

TRUNCATED_LENGTH = 24


class Era(Enum):
    """Firmware generations that differ in what a technician meets."""

    V4_1_7 = "4.1.7"
    TEXT_KEY = "4.1.9 to 5.1.0"
    BLIND_HEX = "5.1.1 to 5.1.2"
    CHECKED_HEX = "5.1.3 to 5.1.5"
    HEAD = "head"


def era_of(firmware: str) -> Era:
    """Return the generation of a firmware version; anything that is no number is head."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", firmware)
    if not found:
        return Era.HEAD
    number = tuple(int(part) for part in found.groups())
    if number < (4, 1, 9):
        return Era.V4_1_7
    if number < (5, 1, 1):
        return Era.TEXT_KEY
    return Era.BLIND_HEX if number < (5, 1, 3) else Era.CHECKED_HEX if number <= (5, 1, 5) else Era.HEAD


def defaults(firmware: str, era: Era, serial: str, hostname: str) -> dict[str, Any]:
    """Return the configuration of a unit as it leaves the box, in the order of its answer."""
    config: dict[str, Any] = {
        "mqtt_supported_protocols": ["mqtt", "mqtts"],
        "http_supported_protocols": ["http"],
        "buildenv": "openevse_wifi_v1",
        "version": firmware if era is not Era.HEAD or firmware != "head" else "local_master_1797b7a",
        "wifi_serial": serial,
        "protocol": "-",
        "espinfo": "ESP32r1 2 core WiFi BLE BT",
        "espflash": 4194304,
        "firmware": "8.2.3",
        "evse_serial": f"OEVSE1{serial[-8:]}",
    }
    if era is Era.HEAD:
        config |= {"heap_size": 327680, "partition_scheme": "default", "chip_id": "", "d9_support": False}
    return config | _controller() | _user(hostname) | _ocpp(era) | _switches(era)


def _controller() -> dict[str, Any]:
    checks = ("diode_check", "gfci_check", "ground_check", "relay_check", "vent_check", "temp_check")
    limits = {"max_current_soft": 32, "service": 2, "scale": 220, "offset": 0}
    return dict.fromkeys(checks, True) | limits | {"min_current_hard": 6, "max_current_hard": 48}


def _user(hostname: str) -> dict[str, Any]:
    return {
        "ssid": "Garage",
        "pass": "wifi-password",
        "ap_ssid": "",
        "ap_pass": "",
        "lang": "",
        "www_username": "",
        "www_password": "",
        "hostname": hostname,
        "sntp_hostname": "pool.ntp.org",
        "time_zone": "Europe/London|GMT0BST,M3.5.0/1,M10.5.0",
        "limit_default_type": "",
        "limit_default_value": 0,
        "emoncms_server": "https://data.openevse.com/emoncms",
        "emoncms_node": hostname,
        "emoncms_apikey": "",
        "emoncms_fingerprint": "",
        "mqtt_server": "emonpi",
        "mqtt_port": 1883,
        "mqtt_topic": hostname,
        "mqtt_user": "emonpi",
        "mqtt_pass": "emonpimqtt2016",
        "mqtt_solar": "",
        "mqtt_grid_ie": "emon/emonpi/power1",
        "mqtt_vrms": "emon/emonpi/vrms",
        "ohm": "",
        "divert_type": -1,
        "divert_PV_ratio": 1.1,
        "divert_attack_smoothing_time": 20,
        "divert_decay_smoothing_time": 600,
        "divert_min_charge_time": 600,
        "current_shaper_max_pwr": 0,
        "current_shaper_smoothing_time": 60,
        "current_shaper_min_pause_time": 300,
        "current_shaper_data_maxinterval": 120,
        "tesla_access_token": "",
        "tesla_refresh_token": "",
        "rfid_storage": "",
        "scheduler_start_window": 600,
        "flags": 4194312,
        "flags_changed": 0,
    }


def _ocpp(era: Era) -> dict[str, Any]:
    keys: dict[str, Any] = {"ocpp_server": "", "ocpp_chargeBoxId": ""}
    if era is Era.V4_1_7:
        return keys | {"ocpp_idTag": "DefaultIdTag"}
    return keys | {"ocpp_authkey": "", "ocpp_idtag": "DefaultIdTag"}


def _switches(era: Era) -> dict[str, Any]:
    names = {
        "emoncms_enabled": False,
        "mqtt_enabled": False,
        "mqtt_reject_unauthorized": True,
        "ohm_enabled": False,
        "sntp_enabled": True,
        "tesla_enabled": False,
        "divert_enabled": False,
        "current_shaper_enabled": False,
        "pause_uses_disabled": False,
        "ocpp_enabled": False,
        "ocpp_suspend_evse": False,
        "ocpp_energize_plug": False,
        "rfid_enabled": False,
        "factory_write_lock": True,
        "is_threephase": False,
        "wizard_passed": True,
        "default_state": True,
        "mqtt_protocol": "mqtt",
        "charge_mode": "fast",
    }
    return names if era is Era.V4_1_7 else names | {"ocpp_auth_auto": True, "ocpp_auth_offline": True}


class ConfigStore:
    """Present and stored configuration; they differ while a unit reverts. ``version`` bumps on each change."""

    def __init__(self, values: Mapping[str, Any], faults: set[Fault]) -> None:
        self.values = dict(values)
        self.version = 1
        self._stored = dict(values)
        self._faults = faults
        self._hardware_limit_is_set = True

    def shown(self) -> dict[str, Any]:
        """Return what GET /config tells."""
        return {key: (MASKED if key in SECRETS and value else value) for key, value in self.values.items()}

    def put(self, key: str, value: Any) -> None:
        """Store one value unseen by HTTP (OCPP, or a test that prepares a unit)."""
        self.values[key] = value
        if Fault.REVERTS not in self._faults:
            self._stored[key] = value

    def apply(self, document: Mapping[str, Any]) -> set[str]:
        """Take a posted object: known keys whose value differs are stored. Returns those keys."""
        changed = set()
        for key, value in document.items():
            if key in self.values and key not in INFO and self._take(key, value):
                changed.add(key)
        if changed:
            self.version += 1
        return changed

    def reload(self) -> None:
        """Forget what was never stored, as a restart does."""
        self.values = dict(self._stored)
        self.version = 1

    def _take(self, key: str, value: Any) -> bool:
        present = self.values[key]
        wanted = _coerced(value, present)
        if key in SECRETS and wanted == MASKED:
            return False
        if Fault.TRUNCATES in self._faults and isinstance(wanted, str):
            wanted = wanted[:TRUNCATED_LENGTH]
        if wanted == present:
            return False
        if key == "max_current_hard" and self._hardware_limit_is_set:
            return True
        self.put(key, wanted)
        return True


def _coerced(value: Any, present: Any) -> Any:
    """Convert as ArduinoJson's ``as<T>()`` does: what does not fit becomes the type's zero."""
    if isinstance(present, bool):
        return value if isinstance(value, bool) else bool(value)
    if isinstance(present, int | float):
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        return type(present)(value) if fits else type(present)()
    return value if isinstance(value, str) else ""


def fits_pool(document: Mapping[str, Any]) -> bool:
    """Say whether ArduinoJson's memory pool holds the document."""
    used = 16 * len(document)
    for key, value in document.items():
        used += len(key) + 1 + (len(value.encode()) + 1 if isinstance(value, str) else 0)
    return used <= POOL_BYTES
