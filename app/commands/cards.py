"""The cards of ``rehome serve``: who may charge, from a list, without a window."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.commands.console import Console, visible
from app.errors import StoreError
from app.model.card import Mode
from app.ocpp.cards import Decision
from app.workbench import Workbench


def add_cards(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument(
        "--cards",
        choices=[mode.value for mode in Mode],
        help="what becomes of cards that are not in the list (default: as chosen last)",
    )
    parser.add_argument("--card-list", type=Path, metavar="FILE", help="enter the cards of this CSV file first")


async def use_cards(bench: Workbench, args: argparse.Namespace, console: Console) -> None:
    """Enter the list and choose the mode. Raises StoreError where the file can't be read or holds no card."""
    desk = bench.services.cards
    if args.card_list is not None:
        found = await desk.import_file(args.card_list, bench.now())
        for problem in found.problems:
            console.progress(f"{args.card_list.name}: {problem}")
        if not found.cards:
            raise StoreError(f"{args.card_list.name} holds no card.", "Its first line names the columns, such as uid.")
        console.progress(f"Cards entered: {len(found.cards)}")
    if args.cards is not None:
        desk.choose(Mode(args.cards))


async def show_cards(bench: Workbench, console: Console) -> None:
    """Print every decision about a card."""
    with bench.services.cards.decisions.subscribe() as decisions:
        async for decision in decisions:
            console.line({"event": "card", "card": decision}, card_line(decision))


def card_line(decision: Decision) -> str:
    """Lay out a decision for a terminal."""
    return visible(f"# {decision.identity}: card {decision.uid} {decision.status.value} ({decision.why})").replace(
        "\n", " "
    )
