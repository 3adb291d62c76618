"""A simulated commercial charge point that dials a central system and can be repointed over OCPP 1.6.

It keeps its address in the keys of MicroOcpp (chargers-commercial §3.1, rows 20 and 21), joins address and identity as
MicroOcpp does, and applies a change with its next restart. ``Behaviour`` gives it one bad habit.
"""

from __future__ import annotations

import re
import urllib.parse
import zlib
from collections.abc import Callable, Coroutine, Iterable
from enum import Enum
from functools import partial
from typing import Any, Self

from app.model.backend import JoinRule, dialled_url
from app.sim.answers import After, Answer, Payload, Refusal, get_configuration, trigger_message
from app.sim.car import Outlet
from app.sim.certificates import CertificateStore
from app.sim.chargepoint import ChargePoint, ConfigKey, standard_keys
from app.sim.dialtls import DialTls
from app.sim.errands import Errands
from app.sim.fault import Fault
from app.sim.line import led
from app.sim.login import Spelling, basic
from app.sim.rhythm import aligned
from app.sim.station16_auth import Authorisation16
from app.sim.station16_charging import Charging16
from app.sim.station16_security import Security16
from app.sim.strictness import must_obey

OLD_BACKEND = "ws://csms.closed-network.example/ocpp"
"""Where an orphaned station is configured to dial; nobody is there."""

