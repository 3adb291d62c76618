"""The same commands in the words of each OCPP version. Pure."""

from __future__ import annotations

from typing import Any

from app.errors import NotSupported
from app.ocpp import v2

Order = tuple[str, dict[str, Any]]

RESETS = {"Soft": "OnIdle", "Hard": "Immediate"}
"""OCPP 1.6 §7.40 → P2-201 §3.68."""


def is_old(version: str) -> bool:
    """Say whether a version is 1.6; all later ones share their commands."""
    return version == "1.6"


def reset(version: str, kind: str) -> Order:
    """Write Reset; ``kind`` may be either version's word."""
    if is_old(version):
        olds = {new: old for old, new in RESETS.items()}
        return "Reset", {"type": olds.get(kind, kind)}
    return "Reset", {"type": RESETS.get(kind, kind)}


def trigger(version: str, message: str, connector: int | None) -> Order:
    """Write TriggerMessage."""
    payload: dict[str, Any] = {"requestedMessage": message}
    if connector is not None and is_old(version):
        payload["connectorId"] = connector
    elif connector:
        payload["evse"] = evse(connector, is_exact=message == "StatusNotification")
    return "TriggerMessage", payload


def start(version: str, connector: int, tag: str, number: int) -> Order:
    """Write RemoteStartTransaction or RequestStartTransaction; ``number`` becomes the remoteStartId."""
    if is_old(version):
        return "RemoteStartTransaction", {"connectorId": connector, "idTag": tag[:20]}
    token = {"idToken": tag[:36], "type": "Central"}
    payload: dict[str, Any] = {"idToken": token, "remoteStartId": number}
    if connector > 0:
        payload["evseId"] = v2.evse_of(connector)[0]
    return "RequestStartTransaction", payload


def stop(version: str, transaction_id: int | str) -> Order:
    """Write RemoteStopTransaction or RequestStopTransaction."""
    if is_old(version):
        return "RemoteStopTransaction", {"transactionId": transaction_id}
    return "RequestStopTransaction", {"transactionId": str(transaction_id)[:36]}


def unlock(version: str, connector: int) -> Order:
    """Write UnlockConnector."""
    if is_old(version):
        return "UnlockConnector", {"connectorId": connector}
    place = evse(connector, is_exact=True)
    return "UnlockConnector", {"evseId": place["id"], "connectorId": place["connectorId"]}


def availability(version: str, connector: int, is_operative: bool) -> Order:
    """Write ChangeAvailability; connector 0 is the whole station."""
    word = "Operative" if is_operative else "Inoperative"
    if is_old(version):
        return "ChangeAvailability", {"connectorId": connector, "type": word}
    place = {"evse": evse(connector)} if connector > 0 else {}
    return "ChangeAvailability", {"operationalStatus": word, **place}


def evse(connector: int, *, is_exact: bool = False) -> dict[str, Any]:
    """Write an EVSEType for a connector number of ours; ``is_exact`` names the connector even where it is the first."""
    evse_id, connector_id = v2.evse_of(connector)
    if connector_id is None and not is_exact:
        return {"id": evse_id}
    return {"id": evse_id, "connectorId": connector_id or 1}


REPORTS = {
    "GetBaseReport": "NotifyReport",
    "GetReport": "NotifyReport",
    "GetMonitoringReport": "NotifyMonitoringReport",
    "GetChargingProfiles": "ReportChargingProfiles",
    "GetDisplayMessages": "NotifyDisplayMessages",
    "CustomerInformation": "NotifyCustomerInformation",
    "GetDERControl": "ReportDERControl",
}
"""Commands whose real answer comes in parts, and the message that brings it."""

EMPTY = frozenset({"EmptyResultSet", "NoProfiles", "Unknown", "NotFound"})
"""Statuses by which a station says that there is nothing to report."""


def report_of(version: str, action: str) -> str:
    """Return the message that brings the parts; raises NotSupported where there is none."""
    if is_old(version) or action not in REPORTS:
        raise NotSupported(
            f"{action} brings no report in parts over OCPP {version}.", "Send it as an ordinary command."
        )
    return REPORTS[action]
