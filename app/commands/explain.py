"""``rehome explain``: a saved configuration, explained key by key and checked against what the site wants."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app import resources
from app.commands import OK
from app.commands.console import Console, visible
from app.diagnosis import dump, explained
from app.diagnosis.explained import Explanation, Report
from app.driver.registry import load_profiles
from app.errors import Garbled

SHOWN = 100
"""Characters of a value in a terminal."""


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("file", type=Path, help="a saved configuration: JSON, OCPP frames, CSV, a table, key=value")
    parser.add_argument("--vendor", default="", help="the vendor in its BootNotification, where it is known")


async def run(args: argparse.Namespace, console: Console) -> int:
    """Read, explain, print."""
    told = dump.read(_bytes(args.file))
    profiles = load_profiles(resources.texts("profiles", ".toml"))
    report = explained.explain(told, profiles, vendor=args.vendor)
    console.result(facts(report), "\n".join(lines(report)))
    return OK


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(dump.SIZE_LIMIT + 1)
    except OSError as error:
        raise Garbled(f"{path.name} can't be read: {error.strerror or error}.", "Choose another file.") from error


def lines(report: Report) -> Iterator[str]:
    """Lay a report out for a terminal."""
    yield from _head(report)
    for item in report.settings:
        yield ""
        yield from (visible(line).replace("\n", "\\n") for line in _setting(item))
    if report.missing:
        yield ""
        names = ", ".join(item.key for item in report.missing)
        part = "" if report.is_whole else " (this looks like a part only)"
        yield f"Required by the standard and not told{part}: {names}"
    if report.unknown_there:
        yield visible(f"Unknown to the charger: {', '.join(report.unknown_there[:50])}")


def _head(report: Report) -> Iterator[str]:
    stack, candidates = report.recognition.stack, report.recognition.candidates
    if stack is not None:
        proofs = ", ".join(candidates[0].proofs[:5]) or "the vendor in its Boot"
        yield visible(f"{stack.name}, by {proofs}")
    elif candidates:
        yield "Which stack this is can't be told for sure. It may be:"
        for item in candidates[:5]:
            yield visible(f"  {item.stack.name}, by {', '.join(item.proofs[:5]) or 'its vendor'}")
    else:
        yield "An unknown stack: no key of it is one that we know of a vendor."
    yield visible(report.address_words)
    yield f"{len(report.settings)} settings, OCPP {report.version}" + (
        " (cut: there are more)" if report.is_cut else ""
    )


def _setting(item: Explanation) -> Iterator[str]:
    value = "not told" if item.shown is None else item.shown[:SHOWN]
    access = f" [{item.told}]" if item.told else ""
    yield f"{item.key} = {value}{f' {item.unit}' if item.unit and item.shown else ''}{access}"
    yield f"    {f'{item.label}: ' if item.label else ''}{item.meaning}"
    if item.danger:
        yield f"    careful: {item.danger}"
    for text in item.oddities:
        yield f"    odd: {text}"


def facts(report: Report) -> dict[str, Any]:
    """Lay a report out as JSON."""
    stack = report.recognition.stack
    return {
        "ocpp": report.version,
        "stack": stack.id if stack is not None else None,
        "candidates": [
            {"stack": item.stack.id, "name": item.stack.name, "weight": item.weight, "proofs": item.proofs}
            for item in report.recognition.candidates
        ],
        "is_tie": report.recognition.is_tie,
        "address": report.address_words,
        "addresses": report.addresses,
        "is_whole": report.is_whole,
        "is_cut": report.is_cut,
        "settings": report.settings,
        "missing": [item.key for item in report.missing],
        "unknown_to_the_charger": report.unknown_there,
    }
