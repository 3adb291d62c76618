"""What chargers tell of themselves without being asked: events, alarms, security events. Kept per unit, bounded.

It listens where the server looks for an answer to a request and always leaves the answering to the server, so that the
busy requests (meter values, heartbeats) pay nothing for it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.feed import Feed
from app.model.finding import Severity
from app.ocpp import v16
from app.ocpp.endpoint import Endpoint
from app.ocpp.server import OcppServer
from app.ocpp.services.monitoring import place_text
from app.ocpp.services.reservations import updated
from app.ocpp.services.transferwords import StatusSeen

MAX_EVENTS = 1_000
"""Events kept of one unit."""
MAX_UNITS = 500
MAX_OF_ONE = 200
"""Events taken from one message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing a unit told. ``at`` is when it came, ``stamp`` the unit's own time as it wrote it."""

    identity: str
    at: datetime
    stamp: str
    action: str
    subject: str
    text: str
    severity: Severity = Severity.INFO


SECURITY = {
    "FirmwareUpdated": "Its firmware was updated.",
    "FailedToAuthenticateAtCentralSystem": "It could not log in at its backend.",
    "FailedToAuthenticateAtCsms": "It could not log in at its backend.",
    "CentralSystemFailedToAuthenticate": "Its backend could not prove who it is.",
    "CsmsFailedToAuthenticate": "Its backend could not prove who it is.",
    "SettingSystemTime": "Its clock was set.",
    "StartupOfTheDevice": "It started.",
    "ResetOrReboot": "It was restarted.",
    "SecurityLogWasCleared": "Its security log was cleared.",
    "ReconfigurationOfSecurityParameters": "Its security settings were changed.",
    "MemoryExhaustion": "Its memory is full.",
    "InvalidMessages": "It got messages it can't use.",
    "AttemptedReplayAttacks": "It saw an old message played again.",
    "TamperDetectionActivated": "Its housing was opened.",
    "InvalidFirmwareSignature": "The signature of a firmware image was wrong.",
    "InvalidFirmwareSigningCertificate": "It does not trust who signed a firmware image.",
    "InvalidCentralSystemCertificate": "It does not trust its backend's certificate.",
    "InvalidCsmsCertificate": "It does not trust its backend's certificate.",
    "InvalidChargePointCertificate": "Its own certificate can't be used.",
    "InvalidChargingStationCertificate": "Its own certificate can't be used.",
    "InvalidTLSVersion": "Its backend speaks no TLS version it takes.",
    "InvalidTLSCipherSuite": "Its backend speaks no cipher suite it takes.",
    "MaintenanceLoginAccepted": "Somebody logged in for maintenance.",
    "MaintenanceLoginFailed": "Somebody tried to log in for maintenance.",
}
"""SEC16 §8; P2-201 appendix 1."""
_GRAVE = ("Tamper", "Failed", "Invalid", "Memory", "Attempted")

Teller = Callable[[Mapping[str, Any]], Iterable[tuple[str, str, str, Severity]]]
"""Reads a payload into (stamp, subject, text, severity)."""


class Collector:
    """Keeps what units tell. ``attach`` it to a server; ``told`` is the feed of it all."""

    def __init__(self) -> None:
        self.told: Feed[Told] = Feed()
        self._units: OrderedDict[str, deque[Told]] = OrderedDict()
        self.reservation_ends: dict[tuple[str, int], str] = {}

    def attach(self, server: OcppServer) -> None:
        """Listen from now on; actions somebody answers already are left to them."""
        for action in _TELLERS:
            server.repliers.setdefault(action, self._tap(action))

    def of(self, identity: str) -> Sequence[Told]:
        """Return what a unit told, oldest first."""
        return tuple(self._units.get(identity, ()))

    def forget(self, identity: str) -> None:
        """Drop what a unit told."""
        self._units.pop(identity, None)

    def _tap(self, action: str) -> Callable[[Endpoint, Mapping[str, Any]], dict[str, Any] | None]:
        def heard(endpoint: Endpoint, payload: Mapping[str, Any]) -> None:
            self.take(endpoint.identity, action, payload, datetime.now(UTC))

        return heard

    def take(self, identity: str, action: str, payload: Mapping[str, Any], now: datetime) -> None:
        """Enter one request (a trace's too)."""
        teller = _TELLERS.get(action)
        if teller is None:
            return
        kept = self._units.pop(identity, None) or deque(maxlen=MAX_EVENTS)
        self._units[identity] = kept
        if len(self._units) > MAX_UNITS:
            self._units.popitem(last=False)
        for stamp, subject, text, severity in list(teller(payload))[:MAX_OF_ONE]:
            told = Told(
                identity=identity,
                at=now,
                stamp=stamp,
                action=action,
                subject=subject,
                text=text,
                severity=severity,
            )
            kept.append(told)
            self.told.publish(told)
        if action == "ReservationStatusUpdate":
            number, status = updated(payload)
            if len(self.reservation_ends) < MAX_EVENTS:
                self.reservation_ends[(identity, number)] = status


def _one(
    stamp: object, subject: str, text: str, severity: Severity = Severity.INFO
) -> tuple[tuple[str, str, str, Severity], ...]:
    return ((v16.text(stamp, 40), subject, text, severity),)


