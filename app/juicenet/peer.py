"""What JuiceBoxes take for their server: the UDP sockets, on one chosen adapter."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from app.errors import PortInUse, ServerError
from app.feed import Feed
from app.juicenet.book import BoxBook, Heard
from app.juicenet.message import SIZE_LIMIT
from app.links import ports as opening
from app.model.juicebox import Adoption, BoxReport, BoxState, PeerState, PortTrouble

PORTS = (8042, 8043, 8047, 8051, 8055, 9004)
"""Where boxes were seen to send to (chargers-commercial 1.5)."""
TURN = 64
"""Datagrams taken from a socket before others get their turn."""
BUFFER = 1 << 20
"""Bytes asked of the system for what waits, of each socket: a site that starts at once."""
BATCH_S = 0.2
"""How often changed states are published, together."""
LOOK_S = 1.0
"""How often the book is asked what time has changed."""


def _now() -> datetime:
    return datetime.now(UTC)


class JuicePeer:
    """Listens for boxes and answers those that were adopted. Use as ``async with``, or ``start`` and ``stop``.

    ``host`` is the address of the one adapter it binds to. ``changed`` is called for every state just before it is
    published.

    States::

        new ──start──► listening ──stop──► stopped ──start──► …
    """

    def __init__(
        self,
        host: str,
        ports: Sequence[int] = PORTS,
        *,
        book: BoxBook | None = None,
        clock: Callable[[], datetime] = _now,
        changed: Callable[[BoxState], None] = lambda _state: None,
    ) -> None:
        self.host = host
        self.book = book if book is not None else BoxBook()
        self.reports: Feed[BoxReport] = Feed()
        """Every report that was believed."""
        self.states: Feed[BoxState] = Feed()
        """How a box stands, whenever that changed, at most every ``BATCH_S``."""
        self._ports = tuple(ports)
        self._clock = clock
        self._changed = changed
        self._sockets: list[socket.socket] = []
        self._troubles: tuple[PortTrouble, ...] = ()
        self._dirty: dict[str, None] = {}
        self._fresh: list[BoxReport] = []
        self._timer: asyncio.TimerHandle | None = None
        self._looked_s = 0.0
        self._received = 0
        self._answered = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def state(self) -> PeerState:
        """Return how it stands."""
        return PeerState(
            is_listening=bool(self._sockets),
            host=self.host,
            ports=tuple(item.getsockname()[1] for item in self._sockets),
            troubles=self._troubles,
            received=self._received,
            answered=self._answered,
            dropped=self.book.dropped,
            nonsense=self.book.nonsense,
        )

    @property
    def boxes(self) -> dict[str, BoxState]:
        """Return how all boxes heard stand, by serial."""
        return self.book.boxes

    # Coming and going

    async def start(self) -> PeerState:
        """Listen on every port that is free; the others are told in ``state.troubles``. Idempotent.

        Raises PortInUse or ServerError, with advice, where none could be opened.
        """
        if self._sockets:
            return self.state
        opened, refused = self._open()
        try:
            problems = [await _explained(error, self.host, port) for port, error in refused]
        except BaseException:
            _close(opened)
            raise
        self._troubles = tuple(_trouble(port, item) for (port, _), item in zip(refused, problems, strict=True))
        if not opened and problems:
            raise problems[0]
        loop = asyncio.get_running_loop()
        for item in opened:
            loop.add_reader(item.fileno(), self._readable, item)
        self._sockets = opened
        self._timer = loop.call_later(BATCH_S, self._tick)
        return self.state

    def _open(self) -> tuple[list[socket.socket], list[tuple[int, Exception]]]:
        opened: list[socket.socket] = []
        refused: list[tuple[int, Exception]] = []
        for port in self._ports:
            try:
                opened.append(_bound(self.host, port))
            except (OSError, OverflowError, ValueError) as error:
                refused.append((port, error))
        return opened, refused

    async def stop(self) -> None:
        """Free the ports. What the boxes may draw stays as they were told last. Idempotent."""
        loop = asyncio.get_running_loop()
        for item in self._sockets:
            loop.remove_reader(item.fileno())
        _close(self._sockets)
        self._sockets = []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            # whoever follows a box learns that nothing more comes
            self._dirty.update(dict.fromkeys(self.book.boxes))
        self._publish()

    # What people say

    def adopt(self, adoption: Adoption, *, is_kept: bool = False) -> None:
        """Take a person's word on a box (``BoxBook.adopt``). Raises ValueRejected."""
        self.book.adopt(adoption, is_kept=is_kept)
        self._told(adoption.box_id)

    def withdraw(self, box_id: str) -> None:
        """Send that box nothing more."""
        self.book.withdraw(box_id)
        self._told(box_id)

    def allow(self, box_id: str, amps: float) -> BoxState | None:
        """Allow a box a current, in A (``BoxBook.allow``). Raises ValueRejected for one nobody adopted."""
        self.book.allow(box_id, amps, self._clock())
        self._told(box_id)
        return self.book.state(box_id)

    def pause(self, box_id: str) -> BoxState | None:
        """Let a box charge nothing from its next report on. Raises ValueRejected for one nobody adopted."""
        return self.allow(box_id, 0)

    def _told(self, box_id: str) -> None:
        self._dirty[box_id] = None
        self._publish()

    # What boxes say

    def _readable(self, item: socket.socket) -> None:
        now = self._clock()
        for _ in range(TURN):
            try:
                # one more than the limit: what is longer is seen to be
                data, source = item.recvfrom(SIZE_LIMIT + 1)
            except BlockingIOError:
                break
            except OSError:  # Windows tells here that nobody took an answer (WSAECONNRESET)
                continue
            self._received += 1
            heard = self.book.received(data, (source[0], source[1]), now)
            if heard.events:
                self._act(item, source, heard)
        if self._fresh:
            fresh, self._fresh = self._fresh, []
            self.reports.publish_all(fresh)

    def _act(self, item: socket.socket, source: tuple[str, int], heard: Heard) -> None:
        if heard.reply is not None:
            with contextlib.suppress(OSError):  # a full queue: the next report is answered
                item.sendto(heard.reply, source)
                self._answered += 1
        if heard.report is not None:
            self._fresh.append(heard.report)
        if heard.state is not None:
            self._dirty[heard.state.box_id] = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - self._looked_s >= LOOK_S:
            self._looked_s = loop.time()
            self._dirty.update(dict.fromkeys(state.box_id for state in self.book.due(self._clock())))
        self._publish()
        self._timer = loop.call_later(BATCH_S, self._tick)

    def _publish(self) -> None:
        dirty, self._dirty = self._dirty, {}
        states = [state for box_id in dirty if (state := self.book.state(box_id)) is not None]
        for state in states:
            self._changed(state)
        if states:
            self.states.publish_all(states)


def _bound(host: str, port: int) -> socket.socket:
    item = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        item.setblocking(False)
        with contextlib.suppress(OSError):
            item.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        item.bind((host, port))
    except BaseException:
        item.close()
        raise
    return item


def _close(items: Sequence[socket.socket]) -> None:
    for item in items:
        item.close()


async def _explained(error: Exception, host: str, port: int) -> ServerError:
    problem = await opening.explain(error, host, port, is_udp=True)
    if not isinstance(problem, PortInUse):
        return problem
    advice = "Stop that program: a box can't choose another port. Boxes that send to other ports are served."
    return PortInUse(problem.message, advice, port=port, owner=problem.owner)


def _trouble(port: int, problem: ServerError) -> PortTrouble:
    return PortTrouble(port=port, message=problem.message, advice=problem.advice)
