"""A simulated OCPP 1.6J charge point that dials a central system over a real WebSocket.

The client core under every simulated unit: it dials, boots, beats, meters, answers and redials. What makes a product
(its keys, its URL rule, its oddities) is given by whoever builds on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from app.ocpp.stamps import written
from app.sim.answers import ANSWERS, Refusal
from app.sim.car import Outlet, Transaction, idle_status
from app.sim.dialler import Dialler, Reply
from app.sim.dialtls import DialTls
from app.sim.fault import Fault
from app.sim.rhythm import beats


@dataclass(slots=True)
class ConfigKey:
    """A configuration key of the charge point. ``value`` ``None`` = known but without a value."""

    value: str | None
    readonly: bool = False
    reboot_required: bool = False
    write_only: bool = False


def standard_keys() -> dict[str, ConfigKey]:
    """Return the OCPP 1.6 §9.1 core keys a small charger has, with usual values."""
    return {
        "AuthorizeRemoteTxRequests": ConfigKey("false"),
        "ClockAlignedDataInterval": ConfigKey("0"),
        "ConnectionTimeOut": ConfigKey("60"),
        "GetConfigurationMaxKeys": ConfigKey("50", readonly=True),
        "HeartbeatInterval": ConfigKey("300"),
        "LocalAuthorizeOffline": ConfigKey("true"),
        "LocalPreAuthorize": ConfigKey("false"),
        "MeterValuesSampledData": ConfigKey(
            "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage,Temperature"
        ),
        "MeterValueSampleInterval": ConfigKey("10"),
        "NumberOfConnectors": ConfigKey("1", readonly=True),
        "ResetRetries": ConfigKey("2"),
        "StopTransactionOnInvalidId": ConfigKey("true"),
        "SupportedFeatureProfiles": ConfigKey("Core,RemoteTrigger,SmartCharging", readonly=True),
        "WebSocketPingInterval": ConfigKey("5"),
    }


class ChargePoint(Dialler):
    """A charge point with its connectors and cars. Use it as an async context manager: inside, it has power.

    ``dial_url`` (the full URL, empty = don't dial), ``headers`` and ``redial_s`` may be changed at any time; call
    ``redial()`` to use them at once. All times it keeps are multiplied by ``time_scale``; the meter runs as much
    faster, or by ``meter_scale``.

    ``on_change(key, value)`` answers ChangeConfiguration of a writable key: it returns the status and stores the value
    itself (``store`` is the default). ``on_reset(kind)`` is called after Reset was accepted; the default
    power-cycles. ``answers`` maps an action to a function ``(point, payload) -> payload`` and may be altered.

    """

    def __init__(
        self,
        identity: str,
        dial_url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = ("ocpp1.6",),
        boot: Mapping[str, str] | None = None,
        configuration: dict[str, ConfigKey] | None = None,
        on_change: Callable[[str, str], str] | None = None,
        on_reset: Callable[[str], None] | None = None,
        redial_s: float = 10.0,
        reboot_s: float = 5.0,
        time_scale: float = 1.0,
        connectors: int = 1,
        faults: set[Fault] | None = None,
        free_vend_tag: str = "",
        boots_on_redial: bool = False,
        meter_scale: float | None = None,
        tls: DialTls | None = None,
    ) -> None:
        super().__init__(
            identity,
            dial_url,
            headers=headers,
            subprotocols=subprotocols,
            boot=boot or {"chargePointVendor": "Simulated", "chargePointModel": "Charge Point"},
            redial_s=redial_s,
            time_scale=time_scale,
            faults=faults,
            boots_on_redial=boots_on_redial,
            tls=tls,
        )
        self.configuration = configuration if configuration is not None else standard_keys()
        self.on_change = on_change or self.store
        self.on_reset = on_reset or self._power_cycle_soon
        self.reboot_s = reboot_s
        self.outlets = [Outlet(number, meter_scale or self.time_scale) for number in range(1, connectors + 1)]
        self.free_vend_tag = free_vend_tag
        self.known_tags: dict[str, dict[str, Any]] = {}
        self.pings = False
        self.answers = dict(ANSWERS)

    async def __aenter__(self) -> Self:
        self._scope.isolated("meter", self._meter())
        return await super().__aenter__()

    async def power_cycle(self, off_s: float | None = None, *, reason: str = "PowerLoss") -> None:
        """Lose power for ``off_s`` (scaled; default ``reboot_s``) and come back; a transaction ends for ``reason``."""
        for outlet in self.outlets:
            if outlet.transaction is not None:
                self._end_transaction(outlet, reason)
        await self.power_off()
        await asyncio.sleep((self.reboot_s if off_s is None else off_s) * self.time_scale)
        self.power_on()

    # The car

    def plug_in(self, connector: int = 1) -> None:
        """Put a car on; charging begins when a start waits for it or the charger is free to use."""
        outlet = self.outlet(connector)
        outlet.is_plugged = True
        tag = outlet.awaited_tag or self.free_vend_tag
        if not outlet.is_available:
            return
        self.set_status(outlet, "Preparing")
        if tag:
            self.begin(outlet, tag)

    def unplug(self, connector: int = 1) -> None:
        """Take the car away; a running transaction stops with EVDisconnected, unless a key says it goes on."""
        outlet = self.outlet(connector)
        outlet.is_plugged = False
        key = self.configuration.get("StopTransactionOnEVSideDisconnect")
        if outlet.transaction is not None and key is not None and key.value == "false":
            outlet.is_charging = False
            self.set_status(outlet, "SuspendedEV")
            return
        self.finish(outlet, "EVDisconnected")
        self.set_status(outlet, idle_status(outlet))

    def set_fault(self, error: str, connector: int = 1) -> None:
        """Report an OCPP error code (``GroundFailure`` …); ``NoError`` ends it."""
        outlet = self.outlet(connector)
        outlet.error = error
        if error != "NoError":
            self.finish(outlet, "Other")
        self.set_status(outlet, idle_status(outlet) if error == "NoError" else "Faulted")

    def outlet(self, connector: int) -> Outlet:
        """Return a connector; raises KeyError where there is none of that number."""
        for outlet in self.outlets:
            if outlet.number == connector:
                return outlet
        raise KeyError(connector)

    def begin(self, outlet: Outlet, tag: str) -> None:
        """Start a transaction on a connector with a car."""
        outlet.awaited_tag = None
        began = outlet.sampled(self.measurands("StopTxnSampledData"), "Transaction.Begin")
        outlet.transaction = transaction = Transaction(tag, began_at=self.clock.now(), began=began)
        start: dict[str, Any] = {"connectorId": outlet.number, "idTag": tag, "meterStart": round(outlet.energy_wh)}
        start["timestamp"] = self.clock.text()
        reservation, outlet.reservation = outlet.reservation, None
        if reservation is not None:
            start["reservationId"] = reservation.number
        self.say("StartTransaction", start, lambda answer: self._started(outlet, transaction, answer))
        outlet.is_charging = outlet.wants_current
        self.set_status(outlet, "Charging" if outlet.wants_current else "SuspendedEV")

    def finish(self, outlet: Outlet, reason: str) -> None:
        """Stop the connector's transaction, if one runs."""
        if outlet.transaction is None:
            return
        self._end_transaction(outlet, reason)
        if outlet.planned is not None:
            outlet.is_available, outlet.planned = outlet.planned, None
        idle = idle_status(outlet)
        self.set_status(outlet, "Finishing" if outlet.is_plugged and outlet.is_available else idle)

    # What it says

    def set_status(self, outlet: Outlet, status: str) -> None:
        """Change a connector's state and tell it."""
        outlet.status = status
        self.say_status(outlet.number)

    def say_status(self, connector: int, *, is_asked: bool = False) -> None:
        """Queue a StatusNotification of a connector (0 = the whole unit)."""
        if Fault.NO_STATUS in self.faults and connector == len(self.outlets):
            return
        status, error = "Available", "NoError"
        if connector:
            status, error = self.outlet(connector).status, self.outlet(connector).error
        payload = {"connectorId": connector, "status": status, "errorCode": error, "timestamp": self.clock.text()}
        self.say("StatusNotification", payload, is_asked=is_asked)

    def boot_payload(self) -> dict[str, Any]:
        """Return its BootNotification."""
        return {**self.boot, "chargePointVendor": ""} if Fault.EMPTY_VENDOR in self.faults else dict(self.boot)

    def say_boot(self) -> None:
        """Send a BootNotification soon (for TriggerMessage)."""
        self.boot_again()

    def measurands(self, key: str) -> tuple[str, ...]:
        """Return the measurands that a key lists."""
        entry = self.configuration.get(key)
        return tuple(part.strip() for part in (entry.value or "").split(",") if part.strip()) if entry else ()

    def say_meter(
        self,
        connector: int,
        context: str = "Sample.Periodic",
        *,
        key: str = "MeterValuesSampledData",
        is_asked: bool = False,
    ) -> None:
        """Queue a MeterValues with the measurands that ``key`` lists."""
        outlet = self.outlet(connector)
        outlet.spoil(self.faults)
        wanted = self.measurands(key) or ("Energy.Active.Import.Register",)
        sample = {"timestamp": self.clock.text(), "sampledValue": outlet.sampled(wanted, context)}
        transaction = outlet.transaction

        def payload() -> dict[str, Any]:
            base: dict[str, Any] = {"connectorId": connector, "meterValue": [sample]}
            if transaction is not None and transaction.transaction_id is not None:
                base["transactionId"] = transaction.transaction_id
            return base

        self.say("MeterValues", payload, is_asked=is_asked)

    # What it stores

    def store(self, key: str, value: str) -> str:
        """Store a configuration value and return its ChangeConfiguration status."""
        entry = self.configuration[key]
        if entry.value is not None and entry.value.lstrip("-").isdigit() and not value.lstrip("-").isdigit():
            return "Rejected"
        entry.value = value
        if key == "HeartbeatInterval":
            self._outbox_filled.set()  # the pause that runs is measured anew
        return "RebootRequired" if entry.reboot_required else "Accepted"

    def number(self, key: str, default: float) -> float:
        """Return a key's value as a number, ``default`` where it has none."""
        entry = self.configuration.get(key)
        try:
            return float(entry.value) if entry and entry.value else default
        except ValueError:
            return default

    # What the line asks of it

    @property
    def heartbeat_s(self) -> float:
        """Return the present HeartbeatInterval."""
        return self.number("HeartbeatInterval", 300.0)

    def accepted(self, interval_s: float) -> None:
        """Keep the central system's interval and tell all states."""
        if interval_s and "HeartbeatInterval" in self.configuration:
            self.configuration["HeartbeatInterval"].value = str(round(interval_s))
        for connector in range(len(self.outlets) + 1):
            self.say_status(connector)

    def returned(self) -> None:
        """Tell the present state of every connector."""
        for outlet in self.outlets:
            self.say_status(outlet.number)

    def reply(self, action: str, payload: dict[str, Any]) -> Reply:
        """Answer from ``answers``; what is not there is NotImplemented."""
        answer = self.answers.get(action)
        if answer is None:
            return [4, "NotImplemented", "", {}], None
        try:
            result = answer(self, payload)
        except Refusal as refusal:
            return [4, refusal.code, refusal.text, {}], None
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            return [4, "FormationViolation", str(error)[:255], {}], None
        if isinstance(result, tuple):
            return [3, result[0]], result[1]
        return [3, result], None

    def remember_session(self, tag: str, *, days_ago: float, energy_wh: int = 7000, connector: int = 1) -> None:
        """Queue a whole session of the past, as one that a dead backend never took (connection-failures 13)."""
        began = self.clock.now() - timedelta(days=days_ago)
        stamps = [written(began + timedelta(minutes=minutes)) for minutes in (0, 30, 60)]
        start_wh, past = 50_000, Transaction(tag)
        start = {"connectorId": connector, "idTag": tag, "meterStart": start_wh, "timestamp": stamps[0]}

        def started(answer: dict[str, Any]) -> None:
            given = answer.get("transactionId")
            past.transaction_id = given if isinstance(given, int) else None

        sample = {"timestamp": stamps[1], "sampledValue": [{"value": str(start_wh + energy_wh // 2)}]}
        stop = {"meterStop": start_wh + energy_wh, "timestamp": stamps[2], "reason": "Local", "idTag": tag}
        self.say("StartTransaction", start, started)
        self.say(
            "MeterValues",
            lambda: {"connectorId": connector, "transactionId": past.transaction_id or -1, "meterValue": [sample]},
        )
        self.say("StopTransaction", lambda: {"transactionId": past.transaction_id or -1, **stop})

    # What whoever builds on it may add

    def transaction_ended(self, outlet: Outlet) -> None:
        """Settle the meter at the end of a transaction; a station forgets its TxProfiles too."""
        outlet.allow(outlet.limit_a)

    def told_of(self, tag: str, info: dict[str, Any]) -> None:
        """Note what the central system said of a tag."""
        self.known_tags[tag] = info

    @property
    def attempts(self) -> tuple[int, float]:
        """Return TransactionMessageAttempts and TransactionMessageRetryInterval (§9.1)."""
        return int(self.number("TransactionMessageAttempts", 1)), self.number("TransactionMessageRetryInterval", 60.0)

    @property
    def ping_s(self) -> float:
        """Return WebSocketPingInterval; this one pings only where the key says so."""
        return self.number("WebSocketPingInterval", 0.0) if self.pings else 0.0

    # Inside

    def _power_cycle_soon(self, _kind: str) -> None:
        self._scope.isolated("reset", self._later(0.2, self.power_cycle))

    def _end_transaction(self, outlet: Outlet, reason: str) -> None:
        transaction, outlet.transaction = outlet.transaction, None
        if transaction is None:
            return
        outlet.is_charging = False
        stop: dict[str, Any] = {"meterStop": round(outlet.energy_wh), "timestamp": self.clock.text(), "reason": reason}
        if transaction.began:
            ended = outlet.sampled(self.measurands("StopTxnSampledData"), "Transaction.End")
            stamps = (written(transaction.began_at or self.clock.now()), stop["timestamp"])
            values = zip(stamps, (transaction.began, ended), strict=True)
            stop["transactionData"] = [{"timestamp": at, "sampledValue": sampled} for at, sampled in values]
        tag = transaction.id_tag
        self.say("StopTransaction", lambda: {"transactionId": transaction.transaction_id or -1, "idTag": tag, **stop})
        self.transaction_ended(outlet)

    def _started(self, outlet: Outlet, transaction: Transaction, answer: dict[str, Any]) -> None:
        number = answer.get("transactionId")
        transaction.transaction_id = number if isinstance(number, int) else None
        info = answer.get("idTagInfo")
        accepted = isinstance(info, dict) and info.get("status") == "Accepted"
        if isinstance(info, dict):
            transaction.parent = str(info.get("parentIdTag", transaction.parent))
            self.told_of(transaction.id_tag, info)
        strict = self.configuration.get("StopTransactionOnInvalidId")
        if not accepted and outlet.transaction is transaction and (strict is None or strict.value != "false"):
            self.finish(outlet, "DeAuthorized")

    async def _meter(self) -> None:
        async for _ in beats(lambda: self.number("MeterValueSampleInterval", 60.0), self.time_scale):
            for outlet in self.outlets:
                if outlet.transaction is not None:
                    self.say_meter(outlet.number)
