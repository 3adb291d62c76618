"""``rehome undo``: take back what a job changed."""

from __future__ import annotations

import argparse

from app.commands import OK, UNPROVED
from app.commands.bench import add_endpoint, wait_for_job_unit, workbench
from app.commands.console import Console
from app.commands.work import summary, telling, text_of
from app.errors import AppError
from app.model.job import JobState
from app.scope import Scope


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("job", metavar="JOB", help="the job's id (rehome report lists them)")
    parser.add_argument("--wait", type=float, default=60.0, help="seconds to wait for the charger (default 60)")
    add_endpoint(parser)


async def run(args: argparse.Namespace, console: Console) -> int:
    """Restore the backup and read it back."""
    async with workbench(args) as bench:
        job = bench.desk.job(args.job)
        await wait_for_job_unit(bench, job, args.wait)
        async with Scope("undo") as scope:
            with telling(bench, job.id, scope, console):
                bench.desk.undo(job.id)
                job = await bench.desk.finished(job.id)
    console.result(summary(job), text_of(job))
    if job.state is JobState.UNDONE:
        return OK
    console.trouble(AppError(job.note or "The undo is not complete.", job.advice or "Try again when it is in reach."))
    return UNPROVED
