"""``rehome standin``: stand in for what a garage lacks, and show who asks."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import suppress

from app.commands import FAILED, OK, backend
from app.commands.bench import add_listening, workbench
from app.commands.console import Console, add_common, visible
from app.errors import ValueRejected
from app.feed import Subscription
from app.model.garage import Asked, Privilege, Recipe, Stand, StandState
from app.scope import Scope
from app.workbench import Workbench

SERVICES = {stand.value: stand for stand in Stand}


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parts = parser.add_subparsers(dest="part", required=True, metavar="SERVICE")
    dns = _service(parts, "dns", "answer chosen names with our address")
    _add_names(dns)
    dns.add_argument("--forward-to", default="", help="a resolver's address for all other names (default: refuse them)")
    _service(parts, "ntp", "tell the time")
    _service(parts, "dhcp", "give out addresses on a direct cable, while no other server does")
    web = _service(parts, "web", "pass internet checks, refuse the JuiceBox directory, let chargers in at the endpoint")
    web.add_argument("--secure-port", type=int, help="another port than 443 for TLS; 0 takes any free one")
    web.add_argument("--directory", choices=("reset", "404"), default="reset", help="how the directory is refused")
    web.add_argument("--endpoint-port", type=int, default=0, help="the endpoint's own port (default: any free one)")
    add_listening(web)
    dead = parts.add_parser("backend", help=backend.TEXT, description=backend.TEXT[0].upper() + backend.TEXT[1:] + ".")
    common(dead)
    backend.add(dead)
    common(parts.add_parser("names", help="list the ready sets of names"))
    common(parts.add_parser("privileges", help="say what each service needs on this computer, and how to allow it"))
    recipes = parts.add_parser("recipes", help="say how the site's own router does what our DNS does")
    common(recipes)
    _add_names(recipes)
    recipes.add_argument("--host", default="", help="our address as the chargers see it (default: the best adapter's)")
    recipes.add_argument("--only", default="", help="one recipe, by its id")


def _service(
    parts: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    parser = parts.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    common(parser)
    usual = "the cable's adapter; needed" if name == "dhcp" else "default: the best one"
    parser.add_argument("--host", default="", help=f"address of the adapter to listen on ({usual})")
    if name != "dhcp":
        parser.add_argument("--port", type=int, help="another port than the usual one; 0 takes any free one")
    parser.add_argument("--seconds", type=float, help="stop after this time (default: until Ctrl-C)")
    return parser


def common(parser: argparse.ArgumentParser) -> None:
    """Take the common options behind a part's name too."""
    add_common(parser)
    for action in parser._actions:
        if action.dest in ("json", "quiet", "home"):
            action.default = argparse.SUPPRESS


def _add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--set", action="append", default=[], dest="sets", help="a ready set of names; can be repeated")
    parser.add_argument("--name", action="append", default=[], help="a name (or *.domain) that gets our address")
    parser.add_argument("--refuse", action="append", default=[], help="a name (or *.domain) that shall not exist")


async def run(args: argparse.Namespace, console: Console) -> int:
    """Do what the part says."""
    async with workbench(args, listens=False, searches=False) as bench:
        if args.part in ("dns", "recipes"):
            forward_to = getattr(args, "forward_to", "")
            bench.garage.choose(args.sets, names=args.name, refused=args.refuse, forward_to=forward_to)
        if args.part in SERVICES:
            return await _serve(bench, args, console)
        if args.part == "backend":
            return await backend.serve(bench, args, console)
        {"names": _names, "privileges": _privileges, "recipes": _recipes}[args.part](bench, args, console)
    return OK


async def _serve(bench: Workbench, args: argparse.Namespace, console: Console) -> int:
    stand = SERVICES[args.part]
    options = {"directory": args.directory, "secure_port": args.secure_port} if stand is Stand.WEB else {}
    if stand is Stand.WEB:
        state = await bench.start_endpoint(args.host, args.endpoint_port)
        console.line({"event": "listening", "state": state}, f"endpoint listens on {state.url}")
    if stand is Stand.DHCP:
        console.progress("Looking for another DHCP server first …")
    with bench.garage.asked.subscribe() as questions, bench.garage.changes.subscribe() as changes:
        began = await bench.garage.start(stand, host=args.host, port=getattr(args, "port", None), **options)
        console.line({"event": "on", "state": began}, on_line(began))
        async with Scope("standin") as scope:
            scope.required("asked", _asked(questions, console))
            ended = scope.required("ended", _ended(changes, console))
            with suppress(TimeoutError):
                async with asyncio.timeout(args.seconds):
                    await ended
                    return FAILED
    return OK


async def _asked(questions: Subscription[Asked], console: Console) -> None:
    async for asked in questions:
        console.line({"event": "asked", "asked": asked}, asked_line(asked))


async def _ended(changes: Subscription[StandState], console: Console) -> None:
    """Wait until the service had to give way."""
    async for state in changes:
        if not state.is_on and state.trouble:
            console.line({"event": "off", "state": state}, visible(f"! {state.trouble} {state.advice}"))
            return


def _names(bench: Workbench, _args: argparse.Namespace, console: Console) -> None:
    sets = bench.garage.name_sets
    lines = []
    for item in sets:
        lines.append(f"{item.id}: {item.title} [{item.grade}: {item.source}]")
        lines += [f"    {name}" for name in item.answered]
        lines += [f"    {name}   does not exist" for name in item.refused]
        lines += [f"    {item.note}"] if item.note else []
    console.result(sets, "\n".join(lines))


def _privileges(bench: Workbench, _args: argparse.Namespace, console: Console) -> None:
    found = bench.garage.privileges()
    parts = [rights_text([item for item in found if item.stand is stand]) for stand in Stand]
    console.result(found, "\n\n".join(parts))


def _recipes(bench: Workbench, args: argparse.Namespace, console: Console) -> None:
    found = bench.garage.recipes(args.host)
    if args.only:
        found = tuple(item for item in found if item.id == args.only)
        if not found:
            raise ValueRejected(
                f"There is no recipe “{args.only}” for these names.",
                "Choose from: " + ", ".join(item.id for item in bench.garage.recipes(args.host)) + ".",
            )
    console.result(found, "\n\n".join(recipe_text(item) for item in found))


def on_line(state: StandState) -> str:
    """Say where a service listens."""
    secure = f" and {state.secure_port}" if state.secure_port else ""
    return f"{state.stand.value} listens on {state.host}:{state.port}{secure} — Ctrl-C ends."


def asked_line(asked: Asked) -> str:
    """Lay out a question for a terminal."""
    knows = f"  ({asked.knows})" if asked.knows else ""
    what = " ".join(part for part in (asked.kind, asked.name) if part)
    answer = f" → {asked.answer}" if asked.answer else ""
    return visible(f"{asked.at:%H:%M:%S} {asked.client} asks {what}{answer}{knows}").replace("\n", " ")


def rights_text(ways: Sequence[Privilege]) -> str:
    """Lay out what one service needs, and every way to it, for a terminal."""
    first = ways[0]
    lines = [f"{first.stand.value}: {'allowed' if first.is_granted else 'not allowed'}. {first.why}"]
    for way in ways:
        lines += [f"  {way.how}", *(f"    {command}" for command in way.commands), f"  [{way.source}]"]
    return "\n".join(lines)


def recipe_text(item: Recipe) -> str:
    """Lay out a recipe for a terminal."""
    head = f"== {item.title} ({item.id}) =="
    return "\n".join([head, item.note, "", item.text.rstrip(), "", f"[{item.grade}: {item.source}]"])
