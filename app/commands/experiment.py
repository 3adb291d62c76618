"""``rehome experiment``: find out which of several causes that look alike it is, by trying."""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime
from typing import Any

from app.commands import OK, UNPROVED, USAGE
from app.commands.bench import add_endpoint, add_listening, workbench
from app.commands.console import Console, plain, table
from app.experiment.run import Run
from app.experiment.values import Result, State
from app.experiment.words import duration, setting_words, told
from app.model.experiment import EXPERIMENTS, Ground
from app.scope import Scope
from app.workbench import Workbench


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("experiment", metavar="ID", nargs="?", help="which experiment; --list shows them")
    parser.add_argument("identity", metavar="IDENTITY", nargs="?", default="", help="the charger's OCPP identity")
    parser.add_argument("--remote", default="", metavar="ADDRESS", help="its network address, where TLS hides its name")
    parser.add_argument("--url", default="", help="the backend's address, for experiments there")
    parser.add_argument("--wait", type=float, default=120.0, help="seconds to wait until the charger dials")
    parser.add_argument("--list", action="store_true", help="list the experiments and do nothing")
    add_endpoint(parser)
    add_listening(parser)


async def run(args: argparse.Namespace, console: Console) -> int:
    """Do as the options say. Exit code 0: something follows, 5: nothing follows."""
    if args.list:
        return _list(console)
    experiment = EXPERIMENTS.get(args.experiment or "")
    if experiment is None:
        console.progress(f"Which experiment? There are {', '.join(EXPERIMENTS)}.")
        return USAGE
    at_backend = experiment.ground is Ground.BACKEND
    if (at_backend and not args.url) or not (at_backend or args.identity or args.remote):
        console.progress("Give the backend's --url." if at_backend else "With whom? Give IDENTITY, or --remote.")
        return USAGE
    async with workbench(args, listens=not at_backend, searches=False) as bench:
        result = await _experiment(bench, args, console)
    console.result(summary(result), told(result))
    return OK if result.sign else UNPROVED


def _list(console: Console) -> int:
    rows = [
        (item.experiment_id, item.title, duration(item), ", ".join(item.separates)) for item in EXPERIMENTS.values()
    ]
    value = [plain(item) for item in EXPERIMENTS.values()]
    console.result(value, table(("ID", "TITLE", "AT MOST", "TELLS APART"), rows))
    return OK


async def _experiment(bench: Workbench, args: argparse.Namespace, console: Console) -> Result:
    experiment = EXPERIMENTS[args.experiment]
    is_named = bool(args.identity) and experiment.ground is not Ground.BACKEND
    if is_named and not args.remote and experiment.experiment_id != "plain-instead-of-tls":
        console.progress(f"Waiting for “{args.identity}” on {bench.server.state.url} …")
        await bench.server.arrival(args.identity, timeout_s=args.wait)
    asked = {"identity": args.identity, "remote": args.remote, "url": args.url}
    run = bench.experiments.prepare(experiment.experiment_id, **asked)
    console.progress(f"{experiment.title}: {experiment.does} At most {duration(experiment)}.")
    for warning in bench.experiments.warnings(experiment.experiment_id, run.result.subject):
        console.progress(f"Beware: {warning}")
    return await _followed(run, console)


async def _followed(run: Run, console: Console) -> Result:
    async with Scope("follow") as scope:
        scope.required("progress", _tell(run, console))
        await asyncio.sleep(0)  # it listens from here on
        return await run.go()


async def _tell(run: Run, console: Console) -> None:
    done, step = 0, ""
    with run.progress.subscribe() as feed:
        async for progress in feed:
            rounds = [item for item in progress.result.rounds if item.state is State.DONE]
            for item in rounds[done:]:
                console.progress(f"{setting_words(run.experiment.experiment_id, item.setting)}: {item.seen}")
            done = len(rounds)
            if progress.step and progress.step != step:
                left_s = progress.left_s(datetime.now(UTC))
                console.progress(f"  {progress.step}" + (f" (at most {left_s:.0f} s)" if left_s else ""))
            step = progress.step


def summary(result: Result) -> dict[str, Any]:
    """Return a result for JSON."""
    outcome = result.outcome
    value: dict[str, Any] = plain(result)
    means = {"seen": outcome.seen, "means": outcome.means, "code": outcome.code} if outcome is not None else None
    return {**value, "outcome": means}
