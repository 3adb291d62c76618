"""JuiceNet in the workbench: listens when asked to, keeps adoptions on disk, tells who is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from app.errors import DamagedFile, StoreError, ValueRejected
from app.feed import Feed
from app.juicenet import adoptions
from app.juicenet.adoptions import Kept
from app.juicenet.book import BOXES, BoxBook
from app.juicenet.box import Box
from app.juicenet.message import MOST_A
from app.juicenet.peer import PORTS, JuicePeer
from app.model.address import JuiceAddress
from app.model.juicebox import Adoption, BoxMode, BoxReport, BoxState, PeerState
from app.model.reading import StateChange
from app.model.unit import ClaimKind, Identity, Sighting, SourceKind, claim

FILE = "juiceboxes.json"
VENDOR = "Enel X / JuiceBox"
OLD_CODE = re.compile(r"^JB_(\d)_(\d)$")
"""The software of the first generation writes its board's version so: JB_1_1 is a JB1.1."""
SIGHTED = 600
"""Boxes shown at most that nobody adopted: anybody on the network can invent serial numbers [OURS]."""
HEARD = 2
"""Datagrams after which a box is shown."""


def _now() -> datetime:
    return datetime.now(UTC)


def identity_of(state: BoxState) -> Identity:
    """Return who a box is by what it sent. The model has the code its software tells (``JB201``)."""
    code, _, firmware = state.software.removeprefix("EMWERK-").partition("-")
    model = OLD_CODE.sub(r"JB\1.\2", code).replace("_", " ")
    serial = claim(ClaimKind.SERIAL, state.box_id)
    version = state.report.version or "without version" if state.report is not None else ""
    return Identity(
        vendor=VENDOR,
        model=f"JuiceBox {model}".strip()[:40],
        serial=state.box_id,
        firmware=firmware[:30],
        claims=(serial,) if serial is not None else (),
        extra={"JuiceNet": version} if version else {},
    )


def word_of(state: BoxState) -> str:
    """Return how a box stands in an OCPP 1.6 word (§7.7); empty where it did not say."""
    mode = state.report.mode if state.report is not None else None
    if mode is BoxMode.PLUGGED:
        return "SuspendedEVSE" if state.allowed_a == 0 or state.is_locked else "Preparing"
    words = {BoxMode.UNPLUGGED: "Available", BoxMode.CHARGING: "Charging", BoxMode.ERROR: "Faulted"}
    return words.get(mode, "") if mode is not None else ""


