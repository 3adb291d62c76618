"""``rehome call``: send one command to a charger that dials our endpoint, and say what came back."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from app.commands import FAILED, NOTHING, OK, UNDECIDED, USAGE
from app.commands.bench import add_endpoint, add_listening, wait_for_unit, workbench
from app.commands.console import Console, visible
from app.errors import TimedOut
from app.jobs import overocpp
from app.model.address import OcppAddress
from app.model.unit import Unit
from app.ocpp import actions, explain, forms
from app.ocpp.actions import Situation
from app.ocpp.endpoint import Endpoint
from app.ocpp.shown import masked
from app.workbench import Workbench

LONGEST = 1_000_000
"""Characters of a payload from a file or stdin."""


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("identity", metavar="IDENTITY", help="OCPP identity under which the charger dials")
    parser.add_argument("action", metavar="ACTION", help="such as GetConfiguration, TriggerMessage, GetBaseReport")
    parser.add_argument(
        "payload", metavar="JSON", nargs="?", help="payload; - reads stdin, @FILE a file (default: the console's)"
    )
    parser.add_argument("--wait", type=float, default=60.0, help="seconds to wait for the charger (default 60)")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds to wait for the answer (default 30)")
    parser.add_argument("--reports", action="store_true", help="also collect the reports that follow (2.x)")
    parser.add_argument("--yes", action="store_true", help="send what restarts, deletes or changes the charger")
    parser.add_argument("--anyway", action="store_true", help="send what is against the standard")
    parser.add_argument("--no-backup", action="store_true", help="write a setting without keeping the old value")
    add_endpoint(parser)
    add_listening(parser)


async def run(args: argparse.Namespace, console: Console) -> int:
    """Wait for the charger, send, print the answer."""
    given, trouble = _given(args.payload)
    if trouble:
        console.progress(trouble)
        return USAGE
    async with workbench(args, searches=False) as bench:
        console.progress(f"Waiting up to {args.wait:.0f} s for “{args.identity}” at {bench.server.state.url} …")
        try:
            endpoint = await bench.server.arrival(args.identity, timeout_s=args.wait)
        except TimedOut as error:
            console.trouble(error)
            return NOTHING
        made = _start(endpoint, args.action, bench) if given is None else given
        if (refusal := _refusal(endpoint, args, made, console)) is not None:
            return refusal
        return await _send(bench, endpoint, args, made, console)


def _given(text: str | None) -> tuple[dict[str, Any] | None, str]:
    """Read the payload of the call; second, what is wrong with it."""
    if text is None:
        return None, ""
    try:
        if text == "-":
            text = sys.stdin.read(LONGEST)
        elif text.startswith("@"):
            with Path(text[1:]).open(encoding="utf-8") as file:
                text = file.read(LONGEST)
        value = json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        return None, f"The payload can't be read: {error}."
    except (ValueError, RecursionError) as error:
        return None, f"The payload is not JSON: {error}."
    return (value, "") if isinstance(value, dict) else (None, "The payload must be an object: { … }.")


def _start(endpoint: Endpoint, action: str, bench: Workbench) -> dict[str, Any]:
    """Return what the console's form starts with."""
    known, form = actions.action(endpoint.version, action), forms.form(endpoint.version, action)
    if known is None or form is None:
        return {}
    now = bench.now()
    number = int(now.timestamp()) % 1_000_000_000
    return {
        **forms.blank(form),
        **actions.start(known, Situation(now=now, number=number, root=lambda: bench.authority.root.pem)),
    }


def _refusal(endpoint: Endpoint, args: argparse.Namespace, made: dict[str, Any], console: Console) -> int | None:
    """Say what keeps the call from being sent as it is; ``None`` = nothing."""
    breaches = explain.breaches(endpoint.version, args.action, made)
    if breaches and not args.anyway:
        for breach in breaches[:20]:
            console.progress(f"Against OCPP {endpoint.version}: {breach}")
        console.progress("Correct it, or send it with --anyway.")
        return USAGE
    known = actions.action(endpoint.version, args.action)
    warning = known.warning if known is not None else ""
    if overocpp.written(args.action, made) is not None:
        warning = "The old value is not kept." if args.no_backup else "The old value is kept, the new one read back."
    if warning and not args.yes:
        console.progress(f"{warning} Say --yes to send it.")
        return UNDECIDED
    return None


async def _send(
    bench: Workbench, endpoint: Endpoint, args: argparse.Namespace, made: dict[str, Any], console: Console
) -> int:
    setting = overocpp.written(args.action, made)
    began = asyncio.get_running_loop().time()
    reports: tuple[dict[str, Any], ...] = ()
    if setting is not None and not args.no_backup:
        unit = await _unit(bench, args.identity, args.wait)
        if unit is None:
            console.progress(
                "The charger has not said who it is: no backup can be made. Say --no-backup to go without."
            )
            return UNDECIDED
        answer = await overocpp.change(bench, unit, args.identity, *setting)
    elif args.reports:
        reports = await endpoint.gather(args.action, made, timeout_s=args.timeout)
        answer = {"status": "Accepted"} if reports else {"status": "EmptyResultSet"}
    else:
        answer = await endpoint.call(args.action, made, timeout_s=args.timeout)
    took_s = asyncio.get_running_loop().time() - began
    return _tell(console, endpoint, args.action, answer, reports, took_s, is_raw=setting is None or args.no_backup)


async def _unit(bench: Workbench, identity: str, wait_s: float) -> Unit | None:
    address = OcppAddress(identity=identity)
    try:
        return await wait_for_unit(bench, lambda unit: any(way.address == address for way in unit.ways), wait_s)
    except TimeoutError:
        return None


def _tell(
    console: Console,
    endpoint: Endpoint,
    action: str,
    answer: dict[str, Any],
    reports: tuple[dict[str, Any], ...],
    took_s: float,
    *,
    is_raw: bool,
) -> int:
    statuses = explain.statuses(endpoint.version, action, answer)
    faults = explain.faults(endpoint.version, action, answer) if is_raw and not reports else []
    shown, parts = masked(answer), [masked(part) for part in reports]
    value = {
        "identity": endpoint.identity,
        "version": endpoint.version,
        "action": action,
        "answer": shown,
        "reports": parts,
        "took_s": round(took_s, 4),
        "statuses": statuses,
        "faults": faults,
    }
    lines = [json.dumps(part, indent=2, ensure_ascii=False) for part in (shown, *parts)]
    lines += [status.text for status in statuses] + [f"Against the standard: {fault}" for fault in faults]
    console.result(value, visible("\n".join(lines)))
    return FAILED if any(status.is_refusal for status in statuses) else OK
