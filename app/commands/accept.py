"""``rehome accept``: test a charger through, case by case; judge a stored run again; list the runs and the cases."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from app.acceptance.case import cases, find
from app.acceptance.junit import junit
from app.acceptance.run import Run
from app.acceptance.shelf import load, text
from app.acceptance.suites import suites
from app.commands import NOTHING, OK, UNPROVED, USAGE
from app.commands.bench import add_endpoint, workbench
from app.commands.console import Console, plain, table
from app.errors import StoreError
from app.model.acceptance import Answer, CaseResult, Progress, Prompt, RunResult, Verdict
from app.scope import Scope

KEY_S = 0.1
"""How often Windows is asked for keys."""
_KEYS = {"d": Answer.DONE, "s": Answer.SKIP, "c": Answer.CANNOT}


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("identity", metavar="IDENTITY", nargs="?", help="the charger's OCPP identity")
    parser.add_argument("--suite", default="commissioning", help="commissioning, after-repair or full")
    parser.add_argument("--case", action="append", default=[], metavar="ID", help="only this case (repeatable)")
    parser.add_argument("--wait", type=float, default=120.0, help="seconds to wait until the charger dials")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the result as JUnit XML")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the result with all its frames as JSON")
    parser.add_argument(
        "--answer-prompts",
        choices=("ask", "skip"),
        default="ask" if sys.stdin is not None and sys.stdin.isatty() else "skip",
        help="ask: show what a person has to do (d done, s skip, c can't); skip: nobody is there",
    )
    parser.add_argument("--list", action="store_true", help="list the cases of the suite and do nothing")
    parser.add_argument("--judge", type=Path, metavar="FILE", help="judge a stored run again; nothing is sent")
    parser.add_argument("--runs", action="store_true", help="list the stored runs and do nothing")
    add_endpoint(parser)


async def run(args: argparse.Namespace, console: Console) -> int:
    """Do as the options say."""
    if args.suite not in suites():
        console.progress(f"There is no suite “{args.suite}”; there are {', '.join(suites())}.")
        return USAGE
    unknown = [case_id for case_id in args.case if find(case_id) is None]
    if unknown:
        console.progress(f"There is no case {', '.join(unknown)}; --list shows them.")
        return USAGE
    if args.list:
        return _list(args, console)
    if args.judge is not None:
        return _judge(args, console)
    if args.runs:
        return await _runs(args, console)
    if args.identity is None:
        console.progress("Whose? Give the charger's OCPP identity.")
        return USAGE
    return await _accept(args, console)


def _list(args: argparse.Namespace, console: Console) -> int:
    chosen = [case for case in cases() if args.suite in case.suites]
    rows = [(item.id, item.title, item.clause, f"{item.budget_s:.0f} s") for item in chosen]
    value = [{"id": i.id, "title": i.title, "clause": i.clause, "budget_s": i.budget_s, "text": i.text} for i in chosen]
    console.result(value, table(("CASE", "TITLE", "CLAUSE", "AT MOST"), rows))
    return OK


def _judge(args: argparse.Namespace, console: Console) -> int:
    from app.acceptance.judging import again

    return _told(again(load(args.judge)), args, console)


async def _runs(args: argparse.Namespace, console: Console) -> int:
    async with workbench(args, listens=False, searches=False) as bench:
        found = bench.acceptance.history(args.identity or "")
    rows = [(run.id, run.identity, run.suite, run.verdict.value, f"{run.started_at:%Y-%m-%d %H:%M}") for run in found]
    console.result([summary(run) for run in found], table(("RUN", "CHARGER", "SUITE", "VERDICT", "STARTED"), rows))
    return OK if found else NOTHING


async def _accept(args: argparse.Namespace, console: Console) -> int:
    async with workbench(args, searches=False) as bench:
        console.progress(f"Waiting for “{args.identity}” on {bench.server.state.url} …")
        await bench.server.arrival(args.identity, timeout_s=args.wait)
        skips = args.answer_prompts == "skip"
        run = bench.acceptance.prepare(args.identity, args.suite, skips_prompts=skips, only=frozenset(args.case))
        result = await _followed(run, console)
    return _told(result, args, console)


async def _followed(run: Run, console: Console) -> RunResult:
    async with Scope("follow") as scope:
        scope.required("progress", _tell(run, console))
        if not run.plan.skips_prompts:
            scope.required("answers", _answers(run))
        return await run.go()


async def _tell(run: Run, console: Console) -> None:
    count, prompt_number, step = 0, 0, ""
    with run.progress.subscribe() as feed:
        async for progress in feed:
            for result in progress.run.results[count:]:
                console.progress(f"{result.verdict.value:<14} {result.case_id} {result.title}")
            count = len(progress.run.results)
            if progress.prompt is not None and progress.prompt.number != prompt_number:
                prompt_number = progress.prompt.number
                console.progress(_asked(progress.prompt))
            elif progress.step != step:
                console.progress(_step(progress))
            step = progress.step


def _step(progress: Progress) -> str:
    return f"  {progress.current} {progress.step}" if progress.step else ""


def _asked(prompt: Prompt) -> str:
    return f">>> {prompt.title} ({prompt.within_s:.0f} s)\n    {prompt.text}\n    d + Enter: done, s: skip, c: can't"


async def _answers(run: Run) -> None:
    async with aclosing(_pressed() if os.name == "nt" else _typed()) as keys:
        async for key in keys:
            answer, prompt = _KEYS.get(key.lower()), run.latest.prompt
            if answer is not None and prompt is not None:
                run.answer(prompt.number, answer)


async def _typed() -> AsyncGenerator[str, None]:
    """Yield the first letter of every line, without a thread that would outlive the run; ends with the input."""
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()
    loop.add_reader(sys.stdin.fileno(), lambda: lines.put_nowait(sys.stdin.readline()))
    try:
        while line := await lines.get():
            yield line.strip()[:1]
    finally:
        loop.remove_reader(sys.stdin.fileno())


async def _pressed() -> AsyncGenerator[str, None]:
    """Yield keys as they are pressed on Windows: a console is no socket there, and only those can be waited for."""
    msvcrt: Any = importlib.import_module("msvcrt")
    while True:
        await asyncio.sleep(KEY_S)
        while msvcrt.kbhit():
            yield str(msvcrt.getwch())


def _told(result: RunResult, args: argparse.Namespace, console: Console) -> int:
    _write(args.junit, junit(result).encode())
    _write(args.out, text(result))
    console.result(summary(result), _text(result))
    return _code(result, was_skipping=args.answer_prompts == "skip")


def _code(result: RunResult, *, was_skipping: bool) -> int:
    """0 = all that was asked holds; what needs a person does not count where the call said that nobody is there."""
    bad = [item for item in result.results if item.verdict in (Verdict.FAIL, Verdict.PARTIAL)]
    open_ = [
        item for item in result.results if item.verdict is Verdict.NOT_ASKED and not _is_excused(item, was_skipping)
    ]
    passed = result.count(Verdict.PASS) > 0
    return OK if passed and not (bad or open_ or result.stopped) else UNPROVED


def _is_excused(item: CaseResult, was_skipping: bool) -> bool:
    case = find(item.case_id)
    return was_skipping and case is not None and case.needs_person


def summary(run: RunResult) -> dict[str, Any]:
    """Return a run for JSON: everything but the frames."""
    value: dict[str, Any] = plain(run)
    for item in value["results"]:
        del item["frames"], item["marks"]
    return {"verdict": run.verdict.value, **value}


def _text(run: RunResult) -> str:
    rows = [(item.case_id, item.verdict.value, item.title, _why(item)) for item in run.results]
    counts = ", ".join(f"{run.count(verdict)} {verdict.value}" for verdict in Verdict if run.count(verdict))
    lines = [
        table(("CASE", "VERDICT", "TITLE", "WHY"), rows),
        "",
        f"{run.verdict.value}: {counts or 'no case was run'}",
    ]
    lines += [f"Stopped: {run.stopped}"] if run.stopped else []
    lines += [f"Not put back: {text}" for item in run.results for text in item.unrestored]
    return "\n".join(lines)


def _why(item: CaseResult) -> str:
    unmet = next((check.sentence for check in item.checks if not check.is_met), "")
    return (item.reason or unmet)[:100]


def _write(path: Path | None, content: bytes) -> None:
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise StoreError(f"{path} can't be written: {error.strerror or error}.", "Choose another place.") from error
