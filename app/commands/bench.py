"""Open the workbench for a command, and find the unit a user means."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from app import settings as settings_file
from app.commands.console import Console
from app.commands.console import add_common as add_common
from app.errors import AppError, NotReachable
from app.model.job import Job
from app.model.listening import PERSONALITIES, PROFILES
from app.model.unit import ClaimKind, Unit, claim
from app.workbench import Workbench


def add_endpoint(parser: argparse.ArgumentParser) -> None:
    """Add the options of commands that listen."""
    parser.add_argument("--host", default="", help="address of the adapter to listen on (default: the best one)")
    parser.add_argument("--port", type=int, help="port to listen on; 0 takes any free one")


def add_listening(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how to listen."""
    parser.add_argument(
        "--strict", action="store_true", help="refuse what the standards refuse, instead of reporting it"
    )
    parser.add_argument("--personality", choices=tuple(PERSONALITIES), help="the face to show in TLS")
    parser.add_argument("--profile", type=int, choices=tuple(PROFILES), help="demand this OCPP security profile")
    parser.add_argument("--no-tls", action="store_true", help="answer plain ws only")


def settings_for(args: argparse.Namespace) -> settings_file.Settings:
    """Read the settings of this call; options override them."""
    settings = settings_file.load(home_for(args) / "settings.toml")
    if getattr(args, "host", ""):
        settings = replace(settings, adapter=args.host)
    if getattr(args, "strict", False):
        settings = replace(settings, endpoint_strict=True)
    if getattr(args, "personality", None):
        settings = replace(settings, endpoint_personality=args.personality)
    if getattr(args, "profile", None) is not None:
        settings = replace(settings, endpoint_profile=args.profile)
    if getattr(args, "no_tls", False):
        settings = replace(settings, endpoint_tls=False)
    return settings


def home_for(args: argparse.Namespace) -> Path:
    """Return the data folder of this call."""
    return args.home or settings_file.home_folder()


@asynccontextmanager
async def workbench(
    args: argparse.Namespace, *, listens: bool = True, searches: bool = True
) -> AsyncIterator[Workbench]:
    """Open the workbench as this call asks."""
    quiet = replace(settings_for(args), endpoint_on=False)
    async with Workbench(quiet, home=home_for(args), with_discovery=searches) as bench:
        if listens:
            await listen(bench, args)
        yield bench


async def listen(bench: Workbench, args: argparse.Namespace) -> None:
    """Start the endpoint where the call asks. Raises PortInUse."""
    port = getattr(args, "port", None)
    bench.trust.check(bench.settings.endpoint_personality)
    await bench.start_endpoint(getattr(args, "host", ""), port)


async def find_unit(bench: Workbench, text: str, *, wait_s: float, console: Console) -> Unit:
    """Find the charger a user means: its id, serial, MAC, name, OCPP identity or address. Raises NotReachable."""
    if unit := _known(bench, text):
        return unit
    if looks_like_address(text):
        return await bench.finder.add(text)
    console.progress(f"Waiting up to {wait_s:.0f} s for “{text}” …")
    try:
        return await wait_for_unit(bench, lambda unit: matches(unit, text), wait_s)
    except TimeoutError as error:
        raise NotReachable(
            f"No charger “{text}” showed up within {wait_s:.0f} s.",
            "Give its address (for example 192.168.1.43 or COM5), or a longer --wait.",
        ) from error


async def wait_for_unit(bench: Workbench, wanted: Callable[[Unit], bool], wait_s: float) -> Unit:
    """Wait until a unit fits; raises TimeoutError."""
    with bench.finder.changes.subscribe() as changes:
        for unit in bench.finder.units.values():
            if wanted(unit):
                return unit
        async with asyncio.timeout(wait_s):
            async for change in changes:
                if not change.is_gone and wanted(change.unit):
                    return change.unit
    raise TimeoutError


async def wait_for_job_unit(bench: Workbench, job: Job, wait_s: float) -> None:
    """Wait until a job's unit is in reach. Raises NotReachable."""
    try:
        await wait_for_unit(bench, lambda unit: unit.unit_id == job.unit_id and unit.is_present, wait_s)
    except TimeoutError as error:
        raise NotReachable(
            f"{job.unit_title} did not show up within {wait_s:.0f} s.", "Check its power and network; the job waits."
        ) from error


def looks_like_address(text: str) -> bool:
    """Say whether a text can be an address rather than a serial number or an identity."""
    if text.startswith(("/dev/", "http://", "https://", "[")) or text.upper().startswith("COM"):
        return True
    host, _, port = text.rpartition(":")
    return "." in text or (bool(host) and port.isdigit()) or text == "localhost"


def matches(unit: Unit, text: str) -> bool:
    """Say whether a user's words mean this unit."""
    names = {unit.unit_id, unit.identity.serial, unit.identity.mac, unit.identity.name}
    names |= {str(way.address) for way in unit.ways}
    names |= {str(way.address).removeprefix("ocpp:") for way in unit.ways}
    if text in names:
        return True
    strong = (claim(kind, text) for kind in (ClaimKind.SERIAL, ClaimKind.MAC, ClaimKind.MCU))
    return any(item in unit.identity.claims for item in strong if item)


def _known(bench: Workbench, text: str) -> Unit | None:
    fitting = [unit for unit in bench.finder.units.values() if unit.is_present and matches(unit, text)]
    if len(fitting) > 1:
        raise AppError(
            f"“{text}” means {len(fitting)} chargers.", "Use one of: " + ", ".join(unit.unit_id for unit in fitting)
        )
    return fitting[0] if fitting else None
