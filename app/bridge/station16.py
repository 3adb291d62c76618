"""An OCPP 1.6J charge point over an outlet (OCPP 1.6 edition 2: Core, RemoteTrigger, SmartCharging). Pure.

Its parts: ``station16_sessions`` (who may charge, transactions), ``_states`` (what connectors are), ``_charging``
(profiles), ``_keys`` (configuration), ``_meter`` (samples), ``_clock`` (which time is told), ``_orders`` (answers).
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from app.bridge.message import Message, Payload
from app.bridge.outlet import Outlet, OutletState
from app.bridge.station import Answer, Equipment, Kept, Station
from app.bridge.station16_charging import LOOK_S, Charging16
from app.bridge.station16_clock import Clock16
from app.bridge.station16_keys import DAY_S, Keys16, keys_for
from app.bridge.station16_meter import aligned_after, sampled
from app.bridge.station16_orders import Orders16
from app.bridge.station16_sessions import Sessions16, is_due, is_number, later
from app.bridge.station16_states import Availability16, States16

log = logging.getLogger(__name__)

CALL_LIMIT_S = 30.0
"""How long an answer may take [OURS]; OCPP names no time (J16 §4.1.1)."""
BOOT_AGAIN_S = 60.0
"""Pause between two Boots where the backend names none (§4.2: ours to choose)."""
OFFLINE_SAMPLE_S = 900.0
"""Sessions are sampled no more often while nobody listens, so that a month of them fits on disk [OURS]."""
OURS = frozenset({"StartTransaction", "MeterValues", "StopTransaction"})
"""What is kept in the queue."""
IDLE_S = 3600.0
"""It is looked after at least so often."""
LIMITS = {"vendor": 20, "model": 20, "serial": 25, "firmware": 50}
"""Longest texts of BootNotification.req (§6.3)."""


class Station16(Station):
    """One charge point of one connector.

    ``security_profile``: that of its line, told as a key from 1 on. ``pace``: how long a second of its own intervals
    lasts, for proofs in compressed time.
    """

    version = "1.6"
    subprotocol = "ocpp1.6"

    def __init__(
        self,
        equipment: Equipment,
        outlet: Outlet,
        kept: Kept,
        *,
        now: datetime,
        security_profile: int = 0,
        pace: float = 1.0,
    ) -> None:
        super().__init__(equipment, outlet, kept, now=now)
        self.security_profile = security_profile
        self.seen: OutletState = outlet.state
        self.refused_messages = 0
        """Messages of transactions that the backend refused for good."""
        self._pace = pace
        self._registration = ""
        self._is_open = False
        self._is_startup_told = False
        self._refusals: dict[str, int] = {}
        self._beat_at = self._sample_at = now
        self._aligned_at: datetime | None = None
        self.clock = Clock16(kept.memory)
        self.keys = Keys16(kept.memory, keys_for(equipment, security_profile))
        self.availability = Availability16(self)
        self.sessions = Sessions16(self)
        self.charging = Charging16(self)
        self.states = States16(self)
        self._orders = Orders16(self)

    # What its parts ask of it

    @property
    def is_online(self) -> bool:
        """Say whether what is said reaches the backend."""
        return self._is_open and self.is_accepted

    @property
    def is_ready(self) -> bool:
        """Say whether a session may begin at the outlet."""
        return self.availability.is_operative and self.seen.is_present and not self.seen.fault

    def span(self, seconds: float) -> timedelta:
        """Return how long so many seconds of its intervals last."""
        return timedelta(seconds=seconds * self._pace)

    def began(self, profile: Payload | None, now: datetime) -> None:
        """Learn that a transaction began."""
        self._sample_at = now
        self.charging.began(profile)
        self.charging.apply(now)

    def ended(self) -> None:
        """Learn that the transaction is over."""
        self.charging.ended()
        self.availability.apply_planned()

    def changed(self, key: str, now: datetime) -> None:
        """Begin an interval anew whose length was changed."""
        if key == "HeartbeatInterval":
            self._beat_at = now
        elif key == "MeterValueSampleInterval":
            self._sample_at = now
        elif key == "ClockAlignedDataInterval":
            self._aligned_at = None

    def beat(self, now: datetime, *, is_asked: bool = False) -> None:
        """Say that it is alive."""
        self._beat_at = now
        self.say(Message(action="Heartbeat", payload={}, at=now, is_asked=is_asked))

    def meter_now(self, now: datetime) -> None:
        """Say what is measured, because the backend asked."""
        self._say_meter("MeterValuesSampledData", "Trigger", now, is_asked=True)

    def reset(self, kind: str, now: datetime) -> None:
        """End the session and boot anew (§5.14). The unit itself keeps running: the bridge is what is reset."""
        self.sessions.end(f"{kind}Reset", now)
        self.charging.apply(now)
        self._registration, self._is_startup_told = "", False
        self.restart(f"{kind} reset")

    # The line

    def opened(self, now: datetime) -> None:
        """Tell what changed while nobody listened; before the first acceptance nothing is told."""
        self._is_open = True
        self.noted(self.outlet.state, now)

    def closed(self, now: datetime) -> None:
        """Keep what is to be told again."""
        self._is_open = False
        self.states.closed()
        self.sessions.closed()
        self._sample_at = min(self._sample_at, now)

    def boot(self, now: datetime) -> Payload:
        """§6.3."""
        self._beat_at = now
        equipment = self.equipment
        told: Payload = {
            "chargePointVendor": equipment.vendor[: LIMITS["vendor"]] or "Rehome",
            "chargePointModel": equipment.model[: LIMITS["model"]] or "Bridge",
        }
        if equipment.serial:  # a JuiceBox has 28 digits: the last ones tell boxes apart
            told["chargePointSerialNumber"] = equipment.serial[-LIMITS["serial"] :]
        if equipment.firmware:
            told["firmwareVersion"] = equipment.firmware[: LIMITS["firmware"]]
        return told

    def boot_answered(self, payload: Payload, now: datetime) -> float | None:
        """§4.2: take status, time and interval."""
        self.clock.told(payload.get("currentTime"), now)
        self._registration = str(payload.get("status", ""))
        told = payload.get("interval")
        interval_s = float(min(told, DAY_S)) if isinstance(told, int | float) and told > 0 else 0.0
        self._beat_at = now
        if self._registration != "Accepted":
            return (interval_s or BOOT_AGAIN_S) * self._pace
        if interval_s:
            self.keys.set("HeartbeatInterval", str(max(1, int(interval_s))))
        self.states.say_all(now)
        if self.security_profile and not self._is_startup_told:
            self._tell_event("StartupOfTheDevice", now)
        self._is_startup_told = True
        self.noted(self.outlet.state, now)
        return None

    def asked(self, action: str, payload: Payload, now: datetime) -> Answer:
        """Answer an order."""
        return self._orders.answer(action, payload, now)

    def rendered(self, message: Message) -> Payload | None:
        """Put the transaction's id in; pointless is a stop of what the backend never took, and what 2.x left behind."""
        if message.is_kept and message.action not in OURS:
            log.warning("%s: a %s can't be told in OCPP 1.6", self.equipment.identity, message.action)
            return None
        if not message.session or message.action == "StartTransaction":
            return message.payload
        session = self.kept.sessions.get(message.session)
        if session is not None and is_number(session.transaction_id):
            return {**message.payload, "transactionId": int(session.transaction_id)}
        if message.action == "StopTransaction":
            self.untold.note(session)
        return message.payload if message.action == "MeterValues" else None

    def answered(self, message: Message, payload: Payload, now: datetime) -> None:
        """Take an answer."""
        self._refusals.pop(message.uid, None)
        if message.action == "StartTransaction":
            self.sessions.started(message, payload, now)
            self.noted(self.outlet.state, now)
        elif message.action == "Authorize":
            self.sessions.authorized(message, payload, now)
            self.noted(self.outlet.state, now)
        elif message.action == "StatusNotification":
            self.states.settled(message, is_known=True)
        elif message.action == "Heartbeat":
            self.clock.told(payload.get("currentTime"), now)

    def refused(self, message: Message, code: str, now: datetime) -> bool:
        """§3.7.1: what the backend can't process is sent again so often as the key says; silence never counts."""
        if message.action == "Authorize":
            self.sessions.unanswered(message, now)
        self.states.settled(message, is_known=False)
        if not message.is_kept:
            return False
        if not code:
            return True
        count = self._refusals.pop(message.uid, 0) + 1
        if count >= self.keys.number("TransactionMessageAttempts"):
            self.refused_messages += 1
            if message.action == "StopTransaction":
                self.untold.note(self.kept.sessions.get(message.session))
            return False
        self._refusals[message.uid] = count
        return True

    # The unit and time

    def noted(self, state: OutletState, now: datetime) -> None:
        """Learn what the hardware does."""
        self.seen = state
        self.sessions.noted(state, now)
        self.charging.apply(now)
        self.states.noted(now)

    def due(self, now: datetime) -> datetime:
        """Do what is due."""
        self.sessions.give_up(now)
        self.noted(self.outlet.state, now)
        soon = [now + self.span(IDLE_S), *self.states.next_at(now)]
        soon += [self._beaten(now), self._sampled(now), self._aligned(now)]
        if self.charging.stack.profiles:
            soon.append(now + self.span(LOOK_S))
        grant, ask_after = self.sessions.grant, self.sessions.ask_after
        soon += [at for at in (grant.until if grant else None, ask_after) if at is not None and at > now]
        return min(soon)

    @property
    def is_accepted(self) -> bool:
        """Say whether the backend has accepted it."""
        return self._registration == "Accepted"

    @property
    def state(self) -> str:
        """Return the connector's state."""
        return self.states.shown(1).status

    @property
    def ping_s(self) -> float:
        """Return WebSocketPingInterval."""
        return self.keys.number("WebSocketPingInterval") * self._pace

    @property
    def call_limit_s(self) -> float:
        """Return how long an answer may take."""
        return CALL_LIMIT_S * self._pace

    @property
    def retry_s(self) -> float:
        """Return TransactionMessageRetryInterval."""
        return self.keys.number("TransactionMessageRetryInterval") * self._pace

    # Inside

    def _beaten(self, now: datetime) -> datetime:
        every = self.span(self.keys.number("HeartbeatInterval"))
        if self.is_online and is_due(later(self._beat_at, every, now), now):
            self.beat(now)
        return later(self._beat_at, every, now) if self.is_online else now + every

    def _sampled(self, now: datetime) -> datetime:
        """Tell the session's values every MeterValueSampleInterval (§9.1)."""
        every_s = self.keys.number("MeterValueSampleInterval")
        if not every_s or self.sessions.running is None:
            return now + self.span(IDLE_S)
        every = self.span(every_s if self.is_online else max(every_s, OFFLINE_SAMPLE_S))
        if is_due(later(self._sample_at, every, now), now):
            self._sample_at = now
            self.sessions.meter(now, key="MeterValuesSampledData", context="Sample.Periodic")
            self.sessions.keep_data("StopTxnSampledData", "Sample.Periodic", now)
        return later(self._sample_at, every, now)

    def _aligned(self, now: datetime) -> datetime:
        """Tell values at full multiples of ClockAlignedDataInterval (§3.16.2)."""
        every_s = self.keys.number("ClockAlignedDataInterval") * self._pace
        if not every_s:
            return now + self.span(IDLE_S)
        told_at = self.clock.at(now)
        if self._aligned_at is not None and told_at >= self._aligned_at:
            self._tell_aligned(now)
            self._aligned_at = None
        if self._aligned_at is None or (self._aligned_at - told_at).total_seconds() > every_s:
            self._aligned_at = aligned_after(told_at, every_s)
        return self._aligned_at - self.clock.offset

    def _tell_aligned(self, now: datetime) -> None:
        if self.sessions.running is None:
            self._say_meter("MeterValuesAlignedData", "Sample.Clock", now)
            return
        self.sessions.meter(now, key="MeterValuesAlignedData", context="Sample.Clock")
        self.sessions.keep_data("StopTxnAlignedData", "Sample.Clock", now)

    def _say_meter(self, key: str, context: str, now: datetime, *, is_asked: bool = False) -> None:
        """Tell values outside the queue."""
        session = self.sessions.running
        register_wh = max(self.seen.register_wh, session.last_wh if session else 0)
        wanted = self.keys.items(key)
        values = sampled(self.seen, register_wh, wanted, context) if wanted else []
        if not values and is_asked:
            values = sampled(self.seen, register_wh, ("Energy.Active.Import.Register",), context)
        if not values or not (self.is_online or is_asked):
            return
        payload: Payload = {
            "connectorId": 1,
            "meterValue": [{"timestamp": self.clock.text(now), "sampledValue": values}],
        }
        if session is not None and session.transaction_id:
            payload["transactionId"] = int(session.transaction_id)
        self.say(Message(action="MeterValues", payload=payload, at=self.clock.at(now), is_asked=is_asked))

    def _tell_event(self, kind: str, now: datetime) -> None:
        """Tell a security event (SEC16 A04); a backend without the extension refuses it, once."""
        payload = {"type": kind, "timestamp": self.clock.text(now)}
        self.say(Message(action="SecurityEventNotification", payload=payload, at=self.clock.at(now)))
