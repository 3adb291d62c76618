"""``rehome find``: list the chargers in reach."""

from __future__ import annotations

import argparse
import asyncio

from app.commands import NOTHING, OK
from app.commands.bench import add_endpoint, workbench
from app.commands.console import Console, table
from app.errors import AppError, PortInUse
from app.model.frame import SourceHealth
from app.model.unit import Unit
from app.workbench import Workbench


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to look and listen (default 5)")
    parser.add_argument("--add", action="append", default=[], metavar="ADDRESS", help="also ask this address or port")
    parser.add_argument("--no-search", action="store_true", help="ask only what --add names, and who dials in")
    add_endpoint(parser)


async def run(args: argparse.Namespace, console: Console) -> int:
    """Look, listen, list."""
    async with workbench(args, listens=False, searches=not args.no_search) as bench:
        await look(bench, args, console)
        units = sorted(bench.finder.units.values(), key=lambda unit: unit.title)
        present = [unit for unit in units if unit.is_present]
        for state in bench.finder.sources.values():
            if state.health in (SourceHealth.FAILED, SourceHealth.LIMITED):
                console.progress(f"{state.source}: {state.text} {state.advice}")
    console.result(present, listing(present))
    return OK if present else NOTHING


async def look(bench: Workbench, args: argparse.Namespace, console: Console) -> None:
    """Listen where possible, ask the addresses of ``--add``, and watch for ``--seconds``."""
    await _listen_if_possible(bench, args, console)
    for address in args.add:
        try:
            await bench.finder.add(address)
        except AppError as error:
            console.trouble(error, is_final=False)
    await _watch(bench, args.seconds, console)


def listing(units: list[Unit]) -> str:
    """Lay out units as a table for a terminal."""
    if not units:
        return "No charger found. Check power and network, connect by cable, or give an address with --add."
    rows = [
        (
            unit.unit_id,
            unit.title,
            unit.identity.firmware,
            unit.adoption.value,
            unit.state,
            ", ".join(sorted({way.source.value for way in unit.ways if way.is_present})),
            ", ".join(str(way.address) for way in unit.ways if way.is_present),
        )
        for unit in units
    ]
    return table(("ID", "CHARGER", "FIRMWARE", "SERVES", "STATE", "SEEN BY", "ADDRESS"), rows)


async def _listen_if_possible(bench: Workbench, args: argparse.Namespace, console: Console) -> None:
    try:
        state = await bench.start_endpoint(args.host, args.port)
    except PortInUse as error:
        console.progress(f"{error.message} Chargers that dial in will not be seen. {error.advice}")
    else:
        console.progress(f"Listening for chargers on {state.url}")


async def _watch(bench: Workbench, seconds: float, console: Console) -> None:
    seen: set[str] = set()
    with bench.finder.changes.subscribe() as changes:
        try:
            async with asyncio.timeout(seconds):
                async for change in changes:
                    if change.unit.identity.profile_id and change.unit.unit_id not in seen:
                        seen.add(change.unit.unit_id)
                        console.progress(f"Found {change.unit.title}")
        except TimeoutError:
            return