URL_KEY = "Cst_BackendUrl"
IDENTITY_KEY = "Cst_ChargeBoxId"
PASSWORD_KEY = "AuthorizationKey"
TRUNCATED = 20
"""Characters that a truncating station keeps."""
OLD_PROFILE_AFTER_S = 60.0
"""A station that clings to its former address goes back after a minute (connection-failures 14)."""
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

    With a ``security_profile`` it has that key and moves between the profiles as SEC16 A05 says; without, it knows
    only its password. ``configured_url`` is what its key says; it takes effect with the next restart. ``faults`` may
    be changed at any time; all times are multiplied by ``time_scale``.
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
        connectors: int = 1,
        tls: DialTls | None = None,
        spelling: Spelling = Spelling.RAW,
        security_profile: int | None = None,
        join: JoinRule = JoinRule.APPEND_IF_MISSING,
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
            connectors=connectors,
            meter_scale=1.0,
            tls=tls,
            faults={*faults, *([_FAULTS[behaviour]] if behaviour in _FAULTS else [])},
        )
        self.behaviour = behaviour
        self.spelling = spelling
        self.join = join
        self.pings = True
        self.configuration["NumberOfConnectors"].value = str(connectors)
        if security_profile is not None:
            self.configuration["SecurityProfile"] = ConfigKey(str(security_profile))
        for outlet in self.outlets:
            outlet.max_a = outlet.limit_a
        self._equip()
        self.restarts = 0
        self._redirect = ("", "")
        self._kept = self._values()
        self.answers |= self._own_answers()
        if url:
            self._apply()

    async def __aenter__(self) -> Self:
        self._scope.isolated("limits", self.charging.run())
        self._scope.isolated("aligned", self._aligned())
        return await super().__aenter__()

    # What a person does to it

    def swipe(self, tag: str, connector: int | None = None) -> None:
        """Hold a card before the reader; the card that began a charge ends it."""
        self.authorisation.present(tag, connector)

    def suspend(self, connector: int = 1, *, wants_current: bool = False) -> None:
        """Let the car take no more current, or some again."""
        outlet = self.outlet(connector)
        outlet.wants_current = wants_current
        if outlet.transaction is not None:
            outlet.is_charging = wants_current and outlet.limit_a > 0
            self.set_status(outlet, "Charging" if outlet.is_charging else "SuspendedEV")

    @property
    def configured_url(self) -> str:
        """Return what its address key says now."""
        return self.configuration[URL_KEY].value or ""

    def dial(self, url: str) -> None:
        """Lead the address it is configured for to ``url``, as the DNS of a site would, and let it dial."""
        self._redirect = (_authority(self.configured_url), url)
        self._apply()
        self.redial_soon()

    async def power_cycle(self, off_s: float | None = None, *, reason: str = "PowerLoss") -> None:
        """Lose power; what was written takes effect when it comes back."""
        self.restarts += 1
        if Fault.REVERTS in self.faults:
            for key, value in self._kept.items():
                self.configuration[key].value = value
        former, self._kept = self._kept, self._values()
        self._apply()
        await super().power_cycle(off_s, reason=reason)
        if Fault.OLD_PROFILE in self.faults and former[URL_KEY] != self.configured_url:
            self.later("old profile", OLD_PROFILE_AFTER_S, lambda: self._back_to(former[URL_KEY]))

    def _back_to(self, url: str | None) -> None:
        self.configuration[URL_KEY].value = url
        self._apply()
        self.redial_soon()

    async def restart_with(self, firmware: str) -> None:
        """Restart after an update; it says Installed once it is accepted again."""
        if firmware:
            self.boot["firmwareVersion"] = firmware
        await self.power_cycle(reason="Reboot")
        await self.booted.wait()

    # What it says

    def tell_log(self, status: str, request_id: int | None) -> None:
        """Tell how an upload goes: with an id by LogStatusNotification, without by DiagnosticsStatusNotification."""
        if request_id is None:
            self.say("DiagnosticsStatusNotification", {"status": status}, is_asked=True)
        else:
            told = {"status": status} | ({"requestId": request_id} if request_id else {})
            self.say("LogStatusNotification", told, is_asked=True)

    def tell_firmware(self, status: str, request_id: int | None) -> None:
        """Tell how an update goes."""
        self.say_firmware(status, request_id, is_signed=request_id is not None)

    def say_firmware(self, status: str, request_id: int | None, *, is_signed: bool) -> None:
        """Tell it in the words of the core standard or of SEC16."""
        action = "SignedFirmwareStatusNotification" if is_signed else "FirmwareStatusNotification"
        told: Payload = {"status": status}
        if is_signed and request_id is not None:
            told["requestId"] = request_id
        self.say(action, told, is_asked=True)

    # What the line asks of it

    def accepted(self, interval_s: float) -> None:
        """Tell all states, and the start as the critical security event it is (SEC16, list of security events)."""
        super().accepted(interval_s)
        if "SecurityProfile" in self.configuration:
            self.security.tell("StartupOfTheDevice")

    def transaction_ended(self, outlet: Outlet) -> None:
        """Forget the limits that end with a transaction."""
        super().transaction_ended(outlet)
        self.charging.ended(outlet)

    def dial_opened(self) -> None:
        """Note that the security profile works."""
        super().dial_opened()
        self.security.opened()

    def dial_failed(self) -> None:
        """Count the attempt against a new security profile."""
        super().dial_failed()
        self.security.failed(self.failed_dials)

    def is_on(self, key: str) -> bool:
        """Return a boolean key; absent counts as false."""
        entry = self.configuration.get(key)
        return entry is not None and (entry.value or "").lower() == "true"

    def aim(self) -> None:
        """Set URL, login and TLS of the line from the configuration."""
        self._apply()

    # Inside

    def _equip(self) -> None:
        """Make its parts."""
        self.certificates = CertificateStore(self.tls.roots)
        if self.tls.chain:
            self.certificates.own(self.tls.chain, self.tls.key)
        self.errands = Errands(self, self._scope)
        self.authorisation = Authorisation16(self)
        self.charging = Charging16(self)
        self.security = Security16(self, self.certificates, self.errands)

    def _values(self) -> dict[str, str | None]:
        return {key: entry.value for key, entry in self.configuration.items() if not entry.readonly}

    def _apply(self) -> None:
        url = self.configured_url
        old, here = self._redirect
        url = led(url, old, here)
        if self.security.profile >= 2:
            url = re.sub(r"^ws:", "wss:", url)
        name = self.configuration[IDENTITY_KEY].value or ""
        self.dial_url = dialled_url(url, name, self.join) if url else ""
        key = self.configuration[PASSWORD_KEY].value or ""
        self.headers = basic(name, self.spelling.spelt(key)) if key and self.security.profile != 3 else ()
        self.security.aim()

    def _changed(self, key: str, value: str) -> str:
        if self.behaviour is Behaviour.LIES or Fault.ACCEPTS_AND_IGNORES in self.faults:
            return "Accepted"
        if key == "SecurityProfile":
            return self.security.change_profile(value)
        if key == PASSWORD_KEY and not _is_key(value):
            return "Rejected"
        if key == URL_KEY and Fault.TRUNCATES in self.faults:
            value = value[:TRUNCATED]
        return self.store(key, value)

    async def _aligned(self) -> None:
        """Tell clock-aligned values at full multiples of ClockAlignedDataInterval (§3.16.2)."""
        interval = partial(self.number, "ClockAlignedDataInterval", 0.0)
        async for _ in aligned(interval, self.time_scale, lambda: self.clock.now().timestamp()):
            for outlet in self.outlets:
                self.say_meter(outlet.number, "Sample.Clock", key="MeterValuesAlignedData")

    def _own_answers(self) -> dict[str, Answer]:
        authorisation, charging, security = self.authorisation, self.charging, self.security
        own: dict[str, Callable[[Payload], Any]] = {
            "RemoteStartTransaction": authorisation.remote_start,
            "ClearCache": authorisation.clear_cache,
            "GetLocalListVersion": authorisation.list_version_told,
            "SendLocalList": authorisation.list_sent,
            "ReserveNow": authorisation.reserve,
            "CancelReservation": authorisation.cancel,
            "SetChargingProfile": charging.set_profile,
            "ClearChargingProfile": charging.clear,
            "GetCompositeSchedule": charging.composite,
            "CertificateSigned": security.signed,
            "InstallCertificate": security.install,
            "GetInstalledCertificateIds": security.installed,
            "DeleteCertificate": security.delete,
            "GetDiagnostics": security.get_diagnostics,
            "GetLog": security.get_log,
            "UpdateFirmware": security.update_firmware,
            "SignedUpdateFirmware": security.signed_update,
            "UnlockConnector": self._unlock,
            "TriggerMessage": lambda payload: security.trigger(payload, False) or trigger_message(self, payload),
            "ExtendedTriggerMessage": lambda payload: security.trigger(payload, True) or trigger_message(self, payload),
            "Reset": self._reset,
        }
        made: dict[str, Answer] = {name: _by(name, answer) for name, answer in own.items()}
        return made | {"GetConfiguration": self._get_configuration}

    def _unlock(self, payload: Payload) -> tuple[Payload, After]:
        """§5.18: it has a socket with a lock; a transaction ends first."""
        outlet = self.outlet(payload["connectorId"])
        return {"status": "Unlocked"}, lambda: self.finish(outlet, "UnlockCommand")

    def _reset(self, payload: Payload) -> Payload | tuple[Payload, After]:
        """§5.14: transactions end first, with the reason of the kind."""
        kind = "Hard" if payload["type"] == "Hard" else "Soft"
        if Fault.IGNORES_RESET in self.faults:
            return {"status": "Accepted"}
        cycle = partial(self.power_cycle, reason=f"{kind}Reset")
        return {"status": "Accepted"}, lambda: self._reset_soon(kind, cycle)

    def _reset_soon(self, kind: str, cycle: Callable[[], Coroutine[Any, Any, None]]) -> None:
        for outlet in self.outlets:
            self.finish(outlet, f"{kind}Reset")
        self._scope.isolated("reset", self._later(0.2, cycle))

    def _get_configuration(self, point: ChargePoint, payload: Payload) -> Any:
        keys = payload.get("key") or []
        if self.behaviour is Behaviour.DROPS_ON_FULL_READ and not keys:
            if self._link is not None:
                self._link.transport.abort()
            raise Refusal("InternalError", "")
        if self.behaviour is Behaviour.SINGLE_KEYS and len(keys) != 1:
            raise Refusal("OccurenceConstraintViolation", "one key at a time")
        if len(keys) > self.number("GetConfigurationMaxKeys", 1000.0):
            raise Refusal("OccurenceConstraintViolation", "more keys than GetConfigurationMaxKeys")
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
        **_more_keys(),
        URL_KEY: ConfigKey(url, reboot_required=True),
        IDENTITY_KEY: ConfigKey(identity, reboot_required=True),
        PASSWORD_KEY: ConfigKey(password.encode().hex() or None, write_only=True, reboot_required=True),
    }


