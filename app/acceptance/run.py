"""One run: the cases of a suite, one after the other, on one unit; judged, put back, stored after each of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.acceptance.case import Case
from app.acceptance.facts import Facts, gather
from app.acceptance.judging import sentences
from app.acceptance.leftovers import ended, running
from app.acceptance.prompting import Prompter
from app.acceptance.recorder import Recorder
from app.acceptance.stage import Interrupted, NotApplicable, NotAsked, Stage
from app.acceptance.take import PUT_BACK, Take
from app.acceptance.tempo import AS_IT_IS, Tempo
from app.acceptance.tools import NO_TOOLS, Tools
from app.errors import AppError
from app.feed import Feed
from app.model.acceptance import Answer, CaseResult, Check, Progress, RunResult, Verdict, must, verdict_of
from app.scope import Scope, Trouble

if TYPE_CHECKING:
    from app.ocpp.server import OcppServer

log = logging.getLogger(__name__)

BUSY = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE", "Occupied"})
"""States of a connector that mean a session (1.6 §7.7; 2.x knows only Occupied)."""
IDLE_S = 10.0
"""How long a connector may take to say that its session is over [OURS]."""
AT_THE_END_S = 3.0
"""How long putting back may take in all when the program ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be run on whom. ``skips_prompts``: nobody is there, every prompt is answered with “skip”."""

    run: RunResult
    cases: tuple[Case, ...]
    skips_prompts: bool = False


class Run:
    """A run in progress.

    States::

        new ──go──► asking ──► case ⇄ between cases ──► over
                                └────stop()──────────────►
    """

    def __init__(
        self,
        plan: Plan,
        *,
        server: OcppServer,
        tempo: Tempo = AS_IT_IS,
        tools: Tools = NO_TOOLS,
        store: Callable[[RunResult], None] = lambda _: None,
        report: Callable[[Trouble], None] | None = None,
    ) -> None:
        self.plan = plan
        self.result = plan.run
        self.progress: Feed[Progress] = Feed()
        self.latest = Progress(run=plan.run, planned=tuple(case.id for case in plan.cases))
        self._server = server
        self._tempo = tempo
        self._tools = tools
        self._store = store
        self._report = report
        self._recorder = Recorder(plan.run.identity)
        self._prompter = Prompter(self._tell, skips=plan.skips_prompts)
        self._current = ""
        self._step = ""
        self._is_over = False
        self._stopped = ""
        self._work: asyncio.Task[BaseException | None] | None = None

    @property
    def id(self) -> str:
        """Return the run's id."""
        return self.result.id

    @property
    def is_over(self) -> bool:
        """Say whether it has ended."""
        return self._is_over

    def answer(self, number: int, answer: Answer) -> bool:
        """Answer the prompt of that number; false where it is not open any more."""
        taken = self._prompter.say(number, answer)
        if taken:
            self._recorder.wake()
        return taken

    def stop(self, why: str = "Stopped by hand.") -> None:
        """End after putting back what the present case changed. Idempotent."""
        self._stopped = self._stopped or why
        if self._work is not None:
            self._work.cancel()

    async def go(self) -> RunResult:
        """Run all cases and return the result; what came of them is stored on the way. Never raises AppError."""
        manner = self._server.manner(self.result.identity)
        manner.is_left_alone = True  # or the judges would take others' questions for those of the case
        try:
            async with Scope(f"acceptance {self.id}", report=self._report) as scope:
                scope.required("frames", self._recorder.watch_frames(self._server.frames))
                scope.required("arrivals", self._recorder.watch_arrivals(self._server.arrivals))
                scope.required("endings", self._recorder.watch_endings(self._server.endings))
                await asyncio.sleep(0)  # all three listen from here on
                await self._go(scope)
        finally:
            manner.is_left_alone = False
            self._over()
        return self.result

    # Cases ----------------------------------------------------------------------------------------------------------

    async def _go(self, scope: Scope) -> None:
        facts = await self._facts()
        if facts is None:
            self._stopped = self._stopped or "The charger did not answer the questions before the first case."
            return
        self.result = replace(self.result, unit=facts.unit)
        for case in self.plan.cases:
            if self._stopped:
                return
            self._current = case.id
            self._say("")
            await self._case(case, facts, scope)
            facts = self._renewed(facts)

    async def _facts(self) -> Facts | None:
        self._say("Asking what the charger offers …")
        endpoint = self._server.endpoint(self.result.identity)
        try:
            if endpoint is None:
                endpoint = await self._server.arrival(
                    self.result.identity, timeout_s=self._tempo.real(self._tempo.returns_s)
                )
            return await gather(endpoint, self.result.version)
        except AppError as error:
            self._stopped = error.message
            return None

    def _renewed(self, facts: Facts) -> Facts:
        """Take over what a new connection showed."""
        there = self._server.endpoint(facts.identity)
        if there is None:
            return facts
        return replace(facts, handshake=there.handshake, boot=there.boot or facts.boot)

    async def _case(self, case: Case, facts: Facts, scope: Scope) -> None:
        began = datetime.now(UTC)
        self._recorder.restart()
        reason, verdict = case.hindrance(facts), Verdict.NOT_APPLICABLE
        if not reason:
            reason, verdict = await self._obstacle(case), Verdict.NOT_ASKED
        if reason:
            self._keep(self._result(case, began, verdict, reason))
            return
        stage = Stage(
            server=self._server,
            facts=facts,
            recorder=self._recorder,
            prompter=self._prompter,
            tempo=self._tempo,
            say=self._say,
            tools=self._tools,
        )
        before = running(stage)
        stage.undo("sessions that began", lambda: ended(stage, before))
        try:
            outcome = await self._steps(case, stage, scope)
            await asyncio.sleep(0)  # what came with the last frame is taken in
        finally:
            self._recorder.mark(PUT_BACK)
            unrestored = await self._put_back(stage)
        self._keep(await self._judged(case, began, outcome, unrestored, scope))

    async def _obstacle(self, case: Case) -> str:
        """Return why a case can't be tried at the moment; waits for a unit that is away."""
        if self._server.endpoint(self.result.identity) is None:
            self._say("Waiting for the charger to come back …")
            real_s = self._tempo.real(self._tempo.returns_s)
            if not await self._recorder.until(lambda: self._is_there, real_s):
                return "The charger was away."
        # The state may follow the end of the last case's session by a moment.
        if case.needs_idle and not await self._recorder.until(lambda: not self._busy(), self._tempo.real(IDLE_S)):
            return f"A session runs on connector {self._busy()[0]}: end it first."
        return ""

    def _busy(self) -> list[int]:
        there = self._server.endpoint(self.result.identity)
        if there is None:
            return []
        busy = [number for number, change in there.statuses.items() if change.state in BUSY]
        if self.result.version == "1.6":
            return busy
        # After a transaction of 2.x the connector stays Occupied, and nothing more is told of it.
        running = {item.connector for item in there.transactions.values() if item.is_running}
        return [number for number in busy if number in running]

    @property
    def _is_there(self) -> bool:
        return self._server.endpoint(self.result.identity) is not None

    async def _steps(self, case: Case, stage: Stage, scope: Scope) -> BaseException | None:
        """Do the steps and return what ended them before their end."""
        work = self._work = scope.isolated(case.id, _ended_by(case, stage))
        try:
            await asyncio.wait({work}, timeout=self._budget(case))
            if not work.done():
                work.cancel()
                await asyncio.wait({work})
                return TimeoutError()
        finally:
            work.cancel()
            self._work = None
        if work.cancelled():
            return NotAsked(self._stopped or "It was interrupted.")
        return work.exception() or work.result()

    def _budget(self, case: Case) -> float:
        return max(case.budget_s * self._tempo.pace, self._tempo.least_s * 20)

    async def _put_back(self, stage: Stage) -> tuple[str, ...]:
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            self._say("Putting everything back …")
            return await stage.restoring.run(self._tempo.real(self._tempo.restores_s))
        try:
            async with asyncio.timeout(AT_THE_END_S):
                return await stage.restoring.run(AT_THE_END_S / 2)
        except TimeoutError:
            return stage.restoring.names

    # Results --------------------------------------------------------------------------------------------------------

    async def _judged(
        self, case: Case, began: datetime, outcome: BaseException | None, unrestored: Sequence[str], scope: Scope
    ) -> CaseResult:
        if isinstance(outcome, NotAsked | NotApplicable):
            verdict = Verdict.NOT_ASKED if isinstance(outcome, NotAsked) else Verdict.NOT_APPLICABLE
            return self._result(case, began, verdict, str(outcome), (), unrestored)
        if outcome is not None and not isinstance(outcome, Interrupted | TimeoutError):
            return self._result(case, began, Verdict.NOT_ASKED, f"The case itself failed: {outcome!r}"[:500])
        take = Take(self._recorder.messages, self._recorder.marks, pace=self._tempo.pace)
        judging = scope.isolated(f"judge {case.id}", _sentences(case, take))
        await asyncio.wait({judging})
        if (fault := judging.exception()) is not None:
            return self._result(case, began, Verdict.NOT_ASKED, f"The judge itself failed: {fault!r}"[:500])
        checks = (*judging.result(), *_cut_short(case, outcome))
        return self._result(case, began, verdict_of(checks), "", checks, unrestored)

    def _result(
        self,
        case: Case,
        began: datetime,
        verdict: Verdict,
        reason: str,
        checks: tuple[Check, ...] = (),
        unrestored: Sequence[str] = (),
    ) -> CaseResult:
        return CaseResult(
            case_id=case.id,
            title=case.title,
            clause=case.clause,
            verdict=verdict,
            reason=reason,
            checks=checks,
            started_at=began,
            ended_at=datetime.now(UTC),
            frames=self._recorder.frames,
            marks=tuple(self._recorder.marks),
            unrestored=tuple(unrestored),
            pace=self._tempo.pace,
        )

    def _keep(self, result: CaseResult) -> None:
        self.result = replace(self.result, results=(*self.result.results, result))
        self._store(self.result)
        self._tell()

    def _over(self) -> None:
        self._is_over = True
        self._current = self._step = ""
        self.result = replace(self.result, ended_at=datetime.now(UTC), stopped=self._stopped)
        self._store(self.result)
        self._tell()

    def _say(self, text: str) -> None:
        if text != self._step or not text:
            self._step = text
            self._tell()

    def _tell(self) -> None:
        self.latest = Progress(
            run=self.result,
            planned=self.latest.planned,
            current=self._current,
            step=self._step,
            prompt=self._prompter.prompt,
            is_over=self._is_over,
        )
        self.progress.publish(self.latest)


async def _ended_by(case: Case, stage: Stage) -> BaseException | None:
    try:
        await case.steps(stage)
    except (NotAsked, NotApplicable, Interrupted) as outcome:
        return outcome
    except AppError as error:
        return Interrupted(error.message)
    return None


async def _sentences(case: Case, take: Take) -> tuple[Check, ...]:
    return sentences(case, take)


def _cut_short(case: Case, outcome: BaseException | None) -> tuple[Check, ...]:
    if isinstance(outcome, Interrupted):
        return (replace(must("The unit stays with us through the case", False, str(outcome)), is_of_engine=True),)
    if isinstance(outcome, TimeoutError):
        late = must(f"The case is over within {case.budget_s:.0f} s", False, "it took longer")
        return (replace(late, is_of_engine=True),)
    return ()
