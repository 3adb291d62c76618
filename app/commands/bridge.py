"""``rehome bridge``: make charge points of units that can't speak to a backend themselves, for good."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from app.commands import FAILED, NOTHING, OK, USAGE
from app.commands.console import Console, table
from app.errors import SiteError
from app.service import installing, logs
from app.service.reading import load
from app.service.site import SitePlan

log = logging.getLogger(__name__)

ASK_S = 5.0
"""How long a running bridge may take to tell its status."""
STATUS_BYTES = 50_000_000


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument(
        "what",
        nargs="?",
        choices=("run", "release", "install", "uninstall", "export"),
        default="run",
        help="run it (default); let all boxes charge freely again; print how the system starts it for good, or no "
        "more; write a site file from what was chosen in the window",
    )
    parser.add_argument("--config", type=Path, default=Path("site.toml"), help="the site file (TOML; docs/bridge.md)")
    parser.add_argument("--check", action="store_true", help="read the file, tell all that is wrong with it, and end")
    parser.add_argument("--status", action="store_true", help="ask the bridge that runs how it stands")
    parser.add_argument("--as", dest="kind", choices=installing.KINDS, help="install: for this system (default: ours)")
    parser.add_argument("--unit-file", type=Path, help="install: write the system's file here")
    parser.add_argument("--service", choices=("install", "remove", "run"), help="Windows: the service itself")
    parser.add_argument("--to", type=Path, help="export: into this folder")
    parser.add_argument("--log", choices=("lines", "json"), default="lines", help="how the log is written")
    parser.add_argument("--log-file", type=Path, help="write the log to this file, turned over at 5 MB")
    parser.add_argument("--seconds", type=float, help="stop after this time (default: until told to)")


async def run(args: argparse.Namespace, console: Console) -> int:
    """Do what is asked."""
    if args.service:
        from app.service import windows

        return await asyncio.to_thread(windows.act, args.service, args.config.absolute())
    if args.check:
        return _check(args.config, console)
    if args.what == "export":
        return await _export(args, console)
    plan = load(args.config)
    if args.status:
        return await _status(plan, console)
    acts = {"run": _run, "release": _release, "install": _install, "uninstall": _install}
    return await acts[args.what](plan, args, console)


def _check(config: Path, console: Console) -> int:
    try:
        plan = load(config)
    except SiteError as error:
        problems = error.problems or (error.message,)
        console.result({"problems": problems}, "\n".join([*problems, f"{len(problems)} to correct in {config.name}"]))
        return FAILED
    count = len(plan.boxes) + len(plan.relays)
    words = f"{plan.name}: {count} units, nothing is wrong with the file."
    console.result({"site": plan.name, "units": count, "problems": []}, words)
    return OK


async def _run(plan: SitePlan, args: argparse.Namespace, console: Console) -> int:
    from app.service.serving import Serving

    handler = logs.configure(is_json=args.log == "json", path=args.log_file)
    try:
        await Serving(args.config, plan, console.line).run(args.seconds)
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
    return OK


async def _status(plan: SitePlan, console: Console) -> int:
    host = f"[{plan.status_host}]" if ":" in plan.status_host else plan.status_host
    url = f"http://{host}:{plan.status_port}/status.json"
    try:
        status = await asyncio.to_thread(_fetched, url)
    except (OSError, urllib.error.URLError, ValueError) as error:
        console.result({"running": False}, f"No bridge answers at {url}: {getattr(error, 'reason', error)}.")
        return NOTHING
    rows = [[str(unit.get(key) or "") for key in _COLUMNS] for unit in status["units"]]
    words = table(("identity", "unit", "line", "state", "queued", "trouble"), rows)
    console.result(status, f"{words}\n{status['trouble']}".rstrip())
    return OK


_COLUMNS = ("identity", "unit", "line", "state", "queued", "trouble")


def _fetched(url: str) -> dict[str, Any]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it runs on this very computer
    with opener.open(url, timeout=ASK_S) as answer:
        status: dict[str, Any] = json.loads(answer.read(STATUS_BYTES))
    return status


async def _release(plan: SitePlan, args: argparse.Namespace, console: Console) -> int:
    from app.service.releasing import LIMIT_S, release

    def told(box_id: str, limit_a: float) -> None:
        console.progress(f"{box_id} may charge with {limit_a:g} A again.")

    console.progress(f"Waiting for {len(plan.boxes)} boxes to report; a box told 0 A lately takes a minute.")
    done = await release(plan, limit_s=args.seconds or LIMIT_S, told=told)
    words = [f"{box_id}: {why}; it holds what it was told last" for box_id, why in done.left.items()]
    words += [f"{name}: {count} messages have not reached a backend" for name, count in done.waiting.items()]
    console.result(done, "\n".join([f"{len(done.told)} of {len(plan.boxes)} boxes charge freely.", *words]))
    return FAILED if done.left else OK


async def _install(plan: SitePlan, args: argparse.Namespace, console: Console) -> int:
    made = installing.recipe(args.kind or installing.here(), plan, args.config.absolute())
    commands = made.undo if args.what == "uninstall" else made.commands
    if args.what == "install" and args.unit_file is not None and made.text:
        await asyncio.to_thread(args.unit_file.write_text, made.text, encoding="utf-8")
    is_shown = args.what == "install" and made.text and args.unit_file is None
    parts = [f"# {made.path}\n{made.text}"] if is_shown else []
    parts += [*commands, *([f"# {made.note}"] if made.note else [])]
    console.result(made, "\n".join(parts))
    return OK


async def _export(args: argparse.Namespace, console: Console) -> int:
    from app.commands.bench import workbench  # the whole house: not for the bridge itself

    if args.to is None:
        console.progress("Name a folder: --to FOLDER.")
        return USAGE
    async with workbench(args, listens=False, searches=False) as bench:
        problems = bench.bridge.problems()
        files = await asyncio.to_thread(bench.bridge.export, args.to)
    words = [str(path) for path in files] + [f"to correct: {problem}" for problem in problems]
    console.result(
        {"files": [str(path) for path in files], "problems": [str(one) for one in problems]}, "\n".join(words)
    )
    return OK
