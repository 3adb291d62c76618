"""Who may charge at a bridged OCPP 2.0.1 station, which has no reader (part 2, functional blocks C and F)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from app.bridge.message import Message, Payload
from app.bridge.outlet import OutletState
from app.bridge.session import Memory, Session
from app.bridge.station import Start

if TYPE_CHECKING:
    from app.bridge.station201 import Station201

ASK_AGAIN_S = 60.0
"""Pause before the unit's own tag is asked for again after an Authorize that got no answer [OURS]."""
KEPT_STAY = "201.stay"
UNASKED = frozenset({"Central", "NoAuthorization"})
"""Tokens nobody is asked about (C02, C05)."""
_CARD = re.compile(r"([0-9A-Fa-f]{8}|[0-9A-Fa-f]{14}|[0-9A-Fa-f]{20})\Z")
"""UIDs of ISO 14443 have 4, 7 or 10 bytes (ISO/IEC 14443-3)."""


@dataclass(frozen=True, slots=True)
class IdToken:
    """A card, an app's code, the unit's own tag: IdTokenType without additional info."""

    value: str
    kind: str

    @classmethod
    def of(cls, told: Payload) -> IdToken:
        """Read an IdTokenType."""
        return cls(str(told["idToken"]), str(told["type"]))

    @classmethod
    def own(cls, tag: str) -> IdToken:
        """Return a unit's own tag; a backend knows what looks like a card's number as a card's."""
        if not tag:
            return cls("", "NoAuthorization")
        return cls(tag[:36], "ISO14443" if _CARD.match(tag) else "Local")

    @property
    def json(self) -> Payload:
        """Return the IdTokenType."""
        return {"idToken": self.value, "type": self.kind}


@dataclass(frozen=True, slots=True)
class Permit:
    """Somebody who may charge, or is being asked about. ``profile``: the TxProfile that came with a remote start."""

    token: IdToken
    remote_start_id: int | None = None
    profile: Payload | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """The last stay of a car in which a transaction ended. ``is_spent``: it begins none by itself any more."""

    plug: int
    stop_wh: int
    is_spent: bool

    @classmethod
    def kept(cls, memory: Memory) -> Stay | None:
        """Read it, ``None`` where there was none."""
        try:
            plug, stop_wh, is_spent = json.loads(memory.get(KEPT_STAY) or "null")
            return cls(int(plug), int(stop_wh), bool(is_spent))
        except (ValueError, TypeError):
            return None

    def keep(self, memory: Memory) -> None:
        """Write it."""
        memory.put(KEPT_STAY, json.dumps([self.plug, self.stop_wh, self.is_spent]))


