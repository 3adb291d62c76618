"""``rehome card``: a page to print for each charger that somebody has to type at. Asks no charger anything."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands import OK, UNDECIDED, USAGE
from app.commands.bench import matches, workbench
from app.commands.console import Console
from app.commands.work import add_backend, backend_of, password_of, problems_of
from app.errors import AppError, NotReachable
from app.model.backend import Backend
from app.model.typed import guidance_for
from app.model.unit import Unit
from app.report.card import Card, card_of, save

if TYPE_CHECKING:
    from app.workbench import Workbench


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument(
        "names", metavar="CHARGER|PROFILE", nargs="+", help="a charger seen before, or the id of a family's profile"
    )
    add_backend(parser, required=False)
    parser.add_argument("--print-password", action="store_true", help="print the password on the card too")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write: .html or .pdf")


async def run(args: argparse.Namespace, console: Console) -> int:
    """Write the cards; exit code 4 where one of them says that it can't work."""
    if not args.url:
        console.progress("Give --url of the new backend.")
        return USAGE
    if args.identity and len(args.names) > 1:
        console.progress("--identity names one charger; several take the identities they have.")
        return USAGE
    secret = password_of(args)
    async with workbench(args, listens=False, searches=False) as bench:
        cards = []
        for name in args.names:
            unit, profile_id = _meant(bench, name)
            args.identity = args.identity if len(args.names) == 1 and args.identity else _identity(unit)
            backend = backend_of(args, secret)
            if not _is_usable(backend, name, console):
                return USAGE
            cards.append(_card(bench, unit, profile_id, backend))
        await save(cards, args.out, at=bench.now(), with_secrets=args.print_password)
    console.result({"file": str(args.out), "cards": [_told(card) for card in cards]}, str(args.out))
    return OK if all(card.guidance.is_possible for card in cards) else UNDECIDED


def _meant(bench: Workbench, name: str) -> tuple[Unit | None, str]:
    """Return the charger or the family a name means. Raises AppError."""
    if name in bench.registry.profiles:
        return None, name
    found = [unit for unit in bench.finder.units.values() if matches(unit, name)]
    if len(found) > 1:
        raise AppError(f"“{name}” means {len(found)} chargers.", "Use one of: " + ", ".join(u.unit_id for u in found))
    if not found:
        raise NotReachable(
            f"“{name}” is no charger seen before and no profile.", "“rehome drivers” lists all profiles."
        )
    return found[0], found[0].identity.profile_id


def _identity(unit: Unit | None) -> str:
    if unit is None:
        return ""
    return (unit.backend.identity if unit.backend else "") or unit.identity.serial


def _is_usable(backend: Backend, name: str, console: Console) -> bool:
    problems = [problem for problem in problems_of(backend) if problem.blocks]
    for problem in problems:
        console.progress(f"{name}: --{problem.field.replace('_', '-')}: {problem.message}")
    return not problems


def _card(bench: Workbench, unit: Unit | None, profile_id: str, backend: Backend) -> Card:
    profile = bench.registry.profiles.get(profile_id)
    card = card_of(guidance_for(profile, backend), profile, identity=backend.identity, site=bench.settings.site_name)
    if unit is None:
        return card
    facts = (("Serial", unit.identity.serial), ("Firmware", unit.identity.firmware))
    return replace(card, title=unit.title, facts=tuple((label, text) for label, text in facts if text))


def _told(card: Card) -> dict[str, object]:
    problems = [problem.message for problem in card.guidance.all_problems]
    return {
        "title": card.title,
        "profile": card.guidance.profile_id,
        "identity": card.identity,
        "dials": card.guidance.dials,
        "is_possible": card.guidance.is_possible,
        "problems": problems,
    }
