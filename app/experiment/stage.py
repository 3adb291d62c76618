"""Where the rounds of an experiment are played: on one unit, over our endpoint. What it changes it puts back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app.experiment.values import Round, State, Subject, Tempo
from app.experiment.witness import Happening, Witness
from app.model.experiment import Experiment
from app.ocpp.channel import host_of
from app.ocpp.endpoint import Endpoint

if TYPE_CHECKING:
    from app.ocpp.server import OcppServer


class Stage:
    """What the rounds of one experiment act through. ``tell`` is called whenever something of it has changed."""

    def __init__(
        self,
        experiment: Experiment,
        server: OcppServer,
        witness: Witness,
        tempo: Tempo,
        *,
        tell: Callable[[tuple[Round, ...], str, float], None],
    ) -> None:
        self.experiment = experiment
        self.server = server
        self.witness = witness
        self.tempo = tempo
        self.rounds = tuple(Round(setting=setting) for setting in experiment.rounds)
        self.wants_fresh_start = False
        """The unit was told something at its Boot that only another Boot puts right."""
        self._tell = tell
        self._at = -1

    @property
    def subject(self) -> Subject:
        """Return whom it is about."""
        return self.witness.subject

    @property
    def endpoint(self) -> Endpoint | None:
        """Return the unit's open connection."""
        if self.subject.identity:
            return self.server.endpoint(self.subject.identity)
        there = [
            endpoint
            for endpoint in self.server.endpoints.values()
            if host_of(endpoint.handshake.remote) == self.subject.host
        ]
        return there[0] if len(there) == 1 else None

    def learn(self, endpoint: Endpoint) -> None:
        """Know the subject by name and address from now on."""
        host = host_of(endpoint.handshake.remote)
        self.witness.subject = replace(self.subject, identity=endpoint.identity, host=host)

    # Rounds -------------------------------------------------------------------------------------------------------

    def settings(self) -> Iterator[str]:
        """Begin one round after the other, and yield its setting. Whoever stops early leaves the others out."""
        for at, item in enumerate(self.rounds):
            self._at = at
            self.witness.restart()
            self._put(replace(item, state=State.RUNNING))
            yield item.setting

    def mark(self, mark: str, seen: str, **numbers: float) -> None:
        """End the present round by what was seen."""
        item = self.rounds[self._at]
        self._put(replace(item, state=State.DONE, mark=mark, seen=seen, numbers=numbers))

    def over(self) -> tuple[Round, ...]:
        """Return the rounds as they stand when nothing more happens."""
        done = State.DONE
        return tuple(item if item.state is done else replace(item, state=State.SKIPPED) for item in self.rounds)

    def say(self, step: str, limit_s: float = 0.0) -> None:
        """Tell what is going on, and for how long at most (real seconds)."""
        self._tell(self.rounds, step, limit_s)

    def _put(self, item: Round) -> None:
        self.rounds = (*self.rounds[: self._at], item, *self.rounds[self._at + 1 :])
        self.say("")

    # The unit -------------------------------------------------------------------------------------------------------

    @contextmanager
    def manners(self) -> Iterator[Callable[..., None]]:
        """Treat the unit in another way: yields ``change(name=value, …)``; whatever happens, all is put back."""
        manner = self.server.manner(self.subject.identity)
        before: dict[str, Any] = {}

        def change(**wanted: Any) -> None:
            for name, value in wanted.items():
                before.setdefault(name, getattr(manner, name))
                setattr(manner, name, value)

        try:
            yield change
        finally:
            for name, value in before.items():
                setattr(manner, name, value)

    @contextmanager
    def personality(self) -> Iterator[Callable[[str], None]]:
        """Show the unit's address another certificate: yields ``show(personality)``; put back whatever happens."""
        chosen, host = self.server.personality_for, self.subject.host
        before = chosen.get(host)

        def show(personality: str) -> None:
            chosen[host] = personality

        try:
            yield show
        finally:
            chosen.pop(host, None)
            if before is not None:
                chosen[host] = before

    async def let_go(self, *, cut: bool = False) -> None:
        """End the unit's connection, so that it dials anew: politely, or as a pulled cable would."""
        endpoint = self.endpoint
        if endpoint is None:
            return
        if cut:
            await endpoint.cut()
        else:
            await endpoint.close(1001, "please dial again")
        self.witness.restart()

    async def arrival(self, limit_s: float) -> Endpoint | None:
        """Wait until the unit has dialled since the round began."""
        return await self.witness.until(_arrived, limit_s)

    async def come_back(self, limit_s: float) -> Endpoint | None:
        """Have the unit dial anew; ``None`` where it does not within ``limit_s``."""
        await self.let_go()
        self.say("Waiting for the charger to dial again …", limit_s)
        return await self.arrival(limit_s)

    async def pause(self, seconds: float) -> None:
        """Let time pass (real seconds) that is itself what is tried."""
        if seconds > 0:
            await asyncio.sleep(seconds)

    def now(self) -> datetime:
        """Tell the time, UTC."""
        return self.server.now()


def _arrived(happened: Sequence[Happening]) -> Endpoint | None:
    return next((item for item in reversed(happened) if isinstance(item, Endpoint)), None)
