"""``rehome show``: one charger's identity, status, backend and settings."""

from __future__ import annotations

import argparse
from typing import Any

from app.commands import OK
from app.commands.bench import add_endpoint, find_unit, workbench
from app.commands.console import Console, table, visible
from app.driver.capability import Identifies, ReadsSettings, ReportsStatus, SetsBackend, Status
from app.driver.session import Session
from app.model.unit import Unit


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("unit", metavar="CHARGER", help="id, serial number, OCPP identity, address or serial port")
    parser.add_argument("--wait", type=float, default=30.0, help="seconds to wait for it to show up (default 30)")
    parser.add_argument("--settings", action="store_true", help="read all settings too")
    add_endpoint(parser)


async def run(args: argparse.Namespace, console: Console) -> int:
    """Find the unit, ask it, print."""
    async with workbench(args) as bench:
        unit = await find_unit(bench, args.unit, wait_s=args.wait, console=console)
        async with bench.open(unit.unit_id) as session:
            facts = await _facts(session, with_settings=args.settings)
    console.result({"unit": unit, **facts}, text_of(unit, facts))
    return OK


async def _facts(session: Session, *, with_settings: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {"via": str(session.address)}
    if session.has(Identifies):
        facts["identity"] = await session.ask(Identifies).identify()
    if session.has(ReportsStatus):
        facts["status"] = await session.ask(ReportsStatus).status()
    if with_settings and session.has(ReadsSettings):
        snapshot = await session.ask(ReadsSettings).read_settings()
        facts["settings"] = {setting.key: setting.shown for setting in snapshot.settings}
        facts["not_restorable"] = dict(snapshot.excluded)
    if session.has(SetsBackend):
        backend = await session.ask(SetsBackend).read_backend()
        facts["backend"] = backend.without_secret() if backend else None
    facts["offers"] = sorted(item.__name__ for item in session.offers)
    return facts


def text_of(unit: Unit, facts: dict[str, Any]) -> str:
    """Lay out a unit for a terminal."""
    identity = facts.get("identity", unit.identity)
    lines = [
        visible(unit.title),
        f"  vendor    {visible(identity.vendor)}",
        f"  model     {visible(identity.model)}",
        f"  serial    {visible(identity.serial)}",
        f"  firmware  {visible(identity.firmware)}",
        f"  serves    {unit.adoption.value}",
        f"  via       {facts['via']}",
        f"  offers    {', '.join(facts['offers'])}",
    ]
    if "backend" in facts:
        backend = facts["backend"]
        lines.append(f"  backend   {visible(backend.full_url) if backend and backend.url else 'none'}")
    if "status" in facts:
        lines += _status_lines(facts["status"])
    if "settings" in facts:
        lines += ["", table(("SETTING", "VALUE"), [(key, value[:100]) for key, value in facts["settings"].items()])]
    return "\n".join(lines)


def _status_lines(status: Status) -> list[str]:
    lines = [f"  state     {visible(status.state)} {visible(status.detail)}".rstrip()]
    for reading in status.readings:
        phase = f" {reading.phase}" if reading.phase else ""
        lines.append(f"  {reading.measurand.value}{phase}: {reading.value:g} {reading.measurand.unit}")
    return lines
