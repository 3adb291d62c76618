"""End the sessions that began in a case and go on after it: they would keep every later case from its turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.errors import AppError

if TYPE_CHECKING:
    from app.acceptance.stage import Stage

END_S = 15.0
"""How long the end of one session may take after the stop [OURS]."""


def running(stage: Stage) -> frozenset[int | str]:
    """Return the sessions that run as far as the books know."""
    there = stage.connection
    return (
        frozenset() if there is None else frozenset(key for key, item in there.transactions.items() if item.is_running)
    )


async def ended(stage: Stage, before: frozenset[int | str]) -> str:
    """Stop what runs and did not run ``before``. Returns what could not be stopped, in words."""
    problems = []
    for number in sorted(running(stage) - before, key=str):
        there = stage.connection
        if there is None:
            break
        try:
            status = await there.stop(number)
        except AppError as error:
            problems.append(error.message)
            continue
        if status != "Accepted":
            problems.append(f"the stop of session {number} was answered {status}")
        else:
            await stage.until(lambda number=number: number not in running(stage), END_S)  # type: ignore[misc]
    return "; ".join(problems)
