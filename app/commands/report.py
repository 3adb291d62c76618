"""``rehome report``: write a job's report, or list the jobs."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.commands import NOTHING, OK
from app.commands.bench import workbench
from app.commands.console import Console, table
from app.commands.work import summary
from app.report.files import write


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("job", metavar="JOB", nargs="?", help="the job's id; without it all jobs are listed")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the files (default: here)")


async def run(args: argparse.Namespace, console: Console) -> int:
    """List, or write HTML, PDF and JSON."""
    async with workbench(args, listens=False, searches=False) as bench:
        if args.job is None:
            jobs = sorted(bench.desk.jobs.values(), key=lambda job: job.created_at)
            rows = [(job.id, job.unit_title, job.state.value, f"{job.created_at:%Y-%m-%d %H:%M}") for job in jobs]
            console.result([summary(job) for job in jobs], table(("JOB", "CHARGER", "STATE", "STARTED"), rows))
            return OK if jobs else NOTHING
        report = bench.report(args.job)
    files = await write(report, args.out, f"rehome-{args.job}")
    console.result({kind: str(path) for kind, path in files.items()}, "\n".join(str(path) for path in files.values()))
    return OK
