"""Our OCPP central system: all connections, by identity. Listens where it is told, hides nothing it hears."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING

from app.errors import PortInUse, ServerError, TimedOut
from app.feed import Feed
from app.links import ports
from app.model.finding import Finding
from app.model.frame import Frame, Handshake, Hello, Knock, ListenState, OldHost
from app.model.listening import ListenPlan
from app.model.observation import Ended, Judge, Observation, Replaced, SelfTested, TlsFailed, no_opinion
from app.model.reading import Sampled
from app.model.secret import Secret
from app.model.unit import Sighting
from app.ocpp import schema, selftest
from app.ocpp.channel import host_of
from app.ocpp.endpoint import Endpoint
from app.ocpp.host import Answerer, Authoriser, Replier, Times, accept_all
from app.ocpp.knocks import KnockList
from app.ocpp.listener import Bounds, Channel, Listener, Receiver
from app.ocpp.manner import Manner
from app.ocpp.moreports import MorePorts
from app.ocpp.oldnames import NoNames, OldNames
from app.ocpp.past import Past
from app.ocpp.shelf import Shelf
from app.ocpp.sightings import on_boot, on_dial, on_hang_up
from app.ocpp.visitor import Visitor
from app.scope import Scope, Trouble

if TYPE_CHECKING:
    from app.trust.wardrobe import Wardrobe

log = logging.getLogger(__name__)

WARM_UP = tuple(
    (version, action)
    for version in ("1.6", "2.0.1")
    for action in ("BootNotification", "StatusNotification", "MeterValues", "Heartbeat")
)


class OcppServer:
    """All OCPP connections. Use as ``async with``; leaving closes everything within 2 s.

    States::

        entered ──start──► listening ◄──move──┐
           ▲                  │ └─────────────┘
           └───────stop───────┘
    """

    old_names: OldNames = NoNames()
    """Who knows which names are former backends', and which our own name server answers."""

    def __init__(
        self,
        *,
        frames: Feed[Frame],
        samples: Feed[Sampled],
        sighted: Callable[[Sighting], None],
        expected: Callable[[str], Secret | None] = lambda _: None,
        first_seq: int = 1,
        findings: Feed[Finding] | None = None,
        judge: Judge = no_opinion,
        times: Times | None = None,
        bounds: Bounds | None = None,
        report: Callable[[Trouble], None] | None = None,
        plan: ListenPlan | None = None,
        wardrobe: Callable[[], Wardrobe] | None = None,
    ) -> None:
        self.frames = frames
        self.samples = samples
        self.findings: Feed[Finding] = findings if findings is not None else Feed()
        self.states: Feed[ListenState] = Feed()
        self.knocks: Feed[Knock] = Feed()
        self.arrivals: Feed[Endpoint] = Feed()
        self.judge = judge
        self.times = times or Times()
        self.answerers: dict[str, Answerer] = {}
        """Answer an action in their own time."""
        self.repliers: dict[str, Replier] = {}
        """Answer an action at once, where they want to."""
        self.authorise: Authoriser = accept_all
        self.endings: Feed[Ended] = Feed()
        self.refusals: Feed[TlsFailed] = Feed()
        """TLS handshakes that came to nothing."""
        self.expected = expected
        self.scope = Scope("ocpp", report=report)
        self._more = MorePorts(self.visitor)
        self._sighted = sighted
        self.personality_for: dict[str, str] = {}
        """Address (without port) → TLS personality that its next connections get instead of the plan's."""
        self._plan = plan or ListenPlan(host="", port=0)
        self._wardrobe = wardrobe
        self._bounds = bounds or Bounds()
        self._seq = itertools.count(first_seq)
        self._connections = itertools.count(1)
        self._endpoints: dict[str, Endpoint] = {}
        self._ending: set[Endpoint] = set()
        self._shelf = Shelf(lambda: self.authorise, self._endpoints)
        self._knocks = KnockList()
        self._listener: Listener | None = None
        self._moving = asyncio.Lock()
        self._state = ListenState(is_listening=False, host="", port=0)

    def visitor(self) -> asyncio.Protocol | None:
        """Return what takes in a connection that came to another port of ours, ``None`` while we do not listen."""
        return Visitor(self._listener) if self._listener is not None else None

    # Life ---------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> OcppServer:
        for version, action in WARM_UP:
            schema.validator(version, action, True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        for endpoint in tuple(self._ending):
            await endpoint.finish()
        await self.scope.close()

    @property
    def state(self) -> ListenState:
        """Say where we listen and how many are connected."""
        return self._state

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """Return the open connections by identity."""
        return self._endpoints

    @property
    def knock_list(self) -> Sequence[Knock]:
        """Return what knocked, newest last, at most ``knocks.MAX_KNOCKS``."""
        return tuple(self._knocks)

    def findings_of(self, knock: Knock) -> tuple[Finding, ...]:
        """Return what was found in a knock of the list, and in the TLS handshake before it."""
        return self._knocks.findings_of(knock)

    def endpoint(self, identity: str) -> Endpoint | None:
        """Return the open connection of an identity."""
        return self._endpoints.get(identity)

    async def start(self, host: str, port: int) -> ListenState:
        """Listen on an address; raises PortInUse or ServerError. Already listening elsewhere: moves."""
        return await self.move(host, port)

    async def stop(self) -> None:
        """Stop listening and close all connections (1001, so that units redial). Idempotent."""
        async with self._moving:
            self._more.close()
            listener, self._listener = self._listener, None
            if listener is not None:
                await listener.close("the endpoint stops")
            self._tell(ListenState(is_listening=False, host=self._state.host, port=self._state.port))

    async def move(self, host: str, port: int) -> ListenState:
        """Listen somewhere else: the new port is opened first; on PortInUse the old one stays as it is.

        The same port on another address can't be opened first: there the old listener stops accepting for a moment.
        """
        async with self._moving:
            old = self._listener
            if old is not None and (old.host, old.port) == (host, port):
                return self._state
            new = await self._opened(host, port, old)
            self._listener, self._plan = new, new.plan
            count, has_tls = len(self._endpoints), new.has_tls
            self._tell(ListenState(is_listening=True, host=new.host, port=new.port, connections=count, has_tls=has_tls))
            if old is not None:
                await old.close("the endpoint moves")
            self._count()
            await self._settle_more()
            return self._state

    @property
    def plan(self) -> ListenPlan:
        """Return how the endpoint listens, or will when it is started."""
        return self._plan

    async def adopt(self, plan: ListenPlan) -> ListenState:
        """Listen as planned from now on; connections stay, unless the place changes (empty = as it is).

        Raises ServerError.
        """
        place = (plan.host or self._plan.host, plan.port or self._plan.port)
        if place != (self._plan.host, self._plan.port) and self._listener is not None:
            await self.move(*place)
            place = (self._plan.host, self._plan.port)
        self._plan = plan = replace(plan, host=place[0], port=place[1])
        if self._listener is not None:
            self._listener.plan = plan
            self._tell(replace(self._state, has_tls=self._listener.has_tls))
            await self._settle_more()
        return self._state

    async def self_test(self, address: str = "") -> SelfTested:
        """Dial our own port from a second socket over an adapter's address; the findings are published."""
        tested = await selftest.of(self._listener, address)
        self.observed(tested)
        return tested

    async def arrival(self, identity: str, *, timeout_s: float, after: datetime | None = None) -> Endpoint:
        """Return the open connection of an identity, or wait for one; ``after``: only a connection opened later.

        Raises TimedOut.
        """
        with self.arrivals.subscribe() as arrivals:
            there = self._endpoints.get(identity)
            if there is not None and (after is None or there.opened_at > after):
                return there
            try:
                async with asyncio.timeout(timeout_s):
                    async for endpoint in arrivals:
                        if endpoint.identity == identity:
                            return endpoint
            except TimeoutError:
                pass
        raise TimedOut(
            f"“{identity}” did not dial this endpoint within {timeout_s:.0f} s.",
            "Check the address in the charger, its network, and how long its model takes to redial.",
        )

    def manner(self, identity: str) -> Manner:
        """Return how an identity is treated, to be changed in place; kept across its connections."""
        return self._shelf.manner(identity)

    @property
    def manners(self) -> dict[str, Manner]:
        """Return how identities are treated; what is put in here counts from their next connection on."""
        return self._shelf.manners

    def observed(self, observation: Observation) -> tuple[Finding, ...]:
        """Have anybody's observation judged, publish the findings and return them."""
        found = tuple(self.judge(observation))
        identity = getattr(observation, "identity", "")
        endpoint = self._endpoints.get(identity)
        if endpoint is not None:
            endpoint.find(found)
            return found
        unit_id = getattr(observation, "unit_id", "") or (f"ocpp:{identity}" if identity else "")
        for finding in found:
            self.findings.publish(replace(finding, unit_id=unit_id) if unit_id else finding)
        return found

    # For endpoints and listeners ------------------------------------------------------------------------------------

    def next_seq(self) -> int:
        """Number a frame."""
        return next(self._seq)

    def now(self) -> datetime:
        """Tell the time."""
        return datetime.now(UTC)

    def admit(self, handshake: Handshake, channel: Channel) -> Receiver:
        """Take a WebSocket peer in; it replaces an older connection of its identity (failures 12)."""
        handshake = replace(handshake, at=self.now(), old_host=self._old_host(handshake))
        handshake = replace(handshake, findings=tuple(self.judge(handshake)))
        identity = handshake.identity
        books = self._shelf.opened(identity)
        older = self._endpoints.get(identity)
        endpoint = Endpoint(
            identity=identity,
            connection=next(self._connections),
            handshake=handshake,
            channel=channel,
            host=self,
            ledger=books.ledger,
            habits=books.habits,
            secret=self.expected(identity),
            past=books.past,
        )
        self._endpoints[identity] = endpoint
        endpoint.find(handshake.findings)
        self._tell_of_return(endpoint, older, books.past)
        if older is not None:
            older.replaced()
        self._sighted(on_dial(endpoint))
        self._count()
        self.arrivals.publish(endpoint)
        return endpoint

    def _tell_of_return(self, endpoint: Endpoint, older: Endpoint | None, past: Past) -> None:
        if older is not None:
            silent_s = (endpoint.opened_at - older.last_heard_at).total_seconds()
            remotes = (endpoint.handshake.remote, older.handshake.remote)
            seen = Replaced(
                identity=endpoint.identity, remote=remotes[0], older_remote=remotes[1], silent_s=max(0.0, silent_s)
            )
            endpoint.observe((seen,))
        elif (returned := past.returned(endpoint.identity, endpoint.opened_at)) is not None:
            endpoint.observe((returned,))

    def tls_failed(self, failed: TlsFailed) -> tuple[Finding, ...]:
        """Have a TLS handshake judged that came to nothing."""
        name = failed.hello.server_name if failed.hello is not None else ""
        failed = replace(failed, old_host=self.old_names.recognise(host_of(failed.remote), name, ""))
        self.refusals.publish(failed)
        return self.observed(failed)

    def knocked(
        self,
        verdict: str,
        text: str,
        remote: str,
        first: bytes,
        identity: str,
        *,
        local: str = "",
        hello: Hello | None = None,
        findings: tuple[Finding, ...] = (),
    ) -> None:
        """Enter a peer in the knock list."""
        came = Knock(
            seq=0,
            at=self.now(),
            remote=remote,
            verdict=verdict,
            text=text,
            first_bytes=first,
            identity=identity,
            local=local,
            hello=hello,
        )
        knock = self._knocks.enter(came)
        self.knocks.publish(knock)
        found = tuple(self.judge(knock))
        self._knocks.explain(knock, (*findings, *found))
        for finding in found:
            self.findings.publish(finding)

    def booted(self, endpoint: Endpoint) -> None:
        """Tell discovery who a unit says it is."""
        self._sighted(on_boot(endpoint))

    def ended(self, endpoint: Endpoint, ended: Ended) -> None:
        """Forget a connection, and tell discovery unless a newer one took its place."""
        endpoint.observe((ended,))
        self.endings.publish(ended)
        self._ending.add(endpoint)
        if not self.scope.is_closed:
            self.scope.isolated(f"end {endpoint.connection}", self._finish(endpoint))
        if self._endpoints.get(endpoint.identity) is endpoint:
            del self._endpoints[endpoint.identity]
            self._sighted(on_hang_up(endpoint, self.now()))
            self._count()

    async def _finish(self, endpoint: Endpoint) -> None:
        await endpoint.finish()
        self._ending.discard(endpoint)

    # Inside -------------------------------------------------------------------------------------------------------

    async def _opened(self, host: str, port: int, old: Listener | None) -> Listener:
        wardrobe, chosen = self._wardrobe, self.personality_for
        listener = Listener(self, self._bounds, self._plan, wardrobe=wardrobe, personality_for=chosen)
        shares_port = old is not None and port == old.port
        if old is not None and shares_port:
            old.stop_accepting()
        try:
            await listener.open(host, port)
        except (OSError, OverflowError, ValueError) as error:
            problem = await ports.explain(error, host, port)
            if old is not None and shares_port:
                await old.open(old.host, old.port)
            self._troubled(problem, host, port)
            raise problem from error
        listener.plan = replace(self._plan, host=listener.host, port=listener.port)
        return listener

    async def _settle_more(self) -> None:
        """Open the plan's further ports and close those it does not name any more."""
        wanted = [port for port in self._plan.more_ports if port != self._plan.port]
        await self._more.settle(self._plan.host, wanted)
        if self._state.more != self._more.states:
            self._tell(replace(self._state, more=self._more.states))

    def _old_host(self, shake: Handshake) -> OldHost | None:
        name = shake.tls.hello.server_name if shake.tls is not None else ""
        return self.old_names.recognise(host_of(shake.remote), name, shake.host)

    def _troubled(self, problem: ServerError, host: str, port: int) -> None:
        self._tell(
            replace(
                self._state if self._listener else ListenState(is_listening=False, host=host, port=port),
                trouble=problem.message,
                advice=problem.advice,
                suggestion=problem.suggestion if isinstance(problem, PortInUse) else 0,
            )
        )

    def _count(self) -> None:
        if self._state.connections != len(self._endpoints):
            self._tell(replace(self._state, connections=len(self._endpoints)))

    def _tell(self, state: ListenState) -> None:
        self._state = state
        self.states.publish(state)
