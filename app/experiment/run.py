"""One experiment in progress: its rounds, its end, what follows; whatever happens, what it changed is put back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from app.errors import AppError
from app.experiment import backends, doors, lines, pieces, talks
from app.experiment.judging import judged
from app.experiment.proving import proof
from app.experiment.stage import Stage
from app.experiment.values import AS_IT_IS, Progress, Result, Round, Subject, Tempo
from app.experiment.witness import Witness
from app.feed import Feed
from app.model.experiment import Experiment
from app.model.finding import Finding
from app.scope import Scope, Trouble

if TYPE_CHECKING:
    from app.ocpp.server import OcppServer

Play = Callable[[Stage], Awaitable[None]]

PLAYS: Mapping[str, Play] = {
    "certificate-personality": doors.certificates,
    "plain-instead-of-tls": doors.plain_visit,
    "ping-rhythm": lines.ping_rhythm,
    "redial-rhythm": lines.redial_rhythm,
    "hold": lines.hold,
    "answer-delay": talks.answer_delay,
    "early-command": talks.early_command,
    "waiting-room": talks.waiting_room,
    "big-answer": pieces.big_answer,
}
"""How each is played; that at a backend needs somebody who dials."""


class Run:
    """An experiment on one subject.

    States::

        new ──go──► rounds ──► over
                      └─stop()──►
    """

    def __init__(
        self,
        experiment: Experiment,
        subject: Subject,
        *,
        server: OcppServer,
        visit: backends.Visit,
        tempo: Tempo = AS_IT_IS,
        report: Callable[[Trouble], None] | None = None,
    ) -> None:
        self.experiment = experiment
        self.progress: Feed[Progress] = Feed()
        self._server = server
        self._visit = visit
        self._report = report
        self._witness = Witness(subject)
        self._stage = Stage(experiment, server, self._witness, tempo, tell=self._told)
        self._stopped = ""
        self._work: asyncio.Task[None] | None = None
        self.result = Result(
            experiment_id=experiment.experiment_id,
            subject=subject,
            rounds=self._stage.rounds,
            started_at=datetime.now(UTC),
        )
        self.latest = Progress(result=self.result)

    @property
    def is_over(self) -> bool:
        """Say whether it has ended."""
        return self.latest.is_over

    def stop(self, why: str = "Stopped by hand.") -> None:
        """End it; what it changed is put back. Idempotent."""
        self._stopped = self._stopped or why
        if self._work is not None:
            self._work.cancel()

    async def go(self) -> Result:
        """Play all rounds and return what follows from them. Never raises AppError."""
        is_whole = False
        try:
            async with Scope(f"experiment {self.experiment.experiment_id}", report=self._report) as scope:
                with self._witness.listening(self._server, scope):
                    await self._play(scope)
            is_whole = True
        finally:
            if not is_whole:
                self._stopped = self._stopped or "It was interrupted."
            self._over()
        return self.result

    async def _play(self, scope: Scope) -> None:
        if self._stopped:
            return
        play = PLAYS.get(self.experiment.experiment_id)
        acting = play(self._stage) if play is not None else backends.nonsense_identity(self._stage, self._visit)
        work = self._work = scope.isolated("rounds", _awaited(acting))
        try:
            await asyncio.wait({work})
        finally:
            work.cancel()
            self._work = None
        if not work.cancelled() and (error := work.exception()) is not None:
            self._stopped = error.message if isinstance(error, AppError) else "The experiment itself failed."
        await self._start_afresh()

    async def _start_afresh(self) -> None:
        """Have the unit boot again under its usual manners, where it was told something else."""
        endpoint = self._stage.endpoint
        if self._stage.wants_fresh_start and endpoint is not None:
            await endpoint.close(1001, "the experiment is over")

    def _over(self) -> None:
        rounds, subject = self._stage.over(), self._witness.subject
        verdict = judged(self.experiment.experiment_id, rounds)
        sign, why = ("", self._stopped) if self._stopped else verdict
        result = replace(self.result, rounds=rounds, subject=subject, ended_at=datetime.now(UTC), sign=sign, why=why)
        finding = proof(result)
        if finding is not None:
            finding = published(self._server, subject, finding)
        self.result = replace(result, finding=finding)
        self._tell(Progress(result=self.result, is_over=True))

    def _told(self, rounds: tuple[Round, ...], step: str, limit_s: float) -> None:
        self.result = replace(self.result, rounds=rounds, subject=self._witness.subject)
        until = datetime.now(UTC) + timedelta(seconds=limit_s) if limit_s else None
        self._tell(Progress(result=self.result, step=step, until=until))

    def _tell(self, progress: Progress) -> None:
        self.latest = progress
        self.progress.publish(progress)


async def _awaited(acting: Awaitable[None]) -> None:
    await acting


def published(server: OcppServer, subject: Subject, finding: Finding) -> Finding:
    """Publish a finding as one of the unit's; return it as it was published."""
    unit_id = f"ocpp:{subject.identity}" if subject.identity else ""
    finding = replace(finding, unit_id=unit_id)
    endpoint = server.endpoint(subject.identity) if subject.identity else None
    if endpoint is not None:
        endpoint.find((finding,))
    else:
        server.findings.publish(finding)
    return finding
