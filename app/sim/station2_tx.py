"""Transactions of a simulated 2.x station (part 2, use cases C01 to C06, E01 to E15, J02)."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from app.ocpp.stamps import written
from app.sim.rhythm import aligned, beats
from app.sim.station2_evse import Evse, IdToken, Json, Tx

if TYPE_CHECKING:
    from app.sim.station2 import Station2


class Transactions:
    """Watches what TxStartPoint and TxStopPoint name, and tells Started, Updated and Ended."""

    def __init__(self, station: Station2) -> None:
        self._station = station

    # What happens to an EVSE

    def plugged(self, evse: Evse) -> None:
        """A car is connected."""
        before = evse.points
        evse.outlet.is_plugged = True
        self._moved(evse, before, "CablePluggedIn")

    def unplugged(self, evse: Evse) -> None:
        """The car is gone; what it was charging with needs a new card."""
        before = evse.points
        evse.outlet.is_plugged = False
        if evse.tx is not None and self._station.model.is_on("TxCtrlr", "StopTxOnEVSideDisconnect"):
            evse.token = None
        self._moved(evse, before, "EVCommunicationLost", "EVDisconnected")

    def authorized(
        self, evse: Evse, token: IdToken, trigger: str = "Authorized", remote_start_id: int | None = None
    ) -> None:
        """Somebody may charge here: at once with a car, else when one comes in time."""
        before = evse.points
        evse.token, evse.remote_start_id = token, remote_start_id
        evse.used_reservation, evse.reservation, evse.reserved_for = evse.reservation, None, None
        self._moved(evse, before, trigger)
        if not evse.outlet.is_plugged:
            wait_s = self._station.model.number("TxCtrlr", "EVConnectionTimeOut", default=60.0)
            self._station.later(f"connect/{evse.number}", wait_s, lambda: self._too_late(evse, token))

    def stopped(self, evse: Evse, trigger: str, reason: str) -> None:
        """The authorisation ends: by card, from afar, or because it was refused."""
        before = evse.points
        evse.token = None
        self._moved(evse, before, trigger, reason)

    def aborted(self, evse: Evse, trigger: str, reason: str) -> None:
        """End the transaction at once, whatever TxStopPoint says: a reset, a lost supply."""
        evse.token = None
        evse.outlet.is_charging = False
        if evse.tx is not None:
            self._end(evse, trigger, reason)

    def changed(self, evse: Evse, trigger: str = "ChargingStateChanged") -> None:
        """The current, the limit or the car's wish changed."""
        self._moved(evse, evse.points, trigger)

    def find(self, transaction_id: str) -> Evse | None:
        """Return where a transaction runs."""
        for evse in self._station.evses:
            if evse.tx is not None and evse.tx.transaction_id == transaction_id:
                return evse
        return None

    def remember(self, token: IdToken, *, days_ago: float, energy_wh: float = 7000.0) -> None:
        """Queue a whole session of the past, as one that a dead backend never took (connection-failures 13)."""
        began, tx = self._station.clock.now() - timedelta(days=days_ago), Tx()
        stages: tuple[tuple[str, str, str, float, Json], ...] = (
            ("Started", "Authorized", "Charging", 0.0, {"idToken": token.json}),
            ("Updated", "MeterValuePeriodic", "Charging", energy_wh / 2, {}),
            ("Ended", "EVCommunicationLost", "Idle", energy_wh, {}),
        )
        for number, (kind, trigger, state, used_wh, more) in enumerate(stages):
            at = written(began + timedelta(minutes=30 * number))
            info: Json = {"transactionId": tx.transaction_id, "chargingState": state}
            info |= {"stoppedReason": "EVDisconnected"} if kind == "Ended" else {}
            value = {"timestamp": at, "sampledValue": [{"value": 50_000.0 + used_wh}]}
            event: Json = {
                "eventType": kind,
                "timestamp": at,
                "triggerReason": trigger,
                "seqNo": number,
                "offline": True,
            }
            event |= {"transactionInfo": info, "evse": {"id": 1, "connectorId": 1}, "meterValue": [value], **more}
            self._station.say("TransactionEvent", event)

    # Metering

    async def run(self) -> None:
        """Tell meter values in the rhythm of SampledDataCtrlr.TxUpdatedInterval."""
        station = self._station
        interval = partial(station.model.number, "SampledDataCtrlr", "TxUpdatedInterval")
        async for _ in beats(interval, station.time_scale):
            for evse in station.evses:
                if evse.tx is not None and station.model.is_on("SampledDataCtrlr", "Enabled"):
                    self.metered(evse, "MeterValuePeriodic", "Sample.Periodic")

    async def run_aligned(self) -> None:
        """Tell clock-aligned values in the rhythm of AlignedDataCtrlr.Interval, in a transaction as an event (J01)."""
        station = self._station
        interval = partial(station.model.number, "AlignedDataCtrlr", "Interval")
        async for _ in aligned(interval, station.time_scale, lambda: station.clock.now().timestamp()):
            for evse in station.evses:
                self._aligned(evse)

    def metered(self, evse: Evse, trigger: str, context: str) -> None:
        """Tell a meter value of a running transaction."""
        if evse.tx is not None:
            evse.outlet.spoil(self._station.faults)
            self._tell(evse, "Updated", trigger, self._values(evse, "TxUpdatedMeasurands", context))

    def meter_value(self, evse: Evse, measurands: tuple[str, ...], context: str) -> Json:
        """Return a MeterValueType."""
        return {"timestamp": self._station.clock.text(), "sampledValue": evse.sampled(measurands, context)}

    def _aligned(self, evse: Evse) -> None:
        station = self._station
        wanted = station.model.members("AlignedDataCtrlr", "Measurands")
        if not wanted or not station.model.is_on("AlignedDataCtrlr", "Enabled"):
            return
        value = self.meter_value(evse, wanted, "Sample.Clock")
        if evse.tx is not None:
            self._tell(evse, "Updated", "MeterValueClock", [value])
        elif not (station.model.is_on("AlignedDataCtrlr", "SendDuringIdle") and any(one.tx for one in station.evses)):
            station.say("MeterValues", {"evseId": evse.number, "meterValue": [value]})

    def _values(self, evse: Evse, measurands: str, context: str) -> list[Json]:
        wanted = self._station.model.members("SampledDataCtrlr", measurands)
        return [self.meter_value(evse, wanted, context)] if wanted else []

    # Inside

    def _moved(self, evse: Evse, before: set[str], trigger: str, reason: str = "") -> None:
        was_flowing = evse.outlet.is_charging
        evse.outlet.is_charging = evse.may_flow
        now = evse.points
        if reason and evse.tx is not None and not evse.tx.stopped_reason:
            evse.tx.stopped_reason = reason
        self._station.tell_status(evse)
        model = self._station.model
        if evse.tx is None:
            if set(model.members("TxCtrlr", "TxStartPoint")) & now and evse.is_available:
                self._begin(evse, trigger)
        elif set(model.members("TxCtrlr", "TxStopPoint")) & (before - now) or not now:
            self._end(evse, trigger, reason or "Local")
        elif before != now or was_flowing != evse.outlet.is_charging or trigger != "ChargingStateChanged":
            self._tell(evse, "Updated", trigger)

    def _begin(self, evse: Evse, trigger: str) -> None:
        evse.tx = Tx(token=evse.token, remote_start_id=evse.remote_start_id, began_at=self._station.clock.now())
        values = self._values(evse, "TxStartedMeasurands", "Transaction.Begin")
        evse.tx.began = values[0] if values else {}
        self._tell(evse, "Started", trigger, values)
        self._station.tell_status(evse)

    def _end(self, evse: Evse, trigger: str, reason: str) -> None:
        tx = evse.tx
        assert tx is not None
        values = self._values(evse, "TxEndedMeasurands", "Transaction.End")
        if values and tx.began:
            values.insert(0, tx.began)
        tx.stopped_reason = tx.stopped_reason or reason
        self._tell(evse, "Ended", trigger, values)
        evse.tx, evse.token, evse.remote_start_id = None, None, None
        evse.is_barred = False
        evse.outlet.is_charging = False
        self._station.transaction_ended(evse)

    def _tell(self, evse: Evse, kind: str, trigger: str, values: list[Json] | None = None) -> None:
        station, tx = self._station, evse.tx
        assert tx is not None
        info: Json = {"transactionId": tx.transaction_id, "chargingState": evse.charging_state}
        if kind == "Ended":
            info["stoppedReason"] = tx.stopped_reason
        if tx.remote_start_id is not None:
            info["remoteStartId"] = tx.remote_start_id
        event: Json = {
            "eventType": kind,
            "timestamp": station.clock.text(),
            "triggerReason": trigger,
            "seqNo": tx.next_seq_no(),
            "offline": not station.is_connected,
            "transactionInfo": info,
            "evse": {"id": evse.number, "connectorId": 1},
        }
        if values:
            event["meterValue"] = values
        if evse.used_reservation is not None:
            event["reservationId"], evse.used_reservation = evse.used_reservation, None
        token = evse.token or (tx.token if kind == "Ended" and trigger == "StopAuthorized" else None)
        if token is not None and (not token.same(tx.token_told) or kind == "Ended"):
            event["idToken"] = token.json
            tx.token = tx.token_told = token
        station.say("TransactionEvent", event, lambda answer: self._answered(evse, tx, answer))

    def _answered(self, evse: Evse, tx: Tx, answer: Json) -> None:
        info = answer.get("idTokenInfo")
        if not isinstance(info, dict):
            return
        if tx.token is not None:
            self._station.authorisation.learn(tx.token, info)
        tx.group = str((info.get("groupIdToken") or {}).get("idToken", tx.group))
        if info.get("status") == "Accepted" or evse.tx is not tx:
            return
        if self._station.model.is_on("TxCtrlr", "StopTxOnInvalidId"):
            self.stopped(evse, "Deauthorized", "DeAuthorized")
        else:
            evse.is_barred = True
            self.changed(evse)

    def _too_late(self, evse: Evse, token: IdToken) -> None:
        if evse.token is token and not evse.outlet.is_plugged:
            self.stopped(evse, "EVConnectTimeout", "Timeout")
