"""``rehome standin backend``: stand in for a dead backend by DNS and on the ports that chargers dial it on."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress

from app.commands import FAILED, OK
from app.commands.bench import add_listening
from app.commands.console import Console, visible
from app.feed import Subscription
from app.model.finding import Finding
from app.model.garage import Landing, OldBackendState, Saved
from app.scope import Scope
from app.workbench import Workbench

TEXT = "stand in for a dead backend: its name by our DNS, the ports that chargers dial on our endpoint"


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    add_listening(parser)
    option = parser.add_argument
    whom = "the dead host, or the whole address as a charger dials it; can be repeated"
    option("--host", action="append", dest="hosts", required=True, metavar="NAME", help=whom)
    doors = "a port that chargers dial; can be repeated (default: the address's own, else 80 and 443)"
    option("--port", action="append", type=int, default=[], dest="ports", help=doors)
    option("--adapter", default="", help="address of the adapter to listen on (default: the best one)")
    option("--dns-port", type=int, help="another port than 53 for the name server; 0 takes any free one")
    option("--endpoint-port", type=int, default=0, help="the endpoint's own port (default: any free one)")
    option("--forward-to", default="", help="a resolver's address for all other names (default: refuse them)")
    option("--save", action="store_true", help="keep the whole configuration of each unit that lands, once")
    option("--seconds", type=float, help="stop after this time (default: until Ctrl-C)")


async def serve(bench: Workbench, args: argparse.Namespace, console: Console) -> int:
    """Stand in and print who lands, until the time is over; 1 where nothing at all could be opened."""
    desk = bench.old_backend
    await bench.start_endpoint(args.adapter, args.endpoint_port)
    desk.saver.switch(is_on=args.save)
    landed, saved, findings = desk.names.landed.subscribe(), desk.saver.saved.subscribe(), bench.findings.subscribe()
    with landed, saved, findings:
        state = await desk.names.start(args.hosts, args.ports, dns_port=args.dns_port, forward_to=args.forward_to)
        console.line({"event": "on", "state": state}, on_text(state))
        if not any(item.is_open for item in state.ports):
            return FAILED
        async with Scope("backend") as scope:
            scope.required("landed", _landed(landed, console))
            scope.required("saved", _saved(saved, console))
            refused = scope.required("refused", _refused(findings, console))
            with suppress(TimeoutError):
                async with asyncio.timeout(args.seconds):
                    await refused
    return OK


async def _landed(landings: Subscription[Landing], console: Console) -> None:
    async for landing in landings:
        console.line({"event": "landed", "landing": landing}, landing_line(landing))


async def _saved(saved: Subscription[Saved], console: Console) -> None:
    async for item in saved:
        console.line({"event": "saved", "saved": item}, saved_line(item))


async def _refused(findings: Subscription[Finding], console: Console) -> None:
    """Say what else can be tried with a unit that checks the certificate."""
    from app.diagnosis.catalogue import explain

    async for finding in findings:
        if finding.code == "OLD-BACKEND" and finding.details.get("case"):
            text = explain(finding)
            console.line({"event": "finding", "finding": finding}, visible(f"! {text.title}. {text.remedy}"))


def on_text(state: OldBackendState) -> str:
    """Say what is stood in for, and what could not be opened."""
    lines = [f"stands in for {', '.join(state.names)}"]
    lines += [f"  port {item.port} leads to the endpoint" for item in state.ports if item.is_open]
    lines += [f"! {item.trouble} {item.advice}" for item in state.ports if not item.is_open]
    if state.dns.is_on:
        lines.append(f"  DNS listens on {state.dns.host}:{state.dns.port} — Ctrl-C ends.")
    else:
        lines.append(f"! DNS: {state.dns.trouble} {state.dns.advice}")
        lines.append(f"  The site's own router can answer instead: rehome standin recipes --name {state.names[0]}")
    return visible("\n".join(lines))


def landing_line(landing: Landing) -> str:
    """Lay out who landed for a terminal."""
    knows = f", {landing.knows}" if landing.knows else ""
    who = landing.identity or "a charger"
    how = f"refused our certificate: {landing.refusal}" if landing.refusal else f"dials {landing.url}"
    line = f"{landing.at:%H:%M:%S} {landing.remote} {who} {how} ({landing.told_by}: {landing.name}{knows})"
    return visible(line).replace("\n", " ")


def saved_line(saved: Saved) -> str:
    """Lay out what became of saving a unit."""
    told = f"! not saved: {saved.trouble} {saved.advice}" if saved.trouble else f"saved, {saved.settings} settings"
    return visible(f"{saved.at:%H:%M:%S} {saved.identity} {told}").replace("\n", " ")
