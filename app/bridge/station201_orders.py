"""What a backend may order a bridged OCPP 2.0.1 station to do (part 2, functional blocks B, E, F, G, N and P)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from app.bridge.message import Message, Payload
from app.bridge.station import Answer
from app.bridge.station201_auth import IdToken, Permit
from app.bridge.station201_charging import rejected

if TYPE_CHECKING:
    from app.bridge.station201 import Station201

Order = Callable[["Station201", Payload, datetime], Answer]
_ACCEPTED: Payload = {"status": "Accepted"}
_ERRANDS = {"LogStatusNotification", "FirmwareStatusNotification"}


def reset(station: Station201, payload: Payload, now: datetime) -> Answer:
    """B11 and B12; an EVSE alone can't be reset (its variable AllowReset)."""
    if payload.get("evseId") is not None:
        return rejected("UnsupportedParam" if payload["evseId"] == 1 else "UnknownEvse")
    if payload["type"] == "OnIdle" and station.tx.session is not None:
        station.is_reset_planned = True
        return Answer(payload={"status": "Scheduled"})

    def after() -> None:
        station.tx.end(now, "ResetCommand", "ImmediateReset")
        station.start_anew("RemoteReset")

    return Answer(payload=_ACCEPTED, after=after)


def change_availability(station: Station201, payload: Payload, now: datetime) -> Answer:
    """G03 and G04: a running transaction postpones it; it outlives a restart."""
    evse = payload.get("evse") or {}
    if evse.get("id", 1) != 1:
        return rejected("UnknownEvse")
    if evse.get("connectorId", 1) != 1:
        return rejected("UnknownConnectorId")
    place = "station" if not evse else "connector" if "connectorId" in evse else "evse"
    is_operative = payload["operationalStatus"] == "Operative"
    is_postponed = station.tx.session is not None and not is_operative
    status = "Scheduled" if is_postponed else "Accepted"
    return Answer(payload={"status": status}, after=lambda: station.set_operative(place, is_operative, now))


def request_start(station: Station201, payload: Payload, now: datetime) -> Answer:
    """F01 and F02; before acceptance nobody charges (B02.FR.05)."""
    if not station.is_accepted:
        return rejected("CSNotAccepted")
    if payload.get("evseId", 1) != 1:
        return rejected("UnknownEvse")
    if station.tx.session is not None or station.admission.is_busy:
        return rejected("TxInProgress")
    hindrance = station.hindrance
    if hindrance:
        return rejected("Unspecified", hindrance)
    profile = payload.get("chargingProfile")
    if profile is not None:
        reason = station.charging.objection(1, profile, comes_with_start=True)
        if reason:
            return rejected(reason)
    permit = Permit(IdToken.of(payload["idToken"]), int(payload["remoteStartId"]), profile)
    return Answer(payload=_ACCEPTED, after=lambda: station.admission.ordered(permit, now))


def request_stop(station: Station201, payload: Payload, now: datetime) -> Answer:
    """F03."""
    if not station.is_accepted:
        return rejected("CSNotAccepted")
    if not station.tx.is_running(payload["transactionId"]):
        return rejected("TxNotFound")
    return Answer(payload=_ACCEPTED, after=lambda: station.tx.end(now, "RemoteStop", "Remote"))


def transaction_status(station: Station201, payload: Payload, _now: datetime) -> Answer:
    """E14."""
    wanted = payload.get("transactionId")
    if wanted is None:
        return Answer(payload={"messagesInQueue": len(station.kept.outbox) > 0})
    told = {"ongoingIndicator": station.tx.is_running(wanted), "messagesInQueue": station.tx.has_unsent(wanted)}
    return Answer(payload=told)


def trigger(station: Station201, payload: Payload, now: datetime) -> Answer:
    """F06."""
    wanted, evse = payload["requestedMessage"], payload.get("evse") or {}
    if evse.get("id", 1) != 1:
        return rejected("UnknownEvse")
    if evse.get("connectorId", 1) != 1:
        return rejected("UnknownConnectorId")
    if wanted == "StatusNotification" and "connectorId" not in evse:
        return rejected("MissingParam")
    if wanted == "BootNotification" and station.is_accepted:
        return rejected("InvalidMessageSeq")
    if wanted == "TransactionEvent" and station.tx.session is None:
        return rejected("TxNotFound")
    after = _sayings(station, now).get(wanted)
    return Answer(payload=_ACCEPTED, after=after) if after else Answer(payload={"status": "NotImplemented"})


def _sayings(station: Station201, now: datetime) -> dict[str, Callable[[], None]]:
    def say(action: str, payload: Payload) -> Callable[[], None]:
        return lambda: station.say(Message(action=action, payload=payload, at=now, is_asked=True))

    sayings = {
        "BootNotification": lambda: station.boot_asked(now),
        "Heartbeat": say("Heartbeat", {}),
        "StatusNotification": lambda: station.say_status(now, is_asked=True),
        "MeterValues": lambda: station.say_meter(now),
        "TransactionEvent": lambda: station.tx.sample("Trigger", "Trigger", now, is_asked=True),
    }
    return sayings | {name: say(name, {"status": "Idle"}) for name in _ERRANDS}


def unlock(station: Station201, payload: Payload, _now: datetime) -> Answer:
    """F05: the cable is fixed, there is no lock."""
    if payload["evseId"] != 1 or payload["connectorId"] != 1:
        return Answer(payload={"status": "UnknownConnector"})
    if station.tx.session is not None:
        return Answer(payload={"status": "OngoingAuthorizedTransaction"})
    return Answer(payload={"status": "UnlockFailed", "statusInfo": {"reasonCode": "FixedCable"}})


def customer_information(station: Station201, payload: Payload, now: datetime) -> Answer:
    """N09 and N10: all that is known of a customer is the token of a transaction that runs."""
    named = [name for name in ("customerCertificate", "idToken", "customerIdentifier") if name in payload]
    if len(named) != 1:
        return Answer(payload={"status": "Invalid"})
    if not payload["report"]:
        return Answer(payload={"status": "Accepted" if payload["clear"] else "Rejected"})
    session, token = station.tx.session, payload.get("idToken")
    is_here = session is not None and token is not None and token["idToken"].lower() == session.id_tag.lower()
    text = f"transaction {session.transaction_id}" if session is not None and is_here else ""
    told = {
        "requestId": payload["requestId"],
        "seqNo": 0,
        "generatedAt": station.stamp(now),
        "data": text,
        "tbc": False,
    }

    def after() -> None:
        station.say(Message(action="NotifyCustomerInformation", payload=told, at=now, is_asked=True))

    return Answer(payload=_ACCEPTED, after=after)


def _fixed(payload: Payload) -> Order:
    return lambda _station, _payload, _now: Answer(payload=payload)


SMALL_ORDERS: dict[str, Order] = {
    "ClearCache": _fixed({"status": "Rejected", "statusInfo": {"reasonCode": "NotEnabled"}}),
    "GetLocalListVersion": _fixed({"versionNumber": 0}),
    "DataTransfer": _fixed({"status": "UnknownVendorId"}),
    "SetNetworkProfile": _fixed({"status": "Rejected", "statusInfo": {"reasonCode": "UnsupportedRequest"}}),
}
"""No cache (C11.FR.04), no list (D02), no vendor's messages (P01); where it dials is the site's decision (B09)."""
