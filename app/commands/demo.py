"""``rehome demo``: one complete job on simulated chargers, or a simulated garage to work on from another terminal."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from contextlib import suppress
from pathlib import Path

from app.commands import OK
from app.commands.bench import wait_for_unit
from app.commands.console import Console
from app.commands.work import Answers, drive, outcome
from app.model.backend import Backend, SecurityProfile
from app.model.job import JobState
from app.model.secret import Secret
from app.settings import Settings
from app.sim.garage import PASSWORD, DemoGarage, demo
from app.workbench import Workbench

FIND_S = 30.0
FIRST = "STALL-01"


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("--hold", action="store_true", help="keep the simulated chargers running until Ctrl-C")
    parser.add_argument("--seconds", type=float, help="with --hold: stop after this time")
    parser.add_argument("--dial", metavar="URL", help="with --hold: the central system that the OCPP chargers dial")
    parser.add_argument("--pace", type=float, default=0.2, help="how long the chargers' own times take (1 = really)")
    parser.add_argument("--out", type=Path, help="folder for the report")


async def run(args: argparse.Namespace, console: Console) -> int:
    """Run the job, or hold the garage."""
    if args.hold:
        return await _hold(args, console)
    with tempfile.TemporaryDirectory(prefix="rehome-demo-", ignore_cleanup_errors=True) as folder:
        home = args.home or Path(folder)
        async with demo(Settings(site_name="Demo garage"), home=home, time_scale=args.pace) as bench:
            return await _whole_job(bench, args, console)


async def _whole_job(bench: Workbench, args: argparse.Namespace, console: Console) -> int:
    console.progress("Looking for the orphaned charger …")
    unit = await wait_for_unit(bench, lambda unit: unit.identity.profile_id == "openevse-wifi", FIND_S)
    console.progress(f"Found {unit.title}: {unit.adoption.value}")
    preset = bench.settings.presets[0]
    backend = Backend(
        url=preset.url,
        identity=FIRST,
        security_profile=SecurityProfile.BASIC,
        secret=Secret(PASSWORD),
        name=preset.name,
    )
    job = await drive(bench, bench.desk.create(unit.unit_id).id, Answers(backend=backend, accepts_doors=True), console)
    if args.out and job.state is JobState.DONE:
        files = await bench.save_report(job.id, args.out)
        console.progress("Report: " + ", ".join(str(path) for path in files.values()))
    return outcome(job, console)


async def _hold(args: argparse.Namespace, console: Console) -> int:
    async with DemoGarage(time_scale=args.pace) as garage:
        if args.dial:
            garage.dial(args.dial)
        facts = {
            "openevse": garage.gateway.address.url,
            "serial": list(garage.serial_ports),
            "stations": [station.identity for station in garage.diallers],
            "backend": garage.backend.url,
            "backend_api": garage.backend.api,
            "password": PASSWORD,
            "identities": list(garage.identities),
        }
        console.line(facts, "\n".join(f"{name:<12} {value}" for name, value in facts.items()))
        console.progress("The simulated chargers run. Ctrl-C ends them.")
        with suppress(TimeoutError):
            async with asyncio.timeout(args.seconds):
                await asyncio.Event().wait()
    return OK
