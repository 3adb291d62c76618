"""All relayed units of a site: one port for them, who belongs to which backend, and how each stands."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from websockets.asyncio.client import ClientConnection

from app.bridge.corrections import Corrections
from app.bridge.dialling import dial as dial_out
from app.bridge.relay import Relay
from app.bridge.relay_aim import NAMELESS, Aim, HeldOff, aim
from app.bridge.relay_book import InMemory, UnitBook, backend_key
from app.bridge.relay_line import Dial, RelayTimes
from app.bridge.relay_order import RelayOrder
from app.bridge.relay_record import Heard, Recorder
from app.bridge.session import Memory
from app.bridge.target import Target
from app.links import ports
from app.model.backend import redact_url
from app.model.bridge import Knocking, LineState, UnitKind, UnitStatus
from app.model.finding import Finding
from app.model.frame import Handshake, Hello
from app.model.listening import ListenPlan
from app.model.observation import Observation, TlsFailed
from app.model.secret import Secret
from app.ocpp.channel import Bounds, Channel, Receiver, Text, host_of
from app.ocpp.frame import MAX_TEXT
from app.ocpp.handshake import version_of
from app.ocpp.listener import Listener
from app.ocpp.manner import USUAL, Manner
from app.scope import Scope, Trouble

if TYPE_CHECKING:
    from app.trust.wardrobe import Wardrobe

MOST_KNOCKING = 100
"""Unknown units remembered; the one longest unheard goes."""
DIAL_S = 15.0
"""How long a dial may take [OURS]; units give up a request after 30 s and more."""
PING_S = 60.0
"""Rhythm of pings to the backend, as our endpoint's towards units (failures 11)."""
_POLICY = 1008


class Place:
    """One unit of the site: its order, what is known of it, and its connection."""

    def __init__(self, order: RelayOrder, memory: Memory, now: Callable[[], datetime]) -> None:
        self.order = order
        self.next: RelayOrder | None = None
        """Where it is to move once nothing runs at the present backend."""
        self.leaves = ""
        """``soon`` or ``idle``: it is to be let go to dial its backend by itself, at once or without a transaction."""
        self.has_left = False
        self.book = UnitBook(memory)
        self.corrections = Corrections(now)
        self.relay: Relay | None = None
        self.trouble = ""
        self.twin = ""
        """Says that two chargers seem to have this identity."""
        self.since = now()
        self.manner = Manner(subprotocol=order.target.subprotocol)

    @property
    def stray(self) -> str:
        """Say which transaction the present backend does not know: the plan was changed while the bridge was off."""
        book, target = self.book, self.order.target
        if not book.running or book.accepted_by in ("", backend_key(target)):
            return ""
        return f"transaction {', '.join(book.running)} was begun at {redact_url(book.accepted_by.partition(' ')[0])}"

    @property
    def awaits(self) -> str:
        """Say what a hand-over waits for, or what became of it."""
        runs = ", ".join(self.book.running)
        if self.next is not None and runs:
            return f"transaction {runs} to end; then it moves to {self.next.backend or self.next.target.url}"
        if self.next is not None:
            return f"a quiet moment; then it moves to {self.next.backend or self.next.target.url}"
        if self.leaves == "idle" and runs:
            return f"transaction {runs} to end; then the charger is let go"
        if self.leaves:
            return "a quiet moment; then the charger is let go"
        if self.has_left and self.relay is not None:
            return "the charger to dial its backend by itself; it came back to the bridge"
        return "the charger to dial its backend by itself; it has left the bridge" if self.has_left else ""


