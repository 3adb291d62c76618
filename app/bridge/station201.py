"""A bridged unit as an OCPP 2.0.1 charging station (edition 3): one EVSE with one connector, a fixed cable, no reader.

Pure: times are passed in, messages are handed to whoever owns the line.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import ClassVar

from app.bridge import station201_orders as orders
from app.bridge import station201_reports as reports
from app.bridge.message import Message, Payload
from app.bridge.outlet import Outlet, OutletState
from app.bridge.session import Session
from app.bridge.station import Answer, Equipment, Kept, Start, Station
from app.bridge.station201_auth import Admission
from app.bridge.station201_charging import Charging
from app.bridge.station201_clock import BackendClock
from app.bridge.station201_facts import connector_status, event_of, problem_of, serial_of, told, word_of_16
from app.bridge.station201_metering import meter_value
from app.bridge.station201_model import DeviceModel
from app.bridge.station201_tx import Transactions
from app.bridge.station201_variables import TABLE
from app.ocpp import schema

log = logging.getLogger(__name__)

KEPT_ACTIONS = frozenset({"TransactionEvent", "SecurityEventNotification"})
BOOT_AGAIN_S = 60.0
"""Pause between two BootNotifications where the backend names none (B02.FR.02 leaves it to the station)."""
LOOK_S = 3600.0
"""A station with nothing to do is asked again after an hour [OURS]."""
KEPT_OUT = "201.inoperative"
STARTUP, CLOCK_SET = "StartupOfTheDevice", "SettingSystemTime"
"""Critical security events (appendix 1), which are queued until they are delivered (A04)."""


class Station201(Station):
    """One charging station towards a backend.

    ``security_profile``: that of its line, told as a variable. ``pace``: how long a second of its own intervals lasts,
    for proofs in compressed time.
    """

    version: ClassVar[str] = "2.0.1"
    subprotocol: ClassVar[str] = "ocpp2.0.1"

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
        self.security_profile: int = security_profile
        self.pace: float = pace
        self.known_at: datetime = now
        self.is_open = False
        self.is_reset_planned = False
        self.clock = BackendClock()
        self.model = DeviceModel(TABLE, kept.memory, lambda variable: told(self, variable), pace)
        self.tx = Transactions(self)
        self.admission = Admission(self)
        self.charging: Charging = Charging(self)
        self._registration = ""
        self._boot_reason = "PowerUp"
        self._is_startup_told = False
        self._closed_at = now
        self._beat_at = now
        self._aligned_at: datetime | None = None
        self._told_status = self._known_status = ""
        self._status_at = now
        self._is_overtaken = False
        self._told_problem = ""
        self._refused = ("", 0)
        self._ordered_a: tuple[float, float] | None = None
        self._out = set(filter(None, (kept.memory.get(KEPT_OUT) or "").split(",")))

    # The line

    def opened(self, now: datetime) -> None:
        """Learn that the WebSocket stands; after a long absence the state is told again (B04)."""
        self.is_open = True
        if self.is_accepted:
            if now - self._closed_at >= timedelta(seconds=self.model.seconds("OCPPCommCtrlr.OfflineThreshold")):
                self._told_status = ""
            self._beat_at = now + self._beat_pause
            self.noted(self.outlet.state, now)

    def closed(self, now: datetime) -> None:
        """Learn that the line is gone."""
        if self.is_open:
            self._closed_at = now
        self.is_open = False
        self._told_status = self._known_status
        self.admission.closed()

    def boot(self, now: datetime) -> Payload:
        """Return the BootNotification (B01)."""
        self._beat_at = now + self._beat_pause
        mine = self.equipment
        told_too = {"serialNumber": serial_of(self), "firmwareVersion": mine.firmware[:50]}
        station = {"vendorName": mine.vendor[:50] or "Rehome", "model": mine.model[:20] or "Bridge"}
        station |= {name: text for name, text in told_too.items() if text}
        return {"reason": self._boot_reason, "chargingStation": station}

    def boot_answered(self, payload: Payload, now: datetime) -> float | None:
        """Take the answer to Boot (B01 to B03)."""
        status, interval_s = str(payload.get("status")), _seconds_of(payload.get("interval"))
        self._set_clock(payload, now)
        if status != "Accepted":
            self._registration = "Rejected" if status == "Rejected" else "Pending"
            return (interval_s or BOOT_AGAIN_S) * self.pace
        self._registration = status
        if interval_s:
            self.model.put("OCPPCommCtrlr.HeartbeatInterval", str(round(max(1.0, interval_s))))
        self._beat_at = now + self._beat_pause
        self._told_status = ""
        self.noted(self.outlet.state, now)
        if not self._is_startup_told:
            self._is_startup_told = True
            self._tell_security(STARTUP, now)
        return None

    def asked(self, action: str, payload: Payload, now: datetime) -> Answer:
        """Answer a CALL of the backend, strictly by its schema (part 4 §4.3); Rejected, nothing is done (B03)."""
        self.known_at = now
        if self._registration == "Rejected":
            return Answer(error="SecurityError", text="This station has not been accepted.")
        if action not in schema.actions(self.version):
            return Answer(error="NotImplemented", text="There is no such action.")
        if not schema.is_valid(self.version, action, payload, is_request=True):
            code, text = schema.error_of(self.version, action, payload)
            return Answer(error=code, text=text[:255])
        order = ORDERS.get(action)
        if order is None:
            return Answer(error="NotSupported", text=f"{action} is not supported by this station.")
        try:
            return order(self, payload, now)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            return Answer(error="PropertyConstraintViolation", text=type(error).__name__)

    def rendered(self, message: Message) -> Payload | None:
        """Return what is sent. Not so an Authorize that was settled otherwise, and what 1.6 left in the queue."""
        if message.action == "Authorize" and not self.admission.is_wanted(message):
            return None
        if message.is_kept and message.action not in KEPT_ACTIONS:
            log.warning("%s: %s of another OCPP version can't be told", self.equipment.identity, message.action)
            return None
        return message.payload

    def answered(self, message: Message, payload: Payload, now: datetime) -> None:
        """Take the backend's answer to a message."""
        if message.is_kept:
            self.tx.delivered(message)
        if message.action == "TransactionEvent":
            self.tx.told(message, payload, now)
            self._tell_status_last(message, now)
        elif message.action == "Authorize":
            self.admission.answered(message, payload, now)
        elif message.action == "StatusNotification":
            self._known_status = message.payload["connectorStatus"]
        elif message.action == "Heartbeat":
            self._set_clock(payload, now)
        elif message.action == "BootNotification":
            self.boot_answered(payload, now)

    def refused(self, message: Message, code: str, now: datetime) -> bool:
        """Send a kept message again: after silence always, an event the backend can't process as often as E13 says.

        A backend that knows no security events says so once, and holds up no transaction.
        """
        if message.action == "Authorize":
            self.admission.refused(message, now)
        if not message.is_kept:
            return False
        if not code:
            return True
        uid, count = self._refused
        self._refused = message.uid, count + 1 if uid == message.uid else 1
        most = self.model.number("OCPPCommCtrlr.MessageAttempts/TransactionEvent")
        is_again = message.action == "TransactionEvent" and self._refused[1] < most
        if not is_again:
            self.tx.delivered(message)
            if message.payload.get("eventType") == "Ended":
                self.untold.note(self.kept.sessions.get(message.session))
        return is_again

    # The unit and time

    def noted(self, state: OutletState, now: datetime) -> None:
        """Learn what the hardware does."""
        if state.is_present:
            self.tx.noted(state, now)
            if self.tx.session is None:
                self.admission.arrived(state, now)
        self.steer(now)
        self._tell_status(now)

    def due(self, now: datetime) -> datetime:
        """Do what is due; returns when to be called next."""
        self.admission.due(now)
        self.noted(self.outlet.state, now)
        beats = self._align(now), self._beat(now)
        next_at = (self.charging.due(now), self.tx.due(now), self.admission.due(now), *beats)
        return min(at for at in (*next_at, now + timedelta(seconds=LOOK_S)) if at is not None and at > now)

    def steer(self, now: datetime) -> None:
        """Allow the current that the start rule, the transaction, availability and profiles leave."""
        limit_a = self.charging.limit_a(now) if self._may_flow else 0.0
        before = self._ordered_a
        if before == (limit_a, self.outlet.allowed_a):
            return
        self.outlet.allow(limit_a)
        self._ordered_a = limit_a, self.outlet.allowed_a
        if before is not None and before[0] and limit_a and self.tx.session is not None:
            least = self.model.number("SmartChargingCtrlr.LimitChangeSignificance") / 100
            if abs(limit_a - before[0]) > least * before[0]:
                self.tx.sample("ChargingRateChanged", "Other", now)

    def ended(self, session: Session, now: datetime) -> None:
        """Do what waited for the end of a transaction."""
        self.admission.ended(session)
        self.charging.ended(now)
        self.steer(now)
        self._tell_status(now)
        if self.is_reset_planned:
            self.start_anew("ScheduledReset")

    def start_anew(self, reason: str) -> None:
        """Hang up and boot, as a reset demands (BootReasonEnum)."""
        self.is_reset_planned = self._is_startup_told = False
        self._boot_reason, self._registration = reason, ""
        self.admission.forget()
        self.restart(reason)

    def set_operative(self, place: str, is_operative: bool, now: datetime) -> None:
        """Take the station, its EVSE or its connector out of service, or put it back; each counts by itself (G03)."""
        if is_operative:
            self._out.discard(place)
        else:
            self._out.add(place)
        self.kept.memory.put(KEPT_OUT, ",".join(sorted(self._out)) or None)
        self.noted(self.outlet.state, now)

    def settings_changed(self, now: datetime) -> None:
        """Follow new intervals at once."""
        self._beat_at = min(self._beat_at, now + self._beat_pause)
        self._aligned_at = None

    # What it says

    def say_status(self, now: datetime, *, is_asked: bool = False) -> None:
        """Tell the state of the connector (G01)."""
        self._told_status, self._known_status = connector_status(self), ""
        self._status_at = now
        payload = {
            "timestamp": self.stamp(now),
            "connectorStatus": self._told_status,
            "evseId": 1,
            "connectorId": 1,
        }
        self.say(Message(action="StatusNotification", payload=payload, at=now, is_asked=is_asked))

    def say_meter(self, now: datetime) -> None:
        """Tell the aligned measurands because it was asked to (F06)."""
        self._say_values(self.model.members("AlignedDataCtrlr.Measurands"), "Trigger", now, is_asked=True)

    def boot_asked(self, now: datetime) -> None:
        """Boot because it was asked to (F06, B02)."""
        self._boot_reason = "Triggered"
        self.say(Message(action="BootNotification", payload=self.boot(now), at=now, is_asked=True))

    def dated(self, now: datetime) -> datetime:
        """Return a time by the backend's clock, where ours is far off."""
        return self.clock.dated(now)

    def stamp(self, now: datetime) -> str:
        """Write a time by that clock."""
        return self.clock.stamp(now)

    # What it is

    @property
    def is_accepted(self) -> bool:
        """Say whether the backend has accepted it."""
        return self._registration == "Accepted"

    @property
    def is_online(self) -> bool:
        """Say whether it may speak now."""
        return self.is_open and self.is_accepted

    @property
    def is_free(self) -> bool:
        """Say whether everybody may charge."""
        return self.equipment.start is Start.FREE

    @property
    def is_operative(self) -> bool:
        """Say whether station, EVSE and connector are in service."""
        return not self._out

    @property
    def is_in_service(self) -> bool:
        """Say whether the station as a whole is in service."""
        return "station" not in self._out

    @property
    def hindrance(self) -> str:
        """Return why nobody could charge now, empty where somebody could."""
        state = self.outlet.state
        if not self.is_operative:
            return "out of service"
        if not state.is_present:
            return "the unit is not heard"
        if state.fault:
            return "the unit has a fault"
        return "" if self.outlet.ceiling_a > 0 else "the circuit's limit has not been entered"

    @property
    def state(self) -> str:
        """Return the connector's state in the words of OCPP 1.6 §7.7."""
        return word_of_16(self)

    @property
    def ping_s(self) -> float:
        """Return WebSocketPingInterval."""
        return self.model.seconds("OCPPCommCtrlr.WebSocketPingInterval")

    @property
    def call_limit_s(self) -> float:
        """Return MessageTimeout."""
        return self.model.seconds("OCPPCommCtrlr.MessageTimeout/Default")

    @property
    def retry_s(self) -> float:
        """Return MessageAttemptInterval of TransactionEvent (E13)."""
        return self.model.seconds("OCPPCommCtrlr.MessageAttemptInterval/TransactionEvent")

    # Inside

    @property
    def _may_flow(self) -> bool:
        if self.tx.session is not None:
            return not self.tx.is_barred
        return self.is_free and self.is_operative and not self.admission.is_spent(self.outlet.state)

    @property
    def _beat_pause(self) -> timedelta:
        return timedelta(seconds=max(0.001, self.model.seconds("OCPPCommCtrlr.HeartbeatInterval")))

    def _beat(self, now: datetime) -> datetime | None:
        if not self.is_online:
            return None
        next_at = min(self._beat_at, now + self._beat_pause)  # a clock may have been set back
        self._beat_at = next_at if next_at > now else now + self._beat_pause
        if next_at <= now:
            self.say(Message(action="Heartbeat", payload={}, at=now))
        return self._beat_at

    def _align(self, now: datetime) -> datetime | None:
        """Tell clock-aligned values at full multiples of the interval (J01)."""
        interval_s = self.model.seconds("AlignedDataCtrlr.Interval")
        if not interval_s or not self.model.is_on("AlignedDataCtrlr.Enabled"):
            return None
        is_due = self._aligned_at is not None and self._aligned_at <= now
        if is_due:
            self._tell_aligned(now)
        if is_due or self._aligned_at is None or self._aligned_at > now + timedelta(seconds=interval_s):
            rounds = self.dated(now).timestamp() // interval_s + 1
            self._aligned_at = now + timedelta(seconds=rounds * interval_s - self.dated(now).timestamp())
        return self._aligned_at

    def _tell_aligned(self, now: datetime) -> None:
        wanted = self.model.members("AlignedDataCtrlr.Measurands")
        if not self.outlet.state.is_present:
            return
        if self.tx.session is not None:
            self.tx.aligned(wanted, now)
        elif self.is_online:
            self._say_values(wanted, "Sample.Clock", now)

    def _say_values(self, wanted: tuple[str, ...], context: str, now: datetime, *, is_asked: bool = False) -> None:
        value = meter_value(self.outlet, self.outlet.state.register_wh, self.dated(now), wanted, context)
        if "sampledValue" in value:
            payload = {"evseId": 1, "meterValue": [value]}
            self.say(Message(action="MeterValues", payload=payload, at=now, is_asked=is_asked))

    def _tell_status(self, now: datetime) -> None:
        if not self.is_online:
            return
        if connector_status(self) != self._told_status:
            self.say_status(now)
        problem = problem_of(self)
        if problem != self._told_problem:
            payload = event_of(self, problem or self._told_problem, is_over=not problem, now=now)
            self._told_problem = problem
            self.say(Message(action="NotifyEvent", payload=payload, at=now))

    def _tell_status_last(self, message: Message, now: datetime) -> None:
        """Tell the state once more after events of an older time: some backends take the last of them for it."""
        self._is_overtaken |= bool(self._known_status) and message.at < self._status_at
        if self._is_overtaken and len(self.kept.outbox) <= 1:  # this one is still in it
            self._is_overtaken = False
            self.say_status(now)

    def _set_clock(self, answer: Payload, now: datetime) -> None:
        if self.clock.heard(answer.get("currentTime"), now):
            self._tell_security(CLOCK_SET, now)

    def _tell_security(self, kind: str, now: datetime) -> None:
        payload = {"type": kind, "timestamp": self.stamp(now)}
        self.keep(Message(action="SecurityEventNotification", payload=payload, at=now, is_kept=True))


