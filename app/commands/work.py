"""Drive a job from the command line: answer what it asks from the call's options, tell what it does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from app.commands import FAILED, OK, UNDECIDED, UNPROVED
from app.commands.console import Console, visible
from app.errors import AppError
from app.model.backend import Backend, Problem, SecurityProfile, check
from app.model.job import Job, JobState, Step, StepKind, StepState
from app.model.secret import Secret
from app.scope import Scope
from app.workbench import Workbench

PROOFS = (StepKind.PROVE, StepKind.SWITCH, StepKind.SESSION, StepKind.HAND_OVER)
"""Steps that fail after something was written: exit code 5."""


@dataclass(slots=True, kw_only=True)
class Answers:
    """What the call decided beforehand. ``skips`` names steps to leave out when they ask or fail."""

    backend: Backend | None = None
    accepts_doors: bool = False
    skips: frozenset[StepKind] = frozenset()
    used: set[tuple[StepKind, int]] = field(default_factory=set)


def add_backend(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the options that name a backend."""
    parser.add_argument("--url", required=required, help="the backend's address without the identity, ws:// or wss://")
    parser.add_argument("--identity", required=required, help="identity under which the backend knows the charger")
    parser.add_argument(
        "--security-profile", type=int, choices=(0, 1, 2, 3), default=None, help="OCPP security profile"
    )
    secret = parser.add_mutually_exclusive_group()
    secret.add_argument("--password-stdin", action="store_true", help="read the password from the first line of stdin")
    secret.add_argument("--password-file", type=argparse.FileType("r", encoding="utf-8"), help="read it from a file")


def password_of(args: argparse.Namespace) -> Secret:
    """Read the password of this call; it never stands on the command line."""
    text = ""
    if args.password_stdin:
        text = sys.stdin.readline().rstrip("\r\n")
    elif args.password_file:
        with args.password_file as file:
            text = file.readline().rstrip("\r\n")
    return Secret(text)


def backend_of(args: argparse.Namespace, secret: Secret) -> Backend:
    """Return the backend of this call; without a named security profile the address and the password decide it."""
    profile = args.security_profile
    if profile is None:
        tls = args.url.lower().startswith("wss:")
        profile = (2 if tls else 1) if secret else 0
    return Backend(url=args.url, identity=args.identity, security_profile=SecurityProfile(profile), secret=secret)


def problems_of(backend: Backend) -> tuple[Problem, ...]:
    """Name what is wrong with the backend as given."""
    return check(backend.url, backend.identity, profile=backend.security_profile, secret=backend.secret)


async def drive(bench: Workbench, job_id: str, answers: Answers, console: Console) -> Job:
    """Run a job until it is done or needs something the call did not decide."""
    async with Scope("drive") as scope:
        with telling(bench, job_id, scope, console):
            while True:
                bench.desk.run(job_id)
                job = await bench.desk.finished(job_id)
                if not _answer(bench, job, answers):
                    return job


def _answer(bench: Workbench, job: Job, answers: Answers) -> bool:
    """Give the answer the job waits for; say whether there was one that was not given before."""
    current = job.current
    if job.is_final or current is None:
        return False
    state = job.step(current).state
    key = (current, len(answers.used) if current is StepKind.CHOOSE and job.backend is None else 0)
    if key in answers.used or state not in (StepState.NEEDS_INPUT, StepState.FAILED):
        return False
    answers.used.add(key)
    if current is StepKind.CHOOSE and state is StepState.NEEDS_INPUT and answers.backend is not None:
        bench.desk.choose(job.id, answers.backend)
    elif current is StepKind.PLAN and job.open_doors and answers.accepts_doors:
        bench.desk.acknowledge(job.id, [door.id for door in job.open_doors])
    elif current in answers.skips:
        bench.desk.skip(job.id, current, "Left out by the call.")
    else:
        return False
    return True


@contextmanager
def telling(bench: Workbench, job_id: str, scope: Scope, console: Console) -> Iterator[None]:
    """Tell the steps, proofs and waiting times of a job on stderr."""
    steps = bench.desk.changes.subscribe()
    progress = bench.desk.progress.subscribe()
    told = _Told(console)

    async def tell_steps() -> None:
        async for job in steps:
            if job.id == job_id:
                told.job(job)

    async def tell_progress() -> None:
        async for item in progress:
            if item.job_id == job_id:
                told.progress(item.text)

    scope.isolated("steps", tell_steps())
    scope.isolated("progress", tell_progress())
    try:
        yield
    finally:
        for job in steps.take():
            if job.id == job_id:
                told.job(job)
        steps.close()
        progress.close()


class _Told:
    """Remembers what was said, so that nothing is said twice."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._states: dict[StepKind, StepState] = {}
        self._proofs: dict[StepKind, int] = {}
        self._last = ""

    def job(self, job: Job) -> None:
        for step in job.steps:
            self._step(step)

    def _step(self, step: Step) -> None:
        if self._states.get(step.kind) is not step.state:
            self._states[step.kind] = step.state
            if step.state is not StepState.WAITING:
                self._console.progress(f"{step.kind.value}: {step.state.value} {step.note}".rstrip())
        for proof in step.proofs[self._proofs.get(step.kind, 0) :]:
            self._console.progress(f"    {proof.text}")
        self._proofs[step.kind] = len(step.proofs)

    def progress(self, text: str) -> None:
        if text != self._last:
            self._last = text
            self._console.progress(f"  … {text}")


def outcome(job: Job, console: Console) -> int:
    """Print how the job ended and return the exit code."""
    console.result(summary(job), text_of(job))
    if job.state in (JobState.DONE, JobState.UNDONE):
        return OK
    current = job.current
    if current is None:
        return FAILED
    step = job.step(current)
    console.trouble(
        AppError(
            f"The job stopped at “{current.value}”: {step.note or job.note or 'it needs a decision'}.".replace(
                "..", "."
            ),
            step.advice or job.advice or f"Go on with: rehome apply --resume {job.id}",
        )
    )
    if step.state is StepState.NEEDS_INPUT:
        return UNDECIDED
    return UNPROVED if current in PROOFS and job.has_written else FAILED


def summary(job: Job) -> dict[str, object]:
    """Return a job's facts for ``--json``."""
    return {
        "job": job.id,
        "unit": job.unit_id,
        "title": job.unit_title,
        "state": job.state,
        "backend": job.backend,
        "steps": job.steps,
        "undo_limits": job.undo_limits,
    }


def text_of(job: Job) -> str:
    """Lay out a job for a terminal."""
    lines = [visible(f"Job {job.id}: {job.unit_title} — {job.state.value}")]
    for step in job.steps:
        lines.append(f"  {step.kind.value:<10} {step.state.value:<12} {visible(step.note)}".rstrip())
    for limit in job.undo_limits:
        lines.append(visible(f"  can't be undone: {limit.key} — {limit.reason}"))
    return "\n".join(lines)
