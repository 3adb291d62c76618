"""What a bridged 1.6 station answers to its backend, order by order (OCPP 1.6 §5). Never raises on what may be sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from app.bridge.message import Message, Payload
from app.bridge.station import Answer
from app.bridge.station16_charging import readable
from app.bridge.station16_keys import MAX_KEYS
from app.bridge.station16_states import CONNECTORS
from app.model.secret import Secret
from app.ocpp import schema
from app.ocpp.frame import NOT_IMPLEMENTED, NOT_SUPPORTED, spelled_code

if TYPE_CHECKING:
    from app.bridge.station16 import Station16

PASSWORD = "AuthorizationKey"
UNOFFERED = frozenset({"CancelReservation", "GetDiagnostics", "ReserveNow", "UpdateFirmware"})
"""Orders of OCPP 1.6 whose feature profile is not offered: known, and not supported (J16 §4.2.3)."""
LONGEST_TAG = 20


class Orders16:
    """Answers by the schema and by the state the station is in."""

    def __init__(self, station: Station16) -> None:
        self._station = station
        self._orders: dict[str, Callable[[Payload, datetime], Answer]] = {
            "ChangeAvailability": self._change_availability,
            "ChangeConfiguration": self._change_configuration,
            "ClearCache": self._clear_cache,
            "ClearChargingProfile": self._clear_profile,
            "DataTransfer": lambda _payload, _now: _status("UnknownVendorId"),
            "GetCompositeSchedule": self._composite,
            "GetConfiguration": self._configuration,
            "GetLocalListVersion": lambda _payload, _now: Answer(payload={"listVersion": -1}),
            "RemoteStartTransaction": self._remote_start,
            "RemoteStopTransaction": self._remote_stop,
            "Reset": self._reset,
            "SendLocalList": lambda _payload, _now: _status("NotSupported"),
            "SetChargingProfile": self._set_profile,
            "TriggerMessage": self._trigger,
            "UnlockConnector": lambda _payload, _now: _status("NotSupported"),
        }

    def answer(self, action: str, payload: Payload, now: datetime) -> Answer:
        """Answer an order."""
        order = self._orders.get(action)
        if order is None:
            code = NOT_SUPPORTED if action in UNOFFERED else NOT_IMPLEMENTED
            return Answer(error=code, text=f"{action[:64]} is not offered by this charge point.")
        if not schema.is_valid("1.6", action, payload, is_request=True):
            code, text = schema.error_of("1.6", action, payload)
            return Answer(error=spelled_code(code, "1.6"), text=text)
        return order(payload, now)

    # Configuration

    def _configuration(self, payload: Payload, _now: datetime) -> Answer:
        wanted = payload.get("key") or []
        if len(wanted) > MAX_KEYS:
            code = spelled_code("OccurrenceConstraintViolation", "1.6")
            return Answer(error=code, text=f"At most {MAX_KEYS} keys at once (GetConfigurationMaxKeys).")
        return Answer(payload=self._station.keys.told(wanted, self._hidden))

    def _change_configuration(self, payload: Payload, now: datetime) -> Answer:
        key, value = str(payload["key"]), str(payload["value"])
        if key in self._hidden:
            after = self._station.rekey(Secret(value))
            return Answer(payload={"status": "Accepted"}, after=after) if after else _status("Rejected")
        status = self._station.keys.set(key, value)
        if status == "Accepted":
            self._station.changed(key, now)
        return _status(status)

    @property
    def _hidden(self) -> tuple[str, ...]:
        return (PASSWORD,) if self._station.security_profile in (1, 2) else ()

    # Sessions

    def _remote_start(self, payload: Payload, now: datetime) -> Answer:
        station, profile = self._station, payload.get("chargingProfile")
        is_free = station.is_ready and station.sessions.running is None and not station.sessions.is_waiting
        is_ours = payload.get("connectorId", 1) == 1 and 0 < len(payload["idTag"]) <= LONGEST_TAG
        if not (station.is_accepted and is_free and is_ours and _is_for_start(profile)):
            return _status("Rejected")
        tag = str(payload["idTag"])
        return _status("Accepted", lambda: station.sessions.remote_start(tag, profile, now))

    def _remote_stop(self, payload: Payload, now: datetime) -> Answer:
        station = self._station
        session = station.sessions.stop_for(payload["transactionId"])
        if session is None or not station.is_accepted:
            return _status("Rejected")

        def stop() -> None:
            if station.sessions.running is session:
                station.sessions.end("Remote", now, is_spent=True)
                station.noted(station.outlet.state, now)

        return _status("Accepted", stop)

    def _clear_cache(self, _payload: Payload, _now: datetime) -> Answer:
        if not self._station.keys.is_on("AuthorizationCacheEnabled"):
            return _status("Rejected")
        self._station.sessions.tags.clear()
        return _status("Accepted")

    # The unit

    def _change_availability(self, payload: Payload, now: datetime) -> Answer:
        station, connector = self._station, payload["connectorId"]
        if connector not in CONNECTORS:
            return _status("Rejected")
        status = station.availability.change(int(connector), payload["type"] == "Operative")
        return _status(status, lambda: station.noted(station.outlet.state, now))

    def _reset(self, payload: Payload, now: datetime) -> Answer:
        kind = str(payload["type"])
        return _status("Accepted", lambda: self._station.reset(kind, now))

    def _trigger(self, payload: Payload, now: datetime) -> Answer:
        station, connector = self._station, payload.get("connectorId")
        if connector is not None and connector not in CONNECTORS:
            return _status("Rejected")

        def states() -> None:
            for number in CONNECTORS if connector is None else (int(connector),):
                station.states.say(number, now, is_asked=True)

        def boot() -> None:
            station.say(Message(action="BootNotification", payload={}, at=now, is_asked=True))

        triggers: dict[str, Callable[[], None]] = {
            "BootNotification": boot,
            "Heartbeat": lambda: station.beat(now, is_asked=True),
            "MeterValues": lambda: station.meter_now(now),
            "StatusNotification": states,
        }
        trigger = triggers.get(str(payload["requestedMessage"]))
        return _status("Accepted", trigger) if trigger else _status("NotImplemented")

    # Smart charging

    def _set_profile(self, payload: Payload, now: datetime) -> Answer:
        connector = payload["connectorId"]
        status = self._station.charging.set_profile(connector, payload["csChargingProfiles"])
        return _status(status, lambda: self._station.noted(self._station.outlet.state, now))

    def _clear_profile(self, payload: Payload, now: datetime) -> Answer:
        status = self._station.charging.clear(payload)
        return _status(status, lambda: self._station.noted(self._station.outlet.state, now))

    def _composite(self, payload: Payload, now: datetime) -> Answer:
        return Answer(payload=self._station.charging.composite(payload, now))


def _status(status: str, after: Callable[[], None] | None = None) -> Answer:
    return Answer(payload={"status": status}, after=after)


def _is_for_start(profile: Payload | None) -> bool:
    """Say whether a remote start's profile can be taken: a TxProfile without a transaction (§5.11, §3.13.4)."""
    if profile is None:
        return True
    is_bare = profile.get("chargingProfilePurpose") == "TxProfile" and "transactionId" not in profile
    return is_bare and readable(profile, 1) is not None