class JuiceDesk:
    """The peer and what people said of the boxes.

    Adoptions are on disk before anything is sent. ``address`` gives the chosen adapter's; ``sighted`` and ``noted``
    are told of boxes that come and go, and of states.

    States::

        off ──start──► on ──stop──► off
    """

    def __init__(
        self,
        folder: Path,
        *,
        address: Callable[[], str],
        sighted: Callable[[Sighting], None] = lambda _sighting: None,
        noted: Callable[[StateChange], None] = lambda _change: None,
        clock: Callable[[], datetime] = _now,
        ports: Sequence[int] = PORTS,
    ) -> None:
        self.reports: Feed[BoxReport] = Feed()
        self.states: Feed[BoxState] = Feed()
        self.changes: Feed[PeerState] = Feed()
        """How the listening stands."""
        self.labels: dict[str, float] = {}
        """Ratings that people read from type labels, in A, by serial, for the time until they adopt the box."""
        self._path = folder / FILE
        self._address = address
        self._sighted = sighted
        self._noted = noted
        self._clock = clock
        self._ports = ports
        self._kept: dict[str, Kept] = {}
        self._peer: JuicePeer | None = None
        self._book = BoxBook()
        self._is_loaded = False
        self._shown: dict[str, str] = {}

    @property
    def state(self) -> PeerState:
        """Return how the listening stands."""
        return self._peer.state if self._peer is not None else PeerState(host=self._address())

    @property
    def peer(self) -> JuicePeer | None:
        """Return the peer while it listens, for a bridge that runs in the same program."""
        return self._peer

    @property
    def boxes(self) -> dict[str, BoxState]:
        """Return how all boxes heard stand, by serial."""
        return self._book.boxes

    @property
    def adopted(self) -> tuple[Adoption, ...]:
        """List all adoptions, also of boxes not heard yet. Of a file that can't be read ``start`` tells why."""
        with suppress(DamagedFile, StoreError):
            self._load()
        return self._book.adoptions

    # Coming and going

    async def start(self, host: str = "", ports: Sequence[int] = ()) -> PeerState:
        """Listen on the chosen adapter (default: ours), on these ports (default: the usual). Idempotent.

        Raises PortInUse, ServerError, DamagedFile, StoreError.
        """
        if self._peer is not None:
            return self._peer.state
        self._load()
        places = ports or self._ports
        peer = JuicePeer(host or self._address(), places, book=self._book, clock=self._clock, changed=self._changed)
        peer.reports, peer.states = self.reports, self.states
        await peer.start()
        self._peer = peer
        self.changes.publish(peer.state)
        return peer.state

    def _load(self) -> None:
        """Take up what was kept, once; afterwards the book knows."""
        if self._is_loaded:
            return
        self._kept = adoptions.load(self._path)
        for box_id, item in self._kept.items():
            self._book.adopt(item.adoption, is_kept=True)
            if item.allowed_a is not None:
                self._book.allow(box_id, item.allowed_a, self._clock())
        self._is_loaded = True

    async def stop(self) -> None:
        """Listen no more. Boxes keep what they were told last. Idempotent."""
        peer, self._peer = self._peer, None
        if peer is None:
            return
        await peer.stop()
        for box_id in list(self._shown):
            self._leave(box_id)
        self.changes.publish(self.state)

    def box(self, box_id: str) -> Box | None:
        """Return a live box; ``None`` where nobody listens, or it was never heard."""
        return Box(self, box_id) if self._peer is not None and self._book.state(box_id) is not None else None

    # What people say (decided on disk, then told)

    def box_state(self, box_id: str) -> BoxState | None:
        """Return how a box stands; ``None`` where it was not heard."""
        return self._book.state(box_id) if self._peer is not None else None

    def ceiling_a(self, box_id: str) -> int:
        """Return the limit above which a box is never told anything, in A; 0 where nobody adopted it."""
        return self._book.ceiling_a(box_id)

    def is_locked(self, box_id: str) -> bool:
        """Say whether a box was found at 0 A before anything was sent to it."""
        return self._book.found(box_id).is_locked

    def propose(
        self,
        box_id: str,
        circuit_a: float | None,
        *,
        rating_a: float | None = None,
        is_revived: bool = False,
        lifts_known: bool = False,
    ) -> Adoption:
        """Make an adoption of a circuit's limit; nothing is adopted yet. Raises ValueRejected with advice."""
        return self._book.proposal(
            box_id,
            circuit_a,
            at=self._clock(),
            rating_a=rating_a,
            is_revived=is_revived,
            lifts_known=lifts_known,
        )

    def adopt(self, adoption: Adoption, *, allowed_a: float | None = None) -> None:
        """Adopt a box; it may then draw ``allowed_a``, or all that the adoption allows.

        Raises ValueRejected, StoreError; then nothing was changed.
        """
        self._live().book.check(adoption)
        may_draw = adoption.ceiling_a if allowed_a is None else allowed_a
        self._keep(adoption.box_id, Kept(adoption=adoption, allowed_a=may_draw))
        self._live().adopt(adoption)
        self._live().allow(adoption.box_id, may_draw)
        self._show_again(adoption.box_id)

    def withdraw(self, box_id: str) -> None:
        """Send a box nothing more: it falls back to the limit it holds itself. Raises StoreError."""
        self._keep(box_id, None)
        self._live().withdraw(box_id)
        self._show_again(box_id)

    def allow(self, box_id: str, amps: float) -> BoxState | None:
        """Allow a box a current, in A. Raises ValueRejected for one nobody adopted, StoreError."""
        kept = self._kept.get(box_id)
        if kept is not None:
            # a NaN is less than nothing
            self._keep(box_id, replace(kept, allowed_a=max(0.0, min(amps, float(MOST_A)))))
        return self._live().allow(box_id, amps)

    def pause(self, box_id: str) -> BoxState | None:
        """Let a box charge nothing from its next report on."""
        return self.allow(box_id, 0)

    def restore(self, box_id: str) -> None:
        """Allow a box again what people allowed it last, after a bridge in this program has decided instead."""
        kept = self._kept.get(box_id)
        if kept is not None and kept.allowed_a is not None and self._peer is not None:
            self._peer.allow(box_id, kept.allowed_a)

    def _live(self) -> JuicePeer:
        if self._peer is None:
            raise ValueRejected("Nobody listens for JuiceBoxes now.", "Switch JuiceNet on first.")
        return self._peer

    def _keep(self, box_id: str, item: Kept | None) -> None:
        kept = {key: value for key, value in self._kept.items() if key != box_id}
        if item is not None:
            kept[box_id] = item
        adoptions.save(self._path, kept)
        self._kept = kept

    # What boxes say

    def _changed(self, state: BoxState) -> None:
        box_id = state.box_id
        if state.is_absent:
            self._leave(box_id)
            return
        is_due = state.datagrams >= HEARD or state.adoption is not None
        shown = self._shown.get(box_id)
        if is_due and shown != state.software and (shown is not None or self._has_room(state)):
            self._shown[box_id] = state.software
            self._sight(state.box_id, identity_of(state), is_gone=False)
        if box_id in self._shown and (word := word_of(state)):
            self._noted(StateChange(unit_id=f"juicenet:{box_id}", connector=1, state=word, at=state.last_heard))

    def _has_room(self, state: BoxState) -> bool:
        return len(self._shown) < (BOXES if state.adoption is not None else SIGHTED)

    def _show_again(self, box_id: str) -> None:
        """Let a box be looked at again: it is ours from now on, or no more."""
        state = self._book.state(box_id)
        if box_id in self._shown and state is not None:
            self._sight(box_id, identity_of(state), is_gone=False)

    def _leave(self, box_id: str) -> None:
        if self._shown.pop(box_id, None) is not None:
            self._sight(box_id, None, is_gone=True)

    def _sight(self, box_id: str, identity: Identity | None, *, is_gone: bool) -> None:
        self._sighted(
            Sighting(
                source=SourceKind.JUICENET,
                address=JuiceAddress(box_id=box_id),
                at=self._clock(),
                identity=identity,
                is_gone=is_gone,
                hints={"adopted": "yes"} if self._book.ceiling_a(box_id) else {},
            )
        )
