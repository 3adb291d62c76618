"""``rehome bridge``: make charge points of units that can't speak to a backend themselves, for good."""

from __future__ import annotations

import argparse
import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from app.commands import OK
from app.commands.console import Console
from app.service import logs
from app.service.reading import load
from app.service.runtime import Runtime
from app.service.watchdog import Watchdog

log = logging.getLogger(__name__)


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("--config", type=Path, required=True, help="the site file (TOML; docs/bridge.md)")
    parser.add_argument("--check", action="store_true", help="read the file, tell what is wrong with it, and end")
    parser.add_argument("--log", choices=("lines", "json"), default="lines", help="how the log is written")
    parser.add_argument("--log-file", type=Path, help="write the log to this file, turned over at 5 MB")
    parser.add_argument("--seconds", type=float, help="stop after this time (default: until told to)")


async def run(args: argparse.Namespace, console: Console) -> int:
    """Bridge until told to stop."""
    plan = load(args.config)
    if args.check:
        count = len(plan.boxes) + len(plan.relays)
        console.line(
            {"site": plan.name, "units": count}, f"{plan.name}: {count} units, nothing is wrong with the file."
        )
        return OK
    handler = logs.configure(is_json=args.log == "json", path=args.log_file)
    try:
        await _serve(Runtime(plan), console, args.seconds)
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
    return OK


async def _serve(runtime: Runtime, console: Console, seconds: float | None) -> None:
    from app.service.statuspage import StatusPage  # aiohttp takes its time to load

    plan = runtime.plan
    watchdog = Watchdog()
    page = StatusPage(lambda: runtime.status, lambda: runtime.beat)
    async with runtime:
        await page.open(plan.status_host, plan.status_port)
        try:
            watchdog.ready(plan.name)
            units = len(plan.boxes) + len(plan.relays)
            told = {"event": "running", "site": plan.name, "status": page.url, "units": units}
            console.line(told, f"bridging {units} units of {plan.name}; status at {page.url}")
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await watchdog.run(lambda: True, lambda: plan.name)
                    await asyncio.Event().wait()
        finally:
            watchdog.stopping()
            await page.close()
