"""``rehome triage``: say of every charger in reach whether and how it can be saved. Writes nothing to any of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from app.commands import NOTHING, OK, USAGE
from app.commands.bench import add_endpoint, workbench
from app.commands.console import Console, table
from app.commands.find import look
from app.commands.work import add_backend, backend_of, password_of, problems_of
from app.model.backend import Backend
from app.model.triage import Judgement
from app.workbench import Workbench


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to look and listen (default 10)")
    parser.add_argument("--add", action="append", default=[], metavar="ADDRESS", help="also ask this address or port")
    parser.add_argument(
        "--lan",
        nargs="?",
        const="",
        metavar="RANGE",
        help="also ask every address of this computer's own network, or of a part of it",
    )
    parser.add_argument("--no-search", action="store_true", help="ask only what --add names, and who dials in")
    parser.add_argument("--site", default="this site", help="the site's name, for the file")
    parser.add_argument(
        "--out", action="append", type=Path, default=[], metavar="FILE", help="write .html, .csv, .xlsx or .json"
    )
    add_backend(parser, required=False)
    add_endpoint(parser)


async def run(args: argparse.Namespace, console: Console) -> int:
    """Look, ask, judge, tell."""
    wanted = _wanted(args, console)
    if args.url and wanted is None:
        return USAGE
    async with workbench(args, listens=False, searches=not args.no_search) as bench:
        await look(bench, args, console)
        judgements = await _judged(bench, wanted, console)
        for path in args.out:
            await bench.save_triage(judgements, path, site=args.site)
            console.progress(f"Written: {path}")
    console.result(judgements, listing(judgements))
    return OK if judgements else NOTHING


def _wanted(args: argparse.Namespace, console: Console) -> Backend | None:
    if not args.url:
        return None
    args.identity = args.identity or ""
    backend = backend_of(args, password_of(args))
    problems = [item for item in problems_of(backend) if item.blocks and item.field != "identity"]
    for problem in problems:
        console.progress(f"--{problem.field.replace('_', '-')}: {problem.message}")
    return None if problems else backend


async def _judged(bench: Workbench, wanted: Backend | None, console: Console) -> Sequence[Judgement]:
    units = sorted((unit for unit in bench.finder.units.values() if unit.is_present), key=lambda unit: unit.title)

    def told(done: int, total: int, found: Judgement) -> None:
        console.progress(f"{done} of {total}: {found.unit.title}: {found.headline}")

    return bench.triage.completed(await bench.triage.assess(units, wanted, progress=told))


def listing(judgements: Sequence[Judgement]) -> str:
    """Lay out verdicts as a table for a terminal."""
    if not judgements:
        return "No charger found. Check power and network, connect by cable, or give an address with --add."
    rows = [
        (
            item.unit.title,
            item.family,
            item.unit.identity.firmware,
            "Done already" if item.is_done else item.headline,
            item.first[0] if item.first else (item.grounds[0].text if item.grounds else ""),
            item.grade.value,
        )
        for item in judgements
    ]
    return table(("CHARGER", "FAMILY", "FIRMWARE", "VERDICT", "FIRST / WHY", "EVIDENCE"), rows)
