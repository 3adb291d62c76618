"""``rehome find``: list the chargers in reach."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress

from app.commands import NOTHING, OK
from app.commands.bench import add_endpoint, workbench
from app.commands.console import Console, table
from app.errors import AppError, PortInUse
from app.model.frame import SourceHealth
from app.model.unit import Unit
from app.scope import Scope
from app.workbench import Workbench


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to look and listen (default 5)")
    parser.add_argument("--add", action="append", default=[], metavar="ADDRESS", help="also ask this address or port")
    parser.add_argument(
        "--lan",
        nargs="?",
        const="",
        metavar="RANGE",
        help="also ask every address of this computer's own network, or of a part of it (192.168.1.10-60)",
    )
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
    if args.lan is None:
        await _watch(bench, args.seconds, console)
    else:
        await _search(bench, args.lan, args.seconds, console)


async def _search(bench: Workbench, text: str, seconds: float, console: Console) -> None:
    """Ask every address of a range while watching, and wait until all who answer are known."""
    wanted = bench.searches.lan.span(text, adapter="" if text else bench.adapter_address)
    console.progress(f"Asking {len(wanted.hosts)} addresses, {wanted.title}. None of these calls can change a charger:")
    for asked in bench.searches.lan.asks():
        console.progress(f"  {asked.where}: {', '.join(asked.calls)} ({asked.title})")
    async with Scope("find") as scope:
        scope.isolated("progress", _tell(bench, console))
        scope.isolated("found", _announce(bench, console))
        await asyncio.sleep(0)  # both listen from here on
        bench.searches.lan.start(wanted)
        await bench.searches.lan.finished()
        await asyncio.sleep(max(seconds - bench.searches.lan.progress.took_s, 0.0))
    progress = bench.searches.lan.progress
    strangers = [item.host for item in bench.searches.lan.answers if not item.unit_id]
    console.progress(
        f"{progress.done} of {progress.total} addresses asked in {progress.took_s:.1f} s"
        f" ({progress.rate:.0f} connections/s), {progress.answering} answered."
    )
    if progress.trouble:
        console.progress(progress.trouble)
    if strangers:
        console.progress(f"No charger Rehome knows: {', '.join(strangers)}")


async def _tell(bench: Workbench, console: Console) -> None:
    with bench.searches.lan.changes.subscribe() as changes:
        told = 0
        async for progress in changes:
            share = 10 * progress.done // max(progress.total, 1)
            if progress.is_running and share > told:
                told = share
                console.progress(f"{progress.done} of {progress.total} asked, about {progress.left_s:.0f} s left")


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
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await _announce(bench, console)


async def _announce(bench: Workbench, console: Console) -> None:
    """Name each charger once, when it is known, until cancelled."""
    seen: set[str] = set()
    with bench.finder.changes.subscribe() as changes:
        async for change in changes:
            if change.unit.identity.profile_id and change.unit.unit_id not in seen:
                seen.add(change.unit.unit_id)
                console.progress(f"Found {change.unit.title}")
