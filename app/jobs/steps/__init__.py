"""One file per step; each is a coroutine over a StepRun.

A step returns when it is done, returns ``Skipped`` where the unit does not need or offer it, raises StepBlocked when a
person must act first, and any other AppError when it failed. Every step may be run again: it reads what is and does
only what is missing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from app.jobs.stepping import Skipped, StepRun
from app.jobs.steps import apply, backup, choose, handover, identify, plan, prove, restart, session, switch
from app.model.job import StepKind

STEP_RUNS: Mapping[StepKind, Callable[[StepRun], Awaitable[Skipped | None]]] = {
    StepKind.IDENTIFY: identify.run,
    StepKind.BACK_UP: backup.run,
    StepKind.CHOOSE: choose.run,
    StepKind.PLAN: plan.run,
    StepKind.APPLY: apply.run,
    StepKind.RESTART: restart.run,
    StepKind.PROVE: prove.run,
    StepKind.SWITCH: switch.run,
    StepKind.SESSION: session.run,
    StepKind.HAND_OVER: handover.run,
}
