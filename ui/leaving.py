"""Ask before the program ends while a job runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from app.model.job import Job
from ui.dialogs import Button, ask
from ui.i18n import translate
from ui.tasks import Tasks

if TYPE_CHECKING:
    from app.workbench import Workbench


def running(bench: Workbench) -> list[Job]:
    """List the jobs somebody works on now."""
    return [bench.desk.job(job_id) for job_id in bench.desk.running]


async def may_leave(window: QWidget, bench: Workbench, again: asyncio.Event) -> bool:
    """Say whether the program may end now. ``again`` is set when closing is asked for once more: end at once."""
    jobs = running(bench)
    if not jobs:
        return True
    names = ", ".join(job.unit_title for job in jobs)
    text = translate(
        "Rehome is working on {names}. Everything done so far is on disk and the job can be resumed. "
        "Finishing the step first leaves the charger in a settled state."
    ).format(names=names)
    answers = (
        Button(key="finish", text=translate("Finish the step, then quit"), role="primary"),
        Button(key="stop", text=translate("Stop now")),
        Button(key="stay", text=translate("Stay")),
    )
    answer = await ask(window, translate("A job is running"), text, answers, icon_name="hourglass", tone="working")
    if answer == "finish":
        await _finish(window, bench, jobs, again)
        return True
    return answer == "stop"


async def _finish(window: QWidget, bench: Workbench, jobs: list[Job], again: asyncio.Event) -> None:
    """Wait until every job stands at its safe point, or until closing is asked for again."""
    tasks = Tasks(window)
    waiting = [tasks.start("pause", bench.desk.pause(job.id)) for job in jobs]
    impatience = tasks.start("impatience", again.wait())
    pausing = tasks.start("pausing", _all(waiting))
    await asyncio.wait({impatience, pausing}, return_when=asyncio.FIRST_COMPLETED)
    await tasks.stop()


async def _all(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)
