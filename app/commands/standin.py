"""``rehome standin``: stand in for what a garage lacks, and show who asks."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress

from app.commands import OK
from app.commands.bench import workbench
from app.commands.console import Console, visible
from app.model.garage import Asked, Stand, StandState
from app.scope import Scope
from app.workbench import Workbench


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parts = parser.add_subparsers(dest="part", required=True, metavar="SERVICE")
    dns = parts.add_parser("dns", help="answer chosen names with our address")
    _add_running(dns)
    dns.add_argument("--set", action="append", default=[], dest="sets", help="a ready set of names; can be repeated")
    dns.add_argument("--name", action="append", default=[], help="a name (or *.domain) that gets our address")
    dns.add_argument("--refuse", action="append", default=[], help="a name (or *.domain) that does not exist")
    dns.add_argument("--forward-to", default="", help="a resolver's address for all other names (default: refuse them)")


def _add_running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="", help="address of the adapter to listen on (default: the best one)")
    parser.add_argument("--port", type=int, help="another port than the usual one; 0 takes any free one")
    parser.add_argument("--seconds", type=float, help="stop after this time (default: until Ctrl-C)")


async def run(args: argparse.Namespace, console: Console) -> int:
    """Do what the part says."""
    async with workbench(args, listens=False, searches=False) as bench:
        bench.garage.choose(args.sets, names=args.name, refused=args.refuse, forward_to=args.forward_to)
        state = await bench.garage.start(Stand.DNS, host=args.host, port=args.port)
        console.line({"event": "on", "state": state}, _on(state))
        await _show(bench, args.seconds, console)
    return OK


async def _show(bench: Workbench, seconds: float | None, console: Console) -> None:
    async with Scope("standin") as scope:
        scope.required("asked", _asked(bench, console))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.Event().wait()


async def _asked(bench: Workbench, console: Console) -> None:
    with bench.garage.asked.subscribe() as questions:
        async for asked in questions:
            console.line({"event": "asked", "asked": asked}, asked_line(asked))


def _on(state: StandState) -> str:
    return f"{state.stand.value} listens on {state.host}:{state.port} — Ctrl-C ends."


def asked_line(asked: Asked) -> str:
    """Lay out a question for a terminal."""
    knows = f"  ({asked.knows})" if asked.knows else ""
    words = f"{asked.at:%H:%M:%S} {asked.client} asks {asked.kind} {asked.name} → {asked.answer}{knows}"
    return visible(words).replace("\n", " ")