def _by(action: str, answer: Callable[[Payload], Any]) -> Answer:
    def strict(_point: ChargePoint, payload: Payload) -> Any:
        must_obey("1.6", action, payload)
        return answer(payload)

    return strict


def _more_keys() -> dict[str, ConfigKey]:
    """Return the keys of the optional profiles (§9.2 to §9.4) and of SEC16 (§7) that it has."""
    features = "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger"
    return {
        "AllowOfflineTxForUnknownId": ConfigKey("false"),
        "AuthorizationCacheEnabled": ConfigKey("true"),
        "BlinkRepeat": ConfigKey("3"),
        "ConnectorPhaseRotation": ConfigKey("1.RST"),
        "MeterValuesAlignedData": ConfigKey("Energy.Active.Import.Register,Power.Active.Import"),
        "StopTransactionOnEVSideDisconnect": ConfigKey("true"),
        "StopTxnAlignedData": ConfigKey(""),
        "StopTxnSampledData": ConfigKey(""),
        "TransactionMessageAttempts": ConfigKey("3"),
        "WebSocketPingInterval": ConfigKey("60"),
        "TransactionMessageRetryInterval": ConfigKey("60"),
        "UnlockConnectorOnEVSideDisconnect": ConfigKey("true"),
        "LocalAuthListEnabled": ConfigKey("true"),
        "LocalAuthListMaxLength": ConfigKey("500", readonly=True),
        "SendLocalListMaxLength": ConfigKey("100", readonly=True),
        "ReserveConnectorZeroSupported": ConfigKey("true", readonly=True),
        "ChargeProfileMaxStackLevel": ConfigKey("8", readonly=True),
        "ChargingScheduleAllowedChargingRateUnit": ConfigKey("Current,Power", readonly=True),
        "ChargingScheduleMaxPeriods": ConfigKey("24", readonly=True),
        "MaxChargingProfilesInstalled": ConfigKey("20", readonly=True),
        "SupportedFeatureProfiles": ConfigKey(features, readonly=True),
        "SupportedFileTransferProtocols": ConfigKey("HTTP,FTP", readonly=True),
        "CpoName": ConfigKey("Rehome"),
        "AdditionalRootCertificateCheck": ConfigKey("false", readonly=True),
        "CertificateSignedMaxChainSize": ConfigKey("10000", readonly=True),
        "CertificateStoreMaxLength": ConfigKey("20", readonly=True),
    }


def _is_key(value: str) -> bool:
    try:
        return len(bytes.fromhex(value)) <= 20 and " " not in value
    except ValueError:
        return False


def _authority(url: str) -> str:
    try:
        return urllib.parse.urlsplit(url).netloc.lower()
    except ValueError:
        return ""
