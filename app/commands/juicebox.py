"""``rehome juicebox``: listen for Wi-Fi JuiceBoxes, say how they stand, and let them charge within their limits."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress

from app.commands import NOTHING, OK
from app.commands.bench import workbench
from app.commands.console import Console, visible
from app.commands.standin import common
from app.errors import ValueRejected
from app.model.juicebox import BoxState, PeerState
from app.workbench import Workbench


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    listen = _part(parts, "listen", "show every box that sends to us, and what changes")
    listen.add_argument("--seconds", type=float, help="stop after this time (default: until Ctrl-C)")
    adopt = _box(parts, "adopt", "enter a box's circuit limit; from then on it may be told what it may draw")
    adopt.add_argument("--circuit", type=float, required=True, help="highest continuous current of the circuit, in A")
    adopt.add_argument("--rating", type=float, help="the rating on its label, in A, where the box does not tell it")
    adopt.add_argument(
        "--revive", action="store_true", help="it was left at 0 A and shall charge again; the owner has agreed"
    )
    adopt.add_argument(
        "--ignore-known-limits", action="store_true", help="limits it reported do not come from its wiring; checked"
    )
    adopt.add_argument("--allow", type=float, help="what it may draw now, in A (default: all that its limits allow)")
    allow = _box(parts, "allow", "let an adopted box draw a current")
    allow.add_argument("amps", type=float, help="in A; below 6 it does not charge")
    _box(parts, "withdraw", "send a box nothing more: it falls back to the limit it holds itself")


def _part(parts: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str) -> argparse.ArgumentParser:
    parser = parts.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    common(parser)
    parser.add_argument("--host", default="", help="address of the adapter to listen on (default: the best one)")
    parser.add_argument("--port", type=int, action="append", help="another UDP port than the usual ones; repeatable")
    return parser


def _box(parts: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str) -> argparse.ArgumentParser:
    parser = _part(parts, name, text)
    parser.add_argument("box", help="the box's serial number")
    parser.add_argument("--wait", type=float, default=90.0, help="seconds to wait until it is heard (default: 90)")
    return parser


async def run(args: argparse.Namespace, console: Console) -> int:
    """Do what the part says."""
    async with workbench(args, listens=False, searches=False) as bench:
        ports = {"ports": tuple(args.port)} if args.port else {}
        state = await bench.juice.start(args.host, **ports)
        _tell_ports(state, console)
        if args.part == "listen":
            return await _listen(bench, console, args.seconds)
        if not await _heard(bench, args.box, args.wait, console):
            console.result(None, f"JuiceBox {visible(args.box)} was not heard within {args.wait:.0f} s.")
            return NOTHING
        _change(bench, args)
        box = bench.juice.boxes[args.box]
        console.result(box, box_line(box))
    return OK


def _change(bench: Workbench, args: argparse.Namespace) -> None:
    if args.part == "withdraw":
        bench.juice.withdraw(args.box)
    elif args.part == "allow":
        bench.juice.allow(args.box, args.amps)
    else:
        if bench.juice.is_locked(args.box) and not args.revive:
            raise ValueRejected(
                "This box was left at 0 A by its former backend.",
                "Where the owner wants it to charge again, say so with --revive; anybody can then charge there.",
            )
        adoption = bench.juice.propose(
            args.box,
            args.circuit,
            rating_a=args.rating,
            is_revived=args.revive,
            lifts_known=args.ignore_known_limits,
        )
        bench.juice.adopt(adoption, allowed_a=args.allow)


async def _listen(bench: Workbench, console: Console, seconds: float | None) -> int:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            with bench.juice.states.subscribe() as states:
                async for state in states:
                    console.line({"event": "box", "box": state}, box_line(state))
    return OK if bench.juice.boxes else NOTHING


async def _heard(bench: Workbench, box_id: str, wait_s: float, console: Console) -> bool:
    console.progress(f"Waiting up to {wait_s:.0f} s for JuiceBox {box_id} …")
    with bench.juice.states.subscribe() as states, suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            while (known := bench.juice.boxes.get(box_id)) is None or known.report is None:
                await anext(states)
    return box_id in bench.juice.boxes


def _tell_ports(state: PeerState, console: Console) -> None:
    console.progress(f"Listening on {state.host}, UDP {', '.join(str(port) for port in state.ports)}.")
    for trouble in state.troubles:
        console.progress(f"! {trouble.message} {trouble.advice}")


def box_line(state: BoxState) -> str:
    """Lay out a box for a terminal."""
    report = state.report
    parts = [f"{state.last_heard:%H:%M:%S} {state.box_id} at {state.address}:"]
    if state.is_encrypted:
        parts.append("encrypted; restart it while its directory is blocked")
    if report is not None:
        parts.append(report.mode.name.lower() if report.mode is not None else "state not told")
        figures = ((report.voltage_v, "V"), (report.current_a, "A"), (report.lifetime_wh, "Wh"))
        parts += [f"{value:g} {unit}" for value, unit in figures if value is not None]
    if state.is_locked:
        parts.append("held at 0 A by its former backend")
    parts.append("nothing is sent" if state.allowed_a is None else f"told {state.allowed_a:g} A")
    if state.waits_until is not None and state.wanted_a is not None:
        parts.append(f"{state.wanted_a:g} A from {state.waits_until:%H:%M:%S}")
    if state.is_absent:
        parts.append("not heard any more")
    return visible(" ".join((parts[0], ", ".join(parts[1:]))))
