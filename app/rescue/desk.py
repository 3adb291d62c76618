"""The rescue desk: drains units, reads their sessions out of the stored traffic, and keeps the archive."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from app.errors import TimedOut
from app.model.frame import Frame
from app.model.query import TrafficQuery
from app.model.secret import Secret
from app.ocpp.endpoint import Endpoint
from app.ocpp.host import Replier
from app.rescue.draining import PATIENCE_S, QUIET_S, Drained, drain
from app.rescue.files import Ledger, rows, write
from app.rescue.refusing import Refusals
from app.rescue.sessions import TALKS, sessions
from app.storage.traffic import TrafficStore
from app.storage.vault import Vault

KEY_NAME = "site/card-key"
"""Where the vault keeps what makes the pseudonyms of cards."""
FOLDER = "rescued"
RETURN_S = 120.0
RETRY_S = 150.0
"""Usual is a pause of 60 s that grows by itself each time (TransactionMessageRetryInterval) [OURS]."""
LISTENING_S = 7 * 86_400.0
"""Timers of the window's loop end before 25 days."""
PAGE = 2_000
MAX_FRAMES = 500_000
"""Frames of one unit that are looked through."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class Line(Protocol):
    """Where units dial in."""

    repliers: dict[str, Replier]

    async def arrival(self, identity: str, *, timeout_s: float, after: datetime | None = None) -> Endpoint:
        """Return the connection of an identity, or wait for one opened later than ``after``. Raises TimedOut."""
        ...


class Holder(Protocol):
    """What holds the stored traffic."""

    @property
    def traffic(self) -> TrafficStore:
        """Return the frames."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a queue must be silent to count as dry, and how long it is waited for at all. Seconds."""

    quiet_s: float = QUIET_S
    longest_s: float = PATIENCE_S
    return_s: float = RETURN_S
    """How long a unit that hung up in the middle is waited for."""
    retry_s: float = RETRY_S
    """How long a unit may think before it tries again what was refused."""


class RescueDesk:
    """Brings home what a dead backend never got."""

    def __init__(self, *, store: Holder, vault: Vault, folder: Path, patience: Patience | None = None) -> None:
        self._store = store
        self._vault = vault
        self._folder = folder / FOLDER
        self.patience = patience or Patience()

    async def drain(self, endpoint: Endpoint, told: Callable[[Drained], None] = lambda _: None) -> Drained:
        """Wait until the queue of a unit is dry, on this one connection."""
        return await drain(endpoint, quiet_s=self.patience.quiet_s, patience_s=self.patience.longest_s, told=told)

    async def listen(self, endpoint: Endpoint, told: Callable[[Drained], None]) -> None:
        """Tell of every kept message on one connection, until it closes (or a week is over)."""
        await drain(endpoint, quiet_s=LISTENING_S, patience_s=LISTENING_S, told=told)

    async def empty(self, line: Line, identity: str, told: Callable[[Drained], None] = lambda _: None) -> Drained:
        """Wait until a unit's queue is dry, over as many connections as it needs; step over what it is stuck on.

        Raises TimedOut if it never dials.
        """
        with Refusals(identity, line.repliers) as refusals:
            return await self._empty(line, identity, told, refusals)

    async def _empty(self, line: Line, identity: str, told: Callable[[Drained], None], refusals: Refusals) -> Drained:
        loop, before = asyncio.get_running_loop(), Drained(messages=0, is_dry=False)
        ends_at = loop.time() + self.patience.longest_s
        endpoint = await line.arrival(identity, timeout_s=self.patience.return_s)

        def tell(now: Drained) -> None:
            told(replace(now, messages=before.messages + now.messages))

        while True:
            patience_s = max(0.0, ends_at - loop.time())
            found = await drain(
                endpoint, quiet_s=self.patience.quiet_s, patience_s=patience_s, told=tell, stuck=refusals.add
            )
            messages, stuck = before.messages + found.messages, found.stuck or before.stuck
            before = replace(found, messages=messages, stuck=stuck)
            left_s = ends_at - loop.time()
            if left_s <= 0:
                return before
            if not found.is_gone:
                if not refusals.is_fresh(self.patience.retry_s):
                    return replace(before, is_dry=True)
                if refusals.is_in_vain:
                    return replace(before, is_dry=False)
                continue
            try:
                wait_s = min(self.patience.return_s, left_s)
                endpoint = await line.arrival(identity, timeout_s=wait_s, after=endpoint.opened_at)
            except TimedOut:
                return before

    async def ledger(self, identity: str, *, serial: str = "", is_dry: bool = False) -> Ledger:
        """Read a unit's sessions out of the stored traffic. Raises StoreError."""
        frames: list[Frame] = []
        for action in sorted(TALKS):
            frames += await self._frames(TrafficQuery(identity=identity, action=action))
        frames.sort(key=lambda frame: frame.seq)
        found = await asyncio.to_thread(sessions, frames)
        return Ledger(identity=identity, serial=serial, made_at=datetime.now(UTC), is_dry=is_dry, sessions=found)

    def rows(self, ledger: Ledger) -> list[dict[str, Any]]:
        """Lay a ledger out for reading by others: cards as pseudonyms."""
        return rows(ledger, self._key())

    async def save(self, ledger: Ledger, folder: Path | None = None) -> tuple[Path, Path]:
        """Write a ledger as CSV and JSON, into the archive or a folder of the user's. Raises StoreError."""
        name = _UNSAFE.sub("_", ledger.identity).strip("._")[:60] or "unnamed"
        stem = f"{name}-{ledger.made_at:%Y%m%d-%H%M%S}"
        return await asyncio.to_thread(write, ledger, self._key(), folder or self._folder, stem)

    async def _frames(self, query: TrafficQuery) -> list[Frame]:
        await asyncio.to_thread(self._store.traffic.flush)
        found: list[Frame] = []
        after = 0
        while len(found) < MAX_FRAMES:
            page = self._store.traffic.scan(query, after=after, limit=PAGE)
            found += page.frames
            if page.is_end:
                break
            after = page.edge
            await asyncio.sleep(0)  # each slice is short; the window has its turn between them
        return found

    def _key(self) -> bytes:
        kept = self._vault.get(KEY_NAME)
        if kept is None:
            kept = Secret(secrets.token_hex(32))
            self._vault.set(KEY_NAME, kept)
        return kept.reveal().encode()
