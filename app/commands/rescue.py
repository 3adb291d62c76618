"""``rehome rescue``: answer a charger's queue for its dead backend until it is dry, and save its sessions."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.commands import NOTHING, OK, UNPROVED
from app.commands.bench import add_endpoint, add_listening, workbench
from app.commands.console import Console, table
from app.errors import TimedOut
from app.model.unit import Unit
from app.rescue.desk import Patience
from app.rescue.draining import Drained
from app.rescue.files import Ledger

if TYPE_CHECKING:
    from app.workbench import Workbench

_HEAD = ("CARD", "BEGAN", "ENDED", "ENERGY", "STATE", "KEPT")


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    usual = Patience()
    parser.add_argument("identity", metavar="IDENTITY", help="OCPP identity under which the charger dials")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to write CSV and JSON (default: the archive)")
    parser.add_argument(
        "--quiet-for",
        type=float,
        default=usual.quiet_s,
        metavar="SECONDS",
        help=f"so long without an old message and the queue counts as empty (default {usual.quiet_s:.0f})",
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=usual.longest_s,
        metavar="SECONDS",
        help=f"the longest to go on for (default {usual.longest_s:.0f})",
    )
    parser.add_argument(
        "--wait", type=float, default=usual.return_s, help=f"seconds to wait until it dials (default {usual.return_s})"
    )
    parser.add_argument("--stored", action="store_true", help="listen to nobody; save what was recorded earlier")
    add_endpoint(parser)
    add_listening(parser)


async def run(args: argparse.Namespace, console: Console) -> int:
    """Drain, save, tell."""
    async with workbench(args, listens=not args.stored, searches=False) as bench:
        drained = None if args.stored else await _drained(bench, args, console)
        if drained is None and not args.stored:
            return NOTHING
        return await _saved(bench, args, console, drained)


async def _drained(bench: Workbench, args: argparse.Namespace, console: Console) -> Drained | None:
    """Wait for the charger and its queue; ``None`` where it never dialled."""
    desk = bench.rescue
    desk.patience = replace(desk.patience, quiet_s=args.quiet_for, longest_s=args.patience, return_s=args.wait)
    console.progress(f"Waiting up to {args.wait:.0f} s for “{args.identity}” at {bench.server.state.url} …")

    def tell(now: Drained) -> None:
        stuck = f"; stuck on {now.stuck}" if now.stuck else ""
        console.progress(f"  {now.messages} kept messages taken{stuck}")

    try:
        return await desk.empty(bench.server, args.identity, tell)
    except TimedOut as error:
        console.trouble(error)
        return None


async def _saved(bench: Workbench, args: argparse.Namespace, console: Console, drained: Drained | None) -> int:
    serial = next((unit.identity.serial for unit in bench.finder.units.values() if _is(unit, args.identity)), "")
    is_dry = drained is not None and drained.is_dry
    ledger = await bench.rescue.ledger(args.identity, serial=serial, is_dry=is_dry)
    paths = await bench.rescue.save(ledger, args.out) if ledger.sessions else ()
    value = {
        "identity": ledger.identity,
        "is_dry": is_dry,
        "stuck": drained.stuck if drained is not None else "",
        "messages": drained.messages if drained is not None else 0,
        "energy_wh": ledger.energy_wh,
        "kept": len(ledger.kept),
        "kept_wh": ledger.kept_wh,
        "files": [str(path) for path in paths],
        "sessions": bench.rescue.rows(ledger),
    }
    console.result(value, _text(bench, ledger, drained, [str(path) for path in paths]))
    if drained is not None and not is_dry:
        return UNPROVED
    return OK if drained is not None or ledger.sessions else NOTHING


def _is(unit: Unit, identity: str) -> bool:
    return any(str(way.address) == f"ocpp:{identity}" for way in unit.ways)


def _text(bench: Workbench, ledger: Ledger, drained: Drained | None, paths: list[str]) -> str:
    lines = []
    if ledger.sessions:
        cells = [
            (row["card"], row["started_at"], row["stopped_at"], _kwh(row["energy_wh"]), row["state"], _kept(row))
            for row in bench.rescue.rows(ledger)
        ]
        lines += [table(_HEAD, cells), ""]
    lines.append(
        f"{len(ledger.sessions)} sessions, {ledger.energy_wh / 1000:.3f} kWh; {len(ledger.kept)} of them "
        f"({ledger.kept_wh / 1000:.3f} kWh) were kept for a backend that was not there."
    )
    lines += paths
    if drained is not None:
        lines.append(_state(drained))
    return "\n".join(lines)


def _state(drained: Drained) -> str:
    if drained.is_dry and drained.stuck:
        return f"Its queue is empty. {drained.stuck} came again and again; it was kept, then refused, and it went on."
    if drained.is_dry:
        return "Its queue is empty."
    if drained.stuck:
        return (
            f"Stuck: it sends {drained.stuck} again and again, answered or refused (PAST-QUEUE). Restart the "
            "charger; if it goes on, lower its number of attempts (TransactionMessageAttempts, MessageAttempts)."
        )
    return "Its queue was not empty yet: run this again while it is connected."


def _kwh(energy_wh: float | None) -> str:
    return f"{energy_wh / 1000:.3f} kWh" if energy_wh is not None else "unknown"


def _kept(row: dict[str, Any]) -> str:
    return "yes" if row["is_replayed"] else ""
