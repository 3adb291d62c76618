"""``rehome drivers``: what this program can drive; the packaging check compares it with the source tree."""

from __future__ import annotations

import argparse

import app.drivers
from app import __version__, resources
from app.commands import OK
from app.commands.console import Console, table
from app.driver.registry import Registry, load_drivers, load_profiles
from app.ocpp import schema


def add(parser: argparse.ArgumentParser) -> None:
    """Name no options of its own."""


async def run(args: argparse.Namespace, console: Console) -> int:
    """List drivers, profiles, schemas and icons."""
    del args
    registry = Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))
    facts = {
        "version": __version__,
        "drivers": sorted(registry.drivers),
        "profiles": sorted(registry.profiles),
        "schemas": {version: len(schema.actions(version)) for version in schema.FOLDERS},
        "icons": len(resources.texts("icons", ".svg")),
        "failures": len(resources.texts("failures", ".toml")),
        "mdns_types": registry.mdns_types,
    }
    rows = [(item.id, item.family, item.driver, item.grade.value) for item in registry.profiles.values()]
    console.result(facts, table(("PROFILE", "FAMILY", "DRIVER", "EVIDENCE"), sorted(rows)))
    return OK
