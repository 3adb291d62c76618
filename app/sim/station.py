"""A simulated commercial charge point that dials a central system and can be repointed over OCPP 1.6.

It keeps its address in the keys of MicroOcpp (chargers-commercial §3.1, rows 20 and 21), joins address and identity as
MicroOcpp does, and applies a change with its next restart. ``Behaviour`` gives it one bad habit.
"""

from __future__ import annotations

import base64
import urllib.parse
import zlib
from collections.abc import Iterable
from enum import Enum
from typing import Any

from app.model.backend import JoinRule, dialled_url
from app.sim.answers import Payload, Refusal, get_configuration
from app.sim.chargepoint import ChargePoint, ConfigKey, standard_keys
from app.sim.fault import Fault

OLD_BACKEND = "ws://csms.closed-network.example/ocpp"
"""Where an orphaned station is configured to dial; nobody is there."""

URL_KEY = "Cst_BackendUrl"
IDENTITY_KEY = "Cst_ChargeBoxId"
PASSWORD_KEY = "AuthorizationKey"
TRUNCATED = 20
"""Characters that a truncating station keeps."""
SLOW_S = 19 * 60.0
"""FoxESS takes up to 19 minutes to return (connection-failures, "How long to wait")."""


class Behaviour(Enum):
    """What a station is like."""

    HEALTHY = "healthy"
    REVERTS = "reverts"
    """Shows what was written, and has the old value again after the next restart."""
    REDIALS_SLOWLY = "redials slowly"
    """Comes back 19 minutes (scaled) after a restart or a lost connection."""
    TRUNCATES = "truncates"
    """Accepts an address and keeps its first 20 characters."""
    SILENT = "silent"
    """Connects and boots, and answers no command."""
    REFUSES = "refuses"
    """Rejects every ChangeConfiguration."""
    DROPS_ON_FULL_READ = "drops on full read"
    """Drops the connection on GetConfiguration without keys (ABB Terra AC, lbbrhzn/ocpp#1275)."""
    SINGLE_KEYS = "single keys"
    """Refuses GetConfiguration for more than one key."""
    DROPS_MID_WRITE = "drops mid-write"
    """Drops the connection while a write is answered; the value is stored."""
    LIES = "lies"
    """Accepts every value and keeps none."""


_FAULTS = {
    Behaviour.SILENT: Fault.SILENT,
    Behaviour.REFUSES: Fault.REFUSES,
    Behaviour.DROPS_MID_WRITE: Fault.DROPS_MID_WRITE,
    Behaviour.REVERTS: Fault.REVERTS,
    Behaviour.TRUNCATES: Fault.TRUNCATES,
}


class OcppStation(ChargePoint):
    """One charge point. Use it as an async context manager; it dials when it has an address, or after ``dial``.

    ``configured_url`` is what its key says; it takes effect with the next restart. ``faults`` may be changed at any
    time; all times are multiplied by ``time_scale``.
    """

    def __init__(
        self,
        identity: str,
        url: str = "",
        *,
        behaviour: Behaviour = Behaviour.HEALTHY,
        time_scale: float = 1.0,
        reboot_s: float = 5.0,
        redial_s: float = 10.0,
        serial: str = "",
        password: str = "",
        configuration: dict[str, ConfigKey] | None = None,
        faults: Iterable[Fault] = (),
    ) -> None:
        slow = behaviour is Behaviour.REDIALS_SLOWLY
        super().__init__(
            identity,
            "",
            boot=_boot(serial or f"SIM{zlib.crc32(identity.encode()):08X}"),
            configuration=configuration or _keys(identity, url or OLD_BACKEND, password),
            on_change=self._changed,
            redial_s=SLOW_S if slow else redial_s,
            reboot_s=SLOW_S if slow else reboot_s,
            time_scale=time_scale,
            faults={*faults, *([_FAULTS[behaviour]] if behaviour in _FAULTS else [])},
        )
        self.behaviour = behaviour
        self.restarts = 0
        self._redirect = ("", "")
        self._kept = self._values()
        self.answers["GetConfiguration"] = self._get_configuration
        if url:
            self._apply()

    @property
    def configured_url(self) -> str:
        """Return what its address key says now."""
        return self.configuration[URL_KEY].value or ""

    def dial(self, url: str) -> None:
        """Lead the address it is configured for to ``url``, as the DNS of a site would, and let it dial."""
        self._redirect = (_authority(self.configured_url), url)
        self._apply()
        self.redial_soon()

    async def power_cycle(self, off_s: float | None = None) -> None:
        """Lose power; what was written takes effect when it comes back."""
        self.restarts += 1
        if Fault.REVERTS in self.faults:
            for key, value in self._kept.items():
                self.configuration[key].value = value
        self._kept = self._values()
        self._apply()
        await super().power_cycle(off_s)

    # Inside

    def _values(self) -> dict[str, str | None]:
        return {key: entry.value for key, entry in self.configuration.items() if not entry.readonly}

    def _apply(self) -> None:
        url = self.configured_url
        old, here = self._redirect
        if here and _authority(url) == old:
            target = urllib.parse.urlsplit(here)
            url = urllib.parse.urlsplit(url)._replace(scheme=target.scheme, netloc=target.netloc).geturl()
        name = self.configuration[IDENTITY_KEY].value or ""
        self.dial_url = dialled_url(url, name, JoinRule.APPEND_IF_MISSING) if url else ""
        self.headers = _login(name, self.configuration[PASSWORD_KEY].value or "")

    def _changed(self, key: str, value: str) -> str:
        if self.behaviour is Behaviour.LIES:
            return "Accepted"
        if key == PASSWORD_KEY and not _is_key(value):
            return "Rejected"
        if key == URL_KEY and Fault.TRUNCATES in self.faults:
            value = value[:TRUNCATED]
        return self.store(key, value)

    def _get_configuration(self, point: ChargePoint, payload: Payload) -> Any:
        keys = payload.get("key") or []
        if self.behaviour is Behaviour.DROPS_ON_FULL_READ and not keys:
            if self._link is not None:
                self._link.transport.abort()
            raise Refusal("InternalError", "")
        if self.behaviour is Behaviour.SINGLE_KEYS and len(keys) != 1:
            raise Refusal("OccurenceConstraintViolation", "one key at a time")
        return get_configuration(point, payload)


def _boot(serial: str) -> dict[str, str]:
    return {
        "chargePointVendor": "Simulated",
        "chargePointModel": "Station AC 22",
        "chargePointSerialNumber": serial,
        "firmwareVersion": "1.4.2",
    }


def _keys(identity: str, url: str, password: str) -> dict[str, ConfigKey]:
    return {
        **standard_keys(),
        URL_KEY: ConfigKey(url, reboot_required=True),
        IDENTITY_KEY: ConfigKey(identity, reboot_required=True),
        PASSWORD_KEY: ConfigKey(password.encode().hex() or None, write_only=True, reboot_required=True),
    }


def _login(identity: str, key: str) -> tuple[tuple[str, str], ...]:
    """Return the Basic header: the bytes that the hexadecimal key stands for (MicroOcppMongoose v1.2.0)."""
    if not key:
        return ()
    token = base64.b64encode(identity.encode() + b":" + bytes.fromhex(key)).decode()
    return (("Authorization", f"Basic {token}"),)


def _is_key(value: str) -> bool:
    try:
        return len(bytes.fromhex(value)) <= 20 and " " not in value
    except ValueError:
        return False


def _authority(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc.lower()
