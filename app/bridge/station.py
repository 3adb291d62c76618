"""What every bridged charge point is, whatever OCPP version it speaks. Pure: time comes in, messages go out.

States of the line, as a station sees them::

    offline ──opened──► booting ──boot accepted──► accepted ──closed──► offline
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import ClassVar

from app.bridge.message import Message, Outbox, Payload
from app.bridge.outlet import Outlet, OutletState
from app.bridge.session import Memory, Sessions
from app.bridge.untold import Untold
from app.model.secret import Secret


class Start(Enum):
    """Who lets a car charge at a unit that has no reader of its own."""

    REMOTE = "remote"
    """The backend, by RemoteStart; until then nothing flows."""
    TAG = "tag"
    """The unit's own tag, which the backend is asked about when a car comes (Authorize)."""
    FREE = "free"
    """Everybody: current flows also while the backend is silent or says no; sessions are told under the unit's tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """Who a charge point says it is, and how it starts sessions."""

    identity: str
    vendor: str
    model: str
    serial: str
    firmware: str
    start: Start = Start.REMOTE
    id_tag: str = ""
    phases: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where a station keeps what must outlive a restart."""

    outbox: Outbox
    sessions: Sessions
    memory: Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a CALL of the backend gets: a payload, or an error. ``after`` is done once it has gone out."""

    payload: Payload | None = None
    error: str = ""
    """An error code of OCPP-J §4.2.3; empty = ``payload`` counts."""
    text: str = ""
    after: Callable[[], None] | None = None


class Station(ABC):
    """One charge point towards a backend. All times are aware UTC; nothing here waits.

    ``say`` is given by whoever owns the line: it takes a message that is not kept (the line drops those it can't send;
    kept ones go into ``kept.outbox`` by ``self.keep``, and the line sends them in order). ``restart`` is asked for by
    a Reset: the line closes, and boots anew.
    """

    version: ClassVar[str]
    subprotocol: ClassVar[str]

    def __init__(self, equipment: Equipment, outlet: Outlet, kept: Kept, *, now: datetime) -> None:
        self.equipment = equipment
        self.outlet = outlet
        self.kept = kept
        self.untold = Untold(kept.memory)
        self.started_at = now
        self.say: Callable[[Message], None] = _nobody
        self.woken: Callable[[], None] = _nothing
        """Called after ``keep``: there is something to send."""
        self.restart: Callable[[str], None] = _nobody_restarts
        """``restart(reason)``: hang up and boot anew."""
        self.rekey: Callable[[Secret], Callable[[], None] | None] = _keeps_key
        """``rekey(password)``: take a new Basic password; returns what to do once the answer is out, or ``None``."""

    def keep(self, message: Message) -> None:
        """Queue a message of a transaction."""
        self.kept.outbox.put(message)
        self.woken()

    # The line

    @abstractmethod
    def opened(self, now: datetime) -> None:
        """Learn that the WebSocket stands. The line then sends ``boot`` unless the station was accepted before."""

    @abstractmethod
    def closed(self, now: datetime) -> None:
        """Learn that the line is gone; what was said and not answered is forgotten, what was kept stays queued."""

    @abstractmethod
    def boot(self, now: datetime) -> Payload:
        """Return the BootNotification."""

    @abstractmethod
    def boot_answered(self, payload: Payload, now: datetime) -> float | None:
        """Take the answer to Boot; return after how many seconds to boot again, ``None`` = accepted."""

    @abstractmethod
    def asked(self, action: str, payload: Payload, now: datetime) -> Answer:
        """Answer a CALL of the backend; never raises on what a backend may send."""

    @abstractmethod
    def rendered(self, message: Message) -> Payload | None:
        """Return what is really sent for a message (with the transaction's id); ``None`` = it has become pointless."""

    @abstractmethod
    def answered(self, message: Message, payload: Payload, now: datetime) -> None:
        """Take the backend's answer to a message."""

    @abstractmethod
    def refused(self, message: Message, code: str, now: datetime) -> bool:
        """Learn that a message got a CALLERROR (or no answer: ``code`` is empty); return whether to send it again."""

    # The unit and time

    @abstractmethod
    def noted(self, state: OutletState, now: datetime) -> None:
        """Learn what the hardware does; sessions begin and end here."""

    @abstractmethod
    def due(self, now: datetime) -> datetime:
        """Do what is due (heartbeat, meter values, limits of a schedule, time-outs); return when to be called next."""

    @property
    @abstractmethod
    def is_accepted(self) -> bool:
        """Say whether the backend has accepted it."""

    @property
    @abstractmethod
    def state(self) -> str:
        """Return the connector's state in the words of OCPP 1.6 §7.7."""

    @property
    @abstractmethod
    def ping_s(self) -> float:
        """Return WebSocketPingInterval; 0 = none."""

    @property
    @abstractmethod
    def call_limit_s(self) -> float:
        """Return how long an answer may take."""

    @property
    @abstractmethod
    def retry_s(self) -> float:
        """Return the pause before a kept message is sent again, times the attempts so far."""


def _nobody(_message: Message) -> None:
    return


def _nothing() -> None:
    return


def _keeps_key(_password: Secret) -> None:
    return


def _nobody_restarts(_reason: str) -> None:
    return
