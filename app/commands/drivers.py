"""``rehome drivers``: what this program can drive; the packaging check compares it with the source tree."""

from __future__ import annotations

import argparse
import importlib

import app.drivers
from app import __version__, resources
from app.commands import OK
from app.commands.console import Console, table
from app.driver.registry import Registry, load_drivers, load_profiles
from app.ocpp import schema

LATE = (
    "aiohttp",
    "bleak.backends.client",
    "dnslib",
    "openpyxl",
    "prometheus_client.openmetrics.exposition",
    "pymodbus.framer",
    "pymodbus.pdu.register_message",
    "serial.tools.list_ports",
    "servicemanager",
    "win32serviceutil",
    "zeroconf.asyncio",
    "zxingcpp",
)
"""Libraries that are imported when first wanted: a build that lacks one starts all the same."""


def add(parser: argparse.ArgumentParser) -> None:
    """Name no options of its own."""


async def run(args: argparse.Namespace, console: Console) -> int:
    """List drivers, profiles and whatever else comes with the program."""
    del args
    registry = Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))
    folders = sorted(entry for entry in resources.path().iterdir() if entry.is_dir())
    facts = {
        "version": __version__,
        "drivers": sorted(registry.drivers),
        "profiles": sorted(registry.profiles),
        "schemas": {version: len(schema.actions(version)) for version in schema.FOLDERS},
        "icons": len(resources.texts("icons", ".svg")),
        "failures": len(resources.texts("failures", ".toml")),
        "mdns_types": registry.mdns_types,
        "resources": {folder.name: len(list(folder.iterdir())) for folder in folders},
        "libraries": [name for name in LATE if is_there(name)],
        "bluetooth": bluetooth(),
    }
    rows = [(item.id, item.family, item.driver, item.grade.value) for item in registry.profiles.values()]
    console.result(facts, table(("PROFILE", "FAMILY", "DRIVER", "EVIDENCE"), sorted(rows)))
    return OK


def is_there(name: str) -> bool:
    """Import a library; say whether it could be."""
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def bluetooth() -> str:
    """Return which of bleak's ways to this system's Bluetooth could be imported; empty = none."""
    try:
        from bleak.backends.client import get_platform_client_backend_type
        from bleak.backends.scanner import get_platform_scanner_backend_type
        from bleak.exc import BleakError
    except ImportError:
        return ""
    try:
        get_platform_scanner_backend_type()
        return get_platform_client_backend_type()[1].value
    except (ImportError, BleakError):
        return ""
