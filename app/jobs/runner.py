"""Run jobs: one task per job, every event on disk before it counts."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

from app import __version__
from app.errors import AppError, JobError, StepBlocked, StoreError
from app.feed import Feed
from app.jobs import commands
from app.jobs.context import Confirmation, JobContext, Tap
from app.jobs.machine import applied, create, created, decide, fold
from app.jobs.stepping import Skipped, StepRun, backend_entry, identity_entry
from app.jobs.steps import STEP_RUNS
from app.jobs.undoing import undo
from app.model.backend import Backend
from app.model.job import Job, JobEvent, JobState, Progress, StepKind, StepState
from app.scope import Scope
from app.storage.db import Store
from app.storage.vault import Vault

log = logging.getLogger(__name__)

STOP_LIMIT_S = 5.0
"""The longest a stopped job may take to end."""

TITLE_LIMIT = 120

INTERRUPTED = "The program ended in the middle of it."
STOPPED = "Stopped at a safe point."

__all__ = ["JobContext", "JobDesk"]


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


def way_back(job: Job) -> str:
    """Say what is known of a unit that was lost on the way, and how to go back; empty where nothing was written."""
    if not job.has_written:
        return ""
    last = job.writes[-1]
    known = f"“{last.key}” was being written: the charger may hold the old or the new value. " if last.is_open else ""
    return f"{known}Continue when it is back, or undo: that restores what this job wrote."


class JobDesk:
    """All jobs of this computer. A job that was being worked on when the program ended is PAUSED.

    ``tap`` sees every event before and after it is on disk. ``confirmation`` asks the real backend for its own word.
    """

    def __init__(
        self,
        *,
        store: Store,
        vault: Vault,
        bench: JobContext,
        scope: Scope,
        clock: Callable[[], datetime] = now,
        tap: Tap | None = None,
        confirmation: Confirmation | None = None,
    ) -> None:
        self.changes: Feed[Job] = Feed()
        self.progress: Feed[Progress] = Feed()
        self.confirmation = confirmation
        self._store = store
        self._vault = vault
        self._bench = bench
        self._scope = scope
        self._clock = clock
        self._tap = tap
        self._jobs: dict[str, Job] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._until: dict[str, StepKind | None] = {}
        self._newest: dict[str, Progress] = {}
        self._load()

    def _load(self) -> None:
        for job_id in self._store.jobs.ids():
            try:
                self._jobs[job_id] = fold(self._store.jobs.events(job_id))
            except (ValueError, KeyError, StoreError) as error:
                log.info("job %s can't be read: %s", job_id, error)
                continue
            if self._jobs[job_id].state is JobState.ACTIVE:
                self._pause(job_id, INTERRUPTED)

    # What there is

    @property
    def jobs(self) -> Mapping[str, Job]:
        """Return all jobs by id, oldest first."""
        return MappingProxyType(self._jobs)

    @property
    def running(self) -> frozenset[str]:
        """Return the ids of the jobs being worked on now."""
        return frozenset(self._running)

    def job(self, job_id: str) -> Job:
        """Return a job; raises JobError for an unknown one."""
        try:
            return self._jobs[job_id]
        except KeyError:
            raise JobError(f"There is no job “{job_id}”.", "Look at the list of jobs.") from None

    def progress_of(self, job_id: str) -> Progress | None:
        """Return what a running job is doing just now."""
        return self._newest.get(job_id)

    def backend_urls(self) -> tuple[str, ...]:
        """List the addresses that finished jobs moved units to."""
        jobs = [job for job in self._jobs.values() if job.state is JobState.DONE and job.backend is not None]
        return tuple(sorted({job.backend.url for job in jobs if job.backend is not None}))

    # What a person decides

    def create(self, unit_id: str) -> Job:
        """Begin a job for a unit; raises JobError where one is open for it already."""
        unit = self._bench.finder.units.get(unit_id)
        if unit is None:
            raise JobError("This charger is not known.", "Search again, or add it by its address.")
        for job in self._jobs.values():
            if job.unit_id == unit_id and not job.is_final:
                raise JobError(
                    f"There is an open job for {job.unit_title} already ({job.id}).", "Continue or abandon that one."
                )
        at = self._clock()
        event = create(
            job_id=f"{at:%y%m%d}-{secrets.token_hex(3)}",
            at=at,
            unit_id=unit_id,
            unit_title=self._vault.redact(unit.title)[:TITLE_LIMIT],
            profile_id=unit.identity.profile_id,
            version=__version__,
        )
        self._keep(event)
        self._jobs[event.job_id] = created(event)
        self.changes.publish(self._jobs[event.job_id])
        return self._jobs[event.job_id]

    def choose(self, job_id: str, backend: Backend) -> Job:
        """Name the real backend; its password goes to the vault, and our endpoint expects it of that identity too."""
        self.job(job_id)
        job = self._do(job_id, commands.Choose(backend=backend))
        if backend.secret:
            self._vault.set(backend_entry(job_id), backend.secret)
            self._vault.set(identity_entry(backend.identity), backend.secret)
        else:
            self._vault.delete(backend_entry(job_id))
            self._vault.delete(identity_entry(backend.identity))
        return job

    def acknowledge(self, job_id: str, door_ids: Sequence[str]) -> Job:
        """Accept one-way doors of the plan."""
        return self._do(job_id, commands.Acknowledge(doors=tuple(door_ids)))

    def skip(self, job_id: str, step: StepKind, reason: str) -> Job:
        """Leave the current step out; raises JobError while it runs (pause first)."""
        self._need_idle(job_id)
        return self._do(job_id, commands.Skip(step=step, reason=reason))

    def back(self, job_id: str, step: StepKind) -> Job:
        """Reopen a step and all after it; raises JobError while the job runs."""
        self._need_idle(job_id)
        return self._do(job_id, commands.Back(step=step))

    def abandon(self, job_id: str, reason: str) -> Job:
        """Give a job up where it stands."""
        self._need_idle(job_id)
        return self._do(job_id, commands.Abandon(reason=reason))

    # Work

    def run(self, job_id: str, *, until: StepKind | None = None) -> None:
        """Go on until a step needs input or fails, or all is done. Nothing happens where it runs already.

        With ``until`` it stops after that step, so that a person can look before the next one.
        """
        job = self.job(job_id)
        if job_id in self._running:
            return
        if job.state is JobState.PAUSED:
            job = self._do(job_id, commands.Resume())
        if job.state is not JobState.ACTIVE:
            raise JobError(f"This job is {job.state.value}.", "Start a new job for this charger.")
        self._until[job_id] = until
        self._start(job_id, self._work)

    def undo(self, job_id: str) -> None:
        """Put back what the job changed; what can't be restored is in ``Job.undo_limits``."""
        self._need_idle(job_id)
        self._do(job_id, commands.StartUndo())
        self._start(job_id, self._undo)

    async def pause(self, job_id: str) -> None:
        """Stop at the next safe point, within ``STOP_LIMIT_S``."""
        task = self._running.get(job_id)
        if task is not None:
            task.cancel()
            await asyncio.wait({task}, timeout=STOP_LIMIT_S)

    async def finished(self, job_id: str) -> Job:
        """Wait until nobody works on the job; return it as it then stands."""
        task = self._running.get(job_id)
        if task is not None:
            await asyncio.wait({task})
        return self.job(job_id)

    async def close(self) -> None:
        """Stop all jobs at their safe points."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_LIMIT_S)

    def _need_idle(self, job_id: str) -> None:
        self.job(job_id)
        if job_id in self._running:
            raise JobError("This job is being worked on.", "Pause it first.")

    def _start(self, job_id: str, work: Callable[[str, Scope], Awaitable[None]]) -> None:
        task = self._scope.isolated(f"job/{job_id}", self._guarded(job_id, work))
        self._running[job_id] = task
        task.add_done_callback(lambda _: self._ended(job_id))

    def _ended(self, job_id: str) -> None:
        self._running.pop(job_id, None)
        self._newest.pop(job_id, None)
        self.changes.publish(self._jobs[job_id])

    async def _guarded(self, job_id: str, work: Callable[[str, Scope], Awaitable[None]]) -> None:
        reason = STOPPED
        try:
            async with Scope(f"job/{job_id}") as scope:
                await work(job_id, scope)
        except StoreError as error:
            reason = error.message
            raise
        finally:
            self._settle(job_id, reason)

    def _settle(self, job_id: str, reason: str) -> None:
        """Leave no step behind that looks as if somebody worked on it."""
        job = self._jobs[job_id]
        is_cut = any(step.state is StepState.RUNNING for step in job.steps)
        if job.state is JobState.ACTIVE and is_cut:
            self._pause(job_id, reason)

    def _pause(self, job_id: str, reason: str) -> None:
        """Record a pause; where the disk takes nothing, at least remember it."""
        job = self._jobs[job_id]
        try:
            self._do(job_id, commands.Pause(reason=reason))
        except StoreError as error:
            event = decide(job, commands.Pause(reason=error.message), self._clock())
            self._jobs[job_id] = replace(applied(job, event), seq=job.seq, advice=error.advice)
            self.changes.publish(self._jobs[job_id])

    async def _work(self, job_id: str, scope: Scope) -> None:
        while (kind := self._jobs[job_id].current) is not None:
            self._do(job_id, commands.Start(step=kind))
            if not await self._step(job_id, kind, scope) or self._until[job_id] is kind:
                return
        self._do(job_id, commands.Finish())

    async def _step(self, job_id: str, kind: StepKind, scope: Scope) -> bool:
        """Run one step; say whether the job may go on."""
        try:
            outcome = await STEP_RUNS[kind](self._run_of(job_id, kind, scope))
        except StoreError:
            raise
        except StepBlocked as error:
            self._do(job_id, commands.NeedInput(step=kind, message=error.message, advice=error.advice))
            return False
        except AppError as error:
            advice = " ".join(part for part in (error.advice, way_back(self._jobs[job_id])) if part)
            message, advice = self._vault.redact(error.message), self._vault.redact(advice)
            self._do(job_id, commands.Fail(step=kind, message=message, advice=advice))
            return False
        if isinstance(outcome, Skipped):
            self._do(job_id, commands.Skip(step=kind, reason=outcome.reason))
        else:
            self._do(job_id, commands.Complete(step=kind))
        return True

    async def _undo(self, job_id: str, scope: Scope) -> None:
        try:
            limits = await undo(self._run_of(job_id, None, scope))
        except StoreError:
            raise
        except AppError as error:
            message, advice = self._vault.redact(error.message), self._vault.redact(error.advice)
            self._do(job_id, commands.FailUndo(message=message, advice=advice))
            return
        self._do(job_id, commands.FinishUndo(limits=limits))

    def _run_of(self, job_id: str, kind: StepKind | None, scope: Scope) -> StepRun:
        return StepRun(
            job_id=job_id,
            kind=kind,
            bench=self._bench,
            store=self._store,
            vault=self._vault,
            scope=scope,
            do=self._do,
            look=self.job,
            tell=self._told,
            clock=self._clock,
            confirmation=self.confirmation,
        )

    def _told(self, progress: Progress) -> None:
        self._newest[progress.job_id] = progress
        self.progress.publish(progress)

    def _do(self, job_id: str, command: commands.Command) -> Job:
        """Decide, put on disk, then believe."""
        event = decide(self.job(job_id), command, self._clock())
        self._keep(event)
        self._jobs[job_id] = applied(self._jobs[job_id], event)
        self.changes.publish(self._jobs[job_id])
        return self._jobs[job_id]

    def _keep(self, event: JobEvent) -> None:
        if self._tap is not None:
            self._tap("before", event)
        self._store.jobs.append(event)
        if self._tap is not None:
            self._tap("after", event)