def _seconds_of(value: object) -> float:
    return float(min(max(value, 0), 7 * 86_400)) if isinstance(value, int) and not isinstance(value, bool) else 0.0


ORDERS: dict[str, orders.Order] = {
    "GetVariables": reports.get_variables,
    "SetVariables": reports.set_variables,
    "GetBaseReport": reports.get_base_report,
    "GetReport": reports.get_report,
    "Reset": orders.reset,
    "TriggerMessage": orders.trigger,
    "ChangeAvailability": orders.change_availability,
    "RequestStartTransaction": orders.request_start,
    "RequestStopTransaction": orders.request_stop,
    "GetTransactionStatus": orders.transaction_status,
    "UnlockConnector": orders.unlock,
    "CustomerInformation": orders.customer_information,
    "SetChargingProfile": lambda station, payload, now: station.charging.set_profile(payload, now),
    "ClearChargingProfile": lambda station, payload, now: station.charging.clear(payload, now),
    "GetChargingProfiles": lambda station, payload, now: station.charging.get_profiles(payload, now),
    "GetCompositeSchedule": lambda station, payload, now: station.charging.composite(payload, now),
    **orders.SMALL_ORDERS,
}
"""Everything else that the standard knows is answered NotSupported: monitoring, reservations, local list, display,
tariffs, certificates, logs and firmware are not for a bridge to do over this line."""
