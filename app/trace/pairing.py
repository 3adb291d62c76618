"""Give answers the action of their request, and frames a direction, where a file does not say. Pure."""

from __future__ import annotations

from collections import OrderedDict

from app.model.frame import Direction, FrameKind

MOST_OPEN = 10_000
"""Requests remembered while they wait for an answer."""

FROM_UNIT = frozenset(
    {
        # OCPP 1.6 §4 and the security whitepaper §5
        "Authorize", "BootNotification", "DiagnosticsStatusNotification", "FirmwareStatusNotification", "Heartbeat",
        "LogStatusNotification", "MeterValues", "SecurityEventNotification", "SignCertificate",
        "SignedFirmwareStatusNotification", "StartTransaction", "StatusNotification", "StopTransaction",
        # OCPP 2.0.1 part 2 §1
        "ClearedChargingLimit", "Get15118EVCertificate", "GetCertificateStatus", "NotifyChargingLimit",
        "NotifyCustomerInformation", "NotifyDisplayMessages", "NotifyEVChargingNeeds", "NotifyEVChargingSchedule",
        "NotifyEvent", "NotifyMonitoringReport", "NotifyReport", "PublishFirmwareStatusNotification",
        "ReportChargingProfiles", "ReservationStatusUpdate", "TransactionEvent",
        # OCPP 2.1 part 2 §1
        "BatterySwap", "ClosePeriodicEventStream", "GetCertificateChainStatus", "NotifyDERAlarm", "NotifyDERStartStop",
        "NotifyPeriodicEventStream", "NotifyPriorityCharging", "NotifySettlement", "NotifyWebPaymentStarted",
        "OpenPeriodicEventStream", "PullDynamicScheduleUpdate", "ReportDERControl", "VatNumberValidation",
    }
)  # fmt: skip
"""Requests that only a charging station sends."""

EITHER = frozenset({"DataTransfer"})

OPPOSITE = {Direction.IN: Direction.OUT, Direction.OUT: Direction.IN}


class Pairs:
    """The open requests of a file.

    An answer belongs to the latest open request with its id from the other side (Open OCPP Trace, conformance).
    """

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, str, Direction], list[str]] = OrderedDict()

    def asked(self, identity: str, uid: str, direction: Direction, action: str) -> None:
        """Remember a request."""
        key = (identity, uid, direction)
        self._open.setdefault(key, []).append(action)
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)

    def answered(self, identity: str, uid: str, direction: Direction) -> str | None:
        """Return the action of the request that this answers and forget it; ``None`` = nobody asked."""
        key = (identity, uid, OPPOSITE[direction])
        waiting = self._open.get(key)
        if not waiting:
            return None
        action = waiting.pop()
        if not waiting:
            del self._open[key]
        return action

    def side_of_answer(self, identity: str, uid: str) -> Direction | None:
        """Return the direction of an answer by who asked; ``None`` = unknown, or both asked with this id."""
        sides = [side for side in Direction if (identity, uid, side) in self._open]
        return OPPOSITE[sides[0]] if len(sides) == 1 else None


def side_of_request(kind: FrameKind, action: str) -> Direction | None:
    """Return the direction of a request by its action; ``None`` = both may send it, or it is no request."""
    if kind is not FrameKind.CALL or not action or action in EITHER:
        return None
    return Direction.IN if action in FROM_UNIT else Direction.OUT