class RelayDesk:
    """Takes OCPP units in and relays them. Use ``open`` and ``close``; ``adopt`` may be called at any time."""

    def __init__(
        self,
        *,
        dial: Dial | None = None,
        memory: Callable[[str], Memory] | None = None,
        heard: Heard | None = None,
        next_seq: Callable[[], int] | None = None,
        wardrobe: Callable[[], Wardrobe] | None = None,
        times: RelayTimes | None = None,
        bounds: Bounds | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        report: Callable[[Trouble], None] | None = None,
    ) -> None:
        self.dial: Dial = dial if dial is not None else _dial
        self.times = times or RelayTimes()
        self.scope = Scope("relays", report=report)
        self.now = now
        self._heard = heard
        self._next_seq = next_seq or itertools.count(1).__next__
        self._wardrobe = wardrobe
        self._bounds = bounds or Bounds()
        self._memory = memory or (lambda _: InMemory())
        self._places: dict[str, Place] = {}
        self._owners: dict[Relay, Place] = {}
        self._manners: dict[str, Manner] = {}
        self._knocking: dict[str, Knocking] = {}
        self._listener: Listener | None = None

    # Life -----------------------------------------------------------------------------------------------------------

    async def open(self, host: str, port: int) -> None:
        """Listen for units. Raises PortInUse or ServerError."""
        plan = ListenPlan(host=host, port=port, tls=self._wardrobe is not None, keeps_login=True)
        listener = Listener(self, self._bounds, plan, wardrobe=self._wardrobe)
        try:
            await listener.open(host, port)
        except (OSError, OverflowError, ValueError) as error:
            raise await ports.explain(error, host, port) from error
        self._listener = listener

    async def close(self) -> None:
        """Take nothing more, wait a moment for open answers, and send all units away (1001): they dial again."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop_accepting()
            for relay in self.relays:
                relay.stop_taking()
            await self._settled()
            await listener.close("the bridge stops")
        await self.scope.close()

    @property
    def port(self) -> int:
        """Return the open port, 0 while there is none."""
        return self._listener.port if self._listener is not None else 0

    def adopt(self, orders: Sequence[RelayOrder]) -> None:
        """Relay these units from now on. A unit with a transaction stays at its backend until that has ended."""
        wanted = {order.unit_identity: order for order in orders}
        for identity, place in list(self._places.items()):
            if identity not in wanted:
                del self._places[identity]
                if place.relay is not None:
                    place.relay.send_away(_POLICY, "not relayed any more")
        for identity, order in wanted.items():
            known = self._places.get(identity)
            if known is None:
                self._places[identity] = Place(order, self._memory(identity), self.now)
            elif known.order != order:
                known.next = order
                self._move_on(known)
            self._knocking.pop(identity, None)
        named = [(name, place.manner) for name, place in self._places.items()]
        self._manners = {**dict(named), **{NAMELESS + name: manner for name, manner in named}}

    def hand_over(self, unit_identity: str, *, waits: bool = False) -> None:
        """Let a unit go that was told to dial its backend by itself; ``waits``: not while a transaction runs.

        A running transaction goes on there: its number is the backend's own. Raises KeyError.
        """
        place = self._places[unit_identity]
        place.leaves = "idle" if waits else "soon"
        place.has_left = False
        self._move_on(place)

    # How things stand -----------------------------------------------------------------------------------------------

    @property
    def statuses(self) -> tuple[UnitStatus, ...]:
        """Return how each unit stands."""
        return tuple(self._status(place) for place in self._places.values())

    @property
    def knocking(self) -> tuple[Knocking, ...]:
        """Return who came and was held off, the latest last."""
        return tuple(self._knocking.values())

    @property
    def relays(self) -> tuple[Relay, ...]:
        """Return the connections there are."""
        return tuple(place.relay for place in self._places.values() if place.relay is not None)

    def _status(self, place: Place) -> UnitStatus:
        relay, order = place.relay, place.order
        return UnitStatus(
            identity=order.target.identity,
            kind=UnitKind.RELAY,
            unit=relay.shake.remote if relay else order.unit_identity,
            backend=redact_url(order.target.url),
            version=version_of(order.target.subprotocol),
            security_profile=int(order.target.security_profile),
            line=relay.line if relay else LineState.OFF,
            line_since=relay.line_since if relay else place.since,
            trouble=(relay.trouble if relay else "") or place.trouble or place.stray or place.twin,
            state=place.book.shown_state,
            is_present=relay is not None,
            power_w=sum(place.book.powers_w.values()) if relay else 0.0,
            queued=relay.held if relay else 0,
            delivered=place.book.delivered,
            session=place.book.session,
            corrections=place.corrections.done,
            is_watch_only=order.watches_only,
            awaits=place.awaits,
        )

    # For the listener: a Keeper -------------------------------------------------------------------------------------

    def expected(self, identity: str) -> Secret | None:
        """Return nothing: passwords are judged against the plan once the unit is known."""
        del identity
        return None

    @property
    def manners(self) -> Mapping[str, Manner]:
        """Return how known units are treated."""
        return self._manners

    def manner(self, identity: str) -> Manner:
        """Return how a unit is treated that was let in."""
        return self._manners.get(identity, USUAL)

    def admit(self, handshake: Handshake, channel: Channel) -> Receiver:
        """Take a unit in, or hold it off with a reason."""
        place = self._place_of(handshake)
        if place is None:
            return self._hold_off(handshake, channel, "no unit of this name is planned here")
        found = aim(place.order, handshake, channel.login)
        if isinstance(found, HeldOff):
            place.trouble = f"held off: {found.reason}"
            return self._hold_off(handshake, channel, found.reason)
        return self._take_in(place, found, handshake, channel)

    def knocked(
        self,
        verdict: str,
        text: str,
        remote: str,
        first: bytes,
        identity: str,
        *,
        local: str,
        hello: Hello | None,
        findings: tuple[Finding, ...] = (),
    ) -> None:
        """Learn what became of a peer; who never became a WebSocket is shown as knocking."""
        del first, local, hello, findings
        if verdict not in ("accepted", "http", "empty"):
            self._knocks(identity or host_of(remote), remote, text)

    def observed(self, observation: Observation) -> tuple[Finding, ...]:
        """Have nothing judged here."""
        del observation
        return ()

    def tls_failed(self, failed: TlsFailed) -> tuple[Finding, ...]:
        """Have nothing judged here; ``knocked`` follows with the words."""
        del failed
        return ()

    # For relays: a Host ---------------------------------------------------------------------------------------------

    def left(self, relay: Relay) -> None:
        """Forget a connection, unless a newer one took its place."""
        place = self._owners.pop(relay, None)
        if place is not None and place.relay is relay:
            place.relay, place.since = None, self.now()
            place.trouble = relay.trouble
            self._move_on(place)

    def quiet(self, relay: Relay) -> None:
        """Do what waited for a quiet moment."""
        place = self._owners.get(relay)
        if place is not None and place.relay is relay:
            self._move_on(place)

    # Inside ---------------------------------------------------------------------------------------------------------

    def _place_of(self, shake: Handshake) -> Place | None:
        """Find a unit by its path, else by its user name, else by its address."""
        places = self._places
        return places.get(shake.identity) or places.get(shake.user or "") or places.get(host_of(shake.remote))

    def _take_in(self, place: Place, found: Aim, shake: Handshake, channel: Channel) -> Receiver:
        older = place.relay
        place.twin = _twin(older.shake if older is not None else None, shake)
        recorder = Recorder(place.order.target.identity, self._heard, self.now, self._next_seq)
        recorder.learn(place.order.target.secret, place.order.unit_secret, found.target.secret)
        place.trouble = ""
        after = older.replaced() if older is not None else None
        relay = Relay(place.order, found, shake, channel, place.book, place.corrections, recorder, self, after=after)
        place.relay = relay
        self._owners[relay] = place
        return relay

    def _hold_off(self, shake: Handshake, channel: Channel, reason: str) -> Receiver:
        name = host_of(shake.remote) if shake.identity.startswith(NAMELESS) else shake.identity
        self._knocks(name, shake.remote, reason)
        channel.close(_POLICY, reason)
        return _Nobody()

    def _knocks(self, name: str, remote: str, reason: str) -> None:
        known = self._knocking.pop(name, None)
        count = known.count + 1 if known is not None else 1
        self._knocking[name] = Knocking(name=name, remote=remote, reason=reason[:300], at=self.now(), count=count)
        if len(self._knocking) > MOST_KNOCKING:
            del self._knocking[next(iter(self._knocking))]

    def _move_on(self, place: Place) -> None:
        """Move a unit to its next backend, or let it go, if nothing stands against it."""
        relay = place.relay
        if relay is not None and not relay.is_quiet:
            return
        if place.next is not None and not place.book.running:
            order, place.next = place.next, None
            self._move(place, order)
        elif place.leaves and (place.leaves == "soon" or not place.book.running):
            place.leaves, place.has_left = "", True
            if relay is not None:
                relay.send_away(1001, "dial the backend directly")

    def _move(self, place: Place, order: RelayOrder) -> None:
        place.order = order
        place.manner.subprotocol = order.target.subprotocol
        place.corrections.forget()
        relay = place.relay
        if relay is None:
            return
        found = aim(order, relay.shake, relay.channel.login)
        if isinstance(found, HeldOff):
            place.trouble = f"held off: {found.reason}"
            relay.send_away(_POLICY, found.reason)
        else:
            relay.move(order, found)

    async def _settled(self) -> None:
        """Wait a moment for answers that are under way."""
        until_s = asyncio.get_running_loop().time() + self.times.closing_s
        while any(relay.talk.is_owed or relay.held for relay in self.relays):
            if asyncio.get_running_loop().time() >= until_s:
                return
            await asyncio.sleep(0.02)


def _twin(older: Handshake | None, newer: Handshake) -> str:
    """Say that two dial as one (failures 27): somebody came from elsewhere while the other was there."""
    if older is None or host_of(older.remote) == host_of(newer.remote):
        return ""
    return f"it dialled from {host_of(newer.remote)} while it was connected from {host_of(older.remote)}"


async def _dial(target: Target) -> ClientConnection:
    return await dial_out(target, limit_s=DIAL_S, max_bytes=MAX_TEXT, ping_s=PING_S)


class _Nobody:
    """Receives what nobody listens to."""

    def received(self, texts: list[Text]) -> None:
        """Ignore it."""

    def closed(self, code: int, reason: str) -> None:
        """Ignore it."""