def _security(payload: Mapping[str, Any]) -> Iterable[tuple[str, str, str, Severity]]:
    kind = v16.text(payload.get("type"), 50)
    detail = v16.text(payload.get("techInfo"), 255)
    words = SECURITY.get(kind, "The standard does not know this event.")
    severity = Severity.WARNING if kind.startswith(_GRAVE) else Severity.INFO
    return _one(payload.get("timestamp"), kind, f"{words} {detail}".strip(), severity)


def _events(payload: Mapping[str, Any]) -> Iterable[tuple[str, str, str, Severity]]:
    items = payload.get("eventData")
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, dict):
            continue
        value = v16.text(item.get("actualValue"), 500)
        parts = [f"is {value}"]
        parts += ["(over again)"] if item.get("cleared") is True else []
        parts += [text for key in ("techCode", "techInfo") if (text := v16.text(item.get(key), 300))]
        is_alert = item.get("trigger") == "Alerting" and item.get("cleared") is not True
        severity = Severity.WARNING if is_alert else Severity.INFO
        yield v16.text(item.get("timestamp"), 40), place_text(item), " ".join(parts), severity


def _limit(payload: Mapping[str, Any]) -> Iterable[tuple[str, str, str, Severity]]:
    limit = payload.get("chargingLimit")
    source = v16.text(limit.get("chargingLimitSource"), 20) if isinstance(limit, dict) else ""
    place = f"EVSE {v16.number(payload.get('evseId'))}" if "evseId" in payload else "the whole station"
    return _one("", "Charging limit", f"{source or 'Somebody'} limits {place}.", Severity.WARNING)


def _no_limit(payload: Mapping[str, Any]) -> Iterable[tuple[str, str, str, Severity]]:
    source = v16.text(payload.get("chargingLimitSource"), 20)
    return _one("", "Charging limit", f"{source or 'Somebody'} limits nothing any more.")


def _reservation(payload: Mapping[str, Any]) -> Iterable[tuple[str, str, str, Severity]]:
    number, status = updated(payload)
    return _one("", f"Reservation {number}", f"{status}.")


def _der_alarm(payload: Mapping[str, Any]) -> Iterable[tuple[str, str, str, Severity]]:
    fault = v16.text(payload.get("gridEventFault"), 30) or "alarm"
    is_over = payload.get("alarmEnded") is True
    text = f"{fault} {'is over' if is_over else 'began'} {v16.text(payload.get('extraInfo'), 200)}".strip()
    severity = Severity.INFO if is_over else Severity.WARNING
    return _one(payload.get("timestamp"), f"Grid: {v16.text(payload.get('controlType'), 30)}", text, severity)


def _der_control(payload: Mapping[str, Any]) -> Iterable[tuple[str, str, str, Severity]]:
    verb = "began" if payload.get("started") is True else "ended"
    return _one(payload.get("timestamp"), "Grid control", f"{v16.text(payload.get('controlId'), 36)} {verb}.")


def _status(payload: Mapping[str, Any]) -> Iterable[tuple[str, str, str, Severity]]:
    seen = StatusSeen(status=v16.text(payload.get("status"), 50), at=datetime.now(UTC))
    return _one("", "Transfer", f"{seen.status}: {seen.meaning}")


def _report(payload: Mapping[str, Any]) -> Iterable[tuple[str, str, str, Severity]]:
    rows = payload.get("reportData", payload.get("monitor"))
    count = len(rows) if isinstance(rows, list) else 0
    more = ", more to come" if payload.get("tbc") is True else ""
    text = f"part {v16.number(payload.get('seqNo')) + 1}: {count} variables{more}"
    return _one(payload.get("generatedAt"), f"Report {v16.number(payload.get('requestId'))}", text)


def _customer(payload: Mapping[str, Any]) -> Iterable[tuple[str, str, str, Severity]]:
    # What it knows of a person is not kept a second time.
    size = len(v16.text(payload.get("data"), 512))
    return _one(payload.get("generatedAt"), "Customer information", f"{size} characters, see Traffic")


def _needs(payload: Mapping[str, Any]) -> Iterable[tuple[str, str, str, Severity]]:
    needs = payload.get("chargingNeeds")
    mode = v16.text(needs.get("requestedEnergyTransfer"), 30) if isinstance(needs, dict) else ""
    return _one("", f"Car at EVSE {v16.number(payload.get('evseId'))}", f"wants to charge {mode}".strip())


_TELLERS: dict[str, Teller] = {
    "NotifyReport": _report,
    "NotifyMonitoringReport": _report,
    "NotifyCustomerInformation": _customer,
    "NotifyEVChargingNeeds": _needs,
    "SecurityEventNotification": _security,
    "NotifyEvent": _events,
    "NotifyChargingLimit": _limit,
    "ClearedChargingLimit": _no_limit,
    "ReservationStatusUpdate": _reservation,
    "NotifyDERAlarm": _der_alarm,
    "NotifyDERStartStop": _der_control,
    "FirmwareStatusNotification": _status,
    "SignedFirmwareStatusNotification": _status,
    "DiagnosticsStatusNotification": _status,
    "LogStatusNotification": _status,
}
