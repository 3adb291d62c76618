"""Transactions of a bridged OCPP 2.0.1 station (part 2, use cases E01 to E15, J02)."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from app.bridge.message import Message, Payload
from app.bridge.outlet import OutletState
from app.bridge.session import Session
from app.bridge.station201_auth import Permit
from app.bridge.station201_metering import REGISTER, meter_value, register_value

if TYPE_CHECKING:
    from app.bridge.station201 import Station201

log = logging.getLogger(__name__)

LEAST_A = 6.0
"""Below this no car charges (IEC 61851-1 annex A)."""
OFFLINE_SAMPLE_S = 900.0
"""Transactions are sampled no more often while nobody listens, so that a month of them fits on disk [OURS]."""
OVERTAKEN = timedelta(seconds=60)
"""By more than so much times go back only where the clock was set."""
BARRED = "201.barred"
"""Where the transaction is kept whose token was refused while it goes on (E05)."""


class Transactions:
    """The one transaction that may run, and what is told of it.

    States::

        none ──begin──► running ──end──► none
                        │ Updated, with every change, sample and order
    """

    def __init__(self, station: Station201) -> None:
        self._station = station
        self.session: Session | None = _ours(station)
        self.is_barred = self.session is not None and station.kept.memory.get(BARRED) == self.session.number
        self._told_state = ""
        self._told_at = station.started_at
        self._sample_at: datetime | None = None
        self._unsent = 0
        self._inherited = len(station.kept.outbox)

    # What is known of it

    def is_running(self, transaction_id: object) -> bool:
        """Say whether that transaction runs."""
        return self.session is not None and self.session.transaction_id == transaction_id

    def has_unsent(self, transaction_id: str) -> bool:
        """Say whether messages of a transaction wait to be delivered (E14)."""
        if self.is_running(transaction_id):
            return self._unsent > 0 or self._inherited > 0
        return self._station.kept.sessions.get(transaction_id) is not None and len(self._station.kept.outbox) > 0

    def delivered(self, message: Message) -> None:
        """Learn that a message needs no sending any more."""
        if self.session is not None and message.session == self.session.number and self._unsent:
            self._unsent -= 1
        else:
            self._inherited = max(0, self._inherited - 1)

    @property
    def charging_state(self) -> str:
        """Return the ChargingStateEnum."""
        state = self._station.outlet.state
        if not state.is_plugged:
            return "Idle"
        if self.session is None:
            return "EVConnected"
        if state.is_charging:
            return "Charging"
        is_held = self.is_barred or bool(state.fault) or self._station.outlet.allowed_a < LEAST_A
        return "SuspendedEVSE" if is_held else "SuspendedEV"

    # What happens to it

    def noted(self, state: OutletState, now: datetime) -> None:
        """Look whether the car left, and whether it charges otherwise than was told."""
        session = self.session
        if session is None:
            return
        if state.plug != session.plug:
            self.end(now, "EVCommunicationLost", "EVDisconnected", stop_wh=state.plug_began_wh)
        elif not state.is_plugged:
            self.end(now, "EVCommunicationLost", "EVDisconnected")
        else:
            self.changed(now, "AbnormalCondition" if state.fault else "ChargingStateChanged")

    def changed(self, now: datetime, trigger: str = "ChargingStateChanged") -> None:
        """Tell the charging state if it is another."""
        if self.session is not None and self.charging_state != self._told_state:
            self._tell("Updated", trigger, now)

    def begin(self, permit: Permit, trigger: str, now: datetime, *, start_wh: int) -> None:
        """Begin a transaction for the car that is there."""
        state = self._station.outlet.state
        session = Session(
            identity=self._station.equipment.identity,
            plug=state.plug,
            began_at=now,
            start_wh=start_wh,
            id_tag=permit.token.value,
            remote_start_id=permit.remote_start_id,
        )
        session.transaction_id = session.number
        session.last_wh = start_wh
        self.session, self.is_barred, self._unsent = session, False, 0
        self._inherited = len(self._station.kept.outbox)
        more: Payload = {"evse": {"id": 1, "connectorId": 1}, "idToken": permit.token.json}
        wanted = self._wanted("TxStartedMeasurands")
        values = self._measured(session.start_wh, now, wanted, "Transaction.Begin")
        self._tell("Started", trigger, now, values, more)
        self._sample_at = now + timedelta(seconds=self._interval_s) if self._interval_s else None

    def end(self, now: datetime, trigger: str, reason: str, *, stop_wh: int | None = None) -> None:
        """End it. ``stop_wh``: the register when the car left, where that was not now."""
        session = self.session
        if session is None:
            return
        session.ended_at, session.reason = now, reason
        session.stop_wh = max(self._station.outlet.state.register_wh if stop_wh is None else stop_wh, session.last_wh)
        session.last_wh = session.stop_wh
        wanted = self._wanted("TxEndedMeasurands")
        values = self._measured(session.stop_wh, now, wanted, "Transaction.End")
        if REGISTER in wanted:
            began_at = self._station.dated(session.began_at)
            values.insert(0, register_value(session.start_wh, began_at, "Transaction.Begin"))
        self.session, self._sample_at = None, None
        self._tell("Ended", trigger, now, values, session=session)
        self._station.kept.memory.put(BARRED, None)
        self._station.ended(session, now)

    def bar(self, now: datetime) -> None:
        """Let no energy flow any more, and let the transaction go on: its token was refused (E05)."""
        if self.session is not None:
            self.is_barred = True
            self._station.kept.memory.put(BARRED, self.session.number)
            self._station.steer(now)
            self._tell("Updated", "Deauthorized", now)

    def told(self, message: Message, answer: Payload, now: datetime) -> None:
        """Take what the backend says of the token that pays for it (E05)."""
        info = answer.get("idTokenInfo")
        session = self.session
        if session is None or message.session != session.number or not isinstance(info, dict):
            return
        if info.get("status") in ("Accepted", None) or self._station.is_free or self.is_barred:
            return
        if self._station.model.is_on("TxCtrlr.StopTxOnInvalidId"):
            self.end(now, "Deauthorized", "DeAuthorized")
        else:
            self.bar(now)

    # Metering

    def due(self, now: datetime) -> datetime | None:
        """Tell a sample when it is time; returns when the next is due."""
        if self.session is None or not self._interval_s:
            self._sample_at = None
            return None
        pause = timedelta(seconds=self._interval_s)
        if self._sample_at is None or self._sample_at > now + pause:
            self._sample_at = now + pause
        if self._sample_at <= now:
            self._sample_at = max(self._sample_at + pause, now)
            if self._station.outlet.state.is_present:
                self.sample("MeterValuePeriodic", "Sample.Periodic", now)
        return self._sample_at

    def sample(self, trigger: str, context: str, now: datetime, *, is_asked: bool = False) -> None:
        """Tell what is measured now, in an update."""
        values = self._measured(self._register(), now, self._wanted("TxUpdatedMeasurands"), context)
        if values or is_asked:
            self._tell("Updated", trigger, now, values)

    def aligned(self, wanted: tuple[str, ...], now: datetime) -> None:
        """Tell clock-aligned values (J01)."""
        values = self._measured(self._register(), now, wanted, "Sample.Clock")
        if values:
            self._tell("Updated", "MeterValueClock", now, values)

    @property
    def _interval_s(self) -> float:
        model = self._station.model
        if not model.is_on("SampledDataCtrlr.Enabled"):
            return 0.0
        interval_s = model.seconds("SampledDataCtrlr.TxUpdatedInterval")
        is_sparse = interval_s > 0 and not self._station.is_online
        return max(interval_s, OFFLINE_SAMPLE_S * self._station.pace) if is_sparse else interval_s

    def _register(self) -> int:
        """Read the register; what is told never goes back behind what was told before."""
        register_wh = self._station.outlet.state.register_wh
        if self.session is not None:
            register_wh = self.session.last_wh = max(register_wh, self.session.last_wh)
        return register_wh

    def _wanted(self, name: str) -> tuple[str, ...]:
        model = self._station.model
        return model.members(f"SampledDataCtrlr.{name}") if model.is_on("SampledDataCtrlr.Enabled") else ()

    def _measured(self, register_wh: float, now: datetime, wanted: tuple[str, ...], context: str) -> list[Payload]:
        value = meter_value(self._station.outlet, register_wh, self._station.dated(now), wanted, context)
        return [value] if "sampledValue" in value else []

    # Telling

    def _tell(
        self,
        kind: str,
        trigger: str,
        now: datetime,
        values: list[Payload] | None = None,
        more: Payload | None = None,
        *,
        session: Session | None = None,
    ) -> None:
        about = session or self.session
        assert about is not None
        if timedelta() < self._told_at - now < OVERTAKEN:
            now = self._told_at  # an order's events may come after those of a later report
        self._told_at = now
        self._told_state = self.charging_state
        info: Payload = {"transactionId": about.transaction_id, "chargingState": self._told_state}
        if kind == "Ended":
            info["stoppedReason"] = about.reason
        if kind == "Started" and about.remote_start_id is not None:
            info["remoteStartId"] = about.remote_start_id
        event: Payload = {
            "eventType": kind,
            "timestamp": self._station.stamp(now),
            "triggerReason": trigger,
            "seqNo": about.next_seq,
            "offline": not self._station.is_open,
            "transactionInfo": info,
            **(more or {}),
        }
        if values:
            event["meterValue"] = values
        about.next_seq += 1
        self._station.kept.sessions.save(about)
        self._unsent += 1
        self._station.keep(
            Message(action="TransactionEvent", payload=event, at=now, is_kept=True, session=about.number)
        )


def _ours(station: Station201) -> Session | None:
    """Return the transaction that runs; one begun in the words of OCPP 1.6 can't go on in these, and is closed."""
    session = station.kept.sessions.running()
    if session is None or session.transaction_id == session.number:
        return session
    log.warning("%s: a session of another OCPP version was closed unsold", station.equipment.identity)
    session.ended_at, session.stop_wh, session.reason = station.started_at, session.last_wh, "Other"
    station.kept.sessions.save(session)
    station.untold.note(session)
    return None
