"""Keep what happens beside the frames, as it happens: what the judge saw, what it found, what people were asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from app.model.acceptance import Progress
from app.model.finding import Finding
from app.model.frame import Handshake, Knock
from app.model.job import Job, StepState
from app.model.observation import Judge, Observation, TlsFailed
from app.model.trace import Evidence, HumanStep, ProgramStart, Record
from app.storage.evidence import KINDS

PENDING_LIMIT = 20_000
"""Records that wait for the next drain; a flood of knocks must not fill the memory."""

KNOCK_LIMIT = 200
"""Knocks kept between two drains: ten thousand garbage connections must cost the healthy ones nothing."""

_KEPT = tuple(KINDS.values())


class Witness:
    """Collects records until the storage takes them (``take``). Never waits, never fails."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._pending: list[Record] = []
        self._asked: set[tuple[str, str, int]] = set()
        self._shakes: dict[tuple[str, datetime | None], int] = {}
        """Where the handshakes stand among what waits, by where and when they came."""
        self._knocks = 0
        self._left_out = 0

    def judging(self, judge: Judge) -> Judge:
        """Return a judge that writes down what it is shown, but for what the frames tell themselves."""

        def judged(seen: Observation) -> Iterable[Finding]:
            if isinstance(seen, _KEPT):
                self._keep(seen)
            return judge(seen)

        return judged

    def started(self, start: ProgramStart) -> None:
        """Note that the program began to record."""
        self._keep(start)

    def arrived(self, handshake: Handshake, connection: int) -> None:
        """Tell which connection a handshake became."""
        place = self._shakes.get((handshake.remote, handshake.at))
        if place is None:
            self._keep(handshake, connection=connection)
            return
        self._pending[place] = self._record(self._pending[place].evidence, handshake.identity, connection)

    def found(self, findings: Iterable[Finding]) -> None:
        """Note findings."""
        for finding in findings:
            self._keep(finding)

    def job_changed(self, job: Job) -> None:
        """Note a job's question to a person, once each."""
        for step in job.steps:
            key = (job.id, step.kind.value, len(step.proofs))
            if step.state is StepState.NEEDS_INPUT and self._is_new(key):
                self.step(HumanStep(source=f"job {job.id}", title=step.kind.value, text=step.note or step.advice))

    def acceptance_stands(self, progress: Progress) -> None:
        """Note the prompt of an acceptance run, once each."""
        prompt, run = progress.prompt, progress.run
        if prompt is not None and self._is_new((run.id, prompt.kind, prompt.number)):
            self.step(
                HumanStep(source=f"acceptance {run.suite}", title=prompt.title, text=prompt.text), identity=run.identity
            )

    def _is_new(self, key: tuple[str, str, int]) -> bool:
        if key in self._asked:
            return False
        if len(self._asked) > PENDING_LIMIT:
            self._asked.clear()
        self._asked.add(key)
        return True

    def step(self, step: HumanStep, *, identity: str = "") -> None:
        """Note what a person was asked or did (acceptance prompts, a job's questions)."""
        self._keep(step, identity=identity)

    def take(self) -> list[Record]:
        """Return what came since the last time, and how much of it was left out."""
        if self._left_out:
            text = f"{self._left_out:,} more knocks came in this moment and were not kept."
            self._left_out = 0
            self.step(HumanStep(source="Rehome", title="Too many knocks at once", text=text))
        taken, self._pending, self._knocks = self._pending, [], 0
        self._shakes.clear()
        return taken

    def _keep(self, evidence: Evidence, *, identity: str = "", connection: int = 0) -> None:
        is_knock = isinstance(evidence, Knock | TlsFailed)
        self._knocks += is_knock
        if len(self._pending) >= PENDING_LIMIT or (is_knock and self._knocks > KNOCK_LIMIT):
            self._left_out += 1
            return
        if isinstance(evidence, Handshake):
            self._shakes[evidence.remote, evidence.at] = len(self._pending)
        self._pending.append(self._record(evidence, identity, connection))

    def _record(self, evidence: Evidence, identity: str, connection: int) -> Record:
        about: Any = evidence
        name = identity or _identity_of(about)
        number = connection or int(getattr(about, "connection", 0))
        at = getattr(about, "at", None) or self._now()
        return Record(at=at, evidence=evidence, identity=name, connection=number)


def _identity_of(evidence: Any) -> str:
    if isinstance(evidence, Finding):
        unit = evidence.unit_id.removeprefix("ocpp:")
        return unit or str(evidence.details.get("identity", ""))
    return str(getattr(evidence, "identity", ""))
