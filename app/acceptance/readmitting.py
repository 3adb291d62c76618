"""Accept a unit again whose Boot a case left unanswered as it wished: held back, it would fail every later case."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from app.errors import AppError

if TYPE_CHECKING:
    from app.acceptance.stage import Stage

ASKED_S = 8.0
"""How long a Boot that is asked for may take [OURS]; most units say it before they answer."""
BACK_S = 40.0
"""How long a unit whose connection is closed may take to dial and say Boot [OURS]."""


async def readmitted(stage: Stage) -> str:
    """See to it that a unit is registered: ask for its Boot, else let it dial anew. Returns what is wrong, in words.

    Some units never say Boot again once it was answered Pending or Rejected (found with a virtual charge point).
    """
    there = stage.connection
    if there is None or there.is_ready:
        return ""
    manner = stage.manner
    early, manner.speaks_early = manner.speaks_early, True
    try:
        with suppress(AppError):
            await there.trigger("BootNotification")
        if await stage.until(lambda: is_ready(stage), ASKED_S):
            return ""
    finally:
        manner.speaks_early = early
    closed_at = stage.now()
    await stage.drop()
    if await stage.until(lambda: is_ready(stage, closed_at), BACK_S):
        return ""
    return "the unit did not say Boot again, so that it is not accepted"


def is_ready(stage: Stage, since: datetime | None = None) -> bool:
    """Say whether commands go out at once, on a connection that was opened after a moment."""
    there = stage.connection
    return there is not None and there.is_ready and (since is None or there.opened_at > since)