class Admission:
    """Lets cars in by the start rule, or by an order of the backend."""

    def __init__(self, station: Station201) -> None:
        self._station = station
        self.awaited: Permit | None = None
        self._awaited_until = station.started_at
        self._asked: tuple[str, Permit] | None = None
        self._ask_at = station.started_at
        self._stay = Stay.kept(station.kept.memory)

    @property
    def is_busy(self) -> bool:
        """Say whether somebody has been let in whose car is still to come, or is asked about."""
        return self.awaited is not None or self._asked is not None

    def is_spent(self, state: OutletState) -> bool:
        """Say whether the car that is there has had its transaction, and needs an order for another."""
        return self._stay is not None and self._stay.is_spent and self._stay.plug == state.plug and state.is_plugged

    # What happens

    def arrived(self, state: OutletState, now: datetime) -> None:
        """Begin what a car without a transaction makes begin."""
        if not state.is_plugged:
            self._catch_up(state, now)
        elif state.fault or not self._station.is_operative:
            return
        elif self.awaited is not None:
            self._begin(self.awaited, "CablePluggedIn", now)
        elif self.is_spent(state) or self._asked is not None:
            return
        elif self._station.is_free:
            is_known = self._stay is not None and self._stay.plug == state.plug
            self._begin(self._own, "Authorized" if is_known else "CablePluggedIn", now)
        elif self._station.equipment.start is Start.TAG and self._station.is_online and now >= self._ask_at:
            self._ask(self._own, now)

    def ordered(self, permit: Permit, now: datetime) -> None:
        """Take a remote start: at once, or once its token has been asked about (F01, F02)."""
        is_asked = self._station.model.is_on("AuthCtrlr.AuthorizeRemoteStart") and permit.token.kind not in UNASKED
        if is_asked:
            self._ask(permit, now)
        else:
            self._admit(permit, "RemoteStart", now)

    def answered(self, message: Message, answer: Payload, now: datetime) -> None:
        """Take the answer to an Authorize."""
        permit = self._settled(message)
        if permit is None:
            return
        info = answer.get("idTokenInfo")
        if isinstance(info, dict) and info.get("status") == "Accepted":
            self._admit(permit, "RemoteStart" if permit.remote_start_id is not None else "Authorized", now)
        elif permit.remote_start_id is None:
            state = self._station.outlet.state
            self._keep(Stay(state.plug, state.register_wh, is_spent=True))

    def refused(self, message: Message, now: datetime) -> None:
        """Learn that an Authorize got no answer."""
        if self._settled(message) is not None:
            self._ask_at = now + timedelta(seconds=ASK_AGAIN_S)

    def is_wanted(self, message: Message) -> bool:
        """Say whether the answer to an Authorize still matters."""
        return self._asked is not None and self._asked[0] == message.uid

    def closed(self) -> None:
        """Forget what was asked: the line is gone."""
        self._asked = None

    def ended(self, session: Session) -> None:
        """Note the end of a transaction; after a reset the same car begins another by the start rule."""
        is_spent = session.reason != "ImmediateReset"
        self._keep(Stay(session.plug, session.stop_wh or session.last_wh, is_spent))

    def forget(self) -> None:
        """Let nobody in who was let in before: a restart."""
        self.awaited = self._asked = None

    def due(self, now: datetime) -> datetime | None:
        """Give up on a car that does not come (E03, EVConnectionTimeOut); returns when that is due."""
        if self.awaited is None:
            waits = self._ask_at > now and self._station.equipment.start is Start.TAG
            return self._ask_at if waits else None
        if self._awaited_until <= now:
            self.awaited = None
            return None
        return self._awaited_until

    # Inside

    @property
    def _own(self) -> Permit:
        return Permit(IdToken.own(self._station.equipment.id_tag))

    def _ask(self, permit: Permit, now: datetime) -> None:
        message = Message(action="Authorize", payload={"idToken": permit.token.json}, at=now)
        self._asked = message.uid, permit
        self._station.say(message)

    def _settled(self, message: Message) -> Permit | None:
        if self._asked is None or self._asked[0] != message.uid:
            return None
        permit, self._asked = self._asked[1], None
        return permit

    def _admit(self, permit: Permit, trigger: str, now: datetime) -> None:
        state = self._station.outlet.state
        if self._station.tx.session is not None or not self._station.is_operative:
            return
        if state.is_plugged and not state.fault:
            self._begin(permit, trigger, now)
        elif permit.remote_start_id is not None:
            self.awaited = permit
            wait_s = self._station.model.seconds("TxCtrlr.EVConnectionTimeOut")
            self._awaited_until = now + timedelta(seconds=wait_s)

    def _begin(self, permit: Permit, trigger: str, now: datetime) -> None:
        state, self.awaited = self._station.outlet.state, None
        start_wh = state.register_wh
        if self._station.is_free:
            is_same = self._stay is not None and self._stay.plug == state.plug
            start_wh = self._stay.stop_wh if is_same and self._stay is not None else state.plug_began_wh
        self._station.tx.begin(permit, trigger, now, start_wh=start_wh)
        if permit.profile is not None:
            self._station.charging.attach(permit.profile, now)
        self._station.steer(now)

    def _catch_up(self, state: OutletState, now: datetime) -> None:
        """Tell a stay that came and went unseen, where everybody may charge: its energy is known."""
        if self._stay is None:
            self._keep(Stay(state.plug, state.register_wh, is_spent=True))
        elif self._station.is_free and state.plug > self._stay.plug and state.register_wh > state.plug_began_wh:
            self._begin(self._own, "CablePluggedIn", now)
            self._station.tx.end(now, "EVCommunicationLost", "EVDisconnected")

    def _keep(self, stay: Stay) -> None:
        self._stay = stay
        stay.keep(self._station.kept.memory)
