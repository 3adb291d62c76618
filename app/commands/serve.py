"""``rehome serve``: run the endpoint and show everything that speaks to it."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress

from app.commands import OK
from app.commands.bench import add_endpoint, add_listening, workbench
from app.commands.cards import add_cards, show_cards, use_cards
from app.commands.console import Console, visible
from app.diagnosis.catalogue import explain
from app.model.finding import Finding
from app.model.frame import Direction, Frame, Knock
from app.scope import Scope
from app.workbench import Workbench


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("--seconds", type=float, help="stop after this time (default: until Ctrl-C)")
    parser.add_argument("--width", type=int, default=200, help="cut frames to this many characters (0 = whole)")
    add_endpoint(parser)
    add_listening(parser)
    add_cards(parser)


async def run(args: argparse.Namespace, console: Console) -> int:
    """Listen until told to stop."""
    async with workbench(args, searches=False) as bench:
        await use_cards(bench, args, console)
        state = bench.server.state
        urls = " or ".join(f"{url}<identity>" for url in (state.url, state.secure_url) if url)
        console.progress(f"Chargers can dial {urls} — Ctrl-C ends.")
        console.line({"event": "listening", "state": state, "plan": bench.server.plan}, f"listening on {state.url}")
        async with Scope("serve") as scope:
            scope.required("frames", _frames(bench, console, args.width))
            scope.required("findings", _findings(bench, console))
            scope.required("knocks", _knocks(bench, console))
            scope.required("cards", show_cards(bench, console))
            with suppress(TimeoutError):
                async with asyncio.timeout(args.seconds):
                    await asyncio.Event().wait()
    return OK


async def _frames(bench: Workbench, console: Console, width: int) -> None:
    with bench.frames.subscribe() as frames:
        async for frame in frames:
            console.line({"event": "frame", "frame": frame}, frame_line(frame, width))


async def _findings(bench: Workbench, console: Console) -> None:
    with bench.findings.subscribe() as findings:
        async for finding in findings:
            console.line({"event": "finding", "finding": finding}, finding_line(finding))


async def _knocks(bench: Workbench, console: Console) -> None:
    with bench.server.knocks.subscribe() as knocks:
        async for knock in knocks:
            console.line({"event": "knock", "knock": knock}, knock_line(knock))


def frame_line(frame: Frame, width: int) -> str:
    """Lay out a frame for a terminal; ``width`` 0 keeps all of it."""
    arrow = "→" if frame.direction is Direction.IN else "←"
    text = visible(frame.text or repr(frame.raw))
    return f"{frame.at:%H:%M:%S.%f} {visible(frame.identity)} {arrow} {text[: width or None]}"


def finding_line(finding: Finding) -> str:
    """Lay out a finding with its remedy for a terminal."""
    words = explain(finding)
    proof = "; ".join(f"{item.label}: {item.text}" for item in finding.evidence)
    return visible(f"! {finding.code} {words.title} — {words.remedy} [{proof}]").replace("\n", " ")


def knock_line(knock: Knock) -> str:
    """Lay out a knock for a terminal."""
    offer = knock.hello
    tls = f" [{offer.versions[0] if offer.versions else 'TLS'}, SNI {offer.server_name or 'none'}]" if offer else ""
    return visible(f"* {knock.remote} → {knock.local}: {knock.text}{tls}").replace("\n", " ")
