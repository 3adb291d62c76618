"""``rehome apply``: move a charger to a backend, step by step, and prove it."""

from __future__ import annotations

import argparse

from app.commands import USAGE
from app.commands.bench import add_endpoint, find_unit, wait_for_job_unit, workbench
from app.commands.console import Console
from app.commands.work import Answers, add_backend, backend_of, drive, outcome, password_of, problems_of
from app.jobs.stepping import backend_entry
from app.model.backend import Backend
from app.model.job import StepKind
from app.model.secret import Secret
from app.workbench import Workbench


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("unit", metavar="CHARGER", nargs="?", help="id, serial number, OCPP identity, address or port")
    add_backend(parser, required=False)
    parser.add_argument("--resume", metavar="JOB", help="go on with a job instead of starting one")
    parser.add_argument("--wait", type=float, default=60.0, help="seconds to wait for the charger (default 60)")
    parser.add_argument(
        "--yes", action="store_true", help="accept what the plan names: one-way doors, and writes nobody has proved"
    )
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        choices=[StepKind.PROVE.value, StepKind.SESSION.value],
        help="leave a step out when it can't be done here",
    )
    add_endpoint(parser)


async def run(args: argparse.Namespace, console: Console) -> int:
    """Do the job as far as the call decides it."""
    if bool(args.unit) == bool(args.resume):
        console.progress("Name a charger, or a job with --resume.")
        return USAGE
    secret = password_of(args)
    backend = _backend(args, secret, console)
    if args.unit and backend is None:
        return USAGE
    skips = frozenset(StepKind(name) for name in args.skip)
    async with workbench(args) as bench:
        job_id = await _job(bench, args, console)
        if secret and args.resume:
            bench.vault.set(backend_entry(job_id), secret)
        console.progress(f"Job {job_id}. Ctrl-C stops it at a safe point; “rehome apply --resume {job_id}” goes on.")
        answers = Answers(backend=backend, accepts_doors=args.yes, skips=skips)
        job = await drive(bench, job_id, answers, console)
    return outcome(job, console)


def _backend(args: argparse.Namespace, secret: Secret, console: Console) -> Backend | None:
    if not args.url or not args.identity:
        if args.unit:
            console.progress("Give --url and --identity of the new backend.")
        return None
    backend = backend_of(args, secret)
    problems = problems_of(backend)
    for problem in problems:
        console.progress(f"--{problem.field.replace('_', '-')}: {problem.message}")
    return None if any(problem.blocks for problem in problems) else backend


async def _job(bench: Workbench, args: argparse.Namespace, console: Console) -> str:
    if not args.resume:
        unit = await find_unit(bench, args.unit, wait_s=args.wait, console=console)
        return bench.desk.create(unit.unit_id).id
    job = bench.desk.job(args.resume)
    await wait_for_job_unit(bench, job, args.wait)
    return job.id
