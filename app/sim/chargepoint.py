"""A simulated OCPP 1.6J charge point that dials a central system over a real WebSocket.

The client core under every simulated unit: it dials, boots, beats, meters, answers and redials. What makes a product
(its keys, its URL rule, its oddities) is given by whoever builds on it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import ssl
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from app.scope import Scope, Trouble
from app.sim.answers import ANSWERS, Refusal
from app.sim.car import Outlet, Transaction
from app.sim.fault import Fault

log = logging.getLogger(__name__)

OPEN_LIMIT_S = 10.0
CALL_LIMIT_S = 20.0
OUTBOX_DEPTH = 500
KEPT_OFFLINE = frozenset({"StartTransaction", "StopTransaction", "MeterValues"})
"""Transaction-related messages survive a lost connection (OCPP 1.6 §3.7)."""


@dataclass(slots=True)
class ConfigKey:
    """A configuration key of the charge point. ``value`` ``None`` = known but without a value."""

    value: str | None
    readonly: bool = False
    reboot_required: bool = False
    write_only: bool = False


@dataclass(slots=True)
class _Outgoing:
    action: str
    payload: Callable[[], dict[str, Any]]
    answered: Callable[[dict[str, Any]], None]


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


class ChargePoint:
    """A charge point with its connectors and cars. Use it as an async context manager: inside, it has power.

    ``dial_url`` (the full URL, empty = don't dial), ``headers`` and ``redial_s`` may be changed at any time; call
    ``redial()`` to use them at once. All times it keeps are multiplied by ``time_scale``; the meter runs as much
    faster.

    ``on_change(key, value)`` answers ChangeConfiguration of a writable key: it returns the status and stores the value
    itself (``store`` is the default). ``on_reset(kind)`` is called after Reset was accepted; the default
    power-cycles. ``answers`` maps an action to a function ``(point, payload) -> payload`` and may be altered.

    States::

        off ──power_on──► dialling ◄──► connected ──power_off──► off
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
    ) -> None:
        self.identity = identity
        self.dial_url = dial_url
        self.headers = tuple(headers)
        self.subprotocols = tuple(subprotocols)
        self.boot = dict(boot or {"chargePointVendor": "Simulated", "chargePointModel": "Charge Point"})
        self.configuration = configuration if configuration is not None else standard_keys()
        self.on_change = on_change or self.store
        self.on_reset = on_reset or self._power_cycle_soon
        self.redial_s = redial_s
        self.reboot_s = reboot_s
        self.time_scale = max(time_scale, 0.001)
        self.outlets = [Outlet(number, self.time_scale) for number in range(1, connectors + 1)]
        self.faults = faults if faults is not None else set()
        self.free_vend_tag = free_vend_tag
        self.boots_on_redial = boots_on_redial
        self.answers = dict(ANSWERS)
        self.connected = asyncio.Event()
        self.booted = asyncio.Event()
        self.heard: deque[tuple[str, dict[str, Any]]] = deque(maxlen=200)
        self.last_error = ""
        self.dials = 0
        self._scope = Scope(f"sim/{identity}", report=self._tell)
        self._dialling: asyncio.Task[None] | None = None
        self._link: ClientConnection | None = None
        self._outbox: deque[_Outgoing] = deque(maxlen=OUTBOX_DEPTH)
        self._outbox_filled = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._uids = itertools.count(1)

    async def __aenter__(self) -> Self:
        self._scope.isolated("meter", self._meter())
        self.power_on()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.power_off()
        await self._scope.close()

    @property
    def is_connected(self) -> bool:
        """Say whether the WebSocket is open."""
        return self.connected.is_set()

    def power_on(self) -> None:
        """Begin to dial; the first connection sends a BootNotification."""
        if self._dialling is None or self._dialling.done():
            self._dialling = self._scope.isolated("dial", self._dial_forever())

    async def power_off(self) -> None:
        """Drop the line without a closing handshake, as a unit that loses power does."""
        self.booted.clear()
        await self._stop_dialling(abort=True)

    async def power_cycle(self, off_s: float | None = None) -> None:
        """Lose power for ``off_s`` (scaled; default ``reboot_s``) and come back; a transaction ends with PowerLoss."""
        for outlet in self.outlets:
            if outlet.transaction is not None:
                self._end_transaction(outlet, "PowerLoss")
        await self.power_off()
        await asyncio.sleep((self.reboot_s if off_s is None else off_s) * self.time_scale)
        self.power_on()

    async def redial(self) -> None:
        """Close the connection in order and dial again at once with the present ``dial_url`` and ``headers``."""
        await self._stop_dialling(abort=False)
        self.power_on()

    def redial_soon(self, pause_s: float = 0.0) -> None:
        """Start ``redial`` on its own, after a scaled pause: usable from inside an answer."""
        self._scope.isolated("redial", self._later(pause_s, self.redial))

    # The car

    def plug_in(self, connector: int = 1) -> None:
        """Put a car on; charging begins when a start waits for it or the charger is free to use."""
        outlet = self.outlet(connector)
        outlet.is_plugged = True
        tag = outlet.awaited_tag or self.free_vend_tag
        self.set_status(outlet, "Preparing")
        if tag:
            self.begin(outlet, tag)

    def unplug(self, connector: int = 1) -> None:
        """Take the car away; a running transaction stops with EVDisconnected."""
        outlet = self.outlet(connector)
        outlet.is_plugged = False
        self.finish(outlet, "EVDisconnected")
        self.set_status(outlet, "Available" if outlet.is_available else "Unavailable")

    def set_fault(self, error: str, connector: int = 1) -> None:
        """Report an OCPP error code (``GroundFailure`` …); ``NoError`` ends it."""
        outlet = self.outlet(connector)
        outlet.error = error
        if error != "NoError":
            self.finish(outlet, "Other")
        idle = "Preparing" if outlet.is_plugged else "Available"
        self.set_status(outlet, idle if error == "NoError" else "Faulted")

    def outlet(self, connector: int) -> Outlet:
        """Return a connector; raises KeyError where there is none of that number."""
        for outlet in self.outlets:
            if outlet.number == connector:
                return outlet
        raise KeyError(connector)

    def begin(self, outlet: Outlet, tag: str) -> None:
        """Start a transaction on a connector with a car."""
        outlet.awaited_tag = None
        outlet.transaction = transaction = Transaction(tag)
        start_wh = round(outlet.energy_wh)
        began_at = now_text()
        self.say(
            "StartTransaction",
            {"connectorId": outlet.number, "idTag": tag, "meterStart": start_wh, "timestamp": began_at},
            lambda answer: self._started(outlet, transaction, answer),
        )
        outlet.is_charging = outlet.wants_current
        self.set_status(outlet, "Charging" if outlet.wants_current else "SuspendedEV")

    def finish(self, outlet: Outlet, reason: str) -> None:
        """Stop the connector's transaction, if one runs."""
        if outlet.transaction is None:
            return
        self._end_transaction(outlet, reason)
        self.set_status(outlet, "Finishing" if outlet.is_plugged else "Available")

    # What it says

    def say(
        self,
        action: str,
        payload: dict[str, Any] | Callable[[], dict[str, Any]],
        answered: Callable[[dict[str, Any]], None] = lambda _answer: None,
    ) -> None:
        """Queue a message; they go out one by one, in order, once the unit is accepted."""
        build = payload if callable(payload) else (lambda: payload)
        self._outbox.append(_Outgoing(action, build, answered))
        self._outbox_filled.set()

    def set_status(self, outlet: Outlet, status: str) -> None:
        """Change a connector's state and tell it."""
        outlet.status = status
        self.say_status(outlet.number)

    def say_status(self, connector: int) -> None:
        """Queue a StatusNotification of a connector (0 = the whole unit)."""
        status, error = "Available", "NoError"
        if connector:
            status, error = self.outlet(connector).status, self.outlet(connector).error
        at = now_text()
        self.say(
            "StatusNotification", {"connectorId": connector, "status": status, "errorCode": error, "timestamp": at}
        )

    def say_boot(self) -> None:
        """Queue a BootNotification (for TriggerMessage)."""
        self.say("BootNotification", dict(self.boot))

    def say_meter(self, connector: int, context: str = "Sample.Periodic") -> None:
        """Queue a MeterValues with the measurands of MeterValuesSampledData."""
        outlet = self.outlet(connector)
        key = self.configuration.get("MeterValuesSampledData")
        wanted = tuple(((key and key.value) or "Energy.Active.Import.Register").split(","))
        sample = {"timestamp": now_text(), "sampledValue": outlet.sampled(wanted, context)}
        transaction = outlet.transaction

        def payload() -> dict[str, Any]:
            base: dict[str, Any] = {"connectorId": connector, "meterValue": [sample]}
            if transaction is not None and transaction.transaction_id is not None:
                base["transactionId"] = transaction.transaction_id
            return base

        self.say("MeterValues", payload)

    # What it stores

    def store(self, key: str, value: str) -> str:
        """Store a configuration value and return its ChangeConfiguration status."""
        entry = self.configuration[key]
        if entry.value is not None and entry.value.lstrip("-").isdigit() and not value.lstrip("-").isdigit():
            return "Rejected"
        entry.value = value
        return "RebootRequired" if entry.reboot_required else "Accepted"

    def number(self, key: str, default: float) -> float:
        """Return a key's value as a number, ``default`` where it has none."""
        entry = self.configuration.get(key)
        try:
            return float(entry.value) if entry and entry.value else default
        except ValueError:
            return default

    # Inside

    async def _later(self, pause_s: float, act: Callable[[], Any]) -> None:
        await asyncio.sleep(pause_s * self.time_scale)
        await act()

    def _power_cycle_soon(self, _kind: str) -> None:
        self._scope.isolated("reset", self._later(0.2, self.power_cycle))

    def _end_transaction(self, outlet: Outlet, reason: str) -> None:
        transaction, outlet.transaction = outlet.transaction, None
        outlet.is_charging = False
        if transaction is None:
            return
        stop = {"meterStop": round(outlet.energy_wh), "timestamp": now_text(), "reason": reason}
        tag = transaction.id_tag
        self.say("StopTransaction", lambda: {"transactionId": transaction.transaction_id or -1, "idTag": tag, **stop})

    def _started(self, outlet: Outlet, transaction: Transaction, answer: dict[str, Any]) -> None:
        number = answer.get("transactionId")
        transaction.transaction_id = number if isinstance(number, int) else None
        info = answer.get("idTagInfo")
        accepted = isinstance(info, dict) and info.get("status") == "Accepted"
        strict = self.configuration.get("StopTransactionOnInvalidId")
        if not accepted and outlet.transaction is transaction and (strict is None or strict.value != "false"):
            self.finish(outlet, "DeAuthorized")

    async def _stop_dialling(self, *, abort: bool) -> None:
        task, self._dialling = self._dialling, None
        if task is None:
            return
        if abort and self._link is not None:
            self._link.transport.abort()
        task.cancel()
        await asyncio.wait({task})

    async def _dial_forever(self) -> None:
        while True:
            if self.dial_url:
                self.dials += 1
                await self._connect_once()
            await asyncio.sleep(self.redial_s * self.time_scale)

    async def _connect_once(self) -> None:
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                link = await connect(
                    self.dial_url,
                    additional_headers=list(self.headers),
                    subprotocols=[Subprotocol(name) for name in self.subprotocols] or None,
                    compression=None,
                    proxy=None,
                    ping_interval=None,
                    close_timeout=1,
                    user_agent_header=None,
                    **_tls(self.dial_url),
                )
        except InvalidStatus as error:
            self.last_error = f"HTTP error {error.response.status_code}"
            return
        except (OSError, WebSocketException, TimeoutError, ValueError) as error:
            self.last_error = f"connection error: {error}"
            return
        await self._talk(link)

    async def _talk(self, link: ClientConnection) -> None:
        self._link = link
        self.last_error = ""
        self._drop_stale()
        if self.boots_on_redial:
            self.booted.clear()
        self.connected.set()
        speaker = self._scope.isolated("speak", self._speak(link))
        try:
            async for text in link:
                await self._received(link, text)
        except ConnectionClosed:
            pass
        finally:
            self.connected.clear()
            self._link = None
            speaker.cancel()
            for future in self._waiting.values():
                future.cancel()
            self._waiting.clear()
            await link.close()

    def _drop_stale(self) -> None:
        kept = [message for message in self._outbox if message.action in KEPT_OFFLINE]
        has_news = any(message.action == "StatusNotification" for message in self._outbox)
        self._outbox.clear()
        self._outbox.extend(kept)
        if has_news and self.booted.is_set() and not self.boots_on_redial:
            for outlet in self.outlets:
                self.say_status(outlet.number)

    async def _speak(self, link: ClientConnection) -> None:
        with suppress(ConnectionClosed, asyncio.CancelledError):
            while not self.booted.is_set():
                await self._boot(link)
            while True:
                await self._speak_next(link)

    async def _boot(self, link: ClientConnection) -> None:
        answer = await self._call(link, "BootNotification", dict(self.boot)) or {}
        interval = answer.get("interval")
        wait_s = float(interval) if isinstance(interval, int | float) and interval > 0 else 0.0
        if answer.get("status") != "Accepted":
            await asyncio.sleep(min(wait_s or 60.0, 86400.0) * self.time_scale)
            return
        if wait_s and "HeartbeatInterval" in self.configuration:
            self.configuration["HeartbeatInterval"].value = str(round(wait_s))
        self.booted.set()
        for connector in range(len(self.outlets) + 1):
            self.say_status(connector)

    async def _speak_next(self, link: ClientConnection) -> None:
        pause_s = self.number("HeartbeatInterval", 300.0) or 86400.0
        if not self._outbox:
            self._outbox_filled.clear()
            try:
                async with asyncio.timeout(max(pause_s * self.time_scale, 0.05)):
                    await self._outbox_filled.wait()
            except TimeoutError:
                await self._call(link, "Heartbeat", {})
                return
        message = self._outbox[0]
        answer = await self._call(link, message.action, message.payload())
        if self._outbox and self._outbox[0] is message:
            self._outbox.popleft()
        message.answered(answer or {})

    async def _call(self, link: ClientConnection, action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        uid = f"{self.identity[:20]}-{next(self._uids)}"
        future = asyncio.get_running_loop().create_future()
        self._waiting[uid] = future
        try:
            await link.send(json.dumps([2, uid, action, payload], separators=(",", ":")))
            async with asyncio.timeout(CALL_LIMIT_S):
                answer: dict[str, Any] = await future
                return answer
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(uid, None)

    async def _received(self, link: ClientConnection, text: str | bytes) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return
        match message:
            case [2, str(uid), str(action), dict(payload)]:
                await self._answer(link, uid, action, payload)
            case [3, str(uid), dict(payload)]:
                self._settle(uid, payload)
            case [4, str(uid), *_]:
                self._settle(uid, {})

    def _settle(self, uid: str, payload: dict[str, Any]) -> None:
        future = self._waiting.get(uid)
        if future is not None and not future.done():
            future.set_result(payload)

    async def _answer(self, link: ClientConnection, uid: str, action: str, payload: dict[str, Any]) -> None:
        self.heard.append((action, payload))
        if Fault.SILENT in self.faults:
            return
        if Fault.SLOW in self.faults:
            await asyncio.sleep(2.0 * self.time_scale)
        if Fault.DROPS_MID_WRITE in self.faults and action == "ChangeConfiguration":
            self._build_answer(action, payload)
            link.transport.abort()
            return
        reply, after = self._build_answer(action, payload)
        await link.send(json.dumps([reply[0], uid, *reply[1:]], separators=(",", ":")))
        if after is not None:
            after()

    def _build_answer(self, action: str, payload: dict[str, Any]) -> tuple[list[Any], Callable[[], None] | None]:
        answer = self.answers.get(action)
        if answer is None:
            return [4, "NotImplemented", "", {}], None
        try:
            result = answer(self, payload)
        except Refusal as refusal:
            return [4, refusal.code, refusal.text, {}], None
        except (KeyError, TypeError, ValueError) as error:
            return [4, "FormationViolation", str(error), {}], None
        if isinstance(result, tuple):
            return [3, result[0]], result[1]
        return [3, result], None

    async def _meter(self) -> None:
        while True:
            interval_s = self.number("MeterValueSampleInterval", 60.0) or 3600.0
            await asyncio.sleep(max(interval_s * self.time_scale, 0.02))
            for outlet in self.outlets:
                if outlet.transaction is not None:
                    self.say_meter(outlet.number)

    def _tell(self, trouble: Trouble) -> None:
        log.error("%s failed: %r", trouble.name, trouble.error, exc_info=trouble.error)


def now_text() -> str:
    """Return the present time as OCPP writes it: UTC, milliseconds, ``Z``."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _tls(url: str) -> dict[str, Any]:
    """Simulated units verify nothing, like the small clients they stand for."""
    if not url.lower().startswith("wss:"):
        return {}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return {"ssl": context}
