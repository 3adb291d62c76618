"""The sessions of a 1.6 station: who may charge, when a transaction begins and ends (OCPP 1.6 §3.4, §4.8, §4.10)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from app.bridge.message import Message, Payload
from app.bridge.outlet import OutletState
from app.bridge.session import Session
from app.bridge.station import Start
from app.bridge.station16_meter import TransactionData, sampled
from app.bridge.station16_tags import Tags16, status_of

if TYPE_CHECKING:
    from app.bridge.station16 import Station16

log = logging.getLogger(__name__)

ASK_AGAIN_S = 60.0
"""How long after an Authorize without an answer it is sent again [OURS]."""
SPENT, BLOCKED, KNOWN, COUNTED, UNSOLD = "spent plug", "blocked session", "known plug", "counted Wh", "unsold Wh"
"""What is kept: the stay whose session is over, the session that gets no energy, the last stay noted, up to which
register energy was told (no session begins before it), and the energy that belonged to nobody."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A remote start that waits for a car."""

    tag: str
    profile: Payload | None
    until: datetime | None


class Sessions16:
    """Begins and ends transactions as the unit, the backend and the Start rule have it.

    One outlet, at most one transaction. What is said of it is queued, so the line may be down.
    """

    def __init__(self, station: Station16) -> None:
        self._station = station
        self._memory = station.kept.memory
        self.running = self._left(station.kept.sessions.running())
        self.grant: Grant | None = None
        self.tags = Tags16(self._memory)
        self._data = TransactionData(self._memory)
        self._asked: dict[str, Grant | None] = {}
        self._decided = -1
        self.ask_after: datetime | None = None

    def _left(self, session: Session | None) -> Session | None:
        """Take over the session of before a restart; one that began in OCPP 2.x can't be ended in 1.6."""
        if session is None or is_number(session.transaction_id) or not session.transaction_id:
            return session
        log.warning("%s: a transaction of OCPP 2.x is left behind", session.identity)
        session.ended_at, session.stop_wh = self._station.started_at, session.last_wh
        self._station.kept.sessions.save(session)
        self._station.untold.note(session)
        return None

    # What others look at

    @property
    def is_entitled(self) -> bool:
        """Say whether current may flow."""
        if self.running is not None:
            return self._memory.get(BLOCKED) != self.running.number
        is_free = self._station.equipment.start is Start.FREE and not self.is_spent
        return self.grant is not None or is_free

    @property
    def is_spent(self) -> bool:
        """Say whether this stay's session is over while the car is still there."""
        seen = self._station.seen
        return seen.is_plugged and self._number(SPENT) == seen.plug

    @property
    def unsold_wh(self) -> int:
        """Return the energy that flowed outside of all sessions, in Wh."""
        if self.running is not None:
            return self._number(UNSOLD, 0)
        register_wh = self._station.seen.register_wh
        return self._number(UNSOLD, 0) + max(0, register_wh - self._number(COUNTED, register_wh))

    # The unit

    def noted(self, state: OutletState, now: datetime) -> None:
        """Begin and end what the car's coming and going begins and ends."""
        if self._memory.get(COUNTED) is None and state.is_present:
            self._memory.put(COUNTED, str(state.register_wh))
        session = self.running
        if session is not None and state.plug != session.plug:
            self.end("EVDisconnected", now, state.plug_began_wh)
        elif session is not None and not state.is_plugged:
            self.end("EVDisconnected", now)
        self._tell_unseen(state, now)
        if self.running is None and state.is_plugged and self._station.is_ready:
            self._try(state, now)
        if self._number(KNOWN) != state.plug:
            self._memory.put(KNOWN, str(state.plug))

    def _tell_unseen(self, state: OutletState, now: datetime) -> None:
        """Tell a whole stay that nobody saw, where everybody may charge."""
        is_new = self._memory.get(KNOWN) is not None and state.plug > self._number(KNOWN)
        is_free = self._station.equipment.start is Start.FREE
        if is_free and is_new and not state.is_plugged and state.register_wh > state.plug_began_wh:
            self.begin(self._station.equipment.id_tag, now, state.plug_began_wh)
            self.end("EVDisconnected", now)

    def _try(self, state: OutletState, now: datetime) -> None:
        """Begin a session for the car that is there, if anything allows it."""
        if self.grant is not None:
            grant, self.grant = self.grant, None
            self.begin(grant.tag, now, state.register_wh, grant.profile)
        elif self.is_spent:
            return
        elif self._station.equipment.start is Start.FREE:
            is_first = self._number(KNOWN) != state.plug
            self.begin(self._station.equipment.id_tag, now, state.plug_began_wh if is_first else state.register_wh)
        elif self._station.equipment.start is Start.TAG and self._decided != state.plug:
            self._ask_for(state, now)

    def _ask_for(self, state: OutletState, now: datetime) -> None:
        """Find out whether the unit's own tag may charge (§3.4, §3.5)."""
        station, tag = self._station, self._station.equipment.id_tag
        known = self.tags.status(tag, station.clock.at(now)) if station.keys.is_on("AuthorizationCacheEnabled") else ""
        if not station.is_online:
            is_unknown_fine = not known and station.keys.is_on("AllowOfflineTxForUnknownId")
            if (known == "Accepted" and station.keys.is_on("LocalAuthorizeOffline")) or is_unknown_fine:
                self.begin(tag, now, state.register_wh)
        elif known == "Accepted" and station.keys.is_on("LocalPreAuthorize"):
            self.begin(tag, now, state.register_wh)
        elif not self._asked and (self.ask_after is None or now >= self.ask_after):
            self._authorize(tag, None, now)

    # Remote starts

    def remote_start(self, tag: str, profile: Payload | None, now: datetime) -> None:
        """Let a car charge for a tag, at once or when it comes (§5.11)."""
        station = self._station
        wait_s = station.keys.number("ConnectionTimeOut")
        until = now + station.span(wait_s) if wait_s and not station.seen.is_plugged else None
        grant = Grant(tag, profile, until)
        if station.keys.is_on("AuthorizeRemoteTxRequests"):
            self._authorize(tag, grant, now)
        else:
            self._granted(grant, now)

    @property
    def is_waiting(self) -> bool:
        """Say whether a remote start is being decided or waits for a car."""
        return self.grant is not None or any(self._asked.values())

    def give_up(self, now: datetime) -> None:
        """Take back a remote start that no car followed (ConnectionTimeOut)."""
        if self.grant is not None and self.grant.until is not None and now >= self.grant.until:
            self.grant = None

    def _granted(self, grant: Grant, now: datetime) -> None:
        self.grant = grant
        self._station.noted(self._station.outlet.state, now)

    # Transactions

    def begin(self, tag: str, now: datetime, start_wh: int, profile: Payload | None = None) -> None:
        """Begin a transaction."""
        station = self._station
        start_wh = max(start_wh, self._number(COUNTED, start_wh))
        self._memory.put(UNSOLD, str(self._number(UNSOLD, 0) + start_wh - self._number(COUNTED, start_wh)))
        session = Session(
            identity=station.equipment.identity,
            plug=station.seen.plug,
            began_at=station.clock.at(now),
            start_wh=start_wh,
            id_tag=tag,
            last_wh=start_wh,
        )
        self._memory.put(COUNTED, str(start_wh))
        self._memory.put(SPENT, None)
        self.running = session
        station.kept.sessions.save(session)
        stamp = station.clock.text(now)
        start = {"connectorId": 1, "idTag": tag, "meterStart": start_wh, "timestamp": stamp}
        self._keep("StartTransaction", start, session, now)
        self.keep_data("StopTxnSampledData", "Transaction.Begin", now)
        station.began(profile, now)

    def end(self, reason: str, now: datetime, stop_wh: int | None = None, *, is_spent: bool = False) -> None:
        """End the transaction that runs; a stay that is spent gets no other without a new remote start."""
        session, station = self.running, self._station
        if session is None:
            return
        told_wh = station.seen.register_wh if stop_wh is None else stop_wh
        session.stop_wh = session.last_wh = max(told_wh, session.last_wh, session.start_wh)
        session.ended_at, session.reason = station.clock.at(now), reason
        self.keep_data("StopTxnSampledData", "Transaction.End", now)
        stop: Payload = {"meterStop": session.stop_wh, "timestamp": station.clock.text(now), "reason": reason}
        if data := self._data.taken(session.number):
            stop["transactionData"] = data
        self._memory.put(COUNTED, str(session.stop_wh))
        if is_spent:
            self._memory.put(SPENT, str(session.plug))
            self._decided = session.plug
        self.running = None
        station.kept.sessions.save(session)
        self._keep("StopTransaction", stop, session, now)
        station.ended()

    def stop_for(self, transaction_id: object) -> Session | None:
        """Return the running session if it has this id."""
        session = self.running
        is_meant = session is not None and session.transaction_id == str(transaction_id)
        return session if is_meant else None

    def meter(self, now: datetime, *, key: str, context: str) -> None:
        """Queue the meter values of the session that runs (§4.7)."""
        session, station = self.running, self._station
        values = self._values(key, context)
        if session is None or not values:
            return
        sample = {"timestamp": station.clock.text(now), "sampledValue": values}
        self._keep("MeterValues", {"connectorId": 1, "meterValue": [sample]}, session, now)
        station.kept.sessions.save(session)

    def keep_data(self, key: str, context: str, now: datetime) -> None:
        """Keep a sample for the StopTransaction, where that is wished (StopTxnSampledData, StopTxnAlignedData)."""
        session, station = self.running, self._station
        if session is not None and station.keys.text(key):
            self._data.add(session.number, station.clock.text(now), self._values(key, context))

    def _values(self, key: str, context: str) -> list[Payload]:
        """Measure; the register told in a session never falls."""
        state, session = self._station.seen, self.running
        register_wh = state.register_wh
        if session is not None:
            told_wh = register_wh if session.stop_wh is None else session.stop_wh
            session.last_wh = register_wh = max(session.last_wh, told_wh)
        return sampled(state, register_wh, self._station.keys.items(key), context)

    def _keep(self, action: str, payload: Payload, session: Session, now: datetime) -> None:
        at = self._station.clock.at(now)
        self._station.keep(Message(action=action, payload=payload, at=at, is_kept=True, session=session.number))

    # Answers

    def started(self, message: Message, payload: Payload, now: datetime) -> None:
        """Take the transaction's id, and the backend's word on the tag (§4.8)."""
        session = self.running if self.running and self.running.number == message.session else None
        known = session or self._station.kept.sessions.get(message.session)
        given = payload.get("transactionId")
        if known is not None and isinstance(given, int) and not isinstance(given, bool):
            known.transaction_id = str(given)
            self._station.kept.sessions.save(known)
        self.told(str(message.payload["idTag"]), payload)
        if session is None or status_of(payload) == "Accepted" or self._station.equipment.start is Start.FREE:
            return
        if self._station.keys.is_on("StopTransactionOnInvalidId"):
            self.end("DeAuthorized", now, is_spent=True)
        else:
            self._memory.put(BLOCKED, session.number)

    def authorized(self, message: Message, payload: Payload, now: datetime) -> None:
        """Take the answer to Authorize."""
        tag = str(message.payload["idTag"])
        self.told(tag, payload)
        if message.uid not in self._asked:
            return
        grant = self._asked.pop(message.uid)
        is_accepted = "idTagInfo" in payload and status_of(payload) == "Accepted"
        state = self._station.seen
        if grant is not None:
            if is_accepted and self.running is None:
                self._granted(grant, now)
        elif not is_accepted:
            self._decided = state.plug
        elif self.running is None and state.is_plugged and self._station.is_ready:
            self.begin(tag, now, state.register_wh)

    def unanswered(self, message: Message, now: datetime) -> None:
        """Learn that an Authorize got no answer that can be used."""
        if self._asked.pop(message.uid, None) is None:
            self.ask_after = now + self._station.span(ASK_AGAIN_S)

    def closed(self) -> None:
        """Forget what was asked: the line is gone."""
        self._asked.clear()
        self.ask_after = None

    def told(self, tag: str, payload: Payload) -> None:
        """Keep what the backend said of a tag."""
        info = payload.get("idTagInfo")
        if isinstance(info, dict) and self._station.keys.is_on("AuthorizationCacheEnabled"):
            self.tags.learn(tag, info)

    def _authorize(self, tag: str, grant: Grant | None, now: datetime) -> None:
        message = Message(action="Authorize", payload={"idTag": tag}, at=self._station.clock.at(now))
        self._asked[message.uid] = grant
        self._station.say(message)

    def _number(self, key: str, default: int = -1) -> int:
        text = self._memory.get(key)
        return int(text) if text is not None else default


def is_number(text: str) -> bool:
    """Say whether a transaction's id is one of 1.6."""
    return text.removeprefix("-").isdecimal() and text.isascii()


def is_due(at: datetime | None, now: datetime) -> bool:
    """Say whether a moment has come."""
    return at is not None and now >= at


def later(last: datetime, span: timedelta, now: datetime) -> datetime:
    """Return when something that was done last comes again, also where the clock was set back meanwhile."""
    return min(last, now) + span
